// From logits to the next symbol: the order and the formulas of text/sampling.py, in float64.

/** The largest number. */
function highest(values) {
  let found = -Infinity;
  for (const value of values) if (value > found) found = value;
  return found;
}

/** exp(l) / sum of exp(l). */
export function softmax(logits) {
  const top = highest(logits), found = Float64Array.from(logits, (each) => Math.exp(each - top));
  const sum = found.reduce((a, b) => a + b, 0);
  return found.map((each) => each / sum);
}

/** Logits after temperature, top-k, top-p and min-p: their softmax is what is drawn from. */
export function logOdds(logits, { temperature, top_k, top_p, min_p }) {
  let odds = tempered(logits, temperature);
  if (top_k) odds = likeliest(odds, top_k);
  if (top_p < 1) odds = nucleus(odds, top_p);
  return min_p ? floored(odds, min_p) : odds;
}

/** (l - max) / T; at T = 0 the likeliest alone stays, of several the first. */
function tempered(logits, temperature) {
  const top = highest(logits);
  if (temperature) return Float64Array.from(logits, (each) => (each - top) / temperature);
  const found = new Float64Array(logits.length).fill(-Infinity);
  found[logits.indexOf(top)] = 0;
  return found;
}

/** Places from the largest value to the smallest; of equal ones the first comes first. */
export function falling(values) {
  return Array.from(values.keys()).sort((a, b) => (values[b] > values[a] ? 1 : values[b] < values[a] ? -1 : 0));
}

/** Only the k largest stay. */
function likeliest(odds, k) {
  const found = Float64Array.from(odds);
  for (const place of falling(odds).slice(k)) found[place] = -Infinity;
  return found;
}

/** The fewest of the likeliest stay whose chances add up to p or more (Holtzman et al. 2020, 1904.09751). */
function nucleus(odds, p) {
  const chances = softmax(odds), found = Float64Array.from(odds);
  let sum = 0;
  for (const place of falling(chances)) {
    if (sum >= p) found[place] = -Infinity;
    sum += chances[place];
  }
  return found;
}

/** Only those stay that have this share of the largest chance (Nguyen et al. 2024, 2407.01082). */
function floored(odds, p) {
  const least = highest(odds) + Math.log(p);
  return odds.map((each) => (each < least ? -Infinity : each));
}

/** The first place whose chances, added up, are above a uniform number. */
export function drawn(chances, uniform) {
  const sums = new Float64Array(chances.length);
  let sum = 0;
  for (let i = 0; i < chances.length; i++) sums[i] = sum += chances[i];
  return sums.findIndex((each) => each > uniform * sum);
}
