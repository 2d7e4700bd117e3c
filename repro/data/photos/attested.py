"""What a whole set of photos has, and the digests that somebody computed from official files.

Both are in `attested.toml`, so that who has the official files can add a digest without reading
code. A set whose digest is there is official, whatever container it came in. While there is none,
the counts say at least whether anything is missing.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

from repro.definition.origin import complete
from repro.errors import UserError, quote

FILE = Path(__file__).with_name("attested.toml")


class Image(Protocol):
    """What is looked at of each image of a set."""

    @property
    def split(self) -> str: ...

    @property
    def label(self) -> int: ...

    @property
    def mode(self) -> str: ...


@dataclass(frozen=True)
class Attested:
    """A digest of a whole set, who computed it, when, and from what."""

    hash: str
    by: str
    on: str
    source: str


@dataclass(frozen=True)
class Expected:
    """What a whole set has."""

    train_images: int
    val_images: int
    classes: int
    least_train_images_of_a_class: int
    most_train_images_of_a_class: int
    val_images_of_a_class: int
    cmyk_images: int = 0  # in the training set: who writes the images anew loses them
    attested: tuple[Attested, ...] = ()

    def attestation(self, digest: str) -> Attested | None:
        """Return the entry with this digest, if there is one."""
        return next((entry for entry in self.attested if entry.hash == digest), None)


def expected_of(name: str) -> Expected | None:
    """Return what is known of the set of that name, if anything is."""
    return _known(FILE).get(name)


def origin_of(
    images: Sequence[Image], names: Sequence[str], digest: str, container: str, expected: Expected
) -> str:
    """Return the origin of images from an unofficial container; `names`: of the classes."""
    if expected.attestation(digest):
        return "official pixels"
    gap = first_gap(images, names, expected)
    if gap:
        return f"imported, {gap}"
    return complete(container, expected.train_images, expected.val_images)


def first_gap(images: Sequence[Image], names: Sequence[str], expected: Expected) -> str:
    """Return in what the images first differ from a whole set, or nothing."""
    train = Counter(image.label for image in images if image.split != "val")
    val = Counter(image.label for image in images if image.split != "train")
    wanted = f"{expected.train_images:,} + {expected.val_images:,}"
    if (train.total(), val.total()) != (expected.train_images, expected.val_images):
        return f"incomplete: {train.total():,} + {val.total():,} images, not {wanted}"
    if len(names) != expected.classes:
        return f"incomplete: {len(names):,} classes, not {expected.classes:,}"
    for label, name in enumerate(names):
        gap = _gap_of_class(train[label], val[label], expected)
        if gap:
            return f"incomplete: class {quote(name)} has {gap}"
    return _gap_in_files(images, expected)


def _gap_of_class(train: int, val: int, expected: Expected) -> str:
    least, most = expected.least_train_images_of_a_class, expected.most_train_images_of_a_class
    if not least <= train <= most:
        return f"{train:,} training images, not {least:,} to {most:,}"
    if val != expected.val_images_of_a_class:
        return f"{val:,} validation images, not {expected.val_images_of_a_class:,}"
    return ""


def _gap_in_files(images: Iterable[Image], expected: Expected) -> str:
    """Return whether the files were written anew: resized copies have all images of all classes."""
    cmyk = sum(image.mode == "CMYK" for image in images if image.split != "val")
    if cmyk < expected.cmyk_images:
        return f"written anew: {cmyk} CMYK training images, not {expected.cmyk_images}"
    return ""


@cache
def _known(file: Path) -> dict[str, Expected]:
    import msgspec

    try:
        return msgspec.convert(tomllib.loads(file.read_text("utf-8")), dict[str, Expected])
    except (OSError, ValueError, msgspec.ValidationError) as error:
        hint = "compare it with the example at its end"
        raise UserError(f"cannot read {quote(file, 300)}: {error}", hint) from None
