#pragma once
#include <stddef.h>
#include <stdint.h>

// The end of the word that begins at `p`, in well-formed UTF-8 up to `end` (p < end). `pattern` as in tokens.h.
const uint8_t *next_word(const uint8_t *p, const uint8_t *end, uint32_t pattern);
