# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A key is trusted when its fingerprint is the one asked for, and never otherwise."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.prositronic.infra.plugins.modules import openpgp_key

# The version 4 example key of RFC 9580, appendix A.1
KEY = """-----BEGIN PGP PUBLIC KEY BLOCK-----

xjMEU/NfCxYJKwYBBAHaRw8BAQdAPwmJlL3ZFu1AUxl5NOSofIBzOhKA1i+AEJku
Q+47JAY=
-----END PGP PUBLIC KEY BLOCK-----
"""
FINGERPRINT = "C959 BDBA FA32 A2F8 9A15  3B67 8CFD E121 9796 5A9A"
OTHER = "C95B 321B 61E8 8C18 09C4 F759 DDCA E044 F796 ECB0"


@pytest.fixture
def run(capsys):
    """Run the module with arguments, return whether it passed and its result."""

    def _run(**args):
        with patch_module_args(args), pytest.raises(SystemExit) as ended:
            openpgp_key.main()
        return ended.value.code == 0, json.loads(capsys.readouterr().out)

    return _run


@pytest.fixture
def served(tmp_path):
    """A key at an URL."""
    path = tmp_path / "served.asc"
    path.write_text(KEY)
    return path


def test_a_key_is_fetched_checked_and_kept(run, served, tmp_path):
    dest = tmp_path / "keyrings" / "key.asc"
    arguments = {"url": served.as_uri(), "fingerprint": FINGERPRINT, "dest": str(dest)}
    passed, predicted = run(**arguments, _ansible_check_mode=True)
    assert passed and predicted["changed"] is True and not dest.exists()
    passed, result = run(**arguments)
    assert passed and result["changed"] is True
    assert dest.read_text() == KEY
    assert dest.stat().st_mode & 0o777 == 0o644
    assert result["fingerprint"] == "C959BDBAFA32A2F89A153B678CFDE12197965A9A"
    served.unlink()  # what is there already needs no network
    assert run(**arguments) == (True, {**run(**arguments)[1], "changed": False})
    assert not run(**arguments, force=True)[0]


def test_content_of_the_arguments(run, tmp_path):
    dest = tmp_path / "key.asc"
    arguments = {"content": "\n" + KEY, "fingerprint": FINGERPRINT, "dest": str(dest)}
    assert run(**arguments)[1]["changed"] is True
    assert run(**arguments)[1]["changed"] is False
    assert dest.read_text() == KEY


def test_a_key_with_another_fingerprint_changes_nothing(run, served, tmp_path):
    dest = tmp_path / "key.asc"
    dest.write_text("what was there")
    passed, result = run(url=served.as_uri(), fingerprint=OTHER, dest=str(dest))
    assert not passed
    assert result["msg"] == (
        f"The key of {served.as_uri()} has the fingerprint C959BDBAFA32A2F89A153B678CFDE12197965A9A,"
        " expected is C95B321B61E88C1809C4F759DDCAE044F796ECB0: it is not trusted."
    )
    assert dest.read_text() == "what was there"


def test_a_second_key_in_the_file_is_not_smuggled_in(run, served, tmp_path):
    served.write_text(KEY + KEY)
    assert not run(url=served.as_uri(), fingerprint=FINGERPRINT, dest=str(tmp_path / "key.asc"))[0]
    assert not (tmp_path / "key.asc").exists()


@pytest.mark.parametrize("there", [b"", b"\xff\xfe damaged", KEY[:80].encode()])
def test_what_an_earlier_run_left_is_replaced(run, served, tmp_path, there):
    dest = tmp_path / "key.asc"
    dest.write_bytes(there)
    assert run(url=served.as_uri(), fingerprint=FINGERPRINT, dest=str(dest))[1]["changed"] is True
    assert dest.read_text() == KEY


def test_a_page_in_place_of_a_key(run, served, tmp_path):
    served.write_text("<html>log in first</html>")
    passed, result = run(url=served.as_uri(), fingerprint=FINGERPRINT, dest=str(tmp_path / "key.asc"))
    assert (passed, result["msg"]) == (False, f"{served.as_uri()} is not an OpenPGP public key")


def test_a_server_that_does_not_answer(run, tmp_path):
    url = "http://somebody:secret@127.0.0.1:9/key"
    passed, result = run(url=url, fingerprint=FINGERPRINT, dest=str(tmp_path / "key.asc"), timeout=2)
    assert not passed
    assert result["msg"].startswith("The key could not be fetched from http://127.0.0.1:9/key: ")


def test_a_short_fingerprint_is_refused(run, served, tmp_path):
    passed, result = run(url=served.as_uri(), fingerprint="F796ECB0", dest=str(tmp_path / "key.asc"))
    assert (passed, result["msg"]) == (
        False,
        "fingerprint: 'F796ECB0' is not a full OpenPGP fingerprint, which has 40 hexadecimal digits",
    )
