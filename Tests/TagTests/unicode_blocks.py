"""Writes Sources/Analyses/Tags/UnicodeBlocks.swift.

    python3 Tests/TagTests/unicode_blocks.py Blocks.txt

Blocks.txt is part of the Unicode Character Database; Debian has it in the package unicode-data.
"""
import pathlib
import re
import sys

lines = pathlib.Path(sys.argv[1]).read_text().splitlines()
version = re.search(r"Blocks-([\d.]+)\.txt", lines[0])[1]
blocks = []
for line in lines:
    found = re.fullmatch(r"([0-9A-F]+)\.\.([0-9A-F]+); (.+)", line)
    if found:
        blocks.append((int(found[1], 16), int(found[2], 16), found[3]))
assert blocks == sorted(blocks) and all(a[1] < b[0] for a, b in zip(blocks, blocks[1:])) and len(blocks) > 300

out = pathlib.Path(__file__).resolve().parents[2] / "Sources/Analyses/Tags/UnicodeBlocks.swift"
out.write_text(f'''/// The blocks of Unicode {version}, ascending: first and last code point, and the name. Written by Tests/TagTests/unicode_blocks.py.
let unicodeBlocks = """
''' + "".join(f"    {low:04X} {high:04X} {name}\n" for low, high, name in blocks) + '    """\n')
