"""Records that contradict themselves: edited by hand, or put together from two runs.

A final record repeats what its curve ends with, so a number that was changed in one place only is
seen. Such a record is named, and nothing is judged by it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from repro.definition.run import Run
from repro.errors import UserError
from repro.storage.atomic import read_json
from repro.storage.paths import Folder
from repro.storage.typed_file import read_regular

COPIED = ("train_error", "train_loss", "gradient_first", "gradient_last")  # from the last point
IMAGES_OFF = 5  # by which a last test error, measured anew on another machine, may differ


def contradictions(run: Run, record: Mapping[str, Any], folder: Folder) -> Iterator[str]:
    """Yield what in a run's record cannot be true together."""
    yield from _impossible_errors(record)
    yield from _other_than_the_curve(run, record)
    yield from _other_than_published(folder)


def _impossible_errors(record: Mapping[str, Any]) -> Iterator[str]:
    """Yield errors of the curve that are none; those of final.json are refused when it is read."""
    for name in ("train_error", "test_error"):
        for error in record[f"curve.{name}"]:
            if error is not None and math.isfinite(error) and not 0 <= error <= 100:
                yield f"a point of its curve has {name} {error:g}, and errors are 0 to 100"
                break


def _other_than_the_curve(run: Run, record: Mapping[str, Any]) -> Iterator[str]:
    """Compare the final record with its curve, where the curve is there to its end."""
    iterations = record.get("curve.iteration") or []
    if record["state"] != "done" or not iterations or iterations[-1] != run.recipe.iterations:
        return
    for name in COPIED:
        final, last = record.get(f"metric.{name}"), record[f"curve.{name}"][-1]
        if _differ(final, last):
            yield f"final.json has {name} {final:g}, the last point of its curve {last:g}"
    errors = [error for error in record["curve.test_error"] if error is not None]
    best = record.get("metric.best_test_error")
    if errors and _differ(best, min(errors)):
        yield f"final.json has best_test_error {best:g}, its curve {min(errors):g}"
    # Re-estimated averages are those of the end alone: the curve was measured with others.
    if errors and run.recipe.batch_norm_average != "re-estimated":
        yield from _other_last_error(record, errors)


def _other_last_error(record: Mapping[str, Any], errors: Sequence[float]) -> Iterator[str]:
    """Compare the test error, which is measured anew at the end, with the curve's last."""
    final = record.get("metric.test_error")
    images = record.get("test_images") or 10_000
    if final is None or not (math.isfinite(final) and math.isfinite(errors[-1])):
        return
    if abs(final - errors[-1]) > 100 * IMAGES_OFF / images:
        yield f"final.json has test_error {final:g}, the last point of its curve {errors[-1]:g}"


def _other_than_published(folder: Folder) -> Iterator[str]:
    """Compare the files of a published record with the digests that were published with them."""
    digests: dict[str, str] = {}
    try:
        if folder.published_digests.exists():
            digests |= read_json(folder.published_digests)["sha256"]
        if folder.weights_record.exists() and folder.weights.exists():
            digests[folder.weights.name] = read_json(folder.weights_record)["sha256"]
    except (UserError, OSError, ValueError, KeyError, TypeError):
        yield "its digests cannot be read"
        return
    for name, digest in sorted(digests.items()):
        if digest_of(folder, name) != digest:
            yield f"{name} is not what was published: its SHA-256 is another"


def digest_of(folder: Folder, name: str) -> str:
    """Return the SHA-256 of a file of this folder; nothing where it is not there."""
    # Names come from files that others wrote: no path elsewhere is followed, and no pipe is read.
    if Path(name).name != name:
        return ""
    try:
        content = read_regular(folder.path / name)
    except UserError:
        return ""
    if content is None:
        return ""
    return hashlib.sha256(content).hexdigest()


def _differ(final: float | None, last: float | None) -> bool:
    """Return whether two numbers that were written from one differ."""
    if final is None or last is None or not (math.isfinite(final) and math.isfinite(last)):
        return False
    return not math.isclose(final, last, rel_tol=1e-6, abs_tol=1e-9)
