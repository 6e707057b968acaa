#pragma once
#include <stdbool.h>

/// Loads OpenBLAS, once, with one thread. Returns NULL, or what the loader said when there is none.
///
/// Not linked but loaded when first needed: its start-up (a thread per processor that spins for work) would cost every
/// query more than the query. One thread: threads inside a product halve the rate on a 128-wide layer; workers own
/// whole contexts instead.
const char *openblas_load(void);

/// c = alpha · op(a) · op(b) + beta · c on row-major matrices: cblas_sgemm. Only after `openblas_load` returned NULL.
void openblas_sgemm(bool transpose_a, bool transpose_b, int m, int n, int k, float alpha, const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc);
