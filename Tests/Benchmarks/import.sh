#!/bin/sh
# What it costs to bring in a source of Neuronpedia's, beside Python and SQLite, in turns on the same machine:
#
#     Tests/Benchmarks/import.sh [REPEATS]        (default 3)
#
# The job: 2,400 features with 45 examples of 127 tokens (108,000 rows, 205 MB), plain and, once, gzipped.
#   WORK      where it goes (default .build/benchmark)
#   PYTHON    an interpreter, with orjson for a second peer
#   FEATURES  of the job (default 2400)
set -eu
cd "$(dirname "$0")/../.."
work=${WORK:-.build/benchmark}/import python=${PYTHON:-python3} repeats=${1:-3} features=${FEATURES:-2400}
swift build -c release --product benchmarks
run=$(swift build -c release --show-bin-path)/benchmarks
mkdir -p "$work"
dump=$work/dump-$features results=$work/results.jsonl
: > "$results"
note() {
    "$@" > "$work/line"
    tee -a "$results" < "$work/line"
}
[ -d "$dump" ] || "$run" dump "$dump" "$features"
[ -d "$dump-packed" ] || { cp -r "$dump" "$dump-packed.part" && gzip -5 "$dump-packed.part"/*/*.jsonl && mv "$dump-packed.part" "$dump-packed"; }
peers=json
! "$python" -c "import orjson" 2> /dev/null || peers="json orjson"
i=0
while [ "$i" -lt "$repeats" ]; do
    i=$((i + 1))
    for threads in 1 2; do note "$run" import "$dump" "$work/ours.sqlite" "$threads"; done
    for peer in $peers; do note "$python" Tests/Benchmarks/peers/import.py "$dump" "$work/peer.sqlite" "$peer"; done
done
note "$run" import "$dump-packed" "$work/ours.sqlite" 2
