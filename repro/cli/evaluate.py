"""`repro evaluate`: any weights of a net of the paper, measured as the paper measures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from repro.cli.shared.click_errors import Command
from repro.cli.shared.environment_checks import check_owners
from repro.cli.shared.images_counter import Counter
from repro.cli.shared.opened_weights import WEIGHTS_HINT, opened
from repro.cli.shared.options import change_options, json_option, print_json
from repro.cli.shared.weights_question import WeightsQuestion, question_options
from repro.definition.scales_and_variants import Scale
from repro.errors import UserError, quote
from repro.local.run import checked_device
from repro.protocol.selection import Selection
from repro.storage.input_files import check_input_file, check_output_file
from repro.storage.paths import places

if TYPE_CHECKING:
    from repro.definition.preprocessing import Preprocessing
    from repro.evaluation.readings import Reading
    from repro.evaluation.weights_measurer import Subject
    from repro.storage.evaluations import Evaluation

RECORD = "record"  # what `--save` alone means
ABOUT = {
    "weights": "Weights; docs/measuring-weights.md has their formats.",
    "net": "resnet-34-b, plain-18, resnet-20 … (default: the net the weights are of).",
    "crops": "Views to average (default: ten; one for small images).",
    "preprocess": "paper, authors, torchvision-v1, torchvision-v2, timm:NAME …",
    "data": "The data set, if not the recipe's own.",
}
ENSEMBLE = "Kept predictions: a record's name, or a file."
MCNEMAR = "Whether two records differ, by McNemar's test."
SAVE = "Keep a record in results/evaluations; with FILE, only save predictions."


@dataclass(frozen=True)
class Question(WeightsQuestion):
    """What weights are to be measured, and what is to be kept."""

    save: str | None


@click.command(cls=Command)
@question_options(
    Question,
    ABOUT,
    click.option("--save", is_flag=False, flag_value=RECORD, metavar="[FILE]", help=SAVE),
)
@click.option("--ensemble", multiple=True, metavar="RECORD", help=ENSEMBLE)
@click.option("--mcnemar", nargs=2, metavar="RECORD RECORD", help=MCNEMAR)
@click.option("--list", "listed", is_flag=True, help="Name the records that are kept.")
@change_options
@json_option
def command(
    question: Question,
    ensemble: tuple[str, ...],
    mcnemar: tuple[str, str] | None,
    listed: bool,
    selection: Selection,
    as_json: bool,
) -> None:
    """Measure the top-1 and top-5 error of weights on the test images, or of an ensemble.

    If weights were trained with `--variant` or `--set`, give the same options here. The
    weights.json beside published weights has the complete command.

    \b
    For example:  repro evaluate --weights resnet50.pth --crops multi --save
                  repro evaluate --weights ResNet-50-model.caffemodel --mean ResNet_mean.binaryproto
                  repro evaluate --ensemble resnet-50-b --ensemble resnet-101-b
                  repro evaluate --net resnet-20 --weights resnet20.th --data cifar10
                  repro evaluate --net resnet-20 --weights weights.pt --variant zeros-both
    """
    checked_device(question.device)  # a typing error, before minutes of decoding
    # The four things that it does exclude each other.
    measures = bool(question.net or question.weights)
    asked = [measures, bool(ensemble), bool(mcnemar), listed]
    if sum(asked) != 1 or (question.net and not question.weights):
        raise UserError(
            "nothing to evaluate",
            "give `--weights`, or `--ensemble`, or two records to `--mcnemar`, or `--list`",
        )
    if listed:
        facts = _listed()
    elif mcnemar:
        facts = _mcnemar(*mcnemar)
    elif ensemble:
        facts = _of_ensemble(ensemble)
    else:
        facts = _answer(question, selection.chosen_scale())
    if as_json:
        print_json(facts)
    else:
        click.echo(_in_words(facts))


def _answer(question: Question, scale: Scale) -> dict[str, Any]:
    """Measure the weights."""
    assert question.weights is not None
    # Each file is checked before the test: it may take an hour on a processor.
    to_record = question.save == RECORD
    if to_record:
        check_owners(places().results)
    target = None
    if question.save and not to_record:
        target = check_output_file(Path(question.save), "predictions")
    path = check_input_file(Path(question.weights), "weights", WEIGHTS_HINT)
    of, preprocessing, warnings = opened(path, question, scale)
    reading = _reading(of, preprocessing, question.crops)
    return _of_weights(of, reading, warnings, question.mean, target, to_record)


def _of_weights(
    of: Subject,
    reading: Reading,
    warnings: tuple[str, ...],
    mean: Path | None,
    target: Path | None,
    record: bool,
) -> dict[str, Any]:
    from repro.evaluation import weights_measurer
    from repro.storage.atomic import write_atomic
    from repro.storage.evaluations import compressed

    image = weights_measurer.mean_image(mean)
    folder = weights_measurer.folder_for(places().results, of, [reading], image, reading.views)
    # With a folder, a test that is cut short continues; without one, nothing is kept.
    kept = folder if record else None
    with Counter("images") as counter:
        result = weights_measurer.measure(of, [reading], image, kept, [reading], counter.at)
    made = weights_measurer.evaluation(of, reading, result, folder.path.name, warnings)
    for warning in made.warnings[len(warnings) :]:  # the first ones were said before the test
        click.echo(warning, err=True)
    arrays = weights_measurer.predictions(of, reading, result)
    if record:
        folder.finish(made, arrays)
        click.echo(f"kept as {made.id}", err=True)
    if target is not None:
        write_atomic(target, compressed(arrays))
    return _facts(of, made, result.errors(reading), reading)


def _reading(of: Subject, preprocessing: Preprocessing, crops: str | None) -> Reading:
    from repro.evaluation.readings import plain_reading

    if not of.photos and crops not in (None, "center"):
        hint = "the paper tests them by the single view: leave `--crops` out"
        raise UserError(
            f"{quote(of.source.name)} holds small images, which have no {quote(crops)} views", hint
        )
    # Table 3 has ten crops, section 3.4; small images are tested whole, section 4.2.
    views = crops or ("ten" if of.photos else "center")
    pool = "unpadded" if of.run.net.pool else "padded"
    return plain_reading(preprocessing, views, pool)  # type: ignore[arg-type]


def _facts(
    of: Subject, made: Evaluation, errors: tuple[float, float], reading: Reading
) -> dict[str, Any]:
    from repro.protocol.released_weights import in_print

    images, weights, net = made.data.test_images, made.weights, made.net.name
    known_by = weights.layout, net, weights.sha256
    return {
        "what": f"{net}, {made.views}, {made.data.name}, {images:,} images",
        "net": net,
        "crops": made.views,
        "scale": made.scale,
        "data": {
            "name": made.data.name,
            "hash": made.data.hash,
            "origin": made.data.origin,
            "test_images": images,
        },
        "top1": errors[0],
        "top5": errors[1],
        "id": made.id,
        "layout": weights.layout,
        "sha256": weights.sha256,
        "preprocessing": reading.facts()["preprocessing"],
        "published": in_print(*known_by, made.preprocessing, made.metrics),
        "warnings": list(made.warnings),
    }


def _of_ensemble(names: tuple[str, ...]) -> dict[str, Any]:
    from repro.storage.predictions import ensemble

    top1, top5 = ensemble(list(map(_predictions, names)))
    return {"what": f"ensemble of {len(names)}", "top1": top1, "top5": top5}


def _mcnemar(one: str, other: str) -> dict[str, Any]:
    from repro.analysis.compare.mcnemar import mcnemar
    from repro.storage.predictions import load

    compared = mcnemar(load(_predictions(one)), load(_predictions(other)))
    return {"what": f"{one} and {other}", "mcnemar": compared}


def _listed() -> dict[str, Any]:
    from repro.storage.evaluations import evaluations

    known, problems = evaluations(places().results)
    for folder, problem in problems:
        click.echo(f"{folder}: {problem}", err=True)
    facts = []
    for one in known:
        facts.append({"id": one.id, "metrics": one.metrics, "data": one.data.name})
    return {"evaluations": facts}


def _predictions(name: str) -> Path:
    """Return the file of predictions that is named, or that of a record of that name."""
    from repro.storage.evaluations import PREDICTIONS, found

    # A folder, a file, or else the name that `--list` gives.
    path = Path(name)
    if (path / PREDICTIONS).is_file():
        return path / PREDICTIONS
    if path.suffix == ".npz" or path.exists():
        return check_input_file(path, "predictions", "name a record, or a run's predictions.npz")
    return found(places().results, name).predictions


def _in_words(facts: dict[str, Any]) -> str:
    # One kind of facts is there, and the others are absent.
    lines = []
    for record in facts.get("evaluations", ()):
        errors = [f"{name} {value:.2f} %" for name, value in record["metrics"].items()]
        lines.append(f"{record['id']}: {', '.join(errors)}")
    for name, test in facts.get("mcnemar", {}).items():
        counts = f"only the first right {test['only_first']:,}"
        counts += f", only the second {test['only_second']:,}"
        lines.append(f"{name}: {counts}, p = {test['p']:.3g}")
    if "top1" in facts:
        errors_in_words = f"top-1 error {facts['top1']:.2f} %, top-5 error {facts['top5']:.2f} %"
        line = f"{facts['what']}: {errors_in_words}"
        printed = " / ".join(facts.get("published", {}).values())
        if printed:
            line += f" (published for these weights: {printed})"
        lines.append(line)
    return "\n".join(lines)
