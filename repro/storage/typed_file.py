"""One JSON file of a run folder, read as a value of one kind.

A file that is not there is None. Whatever else is wrong is a `FileProblem`, which names the file
and what is wrong in it.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from repro.errors import ENVIRONMENT, USAGE, UserError, quote
from repro.storage.access import how_to_get
from repro.storage.atomic import NOT_A_FILE, read_file

SCHEMA = 1  # the newest layout that this version understands
HINT = "restore the file from a copy, or remove it"

_Content = TypeVar("_Content", bound=Struct)


class FileProblem(UserError):
    """A file of a run folder cannot be believed. `reason` names the file without its folder."""

    def __init__(self, path: Path, reason: str, hint: str = "", code: int = USAGE) -> None:
        super().__init__(f"{quote(path.parent, 300)}: {reason}", hint)
        self.reason = reason
        self.code = code


def read_regular(path: Path) -> bytes | None:
    """Return a file's content; None where there is none. A pipe or a folder is named, not read."""
    try:
        return read_file(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in (None, errno.EISDIR):
            raise FileProblem(path, f"{path.name} is {NOT_A_FILE}", HINT) from None
        raise _cannot_read(path, error) from None


def read_struct(path: Path, kind: type[_Content]) -> _Content | None:
    """Return what the file holds; None where there is none."""
    content = read_regular(path)
    return None if content is None else decoded(path, content, kind)


def decoded(path: Path, content: bytes, kind: type[Any], hint: str = HINT) -> Any:
    """Return the content as a value of this kind, whatever somebody wrote there."""
    try:
        value = msgspec.json.decode(content, type=kind)
        schema = getattr(value, "schema", SCHEMA)
    except msgspec.ValidationError as error:
        # A newer version may have given a key another type: then the version is what to name.
        schema = _schema_of(content)
        if schema <= SCHEMA:
            reason = str(error)
            problem = f"{path.name} is damaged: {reason[:1].lower()}{reason[1:]}"
            raise FileProblem(path, problem, hint) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise FileProblem(path, f"{path.name} is damaged: not JSON", hint) from None
    except RecursionError:
        raise FileProblem(path, f"{path.name} is damaged: nested too deeply", hint) from None
    if schema > SCHEMA:
        problem = f"{path.name} was written by a newer version (schema {schema}); update this one"
        raise FileProblem(path, problem)
    return value


class _Versioned(Struct):
    schema: int = SCHEMA


def _schema_of(content: bytes) -> int:
    try:
        return msgspec.json.decode(content, type=_Versioned).schema
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return SCHEMA


def _cannot_read(path: Path, error: OSError) -> FileProblem:
    reason = os.strerror(error.errno) if error.errno else str(error)
    return FileProblem(
        path,
        f"{path.name} cannot be read: {reason}",
        how_to_get(os.R_OK, path) or "see that you may read it",
        ENVIRONMENT,
    )
