"""The runs of other labs, collected beside ours."""

from __future__ import annotations

import pandas as pd

from experiments.cifar10 import RESNET
from repro.analysis.runs.run_frames import collect
from repro.analysis.runs.selected_runs import restrict
from repro.protocol.selection import select
from repro.storage.paths import Folder

RUN, OTHER = list(RESNET[20])[:2]
CURVE = [{"train_loss": 0.5, "test_error": 9.0}]
LONG = [{"train_loss": 0.25, "test_error": 9.5}]


def test_a_second_labs_seed_0_stands_beside_ours(places, finished):
    finished(RUN, CURVE, test_error=8.7)
    finished(RUN, LONG, test_error=9.1, lab="kyoto")
    collected = collect(places)
    assert collected.problems == ()
    assert collected.finals["test_error"].tolist() == [8.7]
    assert list(collected.labs) == ["kyoto"]
    assert collected.labs["kyoto"].finals["test_error"].tolist() == [9.1]
    kept = pd.read_parquet(places.frame)
    assert kept[["id", "lab", "metric.test_error"]].to_numpy().tolist() == [
        [RUN.id, "kyoto", 9.1],
        [RUN.id, "ours", 8.7],
    ]


def test_another_lab_changes_nothing_in_our_frames(places, finished):
    finished(RUN, CURVE, responses=[1.0, 2.0], test_error=8.7)
    before = collect(places)
    finished(RUN, LONG, responses=[3.0], test_error=9.1, lab="kyoto")
    finished(OTHER, LONG, test_error=9.1, lab="osaka")
    after = collect(places)
    for name in ("runs", "points", "responses"):
        pd.testing.assert_frame_equal(getattr(before, name), getattr(after, name))


def test_a_run_that_two_labs_have_to_the_digit_is_one_sample_and_counts_for_us(places, finished):
    finished(RUN, CURVE, test_error=9.0)
    finished(RUN, CURVE, test_error=9.0, lab="kyoto")
    finished(OTHER, LONG, test_error=9.5, lab="kyoto")
    finished(OTHER, LONG, test_error=9.5, lab="osaka")
    collected = collect(places)
    assert collected.problems == ()
    assert collected.runs["copy_of"].isna().all()
    copies = collected.labs["kyoto"].runs.set_index("id")["copy_of"]
    assert (copies[RUN.id], pd.isna(copies[OTHER.id])) == ("ours", True)
    assert collected.labs["osaka"].runs["copy_of"].tolist() == ["kyoto"]


def test_two_seeds_of_one_lab_with_one_curve_are_a_problem_as_ours_would_be(places, finished):
    finished(RUN, CURVE, test_error=9.0, lab="kyoto")
    finished(OTHER, CURVE, test_error=9.0, lab="kyoto")
    collected = collect(places)
    assert [problem.folder for problem in collected.problems] == [f"labs/kyoto/{OTHER.id}"]
    assert collected.labs["kyoto"].of([RUN, OTHER]).twinned()


def test_what_is_read_once_is_not_read_again_and_its_folder_is_known(places, finished):
    folder = finished(RUN, CURVE, test_error=9.0, lab="kyoto")
    assert collect(places).opened == 1
    again = collect(places)
    assert again.opened == 0
    assert again.labs["kyoto"].folder_of(RUN.id) == Folder(folder.path)


def test_a_lab_without_its_file_is_named_and_not_read(places, finished):
    folder = finished(RUN, CURVE, test_error=9.0, lab="kyoto")
    collect(places)
    (folder.path.parent / "lab.json").unlink()
    collected = collect(places)
    assert collected.labs == {}
    [problem] = collected.problems
    assert (problem.folder, problem.problem) == (
        "labs/kyoto",
        "not read: `kyoto` has no lab.json",
    )


def test_a_selection_of_runs_is_one_of_every_lab(places, finished):
    finished(RUN, CURVE, test_error=9.0, lab="kyoto")
    finished(OTHER, LONG, test_error=9.0, lab="kyoto")
    collected = restrict(collect(places), select("table6", only=[RUN.id]))
    assert collected.labs["kyoto"].runs["id"].tolist() == [RUN.id]
