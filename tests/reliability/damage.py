"""The damage, done for real, and what became of it in figures: `python -m tests.reliability.damage kills 200`.

Each function here damages many small runs in one way, lets each go on, and compares how it ends with a run that nobody
touched: weights, batch-norm statistics, momentum and metrics, byte by byte.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from repro.errors import ENVIRONMENT, FAILED, UserError
from repro.folders import Folder, Places
from repro.training import checkpoint
from tests.reliability.calls import failing_at, killed_at, stopped_at, watched
from tests.reliability.forks import attempt
from tests.reliability.power import Disk
from tests.reliability.small import differing_bytes, places, prepared, small_run

ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES, errno.ESTALE)

Figures = dict[str, Any]


def kills(folder: Path, count: int = 200, seed: int = 0) -> Figures:
    """Kill attempts at random moments until `count` have died; then compare each run that they were attempts at."""
    chance, unbroken = random.Random(seed), untouched(folder)
    length = seconds(folder)
    phases: Counter[str] = Counter()
    runs = differing = stuck = 0
    while phases.total() < count:
        here = places(folder, f"killed-{runs}")
        while True:
            child = attempt(here)
            time.sleep(chance.uniform(0.0, 1.1 * length))
            os.kill(child.pid, signal.SIGKILL)
            ended = child.ended()
            if "signal" in ended:
                phases[phase(folder_of(here))] += 1
            elif ended["code"] == FAILED and "no progress" in ended["problem"]:
                stuck += 1  # five early kills in a row; asked again, it tries again
            elif ended["code"] == 0:
                break
            else:
                raise AssertionError(ended)
        runs += 1
        differing += differing_bytes(here, unbroken)
        shutil.rmtree(here.results)
    return {
        "kills": phases.total(),
        "runs": runs,
        "differing_bytes": differing,
        "stopped_for_no_progress": stuck,
        "phases": dict(phases.most_common()),
    }


def calls(folder: Path, stride: int = 1) -> Figures:
    """Kill a run ahead of each of its file operations in turn (with a stride, those of a save, and every so many)."""
    unbroken, differing, killed, left = untouched(folder), 0, 0, 0
    total = number_of_calls(folder)
    for number in some(total, stride):
        here = places(folder, f"call-{number}")
        killed += attempt(here, around=partial(watched, here.results, killed_at(number))).ended() == {"signal": 9}
        expect(attempt(here).ended(), 0)
        left += len(folder_of(here).temporaries())
        differing += differing_bytes(here, unbroken)
        shutil.rmtree(here.results)
    return {"file_operations": total, "kills": killed, "differing_bytes": differing, "temporaries_left": left}


def errors(folder: Path, stride: int = 1, errnos: int = len(ERRNOS)) -> Figures:
    """Make each file operation fail, or that one and all writing after it; then give the disk back and go on."""
    unbroken, total = untouched(folder), number_of_calls(folder)
    refused = ignored = unclear = left = differing = lost = 0
    for number in some(total, stride):
        for code in [ERRNOS[(number + other) % len(ERRNOS)] for other in range(errnos)]:
            here = places(folder, f"error-{number}-{code}")
            found = folder_of(here)
            fault = failing_at(number, code, lasting=bool(number % 2))
            ended = attempt(here, around=partial(watched, here.results, fault)).ended()
            named = os.strerror(code) in ended.get("problem", "") and str(here.results) in ended["problem"]
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
        "stopped_with_a_clear_message": refused,
        "did_not_matter": ignored,
        "unclear": unclear,
        "temporaries_left": left,
        "checkpoints_lost": lost,
        "differing_bytes": differing,
    }


def power(folder: Path, stride: int = 1) -> Figures:
    """Cut the power after every file operation; go on from every state that the disk may then be in."""
    unbroken = untouched(folder)
    begun = places(folder, "begun")
    attempt(begun, around=partial(watched, begun.results, killed_at(number_of_calls(folder) // 3))).ended()
    states = {**disks(folder, places(folder, "fresh")), **disks(folder, begun)}
    broken = differing = 0
    for index, (state, promised) in enumerate(states.values()):
        if index % stride:
            continue
        here = places(folder, f"power-{index}")
        folder_of(here).path.mkdir(parents=True)
        for name, digest in state.items():
            (folder_of(here).path / name).write_bytes((folder / "blobs" / digest).read_bytes())
        found = None if folder_of(here).final.exists() else checkpoint.load(folder_of(here))
        broken += not folder_of(here).final.exists() and (found["iteration"] if found else 0) < promised
        expect(attempt(here).ended(), 0)
        differing += differing_bytes(here, unbroken)
        shutil.rmtree(here.results)
    return {"states": -(-len(states) // stride), "promises_broken": broken, "differing_bytes": differing}


def disks(folder: Path, here: Places) -> dict[str, tuple[dict[str, str], int]]:
    """Every state in which an attempt here may leave the disk, each once; contents are kept in `blobs`."""
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
                key = json.dumps({n: d for n, d in sorted(kept.items()) if not n.endswith((".tmp", "log.txt"))})
                if key not in seen or seen[key][1] < disk.promised:
                    seen[key] = (kept, disk.promised)

        with watched(here.results, lambda *_: None, after, reads=False):
            yield
        there = {path.name: path.read_bytes() for path in folder_of(here).path.iterdir()}
        assert there == {name: file.now for name, file in disk.names.items()}, "a call was not seen"
        out.write_text(json.dumps(seen))

    expect(attempt(here, around=recording).ended(), 0)
    states: dict[str, tuple[dict[str, str], int]] = json.loads(out.read_text())
    return states


def flips(folder: Path, count: int = 500, seed: int = 0) -> Figures:
    """Flip bits of a checkpoint, cut it, zero pages of it: it must be seen, and the previous one used."""
    chance, found = random.Random(seed), folder_of(untouched(folder))
    whole, before = found.checkpoint.read_bytes(), checkpoint.find(found)
    assert before is not None
    tally = {"bits_flipped": 0, "cuts": 0, "pages_zeroed": 0, "detected": 0, "previous_used": 0}
    for _ in range(count):
        for kind in ("bits_flipped", "cuts", "pages_zeroed"):
            if kind != "bits_flipped" and tally[kind] >= count // 10:
                continue
            content = spoiled(whole, kind, chance)
            if content == whole:
                continue
            found.checkpoint.write_bytes(content)
            tally[kind] += 1
            after = checkpoint.find(found)
            tally["detected"] += after is not None and bool(after.damaged)
            tally["previous_used"] += after is not None and after.state["iteration"] == before.state["iteration"] - 1
    found.checkpoint.write_bytes(whole)
    return tally


def spoiled(content: bytes, kind: str, chance: random.Random) -> bytes:
    at = chance.randrange(len(content))
    if kind == "cuts":
        return content[:at]
    if kind == "pages_zeroed":
        page = at // 4096 * 4096
        return content[:page] + bytes(len(content[page : page + 4096])) + content[page + 4096 :]
    flipped = bytearray(content)
    flipped[at] ^= 1 << chance.randrange(8)
    return bytes(flipped)


def fences(folder: Path, stride: int = 1) -> Figures:
    """Stop an old attempt at each of its file operations, let a newer one run to the end, and wake the old one up."""
    unbroken, total = untouched(folder), number_of_calls(folder)
    rounds = superseded = mixed = differing = 0
    for number in some(total, stride):
        here = places(folder, f"fence-{number}")
        old = attempt(here, around=partial(watched, here.results, stopped_at(number)))
        os.waitpid(old.pid, os.WUNTRACED)
        expect(attempt(here).ended(), 0)
        before = contents(folder_of(here))
        os.kill(old.pid, signal.SIGCONT)
        ended = expect(old.ended(), 0)
        rounds, superseded = rounds + 1, superseded + ("superseded" in ended)
        mixed += contents(folder_of(here)) != before
        differing += differing_bytes(here, unbroken)
        shutil.rmtree(here.results)
    return {"rounds": rounds, "superseded": superseded, "files_changed": mixed, "differing_bytes": differing}


def races(folder: Path, count: int = 20, seed: int = 0) -> Figures:
    """Two attempts at one run, alive and writing at the same time."""
    chance, unbroken = random.Random(seed), untouched(folder)
    length = seconds(folder)
    differing = superseded = 0
    for number in range(count):
        here = places(folder, f"race-{number}")
        first = attempt(here)
        time.sleep(chance.uniform(0.0, length))
        second = attempt(here)
        ended = [expect(child.ended(), 0) for child in (first, second)]
        superseded += sum("superseded" in each for each in ended)
        differing += differing_bytes(here, unbroken)
        shutil.rmtree(here.results)
    return {"rounds": count, "superseded": superseded, "differing_bytes": differing}


def untouched(folder: Path) -> Places:
    """The run that nobody damages."""
    return places(folder, "unbroken")


def seconds(folder: Path) -> float:
    """How long an attempt takes here and now, once it is warm."""
    here, began = places(folder, "timed"), time.monotonic()
    expect(attempt(here).ended(), 0)
    shutil.rmtree(here.results)
    return time.monotonic() - began


def number_of_calls(folder: Path) -> int:
    """The file operations of one undisturbed run."""
    here, out = places(folder, "counted"), folder / "count"

    def before(count: int, name: str, arguments: tuple[Any, ...]) -> None:
        out.write_text(str(count))

    expect(attempt(here, around=partial(watched, here.results, before)).ended(), 0)
    shutil.rmtree(here.results)
    return int(out.read_text())


def some(total: int, stride: int) -> list[int]:
    """All numbers; or, with a stride, every so many."""
    return list(range(1, total + 1, stride))


def phase(found: Folder) -> str:
    """What an attempt was doing when it was killed, as far as its files tell."""
    if not found.path.exists() or not found.attempts():
        return "before its claim"
    if found.final.exists():
        return "after the end marker"
    if writing := [path.name.split(".")[1] for path in found.temporaries()]:
        return f"while writing {writing[0].split('-')[0]}"
    said = json.loads(found.progress.read_bytes()) if found.progress.exists() else {}
    return str(said.get("state", "starting"))


def damaged(found: Folder) -> bool:
    """Whether a checkpoint was lost: an error may leave an old one, never a broken one."""
    try:
        newest = checkpoint.find(found)
    except UserError:
        return True
    return newest is not None and bool(newest.damaged)


def contents(found: Folder) -> dict[str, bytes]:
    """Everything that means something; the log is a diary, and a late claim is one more attempt on record."""
    paths = [path for path in found.path.iterdir() if not path.name.startswith((".", "log", "attempt"))]
    return {path.name: path.read_bytes() for path in paths}


def blob(folder: Path, content: bytes) -> str:
    digest = hashlib.sha256(content).hexdigest()
    path = folder / "blobs" / digest
    if not path.exists():
        path.write_bytes(content)
    return digest


def folder_of(here: Places) -> Folder:
    return here.run(small_run().id)


def expect(ended: dict[str, Any], code: int) -> dict[str, Any]:
    assert ended.get("code") == code, ended
    return ended


def main(name: str, *numbers: str) -> None:
    with tempfile.TemporaryDirectory(prefix="repro-damage-") as folder:
        print(json.dumps(globals()[name](prepared(Path(folder)), *map(int, numbers))))


if __name__ == "__main__":
    main(*sys.argv[1:])
