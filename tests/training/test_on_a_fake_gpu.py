"""The GPU path without a GPU: devices, kinds of numbers, and no wait for the card in a step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensor

from experiments.recipes import CIFAR10, IMAGENET
from experiments.scales import SCALES
from repro.data import open_source
from repro.data.source import Source
from repro.definition.net import resnet
from repro.definition.run import Run
from repro.evaluation.error import measure_error
from repro.evaluation.responses import responses
from repro.nets import ConvNet, build
from repro.training.loop import EagerStep
from repro.training.optimizer import sgd
from repro.training.state import State
from repro.training.window import Window
from tests.training.fake_gpu import CARD, FakeCapture, NeverWaiting, OffTheCard, fake_gpu

SMOKE = SCALES["smoke"]
CIFAR = SMOKE(Run(resnet(8), CIFAR10))
PHOTOS = SMOKE(Run(resnet(50, "B", "imagenet"), IMAGENET))


def changed(run: Run, **changes: Any) -> Run:
    return replace(run, recipe=replace(run.recipe, **changes))


RUNS = {
    "fp32": CIFAR,
    "bf16": changed(CIFAR, precision="bf16"),
    "ghost": changed(CIFAR, batch_norm_group=16),
    "ghost, bf16": changed(CIFAR, batch_norm_group=16, precision="bf16"),
    "bottlenecks": changed(PHOTOS, batch_norm_group=4),
}


@pytest.fixture(autouse=True)
def _fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with fake_gpu(monkeypatch):
        yield


def steps_of(run: Run, folder: Path, count: int = 3) -> State:
    """Take some iterations as the loop does, all but what waits for the card at a curve's point."""
    source = open_source(run.recipe, folder).to(CARD)
    state = State(run, source, CARD)
    step = FakeCapture(
        state.net, state.optimizer, EagerStep(state.net, state.optimizer, run.recipe)
    )
    step.precision = run.recipe.precision
    batches = batches_of(run, source, count)
    for _ in range(count):
        with NeverWaiting():
            images, labels = next(batches)
        assert images.device == labels.device == CARD
        assert (images.dtype, labels.dtype) == (torch.float32, torch.int64)
        loss, wrong = step(images, labels, 0.1)
        assert loss.device == wrong.device == CARD
        assert (loss.dtype, wrong.dtype) == (torch.float32, torch.int64)
        with NeverWaiting():
            state.saw(loss, wrong, len(labels))
    return state


def batches_of(run: Run, source: Source, count: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The source's own batches; of photos, which are decoded into real memory, such as they are."""
    if run.net.family == "cifar":
        yield from source.batches(run.seed, 0, count)
        return
    batch, size = run.recipe.batch, run.recipe.input.size
    for _ in range(count):
        pixels = torch.zeros(batch, size, size, 3, device=CARD).permute(0, 3, 1, 2)
        yield pixels, torch.zeros(batch, dtype=torch.int64, device=CARD)


def everything(state: State) -> dict[str, Tensor]:
    """The state's tensors by name: weights, statistics, gradients, momentum."""
    tensors = dict(state.net.state_dict())
    for name, weight in state.net.named_parameters():
        assert weight.grad is not None
        tensors[f"{name}.grad"] = weight.grad
        tensors[f"{name}.momentum"] = state.optimizer.state[weight]["momentum_buffer"]
    return tensors


@pytest.mark.parametrize("name", RUNS)
def test_a_step_never_leaves_the_card_and_keeps_its_weights_in_fp32(
    name: str, tmp_path: Path
) -> None:
    state = steps_of(RUNS[name], tmp_path)
    for tensor_name, tensor in everything(state).items():
        assert isinstance(tensor, FakeTensor)
        assert tensor.device == CARD
        assert tensor.dtype == torch.float32 or "num_batches" in tensor_name


def test_the_layout_is_the_one_of_the_device_and_precision(tmp_path: Path) -> None:
    for name, layout in (("fp32", torch.contiguous_format), ("bf16", torch.channels_last)):
        weight = steps_of(RUNS[name], tmp_path, 1).net.stage2.block1.conv2.weight
        assert weight.is_contiguous(memory_format=layout)
        assert weight.grad.is_contiguous(memory_format=layout)


def item(x: Tensor) -> Tensor:
    return x * float(x.sum())


def number_of_the_host(x: Tensor) -> Tensor:
    return x * torch.ones(())


def copy_to_the_card(x: Tensor) -> Tensor:
    return x + torch.zeros(x.shape[1:]).to(CARD)


def literal(x: Tensor) -> Tensor:
    return x * torch.tensor(2.0, device=CARD)


def double(x: Tensor) -> Tensor:
    return x.double().float()


def half(x: Tensor) -> Tensor:
    return x.half().float()


def bfloat(x: Tensor) -> Tensor:
    return x.bfloat16().float()


@pytest.mark.parametrize(
    ("fault", "sign"),
    [
        (item, "_local_scalar_dense"),
        (number_of_the_host, "on the cpu"),
        (copy_to_the_card, "on the cpu"),
        (literal, "on the cpu"),
        (double, "float64"),
        (half, "float16"),
        (bfloat, "bfloat16"),
    ],
)
def test_a_step_that_waits_copies_or_has_other_numbers_is_found_out(
    fault: Callable[[Tensor], Tensor], sign: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = ConvNet.features
    monkeypatch.setattr(ConvNet, "features", lambda net, images: fault(features(net, images)))
    with pytest.raises((DataDependentOutputException, OffTheCard), match=sign):
        steps_of(CIFAR, tmp_path, 1)


def add_from_the_host(window: Window, iteration: int, loss: Tensor, wrong: Tensor, n: int) -> None:
    window.loss += torch.tensor(2.0)


def add_with_a_copy(window: Window, iteration: int, loss: Tensor, wrong: Tensor, n: int) -> None:
    window.loss += torch.tensor(2.0, device=CARD)


def add_with_a_wait(window: Window, iteration: int, loss: Tensor, wrong: Tensor, n: int) -> None:
    window.images += int(wrong)


@pytest.mark.parametrize("fault", [add_from_the_host, add_with_a_copy, add_with_a_wait])
def test_sums_that_wait_for_the_card_or_copy_to_it_are_found_out(
    fault: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Window, "add", fault)
    with pytest.raises((DataDependentOutputException, OffTheCard)):
        steps_of(CIFAR, tmp_path, 1)


def test_a_batch_that_is_copied_from_memory_that_is_not_pinned_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor)
    with pytest.raises(OffTheCard, match="the cpu and the cuda"):
        steps_of(CIFAR, tmp_path, 1)


def waits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let waiting for the card give zeros, and count how often it happens."""
    counts = [0]

    def zeros(tensor: Tensor) -> list[Any]:
        counts[0] += 1
        assert tensor.device == CARD
        if tensor.dim() == 0:
            return 0
        return [1.0] * len(tensor)

    monkeypatch.setattr(FakeTensor, "tolist", zeros)
    return counts


def test_a_test_waits_for_the_card_once_at_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = open_source(CIFAR.recipe, tmp_path).to(CARD)
    net = State(CIFAR, source, CARD).net
    counts = waits(monkeypatch)
    assert set(measure_error(net, source.test(), "test")) == {"test_error", "test_loss"}
    assert counts == [1]
    assert len(responses(net, source.test())) == 7
    assert counts == [2]


def test_a_checkpoint_is_of_the_card_and_one_of_a_processor_goes_on_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = steps_of(CIFAR, tmp_path)
    waits(monkeypatch)
    monkeypatch.setattr(Window, "check", lambda window: None)
    saved = state.snapshot(1.0)
    for tensor in saved["net"].values():
        assert tensor.device == CARD

    net = build(CIFAR.net)
    optimizer = sgd(net, CIFAR.recipe)
    EagerStep(net, optimizer, CIFAR.recipe)(torch.ones(32, 3, 8, 8), torch.ones(32).long(), 0.1)
    saved |= {"net": net.state_dict(), "optimizer": optimizer.state_dict()}
    saved["window"] = {"loss": 0.0, "wrong": 0, "images": 0}
    state.restore(saved)
    for tensor in everything(state).values():
        assert tensor.device == CARD
