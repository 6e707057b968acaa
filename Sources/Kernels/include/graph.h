#pragma once
#include <stddef.h>
#include <stdint.h>

// The k nearest rows of every row by inner product, exactly, for whole dictionaries at once.
//
// A matrix product of 8-bit codes bounds every pair; what a bound cannot rule out is a candidate, and candidates are
// multiplied again as they are stored. Which kernel runs, in which order, on how many threads, changes no answer: it
// only changes which pairs are looked at twice.
//
// The bound. R is orthonormal (kernel_rotate), so ⟨x, y⟩ = ⟨Rx, Ry⟩. A row's code is a vector of whole numbers c in
// −127 … 127 and a step a, x̃ = a·c, and r = Rx − x̃ is what the code leaves. Then for a row x and a row y
//
//     ⟨Rx, Ry⟩ − ⟨x̃, ỹ⟩ = ⟨r_x, Ry⟩ + ⟨x̃, r_y⟩,  and by Cauchy and Schwarz
//     |⟨x, y⟩ − a_x·a_y·⟨c_x, c_y⟩| ≤ ‖r_x‖·‖y‖ + ‖x̃‖·‖r_y‖ ≤ E_x + E_y
//
// with E = M·(‖r‖ + rounding of the rotation) and M the greatest ‖y‖ or ‖x̃‖ of all rows: 1 and a little for unit rows.
// ⟨c_x, c_y⟩ is a sum of integers, the same on every processor. E_x and E_y are rounded up.
//
// Rounding of all that is computed in single precision (u = 2⁻²⁴, numbers up to 1.0002 M²): the estimate has 3 roundings,
// its comparison with a limit 1, a lower bound 2, a limit 2, and two estimates meet in a test: below 14 u. The cosine
// itself is a double (rounding below u / 1000) rounded to single; two that differ by more than 2 u are different floats,
// in order. So a pair is left out only where its upper bound is more than `slack` = 32 u·M² below k lower bounds, and then
// neither its cosine nor a tie could have placed it.
enum { GRAPH_ROWS = 12, GRAPH_COLUMNS = 32 };

/// Rows and their codes.
struct graph_side {
    size_t count, width, padded; ///< padded: kernel_rotated(width), at most 65,536
    const float *rows;           ///< (count × width): finite, of length 1, or zero
    uint8_t *panels;             ///< ⌈count / 32⌉ of (padded / 4 × 32 × 4), 64-byte aligned: code + 128
    float *steps;                ///< a, one a row, for all rows of panels; 0 for zero rows and those past the last
    float *errors;               ///< E; −infinity for zero rows and those past the last: nothing is ever near them
};

/// The rows `first ..< first + count` as multipliers.
struct graph_stripe {
    size_t first, count;
    int8_t *packed;  ///< ⌈count / 12⌉ groups of (padded / 4 × 12 × 4)
    int32_t *starts; ///< −128 · Σ code for each row of the groups: what the panels' 128 adds
};

/// A pair that the bounds leave: `feature` is an index, with GRAPH_EXACT where `value` is the cosine, not an estimate.
struct graph_candidate {
    float value;
    uint32_t feature;
};
#define GRAPH_EXACT 0x80000000u

/// One list for each of some rows. `limits[i]`: an estimate e of feature j is a candidate where e + errors[j] ≥ it.
struct graph_lists {
    struct graph_candidate *candidates; ///< (lists × capacity)
    uint32_t *counts;
    float *limits; ///< several threads' lists may share them: they only ever rise
};

struct graph_search {
    const struct graph_side *rows, *columns;
    int is_symmetric; ///< rows and columns are one: each pair is judged once, for both of its rows, and none with itself
    size_t k, capacity; ///< capacity of a list, at least 2 k + 16
    float slack;
};

/// The kernels this processor can run: 0 plain, 1 AVX2, 2 AVX-512 with 8-bit products; all up to it can be asked for.
int kernel_graph_best(void);

/// Codes the rows `first ..< end`; their `errors` are without the factor M. `scratch` holds `padded` numbers.
/// Returns the greatest ‖x‖ or ‖x̃‖ of them.
double kernel_graph_code(const struct graph_side *side, size_t first, size_t end, float *scratch);

/// Puts M into the errors.
void kernel_graph_scale_errors(const struct graph_side *side, double most);

/// Packs the stripe's rows out of their panels.
void kernel_graph_pack(const struct graph_side *side, const struct graph_stripe *stripe);

/// Products of one group of rows with one panel: `products` (12 × 32) = ⟨c_x, c_y⟩.
void kernel_graph_products(int level, const int8_t *group, const int32_t *starts, const uint8_t *panel, size_t padded, int32_t *products);

/// Judges the stripe against the columns `first ..< end` (`first` a multiple of GRAPH_COLUMNS).
///
/// `own` has a list for each row of the stripe, `all` one for each row there is (used where the search is symmetric, and
/// only for the columns given). `scratch` holds `capacity` numbers.
void kernel_graph_search(int level, const struct graph_search *search, const struct graph_stripe *stripe, size_t first, size_t end,
                         const struct graph_lists *own, const struct graph_lists *all, float *scratch);

/// Leaves out the candidates of `row` that its k best rule out, and raises the limit. Returns how many are left.
/// `scratch` holds `count` numbers.
uint32_t kernel_graph_prune(const struct graph_search *search, size_t row, struct graph_candidate *candidates, uint32_t count, float *limit, float *scratch);

/// The same, but all that is left are cosines: the k greatest, in order, ties by feature.
uint32_t kernel_graph_settle(const struct graph_search *search, size_t row, struct graph_candidate *candidates, uint32_t count, float *limit, float *scratch);
