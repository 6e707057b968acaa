"""Other libraries' nearest searches, one thread, over what `benchmarks dictionaries` wrote; lines of JSON.

    vector.py list                            the peers that import here
    vector.py exact FOLDER DATA QUERIES       keeps the true neighbours, by float64
    vector.py build FOLDER DATA PEER          makes the peer's form on disk, unless it is there
    vector.py warm FOLDER DATA PEER QUERIES   single queries: median CPU time, recall
    vector.py batch FOLDER DATA PEER COUNT    the neighbours of COUNT of its own rows at once: CPU time, recall
    vector.py answer FOLDER DATA PEER         opens the stored form, answers for row 77, ends
    vector.py cold FOLDER DATA PEER [COMMAND…]  runs `answer`, or COMMAND, some times: CPU and wall time of the process
    vector.py judge FOLDER DATA               adds the recall of DATA.answers to a line from standard input
"""
import json
import os
import resource
import sys
import time

WIDTH, K, ROW, RUNS = 512, 10, 77, 7


def array(path, mapped=False):
    import numpy as np
    return (np.memmap(path, "<f4", "r") if mapped else np.fromfile(path, "<f4")).reshape(-1, WIDTH)


class Numpy:
    """One product of the matrix, and the ten greatest of it."""
    suffix = "f32"

    def __init__(self, stem):
        self.path = f"{stem}.f32"

    def build(self, rows): pass

    def open(self, mapped):
        import numpy
        self.numpy, self.rows = numpy, array(self.path, mapped)

    def query(self, query):
        scores = self.rows @ query
        best = self.numpy.argpartition(-scores, K)[:K]
        return best[self.numpy.argsort(-scores[best])]

    def batch(self, queries):
        found = []
        for first in range(0, len(queries), 512):
            scores = queries[first:first + 512] @ self.rows.T
            best = self.numpy.argpartition(-scores, K, axis=1)[:, :K]
            order = self.numpy.argsort(-self.numpy.take_along_axis(scores, best, 1), axis=1)
            found.append(self.numpy.take_along_axis(best, order, 1))
        return self.numpy.concatenate(found)


class FaissFlat:
    def __init__(self, stem):
        self.path = f"{stem}.flat.faiss"

    def build(self, rows):
        import faiss
        index = faiss.IndexFlatIP(WIDTH)
        index.add(rows)
        faiss.write_index(index, self.path)

    def open(self, mapped):
        import faiss
        faiss.omp_set_num_threads(1)
        self.index = faiss.read_index(self.path, faiss.IO_FLAG_MMAP if mapped else 0)

    def query(self, query):
        return self.index.search(query[None], K)[1][0]

    def batch(self, queries):
        return self.index.search(queries, K)[1]


class FaissHNSW(FaissFlat):
    def __init__(self, stem, ef):
        self.path, self.ef = f"{stem}.hnsw.faiss", ef

    def build(self, rows):
        import faiss
        faiss.omp_set_num_threads(1)
        index = faiss.IndexHNSWFlat(WIDTH, 32, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = 100
        index.add(rows)
        faiss.write_index(index, self.path)

    def open(self, mapped):
        super().open(False)
        self.index.hnsw.efSearch = self.ef


class Usearch(Numpy):
    def open(self, mapped):
        from usearch.index import MetricKind, search
        self.search, self.metric, self.rows = search, MetricKind.IP, array(self.path, mapped)

    def query(self, query):
        return self.search(self.rows, query[None], K, self.metric, exact=True, threads=1).keys.reshape(-1)


class SQLiteVec:
    """vec0 with cosine distance; SQLite maps the file and may keep all of it."""
    def __init__(self, stem):
        self.path = f"{stem}.vec.sqlite"

    def connect(self):
        import sqlite3

        import sqlite_vec
        self.connection = sqlite3.connect(self.path)
        self.connection.enable_load_extension(True)
        sqlite_vec.load(self.connection)

    def build(self, rows):
        self.connect()
        self.connection.execute(f"CREATE VIRTUAL TABLE decoder USING vec0(vector float[{WIDTH}] distance_metric=cosine)")
        self.connection.executemany("INSERT INTO decoder (rowid, vector) VALUES (?, ?)", ((i, row.tobytes()) for i, row in enumerate(rows)))
        self.connection.commit()
        self.connection.close()

    def open(self, mapped):
        self.connect()
        self.connection.execute("PRAGMA mmap_size = 8000000000")
        self.connection.execute("PRAGMA cache_size = -400000")

    def query(self, query):
        found = self.connection.execute("SELECT rowid FROM decoder WHERE vector MATCH ? AND k = ? ORDER BY distance", (query.tobytes(), K))
        return [row for row, in found]


PEERS = {
    "faiss-flat": ("faiss", FaissFlat), "faiss-hnsw-64": ("faiss", lambda stem: FaissHNSW(stem, 64)), "faiss-hnsw-256": ("faiss", lambda stem: FaissHNSW(stem, 256)),
    "usearch-exact": ("usearch", Usearch), "sqlite-vec": ("sqlite_vec", SQLiteVec), "numpy": ("numpy", Numpy),
}


def emit(**line):
    print(json.dumps(line), flush=True)


def imports(module):
    try:
        __import__(module)
        return True
    except ImportError:
        return False


def exact(folder, data, count):
    """The ten nearest of each query: the best by float32, put in order by float64."""
    import numpy as np
    rows, queries = array(f"{folder}/{data}.f32", True), array(f"{folder}/{data}.q.f32")[:count]
    scores, true = queries @ rows.T, []
    for query, score in zip(queries.astype(np.float64), scores):
        near = np.argpartition(-score, 2 * K)[:2 * K] if len(score) > 2 * K else np.arange(len(score))
        near.sort()
        true.append(near[np.argsort(-(rows[near].astype(np.float64) @ query), kind="stable")][:K])
    np.save(f"{folder}/{data}.true.npy", np.array(true))


def recall(folder, data, answers):
    """Of the true neighbours, the part that was found."""
    import numpy as np
    true = np.load(f"{folder}/{data}.true.npy")
    return round(float(np.mean([len(set(map(int, a)) & set(map(int, t))) / len(t) for a, t in zip(answers, true)])), 4)


def build(folder, data, name):
    peer = PEERS[name][1](f"{folder}/{data}")
    if not os.path.exists(peer.path):
        start, path = time.process_time(), peer.path
        # An interrupted build leaves nothing that looks like an index.
        peer.path = path + ".part"
        if os.path.exists(peer.path):
            os.remove(peer.path)
        peer.build(array(f"{folder}/{data}.f32"))
        os.replace(peer.path, path)
        emit(data=data, what=name, job="build", cpu_s=round(time.process_time() - start, 2))


def warm(folder, data, name, count):
    from statistics import median
    queries = array(f"{folder}/{data}.q.f32")[:count]
    peer = PEERS[name][1](f"{folder}/{data}")
    peer.open(False)
    peer.query(queries[0])
    spent, answers = [], []
    for query in queries:
        start = time.process_time()
        answers.append(peer.query(query))
        spent.append((time.process_time() - start) * 1000)
    emit(data=data, what=name, job="warm", queries=count, k=K, cpu_ms=round(median(spent), 4), recall=recall(folder, data, answers),
         peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 // 1000000)


def batch(folder, data, name, count):
    queries = array(f"{folder}/{data}.f32", True)[:count].copy()
    peer = PEERS[name][1](f"{folder}/{data}")
    peer.open(False)
    peer.batch(queries[:8])
    start = time.process_time()
    answers = peer.batch(queries)
    spent = time.process_time() - start
    # A row is its own nearest; the others are held against the same library's single queries.
    same = sum(len(set(map(int, peer.query(query))) & set(map(int, answer))) for query, answer in zip(queries[:32], answers))
    emit(data=data, what=name, job=f"batch of {count}", k=K, cpu_s=round(spent, 3), recall=round(same / K / len(queries[:32]), 4))


def answer(folder, data, name):
    peer = PEERS[name][1](f"{folder}/{data}")
    peer.open(True)
    print(*peer.query(array(f"{folder}/{data}.f32", True)[ROW]))


def cold(folder, data, name, command):
    from statistics import median
    path = f"{folder}/{data}.sqlite" if command else PEERS[name][1](f"{folder}/{data}").path
    command = command or [sys.executable, os.path.abspath(__file__), "answer", folder, data, name]
    cpu, wall, peak = [], [], 0
    for run in range(RUNS + 1):
        start = time.perf_counter()
        # A child's peak begins at its parent's size, so this process imports nothing large.
        child = os.posix_spawn(command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)])
        _, status, used = os.wait4(child, 0)
        if status:
            sys.exit(f"{command} failed")
        if run:  # The first fills the page cache.
            wall.append((time.perf_counter() - start) * 1000)
            cpu.append((used.ru_utime + used.ru_stime) * 1000)
            peak = max(peak, used.ru_maxrss * 1024 // 1000000)
    emit(data=data, what=name, job="cold", cpu_ms=round(median(cpu), 2), wall_ms=round(median(wall), 2), peak_mb=peak, disk_mb=round(os.path.getsize(path) / 1e6, 1))


def judge(folder, data):
    import numpy as np
    line = json.loads(sys.stdin.read())
    line["recall"] = recall(folder, data, np.fromfile(f"{folder}/{data}.answers", "<i4").reshape(-1, K))
    emit(**line)


def main(command, folder=None, data=None, *rest):
    if command == "list":
        missing = [module for module in dict.fromkeys(module for module, _ in PEERS.values()) if not imports(module)]
        if missing:
            print(f"left out, not to be imported by {sys.executable}: {', '.join(missing)}", file=sys.stderr)
        print(*(name for name, (module, _) in PEERS.items() if module not in missing))
    elif command == "exact":
        exact(folder, data, int(rest[0]))
    elif command == "warm":
        warm(folder, data, rest[0], int(rest[1]))
    elif command == "batch":
        batch(folder, data, rest[0], int(rest[1]))
    elif command == "cold":
        cold(folder, data, rest[0], list(rest[1:]))
    else:
        {"build": build, "answer": answer, "judge": judge}[command](folder, data, *rest)


if __name__ == "__main__":
    main(*sys.argv[1:])
