"""Two attempts at one run, both alive."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from functools import partial
from pathlib import Path

from tests.reliability.harness.forks import attempt
from tests.reliability.harness.small_run import differing_bytes, places
from tests.reliability.harness.system_calls import stopped_at, watched
from tests.reliability.harness.trial import (
    Figures,
    contents,
    expect,
    folder_of,
    number_of_calls,
    seconds,
    some,
    untouched,
)


def fences(folder: Path, stride: int = 1) -> Figures:
    """Stop an old attempt at each of its file operations, let a newer one run to the end, and wake
    the old one up."""
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
    return {
        "rounds": rounds,
        "superseded": superseded,
        "files_changed": mixed,
        "differing_bytes": differing,
    }


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
