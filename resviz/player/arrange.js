// How the panels lie, and the titles and the window that hold: what Plotly is to be told.
//
// Plotly is asked only when what should be there changes, so that a zoom stays.

import { cellOf, gridOf } from "./room.js";

const TITLE_REM = 1.25; // figures/stage.py's, at 16 px a rem

// Panels in the grid in which they are the largest; in the unrolled view each is a strip.
export function arrangementOf(layout, count, unrolled, { title, foot }) {
  if (unrolled) return { columns: 1, rows: count };
  return gridOf({ width: layout.width, height: layout.height, count, title, foot });
}

// How far the unrolled view carries x from t = 0 to t = 1, in data units, so that a strip is full.
export function shiftOf(layout, count, half, unrolled, { title, foot }) {
  if (!unrolled) return 0;
  const high = (layout.height - foot) / count - title;
  return Math.max(2 * half, (layout._size.w / high) * 2 * half - 2 * half);
}

// What `Plotly.relayout` is to be told: domains, ranges, titles and their ink.
export function layoutOf(chart, { titles, half, grid, shift, ink, heights, rem, touched }) {
  const changes = {}, count = titles.length, { title, foot } = heights;
  const gap = title / (chart._fullLayout.height - foot - title);
  for (let k = 0; k < count; k++) {
    const [x, y] = ["xaxis", "yaxis"].map((name) => name + (k ? k + 1 : ""));
    const { left, top, wide, high } = cellOf(k, count, grid, gap);
    changes[`${x}.domain`] = [left, Math.min(1, left + wide)];
    changes[`${y}.domain`] = [Math.max(0, 1 - top - high), 1 - top];
    changes[`annotations[${k}].text`] = titles[k];
    changes[`annotations[${k}].font.color`] = ink;
    changes[`annotations[${k}].font.size`] = Math.round(TITLE_REM * rem);
  }
  changes["margin.t"] = title;
  if (foot !== chart._fullLayout.margin.b) changes["margin.b"] = foot;
  if (touched) changes.dragmode = false; // a finger scrolls the page
  changes["xaxis.range"] = [-half, half + shift];
  changes["yaxis.range"] = [-half, half];
  return changes;
}
