"""Decoding on the card, by the same code on a processor: near what Pillow gives, and refused there."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from experiments.recipes import IMAGENET, VARIANTS
from experiments.scales import SCALES
from repro.cli import main
from repro.data.photos import card_decoder
from repro.data.photos.source import Photos, open_photos
from repro.definition.net import resnet
from repro.definition.run import Run
from repro.errors import EnvironmentProblem, RunFailed

CPU = torch.device("cpu")
ON_CARD = SCALES["smoke"](VARIANTS["decode-on-gpu"](Run(resnet(18, "B", "imagenet"), IMAGENET)))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Photos:
    """The generated photos, of which some are grey."""
    return open_photos(ON_CARD.recipe, tmp_path_factory.mktemp("data"))


def test_the_batches_are_those_of_pillow_but_for_rounding(photos: Photos) -> None:
    seen_as = replace(photos.input, decoder=None)
    by_pillow = replace(photos, recipe=replace(photos.recipe, input=seen_as))
    usual = [images.clone() for images, _ in by_pillow.batches(0, 0, 3)]
    plans = photos.training_plans(0, range(3), slice(0, photos.recipe.batch))
    batches = photos._on_device(card_decoder.decoded_on(CPU, plans, photos.input, photos.pack))
    others: list[Tensor] = [images for images, _ in batches]
    assert len(others) == len(usual)
    for images, other in zip(usual, others, strict=True):
        assert other.shape == images.shape
        assert other.is_contiguous(memory_format=torch.channels_last)
        # Of 255: rounding, and Pillow's crop, which resizes only the region that it needs.
        assert float((images - other).abs().mean()) * 255 < 1.0


def test_labels_and_colour_shifts_are_those_of_the_plan(photos: Photos) -> None:
    (plan,) = photos.training_plans(0, range(1), slice(0, photos.recipe.batch))
    (batch,) = card_decoder.decoded_on(CPU, iter([plan]), photos.input, photos.pack)
    assert batch.labels.tolist() == [int(photos.pack.labels[image.row]) for image in plan]
    assert np.array_equal(batch.means.numpy(), np.stack([image.mean for image in plan]))


def file_of(mode: str, kind: str) -> bytes:
    file = BytesIO()
    Image.new(mode, (60, 50)).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize(("mode", "kind"), [("CMYK", "JPEG"), ("RGB", "PNG")])
def test_what_a_card_does_not_decode_pillow_does(mode: str, kind: str) -> None:
    content = card_decoder._file(file_of(mode, kind))
    assert isinstance(content, np.ndarray)
    grey = card_decoder._file(file_of("L", "JPEG"))
    assert isinstance(grey, bytes)
    pixels = card_decoder._decoded([content, grey], ["a", "b"], CPU)
    assert [tuple(own.shape) for own in pixels] == [(3, 50, 60)] * 2


def test_a_photo_that_is_damaged_fails_the_run_and_says_how_to_find_it() -> None:
    files = [file_of("L", "JPEG"), card_decoder._file(b"no photo")]
    with pytest.raises(RunFailed, match="one of 2 photos cannot be decoded on the card") as error:
        card_decoder._decoded(files, ["a", "b"], CPU)
    assert "(a, b …)" in error.value.problem
    assert "`repro data check`" in error.value.hint


def test_without_a_gpu_the_variant_is_refused(
    photos: Photos, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(EnvironmentProblem, match="decodes photos on a GPU, and this run is on"):
        photos.batches(0, 0, 1)
    words = ["run", "figure4", "--scale", "smoke", "--seeds", "1", "--only", "resnet-18"]
    with pytest.raises(SystemExit) as end:
        main([*words, "--variant", "decode-on-gpu"])
    assert end.value.code == 4
    printed = capsys.readouterr().err
    assert "Error: variant `decode-on-gpu` decodes photos on a GPU, and this run is" in printed
    assert "hint: leave the variant out, or train on a GPU" in printed
