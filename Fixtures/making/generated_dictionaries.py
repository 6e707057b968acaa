"""Dictionaries of decoder vectors by recipe: the very float32 rows that Tests/DictionarySupport makes in Swift.

Numbers come from SplitMix64, so any place of a stream is reached at once. Rows are vectors of integers, divided by their
length in float64 (one IEEE square root, one division a coordinate) and rounded to float32 once: nothing depends on the
order of a sum, and both languages agree to the last bit.
"""

from __future__ import annotations

import numpy as np

GAMMA = np.uint64(0x9E3779B97F4A7C15)


def words(seed: int, stream: int, start: int, count: int) -> np.ndarray:
    """SplitMix64 of the state seed + stream · 2³²: its outputs from number `start` on."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed + (stream << 32)) + (np.arange(start, start + count, dtype=np.uint64) + np.uint64(1)) * GAMMA
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def bells(seed: int, stream: int, rows: np.ndarray, width: int) -> np.ndarray:
    """Integers (rows × width) that are nearly normal with deviation 209: the eight bytes of a word, added, less 1,020."""
    parts = [words(seed, stream, int(row) * width, width).view(np.uint8).reshape(width, 8).sum(axis=1, dtype=np.int64) - 1020 for row in rows]
    return np.array(parts).reshape(len(rows), width)


def weights(width: int) -> np.ndarray:
    """How strong each axis is in the anisotropic recipes: falls like a power of the axis, then is flat."""
    return 64 + 4096 // (np.arange(width, dtype=np.int64) + 16)


def choices(seed: int, stream: int, count: int, among: int) -> np.ndarray:
    return (words(seed, stream, 0, count) % np.uint64(among)).astype(np.int64)


def unit(integers: np.ndarray) -> np.ndarray:
    squares = (integers * integers).sum(axis=1)
    assert squares.min() >= 0, "the square of a row's length does not fit 63 bits"
    lengths = np.sqrt(squares.astype(np.float64))
    return (integers.astype(np.float64) / np.where(lengths == 0, 1, lengths)[:, None]).astype(np.float32)


def rows(recipe: str, count: int, width: int, seed: int) -> np.ndarray:
    """Unit rows (count × width), float32; rows of zeros stay."""
    each = np.arange(count)
    bell = lambda stream, which: bells(seed, stream, which, width)
    axes = choices(seed, 8, count, width)
    signs = 1 - 2 * (each % 2)
    if recipe == "clustered":
        # Children at cosines of 0.4 to 0.9 to a parent, few parents with many and many with few; a third is background.
        uniform = words(seed, 1, 0, count) >> np.uint64(32)
        parents = max(1, count // 8)
        parent = ((((uniform * uniform) >> np.uint64(32)) * np.uint64(parents)) >> np.uint64(32)).astype(np.int64)
        nearness = 7 + choices(seed, 2, count, 27)
        nearness[choices(seed, 3, count, 3) == 0] = 0
        return unit((nearness[:, None] * bell(4, np.arange(parents))[parent] + 16 * bell(5, each)) * weights(width))
    if recipe == "isotropic":
        return unit(bell(5, each))
    if recipe == "duplicated":
        return unit(bell(5, choices(seed, 6, count, max(1, count // 8))))
    if recipe == "near ties":
        # Eight centres, and neighbours of each at distances of 1e-3 down to 6e-8.
        return unit((bell(4, np.arange(8))[each % 8] << (3 + each // 8 % 8 * 2)[:, None]) + (bell(5, each) >> 7))
    if recipe == "tight":
        return unit((bell(4, np.arange(1)) << 17) + (bell(5, each) >> 7))
    if recipe == "zeros":
        return unit(np.where((each % 3 == 0)[:, None], 0, bell(5, each)))
    if recipe == "opposite":
        return unit(signs[:, None] * bell(5, each // 2))
    if recipe == "one-hot":
        return unit(signs[:, None] * (np.arange(width) == axes[:, None]).astype(np.int64))
    if recipe == "sparse":
        return unit(sum(bell(5, each) * (np.arange(width) == choices(seed, 8 + part, count, width)[:, None]) for part in range(3)))
    if recipe == "spiked":
        return unit(bell(5, each) + (1 << 15) * signs[:, None] * (np.arange(width) == axes[:, None]))
    if recipe == "one ulp":
        # Sixteen copies of a row, each with the last bit of one coordinate moved on.
        made = unit(bell(5, each // 16))
        made.view(np.uint32)[each, axes] += np.uint32(1)
        return made
    if recipe == "subnormal":
        # One coordinate of ±1; the others are smaller than any normal float32.
        made = (np.array([words(seed, 5, row * width, width) for row in each]) & np.uint64(0x807FFFFF)).astype(np.uint32)
        made[each, axes] = np.where(signs > 0, 0x3F800000, 0xBF800000)
        return made.view(np.float32)
    raise ValueError(recipe)


def queries(dictionary: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Queries (count × width) of eight kinds in turn, of any length but zero."""
    features, width = dictionary.shape
    first = dictionary[choices(seed, 16, count, features)].astype(np.float64)
    second = dictionary[choices(seed, 17, count, features)].astype(np.float64)
    probe = bells(seed, 18, np.arange(count), width).astype(np.float64)
    noise = probe / (209 * np.sqrt(np.float64(width)))  # of a length near 1
    hot = (np.arange(width) == choices(seed, 19, count, width)[:, None]).astype(np.float64)
    kinds = [first, first + noise * 0.25, first + noise, probe, -first, first * 2.0**-100, first + second, probe * 2.0**100]
    made = np.choose((np.arange(count) % 8)[:, None], kinds).astype(np.float32)
    made[~made.any(axis=1)] = hot[~made.any(axis=1)].astype(np.float32)
    return made
