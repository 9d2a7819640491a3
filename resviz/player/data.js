// What is shown: panels of particle paths, from a figure or from a feed.
//
// A run is what is known of one network:
//   colourings  {name: {of, palette: [css…], index: one a particle, names: [text…]}}
//   plan        the cheapest way takes particle i to where plan[i] ends
//   bends       LSS of each particle; astray: how far it ends from its cheapest end, over W2
//   says        a sentence a layer;  fields that are not known yet are missing
//   network     {kind, activation, h, depth, width} and `parameters`, the flat vector
//   reel        see training.js
// A panel is one way of its particles:
//   {name, title, note, depth, of: name of its run, way: "network" | "geodesic", axes: [x, y],
//    times: [t…], path: Float32Array (moments · n · 2), n, target: Float32Array, regions}

const KINDS = { f4: Float32Array, f8: Float64Array, u1: Uint8Array, i1: Int8Array, i2: Int16Array };

// The numbers of a typed array in Plotly's own form, {dtype, bdata}.
export function decode(array) {
  if (!array || !array.bdata) return array || [];
  return new KINDS[array.dtype](bytesOf(array.bdata).buffer);
}

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
}

export function framesOf(chart) {
  const frames = chart._transitionData?._frames;
  return frames && frames.length ? frames : null;
}

function axisNames(trace) {
  const name = (short, letter) => letter + "axis" + (short || letter).slice(1);
  return [name(trace.xaxis, "x"), name(trace.yaxis, "y")];
}

// The runs that a figure or a feed tells of, with their arrays unpacked.
export function readRuns(runs) {
  return new Map(Object.entries(runs).map(([name, run]) => {
    const colourings = Object.fromEntries(Object.entries(run.colourings).map(
      ([key, one]) => [key, { ...one, index: decode(one.index) }],
    ));
    const read = { ...run, colourings };
    for (const field of ["plan", "bends", "astray", "parameters"]) {
      if (run[field]) read[field] = decode(run[field]);
    }
    return [name, read];
  }));
}

// The panels of a figure, their paths read from its frames.
export function panelsOfFigure(chart) {
  const { panels, times, runs } = chart.layout.meta, frames = framesOf(chart);
  return panels.map((panel, index) => {
    const own = (role) => (trace) => trace.meta?.role === role && trace.meta.panel === index;
    const moving = chart.data.flatMap((trace, k) => (own("particles")(trace) ? [k] : []));
    const target = chart.data.find(own("target"));
    // A trace holds the particles of one colour in their order: put them back where they were.
    const drawn = decode(runs[panel.of].colourings[panel.drawn].index);
    const present = [...new Set(drawn)].sort((a, b) => a - b);
    const places = present.map((c) => Array.from(drawn.keys()).filter((i) => drawn[i] === c));
    const n = drawn.length, path = new Float32Array(2 * n * frames.length);
    frames.forEach((frame, moment) => moving.forEach((k, colour) => {
      const { x, y } = frame.data[frame.traces.indexOf(k)], xs = decode(x), ys = decode(y);
      places[colour].forEach((i, j) => {
        path[2 * (moment * n + i)] = xs[j];
        path[2 * (moment * n + i) + 1] = ys[j];
      });
    }));
    return {
      ...panel, times, path, n,
      regions: panel.regions ? regionImages(panel.regions) : null,
      axes: axisNames(chart.data[moving[0]]),
      target: target ? middles(decode(target.x), decode(target.y)) : new Float32Array(0),
    };
  });
}

// One small canvas a layer, a cell a pixel. Rows come from below, images from above.
function regionImages({ half, side, cells, colours }) {
  const classes = bytesOf(cells);
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
// multiple of four on float32 numbers: for each panel its target and its path, then for each
// run its parameters. Header: {live, news, figure, half, runs, panels: [{name, title, note, depth,
// of, way, moments, particles, target}]}. With `live` false it says which figure takes over;
// without `news` the last picture still holds.
export function readFeed(bytes) {
  const own = bytes.slice(); // a view on a shared buffer may lie at any offset
  const size = new DataView(own.buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(own.subarray(4, 4 + size)));
  if (!header.live || !header.news) return header;
  const numbers = new Float32Array(own.buffer, Math.ceil((4 + size) / 4) * 4);
  let at = 0;
  const take = (count) => numbers.subarray(at, (at += count));
  for (const panel of header.panels) {
    panel.n = panel.particles;
    panel.target = take(2 * panel.target);
    panel.path = take(2 * panel.moments * panel.n);
    panel.times = evenTimes(panel.moments);
  }
  header.runs = readRuns(header.runs);
  for (const run of header.runs.values()) run.parameters = take(run.parameterCount);
  return header;
}

export function evenTimes(moments) {
  return Array.from({ length: moments }, (_, k) => k / (moments - 1));
}

// The last moment of `times` at or before t that has one after it, and how far t is on from it.
export function placeIn(times, t) {
  let k = 0;
  while (k < times.length - 2 && times[k + 1] <= t) k++;
  return [k, Math.min(1, Math.max(0, (t - times[k]) / (times[k + 1] - times[k])))];
}

// Numbers at time t: straight between the moments, each of `size` numbers of `path`, into `out`.
export function between(path, size, times, t, out) {
  const [k, part] = placeIn(times, t), from = k * size, to = from + size;
  for (let i = 0; i < size; i++) out[i] = path[from + i] * (1 - part) + path[to + i] * part;
  return out;
}

// The layer that is reached at t.
export function layerAt(t, depth) {
  return Math.floor(t * depth + 1e-6);
}
