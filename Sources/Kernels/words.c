#include "words.h"
#include "include/tokens.h"
#include "unicode_inline.h"

// The pre-tokenizing expressions by hand. Each takes the first of its alternatives that matches, as the backtracking
// matcher would; together the alternatives match at every character, so words leave no gaps.

static inline int kind(const uint8_t *p, const uint8_t **next) {
    if (*p < 0x80) return *next = p + 1, unicode_ascii[*p] & UNICODE_KIND;
    return unicode_class(utf8_scalar(p, next)) & UNICODE_KIND;
}

static inline const uint8_t *run(const uint8_t *p, const uint8_t *end, int of) {
    const uint8_t *next;
    while (p < end && kind(p, &next) == of) p = next;
    return p;
}

// 's 't 'm 'd 're 've 'll at an apostrophe; NULL if none. `fold` is 0x20 to accept capitals.
static const uint8_t *contraction(const uint8_t *p, const uint8_t *end, uint8_t fold, int long_s) {
    if (end - p < 2) return NULL;
    uint8_t a = p[1] | fold, b = end - p > 2 ? p[2] | fold : 0;
    if (p[1] < 0x80 && (a == 's' || a == 't' || a == 'm' || a == 'd')) return p + 2;
    if (((a == 'r' || a == 'v') && b == 'e') || (a == 'l' && b == 'l')) return p[1] < 0x80 && p[2] < 0x80 ? p + 3 : NULL;
    if (long_s && p[1] == 0xC5 && end - p > 2 && p[2] == 0xBF) return p + 3; // U+017F folds to s
    return NULL;
}

// \s+(?!\S)|\s+ from a space: all of the run at the end of the text, else all but its last character, if any are left.
static const uint8_t *spaces(const uint8_t *p, const uint8_t *end, int lines_first) {
    const uint8_t *q = p, *last = p, *next, *line = NULL;
    while (q < end && kind(q, &next) == UNICODE_SPACE) {
        if (*q == '\n' || *q == '\r') line = next;
        last = q, q = next;
    }
    if (lines_first && line) return line; // \s*[\r\n]+ reaches the run's last line break
    return q == end || last == p ? q : last;
}

// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
static const uint8_t *gpt2(const uint8_t *p, const uint8_t *end) {
    const uint8_t *next, *q;
    if (*p == '\'' && (q = contraction(p, end, 0, 0))) return q;
    q = *p == ' ' && end - p > 1 ? p + 1 : p;
    int k = kind(q, &next);
    return k == UNICODE_SPACE ? spaces(p, end, 0) : run(next, end, k);
}

// (?i:'s|…)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
static const uint8_t *llama3(const uint8_t *p, const uint8_t *end, uint32_t pattern) {
    const uint8_t *next, *q, *after;
    if (*p == '\'' && (q = contraction(p, end, 0x20, !(pattern & KERNEL_WORDS_ASCII_FOLD)))) return q;
    int k = kind(p, &next);
    if (k == UNICODE_LETTER) return run(next, end, k);
    if (k == UNICODE_NUMBER) {
        for (int more = pattern & KERNEL_WORDS_ONE_DIGIT ? 0 : 2; more-- && next < end && kind(next, &q) == k;) next = q;
        return next;
    }
    if (*p != '\r' && *p != '\n' && next < end && kind(next, &q) == UNICODE_LETTER) return run(q, end, UNICODE_LETTER);
    q = *p == ' ' && next < end && kind(next, &after) == UNICODE_OTHER ? next : p;
    if (kind(q, &next) == UNICODE_OTHER) {
        q = run(next, end, UNICODE_OTHER);
        while (q < end && (*q == '\n' || *q == '\r')) q++;
        return q;
    }
    return spaces(p, end, 1);
}

const uint8_t *next_word(const uint8_t *p, const uint8_t *end, uint32_t pattern) {
    return pattern & KERNEL_WORDS_LLAMA3 ? llama3(p, end, pattern) : gpt2(p, end);
}

size_t kernel_next_word(const uint8_t *text, size_t at, size_t n, uint32_t pattern) {
    return (size_t)(next_word(text + at, text + n, pattern) - text);
}
