"""A source as Neuronpedia's public exports have it, v1, of the dashboards in `Fixtures/saedashboard`: `Fixtures/neuronpedia`.

    python -m making.neuronpedia_dump FOLDER      in Fixtures/; wants nothing but Python

Neuronpedia's own converter is in no package registry: this writes the keys of its dumps in their order, the examples as SAEDashboard made them. Planted beside them:
feature 3 has a row of zeros (what fills a group that is short of examples) and one of activations below zero, feature 5 the window of feature 0's first example, feature 14
no examples and feature 15 no row at all; explanations are ours, one feature has two, and one stands in a second folder again.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
MODEL, SET, BOT = "model-a", "towards-512", "clkht01d40000jv08hvalcvly"
LAYER = f"0-{SET}"


def ident(*parts: object) -> str:
    return "c" + hashlib.sha256(repr(parts).encode()).hexdigest()[:24]


def feature_row(f: dict) -> dict:
    maximum = max((max(a["values"], default=0.0) for a in f["activations"]), default=0.0)
    row = {"modelId": MODEL, "layer": LAYER, "index": str(f["feature_index"]), "creatorId": BOT, "maxActApprox": maximum, "frac_nonzero": f["frac_nonzero"]}
    for key in ["freq_hist_data_bar_heights", "freq_hist_data_bar_values", "logits_hist_data_bar_heights", "logits_hist_data_bar_values", "neuron_alignment_indices", "neuron_alignment_l1",
                "neuron_alignment_values", "correlated_neurons_indices", "correlated_neurons_l1", "correlated_neurons_pearson", "decoder_weights_dist", "neg_str", "neg_values", "pos_str", "pos_values"]:
        row[key] = f[key]
    return row | {"sourceSetName": SET, "topkCosSimIndices": f["correlated_features_indices"], "topkCosSimValues": f["correlated_features_pearson"], "vector": [], "vectorLabel": None,
                  "hookName": None, "vectorDefaultSteerStrength": 10, "hasVector": False}


def example_row(index: int, number: int, a: dict) -> dict:
    values = a["values"]
    top = max(values, default=0.0)
    return {"id": ident("activation", index, number), "modelId": MODEL, "layer": LAYER, "index": str(index), "creatorId": BOT, "dataSource": None, "tokens": a["tokens"], "maxValue": top,
            "minValue": min(values, default=0.0), "values": values, "maxValueTokenIndex": values.index(top) if values else 0, "dfaValues": [], "dfaMaxValue": None, "dfaTargetIndex": None,
            "binContains": a["bin_contains"], "binMin": a["bin_min"], "binMax": a["bin_max"]}


def explanation_row(index: int, text: str, model: str | None, kind: str | None, author: str = BOT) -> dict:
    return {"id": ident("explanation", index, text), "modelId": MODEL, "layer": LAYER, "index": str(index), "authorId": author, "description": text,
            "embedding": "[" + ",".join(f"{((index * 7 + i) % 13 - 6) / 16}" for i in range(8)) + "]", "typeName": kind, "explanationModelName": model, "umap_x": 0, "umap_y": 0, "umap_cluster": 0,
            "umap_log_feature_sparsity": 0}


def write(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(text, 5, mtime=0) if path.suffix == ".gz" else text)


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    out = Path(sys.argv[1])
    (folder,) = (HERE / "saedashboard").iterdir()
    features = [f for n in range(2) for f in json.loads((folder / f"batch-{n}.json").read_text())["features"]][:15]
    shared = features[0]["activations"][0]
    filler = {"bin_min": -1, "bin_max": 0.0, "bin_contains": -1, "tokens": ["<|endoftext|>"] * 4, "values": [0.0] * 4}
    below = {"bin_min": -1, "bin_max": 0.5, "bin_contains": -1, "tokens": ["caf\u00e9", "\u0633\u0644\u0627\u0645", "\ufffd", '"', "\\"], "values": [-0.25, 0.5, 0.0, -1.5, 0.0]}
    features[3]["activations"] += [filler, below]
    features[5]["activations"].append(shared | {"values": [round(v / 2, 3) for v in shared["values"]]})
    features[14]["activations"] = []
    features[14]["frac_nonzero"] = 0.0
    for number, part in enumerate([features[:8], features[8:]]):
        write(out / f"features/batch-{number}.jsonl.gz", [feature_row(f) for f in part])
        write(out / f"activations/batch-{number}.jsonl.gz", [example_row(f["feature_index"], n, a) for f in part for n, a in enumerate(f["activations"])])
    texts = [explanation_row(i, t, "gpt-4o-mini", "oai_token-act-pair") for i, t in enumerate(["capital letters in base64", "names of days", "endings of Spanish words", "ids of people", "code in C", "words for \u201csum\u201d"])]
    texts += [explanation_row(0, "base64, upper case", None, None, "ckexampleuser000000000000")]
    write(out / "explanations/batch-0.jsonl.gz", texts)
    write(out / "explanations-gemini/batch-0.jsonl", [texts[1], explanation_row(7, "\u05e9\u05dc\u05d5\u05dd and greetings", "gemini-2.0-flash", "np_max-act")])
    write(out / "release.jsonl", [{"name": "towards", "description": "A demonstration", "descriptionShort": "Demo", "creatorName": "us", "creatorNameShort": "us", "creatorId": BOT, "visibility": "PUBLIC", "urls": []}])
    write(out / "model.jsonl", [{"id": MODEL, "instruct": False, "creatorId": BOT, "displayNameShort": "A", "displayName": "Model A", "visibility": "PUBLIC", "inferenceEnabled": False, "layers": 1,
                                 "neuronsPerLayer": 512, "owner": "us"}])
    write(out / "sourceset.jsonl", [{"modelId": MODEL, "name": SET, "creatorId": BOT, "description": "MLP 512", "creatorName": "us", "releaseName": "towards", "visibility": "PUBLIC", "hasDashboards": True}])
    write(out / "source.jsonl", [{"id": LAYER, "modelId": MODEL, "setName": SET, "creatorId": BOT, "visibility": "PUBLIC", "dataset": "corpus.jsonl", "num_prompts": 512, "num_tokens_in_prompt": 32}])
    return 0


if __name__ == "__main__":
    sys.exit(main())
