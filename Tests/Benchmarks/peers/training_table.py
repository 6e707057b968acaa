"""Medians of train.sh's lines as tables, with our ratios to the peers: python training_table.py results.jsonl"""
import sys

from medians import Lines, cell

# What issue 4 wants of ours / PyTorch's plain loop, per CPU second; and of two threads / one, wall clock; and at most in MB.
WANTED, THREADS_WANTED, MEMORY_WANTED = {"new": 1.2, "trained": 2.5}, 1.8, 6000
TITLES = {"new": "from a new dictionary", "trained": "from a trained dictionary"}
COLUMNS = ["samples_per_cpu_s", "samples_per_s", "l0", "peak_mb"]
lines = Lines(sys.argv[1], "features", "start", "what")


def ours(threads, recipe="towards-monosemanticity"):
    return f"ours, {recipe}, {threads} thread{'' if threads == 1 else 's'}"


for features, start in dict.fromkeys(key[:2] for key in lines.groups):
    def median(what, column):
        return lines.median(column, features, start, what)

    print(f"\n{f'{features:,} features, {TITLES[start]}':50}{'runs':>5}" + "".join(f"{column:>20}" for column in COLUMNS) + f"{'ours / it per CPU s':>22}{'wall clock':>12}")
    for (size, of, what), group in lines.groups.items():
        if (size, of) != (features, start):
            continue
        ratios = [None, None]
        if not what.startswith("ours"):
            same = ours(int(what.rsplit(", ", 1)[1].split()[0]))
            ratios = [median(same, column) / median(what, column) if median(same, column) else None for column in COLUMNS[:2]]
        wanted = f"   (wanted: {WANTED[start]})" if what.startswith("PyTorch, plain, ") else ""
        if features >= 131072:
            wanted = f"   (wanted: at most {MEMORY_WANTED:,} MB)"
        print(f"{what:50}{len(group):>5}" + "".join(cell(median(what, column), 20) for column in COLUMNS) + cell(ratios[0], 22) + cell(ratios[1]) + wanted)
    one, two = (median(ours(threads), "samples_per_s") for threads in (1, 2))
    if one and two:
        print(f"two threads / one, wall clock: {two / one:.2f}   (wanted: {THREADS_WANTED}; only on a quiet machine)")
