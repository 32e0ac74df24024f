# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Evaluates Jinja the way a play does, so that filters get what they get there: lazy, tagged values.

A filter that works when it is called from Python with a dict may fail or answer wrongly in a play; see
`plugins/plugin_utils/_ansible.py`. Tests of filters, tests and lookups therefore go through :func:`render`.
"""

from __future__ import annotations

import typing as t

from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template


def render(expression: str, **variables: t.Any) -> t.Any:
    """The value of a Jinja expression, such as `model | prositronic.infra.memory_estimate(launch={})`.

    :param variables: the play's variables; text in them may itself be a template (`'{{ other }}'`), as in a vars file.
    """
    templar = Templar(loader=DataLoader(), variables=_trusted(variables))
    return templar.template(trust_as_template("{{ " + expression + " }}"))


def _trusted(value: t.Any) -> t.Any:
    """Marks text as coming from the play's author, which is what allows it to be a template."""
    if isinstance(value, str):
        return trust_as_template(value)
    if isinstance(value, dict):
        return {key: _trusted(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_trusted(part) for part in value]
    return value
