"""The activations that the autoencoders are trained on, and their files read back."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file

HOOK = "blocks.0.mlp.hook_post"
NEURONS = 512
BUFFER_CONTEXTS = 768


def neurons(model: torch.nn.Module, rows: torch.Tensor) -> torch.Tensor:
    """The activations at the hook point, [tokens, 512], without the head that would cost ten times as much."""
    with torch.no_grad():
        block = model.transformer.h[0]
        caught: list[torch.Tensor] = []
        handle = block.mlp.act.register_forward_hook(lambda _module, _input, output: caught.append(output))
        model.transformer(rows)
        handle.remove()
    return caught[0].reshape(-1, NEURONS)


class Stream:
    """Shuffled activations: a buffer of contexts whose second half is used up, refilled and mixed with the first."""

    def __init__(self, model: torch.nn.Module, rows: torch.Tensor, seed: int, batch: int) -> None:
        self.model, self.rows, self.size = model, rows, batch
        self.random = torch.Generator().manual_seed(seed)
        self.order = torch.empty(0, dtype=torch.long)
        self.buffer = self.harvest(BUFFER_CONTEXTS)
        self.mix()

    def harvest(self, contexts: int) -> torch.Tensor:
        if len(self.order) < contexts:
            self.order = torch.cat([self.order, torch.randperm(len(self.rows), generator=self.random)])
        chosen, self.order = self.order[:contexts], self.order[contexts:]
        return torch.cat([neurons(self.model, batch) for batch in self.rows[chosen].split(32)])

    def mix(self) -> None:
        self.buffer = self.buffer[torch.randperm(len(self.buffer), generator=self.random)]
        self.place = len(self.buffer) // 2

    def batch(self) -> torch.Tensor:
        if self.place + self.size > len(self.buffer):
            self.buffer[len(self.buffer) // 2 :] = self.harvest(BUFFER_CONTEXTS // 2)
            self.mix()
        self.place += self.size
        return self.buffer[self.place - self.size : self.place]


def load(folder: Path) -> dict[str, torch.Tensor]:
    """The tensors in single precision, the decoder bias that is taken from inputs folded into the encoder's."""
    sae = {name: tensor.float() for name, tensor in load_file(folder / "sae_weights.safetensors").items()}
    if json.loads((folder / "cfg.json").read_text())["apply_b_dec_to_input"]:
        sae["b_enc"] = sae["b_enc"] - sae["b_dec"] @ sae["W_enc"]
    return sae
