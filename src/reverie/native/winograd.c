/* 3x3 kernels that keep the size, by sixteen products for the nine taps of four pixels.

With a tile d of 4x4 pixels, a kernel w and 2x2 pixels y of the result (Lavin and Gray 2016, 1509.09308):
    y = A^T ((G w G^T) * (B^T d B)) A        of_w = G^T (sum over tiles of (B^T d B) * (A y A^T)) G
What is multiplied is rounded to bf16 once more than in `gather`: the error of a sum is about twice as large. */

#include "layers.h"

#define TWICE _Pragma("GCC unroll 2") for (int i = 0; i < 2; i++)
#define FOUR _Pragma("GCC unroll 4") for (int i = 0; i < 4; i++)
#define PLUS _mm512_add_ps
#define LESS _mm512_sub_ps

enum { TOGETHER = 49 }; /* tiles of a group of images, about */

typedef struct {
    size tall, broad, tiles, images, height, width; /* tiles; images of a group; pixels with a border of zeros */
} Grid;

static Grid grid_of(const Layer *l) {
    size tall = parts(l->height, 2), broad = parts(l->width, 2);
    return (Grid){tall, broad, tall * broad, parts(TOGETHER, tall * broad), 2 * tall + 2, 2 * broad + 2};
}

static void borders(const Layer *l, const Grid *g, const Source *from, size channels, size begin, size images,
                    bf16 *to) {
    for (size i = 0; i < images; i++)
        border(from, begin + i, l->height, l->width, channels, 1, g->width, to + i * g->height * g->width * channels);
}

/* ---- tiles as sixteen planes of numbers ---- */

/* Planes [16][tile][channel], or [16][pair of tiles][channel][2]. */
typedef struct {
    bf16 *to;
    size channels, step; /* of a tile; from a plane to the next */
    int paired;
} Planes;

static inline void keep(const Planes *p, __m256i held[16], const __m512 v[16], size tile, size channel, __mmask16 m) {
    for (int i = 0; i < 16; i++) {
        bf16 *plane = p->to + i * p->step;
        __m256i x = narrow(v[i]);
        if (!p->paired) _mm256_mask_storeu_epi16(plane + tile * p->channels + channel, m, x);
        else if (tile % 2 == 0) held[i] = x;
        else _mm512_storeu_si512(plane + ((tile - 1) * p->channels + 2 * channel), pairs_of(held[i], x));
    }
}

/* A tile without a partner has zeros beside it. */
static inline void keep_last(const Planes *p, __m256i held[16], size tiles_, size channel) {
    __m512 none[16] = {0};
    if (p->paired && tiles_ % 2) keep(p, held, none, tiles_, channel, 0xffff);
}

static inline void times_b(__m512 *v, __m512 a, __m512 b, __m512 c, __m512 d) {
    v[0] = LESS(a, c), v[1] = PLUS(b, c), v[2] = LESS(c, b), v[3] = LESS(b, d);
}

static inline void column_times_b(__m512 *v, const bf16 *x, size line, __mmask16 m) {
    times_b(v, wide(x, m), wide(x + line, m), wide(x + 2 * line, m), wide(x + 3 * line, m));
}

static inline void times_a(__m512 *v, __m512 a, __m512 b) {
    v[0] = a, v[1] = PLUS(a, b), v[2] = LESS(a, b), v[3] = LESS(_mm512_setzero_ps(), b);
}

/* B^T d B of every tile of bordered images, or of their small side A y A^T. */
static inline void tiles_of(const bf16 *x, const Grid *g, size images, size channels, const Planes *p, int small) {
    size line = g->width * channels;
    for (size channel = 0; channel < channels; channel += LANES) {
        __mmask16 m = first(channels - channel);
        __m256i held[16];
        size tile = 0;
        for (size row = 0; row < images * g->tall; row++) {
            const bf16 *at = x + (row / g->tall * g->height + row % g->tall * 2) * line + channel;
            __m512 t[4][4], v[16];
            if (small) at += line + channels; /* it has no border */
            else TWICE column_times_b(t[i], at + i * channels, line, m);
            for (size column = 0; column < g->broad; column++, tile++, at += 2 * channels) {
                if (small) {
                    TWICE times_a(t[i], wide(at + i * channels, m), wide(at + line + i * channels, m));
                    FOUR times_a(v + 4 * i, t[0][i], t[1][i]);
                } else {
                    TWICE column_times_b(t[2 + i], at + (2 + i) * channels, line, m);
                    FOUR times_b(v + 4 * i, t[0][i], t[1][i], t[2][i], t[3][i]);
                    FOUR t[0][i] = t[2][i], t[1][i] = t[3][i];
                }
                keep(p, held, v, tile, channel, m);
            }
        }
        keep_last(p, held, tile, channel);
    }
}

/* ---- kernels ---- */

static inline __m512 half(__m512 x) { return _mm512_mul_ps(_mm512_set1_ps(.5f), x); }

static inline void times_g(__m512 *v, __m512 a, __m512 b, __m512 c) {
    v[0] = a, v[1] = half(PLUS(PLUS(a, c), b)), v[2] = half(LESS(PLUS(a, c), b)), v[3] = c;
}

static inline void from_g(__m512 *w, const __m512 *v) {
    w[0] = PLUS(v[0], half(PLUS(v[1], v[2]))), w[1] = half(LESS(v[1], v[2])), w[2] = PLUS(half(PLUS(v[1], v[2])), v[3]);
}

/* G w G^T: W[S][9][G] to U[S][16][G]; turned about for `spread`. */
static float *kernels_in(const Layer *l, const float *w, int turned, int threads) {
    float *u = room(l->small * 16 * l->big * sizeof(float));
#pragma omp parallel for num_threads(threads) schedule(static)
    for (size s = 0; s < l->small; s++)
        for (size g = 0; g < l->big; g += LANES) {
            __mmask16 m = first(l->big - g);
            __m512 x[9], t[3][4], v[16];
            for (int tap = 0; tap < 9; tap++)
                x[turned ? 8 - tap : tap] = _mm512_maskz_loadu_ps(m, w + (s * 9 + tap) * l->big + g);
            for (int i = 0; i < 3; i++) times_g(t[i], x[i], x[3 + i], x[6 + i]);
            for (int i = 0; i < 4; i++) times_g(v + 4 * i, t[0][i], t[1][i], t[2][i]);
            for (int i = 0; i < 16; i++) _mm512_mask_storeu_ps(u + (s * 16 + i) * l->big + g, m, v[i]);
        }
    return u;
}

/* G^T u G, summed over shares: U[SHARES][S][16][G] to W[S][9][G]. */
static void kernels_out(const Layer *l, const float *u, float *w, int threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (size s = 0; s < l->small; s++)
        for (size g = 0; g < l->big; g += LANES) {
            __mmask16 m = first(l->big - g);
            __m512 x[16] = {0}, t[4][3], column[4], v[3];
            for (size share = 0; share < SHARES; share++)
                for (int i = 0; i < 16; i++)
                    x[i] = PLUS(x[i], _mm512_maskz_loadu_ps(m, u + ((share * l->small + s) * 16 + i) * l->big + g));
            for (int i = 0; i < 4; i++) from_g(t[i], x + 4 * i);
            for (int j = 0; j < 3; j++) {
                for (int i = 0; i < 4; i++) column[i] = t[i][j];
                from_g(v, column);
                for (int i = 0; i < 3; i++) _mm512_mask_storeu_ps(w + (s * 9 + 3 * i + j) * l->big + g, m, v[i]);
            }
        }
}

/* ---- gather, spread, weigh ---- */

typedef float Products[16][ROWS][BLOCKS * LANES];

/* The sixteen products of a panel and some tiles. */
static inline void multiply(const Panels *p, const bf16 *packed, Part panel, const Planes *planes, Part rows,
                            Products m) {
    for (size plane = 0; plane < 16; plane++) {
        const Target sums_alone = {.sums = m[plane][0]};
        const Taps tap = {1, {0}, {plane * p->pairs * 2 * LANES}};
        const bf16 *row[ROWS];
        size at[ROWS];
        for (size i = 0; i < rows.count; i++) {
            row[i] = planes->to + plane * planes->step + (rows.begin + i) * planes->channels;
            at[i] = i * BLOCKS * LANES;
        }
        tiles[panel.count - 1][rows.count - 1](row, packed + panel.begin * p->block, &tap, p->pairs, at, &sums_alone, 0,
                                               panel.count * LANES);
    }
}

/* A^T m A of one tile, whose first pixel begins at `at`: up to four pixels. */
static inline void finish(const Layer *l, const Products m, size i, size blocks, const Target *to, size at, size y,
                          size x, size place, size outputs) {
    size down = l->width * outputs;
    for (size b = 0; b < blocks; b++, place += LANES) {
        __mmask16 mask = first(outputs - place);
        __m512 t[2][4];
        for (int j = 0; j < 4; j++) {
            __m512 v[4];
            for (int k = 0; k < 4; k++) v[k] = _mm512_load_ps(m[4 * k + j][i] + b * LANES);
            t[0][j] = PLUS(v[0], PLUS(v[1], v[2])), t[1][j] = LESS(LESS(v[1], v[2]), v[3]);
        }
        for (int k = 0; k < 2 && y + k < l->height; k++) {
            put(PLUS(t[k][0], PLUS(t[k][1], t[k][2])), to, at + k * down, place, mask);
            if (x + 1 < l->width)
                put(LESS(LESS(t[k][1], t[k][2]), t[k][3]), to, at + k * down + outputs, place, mask);
        }
    }
}

static void convolve(const Layer *l, int spreads, const Source *from, const float *w, const Target *to, int threads) {
    size inputs = spreads ? l->small : l->big, outputs = spreads ? l->big : l->small;
    Grid g = grid_of(l);
    Panels p = panels_of(inputs, 16, outputs, spreads);
    float *u = kernels_in(l, w, spreads, threads);
    bf16 *packed = pack(&p, u, threads);
    size tasks = parts(l->images, g.images), longest = g.images * g.tiles;
#pragma omp parallel num_threads(threads)
    {
        bf16 *bordered = zeros(g.images * g.height * g.width * inputs * sizeof(bf16));
        Planes planes = {zeros(16 * longest * inputs * sizeof(bf16)), inputs, longest * inputs, 0};
        Products *m = room(sizeof(Products));
#pragma omp for schedule(static)
        for (size task = 0; task < tasks; task++) {
            size image = task * g.images, images = least(g.images, l->images - image), count = images * g.tiles;
            borders(l, &g, from, inputs, image, images, bordered);
            tiles_of(bordered, &g, images, inputs, &planes, 0);
            for (size i = 0; i < parts(p.blocks, BLOCKS); i++) {
                Part panel = part_of(i, p.blocks, BLOCKS);
                for (size j = 0; j < parts(count, ROWS); j++) {
                    Part rows = part_of(j, count, ROWS);
                    multiply(&p, packed, panel, &planes, rows, *m);
                    for (size k = 0; k < rows.count; k++) {
                        size tile = rows.begin + k, y = tile % g.tiles / g.broad * 2, x = tile % g.tiles % g.broad * 2;
                        size place = (((image + tile / g.tiles) * l->height + y) * l->width + x) * outputs;
                        finish(l, *m, k, panel.count, to, place, y, x, panel.begin * LANES, outputs);
                    }
                }
            }
        }
        free(bordered), free(planes.to), free(m);
    }
    free(u), free(packed);
}

EXPORT void winograd_gather(const Layer *l, const Source *big, const float *w, const Target *small, int threads) {
    convolve(l, 0, big, w, small, threads);
}

EXPORT void winograd_spread(const Layer *l, const Source *small, const float *w, const Target *big, int threads) {
    convolve(l, 1, small, w, big, threads);
}

EXPORT void winograd_weigh(const Layer *l, const Source *big, const Source *small, float *of_w, float *of_bias,
                           int threads) {
    Grid g = grid_of(l);
    size tasks = parts(l->images, g.images), halves = parts(g.images * g.tiles, 2), kernels = l->small * 16 * l->big;
    size broad = rounded(l->big, LANES), small_broad = rounded(l->small, LANES), padded = g.images * g.height * g.width;
    float *u = zeros(SHARES * kernels * sizeof(float));
#pragma omp parallel num_threads(threads)
    {
        bf16 *x = zeros(padded * l->big * sizeof(bf16)), *y = zeros(padded * l->small * sizeof(bf16));
        Planes bigs = {room(32 * halves * broad * sizeof(bf16)), broad, 2 * halves * broad, 1};
        Planes smalls = {room(32 * halves * small_broad * sizeof(bf16)), small_broad, 2 * halves * small_broad, 1};
#pragma omp for schedule(static)
        for (size share = 0; share < SHARES; share++)
            for (size task = tasks * share / SHARES; task < tasks * (share + 1) / SHARES; task++) {
                size image = task * g.images, images = least(g.images, l->images - image);
                borders(l, &g, big, l->big, image, images, x);
                borders(l, &g, small, l->small, image, images, y);
                tiles_of(x, &g, images, l->big, &bigs, 0);
                tiles_of(y, &g, images, l->small, &smalls, 1);
                for (size plane = 0; plane < 16; plane++)
                    sum_up(smalls.to + plane * smalls.step, small_broad, l->small, bigs.to + plane * bigs.step,
                           broad, l->big, parts(images * g.tiles, 2), u + share * kernels + plane * l->big,
                           16 * l->big, 1);
            }
        free(x), free(y), free(bigs.to), free(smalls.to);
    }
    kernels_out(l, u, of_w, threads);
    if (of_bias) add_up(l->images * l->rows * l->columns, l->small, small, of_bias, threads);
    free(u);
}
