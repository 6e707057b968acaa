#include "encode.h"
#include <math.h>
#include <string.h>

// Sketch for 512 → 4,096 on one core: a tile of 12 tokens × 32 features is 24 vectors of 16 accumulators and takes
// 24 · 512 fused multiply-adds, some 12,300 cycles, or 24 · 128 products of 8-bit codes. Judging it costs some 200
// cycles. At L0 33 the 8-bit screen lets some hundred candidates through, each 32 vectors long: 130,000 cycles per
// token become 33,000 + 9,000.

typedef float lanes __attribute__((vector_size(64)));
#define INLINE static inline __attribute__((always_inline))

/// The inner product, in the order that defines an activation: lane k mod 64 of four accumulators, then halves.
INLINE float exact_product(const float *a, const float *b, size_t stride, int fused) {
    lanes sum[4] = {{0}, {0}, {0}, {0}};
    size_t k = 0;
#define ADD(i)                                                                    \
    do {                                                                          \
        lanes x, y;                                                               \
        memcpy(&x, a + k + 16 * (i), 64), memcpy(&y, b + k + 16 * (i), 64);       \
        sum[i] = fused ? __builtin_elementwise_fma(x, y, sum[i]) : sum[i] + x * y; \
    } while (0)
    for (; k + 64 <= stride; k += 64) { ADD(0); ADD(1); ADD(2); ADD(3); }
    if (k < stride) ADD(0);
    if (k + 16 < stride) ADD(1);
    if (k + 32 < stride) ADD(2);
#undef ADD
    lanes all = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    for (int half = 8; half; half /= 2)
        for (int i = 0; i < half; i++) all[i] += all[i + half];
    return all[0];
}

/// Replaces the candidates from `start` on by those of them that fire, with their values.
///
/// First all the products, then all the decisions, and neither with a branch on the data: every second candidate fires,
/// so a processor that guesses would be wrong on many, and each time would throw away the products it had begun.
INLINE void keep_firings(const struct encode_tokens *t, const struct encode_panel *p, float floor, struct encode_stream *s, size_t start, int fused) {
    for (size_t i = start; i < s->count; i++)
        s->value[i] = exact_product(t->rows + s->token[i] * t->stride, p->rows + (s->feature[i] - p->feature) * t->stride, t->stride, fused);
    size_t kept = start;
    for (size_t i = start; i < s->count; i++) {
        uint32_t token = s->token[i], feature = s->feature[i];
        const float *parameters = p->parameters + (feature - p->feature);
        float product = s->value[i], value = product + parameters[ENCODE_BIAS * ENCODE_FEATURES];
        int fires = (value > parameters[ENCODE_THRESHOLD * ENCODE_FEATURES]) & (value > floor);
        if (p->gated) {
            float gain = parameters[ENCODE_GAIN * ENCODE_FEATURES], offset = parameters[ENCODE_OFFSET * ENCODE_FEATURES];
            value = fused ? __builtin_elementwise_fma(product, gain, offset) : product * gain + offset;
            fires &= value > 0;
        }
        s->token[kept] = token, s->feature[kept] = feature, s->value[kept] = value;
        kept += (size_t)fires;
    }
    s->count = kept;
}

/// Brings a share of the next panel, part `part` of `parts`, near: products of codes leave the way to memory free, and
/// the candidates' rows are wanted all over as soon as this panel is done.
INLINE void fetch_next(const struct encode_tokens *t, const struct encode_panel *p, size_t quads, size_t part, size_t parts) {
    if (!p->next_rows) return;
    size_t rows = ENCODE_FEATURES * t->stride * sizeof(float) / 64, lines = rows + ENCODE_FEATURES * quads * 4 / 64;
    for (size_t line = lines * part / parts; line < lines * (part + 1) / parts; line++)
        __builtin_prefetch(line < rows ? (const char *)p->next_rows + 64 * line : (const char *)p->next_codes + 64 * (line - rows), 0, 2);
}

/// What p̃ without its bias, plus its bound, must exceed: threshold − bias, less what rounding could hide. The tests ask
/// for "not below", so that a bound beyond single precision, and so not a number, rules nothing out.
INLINE void limits(const struct encode_panel *p, float floor, float limit[ENCODE_FEATURES]) {
    for (int j = 0; j < ENCODE_FEATURES; j++) {
        float bias = p->parameters[ENCODE_BIAS * ENCODE_FEATURES + j], threshold = p->parameters[ENCODE_THRESHOLD * ENCODE_FEATURES + j];
        if (threshold < floor) threshold = floor;
        limit[j] = isinf(bias) ? INFINITY : threshold - bias - 1e-6f * (fabsf(threshold) + fabsf(bias));
    }
}

INLINE void add_candidates(const struct encode_panel *p, const float *product, const float *limit, float norm, uint32_t token, struct encode_stream *s) {
    for (uint32_t j = 0; j < ENCODE_FEATURES; j++) {
        if (product[j] + norm * p->parameters[ENCODE_SLACK * ENCODE_FEATURES + j] <= limit[j]) continue;
        s->token[s->count] = token, s->feature[s->count] = p->feature + j;
        s->count++;
    }
}

static size_t encode_plain(const struct encode_tokens *t, const struct encode_panel *p, float floor, struct encode_stream *s) {
    float limit[ENCODE_FEATURES];
    limits(p, floor, limit);
    size_t start = s->count;
    const float *x = t->packed;
    for (size_t first = 0; first < t->count; first += ENCODE_TOKENS, x += t->width * ENCODE_TOKENS) {
        for (size_t i = 0; i < ENCODE_TOKENS && first + i < t->count; i++) {
            float sum[ENCODE_FEATURES] = {0};
            const float *w = p->weights;
            for (size_t k = 0; k < t->width; k++, w += ENCODE_FEATURES) {
                float xk = x[k * ENCODE_TOKENS + i];
                for (int j = 0; j < ENCODE_FEATURES; j++) sum[j] += xk * w[j];
            }
            add_candidates(p, sum, limit, t->scalars[first + i], (uint32_t)(first + i), s);
        }
    }
    size_t candidates = s->count - start;
    keep_firings(t, p, floor, s, start, 0);
    return candidates;
}

#if defined(__x86_64__)
#include <immintrin.h>

// Half the tokens by half the features at a time: 12 accumulators of 8 is what 16 registers hold.
__attribute__((target("avx2,fma"))) static size_t encode_avx2(const struct encode_tokens *t, const struct encode_panel *p, float floor, struct encode_stream *s) {
    float limit[ENCODE_FEATURES];
    limits(p, floor, limit);
    size_t start = s->count;
    const float *x = t->packed;
    for (size_t first = 0; first < t->count; first += ENCODE_TOKENS, x += t->width * ENCODE_TOKENS) {
        _Alignas(64) float product[ENCODE_TOKENS][ENCODE_FEATURES];
        for (int corner = 0; corner < 4; corner++) {
            int row = corner / 2 * 6, column = corner % 2 * 16;
            __m256 a[6], b[6];
            for (int i = 0; i < 6; i++) a[i] = b[i] = _mm256_setzero_ps();
            const float *w = p->weights + column, *y = x + row;
            for (size_t k = 0; k < t->width; k++, w += ENCODE_FEATURES, y += ENCODE_TOKENS) {
                __m256 u = _mm256_load_ps(w), v = _mm256_load_ps(w + 8);
#pragma clang loop unroll(full)
                for (int i = 0; i < 6; i++) {
                    __m256 z = _mm256_broadcast_ss(y + i);
                    a[i] = _mm256_fmadd_ps(z, u, a[i]), b[i] = _mm256_fmadd_ps(z, v, b[i]);
                }
            }
            for (int i = 0; i < 6; i++) _mm256_store_ps(product[row + i] + column, a[i]), _mm256_store_ps(product[row + i] + column + 8, b[i]);
        }
        for (size_t i = 0; i < ENCODE_TOKENS && first + i < t->count; i++) {
            __m256 norm = _mm256_set1_ps(t->scalars[first + i]);
            int passes = 0;
            for (int j = 0; j < ENCODE_FEATURES; j += 8) {
                __m256 most = _mm256_add_ps(_mm256_load_ps(product[i] + j), _mm256_mul_ps(norm, _mm256_loadu_ps(p->parameters + ENCODE_SLACK * ENCODE_FEATURES + j)));
                passes |= _mm256_movemask_ps(_mm256_cmp_ps(most, _mm256_loadu_ps(limit + j), _CMP_NLE_UQ));
            }
            if (passes) add_candidates(p, product[i], limit, t->scalars[first + i], (uint32_t)(first + i), s);
        }
    }
    size_t candidates = s->count - start;
    keep_firings(t, p, floor, s, start, 1);
    return candidates;
}

#define AVX512_FEATURES "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma,popcnt"
#define AVX512 __attribute__((target(AVX512_FEATURES)))

/// Writes the places of the features that pass and returns the new count. Without a branch: which of the vectors hold a
/// candidate cannot be foreseen, and a wrong guess costs more than two stores.
AVX512 static inline size_t append(uint32_t *tokens, uint32_t *features, size_t count, __mmask16 passes, uint32_t token, uint32_t feature) {
    const __m512i steps = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    // Compress in a register and store it whole: the compressing store is microcode on some processors.
    _mm512_storeu_si512(tokens + count, _mm512_set1_epi32((int)token));
    _mm512_storeu_si512(features + count, _mm512_maskz_compress_epi32(passes, _mm512_add_epi32(steps, _mm512_set1_epi32((int)feature))));
    return count + (size_t)__builtin_popcount(passes);
}

AVX512 static size_t encode_avx512(const struct encode_tokens *t, const struct encode_panel *p, float floor, struct encode_stream *s) {
    float limit[ENCODE_FEATURES];
    limits(p, floor, limit);
    size_t start = s->count;
    const float *x = t->packed, *parameters = p->parameters;
    for (size_t first = 0; first < t->count; first += ENCODE_TOKENS) {
        __m512 a[ENCODE_TOKENS], b[ENCODE_TOKENS];
#pragma clang loop unroll(full)
        for (int i = 0; i < ENCODE_TOKENS; i++) a[i] = b[i] = _mm512_setzero_ps();
        const float *w = p->weights;
        for (size_t k = 0; k < t->width; k++, w += ENCODE_FEATURES, x += ENCODE_TOKENS) {
            __m512 u = _mm512_load_ps(w), v = _mm512_load_ps(w + 16);
#pragma clang loop unroll(full)
            for (int i = 0; i < ENCODE_TOKENS; i++) {
                __m512 z = _mm512_set1_ps(x[i]);
                a[i] = _mm512_fmadd_ps(z, u, a[i]), b[i] = _mm512_fmadd_ps(z, v, b[i]);
            }
        }
        const __m512 limit0 = _mm512_loadu_ps(limit), limit1 = _mm512_loadu_ps(limit + 16);
        const __m512 slack0 = _mm512_loadu_ps(parameters + ENCODE_SLACK * ENCODE_FEATURES), slack1 = _mm512_loadu_ps(parameters + ENCODE_SLACK * ENCODE_FEATURES + 16);
#pragma clang loop unroll(full)
        for (int i = 0; i < ENCODE_TOKENS; i++) {
            __m512 norm = _mm512_set1_ps(t->scalars[first + (size_t)i]);
            __mmask16 on0 = _mm512_cmp_ps_mask(_mm512_fmadd_ps(norm, slack0, a[i]), limit0, _CMP_NLE_UQ);
            __mmask16 on1 = _mm512_cmp_ps_mask(_mm512_fmadd_ps(norm, slack1, b[i]), limit1, _CMP_NLE_UQ);
            if (__builtin_expect(!(on0 | on1) || first + (size_t)i >= t->count, 1)) continue;
            s->count = append(s->token, s->feature, s->count, on0, (uint32_t)(first + (size_t)i), p->feature);
            s->count = append(s->token, s->feature, s->count, on1, (uint32_t)(first + (size_t)i), p->feature + 16);
        }
    }
    size_t candidates = s->count - start;
    keep_firings(t, p, floor, s, start, 1);
    return candidates;
}

__attribute__((target(AVX512_FEATURES ",avx512vnni"))) static size_t encode_codes(const struct encode_tokens *t, const struct encode_panel *p, float floor, struct encode_stream *s) {
    float limit[ENCODE_FEATURES];
    limits(p, floor, limit);
    size_t start = s->count, quads = (t->width + 3) / 4, padded = (t->count + ENCODE_TOKENS - 1) / ENCODE_TOKENS * ENCODE_TOKENS;
    const uint8_t *x = t->codes;
    uint32_t *tokens = s->token, *features = s->feature;
    size_t count = start;
    const float *norms = t->scalars, *steps = norms + padded, *lows = steps + padded, *residuals = lows + padded;
#define PARAMETER(name, j) _mm512_loadu_ps(p->parameters + (name) * ENCODE_FEATURES + (j))
    for (size_t first = 0; first < t->count; first += ENCODE_TOKENS) {
        __m512i a[ENCODE_TOKENS], b[ENCODE_TOKENS];
#pragma clang loop unroll(full)
        for (int i = 0; i < ENCODE_TOKENS; i++) a[i] = b[i] = _mm512_setzero_si512();
        const int8_t *w = p->codes;
        fetch_next(t, p, quads, first / ENCODE_TOKENS, padded / ENCODE_TOKENS);
        for (size_t k = 0; k < quads; k++, w += 4 * ENCODE_FEATURES, x += 4 * ENCODE_TOKENS) {
            __m512i u = _mm512_load_si512(w), v = _mm512_load_si512(w + 64);
#pragma clang loop unroll(full)
            for (int i = 0; i < ENCODE_TOKENS; i++) {
                int four;
                memcpy(&four, x + 4 * i, 4);
                __m512i z = _mm512_set1_epi32(four);
                a[i] = _mm512_dpbusd_epi32(a[i], z, u), b[i] = _mm512_dpbusd_epi32(b[i], z, v);
            }
        }
        _Alignas(64) int32_t products[ENCODE_TOKENS][ENCODE_FEATURES];
#pragma clang loop unroll(full)
        for (int i = 0; i < ENCODE_TOKENS; i++) _mm512_store_si512(products[i], a[i]), _mm512_store_si512(products[i] + 16, b[i]);
        const __m512 limit0 = _mm512_loadu_ps(limit), limit1 = _mm512_loadu_ps(limit + 16);
        const __m512 step0 = PARAMETER(ENCODE_STEP, 0), step1 = PARAMETER(ENCODE_STEP, 16), sum0 = PARAMETER(ENCODE_CODESUM, 0), sum1 = PARAMETER(ENCODE_CODESUM, 16);
        const __m512 residual0 = PARAMETER(ENCODE_RESIDUAL, 0), residual1 = PARAMETER(ENCODE_RESIDUAL, 16);
        const __m512 length0 = PARAMETER(ENCODE_LENGTH, 0), length1 = PARAMETER(ENCODE_LENGTH, 16);
        for (size_t i = 0; i < ENCODE_TOKENS && first + i < t->count; i++) {
            __m512 norm = _mm512_set1_ps(norms[first + i]), step = _mm512_set1_ps(steps[first + i]), low = _mm512_set1_ps(lows[first + i]), residual = _mm512_set1_ps(residuals[first + i]);
            __m512 p0 = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_load_si512(products[i])), _mm512_mul_ps(step, step0));
            __m512 p1 = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_load_si512(products[i] + 16)), _mm512_mul_ps(step, step1));
            p0 = _mm512_fmadd_ps(low, sum0, p0), p1 = _mm512_fmadd_ps(low, sum1, p1);
            p0 = _mm512_fmadd_ps(norm, residual0, p0), p1 = _mm512_fmadd_ps(norm, residual1, p1);
            p0 = _mm512_fmadd_ps(residual, length0, p0), p1 = _mm512_fmadd_ps(residual, length1, p1);
            __mmask16 on0 = _mm512_cmp_ps_mask(p0, limit0, _CMP_NLE_UQ), on1 = _mm512_cmp_ps_mask(p1, limit1, _CMP_NLE_UQ);
            count = append(tokens, features, count, on0, (uint32_t)(first + i), p->feature);
            count = append(tokens, features, count, on1, (uint32_t)(first + i), p->feature + 16);
        }
    }
#undef PARAMETER
    s->count = count;
    size_t candidates = count - start;
    keep_firings(t, p, floor, s, start, 1);
    return candidates;
}

int kernel_encode_best(void) {
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq"))
        return __builtin_cpu_supports("avx512vnni") ? 3 : 2;
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? 1 : 0;
}
#else
int kernel_encode_best(void) { return 0; }
#endif

size_t kernel_encode(int level, const struct encode_tokens *tokens, const struct encode_panel *panel, float floor, struct encode_stream *stream) {
#if defined(__x86_64__)
    if (level >= 3) return encode_codes(tokens, panel, floor, stream);
    if (level == 2) return encode_avx512(tokens, panel, floor, stream);
    if (level == 1) return encode_avx2(tokens, panel, floor, stream);
#endif
    return encode_plain(tokens, panel, floor, stream);
}
