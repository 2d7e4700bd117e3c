"""Steps of a net on the card, as training takes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from experiments.recipes import CIFAR10
from repro.data.small import generated
from repro.data.small.source import Images, as_source
from repro.definition.net import Net
from repro.definition.run import Run
from repro.training.captured_step import CapturedStep
from repro.training.device import prepare
from repro.training.loop import EagerStep, Step
from repro.training.state import State

CARD = torch.device("cuda", 0)
RATES = (0.1, 0.1, 0.01, 0.001, 0.001)

Make = Callable[[State], Step]


def run_of(net: Net, **changes: Any) -> Run:
    """The paper's recipe on generated images of the paper's size."""
    return Run(net, replace(CIFAR10, dataset=generated.NAME, **changes))


def source_of(run: Run) -> Images:
    images = generated.draw(run.recipe.input.size)
    return as_source(images, run.recipe, "", "generated").to(prepare(run.recipe, CARD))


def eager(state: State) -> EagerStep:
    return EagerStep(state.net, state.optimizer, state.run.recipe)


def captured(state: State) -> CapturedStep:
    return CapturedStep(state.net, state.optimizer, eager(state))


def batches(run: Run, count: int) -> Iterator[tuple[Tensor, Tensor]]:
    return source_of(run).batches(run.seed, 0, count)


def trained(run: Run, make: Make) -> dict[str, Tensor]:
    """All that a few steps at three rates leave: weights, statistics, momentum, losses."""
    state = State(run, source_of(run), CARD)
    step = make(state)
    left = {}
    for number, (images, labels) in enumerate(batches(run, len(RATES))):
        loss, _ = step(images, labels, RATES[number])
        left[f"loss {number}"] = loss.clone()
    left |= state.net.state_dict()
    for name, weight in state.net.named_parameters():
        left[f"{name} momentum"] = state.optimizer.state[weight]["momentum_buffer"]
    return left
