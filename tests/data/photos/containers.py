"""One small set of photos, written as each of the containers that ImageNet comes in."""

from __future__ import annotations

import json
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from repro.data.photos.imagenet import labels, official
from tests.data.photos.photo_files import photo

CLASSES = ("n01440764", "n01443537", "n02085620")
KIT_ORDER = ("n02085620", "n01440764", "n01443537")  # the kit numbers them otherwise, from 1
KAGGLE = Path("ILSVRC/Data/CLS-LOC")


class Piece(NamedTuple):
    """One image of the set."""

    split: str
    label: str
    name: str
    content: bytes

    @property
    def number(self) -> int:
        return CLASSES.index(self.label)


def small_set() -> list[Piece]:
    """Three classes of four training and two validation images; one training image is CMYK."""
    train = [
        Piece("train", label, f"{label}_{number}.JPEG", photo(10 * place + number))
        for place, label in enumerate(CLASSES)
        for number in range(4)
    ]
    train[5] = train[5]._replace(content=photo(15, "CMYK"))
    # The official names of validation images say nothing about their class.
    labels_in_order = [CLASSES[number] for number in (1, 0, 2, 2, 0, 1)]
    val = [
        Piece("val", label, f"ILSVRC2012_val_{number:08d}.JPEG", photo(100 + number))
        for number, label in enumerate(labels_in_order, start=1)
    ]
    return train + val


def folders(pieces: list[Piece], root: Path) -> Path:
    for piece in pieces:
        _write(root / piece.split / piece.label / piece.name, piece.content)
    return root


def tar(pieces: list[Piece], root: Path) -> Path:
    with tarfile.open(_made(root / "all.tar"), "w") as archive:
        for piece in reversed(pieces):
            add(archive, f"imagenet/{piece.split}/{piece.label}/{piece.name}", piece.content)
    return root / "all.tar"


def zipped(pieces: list[Piece], root: Path) -> Path:
    with zipfile.ZipFile(_made(root / "all.zip"), "w") as archive:
        for piece in pieces:
            archive.writestr(f"{piece.split}/{piece.label}/{piece.name}", piece.content)
    return root / "all.zip"


def flat(pieces: list[Piece], root: Path) -> Path:
    """Training class folders, and validation images without a class."""
    for piece in pieces:
        place = Path(piece.split) if piece.split == "val" else Path(piece.split, piece.label)
        _write(root / place / piece.name, piece.content)
    return root


def flat_with_kit(pieces: list[Piece], root: Path) -> Path:
    _kit(flat(pieces, root) / labels.KIT / "data", pieces)
    return root


def flat_with_archive_of_kit(pieces: list[Piece], root: Path) -> Path:
    flat_with_kit(pieces, root)
    with tarfile.open(root / f"{labels.KIT}.tar.gz", "w:gz") as archive:
        archive.add(root / labels.KIT, labels.KIT)
    shutil.rmtree(root / labels.KIT)
    return root


def flat_with_files_of_kit(pieces: list[Piece], root: Path) -> Path:
    _kit(flat(pieces, root), pieces)
    return root


def flat_with_map(pieces: list[Piece], root: Path) -> Path:
    _kit(flat(pieces, root), pieces)
    (root / labels.META).unlink()
    lines = [f"{label} {number} a_name\n" for number, label in enumerate(KIT_ORDER, start=1)]
    (root / labels.MAP).write_text("".join(lines))
    return root


def flat_with_list(pieces: list[Piece], root: Path) -> Path:
    lines = [f"{piece.label}\n" for piece in _validation(pieces)]
    (flat(pieces, root) / labels.LIST).write_text("".join(lines))
    return root


def flat_with_pairs(pieces: list[Piece], root: Path) -> Path:
    lines = [f"{piece.name} {piece.label}\n" for piece in reversed(_validation(pieces))]
    (flat(pieces, root) / labels.PAIRS).write_text(
        "".join(lines) + "\n"
    )  # an empty line at its end
    return root


def kaggle(pieces: list[Piece], root: Path) -> Path:
    flat(pieces, root / KAGGLE)
    # Its test images have no class, and one of its other lists is called val.txt and has numbers.
    _write(root / KAGGLE / "test/ILSVRC2012_test_00000001.JPEG", photo(999))
    _write(root / "ILSVRC/ImageSets/CLS-LOC/val.txt", b"ILSVRC2012_val_00000001 1\n")
    boxes = [
        f"{piece.name[:-5]},{piece.label} 1 2 3 4 {piece.label} 5 6 7 8 \n" for piece in pieces
    ]
    (root / labels.KAGGLE).write_text("ImageId,PredictionString\n" + "".join(boxes[12:]))
    return root


def kaggle_from_within(pieces: list[Piece], root: Path) -> Path:
    return kaggle(pieces, root) / KAGGLE


def kaggle_zip(pieces: list[Piece], root: Path) -> Path:
    kaggle(pieces, root / "unpacked")
    return Path(shutil.make_archive(str(root / "kaggle"), "zip", root / "unpacked"))


def parquet(pieces: list[Piece], root: Path) -> Path:
    """As Hugging Face shards it, with the classes' names in words."""
    names = ["tench", "goldfish", "chihuahua"]
    return _parquet(pieces, root / "data", lambda piece: piece.number, names).parent


def parquet_by_wordnet(pieces: list[Piece], root: Path) -> Path:
    """A table whose own list of classes is in another order, and has WordNet ids."""
    return _parquet(pieces, root, lambda piece: KIT_ORDER.index(piece.label), list(KIT_ORDER))


def webdataset(pieces: list[Piece], root: Path) -> Path:
    return _webdataset(pieces, root, lambda piece: {"cls": f"{piece.number}\n".encode()})


def webdataset_with_json(pieces: list[Piece], root: Path) -> Path:
    def about(piece: Piece) -> dict[str, bytes]:
        return {"json": json.dumps({"label": piece.number, "filename": piece.name}).encode()}

    return _webdataset(pieces, root, about)


def official_archives(pieces: list[Piece], root: Path) -> Path:
    with tarfile.open(_made(root / official.TRAIN), "w") as outer:
        for label in KIT_ORDER:
            inner = BytesIO()
            with tarfile.open(fileobj=inner, mode="w") as archive:
                for piece in pieces:
                    if (piece.split, piece.label) == ("train", label):
                        add(archive, piece.name, piece.content)
            add(outer, f"{label}.tar", inner.getvalue())
    with tarfile.open(root / official.VAL, "w") as archive:
        for piece in _validation(pieces):
            add(archive, piece.name, piece.content)
    _kit(root / labels.KIT / "data", pieces)
    return root


CONTAINERS: dict[str, Callable[[list[Piece], Path], Path]] = {
    maker.__name__: maker
    for maker in (
        folders,
        tar,
        zipped,
        flat_with_kit,
        flat_with_archive_of_kit,
        flat_with_files_of_kit,
        flat_with_map,
        flat_with_list,
        flat_with_pairs,
        kaggle,
        kaggle_from_within,
        kaggle_zip,
        parquet,
        parquet_by_wordnet,
        webdataset,
        webdataset_with_json,
        official_archives,
    )
}


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, BytesIO(content))


def write_table(
    path: Path, rows: Iterable[tuple[Any, Any]], names: list[str] | None = None
) -> Path:
    """A parquet file of images and labels; `names`: the classes, as Hugging Face notes them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = list(rows)
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table(
        {
            "image": pa.array([row[0] for row in rows], image),
            "label": pa.array([row[1] for row in rows]),
        }
    )
    about = {"info": {"features": {"label": {"names": names or [], "_type": "ClassLabel"}}}}
    table = table.replace_schema_metadata({"huggingface": json.dumps(about)})
    pq.write_table(table, _made(path), row_group_size=2)
    return path


def _parquet(
    pieces: list[Piece], folder: Path, label: Callable[[Piece], int], names: list[str]
) -> Path:
    for split, called, shards in (("train", "train", 2), ("val", "validation", 1)):
        # Shuffled, as published sets are.
        mixed = sorted((piece for piece in pieces if piece.split == split), key=lambda p: p.content)
        for shard in range(shards):
            rows = [
                ({"bytes": piece.content, "path": piece.name}, label(piece))
                for piece in mixed[shard::shards]
            ]
            write_table(folder / f"{called}-{shard:05d}-of-{shards:05d}.parquet", rows, names)
    write_table(folder / "test-00000-of-00001.parquet", [({"bytes": photo(999), "path": "x"}, -1)])
    return folder


def _webdataset(
    pieces: list[Piece], root: Path, about: Callable[[Piece], dict[str, bytes]]
) -> Path:
    for split, called in (("train", "train"), ("val", "validation")):
        with tarfile.open(_made(root / f"imagenet1k-{called}-0000.tar"), "w") as archive:
            for number, piece in enumerate(p for p in pieces if p.split == split):
                for ending, content in (about(piece) | {"jpg": piece.content}).items():
                    add(archive, f"{number:06d}.{ending}", content)
    return root


def _validation(pieces: list[Piece]) -> list[Piece]:
    return [piece for piece in pieces if piece.split == "val"]


def _kit(folder: Path, pieces: list[Piece]) -> None:
    from scipy.io import savemat

    kind = [("ILSVRC2012_ID", "i4"), ("WNID", "U9"), ("words", "U9"), ("num_children", "i4")]
    leaves = [(number, label, "a", 0) for number, label in enumerate(KIT_ORDER, start=1)]
    synsets = np.array([*leaves, (4, "n00001740", "inner", 3)], dtype=kind)
    savemat(_made(folder / labels.META), {"synsets": synsets})
    truth = [f"{KIT_ORDER.index(piece.label) + 1}\n" for piece in _validation(pieces)]
    (folder / labels.TRUTH).write_text("".join(truth))


def _write(path: Path, content: bytes) -> None:
    _made(path).write_bytes(content)


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
