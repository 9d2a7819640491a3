// What a network does to any places of the plane, from its parameters alone.
//
// X_{l+1} = r X_l + h (B_l σ(A_l x + a_l) + b_l), with r = 1 in a residual network, and r = 0,
// h = 1 in a plain one. In `flat` lie A (L, m, 2), a (L, m), B (L, 2, m) and b (L, 2), one block
// after the other, as resviz/parameters.py says; what follows them, the head, moves nothing.

const CUBICS_A_UNIT = 32;

// Each σ is a constant left of −reach, a line right of reach, to less than 2e-8, and between
// them a curve. The four stand in one form so that one loop serves them all.
const ACTIVATIONS = {
  tanh: {
    reach: 10, left: -1, right: 1, slope: 0,
    value: Math.tanh,
    derivative: (z) => 1 - Math.tanh(z) ** 2,
  },
  relu: { reach: 0, left: 0, right: 0, slope: 1 },
  softplus: {
    reach: 18, left: 0, right: 0, slope: 1,
    value: (z) => Math.log1p(Math.exp(z)),
    derivative: (z) => 1 / (1 + Math.exp(-z)),
  },
  gelu: {
    reach: 7, left: 0, right: 0, slope: 1,
    value: (z) => z * normalShareBelow(z),
    derivative: (z) => normalShareBelow(z) + z * normalDensityAt(z),
  },
};

const CARRIED = { residual: 1, plain: 0 };

// How a layer of `network` acts: {kind: "residual" | "plain", activation, h, depth, width}.
function layersOf({ kind, activation, h, depth, width }) {
  const carried = oneOf("kind", kind, CARRIED), shape = oneOf("activation", activation, ACTIVATIONS);
  if (!knownCurves.has(activation)) knownCurves.set(activation, tabulate(shape));
  return { depth, width, carried, step: carried ? h : 1, sigma: knownCurves.get(activation) };
}

const knownCurves = new Map(); // of the activations that have been used

function oneOf(what, name, known) {
  if (Object.hasOwn(known, name)) return known[name];
  throw new Error(`${what}: ${name} is not allowed; allowed are ${Object.keys(known).join(", ")}`);
}

// Φ and φ of the standard normal law. Φ = 1/2 + φ (x + x³/3 + x⁵/(3·5) + …), whose terms have
// one sign, so that nothing cancels.
function normalShareBelow(x) {
  let sum = 0;
  for (let term = x, k = 1; sum + term !== sum; k += 2, term *= (x * x) / k) sum += term;
  return 0.5 + normalDensityAt(x) * sum;
}

function normalDensityAt(x) {
  return Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
}

// The curve as cubics that meet it and its slope at both ends, four coefficients each. A cubic
// is off by at most max|σ⁗| / 384 / 32⁴, which for tanh is 1e-8; with Math.tanh the way through a
// network takes three times as long.
function tabulate({ reach, left, right, slope, value, derivative }) {
  const count = 2 * reach * CUBICS_A_UNIT;
  const cubics = new Float64Array(4 * count);
  for (let k = 0; k < count; k++) {
    const z = k / CUBICS_A_UNIT - reach, next = (k + 1) / CUBICS_A_UNIT - reach;
    const rise = value(next) - value(z);
    const start = derivative(z) / CUBICS_A_UNIT, end = derivative(next) / CUBICS_A_UNIT;
    cubics.set([value(z), start, 3 * rise - 2 * start - end, start + end - 2 * rise], 4 * k);
  }
  return { reach, left, right, slope, cubics };
}

// X_0, …, X_L of points (n·2): (L+1)·n·2 numbers, layer after layer, particle after particle.
// Into `tracks`, if it is given.
export function trackThrough(network, flat, points, tracks = roomForTracks(network, points)) {
  const layers = layersOf(network), needed = layers.depth * (5 * layers.width + 2);
  if (flat.length < needed) {
    throw new Error(`flat: ${flat.length} parameters are too few; the layers have ${needed}`);
  }
  tracks.set(points);
  for (let layer = 0; layer < layers.depth; layer++) {
    const at = layer * points.length, next = at + points.length, end = next + points.length;
    takeLayer(layers, flat, layer, tracks.subarray(at, next), tracks.subarray(next, end));
  }
  return tracks;
}

function roomForTracks(network, points) {
  return new Float32Array((network.depth + 1) * points.length);
}

// X_{l+1} of X_l, both n·2.
function takeLayer({ depth, width, carried, step, sigma }, flat, layer, from, to) {
  const { reach, left, right, slope, cubics } = sigma;
  const inner = 2 * width * layer;
  const innerBias = 2 * width * depth + width * layer;
  const outerX = 3 * width * depth + 2 * width * layer, outerY = outerX + width;
  const outerBias = 5 * width * depth + 2 * layer;
  for (let i = 0; i < from.length; i += 2) {
    const x = from[i], y = from[i + 1];
    let u = flat[outerBias], v = flat[outerBias + 1];
    for (let j = 0; j < width; j++) {
      const z = flat[inner + 2 * j] * x + flat[inner + 2 * j + 1] * y + flat[innerBias + j];
      let s;
      if (z >= reach) s = right + slope * z;
      else if (z <= -reach) s = left;
      else {
        const place = (z + reach) * CUBICS_A_UNIT, cell = place | 0, part = place - cell;
        const k = 4 * cell;
        s = cubics[k] + part * (cubics[k + 1] + part * (cubics[k + 2] + part * cubics[k + 3]));
      }
      u += flat[outerX + j] * s;
      v += flat[outerY + j] * s;
    }
    to[i] = carried * x + step * u;
    to[i + 1] = carried * y + step * v;
  }
}

// A square grid on [−half, half]², carried through the layers: `lines` lines each way of `samples`
// points each, crossings among them.
//
//   paths     as trackThrough gives them for the grid's points
//   lines     for each line its points' numbers: the upright ones from the left, then the level ones
//             from below
//   outlines  for each cell its outline's, anticlockwise at the start: row after row from below
export function carriedGrid(network, flat, half, lines, samples) {
  const pieces = (samples - 1) / (lines - 1);
  if (!Number.isInteger(pieces)) {
    throw new Error(`samples: ${samples} is not allowed; allowed is a multiple of ${lines - 1}, plus 1`);
  }
  const points = new Float32Array(4 * lines * samples);
  for (let line = 0; line < lines; line++) {
    const across = gridPlace(half, line, lines - 1);
    for (let k = 0; k < samples; k++) {
      const along = gridPlace(half, k, samples - 1);
      points.set([across, along], 2 * (line * samples + k));
      points.set([along, across], 2 * ((lines + line) * samples + k));
    }
  }
  return {
    paths: trackThrough(network, flat, points),
    lines: Array.from({ length: 2 * lines }, (_, line) => countFrom(line * samples, samples)),
    outlines: cellOutlines(lines, samples, pieces),
  };
}

// A number k steps of `last` from the left end of [−half, half].
function gridPlace(half, k, last) {
  return half * ((2 * k) / last - 1);
}

function countFrom(first, count) {
  return Array.from({ length: count }, (_, k) => first + k);
}

function cellOutlines(lines, samples, pieces) {
  const cells = lines - 1;
  return Array.from({ length: cells * cells }, (_, cell) => {
    const row = Math.floor(cell / cells), column = cell % cells;
    const left = column * samples + row * pieces, below = (lines + row) * samples + column * pieces;
    const back = [below + samples, left].map((side) => countFrom(side + 1, pieces).reverse());
    return [...countFrom(below, pieces), ...countFrom(left + samples, pieces), ...back.flat()];
  });
}

// The outlines of the cells that are flipped, or flat, where the points of a grid are at
// `positions` (x, y)…, after a layer or between two.
//
// The area inside a carried outline, with its sign, is the integral of det J over the cell. The
// gradient of a convex function has det J ≥ 0: a cell of negative area proves that the map so far
// is not monotone, hence not the optimal one. If others are positive the plane is folded: the map
// is not one to one there, as it is not on a flat cell. No flipped cell proves nothing: a fold
// smaller than a cell may not show, and half a turn, than which nothing is less monotone, flips
// none.
export function flippedCells(grid, positions) {
  return grid.outlines.filter((outline) => isFlipped(outline, positions));
}

// Of a square's squared outline the area is 1/16. A cell that is pressed onto a line has an area
// of rounding alone, of either sign, and counts as flat.
const FLAT = 1e-6;

function isFlipped(outline, positions) {
  const last = 2 * outline[outline.length - 1], x0 = positions[last], y0 = positions[last + 1];
  let x = 0, y = 0, twiceArea = 0, around = 0;
  for (const point of outline) {
    const nextX = positions[2 * point] - x0, nextY = positions[2 * point + 1] - y0;
    twiceArea += x * nextY - y * nextX;
    around += Math.hypot(nextX - x, nextY - y);
    x = nextX;
    y = nextY;
  }
  return twiceArea <= 2 * FLAT * around * around;
}

// Where layer `layer`, 0 for the first, would move places x of [−half, half]² had a particle been
// there: x, y, and x's way to the next layer, four numbers for each middle of a count × count
// grid, row after row from below.
export function displacementField(network, flat, layer, half, count) {
  const from = new Float32Array(2 * count * count), to = new Float32Array(from.length);
  for (let k = 0; k < count * count; k++) {
    from[2 * k] = gridPlace(half, (k % count) + 0.5, count);
    from[2 * k + 1] = gridPlace(half, Math.floor(k / count) + 0.5, count);
  }
  takeLayer(layersOf(network), flat, layer, from, to);
  const field = new Float32Array(2 * from.length);
  for (let k = 0; k < from.length; k += 2) {
    field.set([from[k], from[k + 1], to[k] - from[k], to[k + 1] - from[k + 1]], 2 * k);
  }
  return field;
}
