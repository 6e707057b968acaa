"""The same recipes in PyTorch on the same model and text: what our dictionaries' quality is set beside.

    python -m making.peer_training --build DIR RECIPE FEATURES --samples N [--batch 4096] [--seed 1] [--model A] [--threads 1]
                                   [--set NAME=VALUE…] [--losses-every 8] [--corpus-only]            (run in Fixtures/)

Trains a dictionary on the activations of model-A over DIR/train.jsonl by recipes.py (plain dense autograd), then prints a row of README.md's table for
corpus.jsonl and held-out.jsonl, and below it the constants, how many features were resampled, and samples per CPU second of training.
Samples are full contexts in another order than Monoseme draws them in; their number is what is equal.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import torch
from tokenizers import Tokenizer

from . import activations, language_models, recipes
from .evaluation import measure
from .recipes import Training

FIXTURES = Path(__file__).resolve().parent.parent
STANDARD = ("towards-monosemanticity", "april-2024")


def folded(training: Training) -> dict[str, torch.Tensor]:
    """For raw inputs: scale and pre-encoder bias folded, W_enc [512, features]."""
    p, s = {name: tensor.detach() for name, tensor in training.parameters.items()}, training.scale
    bias = p["b_enc"] - p["W_enc"] @ p["b_dec"] if training.recipe in recipes.PRE_BIAS else p["b_enc"]
    return {"W_enc": (p["W_enc"] * s).T.contiguous(), "b_enc": bias, "W_dec": p["W_dec"] / s, "b_dec": p["b_dec"] / s}


def train(stream: activations.Stream, recipe: str, constants: dict, features: int, batch: int, steps: int, seed: int) -> Training:
    random = torch.Generator().manual_seed(seed)
    c = recipes.completed(recipe, constants, activations.NEURONS, features, batch, steps)
    print({name: value for name, value in c.items()}, file=sys.stderr)
    sample = stream.buffer[:32_768]
    scale = recipes.input_scale(recipe, sample)
    training = Training(recipe, c, recipes.initial_parameters(recipe, c, features, sample * scale, random), steps, scale)
    resample_at = {round(part * steps) for part in c.get("resample_at", [])}
    started, cpu = time.time(), time.process_time()
    for step in range(steps):
        if step in resample_at:
            dead = training.dead().nonzero().flatten()
            # The buffer is what there is: the paper's 819,200 inputs are more than it holds.
            inputs = stream.buffer[: c["resample_inputs"]]
            if len(dead):
                losses = torch.cat([training.losses(part) for part in inputs.split(4_096)])
                training.resample(inputs, dead, torch.multinomial(losses**2, len(dead), generator=random))
            print(f"step {step}: resampled {len(dead)}", file=sys.stderr, flush=True)
        report = training.step(stream.batch())
        if step % 20 == 0 or step + 1 == steps:
            print(f"step {step} of {steps}: loss {report.loss:.4f} L0 {report.l0:.1f} EV {report.explained_variance:.1%} dead {report.dead} "
                  f"{time.time() - started:.0f} s", file=sys.stderr, flush=True)
    print(f"{steps * batch / (time.process_time() - cpu):.0f} samples per CPU second, the model's forward passes included", file=sys.stderr)
    return training


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=FIXTURES / "build")
    parser.add_argument("recipe", choices=STANDARD)
    parser.add_argument("features", type=int)
    parser.add_argument("--samples", type=int, required=True)
    parser.add_argument("--batch", type=int, default=4_096)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model", default="A")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--losses-every", type=int, default=8)
    parser.add_argument("--corpus-only", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    constants = {name: float(value) for name, value in (setting.split("=") for setting in options.set)}
    folder = FIXTURES / f"model-{options.model}"
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    rows = language_models.full_contexts(tokenizer, options.build / "train.jsonl")
    stream = activations.Stream(language_models.load(folder), rows, options.seed, options.batch)
    training = train(stream, options.recipe, constants, options.features, options.batch, options.samples // options.batch, options.seed)
    texts = {"corpus.jsonl": FIXTURES / "corpus.jsonl", "held-out": options.build / "held-out.jsonl"}
    sae = folded(training)
    print("| recipe | features | samples | text | tokens | L0 | explained variance | loss: original | spliced | zero | mean | recovered (zero) | (mean) | dead | under 10⁻⁵ |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|")
    for label, path in list(texts.items())[: 1 if options.corpus_only else None]:
        e = measure(folder, sae, language_models.documents(path), options.losses_every)
        losses = " | ".join(f"{e.mean_loss(kind):.3f}" for kind in ("original", "spliced", "zero", "mean"))
        rare = int(((e.firings > 0) & (e.firings < 1e-5 * e.tokens)).sum())
        print(f"| {options.recipe} | {options.features} | {training.step_number * options.batch:,} | {label} | {e.tokens:,} | {e.l0:.1f} | {e.explained_variance:.1%} | {losses} | "
              f"{e.recovered('zero'):.1%} | {e.recovered('mean'):.1%} | {e.dead} of {e.features} | {rare} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
