"""Table 7. Object detection mAP (%) on the PASCAL VOC 2007/2012 test sets using baseline Faster R-CNN."""

from repro.definition.experiment import Skipped

experiment = Skipped(
    title="Object detection mAP (%) on the PASCAL VOC 2007/2012 test sets using baseline Faster R-CNN",
    reason="detection: it needs Faster R-CNN, and this project stops at classification",
    page=8,
)
