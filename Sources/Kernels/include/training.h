#pragma once
#include <stddef.h>
#include <stdint.h>

// One optimiser step on what fires: gradients of a code's entries, their lists by feature, and Adam. Products with whole
// rows are `kernel_decode` both ways: an input is a sum of decoder rows, and a feature's gradient a sum of inputs' rows.

/// out[i] = row `rows[i]` of `matrix` (… × width) · `vector`, for n rows.
void kernel_row_products(const float *matrix, size_t width, const uint32_t *rows, size_t n, const float *vector, float *out);

/// A slab of inputs with its code by input: input t's entries for block b stand at starts[t · (blocks + 1) + b] up to the next start.
struct training_slab {
    const uint32_t *starts;
    const uint32_t *features; ///< ascending within an input
    const float *values;      ///< f
    const float *gradients;   ///< dL/d pre-activation
    const float *thresholds;  ///< dL/d log threshold without the factor θ; null unless JumpReLU
    size_t inputs, first;     ///< how many, and the number of the first in its batch
};

/// Fills starts[t · (blocks + 1) + b] from the inputs' ends: ends[b] is the first feature of no use to block b, `offsets`
/// (inputs + 1) where inputs begin.
void kernel_block_starts(const size_t *offsets, const uint32_t *features, size_t inputs, const uint32_t *ends, size_t blocks, uint32_t *starts);

/// Adds to counts[feature − first] the entries that block b of a slab has of each feature.
void kernel_block_counts(const struct training_slab *slab, size_t blocks, size_t b, uint32_t first, uint32_t *counts);

/// Appends a slab's entries for block b to the lists of their features: at next[feature − first]++ of `inputs`, `values`,
/// `gradients` and (unless null) `thresholds`. Slabs in turn give lists in order of input.
void kernel_block_lists(const struct training_slab *slab, size_t blocks, size_t b, uint32_t first, uint32_t *next, uint32_t *inputs, float *values, float *gradients, float *thresholds);

/// Adam's constants of one step (Kingma and Ba 2015), as torch.optim.Adam applies them.
struct adam_step {
    float scale;             ///< what gradients are multiplied by first
    float rest1, rest2;      ///< 1 − β₁, 1 − β₂
    float beta2;
    float rate;              ///< learning rate ÷ (1 − β₁ᵗ)
    float root;              ///< 1 ÷ √(1 − β₂ᵗ)
    float epsilon;
};

/// m += (1 − β₁)(g − m); v = β₂ v + (1 − β₂) g²; w −= rate · m ÷ (√v · root + ε).
void kernel_adam(float *w, const float *gradient, float *m, float *v, size_t n, const struct adam_step *step);

/// What a dense code's pre-activations become, and their gradients.
struct dense_gradient {
    const float *lower;    ///< thresholds (n); null where they are zero
    const float *penalty;  ///< added to dL/df of each feature that fires (n); null where there is none
    float bandwidth;       ///< of JumpReLU's window; 0 without thresholds
    float penalty_on;      ///< dL/d of each firing, for the thresholds' gradient
};

/// code[j] = pre[j] if pre[j] > lower[j] and pre[j] > 0, else 0. Returns how many are above.
uint32_t kernel_dense_code(float *pre, const float *bias, const float *lower, float *code, size_t n);

/// From pre-activations (n) and dL/df in `gradient`: the code, dL/d pre in `gradient`, and, added to a feature's sums, its
/// firings, its activation, its gradient and its threshold's.
void kernel_dense_gradient(const struct dense_gradient *d, const float *pre, float *code, float *gradient, size_t n, uint32_t *fired, double *activation, double *bias, double *threshold);

/// Scales a row to length 1, if it has a length.
void kernel_normalise(float *row, size_t n);

/// Sums in double precision of fixed order: Σ x² and, added to `sums`, x itself.
double kernel_square_and_add(const float *x, size_t n, double *sums);

/// Σ x², in double precision.
double kernel_squares(const float *x, size_t n);

/// out = (x · scale) − shift; `shift` may be null.
void kernel_scale_and_shift(const float *x, float scale, const float *shift, float *out, size_t n);
