"""Goldens of training: steps of each recipe, resampling and geometric medians, by recipes.py in float64.

Everything that is given is float32; expected values are float64 results rounded to float32. A case is kept only if no
decision (a ReLU, a kept latent, a threshold, an edge of the estimator's window) comes within `MARGIN` of going the other
way, and if float32 arithmetic gives the same to the stated tolerances; else the next seed is tried.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from . import recipes
from .recipes import Training

OUT = Path(__file__).resolve().parent.parent / "goldens" / "training"
WIDTH, FEATURES, BATCH, STEPS = 16, 48, 32, 3
MARGIN = 2e-5
# Of a tensor's greatest magnitude, and of a number's own.
TOLERANCE = 1e-5

# name, recipe, constants that differ from the defaults, steps of the whole run, dead latents at the start
CASES: list[tuple[str, str, dict, int, int]] = [
    ("towards-monosemanticity", "towards-monosemanticity", dict(l1=0.02, learning_rate=0.01), 40, 0),
    ("towards-monosemanticity-dead", "towards-monosemanticity", dict(), 8, 6),
    ("april-2024-warm-up", "april-2024", dict(l1=2.0, learning_rate=0.01, l1_warm_up=0.5, gradient_norm_limit=1e6), 4, 0),
    ("april-2024-clipped-decaying", "april-2024", dict(learning_rate=0.01, l1_warm_up=0.0, learning_rate_decay=1.0, gradient_norm_limit=0.5), 3, 0),
    ("topk", "topk", dict(k=5, learning_rate=0.01, gradient_norm_limit=1e6, dead_after=10_000), 3, 0),
    ("topk-clipped", "topk", dict(k=5, learning_rate=0.01, gradient_norm_limit=0.05, dead_after=10_000), 3, 0),
    ("topk-auxiliary-few-dead", "topk", dict(k=5, learning_rate=0.01, dead_after=1_000), 3, 5),
    ("topk-auxiliary-many-dead", "topk", dict(k=3, learning_rate=0.01, dead_after=1_000, auxiliary_k=4, auxiliary_coefficient=0.5), 3, 20),
    ("topk-k-beyond-positive", "topk", dict(k=30, learning_rate=0.01, dead_after=10_000), 3, 0),
    ("batch-topk", "batch-topk", dict(k=5, learning_rate=0.01, dead_after=10_000, threshold_start=0, threshold_decay=0.9), 3, 0),
    ("batch-topk-auxiliary", "batch-topk", dict(k=4, learning_rate=0.01, dead_after=1_000, threshold_start=1), 3, 14),
    ("matryoshka", "matryoshka", dict(k=6, learning_rate=0.01, dead_after=10_000, threshold_start=2), 3, 0),
    ("matryoshka-auxiliary", "matryoshka", dict(k=6, learning_rate=0.01, dead_after=1_000, threshold_start=0, prefixes=[7, 20, 48], gradient_norm_limit=1e6), 3, 12),
    ("jumprelu", "jumprelu", dict(sparsity=0.05, sparsity_warm_up=0, learning_rate=0.01, threshold=0.2, bandwidth=0.15), 3, 0),
    ("jumprelu-warm-up", "jumprelu", dict(sparsity=0.1, sparsity_warm_up=4, learning_rate=0.01, threshold=0.1, bandwidth=0.3), 10, 0),
    ("jumprelu-target-l0", "jumprelu", dict(sparsity=0.5, sparsity_warm_up=2, l0=4.0, learning_rate=0.01, threshold=0.2, bandwidth=0.15), 20, 0),
]


def inputs(count: int, generator: torch.Generator) -> torch.Tensor:
    """Sparse mixtures of 24 directions off the origin, float32 [count, WIDTH]: neither white nor centred."""
    directions = torch.nn.functional.normalize(torch.randn(24, WIDTH, generator=generator), dim=1)
    on = (torch.rand(count, 24, generator=generator) < 0.15) * (0.5 + torch.rand(count, 24, generator=generator))
    offset = 0.3 * torch.randn(WIDTH, generator=generator)
    return 3 * (on @ directions + offset + 0.1 * torch.randn(count, WIDTH, generator=generator))


def starting_point(recipe: str, c: dict, dead: int, scaled: torch.Tensor, generator: torch.Generator) -> tuple[dict, torch.Tensor]:
    """Parameters as after some training, in float32, and for how many samples each feature has been silent.

    The last features are the dead ones, unless the recipe is matryoshka, where they are spread over the prefixes.
    """

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    decoder = torch.nn.functional.normalize(normal(FEATURES, WIDTH), dim=1)
    encoder = decoder + 0.15 * normal(FEATURES, WIDTH)
    typical = scaled.norm(dim=1).mean()
    p = {
        "W_enc": encoder,
        "W_dec": decoder if recipe in recipes.UNIT_NORM else decoder * (0.5 + torch.rand(FEATURES, 1, generator=generator)),
        "b_enc": (0.05 * normal(FEATURES) - 0.1) * typical,
        "b_dec": scaled.mean(0) + 0.02 * typical * normal(WIDTH),
    }
    if recipe == "jumprelu":
        p["log_threshold"] = torch.log(torch.tensor(c["threshold"])) + 0.2 * normal(FEATURES)
    silent = torch.randint(0, 500, (FEATURES,), generator=generator)
    if dead:
        chosen = torch.arange(FEATURES)[:: FEATURES // dead][:dead] if recipe == "matryoshka" else torch.arange(FEATURES - dead, FEATURES)
        silent[chosen] = 1_000 + 7 * chosen
        # Rarely among the greatest, yet not always negative: otherwise the auxiliary loss has nothing to do.
        p["b_enc"][chosen] -= 0.45 * typical if "auxiliary_k" in c else 100.0
    return p, silent


def run(recipe: str, c: dict, parameters: dict, silent: torch.Tensor, batches: torch.Tensor, scale: float, steps: int, dtype: torch.dtype) -> tuple[Training, list, dict, list[dict]]:
    training = Training(recipe, c, {k: v.clone().to(dtype) for k, v in parameters.items()}, steps, scale, silent.clone(), watches_margin=True)
    reports, after, gradients, thresholds = [], [], {}, []
    for number, batch in enumerate(batches):
        report = training.step(batch.to(dtype))
        reports.append(report)
        thresholds.append(training.threshold)
        after.append({k: v.detach().clone() for k, v in training.parameters.items()})
        gradients = gradients or {k: v.clone() for k, v in training.gradients.items()}
    return training, list(zip(reports, thresholds)), gradients, after


def distance(a: torch.Tensor, b: torch.Tensor) -> float:
    """The greatest difference as a share of the greatest magnitude."""
    return ((a.double() - b.double()).abs().max() / b.double().abs().max().clamp_min(1e-30)).item()


def make(name: str, recipe: str, constants: dict, steps: int, dead: int, seed: int) -> tuple[dict, dict] | None:
    """Tensors and the entry of cases.json, or nothing if this seed is not well conditioned."""
    g = torch.Generator().manual_seed(seed)
    batches = inputs(STEPS * BATCH, g).reshape(STEPS, BATCH, WIDTH)
    c = recipes.completed(recipe, constants, WIDTH, FEATURES, BATCH, steps)
    scale = recipes.input_scale(recipe, batches.reshape(-1, WIDTH))
    parameters, silent = starting_point(recipe, c, dead, (batches * scale).reshape(-1, WIDTH), g)
    wide, reports, gradients, after = run(recipe, c, parameters, silent, batches, scale, steps, torch.float64)
    _, narrow_reports, narrow_gradients, narrow_after = run(recipe, c, parameters, silent, batches, scale, steps, torch.float32)
    if wide.margin < MARGIN:
        return None
    pairs = [(narrow_gradients[k], gradients[k]) for k in gradients] + [(a[k], b[k]) for a, b in zip(narrow_after, after) for k in a]
    apart = max(distance(a, b) for a, b in pairs)
    numbers = [(getattr(n, f), getattr(w, f)) for (n, _), (w, _) in zip(narrow_reports, reports) for f in ("loss", "mean_squared_error", "l0", "gradient_norm")]
    apart = max([apart] + [abs(a - b) / abs(b) for a, b in numbers])
    if apart > TOLERANCE / 2:
        return None
    with torch.no_grad():
        given = inputs(BATCH, g)
        features = wide.features_for_inference(given.double() * scale)
        reconstruction = wide.decode(features) / scale
    if wide.margin < MARGIN or (wide.pre_activations(given.double() * scale) - (wide.threshold or 0)).abs().min() < MARGIN:
        return None
    tensors = {"batches": batches, "samples_since_fired": silent, **{f"initial.{k}": v for k, v in parameters.items()}}
    tensors |= {f"gradient.{k}": v for k, v in gradients.items()}
    tensors |= {f"after.{number + 1}.{k}": v for number, p in enumerate(after) for k, v in p.items()}
    tensors |= {"inference.inputs": given, "inference.features": features, "inference.reconstruction": reconstruction}
    entry = {
        "name": name, "recipe": recipe, "width": WIDTH, "features": FEATURES, "batch_size": BATCH, "steps": steps, "seed": seed,
        "constants": {k: v for k, v in c.items() if not ("dead_window" in c and k == "dead_after")},
        "dead_after": c["dead_after"], "input_scale": scale, "margin": wide.margin, "float32_apart": apart,
        "expected": [{**report.__dict__, "threshold": threshold} for report, threshold in reports],
    }
    return tensors, entry


def resampling(seed: int) -> tuple[dict, dict]:
    """Three steps, then five dead features start anew, then one more step, which shows whether moments were cleared."""
    g = torch.Generator().manual_seed(seed)
    batches, candidates = inputs(4 * BATCH, g).reshape(4, BATCH, WIDTH), inputs(64, g)
    recipe, steps, dead = "towards-monosemanticity", 12, torch.tensor([3, 8, 21, 40, 47])
    c = recipes.completed(recipe, dict(learning_rate=0.01), WIDTH, FEATURES, BATCH, steps)
    parameters, _ = starting_point(recipe, c, 0, batches.reshape(-1, WIDTH), g)
    silent = torch.zeros(FEATURES, dtype=torch.long)
    parameters["b_enc"][dead] = -50.0
    training, *_ = run(recipe, c, parameters, silent, batches[:3], 1.0, steps, torch.float64)
    # As if they had fired before those three steps: moments that are to be cleared.
    moments = {}
    for name in ("W_enc", "W_dec", "b_enc"):
        state = training.optimiser.state[training.parameters[name]]
        for moment, size in (("exp_avg", 1e-2), ("exp_avg_sq", 1e-4)):
            value = torch.randn(state[moment][dead].shape, generator=g) * size
            state[moment][dead] = (value.abs() if moment == "exp_avg_sq" else value).double()
        moments[f"moments.{name}.first"], moments[f"moments.{name}.second"] = state["exp_avg"].clone(), state["exp_avg_sq"].clone()
    for name in ("b_dec",):
        state = training.optimiser.state[training.parameters[name]]
        moments[f"moments.{name}.first"], moments[f"moments.{name}.second"] = state["exp_avg"].clone(), state["exp_avg_sq"].clone()
    # The golden begins here, so what is stored in float32 is what the reference goes on from.
    with torch.no_grad():
        for name, p in training.parameters.items():
            p.copy_(p.float().double())
            state = training.optimiser.state[p]
            state["exp_avg"].copy_(state["exp_avg"].float().double()), state["exp_avg_sq"].copy_(state["exp_avg_sq"].float().double())
    before = {f"before.{k}": v.detach().clone() for k, v in training.parameters.items()}
    losses = training.losses(candidates.double())
    picked = torch.multinomial(losses**2, len(dead), generator=g)
    training.resample(candidates.double(), dead, picked)
    resampled = {f"resampled.{k}": v.detach().clone() for k, v in training.parameters.items()}
    training.margin = float("inf")
    training.step(batches[3].double())
    assert training.margin > MARGIN, "reseed"
    after = {f"after.{k}": v.detach().clone() for k, v in training.parameters.items()}
    tensors = {"dead": dead, "inputs": candidates, "losses": losses, "picked": picked, "batch": batches[3], **moments, **before, **resampled, **after}
    entry = {"name": "resampling", "recipe": recipe, "width": WIDTH, "features": FEATURES, "batch_size": BATCH, "steps": steps, "steps_done": 3, "constants": {k: v for k, v in c.items() if k != "dead_after"}}
    return tensors, entry


def medians(seed: int) -> dict:
    g = torch.Generator().manual_seed(seed)
    points = {
        "plain": inputs(200, g),
        # A tenth far away: the mean goes along, the median stays.
        "outliers": torch.cat([inputs(180, g), 40 + inputs(20, g)]),
        # A third of the points are one point, at which Weiszfeld's weight is infinite when the guess reaches it.
        "repeated": torch.cat([inputs(80, g), inputs(1, g).expand(40, -1)])[torch.randperm(120, generator=g)],
    }
    out = {}
    for name, rows in points.items():
        out[f"{name}.points"], out[f"{name}.median"] = rows.contiguous(), recipes.geometric_median(rows)
    return out


def stored(tensors: dict, doubles: bool = False) -> dict:
    """Float32 and int32, contiguous."""
    return {k: (v.detach() if doubles and v.dtype == torch.float64 else v.detach().float() if v.is_floating_point() else v.int()).contiguous() for k, v in tensors.items()}


def write_all() -> None:
    torch.set_num_threads(1)
    OUT.mkdir(parents=True, exist_ok=True)
    entries = []
    for place, (name, recipe, constants, steps, dead) in enumerate(CASES):
        for seed in range(1_000 * (place + 1), 1_000 * (place + 1) + 200):
            made = make(name, recipe, constants, steps, dead, seed)
            if made:
                break
        else:
            raise RuntimeError(f"{name}: no seed is well conditioned")
        tensors, entry = made
        save_file(stored(tensors), OUT / f"{name}.safetensors")
        entries.append(entry)
        e = entry["expected"]
        print(f"{name}: seed {seed} margin {entry['margin']:.1e} apart {entry['float32_apart']:.1e} loss {e[0]['loss']:.4f} → {e[-1]['loss']:.4f} L0 {e[0]['l0']:.2f} norm {e[0]['gradient_norm']:.3f} dead {e[0]['dead']} aux {e[0]['auxiliary']:.4f} threshold {e[-1]['threshold']}")
    tensors, entry = resampling(77)
    save_file(stored(tensors), OUT / "resampling.safetensors")
    save_file(stored(medians(78), doubles=True), OUT / "geometric-median.safetensors")
    (OUT / "cases.json").write_text(json.dumps({"tolerance": TOLERANCE, "steps": entries, "resampling": entry}, indent=1) + "\n")
    for file in OUT.iterdir():
        if file.is_file():
            file.chmod(0o644)
