"""Which SLURM job this process is in."""

from __future__ import annotations

import os


def slurm_job_id() -> str | None:
    """Return the job as `squeue` and `scontrol` name it; an element of an array is ARRAY_INDEX.

    The plain number of an element can mean its whole array, so it is not used for one.
    """
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    index = os.environ.get("SLURM_ARRAY_TASK_ID")
    if array and index:
        return f"{array}_{index}"
    return os.environ.get("SLURM_JOB_ID")
