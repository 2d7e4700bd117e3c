"""Attempts that are asked to stop, with the signals that SLURM sends: nothing that was trained is
trained again."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any

from repro.stop_request import StopRequest
from repro.storage.paths import Places
from repro.training import train
from repro.training.window import Window
from tests.reliability.harness.forks import attempt
from tests.reliability.harness.small_run import ITERATIONS, differing_bytes, places, small_run
from tests.reliability.harness.trial import Figures, expect, seconds, untouched

ASKING = (signal.SIGUSR2, signal.SIGTERM)


def signals(folder: Path, count: int = 60, seed: int = 0) -> Figures:
    """Ask attempts to stop at random moments until `count` have; then see how many iterations each
    run has trained.

    No attempt saves unless it is asked or done, so an iteration that is lost would have to be
    trained again.
    """
    chance, unbroken, length = random.Random(seed), untouched(folder), seconds(folder)
    asked = runs = again = differing = 0
    while asked < count:
        here, counted = places(folder, f"asked-{runs}"), folder / f"iterations-{runs}"
        while True:
            signal.pthread_sigmask(signal.SIG_BLOCK, ASKING)  # until the child listens
            child = attempt(here, do=partial(_listening, counted))
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ASKING)
            time.sleep(chance.uniform(0.0, length))
            os.kill(child.pid, chance.choice(ASKING))
            if not str(ended := child.ended()).count("Stopped"):
                expect(ended, 0)
                break
            asked += 1
        runs += 1
        again += counted.stat().st_size - ITERATIONS
        differing += differing_bytes(here, unbroken)
        shutil.rmtree(here.results)
    return {
        "asked": asked,
        "runs": runs,
        "iterations_trained_again": again,
        "differing_bytes": differing,
    }


def _listening(counted: Path, here: Places) -> None:
    """Train as a job does, and leave a byte in `counted` for each iteration."""
    os.environ["REPRO_SAVE_EVERY"] = "3600"
    stop = StopRequest().install(*ASKING)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ASKING)
    add = Window.add

    def counting(self: Window, *arguments: Any) -> None:
        add(self, *arguments)
        with counted.open("ab") as file:
            file.write(b".")

    Window.add = counting
    train(small_run(), here, stop)
