"""Which output of a net each class of a data set is: a sample of ImageNet has fewer than the net.

All nets number ImageNet's classes by their sorted WordNet ids, which `imagenet_classes.txt` lists.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from repro.errors import UserError, quote

LIST = Path(__file__).with_name("imagenet_classes.txt")


@cache
def imagenet_classes() -> dict[str, int]:
    """Return the number of each WordNet id."""
    return {name: number for number, name in enumerate(LIST.read_text().split())}


def outputs_of(classes: Sequence[str], outputs: int, data: str) -> NDArray[np.int64]:
    """Return the net's output for each class of the data."""
    if len(classes) == outputs:
        return np.arange(outputs)
    if len(classes) > outputs:
        problem = f"{quote(data)} has {len(classes):,} classes, the net {outputs:,}"
        raise UserError(problem, "choose other data, or weights of as many classes")
    known = imagenet_classes()
    if outputs == len(known) and all(name in known for name in classes):
        return np.array([known[name] for name in classes])
    which = f"which of the net's {outputs:,} they are is not known"
    hint = (
        "name the classes by their WordNet ids, as ImageNet's folders are, "
        "or take data of all classes"
    )
    raise UserError(f"{quote(data)} has {len(classes):,} classes, and {which}", hint)
