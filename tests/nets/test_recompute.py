"""Recomputing activations changes memory and time, and no number."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from repro.definition.net import resnet
from repro.nets import build

torch.set_num_threads(1)

STEP = """
import re, sys, torch
from pathlib import Path
from torch.nn import functional as F
from repro.nets import build
from repro.definition.net import resnet

def step(depth, batch, size):
    net = build(resnet(depth), recompute=sys.argv[1] == "recompute")
    F.cross_entropy(net(torch.randn(batch, 3, size, size)), torch.zeros(batch, dtype=torch.long)).backward()

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])  # highest so far

torch.set_num_threads(1)
step(8, 2, 8)  # what torch imports at its first step
before = peak()
step(302, 16, 32)
print(peak() - before)
"""


def stepped(net, recompute, group=None, steps=2):
    """Losses, gradients and buffers after a few steps of SGD."""
    module, generator = (
        build(net, seed=3, batch_norm_group=group, recompute=recompute),
        torch.Generator().manual_seed(1),
    )
    losses = []
    for _ in range(steps):
        module.zero_grad()
        losses.append(
            F.cross_entropy(module(torch.randn(8, 3, 16, 16, generator=generator)), torch.arange(8))
        )
        losses[-1].backward()
        with torch.no_grad():
            for parameter in module.parameters():
                parameter -= 0.01 * parameter.grad
    numbers = {f"{name}.grad": parameter.grad for name, parameter in module.named_parameters()}
    return numbers | module.state_dict() | {"losses": torch.stack(losses).detach()}


@pytest.mark.parametrize("group", [None, 4])
@pytest.mark.parametrize(
    "net", [resnet(56), resnet(20, "C"), resnet(50, "B", "imagenet", classes=10)]
)
def test_recomputing_gives_the_same_bits(net, group):
    plain_way, recomputed = stepped(net, False, group), stepped(net, True, group)
    assert all(torch.equal(value, recomputed[name]) for name, value in plain_way.items())


def test_recomputing_under_autocast_gives_the_same_bits():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        plain_way, recomputed = (
            stepped(resnet(20), False, steps=1),
            stepped(resnet(20), True, steps=1),
        )
    assert all(torch.equal(value, recomputed[name]) for name, value in plain_way.items())


def test_recomputing_goes_without_saying_in_evaluation():
    net, images = build(resnet(20), recompute=True), torch.zeros(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(net.eval()(images), build(resnet(20)).eval()(images))


def test_after_recomputing_batch_norm_learns_again():
    net = build(resnet(20), recompute=True)
    norm = net.stage1.block1.norm1
    means = [norm.running_mean.clone()]
    for _ in range(2):
        net(torch.randn(4, 3, 8, 8)).sum().backward()
        means.append(norm.running_mean.clone())
    assert all(norm.learning for norm in net.modules() if hasattr(norm, "learning"))
    assert not torch.equal(means[0], means[1])
    assert not torch.equal(means[1], means[2])


@pytest.mark.slow
@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="reads the peak where Linux keeps it"
)
def test_recomputing_a_deep_net_takes_less_than_half_the_memory():
    ways = {}
    for way in ("plain", "recompute"):
        done = subprocess.run(
            [sys.executable, "-c", STEP, way], check=True, capture_output=True, text=True
        )
        ways[way] = int(done.stdout)
    assert ways["recompute"] < ways["plain"] / 2, ways
