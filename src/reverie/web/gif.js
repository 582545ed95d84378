// A film of pictures as a GIF file (CompuServe 1990, GIF89a): greys as they are, colours by the 256 that suit them best.

const CLEAR = 256, FINISH = 257, FULL = 4096; // codes of 8-bit pictures

/** The bytes of a film that runs for ever.

 * ``frames`` are pixels as a canvas gives them, RGBA; ``order`` says which is shown when, each for some hundredths of a second. */
export function gif(frames, width, height, order, hundredths) {
  const { palette, indexOf } = coloursOf(frames);
  const small = (value) => [value & 255, value >> 8];
  const pictures = frames.map((frame) => inBlocks(compressed(indices(frame, indexOf))));
  const head = [...ascii("GIF89a"), ...small(width), ...small(height), 0xf7, 0, 0, ...palette,
    0x21, 0xff, 11, ...ascii("NETSCAPE2.0"), 3, 1, 0, 0, 0];
  const before = [0x21, 0xf9, 4, 4, ...small(hundredths), 0, 0, 0x2c, 0, 0, 0, 0, ...small(width), ...small(height), 0, 8];
  return new Blob([Uint8Array.from(head), ...order.flatMap((i) => [Uint8Array.from(before), pictures[i]]), Uint8Array.of(0x3b)],
    { type: "image/gif" });
}

function ascii(text) {
  return Array.from(text, (letter) => letter.charCodeAt(0));
}

function indices(frame, indexOf) {
  const found = new Uint8Array(frame.length / 4);
  for (let i = 0; i < found.length; i++) found[i] = indexOf(frame[4 * i], frame[4 * i + 1], frame[4 * i + 2]);
  return found;
}

/** A palette of 768 bytes, and the place of a colour in it. */
function coloursOf(frames) {
  if (frames.every(isGrey)) {
    return { palette: Array.from({ length: 768 }, (_, i) => Math.floor(i / 3)), indexOf: (red) => red };
  }
  const places = new Uint8Array(32768), palette = new Array(768).fill(0);
  boxes(histogram(frames)).forEach((box, place) => {
    const weight = box.reduce((sum, each) => sum + each.n, 0);
    for (let c = 0; c < 3; c++) palette[3 * place + c] = Math.round(box.reduce((sum, each) => sum + each.sums[c], 0) / weight);
    for (const { key } of box) places[key] = place;
  });
  return { palette, indexOf: (red, green, blue) => places[coarse(red, green, blue)] };
}

function isGrey(frame) {
  for (let i = 0; i < frame.length; i += 4) if (frame[i] !== frame[i + 1] || frame[i] !== frame[i + 2]) return false;
  return true;
}

/** A colour in 15 bits. */
function coarse(red, green, blue) {
  return ((red >> 3) << 10) | ((green >> 3) << 5) | (blue >> 3);
}

/** The coarse colours that occur: how often, and the sums of their channels. */
function histogram(frames) {
  const found = new Map();
  for (const frame of frames) {
    for (let i = 0; i < frame.length; i += 4) {
      const key = coarse(frame[i], frame[i + 1], frame[i + 2]);
      if (!found.has(key)) found.set(key, { key, n: 0, sums: [0, 0, 0] });
      const one = found.get(key);
      one.n += 1;
      for (let c = 0; c < 3; c++) one.sums[c] += frame[i + c];
    }
  }
  return [...found.values()];
}

/** Median cut (Heckbert 1982): the box that is longest, weighed by what is in it, is cut in two, till there are 256. */
function boxes(all) {
  const found = [measured(all)];
  while (found.length < 256) {
    const widest = found.reduce((best, each) => (each.cost > best.cost ? each : best));
    if (!widest.cost) break;
    found.splice(found.indexOf(widest), 1, ...halves(widest).map(measured));
  }
  return found.map((each) => each.box);
}

function measured(box) {
  const level = (each, c) => each.sums[c] / each.n;
  const spans = [0, 1, 2].map((c) => {
    const levels = box.map((each) => level(each, c));
    return levels.reduce((a, b) => Math.max(a, b)) - levels.reduce((a, b) => Math.min(a, b));
  });
  const side = spans.indexOf(Math.max(...spans)), weight = box.reduce((sum, each) => sum + each.n, 0);
  return { box, side, cost: box.length > 1 ? spans[side] * Math.sqrt(weight) : 0 };
}

function halves({ box, side }) {
  const sorted = [...box].sort((a, b) => a.sums[side] / a.n - b.sums[side] / b.n);
  const weight = sorted.reduce((sum, each) => sum + each.n, 0);
  let at = 0, below = 0;
  while (at < sorted.length - 1 && (at === 0 || below + sorted[at].n <= weight / 2)) below += sorted[at++].n;
  return [sorted.slice(0, at), sorted.slice(at)];
}

/** The indices as codes of growing size (Welch 1984), the lowest bit first. */
function compressed(all) {
  const bytes = [];
  let held = 0, bits = 0, size = 9, next = FINISH + 1, known = new Map(), before = all[0];
  const emit = (code) => {
    held |= code << bits;
    for (bits += size; bits >= 8; bits -= 8, held >>>= 8) bytes.push(held & 255);
  };
  emit(CLEAR);
  for (let i = 1; i < all.length; i++) {
    const key = (before << 8) | all[i];
    if (known.has(key)) {
      before = known.get(key);
      continue;
    }
    emit(before);
    before = all[i];
    if (next === FULL) {
      emit(CLEAR);
      [size, next, known] = [9, FINISH + 1, new Map()];
    } else {
      if (next >= 1 << size) size += 1;
      known.set(key, next++);
    }
  }
  emit(before);
  emit(FINISH);
  if (bits) bytes.push(held & 255);
  return bytes;
}

/** Bytes in blocks of 255 at most, each after its length, and an empty one at the end. */
function inBlocks(bytes) {
  const found = new Uint8Array(bytes.length + Math.ceil(bytes.length / 255) + 1);
  for (let from = 0, to = 0; from < bytes.length; from += 255) {
    const block = bytes.slice(from, from + 255);
    found[to] = block.length;
    found.set(block, to + 1);
    to += block.length + 1;
  }
  return found;
}
