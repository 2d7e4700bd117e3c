"""The data set on the node's own disk, where the profile names one: for sets beyond its memory."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from repro.errors import EnvironmentProblem, quote
from repro.storage.paths import Places


def staged_data(places: Places, dataset: str) -> Places:
    """Return the places with the data on the disk that `REPRO_SCRATCH` names, if it names one."""
    wanted = os.environ.get("REPRO_SCRATCH")
    if not wanted:
        return places
    scratch = Path(os.path.expandvars(wanted))
    if "$" in str(scratch) or not scratch.is_dir():
        raise EnvironmentProblem(
            f"the scratch folder {quote(wanted)} is not there",
            "set `scratch` in the profile to one that is",
        )
    from repro.data.photos.pack_format import PACK
    from repro.data.staging import copy_to_node

    folder = places.data / dataset
    if not (folder / PACK).exists():
        return places
    return replace(places, data=copy_to_node(folder, scratch))
