"""`repro submit --then report`: the job that waits for the runs, as it is shown and sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from repro.storage.paths import Places

if TYPE_CHECKING:
    from repro.cluster.profile import Profile
    from repro.cluster.submit.report_job import Waiting
    from repro.cluster.submit.submission import Plan, Sent


def foreseen_job(plan: Plan, scale: str, here: Places, profile: Profile) -> dict[str, Any] | None:
    """Return what would be sent; None where there is nothing to wait for."""
    from repro.cluster.submit.report_job import arrays_to_wait_for, report_text

    queued = arrays_to_wait_for((), plan.left, profile.name)
    if not plan.runs and not queued:
        return None
    # Afterany: a report on runs of which some failed is wanted most.
    new = map("<array {}>".format, range(1, len(plan.arrays) + 1))  # SLURM has yet to number them
    return {
        "command": command_of(scale),
        "dependency": ":".join(["afterany", *new, *queued]),
        "text": report_text(scale, here, profile),
    }


def foreseen_lines(job: dict[str, Any] | None) -> list[str]:
    """Return the sbatch text with what stands on its command line, as comments around it."""
    if job is None:
        return ["# no job for the report: none of these runs waits or runs"]
    dependency = f"--dependency={job['dependency']}"
    return [job["text"], f"# when they have ended, however they end: sbatch {dependency}"]


def send_job(
    plan: Plan, sent: Sequence[Sent], scale: str, here: Places, profile: Profile
) -> dict[str, Any] | None:
    """Send the job, say so, and return the facts; None where there is nothing to wait for."""
    from repro.cluster.submit.report_job import send_report

    arrays = [array.array for array in sent if array.array]
    waiting = send_report(scale, arrays, plan.left, here, profile)
    if waiting is None:
        click.echo(
            f"no job for the report: nothing waits or runs; `{command_of(scale)}` writes it now",
            err=True,
        )
        return None
    _print(waiting, scale)
    return {
        "command": command_of(scale),
        "array": waiting.array,
        "after": list(waiting.after),
        "batch": waiting.batch,
    }


def command_of(scale: str) -> str:
    from repro.cluster.submit.report_job import report_words

    return " ".join(("repro", *report_words(scale)))


def _print(waiting: Waiting, scale: str) -> None:
    job = f"job {waiting.array} ({waiting.batch})"
    if waiting.after:
        after = ", ".join(waiting.after)
        click.echo(f"then: {job} runs `{command_of(scale)}` when {after} have ended", err=True)
    else:
        click.echo(f"then: {job} waits already to run `{command_of(scale)}`", err=True)
