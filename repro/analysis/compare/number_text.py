"""Numbers as text: how a mean, a number of the paper's and a p-value are written."""

from __future__ import annotations

from repro.definition.experiment import Paper


def mean_text(mean: float, std: float | None, digits: int = 2) -> str:
    """Return `8.61 ± 0.15`, or `8.61` where there is no spread."""
    if std is None:
        return f"{mean:.{digits}f}"
    return f"{mean:.{digits}f} ± {std:.{digits}f}"


def paper_text(paper: Paper) -> str:
    """Return the paper's number: `6.61 ± 0.16 (n = 5)`, or `9.69 (read off, ± 0.05)`."""
    text = mean_text(paper.value, paper.std, paper.digits)
    if paper.std is not None and paper.n:
        text += f" (n = {paper.n})"
    if paper.reading_error:
        text += f" (read off, ± {paper.reading_error:g})"
    return text


def printed_text(paper: Paper) -> str:
    """Return the cell as the paper sets it: `6.43 (6.61±0.16)` with best, mean and spread."""
    text = mean_text(paper.value, paper.std, paper.digits).replace(" ", "")
    if paper.best is None:
        return text
    return f"{paper.best:.{paper.digits}f} ({text})"


def p_text(p: float) -> str:
    """Return a p-value to three decimals, or `below 0.001`."""
    return f"{p:.3f}" if p >= 0.001 else "below 0.001"


def gap_text(gap: float) -> str:
    """Return how far our number is from the paper's: `0.45 lower`."""
    if abs(gap) < 0.005:
        return "equal as printed"
    side = "lower" if gap < 0 else "higher"
    return f"{abs(gap):.2f} {side}"
