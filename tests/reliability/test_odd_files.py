"""What stands in a file's place: a pipe, a folder, a circle of links, nonsense. Nothing waits, all is named."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from experiments.cifar10 import RESNET
from experiments.recipes import CIFAR10
from experiments.scales import SCALES
from repro.analysis.runs import run_frames
from repro.cli import cli
from repro.cluster.records.batch import jobs_folder
from repro.definition.net import resnet
from repro.definition.run import Run
from repro.errors import EnvironmentProblem, Incomplete, UserError
from repro.storage.atomic import to_json
from repro.storage.paths import Folder, Places
from repro.training import checkpoint
from repro.training.attempt import Attempt

RUN, OTHER = list(RESNET[20])[:2]
SMALL = SCALES["smoke"](Run(resnet(8), CIFAR10))

# A pipe would be waited for; with this the test fails instead.
pytestmark = pytest.mark.timeout(60)


def words(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments), standalone_mode=False, catch_exceptions=False)


def states() -> dict[str, dict[str, object]]:
    return {run["id"]: run for run in json.loads(words("status", "--json").stdout)["runs"]}


def test_a_pipe_in_the_place_of_a_checkpoint_is_damage_and_not_waited_for(write_run) -> None:
    folder = write_run(RUN)
    os.mkfifo(folder.checkpoint)
    with pytest.raises(Incomplete, match=r"checkpoint\.pt` \(no regular file\)"):
        checkpoint.find_checkpoint(folder)
    assert states()[RUN.id]["checkpoint_iteration"] is None


def test_a_pipe_in_the_place_of_an_attempt_or_of_metrics_is_named(here: Places) -> None:
    folder = here.run(SMALL.id)
    attempt = Attempt.claim(folder, SMALL)
    os.mkfifo(folder.metrics)
    with pytest.raises(EnvironmentProblem, match="no regular file"):
        attempt.open_metrics(size=5)
    folder.attempt(1).unlink()
    os.mkfifo(folder.attempt(1))
    with pytest.raises(UserError, match="no regular file"):
        Attempt.claim(folder, SMALL)


def test_a_pipe_in_the_place_of_a_log_stops_no_run_and_hides_no_other_word(here: Places) -> None:
    folder = here.run(SMALL.id)
    folder.path.mkdir(parents=True)
    os.mkfifo(folder.log)
    Attempt.claim(folder, SMALL).fail("failed", 0, "why")
    failed = words("status", "--failed").stdout
    assert f"{SMALL.id}  failed  why" in failed
    with pytest.raises(UserError, match="has said nothing yet"):
        words("logs", SMALL.id)


def test_a_pipe_in_the_place_of_the_kept_table_is_replaced(finished, places: Places) -> None:
    finished(RUN, test_error=8.7)
    os.mkfifo(places.frame)
    assert len(run_frames.collect(places).finals) == 1
    assert places.frame.is_file()


def test_a_folder_in_the_place_of_a_file_is_told_to_be_moved_away(finished, places: Places) -> None:
    finished(RUN, test_error=8.7)
    places.frame.mkdir()
    with pytest.raises(EnvironmentProblem) as caught:
        words("collect")
    assert "Is a directory" in caught.value.problem
    assert "something else stands there: move it away" in caught.value.hint
    assert len(run_frames.collect(places).finals) == 1


@pytest.mark.parametrize("variable", ["RESULTS", "FIGURES", "DATA"])
@pytest.mark.parametrize("kind", ["circle", "nowhere", "long", "below a file"])
def test_a_folder_that_cannot_become_one_is_refused(
    variable: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "odd"
    if kind == "circle":
        path.symlink_to("odd")
    elif kind == "nowhere":
        path.symlink_to("/nowhere/at/all")
    elif kind == "long":
        path = tmp_path / ("n" * 300)
    else:
        path.write_text("")
        path = path / "results"
    monkeypatch.setenv(f"REPRO_{variable}", str(path))
    with pytest.raises(UserError) as caught:
        words("list")
    assert caught.value.problem.startswith(f"`REPRO_{variable}` is `")
    assert caught.value.code == 2


def test_what_a_file_says_is_one_line_that_cannot_drive_a_terminal(write_run) -> None:
    folder: Folder = write_run(RUN)
    problem = "\x1b[2Jfirst\nsecond\t" + "x" * 100_000
    folder.failed.write_bytes(to_json({"state": "failed", "problem": problem}))
    progress = {"state": "running", "job": "1\n2", "host": "a\x1b[31mb", "pid": 1, "attempt": 1}
    write_run(OTHER).progress.write_bytes(to_json(progress))
    seen = states()
    assert str(seen[RUN.id]["reason"]).startswith("[2Jfirst second xxx")
    assert len(str(seen[RUN.id]["reason"])) <= 1_000
    assert (seen[OTHER.id]["job"], seen[OTHER.id]["host"]) == ("1 2", "a[31mb")
    assert len(words("status").stdout.splitlines()) == 3  # a head, and a row for each run


@pytest.mark.parametrize(
    "absurd", [{"eta_seconds": 1e300}, {"test_error": 1e300}, {"gpu_low_seconds": -1.0}]
)
def test_absurd_progress_is_damage_and_no_traceback(absurd: dict[str, float], write_run) -> None:
    progress = {"state": "running", "host": socket.gethostname(), "pid": os.getpid(), "attempt": 1}
    write_run(RUN).progress.write_bytes(to_json(progress | absurd))
    write_run(OTHER)
    seen = states()
    assert str(seen[RUN.id]["reason"]).startswith("progress.json is damaged: expected `float`")
    assert seen[OTHER.id]["state"] == "lacking"
    assert RUN.id in words("status").stdout


def test_a_damaged_batch_keeps_no_job_number_from_being_found(
    write_run, places: Places, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    folders = {"good": write_run(RUN), "zz-bad": write_run(OTHER)}
    for name, folder in folders.items():
        batch = jobs_folder(places) / name
        batch.mkdir(parents=True)
        folder.submitted.write_bytes(to_json({"batch": name, "cluster": "mine"}))
        (batch / "runs.json").write_bytes(to_json({"elements": [[folder.path.name]]}))
        (batch / "sent.json").write_bytes(to_json({"array": "100"}))
    (jobs_folder(places) / "zz-bad" / "sent.json").write_bytes(b"[]")
    folders["zz-bad"].log.write_text("its own log\n")
    assert RUN.id in words("status", "100").stdout
    assert words("logs", OTHER.id).stdout == "its own log\n"


def test_a_pipe_in_the_place_of_a_data_sets_manifest_is_named(here: Places) -> None:
    (here.data / "cifar10").mkdir(parents=True)
    os.mkfifo(here.data / "cifar10" / "manifest.json")
    listed = words("data", "list")
    assert "manifest.json`: no regular file" in listed.output
