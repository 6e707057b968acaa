#include "graph.h"
#include "dot.h"
#include "kernel.h"
#include "rotate.h"
#include <math.h>
#include <string.h>

KERNEL static float greatest(const float *x, size_t n) {
#pragma clang fp reassociate(on)
    float most = 0;
    for (size_t i = 0; i < n; i++) most = fmaxf(most, fabsf(x[i]));
    return most;
}

/// Codes of one rotated row, and the squared lengths of what they leave and of themselves.
KERNEL static void code(const float *x, size_t n, float step, int8_t *codes, double *left, double *coded) {
#pragma clang fp reassociate(on) contract(fast)
    float inverse = 1 / step;
    double residual = 0, length = 0;
    for (size_t i = 0; i < n; i++) {
        float whole = fminf(fmaxf(rintf(x[i] * inverse), -127), 127);
        codes[i] = (int8_t)whole;
        double own = (double)step * whole, rest = x[i] - own;
        residual += rest * rest, length += own * own;
    }
    *left = residual, *coded = length;
}

double kernel_graph_code(const struct graph_side *side, size_t first, size_t end, float *scratch) {
    size_t padded = side->padded;
    // kernel_rotate's own bound, with room.
    double rotation = (4 + log2((double)padded)) * 0x1p-24, most = 0;
    int8_t codes[padded];
    for (size_t row = first; row < end; row++) {
        const float *x = side->rows + row * side->width;
        uint8_t *panel = side->panels + row / GRAPH_COLUMNS * GRAPH_COLUMNS * padded + row % GRAPH_COLUMNS * 4;
        double length = sqrt(kernel_dot_exact(x, x, side->width)), left = 0, coded = 0;
        side->steps[row] = 0, side->errors[row] = -INFINITY;
        memset(codes, 0, padded);
        if (length > 0) {
            kernel_rotate(x, side->width, scratch);
            float step = greatest(scratch, padded) / 127;
            code(scratch, padded, step, codes, &left, &coded);
            side->steps[row] = step;
            // Sums in double, in whatever order: good to far less than the millionth added here.
            side->errors[row] = (float)((sqrt(left) + rotation * length) * (1 + 1e-6));
            most = fmax(most, fmax(length, sqrt(coded)));
        }
        for (size_t i = 0; i < padded; i += 4)
            for (size_t j = 0; j < 4; j++) panel[i * GRAPH_COLUMNS + j] = (uint8_t)(codes[i + j] + 128);
    }
    return most;
}

void kernel_graph_scale_errors(const struct graph_side *side, double most) {
    for (size_t row = 0; row < side->count; row++) side->errors[row] = (float)(side->errors[row] * most * (1 + 1e-6));
}

void kernel_graph_pack(const struct graph_side *side, const struct graph_stripe *stripe) {
    size_t groups = (stripe->count + GRAPH_ROWS - 1) / GRAPH_ROWS, padded = side->padded;
    for (size_t i = 0; i < groups * GRAPH_ROWS; i++) {
        int8_t *to = stripe->packed + i / GRAPH_ROWS * GRAPH_ROWS * padded + i % GRAPH_ROWS * 4;
        size_t row = stripe->first + i;
        const uint8_t *from = side->panels + row / GRAPH_COLUMNS * GRAPH_COLUMNS * padded + row % GRAPH_COLUMNS * 4;
        int32_t sum = 0;
        for (size_t d = 0; d < padded; d += 4)
            for (size_t j = 0; j < 4; j++) {
                int8_t one = i < stripe->count ? (int8_t)(from[d * GRAPH_COLUMNS + j] - 128) : 0;
                to[d * GRAPH_ROWS + j] = one;
                sum += one;
            }
        stripe->starts[i] = -128 * sum;
    }
}
