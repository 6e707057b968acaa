#!/bin/sh
# What a lineage costs, beside scipy.sparse and the processor's own rate of products:
#
#     Tests/Benchmarks/lineage.sh
#
# The sparse product (what every feature of A/1 has in common with every one of A/0, on the demonstration's catalogue), the same six sums in scipy.sparse on the
# same firings; cosines of 4,096 × 131,072 decoder rows, and sgemm; the whole lineage; and one of 4,096 × 131,072 features over 10 million generated tokens.
#   WORK    where catalogues and results go (default .build/benchmark; 3 GB with the large one)
#   PYTHON  an interpreter with scipy; without one the peer is left out
#   TOKENS  of the large one (default 10000000); "" leaves it out
# OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE are not passed on: kernels that do not suit the processor are no measure of anything.
set -eu
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
cd "$(dirname "$0")/../.."
work=${WORK:-.build/benchmark}/lineage python=${PYTHON:-python3} tokens=${TOKENS-10000000}
swift build -c release --product benchmarks
swift build -c release --product monoseme
bin=$(swift build -c release --show-bin-path) run=$bin/benchmarks
mkdir -p "$work"
small=$work/small.sqlite large=$work/large.sqlite
[ -f "$small" ] || "$bin/monoseme" ingest --model Fixtures/model-A --sae Fixtures/sae-A-0 --name A/0 --sae Fixtures/sae-A-1 --name A/1 --corpus Fixtures/corpus.jsonl --catalogue "$small" > /dev/null
"$run" cofirings "$small" A/0 A/1 1
! "$python" -c "import scipy" 2> /dev/null || "$python" Tests/Benchmarks/peers/cofirings.py "$small" A/0 A/1
"$run" cosines 4096 131072 512 1
"$run" cosines 4096 131072 512 2
cp "$small" "$work/built.sqlite"
"$run" lineage "$work/built.sqlite" A/0 A/1 2
rm "$work/built.sqlite"
[ -n "$tokens" ] || exit 0
[ -f "$large" ] || "$run" firings "$large" "$tokens" 4096 131072
cp "$large" "$work/built.sqlite"
"$run" lineage "$work/built.sqlite" X/0 X/1 2
rm "$work/built.sqlite"
