# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: gpu
short_description: A GPU of the catalog, to plan for one that is not there yet
version_added: 1.0.0
author:
  - the prositronic.infra contributors (@prositronic)
description:
  - Returns GPUs of the collection's catalog as entries of C(gpus) of an C(inference_host), the form in which
    M(prositronic.infra.gpu_facts) describes GPUs that it finds.
  - A GPU is found by its id (V(L40S)), its URL slug (V(nvidia-l40s)), an alias (V(H100)), the name that its driver reports
    (V(NVIDIA H100 80GB HBM3)) or its PCI id (V(10de:26b9)), in any case.
  - Its free memory is what the driver's total leaves after the driver's own reserve where both are known, else 97% of its
    memory. C(basis) is V(assumed) and C(source) says which of the two.
options:
  _terms:
    description: Names of GPUs. The first is given index 0, and so on. Without any, every one of the catalog is returned.
    type: list
    elements: str
requirements:
  - pydantic >= 2.8 (on the controller)
seealso:
  - plugin: prositronic.infra.server
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: A machine with two L40S, written by hand
  ansible.builtin.set_fact:
    machine:
      gpus: "{{ query('prositronic.infra.gpu', 'L40S', 'L40S') }}"
      memory:
        total_bytes: 274877906944

- name: Memory bandwidth of a GPU
  ansible.builtin.debug:
    msg: "{{ lookup('prositronic.infra.gpu', 'H100').bandwidth_bytes_per_second }}"
"""

RETURN = r"""
_raw:
  description:
    - One entry for each name, as C(gpus) of an C(inference_host) has them.
    - Keys are C(index), C(name), C(vendor), C(memory_total_bytes), C(memory_free_bytes), C(memory_reserved_bytes),
      C(memory_shared_bytes), C(compute_capability) (NVIDIA), C(architecture) (AMD), C(pci_device_id), C(unified_memory),
      C(bandwidth_bytes_per_second), C(fp16_flops), C(pcie), C(source) and C(basis). What is not known is V(none).
  type: list
  elements: dict
"""

import typing as t

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.prositronic.infra.plugins.plugin_utils import _ansible
from ansible_collections.prositronic.infra.plugins.plugin_utils.catalog import access, hosts


class LookupModule(LookupBase):
    """Look up GPUs."""

    def run(self, terms: list[t.Any], variables: t.Any = None, **kwargs: t.Any) -> list[dict[str, t.Any]]:
        """Return an entry of `gpus` for each name."""
        self.set_options(var_options=variables, direct=kwargs)
        return [
            _ansible.call(hosts.gpu, {"name": name, "index": index}, "prositronic.infra.gpu", AnsibleLookupError)
            for index, name in enumerate(terms or access.names("gpu"))
        ]
