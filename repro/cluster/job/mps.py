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
    if runs < 2 or not _has_gpu():
        yield None
        return
    with contextlib.ExitStack() as ended_with_the_job:
        sharing = _start(ended_with_the_job)
        say(f"{runs} runs share a GPU {sharing}")
        record = {"schema": 1, "runs": runs, "mps": sharing.mps, "why": sharing.why}
        with contextlib.suppress(Exception):  # no run ends for want of this note
            write_atomic(batch / "sharing.json", to_json(record))
        yield sharing


def _has_gpu() -> bool:
    if os.environ.get("REPRO_DEVICE", "cuda").startswith("cpu"):
        return False
    cards = [card.strip() for card in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")]
    return any(card and card != "-1" for card in cards)


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
    os.environ.update(own)
    ended_with_the_job.callback(_end, own)
    return Sharing(True, "a daemon of this job's own")


def _end(own: dict[str, str]) -> None:
    _control([], own, "quit\n")
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
