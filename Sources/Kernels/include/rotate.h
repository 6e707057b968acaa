#pragma once
#include <stddef.h>

/// Numbers a rotated vector of `n` has: the next multiple of 64.
static inline size_t kernel_rotated(size_t n) { return (n + 63) / 64 * 64; }

/// Writes R·x to `y` (of `kernel_rotated(n)` numbers), for one orthonormal R that is the same everywhere: x followed by
/// zeros, signs from SplitMix64, then a Walsh–Hadamard transform of blocks as long as the greatest power of two that
/// divides the length. It spreads what a few coordinates hold over all of a block, so that codes of equal steps fit.
///
/// Rounding: each stage adds at most 2⁻²⁴ of the length, so that ‖y − R·x‖ ≤ (2 + log₂ length) · 2⁻²⁴ · ‖x‖.
void kernel_rotate(const float *x, size_t n, float *y);
