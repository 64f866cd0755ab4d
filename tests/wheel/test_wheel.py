"""The built wheel, installed into an environment of its own and used in an empty folder without a network.

Simulated: the packages that the wheel depends on are not installed again, the new environment sees those of
the running one; and there is no network in so far as every proxy setting leads to a closed port.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.corpus import PROJECT
from tests.doors.project import Project
from tests.ui.dagster_dev import running_dagster

SOURCES = ("grounding_assets", "resources", "demo", "pyproject.toml", "setup.py", "MANIFEST.in", "README.md",
           "LICENSE", "constraints.txt", "dagster.yaml", "workspace.yaml")  # fmt: skip
NO_NETWORK = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9")
OWN = ("DAGSTER_", "GROUNDING_", "GOOGLE_", "OPENAI_", "PYTHON", "VIRTUAL_ENV")
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith(OWN)} | NO_NETWORK | {
    "NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}  # fmt: skip
EVERYTHING = ("samples", "annotation_run", "step_0_annotations", "step_1_annotations", "annotations")


@dataclass(frozen=True)
class WheelProject(Project):
    """An empty folder, and the environment that the wheel is installed in."""

    python: Path

    @property
    def environment(self) -> dict[str, str]:
        return ENVIRONMENT

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return called(self.python.parent / command[0], *command[1:], cwd=self.folder)

    def package_files(self) -> set[Path]:
        site = next(self.python.parent.parent.glob("lib/python*/site-packages"))
        return {file for file in site.rglob("*") if "__pycache__" not in file.parts}


def called(
    *command: str | Path, cwd: Path, environment: Mapping[str, str] = ENVIRONMENT
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, command)), cwd=cwd, env=dict(environment), capture_output=True, text=True, timeout=300, check=False
    )  # fmt: skip


def succeeded(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, f"{done.args}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a new environment with the wheel, which was built from a source distribution."""
    work = tmp_path_factory.mktemp("build")
    sources = work / "sources"
    for name in SOURCES:
        copied = shutil.copytree if (PROJECT / name).is_dir() else shutil.copy
        (sources / name).parent.mkdir(parents=True, exist_ok=True)
        copied(PROJECT / name, sources / name)
    build = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"
    succeeded(called(sys.executable, "-c", build, work, cwd=sources))
    (archive,) = work.glob("*.tar.gz")
    pip = (sys.executable, "-m", "pip")
    options = ("--quiet", "--no-index", "--no-deps")
    succeeded(called(*pip, "wheel", *options, "--no-build-isolation", "-w", work, archive, cwd=work))
    (wheel,) = work.glob("*.whl")

    succeeded(called(sys.executable, "-m", "venv", "--without-pip", work / "venv", cwd=work))
    python = work / "venv" / "bin" / "python"
    succeeded(called(*pip, "--python", python, "install", *options, wheel, cwd=work))
    # a plain path: the file that makes the checkout importable is not read there
    site = next((work / "venv").glob("lib/python*/site-packages"))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    where = "import grounding_assets, resources; print(grounding_assets.__file__, resources.__file__)"
    for module in succeeded(called(python, "-c", where, cwd=work)).split():
        assert Path(module).is_relative_to(site)
    return python


def test_the_demonstration_then_a_data_set_of_ones_own_then_the_web_page(
    installed: Path, tmp_path: Path
) -> None:
    folder = WheelProject(tmp_path, installed)
    packages = folder.package_files()

    succeeded(folder.run("auto_label", "demo"))
    assert (tmp_path / "dagster.yaml").read_bytes() == (PROJECT / "dagster.yaml").read_bytes()
    assert "8 of 8 samples have a result." in succeeded(
        folder.run("auto_label", "generate", "-e", "demo/spec.yaml")
    )
    assert len((tmp_path / "results/demo/annotations.jsonl").read_text().splitlines()) == 8

    answers = (
        "--input",
        "demo/captions.jsonl",
        "--image-root",
        "demo",
        "--endpoint",
        "local",
        "--name",
        "own",
    )
    succeeded(folder.run("auto_label", "init", "--yes", *answers))
    with running_dagster(folder, "own", python=installed) as dev:
        assert len(dev.run_ids()) == 1, "the run of auto_label is on the page, too"
        assert dev.finished(dev.materialize(*EVERYTHING)) == "SUCCESS"
        assert dev.partition_counts("groundings")["numMaterialized"] == 8
    assert (tmp_path / ".dagster").is_dir()
    assert folder.package_files() == packages, "nothing is written where packages are"


def test_without_any_file_the_page_shows_the_demonstration(installed: Path, tmp_path: Path) -> None:
    with running_dagster(WheelProject(tmp_path, installed), "demo", python=installed) as dev:
        assert dev.finished(dev.materialize(*EVERYTHING)) == "SUCCESS"
    lines = (tmp_path / "results/demo/annotations.jsonl").read_text().splitlines()
    assert {json.loads(line)["image_path"].split("/")[0] for line in lines} == {"images"}


def test_generate_in_an_empty_folder_makes_an_instance_there(installed: Path, tmp_path: Path) -> None:
    folder = WheelProject(tmp_path, installed)
    script = "import grounding_assets.shipped as s; print(s.DEMO)"
    demo = succeeded(called(installed, "-c", script, cwd=tmp_path)).strip()
    settings = (f"data.input_jsonl={demo}/captions.jsonl", f"data.image_root={demo}")
    printed = succeeded(folder.run("auto_label", "generate", "-e", f"{demo}/spec.yaml", *settings))
    assert f"Wrote {tmp_path / 'dagster.yaml'}" in printed
    assert (tmp_path / ".dagster").is_dir()
