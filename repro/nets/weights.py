"""Other people's weights in our nets: a map of names for each, and a refusal of what does not fit.

| whose                             | their name                          | ours                                   |
|-----------------------------------|-------------------------------------|----------------------------------------|
| akamaster/pytorch_resnet_cifar10, | `conv1`, `bn1`                      | `stem.conv`, `stem.norm`               |
| torchvision                       | `layer2.0.conv1`, `layer2.0.bn1`    | `stage2.block1.conv1`, `….norm1`       |
| torchvision                       | `layer2.0.downsample.0`, `….1`      | `stage2.block1.shortcut.conv`, `….norm` |
| akamaster                         | `linear`                            | `classifier`                           |
| torchvision                       | `fc`                                | `classifier`                           |

The names also say which variant of the net the weights are of: akamaster's option A has its zeros on both sides,
torchvision's bottlenecks stride in the 3×3. The shapes would not show it; the errors would.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from repro.definition.net import Net
from repro.errors import UserError, quote

State = Mapping[str, Tensor]

_NAMES = (
    (re.compile(r"^conv1\."), "stem.conv."),
    (re.compile(r"^bn1\."), "stem.norm."),
    (re.compile(r"^(linear|fc)\."), "classifier."),
    (re.compile(r"^layer(\d+)\.(\d+)\.downsample\.0\."), r"layer\1.\2.shortcut.conv."),
    (re.compile(r"^layer(\d+)\.(\d+)\.downsample\.1\."), r"layer\1.\2.shortcut.norm."),
    (re.compile(r"^(layer\d+\.\d+)\.bn(\d)\."), r"\1.norm\2."),
)
_BLOCK = re.compile(r"^layer(\d+)\.(\d+)\.")
_WRAPPERS = ("state_dict", "model", "net")  # keys under which checkpoints keep the weights
_COUNTER = "num_batches_tracked"  # absent from old checkpoints, and used by nothing here


def load(module: nn.Module, net: Net, weights: Path | str | State) -> None:
    """Put weights into a net built from `net`. They may be ours, akamaster's or torchvision's."""
    state = without_wrapper(weights) if isinstance(weights, Mapping) else read(Path(weights))
    of = layout_of(net, state)
    if of != net:
        asked = {
            name: getattr(of, name)
            for name in ("zeros", "stride_in")
            if getattr(of, name) != getattr(net, name)
        }
        choice = ", ".join(f"`{name}={value}`" for name, value in asked.items())
        raise UserError(
            f"these weights are of another variant of {quote(net.name)}",
            f"build the net with {choice}",
        )
    named = {_ours(name): value for name, value in state.items()}
    own = module.state_dict()
    named |= {
        name: value for name, value in own.items() if name.endswith(_COUNTER) and name not in named
    }
    _check(net, own, named)
    module.load_state_dict(named)


def layout_of(net: Net, state: State) -> Net:
    """The variant of the net that the weights are of, recognised by their names."""
    if "linear.weight" in state and net.shortcut == "A":
        return replace(net, zeros="both")
    if "fc.weight" in state and net.bottleneck:
        return replace(net, stride_in="3x3")
    return net


def read(path: Path) -> dict[str, Tensor]:
    """The weights in a file."""
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(
            f"no weights at {quote(path)}", "name a file that `torch.save` wrote"
        ) from None
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError):
        raise UserError(
            f"{quote(path)} cannot be read as weights",
            "it must be a file of tensors that `torch.load(…, weights_only=True)` accepts",
        ) from None
    state = without_wrapper(found) if isinstance(found, Mapping) else {}
    if not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(
            f"{quote(path)} holds no state dict",
            "save `module.state_dict()`, bare or as `state_dict`",
        )
    return state


def without_wrapper(found: Mapping[str, Any]) -> dict[str, Any]:
    """The state dict in a checkpoint, without the prefix that DataParallel gives every name."""
    for wrapper in _WRAPPERS:
        if isinstance(found.get(wrapper), Mapping):
            found = found[wrapper]
    return {str(name).removeprefix("module."): value for name, value in found.items()}


def _ours(name: str) -> str:
    for theirs, ours in _NAMES:
        name = theirs.sub(ours, name)
    return _BLOCK.sub(lambda found: f"stage{found[1]}.block{int(found[2]) + 1}.", name)


def _check(net: Net, own: State, named: State) -> None:
    """The same names and the same shapes, or an error that names the first that differs."""
    problem = f"these weights are not of {quote(net.name)}"
    hint = "is the depth, the shortcut or the number of classes another?"
    for names, what in (
        (own.keys() - named.keys(), "lack"),
        (named.keys() - own.keys(), "have besides"),
    ):
        if names:
            raise UserError(f"{problem}: they {what} {quote(min(names))} ({len(names)} such)", hint)
    for name, value in own.items():
        if value.shape != named[name].shape:
            shapes = f"{quote(tuple(named[name].shape))}, not {quote(tuple(value.shape))}"
            raise UserError(f"{problem}: {quote(name)} has the shape {shapes}", hint)
