# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""llama-fit-params asked on the host: a stand-in prints what the real one of llama.cpp 0.7.0 does."""

from __future__ import annotations

import pytest
from ansible_collections.prositronic.infra.plugins.module_utils import fit_params
from ansible_collections.prositronic.infra.plugins.module_utils.bounded import Broken

MIB = 2**20
PROGRAM = """#!/bin/sh
if [ "$1" = --help ]; then
    echo '-c,    --ctx-size N                     size of the prompt context'
    echo '-dev,  --device <dev1,dev2,..>          comma-separated list of devices'
    echo '-fitp, --fit-print [on|off]             print the estimated required memory'
    exit 0
fi
echo "$*" > "$ASKED"
echo "$CUDA_VISIBLE_DEVICES" >> "$ASKED"
%s
"""
TABLE = """
echo '0.00.640.264 I llama_fit_params: printing estimated memory in MiB to stdout' >&2
echo 'Vulkan0 180 20 50 '; echo 'Vulkan1 109 12 40 '; echo 'Host 1 0 28 '
"""


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """Ask a stand-in that behaves so; returns the answer and what it was asked."""
    monkeypatch.setenv("ASKED", str(tmp_path / "asked"))

    def ask(behaviour, options, environment=None):
        program = tmp_path / "llama-fit-params"
        program.write_text(PROGRAM % behaviour)
        program.chmod(0o755)
        answer = fit_params.ask(str(program), options, environment or {}, 10.0)
        return answer, (tmp_path / "asked").read_text().splitlines()

    return ask


def test_the_devices_and_what_it_was_asked(asked):
    (devices, ignored), words = asked(
        TABLE,
        [["--ctx-size", "2048"], ["--metrics"], ["--device", "Vulkan0,Vulkan1"]],
        {"CUDA_VISIBLE_DEVICES": "GPU-1"},
    )
    assert [tuple(device.values()) for device in devices] == [
        ("Vulkan0", 180 * MIB, 20 * MIB, 50 * MIB),
        ("Vulkan1", 109 * MIB, 12 * MIB, 40 * MIB),
        ("Host", 1 * MIB, 0, 28 * MIB),
    ]
    assert ignored == ["--metrics"]
    assert words == ["--ctx-size 2048 --device Vulkan0,Vulkan1 --fit-print on", "GPU-1"]


@pytest.mark.parametrize(
    ("behaviour", "text"),
    [
        (
            """echo 'error while handling argument "--device": invalid device: CUDA0' >&2; exit 1""",
            "invalid device: CUDA0",
        ),
        ("exit 1", "exit status 1 without a word"),
        ("echo 'nothing of use'", "exit status 0 without a word"),
        ("echo loading >&2; kill -ABRT $$", "loading"),
    ],
)
def test_a_refusal_has_its_own_words(asked, behaviour, text):
    with pytest.raises(Broken, match="refuses the launch: .*" + text):
        asked(behaviour, [["--ctx-size", "2048"]])
