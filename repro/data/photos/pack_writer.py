"""Packing a set of photos: every image is decoded once, hashed, and appended to one file.

So a corrupt image is found and named here, and not after a week of training. The folder is renamed
when it is whole, so a job that shares it with others sees the whole set or none.
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
class PhotosToPack:
    """Photos to pack. Their origin is known for sure only after the last was read."""

    photos: Iterable[Photo]
    origin: Callable[[], str] = lambda: "imported"  # in the words of `repro.definition.origin`
    container: str = "folders"  # what kind of thing they came in, for a set that is complete


@dataclass(frozen=True)
class Packed:
    """An image that is in the pack, without its content."""

    class_name: str
    row: Row
    colour: NDArray[np.float64]  # 2 × 3: mean and mean square of each channel


@dataclass(frozen=True)
class Examined:
    """An image that was decoded: what goes into the pack, or why it is bad."""

    photo: Photo
    packed: Packed | None
    problem: str = ""


def pack(
    source: PhotosToPack, folder: Path, replace: bool = False, expected: Expected | None = None
) -> About:
    """Write the packed set, or keep the one that is there if it is the same.

    `expected`: what a whole set of this name has; without it, nobody can say whether images lack.
    """
    if not replace and folder.exists() and not (folder / ABOUT).exists():
        problem = f"{quote(folder)} is there and is not a data set"
        raise UserError(problem, "choose another name, or remove it")
    with new_folder(folder) as temporary:
        about = _write(source, temporary, folder.name, expected)
        while not rename_if_free(temporary, folder):
            if not replace:
                return _keep_existing(folder, about)
            move_away(folder)
    return about


def _write(source: PhotosToPack, folder: Path, name: str, expected: Expected | None) -> About:
    images = _write_pack(source, folder / PACK)
    classes = sorted({image.class_name for image in images})
    labels = {name: number for number, name in enumerate(classes)}
    unsplit = [image.row._replace(label=labels[image.class_name]) for image in images]
    rows, split = _with_splits(unsplit, classes)
    mean, std = _statistics(rows, [image.colour for image in images])
    rows.sort(key=lambda row: (row.label, row.sha256, row.split))
    train_images = sum(row.split != "val" for row in rows)
    val_images = sum(row.split != "train" for row in rows)
    manifest, digest = manifest_of(rows), hash_of(rows)
    size = sum(row.bytes for row in rows)
    about = About(
        name=name,
        origin=_origin(source, rows, classes, digest, expected),
        split=split,
        classes=tuple(classes),
        train_images=train_images,
        val_images=val_images,
        mean=mean,
        std=std,
        bytes=size,
        hash=digest,
        manifest=hashlib.sha256(manifest).hexdigest(),
    )
    write_atomic(folder / MANIFEST, manifest)
    write_atomic(folder / ABOUT, to_bytes(about))
    return about


def _write_pack(source: PhotosToPack, path: Path) -> list[Packed]:
    """Write the images end to end and return what is where; all damaged images are named."""
    images: list[Packed] = []
    problems: list[str] = []
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, file_mode())
    with os.fdopen(descriptor, "wb") as file:
        for examined in map_in_order(_examine, source.photos, ahead=4 * usable_cores()):
            packed = examined.packed
            if packed is None:
                problems.append(f"{quote(examined.photo.path)} ({examined.problem})")
                continue
            images.append(replace(packed, row=packed.row._replace(offset=file.tell())))
            file.write(examined.photo.content)
        file.flush()
        os.fsync(file.fileno())
    if problems:
        more = f" and {len(problems) - NAMED} more" if len(problems) > NAMED else ""
        raise UserError(
            f"cannot decode {', '.join(problems[:NAMED])}{more}",
            "replace the damaged images by good copies, or remove them, and import again",
        )
    if not images:
        hint = "images are .JPEG, .jpg or .png files in one folder for each class"
        raise UserError("no images found", hint)
    return images


def _examine(photo: Photo) -> Examined:
    """Decode the whole image, as training will."""
    try:
        with Image.open(BytesIO(photo.content)) as header:
            form, mode = header.format or "", header.mode
        image = decode(photo.content)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        # Pillow's messages end in the address of an object in memory.
        reason = str(error).split("<")[0].strip()
        return Examined(photo, None, reason or "unreadable")
    counts = np.array(image.histogram(), dtype=np.float64).reshape(3, 256)
    shares = counts / (image.width * image.height)
    values = np.arange(256) / 255
    row = Row(
        split=photo.split or "",
        label=0,
        path=photo.path,
        width=image.width,
        height=image.height,
        format=form,
        mode=mode,
        bytes=len(photo.content),
        offset=0,
        sha256=hashlib.sha256(photo.content).hexdigest(),
    )
    colour = np.stack([shares @ values, shares @ values**2])
    return Examined(photo, Packed(photo.name, row, colour))


def _origin(
    source: PhotosToPack,
    rows: list[Row],
    classes: list[str],
    digest: str,
    expected: Expected | None,
) -> str:
    origin = source.origin()
    if origin != "imported" or expected is None:
        return origin
    return origin_of(rows, classes, digest, source.container, expected)


def _with_splits(rows: list[Row], classes: list[str]) -> tuple[list[Row], str]:
    """Return the rows with their splits, and in words how these were told apart.

    No draw and no name decides about a split, only the images' content.
    """
    given = {row.split for row in rows}
    if "" not in given:
        _check_splits(rows, classes)
        return rows, GIVEN
    if given != {""}:
        problem = "some images are in `train` or `val` and some in neither"
        raise UserError(problem, "put all of them in one of the two")
    contents: dict[int, list[str]] = {}
    for row in rows:
        contents.setdefault(row.label, []).append(row.sha256)
    if min(map(len, contents.values())) < 2:
        in_both = [row._replace(split="both") for row in rows]
        return in_both, (
            f"{NO_SPLIT}some class has one image only, so every image is for training and for "
            "validation; errors on such a set say nothing about images not seen"
        )
    return _held_out(rows, contents), (
        f"one image in {HELD_OUT} of each class held out for validation, the lowest SHA-256 first"
    )


def _held_out(rows: list[Row], contents: dict[int, list[str]]) -> list[Row]:
    """Return the rows, one in `HELD_OUT` of each class for validation; `contents`: by class."""
    validation: dict[int, set[str]] = {}
    for label, digests in contents.items():
        count = max(1, len(digests) // HELD_OUT)
        validation[label] = set(sorted(digests)[:count])
    split = []
    for row in rows:
        is_held_out = row.sha256 in validation[row.label]
        split.append(row._replace(split="val" if is_held_out else "train"))
    return split


def _check_splits(rows: list[Row], classes: list[str]) -> None:
    train = {row.label for row in rows if row.split == "train"}
    val = {row.label for row in rows if row.split == "val"}
    for split, labels in (("train", train), ("val", val)):
        if not labels:
            hint = "a data set has training and validation images"
            raise UserError(f"no images in `{split}`", hint)
    if val - train:
        name = quote(classes[min(val - train)])
        raise UserError(f"`val` has the class {name}, which `train` lacks", "add it to `train`")


def _statistics(rows: list[Row], colours: list[NDArray[np.float64]]) -> tuple[Channels, Channels]:
    """Return mean and standard deviation of each channel; each training image counts the same."""
    if sum(row.split == "train" for row in rows) == IMAGENET_IMAGES:
        return IMAGENET_MEAN, IMAGENET_STD
    training = []
    for row, colour in zip(rows, colours, strict=True):
        if row.split != "val":
            training.append((row.sha256, colour))
    # The sum of floats must not depend on the order of import.
    training.sort(key=lambda pair: pair[0])
    mean, square = np.mean([colour for _, colour in training], axis=0)
    std = np.sqrt(np.maximum(square - mean**2, 0))  # of plain colours, rounding may go below 0
    return _channels(mean), _channels(std)


def _channels(values: NDArray[np.float64]) -> Channels:
    red, green, blue = map(float, values)
    return red, green, blue


def _keep_existing(folder: Path, about: About) -> About:
    """Return the set that is there if it is the one just packed; keep the better of two origins."""
    existing = read_about(folder)
    if existing.hash != about.hash:
        hint = "`--replace` puts the new one in its place"
        raise UserError(
            f"there is another data set {quote(folder.name)} in {quote(folder.parent)}",
            f"{hint}; `repro data check` says whether the old one is whole",
        )
    if _known_of(about.origin) <= _known_of(existing.origin):
        return existing
    better = replace(existing, origin=about.origin)
    write_atomic(folder / ABOUT, to_bytes(better))
    return better


def _known_of(origin: str) -> int:
    """Return how much is known of a set of that origin: 2 for official or generated images."""
    if is_complete(origin):
        return 1
    return 0 if origin.startswith("imported") else 2
