# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""NVIDIA machines for tests: one description, told by a stand-in library (nvml.c) and by a stand-in nvidia-smi.

Everything here is made up. The stand-ins answer what the real ones would, in their form.
"""

from __future__ import annotations

import dataclasses
import functools
import shutil
import subprocess
import tempfile
import typing as t
from pathlib import Path

import pytest

MIB = 2**20
NOT_SUPPORTED, LOST = 3, 15


@dataclasses.dataclass
class Process:
    pid: int
    mib: int | None
    gpu_instance: int | None = None
    compute_instance: int | None = None
    kind: str = "C"


@dataclasses.dataclass
class Slice:
    uuid: str
    profile: str
    total: int
    used: int
    gpu_instance: int
    compute_instance: int = 0


@dataclasses.dataclass
class Gpu:
    """A card; memory in MiB. `total` None is a card without memory of its own, `error` one that does not answer."""

    uuid: str = "GPU-00000000-1111-2222-3333-444444444444"
    name: str = "NVIDIA Example 24GB"
    bus: str = "00000000:01:00.0"
    pci_id: int = 0x268410DE
    total: int | None = 24576
    reserved: int | None = 450
    used: int = 10
    capability: str = "8.9"
    ecc: bool | None = None
    mig: bool | None = None
    slices: list[Slice] = dataclasses.field(default_factory=list)
    virtualization: int = 0
    compute_mode: int = 0
    clock_reasons: tuple[str, ...] | None = None
    generation: int = 1
    width: int = 16
    maximum_generation: int = 4
    maximum_width: int = 16
    c2c: bool | None = None
    bus_width: int = 384
    memory_clock: int = 10501
    links: list[str] = dataclasses.field(default_factory=list)  # what each NVLink leads to: an address, or "switch"
    processes: list[Process] = dataclasses.field(default_factory=list)
    error: int | None = None


VIRTUALIZATION = ("None", "Pass-Through", "VGPU", "Host VGPU", "Host VSGA")
COMPUTE_MODE = ("Default", "Exclusive_Thread", "Prohibited", "Exclusive_Process")

# Bits of nvmlDeviceGetCurrentClocksEventReasons, by what nvidia-smi calls them
CLOCK_REASONS = {
    "gpu_idle": 0x1,
    "sw_power_cap": 0x4,
    "hw_slowdown": 0x8,
    "sw_thermal_slowdown": 0x20,
    "hw_thermal_slowdown": 0x40,
    "hw_power_brake_slowdown": 0x80,
}


@dataclasses.dataclass
class Machine:
    gpus: list[Gpu]
    driver: str = "580.95.05"
    cuda: int = 13000

    # The library

    def answers(self) -> str:
        """What nvml.c reads: a line per answer, `DEVICE QUESTION VALUE`; `!N` is error N, no line is "not supported"."""
        lines = [f"- driver {self.driver}", f"- cuda {self.cuda}", f"- count {len(self.gpus)}"]
        for index, gpu in enumerate(self.gpus):
            lines += [f"{index} {question} {value}" for question, value in self._answers(gpu) if value is not None]
            for place, part in enumerate(gpu.slices):
                device = f"{index}.{place}"
                own = [p for p in gpu.processes if (p.gpu_instance, p.compute_instance) == (part.gpu_instance, 0)]
                lines += [
                    f"{device} uuid {part.uuid}",
                    f"{device} name {gpu.name} MIG {part.profile}",
                    f"{device} memory {part.total * MIB} 0 {part.used * MIB}",
                    *(f"{device} process {p.pid} {_bytes(p.mib)}" for p in own),
                ]
        return "\n".join(lines) + "\n"

    @staticmethod
    def _answers(gpu: Gpu) -> list[tuple[str, object]]:
        if gpu.error is not None:
            return [("handle", f"!{gpu.error}")]
        answers: list[tuple[str, object]] = [
            ("uuid", gpu.uuid),
            ("name", gpu.name),
            ("pci", f"{gpu.bus} {gpu.pci_id}"),
            ("capability", gpu.capability.replace(".", " ")),
            ("ecc", None if gpu.ecc is None else int(gpu.ecc)),
            ("mig", None if gpu.mig is None else int(gpu.mig)),
            ("slices", len(gpu.slices) + 3 if gpu.mig else None),  # more places than slices, as on a real card
            ("virtualization", gpu.virtualization),
            ("compute_mode", gpu.compute_mode),
            ("clock_reasons", None if gpu.clock_reasons is None else sum(CLOCK_REASONS[r] for r in gpu.clock_reasons)),
            ("generation", gpu.generation),
            ("width", gpu.width),
            ("maximum_generation", gpu.maximum_generation),
            ("maximum_width", gpu.maximum_width),
            ("c2c", None if gpu.c2c is None else int(gpu.c2c)),
            ("bus_width", gpu.bus_width),
            ("memory_clock", gpu.memory_clock),
            ("links", len(gpu.links) or None),
        ]
        if gpu.total is not None:
            answers.append(("memory", f"{gpu.total * MIB} {(gpu.reserved or 0) * MIB} {gpu.used * MIB}"))
        answers += [("link", link) for link in gpu.links]
        if not gpu.slices:
            answers += [
                ({"C": "process", "G": "graphics"}[kind], f"{p.pid} {_bytes(p.mib)}")
                for p in gpu.processes
                for kind in p.kind.split("+")
            ]
        return answers

    # nvidia-smi

    def xml(self, old: bool = False) -> str:
        """`nvidia-smi -q -x`; `old` without what driver 470 does not print."""
        alive = [gpu for gpu in self.gpus if gpu.error is None]
        return (
            '<?xml version="1.0" ?>\n<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">\n<nvidia_smi_log>\n'
            f"<timestamp>Sat Nov 21 12:00:00 2026</timestamp>\n<driver_version>{self.driver}</driver_version>\n"
            f"<cuda_version>{self.cuda // 1000}.{self.cuda % 1000 // 10}</cuda_version>\n"
            f"<attached_gpus>{len(alive)}</attached_gpus>\n"
            + "".join(self._gpu(gpu, old) for gpu in self.gpus)
            + "</nvidia_smi_log>\n"
        )

    @staticmethod
    def _gpu(gpu: Gpu, old: bool) -> str:
        if gpu.error is not None:
            return f'<gpu id="{gpu.bus}"><product_name>GPU is lost</product_name><uuid>GPU is lost</uuid></gpu>\n'
        inside = "".join(
            f"<process_info><gpu_instance_id>{_na(p.gpu_instance)}</gpu_instance_id>"
            f"<compute_instance_id>{_na(p.compute_instance)}</compute_instance_id><pid>{p.pid}</pid>"
            f"<type>{p.kind}</type><process_name>/opt/x</process_name>"
            f"<used_memory>{_mib(p.mib)}</used_memory></process_info>"
            for p in gpu.processes
        )
        slices = "".join(
            f"<mig_device><index>{place}</index><gpu_instance_id>{part.gpu_instance}</gpu_instance_id>"
            f"<compute_instance_id>{part.compute_instance}</compute_instance_id>"
            + _memory(part.total, 0, part.used, old)
            + "</mig_device>"
            for place, part in enumerate(gpu.slices)
        )
        return f"""<gpu id="{gpu.bus}">
<product_name>{gpu.name}</product_name>
<display_mode>Requested functionality has been deprecated</display_mode>
<mig_mode><current_mig>{_switch(gpu.mig)}</current_mig><pending_mig>{_switch(gpu.mig)}</pending_mig></mig_mode>
<mig_devices>{slices or "None"}</mig_devices>
<uuid>{gpu.uuid}</uuid>
{"" if old else f"<c2c_mode>{_switch(gpu.c2c)}</c2c_mode>"}
<gpu_virtualization_mode><virtualization_mode>{VIRTUALIZATION[gpu.virtualization]}</virtualization_mode>
</gpu_virtualization_mode>
<pci><pci_device_id>{gpu.pci_id:08X}</pci_device_id><pci_bus_id>{gpu.bus}</pci_bus_id><pci_gpu_link_info>
<pcie_gen><max_link_gen>{gpu.maximum_generation}</max_link_gen><current_link_gen>{gpu.generation}</current_link_gen></pcie_gen>
<link_widths><max_link_width>{gpu.maximum_width}x</max_link_width>
<current_link_width>{gpu.width}x</current_link_width></link_widths></pci_gpu_link_info></pci>
{_memory(gpu.total, gpu.reserved, gpu.used, old)}
<compute_mode>{COMPUTE_MODE[gpu.compute_mode]}</compute_mode>
{_clock_reasons(gpu.clock_reasons, old)}
<ecc_mode><current_ecc>{_switch(gpu.ecc)}</current_ecc><pending_ecc>{_switch(gpu.ecc)}</pending_ecc></ecc_mode>
<supported_clocks><supported_mem_clock><value>1 MHz</value></supported_mem_clock></supported_clocks>
<processes>{inside}</processes>
</gpu>
"""

    def listing(self) -> str:
        """`nvidia-smi -L`."""
        lines = []
        for index, gpu in enumerate(self.gpus):
            lines.append(f"GPU {index}: {gpu.name} (UUID: {gpu.uuid})")
            lines += [
                f"  MIG {part.profile:<11} Device {place:>2}: (UUID: {part.uuid})"
                for place, part in enumerate(gpu.slices)
            ]
        return "\n".join(lines) + "\n"

    def capabilities(self) -> str:
        """`nvidia-smi --query-gpu=uuid,compute_cap --format=csv,noheader`."""
        return "".join(f"{gpu.uuid}, {gpu.capability}\n" for gpu in self.gpus if gpu.error is None)

    def topology(self) -> str:
        """`nvidia-smi topo -m`, its header underlined."""
        names = [f"GPU{index}" for index in range(len(self.gpus))]
        rows = ["\t\x1b[4m" + "\t".join(names) + "\tNIC0\tCPU Affinity\tNUMA Affinity\tGPU NUMA ID\x1b[0m"]
        for index, gpu in enumerate(self.gpus):
            cells = []
            for other in self.gpus:
                count = gpu.links.count(other.bus) or (gpu.links.count("switch") if "switch" in other.links else 0)
                cells.append(" X " if other is gpu else f"NV{count}" if count else "SYS")
            rows.append(f"GPU{index}\t" + "\t".join(cells) + "\tPIX\t0-31\t0\t\tN/A")
        return "\n".join([*rows, "NIC0\t" + "PIX\t" * len(names) + " X", "", "Legend:", "", "  X    = Self"]) + "\n"

    def nvidia_smi(self, folder: Path, old: bool = False) -> Path:
        """Write a stand-in nvidia-smi that answers for this machine; return the folder it is in."""
        capability = (
            'echo "Field \\"compute_cap\\" is not a valid field to query."; exit 2' if old else "cat capabilities"
        )
        for name, text in (
            ("q.xml", self.xml(old)),
            ("listing", self.listing()),
            ("capabilities", self.capabilities()),
            ("topology", self.topology()),
        ):
            (folder / name).write_text(text)
        return tool(
            folder,
            "nvidia-smi",
            f"""cd {folder}
case "$*" in
"-q -x") cat q.xml ;;
"-L") cat listing ;;
"--query-gpu=uuid,compute_cap --format=csv,noheader") {capability} ;;
"topo -m") cat topology ;;
*) echo "not asked for by anything: $*" >&2; exit 2 ;;
esac
""",
        )


def tool(folder: Path, name: str, script: str) -> Path:
    """Write a tool as a shell script; return its folder, for PATH."""
    place = folder / name
    place.write_text("#!/bin/sh\n" + script)
    place.chmod(0o755)
    return folder


@functools.cache
def _compiler() -> str | None:
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


@functools.cache
def _library(flags: tuple[str, ...]) -> Path:
    place = Path(tempfile.mkdtemp(prefix="nvml-stand-in-")) / "libnvidia-ml.so.1"
    source = Path(__file__).with_name("nvml.c")
    subprocess.run([str(_compiler()), "-shared", "-fPIC", "-Wall", "-Werror", *flags, "-o", place, source], check=True)
    return place


def library(monkeypatch: pytest.MonkeyPatch, folder: Path, answers: str, *flags: str) -> str:
    """Return a stand-in library that gives `answers`, compiled here; without a compiler the test says that it did not run."""
    if _compiler() is None:
        pytest.skip("no C compiler (cc, gcc or clang) to build the stand-in for NVIDIA's library with")
    (folder / "answers").write_text(answers)
    monkeypatch.setenv("NVML_STAND_IN", str(folder / "answers"))
    return str(_library(flags))


def _bytes(mib: int | None) -> int:
    return 2**64 - 1 if mib is None else mib * MIB


def _na(number: int | None) -> t.Any:
    return "N/A" if number is None else number


def _mib(number: int | None) -> str:
    return "N/A" if number is None else f"{number} MiB"


def _switch(value: bool | None) -> str:
    return "N/A" if value is None else "Enabled" if value else "Disabled"


def _clock_reasons(reasons: tuple[str, ...] | None, old: bool) -> str:
    if reasons is None:
        return ""
    kind = "throttle" if old else "event"
    lines = "".join(
        f"<clocks_{kind}_reason_{name}>{'Active' if name in reasons else 'Not Active'}</clocks_{kind}_reason_{name}>"
        for name in CLOCK_REASONS
    )
    return f"<clocks_{kind}_reasons>{lines}</clocks_{kind}_reasons>"


def _memory(total: int | None, reserved: int | None, used: int, old: bool) -> str:
    if total is None:
        return "<fb_memory_usage><total>N/A</total><reserved>N/A</reserved><used>N/A</used><free>N/A</free></fb_memory_usage>"
    if old:  # counts what is reserved as used
        used, reserved = used + (reserved or 0), 0
    line = "" if old else f"<reserved>{reserved} MiB</reserved>"
    return (
        f"<fb_memory_usage><total>{total} MiB</total>{line}<used>{used} MiB</used>"
        f"<free>{total - (reserved or 0) - used} MiB</free></fb_memory_usage>"
    )
