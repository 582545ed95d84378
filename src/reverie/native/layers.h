/* What the products of convolutions share. */

#ifndef REVERIE_LAYERS
#define REVERIE_LAYERS

#include "tiles.h"

enum {
    FEW = 4,    /* channels: so few are unfolded, all taps of a pixel side by side */
    RUN = 64,   /* pixels of a dense layer at a time */
    LINE = 256, /* pixels of a sum over pixels at a time */
    SHARES = 8, /* of a sum over images: each has sums of its own, which are added up in order */
};

#define EXPORT __attribute__((visibility("default")))

static inline int is_dense(const Layer *l) { return l->kernel == 1 && l->stride == 1 && l->padding == 0; }
static inline int has_few(const Layer *l, size channels) { return channels < FEW && l->kernel > 1; }

/* One image with a border of zeros, `top` pixels above and to the left; a line of it has `broad` pixels. */
void border(const Source *from, size image, size height, size width, size channels, size top, size broad, bf16 *to);

/* All taps of every pixel side by side, [pixel][tap][channel]: pixels of the small side, or with a stride of 1 of the
big one, which sees the taps in the opposite order. */
bf16 *unfold(const Layer *l, int spreads, const Source *from, int threads);

/* W[s][tap][g] to W[tap from behind][s][g], the order of a small side unfolded; or back. */
void reorder(const Layer *l, const float *from, float *to, int back);

/* The sum of each channel over all pixels: the gradient of a bias. */
void add_up(size pixels, size channels, const Source *from, float *sum, int threads);

/* `gather` for few outputs. */
void dots(const Layer *l, const Source *big, const float *w, const Target *small, int threads);

#endif
