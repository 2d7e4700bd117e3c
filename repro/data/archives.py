"""The files in a folder or an archive, one after the other, read in memory: nothing is ever unpacked to disk.

An archive is a stranger's. A name that leaves the archive, a link or a device is refused with the whole archive, and no
file is read beyond the size that was allowed.
"""

from __future__ import annotations

import gzip
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Protocol, TypeAlias, cast

from repro.errors import EnvironmentProblem, UserError, quote

Member: TypeAlias = "tuple[PurePosixPath, bytes]"


class Stream(Protocol):
    """What can only be read from front to back."""

    def read(self, size: int = -1, /) -> bytes: ...


GZIP = b"\x1f\x8b"


Wanted: TypeAlias = Callable[[PurePosixPath], bool]


def read_members(path: Path, largest: int, wanted: Wanted = lambda name: True) -> Iterator[Member]:
    """Yield name and content of each wanted file in a folder, a .tar, .tar.gz or .zip; none has more than `largest`
    bytes."""
    try:
        if path.is_dir():
            yield from _in_folder(path, path, largest, wanted)
        elif not path.exists():
            raise EnvironmentProblem(
                f"there is nothing at {quote(path, 300)}",
                "name a folder of images, or a .tar, .tar.gz or .zip of one",
            )
        elif not path.is_file():
            raise neither(path)
        elif zipfile.is_zipfile(path):
            yield from _in_zip(path, largest, wanted)
        else:
            yield from _in_tar(path, largest, wanted)
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise UserError(
            f"{quote(path, 300)} is not a whole archive: {error}",
            "copy it again, or make it with tar, tar -z or zip",
        ) from None
    except OSError as error:  # gzip says so of damage, too
        raise EnvironmentProblem(
            f"cannot read {quote(path, 300)}: {error}", "make it readable, or copy it again"
        ) from None


def member_names(path: Path) -> list[PurePosixPath]:
    """Return the name of each file in a folder, a .tar, .tar.gz or .zip, without reading any."""
    names: list[PurePosixPath] = []

    def note(name: PurePosixPath) -> bool:
        names.append(name)
        return False

    for _ in read_members(path, 0, note):
        pass
    return names


def in_stream(file: Stream, called: str, largest: int) -> Iterator[Member]:
    """Name and content of each file of a tar that can only be read from front to back."""
    try:
        stream = cast("IO[bytes]", file)  # in this mode `tarfile` calls nothing but `read`
        with tarfile.open(fileobj=stream, mode="r|*") as archive:
            for member in _entries(archive):
                extracted = archive.extractfile(member) if member.isreg() else None
                if extracted is not None:
                    yield PurePosixPath(member.name), _content(extracted, member.name, largest)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        hint = "copy or download it again, and compare sizes"
        raise UserError(f"{quote(called)} is not a whole archive: {error}", hint) from None
    except OSError as error:
        hint = "make it readable, or copy it again"
        raise EnvironmentProblem(f"cannot read {quote(called)}: {error}", hint) from None


def _entries(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The entries of a tar, one at a time. `tarfile` keeps all it has read: gigabytes for ImageNet."""
    while (member := archive.next()) is not None:
        archive.members.clear()  # type: ignore[attr-defined]
        yield member


def neither(path: Path) -> UserError:
    """What to say of a device or a pipe, which would never end."""
    return UserError(
        f"{quote(path, 300)} is neither a folder nor a file",
        "name a folder of images or an archive",
    )


def _in_folder(root: Path, folder: Path, largest: int, wanted: Wanted) -> Iterator[Member]:
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        name = Path(entry.path).relative_to(root).as_posix()
        if entry.is_dir(follow_symlinks=False):
            yield from _in_folder(root, Path(entry.path), largest, wanted)
        elif not entry.is_file(follow_symlinks=False):
            raise _refused(name, "is a link or a device")
        elif wanted(PurePosixPath(name)):
            with open(entry.path, "rb") as file:  # noqa: PTH123 - an entry has a path in text
                yield PurePosixPath(name), _content(file, name, largest)


def _in_tar(path: Path, largest: int, wanted: Wanted) -> Iterator[Member]:
    with (
        _unzipped(path) as stream,
        tarfile.open(fileobj=stream, mode="r|") as archive,
    ):  # read once, front to back
        for member in _entries(archive):
            name = _contained(member.name)
            if member.isdir():
                continue
            if not member.isreg():
                raise _refused(member.name, "is a link or a device")
            if not wanted(name):
                continue
            file = archive.extractfile(member)
            assert file is not None, "a regular file has content"
            yield name, _content(file, member.name, largest)
        while stream.read(1 << 20):  # to the end, where gzip compares its checksum
            pass


def _unzipped(path: Path) -> IO[bytes] | gzip.GzipFile:
    """The bytes of the tar. One that was cut between two members reads well: only its missing end tells."""
    with path.open("rb") as file:
        if file.read(2) == GZIP:
            return gzip.open(path)
        file.seek(max(0, file.seek(0, os.SEEK_END) - tarfile.BLOCKSIZE))
        if file.read() != bytes(tarfile.BLOCKSIZE):
            raise EOFError("it has no end")
    return path.open("rb")


def _in_zip(path: Path, largest: int, wanted: Wanted) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            name, mode = _contained(member.filename), member.external_attr >> 16
            if member.is_dir():
                continue
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
                raise _refused(member.filename, "is a link or a device")
            if not wanted(name):
                continue
            with archive.open(member) as file:
                yield name, _content(file, member.filename, largest)


def _contained(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise _refused(name, "leaves the archive")
    return path


def _content(file: IO[bytes], name: str, largest: int) -> bytes:
    content = file.read(largest + 1)
    if len(content) > largest:
        raise _refused(name, f"has more than {largest:,} bytes")
    return content


def _refused(name: str, reason: str) -> UserError:
    return UserError(
        f"{quote(name)} {reason}: nothing was imported", "remove it, and import the rest"
    )
