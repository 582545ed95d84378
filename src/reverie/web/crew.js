// Workers that decode beside the page, each with a runtime and a decoder of its own: the page stays free for the pointer.
import { OnnxBackEnd, opened } from "./back_end.js";

const HANDS = 4; // workers at most: each holds a runtime of its own

/** What a worker does: the back end of the page, with the files that it is sent. */
const WORK = `
  let backEnd;
  onmessage = async ({ data: { begin, id, codes, labels } }) => {
    if (begin) backEnd = OnnxBackEnd.open(begin.about, async (name) => begin.files[name]);
    try {
      const images = begin ? (await backEnd, null) : await (await backEnd).decode(codes, labels);
      postMessage({ id, images }, images ? [images.buffer] : []);
    } catch (error) {
      postMessage({ id, error: error.message });
    }
  };`;

export class Crew {
  /** As many workers as the machine has cores, when all of them are ready. */
  static async open(about, file) {
    const names = ["runtime.js", "runtime.wasm", "decoder.onnx"], files = {};
    for (const name of names) files[name] = await file(name);
    const script = URL.createObjectURL(new Blob([opened, "\n", OnnxBackEnd, WORK], { type: "text/javascript" }));
    const count = Math.max(1, Math.min(HANDS, navigator.hardwareConcurrency || 1));
    const hands = Array.from({ length: count }, () => new Hand(script));
    const only = { ...about, inputs: { decoder: about.inputs.decoder } };
    await Promise.all(hands.map((hand) => hand.ask({ begin: { about: only, files } })));
    URL.revokeObjectURL(script);
    return new Crew(about, hands);
  }

  constructor(about, hands) {
    Object.assign(this, { about, hands, chunk: 60 });
  }

  /** Each of them decodes a share. */
  async decode(codes, labels) {
    const D = this.about.latent, n = codes.length / D, share = Math.ceil(n / this.hands.length);
    const parts = Array.from({ length: Math.ceil(n / share) }, (_, i) => this.hands[i].ask({
      codes: codes.slice(i * share * D, (i + 1) * share * D), labels: labels?.slice(i * share, (i + 1) * share),
    }));
    const found = await Promise.all(parts), size = found[0].length, all = new Float32Array(size / share * n);
    found.forEach((each, i) => all.set(each, i * size));
    return all;
  }
}

/** One worker: questions and answers by their numbers. */
class Hand {
  constructor(script) {
    Object.assign(this, { worker: new Worker(script), waiting: new Map(), asked: 0 });
    this.worker.onmessage = ({ data: { id, images, error } }) => {
      const { done, fail } = this.waiting.get(id);
      this.waiting.delete(id);
      if (error) fail(new Error(error));
      else done(images);
    };
    this.worker.onerror = (event) => this.waiting.forEach(({ fail }) => fail(new Error(event.message)));
  }

  ask(wish) {
    const id = this.asked++;
    return new Promise((done, fail) => {
      this.waiting.set(id, { done, fail });
      this.worker.postMessage({ id, ...wish });
    });
  }
}
