# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stand-ins for hosts: this machine, reached over a connection that breaks at random, before a command or after it.

FLAKY_SHARE is the share of commands that it breaks at.
"""

from __future__ import annotations

import os
import random
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection.local import Connection as Local

DOCUMENTATION = """
name: flaky
short_description: this machine, over a connection that breaks
description: A stand-in for many hosts in tests.
options: {}
"""


class Connection(Local):
    """Local, but for the breaks."""

    transport = "flaky"

    def exec_command(self, *words: Any, **named: Any) -> Any:
        chance = random.SystemRandom().random()
        share = float(os.environ["FLAKY_SHARE"])
        if chance < share / 2:
            raise AnsibleConnectionFailure("stand-in: the connection broke before the command")
        done = super().exec_command(*words, **named)
        if chance < share:
            raise AnsibleConnectionFailure("stand-in: the connection broke after the command")
        return done
