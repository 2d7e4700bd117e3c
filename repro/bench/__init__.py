"""What this machine does, against the usual way of doing the same: ratios, since only they travel.

A benchmark is a contest: each contender is a process of its own, prepared once, that answers each
`go` with one number. The contenders take turns, round after round, so that whatever else the
machine is doing meets them all.
"""
