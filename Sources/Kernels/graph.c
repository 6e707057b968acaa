#include "graph.h"
#include "select.h"
#include "dot.h"
#include "kernel.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

// Sketch for 512 dimensions on one core: a tile of 12 rows × 32 columns is 24 vectors of 16 sums, and takes 24 · 128
// products of 64 codes, some 1,600 cycles at two a cycle. Judging it takes 24 times some eight instructions. Of 131,072
// columns a row takes some hundred as candidates on the way and multiplies some twenty-five again in the end.

static void products_plain(const int8_t *a, const uint8_t *b, size_t padded, int32_t *out) {
    memset(out, 0, GRAPH_ROWS * GRAPH_COLUMNS * sizeof *out);
    for (size_t d = 0; d < padded; d += 4, a += 4 * GRAPH_ROWS, b += 4 * GRAPH_COLUMNS)
        for (size_t i = 0; i < GRAPH_ROWS; i++)
            for (size_t j = 0; j < GRAPH_COLUMNS; j++)
                for (size_t t = 0; t < 4; t++) out[i * GRAPH_COLUMNS + j] += a[4 * i + t] * (b[4 * j + t] - 128);
}

#if defined(__x86_64__)
#include <immintrin.h>

// |y|·(x with y's sign): a sum of two such is at most 2 · 127 · 128, which 16 bits hold, so nothing saturates.
// Four rows by sixteen columns at a time: 8 sums, 2 columns and their 2 absolutes are what 16 registers hold.
__attribute__((target("avx2"))) static void products_avx2(const int8_t *a, const uint8_t *b, size_t padded, int32_t *out) {
    const __m256i ones = _mm256_set1_epi16(1), half = _mm256_set1_epi8((char)0x80);
    for (size_t row = 0; row < GRAPH_ROWS; row += 4)
        for (size_t column = 0; column < GRAPH_COLUMNS; column += 16) {
            __m256i p[4], q[4];
            for (int i = 0; i < 4; i++) p[i] = q[i] = _mm256_setzero_si256();
            const int8_t *x = a + 4 * row;
            const uint8_t *y = b + 4 * column;
            for (size_t d = 0; d < padded; d += 4, x += 4 * GRAPH_ROWS, y += 4 * GRAPH_COLUMNS) {
                __m256i u = _mm256_xor_si256(_mm256_loadu_si256((const void *)y), half), v = _mm256_xor_si256(_mm256_loadu_si256((const void *)(y + 32)), half);
                __m256i au = _mm256_abs_epi8(u), av = _mm256_abs_epi8(v);
#pragma clang loop unroll(full)
                for (int i = 0; i < 4; i++) {
                    int four;
                    memcpy(&four, x + 4 * i, 4);
                    __m256i z = _mm256_set1_epi32(four);
                    p[i] = _mm256_add_epi32(p[i], _mm256_madd_epi16(_mm256_maddubs_epi16(au, _mm256_sign_epi8(z, u)), ones));
                    q[i] = _mm256_add_epi32(q[i], _mm256_madd_epi16(_mm256_maddubs_epi16(av, _mm256_sign_epi8(z, v)), ones));
                }
            }
            for (size_t i = 0; i < 4; i++) {
                int32_t *to = out + (row + i) * GRAPH_COLUMNS + column;
                _mm256_storeu_si256((void *)to, p[i]), _mm256_storeu_si256((void *)(to + 8), q[i]);
            }
        }
}

__attribute__((target("avx512f,avx512vl,avx512bw,avx512vnni"))) static void products_avx512(const int8_t *a, const int32_t *starts, const uint8_t *b, size_t padded, int32_t *out) {
    __m512i p[GRAPH_ROWS], q[GRAPH_ROWS];
#pragma clang loop unroll(full)
    for (int i = 0; i < GRAPH_ROWS; i++) p[i] = q[i] = _mm512_set1_epi32(starts[i]);
    for (size_t d = 0; d < padded; d += 4, a += 4 * GRAPH_ROWS, b += 4 * GRAPH_COLUMNS) {
        __m512i u = _mm512_load_si512(b), v = _mm512_load_si512(b + 64);
#pragma clang loop unroll(full)
        for (int i = 0; i < GRAPH_ROWS; i++) {
            int four;
            memcpy(&four, a + 4 * i, 4);
            __m512i z = _mm512_set1_epi32(four);
            p[i] = _mm512_dpbusd_epi32(p[i], u, z), q[i] = _mm512_dpbusd_epi32(q[i], v, z);
        }
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < GRAPH_ROWS; i++) _mm512_storeu_si512(out + i * GRAPH_COLUMNS, p[i]), _mm512_storeu_si512(out + i * GRAPH_COLUMNS + 16, q[i]);
}

int kernel_graph_best(void) {
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vnni")) return 2;
    return __builtin_cpu_supports("avx2") ? 1 : 0;
}
#else
int kernel_graph_best(void) { return 0; }
#endif

void kernel_graph_products(int level, const int8_t *group, const int32_t *starts, const uint8_t *panel, size_t padded, int32_t *products) {
#if defined(__x86_64__)
    if (level >= 2) return products_avx512(group, starts, panel, padded, products);
    if (level == 1) return products_avx2(group, panel, padded, products);
#endif
    products_plain(group, panel, padded, products);
}

// MARK: Lists

// Threads that share a limit may overwrite one another's: it is then lower than it could be, and so still a limit.
static inline float read_limit(const float *limit) {
    float value;
    __atomic_load(limit, &value, __ATOMIC_RELAXED);
    return value;
}

static inline void raise_limit(float *limit, float value) {
    if (value > read_limit(limit)) __atomic_store(limit, &value, __ATOMIC_RELAXED);
}

uint32_t kernel_graph_prune(const struct graph_search *s, size_t row, struct graph_candidate *c, uint32_t count, float *limit, float *scratch) {
    const float *errors = s->columns->errors, error = s->rows->errors[row];
    float bar = read_limit(limit) + error;
    if (count >= s->k) {
        for (uint32_t i = 0; i < count; i++)
            scratch[i] = c[i].feature & GRAPH_EXACT ? c[i].value : c[i].value - (errors[c[i].feature] + error);
        select_greatest(scratch, NULL, count, s->k);
        float lower = scratch[s->k - 1] - s->slack;
        bar = fmaxf(bar, lower);
        raise_limit(limit, lower - error);
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        float upper = c[i].feature & GRAPH_EXACT ? c[i].value : c[i].value + (errors[c[i].feature] + error);
        if (upper >= bar) c[kept++] = c[i];
    }
    return kept;
}

static int in_order(const void *x, const void *y) {
    const struct graph_candidate *a = x, *b = y;
    return a->value > b->value ? -1 : a->value < b->value ? 1 : (a->feature > b->feature) - (a->feature < b->feature);
}

uint32_t kernel_graph_settle(const struct graph_search *s, size_t row, struct graph_candidate *c, uint32_t count, float *limit, float *scratch) {
    const struct graph_side *columns = s->columns;
    const float *x = s->rows->rows + row * s->rows->width;
    count = kernel_graph_prune(s, row, c, count, limit, scratch);
    for (uint32_t i = 0; i < count; i++) {
        if (i + 2 < count)
            for (size_t d = 0; d < columns->width; d += 16) __builtin_prefetch(columns->rows + (c[i + 2].feature & ~GRAPH_EXACT) * columns->width + d);
        if (c[i].feature & GRAPH_EXACT) continue;
        c[i].value = (float)kernel_dot_exact(x, columns->rows + c[i].feature * columns->width, columns->width);
        c[i].feature |= GRAPH_EXACT;
    }
    qsort(c, count, sizeof *c, in_order);
    if (count < s->k) return count;
    raise_limit(limit, c[s->k - 1].value - s->slack - s->rows->errors[row]);
    return (uint32_t)s->k;
}

static void add(const struct graph_search *s, const struct graph_lists *lists, size_t list, size_t row, float estimate, size_t feature, float *scratch) {
    struct graph_candidate *c = lists->candidates + list * s->capacity;
    uint32_t count = lists->counts[list];
    c[count++] = (struct graph_candidate){estimate, (uint32_t)feature};
    if (count == s->capacity) {
        count = kernel_graph_prune(s, row, c, count, lists->limits + list, scratch);
        // Bounds that rule out little (rows that are nearly the same) must not make a list grow.
        if (count > s->capacity - s->capacity / 4) count = kernel_graph_settle(s, row, c, count, lists->limits + list, scratch);
    }
    lists->counts[list] = count;
}

// MARK: The search

/// Which of 12 rows have a candidate among 32 columns, or are one for a column: a bit a row.
KERNEL static unsigned rows_with_candidates(const int32_t *restrict products, const float *restrict steps, const float *restrict errors, const float *restrict limits,
                                            const float *restrict column_steps, const float *restrict column_errors, const float *restrict column_limits) {
    unsigned rows = 0;
    for (int i = 0; i < GRAPH_ROWS; i++) {
        float step = steps[i], error = errors[i], limit = limits[i];
        int any = 0;
        for (int j = 0; j < GRAPH_COLUMNS; j++) {
            float estimate = (float)products[i * GRAPH_COLUMNS + j] * step * column_steps[j];
            any |= (estimate + column_errors[j] >= limit) | (estimate + error >= column_limits[j]);
        }
        rows |= any ? 1u << i : 0;
    }
    return rows;
}

/// Of one such row: the columns that are its candidates, a bit each, and in the upper half those it is a candidate for.
KERNEL static uint64_t candidates_of(const int32_t *restrict products, float step, float error, float limit,
                                     const float *restrict column_steps, const float *restrict column_errors, const float *restrict column_limits) {
    uint32_t own = 0, theirs = 0;
    for (uint32_t j = 0; j < GRAPH_COLUMNS; j++) {
        float estimate = (float)products[j] * step * column_steps[j];
        own |= (uint32_t)(estimate + column_errors[j] >= limit) << j;
        theirs |= (uint32_t)(estimate + error >= column_limits[j]) << j;
    }
    return (uint64_t)theirs << 32 | own;
}

void kernel_graph_search(int level, const struct graph_search *s, const struct graph_stripe *stripe, size_t first, size_t end,
                         const struct graph_lists *own, const struct graph_lists *all, float *scratch) {
    const struct graph_side *rows = s->rows, *columns = s->columns;
    size_t padded = columns->padded;
    float column_limits[GRAPH_COLUMNS];
    for (int j = 0; j < GRAPH_COLUMNS; j++) column_limits[j] = INFINITY;
    for (size_t column = first; column < end; column += GRAPH_COLUMNS) {
        size_t width = end - column < GRAPH_COLUMNS ? end - column : GRAPH_COLUMNS;
        for (size_t group = 0; group < stripe->count; group += GRAPH_ROWS) {
            size_t row = stripe->first + group, height = stripe->count - group < GRAPH_ROWS ? stripe->count - group : GRAPH_ROWS;
            if (s->is_symmetric && column + width <= row + 1) break; // here and further down all pairs were judged before
            _Alignas(64) int32_t products[GRAPH_ROWS * GRAPH_COLUMNS];
            kernel_graph_products(level, stripe->packed + group * padded, stripe->starts + group, columns->panels + column * padded, padded, products);
            float steps[GRAPH_ROWS] = {0}, errors[GRAPH_ROWS], limits[GRAPH_ROWS];
            for (size_t i = 0; i < GRAPH_ROWS; i++) {
                steps[i] = i < height ? rows->steps[row + i] : 0;
                errors[i] = i < height ? rows->errors[row + i] : -INFINITY;
                limits[i] = i < height ? read_limit(own->limits + group + i) : INFINITY;
            }
            if (s->is_symmetric) memcpy(column_limits, all->limits + column, width * sizeof *column_limits);
            unsigned found = rows_with_candidates(products, steps, errors, limits, columns->steps + column, columns->errors + column, column_limits);
            for (; found; found &= found - 1) {
                size_t i = (size_t)__builtin_ctz(found);
                const int32_t *p = products + i * GRAPH_COLUMNS;
                uint64_t both = candidates_of(p, steps[i], errors[i], limits[i], columns->steps + column, columns->errors + column, column_limits);
                uint32_t judged = width < GRAPH_COLUMNS ? (1u << width) - 1 : UINT32_MAX;
                // A pair is judged where its row comes first.
                if (s->is_symmetric && column <= row + i) judged = row + i - column + 1 < GRAPH_COLUMNS ? judged & UINT32_MAX << (row + i - column + 1) : 0;
                for (uint32_t mine = (uint32_t)both & judged; mine; mine &= mine - 1) {
                    size_t j = (size_t)__builtin_ctz(mine);
                    float estimate = (float)p[j] * steps[i] * columns->steps[column + j];
                    if (estimate + columns->errors[column + j] >= read_limit(own->limits + group + i)) add(s, own, group + i, row + i, estimate, column + j, scratch);
                }
                for (uint32_t theirs = (uint32_t)(both >> 32) & judged; theirs && s->is_symmetric; theirs &= theirs - 1) {
                    size_t j = (size_t)__builtin_ctz(theirs);
                    float estimate = (float)p[j] * steps[i] * columns->steps[column + j];
                    if (estimate + errors[i] >= all->limits[column + j]) add(s, all, column + j, column + j, estimate, row + i, scratch);
                }
            }
        }
    }
}
