"""Table 11. Detection results on the PASCAL VOC 2012 test set."""

from repro.definition.experiment import Skipped

experiment = Skipped(
    title="Detection results on the PASCAL VOC 2012 test set",
    reason="detection: it needs Faster R-CNN and the VOC 2012 server, and this project stops at classification",
    page=11,
)
