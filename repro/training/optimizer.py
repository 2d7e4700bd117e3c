"""SGD with momentum, and the norms of the gradients it gets."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from repro.definition.recipe import Recipe


def sgd(net: nn.Module, recipe: Recipe) -> torch.optim.SGD:
    """Return plain SGD with momentum: v ← 0.9 v + g, w ← w − lr v. It is never Nesterov's."""
    weights = []
    others = []  # batch norm's γ and β, and the bias of the last layer
    for parameter in net.parameters():
        if parameter.dim() > 1:
            weights.append(parameter)
        else:
            others.append(parameter)
    other_decay = 0.0
    if recipe.decay_on == "everything":
        other_decay = recipe.decay
    groups = [
        {"params": weights, "weight_decay": recipe.decay},
        {"params": others, "weight_decay": other_decay},
    ]
    return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=recipe.momentum, fused=True)


def gradient_norms(net: nn.Module) -> dict[str, float]:
    """Return the norms of the first and the last convolution's gradients.

    Section 4.1: "we also verify that the backward propagated gradients exhibit healthy norms".
    """
    convolutions = [p for p in net.parameters() if p.dim() == 4]
    return {
        "gradient_first": _norm(convolutions[0].grad),
        "gradient_last": _norm(convolutions[-1].grad),
    }


def _norm(gradient: Tensor | None) -> float:
    if gradient is None:
        return math.nan
    return float(gradient.norm())
