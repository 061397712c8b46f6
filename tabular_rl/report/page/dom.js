// Elements of the page. Text is always set as text: no name of a model is ever read as HTML.

const SVG = "http://www.w3.org/2000/svg";

function filled(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    made.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return made;
}

// element("p", { class: "note", onclick: f }, "text", otherElement)
export function element(tag, attributes, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

// The same for SVG.
export function drawn(tag, attributes, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

export function replace(host, ...children) {
  const whole = document.createDocumentFragment(); // filled one by one: too many arguments would be refused
  for (const child of children.flat(Infinity)) if (child !== null && child !== undefined && child !== false) whole.append(child);
  host.replaceChildren(whole);
}

// A number as text with at most `digits` significant digits, none that it does not need; a true minus sign.
export function number(x, digits = 6) {
  if (x === null || x === undefined || Number.isNaN(x)) return "?";
  if (x === Infinity) return "∞";
  if (x === -Infinity) return "−∞";
  const [head, power] = x.toExponential().split("e");
  const needed = head.replace(/[-.]/g, "").length;
  const shown = Math.min(needed, digits);
  const text = Number(power) < -5 || Number(power) >= 12
    ? rounded(x, shown - 1 - Number(power)).toExponential(shown - 1).replace("e+", "e")
    : trimmed(fixed(x, Math.min(Math.max(0, shown - 1 - Number(power)), 100)));
  return /^-0$/.test(text) ? "0" : text.replaceAll("-", "−");
}

// x to so many decimals, halves away from zero, where 15 digits of x decide what a half is: two floats beside 22.275 are
// both 22.28, and so is the text of each in every place.
export function rounded(x, decimals) {
  const [head, power] = Math.abs(x).toExponential(14).split("e");
  if (Number(power) + decimals >= 14) return x;
  const units = Math.round(Number(`${head}e${Number(power) + decimals}`));
  return Math.sign(x) * Number(`${units}e${-decimals}`);
}

// x.toFixed(decimals) of what is rounded so.
export function fixed(x, decimals) {
  return rounded(x, decimals).toFixed(decimals);
}

export function trimmed(text) {
  return text.includes(".") ? text.replace(/0+$/, "").replace(/\.$/, "") : text;
}

// An element that shows a number and knows all its digits: <span data-value="0.30000000000000004">0.3</span>
export function shownNumber(x, attributes = {}, digits = 6) {
  const known = x !== null && x !== undefined && !Number.isNaN(x);
  const more = known ? { "data-value": String(x + 0), title: String(x + 0) } : {};
  return element("span", { class: "number", ...more, ...attributes }, number(x, digits));
}

let made = 0;
// An identifier that no other element has.
export function newId(name) {
  made += 1;
  return `${name}-${made}`;
}

// A labelled slider with its value as a number that can be typed too.
// slider({ name, label, min, max, step, value, text, onchange }) -> { host, input, set(value) }
export function slider({ name, label, min, max, step, value, hint, onchange }) {
  const id = newId(name);
  const range = element("input", { type: "range", id, min, max, step, value, "data-control": name });
  const box = element("input", {
    type: "number", class: "small", min, max, step: "any", value, "aria-label": `${label}, as a number`,
    "data-control": `${name}-number`,
  });
  function set(x) {
    range.value = String(x);
    box.value = String(x);
  }
  function changed(x) {
    if (!Number.isFinite(x)) return;
    const inside = Math.min(Math.max(x, Number(min)), Number(max));
    set(inside);
    onchange(inside);
  }
  range.addEventListener("input", () => changed(Number(range.value)));
  box.addEventListener("change", () => changed(box.value === "" ? NaN : Number(box.value)));
  const host = element("div", { class: "slider" },
    element("label", { for: id }, label), range, box, hint ? element("small", {}, hint) : null);
  return { host, input: range, box, set };
}

// A labelled choice. choice({ name, label, options: [[value, text]], value, onchange }) -> { host, select, set(value) }
export function choice({ name, label, options, value, onchange }) {
  const id = newId(name);
  const select = element("select", { id, "data-control": name, onchange: () => onchange(select.value) },
    options.map(([key, text]) => element("option", { value: key }, text)));
  select.value = value;
  const host = element("div", { class: "choice" }, element("label", { for: id }, label), select);
  return { host, select, set: (x) => { select.value = x; } };
}

// A button. button("step", "step", onclick, { title })
export function button(name, text, onclick, attributes = {}) {
  return element("button", { type: "button", "data-control": name, onclick, ...attributes }, text);
}

// A box to tick, with its label.
export function tickbox({ name, label, value, onchange }) {
  const id = newId(name);
  const input = element("input", { type: "checkbox", id, "data-control": name, onchange: () => onchange(input.checked) });
  input.checked = Boolean(value);
  return { host: element("div", { class: "tick" }, input, element("label", { for: id }, label)), input };
}
