"""Attempts that are killed: at random, ahead of each file operation, too early, and again and
again."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from repro.errors import FAILED
from repro.storage.paths import Folder
from tests.reliability.harness.forks import attempt
from tests.reliability.harness.small_run import differing_bytes, places
from tests.reliability.harness.system_calls import killed_at, watched
from tests.reliability.harness.trial import (
    Figures,
    expect,
    folder_of,
    number_of_calls,
    seconds,
    some,
    untouched,
)


def kills(folder: Path, count: int = 200, seed: int = 0) -> Figures:
    """Kill attempts at random moments until `count` have died; then compare each run that they were
    attempts at."""
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
    """Kill a run ahead of each of its file operations in turn (with a stride, those of a save, and
    every so many)."""
    unbroken, differing, killed, left = untouched(folder), 0, 0, 0
    total = number_of_calls(folder)
    for number in some(total, stride):
        here = places(folder, f"call-{number}")
        killed += attempt(
            here, around=partial(watched, here.results, killed_at(number))
        ).ended() == {"signal": 9}
        expect(attempt(here).ended(), 0)
        left += len(folder_of(here).temporaries())
        differing += differing_bytes(here, unbroken)
        shutil.rmtree(here.results)
    return {
        "file_operations": total,
        "kills": killed,
        "differing_bytes": differing,
        "temporaries_left": left,
    }


def nowhere(folder: Path) -> Figures:
    """Kill attempts that never reach a checkpoint, until the run says that this leads nowhere; then
    ask again."""
    here, attempts = places(folder, "nowhere"), 0

    def at_its_first_save(number: int, name: str, arguments: tuple[Any, ...]) -> None:
        if name == "open" and Path(arguments[0]).name.startswith(".checkpoint.pt"):
            os.kill(os.getpid(), signal.SIGKILL)

    while "signal" in (
        ended := attempt(here, around=partial(watched, here.results, at_its_first_save)).ended()
    ):
        attempts += 1
        assert not folder_of(here).checkpoint.exists()
        assert attempts < 20
    again = attempt(here).ended()["code"]
    same = differing_bytes(here, untouched(folder))
    return ended | {
        "attempts_before_it_stops": attempts,
        "asked_again": again,
        "differing_bytes": same,
    }


def slow_but_sure(folder: Path) -> Figures:
    """Kill every attempt soon after its first checkpoint: each gets one iteration further."""
    here, attempts = places(folder, "slow"), 0
    while True:
        attempts += 1
        found = folder_of(here)
        before = mark(found.checkpoint)

        def after_a_save(
            count: int, name: str, arguments: Any, before: Any = before, found: Folder = found
        ) -> None:
            if mark(found.checkpoint) != before:
                os.kill(os.getpid(), signal.SIGKILL)

        ended = attempt(here, around=partial(watched, here.results, after_a_save)).ended()
        if "signal" not in ended:
            expect(ended, 0)
            return {
                "attempts": attempts,
                "differing_bytes": differing_bytes(here, untouched(folder)),
            }


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


def mark(path: Path) -> int | None:
    return path.stat().st_ino if path.exists() else None
