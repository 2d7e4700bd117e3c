"""Claims about two trained nets on the images they were tested on, where one seed is all there is.

The paper's ImageNet nets were trained once each, and so are ours by default: nothing can be said
of the recipe, whose other seeds nobody has seen. But of these nets on these images much can be
said, image by image: McNemar's test, a paired bootstrap, exact binomial tests. What they find has
words of its own (`holds for these nets`) and says so in its sentence.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from repro.analysis.compare.seed_groups import Finding, SeedGroup, runs_of_groups
from repro.analysis.compare.seed_statistics import Estimate
from repro.analysis.runs.run_frames import Collected
from repro.definition.experiment import Bound, Close
from repro.definition.run import Runs
from repro.errors import UserError
from repro.storage import predictions

BOOTSTRAPS = 10_000
TOPS = {"top1": 1, "top5": 5}  # in how many classes the right one must be


@dataclass(frozen=True)
class Images:
    """Which test images a net has wrong, and which images they are."""

    data: str
    labels: NDArray[np.int64]
    wrong: NDArray[np.bool_]


@dataclass(frozen=True)
class Discordant:
    """On how many of some images only one of two nets is wrong."""

    only_first: int
    only_second: int
    images: int

    @property
    def difference(self) -> float:
        """The first net's error less the second's, in points."""
        return 100 * (self.only_first - self.only_second) / self.images

    def p_first_is_worse(self) -> float:
        """Return McNemar's exact one-sided p for "the first net errs more"."""
        return _p_at_least(self.only_first, self.only_first + self.only_second, 0.5)

    def p_second_is_worse(self) -> float:
        """Return McNemar's exact one-sided p for "the second net errs more"."""
        return _p_at_least(self.only_second, self.only_first + self.only_second, 0.5)

    def interval(self) -> tuple[float, float]:
        """Return the 95 % interval of the difference, by a paired bootstrap of the images."""
        # Drawing images is drawing how many fall into each of the cells: no image is touched.
        shares = np.array([self.only_first, self.only_second]) / self.images
        rng = np.random.default_rng(0)  # fixed, so that a report has the same digits again
        cells = rng.multinomial(self.images, [*shares, 1 - shares.sum()], BOOTSTRAPS)
        differences = 100 * (cells[:, 0] - cells[:, 1]) / self.images
        low, high = np.quantile(differences, [0.025, 0.975])
        return float(low), float(high)

    def estimate(self) -> Estimate:
        """Return the difference with its standard error, pair by pair."""
        discordant = self.only_first + self.only_second
        variance = discordant - (self.only_first - self.only_second) ** 2 / self.images
        error = 100 * math.sqrt(variance) / self.images
        estimate = Estimate(self.difference, error, self.images - 1)
        # Nets that agree on every image differ at least by what a step of one image hides.
        return estimate.with_least_error(100 / self.images / math.sqrt(12))


def ordering(
    pair: tuple[Runs, Runs],
    metric: str,
    said: str,
    groups: Sequence[SeedGroup],
    collected: Collected,
) -> Finding | None:
    """Test whether one net errs more than another on the same images; None where it cannot be."""
    if any(len(group.runs) > 1 for group in groups):
        return None
    if metric == "train_error":
        return _training_errors(pair, said, groups)
    cells = _discordant(metric, groups, collected)
    if cells is None:
        return None
    p, against = cells.p_first_is_worse(), cells.p_second_is_worse()
    return _here(said, cells.images, p, against, (cells.difference, *cells.interval()), groups)


def close(
    check: Close, said: str, groups: Sequence[SeedGroup], collected: Collected
) -> Finding | None:
    """Test whether two nets' errors on the same images differ by less than a margin."""
    cells = _discordant(check.metric, groups, collected)
    if cells is None:
        return None
    estimate = cells.estimate()
    p, against = estimate.p_within(check.within), estimate.p_beyond(check.within)
    return _here(said, cells.images, p, against, (cells.difference, *cells.interval()), groups)


def bound(check: Bound, said: str, group: SeedGroup, collected: Collected) -> Finding | None:
    """Test one net's error against a threshold, by how many of its images are wrong."""
    images = _images(group, check.metric, collected)
    if images is None:
        return None
    wrong, count = int(images.wrong.sum()), len(images.wrong)
    ps, against = [], []
    if check.above is not None:
        ps.append(_p_at_least(wrong, count, check.above / 100))
        against.append(_p_at_most(wrong, count, check.above / 100))
    if check.below is not None:
        ps.append(_p_at_most(wrong, count, check.below / 100))
        against.append(_p_at_least(wrong, count, check.below / 100))
    # Both sides must be shown; either refutes, so the smaller p counts once a side.
    refuted = min(1.0, len(against) * min(against))
    interval = 100 * wrong / count, *_binomial_interval(wrong, count)
    return _here(said, count, max(ps), refuted, interval, (group,))


def in_order_throughout(
    said: str, in_order: int, points: int, fraction: float, groups: Sequence[SeedGroup]
) -> Finding:
    """Test whether one trained net's curve lies above another's, by a sign test of its points."""
    # Each point is taken as a fresh draw. Neighbours are not independent, so p is too small, and
    # the sentence says that it is about these two trainings.
    share = in_order / points
    p = _p_at_least(in_order, points, 0.5)
    refuted = min(_p_at_most(in_order, points, 0.5), _p_at_most(in_order, points, fraction))
    if share < fraction:
        p = 1.0
    scope = f"{said}; of these two trainings, by the signs of {points} points"
    against, runs = min(1.0, 2 * refuted), runs_of_groups(groups)
    return Finding("tested", scope, p, against, share, runs=runs, here=True, seeds=1, planned=1)


def _training_errors(pair: tuple[Runs, Runs], said: str, groups: Sequence[SeedGroup]) -> Finding:
    """Test two running training errors as shares of the images of their last window."""
    # Both nets see the same batches: taking them as independent errs on the careful side.
    recipe = pair[0].run.recipe
    images = recipe.evaluate_every * recipe.batch
    variance = sum(group.mean * (100 - group.mean) / images for group in groups)
    gap = groups[0].mean - groups[1].mean
    estimate = Estimate(gap, math.sqrt(variance), images).with_least_error(1 / images)
    interval = gap, *estimate.interval()
    return _here(said, images, estimate.p_above(0), estimate.p_below(0), interval, groups)


def _here(
    said: str,
    images: int,
    p: float,
    against: float,
    interval: tuple[float, float, float],
    groups: Sequence[SeedGroup],
) -> Finding:
    nets = "this trained net" if len(groups) == 1 else "these two trained nets"
    scope = f"{said}; of {nets} on {images:,} images, not of the recipe, which needs seeds"
    runs = runs_of_groups(groups)
    return Finding("tested", scope, p, against, *interval, runs=runs, here=True, seeds=1, planned=1)


def _discordant(
    metric: str, groups: Sequence[SeedGroup], collected: Collected
) -> Discordant | None:
    first = _images(groups[0], metric, collected)
    second = _images(groups[1], metric, collected)
    # Only pairs of answers to the same images, in one order, can be compared one by one.
    if first is None or second is None:
        return None
    if first.data != second.data or not np.array_equal(first.labels, second.labels):
        return None
    only_first = int((first.wrong & ~second.wrong).sum())
    only_second = int((~first.wrong & second.wrong).sum())
    return Discordant(only_first, only_second, len(first.labels))


def _images(group: SeedGroup, metric: str, collected: Collected) -> Images | None:
    """Return which images the net's first run has wrong; None without its predictions."""
    way, _, top = metric.rpartition("_")
    if top not in TOPS or len(group.runs) > 1:
        return None
    try:
        kept = predictions.load(collected.folder_of(group.runs[0]).predictions)
        best = kept.best[way]
    except (UserError, KeyError):
        return None
    right = (best[:, : TOPS[top]] == kept.labels[:, None]).any(axis=1)
    return Images(kept.data, kept.labels, ~right)


def _p_at_least(count: int, of: int, share: float) -> float:
    """Return how likely `count` or more of so many are, at that share."""
    from scipy import special

    if count <= 0:
        return 1.0
    # The binomial tail as an incomplete beta function: exact, and quick for 50,000 images.
    return float(special.betainc(count, of - count + 1, share))


def _p_at_most(count: int, of: int, share: float) -> float:
    """Return how likely `count` or fewer of so many are, at that share."""
    return _p_at_least(of - count, of, 1 - share)


def _binomial_interval(count: int, of: int) -> tuple[float, float]:
    """Return Clopper and Pearson's 95 % interval of a share, in percent."""
    from scipy import special

    low, high = 0.0, 1.0
    if count > 0:
        low = float(special.betaincinv(count, of - count + 1, 0.025))
    if count < of:
        high = float(special.betaincinv(count + 1, of - count, 0.975))
    return 100 * low, 100 * high
