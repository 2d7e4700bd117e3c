"""`repro publish`: put the small records of finished runs where they are tracked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import click

from repro.cli.columns import counted
from repro.cli.options import (
    experiments_argument,
    json_option,
    not_skipped,
    only_options,
    only_those,
    print_json,
    scale_option,
    selected,
    selection_options,
)
from repro.errors import FAILED, FINE, INCOMPLETE, UserError
from repro.experiment import runs_of
from repro.folders import places


@click.command()
@experiments_argument()
@scale_option()
@selection_options
@only_options
@click.option("--again", is_flag=True, help="Replace published records that differ.")
@click.option("--uncommitted", is_flag=True, help="Publish even what was trained by code that no commit has.")
@json_option
def command(
    experiments: Sequence[str],
    scale: str,
    seeds: int | None,
    variants: Sequence[str],
    settings: Sequence[str],
    only: Sequence[str],
    skip: Sequence[str],
    again: bool,
    uncommitted: bool,
    as_json: bool,
) -> int:
    """Copy the records of finished runs to results/published/, which is tracked: a clone then has the numbers.

    A record is a definition, a curve, final numbers and where they come from; no checkpoint, no predictions.

    For example:  repro publish figure6 --scale quick
    """
    from repro.reading.published import publish

    chosen = not_skipped(selected(experiments, scale, seeds, variants, settings))
    here, words, refused = places(), {}, {}
    for run in only_those(runs_of(tuple(chosen.values())), only, skip):
        try:
            words[run.id] = publish(run.id, here, again, uncommitted)
        except UserError as error:
            refused[run.id] = error
    if as_json:
        problems = [{"id": name, "problem": error.problem, "hint": error.hint} for name, error in refused.items()]
        print_json({"folder": str(here.published), "runs": words, "refused": problems})
    else:
        _say(words, refused)
    done = any(word != "not done" for word in words.values())
    return FAILED if refused else FINE if done or not words else INCOMPLETE


def _say(words: dict[str, str], refused: dict[str, UserError]) -> None:
    for run_id, word in words.items():
        if word == "published":
            click.echo(run_id)
    counts = Counter(words.values())
    said = [f"{counts[word]} {word}" for word in ("published", "as before", "not done") if counts[word]]
    click.echo(f"{counted(len(words) + len(refused), 'run')}: {', '.join(said) or 'none published'}", err=True)
    for error in refused.values():
        click.echo(f"refused: {error.problem}", err=True)
    for hint in dict.fromkeys(error.hint for error in refused.values()):
        click.echo(f"\nhint: {hint}", err=True)
    if counts["published"]:
        click.echo("next: commit results/published; `repro table`, `figure`, `diff` and `report` read it", err=True)
