"""One meaning of a dirty checkout, in everything that says which code made a number."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from repro.provenance.checkout import CodeState, code_state, commit_of, uncommitted
from repro.storage.paths import ROOT, Places
from tests.cluster.fake_slurm import FakeSlurm

CHOICE = ("--scale", "smoke", "--only", "resnet-20", "--seeds", "1")
SHORT = ("--set", "iterations=2", "--set", "drops=[1]", "--set", "evaluate_every=2")
ONE_RUN = ("table6", *CHOICE, *SHORT)
AS_AUTHOR = ("-c", "user.name=a", "-c", "user.email=a@b")


def git(root: Path, *words: str) -> str:
    command = ["git", "-C", str(root), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A clone of this code, everything committed."""
    root = tmp_path / "clone"
    caches = shutil.ignore_patterns("__pycache__")
    for package in ("repro", "experiments", "slurm"):
        shutil.copytree(ROOT / package, root / package, ignore=caches)
    for name in (".gitignore", "README.md"):
        shutil.copy(ROOT / name, root / name)
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, *AS_AUTHOR, "commit", "-qm", "one")
    return root


def repro(root: Path, *words: str, path: str = "") -> str:
    """What a command of that clone prints."""
    command = [sys.executable, "-m", "repro.cli", *words]
    environment = os.environ | {"PATH": f"{path}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=root)
    assert done.returncode == 0, done.stderr
    return done.stdout


def of_a_run(root: Path, here: Places) -> CodeState:
    """What the record of a run says that this clone trains."""
    repro(root, "run", *ONE_RUN)
    (final,) = here.runs.glob("*/final.json")
    record = json.loads(final.read_bytes())["provenance"]
    shutil.rmtree(here.runs)
    return {"commit": record["commit"], "dirty": record["dirty"]}


def of_a_submission(root: Path, here: Places, slurm: FakeSlurm) -> CodeState:
    """What the frozen code says that this clone submits."""
    repro(root, "submit", *ONE_RUN, "--on", "example", "--yes", path=str(slurm.folder))
    (frozen,) = here.results.glob("code/*/commit.json")
    state: CodeState = json.loads(frozen.read_bytes())
    return state


def of_the_doctor(root: Path) -> str:
    """What `repro doctor` says of the code of this clone."""
    checks = json.loads(repro(root, "doctor", "--json"))["checks"]
    (words,) = [check["words"] for check in checks if check["name"] == "code"]
    return str(words)


@pytest.fixture
def slurm(tmp_path: Path) -> FakeSlurm:
    return FakeSlurm.install(tmp_path / "fake-slurm")


def test_an_edited_readme_is_clean_for_every_command(
    checkout: Path, here: Places, slurm: FakeSlurm
) -> None:
    (checkout / "README.md").write_text("edited\n")
    clean: CodeState = {"commit": git(checkout, "rev-parse", "HEAD"), "dirty": False}
    assert of_a_run(checkout, here) == clean
    assert of_a_submission(checkout, here, slurm) == clean
    assert of_the_doctor(checkout) == git(checkout, "rev-parse", "HEAD")[:12]


def test_an_experiment_that_git_does_not_know_is_dirty_for_every_command(
    checkout: Path, here: Places, slurm: FakeSlurm
) -> None:
    git(checkout, "config", "status.showUntrackedFiles", "no")  # a user's own setting hides nothing
    (checkout / "experiments" / "mine.py").write_text("RATE = 0.2\n")
    dirty: CodeState = {"commit": git(checkout, "rev-parse", "HEAD"), "dirty": True}
    assert of_a_run(checkout, here) == dirty
    assert of_a_submission(checkout, here, slurm) == dirty
    assert of_the_doctor(checkout).endswith(", without experiments/mine.py as it is here")


COMMITTED = (
    "repro/a.py",
    "repro/deep/b.py",
    "experiments/c.py",
    "experiments/paper/d.csv",
    "tests/e.py",
)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A checkout of a few lines."""
    root = tmp_path / "small"
    for name in COMMITTED:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x = 1\n")
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, *AS_AUTHOR, "commit", "-qm", "one")
    return root


NEW = ("repro/new.py", "experiments/newer/f.py")
CODE = ("repro/a.py", "repro/deep/b.py", "experiments/c.py", *NEW)
NO_CODE = ("tests/e.py", "experiments/paper/d.csv", "README.md", "tests/new.py", "repro/notes.txt")


@pytest.mark.parametrize("name", CODE)
def test_changed_and_new_code_is_dirty_and_named(name: str, small: Path) -> None:
    (small / name).parent.mkdir(exist_ok=True)
    (small / name).write_text("x = 2\n")
    assert code_state(small)["dirty"] is True
    assert uncommitted(small) == [name]


@pytest.mark.parametrize("name", NO_CODE)
def test_what_moves_no_number_is_clean(name: str, small: Path) -> None:
    (small / name).write_text("x = 2\n")
    assert code_state(small) == {"commit": git(small, "rev-parse", "HEAD"), "dirty": False}


def test_removed_and_renamed_code_is_dirty_also_when_it_is_staged(small: Path) -> None:
    (small / "repro" / "a.py").unlink()
    assert uncommitted(small) == ["repro/a.py"]
    git(small, "mv", "experiments/c.py", "experiments/g.py")
    assert uncommitted(small) == ["experiments/c.py", "experiments/g.py", "repro/a.py"]


def test_another_repository_around_the_code_is_not_taken_for_its_own(small: Path) -> None:
    installed = small / "site-packages"
    (installed / "repro").mkdir(parents=True)
    assert code_state(installed) == {"commit": None, "dirty": None}


def test_a_git_hook_elsewhere_changes_no_answer(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = git(small, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(small / "elsewhere"))
    assert commit_of(small) == expected


def test_a_record_names_the_code_as_it_was_when_training_began(checkout: Path) -> None:
    script = """
from pathlib import Path
import repro.training.loop
from repro.storage.paths import places
from tests.training.tiny import tiny_run

step = repro.training.loop.make_step
def edit_and_step(*arguments):
    Path("experiments/later.py").write_text("x = 1")
    return step(*arguments)
repro.training.loop.make_step = edit_and_step
print(repro.training.train(tiny_run(), places())["provenance"]["dirty"])
"""
    command = [sys.executable, "-c", script]
    environment = os.environ | {"PYTHONPATH": ""}
    done = subprocess.run(command, capture_output=True, text=True, cwd=checkout, env=environment)
    assert done.stdout == "False\n", done.stderr
