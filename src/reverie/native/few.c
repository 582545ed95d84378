/* Layers with few channels on one side: all taps of a pixel side by side, or registers that lie along the inputs. */

#include "layers.h"

void border(const Source *from, size image, size height, size width, size channels, size top, size broad, bf16 *to) {
    for (size y = 0; y < height; y++)
        fetch(to + ((y + top) * broad + top) * channels, from, (image * height + y) * width * channels,
              width * channels);
}

bf16 *unfold(const Layer *l, int spreads, const Source *from, int threads) {
    size height = spreads ? l->rows : l->height, width = spreads ? l->columns : l->width;
    size rows = spreads ? l->height : l->rows, columns = spreads ? l->width : l->columns;
    size channels = spreads ? l->small : l->big, top = spreads ? l->kernel - 1 - l->padding : l->padding;
    size line = l->kernel * channels, broad = most(width + top, (columns - 1) * l->stride + l->kernel);
    size tall = most(height + top, (rows - 1) * l->stride + l->kernel), depth = l->kernel * line;
    size numbers = l->images * rows * columns * depth;
    bf16 *unfolded = room((numbers + SLACK) * sizeof(bf16));
    memset(unfolded + numbers, 0, SLACK * sizeof(bf16)); /* is read beyond an odd number, times 0 */
#pragma omp parallel num_threads(threads)
    {
        bf16 *bordered = zeros((tall * broad * channels + SLACK) * sizeof(bf16));
        bf16 *held = room((columns * depth + SLACK) * sizeof(bf16));
#pragma omp for schedule(static)
        for (size image = 0; image < l->images; image++) {
            border(from, image, height, width, channels, top, broad, bordered);
            for (size y = 0; y < rows; y++) {
                bf16 *to = held; /* each line of taps is written as a whole register, over the end of the one before */
                for (size x = 0; x < columns; x++)
                    for (size i = 0; i < l->kernel; i++, to += line) {
                        const bf16 *at = bordered + ((y * l->stride + i) * broad + x * l->stride) * channels;
                        _mm512_storeu_si512(to, _mm512_loadu_si512(at));
                    }
                memcpy(unfolded + (image * rows + y) * columns * depth, held, columns * depth * sizeof(bf16));
            }
        }
        free(bordered), free(held);
    }
    return unfolded;
}

void reorder(const Layer *l, const float *from, float *to, int back) {
    size taps = l->kernel * l->kernel, row = l->big * sizeof(float);
    for (size s = 0; s < l->small; s++)
        for (size tap = 0; tap < taps; tap++) {
            size here = (s * taps + tap) * l->big, there = ((taps - 1 - tap) * l->small + s) * l->big;
            memcpy(to + (back ? here : there), from + (back ? there : here), row);
        }
}

/* The sums of sixteen registers. */
static inline __m512 sums_of(__m512 r[LANES]) {
    turn((__m512i *)r);
    for (int half = LANES / 2; half; half /= 2)
        for (int i = 0; i < half; i++) r[i] = _mm512_add_ps(r[i], r[i + half]);
    return r[0];
}

/* Sixteen outputs of one channel, side by side: registers lie along the inputs. */
static inline __m512 sixteen(const Layer *l, const bf16 *x, size broad, const bf16 *weights, size deep) {
    __m512 sum[LANES];
    for (int p = 0; p < LANES; p++) sum[p] = _mm512_setzero_ps();
    for (size i = 0; i < l->kernel; i++)
        for (size j = 0; j < l->kernel; j++, weights += deep)
            for (size g = 0; g < deep; g += 2 * LANES) {
                const bf16 *at = x + (i * broad + j) * l->big + g;
                __m512bh w = (__m512bh)_mm512_load_si512(weights + g);
#pragma GCC unroll 16
                for (int p = 0; p < LANES; p++)
                    sum[p] = _mm512_dpbf16_ps(sum[p], (__m512bh)_mm512_loadu_si512(at + p * l->stride * l->big), w);
            }
    return sums_of(sum);
}

void dots(const Layer *l, const Source *big, const float *w, const Target *small, int threads) {
    size taps = l->kernel * l->kernel, deep = rounded(l->big, 2 * LANES), top = l->padding;
    size tall = most(l->height + top, (l->rows - 1) * l->stride + l->kernel);
    size broad = most(l->width + top, (rounded(l->columns, LANES) - 1) * l->stride + l->kernel);
    bf16 *weights = zeros(l->small * taps * deep * sizeof(bf16));
    for (size row = 0; row < l->small * taps; row++)
        for (size g = 0; g < l->big; g += LANES) {
            __mmask16 m = first(l->big - g);
            __m512 of = _mm512_maskz_loadu_ps(m, w + row * l->big + g);
            _mm256_mask_storeu_epi16(weights + row * deep + g, m, narrow(of));
        }
    Target of_row = *small;
    of_row.bias = NULL; /* of each of a row's numbers, it is added before */
#pragma omp parallel num_threads(threads)
    {
        bf16 *bordered = zeros((tall * broad * l->big + SLACK) * sizeof(bf16));
        float *row = room(rounded(l->columns, LANES) * l->small * sizeof(float)), found[LANES];
#pragma omp for schedule(static)
        for (size image = 0; image < l->images; image++) {
            border(big, image, l->height, l->width, l->big, top, broad, bordered);
            for (size y = 0; y < l->rows; y++) {
                for (size x = 0; x < l->columns; x += LANES)
                    for (size s = 0; s < l->small; s++) {
                        const bf16 *at = bordered + (y * broad + x) * l->stride * l->big;
                        __m512 of = sixteen(l, at, broad, weights + s * taps * deep, deep);
                        if (small->bias) of = _mm512_add_ps(of, _mm512_set1_ps(small->bias[s]));
                        _mm512_storeu_ps(found, of);
                        for (size i = 0; i < LANES; i++) row[(x + i) * l->small + s] = found[i];
                    }
                size count = l->columns * l->small, at = (image * l->rows + y) * count;
                for (size i = 0; i < count; i += LANES) put(_mm512_loadu_ps(row + i), &of_row, at, i, first(count - i));
            }
        }
        free(bordered), free(row);
    }
    free(weights);
}
