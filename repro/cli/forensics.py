"""`repro forensics`: which reading of a test gives the number published for some weights."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from repro.cli.shared.click_errors import Command
from repro.cli.shared.images_counter import Counter
from repro.cli.shared.opened_weights import WEIGHTS_HINT, opened
from repro.cli.shared.options import change_options, json_option, print_json
from repro.cli.shared.weights_question import WAYS, WeightsQuestion, question_options
from repro.errors import UserError, quote
from repro.local.run import checked_device
from repro.protocol.selection import Selection
from repro.storage.input_files import check_input_file
from repro.storage.paths import places

if TYPE_CHECKING:
    from repro.definition.preprocessing import Preprocessing
    from repro.evaluation.readings import Reading
    from repro.evaluation.weights_measurer import Result, Subject
    from repro.storage.evaluations import EvaluationFolder

WHOLE = 50_000  # images of ImageNet's validation set, which published errors are of
PERCENT = re.compile(r"\d{1,2}(\.\d{1,4})?")
AUTHORS = re.compile(r"authors-(50|101|152)")
# In words, so that `--help` need not load the readings.
FACTORS = "mean, filter, pool, epsilon, average, flip"

ABOUT = {
    "weights": "A file of weights; authors-50 … are looked for in data/weights.",
    "net": "The net, if the weights do not tell.",
    "crops": "Views (default: center; ten gives both).",
    "preprocess": "What the readings start from (default: the weights' own).",
    "data": "The data set, if not imagenet.",
}
PUBLISHED = "The published errors (default: those on record)."


@dataclass(frozen=True)
class Question(WeightsQuestion):
    """Which weights are to be tested, and in which readings."""

    crops: str
    weights: str
    vary: str | None
    published: str | None


@click.command(cls=Command)
@question_options(
    Question,
    ABOUT,
    click.option("--vary", metavar="FACTORS", help=f"Which of these to vary: {FACTORS}."),
    click.option("--published", metavar="TOP1[/TOP5]", help=PUBLISHED),
    weights_required=True,
    crops="center",
)
@change_options
@json_option
def command(question: Question, selection: Selection, as_json: bool) -> None:
    """Test weights in every reading of a test, in one pass, and say which reading gives the
    published number.

    The readings, their errors and a picture are kept in results/evaluations. If it is killed, call
    it again: it continues where it was.

    \b
    For example:  repro forensics --weights authors-50 --crops ten
                  repro forensics --weights resnet50.pth --vary filter,flip --published 23.87/7.138
    """
    checked_device(question.device)
    # What is wrong in the question is said before hours are spent on it.
    printed = _printed(question.published, question.crops)
    path, mean = _files(question.weights, question.mean)
    of, preprocessing, warnings = opened(path, question, selection.chosen_scale())
    readings = _readings(of, preprocessing, question)
    result, folder = _measured(of, readings, mean)
    document = _document(of, readings, result, preprocessing.name, warnings, printed)
    _write_and_print(document, folder.path, as_json)
    folder.drop_blocks()  # they continue a killed test; the grid is complete now


def _readings(of: Subject, preprocessing: Preprocessing, question: Question) -> list[Reading]:
    """Return the grid that was asked for, from what the weights were trained for."""
    from repro.evaluation.reading_grid import FACTORS as KNOWN
    from repro.evaluation.reading_grid import grid

    if not of.photos:
        raise UserError(
            f"{quote(of.source.name)} holds small images, which can be tested in one way only",
            "`repro evaluate` measures it",
        )
    pool = "unpadded" if of.run.net.pool else "padded"
    chosen: tuple[str, ...] = KNOWN
    if question.vary is not None:
        chosen = tuple(map(str.strip, question.vary.split(",")))
    return grid(preprocessing, question.crops, pool, chosen)  # type: ignore[arg-type]


def _measured(
    of: Subject, readings: list[Reading], mean: Path | None
) -> tuple[Result, EvaluationFolder]:
    """Test the weights in all readings, and return where that is kept as well."""
    from repro.evaluation.weights_measurer import folder_for, mean_image, measure

    image = mean_image(mean)
    folder = folder_for(places().results, of, readings, image, "forensics")
    click.echo(f"{len(readings)} readings of {of.data.test_images:,} images", err=True)
    with Counter("images") as counter:
        return measure(of, readings, image, folder, progress=counter.at), folder


def _files(weights: str, mean: Path | None) -> tuple[Path, Path | None]:
    """Return the weights and their mean image. The authors' may be called by their depth alone."""
    match = AUTHORS.fullmatch(weights)
    if match is None:
        return check_input_file(Path(weights), "weights", WEIGHTS_HINT), mean
    folder = places().data / "weights"
    name = f"ResNet-{match[1]}-model.caffemodel"
    hint = (
        f"put {name} and ResNet_mean.binaryproto into {folder}; "
        "docs/measuring-weights.md says where they are"
    )
    path = check_input_file(folder / name, "weights", hint)
    # Their nets subtract a mean image, which the authors publish beside the weights.
    return path, mean or check_input_file(folder / "ResNet_mean.binaryproto", "a mean image", hint)


def _printed(text: str | None, crops: str) -> dict[str, tuple[float, int]]:
    """Return the errors that were given by hand: value and decimals, by metric."""
    if text is None:
        return {}
    numbers = text.split("/")
    if len(numbers) > 2 or not all(map(PERCENT.fullmatch, numbers)):
        raise UserError(
            f"`--published` cannot be {quote(text)}", "give the errors as printed: 24.7/7.8"
        )
    printed = {}
    for metric, number in zip(("top1", "top5"), numbers, strict=False):
        # How many digits were printed decides how near a reading must come.
        decimals = len(number.partition(".")[2])
        printed[f"{WAYS[crops]}_{metric}"] = (float(number), decimals)
    return printed


def _document(
    of: Subject,
    readings: list[Reading],
    result: Result,
    preprocess: str,
    warnings: tuple[str, ...],
    printed: dict[str, tuple[float, int]],
) -> dict[str, Any]:
    """Return the grid as plain values."""
    from repro.evaluation.reading_grid import columns
    from repro.evaluation.weights_measurer import guessing
    from repro.protocol.released_weights import release_of

    rows = []
    for reading in readings:
        top1, top5 = result.errors(reading)
        rows.append(columns(reading) | {"top1": top1, "top5": top5})
    facts = of.weights
    release = release_of(facts.layout, of.run.net.name, facts.sha256, preprocess)
    name, known = f"{of.run.net.name}, weights of {facts.layout}", {}
    if release:
        name = release.name
        known = {number.metric: (number.value, number.digits) for number in release.numbers}
    # Labels in another order make every answer wrong: chance, whatever the reading.
    lowest = min(row["top1"] for row in rows)
    doubts = guessing(lowest, result.labels, of.module.classifier.out_features)
    return {
        "weights": name,
        "file": facts.file,
        "sha256": facts.sha256,
        "net": of.run.net.name,
        "data": of.data.name,
        "data_hash": of.data.hash,
        "images": of.data.test_images,
        "preprocess": preprocess,
        "published": known | printed,  # what was typed counts before what is on record
        "readings": rows,
        "warnings": [*warnings, *doubts],
        "provenance": result.provenance,
    }


def _write_and_print(document: dict[str, Any], folder: Path, as_json: bool) -> None:
    """Keep the grid and its picture, and print the table."""
    from repro.analysis.figures import reading_grid_figure, style
    from repro.analysis.output.reading_table import reading_sheet, with_shares
    from repro.analysis.output.table_formats import render
    from repro.storage.atomic import make_folder, to_json, write_atomic
    from repro.storage.evaluations import GRID

    whole = max(WHOLE, document["images"])
    ranked = with_shares(document, whole)
    ordered = document | {
        "readings": ranked.astype(object).where(ranked.notna(), None).to_dict("records")
    }
    make_folder(folder)
    write_atomic(folder / GRID, to_json(ordered))
    picture = folder / "forensics.svg"
    write_atomic(picture, style.rendered(reading_grid_figure.draw(document, whole), "svg"))
    if as_json:
        print_json(ordered | {"files": [str(folder / GRID), str(picture)]})
        return
    click.echo(render(reading_sheet(document, whole), "table"), nl=False)
    click.echo(str(picture), err=True)
