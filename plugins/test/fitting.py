# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible_collections.prositronic.infra.plugins.plugin_utils import answers
from ansible_collections.prositronic.infra.plugins.plugin_utils._ansible import call


def fitting(plan: t.Any) -> bool:
    return call(answers.fitting, {"plan": plan}, "fitting", AnsibleFilterError)


class TestModule:
    def tests(self) -> dict[str, t.Callable[..., bool]]:
        return {"fitting": fitting}
