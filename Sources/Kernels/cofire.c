#include "cofire.h"
#include "kernel.h"
#include <string.h>

typedef double eight __attribute__((vector_size(64), aligned(64), may_alias));

void kernel_cofire_scatter(const uint32_t *positions, const float *values, size_t n, uint32_t parent, uint32_t *cursors, struct kernel_firing *firings) {
    for (size_t i = 0; i < n; i++) firings[cursors[positions[i]]++] = (struct kernel_firing){parent, values[i]};
}

/// A rare child's tokens lie far apart: what the next ones need is on its way while one is worked on.
static inline void fetch_ahead(size_t i, size_t n, const uint32_t *positions, const uint32_t *offsets, const struct kernel_firing *firings) {
    enum { ROWS = 6, OFFSETS = 16 };
    if (i + OFFSETS < n) __builtin_prefetch(&offsets[positions[i + OFFSETS]]);
    if (i + ROWS < n) {
        const char *next = (const char *)(firings + offsets[positions[i + ROWS]]);
        __builtin_prefetch(next);
        __builtin_prefetch(next + 64);
        __builtin_prefetch(next + 128);
    }
}

// All six sums of a pair are one product of eight numbers by eight, added to one cache line: {1, u, u², 1, 1, u} · {1, v, 1, v², v, 1}, the first of
// which is a polynomial in u, so that there is nothing to shuffle.
KERNEL void kernel_cofire_add(const uint32_t *positions, const float *values, size_t n, const uint32_t *offsets, const struct kernel_firing *firings, struct kernel_cofiring *sums) {
    for (size_t i = 0; i < n; i++) {
        fetch_ahead(i, n, positions, offsets, firings);
        double v = values[i];
        // c₀ + (c₁ + c₂ u) u, each times the child's.
        eight c0 = {1, 0, 0, v * v, v, 0, 0, 0}, c1 = {0, v, 0, 0, 0, 1, 0, 0}, c2 = {0, 0, 1, 0, 0, 0, 0, 0};
        for (uint32_t at = offsets[positions[i]], end = offsets[positions[i] + 1]; at < end; at++) {
            double u = firings[at].value;
            *(eight *)&sums[firings[at].parent] += c0 + (c1 + c2 * u) * u;
        }
    }
}

KERNEL size_t kernel_cofire_select(struct kernel_cofiring *sums, size_t parents, const double *squares, const double *density, double child_mass, double child_squares,
                                   struct kernel_cofire_floor floor, const uint32_t *wanted, size_t wanted_count, uint32_t *found, struct kernel_cofiring *selected, double *best) {
    size_t count = 0, next = 0;
    double greatest = 0;
    for (size_t p = 0; p < parents; p++) {
        int is_wanted = next < wanted_count && wanted[next] == p;
        next += is_wanted;
        struct kernel_cofiring sum = sums[p];
        if (sum.together == 0 && !is_wanted) continue;
        *(eight *)&sums[p] = (eight){0};
        if (sum.together >= floor.together) {
            double coverage = sum.child_sum / child_mass, excess = (coverage - density[p]) / (1 - density[p]);
            if (excess > greatest) greatest = excess;
            // S² / (‖f_p‖² · Σ f_c² on p's tokens), and the other way round: the larger has the smaller denominator.
            double on_parent = squares[p] * sum.child_squares, on_child = sum.parent_squares * child_squares;
            double smaller = on_parent < on_child ? on_parent : on_child;
            if (coverage < floor.coverage && sum.product * sum.product < floor.masked_cosine2 * smaller && !is_wanted) continue;
        } else if (!is_wanted) continue;
        found[count] = (uint32_t)p;
        selected[count++] = sum;
    }
    *best = greatest;
    return count;
}

void kernel_cofire_joint(const uint32_t *positions, const float *values, size_t n, const uint32_t *offsets, const struct kernel_firing *firings, const uint32_t *slots, size_t count, double *joint) {
    uint32_t here[64];
    for (size_t i = 0; i < n; i++) {
        fetch_ahead(i, n, positions, offsets, firings);
        size_t k = 0;
        for (uint32_t at = offsets[positions[i]], end = offsets[positions[i] + 1]; at < end && k < 64; at++) {
            uint32_t slot = slots[firings[at].parent];
            if (slot != UINT32_MAX) here[k++] = slot;
        }
        for (size_t a = 0; a < k; a++) for (size_t b = 0; b < k; b++) joint[here[a] * count + here[b]] += values[i];
    }
}

KERNEL static float greatest(const float *row, size_t n) {
    float m = row[0];
    for (size_t i = 1; i < n; i++) m = row[i] > m ? row[i] : m;
    return m;
}

size_t kernel_scan_above(const float *row, size_t n, float threshold, uint32_t *places, float *maximum) {
    size_t count = 0;
    float most = -2;
    for (size_t start = 0; start < n; start += 256) {
        size_t width = n - start < 256 ? n - start : 256;
        float m = greatest(row + start, width);
        if (m > most) most = m;
        if (!(m >= threshold)) continue;
        for (size_t i = start; i < start + width; i++) if (row[i] >= threshold) places[count++] = (uint32_t)i;
    }
    *maximum = most;
    return count;
}
