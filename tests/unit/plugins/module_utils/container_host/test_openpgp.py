# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fingerprints against gpg's own, where gpg is installed, and against a key whose fingerprint is published."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from ansible_collections.prositronic.infra.plugins.module_utils.container_host import openpgp

# The example of RFC 9580, appendix A.1 (version 4, Ed25519) and A.3 (version 6), with the fingerprints printed there
V4 = """-----BEGIN PGP PUBLIC KEY BLOCK-----

xjMEU/NfCxYJKwYBBAHaRw8BAQdAPwmJlL3ZFu1AUxl5NOSofIBzOhKA1i+AEJku
Q+47JAY=
-----END PGP PUBLIC KEY BLOCK-----
"""
V4_FINGERPRINT = "C959BDBAFA32A2F89A153B678CFDE12197965A9A"
V6 = """-----BEGIN PGP PUBLIC KEY BLOCK-----

xioGY4d/4xsAAAAg+U2nu0jWCmHlZ3BqZYfQMxmZu52JGggkLq2EVD34laPCsQYf
GwoAAABCBYJjh3/jAwsJBwUVCg4IDAIWAAKbAwIeCSIhBssYbE8GCaaX5NUt+mxy
KwwfHifBilZwj2Ul7Ce62azJBScJAgcCAAAAAK0oIBA+LX0ifsDm185Ecds2v8lw
gyU2kCcUmKfvBXbAf6rhRYWzuQOwEn7E/aLwIwRaLsdry0+VcallHhSu4RN6HWaE
QsiPlR4zxP/TP7mhfVEe7XWPxtnMUMtf15OyA51YBM4qBmOHf+MZAAAAIIaTJINn
+eUBXbki+PSAld2nhJh/LVmFsS+60WyvXkQ1wpsGGBsKAAAALAWCY4d/4wKbDCIh
BssYbE8GCaaX5NUt+mxyKwwfHifBilZwj2Ul7Ce62azJAAAAAAQBIKbpGG2dWTX8
j+VjFM21J0hqWlEg+bdiojWnKfA5AQpWUWtnNwDEM0g12vYxoWM8Y81W+bHBw805
I8kWVkXU6vFOi+HWvv/ira7ofJu16NnoUkhclkUrk0mXubZvyl4GBg==
-----END PGP PUBLIC KEY BLOCK-----
"""
V6_FINGERPRINT = "CB186C4F0609A697E4D52DFA6C722B0C1F1E27C18A56708F6525EC27BAD9ACC9"


@pytest.mark.parametrize(("key", "fingerprint"), [(V4, V4_FINGERPRINT), (V6, V6_FINGERPRINT)])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_published_keys(key, fingerprint, line_end):
    assert openpgp.fingerprints(key.replace("\n", line_end).encode()) == [fingerprint]


def test_two_keys_in_one_file():
    assert openpgp.fingerprints((V4 + V6).encode()) == [V4_FINGERPRINT, V6_FINGERPRINT]


@pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg is not installed here")
@pytest.mark.parametrize("kind", ["rsa3072", "ed25519"])
def test_as_gpg_says(tmp_path, kind):
    def gpg(*arguments):
        home = tmp_path / "home"
        home.mkdir(mode=0o700, exist_ok=True)
        command = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--yes", *arguments]
        return subprocess.run(command, capture_output=True, check=True).stdout

    try:
        gpg("--passphrase", "", "--quick-generate-key", "Somebody", kind, "sign", "never")
        listed = gpg("--with-colons", "--list-keys").decode()
        fingerprint = next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:"))
        for armor in ((), ("--armor",)):
            assert openpgp.fingerprints(gpg(*armor, "--export")) == [fingerprint]
    finally:
        subprocess.run(["gpgconf", "--homedir", str(tmp_path / "home"), "--kill", "all"], check=False)


@pytest.mark.parametrize(
    "key",
    [
        b"",
        b"<html>not found</html>",
        V4.replace("xjME", "x???").encode(),
        b"\x99\xff\xff\x04",
        b"\x98",
        b"\xc6\xff\x00",
        b"\xc6\xe1",
        bytes([0xC6, 3, 3, 0, 0]),
        b"\x9b\x00",
    ],
)
def test_what_is_no_key_is_refused(key):
    with pytest.raises(ValueError, match="^(is|holds) "):
        openpgp.fingerprints(key)


def test_every_truncation_is_refused():
    import base64

    whole = base64.b64decode("".join(V4.splitlines()[2:-1]))
    for length in range(len(whole)):
        with pytest.raises(ValueError):
            openpgp.fingerprints(whole[:length])


def test_fingerprints_as_people_write_them():
    wanted = "C95B321B61E88C1809C4F759DDCAE044F796ECB0"
    assert openpgp.normal("C95B 321B 61E8 8C18 09C4  F759 DDCA E044 F796 ECB0") == wanted
    assert openpgp.normal(wanted.lower()) == wanted


@pytest.mark.parametrize("short", ["", "F796ECB0", "DDCAE044F796ECB0", "Z" * 40])
def test_short_fingerprints_are_refused(short):
    with pytest.raises(ValueError, match="not a full OpenPGP fingerprint"):
        openpgp.normal(short)
