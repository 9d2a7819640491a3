// The page itself: its charts, the switch A | B | both, and the talk. It stands after the player,
// which moves the particles of whichever chart is shown.

const TALK_SECONDS = 20; // for each run

const page = JSON.parse(document.getElementById("resviz-page").textContent);
const stage = document.querySelector("main"), caption = document.querySelector(".caption");
const nodes = new Map([...document.querySelectorAll(".chart")].map((node) => [node.dataset.view, node]));
const switches = [...document.querySelectorAll("[data-show]")];
let shown = null;

// The chart's place: all that the page leaves or, where that is too little for its panels, a whole
// window's height (player/room.js).
function place() {
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const stands = (node) => node.getClientRects().length && getComputedStyle(node).position === "static";
  const others = [...document.body.children].filter((node) => node !== stage && stands(node));
  const heights = others.reduce((sum, node) => sum + node.getBoundingClientRect().height, 0);
  const width = stage.clientWidth, presenting = document.documentElement.classList.contains("resviz-present");
  const room = roomFor({
    width, viewport: innerHeight, rest: heights + 1.6 * rem, charts: null, least: 0, bar: 0,
    count: Number(stage.dataset.panels), phone: isPhone(width, innerHeight, rem),
    ...heightsOf(rem, { rows: barRows(width, rem, presenting), legend: false }),
  });
  stage.classList.toggle("alone", room.scrolls);
  stage.style.height = room.scrolls ? `${room.height}px` : "";
}

async function draw(name) {
  const { data, layout, frames } = page.charts[name], node = nodes.get(name);
  const named = new Set(layout.meta.panels.map((panel) => panel.of));
  layout.meta.runs = Object.fromEntries([...named].map((of) => [of, page.runs[of]]));
  const config = { displayModeBar: false, displaylogo: false, doubleClick: "reset", responsive: true };
  await Plotly.newPlot(node, { data, layout, frames, config });
}

function show(name) {
  shown = name;
  stage.dataset.panels = nodes.get(name).dataset.panels;
  for (const [view, node] of nodes) node.classList.toggle("shown", view === name);
  for (const button of switches) button.setAttribute("aria-pressed", String(button.dataset.show === name));
  place();
  if (nodes.get(name)._fullLayout) Plotly.Plots.resize(nodes.get(name));
}

for (const button of switches) button.addEventListener("click", () => show(button.dataset.show));

document.addEventListener("keydown", (event) => {
  if (event.target.closest?.("input, select, dialog")) return;
  const view = { a: "A", b: "B", v: "both" }[signOf(event)];
  if (nodes.has(view)) show(view);
});

new ResizeObserver(place).observe(document.body);
window.addEventListener("resize", place);

// ---- Earlier steps of training: scores and sentence are of what the player shows ----------

const lines = new Map([...document.querySelectorAll(".scores [data-run]")].map(
  (node) => [node.dataset.run === "A" ? "kept" : "present", { node, text: node.lastChild, end: node.lastChild.textContent }],
));
const look = document.querySelector(".look"), lookAtEnd = look.textContent;

// What is told of the run of this name as it is shown; of none that is not on the stage.
function momentOfRun(name) {
  const steps = window.resviz?.shown?.steps ?? {};
  return page.moments[name]?.find(({ step }) => step === steps[name]);
}

function lookNow() {
  const [a, b] = ["kept", "present"].map(momentOfRun);
  if (a && b) return page.compared[`${a.step}/${b.step}`];
  return (a ?? b)?.look;
}

function tellMoment() {
  const earlier = Boolean(window.resviz?.shown);
  for (const [name, { node, text, end }] of lines) {
    const moment = momentOfRun(name);
    text.textContent = moment ? ` ${moment.scores}` : end;
    node.hidden = earlier && !moment;
  }
  look.textContent = lookNow() ?? lookAtEnd;
  if (page.talk.length && talk.part !== null) say(talk.part, talk.passed / TALK_SECONDS - talk.part);
}

window.addEventListener("resviz:moment", tellMoment);

// ---- The talk: each run for a while, with captions; its time passes while the particles move ----

const talk = { passed: 0, last: null, part: null };

function say(part, share) {
  const { view, says } = page.talk[part];
  const text = lookNow() ?? says[Math.min(says.length - 1, Math.floor(share * says.length))];
  if (caption.dataset.says === view + text) return;
  caption.dataset.says = view + text;
  const letter = document.createElement("b");
  letter.textContent = view;
  letter.className = `of-${view.toLowerCase()}`;
  caption.replaceChildren(...(page.talk.length > 1 ? [letter, " "] : []), text);
}

function talkOn(now) {
  const elapsed = talk.last === null ? 0 : (now - talk.last) / 1000;
  talk.last = now;
  if (!document.documentElement.classList.contains("resviz-present")) return;
  if (window.resviz.playing) talk.passed = (talk.passed + elapsed) % (TALK_SECONDS * page.talk.length);
  const part = Math.floor(talk.passed / TALK_SECONDS);
  if (part !== talk.part) {
    talk.part = part;
    show(page.talk[part].view);
    window.resviz.seek(0);
  }
  say(part, talk.passed / TALK_SECONDS - part);
}

// ---- Print: a picture of the present moment, since nothing is laid out anew for paper in time ----

const PAPER_GAP = 16, PAPER_HEAD = 40; // CSS pixels

// Panels lie as on the screen; one over the other, as on a phone, they would need a long sheet.
function placesOnPaper(panels) {
  const strips = panels[0].width > 1.6 * panels[0].height;
  let x = 0, y = 0;
  return panels.map(({ width, height }) => {
    const place = { x, y: y + PAPER_HEAD };
    if (strips) y += height + PAPER_HEAD; else x += width + PAPER_GAP;
    return place;
  });
}

function paintOnPaper() {
  const node = nodes.get(shown), layout = node._fullLayout, still = document.querySelector(".still");
  const layers = [...node.querySelectorAll(".resviz-overlay canvas")];
  if (!layout || !layers.length) return;
  const panels = layout.meta.panels.map((_, k) => mapOf(layout, ["xaxis", "yaxis"].map((name) => name + (k ? k + 1 : "")), 0, false));
  const places = placesOnPaper(panels), scale = layers[0].width / parseFloat(layers[0].style.width);
  const canvas = document.createElement("canvas"), context = canvas.getContext("2d");
  canvas.width = Math.ceil(scale * Math.max(...panels.map(({ width }, k) => places[k].x + width + 2)));
  canvas.height = Math.ceil(scale * Math.max(...panels.map(({ height }, k) => places[k].y + height + 2)));
  context.scale(scale, scale);
  panels.forEach(({ left, top, width, height }, k) => {
    const { x, y } = places[k];
    for (const layer of layers) {
      context.drawImage(layer, scale * left, scale * top, scale * width, scale * height, x, y, width, height);
    }
    context.strokeStyle = "#808495";
    context.strokeRect(x + 0.5, y + 0.5, width, height);
    context.fillStyle = "#31333F";
    context.font = `600 ${Math.min(24, width / 13)}px ${getComputedStyle(document.body).fontFamily}`;
    context.textAlign = "center";
    context.fillText(layout.meta.panels[k].title, x + width / 2, y - 10);
  });
  still.querySelector("canvas")?.remove();
  still.prepend(canvas);
  const told = [...node.querySelectorAll(".resviz-bar output, .resviz-told")].map((text) => text.textContent);
  still.querySelector("figcaption").textContent = told.filter((text) => text && text !== "training").join(" · ");
}

window.addEventListener("beforeprint", paintOnPaper);
matchMedia("print").addEventListener("change", ({ matches }) => { if (matches) paintOnPaper(); });

const talks = page.talk.length > 0;
const first = talks ? page.talk[0].view : page.shown;
show(first);
await draw(first);
play(() => nodes.get(shown), { autoplay: true });
for (const name of nodes.keys()) if (name !== first) await draw(name);
if (talks) {
  window.resviz.setPresent(true);
  setInterval(() => talkOn(performance.now()), 100);
}
