"""The step captured is the step: here played on the CPU, where everything but the graph itself can run."""

import pytest
import torch

from experiments.recipes import CIFAR10
from repro.definition.net import resnet
from repro.nets import build
from repro.training.captured_step import CapturedStep
from repro.training.loop import EagerStep, make_step
from repro.training.optimizer import sgd
from repro.training.schedule import learning_rate

torch.set_num_threads(1)


class Played(CapturedStep):
    """A capture that runs the operations again instead of replaying a graph."""

    def _rehearse(self, images, labels):
        for _ in range(self.REHEARSALS):
            self._optimizer.zero_grad(set_to_none=True)
            self._learn(images, labels)

    def _capture(self, images, labels):
        self._answer = torch.zeros(()), torch.zeros((), dtype=torch.int64)

        def play():
            self._optimizer.zero_grad(set_to_none=True)
            for place, value in zip(self._answer, self._learn(images, labels), strict=True):
                place.copy_(value)

        self._replay = play


def batches(count):
    generator = torch.Generator().manual_seed(1)
    for _ in range(count):
        yield (
            torch.randn(128, 3, 8, 8, generator=generator),
            torch.randint(10, (128,), generator=generator),
        )


def captured(kind):
    """Make steps of this kind as training does."""
    return lambda net, optimizer, recipe: kind(
        net, optimizer, EagerStep(net, optimizer, recipe).learn
    )


def trained(make, rates=(0.1, 0.1, 0.01)):
    """The losses, and everything the steps left: weights, statistics, momentum."""
    net = build(resnet(8)).train()
    optimizer = sgd(net, CIFAR10)
    step = make(net, optimizer, CIFAR10)
    losses = [
        step(*batch, rate)[0].clone()
        for batch, rate in zip(batches(len(rates)), rates, strict=True)
    ]
    momentum = [optimizer.state[parameter]["momentum_buffer"] for parameter in net.parameters()]
    return [*losses, *net.state_dict().values(), *momentum]


def test_the_captured_step_is_the_step_to_the_bit():
    assert all(map(torch.equal, trained(captured(Played)), trained(EagerStep)))


def test_rehearsing_leaves_no_trace_and_the_rate_reaches_the_graph():
    frozen, initial = trained(captured(Played), rates=(0.0,)), build(resnet(8))
    assert torch.equal(frozen[1], initial.stem.conv.weight)
    assert (
        next(value for value in frozen if value.dtype == torch.int64) == 1
    )  # one batch tracked, not four


@pytest.mark.parametrize("make", [make_step, captured(Played)])
def test_a_step_answers_its_summed_loss_and_wrong_answers(make):
    net = build(resnet(8)).train()
    loss, wrong = make(net, sgd(net, CIFAR10), CIFAR10)(*next(batches(1)), 0.1)
    assert 128 * 1.0 < loss < 128 * 10.0
    assert 80 < wrong <= 128


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_on_a_gpu_the_graph_is_the_step_to_the_bit(precision):
    from dataclasses import replace

    torch.backends.cudnn.deterministic = True
    recipe, ends = replace(CIFAR10, precision=precision), []
    for make in (captured(CapturedStep), EagerStep):
        net = build(resnet(20)).to("cuda", memory_format=torch.channels_last).train()
        step = make(net, sgd(net, recipe), recipe)
        for images, labels in batches(5):
            step(
                images.cuda().to(memory_format=torch.channels_last),
                labels.cuda(),
                learning_rate(recipe, 0),
            )
        ends.append(list(net.state_dict().values()))
    assert all(map(torch.equal, *ends))
