"""What came out, in a sentence that needs no glossary: for the report and `repro reproduce`."""

from __future__ import annotations

import pandas as pd

from repro.analysis.compare.paper_diff import Diff
from repro.analysis.output.diff_words import summary
from repro.analysis.runs.run_frames import Collected
from repro.definition.experiment import Figure, at_scale
from repro.definition.origin import may_be_compared
from repro.definition.scales_and_variants import Scale
from repro.protocol import catalog

FIGURE = "figure6"  # whose nets differ in depth alone
SAME = 1.0  # points of error that are no difference worth a word
LITTLE = 0.1  # of what the plain nets got worse by

Errors = dict[int, float]  # the mean test error of each depth


def depth_in_words(collected: Collected, scale: Scale) -> str:
    """Return what depth did to plain and to residual nets; nothing while nets are lacking.

    For example: On generated images deeper plain nets got worse (28 → 88 % test error, 20 → 56
    layers), residual nets hardly did (0 → 2.6 %), as in the paper's Figure 6.
    """
    plain, residual, finals = _errors_by_depth(collected, scale)
    depths = sorted(plain.keys() & residual.keys())
    if len(depths) < 2:
        return ""
    # The same two depths of both kinds, so that one is measured by the other.
    shallow, deep = depths[0], depths[-1]
    rise = plain[deep] - plain[shallow]
    other = residual[deep] - residual[shallow]
    layers = f"{shallow} → {deep} layers"
    of_plain = f"({_range(plain, depths)} % test error, {layers})"
    of_residual = f"({_range(residual, depths)} %)"
    if rise < SAME:
        return (
            f"{_images(finals)} deeper plain nets did not get worse {of_plain}, "
            f"unlike in the paper's Figure 6. Residual nets: {of_residual[1:-1]}."
        )
    return (
        f"{_images(finals)} deeper plain nets got worse {of_plain}, "
        f"{_residual_words(rise, other)} {of_residual}{_like_the_paper(rise, other)}."
    )


def _errors_by_depth(collected: Collected, scale: Scale) -> tuple[Errors, Errors, pd.DataFrame]:
    """Return the mean test errors of plain and of residual nets, and the finished runs behind."""
    figure = catalog.load_experiment(FIGURE)
    assert isinstance(figure, Figure)
    errors: dict[str, Errors] = {"plain": {}, "resnet": {}}
    finished = [collected.finals.iloc[:0]]
    for row in (row for panel in at_scale(figure, scale).panels for row in panel.rows):
        if row.runs is None:
            continue
        runs = collected.of(row.runs)
        values = runs.values("test_error").dropna()
        if len(values):
            net = row.runs.run.net
            errors[net.kind][net.depth] = float(values.mean())
            finished.append(runs.finished)
    return errors["plain"], errors["resnet"], pd.concat(finished)


def _residual_words(rise: float, other: float) -> str:
    if other < -SAME:
        return "residual nets got better"
    if other < SAME:
        return "residual nets did not"
    if other < LITTLE * rise:
        return "residual nets hardly did"
    return "residual nets less so" if other < rise else "and so did residual nets"


def _like_the_paper(rise: float, other: float) -> str:
    if other < max(SAME, LITTLE * rise):
        return ", as in the paper's Figure 6"
    return "; in the paper's Figure 6 they got better"


def _range(errors: Errors, depths: list[int]) -> str:
    """Return `28 → 88`: the errors of the shallowest and of the deepest net."""
    return f"{errors[depths[0]]:.3g} → {errors[depths[-1]]:.3g}"


def _images(finals: pd.DataFrame) -> str:
    """Return which images the nets saw: `On generated images`."""
    origins = sorted(set(finals["data_origin"].fillna("unrecorded")))
    if all(map(may_be_compared, origins)):
        return "On CIFAR-10"
    kinds = dict.fromkeys(origin.partition(",")[0] for origin in origins)
    return f"On {' and '.join(kinds)} images"


def closing_words(diff: Diff, collected: Collected, scale: Scale) -> list[str]:
    """Return what came out and what it is worth, a sentence or two each."""
    about_depth = {"figure1", FIGURE, "table6"}.intersection(diff.experiments)
    sentences = [depth_in_words(collected, scale) if about_depth else ""]
    if not sentences[0]:
        sentences = [summary(diff)]
    if diff.asked and scale.name == "smoke":
        sentences.append("This proves the pipeline, not the paper.")
    elif diff.asked and scale.name != "paper":
        sentences.append(f"At scale {scale.name} orderings can be judged, numbers cannot.")
    return sentences
