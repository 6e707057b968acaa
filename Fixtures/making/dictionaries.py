"""The sparse autoencoders on the MLP neurons of the two models, trained and saved in SAELens's format.

The recipe is that of April 2024 (squared error plus λ Σ f‖d‖, no unit-norm constraint, no pre-encoder bias, inputs
scaled to a mean norm of √n and the scale folded back) with two departures that short runs need: decoder rows start
as data points, and features that have died are resampled a few times. Only the encoder's forward product is dense;
everything else runs over what fires, which makes a step some five times cheaper than a dense one.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

import numba
import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

from . import language_models
from .activations import HOOK, NEURONS, Stream
from .language_models import CONTEXT

BATCH = 2_048


@dataclass
class Recipe:
    """What differs between the dictionaries."""

    model: str
    features: int
    sparsity: float  # λ, on inputs scaled to a mean norm of √n
    samples: int
    seed: int
    rate: float = 6e-4


RECIPES = {
    "sae-A-0": Recipe("A", 512, 5.0, 1_600_000, 10),
    "sae-A-1": Recipe("A", 4_096, 4.0, 942_080, 11),
    "sae-B-1": Recipe("B", 4_096, 4.0, 942_080, 21),
}


@numba.njit(fastmath=True, cache=True)
def sparse_pass(x, pre, decoder, norms, b_dec, sparsity, g_encoder, g_decoder, g_b_enc, g_b_dec, fired):
    """Loss and gradients of one batch, given x [tokens, n] and the encoder's product pre [tokens, features].

    Returns the sums of squared error and of firings; gradients are sums over the batch.
    """
    tokens, width = x.shape
    features = pre.shape[1]
    active = np.empty(features, np.int64)
    error = np.empty(width, np.float32)
    squared, firings = 0.0, 0
    for t in range(tokens):
        count = 0
        for j in range(features):
            if pre[t, j] > 0:
                active[count] = j
                count += 1
        for i in range(width):
            error[i] = b_dec[i] - x[t, i]
        for a in range(count):
            j = active[a]
            f = pre[t, j]
            for i in range(width):
                error[i] += f * decoder[j, i]
        for i in range(width):
            squared += error[i] * error[i]
            g_b_dec[i] += 2 * error[i]
        for a in range(count):
            j = active[a]
            f = pre[t, j]
            along = np.float32(0)
            for i in range(width):
                along += error[i] * decoder[j, i]
                g_decoder[j, i] += 2 * f * error[i]
            slope = np.float32(2) * along + sparsity * norms[j]
            pull = sparsity * f / norms[j]
            for i in range(width):
                g_encoder[j, i] += slope * x[t, i]
                g_decoder[j, i] += pull * decoder[j, i]
            g_b_enc[j] += slope
            fired[j] += 1
        firings += count
    return squared, firings


@numba.njit(fastmath=True, cache=True)
def adam(parameter, gradient, first, second, scale, rate, step):
    """One Adam step (0.9, 0.999) on flat arrays; leaves the gradient zero."""
    correct_1, correct_2 = 1 - 0.9**step, 1 - 0.999**step
    for i in range(parameter.size):
        g = gradient[i] * scale
        gradient[i] = 0
        first[i] = np.float32(0.9) * first[i] + np.float32(0.1) * g
        second[i] = np.float32(0.999) * second[i] + np.float32(0.001) * g * g
        parameter[i] -= np.float32(rate) * (first[i] / np.float32(correct_1)) / (np.sqrt(second[i] / np.float32(correct_2)) + np.float32(1e-8))


class Training:
    """The parameters of one autoencoder in training; encoder and decoder both as rows [features, n]."""

    def __init__(self, stream: Stream, recipe: Recipe) -> None:
        self.random = np.random.default_rng(recipe.seed)
        sample = stream.buffer.numpy()
        self.scale = np.float32(np.sqrt(NEURONS) / np.linalg.norm(sample, axis=1).mean())
        middle = sample.mean(0) * self.scale
        points = sample[self.random.choice(len(sample), recipe.features, replace=False)] * self.scale - middle
        mixed = points + 0.5 * self.random.standard_normal(points.shape).astype(np.float32) * np.linalg.norm(points, axis=1, keepdims=True) / np.sqrt(NEURONS)
        directions = (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)
        norms = self.random.uniform(0.5, 1.5, (recipe.features, 1)).astype(np.float32)
        self.parameters = {
            "encoder": directions / norms * np.float32(0.6),
            "decoder": directions * norms,
            "b_enc": np.zeros(recipe.features, np.float32),
            "b_dec": middle.astype(np.float32),
        }
        # Each feature fires on the 40 / features of the data that point most towards it (January 2025 has 10⁴ / m).
        products = (sample[::32] * self.scale) @ self.parameters["encoder"].T
        self.parameters["b_enc"] -= np.quantile(products, 1 - 40 / recipe.features, axis=0).astype(np.float32)
        self.gradients = {name: np.zeros_like(value) for name, value in self.parameters.items()}
        self.moments = {name: (np.zeros_like(value), np.zeros_like(value)) for name, value in self.parameters.items()}
        self.fired = np.zeros(recipe.features, np.int64)

    def encode(self, x: np.ndarray) -> np.ndarray:
        product = torch.addmm(torch.from_numpy(self.parameters["b_enc"]), torch.from_numpy(x), torch.from_numpy(self.parameters["encoder"]).T)
        return product.numpy()

    def step(self, x: np.ndarray, sparsity: float, rate: float, number: int) -> tuple[float, float]:
        p, g = self.parameters, self.gradients
        norms = np.linalg.norm(p["decoder"], axis=1)
        squared, firings = sparse_pass(
            x, self.encode(x), p["decoder"], norms, p["b_dec"], np.float32(sparsity), g["encoder"], g["decoder"], g["b_enc"], g["b_dec"], self.fired
        )
        for name, value in p.items():
            first, second = self.moments[name]
            adam(value.reshape(-1), g[name].reshape(-1), first.reshape(-1), second.reshape(-1), np.float32(1 / len(x)), rate, number)
        return squared / len(x), firings / len(x)

    def resample(self, x: np.ndarray) -> int:
        """Points features that have not fired since the last call at inputs that are reconstructed badly (∝ loss²)."""
        dead = self.random.permutation(np.flatnonzero(self.fired == 0))
        self.fired[:] = 0
        if len(dead) == 0:
            return 0
        p = self.parameters
        residual = x - np.maximum(self.encode(x), 0) @ p["decoder"] - p["b_dec"]
        loss = (residual**2).sum(1)
        dead = dead[: len(x) // 2]
        picked = self.random.choice(len(x), len(dead), replace=False, p=loss**2 / (loss**2).sum())
        directions = residual[picked] / np.linalg.norm(residual[picked], axis=1, keepdims=True)
        alive = np.setdiff1d(np.arange(len(self.fired)), dead)
        # A fifth of the usual length, as the paper has it: many newcomers must not overshoot together.
        p["decoder"][dead] = directions * np.median(np.linalg.norm(p["decoder"][alive], axis=1)) * 0.2
        p["encoder"][dead] = directions * np.median(np.linalg.norm(p["encoder"][alive], axis=1)) * 0.2
        # Fires on its own input at half strength, and seldom elsewhere.
        p["b_enc"][dead] = -0.5 * (p["encoder"][dead] * x[picked]).sum(1)
        for name in ("encoder", "decoder", "b_enc"):
            for moment in self.moments[name]:
                moment[dead] = 0
        return len(dead)


def train(build: Path, fixtures: Path, name: str, samples: int | None = None) -> None:
    torch.set_num_threads(1)
    recipe = RECIPES[name]
    model = language_models.load(fixtures / f"model-{recipe.model}")
    tokenizer = Tokenizer.from_file(str(fixtures / f"model-{recipe.model}" / "tokenizer.json"))
    stream = Stream(model, language_models.full_contexts(tokenizer, build / "train.jsonl"), recipe.seed, BATCH)
    training = Training(stream, recipe)
    steps, start = (samples or recipe.samples) // BATCH, time.time()
    resample_at = {int(steps * share) for share in (0.25, 0.4, 0.55)}
    for step in range(steps):
        x = np.ascontiguousarray((stream.batch() * float(training.scale)).numpy())
        sparsity = recipe.sparsity * min(1.0, (step + 1) / (0.05 * steps))
        rate = recipe.rate * min(1.0, (step + 1) / 100, (steps - step) / (0.3 * steps))
        squared, firings = training.step(x, sparsity, rate, step + 1)
        if step in resample_at:
            print(f"step {step}: resampled {training.resample(x)}", flush=True)
        if step % 100 == 0 or step + 1 == steps:
            print(f"step {step} of {steps}: L0 {firings:.1f} error {squared:.2f} {time.time() - start:.0f} s", flush=True)
    save(training, recipe, fixtures / name, steps * BATCH)


def save(training: Training, recipe: Recipe, out: Path, samples: int) -> None:
    """SAELens 6 files; the input scale s is folded: encoder × s, decoder and its bias ÷ s."""
    p, s = training.parameters, float(training.scale)
    tensors = {
        "W_enc": torch.from_numpy(p["encoder"] * s).T.contiguous().half(),
        "W_dec": torch.from_numpy(p["decoder"] / s).half(),
        "b_enc": torch.from_numpy(p["b_enc"]).half(),
        "b_dec": torch.from_numpy(p["b_dec"] / s).half(),
    }
    out.mkdir(parents=True, exist_ok=True)
    save_file(tensors, out / "sae_weights.safetensors")
    (out / "sae_weights.safetensors").chmod(0o644)
    config = {
        "architecture": "standard",
        "d_in": NEURONS,
        "d_sae": recipe.features,
        "dtype": "float16",
        "device": "cpu",
        "apply_b_dec_to_input": False,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "metadata": {
            "sae_lens_version": "6.54.12",
            "sae_lens_training_version": None,
            "model_name": f"model-{recipe.model}",
            "model_class_name": "HookedTransformer",
            "hook_name": HOOK,
            "hook_head_index": None,
            "context_size": CONTEXT,
            "prepend_bos": False,
            "seqpos_slice": [None],
            "model_from_pretrained_kwargs": {"center_writing_weights": False},
            "dataset_path": None,
            "exclude_special_tokens": False,
            "neuronpedia_id": None,
            "training_samples": samples,
            "sparsity_coefficient": recipe.sparsity,
        },
    }
    (out / "cfg.json").write_text(json.dumps(config, indent=2) + "\n")
