"""What the shell proposes: experiments, run ids, scales, variants, clusters."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click

from repro.protocol import catalog
from repro.storage.paths import places, run_folders


def complete_names(kinds: tuple[str, ...]) -> Callable[..., list[str]]:
    """Return a completion of the experiments whose names begin with one of these words."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        names = _starting(catalog.NAMES, incomplete)
        return [name for name in names if name.startswith(kinds)]

    return complete


def complete_pages(kind: str) -> Callable[..., list[str]]:
    """Return a completion of the tables, or of the figures, and of the groups."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        pages = [name for name in catalog.NAMES if name.startswith(kind)]
        return _starting((*pages, *catalog.GROUPS), incomplete)

    return complete


def complete_selection(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[str]:
    """Complete an experiment, a group, or the id of a run that has a folder."""
    names = complete_experiments(context, parameter, incomplete)
    return names or complete_runs(context, parameter, incomplete)


def complete_experiments(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[str]:
    """Complete an experiment or a group."""
    return _starting((*catalog.NAMES, *catalog.GROUPS), incomplete)


def complete_runs(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Complete the id of a run that has a folder."""
    folders = run_folders(places().runs)
    return _starting((folder.path.name for folder in folders), incomplete)


def complete_clusters(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[str]:
    """Complete the name of a cluster's profile."""
    return _starting(sorted(path.stem for path in places().slurm.glob("*.toml")), incomplete)


def complete_scales(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[str]:
    return _starting(catalog.all_scales(), incomplete)


def complete_variants(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[str]:
    return _starting(catalog.all_variants(), incomplete)


def _starting(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
