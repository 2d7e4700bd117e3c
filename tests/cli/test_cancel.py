"""`repro cancel`: takes runs out of the queue, says which, and asks first."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from repro.cli import main
from tests.cluster.fake_slurm import FakeSlurm

SUBMIT = ["submit", "table6", "--on", "example", "--scale", "smoke", "--seeds", "1", "--yes"]


@pytest.fixture(autouse=True)
def slurm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> FakeSlurm:
    fake = FakeSlurm.install(tmp_path / "fake-slurm")
    monkeypatch.setenv("PATH", f"{fake.folder}{os.pathsep}{os.environ['PATH']}")
    code(*SUBMIT)
    capsys.readouterr()
    return fake


def code(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    return int(ended.value.code or 0)


def test_what_matches_is_cancelled_and_named(
    slurm: FakeSlurm, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code("cancel", "resnet-20.*", "--yes") == 0
    said = capsys.readouterr()
    assert said.out.split("\t")[1] == "100_0\n"
    assert said.err == "cancelled 1 run\n"
    assert len(slurm.arrays()[0]) == 5


def test_an_experiment_is_cancelled_whole_in_one_call(
    slurm: FakeSlurm, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code("cancel", "table6", "--yes", "--json") == 0
    assert len(json.loads(capsys.readouterr().out)["cancelled"]) == 6
    assert slurm.calls().count("scancel") == 1
    assert slurm.arrays() == [[]]


def test_another_scale_is_left_alone(slurm: FakeSlurm, capsys: pytest.CaptureFixture[str]) -> None:
    assert code("cancel", "table6", "--scale", "quick", "--yes") == 2
    assert "no run matches `table6` at scale quick" in capsys.readouterr().err
    assert code("cancel", "table6", "--scale", "smoke", "--yes") == 0
    assert slurm.arrays() == [[]]


def test_runs_that_share_a_job_end_together_and_are_counted(
    slurm: FakeSlurm, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        code(
            "submit",
            "table6",
            "--on",
            "example",
            "--scale",
            "smoke",
            "--seeds",
            "3",
            "--pack",
            "2",
            "--yes",
        )
        == 0
    )
    assert "sent 12 runs as array 101 of 6 jobs" in capsys.readouterr().err
    assert code("cancel", "resnet-20.*.s1*", "--yes") == 0
    said = capsys.readouterr()
    assert [line.rpartition(".s")[2][0] for line in said.out.splitlines()] == ["1", "2"]
    assert said.err == "cancelled 1 run, and 1 that share their jobs\n"
    assert len(slurm.arrays()[1]) == 5


def test_a_job_number_is_a_pattern_too(slurm: FakeSlurm) -> None:
    assert code("cancel", "100_2", "--yes") == 0
    assert len(slurm.arrays()[0]) == 5


def test_it_asks_first_and_where_nobody_can_answer_it_refuses(
    slurm: FakeSlurm, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code("cancel", "table6") == 2
    assert "6 runs would be cancelled" in capsys.readouterr().err
    assert len(slurm.arrays()[0]) == 6


def test_what_neither_runs_nor_waits_is_no_error(
    slurm: FakeSlurm, capsys: pytest.CaptureFixture[str]
) -> None:
    slurm.end("100")
    assert code("cancel", "table6", "--yes") == 0
    assert "nothing runs or waits among these" in capsys.readouterr().err


def test_an_unknown_run_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert code("cancel", "resnet-99*", "--yes") == 2
    assert "no run matches `resnet-99*`" in capsys.readouterr().err


def test_a_cancelled_run_is_sent_again_when_asked(
    slurm: FakeSlurm, capsys: pytest.CaptureFixture[str]
) -> None:
    code("cancel", "resnet-20.*", "--yes")
    capsys.readouterr()
    assert code(*SUBMIT) == 0
    assert capsys.readouterr().out == "101\n"
    assert len(slurm.arrays()[1]) == 1
