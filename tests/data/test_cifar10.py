"""The official archive is known by its MD5, and nothing in it can run."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
from small_sets import tar

from repro.data import cifar10
from repro.errors import Lacking, UserError


def batch(first: int) -> dict[str, object]:
    """Two images whose red, green and blue planes count up."""
    planes = (first + np.arange(2 * 3 * 32 * 32)) % 251
    return {"data": planes.astype(np.uint8).reshape(2, -1), "labels": [first % 10, 3]}


def archive(path: Path, **others: bytes) -> tuple[Path, str]:
    """An archive laid out as the official one, and its MD5."""
    files = {name: pickle.dumps(batch(n), protocol=3) for n, name in enumerate((*cifar10.TRAIN, *cifar10.TEST))}
    files["batches.meta"] = pickle.dumps({"label_names": [f"class {n}" for n in range(10)]}, protocol=3)
    tar(path, {f"cifar-10-batches-py/{name}": content for name, content in (files | others).items()})
    return path, hashlib.md5(path.read_bytes()).hexdigest()


def test_an_archive_is_read_in_its_own_order(tmp_path: Path) -> None:
    arrays = cifar10.read_archive(*archive(tmp_path / "c.tar.gz"))
    assert (arrays.train.shape, arrays.test.shape) == ((10, 32, 32, 3), (2, 32, 32, 3))
    assert arrays.train_labels.tolist() == [0, 3, 1, 3, 2, 3, 3, 3, 4, 3]
    assert arrays.classes[9] == "class 9"
    assert arrays.train[2, 0, 1].tolist() == [(1 + 1 + plane * 1024) % 251 for plane in range(3)]
    assert arrays.train.flags.c_contiguous


def test_a_pickle_of_python_2_is_read_as_the_official_ones_are() -> None:
    array = (  # protocol 2, with the 8-bit strings that Python 2 wrote
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR(K\x01(K\x02t"
        b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x02\x01\xfetb"
    )
    opened = cifar10._opened(b"\x80\x02}(U\x04data" + array + b"U\x06labels]K\x07au.")
    assert (opened["data"].tolist(), opened["data"].dtype, opened["labels"]) == ([1, 254], np.uint8, [7])


def test_an_archive_with_another_md5_is_not_opened(tmp_path: Path) -> None:
    path, _ = archive(tmp_path / "c.tar.gz")
    with pytest.raises(UserError, match=f"is not the official archive: its MD5 is not {cifar10.MD5}") as error:
        cifar10.read_archive(path)
    assert "repro data import cifar10" in error.value.hint


def test_a_pickle_that_calls_anything_is_an_error_and_is_not_called(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    with pytest.raises(UserError, match=r"a pickle wants to call `pathlib.*`"):
        cifar10.read_archive(*archive(tmp_path / "c.tar.gz", data_batch_3=pickle.dumps(Evil())))
    assert not (tmp_path / "ran").exists()


def test_a_download_is_kept_only_with_the_right_md5(tmp_path: Path) -> None:
    path, md5 = archive(tmp_path / "served.tar.gz")
    (tmp_path / "into").mkdir()
    seen = []
    kept = cifar10.download(tmp_path / "into", lambda done, of: seen.append(done), path.as_uri(), md5)
    assert kept.read_bytes() == path.read_bytes()
    assert seen[-1] == path.stat().st_size
    kept.unlink()
    with pytest.raises(Lacking, match=f"has MD5 {md5}, not {cifar10.MD5}"):
        cifar10.download(tmp_path / "into", url=path.as_uri())
    assert not list((tmp_path / "into").iterdir())


def test_without_a_network_the_download_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Lacking, match=r"cannot download `http://127.0.0.1:9/.*`: .*refused") as error:
        cifar10.download(tmp_path, url="http://127.0.0.1:9/cifar.tar.gz")
    assert error.value.hint.endswith("then `repro data import cifar10 cifar-10-python.tar.gz`")
    assert not list(tmp_path.iterdir())
