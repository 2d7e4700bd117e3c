"""Weights trained less a mean image: their own test and `repro evaluate` subtract the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from repro.data.photos.source import open_photos
from repro.definition.preprocessing import Preprocessing
from repro.evaluation.crops import center, ten_crop
from repro.evaluation.fully_convolutional import multi_scale
from repro.evaluation.photo_measurer import PhotoMeasurer
from repro.evaluation.readings import plain_reading
from tests.evaluation.generated_source import INPUT, net, photos, recipe

WANTED = Preprocessing("paper", resize=36, crop=32, sides=(32, 36, 54))


def test_crops_lose_the_image_and_whole_images_its_colour_in_both(tmp_path: Path) -> None:
    by_pixel = recipe(input=replace(INPUT, mean="pixel"))
    source = open_photos(by_pixel, tmp_path)
    source = replace(source, pack=replace(source.pack, val=source.pack.val[:6]))
    module = net()
    readings = [plain_reading(WANTED, views) for views in ("center", "ten", "multi")]
    measured = PhotoMeasurer(module, source, readings).block(range(6))
    for reading, way in zip(readings, (center, ten_crop, multi_scale), strict=True):
        expected = way(module, source).in_order().scores
        np.testing.assert_allclose(measured[reading].scores, expected, atol=1e-6)
    by_channel = PhotoMeasurer(module, photos(tmp_path, 6), readings).block(range(6))
    for reading in readings:
        assert np.abs(by_channel[reading].scores - measured[reading].scores).max() > 1e-5
