# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A home directory for the tests, so that a person's Ansible settings neither help nor disturb them.

ansible-test hands on little but HOME and PATH, and makes its own environments with pip. So pip's settings (an index of
the site's own, a proxy, a certificate) are written into that home, and the script by which it bootstraps pip, otherwise
downloaded from a server of its own, is put where it looks first.
"""

from __future__ import annotations

import ast
import configparser
import os
import re
import subprocess
import zipfile
from pathlib import Path

from tools.environment import Environment

_SETTING = re.compile(r"^(?P<section>[^.]*)\.(?P<name>[\w-]+)=(?P<value>'.*'|\".*\")$")

_PIP_VERSION = (
    "import types; from ansible_test._internal.python_requirements import get_venv_packages;"
    "print(get_venv_packages(types.SimpleNamespace(version='{version}'))['pip'])"
)

# What a wheel holds is what an installed package is; running pip to install itself takes longer.
_GET_PIP = """\
import shutil
import sysconfig

shutil.copytree({unpacked!r}, sysconfig.get_path("purelib"), dirs_exist_ok=True)
"""


def test_variables(home: Path) -> dict[str, str]:
    """This process's environment variables without what steers Ansible or Python, and with another home."""
    variables = {
        name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHON", "PYTEST_", "XDG_"))
    }
    return variables | {"HOME": str(home), "LC_ALL": "C.UTF-8", "NO_COLOR": "1", "ANSIBLE_NOCOLOR": "1"}


def carry_pip_settings(environment: Environment, home: Path) -> None:
    """Write the pip settings that come from the person's files and variables to `home`."""
    pip = [str(environment.bin / "python"), "-m", "pip"]
    listing = subprocess.run([*pip, "config", "list"], capture_output=True, text=True, check=True).stdout
    settings = configparser.RawConfigParser()
    settings["global"] = {}
    for line in listing.splitlines():
        if found := _SETTING.match(line):
            section = "global" if found["section"] == ":env:" else found["section"]
            if not settings.has_section(section):
                settings.add_section(section)
            settings[section][found["name"]] = ast.literal_eval(found["value"])
    proxy = os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy")
    if proxy:
        settings["global"].setdefault("proxy", proxy)
    path = home / ".config" / "pip" / "pip.conf"
    path.parent.mkdir(parents=True, exist_ok=True)
    # An index's address may hold a password.
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        settings.write(file)


def seed_get_pip(environment: Environment, home: Path, python_version: str) -> None:
    """Put a bootstrap script for the pip that this ansible-test wants for `python_version` where it looks for it."""
    python = str(environment.bin / "python")
    script = _PIP_VERSION.format(version=python_version)
    version = subprocess.run([python, "-c", script], capture_output=True, text=True, check=True).stdout.strip()
    path = home / ".ansible" / "test" / "cache" / f"get_pip_{version.replace('.', '_')}.py"
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    wheels = home / "wheels"
    command = [python, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(wheels), f"pip=={version}"]
    subprocess.run(command, capture_output=True, text=True, check=True)
    unpacked = home / f"pip-{version}"
    with zipfile.ZipFile(next(wheels.glob(f"pip-{version}-*.whl"))) as wheel:
        wheel.extractall(unpacked)
    path.write_text(_GET_PIP.format(unpacked=str(unpacked)), encoding="utf-8")
