"""An ensemble is the mean of stored scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from repro.errors import UserError
from repro.storage.predictions import Scores, ensemble, save

LABELS = np.array([0, 1, 2])


def saved(path: Path, scores: list[list[float]], data: str = "abc") -> Path:
    one = Scores(np.arange(3), LABELS, np.array(scores, np.float32))
    save(path, data, {"multi_scale": one}, "multi_scale")
    return path


def test_two_nets_can_be_right_together_where_each_is_wrong(tmp_path: Path) -> None:
    one = saved(tmp_path / "one", [[0.4, 0.6, 0.0], [0.0, 1.0, 0.0], [0.5, 0.1, 0.4]])
    two = saved(tmp_path / "two", [[0.4, 0.0, 0.6], [0.0, 1.0, 0.0], [0.1, 0.5, 0.4]])
    assert ensemble([one])[0] == pytest.approx(200 / 3)
    assert ensemble([one, two]) == (0.0, 0.0)


def test_an_ensemble_of_one_is_that_one(tmp_path: Path) -> None:
    one = saved(tmp_path / "one", [[0.4, 0.6, 0.0], [0.0, 1.0, 0.0], [0.5, 0.1, 0.4]])
    assert ensemble([one]) == ensemble([one, one])


def test_predictions_of_other_images_do_not_mix(tmp_path: Path) -> None:
    scores = [[0.4, 0.6, 0.0]] * 3
    with pytest.raises(UserError, match="is of other images than the first"):
        ensemble([saved(tmp_path / "one", scores), saved(tmp_path / "two", scores, data="other")])


def test_an_ensemble_of_nothing_is_refused() -> None:
    with pytest.raises(UserError, match="an ensemble without members"):
        ensemble([])
