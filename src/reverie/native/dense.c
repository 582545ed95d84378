/* Dense layers with the activation behind them, y = leaky(x W' + b) or tanh(x W' + b), and the gradient of all of it.

Every product runs along what it sums over in pairs: inputs forward, outputs for the gradient of x, examples for that of
W. The smaller factor is packed, and the weights are read as they lie but for the gradient of x. Every sum is made in the
same order, however many threads there are. */

#include "layers.h"

typedef struct {
    size examples, inputs, outputs; /* an even number of inputs */
} Dense;

/* Numbers in bf16 or in float32; unless they are null, times 1 or slope as `gate` is above 0 or not, and times the slope
of a tanh that said `squashed`. */
typedef struct {
    const void *x;
    const bf16 *gate;
    const float *squashed;
    float slope;
    int32_t is_short;
} Given;

/* What is written: leaky in bf16; or in float32 the sums as they are, or tanh of them. */
typedef struct {
    void *y;
    float slope;
    int32_t is_wide, squashes;
} Said;

/* Blocks of 16 numbers as panels, each of at most `limit` of them: so many that threads have alike to do. */
typedef struct {
    size blocks, limit, count;
} Split;

static Split split(size n, size limit, int threads) {
    size most_of = parts(n, rounded(parts(n, limit), threads));
    return (Split){n, most_of, parts(n, most_of)};
}

static inline __m512 sixteen(const Given *g, size place, __mmask16 m) {
    __m512 x = g->is_short ? wide((const bf16 *)g->x + place, m) : _mm512_maskz_loadu_ps(m, (const float *)g->x + place);
    if (g->gate) x = leaky(x, wide(g->gate + place, m), g->slope);
    if (!g->squashed) return x;
    __m512 y = _mm512_maskz_loadu_ps(m, g->squashed + place);
    return _mm512_fnmadd_ps(_mm512_mul_ps(x, y), y, x); /* x (1 - y^2) */
}

/* Up to 32 numbers, in bf16. */
static inline __m512i row_of(const Given *g, size place, size n) {
    return (__m512i)_mm512_cvtne2ps_pbh(sixteen(g, place + LANES, first(n - LANES)), sixteen(g, place, first(n)));
}

/* ---- forward: examples in lanes, pairs of inputs ---- */

/* Sixteen examples of a panel: [pair of inputs][example][2], `step` from pair to pair. */
static void turn_examples(const Given *x, const Dense *d, size begin, bf16 *to, size step) {
    for (size i = 0; i < d->inputs; i += 2 * LANES) {
        __m512i r[16];
        for (int k = 0; k < 16; k++)
            r[k] = begin + k < d->examples ? row_of(x, (begin + k) * d->inputs + i, d->inputs - i)
                                           : _mm512_setzero_si512();
        turn(r);
        for (int k = 0; k < least(LANES, (d->inputs - i) / 2); k++) _mm512_storeu_si512(to + (i / 2 + k) * step, r[k]);
    }
}

/* 1 - 2 / (1 + e^2x), with an error below 3e-7. */
static inline __m512 tanh_of(__m512 x) {
    const __m512 one = _mm512_set1_ps(1.f), two = _mm512_set1_ps(2.f), far = _mm512_set1_ps(15.f);
    x = _mm512_min_ps(far, _mm512_max_ps(_mm512_sub_ps(_mm512_setzero_ps(), far), x)); /* x, if it is not a number */
    return _mm512_sub_ps(one, _mm512_div_ps(two, _mm512_add_ps(one, exponential(_mm512_mul_ps(two, x)))));
}

/* Sums [output][example] to examples with their bias and activation. */
static void finish(const Dense *d, const float *sums, size room_of, Part of, const bf16 *bias, const Said *to) {
    __mmask16 m = first(of.count);
    __m512 b = bias ? wide(bias + of.begin, m) : _mm512_setzero_ps();
    for (size begin = 0; begin < d->examples; begin += LANES) {
        __m512i r[16];
        for (int k = 0; k < 16; k++)
            r[k] = k < of.count ? _mm512_loadu_si512(sums + k * room_of + begin) : _mm512_setzero_si512();
        turn(r);
        for (int k = 0; k < least(LANES, d->examples - begin); k++) {
            __m512 v = _mm512_add_ps((__m512)r[k], b);
            size place = (begin + k) * d->outputs + of.begin;
            if (to->is_wide)
                _mm512_mask_storeu_ps((float *)to->y + place, m, to->squashes ? tanh_of(v) : v);
            else
                _mm256_mask_storeu_epi16((bf16 *)to->y + place, m,
                                         narrow(to->slope == 1.f ? v : leaky(v, v, to->slope)));
        }
    }
}

EXPORT void dense(const Dense *d, const Given *x, const bf16 *w, const bf16 *bias, const Said *said, int threads) {
    Split examples = split(parts(d->examples, LANES), BLOCKS, 1), outputs = split(d->outputs, LANES, threads);
    size broad = examples.blocks * LANES;
    bf16 *packed = room(broad * d->inputs * sizeof(bf16));
#pragma omp parallel num_threads(threads)
    {
        float *sums = room(LANES * broad * sizeof(float));
#pragma omp for schedule(static)
        for (size block = 0; block < examples.blocks; block++) {
            size i = 0;
            Part p = part_of(0, examples.blocks, examples.limit);
            while (p.begin + p.count <= block) p = part_of(++i, examples.blocks, examples.limit);
            bf16 *to = packed + (p.begin * d->inputs + 2 * (block - p.begin)) * LANES;
            turn_examples(x, d, block * LANES, to, 2 * LANES * p.count);
        }
#pragma omp for schedule(static, 1) nowait
        for (size q = 0; q < outputs.count; q++) {
            Part of = part_of(q, d->outputs, outputs.limit);
            for (size i = 0; i < examples.count; i++) {
                Part p = part_of(i, examples.blocks, examples.limit);
                for (size j = 0; j < parts(of.count, ROWS); j++) {
                    Part rows = part_of(j, of.count, ROWS);
                    Lines lines = {w + (of.begin + rows.begin) * d->inputs, d->inputs, 2};
                    Written to = {.sums = sums + rows.begin * broad + p.begin * LANES, .step = broad};
                    products[p.count - 1][rows.count - 1](&lines, packed + p.begin * LANES * d->inputs, d->inputs / 2,
                                                          &to);
                }
            }
            finish(d, sums, broad, of, bias, said);
        }
        free(sums);
    }
    free(packed);
}

/* ---- back: outputs or inputs in lanes ---- */

/* What the gradients are made of: that of y as rows [example][output] and as pairs [pair of examples][output][2], and
x as panels [pair of examples][input][2]. */
typedef struct {
    size output_room, pairs;
    bf16 *rows, *of_y, *x;
} Packed;

/* Two examples of both. */
static void pack_pair(const Dense *d, const Given *of_y, const Given *x, size pair, const Packed *to) {
    size n = to->output_room, blocks = parts(d->inputs, LANES);
    for (size k = 2 * pair; k < 2 * pair + 2; k++)
        for (size o = 0; o < n; o += LANES) {
            __mmask16 m = k < d->examples ? first(d->outputs - o) : 0;
            _mm256_storeu_si256((__m256i *)(to->rows + k * n + o), narrow(sixteen(of_y, k * d->outputs + o, m)));
        }
    if (!x) return;
    interleave(to->rows + 2 * pair * n, to->rows + (2 * pair + 1) * n, n, to->of_y + 2 * pair * n);
    for (size i = 0; i < parts(blocks, BLOCKS); i++) {
        Part p = part_of(i, blocks, BLOCKS);
        for (size j = 0; j < p.count; j++) {
            size place = (p.begin + j) * LANES, at = 2 * pair * d->inputs + place;
            __mmask16 m = first(d->inputs - place), there = 2 * pair + 1 < d->examples ? m : 0;
            __m512i both = (__m512i)_mm512_cvtne2ps_pbh(sixteen(x, at + d->inputs, there), sixteen(x, at, m));
            bf16 *of = to->x + 2 * LANES * (p.begin * to->pairs + pair * p.count + j);
            _mm512_storeu_si512(of, _mm512_permutexvar_epi16(paired(), both));
        }
    }
}

/* Inputs of a panel of the gradient of x. */
static void back_to(const Dense *d, const Packed *from, const bf16 *w, Part p, bf16 *panel, bf16 *of_x) {
    static const bf16 none[BLOCKS * LANES];
    size begin = p.begin * LANES, width = least(p.count * LANES, d->inputs - begin);
    for (size o = 0; o < d->outputs; o += 2) {
        const bf16 *row = w + o * d->inputs + begin;
        interleave(row, o + 1 < d->outputs ? row + d->inputs : none, width, panel + o * p.count * LANES);
    }
    for (size j = 0; j < parts(d->examples, ROWS); j++) {
        Part rows = part_of(j, d->examples, ROWS);
        Lines lines = {from->rows + rows.begin * from->output_room, from->output_room, 2};
        Written to = {.y = of_x + rows.begin * d->inputs + begin, .step = d->inputs, .width = width};
        products[p.count - 1][rows.count - 1](&lines, panel, parts(d->outputs, 2), &to);
    }
}

/* Some outputs of the gradient of W. */
static void weigh_some(const Dense *d, const Packed *from, Part outputs, bf16 *of_w) {
    size blocks = parts(d->inputs, LANES);
    for (size i = 0; i < parts(blocks, BLOCKS); i++) {
        Part p = part_of(i, blocks, BLOCKS);
        size place = p.begin * LANES;
        for (size j = 0; j < parts(outputs.count, ROWS); j++) {
            Part rows = part_of(j, outputs.count, ROWS);
            size o = outputs.begin + rows.begin;
            Lines lines = {from->of_y + 2 * o, 2, 2 * from->output_room};
            Written to = {.y = of_w + o * d->inputs + place, .step = d->inputs, .width = d->inputs - place};
            products[p.count - 1][rows.count - 1](&lines, from->x + 2 * place * from->pairs, from->pairs, &to);
        }
    }
}

static void add_examples(const Dense *d, const Packed *from, size o, bf16 *of_bias) {
    __m512 sum = _mm512_setzero_ps();
    for (size k = 0; k < d->examples; k++)
        sum = _mm512_add_ps(sum, wide(from->rows + k * from->output_room + o, 0xffff));
    _mm256_mask_storeu_epi16(of_bias + o, first(d->outputs - o), narrow(sum));
}

/* Where the gradients are written; null for none, that of the bias only beside that of W. */
typedef struct {
    bf16 *x, *w, *bias;
} Gradients;

EXPORT void dense_back(const Dense *d, const Given *of_y, const Given *x, const bf16 *w, const Gradients *to,
                       int threads) {
    size n = rounded(d->outputs, LANES), pairs = parts(d->examples, 2), blocks = parts(d->inputs, LANES);
    Split inputs = split(blocks, BLOCKS, threads), outputs = split(d->outputs, parts(d->outputs, threads), threads);
    Packed packed = {n, pairs, room(2 * pairs * n * sizeof(bf16))};
    if (to->w) {
        packed.of_y = room(2 * pairs * n * sizeof(bf16));
        packed.x = room(2 * pairs * blocks * LANES * sizeof(bf16));
    }
#pragma omp parallel num_threads(threads)
    {
        bf16 *panel = to->x ? room(rounded(d->outputs, 2) * BLOCKS * LANES * sizeof(bf16)) : NULL;
#pragma omp for schedule(static)
        for (size pair = 0; pair < pairs; pair++) pack_pair(d, of_y, to->w ? x : NULL, pair, &packed);
        if (to->x)
#pragma omp for schedule(static, 1) nowait
            for (size i = 0; i < inputs.count; i++)
                back_to(d, &packed, w, part_of(i, inputs.blocks, inputs.limit), panel, to->x);
        if (to->w)
#pragma omp for schedule(static, 1) nowait
            for (size i = 0; i < outputs.count; i++)
                weigh_some(d, &packed, part_of(i, outputs.blocks, outputs.limit), to->w);
        if (to->bias)
#pragma omp for schedule(static) nowait
            for (size o = 0; o < n; o += LANES) add_examples(d, &packed, o, to->bias);
        free(panel);
    }
    free(packed.rows), free(packed.of_y), free(packed.x);
}
