# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a cluster gets the files of a planned model from. A repository is one that somebody saw, never a guess."""

from __future__ import annotations

import posixpath
import typing as t

from ..catalog.repositories import require_repository
from ..contract.base import ContractError
from ..contract.helmfile_values import ModelFile, ServedModel
from ..contract.plan import Plan


class Weights(t.NamedTuple):
    """The model of the chart, and a text that says where its files are known from."""

    model: ServedModel
    told: str


def weights(plan: Plan, alias: str, repository: str | None, revision: str | None, files: t.Any) -> Weights:
    """Return what a release downloads.

    :param repository: on the hub; without it the one that the catalog knows.
    :param files: `[{name, sha256, url}]`, where they shall be those and no others; url only if not in the repository.
    :raises ContractError: when nothing says where the files are.
    """
    given: dict[str, t.Any] = {"alias": alias, "quant": plan.quant.name}
    if revision:
        given["revision"] = revision
    if files:
        given |= {"files": _files(files), "repository": repository or ""}
        if not repository and any(file.url is None for file in given["files"].values()):
            raise ContractError("files: each needs a url where no repository is given")
        return Weights(_read(given), "files and checksums as given")
    if repository:
        told = (
            f"{repository} as given. The files of this quant are looked up there, and checked by the hub's own sha256"
        )
        return Weights(_read({**given, "repository": repository}), told)
    if plan.model.files:
        name = posixpath.basename(str(plan.model.files[0]["path"]))
        told = "the planned file itself: put it on the volume of persistence.existingClaim or hostPath"
        return Weights(_read({"alias": alias, "path": f"/models/{name}"}), told)
    name, has_quant = require_repository(plan.model.id, plan.quant.name)
    seen = f"publishes {plan.quant.name} of this model" if has_quant else "publishes quants of this model"
    doubt = "" if has_quant else f" (that {plan.quant.name} is among them was not seen: the download says so if not)"
    told = f"{name} {seen}{doubt}. Files are looked up there, and checked by the hub's own sha256; name them in files to pin them"
    return Weights(_read({**given, "repository": name}), told)


def _files(files: t.Any) -> dict[str, ModelFile]:
    if not isinstance(files, list) or not all(
        isinstance(file, dict) and isinstance(file.get("name"), str) for file in files
    ):
        raise ContractError("files: give a list of {name, sha256, url}")
    return {
        file["name"]: ModelFile.read({k: v for k, v in file.items() if k != "name"}, f"files[{i}]")
        for i, file in enumerate(files)
    }


def _read(given: dict[str, t.Any]) -> ServedModel:
    return ServedModel.read(given, "model")
