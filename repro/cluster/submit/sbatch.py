"""An array as submitit sends it: SlurmExecutor, with elements that read their run from the batch's folder.

submitit is imported when an array is made: the reading of states and the job itself work without it.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any, Protocol, cast

from repro.cluster.profile import Profile
from repro.errors import UserError, quote
from repro.local.workers import KEEPING_MEMORY
from repro.storage.atomic import group_may_read
from repro.storage.paths import Places


class ArrayText(Protocol):
    """One array. `text` is what sbatch is given; `send` gives it, and answers the array's number."""

    @property
    def text(self) -> str: ...

    def send(self) -> str: ...


def array_for(
    folder: Path, elements: int, places: Places, profile: Profile, code: Path
) -> ArrayText:
    """The array of a batch's folder, with everything the profile asks for."""
    for path in (folder, code, places.results, places.data):
        _check_path(path)
    array = _executor(folder, profile.interpreter)
    array.update_parameters(**parameters(profile, elements, places, code), job_name=folder.name)
    array.parameters["map_count"] = elements
    return cast(ArrayText, array)


def parameters(profile: Profile, elements: int, places: Places, code: Path) -> dict[str, Any]:
    """What the profile asks for, in submitit's words. What is None is not asked for."""
    gpus = f"{profile.gpu_type}:{profile.gpus}" if profile.gpu_type else str(profile.gpus)
    asked = {
        "partition": profile.partition,
        "account": profile.account,
        "qos": profile.qos,
        "constraint": profile.constraint,
        "exclude": profile.exclude,
        "mem": profile.memory,
        "gpus_per_node": gpus if profile.gpus and profile.gpu_flag == "gpus-per-node" else None,
        "gres": f"gpu:{gpus}" if profile.gpus and profile.gpu_flag == "gres" else None,
    }
    return {key: value for key, value in asked.items() if value is not None} | {
        "time": profile.time,
        "nodes": profile.nodes,
        "ntasks_per_node": profile.processes,
        "cpus_per_task": profile.cpus,
        "array_parallelism": min(profile.max_parallel, elements),
        "signal_delay_s": profile.grace,
        "wckey": None,
        "setup": _setup(profile, places, code),
        # srun does not inherit --cpus-per-task from SLURM 22.05 on; one process that fails ends the others.
        "srun_args": [f"--cpus-per-task={profile.cpus}", "--kill-on-bad-exit=1"],
        "additional_parameters": {"requeue": True, "chdir": str(code)}
        | _switched_on(profile.sbatch),
    }


def _switched_on(options: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in options.items() if value is not False}


def _setup(profile: Profile, places: Places, code: Path) -> list[str]:
    """The profile's lines, then the variables; the frozen code goes before whatever modules have set."""
    ours = {
        "REPRO_RESULTS": places.results,
        "REPRO_FIGURES": places.figures,
        "REPRO_DATA": places.data,
    }
    shared = {"REPRO_GROUP_READABLE": "1"} if group_may_read() else {}
    exported = (
        KEEPING_MEMORY
        | profile.environment
        | shared
        | {name: str(path) for name, path in ours.items()}
    )
    lines = [f"export {name}={shlex.quote(value)}" for name, value in exported.items()]
    if profile.scratch:
        lines.append(f"export REPRO_SCRATCH={shlex.quote(profile.scratch)}")  # the job expands it
    return [
        *profile.setup,
        *lines,
        f"export PYTHONPATH={shlex.quote(str(code))}${{PYTHONPATH:+:$PYTHONPATH}}",
    ]


def _check_path(path: Path) -> None:
    """A path becomes part of the sbatch text, where SLURM expands `%` and `\\` even in quotes."""
    if not str(path).isprintable() or set(str(path)) & set("%\\'\"$`"):
        raise UserError(
            f"{quote(path)} cannot be told to SLURM",
            "use a folder without quotes, `%`, `$` and `\\`",
        )


def _executor(folder: Path, python: str) -> Any:
    import submitit

    class Executor(submitit.SlurmExecutor):
        @classmethod
        def affinity(cls) -> int:
            return 2  # submitit refuses to be made where there is no srun; a dry run needs none

        @property
        def text(self) -> str:
            return self._make_submission_file_text(self._submitit_command_str, "")

        def send(self) -> str:
            return self._submit_command(self._submitit_command_str).job_id

        @property
        def _submitit_command_str(self) -> str:
            return f"{self.python} -u -m repro.cluster.job {shlex.quote(str(self.folder))}"

    return Executor(folder, python=python)
