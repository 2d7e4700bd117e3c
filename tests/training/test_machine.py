"""What a record says about the machine and the code that made a number."""

import shutil

import pytest

from repro.folders import ROOT
from repro.training import machine


@pytest.fixture
def digest(tmp_path, monkeypatch):
    """The digest of the code, after a file of it has got one more comment."""
    shutil.copytree(ROOT / "repro", tmp_path / "repro", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(machine, "ROOT", tmp_path)

    def of(changed: str | None = None) -> str:
        if changed:
            with (tmp_path / "repro" / changed).open("a") as file:
                file.write("# one more\n")
        return machine.code_hash.__wrapped__()

    return of


@pytest.mark.parametrize(
    "changed", ["training/step.py", "nets/norm.py", "data/images.py", "evaluation/crops.py", "net.py"]
)
def test_other_code_on_the_way_of_a_number_is_other_code(digest, changed):
    assert digest() != digest(changed)


@pytest.mark.parametrize("changed", ["cli/run.py", "reading/style.py", "cluster/job.py", "bench/parts.py"])
def test_code_that_sends_or_reads_runs_moves_no_number(digest, changed):
    assert digest() == digest(changed)
