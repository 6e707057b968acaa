"""How much of World H each recipe recovers in PyTorch, and how many features are dead with and without resampling."""

from __future__ import annotations

import json
import time
from pathlib import Path

import torch

from . import recipes
from .recipes import Training
from .worlds import NODES, WIDTH, WorldH, recovered

OUT = Path(__file__).resolve().parent.parent / "goldens" / "training" / "world-h.json"
SEEDS, FEATURES, STEPS, BATCH = (1, 2, 3), 160, 1_500, 512
# Chosen for this small world; what is not named has the recipe's default.
RUNS: dict[str, dict] = {
    "towards-monosemanticity": dict(l1=0.004, learning_rate=0.005),
    "april-2024": dict(l1=4.0, learning_rate=0.001),
    "topk": dict(k=2, learning_rate=0.003),
    "batch-topk": dict(k=1, learning_rate=0.01),
    "matryoshka": dict(k=1, learning_rate=0.01, prefixes=[0.5, 1]),
    "jumprelu": dict(sparsity=0.15, learning_rate=0.01, bandwidth=0.1, threshold=0.05),
}
# Fewer features than nodes and a λ that kills many: there, new ones find something to do.
RESAMPLING = dict(l1=0.012, learning_rate=0.01)


def train(recipe: str, constants: dict, features: int, steps: int, batch: int, seed: int, resample: bool = True) -> dict:
    """One run, float32; measured on 20,000 fresh samples, with the threshold in place of the whole batch."""
    started, world, random = time.time(), WorldH(seed), torch.Generator().manual_seed(1_000 + seed)
    c = recipes.completed(recipe, constants, WIDTH, features, batch, steps)
    sample = world.samples(8_192)
    scale = recipes.input_scale(recipe, sample)
    training = Training(recipe, c, recipes.initial_parameters(recipe, c, features, sample * scale, random), steps, scale)
    resample_at = {round(part * steps) for part in c.get("resample_at", [])} if resample else set()
    resampled = []
    for step in range(steps):
        if step in resample_at:
            dead, inputs = training.dead().nonzero().flatten(), world.samples(8_192)
            if len(dead):
                training.resample(inputs, dead, torch.multinomial(training.losses(inputs) ** 2, len(dead), generator=random))
            resampled.append(len(dead))
        report = training.step(world.samples(batch))
    with torch.no_grad():
        fresh = world.samples(20_000)
        f = training.features_for_inference(fresh * scale)
        error = (fresh - training.decode(f) / scale).square().sum()
        explained = 1 - (error / (fresh - fresh.mean(0)).square().sum()).item()
    out = {"seed": seed, **recovered(world, training.parameters["W_dec"]), "l0": (f > 0).sum(1).float().mean().item(), "explained_variance": explained}
    out |= {"dead": int((f > 0).sum(0).eq(0).sum()), "loss": report.loss, "seconds": time.time() - started}
    return out | ({"resampled": resampled} if resample_at else {})


def summary(runs: list[dict]) -> dict:
    return {name: round(sum(run[name] for run in runs) / len(runs), 6) for name in ("recovered", "directions", "states", "l0", "explained_variance", "dead")}


def write_all() -> None:
    torch.set_num_threads(1)
    out: dict = {"width": WIDTH, "nodes": NODES, "steps": STEPS, "batch_size": BATCH, "measured_on": 20_000, "recipes": [], "resampling": []}

    def record(entry: dict, recipe: str, features: int, resample: bool) -> dict:
        runs = []
        for seed in SEEDS:
            runs.append(train(recipe, entry["constants"], features, STEPS, BATCH, seed, resample))
            print(recipe, runs[-1], flush=True)
            runs[-1] = {name: round(value, 6) if isinstance(value, float) else value for name, value in runs[-1].items() if name != "seconds"}
        return {**entry, "features": features, "mean": summary(runs), "runs": runs}

    for recipe, constants in RUNS.items():
        out["recipes"].append(record({"recipe": recipe, "constants": constants}, recipe, FEATURES, True))
    for resample in (False, True):
        out["resampling"].append(record({"recipe": "towards-monosemanticity", "constants": RESAMPLING, "resamples": resample}, "towards-monosemanticity", 64, resample))
    OUT.write_text(json.dumps(out, indent=1) + "\n")
    OUT.chmod(0o644)
