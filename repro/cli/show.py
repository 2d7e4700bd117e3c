"""`repro show`: what an experiment is, and what to expect of it before spending anything."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import asdict
from typing import Any

import click

from repro.cli.options import (
    json_option,
    names_of,
    print_json,
    refuse_group,
    scale_option,
    select_experiments,
    selection_options,
)
from repro.cost.gpu_hours import format_hours, gpu_hours
from repro.cost.layers import cost
from repro.cost.memory import gib, memory
from repro.definition.experiment import (
    Drawing,
    Experiment,
    Figure,
    Row,
    Skipped,
    Table,
    groups_of,
    metrics_of_row,
    runs_of,
)
from repro.definition.net import Net
from repro.definition.run import Run, to_definition
from repro.errors import UserError, did_you_mean, quote
from repro.protocol import catalog
from repro.protocol.deviations import Departure, departure_lines, departures_by_net
from repro.storage.paths import ROOT, places
from repro.storage.run_files import is_done

PITFALLS = {
    "option B for A": "projections add parameters and change the net; the paper's CIFAR nets have none",
    "best epoch": "the best error over training is chosen on the test set; the paper reports the last iteration",
    "Nesterov": "many ports use it; the paper's SGD has plain momentum",
    "a warm-up that never ends": "here the rate is a function of the iteration and of a recorded switch",
}
WIDTHS = (("row", 12), ("metric", 20))  # of the paper's numbers, at least


@click.command()
@click.argument("experiment", metavar="EXPERIMENT", shell_complete=names_of("table", "figure"))
@scale_option()
@selection_options
@click.option("--run", "run_id", metavar="ID", help="One run of it, with its whole definition.")
@json_option
def command(
    experiment: str,
    scale: str,
    seeds: int | None,
    variants: tuple[str, ...],
    settings: tuple[str, ...],
    run_id: str | None,
    as_json: bool,
) -> None:
    """An experiment's nets, recipes, departures from the paper, the paper's numbers, and what it costs.

    For example:  repro show table6
    """
    catalog.load_experiment(
        refuse_group(experiment, "show", Table, Figure, Drawing)
    )  # says which name is near
    [(name, chosen)] = select_experiments([experiment], scale, seeds, variants, settings).items()
    facts = _facts(name, chosen, scale) | {"variants": _variants(variants)}
    if run_id is not None:
        facts = _one(facts, chosen, run_id)
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
    }
    if isinstance(experiment, Skipped):
        return facts | {
            "skipped": experiment.reason,
            "nets": [],
            "runs": [],
            "paper": [],
            "departures": [],
        }
    runs = runs_of(experiment)
    return facts | {
        "nets": [_net(net, runs) for net in _nets(experiment)],
        "runs": [_run(run) for run in runs],
        "gpu_hours": float(f"{sum(map(gpu_hours, runs)):.4g}"),
        "gpu_bytes": max((round(memory(run, on_gpu=True).gpu) for run in runs), default=0),
        "paper": _paper(experiment),
        "elsewhere": _elsewhere(name),
        "claims": [
            {"id": claim.id, "text": claim.text, "where": claim.where}
            for claim in experiment.claims
        ],
        "departures": _departures(experiment),
    }


def _variants(names: tuple[str, ...]) -> list[dict[str, str]]:
    """What each variant that was asked for changes, and where it changes nothing."""
    chosen = [catalog.load_variant(name) for name in names]
    return [
        {"name": v.name, "about": v.about, "no_change_because": v.no_change_because} for v in chosen
    ]


def _nets(experiment: Any) -> list[Net]:
    trained = [group.run.net for group in groups_of(experiment)]
    counted = [row.net for row in _rows(experiment) if row.net]
    if isinstance(experiment, Drawing):
        counted = [drawn for _, drawn in experiment.columns if isinstance(drawn, Net)]
    return list(dict.fromkeys(trained + counted))


def _rows(experiment: Any) -> list[Row]:
    if isinstance(experiment, Figure):
        return list(dict.fromkeys(row for panel in experiment.panels for row in panel.rows))
    return list(experiment.rows) if isinstance(experiment, Table) else []


def _net(net: Net, runs: tuple[Run, ...]) -> dict[str, Any]:
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
        "gpu_hours": float(f"{gpu_hours(run):.4g}"),
        "gpu_bytes": round(memory(run, on_gpu=True).gpu),
        "cpu_bytes": round(memory(run, on_gpu=False).host),
        "done": is_done(run.id, places()),
    }


def _paper(experiment: Any) -> list[dict[str, Any]]:
    return [
        {"row": row.label, "metric": metric}
        | {key: value for key, value in asdict(paper).items() if value is not None}
        for row in _rows(experiment)
        for metric, paper in zip(_metrics(experiment, row), row.paper, strict=False)
        if paper is not None
    ]


def _metrics(experiment: Any, row: Row) -> tuple[str, ...]:
    return experiment.metrics if isinstance(experiment, Table) else metrics_of_row(row)


def _elsewhere(name: str) -> list[dict[str, str]]:
    """What public reproductions got."""
    with (ROOT / "experiments" / "paper" / "reproductions.csv").open(newline="") as file:
        return [
            line for line in csv.DictReader(file) if line["experiment"] == name and line["value"]
        ]


def _departures(experiment: Any) -> list[dict[str, Any]]:
    found = departures_by_net(group.run for group in groups_of(experiment))
    return [asdict(departure) | {"nets": list(nets)} for departure, nets in found.items()]


def _one(facts: dict[str, Any], experiment: Experiment, run_id: str) -> dict[str, Any]:
    for run in () if isinstance(experiment, Skipped) else runs_of(experiment):
        if run.id == run_id:
            return (
                {key: facts[key] for key in ("experiment", "scale")}
                | _run(run)
                | {"run": to_definition(run)}
            )
    ids = [run["id"] for run in facts["runs"]]
    raise UserError(
        f"{facts['experiment']} has no run {quote(run_id)} at scale {facts['scale']}",
        did_you_mean(run_id, ids, f"`repro show {facts['experiment']}` lists them"),
    )


def _print(facts: dict[str, Any]) -> None:
    click.echo(f"{facts['experiment']} (page {facts['page']}): {facts['title']}")
    if "skipped" in facts:
        click.echo(f"\nNot reproduced here: {facts['skipped']}")
        return
    _print_lines("Variants", list(map(_variant_line, facts["variants"])))
    if facts["nets"]:
        click.echo(
            f"\nNets{'':<18}{'parameters':>12}{'multiply-adds':>16}{'layers':>8}{'projections':>13}"
        )
    for net in facts["nets"]:
        counts = (
            f"{net['params']:>12,}{net['flops']:>16,}{net['layers']:>8}{net['projections']:>13}"
        )
        click.echo(f"  {net['net']:<20}{counts}")
    if facts["runs"]:
        done = sum(run["done"] for run in facts["runs"])
        click.echo(f"\nRuns at scale {facts['scale']}: {len(facts['runs'])}, {done} done")
        hours, most = format_hours(facts["gpu_hours"]), gib(facts["gpu_bytes"])
        click.echo(
            f"  {hours} in all, up to {most} of a GPU's memory each, computed from the layers"
        )
        for run in facts["runs"]:
            click.echo(f"  {run['id']:<56}  {'done' if run['done'] else '–'}")
    _print_numbers(facts)
    _print_lines(
        "The paper's claims", [f"{claim['id']:<7}{claim['text']}" for claim in facts["claims"]]
    )
    said = {
        Departure(d["field"], d["paper"], d["ours"], d["why"]): d["nets"]
        for d in facts["departures"]
    }
    _print_lines("Departures from the paper", departure_lines(said) or ["none"])
    if any(run["recipe"].startswith("cifar10") for run in facts["runs"]):
        _print_lines(
            "Known pitfalls, avoided here", [f"{name}: {why}" for name, why in PITFALLS.items()]
        )


def _variant_line(variant: dict[str, str]) -> str:
    excuse = f" ({variant['no_change_because']})" if variant["no_change_because"] else ""
    return f"{variant['name']}: {variant['about']}{excuse}"


def _print_numbers(facts: dict[str, Any]) -> None:
    others = defaultdict(list)
    for found in facts["elsewhere"]:
        others[found["row"], found["metric"]].append(float(found["value"]))
    row, metric = (
        2 + max([least, *(len(number[what]) for number in facts["paper"])])
        for what, least in WIDTHS
    )
    lines = []
    for number in facts["paper"]:
        spread = f" ± {number['std']}" if "std" in number else ""
        spread += f" (n={number['n']})" if "n" in number else ""
        known = others.get((number["row"], number["metric"]), [])
        seen = f"   reproductions: {min(known):g}–{max(known):g} ({len(known)})" if known else ""
        value = f"{number['value']:.{number['digits']}f}{spread}"
        lines.append(
            f"{number['row']:<{row}}{number['metric']:<{metric}}{value}  {number['kind']}{seen}"
        )
    _print_lines("The paper's numbers", lines, wrap=False)


def _print_lines(heading: str, lines: list[str], wrap: bool = True) -> None:
    if lines:
        click.echo(f"\n{heading}")
    for line in lines:
        click.echo(
            f"  {line}" if len(line) < 78 or not wrap else click.wrap_text(line, 79, "  ", "      ")
        )


def _print_run(facts: dict[str, Any]) -> None:
    click.echo(f"{facts['id']}\n")
    for path, value in _leaves(facts["run"]):
        click.echo(f"  {path:<28}{value}")


def _leaves(values: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    leaves: list[tuple[str, Any]] = []
    for key, value in values.items():
        leaves += (
            _leaves(value, f"{prefix}{key}.")
            if isinstance(value, dict)
            else [(prefix + key, value)]
        )
    return leaves
