#pragma once
#include "include/unicode.h"

// Two classes per byte. Beyond the table only variation selectors have a class (the generator checks).
enum { UNICODE_TABLED = 0x34000 };
extern uint8_t unicode_nibbles[UNICODE_TABLED / 2];
extern uint8_t unicode_ascii[128];

static inline uint8_t unicode_class(uint32_t c) {
    if (c < UNICODE_TABLED) return unicode_nibbles[c >> 1] >> ((c & 1) * 4) & 15;
    return c >= 0xE0100 && c <= 0xE01EF ? UNICODE_WORD : 0;
}

// The scalar at `p`, in text known to be well-formed; `*next` is where the following one begins.
static inline uint32_t utf8_scalar(const uint8_t *p, const uint8_t **next) {
    uint8_t b = p[0];
    if (b < 0x80) return *next = p + 1, b;
    if (b < 0xE0) return *next = p + 2, (uint32_t)(b & 31) << 6 | (p[1] & 63);
    if (b < 0xF0) return *next = p + 3, (uint32_t)(b & 15) << 12 | (uint32_t)(p[1] & 63) << 6 | (p[2] & 63);
    return *next = p + 4, (uint32_t)(b & 7) << 18 | (uint32_t)(p[1] & 63) << 12 | (uint32_t)(p[2] & 63) << 6 | (p[3] & 63);
}
