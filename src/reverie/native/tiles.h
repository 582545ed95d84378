/* What all products share: bf16 numbers, what is read and written with them, and small tiles of a matrix product.

Products are made of pairs: one instruction (VDPBF16PS) adds a0 b0 + a1 b1 to sixteen float32 sums. A tile keeps up to
7 x 64 sums in registers while it runs along the inputs. */

#ifndef REVERIE_TILES
#define REVERIE_TILES

#include <immintrin.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint16_t bf16;
typedef int64_t size;

enum {
    LANES = 16,  /* numbers of a register */
    ROWS = 7,    /* of a tile */
    BLOCKS = 4,  /* of 16 outputs, of a tile */
    TAPS = 64,   /* of a kernel, at most */
    SLACK = 64,  /* numbers that may be read beyond the last one */
};

/* Two sides of a layer: big pixel = stride * small pixel - padding + tap. Weights are W[small][tap][big], float32. */
typedef struct {
    size images, height, width, big, rows, columns, small, kernel, stride, padding;
} Layer;

/* Activations before a layer. */
enum { NOTHING, SILU, ELU };

/* What is read: x; x times 1 or slope as `gate` is above 0 or not; or an activation of x. */
typedef struct {
    const bf16 *x, *gate;
    float slope;
    int32_t before;
} Source;

/* What is written: y = leaky(sum + bias) * activation'(inner) + more; or the sums alone, where there is room. */
typedef struct {
    bf16 *y;
    const float *bias;
    const bf16 *inner, *more;
    float slope;
    int32_t before;
    float *sums;
} Target;

static inline size least(size a, size b) { return a < b ? a : b; }
static inline size most(size a, size b) { return a > b ? a : b; }
static inline size parts(size n, size of) { return (n + of - 1) / of; }
static inline size rounded(size n, size to) { return parts(n, to) * to; }

/* n things shared out evenly among the fewest parts of at most `limit`: part i. */
typedef struct {
    size begin, count;
} Part;

static inline Part part_of(size i, size n, size limit) {
    size whole = n / parts(n, limit), rest = n % parts(n, limit);
    return (Part){whole * i + least(i, rest), whole + (i < rest)};
}

static inline void *room(size bytes) { return aligned_alloc(64, rounded(bytes + 2 * SLACK, 64)); }
static inline void *zeros(size bytes) { return memset(room(bytes), 0, rounded(bytes + 2 * SLACK, 64)); }

/* ---- sixteen numbers ---- */

static inline __mmask16 first(size n) { return n >= LANES ? 0xffff : n <= 0 ? 0 : (__mmask16)((1u << n) - 1); }
static inline __m256i narrow(__m512 x) { return (__m256i)_mm512_cvtneps_pbh(x); }

static inline __m512 wide(const bf16 *x, __mmask16 m) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(m, x)), 16));
}

/* e^x = 2^n p(r), for x from -88 to 88, with a relative error below 3e-7. */
static inline __m512 exponential(__m512 x) {
    const float of[] = {1.5403530e-4f, 1.3333558e-3f, 9.6181291e-3f, 5.5504109e-2f, 0.24022651f, 0.69314718f, 1.f};
    __m512 t = _mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), n = _mm512_roundscale_ps(t, 0), r = _mm512_sub_ps(t, n);
    __m512 p = _mm512_set1_ps(of[0]);
    for (int i = 1; i < 7; i++) p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(of[i]));
    return _mm512_scalef_ps(p, n);
}

/* 1 / (1 + e^-x), with a relative error below 1e-4: bf16 rounds to 2e-3. */
static inline __m512 sigmoid(__m512 x) {
    const float of[] = {9.6181e-3f, 5.55041e-2f, 0.2402265f, 0.6931472f, 1.f};
    x = _mm512_min_ps(_mm512_set1_ps(88.f), _mm512_max_ps(_mm512_set1_ps(-88.f), x));
    __m512 t = _mm512_mul_ps(x, _mm512_set1_ps(-1.44269504f)), n = _mm512_roundscale_ps(t, 0), r = _mm512_sub_ps(t, n);
    __m512 p = _mm512_set1_ps(of[0]);
    for (int i = 1; i < 5; i++) p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(of[i]));
    return _mm512_rcp14_ps(_mm512_add_ps(_mm512_scalef_ps(p, n), _mm512_set1_ps(1.f)));
}

static inline __m512 slope_of_silu(__m512 x) { /* s (1 + x (1 - s)) */
    const __m512 one = _mm512_set1_ps(1.f), s = sigmoid(x);
    return _mm512_mul_ps(s, _mm512_fmadd_ps(x, _mm512_sub_ps(one, s), one));
}

static inline __m512 slope_of_elu(__m512 x) { /* e^x, at most 1 */
    return exponential(_mm512_min_ps(_mm512_setzero_ps(), _mm512_max_ps(_mm512_set1_ps(-88.f), x)));
}

/* e^x - 1 below 0; near 0, where that cancels, x + x^2 / 2. */
static inline __m512 elu(__m512 x) {
    __mmask16 near = _mm512_cmp_ps_mask(x, _mm512_set1_ps(-.015625f), _CMP_GT_OQ);
    __mmask16 below = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_NGE_UQ); /* what is not a number stays that */
    __m512 series = _mm512_fmadd_ps(_mm512_mul_ps(x, _mm512_set1_ps(.5f)), x, x);
    __m512 far = _mm512_sub_ps(exponential(_mm512_max_ps(_mm512_set1_ps(-88.f), x)), _mm512_set1_ps(1.f));
    return _mm512_mask_mov_ps(x, below, _mm512_mask_mov_ps(far, near, series));
}

static inline __m512 activated(__m512 x, int before) { return before == SILU ? _mm512_mul_ps(x, sigmoid(x)) : elu(x); }
static inline __m512 slope_of(__m512 x, int before) { return before == SILU ? slope_of_silu(x) : slope_of_elu(x); }

/* x, times the slope where `by` is not above 0. */
static inline __m512 leaky(__m512 x, __m512 by, float slope) {
    __mmask16 not_above = _mm512_cmp_ps_mask(by, _mm512_setzero_ps(), _CMP_NGT_UQ);
    return _mm512_mask_mul_ps(x, not_above, x, _mm512_set1_ps(slope));
}

/* Read n numbers that lie side by side. */
static inline void fetch(bf16 *to, const Source *from, size at, size n) {
    if (!from->gate && !from->before) {
        memcpy(to, from->x + at, n * sizeof(bf16));
        return;
    }
    for (size i = 0; i < n; i += LANES) {
        __mmask16 m = first(n - i);
        __m512 x = wide(from->x + at + i, m);
        if (from->before) x = activated(x, from->before);
        if (from->gate) x = leaky(x, wide(from->gate + at + i, m), from->slope);
        _mm256_mask_storeu_epi16(to + i, m, narrow(x));
    }
}

/* Write sixteen sums: channels from `place` on of the pixel that begins at `at`. */
static inline void put(__m512 sum, const Target *to, size at, size place, __mmask16 m) {
    if (to->sums) {
        _mm512_mask_storeu_ps(to->sums + at + place, m, sum);
        return;
    }
    if (to->bias) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(m, to->bias + place));
    if (to->slope != 1.f) sum = leaky(sum, sum, to->slope);
    if (to->inner) sum = _mm512_mul_ps(sum, slope_of(wide(to->inner + at + place, m), to->before));
    if (to->more) sum = _mm512_add_ps(sum, wide(to->more + at + place, m));
    _mm256_mask_storeu_epi16(to->y + at + place, m, narrow(sum));
}

/* The order in which two halves of a register become pairs: a0 b0 a1 b1 ... */
static inline __m512i paired(void) {
    return _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8,
                            23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
}

static inline __m512i pairs_of(__m256i a, __m256i b) {
    return _mm512_permutexvar_epi16(paired(), _mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1));
}

/* Two rows of n numbers as pairs; whole registers are written. */
static inline void interleave(const bf16 *a, const bf16 *b, size n, bf16 *to) {
    for (size i = 0; i < n; i += LANES) {
        __mmask16 m = first(n - i);
        __m256i x = _mm256_maskz_loadu_epi16(m, a + i), y = _mm256_maskz_loadu_epi16(m, b + i);
        _mm512_storeu_si512(to + 2 * i, pairs_of(x, y));
    }
}

/* The transpose of 16 x 16 words. */
static inline void turn(__m512i r[16]) {
    __m512i t[16];
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
    }
    for (int i = 0; i < 8; i++) {
        r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
    }
}

/* ---- tiles ---- */

/* Where the taps of a kernel are: from a pixel on in what is read, and from the beginning on in a panel of weights. */
typedef struct {
    size count, read[TAPS], weights[TAPS];
} Taps;

/* A panel [tap][pair of inputs][output][2] times the pixels at `from`; pixels are written `at` their places. */
typedef void Tile(const bf16 *const *from, const bf16 *panel, const Taps *taps, size pairs, const size *at,
                  const Target *to, size place, size outputs);

/* c[row][output] of sums over pairs of a[pair][row][2] b[pair][output][2]; added to c if there is `more` of it. */
typedef void Sums(const bf16 *a, size a_step, const bf16 *b, size b_step, size pairs, float *c, size c_step,
                  size outputs, int more);

/* Pairs of numbers: pair k of line p is at a + p * line + k * step. */
typedef struct {
    const bf16 *a;
    size line, step;
} Lines;

/* Lines of sums: whole registers in float32, or `width` numbers of each in bf16. */
typedef struct {
    float *sums;
    bf16 *y;
    size step, width;
} Written;

/* Sums over pairs of lines and of a panel [pair][output][2]. */
typedef void Product(const Lines *of, const bf16 *panel, size pairs, const Written *to);

extern Product *const products[BLOCKS][ROWS];
extern Tile *const tiles[BLOCKS][ROWS];
extern Sums *const sums[BLOCKS][ROWS];

/* of_w[s][g]: sums over pairs [pair][s][2] and [pair][g][2], in rows of s_room and g_room; if there is more, beside. */
void sum_up(const bf16 *small, size s_room, size s, const bf16 *big, size g_room, size g, size pairs, float *of_w,
            size step, int more);

/* Weights [outputs][taps][inputs], or [inputs][taps][outputs] where they are turned, as panels. */
typedef struct {
    size inputs, taps, outputs, blocks, pairs, block; /* numbers of a block of 16 outputs */
    int turned;
} Panels;

Panels panels_of(size inputs, size taps, size outputs, int turned);
bf16 *pack(const Panels *p, const float *w, int threads);

#endif
