"""Other people's weights give in our nets the logits they give in theirs."""

import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional as F

from repro.definition.net import plain, resnet
from repro.errors import UserError
from repro.nets import build
from repro.nets.weights import layout_of, load, read

torch.set_num_threads(1)

PEER = resnet(20, zeros="both")


class PeerBlock(nn.Module):
    """akamaster/pytorch_resnet_cifar10's BasicBlock, by its published description and names."""

    def __init__(self, inputs, planes, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.grows = stride != 1 or inputs != planes

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        quarter = y.shape[1] // 4
        return F.relu(
            y + (F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, quarter, quarter)) if self.grows else x)
        )


class Peer(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        widths = [(16, 16, 1), (16, 32, 2), (32, 64, 2)]
        for place, (inputs, planes, stride) in enumerate(widths, start=1):
            rest = [PeerBlock(planes, planes, 1) for _ in range(n - 1)]
            self.add_module(
                f"layer{place}", nn.Sequential(PeerBlock(inputs, planes, stride), *rest)
            )
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x))))))
        return self.linear(F.avg_pool2d(x, x.size()[3]).flatten(1))


def unsettled(module):
    """The module with random batch-norm statistics and affine parameters, in evaluation."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            for value in (part.weight.data, part.bias.data, part.running_mean, part.running_var):
                value.uniform_(0.5, 1.5)
    return module.eval()


@pytest.mark.parametrize("n", [3, 5, 7, 9])
def test_akamasters_checkpoint_gives_the_same_logits(n, tmp_path):
    peer, images = unsettled(Peer(n)), torch.randn(2, 3, 32, 32)
    state = {f"module.{name}": value for name, value in peer.state_dict().items()}
    torch.save({"state_dict": state, "best_prec1": 91.7}, tmp_path / "peer.th")
    net = resnet(6 * n + 2, zeros="both")
    ours = build(net)
    load(ours, net, tmp_path / "peer.th")
    torch.testing.assert_close(ours.eval()(images), peer(images), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("depth", [18, 34, 50])
def test_torchvisions_weights_give_the_same_logits(depth):
    theirs, images = (
        unsettled(getattr(torchvision.models, f"resnet{depth}")()),
        torch.randn(2, 3, 64, 64),
    )
    net = layout_of(resnet(depth, "B", "imagenet"), theirs.state_dict())
    ours = build(net)
    load(ours, net, theirs.state_dict())
    expected = theirs(images)
    torch.testing.assert_close(
        ours.eval()(images) / expected.std(), expected / expected.std(), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("depth", [101, 152])
def test_the_names_of_torchvisions_deeper_nets_fit(depth):
    with torch.device("meta"):
        theirs = getattr(torchvision.models, f"resnet{depth}")().state_dict()
    net = resnet(depth, "B", "imagenet", stride_in="3x3")
    ours = build(net)
    state = {name: torch.full(value.shape, 0.5) for name, value in theirs.items()}
    load(ours, net, state)
    assert all((value == 0.5).all() for value in ours.parameters())


def test_our_own_weights_load_from_a_file(tmp_path):
    ours = build(plain(20), seed=5)
    torch.save(ours.state_dict(), tmp_path / "ours.pt")
    other = build(plain(20))
    load(other, plain(20), str(tmp_path / "ours.pt"))
    assert torch.equal(other.stem.conv.weight, ours.stem.conv.weight)


def test_weights_older_than_the_batch_counter_load():
    state = {
        name: value for name, value in Peer(3).state_dict().items() if "num_batches" not in name
    }
    load(build(PEER), PEER, state)


def test_weights_of_another_variant_are_refused_by_name():
    with pytest.raises(
        UserError, match="these weights are of another variant of `resnet-20`"
    ) as error:
        load(build(resnet(20)), resnet(20), Peer(3).state_dict())
    assert error.value.hint == "build the net with `zeros=both`"
    net = resnet(50, "B", "imagenet")
    with pytest.raises(UserError) as error:
        load(build(net), net, torchvision.models.resnet50().state_dict())
    assert error.value.hint == "build the net with `stride_in=3x3`"


@pytest.mark.parametrize(
    ("net", "problem"),
    [
        (resnet(32, zeros="both"), r"they lack `stage1\.block4\.conv1\.weight` \(60 such\)"),
        (
            resnet(14, zeros="both"),
            r"they have besides `stage1\.block3\.conv1\.weight` \(36 such\)",
        ),
        (
            resnet(20, zeros="both", classes=5),
            r"`classifier\.weight` has the shape `\(10, 64\)`, not `\(5, 64\)`",
        ),
    ],
)
def test_weights_of_another_net_are_refused_by_what_differs(net, problem):
    with pytest.raises(UserError, match=problem) as error:
        load(build(net), net, Peer(3).state_dict())
    assert str(error.value).startswith(f"these weights are not of `{net.name}`")
    assert error.value.hint == "is the depth, the shortcut or the number of classes another?"


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"no weights at `.*absent\.pt`") as error:
        read(tmp_path / "absent.pt")
    assert error.value.hint == "name a file that `torch.save` wrote"


@pytest.mark.parametrize("content", [b"", b"not weights", b"PK\x03\x04 cut short"])
def test_a_file_that_is_no_checkpoint_is_refused(content, tmp_path):
    (tmp_path / "odd.pt").write_bytes(content)
    with pytest.raises(UserError, match=r"`.*odd\.pt` cannot be read as weights") as error:
        read(tmp_path / "odd.pt")
    assert (
        error.value.hint
        == "it must be a file of tensors that `torch.load(…, weights_only=True)` accepts"
    )


def test_a_file_with_code_in_it_is_not_run(tmp_path):
    torch.save(Peer(1), tmp_path / "module.pt")
    with pytest.raises(UserError, match="cannot be read as weights"):
        read(tmp_path / "module.pt")


@pytest.mark.parametrize("content", [[1, 2], {}, {"accuracy": 91.7}])
def test_a_file_without_weights_is_refused(content, tmp_path):
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(UserError, match=r"`.*other\.pt` holds no state dict") as error:
        read(tmp_path / "other.pt")
    assert error.value.hint == "save `module.state_dict()`, bare or as `state_dict`"
