# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Quoting for systemd. What systemd itself makes of it is seen on hosts that run it, in tests/lab."""

from __future__ import annotations

import pytest
from ansible_collections.prositronic.infra.plugins.plugin_utils.render.systemd import word, words


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("/srv/models/a-b_c.gguf", "/srv/models/a-b_c.gguf"),
        ("", '""'),
        ("a b", '"a b"'),
        ("100%", '"100%%"'),
        ('say "hi"', '"say \\"hi\\""'),
        ("it's", '"it\'s"'),
        ("back\\slash", '"back\\\\slash"'),
        ("one\ntwo", '"one\\ntwo"'),
        ("\x1b[0m", '"\\x1b[0m"'),
        (";", '";"'),
        ("größe", '"größe"'),
    ],
)
def test_a_word(text, quoted):
    assert word(text) == quoted
    assert word(text, command=True) == quoted


def test_variables_begin_only_in_commands():
    assert word("$HOME ${HOME}", command=True) == '"$$HOME $${HOME}"'
    assert word("$HOME") == '"$HOME"'


def test_no_text_leaves_its_line():
    hostile = "x\nExecStartPost=/bin/sh\r\x0b\x0c\0"
    assert all(character >= " " for character in words(["--alias", hostile], command=True))
