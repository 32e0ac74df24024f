# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Root file systems that hosts start from: a Debian suite, and layers of packages on top, built once and cached.

An entry of the cache is an unpacked tree that overlayfs uses as a lower folder and nobody writes to. Its name is a hash of
everything that went into it and of the four weeks it was built in, so that an image never grows old unseen. Entries of
earlier weeks are removed by the next build.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from . import mirror
from .errors import CommandFailed, LabError
from .paths import cache_dir

SUITES = ("bookworm", "trixie", "forky")
BASE_PACKAGES = (
    "ca-certificates",
    "curl",
    "dbus",
    "gnupg",
    "iproute2",
    "openssh-server",
    "procps",
    "python3",
    "python3-apt",
    "sudo",
    "systemd",
    "systemd-sysv",
)
OPERATOR = "operator"
PERIOD_DAYS = 28

# Run in the new tree (its path is $1) at the end of the build
BASE_HOOK = f"""
set -e
chroot "$1" useradd --gid {OPERATOR} --create-home --shell /bin/bash {OPERATOR}
echo '{OPERATOR} ALL=(ALL) NOPASSWD: ALL' > "$1/etc/sudoers.d/{OPERATOR}"
chmod 0440 "$1/etc/sudoers.d/{OPERATOR}"
mkdir -p "$1/var/log/journal"
: > "$1/etc/machine-id"
: > "$1/etc/resolv.conf"
: >> "$1/etc/hosts"
rm -f "$1/etc/hostname"
"""

# Run in namespaces of its own: folder of the layer is $1, lower folders are $2, the rest are packages; the shell lines
# to run inside come on standard input. Nothing starts: policy-rc.d says no and there is no running systemd.
LAYER_SCRIPT = """
layer=$1 lower=$2; shift 2
mkdir -p "$layer/upper" "$layer/work" "$layer/root"
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$layer/upper,workdir=$layer/work" "$layer/root"
root=$layer/root
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mount --bind /etc/resolv.conf "$root/etc/resolv.conf"
mount --bind /etc/hosts "$root/etc/hosts"
printf '#!/bin/sh\\nexit 101\\n' > "$root/usr/sbin/policy-rc.d"; chmod 0755 "$root/usr/sbin/policy-rc.d"
inside() {
    chroot "$root" /usr/bin/env -i HOME=/root LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin \\
        DEBIAN_FRONTEND=noninteractive "$@"
}
if [ $# -gt 0 ]; then
    inside apt-get update -q
    inside apt-get install -q -y --no-install-recommends "$@"
    inside apt-get clean
    rm -rf "$root/var/lib/apt/lists"; mkdir -p "$root/var/lib/apt/lists/partial"
fi
inside /bin/sh -eu -s
rm -f "$root/usr/sbin/policy-rc.d"
umount -R "$root"
rm -rf "$layer/work" "$layer/root"
"""


@dataclass(frozen=True)
class Image:
    """What a host starts from.

    suite: a codename out of SUITES.
    packages: Debian packages on top of the base, installed once into a cached layer.
    run: shell lines run inside the layer after its packages (what a disguise or a stand-in needs).
    """

    suite: str
    packages: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    period: int = field(default_factory=lambda: int(time.time() // 86400) // PERIOD_DAYS)

    def __post_init__(self) -> None:
        if self.suite not in SUITES:
            raise LabError(f"the lab has no suite {self.suite!r}, it has {', '.join(SUITES)}")
        for package in self.packages:
            if not re.fullmatch(r"[a-z0-9][a-z0-9.+-]+", package):
                raise LabError(f"{package!r} is not the name of a Debian package")

    @property
    def base(self) -> Image:
        """The same suite with nothing on top."""
        return Image(self.suite, period=self.period)

    @property
    def is_base(self) -> bool:
        return not self.packages and not self.run

    @property
    def key(self) -> str:
        """Name of the cache entry: readable suite, period, hash of the inputs."""
        if self.is_base:
            inputs: object = [BASE_PACKAGES, BASE_HOOK, mirror.debian_mirror(), mirror.apt_options()]
        else:
            inputs = [self.base.key, sorted(self.packages), self.run, LAYER_SCRIPT]
        digest = hashlib.sha256(json.dumps([self.suite, inputs]).encode()).hexdigest()[:16]
        return f"{self.suite}-{self.period}-{digest}"

    def lower_folders(self) -> list[Path]:
        """Folders for overlayfs, topmost first; builds what the cache does not hold."""
        folder = _entry(self)
        return [folder] if self.is_base else [folder, *self.base.lower_folders()]


def _images_dir() -> Path:
    folder = cache_dir() / "images"
    folder.mkdir(exist_ok=True)
    return folder


@contextlib.contextmanager
def _building(key: str) -> Iterator[None]:
    """Hold the lock of one entry: two labs that want the same image build it once."""
    with (_images_dir() / f"{key}.lock").open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _entry(image: Image) -> Path:
    entry = _images_dir() / image.key
    if entry.is_dir():
        return entry
    if not image.is_base:
        _entry(image.base)
    with _building(image.key):
        if entry.is_dir():  # built by another process while this one waited
            return entry
        remove_old(image.period)
        started = time.monotonic()
        what = " ".join([image.suite, *image.packages])
        print(f"lab: building image {what} (once, about half a minute and more for big packages)", file=sys.stderr)
        unfinished = entry.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        if image.is_base:
            _make_base(image, unfinished)
        else:
            _make_layer(image, unfinished)
        unfinished.rename(entry)
        print(f"lab: built image {what} in {time.monotonic() - started:.0f} s", file=sys.stderr)
    return entry


# A build dies with whoever started it, and its mounts with it
_OWN_NAMESPACES = (
    "setpriv",
    "--pdeathsig",
    "KILL",
    "unshare",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
    "--propagation",
    "slave",
)


def _build(command: list[str], what: str, script: str = "") -> None:
    done = subprocess.run(
        [*_OWN_NAMESPACES, *command],
        input=script,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        check=False,
    )
    if done.returncode != 0:
        raise CommandFailed(f"building image {what}", done.returncode, done.stdout)


def _make_base(image: Image, folder: Path) -> None:
    options = [f"--aptopt={line}" for line in mirror.apt_options()]
    proxy = mirror.apt_proxy()
    if proxy:
        options.append(f'--aptopt=Acquire::http::Proxy "{proxy}"')
    _build(
        [
            "mmdebstrap",
            "--quiet",
            "--mode=root",
            "--variant=minbase",
            f"--include={','.join(BASE_PACKAGES)}",
            *options,
            f"--customize-hook={BASE_HOOK}",
            "--skip=output/dev",
            image.suite,
            str(folder),
            mirror.debian_mirror(),
        ],
        image.suite,
    )


def _make_layer(image: Image, folder: Path) -> None:
    parts = folder.with_suffix(".parts")
    shutil.rmtree(parts, ignore_errors=True)
    lower = ":".join(map(str, image.base.lower_folders()))
    _build(
        ["sh", "-euc", LAYER_SCRIPT, "layer", str(parts), lower, *image.packages],
        f"{image.suite} with {', '.join(image.packages) or 'its changes'}",
        "\n".join(image.run),
    )
    (parts / "upper").rename(folder)
    parts.rmdir()


def remove_old(period: int) -> list[str]:
    """Remove entries of another period than `period` that no lab uses; returns their names."""
    removed = []
    for entry in sorted(_images_dir().iterdir()):
        matched = re.fullmatch(r"[a-z]+-(\d+)-[0-9a-f]{16}", entry.name)
        if not matched or int(matched[1]) == period or not entry.is_dir():
            continue
        handle = os.open(entry, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(entry)
            removed.append(entry.name)
        except BlockingIOError:
            continue
        finally:
            os.close(handle)
    return removed


def hold(folder: Path) -> int:
    """Take a shared lock on a cache entry, so that nobody removes it; returns the descriptor that holds it."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(handle, fcntl.LOCK_SH)
    return handle
