"""One iteration of SGD, and the running errors of the iterations since the last point of the curve."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from repro import processes
from repro.spec import Recipe

NEVER = 2**62


def sgd(net: nn.Module, recipe: Recipe) -> torch.optim.SGD:
    """Plain SGD with momentum: v ← 0.9 v + g, w ← w − lr v. Never Nesterov's."""
    weights = [p for p in net.parameters() if p.dim() > 1]
    others = [p for p in net.parameters() if p.dim() <= 1]  # batch norm's γ and β, the bias of the last layer
    decay = recipe.decay if recipe.decay_on == "everything" else 0.0
    groups = [{"params": weights, "weight_decay": recipe.decay}, {"params": others, "weight_decay": decay}]
    return torch.optim.SGD(groups, lr=recipe.rate, momentum=recipe.momentum, foreach=True)


def stepper(net: nn.Module, optimizer: torch.optim.SGD, recipe: Recipe) -> Callable[..., tuple[Tensor, Tensor]]:
    """One step: (images, labels, rate) → this process's summed loss and its count of wrong answers, on the device."""
    together = processes.sharing_gradients(net)
    share = recipe.batch / processes.count()  # a mean over the whole batch, however unequal the processes' parts

    def step(images: Tensor, labels: Tensor, rate: float) -> tuple[Tensor, Tensor]:
        for group in optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast(images.device.type, torch.bfloat16, enabled=recipe.precision == "bf16"):
            scores = together(images)
        loss = functional.cross_entropy(scores.float(), labels, reduction="sum")
        optimizer.zero_grad(set_to_none=True)
        (loss / share).backward()
        optimizer.step()
        return loss.detach(), (scores.argmax(1) != labels).sum()

    return step


class Diverged(Exception):
    """The loss is no longer a number."""

    def __init__(self, iteration: int) -> None:
        super().__init__(f"the training loss is not finite at iteration {iteration}")
        self.iteration = iteration


class Window:
    """Loss and errors summed on the device since the last point of the curve, so that no step waits for the host."""

    def __init__(self, device: torch.device) -> None:
        self.loss = torch.zeros((), dtype=torch.float64, device=device)
        self.wrong = torch.zeros((), dtype=torch.int64, device=device)
        self.first_bad = torch.full((), NEVER, dtype=torch.int64, device=device)
        self.images = 0

    def add(self, iteration: int, loss: Tensor, wrong: Tensor, images: int) -> None:
        self.loss += loss
        self.wrong += wrong
        self.images += images
        bad = torch.where(torch.isfinite(loss), NEVER, iteration)
        self.first_bad = torch.minimum(self.first_bad, bad)

    def check(self) -> None:
        """Stop at a loss that was not finite, and say at which iteration it was."""
        first = int(processes.lowest(self.first_bad))
        if first < NEVER:
            raise Diverged(first)

    def close(self) -> dict[str, float]:
        """The running training error and loss of the window; the next one starts empty."""
        loss, wrong, images = self._totals()
        self.loss.zero_()
        self.wrong.zero_()
        self.images = 0
        return {"train_error": 100 * wrong / images, "train_loss": loss / images}

    def state(self) -> dict[str, Any]:
        """This window for a checkpoint: the sums over all processes, which the first one goes on from."""
        loss, wrong, images = self._totals()
        return {"loss": loss, "wrong": int(wrong), "images": int(images)}

    def restore(self, state: dict[str, Any]) -> None:
        if processes.rank() == 0:
            self.loss.fill_(state["loss"])
            self.wrong.fill_(state["wrong"])
            self.images = state["images"]

    def _totals(self) -> list[float]:
        images = torch.tensor(self.images, dtype=torch.float64, device=self.loss.device)
        sums: list[float] = processes.total(torch.stack([self.loss, self.wrong.double(), images])).tolist()
        return sums


def gradient_norms(net: nn.Module) -> dict[str, float]:
    """The norms of the first and the last convolution's gradients (section 4.1: "healthy norms")."""
    convolutions = [p for p in net.parameters() if p.dim() == 4]
    norms = [float(p.grad.norm()) if p.grad is not None else math.nan for p in (convolutions[0], convolutions[-1])]
    return {"gradient_first": norms[0], "gradient_last": norms[-1]}
