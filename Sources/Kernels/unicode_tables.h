#pragma once
#include <stdint.h>

extern const uint32_t unicode_edges[], unicode_edge_count;
extern const uint32_t nfc_mark_edges[], nfc_mark_edge_count;
extern const uint32_t nfc_pairs[][3], nfc_pair_count;
extern const uint32_t nfc_singles[][2], nfc_single_count;
