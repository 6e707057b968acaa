#pragma once
#include <stddef.h>
#include <stdint.h>

// A sparse encoder: a matrix product whose results are judged in registers, so that only what fires is ever written.
//
// Both factors come packed: the activations of `ENCODE_TOKENS` tokens as (width × ENCODE_TOKENS), the encoder rows of
// `ENCODE_FEATURES` features as (width × ENCODE_FEATURES); unused places hold zeros. Each pre-activation is one chain
// of fused multiply-adds in the order of `width`, whichever tile it falls in, so its bits do not depend on how tokens
// are grouped.
enum { ENCODE_TOKENS = 12, ENCODE_FEATURES = 32 };

/// What the features of one panel do with their product. Each array holds ENCODE_FEATURES numbers.
struct encode_panel {
    const float *weights;   ///< (width × ENCODE_FEATURES), 64-byte aligned
    const float *bias;      ///< p = product + bias; -infinity where there is no feature
    const float *threshold; ///< fires if p > threshold and p > the caller's floor
    const float *gain;      ///< gated: the value is product · gain + offset and must be positive too; else null: the value is p
    const float *offset;
    uint32_t feature; ///< number of the panel's first feature
};

/// Where firings go: three arrays with room for ENCODE_FEATURES · tokens + 16 more, and how many are there.
struct encode_stream {
    uint32_t *token, *feature;
    float *value;
    size_t count;
};

/// The kernels this processor can run: 0 plain, 1 AVX2, 2 AVX-512; higher is faster.
int kernel_encode_best(void);

/// Appends the firings of one panel on `tokens` tokens, packed in `x` panel after panel: by groups of ENCODE_TOKENS
/// tokens, tokens ascending within a group and features ascending within a token.
void kernel_encode(int level, const float *x, size_t tokens, size_t width, const struct encode_panel *panel, float floor, struct encode_stream *stream);

/// Packs rows `rows[0 ..< tokens]` of x (… × width) for `kernel_encode`, each as (row − shift) · scale of its token.
/// `packed` has room for `tokens` rounded up to a multiple of ENCODE_TOKENS.
void kernel_encode_pack(const float *x, const uint32_t *rows, size_t tokens, size_t width, const float *shift, const float *scale, float *packed);

/// How many of `n` numbers are not zero.
size_t kernel_count_nonzero(const float *x, size_t n);

enum { LISTED_ROWS = 64, LISTED_TOKENS = 6 };

/// Tokens of which most numbers are zero (ReLU neurons), as lists of the others. For each block of LISTED_ROWS numbers
/// the tokens stand in groups of LISTED_TOKENS, whose lists run side by side and are filled up with zeros.
struct encode_lists {
    uint32_t *order;   ///< blocks × groups × LISTED_TOKENS tokens; `tokens` where there is none
    uint32_t *starts;  ///< blocks × groups + 1: where each group's lists begin, in steps of LISTED_TOKENS
    uint16_t *offsets; ///< bytes from the block's first weights; room for blocks × LISTED_ROWS × groups × LISTED_TOKENS
    float *values;     ///< the same room
};

/// Lists rows `rows[0 ..< tokens]` of x (… × width). `counts` is `tokens` of scratch.
void kernel_encode_list(const float *x, const uint32_t *rows, size_t tokens, size_t width, uint8_t *counts, struct encode_lists *lists);

/// `kernel_encode` with two panels (or one, then `next` is null) on listed tokens: only numbers that are not zero are
/// multiplied, and every pre-activation has the same bits. For level 2 alone.
///
/// `sums` is (tokens + 1) × 64 of scratch, 64-byte aligned; the stream must have room for both panels.
void kernel_encode_listed(const struct encode_lists *x, size_t tokens, size_t width, const struct encode_panel *panel, const struct encode_panel *next, float floor,
                          float *sums, struct encode_stream *stream);

/// Sorts a stream by token and keeps the order otherwise: token t's firings come to stand at offsets[t] ..< offsets[t + 1].
void kernel_encode_collect(const struct encode_stream *stream, size_t tokens, size_t *offsets, uint32_t *features, float *values);
