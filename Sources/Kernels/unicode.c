#include "unicode_inline.h"
#include "nfc.h"
#include "unicode_tables.h"
#include <string.h>

uint8_t unicode_nibbles[UNICODE_TABLED / 2];
uint8_t unicode_ascii[128];

void kernel_unicode_prepare(void) {
    memset(unicode_nibbles, 0, sizeof unicode_nibbles);
    for (uint32_t e = 0; e < unicode_edge_count; e++) {
        uint32_t c = unicode_edges[e] >> 4, bits = unicode_edges[e] & 15;
        uint32_t end = e + 1 < unicode_edge_count ? unicode_edges[e + 1] >> 4 : UNICODE_TABLED;
        if (!bits) continue;
        if (c & 1) unicode_nibbles[c++ >> 1] |= bits << 4;
        if (c < end) memset(unicode_nibbles + (c >> 1), bits | bits << 4, (end - c) >> 1);
        if (c < end && end & 1) unicode_nibbles[end >> 1] |= bits;
    }
    for (uint32_t c = 0; c < 128; c++) unicode_ascii[c] = unicode_class(c);
    nfc_prepare();
}

uint8_t kernel_unicode_class(uint32_t c) { return unicode_class(c); }

// The bytes that may follow a lead byte (Unicode 16, table 3-7): how many, and the range of the first of them.
static int continuation(uint8_t lead, uint8_t *low, uint8_t *high) {
    *low = 0x80, *high = 0xBF;
    if (lead >= 0xC2 && lead <= 0xDF) return 1;
    if (lead >= 0xE0 && lead <= 0xEF) {
        if (lead == 0xE0) *low = 0xA0;
        if (lead == 0xED) *high = 0x9F;
        return 2;
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
        if (lead == 0xF0) *low = 0x90;
        if (lead == 0xF4) *high = 0x8F;
        return 3;
    }
    return 0;
}

size_t kernel_utf8_ill_formed(const uint8_t *text, size_t n) {
    uint8_t low, high;
    size_t more = (size_t)continuation(text[0], &low, &high), i = 1;
    while (i <= more && i < n && text[i] >= low && text[i] <= high) i++, low = 0x80, high = 0xBF;
    return i;
}

size_t kernel_utf8_valid_prefix(const uint8_t *text, size_t n) {
    size_t i = 0;
    while (i < n) {
        if (text[i] < 0x80) {
            uint64_t word;
            while (i + 8 <= n && (memcpy(&word, text + i, 8), !(word & 0x8080808080808080))) i += 8;
            while (i < n && text[i] < 0x80) i++;
            continue;
        }
        uint8_t low, high;
        size_t more = (size_t)continuation(text[i], &low, &high);
        if (!more || n - i <= more || text[i + 1] < low || text[i + 1] > high) return i;
        for (size_t k = 2; k <= more; k++)
            if ((text[i + k] & 0xC0) != 0x80) return i;
        i += more + 1;
    }
    return n;
}
