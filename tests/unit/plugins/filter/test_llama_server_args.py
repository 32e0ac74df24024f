# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter llama_server_args, as a play calls it."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleError
from ansible_collections.prositronic.infra.tests.unit.templar import render

HELP = """\
--ctx-size N                            size of the prompt context
--model FNAME                           model path to load
--sparkle                               a switch of a later version
"""
PLAN = {
    "plan_id": "0123456789ab",
    "limit": "GPU memory",
    "engine": {"version": "0.7.0"},
    "launch": {"ctx_size": "{{ context }}", "flash_attn": True, "device": ["CUDA0"], "alias": None},
}


def args(arguments="", plan=None):
    return render(
        f"plan | prositronic.infra.llama_server_args({arguments})", plan=plan or PLAN, context=8192, help=HELP
    )


def test_a_plan():
    expected = ["--ctx-size", "8192", "--flash-attn", "on", "--device", "CUDA0", "--model", "/m.gguf", "--metrics"]
    assert args("model='/m.gguf', options={'metrics': true}") == expected


def test_a_launch():
    assert args(plan={"ctx_size": 1}) == ["--ctx-size", "1"]


def test_a_version_that_only_its_own_help_describes():
    launch = {"ctx_size": 1, "sparkle": True}
    assert args("engine='9.9.9', help=help", plan=launch) == ["--ctx-size", "1", "--sparkle"]


def test_the_data_counts_for_a_version_that_is_known():
    with pytest.raises(AnsibleError, match="option 'sparkle' is not known to llama.cpp 0.7.0"):
        args("engine='0.7.0', help=help", plan={"sparkle": True})


@pytest.mark.parametrize(
    ("arguments", "plan", "error"),
    [
        ("", {**PLAN, "launch": None}, "the plan has no launch, since its model does not fit"),
        ("options={'ctx_size': 1}", PLAN, "options: 'ctx_size' is decided by the plan"),
        ("options=[1]", PLAN, "options: give a mapping"),
        ("engine='9.9.9'", {"ctx_size": 1}, "engine '9.9.9' is not known"),
        ("engine='9.9.9', help='no such file'", {"ctx_size": 1}, "lists no options"),
        ("engine='9.9.9', help=help", {"no_mmap": True}, "not in llama.cpp 9.9.9 any more; use load_mode: none"),
        ("", "text", "give a plan, or a launch"),
    ],
)
def test_refusals(arguments, plan, error):
    with pytest.raises(AnsibleError, match=error):
        args(arguments, plan)
