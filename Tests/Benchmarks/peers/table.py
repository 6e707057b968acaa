"""Medians of benchmark lines as a table: python table.py results.jsonl"""
import sys

from medians import Lines

lines = Lines(sys.argv[1], "what")
for group in lines.groups.values():
    for line in group:
        if "cpu_s" in line:
            line["tokens_per_cpu_s"] = line["tokens"] / line["cpu_s"]
            line["tokens_per_s"] = line["tokens"] / line["wall_s"]


def median(what, key):
    return lines.median(key, what)


columns = ["tokens_per_cpu_s", "tokens_per_s", "peak_mb", "firings", "bytes_per_firing"]
print(f"{'':36}{'runs':>5}" + "".join(f"{c:>18}" for c in columns))
for (what,), group in lines.groups.items():
    cells = [median(what, c) for c in columns]
    print(f"{what:36}{len(group):>5}" + "".join(f"{'' if c is None else f'{c:,.2f}' if c < 100 else f'{c:,.0f}':>18}" for c in cells))
ours, peer, bound = (median(w, "tokens_per_cpu_s") for w in ("ingest, 1 thread", "PyTorch by hand, 1 thread", "dense products alone, 1 thread"))
if ours and peer:
    print(f"ours / PyTorch by hand, per CPU second: {ours / peer:.2f}   (wanted: 1.15)")
if ours and bound:
    print(f"ours / dense products alone:            {ours / bound:.2f}   (wanted: 0.80)")
if ours:
    print(f"ours / SAEDashboard 0.8's 130:          {ours / 130:.0f}   (wanted: 100)")
one, two = median("ingest, 1 thread", "tokens_per_s"), median("ingest, 2 threads", "tokens_per_s")
if one and two:
    print(f"two threads / one, wall clock:          {two / one:.2f}   (wanted: 1.80; only on a quiet machine)")
