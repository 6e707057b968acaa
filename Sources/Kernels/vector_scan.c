#include "vector_code.h"
#include "select.h"
#include <math.h>
#include <string.h>

// Searching codes: see vector_code.h for what they mean and for the bound.
//
// Sketch for 131,072 × 512 on one core: the high halves are 34 MB, read once from memory in a millisecond; their products
// are 2,048 panels of 512 VNNI instructions, 0.3 ms, and hide behind that. A thousand rows or, in the worst case, a tenth of
// all are then refined by 272 bytes each.

// Bytes ahead that are fetched: the processor's own prefetching ends where a 4 kB page does.
#define CODE_AHEAD 8192

#define INLINE static inline __attribute__((always_inline))

// MARK: The greatest estimates

void kernel_code_shrink(struct code_best *best) {
    if (best->count < best->wanted) return;
    select_greatest(best->estimates, best->rows, best->count, best->wanted);
    best->count = best->wanted;
    best->threshold = best->estimates[best->count - 1];
}

/// Gathers those of 64 estimates that pass the threshold.
static void gather(struct code_best *best, const float *estimates, uint64_t passing, uint32_t first) {
    for (; passing; passing &= passing - 1) {
        int i = __builtin_ctzll(passing);
        best->estimates[best->count] = estimates[i], best->rows[best->count] = first + (uint32_t)i, best->count++;
    }
    if (best->count + CODE_ROWS > best->capacity) kernel_code_shrink(best);
}

// MARK: Judging a panel

/// Σ t·high of the 64 rows to estimates, bounds and the best: the same operations in the same order at every level.
INLINE void judge(const struct code_query *q, const uint8_t *panel, size_t half, const int32_t *products, uint64_t allowed, uint32_t first, float *upper, struct code_best *best) {
#pragma clang fp contract(off)
    const float *steps = (const float *)(panel + CODE_ROWS * half), *rests = steps + CODE_ROWS;
    float estimates[CODE_ROWS];
    uint64_t passing = 0;
    for (int r = 0; r < CODE_ROWS; r++) {
        float estimate = (float)(2 * products[r] - 15 * q->sum) * q->half_step * steps[r];
        int counts = rests[r] >= 0 && allowed >> r & 1;
        estimates[r] = estimate;
        upper[r] = counts ? estimate + (q->length * rests[r] + q->error) : -INFINITY;
        passing |= (uint64_t)(counts && estimate > best->threshold) << r;
    }
    if (passing) gather(best, estimates, passing, first);
}

static void scan_plain(const struct code_query *q, const uint8_t *panels, size_t count, size_t first, const uint64_t *allowed, int32_t *products, float *upper, struct code_best *best) {
    size_t half = kernel_rotated(q->width) / 2, bytes = kernel_code_panel_bytes(q->width);
    for (size_t p = 0; p < count; p++, panels += bytes, first += CODE_ROWS) {
        uint64_t own = allowed ? allowed[first / CODE_ROWS] : ~(uint64_t)0;
        int32_t *sums = products + first;
        memset(sums, 0, CODE_ROWS * sizeof *sums);
        for (size_t g = 0; own && g < half / 4; g++)
            for (size_t r = 0; r < CODE_ROWS; r++)
                for (size_t i = 0; i < 4; i++) {
                    uint8_t code = panels[256 * g + 4 * r + i];
                    sums[r] += (code & 15) * q->codes[4 * g + i] + (code >> 4) * q->codes[half + 4 * g + i];
                }
        judge(q, panels, half, sums, own, (uint32_t)first, upper + first, best);
    }
}

static int32_t low_product_plain(const uint8_t *low, const int8_t *t, size_t half) {
    int32_t sum = 0;
    for (size_t i = 0; i < half; i++) sum += (low[i] & 15) * t[i] + (low[i] >> 4) * t[half + i];
    return sum;
}

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,fma")))
#define VNNI __attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,avx512vnni,avx2,fma")))

// A pair of products is at most 2 · 15 · 127 = 3,810, eight of them 30,480: sums of eight groups fit in 16 bits.
AVX2 static void scan_avx2(const struct code_query *q, const uint8_t *panels, size_t count, size_t first, const uint64_t *allowed, int32_t *products, float *upper, struct code_best *best) {
    size_t half = kernel_rotated(q->width) / 2, bytes = kernel_code_panel_bytes(q->width);
    const __m256i mask = _mm256_set1_epi8(15), ones = _mm256_set1_epi16(1);
    for (size_t p = 0; p < count; p++, panels += bytes, first += CODE_ROWS) {
        uint64_t own = allowed ? allowed[first / CODE_ROWS] : ~(uint64_t)0;
        int32_t *sums = products + first;
        __m256i all[8];
        for (int w = 0; w < 8; w++) all[w] = _mm256_setzero_si256();
        for (size_t g = 0; own && g < half / 4; g += 4)
            for (int w = 0; w < 8; w++) {
                __m256i sum = _mm256_setzero_si256();
                for (size_t i = g; i < g + 4; i++) {
                    int a, b;
                    memcpy(&a, q->codes + 4 * i, 4), memcpy(&b, q->codes + half + 4 * i, 4);
                    __m256i code = _mm256_loadu_si256((const __m256i *)(panels + 256 * i + 32 * w));
                    __m256i x = _mm256_maddubs_epi16(_mm256_and_si256(code, mask), _mm256_set1_epi32(a));
                    __m256i y = _mm256_maddubs_epi16(_mm256_and_si256(_mm256_srli_epi16(code, 4), mask), _mm256_set1_epi32(b));
                    sum = _mm256_add_epi16(sum, _mm256_add_epi16(x, y));
                }
                all[w] = _mm256_add_epi32(all[w], _mm256_madd_epi16(sum, ones));
            }
        for (int w = 0; w < 8; w++) _mm256_storeu_si256((__m256i *)(sums + 8 * w), all[w]);
        judge(q, panels, half, sums, own, (uint32_t)first, upper + first, best);
    }
}

AVX2 static int32_t low_product_avx2(const uint8_t *low, const int8_t *t, size_t half) {
    const __m256i mask = _mm256_set1_epi8(15), ones = _mm256_set1_epi16(1);
    __m256i sum = _mm256_setzero_si256();
    for (size_t i = 0; i < half; i += 32) {
        __m256i code = _mm256_loadu_si256((const __m256i *)(low + i));
        __m256i x = _mm256_maddubs_epi16(_mm256_and_si256(code, mask), _mm256_loadu_si256((const __m256i *)(t + i)));
        __m256i y = _mm256_maddubs_epi16(_mm256_and_si256(_mm256_srli_epi16(code, 4), mask), _mm256_loadu_si256((const __m256i *)(t + half + i)));
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_add_epi16(x, y), ones));
    }
    int32_t lanes[8], total = 0;
    _mm256_storeu_si256((__m256i *)lanes, sum);
    for (int i = 0; i < 8; i++) total += lanes[i];
    return total;
}

VNNI static void scan_vnni(const struct code_query *q, const uint8_t *panels, size_t count, size_t first, const uint64_t *allowed, int32_t *products, float *upper, struct code_best *best) {
    size_t half = kernel_rotated(q->width) / 2, bytes = kernel_code_panel_bytes(q->width);
    const __m512i mask = _mm512_set1_epi8(15);
    const __m512 step = _mm512_set1_ps(q->half_step), length = _mm512_set1_ps(q->length), error = _mm512_set1_ps(q->error), none = _mm512_set1_ps(-INFINITY);
    const __m512i centre = _mm512_set1_epi32(15 * q->sum);
    for (size_t p = 0; p < count; p++, panels += bytes, first += CODE_ROWS) {
        uint64_t own = allowed ? allowed[first / CODE_ROWS] : ~(uint64_t)0;
        __m512i low[4], high[4];
#pragma clang loop unroll(full)
        for (int w = 0; w < 4; w++) low[w] = high[w] = _mm512_setzero_si512();
        const uint8_t *line = panels;
        for (size_t g = 0; own && g < half / 4; g++, line += 256) {
            int a, b;
            memcpy(&a, q->codes + 4 * g, 4), memcpy(&b, q->codes + half + 4 * g, 4);
            const __m512i x = _mm512_set1_epi32(a), y = _mm512_set1_epi32(b);
#pragma clang loop unroll(full)
            for (int w = 0; w < 4; w++) {
                _mm_prefetch((const char *)line + 64 * w + CODE_AHEAD, _MM_HINT_T0);
                __m512i code = _mm512_loadu_si512(line + 64 * w);
                low[w] = _mm512_dpbusd_epi32(low[w], _mm512_and_si512(code, mask), x);
                high[w] = _mm512_dpbusd_epi32(high[w], _mm512_andnot_si512(mask, code), y); // 16 times as much
            }
        }
        float estimates[CODE_ROWS];
        uint64_t passing = 0;
        const float *steps = (const float *)(panels + CODE_ROWS * half), *rests = steps + CODE_ROWS;
        const __m512 threshold = _mm512_set1_ps(best->threshold);
#pragma clang loop unroll(full)
        for (int w = 0; w < 4; w++) {
            __m512i product = _mm512_add_epi32(low[w], _mm512_srai_epi32(high[w], 4));
            _mm512_storeu_si512(products + first + 16 * w, product);
            __m512 rest = _mm512_loadu_ps(rests + 16 * w);
            __m512 estimate = _mm512_mul_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_slli_epi32(product, 1), centre)), step), _mm512_loadu_ps(steps + 16 * w));
            __mmask16 counts = _mm512_cmp_ps_mask(rest, _mm512_setzero_ps(), _CMP_GE_OQ) & (__mmask16)(own >> 16 * w);
            // Not fused, as at the other levels.
            __m512 most = _mm512_add_ps(estimate, _mm512_add_ps(_mm512_mul_ps(length, rest), error));
            _mm512_storeu_ps(upper + first + 16 * w, _mm512_mask_blend_ps(counts, none, most));
            _mm512_storeu_ps(estimates + 16 * w, estimate);
            passing |= (uint64_t)_mm512_mask_cmp_ps_mask(counts, estimate, threshold, _CMP_GT_OQ) << 16 * w;
        }
        if (__builtin_expect(passing != 0, 0)) gather(best, estimates, passing, (uint32_t)first);
    }
}

VNNI static int32_t low_product_vnni(const uint8_t *low, const int8_t *t, size_t half) {
    const __m256i mask = _mm256_set1_epi8(15);
    __m256i a = _mm256_setzero_si256(), b = a;
    for (size_t i = 0; i < half; i += 32) {
        __m256i code = _mm256_loadu_si256((const __m256i *)(low + i));
        a = _mm256_dpbusd_epi32(a, _mm256_and_si256(code, mask), _mm256_loadu_si256((const __m256i *)(t + i)));
        b = _mm256_dpbusd_epi32(b, _mm256_and_si256(_mm256_srli_epi16(code, 4), mask), _mm256_loadu_si256((const __m256i *)(t + half + i)));
    }
    a = _mm256_add_epi32(a, b);
    __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4e)), sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xb1));
    return _mm_cvtsi128_si32(sum);
}

VNNI static size_t select_avx512(const float *upper, size_t n, float threshold, uint32_t *rows) {
    const __m512 least = _mm512_set1_ps(threshold);
    __m512i indices = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    size_t count = 0;
    for (size_t i = 0; i < n; i += 16, indices = _mm512_add_epi32(indices, _mm512_set1_epi32(16))) {
        __mmask16 inside = n - i >= 16 ? 0xffff : (__mmask16)((1u << (n - i)) - 1);
        __mmask16 reach = _mm512_mask_cmp_ps_mask(inside, _mm512_maskz_loadu_ps(inside, upper + i), least, _CMP_GE_OQ);
        if (!reach) continue;
        uint32_t passing[16];
        _mm512_storeu_si512(passing, _mm512_maskz_compress_epi32(reach, indices));
        size_t found = (size_t)__builtin_popcount(reach);
        memcpy(rows + count, passing, 4 * found);
        count += found;
    }
    return count;
}

int kernel_code_best_level(void) {
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vnni")) return 3;
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? 1 : 0;
}
#else
int kernel_code_best_level(void) { return 0; }
#endif

void kernel_code_scan(int level, const struct code_query *query, const uint8_t *panels, size_t count, size_t first, const uint64_t *allowed,
                      int32_t *products, float *upper, struct code_best *best) {
#if defined(__x86_64__)
    if (level >= 3) return scan_vnni(query, panels, count, first, allowed, products, upper, best);
    if (level >= 1) return scan_avx2(query, panels, count, first, allowed, products, upper, best);
#endif
    scan_plain(query, panels, count, first, allowed, products, upper, best);
}

size_t kernel_code_select(const float *upper, size_t n, float threshold, uint32_t *rows) {
#if defined(__x86_64__)
    if (kernel_code_best_level() >= 3) return select_avx512(upper, n, threshold, rows);
#endif
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        rows[count] = (uint32_t)i;
        count += upper[i] >= threshold;
    }
    return count;
}

INLINE void refine(int32_t (*low_product)(const uint8_t *, const int8_t *, size_t), const struct code_query *q, const uint8_t *low, int is_gathered, const uint32_t *rows, size_t count,
                   const int32_t *products, float *estimates, float *errors, uint32_t *sums) {
#pragma clang fp contract(off)
    size_t half = kernel_rotated(q->width) / 2, bytes = kernel_code_row_bytes(q->width);
    for (size_t i = 0; i < count; i++) {
        if (!is_gathered && i + 6 < count) { // rows lie anywhere in memory
            const uint8_t *next = low + rows[i + 6] * bytes;
            for (size_t j = 0; j < bytes; j += 64) __builtin_prefetch(next + j);
        }
        const uint8_t *own = low + (is_gathered ? i : rows[i]) * bytes;
        float step, rest;
        memcpy(&step, own + half, 4), memcpy(&rest, own + half + 4, 4), memcpy(sums + i, own + half + 8, 4);
        int32_t product = 16 * products[rows[i]] + low_product(own, q->codes, half);
        estimates[i] = (float)(2 * product - 255 * q->sum) * q->half_step * step;
        errors[i] = q->length * rest + q->error;
    }
}

void kernel_code_refine(int level, const struct code_query *query, const uint8_t *low, int is_gathered, const uint32_t *rows, size_t count,
                        const int32_t *products, float *estimates, float *errors, uint32_t *sums) {
#if defined(__x86_64__)
    if (level >= 3) return refine(low_product_vnni, query, low, is_gathered, rows, count, products, estimates, errors, sums);
    if (level >= 1) return refine(low_product_avx2, query, low, is_gathered, rows, count, products, estimates, errors, sums);
#endif
    refine(low_product_plain, query, low, is_gathered, rows, count, products, estimates, errors, sums);
}
