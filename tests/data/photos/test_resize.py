"""A set resized once is another set: large images are made smaller, others stay byte for byte."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments.imagenet import PLAIN
from repro.data.photos import transforms
from repro.data.photos.imagenet import import_photos
from repro.data.photos.pack_format import MANIFEST, check_pack, open_pack, rows_of
from repro.data.photos.resize import resize_set, smaller
from repro.data.photos.source import open_photos
from repro.definition.origin import may_be_compared
from repro.definition.run import Run
from repro.errors import UserError
from tests.data.photos.photo_files import folders, photo, recipe


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with a set whose images have shorter sides of 40 to 56."""
    import_photos("imagenet", folders(tmp_path / "in"), tmp_path / "data")
    return tmp_path / "data"


def by_path(folder: Path) -> dict[str, bytes]:
    pack = open_pack(folder)
    rows = rows_of((folder / MANIFEST).read_bytes())
    return {row.path: pack.content(number) for number, row in enumerate(rows)}


def test_larger_images_are_made_smaller_and_others_stay_byte_for_byte(data: Path) -> None:
    about = resize_set("imagenet", 44, data)
    before, after = by_path(data / "imagenet"), by_path(data / "imagenet-44")
    assert before.keys() == after.keys()
    changed = 0
    for path, content in before.items():
        old, new = transforms.decode(content), transforms.decode(after[path])
        if min(old.size) <= 44:
            assert after[path] == content
        else:
            changed += 1
            assert new.size == transforms.resized_size(*old.size, 44)
            expected = transforms.resize_whole(old, 44).astype(int)
            assert np.abs(np.asarray(new) - expected).mean() < 4  # what JPEG loses
    assert 0 < changed < len(before)
    assert check_pack(data / "imagenet-44") == about


def test_it_is_another_set_whose_numbers_do_not_stand_beside_the_papers(data: Path) -> None:
    about = resize_set("imagenet", 44, data)
    source = open_pack(data / "imagenet").about
    assert about.origin == "imported, resized: shorter side at most 44"
    assert not may_be_compared(about.origin)
    assert about.hash != source.hash
    assert (about.classes, about.train_images, about.split) == (
        source.classes,
        source.train_images,
        source.split,
    )


def test_a_run_on_it_has_an_id_of_its_own_and_trains_on_its_images(data: Path) -> None:
    resize_set("imagenet", 44, data)
    run = PLAIN[18].run
    other = replace(run, recipe=replace(run.recipe, dataset="imagenet-44"))
    assert isinstance(other, Run)
    assert other.id != run.id
    photos = open_photos(recipe("imagenet-44"), data)
    images, _ = next(photos.batches(0, 0, 1))
    assert images.shape == (6, 3, 32, 32)


def test_resizing_again_keeps_the_set_that_is_there(data: Path) -> None:
    assert resize_set("imagenet", 44, data) == resize_set("imagenet", 44, data)


def test_cmyk_and_grey_images_become_colours_when_they_are_resized() -> None:
    for mode in ("CMYK", "L"):
        small = Image.open(BytesIO(smaller(photo(1, mode), 20)))
        assert (small.mode, min(small.size)) == ("RGB", 20)


def test_a_side_of_a_few_pixels_is_refused(data: Path) -> None:
    with pytest.raises(UserError, match="a shorter side of `3` pixels is too short"):
        resize_set("imagenet", 3, data)
