"""Atomic writes: a file is whole or absent, whatever happens, and private to its maker.

Every file is written under a temporary name in its own folder, synced, and then renamed or linked
to its real name; then the folder is synced. `REPRO_GROUP_READABLE=1` lets our group read what we
write.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import stat
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from repro.errors import EnvironmentProblem, UserError, quote
from repro.storage.access import how_to_get


def write_atomic(
    path: Path,
    content: bytes,
    may_publish: Callable[[], None] = lambda: None,
    keeping: Path | None = None,
) -> None:
    """Replace the file by this content, or leave it as it was.

    `may_publish` is asked just before the rename, and raises if it may not be. What was there
    before lives on under the name `keeping`, so that there is a whole file under one of the two
    names at any moment, and under `path` as well.
    """
    with write_errors_explained(path, len(content)), _temporary(path, content) as new:
        old = f"{new[:-4]}.old.tmp"
        try:
            if keeping is not None:
                with contextlib.suppress(FileNotFoundError):
                    os.link(path, old)
            may_publish()
            if keeping is not None and os.path.exists(old):  # noqa: PTH110
                os.replace(old, keeping)  # noqa: PTH105
            os.replace(new, path)  # noqa: PTH105
            sync_folder(path.parent)
        except FileNotFoundError:
            may_publish()  # whoever may publish now has swept our temporaries away
            raise
        finally:
            if keeping is not None:
                # A rename onto another name of the same file leaves it.
                with contextlib.suppress(OSError):
                    os.unlink(old)  # noqa: PTH108


def create_exclusive(path: Path, content: bytes) -> bool:
    """Create the file with this content; return False where it is there. Exactly one creator wins.

    The content is written under a temporary name and linked to the real one, so no reader ever sees
    a part of it.
    """
    with write_errors_explained(path, len(content)), _temporary(path, content) as new:
        try:
            os.link(new, path)
        except FileExistsError:
            # With two links it is ours: a network file system asked twice.
            if os.stat(new).st_nlink < 2:  # noqa: PTH116
                return False
        except FileNotFoundError:
            if path.parent.exists():
                return False  # swept away by a newer attempt
            raise
        sync_folder(path.parent)
        return True


def write_all(handle: int, content: bytes) -> None:
    """Write all of it; the system may take a part at a time."""
    while content:
        content = content[os.write(handle, content) :]


def append_log(path: Path, text: str) -> None:
    """Append to a run's log, with the time of day for people to read."""
    line = f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S%z}  {text}\n"
    # A pipe that nobody reads is then an error, and not waited for.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK
    handle = os.open(path, flags, file_mode())
    try:
        write_all(handle, line.encode())
    finally:
        os.close(handle)


def make_folder(path: Path) -> None:
    """Make the folder and those above it: private, and there after a power cut."""
    if path.is_dir():
        return
    make_folder(path.parent)
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)  # noqa: PTH102
        allow_group(path)
    sync_folder(path.parent)


def allow_group(path: Path) -> None:
    """Let our group into this folder, if it may read what we write, and keep a setgid bit."""
    if group_may_read():
        os.chmod(path, 0o750 | (os.stat(path).st_mode & stat.S_ISGID))  # noqa: PTH101, PTH116


def group_may_read() -> bool:
    """Whether our group may read what we write; else nobody but us."""
    return os.environ.get("REPRO_GROUP_READABLE") == "1"


def file_mode() -> int:
    """What a new file's mode is, where the umask does not take more away."""
    return 0o640 if group_may_read() else 0o600


def set_private_umask() -> None:
    """Make all that this process and its children write as private as what is written here."""
    os.umask(0o027 if group_may_read() else 0o077)


def sync_folder(path: Path) -> None:
    """Make a rename in this folder last through a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some file systems have no such thing
            raise
    finally:
        os.close(handle)


@contextlib.contextmanager
def write_errors_explained(path: Path, size: int = 0) -> Iterator[None]:
    """Inside, what the system refuses becomes an error that a user can read."""
    try:
        yield
    except OSError as error:
        raise cannot_write(path, error, size) from error


@contextlib.contextmanager
def disk_errors_explained(path: Path) -> Iterator[None]:
    """The same for whatever else the system refuses while something is done with `path`."""
    try:
        yield
    except OSError as error:
        where = Path(error.filename) if isinstance(error.filename, str) else path
        raise EnvironmentProblem(
            f"cannot go on because of {quote(where, 300)}: {_reason(error)}", _advice(where, error)
        ) from error


def cannot_write(path: Path, error: OSError, size: int = 0) -> UserError:
    """What to tell the user when the disk says no."""
    megabytes = f" ({size / 1e6:.1f} MB)" if size > 50_000 else ""
    hint = f"{_advice(path, error)}; what was saved before is intact"
    return EnvironmentProblem(f"cannot write {quote(path, 300)}{megabytes}: {_reason(error)}", hint)


def cannot_read(path: Path, error: OSError) -> UserError:
    """What to tell the user when a file or folder cannot be read."""
    hint = _advice(path, error)
    if error.errno in _REFUSED:
        hint = how_to_get(os.R_OK, path) or "see that you may read it"
    return EnvironmentProblem(f"cannot read {quote(path, 300)}: {_reason(error)}", hint)


def is_disk_full(error: UserError) -> bool:
    """Return whether it was for want of room that a file could not be written."""
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in _FULL


NOT_A_FILE = "no regular file"
_FULL = (errno.ENOSPC, errno.EDQUOT)
_IN_THE_WAY = (errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY, errno.ELOOP)
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)


def _advice(path: Path, error: OSError) -> str:
    """Return what to do about it, with the variable that moves the folder this path is in."""
    from repro.storage.paths import variable_of  # which needs this module

    elsewhere = f"choose another folder with `{variable_of(path)}`"
    if error.errno in _FULL:
        return f"free some space, or {elsewhere}"
    if error.errno in _REFUSED:
        owner = how_to_get(os.W_OK, path.parent) or how_to_get(os.R_OK, path)
        return f"{owner or 'see that you may write there'}, or {elsewhere}"
    if error.errno in _IN_THE_WAY:
        return f"something else stands there: move it away, or {elsewhere}"
    return "the same command carries on when the disk is back"


def to_json(value: Any) -> bytes:
    """Return JSON as we write it: readable, stable, and with null for NaN, which JSON lacks."""
    try:
        text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    except ValueError:
        text = json.dumps(_without_nan(value), indent=1, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode()


def finite_or_none(value: float | None) -> float | None:
    """Return a number that JSON has: NaN and infinity become null."""
    if value is None or not math.isfinite(value):
        return None
    return float(value)


def read_file(path: Path) -> bytes:
    """Return a file's content. A pipe is an error without a number, and not waited for."""
    # Without O_NONBLOCK, opening a pipe would wait for somebody to write.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        mode = os.fstat(handle).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # to read a folder is refused anyway
            raise OSError(NOT_A_FILE)
        with os.fdopen(handle, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(handle)


def read_json(path: Path) -> Any:
    """The file's value, or None where there is no such file."""
    try:
        return json.loads(read_file(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise cannot_read(path, error) from None
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"cannot read {quote(path, 300)}: {error}",
            "the file is damaged; remove it or restore it",
        ) from None


@contextlib.contextmanager
def _temporary(path: Path, content: bytes) -> Iterator[str]:
    """A synced file with this content beside `path`, for as long as nobody renames it."""
    import tempfile  # 7 ms, which a command that only reads need not wait for

    make_folder(path.parent)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        try:
            if group_may_read():
                os.fchmod(handle, 0o640)
            write_all(handle, content)
            os.fsync(handle)
        finally:
            os.close(handle)
        yield name
    finally:
        with contextlib.suppress(OSError):
            os.unlink(name)  # noqa: PTH108


def _reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error)


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return finite_or_none(value) if isinstance(value, float) else value
