"""The six training recipes in PyTorch, by autograd: the witness for Monoseme's own trainer.

Written from the papers' formulas and sharing nothing with the Swift: the plainest dense code that says the same. Shapes:
B samples a batch, d = width, m = features; W_enc and W_dec both [m, d], rows of features. `x` is scaled already.

A step: gradients → (unit-norm recipes) each decoder row's gradient loses its component along the row → (recipes that
clip) the global norm is clipped → Adam → (unit-norm recipes) decoder rows are made unit again. Steps count from 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

Parameters = dict[str, Tensor]

ADAM = dict(adam_beta1=0.9, adam_beta2=0.999, adam_epsilon=1e-8)
TOPK = dict(k=32, learning_rate=None, auxiliary_k=None, auxiliary_coefficient=1 / 32, dead_after=None, gradient_norm_limit=1.0, **ADAM)
BATCH_TOPK = dict(**TOPK, threshold_decay=0.999, threshold_start=None)
# Defaults by the names that Monoseme's recipes use; None where `completed` derives the value from the run's sizes
# (or, for l0 of jumprelu, where the plain L0 penalty is meant).
DEFAULTS: dict[str, dict] = {
    "towards-monosemanticity": dict(l1=0.004, learning_rate=1e-3, dead_window=0.125, resample_at=[0.25, 0.5, 0.75], resample_inputs=819_200, resample_scale=0.2, **ADAM),
    "april-2024": dict(l1=5.0, l1_warm_up=0.05, learning_rate=5e-5, learning_rate_decay=0.2, gradient_norm_limit=1.0, decoder_norm=0.1, dead_after=None, **ADAM),
    "topk": TOPK,
    "batch-topk": BATCH_TOPK,
    "matryoshka": dict(**BATCH_TOPK, prefixes=[1 / 16, 1 / 8, 1 / 4, 1 / 2, 1]),
    "jumprelu": dict(sparsity=0.002, l0=None, sparsity_warm_up=None, learning_rate=7e-5, threshold=0.001, bandwidth=0.001, dead_after=None, **{**ADAM, "adam_beta1": 0.0}),
}
UNIT_NORM = {"towards-monosemanticity", "topk", "batch-topk", "matryoshka", "jumprelu"}
PRE_BIAS = {"towards-monosemanticity", "topk", "batch-topk", "matryoshka"}


def completed(recipe: str, constants: dict, width: int, features: int, batch: int, steps: int) -> dict:
    """The constants, with those that follow from the size of the run filled in."""
    c = {**DEFAULTS[recipe], **constants}
    unknown = set(constants) - set(DEFAULTS[recipe])
    assert not unknown, (recipe, unknown)
    samples = batch * steps
    derived = {
        "learning_rate": lambda: 2e-4 / math.sqrt(features / 2**14),
        "auxiliary_k": lambda: max(1, width // 2),
        "dead_after": lambda: min(10_000_000, max(1, samples // (8 if recipe == "april-2024" else 10))),
        "threshold_start": lambda: min(1_000, steps // 10),
        "sparsity_warm_up": lambda: min(10_000, steps // 10),
    }
    c = {name: derived[name]() if value is None and name in derived else value for name, value in c.items()}
    if "dead_window" in c:
        c["dead_after"] = max(1, round(c["dead_window"] * steps)) * batch
    if "prefixes" in c:  # parts of all features, or counts
        c["prefixes"] = [round(end * features) if end <= 1 else end for end in c["prefixes"]]
        assert c["prefixes"][-1] == features
    return c


def input_scale(recipe: str, sample: Tensor) -> float:
    """What raw inputs are multiplied by: E‖x‖ = √d for april-2024, E‖x‖² = 1 for the later ones."""
    norms = sample.double().norm(dim=1)
    if recipe == "towards-monosemanticity":
        return 1.0
    if recipe == "april-2024":
        return math.sqrt(sample.shape[1]) / norms.mean().item()
    return 1 / math.sqrt((norms**2).mean().item())


def geometric_median(points: Tensor, tolerance: float = 1e-13, most: int = 100_000) -> Tensor:
    """Weiszfeld's iteration in float64 to convergence; the point with the least sum of distances to `points` [n, d]."""
    points = points.double()
    guess = points.mean(0)
    for _ in range(most):
        weights = 1 / (points - guess).norm(dim=1).clamp_min(1e-300)
        following = (weights[:, None] * points).sum(0) / weights.sum()
        if (following - guess).norm() <= tolerance * following.norm():
            return following
        guess = following
    raise RuntimeError("Weiszfeld's iteration did not converge")


def initial_parameters(recipe: str, c: dict, features: int, sample: Tensor, generator: torch.Generator) -> Parameters:
    """`sample` is scaled already, [n, d]; its type is that of the parameters."""
    d, dtype = sample.shape[1], sample.dtype
    rows = torch.nn.functional.normalize(torch.randn(features, d, generator=generator, dtype=torch.float64), dim=1).to(dtype)
    p = {"W_enc": rows.clone(), "W_dec": rows, "b_enc": torch.zeros(features, dtype=dtype), "b_dec": torch.zeros(d, dtype=dtype)}
    if recipe == "towards-monosemanticity":
        # Kaiming-uniform as torch.nn.Linear has it, a = √5: uniform in ±1/√fan_in; fan_in of the decoder is m.
        p["W_enc"] = ((torch.rand(features, d, generator=generator, dtype=torch.float64) * 2 - 1) / math.sqrt(d)).to(dtype)
        decoder = (torch.rand(features, d, generator=generator, dtype=torch.float64) * 2 - 1) / math.sqrt(features)
        p["W_dec"] = torch.nn.functional.normalize(decoder, dim=1).to(dtype)
    if recipe == "april-2024":
        p["W_enc"], p["W_dec"] = rows * c["decoder_norm"], rows * c["decoder_norm"]
    if recipe in PRE_BIAS:
        p["b_dec"] = geometric_median(sample).to(dtype)
    if recipe == "jumprelu":
        p["log_threshold"] = torch.full((features,), math.log(c["threshold"]), dtype=dtype)
    return p


class Jump(torch.autograd.Function):
    """pre · 1[pre > θ]; to θ goes −(θ/ε)·1[|pre − θ| < ε/2 and pre > 0], to pre 1[pre > θ]."""

    @staticmethod
    def forward(ctx, pre: Tensor, theta: Tensor, bandwidth: float) -> Tensor:
        ctx.save_for_backward(pre, theta)
        ctx.bandwidth = bandwidth
        return pre * (pre > theta)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        pre, theta = ctx.saved_tensors
        window = ((pre - theta).abs() < ctx.bandwidth / 2) & (pre > 0)
        return gradient * (pre > theta), -(theta / ctx.bandwidth * window * gradient).sum(0), None


class Step(torch.autograd.Function):
    """1[pre > θ]; to θ goes −(1/ε)·1[|pre − θ| < ε/2 and pre > 0], to pre nothing."""

    @staticmethod
    def forward(ctx, pre: Tensor, theta: Tensor, bandwidth: float) -> Tensor:
        ctx.save_for_backward(pre, theta)
        ctx.bandwidth = bandwidth
        return (pre > theta).to(pre.dtype)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        pre, theta = ctx.saved_tensors
        window = ((pre - theta).abs() < ctx.bandwidth / 2) & (pre > 0)
        return None, -(window.to(pre.dtype) / ctx.bandwidth * gradient).sum(0), None


def greatest(pre: Tensor, k: int) -> Tensor:
    """ReLU of the k greatest of each row, zero elsewhere."""
    values, places = pre.topk(k, dim=1)
    return torch.zeros_like(pre).scatter(1, places, values.relu())


def greatest_of_batch(pre: Tensor, kept: int) -> Tensor:
    """The `kept` greatest of all entries, those of them that are positive; zero elsewhere."""
    values, places = pre.flatten().topk(kept)
    return torch.zeros_like(pre).flatten().scatter(0, places, values.relu()).reshape(pre.shape)


def squared(e: Tensor) -> Tensor:
    """Squared error summed over the width, mean over the batch."""
    return e.square().sum(1).mean()


@dataclass
class Report:
    """What one step saw; the error is of the batch before the step, in the units of the raw inputs."""

    loss: float
    mean_squared_error: float  # summed over the width, mean over the batch
    explained_variance: float
    l0: float
    gradient_norm: float  # of all parameters, after the parallel component is gone, before clipping
    learning_rate: float
    sparsity_coefficient: float
    dead: int
    auxiliary: float


@dataclass
class Training:
    """One dictionary in training. `margin`, if watched, is how near any decision came to going the other way (entries of pre)."""

    recipe: str
    constants: dict
    parameters: Parameters
    steps: int
    scale: float = 1.0
    samples_since_fired: Tensor | None = None
    threshold: float | None = None
    step_number: int = 0
    margin: float = math.inf
    watches_margin: bool = False
    gradients: Parameters = field(default_factory=dict)

    def __post_init__(self) -> None:
        c = self.constants
        for tensor in self.parameters.values():
            tensor.requires_grad_()
        self.optimiser = torch.optim.Adam(self.parameters.values(), lr=1.0, betas=(c["adam_beta1"], c["adam_beta2"]), eps=c["adam_epsilon"])
        if self.samples_since_fired is None:
            self.samples_since_fired = torch.zeros(len(self.parameters["b_enc"]), dtype=torch.long)

    # MARK: what changes from step to step

    def learning_rate(self) -> float:
        """april-2024 falls in a straight line to zero over the last fifth: (steps − t) / (0.2·steps), t from 0."""
        c = self.constants
        if self.recipe == "april-2024" and c["learning_rate_decay"] > 0:
            return c["learning_rate"] * min(1.0, (self.steps - self.step_number) / (c["learning_rate_decay"] * self.steps))
        return c["learning_rate"]

    def sparsity_coefficient(self) -> float:
        """λ_t = λ·min(1, (t + 1)/warm-up steps), t from 0."""
        c = self.constants
        if self.recipe == "towards-monosemanticity":
            return c["l1"]
        if self.recipe == "april-2024":
            warm_up = c["l1_warm_up"] * self.steps
            return c["l1"] * (min(1.0, (self.step_number + 1) / warm_up) if warm_up > 0 else 1.0)
        if self.recipe == "jumprelu":
            return c["sparsity"] * min(1.0, (self.step_number + 1) / max(1, c["sparsity_warm_up"]))
        return 0.0

    # MARK: the forward pass

    def pre_activations(self, x: Tensor) -> Tensor:
        p = self.parameters
        return (x - p["b_dec"] if self.recipe in PRE_BIAS else x) @ p["W_enc"].T + p["b_enc"]

    def features(self, pre: Tensor) -> Tensor:
        """As in training: batch-topk and matryoshka look at the whole batch."""
        c = self.constants
        if self.recipe == "topk":
            return greatest(pre, c["k"])
        if self.recipe in ("batch-topk", "matryoshka"):
            return greatest_of_batch(pre, c["k"] * len(pre))
        if self.recipe == "jumprelu":
            return Jump.apply(pre, self.parameters["log_threshold"].exp(), c["bandwidth"])
        return pre.relu()

    def features_for_inference(self, x: Tensor) -> Tensor:
        """Of scaled inputs, with the threshold in place of the whole batch."""
        pre = self.pre_activations(x)
        if self.recipe in ("batch-topk", "matryoshka"):
            return pre.relu() * (pre > self.threshold)
        return self.features(pre)

    def decode(self, f: Tensor) -> Tensor:
        return f @ self.parameters["W_dec"] + self.parameters["b_dec"]

    def auxiliary_loss(self, pre: Tensor, error: Tensor, dead: Tensor) -> Tensor:
        """How well the dead latents' k_aux greatest activations (no bias) explain the error, relative to its variance."""
        if not dead.any():
            return torch.zeros((), dtype=pre.dtype)
        error = error.detach()
        among = pre.relu().masked_fill(~dead, -math.inf)
        k = min(self.constants["auxiliary_k"], int(dead.sum()))
        values, places = among.topk(k, dim=1)
        f = torch.zeros_like(pre).scatter(1, places, values)
        ratio = squared(error - f @ self.parameters["W_dec"]) / squared(error - error.mean(0))
        return ratio if torch.isfinite(ratio) else torch.zeros((), dtype=pre.dtype)

    def loss(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Loss, features, reconstruction and auxiliary loss of a scaled batch [B, d]. Counts the batch first."""
        p, c = self.parameters, self.constants
        pre = self.pre_activations(x)
        f = self.features(pre)
        reconstruction = self.decode(f)
        error = x - reconstruction
        # A feature that fires in this batch is not dead in it.
        self.samples_since_fired = torch.where((f > 0).any(0), 0, self.samples_since_fired + len(x))
        auxiliary = torch.zeros((), dtype=x.dtype)
        if self.recipe == "towards-monosemanticity":
            loss = (error.square().mean(1) + c["l1"] * f.sum(1)).mean()
        elif self.recipe == "april-2024":
            loss = squared(error) + self.sparsity_coefficient() * (f * p["W_dec"].norm(dim=1)).sum(1).mean()
        elif self.recipe == "jumprelu":
            l0 = Step.apply(pre, p["log_threshold"].exp(), c["bandwidth"]).sum(1).mean()
            loss = squared(error) + self.sparsity_coefficient() * (l0 if c["l0"] is None else (l0 / c["l0"] - 1) ** 2)
        else:
            auxiliary = self.auxiliary_loss(pre, error, self.dead())
            if self.recipe == "matryoshka":
                prefixes = [squared(x - p["b_dec"] - f[:, :n] @ p["W_dec"][:n]) for n in c["prefixes"]]
                loss = sum(prefixes) / len(prefixes) + c["auxiliary_coefficient"] * auxiliary
            else:
                loss = squared(error) + c["auxiliary_coefficient"] * auxiliary
        if self.watches_margin:
            self.note_margin(pre.detach())
        return loss, f, reconstruction, auxiliary

    def dead(self) -> Tensor:
        """Features that have not fired for `dead_after` samples or more, the batch of this step included."""
        return self.samples_since_fired >= self.constants["dead_after"]

    def note_margin(self, pre: Tensor) -> None:
        c, margins = self.constants, []
        margins.append(pre.abs().min())
        if self.recipe == "jumprelu":
            from_threshold = (pre - self.parameters["log_threshold"].detach().exp()).abs()
            margins += [from_threshold.min(), (from_threshold - c["bandwidth"] / 2).abs().min()]
        if self.recipe == "topk":
            ordered = pre.sort(dim=1, descending=True).values
            margins.append((ordered[:, c["k"] - 1] - ordered[:, c["k"]]).min())
        if self.recipe in ("batch-topk", "matryoshka"):
            ordered = pre.flatten().sort(descending=True).values
            margins.append(ordered[c["k"] * len(pre) - 1] - ordered[c["k"] * len(pre)])
        if "auxiliary_k" in c and c["auxiliary_k"] < int(self.dead().sum()):
            ordered = pre[:, self.dead()].sort(dim=1, descending=True).values
            both = ordered[:, c["auxiliary_k"]] > 0
            gaps = (ordered[:, c["auxiliary_k"] - 1] - ordered[:, c["auxiliary_k"]])[both]
            margins += [gaps.min()] if len(gaps) else []
        self.margin = min(self.margin, *(m.item() for m in margins))

    # MARK: one step

    def step(self, raw: Tensor) -> Report:
        """One step on raw inputs [B, d]. `gradients` keeps what autograd gave, before projection and clipping."""
        p, c = self.parameters, self.constants
        x = raw * self.scale
        rate, sparsity = self.learning_rate(), self.sparsity_coefficient()
        self.optimiser.zero_grad()
        loss, f, reconstruction, auxiliary = self.loss(x)
        loss.backward()
        self.gradients = {name: tensor.grad.clone() for name, tensor in p.items()}
        with torch.no_grad():
            if self.recipe in UNIT_NORM:
                rows, gradient = p["W_dec"], p["W_dec"].grad
                unit = rows / rows.norm(dim=1, keepdim=True)
                gradient -= (gradient * unit).sum(1, keepdim=True) * unit
            norm = torch.stack([tensor.grad.norm() for tensor in p.values()]).norm().item()
            if "gradient_norm_limit" in c:
                torch.nn.utils.clip_grad_norm_(p.values(), c["gradient_norm_limit"])
            self.optimiser.param_groups[0]["lr"] = rate
            self.optimiser.step()
            if self.recipe in UNIT_NORM:
                p["W_dec"] /= p["W_dec"].norm(dim=1, keepdim=True)
            if "threshold_start" in c and self.step_number >= c["threshold_start"] and (f > 0).any():
                least, decay = f[f > 0].min().item(), c["threshold_decay"]
                self.threshold = least if self.threshold is None else decay * self.threshold + (1 - decay) * least
            error = squared(x - reconstruction).item()
            spread = squared(x - x.mean(0)).item()
        self.step_number += 1
        return Report(loss.item(), error / self.scale**2, 1 - error / spread, (f > 0).sum(1).to(x.dtype).mean().item(), norm, rate, sparsity, int(self.dead().sum()), auxiliary.item())

    # MARK: resampling

    @torch.no_grad()
    def losses(self, raw: Tensor) -> Tensor:
        """towards-monosemanticity's loss of each input [n]; inputs are picked with probability ∝ its square."""
        f = self.features(self.pre_activations(raw))
        return (raw - self.decode(f)).square().mean(1) + self.constants["l1"] * f.sum(1)

    @torch.no_grad()
    def resample(self, raw: Tensor, dead: Tensor, picked: Tensor) -> None:
        """Points the features `dead` (indices) at the inputs `picked` (row numbers of `raw`, one each), as they are: b_dec stays in."""
        p = self.parameters
        alive = torch.ones(len(p["b_enc"]), dtype=torch.bool)
        alive[dead] = False
        length = p["W_enc"][alive].norm(dim=1).mean()
        directions = torch.nn.functional.normalize(raw[picked], dim=1)
        p["W_dec"][dead] = directions
        p["W_enc"][dead] = directions * length * self.constants["resample_scale"]
        p["b_enc"][dead] = 0
        self.samples_since_fired[dead] = 0
        for name in ("W_enc", "W_dec", "b_enc"):
            state = self.optimiser.state.get(p[name], {})
            for moment in ("exp_avg", "exp_avg_sq"):
                if moment in state:
                    state[moment][dead] = 0
