"""The data sets there are, wherever they come from: listed, prepared, imported and checked. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from repro.data import PHOTOS, is_photos
from repro.data.photos.attested import expected_of
from repro.data.photos.pack_format import GIVEN, NO_SPLIT, About, check_pack, look_at_pack
from repro.data.small import cifar10, generated, npy_store
from repro.data.small.containers import read_images
from repro.data.small.image_arrays import Arrays
from repro.data.small.official_cifar10 import first_difference, in_official_order, official_cifar10
from repro.data.source import Origin
from repro.definition.bounds import check_name
from repro.definition.origin import is_official
from repro.errors import EnvironmentProblem, UserError, did_you_mean, quote

GENERATED = (generated.NAME, "generated-photos")  # by rule: nobody's to import
KNOWN_NAMES = (cifar10.NAME, "imagenet", *GENERATED)


@dataclass(frozen=True)
class DatasetInfo:
    """What is known of a data set without reading its images."""

    name: str
    state: Literal["ready", "missing", "damaged", "drawn when needed"]
    where: str
    origin: str | None = None
    classes: int | None = None
    train_images: int | None = None
    test_images: int | None = None
    split: str | None = None  # how training and test images were told apart, in words
    hash: str | None = None
    difference: str = ""  # in words, from the official images of that name
    problem: str | None = None
    hint: str | None = None

    @property
    def split_made_here(self) -> str:
        """What was done about a split that its source did not have; nothing where it had one."""
        return "" if self.split in (None, GIVEN) else str(self.split).removeprefix(NO_SPLIT)

    @property
    def split_in_short(self) -> str:
        if not self.split_made_here:
            return "–" if self.split is None else "given"
        return "train = test" if str(self.split).startswith(NO_SPLIT) else "held out"


def all_datasets(folder: Path) -> list[DatasetInfo]:
    """Every set that the recipes name, and every other one in the folder."""
    others = {path.parent.name for path in folder.glob("[!.]*/*.json")}
    return [
        dataset_info(name, folder) for name in (*KNOWN_NAMES, *sorted(others - set(KNOWN_NAMES)))
    ]


def dataset_info(name: str, folder: Path, whole: bool = False) -> DatasetInfo:
    """A set's state as its manifest has it; `whole`: after reading everything and comparing hashes."""
    if name == generated.NAME:
        return DatasetInfo(
            *(name, "drawn when needed", "memory", "generated"),
            *(generated.CLASSES, generated.TRAIN, generated.TEST, GIVEN),
        )
    where = str(folder / check_name(name, "a data set"))
    try:
        if not (folder / name).exists():
            state: Literal["missing", "drawn when needed"] = (
                "drawn when needed" if name in GENERATED else "missing"
            )
            return DatasetInfo(name, state, where, hint=_how_to_get(name))
        if is_photos(name, folder):
            return _photos(
                check_pack(folder / name) if whole else look_at_pack(folder / name), name, where
            )
        manifest = npy_store.load(name, folder)[1] if whole else npy_store.look_at(name, folder)
    except UserError as error:
        return DatasetInfo(name, "damaged", where, problem=error.problem, hint=error.hint)
    return (
        _images(manifest, name, where)
        if manifest
        else DatasetInfo(name, "missing", where, hint=_how_to_get(name))
    )


def prepare(
    name: str,
    folder: Path,
    replace: bool = False,
    progress: cifar10.Progress = lambda done, of: None,
    url: str | None = None,
) -> DatasetInfo:
    """Have the set ready before a run needs it: CIFAR-10 is downloaded, generated sets are drawn."""
    if url is not None and name != cifar10.NAME:
        raise UserError(
            f"{quote(name)} is not downloaded, so it has no address", "`--url` is for cifar10 alone"
        )
    if name == cifar10.NAME:
        _prepare_cifar10(folder, replace, progress, cifar10.URL if url is None else url)
    elif name == "generated-photos":
        from repro.data.photos.generated import draw
        from repro.data.photos.pack_writer import FoundPhotos, pack

        pack(FoundPhotos(draw(), lambda: "generated"), folder / name, replace)
    elif name != generated.NAME:
        hint = did_you_mean(name, (cifar10.NAME, *GENERATED)) if name not in KNOWN_NAMES else ""
        raise _not_downloaded(name, hint)
    return dataset_info(name, folder, whole=True)


def import_set(name: str, path: Path, folder: Path, replace: bool = False) -> DatasetInfo:
    """Make a set of the images at that path, in any container that is read for sets of its kind."""
    if name in GENERATED:
        raise UserError(
            f"{quote(name)} is drawn by rule and cannot be imported", "choose another name"
        )
    if name in PHOTOS:
        from repro.data.photos.imagenet import import_photos

        import_photos(name, path, folder, replace)
    else:
        arrays, origin = _recognised(read_images(path))
        difference = ""
        if name == cifar10.NAME and origin == "imported":
            difference = first_difference(arrays, official_cifar10())
        npy_store.save(name, arrays, origin, path.resolve().name, folder, replace, difference)
    return dataset_info(name, folder)


def _recognised(arrays: Arrays) -> tuple[Arrays, Origin]:
    """Return the images and where they come from; the official ones of CIFAR-10 are put into official order."""
    official = in_official_order(arrays, official_cifar10())
    if official is None:
        return arrays, "imported"
    return official, "official pixels"


def attestation(known: DatasetInfo) -> tuple[str, str]:
    """Return a whole set's digest in words, and what to do so that others can rely on it."""
    expected = expected_of(known.name)
    if expected is None or known.state != "ready" or known.hash is None:
        return "", ""
    digest = f"{known.name} has the digest {known.hash}"
    entry = expected.attestation(known.hash)
    if entry is not None:
        return f"{digest}, computed by {entry.by} on {entry.on} from {entry.source}", ""
    if known.origin != "official archive":
        return digest, ""
    lines = f'[[{known.name}.attested]]\nhash = "{known.hash}"\nby = "…"\non = "…"\nsource = "…"'
    return (
        digest,
        f"nobody has attested this digest: add to repro/data/photos/attested.toml\n\n{lines}",
    )


def _prepare_cifar10(folder: Path, replace: bool, progress: cifar10.Progress, url: str) -> None:
    there = dataset_info(cifar10.NAME, folder, whole=True)
    if there.state == "ready" and is_official(there.origin):
        return
    if there.state != "missing" and not replace:
        problem = (
            there.problem
            or f"the data set {quote(there.name)} in {quote(there.where, 300)} is {there.origin}"
        )
        raise EnvironmentProblem(
            problem, "`repro data prepare cifar10 --replace` puts the official one in its place"
        )
    path = cifar10.partial_path(folder, url)
    cifar10.download(path, url, progress)
    try:
        _save_official(path, url, folder, replace)
    finally:
        path.unlink(missing_ok=True)  # what is whole and not official would be found again for ever


def _save_official(path: Path, url: str, folder: Path, replace: bool) -> None:
    """Put downloaded images in their place, if they are the official ones."""
    hint = "`--url` names another address"
    try:
        arrays, origin = _recognised(read_images(path))
    except UserError as error:
        raise EnvironmentProblem(
            f"what came from {quote(url, 300)} cannot be read: {error.problem}", hint
        ) from None
    if not is_official(origin):
        difference = first_difference(arrays, official_cifar10())
        raise EnvironmentProblem(
            f"what came from {quote(url, 300)} is not the official CIFAR-10: {difference}", hint
        )
    npy_store.save(cifar10.NAME, arrays, origin, cifar10.file_name(url), folder, replace)


def _not_downloaded(name: str, hint: str) -> UserError:
    if name == "imagenet":
        return EnvironmentProblem(
            "ImageNet is not downloaded: its licence is between you and image-net.org",
            _how_to_get(name),
        )
    return UserError(f"no data set {quote(name)} to prepare", hint or _how_to_get(name))


def _how_to_get(name: str) -> str:
    if name in GENERATED:
        return "nothing to do"
    prepared = "`repro data prepare cifar10`, or " if name == cifar10.NAME else ""
    return f"{prepared}`repro data import {name} PATH`"


def _images(manifest: npy_store.Manifest, name: str, where: str) -> DatasetInfo:
    counts = len(manifest.classes), manifest.train_images, manifest.test_images
    return DatasetInfo(
        name, "ready", where, manifest.origin, *counts, GIVEN, manifest.hash, manifest.difference
    )


def _photos(about: About, name: str, where: str) -> DatasetInfo:
    counts = len(about.classes), about.train_images, about.val_images
    return DatasetInfo(name, "ready", where, about.origin, *counts, about.split, about.hash)
