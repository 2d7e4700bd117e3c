"""The options that several commands share, and the selection they build."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from repro.analysis.runs.selected_runs import at_best_scale
from repro.cli.shared.completers import (
    complete_names,
    complete_pages,
    complete_scales,
    complete_selection,
    complete_variants,
)
from repro.cli.shared.param_types import OneOf, WholeNumber
from repro.definition.experiment import runs_of
from repro.errors import EnvironmentProblem, UserError, did_you_mean, quote
from repro.protocol import catalog
from repro.protocol.selected_pages import refuse_empty
from repro.protocol.selection import Selection, contains
from repro.storage.atomic import to_json
from repro.storage.paths import Folder, places

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from repro.analysis.runs.run_frames import Collected

F = TypeVar("F", bound=Callable[..., Any])
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

SCALES = "paper, tenth, quick or smoke"  # in words, so that `--help` need not load the recipes
TEXT_FORMATS = ("table", "md", "latex", "csv", "json", "html")
SCHEMA = 1  # of every JSON document that a command prints


def gather(name: str, build: Callable[..., Any], keys: Iterable[str]) -> Decorator:
    """Return a decorator that passes on one value built from several options.

    It stands below those options, so that a command has one parameter for all of them, whatever
    their number: some commands would have fifteen.
    """
    names = tuple(keys)

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def with_one(*arguments: Any, **values: Any) -> Any:
            chosen = {key: values.pop(key) for key in names}
            return function(*arguments, **{name: build(**chosen)}, **values)

        return with_one

    return decorate


def add_options(function: Callable[..., Any], *options: Decorator) -> Callable[..., Any]:
    """Add options to a command: the first one stands first in its help."""
    # A decorator is applied from below, and click shows what was applied last first.
    for option in reversed(options):
        function = option(function)
    return function


def select_option(
    names: Literal["some", "any", "one", "none"] = "some",
    scale: str | None = "paper",
    metavar: str = "EXPERIMENT",
    kinds: tuple[str, ...] = ("table", "figure"),
) -> Decorator:
    """Add names, --scale, --seeds, --variant, --set, --only and --skip; pass on one `selection`.

    `names`: some are needed, any number may be given, exactly one is, or none can be.
    """

    def build(experiments: str | tuple[str, ...] = (), **chosen: Any) -> Selection:
        # A name that is none is a mistake of the command line: said before anything is read.
        if chosen["scale"] is not None:
            catalog.load_scale(chosen["scale"])
        for variant in chosen["variants"]:
            catalog.load_variant(variant)
        if isinstance(experiments, str):
            experiments = (experiments,)
        return Selection(experiments, **chosen)

    keys = ["scale", "seeds", "variants", "settings", "only", "skip"]
    if names != "none":
        keys.append("experiments")

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        decorated = gather("selection", build, keys)(function)
        decorated = _selection_options(decorated, scale)
        return _names_argument(decorated, names, metavar, kinds)

    return decorate


def _selection_options(function: Callable[..., Any], scale: str | None) -> Callable[..., Any]:
    about = "How many seeds of each run."
    seeds = click.option("--seeds", type=WholeNumber(1, 1000), metavar="N", help=about)
    return add_options(function, scale_option(scale), seeds, *_change_options(), *_part_options())


def _names_argument(
    function: Callable[..., Any], names: str, metavar: str, kinds: tuple[str, ...]
) -> Callable[..., Any]:
    if names == "none":
        return function
    if names == "one":
        complete = complete_names(kinds)
        argument = click.argument("experiments", metavar=metavar, shell_complete=complete)
        return argument(function)
    needed, shown = True, f"{metavar}…"
    if names == "any":
        needed, shown = False, f"[{metavar}…]"
    complete = complete_selection
    if len(kinds) == 1:
        complete = complete_pages(kinds[0])
    argument = click.argument(
        "experiments", nargs=-1, required=needed, metavar=shown, shell_complete=complete
    )
    return argument(function)


def _change_options() -> tuple[Decorator, ...]:
    """Return --variant and --set, which change what is declared."""
    about = "Another reading of the protocol, repeatable."
    names: dict[str, Any] = {"metavar": "NAME", "shell_complete": complete_variants}
    change = "Change a value of the recipe, repeatable."
    return (
        click.option("--variant", "variants", multiple=True, help=about, **names),
        click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help=change),
    )


def _part_options() -> tuple[Decorator, ...]:
    """Return --only and --skip, which take a part of what is named."""
    only = "Only runs whose id contains this, or matches it with * and ?."
    skip = "No runs whose id contains this, or matches it with * and ?."
    return (
        click.option("--only", metavar="TEXT", multiple=True, help=only),
        click.option("--skip", metavar="TEXT", multiple=True, help=skip),
    )


def change_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --scale, --variant and --set; pass on one `selection` that names no experiment."""

    def build(scale: str, **chosen: Any) -> Selection:
        return Selection(scale=catalog.load_scale(scale).name, **chosen)

    one_selection = gather("selection", build, ("scale", "variants", "settings"))
    return add_options(function, scale_option(), *_change_options(), one_selection)


def part_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --only and --skip to a command that takes patterns of runs."""
    return add_options(function, *_part_options())


def keep_selected(
    folders: Iterable[Folder], only: Collection[str], skip: Collection[str]
) -> list[Folder]:
    """Return the folders of runs that --only and --skip leave."""
    kept = []
    for folder in folders:
        matches = partial(contains, folder.path.name)
        wanted = not only or any(map(matches, only))
        if wanted and not any(map(matches, skip)):
            kept.append(folder)
    return kept


def scale_option(default: str | None = "paper") -> Decorator:
    about = f"{SCALES} (default: {default or 'the most serious one with results'})."
    names: dict[str, Any] = {"metavar": "SCALE", "shell_complete": complete_scales}
    return click.option("--scale", default=default, help=about, **names)


def one_scale_option(function: F) -> F:
    about = f"Runs of this scale only: {SCALES}."
    names: dict[str, Any] = {"metavar": "SCALE", "shell_complete": complete_scales}
    return click.option("--scale", callback=_known_scale, help=about, **names)(function)


def _known_scale(context: click.Context, option: click.Parameter, name: str | None) -> str | None:
    """Refuse a scale that is none: it would only match no run."""
    if name is not None:
        catalog.load_scale(name)
    return name


def json_option(function: F) -> F:
    about = "Print one JSON document."
    return click.option("--json", "as_json", is_flag=True, help=about)(function)


def format_option(function: F) -> F:
    about = "What is printed (default: table)."
    kind = OneOf(TEXT_FORMATS)
    return click.option("--format", "form", type=kind, default="table", help=about)(function)


def device_option(function: F) -> F:
    about = "cpu, cuda, cuda:1 … (default: a GPU where there is one)."
    return click.option("--device", metavar="DEVICE", help=about)(function)


def require_clean_option(function: F) -> F:
    """Add --require-clean, which refuses code that no commit has."""
    about = "Refuse to start with uncommitted code; for numbers to publish."
    option = click.option(
        "--require-clean", is_flag=True, expose_value=False, callback=_check_clean, help=about
    )
    return option(function)


def _check_clean(context: click.Context, option: click.Parameter, wanted: bool) -> None:
    if not wanted or context.resilient_parsing:  # the shell is only completing a word
        return
    from repro.provenance.checkout import code_state, uncommitted

    state = code_state()
    if state["commit"] is None:
        raise EnvironmentProblem(
            "the commit of this code is not known", "run from a git checkout, or without the option"
        )
    if state["dirty"]:
        files = uncommitted() or ["the code that was installed"]
        more = ""
        if len(files) > 1:
            more = f" and {len(files) - 1} more"
        problem = f"{quote(files[0])}{more} differs from commit {state['commit'][:7]}"
        raise UserError(problem, "`git commit` it first, or leave out `--require-clean`")


def strict_option(function: F) -> F:
    about = "Average no runs that differ in code, torch or device, or that moved; exit 1 if any."
    return click.option("--strict", is_flag=True, help=about)(function)


def print_scale(selection: Selection) -> tuple[Selection, Collected]:
    """Collect the runs; return the selection at a scale, which is said if nobody named it."""
    refuse_empty(selection)  # before all runs are read

    from repro.analysis.runs.run_frames import collect

    collected = collect(places())
    chosen = at_best_scale(selection, collected)
    names = selection.searched() or catalog.REPRODUCED
    with_runs = any(runs_of(catalog.load_experiment(name)) for name in names)
    if selection.scale is None and with_runs:
        why = "nothing is done yet"
        if (collected.finals["scale"] == chosen.scale).any():
            why = "the most serious with results"
        click.echo(f"scale: {chosen.scale} ({why}; --scale chooses another)", err=True)
    return chosen, collected


def documents(values: Iterable[DataclassInstance]) -> list[dict[str, Any]]:
    """Return values as JSON has them."""
    return [asdict(value) for value in values]


def print_json(document: dict[str, Any]) -> None:
    """Print the one JSON document of a command."""
    click.echo(to_json({"schema": SCHEMA} | document).decode(), nl=False)


def did_you_mean_one_of(word: str, known: Collection[str]) -> str:
    """Return the hint for a word that is none of a few."""
    return did_you_mean(word, known, "known: " + ", ".join(known))
