# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command line of the catalog's maintainers."""

from __future__ import annotations

import argparse
import pathlib
import sys
import typing as t

from . import add, names, options, overview, sizes


def main(words: t.Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code, 1 after an error that is told in one sentence."""
    arguments = _parser().parse_args(words)
    try:
        arguments.run(arguments)
    except ValueError as error:
        sys.stderr.write(f"tools/catalog: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tools/catalog", description="Maintain the catalog.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("names", help="write the files that find entries, and the overviews of all entries")
    command.set_defaults(run=_names)

    command = commands.add_parser("sizes", help="compare predicted sizes with those of published files")
    command.add_argument("--all", action="store_true", help="every file, not only those that differ")
    command.set_defaults(run=lambda arguments: sys.stdout.write(sizes.report(everything=arguments.all)))

    command = commands.add_parser("options", help="write the options of an engine version from its --help")
    command.add_argument("version", help="version of llama.cpp that has an entry, such as 0.7.0")
    command.add_argument("help_text", type=pathlib.Path, help="file with what `llama-server --help` printed")
    command.set_defaults(run=_options)

    command = commands.add_parser("add", help="add a model from its config.json or from a GGUF file's header")
    command.add_argument("id", help="id of the entry and name of its file, such as qwen3-8b")
    source = command.add_mutually_exclusive_group(required=True)
    source.add_argument("--config", type=pathlib.Path, help="config.json of the model on Hugging Face")
    source.add_argument("--gguf", type=pathlib.Path, help="GGUF file, or the first one of several")
    command.add_argument("--name", required=True, help="name for people, such as 'Qwen3 8B'")
    command.add_argument("--vendor", required=True)
    command.add_argument("--source", required=True, action="append", help="where this is from; may be repeated")
    command.add_argument("--hf-repo", help="repository on Hugging Face, such as Qwen/Qwen3-8B")
    command.add_argument("--licence", help="as its model card names it, such as apache-2.0")
    command.add_argument("--alias", action="append", default=[], help="another name that finds it; may be repeated")
    command.add_argument(
        "--capability", action="append", default=[], help="code, multilingual, thinking, tool-calls, vision"
    )
    command.add_argument("--active-parameters", type=int, help="per token, for a model with experts")
    command.add_argument("--published-parameters", type=int, help="as the publisher counts them")
    command.set_defaults(run=_add)
    return parser


def _names(_arguments: argparse.Namespace) -> None:
    names.write()
    overview.write()


def _options(arguments: argparse.Namespace) -> None:
    text = arguments.help_text.read_text(encoding="utf-8")
    sys.stdout.write(f"{options.write(arguments.version, text)}\n")


def _add(arguments: argparse.Namespace) -> None:
    metadata = add.metadata_of_config(arguments.config) if arguments.config else add.metadata_of_gguf(arguments.gguf)
    about = {
        "name": arguments.name,
        "vendor": arguments.vendor,
        "hf_repo": arguments.hf_repo,
        "licence": arguments.licence,
        "aliases": arguments.alias,
        "capabilities": arguments.capability,
        "active_parameters": arguments.active_parameters,
        "published_parameters": arguments.published_parameters,
        "sources": arguments.source,
    }
    sys.stdout.write(f"{add.model(arguments.id, about, metadata)}\n")
