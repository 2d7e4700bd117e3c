"""What a run will cost on one GPU, estimated from its layers and multiply-adds.

Two limits add up: a small net is bound by starting kernels, layer by layer; a large one by
arithmetic. The two constants are those of an A100-class card in fp32 without TensorFloat-32.
"""

from __future__ import annotations

from repro.cost.layers import cost
from repro.cost.memory import DEEP
from repro.definition.run import Run

# Forward and backward of one layer with its batch norm and ReLU, however small.
SECONDS_PER_LAYER = 120e-6
FLOPS_PER_SECOND = 10e12  # reached in training, of 19.5e12 at peak
FORWARD_AND_BACK = 3  # the way back counts twice
SPEED_UP = {"fp32": 1.0, "tf32": 2.0, "bf16": 3.0}


def gpu_hours(run: Run) -> float:
    """Return the GPU-hours of the whole training of a run that has the card for itself."""
    starting, arithmetic = _seconds_of_a_step(run)
    return run.recipe.iterations * (starting + arithmetic) / 3600


def images_per_second(run: Run) -> float:
    """Return how many images a second a card trains on, if they are there in time."""
    return run.recipe.batch / sum(_seconds_of_a_step(run))


def packing_gain(run: Run, runs: int) -> float:
    """Return how many times the runs an hour `runs` of them make on one card under MPS.

    Their arithmetic adds up, while each one's kernels start beside those of the others. Without
    MPS they take turns, and the gain is 1.
    """
    starting, arithmetic = _seconds_of_a_step(run)
    return runs * (starting + arithmetic) / (starting + runs * arithmetic)


def _seconds_of_a_step(run: Run) -> tuple[float, float]:
    """Return the seconds of a step that kernels need to start, and those of its arithmetic."""
    net = cost(run.net, run.recipe.input.size)
    again = 1 if run.net.depth > DEEP else 0  # the forward pass whose activations were not kept
    passes = FORWARD_AND_BACK + again
    arithmetic = passes * 2 * net.multiply_adds * run.recipe.batch / FLOPS_PER_SECOND
    starting = passes / FORWARD_AND_BACK * net.layers * SECONDS_PER_LAYER
    return starting, arithmetic / SPEED_UP[run.recipe.precision]


def format_hours(hours: float) -> str:
    """Return a time on GPUs as people say it: about 2 GPU-minutes, about 3.1 GPU-hours."""
    minutes = hours * 60
    if minutes < 1:
        return "under a GPU-minute"
    if minutes < 59.5:
        return f"about {minutes:.0f} GPU-minute{'' if minutes < 1.5 else 's'}"
    return f"about {hours:,.1f} GPU-hours" if hours < 99.95 else f"about {hours:,.0f} GPU-hours"
