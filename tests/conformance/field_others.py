# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Published loads of models of the catalog, whose logs say the whole launch. Nothing was fitted to them.

Builds from spring 2025 to autumn 2026; those up to 2025 (`every_token`) reserve logits for every token of a micro-batch and
take copies of the cache from CUDA's pool. Of gpt-oss the logs of autumn 2026 give the cache of the windows alone; that of
the other 12 blocks is 8192 cells x 12 x (K and V of 8 x 64) x 2 bytes = 192 MiB more.
"""

from __future__ import annotations

import functools
import typing as t

from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.host import Gpu
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.launch import Launch
from ansible_collections.prositronic.infra.plugins.plugin_utils.memory.estimate import estimate
from ansible_collections.prositronic.infra.plugins.plugin_utils.model import from_catalog
from ansible_collections.prositronic.infra.tests.conformance.field_rows import MIB, Use, error
from ansible_collections.prositronic.infra.tests.conformance.measured import rows

GPU = Gpu(memory_free_bytes=1 << 44, compute_capability="8.6")
# The other published loads that were read.
LEFT_OUT = {
    "a file whose mix of types is not said": 25,
    "a forecast, not a load": 6,
    "a model without an entry in the catalog": 4,
    "no context size": 4,
    "a build that places tensors otherwise": 2,
    "nothing but the compute buffer on the GPU": 2,
    "a log without the weights": 1,
}
# Loads whose buffers are farther off than 3 %, all of them too large, and why.
NO_KV_OFFLOAD = "with a cache on the host those builds attended there, and 0.7.0 copies it to the GPU"
FARTHER = {
    "main-006": NO_KV_OFFLOAD,
    "main-048": NO_KV_OFFLOAD,
    "misc-013": "not explained; the experts of the host are copied through the compute buffer",
}


class Load(t.NamedTuple):
    """One load: its name, and what each of its GPUs holds, said and measured."""

    id: str
    text: str
    uses: list[Use]

    @property
    def error(self) -> float:
        """The error of all buffers of all GPUs, as a share."""
        totals = [use.total for use in self.uses]
        return error((sum(said for said, _real in totals), sum(real for _said, real in totals)))


def _load(data: dict[str, t.Any]) -> Load:
    older = data["every_token"]
    answer = estimate(
        from_catalog.model(data["model"], data["quant"]),
        Launch(**data["launch"]),
        [GPU] * len(data["devices"]),
        n_outputs=data["launch"]["ubatch_size"] if older else None,
        cache_copies=not older,
    )
    uses = [
        Use(
            (own.weights_bytes / MIB, device["model_MiB"]),
            (own.kv_bytes / MIB, device["kv_MiB"]),
            (own.compute_bytes / MIB, device["compute_MiB"]),
            None,
        )
        for own, device in zip(answer.devices, data["devices"], strict=True)
    ]
    return Load(data["id"], f"{data['model']} {data['quant']}, build {data['build']}", uses)


@functools.cache
def all_loads() -> tuple[Load, ...]:
    return tuple(_load(data) for data in rows("field_others"))
