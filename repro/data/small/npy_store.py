"""Small images on disk: `<data>/<name>/` has four arrays and a manifest, whole or not at all, and verified on opening.

A set is written into a folder of its own and then renamed, so of two preparers one wins and the other finds the set.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from repro.data.small.image_arrays import Arrays, content_hash
from repro.data.source import Origin
from repro.definition.bounds import check_name
from repro.errors import EnvironmentProblem, UserError, quote
from repro.storage.atomic import file_mode, to_json, write_atomic
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
    difference: str = (
        ""  # in words, from the official images of that name; nothing where there are none
    )


def load(name: str, folder: Path) -> tuple[Arrays, Manifest]:
    """The set's arrays, which are what they were when the set was made, or an error that says what changed."""
    stored = read_manifest(name, folder)
    if stored is None:
        raise _missing(name, folder)
    place = folder / name
    try:
        loaded = {array: np.load(place / f"{array}.npy", allow_pickle=False) for array in ARRAYS}
        arrays = Arrays(**loaded, classes=stored.classes)
        found = content_hash(arrays)
    except (OSError, ValueError, EOFError) as error:
        raise _unreadable(name, folder, error) from None
    if found != stored.hash:
        raise EnvironmentProblem(
            f"data set {quote(name)} in {quote(place, 300)} has changed: expected SHA-256 {stored.hash}, found {found}",
            _remake(name),
        )
    return arrays, stored


def save(
    name: str,
    arrays: Arrays,
    origin: Origin,
    made_from: str,
    folder: Path,
    replace: bool = False,
    difference: str = "",
) -> Manifest:
    """Put the set where `load` finds it. One that is there is kept if it is the same, and else replaced on request."""
    manifest = Manifest(
        check_name(name, "a data set"),
        origin,
        content_hash(arrays),
        arrays.classes,
        arrays.size,
        len(arrays.train),
        len(arrays.test),
        made_from,
        difference=difference,
    )
    with new_folder(folder / name) as temporary:
        for array in ARRAYS:
            _write_array(temporary / f"{array}.npy", getattr(arrays, array))
        write_atomic(temporary / "manifest.json", to_json(asdict(manifest)))
        while not rename_if_free(temporary, folder / name):
            if replace:
                move_away(folder / name)
                continue
            there = read_manifest(name, folder)
            if there is not None and there.hash == manifest.hash:
                return _known_better(there, manifest, folder)
            if there is not None or (folder / name).exists():
                raise UserError(
                    f"there is another data set {quote(name)} in {quote(folder / name, 300)}",
                    "`--replace` puts the new one in its place; `repro data check` says whether it is whole",
                )
    return manifest


def read_manifest(name: str, folder: Path) -> Manifest | None:
    """What the set says of itself; None where there is no such set."""
    import msgspec

    path = folder / check_name(name, "a data set") / "manifest.json"
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise EnvironmentProblem(
            f"cannot read {quote(path, 300)}: {error}", _remake(name)
        ) from None
    if manifest.schema > SCHEMA:
        raise EnvironmentProblem(
            f"{quote(path, 300)} was made by a newer version",
            "update this one, or prepare the set again",
        )
    return manifest


def look_at(name: str, folder: Path) -> Manifest | None:
    """Return what the set says of itself, if its files are as long as they say; reads no pixel."""
    manifest = read_manifest(name, folder)
    if manifest is None:
        return None
    images = {"train": manifest.train_images, "test": manifest.test_images}
    for array in ARRAYS:
        path = folder / name / f"{array}.npy"
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


def _known_better(there: Manifest, manifest: Manifest, folder: Path) -> Manifest:
    """Keep a set that has the same images, with the origin that is known of them now."""
    if (there.origin, there.difference) == (manifest.origin, manifest.difference):
        return there
    write_atomic(folder / there.name / "manifest.json", to_json(asdict(manifest)))
    return manifest


def names(folder: Path) -> list[str]:
    """The sets on disk, by name."""
    return sorted(
        path.parent.name
        for path in folder.glob("*/manifest.json")
        if not path.parent.name.startswith(".")
    )


def _write_array(path: Path, array: np.ndarray) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, file_mode()), "wb") as file:
        np.save(file, array, allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())


def _missing(name: str, folder: Path) -> EnvironmentProblem:
    ways = f"`repro data import {name} PATH`, with a folder or an archive of images"
    if name == "cifar10":
        ways = f"`repro data prepare cifar10` downloads it; or {ways}"
    return EnvironmentProblem(f"no data set {quote(name)} in {quote(folder, 300)}", ways)


def _remake(name: str) -> str:
    how = "prepare cifar10 --replace" if name == "cifar10" else f"import {name} PATH --replace"
    return f"`repro data {how}` makes it again"
