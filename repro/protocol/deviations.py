"""The deviation ledger: where a run departs from the protocol the paper prints, field by field, and why.

Nobody writes it: it is the difference between the run and `experiments.recipes.AS_PRINTED`. The reasons stand beside
the recipes: a variant's own line, or `WHY` for what departs by default. A run at another scale departs in most fields
at once; that is one line, and the fields are compared with the protocol at that scale.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from typing import Any

from repro.definition.net import Net
from repro.definition.origin import is_complete, is_official
from repro.definition.recipe import Recipe
from repro.definition.run import JSON_KEYS, Run
from repro.definition.scales import Scale, Variant
from repro.errors import UserError

# What does not move a number, or is what tells the rows of a table apart.
_NOT_PROTOCOL = ("recipe.name", "net.family", "net.kind", "net.depth", "net.shortcut")

# What the paper's images are known by.
OFFICIAL_IMAGES = {"cifar": "official pixels", "imagenet": "official archive"}

_WARMED = ("resnet", (110, 1202))  # the nets for which section 4.2 prescribes the warm-up


# Why images that may stand beside the paper's are named nevertheless.
COMPLETE = "every class has its number of images, and no official digest is known to compare with"


@dataclass(frozen=True)
class Departure:
    """One field of the protocol: what the paper has, what this run has, and the reason."""

    field: str
    paper: str
    ours: str
    why: str = ""

    def __str__(self) -> str:
        return f"{self.field}: {self.ours}, not {self.paper}" + (
            f" ({self.why})" if self.why else ""
        )


def departures(run: Run, data: Mapping[str, Any] | None = None) -> tuple[Departure, ...]:
    """Where the run departs from the paper; `data`, the run's own record of its images, adds what they depart in."""
    scale = _recipes().SCALES.get(run.scale)
    printed = as_printed(run.net, scale)
    paper, ours = _flat(printed), _flat(run)
    fields = [name for name in ours if ours[name] != paper[name] and name not in _NOT_PROTOCOL]
    found = [
        Departure(name, _said(name, paper[name]), _said(name, ours[name]), _why(name, run))
        for name in fields
    ]
    if run.scale != "paper":
        found.insert(
            0,
            Departure(
                "scale", "paper", run.scale, scale.about if scale else "not a scale of this version"
            ),
        )
    return (*found, *_of_data(run, data or {}))


def departures_by_net(runs: Iterable[Run]) -> dict[Departure, tuple[str, ...]]:
    """Every departure of some runs, seeds aside, with the nets it concerns."""
    return group_by_departure(
        {run: departures(run) for run in dict.fromkeys(replace(run, seed=0) for run in runs)}
    )


def group_by_departure(
    found: Mapping[Run, Iterable[Departure]],
) -> dict[Departure, tuple[str, ...]]:
    """The nets that each departure concerns; where a net has several recipes, and not all depart, with the recipe."""
    recipes: dict[str, set[str]] = {}
    by_departure: dict[Departure, dict[str, dict[str, None]]] = {}
    for run, departing in found.items():
        recipes.setdefault(run.net.name, set()).add(run.recipe.name)
        for departure in departing:
            by_departure.setdefault(departure, {}).setdefault(run.net.name, {})[run.recipe.name] = (
                None
            )
    return {
        departure: tuple(
            label
            for net, names in nets.items()
            for label in (
                [net] if set(names) == recipes[net] else [f"{net} {name}" for name in names]
            )
        )
        for departure, nets in by_departure.items()
    }


def departure_lines(found: Mapping[Departure, Iterable[str]]) -> list[str]:
    """A line for each departure, with the nets it concerns where it does not concern all."""
    every = {net.split(" ")[0] for nets in found.values() for net in nets}
    return [
        str(departure) if set(nets) == every else f"{departure} [{', '.join(nets)}]"
        for departure, nets in found.items()
    ]


def as_printed(net: Net, scale: Scale | None = None) -> Run:
    """The run that the paper's words describe for a net, at a scale."""
    recipe: Recipe = _recipes().AS_PRINTED[net.family]
    if net.family == "cifar" and net.kind == _WARMED[0] and net.depth in _WARMED[1]:
        recipe = replace(recipe, warmup=_recipes().MEASURED_WARMUP)
    plain = replace(
        net,
        init="fan_in",
        zeros="end" if net.shortcut == "A" else None,
        stride_in="1x1" if net.bottleneck else None,
        classes={"cifar": 10, "imagenet": 1000}[net.family],
        pool=None,
    )
    return _at(scale, Run(plain, recipe))


def format_value(value: Any) -> str:
    """A value of a recipe as a person writes it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return "none" if not value else ", ".join(map(format_value, value))
    if isinstance(value, Mapping):
        return ", ".join(
            f"{key} {format_value(item)}" for key, item in value.items() if item is not None
        )
    return f"{value:,}" if isinstance(value, int) else str(value)


def _said(field: str, value: Any) -> str:
    return (
        "the whole batch"
        if (field, value) == ("recipe.batch_norm_group", None)
        else format_value(value)
    )


def _at(scale: Scale | None, run: Run) -> Run:
    if scale is None:
        return run
    try:
        return scale(run)
    except UserError:  # the paper's groups of images do not divide this scale's batch
        return scale(replace(run, recipe=replace(run.recipe, batch_norm_group=None)))


def _flat(run: Run) -> dict[str, Any]:
    """The protocol's fields by path. The warm-up is one field: half of one says nothing."""
    values = asdict(run)
    recipe = values["recipe"]
    return (
        {f"net.{name}": value for name, value in values["net"].items()}
        | {
            f"recipe.{JSON_KEYS.get(name, name)}": value
            for name, value in recipe.items()
            if name != "input"
        }
        | {f"recipe.input.{name}": value for name, value in recipe["input"].items()}
    )


def _why(field: str, run: Run) -> str:
    """The line of the variant that the recipe's name carries, if it is the one that set this field; else `WHY`."""
    scale, value = _recipes().SCALES.get(run.scale), _flat(run)[field]
    for variant in _variants_of(run):
        before = _at(scale, variant.change(as_printed(run.net)))
        after = variant.change(as_printed(run.net, scale))
        if value in (_flat(before)[field], _flat(after)[field]):
            return variant.about
    why: dict[str, str] = _recipes().WHY
    return why.get(field, "")


def _variants_of(run: Run) -> list[Variant]:
    variants: dict[str, Variant] = _recipes().VARIANTS
    return [variant for name, variant in variants.items() if f"-{name}-" in f"{run.recipe.name}-"]


def _of_data(run: Run, data: Mapping[str, Any]) -> list[Departure]:
    origin = data.get("origin")
    if origin is None or is_official(origin) or run.recipe.dataset.startswith("generated"):
        return []
    why = "re-encoded or reselected images are another data set, whatever its name"
    if is_complete(origin):
        why = COMPLETE
    official = f"{run.recipe.dataset}, {OFFICIAL_IMAGES[run.net.family]}"
    return [Departure("data", official, f"{data.get('name')}, {origin}", why)]


def _recipes() -> Any:
    return import_module("experiments.recipes")
