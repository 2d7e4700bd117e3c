"""The commands that send to a cluster are tested with the same fake SLURM as the cluster's code."""

from __future__ import annotations

from tests.cluster.conftest import no_slurm, slurm

__all__ = ["no_slurm", "slurm"]
