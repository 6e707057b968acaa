"""Goldens of the safetensors reader: small valid and hostile files, with the verdict of the reference (Rust) library."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import Iterator

from safetensors import SafetensorError, deserialize

FIXTURES = Path(__file__).resolve().parent.parent
OUT = FIXTURES / "goldens" / "safetensors"

DTYPE_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16,
    "I32": 32, "U32": 32, "F32": 32, "C64": 64, "F64": 64, "I64": 64, "U64": 64,
}


def file(header: str | bytes, data: bytes = b"", length: int | None = None) -> bytes:
    raw = header.encode() if isinstance(header, str) else header
    return struct.pack("<Q", len(raw) if length is None else length) + raw + data


def tensor(dtype: str = "F32", shape: str = "[2]", offsets: str = "[0,8]", more: str = "") -> str:
    return f'{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}{more}}}'


ONE = '{"a":' + tensor() + "}"
EIGHT = bytes(range(8))


def cases() -> Iterator[tuple[str, bytes]]:
    # Valid
    yield "empty object", file("{}")
    yield "one F32", file(ONE, EIGHT)
    yield "padded header", file(ONE + "    ", EIGHT)
    yield "padded with newlines and tabs", file(ONE + "\n\t\r ", EIGHT)
    yield "scalar", file('{"a":' + tensor(shape="[]", offsets="[0,4]") + "}", EIGHT[:4])
    yield "zero-size tensor", file('{"a":' + tensor(shape="[0,5]", offsets="[0,0]") + "}")
    yield "zero-size in the middle", file('{"a":' + tensor() + ',"b":' + tensor(shape="[0]", offsets="[8,8]") + ',"c":' + tensor("U8", "[1]", "[8,9]") + "}", EIGHT + b"x")
    yield "unaligned F32 after U8", file('{"a":' + tensor("U8", "[3]", "[0,3]") + ',"b":' + tensor("F32", "[1]", "[3,7]") + "}", EIGHT[:7])
    yield "names out of order", file('{"b":' + tensor("U8", "[4]", "[4,8]") + ',"a":' + tensor("U8", "[4]", "[0,4]") + "}", EIGHT)
    yield "metadata", file('{"__metadata__":{"format":"pt","x":""},"a":' + tensor() + "}", EIGHT)
    yield "metadata null", file('{"__metadata__":null,"a":' + tensor() + "}", EIGHT)
    yield "metadata empty", file('{"__metadata__":{},"a":' + tensor() + "}", EIGHT)
    yield "metadata only", file('{"__metadata__":{"a":"b"}}')
    yield "metadata duplicate key inside", file('{"__metadata__":{"a":"b","a":"c"},"a":' + tensor() + "}", EIGHT)
    yield "empty name", file('{"":' + tensor() + "}", EIGHT)
    yield "escaped name", file('{"\\u0061\\n\\"\\\\\\/":' + tensor() + "}", EIGHT)
    yield "name with surrogate pair", file('{"\\ud83d\\ude00":' + tensor() + "}", EIGHT)
    yield "name in raw UTF-8", file('{"\u0436\U0001f600":' + tensor() + "}", EIGHT)
    yield "name with NUL escape", file('{"a\\u0000b":' + tensor() + "}", EIGHT)
    yield "unknown extra field", file('{"a":' + tensor(more=',"extra":[1,{"x":null}]') + "}", EIGHT)
    yield "fields in another order", file('{"a":{"data_offsets":[0,8],"shape":[2],"dtype":"F32"}}', EIGHT)
    yield "whitespace everywhere", file('{ "a" :\n{ "dtype" : "F32" ,"shape" : [ 2 ] , "data_offsets" : [ 0 , 8 ] } }', EIGHT)
    yield "NaN and infinity in the data", file(ONE, struct.pack("<ff", float("nan"), float("inf")))
    yield "shape of ones", file('{"a":' + tensor(shape="[1,1,2,1]") + "}", EIGHT)
    for dtype, bits in DTYPE_BITS.items():
        yield f"dtype {dtype}", file('{"a":' + tensor(dtype, "[3]", f"[0,{3 * bits // 8}]") + "}", bytes(3 * bits // 8))
    yield "dtype F4", file('{"a":' + tensor("F4", "[4]", "[0,2]") + "}", b"ab")
    yield "dtype F4 odd", file('{"a":' + tensor("F4", "[3]", "[0,2]") + "}", b"ab")
    yield "duplicate name, same place", file('{"a":' + tensor() + ',"a":' + tensor() + "}", EIGHT)
    yield "duplicate name, survivor leaves a hole", file('{"a":' + tensor() + ',"a":' + tensor(offsets="[8,16]") + "}", EIGHT * 2)
    yield "duplicate name, escaped", file('{"a":' + tensor() + ',"\\u0061":' + tensor() + "}", EIGHT)
    yield "leading space", file(" " + ONE, EIGHT)
    yield "leading newline", file("\n" + ONE, EIGHT)
    # The envelope
    yield "no bytes", b""
    yield "seven bytes", b"\x00" * 7
    yield "length zero", struct.pack("<Q", 0)
    yield "length zero with data", struct.pack("<Q", 0) + EIGHT
    yield "header too large", file(ONE, EIGHT, 100_000_001)
    yield "header at the limit, absent", file(ONE, EIGHT, 100_000_000)
    yield "length 2^63", file(ONE, EIGHT, 2**63)
    yield "length 2^64 - 1", file(ONE, EIGHT, 2**64 - 1)
    yield "length 2^64 - 8", file(ONE, EIGHT, 2**64 - 8)
    yield "length past the end", file(ONE, b"", len(ONE) + 1)
    yield "length cuts the header", file(ONE, EIGHT, len(ONE) - 1)
    yield "data truncated", file(ONE, EIGHT[:7])
    yield "data missing", file(ONE)
    yield "data trailing", file(ONE, EIGHT + b"x")
    yield "data without tensors", file("{}", b"x")
    # The JSON
    yield "not an object", file("[]")
    yield "null", file("null")
    yield "a number", file("1")
    yield "trailing garbage", file(ONE + "x", EIGHT)
    yield "trailing NUL", file(ONE + "\0", EIGHT)
    yield "two objects", file("{}{}")
    yield "byte order mark", file("\ufeff" + ONE, EIGHT)
    yield "trailing comma", file(ONE[:-1] + ",}", EIGHT)
    yield "comment", file("{/*x*/}")
    yield "single quotes", file(ONE.replace('"', "'"), EIGHT)
    yield "control character in a name", file('{"a\nb":' + tensor() + "}", EIGHT)
    yield "invalid escape", file('{"a\\x":' + tensor() + "}", EIGHT)
    yield "lone high surrogate", file('{"\\ud83d":' + tensor() + "}", EIGHT)
    yield "lone low surrogate", file('{"\\ude00":' + tensor() + "}", EIGHT)
    yield "swapped surrogates", file('{"\\ude00\\ud83d":' + tensor() + "}", EIGHT)
    yield "not UTF-8", file(b'{"\xff":' + tensor().encode() + b"}", EIGHT)
    yield "overlong UTF-8", file(b'{"\xc0\xaf":' + tensor().encode() + b"}", EIGHT)
    yield "encoded surrogate", file(b'{"\xed\xa0\x80":' + tensor().encode() + b"}", EIGHT)
    yield "nested 100 deep in an extra field", file('{"a":' + tensor(more=',"x":' + "[" * 100 + "]" * 100) + "}", EIGHT)
    yield "nested 200 deep in an extra field", file('{"a":' + tensor(more=',"x":' + "[" * 200 + "]" * 200) + "}", EIGHT)
    yield "nested 5,000 deep", file('{"a":' + "[" * 5_000)
    # The entries
    yield "entry is not an object", file('{"a":1}')
    yield "entry is an array", file('{"a":["F32",[2],[0,8]]}', EIGHT)
    yield "dtype missing", file('{"a":{"shape":[2],"data_offsets":[0,8]}}', EIGHT)
    yield "shape missing", file('{"a":{"dtype":"F32","data_offsets":[0,8]}}', EIGHT)
    yield "offsets missing", file('{"a":{"dtype":"F32","shape":[2]}}', EIGHT)
    yield "field twice", file('{"a":' + tensor(more=',"shape":[2]') + "}", EIGHT)
    yield "dtype unknown", file('{"a":' + tensor("F33") + "}", EIGHT)
    yield "dtype in lower case", file('{"a":' + tensor("f32") + "}", EIGHT)
    yield "dtype null", file('{"a":{"dtype":null,"shape":[2],"data_offsets":[0,8]}}', EIGHT)
    yield "shape with a float", file('{"a":' + tensor(shape="[2.0]") + "}", EIGHT)
    yield "shape with an exponent", file('{"a":' + tensor(shape="[2e0]") + "}", EIGHT)
    yield "shape negative", file('{"a":' + tensor(shape="[-2]") + "}", EIGHT)
    yield "shape minus zero", file('{"a":' + tensor(shape="[-0]", offsets="[0,0]") + "}")
    yield "shape with a leading zero", file('{"a":' + tensor(shape="[02]") + "}", EIGHT)
    yield "shape a string", file('{"a":' + tensor(shape='["2"]') + "}", EIGHT)
    yield "shape null", file('{"a":' + tensor(shape="null", offsets="[0,4]") + "}", EIGHT[:4])
    yield "shape beyond 2^64", file('{"a":' + tensor(shape="[18446744073709551616]") + "}", EIGHT)
    yield "shape overflows", file('{"a":' + tensor(shape="[4294967296,4294967296]", offsets="[0,0]") + "}")
    yield "shape overflows before a zero", file('{"a":' + tensor(shape="[8589934592,8589934592,0]", offsets="[0,0]") + "}")
    yield "zero before an overflow", file('{"a":' + tensor(shape="[0,8589934592,8589934592]", offsets="[0,0]") + "}")
    yield "bytes overflow", file('{"a":' + tensor("F64", "[2305843009213693952]", "[0,0]") + "}")
    yield "shape too large for the offsets", file('{"a":' + tensor(shape="[3]") + "}", EIGHT)
    yield "shape too small for the offsets", file('{"a":' + tensor(shape="[1]") + "}", EIGHT)
    yield "offsets reversed", file('{"a":' + tensor(offsets="[8,0]") + "}", EIGHT)
    yield "offsets of one", file('{"a":' + tensor(offsets="[0]") + "}", EIGHT)
    yield "offsets of three", file('{"a":' + tensor(offsets="[0,8,8]") + "}", EIGHT)
    yield "offsets as floats", file('{"a":' + tensor(offsets="[0.0,8.0]") + "}", EIGHT)
    yield "offsets at the end of 64 bits", file('{"a":' + tensor(offsets="[18446744073709551608,18446744073709551615]") + "}", EIGHT)
    yield "first does not begin at zero", file('{"a":' + tensor(offsets="[4,12]") + "}", EIGHT + EIGHT[:4])
    yield "hole", file('{"a":' + tensor() + ',"b":' + tensor(offsets="[12,20]") + "}", EIGHT * 3)
    yield "overlap", file('{"a":' + tensor() + ',"b":' + tensor(offsets="[4,12]") + "}", EIGHT * 2)
    yield "same place twice", file('{"a":' + tensor() + ',"b":' + tensor() + "}", EIGHT)
    yield "past the end", file('{"a":' + tensor(shape="[4]", offsets="[0,16]") + "}", EIGHT)
    # Metadata
    yield "metadata with a number", file('{"__metadata__":{"a":1},"a":' + tensor() + "}", EIGHT)
    yield "metadata with null inside", file('{"__metadata__":{"a":null},"a":' + tensor() + "}", EIGHT)
    yield "metadata an array", file('{"__metadata__":[],"a":' + tensor() + "}", EIGHT)
    yield "metadata a string", file('{"__metadata__":"x","a":' + tensor() + "}", EIGHT)
    yield "metadata twice", file('{"__metadata__":{},"__metadata__":{},"a":' + tensor() + "}", EIGHT)
    yield "metadata like a tensor", file('{"__metadata__":' + tensor() + "}", EIGHT)


def verdict(raw: bytes) -> str:
    try:
        deserialize(raw)
        return "ok"
    except SafetensorError as error:
        return f"error: {error}"


def write_all() -> None:
    """`ours` additionally refuses duplicate names and a header that does not begin with "{"; nothing else differs."""
    OUT.mkdir(parents=True, exist_ok=True)
    count = 0
    with (OUT / "cases.jsonl").open("w") as lines:
        for name, raw in cases():
            reference = verdict(raw)
            refused_by_us = name.startswith(("duplicate name", "leading"))
            ours = "ok" if reference == "ok" and not refused_by_us else "error"
            line = {"name": name, "base64": base64.b64encode(raw).decode(), "reference": reference, "ours": ours}
            lines.write(json.dumps(line, separators=(",", ":")) + "\n")
            count += 1
    print(f"{count} safetensors files")
