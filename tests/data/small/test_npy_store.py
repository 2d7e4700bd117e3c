"""Sets on disk are whole or absent, private, and verified when they are opened."""

from __future__ import annotations

import json
import multiprocessing
import stat
from pathlib import Path

import numpy as np
import pytest

from repro.data import open_source
from repro.data.small import npy_store
from repro.data.small.image_arrays import Arrays, content_hash
from repro.errors import EnvironmentProblem, UserError
from tests.data.small.small_sets import recipe, tiny


def saved(
    folder: Path, arrays: Arrays | None = None, name: str = "tiny", **how: bool
) -> npy_store.Manifest:
    return npy_store.save(name, arrays or tiny(), "imported", "pets.zip", folder, **how)


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    manifest = saved(tmp_path)
    arrays, same = npy_store.load("tiny", tmp_path)
    assert same == manifest
    assert content_hash(arrays) == content_hash(tiny()) == manifest.hash
    assert (manifest.origin, manifest.made_from, manifest.classes) == (
        "imported",
        "pets.zip",
        ("cat", "dog"),
    )


def test_a_recipe_opens_a_saved_set(tmp_path: Path) -> None:
    manifest = saved(tmp_path)
    source = open_source(recipe(), tmp_path)
    assert (source.name, source.hash, source.origin) == ("tiny", manifest.hash, "imported")
    assert (source.classes, source.train_images, source.test_images) == (2, 12, 5)


def test_a_missing_set_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="no data set `cifar10` in") as error:
        npy_store.load("cifar10", tmp_path)
    assert error.value.hint == (
        "`repro data prepare cifar10` downloads it; "
        "or `repro data import cifar10 PATH`, with a folder or an archive of images"
    )
    with pytest.raises(EnvironmentProblem) as error:
        npy_store.load("pets", tmp_path)
    assert error.value.hint.startswith("`repro data import pets PATH`")


def test_one_changed_byte_is_noticed_and_both_hashes_named(tmp_path: Path) -> None:
    manifest = saved(tmp_path)
    pixels = np.load(tmp_path / "tiny/test.npy")
    pixels[0, 0, 0, 0] ^= 1
    np.save(tmp_path / "tiny/test.npy", pixels)
    with pytest.raises(
        EnvironmentProblem,
        match=f"has changed: expected SHA-256 {manifest.hash}, found (?!{manifest.hash})",
    ) as error:
        npy_store.load("tiny", tmp_path)
    assert error.value.hint == "`repro data import tiny PATH --replace` makes it again"


@pytest.mark.parametrize("file", ["train.npy", "test_labels.npy"])
def test_a_cut_or_lost_array_is_an_error_that_names_the_set(tmp_path: Path, file: str) -> None:
    saved(tmp_path)
    path = tmp_path / "tiny" / file
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(EnvironmentProblem, match="cannot read data set `tiny`"):
        npy_store.load("tiny", tmp_path)
    path.unlink()
    with pytest.raises(EnvironmentProblem, match="cannot read data set `tiny`"):
        npy_store.load("tiny", tmp_path)


def test_an_array_that_is_a_pickle_is_not_opened(tmp_path: Path) -> None:
    saved(tmp_path)
    np.save(
        tmp_path / "tiny/train.npy", np.array([{"not": "pixels"}], dtype=object), allow_pickle=True
    )
    with pytest.raises(EnvironmentProblem, match="cannot read data set `tiny`"):
        npy_store.load("tiny", tmp_path)


def test_a_damaged_or_newer_manifest_is_an_error(tmp_path: Path) -> None:
    saved(tmp_path)
    path = tmp_path / "tiny/manifest.json"
    newer = json.loads(path.read_bytes()) | {"schema": 2}
    path.write_text("{")
    with pytest.raises(EnvironmentProblem, match=r"cannot read `.*manifest.json`"):
        npy_store.load("tiny", tmp_path)
    path.write_text(json.dumps(newer))
    with pytest.raises(EnvironmentProblem, match="was made by a newer version"):
        npy_store.load("tiny", tmp_path)


def test_files_and_folders_are_private(tmp_path: Path) -> None:
    saved(tmp_path / "data")
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data").rglob("*")}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}


def test_saving_the_same_set_again_keeps_it(tmp_path: Path) -> None:
    first = saved(tmp_path)
    written = (tmp_path / "tiny/train.npy").stat().st_mtime_ns
    assert saved(tmp_path) == first
    assert (tmp_path / "tiny/train.npy").stat().st_mtime_ns == written


def test_another_set_of_that_name_is_replaced_only_on_request(tmp_path: Path) -> None:
    first = saved(tmp_path)
    with pytest.raises(UserError, match="there is another data set `tiny` in") as error:
        saved(tmp_path, tiny(seed=1))
    assert "`--replace` puts the new one in its place" in error.value.hint
    assert npy_store.load("tiny", tmp_path)[1] == first
    saved(tmp_path, tiny(seed=1), replace=True)
    assert content_hash(npy_store.load("tiny", tmp_path)[0]) == content_hash(tiny(seed=1))
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


def test_a_damaged_set_is_replaced_on_request(tmp_path: Path) -> None:
    saved(tmp_path)
    (tmp_path / "tiny/manifest.json").write_text("{")
    saved(tmp_path, replace=True)
    npy_store.load("tiny", tmp_path)


def test_of_many_preparers_at_once_each_finds_the_one_valid_set(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        manifests = pool.map(saved, [tmp_path] * 24, chunksize=1)
    assert set(manifests) == {npy_store.load("tiny", tmp_path)[1]}
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


def test_a_preparer_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="cannot write") as error:
        saved(tmp_path / "file", (tmp_path / "file").write_text("in the way") and None)
    assert error.value.hint == "free some space, or choose another folder with `REPRO_DATA`"
    broken = Arrays(tiny().train, tiny().train_labels, tiny().test, np.array([object()]), ("cat",))
    with pytest.raises((ValueError, TypeError)):
        saved(tmp_path, broken)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".", "..", "a b", "x" * 65, "a\n"])
def test_a_hostile_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="is not a name for a data set"):
        saved(tmp_path, name=name)
    assert not list(tmp_path.iterdir())
