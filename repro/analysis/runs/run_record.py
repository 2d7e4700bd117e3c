"""One run folder, read: a flat record of what it defines, measured and went through, or the reason why it cannot be.

Nothing here believes a file blindly: a definition must be one this version knows, a final record must be of the run
whose folder it is in, and a line of metrics must carry its own digest. Names of folders mean nothing; a run is what
its definition says.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import msgspec

from repro.definition.run import from_definition
from repro.errors import UserError
from repro.storage import metrics_file
from repro.storage.paths import Folder

SCHEMA = 1  # the newest final.json that this version understands
MOST = 1_000  # metrics of a run: each becomes a column

CURVE = (
    "iteration",
    "rate",
    "train_error",
    "train_loss",
    "test_error",
    "test_loss",
    "gradient_first",
    "gradient_last",
)
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
    ("commit", str),
    ("dirty", bool),
    ("code", str),
    ("attempts", int),
    ("job", str),
    ("machines", str),
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
_STAMPED = tuple(path.name for path in (_ANY.definition, _ANY.metrics, _ANY.final, _ANY.failed))
AND_THEN = " → "  # between the machines of a run that went on elsewhere

Record = dict[str, Any]


class Unreadable(Exception):
    """The folder cannot be read as a run; the message says why."""


def folder_stamp(folder: Folder) -> str:
    """What changes when any file that `read` looks at changes: times and sizes, without opening anything."""
    marks, inside = [], str(folder.path)
    for name in _STAMPED:
        try:
            status = os.stat(f"{inside}/{name}")  # noqa: PTH116 – no Path is made, since this is done 40,000 times
            marks.append(f"{status.st_mtime_ns}.{status.st_size}")
        except OSError:
            marks.append("-")
    return "/".join(marks)


def read_run(folder: Folder) -> Record:
    """The folder's record. Its `state` is done, diverged, failed, unfinished, or unreadable (see `problem`)."""
    record: Record = {"problem": None}
    try:
        record |= _defined(folder)
        record |= _final(folder, record) or _unfinished(folder)
        record |= _curve(folder)
    except Unreadable as reason:
        return {"state": "unreadable", "problem": str(reason)}
    return record


def _defined(folder: Folder) -> Record:
    values = _json(folder, "run.json")
    if values is None:
        raise Unreadable("not a run: it has no run.json")
    try:
        run = from_definition(values)
    except UserError as error:
        raise Unreadable(f"{error.problem} ({error.hint})") from None
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
        "definition": _canonical(values),
    }


def _canonical(values: Any) -> str:
    return json.dumps(values, sort_keys=True, separators=(",", ":"))


def _final(folder: Folder, defined: Record) -> Record | None:
    """What was measured once, or None where the run is not done."""
    final = _json(folder, "final.json")
    if final is None:
        return None
    if not isinstance(final, dict) or not isinstance(final.get("metrics"), dict):
        raise Unreadable("final.json is damaged: it has no metrics")
    if final.get("schema", 0) > SCHEMA:
        raise Unreadable(
            f"final.json was written by a newer version (schema {final['schema']}); update this one"
        )
    if len(final["metrics"]) > MOST:
        raise Unreadable(
            f"final.json has {len(final['metrics']):,} metrics, more than any run measures"
        )
    if _canonical(final.get("run")) != defined["definition"] or final.get("id") != defined["id"]:
        raise Unreadable("final.json is of another run than run.json")
    metrics = {
        name: _number(value, final.get("flags", {}).get(name))
        for name, value in final["metrics"].items()
    }
    record = {f"metric.{name}": value for name, value in metrics.items()}
    record["not_finite"] = ",".join(
        sorted(name for name, value in metrics.items() if not math.isfinite(value))
    )
    return record | _provenance(final) | {"state": "done", "responses": final.get("responses")}


def _provenance(final: Record) -> Record:
    """Where a number comes from; a value of an unexpected type is left out rather than guessed at."""
    given = final.get("provenance") or {}
    data = given.get("data") or {}
    record = {name: _typed(given.get(name), kind) for name, kind in PROVENANCE}
    for name, kind in DATA:
        record[name if name.endswith("images") else f"data_{name}"] = _typed(data.get(name), kind)
    return record


def _unfinished(folder: Folder) -> Record:
    failed = _json(folder, "failed.json")
    if not isinstance(failed, dict):
        return {"state": "unfinished"}
    state = "diverged" if failed.get("state") == "diverged" else "failed"
    return {
        "state": state,
        "failed_at": _typed(failed.get("iteration"), int),
        "failure": str(failed.get("problem")),
    }


def _curve(folder: Folder) -> Record:
    """The metrics as columns. A bad line is never believed; where it stands decides what is said."""
    try:
        content = folder.metrics.read_bytes()
    except FileNotFoundError:
        content = b""
    except OSError as error:
        raise Unreadable(f"metrics.jsonl cannot be read: {error.strerror}") from None
    decoded = [metrics_file.decode(line) for line in content.splitlines(keepends=True)]
    rows = [row for row in decoded if row is not None]
    record: Record = {f"curve.{name}": [row.get(name) for row in rows] for name in CURVE}
    if len(rows) < len(decoded):
        last = max((at for at, row in enumerate(decoded) if row is not None), default=-1)
        middle = [at + 1 for at, row in enumerate(decoded[:last]) if row is None]
        tail = len(decoded) - 1 - last
        said = (
            [
                f"line{'s' * (len(middle) > 1)} {', '.join(map(str, middle))} of metrics.jsonl damaged"
            ]
            if middle
            else []
        )
        said += (
            [f"a torn tail of {tail} line{'s' * (tail > 1)} dropped from metrics.jsonl"]
            if tail
            else []
        )
        record["problem"] = "; ".join(said)
    return record


def _json(folder: Folder, name: str) -> Any:
    try:
        return msgspec.json.decode((folder.path / name).read_bytes())
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Unreadable(f"{name} is damaged: not JSON") from None
    except OSError as error:
        raise Unreadable(f"{name} cannot be read: {error.strerror}") from None


def _number(value: Any, flag: str | None) -> float:
    """A metric's value; null is NaN, or what its flag says."""
    if isinstance(value, (int, float)):
        return float(value)
    return float(flag) if flag in ("nan", "inf", "-inf") else math.nan


def _typed(value: Any, kind: type) -> Any:
    if kind is str:
        return (
            None
            if value is None
            else AND_THEN.join(map(str, value))
            if isinstance(value, list)
            else str(value)
        )
    if kind is float and isinstance(value, int):
        return float(value)
    return value if isinstance(value, kind) else None
