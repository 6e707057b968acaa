"""Goldens of the autoencoders: tiny ones in every form that a reader of SAELens's files meets.

The reference is SAELens itself, in float32. Where SAELens cannot load a layout, or reads it otherwise than its own
documentation says, the numpy transcription below is the reference, and `cases.json` says so.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

FIXTURES = Path(__file__).resolve().parent.parent
OUT = FIXTURES / "goldens" / "saes"
INPUTS, TOKENS, FEATURES = 12, 16, 24

Tensors = dict[str, torch.Tensor]


@dataclass
class Case:
    """One folder; `config` is merged into the plain v6 configuration, or replaces it where `flat`."""

    name: str
    architecture: str = "standard"
    config: dict[str, Any] = field(default_factory=dict)
    flat: bool = False
    drop: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    dtype: torch.dtype = torch.float32
    refused: str = ""
    by_hand: str = ""
    heads: int = 0


def tensors_of(case: Case, seed: int) -> Tensors:
    g = torch.Generator().manual_seed(seed)

    def normal(*shape: int, scale: float = 1.0) -> torch.Tensor:
        return torch.randn(*shape, generator=g) * scale

    strength = 0.5 + 1.5 * torch.rand(FEATURES, 1, generator=g)
    out = {
        "W_enc": normal(INPUTS, FEATURES, scale=0.5),
        "W_dec": torch.nn.functional.normalize(normal(FEATURES, INPUTS), dim=1) * strength,
        "b_enc": normal(FEATURES, scale=0.3) - 0.3,
        "b_dec": normal(INPUTS, scale=0.3),
    }
    if case.architecture == "jumprelu":
        out["threshold"] = normal(FEATURES, scale=0.3)  # some are negative, which acts as zero
    if case.architecture == "gated":
        del out["b_enc"]
        out |= {"b_gate": normal(FEATURES, scale=0.4), "r_mag": normal(FEATURES, scale=0.3), "b_mag": normal(FEATURES, scale=0.3)}
    if "topk_threshold" in case.extra:
        out["topk_threshold"] = torch.tensor(0.75, dtype=torch.float64)
    if "scaling_factor" in case.extra:
        out["scaling_factor"] = torch.ones(FEATURES)
    if "finetuning_scaling_factor" in case.extra:
        out["finetuning_scaling_factor"] = 0.5 + torch.rand(FEATURES, generator=g)
    if "log_threshold" in case.extra:
        out["log_threshold"] = normal(FEATURES, scale=0.5) - 1
        out.pop("threshold")
    keep = ("topk_threshold",)
    return {k: v if k in keep else v.to(case.dtype) for k, v in out.items() if k not in case.drop}


def v6(case: Case) -> dict[str, Any]:
    if case.flat:
        return {"d_in": INPUTS, "d_sae": FEATURES, "device": "cpu", **case.config}
    dtype = str(case.dtype).removeprefix("torch.")
    config: dict[str, Any] = {
        "architecture": case.architecture,
        "d_in": INPUTS,
        "d_sae": FEATURES,
        "dtype": dtype,
        "device": "cpu",
        "apply_b_dec_to_input": True,
        "normalize_activations": "none",
        "reshape_activations": "hook_z" if case.heads else "none",
        "metadata": {
            "sae_lens_version": "6.54.12",
            "model_name": "gpt2",
            "hook_name": "blocks.3.attn.hook_z" if case.heads else "blocks.0.mlp.hook_post",
            "hook_head_index": None,
            "context_size": 256,
            "prepend_bos": False,
        },
    }
    return {**config, **case.config}


# MARK: the numpy transcription


def by_hand(x: np.ndarray, t: dict[str, np.ndarray], c: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Features and reconstruction, straight from the definitions."""
    architecture, normalise = c["architecture"], c.get("normalize_activations") or "none"
    mean, spread, factor = 0.0, 1.0, 1.0
    if normalise == "layer_norm":
        mean = x.mean(1, keepdims=True)
        spread = (x - mean).std(1, ddof=1, keepdims=True)
        x = (x - mean) / (spread + 1e-5)
    if normalise == "constant_norm_rescale":
        factor = np.sqrt(x.shape[1]) / np.linalg.norm(x, axis=1, keepdims=True)
        x = x * factor
    z = x - t["b_dec"] if c.get("apply_b_dec_to_input", True) else x
    norms = np.linalg.norm(t["W_dec"], axis=1)
    rescale = c.get("rescale_acts_by_decoder_norm", False)
    p = z @ t["W_enc"] + t.get("b_enc", 0)
    if architecture == "gated":
        f = (p + t["b_gate"] > 0) * np.maximum(p * np.exp(t["r_mag"]) + t["b_mag"], 0)
    elif architecture == "topk":
        p = p * norms if rescale else p
        f = np.zeros_like(p)
        top = np.argsort(-p, axis=1)[:, : c["k"]]
        np.put_along_axis(f, top, np.maximum(np.take_along_axis(p, top, 1), 0), 1)
    elif architecture in ("jumprelu", "batchtopk"):
        threshold = t["topk_threshold"] if architecture == "batchtopk" else np.exp(t["log_threshold"]) if "log_threshold" in t else t["threshold"]
        p = p * norms if rescale else p
        f = np.maximum(p, 0) * (p > threshold)
    else:
        f = np.maximum(p, 0)
    decoded = f * t.get("finetuning_scaling_factor", 1.0)
    r = (decoded / norms if rescale else decoded) @ t["W_dec"] + t["b_dec"]
    return f, r * spread + mean if normalise == "layer_norm" else r / factor


# MARK: the cases

OLD = {
    "model_name": "gpt2",
    "hook_layer": 0,
    "dtype": "torch.float32",
    "prepend_bos": True,
    "context_size": 128,
    "dataset_path": "text",
    "hook_head_index": None,
}
V5 = {**OLD, "hook_name": "blocks.0.mlp.hook_post", "activation_fn_str": "relu", "activation_fn_kwargs": {}, "finetuning_scaling_factor": False,
      "sae_lens_training_version": "5.11.0", "neuronpedia_id": None, "model_from_pretrained_kwargs": {"center_writing_weights": False},
      "normalize_activations": "none", "apply_b_dec_to_input": False, "architecture": "standard"}
BATCH_TOPK = {"k": 4.0, "rescale_acts_by_decoder_norm": True, "l1_coefficient": None}

CASES = [
    Case("standard"),
    Case("standard-no-b-dec", config={"apply_b_dec_to_input": False}),
    Case("standard-layer-norm", config={"normalize_activations": "layer_norm"}),
    Case("standard-layer-norm-no-b-dec", config={"normalize_activations": "layer_norm", "apply_b_dec_to_input": False}),
    Case("standard-constant-norm", config={"normalize_activations": "constant_norm_rescale"}),
    Case("standard-expected-average", config={"normalize_activations": "expected_average_only_in"}),
    Case("standard-null-normalisation", config={"normalize_activations": None}, by_hand="SAELens 6 expects a string; null means none"),
    Case("standard-hook-z", heads=3),
    Case("standard-bfloat16", dtype=torch.bfloat16),
    Case("standard-float16", dtype=torch.float16),
    Case("standard-float64", dtype=torch.float64),
    Case("topk", "topk", {"k": 4, "rescale_acts_by_decoder_norm": False}),
    Case("topk-rescaled", "topk", {"k": 4, "rescale_acts_by_decoder_norm": True}),
    Case("topk-no-b-dec", "topk", {"k": 6, "apply_b_dec_to_input": False}),
    Case("topk-layer-norm", "topk", {"k": 5, "normalize_activations": "layer_norm"}),
    Case("topk-more-than-positive", "topk", {"k": 20}),
    Case("jumprelu", "jumprelu"),
    Case("jumprelu-no-b-dec", "jumprelu", {"apply_b_dec_to_input": False}),
    Case("jumprelu-constant-norm", "jumprelu", {"normalize_activations": "constant_norm_rescale"}),
    Case("jumprelu-log-threshold", "jumprelu", extra=("log_threshold",), by_hand="old training checkpoints: threshold = exp(log_threshold)"),
    Case("jumprelu-from-batchtopk", "jumprelu", {"metadata": {"sae_lens_version": "6.54.12", "hook_name": "blocks.0.mlp.hook_post", "training_architecture": "batchtopk"}}),
    Case("gated", "gated"),
    Case("gated-no-b-dec", "gated", {"apply_b_dec_to_input": False}),
    Case("gated-layer-norm", "gated", {"normalize_activations": "layer_norm"}),
    Case("batchtopk-training", "batchtopk", BATCH_TOPK, extra=("topk_threshold",), by_hand="a training checkpoint; its inference form is jumprelu at topk_threshold on p·‖d‖"),
    Case("batchtopk-training-unscaled", "batchtopk", {**BATCH_TOPK, "rescale_acts_by_decoder_norm": False}, extra=("topk_threshold",), by_hand="as batchtopk-training, without decoder norms"),
    Case("v5-standard", config=V5, flat=True),
    Case("v5-topk", config={**V5, "activation_fn_str": "topk", "activation_fn_kwargs": {"k": 5}, "apply_b_dec_to_input": True}, flat=True),
    Case("v5-jumprelu", "jumprelu", {**V5, "architecture": "jumprelu"}, flat=True),
    Case("v5-gated", "gated", {**V5, "architecture": "gated", "apply_b_dec_to_input": True}, flat=True),
    Case("v5-expected-average", config={**V5, "normalize_activations": "expected_average_only_in"}, flat=True),
    Case("v4-finetuned", config={**V5, "finetuning_scaling_factor": True, "sae_lens_training_version": "4.4.5"}, flat=True, extra=("finetuning_scaling_factor",), by_hand="features are multiplied by the factor in decoding only"),
    Case("v2-runner", config={**OLD, "hook_point": "blocks.0.mlp.hook_post", "hook_point_layer": 0, "l1_coefficient": 8e-5, "lr": 4e-4}, flat=True, extra=("scaling_factor",)),
    Case("v1-booleans", config={**OLD, "hook_point": "blocks.0.hook_resid_pre", "hook_point_layer": 0, "hook_point_head_index": None, "normalize_activations": False, "activation_fn": "relu"}, flat=True, by_hand="the old boolean false means none"),
    Case("refused-tanh-relu", config={**V5, "activation_fn_str": "tanh-relu"}, flat=True, refused="activation function tanh-relu; SAELens 6 reads it as relu, silently"),
    Case("refused-unknown-architecture", "standard", {"architecture": "spline"}, refused="unknown architecture"),
    Case("refused-unknown-normalisation", config={"normalize_activations": "softmax"}, refused="unknown normalize_activations; SAELens ignores it"),
    Case("refused-whitening", config={"normalize_activations": "covariance_whitening"}, refused="training-only normalisation that was not folded"),
    Case("refused-abstopk", "standard", {"architecture": "abstopk", "k": 4}, refused="activations may be negative"),
    Case("refused-matching-pursuit", config={"architecture": "matching_pursuit", "residual_threshold": 1e-2, "max_iterations": None, "stop_on_duplicate_support": True}, drop=("W_enc", "b_enc"), refused="not one encoder product"),
    Case("refused-temporal", config={"architecture": "temporal", "n_heads": 2, "n_attn_layers": 1, "bottleneck_factor": 1}, refused="not a map of one token"),
    Case("refused-transcoder", config={"architecture": "transcoder", "d_out": INPUTS}, refused="reads one hook point and writes another"),
    Case("refused-jumprelu-skip-transcoder", "jumprelu", {"architecture": "jumprelu_skip_transcoder", "d_out": INPUTS}, refused="reads one hook point and writes another"),
    Case("refused-missing-tensor", drop=("b_dec",), refused="tensor b_dec is missing"),
    Case("refused-wrong-shape", config={"d_sae": FEATURES + 1}, refused="d_sae disagrees with the tensors"),
    Case("refused-scaling-factor", config={**V5}, flat=True, extra=("scaling_factor", "finetuning_scaling_factor"), refused="a scaling_factor that is not all ones"),
    Case("refused-no-k", "topk", refused="topk without k"),
]


def reference(folder: Path, x: torch.Tensor, heads: int) -> tuple[torch.Tensor, torch.Tensor]:
    from sae_lens import SAE

    sae = SAE.load_from_disk(str(folder), device="cpu", dtype="float32")
    if heads == 0:
        sae.turn_off_forward_pass_hook_z_reshaping()
    given = x.reshape(TOKENS, heads, -1) if heads else x
    with torch.no_grad():
        f = sae.encode(given)
        r = sae.decode(f)
    return f, r.reshape(TOKENS, -1)


def write_all() -> None:
    listed = []
    for number, case in enumerate(CASES):
        folder = OUT / case.name
        folder.mkdir(parents=True, exist_ok=True)
        tensors, config = tensors_of(case, 100 + number), v6(case)
        if case.name == "refused-scaling-factor":
            tensors["scaling_factor"] = tensors.pop("finetuning_scaling_factor")
        (folder / "cfg.json").write_text(json.dumps(config, indent=2) + "\n")
        save_file({k: v.contiguous() for k, v in tensors.items()}, folder / "sae_weights.safetensors")
        entry: dict[str, Any] = {"folder": case.name, "expectation": "refused" if case.refused else "ok"}
        if case.refused:
            entry["why"] = case.refused
        else:
            x = torch.randn(TOKENS, INPUTS, generator=torch.Generator().manual_seed(500 + number)) * 1.5 + 0.2
            topk = config.get("activation_fn_str") == "topk"
            read = {**config, "architecture": "topk", "k": 5} if topk else {"architecture": case.architecture, **config}
            if case.name.startswith("v1"):
                read["normalize_activations"] = "none"
            f, r = (torch.from_numpy(a.astype(np.float32)) for a in by_hand(x.double().numpy(), {k: v.double().numpy() for k, v in tensors.items()}, read))
            entry |= {"reference": "numpy" if case.by_hand else "sae-lens", "tolerance": 1e-5}
            if case.by_hand:
                entry["why"] = case.by_hand
            else:
                lens_f, lens_r = reference(folder, x, case.heads)
                assert torch.equal(lens_f > 0, f > 0), case.name
                apart = max((lens_f - f).abs().max().item(), (lens_r - r).abs().max().item())
                assert apart < 1e-5, (case.name, apart)
                f, r = lens_f.float(), lens_r.float()
            assert 0.02 < (f > 0).float().mean() < 0.9, (case.name, (f > 0).float().mean())
            golden = {"x": x, "feature_acts": f.contiguous(), "reconstruction": r.contiguous()}
            save_file(golden, folder / "golden.safetensors")
        for file in folder.iterdir():
            file.chmod(0o644)
        listed.append(entry)
    (OUT / "cases.json").write_text(json.dumps(listed, indent=1) + "\n")
    print(f"{len(listed)} autoencoders, {sum(e['expectation'] == 'refused' for e in listed)} of them to be refused")
