"""The report's own words: its title, and what each verdict means."""

from __future__ import annotations

from repro.analysis.compare.paper_diff import Diff
from repro.definition.verdicts_and_states import ClaimVerdict, Verdict

# In the order in which verdicts are counted: what is settled first.
WORDS = {
    "reproduced": "Equal within the margin declared before any run, shown by two one-sided tests; "
    "or an equal count.",
    "consistent": "Neither a difference nor its absence could be shown with these seeds.",
    "better": "A difference is shown; our error is the lower one.",
    "worse": "A difference is shown; our error is the higher one. A run that diverged counts as "
    "worse than any number.",
    "deviates": "A count or a response that is not the paper's.",
    "not comparable": "Another data set, schedule, crop or scale: orderings can be judged, numbers "
    "cannot.",
    "incomplete": "Some seeds have not finished.",
    "holds": "The claim is shown, at 5 % over all claims together.",
    "fails": "The opposite of the claim is shown.",
    "holds for these nets": "Shown of these trained nets on their test images; "
    "of the recipe it says nothing.",
    "fails for these nets": "The opposite is shown of these trained nets on their test images.",
    "undecided": "Neither is shown; the evidence says why.",
    "missing": "Nothing has finished.",
    "not checked": "Nothing here could decide it; the reason stands beside it.",
}
COLOURS = {
    "good": (
        "equal",
        "reproduced",
        "consistent",
        "holds",
        "holds for these nets",
        "done",
        "within reading error",
    ),
    "bad": ("worse", "deviates", "fails", "fails for these nets", "failed", "diverged"),
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
    fails = claims.intersection({ClaimVerdict.FAILS, ClaimVerdict.FAILS_HERE})
    if numbers.intersection(AGAINST) or fails:
        return f"{name}: a reproduction, with differences"
    return f"{name}, reproduced"


def colour_class(word: str) -> str:
    """Return the class that colours a word; the word itself says everything."""
    for name, words in COLOURS.items():
        if word in words:
            return name
    return "off"
