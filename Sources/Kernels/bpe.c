#include "hash.h"
#include "include/tokens.h"
#include "words.h"
#include <stdlib.h>

// Byte-pair encoding of one word: join the pair of lowest rank, leftmost first, until none is left. Words of
// ordinary length look for it in a row; long ones (a megabyte of one letter is a word) keep a heap.

enum { NONE = UINT32_MAX, SHORT = 48 };

void kernel_merge_insert(kernel_merge *table, uint32_t mask, kernel_merge merge) {
    uint32_t slot = (uint32_t)hash_pair(merge.left, merge.right) & mask;
    while (table[slot].rank != NONE && (table[slot].left != merge.left || table[slot].right != merge.right)) slot = (slot + 1) & mask;
    table[slot] = merge;
}

static inline const kernel_merge *find(const kernel_bpe *model, uint32_t left, uint32_t right) {
    uint32_t slot = (uint32_t)hash_pair(left, right) & model->merge_mask;
    for (;; slot = (slot + 1) & model->merge_mask) {
        const kernel_merge *merge = model->merges + slot;
        if (merge->rank == NONE) return NULL;
        if (merge->left == left && merge->right == right) return merge;
    }
}

static size_t encode_short(const kernel_bpe *model, const uint8_t *word, size_t n, int32_t *out) {
    const kernel_merge *pair[SHORT];
    for (size_t i = 0; i < n; i++) out[i] = (int32_t)model->byte_ids[word[i]];
    for (size_t i = 0; i + 1 < n; i++) pair[i] = find(model, (uint32_t)out[i], (uint32_t)out[i + 1]);
    while (n > 1) {
        uint32_t rank = NONE;
        size_t at = 0;
        for (size_t i = 0; i + 1 < n; i++)
            if (pair[i] && pair[i]->rank < rank) rank = pair[i]->rank, at = i;
        if (rank == NONE) break;
        out[at] = (int32_t)pair[at]->id;
        n--;
        memmove(out + at + 1, out + at + 2, (n - at - 1) * sizeof *out);
        if (at + 1 < n) {
            memmove(pair + at + 1, pair + at + 2, (n - at - 2) * sizeof *pair);
            pair[at] = find(model, (uint32_t)out[at], (uint32_t)out[at + 1]);
        }
        if (at > 0) pair[at - 1] = find(model, (uint32_t)out[at - 1], (uint32_t)out[at]);
    }
    return n;
}

// A heap of rank << 32 | place, least first.
typedef struct { uint64_t *items; size_t count; } heap;

static void sink(heap *h, size_t i) {
    uint64_t item = h->items[i];
    for (size_t child; (child = 2 * i + 1) < h->count; i = child) {
        if (child + 1 < h->count && h->items[child + 1] < h->items[child]) child++;
        if (h->items[child] >= item) break;
        h->items[i] = h->items[child];
    }
    h->items[i] = item;
}

static void push(heap *h, uint64_t item) {
    size_t i = h->count++;
    for (; i && h->items[(i - 1) / 2] > item; i = (i - 1) / 2) h->items[i] = h->items[(i - 1) / 2];
    h->items[i] = item;
}

typedef struct { uint32_t previous, next, rank, into; } link; // rank, into: of the pair that begins here

// A word of more than 2^30 bytes is encoded as several, since places are 32 bits wide: there alone ids may differ.
static size_t encode_long(const kernel_bpe *model, const uint8_t *word, size_t n, int32_t *out) {
    enum { MOST = 1 << 30 };
    if (n > MOST) {
        size_t first = encode_long(model, word, MOST, out);
        return first + encode_long(model, word + MOST, n - MOST, out + first);
    }
    link *links = malloc(n * sizeof *links);
    heap h = {malloc(3 * n * sizeof(uint64_t)), 0}; // n at first, two for each of less than n merges
    if (!links || !h.items) abort();
    for (size_t i = 0; i < n; i++) out[i] = (int32_t)model->byte_ids[word[i]];
    for (size_t i = 0; i < n; i++) {
        links[i] = (link){i ? (uint32_t)i - 1 : NONE, i + 1 < n ? (uint32_t)i + 1 : NONE, NONE, 0};
        const kernel_merge *merge = i + 1 < n ? find(model, (uint32_t)out[i], (uint32_t)out[i + 1]) : NULL;
        if (!merge) continue;
        links[i].rank = merge->rank, links[i].into = merge->id;
        h.items[h.count++] = (uint64_t)merge->rank << 32 | i;
    }
    for (size_t i = h.count / 2; i--;) sink(&h, i);
    while (h.count) {
        uint64_t top = h.items[0];
        h.items[0] = h.items[--h.count];
        if (h.count) sink(&h, 0);
        uint32_t at = (uint32_t)top, rank = (uint32_t)(top >> 32);
        if (links[at].rank != rank) continue; // the pair has changed since
        uint32_t gone = links[at].next, next = links[gone].next, previous = links[at].previous;
        out[at] = (int32_t)links[at].into;
        links[gone].rank = NONE;
        links[at].next = next;
        if (next != NONE) links[next].previous = at;
        for (int side = 0; side < 2; side++) {
            uint32_t left = side ? at : previous;
            if (left == NONE) continue;
            uint32_t right = links[left].next;
            const kernel_merge *merge = right == NONE ? NULL : find(model, (uint32_t)out[left], (uint32_t)out[right]);
            links[left].rank = merge ? merge->rank : NONE;
            if (!merge) continue;
            links[left].into = merge->id;
            push(&h, (uint64_t)merge->rank << 32 | left);
        }
    }
    size_t count = 0;
    for (uint32_t i = 0; i != NONE; i = links[i].next) out[count++] = out[i];
    free(links);
    free(h.items);
    return count;
}

static size_t encode_word(const kernel_bpe *model, const uint8_t *word, size_t n, int32_t *out) {
    if (model->words) {
        int64_t whole = kernel_strings_find(model->words, word, n);
        if (whole >= 0) return *out = (int32_t)model->word_ids[whole], 1;
    }
    return n <= SHORT ? encode_short(model, word, n, out) : encode_long(model, word, n, out);
}

// MARK: the cache

enum { KEPT = 48, FIRST_SLOTS = 1 << 10, MOST_SLOTS = 1 << 16, PROBES = 16 };

// Up to 16 bytes: the word in a, b. Longer: a is its hash, b its place among `bytes`. One id: `ids` is it.
typedef struct { uint64_t a, b; uint32_t ids; uint16_t length, count; } entry;

struct kernel_word_cache {
    entry *entries;
    uint32_t mask, used;
    uint8_t *bytes;
    size_t byte_count, byte_room;
    int32_t *ids;
    size_t id_count, id_room;
};

kernel_word_cache *kernel_word_cache_create(void) {
    kernel_word_cache *c = calloc(1, sizeof *c);
    if (!c || !(c->entries = calloc(FIRST_SLOTS, sizeof *c->entries))) abort();
    c->mask = FIRST_SLOTS - 1;
    return c;
}

void kernel_word_cache_destroy(kernel_word_cache *c) {
    free(c->entries), free(c->bytes), free(c->ids), free(c);
}

static uint64_t entry_hash(const entry *e) { return e->length <= 16 ? hash_pair(e->a ^ e->length, e->b) : e->a; }

// Twice the load is four times the room; at the most allowed, everything is forgotten and learnt anew.
static void make_room(kernel_word_cache *c) {
    if (c->mask + 1 == MOST_SLOTS) {
        memset(c->entries, 0, MOST_SLOTS * sizeof *c->entries);
        c->used = 0, c->byte_count = 0, c->id_count = 0;
        return;
    }
    uint32_t mask = (c->mask + 1) * 4 - 1;
    entry *wider = calloc((size_t)mask + 1, sizeof *wider);
    if (!wider) abort();
    for (uint32_t i = 0; i <= c->mask; i++) {
        if (!c->entries[i].length) continue;
        uint32_t slot = (uint32_t)entry_hash(c->entries + i) & mask;
        while (wider[slot].length) slot = (slot + 1) & mask;
        wider[slot] = c->entries[i];
    }
    free(c->entries);
    c->entries = wider, c->mask = mask;
}

static void *grown(void *items, size_t *room, size_t need, size_t size) {
    if (need <= *room) return items;
    *room = need * 2;
    if (!(items = realloc(items, *room * size))) abort();
    return items;
}

static size_t encode_cached(const kernel_bpe *model, kernel_word_cache *c, const uint8_t *word, size_t n, int32_t *out) {
    entry key = {.length = (uint16_t)n};
    if (n <= 16) short_key(word, n, &key.a, &key.b); else key.a = hash_bytes(word, n);
    uint32_t home = (uint32_t)entry_hash(&key), probe = 0;
    for (; probe < PROBES; probe++) {
        const entry *e = c->entries + ((home + probe) & c->mask);
        if (!e->length) break;
        if (e->length != n || e->a != key.a) continue;
        if (n <= 16 ? e->b != key.b : memcmp(c->bytes + e->b, word, n) != 0) continue;
        if (e->count == 1) return *out = (int32_t)e->ids, 1;
        memcpy(out, c->ids + e->ids, e->count * sizeof *out);
        return e->count;
    }
    size_t count = encode_word(model, word, n, out);
    if (probe == PROBES) return count; // text made to collide is encoded, not remembered
    if (c->used >= (c->mask + 1) / 2) {
        make_room(c);
        for (probe = 0; c->entries[(home + probe) & c->mask].length;) probe++;
    }
    key.count = (uint16_t)count;
    if (n > 16) {
        c->bytes = grown(c->bytes, &c->byte_room, c->byte_count + n, 1);
        memcpy(c->bytes + c->byte_count, word, n);
        key.b = c->byte_count, c->byte_count += n;
    }
    if (count == 1) {
        key.ids = (uint32_t)*out;
    } else {
        c->ids = grown(c->ids, &c->id_room, c->id_count + count, sizeof *c->ids);
        memcpy(c->ids + c->id_count, out, count * sizeof *out);
        key.ids = (uint32_t)c->id_count, c->id_count += count;
    }
    c->entries[(home + probe) & c->mask] = key;
    c->used++;
    return count;
}

size_t kernel_bpe_encode(const kernel_bpe *model, kernel_word_cache *cache, const uint8_t *text, size_t at, size_t n,
                         int32_t *out, size_t room, size_t *written) {
    size_t count = 0;
    while (at < n) {
        size_t length = (size_t)(next_word(text + at, text + n, model->pattern) - (text + at));
        if (length > room - count) break;
        count += length <= KEPT ? encode_cached(model, cache, text + at, length, out + count)
                                : encode_word(model, text + at, length, out + count);
        at += length;
    }
    *written = count;
    return at;
}
