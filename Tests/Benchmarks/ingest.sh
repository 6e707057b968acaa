#!/bin/sh
# What an ingest costs, beside the same job in PyTorch and what BLAS alone allows, in turns on the same machine:
#
#     Tests/Benchmarks/ingest.sh [REPEATS]        (default 3)
#
# The jobs: a one-layer GPT-2 (128 wide, 512 ReLU neurons, contexts of 256), an SAE of 4,096 features at L0 33 on its
# neurons, a million tokens of made-up text; and the same with 32,768 features. They are written once
# (see Write.swift); PyTorch gets the same weights and the same tokens, and should count the same firings but for a few
# that rounding decides. OPENBLAS_CORETYPE, where it is set, slows us and the bound; it is better not set.
#   WORK    where jobs and results go (default .build/benchmark; 650 MB)
#   JOBS    which (default: "full wide"; also narrow and tiny; dense, of 4,096 features too, by itself)
#   PYTHON  an interpreter with torch, numpy and safetensors; without one the peer is left out
#   TOKENS  how many tokens (default: all)
set -eu
cd "$(dirname "$0")/../.."
work=${WORK:-.build/benchmark} python=${PYTHON:-python3} repeats=${1:-3} tokens=${TOKENS:-}
swift build -c release --product benchmarks
run=$(swift build -c release --show-bin-path)/benchmarks
mkdir -p "$work"
jobs=${JOBS:-full wide}
contexts=all
[ -z "$tokens" ] || contexts=$((tokens / 255))
results=$work/results.jsonl
: > "$results"
for job in $jobs; do
    [ -f "$work/$job/sae/sae_weights.safetensors" ] || "$run" write "$work/$job" "$job"
    i=0
    while [ "$i" -lt "$repeats" ]; do
        i=$((i + 1))
        "$run" products "$job" | tee -a "$results"
        "$run" ingest "$work/$job" "$work/one.sqlite" 1 $tokens | tee -a "$results"
        "$run" ingest "$work/$job" "$work/two.sqlite" 2 $tokens | tee -a "$results"
        if "$python" -c "import torch, safetensors" 2> /dev/null; then
            for threads in 1 2; do "$python" Tests/Benchmarks/peers/ingest.py "$work/$job" "$threads" "$contexts" "$work/peer.sqlite" | tee -a "$results"; done
        fi
    done
done
python3 Tests/Benchmarks/peers/table.py "$results"
