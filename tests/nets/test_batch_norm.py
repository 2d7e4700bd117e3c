"""Batch norm over groups: what several devices would compute, and in evaluation what one does."""

import pytest
import torch
from torch import nn

from repro.definition.net import resnet
from repro.errors import UserError
from repro.nets import build
from repro.nets.batch_norm import BatchNorm, frozen_statistics, set_batch_counts

torch.set_num_threads(1)


def images(count, channels=3):
    return torch.randn(count, channels, 5, 5, generator=torch.Generator().manual_seed(count))


def test_each_group_is_normalised_by_its_own_statistics():
    grouped, alone, x = BatchNorm(3, group=4), nn.BatchNorm2d(3), images(8)
    expected = torch.cat([alone(x[:4]), alone(x[4:])])
    assert torch.equal(grouped(x), expected)


def test_gradients_are_those_of_the_groups_apart():
    grouped, alone = BatchNorm(3, group=4), nn.BatchNorm2d(3)
    x, y = images(8).requires_grad_(), images(8).requires_grad_()
    grouped(x).pow(3).sum().backward()
    sum(alone(part).pow(3).sum() for part in y.split(4)).backward()
    torch.testing.assert_close(x.grad, y.grad)
    torch.testing.assert_close(grouped.weight.grad, alone.weight.grad)


def test_running_statistics_move_once_towards_the_mean_over_the_groups():
    grouped, x = BatchNorm(3, group=4), images(8)
    grouped(x)
    groups = [part.transpose(0, 1).flatten(1) for part in x.split(4)]
    mean = torch.stack([group.mean(1) for group in groups]).mean(0)
    variance = torch.stack([group.var(1) for group in groups]).mean(0)
    torch.testing.assert_close(grouped.running_mean, 0.1 * mean)
    torch.testing.assert_close(grouped.running_var, 0.9 + 0.1 * variance)


@pytest.mark.parametrize("group", [None, 8])
def test_one_group_is_plain_batch_norm(group):
    ours, theirs, x = BatchNorm(3, group), nn.BatchNorm2d(3), images(8)
    assert torch.equal(ours(x), theirs(x))
    set_batch_counts(ours, 1)
    assert all(
        torch.equal(value, ours.state_dict()[name]) for name, value in theirs.state_dict().items()
    )


def test_evaluation_and_state_dict_know_nothing_of_groups():
    grouped, x = BatchNorm(3, group=4), images(8)
    grouped(x)
    plain = nn.BatchNorm2d(3)
    plain.load_state_dict(grouped.state_dict())
    assert torch.equal(grouped.eval()(images(7)), plain.eval()(images(7)))


def test_a_batch_that_does_not_split_is_an_error():
    with pytest.raises(
        UserError, match="a batch of `10` images does not split into batch-norm groups of `4`"
    ) as error:
        BatchNorm(3, group=4)(images(10))
    assert (
        error.value.hint
        == "choose a batch per process that is a multiple of `recipe.batch_norm_group`"
    )


@pytest.mark.parametrize("group", [None, 4])
def test_looking_normalises_and_does_not_learn(group):
    norm, x = BatchNorm(3, group), images(8)
    before = {name: value.clone() for name, value in norm.state_dict().items()}
    with frozen_statistics([norm]):
        seen = norm(x)
    assert all(torch.equal(value, before[name]) for name, value in norm.state_dict().items())
    assert torch.equal(seen, norm(x))


def test_a_net_normalises_in_the_groups_it_was_built_with():
    net = build(resnet(8, "C"), batch_norm_group=4)
    assert {part.group for part in net.modules() if isinstance(part, BatchNorm)} == {4}
    x = images(8)
    torch.testing.assert_close(net(x), torch.cat([net(x[:4]), net(x[4:])]))
    assert list(net.state_dict()) == list(build(resnet(8, "C")).state_dict())
