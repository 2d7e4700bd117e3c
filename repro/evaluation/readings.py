"""One way of testing a net, as a value: what the paper leaves open, decided.

Ten readings of "10-crop testing" give ten errors. A reading says which filter resized the image,
what was subtracted, whether scores or their logits were averaged, and how the net pools. Readings
that need the same crops and the same net share one forward pass.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from repro.definition.preprocessing import Filter, Preprocessing

Views = Literal["center", "ten", "multi"]
Pool = Literal["padded", "unpadded"]

METRIC = {
    "center": "center",
    "ten": "ten_crop",
    "multi": "multi_scale",
}  # what a run's record calls each
CAFFE_EPSILON = 1e-5  # of batch norm: Caffe's default, and PyTorch's
CENTRE, CENTRE_FLIPPED = 4, 9  # where they are among the ten crops


@dataclass(frozen=True)
class Reading:
    """How the test images are shown to a net, and what is made of its answers."""

    preprocessing: Preprocessing
    views: Views = "center"
    # The flipped image too, of many scales and of the centre crop. Ten crops always have theirs.
    flip: bool = True
    average: Literal["softmax", "logits"] = "softmax"
    pool: Pool = "padded"
    epsilon: float = CAFFE_EPSILON

    @property
    def cut(self) -> Cut:
        """What is cut out of each image for it."""
        wanted = self.preprocessing
        if self.views == "multi":
            return Cut(wanted.filter, 0, 0, 0, wanted.sides)
        count = 10 if self.views == "ten" else 1 + self.flip
        return Cut(wanted.filter, wanted.resize, wanted.crop, count)

    @property
    def setting(self) -> tuple[Pool, float]:
        """What it changes in the net."""
        return self.pool, self.epsilon

    def facts(self) -> dict[str, Any]:
        """Return the reading as plain values, for a record."""
        return asdict(self)


@dataclass(frozen=True)
class Cut:
    """What is cut out of an image: some crops at one size, or the whole image at several."""

    filter: Filter
    resize: int
    crop: int
    count: int  # 1: the centre; 2: and its flip; 10; 0: the whole image
    sides: tuple[int, ...] = ()

    @property
    def source(self) -> Cut:
        """The cut, whatever its count of crops: the centre crop is one of the ten."""
        return replace(self, count=0)


def plain_reading(preprocessing: Preprocessing, views: Views, pool: Pool = "padded") -> Reading:
    """Return the reading that the paper's words suggest: softmax averaged, centre crop alone."""
    return Reading(preprocessing, views, flip=views != "center", pool=pool)


def most_crops(readings: list[Reading]) -> dict[Cut, Cut]:
    """Return the largest cut for each source, which holds what all readings of that source need."""
    largest: dict[Cut, Cut] = {}
    for reading in readings:
        cut = reading.cut
        known = largest.get(cut.source, cut)
        largest[cut.source] = cut if cut.count >= known.count else known
    return largest
