"""Every way of a contest does its job: here on nets and counts small enough for a test."""

import math
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module

import pytest
import torch

from repro.bench import commands, gpu, machine_limits, photos, roofline, training
from repro.bench.gpu import Sizes
from repro.bench.harness import Table, compare
from repro.bench.suites import PARTS
from repro.cli.bench import PARTS as TOLD
from repro.cluster.job.mps import Sharing
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


def in_this_process(title, unit, ways, rounds, say, better="more", note=""):
    """Have each way do its job here, in turn; a contest has a process for each."""
    jobs = {}
    for way in ways:
        module, _, function = way.function.partition(":")
        jobs[way.name] = getattr(import_module(module), function)(**way.given)
    numbers = {name: [job() for _ in range(rounds)] for name, job in jobs.items()}
    return Table(title, unit, better, compare(numbers), note)


@pytest.fixture
def on_a_processor(monkeypatch):
    """The GPU's part, at next to no size, on a processor."""
    monkeypatch.setattr(gpu, "run_contest", in_this_process)
    monkeypatch.setattr(machine_limits, "run_contest", in_this_process)
    monkeypatch.setattr(gpu, "usable_cores", lambda: 0)  # no process that loads
    monkeypatch.setattr(roofline, "SECONDS", 0.0)
    monkeypatch.setitem(roofline.SIDES, "cpu", 32)
    monkeypatch.setitem(machine_limits.COPIES, "cpu", (1,))
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    return Sizes((8,), rounds=2, steps=1, usual_steps=1, batch=8, at_once=(2,), device="cpu")


def test_the_gpus_part_names_each_precision_and_layout_and_measures_each(on_a_processor):
    tables = gpu.measured(on_a_processor, lambda line: None)
    training_ways = [line.way for line in tables[0].lines]
    assert training_ways == [
        "the usual loop, fp32",
        "the usual loop, tf32",
        "operation by operation, fp32, NCHW",
        "captured, fp32, NCHW",
        "captured, fp32, channels last",
        "captured, tf32, NCHW",
        "captured, tf32, channels last",
        "captured, bf16, NCHW",
        "captured, bf16, channels last",
        "data only",
    ]
    assert [line.way for line in tables[1].lines] == ["one, bf16", "2 at once, bf16, by turns"]
    assert tables[1].note == "Not measured by MPS: cpu is no GPU."
    arithmetic = [line.way for line in tables[2].lines]
    assert arithmetic[:3] == ["product, fp32", "product, tf32", "product, bf16"]
    shares = [line.way for line in tables[4].lines]
    assert shares == training_ways[:-1]
    for table in tables:
        for line in table.lines:
            assert line.median > 0
            assert line.rounds in (1, 2)


def test_several_at_once_are_measured_by_mps_where_its_daemon_starts(on_a_processor, monkeypatch):
    @contextmanager
    def daemon():
        yield Sharing(True, "played"), {"CUDA_MPS_PIPE_DIRECTORY": "/pipe"}

    ways = []

    def kept(title, unit, own_ways, *_, note=""):
        ways.extend(own_ways)
        return Table(title, unit, "more", (), note)

    monkeypatch.setattr(gpu, "mps_daemon", daemon)
    monkeypatch.setattr(gpu, "run_contest", kept)
    table = gpu._at_once(8, replace(on_a_processor, device="cuda", at_once=(2, 4)), None)
    assert table.note == ""
    assert [(way.name, way.at_once) for way in ways][1:] == [
        ("2 at once, bf16, by turns", 2),
        ("4 at once, bf16, by turns", 4),
        ("2 at once, bf16, by MPS", 2),
        ("4 at once, bf16, by MPS", 4),
    ]
    assert [bool(way.environment) for way in ways] == [False] * 3 + [True] * 2


class Event:
    """A mark in a GPU's own time, which a counter plays."""

    now = 0

    def __init__(self, enable_timing):
        assert enable_timing

    def record(self):
        self.time = Event.now

    def synchronize(self): ...

    def elapsed_time(self, other):
        return other.time - self.time


def test_a_gpus_limit_is_taken_over_a_hundred_operations_by_its_own_clock(monkeypatch):
    monkeypatch.setattr(torch.cuda, "Event", Event)

    def work():
        Event.now += 2  # milliseconds

    assert roofline._many_operations(work) == pytest.approx(0.002)
    assert Event.now == 200


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
