"""What a disk may hold after the power failed: every state that the calls made so far allow.

The rules are those of POSIX, read strictly: what was written to a file is there after a power cut
if the file was synced since; a new name, another name, a removed name is there if the folder was
synced since. Whatever was not synced is lost or not, each change by itself. So this is stricter
than most disks.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ALL_SUBSETS = 5  # of so many pending changes of names; of more, each one lost or kept alone

State = dict[str, bytes]  # what is in the run's folder


@dataclass
class File:
    now: bytes = b""
    synced: bytes = b""


@dataclass
class Disk:
    """The run's folder as the calls leave it, and as much of it as is safe."""

    folder: Path
    names: dict[str, File] = field(default_factory=dict)
    safe: dict[str, File] = field(default_factory=dict)
    pending: list[tuple[tuple[str, File | None], ...]] = field(
        default_factory=list
    )  # changes of names, not synced
    handles: dict[int, File | None] = field(default_factory=dict)  # None is the folder itself
    calls: list[str] = field(default_factory=list)
    _above: int | None = None
    promised: int = 0  # the iteration whose checkpoint has been saved

    def __post_init__(self) -> None:
        for path in self.folder.iterdir() if self.folder.exists() else ():
            self.names[path.name] = self.safe[path.name] = File(
                path.read_bytes(), path.read_bytes()
            )

    def saw(self, name: str, arguments: tuple[Any, ...], result: Any) -> None:
        """Follow a call that was made."""
        getattr(self, f"_{name}", lambda *_: None)(*arguments, result)

    def states(self) -> Iterator[State]:
        """Every content that the folder may have if the power fails now."""
        for change in self._kept():
            names = dict(self.safe)
            for each in change:
                for name, file in each:
                    names.pop(name, None) if file is None else names.update({name: file})
            for data in ("now", "synced", "half", "zeros"):
                yield {name: _content(file, data) for name, file in names.items()}

    def _kept(self) -> Iterator[list[Any]]:
        many, changes = len(self.pending), self.pending
        if many <= ALL_SUBSETS:
            choices = itertools.product((False, True), repeat=many)
            yield from (
                [c for c, kept in zip(changes, chosen, strict=True) if kept] for chosen in choices
            )
            return
        yield from ([], changes)
        for index in range(many):
            yield [changes[index]]
            yield changes[:index] + changes[index + 1 :]

    def _named(self, *changes: tuple[str, File | None]) -> None:
        for name, file in changes:
            self.names.pop(name, None) if file is None else self.names.update({name: file})
        self.pending.append(changes)

    def _open(self, path: Any, flags: int, *rest: Any) -> None:
        place = Path(path)
        if place == self.folder:
            self.handles[rest[-1]] = None
        elif place == self.folder.parent:
            self._above = rest[-1]
        elif place.parent == self.folder:
            if flags & os.O_CREAT and place.name not in self.names:
                self._say("create", place)
                self._named((place.name, File()))
            self.handles[rest[-1]] = self.names[place.name]

    def _write(self, handle: int, content: bytes, written: int) -> None:
        file = self.handles.get(handle)
        if file is not None:
            file.now += content[:written]
            self._say("write", handle)

    def _fsync(self, handle: int, _: Any) -> None:
        if handle not in self.handles:
            if handle == self._above:
                self.calls.append("sync folder above")
            return
        file = self.handles[handle]
        self._say("sync", self.folder if file is None else handle)
        if file is None:
            self.safe, self.pending = dict(self.names), []
        else:
            file.synced = file.now

    def _close(self, handle: int, _: Any) -> None:
        self.handles.pop(handle, None)

    def _mkdir(self, path: Any, *_: Any) -> None:
        if Path(path) == self.folder:
            self.calls.append("make folder")

    def _replace(self, source: Any, target: Any, _: Any) -> None:
        self._say("rename", target)
        file, there = self.names[Path(source).name], self.names.get(Path(target).name)
        if file is not there:  # of one file's two names, a rename leaves both
            self._named((Path(target).name, file), (Path(source).name, None))

    def _link(self, source: Any, target: Any, _: Any) -> None:
        self._say("link", target)
        self._named((Path(target).name, self.names[Path(source).name]))

    def _unlink(self, path: Any, _: Any) -> None:
        self._say("remove", path)
        self._named((Path(path).name, None))

    def _say(self, what: str, where: Any) -> None:
        if isinstance(where, int):
            where = next(
                (name for name, file in self.names.items() if file is self.handles[where]), "?"
            )
        name = Path(where).name
        if name != "log.txt":
            self.calls.append(f"{what} {'folder' if where == self.folder else _plain(name)}")


def _content(file: File, data: str) -> bytes:
    """Of a file that was not synced, some of the new bytes may be there, or zeros in their
    place."""
    new = len(file.now) - len(file.synced)
    if data == "half":
        return file.synced + file.now[len(file.synced) :][: new // 2]
    return {"now": file.now, "synced": file.synced, "zeros": file.synced + bytes(new)}[data]


def _plain(name: str) -> str:
    """A temporary's name without its random part: `.final.json.x7a_.tmp` is `final.json's
    temporary`."""
    if not name.endswith(".tmp"):
        return name
    stem = name[1:-4]
    kept = stem.endswith(".old")
    return (
        f"{stem.removesuffix('.old').rpartition('.')[0]}'s {'second name' if kept else 'temporary'}"
    )
