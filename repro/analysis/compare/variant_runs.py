"""Finished runs in another reading of the protocol: tables and diffs name them, and count none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from repro.analysis.runs.run_frames import Collected
from repro.definition.experiment import Experiment, Skipped, at_scale, runs_of
from repro.definition.scales_and_variants import Scale, Variant, with_variants
from repro.protocol.catalog import all_scales, all_variants


@dataclass(frozen=True)
class VariantRuns:
    """The runs of some experiments that have finished with one variant."""

    scale: str
    variant: str
    about: str
    seeds: tuple[tuple[str, int], ...]  # each net, and how many of its seeds have finished

    def __str__(self) -> str:
        counted = []
        for net, seeds in self.seeds:
            counted.append(f"{net} ({seeds} seed{'s' if seeds > 1 else ''})")
        nets = ", ".join(counted)
        where = f"at scale {self.scale}, with variant {self.variant}"
        return f"finished {where}: {nets}; `--variant {self.variant}` shows them"


def variant_runs(
    declared: Iterable[Experiment], scale: Scale, collected: Collected
) -> tuple[VariantRuns, ...]:
    """Return what has finished with each variant alone, at this scale or a more serious one.

    Where the user chose variants or settings, the runs shown are of a reading already.
    """
    if scale.chosen:
        return ()
    pages = tuple(page for page in declared if not isinstance(page, Skipped))
    found: list[VariantRuns] = []
    for each in all_scales().values():
        found += _at_scale(pages, each, collected)
        if each.name == scale.name:
            break
    return tuple(found)


def _at_scale(
    pages: tuple[Experiment, ...], scale: Scale, collected: Collected
) -> Iterator[VariantRuns]:
    finished = collected.finals[collected.finals["scale"] == scale.name]
    recipes = set(finished["recipe"])
    for variant in all_variants().values():
        # A recipe's name ends in its variant's: the ids of a variant without runs are not computed.
        if any(recipe.endswith(f"-{variant.name}") for recipe in recipes):
            seeds = _finished_seeds(pages, scale, variant, set(finished["id"]))
            if seeds:
                yield VariantRuns(scale.name, variant.name, variant.about, seeds)


def _finished_seeds(
    pages: tuple[Experiment, ...], scale: Scale, variant: Variant, finished: set[str]
) -> tuple[tuple[str, int], ...]:
    """Return each net with a finished run of the variant, and how many there are."""
    in_variant = replace(scale, change=lambda run: with_variants(run, [variant], scale))
    # A variant that changes nothing leaves a run its id; a page may also name one as its own row.
    counted_already = {run.id for run in runs_of(at_scale(pages, scale))}
    seeds: Counter[str] = Counter()
    for run in runs_of(at_scale(pages, in_variant)):
        if run.id in finished and run.id not in counted_already:
            seeds[run.net.name] += 1
    return tuple(seeds.items())
