# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Attributes of the collection's modules. Private to the collection, may change at any time.

Every module extends `prositronic.infra._attributes` (what the attributes mean) and `.actiongroup_all` (the group of
meta/runtime.yml). A module that only looks adds `.info_module`, and `.facts_module` too where its result lands in
`ansible_facts`; one that changes something gives `support` itself; one that is an action plugin adds `.controller`.
"""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and says whether it would change something, without changing it.
  diff_mode:
    description: Says what it changed, or in C(check_mode) would change, when run with C(--diff).
  idempotent:
    description: A second run with the same arguments changes nothing, as long as nobody else changed the host.
"""

    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - This module changes nothing.
  diff_mode:
    support: N/A
    details:
      - This module changes nothing.
  idempotent:
    support: full
    details:
      - This module changes nothing.
"""

    # Beside INFO_MODULE, where the result lands in ansible_facts.
    FACTS_MODULE = r"""
options: {}
attributes:
  facts:
    description: Returns C(ansible_facts), which become facts of the host.
    support: full
"""

    # The module file is documentation, the work is done by the action plugin of the same name.
    CONTROLLER = r"""
options: {}
attributes:
  action:
    description: Has an action plugin, so that it runs on the controller.
    support: full
  async:
    description: Can be used with the C(async) keyword.
    support: none
  connection:
    description: Opens a connection to the host.
    support: none
    details:
      - Everything is computed on the controller.
"""

    ACTIONGROUP_ALL = r"""
options: {}
attributes:
  action_group:
    description: Defaults can be given with C(group/prositronic.infra.all) in C(module_defaults).
    support: full
    membership:
      - prositronic.infra.all
"""
