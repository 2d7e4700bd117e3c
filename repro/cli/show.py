"""`repro show`: what an experiment is, and what to expect of it before spending anything."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from repro.cli.shared import paper_numbers
from repro.cli.shared.click_errors import Command
from repro.cli.shared.completers import complete_runs
from repro.cli.shared.options import documents, json_option, print_json, select_option
from repro.cli.shared.text_table import text_width
from repro.cost.gpu_hours import format_hours, gpu_hours
from repro.cost.layers import cost
from repro.cost.memory import gib, memory
from repro.cost.precisions import computing
from repro.definition.experiment import (
    Drawing,
    Experiment,
    Figure,
    Skipped,
    Table,
    groups_of,
    runs_of,
)
from repro.definition.net import Net
from repro.definition.run import Run, to_definition
from repro.errors import UserError, did_you_mean, quote
from repro.protocol import catalog
from repro.protocol.decidable import decidable_claims, warnings
from repro.protocol.deviations import Departure, departure_lines, departures_by_net
from repro.protocol.selected_pages import refuse_group
from repro.protocol.selection import Selection
from repro.storage.paths import places
from repro.storage.run_files import is_done

ONE_RUN = "One run of it, with its whole definition."

# Where public code for CIFAR-10 often departs from sections 3.4 and 4.2 without saying so.
PITFALLS = {
    "option B for A": "projections add parameters and change the net; the paper's CIFAR nets have "
    "none",
    "best epoch": "the best error over training is chosen on the test set; the paper reports the "
    "last iteration",
    "Nesterov": "many ports use it; the paper's SGD has plain momentum",
    "a warm-up that never ends": "here the rate is a function of the iteration and of a recorded "
    "switch",
}


@click.command(cls=Command)
@select_option("one")
@click.option("--run", "run_id", metavar="ID", help=ONE_RUN, shell_complete=complete_runs)
@json_option
def command(selection: Selection, run_id: str | None, as_json: bool) -> None:
    """Show an experiment: nets, the paper's numbers, recipes, departures, runs, and their cost.

    For example:  repro show table6
    """
    # Raises the error that names the nearest experiment, which a selection of none would not.
    catalog.load_experiment(refuse_group(selection.experiments[0], "show", Table, Figure, Drawing))
    [(name, experiment)] = selection.experiments_at_scale().items()
    facts = _facts(name, experiment, selection.chosen_scale().name)
    facts["variants"] = _variants(selection.variants)
    if run_id is not None:
        facts = _one(facts, experiment, run_id)
    if as_json:
        print_json(facts)
    elif run_id is not None:
        _print_run(facts)
    else:
        _print(facts)


def _facts(name: str, experiment: Experiment, scale: str) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "experiment": name,
        "title": experiment.title,
        "page": experiment.page,
        "scale": scale,
        "paper": paper_numbers.numbers_of(name, experiment),
        "elsewhere": paper_numbers.reproductions_of(name),
        "claims": _claims(experiment),
    }
    if isinstance(experiment, Skipped):
        # The same keys as any other page, so that a script need not ask which kind it is.
        nothing: dict[str, Any] = {"nets": [], "runs": [], "departures": []}
        return facts | {"skipped": experiment.reason} | nothing
    runs = runs_of(experiment)
    run_facts = list(map(_run, runs))
    facts |= {
        "nets": [_net(net, runs) for net in _nets(experiment)],
        "runs": run_facts,
        "gpu_hours": float(f"{sum(map(gpu_hours, runs)):.4g}"),
        "gpu_bytes": max((run["gpu_bytes"] for run in run_facts), default=0),
        "computing": [],
        "departures": _departures(experiment),
        "decidable": documents(decidable_claims(experiment)),
        "warnings": warnings([experiment]),
    }
    if runs:  # a page of drawings computes nothing
        facts["computing"] = computing(runs)
    return facts


def _claims(experiment: Any) -> list[dict[str, str]]:
    facts = []
    for claim in experiment.claims:
        facts.append({"id": claim.id, "text": claim.text, "where": claim.where})
    return facts


def _variants(names: tuple[str, ...]) -> list[dict[str, str]]:
    """Return what each variant that was asked for changes, and where it changes nothing."""
    facts = []
    for name in names:
        variant = catalog.load_variant(name)
        reason = variant.no_change_because
        facts.append({"name": name, "about": variant.about, "no_change_because": reason})
    return facts


def _nets(experiment: Any) -> list[Net]:
    """Return the nets that are trained, then those that are only counted or drawn, each once."""
    nets = [group.run.net for group in groups_of(experiment)]
    for row in paper_numbers.rows_of(experiment):
        if row.net:
            nets.append(row.net)
    if isinstance(experiment, Drawing):
        for _, drawn in experiment.columns:
            if isinstance(drawn, Net):  # VGG-19 is drawn as well, and is no net of ours
                nets.append(drawn)
    return list(dict.fromkeys(nets))


def _net(net: Net, runs: tuple[Run, ...]) -> dict[str, Any]:
    # A net that no run trains is counted at the size of its family's images.
    size = next((run.recipe.input.size for run in runs if run.net == net), None)
    counted = cost(net, size)
    return {
        "net": net.name,
        "params": counted.parameters,
        "flops": counted.multiply_adds,
        "layers": counted.layers,
        "projections": counted.projections,
        "shortcut": net.shortcut,
    }


def _run(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "net": run.net.name,
        "recipe": run.recipe.name,
        "scale": run.scale,
        "seed": run.seed,
        # Four digits: the estimate is not better than that.
        "gpu_hours": float(f"{gpu_hours(run):.4g}"),
        "gpu_bytes": round(memory(run, on_gpu=True).gpu),
        "cpu_bytes": round(memory(run, on_gpu=False).host),
        "done": is_done(run.id, places()),
    }


def _departures(experiment: Any) -> list[dict[str, Any]]:
    by_departure = departures_by_net(group.run for group in groups_of(experiment))
    facts = []
    for departure, nets in by_departure.items():
        facts.append(asdict(departure) | {"nets": list(nets)})
    return facts


def _one(facts: dict[str, Any], experiment: Experiment, run_id: str) -> dict[str, Any]:
    """Return the facts of one run."""
    runs = runs_of(experiment)
    for run in runs:
        if run.id == run_id:
            where = {"experiment": facts["experiment"], "scale": facts["scale"]}
            return where | _run(run) | {"run": to_definition(run)}
    problem = f"{facts['experiment']} has no run {quote(run_id)} at scale {facts['scale']}"
    ids = [run.id for run in runs]
    hint = did_you_mean(run_id, ids, f"`repro show {facts['experiment']}` lists them")
    raise UserError(problem, hint)


def _print(facts: dict[str, Any]) -> None:
    _echo(f"{facts['experiment']} (page {facts['page']}): {facts['title']}")
    if "skipped" in facts:
        click.echo()
        _echo(f"Not reproduced here: {facts['skipped']}")
        _print_numbers_and_claims(facts)
        return
    _print_lines("Variants", list(map(_variant_line, facts["variants"])))
    _print_numbers_and_claims(facts)
    _print_lines("Before you spend on these runs", facts["warnings"])
    _print_nets(facts["nets"])
    departures = {}
    for fact in facts["departures"]:
        departure = Departure(fact["field"], fact["paper"], fact["ours"], fact["why"])
        departures[departure] = fact["nets"]
    # To depart in nothing is worth saying; an empty list would look forgotten.
    _print_lines("Departures from the paper", departure_lines(departures) or ["none"])
    # The pitfalls are those of the nets for CIFAR-10; public code for ImageNet has others.
    if any(run["recipe"].startswith("cifar10") for run in facts["runs"]):
        _print_lines("Known pitfalls, avoided here", list(map(": ".join, PITFALLS.items())))
    _print_runs(facts)


def _print_nets(nets: list[dict[str, Any]]) -> None:
    if nets:
        counts = f"{'parameters':>12}{'multiply-adds':>16}{'layers':>8}{'projections':>13}"
        click.echo(f"\nNets{'':<18}{counts}")
    for net in nets:
        counts = f"{net['params']:>12,}{net['flops']:>16,}{net['layers']:>8}"
        click.echo(f"  {net['net']:<20}{counts}{net['projections']:>13}")


def _print_runs(facts: dict[str, Any]) -> None:
    runs = facts["runs"]
    if not runs:
        return
    done = sum(run["done"] for run in runs)
    click.echo(f"\nRuns at scale {facts['scale']}: {len(runs)}, {done} done")
    hours, most = format_hours(facts["gpu_hours"]), gib(facts["gpu_bytes"])
    cost = f"{hours} in all, up to {most} of a GPU's memory each, computed from the layers"
    for line in (cost, *facts["computing"]):
        _echo(line, "  ", "      ")
    for run in runs:
        click.echo(f"  {run['id']:<56}  {'done' if run['done'] else '–'}")


def _variant_line(variant: dict[str, str]) -> str:
    excuse = f" ({variant['no_change_because']})" if variant["no_change_because"] else ""
    return f"{variant['name']}: {variant['about']}{excuse}"


def _print_numbers_and_claims(facts: dict[str, Any]) -> None:
    numbers = facts["paper"], facts["elsewhere"]
    _print_lines("The paper's numbers", paper_numbers.number_lines(*numbers))
    meanings = paper_numbers.legend(*numbers)
    if meanings:
        _echo(meanings, "  ", "  ")
    _print_lines("The paper's claims", list(map("{id:<7}{text}".format_map, facts["claims"])))


def _print_lines(heading: str, lines: list[str]) -> None:
    if lines:
        click.echo(f"\n{heading}")
    for line in lines:
        _echo(line, "  ", "      ")


def _echo(line: str, indent: str = "", further: str = "") -> None:
    """Print a line, wrapped at the width of the terminal; the rest of it is set in further."""
    text = click.wrap_text(line, text_width(), indent, further)
    click.echo(text.replace(paper_numbers.NO_BREAK, " "))


def _print_run(facts: dict[str, Any]) -> None:
    click.echo(f"{facts['id']}\n")
    for path, value in _leaves(facts["run"]):
        click.echo(f"  {path:<28}{value}")


def _leaves(values: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    leaves: list[tuple[str, Any]] = []
    for key, value in values.items():
        if isinstance(value, dict):
            leaves += _leaves(value, f"{prefix}{key}.")
        else:
            leaves.append((prefix + key, value))
    return leaves
