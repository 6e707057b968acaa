#pragma once
#include <stddef.h>
#include <stdint.h>

/// Folds `blocks` 64-byte blocks into the SHA-256 state of 8 words (FIPS 180-4, §6.2.2).
void kernel_sha256(uint32_t state[8], const uint8_t *data, size_t blocks);
