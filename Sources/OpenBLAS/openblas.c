#define _GNU_SOURCE
#include "openblas.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>

// The values of the CBLAS standard's enums.
enum { ROW_MAJOR = 101, AS_IT_IS = 111, TRANSPOSED = 112 };

typedef void sgemm_function(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha, const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc);

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const char *problem;
static sgemm_function *sgemm;

static void load(void) {
    setenv("OPENBLAS_NUM_THREADS", "1", 1);
    void *library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    if (library) sgemm = (sgemm_function *)dlsym(library, "cblas_sgemm");
    if (!sgemm) {
        problem = dlerror();
        if (!problem) problem = "unknown";
    }
}

const char *openblas_load(void) {
    pthread_once(&once, load);
    return problem;
}

void openblas_sgemm(bool transpose_a, bool transpose_b, int m, int n, int k, float alpha, const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc) {
    if (openblas_load()) abort();
    sgemm(ROW_MAJOR, transpose_a ? TRANSPOSED : AS_IT_IS, transpose_b ? TRANSPOSED : AS_IT_IS, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
