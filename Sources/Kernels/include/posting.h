#pragma once
#include <stddef.h>
#include <stdint.h>

/// The most bytes a list of `n` firings can take.
size_t kernel_posting_bound(size_t n);

/// Writes a posting list (its layout: PostingList.swift) of `n` ascending positions and their positive values to `list`.
///
/// `rounded`, of `n`, receives the values as a reader of the list will get them. Returns the bytes written.
size_t kernel_posting_encode(const uint32_t *positions, const float *values, size_t n, uint8_t *list, float *rounded);

/// The number of firings a list says it holds, or −1 when its head is malformed or its bytes cannot hold so many.
ptrdiff_t kernel_posting_count(const uint8_t *list, size_t bytes);

/// Reads a list of exactly `n` firings. Returns 0, or −1 when the list is malformed.
int kernel_posting_decode(const uint8_t *list, size_t bytes, size_t n, uint32_t *positions, float *values);

/// How many of a list's positions are marked by a bit in `marks`, of `n` bits (a position of `n` or more is not).
/// Returns −1 when the list's positions are malformed.
ptrdiff_t kernel_posting_count_marked(const uint8_t *list, size_t bytes, const uint64_t *marks, size_t n);

/// How many of a list's firings lie in each document: writes an entry to `documents` and `counts` for each document that has
/// some, ascending.
///
/// `document_of` gives each of `n` positions its document, ascending; `ends` gives each document the position behind it, at most `n`. There must
/// be room for an entry of each document, or for as many as the list has firings. Returns the number of entries, or −1 where
/// the list's positions are malformed or lie beyond `n`.
ptrdiff_t kernel_posting_count_by_document(const uint8_t *list, size_t bytes, const uint32_t *document_of, const uint32_t *ends, size_t n,
                                           uint32_t *documents, uint32_t *counts);

/// Of the firings of some lists on marked positions: how many, in how many documents, and the sum of their values.
struct kernel_marked_tally {
    ptrdiff_t count, documents;
    double sum;
    uint32_t document; // 1 + the last one counted; 0 before the first
};

/// Adds to `tally` a list's firings on positions marked by a bit in `marks`, of `n` bits (a position of `n` or more is not marked).
/// The list is of a segment of `length` tokens at position `first`; `document_of`, of `length`, numbers their documents, ascending from
/// segment to segment. Returns 0, or −1 when the list is malformed.
int kernel_posting_tally_marked(const uint8_t *list, size_t bytes, size_t first, const uint64_t *marks, size_t n, const uint32_t *document_of, size_t length,
                                struct kernel_marked_tally *tally);

/// Of all firings of some lists: how many, the sum of their values and of the squares of these.
struct kernel_posting_sums {
    ptrdiff_t count;
    double sum, squares;
};

/// Adds a list's firings to `sums`; positions are not looked at. Returns 0, or −1 when the list's values are malformed.
int kernel_posting_sums(const uint8_t *list, size_t bytes, struct kernel_posting_sums *sums);

/// Folds `bytes` into a running 64-bit checksum; not cryptographic, it finds accidents.
uint64_t kernel_checksum(uint64_t seed, const uint8_t *data, size_t bytes);
