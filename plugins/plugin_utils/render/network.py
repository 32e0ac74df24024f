# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may reach an instance, by the address that it listens on."""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ..contract.base import ContractError


def allowed(address: str, clients: t.Sequence[str]) -> list[str]:
    """Return what IPAddressAllow= holds, empty where everybody may.

    :param clients: networks, or addresses; none given means the host alone if it listens on the loopback, else everybody.
    :raises ContractError: for what is no address.
    """
    if not isinstance(clients, (list, tuple)):
        raise ContractError("clients: give a list of networks, such as [10.0.0.0/8]")
    networks = [_network(client) for client in clients]
    if networks or is_loopback(address):
        return ["localhost", *networks]
    return []


def is_loopback(address: str) -> bool:
    """Say whether only the host itself reaches what listens there.

    :raises ContractError: for what is neither an address nor a name.
    """
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        pass
    if re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", address):
        return False
    raise ContractError("address: give an IP address such as 127.0.0.1 or 0.0.0.0, or the name of this host")


def _network(client: t.Any) -> str:
    try:
        return str(ipaddress.ip_network(client, strict=False))
    except (TypeError, ValueError):
        raise ContractError("clients: give networks such as 10.0.0.0/8 or fd00::/8, or addresses") from None
