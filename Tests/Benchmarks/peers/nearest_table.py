"""Medians of vector.sh's lines as tables, with ratios to ours, ours first: python nearest_table.py nearest.jsonl"""
import sys

from medians import Lines, cell

OURS = "monoseme"
# What issue 3 wants of peer / ours, by (kind of data, job, peer); only at 131,072 features and more.
WANTED = {("clustered", "faiss-flat"): 9, ("isotropic", "faiss-flat"): 6, ("clustered", "sqlite-vec"): 50, ("isotropic", "sqlite-vec"): 50, ("clustered", "faiss-hnsw-256"): 1}
lines = Lines(sys.argv[1], "data", "job", "what")
for data in dict.fromkeys(data for data, _, _ in lines.groups):
    kind, features = data.split("-")
    print(f"\n{kind}, {int(features):,} × 512, k = 10; CPU ms on one thread, medians\n"
          f"{'':18}{'runs':>5}{'warm':>12}{'/ ours':>10}{'recall':>9}{'cold CPU':>12}{'/ ours':>10}{'cold wall':>12}{'warm MB':>10}{'cold MB':>10}{'disk MB':>10}")
    ours = {job: lines.median("cpu_ms", data, job, OURS) for job in ("warm", "cold")}
    for what in dict.fromkeys([OURS] + [what for of, job, what in lines.groups if of == data and job in ("warm", "cold")]):
        warm, cold = (lines.median("cpu_ms", data, job, what) for job in ("warm", "cold"))
        over = [measured / ours[job] if measured and ours[job] else None for job, measured in (("warm", warm), ("cold", cold))]
        wanted = WANTED.get((kind, what)) if int(features) >= 131072 else None
        print(f"{what:18}{len(lines.groups.get((data, 'warm', what), [])):>5}{cell(warm)}{cell(over[0], 10)}{cell(lines.median('recall', data, 'warm', what), 9)}{cell(cold)}{cell(over[1], 10)}"
              f"{cell(lines.median('wall_ms', data, 'cold', what))}{cell(lines.median('peak_mb', data, 'warm', what), 10)}{cell(lines.median('peak_mb', data, 'cold', what), 10)}"
              f"{cell(lines.median('disk_mb', data, 'cold', what), 10)}" + (f"   (wanted: {wanted})" if wanted else ""))
    for job in dict.fromkeys(job for of, job, _ in lines.groups if of == data and job.startswith("batch")):
        times = {what: lines.median("cpu_s", data, job, what) for of, of_job, what in lines.groups if (of, of_job) == (data, job)}
        print(f"{job}, CPU s: " + ", ".join(f"{what} {cell(time, 0)}" + (f" ({cell(time / times[OURS], 0)} of ours)" if OURS in times and what != OURS else "") for what, time in times.items()))
    counts = [(name, lines.median(column, data, "warm", OURS)) for name, column in (("codes", "codes_scanned"), ("candidates", "candidates"), ("re-ranked", "reranked"), ("MB touched", "touched_mb"))]
    print("a query of ours: " + ", ".join(f"{cell(value, 0)} {name}" for name, value in counts if value is not None))
