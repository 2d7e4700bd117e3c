"""A net's predictions: scores, the errors they make, and a file that keeps them.

For each way of testing, the file has the five best classes of every image, so that both errors are
exact. For the way that ensembles use, it also has all scores, in half precision. Half precision
makes the best two classes equal for about one image in ten thousand, too few to change the printed
digits of an ensemble. Needs numpy only: both wings read it.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from repro.errors import EnvironmentProblem, RunFailed, UserError, quote
from repro.storage.atomic import write_atomic

BEST = 5
# The way of testing whose scores a run keeps: Table 5 is of Table 4's nets.
IN_ENSEMBLES = "multi_scale"
ROWS = 2_000  # sorted at a time, for the memory's sake


@dataclass(frozen=True, eq=False)
class Scores:
    """The mean softmax that each of some test images got."""

    places: NDArray[np.int64]  # in the test set
    labels: NDArray[np.int64]
    scores: NDArray[np.float32]  # images × classes

    def in_order(self) -> Scores:
        """Sorted by place, each place once: what all processes together say."""
        places, first = np.unique(self.places, return_index=True)
        return Scores(places, self.labels[first], self.scores[first])


@dataclass(frozen=True, eq=False)
class Predictions:
    """What the file holds."""

    data: str  # the data set's hash
    labels: NDArray[np.int64]
    best: Mapping[str, NDArray[np.int64]]  # way of testing → images × 5
    scores: NDArray[np.float32]


def best_classes(scores: NDArray[np.float32], count: int = BEST) -> NDArray[np.int64]:
    """The best classes of each image, best first; of equal ones the lower number."""
    if not np.isfinite(scores).all():
        raise RunFailed(
            "some scores are not finite numbers",
            "the weights are damaged, or the training diverged",
        )
    parts = range(0, len(scores), ROWS)
    return np.concatenate(
        [np.argsort(-scores[at : at + ROWS], axis=1, kind="stable")[:, :count] for at in parts]
    )


def top_errors(scores: NDArray[np.float32], labels: NDArray[np.int64]) -> tuple[float, float]:
    """Top-1 and top-5 error in percent."""
    return errors_of(best_classes(scores), labels)


def errors_of(best: NDArray[np.int64], labels: NDArray[np.int64]) -> tuple[float, float]:
    """Top-1 and top-5 error in percent, from the best classes."""
    wrong = best != labels[:, None]
    return 100 * int(wrong[:, 0].sum()) / len(labels), 100 * int(wrong.all(axis=1).sum()) / len(
        labels
    )


def save(
    path: Path,
    data: str,
    measured: Mapping[str, Scores],
    ensembled: str,
    may_publish: Callable[[], None] = lambda: None,
) -> None:
    """Write the predictions; `ensembled` is the way of testing whose scores are kept.

    `may_publish` is asked just before, and raises if it may not be.
    """
    arrays = {
        f"best_{way}": best_classes(scores.scores).astype(np.uint16)
        for way, scores in measured.items()
    }
    arrays["labels"] = measured[ensembled].labels.astype(np.uint16)
    arrays["scores"] = measured[ensembled].scores.astype(np.float16)
    file = BytesIO()
    np.savez_compressed(file, data=np.array(data), **arrays)  # type: ignore[arg-type]
    write_atomic(path, file.getvalue(), may_publish)


def load(path: Path) -> Predictions:
    """The predictions in that file."""
    try:
        with np.load(BytesIO(path.read_bytes()), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        best = {
            name[5:]: array.astype(np.int64)
            for name, array in arrays.items()
            if name.startswith("best_")
        }
        labels, scores = arrays["labels"].astype(np.int64), arrays["scores"].astype(np.float32)
        return Predictions(str(arrays["data"]), labels, best, scores)
    except FileNotFoundError:
        raise EnvironmentProblem(
            f"no predictions at {quote(path)}", "runs of ImageNet nets write them when they finish"
        ) from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{quote(path)} cannot be read as predictions: {error}", "let the run finish again"
        ) from None


def ensemble(files: Iterable[Path]) -> tuple[float, float]:
    """Return top-1 and top-5 error in percent of the mean of all these scores (Table 5).

    The paper says "we combine six models of different depth to form an ensemble", and not how: the
    mean is the plain reading.
    """
    mean, first, count = None, None, 0
    for path in files:
        one = load(path)
        if mean is None or first is None:
            mean, first = np.zeros_like(one.scores), one
        if (one.data, one.scores.shape) != (first.data, first.scores.shape):
            raise UserError(
                f"{quote(path)} is of other images than the first", "an ensemble needs one data set"
            )
        mean += one.scores
        count += 1
    if mean is None or first is None:
        raise UserError("an ensemble without members", "name the predictions of one run or more")
    return top_errors((mean / count).astype(np.float32), first.labels)
