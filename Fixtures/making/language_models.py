"""The tokenizer and the two one-layer models, trained and saved as Hugging Face does."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Iterable

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import GPT2Config, GPT2LMHeadModel

VOCABULARY = 6_144
CONTEXT = 256
BATCH = 32
STEPS, DECAY_FROM = 985, 875


def documents(path: Path) -> list[str]:
    # Not splitlines(), which also splits at U+2028 and its like inside a text.
    return [json.loads(line)["text"] for line in path.read_text().split("\n") if line]


def train_tokenizer(train: Path, out: Path) -> None:
    """A GPT-2-style byte-level BPE; both models share it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(documents(train), trainer)
    out.parent.mkdir(parents=True, exist_ok=True)
    layout = json.loads(tokenizer.to_str())
    out.write_text(json.dumps(layout, ensure_ascii=False, separators=(",", ":")) + "\n")


def tokenise(tokenizer: Tokenizer, texts: Iterable[str]) -> list[np.ndarray]:
    return [np.array(e.ids, dtype=np.int64) for e in tokenizer.encode_batch(list(texts), add_special_tokens=False)]


def contexts(document: np.ndarray) -> list[np.ndarray]:
    """A document alone, cut into contexts of 256 tokens, the last one partial; no BOS is put before any."""
    return [document[i : i + CONTEXT] for i in range(0, len(document), CONTEXT)]


def full_contexts(tokenizer: Tokenizer, path: Path) -> torch.Tensor:
    """The full contexts of every document, [contexts, 256]: for training, the partial ones are left out."""
    kept = path.with_suffix(".npy")
    if kept.exists() and kept.stat().st_mtime > path.stat().st_mtime:
        return torch.from_numpy(np.load(kept).astype(np.int64))
    rows = [c for d in tokenise(tokenizer, documents(path)) for c in contexts(d) if len(c) == CONTEXT]
    np.save(kept, np.stack(rows).astype(np.uint16))
    return torch.from_numpy(np.stack(rows))


def configuration() -> GPT2Config:
    return GPT2Config(
        vocab_size=VOCABULARY,
        n_positions=CONTEXT,
        n_embd=128,
        n_layer=1,
        n_head=4,
        n_inner=512,
        activation_function="relu",
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=0,
        eos_token_id=0,
    )


class TiedCrossEntropy(torch.autograd.Function):
    """Mean cross-entropy of hidden @ embedding.T, a chunk of rows at a time.

    The whole logits of a batch are 200 MB; in chunks that stay in cache a step takes half the time.
    """

    @staticmethod
    def forward(ctx, hidden: torch.Tensor, embedding: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        total, gradient, weights = 0.0, torch.empty_like(hidden), torch.zeros_like(embedding)
        for start in range(0, len(hidden), 512):
            rows, wanted = hidden[start : start + 512], targets[start : start + 512, None]
            scores = rows @ embedding.T
            scores -= scores.amax(1, keepdim=True)
            picked = scores.gather(1, wanted)
            scores.exp_()
            sums = scores.sum(1, keepdim=True)
            total += (sums.log() - picked).sum()
            scores /= sums
            scores.scatter_add_(1, wanted, torch.full_like(picked, -1.0))
            gradient[start : start + 512] = scores @ embedding
            weights.addmm_(scores.T, rows)
        ctx.save_for_backward(gradient / len(hidden), weights / len(hidden))
        return total / len(hidden)

    @staticmethod
    def backward(ctx, scale: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        gradient, weights = ctx.saved_tensors
        return gradient * scale, weights * scale, None


def training_loss(model: GPT2LMHeadModel, batch: torch.Tensor) -> torch.Tensor:
    hidden = model.transformer(batch).last_hidden_state[:, :-1].reshape(-1, model.config.n_embd)
    return TiedCrossEntropy.apply(hidden, model.transformer.wte.weight, batch[:, 1:].reshape(-1))


def loss_on(model: GPT2LMHeadModel, rows: torch.Tensor) -> float:
    with torch.no_grad():
        losses = [model(batch, labels=batch).loss.item() for batch in rows.split(16)]
    return float(np.mean(losses))


def save(model: GPT2LMHeadModel, tokenizer_file: Path, out: Path) -> None:
    """config.json, model.safetensors in F16 with tied embeddings stored once, tokenizer.json."""
    out.mkdir(parents=True, exist_ok=True)
    config = {k: v for k, v in sorted(model.config.to_diff_dict().items()) if k not in ("transformers_version", "_name_or_path")}
    # Written as checkpoints on the hub have it: every dimension explicit, `torch_dtype` and not `dtype`.
    config.pop("dtype", None)
    explicit = ("n_positions", "n_embd", "n_layer", "n_head", "n_inner", "vocab_size", "activation_function", "layer_norm_epsilon")
    config |= {key: getattr(model.config, key) for key in explicit}
    config |= {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_ctx": CONTEXT, "torch_dtype": "float16", "tie_word_embeddings": True}
    (out / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    tensors = {k: v.detach().half().contiguous() for k, v in model.state_dict().items() if k != "lm_head.weight"}
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})
    (out / "model.safetensors").chmod(0o644)
    (out / "tokenizer.json").write_bytes(tokenizer_file.read_bytes())


def learning_rate(step: int) -> float:
    """The share of the peak: warm-up, a cosine laid out for 1,300 steps, and from 875 on a straight line to zero."""

    def cosine(step: int) -> float:
        return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / 1_300))

    if step < DECAY_FROM:
        return min((step + 1) / 60, cosine(step))
    return cosine(DECAY_FROM) * (STEPS - step) / (STEPS - DECAY_FROM)


def train_model(build: Path, out: Path, seed: int) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    tokenizer = Tokenizer.from_file(str(build / "tokenizer.json"))
    rows, held_out = full_contexts(tokenizer, build / "train.jsonl"), full_contexts(tokenizer, build / "held-out.jsonl")
    print(f"{rows.numel():,} training tokens in full contexts, {held_out.numel():,} held out", flush=True)
    model = GPT2LMHeadModel(configuration())
    decayed = [p for p in model.parameters() if p.dim() == 2]
    plain = [p for p in model.parameters() if p.dim() != 2]
    optimiser = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}], lr=2e-3, betas=(0.9, 0.98))
    order, start = torch.empty(0, dtype=torch.long), time.time()
    for step in range(STEPS):
        if len(order) < BATCH:
            order = torch.cat([order, torch.randperm(len(rows))])
        batch, order = rows[order[:BATCH]], order[BATCH:]
        rate = 2e-3 * learning_rate(step)
        for group in optimiser.param_groups:
            group["lr"] = rate
        loss = training_loss(model, batch)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        if step % 50 == 0 or step + 1 == STEPS:
            print(f"step {step} loss {loss.item():.3f} {time.time() - start:.0f} s", flush=True)
    save(model, build / "tokenizer.json", out)
    print(f"held-out loss {loss_on(model, held_out):.4f} nats per token", flush=True)


def load(folder: Path) -> GPT2LMHeadModel:
    """The saved F16 weights, upcast to float32; eager attention, the plainest path."""
    model = GPT2LMHeadModel.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    return model.eval()
