"""Table 5 has a row of ours: the error of the mean of six nets' scores, once all six have
finished."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from experiments import table5
from repro.analysis.output import table_facts, tables
from repro.analysis.output.table_formats import render
from repro.analysis.runs.run_frames import collect
from repro.definition.experiment import at_scale, runs_of
from repro.protocol import catalog
from repro.storage.predictions import IN_ENSEMBLES, Scores, ensemble, save

PAPER, SMOKE = catalog.load_scale("paper"), catalog.load_scale("smoke")
OURS = table5.experiment.rows[-1]
SIX = runs_of(OURS)


def leave(folder, seed: int, data: str = "1a9e") -> None:
    """Scores of forty images in ten classes, as a run leaves them."""
    drawn = np.random.default_rng(seed)
    scores = Scores(np.arange(40), np.arange(40) % 10, drawn.random((40, 10), np.float32))
    save(folder.predictions, data, {IN_ENSEMBLES: scores}, IN_ENSEMBLES)


@pytest.fixture
def finish(finished):
    """Some of the six, with their predictions."""

    def write(runs=SIX, **more):
        folders = [finished(run, multi_scale_top5=40.0, **more) for run in runs]
        for number, folder in enumerate(folders):
            leave(folder, number)
        return folders

    return write


def fact(places, scale=PAPER, seeds=None) -> pd.Series:
    return table_facts.table("table5", table5.experiment, collect(places), scale, seeds).iloc[-1]


def text(places) -> str:
    return " ".join(
        render(tables.sheet("table5", table5.experiment, collect(places), PAPER), "table").split()
    )


def test_six_nets_are_one_number_that_is_compared_with_nothing(places, finish):
    folders = finish()
    found = fact(places)
    assert found["ours_mean"] == ensemble([folder.predictions for folder in folders])[1]
    assert (found["n"], found["planned"], found["runs"]) == (1, 6, tuple(run.id for run in SIX))
    assert pd.isna(found["verdict"])
    assert f"six nets here, on val – {found['ours_mean']:.2f} (1) –" in text(places)
    assert "the paper does not name its six, so nothing is compared." in text(places)


def test_four_of_six_are_not_an_ensemble_of_six(places, finish):
    finish(SIX[:4])
    assert pd.isna(fact(places)["ours_mean"])
    assert "six nets here, on val: incomplete, 4 of 6 finished." in text(places)


def test_a_net_that_diverged_is_said(places, finish, diverged):
    finish(SIX[:5])
    diverged(SIX[5])
    assert "incomplete, 5 of 6 finished; 1 diverged." in text(places)


def test_none_of_six_is_missing(places):
    assert fact(places)["verdict"] == "missing"
    assert "six nets here, on val – – missing" in text(places)


def test_published_folders_count_like_working_ones(places, finish):
    finish(SIX[:3])
    finish(SIX[3:], published=True)
    assert fact(places)["ours_mean"] >= 0


def test_a_net_without_predictions_is_said(places, finish):
    finish()[2].predictions.unlink()
    assert "incomplete, 1 finished without predictions." in text(places)


def test_predictions_of_other_images_are_not_averaged(places, finish):
    leave(finish()[3], 3, data="other")
    assert "is of other images than the first" in text(places)
    assert pd.isna(fact(places)["ours_mean"])


def test_runs_that_saw_other_images_are_not_averaged(places, finish):
    finish(SIX[:5])
    finish(SIX[5:], data={"hash": "0th3r"})
    assert "not comparable, the runs have different images (0th3r, 1a9e); not averaged." in text(
        places
    )


def test_damaged_predictions_do_not_stop_the_table(places, finish):
    finish()[0].predictions.write_bytes(b"torn")
    assert "cannot be read as predictions" in text(places)


@pytest.mark.parametrize("seeds", [1, 5])
def test_the_number_of_seeds_changes_no_ensemble(places, finish, seeds):
    finish()
    assert fact(places, seeds=seeds)["planned"] == 6


def test_at_another_scale_it_is_that_scale_s_six(places, finish):
    finish(runs_of(at_scale(OURS, SMOKE)))
    assert fact(places, SMOKE)["ours_mean"] >= 0
    assert fact(places)["verdict"] == "missing"


def test_json_names_the_six_runs(places, finish):
    finish()
    sheet = tables.sheet("table5", table5.experiment, collect(places), PAPER)
    row = json.loads(render(sheet, "json"))["rows"][-1]
    assert row["runs"] == [run.id for run in SIX]
    assert any("recipe.input.mean" in said for said in row["departures"])
