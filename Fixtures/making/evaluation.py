"""What an autoencoder does to a model on given documents: statistics of its features, variance, losses."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import GPT2LMHeadModel

from . import activations, language_models


@dataclass
class Evaluation:
    """Sums over all tokens; activations are f·‖d‖, as with decoder rows of unit norm."""

    features: int
    tokens: int = 0
    predictions: int = 0
    squared_error: float = 0.0
    loss: dict[str, float] = field(default_factory=lambda: dict.fromkeys(("original", "spliced", "zero", "mean"), 0.0))

    def __post_init__(self) -> None:
        self.firings = np.zeros(self.features, np.int64)
        self.sum = np.zeros(self.features)
        self.sum_of_squares = np.zeros(self.features)
        self.maximum = np.zeros(self.features, np.float32)
        self.documents = np.zeros(self.features, np.int64)
        self.firings_by_document: list[np.ndarray] = []
        self.total = np.zeros(activations.NEURONS)
        self.total_squares = 0.0

    @property
    def l0(self) -> float:
        return float(self.firings.sum() / self.tokens)

    @property
    def explained_variance(self) -> float:
        """1 − Σ‖x − x̂‖² ÷ Σ‖x − mean x‖²."""
        spread = self.total_squares - (self.total**2).sum() / self.tokens
        return 1 - self.squared_error / spread

    def mean_loss(self, kind: str) -> float:
        return self.loss[kind] / self.predictions

    def recovered(self, baseline: str) -> float:
        worst = self.mean_loss(baseline)
        return (worst - self.mean_loss("spliced")) / (worst - self.mean_loss("original"))

    @property
    def dead(self) -> int:
        return int((self.firings == 0).sum())


def summed_loss(model: GPT2LMHeadModel, ids: torch.Tensor, replacement: torch.Tensor | None) -> float:
    """Cross-entropy summed over the predictions of one context, with the neurons replaced if asked."""

    def put(_module, _input, output):
        return replacement.reshape(output.shape)

    handle = model.transformer.h[0].mlp.act.register_forward_hook(put) if replacement is not None else None
    logits = model(ids[None]).logits[0, :-1]
    if handle:
        handle.remove()
    return torch.nn.functional.cross_entropy(logits, ids[1:], reduction="sum").item()


def evaluate(fixtures: Path, name: str, texts: list[str], losses_every: int = 1) -> Evaluation:
    """A committed autoencoder, whose name has the model's letter: sae-A-1."""
    return measure(fixtures / f"model-{name.split('-')[1]}", activations.load(fixtures / name), texts, losses_every)


@torch.no_grad()
def measure(folder: Path, sae: dict[str, torch.Tensor], texts: list[str], losses_every: int = 1) -> Evaluation:
    """f = relu(x · W_enc + b_enc), x̂ = f · W_dec + b_dec, W_enc [512, features], in the model of `folder`.

    Losses cost ten times as much as all else: `losses_every` takes them on one document in so many.
    """
    model = language_models.load(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    norms = sae["W_dec"].norm(dim=1)
    out = Evaluation(len(norms))
    documents = [[torch.from_numpy(c) for c in language_models.contexts(d)] for d in language_models.tokenise(tokenizer, texts)]
    for number, document in enumerate(documents):
        in_document = np.zeros(out.features, np.int64)
        for ids in document:
            x = activations.neurons(model, ids[None])
            f = torch.relu(x @ sae["W_enc"] + sae["b_enc"])
            r = f @ sae["W_dec"] + sae["b_dec"]
            strength = (f * norms).numpy()
            in_document += (strength > 0).sum(0)
            out.sum += strength.sum(0, dtype=np.float64)
            out.sum_of_squares += (strength.astype(np.float64) ** 2).sum(0)
            np.maximum(out.maximum, strength.max(0), out=out.maximum)
            out.tokens += len(ids)
            out.total += x.double().sum(0).numpy()
            out.total_squares += (x.double() ** 2).sum().item()
            out.squared_error += ((x - r).double() ** 2).sum().item()
            out.loss["spliced"] += summed_loss(model, ids, r) if len(ids) > 1 and number % losses_every == 0 else 0.0
        out.firings += in_document
        out.documents += in_document > 0
        out.firings_by_document.append(in_document)
    mean = torch.from_numpy(out.total / out.tokens).float()
    for ids in (c for document in documents[::losses_every] for c in document if len(c) > 1):
        out.loss["original"] += summed_loss(model, ids, None)
        out.loss["zero"] += summed_loss(model, ids, torch.zeros(len(ids), activations.NEURONS))
        out.loss["mean"] += summed_loss(model, ids, mean.expand(len(ids), -1))
        out.predictions += len(ids) - 1
    return out
