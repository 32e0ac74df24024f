# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What cannot be estimated: launches that llama-server itself refuses, and models no rule is known for."""

from __future__ import annotations


class LaunchRefused(ValueError):
    """llama-server would end with an error, or crash, at this launch. The text is one sentence with the reason."""


class UnknownModel(ValueError):
    """No rule is known for this model; it is not estimated as if it were another. The text says what is missing."""
