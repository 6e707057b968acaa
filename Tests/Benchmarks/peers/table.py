"""Medians of benchmark lines as tables, one for each size of dictionary: python table.py results.jsonl"""
import collections
import json
import statistics
import sys

# What an ingest should reach of the dense products' rate, by features.
WANTED = {4096: 1.6, 32768: 2.0}
COLUMNS = ["tokens_per_cpu_s", "tokens_per_s", "peak_mb", "firings", "bytes_per_firing"]

sizes = collections.OrderedDict()
for line in open(sys.argv[1]):
    line = json.loads(line)
    if "cpu_s" in line:
        line["tokens_per_cpu_s"] = line["tokens"] / line["cpu_s"]
        line["tokens_per_s"] = line["tokens"] / line["wall_s"]
    sizes.setdefault(line["features"], collections.OrderedDict()).setdefault(line["what"], []).append(line)


def table(features, groups):
    def median(what, key):
        values = [line[key] for line in groups.get(what, []) if line.get(key) is not None]
        return statistics.median(values) if values else None

    print(f"{f'{features:,} features':36}{'runs':>5}" + "".join(f"{c:>18}" for c in COLUMNS))
    for what, lines in groups.items():
        cells = [median(what, c) for c in COLUMNS]
        print(f"{what:36}{len(lines):>5}" + "".join(f"{'' if c is None else f'{c:,.2f}' if c < 100 else f'{c:,.0f}':>18}" for c in cells))
    ours, peer, bound = (median(w, "tokens_per_cpu_s") for w in ("ingest, 1 thread", "PyTorch by hand, 1 thread", "dense products alone, 1 thread"))
    if ours and bound:
        wanted = f"   (wanted: {WANTED[features]:.2f})" if features in WANTED else ""
        print(f"ours / dense products alone:            {ours / bound:.2f}{wanted}")
    if ours and peer:
        print(f"ours / PyTorch by hand, per CPU second: {ours / peer:.2f}")
    if ours and features == 4096:
        print(f"ours / SAEDashboard 0.8's 130:          {ours / 130:.0f}   (wanted: 100)")
    one, two = median("ingest, 1 thread", "tokens_per_s"), median("ingest, 2 threads", "tokens_per_s")
    if one and two:
        print(f"two threads / one, wall clock:          {two / one:.2f}   (wanted: 1.80; only on a quiet machine)")
    print()


for features, groups in sizes.items():
    table(features, groups)
