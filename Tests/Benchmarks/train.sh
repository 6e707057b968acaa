#!/bin/sh
# What training costs, beside the same steps in PyTorch and SAELens, in turns on the same machine:
#
#     Tests/Benchmarks/train.sh [REPEATS]        (default 3)
#
# The job: towards-monosemanticity, 512 → 4,096, batches of 4,096, on 65,536 activations of the fixtures' model A in memory; twice,
# from a new dictionary (half the features fire) and from one trained until fewer than 100 of 4,096 fire. Peers go on from the
# same weights and moments. Only steps are timed, two after their first. Then our other recipes, and 131,072 features: a few
# steps, for their memory.
#   WORK    where activations and results go (default .build/benchmark; 4 GB while 131,072 features are trained)
#   PYTHON  an interpreter with torch and numpy, for SAELens with sae_lens; without one the peers are left out
#   PEERS   default: all in peers/training.py that import
#   STEPS   timed at a time (default 6)
#   WIDE    "" leaves 131,072 features out
# OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE are not passed on: kernels that do not suit the processor are no measure of anything.
set -eu
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
cd "$(dirname "$0")/../.."
work=${WORK:-.build/benchmark}/training python=${PYTHON:-python3} repeats=${1:-3} steps=${STEPS:-6} wide=${WIDE-131072}
swift build -c release --product benchmarks
run=$(swift build -c release --show-bin-path)/benchmarks
mkdir -p "$work"
rows=$work/rows.f32 state=$work/trained results=$work/results.jsonl
: > "$results"
# Runs a measurement, keeps and shows its line; stops when it fails, as a pipe would not.
note() {
    "$@" > "$work/line"
    tee -a "$results" < "$work/line"
}
[ -f "$rows" ] || "$run" activations Fixtures/model-A Fixtures/corpus.jsonl 65536 "$rows"
# Small batches: sparsity comes with steps.
[ -f "$state.json" ] || "$run" warm "$rows" 512 4096 512 400 2 "$state" towards-monosemanticity l1=0.0005
if [ -z "${PEERS+set}" ]; then
    PEERS=
    ! "$python" -c "import torch, numpy" 2> /dev/null || PEERS="plain plain-fused recipe recipe-fused"
    [ -z "$PEERS" ] || ! "$python" -c "import sae_lens" 2> /dev/null || PEERS="$PEERS saelens"
fi
i=0
while [ "$i" -lt "$repeats" ]; do
    i=$((i + 1))
    for threads in 1 2; do
        for start in - "$state"; do
            note "$run" train "$rows" 512 4096 4096 2 "$steps" "$threads" "$start" towards-monosemanticity l1=0.0005
            for peer in $PEERS; do note "$python" Tests/Benchmarks/peers/training.py "$rows" 512 4096 4096 2 "$steps" "$threads" "$start" 0.0005 "$peer"; done
        done
    done
    # New dictionaries: what is sparse by itself is so from the first step.
    for recipe in april-2024 topk batch-topk matryoshka jumprelu; do note "$run" train "$rows" 512 4096 4096 2 "$steps" 1 - "$recipe"; done
done
# The dense phase of an L1 recipe takes the most memory: pre-activations of a whole batch. topk never has it.
for recipe in ${wide:+towards-monosemanticity april-2024 topk batch-topk}; do note "$run" train "$rows" 512 "$wide" 4096 0 2 2 - "$recipe"; done
python3 Tests/Benchmarks/peers/training_table.py "$results"
