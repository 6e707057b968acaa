#pragma once
#include <stddef.h>
#include <stdint.h>
#include "rotate.h"

// Compact codes of unit vectors, with bounds that are proven.
//
// A row x (‖x‖ = 1) is rotated (rotate.h) and each coordinate coded in 8 bits, u = 16·high + low, with one step for the
// row. The high halves alone are a coarse code, all eight bits a fine one:
//
//     R·x = a₄·(high − 7.5) + r₄          R·x = a₈·(u − 127.5) + r₈
//
// with a₄, a₈ fitted by least squares and ‖r₄‖, ‖r₈‖ stored beside them. A query q (‖q‖ = 1) is rotated and coded in signed
// 8 bits, R·q = s·t + d. Write x̂ for a code's vector, r for what it leaves, q̂ = s·t. Then
//
//     ⟨q, x⟩ = ⟨R·q, R·x⟩ = ⟨q̂, x̂⟩ + ⟨q̂, r⟩ + ⟨d, R·x⟩,   so that by Cauchy and Schwarz   |⟨q, x⟩ − ⟨q̂, x̂⟩| ≤ ‖q̂‖·‖r‖ + ‖d‖·‖x‖.
//
// ⟨q̂, x̂⟩ is s·a times an integer, (2·Σ t·u − 255·Σ t) / 2 or (2·Σ t·high − 15·Σ t) / 2, which 32 bits hold exactly for
// up to CODE_WIDTH_MAXIMUM coordinates. What rounding adds is below CODE_SLACK: each of the two rotations at most 17 · 2⁻²⁴
// (‖q‖ and ‖x‖ are 1 within 1e-6), the estimate three roundings of numbers below 1.2 and the bound three of numbers below 2,
// 4.1e-6 in all; lengths are of double precision, rounded up. Of a row that is longer than 1, ‖r‖ is stored longer, too.
enum {
    CODE_ROWS = 64,              // rows to a panel
    CODE_WIDTH_MAXIMUM = 32768,  // 2 · 127 · 255 · 32,768 < 2³¹
};
#define CODE_SLACK 6e-6f

/// Bytes of a panel: the high halves of 64 rows, in the order in which they are multiplied; 64 steps a₄, 64 lengths ‖r₄‖
/// (−1 for a row of zeros, and for one past the end; ∞ for one of no finite length), a checksum and zeros up to 64 bytes.
///
/// Byte 256·g + 4·row + i of the halves holds coordinate 4·g + i in its low four bits and coordinate L/2 + 4·g + i in its
/// high ones, L being the rotated length.
static inline size_t kernel_code_panel_bytes(size_t width) { return CODE_ROWS / 2 * kernel_rotated(width) + 2 * 4 * CODE_ROWS + 64; }

/// Bytes of a row's low halves: byte i holds coordinate i in its low four bits and coordinate L/2 + i in its high ones; then,
/// four bytes each, a₈, ‖r₈‖, the checksum of the row's vector and that of all this.
static inline size_t kernel_code_row_bytes(size_t width) { return kernel_rotated(width) / 2 + 16; }

/// Codes `count` ≤ 64 unit rows (count × width): one panel, and the low halves of each row. `first` is the number of the first
/// row, one that no other row of any dictionary in the file has: checksums know it, so that a panel in another's place, or
/// another dictionary's, is found out.
void kernel_code_rows(const float *rows, size_t count, size_t width, size_t first, uint8_t *panel, uint8_t *low);

/// The place of the first panel whose checksum is not that of its bytes, or `count`. `first`: of the first panel's rows.
size_t kernel_code_first_bad_panel(const uint8_t *panels, size_t count, size_t width, size_t first);
/// The same for the low halves of rows that follow on each other, or (rows not `NULL`) come these many after the first.
size_t kernel_code_first_bad_row(const uint8_t *low, size_t count, size_t width, size_t first, const uint32_t *rows);

/// The checksum of a row's vector, `number` counted as `first` above.
uint32_t kernel_code_vector_sum(const float *row, size_t width, size_t number);

struct code_query {
    size_t width;
    const int8_t *codes; // t, of the rotated length
    int32_t sum;         // Σ t
    float half_step;     // s / 2
    float length;        // ‖q̂‖, rounded up
    float error;         // ‖d‖ and CODE_SLACK, rounded up
};
/// Codes a unit query of `width` numbers; `codes` has room for its rotated length and stays where it is.
void kernel_code_query(const float *query, size_t width, int8_t *codes, struct code_query *out);

/// Rows with the greatest estimates so far.
struct code_best {
    float *estimates;
    uint32_t *rows;
    size_t count, wanted, capacity; // capacity ≥ 2 · wanted + 64
    float threshold;                // below which no estimate is wanted any more
};

/// 3: AVX-512 with VNNI, 1: AVX2, 0: portable. All give the same bits.
int kernel_code_best_level(void);

/// The coarse scan of `count` panels whose rows begin at `first`. Writes Σ t·high and the upper bound of ⟨q, x⟩ to `products`
/// and `upper` from `first` on (−∞ for rows of zeros and rows whose bit in `allowed`, a word a panel counted from row 0,
/// is not set; `NULL` allows all), and gathers the greatest estimates of the allowed.
void kernel_code_scan(int level, const struct code_query *query, const uint8_t *panels, size_t count, size_t first, const uint64_t *allowed,
                      int32_t *products, float *upper, struct code_best *best);

/// Reduces to the `wanted` greatest estimates.
void kernel_code_shrink(struct code_best *best);

/// Rows of `n` whose upper bound reaches the threshold: their indices, ascending, to `rows`. Returns how many.
size_t kernel_code_select(const float *upper, size_t n, float threshold, uint32_t *rows);

/// The fine bound of `count` rows: estimates of ⟨q, x⟩, and how far off they may be; and their vectors' checksums. `low` holds the low halves of all rows
/// from row 0 on or, where `is_gathered`, of just these.
void kernel_code_refine(int level, const struct code_query *query, const uint8_t *low, int is_gathered, const uint32_t *rows, size_t count,
                        const int32_t *products, float *estimates, float *errors, uint32_t *sums);
