"""Small images on disk: `<data>/<name>/` has four arrays and a manifest, verified on opening.

A set is written into a folder of its own, which is then renamed. So it is there whole or not at
all. If two commands prepare it at once, the second finds the set of the first.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from repro.data.small.image_arrays import Arrays, content_hash
from repro.data.source import Origin
from repro.definition.bounds import check_name
from repro.errors import EnvironmentProblem, UserError, quote
from repro.storage.atomic import file_mode, read_file, to_json, write_atomic
from repro.storage.atomic_folder import move_away, new_folder, rename_if_free

ARRAYS = ("train", "train_labels", "test", "test_labels")
SCHEMA = 1


@dataclass(frozen=True)
class Manifest:
    """What a set on disk says of itself."""

    name: str
    origin: Origin
    hash: str
    classes: tuple[str, ...]
    size: int
    train_images: int
    test_images: int
    made_from: str  # the name of the archive or folder
    schema: int = SCHEMA
    difference: str = ""  # in words, from the official images of that name


def load(name: str, folder: Path) -> tuple[Arrays, Manifest]:
    """Return the set's arrays and manifest, if their digest is still the manifest's."""
    manifest = read_manifest(name, folder)
    if manifest is None:
        raise _missing(name, folder)
    try:
        loaded = {
            array: np.load(_file(folder / name, array), allow_pickle=False) for array in ARRAYS
        }
        arrays = Arrays(**loaded, classes=manifest.classes)
        digest = content_hash(arrays)
    except (OSError, ValueError, EOFError) as error:
        raise _unreadable(name, folder, error) from None
    if digest != manifest.hash:
        changed = f"has changed: expected SHA-256 {manifest.hash}, found {digest}"
        problem = f"data set {quote(name)} in {quote(folder / name, 300)} {changed}"
        raise EnvironmentProblem(problem, _remake(name))
    return arrays, manifest


def save(
    name: str,
    arrays: Arrays,
    origin: Origin,
    made_from: str,
    folder: Path,
    replace: bool = False,
    difference: str = "",
) -> Manifest:
    """Put the set where `load` finds it.

    One that is there is kept if it is the same; another one is replaced on request only.
    """
    manifest = Manifest(
        name=check_name(name, "a data set"),
        origin=origin,
        hash=content_hash(arrays),
        classes=arrays.classes,
        size=arrays.size,
        train_images=len(arrays.train),
        test_images=len(arrays.test),
        made_from=made_from,
        difference=difference,
    )
    with new_folder(folder / name) as temporary:
        for array in ARRAYS:
            _write_array(_file(temporary, array), getattr(arrays, array))
        write_atomic(temporary / "manifest.json", to_json(asdict(manifest)))
        while not rename_if_free(temporary, folder / name):
            if replace:
                move_away(folder / name)
                continue
            existing = read_manifest(name, folder)
            if existing is not None and existing.hash == manifest.hash:
                return _keep_existing(existing, manifest, folder)
            # Nothing is there when another process has just moved it away: then try again.
            if existing is not None or (folder / name).exists():
                hint = "`--replace` puts the new one in its place"
                raise UserError(
                    f"there is another data set {quote(name)} in {quote(folder / name, 300)}",
                    f"{hint}; `repro data check` says whether it is whole",
                )
    return manifest


def read_manifest(name: str, folder: Path) -> Manifest | None:
    """Return what the set says of itself; None where there is no such set."""
    import msgspec

    path = folder / check_name(name, "a data set") / "manifest.json"
    try:
        manifest = msgspec.json.decode(read_file(path), type=Manifest)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        problem = f"cannot read {quote(path, 300)}: {error}"
        raise EnvironmentProblem(problem, _remake(name)) from None
    if manifest.schema > SCHEMA:
        problem = f"{quote(path, 300)} was made by a newer version"
        raise EnvironmentProblem(problem, "update this one, or prepare the set again")
    return manifest


def look_at(name: str, folder: Path) -> Manifest | None:
    """Return what the set says of itself, if its files are as long as they say; reads no pixel."""
    manifest = read_manifest(name, folder)
    if manifest is None:
        return None
    images = {"train": manifest.train_images, "test": manifest.test_images}
    for array in ARRAYS:
        path = _file(folder / name, array)
        try:
            # A file that is shorter than its header says cannot be mapped.
            count = len(np.load(path, mmap_mode="r", allow_pickle=False))
        except (OSError, ValueError, EOFError) as error:
            raise _unreadable(name, folder, error) from None
        expected = images[array.removesuffix("_labels")]
        if count != expected:
            problem = f"{quote(path, 300)} has {count:,} entries, not {expected:,}"
            raise EnvironmentProblem(problem, _remake(name))
    return manifest


def _unreadable(name: str, folder: Path, error: Exception) -> EnvironmentProblem:
    problem = f"cannot read data set {quote(name)} in {quote(folder / name, 300)}: {error}"
    return EnvironmentProblem(problem, _remake(name))


def _keep_existing(existing: Manifest, manifest: Manifest, folder: Path) -> Manifest:
    """Keep a set that has the same images, with the origin that is known of them now."""
    if (existing.origin, existing.difference) == (manifest.origin, manifest.difference):
        return existing
    write_atomic(folder / existing.name / "manifest.json", to_json(asdict(manifest)))
    return manifest


def _file(folder: Path, array: str) -> Path:
    return folder / f"{array}.npy"


def _write_array(path: Path, array: NDArray[Any]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, file_mode())
    with os.fdopen(descriptor, "wb") as file:
        np.save(file, array, allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())


def _missing(name: str, folder: Path) -> EnvironmentProblem:
    hint = f"`repro data import {name} PATH`, with a folder or an archive of images"
    if name == "cifar10":
        hint = f"`repro data prepare cifar10` downloads it; or {hint}"
    return EnvironmentProblem(f"no data set {quote(name)} in {quote(folder, 300)}", hint)


def _remake(name: str) -> str:
    if name == "cifar10":
        return "`repro data prepare cifar10 --replace` makes it again"
    return f"`repro data import {name} PATH --replace` makes it again"
