"""Another lab's numbers in the place of the paper's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import experiments
from experiments import figure1, table6
from experiments.cifar10 import PLAIN, RESNET
from experiments.scales import SCALES
from repro.analysis.compare.paper_diff import Diff, compare
from repro.analysis.runs.run_frames import collect
from repro.definition.experiment import at_scale
from repro.errors import UserError
from repro.storage.paths import Places
from tests.run_folders import DATA

SPREAD = (0.0, 0.1, -0.1, 0.05, -0.05)
HEAD = "experiment,row,metric,value\n"


@pytest.fixture
def ours(finished):
    for run in RESNET[20]:
        finished(run, test_error=8.3 + SPREAD[run.seed])


def diff_of(
    places: Places, against: Path, experiment=table6.experiment, scale: str = "paper"
) -> Diff:
    declared = {"table6": experiment}
    scaled = {"table6": at_scale(experiment, SCALES[scale])}
    return compare(declared, scaled, collect(places), scale, against=against)


def a_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "theirs.csv"
    path.write_text(text)
    return path


def test_several_numbers_are_a_sample(places, ours, tmp_path):
    lines = "".join(f"table6,ResNet-20,test_error,{8.3 + off}\n" for off in SPREAD)
    (row,) = diff_of(places, a_file(tmp_path, HEAD + lines)).rows
    assert (row.paper.kind, row.paper.n, row.verdict.word) == ("mean", 5, "reproduced")


def test_one_number_is_met_by_the_prediction_interval(places, ours, tmp_path):
    (row,) = diff_of(places, a_file(tmp_path, HEAD + "table6,ResNet-20,test_error,9.4\n")).rows
    assert (row.paper.kind, row.verdict.word) == ("single", "better")


def test_a_mean_with_its_spread_is_met_by_welch(places, ours, tmp_path):
    text = "experiment,row,metric,value,std,n\ntable6,ResNet-20,test_error,8.3,0.1,5\n"
    (row,) = diff_of(places, a_file(tmp_path, text)).rows
    assert (row.paper.std, row.paper.n, row.verdict.word) == (0.1, 5, "reproduced")


def test_sources_are_kept_apart(places, ours, tmp_path):
    text = "source,experiment,row,metric,value\nA,table6,ResNet-20,test_error,8.3\nB,table6,ResNet-20,test_error,9.9\n"
    rows = diff_of(places, a_file(tmp_path, text)).rows
    assert {row.row: row.verdict.word for row in rows} == {
        "ResNet-20 [A]": "reproduced",
        "ResNet-20 [B]": "better",
    }


def test_the_public_reproductions_that_come_with_the_project_can_be_compared_with(places, ours):
    diff = diff_of(places, Path(experiments.__file__).parent / "paper" / "reproductions.csv")
    assert "ResNet-20 [gcr]" in {row.row for row in diff.rows}
    assert diff.claims == diff.curves == diff.quoted == ()


@pytest.mark.parametrize(
    ("line", "problem", "hint"),
    [
        ("table6,ResNet20,test_error,8.3", "table6 has no row `ResNet20`", "did you mean `ResNet-20`?"),
        ("table6,ResNet-20,test_eror,8.3", "has no metric `test_eror`", "did you mean `test_error`?"),
        ("table6,ResNet-20,mAP,8.3", "has no metric `mAP`", "metrics: parameters_millions, test_error"),
        ("tabel6,ResNet-20,test_error,8.3", "no experiment named `tabel6`", "did you mean `table6`?"),
        ("table6,ResNet-20,test_error,0.0875", "looks like a fraction", "8.75, if that is what"),
        ("table6,ResNet-20,test_error,875", "is no error in percent", "give 0 to 100"),
    ],
)  # fmt: skip
def test_a_slip_in_the_file_is_an_error_and_not_a_comparison(
    places, ours, tmp_path, line, problem, hint
):
    with pytest.raises(UserError) as caught:
        diff_of(places, a_file(tmp_path, f"{HEAD}{line}\n"))
    assert problem in caught.value.problem
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("selection", "best epoch", "selection: theirs is `best epoch`, ours the last iteration"),
        ("data", "CIFAR-100", "data: theirs is `CIFAR-100`, ours cifar10, da7a, official archive"),
        ("schedule", "78k", "schedule: theirs is `78k`, ours 64,000 iterations"),
        ("departures", "Nesterov", "departures: theirs has `Nesterov`"),
    ],
)
def test_what_a_line_says_of_itself_keeps_it_from_comparison(
    places, ours, tmp_path, column, value, reason
):
    text = f"experiment,row,metric,value,{column}\ntable6,ResNet-20,test_error,8.3,{value}\n"
    (row,) = diff_of(places, a_file(tmp_path, text)).rows
    assert (row.verdict.word, row.verdict.reasons) == ("not comparable", (reason,))


@pytest.mark.parametrize(
    ("column", "value"),
    [("selection", "last"), ("data", "cifar10"), ("schedule", "64k"), ("schedule", 64000)],
)
def test_a_line_that_agrees_is_compared(places, ours, tmp_path, column, value):
    text = f"experiment,row,metric,value,{column}\ntable6,ResNet-20,test_error,8.3,{value}\n"
    (row,) = diff_of(places, a_file(tmp_path, text)).rows
    assert row.verdict.word == "reproduced"


def test_a_metric_that_a_table_does_not_have_is_left_out_and_said(places, ours, tmp_path):
    text = HEAD + "table6,ResNet-20,test_error,8.3\ntable6,ResNet-20,center_top1,24\n"
    diff = diff_of(places, a_file(tmp_path, text))
    assert len(diff.rows) == 1
    assert diff.problems[-1].problem == "ResNet-20: table6 has no center_top1; left out"


def test_what_is_no_number_is_reported(places, ours, tmp_path):
    text = HEAD + "table6,ResNet-20,test_error,8.3\ntable6,ResNet-1202,test_error,diverged\n"
    diff = diff_of(places, a_file(tmp_path, text))
    assert len(diff.rows) == 1
    assert diff.problems[-1].problem == "ResNet-1202, test_error: `diverged` is no number"


def test_our_runs_at_another_scale_are_not_comparable_with_a_table(places, finished, tmp_path):
    finished(SCALES["smoke"](RESNET[20].run), test_error=40.0)
    path = a_file(tmp_path, HEAD + "table6,ResNet-20,test_error,8.3\n")
    (row,) = diff_of(places, path, scale="smoke").rows
    assert row.verdict.word == "not comparable"


@pytest.fixture
def theirs(places, tmp_path, finished):
    """Another results folder, written by the same fixture and moved away."""

    def write(off: float, scale: str = "paper", **other) -> Path:
        for run in RESNET[20]:
            finished(SCALES[scale](run), test_error=8.3 + off + SPREAD[run.seed], **other)
        return places.results.rename(tmp_path / "theirs")

    return write


@pytest.mark.parametrize(("off", "word"), [(0.0, "reproduced"), (1.0, "better"), (-1.0, "worse")])
def test_another_results_folder_is_a_second_sample(places, theirs, finished, off, word):
    folder = theirs(off)
    for run in RESNET[20]:
        finished(run, test_error=8.3 + SPREAD[run.seed])
    (row,) = diff_of(places, folder).rows
    assert (row.paper.n, row.verdict.word) == (5, word)
    assert not (folder / "runs.parquet").exists()


def test_another_results_folder_can_be_compared_at_any_scale(places, theirs, finished):
    folder = theirs(0.0, scale="smoke")
    for run in RESNET[20]:
        finished(SCALES["smoke"](run), test_error=8.3 + SPREAD[run.seed])
    (row,) = diff_of(places, folder, scale="smoke").rows
    assert row.verdict.word == "incomplete" if row.planned > row.n else "reproduced"


def test_results_on_other_images_are_not_comparable(places, theirs, finished):
    folder = theirs(0.0, data={"hash": "other"})
    for run in RESNET[20]:
        finished(run, test_error=8.3 + SPREAD[run.seed])
    (row,) = diff_of(places, folder).rows
    assert row.verdict.reasons == (f"data hash: {DATA['cifar']['hash']} and other",)


def test_a_figures_rows_are_compared_by_both_errors(places, finished, tmp_path):
    for run in PLAIN[20]:
        finished(run, test_error=9.7 + SPREAD[run.seed], train_error=1.4 + SPREAD[run.seed])
    folder = places.results
    here = replace(places, results=tmp_path / "here")
    diff = diff_of(here, folder, figure1.experiment)
    assert [(row.metric, row.verdict.word) for row in diff.rows] == [
        ("test_error", "missing"),
        ("train_error", "missing"),
    ]


def test_a_file_that_is_not_there_says_what_could_be(places, tmp_path):
    with pytest.raises(UserError, match="no file or folder") as caught:
        diff_of(places, tmp_path / "gone.csv")
    assert caught.value.hint == "name a CSV of numbers or a folder of results"


def test_a_folder_without_runs_is_an_error(places, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no runs in"):
        diff_of(places, tmp_path / "empty")


def test_a_table_without_its_columns_is_an_error_that_names_them(places, tmp_path):
    with pytest.raises(UserError, match="has no column `metric`, `value`"):
        diff_of(places, a_file(tmp_path, "experiment,row,error\n"))


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00\x01", b'a,"b\n'])
def test_a_file_that_is_no_table_is_an_error(places, tmp_path, content):
    (tmp_path / "noise.csv").write_bytes(content)
    with pytest.raises(UserError):
        diff_of(places, tmp_path / "noise.csv")
