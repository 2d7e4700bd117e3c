"""The files of a run folder: what each one holds, and the one function that reads it.

A reader returns None where there is no such file. Whatever else is wrong is a `FileProblem`, which
names the file and what is wrong in it. So one bad file never stops what is read of other runs.
"""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from repro.definition.run import Run, from_definition, looks_like_run_id, to_definition
from repro.errors import RunFailed, UserError, quote
from repro.storage.atomic import create_exclusive, to_json
from repro.storage.paths import Folder, Places
from repro.storage.typed_file import SCHEMA, FileProblem, decoded, read_regular, read_struct

MOST_METRICS = 1_000  # of a run: each becomes a column
KILLED = "killed"  # the cause of a failure that the process itself could not record
LARGEST_FINAL = 4_000_000  # bytes; that of ResNet-1202 has 30,000
LARGEST_METRIC = 3.5e38  # what single precision can hold; nothing that is measured comes near

# A count that 64 bits hold, and that a float holds exactly.
Count = Annotated[int, Meta(ge=0, le=2**53)]

# What can be shown as a time: more is no time of a run.
Seconds = Annotated[float, Meta(ge=0, le=1e10)]
Percent = Annotated[float, Meta(ge=0, le=100)]

_PERCENTAGE = re.compile(r".*(error|_top\d)(_.*)?")


class DataFacts(Struct, frozen=True):
    """Which data a run was trained and tested on."""

    name: str | None = None
    hash: str | None = None
    origin: str | None = None
    train_images: Count | None = None
    test_images: Count | None = None
    tested_on_training_images: bool | None = None  # None: not recorded


class Provenance(Struct, frozen=True):
    """Where a number comes from: the code, the data, the machine."""

    started: str | None = None
    ended: str | None = None
    seconds: Seconds | None = None
    host: str | None = None
    device: str | None = None
    threads: Count | None = None
    python: str | None = None
    torch: str | None = None
    precision: str | None = None
    code: str | None = None
    commit: str | None = None
    dirty: bool | None = None
    data: DataFacts = DataFacts()
    attempts: Count | None = None
    job: str | None = None
    save_seconds: Seconds | None = None
    layout: str | None = None  # of images and weights in memory
    captured: bool | None = None  # whether the step was a CUDA graph
    mps: bool | None = None  # whether it shared its GPU through CUDA's MPS; None: no GPU
    driver: str | None = None  # NVIDIA's
    gpu: dict[str, float] = {}  # mean_percent, peak_memory_gib, card_kwh
    machines: list[str] = []  # only where the run went on elsewhere


class Final(Struct, frozen=True):
    """What was measured once, when the run was done."""

    id: str
    definition: dict[str, Any] = field(name="run")
    metrics: dict[str, float | None]  # None: not finite, and `flags` says which it was
    provenance: Provenance = Provenance()
    responses: list[float] | None = None
    flags: dict[str, Literal["nan", "inf", "-inf"]] = {}
    schema: int = SCHEMA

    def metric(self, name: str) -> float | None:
        """Return one metric as a number; None where it was not measured."""
        value = self.metrics.get(name)
        if value is None and name in self.metrics:
            return float(self.flags.get(name, "nan"))
        return value


class Failure(Struct, frozen=True):
    """Why the newest attempt gave up."""

    state: str = "failed"
    attempt: Count | None = None
    iteration: Count | None = None
    problem: str = ""
    hint: str = ""
    cause: str = ""
    job: str | None = None  # where the job ended before its attempt began
    schema: int = SCHEMA


class Progress(Struct, frozen=True):
    """Where a run is, as its newest attempt said last."""

    state: str = "running"
    attempt: Count | None = None
    iteration: Count | None = None
    beat: Count | None = None  # how often it was written
    iterations: Count | None = None
    host: str | None = None
    pid: Count | None = None
    born: str | None = None  # when the process began, in ticks since the machine's start
    job: str | None = None
    time: float | None = None  # for people: nothing decides by it
    train_error: Percent | None = None
    test_error: Percent | None = None
    warmup_switch: Count | None = None
    rate_per_second: float | None = None
    eta_seconds: Seconds | None = None
    gpu_percent: float | None = None
    gpu_low_seconds: Seconds | None = None  # for how long it has been mostly idle
    reason: str | None = None  # why it was stopped
    schema: int = SCHEMA


class AttemptRecord(Struct, frozen=True):
    """Who claimed an attempt, and the iteration it has to get beyond."""

    attempt: Count | None = None
    host: str | None = None
    pid: Count | None = None
    job: str | None = None
    started: str | None = None
    began: str | None = None  # when the first attempt started
    from_iteration: Count = field(name="from", default=0)
    fruitless: Count = 0  # attempts in a row before it that got nowhere
    schema: int = SCHEMA


class Submitted(Struct, frozen=True):
    """A submitter's claim on a run."""

    batch: str
    cluster: str
    slurm_conf: str | None = None
    number: Count = 1
    user: str = ""
    host: str = ""
    pid: Count = 0
    born: str | None = None
    before: str | None = None  # the batch in which it was sent before this one
    schema: int = SCHEMA


def write_definition(folder: Folder, run: Run) -> None:
    """Give the folder its `run.json`; a folder that has one must have this one."""
    if create_exclusive(folder.definition, to_json(to_definition(run))):
        return
    if read_definition(folder) != run:
        raise RunFailed(
            f"the folder of {run.id} holds the definition of another run",
            f"move {folder.path} away, or choose another folder with `REPRO_RESULTS`",
        )


def read_definition(folder: Folder) -> Run:
    """Return the run that the folder is of."""
    path = folder.definition
    content = read_regular(path)
    if content is None:
        raise FileProblem(path, "not a run: it has no run.json")
    values = decoded(path, content, dict[str, Any])
    try:
        run = from_definition(values)
    except UserError as error:
        raise FileProblem(path, f"{error.problem} ({error.hint})") from None
    # A run is what its definition says: a copy may have any name but that of another run.
    if looks_like_run_id(folder.path.name) and folder.path.name != run.id:
        raise FileProblem(
            path,
            f"the folder has the name of one run and holds another, {quote(run.id, 150)}",
            "give it its own name back, or move it away",
        )
    return run


def read_final(folder: Folder, run: Run | None = None) -> Final | None:
    """Return what the run measured; None where it is not done.

    Every command decides by this function whether a run is done: its final record must be
    readable, of this run, whole and plausible. `run` saves reading the definition again.
    """
    path = folder.final
    content = read_regular(path)
    if content is None:
        return None
    if len(content) > LARGEST_FINAL:
        reason = f"final.json has {len(content):,} bytes, more than any run writes"
        raise FileProblem(path, reason, _HINT_FINAL)
    final: Final = decoded(path, content, Final, _HINT_FINAL)
    if len(final.metrics) > MOST_METRICS:
        raise FileProblem(
            path,
            f"final.json has {len(final.metrics):,} metrics, more than any run measures",
            _HINT_FINAL,
        )
    run = run or read_definition(folder)
    if final.id != run.id or not _defines(final.definition, run):
        raise FileProblem(path, "final.json is of another run than run.json", _HINT_FINAL)
    for name, value in final.metrics.items():
        if value is not None and not _plausible(name, value):
            raise FileProblem(
                path, f"final.json is damaged: {quote(name)} cannot be {value:g}", _HINT_FINAL
            )
    return final


def is_done(run_id: str, places: Places) -> bool:
    """Return whether the run has a final record that can be believed, here or published."""
    for folder in (places.run(run_id), Folder(places.published / run_id)):
        # A record that cannot be believed is no end of a run: whoever trains or shows it says why.
        with contextlib.suppress(UserError):
            if read_final(folder) is not None:
                return True
    return False


def read_failure(folder: Folder) -> Failure | None:
    """Return why the newest attempt gave up; None where none did."""
    return read_struct(folder.failed, Failure)


def read_progress(folder: Folder) -> Progress | None:
    """Return where the run said it was; None before its first attempt."""
    return read_struct(folder.progress, Progress)


def read_attempt(folder: Folder, number: int) -> AttemptRecord | None:
    """Return who claimed this attempt."""
    return read_struct(folder.attempt(number), AttemptRecord)


def read_submitted(path: Path) -> Submitted | None:
    """Return the claim in this file: `submitted.json`, or a later one beside it."""
    return read_struct(path, Submitted)


_HINT_FINAL = (
    "restore it, or remove it and `repro run` measures the run again from its checkpoint; "
    "`--again` trains it from nothing"
)


def _defines(values: dict[str, Any], run: Run) -> bool:
    try:
        return from_definition(values) == run
    except UserError:
        return False


def _plausible(name: str, value: float) -> bool:
    """Return whether a metric can have this value: an error is a percentage, a loss is a number."""
    largest = 100.0 if _PERCENTAGE.fullmatch(name) else LARGEST_METRIC
    return 0 <= value <= largest
