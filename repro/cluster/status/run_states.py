"""Where every run is: our own files are the truth, and one `squeue` call says what waits and runs.

It works without accounting, and without any SLURM: then it says so and shows what the files know.
Which word is said is decided in `rules`; here are the facts that it is decided by, and the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from repro.cluster import slurm
from repro.cluster.records.ownership import claim_standing
from repro.cluster.status.run_records import ReadBatch, RunRecords, read_records
from repro.cluster.status.seen_run import Seen, State, queue_of
from repro.cluster.status.status_rules import (
    Facts,
    Failure,
    Log,
    Queue,
    Record,
    rule_for,
)
from repro.definition.verdicts_and_states import RunState
from repro.storage.paths import Folder, Places

__all__ = ["Seen", "State", "all_states", "ask_schedulers", "judge", "look_at"]


def all_states(folders: Iterable[Folder], places: Places) -> list[State]:
    """Return the state of each run, in the order given, asking each scheduler once."""
    return [seen.state for seen in look_at(folders, places)]


def look_at(folders: Iterable[Folder], places: Places) -> list[Seen]:
    """Look at each run, with one question to each scheduler that may know of them."""
    batches: dict[str, ReadBatch] = {}
    files = [read_records(folder, places, batches) for folder in folders]
    answers = ask_schedulers(files)
    return [judge(run, _answer(run, answers)) for run in files]


def _answer(run: RunRecords, answers: Mapping[str | None, slurm.Live | None]) -> slurm.Live | None:
    """Return the answer of the scheduler that has the run; none where another one answered.

    Two clusters may share a folder of results. What one of them does not list, the other may have.
    """
    sent_to = run.batch.slurm_cluster if run.batch else None
    here = slurm.cluster_name(run.slurm_conf) if sent_to else None
    if sent_to and here and sent_to != here:
        return None
    return answers.get(run.slurm_conf)


def ask_schedulers(files: Sequence[RunRecords]) -> dict[str | None, slurm.Live | None]:
    """Ask each scheduler for the batches that it may know; none where nothing was sent."""
    by_conf: dict[str | None, dict[str, str | None]] = {}
    for run in files:
        if run.batch and run.batch.runs:
            by_conf.setdefault(run.slurm_conf, {})[run.batch.name] = run.batch.array
    return {conf: slurm.live_jobs(arrays, conf) for conf, arrays in by_conf.items()}


def judge(files: RunRecords, live: slurm.Live | None) -> Seen:
    """Decide by the files and the queue which rule applies to a run."""
    if files.damage:
        return Seen(files, None, rule_for(Facts(Record.DAMAGED)))
    if files.final is not None:
        return Seen(files, None, rule_for(Facts(Record.FINAL)))
    queue, job = _queue(files, live)
    if queue == Queue.NONE and files.batch_before is not None:
        # The newest submission failed: what became of the one before is what is so.
        files, queue = replace(files, batch=files.batch_before), Queue.ENDED
    facts = Facts(
        queue=queue,
        failure=_failure(files, job),
        progress=files.attempt_state,
        process=files.process,
        sender=files.sender,
        # Logs are only looked for where it matters: a large array has thousands.
        log=files.log if queue == Queue.ENDED else Log.NONE,
    )
    return Seen(files, job, rule_for(facts))


def _queue(files: RunRecords, live: slurm.Live | None) -> tuple[Queue, slurm.Job | None]:
    """Return what is known of the job in which the run was last sent."""
    if files.claim is None or files.batch is None:
        return Queue.NONE, None
    standing = claim_standing(files.claim, files.id, files.batch, live, files.sender_gone)
    if standing == "live" and live is not None and files.index is not None:
        job = live[files.batch.name, files.index]
        return queue_of(job), job
    return _QUEUES[standing], None


_QUEUES = {
    "sending": Queue.SENDING,
    "ended": Queue.ENDED,
    "void": Queue.NONE,
    "unknown": Queue.NO_ANSWER,
}


def _failure(files: RunRecords, job: slurm.Job | None) -> Failure:
    """Return what `failed.json` says, and whether this job wrote it or an earlier attempt."""
    if files.failed is None:
        return Failure.NONE
    current = job.id if job else files.job
    here = current is not None and files.failed_in == current
    if files.failed.state == RunState.DIVERGED:
        return Failure.DIVERGED if here else Failure.DIVERGED_EARLIER
    return Failure.FAILED if here else Failure.FAILED_EARLIER
