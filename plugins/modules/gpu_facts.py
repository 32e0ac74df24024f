#!/usr/bin/python
# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gpu_facts
short_description: Gather what a plan needs to know of an inference host
version_added: 1.0.0
author:
  - Prositronic (@prositronic)
description:
  - Gathers GPUs with their free memory and the processes on them, driver, CPU, memory, model storage, and the servers
    that this collection runs, as C(ansible_facts.inference_host).
  - NVIDIA GPUs are asked through the driver's library, or through C(nvidia-smi) where the library cannot be used; AMD
    GPUs through C(amd-smi), C(rocm-smi) or the kernel; Intel GPUs through the kernel. A host without GPU has an empty
    list.
  - Nothing is installed on the host. What cannot be read is null and explained in RV(ansible_facts.inference_host.problems),
    which are also shown as warnings; a broken driver is no failure of this module.
  - Works with O(ignore:gather_facts=false), and as an ordinary user, who may see less.
extends_documentation_fragment:
  - prositronic.infra._attributes
  - prositronic.infra._attributes.info_module
  - prositronic.infra._attributes.facts_module
  - prositronic.infra._attributes.actiongroup_all
options:
  paths:
    description:
      - Folders that models are kept in; their free space is gathered.
      - A folder that does not exist yet has the space of the file system it would be made on.
    type: list
    elements: path
    default:
      - /var/lib/prositronic/models
  measure:
    description:
      - What to measure in addition, V(measure_seconds) each. Without it nothing is measured.
      - V(memory) is the rate at which all cores together read memory, V(storage) the rate of sequential reads past the
        page cache from each folder of O(paths).
      - Memory takes up to 8 GiB of buffers, never more than a quarter of what is available. Storage reads the largest
        file of the folder; where none has 256 MiB, one without a name is written and vanishes with the measurement,
        even if that is killed.
      - Measure on a quiet host; other work on it makes the figures lower. Where rounds of the measurement of memory differ
        much, RV(ansible_facts.inference_host.problems) says so.
    type: list
    elements: str
    choices: [memory, storage]
    default: []
  measure_seconds:
    description: How long each measurement takes, in seconds.
    type: float
    default: 2.0
  timeout:
    description:
      - How many seconds all GPU libraries and tools together may take.
      - Without persistence mode the NVIDIA driver needs about a second per GPU to start.
    type: float
    default: 20.0
  state_folder:
    description: Where this collection keeps what it installed and measured on the host.
    type: path
    default: /var/lib/prositronic
seealso:
  - module: prositronic.infra.model_fit
"""

EXAMPLES = r"""
- name: Look at GPUs, memory and storage
  prositronic.infra.gpu_facts:

- name: Show free GPU memory in GiB
  ansible.builtin.debug:
    msg: "{{ item.name }}: {{ (item.memory_free_bytes / 2**30) | round(1) }} GiB free"
  loop: "{{ ansible_facts.inference_host.gpus }}"
  loop_control:
    label: "{{ item.index }}"

- name: Measure memory and the model disk as well
  prositronic.infra.gpu_facts:
    paths:
      - /srv/models
    measure:
      - memory
      - storage
"""

RETURN = r"""
ansible_facts:
  description: Facts to be added to the host.
  returned: always
  type: dict
  contains:
    inference_host:
      description: The host as the planner of this collection takes it. Unknown values are null.
      type: dict
      returned: always
      contains:
        gathered_at:
          description: Time of the look, UTC.
          type: str
          returned: always
          sample: "2026-11-21T22:58:00Z"
        name:
          description: Name that the host gives itself.
          type: str
          returned: always
        gpus:
          description:
            - GPUs in the order of their vendor's tool, and MIG slices in place of the cards they are cut from.
            - A GPU that has fallen off the bus is left out, and told in RV(ansible_facts.inference_host.problems).
            - Graphics inside a CPU are listed only where there is no other GPU, and never when they are made to show a
              desktop only.
          type: list
          elements: dict
          returned: always
          contains:
            index:
              description: Number of the card in its vendor's tool. Slices have that of their card.
              type: int
            uuid:
              description: UUID as C(CUDA_VISIBLE_DEVICES) or C(ROCR_VISIBLE_DEVICES) takes it.
              type: str
              sample: GPU-6f1f0a2b-3c4d-5e6f-7081-92a3b4c5d6e7
            name:
              description: Product name.
              type: str
              sample: NVIDIA L40S
            vendor:
              description: V(nvidia), V(amd), V(intel) or V(other).
              type: str
            pci_device_id:
              description: PCI vendor and device.
              type: str
              sample: 10de:26b9
            pci_bus_id:
              description: PCI address as the kernel writes it.
              type: str
              sample: "0000:c1:00.0"
            numa_node:
              description: NUMA node that the slot belongs to.
              type: int
            compute_capability:
              description: NVIDIA's compute capability.
              type: str
              sample: "8.9"
            architecture:
              description: AMD's chip.
              type: str
              sample: gfx942
            memory_total_bytes:
              description: Memory of the GPU as its driver tells it, with what it shares with the host.
              type: int
            memory_reserved_bytes:
              description: Part that the driver keeps for itself.
              type: int
            memory_free_bytes:
              description:
                - "What can be handed out: total less reserved less used."
                - 0 for a card in MIG mode without slices and one in compute mode prohibited.
              type: int
            memory_shared_bytes:
              description:
                - Part of RV(ansible_facts.inference_host.gpus[].memory_total_bytes) that is the host's memory too, and
                  counted in RV(ansible_facts.inference_host.memory). Null where the GPU has memory of its own.
              type: int
            unified_memory:
              description: Whether the GPU works in the host's memory (GB10, Jetson, AMD APUs).
              type: bool
            bandwidth_bytes_per_second:
              description: Highest rate of the GPU's memory, where the driver tells bus width and clock.
              type: int
            ecc:
              description: Whether error correction is on.
              type: bool
            mig:
              description: Of a MIG slice its C(profile) and C(parent_uuid), else null.
              type: dict
            virtualization:
              description: V(none), V(pass-through), V(vgpu), V(host-vgpu) or V(host-vsga).
              type: str
            compute_mode:
              description: V(default), V(exclusive-process), V(exclusive-thread) or V(prohibited).
              type: str
            clocks_limited_by:
              description: What keeps the clocks of an NVIDIA GPU low now, of V(power), V(hardware), V(thermal) and V(power-brake).
              type: list
              elements: str
            pcie:
              description:
                - C(generation) and C(width) of the link now, C(maximum_generation) and C(maximum_width) that card and
                  slot can do. Idle cards slow their link down.
              type: dict
            nvlink:
              description: UUIDs of the GPUs that are reached through NVLink.
              type: list
              elements: str
            c2c:
              description: Whether GPU and CPU are joined by NVLink-C2C instead of PCIe (GH200, GB200).
              type: bool
            processes:
              description: Processes with a context on the GPU, each C(pid), C(name), systemd C(unit) and C(memory_bytes).
              type: list
              elements: dict
            source:
              description: V(nvml), V(nvidia-smi), V(amd-smi), V(rocm-smi), V(sysfs) or V(device-tree).
              type: str
        driver:
          description: C(vendor), C(version) and the newest C(cuda_version) it serves.
          type: dict
          returned: always
        cpu:
          description:
            - C(model), C(sockets), C(physical_cores) (without hyper-threads), C(performance_cores) (where there are two
              kinds), C(threads), C(usable_threads) (affinity and quota of this process), C(numa_nodes) with their memory,
              C(flags) that llama.cpp has kernels for, and with O(measure=memory) C(bandwidth_bytes_per_second).
          type: dict
          returned: always
        memory:
          description:
            - C(total_bytes) and C(available_bytes) of the host, or of the container that the module runs in; then
              C(limit_bytes) is that container's limit. C(huge_pages_bytes) are set aside and not available.
          type: dict
          returned: always
        storage:
          description:
            - For each folder of O(paths) C(path), C(filesystem), C(total_bytes), C(free_bytes), and with
              O(measure=storage) C(read_bytes_per_second).
          type: list
          elements: dict
          returned: always
        instances:
          description:
            - Models that servers of this collection serve, each C(name), the C(plan_id), C(request_id), C(model), C(quant) and
              C(launch) it was installed from, C(unit), C(active), and the memory that it holds now, C(gpu_memory_bytes) as a list of C(uuid)
              and C(bytes), and C(host_memory_bytes). One that does not run holds nothing.
          type: list
          elements: dict
          returned: always
        measured:
          description: What benchmarks of this collection observed on the host, null before the first.
          type: dict
          returned: always
        problems:
          description: What keeps a GPU from being used or a fact from being read, each with what to do.
          type: list
          elements: str
          returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.prositronic.infra.plugins.module_utils.inference_host import gather


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "paths": {"type": "list", "elements": "path", "default": ["/var/lib/prositronic/models"]},
            "measure": {"type": "list", "elements": "str", "choices": ["memory", "storage"], "default": []},
            "measure_seconds": {"type": "float", "default": 2.0},
            "timeout": {"type": "float", "default": 20.0},
            "state_folder": {"type": "path", "default": "/var/lib/prositronic"},
        },
        supports_check_mode=True,
    )
    given = module.params
    host = gather(
        paths=given["paths"],
        state_folder=given["state_folder"],
        timeout=given["timeout"],
        measurements=given["measure"],
        measure_seconds=given["measure_seconds"],
    )
    for problem in host["problems"]:
        module.warn(problem)
    module.exit_json(changed=False, ansible_facts={"inference_host": host})


if __name__ == "__main__":
    main()
