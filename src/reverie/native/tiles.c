/* Tiles of matrix products, one function for each number of rows and of blocks; weights as panels. */

#include "tiles.h"

#define UNROLL _Pragma("GCC unroll 8")
#define EACH(P, N) UNROLL for (int p = 0; p < P; p++) UNROLL for (int j = 0; j < N; j++)
#define TILE(P, N)                                                                                                    \
    static void tile_##P##_##N(const bf16 *const *from, const bf16 *panel, const Taps *taps, size pairs,              \
                               const size *at, const Target *to, size place, size outputs) {                          \
        __m512 sum[P][N];                                                                                             \
        EACH(P, N) sum[p][j] = _mm512_setzero_ps();                                                                   \
        for (size t = 0; t < taps->count; t++) {                                                                      \
            const bf16 *x[P], *w = panel + taps->weights[t] * N;                                                      \
            UNROLL for (int p = 0; p < P; p++) x[p] = from[p] + taps->read[t];                                        \
            for (size k = 0; k < pairs; k++, w += 2 * LANES * N) {                                                    \
                __m512bh b[N];                                                                                        \
                UNROLL for (int j = 0; j < N; j++) b[j] = (__m512bh)_mm512_loadu_si512(w + 2 * LANES * j);            \
                UNROLL for (int p = 0; p < P; p++) {                                                                  \
                    __m512bh a = (__m512bh)_mm512_set1_epi32(((const int *)x[p])[k]);                                 \
                    UNROLL for (int j = 0; j < N; j++) sum[p][j] = _mm512_dpbf16_ps(sum[p][j], a, b[j]);              \
                }                                                                                                     \
            }                                                                                                         \
        }                                                                                                             \
        EACH(P, N) put(sum[p][j], to, at[p], place + LANES * j, first(outputs - LANES * j));                          \
    }                                                                                                                 \
    static void sums_##P##_##N(const bf16 *a, size a_step, const bf16 *b, size b_step, size pairs, float *c,          \
                               size c_step, size outputs, int more) {                                                 \
        __m512 sum[P][N];                                                                                             \
        EACH(P, N) sum[p][j] = more ? _mm512_maskz_loadu_ps(first(outputs - LANES * j), c + p * c_step + LANES * j)   \
                                    : _mm512_setzero_ps();                                                            \
        for (size k = 0; k < pairs; k++, a += a_step, b += b_step) {                                                  \
            __m512bh y[N];                                                                                            \
            UNROLL for (int j = 0; j < N; j++) y[j] = (__m512bh)_mm512_loadu_si512(b + 2 * LANES * j);                \
            UNROLL for (int p = 0; p < P; p++) {                                                                      \
                __m512bh x = (__m512bh)_mm512_set1_epi32(((const int *)a)[p]);                                        \
                UNROLL for (int j = 0; j < N; j++) sum[p][j] = _mm512_dpbf16_ps(sum[p][j], x, y[j]);                  \
            }                                                                                                         \
        }                                                                                                             \
        EACH(P, N) _mm512_mask_storeu_ps(c + p * c_step + LANES * j, first(outputs - LANES * j), sum[p][j]);          \
    }                                                                                                                 \
    static void lines_##P##_##N(const Lines *of, const bf16 *panel, size pairs, const Written *to) {                  \
        __m512 sum[P][N];                                                                                             \
        const bf16 *a[P];                                                                                             \
        size step = of->step;                                                                                         \
        UNROLL for (int p = 0; p < P; p++) a[p] = of->a + p * of->line;                                               \
        EACH(P, N) sum[p][j] = _mm512_setzero_ps();                                                                   \
        for (size k = 0; k < pairs; k++, panel += 2 * LANES * N) {                                                    \
            __m512bh y[N];                                                                                            \
            UNROLL for (int j = 0; j < N; j++) y[j] = (__m512bh)_mm512_loadu_si512(panel + 2 * LANES * j);            \
            UNROLL for (int p = 0; p < P; p++) {                                                                      \
                __m512bh x = (__m512bh)_mm512_set1_epi32(*(const int *)(a[p] + k * step));                            \
                UNROLL for (int j = 0; j < N; j++) sum[p][j] = _mm512_dpbf16_ps(sum[p][j], x, y[j]);                  \
            }                                                                                                         \
        }                                                                                                             \
        if (to->sums)                                                                                                 \
            EACH(P, N) _mm512_storeu_ps(to->sums + p * to->step + LANES * j, sum[p][j]);                              \
        else                                                                                                          \
            EACH(P, N) _mm256_mask_storeu_epi16(to->y + p * to->step + LANES * j, first(to->width - LANES * j),       \
                                                narrow(sum[p][j]));                                                   \
    }

#define TILES(N) TILE(1, N) TILE(2, N) TILE(3, N) TILE(4, N) TILE(5, N) TILE(6, N) TILE(7, N)
TILES(1)
TILES(2)
TILES(3)
TILES(4)
#define NAMES(kind, N) \
    {kind##_1_##N, kind##_2_##N, kind##_3_##N, kind##_4_##N, kind##_5_##N, kind##_6_##N, kind##_7_##N}
Tile *const tiles[BLOCKS][ROWS] = {NAMES(tile, 1), NAMES(tile, 2), NAMES(tile, 3), NAMES(tile, 4)};
Sums *const sums[BLOCKS][ROWS] = {NAMES(sums, 1), NAMES(sums, 2), NAMES(sums, 3), NAMES(sums, 4)};
Product *const products[BLOCKS][ROWS] = {NAMES(lines, 1), NAMES(lines, 2), NAMES(lines, 3), NAMES(lines, 4)};

void sum_up(const bf16 *small, size s_room, size s, const bf16 *big, size g_room, size g, size pairs, float *of_w,
            size step, int more) {
    size blocks = parts(g, LANES);
    for (size i = 0; i < parts(blocks, BLOCKS); i++) {
        Part panel = part_of(i, blocks, BLOCKS);
        size place = LANES * panel.begin;
        for (size j = 0; j < parts(s, ROWS); j++) {
            Part rows = part_of(j, s, ROWS);
            sums[panel.count - 1][rows.count - 1](small + 2 * rows.begin, 2 * s_room, big + 2 * place, 2 * g_room,
                                                  pairs, of_w + rows.begin * step + place, step, g - place, more);
        }
    }
}

/* ---- panels ---- */

Panels panels_of(size inputs, size taps, size outputs, int turned) {
    size blocks = parts(outputs, LANES), pairs = parts(inputs, 2);
    return (Panels){inputs, taps, outputs, blocks, pairs, taps * pairs * 2 * LANES, turned};
}

static inline __m512i pairs_at(const float *w, size n) {
    __m512 behind = n > LANES ? _mm512_maskz_loadu_ps(first(n - LANES), w + LANES) : _mm512_setzero_ps();
    return (__m512i)_mm512_cvtne2ps_pbh(behind, _mm512_maskz_loadu_ps(first(n), w));
}

/* A block of up to 16 outputs of one tap: each row of w holds the inputs of an output. */
static void pack_rows(const float *w, size row, size outputs, size inputs, bf16 *to, size step) {
    for (size i = 0; i < inputs; i += 2 * LANES) {
        __m512i r[16];
        for (int o = 0; o < 16; o++)
            r[o] = o < outputs ? pairs_at(w + o * row + i, inputs - i) : _mm512_setzero_si512();
        turn(r);
        for (int k = 0; k < least(LANES, parts(inputs - i, 2)); k++) _mm512_storeu_si512(to + (i / 2 + k) * step, r[k]);
    }
}

/* The same where each row of w holds the outputs of an input. */
static void pack_columns(const float *w, size row, size outputs, size inputs, bf16 *to, size step) {
    __mmask16 m = first(outputs);
    for (size i = 0; i < inputs; i += 2) {
        __m512 odd = i + 1 < inputs ? _mm512_maskz_loadu_ps(m, w + (i + 1) * row) : _mm512_setzero_ps();
        __m512i both = (__m512i)_mm512_cvtne2ps_pbh(odd, _mm512_maskz_loadu_ps(m, w + i * row));
        _mm512_storeu_si512(to + i / 2 * step, _mm512_permutexvar_epi16(paired(), both));
    }
}

bf16 *pack(const Panels *p, const float *w, int threads) {
    bf16 *packed = room(p->blocks * p->block * sizeof(bf16));
#pragma omp parallel for num_threads(threads) schedule(static)
    for (size item = 0; item < p->blocks * p->taps; item++) {
        size block = item / p->taps, tap = item % p->taps, i = 0;
        Part panel = part_of(i, p->blocks, BLOCKS);
        while (panel.begin + panel.count <= block) panel = part_of(++i, p->blocks, BLOCKS);
        size step = panel.count * 2 * LANES, output = block * LANES, outputs = least(LANES, p->outputs - output);
        bf16 *to = packed + panel.begin * p->block + tap * p->pairs * step + (block - panel.begin) * 2 * LANES;
        if (p->turned)
            pack_columns(w + tap * p->outputs + output, p->taps * p->outputs, outputs, p->inputs, to, step);
        else
            pack_rows(w + (output * p->taps + tap) * p->inputs, p->taps * p->inputs, outputs, p->inputs, to, step);
    }
    return packed;
}
