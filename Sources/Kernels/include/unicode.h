#pragma once
#include <stddef.h>
#include <stdint.h>

/// What a code point is to a tokenizer: `kind = class & UNICODE_KIND`, and two flags.
enum {
    UNICODE_OTHER = 0,
    UNICODE_LETTER = 1, // \p{L}
    UNICODE_NUMBER = 2, // \p{N}
    UNICODE_SPACE = 3,  // \s
    UNICODE_KIND = 3,
    UNICODE_WORD = 4,     // \w
    UNICODE_UNSTABLE = 8, // NFC may change or move it, or join it to what stands before
};

/// Expands the tables. Call once, before anything else here and before scanning words or normalising.
void kernel_unicode_prepare(void);

/// The class of any number; 0 beyond Unicode.
uint8_t kernel_unicode_class(uint32_t code_point);

/// How many of the `n` bytes, from the first, are well-formed UTF-8.
size_t kernel_utf8_valid_prefix(const uint8_t *text, size_t n);

/// The length of the maximal ill-formed subpart at `text` (n > 0), which one U+FFFD replaces.
size_t kernel_utf8_ill_formed(const uint8_t *text, size_t n);

/// The offset of the first character that NFC might touch, or `n`. `text` is well-formed UTF-8.
size_t kernel_nfc_stable_prefix(const uint8_t *text, size_t n);

/// Writes the NFC of well-formed `text` to `out` (room for 3 * n bytes) and returns its length.
size_t kernel_nfc(const uint8_t *text, size_t n, uint8_t *out);
