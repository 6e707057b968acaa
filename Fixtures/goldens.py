"""Makes `goldens/` from the reference implementations. Run by us, never by users.

    python Fixtures/goldens.py STAGE…        stages: tokenizers models saes safetensors statistics tags nearest training worlds topics, or all

Needs numpy, torch, transformers, tokenizers, safetensors, for `saes` sae-lens, and for `topics` scipy and scikit-learn; README.md names the versions.
`tokenizers` needs corpus.jsonl and model-A; `models`, `statistics` and `tags` also the trained weights. Everything is seeded.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

STAGES = ("tokenizers", "models", "saes", "safetensors", "statistics", "tags", "nearest", "training", "worlds", "topics")


def main(stages: list[str]) -> int:
    if not stages or not set(stages) <= {*STAGES, "all"}:
        print(__doc__, file=sys.stderr)
        return 2
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    for stage in STAGES if "all" in stages else stages:
        importlib.import_module(f"making.golden_{stage}").write_all()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
