"""Experiments by name: the modules of `experiments/`, in the order of the paper."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module

from repro.definition.experiment import Experiment
from repro.definition.scales_and_variants import Scale, Variant
from repro.errors import UserError, did_you_mean, quote

REPRODUCED = (
    "figure1",
    "figure3",
    "table1",
    "table2",
    "figure4",
    "table3",
    "figure5",
    "table4",
    "table5",
    "table6",
    "figure6",
    "figure7",
)
SKIPPED = tuple(f"table{number}" for number in range(7, 15))  # their page says why
NAMES = (*REPRODUCED, *SKIPPED)

GROUPS = {
    "cifar10": ("figure1", "table6", "figure6", "figure7"),
    "imagenet": ("figure3", "table1", "table2", "figure4", "table3", "figure5", "table4", "table5"),
    "all": REPRODUCED,
}


def load_experiment(name: str) -> Experiment:
    """Return the experiment of that name."""
    if name not in NAMES:
        hint = did_you_mean(name, NAMES, "`repro list` names them all")
        raise UserError(f"no experiment named {quote(name)}", hint)
    if name in SKIPPED:
        skipped: dict[str, Experiment] = import_module("experiments.skipped").EXPERIMENTS
        return skipped[name]
    experiment: Experiment = import_module(f"experiments.{name}").experiment
    return experiment


def expand_groups(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names with groups replaced by their members, each once."""
    known = (*NAMES, *GROUPS)
    expanded: list[str] = []
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known, "`repro list` names them all")
            raise UserError(f"no experiment named {quote(name)}", hint)
        expanded += GROUPS.get(name, (name,))
    return tuple(dict.fromkeys(expanded))


def all_scales() -> dict[str, Scale]:
    """Return the scales by name."""
    scales: dict[str, Scale] = import_module("experiments.scales").SCALES
    return scales


def load_scale(name: str) -> Scale:
    """Return the scale of that name."""
    known = all_scales()
    if name not in known:
        raise UserError(
            f"no scale named {quote(name)}",
            did_you_mean(name, known, "scales: " + ", ".join(known)),
        )
    return known[name]


def all_variants() -> dict[str, Variant]:
    """Return the variants by name."""
    variants: dict[str, Variant] = import_module("experiments.recipes").VARIANTS
    return variants


def load_variant(name: str) -> Variant:
    """Return the variant of that name."""
    known = all_variants()
    if name not in known:
        hint = did_you_mean(name, known, "variants: " + ", ".join(known))
        raise UserError(f"no variant named {quote(name)}", hint)
    return known[name]
