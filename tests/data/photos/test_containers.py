"""ImageNet is its files and their classes, whatever container they came in."""

from __future__ import annotations

import gc
import tarfile
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest

from repro.data.archives import read_tar_stream
from repro.data.photos import attested
from repro.data.photos.attested import Attested, Expected, expected_of
from repro.data.photos.imagenet import import_photos, labels
from repro.data.photos.pack_format import check_pack, open_pack, read_about
from repro.errors import UserError
from tests.data.photos.containers import (
    CONTAINERS,
    Piece,
    add,
    flat,
    flat_with_list,
    small_set,
    write_table,
)
from tests.data.photos.containers import folders as class_folders
from tests.data.photos.photo_files import photo

SET = small_set()
WHOLE = Expected(
    train_images=12,
    val_images=6,
    classes=3,
    least_train_images_of_a_class=4,
    most_train_images_of_a_class=4,
    val_images_of_a_class=2,
    cmyk_images=1,
)
WORDS = {"tar": "archive", "zipped": "archive", "kaggle_zip": "archive"} | {
    "parquet": "parquet",
    "parquet_by_wordnet": "parquet",
    "webdataset": "webdataset",
    "webdataset_with_json": "webdataset",
    "official_archives": "archives",
}


def digest_of(pieces: list[Piece], folder: Path) -> str:
    """The digest of a set that came in class folders."""
    root = class_folders(pieces, folder / "in")
    return import_photos("imagenet", root, folder / "data", expected=WHOLE).hash


@pytest.fixture(scope="module")
def digest(tmp_path_factory: pytest.TempPathFactory) -> str:
    return digest_of(SET, tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_container_gives_the_same_digest_the_same_order_and_a_complete_set(
    tmp_path: Path, digest: str, container: str
) -> None:
    path = CONTAINERS[container](SET, tmp_path / "in")
    about = import_photos("imagenet", path, tmp_path / "data", expected=WHOLE)
    assert about.hash == digest
    assert about.origin == f"{WORDS.get(container, 'folders')}, complete: 12 + 6"
    assert about.split == "as given"
    opened = open_pack(tmp_path / "data/imagenet")
    order = [(opened.labels[row], opened.content(row)) for row in range(len(SET))]
    by_digest = sorted(SET, key=lambda piece: (piece.number, _sha256(piece.content)))
    assert order == [(piece.number, piece.content) for piece in by_digest]
    assert [by_digest[row].split for row in opened.val] == ["val"] * 6
    assert check_pack(tmp_path / "data/imagenet").hash == digest


def test_the_same_pixels_from_two_containers_give_the_same_mean(tmp_path: Path) -> None:
    means = set()
    for container in ("folders", "parquet", "webdataset"):
        path = CONTAINERS[container](SET, tmp_path / container)
        means.add(import_photos("imagenet", path, tmp_path / f"{container}-data").mean)
    assert len(means) == 1


def test_images_of_one_colour_have_no_spread_and_give_no_warning(tmp_path: Path) -> None:
    from PIL import Image

    for split, number in (("train", 0), ("train", 1), ("train", 2), ("val", 3)):
        (tmp_path / "in" / split / "n0").mkdir(parents=True, exist_ok=True)
        plain = Image.new("RGB", (40, 40), (13, 19, 26))
        plain.save(tmp_path / "in" / split / f"n0/{number}.png", compress_level=number)
    about = import_photos("imagenet", tmp_path / "in", tmp_path / "data")
    assert about.std == pytest.approx((0.0, 0.0, 0.0), abs=1e-6)


def changed_byte(pieces: list[Piece]) -> list[Piece]:
    content = bytearray(pieces[3].content)
    content[-12] ^= 1
    return [*pieces[:3], pieces[3]._replace(content=bytes(content)), *pieces[4:]]


def swapped_labels(pieces: list[Piece]) -> list[Piece]:
    one, other = pieces[0], pieces[4]
    swapped = {0: one._replace(label=other.label), 4: other._replace(label=one.label)}
    return [swapped.get(place, piece) for place, piece in enumerate(pieces)]


def swapped_splits(pieces: list[Piece]) -> list[Piece]:
    one, other = pieces[0], pieces[13]
    assert one.label == other.label
    swapped = {0: one._replace(content=other.content), 13: other._replace(content=one.content)}
    return [swapped.get(place, piece) for place, piece in enumerate(pieces)]


def one_image_twice(pieces: list[Piece]) -> list[Piece]:
    return [pieces[1]._replace(name=pieces[0].name), *pieces[1:]]


@pytest.mark.parametrize(
    "forge",
    [changed_byte, swapped_labels, swapped_splits, one_image_twice],
    ids=lambda f: f.__name__,
)
def test_a_forged_set_with_all_counts_right_never_has_the_attested_digest(
    tmp_path: Path, digest: str, forge: Callable[[list[Piece]], list[Piece]]
) -> None:
    known = replace(WHOLE, attested=(Attested(digest, "a person", "today", "the archives"),))
    root = class_folders(forge(SET), tmp_path / "in")
    about = import_photos("imagenet", root, tmp_path / "data", expected=known)
    assert about.hash != digest
    assert about.origin == "folders, complete: 12 + 6"


def without(*places: int) -> list[Piece]:
    return [piece for place, piece in enumerate(SET) if place not in places]


def moved(place: int, label: str) -> list[Piece]:
    return [piece._replace(label=label) if at == place else piece for at, piece in enumerate(SET)]


def written_anew() -> list[Piece]:
    return [*SET[:5], SET[5]._replace(content=photo(15)), *SET[6:]]


@pytest.mark.parametrize(
    ("pieces", "gap"),
    [
        (without(0), "incomplete: 11 + 6 images, not 12 + 6"),
        (without(12), "incomplete: 12 + 5 images, not 12 + 6"),
        (moved(0, "n99999999"), "incomplete: 4 classes, not 3"),
        (
            moved(0, "n01443537"),
            "incomplete: class `n01440764` has 3 training images, not 4 to 4",
        ),
        (
            moved(12, "n01440764"),
            "incomplete: class `n01440764` has 3 validation images, not 2",
        ),
        (written_anew(), "written anew: 0 CMYK training images, not 1"),
    ],
)
def test_a_set_that_is_not_complete_says_what_it_lacks(
    tmp_path: Path, pieces: list[Piece], gap: str
) -> None:
    root = class_folders(pieces, tmp_path / "in")
    about = import_photos("imagenet", root, tmp_path / "data", expected=WHOLE)
    assert about.origin == f"imported, {gap}"


def test_an_attested_digest_makes_any_container_official(tmp_path: Path, digest: str) -> None:
    known = replace(WHOLE, attested=(Attested(digest, "a person", "today", "the archives"),))
    root = CONTAINERS["parquet"](SET, tmp_path / "in")
    about = import_photos("imagenet", root, tmp_path / "data", expected=known)
    assert about.origin == "official pixels"


def test_a_digest_attested_later_needs_no_new_import(
    tmp_path: Path, digest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest_of(SET, tmp_path)
    assert read_about(tmp_path / "data/imagenet").origin == "folders, complete: 12 + 6"
    added = f'[[imagenet.attested]]\nhash = "{digest}"\nby = "a"\non = "b"\nsource = "c"\n'
    (tmp_path / "attested.toml").write_text(attested.FILE.read_text() + added)
    monkeypatch.setattr(attested, "FILE", tmp_path / "attested.toml")
    assert read_about(tmp_path / "data/imagenet").origin == "official pixels"
    assert open_pack(tmp_path / "data/imagenet").about.origin == "official pixels"


def test_the_file_of_digests_is_the_papers_set_and_a_slip_in_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = expected_of("imagenet")
    assert known is not None
    assert (known.train_images, known.val_images, known.classes) == (1_281_167, 50_000, 1000)
    assert known.classes * known.val_images_of_a_class == known.val_images
    assert expected_of("pets") is None
    (tmp_path / "attested.toml").write_text('[imagenet]\ntrain_images = "many"\n')
    monkeypatch.setattr(attested, "FILE", tmp_path / "attested.toml")
    with pytest.raises(UserError, match=r"attested\.toml`: Expected `int`, got `str`"):
        expected_of("imagenet")


def test_a_set_imported_again_from_elsewhere_is_kept_with_the_better_origin(tmp_path: Path) -> None:
    origins = []
    for expected in (None, WHOLE, None):
        root = class_folders(SET, tmp_path / "in")
        about = import_photos("imagenet", root, tmp_path / "data", expected=expected)
        assert read_about(tmp_path / "data/imagenet") == about
        origins.append(about.origin.split(":")[0])
    assert origins == ["imported, incomplete", "folders, complete", "folders, complete"]


def tar_of(count: int) -> bytes:
    content = BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for number in range(count):
            add(archive, f"train/n0/{number}.JPEG", b"x")
    return content.getvalue()


def test_a_tar_of_many_files_is_read_without_keeping_what_was_read() -> None:
    files = read_tar_stream(BytesIO(tar_of(500)), "many.tar", 100)
    gc.collect()
    most = 0
    for number, _ in enumerate(files):
        if number % 100 == 99:
            entries = sum(type(one) is tarfile.TarInfo for one in gc.get_objects())
            most = max(most, entries)
    assert number == 499
    assert most < 50


def test_one_table_or_one_shard_alone_is_a_sample_with_its_split_made_here(tmp_path: Path) -> None:
    rows = [({"bytes": piece.content, "path": None}, piece.number) for piece in SET[:12]]
    table = write_table(tmp_path / "sample.parquet", rows)
    with tarfile.open(tmp_path / "sample.tar", "w") as archive:
        for place, piece in enumerate(SET[:12]):
            add(archive, f"{place}.jpg", piece.content)
            add(archive, f"{place}.cls", b"%d" % piece.number)
    for path in (table, tmp_path / "sample.tar"):
        about = import_photos("imagenet", path, tmp_path / "data")
        assert (about.train_images, about.val_images) == (9, 3)
        assert about.split.startswith("one image in 5")


def _shard(root: Path, *files: tuple[str, bytes]) -> Path:
    root.mkdir()
    with tarfile.open(root / "train-0000.tar", "w") as archive:
        for name, content in files:
            add(archive, name, content)
    return root


def _table(root: Path, image: object, label: object) -> Path:
    return write_table(root / "train-0.parquet", [(image, label)]).parent


def _one(root: Path, name: str, content: bytes = b"x") -> Path:
    root.mkdir()
    (root / name).write_bytes(content)
    return root


def _unnamed(root: Path) -> Path:
    flat_with_list(SET, root)
    (root / "val/ILSVRC2012_val_00000001.JPEG").rename(root / "val/ILSVRC2012_val_7.JPEG")
    return root


def _half_flat(root: Path) -> Path:
    class_folders(SET, root)
    (root / "val/stray.JPEG").write_bytes(photo(1))
    return root


def _kaggle_without(root: Path, line: str) -> Path:
    (flat(SET, root) / labels.KAGGLE).write_text(line)
    return root


@pytest.mark.parametrize(
    ("make", "problem", "hint"),
    [
        (
            lambda root: _one(root, "train-00000-of-01024"),
            "TFRecord file, which is not",
            "accepted",
        ),
        (
            lambda root: _one(root, "data.mdb"),
            "is an LMDB data base, which is not read",
            "accepted",
        ),
        (lambda root: _one(root, "a.rec") / "a.rec", "is a RecordIO file of MXNet", "accepted are"),
        (lambda root: _one(root, "a.txt") / "a.txt", "is no tar, zip or parquet file", "accepted"),
        (lambda root: _one(root, "a.txt"), "which has 1 entries, such as `a.txt`", "accepted are"),
        (
            lambda root: _one(root, "a.JPEG"),
            "which has 1 entries, such as `a.JPEG`",
            "accepted are",
        ),
        (lambda root: _one(root, "train-0.parquet"), "as Parquet: ", "copy or download"),
        (lambda root: _one(root, "train-0.tar"), "is not a whole archive", "copy or download"),
        (lambda root: flat(SET, root), "classes of the validation images are not in", "devkit_t12"),
        (_unnamed, "`ILSVRC2012_val_7.JPEG` is not one of the 6 validation images", "whole?"),
        (_half_flat, "val/stray.JPEG` is in no class folder", "put every image"),
        (lambda root: _kaggle_without(root, "a,b\n"), "lacks the column `ImageId`", "as Kaggle"),
        (
            lambda root: _kaggle_without(root, "ImageId,PredictionString\n"),
            "`ILSVRC2012_val_00000001.JPEG` is not in LOC_val_solution.csv",
            "remove the image",
        ),
        (lambda root: _shard(root, ("0.jpg", photo(1))), "train-0000.tar/0` has no label", "cls"),
        (
            lambda root: _shard(root, ("0.jpg", photo(1)), ("0.cls", b"-1")),
            "has the label -1",
            "numbered from 0",
        ),
        (
            lambda root: _shard(root, ("0.jpg", photo(1)), ("0.json", b'{"label": [1]}')),
            "has the label `[1]`",
            "a number or a name",
        ),
        (
            lambda root: _table(root, {"bytes": None, "path": "a.jpg"}, 1),
            "no bytes",
            "embed_storage",
        ),
        (lambda root: _table(root, {"bytes": photo(1), "path": ""}, -1), "label -1", "from 0"),
        (
            lambda root: _table(root, {"bytes": photo(1), "path": ""}, None),
            "has no label",
            "`label`",
        ),
    ],
)
def test_what_cannot_be_read_says_what_it_is_and_what_would_do(
    tmp_path: Path, make: Callable[[Path], Path], problem: str, hint: str
) -> None:
    path = make(tmp_path / "in")
    with pytest.raises(UserError) as raised:
        import_photos("imagenet", path, tmp_path / "data")
    assert problem in raised.value.problem
    assert hint in raised.value.hint
    assert not (tmp_path / "data").exists()


def test_a_table_without_labels_names_the_column(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"image": [b"x"]}), tmp_path / "train.parquet")
    with pytest.raises(
        UserError, match=r"train\.parquet` has the columns `image`, and none of them is `label`"
    ):
        import_photos("imagenet", tmp_path / "train.parquet", tmp_path / "data")


def _sha256(content: bytes) -> str:
    import hashlib

    return hashlib.sha256(content).hexdigest()
