#include "nfc.h"
#include "unicode_inline.h"
#include "unicode_tables.h"
#include <stdlib.h>
#include <string.h>

// Unicode Standard Annex 15. Only the stretches that need it are taken apart: from the character before an
// unstable one to the next stable one. A stable character is a starter that joins nothing before it.

enum { S = 0xAC00, L = 0x1100, V = 0x1161, T = 0x11A7, LCOUNT = 19, VCOUNT = 21, TCOUNT = 28, SCOUNT = LCOUNT * VCOUNT * TCOUNT };
enum { SLOTS = 4096 };
static uint16_t compositions[SLOTS]; // place in nfc_pairs + 1

static uint32_t slot_of(uint32_t a, uint32_t b) { return (a * 0x9E3779B1u ^ b * 0x85EBCA77u) >> 15 & (SLOTS - 1); }

void nfc_prepare(void) {
    memset(compositions, 0, sizeof compositions);
    for (uint32_t i = 0; i < nfc_pair_count; i++) {
        if (nfc_pairs[i][0] >> 31) continue;
        uint32_t slot = slot_of(nfc_pairs[i][1], nfc_pairs[i][2]);
        while (compositions[slot]) slot = (slot + 1) & (SLOTS - 1);
        compositions[slot] = (uint16_t)(i + 1);
    }
}

static uint32_t compose(uint32_t a, uint32_t b) {
    if (a - L < LCOUNT && b - V < VCOUNT) return S + ((a - L) * VCOUNT + (b - V)) * TCOUNT;
    if (a - S < SCOUNT && (a - S) % TCOUNT == 0 && b - T - 1 < TCOUNT - 1) return a + (b - T);
    for (uint32_t slot = slot_of(a, b); compositions[slot]; slot = (slot + 1) & (SLOTS - 1)) {
        const uint32_t *pair = nfc_pairs[compositions[slot] - 1];
        if (pair[1] == a && pair[2] == b) return pair[0];
    }
    return 0;
}

static uint32_t mark_class(uint32_t c) {
    if (c < 0x300) return 0;
    uint32_t low = 0, high = nfc_mark_edge_count; // the last edge at or before c
    while (high - low > 1) {
        uint32_t middle = (low + high) / 2;
        if (nfc_mark_edges[middle] >> 8 <= c) low = middle; else high = middle;
    }
    return nfc_mark_edges[low] >> 8 <= c ? nfc_mark_edges[low] & 255 : 0;
}

// A growing row of (class << 24 | code point).
typedef struct { uint32_t *items; size_t count, room; uint32_t first[256]; } row;

static void append(row *r, uint32_t c) {
    if (r->count == r->room) {
        uint32_t *wider = malloc(r->room * 2 * sizeof *wider);
        if (!wider) abort();
        memcpy(wider, r->items, r->count * sizeof *wider);
        if (r->items != r->first) free(r->items);
        r->items = wider, r->room *= 2;
    }
    r->items[r->count++] = mark_class(c) << 24 | c;
}

static void decompose(row *r, uint32_t c) {
    if (c < 0xC0) return append(r, c);
    if (c - S < SCOUNT) {
        append(r, L + (c - S) / (VCOUNT * TCOUNT));
        append(r, V + (c - S) % (VCOUNT * TCOUNT) / TCOUNT);
        if ((c - S) % TCOUNT) append(r, T + (c - S) % TCOUNT);
        return;
    }
    for (uint32_t low = 0, high = nfc_pair_count; low < high;) {
        uint32_t middle = (low + high) / 2, whole = nfc_pairs[middle][0] & 0x7FFFFFFF;
        if (whole == c) return decompose(r, nfc_pairs[middle][1]), decompose(r, nfc_pairs[middle][2]);
        if (whole < c) low = middle + 1; else high = middle;
    }
    for (uint32_t low = 0, high = nfc_single_count; low < high;) {
        uint32_t middle = (low + high) / 2;
        if (nfc_singles[middle][0] == c) return decompose(r, nfc_singles[middle][1]);
        if (nfc_singles[middle][0] < c) low = middle + 1; else high = middle;
    }
    append(r, c);
}

// Stable sort of one run of marks by class. Counting, once it is long: text may be a million marks.
static void order(uint32_t *marks, size_t n) {
    if (n < 32) {
        for (size_t i = 1; i < n; i++) {
            uint32_t mark = marks[i];
            size_t j = i;
            for (; j && marks[j - 1] >> 24 > mark >> 24; j--) marks[j] = marks[j - 1];
            marks[j] = mark;
        }
        return;
    }
    size_t start[257] = {0};
    for (size_t i = 0; i < n; i++) start[(marks[i] >> 24) + 1]++;
    for (int k = 0; k < 256; k++) start[k + 1] += start[k];
    uint32_t *sorted = malloc(n * sizeof *sorted);
    if (!sorted) abort();
    for (size_t i = 0; i < n; i++) sorted[start[marks[i] >> 24]++] = marks[i];
    memcpy(marks, sorted, n * sizeof *sorted);
    free(sorted);
}

static void recompose(row *r) {
    for (size_t i = 0; i < r->count;) {
        size_t end = i;
        while (end < r->count && r->items[end] >> 24) end++;
        order(r->items + i, end - i);
        i = end + 1;
    }
    size_t kept = 0, starter = SIZE_MAX;
    int last = -1; // class of what stands between the starter and here; -1: nothing
    for (size_t i = 0; i < r->count; i++) {
        uint32_t item = r->items[i], joined;
        int class = (int)(item >> 24);
        if (starter != SIZE_MAX && last < class && (joined = compose(r->items[starter] & 0xFFFFFF, item & 0xFFFFFF))) {
            r->items[starter] = joined;
            continue;
        }
        if (class == 0) starter = kept, last = -1; else last = class;
        r->items[kept++] = item;
    }
    r->count = kept;
}

static uint8_t *put(uint8_t *out, uint32_t c) {
    if (c < 0x80) return *out++ = (uint8_t)c, out;
    if (c < 0x800) *out++ = (uint8_t)(0xC0 | c >> 6);
    else {
        if (c < 0x10000) *out++ = (uint8_t)(0xE0 | c >> 12);
        else *out++ = (uint8_t)(0xF0 | c >> 18), *out++ = (uint8_t)(0x80 | (c >> 12 & 63));
        *out++ = (uint8_t)(0x80 | (c >> 6 & 63));
    }
    *out++ = (uint8_t)(0x80 | (c & 63));
    return out;
}

size_t kernel_nfc_stable_prefix(const uint8_t *text, size_t n) {
    const uint8_t *p = text, *end = text + n, *next;
    while (p < end) {
        if (*p < 0xCC) { p += *p < 0x80 ? 1 : 2; continue; } // below U+0300 all is stable
        if (unicode_class(utf8_scalar(p, &next)) & UNICODE_UNSTABLE) return (size_t)(p - text);
        p = next;
    }
    return n;
}

size_t kernel_nfc(const uint8_t *text, size_t n, uint8_t *out) {
    const uint8_t *p = text, *end = text + n, *next;
    uint8_t *o = out;
    row r = {.room = 256};
    r.items = r.first;
    while (p < end) {
        const uint8_t *unstable = p + kernel_nfc_stable_prefix(p, (size_t)(end - p)), *from = unstable;
        if (unstable == end) break;
        if (from > p) do from--; while ((*from & 0xC0) == 0x80);
        memcpy(o, p, (size_t)(from - p));
        o += from - p;
        r.count = 0;
        for (p = from; p < end; p = next) {
            uint32_t c = utf8_scalar(p, &next);
            if (p > from && !(unicode_class(c) & UNICODE_UNSTABLE)) break;
            decompose(&r, c);
        }
        recompose(&r);
        for (size_t i = 0; i < r.count; i++) o = put(o, r.items[i] & 0xFFFFFF);
    }
    memcpy(o, p, (size_t)(end - p));
    o += end - p;
    if (r.items != r.first) free(r.items);
    return (size_t)(o - out);
}
