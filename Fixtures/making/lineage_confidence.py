"""Fits the confidence of lineage edges on planted hierarchies, and measures the tiers, on families used for tuning and on others.

    swift build -c release --product benchmarks
    python Fixtures/making/lineage_confidence.py .build/release/benchmarks FOLDER

FOLDER keeps the evidence, one CSV a dictionary family and seed (some 5 minutes on two free cores for all 240), so that a second call only reads. Prints the constants of
Sources/FeatureCatalogue/Lineage/LineageConfidence.swift and the tables of Fixtures/README.md.
"""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

# roots, children, grandchildren, flat nodes, width; whether the nodes below a node exclude each other.
TUNING = {"8x4x2": ("8,4,2,16,64", "exclusive"), "8x4x2 any": ("8,4,2,16,64", "any"), "10x3x2": ("10,3,2,16,64", "exclusive"), "8x4x1 any": ("8,4,1,16,64", "any")}
HELD_OUT = {"H2 6x3x3 any": ("6,3,3,16,48", "any"), "H3 12x5x1": ("12,5,1,16,96", "exclusive"), "7x3x3": ("7,3,3,16,56", "exclusive"), "9x4x2 any": ("9,4,2,16,80", "any")}
# Looked at once, when everything else was settled.
UNSEEN = {"5x6x2": ("5,6,2,16,72", "exclusive"), "10x2x3 any": ("10,2,3,16,56", "any")}
FAMILIES = TUNING | HELD_OUT | UNSEEN
RECIPES = {
    "towards-monosemanticity, l1 .004": ["towards-monosemanticity", "l1=0.004", "learning_rate=0.005"],
    "towards-monosemanticity, l1 .008": ["towards-monosemanticity", "l1=0.008", "learning_rate=0.005"],
    "april-2024, l1 4": ["april-2024", "l1=4", "learning_rate=0.001"],
    "april-2024, l1 8": ["april-2024", "l1=8", "learning_rate=0.001"],
    "topk, k 2": ["topk", "k=2", "learning_rate=0.003"],
    "topk, k 3": ["topk", "k=3", "learning_rate=0.003"],
    "batch-topk, k 1": ["batch-topk", "k=1", "learning_rate=0.01"],
    "jumprelu": ["jumprelu", "sparsity=0.15", "learning_rate=0.01", "bandwidth=0.1", "threshold=0.05"],
}
RELU = list(RECIPES)[:4]
SEEDS = [1, 2, 3]
MODELS = {"both": ["coverage", "keep", "cosine", "masked"], "activations": ["coverage", "correlation", "masked"], "decoders": ["cosine", "containment"]}


def wilson_low(p: np.ndarray, n: np.ndarray) -> np.ndarray:
    z, n = 1.959963984540054, np.maximum(n, 1e-9)
    return np.maximum(0, (p + z * z / (2 * n) - z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))) / (1 + z * z / n))


class Evidence:
    """Columns of one CSV or of several, and what follows from them."""

    def __init__(self, columns: dict[str, np.ndarray]) -> None:
        self.columns = columns
        self.truth = columns["truth"] > 0
        parents, children, together = columns["parent_firings"], columns["child_firings"], columns["together"]
        self.counted = together / np.maximum(children, 1)
        self.coverage, self.keep = np.minimum(1, columns["mass_coverage"]), np.minimum(1, columns["mass_keep"])
        self.low = wilson_low(self.coverage, columns["effective_firings"])
        density = parents / columns["tokens"]
        frequent = np.minimum(parents, children) >= 30
        self.frequent = frequent
        self.active = frequent & (together >= 5) & ((self.coverage - density) / (1 - density) >= 0.35)
        self.paper = frequent & (columns["masked_cosine"] >= 0.4)
        cosine, containment, correlation = columns["decoder_cosine"], columns["containment"], columns["activation_correlation"]
        carried = frequent & (cosine >= 0.6) & (containment >= 0.75)
        # LineageRule's tiers, again.
        near = self.active & (cosine >= 0.25)
        self.likely = near & (self.low >= 0.5) & (cosine >= 0.45) & ((self.coverage >= self.keep + 0.2) | (correlation >= 0.7))
        self.asserted = self.likely & (self.coverage >= 0.9) & (cosine >= 0.5)
        # The edges of each model: all of them, and those with one half of the evidence taken away.
        self.counts = frequent & (together >= 5) & (self.counted >= 0.7)
        self.edges = {
            "both": near & ((self.low >= 0.5) | (columns["masked_cosine"] >= 0.4)) | carried & (self.keep <= 0.3),
            "activations": self.active & ((self.low >= 0.5) | (columns["masked_cosine"] >= 0.4)),
            "decoders": carried | (frequent & (cosine >= 0.7)),
        }

    def inputs(self, names: list[str]) -> np.ndarray:
        def logit(p: np.ndarray) -> np.ndarray:
            p = np.clip(p, 0.002, 0.998)
            return np.log(p / (1 - p))

        values = {
            "coverage": logit(self.low), "keep": logit(self.keep), "cosine": self.columns["decoder_cosine"], "correlation": self.columns["activation_correlation"],
            "masked": self.columns["masked_cosine"], "containment": np.clip(self.columns["containment"], -1, 2.5),
        }
        return np.column_stack([values[name] for name in names] + [np.ones(len(self.truth))])


def read(paths: list[Path]) -> Evidence:
    names = paths[0].read_text().split("\n", 1)[0].split(",")
    rows = [line.split(",") for path in paths for line in path.read_text().splitlines()[1:]]
    columns = {name: np.array([row[at] for row in rows], dtype=float) for at, name in enumerate(names) if name != "tier"}
    return Evidence(columns)


def fit(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Logistic regression by Newton's method."""
    w = np.zeros(x.shape[1])
    for _ in range(60):
        p = 1 / (1 + np.exp(-x @ w))
        w += np.linalg.solve(x.T @ (x * (p * (1 - p) + 1e-9)[:, None]) + 1e-6 * np.eye(len(w)), x.T @ (y - p))
    return w


def calibration(p: np.ndarray, truth: np.ndarray) -> str:
    bins, high = np.minimum((p * 10).astype(int), 9), p >= 0.9
    error = sum(abs(p[bins == b].sum() - truth[bins == b].sum()) for b in range(10)) / max(1, len(p))
    return f"{error:.3f} | {truth[high].mean():.3f}"


def rates(named: np.ndarray, truth: np.ndarray) -> str:
    right = (named & truth).sum()
    return f"{right / max(1, named.sum()):.3f} / {right / max(1, truth.sum()):.2f}"


def main() -> None:
    program, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(family, recipe, seed) for family in FAMILIES for recipe in RECIPES for seed in SEEDS]

    def path(job: tuple[str, str, int]) -> Path:
        return folder / f"{job[0]}, {job[1]}, {job[2]}.csv"

    def make(job: tuple[str, str, int]) -> None:
        family, recipe, seed = job
        if path(job).exists():
            return
        name, *settings = RECIPES[recipe]
        made = subprocess.run([program, "hierarchy", *FAMILIES[family], name, str(seed), *settings], capture_output=True, text=True, check=True, env={"OPENBLAS_NUM_THREADS": "1"})
        path(job).write_text(made.stdout)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(make, jobs))

    def evidence(families: dict, recipes: list[str]) -> Evidence:
        return read([path((family, recipe, seed)) for family in families for recipe in recipes for seed in SEEDS])

    tuning = evidence(TUNING, list(RECIPES))
    weights = {}
    for model, names in MODELS.items():
        edges = tuning.edges[model]
        weights[model] = np.round(fit(tuning.inputs(names)[edges], tuning.truth[edges].astype(float)), 2)
        print(f"{model}: {dict(zip(names + ['bias'], weights[model].tolist()))}")

    def probabilities(of: Evidence, model: str) -> np.ndarray:
        return 1 / (1 + np.exp(-of.inputs(MODELS[model]) @ weights[model]))

    print("\nprecision / recall | asserted | asserted and likely | the paper's rule | counted coverage ≥ .7 | ECE | right of ≥ .9")
    groups = {"all ReLU": RELU, "both TopK": [r for r in RECIPES if r.startswith("topk")]} | {recipe: [recipe] for recipe in RECIPES}
    for title, families in {"tuning": TUNING, "H2, H3": dict(list(HELD_OUT.items())[:2]), "7x3x3, 9x4x2 any": dict(list(HELD_OUT.items())[2:]), "unseen": UNSEEN}.items():
        for name, recipes in groups.items():
            e = evidence(families, recipes)
            edges = e.edges["both"]
            print(f"| {title} | {name} | {rates(e.asserted, e.truth)} | {rates(e.likely, e.truth)} | {rates(e.paper, e.truth)} | {rates(e.counts, e.truth)}"
                  f" | {calibration(probabilities(e, 'both')[edges], e.truth[edges])} |")
    print("\nECE | right of ≥ .9")
    for title, families in {"tuning": TUNING, "held out": HELD_OUT, "unseen": UNSEEN}.items():
        e = evidence(families, list(RECIPES))
        for model in MODELS:
            edges = e.edges[model]
            print(f"| {title} | {model} | {edges.sum()} edges | {calibration(probabilities(e, model)[edges], e.truth[edges])} |")


main()
