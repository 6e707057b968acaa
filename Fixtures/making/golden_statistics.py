"""The end-to-end golden: two documents of every topic through model-A, A/0 and A/1, by torch in float32."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save_file
from tokenizers import Tokenizer

from . import activations, language_models
from .evaluation import Evaluation, evaluate

FIXTURES = Path(__file__).resolve().parent.parent
OUT = FIXTURES / "goldens" / "statistics"
DOCUMENTS_PER_TOPIC = 2


def chosen_documents() -> list[tuple[int, str, str]]:
    """(line number from 0, topic, text) of the first documents of every topic, in the order of the file."""
    taken: dict[str, int] = {}
    chosen = []
    for number, line in enumerate((FIXTURES / "corpus.jsonl").read_text().split("\n")[:-1]):
        document = json.loads(line)
        topic = document["meta"]["pile_set_name"]
        if taken.get(topic, 0) < DOCUMENTS_PER_TOPIC:
            taken[topic] = taken.get(topic, 0) + 1
            chosen.append((number, topic, document["text"]))
    return chosen


def logit_weights(name: str, features: list[int]) -> list[dict[str, Any]]:
    """v = (γ ⊙ (u − mean u)) · W_Uᵀ with u = d · W_down and d of unit norm, less v's median over the vocabulary.

    γ is the gain of the final layer norm; its division by the standard deviation is left out. W_down is c_proj's
    weight, [512, 128], W_U the embedding, [6144, 128]. float64 throughout; the median is numpy's (of an even count,
    the mean of the middle two).
    """
    model = language_models.load(FIXTURES / "model-A")
    tokenizer = Tokenizer.from_file(str(FIXTURES / "model-A" / "tokenizer.json"))
    down = model.transformer.h[0].mlp.c_proj.weight.detach().double().numpy()
    gain = model.transformer.ln_f.weight.detach().double().numpy()
    unembedding = model.transformer.wte.weight.detach().double().numpy()
    rows = activations.load(FIXTURES / name)["W_dec"].double().numpy()
    out = []
    for feature in features:
        u = rows[feature] / np.linalg.norm(rows[feature]) @ down
        v = (gain * (u - u.mean())) @ unembedding.T
        v -= np.median(v)
        order = np.argsort(-v, kind="stable")

        def entries(ids: np.ndarray) -> list[dict[str, Any]]:
            return [{"id": int(i), "token": tokenizer.id_to_token(int(i)), "weight": round(float(v[i]), 7)} for i in ids]

        out.append({"feature": feature, "top": entries(order[:10]), "bottom": entries(order[::-1][:10])})
    return out


def spread_choice(evaluation: Evaluation, count: int) -> list[int]:
    """Features spread evenly over the order of firing, so that frequent and rare ones are among them."""
    alive = np.flatnonzero(evaluation.firings >= 5)
    order = alive[np.argsort(-evaluation.firings[alive], kind="stable")]
    return sorted(int(order[i]) for i in np.linspace(0, len(order) - 1, count).astype(int))


def write_all() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    documents = chosen_documents()
    topics = sorted({topic for _, topic, _ in documents})
    summary: dict[str, Any] = {
        "documents": [number for number, _, _ in documents],
        "topic_of_document": [topic for _, topic, _ in documents],
        "dictionaries": {},
    }
    for short in ("A-0", "A-1"):
        found = evaluate(FIXTURES, f"sae-{short}", [text for _, _, text in documents])
        tensors = {k: getattr(found, k) for k in ("firings", "sum", "sum_of_squares", "maximum", "documents")}
        save_file(tensors, OUT / f"{short}.safetensors")
        (OUT / f"{short}.safetensors").chmod(0o644)
        features = spread_choice(found, 20)
        by_topic = {
            topic: [int(sum(d[f] for d, (_, t, _) in zip(found.firings_by_document, documents) if t == topic)) for f in features] for topic in topics
        }
        summary["tokens"] = found.tokens
        summary["predictions"] = found.predictions
        summary["dictionaries"][short.replace("-", "/")] = {
            "l0": found.l0,
            "explained_variance": found.explained_variance,
            "dead": found.dead,
            "loss": {kind: found.mean_loss(kind) for kind in found.loss},
            "loss_recovered_zero": found.recovered("zero"),
            "loss_recovered_mean": found.recovered("mean"),
            "chosen_features": features,
            "firings_by_topic": by_topic,
            "logit_weights": logit_weights(f"sae-{short}", features[::4]),
        }
    (OUT / "statistics.json").write_text(json.dumps(summary, indent=1, ensure_ascii=False) + "\n")
    print(f"{summary['tokens']} tokens, {len(documents)} documents", {k: round(v["l0"], 2) for k, v in summary["dictionaries"].items()})
