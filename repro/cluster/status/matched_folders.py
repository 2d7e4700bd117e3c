"""Which run folders a user means: an experiment's, or those whose id or job matches a pattern."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from importlib import import_module
from typing import Any, TypeAlias

from repro.cluster.records.batch import Batch, jobs_folder
from repro.cluster.records.ownership import newest_claim
from repro.definition.experiment import Skipped, at_scale, runs_of
from repro.definition.run import from_definition
from repro.errors import UserError, did_you_mean, quote
from repro.protocol import catalog
from repro.storage.atomic import read_json
from repro.storage.paths import Folder, Places, run_folders
from repro.storage.typed_file import decoded, read_regular

Matches: TypeAlias = Callable[[Folder], bool]

_PATTERN = re.compile(r"!?[A-Za-z0-9._*?\[\]-]{1,200}")
_JOB = re.compile(r"[0-9]+(_[0-9]+)?")


def select_folders(
    patterns: Sequence[str], places: Places, must_match: bool = False, scale: str | None = None
) -> list[Folder]:
    """Return the folders of runs that match one of the patterns, and none of those after `!`.

    Where a scale is named, only its runs are returned.
    """
    for pattern in patterns:
        _check_pattern(pattern)
    folders = list(run_folders(places.runs))
    wanted = [_matcher(pattern, places) for pattern in patterns if not pattern.startswith("!")]
    unwanted = [_matcher(pattern[1:], places) for pattern in patterns if pattern.startswith("!")]
    selected = []
    for folder in folders:
        if scale is not None and scale_of(folder) != scale:
            continue
        if wanted and not any(matches(folder) for matches in wanted):
            continue
        if not any(matches(folder) for matches in unwanted):
            selected.append(folder)
    if must_match and not selected:
        raise _no_match(patterns, folders, scale)
    return selected


def beside(folders: Sequence[Folder], places: Places) -> list[Folder]:
    """Return the folders of other runs that were sent to share a job with one of these."""
    given = {folder.path.name for folder in folders}
    batches: dict[str, Batch] = {}
    sharing: dict[str, Folder] = {}
    for folder in folders:
        # A record that is damaged keeps no other run from being found.
        with contextlib.suppress(UserError):
            claim = newest_claim(folder)
            if claim is None:
                continue
            batch = batches.setdefault(claim.batch, Batch(jobs_folder(places) / claim.batch))
            for run_id in batch.beside(folder.path.name):
                if run_id not in given:
                    sharing[run_id] = places.run(run_id)
    return list(sharing.values())


@dataclass(frozen=True)
class Kind:
    """What a run is besides its seed: read from `run.json`, for an id is not parsed."""

    net: str
    recipe: str
    scale: str


def kind_of(folder: Folder) -> Kind | None:
    """Return what kind of run a definition says; None where it is absent or cannot be read.

    A folder may have another run's name, so that its state is `failed`: it is found all the same.
    """
    try:
        content = read_regular(folder.definition)
        if content is None:
            return None
        run = from_definition(decoded(folder.definition, content, dict[str, Any]))
    except UserError:
        return None
    return Kind(run.net.name, run.recipe.name, run.scale)


def scale_of(folder: Folder) -> str:
    """Return the scale of a run; empty where it cannot be told."""
    kind = kind_of(folder)
    return kind.scale if kind else ""


def selection_of(run_id: str, places: Places) -> list[str]:
    """Return the words that select this run on a command line.

    They are those it was sent with, or else the name of the first experiment that has it.
    """
    folder = places.run(run_id)
    claim = newest_claim(folder)
    batch = read_json(jobs_folder(places) / claim.batch / "runs.json") if claim else None
    if batch and "experiment" in batch:
        return [batch["experiment"], *batch.get("options", [])]
    for name in catalog.GROUPS["all"]:
        if _experiment_matcher(name)(folder):
            return [name]
    return ["EXPERIMENT"]


def _check_pattern(pattern: str) -> None:
    if not _PATTERN.fullmatch(pattern):
        raise UserError(
            f"{quote(pattern)} is not a pattern",
            "use an experiment's name, or a run's id with * and ?",
        )


def _no_match(patterns: Sequence[str], folders: Sequence[Folder], scale: str | None) -> UserError:
    """Return what to say where no run matches; a name that is right is not proposed again."""
    first = patterns[0] if patterns else ""
    known = [*(folder.path.name for folder in folders), *catalog.NAMES]
    hint = "`repro status` lists the runs"
    if first not in known and first not in catalog.GROUPS:
        hint = did_you_mean(first, known, hint)
    at = f" at scale {scale}" if scale else ""
    return UserError(f"no run matches {quote(' '.join(patterns))}{at}", hint)


def _matcher(pattern: str, places: Places) -> Matches:
    """Return whether a folder matches: by experiment, by job, or by its id."""
    if pattern in catalog.NAMES or pattern in catalog.GROUPS:
        names = catalog.expand_groups([pattern])
        return partial(_matches_any, [_experiment_matcher(name) for name in names])
    if _JOB.fullmatch(pattern):
        run_ids = _runs_of_job(pattern, places)
        return lambda folder: folder.path.name in run_ids
    return lambda folder: fnmatchcase(folder.path.name, pattern)


def _matches_any(matchers: Sequence[Matches], folder: Folder) -> bool:
    return any(matches(folder) for matches in matchers)


def _experiment_matcher(name: str) -> Matches:
    """Return whether a folder is of an experiment: at any scale, seed and variant.

    It is so by its definition, or by its name alone where that definition is another run's.
    """
    experiment = catalog.load_experiment(name)
    if isinstance(experiment, Skipped):
        return lambda folder: False
    kinds: set[Kind] = set()
    ids: set[str] = set()
    for scale in catalog.all_scales().values():
        for run in runs_of(at_scale(experiment, scale)):
            kinds.add(Kind(run.net.name, run.recipe.name, run.scale))
            ids.add(run.id)
    return lambda folder: folder.path.name in ids or _is_variant_of(kind_of(folder), kinds)


def _is_variant_of(kind: Kind | None, kinds: set[Kind]) -> bool:
    """Whether the kind is one of these, or becomes one without its variants' suffixes."""
    suffixes = [f"-{name}" for name in (*import_module("experiments.recipes").VARIANTS, "set")]
    while kind is not None and kind not in kinds:
        kind = _without_suffix(kind, suffixes)
    return kind is not None


def _without_suffix(kind: Kind, suffixes: Sequence[str]) -> Kind | None:
    for suffix in suffixes:
        if kind.recipe.endswith(suffix):
            return replace(kind, recipe=kind.recipe.removesuffix(suffix))
    return None


def _runs_of_job(job: str, places: Places) -> set[str]:
    """Return the runs of an array, or of one of its elements, by SLURM's number."""
    array, _, index = job.partition("_")
    for path in sorted(jobs_folder(places).glob("*/sent.json"), reverse=True):
        # A damaged batch hides no other; the state of its runs names it.
        with contextlib.suppress(UserError):
            batch = Batch(path.parent)
            if batch.array != array:
                continue
            if not index:
                return set(batch.runs)
            elements = batch.elements
            return set(elements[int(index)]) if int(index) < len(elements) else set()
    return set()
