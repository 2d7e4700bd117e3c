"""Table 14. Comparisons of localization error (%) on the ImageNet dataset with state-of-the-art methods."""

from repro.definition.experiment import Skipped

experiment = Skipped(
    title="Comparisons of localization error (%) on the ImageNet dataset with state-of-the-art methods",
    reason="localisation: it needs R-CNN and the ILSVRC server, and this project stops at classification",
    page=12,
)
