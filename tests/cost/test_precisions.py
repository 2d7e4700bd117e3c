"""Before anything is spent: the precision, the memory layout, and what faster ones would take."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import torch

from experiments.recipes import CIFAR10
from repro.cost.gpu_hours import gpu_hours
from repro.cost.precisions import computing, hours_in
from repro.definition.net import resnet
from repro.definition.run import Run
from repro.training.device import memory_format

FP32 = Run(resnet(110), CIFAR10)
BF16 = replace(FP32, recipe=replace(FP32.recipe, precision="bf16"))


def test_strict_fp32_says_what_the_faster_precisions_would_take() -> None:
    first, second = computing([FP32], card="h100")
    assert first == "computing in fp32 (NCHW in memory)"
    assert re.fullmatch(
        r"`--variant tf32` would take about [\d.]+ GPU-minutes, "
        r"`--variant bf16` would take about [\d.]+ GPU-minutes, "
        r"as other runs; both computed, not measured",
        second,
    )


def test_a_faster_precision_takes_less_and_its_hours_are_those_of_runs_in_it() -> None:
    assert hours_in("bf16", [FP32]) == gpu_hours(BF16)
    assert hours_in("bf16", [FP32]) < hours_in("tf32", [FP32]) < gpu_hours(FP32)


def test_runs_in_bf16_are_offered_nothing_faster() -> None:
    assert computing([BF16]) == ["computing in bf16 (channels last in memory)"]


def test_a_card_without_tensor_cores_for_them_is_not_promised_a_speed_up() -> None:
    assert computing([FP32], card="v100")[1:] == ["v100 has neither TensorFloat-32 nor bfloat16"]
    assert "computes bf16 slowly" in computing([BF16], card="v100")[1]


def test_a_processor_has_its_own_layout_and_no_tensor_cores() -> None:
    assert computing([FP32], on_gpu=False) == ["computing in fp32 (channels last in memory)"]


@pytest.mark.parametrize(
    ("device", "precision", "layout"),
    [
        ("cpu", "fp32", torch.channels_last),
        ("cuda", "fp32", torch.contiguous_format),
        ("cuda", "bf16", torch.channels_last),
    ],
)
def test_what_is_said_is_what_training_does(
    device: str, precision: str, layout: torch.memory_format
) -> None:
    assert memory_format(torch.device(device), precision) == layout
