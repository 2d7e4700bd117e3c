"""`repro publish`: put the small records of finished runs where they are tracked."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from repro.cli.shared.click_errors import Command
from repro.cli.shared.environment_checks import check_owners
from repro.cli.shared.options import gather, json_option, print_json, select_option
from repro.cli.shared.text_table import counted
from repro.definition.run import Run
from repro.errors import FAILED, FINE, INCOMPLETE, EnvironmentProblem, UserError
from repro.protocol.selection import Selection
from repro.storage.labs import FILE, Lab, check_lab, check_lab_name, read_lab
from repro.storage.paths import IS_CHECKOUT, ROOT, Folder, Places, places

TRACKED = ROOT / "results" / "published"
TRACKED_LABS = ROOT / "results" / "labs"
A_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
TO = "Results folder whose published/ gets them (default: the one that is read)."
UNCOMMITTED = "Publish even what was trained by code that no commit has."


@dataclass(frozen=True)
class LabOptions:
    """Whose records they are, as the command line says it."""

    lab: str | None = None
    lab_name: str | None = None
    contact: str | None = None
    orcid: str | None = None


@dataclass
class Published:
    """What became of each run, by its id."""

    states: dict[str, str] = field(default_factory=dict)  # published, as before, not done
    refused: dict[str, UserError] = field(default_factory=dict)
    without_weights: dict[str, UserError] = field(default_factory=dict)

    @property
    def code(self) -> int:
        """The exit code: 1 where a record was refused, 3 where one lacks something or all do."""
        if self.refused:
            return FAILED
        if self.without_weights or set(self.states.values()) == {"not done"}:
            return INCOMPLETE
        return FINE


@click.command(cls=Command)
@select_option()
@click.option("--to", type=A_FOLDER, metavar="RESULTS", help=TO)
@click.option("--again", is_flag=True, help="Replace published records that differ.")
@click.option("--uncommitted", is_flag=True, help=UNCOMMITTED)
@click.option("--lab", metavar="NAME", help="File them beside ours, as the records of this lab.")
@click.option("--lab-name", metavar="TEXT", help="The lab's full name, the first time.")
@click.option("--contact", metavar="ADDRESS", help="Its page or e-mail address, the first time.")
@click.option("--orcid", metavar="ID", help="The ORCID iD of the person who answers, if you like.")
@gather("whose", LabOptions, ("lab", "lab_name", "contact", "orcid"))
@json_option
def command(
    selection: Selection,
    to: Path | None,
    again: bool,
    uncommitted: bool,
    whose: LabOptions,
    as_json: bool,
) -> int:
    """Copy the records of finished runs to results/published/, which is tracked: a clone then has
    the numbers.

    A record is a definition, a curve, final numbers and where they come from; no checkpoint, no
    predictions. CIFAR nets of up to 110 layers trained at scale paper bring their weights along:
    weights.pt, and weights.json with its SHA-256 and the `repro evaluate` that measures it.

    \b
    For example:  repro publish figure6 --scale quick
    Trained elsewhere, tracked here:
                  REPRO_RESULTS=~/campaign/results repro publish table6 --to results
    Another lab's, to be contributed:
                  repro publish table6 --to ~/repro/results --lab kyoto-vision
    """
    runs = selection.reproduced().runs()
    here = places()
    results = here.results
    if to:
        results = to.absolute()
    into, lab = results / "published", None
    if whose != LabOptions():
        lab = _lab(whose, results, uncommitted)
        into = results / "labs" / lab.lab
    check_owners(results, into)
    options = [*_repeated("--variant", selection.variants), *_repeated("--set", selection.settings)]
    result = publish_runs(runs, here, into, again, uncommitted, options, lab=lab)
    if as_json:
        _print_json(result, into)
    else:
        _report(result, into)
    return result.code


def publish_runs(
    runs: Sequence[Run],
    here: Places,
    into: Path,
    again: bool = False,
    uncommitted: bool = False,
    options: Sequence[str] = (),
    weights_at: str = "paper",
    lab: Lab | None = None,
) -> Published:
    """Publish the finished ones of these runs, with the weights of those of scale `weights_at`.

    `options` chose another reading or setting: whoever measures the weights needs them, too.
    `lab`: whose they are, where they are not ours; such records bring no weights.
    """
    from repro.analysis.runs.publish import Weights, publish, releases_weights

    result = Published()
    for run in runs:
        # Lazily: most runs are published already, and loading a checkpoint takes seconds.
        weights = None
        if lab is None and releases_weights(run, weights_at):
            extract = _Extract(run, here.run(run.id), result.without_weights)
            weights = Weights(extract, _evaluate_command(run, options))
        try:
            public = Folder(into / run.id)
            result.states[run.id] = publish(
                here.run(run.id), public, again, uncommitted, weights, lab
            )
        except UserError as error:  # one run that is refused keeps no other from being published
            result.refused[run.id] = error
    return result


def _lab(whose: LabOptions, results: Path, uncommitted: bool) -> Lab:
    """Return who the lab is: as its file says, or as the command line does the first time."""
    if whose.lab is None:
        raise UserError(
            "`--lab-name`, `--contact` and `--orcid` describe a lab", "name it: `--lab`"
        )
    name = check_lab_name(whose.lab)
    if uncommitted:
        problem = "`--uncommitted` is not for other people: nobody could check that code out"
        raise UserError(
            problem, "train from a clean checkout; `repro run --require-clean` sees to it"
        )
    folder = results / "labs" / name
    # Its file is written once: whoever publishes again need not describe the lab again.
    described = whose.lab_name or whose.contact or whose.orcid
    if (folder / FILE).exists() and not described:
        return read_lab(folder)
    if not (whose.lab_name and whose.contact):
        hint = '`--lab-name "Vision group, Kyoto" --contact https://…` say it, once'
        raise UserError(f"nobody knows yet who {name} is", hint)
    return check_lab(Lab(name, whose.lab_name, whose.contact, whose.orcid))


@dataclass(frozen=True)
class _Extract:
    """Takes the weights out of a run's checkpoint; keeps the reason where that fails."""

    run: Run
    folder: Folder
    problems: dict[str, UserError]

    def __call__(self) -> bytes | None:
        try:
            return self._content()
        except UserError as error:
            self.problems[self.run.id] = error
            return None

    def _content(self) -> bytes:
        # The command line may ask both wings; neither knows of the other.
        try:
            from repro.training.weights_file import trained_weights
        except ModuleNotFoundError as error:
            raise EnvironmentProblem(
                f"reading a checkpoint needs {error.name}, which is not installed here",
                "publish where the run was trained: the same command adds the weights",
            ) from None
        return trained_weights(self.run, self.folder)


def _evaluate_command(run: Run, options: Sequence[str]) -> str:
    """Return the command that measures the weights, typed in the published folder."""
    words = ["repro", "evaluate", "--net", run.net.name, "--weights", "weights.pt"]
    return shlex.join([*words, "--data", run.recipe.dataset, "--scale", run.scale, *options])


def _repeated(option: str, values: Sequence[str]) -> list[str]:
    words = []
    for value in values:
        words += [option, value]
    return words


def _print_json(result: Published, into: Path) -> None:
    document: dict[str, Any] = {"folder": str(into), "runs": result.states}
    document["refused"] = _problems(result.refused)
    document["without_weights"] = _problems(result.without_weights)
    print_json(document)


def _problems(errors: dict[str, UserError]) -> list[dict[str, str]]:
    problems = []
    for run_id, error in errors.items():
        problems.append({"id": run_id, "problem": error.problem, "hint": error.hint})
    return problems


def _report(result: Published, into: Path) -> None:
    """Print what was published on standard output, and what was not and why on standard error."""
    for run_id, state in result.states.items():
        if state == "published":
            click.echo(run_id)
    counts = Counter(result.states.values())
    runs = counted(len(result.states) + len(result.refused), "run")
    click.echo(f"{runs}: {_in_words(counts)}", err=True)
    for error in result.refused.values():
        click.echo(f"refused: {error.problem}", err=True)
    for error in result.without_weights.values():
        click.echo(f"published without weights: {error.problem}", err=True)
    errors = [*result.refused.values(), *result.without_weights.values()]
    # Sixty runs are often refused for one reason: what to do is said once.
    for hint in dict.fromkeys(error.hint for error in errors):
        click.echo(f"\nhint: {hint}", err=True)
    if counts["published"]:
        click.echo(_next_step(into), err=True)


def _in_words(counts: Counter[str]) -> str:
    parts = []
    for state in ("published", "as before", "not done"):
        if counts[state]:
            parts.append(f"{counts[state]} {state}")
    return ", ".join(parts) or "none published"


def _next_step(into: Path) -> str:
    """Return what to do with published records."""
    # Elsewhere than in this checkout, nobody's `git add` would find them.
    if into.resolve() == TRACKED:
        readers = "`repro table`, `figure`, `diff` and `report` read it"
        return f"next: commit results/published; {readers}"
    if into.resolve().parent == TRACKED_LABS:
        shown = into.resolve().relative_to(ROOT)
        return f"next: `repro check-record {shown}`, commit it, and open a pull request"
    where = f"next: they are in {into}"
    if not IS_CHECKOUT:
        return where
    return f"{where}; `--to {ROOT / 'results'}` puts them where this checkout tracks them"
