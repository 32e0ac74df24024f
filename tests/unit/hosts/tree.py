# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A folder that stands in for the root of a host: what the kernel would show in /proc and /sys."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.prositronic.infra.plugins.module_utils.host_files import Files

GIB = 2**30


class Tree:
    """Files of a host below `root`, made on demand."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def files(self) -> Files:
        return Files(str(self.root))

    def write(self, path: str, text: str | bytes) -> Path:
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text if isinstance(text, bytes) else text.encode())
        return place

    def write_all(self, folder: str, **files: object) -> None:
        for name, text in files.items():
            self.write(f"{folder}/{name}", f"{text}\n")

    def memory(self, total: int, available: int, **more: str) -> None:
        lines = {"MemTotal": f"{total // 1024} kB", "MemAvailable": f"{available // 1024} kB", **more}
        self.write("/proc/meminfo", "".join(f"{key}:       {value}\n" for key, value in lines.items()))

    def node(self, number: int, total: int, free: int, cpus: str) -> None:
        path = f"/sys/devices/system/node/node{number}"
        self.write(f"{path}/cpulist", cpus + "\n")
        self.write(
            f"{path}/meminfo",
            f"Node {number} MemTotal:  {total // 1024} kB\nNode {number} MemFree:   {free // 1024} kB\n",
        )

    def cpu(self, number: int, socket: int, siblings: str) -> None:
        topology = f"/sys/devices/system/cpu/cpu{number}/topology"
        self.write_all(topology, physical_package_id=socket, thread_siblings_list=siblings, core_cpus_list=siblings)

    def pci(
        self, address: str, vendor: int, device: int, driver: str | None, base_class: int = 0x030200, **files: object
    ):
        """A card on the bus; its folder lies, as in sysfs, in that of the bridge it hangs on."""
        real = self.root / f"sys/devices/pci0000:00/0000:00:01.0/{address}"
        real.mkdir(parents=True, exist_ok=True)
        bus = self.root / "sys/bus/pci/devices"
        bus.mkdir(parents=True, exist_ok=True)
        for name, target in ((address, real), ("0000:00:01.0", real.parent)):
            if not (bus / name).is_symlink():
                (bus / name).symlink_to(target)
        folder = f"/sys/bus/pci/devices/{address}"
        self.write_all(folder, vendor=hex(vendor), device=hex(device), **{"class": hex(base_class)}, **files)
        if driver:
            (self.root / "sys/drivers").mkdir(exist_ok=True)
            (real / "driver").symlink_to(self.root / "sys/drivers" / driver)
        return folder

    def process(self, pid: int, name: str, cgroup: str, **status: str) -> None:
        self.write(f"/proc/{pid}/comm", name + "\n")
        self.write(f"/proc/{pid}/cgroup", cgroup)
        self.write(f"/proc/{pid}/status", "".join(f"{key}:\t{value}\n" for key, value in status.items()))
