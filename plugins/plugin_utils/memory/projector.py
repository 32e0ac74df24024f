# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a vision projector (`--mmproj`) takes: its weights in one buffer, and a compute buffer that grows with the image.

The compute buffer is reserved at the start for a warm-up image of the projector's own size, made again for the first larger
image, and never shrinks. It depends neither on the batch nor on the slots, which share it. Sources: `clip_graph_*` of
`tools/mtmd` of llama.cpp 0.7.0, its keys `clip.*`, and measured buffers of eleven projectors.
"""

from __future__ import annotations

import math
import typing as t

from ...module_utils.ggml_types import tensor_bytes
from ..model.model import Model
from .alignment import CPU_ALIGNMENT, CUDA_ALIGNMENT, cuda_bytes
from .context import pad
from .refusals import UnknownModel

F32 = 4
MASK = 2  # f16
RGB = 3


class Images(t.NamedTuple):
    """How images reach the encoder of a projector, in merged patches (what the model sees as tokens) per side.

    `warm_up` at the start and `largest` at most, 0 where every image is scaled to the size that the header states;
    `merge`: patches per side of a token; `tiles`: parts that a large image is cut into and that are encoded together.
    """

    warm_up: int = 0
    largest: int = 0
    merge: int = 1
    tiles: int = 1


class Encoder(t.NamedTuple):
    """Where the compute buffer is fullest, in rows per patch: of the embedding and of the feed-forward's width.

    `scored`: rows of the embedding beside the scores, without flash attention. `class_token`: one more row than patches.
    `positions`: i32 per patch, `indices` those of the order of windows. `inputs_stay`: the image lies on the GPU until the end.
    `windows`: a mask of all patches by all patches. `merged`: rows of the text model's width per token.
    """

    embedding: int
    feed_forward: int
    scored: int = 7
    class_token: bool = False
    inputs_stay: bool = True
    positions: int = 0
    indices: int = 0
    windows: bool = False
    merged: int = 0


class Kind(t.NamedTuple):
    """One value of `clip.projector_type`."""

    images: Images
    encoder: Encoder


KINDS: dict[str, Kind] = {
    "gemma3": Kind(Images(), Encoder(3, 1, scored=6, inputs_stay=False)),
    "idefics3": Kind(Images(), Encoder(3, 1, scored=6, inputs_stay=False)),
    "internvl": Kind(Images(tiles=4), Encoder(3, 1, class_token=True, inputs_stay=False)),
    "llama4": Kind(Images(), Encoder(2, 1, class_token=True, positions=2)),
    "pixtral": Kind(Images(16, 32, 2), Encoder(1, 3, scored=5, positions=2, merged=2)),
    "qwen2.5vl_merger": Kind(Images(46, 64, 2), Encoder(2, 3, positions=4, indices=2, windows=True)),
    "qwen3vl_merger": Kind(Images(46, 64, 2), Encoder(6, 0, positions=4)),
}
# Encoders whose buffers were not measured: no one measured is fuller at the same widths.
UNKNOWN = Kind(Images(46, 64, 2), Encoder(6, 3, positions=4))


class Projector(t.NamedTuple):
    """Bytes of a projector: weights on a GPU and on the host, compute at the start and with the largest image.

    `known` is false where only a bound is.
    """

    gpu_weights: int
    host_weights: int
    compute: int
    host_compute: int
    largest_compute: int
    largest_host_compute: int
    known: bool


def projector_of(
    model: Model, flash: bool = True, image_max_tokens: int | None = None, warm_up: bool = True
) -> Projector:
    """Return what the projector in `model`'s file takes.

    :param flash: with flash attention, which is off for the projector too where the launch turns it off.
    :param image_max_tokens: `--image-max-tokens`, which limits images that are not scaled to one size.
    :param warm_up: without (`--no-warmup`) nothing is reserved before the first image.
    :raises UnknownModel: the file is no projector of images, or lacks a key.
    """
    name = _kind_name(model)
    kind = KINDS.get(name, UNKNOWN)
    first, most = _sides(model, kind.images, image_max_tokens)
    largest = _compute(model, kind, most, flash, kind.images.tiles)
    start = _compute(model, kind, first, flash, 1) if warm_up else (0, 0)
    return Projector(
        gpu_weights=sum(
            cuda_bytes(tensor_bytes(tensor.type, tensor.shape), tensor.type, tensor.shape[0])
            for tensor in model.tensors
        ),
        host_weights=sum(pad(tensor_bytes(tensor.type, tensor.shape), CPU_ALIGNMENT) for tensor in model.tensors),
        compute=start[0],
        host_compute=start[1],
        largest_compute=max(largest[0], start[0]),
        largest_host_compute=max(largest[1], start[1]),
        known=name in KINDS,
    )


def _kind_name(model: Model) -> str:
    if model.architecture != "clip":
        raise UnknownModel(
            f"mmproj: the architecture of {model.id} is '{model.architecture}', and that of a projector is 'clip'"
        )
    found = model.get("vision.projector_type") or model.get("projector_type")
    if not isinstance(found, str) or not model.get("has_vision_encoder", True):
        raise UnknownModel(f"mmproj: {model.id} has no encoder of images; what others take is not known")
    return found


def _number(model: Model, key: str) -> int:
    value = model.get(f"vision.{key}")
    if not isinstance(value, int) or value <= 0:
        raise UnknownModel(f"mmproj: the header of {model.id} has no 'clip.vision.{key}', a positive number")
    return value


def _sides(model: Model, images: Images, image_max_tokens: int | None) -> tuple[int, int]:
    """Return the side in patches of the warm-up image and of the largest one."""
    if not images.warm_up:
        side = _number(model, "image_size") // _number(model, "patch_size")
        return side, side
    most = images.largest if image_max_tokens is None else math.isqrt(image_max_tokens)
    return min(images.warm_up, most) * images.merge, most * images.merge


def _compute(model: Model, kind: Kind, side: int, flash: bool, tiles: int) -> tuple[int, int]:
    """Return the bytes of the compute buffers beside the weights and of the host's inputs, for one image."""
    images, encoder = kind
    embedding, feed_forward = _number(model, "embedding_length"), _number(model, "feed_forward_length")
    patch = _number(model, "patch_size")
    patches = side * side
    rows = patches + encoder.class_token
    fixed = not images.warm_up
    pixels = F32 * RGB * (_number(model, "image_size") ** 2 if fixed else patches * patch * patch)
    inputs = [pixels]
    inputs += [F32 * rows] * encoder.positions if encoder.class_token else [F32 * rows * encoder.positions]
    inputs += [F32 * patches // images.merge**2] * encoder.indices
    if encoder.windows:
        inputs.append(MASK * patches * patches)
    wide, hidden = F32 * rows * embedding, F32 * rows * feed_forward
    if flash:
        deep = sum(".deepstack" in tensor.name and tensor.name.endswith("fc1.weight") for tensor in model.tensors)
        parts = [wide] * (encoder.embedding + deep) + [hidden] * encoder.feed_forward
    else:
        parts = [wide] * encoder.scored + [F32 * rows * rows * _number(model, "attention.head_count")]
    if encoder.merged:
        text = F32 * _number(model, "projection_dim")
        tokens_a_side = side // images.merge
        parts.append(text * tokens_a_side)  # the breaks after each row
        parts += [text * tokens_a_side**2] * (encoder.merged if flash else 0)
    if encoder.inputs_stay:
        parts += inputs
    on_gpu = sum(pad(part, CUDA_ALIGNMENT) for part in parts)
    on_host = sum(pad(part, CPU_ALIGNMENT) for part in inputs)
    return tiles * on_gpu, tiles * on_host
