"""Testing small images: "we only evaluate the single view of the original 32×32 image" (4.2)."""

from __future__ import annotations

from repro.data.source import Source
from repro.evaluation.crops import evaluating, gather_scores, softmax
from repro.nets import ConvNet
from repro.storage.predictions import Scores


def single_view_scores(net: ConvNet, source: Source) -> Scores:
    """Return the scores of every test image as it is."""
    parts = []
    count = 0
    with evaluating(net):
        for images, labels in source.test():
            places = list(range(count, count + len(labels)))
            parts.append((places, labels.tolist(), softmax(net(images))))
            count += len(labels)
    return gather_scores(parts, source.classes)
