"""The grid of readings as a table: the errors of each reading, and how likely it is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from repro.analysis.compare.likely_readings import NOISE, Printed, shares
from repro.analysis.output.table_formats import MISSING, Sheet

WAYS = {"center": "center", "ten": "ten_crop", "multi": "multi_scale"}
FACTORS = ("views", "mean", "filter", "pool", "epsilon", "average", "flip")


def with_shares(document: Mapping[str, Any], whole: int) -> pd.DataFrame:
    """Return a row for each reading, the likeliest first; `share` is its probability."""
    rows = pd.DataFrame(document["readings"])
    rows["share"] = _shares(document, rows, whole)
    order = rows.assign(views=pd.Categorical(rows["views"], [*WAYS]))
    sorted_rows = order.sort_values(["views", "share", "top1"], ascending=[True, False, True])
    return rows.loc[sorted_rows.index].reset_index(drop=True)


def _shares(document: Mapping[str, Any], rows: pd.DataFrame, whole: int) -> list[float]:
    """Return the probability of each reading among those of its views; NaN if none is known."""
    likely = [math.nan] * len(rows)
    for views in dict.fromkeys(rows["views"]):
        published = published_of(document, views)
        if not published:
            continue
        places = [place for place, other in enumerate(rows["views"]) if other == views]
        errors = [{"top1": rows["top1"][place], "top5": rows["top5"][place]} for place in places]
        for place, share in zip(
            places, shares(errors, published, document["images"], whole), strict=True
        ):
            likely[place] = share
    return likely


def reading_sheet(document: Mapping[str, Any], whole: int) -> Sheet:
    """Return the grid set for reading."""
    rows = with_shares(document, whole)
    cells = pd.DataFrame({factor: rows[factor].map(_text) for factor in FACTORS})
    for name, column in (("top-1", "top1"), ("top-5", "top5")):
        cells[name] = rows[column].map("{:.3f}".format)
    cells["likely"] = rows["share"].map(_percent)
    title = f"{len(rows)} readings of {document['weights']} on {document['data']}"
    right = ("top-1", "top-5", "likely", "epsilon")
    return Sheet(title, cells, rows, tuple(_notes(document, whole)), right)


def published_of(document: Mapping[str, Any], views: str) -> dict[str, Printed]:
    """Return the published top-1 and top-5 errors of these views."""
    way = WAYS[views]
    known = {}
    for metric in ("top1", "top5"):
        number = document["published"].get(f"{way}_{metric}")
        if number is not None:
            known[metric] = Printed(*number)
    return known


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _percent(share: float) -> str:
    return MISSING if pd.isna(share) else f"{100 * share:.1f} %"


def _notes(document: Mapping[str, Any], whole: int) -> list[str]:
    images = document["images"]
    notes = [f"{images:,} of {whole:,} images."]
    for views in dict.fromkeys(row["views"] for row in document["readings"]):
        published = published_of(document, views)
        if not published:
            notes.append(f"Nothing is published for {views} views of these weights.")
            continue
        numbers = "/".join(f"{one.value:.{one.digits}f}" for one in published.values())
        notes.append(f"Published for {views} views: {numbers}.")
    notes.append(
        "Likely: how much of the probability a reading has among those of its views, "
        f"all being equally likely before; {NOISE} points are allowed for decoders and rounding"
        + (", and what a sample of this size leaves open." if images < whole else ".")
    )
    notes += document["warnings"]
    return notes
