#pragma once
#include <stddef.h>
#include <stdint.h>

// A sparse encoder in two steps: a screen that overlooks nothing, and the exact product for what passes it.
//
// The screen is a matrix product judged in registers, so the (tokens × features) matrix is never written. It runs in
// single precision, or on 8-bit codes with four times the rate. What passes is a candidate, and its product is formed
// again in one fixed order of float32 operations, which alone decides. So the choice of screen, of tile and of
// neighbours changes no bit.
//
// Why nothing is overlooked. Let x be a token and w an encoder vector of n numbers each, x̃ = low + step · code and
// w̃ = step · code what their codes stand for, u = 2⁻²⁴ the rounding of a float.
//
//   1. Quantising. x·w = x̃·w̃ + x·(w − w̃) + (x − x̃)·w̃, so by Cauchy and Schwarz
//          x·w ≤ x̃·w̃ + ‖x‖·‖w − w̃‖ + ‖x − x̃‖·‖w̃‖.
//      Both residual norms are those of the very codes that are stored, whatever made them, and equality is reached where
//      residuals line up with the other side. x̃·w̃ = step · step · Σ code·code + low · (step · Σ code); the sum is exact
//      in 32 bits up to widths of 66,000.
//   2. Rounding, in units of u·‖x‖·‖w‖. The exact product: each of 64 lanes adds n / 64 products, then 6 additions:
//      at most n/64 + 7. A single-precision screen adds n in turn: n. The screen on codes converts, multiplies twice and
//      adds four terms, none greater than (1 + 2√n): 7 + 14√n. The residual of x is itself computed in floats: 4 + 2√n.
//      No pair of them exceeds 4·(n + 16), which is ENCODE_SLACK.
//   3. The bias. fl(p) > threshold where p = product + bias is decided with an error of u · (|threshold| + |bias|) at most,
//      for which 10⁻⁶ · (|threshold| + |bias|) is taken off the limit.
//   4. Range. Squares that underflow are put back into the norms as 2⁻¹²⁶ a number, and the slack of a vector that is not
//      zero is at least (n + 16) · 4u · 10⁻¹⁸, above all that products below 2⁻¹²⁶ can lose together. Squares that overflow make the bound
//      infinite or not a number, and the comparison is one that both pass.
//
// So a feature fires in float32 only if p̃ + bound > threshold. Against arithmetic without rounding, float32 itself can
// differ only where |p − threshold| ≤ γ(n/64 + 7)·Σ|xᵢ·wᵢ| + u·(|bias| + |p|), γ(m) = m·u / (1 − m·u): the tests count these
// decisions and find no difference outside of them.
//
// TopK is the same with one more limit: `floor`, which k pre-activations of the token are known to reach. All at or
// above the k-th largest, equal ones too, are above a lower floor, and the choice is made among exact values.
//
// An 8-bit screen for AVX2 alone would not pay: without VNNI, 32 products of codes take three instructions (and codes of 7
// bits, since vpmaddubsw saturates), where single precision does 24 with as many.
enum {
    ENCODE_TOKENS = 12,   ///< tokens that are multiplied at once
    ENCODE_FEATURES = 32, ///< features that are multiplied at once
    ENCODE_PARAMETERS = 10,
};

/// ENCODE_FEATURES features. Unused places hold zeros and a bias of -infinity.
struct encode_panel {
    const float *rows;       ///< (ENCODE_FEATURES × stride): encoder vectors, zeros from width to stride
    const float *weights;    ///< (width × ENCODE_FEATURES), 64-byte aligned: the same for the single-precision screen
    const int8_t *codes;     ///< (⌈width / 4⌉ × ENCODE_FEATURES × 4), 64-byte aligned: w ≈ step · code; null without the 8-bit screen
    const float *parameters; ///< (ENCODE_PARAMETERS × ENCODE_FEATURES), in the order of the enum below
    int gated;               ///< whether the value is product · gain + offset, which must be positive too, rather than p
    uint32_t feature;        ///< number of the first feature
    const float *next_rows;  ///< of the panel that will come next, to be fetched meanwhile, with its codes; null if it is not known
    const int8_t *next_codes;
};

enum {
    ENCODE_BIAS,      ///< p = product + bias
    ENCODE_THRESHOLD, ///< fires if p > threshold and p > the caller's floor
    ENCODE_GAIN,
    ENCODE_OFFSET,
    ENCODE_SLACK,    ///< bound on the rounding of a product, divided by ‖x‖: 4u · (n + 16) · ‖w‖
    ENCODE_STEP,     ///< of the codes
    ENCODE_CODESUM,  ///< step · Σ codes
    ENCODE_RESIDUAL, ///< ‖w − w̃‖ and the slack
    ENCODE_LENGTH,   ///< ‖w̃‖
};

/// Tokens prepared by `kernel_encode_prepare`. Padded to a multiple of ENCODE_TOKENS where they are packed.
struct encode_tokens {
    size_t count, width, stride; ///< stride: width rounded up to a multiple of 16
    float *rows;                 ///< (count × stride)
    float *packed;               ///< groups of (width × ENCODE_TOKENS); null without the single-precision screen
    uint8_t *codes;              ///< groups of (⌈width / 4⌉ × ENCODE_TOKENS × 4): x ≈ low + step · code; null without the 8-bit screen
    float *scalars;              ///< (4 × count padded): ‖x‖, step, low, ‖x − x̃‖
};

/// Where firings go: three arrays with room for ENCODE_FEATURES · tokens + 16 more, and how many are there.
struct encode_stream {
    uint32_t *token, *feature;
    float *value;
    size_t count;
};

/// The kernels this processor can run: 0 plain, 1 AVX2, 2 AVX-512, 3 AVX-512 with 8-bit products; all up to it can be asked for.
int kernel_encode_best(void);

/// Fills `tokens` from the rows `rows[0 ..< count]` of x (… × width), each as (row − shift) · scale of its token.
void kernel_encode_prepare(const struct encode_tokens *tokens, const float *x, const uint32_t *rows, const float *shift, const float *scale);

/// Codes one encoder vector: `panel`'s place `j` of codes, and step, code sum, residual and length in `parameters`.
void kernel_encode_code(const float *row, size_t width, int8_t *codes, float *parameters, uint32_t j);

/// Appends the firings of one panel: by groups of ENCODE_TOKENS tokens, tokens ascending within a group and features
/// ascending within a token. Returns the number of candidates.
size_t kernel_encode(int level, const struct encode_tokens *tokens, const struct encode_panel *panel, float floor, struct encode_stream *stream);

/// Sorts a stream by token and keeps the order otherwise: token t's firings come to stand at offsets[t] ..< offsets[t + 1].
void kernel_encode_collect(const struct encode_stream *stream, size_t tokens, size_t *offsets, uint32_t *features, float *values);
