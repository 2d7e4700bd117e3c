"""repro installed from a wheel, without a checkout: it works in the folder that it is called in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from repro.provenance.checkout import commit_of
from repro.storage.paths import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of a bare environment that has the wheel; the other packages are this one's."""
    folder = tmp_path_factory.mktemp("installed")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist")]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    [wheel] = (folder / "dist").glob("*.whl")
    environment = folder / "environment"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    python = environment / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(install, check=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = environment / "lib" / version / "site-packages"
    # A folder that a .pth file names is searched, but its own .pth files are not followed:
    # so the checkout that is installed here for development stays out of sight.
    (site / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return environment / "bin" / "repro"


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("RESULTS", "FIGURES", "DATA"):
        monkeypatch.delenv(f"REPRO_{name}", raising=False)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def call(command: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([command, *words], capture_output=True, text=True, env=os.environ)


def test_results_and_figures_go_to_the_working_folder_and_never_into_the_package(
    installed: Path, elsewhere: Path
) -> None:
    before = {path for path in installed.parents[1].rglob("*") if "__pycache__" not in path.parts}
    done = call(installed, "figure", "figure5", "--format", "svg")
    assert done.stdout == f"{elsewhere / 'figures' / 'figure5.svg'}\n", done.stderr
    assert call(installed, "table", "table1").returncode == 0
    assert (elsewhere / "results" / "table1.md").exists()
    after = {path for path in installed.parents[1].rglob("*") if "__pycache__" not in path.parts}
    assert after == before


def test_the_papers_numbers_and_the_published_records_come_along(
    installed: Path, elsewhere: Path
) -> None:
    listed = json.loads(call(installed, "list", "--scale", "quick", "--json").stdout)
    assert sum(line["published"] for line in listed["experiments"]) > 0
    shown = json.loads(call(installed, "show", "table6", "--json").stdout)
    assert shown["elsewhere"]
    done = call(installed, "table", "figure1")
    assert done.returncode == 2
    assert call(installed, "collect").returncode == 0


def test_the_published_records_can_be_archived(installed: Path, elsewhere: Path) -> None:
    done = call(installed, "export", "table6", "--scale", "quick", "--ro-crate", "crate")
    assert done.returncode == 0, done.stderr
    assert "MIT" in (elsewhere / "crate" / "LICENSE").read_text()
    assert (elsewhere / "crate" / "CITATION.cff").exists()


def test_the_version_names_the_commit_it_was_built_from(installed: Path, elsewhere: Path) -> None:
    commit = commit_of()
    assert commit is not None
    assert f"(commit {commit[:7]})" in call(installed, "--version").stdout


def test_a_dry_run_for_the_example_cluster_works_and_init_lays_a_folder_out(
    installed: Path, elsewhere: Path
) -> None:
    words = ("submit", "table6", "--scale", "smoke", "--on", "example", "--dry-run")
    done = call(installed, *words)
    assert done.returncode == 0, done.stderr
    assert "#SBATCH --array" in done.stdout
    assert list(elsewhere.iterdir()) == []
    assert call(installed, "init").returncode == 0
    (elsewhere / "slurm" / "mine.toml").write_text(
        (elsewhere / "slurm" / "example.toml").read_text()
    )
    assert call(installed, *words[:-2], "mine", "--dry-run").returncode == 0
    assert list((elsewhere / "results" / "published").iterdir())


def test_a_run_trains_in_the_working_folder(installed: Path, elsewhere: Path) -> None:
    short = ("--set", "iterations=4", "--set", "drops=[2]", "--seeds", "1", "--only", "resnet-20")
    done = call(installed, "run", "table6", "--scale", "smoke", *short)
    assert done.returncode == 0, done.stderr
    [folder] = (elsewhere / "results" / "runs").iterdir()
    record = json.loads((folder / "final.json").read_text())
    assert record["provenance"]["commit"] == commit_of()
