"""The nets that the authors released (ResNet-50, 101 and 152, for Caffe), in names of ours.

| theirs                                       | ours                                    |
|----------------------------------------------|-----------------------------------------|
| `conv1`, `bn_conv1`, `scale_conv1`           | `stem.conv`, `stem.norm`                |
| `res3a_branch2a`, `bn3a_…`, `scale3a_…`      | `stage2.block1.conv1`, `….norm1`        |
| `res3b_…` (ResNet-50), `res3b1_…` (101, 152) | `stage2.block2.…`                       |
| `res3a_branch1`, `bn3a_branch1`, …           | `stage2.block1.shortcut.conv`, `….norm` |
| `fc1000`                                     | `classifier`                            |

Their batch norm is two layers. `BatchNorm` holds a mean, a variance and the factor by which both
are to be divided; `Scale` holds γ and β. Only the
first convolution of ResNet-50 has a bias. It is subtracted from the mean of the batch norm behind
it, which gives the same net.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from repro.errors import UserError, quote
from repro.nets.caffemodel import Floats, Layer

_BLOCK = re.compile(r"(?:res|bn|scale)([2-5])([a-z])(\d{0,2})_branch(1|2[abc])")
_STEM = frozenset({"conv1", "bn_conv1", "scale_conv1"})
_CLASSIFIER = "classifier"

# How many blobs each type of layer has.
_BLOBS = {"Convolution": (1, 2), "BatchNorm": (3,), "Scale": (2,), "InnerProduct": (2,)}


@dataclass(frozen=True)
class _Names:
    """What our net calls a convolution and the batch norm behind it."""

    conv: str
    norm: str


def is_authors(names: Iterable[str]) -> bool:
    """Whether layers of these names are those of a net of the authors."""
    return {"bn_conv1", "res2a_branch1", "res2a_branch2a"} <= set(names)


def state_of(layers: Sequence[Layer]) -> dict[str, Tensor]:
    """Return the layers' weights under our names; what no net of ours has keeps its own name."""
    groups: dict[_Names, dict[str, Layer]] = {}
    state: dict[str, Tensor] = {}
    for layer in layers:
        if not layer.blobs:
            continue
        names = _names(layer)
        if names is None:
            state |= {
                f"{layer.name}/{place}": _tensor(blob) for place, blob in enumerate(layer.blobs)
            }
            continue
        group = groups.setdefault(names, {})
        if layer.type in group:
            raise UserError(
                f"the layer {quote(layer.name)} is there twice", "copy or download the file again"
            )
        group[layer.type] = _checked(layer)
    for names, group in groups.items():
        state |= _tensors(names, group)
    return state


def _names(layer: Layer) -> _Names | None:
    """Return where this layer belongs in our net, if it is of a kind that our nets have."""
    if layer.type not in _BLOBS:
        return None
    if layer.type == "InnerProduct":
        return _Names(_CLASSIFIER, "")
    if layer.name in _STEM:
        return _Names("stem.conv", "stem.norm")
    match = _BLOCK.fullmatch(layer.name)
    if match is None:
        return None
    stage, letter, number, branch = match.groups()
    # ResNet-50 counts its blocks a, b, c, d; the deeper nets a, b1, b2, … in long stages.
    block = int(number) + 1 if number else ord(letter) - ord("a") + 1
    prefix = f"stage{int(stage) - 1}.block{block}"
    if branch == "1":
        return _Names(f"{prefix}.shortcut.conv", f"{prefix}.shortcut.norm")
    place = "abc".index(branch[1]) + 1
    return _Names(f"{prefix}.conv{place}", f"{prefix}.norm{place}")


def _checked(layer: Layer) -> Layer:
    """Return the layer, if it has as many blobs as its type has."""
    counts = _BLOBS[layer.type]
    if len(layer.blobs) not in counts:
        expected = " or ".join(map(str, counts))
        raise UserError(
            f"the {layer.type} layer {quote(layer.name)} has {len(layer.blobs)} blobs, "
            f"not {expected}",
            "is this the whole file, and of a ResNet that the authors released?",
        )
    return layer


def _tensors(names: _Names, group: Mapping[str, Layer]) -> dict[str, Tensor]:
    """Return the tensors of a convolution with its batch norm, or of the classifier."""
    if "InnerProduct" in group:
        weight, bias = group["InnerProduct"].blobs
        return {
            f"{_CLASSIFIER}.weight": _tensor(_matrix(weight)),
            f"{_CLASSIFIER}.bias": _tensor(bias.reshape(-1)),
        }
    state: dict[str, Tensor] = {}
    biases: Sequence[Floats] = ()
    if "Convolution" in group:
        weight, *biases = group["Convolution"].blobs
        state[f"{names.conv}.weight"] = _tensor(weight)
    if "BatchNorm" in group:
        mean, variance = _statistics(group["BatchNorm"])
        for bias in biases:
            # Batch norm of x + b, with mean m, is batch norm of x, with mean m − b.
            mean = _minus(mean, bias.reshape(-1), names.conv)
        state[f"{names.norm}.running_mean"] = _tensor(mean)
        state[f"{names.norm}.running_var"] = _tensor(variance)
    if "Scale" in group:
        gamma, beta = group["Scale"].blobs
        state[f"{names.norm}.weight"] = _tensor(gamma.reshape(-1))
        state[f"{names.norm}.bias"] = _tensor(beta.reshape(-1))
    return state


def _statistics(layer: Layer) -> tuple[Floats, Floats]:
    """Return mean and variance, divided by the factor that stands in the third blob."""
    mean, variance, factors = (blob.reshape(-1).astype(np.float64) for blob in layer.blobs)
    if factors.shape != (1,) or not np.isfinite(factors[0]) or factors[0] <= 0:
        raise UserError(
            f"the third blob of {quote(layer.name)} is {quote(factors.tolist())}, "
            "not one positive factor",
            "the statistics of this batch norm were never computed, or the file is damaged: "
            "get it again",
        )
    return (mean / factors[0]).astype(np.float32), (variance / factors[0]).astype(np.float32)


def _minus(mean: Floats, bias: Floats, conv: str) -> Floats:
    if bias.shape != mean.shape:
        raise UserError(
            f"the bias of {quote(conv)} has {len(bias)} channels, its batch norm {len(mean)}",
            "copy or download the file again",
        )
    return mean - bias


def _matrix(weight: Floats) -> Floats:
    """Return a classifier's weights as outputs × inputs; older files have two more sides of 1."""
    while weight.ndim > 2 and weight.shape[0] == 1:
        weight = weight[0]
    return weight


def _tensor(values: Floats) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values))
