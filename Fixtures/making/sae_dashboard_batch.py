"""Dashboards of sae-A-0 by SAEDashboard itself: `Fixtures/saedashboard`.

    python -m making.sae_dashboard_batch FOLDER      in Fixtures/; wants sae-dashboard 0.8.0 (it brings torch, sae-lens and transformer-lens)

What is not the package's own: the model is built from `model-A` instead of fetched by name, and the prompts are the first 32 tokens of the
first documents of `corpus.jsonl`, without BOS, instead of a data set from a hub. Small groups and few bins keep the files small.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import torch
from sae_dashboard.neuronpedia.neuronpedia_runner import NeuronpediaRunner
from sae_dashboard.neuronpedia.neuronpedia_runner_config import NeuronpediaRunnerConfig
from sae_lens import HookedSAETransformer
from transformer_lens import HookedTransformerConfig
from transformer_lens.pretrained.weight_conversions import convert_gpt2_weights
from transformers import AutoTokenizer, GPT2LMHeadModel, PreTrainedTokenizerFast

HERE = Path(__file__).resolve().parent.parent
PROMPTS, TOKENS = 512, 32


def prompts(tokenizer: PreTrainedTokenizerFast) -> torch.Tensor:
    rows: list[list[int]] = []
    for line in (HERE / "corpus.jsonl").read_text().splitlines():
        ids = tokenizer.encode(json.loads(line)["text"])
        for at in range(0, len(ids) - TOKENS + 1, TOKENS):
            if ids[at : at + TOKENS] not in rows:
                rows.append(ids[at : at + TOKENS])
    step = len(rows) / PROMPTS
    return torch.tensor([rows[int(i * step)] for i in range(PROMPTS)])


class Runner(NeuronpediaRunner):
    def _initialize_model(self):
        config = json.loads((HERE / "model-A/config.json").read_text())
        cfg = HookedTransformerConfig(
            n_layers=1, d_model=128, n_ctx=256, d_head=32, n_heads=4, d_mlp=512, d_vocab=config["vocab_size"], act_fn="relu", normalization_type="LN",
            model_name="model-A", tokenizer_name=None, device="cpu", dtype=torch.float32, eps=config["layer_norm_epsilon"], default_prepend_bos=False)
        cfg.original_architecture = "GPT2LMHeadModel"
        tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(HERE / "model-A/tokenizer.json"), bos_token="<|endoftext|>", eos_token="<|endoftext|>", pad_token="<|endoftext|>")
        # transformer-lens makes the tokenizer anew from where it lies.
        place = str(Path(sys.argv[1]) / "tokenizer")
        tokenizer.save_pretrained(place)
        self.model = HookedSAETransformer(cfg, tokenizer=AutoTokenizer.from_pretrained(place))
        state = convert_gpt2_weights(GPT2LMHeadModel.from_pretrained(str(HERE / "model-A"), torch_dtype=torch.float32), cfg)
        self.model.load_and_process_state_dict(state, fold_ln=False, center_writing_weights=False, center_unembed=False, fold_value_biases=False)
        self.hook_name = self.sae.cfg.metadata.hook_name

    def _setup_activation_store(self):
        self.activations_store = SimpleNamespace()
        self.cached_activations_dir = Path(sys.argv[1]) / "cached_activations"

    def get_tokens(self):
        return prompts(self.model.tokenizer)


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    folder = Path(sys.argv[1])
    shutil.rmtree(folder, ignore_errors=True)
    torch.manual_seed(0)
    torch.use_deterministic_algorithms(True)
    runner = Runner(NeuronpediaRunnerConfig(
        sae_set="towards-512", sae_path="sae-A-0", outputs_dir=str(folder), from_local_sae=True, huggingface_dataset_path="corpus.jsonl",
        n_prompts_total=PROMPTS, n_tokens_in_prompt=TOKENS, n_prompts_in_forward_pass=64, n_features_at_a_time=8, start_batch=0, end_batch=1,
        n_quantiles=3, top_acts_group_size=6, quantile_group_size=2, sae_dtype="float32", prepend_bos=False, shuffle_tokens=False))
    runner.run()
    for part in ["cached_activations", "tokenizer"]:
        shutil.rmtree(folder / part, ignore_errors=True)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            print(path, path.stat().st_size)
    return 0


if __name__ == "__main__":
    sys.exit(main())
