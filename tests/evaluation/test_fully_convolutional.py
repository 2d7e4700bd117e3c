"""Many scales, fully convolutionally: the same as windows cut one by one."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from repro.data.photos.source import Photos
from repro.evaluation import fully_convolutional
from repro.evaluation.crops import center, evaluating
from repro.evaluation.fully_convolutional import alike, dense_scores, multi_scale, window_of
from repro.nets import ConvNet
from tests.evaluation.generated_source import IMAGES, net, photos


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Photos:
    return photos(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def resnet() -> ConvNet:
    return net()


def windows(resnet: ConvNet, x: torch.Tensor, side: int) -> torch.Tensor:
    """The mean softmax over every window of the last map, cut one after the other: 1×3×H×W →
    classes."""
    with torch.no_grad():
        features = resnet.eval().features(x)[0]
        scores = []
        for top in range(features.shape[1] - side + 1):
            for left in range(features.shape[2] - side + 1):
                window = features[:, top : top + side, left : left + side]
                scores.append(resnet.classifier(window.mean((1, 2))).softmax(0))
    return torch.stack(scores).mean(0)


def obvious(resnet: ConvNet, source: Photos, place: int) -> torch.Tensor:
    """One scale after the other, one image and then its flip."""
    image = Image.open(BytesIO(source.pack.content(int(source.pack.val[place])))).convert("RGB")
    width, height = image.size
    by_scale = []
    for side in (32, 36, 54):
        scale = side / min(width, height)
        size = (int(width * scale + 1e-9), int(height * scale + 1e-9))
        resized = image.resize(size, Image.Resampling.BILINEAR)
        views = []
        for view in (resized, ImageOps.mirror(resized)):
            x = (
                torch.tensor(np.asarray(view)).permute(2, 0, 1) / 255
                - torch.tensor(source.mean)[:, None, None]
            )
            views.append(windows(resnet, x[None].float(), side=1))
        by_scale.append(torch.stack(views).mean(0))
    return torch.stack(by_scale).mean(0)


def test_many_scales_equal_the_obvious_way(resnet: ConvNet, source: Photos) -> None:
    found = multi_scale(resnet, source)
    slow = torch.stack([obvious(resnet, source, place) for place in range(IMAGES)])
    assert np.abs(found.scores - slow.numpy()).max() < 1e-5


@pytest.mark.parametrize(("height", "width"), [(224, 300), (256, 224), (224, 224)])
def test_windows_of_seven_equal_the_obvious_way_at_the_papers_size(
    resnet: ConvNet, height: int, width: int
) -> None:
    image = torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(height))
    with evaluating(resnet):
        found = dense_scores(resnet, image, 7)[0]
    slow = (windows(resnet, image, 7) + windows(resnet, image.flip(3), 7)) / 2
    assert (found - slow).abs().max() < 1e-5


def test_a_square_of_the_crops_size_gets_the_nets_own_scores(resnet: ConvNet) -> None:
    image = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with evaluating(resnet):
        one, flipped = (resnet(view).softmax(1) for view in (image, image.flip(3)))
        assert (dense_scores(resnet, image, 7) - (one + flipped) / 2).abs().max() < 1e-5


def test_the_window_is_the_map_of_a_training_crop(resnet: ConvNet, source: Photos) -> None:
    with evaluating(resnet):
        assert window_of(resnet, source) == 1


def test_the_number_of_images_in_a_pass_changes_nothing(
    resnet: ConvNet, source: Photos, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = multi_scale(resnet, source).scores
    monkeypatch.setattr(fully_convolutional, "PIXELS", 1)
    monkeypatch.setattr(fully_convolutional, "IMAGES", 3)
    assert np.abs(multi_scale(resnet, source).scores - many).max() < 1e-5


def test_images_of_one_shape_go_together_but_not_too_many() -> None:
    wide, tall = np.zeros((2, 3, 3)), np.zeros((3, 2, 3))
    assert list(alike((wide, tall, wide, tall, wide))) == [[0, 2, 4], [1, 3]]
    large = np.zeros((1000, 2000, 3), np.uint8)  # two of them are 8 million pixels with their flips
    assert [len(group) for group in alike((large,) * 5)] == [2, 2, 1]


def test_other_scales_give_other_scores(resnet: ConvNet, source: Photos) -> None:
    assert np.abs(multi_scale(resnet, source).scores - center(resnet, source).scores).max() > 1e-4
