"""Table 10. Detection results on the PASCAL VOC 2007 test set."""

from repro.definition.experiment import Skipped

experiment = Skipped(
    title="Detection results on the PASCAL VOC 2007 test set",
    reason="detection: it needs Faster R-CNN, and this project stops at classification",
    page=11,
)
