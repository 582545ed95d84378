// Elements: text goes in as text, never as markup.

/** An element with its properties, listeners (on...), attributes (aria-, role, data-) and children. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && name !== "list") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Let a place hold elements, unless they are what it was given last: what is pressed, typed or open there stays. Whether they are new. */
export function fill(place, ...elements) {
  const made = make("div", {}, ...elements.map((each) => each.cloneNode(true)));
  if (place.made?.isEqualNode(made)) return false;
  const open = [...place.querySelectorAll("details[open]")].map((each) => each.dataset.name);
  place.made = made;
  place.replaceChildren(...elements);
  for (const each of place.querySelectorAll("details")) each.open ||= open.includes(each.dataset.name);
  return true;
}

/** A button. */
export function button(words, onclick, properties = {}) {
  return make("button", { type: "button", onclick, ...properties }, words);
}

/** A control with its label before it. */
export function labelled(words, control, kind = "field") {
  return make("label", { className: kind }, make("span", {}, words), control);
}

/** One choice out of a few, as a row of buttons; ``chosen`` hears the value. */
export function choice(legend, options, value, chosen) {
  const name = `choice-${choice.count = (choice.count || 0) + 1}`;
  const inputs = options.map(([key, words]) => {
    const input = make("input", { type: "radio", name, value: String(key), checked: key === value, onchange: () => chosen(key) });
    return make("label", {}, input, make("span", {}, words));
  });
  const group = make("fieldset", { className: "choice" }, make("legend", {}, legend), ...inputs);
  group.set = (key) => inputs.forEach((label) => { label.firstChild.checked = label.firstChild.value === String(key); });
  return group;
}

/** A place for what went wrong, or what was done. */
export function telling() {
  const place = make("p", { className: "telling", role: "status" });
  place.say = (words, bad = false) => {
    place.textContent = words;
    place.classList.toggle("bad", bad);
  };
  return place;
}

/** Let the browser answer the pointer and paint; timers would cost it 4 ms each time. */
export function breath() {
  return globalThis.scheduler?.yield?.() ?? new Promise((done) => setTimeout(done));
}

/** The same for work that takes long: what goes on after a breath goes before all else that waits, and this does not. */
export function pause() {
  return new Promise((done) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      done();
    };
    port2.postMessage(null);
  });
}

/** Does the newest thing that it was asked, one at a time; what came in between is dropped, and so is an error that is not the last. */
export class Latest {
  constructor(work) {
    this.work = work;
  }

  async ask(...wish) {
    this.next = wish;
    if (this.busy) return;
    this.busy = true;
    try {
      while (this.next) {
        const now = this.next;
        this.next = null;
        try {
          await this.work(...now);
        } catch (error) {
          if (!this.next) throw error;
        }
      }
    } finally {
      this.busy = false;
    }
  }
}
