"""The sbatch text of an array, made by submitit; its elements read their run in the batch's folder.

submitit is imported when a text is made: reading states and the job itself work without it. Of
submitit only `text_of` uses something that is not public, for no public name gives a text.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from repro.cluster.profile import Profile
from repro.cluster.records.batch import REQUEUE_MARK
from repro.errors import EnvironmentProblem, UserError, quote
from repro.local.workers import KEEPING_MEMORY
from repro.storage.atomic import group_may_read, write_atomic
from repro.storage.paths import Places

NEWEST_TRIED = "1.5.4"


@dataclass(frozen=True)
class ArrayText:
    """One array: what sbatch is given, and the file it is given in."""

    folder: Path
    text: str

    def write(self) -> Path:
        """Write the text into the batch's folder, where it stays."""
        path = self.folder / "submission.sh"
        write_atomic(path, self.text.encode())
        return path


def array_for(
    folder: Path, elements: int, places: Places, profile: Profile, code: Path
) -> ArrayText:
    """Return the array of a batch's folder, with everything the profile asks for."""
    module = f"-m repro.cluster.job {shlex.quote(str(folder))}"
    array = command_array(folder, elements, places, profile, code, module)
    if not profile.container:
        return array
    return ArrayText(folder, _requeueing_outside(array.text, folder))


def command_array(
    folder: Path, elements: int, places: Places, profile: Profile, code: Path, module: str
) -> ArrayText:
    """Return an array of which each element runs a module, with what the profile asks for."""
    for path in (folder, code, places.results, places.data):
        _check_path(path)
    asked = parameters(profile, elements, places, code)
    asked |= {"job_name": folder.name}
    command = f"{profile.interpreter} -u {module}"
    return ArrayText(folder, text_of(folder, elements, asked, command))


def text_of(folder: Path, elements: int, asked: dict[str, Any], command: str) -> str:
    """Return submitit's text for these parameters, with our command in place of its own."""
    import submitit

    class TextMaker(submitit.SlurmExecutor):
        """An executor that can be made where there is no srun: a dry run needs none."""

        @classmethod
        def affinity(cls) -> int:
            return 2

    try:
        maker = TextMaker(folder)
        maker.update_parameters(**asked)
        maker.parameters["map_count"] = elements  # what makes it an array
        return str(maker._make_submission_file_text(command, ""))
    except (AttributeError, NotImplementedError, TypeError, ValueError) as error:
        raise EnvironmentProblem(
            f"submitit {submitit.__version__} makes no sbatch text: {error}",
            f"`pip install submitit=={NEWEST_TRIED}`, the newest that was tried",
        ) from error


def _requeueing_outside(text: str, folder: Path) -> str:
    """Return the text with what a job in a container cannot do itself: call scontrol.

    The job leaves a file where it wants to go back into the queue, and the script does it.
    """
    before, srun, command = text.partition("\nsrun ")
    mark = f"export {REQUEUE_MARK}={shlex.quote(str(folder))}/$SLURM_ARRAY_TASK_ID.requeue"
    unmark = f'rm -f "${REQUEUE_MARK}"'
    return f"{before}\n{mark}\n{unmark}{srun}{command.rstrip()}\n{_AFTER}"


# Its last line is needed: a script ends as its last command does.
_AFTER = f"""code=$?
if [ -e "${REQUEUE_MARK}" ]; then
    rm -f "${REQUEUE_MARK}"
    scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID" && exit 0
    echo "hint: repro submit sends it again, and it carries on"
fi
exit $code
"""


def parameters(profile: Profile, elements: int, places: Places, code: Path) -> dict[str, Any]:
    """Return what the profile asks for, in submitit's words. What is None is not asked for."""
    gpus = str(profile.gpus)
    if profile.gpu_type:
        gpus = f"{profile.gpu_type}:{profile.gpus}"
    asked = {
        "partition": profile.partition,
        "account": profile.account,
        "qos": profile.qos,
        "constraint": profile.constraint,
        "exclude": profile.exclude,
        "mem": profile.memory,
    }
    if profile.gpus and profile.gpu_flag == "gpus-per-node":
        asked["gpus_per_node"] = gpus
    if profile.gpus and profile.gpu_flag == "gres":
        asked["gres"] = f"gpu:{gpus}"
    given = {key: value for key, value in asked.items() if value is not None}
    switched_on = {key: value for key, value in profile.sbatch.items() if value is not False}
    return given | {
        "time": profile.time,
        "nodes": profile.nodes,
        "ntasks_per_node": profile.processes,
        "cpus_per_task": profile.cpus,
        "array_parallelism": min(profile.max_parallel, elements),
        "signal_delay_s": profile.grace,
        "wckey": None,
        "setup": _setup(profile, places, code),
        # srun does not inherit --cpus-per-task from SLURM 22.05 on.
        # One process that fails must end the others.
        "srun_args": [f"--cpus-per-task={profile.cpus}", "--kill-on-bad-exit=1"],
        "additional_parameters": {"requeue": True, "chdir": str(code)} | switched_on,
    }


def _setup(profile: Profile, places: Places, code: Path) -> list[str]:
    """Return the profile's lines, then the variables."""
    exported = KEEPING_MEMORY | profile.environment
    if group_may_read():
        exported |= {"REPRO_GROUP_READABLE": "1"}
    exported |= {
        "REPRO_RESULTS": str(places.results),
        "REPRO_FIGURES": str(places.figures),
        "REPRO_DATA": str(places.data),
    }
    lines = [f"export {name}={shlex.quote(value)}" for name, value in exported.items()]
    if profile.scratch:
        lines.append(f"export REPRO_SCRATCH={shlex.quote(profile.scratch)}")  # the job expands it
    # The frozen code goes before whatever modules have set.
    path = f"export PYTHONPATH={shlex.quote(str(code))}${{PYTHONPATH:+:$PYTHONPATH}}"
    return [*profile.setup, *lines, path]


def _check_path(path: Path) -> None:
    """A path becomes part of the sbatch text, where SLURM expands `%` and `\\` even in quotes."""
    if not str(path).isprintable() or set(str(path)) & set("%\\'\"$`"):
        raise UserError(
            f"{quote(path)} cannot be written into an sbatch file",
            "use a folder without quotes, `%`, `$` and `\\`",
        )
