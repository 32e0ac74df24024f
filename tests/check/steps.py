# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of `./check`. Those that test the collection do so on what would be published, unpacked outside the checkout."""

from __future__ import annotations

import functools
import os
import re
import shutil
import tarfile
import typing as t
from pathlib import Path

import ansible_test
import pytest_report
from matrix import TARGET_PYTHON, Core
from runner import Job, Step, StepFailed, StepSkipped

from tools.environment import (
    ROOT,
    Environment,
    EnvironmentProblem,
    Python,
    cache_directory,
    cached_environment,
)

TOOLS = "tests/check/requirements.txt"
TESTS = "tests/unit/requirements.txt"
# Of what knows no Ansible
PLAIN_TESTS = ("tests/unit/plugins/module_utils", "tests/unit/plugins/plugin_utils", "tests/unit/tools")
# Of ansible-test, what is the same with every ansible-core
PLAIN_SANITY = ("changelog", "import", "pep8", "pylint", "yamllint")
# Of tests that run with the newest ansible-core only
MORE_TESTS = tuple(f"tests/{name}/requirements.txt" for name in ("awx", "browser", "helm"))
LAB = "tests/lab/requirements.txt"

# What a published collection holds at its top; anything else is an oversight in galaxy.yml's build_ignore.
PUBLISHED = {
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "FILES.json",
    "LICENSE",
    "MANIFEST.json",
    "README.md",
    "awx",
    "changelogs",
    "docs",
    "examples",
    "meta",
    "playbooks",
    "plugins",
    "requirements.txt",
    "roles",
    "tests",
}

# Not published, but looked at by the tools and tests.
BESIDE = ("galaxy.yml", "pyproject.toml", ".ansible-lint", ".yamllint", "tools")

FUZZED_HEADERS = 100_000
# Questions to the real llama.cpp; `tests/differential/fit_params.py --count` asks more.
DIFFERENTIAL_QUESTIONS = 300
# How that says that the program cannot be had on this machine.
PROGRAM_NOT_HERE = 77

# Names under which systems have it
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")

# The lab's way to say that it cannot run on this machine.
LAB_SKIPPED = 77
LAB_LIMIT_SECONDS = 1500
LONG_SECONDS = 5400


class Steps:
    """Makes the list of steps for what this machine has. `work` is a directory outside the checkout, for this run.

    `thorough`: also what finds little that another step does not, and takes long. `chosen` names the steps of this run.
    """

    def __init__(
        self, work: Path, pairs: t.Sequence[tuple[Core, Python]], pythons: t.Sequence[Python], thorough: bool
    ) -> None:
        self.work = work
        self.thorough = thorough
        self.pairs = pairs
        self.oldest_target = next((python for python in pythons if python.minor == TARGET_PYTHON), None)
        self.newest = pairs[0]
        self.environments: dict[str, Environment] = {}
        self.chosen: set[str] = set()

    def all(self) -> list[Step]:
        """Every step but the lab's, in the order in which those that can start do."""
        newest = self.newest[0].line
        environments = [self._environment_step(core, python) for core, python in self.pairs]
        tree = Step("build", self.build, (f"env-{newest}",))
        steps = [environments[0], tree, *environments[1:], Step("env-tools", self.tools_environment, (), False)]
        steps.append(Step("ruff", self.ruff, ("env-tools",)))

        def for_each(name: str, run: t.Callable[..., None]) -> None:
            for core, python in self.pairs:
                steps.append(Step(f"{name}-{core.line}", self._bind(run, core, python), (f"env-{core.line}", "build")))

        of_newest = (f"env-{newest}", "build")
        of_tools = ("env-tools", "build")
        # What takes longest starts first, so that nothing is waited for at the end.
        for_each("sanity", self.sanity)
        for_each("unit", self.unit)
        steps.append(Step("browser", self.browser, of_newest))
        steps.append(Step("fuzz", self.fuzz, of_newest))
        steps.append(Step("differential", self.differential, of_newest))
        for_each("integration", self.integration)
        steps.append(Step("helm", self.helm, of_newest))
        return [
            *steps,
            Step("ansible-lint", self.ansible_lint, of_tools),
            Step("docs", self.docs, of_tools),
            Step("conformance", self.conformance, of_newest),
            Step("awx", self.awx, of_newest),
            Step("target-python", self.target_python, of_newest),
            Step("mypy", self.mypy, of_tools),
        ]

    def lab(self, long: bool = False) -> Step:
        return Step("lab", functools.partial(self.run_lab, long=long), (f"env-{self.newest[0].line}", "build"))

    # Environments and the tree that is tested

    def _environment_step(self, core: Core, python: Python) -> Step:
        more = MORE_TESTS if core is self.newest[0] else ()

        def make(job: Job) -> None:
            self._make(job, core.line, python, [core.requirement, TESTS, *more])

        return Step(f"env-{core.line}", make, (), False)

    def tools_environment(self, job: Job) -> None:
        core, python = self.newest
        self._make(job, "tools", python, [core.requirement, "requirements.txt", TOOLS])

    def _make(self, job: Job, name: str, python: Python, requirements: list[str]) -> None:
        with open(job.log, "a", encoding="utf-8") as log:
            try:
                environment = cached_environment(name, python, requirements, log)
            except EnvironmentProblem as problem:
                raise StepFailed(str(problem)) from problem
        self.environments[name] = environment
        self._home(name, python).mkdir(parents=True, exist_ok=True)
        job.detail = f"Python {python}"

    def _home(self, name: str, python: Python) -> Path:
        return cache_directory() / "homes" / f"{name}-{python.minor}"

    def build(self, job: Job) -> None:
        """Build the collection's archive, look at what is in it, and unpack it where ansible-test wants it."""
        galaxy = self._program(self.newest[0].line, "ansible-galaxy")
        job.call(galaxy, "collection", "build", "--output-path", self.work, cwd=ROOT)
        archive = next(self.work.glob("prositronic-infra-*.tar.gz"))
        with tarfile.open(archive) as tar:
            unexpected = {name.split("/")[0] for name in tar.getnames()} - PUBLISHED
            if unexpected:
                names = ", ".join(sorted(unexpected))
                raise StepFailed(f"The archive for publishing would hold {names}: add to build_ignore in galaxy.yml.")
            tar.extractall(self._tree("built"), filter="data")
        for name in BESIDE:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, self._tree("built") / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / name, self._tree("built"))
        job.detail = f"{sum(path.is_file() for path in self._tree('built').rglob('*'))} files"

    def _tree(self, name: str) -> Path:
        return self.work / name / "ansible_collections" / "prositronic" / "infra"

    def _copy(self, name: str) -> Path:
        """A copy of the built tree for a step that writes into it."""
        tree = self._tree(name)
        shutil.copytree(self._tree("built"), tree)
        return tree

    def _program(self, environment: str, name: str) -> Path:
        return self.environments[environment].bin / name

    def _variables(self, job: Job, environment: str) -> dict[str, str]:
        made = self.environments[environment]
        return made.variables(job.variables) | {"HOME": str(self._home(environment, made.python))}

    # Steps for each ansible-core

    def sanity(self, job: Job, core: Core, python: Python) -> None:
        environment = self.environments[core.line]
        tree = self._copy(f"sanity-{core.line}")
        home = self._home(core.line, python)
        other = f"sanity-{self.newest[0].line}"
        leave_out = dict.fromkeys(PLAIN_SANITY if self._left_to(other, job) else (), f"run by {other}; here with --lab")
        ansible_test.sanity(job, environment, tree, home, self._variables(job, core.line), python.minor, leave_out)

    def unit(self, job: Job, core: Core, _python: Python) -> None:
        """All on the oldest ansible-core; on the others what meets Ansible."""
        other = f"unit-{self.pairs[-1][0].line}"
        left_out = PLAIN_TESTS if self._left_to(other, job) else ()
        self._pytest(job, core.line, "tests/unit", *(f"--ignore={folder}" for folder in left_out))
        job.not_run += [f"{job.step.name}: {folder}: run by {other}; here with --lab" for folder in left_out]

    def _left_to(self, other: str, job: Job) -> bool:
        """Whether another step of this run does what is the same in both."""
        return not self.thorough and other != job.step.name and other in self.chosen

    def integration(self, job: Job, core: Core, python: Python) -> None:
        """The newest ansible-core drives the oldest Python, the oldest its own."""
        tree = self._copy(f"integration-{core.line}")
        target = (self.oldest_target if core is self.newest[0] else None) or python
        environment = self.environments[core.line]
        ansible_test.integration(job, environment, tree, self._variables(job, core.line), target)

    # Steps for one

    def conformance(self, job: Job) -> None:
        self._pytest(job, self.newest[0].line, "tests/conformance")

    def helm(self, job: Job) -> None:
        """The chart, rendered and deployed by the real helm and helmfile."""
        self._pytest(job, self.newest[0].line, "tests/helm")

    def awx(self, job: Job) -> None:
        """The AWX project through ansible-runner and ansible-builder."""
        self._pytest(job, self.newest[0].line, "tests/awx")

    def browser(self, job: Job) -> None:
        """The pages, read in Chromium; screenshots stay in the checkout, where nothing of it is published."""
        if not any(map(shutil.which, CHROMIUMS)):
            raise StepSkipped("Chromium is not on this machine: install the package chromium")
        shots = ROOT / "tests" / "output" / "screenshots"
        self._pytest(job, self.newest[0].line, "tests/browser", BROWSER_SCREENSHOTS=str(shots))
        job.detail = f"{len(list(shots.glob('*.png')))} screenshots in {shots.relative_to(ROOT)}"

    def fuzz(self, job: Job) -> None:
        tree = self._tree("built")
        script = tree / "tests" / "fuzz" / "gguf_header.py"
        if not script.exists():
            raise StepSkipped("there is no tests/fuzz/gguf_header.py")
        line = self.newest[0].line
        variables = self._variables(job, line) | {"PYTHONPATH": str(self.work / "built")}
        job.call(self._program(line, "python"), script, "--count", str(FUZZED_HEADERS), cwd=tree, variables=variables)
        job.detail = f"{FUZZED_HEADERS} headers"

    def differential(self, job: Job) -> None:
        """Estimates of memory against the real llama-fit-params, which Debian has. Like the lab it tests the checkout."""
        line = self.newest[0].line
        script = ROOT / "tests" / "differential" / "fit_params.py"
        variables = self._variables(job, line) | {"PYTHONDONTWRITEBYTECODE": "1"}
        words = ("--count", str(DIFFERENTIAL_QUESTIONS), "--cache", cache_directory())
        try:
            output = job.call(self._program(line, "python"), script, *words, cwd=ROOT, variables=variables)
        except StepFailed as failure:
            if failure.code == PROGRAM_NOT_HERE:
                raise StepSkipped(job.log.read_text(encoding="utf-8").splitlines()[-1]) from failure
            raise
        job.detail = output.splitlines()[-1]

    def target_python(self, job: Job) -> None:
        """Modules and module_utils on the oldest Python that a target host may have."""
        if self.oldest_target is None:
            raise StepSkipped(f"Python {TARGET_PYTHON}, the oldest on target hosts, is not on this machine")
        core, python = self.newest
        tree = self._copy("target-python")
        variables = self._variables(job, core.line)
        ansible_test.target_python(
            job, self.environments[core.line], tree, self._home(core.line, python), variables, self.oldest_target
        )

    def ruff(self, job: Job) -> None:
        ruff = self._program("tools", "ruff")
        cache = cache_directory() / "ruff"
        job.call(ruff, "check", "--cache-dir", cache, ".", cwd=ROOT, variables=self._variables(job, "tools"))

    def mypy(self, job: Job) -> None:
        tree = self._tree("built")
        variables = self._variables(job, "tools") | {"MYPYPATH": str(self.work / "built")}
        mypy = [self._program("tools", "mypy"), "--config-file", ROOT / "pyproject.toml"]
        packages = [f"--package=ansible_collections.prositronic.infra.{name}" for name in ("plugins", "tools.catalog")]
        job.call(*mypy, "--cache-dir", cache_directory() / "mypy", *packages, cwd=tree, variables=variables)
        own = variables | {"MYPYPATH": f"{ROOT}:{ROOT / 'tests' / 'check'}"}
        own_cache = cache_directory() / "mypy-check"
        job.call(*mypy, "--cache-dir", own_cache, "tests/check", "tools/demo.py", cwd=ROOT, variables=own)

    def ansible_lint(self, job: Job) -> None:
        tree = self._copy("ansible-lint")
        variables = self._variables(job, "tools") | {"ANSIBLE_COLLECTIONS_PATH": str(self.work / "ansible-lint")}
        lint = self._program("tools", "ansible-lint")
        output = job.call(lint, "--offline", "--strict", cwd=tree, variables=variables)
        found = re.search(r"in (\d+) files processed", output)
        if found is None or found[1] == "0":
            raise StepFailed("ansible-lint read no file.")
        job.detail = f"{found[1]} files"

    def docs(self, job: Job) -> None:
        tree = self._copy("docs")
        job.call(
            self._program("tools", "antsibull-docs"),
            "lint-collection-docs",
            "--plugin-docs",
            "--validate-collection-refs=self",
            ".",
            cwd=tree,
            variables=self._variables(job, "tools"),
        )

    def run_lab(self, job: Job, long: bool) -> None:
        """The tests on hosts that boot; as root it first installs and builds what they need."""
        command = ROOT / "tests" / "lab" / "run"
        if not command.exists():
            raise StepSkipped("there is no tests/lab")
        # The lab keeps its images in the person's cache, and tests the checkout.
        core, python = self.newest
        self._make(job, "lab", python, [core.requirement, TESTS, LAB])
        variables = self.environments["lab"].variables() | {"PYTHON": str(self._program("lab", "python"))}
        report = self.work / "lab.xml"
        try:
            if os.geteuid() == 0:
                job.call(command, "setup", cwd=ROOT, variables=variables, keep=False, limit_seconds=LAB_LIMIT_SECONDS)
            test = [command, "test", f"--junit-xml={report}", *(["--long"] if long else [])]
            job.call(*test, cwd=ROOT, variables=variables, limit_seconds=LONG_SECONDS if long else LAB_LIMIT_SECONDS)
        except StepFailed as failure:
            if failure.code == LAB_SKIPPED:
                raise StepSkipped(job.log.read_text(encoding="utf-8").splitlines()[-1]) from failure
            raise
        finally:
            pytest_report.count(job, report)

    # What several share

    def _bind(self, step: t.Callable[..., None], *arguments: t.Any) -> t.Callable[[Job], None]:
        return lambda job: step(job, *arguments)

    def _pytest(self, job: Job, line: str, folder: str, *options: str, **more: str) -> None:
        """Run the tests below a folder with these options of pytest, and `more` environment variables."""
        tree = self._copy(job.step.name)
        if not any((tree / folder).rglob("test_*.py")):
            raise StepSkipped(f"there are no tests below {folder}")
        environment = self.environments[line]
        long = ["--long"] if self.thorough else []
        pytest_report.run(job, environment, tree, self._variables(job, line) | more, folder, *long, *options)
