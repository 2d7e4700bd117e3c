"""What training sees of a data set: a batch that is a function of (seed, iteration) alone, and two plain views.

So a resumed run needs no state of a random generator, and several processes take exact slices of one batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, Protocol, Self, TypeAlias

if TYPE_CHECKING:
    from torch import Tensor, device

    from repro.distributed import Share

# Sets prepared before pixels were compared call the official CIFAR-10 `official archive`.
Origin: TypeAlias = Literal["official pixels", "official archive", "imported", "generated"]
Batch: TypeAlias = (
    "tuple[Tensor, Tensor]"  # images: float32, N×C×H×W, channels last; labels: int64, N
)


class Source(Protocol):
    """A data set as one recipe sees it."""

    @property
    def name(self) -> str: ...

    @property
    def hash(self) -> str:
        """SHA-256 of pixels and labels, training and test: what the data set *is*."""

    @property
    def origin(self) -> str:
        """Where its images come from, in the words of `repro.definition.origin`."""

    @property
    def classes(self) -> int: ...

    @property
    def train_images(self) -> int: ...

    @property
    def test_images(self) -> int: ...

    @property
    def tested_on_training_images(self) -> bool:
        """Whether an error on the test images says nothing about images not seen."""

    def to(self, device: device | str) -> Self:
        """The same source, its batches on that device; small data sets move there whole."""

    def batches(self, seed: int, start: int, stop: int, share: Share = ...) -> Iterator[Batch]:
        """The augmented batches of iterations start … stop-1: this process's exact slice of each."""

    def test(self, batch: int = 500, share: Share = ...) -> Iterator[Batch]:
        """The test images in the testing view, each exactly once over all ranks."""

    def train_clean(self, batch: int = 500, share: Share = ...) -> Iterator[Batch]:
        """The training images in the testing view, each exactly once over all ranks."""
