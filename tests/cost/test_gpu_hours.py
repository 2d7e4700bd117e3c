"""The estimate of time, and how it is said."""

from __future__ import annotations

import pytest

from experiments.recipes import CIFAR10
from repro.cost.gpu_hours import format_hours, gpu_hours
from repro.definition.net import resnet
from repro.definition.run import Run


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        (0.000311, "under a GPU-minute"),
        (1 / 60, "about 1 GPU-minute"),
        (0.03, "about 2 GPU-minutes"),
        (0.99, "about 59 GPU-minutes"),
        (0.995, "about 1.0 GPU-hours"),
        (3.14, "about 3.1 GPU-hours"),
        (99.96, "about 100 GPU-hours"),
        (1234.5, "about 1,234 GPU-hours"),
    ],
)
def test_a_time_is_said_as_people_say_it(hours: float, words: str) -> None:
    assert format_hours(hours) == words


def test_a_deeper_net_costs_more_and_a_shorter_schedule_less() -> None:
    hours = [gpu_hours(Run(resnet(depth), CIFAR10)) for depth in (20, 56, 110)]
    assert hours == sorted(hours)


def test_a_net_that_computes_its_activations_again_pays_for_one_more_forward_pass() -> None:
    kept, most_kept, again = (gpu_hours(Run(resnet(depth), CIFAR10)) for depth in (494, 500, 506))
    assert again == pytest.approx((2 * most_kept - kept) * 4 / 3)
