"""Crops are scored as a slow and obvious loop scores them."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from repro.data.photos.source import Photos
from repro.distributed import Share
from repro.evaluation.crops import center, evaluating, ten_crop
from repro.evaluation.fully_convolutional import multi_scale
from repro.nets import ConvNet
from tests.evaluation.generated_source import IMAGES, net, photos

WAYS = (center, ten_crop, multi_scale)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Photos:
    return photos(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def resnet() -> ConvNet:
    return net()


def obvious(
    resnet: ConvNet, source: Photos, place: int, crops: list[tuple[int, int]], flips: bool
) -> torch.Tensor:
    """One crop after the other: open, resize, crop, flip, subtract, score."""
    image = Image.open(BytesIO(source.pack.content(int(source.pack.val[place])))).convert("RGB")
    width, height = image.size
    scale = 36 / min(image.size)
    image = image.resize(
        (int(width * scale + 1e-9), int(height * scale + 1e-9)), Image.Resampling.BILINEAR
    )
    scores = []
    for across, down in crops:  # 0, 1 and 2 for the left, the middle and the right
        left, top = round(across * (image.width - 32) / 2), round(down * (image.height - 32) / 2)
        crop = image.crop((left, top, left + 32, top + 32))
        for view in (crop, ImageOps.mirror(crop))[: 1 + flips]:
            x = (
                torch.tensor(np.asarray(view)).permute(2, 0, 1) / 255
                - torch.tensor(source.mean)[:, None, None]
            )
            with torch.no_grad():
                scores.append(resnet.eval()(x[None].float())[0].softmax(0))
    return torch.stack(scores).mean(0)


def test_the_centre_crop_equals_the_obvious_way(resnet: ConvNet, source: Photos) -> None:
    found = center(resnet, source)
    slow = torch.stack(
        [obvious(resnet, source, place, [(1, 1)], flips=False) for place in range(IMAGES)]
    )
    assert np.abs(found.scores - slow.numpy()).max() < 1e-5


def test_ten_crops_equal_the_obvious_way(resnet: ConvNet, source: Photos) -> None:
    found = ten_crop(resnet, source)
    five = [(0, 0), (2, 0), (0, 2), (2, 2), (1, 1)]
    slow = torch.stack(
        [obvious(resnet, source, place, five, flips=True) for place in range(IMAGES)]
    )
    assert np.abs(found.scores - slow.numpy()).max() < 1e-5


@pytest.mark.parametrize("way", WAYS)
def test_ranks_share_the_images_and_count_none_twice(way, resnet: ConvNet, source: Photos) -> None:
    whole = way(resnet, source)
    parts = [way(resnet, source, Share(rank, 3)) for rank in range(3)]
    assert np.concatenate([part.places for part in parts]).tolist() == list(range(IMAGES))
    assert np.concatenate([part.labels for part in parts]).tolist() == whole.labels.tolist()
    assert np.abs(np.concatenate([part.scores for part in parts]) - whole.scores).max() < 1e-5


@pytest.mark.parametrize("way", WAYS)
def test_a_rank_without_images_has_no_scores(way, resnet: ConvNet, source: Photos) -> None:
    assert way(resnet, source, Share(0, 100)).scores.shape == (0, 10)


@pytest.mark.parametrize("way", WAYS)
def test_scores_are_probabilities_of_every_test_image(way, resnet: ConvNet, source: Photos) -> None:
    found = way(resnet, source)
    assert found.scores.shape == (IMAGES, 10)
    assert np.allclose(found.scores.sum(1), 1, atol=1e-5)
    assert found.labels.tolist() == source.pack.labels[source.pack.val].tolist()


def test_testing_leaves_the_net_as_it_was(source: Photos) -> None:
    module = net()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    module.train()
    center(module, source)
    assert module.training
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_a_failure_leaves_the_net_training(resnet: ConvNet) -> None:
    resnet.train()
    with pytest.raises(TypeError), evaluating(resnet):
        resnet(None)
    assert resnet.training


def test_crops_follow_the_recipes_sizes(resnet: ConvNet, source: Photos) -> None:
    larger = replace(
        source, recipe=replace(source.recipe, input=replace(source.input, test_side=40))
    )
    assert np.abs(center(resnet, larger).scores - center(resnet, source).scores).max() > 1e-4
