"""The running loss and error of the iterations since the last point of the curve."""

from __future__ import annotations

from typing import TypedDict

import torch
from torch import Tensor

from repro import distributed

NEVER = 2**62  # an iteration that no run reaches


class Diverged(Exception):
    """The loss is no longer a number."""

    def __init__(self, iteration: int) -> None:
        super().__init__(f"the training loss is not finite at iteration {iteration}")
        self.iteration = iteration


class WindowState(TypedDict):
    """A window as a checkpoint holds it."""

    loss: float
    wrong: int
    images: int


class Window:
    """Loss and errors summed on the device, so that no step waits for the host."""

    def __init__(self, device: torch.device) -> None:
        self.loss = torch.zeros((), dtype=torch.float64, device=device)
        self.wrong = torch.zeros((), dtype=torch.int64, device=device)
        self.first_bad = torch.full((), NEVER, dtype=torch.int64, device=device)
        self.images = 0

    def add(self, iteration: int, loss: Tensor, wrong: Tensor, images: int) -> None:
        """Count one iteration's summed loss and wrong answers."""
        self.loss += loss
        self.wrong += wrong
        self.images += images
        bad = torch.where(torch.isfinite(loss), NEVER, iteration)
        self.first_bad = torch.minimum(self.first_bad, bad)

    def check(self) -> None:
        """Stop at a loss that was not finite, and say at which iteration it was."""
        first = int(distributed.lowest(self.first_bad))
        if first < NEVER:
            raise Diverged(first)

    def close(self) -> dict[str, float]:
        """Return the window's running training error and loss; the next window starts empty."""
        loss, wrong, images = self._totals()
        self.loss.zero_()
        self.wrong.zero_()
        self.images = 0
        return {"train_error": 100 * wrong / images, "train_loss": loss / images}

    def state(self) -> WindowState:
        """Return the sums over all processes, for a checkpoint."""
        loss, wrong, images = self._totals()
        return {"loss": loss, "wrong": int(wrong), "images": int(images)}

    def restore(self, state: WindowState) -> None:
        """Go on from a checkpoint's sums: in the first process, as they are of all processes."""
        if distributed.share().first:
            self.loss.fill_(state["loss"])
            self.wrong.fill_(state["wrong"])
            self.images = state["images"]

    def _totals(self) -> tuple[float, float, float]:
        images = torch.tensor(self.images, dtype=torch.float64, device=self.loss.device)
        sums = torch.stack([self.loss, self.wrong.double(), images])
        loss, wrong, images_of_all = distributed.total(sums).tolist()
        return loss, wrong, images_of_all
