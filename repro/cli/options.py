"""The options that several commands share, and what they select."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from repro.definition.experiment import Experiment, Skipped, at_scale, runs_of
from repro.definition.run import Run
from repro.definition.scales import Scale, with_variants
from repro.errors import FAILED, FINE, INCOMPLETE, UserError, did_you_mean, quote
from repro.protocol import catalog

if TYPE_CHECKING:
    from pandas import DataFrame

    from repro.analysis.runs.frames import Collected

SCALES = "paper, tenth, quick or smoke"  # in words, so that `--help` need not load the recipes
SCHEMA = 1  # of every JSON document that a command prints


class WholeNumber(click.IntRange):
    """A whole number in the digits 0 to 9; other alphabets' digits are letters here."""

    name = "whole number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, str) and not re.fullmatch(r"[+-]?[0-9]{1,20}", value):
            self.fail(f"{value!r} is not {self.name}", param, ctx)
        return super().convert(value, param, ctx)


def scale_of_results(
    experiments: Iterable[Experiment],
    collected: Collected,
    scales: Mapping[str, Scale] | None = None,
) -> Scale:
    """The scale to show where none was asked for, said on stderr: the most serious one that has results."""
    scales = scales or catalog.all_scales()
    from repro.analysis.runs.frames import scale_with_results

    wanted = [
        experiment
        for experiment in experiments
        if not isinstance(experiment, Skipped) and runs_of(experiment)
    ]
    name = scale_with_results(wanted, collected, scales)
    if wanted:
        why = (
            "the most serious with results"
            if (collected.finals["scale"] == name).any()
            else "nothing is done yet"
        )
        click.echo(f"scale: {name} ({why}; --scale chooses another)", err=True)
    return scales[name]


def exit_code_of(shown: bool, runs: DataFrame) -> int:
    """How a page ends: well with anything of ours on it; else 1 where runs diverged, and 3 where there is nothing."""
    return FINE if shown else FAILED if (runs["state"] == "diverged").any() else INCOMPLETE


def json_option(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(
        function
    )


def scale_option(default: str | None = "paper") -> Callable[..., Any]:
    said = f"default: {default}" if default else "default: the most serious one with results"
    return click.option(
        "--scale",
        default=default,
        metavar="SCALE",
        help=f"{SCALES} ({said}).",
        shell_complete=_scales,
    )


def one_scale_option(function: Callable[..., Any]) -> Callable[..., Any]:
    about = f"Runs of this scale only: {SCALES}."
    return click.option(
        "--scale", metavar="SCALE", help=about, shell_complete=_scales, callback=_known_scale
    )(function)


def _known_scale(context: click.Context, option: click.Parameter, name: str | None) -> str | None:
    return None if name is None else catalog.load_scale(name).name


def seeds_option(about: str = "How many seeds of each run.") -> Callable[..., Any]:
    return click.option("--seeds", type=WholeNumber(1, 1000), metavar="N", help=about)


def device_option(function: Callable[..., Any]) -> Callable[..., Any]:
    about = "cpu, cuda, cuda:1 … (default: a GPU where there is one)."
    return click.option("--device", metavar="DEVICE", help=about)(function)


def checked_device(given: str | None) -> str | None:
    """The device, if it is one: a slip of the pen would otherwise be found late, and by each worker."""
    environment = os.environ.get("REPRO_DEVICE") or None
    name, device = ("--device", given) if given is not None else ("REPRO_DEVICE", environment)
    if device is not None and not re.fullmatch(r"cpu|cuda(:[0-9]{1,3})?", device):
        raise UserError(f"`{name}` cannot be {quote(device)}", "it is cpu, cuda, cuda:1 …")
    return given


def selection_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """--seeds, --variant and --set, which say what is trained."""
    return seeds_option()(change_options(function))


def change_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """--variant and --set, which say what is other than declared."""
    for option in (
        click.option(
            "--set",
            "settings",
            multiple=True,
            metavar="KEY=VALUE",
            help="Change a value of the recipe, repeatable.",
        ),
        click.option(
            "--variant",
            "variants",
            multiple=True,
            metavar="NAME",
            help="Another reading of the protocol, repeatable.",
        ),
    ):
        function = option(function)
    return function


def strict_option(function: Callable[..., Any]) -> Callable[..., Any]:
    about = "Average no runs of different code, torch or device, nor any that went on elsewhere; exit 1 if there are."
    return click.option("--strict", is_flag=True, help=about)(function)


def only_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """--only and --skip, which take a part of what the experiments name."""
    function = click.option(
        "--skip", metavar="TEXT", multiple=True, help="No runs whose id contains this."
    )(function)
    return click.option(
        "--only", metavar="TEXT", multiple=True, help="Only runs whose id contains this."
    )(function)


def filter_runs(runs: Sequence[Run], only: Sequence[str], skip: Sequence[str]) -> list[Run]:
    """The runs whose ids contain one of the first texts (if any is given) and none of the second."""
    chosen = [run for run in runs if not only or any(text in run.id for text in only)]
    left = [run for run in chosen if not any(text in run.id for text in skip)]
    if (only or skip) and runs and not left:
        asked = [f"contains {' or '.join(map(quote, only))}"] * bool(only)
        asked += [f"is without {' and '.join(map(quote, skip))}"] * bool(skip)
        raise UserError(
            f"no run's id {' and '.join(asked)}", "`repro show EXPERIMENT` lists the ids"
        )
    return left


def experiments_argument(required: bool = True) -> Callable[..., Any]:
    metavar = "EXPERIMENT…" if required else "[EXPERIMENT…]"
    return click.argument(
        "experiments", nargs=-1, required=required, metavar=metavar, shell_complete=_names
    )


def select_experiments(
    names: Sequence[str],
    scale: str,
    seeds: int | None = None,
    variants: Sequence[str] = (),
    settings: Sequence[str] = (),
) -> dict[str, Experiment]:
    """The named experiments at a scale, with what was chosen beside it."""
    chosen = scale_with(catalog.load_scale(scale), variants, settings)
    return {
        name: at_scale(catalog.load_experiment(name), chosen, seeds)
        for name in catalog.expand_groups(names)
    }


def scale_with(scaled: Scale, variants: Sequence[str], settings: Sequence[str]) -> Scale:
    """The scale with what was chosen beside it: variants come first, then the scale, then single settings."""
    readings = [catalog.load_variant(name) for name in variants]

    def change(run: Run) -> Run:
        read = with_variants(run, readings, scaled)
        if not settings:
            return read
        from repro.definition.overrides import with_overrides

        return with_overrides(read, settings)

    return replace(
        scaled, change=change, chosen=(*(f"variant {name}" for name in variants), *settings)
    )


def scales_with(variants: Sequence[str], settings: Sequence[str]) -> dict[str, Scale]:
    """Every scale with what was chosen beside it."""
    return {
        name: scale_with(scale, variants, settings) for name, scale in catalog.all_scales().items()
    }


def refuse_skipped(experiments: dict[str, Experiment]) -> dict[str, Experiment]:
    """The experiments, if all of them can be run."""
    for name, experiment in experiments.items():
        if isinstance(experiment, Skipped):
            raise UserError(
                f"{quote(name)} is not reproduced here: {experiment.reason}",
                "`repro list` shows what is",
            )
    return experiments


def refuse_group(name: str, verb: str, *kinds: type[Experiment]) -> str:
    """The name, if it is not one of a group of experiments: what shows one page shows one at a time."""
    if name in catalog.GROUPS:
        ones = [
            one for one in catalog.GROUPS[name] if isinstance(catalog.load_experiment(one), kinds)
        ]
        raise UserError(f"{quote(name)} is a group", f"{verb} one of {', '.join(ones)}")
    return name


def print_json(document: dict[str, Any]) -> None:
    """The one JSON document of a command."""
    click.echo(
        json.dumps({"schema": SCHEMA} | document, indent=1, ensure_ascii=False, allow_nan=False)
    )


def did_you_mean_one_of(word: str, known: Sequence[str]) -> str:
    return did_you_mean(word, known, "known: " + ", ".join(known))


Completer: TypeAlias = Callable[[click.Context, click.Parameter, str], list[str]]


def names_of(*kinds: str) -> Completer:
    """Completes the names of tables, or of figures."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        return [
            name for name in catalog.NAMES if name.startswith(incomplete) and name.startswith(kinds)
        ]

    return complete


def _names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in (*catalog.NAMES, *catalog.GROUPS) if name.startswith(incomplete)]


def _scales(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in catalog.all_scales() if name.startswith(incomplete)]
