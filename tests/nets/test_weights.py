"""Other people's weights give in our nets the logits they give in theirs."""

import contextlib
import os

import numpy as np
import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional as F

from repro.definition.net import plain, resnet
from repro.errors import UserError
from repro.nets import build
from repro.nets.weights import load, opened, read, variant
from tests.nets.caffe_files import authors_net, write_net
from tests.nets.mutants import check_mutants
from tests.nets.safetensors_files import write_safetensors

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
    net = variant(resnet(depth, "B", "imagenet"), theirs.state_dict())
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
        (resnet(32, zeros="both"), r"they lack `stage1\.block4\.conv1\.weight`.* and 57 more"),
        (
            resnet(14, zeros="both"),
            r"they have besides `stage1\.block3\.conv1\.weight`.* and 33 more",
        ),
    ],
)
def test_weights_of_another_net_are_refused_and_their_own_is_named(net, problem):
    with pytest.raises(UserError, match=problem) as error:
        load(build(net), net, Peer(3).state_dict())
    assert str(error.value).startswith(f"these weights are not of `{net.name}`")
    assert error.value.hint == "they are of `resnet-20`: `--net resnet-20`"


def test_weights_of_other_classes_are_refused():
    net = resnet(20, zeros="both", classes=5)
    with pytest.raises(
        UserError, match=r"`classifier\.weight` has the shape `\(10, 64\)`, not `\(5, 64\)`"
    ) as error:
        load(build(net), net, Peer(3).state_dict())
    assert error.value.hint == "is the depth, the shortcut or the number of classes another?"


def test_a_background_class_is_recognised():
    net = resnet(20, zeros="both", classes=9)
    with pytest.raises(UserError) as error:
        load(build(net), net, Peer(3).state_dict())
    assert error.value.hint.startswith(
        "they have 10 classes: TensorFlow's nets count a background first"
    )


def test_a_misspelt_tensor_is_named_with_its_near_name():
    state = dict(Peer(3).state_dict())
    state["layer1.0.conv1.weigth"] = state.pop("layer1.0.conv1.weight")
    with pytest.raises(UserError) as error:
        load(build(PEER), PEER, state)
    lacking = "they lack `stage1.block1.conv1.weight` (near: `stage1.block1.conv1.weigth`)"
    assert lacking in str(error.value)
    assert "they have besides `stage1.block1.conv1.weigth`" in str(error.value)


@pytest.mark.parametrize(
    ("name", "value"), [("conv1.weight", float("nan")), ("bn1.running_var", -1.0)]
)
def test_values_that_no_training_gives_are_refused(name, value):
    state = dict(Peer(3).state_dict())
    state[name] = torch.full_like(state[name], value)
    with pytest.raises(UserError, match="of these weights is") as error:
        load(build(PEER), PEER, state)
    assert error.value.hint == "the file is damaged: get it again"


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(UserError, match=r"no weights at `.*absent\.pt`") as error:
        read(tmp_path / "absent.pt")
    assert error.value.hint == "name weights of `torch.save`, a .safetensors file, or a .caffemodel"
    with pytest.raises(UserError, match="is a folder, no file of weights"):
        read(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not weights", b"PK\x03\x04 cut short", b"\x80\x02 cut"])
def test_a_file_that_is_no_checkpoint_is_refused(content, tmp_path):
    (tmp_path / "odd.pt").write_bytes(content)
    with pytest.raises(UserError, match=r"`.*odd\.pt` cannot be read as weights") as error:
        read(tmp_path / "odd.pt")
    assert error.value.hint


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\x04\x00\x00\x00\x01", "a file of Torch7"),
        (b"\x89HDF\r\n", "an HDF5 file, as Keras writes"),
        (b"version https://git-lfs.github.com/spec/v1", "a pointer of Git LFS, not the file"),
        (b"<!DOCTYPE html>", "a web page"),
        (b'name: "ResNet-50"', "a prototxt"),
    ],
)
def test_what_is_often_named_by_mistake_is_recognised(content, what, tmp_path):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(UserError, match=f"is {what}"):
        read(tmp_path / "file")


class MakesFolder:
    """A pickle of this creates a folder where it is read without care."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_file_with_code_in_it_is_not_run(tmp_path):
    torch.save({"state_dict": MakesFolder(tmp_path / "ran")}, tmp_path / "module.pt")
    with pytest.raises(UserError, match=r"would run `\w+\.mkdir` when it is read") as error:
        read(tmp_path / "module.pt")
    assert error.value.hint.startswith("ask for, or save, a plain state dict")
    assert not (tmp_path / "ran").exists()


@pytest.mark.slow
def test_of_mutated_checkpoints_none_crashes(tmp_path):
    state = Peer(1).state_dict()
    few = {name: value[:1].clone() for name, value in state.items() if value.dim()}
    torch.save(few, tmp_path / "w")
    check_mutants((tmp_path / "w").read_bytes(), tmp_path / "mutant", read)


@pytest.mark.slow
def test_of_mutated_files_with_code_in_them_none_runs_it(tmp_path):
    """Damage may turn a forbidden call into another one; none is made."""
    tensors = {"state_dict": {f"layer{place}.weight": torch.randn(9) for place in range(9)}}
    torch.save(tensors | {"more": MakesFolder(tmp_path / "ran")}, tmp_path / "w")
    path = tmp_path / "mutant"
    content = (tmp_path / "w").read_bytes()
    random = np.random.default_rng(0)
    for _ in range(1_000):
        mutant = bytearray(content)
        for place in random.integers(0, len(mutant), random.integers(1, 6)):
            mutant[place] = random.integers(0, 256)
        path.write_bytes(bytes(mutant))
        with contextlib.suppress(UserError):
            read(path)
    assert {entry.name for entry in tmp_path.iterdir()} == {"w", "mutant"}


class MartynBlock(nn.Module):
    """a-martyn/resnet's block, by its published description and names."""

    def __init__(self, filters, subsample):
        super().__init__()
        self.conv1 = nn.Conv2d(filters // (1 + subsample), filters, 3, 1 + subsample, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)

    def forward(self, x, residual):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if residual and x.shape != y.shape:
            x = x[:, :, ::2, ::2]
            x = torch.cat((x, 0 * x), 1)
        return F.relu(y + x if residual else y)


class Martyn(nn.Module):
    def __init__(self, n, residual):
        super().__init__()
        self.residual = residual
        self.convIn = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bnIn = nn.BatchNorm2d(16)
        self.stack1 = nn.ModuleList([MartynBlock(16, False) for _ in range(n)])
        self.stack2a = MartynBlock(32, True)
        self.stack2b = nn.ModuleList([MartynBlock(32, False) for _ in range(n - 1)])
        self.stack3a = MartynBlock(64, True)
        self.stack3b = nn.ModuleList([MartynBlock(64, False) for _ in range(n - 1)])
        self.fcOut = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.bnIn(self.convIn(x)))
        for block in (*self.stack1, self.stack2a, *self.stack2b, self.stack3a, *self.stack3b):
            x = block(x, self.residual)
        return self.fcOut(x.mean((2, 3)))


@pytest.mark.parametrize("net", [plain(20), resnet(20), plain(32)])
def test_a_martyns_plain_and_residual_nets_give_the_same_logits(net, tmp_path):
    theirs, images = (
        unsettled(Martyn((net.depth - 2) // 6, net.kind == "resnet")),
        torch.randn(2, 3, 32, 32),
    )
    torch.save(theirs.state_dict(), tmp_path / "plainnet.pt")
    weights = read(tmp_path / "plainnet.pt")
    assert weights.layout.name == "a-martyn"
    assert weights.net(net.kind) == net
    ours = build(net)
    load(ours, net, weights)
    torch.testing.assert_close(ours.eval()(images), theirs(images), atol=1e-5, rtol=1e-5)


class Branches(nn.Module):
    """Torch7's ConcatTable and CAddTable: the sum of two branches."""

    def __init__(self, *branches):
        super().__init__()
        for place, branch in enumerate(branches):
            self.add_module(str(place), branch)

    def forward(self, x):
        one, other = self.children()
        return one(x) + other(x)


class OptionA(nn.Module):
    def forward(self, x):
        x = x[:, :, ::2, ::2]
        return torch.cat((x, 0 * x), 1)


class Pooled(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


def layers(*pairs):
    """A row of convolutions, each with its batch norm, and a ReLU between two."""
    parts = []
    for inputs, outputs, kernel, stride in pairs:
        conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        parts += [conv, nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*parts[:-1])


def torch7_basic(inputs, width, stride, shortcut):
    main = layers((inputs, width, 3, stride), (width, width, 3, 1))
    return nn.Sequential(Branches(main, shortcut), nn.Identity(), nn.ReLU())


def torch7_bottleneck(inputs, width, stride):
    main = layers((inputs, width, 1, 1), (width, width, 3, stride), (width, 4 * width, 1, 1))
    same = inputs == 4 * width and stride == 1
    shortcut = nn.Identity() if same else layers((inputs, 4 * width, 1, stride))
    return nn.Sequential(Branches(main, shortcut), nn.Identity(), nn.ReLU())


def test_fb_resnet_torchs_cifar_nets_give_the_same_logits():
    parts, inputs = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()], 16
    for width in (16, 32, 64):
        blocks = [
            torch7_basic(
                inputs, width, width // inputs, OptionA() if width != inputs else nn.Identity()
            )
        ]
        blocks += [torch7_basic(width, width, 1, nn.Identity()) for _ in range(2)]
        parts.append(nn.Sequential(*blocks))
        inputs = width
    theirs = unsettled(nn.Sequential(*parts, Pooled(), nn.Identity(), nn.Linear(64, 10)))
    weights, images, ours = (
        opened(theirs.state_dict()),
        torch.randn(2, 3, 32, 32),
        build(resnet(20)),
    )
    assert (weights.layout.name, weights.net()) == ("fb.resnet.torch", resnet(20))
    load(ours, resnet(20), weights)
    torch.testing.assert_close(ours.eval()(images), theirs(images), atol=1e-5, rtol=1e-5)


def test_fb_resnet_torchs_imagenet_nets_give_the_same_logits():
    parts = [
        nn.Conv2d(3, 64, 7, 2, 3, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
    ]
    inputs = 64
    for place, count in enumerate((3, 4, 6, 3)):
        width, blocks = 64 * 2**place, []
        for number in range(count):
            blocks.append(torch7_bottleneck(inputs, width, 2 if place and not number else 1))
            inputs = 4 * width
        parts.append(nn.Sequential(*blocks))
    theirs = unsettled(nn.Sequential(*parts, Pooled(), nn.Identity(), nn.Linear(2048, 5)))
    weights, images = opened(theirs.state_dict()), torch.randn(1, 3, 64, 64)
    net = weights.net()
    assert net == resnet(50, "B", "imagenet", stride_in="3x3", classes=5)
    ours = build(net)
    load(ours, net, weights)
    expected = theirs(images)
    torch.testing.assert_close(
        ours.eval()(images) / expected.std(), expected / expected.std(), atol=1e-5, rtol=1e-5
    )


def test_safetensors_of_torchvisions_layout_load_with_their_stride_and_propose_their_preprocessing(
    tmp_path,
):
    theirs, images = unsettled(torchvision.models.resnet50()), torch.randn(1, 3, 64, 64)
    weights = read(write_safetensors(tmp_path / "resnet50.safetensors", theirs.state_dict()))
    net = weights.net()
    assert (net.name, net.stride_in, weights.layout.preprocess) == (
        "resnet-50-b",
        "3x3",
        "torchvision-v1",
    )
    ours = build(net)
    load(ours, net, weights)
    expected = theirs(images)
    torch.testing.assert_close(
        ours.eval()(images) / expected.std(), expected / expected.std(), atol=1e-5, rtol=1e-5
    )


def test_our_own_checkpoint_with_its_digest_is_read(tmp_path):
    module = build(plain(20), seed=3)
    torch.save({"net": module.state_dict(), "iteration": 5}, tmp_path / "checkpoint.pt")
    with (tmp_path / "checkpoint.pt").open("ab") as file:
        file.write(b"\x00" * 32)
    weights = read(tmp_path / "checkpoint.pt")
    assert weights.layout.name == "ours"
    assert weights.net("plain") == plain(20)


def test_the_authors_net_is_recognised_and_loads_as_its_variant(tmp_path):
    path = write_net(tmp_path / "ResNet-50-model.caffemodel", authors_net(50, classes=12))
    weights = read(path)
    net = weights.net()
    assert net == resnet(50, "B", "imagenet", classes=12, pool="unpadded")
    load(build(net), net, weights)
    padded = resnet(50, "B", "imagenet", classes=12)
    with pytest.raises(UserError) as error:
        load(build(padded), padded, weights)
    assert error.value.hint == "build the net with `pool=unpadded`"


def test_a_caffemodel_of_another_net_is_refused(tmp_path):
    path = write_net(tmp_path / "vgg.caffemodel", authors_net(50, classes=2, width=1)[:3])
    with pytest.raises(UserError, match="is of no net of the authors"):
        read(path)


@pytest.mark.parametrize("content", [[1, 2], {}, {"accuracy": 91.7}])
def test_a_file_without_weights_is_refused(content, tmp_path):
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(UserError, match=r"`.*other\.pt` holds no state dict") as error:
        read(tmp_path / "other.pt")
    assert error.value.hint == "save `module.state_dict()`, bare or as `state_dict`"
