"""Which run folders a user means: an experiment's, or those whose id or job matches a pattern."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from importlib import import_module
from typing import TypeAlias

from repro.cluster.records.batch import Batch, jobs_folder
from repro.cluster.records.ownership import newest_claim
from repro.definition.experiment import Skipped, at_scale, runs_of
from repro.errors import UserError, did_you_mean, quote
from repro.protocol import catalog
from repro.storage.atomic import read_json
from repro.storage.paths import Folder, Places, run_folders

Matches: TypeAlias = Callable[[str], bool]  # of a run's id

_PATTERN = re.compile(r"!?[A-Za-z0-9._*?\[\]-]{1,200}")


def select_folders(
    patterns: Sequence[str], places: Places, must_match: bool = False, scale: str | None = None
) -> list[Folder]:
    """The folders of runs that match one of the patterns, and none of those after `!`; of one scale, if it is named."""
    for pattern in patterns:
        if not _PATTERN.fullmatch(pattern):
            raise UserError(
                f"{quote(pattern)} is not a pattern",
                "use an experiment's name, or a run's id with * and ?",
            )
    folders = list(run_folders(places.runs))
    wanted = [_matcher(pattern, places) for pattern in patterns if not pattern.startswith("!")]
    unwanted = [_matcher(pattern[1:], places) for pattern in patterns if pattern.startswith("!")]
    found = [
        folder
        for folder in folders
        if scale in (None, scale_of(folder.path.name))
        and (not wanted or any(match(folder.path.name) for match in wanted))
        and not any(match(folder.path.name) for match in unwanted)
    ]
    if must_match and not found:
        names = [folder.path.name for folder in folders]
        hint = did_you_mean(
            patterns[0] if patterns else "",
            [*names, *catalog.NAMES],
            "`repro status` lists the runs",
        )
        chosen_scale = f" at scale {scale}" if scale else ""
        raise UserError(f"no run matches {quote(' '.join(patterns))}{chosen_scale}", hint)
    return found


def beside(folders: Sequence[Folder], places: Places) -> list[Folder]:
    """The folders of other runs that were sent to share a job with one of these."""
    claims = {
        folder.path.name: claim.batch for folder in folders if (claim := newest_claim(folder))
    }
    batches = {name: Batch(jobs_folder(places) / name) for name in set(claims.values())}
    names = dict.fromkeys(
        name for run_id, batch in claims.items() for name in batches[batch].beside(run_id)
    )
    return [places.run(name) for name in names if name not in claims]


def scale_of(run_id: str) -> str:
    """The scale that a run's id names; nothing where it is no such id."""
    parts = run_id.split(".")
    return parts[-2] if len(parts) >= 4 else ""


def selection_of(run_id: str, places: Places) -> list[str]:
    """The words that select this run on a command line: those it was sent with, or else the first experiment's."""
    claim = read_json(places.run(run_id).submitted)
    if claim:
        batch = read_json(jobs_folder(places) / claim["batch"] / "runs.json")
        if batch:
            return [batch["experiment"], *batch.get("options", [])]
    return [next((name for name in catalog.GROUPS["all"] if _of(name)(run_id)), "EXPERIMENT")]


def _matcher(pattern: str, places: Places) -> Matches:
    if pattern in catalog.NAMES or pattern in catalog.GROUPS:
        tests = [_of(name) for name in catalog.expand_groups([pattern])]
        return lambda run_id: any(test(run_id) for test in tests)
    if re.fullmatch(r"[0-9]+(_[0-9]+)?", pattern):
        ids = _of_array(pattern, places)
        return lambda run_id: run_id in ids
    return lambda run_id: fnmatchcase(run_id, pattern)


def _of(name: str) -> Matches:
    """Whether an id is of an experiment, at any scale, from any seed, in any variant: by net and recipe."""
    experiment = catalog.load_experiment(name)
    if isinstance(experiment, Skipped):
        return lambda run_id: False
    runs = [
        replace(run, seed=0)
        for scale in catalog.all_scales().values()
        for run in runs_of(at_scale(experiment, scale, 1))
    ]
    kinds = {(run.net.name, run.recipe.name, run.scale) for run in runs}
    variants = {*import_module("experiments.recipes").VARIANTS, "set"}

    def matches(run_id: str) -> bool:
        parts = run_id.split(".")
        net, recipe, scale = parts[0], ".".join(parts[1:-2]), scale_of(run_id)
        while (net, recipe, scale) not in kinds:
            shorter = next(
                (
                    recipe.removesuffix(f"-{each}")
                    for each in variants
                    if recipe.endswith(f"-{each}")
                ),
                None,
            )
            if not shorter:
                return False
            recipe = shorter
        return True

    return matches


def _of_array(job: str, places: Places) -> set[str]:
    """The runs of an array, or of one of its elements, by SLURM's number."""
    array, _, index = job.partition("_")
    for path in sorted(jobs_folder(places).glob("*/sent.json"), reverse=True):
        batch = Batch(path.parent)
        if batch.array == array:
            elements = enumerate(batch.elements)
            return {
                run
                for number, element in elements
                if not index or number == int(index)
                for run in element
            }
    return set()
