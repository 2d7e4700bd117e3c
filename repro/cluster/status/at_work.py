"""Whether a run is at work already, before it is trained here: two would stop each other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from repro.cluster.status.run_states import Seen, look_at
from repro.cluster.status.status_rules import Runs
from repro.errors import RunFailed, UserError, printable, quote
from repro.storage.paths import Folder, Places
from repro.storage.run_files import read_progress

WATCH_S = 25.0  # a process at work beats every ten seconds
LOOK_EVERY_S = 1.0


def refuse_if_at_work(run_ids: Iterable[str], places: Places, tell: Callable[[str], None]) -> None:
    """Raise where one of the runs is at work; say which runs are taken over from other machines.

    A process of this machine and a job in the queue are known to be at work. One on another machine
    cannot be asked: its beat is watched, and it is at work if that moves.
    """
    folders = [places.run(run_id) for run_id in run_ids]
    # A job that has just started has not written its progress yet.
    begun = [each for each in folders if each.progress.exists() or each.submitted.exists()]
    seen = look_at(begun, places)
    for run in seen:
        if run.rule.run == Runs.REFUSES:
            raise _at_work(run)
    unsure = [run for run in seen if run.rule.run == Runs.WATCHES]
    if not unsure:
        return
    hosts = ", ".join(sorted({_host(run) for run in unsure}))
    tell(
        f"{_counted(len(unsure))} said to be running on {hosts}, which cannot be asked from here: "
        f"watching for {WATCH_S:.0f} s whether that moves"
    )
    moving = _first_to_move(unsure)
    if moving is not None:
        raise RunFailed(
            f"{quote(moving.files.id, 100)} is running on {_host(moving)}: its beat moves",
            f"wait for it; or end it on {_host(moving)} (process {_pid(moving)}), which saves, and "
            "then this command carries on; or leave it out with `--skip`",
        )
    for run in unsure:
        tell(f"taking over {run.files.id}: nothing moved on {_host(run)}")


def _first_to_move(unsure: Iterable[Seen]) -> Seen | None:
    """Return the first run whose process wrote its progress while we watched."""
    before = {run.files.id: (run, _beat(run.files.folder)) for run in unsure}
    # A duration, and no time of day: the other machine's clock may differ from ours.
    end = time.monotonic() + WATCH_S
    while time.monotonic() < end:
        time.sleep(min(LOOK_EVERY_S, WATCH_S))
        for run, beat in before.values():
            if _beat(run.files.folder) != beat:
                return run
    return None


def _beat(folder: Folder) -> object:
    """Return what changes with each sign of life of the run's process."""
    try:
        progress = read_progress(folder)
    except UserError:
        return None
    return progress and (progress.attempt, progress.beat, progress.iteration, progress.state)


def _at_work(run: Seen) -> RunFailed:
    """Return what to say of a run that is known to be at work."""
    run_id, state = run.files.id, run.state
    if run.rule.name == "process stopped":
        pid = _pid(run)
        return RunFailed(
            f"{quote(run_id, 100)} is suspended: process {pid} on {_host(run)} is stopped",
            f"`kill -CONT {pid}` lets it go on; "
            f"`kill {pid}; kill -CONT {pid}` has it save and end, "
            "and then this command carries on; or leave it out with `--skip`",
        )
    if state.job and state.cluster:
        who, stop = f"job {state.job} on {state.host}", f"`repro cancel {run_id}`"
    else:
        who, stop = f"process {_pid(run)} on {_host(run)}", f"`kill {_pid(run)}`"
    return RunFailed(
        f"{quote(run_id, 100)} is {run.rule.word}: {who}",
        f"wait for it; or {stop}, which saves, and then this command carries on; "
        "or leave it out with `--skip`",
    )


def _host(run: Seen) -> str:
    progress = run.files.progress
    return printable(progress.host) if progress and progress.host else "another machine"


def _pid(run: Seen) -> int | None:
    return run.files.progress.pid if run.files.progress else None


def _counted(runs: int) -> str:
    return "1 run is" if runs == 1 else f"{runs} runs are"
