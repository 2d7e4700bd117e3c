"""Deep Residual Learning for Image Recognition, every table and figure: run, regenerated, compared.

    import repro

    repro.run("table6", scale="smoke", seeds=1)
    repro.compare("table6", scale="smoke").rows

Names are imported when they are first used, so that `import repro` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from repro.api import collect as collect
    from repro.api import compare as compare
    from repro.api import export as export
    from repro.api import figure as figure
    from repro.api import load as load
    from repro.api import report as report
    from repro.api import run as run
    from repro.api import status as status
    from repro.api import submit as submit
    from repro.api import table as table
    from repro.definition.experiment import Bound as Bound
    from repro.definition.experiment import Claim as Claim
    from repro.definition.experiment import Close as Close
    from repro.definition.experiment import Counted as Counted
    from repro.definition.experiment import Drawing as Drawing
    from repro.definition.experiment import Figure as Figure
    from repro.definition.experiment import InMostLayers as InMostLayers
    from repro.definition.experiment import Ordering as Ordering
    from repro.definition.experiment import Panel as Panel
    from repro.definition.experiment import Paper as Paper
    from repro.definition.experiment import Row as Row
    from repro.definition.experiment import Skipped as Skipped
    from repro.definition.experiment import Table as Table
    from repro.definition.experiment import Unchecked as Unchecked
    from repro.definition.experiment import digitised as digitised
    from repro.definition.experiment import exact as exact
    from repro.definition.experiment import mean as mean
    from repro.definition.experiment import quoted as quoted
    from repro.definition.net import Net as Net
    from repro.definition.recipe import Recipe as Recipe
    from repro.definition.run import Run as Run
    from repro.definition.run import Runs as Runs
    from repro.definition.scales_and_variants import Scale as Scale
    from repro.definition.scales_and_variants import Variant as Variant
    from repro.errors import UserError as UserError
    from repro.protocol.selection import Selection as Selection

_HOMES = {
    "repro.api": "collect compare export figure load report run status submit table",
    "repro.definition.experiment": (
        "Bound Claim Close Counted Drawing Figure InMostLayers Ordering Panel Paper Row "
        "Skipped Table Unchecked digitised exact mean quoted"
    ),
    "repro.definition.net": "Net",
    "repro.definition.recipe": "Recipe",
    "repro.definition.run": "Run Runs",
    "repro.definition.scales_and_variants": "Scale Variant",
    "repro.errors": "UserError",
    "repro.protocol.selection": "Selection",
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562)."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted((*globals(), *_HOME_OF))
