# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""NVIDIA GPUs as the driver's own library (NVML, libnvidia-ml.so.1) tells them.

Called in a process of its own (see bounded.call): the library hangs or crashes with a broken driver. Structures are
those of NVIDIA's nvml.h; older drivers lack some functions, which are unknowns here, not errors.
"""

from __future__ import annotations

import contextlib
import ctypes
import typing as t

from . import nvidia_errors as errors
from .device import Device, bus_id, device, free_bytes, pci_id, pcie, process
from .mig import in_mig_mode_without_slices, share_of_bandwidth, slice_of

LIBRARIES = (
    "libnvidia-ml.so.1",
    "/usr/lib/wsl/lib/libnvidia-ml.so.1",
    "/run/opengl-driver/lib/libnvidia-ml.so.1",
    "/run/nvidia/driver/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1",
    "/home/kubernetes/bin/nvidia/lib64/libnvidia-ml.so.1",
)

_CLOCK_MEMORY = 2
_MIG_ENABLED = 1
_NVLINKS = 36
_NVLINK_TO_SWITCH = 2
_PROCESSES_LIMIT = 4096
_TEXT_BYTES = 96
_NOT_AVAILABLE = 2**64 - 1
VIRTUALIZATION = {0: "none", 1: "pass-through", 2: "vgpu", 3: "host-vgpu", 4: "host-vsga"}
# Bits of the reasons for which clocks are low, as far as they are a limit; an idle card has others.
_CLOCK_LIMITS = {"power": 0x4, "hardware": 0x8, "thermal": 0x20 | 0x40, "power-brake": 0x80}
COMPUTE_MODE = {0: "default", 1: "exclusive-thread", 2: "prohibited", 3: "exclusive-process"}


class _Pci(ctypes.Structure):
    _fields_ = [
        ("busIdLegacy", ctypes.c_char * 16),
        ("domain", ctypes.c_uint),
        ("bus", ctypes.c_uint),
        ("device", ctypes.c_uint),
        ("pciDeviceId", ctypes.c_uint),
        ("pciSubSystemId", ctypes.c_uint),
        ("busId", ctypes.c_char * 32),
    ]


class _Memory(ctypes.Structure):
    _fields_ = [("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong)]


class _MemoryV2(ctypes.Structure):
    _fields_ = [
        ("version", ctypes.c_uint),
        ("total", ctypes.c_ulonglong),
        ("reserved", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        ("used", ctypes.c_ulonglong),
    ]


class _ProcessV1(ctypes.Structure):
    _fields_ = [("pid", ctypes.c_uint), ("usedGpuMemory", ctypes.c_ulonglong)]


class _ProcessV2(ctypes.Structure):
    _fields_ = [
        ("pid", ctypes.c_uint),
        ("usedGpuMemory", ctypes.c_ulonglong),
        ("gpuInstanceId", ctypes.c_uint),
        ("computeInstanceId", ctypes.c_uint),
    ]


# The versions of the process lists, newest first, with their structure.
_PROCESS_VERSIONS = (("_v3", _ProcessV2), ("_v2", _ProcessV2), ("", _ProcessV1))


class NvmlError(Exception):
    """A function of the library returned an error number."""

    def __init__(self, number: int) -> None:
        super().__init__(f"NVML error {number}")
        self.number = number


class _Library:
    """The library, its functions by name."""

    def __init__(self, names: t.Iterable[str]) -> None:
        for name in names:
            try:
                self._library = ctypes.CDLL(name)
                return
            except OSError:
                continue
        raise NvmlError(errors.LIBRARY_NOT_FOUND)

    def call(self, name: str, *arguments: t.Any) -> None:
        """Call a function; :raises NvmlError: it says no, or is not there."""
        try:
            function = getattr(self._library, name)
        except AttributeError:
            raise NvmlError(errors.FUNCTION_NOT_FOUND) from None
        number = function(*arguments)
        if number:
            raise NvmlError(number)

    def knows(self, name: str, *arguments: t.Any) -> bool:
        """Call a function that may have no answer; :raises NvmlError: the GPU is gone."""
        try:
            self.call(name, *arguments)
        except NvmlError as error:
            if error.number in errors.GONE:
                raise
            return False
        return True

    def text(self, name: str, *handle: t.Any) -> str | None:
        """Return what a function writes into a text buffer, None when it has no answer."""
        buffer = ctypes.create_string_buffer(_TEXT_BYTES)
        known = self.knows(name, *handle, buffer, ctypes.c_uint(_TEXT_BYTES))
        return buffer.value.decode("utf-8", "replace") or None if known else None

    def number(self, name: str, *arguments: t.Any, kind: t.Any = ctypes.c_uint) -> int | None:
        """Return what a function writes into a number, None when it has no answer."""
        number = kind()
        return int(number.value) if self.knows(name, *arguments, ctypes.byref(number)) else None

    def flag(self, name: str, *arguments: t.Any) -> bool | None:
        """Return what a function writes into a boolean, None when it has no answer."""
        number = self.number(name, *arguments)
        return None if number is None else bool(number)

    def word(
        self, words: dict[int, str], name: str, handle: ctypes.c_void_p, kind: t.Any = ctypes.c_uint
    ) -> str | None:
        """Return what a function writes into an enumeration, None when it has no answer or one without a word."""
        number = self.number(name, handle, kind=kind)
        return None if number is None else words.get(number)


def read(libraries: t.Sequence[str]) -> dict[str, t.Any]:
    """Return `{error, driver: {version, cuda_version, library_version}, gpus, problems}`.

    `library_version` is there only when it does not fit the driver. `error` is an NVML number when the library cannot serve at all, else None.
    """
    reading: dict[str, t.Any] = {"error": None, "driver": {}, "gpus": [], "problems": []}
    try:
        library = _Library(libraries)
    except NvmlError as error:
        reading["error"] = error.number
        return reading
    try:
        library.call("nvmlInit_v2")
    except NvmlError as error:
        reading["error"] = error.number
        if error.number == errors.LIB_RM_VERSION_MISMATCH:
            reading["driver"]["library_version"] = library.text("nvmlSystemGetNVMLVersion")
        return reading
    try:
        reading["driver"] = {
            "version": library.text("nvmlSystemGetDriverVersion"),
            "cuda_version": _cuda_version(library.number("nvmlSystemGetCudaDriverVersion_v2", kind=ctypes.c_int)),
        }
        for index in range(library.number("nvmlDeviceGetCount_v2") or 0):
            try:
                reading["gpus"] += _card(library, index)
            except NvmlError as error:
                reading["problems"].append(f"GPU {index} {errors.meaning(error.number)}")
    except NvmlError as error:
        reading["error"] = error.number
    finally:
        with contextlib.suppress(NvmlError):
            library.call("nvmlShutdown")
    _name_peers(reading["gpus"])
    return reading


def _cuda_version(number: int | None) -> str | None:
    """Return 12.4 from 12040."""
    return f"{number // 1000}.{number % 1000 // 10}" if number else None


def _card(library: _Library, index: int) -> list[Device]:
    """Return the devices of one card: itself, or its MIG slices."""
    handle = ctypes.c_void_p()
    library.call("nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(index), ctypes.byref(handle))
    pci = _Pci()
    has_pci = library.knows("nvmlDeviceGetPciInfo_v3", handle, ctypes.byref(pci))
    card = device(
        index=index,
        uuid=library.text("nvmlDeviceGetUUID", handle),
        name=library.text("nvmlDeviceGetName", handle),
        vendor="nvidia",
        pci_device_id=pci_id(pci.pciDeviceId) if has_pci else None,
        pci_bus_id=bus_id(pci.busId.decode("ascii", "replace")) if has_pci else None,
        compute_capability=_capability(library, handle),
        bandwidth_bytes_per_second=_bandwidth(library, handle),
        ecc=_pair(library, "nvmlDeviceGetEccMode", handle),
        virtualization=library.word(VIRTUALIZATION, "nvmlDeviceGetVirtualizationMode", handle, ctypes.c_ulonglong),
        compute_mode=library.word(COMPUTE_MODE, "nvmlDeviceGetComputeMode", handle),
        clocks_limited_by=_clock_limits(library, handle),
        pcie=pcie(
            *(
                library.number("nvmlDeviceGet" + what, handle)
                for what in ("CurrPcieLinkGeneration", "CurrPcieLinkWidth", "MaxPcieLinkGeneration", "MaxPcieLinkWidth")
            )
        ),
        nvlink=_nvlink(library, handle),
        c2c=library.flag("nvmlDeviceGetC2cModeInfoV", handle),
        source="nvml",
    )
    if _pair(library, "nvmlDeviceGetMigMode", handle):
        return _slices(library, handle, card) or [in_mig_mode_without_slices(_with_memory(library, handle, card))]
    return [_with_memory(library, handle, card)]


def _slices(library: _Library, handle: ctypes.c_void_p, card: Device) -> list[Device]:
    """Return the MIG slices of a card in the order of nvidia-smi -L."""
    card = _with_memory(library, handle, card)
    slices = []
    for number in range(library.number("nvmlDeviceGetMaxMigDeviceCount", handle) or 0):
        part = ctypes.c_void_p()
        place = ctypes.c_uint(number)
        if not library.knows("nvmlDeviceGetMigDeviceHandleByIndex", handle, place, ctypes.byref(part)):
            continue  # places without a slice answer "not found"
        name = library.text("nvmlDeviceGetName", part) or ""
        profile = name.rpartition("MIG ")[2].strip() if "MIG " in name else None
        entry = _with_memory(library, part, slice_of(card, library.text("nvmlDeviceGetUUID", part), profile))
        slices.append(dict(entry, bandwidth_bytes_per_second=share_of_bandwidth(card, entry["memory_total_bytes"])))
    return slices


def _with_memory(library: _Library, handle: ctypes.c_void_p, entry: Device) -> Device:
    """Return a card or slice with its memory and the processes that hold some."""
    total = reserved = used = None
    unified: bool | None = False
    try:
        total, reserved, used = _memory(library, handle)
    except NvmlError as error:
        if error.number in errors.GONE or error.number == errors.UNKNOWN:
            raise
        # Only a GPU without memory of its own has no answer to this question (GB10, Jetson).
        unified = True if error.number == errors.NOT_SUPPORTED else None
    return dict(
        entry,
        memory_total_bytes=total,
        memory_reserved_bytes=reserved,
        memory_free_bytes=free_bytes(total, reserved, used),
        unified_memory=unified,
        processes=_processes(library, handle),
    )


def _memory(library: _Library, handle: ctypes.c_void_p) -> tuple[int | None, int | None, int]:
    """Return (total, reserved, used) bytes; drivers before 510 tell what is reserved as used."""
    memory = _MemoryV2(version=ctypes.sizeof(_MemoryV2) | 2 << 24)
    if library.knows("nvmlDeviceGetMemoryInfo_v2", handle, ctypes.byref(memory)):
        return memory.total or None, memory.reserved, memory.used
    older = _Memory()
    library.call("nvmlDeviceGetMemoryInfo", handle, ctypes.byref(older))
    return older.total or None, None, older.used


def _processes(library: _Library, handle: ctypes.c_void_p) -> list[dict[str, t.Any]]:
    """Return the processes with a context on a device; one that computes and draws is in two lists, and one entry."""
    found: dict[int, int | None] = {}
    for kind in ("Compute", "Graphics", "MPSCompute"):
        for entry in _process_list(library, handle, f"nvmlDeviceGet{kind}RunningProcesses"):
            used = entry.usedGpuMemory
            found[entry.pid] = None if used == _NOT_AVAILABLE else max(used, found.get(entry.pid) or 0)
    return [process(pid, found[pid]) for pid in sorted(found)]


def _process_list(library: _Library, handle: ctypes.c_void_p, name: str) -> list[t.Any]:
    for suffix, structure in _PROCESS_VERSIONS:
        size = 0
        for _attempt in range(4):  # processes come and go between asking for the number and the list
            count, entries = ctypes.c_uint(size), (structure * size)()
            try:
                library.call(name + suffix, handle, ctypes.byref(count), entries if size else None)
                return list(entries[: min(count.value, size)])
            except NvmlError as error:
                if error.number in errors.GONE:
                    raise
                if error.number == errors.FUNCTION_NOT_FOUND:
                    break
                if error.number != errors.INSUFFICIENT_SIZE:
                    return []
                size = min(count.value * 2 + 8, _PROCESSES_LIMIT)
        else:
            return []
    return []


def _capability(library: _Library, handle: ctypes.c_void_p) -> str | None:
    major, minor = ctypes.c_int(), ctypes.c_int()
    known = library.knows("nvmlDeviceGetCudaComputeCapability", handle, ctypes.byref(major), ctypes.byref(minor))
    return f"{major.value}.{minor.value}" if known else None


def _bandwidth(library: _Library, handle: ctypes.c_void_p) -> int | None:
    """Return bytes per second: bus width times the highest memory clock, two transfers a clock.

    H100: 5120 bit x 2619 MHz = 3,352 GB/s, RTX 3090: 384 bit x 9751 MHz = 936 GB/s, as in NVIDIA's data sheets.
    """
    width = library.number("nvmlDeviceGetMemoryBusWidth", handle)
    megahertz = library.number("nvmlDeviceGetMaxClockInfo", handle, ctypes.c_uint(_CLOCK_MEMORY))
    return width * megahertz * 1_000_000 * 2 // 8 if width and megahertz else None


def _clock_limits(library: _Library, handle: ctypes.c_void_p) -> list[str] | None:
    """Return what keeps the clocks low now; the function was renamed with driver 535."""
    for name in ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"):
        reasons = library.number(name, handle, kind=ctypes.c_ulonglong)
        if reasons is not None:
            return [limit for limit, bits in _CLOCK_LIMITS.items() if reasons & bits]
    return None


def _pair(library: _Library, name: str, handle: ctypes.c_void_p) -> bool | None:
    """Return the current one of a current and a pending mode."""
    current, pending = ctypes.c_uint(), ctypes.c_uint()
    known = library.knows(name, handle, ctypes.byref(current), ctypes.byref(pending))
    return bool(current.value) if known else None


def _nvlink(library: _Library, handle: ctypes.c_void_p) -> list[str] | None:
    """Return what the active NVLinks lead to: PCI addresses of GPUs, or "switch"; None where there are none."""
    peers = set()
    for number in range(_NVLINKS):
        link, pci = ctypes.c_uint(number), _Pci()
        active = library.flag("nvmlDeviceGetNvLinkState", handle, link)
        if active is None:
            break
        if not active:
            continue
        if library.number("nvmlDeviceGetNvLinkRemoteDeviceType", handle, link) == _NVLINK_TO_SWITCH:
            peers.add("switch")
        elif library.knows("nvmlDeviceGetNvLinkRemotePciInfo_v2", handle, link, ctypes.byref(pci)):
            peers.add(bus_id(pci.busId.decode("ascii", "replace")) or "")
    return sorted(peers) or None


def _name_peers(gpus: list[Device]) -> None:
    """Turn the ends of NVLinks into UUIDs: every GPU at the switch reaches every other one there."""
    ends = {gpu["uuid"]: set(gpu["nvlink"] or []) for gpu in gpus}
    for gpu in gpus:
        mine = ends[gpu["uuid"]]
        gpu["nvlink"] = [
            other["uuid"]
            for other in gpus
            if other is not gpu and (other["pci_bus_id"] in mine or "switch" in mine & ends[other["uuid"]])
        ] or None
