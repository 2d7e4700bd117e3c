"""What `repro evaluate --save` keeps: a record of released weights, and their predictions.

    results/evaluations/<id>/evaluation.json    the weights, images, preprocessing and errors
    results/evaluations/<id>/predictions.npz    the five best classes of each image, and its scores
    results/evaluations/<id>/block-00012.npz    what is done, so that a killed one goes on

The id is a readable name and a digest of everything that can move the number, so equal questions
have one record. Needs no torch: both wings read it. Nothing in it is a run, and no table averages
it with runs.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from repro.definition.bounds import check_name
from repro.definition.net import Net
from repro.errors import UserError, quote
from repro.storage.atomic import make_folder, to_json, write_atomic

SCHEMA = 1
DIGITS = 10  # of the digest in a record's name
RECORD, PREDICTIONS, GRID = "evaluation.json", "predictions.npz", "forensics.json"

Arrays = Mapping[str, NDArray[Any]]


class WeightsFacts(msgspec.Struct, frozen=True):
    """The weights that were measured."""

    file: str
    sha256: str
    layout: str  # whose: ours, authors, torchvision, akamaster …


class DataFacts(msgspec.Struct, frozen=True):
    """The images they were measured on."""

    name: str
    hash: str
    origin: str
    test_images: int
    tested_on_training_images: bool = False


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """One evaluation: what was asked, and the errors in percent."""

    id: str
    net: Net
    weights: WeightsFacts
    data: DataFacts
    scale: str
    views: str
    reading: dict[str, Any]
    metrics: dict[str, float]
    warnings: tuple[str, ...] = ()
    provenance: dict[str, Any] = {}
    schema: int = SCHEMA

    @property
    def preprocessing(self) -> str:
        return str(self.reading.get("preprocessing", {}).get("name", "unknown"))


@dataclass(frozen=True)
class EvaluationFolder:
    """Where one evaluation is kept. Knows the names."""

    path: Path

    @property
    def record(self) -> Path:
        return self.path / RECORD

    @property
    def predictions(self) -> Path:
        return self.path / PREDICTIONS

    @property
    def grid(self) -> Path:
        return self.path / GRID

    def block(self, number: int) -> Path:
        return self.path / f"block-{number:05d}.npz"

    def save_block(self, number: int, arrays: Arrays) -> None:
        make_folder(self.path)
        write_atomic(self.block(number), compressed(arrays))

    def load_block(self, number: int) -> Arrays | None:
        """Return what was kept of this block; None where it is not there, or not whole."""
        try:
            with np.load(io.BytesIO(self.block(number).read_bytes()), allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None

    def finish(self, evaluation: Evaluation, arrays: Arrays) -> None:
        """Write the predictions, and last the record; then the blocks are of no use."""
        make_folder(self.path)
        write_atomic(self.predictions, compressed(arrays))
        write_atomic(self.record, to_json(msgspec.to_builtins(evaluation)))
        self.drop_blocks()

    def drop_blocks(self) -> None:
        for block in self.path.glob("block-*.npz"):
            with contextlib.suppress(OSError):
                block.unlink()


def compressed(arrays: Arrays) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def folder_of(results: Path, name: str, facts: Mapping[str, Any]) -> EvaluationFolder:
    """Return the folder of an evaluation: a name, and a digest of all that can move its number."""
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest()[:DIGITS]
    return EvaluationFolder(
        results / "evaluations" / check_name(f"{name}-{digest}", "an evaluation")
    )


def evaluations(results: Path) -> tuple[list[Evaluation], list[tuple[str, str]]]:
    """Return every finished evaluation by name, and why other folders cannot be read."""
    known: list[Evaluation] = []
    problems: list[tuple[str, str]] = []
    for folder in _folders(results):
        try:
            known.append(read(folder))
        except FileNotFoundError:
            continue
        except (OSError, UserError) as error:
            problems.append((str(folder.path), str(error)))
    return known, problems


def read(folder: EvaluationFolder) -> Evaluation:
    """Return the record in a folder."""
    try:
        evaluation = msgspec.json.decode(folder.record.read_bytes(), type=Evaluation)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(
            f"{quote(folder.record, 200)} is no record of an evaluation: {error}", "remove it"
        ) from None
    if evaluation.schema > SCHEMA:
        raise UserError(f"{quote(folder.record, 200)} is of a newer version", "update this one")
    return evaluation


def found(results: Path, name: str) -> EvaluationFolder:
    """Return the finished evaluation of that name, or of the one name that begins so."""
    matches = [
        folder
        for folder in _folders(results)
        if folder.path.name.startswith(name) and folder.record.exists()
    ]
    if len(matches) == 1:
        return matches[0]
    problem = f"no evaluation is called {quote(name)}"
    if matches:
        several = ", ".join(quote(folder.path.name) for folder in matches[:3])
        problem = f"{quote(name)} begins several: {several}"
    raise UserError(problem, "`repro evaluate --list` names them")


def _folders(results: Path) -> Iterator[EvaluationFolder]:
    root = results / "evaluations"
    if not root.is_dir():
        return
    for path in sorted(root.iterdir()):
        if path.is_dir() and not path.name.startswith("."):
            yield EvaluationFolder(path)
