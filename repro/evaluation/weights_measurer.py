"""Measure weights that somebody trained, on images prepared as theirs were.

Training is not touched by this. What is measured here is kept as an evaluation, never as a run.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from repro.data.photos.class_index import outputs_of
from repro.definition.preprocessing import Preprocessing
from repro.definition.run import Run, to_definition
from repro.errors import UserError, quote
from repro.evaluation.photo_measurer import PhotoMeasurer
from repro.evaluation.readings import METRIC, Reading
from repro.evaluation.small_measurer import SmallMeasurer
from repro.nets import ConvNet, build
from repro.nets.caffemodel import read_mean
from repro.nets.weights import Weights, load, sha256_of
from repro.storage.evaluations import (
    DataFacts,
    Evaluation,
    EvaluationFolder,
    WeightsFacts,
    folder_of,
)
from repro.storage.predictions import Scores, best_classes, errors_of
from repro.training.device import memory_format, prepare
from repro.training.device_errors import device_errors_explained
from repro.training.provenance import commit, provenance

if TYPE_CHECKING:
    from repro.data.photos.source import Photos
    from repro.data.small.source import Images

BLOCK = 500  # images that are tested, and kept, at a time
SMALL_METRIC = "test_error"  # what a run of small images calls its error
FEW = 50  # images below which an error says nothing about guessing

Progress = Callable[[int, int], None]  # images done, of how many


@dataclass(eq=False)
class Subject:
    """A net with somebody's weights on a device, and the images it is to be tested on."""

    run: Run  # its recipe says which images, and its scale how large; nothing is trained
    weights: WeightsFacts
    module: ConvNet
    source: Any  # Photos or Images
    device: torch.device
    labels: NDArray[np.int64]  # the net's output for each class of the images

    @property
    def photos(self) -> bool:
        return hasattr(self.source, "views_of")

    @property
    def data(self) -> DataFacts:
        source = self.source
        return DataFacts(
            source.name,
            source.hash,
            source.origin,
            source.test_images,
            source.tested_on_training_images,
        )


@dataclass(eq=False)
class Result:
    """What the readings of one subject gave, in the order of the test images."""

    labels: NDArray[np.int64]
    best: dict[Reading, NDArray[np.int64]]  # images × 5
    scores: dict[Reading, NDArray[np.float32]]  # images × classes; of the readings asked for
    provenance: dict[str, Any]

    def errors(self, reading: Reading) -> tuple[float, float]:
        return errors_of(self.best[reading], self.labels)


def subject(
    run: Run, weights: Weights, path: Path, folder: Path, device: torch.device | None
) -> Subject:
    """Build the run's net with these weights, and open the run's images in `folder`."""
    from repro.data import open_source

    commit()  # now and not at the end: the files may be edited while it measures
    module = build(run.net)
    load(module, run.net, weights)
    # Nothing is trained, so a set smaller than a batch will do.
    seen_as = replace(run.recipe, batch=1, batch_norm_group=None)
    source: Any = open_source(seen_as, folder)
    labels = _outputs(source, run)
    there = prepare(run.recipe, device)
    # In the layout in which training measures, so that rounding is the same.
    module = module.lay_out(there, memory_format(there, run.recipe.precision))
    facts = WeightsFacts(path.name, sha256_of(path), weights.layout.name)
    return Subject(run, facts, module, source.to(there), there, labels)


def mean_image(path: Path | None) -> NDArray[np.float32] | None:
    """Return the mean image in a `mean.binaryproto`, if one is named."""
    return None if path is None else read_mean(path)


def folder_for(
    results: Path,
    of: Subject,
    readings: Sequence[Reading],
    mean: NDArray[np.float32] | None,
    what: str,
) -> EvaluationFolder:
    """Return where the evaluation of these readings is kept."""
    facts = {
        "net": to_definition(of.run)["net"],
        "weights": of.weights.sha256,
        "data": of.data.hash,
        "readings": [reading.facts() for reading in readings],
        "mean": None if mean is None else hashlib.sha256(mean.tobytes()).hexdigest(),
        "block": BLOCK,
    }
    return folder_of(results, f"{of.run.net.name}.{of.weights.layout}.{what}", facts)


def measure(
    of: Subject,
    readings: Sequence[Reading],
    mean: NDArray[np.float32] | None = None,
    keep: EvaluationFolder | None = None,
    with_scores: Sequence[Reading] = (),
    progress: Progress = lambda done, total: None,
) -> Result:
    """Test the subject in all readings.

    With `keep`, what is done is kept block by block, and a killed test goes on where it was.
    `progress` hears of what is measured now, and not of what an earlier test has kept.
    """
    began = time.monotonic()
    total = of.source.test_images
    measure_block = _blocks(of, readings, mean)
    labels: list[NDArray[Any]] = []
    best: dict[Reading, list[NDArray[Any]]] = {reading: [] for reading in readings}
    scores: dict[Reading, list[NDArray[Any]]] = {reading: [] for reading in with_scores}
    for number, start in enumerate(range(0, total, BLOCK)):
        places = range(start, min(start + BLOCK, total))
        arrays = keep.load_block(number) if keep else None
        if arrays is None:
            seen = partial(_report, progress, start, total)
            arrays = _arrays(measure_block(places, seen), readings, with_scores)
            if keep is not None:
                keep.save_block(number, arrays)
        labels.append(arrays["labels"])
        for index, reading in enumerate(readings):
            best[reading].append(arrays[f"best_{index}"])
            if reading in scores:
                scores[reading].append(arrays[f"scores_{index}"])
    facts = provenance(of.run, of.source, of.device, time.monotonic() - began, 1)
    return Result(
        np.concatenate(labels).astype(np.int64),
        {reading: np.concatenate(parts).astype(np.int64) for reading, parts in best.items()},
        {reading: np.concatenate(parts) for reading, parts in scores.items()},
        facts,
    )


def evaluation(
    of: Subject, reading: Reading, result: Result, name: str, warnings: Sequence[str]
) -> Evaluation:
    """Return the record of one reading."""
    top1, top5 = result.errors(reading)
    way = METRIC[reading.views]
    metrics = {f"{way}_top1": top1, f"{way}_top5": top5}
    if not of.photos:
        metrics = {SMALL_METRIC: top1, "test_top5": top5}
    return Evaluation(
        id=name,
        net=of.run.net,
        weights=of.weights,
        data=of.data,
        scale=of.run.scale,
        views=reading.views,
        reading=reading.facts(),
        metrics=metrics,
        warnings=(*warnings, *guessing(top1, result.labels, of.module.classifier.out_features)),
        provenance=result.provenance,
    )


def predictions(of: Subject, reading: Reading, result: Result) -> dict[str, NDArray[Any]]:
    """Return what the file of predictions holds, as runs write it."""
    way = METRIC[reading.views]
    return {
        "data": np.array(of.data.hash),
        "labels": result.labels.astype(np.uint16),
        f"best_{way}": result.best[reading].astype(np.uint16),
        "scores": result.scores[reading].astype(np.float16),
    }


def guessing(error: float, labels: NDArray[np.int64], classes: int) -> tuple[str, ...]:
    """Return a warning where the net is no better than guessing: are the classes in order?"""
    images = len(labels)
    expected = images / classes
    right = round(images * (100 - error) / 100)
    # Three standard deviations above guessing: a net that guesses gets there one time in 700.
    if images < FEW or right > expected + 3 * expected**0.5 + 1:
        return ()
    return (
        f"{right} of {images:,} images are right, no better than guessing among {classes:,} "
        "classes: are the classes in another order than the sorted names, is the preprocessing "
        "another, or are the weights untrained?",
    )


def preprocessing_for(of: Subject, asked: Preprocessing) -> Preprocessing:
    """Return the preprocessing at the run's sizes, which are smaller at other scales."""
    wanted = of.run.recipe.input
    own = asked.name == "paper"
    if own and of.photos and wanted.std == "channel":
        asked = replace(asked, std=of.source.std)
    if own and of.photos and wanted.mean == "pixel":
        asked = replace(asked, mean="data image")
    if not of.photos or (of.run.scale == "paper" and not own):
        return asked
    return replace(
        asked,
        resize=wanted.test_side or asked.resize,
        crop=wanted.size,
        sides=wanted.test_sides or asked.sides,
    )


def _outputs(source: Photos | Images | Any, run: Run) -> NDArray[np.int64]:
    """Return the net's output for each class. Small images are of as many classes as their nets."""
    pack = getattr(source, "pack", None)
    if pack is not None:
        return outputs_of(pack.about.classes, run.net.classes, source.name)
    if source.classes > run.net.classes:
        raise UserError(
            f"{quote(source.name)} has {source.classes} classes, the net {run.net.classes}",
            "choose other data",
        )
    return np.arange(source.classes)


def _blocks(
    of: Subject, readings: Sequence[Reading], mean: NDArray[np.float32] | None
) -> Callable[[range, Callable[[int], None]], dict[Reading, Scores]]:
    """Return what measures the images at some places; labels are those of the net's outputs."""
    measurer: PhotoMeasurer | SmallMeasurer
    if of.photos:
        measurer = PhotoMeasurer(of.module, of.source, readings, mean)
    else:
        measurer = SmallMeasurer(of.module, of.source, readings)

    def measure_block(places: range, seen: Callable[[int], None]) -> dict[Reading, Scores]:
        with device_errors_explained(of.run, of.device):
            measured = measurer.block(places, seen)
        return {
            reading: Scores(scores.places, of.labels[scores.labels], scores.scores)
            for reading, scores in measured.items()
        }

    return measure_block


def _report(progress: Progress, before: int, total: int, count: int) -> None:
    progress(before + count, total)


def _arrays(
    measured: dict[Reading, Scores], readings: Sequence[Reading], with_scores: Sequence[Reading]
) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {"labels": measured[readings[0]].labels.astype(np.uint16)}
    for index, reading in enumerate(readings):
        scores = measured[reading].scores
        arrays[f"best_{index}"] = best_classes(scores).astype(np.uint16)
        if reading in with_scores:
            arrays[f"scores_{index}"] = scores
    return arrays
