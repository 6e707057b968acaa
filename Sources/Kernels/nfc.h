#pragma once
// Builds the table of compositions; kernel_unicode_prepare calls it.
void nfc_prepare(void);
