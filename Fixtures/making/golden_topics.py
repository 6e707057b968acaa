"""Planted firings of 14 features in 90 documents on 6 topics, and the evidence that numpy, scipy and scikit-learn find in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats
from sklearn.metrics import precision_recall_fscore_support, roc_auc_score

OUT = Path(__file__).resolve().parent.parent / "goldens" / "topics"
TOPICS = ["law", "music", "code", "tides", "bread", "once"]  # one document is on the last


def firings(feature: int, topic: int, tokens: int, random: np.random.Generator) -> np.ndarray:
    """Values at the first tokens of a document, eighths so that no rounding matters and many are equal."""
    rate = 0.004 * (1 + feature)
    if topic == feature % 6:
        rate *= 6
    if feature % 3 == 0:
        rate *= random.gamma(0.2, 5)
    count = min(tokens, {11: 1, 12: 0}.get(feature, random.poisson(rate * tokens)))
    return np.maximum(1, random.poisson(8 + 8 * (topic == feature % 6), count)) / 8


def z(y: np.ndarray, n: np.ndarray, here: np.ndarray) -> float:
    """The G statistic of two Poisson rates over the design effect, with the sign of their difference."""

    def group(of: np.ndarray) -> tuple[float, float, float]:
        rate, m = y[of].sum() / n[of].sum(), of.sum()
        return y[of].sum(), rate, m / (m - 1) * ((y[of] - rate * n[of]) ** 2).sum()

    (y_t, r_t, q_t), (y_o, r_o, q_o) = group(here), group(~here)
    rate = y.sum() / n.sum()
    g = 2 * (y_t * np.log(r_t / rate) + (y_o * np.log(r_o / rate) if y_o else 0))
    effect = max(1, (q_t + q_o) / y.sum(), q_t / y_t)
    return float((-1 if r_t < r_o else 1) * np.sqrt(max(0, g) / effect))


def threshold(strongest: np.ndarray, here: np.ndarray) -> float | None:
    """Of the values that some document has, the highest of those with the greatest F1."""
    best = (0.0, None)
    for value in np.unique(strongest[strongest > 0])[::-1]:
        taken = strongest >= value
        f1 = 2 * (taken & here).sum() / (taken.sum() + here.sum())
        if f1 > best[0]:
            best = (f1, float(value))
    return best[1]


def write_all() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(20260524)
    topic = np.append(random.integers(0, 5, 89), 5)
    random.shuffle(topic)
    tokens = random.integers(20, 200, 90)
    planted = [[firings(f, t, n, random) for f in range(14)] for t, n in zip(topic, tokens)]
    for document, row in enumerate(planted):  # 11 fires once, on document 40; 13 on every token
        row[11] = row[11] if document == 40 else np.zeros(0)
        row[13] = np.full(tokens[document], 0.5)
    counts = np.array([[len(v) for v in row] for row in planted])
    strongest = np.array([[v.max(initial=0) for v in row] for row in planted])
    held_out = np.zeros(90, bool)
    for t in range(6):
        held_out[np.flatnonzero(topic == t)[1::2]] = True

    rows: list[dict[str, Any]] = []
    for f in range(14):
        for t in range(6):
            here = topic == t
            if counts[here, f].sum() == 0:
                continue
            row: dict[str, Any] = {"feature": f, "topic": TOPICS[t], "z": None, "p": None, "auroc": None, "detector": None}
            if here.sum() > 1:
                row["z"] = z(counts[:, f], tokens, here)
                firing = int((counts[:, f] > 0).sum())
                row["p"] = float(stats.t.sf(row["z"], firing - 1)) if firing > 1 else 1.0
            if (here & held_out).any():
                row["auroc"] = float(roc_auc_score(here[held_out], strongest[held_out, f]))
                value = threshold(strongest[~held_out, f], here[~held_out])
                if value is not None:
                    found = precision_recall_fscore_support(here[held_out], strongest[held_out, f] >= value, average="binary", zero_division=0)
                    row["detector"] = [value, *(float(x) for x in found[:3])]
            rows.append(row)
    tested = [row for row in rows if row["p"] is not None]
    alive = int((counts.sum(0) > 0).sum())
    p = np.ones(alive * 5)
    p[: len(tested)] = [row["p"] for row in tested]
    for row, q in zip(tested, stats.false_discovery_control(p)):
        row["q"] = float(q)
    out = {"topics": [TOPICS[t] for t in topic], "tokens": tokens.tolist(), "firings": [[v.tolist() for v in row] for row in planted], "tests": alive * 5, "rows": rows}
    (OUT / "topics.json").write_text(json.dumps(out, separators=(",", ":")) + "\n")
    print(f"{len(rows)} pairs, {sum(row.get('q', 1) <= 0.05 for row in rows)} at q ≤ .05")
