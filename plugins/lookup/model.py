# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: model
short_description: A model of the catalog
version_added: 1.0.0
author:
  - the prositronic.infra contributors (@prositronic)
description:
  - Returns models of the collection's catalog. Their values are accepted wherever a model is, together with a C(quant).
  - A model is found by its id (V(deepseek-v3.1)), its URL slug (V(deepseek-v3-1)), its repository on Hugging Face
    (V(deepseek-ai/DeepSeek-V3.1)) or an alias, in any case.
options:
  _terms:
    description: Names of models. Without any, every one of the catalog is returned.
    type: list
    elements: str
requirements:
  - pydantic >= 2.8 (on the controller)
"""

EXAMPLES = r"""
- name: Trained context of a model
  ansible.builtin.debug:
    msg: "{{ lookup('prositronic.infra.model', 'deepseek-v3.1').trained_context }}"

- name: Memory of a model on two L40S
  ansible.builtin.debug:
    msg: "{{ lookup('prositronic.infra.model', 'qwen3-32b')
             | prositronic.infra.memory_estimate(quant='Q4_K_M', gpus=query('prositronic.infra.gpu', 'L40S', 'L40S')) }}"
"""

RETURN = r"""
_raw:
  description:
    - One entry for each name.
    - Keys are C(id), C(slug), C(aliases), C(name), C(vendor), C(hf_repo), C(licence), C(parameters), C(active_parameters),
      C(published_parameters), C(trained_context), C(capabilities), C(modality), C(nextn_layers), C(metadata) and C(sources).
    - C(parameters) counts what the GGUF file holds, C(published_parameters) what the publisher's files hold, with vision
      towers and parts for predicting several tokens that GGUF files may leave out.
    - C(metadata) has the keys of the model's GGUF file that describe its architecture, and keys that begin with
      C(checkpoint.) for what such a file shows only through the tensors it holds.
  type: list
  elements: dict
"""

import typing as t

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.prositronic.infra.plugins.plugin_utils import _ansible
from ansible_collections.prositronic.infra.plugins.plugin_utils.catalog import access


class LookupModule(LookupBase):
    """Look up models."""

    def run(self, terms: list[t.Any], variables: t.Any = None, **kwargs: t.Any) -> list[dict[str, t.Any]]:
        """Return the entry of each model."""
        self.set_options(var_options=variables, direct=kwargs)
        return [
            _ansible.call(access.model, {"name": name}, "prositronic.infra.model", AnsibleLookupError)
            for name in terms or access.names("model")
        ]
