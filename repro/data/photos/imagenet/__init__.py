"""Photos of ImageNet, or of any set like it, read from whatever container they came in.

    official archives   ILSVRC2012_img_train.tar, ILSVRC2012_img_val.tar, and the development kit
    class folders       train/<class>/*.JPEG and val/<class>/*.JPEG, or a tar or zip of them
    flat validation     train/<class>/*.JPEG and val/*.JPEG, with a file that names their classes
                        (`labels.py` lists which)
    Kaggle              ILSVRC/Data/CLS-LOC/{train,val} and LOC_val_solution.csv, or the zip of it
    parquet             train-*.parquet and validation-*.parquet with columns image and label
    webdataset          train-*.tar and val-*.tar with NNN.jpg beside NNN.cls or NNN.json
    samples             <class>/*.JPEG: folders or an archive without a split

The same images give the same set, whatever the container: the digest of the pack is over (split,
class, SHA-256 of the file), and its order is by class and content. A class is a number, its
position among the sorted class names. Parquet and webdataset have that number themselves: all
published copies of ImageNet number the classes in the order of their sorted WordNet ids.

Nothing is unpacked to disk. The files go straight into one packed file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace as changed
from pathlib import Path

from repro.data.archives import check_readable
from repro.data.parquet_rows import SUFFIX as PARQUET
from repro.data.photos.attested import Expected, expected_of
from repro.data.photos.imagenet import archives, folders, official, parquet, shards
from repro.data.photos.imagenet.image_names import pieces_in, with_splits
from repro.data.photos.imagenet.unreadable import (
    ACCEPTED,
    contents_of,
    refuse_other_files,
    refuse_other_formats,
)
from repro.data.photos.pack_format import About
from repro.data.photos.pack_writer import Photo, PhotosToPack, pack
from repro.definition.bounds import check_name
from repro.errors import UserError, quote


def import_photos(
    name: str, path: Path, folder: Path, replace: bool = False, expected: Expected | None = None
) -> About:
    """Pack the photos found at `path` as the data set `name` in `folder`.

    `replace`: put it in the place of another one. `expected`: what a whole set of that name has.
    """
    place = folder / check_name(name, "a data set")
    return pack(photos_in(path), place, replace, expected or expected_of(name))


def photos_in(path: Path) -> PhotosToPack:
    """Return the photos at that path, in whichever of the known containers they are."""
    check_readable(path)
    source = _in_file(path) if path.is_file() else _in_folder(path)
    return changed(source, photos=_at_least_one(source, path))


def _in_file(path: Path) -> PhotosToPack:
    refuse_other_formats([path])
    if path.suffix == PARQUET:
        return parquet.photos_to_pack(list(with_splits([path])))
    if shards.is_shard(path):
        return shards.photos_to_pack(list(with_splits([path])))
    refuse_other_files(path)
    return PhotosToPack(archives.photos(path), container="archive")


def _in_folder(path: Path) -> PhotosToPack:
    if official.is_there(path):
        return official.photos_to_pack(path)
    tables = pieces_in(path, PARQUET)
    if tables:
        return parquet.photos_to_pack(tables)
    tars = pieces_in(path, shards.SUFFIX)
    if tars:
        return shards.photos_to_pack(tars)
    return PhotosToPack(folders.photos(path))


def _at_least_one(source: PhotosToPack, path: Path) -> Iterator[Photo]:
    """Yield the photos; if there is none, say what is there instead."""
    empty = True
    for photo in source.photos:
        empty = False
        yield photo
    if empty:
        refuse_other_formats(path.iterdir() if path.is_dir() else ())
        raise UserError(f"no images found in {quote(path, 300)}, {contents_of(path)}", ACCEPTED)
