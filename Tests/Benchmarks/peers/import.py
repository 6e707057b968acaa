"""The same source into SQLite as a competent hand would write it in Python: python import.py FOLDER OUT.sqlite [json|orjson]

Features, examples with their tokens and values as JSON text, and explanations, each a table with an index by feature; one transaction, executemany by
10,000 rows, no waiting for the disk. It keeps text: no tokens are told apart, nothing can be counted. Prints one line of JSON.
"""
import json
import os
import resource
import sqlite3
import sys
import time


def main():
    folder, out, reader = sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else "json"
    loads, dumps = json.loads, json.dumps
    if reader == "orjson":
        import orjson

        loads, dumps = orjson.loads, lambda v: orjson.dumps(v).decode()
    for ending in ["", "-wal", "-shm"]:
        if os.path.exists(out + ending):
            os.remove(out + ending)
    start, rows, size = time.monotonic(), 0, 0
    db = sqlite3.connect(out)
    db.executescript("""
        PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
        CREATE TABLE feature (idx INTEGER PRIMARY KEY, frac_nonzero REAL, rest TEXT);
        CREATE TABLE example (id TEXT PRIMARY KEY, idx INTEGER, tokens TEXT, vals TEXT, max_value REAL, max_index INTEGER, bin_min REAL, bin_max REAL, bin_contains REAL);
        CREATE TABLE explanation (id TEXT PRIMARY KEY, idx INTEGER, description TEXT, model TEXT, type TEXT);
    """)

    def lines(part):
        nonlocal size
        for name in sorted(os.listdir(f"{folder}/{part}")):
            with open(f"{folder}/{part}/{name}", "rb") as file:
                for line in file:
                    size += len(line)
                    yield loads(line)

    db.executemany("INSERT INTO feature VALUES (?, ?, ?)", ((int(r["index"]), r["frac_nonzero"], dumps(r)) for r in lines("features")))

    def examples():
        nonlocal rows
        for r in lines("activations"):
            rows += 1
            yield (r["id"], int(r["index"]), dumps(r["tokens"]), dumps(r["values"]), r["maxValue"], r["maxValueTokenIndex"], r["binMin"], r["binMax"], r["binContains"])

    db.executemany("INSERT INTO example VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", examples())
    db.executemany("INSERT INTO explanation VALUES (?, ?, ?, ?, ?)", ((r["id"], int(r["index"]), r["description"], r["explanationModelName"], r["typeName"]) for r in lines("explanations")))
    db.execute("CREATE INDEX example_idx ON example (idx)")
    db.commit()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    seconds, usage = time.monotonic() - start, resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"what": f"import.py {reader}", "example_rows": rows, "input_bytes": size, "catalogue_bytes": os.path.getsize(out), "seconds": seconds, "cpu_seconds": usage.ru_utime + usage.ru_stime,
                      "example_rows_per_second": rows / seconds, "memory_peak": usage.ru_maxrss * 1024}))


main()
