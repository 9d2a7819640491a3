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
    width, viewport: innerHeight, rest: heights + 1.6 * rem, charts: null, least: 0,
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
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, select, dialog")) return;
  const view = { a: "A", b: "B", v: "both" }[event.key];
  if (nodes.has(view)) show(view);
});

new ResizeObserver(place).observe(document.body);
window.addEventListener("resize", place);

// ---- The talk: each run for a while, with captions; its time passes while the particles move ----

const talk = { passed: 0, last: null, part: null };

function say(part, share) {
  const { view, says } = page.talk[part];
  const text = says[Math.min(says.length - 1, Math.floor(share * says.length))];
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
