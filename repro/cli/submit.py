"""`repro submit`: send what an experiment still lacks to a SLURM cluster."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from repro.cli.run import print_untrained
from repro.cli.shared import submit_then
from repro.cli.shared.click_errors import Command
from repro.cli.shared.environment_checks import check_owners
from repro.cli.shared.options import print_json, require_clean_option, select_option
from repro.cli.shared.submit_options import Mode, ProfileOptions, mode_options, profile_options
from repro.cli.shared.text_table import counted, counts_in_words
from repro.errors import UserError
from repro.local.run import check_data
from repro.protocol.selection import Selection
from repro.storage.paths import Places, places

if TYPE_CHECKING:
    from repro.cluster.profile import Profile
    from repro.cluster.submit.request import Foresight
    from repro.cluster.submit.submission import Plan, Sent, SubmitOptions


@click.command(cls=Command)
@select_option()
@profile_options
@click.option("--retry", is_flag=True, help="Send again what failed or was lost.")
@click.option("--again", is_flag=True, help="Train finished runs again; the old records are kept.")
@mode_options
@require_clean_option
def command(
    selection: Selection, asked: ProfileOptions, retry: bool, again: bool, mode: Mode
) -> None:
    """Send the runs that the experiments still need to a cluster, as job arrays.

    If you call it again, it submits nothing twice.

    For example:  repro submit table6 --on mycluster --max-parallel 8
    """
    from repro.cluster.submit import submission
    from repro.cluster.submit.request import plan_selection

    if mode.dry_run and mode.test_only:
        raise UserError(
            "`--dry-run` and `--test-only` exclude each other",
            "the first needs no SLURM, the second does",
        )
    here = places()
    profile = asked.load_and_print(here)
    experiments = selection.reproduced().experiments_at_scale()
    options = submission.SubmitOptions(retry, again, selection.words())
    # From here on nothing is decided anew: what is shown, asked and sent is this plan.
    plan = plan_selection(selection, here, profile, options)
    print_untrained(experiments)
    if mode.dry_run:
        _print_dry_run(plan, selection, here, profile, mode)
    elif mode.test_only:
        _print_each("verdicts", submission.slurm_verdicts(plan, here, profile), mode.as_json)
    else:
        check_owners(here.results, here.runs)  # a dry run writes nothing, and need not ask
        sent = _send(plan, selection, here, profile, options, mode.yes)
        then = _send_then(plan, sent, selection, here, profile, mode)
        _report(plan, sent, selection.experiments, mode.as_json, then)


def _print_dry_run(
    plan: Plan, selection: Selection, here: Places, profile: Profile, mode: Mode
) -> None:
    """Print each array's sbatch text, and what the plan takes and decides, as comments."""
    from repro.cluster.submit import submission
    from repro.cluster.submit.request import foresee

    texts = list(submission.sbatch_texts(plan, here, profile))
    facts: dict[str, Any] = {"texts": texts}
    lines = list(texts)
    if mode.then:
        scale = selection.chosen_scale().name
        facts["then"] = submit_then.foreseen_job(plan, scale, here, profile)
        lines += submit_then.foreseen_lines(facts["then"])
    if plan.runs:
        foresight = foresee(plan, selection, here, profile)
        facts["foresight"] = _foresight_facts(foresight)
        facts["runs"] = [run.id for run in plan.runs]
        # The summary is last, where it is still on the screen after sixty ids.
        lines += map("#   {}".format, facts["runs"])
        lines += map("# {}".format, _foresight_lines(foresight))
    if mode.as_json:
        print_json(facts)
    else:
        for line in lines:
            click.echo(line)
    _print_left(plan)


def _foresight_facts(foresight: Foresight) -> dict[str, Any]:
    return {
        "runs": foresight.runs,
        "arrays": foresight.arrays,
        "jobs": foresight.jobs,
        "gpu_hours": float(f"{foresight.hours.gpu_hours:.4g}"),
        "estimate": asdict(foresight.hours),
        "memory": foresight.memory,
        "computing": list(foresight.computing),
        "claims": list(foresight.claims),
        "limits": list(foresight.limits),
    }


def _foresight_lines(foresight: Foresight) -> list[str]:
    """Return what a plan takes and decides, in words."""
    sharing = ""
    if foresight.jobs < foresight.runs:
        sharing = f" ({counted(foresight.jobs, 'job')})"
    runs = f"{counted(foresight.runs, 'run')} in {counted(foresight.arrays, 'array')}{sharing}"
    lines = [f"{runs}, {foresight.hours}, {foresight.memory}", *foresight.computing]
    if foresight.claims:
        lines.append(f"claims of the paper that they can decide: {', '.join(foresight.claims)}")
    return [*lines, *foresight.limits]


def _print_each(name: str, answers: Iterator[str], as_json: bool) -> None:
    """Print one answer after the other as they come, or all of them as the one document."""
    if as_json:
        print_json({name: list(answers)})
        return
    for answer in answers:
        click.echo(answer)


def _send(
    plan: Plan,
    selection: Selection,
    here: Places,
    profile: Profile,
    options: SubmitOptions,
    yes: bool,
) -> list[Sent]:
    """Send what is left, if there is something and whoever asks agrees."""
    from repro.cluster.submit.request import foresee, warnings

    _print_left(plan)
    if not plan.runs:
        return []
    # Where the nodes have the data elsewhere, what this machine has says nothing.
    if "REPRO_DATA" not in profile.environment:
        check_data(plan.runs, here)
    foresight = foresee(plan, selection, here, profile)
    for line in _foresight_lines(foresight):
        click.echo(line, err=True)
    for trouble in warnings(plan, here, profile):
        click.echo(f"Warning: {trouble}", err=True)
    if not yes:
        _ask(plan, foresight, profile)
    return _sent(plan, here, profile, options)


def _send_then(
    plan: Plan,
    sent: Sequence[Sent],
    selection: Selection,
    here: Places,
    profile: Profile,
    mode: Mode,
) -> dict[str, Any] | None:
    """Send the job that waits for the runs, if one is wanted; say what was sent if it fails."""
    if not mode.then:
        return None
    # The runs are sent by now: their numbers must be printed, whatever becomes of this job.
    try:
        return submit_then.send_job(plan, sent, selection.chosen_scale().name, here, profile)
    except UserError:
        _report(plan, sent, selection.experiments, mode.as_json, None)
        raise


def _ask(plan: Plan, foresight: Foresight, profile: Profile) -> None:
    """Ask above the profile's limits."""
    from repro.cluster.submit.request import above_limits

    # A small plan is sent as asked: who is always asked answers yes without reading.
    if not above_limits(plan, foresight.hours, profile):
        return
    if not sys.stdin.isatty():  # nobody could answer
        size = f"{counted(foresight.runs, 'run')}, {foresight.hours.said}"
        raise UserError(
            f"{size}, are more than this cluster's profile sends without asking",
            "say `--yes`, or raise `ask_above_jobs` and `ask_above_gpu_hours` in its profile",
        )
    click.confirm("Send them?", abort=True, err=True)


def _sent(plan: Plan, here: Places, profile: Profile, options: SubmitOptions) -> list[Sent]:
    """Send array after array; if it is cut short, say what was sent and what was not."""
    from repro.cluster.submit import submission

    sent: list[Sent] = []
    try:
        for array in submission.send(plan, here, profile, options):
            sent.append(array)
            _print_array(array)
    except (KeyboardInterrupt, UserError) as error:
        count = sum(len(array.runs) for array in sent)
        rest = "not sent"
        # SLURM may have taken the array whose answer was not waited for.
        if isinstance(error, (KeyboardInterrupt, submission.Unanswered)):
            rest = "not known to be sent"
        left = counted(len(plan.runs) - count, "run")
        click.echo(f"sent: {counted(count, 'run')}; {rest}: {left}", err=True)
        raise
    return sent


def _print_array(array: Sent) -> None:
    if array.array:
        runs = counted(len(array.runs), "run")
        jobs = ""
        if array.jobs < len(array.runs):
            jobs = f" of {counted(array.jobs, 'job')}"
        click.echo(f"sent {runs} as array {array.array}{jobs} ({array.batch})", err=True)
    # Two people may send the same runs at one moment: the first claim of a run counts.
    if array.taken:
        taken = counted(len(array.taken), "run")
        click.echo(f"left {taken} that somebody else sent at this moment", err=True)


def _print_left(plan: Plan) -> None:
    """Say which runs are not sent, and what would send them."""
    counts = Counter[str](state.word for state in plan.left)
    if counts:
        click.echo(f"left alone: {counts_in_words(counts)}", err=True)
    retriable = [state for state in plan.left if state.retriable]
    if retriable:
        what = "`--retry` sends again what failed, diverged or was lost"
        click.echo(f"hint: {what}; `repro status --failed` says why", err=True)
    # Nobody can see from here whether such a process still lives: its owner has to say it.
    if any(state.word == "running" for state in retriable):
        where = "on a machine that cannot be asked from here"
        click.echo(f"hint: what was running {where} is sent again by `--retry` as well", err=True)


def _report(
    plan: Plan,
    sent: Sequence[Sent],
    experiments: Sequence[str],
    as_json: bool,
    then: dict[str, Any] | None,
) -> None:
    arrays = [array for array in sent if array.array]
    if as_json:
        facts = []
        for array in arrays:
            facts.append({"array": array.array, "batch": array.batch, "runs": list(array.runs)})
        left = []
        for state in plan.left:
            left.append({"id": state.id, "state": state.word, "reason": state.reason})
        document: dict[str, Any] = {"sent": facts, "left": left}
        if then:
            document["then"] = then
        print_json(document)
        return
    # Only the numbers stand on standard output, for scripts.
    for array in arrays:
        click.echo(array.array)
    if arrays:
        click.echo(f"next: repro status {' '.join(experiments)}", err=True)
    elif not plan.runs:
        click.echo("nothing to send", err=True)
