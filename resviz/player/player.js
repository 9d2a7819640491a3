// Moves the stage's particles at the display's rate.
//
// Reads the Plotly figure's own frames (figures/stage.py says what stands in `meta`) or,
// while a network trains, the tracks that a feed sends; paints them on two canvases over
// Plotly's plot area, mapped by Plotly's own axes; and lays its transport bar over
// Plotly's slider. Without it the figure still plays by Plotly's means.
//
//   play(chart)          in an exported page
//   default export       in the app, as a Streamlit v2 component: finds the chart by itself
//   event "resviz:feed"  a Uint8Array: see readFeed

const SECONDS_A_LOOP = 4;
const REST_AT_END = 1.2; // seconds
const REST_AT_START = 0.5;
const SPEEDS = [0.5, 1, 2];
const PANELS_PER_DOT = 1 / 112; // a dot's radius, in widths of a panel
const HANDOVER = 4000; // ms to wait for the picture that a feed announced

const STYLE = `
.resviz-taken .scatterlayer, .resviz-taken .slider-container,
.resviz-taken .updatemenu-container { visibility: hidden; }
/* The legend and the notes, which come after a title for each panel: here they are painted. */
.resviz-taken[data-panels="2"] .annotation:not([data-index="0"], [data-index="1"]),
.resviz-taken[data-panels="3"] .annotation:not([data-index="0"], [data-index="1"], [data-index="2"])
{ visibility: hidden; }
.resviz-overlay { position: absolute; inset: 0; pointer-events: none; }
.resviz-overlay canvas { position: absolute; left: 0; top: 0; }
.js-plotly-plot .plotly .resviz-bar { position: absolute; left: 4px; right: 4px; height: 2.75rem; display: flex;
  align-items: center; gap: 8px; pointer-events: auto; color: inherit; font-weight: 600;
  font-family: "Source Sans", "Source Sans Pro", "Liberation Sans", Arial, sans-serif;
  font-size: 1.06rem; font-variant-numeric: tabular-nums; }
.resviz-bar button { min-width: 2.75rem; height: 2.4rem; border: 1px solid rgba(128,132,149,.5);
  border-radius: 8px; background: rgba(128,132,149,.1); color: inherit; font: inherit;
  cursor: pointer; padding: 0 0.6rem; }
.resviz-bar button:hover { background: rgba(128,132,149,.25); }
.resviz-bar button:focus-visible, .resviz-bar input:focus-visible { outline: 3px solid #0072B2; }
.resviz-bar button[aria-pressed=true] { background: #0072B2; color: #fff; }
.resviz-bar .resviz-play { min-width: 4rem; background: #0072B2; color: #fff; font-size: 1.25rem; }
.resviz-bar .resviz-play:hover { background: #005a8f; }
.resviz-bar input { flex: 1; min-width: 3rem; height: 1.75rem; accent-color: #0072B2; cursor: pointer; }
.resviz-bar output { min-width: 11.5em; text-align: right; white-space: nowrap; }
`;

// ---- What is shown: panels of particle paths, from a figure or from a feed ------------

// A panel: {axes: [xName, yName], times: [t…], path: Float32Array (moments·n·2),
//           colours: [css…], sprite: [index into colours, one a particle], target,
//           regions: null or one image a layer: what the network would say of each place}

function decode(array) {
  if (!array || !array.bdata) return array || [];
  const bytes = Uint8Array.from(atob(array.bdata), (c) => c.charCodeAt(0));
  const kinds = { f4: Float32Array, f8: Float64Array, i1: Int8Array, i2: Int16Array };
  return new kinds[array.dtype](bytes.buffer);
}

function framesOf(chart) {
  const frames = chart._transitionData?._frames;
  return frames && frames.length ? frames : null;
}

function axisNames(trace) {
  const name = (short, letter) => letter + "axis" + (short || letter).slice(1);
  return [name(trace.xaxis, "x"), name(trace.yaxis, "y")];
}

function panelsOfFigure(chart) {
  const { panels, times } = chart.layout.meta;
  const frames = framesOf(chart);
  return panels.map((panel, index) => {
    const own = (role) => (trace) => trace.meta?.role === role && trace.meta.panel === index;
    const moving = chart.data.flatMap((t, k) => (own("particles")(t) ? [k] : []));
    const target = chart.data.find(own("target"));
    const colours = moving.map((k) => chart.data[k].marker.color);
    const sprite = [];
    const moments = frames.map((frame) => {
      const flat = [];
      moving.forEach((k, colour) => {
        const { x, y } = frame.data[frame.traces.indexOf(k)];
        const xs = decode(x), ys = decode(y);
        for (let i = 0; i < xs.length; i++) {
          if (frame === frames[0]) sprite.push(colour);
          flat.push(xs[i], ys[i]);
        }
      });
      return flat;
    });
    const size = moments[0].length;
    const path = new Float32Array(size * moments.length);
    moments.forEach((flat, k) => path.set(flat, k * size));
    return {
      name: panel.name, depth: panel.depth, times, path, colours, sprite,
      note: panel.note,
      regions: panel.regions ? regionImages(panel.regions) : null,
      axes: axisNames(chart.data[moving[0]]),
      target: target ? middles(decode(target.x), decode(target.y)) : new Float32Array(0),
    };
  });
}

// One small canvas a layer, a cell a pixel. Rows come from below, images from above.
function regionImages({ half, side, cells, colours }) {
  const classes = Uint8Array.from(atob(cells), (c) => c.charCodeAt(0));
  const shades = colours.map((css) => [1, 3, 5].map((k) => parseInt(css.slice(k, k + 2), 16)));
  const images = Array.from({ length: classes.length / side / side }, (_, layer) => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = side;
    const context = canvas.getContext("2d"), image = context.createImageData(side, side);
    for (let row = 0; row < side; row++) {
      for (let column = 0; column < side; column++) {
        const shade = shades[classes[(layer * side + row) * side + column]];
        image.data.set([...shade, 48], 4 * ((side - 1 - row) * side + column));
      }
    }
    context.putImageData(image, 0, 0);
    return canvas;
  });
  return { half, images };
}

// The target's points: in the figure each is a dash of two points and a gap.
function middles(xs, ys) {
  const out = [];
  for (let i = 0; i + 1 < xs.length; i += 3) out.push((xs[i] + xs[i + 1]) / 2, ys[i]);
  return Float32Array.from(out);
}

// A feed's bytes: the length of a JSON header (uint32), the header, and from the next
// multiple of four on float32 numbers: the target's points, then each panel's path.
// Header: {live, news, figure, half, colours, sprite, target, particles, panels: [{name, title,
// note, depth, moments}]}. With `live` false it says which figure takes over; without `news` the last
// picture still holds.
function readFeed(bytes) {
  const own = bytes.slice(); // a view on a shared buffer may lie at any offset
  const size = new DataView(own.buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(own.subarray(4, 4 + size)));
  if (!header.live || !header.news) return header;
  const numbers = new Float32Array(own.buffer, Math.ceil((4 + size) / 4) * 4);
  let at = 2 * header.target;
  const target = numbers.subarray(0, at);
  for (const panel of header.panels) {
    const length = panel.moments * header.particles * 2;
    panel.path = numbers.subarray(at, (at += length));
    panel.times = Array.from({ length: panel.moments }, (_, k) => k / (panel.moments - 1));
    Object.assign(panel, { target, colours: header.colours, sprite: header.sprite });
  }
  return header;
}

// Positions at time t: straight between the moments, into `out` (n·2).
function positions(panel, t, out) {
  const { times, path } = panel;
  let k = 0;
  while (k < times.length - 2 && times[k + 1] <= t) k++;
  const part = Math.min(1, Math.max(0, (t - times[k]) / (times[k + 1] - times[k])));
  const size = 2 * panel.sprite.length, from = k * size, to = from + size;
  for (let i = 0; i < size; i++) out[i] = path[from + i] * (1 - part) + path[to + i] * part;
  return out;
}

// ---- Painting ------------------------------------------------------------------------

// Plotly's own linear map of one panel, in CSS pixels of the chart.
function mapping(layout, axes) {
  const [x, y] = axes.map((name) => layout[name]);
  const line = (axis) => [axis._offset + axis.c2p(0), axis.c2p(1) - axis.c2p(0)];
  return [...line(x), ...line(y), x._offset, y._offset, x._length, y._length];
}

function clipTo(context, [, , , , left, top, width, height]) {
  context.beginPath();
  context.rect(left, top, width, height);
  context.clip();
}

const radius = (map) => Math.min(9, Math.max(2.2, map[6] * PANELS_PER_DOT)); // CSS pixels

function paintGround(context, panel, map) {
  const [x0, dx, y0, dy] = map, dot = radius(map);
  context.save();
  clipTo(context, map);
  context.fillStyle = "rgba(120,125,140,.32)";
  for (let i = 0; i < panel.target.length; i += 2) {
    context.beginPath();
    context.arc(x0 + dx * panel.target[i], y0 + dy * panel.target[i + 1], 0.7 * dot, 0, 6.2832);
    context.fill();
  }
  context.lineWidth = dot / 3.6;
  context.globalAlpha = 0.22;
  const n = panel.sprite.length;
  panel.colours.forEach((colour, c) => {
    context.strokeStyle = colour;
    for (let i = 0; i < n; i++) {
      if (panel.sprite[i] !== c) continue;
      context.beginPath(); // one path a track: crossings darken
      for (let k = 0; k < panel.times.length; k++) {
        const at = 2 * (k * n + i);
        context.lineTo(x0 + dx * panel.path[at], y0 + dy * panel.path[at + 1]);
      }
      context.stroke();
    }
  });
  context.restore();
}

// Where the network stands at time t: the layer that is reached.
function paintRegions(context, { regions, depth }, map, t) {
  if (!regions) return;
  const [x0, dx, y0, dy] = map, { half, images } = regions;
  context.save();
  clipTo(context, map);
  const image = images[Math.floor(t * depth + 1e-6)];
  context.drawImage(image, x0 - dx * half, y0 + dy * half, 2 * dx * half, -2 * dy * half);
  context.restore();
}

// A dot with a thin light rim, drawn once for each colour.
function makeSprite(colour, dot, scale) {
  const canvas = document.createElement("canvas");
  const side = Math.ceil(2 * (dot + 1) * scale);
  canvas.width = canvas.height = side;
  const context = canvas.getContext("2d");
  context.arc(side / 2, side / 2, dot * scale, 0, 6.2832);
  context.fillStyle = colour;
  context.fill();
  context.lineWidth = 0.7 * scale;
  context.strokeStyle = "rgba(255,255,255,.85)";
  context.stroke();
  return canvas;
}

function paintParticles(context, panel, map, points, sprites) {
  const [x0, dx, y0, dy, left, top, width, height] = map;
  const dot = radius(map), half = dot + 1, n = panel.sprite.length;
  let outside = 0;
  context.save();
  clipTo(context, map);
  for (let i = 0; i < n; i++) {
    const x = x0 + dx * points[2 * i], y = y0 + dy * points[2 * i + 1];
    if (x < left || y < top || x > left + width || y > top + height) { outside++; continue; }
    const image = sprites(panel.colours[panel.sprite[i]], dot);
    context.drawImage(image, x - half, y - half, 2 * half, 2 * half);
  }
  if (outside) {
    const text = outside === 1 ? "1 point outside" : `${outside} points outside`;
    paintText(context, [[text, "#B3261E"]], left + width, top + height - 54, true);
  }
  context.restore();
}

// Pieces of text on a light ground, from x to the right, or ending at x.
function paintText(context, pieces, x, y, ending = false) {
  context.font = "600 15px sans-serif";
  const widths = pieces.map(([text]) => context.measureText(text).width);
  const wide = widths.reduce((sum, width) => sum + width, 0);
  let at = ending ? x - wide - 9 : x + 9;
  context.fillStyle = "rgba(255,255,255,.88)";
  context.fillRect(at - 5, y + 4, wide + 10, 22);
  pieces.forEach(([text, colour], k) => {
    context.fillStyle = colour;
    context.fillText(text, at, y + 20);
    at += widths[k];
  });
}

const INK = "#31333F";

function legendPieces({ of, names }) {
  return [[`${of} `, INK], ...names.flatMap(([colour, name]) => [["●", colour], [` ${name}  `, INK]])];
}

// ---- The player ----------------------------------------------------------------------

function createPlayer(findChart, { autoplay }) {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const state = {
    t: 0, playing: autoplay && !still, speed: 1, resting: 0, last: null,
    chart: null, frames: null, figure: null, panels: null,
    feed: null, announced: null, stale: true, painted: 0,
  };
  const overlay = buildOverlay();
  const sprites = new Map();
  let buffer = new Float32Array(0), signature = "", request = 0;

  const style = document.createElement("style");
  style.textContent = STYLE;
  document.head.append(style);

  function buildOverlay() {
    const root = document.createElement("div");
    root.className = "resviz-overlay";
    const [regions, ground, top] = [1, 2, 3].map(() => document.createElement("canvas"));
    const bar = document.createElement("div");
    bar.className = "resviz-bar";
    bar.setAttribute("role", "group");
    bar.setAttribute("aria-label", "Time of both panels");
    const button = (text, label, act) => {
      const node = document.createElement("button");
      node.type = "button";
      node.textContent = text;
      node.title = label;
      node.setAttribute("aria-label", label);
      node.addEventListener("click", act);
      return node;
    };
    const playButton = button("▶", "Play", () => setPlaying(!state.playing));
    playButton.classList.add("resviz-play");
    const slider = document.createElement("input");
    Object.assign(slider, { type: "range", min: 0, max: 1, step: 0.001, value: 0 });
    slider.setAttribute("aria-label", "Time t from input to output");
    slider.addEventListener("keydown", (event) => {
      const direction = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
      if (direction) { event.preventDefault(); step(direction); }
    });
    slider.addEventListener("input", () => { setPlaying(false); seek(Number(slider.value)); });
    const text = document.createElement("output");
    text.setAttribute("aria-live", "off"); // sixty times a second
    const speeds = SPEEDS.map((speed) => {
      const node = button(speed === 0.5 ? "½×" : `${speed}×`, `Speed ${speed}`, () => setSpeed(speed));
      node.dataset.speed = speed;
      node.setAttribute("aria-pressed", String(speed === 1));
      return node;
    });
    bar.append(
      playButton, button("|◀", "One layer back", () => step(-1)),
      button("▶|", "One layer forward", () => step(1)), slider, text, ...speeds,
    );
    root.append(regions, ground, top, bar);
    return { root, regions, ground, top, bar, playButton, slider, text, speeds };
  }

  function setSpeed(speed) {
    state.speed = speed;
    for (const node of overlay.speeds) {
      node.setAttribute("aria-pressed", String(Number(node.dataset.speed) === speed));
    }
  }

  function setPlaying(playing) {
    if (playing && state.t >= 1) seek(0);
    state.playing = playing;
    state.resting = 0;
  }

  function seek(t) {
    state.t = Math.min(1, Math.max(0, t));
    state.stale = true;
  }

  function step(direction) {
    const panels = shown();
    if (!panels) return;
    setPlaying(false);
    const depth = Math.max(...panels.map((panel) => panel.depth));
    const place = state.t * depth;
    seek((direction > 0 ? Math.floor(place + 1e-6) + 1 : Math.ceil(place - 1e-6) - 1) / depth);
  }

  // The figure's panels, with those that a feed names in its place.
  function shown() {
    if (!state.panels || !state.feed) return state.panels;
    const fed = new Map(state.feed.panels.map((panel) => [panel.name, panel]));
    return state.panels.map((panel) => {
      const live = fed.get(panel.name);
      return live ? { ...live, axes: panel.axes } : panel;
    });
  }

  function takeFeed(bytes) {
    if (!bytes || !bytes.length) return;
    const feed = readFeed(bytes);
    if (feed.live && !feed.news) return;
    window.resvizFeed = bytes; // what a player that is mounted anew begins with
    if (feed.live) {
      if (!state.feed) { setPlaying(false); seek(1); } // one clock at a time: rest at the output
      state.feed = feed;
      state.announced = null;
    } else if (state.feed) {
      const since = state.announced?.since ?? performance.now();
      state.announced = { figure: feed.figure, since };
    }
    state.stale = true;
  }

  // What trains may be another network than the one that the figure is of, and go farther:
  // while it does, its titles and its window hold, and the figure's own afterwards. Plotly is
  // asked only when what should be there changes, so that a zoom stays.
  function dress() {
    const { chart, feed } = state, { panels, half } = chart.layout.meta;
    const fed = new Map((feed?.panels || []).map((panel) => [panel.name, panel.title]));
    const titles = panels.map((panel) => `<b>${fed.get(panel.name) || panel.title}</b>`);
    const reach = feed ? feed.half : half;
    const wanted = [...titles, reach].join();
    if (!window.Plotly || chart.resvizDress === wanted) return;
    const changes = {};
    titles.forEach((title, k) => {
      if (chart.layout.annotations[k].text !== title) changes[`annotations[${k}].text`] = title;
    });
    if (reach !== (chart.resvizReach ?? half)) {
      changes["xaxis.range"] = changes["yaxis.range"] = [-reach, reach];
    }
    chart.resvizDress = wanted;
    chart.resvizReach = reach;
    if (Object.keys(changes).length) window.Plotly.relayout(chart, changes);
  }

  // The live picture stays until the finished one is there.
  function endFeed(now) {
    const waiting = state.announced;
    if (!waiting) return;
    if (state.figure !== waiting.figure && now - waiting.since < HANDOVER) return;
    state.feed = state.announced = null;
    state.stale = true;
    seek(0);
    setPlaying(!still);
  }

  function adoptChart() {
    const chart = findChart();
    if (!chart || !chart._fullLayout?.xaxis?.c2p) return false;
    const frames = framesOf(chart), meta = chart.layout?.meta;
    if (frames && meta?.panels && (frames !== state.frames || meta.id !== state.figure)) {
      state.panels = panelsOfFigure(chart);
      state.frames = frames;
      state.figure = meta.id;
      state.stale = true;
    }
    if (meta?.id !== state.figure) return false; // a new picture, whose frames are not there yet
    const host = chart.querySelector(".svg-container");
    if (host && overlay.root.parentElement !== host) host.append(overlay.root);
    if (!chart.classList.contains("resviz-taken")) chart.classList.add("resviz-taken");
    chart.dataset.panels = meta.panels.length;
    state.chart = chart;
    return Boolean(state.panels && host);
  }

  function fit(canvas, width, height, scale) {
    const w = Math.round(width * scale), h = Math.round(height * scale);
    if (canvas.width !== w || canvas.height !== h) {
      canvas.width = w;
      canvas.height = h;
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
    }
    const context = canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    return context;
  }

  function paint(panels) {
    const layout = state.chart._fullLayout, scale = devicePixelRatio || 1;
    const maps = panels.map((panel) => mapping(layout, panel.axes));
    // Close under the panels, wherever their scale leaves their lower edge.
    const bottom = Math.max(...maps.map(([, , , , , y, , length]) => y + length));
    const now = [layout.width, layout.height, scale, ...maps.flat()].join();
    const moved = now !== signature;
    if (moved) sprites.clear();
    signature = now;
    if (!state.stale && !moved) return;
    if (moved) overlay.bar.style.top = `${Math.min(bottom + 6, layout.height - overlay.bar.offsetHeight)}px`;
    if (moved || state.groundOf !== state.panels || state.groundFeed !== state.feed) {
      const context = fit(overlay.ground, layout.width, layout.height, scale);
      panels.forEach((panel, k) => paintGround(context, panel, maps[k]));
      state.groundOf = state.panels;
      state.groundFeed = state.feed;
    }
    const layers = panels.map((panel) => (panel.regions ? Math.floor(state.t * panel.depth + 1e-6) : ""));
    const behind = [now, state.figure, Boolean(state.feed), ...layers].join();
    if (behind !== state.behind) {
      const regions = fit(overlay.regions, layout.width, layout.height, scale);
      panels.forEach((panel, k) => paintRegions(regions, panel, maps[k], state.t));
      state.behind = behind;
    }
    const context = fit(overlay.top, layout.width, layout.height, scale);
    const sprite = (colour, dot) => {
      const key = `${colour}@${dot * scale}`;
      if (!sprites.has(key)) sprites.set(key, makeSprite(colour, dot, scale));
      return sprites.get(key);
    };
    panels.forEach((panel, k) => {
      const size = 2 * panel.sprite.length;
      if (buffer.length < size) buffer = new Float32Array(size);
      paintParticles(context, panel, maps[k], positions(panel, state.t, buffer), sprite);
      const [, , , , left, top, , height] = maps[k];
      if (panel.note) paintText(context, [[panel.note, INK]], left, top + height - 30);
    });
    // A feed has colours of its own.
    const { legend } = state.chart.layout.meta, [, , , , left, top] = maps[legend.panel];
    if (legend?.names.length && !state.feed) paintText(context, legendPieces(legend), left, top);
    state.stale = false;
    state.painted++;
    label(panels);
  }

  function label(panels) {
    const depths = [...new Set(panels.map((panel) => panel.depth))];
    const layer = depths.map((depth) => `${Math.floor(state.t * depth + 1e-6)} of ${depth}`);
    const text = `t ${state.t.toFixed(2)}, layer ${layer.join(" | ")}`;
    if (overlay.text.textContent !== text) {
      overlay.text.textContent = text;
      overlay.slider.setAttribute("aria-valuetext", text);
    }
    if (document.activeElement !== overlay.slider || state.playing) overlay.slider.value = state.t;
  }

  function tick(now) {
    request = requestAnimationFrame(tick);
    const elapsed = state.last === null ? 0 : Math.min(0.1, (now - state.last) / 1000);
    state.last = now;
    if (!adoptChart()) return;
    endFeed(now);
    dress();
    if (state.playing) moveOn(elapsed * state.speed);
    const word = state.playing ? "Pause" : "Play";
    if (overlay.playButton.title !== word) {
      overlay.playButton.title = word;
      overlay.playButton.setAttribute("aria-label", word);
      overlay.playButton.textContent = state.playing ? "❚❚" : "▶";
    }
    paint(shown());
  }

  function moveOn(elapsed) {
    if (state.resting > 0) {
      state.resting -= elapsed;
      if (state.resting <= 0 && state.t >= 1) { seek(0); state.resting = REST_AT_START; }
      return;
    }
    seek(state.t + elapsed / SECONDS_A_LOOP);
    if (state.t >= 1) state.resting = REST_AT_END;
  }

  function onKey(event) {
    const form = event.target.closest?.("input, textarea, select, button, [role=slider], [role=radio]," +
      " [role=combobox], [role=tab], [contenteditable=true]");
    if (form || event.ctrlKey || event.metaKey || event.altKey) return;
    const act = {
      " ": () => setPlaying(!state.playing), ArrowLeft: () => step(-1), ArrowRight: () => step(1),
      Home: () => { setPlaying(false); seek(0); }, End: () => { setPlaying(false); seek(1); },
    }[event.key];
    if (act) { event.preventDefault(); act(); }
  }

  // A mouse leaves the focus on what it clicked, and the next space would click that again.
  function onClick(event) {
    if (event.detail) event.target.closest?.("button")?.blur();
  }

  const onFeed = (event) => takeFeed(event.detail);
  addEventListener("resviz:feed", onFeed);
  document.addEventListener("keydown", onKey);
  document.addEventListener("click", onClick);
  request = requestAnimationFrame(tick);
  // A feed that came before the player was there.
  if (window.resvizFeed) takeFeed(window.resvizFeed);

  return {
    get t() { return state.t; },
    get playing() { return state.playing; },
    get live() { return Boolean(state.feed); },
    get figure() { return state.figure; },
    get painted() { return state.painted; },
    // Where the particles of a panel are painted now, in CSS pixels of the chart.
    pixels(index) {
      const panel = shown()[index], [x0, dx, y0, dy] = mapping(state.chart._fullLayout, panel.axes);
      const points = positions(panel, state.t, new Float32Array(2 * panel.sprite.length));
      return Array.from(points, (v, i) => (i % 2 ? y0 + dy * v : x0 + dx * v));
    },
    setPlaying, seek, step,
    remove() {
      cancelAnimationFrame(request);
      removeEventListener("resviz:feed", onFeed);
      document.removeEventListener("keydown", onKey);
      document.removeEventListener("click", onClick);
      state.chart?.classList.remove("resviz-taken");
      overlay.root.remove();
      style.remove();
    },
  };
}

function play(chart, options) {
  window.resviz = createPlayer(() => chart, options);
}

// Streamlit calls this again whenever the component's data or theme changes: one player,
// however often it is called.
export default function inApp() {
  window.resviz ??= createPlayer(
    () => document.querySelector(".st-key-stage .js-plotly-plot"), { autoplay: true },
  );
  return () => {
    window.resviz?.remove();
    window.resviz = undefined;
  };
}
