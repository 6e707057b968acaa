#pragma once
#include <stddef.h>
#include <stdint.h>

/// Quarter-octave bins: value v is in bin ⌊4·log₂ v⌋ + KERNEL_BIN_ZERO, those outside in the first or last.
enum { KERNEL_BINS = 256, KERNEL_BIN_ZERO = 128 };

/// The bin of a positive value.
uint32_t kernel_bin(float value);

/// Counts and moments of one feature in one stretch of tokens.
struct kernel_tally {
    uint64_t firings, documents;
    double sum, sum_of_squares;
    float maximum;
    uint32_t maximum_position; // the first that reaches it
};

/// The same for one topic.
struct kernel_topic_tally {
    uint32_t firings, documents;
    double sum;
    float maximum;
};

/// Counts, for each feature, the entries of `features`; rows where `position_of_row` is UINT32_MAX are masked.
/// `offsets` has rows + 1 entries; `counts` is added to.
void kernel_count_firings(const size_t *offsets, const uint32_t *position_of_row, size_t rows, const uint32_t *features, uint32_t *counts);

/// Moves firings of the features `first ..< end` that lie token by token, features ascending within a token, to lists
/// feature by feature. `next` says where each row's go on (at first its offset) and is advanced; `cursors` (end − first)
/// holds each feature's next free place and is advanced.
void kernel_scatter_firings(const size_t *offsets, const uint32_t *position_of_row, size_t rows, const uint32_t *features, const float *values,
                            uint32_t first, uint32_t end, size_t *next, uint32_t *cursors, uint32_t *positions, float *activations);

/// Tallies one feature's `n` firings. `values` are exact, `rounded` as stored (the histogram is of these).
///
/// `document_of` gives each position its document (counted within the stretch, ascending), `topic_of` each document
/// its topic. A first document equal to `counted` is not counted again. `topics` (one a topic) and `histogram` (KERNEL_BINS) are added to.
void kernel_tally_feature(const uint32_t *positions, const float *values, const float *rounded, size_t n, const uint32_t *document_of,
                          const uint32_t *topic_of, uint32_t counted, struct kernel_tally *tally, struct kernel_topic_tally *topics, uint32_t *histogram);

/// A feature's firings on one token of the vocabulary.
struct kernel_token_tally {
    double sum;
    uint64_t firings;
};

/// Adds `n` firings to tallies by token: `ids` gives each position its token. Returns −1, with some added, where a token is
/// not of the vocabulary.
int kernel_tally_tokens(const uint32_t *positions, const float *values, size_t n, const int32_t *ids, size_t vocabulary, struct kernel_token_tally *tallies);

/// A feature's firings in one document.
struct kernel_document_tally {
    uint32_t document, firings;
    float maximum;
};

/// Goes through `n` firings in order of position: appends a tally of each document to the `count` of `documents`, in order of
/// document (or adds to the last, if the first document is that one), and notes in `places` which firings exceed `threshold`.
/// Returns how many do.
///
/// `document_of` gives each position its document, ascending. There must be room for a tally of each document met, and for n places.
size_t kernel_scan_firings(const uint32_t *positions, const float *values, size_t n, const uint32_t *document_of, float threshold,
                           struct kernel_document_tally *documents, size_t *count, uint32_t *places);

/// The order of `n` positive values, the largest first, equal ones as they stand: a radix sort by their bits.
void kernel_order_descending(const float *values, size_t n, uint32_t *order);
