#pragma once
#include <stdint.h>
#include <string.h>

/// e^x to 2 units in the last place for −87 ≤ x ≤ 88, and the value at the nearer bound outside (1e-38 for 0).
///
/// x = n ln 2 + r with |r| ≤ ln 2 / 2; the polynomial for e^r is Taylor's to the sixth power, whose rest is 1.2e-7 · 0.35.
/// Plain arithmetic, so that loops around it vectorise. It must not be reassociated: the rounding to n rests on it.
static inline __attribute__((always_inline)) float exponential(float x) {
#pragma clang fp contract(fast) reassociate(off)
    x = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x;
    const float magic = 12582912.0f; // 1.5 · 2²³: adding it leaves no room for a fraction
    float n = (x * 1.44269504f + magic) - magic;
    float r = x - n * 0.693359375f;
    r = r - n * -2.12194440e-4f;
    float p = 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1;
    p = p * r + 1;
    uint32_t bits = (uint32_t)((int32_t)n + 127) << 23;
    float power;
    memcpy(&power, &bits, 4);
    return p * power;
}
