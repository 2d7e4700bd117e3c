"""A GPU that is not there: torch's fake tensors on the device `cuda`, with its own rules enforced.

Fake tensors have shapes, kinds and devices, and no numbers. So whatever would wait for a number
fails, and so does what mixes devices. Backward is walked here, node by node: torch's engine asks
the driver for the card's streams.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.function import BackwardCFunction
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from repro.nets import ConvNet
from repro.training.captured_step import CapturedStep

CARD = torch.device("cuda", 0)

# What a step may compute with, beside the indices and masks.
KINDS = {"fp32": {torch.float32}, "bf16": {torch.float32, torch.bfloat16}}
WHOLE = {torch.int64, torch.bool, torch.uint8}  # bytes: what cuDNN keeps for the way back


class OffTheCard(Exception):
    """An operation touched the host, or had numbers of a wrong kind."""


class OnTheCard(TorchDispatchMode):
    """Within it every operation has its inputs and outputs on the card, of the right kinds."""

    def __init__(self, precision: str) -> None:
        super().__init__()
        self._kinds = KINDS[precision] | WHOLE

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        self._check(function, (args, kwargs or {}))
        result = function(*args, **(kwargs or {}))
        self._check(function, result)
        return result

    def _check(self, function: Any, values: Any) -> None:
        for value in tree_leaves(values):
            if not isinstance(value, Tensor):
                continue
            if value.device.type != "cuda":
                raise OffTheCard(f"{function} has a tensor on the {value.device.type}")
            if value.dtype not in self._kinds:
                raise OffTheCard(f"{function} has numbers of {value.dtype}")


class NeverWaiting(TorchDispatchMode):
    """Within it the host hands the card numbers only by copies that it does not wait for."""

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        result = function(*args, **kwargs)
        tensors = [leaf for leaf in tree_leaves((args, kwargs, result)) if isinstance(leaf, Tensor)]
        kinds = {tensor.device.type for tensor in tensors}
        if len(kinds) > 1 and not self._waits_for_nothing(function, args, kwargs):
            raise OffTheCard(f"{function} has tensors on the {' and the '.join(sorted(kinds))}")
        return result

    @staticmethod
    def _waits_for_nothing(function: Any, args: Any, kwargs: Any) -> bool:
        """Whether it is a copy that is only begun, from memory that was pinned."""
        pinned = getattr(args[0], "was_pinned", False) if args else False
        return bool(pinned and kwargs.get("non_blocking")) and "copy" in str(function)


class FakeCapture(CapturedStep):
    """The captured step, whose captured region is watched instead of recorded."""

    precision = "fp32"

    def _rehearse(self, images: Tensor, labels: Tensor) -> None:
        self._optimizer.zero_grad(set_to_none=True)
        self._eager.learn(images, labels)

    def _capture(self, images: Tensor, labels: Tensor) -> None:
        def replay() -> None:
            self._optimizer.zero_grad(set_to_none=True)
            with OnTheCard(self.precision):
                self._answer = self._eager.learn(images, labels)

        replay()
        self._replay = replay


class _Autocast(torch.autocast):
    """Autocast that is not switched off because no card is found."""

    def __init__(self, device: str, kind: torch.dtype, enabled: bool) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            super().__init__(device, kind, enabled)
        self._enabled = enabled


@contextlib.contextmanager
def fake_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Within it `cuda` is a device whose tensors have no numbers."""
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "fake")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *_: True)
    monkeypatch.setattr(torch, "autocast", _Autocast)
    monkeypatch.setattr(torch.Tensor, "pin_memory", _pinned)
    monkeypatch.setattr(torch.Tensor, "backward", _backward)
    monkeypatch.setattr(ConvNet, "lay_out", _lay_out)
    monkeypatch.setattr(torch, "_fused_sgd_", _fused_sgd)
    with FakeTensorMode(allow_non_fake_inputs=True):
        yield


def _pinned(tensor: Tensor) -> Tensor:
    tensor.was_pinned = True  # type: ignore[attr-defined]
    return tensor


def _fused_sgd(
    weights: list[Tensor],
    gradients: list[Tensor],
    momenta: list[Tensor],
    *,
    lr: float | Tensor,
    **options: Any,
) -> None:
    """Check what torch's fused kernel takes for granted; there is no fake of it."""
    if isinstance(lr, Tensor) and (lr.device, lr.dtype) != (weights[0].device, torch.float32):
        raise OffTheCard(f"the learning rate is {lr.dtype} on {lr.device}")
    for weight, gradient, momentum in zip(weights, gradients, momenta, strict=True):
        for other in (gradient, momentum):
            same = (other.device, other.dtype, other.shape, other.stride())
            if same != (weight.device, torch.float32, weight.shape, weight.stride()):
                raise OffTheCard(f"the optimizer has {same}, and a weight with {weight.stride()}")


def _lay_out(net: ConvNet, device: torch.device, memory_format: torch.memory_format) -> ConvNet:
    """Replace the weights instead of moving them in place, which fake tensors cannot do."""
    net.memory_format = memory_format

    def moved(value: Tensor) -> Tensor:
        value = value.detach().to(device)
        if value.dim() == 4:
            value = value.contiguous(memory_format=memory_format)
        return value

    for module in net.modules():
        for name, weight in module._parameters.items():
            if weight is not None:
                module._parameters[name] = nn.Parameter(moved(weight))
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = moved(buffer)
    return net


@torch.no_grad()
def _backward(loss: Tensor) -> None:
    """Walk backward through the graph, each node once all that come before it are done."""
    assert loss.grad_fn is not None
    order = _topological(loss.grad_fn)
    incoming: dict[Any, dict[int, Tensor]] = {loss.grad_fn: {0: torch.ones_like(loss)}}
    for node in order:
        gradients = incoming.pop(node, {})
        outputs = _applied(node, gradients)
        for (following, place), gradient in zip(node.next_functions, outputs, strict=True):
            if following is None or gradient is None:
                continue
            meant = following._input_metadata[place]
            gradient = gradient.sum_to_size(meant.shape).to(meant.dtype)
            sums = incoming.setdefault(following, {})
            if place in sums:
                gradient = sums[place] + gradient
            sums[place] = gradient


def _topological(root: Any) -> list[Any]:
    """Return the nodes so that each stands behind all that lead to it."""
    done: list[Any] = []
    seen = set()
    waiting = [(root, False)]
    while waiting:
        node, finished = waiting.pop()
        if finished:
            done.append(node)
            continue
        if node in seen:
            continue
        seen.add(node)
        waiting.append((node, True))
        waiting += [(following, False) for following, _ in node.next_functions if following]
    return done[::-1]


def _applied(node: Any, gradients: dict[int, Tensor]) -> tuple[Tensor | None, ...]:
    weight = getattr(node, "variable", None)
    if weight is not None:  # a leaf: its gradient is stored
        gradient = gradients[0]
        # As torch's engine does: a gradient lies in memory as its weight does.
        weight.grad = torch.empty_like(weight).copy_(gradient)
        return ()
    given = [gradients.get(place) for place in range(len(node._input_metadata))]
    if isinstance(node, BackwardCFunction):
        # One written in Python also answers None for each input that is no tensor.
        answers = node.apply(*given)
        return tuple(answer for answer in answers if answer is not None)
    outputs = node(*given)
    if not isinstance(outputs, tuple):
        outputs = (outputs,)
    return outputs
