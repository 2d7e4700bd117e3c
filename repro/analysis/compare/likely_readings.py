"""How likely each reading of a test is, given the number that was published for it.

A published number is printed to a digit: 24.7 stands for anything from 24.65 to 24.75. If a reading
is the true one, its error on the same images would lie there, but for two things. Another decoder
and another order of sums move some images (`NOISE`). And where only a sample of the images was
tested, the error of the whole is not known better than sampling allows. Both are taken as normal,
top-1 and top-5 as independent, and all readings as equally likely before.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy.stats import norm

# Points: 15 of 50,000 images. Declared, not measured: compare two decoders to know better.
NOISE = 0.03


@dataclass(frozen=True)
class Printed:
    """A published error in percent, and how many decimals of it were printed."""

    value: float
    digits: int

    @property
    def low(self) -> float:
        return self.value - 0.5 * 10.0**-self.digits

    @property
    def high(self) -> float:
        return self.value + 0.5 * 10.0**-self.digits


def deviation(error: float, images: int, whole: int) -> float:
    """Return how far the error of the whole set may be from a sample's, as a standard deviation."""
    share = min(max(error / 100, 1 / (2 * images)), 1 - 1 / (2 * images))
    # A sample of all images is no sample: what is left is noise.
    unseen = max(0.0, 1 - images / whole)
    sampling = 100 * math.sqrt(share * (1 - share) / images * unseen)
    return math.hypot(sampling, NOISE)


def log_likelihood(error: float, printed: Printed, images: int, whole: int) -> float:
    """Return the logarithm of the chance that a reading with this error was printed so."""
    spread = deviation(error, images, whole)
    low, high = (printed.low - error) / spread, (printed.high - error) / spread
    # On the upper side both values are nearly 1, and their difference would lose its digits.
    if low > 0:
        low, high = -high, -low
    upper, lower = float(norm.logcdf(high)), float(norm.logcdf(low))
    if lower >= upper:
        return -math.inf
    return upper + math.log1p(-math.exp(lower - upper))


def shares(
    errors: Sequence[Mapping[str, float]], published: Mapping[str, Printed], images: int, whole: int
) -> list[float]:
    """Return how likely each reading is, from all its published metrics; they add up to one."""
    logs = []
    for reading in errors:
        parts = [
            log_likelihood(reading[metric], printed, images, whole)
            for metric, printed in published.items()
        ]
        logs.append(sum(parts))
    highest = max(logs)
    if not math.isfinite(highest):
        return [1 / len(logs)] * len(logs)
    weights = [math.exp(value - highest) for value in logs]
    return [weight / sum(weights) for weight in weights]
