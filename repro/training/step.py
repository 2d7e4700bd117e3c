"""One iteration of SGD, and the running errors of the iterations since the last point of the curve."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from repro import distributed
from repro.definition.recipe import Recipe

NEVER = 2**62


Step = Callable[[Tensor, Tensor, float], tuple[Tensor, Tensor]]


def sgd(net: nn.Module, recipe: Recipe) -> torch.optim.SGD:
    """Plain SGD with momentum: v ← 0.9 v + g, w ← w − lr v. Never Nesterov's."""
    weights = [p for p in net.parameters() if p.dim() > 1]
    others = [
        p for p in net.parameters() if p.dim() <= 1
    ]  # batch norm's γ and β, the bias of the last layer
    decay = recipe.decay if recipe.decay_on == "everything" else 0.0
    groups = [
        {"params": weights, "weight_decay": recipe.decay},
        {"params": others, "weight_decay": decay},
    ]
    return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=recipe.momentum, fused=True)


def make_step(net: nn.Module, optimizer: torch.optim.SGD, recipe: Recipe) -> Step:
    """One step: (images, labels, rate) → this process's summed loss and its count of wrong answers, on the device.

    On one GPU the step is captured, unless `REPRO_CAPTURE` is 0; with several processes it is not.
    """
    on_gpu = next(net.parameters()).device.type == "cuda"
    if on_gpu and distributed.count() == 1 and os.environ.get("REPRO_CAPTURE") != "0":
        return CapturedStep(net, optimizer, recipe)
    return eager_step(net, optimizer, recipe)


def eager_step(net: nn.Module, optimizer: torch.optim.SGD, recipe: Recipe) -> Step:
    """The step, operation by operation."""
    learn = _learner(net, optimizer, recipe)

    def step(images: Tensor, labels: Tensor, rate: float) -> tuple[Tensor, Tensor]:
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad(set_to_none=True)
        return learn(images, labels)

    return step


def _learner(
    net: nn.Module, optimizer: torch.optim.SGD, recipe: Recipe
) -> Callable[..., tuple[Tensor, Tensor]]:
    """Forward, backward, and a move of the weights at the optimizer's rate."""
    together = distributed.sharing_gradients(net)
    share = (
        recipe.batch / distributed.count()
    )  # a mean over the whole batch, however unequal the processes' parts

    def learn(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(images.device.type, torch.bfloat16, enabled=recipe.precision == "bf16"):
            scores = together(images)
        loss = functional.cross_entropy(scores.float(), labels, reduction="sum")
        (loss / share).backward()
        optimizer.step()
        return loss.detach(), (scores.argmax(1) != labels).sum()

    return learn


class CapturedStep:
    """The step as one CUDA graph: a small net is bound by the launches of its thousand kernels, a graph is one launch.

    Every step is a replay, the first as well, so an interrupted run ends like an unbroken one: what the rehearsals
    before the capture changed is put back. Images, labels and rate are copied to where the graph reads them.
    """

    REHEARSALS = 3  # torch asks for some before a capture, on a stream of their own

    def __init__(self, net: nn.Module, optimizer: torch.optim.SGD, recipe: Recipe) -> None:
        self._net, self._optimizer = net, optimizer
        self._learn = _learner(net, optimizer, recipe)
        self._device = next(net.parameters()).device
        self._rate = torch.zeros((), device=self._device)
        self._inputs: tuple[Tensor, Tensor] | None = None
        self._replay: Callable[[], None]
        self._answer: tuple[Tensor, Tensor]
        for group in optimizer.param_groups:
            group["lr"] = self._rate
            for parameter in group[
                "params"
            ]:  # v starts at 0, so that the first step is an ordinary one
                optimizer.state[parameter].setdefault(
                    "momentum_buffer", torch.zeros_like(parameter)
                )

    def __call__(self, images: Tensor, labels: Tensor, rate: float) -> tuple[Tensor, Tensor]:
        if self._inputs is None:
            self._inputs = images.clone(), labels.clone()
            self._prepare(*self._inputs)
        for place, value in zip(self._inputs, (images, labels), strict=True):
            place.copy_(value)
        self._rate.fill_(rate)
        self._replay()
        return self._answer  # valid until the next step, which is when its sums have been taken

    def _prepare(self, images: Tensor, labels: Tensor) -> None:
        before = [tensor.clone() for tensor in self._state()]
        self._rehearse(images, labels)
        self._optimizer.zero_grad(
            set_to_none=True
        )  # gradients are to lie in the graph's own memory
        self._capture(images, labels)
        with torch.no_grad():
            for tensor, value in zip(self._state(), before, strict=True):
                tensor.copy_(value)

    def _state(self) -> list[Tensor]:
        momentum = [state["momentum_buffer"] for state in self._optimizer.state.values()]
        return [*self._net.parameters(), *self._net.buffers(), *momentum]

    def _rehearse(self, images: Tensor, labels: Tensor) -> None:
        aside = torch.cuda.Stream(self._device)
        aside.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(aside):
            for _ in range(self.REHEARSALS):
                self._optimizer.zero_grad(set_to_none=True)
                self._learn(images, labels)
        torch.cuda.current_stream(self._device).wait_stream(aside)

    def _capture(self, images: Tensor, labels: Tensor) -> None:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._answer = self._learn(images, labels)
        self._replay = graph.replay


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
        first = int(distributed.lowest(self.first_bad))
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
        if distributed.rank() == 0:
            self.loss.fill_(state["loss"])
            self.wrong.fill_(state["wrong"])
            self.images = state["images"]

    def _totals(self) -> list[float]:
        images = torch.tensor(self.images, dtype=torch.float64, device=self.loss.device)
        sums: list[float] = distributed.total(
            torch.stack([self.loss, self.wrong.double(), images])
        ).tolist()
        return sums


def gradient_norms(net: nn.Module) -> dict[str, float]:
    """The norms of the first and the last convolution's gradients (section 4.1: "healthy norms")."""
    convolutions = [p for p in net.parameters() if p.dim() == 4]
    norms = [
        float(p.grad.norm()) if p.grad is not None else math.nan
        for p in (convolutions[0], convolutions[-1])
    ]
    return {"gradient_first": norms[0], "gradient_last": norms[-1]}
