"""The deviation ledger: where a run departs from the paper's protocol, field by field, and why.

Nobody writes it: it is the difference between the run and `experiments.recipes.AS_PRINTED`. The
reasons stand beside the recipes: a variant's own line, or `WHY` for what departs by default. A run
at another scale departs in most fields at once; that is one line, and the fields are compared with
the protocol at that scale.
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
from repro.definition.scales_and_variants import Scale, Variant
from repro.errors import UserError
from repro.protocol.catalog import all_scales, all_variants

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
        text = f"{self.field}: {self.ours}, not {self.paper}"
        if self.why:
            text += f" ({self.why})"
        return text


Nets = tuple[str, ...]  # names of nets, with the recipe where one net has several


def departures(run: Run, data: Mapping[str, Any] | None = None) -> tuple[Departure, ...]:
    """Return where the run departs from the paper.

    `data` is the run's own record of its images; other images than the paper's are a departure.
    """
    scale = all_scales().get(run.scale)
    paper, ours = _flat(as_printed(run.net, scale)), _flat(run)
    found = []
    # At another scale most fields depart at once. That is one line, and the fields are compared
    # with the protocol at that scale.
    if run.scale != "paper":
        about = scale.about if scale else "not a scale of this version"
        found.append(Departure("scale", "paper", run.scale, about))
    for name, value in ours.items():
        if value != paper[name] and name not in _NOT_PROTOCOL:
            printed = _printed(name, paper[name], run)
            found.append(Departure(name, printed, _value_text(name, value), _why(name, run)))
    return (*found, *_of_data(run, data or {}))


def departures_by_net(runs: Iterable[Run]) -> dict[Departure, Nets]:
    """Return every departure of some runs, seeds aside, with the nets it concerns."""
    first_seeds = dict.fromkeys(replace(run, seed=0) for run in runs)
    return group_by_departure({run: departures(run) for run in first_seeds})


def group_by_departure(by_run: Mapping[Run, Iterable[Departure]]) -> dict[Departure, Nets]:
    """Return the nets that each departure concerns.

    Where a net has several recipes and not all of them depart, those that do are named.
    """
    recipes: dict[str, set[str]] = {}
    departing: dict[Departure, dict[str, list[str]]] = {}
    for run, found in by_run.items():
        recipes.setdefault(run.net.name, set()).add(run.recipe.name)
        for departure in found:
            names = departing.setdefault(departure, {}).setdefault(run.net.name, [])
            if run.recipe.name not in names:
                names.append(run.recipe.name)
    return {departure: _labels(nets, recipes) for departure, nets in departing.items()}


def _labels(departing: Mapping[str, list[str]], recipes: Mapping[str, set[str]]) -> Nets:
    labels: list[str] = []
    for net, names in departing.items():
        if set(names) == recipes[net]:
            labels.append(net)
        else:
            labels += [f"{net} {name}" for name in names]
    return tuple(labels)


def departure_lines(nets_of: Mapping[Departure, Iterable[str]]) -> list[str]:
    """Return a line for each departure, with its nets where it does not concern all of them."""
    every: set[str] = set()
    for nets in nets_of.values():
        every.update(net.split(" ")[0] for net in nets)
    lines = []
    for departure, nets in nets_of.items():
        concerned = "" if set(nets) == every else f" [{', '.join(nets)}]"
        lines.append(f"{departure}{concerned}")
    return lines


def as_printed(net: Net, scale: Scale | None = None) -> Run:
    """Return the run that the paper's words describe for a net, at a scale."""
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
    """Return a value of a recipe as a person writes it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(format_value, value)) or "none"
    if isinstance(value, Mapping):
        parts = [(key, item) for key, item in value.items() if item is not None]
        return ", ".join(f"{key} {format_value(item)}" for key, item in parts)
    return str(value)


def _printed(field: str, value: Any, run: Run) -> str:
    """Return what the paper has: its words, where it prints no value, with our reading of them."""
    words = _recipes().PRINTED_WORDS.get(run.net.family, {}).get(field)
    text = _value_text(field, value)
    if words is None or run.scale != "paper":
        return text
    return f"“{words}”, read as {text}"


def _value_text(field: str, value: Any) -> str:
    if field == "recipe.batch_norm_group" and value is None:
        return "the whole batch"
    return format_value(value)


def _at(scale: Scale | None, run: Run) -> Run:
    if scale is None:
        return run
    try:
        return scale(run)
    except UserError:  # the paper's groups of images do not divide this scale's batch
        return scale(replace(run, recipe=replace(run.recipe, batch_norm_group=None)))


def _flat(run: Run) -> dict[str, Any]:
    """Return the protocol's fields by path. The warm-up is one field: half of one says nothing."""
    values = asdict(run)
    fields = {f"net.{name}": value for name, value in values["net"].items()}
    for name, value in values["recipe"].items():
        if name == "input":
            continue
        fields[f"recipe.{JSON_KEYS.get(name, name)}"] = value
    for name, value in values["recipe"]["input"].items():
        fields[f"recipe.input.{name}"] = value
    return fields


def _why(field: str, run: Run) -> str:
    """Return the line of the variant that set this field, if the recipe names one; else `WHY`."""
    scale, value = all_scales().get(run.scale), _flat(run)[field]
    for variant in _variants_of(run):
        # A variant may be chosen before the scale changes the run, or after.
        before = _at(scale, variant.change(as_printed(run.net)))
        after = variant.change(as_printed(run.net, scale))
        if value in (_flat(before)[field], _flat(after)[field]):
            return variant.about
    why: str = _recipes().WHY.get(field, "")
    return why


def _variants_of(run: Run) -> list[Variant]:
    return [
        variant for name, variant in all_variants().items() if f"-{name}-" in f"{run.recipe.name}-"
    ]


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
