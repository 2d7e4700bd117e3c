"""`repro export`: the numbers of runs for other tools."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import repro
from experiments.cifar10 import PLAIN, RESNET
from repro.cli import main
from repro.protocol import catalog
from repro.storage.paths import Places

SMOKE = catalog.load_scale("smoke")
RUN, OTHER = SMOKE(PLAIN[20].run), SMOKE(RESNET[20].run)
EVERY = RUN.recipe.evaluate_every


def code(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["export", *words])
    return int(ended.value.code or 0)


@pytest.fixture
def two_runs(finished: Callable[..., Any], write_run: Callable[..., Any]) -> None:
    """One that is done, and one that has begun."""
    finished(RUN, [{"train_loss": 2.5, "test_error": 28.419999999999998}], test_error=12.5)
    write_run(OTHER, [{"test_error": math.nan, "train_loss": None}, 30.0])


@pytest.mark.usefixtures("two_runs")
def test_the_csv_has_a_row_for_each_run_iteration_and_metric(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "runs.csv"
    assert code("figure6", "--scale", "smoke", "--csv", str(file)) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == (f"{file}\n", "2 runs, 5 numbers\n")
    rows = list(csv.DictReader(StringIO(file.read_text())))
    found = {(r["run"], r["iteration"], r["metric"]): r["value"] for r in rows}
    assert found == {
        (RUN.id, str(EVERY), "train_loss"): "2.5",
        (RUN.id, str(EVERY), "test_error"): "28.419999999999998",  # every digit
        (RUN.id, str(RUN.recipe.iterations), "final/test_error"): "12.5",
        (OTHER.id, str(EVERY), "test_error"): "nan",  # measured; the loss was not
        (OTHER.id, str(2 * EVERY), "test_error"): "30",
    }
    first = rows[0]
    assert (first["net"], first["scale"], first["seed"]) == ("plain-20", "smoke", "0")
    assert {row["run"]: row["state"] for row in rows} == {RUN.id: "done", OTHER.id: "unfinished"}


@pytest.mark.usefixtures("two_runs")
def test_pandas_reads_the_csv_with_numbers_as_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    assert code("figure6", "--csv", "-") == 0
    said = capsys.readouterr()
    assert said.err.startswith("scale: smoke (the most serious with results")
    frame = pd.read_csv(StringIO(said.out))
    assert frame["value"].dtype == float
    curve = frame[frame["run"] == OTHER.id].set_index("iteration")["value"]
    assert math.isnan(curve[EVERY])
    assert curve[2 * EVERY] == 30.0


@pytest.mark.usefixtures("two_runs")
def test_the_runs_are_selected_as_everywhere(tmp_path: Path) -> None:
    assert code("figure6", "--skip", "resnet", "--tensorboard", str(tmp_path / "events")) == 0
    assert [path.name for path in (tmp_path / "events").iterdir()] == [RUN.id]
    assert code("resnet-20*", "--tensorboard", str(tmp_path / "more"), "--scale", "smoke") == 0
    assert [path.name for path in (tmp_path / "more").iterdir()] == [OTHER.id]


@pytest.mark.usefixtures("two_runs")
def test_json_says_what_was_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events = str(tmp_path / "events")
    assert code("--only", "plain", "--tensorboard", events, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document == {
        "schema": 1,
        "scale": "smoke",
        "runs": [RUN.id],
        "published": [],
        "numbers": 3,
        "written": {"tensorboard": events},
    }


def test_where_nothing_was_measured_it_is_incomplete_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code("figure6", "--csv", str(tmp_path / "runs.csv")) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert "no run of this selection has measured anything yet" in said.err
    assert not (tmp_path / "runs.csv").exists()


@pytest.mark.usefixtures("two_runs")
def test_what_is_damaged_is_left_out_and_named(
    here: Places, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (here.run(OTHER.id).metrics).open("ab") as file:
        file.write(b'{"iteration":300,"test_err')
    assert code("figure6", "--csv", str(tmp_path / "runs.csv")) == 0
    assert "a torn tail of 1 line dropped" in capsys.readouterr().err
    assert len((tmp_path / "runs.csv").read_text().splitlines()) == 6


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("figure6",), "nothing says where to export to"),
        (("figure6", "--csv", "-", "--json"), "both print to standard output"),
        (("figure66", "--csv", "x.csv"), "no experiment named `figure66`"),
        (("table7", "--csv", "x.csv"), "`table7` is not reproduced here"),
    ],
)
def test_a_mistake_says_what_is_wrong(
    words: tuple[str, ...], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code(*words) == 2
    assert problem in capsys.readouterr().err


@pytest.mark.usefixtures("two_runs")
def test_a_folder_where_the_csv_should_be_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code("figure6", "--csv", str(tmp_path)) == 2
    assert "is a folder\n\nhint: name a file" in capsys.readouterr().err


@pytest.mark.usefixtures("two_runs")
def test_from_python_the_numbers_are_returned(tmp_path: Path) -> None:
    exported = repro.export("figure6", csv=tmp_path / "runs.csv")
    assert [one.run.id for one in exported.series] == [RUN.id, OTHER.id]
    assert (tmp_path / "runs.csv").read_text().count("\n") == 6
