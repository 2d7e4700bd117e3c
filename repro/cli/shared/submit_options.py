"""The options of `repro submit`: what is asked of the cluster, and what is done with the plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from repro.cli.shared.completers import complete_clusters, profile_names
from repro.cli.shared.options import Decorator, add_options, gather, json_option
from repro.cli.shared.param_types import OneOf, WholeNumber
from repro.errors import UserError
from repro.storage.paths import Places

if TYPE_CHECKING:
    from repro.cluster.profile import Profile

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
        "How many runs that differ only in the seed share a job and its GPU; or auto.",
    ),
    ("--exclude", "exclude", "Nodes to avoid."),
)
# Numbers from 0: no GPU is asked for with `--gpus 0`.
_COUNTED = (
    ("--cpus", "cpus", "CPUs of each process."),
    ("--gpus", "gpus", "GPUs of each node."),
    ("--nodes", "nodes", "Nodes that train one run together."),
    ("--processes", "processes", "Processes on each node."),
    ("--max-parallel", "max_parallel", "Runs of an array that may run at once."),
)


@dataclass(frozen=True)
class ProfileOptions:
    """What the command line says of the cluster."""

    cluster: str | None
    values: dict[str, Any]  # in the place of the profile's own
    sbatch: tuple[str, ...]

    def load(self, here: Places) -> Profile:
        """Return the profile with these values."""
        from repro.cluster.profile import load_profile, with_sbatch

        # None is guessed, even where there is one profile only: a job costs somebody's money.
        if self.cluster is None:
            hint = f"profiles in `{here.slurm.name}`: {', '.join(profile_names(here))}"
            raise UserError("`--on` is missing: which cluster?", hint)
        return with_sbatch(load_profile(self.cluster, here.slurm, self.values), self.sbatch)

    def load_and_print(self, here: Places) -> Profile:
        """Return the profile; say why runs do not share jobs, if they were to."""
        from repro.cluster.submit.packing import with_known_sharing

        profile, why_not_packed = with_known_sharing(self.load(here), here)
        if why_not_packed:
            click.echo(why_not_packed, err=True)
        return profile


def profile_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --on, --sbatch and an option for each key of a profile; pass on one `asked`."""

    def build(cluster: str | None, sbatch: tuple[str, ...], **values: Any) -> ProfileOptions:
        return ProfileOptions(cluster, values, sbatch)

    # Every key of a profile that a number or a word can say; tables of words stay in the file.
    keys = [key for _, key, _ in (*_ASKED, *_COUNTED)]
    options = [on_option("A profile in slurm/; or REPRO_ON.")]
    for option, key, about in _ASKED:
        options.append(click.option(option, key, metavar="TEXT", help=about))
    for option, key, about in _COUNTED:
        options.append(click.option(option, key, type=WholeNumber(0), metavar="N", help=about))
    free = "Another option of sbatch, repeatable."
    options.append(click.option("--sbatch", multiple=True, metavar="KEY=VALUE", help=free))
    return add_options(function, *options, gather("asked", build, ("cluster", "sbatch", *keys)))


def on_option(about: str) -> Decorator:
    """Return --on, which names a cluster; REPRO_ON does where the option is left out."""
    names: dict[str, Any] = {"metavar": "CLUSTER", "shell_complete": complete_clusters}
    return click.option("--on", "cluster", envvar="REPRO_ON", help=about, **names)


@dataclass(frozen=True)
class Mode:
    """What is done with the plan."""

    dry_run: bool
    test_only: bool
    yes: bool
    as_json: bool
    then: str | None  # what is done when the runs have ended


def mode_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --then, --dry-run, --test-only, --yes and --json; pass on one `mode`."""
    then = "`report`: when the runs have ended, a job of its own writes the report."
    dry = "Print the sbatch text; send and write nothing. Needs no SLURM."
    ask = "Ask SLURM if it would accept the jobs; send nothing."
    return add_options(
        function,
        click.option("--then", type=OneOf(("report",)), help=then),
        click.option("--dry-run", is_flag=True, help=dry),
        click.option("--test-only", is_flag=True, help=ask),
        click.option("--yes", is_flag=True, help="Do not ask."),
        json_option,
        gather("mode", Mode, ("dry_run", "test_only", "yes", "as_json", "then")),
    )
