"""Goldens of the tokenizers: small byte-level tokenizers of each style, torture texts and their ids.

The reference is the `tokenizers` library. The small tokenizers are trained on `corpus.jsonl`, so that this stage
needs nothing but what is committed.
"""

from __future__ import annotations

import base64
import json
import random
import sys
import unicodedata
from pathlib import Path
from typing import Iterator

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

FIXTURES = Path(__file__).resolve().parent.parent
OUT = FIXTURES / "goldens" / "tokenizers"
VOCABULARY = 2048
CONTRACTIONS_ANY_CASE = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
LLAMA_3_PATTERN = (
    CONTRACTIONS_ANY_CASE + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN_2_PATTERN = LLAMA_3_PATTERN.replace(r"\p{N}{1,3}", r"\p{N}")
WHITESPACE = [*range(0x9, 0xE), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000]


# MARK: the range tables


def matching_ranges(pattern: str) -> list[list[int]]:
    """The code points that match `pattern`, as inclusive ranges, asked of the library itself."""
    splitter = pre_tokenizers.Split(Regex(pattern), "isolated")
    matched: list[int] = []
    for start in range(0, 0x110000, 0x800):
        if 0xD800 <= start < 0xE000:
            continue
        # A letter and a non-letter would stick to their like; isolating one code point at a time does not.
        for code in range(start, start + 0x800):
            text = "\x00" + chr(code) + "\x00"
            if len(splitter.pre_tokenize_str(text)) > 1:
                matched.append(code)
    ranges: list[list[int]] = []
    for code in matched:
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return ranges


def write_ranges() -> None:
    tables = {"L": matching_ranges(r"\p{L}"), "N": matching_ranges(r"\p{N}"), "whitespace": matching_ranges(r"\s")}
    assert [c for lo, hi in tables["whitespace"] for c in range(lo, hi + 1)] == WHITESPACE
    for name, ranges in tables.items():
        print(f"{name}: {sum(hi - lo + 1 for lo, hi in ranges)} code points in {len(ranges)} ranges")
    (OUT / "unicode-ranges.json").write_text(json.dumps(tables, separators=(",", ":")) + "\n")


# MARK: the small tokenizers


def trained(texts: list[str], normalizer: object, pre_tokenizer: object, specials: list[str], size: int) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=specials, show_progress=False, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def gpt_2(texts: list[str]) -> Tokenizer:
    return trained(texts, None, pre_tokenizers.ByteLevel(add_prefix_space=False), ["<|endoftext|>"], VOCABULARY)


def gpt_neox(texts: list[str]) -> Tokenizer:
    tokenizer = trained(
        texts, normalizers.NFC(), pre_tokenizers.ByteLevel(add_prefix_space=False), ["<|endoftext|>", "<|padding|>"], VOCABULARY
    )
    tokenizer.add_tokens([AddedToken(" " * n, normalized=True, special=False) for n in range(24, 1, -1)])
    return tokenizer


def llama_3(texts: list[str]) -> Tokenizer:
    splits = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(LLAMA_3_PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer = trained(texts, None, splits, [], VOCABULARY)
    specials = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
    tokenizer.add_special_tokens([AddedToken(s, normalized=False, special=True) for s in specials])
    bos = tokenizer.token_to_id(specials[0])
    tokenizer.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(
                single=f"{specials[0]} $A", pair=f"{specials[0]} $A {specials[0]}:1 $B:1", special_tokens=[(specials[0], bos)]
            ),
        ]
    )
    return tokenizer


def qwen_2(texts: list[str]) -> Tokenizer:
    splits = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN_2_PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer = trained(texts, normalizers.NFC(), splits, [], VOCABULARY)
    tokenizer.add_special_tokens(
        [AddedToken(s, normalized=False, special=True) for s in ("<|endoftext|>", "<|im_start|>", "<|im_end|>")]
    )
    return tokenizer


def added_tokens(texts: list[str]) -> Tokenizer:
    """A GPT-2-style tokenizer with NFC whose added tokens use every flag, overlap, and need normalising."""
    tokenizer = trained(texts, normalizers.NFC(), pre_tokenizers.ByteLevel(add_prefix_space=False), ["<|endoftext|>"], 1024)
    tokenizer.add_special_tokens(
        [
            AddedToken("<mask>", lstrip=True, normalized=False, special=True),
            AddedToken("<sep>", rstrip=True, normalized=False, special=True),
            AddedToken("<both>", lstrip=True, rstrip=True, normalized=False, special=True),
        ]
    )
    tokenizer.add_tokens(
        [
            AddedToken("base", single_word=True, normalized=False),
            AddedToken("sixty", single_word=True, normalized=True),
            AddedToken("<a", normalized=False),
            AddedToken("<ab", normalized=False),
            AddedToken("<abc>", normalized=False),
            AddedToken("bc>", normalized=True),
            AddedToken("caf\u00e9", normalized=True),
            AddedToken("e\u0301t\u00e9", normalized=True),
            AddedToken("\n\n", normalized=True),
            AddedToken("  ", normalized=True),
        ]
    )
    return tokenizer


def merges_as(tokenizer: Tokenizer, path: Path, strings: bool) -> None:
    """Writes the tokenizer with merges as "a b" strings (library 0.19 and before) or as pairs (0.20 and after)."""
    layout = json.loads(tokenizer.to_str())
    layout["model"]["merges"] = [" ".join(m) if strings else list(m) for m in layout["model"]["merges"]]
    if path.parent.name == "llama-3":
        layout["model"]["ignore_merges"] = True
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(layout, ensure_ascii=False, separators=(",", ":")) + "\n")


def corpus_texts() -> list[str]:
    corpus = FIXTURES / "corpus.jsonl"
    return [json.loads(line)["text"] for line in corpus.read_text().split("\n") if line]


def write_tokenizers() -> None:
    texts = corpus_texts()
    merges_as(gpt_2(texts), OUT / "gpt-2" / "tokenizer.json", strings=True)
    merges_as(gpt_neox(texts), OUT / "gpt-neox" / "tokenizer.json", strings=True)
    merges_as(llama_3(texts), OUT / "llama-3" / "tokenizer.json", strings=False)
    merges_as(qwen_2(texts), OUT / "qwen-2" / "tokenizer.json", strings=False)
    merges_as(added_tokens(texts), OUT / "added-tokens" / "tokenizer.json", strings=False)


# MARK: the texts


def one_page_of_each_block() -> Iterator[str]:
    """A few assigned characters of every 256 code points that have any: letters, marks, digits, signs."""
    pieces: list[str] = []
    for page in [*range(0x000, 0x200), 0x200, 0x2A6, 0x2B0, 0x300, 0x313, 0xE00, 0xE01, 0xF00, 0x10FF]:
        chosen: dict[str, list[str]] = {}
        for code in range(page << 8, (page + 1) << 8):
            kind = unicodedata.category(chr(code))
            if kind not in ("Cn", "Cs", "Co"):
                chosen.setdefault(kind[0], []).append(chr(code))
        picked = "".join("".join(of_kind[:: max(1, len(of_kind) // 4)][:4]) for of_kind in chosen.values())
        if picked:
            pieces.append(picked)
        if len(pieces) == 6:
            yield " ".join(pieces)
            pieces = []
    if pieces:
        yield " ".join(pieces)


def fixed_texts() -> Iterator[str]:
    yield from ("", " ", "  ", "\n", "\r\n", "\t", "\x00", "a", "'", "\u00a0", "\ufeff", "\U0010ffff", "\ufffe", "\ue000\uf8ff")
    yield from ("Hello, world!", " leading", "trailing ", "two  spaces", "line\r\nline\r\n\r\nend", "a\tb\t\tc\t\t\td")
    yield "I'm you're we've he'll she'd it's don't I'M YOU'RE WE'VE HE'LL SHE'D IT'S DON'T 'S'T 'x 'rex 'Re'rE'lL'Ve"
    yield "it'\u017f IT'\u017f '\u017f a'\u017fb \u212a'\u212a"
    yield "it\u2019s don\u2019t we\u2019re \u2018quoted\u2019 \u201cdouble\u201d don''t ''s '''ll 'd'd"
    for code in WHITESPACE:
        yield f"a{chr(code)}b {chr(code)}c{chr(code)} d{chr(code)}{chr(code)}e\n{chr(code)}"
    for code in (0x1C, 0x1D, 0x1E, 0x1F, 0x200B, 0x200C, 0x200D, 0x2060, 0x180E, 0xFEFF, 0x0, 0x7F, 0xAD, 0x3164, 0x2800):
        yield f"a{chr(code)}b {chr(code)}c{chr(code)} d{chr(code)}{chr(code)}e 1{chr(code)}2"
    yield "".join(map(chr, WHITESPACE)) + "x" + "".join(map(chr, reversed(WHITESPACE)))
    for n in (2, 3, 4, 5, 7, 8, 16, 23, 24, 25, 26, 47, 48, 49, 100):
        yield f"if x:{' ' * n}y{' ' * n}\n{' ' * n}"
    for n in (2, 3, 7, 50):
        yield "a" + "\n" * n + "b" + "\r\n" * n + "c" + "\t" * n + "d" + " \n" * n + "e" + "\n " * n
    yield from ("0", "12", "123", "1234", "12345", "3.14159", "1,234,567.89", "2026-11-23T19:21:45Z", "007 00 0x1F 1e-10")
    yield "9" * 1000
    yield "\u2160\u2161\u216b \u00b2\u00b3\u00b9 \u00bd\u2153 \u2460\u2474 \u0661\u0662\u0663 \u0967\u0968 \u3007\u3021 \U0001d7d8\U0001d7ff \u5341\u4e8c \u09f4 \u0bf0 \u2189"
    yield "caf\u00e9 cafe\u0301 e\u0301\u0323 e\u0323\u0301 \u212b \u2126 \u1e69 s\u0323\u0307 \u0958 \u0915\u093c \ufb1d \u1100\u1161\u11a8 \u1112\u1161\u11ab\u1100\u1173\u11af"
    yield "\u0344 \u0340\u0341 \u0374 \u037e \u0387 \u1f71 \u2000\u2001 \uf900 \ufa0e \U0001d15e \U0002f800 \u0f73\u0f75 a\u0315\u0300\u05ae\u0300b"
    yield "\u0301leading mark \u0301\u0302\u0303 a\u0301\u0302\u0303 \u05d1\u05b0\u05bc\u05e8 \u0627\u064e\u0644\u0652 \u0e01\u0e33 \u0928\u093f\u0924\u094d"
    yield "\U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 \U0001f3f3\ufe0f\u200d\U0001f308 \U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7 \U0001f44d\U0001f3fd 1\ufe0f\u20e3 \u2764\ufe0f\u263a"
    yield "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f \ufffd \ufdd0 \ufdef \U0001fffe \U0010ffff \U000f0000 \ue000"
    yield "def f(x):\n    return {\n        'a': [1, 2, 3],\n        'b': x ** 2,  # comment\n    }\n\n\nclass A:\n\tpass\n"
    yield "<|endoftext|>"
    yield "one<|endoftext|>two <|endoftext|> three<|endoftext|><|endoftext|>\n<|endoftext|"
    yield "<|endoftext|><|padding|><|begin_of_text|>user<|eot_id|> <|im_start|>system\nx<|im_end|>\n<|start_header_id|>a<|end_header_id|>"
    yield "<|ENDOFTEXT|> <| endoftext |> <|endoftext <|endoftext|>|>"
    yield "a <mask> b<mask>c  <mask>\n<mask>\u3000<mask> \u00a0<mask>"
    yield "a <sep> b<sep>c  <sep>  \n d <sep>\u3000e<sep><sep> f <both>  <both>g \t<both>\n"
    yield "base sixty basebase base-base based database base64 _base base_ (base) sixty-sixty sixtyish base\u0301 \u00e9base b\u00e4se base\n"
    yield "<a <ab <abc <abc> <abbc> bc> <abc>> <<abc> <aab"
    yield "caf\u00e9 cafe\u0301 CAF\u00c9 caf\u00e9s \u00e9t\u00e9 e\u0301te\u0301 e\u0301t\u00e9 \u00e9te\u0301 l'\u00e9t\u00e9"
    yield "a" * 20_000
    yield "ab" * 5_000
    yield " " * 5_000
    yield "\n" * 3_000
    yield "\u4e2d" * 2_000
    yield "=" * 3_000 + "-" * 77
    yield "aGVsbG8gd29ybGQ=" * 40
    yield "the quick brown fox jumps over the lazy dog " * 20
    yield "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440! \u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd. \u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645\u060c \u4f60\u597d\uff0c\u4e16\u754c\u3002 \uc548\ub155\ud558\uc138\uc694 \uc138\uacc4. \u0393\u03b5\u03b9\u03ac \u03c3\u03bf\u03c5 \u03ba\u03cc\u03c3\u03bc\u03b5 \u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35 \u0928\u092e\u0938\u094d\u0924\u0947"


def broken_utf_8(random_source: random.Random) -> Iterator[bytes]:
    """Byte strings that are not UTF-8; a reader replaces each maximal ill-formed part by one U+FFFD, as Python does."""
    yield from (b"\x80", b"\xff\xfe", b"a\xc3", b"\xe2\x82", b"\xe2\x82a", b"\xf0\x9f\x98", b"\xf0\x9f\x98 b", b"\xc0\xaf")
    yield from (b"\xed\xa0\x80\xed\xb0\x80", b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xe0\x80\xaf", b"caf\xe9 cr\xe8me")
    valid = "\u00e9\u4e2d\U0001f600 text ".encode()
    for _ in range(20):
        mixed = bytearray(valid * 3)
        for _ in range(4):
            mixed[random_source.randrange(len(mixed))] = random_source.randrange(256)
        yield bytes(mixed)


def random_text(random_source: random.Random) -> str:
    """Random text in which neighbours are often of different kinds, since borders are what can go wrong."""
    assigned = random_source.choice([0x80, 0x250, 0x3100, 0x20000])
    parts: list[str] = []
    for _ in range(random_source.randint(1, 40)):
        kind = random_source.randrange(9)
        if kind == 0:
            parts.append(" " * random_source.randint(1, 4))
        elif kind == 1:
            parts.append(chr(random_source.choice(WHITESPACE)) * random_source.randint(1, 2))
        elif kind == 2:
            parts.append(random_source.choice(["'s", "'T", "'ll", "'RE", "'", "\u2019s", "''"]))
        elif kind == 3:
            parts.append(str(random_source.randrange(10 ** random_source.randint(1, 8))))
        elif kind == 4:
            parts.append("".join(random_source.choice("etaoinshrdluETAOIN") for _ in range(random_source.randint(1, 8))))
        elif kind == 5:
            parts.append("".join(random_source.choice("!@#$%^&*()_+-=[]{}|;:,./<>?") for _ in range(random_source.randint(1, 4))))
        elif kind == 6:
            parts.append(chr(random_source.randint(0x300, 0x36F)))
        else:
            code = random_source.randrange(assigned)
            parts.append(chr(code) if not 0xD800 <= code < 0xE000 else "\ufffd")
    return "".join(parts)


def write_cases() -> None:
    random_source = random.Random(20260101)
    paths = {name: OUT / name / "tokenizer.json" for name in ("gpt-2", "gpt-neox", "llama-3", "qwen-2", "added-tokens")}
    paths["model-A"] = FIXTURES / "model-A" / "tokenizer.json"
    shared: list[str] = [*fixed_texts(), *one_page_of_each_block()]
    broken = list(broken_utf_8(random_source))
    count = 0
    with (OUT / "cases.jsonl").open("w") as lines:
        for name, path in paths.items():
            if not path.exists():
                print(f"no {path} yet: left out", file=sys.stderr)
                continue
            tokenizer = Tokenizer.from_file(str(path))

            def write(text: str, add_special_tokens: bool, **given: str) -> None:
                ids = tokenizer.encode(text, add_special_tokens=add_special_tokens).ids
                line = {"tokenizer": name, **(given or {"text": text}), "add_special_tokens": add_special_tokens, "ids": ids}
                lines.write(json.dumps(line, separators=(",", ":")) + "\n")

            texts = shared + [random_text(random_source) for _ in range(60)]
            for text in texts:
                write(text, False)
            for text in ("", "Hello", "<|begin_of_text|>Hello"):
                write(text, True)
            for raw in broken:
                write(raw.decode("utf-8", errors="replace"), False, bytes_base64=base64.b64encode(raw).decode())
            count += len(texts) + 3 + len(broken)
    print(f"{count} tokenizer cases")


def write_all() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    write_ranges()
    write_tokenizers()
    write_cases()
