"""Table 9. Object detection improvements on MS COCO using Faster R-CNN and ResNet-101."""

from repro.definition.experiment import Skipped

experiment = Skipped(
    title="Object detection improvements on MS COCO using Faster R-CNN and ResNet-101",
    reason="detection: it needs Faster R-CNN, and this project stops at classification",
    page=10,
)
