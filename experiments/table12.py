"""Table 12. Our results (mAP, %) on the ImageNet detection dataset."""

from repro.definition.experiment import Skipped

experiment = Skipped(
    title="Our results (mAP, %) on the ImageNet detection dataset",
    reason="detection: it needs Faster R-CNN and the ILSVRC server, and this project stops at classification",
    page=11,
)
