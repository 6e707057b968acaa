#!/bin/sh
# What a search costs from the start of the process to its answer, beside what people would do without it, in turns on the same machine:
#
#     Tests/Benchmarks/search.sh [REPEATS]        (default 21)
#
# The data: a generated catalogue of labelled features (see WriteLabels.swift). Beside monoseme search: FTS5's own bm25() over the same table, LIKE over
# the same columns, both by monoseme sql, and rank_bm25 in Python, which must read and cut up all texts first.
#   WORK      where data goes (default .build/benchmark; 150 MB)
#   FEATURES  default 131072
#   PYTHON    an interpreter with rank_bm25; left out where that does not import
set -eu
cd "$(dirname "$0")/../.."
work=${WORK:-.build/benchmark} python=${PYTHON:-python3} repeats=${1:-21} features=${FEATURES:-131072}
swift build -c release --product benchmarks
swift build -c release --product monoseme
bin=$(swift build -c release --show-bin-path) data=$work/labels-$features.sqlite
mkdir -p "$work"
"$bin/benchmarks" labels "$data" "$features"
ours() { what=$1; shift; "$bin/benchmarks" program "monoseme search $what" "$repeats" "$bin/monoseme" search "$@" --json --catalogue "$data"; }
sql() { what=$1; shift; "$bin/benchmarks" program "$what" "$repeats" "$bin/monoseme" sql "$@" --json --catalogue "$data"; }
ours "a rare word" base64
ours "a word of 30 % of labels" the
ours "a word of 30 % of labels, in labels" label:the
ours "two frequent words" "the bo"
ours "either of two frequent words" "the OR bo"
ours "a beginning" "bo*"
ours "a beginning of one letter" "b*"
ours "a phrase" '"the bo"'
ours "a token of signs" 'tokens:"{}"'
ours "the same and a density" the --min-density 0.001 --max-density 0.01
ours "the same and a topic" the --topic DNA
ours "the same and a status" the --status draft
sql "FTS5's bm25(), a word of 30 % of labels" "SELECT rowid, label FROM feature_text WHERE feature_text MATCH 'the' ORDER BY bm25(feature_text, 10, 3, 2, 4, 3, 2), rowid LIMIT 20"
sql "FTS5's bm25(), a beginning" "SELECT rowid, label FROM feature_text WHERE feature_text MATCH 'bo*' ORDER BY bm25(feature_text, 10, 3, 2, 4, 3, 2), rowid LIMIT 20"
sql "LIKE over labels, a rare word" "SELECT rowid, label FROM feature_text WHERE label LIKE '%base64%' LIMIT 20"
sql "LIKE over all columns, a rare word" "SELECT rowid, label FROM feature_text WHERE label LIKE '%base64%' OR tokens LIKE '%base64%' OR logits LIKE '%base64%' OR topics LIKE '%base64%' LIMIT 20"
if "$python" -c 'import rank_bm25' 2> /dev/null; then "$python" Tests/Benchmarks/peers/search.py "$data" base64 the; fi
