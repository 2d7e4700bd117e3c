"""What is measured of a net of ImageNet when its training is over: every way of testing that a table asks for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch.distributed

from repro import distributed
from repro.data.photos.source import Photos
from repro.definition.run import Run
from repro.evaluation.crops import center, ten_crop
from repro.evaluation.fully_convolutional import multi_scale
from repro.nets import ConvNet
from repro.storage.paths import Folder
from repro.storage.predictions import IN_ENSEMBLES, Scores, save, top_errors

WAYS = {"center": center, "ten_crop": ten_crop, "multi_scale": multi_scale}


def measure(
    net: ConvNet,
    run: Run,
    source: Photos,
    folder: Folder,
    may_publish: Callable[[], None] = lambda: None,
) -> dict[str, float]:
    """Both errors in percent by each way of testing; the predictions go to the run's folder, if they may."""
    measured = {way: scores_of(net, source, way) for way in WAYS}
    if distributed.rank() == 0:
        save(folder.predictions, source.hash, measured, IN_ENSEMBLES, may_publish)
    return errors(measured)


def errors(measured: dict[str, Scores]) -> dict[str, float]:
    """center_top1, center_top5, …"""
    found = {}
    for way, scores in measured.items():
        found[f"{way}_top1"], found[f"{way}_top5"] = top_errors(scores.scores, scores.labels)
    return found


def scores_of(net: ConvNet, source: Photos, way: str) -> Scores:
    """The scores of every test image, whichever process made them."""
    own = WAYS[way](net, source, distributed.rank(), distributed.count())
    if distributed.count() == 1:
        return own
    parts: list[Scores] = [own] * distributed.count()
    torch.distributed.all_gather_object(parts, own)
    columns = ((part.places, part.labels, part.scores) for part in parts)
    return Scores(*(np.concatenate(column) for column in zip(*columns, strict=True))).in_order()
