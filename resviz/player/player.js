// Moves the stage's particles at the display's rate.
//
// Reads the Plotly figure's own frames (figures/stage.py says what stands in `meta`) or,
// while a network trains, the tracks that a feed sends; paints them on canvases over
// Plotly's plot area, mapped by Plotly's own axes; and lays its transport bar over
// Plotly's slider. Without it the figure still plays by Plotly's means.
//
//   play(findChart, {autoplay})  in an exported page: the chart may change from frame to frame
//   default export               in the app, as a Streamlit v2 component: finds the chart by itself
//   event "resviz:feed"          a Uint8Array: see readFeed
//   event "resviz:moment"        its own: other steps of training are shown, `window.resviz.shown`
//   click on [data-resviz]       "present", "help", "full": buttons of the page itself

import { arrangementOf, layoutOf, shiftOf } from "./arrange.js";
import {
  buildBar, labelClock, labelLegend, labelTraining, labelViews, nextSpeed, showKeys, VIEWS,
} from "./bar.js";
import { resizeCharts } from "./charts.js";
import { advanceClock, createClock, seekTo, setClockPlaying, stepClock } from "./clock.js";
import { between, framesOf, layerAt, panelsOfFigure, readFeed, readRuns } from "./data.js";
import { createFit } from "./fit.js";
import { actionOf, goesOn } from "./keys.js";
import { createLeave } from "./leave.js";
import { createMarks } from "./marks.js";
import { createSprites, mapOf, pixelsOf } from "./paint.js";
import { barRows, FULL_BAR_REM, heightsOf, LEAST_BAR_REM, PHONE_BAR_REM } from "./room.js";
import { createScene, legendOf } from "./scene.js";
import { createTips } from "./tips.js";
import { fingers } from "./touch.js";
import { createReels, momentOf, panelAt } from "./training.js";

const HANDOVER = 4000; // ms to wait for the picture that a feed announced
const MOMENT_SECONDS = 0.2; // a recorded step, when training is played
const SETTLING = 1500; // ms in which the page gives a new chart its height
const LABEL_EVERY = 66; // ms between two looks of the bar at a moving clock
const INK_EVERY = 400; // ms between two looks at the page's colours
const USUAL_VIEWS = ["points", "tracks", "target"];

// What takes every key for itself, and what takes the keys that press or move it.
const WRITTEN = "textarea, select, dialog, [role=combobox], [contenteditable=true], " +
  "input:not([type=range], [type=radio], [type=checkbox])";
const PRESSED = "button, input, [role=slider], [role=radio], [role=tab]";
const MOVING = new Set([" ", "Enter", "Escape", "ArrowLeft", "ArrowRight", "Home", "End"]);

const KEYS = [
  ["Space", "play and pause"], ["← →", "one layer back, one layer on"],
  ["Home End", "to the input, to the output"], ["− +", "slower, faster"],
  ["l", "from the start again, or to and fro"], ["s", "slow: stop at every layer and say what it does"],
  ["t", "play the training: the tracks as they were learned"],
  ["[ ] , .", "one recorded training step back, one on"],
  ["1 … 8", "particles, tracks, grid, arrows, density, pairs, target, unrolled"],
  ["c", "the next meaning of colours"], ["z", "zoom out to all particles, and back"],
  ["f", "full screen"], ["p", "presentation: stage, scores and transport alone (Esc ends it)"],
  ["d", "in a presentation: dark or light"], ["?", "this sheet"],
];

function createPlayer(findChart, { autoplay, page = false }) {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const coarse = matchMedia("(pointer: coarse)").matches;
  const asked = new URLSearchParams(location.search);
  const clock = createClock(autoplay && !still);
  const state = {
    last: null, chart: null, adopted: 0, placed: 0, frames: null, figure: null, panels: null, runs: null, version: 0,
    feed: null, announced: null, stale: true, painted: 0, begun: clock.playing || !autoplay,
    views: new Set(asked.get("views")?.split(",") ?? USUAL_VIEWS), colour: asked.get("colour"),
    moment: null, told: "null", rolling: null, zoomed: null, pointer: null, looked: 0, labelled: 0, unlabelled: true, rem: 16, legend: [], named: null, namedBy: "", ink: "#31333F", dark: false,
  };
  const reels = createReels(), sprites = createSprites();
  let shown = null, shownOf = "", request = 0;

  const style = document.createElement("style");
  style.textContent = PLAYER_CSS;
  document.head.append(style);

  const bar = buildBar({
    toggle: () => setPlaying(!clock.playing), step, seek: (t) => { setPlaying(false); seek(t); },
    speed: (speed) => { clock.speed = speed; touch(); },
    bounce: () => { clock.bounce = !clock.bounce; touch(); },
    slow: () => { clock.slow = !clock.slow; touch(); },
    full: toggleFull, view: toggleView, colour: setColour, moment: setMoment, nudgeMoment, roll: toggleRoll,
    begin: () => setPlaying(true),
  });
  const root = document.createElement("div");
  root.className = "resviz-overlay";
  const scene = createScene(root, sprites);
  const marks = createMarks(root, toggleZoom);
  root.append(bar.legend, bar.root, bar.begin);
  const tips = createTips();
  const leave = createLeave(() => {
    if (document.fullscreenElement) document.exitFullscreen();
    setPresent(false);
  });
  const fit = page ? createFit({
    presenting, least: (rem) => LEAST_BAR_REM * rem, bar: (rem) => FULL_BAR_REM * rem,
    heights: (width, rem) => heightsFor(width, rem),
  }) : null;

  function touch() {
    state.stale = true;
  }

  // ---- Time --------------------------------------------------------------------------

  function setPlaying(playing) {
    if (playing) state.rolling = null;
    if (playing) state.begun = true;
    setClockPlaying(clock, playing);
    touch();
  }

  function seek(t) {
    seekTo(clock, t);
    touch();
  }

  function step(direction) {
    if (!shown) return;
    state.begun = true;
    stepClock(clock, direction, deepest());
    touch();
  }

  function deepest() {
    return Math.max(...shown.panels.map((panel) => panel.depth));
  }

  // ---- Training as time --------------------------------------------------------------

  // The runs that can be shown at earlier steps, by their names: none while a feed is shown.
  function replayable() {
    if (state.feed || !state.panels) return new Map();
    const names = state.panels.filter(({ way, of }) => way === "network" && state.runs.get(of)?.reel).map(({ of }) => of);
    return new Map(names.map((of) => [of, state.runs.get(of)]));
  }

  // The longest of their courses: all are shown at one share of their own ones, and the slider
  // stops at each moment of this one.
  function reelShown() {
    const courses = [...replayable().values()].map(({ reel }) => reel);
    return courses.length ? courses.reduce((a, b) => (b.steps.length > a.steps.length ? b : a)) : null;
  }

  // The flow at `part` of the recorded steps, 0 … 1; at the last, the run itself.
  function setMoment(part) {
    state.rolling = null;
    showMoment(part);
  }

  function showMoment(part) {
    const reel = reelShown();
    if (!reel) return;
    state.moment = momentOf(reel, part) === reel.steps.length - 1 ? null : part;
    state.begun = true;
    touch();
  }

  function nudgeMoment(direction) {
    const reel = reelShown();
    if (!reel) return;
    const at = momentOf(reel, state.moment ?? 1) + direction;
    setMoment(Math.min(1, Math.max(0, at / (reel.steps.length - 1))));
  }

  // One clock at a time: while training is played the particles rest at the output.
  function toggleRoll() {
    if (state.rolling !== null) { state.rolling = null; touch(); return; }
    if (!reelShown()) return;
    setPlaying(false);
    seek(1);
    state.rolling = 0;
    showMoment(state.moment ?? 0);
  }

  function rollOn(elapsed) {
    state.rolling += elapsed * clock.speed;
    if (state.rolling < MOMENT_SECONDS || !reelShown()) return;
    if (state.moment !== null && !shown.steps) return; // it is on its way
    state.rolling = 0;
    const last = reelShown().steps.length - 1;
    const at = state.moment === null ? last : momentOf(reelShown(), state.moment);
    if (at >= last) {
      state.rolling = null;
      setPlaying(!still);
      return;
    }
    showMoment((at + 1) / last);
  }

  // ---- What is shown -----------------------------------------------------------------

  // The figure's panels, with those that a feed names in its place, or as they were in training.
  function refresh() {
    if (!state.panels) return;
    const of = [state.version, state.feed?.count ?? "", state.moment ?? ""].join("/");
    if (of === shownOf) return;
    shownOf = of;
    touch();
    if (state.feed) {
      const fed = new Map(state.feed.panels.map((panel) => [panel.name, panel]));
      const panels = state.panels.map((panel) => {
        const live = fed.get(panel.name);
        return live ? { ...live, axes: panel.axes, regions: null } : panel;
      });
      shown = { panels, runs: new Map([...state.runs, ...state.feed.runs]) };
    } else {
      shown = atMoment() ?? { panels: state.panels, runs: state.runs };
    }
  }

  // All runs as they were then, or none: a picture is never of two moments.
  function atMoment() {
    if (state.moment === null) return null;
    const replayed = replayable(), all = [...replayed.values()];
    if (!reels.ready(all, () => { state.version++; })) {
      if (all.some(({ reel }) => reel.failure)) state.moment = state.rolling = null;
      return null;
    }
    const then = new Map([...replayed].map(([name, run]) => {
      const first = state.panels.find(({ of, way }) => of === name && way === "network");
      return [name, reels.momentAt(name, run, state.moment, first.path.subarray(0, 2 * first.n))];
    }));
    const panels = state.panels.map((panel) => (then.has(panel.of) ? panelAt(panel, then.get(panel.of)) : panel));
    const runs = new Map([...state.runs].map(([name, run]) => [name, then.get(name)?.run ?? run]));
    return { panels, runs, steps: Object.fromEntries([...then].map(([name, { step }]) => [name, step])) };
  }

  // Tell the page, whose numbers are to be of the same steps.
  function tellMoment() {
    const told = JSON.stringify(stepsTold());
    if (told === state.told) return;
    state.told = told;
    window.dispatchEvent(new CustomEvent("resviz:moment"));
  }

  function stepsTold() {
    return shown?.steps ? { figure: state.figure, steps: shown.steps } : null;
  }

  function colours() {
    const known = new Set(shown.panels.flatMap((panel) => Object.keys(shown.runs.get(panel.of).colourings)));
    return ["start", "class", "bend", "pairing"].filter((name) => known.has(name));
  }

  function colour() {
    return state.colour ?? (state.feed ? state.feed.colour : state.chart.layout.meta.colour);
  }

  function setColour(name) {
    state.colour = name;
    rememberAll();
    touch();
  }

  function toggleView(name) {
    if (!state.views.delete(name)) state.views.add(name);
    rememberAll();
    touch();
  }

  // So that the address shows others the same.
  function rememberAll() {
    if (!location.protocol.startsWith("http")) return;
    const usual = state.views.size === USUAL_VIEWS.length && USUAL_VIEWS.every((one) => state.views.has(one));
    const wanted = { views: usual ? null : [...state.views].join(","), colour: state.colour };
    const address = new URL(location.href), { searchParams: query } = address;
    for (const [name, value] of Object.entries(wanted)) {
      if (value === null) query.delete(name); else query.set(name, value);
    }
    if (address.href !== location.href) history.replaceState(history.state, "", address);
  }

  function toggleFull() {
    if (document.fullscreenElement) document.exitFullscreen();
    else document.documentElement.requestFullscreen?.();
  }

  function setPresent(on) {
    document.documentElement.classList.toggle("resviz-present", on);
    if (!on) document.documentElement.classList.remove("resviz-dark");
    state.looked = 0;
    offerToLeave();
    fit?.fit();
  }

  function offerToLeave() {
    const full = document.fullscreenElement ? "Leave full screen (f)" : "";
    leave.offer(presenting() ? "Leave the presentation (Esc)" : full);
  }

  function presenting() {
    return document.documentElement.classList.contains("resviz-present");
  }

  // ---- The feed ----------------------------------------------------------------------

  function takeFeed(bytes) {
    if (!bytes || !bytes.length) return;
    const feed = readFeed(bytes);
    if (feed.live && !feed.news) return;
    window.resvizFeed = bytes; // what a player that is mounted anew begins with
    if (feed.live) {
      if (!state.feed) { setPlaying(false); seek(1); } // one clock at a time: rest at the output
      state.feed = feed;
      state.announced = state.moment = state.rolling = null;
      state.begun = true;
    } else if (state.feed) {
      const since = state.announced?.since ?? performance.now();
      state.announced = { figure: feed.figure, since };
    }
    touch();
  }

  // The live picture stays until the finished one is there: the figure that was announced or,
  // before the announcement comes, one of a run that follows what has been trained.
  function endFeed(now) {
    const waiting = state.announced, number = state.figure.split("/")[2];
    const succeeded = state.feed && number !== "-" && number !== state.feed.after;
    if (!waiting && !succeeded) return;
    if (!succeeded && state.figure !== waiting.figure && now - waiting.since < HANDOVER) return;
    state.feed = state.announced = null;
    seek(0);
    setPlaying(!still);
    state.begun = !still;
  }

  // ---- The chart ---------------------------------------------------------------------

  function adoptChart() {
    const chart = findChart();
    if (!chart || !chart._fullLayout?.xaxis?.c2p) return false;
    const frames = framesOf(chart), meta = chart.layout?.meta;
    if (frames && meta?.panels && (frames !== state.frames || meta.id !== state.figure)) {
      const another = meta.id !== state.figure;
      state.runs = readRuns(meta.runs);
      state.panels = panelsOfFigure(chart);
      state.frames = frames;
      state.figure = meta.id;
      state.version++;
      state.looked = 0;
      if (another) {
        state.adopted = performance.now();
        state.moment = state.rolling = state.zoomed = null;
        reels.clear();
      }
    }
    if (meta?.id !== state.figure) return false; // a new picture, whose frames are not there yet
    const host = chart.querySelector(".svg-container");
    if (host && root.parentElement !== host) host.append(root);
    if (!chart.classList.contains("resviz-taken")) chart.classList.add("resviz-taken");
    chart.dataset.panels = meta.panels.length;
    state.chart = chart;
    return Boolean(state.panels && host);
  }

  // The page's own ink: a theme may change under the player.
  function lookAtPage(now) {
    if (now - state.looked < INK_EVERY) return;
    state.looked = now;
    fit?.watch();
    tips.keepUp();
    // Rounded: on 720 px it is 15.98, for which the figure need not be laid out anew.
    state.rem = Math.round(10 * parseFloat(getComputedStyle(document.documentElement).fontSize)) / 10;
    if (state.figure) rememberAll(); // the app writes the address anew, and knows no views
    const [r, g, b] = getComputedStyle(root).color.match(/[\d.]+/g).map(Number);
    // As the figure writes its own.
    const ink = `#${[r, g, b].map((part) => part.toString(16).padStart(2, "0")).join("").toUpperCase()}`;
    if (ink === state.ink) return;
    state.ink = ink;
    state.dark = 0.299 * r + 0.587 * g + 0.114 * b > 140;
    state.chart.classList.toggle("resviz-dark-stage", state.dark);
    sprites.clear();
    touch();
  }

  function reach() {
    return state.zoomed ?? (state.feed ? state.feed.half : state.chart.layout.meta.half);
  }

  // What trains may be another network than the one that the figure is of, and go farther: while
  // it does its titles and its window hold, and the figure's own afterwards.
  function dress() {
    const { chart } = state, meta = chart.layout.meta, layout = chart._fullLayout;
    if (!window.Plotly) return;
    const titles = shown.panels.map((panel, k) => `<b>${panel.title || meta.panels[k].title}</b>`);
    const { rem } = state, heights = heightsFor(layout.width, rem), unrolled = state.views.has("unroll");
    const grid = arrangementOf(layout, titles.length, unrolled, heights), half = reach();
    const shift = shiftOf(layout, titles.length, half, unrolled, heights);
    const kind = grid.columns === titles.length ? "row" : `${grid.columns} wide`;
    const size = kind === "row" ? "" : [layout.width, layout.height].map(Math.round).join("x");
    const window_ = `${half}+${shift.toFixed(3)}`, { foot } = heights;
    const wanted = [...titles, kind, size, state.ink, foot, rem, window_, coarse].join("|");
    if (chart.resvizDress === wanted || !settled(layout)) return;
    const own = [
      ...meta.panels.map((panel) => `<b>${panel.title}</b>`), "row", "", meta.ink, foot, 16, `${meta.half}+0.000`, false,
    ];
    const before = chart.resvizWindow ?? own.at(-2);
    const first = chart.resvizDress === undefined;
    chart.resvizDress = wanted;
    chart.resvizWindow = window_;
    chart.resvizShift = shift;
    if (first && wanted === own.join("|") && foot === layout.margin.b) return;
    const changes = layoutOf(chart, { titles, half, grid, shift, ink: state.ink, heights, rem, touched: coarse });
    if (before === window_) {
      delete changes["xaxis.range"];
      delete changes["yaxis.range"];
    }
    window.Plotly.relayout(chart, changes);
  }

  // Of the strips over and under the panels.
  function heightsFor(width, rem) {
    return heightsOf(rem, { rows: barRows(width, rem, presenting()), legend: state.legend.length > 0 });
  }

  // Streamlit draws a new chart at the figure's own height, measures the place, and draws it again.
  // What is laid out anew in between may bring the first height back, for good.
  function settled(layout) {
    const place = state.chart.closest(".st-key-stage");
    if (!place || Math.abs(place.clientHeight - layout.height) < 2) return true;
    if (state.placed !== place.clientHeight) [state.placed, state.adopted] = [place.clientHeight, performance.now()];
    return performance.now() - state.adopted > SETTLING;
  }

  // To a window that holds every particle all the way, and back.
  function toggleZoom() {
    if (state.zoomed !== null) {
      state.zoomed = null;
    } else {
      let farthest = 0;
      for (const panel of shown.panels) for (const v of panel.path) farthest = Math.max(farthest, Math.abs(v));
      state.zoomed = Math.max(state.chart.layout.meta.half, 1.06 * farthest);
    }
    // Whatever window somebody has drawn since, also where the one to come is that of before.
    state.chart.resvizDress = state.chart.resvizWindow = "";
    touch();
  }

  // ---- One frame ---------------------------------------------------------------------

  function tick(now) {
    request = requestAnimationFrame(tick);
    const elapsed = state.last === null ? 0 : Math.min(0.1, (now - state.last) / 1000);
    state.last = now;
    if (page) resizeCharts(".st-key-chart_figure .js-plotly-plot", state.rem);
    if (!adoptChart()) return;
    endFeed(now);
    lookAtPage(now);
    refresh();
    nameColours();
    dress();
    if (state.rolling !== null) rollOn(elapsed);
    else if (advanceClock(clock, elapsed, deepest())) touch();
    refresh();
    paint();
    // In motion the bar's own numbers, which make the browser lay out anew, follow more slowly.
    if (state.unlabelled && (!clock.playing || now - state.labelled > LABEL_EVERY)) label(now);
    marks.placeCursors(shown.steps ?? {});
    tellMoment();
  }

  // What the colours mean stands under the panels, and needs its strip.
  function nameColours() {
    if (state.named === shown && state.namedBy === colour()) return;
    [state.named, state.namedBy] = [shown, colour()];
    const legend = legendOf(shown, colour());
    const changed = legend.length > 0 !== state.legend.length > 0;
    state.legend = legend;
    if (changed) fit?.fit();
  }

  function mapsNow() {
    const layout = state.chart._fullLayout, shift = state.chart.resvizShift ?? 0;
    return shown.panels.map((panel) => mapOf(layout, panel.axes, shift, presenting()));
  }

  function paint() {
    const layout = state.chart._fullLayout, maps = mapsNow();
    const moved = scene.measure(layout, maps);
    if (moved) placeBar(layout, maps);
    if (!state.stale && !moved) return;
    const now = {
      ...shown, maps, clock, colour: colour(), views: state.views, ink: state.ink, dark: state.dark,
      bold: presenting(), half: reach(), pointer: state.pointer, legend: true,
    };
    const { outside, picked } = scene.paint(now);
    // The particle that was tapped, not the place, is what the reading is of.
    if (state.pointer?.tapped) state.pointer = picked.pick && { ...state.pointer, held: picked.pick };
    marks.place(now, outside, picked, state.zoomed !== null);
    state.stale = false;
    state.painted++;
    state.unlabelled = true;
  }

  // Close under the panels, wherever their scale leaves their lower edge.
  function placeBar(layout, maps) {
    const { rem } = state, { width, height } = layout, rows = barRows(width, rem, presenting());
    const { legend, foot } = heightsFor(width, rem);
    const bottom = Math.max(...maps.map((map) => map.top + map.height));
    const wide = width >= FULL_BAR_REM * rem && rows === 2;
    bar.root.dataset.width = width < PHONE_BAR_REM * rem ? "phone" : wide ? "full" : "small";
    bar.root.dataset.rows = rows;
    const top = Math.min(bottom, height - foot) + 6;
    bar.root.style.top = `${top + legend}px`;
    bar.legend.style.top = `${top}px`;
  }

  function label(now) {
    state.labelled = now;
    state.unlabelled = false;
    const depths = [...new Set(shown.panels.map((panel) => panel.depth))];
    const short = bar.root.dataset.width === "phone";
    const layers = depths.map((depth) => `${layerAt(clock.t, depth)}${short ? "/" : " of "}${depth}`);
    labelClock(bar, clock, `t ${clock.t.toFixed(2)}${short ? " · " : ", layer "}${layers.join(" | ")}`);
    labelViews(bar, state.views, colours(), colour());
    labelLegend(bar, state.legend);
    const reel = reelShown();
    const [step, told] = momentLabels();
    labelTraining(bar, reel && (state.moment ?? 1), step, told, state.rolling !== null);
    bar.begin.hidden = state.begun;
  }

  // *step 40*, or of each run its own where they differ; and all that is known of that moment.
  function momentLabels() {
    const runs = [...replayable()];
    if (!runs.length) return ["training", ""];
    const failure = runs.map(([, { reel }]) => reel.failure).find(Boolean);
    if (failure) return [failure, failure];
    const lettered = runs.length > 1 && runs.some(([name]) => name === "kept");
    const called = (name) => (lettered ? { kept: "A", present: "B" }[name]
      : state.panels.find(({ of, way }) => of === name && way === "network").title);
    const steps = runs.map(([name, { reel }]) => shown.steps?.[name] ?? reel.steps.at(-1));
    const told = runs.map(([name, { reel }], k) => `${runs.length > 1 ? `${called(name)} ` : ""}${reel.told[reel.steps.indexOf(steps[k])]}`);
    const step = new Set(steps).size === 1 ? `step ${steps[0]}`
      : runs.map(([name], k) => `${called(name)} step ${steps[k]}`).join(" · ");
    return [step, told.join("; ")];
  }

  // The training step at which the present run is shown, or the only one; null at the end.
  function momentStep() {
    const steps = shown?.steps;
    return steps ? steps.present ?? Object.values(steps)[0] : null;
  }

  // ---- Keys, clicks and the pointer --------------------------------------------------

  function nextColour() {
    const all = colours();
    setColour(all[(all.indexOf(colour()) + 1) % all.length]);
  }

  const acts = {
    play: () => setPlaying(!clock.playing), back: () => step(-1), on: () => step(1),
    input: () => { setPlaying(false); seek(0); }, output: () => { setPlaying(false); seek(1); },
    faster: () => { clock.speed = nextSpeed(clock.speed, 1); }, slower: () => { clock.speed = nextSpeed(clock.speed, -1); },
    bounce: () => { clock.bounce = !clock.bounce; }, slow: () => { clock.slow = !clock.slow; },
    roll: toggleRoll, earlier: () => nudgeMoment(-1), later: () => nudgeMoment(1),
    colour: nextColour, zoom: toggleZoom, full: toggleFull, present: () => setPresent(!presenting()),
    dark: () => { document.documentElement.classList.toggle("resviz-dark"); state.looked = 0; },
    leave: () => setPresent(false), help: () => showKeys(KEYS),
    ...Object.fromEntries(VIEWS.map(([name, , key]) => [`view ${key}`, () => toggleView(name)])),
  };
  const IN_PRESENTATION = new Set(["dark", "leave"]);

  const onKey = (event) => {
    const within = (kinds) => event.target.closest?.(kinds);
    if (within(WRITTEN) || (MOVING.has(event.key) && within(PRESSED)) || !shown) return;
    const action = actionOf(event);
    if (!action || (IN_PRESENTATION.has(action) && !presenting())) return;
    event.preventDefault();
    if (event.repeat && !goesOn(action)) return;
    acts[action]();
    touch();
  };

  function letGo() {
    const focused = document.activeElement;
    if (focused && !focused.closest(WRITTEN)) focused.closest(PRESSED)?.blur();
  }

  // A mouse leaves the focus on what it clicked, and the next space would click that again.
  const onClick = (event) => {
    if (event.detail) requestAnimationFrame(letGo);
    const act = { present: () => setPresent(!presenting()), help: () => showKeys(KEYS), full: toggleFull }[
      event.target.closest?.("[data-resviz]")?.dataset.resviz];
    act?.();
    if (event.target.closest?.(".st-key-chart")) fit?.showCharts(still);
  };

  const onPointer = (event) => {
    const host = root.parentElement;
    if (!host) return;
    const inside = event.pointerType !== "touch" && host.contains(event.target);
    if (!inside && !state.pointer) return;
    const box = host.getBoundingClientRect();
    state.pointer = inside ? { x: event.clientX - box.left, y: event.clientY - box.top } : null;
    touch();
  };

  // A finger has no place of rest: what it taps is held until the next tap.
  const onTap = (event) => {
    tips.tap(event);
    const host = root.parentElement, box = host?.getBoundingClientRect();
    if (root.contains(event.target)) return; // a control of the bar
    const tapped = host?.contains(event.target);
    state.pointer = tapped ? { x: event.clientX - box.left, y: event.clientY - box.top, tapped } : null;
    touch();
  };

  const onFeed = (event) => takeFeed(event.detail);
  const onDoubleClick = () => { state.zoomed = null; touch(); };
  const listeners = [
    [window, "resviz:feed", onFeed], [document, "keydown", onKey], [document, "click", onClick],
    [document, "pointermove", onPointer], [document, "dblclick", onDoubleClick],
    [window, "resize", () => { state.looked = 0; }], [document, "fullscreenchange", offerToLeave], ...fingers(onTap), ...leave.listeners, ...tips.listeners,
  ];
  for (const [target, name, listener, how] of listeners) target.addEventListener(name, listener, how ?? name === "click");
  if (asked.get("present") === "1") setPresent(true);
  fit?.fit();
  request = requestAnimationFrame(tick);
  // A feed that came before the player was there.
  if (window.resvizFeed) takeFeed(window.resvizFeed);

  return {
    get t() { return clock.t; },
    get playing() { return clock.playing; },
    get live() { return Boolean(state.feed); },
    get figure() { return state.figure; },
    get painted() { return state.painted; },
    get views() { return [...state.views]; },
    get colour() { return colour(); },
    get moment() { refresh(); return momentStep(); },
    get shown() { refresh(); return stepsTold(); },
    get presenting() { return presenting(); },
    get clock() { return { ...clock }; },
    get picked() { return marks.tip(); },
    // Where the particles of a panel are painted now, in CSS pixels of the chart.
    pixels(index) {
      refresh();
      const panel = shown.panels[index], size = 2 * panel.n;
      const points = between(panel.path, size, panel.times, clock.t, new Float32Array(size));
      return pixelsOf(points, mapsNow()[index], clock.t);
    },
    setPlaying, seek, step, setMoment, setPresent, toggleView, setColour,
    remove() {
      cancelAnimationFrame(request);
      for (const [target, name, listener, how] of listeners) target.removeEventListener(name, listener, how ?? name === "click");
      state.chart?.classList.remove("resviz-taken");
      setPresent(false);
      for (const part of [marks, tips, leave]) part.remove();
      fit?.remove();
      root.remove();
      style.remove();
      document.querySelector(".resviz-keys")?.remove();
    },
  };
}

function play(findChart, options) {
  window.resviz = createPlayer(findChart, options);
}

// Streamlit calls this again whenever the component's data or theme changes: one player,
// however often it is called.
export default function inApp() {
  window.resviz ??= createPlayer(
    () => document.querySelector(".st-key-stage .js-plotly-plot"), { autoplay: true, page: true },
  );
  return () => {
    window.resviz?.remove();
    window.resviz = undefined;
  };
}
