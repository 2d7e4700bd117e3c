"""The step captured is the step: here played on the CPU, where everything but the graph itself can
run."""

import pytest
import torch

from experiments.recipes import CIFAR10
from repro.definition.net import resnet
from repro.nets import build
from repro.training.captured_step import CapturedStep
from repro.training.loop import EagerStep, make_step
from repro.training.optimizer import sgd

torch.set_num_threads(1)


class Played(CapturedStep):
    """A capture that runs the operations again instead of replaying a graph."""

    def _rehearse(self, images, labels):
        for _ in range(self.REHEARSALS):
            self._optimizer.zero_grad(set_to_none=True)
            self._eager.learn(images, labels)

    def _capture(self, images, labels):
        self._answer = torch.zeros(()), torch.zeros((), dtype=torch.int64)

        def play():
            self._optimizer.zero_grad(set_to_none=True)
            for place, value in zip(self._answer, self._eager.learn(images, labels), strict=True):
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
    return lambda net, optimizer, recipe: kind(net, optimizer, EagerStep(net, optimizer, recipe))


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


class Refused(Played):
    """A capture that raises in its middle."""

    def _capture(self, images, labels):
        self._eager.learn(images, labels)
        raise torch.AcceleratorError("CUDA error: operation not permitted when stream is capturing")


def test_where_the_capture_fails_the_eager_step_is_taken_and_the_log_says_so():
    said = []
    net = build(resnet(8)).train()
    optimizer = sgd(net, CIFAR10)
    step = Refused(net, optimizer, EagerStep(net, optimizer, CIFAR10), said.append)
    assert step.captured
    step(*next(batches(1)), 0.1)
    assert not step.captured
    assert said == [
        "the step could not be captured, and is taken kernel by kernel: "
        "CUDA error: operation not permitted when stream is capturing"
    ]
    assert all(map(torch.equal, trained(captured(Refused)), trained(EagerStep)))


@pytest.mark.parametrize("make", [make_step, captured(Played)])
def test_a_step_answers_its_summed_loss_and_wrong_answers(make):
    net = build(resnet(8)).train()
    loss, wrong = make(net, sgd(net, CIFAR10), CIFAR10)(*next(batches(1)), 0.1)
    assert 128 * 1.0 < loss < 128 * 10.0
    assert 80 < wrong <= 128
