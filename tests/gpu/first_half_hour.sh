#!/usr/bin/env bash
# The first half hour with a card, in order:
#
#   tests/gpu/first_half_hour.sh verify    tests, speeds, kernels, and a plan from the measured speed (8 minutes)
#   tests/gpu/first_half_hour.sh train     the nets of Table 6 and Figure 6; called again, it goes on
#   tests/gpu/first_half_hour.sh collect   the records, and checkpoints of what is half done
#
# Nothing is fetched, and nothing but Python with torch need be there. Every part of it ends in time, and what it found
# until then lies in OUT, in a few files of at most 15 MB each. Without a card it is a rehearsal on the processors, at
# scale smoke. Settings, all optional:
#   PYTHON  (.venv/bin/python, else python3)     WHEELS  a folder of wheels of what is missing there, as msgspec
#   DATA    CIFAR-10 for `repro data import`: a file or folder, or the first of a file's pieces NAME.part-aa, …
#   SCALE   (paper)    VARIANT  a precision for all runs: bf16    SEEDS  (1)    JOBS  (4) beside ResNet-110
#   COMMIT  of this code, where it is no checkout: records name it
#   LIMIT   seconds for the whole of a call (verify 480, train and collect 540)
#   WORK    (first-half-hour)    OUT  (WORK/out)
# Exit code: 0 everything went well, 1 a part of it failed, 3 its time was not enough, 4 something is missing here.
set -uo pipefail
cd "$(dirname "$0")/../.."

[ -n "${PYTHON:-}" ] || { [ -x .venv/bin/python ] && PYTHON=.venv/bin/python || PYTHON=python3; }
WORK=${WORK:-first-half-hour}
OUT=${OUT:-$WORK/out}
PART=${1:-}
FAILED=0
case "$PART" in
    verify) LIMIT=${LIMIT:-480} ;;
    train | collect) LIMIT=${LIMIT:-540} ;;
    *) sed -n '2,20s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
END=$((SECONDS + LIMIT))
mkdir -p "$WORK/$PART" "$OUT"
WORK=$(cd "$WORK" && pwd) OUT=$(cd "$OUT" && pwd)

# pack NAME FILE…: one archive in OUT, in pieces of 15 MB where it is larger.
pack() {
    local archive=$WORK/$1.tar.gz
    shift
    tar -czf "$archive" "$@" || { FAILED=1; return; }
    rm -f "$OUT/$(basename "$archive")"*
    if [ "$(stat -c %s "$archive")" -le 15000000 ]; then
        mv "$archive" "$OUT/"
    else
        split -b 15000000 "$archive" "$OUT/$(basename "$archive").part-" && rm "$archive"
    fi
}

# step NAME SECONDS COMMAND…: at most so long, and never beyond LIMIT. What it prints is kept; what fails stops nothing.
step() {
    local name=$1 most=$2 left=$((END - SECONDS)) code=0
    shift 2
    [ "$left" -ge "$most" ] || most=$left
    if [ "$most" -le 5 ]; then
        echo "$name: no time was left for it" | tee -a "$WORK/$PART/steps.txt"
        [ "$FAILED" != 0 ] || FAILED=3
        return
    fi
    timeout --signal=TERM --kill-after=20 "$most" "$@" 2>&1 | tee "$WORK/$PART/$name.txt"
    code=${PIPESTATUS[0]}
    case "$code" in
        0) ;;
        124) [ "$FAILED" != 0 ] || FAILED=3 ;;
        *) FAILED=1 ;;
    esac
    echo "$name: exit code $code (124: out of its $most s), $SECONDS s after the start" | tee -a "$WORK/$PART/steps.txt"
    pack "$PART" -C "$WORK" "$PART"
}

# --target keeps the wheels out of the interpreter, which may be everybody's.
if [ -n "${WHEELS:-}" ] && [ ! -e "$WORK/site/.complete" ]; then
    "$PYTHON" -m pip install --quiet --no-index --no-deps --upgrade --target "$WORK/site" "$WHEELS"/*.whl || exit 4
    touch "$WORK/site/.complete"
fi
export PYTHONPATH=$PWD:$WORK/site${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1
"$PYTHON" -c 'import click, msgspec, numpy, torch, torchvision, repro.training' || {
    echo "hint: name a folder of wheels of what is missing: WHEELS=wheels $0 $PART"
    exit 4
}

[ -z "${COMMIT:-}" ] || [ -e .git ] || echo "{\"commit\": \"$COMMIT\", \"dirty\": false}" > commit.json

if "$PYTHON" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
    CARD=1 SCALE=${SCALE:-paper} JOBS=${JOBS:-4} DEVICE=cuda
else
    echo "no GPU here: a rehearsal on the processors, at scale smoke"
    CARD=0 SCALE=smoke JOBS=${JOBS:-2} DEVICE=cpu
    export OMP_NUM_THREADS=1  # several would wait for one another on a busy machine
fi
CHOICE=(--scale "$SCALE" --seeds "${SEEDS:-1}" --device "$DEVICE")
[ -z "${VARIANT:-}" ] || CHOICE+=(--variant "$VARIANT")
export REPRO_SAVE_EVERY=20  # seconds: the card may be taken back at any moment

verify() {
    # Another machine's plugins and newer libraries may warn: here that is no failure.
    PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 REPRO_TEST_GPU=$CARD step tests 270 \
        "$PYTHON" -m pytest -q -o addopts=--import-mode=importlib -W default -m gpu tests/gpu
    step plan 120 "$PYTHON" -m tests.gpu.speeds "$DEVICE" --scale "$SCALE" --out "$WORK/verify"
    if [ "$CARD" = 1 ]; then
        step bench 240 "$PYTHON" -m repro.cli bench gpu --quick --json
    else
        echo "bench gpu needs a card, and is left out" | tee "$WORK/verify/bench.txt"
    fi
}

# Import the images that were carried here, from one file or from its pieces.
images() {
    local whole=$DATA
    if [[ $DATA == *.part-aa ]]; then
        whole=$WORK/$(basename "${DATA%.part-aa}")
        cat "${DATA%aa}"* > "$whole"
    fi
    step data 120 "$PYTHON" -m repro.cli data import cifar10 "$whole"
}

train() {
    [ -z "${DATA:-}" ] || [ -d "${REPRO_DATA:-data}/cifar10" ] || images
    # ResNet-110 takes as long as all others together, so it has a lane of its own.
    local long=(table6 --only resnet-110) short=(table6 figure6 --skip resnet-110 --skip resnet-1202)
    if [ "$CARD" = 0 ]; then
        long=(table6 --only resnet-32) short=(table6 --only resnet-20)
    fi
    # The last half minute is for saving, and for packing what was said.
    step runs "$((END - SECONDS - 30))" "$PYTHON" -m tests.gpu.lanes \
        --lane run "${long[@]}" "${CHOICE[@]}" --jobs 1 --lane run "${short[@]}" "${CHOICE[@]}" --jobs "$JOBS"
}

collect() {
    local runs=${REPRO_RESULTS:-results}/runs run
    [ -d "$runs" ] || { echo "no runs in $runs"; return; }
    (cd "$runs" && find . -mindepth 2 -maxdepth 2 -size -1024k \( -name '*.json*' -o -name log.txt \)) > "$WORK/records.txt"
    pack records -C "$runs" -T "$WORK/records.txt"
    # A checkpoint is worth its size only where the run is not done.
    (cd "$runs" && for run in */; do [ -e "$run/final.json" ] || ls "$run"checkpoint.pt 2> /dev/null; done) > "$WORK/unfinished.txt"
    [ ! -s "$WORK/unfinished.txt" ] || pack checkpoints -C "$runs" -T "$WORK/unfinished.txt"
    ls -l "$OUT"
}

"$PART"
exit $FAILED
