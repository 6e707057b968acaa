#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// MARK: words

/// How text is cut into words. GPT-2's expression is 0; the flags vary Llama 3's.
enum {
    KERNEL_WORDS_GPT2 = 0,
    KERNEL_WORDS_LLAMA3 = 1,
    KERNEL_WORDS_ONE_DIGIT = 2,  // \p{N} for \p{N}{1,3}, as Qwen 2 has it
    KERNEL_WORDS_ASCII_FOLD = 4, // 's without its case fold U+017F
};

/// The end of the word that begins at `at` < n in well-formed UTF-8.
size_t kernel_next_word(const uint8_t *text, size_t at, size_t n, uint32_t pattern);

// MARK: sets of byte strings

/// Strings by content: string i is `bytes[offsets[i] ..< offsets[i + 1]]`; `slots` (mask + 1 of them, a power of two,
/// at least one 0) hold i + 1.
typedef struct {
    const uint8_t *bytes;
    const uint32_t *offsets;
    uint32_t *slots;
    uint32_t mask;
} kernel_strings;

/// The index of the string equal to these bytes, or -1.
int64_t kernel_strings_find(const kernel_strings *set, const uint8_t *text, size_t n);

/// Adds string `index`. Returns it, or the index of the equal string that is already there.
uint32_t kernel_strings_insert(const kernel_strings *set, uint32_t index);

// MARK: merges

/// One merge: two neighbours become `id`. An empty slot has rank UINT32_MAX.
typedef struct { uint32_t left, right, rank, id; } kernel_merge;

/// Adds or replaces a merge in a table of mask + 1 slots (a power of two, at least one empty).
void kernel_merge_insert(kernel_merge *table, uint32_t mask, kernel_merge merge);

/// A byte-pair encoding. `words` is null unless a word that is itself a token is taken whole; its strings are then
/// numbered as in `word_ids`.
typedef struct {
    const uint32_t *byte_ids; // 256
    const kernel_merge *merges;
    uint32_t merge_mask;
    uint32_t pattern;
    const kernel_strings *words;
    const uint32_t *word_ids;
} kernel_bpe;

/// What one thread remembers of the words it has met; bounded to a few megabytes.
typedef struct kernel_word_cache kernel_word_cache;
kernel_word_cache *kernel_word_cache_create(void);
void kernel_word_cache_destroy(kernel_word_cache *cache);

/// Encodes words of `text` from `at` on, until its end at `n` or until `room` ids might not hold the next word's (at
/// most one per byte). Returns where it stopped; `*written` ids are in `out`.
size_t kernel_bpe_encode(const kernel_bpe *model, kernel_word_cache *cache, const uint8_t *text, size_t at, size_t n,
                         int32_t *out, size_t room, size_t *written);

// MARK: added tokens

/// A trie: `slots` map (node << 8 | byte) + 1 to a node, `ends` a node to its string's number or -1. Node 0 is the root.
typedef struct {
    const uint64_t *keys;
    const uint32_t *nodes;
    const int32_t *ends;
    const bool *first; // 256: bytes some string begins with
    uint32_t mask;
} kernel_trie;

/// The slot of a trie where the child of `node` by `byte` is, or would go.
uint32_t kernel_trie_slot(const uint64_t *keys, uint32_t mask, uint32_t node, uint8_t byte);

/// The leftmost, and of those the longest, string of the trie at or after `at`: its number, or -1.
int32_t kernel_trie_find(const kernel_trie *trie, const uint8_t *text, size_t at, size_t n, size_t *start, size_t *end);
