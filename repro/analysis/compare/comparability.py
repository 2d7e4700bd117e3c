"""The gate, asked first: is a number of ours of the same thing as the paper's, or as another run's?

Data set, split, count of images, schedule, crops, selection and scale must agree with the paper's.
Runs of one row on different images are not averaged at all; different code or torch is averaged and
flagged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from repro.analysis.runs.run_set import TRAINING_IMAGES_NOTE, RunSet
from repro.definition.experiment import Row
from repro.definition.origin import may_be_compared
from repro.definition.run import Run
from repro.protocol.deviations import OFFICIAL_IMAGES, as_printed, format_value

# Training and test images: sections 4.2 and 4.1.
IMAGES = {"cifar": (50_000, 10_000), "imagenet": (1_281_167, 50_000)}

# What the names of metrics on test images begin with.
TESTS = ("test_", "best_test_", "center_", "ten_crop_", "multi_scale_")

# Never averaged over. The container that the images came in is not among them: the hash says
# whether they are the same.
REFUSED = ("data_name", "data_hash", "train_images", "test_images")
FLAGGED = ("code", "commit", "torch", "device", "precision")  # averaged, and said
STRICTLY = ("code", "torch", "device", "precision")  # not averaged with --strict

# Row, metric and runs: what keeps them from comparison.
Gate: TypeAlias = Callable[[Row, str, RunSet], tuple[str, ...]]


def is_test_metric(metric: str) -> bool:
    """Return whether a metric is an error on the test images, by whatever crops."""
    return metric.startswith(TESTS)


def columns_not_averaged(strict: bool) -> tuple[str, ...]:
    """Return in what runs must be alike to be averaged."""
    return (*REFUSED, *STRICTLY) if strict else REFUSED


def incomparable_because(row: Row, metric: str, runs: RunSet) -> tuple[str, ...]:
    """Return the fields that keep a row's runs from being compared with the paper's."""
    assert row.runs is not None
    run = row.runs.run
    reasons = [*_other_protocol(run)]
    if metric.startswith("best_"):
        reasons.append("selection: the best on the test set, not the last")
    reasons += _other_images(run, runs)
    if is_test_metric(metric) and runs.tested_on_training_images():
        reasons.append(TRAINING_IMAGES_NOTE)
    return tuple(reasons)


def _other_protocol(run: Run) -> Iterator[str]:
    """Yield where scale, data set, schedule and crops are not the paper's."""
    if run.scale != "paper":
        yield f"scale: {run.scale}"
    ours, theirs = run.recipe, as_printed(run.net).recipe
    fields = [
        ("data set", ours.dataset, theirs.dataset),
        ("split", ours.split, theirs.split),
        ("iterations", ours.iterations, theirs.iterations),
    ]
    for name in ("size", "test_side", "test_sides"):
        pair = getattr(ours.input, name), getattr(theirs.input, name)
        fields.append((f"crops ({name})", *pair))
    for field, our_value, their_value in fields:
        if our_value != their_value:
            yield f"{field}: {format_value(our_value)}, not {format_value(their_value)}"


def _other_images(run: Run, runs: RunSet) -> Iterator[str]:
    """Yield where the images that the runs saw are not the paper's."""
    origins = runs.finished["data_origin"].fillna("of unrecorded origin")
    for origin in sorted(set(origins)):
        if not may_be_compared(origin):
            yield f"data: {origin}, not the {OFFICIAL_IMAGES[run.net.family]}"
    columns = ("train_images", "test_images")
    for column, count in zip(columns, IMAGES[run.net.family], strict=True):
        for value in sorted(runs.finished[column].dropna().unique()):
            if value != count:
                yield f"{column.replace('_', ' ')}: {int(value):,}, not {count:,}"
