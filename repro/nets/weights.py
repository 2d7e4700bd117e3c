"""Anybody's weights in our nets: files are known by their content; misfits are named.

Read are files of `torch.save` (with `weights_only`, so that nothing in them runs), `.safetensors`,
and the authors' `.caffemodel`. `repro/nets/tensor_names.py` says whose names are known.
"""

from __future__ import annotations

import difflib
import hashlib
import pickle
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from repro.definition.net import Net
from repro.errors import UserError, quote
from repro.nets import authors_nets, caffemodel, safetensors
from repro.nets.tensor_names import AUTHORS, COUNTER, Layout, layout_of, net_of
from repro.storage.input_files import check_input_file

State = Mapping[str, Tensor]

LARGEST = 1 << 32  # bytes; ResNet-152's weights have 241 million, a checkpoint of it twice that
START = 64  # bytes that tell the formats apart
LISTED = 3  # tensors that a message names
WRAPPERS = ("state_dict", "model", "net")  # keys under which checkpoints keep the weights
HINT = "name weights of `torch.save`, a .safetensors file, or a .caffemodel"

# What is often named by mistake, by its first bytes: what it is, and what to do.
OTHER_FILES = (
    (
        b"\x04\x00\x00\x00",
        "a file of Torch7",
        "carry it over to PyTorch first, and save the state dict",
    ),
    (b"\x89HDF", "an HDF5 file, as Keras writes", "only PyTorch's and Caffe's formats are read"),
    (
        b"version https://git-lfs",
        "a pointer of Git LFS, not the file",
        "fetch the file: `git lfs pull`",
    ),
    (b"<", "a web page", "download the file itself"),
    (b"name:", "a prototxt", "name the .caffemodel beside it, which has the weights"),
)


@dataclass(frozen=True, eq=False)
class Weights:
    """Tensors under the names of our nets, and whose they are."""

    state: dict[str, Tensor]
    layout: Layout

    def net(self, kind: str = "resnet") -> Net | None:
        """Return the net they are of; None: not one of the paper's. `kind`: plain or option A."""
        return net_of(self.state, self.layout, kind)


def load(module: nn.Module, net: Net, weights: Weights | Path | str | Mapping[str, Any]) -> None:
    """Put weights into a net built from `net`, whoever trained them."""
    known = opened(weights)
    trained = known.layout.variant(net)
    if trained != net:
        raise UserError(
            f"these weights are of another variant of {quote(net.name)}",
            f"build the net with {_differences(trained, net)}",
        )
    own = module.state_dict()
    # Counters are absent from old checkpoints, and from every format but PyTorch's.
    counters = {name: value for name, value in own.items() if name.endswith(COUNTER)}
    state = counters | known.state
    _check_names(net, own, known, state)
    _check_shapes(net, own, state)
    _check_values(state)
    module.load_state_dict(state)


def variant(net: Net, weights: Weights | Mapping[str, Any]) -> Net:
    """Return the variant of the net that the weights are of, recognised by their names."""
    return opened(weights).layout.variant(net)


def opened(weights: Weights | Path | str | Mapping[str, Any]) -> Weights:
    """Return weights of any source under our names."""
    if isinstance(weights, Weights):
        return weights
    if not isinstance(weights, Mapping):
        return read(Path(weights))
    state = _bare(weights)
    layout = layout_of(state)
    return Weights({layout.rename(name): value for name, value in state.items()}, layout)


def read(path: Path) -> Weights:
    """Return the weights in a file, whose format is told from its first bytes."""
    start = _start(path)
    if safetensors.is_safetensors(start):
        return opened(safetensors.read(path))
    if start.startswith((b"PK", b"\x80")):
        return opened(_torch_file(path))
    for signature, what, hint in OTHER_FILES:
        if start.startswith(signature):
            raise UserError(f"{quote(path)} is {what}", hint)
    if caffemodel.is_caffemodel(start):
        return _caffe_file(path)
    raise UserError(f"{quote(path)} cannot be read as weights", HINT)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, by which published weights are known."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _start(path: Path) -> bytes:
    try:
        with check_input_file(path, "weights", HINT, LARGEST).open("rb") as file:
            return file.read(START)
    except OSError as error:
        raise UserError(f"cannot read {quote(path)}: {error.strerror}", HINT) from None


def _caffe_file(path: Path) -> Weights:
    layers = caffemodel.read_layers(path)
    if not authors_nets.is_authors(layer.name for layer in layers):
        raise UserError(
            f"{quote(path)} is of no net of the authors: "
            "it has no layers `bn_conv1` and `res2a_branch1`",
            "ResNet-50, 101 and 152 as the authors released them are read",
        )
    return Weights(authors_nets.state_of(layers), AUTHORS)


def _torch_file(path: Path) -> Mapping[str, Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise _unreadable(path, str(error)) from None
    except Exception:
        # A damaged file makes torch raise almost anything; whatever it is, these are no weights.
        raise _unreadable(path, "") from None
    state = _bare(content) if isinstance(content, Mapping) else {}
    if not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(
            f"{quote(path)} holds no state dict",
            "save `module.state_dict()`, bare or as `state_dict`",
        )
    return state


def _unreadable(path: Path, said: str) -> UserError:
    if wanted := re.search(r"GLOBAL ([\w.]+)", said):
        return UserError(
            f"{quote(path)} would run {quote(wanted[1])} when it is read, so it is refused",
            "ask for, or save, a plain state dict: `torch.save(module.state_dict(), FILE)`",
        )
    return UserError(
        f"{quote(path)} cannot be read as weights",
        "it must be a whole file of tensors that `torch.load(…, weights_only=True)` accepts; "
        "get it again",
    )


def _bare(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state dict in a checkpoint, without DataParallel's prefix of every name."""
    for wrapper in WRAPPERS:
        inner = content.get(wrapper)
        if isinstance(inner, Mapping):
            content = inner
    return {str(name).removeprefix("module."): value for name, value in content.items()}


def _differences(trained: Net, net: Net) -> str:
    names = ("zeros", "stride_in", "pool")
    pairs = [
        (name, getattr(trained, name))
        for name in names
        if getattr(trained, name) != getattr(net, name)
    ]
    return ", ".join(f"`{name}={value}`" for name, value in pairs)


def _check_names(net: Net, own: State, weights: Weights, state: State) -> None:
    """Refuse weights that lack a tensor or have one too many; name the net they are of."""
    missing, left_over = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
    if not missing and not left_over:
        return
    lines = []
    if missing:
        lines.append(f"they lack {_listed(missing, left_over)}")
    if left_over:
        lines.append(f"they have besides {_listed(left_over, missing)}")
    problem = f"these weights are not of {quote(net.name)}: {'; '.join(lines)}"
    raise UserError(problem, _hint(net, weights))


def _hint(net: Net, weights: Weights) -> str:
    theirs = weights.net(net.kind)
    if theirs is not None and theirs.name != net.name:
        return f"they are of {quote(theirs.name)}: `--net {theirs.name}`"
    return "is the depth, the shortcut or the number of classes another?"


def _listed(names: list[str], others: Iterable[str]) -> str:
    """Return the first names, each with the nearest of the others, and how many there are."""
    candidates = list(others)
    parts = []
    for name in names[:LISTED]:
        near = difflib.get_close_matches(name, candidates, n=1, cutoff=0.8)
        parts.append(f"{quote(name)} (near: {quote(near[0])})" if near else quote(name))
    more = len(names) - len(parts)
    return ", ".join(parts) + (f" and {more} more" if more else "")


def _check_shapes(net: Net, own: State, state: State) -> None:
    for name, value in own.items():
        theirs = tuple(state[name].shape)
        if theirs == tuple(value.shape):
            continue
        shape = f"{quote(name)} has the shape {quote(theirs)}"
        problem = f"these weights are not of {quote(net.name)}: {shape}"
        hint = "is the depth, the shortcut or the number of classes another?"
        if name == "classifier.weight" and theirs[:1] == (net.classes + 1,):
            hint = (
                f"they have {theirs[0]:,} classes: TensorFlow's nets count a background first; "
                "take the first row off `classifier`, and save again"
            )
        raise UserError(f"{problem}, not {quote(tuple(value.shape))}", hint)


def _check_values(state: State) -> None:
    """Refuse values that no training gives, and that would spoil every score."""
    for name, value in state.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise UserError(
                f"{quote(name)} of these weights is not finite", "the file is damaged: get it again"
            )
        if name.endswith("running_var") and bool((value < 0).any()):
            raise UserError(
                f"{quote(name)} of these weights is negative", "the file is damaged: get it again"
            )
