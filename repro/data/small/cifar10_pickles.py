"""Pickles of CIFAR-10's python version, opened so that nothing in them can run.

A pickle may name any function for its reader to call. Only the three names that an array needs are
known here, and they stand for two classes of this module. So numpy never sees a pickle's content
before its type and shape are checked.
"""

from __future__ import annotations

import io
import math
import pickle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from repro.errors import UserError, quote

ARRAY_PARTS = ("_reconstruct", "ndarray", "dtype")
ARRAY_MODULES = ("numpy", "numpy.core.multiarray", "numpy._core.multiarray")


def open_pickle(name: str, content: bytes) -> dict[str, Any]:
    """Return the dictionary in a pickle: of numbers, text, lists and arrays of bytes."""
    try:
        opened = _OnlyArrays(io.BytesIO(content), encoding="latin1").load()
    except UserError:
        raise
    except Exception as error:  # a damaged pickle may raise anything
        raise _damaged(name, f"{type(error).__name__}: {error}") from None
    if not isinstance(opened, dict):
        raise _damaged(name, f"it holds {type(opened).__name__}, not a dictionary")
    # Some copies of the python version have keys of bytes.
    return {_text(key): _plain(name, value) for key, value in opened.items()}


class _OnlyArrays(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module not in ARRAY_MODULES or name not in ARRAY_PARTS:
            raise UserError(
                f"a pickle wants to call {quote(f'{module}.{name}')}", "do not use these files"
            )
        return _PickledType if name == "dtype" else _PickledArray


class _PickledArray:
    """An array as a pickle has it: its state, not yet believed."""

    def __init__(self, *_: object) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def array(self) -> NDArray[np.uint8]:
        """Return the array, if it is one of bytes in the usual order."""
        _, shape, kind, columns_first, content = self.state
        if kind.name != "u1" or columns_first:
            raise ValueError("it holds an array that is not of bytes, row by row")
        data = content
        if isinstance(content, str):  # Python 2 wrote text
            data = content.encode("latin1")
        if math.prod(shape) != len(data):
            raise ValueError(f"it holds {len(data):,} bytes for an array of {quote(shape)}")
        return np.frombuffer(data, np.uint8).reshape(shape)


class _PickledType:
    """The type of an array as a pickle has it."""

    def __init__(self, name: object = None, *_: object) -> None:
        self.name = name

    def __setstate__(self, state: Any) -> None:
        """Ignore what a type says beyond its name: bytes have no order and no fields."""


def _text(key: Any) -> Any:
    return key.decode("latin1") if isinstance(key, bytes) else key


def _plain(name: str, value: Any) -> Any:
    if not isinstance(value, _PickledArray):
        return value
    try:
        return value.array()
    except (TypeError, ValueError, AttributeError, UnicodeEncodeError) as error:
        raise _damaged(name, str(error)) from None


def _damaged(name: str, reason: str) -> UserError:
    return UserError(
        f"{quote(name)} is no batch of CIFAR-10's python version: {reason[:120]}", "copy it again"
    )
