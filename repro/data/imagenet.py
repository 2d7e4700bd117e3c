"""Where the photos of ImageNet, or of any set like it, are found: archives, folders, with a split or without.

    ILSVRC2012_img_train.tar, ILSVRC2012_img_val.tar and the development kit: the official archives, read as they are
    train/<class>/*.JPEG and val/<class>/*.JPEG: the usual folders, or an archive of them
    <class>/*.JPEG: folders or an archive without a split, as samples come

Nothing is unpacked to disk: an archive of a million small files goes straight into one packed file. A class is the name
of a folder, and its number is its place in the sorted names, which is what the usual weights count too.
"""

from __future__ import annotations

import hashlib
import tarfile
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import IO, Literal

from repro.data.members import members, neither
from repro.data.pack import About
from repro.data.packing import Found, Photo, pack
from repro.data.source import Origin
from repro.errors import Lacking, UserError, shown
from repro.given import checked_file
from repro.limits import checked_name

IMAGES = (".jpeg", ".jpg", ".png")
LARGEST = 1 << 28  # bytes of one image file
SPLITS: tuple[Literal["train", "val"], ...] = ("train", "val")

TRAIN, VAL, KIT = "ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar", "ILSVRC2012_devkit_t12"
MD5 = {TRAIN: "1d675b47d978889d74fa0da5fadfb00e", VAL: "29b22e2961454d5413ddabcf34fc5622"}


def import_photos(name: str, path: Path, folder: Path, replace: bool = False) -> About:
    """Pack the photos found at `path` as the data set `name` in `folder`."""
    return pack(photos_in(path), folder / checked_name(name, "a data set"), replace)


def photos_in(path: Path) -> Found:
    """The photos at that path, in whichever of the known layouts they are."""
    if not path.exists():
        raise Lacking(f"there is nothing at {shown(path, 300)}", "name a folder or a tar archive of images")
    if not (path.is_dir() or path.is_file()):
        raise neither(path)
    if path.is_file():
        return Found(_archive(path))
    if (path / TRAIN).is_file() or (path / VAL).is_file():
        return _official(path)
    if any((path / split).is_dir() for split in SPLITS):
        return Found(photo for split in SPLITS for photo in _folders(path / split, split))
    return Found(_folders(path, None))


def _folders(root: Path, split: Literal["train", "val"] | None) -> Iterator[Photo]:
    if not root.is_dir():
        raise UserError(f"there is no folder {shown(root)}", "a data set has training and validation images")
    for place in sorted(entry for entry in root.iterdir() if entry.is_dir()):
        for file in sorted(place.iterdir()):
            if _is_image(file.name):
                yield Photo(split, place.name, str(file.relative_to(root.parent if split else root)), _content(file))


def _content(file: Path) -> bytes:
    try:
        return checked_file(file, "images", "remove it, and import the rest", LARGEST).read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {shown(file)}: {error.strerror}", "make it readable, or remove it") from None


def _is_image(name: str) -> bool:
    return name.lower().endswith(IMAGES) and not name.startswith(".")


def _archive(path: Path) -> Iterator[Photo]:
    """The photos of a tar or zip of class folders, which may be in `train` and `val`."""
    for member, content in members(path, LARGEST):
        *_, split, place, name = (None, None, *member.parts)
        if place is not None and _is_image(name):
            yield Photo(split if split in SPLITS else None, place, str(member), content)


def _official(path: Path) -> Found:
    """The official archives. They are called official only if their MD5 is the published one."""
    for name in (TRAIN, VAL):
        if not (path / name).is_file():
            raise Lacking(
                f"{shown(name)} is not in {shown(path)}", f"put {TRAIN}, {VAL} and {KIT}.tar.gz in one folder"
            )
    answers = _validation_classes(path)
    found: dict[str, str] = {}

    def photos() -> Iterator[Photo]:
        with Digesting(path / TRAIN) as file:
            for name, inner in _members(file, TRAIN):
                for member, content in _members(BytesIO(inner), name):
                    yield Photo("train", Path(name).stem, f"train/{Path(name).stem}/{member}", content)
            found[TRAIN] = file.md5()
        with Digesting(path / VAL) as file:
            for member, content in _members(file, VAL):
                name = answers[_number(member, len(answers)) - 1]
                yield Photo("val", name, f"val/{name}/{member}", content)
            found[VAL] = file.md5()

    def origin() -> Origin:
        return "official archive" if found == MD5 else "imported"

    return Found(photos(), origin)


class Digesting:
    """A file read from front to back, and the MD5 of all of it."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("rb")
        self.digest = hashlib.md5(usedforsecurity=False)

    def read(self, size: int = -1) -> bytes:
        content = self.file.read(size)
        self.digest.update(content)
        return content

    def md5(self) -> str:
        while self.read(1 << 20):  # an archive ends in padding that its reader leaves
            pass
        return self.digest.hexdigest()

    def __enter__(self) -> Digesting:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()


def _members(file: IO[bytes], called: str) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the files in a tar, read once from front to back."""
    try:
        with tarfile.open(fileobj=file, mode="r|*") as archive:
            for member in archive:
                extracted = archive.extractfile(member) if member.isreg() else None
                if extracted is not None:
                    yield str(PurePosixPath(member.name)), extracted.read()
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise UserError(
            f"{shown(called)} is not a whole archive: {error}", "copy or download it again, and compare sizes"
        ) from None
    except OSError as error:
        raise Lacking(f"cannot read {shown(called)}: {error}", "make it readable, or copy it again") from None


def _number(member: str, count: int) -> int:
    """ILSVRC2012_val_00000001.JPEG is image 1."""
    digits = PurePosixPath(member).stem.rpartition("_")[2]
    if not digits.isdigit() or not 1 <= int(digits) <= count:
        raise UserError(
            f"{shown(member)} is not one of the {count:,} validation images", f"is {VAL} the right archive?"
        )
    return int(digits)


def _validation_classes(path: Path) -> list[str]:
    """The class of each validation image, in order, from the development kit: a folder or the archive of it."""
    synsets = _names_by_number(_from_kit(path, "data/meta.mat"))
    truth = _from_kit(path, "data/ILSVRC2012_validation_ground_truth.txt").split()
    try:
        return [synsets[int(number)] for number in truth]
    except (KeyError, ValueError) as error:
        raise UserError(f"the development kit names a class {error} it does not define", "download it again") from None


def _from_kit(path: Path, name: str) -> bytes:
    if (path / KIT / name).is_file():
        return (path / KIT / name).read_bytes()
    archive = path / f"{KIT}.tar.gz"
    if archive.is_file():
        with archive.open("rb") as file:
            for member, content in _members(file, archive.name):
                if member == f"{KIT}/{name}":
                    return content
    raise Lacking(
        f"`{KIT}/{name}` is not in {shown(path)}",
        f"put {KIT}.tar.gz there: the classes of the validation images are in it",
    )


def _names_by_number(meta: bytes) -> dict[int, str]:
    """meta.mat lists inner nodes of WordNet too; the thousand classes are its leaves."""
    from scipy.io import loadmat

    synsets = loadmat(BytesIO(meta), squeeze_me=True)["synsets"]
    leaves = (synset for synset in synsets if int(synset["num_children"]) == 0)
    return {int(synset["ILSVRC2012_ID"]): str(synset["WNID"]) for synset in leaves}
