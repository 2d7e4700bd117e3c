"""Finished runs in another reading of the protocol: tables and diffs name them, and count none."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from repro.analysis.runs.run_frames import Collected
from repro.definition.experiment import Experiment, Skipped, at_scale, runs_of
from repro.definition.scales_and_variants import Scale, Variant, with_variants
from repro.protocol.catalog import all_variants


@dataclass(frozen=True)
class VariantRuns:
    """The runs of an experiment that have finished with one variant."""

    experiment: str
    scale: str
    variant: str
    about: str
    seeds: tuple[tuple[str, int], ...]  # each net, and how many of its seeds have finished

    @property
    def command(self) -> str:
        """What to type to see them beside the paper's numbers."""
        return f"repro diff {self.experiment} --variant {self.variant} --scale {self.scale}"

    def __str__(self) -> str:
        counted = []
        for net, seeds in self.seeds:
            counted.append(f"{net} ({seeds} seed{'s' if seeds > 1 else ''})")
        return f"variant {self.variant}: {', '.join(counted)}. `{self.command}` compares them"


def variant_runs(
    name: str, declared: Experiment, scale: Scale, collected: Collected
) -> tuple[VariantRuns, ...]:
    """Return what has finished of an experiment with each variant alone.

    Where the user chose variants or settings, the runs shown are of a reading already.
    """
    if scale.chosen or isinstance(declared, Skipped):
        return ()
    finished = collected.finals[collected.finals["scale"] == scale.name]
    recipes = set(finished["recipe"])
    found = []
    for variant in all_variants().values():
        # A recipe's name ends in its variant's: the ids of a variant without runs are not computed.
        if any(recipe.endswith(f"-{variant.name}") for recipe in recipes):
            seeds = _finished_seeds(declared, scale, variant, set(finished["id"]))
            if seeds:
                found.append(VariantRuns(name, scale.name, variant.name, variant.about, seeds))
    return tuple(found)


def _finished_seeds(
    declared: Experiment, scale: Scale, variant: Variant, finished: set[str]
) -> tuple[tuple[str, int], ...]:
    """Return each net with a finished run of the variant, and how many there are."""
    in_variant = replace(scale, change=lambda run: with_variants(run, [variant], scale))
    # A variant that changes nothing leaves a run its id; a page may also name one as its own row.
    counted_already = {run.id for run in runs_of(at_scale(declared, scale))}
    seeds: Counter[str] = Counter()
    for run in runs_of(at_scale(declared, in_variant)):
        if run.id in finished and run.id not in counted_already:
            seeds[run.net.name] += 1
    return tuple(seeds.items())
