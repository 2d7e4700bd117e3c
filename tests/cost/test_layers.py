"""The counts of the paper, without a net being built; and the built nets agree, layer by layer."""

import subprocess
import sys

import pytest

from repro.cost.layers import cost, cost_of, figure5, layers, vgg
from repro.definition.net import plain, resnet
from repro.errors import UserError

CIFAR = {20: 269_722, 32: 464_154, 44: 658_586, 56: 853_018, 110: 1_727_962, 1202: 19_421_274}
CIFAR_MULTIPLY_ADDS = {
    20: 40_551_040,
    32: 68_862_592,
    44: 97_174_144,
    56: 125_485_696,
    110: 252_887_680,
    1202: 2_829_238_912,
}
TABLE_1 = {  # depth, shortcut: G multiply-adds, M parameters, projections
    (18, "A"): (1.795, 11.516, 0),
    (18, "B"): (1.814, 11.690, 3),
    (34, "A"): (3.644, 21.624, 0),
    (34, "B"): (3.664, 21.798, 3),
    (34, "C"): (3.831, 22.717, 16),
    (50, "B"): (3.858, 25.557, 4),
    (101, "B"): (7.570, 44.549, 4),
    (152, "B"): (11.282, 60.193, 4),
}


@pytest.mark.parametrize("depth", CIFAR)
def test_cifar_nets_have_the_papers_parameters_plain_or_residual(depth):
    assert cost(resnet(depth)).parameters == cost(plain(depth)).parameters == CIFAR[depth]
    assert (
        cost(resnet(depth)).multiply_adds
        == cost(plain(depth)).multiply_adds
        == CIFAR_MULTIPLY_ADDS[depth]
    )


@pytest.mark.parametrize(("depth", "shortcut"), TABLE_1)
def test_imagenet_nets_cost_what_table_1_says(depth, shortcut):
    counted = cost(resnet(depth, shortcut, "imagenet"))
    found = (
        round(counted.multiply_adds / 1e9, 3),
        round(counted.parameters / 1e6, 3),
        counted.projections,
    )
    assert found == TABLE_1[depth, shortcut]


@pytest.mark.parametrize("depth", [18, 34])
def test_option_a_costs_what_the_plain_net_costs(depth):
    assert cost(resnet(depth, "A", "imagenet")) == cost(plain(depth, "imagenet"))


@pytest.mark.parametrize(
    "net", [resnet(d) for d in CIFAR] + [resnet(d, s, "imagenet") for d, s in TABLE_1]
)
def test_weighted_layers_are_the_number_in_the_nets_name(net):
    assert cost(net).layers == net.depth


def test_c_has_thirteen_more_projections_than_b():
    more = (
        cost(resnet(34, "C", "imagenet")).projections
        - cost(resnet(34, "B", "imagenet")).projections
    )
    assert more == 13


def test_the_stride_of_torchvision_costs_more():
    there = resnet(50, "B", "imagenet", stride_in="3x3")
    assert round(cost(there).multiply_adds / 1e9, 3) == 4.089
    assert cost(there).parameters == cost(resnet(50, "B", "imagenet")).parameters


def test_maps_and_layers_of_each_size_are_those_of_the_tables():
    def counts(net):
        sizes = [layer.size for layer in layers(net) if layer.role == "main"]
        return {size: sizes.count(size) for size in sizes}

    assert counts(plain(20)) == {32: 7, 16: 6, 8: 6}
    assert counts(resnet(1202)) == {32: 401, 16: 400, 8: 400}
    assert counts(plain(34, "imagenet")) == {112: 1, 56: 6, 28: 8, 14: 12, 7: 6}
    assert counts(resnet(50, "B", "imagenet")) == {112: 1, 56: 9, 28: 12, 14: 18, 7: 9}


def test_vgg_costs_what_the_paper_says():
    convolutions = sum(layer.multiply_adds for layer in vgg(16) if layer.role == "main")
    assert round(convolutions / 1e9, 1) == 15.3  # printed 15.3: without the fully connected layers
    assert round(cost_of(vgg(19)).multiply_adds / 1e9, 1) == 19.6  # printed 19.6: with them
    assert (cost_of(vgg(16)).layers, cost_of(vgg(19)).layers) == (16, 19)
    assert cost_of(vgg(16)).parameters == 138_357_544


def test_plain_34_is_18_percent_of_vgg_19_and_resnet_152_less_than_vgg_16():
    share = cost(plain(34, "imagenet")).multiply_adds / cost_of(vgg(19)).multiply_adds
    assert 0.18 <= share < 0.19
    assert cost(resnet(152, "B", "imagenet")).multiply_adds < cost_of(vgg(16)).multiply_adds


def test_the_blocks_of_figure_5_cost_alike_and_a_projection_doubles_the_bottleneck():
    blocks = {name: cost_of(block).multiply_adds for name, block in figure5().items()}
    assert blocks == {"basic": 73_728, "bottleneck": 69_632}
    doubled = cost_of(figure5("projection")["bottleneck"]).multiply_adds / blocks["bottleneck"]
    assert 1.9 < doubled < 2


def test_a_smaller_image_costs_less_and_an_empty_one_is_an_error():
    assert cost(resnet(18, "A", "imagenet"), size=32).multiply_adds < 1_794_805_760 / 20
    with pytest.raises(UserError, match="an image cannot be `0` pixels wide") as error:
        layers(plain(20), size=0)
    assert error.value.hint == "`size` is 1 or more"


def test_counting_needs_no_torch():
    code = "import sys, repro.cost.layers; assert 'torch' not in sys.modules and 'pandas' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
