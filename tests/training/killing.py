"""A fork server that kills trainings: torch is imported once, each attempt is a fork, and each fork gets kill -9.

Called as `python killing.py RESULTS KILLS SEED`; trains the tiny run in RESULTS, killing it KILLS times on its way.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))
from tiny import tiny_run

from repro.folders import Places, places
from repro.training import train


def attempt(here: Places) -> int:
    """Start an attempt in a process of its own."""
    child = os.fork()
    if child == 0:
        torch.set_num_threads(1)
        try:
            train(tiny_run(), here)
            os._exit(0)
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(1)
    return child


def main(kills: int, seed: int) -> None:
    chance, here, killed = random.Random(seed), places(), 0
    while True:
        child = attempt(here)
        if killed < kills:
            time.sleep(chance.uniform(0.0, 0.5))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            killed += 1
        elif os.WEXITSTATUS(status):
            sys.exit("an attempt failed")
        elif killed >= kills or here.run(tiny_run().id).final.exists():
            print(killed)
            return


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
