// What an explorer asks of a model. A back end has
//   encode(images, labels)  -> codes     Float32Array (n, D); images (n, C, H, W) in [0, 1]
//   decode(codes, labels)   -> images    the mean pictures, in [0, 1]
//   generate(noise, labels) -> images    noise by name, of a model without codes
// all with promises, so that a server can stand behind the same calls; ``chunk``, the milliseconds of decoding between
// two looks at the pointer; and perhaps a ``crew``, which decodes beside the page.

/** Start ONNX Runtime Web on one thread and open every graph; ``file`` gives the bytes of a name, ``about.inputs`` the graphs. */
export async function opened(about, file) {
  const script = URL.createObjectURL(new Blob([await file("runtime.js")], { type: "text/javascript" }));
  const runtime = await import(script);
  URL.revokeObjectURL(script);
  runtime.env.wasm.numThreads = 1;
  runtime.env.wasm.wasmBinary = await file("runtime.wasm");
  const sessions = {};
  for (const part of Object.keys(about.inputs)) {
    sessions[part] = await runtime.InferenceSession.create(await file(`${part}.onnx`), { executionProviders: ["wasm"] });
  }
  return { runtime, sessions };
}

/** The graphs in this page. */
export class OnnxBackEnd {
  static async open(about, file) {
    const { runtime, sessions } = await opened(about, file);
    return new OnnxBackEnd(about, runtime, sessions);
  }

  constructor(about, runtime, sessions) {
    Object.assign(this, { about, runtime, sessions, last: Promise.resolve(), chunk: 8, crew: null });
  }

  async encode(images, labels) {
    const n = images.length / this.about.shape.reduce((a, b) => a * b);
    const noise = "noise" in this.about.inputs.encoder ? { noise: new Float32Array(n * this.about.latent) } : {};
    return (await this.run("encoder", n, { image: images, ...noise }, labels)).mean.data;
  }

  async decode(codes, labels) {
    return (await this.run("decoder", codes.length / this.about.latent, { z: codes }, labels)).image.data;
  }

  async generate(noise, labels) {
    const [name, shape] = Object.entries(this.about.inputs.generator)[0];
    const n = noise[name].length / shape.reduce((a, b) => a * b, 1);
    return (await this.run("generator", n, noise, labels)).image.data;
  }

  /** One after the other: a session computes one thing at a time. */
  run(part, n, given, labels) {
    const feeds = {};
    for (const [name, shape] of Object.entries(this.about.inputs[part])) {
      feeds[name] = name === "label"
        ? new this.runtime.Tensor("int64", BigInt64Array.from(labels, BigInt), [n])
        : new this.runtime.Tensor("float32", given[name], [n, ...shape]);
    }
    this.last = this.last.catch(() => {}).then(() => this.sessions[part].run(feeds));
    return this.last;
  }
}
