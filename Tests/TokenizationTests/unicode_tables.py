"""Writes Sources/Kernels/unicode_classes.c and nfc_tables.c.

    python3 Tests/TokenizationTests/unicode_tables.py     (needs `pip install tokenizers`)

Letters, numbers and spaces come from Fixtures/goldens/tokenizers/unicode-ranges.json. What counts as a word
character, and which decompositions and combining classes the NFC normalizer knows (an older Unicode than the
letters'), is asked of the tokenizers library itself, character by character, because its answers are the standard here.
"""
import json
import pathlib
import unicodedata

from tokenizers import normalizers, pre_tokenizers

root = pathlib.Path(__file__).resolve().parents[2]
scalars = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
nfc, nfd, words = normalizers.NFC().normalize_str, normalizers.NFD().normalize_str, pre_tokenizers.Whitespace()


def members(ranges):
    return {c for low, high in ranges for c in range(low, high + 1)}


def is_word(c):
    return [span for _, span in words.pre_tokenize_str("a" + chr(c))] == [(0, 2)]


def combining_class(c):
    """The class today's Unicode gives, if the library moves the mark as that class says."""
    k = unicodedata.combining(chr(c))
    if k == 0:
        return 0
    other = "\u0315" if k == 1 else "\u0334"  # classes 232 and 1
    text = "q" + (other + chr(c) if k == 1 else chr(c) + other)
    return k if nfd(text) != text else 0


def decomposition(c):
    fields = unicodedata.decomposition(chr(c)).split()
    if not fields or fields[0].startswith("<") or nfd(chr(c)) == chr(c):
        return None
    return [int(f, 16) for f in fields]


def rows(items, width=158):
    lines, line = [], "   "
    for item in items:
        if len(line) + len(item) + 2 > width:
            lines.append(line)
            line = "   "
        line += " " + item + ","
    return "\n".join(lines + [line]) + "\n"


def boundaries(value_of):
    out, last = [], 0
    for c in range(0x110000):
        value = value_of(c)
        if value != last:
            out.append((c, value))
            last = value
    return out


ranges = json.loads((root / "Fixtures/goldens/tokenizers/unicode-ranges.json").read_text())
letters, numbers, spaces = (members(ranges[k]) for k in ("L", "N", "whitespace"))
word = {c for c in scalars if is_word(c)}
classes = {c: k for c in scalars if (k := combining_class(c))}
parts = {c: d for c in scalars if not 0xAC00 <= c < 0xD7A4 and (d := decomposition(c))}
pairs = {c: d for c, d in parts.items() if len(d) == 2}
singles = {c: d[0] for c, d in parts.items() if len(d) == 1}
composing = {c for c in pairs if nfc(chr(c)) == chr(c)}
seconds = {pairs[c][1] for c in composing} | set(range(0x1161, 0x1176)) | set(range(0x11A8, 0x11C3))
unstable = set(classes) | seconds | {c for c in parts if nfc(chr(c)) != chr(c)}


def nibble(c):
    kind = 1 if c in letters else 2 if c in numbers else 3 if c in spaces else 0
    return kind | (4 if c in word else 0) | (8 if c in unstable else 0)


edges = boundaries(nibble)
assert [e for e in edges if e[0] >= 0x34000] == [(0xE0100, 4), (0xE01F0, 0)], "unicode.c knows no other word characters up there"
edges = [e for e in edges if e[0] < 0x34000]
header = "// Written by Tests/TokenizationTests/unicode_tables.py; change that instead.\n#include \"unicode_tables.h\"\n\n"
(root / "Sources/Kernels/unicode_classes.c").write_text(
    header
    + "// Each entry: the first code point of a run << 4 | the run's class bits.\n"
    + f"const uint32_t unicode_edges[] = {{\n{rows(hex(c << 4 | v) for c, v in edges)}}};\n"
    + f"const uint32_t unicode_edge_count = {len(edges)};\n"
)
marks = boundaries(lambda c: classes.get(c, 0))
(root / "Sources/Kernels/nfc_tables.c").write_text(
    header
    + "// Canonical combining classes: the first code point of a run << 8 | class.\n"
    + f"const uint32_t nfc_mark_edges[] = {{\n{rows(hex(c << 8 | v) for c, v in marks)}}};\n"
    + f"const uint32_t nfc_mark_edge_count = {len(marks)};\n\n"
    + "// Code points that decompose into two: whole, first, second. The top bit of `whole`: it never composes again.\n"
    + "const uint32_t nfc_pairs[][3] = {\n"
    + rows(f"{{{hex(c | (0 if c in composing else 1 << 31))}, {hex(a)}, {hex(b)}}}" for c, (a, b) in sorted(pairs.items()))
    + f"}};\nconst uint32_t nfc_pair_count = {len(pairs)};\n\n"
    + "// Code points that decompose into one.\n"
    + f"const uint32_t nfc_singles[][2] = {{\n{rows(f'{{{hex(c)}, {hex(d)}}}' for c, d in sorted(singles.items()))}}};\n"
    + f"const uint32_t nfc_single_count = {len(singles)};\n"
)
print(len(edges), "edges,", len(marks), "mark edges,", len(pairs), "pairs,", len(singles), "singles")
