"""Nearest neighbours by numpy in float64, over the dictionaries that generated_dictionaries.py makes."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from . import generated_dictionaries

OUT = Path(__file__).resolve().parent.parent / "goldens" / "nearest"

# (recipe, rows, width, queries, neighbours kept)
CASES = [
    ("clustered", 8192, 512, 800, 10), ("clustered", 8192, 512, 32, 100), ("isotropic", 4096, 512, 400, 10), ("isotropic", 4096, 512, 16, 100),
    ("clustered", 700, 2304, 120, 10), ("clustered", 400, 4096, 80, 10), ("isotropic", 400, 4096, 40, 100), ("clustered", 2100, 100, 120, 10), ("isotropic", 1030, 67, 120, 10),
    ("duplicated", 2048, 512, 120, 10), ("duplicated", 2048, 512, 16, 100), ("duplicated", 300, 3, 16, 300), ("near ties", 2048, 512, 160, 10), ("near ties", 1024, 2304, 40, 10),
    ("near ties", 1024, 3, 40, 100), ("tight", 1024, 512, 80, 10), ("tight", 256, 4096, 40, 10), ("zeros", 1500, 512, 80, 10), ("zeros", 120, 3, 16, 120), ("zeros", 30, 1, 16, 30),
    ("opposite", 1024, 512, 80, 10), ("one-hot", 1024, 512, 80, 10), ("one-hot", 300, 100, 16, 300), ("sparse", 2048, 512, 120, 10), ("sparse", 512, 4096, 40, 10),
    ("spiked", 2048, 512, 120, 10), ("spiked", 512, 4096, 40, 10), ("one ulp", 1024, 512, 120, 20), ("one ulp", 512, 2304, 40, 20), ("subnormal", 1024, 512, 80, 10),
    ("isotropic", 2048, 3, 160, 10), ("isotropic", 200, 3, 16, 200), ("isotropic", 100, 1, 16, 100),
    ("isotropic", 1, 1, 16, 10), ("isotropic", 1, 3, 16, 10), ("isotropic", 1, 512, 16, 10), ("isotropic", 1, 2304, 16, 10), ("isotropic", 1, 4096, 16, 10),
]


def brute_force(rows: np.ndarray, queries: np.ndarray, kept: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices and cosines (queries × min(kept, rows that are not zero)) in float64; equal cosines by index.

    Products of two float32 are exact in float64; what a matrix product puts among the kept is summed once more by fsum,
    which rounds once, so that the goldens are the same bits on every machine.
    """
    alive = np.flatnonzero(rows.any(axis=1))
    wide, kept = rows[alive].astype(np.float64), min(kept, len(alive))
    features, cosines = [], []
    for query in queries.astype(np.float64):
        length = math.sqrt(math.fsum(query * query))
        rough = wide @ query / length
        near = np.flatnonzero(rough >= np.sort(rough)[-kept] - 1e-9)
        exact = np.array([math.fsum(row * query) / length for row in wide[near]])
        best = np.argsort(-exact, kind="stable")[:kept]
        features.append(alive[near[best]])
        cosines.append(exact[best])
    return np.array(features, dtype=np.int32), np.array(cosines)


def write_all() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, np.ndarray] = {}
    cases = []
    for number, (recipe, count, width, asked, kept) in enumerate(CASES):
        rows = generated_dictionaries.rows(recipe, count, width, seed=number)
        queries = generated_dictionaries.queries(rows, asked, seed=number)
        tensors[f"{number}.features"], tensors[f"{number}.cosines"] = brute_force(rows, queries, kept)
        digest = lambda array: hashlib.sha256(array.astype("<f4").tobytes()).hexdigest()
        cases.append({"recipe": recipe, "features": count, "width": width, "seed": number, "queries": asked, "kept": kept, "rows_sha256": digest(rows), "queries_sha256": digest(queries)})
    save_file(tensors, str(OUT / "nearest.safetensors"))
    (OUT / "cases.json").write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
