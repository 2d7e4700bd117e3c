"""How the runs of a job share its GPU: by an MPS daemon of the job's own, where one can start.

Without MPS, the processes on a card take turns, and each waits while another one's small kernels
leave most of the card idle. With MPS their kernels run side by side.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from repro.storage.atomic import to_json, write_atomic

CONTROL = "nvidia-cuda-mps-control"
PATIENCE_S = 20
PIPES, LOGS = "CUDA_MPS_PIPE_DIRECTORY", "CUDA_MPS_LOG_DIRECTORY"
CARDS = "CUDA_VISIBLE_DEVICES"
NONE = ("", "-1", "NoDevFiles")  # the last is what SLURM writes for a job that asked for none

# What a first client does: take the card, without the seconds that importing torch takes.
PROBE = """
import ctypes
cuda, card, context = ctypes.CDLL("libcuda.so.1"), ctypes.c_int(), ctypes.c_void_p()
code = cuda.cuInit(0) or cuda.cuDeviceGet(ctypes.byref(card), 0)
code = code or cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), card)
raise SystemExit(f"CUDA's error {code}" if code else 0)
"""
PROBE_PATIENCE_S = 60  # the first client also has to wait for the daemon's server


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
    with mps_daemon() as (sharing, environment), in_environment(environment):
        say(f"{runs} runs share a GPU {sharing}")
        record = {"schema": 1, "runs": runs, "mps": sharing.mps, "why": sharing.why}
        with contextlib.suppress(Exception):  # no run ends for want of this note
            write_atomic(batch / "sharing.json", to_json(record))
        yield sharing


def has_gpu() -> bool:
    """Return whether this job was given a GPU, and is to train on it."""
    if os.environ.get("REPRO_DEVICE", "cuda").startswith("cpu"):
        return False
    return bool(_cards())


def _cards() -> list[str]:
    """Return the cards that this job may use, by number or by name."""
    cards = [card.strip() for card in os.environ.get(CARDS, "").split(",")]
    return [card for card in cards if card not in NONE]


@contextlib.contextmanager
def mps_daemon() -> Iterator[tuple[Sharing, dict[str, str]]]:
    """Keep an MPS daemon of our own while the context is open, where one can start.

    Yield how processes share the GPU, and what must be in the environment of those that do.
    """
    if os.environ.get(PIPES):
        yield Sharing(True, f"the profile has set `{PIPES}`"), {}
        return
    if shutil.which(CONTROL) is None:
        yield Sharing(False, f"no `{CONTROL}` on this node"), {}
        return
    # The path of a socket has at most 107 characters, so the folder is not below the results.
    folder = Path(tempfile.mkdtemp(prefix="repro-mps-"))
    own = {PIPES: str(folder / "pipe"), LOGS: str(folder / "log")}
    try:
        for path in own.values():
            Path(path).mkdir(mode=0o700)
        problem = _control(["-d"], own)
        if problem:
            yield Sharing(False, f"the MPS daemon did not start: {problem}"), {}
            return
        try:
            clients = own | _as_the_daemon_counts(_cards())
            # In some containers a daemon starts, and whoever asks it for the card is refused.
            problem = _called([sys.executable, "-c", PROBE], clients, PROBE_PATIENCE_S)
            if problem:
                yield (
                    Sharing(False, f"the MPS daemon started, but its client failed: {problem}"),
                    {},
                )
            else:
                yield Sharing(True, "a daemon of this job's own"), clients
        finally:
            _control([], own, "quit\n")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _as_the_daemon_counts(cards: list[str]) -> dict[str, str]:
    """Return the cards as the daemon's clients must name them.

    A daemon that was started with `CUDA_VISIBLE_DEVICES=2` has one card, and calls it 0: a client
    that still asks for 2 finds none. Cards that go by their UUID keep it.
    """
    if not cards:
        return {}
    if all(card.isdigit() for card in cards):
        cards = [str(number) for number in range(len(cards))]
    return {CARDS: ",".join(cards)}


@contextlib.contextmanager
def in_environment(values: dict[str, str]) -> Iterator[None]:
    """Have these variables in this process's environment, and in that of its children."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def _control(arguments: list[str], own: dict[str, str], words: str = "") -> str:
    """Call MPS's control program; return what is wrong, or nothing."""
    return _called([CONTROL, *arguments], own, PATIENCE_S, words)


def _called(command: list[str], own: dict[str, str], patience: float, words: str = "") -> str:
    """Run a command with these variables; return what is wrong, or nothing."""
    try:
        done = subprocess.run(
            command,
            input=words,
            capture_output=True,
            text=True,
            timeout=patience,
            env=os.environ | own,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no answer for {patience} s"
    except OSError as error:
        return str(error)
    if done.returncode == 0:
        return ""
    lines = (done.stderr or done.stdout).split()
    return " ".join(lines)[:200] or f"exit code {done.returncode}"
