"""The built nets: counts, shapes, shortcuts, initial weights."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from repro.cost.layers import cost, layers
from repro.definition.net import plain, resnet
from repro.errors import UserError
from repro.nets import build, responding_layers, skeleton
from repro.nets.blocks import Projection, ZeroPadded

torch.set_num_threads(1)

NETS = [make(depth) for make in (plain, resnet) for depth in (20, 32, 44, 56, 110)]
NETS += [resnet(20, "B"), resnet(20, "C")]
NETS += [plain(depth, "imagenet") for depth in (18, 34, 50)]
NETS += [resnet(depth, shortcut, "imagenet") for depth in (18, 34) for shortcut in "ABC"]
NETS += [resnet(depth, shortcut, "imagenet") for depth in (50, 101, 152) for shortcut in "BC"]
NETS += [resnet(50, "B", "imagenet", stride_in="3x3"), resnet(50, "A", "imagenet")]


def named(net):
    return f"{net.family}-{net.name}" + (f"-{net.stride_in}" if net.stride_in else "")


@pytest.mark.parametrize("net", [*NETS, resnet(1202)], ids=named)
def test_the_built_net_has_the_counted_layers_and_costs(net):
    module, size = skeleton(net), 32 if net.family == "cifar" else 224
    with FlopCounterMode(display=False) as counter:
        module(torch.empty(1, 3, size, size, device="meta"))
    counted = cost(net)
    assert counter.get_total_flops() == 2 * counted.multiply_adds
    assert sum(parameter.numel() for parameter in module.parameters()) == counted.parameters
    weighted = {
        name for name, part in module.named_modules() if isinstance(part, nn.Conv2d | nn.Linear)
    }
    assert weighted == {layer.name for layer in layers(net)}
    assert sum(isinstance(part, Projection) for part in module.modules()) == counted.projections


@pytest.mark.parametrize(
    "net", [plain(20), resnet(50, "B", "imagenet"), resnet(34, "A", "imagenet")], ids=named
)
@pytest.mark.parametrize("size", [31, 64])
def test_every_map_has_the_counted_size(net, size):
    module, sizes = skeleton(net).eval(), {}
    for name, part in module.named_modules():
        if isinstance(part, nn.Conv2d):
            part.register_forward_hook(
                lambda _, __, out, name=name: sizes.update({name: out.shape[2]})
            )
    module(torch.empty(1, 3, size, size, device="meta"))
    assert sizes == {layer.name: layer.size for layer in layers(net, size) if layer.role != "fc"}


def test_a_plain_net_is_the_residual_net_without_its_shortcuts():
    plain_state, residual_state = (
        skeleton(plain(20)).state_dict(),
        skeleton(resnet(20)).state_dict(),
    )
    assert {name: value.shape for name, value in plain_state.items()} == {
        name: value.shape for name, value in residual_state.items()
    }
    without_names = {
        name
        for name in skeleton(resnet(34, "B", "imagenet")).state_dict()
        if "shortcut" not in name
    }
    assert without_names == set(skeleton(plain(34, "imagenet")).state_dict())


def test_a_plain_net_computes_what_a_chain_of_layers_does():
    images, net = torch.randn(2, 3, 8, 8), build(plain(8)).eval()
    convolutions = [part for part in net.modules() if isinstance(part, nn.Conv2d)]
    x = images
    for conv, norm in zip(convolutions, responding_layers(net), strict=True):
        x = F.relu(norm(conv(x)))
    assert torch.equal(net(images), net.classifier(x.mean((2, 3))))


@pytest.mark.parametrize(("zeros", "first"), [("end", 0), ("both", 8)])
def test_option_a_is_every_second_pixel_and_zero_channels(zeros, first):
    x = torch.randn(2, 16, 5, 5)
    slow = torch.zeros(2, 32, 3, 3)
    for channel in range(16):
        for row in range(3):
            for column in range(3):
                slow[:, first + channel, row, column] = x[:, channel, 2 * row, 2 * column]
    assert torch.equal(ZeroPadded(16, 32, 2, zeros)(x), slow)


def test_a_residual_block_adds_its_shortcut_before_the_last_relu():
    block, x = build(resnet(8), seed=1).eval().stage2.block1, torch.randn(2, 16, 8, 8)
    branch = block.norm2(block.conv2(F.relu(block.norm1(block.conv1(x)))))
    before = x.clone()
    assert torch.equal(block(x), F.relu(branch + ZeroPadded(16, 32, 2)(x)))
    assert torch.equal(x, before)  # what is done in place is done to the block's own tensors


def test_shortcuts_project_where_their_letter_says():
    def kinds(net):
        return [type(block.shortcut).__name__ for stage in skeleton(net).stages for block in stage]

    assert kinds(resnet(14)) == [
        "Identity",
        "Identity",
        "ZeroPadded",
        "Identity",
        "ZeroPadded",
        "Identity",
    ]
    assert kinds(resnet(14, "B")) == [
        "Identity",
        "Identity",
        "Projection",
        "Identity",
        "Projection",
        "Identity",
    ]
    assert kinds(resnet(14, "C")) == ["Projection"] * 6
    assert kinds(plain(14)) == ["NoneType"] * 6
    assert kinds(resnet(50, "B", "imagenet"))[:2] == [
        "Projection",
        "Identity",
    ]  # 64 → 256 channels, stride 1


@pytest.mark.parametrize(("where", "strides"), [("1x1", (2, 1)), ("3x3", (1, 2))])
def test_a_bottleneck_strides_where_the_net_says(where, strides):
    block = skeleton(resnet(50, "B", "imagenet", stride_in=where)).stage2.block1
    assert (block.conv1.stride[0], block.conv2.stride[0]) == strides


def test_no_convolution_has_a_bias():
    for net in (resnet(20, "C"), resnet(50, "B", "imagenet")):
        assert all(
            part.bias is None for part in skeleton(net).modules() if isinstance(part, nn.Conv2d)
        )


def test_a_net_is_a_function_of_definition_and_seed():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = build(resnet(20), seed=7).state_dict()
    assert torch.equal(torch.get_rng_state(), before)  # nobody else's random numbers are used up
    torch.manual_seed(2)
    assert all(
        torch.equal(value, first[name])
        for name, value in build(resnet(20), seed=7).state_dict().items()
    )
    assert not torch.equal(build(resnet(20), seed=8).stem.conv.weight, first["stem.conv.weight"])


@pytest.mark.parametrize(("mode", "fan"), [("fan_in", 32 * 9), ("fan_out", 64 * 9)])
def test_initial_weights_are_he_normal(mode, fan):
    net = build(resnet(20, init=mode))
    weight = net.stage3.block1.conv1.weight
    assert weight.std().item() == pytest.approx((2 / fan) ** 0.5, rel=0.03)
    assert weight.abs().max() > 3 * weight.std()  # normal, not uniform
    assert net.classifier.weight.std().item() == pytest.approx((2 / 64) ** 0.5, rel=0.1)
    assert not net.classifier.bias.any()
    assert net.stem.norm.weight.eq(1).all()
    assert not net.stem.norm.bias.any()


def test_scores_of_windows_average_to_the_forward_pass_on_the_size_it_was_trained_on():
    net = build(resnet(18, "A", "imagenet", classes=5)).eval()
    near = partial(
        torch.testing.assert_close, rtol=1e-4, atol=1e-4
    )  # sums of many terms, in another order
    with torch.no_grad():
        one, many = torch.randn(1, 3, 224, 224), torch.randn(1, 3, 256, 320)
        near(net.scores(one)[:, :, 0, 0], net(one))
        assert net.scores(many).shape == (1, 5, 2, 4)
        window = net.classifier(net.features(many)[:, :, 1:8, 3:10].mean((2, 3)))
        near(net.scores(many)[:, :, 1, 3], window)
        assert net.scores(torch.randn(1, 3, 64, 64)).shape == (
            1,
            5,
            1,
            1,
        )  # a map smaller than the window


@pytest.mark.parametrize("make", [plain, resnet])
def test_every_3x3_layer_responds_once_and_in_order(make):
    net, seen = build(make(20, **({} if make is plain else {"shortcut": "B"}))).eval(), []
    responding = responding_layers(net)
    for norm in responding:
        norm.register_forward_hook(lambda norm, _, __: seen.append(norm))
    net(torch.zeros(1, 3, 32, 32))
    assert len(responding) == 19
    assert all(one is other for one, other in zip(responding, seen, strict=True))


def test_channels_last_and_bfloat16_go_through():
    net = build(resnet(20)).to(memory_format=torch.channels_last)
    images = torch.randn(4, 3, 32, 32).to(memory_format=torch.channels_last)
    assert net.features(images).is_contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = F.cross_entropy(net(images), torch.arange(4))
    loss.backward()
    assert all(parameter.grad.isfinite().all() for parameter in net.parameters())


@pytest.mark.slow
@pytest.mark.parametrize("group", [None, 4])
def test_a_training_step_is_one_graph_for_the_compiler(group):
    eager, compiled = (build(resnet(8), batch_norm_group=group) for _ in range(2))
    step, images = (
        torch.compile(compiled, backend="aot_eager", fullgraph=True),
        torch.randn(8, 3, 16, 16),
    )
    for forward in (eager, step):
        forward(images).pow(2).sum().backward()
    torch.testing.assert_close(
        compiled.stem.conv.weight.grad, eager.stem.conv.weight.grad, rtol=1e-3, atol=1e-2
    )
    torch.testing.assert_close(compiled.stem.norm.running_var, eager.stem.norm.running_var)


@pytest.mark.parametrize("size", [32, 57, 64, 97, 224])
def test_unpadded_pooling_is_counted_as_it_is_built(size):
    net = resnet(18, "B", "imagenet", pool="unpadded")
    stem = build(net).stem
    side = stem(torch.zeros(1, 3, size, size)).shape[-1]
    assert layers(net, size)[1].size == side


def test_pooling_is_only_where_there_is_one():
    with pytest.raises(UserError, match="`resnet-20` has no max pooling to leave unpadded"):
        resnet(20, pool="unpadded")
