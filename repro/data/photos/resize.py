"""A packed set made smaller once, so that training decodes fewer pixels each time.

Take a set that is resized to 480. An image whose shorter side is longer than that is resized by
Pillow's bilinear filter, and written as a JPEG of quality 95 without subsampled colours. All other
images keep their bytes. In training the large images are thus resized twice, and a test beyond 480
enlarges them. The result is another data set, with a digest and a name of its own. So its runs have
other ids, and its numbers do not stand beside the paper's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace as changed
from io import BytesIO
from pathlib import Path
from typing import Literal, cast

from PIL import Image

from repro.data.photos.ordered_pool import map_in_order, usable_cores
from repro.data.photos.pack_format import ABOUT, MANIFEST, About, Pack, Row, open_pack, rows_of
from repro.data.photos.pack_format import to_bytes as about_in_json
from repro.data.photos.pack_writer import Photo, PhotosToPack, pack
from repro.data.photos.transforms import decode, resized_size
from repro.errors import UserError, quote
from repro.storage.atomic import write_atomic

QUALITY = 95
SMALLEST = 16  # pixels of a shorter side


def resize_set(name: str, side: int, folder: Path, replace: bool = False) -> About:
    """Write the set `<name>-<side>` beside the packed set of that name."""
    if side < SMALLEST:
        problem = f"a shorter side of {quote(side)} pixels is too short"
        raise UserError(problem, f"give {SMALLEST} or more; training takes 256 to 480")
    source = open_pack(folder / name)
    target = folder / f"{name}-{side}"
    origin = f"imported, resized: shorter side at most {side}"
    about = pack(PhotosToPack(_photos(source, side), lambda: origin), target, replace)
    if about.split == source.about.split:
        return about
    # How the source told training and validation images apart is true of the copy, too.
    about = changed(about, split=source.about.split)
    write_atomic(target / ABOUT, about_in_json(about))
    return about


def _photos(source: Pack, side: int) -> Iterator[Photo]:
    rows = enumerate(rows_of((source.folder / MANIFEST).read_bytes()))

    def photo(numbered: tuple[int, Row]) -> Photo:
        number, row = numbered
        # An image of both splits gets them again, as its source had none.
        split = cast("Literal['train', 'val']", row.split) if row.split != "both" else None
        content = smaller(source.content(number), side)
        return Photo(split, source.about.classes[row.label], row.path, content)

    return map_in_order(photo, rows, ahead=4 * usable_cores())


def smaller(content: bytes, side: int) -> bytes:
    """Return the image file itself, or one whose shorter side has that many pixels."""
    with Image.open(BytesIO(content)) as header:
        if min(header.size) <= side:
            return content
    image = decode(content)
    size = resized_size(image.width, image.height, side)
    file = BytesIO()
    resized = image.resize(size, Image.Resampling.BILINEAR)
    resized.save(file, "JPEG", quality=QUALITY, subsampling=0)
    return file.getvalue()
