"""The report's own words: its title, and what each verdict means."""

from __future__ import annotations

from repro.analysis.compare.diff import Diff
from repro.definition.words import ClaimVerdict, Verdict

# In the order in which verdicts are counted: what is settled first.
WORDS = {
    "reproduced": "Equal within the margin declared before any run, shown by two one-sided tests; "
    "or an equal count.",
    "consistent": "Neither a difference nor its absence could be shown with these seeds.",
    "better": "A difference is shown; our error is the lower one.",
    "worse": "A difference is shown; our error is the higher one. A run that diverged counts as "
    "worse than any number.",
    "deviates": "A count that is not the paper's.",
    "not comparable": "Another data set, schedule, crop or scale: orderings can be judged, numbers "
    "cannot.",
    "incomplete": "Some seeds have not finished.",
    "holds": "The claim is shown, at 5 % over all claims together.",
    "fails": "The opposite of the claim is shown.",
    "undecided": "Neither is shown; the evidence says why.",
    "missing": "Nothing has finished.",
    "not checked": "Nothing here could decide it; the reason stands beside it.",
}
COLOURS = {
    "good": ("reproduced", "consistent", "holds", "done", "within reading error"),
    "bad": ("worse", "deviates", "fails", "failed", "diverged"),
    "odd": (
        "better",
        "not comparable",
        "undecided",
        "incomplete",
        "unfinished",
        "beyond reading error",
    ),
}
UNFINISHED = (Verdict.MISSING, Verdict.INCOMPLETE, Verdict.NOT_COMPARABLE)
AGAINST = (Verdict.WORSE, Verdict.DEVIATES, Verdict.BETTER)


def title_of(diff: Diff) -> str:
    """Return a title that promises no more than there is."""
    name = "Deep Residual Learning"
    numbers = {row.verdict.word for row in diff.rows}
    claims = {claim.word for claim in diff.claims if claim.checked}
    if diff.lacking or numbers.intersection(UNFINISHED) or ClaimVerdict.MISSING in claims:
        return f"{name}: a reproduction in progress"
    if numbers.intersection(AGAINST) or ClaimVerdict.FAILS in claims:
        return f"{name}: a reproduction, with differences"
    return f"{name}, reproduced"


def colour_class(word: str) -> str:
    """Return the class that colours a word; the word itself says everything."""
    for name, words in COLOURS.items():
        if word in words:
            return name
    return "off"
