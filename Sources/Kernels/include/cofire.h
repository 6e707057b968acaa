#pragma once
#include <stddef.h>
#include <stdint.h>

/// One firing of a coarse feature ("parent"), token by token: which (by its place among those that are looked at), and how strongly.
struct kernel_firing {
    uint32_t parent;
    float value;
};

/// What a fine feature c ("child") has in common with one parent p: sums over the tokens on which both fire. One cache line.
struct kernel_cofiring {
    double together;       // tokens
    double product;        // Σ f_p f_c
    double parent_squares; // Σ f_p²
    double child_squares;  // Σ f_c²
    double child_sum;      // Σ f_c
    double parent_sum;     // Σ f_p
    double unused[2];
};

/// Turns one list's firings to token-major order: writes each to its token's next free place, `cursors`, which it advances.
void kernel_cofire_scatter(const uint32_t *positions, const float *values, size_t n, uint32_t parent, uint32_t *cursors, struct kernel_firing *firings);

/// Adds what the `n` firings of a child in one segment have in common with every parent to `sums`, one a parent.
///
/// The parents' firings on the segment's token t are `firings[offsets[t]] ..< firings[offsets[t + 1]]`.
void kernel_cofire_add(const uint32_t *positions, const float *values, size_t n, const uint32_t *offsets, const struct kernel_firing *firings, struct kernel_cofiring *sums);

/// What a child's pairs must have to be looked at closely.
struct kernel_cofire_floor {
    double together;       // at least so many tokens
    double coverage;       // and at least this part of the child's mass,
    double masked_cosine2; // or a masked cosine whose square is at least this
};

/// Picks the pairs of one child that pass the floor, and the `wanted` ones (places, ascending), in order of parent, to `found` (their places)
/// and clears all `sums`. Returns how many; there must be room for one a parent.
///
/// `squares`: of each parent, Σ f_p² over all its tokens; `child_mass` is Σ f_c and `child_squares` Σ f_c². `density` is each parent's P(p).
/// `best` receives the greatest (M − P(p)) / (1 − P(p)) of the pairs with enough tokens in common, or 0, where M is the part of the child's mass on
/// the parent's tokens. `selected` receives their sums.
size_t kernel_cofire_select(struct kernel_cofiring *sums, size_t parents, const double *squares, const double *density, double child_mass, double child_squares,
                            struct kernel_cofire_floor floor, const uint32_t *wanted, size_t wanted_count, uint32_t *found, struct kernel_cofiring *selected, double *best);

/// Adds, for every two of `count` parents, the child's mass on tokens on which both fire to `joint` (count × count, both ways, the diagonal too).
/// `slots` gives each parent its place among the `count`, or UINT32_MAX.
void kernel_cofire_joint(const uint32_t *positions, const float *values, size_t n, const uint32_t *offsets, const struct kernel_firing *firings, const uint32_t *slots, size_t count, double *joint);

/// The places of the numbers of `row` that are at least `threshold`, ascending; returns how many. `maximum` receives the greatest.
/// There must be room for `n`.
size_t kernel_scan_above(const float *row, size_t n, float threshold, uint32_t *places, float *maximum);
