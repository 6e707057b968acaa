#pragma once
#include <stddef.h>
#include <stdint.h>

/// Reads `n` rows of three little-endian integers of `bytes` (2, 4 or 8) each: sequence, position in it, latent. `positions` receives
/// sequence · context + position, `latents` the third.
///
/// Returns the first row that is not within (`sequences`, `context`, `latents_count`), a negative number among them, or `n`. The product of
/// `sequences` and `context` is at most 2³² − 1, as is `latents_count`.
size_t kernel_locations_read(const uint8_t *rows, size_t n, int bytes, uint64_t sequences, uint64_t context, uint64_t latents_count, uint32_t *positions, uint32_t *latents);

/// What a stretch of firings is like, added to from stretch to stretch.
struct kernel_locations_tally {
    uint64_t last;      // position · 2³² + latent of the row before, plus 1; 0: there is none
    size_t descents;    // rows that come before the one before them
    size_t repeats;     // rows that are at the place of the one before them
    size_t not_finite;  // values that are NaN or infinite
    size_t negative;    // values below 0
    size_t zero;        // values of 0
    size_t first_wrong; // the first row that is a repeat or not finite, counted from the first stretch; SIZE_MAX: none
    size_t rows;        // seen so far
};

/// Surveys `n` firings and counts them by segments of `segment` tokens.
void kernel_locations_survey(const uint32_t *positions, const uint32_t *latents, const float *values, size_t n, uint32_t segment, size_t *counts, struct kernel_locations_tally *tally);

/// Sets out the positive ones of `n` firings, which ascend by position and then latent, by token: those of token t of the segment, which begins
/// at position `first`, are entries offsets[t] to offsets[t + 1] of `features` (latent + `first_feature`) and `out`. Returns how many there are.
size_t kernel_locations_by_token(const uint32_t *positions, const uint32_t *latents, const float *values, size_t n, uint32_t first, size_t tokens, uint32_t first_feature,
                                 ptrdiff_t *offsets, uint32_t *features, float *out);

/// One stable pass of a counting sort: firing i goes to place starts[keys[i] − base]++ of the three arrays that are written.
void kernel_locations_scatter(const uint32_t *keys, uint32_t base, size_t n, size_t *starts, const uint32_t *positions, const uint32_t *latents, const float *values,
                              uint32_t *positions_out, uint32_t *latents_out, float *values_out);
