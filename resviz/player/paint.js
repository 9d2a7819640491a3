// Painting, all of it on canvases over Plotly's plot area and through Plotly's own axes.
//
// A map is {x0, dx, y0, dy, shift, left, top, width, height, dot}: a point (x, y) at time t stands
// at (x0 + dx·(x + shift·t), y0 + dy·y), in CSS pixels of the chart; `shift` is 0 but in the
// unrolled view.

import { between, layerAt, placeIn } from "./data.js";

const PANELS_PER_DOT = 1 / 112; // a dot's radius, in heights of a panel
const QUIET = "rgba(125,130,145,.42)";

// Plotly's own linear map of one panel.
export function mapOf(layout, axes, shift, bold) {
  const [x, y] = axes.map((name) => layout[name]);
  const dot = Math.min(bold ? 12 : 9, Math.max(shift ? 3.2 : 2.2, y._length * PANELS_PER_DOT * (bold ? 1.25 : 1)));
  return {
    x0: x._offset + x.c2p(0), dx: x.c2p(1) - x.c2p(0), y0: y._offset + y.c2p(0), dy: y.c2p(1) - y.c2p(0),
    left: x._offset, top: y._offset, width: x._length, height: y._length, shift, dot,
  };
}

export function inPanel(context, map, paint) {
  context.save();
  context.beginPath();
  context.rect(map.left, map.top, map.width, map.height);
  context.clip();
  paint();
  context.restore();
}

const across = (map, x, t) => map.x0 + map.dx * (x + map.shift * t);
const down = (map, y) => map.y0 + map.dy * y;

// ---- What does not move --------------------------------------------------------------

export function paintTarget(context, panel, map, dark) {
  context.fillStyle = dark ? "rgba(190,195,210,.34)" : "rgba(120,125,140,.32)";
  for (let i = 0; i < panel.target.length; i += 2) {
    context.beginPath();
    context.arc(across(map, panel.target[i], 1), down(map, panel.target[i + 1]), 0.7 * map.dot, 0, 6.2832);
    context.fill();
  }
}

// Where each layer ends, as faint lines: in the unrolled view time reads from left to right.
export function paintLayers(context, panel, map) {
  if (!map.shift) return;
  context.strokeStyle = QUIET;
  context.lineWidth = 1;
  context.setLineDash([2, 5]);
  for (let layer = 0; layer <= panel.depth; layer++) {
    const x = across(map, 0, layer / panel.depth);
    context.beginPath();
    context.moveTo(x, map.top);
    context.lineTo(x, map.top + map.height);
    context.stroke();
  }
  context.setLineDash([]);
}

// Every whole track, faintly: where the particles have not been yet.
export function paintFuture(context, panel, map, colouring, alpha) {
  context.lineWidth = Math.max(0.8, map.dot / 4);
  context.globalAlpha = alpha;
  const { n, path, times } = panel;
  colouring.palette.forEach((colour, c) => {
    context.strokeStyle = colour;
    for (let i = 0; i < n; i++) {
      if (colouring.index[i] !== c) continue;
      context.beginPath(); // one path a track: crossings darken
      for (let k = 0; k < times.length; k++) {
        const at = 2 * (k * n + i);
        context.lineTo(across(map, path[at], times[k]), down(map, path[at + 1]));
      }
      context.stroke();
    }
  });
  context.globalAlpha = 1;
}

// The tracks between two times, as one path a colour.
export function paintPast(context, panel, map, colouring, from, to, alpha) {
  if (to <= from) return;
  const { n, path, times } = panel, size = 2 * n;
  const [first] = placeIn(times, from), [last] = placeIn(times, to);
  const begin = between(path, size, times, from, new Float32Array(size));
  const end = between(path, size, times, to, new Float32Array(size));
  context.lineWidth = Math.max(1, map.dot / 3);
  context.lineJoin = "round";
  context.globalAlpha = alpha;
  colouring.palette.forEach((colour, c) => {
    context.strokeStyle = colour;
    context.beginPath();
    for (let i = 0; i < n; i++) {
      if (colouring.index[i] !== c) continue;
      context.moveTo(across(map, begin[2 * i], from), down(map, begin[2 * i + 1]));
      for (let k = first + 1; k <= last; k++) {
        const at = 2 * (k * n + i);
        context.lineTo(across(map, path[at], times[k]), down(map, path[at + 1]));
      }
      context.lineTo(across(map, end[2 * i], to), down(map, end[2 * i + 1]));
    }
    context.stroke();
  });
  context.globalAlpha = 1;
}

// A straight line from each particle's start to its end: the pairing itself; on the right, that
// of the optimal plan.
export function paintPairs(context, panel, map, colouring, dark) {
  const { n, path, times } = panel, end = 2 * n * (times.length - 1);
  context.lineWidth = Math.max(0.8, map.dot / 5);
  context.globalAlpha = dark ? 0.75 : 0.6;
  colouring.palette.forEach((colour, c) => {
    context.strokeStyle = colour;
    context.beginPath();
    for (let i = 0; i < n; i++) {
      if (colouring.index[i] !== c) continue;
      context.moveTo(across(map, path[2 * i], 0), down(map, path[2 * i + 1]));
      context.lineTo(across(map, path[end + 2 * i], 1), down(map, path[end + 2 * i + 1]));
    }
    context.stroke();
  });
  context.globalAlpha = 1;
}

// ---- What changes from layer to layer ------------------------------------------------

// What the network would say of a particle that stood there at time t: the layer that is reached.
export function paintRegions(context, { regions, depth }, map, t) {
  if (!regions || map.shift) return;
  const image = regions.images[layerAt(t, depth)], { half } = regions;
  context.drawImage(image, map.x0 - map.dx * half, map.y0 + map.dy * half, 2 * map.dx * half, -2 * map.dy * half);
}

// An arrow for each place of `field` (x, y, dx, dy)…, at most `longest` data units long.
export function paintArrows(context, field, map, longest, ink) {
  let most = 0;
  for (let i = 0; i < field.length; i += 4) most = Math.max(most, Math.hypot(field[i + 2], field[i + 3]));
  const scale = most > 0 ? Math.min(1, longest / most) : 1, head = 1.9 * map.dot;
  context.strokeStyle = context.fillStyle = ink;
  context.globalAlpha = 0.75;
  context.lineWidth = Math.max(1.2, map.dot / 3);
  for (let i = 0; i < field.length; i += 4) {
    const x = across(map, field[i], 0), y = down(map, field[i + 1]);
    const dx = map.dx * scale * field[i + 2], dy = map.dy * scale * field[i + 3], long = Math.hypot(dx, dy);
    context.beginPath();
    if (long < 1.5) {
      context.arc(x, y, 1.2, 0, 6.2832);
      context.fill();
      continue;
    }
    const ux = dx / long, uy = dy / long, size = Math.min(head, 0.6 * long);
    const tipX = x + dx, tipY = y + dy, baseX = tipX - size * ux, baseY = tipY - size * uy;
    context.moveTo(x, y);
    context.lineTo(baseX, baseY);
    context.stroke();
    context.beginPath();
    context.moveTo(tipX, tipY);
    context.lineTo(baseX - 0.45 * size * uy, baseY + 0.45 * size * ux);
    context.lineTo(baseX + 0.45 * size * uy, baseY - 0.45 * size * ux);
    context.fill();
  }
  context.globalAlpha = 1;
  return scale;
}

// ---- What moves with t ---------------------------------------------------------------

// The carried grid at `points` (x, y)…: its lines, and the cells that are turned over in red.
export function paintGrid(context, grid, points, flipped, map, t, ink) {
  context.fillStyle = "rgba(213,60,40,.34)";
  for (const cell of flipped) {
    context.beginPath();
    for (const corner of cell) context.lineTo(across(map, points[2 * corner], t), down(map, points[2 * corner + 1]));
    context.fill();
  }
  context.strokeStyle = ink;
  context.globalAlpha = 0.5;
  context.lineWidth = 1.1;
  context.beginPath();
  for (const line of grid.lines) {
    line.forEach((at, k) => {
      const x = across(map, points[2 * at], t), y = down(map, points[2 * at + 1]);
      if (k) context.lineTo(x, y); else context.moveTo(x, y);
    });
  }
  context.stroke();
  context.globalAlpha = 1;
}

// The lines around so many particles: one list of segments (x, y, x, y)… a level, outermost first.
export function paintContours(context, levels, map, t, ink) {
  context.strokeStyle = ink;
  levels.forEach((segments, level) => {
    context.lineWidth = 1 + 0.7 * level;
    context.globalAlpha = 0.45 + 0.15 * level;
    context.beginPath();
    for (let i = 0; i < segments.length; i += 4) {
      context.moveTo(across(map, segments[i], t), down(map, segments[i + 1]));
      context.lineTo(across(map, segments[i + 2], t), down(map, segments[i + 3]));
    }
    context.stroke();
  });
  context.globalAlpha = 1;
}

// Whether a mark of this colour is seen on the page: WCAG 2.2 asks for a contrast of 3 (1.4.11).
export function isSeen(colour, dark) {
  const [r, g, b] = [1, 3, 5].map((k) => {
    const v = parseInt(colour.slice(k, k + 2), 16) / 255;
    return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  });
  const light = 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05, page = dark ? 0.0556 : 1.05;
  return Math.max(light / page, page / light) >= 3;
}

// What bounds a dot: a thin rim of the page's colour, or a line where its own is hardly seen on it.
function rimOf(colour, dark) {
  if (!isSeen(colour, dark)) return outlineOn(dark);
  return dark ? "rgba(20,22,28,.85)" : "rgba(255,255,255,.85)";
}

const outlineOn = (dark) => (dark ? "#C9CDD6" : "#767B86");

// A dot with its rim, drawn once for each colour.
function makeSprite(colour, dot, scale, rim) {
  const canvas = document.createElement("canvas");
  const side = Math.ceil(2 * (dot + 1) * scale);
  canvas.width = canvas.height = side;
  const context = canvas.getContext("2d");
  context.arc(side / 2, side / 2, dot * scale, 0, 6.2832);
  context.fillStyle = colour;
  context.fill();
  context.lineWidth = 0.7 * scale;
  context.strokeStyle = rim;
  context.stroke();
  return canvas;
}

export function createSprites() {
  const made = new Map();
  return {
    of(colour, dot, scale, dark) {
      const key = `${colour}@${dot * scale}${dark}`;
      if (!made.has(key)) made.set(key, makeSprite(colour, dot, scale, rimOf(colour, dark)));
      return made.get(key);
    },
    clear: () => made.clear(),
  };
}

// The particles at `points`; how many of them lie outside the panel.
export function paintParticles(context, points, n, map, t, sprites) {
  const { left, top, width, height, dot } = map, half = dot + 1;
  let outside = 0;
  for (let i = 0; i < n; i++) {
    const x = across(map, points[2 * i], t), y = down(map, points[2 * i + 1]);
    if (x < left || y < top || x > left + width || y > top + height) { outside++; continue; }
    context.drawImage(sprites[i], x - half, y - half, 2 * half, 2 * half);
  }
  return outside;
}

// One particle told from the others: its whole track, and a ring where it is.
export function paintPicked(context, panel, map, i, t, points, ink, dashed) {
  const { n, path, times } = panel;
  context.strokeStyle = ink;
  context.lineWidth = 2;
  context.setLineDash(dashed ? [4, 4] : []);
  context.beginPath();
  for (let k = 0; k < times.length; k++) {
    const at = 2 * (k * n + i);
    context.lineTo(across(map, path[at], times[k]), down(map, path[at + 1]));
  }
  context.stroke();
  context.setLineDash(dashed ? [3, 3] : []);
  context.lineWidth = 2.5;
  context.beginPath();
  context.arc(across(map, points[2 * i], t), down(map, points[2 * i + 1]), map.dot + 4, 0, 6.2832);
  context.stroke();
  context.setLineDash([]);
}

// The particle at most `reach` pixels from (x, y), and how far it is; null if there is none.
export function nearestTo(points, n, map, t, x, y, reach) {
  let best = null;
  for (let i = 0; i < n; i++) {
    const away = Math.hypot(across(map, points[2 * i], t) - x, down(map, points[2 * i + 1]) - y);
    if (away <= (best ? best.away : reach)) best = { i, away };
  }
  return best;
}

export function placeOf(points, i, map, t) {
  return [across(map, points[2 * i], t), down(map, points[2 * i + 1])];
}

export function pixelsOf(points, map, t) {
  return Array.from(points, (v, k) => (k % 2 ? down(map, v) : across(map, v, t)));
}
