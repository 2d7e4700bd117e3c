"""`repro plan`: which runs, in which order, decide the most within a budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from repro.cli.shared.click_errors import Command
from repro.cli.shared.completers import complete_experiments
from repro.cli.shared.options import json_option, print_json
from repro.cli.shared.param_types import WholeNumber
from repro.cli.shared.text_table import counted
from repro.cost.gpu_hours import format_hours
from repro.definition.experiment import Experiment, Skipped, runs_of
from repro.errors import UserError, quote
from repro.protocol import catalog
from repro.protocol.selected_pages import refuse_skipped
from repro.storage.paths import places
from repro.storage.run_files import is_done

if TYPE_CHECKING:
    from repro.analysis.planning.plan import LeftOut, Plan, Step

SEEDS = 5  # of each net at most, as the paper has of ResNet-110
MOST_SEEDS = 50  # a forecast is simulated for each number of seeds
ABOUT = "At most this many seeds of each net."


@click.command("plan", cls=Command)
@click.argument(
    "experiments", nargs=-1, metavar="[EXPERIMENT…]", shell_complete=complete_experiments
)
@click.option("--gpu-hours", "budget", type=float, required=True, metavar="N", help="The budget.")
@click.option("--seeds", type=WholeNumber(1, MOST_SEEDS), default=SEEDS, metavar="N", help=ABOUT)
@json_option
def command(experiments: Sequence[str], budget: float, seeds: int, as_json: bool) -> None:
    """Find which runs, in which order, should decide the most within a budget of GPU-hours.

    The plan is for scale `paper`. It uses the declared margins and the published spreads. Finished
    runs cost nothing. Without EXPERIMENT: all of them.

    For example:  repro plan table6 --gpu-hours 20
    """
    if not 0 < budget < float("inf"):
        raise UserError(f"`--gpu-hours` cannot be {quote(budget)}", "it is a number above 0")
    chosen: dict[str, Experiment] = {}
    for name in catalog.expand_groups(experiments or ("all",)):
        experiment = catalog.load_experiment(name)
        if experiments:  # `all` passes over what is not reproduced
            refuse_skipped(name, experiment)
        if not isinstance(experiment, Skipped):
            chosen[name] = experiment

    from repro.analysis.planning.plan import make_plan

    here = places()
    # A run of several experiments is trained once, and decides in each of them.
    wanted = runs_of(tuple(chosen.values()))
    done = frozenset(run for run in wanted if is_done(run.id, here))
    plan = make_plan(chosen, budget, done, seeds)
    if as_json:
        print_json(_facts(plan))
    else:
        _print(plan, seeds)


def _facts(plan: Plan) -> dict[str, Any]:
    return {
        "budget": plan.budget,
        "gpu_hours": round(plan.hours, 4),
        "steps": list(map(_step_facts, plan.steps)),
        "claims": _rounded(plan.claims),
        "rows": _rounded(plan.rows),
        "expected_claims": round(plan.expected_claims, 3),
        "expected_rows": round(plan.expected_rows, 3),
        "left_out": list(map(_left_out_facts, plan.left_out)),
        "not_forecast": list(plan.unknown),
    }


def _step_facts(step: Step) -> dict[str, Any]:
    return {
        "runs": [run.id for run in step.runs],
        "gpu_hours": round(step.hours, 4),
        "chances": _rounded(step.chances),
    }


def _rounded(chances: Mapping[str, float]) -> dict[str, float]:
    return {name: round(chance, 4) for name, chance in chances.items()}


def _left_out_facts(left_out: LeftOut) -> dict[str, Any]:
    return {
        "name": left_out.name,
        "seeds": left_out.seeds,
        "gpu_hours": round(left_out.hours, 4),
        "chance": round(left_out.chance, 4),
    }


def _print(plan: Plan, seeds: int) -> None:
    if not plan.steps:
        click.echo(
            f"Nothing that {format_hours(plan.budget)} can pay for decides a claim or a row. "
            "Give more GPU-hours, or name other experiments."
        )
    else:
        _print_steps(plan)
    _print_left_out(plan, seeds)
    if plan.unknown:
        _echo_wrapped(
            f"Not forecast, as the paper gives no number: {', '.join(plan.unknown)}.", indent=""
        )


def _print_steps(plan: Plan) -> None:
    spent = 0.0
    for number, step in enumerate(plan.steps, start=1):
        spent += step.hours
        click.echo(f"{number}. {_in_words(step)}: {format_hours(step.hours)}, {spent:.1f} in all")
        # The likeliest first: what a step is for.
        chances = sorted(step.chances.items(), key=lambda item: -item[1])
        if chances:
            told = ", ".join(f"{name} {chance:.0%}" for name, chance in chances)
            _echo_wrapped(f"chance to be decided then: {told}")
    claims = _share(plan.expected_claims, len(plan.claims), "claim")
    rows = _share(plan.expected_rows, len(plan.rows), "row")
    hours = f"{format_hours(plan.hours)} of {plan.budget:g}"
    _echo_wrapped(f"If the paper is right, this decides {claims} and {rows}, for {hours}.", "")


def _share(expected: float, total: int, what: str) -> str:
    """Return `1 claim of 1`, or `about 2.4 of 5 claims` where chances add up to a part of one."""
    rounded = round(expected, 1)  # a forecast knows no more digits
    if rounded == int(rounded):
        return f"{counted(int(rounded), what)} of {total}"
    return f"about {rounded} of {counted(total, what)}"


def _print_left_out(plan: Plan, seeds: int) -> None:
    """Say what stays undecided, and whether hours or seeds are what it lacks."""
    claims = [one for one in plan.left_out if one.is_claim]
    if claims:
        click.echo("Claims left undecided, more likely than not:")
    for claim in claims:
        if claim.would_be_decided:
            why = f"{counted(claim.seeds, 'seed')} of each net would decide it"
            if claim.seeds == 1:
                why += " for these nets"  # one seed says nothing of how others would end
            why += f" with a chance of {claim.chance:.0%}"
            _echo_wrapped(f"{claim.name}: {why}, for {format_hours(claim.hours)} more")
        else:
            why = f"even {seeds} seeds of each net decide it with a chance of {claim.chance:.0%}"
            _echo_wrapped(f"{claim.name}: {why}")
    # Rows are only counted: most of them would need more seeds than anybody trains.
    rare = sum(not (one.is_claim or one.would_be_decided) for one in plan.left_out)
    if rare:
        _echo_wrapped(
            f"{counted(rare, 'row')} would stay `consistent` even with {seeds} seeds, more likely "
            "than not: the margin is small beside the spread of seeds.",
            indent="",
        )


def _in_words(step: Step) -> str:
    """Return `resnet-20 seeds 0 to 4, plain-56 seed 0`."""
    by_net: dict[str, list[int]] = {}
    for run in step.runs:
        by_net.setdefault(f"{run.net.name} {run.recipe.name}", []).append(run.seed)
    parts = []
    for net, seeds in by_net.items():
        if len(seeds) > 1:
            parts.append(f"{net} seeds {seeds[0]} to {seeds[-1]}")
        else:
            parts.append(f"{net} seed {seeds[0]}")
    return ", ".join(parts)


def _echo_wrapped(text: str, indent: str = "   ") -> None:
    click.echo(click.wrap_text(text, 79, indent, indent + "  "))
