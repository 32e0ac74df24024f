# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Hugging Face config.json becomes GGUF metadata, and with a quant a `Model`."""

from __future__ import annotations

import difflib
import re
import typing as t

from ..contract.base import ContractError
from .from_catalog import quantised
from .hf import READERS
from .hf.config import Config
from .hf.keys import Keys
from .model import Model


def metadata(config: t.Any, *, mtp: bool | None = None) -> dict[str, t.Any]:
    """Return the GGUF keys that llama.cpp's converter would write, and `checkpoint.` keys for what only tensors show.

    :param config: the parsed config.json.
    :param mtp: whether blocks for multi-token prediction are converted too; None: as in published files of the architecture.
    :raises ContractError: an architecture not known here, or a key that is missing or not what it should be.
    """
    return _read(config, mtp).metadata


def warnings(config: t.Any, *, mtp: bool | None = None) -> tuple[str, ...]:
    """Return what a reader of the config should know: scaled positions, parts that are not converted or not counted."""
    return tuple(_read(config, mtp).warnings)


def value(config: t.Any, name: str | None = None, mtp: bool | None = None) -> dict[str, t.Any]:
    """Return the model of `config` as plain data, to be quantised to whatever a plan tries: id, name, metadata, warnings.

    :param name: what to call the model; else the last part of the config's `_name_or_path`, else its class.
    :param mtp: see metadata.
    :raises ContractError: as `metadata`, or the name is no short text.
    """
    keys = _read(config, mtp)
    if name is not None and (not isinstance(name, str) or not 0 < len(name) <= 128):
        raise ContractError("name: must be a text of 1 to 128 characters")
    called = name or str(keys.metadata["general.name"])
    return {"id": called, "name": called, "metadata": keys.metadata, "warnings": keys.warnings}


def model(config: t.Any, quant: str, *, mtp: bool | None = None, name: str | None = None) -> Model:
    """Return the model that converting and quantising the checkpoint of `config` gives.

    :param quant: a file type of llama-quantize, such as Q4_K_M.
    :param mtp: see metadata.
    :param name: see value.
    :raises ContractError: as `metadata`, or no such quant.
    """
    return quantised(value(config, name, mtp), quant)


def _read(config: t.Any, mtp: bool | None) -> Keys:
    if mtp is not None and not isinstance(mtp, bool):
        raise ContractError("mtp: must be true or false")
    c = Config.of(config)
    hf_architecture = _architecture(config, c.values)
    reader = READERS.get(hf_architecture)
    if reader is None:
        near = difflib.get_close_matches(hf_architecture, READERS, n=1)
        raise ContractError(
            f"config.json: the architecture {hf_architecture} is not known here"
            + (f"; did you mean {near[0]}?" if near else "; pass the header of a GGUF file (gguf_info) instead")
        )
    c = c.with_defaults(reader.defaults)
    architecture = reader.architecture if isinstance(reader.architecture, str) else reader.architecture(c)
    keys = Keys(architecture, mtp)
    reader.read(c, keys)
    keys.metadata["general.name"] = _name(config) or hf_architecture
    keys.metadata["general.file_type"] = 32  # BF16, before quantising
    if c.has("quantization_config"):
        method = c.section("quantization_config").text("quant_method")
        stored = f" ({method})" if re.fullmatch(r"[A-Za-z0-9_-]{1,32}", method) else ""
        keys.warnings.append(
            "the experts are stored in MXFP4: MXFP4_MOE keeps them as they are, other quants are taken to be made from BF16"
            if method == "mxfp4"
            else f"the weights are stored quantised{stored}; the converter expands them before llama-quantize"
        )
    if c.has("vision_config") or c.has("audio_config"):
        keys.warnings.append("only the language model is counted; images and sound need a projector (--mmproj) besides")
    return keys


def _architecture(config: t.Mapping[str, t.Any], inner: t.Mapping[str, t.Any]) -> str:
    """Return the class that is read: the config's, or that of its language model where only this one is known.

    Text of the user's, so only what a class may be called is repeated.
    """
    outer = _class(config)
    if outer not in READERS and inner.get("architectures") and _class(inner) in READERS:
        return _class(inner)
    return outer


def _class(config: t.Mapping[str, t.Any]) -> str:
    listed = config.get("architectures")
    if not isinstance(listed, (list, tuple)) or not listed:
        raise ContractError(
            "config.json: 'architectures' is missing; it names the model's class, such as ['LlamaForCausalLM']"
        )
    if not isinstance(listed[0], str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,63}", listed[0]):
        raise ContractError("config.json: 'architectures' must list the name of a class, such as ['LlamaForCausalLM']")
    return listed[0]


def _name(config: t.Any) -> str:
    name = config.get("_name_or_path")
    if not isinstance(name, str) or not re.fullmatch(r"[\w./-]{1,128}", name):
        return ""
    return name.rstrip("/").rsplit("/", 1)[-1]
