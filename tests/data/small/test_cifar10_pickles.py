"""Pickles of the python version are read, and nothing in one can run."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from repro.data.small.cifar10_pickles import open_pickle
from repro.errors import UserError


def test_a_pickle_of_python_2_is_read_as_the_official_ones_are() -> None:
    array = (  # protocol 2, with the 8-bit strings that Python 2 wrote
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR(K\x01(K\x02t"
        b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x02\x01\xfetb"
    )
    opened = open_pickle("data_batch_1", b"\x80\x02}(U\x04data" + array + b"U\x06labels]K\x07au.")
    assert (opened["data"].tolist(), opened["data"].dtype, opened["labels"]) == (
        [1, 254],
        np.uint8,
        [7],
    )


def test_keys_of_bytes_are_read_as_text() -> None:
    assert open_pickle("data_batch_1", pickle.dumps({b"labels": [7]}, protocol=3)) == {
        "labels": [7]
    }


class Touch:
    """An object whose pickle makes a file when it is opened."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_a_pickle_that_calls_anything_is_an_error_and_is_not_called(tmp_path: Path) -> None:
    content = pickle.dumps({"data": Touch(tmp_path / "ran")})
    with pytest.raises(UserError, match=r"a pickle wants to call `pathlib.*`"):
        open_pickle("data_batch_3", content)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "name", ["numpy.load", "numpy.core.multiarray.fromfile", "builtins.eval", "os.system"]
)
def test_only_what_an_array_needs_is_known(name: str) -> None:
    module, _, function = name.rpartition(".")
    with pytest.raises(UserError, match=f"a pickle wants to call `{name}`"):
        open_pickle("data_batch_3", f"c{module}\n{function}\n.".encode())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "EOFError"),
        (pickle.dumps({"labels": [1]})[:-3], "is no batch of CIFAR-10's python version"),
        (b"<html>not found</html>", "UnpicklingError"),
        (pickle.dumps([1, 2]), "it holds list, not a dictionary"),
        (
            pickle.dumps({"data": np.zeros(3, np.float32)}, protocol=3),
            "an array that is not of bytes",
        ),
        (pickle.dumps({"data": np.array([object], object)}, protocol=3), "wants to call"),
        (
            pickle.dumps({"data": np.zeros((2, 3), np.uint8, "F")}, protocol=3),
            "an array that is not of bytes",
        ),
        (
            pickle.dumps({"data": np.zeros(4, np.uint8)}, protocol=3).replace(
                b"K\x04\x85", b"K\x05\x85"
            ),
            "it holds 4 bytes for an array of",
        ),
    ],
    ids=[
        "empty",
        "cut",
        "a web page",
        "a list",
        "floats",
        "objects",
        "by columns",
        "another shape",
    ],
)
def test_a_pickle_that_is_no_batch_says_why(content: bytes, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        open_pickle("data_batch_3", content)
