# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Time to write the tree of helmfile values for every model and all hardware of the catalog, and to write it again.

    python benchmarks/helmfile_tree.py [--models deepseek-v3.1] [--quants Q4_K_M Q8_0] [--hardware all]

Wanted are thousands of files in a minute on two cores.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import as_collection  # noqa: F401 # pylint: disable=unused-import
from ansible_collections.prositronic.infra.plugins.plugin_utils import answers


def cpu_seconds() -> float:
    """Return what this process and its children that ended have used."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["all"])
    parser.add_argument("--quants", nargs="+", default=["Q4_K_M"])
    parser.add_argument("--hardware", nargs="+", default=["all"])
    parser.add_argument("--context", type=int, default=32768)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        print(f"{len(os.sched_getaffinity(0))} processors")
        for run in ("first", "again"):
            started, used = time.monotonic(), cpu_seconds()
            told = answers.helmfile_values_tree(str(Path(work, "tree")), **vars(options))
            seconds, used = time.monotonic() - started, cpu_seconds() - used
            print(
                f"  {run}: {told['files']} files, {told['written']} written, {len(told['without'])} combinations without;"
                f" {seconds:.1f} s, {used:.1f} CPU seconds, {told['files'] / seconds:.0f} files a second"
            )


if __name__ == "__main__":
    main()
