"""The same job as a competent hand would write it in PyTorch: python ingest.py FOLDER THREADS [CONTEXTS] [OUT.sqlite]

Reads what `benchmarks write` wrote: model/, sae/ and tokens.i32 (contexts x context length, BOS first). Forward pass up
to the hook, encoder, and for each feature count, sum, sum of squares, maximum, a quarter-octave histogram and the 20
contexts with the largest maxima, from the entries that are not zero; at the end rows in SQLite. Prints one line of JSON;
time counts from the first batch, so without imports and loading. Firings on the BOS token are not counted.
"""
import json
import os
import resource
import sqlite3
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

KEPT, BINS, BATCH = 20, 64, 8


def load(folder):
    config = json.load(open(f"{folder}/model/config.json"))
    model = {k.removeprefix("transformer."): v for k, v in load_file(f"{folder}/model/model.safetensors").items()}
    sae = load_file(f"{folder}/sae/sae_weights.safetensors")
    # An activation is the file's own times its decoder row's length; the decoder's bias goes into the encoder's.
    bias = sae["b_enc"] - sae["b_dec"] @ sae["W_enc"]
    return config, model, sae["W_enc"].contiguous(), bias, sae["W_dec"].norm(dim=1)


def neurons(config, w, ids):
    """Token ids (contexts x length) -> hook_post (tokens x neurons)."""
    contexts, length = ids.shape
    width, heads = config["n_embd"], config["n_head"]
    x = (w["wte.weight"][ids] + w["wpe.weight"][:length]).view(-1, width)
    normed = F.layer_norm(x, (width,), w["h.0.ln_1.weight"], w["h.0.ln_1.bias"])
    qkv = torch.addmm(w["h.0.attn.c_attn.bias"], normed, w["h.0.attn.c_attn.weight"]).view(contexts, length, 3, heads, width // heads)
    q, k, v = qkv.permute(2, 0, 3, 1, 4)
    mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(-1, width)
    x = x + torch.addmm(w["h.0.attn.c_proj.bias"], mixed, w["h.0.attn.c_proj.weight"])
    normed = F.layer_norm(x, (width,), w["h.0.ln_2.weight"], w["h.0.ln_2.bias"])
    return torch.addmm(w["h.0.mlp.c_fc.bias"], normed, w["h.0.mlp.c_fc.weight"]).relu_()


class Totals:
    def __init__(self, features):
        self.features = features
        self.count = torch.zeros(features, dtype=torch.int64)
        self.sum, self.squares = torch.zeros(features, dtype=torch.float64), torch.zeros(features, dtype=torch.float64)
        self.maximum, self.histogram = torch.zeros(features), torch.zeros(features * BINS, dtype=torch.int64)
        self.best, self.context = torch.zeros(KEPT, features), torch.full((KEPT, features), -1)

    def add(self, codes, norms, first, contexts):
        """codes: (tokens x features), zero where nothing fires."""
        flat = codes.view(-1)
        place = flat.nonzero().squeeze(1)
        token, feature = place // self.features, place % self.features
        value = flat[place] * norms[feature]
        wide = value.double()
        self.count += torch.bincount(feature, minlength=self.features)
        self.sum += torch.bincount(feature, weights=wide, minlength=self.features)
        self.squares += torch.bincount(feature, weights=wide * wide, minlength=self.features)
        bin = (torch.log2(value) * 4).floor_().long().add_(48).clamp_(0, BINS - 1)
        self.histogram += torch.bincount(feature * BINS + bin, minlength=self.features * BINS)
        length = codes.shape[0] // contexts
        peaks = torch.zeros(contexts * self.features).scatter_reduce_(0, token // length * self.features + feature, value, reduce="amax").view(contexts, -1)
        self.maximum = torch.maximum(self.maximum, peaks.amax(0))
        everything = torch.cat([self.best, peaks])
        names = torch.cat([self.context, torch.arange(first, first + contexts)[:, None].expand(-1, self.features)])
        self.best, order = everything.topk(KEPT, dim=0)
        self.context = names.gather(0, order)

    def write(self, path):
        if os.path.exists(path):
            os.remove(path)
        database = sqlite3.connect(path)
        database.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
            "CREATE TABLE feature (id INTEGER PRIMARY KEY, firings INTEGER, sum REAL, squares REAL, maximum REAL, histogram BLOB);"
            "CREATE TABLE example (feature INTEGER, rank INTEGER, context INTEGER, value REAL, PRIMARY KEY (feature, rank)) WITHOUT ROWID;")
        histogram = self.histogram.view(-1, BINS).int().numpy()
        columns = (self.count.tolist(), self.sum.tolist(), self.squares.tolist(), self.maximum.tolist())
        database.executemany("INSERT INTO feature VALUES (?, ?, ?, ?, ?, ?)", ((j, *row, histogram[j].tobytes()) for j, row in enumerate(zip(*columns))))
        values, contexts = self.best.T.tolist(), self.context.T.tolist()
        database.executemany("INSERT INTO example VALUES (?, ?, ?, ?)", ((j, r, contexts[j][r], values[j][r]) for j in range(self.features) for r in range(KEPT) if values[j][r] > 0))
        database.commit()
        database.close()


def main(folder, threads, contexts=None, out=None):
    torch.set_num_threads(threads)
    config, w, encoder, bias, norms = load(folder)
    ids = torch.from_numpy(np.fromfile(f"{folder}/tokens.i32", dtype="<i4").reshape(-1, config["n_positions"])[:contexts].astype(np.int64))
    totals = Totals(encoder.shape[1])
    codes = torch.empty(BATCH * ids.shape[1], encoder.shape[1])

    def batch(totals, first):
        part = ids[first:first + BATCH]
        x = neurons(config, w, part)
        code = torch.addmm(bias, x, encoder, out=codes[:x.shape[0]]).relu_()
        code.view(*part.shape, -1)[:, 0] = 0
        totals.add(code, norms, first, part.shape[0])

    batch(Totals(encoder.shape[1]), 0)
    before, wall = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    for first in range(0, ids.shape[0], BATCH):
        batch(totals, first)
    if out:
        totals.write(out)
    after, wall = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter() - wall
    print(json.dumps({
        "what": f"PyTorch by hand, {threads} thread" + "s" * (threads > 1), "features": encoder.shape[1], "tokens": ids.numel() - ids.shape[0],
        "cpu_s": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 3), "wall_s": round(wall, 3), "firings": int(totals.count.sum()),
        "peak_mb": after.ru_maxrss * 1024 // 1000000}))


if __name__ == "__main__":
    arguments = sys.argv[1:]
    with torch.no_grad():
        main(arguments[0], int(arguments[1]), int(arguments[2]) if len(arguments) > 2 and arguments[2] != "all" else None, arguments[3] if len(arguments) > 3 else None)
