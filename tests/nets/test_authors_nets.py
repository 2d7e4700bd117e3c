"""The authors' nets give in ours the logits that their prototxt means."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from repro.definition.net import resnet
from repro.errors import UserError
from repro.nets import build
from repro.nets.authors_nets import is_authors, state_of
from repro.nets.caffemodel import read_layers
from tests.nets.caffe_files import WrittenLayer, authors_net, read_obviously, write_net
from tests.nets.prototxt_forward import forward

torch.set_num_threads(1)


def ours_from(path, depth, classes):
    net = build(resnet(depth, "B", "imagenet", classes=classes, pool="unpadded"))
    state = state_of(read_layers(path))
    missing, unexpected = net.load_state_dict(state, strict=False)
    assert not unexpected
    assert all(name.endswith("num_batches_tracked") for name in missing)
    return net.eval()


DEEP = [pytest.param(depth, marks=pytest.mark.slow) for depth in (101, 152)]


@pytest.mark.parametrize("depth", [50, *DEEP])
def test_the_authors_nets_give_the_logits_of_their_prototxt(depth, tmp_path):
    """A bias on ResNet-50's first convolution, scaled statistics, pooling that rounds up: 57 pixels
    tell them apart."""
    layers = authors_net(depth, classes=12)
    path = write_net(tmp_path / "authors.caffemodel", layers)
    images = np.random.default_rng(1).normal(0, 50, (2, 3, 57, 57)).astype(np.float32)
    expected = forward(layers, read_obviously(path.read_bytes()), images)
    with torch.inference_mode():
        logits = ours_from(path, depth, 12)(torch.from_numpy(images)).numpy()
    spread = expected.std()
    assert spread > 0
    np.testing.assert_allclose(logits / spread, expected / spread, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("depth", [50, 101, 152])
def test_every_layer_of_the_authors_nets_has_its_place(depth, tmp_path):
    """The names of each block, at a width of one channel for speed: which place they take, and
    nothing is left."""
    path = write_net(tmp_path / "thin.caffemodel", authors_net(depth, classes=3, width=1))
    layers = read_layers(path)
    assert is_authors(layer.name for layer in layers)
    expected = set(build(resnet(depth, "B", "imagenet", classes=3)).state_dict())
    assert set(state_of(layers)) == {
        name for name in expected if not name.endswith("num_batches_tracked")
    }


def test_a_layer_of_no_net_of_ours_keeps_its_name(tmp_path):
    layers = authors_net(50, classes=3, width=1)
    layers.append(
        WrittenLayer(
            "rpn_conv", "Convolution", ["res5c"], "rpn", {}, [np.ones((1, 1, 1, 1), np.float32)]
        )
    )
    assert "rpn_conv/0" in state_of(read_layers(write_net(tmp_path / "more.caffemodel", layers)))


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan")])
def test_statistics_without_a_factor_are_refused(factor, tmp_path):
    layers = authors_net(50, classes=3, width=1)
    norm = next(layer for layer in layers if layer.type == "BatchNorm")
    norm.blobs[2] = np.array([factor], np.float32)
    with pytest.raises(
        UserError, match=r"the third blob of `bn_conv1` is .*, not one positive factor"
    ):
        state_of(read_layers(write_net(tmp_path / "zero.caffemodel", layers)))


def test_a_layer_that_lacks_a_blob_is_named(tmp_path):
    layers = authors_net(50, classes=3, width=1)
    next(layer for layer in layers if layer.name == "scale3a_branch1").blobs.pop()
    with pytest.raises(UserError, match=r"the Scale layer `scale3a_branch1` has 1 blobs, not 2"):
        state_of(read_layers(write_net(tmp_path / "lacks.caffemodel", layers)))
