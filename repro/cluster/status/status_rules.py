"""Every word that `repro status` can say of a run, and when it says it: one table.

The first rule that applies decides. `submit` and `run` act by the same rule, so that no command
contradicts another. `repro.cluster.status.status_rules_table` prints it for the documentation.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from repro.definition.verdicts_and_states import RunState


class Record(StrEnum):
    """What the run's own records are."""

    OPEN = "no result yet"
    FINAL = "a valid `final.json`"
    DAMAGED = "a record that cannot be read"


class Queue(StrEnum):
    """What is known of the job in which the run was last sent."""

    NONE = "not sent"
    SENDING = "being sent"
    WAITS = "waits"
    RUNS = "runs"
    SUSPENDED = "suspended"
    NO_ANSWER = "the scheduler does not answer"
    ENDED = "over"


class Failure(StrEnum):
    """What `failed.json` says, and of which job."""

    NONE = "none"
    FAILED = "failed, in this job"
    DIVERGED = "diverged, in this job"
    FAILED_EARLIER = "failed, in an earlier attempt"
    DIVERGED_EARLIER = "diverged, in an earlier attempt"


class Progress(StrEnum):
    """What `progress.json` says."""

    NONE = "no attempt began"
    AT_WORK = "at work"
    STOPPED = "stopped and saved"


class Process(StrEnum):
    """The process that wrote `progress.json`, by its host, its number and its start time."""

    NONE = "none"
    ALIVE = "alive on this machine"
    STOPPED = "stopped on this machine"
    GONE = "gone from this machine"
    ELSEWHERE = "on another machine"


class Sender(StrEnum):
    """Who started the last attempt."""

    SUBMIT = "`repro submit`"
    RUN = "`repro run`"


class Log(StrEnum):
    """What SLURM kept of the job's last start."""

    NONE = "nothing"
    ENDED_BY_SLURM = "SLURM's word that it ended it"
    SILENT = "no such word"


class Submits(StrEnum):
    """What `repro submit` does."""

    NOTHING = "nothing"
    SENDS = "sends it"
    RETRIES = "sends it with `--retry`"


class Runs(StrEnum):
    """What `repro run` does."""

    NOTHING = "nothing"
    TRAINS = "trains it"
    REFUSES = "refuses"
    WATCHES = "refuses if its beat moves, else trains it"
    NAMES = "names the file, and stops"


@dataclass(frozen=True)
class Facts:
    """What is known of one run."""

    record: Record = Record.OPEN
    queue: Queue = Queue.NONE
    failure: Failure = Failure.NONE
    progress: Progress = Progress.NONE
    process: Process = Process.NONE
    sender: Sender = Sender.RUN
    log: Log = Log.NONE


Condition: TypeAlias = dict[str, tuple[StrEnum, ...]]


@dataclass(frozen=True)
class Rule:
    """A word, when it is said, and what the commands then do."""

    name: str
    word: RunState
    when: Condition
    submit: Submits
    run: Runs

    def applies(self, facts: Facts) -> bool:
        return all(getattr(facts, fact) in values for fact, values in self.when.items())


ANSWERED = tuple(queue for queue in Queue if queue != Queue.NO_ANSWER)
# A new attempt removes `failed.json`: with one there, a living process has gone on to another run.
AT_WORK: Condition = {"progress": (Progress.AT_WORK,), "failure": (Failure.NONE,)}
NOT_SUBMITTED: Condition = {"progress": (Progress.AT_WORK,), "sender": (Sender.RUN,)}

RULES = (
    Rule(
        "damaged",
        RunState.FAILED,
        {"record": (Record.DAMAGED,)},
        Submits.NOTHING,  # first the file must be put right
        Runs.NAMES,
    ),
    Rule("done", RunState.DONE, {"record": (Record.FINAL,)}, Submits.NOTHING, Runs.NOTHING),
    # A process of this machine is a fact, whatever a scheduler says or does not say.
    Rule(
        "process alive",
        RunState.RUNNING,
        AT_WORK | {"process": (Process.ALIVE,)},
        Submits.NOTHING,
        Runs.REFUSES,
    ),
    Rule(
        "process stopped",
        RunState.SUSPENDED,
        AT_WORK | {"process": (Process.STOPPED,)},
        Submits.NOTHING,
        Runs.REFUSES,
    ),
    # A run that failed in this job has failed, though the job goes on with those that share it.
    Rule(
        "failed in this job",
        RunState.FAILED,
        {"failure": (Failure.FAILED,)},
        Submits.RETRIES,
        Runs.TRAINS,
    ),
    Rule(
        "diverged in this job",
        RunState.DIVERGED,
        {"failure": (Failure.DIVERGED,)},
        Submits.RETRIES,
        Runs.TRAINS,
    ),
    Rule("job waits", RunState.QUEUED, {"queue": (Queue.WAITS,)}, Submits.NOTHING, Runs.TRAINS),
    Rule(
        "job suspended",
        RunState.SUSPENDED,
        {"queue": (Queue.SUSPENDED,)},
        Submits.NOTHING,
        Runs.REFUSES,
    ),
    Rule("job runs", RunState.RUNNING, {"queue": (Queue.RUNS,)}, Submits.NOTHING, Runs.REFUSES),
    Rule("being sent", RunState.QUEUED, {"queue": (Queue.SENDING,)}, Submits.NOTHING, Runs.TRAINS),
    Rule(
        "failed",
        RunState.FAILED,
        {"failure": (Failure.FAILED_EARLIER,), "queue": ANSWERED},
        Submits.RETRIES,
        Runs.TRAINS,
    ),
    Rule(
        "diverged",
        RunState.DIVERGED,
        {"failure": (Failure.DIVERGED_EARLIER,), "queue": ANSWERED},
        Submits.RETRIES,
        Runs.TRAINS,
    ),
    # Without the scheduler's answer, what may be in the queue counts as there.
    Rule(
        "running, as far as is known",
        RunState.RUNNING,
        AT_WORK | {"queue": (Queue.NO_ANSWER,), "process": (Process.ELSEWHERE, Process.NONE)},
        Submits.NOTHING,
        Runs.WATCHES,
    ),
    Rule(
        "queued, as far as is known",
        RunState.QUEUED,
        {"queue": (Queue.NO_ANSWER,)},
        Submits.NOTHING,
        Runs.TRAINS,
    ),
    Rule(
        "saved",
        RunState.INTERRUPTED,
        {"progress": (Progress.STOPPED,)},
        Submits.SENDS,
        Runs.TRAINS,
    ),
    Rule(
        "on another machine",
        RunState.RUNNING,
        NOT_SUBMITTED | {"process": (Process.ELSEWHERE, Process.NONE)},
        Submits.RETRIES,
        Runs.WATCHES,
    ),
    Rule("process gone", RunState.INTERRUPTED, NOT_SUBMITTED, Submits.SENDS, Runs.TRAINS),
    Rule(
        "ended by SLURM",
        RunState.INTERRUPTED,
        {"queue": (Queue.ENDED,), "log": (Log.ENDED_BY_SLURM,)},
        Submits.SENDS,
        Runs.TRAINS,
    ),
    Rule(
        "ended without a word",
        RunState.LOST,
        {"queue": (Queue.ENDED,), "log": (Log.SILENT,)},
        Submits.RETRIES,
        Runs.TRAINS,
    ),
    Rule(
        "job gone", RunState.LOST, {"progress": (Progress.AT_WORK,)}, Submits.RETRIES, Runs.TRAINS
    ),
    Rule(
        "taken from the queue",
        RunState.LACKING,
        {"queue": (Queue.ENDED,)},
        Submits.SENDS,
        Runs.TRAINS,
    ),
    Rule("not begun", RunState.LACKING, {}, Submits.SENDS, Runs.TRAINS),
)


def rule_for(facts: Facts) -> Rule:
    """Return the first rule that applies; the last one always does."""
    return next(rule for rule in RULES if rule.applies(facts))
