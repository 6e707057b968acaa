"""Goldens of the language models: tiny random ones of each architecture, and two contexts through model-A.

The reference is `transformers` in float32 with eager attention; hook points carry TransformerLens's names.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import GPT2Config, GPT2LMHeadModel, GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedModel

from . import language_models

FIXTURES = Path(__file__).resolve().parent.parent
OUT = FIXTURES / "goldens" / "models"
TOKENS = 12
VOCABULARY = 64

Activations = dict[str, torch.Tensor]


def captured(model: PreTrainedModel, ids: torch.Tensor) -> Activations:
    """Runs one context, [tokens], and returns the activations at every hook point, each [tokens, width]."""
    caught: Activations = {}
    handles = []
    is_gpt_2 = isinstance(model, GPT2LMHeadModel)
    parallel = not is_gpt_2 and model.config.use_parallel_residual
    blocks = model.transformer.h if is_gpt_2 else model.gpt_neox.layers

    def keep(name: str, of_input: bool = False):
        def hook(_module, inputs, output):
            value = inputs[0] if of_input else output
            caught[name] = (value[0] if isinstance(value, tuple) else value)[0].detach().clone()

        return hook

    for number, block in enumerate(blocks):
        at = f"blocks.{number}."
        attention = block.attn if is_gpt_2 else block.attention
        project_out = attention.c_proj if is_gpt_2 else attention.dense
        first, second = (block.mlp.c_fc, block.mlp.c_proj) if is_gpt_2 else (block.mlp.dense_h_to_4h, block.mlp.dense_4h_to_h)
        second_norm = block.ln_2 if is_gpt_2 else block.post_attention_layernorm
        handles += [
            (block.ln_1 if is_gpt_2 else block.input_layernorm).register_forward_hook(keep(at + "hook_resid_pre", of_input=True)),
            project_out.register_forward_hook(keep(at + "attn.hook_z", of_input=True)),
            project_out.register_forward_hook(keep(at + "hook_attn_out")),
            first.register_forward_hook(keep(at + "mlp.hook_pre")),
            second.register_forward_hook(keep(at + "mlp.hook_post", of_input=True)),
            second.register_forward_hook(keep(at + "hook_mlp_out")),
            block.register_forward_hook(keep(at + "hook_resid_post")),
        ]
        if not parallel:  # with a parallel residual there is no middle
            handles.append(second_norm.register_forward_hook(keep(at + "hook_resid_mid", of_input=True)))
    with torch.no_grad():
        caught["logits"] = model(ids[None]).logits[0]
    for handle in handles:
        handle.remove()
    return caught


def randomise(model: PreTrainedModel, seed: int) -> None:
    """Weights large enough that every part matters: gains off one, biases off zero, attention far from uniform."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            is_gain = parameter.dim() == 1 and name.endswith("weight")
            parameter.copy_(1 + 0.2 * noise if is_gain else 0.3 * noise)


def gpt_2(**changes: object) -> GPT2Config:
    return GPT2Config(vocab_size=VOCABULARY, n_positions=32, n_embd=24, n_layer=2, n_head=3, **changes)


def gpt_neox(**changes: object) -> GPTNeoXConfig:
    settings = {"hidden_act": "gelu", "tie_word_embeddings": False, **changes}
    return GPTNeoXConfig(
        vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=80, max_position_embeddings=32, **settings
    )


def write_config(folder: Path, model: PreTrainedModel, half: bool) -> None:
    """A configuration as checkpoints on the hub have it (`torch_dtype`, NeoX's `rotary_pct`), not as version 5 writes it."""
    config = model.config.to_dict()
    kept = {
        "gpt2": "activation_function layer_norm_epsilon model_type n_embd n_head n_inner n_layer n_positions scale_attn_by_inverse_layer_idx scale_attn_weights reorder_and_upcast_attn vocab_size",
        "gpt_neox": "attention_bias hidden_act hidden_size intermediate_size layer_norm_eps max_position_embeddings model_type num_attention_heads num_hidden_layers tie_word_embeddings use_parallel_residual vocab_size",
    }[config["model_type"]]
    out = {key: config[key] for key in kept.split() if key in config}
    if config["model_type"] == "gpt_neox":
        out |= {"rotary_pct": 0.25, "rotary_emb_base": 10_000}
    out |= {"architectures": [type(model).__name__], "torch_dtype": "float16" if half else "float32"}
    (folder / "config.json").write_text(json.dumps(out, indent=2, sort_keys=True) + "\n")


def write_tiny(name: str, model: PreTrainedModel, seed: int, *, half: bool = False, prefix: bool = True, buffers: bool = False, shards: int = 1) -> None:
    folder = OUT / name
    folder.mkdir(parents=True, exist_ok=True)
    randomise(model, seed)
    if half:
        model.half().float()
    model.eval()
    write_config(folder, model, half)
    tensors: Activations = {}
    for key, value in model.state_dict().items():
        if key == "lm_head.weight":
            if model.config.tie_word_embeddings:
                continue
            key = "embed_out.weight"  # its name on disk in every NeoX checkpoint
        if not prefix:
            key = key.removeprefix("transformer.")
        tensors[key] = (value.half() if half else value).contiguous()
    if buffers:  # what old uploads carry and readers must ignore
        for layer in range(2):
            head = f"h.{layer}.attn." if not prefix else f"transformer.h.{layer}.attn."
            if isinstance(model, GPTNeoXForCausalLM):
                head = f"gpt_neox.layers.{layer}.attention."
                tensors[head + "rotary_emb.inv_freq"] = torch.ones(2)
            tensors[head + "bias"] = torch.ones(1, 1, 32, 32, dtype=torch.bool).tril()
            tensors[head + "masked_bias"] = torch.tensor(-1e9)
    if shards == 1:
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    else:
        names = sorted(tensors)
        files = [f"model-{n + 1:05d}-of-{shards:05d}.safetensors" for n in range(shards)]
        place = {key: files[i * shards // len(names)] for i, key in enumerate(names)}
        for file in files:
            save_file({k: tensors[k] for k in names if place[k] == file}, folder / file, metadata={"format": "pt"})
        total = sum(t.numel() * t.element_size() for t in tensors.values())
        index = {"metadata": {"total_size": total}, "weight_map": place}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")
    ids = torch.randint(0, VOCABULARY, (TOKENS,), generator=torch.Generator().manual_seed(seed + 1))
    golden = captured(model, ids)
    save_file({"input_ids": ids, **{k: v.contiguous() for k, v in golden.items()}}, folder / "golden.safetensors")
    for file in folder.iterdir():
        file.chmod(0o644)


def eager(model_class: type[PreTrainedModel], config: object) -> PreTrainedModel:
    config._attn_implementation = "eager"
    return model_class(config)


def write_model_a() -> None:
    """Two contexts of the corpus, one full and one partial: hook_post whole, logits of the last 8 positions."""
    folder = OUT / "model-A"
    folder.mkdir(parents=True, exist_ok=True)
    model = language_models.load(FIXTURES / "model-A")
    tokenizer = Tokenizer.from_file(str(FIXTURES / "model-A" / "tokenizer.json"))
    chosen = [c for d in language_models.tokenise(tokenizer, language_models.documents(FIXTURES / "corpus.jsonl")[:1]) for c in language_models.contexts(d)]
    out: Activations = {}
    for name, context in (("full", chosen[0]), ("partial", chosen[-1])):
        ids = torch.from_numpy(context)
        golden = captured(model, ids)
        out[f"{name}.input_ids"] = ids
        out[f"{name}.blocks.0.mlp.hook_post"] = golden["blocks.0.mlp.hook_post"].contiguous()
        out[f"{name}.blocks.0.hook_resid_post"] = golden["blocks.0.hook_resid_post"][-8:].contiguous()
        out[f"{name}.logits"] = golden["logits"][-8:].contiguous()
    assert len(chosen[0]) == 256 > len(chosen[-1])
    save_file(out, folder / "golden.safetensors")
    (folder / "golden.safetensors").chmod(0o644)


def write_all() -> None:
    write_tiny("gpt-2-gelu-new", eager(GPT2LMHeadModel, gpt_2(activation_function="gelu_new")), 1)
    write_tiny("gpt-2-gelu", eager(GPT2LMHeadModel, gpt_2(activation_function="gelu", n_inner=40)), 3, prefix=False, buffers=True)
    write_tiny("gpt-2-relu", eager(GPT2LMHeadModel, gpt_2(activation_function="relu", layer_norm_epsilon=1e-3)), 5, prefix=False)
    write_tiny("gpt-2-inverse-layer", eager(GPT2LMHeadModel, gpt_2(activation_function="gelu_new", scale_attn_by_inverse_layer_idx=True)), 7)
    write_tiny("gpt-2-sharded", eager(GPT2LMHeadModel, gpt_2(activation_function="relu")), 9, shards=3)
    write_tiny("gpt-2-half", eager(GPT2LMHeadModel, gpt_2(activation_function="gelu_new")), 11, half=True)
    write_tiny("gpt-neox-parallel", eager(GPTNeoXForCausalLM, gpt_neox(use_parallel_residual=True)), 13)
    write_tiny("gpt-neox-serial", eager(GPTNeoXForCausalLM, gpt_neox(use_parallel_residual=False)), 15, buffers=True)
    write_tiny("gpt-neox-half", eager(GPTNeoXForCausalLM, gpt_neox(use_parallel_residual=True)), 17, half=True)
    write_model_a()
