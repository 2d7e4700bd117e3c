"""The files in a folder or an archive, one after the other, read in memory.

Nothing is ever unpacked to disk. An archive may come from anybody, so one that has a link, a device
or a name outside it is refused. No file is read beyond the size that was allowed.
"""

from __future__ import annotations

import contextlib
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

Member: TypeAlias = tuple[PurePosixPath, bytes]  # name and content of a file
Wanted: TypeAlias = Callable[[PurePosixPath], bool]

GZIP = b"\x1f\x8b"  # the first two bytes of a gzip file
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")

# What the libraries raise of a damaged archive; of an encrypted zip, a RuntimeError.
DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
)


class Stream(Protocol):
    """What can only be read from front to back."""

    def read(self, size: int = -1, /) -> bytes: ...


def is_image_name(name: str) -> bool:
    """Return whether a file of that name is taken for an image."""
    return name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith(".")


def check_readable(path: Path) -> None:
    """Refuse a path with nothing there, and a device or a pipe, which would never end."""
    hint = "name a folder of images, or an archive of one"
    if not path.exists():
        raise EnvironmentProblem(f"there is nothing at {quote(path, 300)}", hint)
    if not (path.is_dir() or path.is_file()):
        raise UserError(f"{quote(path, 300)} is neither a folder nor a file", hint)


def read_members(path: Path, largest: int, wanted: Wanted = lambda name: True) -> Iterator[Member]:
    """Yield the wanted files of a folder, a .tar, .tar.gz or .zip; none has more than `largest`
    bytes."""
    check_readable(path)
    with _damage_explained(path):
        if path.is_dir():
            yield from _in_folder(path, path, largest, wanted)
        elif zipfile.is_zipfile(path):
            yield from _in_zip(path, largest, wanted)
        else:
            yield from _in_tar(path, largest, wanted)


def member_names(path: Path) -> list[PurePosixPath]:
    """Return the name of each file in a folder, a .tar, .tar.gz or .zip, without reading any."""
    names: list[PurePosixPath] = []

    def note(name: PurePosixPath) -> bool:
        names.append(name)
        return False

    for _ in read_members(path, 0, note):
        pass
    return names


def read_tar_stream(file: Stream, name: str, largest: int) -> Iterator[Member]:
    """Yield each file of a tar that can only be read from front to back."""
    stream = cast("IO[bytes]", file)  # in this mode `tarfile` calls nothing but `read`
    with _damage_explained(name), tarfile.open(fileobj=stream, mode="r|*") as archive:
        yield from _members(archive, largest, lambda member: True)


@contextlib.contextmanager
def _damage_explained(name: str | Path) -> Iterator[None]:
    try:
        yield
    except DAMAGE as error:
        hint = "copy or download it again; or make it with tar, tar -z or zip"
        raise UserError(f"{quote(name, 300)} is not a whole archive: {error}", hint) from None
    except OSError as error:  # gzip raises it of damage, too
        hint = "make it readable, or copy it again"
        raise EnvironmentProblem(f"cannot read {quote(name, 300)}: {error}", hint) from None


def _in_folder(root: Path, folder: Path, largest: int, wanted: Wanted) -> Iterator[Member]:
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        path = Path(entry.path)
        name = PurePosixPath(path.relative_to(root))
        if entry.is_dir(follow_symlinks=False):
            yield from _in_folder(root, path, largest, wanted)
        elif not entry.is_file(follow_symlinks=False):
            raise _refused(str(name), "is a link or a device")
        elif wanted(name):
            with path.open("rb") as file:
                yield name, _content(file, str(name), largest)


def _in_tar(path: Path, largest: int, wanted: Wanted) -> Iterator[Member]:
    with _unzipped(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
        yield from _members(archive, largest, wanted)
        # Gzip compares its checksum at the end of the file, which is beyond the end of the tar.
        while stream.read(1 << 20):
            pass


def _unzipped(path: Path) -> IO[bytes] | gzip.GzipFile:
    """Open the bytes of the tar; one that was cut between two members lacks only its end."""
    with path.open("rb") as file:
        if file.read(2) == GZIP:
            return gzip.open(path)
        file.seek(max(0, file.seek(0, os.SEEK_END) - tarfile.BLOCKSIZE))
        if file.read() != bytes(tarfile.BLOCKSIZE):
            raise EOFError("it has no end")
    return path.open("rb")


def _members(archive: tarfile.TarFile, largest: int, wanted: Wanted) -> Iterator[Member]:
    while (member := archive.next()) is not None:
        # `tarfile` keeps every entry that it has read: gigabytes for ImageNet.
        archive.members.clear()  # type: ignore[attr-defined]
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


def _in_zip(path: Path, largest: int, wanted: Wanted) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            name = _contained(member.filename)
            if member.is_dir():
                continue
            # The upper half has the mode of Unix, or nothing.
            if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG):
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
    problem = f"{quote(name)} {reason}: nothing was imported"
    return UserError(problem, "remove it, and import the rest")
