#!/bin/sh
# What a nearest search costs, beside the libraries people use for it, in turns on the same machine, on one thread:
#
#     Tests/Benchmarks/vector.sh [REPEATS]        (default 3)
#
# The data: generated dictionaries of 512-wide unit rows, clustered (children around parents, anisotropic) and isotropic (the
# worst case for codes), each with queries (see WriteDictionaries.swift). Every answer is held against float64 products.
#   WORK     where data, indices and results go (default .build/benchmark; 2.8 GB with the defaults)
#   PYTHON   an interpreter with numpy, faiss-cpu, usearch and sqlite-vec, whose sqlite3 loads extensions, as Debian's does;
#            numpy judges the answers, other peers that do not import are left out
#   SIZES    features (default "4096 131072"; 1048576 takes 22 GB)
#   QUERIES  of each dictionary, at most 256 (default 64)
#   PEERS    default: all in peers/vector.py; "" for none. HNSW runs on clustered data only: building it takes 3 minutes for
#            131,072 rows, and is done once
set -eu
cd "$(dirname "$0")/../.."
work=${WORK:-.build/benchmark} python=${PYTHON:-python3} repeats=${1:-3} sizes=${SIZES:-4096 131072} queries=${QUERIES:-64}
swift build -c release --product benchmarks
swift build -c release --product monoseme
bin=$(swift build -c release --show-bin-path) data=$work/vectors
mkdir -p "$data"
# Whatever kernels our BLAS is told to use, a peer's picks its own.
peer() { env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 "$python" Tests/Benchmarks/peers/vector.py "$@"; }
peers=${PEERS-$(peer list)}
# Runs a measurement, keeps and shows its line; stops when it fails, as a pipe would not.
note() {
    "$@" > "$work/line"
    tee -a "$results" < "$work/line"
}
for size in $sizes; do [ -f "$data/isotropic-$size.q.f32" ] || "$bin/benchmarks" dictionaries "$data" "$size"; done
results=$work/nearest.jsonl
: > "$results"
for size in $sizes; do
    for name in "clustered-$size" "isotropic-$size"; do
        "$bin/benchmarks" catalogue "$data/$name.f32" "$data/$name.sqlite"
        peer exact "$data" "$name" "$queries"
        here=
        for one in $peers; do case $one-$name in *hnsw*isotropic*) ;; *) here="$here $one" ;; esac; done
        for one in $here; do note peer build "$data" "$name" "$one"; done
        i=0
        while [ "$i" -lt "$repeats" ]; do
            i=$((i + 1))
            "$bin/benchmarks" nearest "$data/$name.sqlite" 10 "$data/$name.q.f32" "$queries" "$data/$name.answers" > "$work/ours"
            note peer judge "$data" "$name" < "$work/ours"
            note peer cold "$data" "$name" monoseme "$bin/monoseme" near A/0/77 -k 10 --json --catalogue "$data/$name.sqlite"
            for one in $here; do
                note peer warm "$data" "$name" "$one" "$queries"
                note peer cold "$data" "$name" "$one"
                case $one-$name in numpy-clustered*|faiss-flat-clustered*) note peer batch "$data" "$name" "$one" 4096 ;; esac
            done
        done
    done
done
"$python" Tests/Benchmarks/peers/nearest_table.py "$results"
# Whole dictionaries, beside OpenBLAS's products and a selection.
small=${sizes%% *} large=${sizes##* }
for columns in "$data/clustered-$large.f32" self; do
    [ "$columns" = self ] && rows=$large || rows=$small
    env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE "$bin/benchmarks" graph "$data/clustered-$rows.f32" "$columns" 10 1
done
