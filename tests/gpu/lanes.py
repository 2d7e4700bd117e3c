"""Run several commands of `repro` side by side on one card, which they share by MPS where it starts.

`python -m tests.gpu.lanes --lane run table6 … --lane run figure6 …` ends with the worst of their
exit codes. SIGTERM is passed on to each, which then saves.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from types import FrameType

from repro.cluster.job.mps import mps_daemon

BY_TURNS = 1  # runs at once in each lane where the card cannot be shared: more gain nothing


def main() -> int:
    lanes = commands(sys.argv[1:])
    with mps_daemon() as (sharing, environment):
        print(f"the lanes share the GPU {sharing}", flush=True)
        if not sharing.mps:
            lanes = [one_at_a_time(words) for words in lanes]
        started = []
        for words in lanes:
            command = [sys.executable, "-m", "repro.cli", *words]
            started.append(subprocess.Popen(command, env=os.environ | environment))

        def pass_on(number: int, frame: FrameType | None) -> None:
            for process in started:
                process.send_signal(number)

        signal.signal(signal.SIGTERM, pass_on)
        return max(process.wait() for process in started)


def commands(words: list[str]) -> list[list[str]]:
    """Return the words of each lane."""
    lanes: list[list[str]] = []
    for word in words:
        if word == "--lane":
            lanes.append([])
        else:
            lanes[-1].append(word)
    return lanes


def one_at_a_time(words: list[str]) -> list[str]:
    """Return the command with one run at a time."""
    place = words.index("--jobs")
    return [*words[: place + 1], str(BY_TURNS), *words[place + 2 :]]


if __name__ == "__main__":
    sys.exit(main())
