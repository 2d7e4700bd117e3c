"""Experiments by name: the modules of `experiments/`, in the order of the paper."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module

from repro.definition.experiment import Experiment, Skipped, runs_of
from repro.definition.run import Run
from repro.definition.scales import Scale, Variant
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
NAMES = (*REPRODUCED, *(f"table{number}" for number in range(7, 15)))  # the others say why not

GROUPS = {
    "cifar10": ("figure1", "table6", "figure6", "figure7"),
    "imagenet": ("figure3", "table1", "table2", "figure4", "table3", "figure5", "table4", "table5"),
    "all": REPRODUCED,
}


def load_experiment(name: str) -> Experiment:
    """The experiment of that name."""
    if name not in NAMES:
        hint = did_you_mean(name, NAMES, "`repro list` names them all")
        raise UserError(f"no experiment named {quote(name)}", hint)
    experiment: Experiment = import_module(f"experiments.{name}").experiment
    return experiment


def expand_groups(names: Iterable[str]) -> tuple[str, ...]:
    """Names with groups replaced by what is in them, each once."""
    known = (*NAMES, *GROUPS)
    expanded: list[str] = []
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known, "`repro list` names them all")
            raise UserError(f"no experiment named {quote(name)}", hint)
        expanded += GROUPS.get(name, (name,))
    return tuple(dict.fromkeys(expanded))


def all_scales() -> dict[str, Scale]:
    """The scales by name, from the recipes' own page."""
    found: dict[str, Scale] = import_module("experiments.recipes").SCALES
    return found


def load_scale(name: str) -> Scale:
    known = all_scales()
    if name not in known:
        raise UserError(
            f"no scale named {quote(name)}",
            did_you_mean(name, known, "scales: " + ", ".join(known)),
        )
    return known[name]


def load_variant(name: str) -> Variant:
    known: dict[str, Variant] = import_module("experiments.recipes").VARIANTS
    if name not in known:
        hint = did_you_mean(name, known, "variants: " + ", ".join(known))
        raise UserError(f"no variant named {quote(name)}", hint)
    return known[name]


def runs_needed(name: str) -> tuple[Run, ...]:
    """The runs an experiment needs, at scale `paper`; a skipped one needs none."""
    experiment = load_experiment(name)
    return () if isinstance(experiment, Skipped) else runs_of(experiment)
