"""`repro submit`: send what an experiment still lacks to a SLURM cluster."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from repro.cli.options import (
    WholeNumber,
    experiments_argument,
    filter_runs,
    json_option,
    only_options,
    print_json,
    refuse_skipped,
    scale_option,
    select_experiments,
    selection_options,
)
from repro.cli.run import check_data, print_untrained
from repro.cli.text_table import counted
from repro.definition.experiment import Experiment, runs_of
from repro.errors import UserError
from repro.storage.paths import Places, places

if TYPE_CHECKING:
    from repro.cluster.profile import Profile
    from repro.cluster.submit.submission import Plan, Sent, SubmitOptions

_ASKED = (  # option, key of the profile, what it is
    ("--partition", "partition", "Partition."),
    ("--account", "account", "Account."),
    ("--qos", "qos", "Quality of service."),
    ("--time", "time", "Time limit: 90 (minutes), 1:30:00, 2-12:00:00."),
    ("--memory", "memory", "Memory of each node: 16GB."),
    ("--constraint", "constraint", "Features that a node must have."),
    (
        "--pack",
        "pack",
        "Runs alike but for the seed that share a job and its GPU: a number, or auto.",
    ),
    ("--exclude", "exclude", "Nodes to avoid."),
)
_COUNTED = (
    ("--cpus", "cpus", "CPUs of each process."),
    ("--gpus", "gpus", "GPUs of each node."),
    ("--nodes", "nodes", "Nodes that train one run together."),
    ("--processes", "processes", "Processes on each node."),
    ("--max-parallel", "max_parallel", "Runs of an array that may run at once."),
)


def _profile_options(function: Any) -> Any:
    for option, key, about in reversed(_COUNTED):
        function = click.option(option, key, type=WholeNumber(0), metavar="N", help=about)(function)
    for option, key, about in reversed(_ASKED):
        function = click.option(option, key, metavar="TEXT", help=about)(function)
    return function


@click.command()
@experiments_argument()
@click.option(
    "--on",
    "cluster",
    envvar="REPRO_ON",
    metavar="CLUSTER",
    help="A profile in slurm/; or REPRO_ON.",
)
@scale_option()
@selection_options
@only_options
@_profile_options
@click.option(
    "--sbatch",
    "options",
    multiple=True,
    metavar="KEY=VALUE",
    help="Another option of sbatch, repeatable.",
)
@click.option(
    "--dry-run", is_flag=True, help="Print the sbatch text; send and write nothing. Needs no SLURM."
)
@click.option("--test-only", is_flag=True, help="Ask SLURM for its verdict; send nothing.")
@click.option("--retry", is_flag=True, help="Send again what failed or was lost.")
@click.option("--again", is_flag=True, help="Redo what is done; the old record is put aside.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def command(
    experiments: Sequence[str],
    cluster: str | None,
    scale: str,
    seeds: int | None,
    variants: Sequence[str],
    settings: Sequence[str],
    only: Sequence[str],
    skip: Sequence[str],
    options: tuple[str, ...],
    dry_run: bool,
    test_only: bool,
    retry: bool,
    again: bool,
    yes: bool,
    as_json: bool,
    **asked: Any,
) -> None:
    """Send what the experiments still lack to a cluster: one array each. Asking twice sends once.

    For example:  repro submit table6 --on mycluster --max-parallel 8
    """
    from repro.cluster.submit import submission

    if dry_run and test_only:
        raise UserError(
            "`--dry-run` and `--test-only` exclude each other",
            "the first needs no SLURM, the second does",
        )
    here = places()
    profile = _profile(cluster, here, asked, options)
    chosen = refuse_skipped(select_experiments(experiments, scale, seeds, variants, settings))
    said = _said(seeds=(seeds,) * bool(seeds), variant=variants, set=settings, only=only, skip=skip)
    wanted = submission.SubmitOptions(retry, again, said)
    plan = _plan(chosen, only, skip, here, profile, wanted)
    print_untrained(chosen)
    if dry_run:
        _print_each("texts", submission.sbatch_texts(plan, here, profile), as_json)
        _say_left(plan)
    elif test_only:
        _print_each("verdicts", submission.slurm_verdicts(plan, here, profile), as_json)
    else:
        _report(plan, _send(plan, here, profile, wanted, yes), experiments, as_json)


def _profile(
    cluster: str | None, here: Places, asked: dict[str, Any], options: tuple[str, ...]
) -> Profile:
    from repro.cluster.profile import load_profile, with_sbatch
    from repro.cluster.submit.packing import with_known_sharing

    if cluster is None:
        known = ", ".join(sorted(path.stem for path in here.slurm.glob("*.toml")))
        raise UserError(
            "`--on` is missing: which cluster?", f"profiles in `{here.slurm.name}`: {known}"
        )
    profile = with_sbatch(load_profile(cluster, here.slurm, asked), options)
    profile, why_not_packed = with_known_sharing(profile, here)
    if why_not_packed:
        click.echo(why_not_packed, err=True)
    return profile


def _said(**selection: Sequence[Any]) -> tuple[str, ...]:
    """The options that selected these runs, as they were said."""
    pairs = (
        (f"--{option}", str(value)) for option, values in selection.items() for value in values
    )
    return tuple(word for pair in pairs for word in pair)


def _plan(
    chosen: dict[str, Experiment],
    only: Sequence[str],
    skip: Sequence[str],
    here: Places,
    profile: Profile,
    wanted: SubmitOptions,
) -> Plan:
    """What is left to send of the runs that were chosen."""
    from repro.cluster.slurm import max_array_size
    from repro.cluster.submit import submission

    left = set(filter_runs(runs_of(tuple(chosen.values())), only, skip))
    runs = {name: [run for run in runs_of(each) if run in left] for name, each in chosen.items()}
    return submission.make_plan(runs, here, profile, wanted, max_array_size(profile.slurm_conf))


def _print_each(name: str, said: Iterator[str], as_json: bool) -> None:
    """One after the other as they come, or all of them as the one document."""
    if as_json:
        print_json({name: list(said)})
        return
    for each in said:
        click.echo(each)


def _send(
    plan: Plan, here: Places, profile: Profile, wanted: SubmitOptions, yes: bool
) -> list[Sent]:
    """Send what is left, if there is something and whoever asks agrees."""
    _say_left(plan)
    if not plan.runs:
        return []
    if "REPRO_DATA" not in profile.environment:
        check_data(plan.runs, here)
    _ask(plan, here, profile, yes)
    return _sent(plan, here, profile, wanted)


def _ask(plan: Plan, here: Places, profile: Profile, yes: bool) -> None:
    """Say what it will cost, warn of what may go wrong, and ask above the profile's limits."""
    from repro.cluster.preflight.estimate import estimate
    from repro.cluster.preflight.warnings import memory_in_words, warnings_for
    from repro.cluster.submit.packing import pack_runs

    jobs = [element for _, some in plan.arrays for element in pack_runs(some, profile)]
    hours, runs = estimate(jobs, here, profile), counted(len(plan.runs), "run")
    sharing = f" ({counted(len(jobs), 'job')})" if len(jobs) < len(plan.runs) else ""
    arrays = counted(len(plan.arrays), "array")
    click.echo(f"{runs} in {arrays}{sharing}, {hours}, {memory_in_words(jobs, profile)}", err=True)
    for trouble in warnings_for(jobs, here, profile):
        click.echo(f"Warning: {trouble}", err=True)
    if yes or (
        len(plan.runs) <= profile.ask_above_jobs and hours.gpu_hours <= profile.ask_above_gpu_hours
    ):
        return
    if not sys.stdin.isatty():
        raise UserError(
            f"{runs}, {hours.said}, are above this cluster's limits for not asking",
            "say `--yes`, or raise `ask_above_jobs` and `ask_above_gpu_hours` in its profile",
        )
    click.confirm("Send them?", abort=True, err=True)


def _sent(plan: Plan, here: Places, profile: Profile, wanted: SubmitOptions) -> list[Sent]:
    """Send array after array; if it is cut short, say what was sent and what was not."""
    from repro.cluster.submit import submission

    sent: list[Sent] = []
    try:
        for each in submission.send(plan, here, profile, wanted):
            sent.append(each)
            if each.array:
                jobs = f" of {counted(each.jobs, 'job')}" if each.jobs < len(each.runs) else ""
                click.echo(
                    f"sent {counted(len(each.runs), 'run')} as array {each.array}{jobs} ({each.batch})",
                    err=True,
                )
            if each.taken:
                click.echo(
                    f"left {counted(len(each.taken), 'run')} that somebody else sent at this moment",
                    err=True,
                )
    except (KeyboardInterrupt, UserError) as error:
        count = sum(len(each.runs) for each in sent)
        rest = (
            "not known to be sent"
            if isinstance(error, (KeyboardInterrupt, submission.Unanswered))
            else "not sent"
        )
        click.echo(
            f"sent: {counted(count, 'run')}; {rest}: {counted(len(plan.runs) - count, 'run')}",
            err=True,
        )
        raise
    return sent


def _say_left(plan: Plan) -> None:
    counts = Counter(state.word for state in plan.left)
    if counts:
        click.echo(
            "left alone: " + ", ".join(f"{count} {word}" for word, count in sorted(counts.items())),
            err=True,
        )
    if any(state.retriable for state in plan.left):
        click.echo(
            "hint: `--retry` sends again what failed, diverged or was lost; `repro status --failed` says why",
            err=True,
        )
    if any(state.retriable and state.word == "running" for state in plan.left):
        click.echo(
            "hint: what was running on a machine that cannot be asked from here is sent again by `--retry` as well",
            err=True,
        )


def _report(plan: Plan, sent: Sequence[Sent], experiments: Sequence[str], as_json: bool) -> None:
    arrays = [each for each in sent if each.array]
    if as_json:
        facts = [
            {"array": each.array, "batch": each.batch, "runs": list(each.runs)} for each in arrays
        ]
        left = [
            {"id": state.id, "state": state.word, "reason": state.reason} for state in plan.left
        ]
        print_json({"sent": facts, "left": left})
        return
    for each in arrays:
        click.echo(each.array)
    if arrays:
        click.echo(f"next: repro status {' '.join(experiments)}", err=True)
    elif not plan.runs:
        click.echo("nothing to send", err=True)
