"""Tags by Python's re and numpy: which tokens hold a byte of a match, and how features of A/0 and A/1 go with them.

Token counts are of the whole corpus; statistics of features are of the documents of the statistics' golden.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer

from . import activations, language_models
from .golden_statistics import chosen_documents

FIXTURES = Path(__file__).resolve().parent.parent
OUT = FIXTURES / "goldens" / "tags"

TAGS: dict[str, tuple[str, str]] = {
    "base64-run": ("regex", r"[A-Za-z0-9+/]{40,}={0,2}"),
    "hex-run": ("regex", r"(?i)\b(?:0x)?[0-9a-f]{8,}\b"),
    "dna-run": ("regex", r"[ACGT]{12,}"),
    "the": ("regex", r"(?i)\bthe\b|\n+"),
    "arabic-script": ("range", "Arabic"),
    "hebrew-script": ("range", "Hebrew"),
    "east": ("range", "CJK Unified Ideographs, Hangul Syllables"),
}
BLOCKS = {"Arabic": (0x600, 0x6FF), "Hebrew": (0x590, 0x5FF), "CJK Unified Ideographs": (0x4E00, 0x9FFF), "Hangul Syllables": (0xAC00, 0xD7AF)}


def byte_of_character() -> dict[str, int]:
    """The bytes behind the characters in which byte-level tokens are written (GPT-2's table)."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in plain]
    return {chr(b): b for b in plain} | {chr(256 + i): b for i, b in enumerate(others)}


def marked_tokens(kind: str, definition: str, text: str, sizes: list[int]) -> np.ndarray:
    """One bool a token: does any of its bytes belong to a match?"""
    ends = np.cumsum([0] + [len(c.encode()) for c in text])
    if kind == "regex":
        spans = [m.span() for m in re.finditer(definition, text)]
    else:
        ranges = [BLOCKS[name] for name in definition.split(", ")]
        spans = [(i, i + 1) for i, c in enumerate(text) if any(low <= ord(c) <= high for low, high in ranges)]
    marked = np.zeros(ends[-1] + 1, np.int64)
    for low, high in spans:
        marked[ends[low] : ends[high]] = 1
    before = np.cumsum(np.concatenate([[0], marked[:-1]]))
    edges = np.cumsum([0] + sizes)
    return before[edges[1:]] > before[edges[:-1]]


@torch.no_grad()
def activations_of(name: str, texts: list[str]) -> np.ndarray:
    """f·‖d‖ of every token, (tokens × features), float64."""
    folder, sae = FIXTURES / f"model-{name.split('-')[1]}", activations.load(FIXTURES / name)
    model, tokenizer = language_models.load(folder), Tokenizer.from_file(str(folder / "tokenizer.json"))
    rows = []
    for document in language_models.tokenise(tokenizer, texts):
        for context in language_models.contexts(document):
            x = activations.neurons(model, torch.from_numpy(context)[None])
            rows.append((torch.relu(x @ sae["W_enc"] + sae["b_enc"]) * sae["W_dec"].norm(dim=1)).numpy().astype(np.float64))
    return np.concatenate(rows)


def statistics(f: np.ndarray, c: np.ndarray) -> dict[str, Any]:
    """Of the five features that correlate most, and of five spread over the others that fire on the tag."""
    fires = f > 0
    together = (fires & c[:, None]).sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        centred, mark = f - f.mean(0), c - c.mean()
        correlation = np.nan_to_num((centred * mark[:, None]).sum(0) / np.sqrt((centred**2).sum(0) * (mark**2).sum()))
    order = [int(i) for i in np.argsort(-correlation, kind="stable") if together[i] >= 5]
    chosen = sorted(set(order[:5]) | {order[i] for i in np.linspace(0, len(order) - 1, 5).astype(int)})
    out = []
    for i in chosen:
        binary = np.corrcoef(fires[:, i], c)[0, 1]
        strengths = f[fires[:, i], i]
        interval = np.ceil(strengths / strengths.max() * 10 - 0.5).clip(0, 10).astype(int)
        out.append({
            "feature": i, "firings": int(fires[:, i].sum()), "together": int(together[i]), "mass": float(f[c, i].sum() / f[:, i].sum()),
            "correlation": float(correlation[i]), "binary_correlation": float(binary),
            "intervals": [[int((interval == k).sum()), int(c[fires[:, i]][interval == k].sum())] for k in range(11)],
        })
    return out


def write_all() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    tokenizer, table = Tokenizer.from_file(str(FIXTURES / "model-A" / "tokenizer.json")), byte_of_character()
    width = {i: len([table[c] for c in token]) for token, i in tokenizer.get_vocab().items() if all(c in table for c in token)}

    def sizes(text: str) -> list[int]:
        found = [width[i] for i in tokenizer.encode(text, add_special_tokens=False).ids]
        assert sum(found) == len(text.encode())
        return found

    texts = [json.loads(line)["text"] for line in (FIXTURES / "corpus.jsonl").read_text().split("\n")[:-1]]
    spans = [(text, sizes(text)) for text in texts]
    chosen = [text for _, _, text in chosen_documents()]
    f = {name: activations_of(f"sae-{name}", chosen) for name in ("A-0", "A-1")}
    summary: dict[str, Any] = {"tokens": sum(len(s) for _, s in spans), "tags": {}}
    for name, (kind, definition) in TAGS.items():
        marks = [marked_tokens(kind, definition, text, s) for text, s in spans]
        c = np.concatenate([marked_tokens(kind, definition, text, sizes(text)) for text in chosen])
        positions = np.flatnonzero(np.concatenate(marks))
        summary["tags"][name] = {
            "kind": kind, "definition": definition, "tokens": len(positions), "documents": sum(bool(m.any()) for m in marks), "sum_of_positions": int(positions.sum()),
            "chosen_tokens": int(c.sum()), "dictionaries": {k.replace("-", "/"): statistics(v, c) for k, v in f.items()},
        }
        print(name, len(positions), int(c.sum()))
    (OUT / "tags.json").write_text(json.dumps(summary).replace("}, ", "},\n") + "\n")
