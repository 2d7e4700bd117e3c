"""Many readings in one pass give what each gives by the slow obvious way: one image, one crop at a
time."""

from __future__ import annotations

import copy
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from experiments.recipes import IMAGENET
from repro.data.photos.class_index import imagenet_classes, outputs_of
from repro.data.photos.source import open_photos
from repro.data.photos.transforms import decode
from repro.definition.net import resnet
from repro.definition.preprocessing import AUTHORS, PAPER, TORCHVISION
from repro.definition.run import Run
from repro.errors import UserError
from repro.evaluation.photo_measurer import PhotoMeasurer
from repro.evaluation.reading_grid import grid
from repro.evaluation.readings import Reading
from repro.nets import build
from repro.protocol import catalog
from repro.storage.paths import places

torch.set_num_threads(1)

RUN = catalog.load_scale("smoke")(Run(resnet(18, "B", "imagenet"), IMAGENET))
SMALL = {"resize": 40, "crop": 32, "sides": (32, 48)}
MEAN = np.random.default_rng(0).uniform(90, 140, (3, 32, 32)).astype(np.float32)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return open_photos(RUN.recipe, tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    module = build(replace(RUN.net, classes=10), seed=1)
    for part in module.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_mean.uniform_(-0.3, 0.3)
            part.running_var.uniform_(0.5, 1.5)
    return module.eval()


# The slow obvious way, in numpy and one image at a time.


def resized(image, side, kind):
    width, height = image.size
    short = min(width, height)
    size = (side * width // short, side * height // short)
    if kind == "aliased bilinear":
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float()
        out = F.interpolate(pixels, (size[1], size[0]), mode="bilinear", align_corners=False)
        return out[0].permute(1, 2, 0).round().numpy().astype(np.uint8)
    method = Image.Resampling.BICUBIC if kind == "bicubic" else Image.Resampling.BILINEAR
    return np.array(image.resize(size, method))


def prepared(pixels, wanted, data_mean, mean_image):
    """Red, green and blue of 0 to 1 first; then the net's range, its order, its mean."""
    x = pixels.astype(np.float64) / 255 * wanted.highest
    mean = data_mean if wanted.mean == "data" else wanted.mean
    if wanted.mean == "image":
        image = mean_image.astype(np.float64)[::-1].transpose(1, 2, 0) / 255
        mean = image if image.shape == x.shape else image.reshape(-1, 3).mean(0)
    x = x - np.asarray(mean, np.float64) * wanted.highest
    if wanted.std is not None:
        x = x / np.asarray(wanted.std)
    if wanted.colours == "bgr":
        x = x[..., ::-1]
    return torch.from_numpy(np.ascontiguousarray(x.transpose(2, 0, 1))[None].astype(np.float32))


def crops_of(pixels, reading):
    size = reading.preprocessing.crop
    height, width = pixels.shape[:2]
    centre = (round((height - size) / 2), round((width - size) / 2))
    places = [centre]
    if reading.views == "ten":
        places += [(0, 0), (0, width - size), (height - size, 0), (height - size, width - size)]
    crops = [pixels[top : top + size, left : left + size] for top, left in places]
    return crops + [crop[:, ::-1] for crop in crops] if reading.flip else crops


def obvious_scores(net, image, reading, data_mean, mean_image):
    """One reading's scores of one image, by a net that is built as the reading says."""
    wanted = reading.preprocessing
    parts = []
    if reading.views != "multi":
        for crop in crops_of(resized(image, wanted.resize, wanted.filter), reading):
            parts.append(net(prepared(crop, wanted, data_mean, mean_image))[0])
        return combined(parts, reading)
    window = net.features(torch.zeros(1, 3, wanted.crop, wanted.crop)).shape[-1]
    for side in wanted.sides:
        x = prepared(resized(image, side, wanted.filter), wanted, data_mean, mean_image)
        positions = []
        for flipped in (x, x.flip(3))[: 1 + reading.flip]:
            maps = net.features(flipped)[0]
            for top in range(maps.shape[1] - window + 1):
                for left in range(maps.shape[2] - window + 1):
                    patch = maps[:, top : top + window, left : left + window]
                    positions.append(net.classifier(patch.mean((1, 2))))
        softmaxed = torch.stack(positions)
        softmaxed = softmaxed.softmax(1) if reading.average == "softmax" else softmaxed
        parts.append(softmaxed.mean(0))
    mean = torch.stack(parts).mean(0)
    return mean if reading.average == "softmax" else mean.softmax(0)


def combined(logits, reading):
    stacked = torch.stack(logits)
    return (
        stacked.softmax(1).mean(0) if reading.average == "softmax" else stacked.mean(0).softmax(0)
    )


def obvious_net(net, reading):
    """A copy of the net that pools and normalises as the reading says."""
    changed = build(
        replace(RUN.net, classes=10, pool="unpadded" if reading.pool == "unpadded" else None)
    )
    changed.load_state_dict(net.state_dict())
    for part in changed.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.eps = reading.epsilon
    return changed.eval()


def for_range(net, highest):
    """The net as if it had been trained on pixels of 0 to `highest`: its first batch norm expects
    their size."""
    trained = copy.deepcopy(net)
    trained.stem.norm.running_mean *= highest
    trained.stem.norm.running_var *= highest**2
    return trained


def small(preprocessing):
    return replace(preprocessing, **SMALL)


@pytest.mark.parametrize("views", ["center", "ten", "multi"])
@pytest.mark.parametrize("preprocessing", [PAPER, AUTHORS, TORCHVISION], ids=lambda one: one.name)
def test_every_reading_of_the_grid_gives_the_obvious_scores(photos, net, views, preprocessing):
    net = for_range(net, preprocessing.highest)
    readings = grid(small(preprocessing), views, "padded")
    measured = PhotoMeasurer(net, photos, readings, MEAN).block(range(3))
    random = np.random.default_rng(1)
    chosen = random.choice(len(readings), size=min(8, len(readings)), replace=False)
    with torch.inference_mode():
        for index in chosen:
            reading = readings[index]
            built = obvious_net(net, reading)
            for place in range(3):
                image = decode(photos.pack.content(int(photos.pack.val[place])))
                expected = obvious_scores(built, image, reading, photos.mean, MEAN).numpy()
                np.testing.assert_allclose(measured[reading].scores[place], expected, atol=1e-5)


def test_readings_that_share_their_input_share_the_forward_pass(photos, net):
    """Ten crops in softmax and in logits, the centre with and without its flip: one pass of ten
    crops an image."""
    seen = []
    handle = net.stem.register_forward_hook(
        lambda module, inputs, output: seen.append(len(inputs[0]))
    )
    readings = grid(small(PAPER), "ten", "padded", ["average", "flip"])
    assert len(readings) == 5
    PhotoMeasurer(net, photos, readings).block(range(6))
    handle.remove()
    assert sum(seen) == 60


def test_each_image_is_decoded_once_whatever_the_number_of_readings(photos, net, monkeypatch):
    decoded = []
    original = type(photos)._image
    monkeypatch.setattr(
        type(photos), "_image", lambda self, row: decoded.append(row) or original(self, row)
    )
    readings = grid(small(PAPER), "center", "padded")
    assert len(readings) == 36
    PhotoMeasurer(net, photos, readings).block(range(5))
    assert len(decoded) == 5


def test_blocks_together_are_the_whole_in_order(photos, net):
    reading = Reading(small(PAPER), flip=False)
    measurer = PhotoMeasurer(net, photos, [reading])
    whole = measurer.block(range(10))[reading]
    parts = [measurer.block(range(start, start + 5))[reading] for start in (0, 5)]
    assert np.array_equal(np.concatenate([part.labels for part in parts]), whole.labels)
    np.testing.assert_allclose(
        np.concatenate([part.scores for part in parts]), whole.scores, atol=1e-6
    )


def test_the_net_is_left_as_it_was(photos, net):
    before = net.stem.pool, net.stem.norm.eps
    readings = grid(small(PAPER), "center", "padded")
    PhotoMeasurer(net, photos, readings).block(range(1))
    assert (net.stem.pool, net.stem.norm.eps) == before


def test_a_mean_image_of_another_size_is_refused(photos, net):
    with pytest.raises(UserError, match="the mean image is 32×32, and the crops are 224×224"):
        PhotoMeasurer(net, photos, [Reading(AUTHORS)], MEAN)


def test_a_mean_image_that_is_not_named_is_asked_for(photos, net):
    with pytest.raises(UserError, match="subtracts a mean image, and none is named") as error:
        PhotoMeasurer(net, photos, [Reading(AUTHORS)])
    assert "--mean ResNet_mean.binaryproto" in error.value.hint


def test_a_factor_that_is_none_is_refused():
    with pytest.raises(UserError, match="a test has no factor `filters` to vary") as error:
        grid(PAPER, "center", "padded", ["filters"])
    assert error.value.hint == "did you mean `filter`?"


def test_a_sample_of_imagenet_finds_its_outputs_by_wordnet_id():
    classes = imagenet_classes()
    assert (len(classes), classes["n01440764"], classes["n15075141"]) == (1000, 0, 999)
    assert list(outputs_of(["n01443537", "n15075141"], 1000, "sample")) == [1, 999]
    with pytest.raises(UserError, match="has 2 classes, and which of the net's 1,000 they are"):
        outputs_of(["cat", "dog"], 1000, "pets")
    with pytest.raises(UserError, match="`pets` has 3 classes, the net 2"):
        outputs_of(["a", "b", "c"], 2, "pets")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_real_photos_give_the_obvious_scores_in_every_mode(net, tmp_path):
    """`REPRO_TEST_PHOTOS` names an archive of real JPEG files in class folders."""
    archive = os.environ.get("REPRO_TEST_PHOTOS")
    if not archive:
        pytest.skip("REPRO_TEST_PHOTOS names no archive of photos")
    from repro.data.photos.imagenet import import_photos

    import_photos("sample", Path(archive), places().data)
    recipe = replace(RUN.recipe, dataset="sample")
    photos = open_photos(recipe, places().data)
    assert photos.test_images >= 10
    whole, net = range(photos.test_images), for_range(net, 255)
    images = [decode(photos.pack.content(int(photos.pack.val[place]))) for place in whole]
    for views in ("center", "ten", "multi"):
        readings = grid(small(AUTHORS), views, "unpadded", ["average", "flip"])
        measured = PhotoMeasurer(net, photos, readings, MEAN).block(whole)
        with torch.inference_mode():
            for reading in readings:
                built = obvious_net(net, reading)
                for place, image in enumerate(images):
                    expected = obvious_scores(built, image, reading, photos.mean, MEAN).numpy()
                    np.testing.assert_allclose(measured[reading].scores[place], expected, atol=1e-5)
