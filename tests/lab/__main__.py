# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab's command: `tests/lab/run setup|test|up|list|down|images`."""

from __future__ import annotations

import argparse
import sys
import threading

from . import image, keeper, needs
from .errors import LabError
from .host import Machine
from .laboratory import Lab, living, take_down
from .paths import CHECKOUT

SKIPPED = 77  # what automake and others take for "skipped"


def setup(_arguments: argparse.Namespace) -> int:
    """Install what the lab needs by apt-get, then build the images."""
    needs.setup()
    needs.require()
    return images(argparse.Namespace())


def images(_arguments: argparse.Namespace) -> int:
    """Build the images of all suites that the cache does not hold."""
    for suite in image.SUITES:
        print(image.Image(suite).lower_folders()[0])
    return 0


def test(arguments: argparse.Namespace) -> int:
    """Run the tests that need hosts; the rest of the command line goes to pytest."""
    problems = needs.missing()
    if problems:
        print(f"SKIPPED: the tests on booted hosts did not run: {'; '.join(problems)}")
        return SKIPPED
    import pytest

    here = CHECKOUT / "tests" / "lab"
    given = arguments.pytest_arguments
    return int(
        pytest.main(
            [
                f"--config-file={here / 'pytest.ini'}",
                f"--rootdir={here}",
                "-p",
                "no:pytest-ansible",
                "-p",
                "no:pytest_ansible",
                "-ra",
                *given,
                *([] if any(not each.startswith("-") for each in given) else [str(here / "tests")]),
            ]
        )
    )


def up(arguments: argparse.Namespace) -> int:
    """Boot hosts and keep them until Ctrl-C."""
    machines = [
        Machine(name, suite or "trixie") for name, _, suite in (each.partition("=") for each in arguments.hosts)
    ]
    with Lab() as lab:
        lab.package_cache()
        for host in lab.boot(*machines):
            print(f"{host.name:16} {host.machine.suite:10} {host.address}")
        enter = " ".join(lab.enter)
        print(f"inventory: {lab.inventory()}")
        print(f"run Ansible by: {enter} ansible-playbook -i {lab.inventory()} PLAYBOOK")
        print(f"log in by: {enter} ssh -o StrictHostKeyChecking=no -i {lab.private_key} root@ADDRESS")
        print("Ctrl-C takes it down")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print()
    return 0


def show(_arguments: argparse.Namespace) -> int:
    """List the labs that run here."""
    for name, process in sorted(living().items()):
        print(f"{name} kept by process {process}")
    return 0


def down(arguments: argparse.Namespace) -> int:
    """Take labs down, running ones and what dead ones left."""
    if arguments.all == bool(arguments.names):
        raise LabError("say which labs to take down, or --all")
    for name in keeper.sweep():
        print(f"{name} was dead, swept what it left")
    for name in sorted(living()) if arguments.all else arguments.names:
        take_down(name)
        print(f"{name} is down")
    return 0


def main() -> int:
    """Parse the command line and do what it says."""
    parser = argparse.ArgumentParser(prog="tests/lab/run", description="Linux hosts that boot systemd, for tests.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for function in (setup, images, test, up, show, down):
        name = "list" if function is show else function.__name__
        command = commands.add_parser(name, help=(function.__doc__ or "").strip(), add_help=function is not test)
        command.set_defaults(function=function)
        if function is up:
            command.add_argument("hosts", nargs="+", metavar="NAME[=SUITE]", help="trixie when no suite is given")
        if function is down:
            command.add_argument("--all", action="store_true", help="every lab on this machine")
            command.add_argument("names", nargs="*", metavar="LAB", help="names that `list` shows")
    arguments, rest = parser.parse_known_args()
    if arguments.function is test:
        arguments.pytest_arguments = rest
    elif rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        return int(arguments.function(arguments))
    except LabError as problem:
        print(f"tests/lab/run: {problem}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
