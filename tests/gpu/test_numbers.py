"""The numbers of the card: gradients against fp64, batches, memory against the estimate."""

from __future__ import annotations

import gc
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
import torch

from experiments.recipes import IMAGENET, VARIANTS
from experiments.scales import SCALES
from repro.bench.training import gradients
from repro.cost import memory as estimated
from repro.cost.memory import memory
from repro.data.photos.source import open_photos
from repro.definition.net import resnet
from repro.definition.run import Run
from repro.evaluation.error import measure_error
from repro.evaluation.responses import responses
from repro.nets import build
from repro.training.device import prepare
from repro.training.state import State
from tests.gpu.steps import CARD, batches, captured, run_of, source_of

Precision = Literal["fp32", "tf32", "bf16"]
NEAR: dict[Precision, float] = {"fp32": 2e-3, "tf32": 5e-2, "bf16": 2e-1}
LAYOUTS = {"NCHW": torch.contiguous_format, "channels last": torch.channels_last}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("precision", NEAR)
def test_a_steps_gradients_are_near_those_of_fp64(precision: Precision, layout: str) -> None:
    run = run_of(resnet(20), precision=precision)
    prepare(run.recipe, CARD)
    images, labels = next(batches(run, 1))
    exact = gradients(build(run.net).to(CARD).double(), images.double().contiguous(), labels)
    net = build(run.net).lay_out(CARD, LAYOUTS[layout])
    near = gradients(net, images, labels, bf16=precision == "bf16")
    assert float((near - exact).norm() / exact.norm()) < NEAR[precision]


def test_the_card_gives_the_same_batches() -> None:
    run = run_of(resnet(20))
    on_card = source_of(run)
    for (images, labels), (others, same) in zip(
        on_card.batches(0, 0, 5), on_card.to("cpu").batches(0, 0, 5), strict=True
    ):
        assert images.device.type == "cuda"
        torch.testing.assert_close(images.cpu(), others, rtol=0, atol=1e-6)
        assert labels.tolist() == same.tolist()


def test_photos_decoded_by_the_card_are_those_of_pillow_but_for_rounding(tmp_path: Path) -> None:
    net = resnet(18, "B", "imagenet")
    run = SCALES["smoke"](VARIANTS["decode-on-gpu"](Run(net, IMAGENET)))
    on_card = open_photos(run.recipe, tmp_path).to(CARD)
    by_pillow = replace(run.recipe, input=replace(run.recipe.input, decoder=None))
    usual = open_photos(by_pillow, tmp_path)
    for (images, labels), (others, same) in zip(
        on_card.batches(0, 0, 3), usual.batches(0, 0, 3), strict=True
    ):
        assert images.device.type == "cuda"
        assert float((images.cpu() - others).abs().mean()) * 255 < 2.0
        assert labels.tolist() == same.tolist()


@pytest.mark.parametrize("depth", [20, 56, 110, 1202])
def test_a_run_takes_what_was_estimated_to_20_percent(depth: int) -> None:
    run = run_of(resnet(depth))
    gc.collect()  # the graphs of other tests
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    source = source_of(run)
    state = State(run, source, CARD)
    step = captured(state)
    for images, labels in source.batches(0, 0, 4):
        step(images, labels, 0.1)
    measure_error(state.net, source.test(), "test")
    responses(state.net, source.test())
    estimate = memory(run, on_gpu=True).gpu - estimated.CONTEXT
    assert estimate == pytest.approx(torch.cuda.max_memory_allocated(), rel=0.2)
