"""What `repro.table` and `repro.figure` return: a page of the paper with ours in it, its files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from repro.definition.run import Run
from repro.definition.scales_and_variants import Scale

if TYPE_CHECKING:
    from repro.analysis.output.table_formats import Sheet
    from repro.analysis.runs.run_frames import Collected


@dataclass(frozen=True)
class PageResult:
    """A page of the paper with ours in it, and the files it was written to."""

    files: tuple[Path, ...]
    scale: Scale
    complete: bool  # whether it shows anything of ours, or needs nothing
    collected: Collected
    runs: tuple[Run, ...]


@dataclass(frozen=True)
class TableResult(PageResult):
    """A table with ours beside the paper's."""

    sheet: Sheet
    refused: tuple[str, ...]  # rows that `strict` did not average

    def render(self, form: str = "table") -> str:
        """Return the table as text, Markdown, LaTeX, CSV, JSON or HTML."""
        from repro.analysis.output.table_formats import render

        return render(self.sheet, form)  # type: ignore[arg-type]

    def __str__(self) -> str:
        return self.render()


@dataclass(frozen=True)
class FigureResult(PageResult):
    """A figure of the paper drawn from our runs, and what it shows in words."""

    description: str

    def _repr_svg_(self) -> str | None:
        """Return the figure for a notebook, which asks for it by this name."""
        for path in self.files:
            if path.suffix == ".svg":
                return path.read_text()
        return None
