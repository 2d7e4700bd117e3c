"""Photos are found in every usual layout, whatever they are called, and a bad one is named."""

from __future__ import annotations

import os
import shutil
import tarfile
import threading
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments.recipes import IMAGENET
from repro.data import open_source
from repro.data.photos.imagenet import import_photos, labels, official
from repro.data.photos.pack_format import check_pack, open_pack, rows_of
from repro.data.photos.transforms import decode
from repro.data.staging import copy_to_node
from repro.errors import EnvironmentProblem, UserError
from tests.data.photos.photo_files import folders, photo, pixels


def test_the_usual_folders_give_train_and_val_and_classes_by_sorted_name(tmp_path: Path) -> None:
    about = import_photos("imagenet", folders(tmp_path / "in"), tmp_path / "data")
    assert (about.train_images, about.val_images, about.classes) == (12, 6, ("n00", "n01", "n02"))
    assert about.origin == "imported, incomplete: 12 + 6 images, not 1,281,167 + 50,000"
    assert about.split == "as given"


def test_every_image_is_kept_as_the_file_it_was(tmp_path: Path) -> None:
    root = folders(tmp_path / "in")
    import_photos("imagenet", root, tmp_path / "data")
    opened = open_pack(tmp_path / "data" / "imagenet")
    for place, row in enumerate(rows_of((tmp_path / "data/imagenet/manifest.csv").read_bytes())):
        content = (root / row.path).read_bytes()
        assert opened.content(place) == content
        assert (row.width, row.height) == Image.open(BytesIO(content)).size
        assert opened.path_of(place) == row.path


def test_a_tar_of_the_same_images_in_another_order_is_the_same_set(tmp_path: Path) -> None:
    root = folders(tmp_path / "in")
    with tarfile.open(tmp_path / "all.tar", "w") as tar:
        for file in sorted(root.rglob("*.JPEG"), reverse=True):
            tar.add(file, f"./{file.relative_to(root)}")
    one = import_photos("imagenet", root, tmp_path / "one")
    other = import_photos("imagenet", tmp_path / "all.tar", tmp_path / "other")
    assert one.hash == other.hash
    labels = [
        open_pack(tmp_path / place / "imagenet").labels.tolist() for place in ("one", "other")
    ]
    assert labels[0] == labels[1]


def test_names_do_not_enter_the_hash_and_classes_do(tmp_path: Path) -> None:
    one, renamed, moved = (folders(tmp_path / name) for name in ("one", "renamed", "moved"))
    (renamed / "train/n00/0.JPEG").rename(renamed / "train/n00/zebra.jpg")
    (moved / "train/n00/0.JPEG").rename(moved / "train/n01/zebra.jpg")
    hashes = [
        import_photos("x", root, tmp_path / root.name / "data").hash
        for root in (one, renamed, moved)
    ]
    assert hashes[0] == hashes[1] != hashes[2]


def test_one_image_in_five_is_held_out_where_there_is_no_split(tmp_path: Path) -> None:
    about = import_photos("sample", folders(tmp_path / "in", train=10) / "train", tmp_path / "data")
    assert (about.train_images, about.val_images) == (24, 6)
    assert (
        about.split
        == "one image in 5 of each class held out for validation, the lowest SHA-256 first"
    )


def test_with_one_image_a_class_all_are_for_both_and_the_manifest_says_so(tmp_path: Path) -> None:
    about = import_photos("sample", folders(tmp_path / "in", train=1) / "train", tmp_path / "data")
    assert (about.train_images, about.val_images) == (3, 3)
    assert about.split.startswith("none: some class has one image only")
    seen = replace(IMAGENET.input, size=32, shorter_side=(36, 68), test_side=36, test_sides=(36,))
    source = open_source(
        replace(IMAGENET, dataset="sample", input=seen, batch=2, batch_norm_group=None),
        tmp_path / "data",
    )
    assert source.tested_on_training_images


def test_grey_and_cmyk_and_misnamed_images_become_rgb(tmp_path: Path) -> None:
    root = folders(tmp_path / "in")
    odd = {"L": photo(7, "L"), "CMYK": photo(7, "CMYK"), "PNG": photo(7, form="PNG")}
    for name, content in odd.items():
        (root / "train/n01" / f"{name}.JPEG").write_bytes(content)
    import_photos("imagenet", root, tmp_path / "data")
    rows = list(rows_of((tmp_path / "data/imagenet/manifest.csv").read_bytes()))
    found = {Path(row.path).stem: (row.format, row.mode) for row in rows}
    assert (found["L"], found["CMYK"], found["PNG"]) == (
        ("JPEG", "L"),
        ("JPEG", "CMYK"),
        ("PNG", "RGB"),
    )
    assert np.array_equal(np.asarray(decode(odd["PNG"])), pixels(7))
    assert np.abs(np.asarray(decode(odd["CMYK"])).astype(int) - pixels(7)).max() < 16
    assert np.asarray(decode(odd["L"])).shape == (48, 60, 3)


def test_every_corrupt_image_is_named_and_nothing_is_imported(tmp_path: Path) -> None:
    root = folders(tmp_path / "in")
    (root / "val/n02/0.JPEG").write_bytes(photo(1)[:-300])
    (root / "train/n01/1.JPEG").write_bytes(b"not an image")
    with pytest.raises(UserError) as raised:
        import_photos("imagenet", root, tmp_path / "data")
    assert (
        "`train/n01/1.JPEG` (cannot identify image file), `val/n02/0.JPEG` (image file is trunc"
        in str(raised.value)
    )
    assert "remove them, and import again" in raised.value.hint
    assert not (tmp_path / "data").exists()


def test_more_corrupt_images_than_fit_are_counted(tmp_path: Path) -> None:
    root = folders(tmp_path / "in")
    for number in range(7):
        (root / f"train/n00/bad{number}.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"bad4\.png` \(cannot identify image file\) and 2 more$"):
        import_photos("imagenet", root, tmp_path / "data")


def official_archives(root: Path) -> Path:
    """The official archives in small: a tar of tars, a flat tar, and the kit as a folder."""
    from scipy.io import savemat

    names = ["n02", "n01", "n00"]  # ILSVRC2012_ID 1, 2, 3: not in sorted order
    with tarfile.open(_made(root / official.TRAIN), "w") as outer:
        for name in names:
            inner = BytesIO()
            with tarfile.open(fileobj=inner, mode="w") as tar:
                for number in range(2):
                    _add(tar, f"{name}_{number}.JPEG", photo(int(name[1:]) * 10 + number))
            _add(outer, f"{name}.tar", inner.getvalue())
    with tarfile.open(root / official.VAL, "w") as tar:
        for number in (3, 1, 2):
            _add(tar, f"ILSVRC2012_val_{number:08d}.JPEG", photo(100 + number))
    kind = [("ILSVRC2012_ID", "i4"), ("WNID", "U9"), ("words", "U9"), ("num_children", "i4")]
    synsets = np.array(
        [(1, "n02", "c", 0), (2, "n01", "b", 0), (3, "n00", "a", 0), (4, "n99", "inner", 3)],
        dtype=kind,
    )
    savemat(_made(root / labels.KIT / "data/meta.mat"), {"synsets": synsets})
    (root / labels.KIT / "data/ILSVRC2012_validation_ground_truth.txt").write_text("3\n1\n1\n")
    return root


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, BytesIO(content))


def test_the_official_archives_are_read_with_the_kits_validation_classes(tmp_path: Path) -> None:
    about = import_photos("imagenet", official_archives(tmp_path / "in"), tmp_path / "data")
    assert (about.train_images, about.val_images, about.classes) == (6, 3, ("n00", "n01", "n02"))
    rows = rows_of((tmp_path / "data/imagenet/manifest.csv").read_bytes())
    val = {Path(row.path).name: row.label for row in rows if row.split == "val"}
    assert [val[f"ILSVRC2012_val_0000000{number}.JPEG"] for number in (1, 2, 3)] == [0, 2, 2]


def test_the_kit_may_be_an_archive(tmp_path: Path) -> None:
    root = official_archives(tmp_path / "in")
    with tarfile.open(root / f"{labels.KIT}.tar.gz", "w:gz") as tar:
        tar.add(root / labels.KIT, labels.KIT)
    shutil.rmtree(root / labels.KIT)
    assert import_photos("imagenet", root, tmp_path / "data").val_images == 3


def test_archives_are_official_only_if_their_md5_is_the_published_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hashlib

    root = official_archives(tmp_path / "in")
    assert import_photos("imagenet", root, tmp_path / "one").origin.startswith(
        "imported, incomplete"
    )
    real = {
        name: hashlib.md5((root / name).read_bytes()).hexdigest()
        for name in (official.TRAIN, official.VAL)
    }
    monkeypatch.setattr(official, "MD5", real)
    assert import_photos("imagenet", root, tmp_path / "two").origin == "official archive"


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda root: (root / official.VAL).unlink(), "`ILSVRC2012_img_val.tar` is not in"),
        (
            lambda root: shutil.rmtree(root / labels.KIT),
            "the classes of the validation images are not in",
        ),
        (lambda root: os.truncate(root / official.TRAIN, 3000), "is not a whole archive"),
        (
            lambda root: (
                root / labels.KIT / "data/ILSVRC2012_validation_ground_truth.txt"
            ).write_text("3\n"),
            "is not one of the 1 validation images",
        ),
        (
            lambda root: (
                root / labels.KIT / "data/ILSVRC2012_validation_ground_truth.txt"
            ).write_text("7\n"),
            "names a class 7 it does not define",
        ),
    ],
)
def test_incomplete_official_archives_are_refused(tmp_path: Path, spoil, problem: str) -> None:
    root = official_archives(tmp_path / "in")
    spoil(root)
    with pytest.raises(UserError, match=problem):
        import_photos("imagenet", root, tmp_path / "data")


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda root: shutil.rmtree(root), "there is nothing at"),
        (lambda root: shutil.rmtree(root / "val"), "there is no folder"),
        (lambda root: [file.unlink() for file in root.rglob("*.JPEG")], "no images found"),
        (
            lambda root: [file.unlink() for file in (root / "val").rglob("*.JPEG")],
            "no images in `val`",
        ),
        (
            lambda root: (root / "val/n02").rename(root / "val/n77"),
            "`val` has the class `n77`, which `train` lacks",
        ),
        (
            lambda root: _in_place(root / "val/n02/1.JPEG", Path.mkdir),
            "is a folder, no file of images",
        ),
        (
            lambda root: _in_place(root / "val/n02/1.JPEG", os.mkfifo),
            "is a pipe, no file of images",
        ),
    ],
)
def test_folders_that_are_no_data_set_are_refused(tmp_path: Path, spoil, problem: str) -> None:
    spoil(folders(tmp_path / "in"))
    with pytest.raises(UserError, match=problem):
        import_photos("imagenet", tmp_path / "in", tmp_path / "data")


def _in_place(file: Path, make: Callable[[Path], None]) -> None:
    file.unlink()
    make(file)


def test_an_archive_half_with_a_split_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "odd.tar", "w") as tar:
        _add(tar, "train/n0/1.JPEG", photo(1))
        _add(tar, "n0/2.JPEG", photo(2))
    with pytest.raises(UserError, match="some images are in `train` or `val` and some in neither"):
        import_photos("imagenet", tmp_path / "odd.tar", tmp_path / "data")


def test_importing_the_same_again_keeps_it_and_another_set_needs_to_be_asked_for(
    tmp_path: Path,
) -> None:
    one, other = folders(tmp_path / "one"), folders(tmp_path / "other", train=2)
    first = import_photos("imagenet", one, tmp_path / "data")
    assert import_photos("imagenet", one, tmp_path / "data") == first
    with pytest.raises(UserError, match="there is another data set `imagenet`"):
        import_photos("imagenet", other, tmp_path / "data")
    assert import_photos("imagenet", other, tmp_path / "data", replace=True).train_images == 6
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["imagenet"]


def test_a_folder_that_is_no_data_set_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "data/imagenet").mkdir(parents=True)
    with pytest.raises(UserError, match="is there and is not a data set"):
        import_photos("imagenet", folders(tmp_path / "in"), tmp_path / "data")


def test_a_missing_set_is_an_error_that_says_how_to_import(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem) as raised:
        open_pack(tmp_path / "imagenet")
    assert "`repro data import imagenet PATH`" in raised.value.hint


@pytest.mark.parametrize(
    ("file", "problem"),
    [("manifest.csv", "is damaged: its SHA-256"), ("photos.pack", "it has [0-9,]+ bytes")],
)
def test_a_changed_manifest_and_a_short_pack_are_found_on_opening(
    tmp_path: Path, file: str, problem: str
) -> None:
    import_photos("imagenet", folders(tmp_path / "in"), tmp_path / "data")
    os.truncate(tmp_path / "data/imagenet" / file, 100)
    with pytest.raises(EnvironmentProblem, match=problem):
        open_pack(tmp_path / "data/imagenet")


def test_a_missing_manifest_is_found(tmp_path: Path) -> None:
    import_photos("imagenet", folders(tmp_path / "in"), tmp_path / "data")
    (tmp_path / "data/imagenet/manifest.csv").unlink()
    with pytest.raises(EnvironmentProblem, match="it is missing"):
        open_pack(tmp_path / "data/imagenet")


def test_one_changed_byte_is_found_by_check_and_its_image_named(tmp_path: Path) -> None:
    about = import_photos("imagenet", folders(tmp_path / "in"), tmp_path / "data")
    assert check_pack(tmp_path / "data/imagenet") == about
    with (tmp_path / "data/imagenet/photos.pack").open("r+b") as file:
        file.seek(700)
        byte = file.read(1)
        file.seek(700)
        file.write(bytes([byte[0] ^ 1]))
    with pytest.raises(EnvironmentProblem, match=r"`train/n00/0\.JPEG` is not what was imported"):
        check_pack(tmp_path / "data/imagenet")


def test_a_record_with_another_hash_is_found_by_check(tmp_path: Path) -> None:
    about = import_photos("imagenet", folders(tmp_path / "in"), tmp_path / "data")
    record = tmp_path / "data/imagenet/dataset.json"
    record.write_text(record.read_text().replace(about.hash, "0" * 64))
    with pytest.raises(EnvironmentProblem, match="its hash is not that of the manifest"):
        check_pack(tmp_path / "data/imagenet")


def test_a_set_of_another_version_is_refused(tmp_path: Path) -> None:
    import_photos("imagenet", folders(tmp_path / "in"), tmp_path / "data")
    record = tmp_path / "data/imagenet/dataset.json"
    record.write_text(record.read_text().replace('"schema": 1', '"schema": 2'))
    with pytest.raises(UserError, match="is of another version"):
        open_pack(tmp_path / "data/imagenet")


def test_many_processes_of_a_node_stage_one_copy(tmp_path: Path) -> None:
    about = import_photos("imagenet", folders(tmp_path / "in"), tmp_path / "data")
    places: list[Path] = []
    threads = [
        threading.Thread(
            target=lambda: places.append(
                copy_to_node(tmp_path / "data/imagenet", tmp_path / "scratch")
            )
        )
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(places)) == 1
    assert check_pack(places[0] / "imagenet") == about
    assert sorted(path.name for path in places[0].iterdir()) == ["imagenet", "lock"]


def test_what_a_killed_copy_left_is_cleared_away(tmp_path: Path) -> None:
    import_photos("imagenet", folders(tmp_path / "in"), tmp_path / "data")
    place = copy_to_node(tmp_path / "data/imagenet", tmp_path / "scratch")
    (place / "imagenet").rename(place / ".imagenet.killed")
    copy_to_node(tmp_path / "data/imagenet", tmp_path / "scratch")
    assert sorted(path.name for path in place.iterdir()) == ["imagenet", "lock"]


def test_a_scratch_without_room_is_an_error(tmp_path: Path) -> None:
    import_photos("imagenet", folders(tmp_path / "in"), tmp_path / "data")
    record = tmp_path / "data/imagenet/dataset.json"
    text = record.read_text().split('"bytes": ')
    record.write_text(text[0] + '"bytes": 9' + "0" * 17 + text[1][text[1].index(",") :])
    with pytest.raises(EnvironmentProblem, match="bytes free, and `imagenet` needs"):
        copy_to_node(tmp_path / "data/imagenet", tmp_path / "scratch")
    with pytest.raises(EnvironmentProblem, match="cannot write"):
        copy_to_node(tmp_path / "data/imagenet", record / "scratch")
