# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What llama-server allocates beside the model (projector, draft, MTP, LoRA) and on the host, beside what the engine says.

Measured with llama.cpp 0.7.0 (build 11669) like the loads of `memory_rows`.
"""

from __future__ import annotations

import dataclasses
import functools
import shlex
import typing as t

from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.host import Gpu
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.launch import Launch
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.memory import MemoryEstimate
from ansible_collections.prositronic.infra.plugins.plugin_utils.memory.beside import Beside
from ansible_collections.prositronic.infra.plugins.plugin_utils.memory.estimate import estimate
from ansible_collections.prositronic.infra.plugins.plugin_utils.model.model import Model, Tensor
from ansible_collections.prositronic.infra.tests.conformance import memory_rows
from ansible_collections.prositronic.infra.tests.conformance.measured import rows

MIB = 1 << 20
SHORT = {
    "-c": "ctx_size",
    "-ctk": "cache_type_k",
    "-ctkd": "cache_type_k_draft",
    "-ctv": "cache_type_v",
    "-ctvd": "cache_type_v_draft",
    "-dev": "device",
    "-devd": "device_draft",
    "-fa": "flash_attn",
    "-fit": "fit",
    "-m": "model",
    "-md": "model_draft",
    "-mg": "main_gpu",
    "-ngl": "n_gpu_layers",
    "-ngld": "n_gpu_layers_draft",
    "-np": "parallel",
    "-sm": "split_mode",
    "-ts": "tensor_split",
    "-ub": "ubatch_size",
}
FLAGS = {"-cmoe": "cpu_moe", "-nkvo": "no_kv_offload"}
LONG_FLAGS = ("no_host", "no_mmproj_offload", "no_repack", "no_warmup")
# Options that take no memory, or none that the contract knows.
WITHOUT_MEMORY = ("lora_init_without_apply", "no_spec_draft_backend_sampling", "mtmd_batch_max_tokens")
# What the allocator calls a buffer, and what its line is called. A second compute buffer is the drafting context's.
LINES = {
    "weights": "weights",
    "mmap": "weights",
    "kv": "KV cache",
    "rs": "recurrent state",
    "compute": "compute buffer",
    "output": "output buffer",
    "draft.weights": "weights",
    "draft.kv": "draft KV cache",
    "draft.compute": "draft compute buffer",
    "draft.output": "draft output buffer",
    "lora.weights": "LoRA adapters",
    "mmproj.weights": "projector weights",
    "mmproj.compute": "projector compute buffer",
}
DECODING = "llama_context6decode"
RANK = 16


@dataclasses.dataclass(frozen=True, eq=False)
class Row:
    """One start of llama-server."""

    number: int
    data: dict[str, t.Any]

    @property
    def name(self) -> str:
        return f"extras[{self.number}] {self.data['what']} {self.data['model']}: {self.data['options']}"

    @functools.cached_property
    def launch(self) -> dict[str, t.Any]:
        """The command line as a launch."""
        words = iter(shlex.split(self.data["options"]))
        found: dict[str, t.Any] = {}
        for word in words:
            option = SHORT.get(word, word.removeprefix("--").replace("-", "_"))
            if word in FLAGS or option in LONG_FLAGS:
                found[FLAGS.get(word, option)] = True
            elif option.startswith(("no_", "lora_init")):
                found[option] = True
            else:
                found[option] = next(words)
        found.pop("model")
        return {option: value for option, value in found.items() if option not in WITHOUT_MEMORY}

    @property
    def chosen_by_fit(self) -> bool:
        """Whether llama-server chose the context itself."""
        return "ctx_size" not in self.launch

    @property
    def gpus(self) -> list[Gpu]:
        return [Gpu(memory_free_bytes=int(size) * MIB) for size in self.data["gpu_mib"].split(",")]

    @property
    def embedding(self) -> int:
        """The width of the model's hidden state."""
        return int(self._model().get("embedding_length"))

    @property
    def draft_embedding(self) -> int:
        """The same of the draft, 0 without one."""
        return 2048 if "model_draft" in self.launch else 0

    @functools.cached_property
    def estimate(self) -> MemoryEstimate:
        """Return the engine's answer. The text model beside a projector was another one; only the projector counts there."""
        launch = dict(self.launch)
        if self.chosen_by_fit:
            launch["ctx_size"] = self._chosen_context()
        beside = Beside(
            projector=self._projector() if "mmproj" in launch else None,
            draft=memory_rows.model("llama3-2-1b", "Q8_0") if "model_draft" in launch else None,
            adapters=tuple(self._adapters()),
        )
        return estimate(self._model(), Launch(**launch), self.gpus, beside=beside)

    def _chosen_context(self) -> int:
        per_token = 20480 if "qwen3-6" in self.data["model"] else 131072
        devices = (part for device, part in self.data["measured"].items() if device.startswith("CUDA"))
        return sum(sum(device.get("kv", ())) for device in devices) // per_token

    def _model(self) -> Model:
        name = self.data["model"].split(" + ")[0]
        if name.startswith("deepseek-v3-2 cut"):
            return _cut_model()
        if self.data["what"] == "mmproj":
            name = "llama3-1-8b"
        return memory_rows.model(name, self.data["quant"] if self.data["what"] != "mmproj" else "Q4_K_M")

    def _projector(self) -> Model:
        """The header of the projector: its keys, and its tensors, which were kept for Gemma's only; else one as large."""
        own = self.data["what"] == "mmproj"
        name = self.data["model"] if own else "gemma3-4b"
        shape = next(row.data for row in all_rows() if row.data["model"] == name and "hparams" in row.data)
        keys = {f"clip.{key}": value for key, value in shape["hparams"].items()}
        if name.startswith("gemma3"):
            tensors = _gemma3_projector(keys["clip.vision.projection_dim"] if own else 4096)
        else:
            tensors = [Tensor("v.all", (shape["file_data_bytes"] // 4,), "F32")]
        if name == "qwen3-vl-30b":
            tensors += [Tensor(f"v.deepstack.{layer}.fc1.weight", (1, 1), "F32") for layer in (8, 16, 24)]
        return Model(name, name, {"general.architecture": "clip", **keys}, tuple(tensors))

    def _adapters(self) -> t.Iterator[Model]:
        for path in filter(None, self.launch.get("lora", "").split(",")):
            targets = ("attn_q", "attn_v") if "qv" in path else None
            yield _adapter(memory_rows.model("llama3-1-8b", "Q4_K_M"), targets, "F32" if "f32" in path else "F16")

    def measured(self) -> dict[tuple[str, str], int]:
        """Return bytes by place and line."""
        found: dict[tuple[str, str], int] = {}
        on_gpu = any("mmproj.weights" in part for name, part in self.data["measured"].items() if name != "CPU")
        for device, parts in self.data["measured"].items():
            where = f"GPU{device[4:]}" if device[4:].isdigit() else "host"
            for kind, sizes in parts.items():
                line = "draft output buffer" if DECODING in kind else LINES[kind]
                if where == "host" and line == "projector compute buffer" and on_gpu:
                    line = "projector inputs"
                for position, size in enumerate(sizes):
                    second = position == 1 and line == "compute buffer"
                    key = where, "draft compute buffer" if second else line
                    found[key] = found.get(key, 0) + size
        return found

    def grown(self) -> dict[str, int]:
        """Return what the projector's buffers were at most after images, by place."""
        found: dict[str, int] = {}
        for image in self.data.get("after_images", ()):
            for device, parts in image["mmproj"].items():
                where = f"GPU{device[4:]}" if device[4:].isdigit() else "host"
                found[where] = max(found.get(where, 0), parts.get("mmproj.compute", [0])[0])
        return found


def said(answer: MemoryEstimate, later: bool = False) -> dict[tuple[str, str], int]:
    """Return the lines of an answer by place, the draft's weights with the model's, as the allocator counts file pages."""
    found: dict[tuple[str, str], int] = {}
    for line in answer.lines:
        if line.later == later:
            key = line.where, "weights" if line.what == "draft weights" else line.what
            found[key] = found.get(key, 0) + line.bytes
    return found


@functools.cache
def all_rows() -> tuple[Row, ...]:
    return tuple(Row(number, data) for number, data in enumerate(rows("extras")))


def _gemma3_projector(width: int) -> list[Tensor]:
    """SigLIP with 27 blocks and a projection to `width`, as the converter writes it."""
    embedding, hidden = 1152, 4304
    norm = [("weight", (embedding,)), ("bias", (embedding,))]
    shapes: list[tuple[str, tuple[int, ...], str]] = [
        ("v.patch_embd.weight", (14, 14, 3, embedding), "F32"),
        ("v.patch_embd.bias", (embedding,), "F32"),
        ("v.position_embd.weight", (embedding, 4096), "F32"),
        ("mm.input_projection.weight", (width, embedding), "F16"),
        ("mm.soft_emb_norm.weight", (embedding,), "F32"),
        *((f"v.post_ln.{part}", shape, "F32") for part, shape in norm),
    ]
    for block in range(27):
        at = f"v.blk.{block}"
        for matrix, rows_, columns in (
            *((f"attn_{name}", embedding, embedding) for name in ("q", "k", "v", "out")),
            ("ffn_up", embedding, hidden),
            ("ffn_down", hidden, embedding),
        ):
            shapes += [
                (f"{at}.{matrix}.weight", (rows_, columns), "F16"),
                (f"{at}.{matrix}.bias", (columns,), "F32"),
            ]
        shapes += [(f"{at}.{name}.{part}", shape, "F32") for name in ("ln1", "ln2") for part, shape in norm]
    return [Tensor(*shape) for shape in shapes]


@functools.cache
def _cut_model() -> Model:
    """DeepSeek V3.2 with its first five blocks and the one for multi-token prediction."""
    whole = memory_rows.model("deepseek-v3-2", "Q4_K_M")
    last = whole.get("block_count") - 1
    tensors = []
    for tensor in whole.tensors:
        block = int(tensor.name.split(".")[1]) if tensor.name.startswith("blk.") else 0
        if block < 5:
            tensors.append(tensor)
        elif block == last:
            tensors.append(dataclasses.replace(tensor, name=tensor.name.replace(f"blk.{last}.", "blk.5.")))
    metadata = {**whole.metadata, f"{whole.architecture}.block_count": 6}
    return dataclasses.replace(whole, metadata=metadata, tensors=tuple(tensors))


@functools.cache
def _adapter(base: Model, targets: tuple[str, ...] | None, kind: str) -> Model:
    """An adapter of rank 16 for these matrices of every block, or for all seven."""
    wanted = targets or ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
    tensors = []
    for tensor in base.tensors:
        if tensor.name.startswith("blk.") and tensor.name.split(".")[2] in wanted and len(tensor.shape) == 2:
            columns, rows_ = tensor.shape
            tensors.append(Tensor(f"{tensor.name}.lora_a", (columns, RANK), kind))
            tensors.append(Tensor(f"{tensor.name}.lora_b", (RANK, rows_), kind))
    return Model("adapter", "adapter", {"general.architecture": base.architecture}, tuple(tensors))
