# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A key that signs a test's repository."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ..errors import CommandFailed


class SigningKey:
    """An OpenPGP key of its own for one repository.

    enter: start of a command line that runs the rest in the lab's namespaces, where gpg's agent ends with the lab.
    """

    def __init__(self, enter: Sequence[str], folder: Path) -> None:
        self._enter = list(enter)
        self.home = folder / f"key-{secrets.token_hex(3)}"
        self.home.mkdir(mode=0o700)
        self.gpg(
            "--passphrase",
            "",
            "--quick-generate-key",
            "Stand-in repository, made for tests",
            "rsa3072",
            "sign",
            "never",
        )
        self.armored = self.gpg("--armor", "--export")
        listed = self.gpg("--with-colons", "--list-keys")
        self.fingerprint = next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:"))

    def gpg(self, *arguments: str) -> str:
        """Run gpg with this key's home."""
        return self.run("gpg", "--homedir", str(self.home), "--batch", "--quiet", "--yes", "--no-tty", *arguments)

    def run(self, *command: str) -> str:
        """Run a command in the lab's namespaces; returns its output."""
        done = subprocess.run(
            [*self._enter, "env", f"GNUPGHOME={self.home}", *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise CommandFailed(command[0], done.returncode, done.stdout + done.stderr)
        return done.stdout
