# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A model with a projector, from its header to the unit, through Ansible's templating."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleError
from ansible_collections.prositronic.infra.tests.unit.headers import PROJECTOR, header
from ansible_collections.prositronic.infra.tests.unit.templar import render

GIB = 1 << 30
HOST = {
    "gpus": [
        {
            "index": 0,
            "uuid": "GPU-1",
            "vendor": "nvidia",
            "memory_total_bytes": 24 * GIB,
            "memory_free_bytes": 23 * GIB,
            "compute_capability": "8.9",
        }
    ],
    "driver": {"vendor": "nvidia", "version": "610.43.02", "cuda_version": "13.3"},
    "memory": {"total_bytes": 64 * GIB},
}


def plan(arguments="", projector=None, context=8192, quant="Q4_K_M"):
    call = f"model='gemma-3-27b-it', quant='{quant}', context={context}, name='eyes'{arguments}"
    return render(f"host | prositronic.infra.model_fit({call})", host=HOST, projector=projector or PROJECTOR)


def service(planned, call):
    more = "host=host, name='eyes', model='/srv/models/m.gguf', port=8080"
    return render(f"plan | prositronic.infra.llama_server_service({more}{call})", plan=planned, host=HOST)


def test_it_is_counted_and_is_part_of_the_launch():
    without, planned = plan(), plan(", mmproj=projector")
    (bare,), (device,) = without["memory"]["devices"], planned["memory"]["devices"]
    lines = {line["what"]: line["bytes"] for line in planned["memory"]["lines"] if line["where"] == "GPU0"}
    assert device["extras_bytes"] == sum(size for what, size in lines.items() if what.startswith("projector")) > 0
    assert device["weights_bytes"] == bare["weights_bytes"]
    assert planned["launch"]["mmproj"] == "/srv/clip.gguf"
    assert planned["plan_id"] != without["plan_id"]


def test_a_large_one_takes_what_the_model_could_have():
    tensors = [f"F16 65536x65536 v.{number}" for number in range(2)]
    metadata = {key: value for key, value in PROJECTOR["metadata"].items() if key != "general.architecture"}
    large = header("clip", tensors, **metadata)
    assert plan()["placement"] == "gpu"
    assert plan(", mmproj=projector", large)["placement"] == "gpu+host"


def test_there_is_room_for_the_largest_image():
    """Of 16,384 patches, where a warm-up image has 8,464: three rows of 20,000 values and two of 5,000 for each."""
    sizes = {"clip.vision.embedding_length": 5000, "clip.vision.feed_forward_length": 20000}
    kind = {"clip.projector_type": "qwen2.5vl_merger"}
    metadata = {key: value for key, value in PROJECTOR["metadata"].items() if key != "general.architecture"}
    wide = header("clip", ["F16 10x100 mm.0.weight"], **(metadata | sizes | kind))
    planned = plan(", mmproj=projector", wide, context=131072)
    (device,) = planned["memory"]["devices"]
    later = {line["where"]: line["bytes"] for line in planned["memory"]["lines"] if "largest image" in line["what"]}
    assert later["GPU0"] > 4 * (16384 - 8464) * 3 * 20000
    assert device["total_bytes"] + later["GPU0"] <= device["free_bytes"]
    assert later["host"] > 0
    reserve = 4 * GIB
    needed = planned["memory"]["host"]["total_bytes"] + later["host"] + reserve
    assert planned["requirements"]["minimum_ram_bytes"] == needed


def test_the_unit_names_it_and_sees_its_folder():
    planned = plan(", mmproj=projector")
    answer = service(planned, "")
    assert "--mmproj /srv/clip.gguf" in answer["command"]
    assert answer["model_folders"] == ["/srv/models", "/srv"]
    # A trial maps the model only
    assert not any("mmproj" in line for line in answer["trial_command"])
    options = service(planned, ", mounts=[]")["container_options"]
    assert [line for line in options if line.startswith("--volume")] == [
        "--volume /srv/models:/srv/models:ro",
        "--volume /srv:/srv:ro",
    ]


def test_its_path_must_say_which_folder():
    header = PROJECTOR | {"files": [{"path": "clip.gguf", "size_bytes": 1}]}
    planned = plan(", mmproj=projector", header)
    with pytest.raises(AnsibleError, match="plan: mmproj of its launch must be an absolute path"):
        service(planned, "")


def test_its_file_is_kept_and_loaded_too():
    large = PROJECTOR | {"files": [{"path": "/srv/clip.gguf", "size_bytes": 5 * GIB}]}
    bare, planned = plan(), plan(", mmproj=projector", large)
    assert planned["requirements"]["disk_bytes"] == bare["requirements"]["disk_bytes"] + 5 * GIB
    # From a disk of 50 MB/s, with what the planned model itself leaves of a second.
    longer = service(planned, "")["start_timeout_seconds"] - service(bare, "")["start_timeout_seconds"]
    assert longer in (5 * GIB // 50_000_000, 5 * GIB // 50_000_000 + 1)


def test_the_engine_is_not_asked_about_it():
    call = "host=host, model='/srv/m.gguf'"
    planned = plan(", mmproj=projector")
    words = render(f"plan | prositronic.infra.llama_bench_args({call})", plan=planned, host=HOST)["arguments"]
    assert not any("mmproj" in word for word in words)


@pytest.mark.parametrize(
    ("projector", "text"),
    [
        (
            "/srv/mmproj.gguf",
            "mmproj: give the header of a projector's file, the gguf that prositronic.infra.gguf_info",
        ),
        (
            header("qwen3", ["F16 10x10 a.weight"]),
            "the architecture of qwen3 is 'qwen3', and that of a projector is 'clip'",
        ),
        ({**PROJECTOR, "files": []}, "mmproj.files"),
    ],
)
def test_what_is_no_projector_is_refused(projector, text):
    with pytest.raises(AnsibleError, match=text):
        plan(", mmproj=projector", projector)


def test_it_is_looked_at_before_any_quant_is_chosen():
    with pytest.raises(AnsibleError, match="the architecture of qwen3 is 'qwen3', and that of a projector is 'clip'"):
        plan(", mmproj=projector", header("qwen3", ["F16 10x10 a.weight"]), quant="auto")


@pytest.mark.parametrize("models", ["vision", {"capabilities": ["vision"]}, ["gemma-3-27b-it", "gemma-3-12b-it"]])
def test_it_belongs_to_one_model(models):
    with pytest.raises(AnsibleError, match="a projector is made for one model: name that as 'model'"):
        render("host | prositronic.infra.model_fit(model=m, mmproj=p)", host=HOST, m=models, p=PROJECTOR)


def test_no_other_model_is_proposed_for_it():
    call = "model='gemma-3-27b-it', quant='Q8_0', advice='always', allow={'host': false}"
    more = ", mmproj=p"
    bare, planned = (
        render(f"host | prositronic.infra.model_fit({call}{arguments})", host=HOST, p=PROJECTOR)
        for arguments in ("", more)
    )
    assert {one["model"] for one in bare["alternatives"]} > {"gemma-3-27b-it"}
    assert {one["model"] for one in planned["alternatives"]} == {"gemma-3-27b-it"}


def test_the_chart_has_no_place_for_it():
    with pytest.raises(AnsibleError, match="it has a projector"):
        render(
            "plan | prositronic.infra.helmfile_values(name='eyes', repository='p/q')", plan=plan(", mmproj=projector")
        )
