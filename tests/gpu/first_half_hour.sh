#!/usr/bin/env bash
# The first half hour with a card, in order:
#
#   tests/gpu/first_half_hour.sh verify    tests, speeds, and a plan from the measured speed (8 minutes)
#   tests/gpu/first_half_hour.sh train     Table 6's nets, as many at once as the card gains from
#   tests/gpu/first_half_hour.sh collect   the records, and checkpoints of what is half done
#
# Without a card it is a rehearsal on the processors, at scale smoke. Settings, all optional:
#   SCALE (paper), VARIANT (a precision for all runs: bf16), SEEDS (1), JOBS (4), OUT (first-half-hour)
set -euo pipefail
cd "$(dirname "$0")/../.."

PYTHON=${PYTHON:-.venv/bin/python}
OUT=${OUT:-first-half-hour}
repro() { "$PYTHON" -m repro.cli "$@"; }

if REPRO_TEST_GPU=1 "$PYTHON" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
    CARD=1 SCALE=${SCALE:-paper} JOBS=${JOBS:-4} DEVICE=cuda
else
    echo "no GPU here: a rehearsal on the processors, at scale smoke"
    CARD=0 SCALE=smoke JOBS=${JOBS:-2} DEVICE=cpu
fi
CHOICE=(--scale "$SCALE" --seeds "${SEEDS:-1}")
[ -z "${VARIANT:-}" ] || CHOICE+=(--variant "$VARIANT")
export REPRO_SAVE_EVERY=20  # seconds: the card may be taken back at any moment
mkdir -p "$OUT"

verify() {
    REPRO_TEST_GPU=$CARD "$PYTHON" -m pytest -q -m gpu tests/gpu | tee "$OUT/tests.txt"
    "$PYTHON" -m tests.gpu.speeds "$DEVICE" --scale "$SCALE" --out "$OUT/speeds.json" | tee "$OUT/plan.txt"
}

train() {
    # The longest net has a lane of its own; the short ones follow one another beside it.
    local pids=() failed=0
    if [ "$CARD" = 1 ]; then
        repro run table6 "${CHOICE[@]}" --only resnet-110 --device "$DEVICE" > "$OUT/resnet-110.txt" 2>&1 &
        pids+=($!)
        for net in resnet-20 resnet-32 resnet-44 resnet-56; do
            repro run table6 "${CHOICE[@]}" --only "$net" --jobs "$JOBS" --device "$DEVICE" || failed=1
        done
        repro run figure6 "${CHOICE[@]}" --only plain --jobs "$JOBS" --device "$DEVICE" || failed=1
    else
        repro run table6 "${CHOICE[@]}" --only resnet-20 --jobs "$JOBS" --device "$DEVICE" || failed=1
    fi
    for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
    return $failed
}

collect() {
    local results=${REPRO_RESULTS:-results} run
    mkdir -p "$OUT/runs"
    for run in "$results"/runs/*/; do
        [ -d "$run" ] || continue
        mkdir -p "$OUT/runs/$(basename "$run")"
        # Records are small; a checkpoint is worth its size only where the run is not done.
        find "$run" -maxdepth 1 -name '*.json*' -size -1024k -exec cp {} "$OUT/runs/$(basename "$run")/" \;
        [ -e "$run/final.json" ] || cp "$run"/checkpoint.pt "$OUT/runs/$(basename "$run")/" 2>/dev/null || true
    done
    du -sh "$OUT"
}

case "${1:-}" in
    verify | train | collect) "$1" ;;
    *) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
