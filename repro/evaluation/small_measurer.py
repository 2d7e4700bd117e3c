"""Test a net on small images in several readings: as they are, or as they are and flipped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from repro.data.small.source import Images
from repro.definition.preprocessing import Preprocessing
from repro.evaluation.crops import evaluating, softmax
from repro.evaluation.readings import Reading
from repro.nets import ConvNet
from repro.storage.predictions import Scores


@dataclass(eq=False)
class SmallMeasurer:
    """A net, the images it is tested on, and the readings."""

    net: ConvNet
    images: Images
    readings: Sequence[Reading]

    def block(
        self, places: range, seen: Callable[[int], None] = lambda count: None
    ) -> dict[Reading, Scores]:
        """Return every reading's scores of the test images at these places."""
        scores = {reading: self._of(reading, places) for reading in self.readings}
        seen(len(places))
        return scores

    def _of(self, reading: Reading, places: range) -> Scores:
        pixels = self.images.test_pixels[places.start : places.stop]
        labels = self.images.test_labels[places.start : places.stop]
        seen = _as_preprocessed(self.images, reading.preprocessing).seen(pixels)
        with evaluating(self.net):
            scores = softmax(self.net(seen))
            if reading.flip:
                scores = torch.stack([scores, softmax(self.net(seen.flip(3)))]).mean(0)
        return Scores(np.array(places), labels.cpu().numpy(), scores.cpu().numpy())


def _as_preprocessed(images: Images, wanted: Preprocessing) -> Images:
    """Return the images less what is subtracted; `data` leaves them as their recipe has them."""
    if isinstance(wanted.mean, str):
        return images
    mean = images.scale.new_tensor(wanted.mean) * 255
    scale = 1 / (images.scale.new_tensor(wanted.std or (1.0, 1.0, 1.0)) * 255)
    return replace(images, mean=mean.expand_as(images.mean), scale=scale)
