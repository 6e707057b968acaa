"""Makes the fixture models and corpus. Run by us, never by users. (The autoencoders are `monoseme train`'s: see README.md.)

    python Fixtures/make.py --build DIR text                  fetches Debian packages and gathers the training text
    python Fixtures/make.py --build DIR tokenizer             trains the tokenizer that both models share
    python Fixtures/make.py --build DIR model A               trains a model (A or B), about 17 minutes of one core
    python Fixtures/make.py corpus                            writes corpus.jsonl
    python Fixtures/make.py --build DIR quality               prints README.md's table of quality

DIR holds what is not committed: packages, training text, tokenizer. The training text is taken from the Debian 12
packages that `making/training_text.py` lists (handbooks, GIMP's help in five languages, man pages, message catalogues,
library sources, LaTeX documentation, …) and from `/usr/share/common-licenses`. Everything is seeded, one thread each.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

FIXTURES = Path(__file__).resolve().parent
DICTIONARIES = ("sae-A-0", "sae-A-1", "sae-B-1")
SEEDS = {"A": 1, "B": 2}
TEXT_SEED, CORPUS_SEED = 1, 7


def quality(build: Path) -> None:
    from making import language_models
    from making.evaluation import evaluate

    texts = {"corpus.jsonl": FIXTURES / "corpus.jsonl", "held-out": build / "held-out.jsonl"}
    print("| dictionary | text | tokens | L0 | explained variance | loss: original | spliced | zero | mean | recovered (zero) | (mean) | dead | under 10⁻⁵ |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|---|")
    for name in DICTIONARIES:
        for label, path in texts.items():
            e = evaluate(FIXTURES, name, language_models.documents(path), losses_every=8)
            losses = " | ".join(f"{e.mean_loss(kind):.3f}" for kind in ("original", "spliced", "zero", "mean"))
            recovered = f"{e.recovered('zero'):.1%} | {e.recovered('mean'):.1%}"
            rare = int(((e.firings > 0) & (e.firings < 1e-5 * e.tokens)).sum())
            print(f"| {name} | {label} | {e.tokens:,} | {e.l0:.1f} | {e.explained_variance:.1%} | {losses} | {recovered} | {e.dead} of {e.features} | {rare} |", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=FIXTURES / "build", help="where uncommitted files go")
    parser.add_argument("stage", choices=("text", "tokenizer", "model", "corpus", "quality"))
    parser.add_argument("name", nargs="?", help="which model")
    options = parser.parse_args()
    sys.path.insert(0, str(FIXTURES))
    build: Path = options.build
    if options.stage == "text":
        from making import training_text

        training_text.fetch(build / "packages" / "root")
        training_text.gather(build / "packages" / "root", build, TEXT_SEED)
    elif options.stage == "tokenizer":
        from making import language_models

        language_models.train_tokenizer(build / "train.jsonl", build / "tokenizer.json")
    elif options.stage == "model":
        from making import language_models

        language_models.train_model(build, FIXTURES / f"model-{options.name}", SEEDS[options.name])
    elif options.stage == "corpus":
        from making import corpus

        corpus.write(FIXTURES / "corpus.jsonl", CORPUS_SEED)
    else:
        quality(build)
    return 0


if __name__ == "__main__":
    sys.exit(main())
