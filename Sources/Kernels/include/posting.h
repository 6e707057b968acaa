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
/// `document_of` gives each of `n` positions its document, ascending; `ends` gives each document the position behind it. There must
/// be room for an entry of each document, or for as many as the list has firings. Returns the number of entries, or −1 where
/// the list's positions are malformed or lie beyond `n`.
ptrdiff_t kernel_posting_count_by_document(const uint8_t *list, size_t bytes, const uint32_t *document_of, const uint32_t *ends, size_t n,
                                           uint32_t *documents, uint32_t *counts);

/// Folds `bytes` into a running 64-bit checksum; not cryptographic, it finds accidents.
uint64_t kernel_checksum(uint64_t seed, const uint8_t *data, size_t bytes);
