"""Caffe's SGD with momentum, made of PyTorch's."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor


class Step(Protocol):
    """One iteration: (images, labels, rate) to the summed loss and the count of wrong answers."""

    @property
    def captured(self) -> bool: ...

    def __call__(self, images: Tensor, labels: Tensor, rate: float) -> tuple[Tensor, Tensor]: ...


class CaffeMomentum:
    """A step whose learning rate is inside the momentum: v ← m v + lr g, w ← w - v.

    PyTorch's momentum is u = v / lr. While the rate stays the same the two forms are equal. When
    the rate changes, u is multiplied by old / new, so that v goes on as it was: after a drop, the
    weights still move at the old rate for some ten steps.
    """

    def __init__(self, step: Step, optimizer: torch.optim.SGD, rate: float) -> None:
        self._step = step
        self._optimizer = optimizer
        self._rate = rate  # of the step before: a checkpoint keeps it with the momentum

    @property
    def captured(self) -> bool:
        """Whether the step below is one CUDA graph."""
        return self._step.captured

    def __call__(self, images: Tensor, labels: Tensor, rate: float) -> tuple[Tensor, Tensor]:
        if rate != self._rate:
            self._rescale(self._rate / rate)
            self._rate = rate
        return self._step(images, labels, rate)

    def _rescale(self, factor: float) -> None:
        for state in self._optimizer.state.values():
            momentum = state.get("momentum_buffer")
            if momentum is not None:
                momentum.mul_(factor)
