# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fingerprints of OpenPGP public keys, so that a key can be checked on hosts that have no gpg.

Formats: RFC 9580 sections 4.2 (packet headers), 5.5.4 (fingerprints) and 6 (ASCII armor).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import typing as t

PUBLIC_KEY = 6  # packet type of a primary public key; subkeys are 14
_ARMOR = re.compile(rb"-----BEGIN PGP PUBLIC KEY BLOCK-----\r?\n(.*?)-----END PGP PUBLIC KEY BLOCK-----", re.DOTALL)


def normal(fingerprint: str) -> str:
    """Return a fingerprint as people write it (spaces, colons, small letters) in its one form: capital hex digits.

    :raises ValueError: when it is not the full fingerprint of a version 4 (40 digits) or 6 (64 digits) key.
    """
    digits = re.sub(r"[\s:]", "", fingerprint).upper()
    if not re.fullmatch(r"[0-9A-F]{40}|[0-9A-F]{64}", digits):
        raise ValueError(f"{fingerprint!r} is not a full OpenPGP fingerprint, which has 40 hexadecimal digits")
    return digits


def fingerprints(key: bytes) -> list[str]:
    """Return the fingerprints of the primary keys in a file of public keys, armored or binary, in order.

    :raises ValueError: a predicate such as "is not an OpenPGP public key".
    """
    blocks = _ARMOR.findall(key)
    data = b"".join(_dearmor(block) for block in blocks) if blocks else key
    found = [_fingerprint(body) for kind, body in _packets(data) if kind == PUBLIC_KEY]
    if not found:
        raise ValueError("is not an OpenPGP public key")
    return found


def _dearmor(block: bytes) -> bytes:
    lines = block.replace(b"\r", b"").split(b"\n")
    while lines and b":" in lines[0]:  # armor headers end with an empty line
        lines.pop(0)
    body = b"".join(line for line in lines if not line.startswith(b"="))  # the line that starts with = is a checksum
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise ValueError("is a damaged OpenPGP key") from error


def _packets(data: bytes) -> t.Iterator[tuple[int, bytes]]:
    """Yield packet types and bodies; a key has no packets of partial length."""
    position = 0
    while position < len(data):
        tag = data[position]
        if not tag & 0x80:
            raise ValueError("is not an OpenPGP public key")
        if tag & 0x40:
            kind, length, position = tag & 0x3F, *_new_length(data, position + 1)
        else:
            kind, length, position = tag >> 2 & 0x0F, *_old_length(data, position + 1, tag & 3)
        if position + length > len(data):
            raise ValueError("is a truncated OpenPGP key")
        yield kind, data[position : position + length]
        position += length


def _new_length(data: bytes, position: int) -> tuple[int, int]:
    first = _number(data, position, 1)
    if first < 192:
        return first, position + 1
    if first < 224:
        return (first - 192 << 8) + _number(data, position + 1, 1) + 192, position + 2
    if first == 255:
        return _number(data, position + 1, 4), position + 5
    raise ValueError("is not an OpenPGP public key")


def _old_length(data: bytes, position: int, size: int) -> tuple[int, int]:
    if size == 3:
        raise ValueError("is not an OpenPGP public key")
    octets = 1 << size
    return _number(data, position, octets), position + octets


def _number(data: bytes, position: int, octets: int) -> int:
    if position + octets > len(data):
        raise ValueError("is a truncated OpenPGP key")
    return int.from_bytes(data[position : position + octets], "big")


def _fingerprint(body: bytes) -> str:
    version = body[:1]
    if version == b"\x04":
        return hashlib.sha1(b"\x99" + len(body).to_bytes(2, "big") + body, usedforsecurity=False).hexdigest().upper()
    if version == b"\x06":
        return hashlib.sha256(b"\x9b" + len(body).to_bytes(4, "big") + body).hexdigest().upper()
    raise ValueError(f"holds a key of OpenPGP version {int.from_bytes(version, 'big')}, known are 4 and 6")
