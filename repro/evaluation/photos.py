"""What is measured of a trained ImageNet net: every way of testing that a table asks for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch.distributed

from repro.data.photos.source import Photos
from repro.definition.run import Run
from repro.distributed import share
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
    """Return both errors in percent by each way of testing; save the predictions in the folder."""
    measured = {way: scores_of(net, source, way) for way in WAYS}
    if share().first:
        save(folder.predictions, source.hash, measured, IN_ENSEMBLES, may_publish)
    return errors(measured)


def errors(measured: dict[str, Scores]) -> dict[str, float]:
    """Return center_top1, center_top5, …"""
    percent: dict[str, float] = {}
    for way, scores in measured.items():
        top1, top5 = top_errors(scores.scores, scores.labels)
        percent |= {f"{way}_top1": top1, f"{way}_top5": top5}
    return percent


def scores_of(net: ConvNet, source: Photos, way: str) -> Scores:
    """Return the scores of every test image, whichever process made them."""
    own = WAYS[way](net, source, share())
    if share().alone:
        return own
    parts: list[Scores] = [own] * share().processes
    torch.distributed.all_gather_object(parts, own)
    columns = ((part.places, part.labels, part.scores) for part in parts)
    places, labels, scores = zip(*columns, strict=True)
    joined = Scores(np.concatenate(places), np.concatenate(labels), np.concatenate(scores))
    return joined.in_order()
