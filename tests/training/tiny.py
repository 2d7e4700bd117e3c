"""A run so small that training it takes a second."""

from dataclasses import replace

from experiments.recipes import CIFAR10, MEASURED_WARMUP
from experiments.scales import SCALES
from repro.definition.net import resnet
from repro.definition.recipe import Recipe, Warmup
from repro.definition.run import Run


def tiny_run(seed: int = 0, **changes) -> Run:
    """ResNet-8 on generated 8×8 images, 40 iterations of 16, four points of a curve, and a measured
    warm-up."""
    recipe: Recipe = SCALES["smoke"](
        Run(resnet(8), replace(CIFAR10, warmup=MEASURED_WARMUP))
    ).recipe
    warmup = Warmup(rate=0.01, below=95.0, window=5)
    small = {
        "batch": 16,
        "iterations": 40,
        "drops": (20, 30),
        "evaluate_every": 10,
        "warmup": warmup,
    }
    return Run(resnet(8), replace(recipe, **small | changes), seed=seed, scale="smoke")
