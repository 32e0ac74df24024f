# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an entry of the catalog holds, in the order its file has. Checked when the catalog is changed, not when it is read.

Unknown is null. Where sources contradict each other, a comment in the file says what was taken and why.
"""

from __future__ import annotations

import typing as t

from .._pydantic import Field
from ..contract.base import Contract
from ..contract.host import PositiveBytes, Rate, Vendor

Text = t.Annotated[str, Field(min_length=1, pattern=r"^\S(.*\S)?$")]
Id = t.Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Slug = t.Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
Count = t.Annotated[int, Field(gt=0)]
PciId = t.Annotated[str, Field(pattern=r"^[0-9a-f]{4}:[0-9a-f]{4}$")]
Sources = t.Annotated[list[Text], Field(min_length=1)]


class Entry(Contract):
    """What every entry begins with; `aliases` find it beside its id, slug and name."""

    id: Id
    slug: Slug
    aliases: list[Text]
    name: Text


class PerLayer(Contract):
    """An array with a value for each layer, as runs of equal ones (see per_layer.py)."""

    per_layer: t.Annotated[str, Field(pattern=r"^(\d+\*)?[-\w.]+( (\d+\*)?[-\w.]+)*$")]


class ModelEntry(Entry):
    """A model. `parameters` counts what the GGUF file holds, `published_parameters` what the publisher's files hold.

    `metadata` are the keys of the GGUF file, and `checkpoint.` keys (see architecture/hyperparameters.py); null where no
    converter known here writes such a model.
    """

    vendor: Text
    hf_repo: t.Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")] | None
    licence: Text | None
    parameters: Count | None
    active_parameters: Count | None
    published_parameters: Count | None
    trained_context: Count
    capabilities: list[t.Literal["code", "multilingual", "thinking", "tool-calls", "vision"]]
    modality: list[t.Literal["text", "image"]]
    nextn_layers: t.Annotated[int, Field(ge=0)]
    metadata: dict[Text, bool | int | float | str | list[int] | list[float] | PerLayer] | None
    sources: Sources


class GpuMemory(Contract):
    """Memory of a GPU: nominal, what its driver calls the total, and what the driver keeps of that for itself."""

    type: Text | None
    nominal_bytes: PositiveBytes
    total_bytes: PositiveBytes | None
    reserved_bytes: PositiveBytes | None


class Flops(Contract):
    """Dense operations per second: shaders, and tensor cores with 32 bit accumulation."""

    fp16: Count | None = None
    fp16_tensor: Count | None = None
    fp8_tensor: Count | None = None
    fp4_tensor: Count | None = None


class GpuPcie(Contract):
    """The widest PCIe link the card can have."""

    generation: Count
    lanes: Count


class GpuEntry(Entry):
    """A GPU. `reported_names` are what its driver prints; `mig` has the profiles and how many of each the card holds."""

    reported_names: list[Text]
    pci_device_ids: list[PciId]
    vendor: Vendor
    architecture: Text
    chip: Text | None
    compute_capability: t.Annotated[str, Field(pattern=r"^\d+\.\d+$")] | None
    gfx_target: t.Annotated[str, Field(pattern=r"^gfx[0-9a-f]+$")] | None
    unified_memory: bool
    memory: GpuMemory
    bandwidth_bytes_per_second: Count | None
    flops: Flops | None
    tdp_watts: Count | None
    released: t.Annotated[str, Field(pattern=r"^\d{4}(-\d\d){0,2}$")] | None
    pcie: GpuPcie | None
    nvlink: Text | None
    mig: dict[t.Annotated[str, Field(pattern=r"^\dg\.\d+gb(\+[\w.]+|-me)*$")], Count | None] | None
    sources: Sources


class ServerCpu(Contract):
    """Processors of a server; `threads` are what the operating system shows (vCPUs)."""

    model: Text | None
    sockets: Count | None
    physical_cores: Count | None
    threads: Count | None
    bandwidth_bytes_per_second: Rate | None


class Price(Contract):
    """A price as one source printed it at one time, before tax."""

    eur_month: Rate | None = None
    eur_hour: Rate | None = None
    usd_hour: Rate | None = None
    usd_hour_secure: Rate | None = None
    usd_hour_community: Rate | None = None
    setup_eur: Rate | None = None
    ipv4_eur_month: Rate | None = None
    when: Text
    source: Text


class ServerEntry(Entry):
    """A server that can be rented. `gpu` is the id of a GPU of this catalog."""

    provider: Text
    type: Text
    gpu: Id
    gpu_count: Count
    memory_bytes: PositiveBytes | None
    memory_type: Text | None
    cpu: ServerCpu
    disk: Text | None
    locations: list[Text]
    status: Text | None
    prices: list[Price]
    sources: Sources


class PublishedBits(Contract):
    """Bits per weight over published files with this label."""

    files: Count
    p10: Rate
    median: Rate
    p90: Rate


class LargeMoe(Contract):
    """Perplexity of a large mixture of experts in this quantisation and in Q8_0."""

    model: Id
    bits_per_weight: Rate
    perplexity: Rate
    perplexity_q8_0: Rate


class QuantEntry(Entry):
    """A quantisation: a block type of ggml, a recipe of llama-quantize (which may share its name), or a publisher's mix.

    `tier` is this catalog's judgement by `kld`, the mean divergence from F16 of Llama-3-8B (`kld_imatrix`: made with an
    importance matrix); `source` says where that was measured.
    """

    kind: t.Literal["type", "recipe", "mix"]
    file_type: t.Annotated[int, Field(ge=0)] | None
    base_type: Text | None
    type_bits_per_weight: Rate | None
    bits_per_weight: Rate | None
    published_bits_per_weight: PublishedBits | None
    tier: t.Literal["high", "medium", "low"] | None
    kld: Rate | None
    kld_imatrix: Rate | None
    source: Text | None
    large_moe: list[LargeMoe]
    caveat: Text | None
    sources: Sources


ENTRIES: dict[str, type[Entry]] = {
    "model": ModelEntry,
    "gpu": GpuEntry,
    "server": ServerEntry,
    "quant": QuantEntry,
}
