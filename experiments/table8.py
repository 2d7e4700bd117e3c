"""Table 8. Object detection mAP (%) on the COCO validation set using baseline Faster R-CNN."""

from repro.definition.experiment import Skipped

experiment = Skipped(
    title="Object detection mAP (%) on the COCO validation set using baseline Faster R-CNN",
    reason="detection: it needs Faster R-CNN, and this project stops at classification",
    page=8,
)
