# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A running instance as it can be seen without disturbing it: its own pages, its journal, and what the system counts."""

from __future__ import annotations

import datetime
import re
import typing as t

from ..gpu import probe as gpu_probe
from ..host_files import Files
from ..processes import Processes, kibibytes
from . import allocation
from .files import KEYS, InstanceFiles
from .probe import Address, NoAnswer, ask
from .systemd import Systemd

_PROGRAM = "llama-server"
_SECONDS = 10.0
_SECRET = ("--api-key", "--hf-token", "-hft")
_HIDDEN = "VALUE_NOT_SHOWN"
_HEALTH = {200: "ok", 503: "loading"}
# Fewer tokens than these tell no rate
_LEAST_TOKENS = 64

_COUNTERS = {
    "prompt_tokens": "prompt_tokens_total",
    "prompt_seconds": "prompt_seconds_total",
    "decode_tokens": "tokens_predicted_total",
    "decode_seconds": "tokens_predicted_seconds_total",
}


class Server:
    """One instance of this host. `key` is used where the server asks for one; it is never returned."""

    def __init__(self, files: InstanceFiles, systemd: Systemd, key: str | None, host: Files | None = None) -> None:
        self._files = files
        self._systemd = systemd
        self._host = host or Files()
        self._key = key or self._installed_key()
        self.problems: list[str] = []

    def observe(self, timeout: float) -> dict[str, t.Any]:
        """Return what is to be seen; what cannot be read is None with an entry in `problems`. `timeout`: of GPU tools."""
        unit = self._systemd.show(self._files.unit_name)
        if not unit.runs:
            return {"unit": self._files.unit_name, "active": unit.active or "inactive", "running": False}
        pid = self.process() or unit.main_pid
        command = self.command(pid)
        address = address_of(command)
        status = self._status(address)
        props = self._page(address, "/props")
        models = self._page(address, "/v1/models")
        times = self._systemd.start_times(self._files.unit_name)
        seen = self._allocation(unit.invocation, times)
        held = self._held(pid, timeout)
        return {
            "measured_at": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "unit": self._files.unit_name,
            "active": unit.active,
            "running": True,
            "pid": pid,
            "restarts": unit.restarts,
            "url": address.url,
            "health": _HEALTH.get(status or 0, "error" if status else None),
            "command": hidden(command),
            **_described(props, models),
            "slots": _slots(self._page(address, "/slots")),
            "load_seconds": round(times[1] - times[0], 3) if times else None,
            "devices": seen.devices if seen else None,
            "host": seen.host if seen else None,
            **held,
            "rates": rates(self._metrics(address)),
        }

    def process(self) -> int | None:
        """Return the number of the server's own process, which in a container is not the one that systemd started."""
        for name in self._host.names("/proc"):
            if name.isdigit() and self._host.text("/proc", name, "comm") == _PROGRAM:
                words = self.command(int(name))
                if ("--alias", self._files.name) in zip(words, words[1:]):
                    return int(name)
        return None

    def command(self, pid: int) -> list[str]:
        """Return the words that a process was started with."""
        data = self._host.data("/proc", str(pid), "cmdline") or b""
        return [word.decode("utf-8", "replace") for word in data.split(b"\0")[:-1]]

    def _installed_key(self) -> str | None:
        lines = (self._host.text(KEYS, f"{self._files.name}.keys") or "").splitlines()
        return lines[0] if lines else None

    def _status(self, address: Address) -> int | None:
        try:
            return ask(address, "GET", "/health", None, None, _SECONDS)[0]
        except NoAnswer as problem:
            self.problems.append(f"the server {problem}")
            return None

    def _page(self, address: Address, path: str) -> t.Any:
        """Return a page of JSON, None where there is none; its absence by choice is no problem."""
        status, _text, value = self._get(address, path)
        if status == 401:
            self.problems.append(f"the server asks for a key to show {path}: give api_key, or run as root")
        return value if status == 200 else None

    def _metrics(self, address: Address) -> dict[str, float]:
        status, text, _value = self._get(address, "/metrics")
        if status == 501:
            self.problems.append("the server counts no rates: start it with the option metrics")
        return metrics(text) if status == 200 else {}

    def _get(self, address: Address, path: str) -> tuple[int, str, t.Any]:
        try:
            status, text, value = ask(address, "GET", path, None, self._key, _SECONDS)
        except NoAnswer:
            return 0, "", None
        return status, text, value

    def _allocation(self, invocation: str, times: tuple[float, float] | None) -> allocation.Allocation | None:
        if times is None:
            return None
        # Only what it printed while it loaded: a server may have been running for months
        window = (f"--since=@{int(times[0])}", f"--until=@{int(times[1]) + 1}")
        seen = allocation.read(self._systemd.log(self._files.unit_name, invocation, *window))
        if seen is None:
            self.problems.append("the log tells no buffer sizes: start the server with the option verbosity: 4")
        return seen

    def _held(self, pid: int, timeout: float) -> dict[str, t.Any]:
        """Return what the unit's processes hold on each GPU by the driver's count, and the most RAM that the server held."""
        reading = gpu_probe.read(self._host, timeout)
        processes = Processes(self._host)
        of_unit = {pid, *processes.of_unit(self._files.unit_name)}
        gpus = []
        for index, gpu in enumerate(reading.gpus):
            own = [entry["memory_bytes"] for entry in gpu["processes"] if entry["pid"] in of_unit]
            if own:
                gpus.append(
                    {
                        "index": index,
                        "uuid": gpu["uuid"],
                        "held_bytes": None if None in own else sum(own),
                        "clocks_limited_by": gpu["clocks_limited_by"],
                    }
                )
        status = self._host.table("/proc", str(pid), "status")
        return {
            "gpus": gpus,
            "driver": reading.driver.get("version"),
            "host_held_bytes": kibibytes(status.get("VmHWM")),
        }


def address_of(command: t.Sequence[str]) -> Address:
    """Return where a llama-server of this command listens."""
    options = dict(zip(command, command[1:]))
    port = options.get("--port", "8080")
    return Address(
        options.get("--host", "127.0.0.1"),
        int(port) if port.isdigit() else 8080,
        options.get("--api-prefix", ""),
        "--ssl-cert-file" in options,
    )


def hidden(command: t.Sequence[str]) -> list[str]:
    """Return the words of a command without what is secret."""
    shown = []
    secret = False
    for word in command:
        name, equals, _value = word.partition("=")
        shown.append(_HIDDEN if secret else f"{name}={_HIDDEN}" if equals and name in _SECRET else word)
        secret = word in _SECRET
    return shown


def metrics(text: str) -> dict[str, float]:
    """Return the values of a page in Prometheus' form by name, without labels and the name's prefix."""
    found = re.findall(r"^llamacpp:(\w+) ([0-9.eE+-]+)$", text, re.MULTILINE)
    return {name: float(value) for name, value in found}


def rates(counted: t.Mapping[str, float]) -> dict[str, t.Any] | None:
    """Return tokens and seconds of all requests since the start, and the rates of those that were enough to tell one."""
    if not counted:
        return None
    known = {name: counted.get(counter, 0.0) for name, counter in _COUNTERS.items()}
    return {
        **known,
        "prefill_tokens_per_second": _rate(known["prompt_tokens"], known["prompt_seconds"]),
        "decode_tokens_per_second": _rate(known["decode_tokens"], known["decode_seconds"]),
        "requests_processing": counted.get("requests_processing"),
        "requests_deferred": counted.get("requests_deferred"),
    }


def _rate(tokens: float, seconds: float) -> float | None:
    return round(tokens / seconds, 3) if tokens >= _LEAST_TOKENS and seconds > 0 else None


def _described(props: t.Any, models: t.Any) -> dict[str, t.Any]:
    """Return build and model of a server. Only what is named here is taken: pages may hold prompts and settings of users."""
    props = props if isinstance(props, dict) else {}
    entries = models.get("data") if isinstance(models, dict) else None
    first = entries[0] if isinstance(entries, list) and entries and isinstance(entries[0], dict) else {}
    found = first.get("meta")
    meta = found if isinstance(found, dict) else {}
    build = re.match(r"b(\d+)", str(props.get("build_info") or ""))
    return {
        "build": int(build[1]) if build else None,
        "model": {
            "path": props.get("model_path"),
            "alias": props.get("model_alias"),
            "type": props.get("model_ftype"),
            "parameters": meta.get("n_params"),
            "bytes": meta.get("size"),
            "trained_context": meta.get("n_ctx_train"),
        },
    }


def _slots(page: t.Any) -> list[dict[str, t.Any]] | None:
    if not isinstance(page, list):
        return None
    return [{key: slot.get(key) for key in ("id", "n_ctx", "is_processing")} for slot in page if isinstance(slot, dict)]
