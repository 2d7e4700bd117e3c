"""The official archives of ILSVRC 2012, read as they are, and called official only by their MD5."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path, PurePosixPath

from repro.data.archives import read_tar_stream
from repro.data.photos.imagenet import labels
from repro.data.photos.imagenet.image_names import LARGEST
from repro.data.photos.pack_writer import Photo, PhotosToPack
from repro.data.source import Origin
from repro.errors import EnvironmentProblem, quote

TRAIN, VAL = "ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar"
MD5 = {TRAIN: "1d675b47d978889d74fa0da5fadfb00e", VAL: "29b22e2961454d5413ddabcf34fc5622"}
LARGEST_CLASS = 1 << 32  # bytes of the archive of one class; the official ones have 0.1 to 0.3 GB


def is_there(path: Path) -> bool:
    """Return whether one of the archives is in that folder."""
    return (path / TRAIN).is_file() or (path / VAL).is_file()


def photos_to_pack(path: Path) -> PhotosToPack:
    """Return the photos of the two archives in that folder."""
    for name in (TRAIN, VAL):
        if not (path / name).is_file():
            hint = f"put {TRAIN}, {VAL} and {labels.KIT}.tar.gz in one folder"
            raise EnvironmentProblem(f"{quote(name)} is not in {quote(path)}", hint)
    classes = labels.needed(path, [labels.in_folder(path)])
    digests: dict[str, str] = {}

    def photos() -> Iterator[Photo]:
        with Digesting(path / TRAIN) as file:
            yield from _training(file)
            digests[TRAIN] = file.md5()
        with Digesting(path / VAL) as file:
            yield from _validation(file, classes)
            digests[VAL] = file.md5()

    def origin() -> Origin:
        return "official archive" if digests == MD5 else "imported"

    return PhotosToPack(photos(), origin, "archives")


def _training(file: Digesting) -> Iterator[Photo]:
    """Yield the photos of a tar of tars, one for each class."""
    for path, inner in read_tar_stream(file, TRAIN, LARGEST_CLASS):
        for member, content in read_tar_stream(BytesIO(inner), str(path), LARGEST):
            yield Photo("train", path.stem, f"train/{path.stem}/{member}", content)


def _validation(file: Digesting, classes: labels.Classes) -> Iterator[Photo]:
    for member, content in read_tar_stream(file, VAL, LARGEST):
        name = classes(PurePosixPath(member).name)
        yield Photo("val", name, f"val/{name}/{member}", content)


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
        """Return the MD5 of the whole file."""
        while self.read(1 << 20):  # the reader of a tar leaves the padding at its end
            pass
        return self.digest.hexdigest()

    def __enter__(self) -> Digesting:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
