# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.prositronic.infra.plugins.plugin_utils.catalog import access as catalog
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.host import InferenceHost
from ansible_collections.prositronic.infra.plugins.plugin_utils.contract.request import Reserve
from ansible_collections.prositronic.infra.plugins.plugin_utils.planner.backend import BackendError, backend
from ansible_collections.prositronic.infra.plugins.plugin_utils.planner.machine import machine


def _machine(*capabilities, driver=None, vendor="nvidia"):
    gpus = [{"vendor": vendor, "memory_free_bytes": 1 << 34, "compute_capability": c} for c in capabilities]
    host = {"gpus": gpus, "memory": {"total_bytes": 1 << 36}, "driver": {"version": driver} if driver else None}
    return machine(InferenceHost.read(host, "host"), Reserve())


@pytest.mark.parametrize(
    ("capabilities", "driver", "build"),
    [
        (["7.0"], "610.43.02", "cuda12"),
        (["7.0"], "570.26", "cuda12"),
        (["9.0"], "610.43.02", "cuda13"),
        (["9.0"], "580.95.05", "cuda12"),
        (["12.1"], "610.50", "cuda13"),
        (["12.0"], "610.43.02", "cuda13"),
        (["12.0"], "580.95.05", "cuda12"),
        (["10.0"], "610.43.02", "cuda13"),
        (["8.9", "7.0"], "610.43.02", "cuda12"),
        (["8.9"], "550.54.15", "cuda12"),
        (["8.9"], None, "cuda13"),
        (["6.1"], None, "cuda12"),
    ],
)
def test_capability_and_driver_choose_the_build(capabilities, driver, build):
    chosen, _warnings = backend(_machine(*capabilities, driver=driver), catalog.engine(None))
    assert chosen.backend == build
    assert f"server-{build}-" in chosen.image


def test_machine_code_runs_on_an_older_driver_with_a_word_about_containers():
    _chosen, warnings = backend(_machine("8.6", driver="550.54.15"), catalog.engine(None))
    assert ["550.54.15 is older than CUDA 12.8" in text and "cuda-compat" in text for text in warnings] == [True]


@pytest.mark.parametrize(
    ("capabilities", "driver", "needed"), [(["9.0"], "535.10", "570.26"), (["7.0"], "470.5", "570.26")]
)
def test_a_driver_too_old_is_an_error_with_the_version_needed(capabilities, driver, needed):
    with pytest.raises(BackendError, match=f"driver {driver} is too old .* install {needed}"):
        backend(_machine(*capabilities, driver=driver), catalog.engine(None))


def test_a_card_older_than_every_build_is_an_error():
    with pytest.raises(BackendError, match=r"compute capability 3\.7"):
        backend(_machine("3.7"), catalog.engine(None))


@pytest.mark.parametrize(("vendor", "build"), [("amd", "rocm"), ("intel", "sycl"), ("other", "vulkan")])
def test_other_vendors_have_a_build_of_their_own(vendor, build):
    assert backend(_machine(None, vendor=vendor), catalog.engine(None))[0].backend == build


def test_without_a_gpu_the_cpu_computes():
    assert backend(_machine(), catalog.engine(None))[0].backend == "cpu"
