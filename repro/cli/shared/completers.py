"""What the shell proposes: experiments, run ids, scales, variants, clusters."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click

from repro.protocol import catalog
from repro.storage.paths import Places, places, run_folders


def complete_names(kinds: tuple[str, ...]) -> Callable[..., list[str]]:
    """Return a completion of the experiments whose names begin with one of these words."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        return starting(starting(catalog.NAMES, kinds), incomplete)

    return complete


def complete_pages(kind: str) -> Callable[..., list[str]]:
    """Return a completion of the tables, or of the figures, and of the groups."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        return starting((*starting(catalog.NAMES, kind), *catalog.GROUPS), incomplete)

    return complete


def complete_selection(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[str]:
    """Complete an experiment, a group, or the id of a run that has a folder."""
    names = complete_experiments(context, parameter, incomplete)
    # Thousands of ids would bury twenty experiments.
    return names or complete_runs(context, parameter, incomplete)


def complete_experiments(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[str]:
    """Complete an experiment or a group."""
    return starting((*catalog.NAMES, *catalog.GROUPS), incomplete)


def complete_runs(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Complete the id of a run that has a folder."""
    folders = run_folders(places().runs)
    return starting((folder.path.name for folder in folders), incomplete)


def complete_clusters(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[str]:
    """Complete the name of a cluster's profile."""
    return starting(profile_names(places()), incomplete)


def profile_names(here: Places) -> list[str]:
    """Return the names of the clusters that have a profile."""
    return sorted(path.stem for path in here.slurm.glob("*.toml"))


def complete_scales(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[str]:
    return starting(catalog.all_scales(), incomplete)


def complete_variants(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[str]:
    return starting(catalog.all_variants(), incomplete)


def starting(names: Iterable[str], beginning: str | tuple[str, ...]) -> list[str]:
    """Return the names that start with what has been typed, or with one of some words."""
    return [name for name in names if name.startswith(beginning)]
