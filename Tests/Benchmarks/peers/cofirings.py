"""scipy.sparse on the firings of two versions of a catalogue: python cofirings.py CATALOGUE COARSE FINE

The six sums that `benchmarks cofirings` finds of every pair, as six products of sparse matrices; and one of them alone. One line of JSON. Features that fire
on fewer than 30 tokens are left out, as there. scipy uses one thread.
"""
import json
import sqlite3
import sys
import time

import numpy as np
import scipy
import scipy.sparse as sparse


def varints(data):
    """All numbers of seven bits a byte, the low ones first."""
    ends = np.flatnonzero(data < 128)
    starts = np.concatenate([[0], ends[:-1] + 1])
    shifts = (np.arange(len(data)) - np.repeat(starts, ends - starts + 1)).astype(np.uint64) * np.uint64(7)
    return np.add.reduceat((data & 127).astype(np.uint64) << shifts, starts).astype(np.int64)


def decode(blob):
    """Sources/FeatureCatalogue/Firings/PostingList.swift has the layout."""
    data = np.frombuffer(blob, np.uint8)
    exponent = np.int8(data[0])
    at = 2 + int(np.flatnonzero(data[1:12] < 128)[0])
    count = int(varints(data[1:at])[0])
    steps = varints(data[at : len(data) - 2 * count])
    values = np.frombuffer(data[len(data) - 2 * count :].tobytes(), np.float16).astype(np.float32) * np.float32(2.0) ** exponent
    return np.cumsum(steps), values


def firings(connection, name):
    run, features, tokens = connection.execute(
        "SELECT r.id, d.features, r.tokens FROM run AS r JOIN dictionary AS d ON d.id = r.dictionary_id WHERE d.name = ?", [name]).fetchone()
    rows, columns, values = [], [], []
    for segment, first in connection.execute("SELECT id, first_position FROM segment WHERE run_id = ? ORDER BY ordinal", [run]).fetchall():
        for key, blob in connection.execute("SELECT id, list FROM posting WHERE id >= ? AND id < ?", [segment << 24, (segment + 1) << 24]):
            positions, activations = decode(blob)
            rows.append(positions + first)
            columns.append(np.full(len(positions), key - (segment << 24)))
            values.append(activations)
    matrix = sparse.csr_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=(tokens, features))
    matrix.sort_indices()
    often = np.bincount(matrix.indices, minlength=features) >= 30
    return matrix[:, often]


def main():
    connection = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
    coarse, fine = (firings(connection, name) for name in sys.argv[2:4])

    def power(matrix, exponent):
        return sparse.csr_matrix((matrix.data.astype(np.float64) ** exponent, matrix.indices, matrix.indptr), shape=matrix.shape)

    # The transposes are made before the clock starts, as our own are.
    a, b = [power(coarse, e).T.tocsr() for e in range(3)], [power(fine, e) for e in range(3)]
    start = time.process_time()
    together = a[0] @ b[0]
    one = time.process_time() - start
    product = a[1] @ b[1]
    others = [a[2] @ b[0], a[0] @ b[2], a[1] @ b[0], a[0] @ b[1]]
    six = time.process_time() - start
    print(json.dumps({
        "what": f"scipy {scipy.__version__}: co-firings of {sys.argv[2]} and {sys.argv[3]}",
        "one_product_cpu_s": one, "six_products_cpu_s": six, "pairs": together.nnz, "together": int(together.sum()), "product": float(product.sum())}))


if __name__ == "__main__":
    main()
