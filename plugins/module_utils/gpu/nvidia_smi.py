# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""NVIDIA GPUs as nvidia-smi prints them, for hosts where the library cannot be loaded.

`nvidia-smi -q -x` has nearly everything, in MiB. What it lacks comes from the shortest other answer: the UUIDs of MIG
slices from `-L`, the compute capability from `--query-gpu`, NVLink from `topo -m`. Element names changed with drivers
470 to 610 only outside of what is read here; a value may be missing or a sentence at any place.
"""

from __future__ import annotations

import re
import typing as t
import xml.etree.ElementTree as ET

from . import nvidia_errors as errors
from .device import Device, bus_id, device, free_bytes, pci_id, pcie, process
from .mig import in_mig_mode_without_slices, slice_of
from .tools import excerpt

QUERY = ("-q", "-x")
LIST = ("-L",)
CAPABILITIES = ("--query-gpu=uuid,compute_cap", "--format=csv,noheader")
TOPOLOGY = ("topo", "-m")

_MIB = 2**20
_DEPTH_LIMIT = 32
_ELEMENTS_LIMIT = 200_000
_SKIPPED = frozenset({"supported_clocks", "ecc_errors", "accounted_processes", "vgpu_software_licensed_product"})
_UNSUPPORTED = re.compile(r"\[?(n/a|not supported|requested functionality has been deprecated)\]?$", re.IGNORECASE)
_GONE = (
    (re.compile(r"gpu is lost|err!", re.IGNORECASE), errors.GPU_IS_LOST),
    (re.compile(r"requires reset", re.IGNORECASE), errors.RESET_REQUIRED),
    (re.compile(r"unknown error", re.IGNORECASE), errors.UNKNOWN),
)
_VIRTUALIZATION = {
    "none": "none",
    "pass-through": "pass-through",
    "vgpu": "vgpu",
    "host vgpu": "host-vgpu",
    "host vsga": "host-vsga",
}
_CLOCK_LIMITS = {
    "power": ("sw_power_cap",),
    "hardware": ("hw_slowdown",),
    "thermal": ("sw_thermal_slowdown", "hw_thermal_slowdown"),
    "power-brake": ("hw_power_brake_slowdown",),
}
_COMPUTE_MODE = {
    "default": "default",
    "exclusive_thread": "exclusive-thread",
    "prohibited": "prohibited",
    "exclusive_process": "exclusive-process",
}
_LISTED_GPU = re.compile(r"GPU \d+: .*\(UUID: (\S+)\)")
_LISTED_SLICE = re.compile(r"\s+MIG (\S+)\s+Device\s+(\d+): \(UUID: (\S+)\)")
_NO_HANDLE = re.compile(r"Unable to determine the device handle for (?:GPU\s*)?(\S+?)[:.]?\s*:?\s+(.*)", re.IGNORECASE)


class Unreadable(Exception):
    """The output is not what nvidia-smi prints; the text is a predicate."""


class _Builder(ET.TreeBuilder):
    """A tree of what is needed, refusing what no nvidia-smi prints."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = self._elements = self._skipping = 0

    def start(self, tag: t.Any, attrs: t.Any) -> t.Any:
        self._depth += 1
        self._elements += 1
        if self._depth > _DEPTH_LIMIT or self._elements > _ELEMENTS_LIMIT:
            raise Unreadable("printed XML beyond all measure")
        if self._skipping or tag in _SKIPPED:
            self._skipping += 1
            return None
        return super().start(tag, attrs)

    def end(self, tag: t.Any) -> t.Any:
        self._depth -= 1
        if self._skipping:
            self._skipping -= 1
            return None
        return super().end(tag)

    def data(self, data: t.Any) -> None:
        if not self._skipping:
            super().data(data)


def parse(output: bytes, listing: str = "", capabilities: str = "", topology: str = "") -> dict[str, t.Any]:
    """Return `{error, driver, gpus, problems}` as nvml.read does, from the answers of QUERY, LIST, CAPABILITIES, TOPOLOGY.

    :raises Unreadable: `output` holds no nvidia-smi log.
    """
    root = _tree(output)
    problems = [
        f"GPU {found.group(1)} {errors.meaning(errors.UNKNOWN)}"
        for found in map(_NO_HANDLE.search, output[:4096].decode("utf-8", "replace").splitlines())
        if found
    ]
    attached = _number(root, "attached_gpus") or 0
    if attached > len(root.findall("gpu")):
        problems.append(
            f"nvidia-smi counts {attached} GPUs and tells of {len(root.findall('gpu'))}: see dmesg for NVRM lines"
        )
    cards: list[list[Device]] = []
    slices = _listed_slices(listing)
    capability = _capability_table(capabilities)
    for index, gpu in enumerate(root.findall("gpu")):
        gone = _gone(gpu)
        if gone is not None:
            problems.append(f"GPU {index} {errors.meaning(gone)}")
            cards.append([])
            continue
        uuid = _text(gpu, "uuid")
        cards.append(_card(gpu, index, capability.get(uuid or ""), slices.get(uuid or "", {})))
    _name_peers(cards, topology)
    return {
        "error": None,
        "driver": {"version": _text(root, "driver_version"), "cuda_version": _text(root, "cuda_version")},
        "gpus": [entry for card in cards for entry in card],
        "problems": problems,
    }


def has_slices(reading: dict[str, t.Any]) -> bool:
    """Say whether LIST has something to add."""
    return any(gpu["mig"] for gpu in reading["gpus"])


def _tree(output: bytes) -> ET.Element:
    start = output.find(b"<?xml")
    end = output.rfind(b"</nvidia_smi_log>")
    if start < 0 or end < 0:
        raise Unreadable(f"printed no XML but: {excerpt(output[:4096].decode('utf-8', 'replace')) or 'nothing'}")
    text = output[start : end + len(b"</nvidia_smi_log>")]
    if b"<!ENTITY" in text:
        raise Unreadable("printed XML with entities")
    parser = ET.XMLParser(target=_Builder())
    try:
        parser.feed(text)
        return parser.close()
    except ET.ParseError as error:
        raise Unreadable(f"printed broken XML (line {error.position[0]})") from error


def _clock_limits(gpu: ET.Element) -> list[str] | None:
    """Return what keeps the clocks low now; the element was renamed with driver 535."""
    for kind in ("event", "throttle"):
        reasons = gpu.find(f"clocks_{kind}_reasons")
        if reasons is not None:
            active = {each.tag.partition("_reason_")[2] for each in reasons if (each.text or "").strip() == "Active"}
            return [limit for limit, names in _CLOCK_LIMITS.items() if active.intersection(names)]
    return None


def _card(gpu: ET.Element, index: int, capability: str | None, slices: dict[int, tuple[str, str]]) -> list[Device]:
    """Return the devices of one card: itself, or its MIG slices."""
    link = "pci/pci_gpu_link_info/"
    entry = device(
        index=index,
        uuid=_text(gpu, "uuid"),
        name=_text(gpu, "product_name"),
        vendor="nvidia",
        pci_device_id=pci_id(_number(gpu, "pci/pci_device_id", base=16)),
        pci_bus_id=bus_id(_text(gpu, "pci/pci_bus_id") or gpu.get("id")),
        compute_capability=capability,
        ecc={"Enabled": True, "Disabled": False}.get(_text(gpu, "ecc_mode/current_ecc") or ""),
        virtualization=_VIRTUALIZATION.get((_text(gpu, "gpu_virtualization_mode/virtualization_mode") or "").lower()),
        compute_mode=_COMPUTE_MODE.get((_text(gpu, "compute_mode") or "").lower()),
        clocks_limited_by=_clock_limits(gpu),
        pcie=pcie(
            _number(gpu, link + "pcie_gen/current_link_gen"),
            _number(gpu, link + "link_widths/current_link_width"),
            _number(gpu, link + "pcie_gen/max_link_gen"),
            _number(gpu, link + "link_widths/max_link_width"),
        ),
        c2c={"Enabled": True, "Disabled": False}.get(_text(gpu, "c2c_mode") or ""),
        source="nvidia-smi",
    )
    entry = _with_memory(gpu, entry)
    processes = _processes(gpu)
    if _text(gpu, "mig_mode/current_mig") != "Enabled":
        return [dict(entry, processes=_entries(processes))]
    parts = []
    for part in gpu.findall("mig_devices/mig_device"):
        profile, uuid = slices.get(_number(part, "index") or 0, (None, None))
        owner = (_number(part, "gpu_instance_id"), _number(part, "compute_instance_id"))
        inside = [found for found in processes if (found.gpu_instance, found.compute_instance) == owner]
        parts.append(dict(_with_memory(part, slice_of(entry, uuid, profile)), processes=_entries(inside)))
    return parts or [in_mig_mode_without_slices(entry)]


def _with_memory(element: ET.Element, entry: Device) -> Device:
    total = _mebibytes(element, "fb_memory_usage/total")
    reserved = _mebibytes(element, "fb_memory_usage/reserved")
    used = _mebibytes(element, "fb_memory_usage/used")
    text = element.findtext("fb_memory_usage/total")
    # Only a GPU without memory of its own has no answer to this question (GB10, Jetson).
    unified = False if total else (True if text and _UNSUPPORTED.match(text.strip()) else None)
    return dict(
        entry,
        memory_total_bytes=total or None,
        memory_reserved_bytes=reserved,
        memory_free_bytes=free_bytes(total or None, reserved, used),
        unified_memory=unified,
    )


class _Found(t.NamedTuple):
    """A process on a card, and the slice it runs in."""

    pid: int
    memory_bytes: int | None
    gpu_instance: int | None
    compute_instance: int | None


def _processes(gpu: ET.Element) -> list[_Found]:
    """Return every process on a card, whichever slice it runs in."""
    found = []
    for info in gpu.findall("processes/process_info"):
        pid = _number(info, "pid")
        if pid:
            found.append(
                _Found(
                    pid,
                    _mebibytes(info, "used_memory"),
                    _number(info, "gpu_instance_id"),
                    _number(info, "compute_instance_id"),
                )
            )
    return found


def _entries(processes: list[_Found]) -> list[dict[str, t.Any]]:
    memory = {found.pid: found.memory_bytes for found in processes}
    return [process(pid, memory[pid]) for pid in sorted(memory)]


def _gone(gpu: ET.Element) -> int | None:
    """Return the error number of a card that is there no more: it says so in place of its name or memory."""
    for path in ("uuid", "product_name", "fb_memory_usage/total"):
        for pattern, number in _GONE:
            if pattern.search(gpu.findtext(path) or ""):
                return number
    return None


def _text(element: ET.Element, path: str) -> str | None:
    text = (element.findtext(path) or "").strip()
    return None if not text or _UNSUPPORTED.match(text) else text


def _number(element: ET.Element, path: str, base: int = 10) -> int | None:
    """Return the number that a text such as `16x` or `233010DE` begins with."""
    text = _text(element, path) or ""
    found = re.match(r"[0-9a-fA-F]{1,16}$" if base == 16 else r"\d{1,18}", text.removeprefix("0x"))
    return int(found.group(), base) if found else None


def _mebibytes(element: ET.Element, path: str) -> int | None:
    found = re.fullmatch(r"(\d{1,12}) MiB", _text(element, path) or "")
    return int(found.group(1)) * _MIB if found else None


def _listed_slices(listing: str) -> dict[str, dict[int, tuple[str, str]]]:
    """Return {UUID of the card: {number of the slice: (profile, UUID)}}."""
    cards: dict[str, dict[int, tuple[str, str]]] = {}
    current: dict[int, tuple[str, str]] = {}
    for line in listing.splitlines():
        card, part = _LISTED_GPU.match(line), _LISTED_SLICE.match(line)
        if card:
            current = cards.setdefault(card.group(1), {})
        elif part:
            current[int(part.group(2))] = (part.group(1), part.group(3))
    return cards


def _capability_table(capabilities: str) -> dict[str, str]:
    """Return {UUID: compute capability}; drivers before 510 do not know the field and print a sentence."""
    rows = (line.split(",") for line in capabilities.splitlines())
    return {row[0].strip(): row[1].strip() for row in rows if len(row) == 2 and re.fullmatch(r"\s*\d+\.\d+\s*", row[1])}


def _name_peers(cards: list[list[Device]], topology: str) -> None:
    """Set the UUIDs of the GPUs that NVLink reaches (NV1, NV2... in the matrix)."""
    rows = [re.sub(r"\x1b\[[0-9;]*m", "", line).split() for line in topology.splitlines()]
    header = next(([name for name in row if re.fullmatch(r"GPU\d+", name)] for row in rows if row[:1] == ["GPU0"]), [])
    whole = {card[0]["index"]: card[0] for card in cards if card and not card[0]["mig"]}
    for row in rows:
        found = re.fullmatch(r"GPU(\d+)", row[0]) if row else None
        if not found or len(row) <= len(header) or int(found.group(1)) not in whole or row[1:2] == ["GPU1"]:
            continue
        peers = [
            whole[int(name[3:])]["uuid"]
            for name, link in zip(header, row[1:])
            if re.fullmatch(r"NV\d+", link) and int(name[3:]) in whole
        ]
        whole[int(found.group(1))]["nvlink"] = peers or None
