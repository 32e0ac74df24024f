# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Instances on devices: Mesa's software Vulkan driver, installed twice, gives llama.cpp two devices to be bound to."""

from __future__ import annotations

import itertools

import pytest
from lab import instances
from lab.gguf_models import write_random_llama
from lab.instances import Instance

pytestmark = pytest.mark.long

SECOND_DRIVER = "/usr/share/vulkan/icd.d/lvp2_icd.json"
# Each copy of the driver is a device of its own
TWO_DRIVERS = f"""
mkdir -p /opt/second
cp /usr/lib/x86_64-linux-gnu/libvulkan_lvp.so /opt/second/
sed 's#"libvulkan_lvp.so"#"/opt/second/libvulkan_lvp.so"#' /usr/share/vulkan/icd.d/lvp_icd.json > {SECOND_DRIVER}
"""


def gpu(index):
    # Enough for one of the two, whose contexts of a driver alone take half a GiB
    known = {"memory_total_bytes": 896 << 20, "memory_free_bytes": 896 << 20}
    return {"index": index, "name": "llvmpipe", "vendor": "other", **known}


@pytest.fixture(scope="module")
def host(module_lab, tmp_path_factory):
    host = module_lab.host("gpu", "forky", packages=instances.ENGINE, disk_bytes=1 << 30)
    host.run(TWO_DRIVERS)
    model = write_random_llama(tmp_path_factory.mktemp("models") / "random.gguf")
    host.push(model, "/srv/models/random.gguf")
    return host


@pytest.fixture(scope="module")
def play(module_lab, host):
    def run(**more):
        entries = [
            {
                "name": name,
                "source": {"path": "/srv/models/random.gguf"},
                "context": 512,
                "parallel": 1,
                "port": 8080 + number,
                "reserve": {"ram_bytes": 0, "vram_bytes_per_gpu": 0},
            }
            for number, name in enumerate(("one", "two"))
        ]
        variables = {
            "inference_host": {"gpus": [gpu(0), gpu(1)], "memory": {"total_bytes": 8 << 30}},
            "inference_models": entries,
            "llama_server_restart_seconds": 1,
            "llama_server_options": {"verbosity": 4},
        }
        return module_lab.play("prositronic.infra.llama_server", variables=variables, **more)

    return run


def test_two_instances_have_a_device_each_as_planned(play, host):
    first = play()
    made = first.task("Plan all models")
    for number, name in enumerate(("one", "two")):
        instance = Instance(host, name, 8080 + number)
        plan = made["plans"][made["hosts"]["gpu"][name]]
        (device,) = plan["memory"]["devices"]
        assert dict(itertools.pairwise(instance.argv))["--device"] == "Vulkan0"
        assert f"GGML_VK_VISIBLE_DEVICES={device['index']}" in instance.environment
        assert "using device Vulkan0 (llvmpipe" in host.journal(instance.service)
        assert instance.complete()
        assert instance.exposure <= 3.0
    used = [plan["memory"]["devices"][0]["index"] for plan in made["plans"]]
    assert sorted(used) == [0, 1]
    assert play().changed_tasks == []


def test_an_instance_whose_device_is_gone_does_not_serve_until_it_is_back(host):
    (lost,) = [name for name in ("one", "two") if "VISIBLE_DEVICES=1" in Instance(host, name).unit]
    instance = Instance(host, lost, {"one": 8080, "two": 8081}[lost])
    other = Instance(host, *{"one": ("two", 8081), "two": ("one", 8080)}[lost])
    host.run(f"mv {SECOND_DRIVER} /root/")
    host.run(["systemctl", "restart", "--no-block", instance.service])
    host.wait_for(lambda: instance.state["NRestarts"] not in ("", "0"), 30)
    assert instance.health == 0
    assert "invalid device: Vulkan0" in host.journal(instance.service)
    assert other.complete()
    host.run(f"mv /root/lvp2_icd.json {SECOND_DRIVER}")
    host.wait_for(lambda: instance.health == 200, 60)
    assert instance.complete()
