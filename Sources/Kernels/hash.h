#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// A 64 x 64 -> 128 bit product folded: two words in, one well-mixed word out.
static inline uint64_t hash_pair(uint64_t a, uint64_t b) {
    unsigned __int128 m = (unsigned __int128)(a ^ 0x9E3779B97F4A7C15u) * (b ^ 0xD6E8FEB86659FD93u);
    uint64_t h = (uint64_t)m ^ (uint64_t)(m >> 64);
    return h ^ h >> 29;
}

// At most 16 bytes as two words that, with n, tell all of them.
static inline void short_key(const uint8_t *p, size_t n, uint64_t *a, uint64_t *b) {
    *a = *b = 0;
    if (n >= 8) {
        memcpy(a, p, 8), memcpy(b, p + n - 8, 8);
    } else if (n >= 4) {
        memcpy(a, p, 4), memcpy(b, p + n - 4, 4);
    } else if (n) {
        *a = (uint64_t)p[0] | (uint64_t)p[n / 2] << 8 | (uint64_t)p[n - 1] << 16;
    }
}

static inline uint64_t hash_bytes(const uint8_t *p, size_t n) {
    uint64_t h = n * 0xA24BAED4963EE407u, a, b;
    for (; n > 16; p += 16, n -= 16) memcpy(&a, p, 8), memcpy(&b, p + 8, 8), h = hash_pair(a ^ h, b);
    short_key(p, n, &a, &b);
    return hash_pair(a ^ h, b);
}
