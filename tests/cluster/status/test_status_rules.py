"""Every combination of files, processes and answers has one word; no command contradicts it."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from experiments.recipes import CIFAR10
from experiments.scales import SCALES
from repro.cluster.profile import Profile
from repro.cluster.records.batch import Batch, jobs_folder
from repro.cluster.records.ownership import Claim, take_claim
from repro.cluster.slurm import Job, Live
from repro.cluster.status import run_states
from repro.cluster.status import seen_run as seen_module
from repro.cluster.status.run_records import read_records
from repro.cluster.status.status_rules import RULES, Facts, Runs, Submits, rule_for
from repro.cluster.status.status_rules_table import table
from repro.cluster.submit.submission import SubmitOptions, make_plan
from repro.definition.net import resnet
from repro.definition.run import Run, to_definition
from repro.definition.verdicts_and_states import RunState
from repro.storage.atomic import to_json
from repro.storage.paths import ROOT, Folder, Places
from repro.storage.run_files import write_definition

RUN = SCALES["smoke"](Run(resnet(8), CIFAR10))
LIVE = (RunState.RUNNING, RunState.QUEUED, RunState.SUSPENDED)
DOCUMENT = ROOT / "docs" / "run-states.md"


def test_every_combination_of_facts_has_one_rule_and_no_contradiction() -> None:
    vocabularies = [list(type(value)) for value in asdict(Facts()).values()]
    names = list(asdict(Facts()))
    used = set()
    for values in itertools.product(*vocabularies):
        rule = rule_for(Facts(**dict(zip(names, values, strict=True))))
        used.add(rule.name)
        # What is at work is never sent a second time unless asked to, and what is done never.
        if rule.word in LIVE:
            assert rule.submit in (Submits.NOTHING, Submits.RETRIES)
        if rule.word == RunState.DONE:
            assert (rule.submit, rule.run) == (Submits.NOTHING, Runs.NOTHING)
        # What is known to be at work is refused; what is not at work is never refused.
        assert (rule.run in (Runs.REFUSES, Runs.WATCHES)) <= (rule.word in LIVE)
        # What gave up waits for `--retry`; what was merely stopped goes on by itself.
        if rule.word in (RunState.DIVERGED, RunState.LOST):
            assert rule.submit == Submits.RETRIES
        if rule.word in (RunState.LACKING, RunState.INTERRUPTED):
            assert (rule.submit, rule.run) == (Submits.SENDS, Runs.TRAINS)
    assert used == {rule.name for rule in RULES}, "a rule that never decides"


def test_every_word_is_said_by_some_rule() -> None:
    assert {rule.word for rule in RULES} == set(RunState)


def test_every_reason_is_of_a_rule() -> None:
    assert set(seen_module._REASONS) <= {rule.name for rule in RULES}


def test_the_documentation_prints_this_table() -> None:
    assert table() in DOCUMENT.read_text(), (
        "paste what `python -m repro.cluster.status.status_rules_table` prints"
    )


@dataclass(frozen=True)
class Files:
    """One combination of what may lie in a run's folder and of what the queue may say."""

    final: str
    failed: str
    progress: str
    process: str
    claim: str
    queue: str
    log: str
    definition: str


FINALS = ("none", "valid", "damaged")
FAILURES = ("none", "failed", "diverged", "of this job", "damaged")
PROGRESSES = ("none", "running", "measuring", "stopped", "damaged")
PROCESSES = ("alive", "gone", "elsewhere", "another's number")
CLAIMS = ("none", "declared", "sent", "withdrawn")
QUEUES = ("no answer", "empty", "PENDING", "RUNNING", "SUSPENDED", "COMPLETING")
LOGS = ("none", "silent", "preempted")
DEFINITIONS = ("its own", "another's", "damaged", "none")


def combinations() -> Iterator[Files]:
    everything = (FINALS, FAILURES, PROGRESSES, PROCESSES, CLAIMS, QUEUES, LOGS, DEFINITIONS)
    for values in itertools.product(*everything):
        files = Files(*values)
        if files.definition != "its own" and (files.failed, files.log) != ("none", "none"):
            continue  # a definition that is not this run's decides alone, as a final record does
        if files.final != "none" and (files.progress, files.queue) != ("running", "RUNNING"):
            continue  # a final record decides alone: once for each of the others is enough
        if files.progress in ("none", "damaged") and files.process != "gone":
            continue
        if files.claim == "none" and (files.queue, files.log) != ("empty", "none"):
            continue
        yield files


def write(files: Files, places: Places, folder: Folder, batch: Batch) -> Live | None:
    """Write the combination down; return what the scheduler answers."""
    _write_definition(folder, files.definition)
    facts = {"id": RUN.id, "run": to_definition(RUN), "metrics": {"test_error": 50.0}}
    _write(folder.final, files.final, facts)
    job = "100_0" if files.failed == "of this job" else "99_0"
    diverged = files.failed == "diverged"
    failure = {"state": "diverged" if diverged else "failed", "problem": "why", "job": job}
    _write(folder.failed, files.failed, failure)
    progress: dict[str, Any] = {"state": files.progress, "attempt": 1, "iteration": 40, "job": None}
    if files.claim == "sent":
        progress["job"] = "100_0"
    pids = {"alive": os.getpid(), "another's number": os.getpid(), "gone": 2**22 + 1}
    progress["host"] = "elsewhere" if files.process == "elsewhere" else socket.gethostname()
    progress["pid"] = pids.get(files.process, 1)
    if files.process == "another's number":
        progress["born"] = "1"
    _write(folder.progress, files.progress, progress)
    if files.claim == "none":
        return {}
    return _queue(files, folder, batch)


def _write_definition(folder: Folder, kind: str) -> None:
    if kind == "its own":
        write_definition(folder, RUN)
    elif kind != "none":
        _write(folder.definition, kind, to_definition(replace(RUN, seed=5)))


def _queue(files: Files, folder: Folder, batch: Batch) -> Live | None:
    """Write the claim and the batch; return what the scheduler answers."""
    take_claim(folder, Claim.ours(batch.name, "mine", None), None)
    if files.claim == "withdrawn":
        return None if files.queue == "no answer" else {}
    batch.declare([[RUN.id]], {})
    if files.claim == "sent":
        batch.sent("100")
    if files.log != "none":
        (batch.path / "100_0_0_log.out").touch()
        why = "*** JOB 1 ON n CANCELLED AT 2030-01-01T00:00:00 DUE TO PREEMPTION ***\n"
        (batch.path / "100_0_0_log.err").write_text(why if files.log == "preempted" else "")
    if files.queue == "no answer":
        return None
    if files.queue == "empty":
        return {}
    one = Job("100", 0, files.queue, "1:00", "30:00", "gpu1", batch.name, "")
    return {(batch.name, 0): one}


def _write(path: Path, kind: str, record: dict[str, Any]) -> None:
    if kind == "damaged":
        path.write_bytes(b'{"half')
    elif kind != "none":
        path.write_bytes(to_json(record))


def test_no_combination_of_files_and_answers_is_a_traceback_or_a_contradiction(
    here: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    from repro.analysis.runs.run_record import read_run

    monkeypatch.setattr(os, "fsync", lambda handle: None)  # thousands of files, of no worth
    words = set()
    everything = list(combinations())
    for number, files in enumerate(everything):
        places = Places(here.results / str(number), here.figures, here.data)
        folder = places.run(RUN.id)
        folder.path.mkdir(parents=True)
        batch = Batch(jobs_folder(places) / "one")
        batch.path.mkdir(parents=True)
        live = write(files, places, folder, batch)
        seen = run_states.judge(read_records(folder, places, {}), live)
        told = seen.state
        words.add(told.word)
        monkeypatch.setattr(run_states.slurm, "live_jobs", lambda arrays, conf, live=live: live)
        for wanted in (SubmitOptions(), SubmitOptions(retry=True)):
            plan = make_plan({"one": [RUN]}, places, Profile("mine"), wanted, 10)
            sent = bool(plan.runs)
            asked = (Submits.SENDS,) if not wanted.retry else (Submits.SENDS, Submits.RETRIES)
            assert sent == (seen.rule.submit in asked), (files, told)
        record = read_run(folder)
        assert (record["state"] == "done") == (told.word == RunState.DONE), (files, told)
        if files.definition in ("another's", "damaged"):
            # What such a folder says is so of another run, or of none that can be named.
            assert (seen.rule.name, told.reason) == ("damaged", record["problem"]), (files, told)
    assert words == set(RunState)


def test_the_table_is_printed_without_loading_torch() -> None:
    code = "import sys, repro.cluster.status.status_rules_table; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout == "False\n"
    assert table().count("\n") == len(RULES) + 1
