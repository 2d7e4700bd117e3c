"""How the runs of a job share its GPU: by an MPS daemon of the job's own, where one can start.

Without MPS, the processes on a card take turns, and each waits while another one's small kernels
leave most of the card idle. With MPS their kernels run side by side.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from repro.storage.atomic import to_json, write_atomic

CONTROL = "nvidia-cuda-mps-control"
PATIENCE_S = 20
PIPES, LOGS = "CUDA_MPS_PIPE_DIRECTORY", "CUDA_MPS_LOG_DIRECTORY"
CARDS = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True)
class Sharing:
    """How the runs of a job share its GPU, and why."""

    mps: bool
    why: str

    def __str__(self) -> str:
        return f"by MPS: {self.why}" if self.mps else f"by taking turns: {self.why}"


@contextlib.contextmanager
def shared_gpu(runs: int, batch: Path, say: Callable[[str], None]) -> Iterator[Sharing | None]:
    """Let the runs of this job share its GPU while the context is open, and log how they do.

    What became of it is written into the batch's folder, where the next submission finds it.
    """
    if runs < 2 or not has_gpu():
        yield None
        return
    with contextlib.ExitStack() as ended_with_the_job:
        sharing = _start(ended_with_the_job)
        say(f"{runs} runs share a GPU {sharing}")
        record = {"schema": 1, "runs": runs, "mps": sharing.mps, "why": sharing.why}
        with contextlib.suppress(Exception):  # no run ends for want of this note
            write_atomic(batch / "sharing.json", to_json(record))
        yield sharing


def has_gpu() -> bool:
    """Return whether this job was given a GPU, and is to train on it."""
    if os.environ.get("REPRO_DEVICE", "cuda").startswith("cpu"):
        return False
    return any(card != "-1" for card in _cards())


def _cards() -> list[str]:
    """Return the cards that this job may use, by number or by name."""
    cards = [card.strip() for card in os.environ.get(CARDS, "").split(",")]
    return [card for card in cards if card]


def _start(ended_with_the_job: contextlib.ExitStack) -> Sharing:
    """Start a daemon of this job's own, and have it end with the job."""
    if os.environ.get(PIPES):
        return Sharing(True, f"the profile has set `{PIPES}`")
    if shutil.which(CONTROL) is None:
        return Sharing(False, f"no `{CONTROL}` on this node")
    # The path of a socket has at most 107 characters, so the folder is not below the results.
    folder = Path(tempfile.mkdtemp(prefix="repro-mps-"))
    ended_with_the_job.callback(shutil.rmtree, folder, ignore_errors=True)
    own = {PIPES: str(folder / "pipe"), LOGS: str(folder / "log")}
    for path in own.values():
        Path(path).mkdir(mode=0o700)
    problem = _control(["-d"], own)
    if problem:
        return Sharing(False, f"the MPS daemon did not start: {problem}")
    before = dict(os.environ)
    os.environ.update(own)
    os.environ[CARDS] = _as_the_daemon_counts(_cards())
    ended_with_the_job.callback(_end, own, before)
    return Sharing(True, "a daemon of this job's own")


def _as_the_daemon_counts(cards: list[str]) -> str:
    """Return the cards as the daemon's clients must name them.

    A daemon that was started with `CUDA_VISIBLE_DEVICES=2` has one card, and calls it 0: a client
    that still asks for 2 finds none. Cards that go by their UUID keep it.
    """
    if all(card.isdigit() for card in cards):
        cards = [str(number) for number in range(len(cards))]
    return ",".join(cards)


def _end(own: dict[str, str], before: dict[str, str]) -> None:
    _control([], own, "quit\n")
    os.environ[CARDS] = before[CARDS]
    for name in own:
        os.environ.pop(name, None)


def _control(arguments: list[str], own: dict[str, str], words: str = "") -> str:
    """Call MPS's control program; return what is wrong, or nothing."""
    try:
        done = subprocess.run(
            [CONTROL, *arguments],
            input=words,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            env=os.environ | own,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no answer for {PATIENCE_S} s"
    except OSError as error:
        return str(error)
    if done.returncode == 0:
        return ""
    lines = (done.stderr or done.stdout).split()
    return " ".join(lines)[:200] or f"exit code {done.returncode}"
