"""The nets of the paper, built from their definitions.

Weights are drawn from a generator of their own, so a net depends only on its definition and its
seed. Other draws of random numbers do not change it, and it does not change them.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import nn

from repro.definition.net import Net
from repro.nets.batch_norm import BatchNorm
from repro.nets.blocks import Basic, Bottleneck, Stem
from repro.nets.cifar import cifar
from repro.nets.conv_net import ConvNet
from repro.nets.imagenet import imagenet

__all__ = ["ConvNet", "build", "responding_layers", "skeleton"]


def build(
    net: Net, *, seed: int = 0, batch_norm_group: int | None = None, recompute: bool = False
) -> ConvNet:
    """Return the net with its initial weights.

    `batch_norm_group`: images that share batch statistics in training; None: the whole batch.
    `recompute`: training keeps few activations and computes the others again; it is slower and
    smaller, and gives the same numbers.
    """
    # torch's layers draw weights of their own, which are replaced.
    with torch.random.fork_rng(devices=[]):
        module = _assembled(net, batch_norm_group, recompute)
    _initialise(module, net, torch.Generator().manual_seed(seed))
    return module


def skeleton(net: Net) -> ConvNet:
    """Return the net on the meta device: every shape, and no memory or number."""
    with torch.device("meta"):
        return _assembled(net)


def responding_layers(module: nn.Module) -> list[nn.Module]:
    """Return the batch norms whose outputs are the layer responses of Figure 7, in order.

    There is one after each 3×3 layer: 6n+1 on CIFAR. Projections are 1×1 and not among them. The
    output of one is changed in place by the addition and the ReLU that follow: a forward hook must
    use it at once, or copy it.
    """
    pairs: list[tuple[nn.Conv2d, nn.Module]] = []
    for part in module.modules():
        if isinstance(part, Stem):
            pairs.append((part.conv, part.norm))
        elif isinstance(part, Basic | Bottleneck):
            pairs += [(part.conv1, part.norm1), (part.conv2, part.norm2)]
    return [norm for conv, norm in pairs if conv.kernel_size == (3, 3)]


def _assembled(net: Net, batch_norm_group: int | None = None, recompute: bool = False) -> ConvNet:
    family = {"cifar": cifar, "imagenet": imagenet}[net.family]
    return family(net, partial(BatchNorm, group=batch_norm_group), recompute)


def _initialise(module: nn.Module, net: Net, generator: torch.Generator) -> None:
    """Draw the weights as in He et al. 2015 (section 3.4); batch norm starts as the identity.

    The fully connected layer follows equation 10 too, of which it is the 1×1 case. It does so also
    where the variant takes equation 14 (fan-out) for the convolutions, which would give ten classes
    weights of standard deviation 0.45.
    """
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(
                part.weight, mode=net.init, nonlinearity="relu", generator=generator
            )
        elif isinstance(part, nn.BatchNorm2d):
            part.reset_parameters()
        elif isinstance(part, nn.Linear):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu", generator=generator)
            nn.init.zeros_(part.bias)
