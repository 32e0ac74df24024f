# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes wrong in the lab itself, as one sentence each."""

from __future__ import annotations


class LabError(Exception):
    """The lab cannot do what a test asked for."""


class NotReady(LabError):
    """This machine lacks something the lab needs; the message names it and how to get it."""


class CommandFailed(LabError):
    """A command ended with another exit code than 0; the message holds the end of its output."""

    def __init__(self, what: str, exit_code: int, output: str) -> None:
        tail = "\n".join(output.strip().splitlines()[-40:])
        super().__init__(f"{what} ended with exit code {exit_code}:\n{tail}")
        self.exit_code = exit_code
        self.output = output


class TimedOut(LabError):
    """Something did not happen in the time given."""
