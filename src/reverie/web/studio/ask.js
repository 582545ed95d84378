// Asking the server: JSON or bytes, and an error in the server's own words.

/** Segments of an address, each as it must be written. */
export function path(...parts) {
  return `/${parts.map(encodeURIComponent).join("/")}`;
}

async function answered(response) {
  if (response.ok) return response;
  const said = await response.json().catch(() => ({}));
  throw Object.assign(new Error(said.error ?? `The studio answered ${response.status}.`), { status: response.status });
}

async function reach(address, how) {
  try {
    return await fetch(address, how);
  } catch (error) {
    if (how?.signal?.aborted) throw error;
    throw new Error("The studio does not answer. If it was closed, open it again with: reverie studio");
  }
}

/** What is at an address. */
export async function ask(address) {
  return (await answered(await reach(address))).json();
}

/** Ask for something to be done. */
export async function send(address, wish = {}) {
  const how = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(wish) };
  return (await answered(await reach(address, how))).json();
}

/** Bytes at an address, or bytes for bytes. */
export async function bytes(address, body) {
  const how = body && { method: "POST", headers: { "Content-Type": "application/octet-stream" }, body };
  return (await answered(await reach(address, how))).arrayBuffer();
}

/** As JSON says what the server makes of a picture or a file. */
export async function bring(address, body) {
  const how = { method: "POST", headers: { "Content-Type": "application/octet-stream" }, body };
  return (await answered(await reach(address, how))).json();
}

/** Ask for what comes a line at a time; ``hear`` is told each, till the end or till ``signal`` ends it. */
export async function listen(address, wish, hear, signal) {
  const how = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(wish), signal };
  const reader = (await answered(await reach(address, how))).body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    const lines = (rest + next.value).split("\n");
    rest = lines.pop();
    for (const line of lines) hear(JSON.parse(line));
  }
}

/** A look whose fault is said, till one goes well. */
export function sure(look, telling) {
  let fault = null;
  return async () => {
    try {
      await look();
      if (fault !== null && telling.textContent === fault) telling.say("");
      fault = null;
    } catch (error) {
      fault = error.message;
      telling.say(fault, true);
    }
  };
}

/** Ask again and again while the page is looked at; ``again`` says after how many milliseconds, or null for no more. */
export function follow(again) {
  const step = async () => {
    const pause = document.hidden ? 1000 : await again();
    if (pause) setTimeout(step, pause);
  };
  return step();
}
