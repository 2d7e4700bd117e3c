"""Several nets as one: the mean of their softmax scores, from stored predictions. Section 4.1 and Table 5.

The paper says "we combine six models of different depth to form an ensemble", and not how: the mean is the plain
reading.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from repro.errors import UserError, shown
from repro.evaluation.predictions import load, top_errors


def ensemble(files: Iterable[Path]) -> dict[str, float]:
    """The errors in percent of the mean of all these predictions."""
    mean, first, count = None, None, 0
    for path in files:
        one = load(path)
        if mean is None or first is None:
            mean, first = np.zeros_like(one.scores), one
        if (one.data, one.scores.shape) != (first.data, first.scores.shape):
            raise UserError(f"{shown(path)} is of other images than the first", "an ensemble needs one data set")
        mean += one.scores
        count += 1
    if mean is None or first is None:
        raise UserError("an ensemble of nothing", "name the predictions of one run or more")
    top1, top5 = top_errors(mean / count, first.labels)
    return {"ensemble_top1": top1, "ensemble_top5": top5}
