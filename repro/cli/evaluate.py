"""`repro evaluate`: any weights of a net of the paper, measured as the paper measures."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from repro.cli.options import (
    change_options,
    checked_device,
    device_option,
    json_option,
    print_json,
    scale_option,
    scale_with,
)
from repro.definition.experiment import Scale
from repro.definition.net import Net, net_named
from repro.definition.run import Run
from repro.errors import UserError, quote
from repro.protocol import catalog
from repro.storage.input_files import check_input_file, check_output_file
from repro.storage.paths import places

if TYPE_CHECKING:
    from repro.data.photos.source import Photos
    from repro.data.small.source import Images
    from repro.nets import ConvNet
    from repro.nets.weights import State
    from repro.storage.predictions import Scores

WAYS = {"center": "center", "ten": "ten_crop", "multi": "multi_scale"}
RECIPES = {"cifar": "CIFAR10", "imagenet": "IMAGENET"}


@click.command()
@click.option("--net", metavar="NET", help="resnet-34-b, plain-18, resnet-50-v1.5, resnet-20 …")
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Ours, torchvision's or akamaster's.",
)
@click.option(
    "--crops",
    type=click.Choice(list(WAYS)),
    help="Views to average (default: ten; of small images, the one there is).",
)
@click.option("--data", metavar="NAME", help="The data set, if not the recipe's own.")
@device_option
@click.option(
    "--save",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Keep the predictions, for ensembles.",
)
@click.option(
    "--ensemble",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="Kept predictions.",
)
@scale_option()
@change_options
@json_option
def command(
    net: str | None,
    weights: Path | None,
    crops: str | None,
    data: str | None,
    device: str | None,
    save: Path | None,
    ensemble: tuple[Path, ...],
    scale: str,
    variants: tuple[str, ...],
    settings: tuple[str, ...],
    as_json: bool,
) -> None:
    """Top-1 and top-5 error of weights on the test images; or of an ensemble of kept predictions.

    Weights trained with `--variant` or `--set` are measured with the same. The weights.json beside published weights
    has the whole command.

    \b
    For example:  repro evaluate --net resnet-50 --weights resnet50.pth --crops multi --save one.npz
                  repro evaluate --ensemble one.npz --ensemble two.npz
                  repro evaluate --net resnet-20 --weights resnet20.th --data cifar10
                  repro evaluate --net resnet-20 --weights weights.pt --variant zeros-both
    """
    checked_device(device)
    if save is not None:
        check_output_file(save, "predictions")
    if ensemble and not (net or weights):
        facts = _of_ensemble(ensemble)
    elif net and weights and not ensemble:
        check_input_file(weights, "weights", "name a file that `torch.save` wrote")
        run = _run(net, data, scale_with(catalog.load_scale(scale), variants, settings))
        facts = _of_weights(run, weights, crops, device, save)
    else:
        raise UserError(
            "nothing to evaluate", "give `--net` and `--weights`, or one or more `--ensemble`"
        )
    if as_json:
        print_json(facts)
    else:
        click.echo(
            f"{facts['what']}: top-1 error {facts['top1']:.2f} %, top-5 error {facts['top5']:.2f} %"
        )


def _run(name: str, data: str | None, scale: Scale) -> Run:
    """Return the run that such weights are of, as far as measuring them depends on it."""
    net = _net(name, data)
    run = scale(Run(net, getattr(import_module("experiments.recipes"), RECIPES[net.family])))
    return replace(run, recipe=replace(run.recipe, dataset=data or run.recipe.dataset))


def _net(name: str, data: str | None) -> Net:
    """The net of that name; on small images, a net of CIFAR whatever its depth."""
    from repro.data import is_photos

    return net_named(name, "cifar" if data and not is_photos(data, places().data) else None)


def _of_ensemble(files: tuple[Path, ...]) -> dict[str, Any]:
    from repro.storage.predictions import ensemble

    for file in files:
        check_input_file(
            file, "predictions", "name a file that `--save` kept, or a run's predictions.npz"
        )
    top1, top5 = ensemble(files)
    return {"what": f"ensemble of {len(files)}", "top1": top1, "top5": top5}


def _of_weights(
    run: Run, weights: Path, crops: str | None, device: str | None, save: Path | None
) -> dict[str, Any]:
    import torch

    from repro.storage.predictions import save as keep
    from repro.storage.predictions import top_errors
    from repro.training.device import prepare

    module, source = _opened(run, weights)
    there = prepare(run.recipe, torch.device(device) if device else None)
    # In the layout in which training measures, so that rounding is the same.
    module = module.to(there).to(memory_format=torch.channels_last)
    crops, scores = _measured(module, source.to(there), crops)
    if save:
        keep(save, source.hash, {WAYS[crops]: scores}, WAYS[crops])
    top1, top5 = top_errors(scores.scores, scores.labels)
    return {
        "what": f"{run.net.name}, {crops}, {source.name}, {source.test_images:,} images",
        "net": run.net.name,
        "crops": crops,
        "scale": run.scale,
        "data": {
            "name": source.name,
            "hash": source.hash,
            "origin": source.origin,
            "test_images": source.test_images,
        },
        "top1": top1,
        "top5": top5,
    }


def _opened(run: Run, weights: Path) -> tuple[ConvNet, Photos | Images]:
    """The net with these weights, and the images as these weights expect them."""
    from repro.data import open_source
    from repro.nets import build
    from repro.nets.weights import layout_of, load, read

    state = read(weights)
    net = layout_of(run.net, state)
    if net != run.net:
        what = (
            f"stride in the {net.stride_in}"
            if net.bottleneck
            else f"zero channels on {net.zeros} sides"
        )
        click.echo(f"these weights are of the variant with {what}", err=True)
    module = build(net)
    load(module, net, state)
    source: Any = open_source(run.recipe, places().data)
    if source.classes > net.classes:
        raise UserError(
            f"{quote(source.name)} has {source.classes} classes, the net {net.classes}",
            "choose other data",
        )
    return module, _as_trained_on(source, state)


def _as_trained_on(source: Photos | Images, state: State) -> Photos | Images:
    """torchvision's and akamaster's nets saw images less ImageNet's channel means, over its standard deviations."""
    from repro.data.photos.pack_writer import IMAGENET_MEAN, IMAGENET_STD
    from repro.data.photos.source import Photos

    if isinstance(source, Photos) and "fc.weight" in state:
        recipe = replace(source.recipe, input=replace(source.recipe.input, std="channel"))
        return replace(source, recipe=recipe, mean=IMAGENET_MEAN, std=IMAGENET_STD)
    if not isinstance(source, Photos) and "linear.weight" in state:
        mean, std = (source.scale.new_tensor(values) for values in (IMAGENET_MEAN, IMAGENET_STD))
        return replace(source, mean=(255 * mean).expand_as(source.mean), scale=1 / (255 * std))
    return source


def _measured(net: ConvNet, source: Photos | Images, crops: str | None) -> tuple[str, Scores]:
    """The scores of all test images, and by which views."""
    from repro.data.photos.source import Photos
    from repro.evaluation.photos import scores_of
    from repro.evaluation.single_view import single_view_scores

    if isinstance(source, Photos):
        return crops or "ten", scores_of(net, source, WAYS[crops or "ten"])
    if crops not in (None, "center"):
        hint = "the paper tests them by the single view: leave `--crops` out"
        raise UserError(
            f"{quote(source.name)} holds small images, which have no {quote(crops)} views", hint
        )
    return "center", single_view_scores(net, source)
