"""Publishing: the small record of a finished run, copied to a folder that is tracked.

A published run is its definition, its curve and its final record: what every table, figure, verdict
and report is made from. Small nets trained as the paper did bring their weights along. Checkpoints
and per-image predictions stay behind. The record appears whole, or not at all.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from repro.analysis.runs import run_record
from repro.analysis.runs.record_checks import record_problems
from repro.definition.run import Run
from repro.errors import UserError, quote
from repro.storage.atomic import (
    disk_errors_explained,
    make_folder,
    read_json,
    sync_folder,
    to_json,
    write_atomic,
)
from repro.storage.labs import Lab, write_lab
from repro.storage.paths import Folder

WEIGHTS_SCHEMA = 1  # of weights.json
DIGESTS_SCHEMA = 1  # of published.json
_ANY = Folder(Path())
WEIGHTS_AT = "paper"  # the scale whose weights are given away
DEEPEST_WITH_WEIGHTS = 110  # layers: 7 MB; ResNet-1202 would be 78 MB


@dataclass(frozen=True)
class Weights:
    """The weights to publish with a record."""

    # Called only if they are needed, since it may read a checkpoint; None if they cannot be had.
    extract: Callable[[], bytes | None]
    evaluate: str  # the command that measures them


def releases_weights(run: Run, scale: str = WEIGHTS_AT) -> bool:
    """Return whether a run is published with its weights: a small net at the paper's scale."""
    small = run.net.family == "cifar" and run.net.depth <= DEEPEST_WITH_WEIGHTS
    return small and run.scale == scale


def publish(
    working: Folder,
    public: Folder,
    again: bool = False,
    uncommitted: bool = False,
    weights: Weights | None = None,
    lab: Lab | None = None,
) -> str:
    """Publish the run, if it may be; return `published`, `as before` or `not done`.

    `lab`: whose record it is, where it is not ours. It is then checked as a pull request will be.
    """
    if not working.final.exists():
        return "as before" if public.final.exists() else "not done"
    _check(working, uncommitted)
    if lab:
        _check_for_others(working)
    content = _record(working)
    # Only the record is compared: what is added later (digests, weights) does not change it.
    same = public.path.exists() and content == _record(public)
    if public.path.exists() and not same and not again:
        raise UserError(
            f"{quote(working.path.name, 100)} differs from what is published",
            "`--again` replaces the record",
        )
    if same and (weights is None or weights_are_whole(public)):
        return "as before"
    with_weights = _weights_files(working, weights)
    if same and not with_weights:
        return "as before"
    if lab:
        write_lab(public.path.parent, lab)
    _place(content | with_weights | _digests(content), public)
    return "published"


def weights_are_whole(public: Folder) -> bool:
    """Return whether the published weights are there, with the digest that their record names."""
    about = read_json(public.weights_record)
    if about is None or not public.weights.exists():
        return False
    digest: str = hashlib.sha256(public.weights.read_bytes()).hexdigest()
    return bool(digest == about["sha256"])


def _record(folder: Folder) -> dict[str, bytes]:
    """Return the small files of a run by name."""
    content = {}
    for path in (folder.definition, folder.metrics, folder.final):
        if path.exists():
            content[path.name] = path.read_bytes()
    return content


def _digests(content: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the file that shows later whether a record is still what was published."""
    digests = {name: hashlib.sha256(file).hexdigest() for name, file in content.items()}
    about = {"schema": DIGESTS_SCHEMA, "sha256": digests}
    return {_ANY.published_digests.name: to_json(about)}


def _weights_files(working: Folder, weights: Weights | None) -> dict[str, bytes]:
    """Return the file of weights and the one that describes it; nothing without weights."""
    if weights is None or (content := weights.extract()) is None:
        return {}
    about: dict[str, Any] = {
        "schema": WEIGHTS_SCHEMA,
        "id": working.path.name,
        "file": working.weights.name,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "test_error": read_json(working.final)["metrics"].get("test_error"),
        "evaluate": weights.evaluate,
    }
    return {working.weights.name: content, working.weights_record.name: to_json(about)}


def _check(working: Folder, uncommitted: bool) -> None:
    """Refuse a record that cannot be read in full, or whose code no commit has."""
    record, name = run_record.read_run(working), working.path.name
    reason = run_record.why_not_published(record)
    if reason:
        raise UserError(f"{quote(name, 100)}: {reason}", "only whole records are published")
    if record.get("dirty") is not False and not uncommitted:
        raise UserError(
            f"{quote(name, 100)} was trained by code that no commit has",
            "train it from a clean checkout; with `--uncommitted` nobody can get its code",
        )


def _check_for_others(working: Folder) -> None:
    """Refuse what the check of a pull request would refuse."""
    problems = record_problems(working)
    if problems:
        raise UserError(
            f"{quote(working.path.name, 100)}: {'; '.join(problems)}",
            "a record for other people must say all of this; docs/contributing-a-record.md has why",
        )


def _place(content: dict[str, bytes], public: Folder) -> None:
    """Put the files in place together: in a folder that no reader takes for a run, then renamed."""
    begun = public.path.with_name(f".{public.path.name}.tmp")
    with disk_errors_explained(public.path):
        shutil.rmtree(begun, ignore_errors=True)
        make_folder(begun)
        for name, file in content.items():
            write_atomic(begun / name, file)
        if public.path.exists():
            shutil.rmtree(public.path)  # what it was is in the history of the repository
        begun.rename(public.path)
        sync_folder(public.path.parent)
