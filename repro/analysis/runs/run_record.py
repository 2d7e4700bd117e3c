"""One run folder, read: a flat record of what it defines, measured and went through.

No file is believed without a check. This version must know the definition. A final record must be
of the run in whose folder it lies, and each line of metrics must carry its own digest. Names of
folders mean nothing: a run is what its definition says.
"""

from __future__ import annotations

import json
import math
import os
from datetime import datetime
from pathlib import Path
from typing import Any

from repro.analysis.runs.contradictions import contradictions
from repro.definition.bounds import LARGEST_COUNT
from repro.definition.run import Run, to_definition
from repro.errors import UserError
from repro.storage import metrics_file
from repro.storage.metrics_file import CURVE
from repro.storage.paths import Folder
from repro.storage.run_files import (
    DataFacts,
    Final,
    Provenance,
    read_definition,
    read_failure,
    read_final,
)
from repro.storage.typed_file import FileProblem, read_regular

PROVENANCE = (
    ("started", str),
    ("ended", str),
    ("seconds", float),
    ("host", str),
    ("device", str),
    ("threads", int),
    ("python", str),
    ("torch", str),
    ("precision", str),
    ("layout", str),
    ("captured", bool),
    ("mps", bool),
    ("driver", str),
    ("commit", str),
    ("dirty", bool),
    ("code", str),
    ("attempts", int),
    ("job", str),
    ("machines", list),
)
DATA = (
    ("name", str),
    ("hash", str),
    ("origin", str),
    ("train_images", int),
    ("test_images", int),
    ("tested_on_training_images", bool),
)

_ANY = Folder(Path())
_FILES = (
    *(_ANY.definition, _ANY.metrics, _ANY.final, _ANY.failed, _ANY.published_digests),
    *(_ANY.weights, _ANY.weights_record),  # `contradictions` looks at them
)
_STAMPED = tuple(path.name for path in _FILES)

Record = dict[str, Any]


def folder_stamp(folder: Folder) -> str:
    """Return what changes when any file that `read_run` looks at changes: times and sizes."""
    marks, inside = [], str(folder.path)
    for name in _STAMPED:
        try:
            # No Path is made, since this is done 40,000 times.
            status = os.stat(f"{inside}/{name}")  # noqa: PTH116
            marks.append(f"{status.st_mtime_ns}.{status.st_size}")
        except OSError:
            marks.append("-")
    return "/".join(marks)


def read_run(folder: Folder) -> Record:
    """Return the folder's record, with its `state`: done, diverged, failed, unfinished, unreadable.

    `problem` says why a folder is unreadable, or what was left out of its curve.
    """
    try:
        run = read_definition(folder)
        final = read_final(folder, run)
        ending = _unfinished(folder) if final is None else _done(final)
        record = _defined(run) | ending | _curve(folder)
    except FileProblem as problem:
        return {"state": "unreadable", "problem": problem.reason}
    except UserError as problem:
        return {"state": "unreadable", "problem": problem.problem}
    found = list(contradictions(run, record, folder))
    if found:
        # Which of the two numbers is the true one, nobody can tell: nothing is judged by either.
        return {"state": "unreadable", "problem": f"it contradicts itself: {'; '.join(found)}"}
    # Times of day decide nothing, so the run counts; its reader is told not to believe them.
    notes = [record["problem"], _clock_set_back(record)]
    record["problem"] = "; ".join(filter(None, notes)) or None
    return record


def why_not_published(record: Record) -> str | None:
    """Return the record's problem; None where it is only a clock, which no number depends on."""
    return None if record["problem"] == _clock_set_back(record) else record["problem"]


def _defined(run: Run) -> Record:
    net, recipe = run.net, run.recipe
    return {
        "id": run.id,
        "net": net.name,
        "kind": net.kind,
        "depth": net.depth,
        "family": net.family,
        "shortcut": net.shortcut,
        "recipe": recipe.name,
        "dataset": recipe.dataset,
        "iterations": recipe.iterations,
        "scale": run.scale,
        "seed": run.seed,
        "definition": json.dumps(to_definition(run), sort_keys=True, separators=(",", ":")),
    }


def _done(final: Final) -> Record:
    """Return what was measured once, and where."""
    record = _provenance(final.provenance) | {"state": "done", "responses": final.responses}
    not_finite = []
    for name in final.metrics:
        value = record[f"metric.{name}"] = final.metric(name)
        # In a frame NaN is also what was not measured, so the names are kept beside it.
        if value is not None and not math.isfinite(value):
            not_finite.append(name)
    record["not_finite"] = sorted(not_finite)
    return record


def _provenance(provenance: Provenance) -> Record:
    record: Record = {}
    for name, _ in PROVENANCE:
        record[name] = getattr(provenance, name)
    record["machines"] = provenance.machines or None
    data: DataFacts = provenance.data
    for name, _ in DATA:
        record[data_column(name)] = getattr(data, name)
    return record


def _clock_set_back(record: Record) -> str:
    """Return what to say of a run that ended before it began; empty where it did not."""
    started, ended = record.get("started"), record.get("ended")
    try:
        began = datetime.fromisoformat(started or "")
        end = datetime.fromisoformat(ended or "")
        backwards = end < began
    except (ValueError, TypeError):  # no times, or one of the two without its zone
        return ""
    if not backwards:
        return ""
    return (
        f"by the clock it ended ({ended}) before it started ({started}): a clock was set back; "
        "its seconds do not come from that clock"
    )


def data_column(name: str) -> str:
    """Return the column that a fact about the data is in."""
    return name if name.endswith("images") else f"data_{name}"


def _unfinished(folder: Folder) -> Record:
    failure = read_failure(folder)
    if failure is None:
        return {"state": "unfinished"}
    state = "diverged" if failure.state == "diverged" else "failed"
    return {"state": state, "failed_at": failure.iteration, "failure": failure.problem}


def _curve(folder: Folder) -> Record:
    """Return the metrics as columns, without the lines that cannot be believed."""
    content = read_regular(folder.metrics) or b""
    believed, bad = [], []
    lines = content.splitlines(keepends=True)
    for number, line in enumerate(lines, start=1):
        row = metrics_file.decode(line)
        # A digest says that a line is whole, and not that its number fits into a column.
        if row is None or row.iteration > LARGEST_COUNT:
            bad.append(number)
        else:
            believed.append(row)
    record: Record = {}
    for name in CURVE:
        record[f"curve.{name}"] = [getattr(row, name) for row in believed]
    record["problem"] = "; ".join(_bad_lines(bad, len(lines))) or None
    return record


def _bad_lines(bad: list[int], count: int) -> list[str]:
    """Return what to say of lines that are not whole: in the middle, or at the end of `count`."""
    # A torn tail is what a crash leaves and is no damage; a bad line before a good one is.
    tail = 0
    while bad and bad[-1] == count - tail:
        bad.pop()
        tail += 1
    problems = []
    if bad:
        lines = f"line{'s' * (len(bad) > 1)} {', '.join(map(str, bad))}"
        problems.append(f"{lines} of metrics.jsonl damaged")
    if tail:
        lines = f"{tail} line{'s' * (tail > 1)}"
        problems.append(f"a torn tail of {lines} dropped from metrics.jsonl")
    return problems
