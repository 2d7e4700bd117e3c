"""What a net said of each image is published as everything else is: by the newest attempt only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import repro.training.loop as loop
from experiments.recipes import IMAGENET
from repro.definition.net import resnet
from repro.definition.recipe import Input
from repro.definition.run import Run
from repro.storage.paths import Folder, Places
from repro.storage.predictions import IN_ENSEMBLES, Scores, load, save
from repro.training.attempt import Attempt, Superseded
from tests.reliability.harness.small_run import small_run
from tests.reliability.test_call_order import claimed, seen, whole

SCORES = {IN_ENSEMBLES: Scores(np.arange(3), np.arange(3), np.eye(3, 10, dtype=np.float32))}
INPUT = Input(
    size=32, mean="channel", shorter_side=(36, 68), colour=0.1, test_side=36, test_sides=(32,)
)


@pytest.fixture
def folder(tmp_path) -> Folder:
    return Folder(tmp_path / "runs" / "run")


def test_predictions_are_written_whole_and_synced(folder):
    attempt = claimed(folder)
    with seen(folder) as calls:
        save(folder.predictions, "1a9e", SCORES, IN_ENSEMBLES, attempt.check)
    attempt.close()
    assert calls == whole("predictions.npz", "rename predictions.npz")


def test_an_older_attempt_leaves_the_newer_ones_predictions_as_they_are(folder):
    old = claimed(folder)
    new = claimed(folder)
    save(folder.predictions, "of the newer one", SCORES, IN_ENSEMBLES, new.check)
    with pytest.raises(Superseded):
        save(folder.predictions, "of the older one", SCORES, IN_ENSEMBLES, old.check)
    old.close(), new.close()
    assert load(folder.predictions).data == "of the newer one"
    assert not folder.temporaries()


def test_a_run_that_was_taken_over_while_it_was_measured_publishes_none(tmp_path, monkeypatch):
    torch.set_num_threads(1)
    small = {
        "dataset": "generated-photos",
        "input": INPUT,
        "batch": 8,
        "iterations": 2,
        "drops": (1,),
    }
    small |= {"evaluate_every": 2, "batch_norm_group": None, "batch_norm_average": "running"}
    run = Run(resnet(18, "B", "imagenet", classes=10), replace(IMAGENET, **small))
    here, measure = (
        Places(tmp_path / "results", tmp_path / "figures", tmp_path / "data"),
        loop.measure,
    )

    def taken_over(*arguments, **more):
        Attempt.claim(here.run(run.id), run)
        return measure(*arguments, **more)

    monkeypatch.setattr(loop, "measure", taken_over)
    with pytest.raises(Superseded):
        loop.train(run, here)
    assert not here.run(run.id).predictions.exists()
    assert not here.run(run.id).final.exists()


def test_a_run_remembers_when_its_first_attempt_began(folder):
    first = Attempt.claim(folder, small_run())
    folder.attempt(1).write_text(
        folder.attempt(1).read_text().replace(first.began, "2026-01-01T00:00:00+00:00")
    )
    assert [Attempt.claim(folder, small_run()).began for _ in range(3)] == [
        "2026-01-01T00:00:00+00:00"
    ] * 3
