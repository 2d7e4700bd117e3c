"""The data sets, wherever they come from: listed, prepared, imported, checked. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

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

State: TypeAlias = Literal["ready", "missing", "damaged", "drawn when needed"]


@dataclass(frozen=True)
class DatasetInfo:
    """What is known of a data set without reading its images."""

    name: str
    state: State
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
        """Return how a split was made that the source did not have; nothing where it had one."""
        if self.split is None or self.split == GIVEN:
            return ""
        return self.split.removeprefix(NO_SPLIT)

    @property
    def split_in_short(self) -> str:
        """Return the same in two words, for a table."""
        if self.split is None:
            return "–"
        if self.split == GIVEN:
            return "given"
        return "train = test" if self.split.startswith(NO_SPLIT) else "held out"


def all_datasets(folder: Path) -> list[DatasetInfo]:
    """Return every set that the recipes name, and every other one in the folder."""
    others = {path.parent.name for path in folder.glob("[!.]*/*.json")} - set(KNOWN_NAMES)
    return [dataset_info(name, folder) for name in (*KNOWN_NAMES, *sorted(others))]


def dataset_info(name: str, folder: Path, whole: bool = False) -> DatasetInfo:
    """Return a set's state as its manifest has it; `whole`: read everything and compare hashes."""
    if name == generated.NAME:
        return DatasetInfo(
            name,
            "drawn when needed",
            "memory",
            "generated",
            generated.CLASSES,
            generated.TRAIN,
            generated.TEST,
            GIVEN,
        )
    where = folder / check_name(name, "a data set")
    if not where.exists():
        return _absent(name, where)
    try:
        if is_photos(name, folder):
            return _photos_info(check_pack(where) if whole else look_at_pack(where), name, where)
        if whole:
            return _images_info(npy_store.load(name, folder)[1], name, where)
        manifest = npy_store.look_at(name, folder)
    except UserError as error:
        return DatasetInfo(name, "damaged", str(where), problem=error.problem, hint=error.hint)
    if manifest is None:
        return _absent(name, where)
    return _images_info(manifest, name, where)


def _absent(name: str, where: Path) -> DatasetInfo:
    state: State = "drawn when needed" if name in GENERATED else "missing"
    return DatasetInfo(name, state, str(where), hint=_how_to_get(name))


def _images_info(manifest: npy_store.Manifest, name: str, where: Path) -> DatasetInfo:
    return DatasetInfo(
        name,
        "ready",
        str(where),
        manifest.origin,
        len(manifest.classes),
        manifest.train_images,
        manifest.test_images,
        GIVEN,
        manifest.hash,
        manifest.difference,
    )


def _photos_info(about: About, name: str, where: Path) -> DatasetInfo:
    return DatasetInfo(
        name,
        "ready",
        str(where),
        about.origin,
        len(about.classes),
        about.train_images,
        about.val_images,
        about.split,
        about.hash,
    )


def prepare(
    name: str,
    folder: Path,
    replace: bool = False,
    progress: cifar10.Progress = lambda done, of: None,
    url: str | None = None,
) -> DatasetInfo:
    """Make the set ready before a run needs it: download CIFAR-10, draw generated sets."""
    if url is not None and name != cifar10.NAME:
        problem = f"{quote(name)} is not downloaded, so it has no address"
        raise UserError(problem, "`--url` is for cifar10 alone")
    if name == cifar10.NAME:
        _prepare_cifar10(folder, replace, progress, cifar10.URL if url is None else url)
    elif name == "generated-photos":
        from repro.data.photos.generated import draw
        from repro.data.photos.pack_writer import PhotosToPack, pack

        pack(PhotosToPack(draw(), lambda: "generated"), folder / name, replace)
    elif name != generated.NAME:
        raise _not_downloaded(name)
    return dataset_info(name, folder, whole=True)


def import_set(name: str, path: Path, folder: Path, replace: bool = False) -> DatasetInfo:
    """Make a set of the images at that path, in any container that is read for its kind."""
    if name in GENERATED:
        problem = f"{quote(name)} is drawn by rule and cannot be imported"
        raise UserError(problem, "choose another name")
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


def resize_set(name: str, side: int, folder: Path, replace: bool = False) -> DatasetInfo:
    """Make a packed set of photos smaller once: `imagenet` becomes `imagenet-480`."""
    info = dataset_info(name, folder)
    if info.state == "missing":
        problem = f"no data set {quote(name)} in {quote(folder, 300)}"
        raise EnvironmentProblem(problem, info.hint or "")
    if not is_photos(name, folder):
        raise UserError(f"{quote(name)} has no photos of many sizes", "resize imagenet")
    from repro.data.photos import resize

    return dataset_info(resize.resize_set(name, side, folder, replace).name, folder)


def _recognised(arrays: Arrays) -> tuple[Arrays, Origin]:
    """Return the images and their origin; CIFAR-10's own are put into official order."""
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
    existing = dataset_info(cifar10.NAME, folder, whole=True)
    if existing.state == "ready" and is_official(existing.origin):
        return
    if existing.state != "missing" and not replace:
        name, where = quote(existing.name), quote(existing.where, 300)
        problem = existing.problem or f"the data set {name} in {where} is {existing.origin}"
        hint = "`repro data prepare cifar10 --replace` puts the official one in its place"
        raise EnvironmentProblem(problem, hint)
    path = cifar10.partial_path(folder, url)
    cifar10.download(path, url, progress)
    try:
        _save_official(path, url, folder, replace)
    finally:
        # A whole file that is not official would be found again at each try.
        path.unlink(missing_ok=True)


def _save_official(path: Path, url: str, folder: Path, replace: bool) -> None:
    """Put downloaded images in their place, if they are the official ones."""
    hint = "`--url` names another address"
    try:
        arrays, origin = _recognised(read_images(path))
    except UserError as error:
        problem = f"what came from {quote(url, 300)} cannot be read: {error.problem}"
        raise EnvironmentProblem(problem, hint) from None
    if not is_official(origin):
        difference = first_difference(arrays, official_cifar10())
        problem = f"what came from {quote(url, 300)} is not the official CIFAR-10: {difference}"
        raise EnvironmentProblem(problem, hint)
    npy_store.save(cifar10.NAME, arrays, origin, cifar10.file_name(url), folder, replace)


def _not_downloaded(name: str) -> UserError:
    if name == "imagenet":
        problem = "ImageNet is not downloaded: its licence is between you and image-net.org"
        return EnvironmentProblem(problem, _how_to_get(name))
    hint = did_you_mean(name, (cifar10.NAME, *GENERATED), _how_to_get(name))
    return UserError(f"no data set {quote(name)} to prepare", hint)


def _how_to_get(name: str) -> str:
    if name in GENERATED:
        return "nothing to do"
    if name == cifar10.NAME:
        return "`repro data prepare cifar10`, or `repro data import cifar10 PATH`"
    return f"`repro data import {name} PATH`"
