// Contours of a cloud's density: the lines that hold so many of its particles.
//
// The density is a sum of round Gaussians, f(x) = 1/n Σ_i N(x; x_i, w² I). Their width is Scott's,
// w = s n^{-1/6}, with s the standard deviation of the round Gaussian that fills as much of the
// plane as the cloud does: area 1/∫f² = 4π s². For a Gaussian cloud that is Scott's rule; a cloud
// of several lumps, or one along a curve, keeps them, where its standard deviation would blur them.
//
// The line that holds a share p of the particles is f = c, with c so that f ≥ c at p n of them: the
// smallest region that does (Hyndman, Computing and graphing highest density regions, 1996).

const FINEST = 1 / 100; // of `half`, for w
const FAR = 4.5; // standard deviations. At most a tenth of any cloud is further out, either way
const TAIL = 3; // widths w around the cloud

// Room for the density of one cloud after the other, on side × side places.
export function createDensity(side) {
  return {
    side,
    counts: new Float64Array(side * side),
    blurred: new Float64Array(side * side),
    values: new Float64Array(side * side),
    segments: [],
  };
}

// For each of `shares`, in its order, the lines that hold as large a share of `points` (x, y)…:
// segments x0, y0, x1, y1, … in data units, in no order. The next call overwrites them.
//
// `half` is half a panel's width and tells alone how fine w may become: the grid goes with the
// cloud and not with the window, so that lines are closed and do not change when one zooms.
// Particles that are not finite are left out, those FAR from the middle lie outside of every line.
export function densityContours(density, points, half, shares) {
  const { side, counts, blurred, values } = density;
  const box = boxAround(points, side, FINEST * half);
  if (!box) return shares.map(() => new Float32Array(0));
  const alone = binInto(counts, points, box, side);
  const width = kernelWidth(counts, alone, box);
  blurAlong(counts, blurred, side, width / box.cell, 1, side);
  blurAlong(blurred, values, side, width / box.cell, side, 1);
  const reached = densitiesAt(values, points, box, side);
  return shares.map((share, k) => {
    density.segments[k] ??= new Float32Array(8 * side * side);
    const count = contourInto(density.segments[k], values, side, levelOf(reached, share), box);
    return density.segments[k].subarray(0, count);
  });
}

// A square grid over all particles and the tails of their kernels: its lower left corner, the
// side of a cell, how many particles count, and Scott's width, which is the widest.
function boxAround(points, side, finest) {
  let n = 0, sumX = 0, sumY = 0;
  let left = Infinity, right = -Infinity, below = Infinity, above = -Infinity;
  for (let i = 0; i < points.length; i += 2) {
    const x = points[i], y = points[i + 1];
    if (!Number.isFinite(x + y)) continue;
    n++;
    sumX += x;
    sumY += y;
    left = Math.min(left, x);
    right = Math.max(right, x);
    below = Math.min(below, y);
    above = Math.max(above, y);
  }
  if (!n) return null;
  const meanX = sumX / n, meanY = sumY / n;
  let squareX = 0, squareY = 0;
  for (let i = 0; i < points.length; i += 2) {
    const x = points[i] - meanX, y = points[i + 1] - meanY;
    if (!Number.isFinite(x + y)) continue;
    squareX += x * x;
    squareY += y * y;
  }
  const deviationX = Math.sqrt(squareX / n), deviationY = Math.sqrt(squareY / n);
  const widest = Math.max(finest, Math.sqrt((squareX + squareY) / n / 2) * n ** (-1 / 6));
  left = Math.max(left, meanX - FAR * deviationX);
  right = Math.min(right, meanX + FAR * deviationX);
  below = Math.max(below, meanY - FAR * deviationY);
  above = Math.min(above, meanY + FAR * deviationY);
  const whole = Math.max(right - left, above - below) + 2 * TAIL * widest, cell = whole / (side - 1);
  const x = (left + right - whole) / 2, y = (below + above - whole) / 2;
  return { n, x, y, cell, widest, finest };
}

// Shares each particle among the four places around it. Returns Σ of the squared shares: what the
// particles would make of Σ counts² if none met another.
function binInto(counts, points, { x, y, cell }, side) {
  let alone = 0;
  counts.fill(0);
  for (let i = 0; i < points.length; i += 2) {
    const across = (points[i] - x) / cell, along = (points[i + 1] - y) / cell;
    if (!isOnGrid(across, along, side)) continue;
    const column = Math.floor(across), row = Math.floor(along), at = row * side + column;
    const p = across - column, q = along - row;
    counts[at] += (1 - p) * (1 - q);
    counts[at + 1] += p * (1 - q);
    counts[at + side] += (1 - p) * q;
    counts[at + side + 1] += p * q;
    alone += (p * p + (1 - p) * (1 - p)) * (q * q + (1 - q) * (1 - q));
  }
  return alone;
}

function isOnGrid(across, along, side) {
  return across >= 0 && along >= 0 && across < side - 1 && along < side - 1;
}

// w. ∫f² is how often two particles meet in a place, over the area of one.
function kernelWidth(counts, alone, { n, cell, widest, finest }) {
  let squares = 0;
  for (const count of counts) squares += count * count;
  const meeting = Math.max(0, squares - alone) / (n * (n - 1) * cell * cell);
  const spread = Math.sqrt(1 / (4 * Math.PI * meeting)); // without bound if none ever meet
  const width = Math.min(widest, spread * n ** (-1 / 6) || widest);
  return Math.max(width, finest, cell);
}

// Convolves every line of places, `stride` apart, with a Gaussian; lines are `next` apart.
function blurAlong(from, to, side, deviation, stride, next) {
  const reach = Math.min(side - 1, Math.ceil(TAIL * deviation));
  const weights = Float64Array.from({ length: reach + 1 }, (_, k) => Math.exp(-0.5 * (k / deviation) ** 2));
  const whole = weights.reduce((sum, weight) => sum + 2 * weight, -weights[0]);
  to.fill(0);
  for (let line = 0; line < side; line++) {
    for (let k = 0; k < side; k++) {
      const value = from[line * next + k * stride] / whole;
      if (value === 0) continue; // most places are empty
      const first = Math.max(0, k - reach), last = Math.min(side - 1, k + reach);
      for (let j = first; j <= last; j++) to[line * next + j * stride] += value * weights[Math.abs(j - k)];
    }
  }
}

// The density, in particles a place, where the particles are: from the lowest on.
function densitiesAt(values, points, { x, y, cell }, side) {
  const reached = new Float64Array(points.length / 2);
  let count = 0;
  for (let i = 0; i < points.length; i += 2) {
    const across = (points[i] - x) / cell, along = (points[i + 1] - y) / cell;
    if (!Number.isFinite(across + along)) continue;
    reached[count++] = isOnGrid(across, along, side) ? valueAt(values, across, along, side) : 0;
  }
  return reached.subarray(0, count).sort();
}

function valueAt(values, across, along, side) {
  const column = Math.floor(across), row = Math.floor(along), at = row * side + column;
  const p = across - column, q = along - row;
  return (1 - q) * ((1 - p) * values[at] + p * values[at + 1])
    + q * ((1 - p) * values[at + side] + p * values[at + side + 1]);
}

// Half-way between the lowest density that the share still holds and the next one.
function levelOf(reached, share) {
  const without = Math.round((1 - share) * reached.length);
  const lowest = reached[Math.min(without, reached.length - 1)];
  return (lowest + reached[Math.max(0, without - 1)]) / 2;
}

// Which sides of a square of four places a line crosses, in pairs, by which corners are inside
// (1, 2, 4, 8 from the lower left, anticlockwise). Sides: 0 below, 1 right, 2 above, 3 left.
const CROSSED = [
  [], [3, 0], [0, 1], [3, 1], [1, 2], [3, 0, 1, 2], [0, 2], [2, 3],
  [2, 3], [0, 2], [0, 1, 2, 3], [1, 2], [1, 3], [0, 1], [3, 0], [],
];

// Marching squares: the lines f = level, straight in each square. Returns how many numbers of
// `segments` were written.
function contourInto(segments, values, side, level, { x, y, cell }) {
  let count = 0;
  for (let row = 0; row < side - 1; row++) {
    for (let column = 0; column < side - 1; column++) {
      const at = row * side + column;
      const a = values[at], b = values[at + 1], c = values[at + side + 1], d = values[at + side];
      const inside = (a >= level) + 2 * (b >= level) + 4 * (c >= level) + 8 * (d >= level);
      if (inside === 0 || inside === 15) continue;
      // Two lines may go round two opposite corners or between them: the mean of the four
      // decides. One line is the same seen from inside or outside.
      const joined = a + b + c + d >= 4 * level;
      for (const edge of CROSSED[joined ? 15 - inside : inside]) {
        const across = edge === 0 ? (level - a) / (b - a) : edge === 2 ? (level - d) / (c - d) : edge === 1;
        const along = edge === 3 ? (level - a) / (d - a) : edge === 1 ? (level - b) / (c - b) : edge === 2;
        segments[count++] = x + cell * (column + across);
        segments[count++] = y + cell * (row + along);
      }
    }
  }
  return count;
}
