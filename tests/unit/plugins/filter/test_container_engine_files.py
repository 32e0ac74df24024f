# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each engine's files become. Expected files are written by hand after the engines' documentation."""

from __future__ import annotations

import json
import tomllib

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible_collections.prositronic.infra.tests.unit.templar import render

DOCKER = "/etc/docker/daemon.json"
MAIN = "/etc/containerd/config.toml"
DROP_IN = "/etc/containerd/conf.d/99-nvidia.toml"
CRI2 = "io.containerd.grpc.v1.cri"
CRI3 = "io.containerd.cri.v1.runtime"

# What Debian installs
DEBIAN = """version = 2

[plugins]
  [plugins."io.containerd.grpc.v1.cri"]
    [plugins."io.containerd.grpc.v1.cri".cni]
      bin_dir = "/usr/lib/cni"
      conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.internal.v1.opt"]
    path = "/var/lib/containerd"
"""


def files(name, version, texts=None, config=None, drop_in=None, **options):
    """Run the filter as a play does; returns {path: content}."""
    engine = {
        "name": name,
        "version": version,
        "config": config,
        "drop_in": drop_in,
        "reads": list(texts or {}),
    }
    given = "".join(f", {key}={value!r}" for key, value in options.items())
    found = render(
        f"engine | prositronic.infra.container_engine_files(texts=texts{given})", engine=engine, texts=texts or {}
    )
    return {file["path"]: file["content"] for file in found}


def docker(text, version="26.1.5", **options):
    texts = {} if text is None else {DOCKER: text}
    return files("docker", version, texts, config=DOCKER, **options)[DOCKER]


def containerd(texts, version="1.7.24", **options):
    found = files("containerd", version, texts, config=MAIN, drop_in=DROP_IN, **options)
    return found[MAIN], found[DROP_IN]


RUNTIME = {"nvidia": {"path": "nvidia-container-runtime"}}


def test_docker_without_a_file():
    assert json.loads(docker(None)) == {"runtimes": RUNTIME, "features": {"cdi": True}}


@pytest.mark.parametrize(
    ("version", "features"),
    [
        ("20.10.24", None),
        ("24.0.9", None),
        ("25.0.0", True),
        ("28.1.1", True),
        ("28.2.0", None),
        ("29.0.0", None),
        (None, None),
    ],
)
def test_docker_is_told_of_cdi_where_it_would_not_do_it_untold(version, features):
    assert json.loads(docker("{}", version)).get("features", {}).get("cdi") is features
    assert "features" not in json.loads(docker("{}", version, cdi=False))


def test_docker_keeps_what_the_administrator_wrote():
    text = '{\n\t"log-driver": "journald",\n\t"runtimes": {"kata": {"path": "kata"}},\n\t"default-runtime": "kata"\n}\n'
    after = docker(text, "28.2.0")
    assert json.loads(after) == {
        "log-driver": "journald",
        "runtimes": {"kata": {"path": "kata"}, **RUNTIME},
        "default-runtime": "kata",
    }
    assert list(json.loads(after)) == ["log-driver", "runtimes", "default-runtime"]
    assert '\n\t"log-driver"' in after


@pytest.mark.parametrize(
    "text",
    [
        '{ "runtimes":{"nvidia":{"path":"nvidia-container-runtime","args":[]}},"features":{"cdi":true} }',
        '{"features":{"cdi":true,"buildkit":true},"runtimes":{"nvidia":{"path":"nvidia-container-runtime"}}}\n\n',
    ],
)
def test_docker_leaves_a_file_that_says_it_already_byte_for_byte(text):
    assert docker(text) == text


def test_docker_default_runtime_is_set_taken_back_or_left_alone():
    ours, others = '{"default-runtime": "nvidia"}', '{"default-runtime": "kata"}'
    assert json.loads(docker("{}", default_runtime=True))["default-runtime"] == "nvidia"
    assert json.loads(docker(ours))["default-runtime"] == "nvidia"
    assert "default-runtime" not in json.loads(docker(ours, default_runtime=False))
    assert json.loads(docker(others, default_runtime=False))["default-runtime"] == "kata"


def test_docker_forgets():
    text = '{"debug": true, "runtimes": {"nvidia": {"path": "x"}, "kata": {}}, "default-runtime": "nvidia"}'
    assert json.loads(docker(text, state="absent")) == {"debug": True, "runtimes": {"kata": {}}}
    assert docker('{"runtimes": {"nvidia": {}}}', state="absent") is None
    assert docker(None, state="absent") is None
    assert docker('{"debug":true}', state="absent") == '{"debug":true}'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"a": "secret"\n"b": 1}',
            "/etc/docker/daemon.json is not valid JSON (line 2, column 1) and was left as it is",
        ),
        ("[]", "/etc/docker/daemon.json is not a JSON object"),
        ('{"runtimes": ["secret"]}', "/etc/docker/daemon.json was left as it is: its runtimes is not an object"),
        ('{"runtimes": {"nvidia": "secret"}}', "its nvidia is not an object"),
    ],
)
def test_docker_refuses_what_it_cannot_merge_into(text, message):
    with pytest.raises(AnsibleError) as refused:
        docker(text)
    assert message in str(refused.value)
    assert "secret" not in str(refused.value)


def test_containerd_gets_an_import_and_a_copy_of_its_section_before_2_1():
    main, drop_in = containerd({MAIN: DEBIAN})
    before = tomllib.loads(DEBIAN)
    assert tomllib.loads(main) == {**before, "imports": ["/etc/containerd/conf.d/*.toml"]}
    assert [line for line in main.splitlines() if "imports" not in line] == DEBIAN.splitlines()
    section = tomllib.loads(drop_in)["plugins"][CRI2]
    assert section == {
        **before["plugins"][CRI2],
        "enable_cdi": True,
        "containerd": {
            "runtimes": {
                "nvidia": {
                    "runtime_type": "io.containerd.runc.v2",
                    "options": {"BinaryName": "/usr/bin/nvidia-container-runtime"},
                }
            }
        },
    }
    assert tomllib.loads(drop_in)["version"] == 2


def test_containerd_merges_by_itself_from_2_1_on():
    _main, drop_in = containerd({MAIN: DEBIAN}, "2.1.0")
    assert set(tomllib.loads(drop_in)["plugins"][CRI2]) == {"containerd"}


@pytest.mark.parametrize(
    ("version", "section", "enabled"),
    [
        ("1.6.20", "", None),  # does not know the option
        ("1.7.16", "", True),
        ("1.7.16", "enable_cdi = true", True),
        ("2.1.0", "", None),
        ("2.1.0", "enable_cdi = false", True),
    ],
)
def test_containerd_is_told_of_cdi_where_it_is_off(version, section, enabled):
    text = f'version = 2\n[plugins."{CRI2}"]\n{section}\n'
    assert tomllib.loads(containerd({MAIN: text}, version)[1])["plugins"][CRI2].get("enable_cdi") is enabled


def test_containerd_runtime_has_what_the_default_one_has():
    text = f"""version = 3
[plugins."{CRI3}".containerd]
default_runtime_name = "crun"
[plugins."{CRI3}".containerd.runtimes.crun]
runtime_type = "io.containerd.runc.v2"
sandboxer = "podsandbox"
[plugins."{CRI3}".containerd.runtimes.crun.options]
SystemdCgroup = true
BinaryName = "/usr/bin/crun"
"""
    section = tomllib.loads(containerd({MAIN: text}, "2.1.0")[1])["plugins"][CRI3]["containerd"]
    assert section == {
        "runtimes": {
            "nvidia": {
                "runtime_type": "io.containerd.runc.v2",
                "sandboxer": "podsandbox",
                "options": {"SystemdCgroup": True, "BinaryName": "/usr/bin/nvidia-container-runtime"},
            }
        }
    }


@pytest.mark.parametrize("version", ["1.7.0", "2.1.0"])
def test_containerd_drop_ins_of_others_count(version):
    other = "/etc/containerd/conf.d/50-site.toml"
    texts = {
        MAIN: f'version = 2\nimports = ["conf.d/*.toml"]\n[plugins."{CRI2}"]\nsandbox_image = "main"\n',
        other: f'version = 2\n[plugins."{CRI2}".cni]\nbin_dir = "/opt/cni"\n',
        DROP_IN: "is replaced, whatever = it [ holds",
    }
    main, drop_in = containerd(texts, version)
    assert main == texts[MAIN]
    section = tomllib.loads(drop_in)["plugins"][CRI2]
    # Before 2.1 the last file has the section for itself, so ours has to be a copy of theirs, and of no other
    assert section.get("cni") == ({"bin_dir": "/opt/cni"} if version == "1.7.0" else None)
    assert "sandbox_image" not in section


@pytest.mark.parametrize(
    ("head", "imports"),
    [
        ("version = 2", ["/etc/containerd/conf.d/*.toml"]),
        ("# version = 1\n  version = 2 # ours", ["/etc/containerd/conf.d/*.toml"]),
        ('version = 2\nimports = ["/srv/*.toml"]', ["/etc/containerd/conf.d/*.toml", "/srv/*.toml"]),
        ('imports = [\n  "/srv/a.toml", # a\n]\nversion = 2', ["/etc/containerd/conf.d/*.toml", "/srv/a.toml"]),
        ("imports = []\nversion = 2", ["/etc/containerd/conf.d/*.toml"]),
        ('version = 2\nimports = ["/etc/containerd/conf.d/*"]', ["/etc/containerd/conf.d/*"]),
        ('imports = ["conf.d/99-nvidia.toml"]\nversion = 2', ["conf.d/99-nvidia.toml"]),
    ],
)
def test_containerd_imports(head, imports):
    text = f'{head}\nroot = "/r"\n[grpc]\naddress = "/a" # keep\n'
    main, _rest = containerd({MAIN: text})
    assert tomllib.loads(main)["imports"] == imports
    assert main.endswith('[grpc]\naddress = "/a" # keep\n')
    assert containerd({MAIN: main, DROP_IN: ""})[0] == main


def test_containerd_imports_that_cannot_be_edited_are_left_alone():
    text = '"imports" = ["/srv/a.toml"]\nversion = 2\n'
    with pytest.raises(AnsibleError, match=r'add "/etc/containerd/conf.d/\*.toml" to its imports by hand'):
        containerd({MAIN: text})


@pytest.mark.parametrize(("version", "config_version"), [("1.6.20", 2), ("1.7.24", 2), ("2.0.0", 3), ("2.3.0", 3)])
def test_containerd_without_a_file_comes_and_goes(version, config_version):
    main, drop_in = containerd({}, version)
    assert tomllib.loads(main) == {"version": config_version, "imports": ["/etc/containerd/conf.d/*.toml"]}
    assert tomllib.loads(drop_in)["version"] == config_version
    assert containerd({MAIN: main, DROP_IN: drop_in}, version, state="absent") == (None, None)


def test_containerd_gets_its_file_back_as_it_was():
    main, drop_in = containerd({MAIN: DEBIAN})
    assert containerd({MAIN: main, DROP_IN: drop_in}, state="absent") == (DEBIAN, None)
    site = "/etc/containerd/conf.d/site.toml"  # somebody else uses the import by now
    assert containerd({MAIN: main, DROP_IN: drop_in, site: ""}, state="absent") == (main, None)


def test_containerd_default_runtime():
    def default(text, **options):
        drop_in = containerd({MAIN: text}, **options)[1]
        return tomllib.loads(drop_in)["plugins"][CRI2]["containerd"].get("default_runtime_name")

    ours = f'version = 2\n[plugins."{CRI2}".containerd]\ndefault_runtime_name = "nvidia"\n'
    assert default(DEBIAN) is None
    assert default(DEBIAN, default_runtime=True) == "nvidia"
    assert default(ours, default_runtime=False) == "runc"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version = \n", "/etc/containerd/config.toml is not valid TOML and was left as it is"),
        ('[plugins.cri]\nx = "secret"\n', "it is of version 1"),
        ("version = 1\n", "it is of version 1"),
    ],
)
def test_containerd_refuses_a_main_file_it_cannot_extend(text, message):
    with pytest.raises(AnsibleError) as refused:
        containerd({MAIN: text})
    assert message in str(refused.value)
    assert "secret" not in str(refused.value)


def test_crio_runtime_has_what_the_default_one_has():
    crio = "/etc/crio/crio.conf"
    texts = {
        "/etc/crio/crio.conf.d/10-crio.conf": """[crio.runtime]
default_runtime = "crun"
[crio.runtime.runtimes.crun]
runtime_path = "/usr/libexec/crio/crun"
monitor_path = "/usr/libexec/crio/conmon"
allowed_annotations = ["io.containers.trace-syscall"]
[crio.runtime.runtimes.runc]
runtime_path = "/usr/libexec/crio/runc"
"""
    }
    drop_in = "/etc/crio/crio.conf.d/99-nvidia.toml"
    found = files("crio", "1.31.0", texts, config=crio, drop_in=drop_in)
    assert tomllib.loads(found[drop_in]) == {
        "crio": {
            "runtime": {
                "runtimes": {
                    "nvidia": {
                        "runtime_path": "/usr/bin/nvidia-container-runtime",
                        "runtime_type": "oci",
                        "monitor_path": "/usr/libexec/crio/conmon",
                        "allowed_annotations": ["io.containers.trace-syscall"],
                    }
                }
            }
        }
    }
    as_default = files("crio", "1.31.0", texts, config=crio, drop_in=drop_in, default_runtime=True)
    assert tomllib.loads(as_default[drop_in])["crio"]["runtime"]["default_runtime"] == "nvidia"
    assert files("crio", "1.31.0", texts, config=crio, drop_in=drop_in, state="absent") == {drop_in: None}


@pytest.mark.parametrize(("default", "content"), [(None, None), (False, None), (True, {"default-runtime": "nvidia"})])
@pytest.mark.parametrize("name", ["k3s", "rke2"])
def test_rancher_has_a_file_for_the_default_only(name, default, content):
    drop_in = f"/etc/rancher/{name}/config.yaml.d/99-nvidia.yaml"
    found = files(name, "1.31.4", drop_in=drop_in, default_runtime=default)
    assert list(found) == [drop_in]
    assert (found[drop_in] and yaml.safe_load(found[drop_in])) == content


def test_podman_loses_the_hook_of_old_toolkits():
    assert files("podman", "5.4.2") == {"/usr/share/containers/oci/hooks.d/oci-nvidia-hook.json": None}


@pytest.mark.parametrize("engine", [{}, {"name": "docker"}, {"name": "lxd", "reads": [], "version": "1"}])
def test_what_is_no_engine_is_refused(engine):
    with pytest.raises(
        AnsibleError, match="container_engine_files: engine: give an entry of nvidia_container_toolkit_info"
    ):
        render("engine | prositronic.infra.container_engine_files", engine=engine)


def test_a_state_that_there_is_not_is_refused():
    with pytest.raises(AnsibleError, match="container_engine_files: arguments.state"):
        docker(None, state="gone")
