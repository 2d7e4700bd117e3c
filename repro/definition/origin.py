"""Where the images of a data set come from, in the words that a run's record carries.

    official archive    the authors' own archive, known by its published hash
    official pixels     other files, with a digest that is known to be the official one
    X, complete: N + M  files of container X: every class has as many images as officially, but no
                        official digest is known to compare with
    imported            any other images; after a comma, what keeps them from being complete
    generated           drawn by rule

Training writes these words, and the analysis decides by them what may stand beside the paper's
numbers. So they are here, where both can import them.
"""

from __future__ import annotations

import re

OFFICIAL = ("official archive", "official pixels")
_COMPLETE = re.compile(r"[a-z ]+, complete: [\d,]+ \+ [\d,]+")


def complete(container: str, train_images: int, test_images: int) -> str:
    """Return the origin of a set in which no image is lacking, as far as counts can tell."""
    return f"{container}, complete: {train_images:,} + {test_images:,}"


def is_official(origin: object) -> bool:
    """Whether the images are known to be the official ones."""
    return origin in OFFICIAL


def is_complete(origin: object) -> bool:
    """Whether the counts are the official ones, and nothing more is known."""
    return isinstance(origin, str) and _COMPLETE.fullmatch(origin) is not None


def may_be_compared(origin: object) -> bool:
    """Whether numbers from these images may stand beside the paper's."""
    return is_official(origin) or is_complete(origin)
