"""Packing a set of photos: every image is decoded once, hashed, and appended to one file; then the folder is renamed.

So a corrupt image is found here and named, and not after a week of training. A job that shares the folder with others
sees the whole set or none.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from repro.data.photos.attested import Expected, origin_of
from repro.data.photos.ordered_pool import map_in_order, usable_cores
from repro.data.photos.pack_format import (
    ABOUT,
    GIVEN,
    MANIFEST,
    NO_SPLIT,
    PACK,
    About,
    Row,
    hash_of,
    manifest_of,
    read_about,
    to_bytes,
)
from repro.data.photos.transforms import decode
from repro.data.source import Origin
from repro.definition.origin import is_complete
from repro.errors import UserError, quote
from repro.storage.atomic import file_mode, write_atomic
from repro.storage.atomic_folder import move_away, new_folder, rename_if_free

HELD_OUT = 5  # where a set comes without a split, one image in five of each class is held out
NAMED = 5  # how many bad images an error names

# What everyone uses for ImageNet, as do torchvision's weights; for any other set both are computed.
IMAGENET_IMAGES = 1_281_167
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


Channels: TypeAlias = tuple[float, float, float]


@dataclass(frozen=True)
class Photo:
    """An image file on its way into a pack. `split` is None where its source has none."""

    split: Literal["train", "val"] | None
    name: str  # of its class
    path: str
    content: bytes


@dataclass(frozen=True)
class FoundPhotos:
    """Where photos come from; what they are is known for sure only after the last was read."""

    photos: Iterable[Photo]
    origin: Callable[[], Origin] = lambda: "imported"
    container: str = "folders"  # what kind of thing they came in, for a set that is complete


@dataclass(frozen=True)
class Examined:
    """What decoding told about an image: why it is bad, or its row and the mean and mean square of its channels."""

    photo: Photo
    problem: str
    row: Row | None = None
    colour: NDArray[np.float64] | None = None  # 2 × 3


def pack(
    found: FoundPhotos, place: Path, replace: bool = False, expected: Expected | None = None
) -> About:
    """Write the packed set, or keep the one that is there if it is the same.

    `expected`: what a whole set of this name has; without it, nobody can say whether images lack.
    """
    if not replace and place.exists() and not (place / ABOUT).exists():
        raise UserError(
            f"{quote(place)} is there and is not a data set", "choose another name, or remove it"
        )
    with new_folder(place) as temporary:
        about = _written(found, temporary, place.name, expected)
        while not rename_if_free(temporary, place):
            if not replace:
                return _the_same(place, about)
            move_away(place)
    return about


def _written(found: FoundPhotos, folder: Path, name: str, expected: Expected | None) -> About:
    named: list[tuple[str, Row]] = []
    colours, problems = [], []
    with os.fdopen(
        os.open(folder / PACK, os.O_WRONLY | os.O_CREAT | os.O_EXCL, file_mode()), "wb"
    ) as file:
        for examined in map_in_order(_examine, found.photos, ahead=4 * usable_cores()):
            if examined.row is None or examined.colour is None:
                problems.append(f"{quote(examined.photo.path)} ({examined.problem})")
            else:
                named.append((examined.photo.name, examined.row._replace(offset=file.tell())))
                colours.append(examined.colour)
                file.write(examined.photo.content)
        file.flush()
        os.fsync(file.fileno())
        size = file.tell()
    _refuse(problems, named)
    classes = sorted({name for name, _ in named})
    label = {name: number for number, name in enumerate(classes)}
    rows, split = _with_splits([row._replace(label=label[name]) for name, row in named], classes)
    mean, std = _statistics(rows, colours)
    order = sorted(
        range(len(rows)),
        key=lambda place: (rows[place].label, rows[place].sha256, rows[place].split),
    )
    rows = [rows[place] for place in order]
    manifest, digest = manifest_of(rows), hash_of(rows)
    about = About(
        name=name,
        origin=_origin(found, rows, classes, digest, expected),
        split=split,
        classes=tuple(classes),
        train_images=sum(row.split != "val" for row in rows),
        val_images=sum(row.split != "train" for row in rows),
        mean=mean,
        std=std,
        bytes=size,
        hash=digest,
        manifest=hashlib.sha256(manifest).hexdigest(),
    )
    write_atomic(folder / MANIFEST, manifest)
    write_atomic(folder / ABOUT, to_bytes(about))
    return about


def _origin(
    found: FoundPhotos, rows: list[Row], classes: list[str], digest: str, expected: Expected | None
) -> str:
    origin = found.origin()
    if origin != "imported" or expected is None:
        return origin
    return origin_of(rows, classes, digest, found.container, expected)


def _examine(photo: Photo) -> Examined:
    """Decode the whole image, as training will."""
    try:
        with Image.open(BytesIO(photo.content)) as header:
            form, mode = header.format or "", header.mode
        image = decode(photo.content)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return Examined(photo, str(error).split("<")[0].strip() or "unreadable")
    counts = np.array(image.histogram(), dtype=np.float64).reshape(3, 256) / (
        image.width * image.height
    )
    values = np.arange(256) / 255
    content = hashlib.sha256(photo.content).hexdigest()
    row = Row(
        photo.split or "", 0, photo.path, *image.size, form, mode, len(photo.content), 0, content
    )
    return Examined(photo, "", row, np.stack([counts @ values, counts @ values**2]))


def _refuse(problems: list[str], rows: list[tuple[str, Row]]) -> None:
    if problems:
        more = f" and {len(problems) - NAMED} more" if len(problems) > NAMED else ""
        raise UserError(
            f"cannot decode {', '.join(problems[:NAMED])}{more}",
            "replace the damaged images by good copies, or remove them, and import again",
        )
    if not rows:
        raise UserError(
            "no images found", "images are .JPEG, .jpg or .png files in one folder for each class"
        )


def _with_splits(rows: list[Row], classes: list[str]) -> tuple[list[Row], str]:
    """Each row's split, and in words how they were told apart. No draw and no name decides: only content."""
    given = {row.split for row in rows}
    if "" not in given:
        _refuse_strangers(rows, classes)
        return rows, GIVEN
    if given != {""}:
        raise UserError(
            "some images are in `train` or `val` and some in neither",
            "put all of them in one of the two",
        )
    contents: dict[int, list[str]] = {}
    for row in rows:
        contents.setdefault(row.label, []).append(row.sha256)
    if min(map(len, contents.values())) < 2:
        return [row._replace(split="both") for row in rows], (
            f"{NO_SPLIT}some class has one image only, so every image is for training and for validation; "
            "errors on such a set say nothing about images not seen"
        )
    held_out = {
        label: set(sorted(own)[: max(1, len(own) // HELD_OUT)]) for label, own in contents.items()
    }
    split = [
        row._replace(split="val" if row.sha256 in held_out[row.label] else "train") for row in rows
    ]
    return (
        split,
        f"one image in {HELD_OUT} of each class held out for validation, the lowest SHA-256 first",
    )


def _refuse_strangers(rows: list[Row], classes: list[str]) -> None:
    train, val = ({row.label for row in rows if row.split == split} for split in ("train", "val"))
    if not train or not val:
        raise UserError(
            f"no images in `{'val' if train else 'train'}`",
            "a data set has training and validation images",
        )
    if val - train:
        raise UserError(
            f"`val` has the class {quote(classes[min(val - train)])}, which `train` lacks",
            "add it to `train`",
        )


def _statistics(rows: list[Row], colours: list[NDArray[np.float64]]) -> tuple[Channels, Channels]:
    """Mean and standard deviation of each channel over the training images, each image counting the same."""
    if sum(row.split == "train" for row in rows) == IMAGENET_IMAGES:
        return IMAGENET_MEAN, IMAGENET_STD
    chosen = [
        (row.sha256, colour)
        for row, colour in zip(rows, colours, strict=True)
        if row.split != "val"
    ]
    chosen.sort(key=lambda pair: pair[0])  # so that the sum does not depend on the order of import
    mean, square = np.mean([colour for _, colour in chosen], axis=0)
    std = np.sqrt(np.maximum(square - mean**2, 0))  # of plain colours, rounding may go below 0
    return (float(mean[0]), float(mean[1]), float(mean[2])), (
        float(std[0]),
        float(std[1]),
        float(std[2]),
    )


def _the_same(place: Path, about: About) -> About:
    """What is there already, if it is what was just packed; its origin becomes the better of the two."""
    there = read_about(place)
    if there.hash != about.hash:
        raise UserError(
            f"there is another data set {quote(place.name)} in {quote(place.parent)}",
            "`--replace` puts the new one in its place; `repro data check` says whether the old one is whole",
        )
    # A set packed by an older version says `imported` of any folders.
    if there.origin != "imported" and _known_of(about.origin) <= _known_of(there.origin):
        return there
    better = replace(there, origin=about.origin)
    write_atomic(place / ABOUT, to_bytes(better))
    return better


def _known_of(origin: str) -> int:
    """How much is known of a set of that origin."""
    if is_complete(origin):
        return 1
    return 0 if origin.startswith("imported") else 2
