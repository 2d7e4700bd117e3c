"""Table 13. Localization error (%) on the ImageNet validation."""

from repro.definition.experiment import Skipped

experiment = Skipped(
    title="Localization error (%) on the ImageNet validation",
    reason="localisation: it needs a per-class RPN and R-CNN, and this project stops at classification",
    page=12,
)
