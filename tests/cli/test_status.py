"""`repro status`: its columns, its patterns, what it says of failures, and what it fits into a
narrow terminal."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from experiments.recipes import CIFAR10
from experiments.scales import SCALES
from repro.cli import main
from repro.cli.status import _table
from repro.cluster.status.checkpoint_iteration import checkpoint_iteration
from repro.cluster.status.run_states import State
from repro.definition.net import plain, resnet
from repro.definition.run import Run, to_definition
from repro.storage.atomic import to_json, write_atomic
from repro.storage.paths import Folder, Places
from repro.storage.run_files import write_definition
from tests.cluster.fake_slurm import laptop

SMOKE = SCALES["smoke"]
DONE, FAILED, OTHER = (
    SMOKE(Run(resnet(20), CIFAR10)),
    SMOKE(Run(plain(56), CIFAR10)),
    SMOKE(Run(plain(20), CIFAR10, 7)),
)
NAMED = SMOKE(Run(resnet(32), CIFAR10))  # of table6, unlike the net of OTHER; both are of figure6


@pytest.fixture(autouse=True)
def _some_runs(here: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(laptop(tmp_path / "laptop")))
    final = {
        "id": DONE.id,
        "metrics": {"test_error": 8.75},
        "run": to_definition(DONE),
        "provenance": {"host": "gpu1"},
    }
    for run in (DONE, FAILED, OTHER):
        write_definition(here.run(run.id), run)
    write_atomic(here.run(DONE.id).final, to_json(final))
    write_atomic(
        here.run(FAILED.id).failed, to_json({"state": "failed", "problem": "CUDA out of memory"})
    )
    write_atomic(here.run(FAILED.id).log, b"iteration 20\nCUDA out of memory\n")


def said(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    with pytest.raises(SystemExit) as ended:
        main(["status", *words])
    assert not ended.value.code
    return capsys.readouterr().out.splitlines()


def test_piped_it_is_tabs_with_whole_names(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys)
    assert lines[0].split("\t")[:5] == ["run", "state", "reason", "attempt", "iteration"]
    row = next(line.split("\t") for line in lines if line.startswith(DONE.id))
    assert (row[1], row[4], row[7], row[10]) == ("done", "120/120", "8.75", "gpu1")


def test_json_has_a_schema_and_every_run(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads("\n".join(said(capsys, "--json")))
    assert found["schema"] == 1
    assert {run["id"]: run["state"] for run in found["runs"]} == {
        DONE.id: "done",
        FAILED.id: "failed",
        OTHER.id: "lacking",
    }


def test_an_unfinished_folder_copied_to_another_runs_name_is_named_and_not_shown_as_that_run(
    here: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    progress = {"state": "running", "attempt": 1, "iteration": 90, "host": "a-node", "pid": 1}
    write_atomic(here.run(OTHER.id).progress, to_json(progress))
    copied = replace(OTHER, seed=8)
    shutil.copytree(here.run(OTHER.id).path, here.run(copied.id).path)
    runs = {run["id"]: run for run in json.loads("\n".join(said(capsys, "--json")))["runs"]}
    assert (runs[OTHER.id]["state"], runs[OTHER.id]["iteration"]) == ("running", 90)
    assert (runs[copied.id]["state"], runs[copied.id]["iteration"]) == ("failed", None)
    assert f"holds another, `{OTHER.id}`" in runs[copied.id]["reason"]


@pytest.mark.parametrize("experiment", ["table6", "figure6"])
def test_an_experiment_names_a_folder_of_another_run_by_its_name_or_by_what_it_holds(
    experiment: str, here: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(here.run(OTHER.id).path, here.run(NAMED.id).path)
    for words in ((), (experiment,), (experiment, "--scale", "smoke")):
        rows = [line.split("\t") for line in said(capsys, *words)]
        [row] = [row for row in rows if row[0] == NAMED.id]
        assert row[1] == "failed"
        assert f"holds another, `{OTHER.id}`" in row[2]


@pytest.mark.parametrize(
    ("patterns", "ids"),
    [
        (["table6"], {DONE.id}),
        (["figure6"], {DONE.id, FAILED.id, OTHER.id}),
        (["figure6", "!*56*"], {DONE.id, OTHER.id}),
        (["plain-*"], {FAILED.id, OTHER.id}),
        (["table2"], set()),
        (["--scale", "smoke"], {DONE.id, FAILED.id, OTHER.id}),
        (["figure6", "--scale", "quick"], set()),
    ],
)
def test_patterns_choose_runs(
    patterns: list[str], ids: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert {line.split("\t")[0] for line in said(capsys, *patterns)[1:]} == ids


def test_a_failed_run_shows_its_last_words_its_likely_cause_and_what_to_type(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = "\n".join(said(capsys, "--failed"))
    assert DONE.id not in text
    assert "    CUDA out of memory" in text
    assert "likely cause: the GPU's memory was too small" in text
    assert f"to retry: repro run figure1 --scale smoke --only {FAILED.id}" in text


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [("figure9", "did you mean `figure7`?"), ("zzz*", "`repro status` lists the runs")],
)
def test_a_pattern_that_matches_nothing_is_a_mistake(
    pattern: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["status", pattern])
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"Error: no run matches `{pattern}`\n\nhint: {hint}\n"


def test_a_scale_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["status", "--scale", "smok"])
    assert ended.value.code == 2
    assert (
        capsys.readouterr().err == "Error: no scale named `smok`\n\nhint: did you mean `smoke`?\n"
    )


def test_an_experiment_without_runs_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["status", "table2"])
    assert not ended.value.code
    assert capsys.readouterr().err == "no runs of table2 yet\n"


def test_a_pattern_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["status", "a/../b"])
    assert ended.value.code == 2
    assert "is not a pattern" in capsys.readouterr().err


def test_looking_more_often_than_every_ten_seconds_is_refused() -> None:
    from repro.cli.status import command

    assert CliRunner().invoke(command, ["--watch", "--every", "5"]).exit_code == 2


def test_watching_ends_when_nothing_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(said(capsys, "--watch")) == 4


@pytest.mark.parametrize("columns", [20, 60, 80, 120, 200])
def test_a_narrow_terminal_loses_columns_and_never_part_of_an_id(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    running = State(
        DONE.id,
        "running",
        "",
        2,
        40,
        200,
        75.0,
        50.0,
        40.0,
        "gpu1",
        "100_0",
        "1:00",
        "30:00",
        "mine",
    )
    _table([running])
    header, row = capsys.readouterr().out.splitlines()
    assert row.startswith(DONE.id)
    assert "running" in row
    assert ("where" in header) == (columns >= 200)
    assert len(row) <= max(columns, len(DONE.id) + len("  running"))


def test_how_busy_a_gpu_is_has_a_column_only_where_a_run_says_it(
    here: Places, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    at = {
        "state": "running",
        "iteration": 40,
        "iterations": 200,
        "eta_seconds": 9.0,
        "pid": os.getpid(),
    }
    write_atomic(here.run(OTHER.id).progress, to_json(at | {"host": socket.gethostname()}))
    assert "gpu" not in said(capsys)[0].split("\t")
    assert not any(
        "gpu_percent" in run for run in json.loads("\n".join(said(capsys, "--json")))["runs"]
    )
    write_atomic(
        here.run(OTHER.id).progress, to_json(at | {"host": socket.gethostname(), "gpu_percent": 97})
    )
    header, *rows = (line.split("\t") for line in said(capsys))
    assert [row[header.index("gpu")] for row in rows] == ["97 %", "", ""]
    monkeypatch.setenv("COLUMNS", "200")
    _table(
        [State(OTHER.id, "running", iteration=40, iterations=200, eta_seconds=9.0, gpu_percent=97)]
    )
    assert "gpu" in capsys.readouterr().out.split()


def test_no_runs_are_no_error(
    here: Places, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPRO_RESULTS", os.devnull + "-nowhere")
    assert len(said(capsys)) == 1


def test_where_no_run_is_here_it_says_where_the_published_ones_are_counted(
    here: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    published = SCALES["quick"](Run(plain(20), CIFAR10))
    write_definition(Folder(here.published / published.id), published)
    with pytest.raises(SystemExit):
        main(["status", "table2"])
    assert (
        "no runs of table2 yet; `repro list --scale quick` counts what is published"
        in capsys.readouterr().err
    )


def test_an_unfinished_run_shows_the_iteration_of_its_checkpoint_beside_the_one_it_had_reached(
    here: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    saved_by_training(here, 30)
    write_atomic(
        here.run(OTHER.id).progress,
        to_json({"state": "running", "iteration": 40, "iterations": 120}),
    )
    header, *rows = (line.split("\t") for line in said(capsys))
    [row] = [row for row in rows if row[0] == OTHER.id]
    assert (row[header.index("iteration")], row[header.index("checkpoint")]) == ("40/120", "30")
    found = {
        run["id"]: run["checkpoint_iteration"]
        for run in json.loads("\n".join(said(capsys, "--json")))["runs"]
    }
    assert found == {OTHER.id: 30, DONE.id: None, FAILED.id: None}


def test_without_any_checkpoint_there_is_no_column_of_checkpoints(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "checkpoint" not in said(capsys)[0].split("\t")


def test_a_damaged_checkpoint_gives_way_to_the_previous_one_and_is_no_error(
    here: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = saved_by_training(here, 30)
    saved_by_training(here, 60)
    content = folder.checkpoint.read_bytes()
    for damaged in (content[:1000], b"no archive", content.replace(b"data.pkl", b"date.pkl")):
        folder.checkpoint.write_bytes(damaged)
        header, *rows = (line.split("\t") for line in said(capsys))
        assert {row[0]: row[header.index("checkpoint")] for row in rows}[OTHER.id] == "30"


def test_a_checkpoint_that_would_run_a_command_when_unpickled_runs_none(
    here: Places, tmp_path: Path
) -> None:
    import pickle
    import zipfile

    class Harmful:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "harm"),)

    folder = here.run(OTHER.id)
    with zipfile.ZipFile(folder.checkpoint, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"iteration": 7, "net": Harmful()}))
    assert checkpoint_iteration(folder) == 7
    assert not (tmp_path / "harm").exists()


def test_looking_at_checkpoints_loads_no_torch(here: Places) -> None:
    saved_by_training(here, 30)
    code = "import sys; from repro.cli import cli; cli(['status'], standalone_mode=False); "
    code += "print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "\t30\t" in done.stdout
    assert done.stdout.splitlines()[-1] == "False"


def saved_by_training(here: Places, iteration: int) -> Folder:
    """Save a checkpoint as training does: of a net with its momentum, in channels last."""
    import torch

    from repro.nets import build
    from repro.training import checkpoint
    from repro.training.optimizer import sgd

    folder = here.run(OTHER.id)
    net = build(resnet(8)).to(memory_format=torch.channels_last)
    optimizer = sgd(net, CIFAR10)
    for weight in net.parameters():
        weight.grad = torch.zeros_like(weight)
    optimizer.step()
    state = {
        "iteration": iteration,
        "net": net.state_dict(),
        "optimizer": optimizer.state_dict(),
        "metrics_size": 0,
    }
    checkpoint.save(folder, state, lambda: None)
    return folder


def test_a_gpu_that_mostly_waits_for_ten_minutes_is_warned_of(
    here: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    busy = {"gpu_percent": 7, "gpu_low_seconds": 720, "state": "running", "job": None}
    about = busy | {"host": socket.gethostname(), "pid": os.getpid()}
    write_atomic(here.run(OTHER.id).progress, to_json(about))
    with pytest.raises(SystemExit):
        main(["status"])
    warning = f"Warning: the GPU of {OTHER.id} computes 7 % of the time, below 20 % for 12 minutes"
    assert warning in capsys.readouterr().err
    write_atomic(here.run(OTHER.id).progress, to_json(about | {"gpu_low_seconds": 590}))
    with pytest.raises(SystemExit):
        main(["status"])
    assert "Warning" not in capsys.readouterr().err
