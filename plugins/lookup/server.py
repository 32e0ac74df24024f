# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: server
short_description: A server of the catalog, to plan for a machine that is not rented yet
version_added: 1.0.0
author:
  - the prositronic.infra contributors (@prositronic)
description:
  - Returns servers of the collection's catalog as C(inference_host), the form in which
    M(prositronic.infra.gpu_facts) describes a machine, with all of its GPUs.
  - A server is found by its id (V(hetzner-gex131)), its URL slug or an alias (V(GEX131)), in any case.
  - All of its memory is assumed, of GPUs as P(prositronic.infra.gpu#lookup) says, RAM less what Linux keeps for itself.
options:
  _terms:
    description: Names of servers. Without any, every one of the catalog whose memory is known is returned.
    type: list
    elements: str
  memory:
    description:
      - RAM of the machine, as bytes or with a unit such as V(256 GiB).
      - Needed for a server whose RAM the catalog does not know. For another one it overrides what the catalog says, since
        some are sold with more than one size.
    type: raw
requirements:
  - pydantic >= 2.8 (on the controller)
seealso:
  - plugin: prositronic.infra.gpu
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: What would DeepSeek V3.1 do on a Hetzner GEX131
  ansible.builtin.debug:
    msg: "{{ lookup('prositronic.infra.server', 'hetzner-gex131')
             | prositronic.infra.model_fit('deepseek-v3.1', quant='Q3_K_M') }}"

- name: A server whose RAM the catalog does not know
  ansible.builtin.debug:
    msg: "{{ lookup('prositronic.infra.server', 'gcp-a3-highgpu-8g', memory='1872 GiB').memory }}"
"""

RETURN = r"""
_raw:
  description:
    - One C(inference_host) for each name, with C(name), C(gpus), C(cpu) and C(memory).
  type: list
  elements: dict
"""

import typing as t

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.prositronic.infra.plugins.plugin_utils import _ansible
from ansible_collections.prositronic.infra.plugins.plugin_utils.catalog import hosts


class LookupModule(LookupBase):
    """Look up servers."""

    def run(self, terms: list[t.Any], variables: t.Any = None, **kwargs: t.Any) -> list[dict[str, t.Any]]:
        """Return an inference_host for each name."""
        self.set_options(var_options=variables, direct=kwargs)
        memory = self.get_option("memory")
        return [
            _ansible.call(
                hosts.server, {"name": name, "memory": memory}, "prositronic.infra.server", AnsibleLookupError
            )
            for name in terms or hosts.server_names(memory is not None)
        ]
