"""The code as it was when a run was submitted. A queued job must not run what was edited after it.

`results/code/<hash>/` holds `repro/` and `experiments/` as they were, with the commit they came
from and what differed from it. All jobs of the same code share it; it is whole or absent.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from repro.errors import EnvironmentProblem
from repro.provenance.checkout import FROZEN, PACKAGES, code_state, difference
from repro.storage.atomic import allow_group, cannot_write, make_folder, sync_folder, to_json
from repro.storage.paths import ROOT, Places


def freeze_code(places: Places, root: Path = ROOT) -> Path:
    """Return the folder that jobs run from, written now if it is not there."""
    target = frozen_folder(places, root)
    if target.exists():
        return target
    temporary = None
    try:
        make_folder(target.parent)
        temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
        allow_group(temporary)
        for path in _sources(root):
            copy = temporary / path.relative_to(root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        (temporary / FROZEN).write_bytes(to_json(code_state(root)))
        (temporary / "uncommitted.diff").write_text(difference(root))
        with contextlib.suppress(OSError):  # another submitter of the same code was faster
            temporary.rename(target)
            sync_folder(target.parent)
    except OSError as error:
        raise cannot_write(target, error) from error
    finally:
        if temporary is not None and temporary.exists():
            shutil.rmtree(temporary)
    if not target.exists():
        raise EnvironmentProblem(
            f"the code could not be frozen in `{target}`",
            "is the results folder writable, with space?",
        )
    return target


def frozen_folder(places: Places, root: Path = ROOT) -> Path:
    """Return where the code as it is now is kept, or would be."""
    digest = hashlib.sha256(to_json(code_state(root)))
    for path in _sources(root):
        digest.update(
            path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0"
        )
    return places.results / "code" / digest.hexdigest()[:16]


def _sources(root: Path) -> Iterator[Path]:
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith("."):
                yield path
