# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host of the lab: a machine that boots systemd, with a disk, a network and a cgroup of its own."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import signal
import subprocess
import tarfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import cgroups
from .errors import CommandFailed, LabError, TimedOut
from .image import OPERATOR, Image, hold
from .keeper import BRIDGE, GATEWAY, NETWORK_BITS

if TYPE_CHECKING:
    from .laboratory import Lab

GIB = 1 << 30
POLL_SECONDS = 0.05
REBOOT = 133  # systemd-nspawn's exit code when its guest asks for a reboot

# In the lab's namespaces: disk, root file system and network of one host.
PREPARE = f"""
folder=$1 lower=$2 link=$3 address=$4
mkdir -p "$folder/disk" "$folder/root"
mount -o loop,noatime "$folder/disk.img" "$folder/disk"
mkdir -p "$folder/disk/upper" "$folder/disk/work" "$folder/disk/volumes"
mount -t overlay overlay \\
    -o "lowerdir=$lower,upperdir=$folder/disk/upper,workdir=$folder/disk/work" "$folder/root"
: > "$folder/network"
unshare --net="$folder/network" ip link set lo up
ip link add "$link" type veth peer name host0 netns "$folder/network"
ip link set "$link" master {BRIDGE} up
nsenter --net="$folder/network" sh -euc '
    ip addr add "$0/{NETWORK_BITS}" dev host0; ip link set host0 up; ip route add default via {GATEWAY}
' "$address"
"""

FORGET = """
folder=$1 link=$2
umount -l "$folder/root" "$folder/disk" "$folder/network"
ip link del "$link" 2>/dev/null || true
"""

# A guest that reboots ends its systemd-nspawn with 133. Without SYSTEMD_NSPAWN_UNIFIED_HIERARCHY systemd 258 and newer
# refuse to boot where the controller has cgroup v1.
BOOT = f"""
network=$1; shift
for cgroup in $LAB_CGROUPS; do echo 0 > "$cgroup/cgroup.procs"; done
while :; do
    set +e
    SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 SYSTEMD_NSPAWN_API_VFS_WRITABLE=network SYSTEMD_LOG_LEVEL=warning \\
        systemd-nspawn --network-namespace-path="$network" "$@"
    [ $? -eq {REBOOT} ] || break
done
"""

NSPAWN_OPTIONS = (
    "--quiet",
    "--boot",
    "--register=no",
    "--keep-unit",
    "--link-journal=no",
    "--resolv-conf=off",
    "--timezone=off",
    "--console=read-only",
    "--capability=CAP_NET_ADMIN,CAP_NET_RAW,CAP_SYS_ADMIN,CAP_BPF,CAP_PERFMON",
    "--system-call-filter=add_key keyctl bpf",
)
CLEAN_ENVIRONMENT = (
    "/usr/bin/env",
    "--ignore-environment",
    "--chdir=/",
    "HOME=/root",
    "LANG=C.UTF-8",
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
)
# Forks into the host's pid namespace and waits outside of it. nsenter's own fork would stop itself together with its child,
# for good, when a host that shuts down stops all its processes before it kills them.
WAITING_SHELL = ("/bin/sh", "-c", '"$@"; exit $?', "lab")


@dataclass(frozen=True)
class Machine:
    """What a test asks for.

    name: how the inventory calls the host.
    suite: bookworm, trixie or forky.
    packages: Debian packages that are there from the start (a cached layer of the image, not an install at every boot).
    run: shell lines run in that layer after its packages.
    volumes: folders that are plain ones of the host's disk instead of overlayfs, as container engines need for
        /var/lib/docker, /var/lib/containerd and /var/lib/containers.
    shared: folders of this machine that the host sees read-only: {path in the host: path here}.
    disk_bytes: size of the disk that holds everything the host writes; a hole until it does.
    """

    name: str
    suite: str = "trixie"
    packages: tuple[str, ...] | list[str] = ()
    run: tuple[str, ...] | list[str] = ()
    volumes: tuple[str, ...] | list[str] = ()
    shared: tuple[tuple[str, str], ...] = ()
    disk_bytes: int = 8 * GIB

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?", self.name):
            raise LabError(f"{self.name!r} is no host name (small letters, digits and dashes, 32 at most)")
        if not 64 << 20 <= self.disk_bytes <= 1 << 40:
            raise LabError(f"disk_bytes of {self.name} is {self.disk_bytes}, it has to be from 64 MiB to 1 TiB")
        _ = self.image  # refuses an unknown suite and bad package names
        for folder in (*self.volumes, *(inside for inside, _here in self.shared)):
            if not folder.startswith("/") or ":" in folder:
                raise LabError(f"{folder!r} of {self.name} is no absolute path without a colon")

    @property
    def image(self) -> Image:
        return Image(self.suite, tuple(self.packages), tuple(self.run))


@dataclass(frozen=True)
class Completed:
    """What a command on a host did."""

    exit_code: int
    stdout: str
    stderr: str


class Host:
    """A host of a running lab. Made by `Lab.boot`; every method works on the running host unless it says otherwise."""

    def __init__(self, lab: Lab, machine: Machine, number: int) -> None:
        self.lab = lab
        self.machine = machine
        self.name = machine.name
        self.address = f"10.97.{1 + number // 250}.{1 + number % 250}"
        self.folder = lab.state / "hosts" / machine.name
        self._link = f"h{number}"
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._cgroups: list[Path] = []
        self._held: list[int] = []
        self._boots = 0

    # --- life -----------------------------------------------------------------------------------------------------

    def create(self) -> None:
        """Give the host a fresh disk and network; it is powered off then."""
        lower = self.machine.image.lower_folders()
        self._held = [hold(folder) for folder in lower]
        self.folder.mkdir(parents=True, exist_ok=True)  # a reset host keeps its snapshots there
        disk = self.folder / "disk.img"
        with disk.open("wb") as file:
            file.truncate(self.machine.disk_bytes)
        # No journal and no waiting for inode tables: this disk never outlives its lab
        subprocess.run(
            ["mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal", "-E", "lazy_itable_init=1", str(disk)],
            check=True,
        )
        self._prepare(lower)
        self._write_identity()

    def _prepare(self, lower: list[Path]) -> None:
        self.lab.run_inside(
            ["sh", "-euc", PREPARE, "prepare", str(self.folder), ":".join(map(str, lower)), self._link, self.address]
        )

    @property
    def _root(self) -> Path:
        """The root file system as this process can reach it, for when the host is powered off."""
        return Path(f"/proc/{self.lab.first}/root{self.folder}/root")

    def _write_identity(self) -> None:
        self.write("/etc/hostname", f"{self.name}\n")
        self.write("/etc/machine-id", f"{uuid.uuid4().hex}\n")
        for home, owner in (("/root", 0), (f"/home/{OPERATOR}", 1000)):
            self.write(f"{home}/.ssh/authorized_keys", self.lab.public_key, mode=0o600)
            for path in (f"{home}/.ssh", f"{home}/.ssh/authorized_keys"):
                os.chown(self._root / path.lstrip("/"), owner, owner)

    def power_on(self) -> None:
        """Boot; returns at once (`wait_ready` waits)."""
        if self.is_powered:
            raise LabError(f"{self.name} is running already")
        self.write("/etc/hosts", self.lab.hosts_file())
        self._cgroups = cgroups.make(self.lab.name, self.name)
        binds = [f"--bind={self._volume(folder)}:{folder}" for folder in self.machine.volumes]
        binds += [f"--bind-ro={here}:{inside}" for inside, here in self.machine.shared]
        with (self.folder / "console.log").open("ab") as console:
            self._supervisor = subprocess.Popen(
                [
                    *self.lab.enter,
                    "env",
                    f"LAB_CGROUPS={' '.join(map(str, self._cgroups))}",
                    "sh",
                    "-c",
                    BOOT,
                    "boot",
                    str(self.folder / "network"),
                    f"--directory={self.folder / 'root'}",
                    f"--machine={self.name}",
                    *NSPAWN_OPTIONS,
                    *binds,
                ],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
            )
        self._boots += 1

    def _volume(self, folder: str) -> str:
        inside = f"{self.folder}/disk/volumes/{folder.strip('/').replace('/', '-')}"
        Path(f"/proc/{self.lab.first}/root{inside}").mkdir(exist_ok=True)
        return inside

    @property
    def is_powered(self) -> bool:
        return self._supervisor is not None and self._supervisor.poll() is None

    def power_off(self) -> None:
        """Cut the power: every process of the host is killed at once, what it wrote stays on its disk."""
        if self._supervisor is None:
            return
        cgroups.kill(cgroups.unified() / cgroups.PARENT / self.lab.name / self.name)
        self._supervisor.wait(timeout=30)
        self._supervisor = None
        for folder in self._cgroups:
            cgroups.remove(folder)
        self.lab.forget_connections(self)

    def shut_down(self, timeout: float = 60) -> None:
        """Let the host end its services and power itself off."""
        self.run("systemctl poweroff", must_pass=False)
        self.wait_for(lambda: not self.is_powered, timeout, "power off")
        self.power_off()

    def power_cycle(self, timeout: float = 60) -> None:
        """Cut the power, boot, wait."""
        self.power_off()
        self.power_on()
        self.wait_ready(timeout)

    def reboot(self, timeout: float = 60) -> None:
        """Let the host reboot itself and wait until it is back."""
        before = self._first_process()
        self.run("systemctl reboot", must_pass=False)
        # Watched from outside: a command that runs there now would hold the shutdown up
        self.wait_for(lambda: self._is_another_boot(before), timeout, "reboot")
        self.lab.forget_connections(self)
        self.wait_ready(timeout)

    def wait_ready(self, timeout: float = 60) -> None:
        """Wait until systemd has started everything and sshd answers."""
        deadline = time.monotonic() + timeout
        self.wait_for(self._ssh_greets, timeout, "sshd to answer")
        while True:
            state = self.run("systemctl is-system-running --wait", must_pass=False, timeout=timeout).stdout.strip()
            if state in ("running", "degraded"):
                return
            if time.monotonic() > deadline:
                raise TimedOut(f"{self.name} did not finish booting in {timeout:g} s, its state is {state!r}")
            time.sleep(POLL_SECONDS)

    def _ssh_greets(self) -> bool:
        try:
            with self.lab.connect(self.address, 22, timeout=1) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    def boot_id(self) -> str | None:
        """What /proc/sys/kernel/random/boot_id says there; None while the host is down."""
        try:
            return self.run("cat /proc/sys/kernel/random/boot_id").stdout.strip()
        except LabError:
            return None

    # --- state of the disk ----------------------------------------------------------------------------------------

    def reset(self, snapshot: str | None = None, timeout: float = 60) -> None:
        """Boot again with an empty disk, or with what `take_snapshot` kept under that name."""
        kept = self.folder / f"snapshot-{snapshot}.img" if snapshot else None
        if kept is not None and not kept.exists():
            raise LabError(f"{self.name} has no snapshot {snapshot!r}")
        self.power_off()
        self._forget()
        if kept is None:
            self._discard(keep_snapshots=True)
            self.create()
        else:
            _copy_sparse(kept, self.folder / "disk.img")
            self._prepare(self.machine.image.lower_folders())
        self.power_on()
        self.wait_ready(timeout)

    def take_snapshot(self, name: str) -> None:
        """Keep the disk as it is now for `reset(name)`; the host is shut down for it and booted again."""
        if not re.fullmatch(r"[a-z0-9-]+", name):
            raise LabError(f"{name!r} is no name for a snapshot (small letters, digits and dashes)")
        self.shut_down()
        self.lab.run_inside(["sync", "-f", str(self.folder / "disk")])
        _copy_sparse(self.folder / "disk.img", self.folder / f"snapshot-{name}.img")
        self.power_on()
        self.wait_ready()

    def destroy(self) -> None:
        """Power off and remove the host with its disk."""
        self.power_off()
        self._forget()
        self._discard(keep_snapshots=False)

    def let_go(self) -> None:
        """After the lab's end: reap the supervisor, release the images."""
        if self._supervisor is not None:
            self._supervisor.wait(timeout=30)
            self._supervisor = None
        self._release_images()

    def _release_images(self) -> None:
        while self._held:
            os.close(self._held.pop())

    def _forget(self) -> None:
        self.lab.run_inside(["sh", "-euc", FORGET, "forget", str(self.folder), self._link])

    def _discard(self, keep_snapshots: bool) -> None:
        self._release_images()
        for path in self.folder.iterdir():
            if path.is_dir():
                path.rmdir()
            elif not (keep_snapshots and path.name.startswith("snapshot-")):
                path.unlink()
        if not any(self.folder.iterdir()):
            self.folder.rmdir()

    # --- commands and files ---------------------------------------------------------------------------------------

    def _first_process(self) -> int:
        """Number out here of the host's pid 1."""
        scope = (
            cgroups.unified() / cgroups.PARENT / self.lab.name / self.name / "payload" / "init.scope" / "cgroup.procs"
        )
        try:
            members = scope.read_text(encoding="ascii").split()
        except OSError:
            members = []
        # systemd forks helpers there, and process numbers start anew at their end: the lowest need not be the first
        for member in members:
            with contextlib.suppress(OSError):
                status = Path(f"/proc/{member}/status").read_text(encoding="utf-8")
                if re.search(r"^NSpid:.*\t1$", status, re.MULTILINE):
                    return int(member)
        raise LabError(f"{self.name} is not running")

    def _is_another_boot(self, before: int) -> bool:
        try:
            return self._first_process() != before
        except LabError:
            return False

    def run(
        self,
        command: str | Sequence[str],
        *,
        stdin: str | bytes | None = None,
        must_pass: bool = True,
        timeout: float = 120,
    ) -> Completed:
        """Run a command as root on the host, without ssh: it works with the network cut and sshd broken.

        command: a line for sh, or a list of arguments.
        must_pass: raise CommandFailed when the exit code is not 0.
        """
        arguments = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
        first = self._first_process()
        cgroup = cgroups.unified() / cgroups.PARENT / self.lab.name / self.name / "payload" / "lab-command"
        cgroup.mkdir(exist_ok=True)
        entering = [
            "sh",
            "-c",
            'echo 0 > "$0" && exec "$@"',
            str(cgroup / "cgroup.procs"),
            *(
                "nsenter",
                f"--target={first}",
                "--no-fork",
                "--mount",
                "--uts",
                "--ipc",
                "--net",
                "--pid",
                "--cgroup",
                "--root",
            ),
            *("--", *CLEAN_ENVIRONMENT, *WAITING_SHELL),
            *arguments,
        ]
        process = subprocess.Popen(
            entering,
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        given = stdin.encode() if isinstance(stdin, str) else stdin
        try:
            stdout, stderr = process.communicate(given, timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise TimedOut(f"`{shlex.join(arguments)}` on {self.name} took more than {timeout:g} s") from None
        done = Completed(process.returncode, stdout.decode(errors="replace"), stderr.decode(errors="replace"))
        if must_pass and done.exit_code != 0:
            raise CommandFailed(f"`{shlex.join(arguments)}` on {self.name}", done.exit_code, done.stdout + done.stderr)
        return done

    def read(self, path: str) -> str:
        """Text of a file on the host."""
        return self.run(["cat", path]).stdout

    def write(self, path: str, content: str | bytes, mode: int = 0o644) -> None:
        """Write a file on the host, with its parent folders; works before it is powered on, too."""
        if not self.is_powered:
            file = self._root / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.encode() if isinstance(content, str) else content)
            file.chmod(mode)
            return
        self.run(
            ["sh", "-euc", 'mkdir -p "$(dirname "$0")"; cat > "$0"; chmod "$1" "$0"', path, f"{mode:o}"], stdin=content
        )

    def push(self, here: Path, there: str) -> None:
        """Copy a file or folder of this machine to the path `there` on the host (owner root, modes kept)."""

        def as_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = "root"
            return entry

        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            archive.add(here, arcname=there.lstrip("/"), filter=as_root)
        self.run(["tar", "-x", "-C", "/", "--no-same-owner"], stdin=packed.getvalue())

    def journal(self, unit: str | None = None, since_boot: bool = True) -> str:
        """The host's journal as text."""
        arguments = ["journalctl", "--no-pager", "--output=short-precise"]
        arguments += ["--boot"] if since_boot else []
        arguments += [f"--unit={unit}"] if unit else []
        return self.run(arguments, must_pass=False).stdout

    def console(self) -> str:
        """Everything the host printed on its console since it was created."""
        log = self.folder / "console.log"
        return log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""

    def wait_for(self, happened: Callable[[], object] | str, timeout: float = 30, what: str | None = None) -> None:
        """Wait until a call returns something true, or a shell line on the host exits with 0."""
        asked = happened if isinstance(happened, str) else what or getattr(happened, "__name__", "a condition")
        deadline = time.monotonic() + timeout
        while True:
            if isinstance(happened, str):
                if self.run(happened, must_pass=False, timeout=timeout).exit_code == 0:
                    return
            elif happened():
                return
            if time.monotonic() > deadline:
                raise TimedOut(f"{self.name}: waited {timeout:g} s in vain for {asked}")
            time.sleep(POLL_SECONDS)

    def wait_for_port(self, port: int, timeout: float = 30) -> None:
        """Wait until something accepts TCP connections on the host's address."""

        def accepts() -> bool:
            try:
                self.lab.connect(self.address, port, timeout=1).close()
                return True
            except OSError:
                return False

        self.wait_for(accepts, timeout, f"port {port}")

    # --- trouble --------------------------------------------------------------------------------------------------

    def cut_network(self) -> None:
        """Pull the cable: nothing reaches the host or leaves it."""
        self.lab.run_inside(["ip", "link", "set", self._link, "down"])

    def heal_network(self) -> None:
        """Plug the cable in again."""
        self.lab.run_inside(["ip", "link", "set", self._link, "up"])

    @contextlib.contextmanager
    def network_cut(self) -> Iterator[None]:
        """With the network cut for the length of a block."""
        self.cut_network()
        try:
            yield
        finally:
            self.heal_network()

    def free_bytes(self, path: str = "/") -> int:
        """What an ordinary file can still take on the file system of a path."""
        blocks, block_bytes = self.run(["stat", "-f", "--format=%a %S", path]).stdout.split()
        return int(blocks) * int(block_bytes)

    @contextlib.contextmanager
    def disk_full(self, path: str = "/", leave_bytes: int = 0) -> Iterator[None]:
        """With the file system of a folder full but for `leave_bytes`, for the length of a block."""
        filler = f"{path.rstrip('/')}/.lab-filler"
        size = self.free_bytes(path) - leave_bytes
        if size <= 0:
            raise LabError(f"{path} on {self.name} has less than {leave_bytes} bytes left already")
        # fallocate stops short of the last blocks it needs for its own bookkeeping: what remains is written
        self.run(["fallocate", "-l", str(size), filler], must_pass=False)
        if leave_bytes == 0:
            self.run(f"cat /dev/zero >> {shlex.quote(filler)}", must_pass=False)
        try:
            yield
        finally:
            self.run(["rm", "-f", filler])

    # --- evidence -------------------------------------------------------------------------------------------------

    def save_evidence(self, folder: Path) -> list[Path]:
        """Write journal and console to a folder; returns the files written."""
        saved = []
        texts = {"console": self.console()}
        with contextlib.suppress(LabError):
            texts["journal"] = self.journal(since_boot=False)
        for kind, text in texts.items():
            path = folder / f"{self.name}.{kind}.txt"
            path.write_text(text, encoding="utf-8")
            saved.append(path)
        return saved


def _copy_sparse(source: Path, target: Path) -> None:
    subprocess.run(["cp", "--sparse=always", "--reflink=auto", str(source), str(target)], check=True)
