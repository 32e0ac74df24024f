# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How old the facts of hosts are: a fact cache answers for a host that has not been asked, or could not be reached."""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Mapping

# What is gathered in a run is younger.
OLD_SECONDS = 3600
# As many hosts are named; of more, how many they are.
NAMED = 10


def told(hosts: Mapping[str, t.Any], now: datetime.datetime) -> list[str]:
    """Return a sentence for each host whose facts were gathered more than an hour before `now`, the oldest first.

    :param hosts: inference_host by name, None for a host that nothing is known of.
    """
    ages = {name: age for name, host in hosts.items() if (age := _age(host, now)) and age > OLD_SECONDS}
    oldest = sorted(ages, key=lambda name: (-ages[name], name))
    lines = [f"{name} is planned for by facts that are {_in_words(ages[name])} old" for name in oldest[:NAMED]]
    more = len(oldest) - NAMED
    return [*lines, f"{more} more hosts are planned for by facts older than an hour"] if more > 0 else lines


def _age(host: t.Any, now: datetime.datetime) -> float | None:
    gathered = host.get("gathered_at") if isinstance(host, Mapping) else None
    try:
        then = datetime.datetime.fromisoformat(str(gathered))
    except ValueError:
        return None
    # Without a zone it is UTC, as gpu_facts writes it
    return (now - (then if then.tzinfo else then.replace(tzinfo=datetime.UTC))).total_seconds()


def _in_words(seconds: float) -> str:
    hours = int(seconds // 3600)
    return f"{hours} hours" if hours < 48 else f"{hours // 24} days"
