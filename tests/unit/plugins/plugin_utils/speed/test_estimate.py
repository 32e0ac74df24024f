# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The answer: a band around every rate, wider where less is known, and a measurement before any rule."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.host import (
    Cpu,
    Gpu,
    HostMemory,
    InferenceHost,
    Pcie,
    Storage,
)
from ansible_collections.prositronic.infra.plugins.plugin_utils.model.model import Model, Tensor
from ansible_collections.prositronic.infra.plugins.plugin_utils.speed.activity import activity
from ansible_collections.prositronic.infra.plugins.plugin_utils.speed.estimate import MeasuredSpeed, estimate
from ansible_collections.prositronic.infra.plugins.plugin_utils.speed.host_rates import host_rates
from ansible_collections.prositronic.infra.plugins.plugin_utils.speed.rates import device_rates
from ansible_collections.prositronic.infra.plugins.plugin_utils.speed.work import Workload

GIB = 1 << 30
RTX_3090 = Gpu(
    name="NVIDIA GeForce RTX 3090",
    vendor="nvidia",
    compute_capability="8.6",
    bandwidth_bytes_per_second=936.2e9,
    pcie=Pcie(maximum_generation=4, maximum_width=16),
)


def desktop(**cpu):
    return InferenceHost(gpus=[], memory=HostMemory(total_bytes=64 * GIB), cpu=Cpu(**cpu))


DESKTOP = desktop(bandwidth_bytes_per_second=60e9)


def experts(layers=24, width=2048, number=64, used=4):
    """A model whose weights are nearly all experts: 24 layers of 64 x 12.6 M values in 4.5 bits."""
    tensors = [Tensor("token_embd.weight", (width, 32000), "Q4_K"), Tensor("output.weight", (width, 32000), "Q6_K")]
    for index in range(layers):
        block = f"blk.{index}."
        tensors += [
            Tensor(block + "attn_q.weight", (width, width), "Q4_K"),
            Tensor(block + "attn_k.weight", (width, 512), "Q4_K"),
            Tensor(block + "attn_v.weight", (width, 512), "Q4_K"),
            Tensor(block + "attn_output.weight", (width, width), "Q4_K"),
            Tensor(block + "ffn_gate_inp.weight", (width, number), "F32"),
            *(
                Tensor(block + f"ffn_{part}_exps.weight", (width, 2048, number), "Q4_K")
                for part in ("gate", "up", "down")
            ),
        ]
    metadata = {
        "general.architecture": "llama",
        "llama.block_count": layers,
        "llama.embedding_length": width,
        "llama.attention.head_count": 16,
        "llama.attention.head_count_kv": 4,
        "llama.expert_count": number,
        "llama.expert_used_count": used,
    }
    return activity(Model("experts", "experts", metadata, tuple(tensors)))


MODEL = experts()
LAYERS = len(MODEL.layers)


def told(gpus=(RTX_3090,), host=DESKTOP, depth=0, host_experts=0, host_layers=0, **options):
    counts = [(LAYERS - host_layers) // len(gpus)] * len(gpus) if gpus else []
    if counts:
        counts[-1] += LAYERS - host_layers - sum(counts)
    work = Workload(MODEL, depth).work(counts, host_layers if gpus else LAYERS, [host_experts] * len(counts))
    return estimate(work, [device_rates(gpu) for gpu in gpus], host_rates(host), **options)


def width(band):
    return band.high / band.low


def test_every_rate_has_a_band_around_it():
    for speed in (told(), told(gpus=()), told(gpus=(Gpu(),)), told(host_experts=24), told(gpus=(), ram_bytes=0.0)):
        for band in (speed.decode_tokens_per_second, speed.prefill_tokens_per_second):
            assert 0 < band.low < band.expected < band.high


def test_a_gpu_of_a_calibrated_kind_is_told_as_calibrated():
    assert told().basis == "calibrated"


def test_a_gpu_nobody_knows_gets_a_wide_answer_and_says_so():
    unknown = told(gpus=(Gpu(name="Card from the future"),))
    assert unknown.basis == "roofline"
    assert width(unknown.decode_tokens_per_second) > 5 * width(told().decode_tokens_per_second)


def test_a_known_bandwidth_of_an_unknown_kind_is_between_the_two():
    figure = told(gpus=(Gpu(vendor="other", bandwidth_bytes_per_second=936.2e9),)).decode_tokens_per_second
    assert width(told().decode_tokens_per_second) < width(figure)
    assert width(figure) < width(told(gpus=(Gpu(),)).decode_tokens_per_second)


def test_a_laptops_gpu_is_less_certain_than_the_card_of_the_same_figures():
    laptop = RTX_3090.model_copy(update={"name": "NVIDIA GeForce RTX 3090 Laptop GPU"})
    assert width(told(gpus=(laptop,)).decode_tokens_per_second) > width(told().decode_tokens_per_second)


def test_what_was_measured_on_the_host_beats_the_rules():
    speed = told(measured=MeasuredSpeed(decode=123.0, prefill=4567.0))
    assert speed.basis == "measured"
    assert speed.decode_tokens_per_second.expected == 123.0
    assert speed.prefill_tokens_per_second.expected == 4570.0  # three digits are told
    assert width(speed.decode_tokens_per_second) < width(told().decode_tokens_per_second)


def test_only_the_prompt_measured_leaves_the_answer_by_the_rules():
    speed = told(measured=MeasuredSpeed(prefill=4567.0))
    assert speed.basis == "calibrated"
    assert speed.decode_tokens_per_second == told().decode_tokens_per_second


def test_the_context_costs_its_reading():
    rates = [told(depth=depth).decode_tokens_per_second.expected for depth in (0, 8192, 131072)]
    assert rates == sorted(rates, reverse=True)
    seconds = 1 / rates[2] - 1 / rates[0]
    # 24 layers x 131,072 cells x 1,024 values of 2 bytes; no card reads faster than its data sheet, a cache not below half
    cache = 24 * 131072 * 1024 * 2
    assert cache / 936.2e9 < seconds < 2 * cache / 936.2e9


def test_no_card_is_told_to_read_faster_than_its_data_sheet():
    for pace in ("low", "expected"):
        assert getattr(told().decode_tokens_per_second, pace) * MODEL.token_bytes < 936.2e9


def test_a_second_gpu_takes_turns_and_makes_decoding_no_faster():
    one, two = (
        told().decode_tokens_per_second.expected,
        told(gpus=(RTX_3090, RTX_3090)).decode_tokens_per_second.expected,
    )
    assert 0.9 * one < two <= one


def test_a_second_gpu_reads_long_prompts_beside_the_first():
    one, two = told(), told(gpus=(RTX_3090, RTX_3090))
    assert two.prefill_tokens_per_second.expected > 1.3 * one.prefill_tokens_per_second.expected


def test_experts_with_the_host_cost_their_share_of_its_memory():
    seconds = [1 / told(host_experts=number).decode_tokens_per_second.expected for number in (0, 12, 24)]
    assert seconds == sorted(seconds)
    share = 24 * 3 * 2048 * 2048 * 64 * 144 / 256 * 4 / 64
    assert seconds[2] > share / 60e9


def test_copying_experts_is_paid_once_a_batch():
    small = told(host_experts=24, ubatch=512).prefill_tokens_per_second.expected
    large = told(host_experts=24, ubatch=2048).prefill_tokens_per_second.expected
    assert 2 < large / small < 4


def test_the_link_bounds_the_copying():
    narrow = RTX_3090.model_copy(update={"pcie": Pcie(maximum_generation=3, maximum_width=4)})
    wide = told(host_experts=24).prefill_tokens_per_second.expected
    slow = told(gpus=(narrow,), host_experts=24).prefill_tokens_per_second.expected
    assert slow < wide / 3


def test_without_op_offload_the_cpu_computes_the_prompt():
    with_copying = told(host_experts=24, ubatch=2048).prefill_tokens_per_second.expected
    by_cpu = told(host_experts=24, ubatch=2048, op_offload=False).prefill_tokens_per_second.expected
    assert by_cpu < with_copying


@pytest.mark.parametrize("rate", [0.5e9, 3.5e9])
def test_weights_that_ram_cannot_keep_are_read_from_disk(rate):
    host = DESKTOP.model_copy(update={"storage": [Storage(path="/models", read_bytes_per_second=rate)]})
    stored = sum(layer.expert_bytes for layer in MODEL.layers)
    read = sum(layer.routed_bytes for layer in MODEL.layers)
    speed = told(host=host, host_experts=24, ram_bytes=stored / 4).decode_tokens_per_second
    # three quarters of the experts a token asks for come from disk, at best at the disk's own rate
    assert speed.high < 1 / (0.75 * read / rate)
    assert speed.low > 1 / (10 * read / rate)


def test_a_disk_nobody_measured_makes_the_answer_a_roofline():
    known = DESKTOP.model_copy(update={"storage": [Storage(path="/models", read_bytes_per_second=3e9)]})
    assert told(host=known, host_experts=24, ram_bytes=1.0).basis == "calibrated"
    assert told(host=DESKTOP, host_experts=24, ram_bytes=1.0).basis == "roofline"
    assert told(host=DESKTOP, host_experts=24, ram_bytes=float(GIB << 10)).basis == "calibrated"


def test_a_cpu_of_few_cores_is_slower_than_its_memory():
    few, many = (
        told(gpus=(), host=desktop(physical_cores=cores, bandwidth_bytes_per_second=60e9)) for cores in (1, 16)
    )
    assert few.decode_tokens_per_second.expected < many.decode_tokens_per_second.expected / 2


def test_an_unmeasured_host_is_less_certain_than_a_measured_one():
    hosts = (DESKTOP, desktop(model="AMD Ryzen 9 7950X 16-Core Processor"), desktop())
    speeds = [told(gpus=(), host=host) for host in hosts]
    widths = [width(speed.decode_tokens_per_second) for speed in speeds]
    assert widths == sorted(widths)
    assert [speed.basis for speed in speeds] == ["calibrated", "calibrated", "roofline"]


def test_a_layout_that_is_not_the_models_is_refused():
    with pytest.raises(ValueError, match="are not the 25 of the model"):
        Workload(MODEL, 0).work([LAYERS - 1])


def test_asking_for_a_layout_gives_the_same_as_adding_its_layers_up():
    work = Workload(MODEL, 1000).work([10, 8], host_layers=7, borders=[12, 12])
    whole = Workload(MODEL, 1000).work([LAYERS])
    parts = [*work.parts, work.host]
    for name in ("read_bytes", "cache_bytes", "flops", "stored_bytes", "kernels"):
        split = sum(getattr(part.dense, name) + getattr(part.experts, name) for part in parts)
        assert split == pytest.approx(getattr(whole.parts[0].dense, name) + getattr(whole.parts[0].experts, name))
    assert work.parts[0].experts.stored_bytes == pytest.approx(MODEL.layers[0].expert_bytes * 5)
    # into the first GPU, to the second, and out and back for the experts of layers 7 to 11
    assert work.hops == 1 + 1 + 2 * 5


def test_a_model_without_tensors_is_no_error():
    nothing = activity(Model("empty", "empty", {}, ()))
    work = Workload(nothing, 0).work([1])
    assert estimate(work, [device_rates(RTX_3090)], host_rates(DESKTOP)).decode_tokens_per_second.high <= 1e6


def test_the_threads_that_a_container_may_use_count():
    limited = desktop(physical_cores=32, usable_threads=2, bandwidth_bytes_per_second=200e9)
    whole = desktop(physical_cores=32, usable_threads=64, bandwidth_bytes_per_second=200e9)
    rates = [told(gpus=(), host=host).decode_tokens_per_second.expected for host in (limited, whole)]
    assert rates[0] < rates[1] / 2


def test_a_prompt_of_one_token_is_no_faster_than_a_token_generated():
    work = dataclasses.replace(Workload(MODEL, 0).work([LAYERS]), logits=0)
    speed = estimate(work, [device_rates(RTX_3090)], host_rates(DESKTOP), prompt_tokens=1)
    assert speed.prefill_tokens_per_second.expected <= speed.decode_tokens_per_second.expected
