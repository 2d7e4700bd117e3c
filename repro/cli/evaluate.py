"""`repro evaluate`: any weights of a net of ImageNet, measured as the paper measures."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from repro import catalog
from repro.cli.options import json_option, print_json, scale_option
from repro.errors import UserError, shown
from repro.folders import places
from repro.spec import Net, Run, plain, resnet

if TYPE_CHECKING:
    from repro.data.photos import Photos
    from repro.nets import ConvNet

WAYS = {"center": "center", "ten": "ten_crop", "multi": "multi_scale"}

_NET = re.compile(r"(plain|resnet)-?(\d{1,4})(?:-?([abc]))?(?:-(v1\.5|stride-3x3))?", re.IGNORECASE)


@click.command()
@click.option("--net", metavar="NET", help="resnet-34-b, plain-18, resnet-50, resnet-50-v1.5 …")
@click.option("--weights", type=click.Path(path_type=Path), metavar="FILE", help="Ours, or torchvision's.")
@click.option(
    "--crops", type=click.Choice(list(WAYS)), default="ten", show_default=True, help="Which views to average."
)
@click.option("--data", metavar="NAME", help="The data set, if not the recipe's own.")
@click.option("--device", metavar="DEVICE", help="cpu, cuda, cuda:1 … (default: a GPU where there is one).")
@click.option("--save", type=click.Path(path_type=Path), metavar="FILE", help="Keep the predictions, for ensembles.")
@click.option("--ensemble", type=click.Path(path_type=Path), multiple=True, metavar="FILE", help="Kept predictions.")
@scale_option()
@json_option
def command(
    net: str | None,
    weights: Path | None,
    crops: str,
    data: str | None,
    device: str | None,
    save: Path | None,
    ensemble: tuple[Path, ...],
    scale: str,
    as_json: bool,
) -> None:
    """Top-1 and top-5 error of weights on the validation images; or of an ensemble of kept predictions.

    \b
    For example:  repro evaluate --net resnet-50 --weights resnet50.pth --crops multi --save one.npz
                  repro evaluate --ensemble one.npz --ensemble two.npz
    """
    if ensemble and not (net or weights):
        facts = _of_ensemble(ensemble)
    elif net and weights and not ensemble:
        facts = _of_weights(named(net), weights, crops, data, scale, device, save)
    else:
        raise UserError("nothing to evaluate", "give `--net` and `--weights`, or one or more `--ensemble`")
    if as_json:
        print_json(facts)
    else:
        click.echo(f"{facts['what']}: top-1 error {facts['top1']:.2f} %, top-5 error {facts['top5']:.2f} %")


def named(name: str) -> Net:
    """The net of ImageNet with that name. Deep nets have shortcut B, as in Table 3; for the others the name says it."""
    found = _NET.fullmatch(name)
    if not found:
        raise UserError(f"{shown(name)} is not the name of a net", "for example resnet-34-b, plain-18 or resnet-50")
    kind, depth, letter = found[1].lower(), int(found[2]), (found[3] or "").upper() or None
    choices: dict[str, Any] = {"stride_in": "3x3"} if found[4] else {}
    if kind == "plain":
        return plain(depth, "imagenet", **choices | ({"shortcut": letter} if letter else {}))
    net = resnet(depth, letter or "B", "imagenet", **choices)  # type: ignore[arg-type]
    if not letter and not net.bottleneck:
        hint = f"resnet-{depth}-a, resnet-{depth}-b or resnet-{depth}-c; torchvision's weights are of resnet-{depth}-b"
        raise UserError(f"{shown(name)} does not say its shortcut", hint)
    return net


def _of_ensemble(files: tuple[Path, ...]) -> dict[str, Any]:
    from repro.predictions import ensemble

    errors = ensemble(files)
    what = f"ensemble of {len(files)}"
    return {"what": what, "top1": errors["ensemble_top1"], "top5": errors["ensemble_top5"]}


def _of_weights(
    net: Net, weights: Path, crops: str, data: str | None, scale: str, device: str | None, save: Path | None
) -> dict[str, Any]:
    import torch

    from repro.evaluation.photos import errors, scores_of
    from repro.predictions import save as keep
    from repro.training.machine import prepare

    run = catalog.scale(scale)(Run(net, import_module("experiments.recipes").IMAGENET))
    run = replace(run, recipe=replace(run.recipe, dataset=data or run.recipe.dataset))
    module, source = _opened(run, weights)
    there = prepare(run.recipe, torch.device(device) if device else None)
    way = WAYS[crops]
    scores = scores_of(module.to(there), source.to(there), way)
    if save:
        keep(save, source.hash, {way: scores}, way)
    found = errors({way: scores})
    images = f"{source.name}, {source.test_images:,} images"
    return {
        "what": f"{net.name}, {crops}, {images}",
        "net": net.name,
        "crops": crops,
        "scale": scale,
        "data": {"name": source.name, "hash": source.hash, "origin": source.origin, "test_images": source.test_images},
        "top1": found[f"{way}_top1"],
        "top5": found[f"{way}_top5"],
    }


def _opened(run: Run, weights: Path) -> tuple[ConvNet, Photos]:
    """The net with these weights, and the images as these weights expect them."""
    from repro.data.packing import IMAGENET_MEAN, IMAGENET_STD
    from repro.data.photos import open_photos
    from repro.nets import build
    from repro.nets.weights import load, read, variant

    state = read(weights)
    net = variant(run.net, state)
    if net != run.net:
        click.echo(f"these weights are of the variant with stride in the {net.stride_in}", err=True)
    module = build(net)
    load(module, net, state)
    source = open_photos(run.recipe, places().data)
    if source.classes > net.classes:
        raise UserError(
            f"{shown(source.name)} has {source.classes} classes, the net {net.classes}", "choose other data"
        )
    if "fc.weight" in state:  # torchvision's nets were trained on images divided by the standard deviation
        recipe = replace(run.recipe, input=replace(run.recipe.input, std="channel"))
        source = replace(source, recipe=recipe, mean=IMAGENET_MEAN, std=IMAGENET_STD)
    return module, source
