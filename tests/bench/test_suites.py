"""Every way of a contest does its job: here on nets and counts small enough for a test."""

import math

import pytest
import torch

from repro.bench import commands, photos, roofline, training
from repro.bench.suites import PARTS
from repro.cli.bench import PARTS as TOLD
from repro.definition.net import resnet
from repro.nets import build

torch.set_num_threads(1)


def test_our_loop_and_the_usual_one_train():
    assert training.ours(8, steps=1, batch=8)() > 0
    assert training.ours(8, steps=1, batch=8, precision="bf16")() > 0
    assert training.usual(8, steps=1, batch=8, workers=0)() > 0


def test_the_usual_loop_sees_what_ours_sees():
    usual, _ = next(training._loaded(batch=4, workers=0))
    assert usual.shape == (4, 3, 32, 32)
    assert usual.dtype == torch.float32


def test_the_usual_net_is_ours_to_the_bit_so_the_contest_is_about_speed():
    ours, usual = build(resnet(20)), training._with_usual_shortcuts(build(resnet(20)))
    assert sum(isinstance(part, training._Sliced) for part in usual.modules()) == 2
    images, labels = next(training._loaded(batch=8, workers=0))
    scores = [net(images) for net in (ours, usual)]  # training: by the statistics of this batch
    assert torch.equal(*scores)
    found = [training.gradients(net, images, labels) for net in (ours, usual)]
    assert torch.equal(*found)
    assert torch.equal(ours.eval()(images), usual.eval()(images))


def test_one_step_is_near_fp64_whatever_its_layout():
    distances = [
        training.far_from_fp64(8, "fp32", layout, batch=32)()
        for layout in ("nchw", "channels last")
    ]
    assert all(0 < distance < 5e-3 for distance in distances)


def test_depth_counts_time_and_memory_by_the_layer():
    found = training.at_depth(1, batch=4)()
    assert found["number"] > 0
    assert found["mib_per_layer"] >= 0


def test_a_checkpoint_takes_no_more_than_its_share_of_the_time():
    assert 0 < training.checkpoint(8)() <= 1


@pytest.mark.parametrize("kind", ["fp32", "bf16"])
def test_limits_can_be_measured(kind, monkeypatch):
    monkeypatch.setattr(roofline, "SECONDS", 0.0)
    # Small, because a processor without bf16 takes a minute for the product that `bench` measures.
    assert roofline.convolution(kind, count=1, channels=16, side=8)() > 0
    assert roofline.product(kind, side=32)() > 0


def test_generated_jpegs_are_about_as_large_as_those_of_imagenet():
    sizes = [len(content) for content in photos.jpegs(3)]
    assert len(sizes) == 3
    assert all(60_000 < size < 180_000 for size in sizes)


def test_constructed_runs_are_finished_runs_that_commands_can_read():
    with commands.constructed(10) as results:
        assert commands.command(["collect"], results, cold=True)() > 0
        assert commands.command(["diff", "table6"], results)() > 0
        assert math.isfinite(commands.command(["status"], results)())


def test_the_command_line_tells_of_every_part():
    assert list(TOLD) == list(PARTS)
