#include "include/json_scan.h"
#include "hash.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH 64

// MARK: strings by number

// A string of up to eight bytes is its own key; a longer one has a hash, and its bytes are compared.
typedef struct { uint64_t key; uint32_t id, bytes; } slot; // id + 1; 0: empty

struct kernel_json_strings {
    slot *slots;
    size_t mask, count, room, used, space;
    size_t *offsets; // count + 1
    uint8_t *text;
};

kernel_json_strings *kernel_json_strings_make(void) {
    kernel_json_strings *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->mask = (1 << 12) - 1, s->room = 1 << 11, s->space = 1 << 16;
    s->slots = calloc(s->mask + 1, sizeof(slot)), s->offsets = calloc(s->room + 1, sizeof(size_t)), s->text = malloc(s->space);
    if (s->slots && s->offsets && s->text) return s;
    kernel_json_strings_free(s);
    return NULL;
}

void kernel_json_strings_free(kernel_json_strings *s) {
    if (s) free(s->slots), free(s->offsets), free(s->text), free(s);
}

size_t kernel_json_strings_count(const kernel_json_strings *s) { return s->count; }

const uint8_t *kernel_json_strings_get(const kernel_json_strings *s, size_t index, size_t *bytes) {
    *bytes = s->offsets[index + 1] - s->offsets[index];
    return s->text + s->offsets[index];
}

static inline size_t place_of(uint64_t key, size_t bytes, size_t mask) {
    uint64_t h = (key ^ bytes) * 0x9E3779B97F4A7C15u;
    return (size_t)(h ^ h >> 32) & mask;
}

static int grow(kernel_json_strings *s) {
    size_t mask = 2 * s->mask + 1;
    slot *slots = calloc(mask + 1, sizeof(slot));
    size_t *offsets = realloc(s->offsets, (2 * s->room + 1) * sizeof(size_t));
    if (offsets) s->offsets = offsets;
    if (!slots || !offsets) return free(slots), -1;
    for (size_t i = 0; i <= s->mask; i++)
        if (s->slots[i].id) {
            size_t at = place_of(s->slots[i].key, s->slots[i].bytes, mask);
            while (slots[at].id) at = (at + 1) & mask;
            slots[at] = s->slots[i];
        }
    free(s->slots);
    s->slots = slots, s->mask = mask, s->room *= 2;
    return 0;
}

static int64_t insert(kernel_json_strings *s, uint64_t key, const uint8_t *p, size_t n, size_t at) {
    if (n > UINT32_MAX || s->count >= INT32_MAX) return KERNEL_JSON_MEMORY;
    if (s->used + n > s->space) {
        size_t space = 2 * (s->used + n);
        uint8_t *text = realloc(s->text, space);
        if (!text) return KERNEL_JSON_MEMORY;
        s->text = text, s->space = space;
    }
    memcpy(s->text + s->used, p, n);
    s->used += n;
    uint32_t id = (uint32_t)s->count++;
    s->offsets[s->count] = s->used;
    s->slots[at] = (slot){key, id + 1, (uint32_t)n};
    if (s->count == s->room && grow(s)) return KERNEL_JSON_MEMORY;
    return id;
}

static inline int64_t find_short(kernel_json_strings *s, uint64_t key, const uint8_t *p, size_t n) {
    size_t at = place_of(key, n, s->mask);
    for (; s->slots[at].id; at = (at + 1) & s->mask)
        if (s->slots[at].key == key && s->slots[at].bytes == n) return s->slots[at].id - 1;
    return insert(s, key, p, n, at);
}

static int64_t find_long(kernel_json_strings *s, const uint8_t *p, size_t n) {
    uint64_t key = hash_bytes(p, n);
    size_t at = place_of(key, n, s->mask);
    for (; s->slots[at].id; at = (at + 1) & s->mask)
        if (s->slots[at].key == key && s->slots[at].bytes == n && memcmp(s->text + s->offsets[s->slots[at].id - 1], p, n) == 0) return s->slots[at].id - 1;
    return insert(s, key, p, n, at);
}

// MARK: pieces of JSON

static inline size_t space(const uint8_t *t, size_t n, size_t at) {
    while (at < n && (t[at] == ' ' || t[at] == '\n' || t[at] == '\r' || t[at] == '\t')) at++;
    return at;
}

size_t kernel_json_space(const uint8_t *t, size_t n, size_t at) { return space(t, n, at); }

/// Of eight bytes: a high bit for the first that is `"`, `\` or below 0x20, and perhaps for some after it.
static inline uint64_t special(uint64_t w) {
    const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
    uint64_t quote = w ^ ones * '"', slash = w ^ ones * '\\';
    return (((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((w - ones * 0x20) & ~w)) & highs;
}

/// The place of the closing quote of a string whose first byte stands at `at`, or an error.
static ptrdiff_t string_end(const uint8_t *t, size_t n, size_t at) {
    for (;;) {
        uint64_t w, found;
        for (;; at += 8) {
            if (at >= n) return KERNEL_JSON_SYNTAX;
            memcpy(&w, t + at, 8);
            if ((found = special(w))) break;
        }
        at += (size_t)__builtin_ctzll(found) >> 3;
        if (at >= n) return KERNEL_JSON_SYNTAX;
        if (t[at] == '"') return (ptrdiff_t)at;
        if (t[at] != '\\' || at + 1 >= n) return KERNEL_JSON_SYNTAX;
        switch (t[at + 1]) {
        case 'u':
            for (size_t i = 2; i < 6; i++)
                if (at + i >= n || !((t[at + i] >= '0' && t[at + i] <= '9') || ((t[at + i] | 32) >= 'a' && (t[at + i] | 32) <= 'f'))) return KERNEL_JSON_SYNTAX;
            at += 6;
            break;
        case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't': at += 2; break;
        default: return KERNEL_JSON_SYNTAX;
        }
    }
}

static const double tens[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/// Reads the number at `at`. Returns its end, or an error.
static ptrdiff_t number(const uint8_t *t, size_t n, size_t at, double *value) {
    size_t start = at;
    int negative = at < n && t[at] == '-';
    at += negative;
    if (at >= n || t[at] < '0' || t[at] > '9') {
        if (at < n && (t[at] == 'N' || t[at] == 'I')) return KERNEL_JSON_NOT_A_NUMBER;
        return KERNEL_JSON_SYNTAX;
    }
    uint64_t mantissa = 0;
    int digits = 0, scale = 0, is_exact = 1;
    if (t[at] == '0' && at + 1 < n && t[at + 1] >= '0' && t[at + 1] <= '9') return KERNEL_JSON_SYNTAX;
    for (; at < n && t[at] >= '0' && t[at] <= '9'; at++) {
        if (digits < 18) mantissa = 10 * mantissa + (t[at] - '0'), digits += mantissa > 0; else is_exact = 0;
    }
    if (at < n && t[at] == '.') {
        if (++at >= n || t[at] < '0' || t[at] > '9') return KERNEL_JSON_SYNTAX;
        for (; at < n && t[at] >= '0' && t[at] <= '9'; at++) {
            if (digits < 18) mantissa = 10 * mantissa + (t[at] - '0'), digits += mantissa > 0, scale--; else is_exact = 0;
        }
    }
    if (at < n && (t[at] == 'e' || t[at] == 'E')) {
        int sign = 1, exponent = 0;
        if (++at < n && (t[at] == '+' || t[at] == '-')) sign = t[at++] == '-' ? -1 : 1;
        if (at >= n || t[at] < '0' || t[at] > '9') return KERNEL_JSON_SYNTAX;
        for (; at < n && t[at] >= '0' && t[at] <= '9'; at++) exponent = exponent < 100000 ? 10 * exponent + (t[at] - '0') : exponent;
        scale += sign * exponent;
    }
    // Within these bounds both factors are exact, and one operation rounds once.
    if (is_exact && mantissa <= (uint64_t)1 << 53 && scale >= -22 && scale <= 22) {
        double v = scale < 0 ? (double)mantissa / tens[-scale] : (double)mantissa * tens[scale];
        *value = negative ? -v : v;
        return (ptrdiff_t)at;
    }
    char copy[64];
    if (at - start < sizeof copy) {
        memcpy(copy, t + start, at - start), copy[at - start] = 0;
        *value = strtod(copy, NULL);
    } else {
        char *heap = malloc(at - start + 1);
        if (!heap) return KERNEL_JSON_MEMORY;
        memcpy(heap, t + start, at - start), heap[at - start] = 0;
        *value = strtod(heap, NULL);
        free(heap);
    }
    return (ptrdiff_t)at;
}

static ptrdiff_t word(const uint8_t *t, size_t n, size_t at, const char *w, size_t length) {
    return at + length <= n && memcmp(t + at, w, length) == 0 ? (ptrdiff_t)(at + length) : KERNEL_JSON_SYNTAX;
}

static ptrdiff_t skip(const uint8_t *t, size_t n, size_t at, int depth) {
    if (at >= n) return KERNEL_JSON_SYNTAX;
    double value;
    switch (t[at]) {
    case '"': {
        ptrdiff_t end = string_end(t, n, at + 1);
        return end < 0 ? end : end + 1;
    }
    case 't': return word(t, n, at, "true", 4);
    case 'f': return word(t, n, at, "false", 5);
    case 'n': return word(t, n, at, "null", 4);
    case '[': case '{': {
        if (depth == DEPTH) return KERNEL_JSON_DEEP;
        int is_object = t[at] == '{';
        uint8_t close = is_object ? '}' : ']';
        at = space(t, n, at + 1);
        if (at < n && t[at] == close) return (ptrdiff_t)(at + 1);
        for (;;) {
            if (is_object) {
                if (at >= n || t[at] != '"') return KERNEL_JSON_SYNTAX;
                ptrdiff_t end = string_end(t, n, at + 1);
                if (end < 0) return end;
                at = space(t, n, (size_t)end + 1);
                if (at >= n || t[at] != ':') return KERNEL_JSON_SYNTAX;
                at = space(t, n, at + 1);
            }
            ptrdiff_t end = skip(t, n, at, depth + 1);
            if (end < 0) return end;
            at = space(t, n, (size_t)end);
            if (at >= n) return KERNEL_JSON_SYNTAX;
            if (t[at] == close) return (ptrdiff_t)(at + 1);
            if (t[at] != ',') return KERNEL_JSON_SYNTAX;
            at = space(t, n, at + 1);
        }
    }
    default: return number(t, n, at, &value);
    }
}

ptrdiff_t kernel_json_skip(const uint8_t *t, size_t n, size_t at) { return skip(t, n, at, 0); }

int kernel_json_next(const uint8_t *t, size_t n, size_t *at, int is_first, size_t *key, size_t *key_bytes) {
    size_t p = space(t, n, *at);
    if (p < n && t[p] == '}') return *at = p + 1, 0;
    if (!is_first) {
        if (p >= n || t[p] != ',') return KERNEL_JSON_SYNTAX;
        p = space(t, n, p + 1);
    }
    if (p >= n || t[p] != '"') return KERNEL_JSON_SYNTAX;
    ptrdiff_t end = string_end(t, n, p + 1);
    if (end < 0) return (int)end;
    *key = p + 1, *key_bytes = (size_t)end - p - 1;
    p = space(t, n, (size_t)end + 1);
    if (p >= n || t[p] != ':') return KERNEL_JSON_SYNTAX;
    *at = space(t, n, p + 1);
    return 1;
}

// MARK: rows

static ptrdiff_t tokens(kernel_json_rows *rows, kernel_json_strings *s, const uint8_t *t, size_t n, size_t at) {
    if (at >= n || t[at] != '[') return KERNEL_JSON_TOKENS;
    at = space(t, n, at + 1);
    uint32_t *ids = rows->ids;
    size_t count = rows->id_count;
    if (at < n && t[at] == ']') return (ptrdiff_t)(at + 1);
    for (;;) {
        if (at >= n || t[at] != '"') return KERNEL_JSON_TOKENS;
        uint64_t w;
        memcpy(&w, t + ++at, 8);
        uint64_t found = special(w);
        int64_t id;
        size_t length = (size_t)__builtin_ctzll(found | (uint64_t)1 << 63) >> 3;
        if (found && t[at + length] == '"' && at + length < n) {
            id = find_short(s, length ? w & ~(uint64_t)0 >> (64 - 8 * length) : 0, t + at, length);
            at += length + 1;
        } else {
            ptrdiff_t end = string_end(t, n, at);
            if (end < 0) return end;
            length = (size_t)end - at;
            if (length <= 8) {
                w = 0;
                memcpy(&w, t + at, length);
                id = find_short(s, w, t + at, length);
            } else {
                id = find_long(s, t + at, length);
            }
            at = (size_t)end + 1;
        }
        if (id < 0) return (ptrdiff_t)id;
        ids[count++] = (uint32_t)id;
        if (at < n && t[at] == ',') {
            at++;
            if (at < n && t[at] != '"') at = space(t, n, at);
            continue;
        }
        at = space(t, n, at);
        if (at >= n) return KERNEL_JSON_SYNTAX;
        if (t[at] == ']') break;
        if (t[at] != ',') return KERNEL_JSON_SYNTAX;
        at = space(t, n, at + 1);
    }
    rows->id_count = count;
    return (ptrdiff_t)(at + 1);
}

static ptrdiff_t values(kernel_json_rows *rows, size_t *total, const uint8_t *t, size_t n, size_t at) {
    if (at >= n || t[at] != '[') return KERNEL_JSON_VALUES;
    at = space(t, n, at + 1);
    size_t count = 0, fired = rows->fired_count;
    if (at < n && t[at] == ']') return *total = 0, (ptrdiff_t)(at + 1);
    for (;;) {
        // Nearly all of them are "0.0" or "0".
        uint32_t w;
        memcpy(&w, t + at, 4);
        const uint32_t low = 0xffffff;
        double value = 0;
        if ((w & low) == ('0' | '.' << 8 | '0' << 16) && at + 3 < n && (t[at + 3] == ',' || t[at + 3] == ']')) {
            at += 3;
        } else if ((w & 0xff) == '0' && at + 1 < n && (t[at + 1] == ',' || t[at + 1] == ']')) {
            at += 1;
        } else {
            ptrdiff_t end = number(t, n, at, &value);
            if (end < 0) return end == KERNEL_JSON_SYNTAX ? KERNEL_JSON_VALUES : end;
            at = (size_t)end;
            float single = (float)value;
            if (!isfinite(single)) return KERNEL_JSON_VALUES;
            if (single != 0) {
                if (count > UINT32_MAX) return KERNEL_JSON_VALUES;
                rows->fired[fired].place = (uint32_t)count;
                rows->fired[fired++].value = single;
            }
        }
        count++;
        if (at < n && t[at] == ',') {
            at++;
            if (at < n && t[at] <= ' ') at = space(t, n, at);
            continue;
        }
        at = space(t, n, at);
        if (at >= n) return KERNEL_JSON_SYNTAX;
        if (t[at] == ']') break;
        if (t[at] != ',') return KERNEL_JSON_SYNTAX;
        at = space(t, n, at + 1);
    }
    rows->fired_count = fired, *total = count;
    return (ptrdiff_t)(at + 1);
}

static ptrdiff_t feature_index(int64_t *index, const uint8_t *t, size_t n, size_t at) {
    int is_quoted = at < n && t[at] == '"';
    at += (size_t)is_quoted;
    size_t start = at;
    int64_t value = 0;
    for (; at < n && t[at] >= '0' && t[at] <= '9' && at - start < 12; at++) value = 10 * value + (t[at] - '0');
    if (at == start || (t[start] == '0' && at > start + 1) || at >= n) return KERNEL_JSON_INDEX;
    if (is_quoted && t[at++] != '"') return KERNEL_JSON_INDEX;
    *index = value;
    if (at < n && (t[at] == ',' || t[at] == '}' || t[at] == ' ' || t[at] == '\t' || t[at] == '\n' || t[at] == '\r')) return (ptrdiff_t)at;
    return KERNEL_JSON_INDEX;
}

static inline int equals(const uint8_t *a, size_t n, const uint8_t *b, size_t m) { return n == m && memcmp(a, b, n) == 0; }

static size_t append(uint8_t *out, size_t at, const void *bytes, size_t n) {
    memcpy(out + at, bytes, n);
    return at + n;
}

int kernel_json_read_row(kernel_json_rows *rows, kernel_json_strings *strings, const kernel_json_member *members, size_t count, const uint8_t *t, size_t n, size_t *at) {
    size_t p = *at, total = 0, expected = 0;
    if (p >= n || t[p] != '{') return KERNEL_JSON_SYNTAX;
    p++;
    kernel_json_row row = {.feature = -1, .first_token = rows->id_count, .first_fired = rows->fired_count, .residue = rows->residue_count};
    uint64_t seen = 0;
    uint8_t *out = rows->residue;
    size_t written = rows->residue_count;
    out[written++] = '{';
    for (int is_first = 1;; is_first = 0) {
        size_t key = 0, key_bytes = 0;
        int more = kernel_json_next(t, n, &p, is_first, &key, &key_bytes);
        if (more < 0) return more;
        if (!more) break;
        // Rows have their members in the same order nearly always.
        size_t member = count;
        if (expected < count && equals(members[expected].key, members[expected].key_bytes, t + key, key_bytes)) {
            member = expected;
        } else {
            for (size_t i = 0; i < count; i++)
                if (equals(members[i].key, members[i].key_bytes, t + key, key_bytes)) { member = i; break; }
        }
        if (member < count) {
            expected = member + 1;
            if (seen >> member & 1) return rows->missing = member, KERNEL_JSON_TWICE;
            seen |= (uint64_t)1 << member;
        }
        ptrdiff_t end;
        size_t start = p;
        switch (member < count ? members[member].role : -1) {
        case KERNEL_JSON_IS_TOKENS: end = tokens(rows, strings, t, n, p); break;
        case KERNEL_JSON_IS_VALUES: end = values(rows, &total, t, n, p); break;
        case KERNEL_JSON_IS_INDEX: end = feature_index(&row.feature, t, n, p); break;
        case KERNEL_JSON_IS_EXPECTED:
            end = skip(t, n, p, 1);
            if (end >= 0 && !equals(members[member].value, members[member].value_bytes, t + start, (size_t)end - start)) return rows->missing = member, KERNEL_JSON_STRANGER;
            break;
        default:
            end = skip(t, n, p, 1);
            if (end < 0) break;
            if (member < count && equals(members[member].value, members[member].value_bytes, t + start, (size_t)end - start)) break;
            if (written > rows->residue_count + 1) out[written++] = ',';
            out[written++] = '"';
            written = append(out, written, t + key, key_bytes);
            out[written++] = '"', out[written++] = ':';
            written = append(out, written, t + start, (size_t)end - start);
        }
        if (end < 0) return (int)end;
        p = (size_t)end;
    }
    uint64_t absent = 0;
    for (size_t i = 0; i < count; i++) {
        if (seen >> i & 1) continue;
        if (members[i].role == KERNEL_JSON_IS_USUAL) absent |= (uint64_t)1 << i; else return rows->missing = i, KERNEL_JSON_MISSING;
    }
    if (absent) {
        uint8_t digits[20];
        size_t length = 0;
        for (uint64_t rest = absent; rest; rest /= 10) digits[length++] = (uint8_t)('0' + rest % 10);
        if (written > rows->residue_count + 1) out[written++] = ',';
        written = append(out, written, "\"\":", 3);
        while (length) out[written++] = digits[--length];
    }
    out[written++] = '}';
    size_t token_count = rows->id_count - row.first_token;
    if (token_count != total || token_count > UINT32_MAX) return KERNEL_JSON_LENGTHS;
    row.tokens = (uint32_t)token_count, row.fired = (uint32_t)(rows->fired_count - row.first_fired);
    row.residue_bytes = written - row.residue;
    rows->residue_count = written;
    rows->rows[rows->row_count++] = row;
    *at = p;
    return 0;
}

int kernel_json_read_lines(kernel_json_rows *rows, kernel_json_strings *strings, const kernel_json_member *members, size_t count, const uint8_t *t, size_t n, size_t *line) {
    size_t at = 0, lines = 0;
    while (at < n) {
        const uint8_t *stop = memchr(t + at, '\n', n - at);
        size_t end = stop ? (size_t)(stop - t) : n;
        size_t p = space(t, end, at);
        *line = lines;
        if (p < end) {
            int result = kernel_json_read_row(rows, strings, members, count, t, end, &p);
            if (result < 0) return result;
            rows->rows[rows->row_count - 1].line = lines;
            if (space(t, end, p) != end) return KERNEL_JSON_SYNTAX;
        }
        at = end + 1, lines++;
    }
    *line = lines;
    return 0;
}

size_t kernel_json_renumber(uint32_t *ids, size_t n, const uint32_t *map) {
    for (size_t i = 0; i < n; i++) {
        uint32_t id = map[ids[i]];
        if (id == UINT32_MAX) return i;
        ids[i] = id;
    }
    return n;
}

uint64_t kernel_json_hash(const uint32_t *ids, size_t n) { return hash_bytes((const uint8_t *)ids, 4 * n); }
