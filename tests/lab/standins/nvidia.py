# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stand-ins for NVIDIA's driver and container toolkit, which no registry has that tests can reach.

The packages have the names, dependencies and units of the real ones. Their runtime runs the real runc and marks the
container; their nvidia-ctk writes a real CDI specification, whose devices only set a variable and mount a file. So it is
the real docker, podman and containerd that are shown to use what the role configured, and no GPU is.
"""

from __future__ import annotations

from ..host import Host
from ..services.recipes import Package

GPU = "GPU-0a1b2c3d-0000-4000-8000-000000000000"
SLICES = ("MIG-11111111-0000-5000-8000-000000000001", "MIG-22222222-0000-5000-8000-000000000002")
MACHINE = "/etc/stand-in-gpu"  # UUID of the card, then those of its MIG slices

NVIDIA_SMI = rf"""#!/usr/bin/python3
# Stand-in for nvidia-smi: one card, as {MACHINE} says
import sys
card, *slices = open("{MACHINE}").read().split()
asked = sys.argv[1:]
if asked == ["-q", "-x"]:
    mode = "Enabled" if slices else "Disabled"
    parts = "".join(
        f"<mig_device><index>{{n}}</index><gpu_instance_id>{{n}}</gpu_instance_id><compute_instance_id>0</compute_instance_id>"
        "<fb_memory_usage><total>9856 MiB</total><reserved>0 MiB</reserved><used>0 MiB</used></fb_memory_usage></mig_device>"
        for n, _ in enumerate(slices)
    )
    print(
        '<?xml version="1.0" ?><nvidia_smi_log><driver_version>580.95.05</driver_version><cuda_version>13.0</cuda_version>'
        f'<attached_gpus>1</attached_gpus><gpu id="00000000:01:00.0"><product_name>Stand-in</product_name><uuid>{{card}}</uuid>'
        f"<mig_mode><current_mig>{{mode}}</current_mig></mig_mode><mig_devices>{{parts}}</mig_devices>"
        "<fb_memory_usage><total>40960 MiB</total><reserved>400 MiB</reserved><used>0 MiB</used></fb_memory_usage>"
        "</gpu></nvidia_smi_log>"
    )
elif asked == ["-L"]:
    print(f"GPU 0: Stand-in (UUID: {{card}})")
    for n, part in enumerate(slices):
        print(f"  MIG 1g.10gb     Device  {{n}}: (UUID: {{part}})")
elif asked[0].startswith("--query-gpu="):
    print(f"{{card}}, 8.0")
else:
    sys.exit(2)
"""

NVIDIA_CTK = r"""#!/usr/bin/python3
# Stand-in for nvidia-ctk
import glob, os, re, subprocess, sys
asked = sys.argv[1:]
if asked == ["cdi", "generate"]:
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=True).stdout
    uuids = re.findall(r"UUID: (\S+)\)", listed)
    devices = uuids[1:] or uuids
    path = os.environ.get("NVIDIA_CTK_CDI_OUTPUT_FILE_PATH", "/var/run/cdi/nvidia.yaml")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as spec:
        spec.write("cdiVersion: 0.5.0\nkind: nvidia.com/gpu\ndevices:\n")
        named = [(str(n), uuid) for n, uuid in enumerate(devices)] + [(uuid, uuid) for uuid in devices]
        for name, uuid in [*named, ("all", ",".join(devices))]:
            spec.write(f'- name: "{name}"\n  containerEdits:\n    env: ["STAND_IN_GPU={uuid}"]\n')
            spec.write("    mounts: [{hostPath: /etc/stand-in-gpu, containerPath: /stand-in-gpu, options: [ro, bind]}]\n")
elif asked == ["cdi", "list"]:
    names = set()
    for path in glob.glob("/etc/cdi/*.yaml") + glob.glob("/var/run/cdi/*.yaml"):
        names |= set(re.findall(r'^- name: "(.*)"', open(path).read(), re.MULTILINE))
    print(f'time="2026-11-21T00:00:00Z" level=info msg="Found {len(names)} CDI devices"', file=sys.stderr)
    for name in sorted(names):
        print(f"nvidia.com/gpu={name}")
else:
    sys.exit(f"the stand-in for nvidia-ctk does not know {asked}")
"""

NVIDIA_CONTAINER_RUNTIME = r"""#!/usr/bin/python3
# Stand-in for nvidia-container-runtime: marks the container, then runc does the work
import json, os, sys
if "create" in sys.argv:
    bundle = sys.argv[sys.argv.index("--bundle") + 1] if "--bundle" in sys.argv else "."
    path = os.path.join(bundle, "config.json")
    spec = json.load(open(path))
    spec["process"].setdefault("env", []).append("STAND_IN_RUNTIME=nvidia")
    json.dump(spec, open(path, "w"))
os.execvp("runc", ["runc", *sys.argv[1:]])
"""

REFRESH_SERVICE = """[Unit]
Description=Refresh NVIDIA CDI specification file
ConditionPathExists=/usr/bin/nvidia-smi
ConditionPathExists=/usr/bin/nvidia-ctk

[Service]
Type=oneshot
EnvironmentFile=-/etc/nvidia-container-toolkit/nvidia-cdi-refresh.env
ExecStart=/usr/bin/nvidia-ctk cdi generate

[Install]
WantedBy=multi-user.target
"""
REFRESH_PATH = """[Unit]
Description=Trigger CDI refresh on NVIDIA driver install / uninstall events

[Path]
PathChanged=/usr/bin/nvidia-smi

[Install]
WantedBy=multi-user.target
"""


def toolkit(version: str, form: str = "deb") -> list[Package]:
    """The four packages of one version, such as 1.20.0-1. form: deb or rpm, which write dependencies differently."""

    def on(name: str) -> str:
        return f"{name} (= {version})" if form == "deb" else f"{name} = {version}"

    return [
        Package("libnvidia-container1", version, files={"/usr/lib/nvidia-stand-in/libnvidia-container.so.1": version}),
        Package(
            "libnvidia-container-tools",
            version,
            depends=[on("libnvidia-container1")],
            files={"/usr/bin/nvidia-container-cli": f"#!/bin/sh\necho 'cli-version: {version}'\n"},
        ),
        Package(
            "nvidia-container-toolkit-base",
            version,
            files={
                "/usr/bin/nvidia-ctk": NVIDIA_CTK,
                "/usr/bin/nvidia-container-runtime": NVIDIA_CONTAINER_RUNTIME,
                "/etc/systemd/system/nvidia-cdi-refresh.service": REFRESH_SERVICE,
                "/etc/systemd/system/nvidia-cdi-refresh.path": REFRESH_PATH,
                "/etc/nvidia-container-toolkit/nvidia-cdi-refresh.env": "# NVIDIA_CTK_DEBUG=1\n",
            },
            scripts={"postinst": "systemctl daemon-reload || true"} if form == "deb" else {},
        ),
        Package(
            "nvidia-container-toolkit",
            version,
            depends=[on("nvidia-container-toolkit-base"), on("libnvidia-container-tools")],
            files={"/usr/bin/nvidia-container-runtime-hook": "#!/bin/sh\n"},
        ),
    ]


def install_driver(host: Host) -> None:
    """Give a host a driver with one card."""
    host.write("/usr/bin/nvidia-smi", NVIDIA_SMI, mode=0o755)
    cut(host, ())


def cut(host: Host, slices: tuple[str, ...]) -> None:
    """Cut the card into MIG slices, which nothing on the host notices by itself."""
    host.write(MACHINE, "\n".join([GPU, *slices]) + "\n")
