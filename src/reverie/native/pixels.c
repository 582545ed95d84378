/* Four channels of a pixel as one of four pixels: (h, w, 4 x channels) and (2 h, 2 w, channels), cut to size; or back.

Channel 4 c + 2 i + j of a pixel is channel c of the i-th pixel down and the j-th along of its four. */

#include "layers.h"

typedef struct {
    size images, height, width, channels, rows, columns; /* fewer and larger sides; channels of the larger one */
} Pixels;

/* Eight times four numbers, those of each of the four side by side. */
static inline __m512i parted(__m512i x) {
    const __m512i at = _mm512_set_epi16(31, 27, 23, 19, 15, 11, 7, 3, 30, 26, 22, 18, 14, 10, 6, 2,
                                        29, 25, 21, 17, 13, 9, 5, 1, 28, 24, 20, 16, 12, 8, 4, 0);
    return _mm512_permutexvar_epi16(at, x);
}

static inline __m512i together(__m512i x) {
    const __m512i at = _mm512_set_epi16(31, 23, 15, 7, 30, 22, 14, 6, 29, 21, 13, 5, 28, 20, 12, 4,
                                        27, 19, 11, 3, 26, 18, 10, 2, 25, 17, 9, 1, 24, 16, 8, 0);
    return _mm512_permutexvar_epi16(at, x);
}

static inline void scatter(const bf16 *from, bf16 *const to[4], size channels) {
    for (size c = 0; c < channels; c += 8) {
        size n = least(8, channels - c);
        __mmask8 m = (__mmask8)((1u << n) - 1);
        __m512i x = parted(_mm512_maskz_loadu_epi16((__mmask32)((1ull << 4 * n) - 1), from + 4 * c));
        if (to[0]) _mm_mask_storeu_epi16(to[0] + c, m, _mm512_extracti32x4_epi32(x, 0));
        if (to[1]) _mm_mask_storeu_epi16(to[1] + c, m, _mm512_extracti32x4_epi32(x, 1));
        if (to[2]) _mm_mask_storeu_epi16(to[2] + c, m, _mm512_extracti32x4_epi32(x, 2));
        if (to[3]) _mm_mask_storeu_epi16(to[3] + c, m, _mm512_extracti32x4_epi32(x, 3));
    }
}

static inline void collect(bf16 *to, bf16 *const from[4], size channels) {
    for (size c = 0; c < channels; c += 8) {
        size n = least(8, channels - c);
        __mmask8 m = (__mmask8)((1u << n) - 1);
        __m128i part[4];
        for (int k = 0; k < 4; k++) part[k] = from[k] ? _mm_maskz_loadu_epi16(m, from[k] + c) : _mm_setzero_si128();
        __m512i x = _mm512_inserti32x4(_mm512_castsi128_si512(part[0]), part[1], 1);
        x = together(_mm512_inserti32x4(_mm512_inserti32x4(x, part[2], 2), part[3], 3));
        _mm512_mask_storeu_epi16(to + 4 * c, (__mmask32)((1ull << 4 * n) - 1), x);
    }
}

/* From the fewer pixels to the more; or back, with 0 for pixels that were cut off. */
EXPORT void shuffle(const Pixels *p, bf16 *few, bf16 *many, int back, int threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (size line = 0; line < p->images * p->height; line++)
        for (size column = 0; column < p->width; column++) {
            bf16 *one = few + 4 * (line * p->width + column) * p->channels, *four[4];
            for (size k = 0; k < 4; k++) {
                size y = 2 * (line % p->height) + k / 2, x = 2 * column + k % 2;
                size place = (line / p->height * p->rows + y) * p->columns + x;
                four[k] = y < p->rows && x < p->columns ? many + place * p->channels : NULL;
            }
            if (back) collect(one, four, p->channels);
            else scatter(one, four, p->channels);
        }
}
