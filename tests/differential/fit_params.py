# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compares the estimate with the real llama-fit-params: random shapes, quants and launches.

    python tests/differential/fit_params.py [--count 300] [--seed 1] [--first 0] [--record]

Question N of seed S is always the same: `--seed S --first N --count 1` runs it alone. Ends with 77 where the program cannot
be had, and says why. Weights and caches must be equal to the MiB that it prints; compute buffers too, in nearly all cases.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
import typing as t
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
import as_collection  # noqa: F401 # pylint: disable=unused-import
from ansible_collections.prositronic.infra.plugins.plugin_utils.catalog import access
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.host import Gpu
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.launch import Launch
from ansible_collections.prositronic.infra.plugins.plugin_utils.memory import alignment
from ansible_collections.prositronic.infra.plugins.plugin_utils.memory.estimate import estimate
from ansible_collections.prositronic.infra.plugins.plugin_utils.memory.refusals import LaunchRefused, UnknownModel
from ansible_collections.prositronic.infra.tests.conformance import accuracy
from ansible_collections.prositronic.infra.tests.unit import gguf_files
from programs import NotHere, Programs, debian_programs
from question import Question, command_line, question

from tools.environment import cache_directory

NOT_HERE = 77
MIB = 1 << 20
DEVICES = 3
# The share of the compute buffers that must be within 1 MiB or 1 %.
NEAR_SHARE = 0.97
Use = tuple[int, int, int]


@dataclasses.dataclass
class Comparison:
    """What was found: MiB of weights, caches and compute buffer per device, said by the program and by the estimate."""

    asked: Question
    number: int
    refused: str = ""
    theirs: tuple[Use, ...] = ()
    ours: tuple[Use, ...] = ()

    @property
    def wrong(self) -> str:
        """What must not be: a refusal of one side only, other weights or caches, far too small a compute buffer."""
        if self.refused:
            return self.refused
        for mine, real in zip(self.ours, self.theirs, strict=True):
            if any(abs(a - b) > 1 for a, b in zip(mine[:2], real[:2], strict=True)):
                return f"weights and caches {mine[:2]} MiB instead of {real[:2]}"
            if real[2] - mine[2] > max(1, min(64, real[2] * 0.05)):
                return f"compute buffer {mine[2]} MiB instead of {real[2]}"
        return ""

    def buffers(self) -> t.Iterator[bool]:
        """Yield for each compute buffer whether it is near."""
        for mine, real in zip(self.ours, self.theirs, strict=True):
            yield abs(mine[2] - real[2]) <= max(1, real[2] * 0.01)


def compare(programs: Programs, endpoints: list[str], folder: Path, asked: Question, number: int) -> Comparison:
    """Put one question to both."""
    found = Comparison(asked, number)
    try:
        found.ours = _ours(asked)
        refusal = ""
    except (LaunchRefused, UnknownModel) as problem:
        refusal = str(problem)
    done = programs.fit_params(_arguments(asked, endpoints[: asked.devices], folder))
    if bool(done.returncode) != bool(refusal):
        said = [line for line in done.stderr.splitlines() if " E " in line or "error" in line] or ["nothing"]
        last = said[0].partition(" E ")[2] or said[0]
        found.refused = (
            f"refused only here: {refusal}" if refusal else f"refused only by the program ({done.returncode}): {last}"
        )
    elif refusal:
        found.ours = ()
    else:
        uses = {words[0]: words[1:] for words in map(str.split, done.stdout.splitlines()) if len(words) == 4}
        names = [f"RPC{device}" for device in range(asked.devices)] + ["Host"]
        found.theirs = tuple(t.cast(Use, tuple(map(int, uses.get(name, ("0", "0", "0"))))) for name in names)
    return found


def _ours(asked: Question) -> tuple[Use, ...]:
    gpus = [Gpu(memory_free_bytes=1 << 40)] * asked.devices
    # what stands for the GPUs here pads no rows of quantised tensors
    alignment.CUDA_ROW_ELEMENTS = 1
    # the program reserves a row of logits for every token; its devices here are no CUDA's
    answer = estimate(asked.model, Launch(**asked.launch), gpus, n_outputs=1 << 30, cache_copies=not gpus)
    return tuple(
        (part.weights_bytes // MIB, part.kv_bytes // MIB, part.compute_bytes // MIB)
        for part in (*answer.devices, answer.host)
    )


def _arguments(asked: Question, endpoints: list[str], folder: Path) -> list[str]:
    model = asked.model
    width = next(tensor.shape[1] for tensor in model.tensors if tensor.name == "token_embd.weight")
    metadata = {
        key: value for key, value in model.metadata.items() if key.partition(".")[0] not in ("tokenizer", "checkpoint")
    }
    metadata |= {"tokenizer.ggml.model": "none", f"{model.architecture}.vocab_size": width}
    indexers = f"{model.architecture}.attention.indexer.types"
    if indexers in metadata:
        # the file has no value for nextn blocks
        metadata[indexers] = metadata[indexers][: model.get("block_count") - model.get("nextn_predict_layers", 0)]
    tensors = [gguf_files.TensorSpec(tensor.type, tensor.shape, tensor.name) for tensor in model.tensors]
    path = gguf_files.write(folder / "model.gguf", metadata, tensors)
    rpc = ["--rpc", ",".join(endpoints)] if endpoints else []
    return ["-m", str(path), "-fitp", "on", "--no-repack", "-t", "1", *rpc, *command_line(asked.launch)]


def known_build(programs: Programs) -> None:
    """The figures are those of one version.

    :raises NotHere: the program is of another, for which the collection has no data.
    """
    version, build = programs.version()
    if version not in access.engine_versions():
        raise NotHere(
            f"Debian has llama.cpp {version}, build {build}, and the collection knows {access.engine_versions()}"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--cache", type=Path, default=cache_directory(), help="where the program is unpacked")
    parser.add_argument("--record", action="store_true", help="keep the figures for docs/accuracy.md")
    options = parser.parse_args()
    found = []
    try:
        programs = debian_programs(options.cache)
        known_build(programs)
        with tempfile.TemporaryDirectory() as folder, programs.rpc_devices(DEVICES) as endpoints:
            for number in range(options.first, options.first + options.count):
                asked = question(f"{options.seed}/{number}")
                found.append(compare(programs, endpoints, Path(folder), asked, number))
    except NotHere as reason:
        print(reason)
        return NOT_HERE
    code = report(found)
    if options.record:
        accuracy.DIFFERENTIAL.write_text(json.dumps(figures(found, options.seed), indent=1) + "\n", encoding="utf-8")
    return code


def figures(found: list[Comparison], seed: str) -> dict[str, t.Any]:
    """Return what is published of a run."""
    near = [is_near for comparison in found if comparison.theirs for is_near in comparison.buffers()]
    return {
        "seed": seed,
        "questions": len(found),
        "architectures": len({comparison.asked.model.architecture for comparison in found}),
        "right": sum(not comparison.wrong for comparison in found),
        "buffers": len(near),
        "near": sum(near),
    }


def report(found: list[Comparison]) -> int:
    """Print what is wrong and how near the rest is; returns the exit code."""
    wrong = [comparison for comparison in found if comparison.wrong]
    for comparison in wrong:
        print(f"question {comparison.number}: {comparison.asked.text}\n    {comparison.wrong}")
    for comparison in found:
        if not comparison.wrong and not all(comparison.buffers()):
            print(
                f"question {comparison.number}: {comparison.asked.text}\n    {comparison.ours} and {comparison.theirs}"
            )
    said = figures(found, "")
    share = said["near"] / said["buffers"] if said["buffers"] else 1.0
    print(
        f"{said['questions']} questions of {said['architectures']} architectures, {said['right']} right, {share:.1%} of"
        f" {said['buffers']} compute buffers near"
    )
    return 1 if wrong or share < NEAR_SHARE else 0


if __name__ == "__main__":
    sys.exit(main())
