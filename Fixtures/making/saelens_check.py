"""What Python's sae-lens makes of a dictionary that Monoseme's trainer wrote: the golden beside it.

    python -m making.saelens_check inputs FILE [ROWS]      writes raw inputs to train on, `activations` [ROWS, 16], and to encode
    python -m making.saelens_check encode FOLDER… FILE     writes golden.safetensors into each folder (run in Fixtures/)

`golden.safetensors` is as in `goldens/saes`: `x`, the first 32 rows of FILE, `feature_acts` and `reconstruction`. The same is computed
from the tensors by numpy in float64, and must agree.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from . import golden_saes, golden_training

ROWS = 32


def encode(folder: Path, x: torch.Tensor) -> None:
    from sae_lens import SAE

    config = json.loads((folder / "cfg.json").read_text())
    sae = SAE.load_from_disk(str(folder), device="cpu", dtype="float32")
    with torch.no_grad():
        f = sae.encode(x)
        r = sae.decode(f)
    tensors = {k: v.double().numpy() for k, v in load_file(folder / "sae_weights.safetensors").items()}
    plain_f, plain_r = (torch.from_numpy(a) for a in golden_saes.by_hand(x.double().numpy(), tensors, config))
    apart = max((f - plain_f).abs().max() / plain_f.abs().max(), (r - plain_r).abs().max() / plain_r.abs().max()).item()
    same = torch.equal(f > 0, plain_f > 0)
    l0 = (f > 0).sum(1).float().mean().item()
    explained = 1 - ((x - r).square().sum() / (x - x.mean(0)).square().sum()).item()
    print(f"{folder}: {config['architecture']}, {type(sae).__name__}, {tuple(f.shape)}, L0 {l0:.2f}, explained variance {explained:.1%}, apart from numpy {apart:.1e}, same support {same}")
    assert same and apart < 1e-5, "sae-lens and the plain formula disagree"
    save_file({"x": x.contiguous(), "feature_acts": f.float().contiguous(), "reconstruction": r.float().contiguous()}, folder / "golden.safetensors")
    (folder / "golden.safetensors").chmod(0o644)


def main(arguments: list[str]) -> int:
    if len(arguments) >= 2 and arguments[0] == "inputs":
        rows = int(arguments[2]) if len(arguments) > 2 else 4_096
        activations = golden_training.inputs(rows, torch.Generator().manual_seed(79))
        save_file({"activations": activations.contiguous()}, arguments[1])
        return 0
    if len(arguments) >= 3 and arguments[0] == "encode":
        (activations,) = load_file(arguments[-1]).values()
        for folder in arguments[1:-1]:
            encode(Path(folder), activations[:ROWS].float())
        return 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
