"""What `repro evaluate` and `repro forensics` ask of weights: the question, and its options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import click

from repro.cli.shared.options import Decorator, add_options, device_option, gather
from repro.cli.shared.param_types import OneOf

# What is typed, and what metrics are called by it.
WAYS = {"center": "center", "ten": "ten_crop", "multi": "multi_scale"}


@dataclass(frozen=True)
class WeightsQuestion:
    """Which weights are to be tested, on what and how."""

    weights: str | None
    net: str | None
    crops: str | None
    preprocess: str | None
    mean: Path | None
    data: str | None
    device: str | None


def question_options(
    question: type[WeightsQuestion],
    about: Mapping[str, str],
    *more: Decorator,
    weights_required: bool = False,
    crops: str | None = None,
) -> Decorator:
    """Return what adds the options, and passes on one `question`.

    `about` has what the help says of each, and `more` what only this command asks.
    """
    weights: dict[str, Any] = {"required": weights_required, "help": about["weights"]}
    mean: dict[str, Any] = {"metavar": "FILE", "help": "The mean.binaryproto of `authors`."}

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        return add_options(
            function,
            click.option("--weights", type=click.Path(), metavar="FILE", **weights),
            click.option("--net", metavar="NET", help=about["net"]),
            click.option("--crops", type=OneOf(list(WAYS)), default=crops, help=about["crops"]),
            click.option("--preprocess", metavar="NAME", help=about["preprocess"]),
            click.option("--mean", type=click.Path(path_type=Path), **mean),
            click.option("--data", metavar="NAME", help=about["data"]),
            device_option,
            *more,
            gather("question", question, [field.name for field in fields(question)]),
        )

    return add
