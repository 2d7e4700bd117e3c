"""Frozen code: a queued job runs what was submitted, whatever is edited after it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from repro.cluster.submit.frozen_code import freeze_code, frozen_folder
from repro.errors import UserError
from repro.storage.atomic import read_json
from repro.storage.paths import Places


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    for package in ("repro", "experiments"):
        (root / package).mkdir(parents=True)
        (root / package / "__init__.py").write_text("WORD = 'submitted'\n")
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "one")
    return root


def git(root: Path, *words: str) -> str:
    return subprocess.run(
        ["git", "-C", str(root), *words], check=True, capture_output=True, text=True
    ).stdout.strip()


def test_what_is_edited_after_submission_does_not_run(here: Places, checkout: Path) -> None:
    code = freeze_code(here, checkout)
    (checkout / "repro" / "__init__.py").write_text("WORD = 'edited'\n")
    said = subprocess.run(
        [sys.executable, "-c", "import repro; print(repro.WORD)"],
        cwd=code,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "submitted\n"


def test_the_commit_is_recorded(here: Places, checkout: Path) -> None:
    found = read_json(freeze_code(here, checkout) / "commit.json")
    assert found == {"commit": git(checkout, "rev-parse", "HEAD"), "dirty": False}


def test_what_was_not_committed_is_part_of_it_and_kept_as_a_diff(
    here: Places, checkout: Path
) -> None:
    clean = frozen_folder(here, checkout)
    (checkout / "repro" / "__init__.py").write_text("WORD = 'changed'\n")
    (checkout / "repro" / "new.py").write_text("NEW = 1\n")
    code = freeze_code(here, checkout)
    assert code != clean
    assert read_json(code / "commit.json")["dirty"] is True
    assert "+WORD = 'changed'" in (code / "uncommitted.diff").read_text()
    assert (code / "repro" / "new.py").exists()


def test_the_same_code_is_kept_once(here: Places, checkout: Path) -> None:
    assert freeze_code(here, checkout) == freeze_code(here, checkout)
    assert len(list((here.results / "code").iterdir())) == 1


def test_caches_and_hidden_files_stay_behind(here: Places, checkout: Path) -> None:
    (checkout / "repro" / "__pycache__").mkdir()
    (checkout / "repro" / "__pycache__" / "x.pyc").touch()
    (checkout / "repro" / ".secret").touch()
    assert [path.name for path in (freeze_code(here, checkout) / "repro").iterdir()] == [
        "__init__.py"
    ]


def test_without_git_the_code_is_copied_and_no_commit_named(here: Places, checkout: Path) -> None:
    (checkout / ".git").rename(checkout / "not-git")
    assert read_json(freeze_code(here, checkout) / "commit.json") == {"commit": None, "dirty": None}


def test_a_results_folder_that_cannot_be_written_is_named(here: Places, checkout: Path) -> None:
    here.results.write_text("a file")
    with pytest.raises(UserError, match="cannot write"):
        freeze_code(here, checkout)
