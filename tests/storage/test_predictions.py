"""Errors are counted as the paper counts them, and predictions come back as they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from repro.errors import EnvironmentProblem, RunFailed, UserError
from repro.storage.predictions import Scores, best_classes, load, save, top_errors


def scores_of(seed: int, images: int = 400, classes: int = 1000) -> Scores:
    """Softmax scores as a net's: a few large, most tiny."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, images)
    logits = random.normal(0, 2.5, (images, classes))
    logits[np.arange(images), labels] += random.normal(9, 4, images)
    scores = np.exp(logits - logits.max(1, keepdims=True))
    scores = (scores / scores.sum(1, keepdims=True)).astype(np.float32)
    return Scores(np.arange(images), labels, scores)


def test_top_1_and_top_5_errors_are_shares_of_images_in_percent() -> None:
    scores = np.tile(np.array([0.3, 0.25, 0.2, 0.1, 0.08, 0.07], np.float32), (4, 1))
    assert top_errors(scores, np.array([0, 4, 5, 0])) == (50.0, 25.0)


def test_of_equal_scores_the_lower_class_counts_as_better() -> None:
    assert best_classes(np.zeros((1, 8), np.float32)).tolist() == [[0, 1, 2, 3, 4]]
    assert top_errors(np.zeros((2, 8), np.float32), np.array([0, 7])) == (50.0, 50.0)


def test_fewer_than_five_classes_are_all_among_the_best() -> None:
    assert top_errors(np.eye(3, dtype=np.float32), np.array([0, 1, 0])) == pytest.approx(
        (100 / 3, 0)
    )


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_scores_that_are_no_numbers_are_never_right(bad: float) -> None:
    with pytest.raises(RunFailed, match="some scores are not finite numbers"):
        top_errors(np.array([[0.1, bad]], np.float32), np.array([1]))


def test_predictions_come_back(tmp_path: Path) -> None:
    center, multi = scores_of(0), scores_of(1)
    save(
        tmp_path / "predictions.npz", "abc", {"center": center, "multi_scale": multi}, "multi_scale"
    )
    back = load(tmp_path / "predictions.npz")
    assert back.data == "abc"
    assert np.array_equal(back.labels, multi.labels)
    assert np.array_equal(back.best["center"], best_classes(center.scores))
    assert np.abs(back.scores - multi.scores).max() < 3e-4


def test_half_precision_changes_no_error_of_a_nets_predictions(tmp_path: Path) -> None:
    one = scores_of(2, images=2000)
    save(tmp_path / "p.npz", "abc", {"multi_scale": one}, "multi_scale")
    assert top_errors(load(tmp_path / "p.npz").scores, one.labels) == pytest.approx(
        top_errors(one.scores, one.labels), abs=0.05
    )


def test_the_same_predictions_are_the_same_file(tmp_path: Path) -> None:
    for name in ("one", "two"):
        save(tmp_path / name, "abc", {"center": scores_of(0)}, "center")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_missing_predictions_are_an_error_that_says_who_writes_them(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="no predictions at"):
        load(tmp_path / "predictions.npz")


@pytest.mark.parametrize("cut", [0, 1, 100, 3000, -1])
def test_cut_predictions_are_refused(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "p.npz"
    save(path, "abc", {"center": scores_of(0)}, "center")
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(UserError, match="cannot be read as predictions"):
        load(path)


def test_pickles_are_not_loaded(tmp_path: Path) -> None:
    np.savez(tmp_path / "p.npz", data=np.array([{}]), labels=[0], scores=[[1.0]])
    with pytest.raises(UserError, match="cannot be read as predictions"):
        load(tmp_path / "p.npz")


def test_what_several_processes_say_is_put_in_order_each_image_once() -> None:
    one = scores_of(0, images=5)
    order = np.array([3, 1, 4, 0, 2, 3])
    mixed = Scores(one.places[order], one.labels[order], one.scores[order]).in_order()
    assert np.array_equal(mixed.scores, one.scores)
    assert np.array_equal(mixed.labels, one.labels)
