#include "hash.h"
#include "include/tokens.h"
#include <string.h>

static bool equal(const kernel_strings *set, uint32_t index, const uint8_t *text, size_t n) {
    size_t from = set->offsets[index];
    return set->offsets[index + 1] - from == n && memcmp(set->bytes + from, text, n) == 0;
}

int64_t kernel_strings_find(const kernel_strings *set, const uint8_t *text, size_t n) {
    for (uint32_t slot = (uint32_t)hash_bytes(text, n) & set->mask; set->slots[slot]; slot = (slot + 1) & set->mask)
        if (equal(set, set->slots[slot] - 1, text, n)) return set->slots[slot] - 1;
    return -1;
}

uint32_t kernel_strings_insert(const kernel_strings *set, uint32_t index) {
    const uint8_t *text = set->bytes + set->offsets[index];
    size_t n = set->offsets[index + 1] - set->offsets[index];
    uint32_t slot = (uint32_t)hash_bytes(text, n) & set->mask;
    for (; set->slots[slot]; slot = (slot + 1) & set->mask)
        if (equal(set, set->slots[slot] - 1, text, n)) return set->slots[slot] - 1;
    set->slots[slot] = index + 1;
    return index;
}

uint32_t kernel_trie_slot(const uint64_t *keys, uint32_t mask, uint32_t node, uint8_t byte) {
    uint64_t key = ((uint64_t)node << 8 | byte) + 1;
    uint32_t slot = (uint32_t)hash_pair(key, 0) & mask;
    while (keys[slot] && keys[slot] != key) slot = (slot + 1) & mask;
    return slot;
}

int32_t kernel_trie_find(const kernel_trie *trie, const uint8_t *text, size_t at, size_t n, size_t *start, size_t *end) {
    for (size_t i = at; i < n; i++) {
        if (!trie->first[text[i]]) continue;
        int32_t found = -1;
        uint32_t node = 0;
        for (size_t j = i; j < n;) {
            uint32_t slot = kernel_trie_slot(trie->keys, trie->mask, node, text[j]);
            if (!trie->keys[slot]) break;
            node = trie->nodes[slot], j++;
            if (trie->ends[node] >= 0) found = trie->ends[node], *end = j;
        }
        if (found >= 0) return *start = i, found;
    }
    return -1;
}
