#include "encode.h"
#include "kernel.h"

// Sketch for 512 → 4,096 on one core: a tile of 12 tokens × 32 features is 24 vectors of 16 accumulators and takes
// 24 · 512 fused multiply-adds, some 12,300 cycles; judging it costs 24 compares and, at L0 33, three branches taken.
// So the product is all there is to pay, and the (tokens × features) matrix never exists.

static inline void emit_plain(const struct encode_panel *p, float floor, const float *product, uint32_t token, struct encode_stream *s) {
    for (uint32_t j = 0; j < ENCODE_FEATURES; j++) {
        float pre = product[j] + p->bias[j];
        if (!(pre > p->threshold[j] && pre > floor)) continue;
        if (p->gain) {
            pre = __builtin_fmaf(product[j], p->gain[j], p->offset[j]);
            if (!(pre > 0)) continue;
        }
        s->token[s->count] = token, s->feature[s->count] = p->feature + j, s->value[s->count] = pre;
        s->count++;
    }
}

// Without fused multiply-add in hardware a product and a sum are rounded apart: the last bits differ from the others.
static void encode_plain(const float *x, size_t tokens, size_t width, const struct encode_panel *p, float floor, struct encode_stream *s) {
    for (size_t first = 0; first < tokens; first += ENCODE_TOKENS, x += width * ENCODE_TOKENS) {
        for (size_t t = 0; t < ENCODE_TOKENS && first + t < tokens; t++) {
#pragma clang fp contract(fast)
            float sum[ENCODE_FEATURES] = {0};
            const float *w = p->weights;
            for (size_t k = 0; k < width; k++, w += ENCODE_FEATURES) {
                float xk = x[k * ENCODE_TOKENS + t];
                for (int j = 0; j < ENCODE_FEATURES; j++) sum[j] += xk * w[j];
            }
            emit_plain(p, floor, sum, (uint32_t)(first + t), s);
        }
    }
}

#if defined(__x86_64__)
#include <immintrin.h>

// Half the tokens by half the features at a time: 12 accumulators of 8 is what 16 registers hold.
__attribute__((target("avx2,fma"))) static void encode_avx2(const float *x, size_t tokens, size_t width, const struct encode_panel *p, float floor, struct encode_stream *s) {
    for (size_t first = 0; first < tokens; first += ENCODE_TOKENS, x += width * ENCODE_TOKENS) {
        _Alignas(64) float product[ENCODE_TOKENS][ENCODE_FEATURES];
        for (int corner = 0; corner < 4; corner++) {
            int row = corner / 2 * 6, column = corner % 2 * 16;
            __m256 a[6], b[6];
            for (int t = 0; t < 6; t++) a[t] = b[t] = _mm256_setzero_ps();
            const float *w = p->weights + column, *y = x + row;
            for (size_t k = 0; k < width; k++, w += ENCODE_FEATURES, y += ENCODE_TOKENS) {
                __m256 u = _mm256_load_ps(w), v = _mm256_load_ps(w + 8);
#pragma clang loop unroll(full)
                for (int t = 0; t < 6; t++) {
                    __m256 z = _mm256_broadcast_ss(y + t);
                    a[t] = _mm256_fmadd_ps(z, u, a[t]), b[t] = _mm256_fmadd_ps(z, v, b[t]);
                }
            }
            for (int t = 0; t < 6; t++) _mm256_store_ps(product[row + t] + column, a[t]), _mm256_store_ps(product[row + t] + column + 8, b[t]);
        }
        for (size_t t = 0; t < ENCODE_TOKENS && first + t < tokens; t++) {
            unsigned fires = 0;
            for (int j = 0; j < ENCODE_FEATURES; j += 8) {
                __m256 pre = _mm256_add_ps(_mm256_load_ps(product[t] + j), _mm256_loadu_ps(p->bias + j));
                __m256 on = _mm256_and_ps(_mm256_cmp_ps(pre, _mm256_loadu_ps(p->threshold + j), _CMP_GT_OQ), _mm256_cmp_ps(pre, _mm256_set1_ps(floor), _CMP_GT_OQ));
                fires |= (unsigned)_mm256_movemask_ps(on);
            }
            if (fires) emit_plain(p, floor, product[t], (uint32_t)(first + t), s);
        }
    }
}

#define AVX512 __attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,fma,popcnt")))

AVX512 static inline void append(struct encode_stream *s, __mmask16 fires, uint32_t token, uint32_t feature, __m512 value) {
    const __m512i steps = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    // Compress in a register and store it whole: the compressing store is microcode on some processors.
    _mm512_storeu_si512(s->token + s->count, _mm512_set1_epi32((int)token));
    _mm512_storeu_si512(s->feature + s->count, _mm512_maskz_compress_epi32(fires, _mm512_add_epi32(steps, _mm512_set1_epi32((int)feature))));
    _mm512_storeu_ps(s->value + s->count, _mm512_maskz_compress_ps(fires, value));
    s->count += (size_t)__builtin_popcount(fires);
}

/// Appends what of one token's products with one panel fires.
AVX512 static inline __attribute__((always_inline)) void judge(struct encode_stream *s, const struct encode_panel *p, __m512 least, uint32_t token, __m512 a, __m512 b) {
    __m512 p0 = _mm512_add_ps(a, _mm512_loadu_ps(p->bias)), p1 = _mm512_add_ps(b, _mm512_loadu_ps(p->bias + 16));
    __mmask16 on0 = _mm512_cmp_ps_mask(p0, _mm512_max_ps(_mm512_loadu_ps(p->threshold), least), _CMP_GT_OQ);
    __mmask16 on1 = _mm512_cmp_ps_mask(p1, _mm512_max_ps(_mm512_loadu_ps(p->threshold + 16), least), _CMP_GT_OQ);
    if (__builtin_expect(!(on0 | on1), 1)) return;
    if (p->gain) {
        p0 = _mm512_fmadd_ps(a, _mm512_loadu_ps(p->gain), _mm512_loadu_ps(p->offset));
        p1 = _mm512_fmadd_ps(b, _mm512_loadu_ps(p->gain + 16), _mm512_loadu_ps(p->offset + 16));
        on0 = _mm512_mask_cmp_ps_mask(on0, p0, _mm512_setzero_ps(), _CMP_GT_OQ);
        on1 = _mm512_mask_cmp_ps_mask(on1, p1, _mm512_setzero_ps(), _CMP_GT_OQ);
    }
    if (on0) append(s, on0, token, p->feature, p0);
    if (on1) append(s, on1, token, p->feature + 16, p1);
}

AVX512 static void encode_avx512(const float *x, size_t tokens, size_t width, const struct encode_panel *p, float floor, struct encode_stream *s) {
    const __m512 least = _mm512_set1_ps(floor);
    for (size_t first = 0; first < tokens; first += ENCODE_TOKENS) {
        __m512 a[ENCODE_TOKENS], b[ENCODE_TOKENS];
#pragma clang loop unroll(full)
        for (int t = 0; t < ENCODE_TOKENS; t++) a[t] = b[t] = _mm512_setzero_ps();
        const float *w = p->weights;
        for (size_t k = 0; k < width; k++, w += ENCODE_FEATURES, x += ENCODE_TOKENS) {
            __m512 u = _mm512_load_ps(w), v = _mm512_load_ps(w + 16);
#pragma clang loop unroll(full)
            for (int t = 0; t < ENCODE_TOKENS; t++) {
                __m512 z = _mm512_set1_ps(x[t]);
                a[t] = _mm512_fmadd_ps(z, u, a[t]), b[t] = _mm512_fmadd_ps(z, v, b[t]);
            }
        }
#pragma clang loop unroll(full)
        for (int t = 0; t < ENCODE_TOKENS; t++)
            if (first + (size_t)t < tokens) judge(s, p, least, (uint32_t)(first + (size_t)t), a[t], b[t]);
    }
}

// Sketch of the product over what is not zero, at 30 % (ReLU neurons): 0.3 · 512 · 4,096 multiply-adds a token, each
// with a vector of weights from the first-level cache, which gives one a cycle. So a block of LISTED_ROWS rows by 64
// features (16 kB) stays there while all tokens go by; their sums wait in memory from block to block.
AVX512 static void encode_listed_avx512(const struct encode_lists *x, size_t tokens, size_t width, const struct encode_panel *p, const struct encode_panel *q, float floor,
                                        float *sums, struct encode_stream *s) {
    const size_t groups = (tokens + LISTED_TOKENS - 1) / LISTED_TOKENS;
    const uint32_t *order = x->order, *start = x->starts;
    for (size_t row = 0; row < width; row += LISTED_ROWS) {
        const char *u = (const char *)(p->weights + row * ENCODE_FEATURES), *v = (const char *)((q ? q : p)->weights + row * ENCODE_FEATURES);
        for (size_t group = 0; group < groups; group++, order += LISTED_TOKENS, start++) {
            __m512 a[LISTED_TOKENS][4];
#pragma clang loop unroll(full)
            for (int t = 0; t < LISTED_TOKENS; t++)
                for (int j = 0; j < 4; j++) a[t][j] = row ? _mm512_load_ps(sums + order[t] * 64 + j * 16) : _mm512_setzero_ps();
            const uint16_t *offset = x->offsets + start[0] * (size_t)LISTED_TOKENS;
            const float *value = x->values + start[0] * (size_t)LISTED_TOKENS;
            for (uint32_t i = start[0]; i < start[1]; i++, offset += LISTED_TOKENS, value += LISTED_TOKENS) {
#pragma clang loop unroll(full)
                for (int t = 0; t < LISTED_TOKENS; t++) {
                    const float *w0 = (const float *)(u + offset[t]), *w1 = (const float *)(v + offset[t]);
                    __m512 z = _mm512_set1_ps(value[t]);
                    a[t][0] = _mm512_fmadd_ps(z, _mm512_load_ps(w0), a[t][0]), a[t][1] = _mm512_fmadd_ps(z, _mm512_load_ps(w0 + 16), a[t][1]);
                    a[t][2] = _mm512_fmadd_ps(z, _mm512_load_ps(w1), a[t][2]), a[t][3] = _mm512_fmadd_ps(z, _mm512_load_ps(w1 + 16), a[t][3]);
                }
            }
#pragma clang loop unroll(full)
            for (int t = 0; t < LISTED_TOKENS; t++)
                for (int j = 0; j < 4; j++) _mm512_store_ps(sums + order[t] * 64 + j * 16, a[t][j]);
        }
    }
    const __m512 least = _mm512_set1_ps(floor);
    for (size_t t = 0; t < tokens; t++, sums += 64) {
        judge(s, p, least, (uint32_t)t, _mm512_load_ps(sums), _mm512_load_ps(sums + 16));
        if (q) judge(s, q, least, (uint32_t)t, _mm512_load_ps(sums + 32), _mm512_load_ps(sums + 48));
    }
}

int kernel_encode_best(void) {
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")) return 2;
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? 1 : 0;
}
#else
int kernel_encode_best(void) { return 0; }
#endif

void kernel_encode(int level, const float *x, size_t tokens, size_t width, const struct encode_panel *panel, float floor, struct encode_stream *stream) {
#if defined(__x86_64__)
    if (level >= 2) { encode_avx512(x, tokens, width, panel, floor, stream); return; }
    if (level == 1) { encode_avx2(x, tokens, width, panel, floor, stream); return; }
#endif
    encode_plain(x, tokens, width, panel, floor, stream);
}

void kernel_encode_listed(const struct encode_lists *x, size_t tokens, size_t width, const struct encode_panel *panel, const struct encode_panel *next, float floor,
                          float *sums, struct encode_stream *stream) {
#if defined(__x86_64__)
    encode_listed_avx512(x, tokens, width, panel, next, floor, sums, stream);
#endif
}

KERNEL size_t kernel_count_nonzero(const float *x, size_t n) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++) count += x[i] != 0;
    return count;
}

void kernel_encode_list(const float *x, const uint32_t *rows, size_t tokens, size_t width, uint8_t *counts, struct encode_lists *lists) {
    const size_t groups = (tokens + LISTED_TOKENS - 1) / LISTED_TOKENS;
    uint32_t *order = lists->order, *start = lists->starts, at = 0;
    for (size_t row = 0; row < width; row += LISTED_ROWS, order += groups * LISTED_TOKENS) {
        const size_t n = width - row < LISTED_ROWS ? width - row : LISTED_ROWS;
        // A counting sort by length, so that tokens that go together have lists of nearly one length.
        uint32_t place[LISTED_ROWS + 2] = {0};
        for (size_t t = 0; t < tokens; t++) {
            const float *from = x + rows[t] * width + row;
            uint8_t count = 0;
            for (size_t k = 0; k < n; k++) count += from[k] != 0;
            counts[t] = count;
            place[count + 1]++;
        }
        for (size_t c = 1; c <= LISTED_ROWS + 1; c++) place[c] += place[c - 1];
        for (size_t t = 0; t < tokens; t++) order[place[counts[t]]++] = (uint32_t)t;
        // Empty places add nothing to a row of sums that nobody reads.
        for (size_t t = tokens; t < groups * LISTED_TOKENS; t++) order[t] = (uint32_t)tokens;

        for (size_t group = 0; group < groups; group++) {
            const uint32_t *members = order + group * LISTED_TOKENS;
            size_t longest = 0;
            for (size_t t = 0; t < LISTED_TOKENS; t++)
                if (members[t] < tokens && counts[members[t]] > longest) longest = counts[members[t]];
            for (size_t t = 0; t < LISTED_TOKENS; t++) {
                uint16_t *offset = lists->offsets + at * (size_t)LISTED_TOKENS + t;
                float *value = lists->values + at * (size_t)LISTED_TOKENS + t;
                size_t count = 0;
                if (members[t] < tokens) {
                    const float *from = x + rows[members[t]] * width + row;
                    // Written at every step and kept where it counts: no branch to guess wrong.
                    for (size_t k = 0; k < n && count < longest; k++) {
                        offset[count * LISTED_TOKENS] = (uint16_t)(k * ENCODE_FEATURES * sizeof(float));
                        value[count * LISTED_TOKENS] = from[k];
                        count += from[k] != 0;
                    }
                    count = counts[members[t]];
                }
                for (; count < longest; count++) offset[count * LISTED_TOKENS] = 0, value[count * LISTED_TOKENS] = 0;
            }
            *start++ = at;
            at += (uint32_t)longest;
        }
    }
    *start = at;
}

void kernel_encode_pack(const float *x, const uint32_t *rows, size_t tokens, size_t width, const float *shift, const float *scale, float *packed) {
    for (size_t first = 0; first < tokens; first += ENCODE_TOKENS, packed += width * ENCODE_TOKENS) {
        for (size_t t = 0; t < ENCODE_TOKENS; t++) {
            if (first + t >= tokens) {
                for (size_t k = 0; k < width; k++) packed[k * ENCODE_TOKENS + t] = 0;
                continue;
            }
            const float *row = x + rows[first + t] * width, a = shift[first + t], b = scale[first + t];
            for (size_t k = 0; k < width; k++) packed[k * ENCODE_TOKENS + t] = (row[k] - a) * b;
        }
    }
}

void kernel_encode_collect(const struct encode_stream *stream, size_t tokens, size_t *offsets, uint32_t *features, float *values) {
    // A counting sort: offsets[t + 1] first counts token t, then is where its next firing goes, and ends as its end.
    for (size_t t = 0; t <= tokens; t++) offsets[t] = 0;
    for (size_t i = 0; i < stream->count; i++) offsets[stream->token[i] + 1]++;
    size_t start = 0;
    for (size_t t = 1; t <= tokens; t++) {
        size_t count = offsets[t];
        offsets[t] = start;
        start += count;
    }
    for (size_t i = 0; i < stream->count; i++) {
        size_t at = offsets[stream->token[i] + 1]++;
        features[at] = stream->feature[i], values[at] = stream->value[i];
    }
}
