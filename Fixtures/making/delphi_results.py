"""Makes `Fixtures/delphi`: a results folder of the real delphi package over model-A and A/0. Run by us, never by users.

    cd Fixtures && python -m making.delphi_results

Needs eai-delphi (its cache, its configuration and its type of a judgement write the files), torch, transformers, tokenizers, safetensors, orjson. The
explanations and the judges' answers are ours, drawn from a seed: what is tested is how they are read. `corpus.jsonl` beside them holds the same
sequences as text, a document each.
"""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import orjson
import torch
from delphi.config import CacheConfig, ConstructorConfig, RunConfig, SamplerConfig
from delphi.latents.cache import LatentCache
from delphi.scorers.classifier.sample import ClassifierOutput
from tokenizers import Tokenizer

from . import activations, language_models
from .golden_statistics import FIXTURES, chosen_documents

OUT = FIXTURES / "delphi"
MODULE = "transformer.h.0.mlp.act"
CONTEXT = 32
SPLITS = 4
FEATURES = 512
BATCH = 8


def sequences(tokenizer: Tokenizer) -> list[tuple[list[int], str]]:
    """The beginnings of documents, as ids and as text that has these ids again; a multiple of the batch."""
    found = []
    for _, _, text in chosen_documents():
        ids = tokenizer.encode(text, add_special_tokens=False).ids[:CONTEXT]
        again = tokenizer.decode(ids, skip_special_tokens=False)
        if len(ids) == CONTEXT and tokenizer.encode(again, add_special_tokens=False).ids == ids:
            found.append((ids, again))
    return found[: len(found) // BATCH * BATCH]


def judged(chance: random.Random, sensitivity: float, specificity: float, probabilities: bool) -> list[ClassifierOutput]:
    rows = []
    for place in range(20):
        activating = place < 10
        answer: bool | None = (chance.random() < sensitivity) if activating else (chance.random() >= specificity)
        if place % 9 == 4:
            answer = None
        rows.append(
            ClassifierOutput(
                str_tokens=["a", " b"],
                activations=[0.0, 1.5 if activating else 0.0],
                distance=place % 5 if activating else -1.0,
                activating=activating,
                prediction=answer,
                probability=(None if answer is None else round(chance.random(), 3)) if probabilities else None,
                correct=None if answer is None else answer == activating,
            )
        )
    chance.shuffle(rows)
    return rows


def main() -> None:
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    tokenizer = Tokenizer.from_file(str(FIXTURES / "model-A" / "tokenizer.json"))
    model = language_models.load(FIXTURES / "model-A")
    weights = activations.load(FIXTURES / "sae-A-0")
    chosen = sequences(tokenizer)
    tokens = torch.tensor([ids for ids, _ in chosen])

    # The hook's place is not a module's own output in transformers, so that the latents are made here and handed to delphi's cache.
    cache = LatentCache(model=None, hookpoint_to_sparse_encode={}, batch_size=BATCH)  # type: ignore[arg-type]
    for number in range(len(tokens) // BATCH):
        batch = tokens[number * BATCH : (number + 1) * BATCH]
        with torch.no_grad():
            x = activations.neurons(model, batch).reshape(BATCH, CONTEXT, -1)
            latents = torch.relu(x @ weights["W_enc"] + weights["b_enc"])  # b_dec is folded in
        cache.cache.add(latents, batch, number, MODULE)
    cache.cache.save()
    cache.width = FEATURES  # type: ignore[assignment]
    cache.save_splits(n_splits=SPLITS, save_dir=OUT / "latents")
    settings = CacheConfig(dataset_repo="monoseme/fixture-corpus", dataset_split="train", batch_size=BATCH, cache_ctx_len=CONTEXT, n_tokens=tokens.numel(), n_splits=SPLITS)
    cache.save_config(OUT / "latents", settings, "model-A")
    run = RunConfig(
        cache_cfg=settings, constructor_cfg=ConstructorConfig(), sampler_cfg=SamplerConfig(), model="model-A", sparse_model="sae-A-0", hookpoints=[MODULE],
        explainer_model="a-judge/of-ours-8b", pipeline_num_proc=1, num_gpus=1,
    )
    run.save_json(OUT / "run_config.json", indent=1)
    (OUT / "corpus.jsonl").write_text("".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for _, text in chosen))

    chance = random.Random(6)
    texts = {0: "words about \"light\" — and naïve ones", 3: "ends of sentences", 130: "Explanation could not be parsed.", 511: "digits"}
    (OUT / "explanations").mkdir()
    for latent, text in texts.items():
        (OUT / "explanations" / f"{MODULE}_latent{latent}.txt").write_bytes(orjson.dumps(text))
    for scorer, (sensitivity, specificity) in {"detection": (0.9, 0.7), "fuzz": (0.8, 0.6)}.items():
        (OUT / "scores" / scorer).mkdir(parents=True)
        for latent in (0, 3):
            rows = judged(chance, sensitivity, specificity, probabilities=scorer == "fuzz")
            (OUT / "scores" / scorer / f"{MODULE}_latent{latent}.txt").write_bytes(orjson.dumps(rows))
    for path in OUT.rglob("*.safetensors"):
        path.chmod(0o644)
    print(f"{len(tokens)} sequences of {CONTEXT} tokens, {sum(len(a) for a in cache.cache.latent_activations.values())} activations")


if __name__ == "__main__":
    main()
