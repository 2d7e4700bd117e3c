"""Disks that fail, fill up, or lose their power."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from repro.errors import ENVIRONMENT, UserError
from repro.storage.paths import Folder, Places
from repro.storage.run_files import read_failure
from repro.training import checkpoint
from repro.training.attempt import Attempt
from tests.reliability.harness.forks import attempt
from tests.reliability.harness.power_cuts import Disk
from tests.reliability.harness.small_run import differing_bytes, places
from tests.reliability.harness.system_calls import failing_at, killed_at, watched
from tests.reliability.harness.trial import (
    Figures,
    expect,
    folder_of,
    number_of_calls,
    some,
    untouched,
)

ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES, errno.ESTALE)
DONE = 10**9  # more than any iteration


def errors(folder: Path, stride: int = 1, errnos: int = len(ERRNOS)) -> Figures:
    """Make each file operation fail, or that one and all writing after it; then give the disk back
    and go on."""
    unbroken, total = untouched(folder), number_of_calls(folder)
    refused = ignored = unclear = left = differing = lost = 0
    for number in some(total, stride):
        for code in [ERRNOS[(number + other) % len(ERRNOS)] for other in range(errnos)]:
            here = places(folder, f"error-{number}-{code}")
            found = folder_of(here)
            fault = failing_at(number, code, lasting=bool(number % 2))
            ended = attempt(here, around=partial(watched, here.results, fault)).ended()
            named = (
                os.strerror(code) in ended.get("problem", "")
                and str(here.results) in ended["problem"]
            )
            refused += ended["code"] == ENVIRONMENT and named
            ignored += ended["code"] == 0
            unclear += ended["code"] not in (0, ENVIRONMENT) or not (named or ended["code"] == 0)
            lost += damaged(found)
            expect(attempt(here).ended(), 0)
            left += len(found.temporaries())
            differing += differing_bytes(here, unbroken)
            shutil.rmtree(here.results)
    return {
        "failed_calls": refused + ignored + unclear,
        "errors_each": errnos,
        "stopped_with_a_clear_message": refused,
        "did_not_matter": ignored,
        "unclear": unclear,
        "temporaries_left": left,
        "checkpoints_lost": lost,
        "differing_bytes": differing,
    }


def power(folder: Path, stride: int = 1) -> Figures:
    """Cut the power after every file operation; go on from every state that the disk may then be
    in."""
    unbroken = untouched(folder)
    begun = places(folder, "begun")
    attempt(
        begun, around=partial(watched, begun.results, killed_at(number_of_calls(folder) // 3))
    ).ended()
    states = {**disks(folder, places(folder, "fresh")), **disks(folder, begun)}
    broken = differing = 0
    for index, (state, promised) in enumerate(states.values()):
        if index % stride:
            continue
        here = places(folder, f"power-{index}")
        folder_of(here).path.mkdir(parents=True)
        for name, digest in state.items():
            (folder_of(here).path / name).write_bytes((folder / "blobs" / digest).read_bytes())
        broken += kept(folder_of(here)) < promised
        expect(attempt(here).ended(), 0)
        differing += differing_bytes(here, unbroken)
        shutil.rmtree(here.results)
    return {
        "states": -(-len(states) // stride),
        "promises_broken": broken,
        "differing_bytes": differing,
    }


def full_disk(folder: Path) -> Figures:
    """A real disk with too little room for a third checkpoint; then with enough."""
    disk, unbroken = folder / "disk", untouched(folder)
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1500k", "tmpfs", disk], check=True)
    try:
        here = replace(places(folder, "disk"), results=disk)
        ended, left = attempt(here).ended(), len(folder_of(here).temporaries())
        subprocess.run(["mount", "-o", "remount,size=10m", disk], check=True)
        expect(attempt(here).ended(), 0)
        return ended | {
            "disk": str(disk),
            "temporaries_left": left,
            "differing_bytes": differing_bytes(here, unbroken),
        }
    finally:
        subprocess.run(["umount", disk], check=True)


def full_at_the_end(folder: Path) -> Figures:
    """A real disk that is full to its last block when the final record is written."""
    disk, unbroken = folder / "disk", untouched(folder)
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=10m", "tmpfs", disk], check=True)
    try:
        here = replace(places(folder, "disk"), results=disk)
        ended = attempt(here, around=partial(filled, disk / "filler")).ended()
        found = folder_of(here)
        failure = read_failure(found)
        log, left = found.log.read_text(), len(found.temporaries())
        (disk / "filler").unlink()
        expect(attempt(here).ended(), 0)
        return ended | {
            "recorded": failure.problem if failure else "",
            "iteration": failure.iteration if failure else None,
            "logged": ended["problem"] in log,
            "temporaries_left": left,
            "differing_bytes": differing_bytes(here, unbroken),
        }
    finally:
        subprocess.run(["umount", disk], check=True)


@contextmanager
def filled(filler: Path) -> Iterator[None]:
    """Inside, the disk is filled just before a run's final record is written."""
    finish = Attempt.finish

    def full(self: Attempt, measured: dict[str, Any]) -> dict[str, Any]:
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        return finish(self, measured)

    Attempt.finish = full
    try:
        yield
    finally:
        Attempt.finish = finish


def disks(folder: Path, here: Places) -> dict[str, tuple[dict[str, str], int]]:
    """Every state in which an attempt here may leave the disk, each once; contents are kept in
    `blobs`."""
    (folder / "blobs").mkdir(exist_ok=True)
    out = folder / f"states-{here.results.name}.json"

    @contextmanager
    def recording() -> Iterator[None]:
        disk = Disk(folder_of(here).path)
        seen: dict[str, tuple[dict[str, str], int]] = {}

        def after(name: str, arguments: tuple[Any, ...], result: Any) -> None:
            disk.saw(name, arguments, result)
            for state in disk.states() if name != "close" else ():
                kept = {name: blob(folder, content) for name, content in state.items()}
                key = json.dumps(
                    {n: d for n, d in sorted(kept.items()) if not n.endswith((".tmp", "log.txt"))}
                )
                if key not in seen or seen[key][1] < disk.promised:
                    seen[key] = (kept, disk.promised)

        promising(disk)
        with watched(here.results, lambda *_: None, after, reads=False):
            yield
        there = {path.name: path.read_bytes() for path in folder_of(here).path.iterdir()}
        assert there == {name: file.now for name, file in disk.names.items()}, "a call was not seen"
        out.write_text(json.dumps(seen))

    expect(attempt(here, around=recording).ended(), 0)
    states: dict[str, tuple[dict[str, str], int]] = json.loads(out.read_text())
    return states


def promising(disk: Disk) -> None:
    """Note when a save, or the end marker, has returned: from then on, what it wrote is
    promised."""
    save, finish = checkpoint.save, Attempt.finish

    def saved(folder: Folder, state: dict[str, Any], *rest: Any) -> None:
        save(folder, state, *rest)
        disk.promised = state["iteration"]

    def finished(self: Attempt, measured: dict[str, Any]) -> dict[str, Any]:
        final = finish(self, measured)
        disk.promised = DONE
        return final

    checkpoint.save, Attempt.finish = saved, finished


def kept(found: Folder) -> int:
    """The iteration that a run can go on from."""
    state = checkpoint.load(found)
    return DONE if found.final.exists() else state["iteration"] if state else 0


def damaged(found: Folder) -> bool:
    """Whether a checkpoint was lost: an error may leave an old one, never a broken one."""
    try:
        newest = checkpoint.find_checkpoint(found)
    except UserError:
        return True
    return newest is not None and bool(newest.damaged)


def blob(folder: Path, content: bytes) -> str:
    digest = hashlib.sha256(content).hexdigest()
    path = folder / "blobs" / digest
    if not path.exists():
        path.write_bytes(content)
    return digest
