"""An RO-Crate 1.1 of published runs: their records, described so that archives can read them.

The crate is a folder that appears whole or not at all. Only what is published goes into it, and
only if it reads in full: a crate is for good.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from repro.analysis.export import crate_entities as entities
from repro.analysis.export.crate_entities import Entity, reference, references
from repro.analysis.export.run_series import read_folder
from repro.analysis.export.tidy_csv import render_csv
from repro.analysis.runs.run_record import read_run
from repro.definition.run import Run
from repro.errors import RunFailed, UserError, quote
from repro.provenance.citation import Citation, citation_file, read_citation
from repro.storage.atomic import (
    disk_errors_explained,
    make_folder,
    sync_folder,
    to_json,
    write_atomic,
)
from repro.storage.paths import Folder, Places
from repro.storage.run_files import Final, read_final

NUMBERS = "numbers.csv"


@dataclass
class _Contents:
    """The files of a crate by their paths, and its entities by their ids."""

    files: dict[str, bytes] = field(default_factory=dict)
    entities: dict[str, Entity] = field(default_factory=dict)

    def add(self, entity: Entity) -> Entity:
        """Add an entity once; two with one id would leave it open which one is meant."""
        return self.entities.setdefault(entity["@id"], entity)

    def add_file(self, path: str, content: bytes) -> Entity:
        self.files[path] = content
        return self.add(entities.file(path, content))


def published_runs(runs: Sequence[Run], places: Places) -> list[Run]:
    """Return those of the runs whose records are published."""
    return [run for run in runs if places.is_published(run.id)]


def write_crate(title: str, runs: Sequence[Run], places: Places, target: Path) -> Path:
    """Write the crate of these published runs into a new folder; return its metadata file."""
    _check_target(target)
    contents = _contents(title, runs, places)
    # Written beside its place and then renamed, so that a crash leaves no half of a crate.
    with disk_errors_explained(target):
        make_folder(target.absolute().parent)
        begun = Path(tempfile.mkdtemp(dir=target.absolute().parent, prefix=f".{target.name}."))
        try:
            for path, content in contents.files.items():
                write_atomic(begun / path, content)
            begun.rename(target)  # also onto a folder that is there and empty
            sync_folder(target.absolute().parent)
        finally:
            shutil.rmtree(begun, ignore_errors=True)
    return target / entities.METADATA


def _check_target(target: Path) -> None:
    if target.is_dir() and not any(target.iterdir()):
        return
    if target.exists() or target.is_symlink():
        raise UserError(
            f"{quote(target)} is there already, and a crate is never added to",
            "name a new folder, or remove this one",
        )


def _contents(title: str, runs: Sequence[Run], places: Places) -> _Contents:
    """Return everything that goes into the crate, the metadata file last."""
    citation = read_citation()
    contents = _Contents()
    contents.add(entities.descriptor())
    # Added now, so that it stands at the top of the file; filled in when its parts are known.
    root = contents.add({"@id": "./", "@type": "Dataset"})
    folders, actions = [], []
    authors = [contents.add(entity) for entity in entities.authors(citation.authors, "author")]
    for run in runs:
        final, files = _record(run, places)
        part, action = _add_run(contents, run, files, final, citation)
        # Who started a run is not recorded, so the authors of this repository stand for it.
        action["agent"] = references(authors)
        folders.append(part)
        actions.append(action)
    parts = [*folders, *_add_other_files(contents, runs, places)]
    root |= {
        "name": title,
        "description": f"The published records of {len(runs)} training runs: definitions, curves, "
        "final numbers, and where they come from. Only runs of scale `paper` follow the paper's "
        "whole schedule.",
        "datePublished": _today(),
        "license": reference(contents.add(entities.licence(citation))),
        "author": references(authors),
        "publisher": references(authors),
        "citation": references([*_add_papers(contents, citation)]),
        "hasPart": references(parts),
        "mentions": references(actions),
    }
    document = {"@context": entities.CONTEXT, "@graph": list(contents.entities.values())}
    contents.files[entities.METADATA] = to_json(document)
    return contents


def _record(run: Run, places: Places) -> tuple[Final, dict[str, bytes]]:
    """Return a published record, if it reads in full."""
    folder = Folder(places.published / run.id)
    record = read_run(folder)
    final = None
    if record["state"] == "done":
        final = read_final(folder, run)
    if final is None or record["problem"]:
        problem = record["problem"] or "it is not finished"
        raise RunFailed(
            f"published/{run.id}: {problem}", "restore the record, or leave it out with `--skip`"
        )
    return final, {path.name: path.read_bytes() for path in _published_files(folder)}


def _published_files(folder: Folder) -> Iterator[Path]:
    """Yield the files of a published record that are there."""
    record = (folder.definition, folder.metrics, folder.final, folder.published_digests)
    # Old records have no digests, and only small nets are published with their weights.
    for path in (*record, folder.weights, folder.weights_record):
        if path.exists():
            yield path


def _add_run(
    contents: _Contents, run: Run, files: dict[str, bytes], final: Final, citation: Citation
) -> tuple[Entity, Entity]:
    """Add a run's files, and the action that made them; return its folder and that action."""
    by_name = {}
    for name, content in files.items():
        by_name[name] = contents.add_file(f"runs/{run.id}/{name}", content)
    used = [by_name["run.json"], contents.add(entities.data(final.provenance.data))]
    made = []
    for name in ("metrics.jsonl", "final.json", "weights.pt"):
        if name in files:
            made.append(by_name[name])
    action = contents.add(entities.training(run, final, used, made))
    action["instrument"] = reference(contents.add(entities.code(final, citation)))
    part = contents.add(entities.folder(run, list(by_name.values())))
    return part, action


def _add_other_files(contents: _Contents, runs: Sequence[Run], places: Places) -> Iterator[Entity]:
    """Add the CSV of all numbers, and how to cite and use them."""
    series = [read_folder(run, "done", Folder(places.published / run.id)) for run in runs]
    yield contents.add_file(NUMBERS, render_csv(series).encode())
    for path in (citation_file(), citation_file().with_name("LICENSE")):
        yield contents.add_file(path.name, path.read_bytes())


def _add_papers(contents: _Contents, citation: Citation) -> Iterator[Entity]:
    for paper in citation.references:
        for author in paper.authors:
            if author.affiliation:
                contents.add(entities.organisation(author.affiliation))
        writers = [contents.add(entity) for entity in entities.authors(paper.authors, "person")]
        yield contents.add(entities.article(paper, writers))


def _today() -> str:
    """Return the date; SOURCE_DATE_EPOCH sets it where the same bytes are wanted again."""
    seconds = os.environ.get("SOURCE_DATE_EPOCH", "")
    now = datetime.now(UTC)
    if seconds.isdigit():
        now = datetime.fromtimestamp(int(seconds), UTC)
    return now.date().isoformat()
