"""Caffe's momentum keeps the old rate after a drop, as the authors' SGD did."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from repro.storage.paths import Places
from repro.training import Stopped, train
from repro.training.loop import make_step
from repro.training.optimizer import sgd
from tests.training.test_resume import StopAt, trace
from tests.training.tiny import tiny_run

RATES = [0.1, 0.1, 0.1, 0.01, 0.01, 0.001, 0.1]
MOMENTUM, DECAY = 0.9, 0.01


def weights_after(form: str | None) -> Tensor:
    """Train a small net by `make_step` through a schedule that drops and rises."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(16, 5, bias=False))
    recipe = replace(tiny_run().recipe, batch=8, momentum=MOMENTUM, decay=DECAY, momentum_form=form)
    step = make_step(net, sgd(net, recipe), recipe)
    for images, labels, rate in batches():
        step(images, labels, rate)
    return torch.cat([parameter.flatten() for parameter in net.parameters()])


def batches() -> list[tuple[Tensor, Tensor, float]]:
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(len(RATES), 8, 3, 4, 4, generator=generator)
    labels = torch.randint(5, (len(RATES), 8), generator=generator)
    return list(zip(images, labels, RATES, strict=True))


def by_the_formula() -> Tensor:
    """The same training with Caffe's update written out: v ← m v + lr g, w ← w - v."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(16, 5, bias=False))
    velocity = [torch.zeros_like(parameter) for parameter in net.parameters()]
    for images, labels, rate in batches():
        net.zero_grad()
        functional.cross_entropy(net(images), labels).backward()
        with torch.no_grad():
            for parameter, v in zip(net.parameters(), velocity, strict=True):
                gradient = parameter.grad + DECAY * parameter
                v.mul_(MOMENTUM).add_(rate * gradient)
                parameter.sub_(v)
    return torch.cat([parameter.flatten() for parameter in net.parameters()])


def test_it_is_caffes_update_through_drops_of_the_rate():
    ours = weights_after("caffe")
    torch.testing.assert_close(ours, by_the_formula(), rtol=1e-5, atol=1e-6)
    assert not torch.allclose(ours, weights_after(None), rtol=1e-3)


@pytest.mark.parametrize("looks", [3, 12])
def test_a_run_that_is_stopped_and_goes_on_ends_as_the_unbroken_one(looks, here, tmp_path):
    run = tiny_run(momentum_form="caffe")
    unbroken = Places(tmp_path / "unbroken", tmp_path, here.data)
    whole = train(run, unbroken)
    with pytest.raises(Stopped):
        train(run, here, StopAt(looks))
    assert train(run, here)["metrics"] == whole["metrics"]
    assert trace(here, run)[0] == trace(unbroken, run)[0]
