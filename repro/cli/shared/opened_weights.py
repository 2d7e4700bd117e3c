"""Weights that a user names, put into their net, with their images and preprocessing."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from repro.cli.shared.weights_question import WeightsQuestion
from repro.definition.net import Net, net_named
from repro.definition.run import Run
from repro.definition.scales_and_variants import Scale
from repro.errors import UserError
from repro.storage.paths import places

if TYPE_CHECKING:
    from repro.definition.preprocessing import Preprocessing
    from repro.evaluation.weights_measurer import Subject
    from repro.nets.weights import Weights

RECIPES = {"cifar": "CIFAR10", "imagenet": "IMAGENET"}
AS_PAPER = "the paper's own layers"
WEIGHTS_HINT = "name weights of `torch.save`, a .safetensors file, or a .caffemodel"


def opened(
    weights: Path, question: WeightsQuestion, scale: Scale
) -> tuple[Subject, Preprocessing, tuple[str, ...]]:
    """Return the net with these weights, its preprocessing, and warnings about the choice."""
    import torch

    from repro.evaluation.weights_measurer import preprocessing_for, subject
    from repro.nets.weights import read

    known = read(weights)
    run = _run(known, question.net, question.data, scale)
    # Public nets differ in places that no tensor's name tells: whose file it is tells them.
    if run.net != known.layout.variant(run.net):
        run = replace(run, net=known.layout.variant(run.net))
        click.echo(f"these weights are of the variant with {_variant(run.net)}", err=True)
    device = torch.device(question.device) if question.device else None
    of = subject(run, known, weights, places().data, device)
    wanted, warnings = _preprocessing(of, known, question.preprocess)
    for warning in warnings:
        click.echo(warning, err=True)
    return of, preprocessing_for(of, wanted), warnings


def _run(weights: Weights, name: str | None, data: str | None, scale: Scale) -> Run:
    """Return the run that such weights are of, as far as measuring them depends on it."""
    net = weights.net()
    if name:  # whoever names it may know better than the names of the tensors
        net = _net(name, data)
    if net is None:
        raise UserError(
            "the names in these weights do not tell which net of the paper they are of",
            "name the net: `--net resnet-50`",
        )
    # Neither recipe nor scale trains anything here: they have the size and number of the images.
    run = scale(Run(net, getattr(import_module("experiments.recipes"), RECIPES[net.family])))
    if name is None:
        run = replace(run, net=replace(run.net, classes=net.classes))
        click.echo(f"these weights are of {net.name}{_and_variant(net)}{_or_plain(net)}", err=True)
    return replace(run, recipe=replace(run.recipe, dataset=data or run.recipe.dataset))


def _and_variant(net: Net) -> str:
    """Return what in these nets is not as in the paper's, in words."""
    variant = _variant(net)
    return f", the variant with {variant}" if variant != AS_PAPER else ""


def _or_plain(net: Net) -> str:
    """A plain net has the same tensors as a residual one with option A: only its owner can tell."""
    return f", or of plain-{net.depth} if `--net` says so" if net.shortcut == "A" else ""


def _net(name: str, data: str | None) -> Net:
    """The net of that name; on small images, a net of CIFAR whatever its depth."""
    from repro.data import is_photos

    return net_named(name, "cifar" if data and not is_photos(data, places().data) else None)


def _variant(net: Net) -> str:
    parts = []
    if net.stride_in == "3x3":
        parts.append("stride in the 3x3")
    if net.zeros == "both":
        parts.append("zero channels on both sides")
    if net.pool:
        parts.append("pooling without padding")
    return ", ".join(parts) or AS_PAPER


def _preprocessing(
    of: Subject, weights: Weights, name: str | None
) -> tuple[Preprocessing, tuple[str, ...]]:
    """Return what was asked for, or what the weights are for; and a warning if they differ."""
    from repro.definition.preprocessing import named as preprocessing_named

    layout = weights.layout
    proposed = _proposed(of, weights)
    if name is None:
        if proposed != "paper":
            click.echo(f"preprocessing: {proposed}, which these weights were trained for", err=True)
        return preprocessing_named(proposed, small=not of.photos), ()
    wanted = preprocessing_named(name, small=not of.photos)
    # Our own runs are trained by whatever reading was chosen: their file does not say which.
    if layout.name == "ours" or _same_family(name, proposed):
        return wanted, ()
    return wanted, (
        f"weights of {layout.name} were trained for preprocessing {proposed}, not {name}",
    )


def _proposed(of: Subject, weights: Weights) -> str:
    """Return the preprocessing that the weights were trained for: the file's, or its layout's."""
    from repro.protocol.released_weights import release_of

    known = release_of(weights.layout.name, of.run.net.name, of.weights.sha256, preprocess="")
    if known is not None:
        return known.preprocess
    return weights.layout.preprocess if of.photos else weights.layout.preprocess_small


def _same_family(name: str, proposed: str) -> bool:
    """Return whether two preprocessings subtract and divide alike, whatever their sizes."""
    return _family(name) == _family(proposed)


def _family(name: str) -> str:
    # All of timm's ResNets subtract and divide as torchvision's do.
    if name.startswith(("torchvision-", "timm:")):
        return "torchvision"
    return name.removesuffix("-mean-colour")
