"""What training sees of a data set: its batches, and two plain views.

A batch is a function of (seed, iteration) alone. So a resumed run needs no state of a random
generator, and several processes take exact slices of one batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, Protocol, Self, TypeAlias

if TYPE_CHECKING:
    from torch import Tensor, device

    from repro.distributed import Share

Origin: TypeAlias = Literal["official pixels", "official archive", "imported", "generated"]

# Images: float32, N×C×H×W, channels last; labels: int64, N.
Batch: TypeAlias = "tuple[Tensor, Tensor]"


class Source(Protocol):
    """A data set as one recipe sees it."""

    @property
    def name(self) -> str: ...

    @property
    def hash(self) -> str:
        """Return what the data set *is*: the SHA-256 of pixels and labels, training and test."""

    @property
    def origin(self) -> str:
        """Return where its images come from, in the words of `repro.definition.origin`."""

    @property
    def classes(self) -> int: ...

    @property
    def train_images(self) -> int: ...

    @property
    def test_images(self) -> int: ...

    @property
    def tested_on_training_images(self) -> bool:
        """Return whether an error on the test images says nothing about images not seen."""

    def to(self, device: device | str) -> Self:
        """Return the same source with batches on that device; small data sets move there whole."""

    def batches(self, seed: int, start: int, stop: int, share: Share = ...) -> Iterator[Batch]:
        """Yield the augmented batches of iterations start … stop-1, of each an exact slice."""

    def test(self, batch: int = 500, share: Share = ...) -> Iterator[Batch]:
        """Yield the test images in the testing view, each exactly once over all shares."""

    def train_clean(self, batch: int = 500, share: Share = ...) -> Iterator[Batch]:
        """Yield the training images in the testing view, each exactly once over all shares."""
