"""When a run of an ImageNet net ends, every way of testing is measured, whichever process saw an
image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.multiprocessing
from torch import distributed

from repro.evaluation.photos import measure, scores_of
from repro.storage.paths import Folder
from repro.storage.predictions import errors_of, load
from tests.evaluation.generated_source import IMAGES, net, photos, run

WAYS = ("center", "ten_crop", "multi_scale")


def test_six_errors_are_measured_and_the_predictions_agree_with_them(tmp_path: Path) -> None:
    source = photos(tmp_path / "data")
    found = measure(net(), run(), source, Folder(tmp_path / "run"))
    kept = load(tmp_path / "run/predictions.npz")
    assert set(found) == {f"{way}_top{k}" for way in WAYS for k in (1, 5)}
    for way in WAYS:
        assert errors_of(kept.best[way], kept.labels) == (
            found[f"{way}_top1"],
            found[f"{way}_top5"],
        )
        assert found[f"{way}_top1"] == sum(
            100 / IMAGES for best in kept.best[way] - kept.labels[:, None] if best[0]
        )
    assert kept.data == source.hash


def _process(rank: int, folder: Path) -> None:
    distributed.init_process_group("gloo", f"file://{folder}/meeting", rank=rank, world_size=2)
    scores = scores_of(net(), photos(folder), "ten_crop")
    if rank == 0:
        np.save(folder / "scores.npy", scores.scores)
    distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_measure_what_one_does(tmp_path: Path) -> None:
    one = scores_of(net(), photos(tmp_path), "ten_crop").scores
    torch.multiprocessing.spawn(_process, (tmp_path,), nprocs=2)
    assert np.abs(np.load(tmp_path / "scores.npy") - one).max() < 1e-5
