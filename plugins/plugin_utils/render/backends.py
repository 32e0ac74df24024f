# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each of llama.cpp's backends needs of the system around it: its devices, and how one process is given some of them."""

from __future__ import annotations

import dataclasses
import typing as t

from ..contract.base import ContractError
from ..contract.host import Gpu

_NVIDIA = ("char-nvidia*", "char-nvhost*", "/dev/nvmap", "/dev/dxg")
_DRM = ("char-drm",)


@dataclasses.dataclass(frozen=True, slots=True)
class Backend:
    """What a unit says for a backend.

    `visible` is the variable that leaves only some devices visible, which are named there by uuid or, where llama.cpp
    offers nothing else, by index. `device_allow` are device nodes and groups of /proc/devices, which systemd takes as
    patterns. `user_groups` own them. `writes_code` says that a driver makes machine code while it runs.
    """

    visible: str | None = None
    by: t.Literal["uuid", "index"] = "uuid"
    visible_prefix: str = ""
    environment: tuple[str, ...] = ()
    device_allow: tuple[str, ...] = ()
    user_groups: tuple[str, ...] = ()
    writes_code: bool = False

    def selection(self, gpus: t.Sequence[Gpu]) -> list[str]:
        """Return the environment that leaves exactly these GPUs visible, in this order.

        :raises ContractError: for a GPU whose uuid is not known, where the backend chooses by it.
        """
        if self.visible is None or not gpus:
            return []
        names = []
        for gpu in gpus:
            name = gpu.uuid if self.by == "uuid" else str(gpu.index)
            if not name:
                raise ContractError(
                    f"gpus[{gpu.index}] of this host has no uuid, by which its unit would be bound to it"
                )
            names.append(name)
        return [*self.environment, f"{self.visible}={self.visible_prefix}{','.join(names)}"]


def container_devices(backend: str, gpus: t.Sequence[Gpu]) -> list[str]:
    """Return what a container needs of these GPUs: NVIDIA's by their CDI names, which its toolkit makes, others' device nodes.

    :raises ContractError: for an NVIDIA GPU whose uuid is not known.
    """
    devices: dict[str, None] = {}
    for gpu in gpus:
        if gpu.vendor == "nvidia":
            if not gpu.uuid:
                raise ContractError(
                    f"gpus[{gpu.index}] of this host has no uuid, by which a container would be given it"
                )
            devices[f"nvidia.com/gpu={gpu.uuid}"] = None
        else:
            devices.update(dict.fromkeys(("/dev/kfd", "/dev/dri") if backend == "rocm" else ("/dev/dri",)))
    return list(devices)


# CUDA's own order of devices is by speed, and nvidia-smi's by PCI bus. AMD's runtime takes uuids in ROCR_VISIBLE_DEVICES only.
_CUDA = Backend(visible="CUDA_VISIBLE_DEVICES", environment=("CUDA_DEVICE_ORDER=PCI_BUS_ID",), device_allow=_NVIDIA)
BACKENDS: dict[str, Backend] = {
    "cuda13": _CUDA,
    "cuda12": _CUDA,
    "rocm": Backend(visible="ROCR_VISIBLE_DEVICES", device_allow=("char-kfd", *_DRM), user_groups=("render", "video")),
    # Mesa's drivers, and those that compile shaders for a CPU, write code; so does oneAPI.
    "vulkan": Backend(
        visible="GGML_VK_VISIBLE_DEVICES",
        by="index",
        device_allow=(*_DRM, *_NVIDIA),
        user_groups=("render", "video"),
        writes_code=True,
    ),
    "sycl": Backend(
        visible="ONEAPI_DEVICE_SELECTOR",
        by="index",
        visible_prefix="level_zero:",
        device_allow=_DRM,
        user_groups=("render", "video"),
        writes_code=True,
    ),
    "cpu": Backend(),
}
