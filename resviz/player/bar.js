// The transport bar and what else of the page lies over the panels: buttons, sliders, captions.
//
// It knows no player: `act` holds what its controls do, and `label…` functions show what is.

import { SPEEDS } from "./clock.js";

// Each view's name, what it shows, and its key.
export const VIEWS = [
  ["points", "Particles", "1"],
  ["tracks", "Tracks: solid where the particles have been, faint where they go", "2"],
  ["grid", "A square grid of the plane, carried along by the network; cells that it turns over are red", "3"],
  ["arrows", "What the present layer adds, at each place", "4"],
  ["density", "Lines around 25, 50, 75 and 90 % of the particles", "5"],
  ["pairs", "Who goes where: a straight line from each start to its end", "6"],
  ["target", "The target, in grey", "7"],
  ["unroll", "Time from left to right: straight stays straight", "8"],
];
const SPEED_NAMES = { 0.25: "¼×", 0.5: "½×", 1: "1×", 2: "2×", 4: "4×" };
export const COLOUR_NAMES = { start: "start", class: "class", bend: "bend", pairing: "pairing" };

function element(name, properties = {}, ...children) {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
}

function labelled(node, label) {
  node.title = label;
  node.setAttribute("aria-label", label);
  return node;
}

function button(text, label, onclick) {
  return labelled(element("button", { type: "button", textContent: text, onclick }), label);
}

function chooser(label, names, value, choose) {
  const options = Object.entries(names).map(([key, text]) => element("option", { value: key, textContent: text }));
  const node = labelled(element("select", {}, ...options), label);
  node.value = value;
  node.onchange = () => choose(node.value);
  return node;
}

function range(label, step, slide, nudge) {
  const node = labelled(element("input", { type: "range", min: 0, max: 1, step, value: 0 }), label);
  node.addEventListener("keydown", (event) => {
    const direction = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (direction) { event.preventDefault(); nudge(direction); }
  });
  node.addEventListener("input", () => slide(Number(node.value)));
  return node;
}

// act: {toggle, step, seek, speed, bounce, slow, full, view, colour, moment, nudgeMoment, roll, begin}
export function buildBar(act) {
  const play = button("▶", "Play", act.toggle);
  play.classList.add("resviz-play");
  const time = range("Time t from input to output", 0.001, act.seek, act.step);
  const text = element("output");
  text.setAttribute("aria-live", "off"); // sixty times a second
  const speed = chooser("Speed", SPEED_NAMES, "1", (value) => act.speed(Number(value)));
  const bounce = button("⇄", "To and fro, instead of from the start again", act.bounce);
  bounce.classList.add("resviz-wide-enough");
  const slow = button("slow", "Stop at every layer, and say what it does", act.slow);
  const full = button("full", "Full screen (f)", act.full);
  full.classList.add("resviz-only-wide");
  const first = element(
    "div", { className: "resviz-row" }, play, button("|◀", "One layer back", () => act.step(-1)),
    button("▶|", "One layer forward", () => act.step(1)), time, text, speed, bounce, slow, full,
  );

  const roll = button("▷", "Play the training itself: the tracks as they were learned", act.roll);
  const moment = range("Training step that is shown", "any", act.moment, act.nudgeMoment);
  const told = element("span", { className: "resviz-told", textContent: "training" });
  told.setAttribute("aria-live", "off");
  const views = VIEWS.map(([name, label, key]) => {
    const node = button(name, `${label} (${key})`, () => act.view(name));
    node.dataset.view = name;
    return node;
  });
  const more = button("view", "What is drawn", () => {
    more.setAttribute("aria-expanded", String(root.classList.toggle("resviz-open")));
  });
  more.classList.add("resviz-more");
  const colour = element("select");
  labelled(colour, "What a colour says");
  colour.onchange = () => act.colour(colour.value);
  const chips = element("div", { className: "resviz-views" }, ...views, colour);
  const second = element("div", { className: "resviz-row" }, roll, moment, told, more, chips);
  const root = element("div", { className: "resviz-bar" }, first, second);
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", "What the panels show, and when");

  const legend = element("div", { className: "resviz-legend", hidden: true });
  const begin = button("▶", "Play", act.begin);
  begin.classList.add("resviz-begin");
  begin.hidden = true;
  return { root, legend, play, time, text, speed, bounce, slow, roll, moment, told, views, colour, begin };
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function press(node, pressed) {
  if (node.getAttribute("aria-pressed") !== String(pressed)) node.setAttribute("aria-pressed", String(pressed));
}

export function labelClock(bar, clock, text) {
  const word = clock.playing ? "Pause" : "Play";
  if (bar.play.title !== word) {
    labelled(bar.play, word);
    bar.play.textContent = clock.playing ? "❚❚" : "▶";
  }
  if (bar.text.textContent !== text) {
    bar.text.textContent = text;
    bar.time.setAttribute("aria-valuetext", text);
  }
  if (document.activeElement !== bar.time || clock.playing) bar.time.value = clock.t;
  if (bar.speed.value !== String(clock.speed)) bar.speed.value = String(clock.speed);
  press(bar.bounce, clock.bounce);
  press(bar.slow, clock.slow);
}

export function labelViews(bar, views, colours, colour) {
  for (const node of bar.views) press(node, views.has(node.dataset.view));
  const wanted = colours.join();
  if (bar.colour.dataset.of !== wanted) {
    bar.colour.dataset.of = wanted;
    bar.colour.replaceChildren(...colours.map(
      (name) => element("option", { value: name, textContent: `by ${COLOUR_NAMES[name]}` }),
    ));
  }
  if (bar.colour.value !== colour) bar.colour.value = colour;
}

// What the colours mean: [[text, css or ""]…], of which the first names the rest.
export function labelLegend(bar, pieces) {
  const wanted = pieces.flat().join();
  if (bar.legend.dataset.of === wanted) return;
  bar.legend.dataset.of = wanted;
  bar.legend.hidden = !pieces.length;
  bar.legend.replaceChildren(...pieces.map(([text, css]) => {
    const piece = element("span", { textContent: text });
    if (css) piece.prepend(Object.assign(element("i", { textContent: "●" }), { style: `color: ${css}` }));
    return piece;
  }));
}

// `part` of the recorded moments, 0 … 1, or null where there is no training to show again; `text`
// is all that is known of the moment.
export function labelTraining(bar, part, step, text, rolling) {
  bar.moment.disabled = bar.roll.disabled = part === null;
  press(bar.roll, rolling);
  setText(bar.told, step);
  bar.moment.setAttribute("aria-valuetext", text);
  if (document.activeElement !== bar.moment || rolling) bar.moment.value = part ?? 1;
}

export function nextSpeed(speed, direction) {
  const at = SPEEDS.indexOf(speed) + direction;
  return SPEEDS[Math.min(SPEEDS.length - 1, Math.max(0, at))];
}

// A sheet of the keys, made when it is first asked for.
export function showKeys(keys) {
  let sheet = document.querySelector(".resviz-keys");
  if (!sheet) {
    const list = element("dl", {}, ...keys.flatMap(
      ([key, told]) => [element("dt", { textContent: key }), element("dd", { textContent: told })],
    ));
    const close = button("Close", "Close", () => sheet.close());
    sheet = element("dialog", { className: "resviz-keys" }, element("h2", { textContent: "Keys" }), list, close);
    document.body.append(sheet);
  }
  if (sheet.open) sheet.close(); else sheet.showModal();
}
