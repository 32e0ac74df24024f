# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`./demo`: prepares ansible-core with this collection in `.demo`, runs the demonstration, and says how to go on."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.environment import (  # noqa: E402
    ROOT,
    Environment,
    EnvironmentProblem,
    make_environment,
    run_quietly,
    this_python,
)
from tools.progress import progress  # noqa: E402

DIRECTORY = ROOT / ".demo"
REQUIREMENTS = ("ansible-core >= 2.19", "requirements.txt")

# The demonstration: what follows `ansible-playbook`.
PLANS = DIRECTORY / "plans"
PLAYBOOK = ("--inventory", "examples/inventory.yml", "prositronic.infra.fit", "--extra-vars", f"fit_output={PLANS}")

NEXT = """
The plans, every byte explained, are in {directory}/plans.
Next, with your own hosts:
  {bin}/ansible-playbook -i YOUR_INVENTORY prositronic.infra.fit \\
    -e '{{"inference_models": [{{"name": "chat", "model": "qwen3-30b-a3b", "quant": "Q4_K_M"}}]}}'
The manual of it:
  {bin}/ansible-doc prositronic.infra.model_fit
Remove all of this:
  rm -r {directory}"""


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="./demo",
        description="Plans some models for the bundled example hosts and for this machine. Needs Python 3.11 to 3.14 and "
        "a package index; keeps what it makes in .demo, which git ignores.",
        epilog="What it does not know is handed to ansible-playbook, for example --limit or --verbose.",
    )
    _options, arguments = parser.parse_known_args()
    started = time.monotonic()
    try:
        environment = prepare()
    except EnvironmentProblem as problem:
        print(f"\n{problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; the next run starts this step again.", file=sys.stderr)
        return 130
    print(f"Ready after {time.monotonic() - started:.0f} s.\n", flush=True)
    command = [str(environment.bin / "ansible-playbook"), *PLAYBOOK, *arguments]
    code = subprocess.run(command, cwd=ROOT, env=variables(environment), check=False).returncode
    if code == 0:
        here = Path(os.path.relpath(DIRECTORY))
        print(NEXT.format(bin=here / "bin", directory=here))
    return code


def prepare() -> Environment:
    """Make the environment, with the collection as it is in the checkout now. Raises EnvironmentProblem."""
    python = this_python()
    with progress(f"ansible-core and pydantic for Python {python}"):
        environment = make_environment(DIRECTORY, python, REQUIREMENTS)
    with progress("the collection, from this checkout"):
        # Ansible looks for collections in its own environment, so that no setting has to name the place.
        place = environment.site_packages
        galaxy = str(environment.bin / "ansible-galaxy")
        install = [galaxy, "collection", "install", str(ROOT), "--collections-path", str(place), "--force", "--offline"]
        run_quietly(install, "installing the collection", variables=variables(environment), cwd=ROOT)
    return environment


def variables(environment: Environment) -> dict[str, str]:
    """The person's own Ansible settings stay out of it."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    settings = ROOT / "tools" / "demo.cfg"
    return environment.variables(own) | {"ANSIBLE_CONFIG": str(settings)}


if __name__ == "__main__":
    sys.exit(main())
