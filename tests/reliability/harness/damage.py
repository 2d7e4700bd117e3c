"""The damage, done for real, and what became of it in figures: `python -m
tests.reliability.harness.damage kills 200`.

Each kind damages many small runs in one way, lets each go on, and compares how it ends with a run
that nobody touched: weights, batch-norm statistics, momentum and metrics, byte by byte.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from tests.cluster import campaign as cluster_campaign
from tests.reliability.harness.bad_words import hostile, words
from tests.reliability.harness.bit_flips import flips, rows
from tests.reliability.harness.disks import errors, full_at_the_end, full_disk, power
from tests.reliability.harness.faults import faults
from tests.reliability.harness.kills import calls, kills, nowhere, slow_but_sure
from tests.reliability.harness.side_effects import clock_jumps, cost, deep, secrets
from tests.reliability.harness.signals import signals
from tests.reliability.harness.small_run import prepared
from tests.reliability.harness.trial import Figures
from tests.reliability.harness.two_writers import fences, races


def campaign(prepared: object, runs: int, seed: int) -> Figures:
    """A week of a simulated cluster, in a folder of its own."""
    return cluster_campaign.campaign(runs, seed)


KINDS = {
    kind.__name__: kind
    for kind in (
        *(kills, calls, nowhere, slow_but_sure),
        *(signals,),
        *(errors, power, full_disk, full_at_the_end),
        *(flips, rows),
        *(fences, races),
        *(cost, deep, secrets, clock_jumps),
        *(hostile, words),
        *(campaign, faults),
    )
}


def damage(name: str, *numbers: int) -> Figures:
    """One kind of damage, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="repro-damage-") as folder:
        figures: Figures = KINDS[name](prepared(Path(folder)), *numbers)
        return figures


if __name__ == "__main__":
    print(json.dumps(damage(sys.argv[1], *map(int, sys.argv[2:]))))
