"""What is wrong with the record of a finished run, found in the record alone.

Reading a record already refuses what contradicts itself. Here is asked what a record must have
before a stranger can believe it: a whole curve at the rates of its recipe, errors that are counts
of images, counts that are the net's, the images' digest, and a commit. Nobody can prove by this
that a run was trained; an invented or edited record has to be consistent in every digit, though.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from repro.analysis.runs.run_record import Record, read_run, why_not_published
from repro.cost.layers import cost
from repro.definition.origin import is_official
from repro.definition.run import Run
from repro.errors import is_printable, quote
from repro.storage.metrics_file import CURVE
from repro.storage.paths import Folder
from repro.storage.run_files import Provenance, read_definition, read_final

LONGEST_TEXT = 300  # of a fact about a machine
NEAR = 1e-3  # of one image: errors are counts of images, divided

# The digest of the official pixels and labels in their order, in whatever files they came.
OFFICIAL_HASHES = {"cifar10": "c28cda7a972851dff87567a406ba04d87d7f6e0aeb62006f906f6ff56ce134b8"}

# Errors that are a count of images, by the fact that says of how many.
COUNTED = {
    "test_error": "test_images",
    "best_test_error": "test_images",
    "train_error_clean": "train_images",
}
_COMMIT = re.compile(r"[0-9a-f]{40}")
_CODE = re.compile(r"[0-9a-f]{16}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def record_problems(folder: Folder) -> list[str]:
    """Return what is wrong with a record, a line for each; nothing where it can be believed."""
    record = read_run(folder)
    reason = why_not_published(record)
    if record["state"] != "done" or reason:
        return [reason or f"the run is {record['state']}, and only finished ones count"]
    run = read_definition(folder)
    final = read_final(folder, run)
    assert final is not None
    problems = [*_curve(run, record), *_metrics(run, record)]
    problems += _responses(run, record)
    problems += _provenance(run, final.provenance)
    return [*problems, *_data(run, final.provenance)]


def _curve(run: Run, record: Record) -> Iterator[str]:
    """Yield where the curve is not one that this recipe draws."""
    every, last = run.recipe.evaluate_every, run.recipe.iterations
    expected = [*range(every, last, every), last]
    iterations = record["curve.iteration"]
    if iterations != expected:
        yield (
            f"its curve has {len(iterations)} points, and the recipe makes {len(expected)}: "
            f"one every {every} iterations to {last:,}"
        )
        return
    before = 0
    for number, iteration in enumerate(iterations):
        point = {name: record[f"curve.{name}"][number] for name in CURVE}
        if problem := _point(run, record, point, iteration - before):
            yield f"the point of its curve at iteration {iteration:,} {problem}"
            return
        before = iteration


def _point(run: Run, record: Record, point: Mapping[str, Any], iterations: int) -> str:
    """Return what is wrong with one point of a curve; empty where nothing is."""
    for name, value in point.items():
        if value is None or not math.isfinite(value) or value < 0:
            return f"has {name} {value}"
    rates = _rates(run, point["iteration"])
    if not any(math.isclose(point["rate"], rate, rel_tol=1e-6) for rate in rates):
        return f"has the rate {point['rate']:g}, and the recipe's is {rates[0]:g}"
    seen = iterations * run.recipe.batch
    if not _is_count(point["train_error"], seen):
        return f"has train_error {point['train_error']:g}, which is no count of {seen:,} images"
    images = record["test_images"]
    if not _is_count(point["test_error"], images):
        return f"has test_error {point['test_error']:g}, which is no count of {images:,} images"
    return ""


def _rates(run: Run, iteration: int) -> list[float]:
    """Return the rates that the recipe may have at the step before this point."""
    recipe = run.recipe
    # At an iteration of a drop the step before still had the higher rate.
    drops = [sum(iteration > drop for drop in recipe.drops)]
    if recipe.plateau:
        # Where it drops is found while training.
        drops = list(range(recipe.plateau.most + 1))
    rates = [recipe.learning_rate / 10**count for count in drops]
    if recipe.warmup:
        # Section 4.2: ResNet-110 warms up at 0.01, and how long depends on how it learns.
        rates.append(recipe.warmup.rate)
    return rates


def _metrics(run: Run, record: Record) -> Iterator[str]:
    """Yield which final numbers are missing, or are none that this net can have."""
    counted = cost(run.net, run.recipe.input.size)
    for name in ("parameters", "multiply_adds"):
        value = record.get(f"metric.{name}")
        if value != getattr(counted, name):
            yield f"it has {value} {name}, and the net has {getattr(counted, name):,}"
    # ImageNet's test error depends on the crops; the center crop is the one that every run has.
    error = "center_top1" if run.net.family == "imagenet" else "test_error"
    for name in ("train_error", "train_error_clean", error):
        value = record.get(f"metric.{name}")
        if value is None or not math.isfinite(value):
            yield f"it has no {name}"
    for name, images in COUNTED.items():
        value, count = record.get(f"metric.{name}"), record[images]
        if value is not None and count and not _is_count(value, count):
            yield f"it has {name} {value:g}, which is no count of {count:,} images"


def _responses(run: Run, record: Record) -> Iterator[str]:
    """Yield where the layers' responses are not those of the net; photos have none."""
    responses = record["responses"]
    if run.net.family != "cifar":
        return
    layers = run.net.depth - 1
    if responses is None or len(responses) != layers:
        yield f"it has {len(responses or ())} layer responses, and the net has {layers}"
    elif not all(math.isfinite(response) and response >= 0 for response in responses):
        yield "a layer's response is no positive number"
    elif not math.isclose(
        math.fsum(responses) / layers, record.get("metric.response_mean") or 0.0, rel_tol=1e-6
    ):
        yield "its response_mean is not the mean of its responses"


def _provenance(run: Run, about: Provenance) -> Iterator[str]:
    """Yield what is missing of code, machine and time."""
    yield from _code(about)
    if about.precision != run.recipe.precision:
        yield f"it was trained in {about.precision}, and its recipe says {run.recipe.precision}"
    for name in ("device", "torch", "python", "host"):
        text = getattr(about, name)
        if not _is_plain(text):
            yield f"its {name} is {quote(text)}"
    for machine in about.machines:
        if not _is_plain(machine):
            yield f"one of its machines is {quote(machine)}"
    if not about.seconds or not math.isfinite(about.seconds):  # fewer than none is a damaged file
        yield f"it took {about.seconds} seconds"
    yield from _times(about)


def _code(about: Provenance) -> Iterator[str]:
    """Yield what keeps anybody from finding the code."""
    if not _COMMIT.fullmatch(about.commit or ""):
        yield f"its commit is {quote(about.commit)}, not the 40 digits of one"
    if about.dirty is not False:
        yield "it was trained by code that no commit has"
    if not _CODE.fullmatch(about.code or ""):
        yield f"the digest of its code is {quote(about.code)}, not 16 digits"


def _times(about: Provenance) -> Iterator[str]:
    """Yield where its times are no times; old records do not say when they began."""
    for name, text in (("began", about.started), ("ended", about.ended)):
        if text is None and name == "began":
            continue
        try:
            time = datetime.fromisoformat(text or "")
        except ValueError:
            yield f"it {name} at {quote(text)}, which is no time"
            continue
        if time.tzinfo is None:
            yield f"it {name} at {quote(text)}, which has no time zone"


def _data(run: Run, about: Provenance) -> Iterator[str]:
    """Yield where the images are not known, or are not those that the record says."""
    data = about.data
    if data.name != run.recipe.dataset:
        yield f"it saw the images of {quote(data.name)}, and its recipe says {run.recipe.dataset}"
    if not _is_plain(data.origin):
        yield f"the origin of its images is {quote(data.origin)}"
    if not data.train_images or not data.test_images:
        yield "it does not say how many images it saw"
    if data.tested_on_training_images:
        yield "its test images are its training images"
    if not _SHA256.fullmatch(data.hash or ""):
        yield f"the digest of its images is {quote(data.hash)}, not 64 digits"
        return
    official = OFFICIAL_HASHES.get(run.recipe.dataset)
    if official and is_official(data.origin) and data.hash != official:
        yield f"its images are {quote(data.hash)}, and the {data.origin} are {quote(official)}"


def _is_plain(text: str | None) -> bool:
    """Return whether a text can stand in a table as it is."""
    return bool(text) and len(text or "") <= LONGEST_TEXT and is_printable(text or "")


def _is_count(error: float, images: int | None) -> bool:
    """Return whether an error in percent is a whole number of images."""
    if not images:
        return True  # which is a problem of its own
    wrong = error / 100 * images
    return abs(wrong - round(wrong)) <= NEAR
