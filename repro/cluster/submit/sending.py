"""Giving an array to SLURM, and what its answer means."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Sequence

from repro.cluster import slurm
from repro.cluster.profile import Profile
from repro.cluster.records.batch import Batch
from repro.cluster.submit.sbatch import ArrayText
from repro.errors import EnvironmentProblem

PATIENCE_S = 60  # for SLURM's verdict

# Words after which SLURM may have the array nevertheless.
_MAY_HAVE_ARRIVED = ("timed out", "zero bytes", "communication", "connection reset")


class Unanswered(EnvironmentProblem):
    """SLURM has not said whether it has the array."""


def send_array(sbatch: ArrayText, batch: Batch, profile: Profile, after: Sequence[str] = ()) -> str:
    """Send the array and return its number; it waits until the arrays `after` have ended.

    Where SLURM does not answer, it may have the array nevertheless: then `Unanswered` is raised and
    all is left as it is. If SLURM has it, its elements find their runs; if not, the claim is void,
    and the runs are sent when somebody asks again.
    """
    options = [f"--dependency=afterany:{':'.join(after)}"] if after else []
    try:
        done = _sbatch([*options, str(sbatch.write())], profile)
        answer = slurm.one_line(done.stderr)
        number = re.search(r"job ([0-9]+)", done.stdout)
        if done.returncode == 0 and number:
            return number[1]
        if done.returncode == 0:
            answer = f"communication in a form that is not known: {slurm.one_line(done.stdout)}"
    except subprocess.TimeoutExpired:
        answer = f"timed out after {PATIENCE_S} s"
    if not any(sign in answer.lower() for sign in _MAY_HAVE_ARRIVED):
        raise _refused(answer)
    arrived = slurm.live_jobs({batch.name: None}, profile.slurm_conf)
    if arrived:
        return next(iter(arrived.values())).array
    raise Unanswered(
        f"SLURM does not say whether it has the jobs: {answer}",
        f"in some minutes `squeue --name {batch.name}` shows what it has; "
        "`repro submit` then sends the others",
    )


def test_array(text: str, profile: Profile) -> str:
    """Return SLURM's verdict on an array that is not sent."""
    # The code is not frozen for a question, so the folder it would run in may not be there yet.
    lines = [line for line in text.splitlines() if not line.startswith("#SBATCH --chdir")]
    with tempfile.NamedTemporaryFile("w", suffix=".sh") as script:
        script.write("\n".join(lines))
        script.flush()
        try:
            answer = _sbatch(["--test-only", script.name], profile)
        except subprocess.TimeoutExpired:
            raise EnvironmentProblem(
                f"`sbatch` has not answered for {PATIENCE_S} s", "try again in some minutes"
            ) from None
    if answer.returncode:
        raise _refused(answer.stderr)
    return slurm.one_line(answer.stderr or answer.stdout)


def _sbatch(arguments: list[str], profile: Profile) -> subprocess.CompletedProcess[str]:
    """Call sbatch without what belongs to a job that we may be in."""
    return subprocess.run(
        ["sbatch", *arguments],
        capture_output=True,
        text=True,
        env=slurm.environment(profile.slurm_conf),
        timeout=PATIENCE_S,
        check=False,
    )


def _refused(words: str) -> EnvironmentProblem:
    """Return what to tell the user; a controller that is down is not the profile's fault."""
    answer = slurm.one_line(words)
    advice = slurm.known_advice(answer)
    if advice is not None and advice.about_slurm:
        return EnvironmentProblem(f"`sbatch` says: {answer}", f"nothing was sent; {advice.text}")
    return EnvironmentProblem(
        f"SLURM refuses it: {answer}",
        "nothing was sent; `sinfo` names the partitions, `sacctmgr show assoc user=$USER` the "
        "accounts; correct `slurm/<cluster>.toml` or say it on the command line",
    )
