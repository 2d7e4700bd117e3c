"""`repro run` that is ended from outside: its workers save and end with it, whatever the signal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pytest

from repro.cluster.job import mps
from repro.definition.run import Run
from repro.local import run as local
from repro.local.workers import RunEnd
from repro.protocol.selection import select
from repro.provenance import processor
from repro.storage.atomic import read_json
from repro.storage.paths import Places

LONG = ("table6", "--scale", "smoke", "--only", "resnet-20", "--seeds", "1")
LONG += ("--set", "iterations=100000", "--set", "drops=[90000]", "--jobs", "1")


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    every = [int(word) for word in text.split()]
    # Workers are started by threads, so they are listed under those.
    for task in Path(f"/proc/{pid}/task").iterdir():
        every += [int(word) for word in (task / "children").read_text().split()]
    return sorted(set(every))


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda n: n.name)
def test_a_signal_does_what_ctrl_c_does(number: signal.Signals, here: Places) -> None:
    settings = ("iterations=100000", "drops=[90000]")
    chosen = select("table6", scale="smoke", only=["resnet-20"], seeds=1, settings=settings)
    [run] = chosen.runs()
    folder = here.run(run.id)
    process = subprocess.Popen(
        [sys.executable, "-m", "repro.cli", "run", *LONG], stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while (read_json(folder.progress) or {}).get("iteration") is None:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    workers = children(process.pid)
    assert workers
    process.send_signal(number)
    told = process.communicate(timeout=120)[1]
    assert process.returncode == 130
    assert "Error: interrupted" in told
    assert "Traceback" not in told
    assert not any(is_running(pid) for pid in workers)
    assert folder.checkpoint.exists()
    assert read_json(folder.progress)["state"] == "stopped"


class Pool:
    """A pool of workers that only says how many it was asked for."""

    jobs: ClassVar[list[int]] = []

    def __init__(self, places: Places, jobs: int, **options: object) -> None:
        self.jobs.append(jobs)

    def train(self, runs: Sequence[Run], on_tick: object) -> list[RunEnd]:
        return [{"id": run.id, "state": "done"} for run in runs]


@pytest.mark.parametrize(
    ("gpu", "device", "at_once"),
    [(True, None, 1), (True, "cuda:0", 1), (True, "cpu", 2), (False, None, 2)],
)
def test_runs_take_turns_on_a_gpu_whether_it_was_asked_for_by_name_or_found(
    gpu: bool, device: str | None, at_once: int, here: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor, "sees_a_gpu", lambda: gpu)
    monkeypatch.setattr(local, "WorkerPool", Pool)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(4)))
    runs = select("table6", scale="smoke", only=["resnet-20"], seeds=2).runs()
    assert len(runs) == 2
    local.train_runs(runs, here, local.LocalOptions(device=device))
    assert Pool.jobs.pop() == at_once


class Told(local.Watcher):
    """A watcher that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


@pytest.mark.parametrize(("jobs", "lines"), [(1, []), (2, ["2 runs share the GPU by MPS: played"])])
def test_several_runs_share_a_gpu_by_mps_and_the_environment_is_left_as_it_was(
    jobs: int, lines: list[str], here: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    class Shared(Pool):
        def train(self, runs: Sequence[Run], on_tick: object) -> list[RunEnd]:
            seen.append(os.environ.get(mps.PIPES))
            return super().train(runs, on_tick)

    @contextmanager
    def daemon() -> Iterator[tuple[mps.Sharing, dict[str, str]]]:
        yield mps.Sharing(True, "played"), {mps.PIPES: "/pipe"}

    monkeypatch.setattr(mps, "mps_daemon", daemon)
    monkeypatch.setattr(local, "WorkerPool", Shared)
    runs = select("table6", scale="smoke", only=["resnet-20"], seeds=2).runs()
    told = Told()
    local.train_runs(runs, here, local.LocalOptions(jobs, device="cuda"), told)
    assert told.lines == lines
    assert seen == ["/pipe" if lines else None]
    assert mps.PIPES not in os.environ


def shell(text: str) -> subprocess.CompletedProcess[str]:
    repro = f"{sys.executable} -m repro.cli"
    command = ["bash", "-o", "pipefail", "-c", text.replace("repro", repro)]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ)


def test_a_command_without_standard_output_or_error_does_its_work(here: Places) -> None:
    closed = shell("repro list >&-")
    assert (closed.returncode, closed.stderr.count("Traceback")) == (0, 0)
    short = "--scale smoke --only resnet-20 --seeds 1 --set iterations=4 --set 'drops=[2]'"
    assert shell(f"repro run table6 {short} 2>&- <&-").returncode == 0
    [folder] = here.runs.iterdir()
    assert (folder / "final.json").exists()


def test_a_reader_that_goes_away_ends_a_command_quietly() -> None:
    done = shell("repro show figure6 --json | true")
    # 141 is what a shell says of SIGPIPE; 0 where all was written before the reader was gone.
    assert done.returncode in (0, 141)
    assert done.stderr == ""


def test_a_full_disk_behind_standard_output_is_named() -> None:
    done = shell("repro list >/dev/full")
    assert done.returncode == 4
    assert done.stderr.startswith("Error: cannot write to standard output: No space left on device")
    assert done.stderr.count("No space left") == 1
