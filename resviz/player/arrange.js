// How the panels lie: in a row, or one over the other; and the titles and the window that hold.
//
// Plotly is asked only when what should be there changes, so that a zoom stays.

const GUTTER = 0.02;
const NARROW = 560; // CSS pixels: a phone's
const TITLE = 34;
const TITLE_REM = 1.25, HEAD_REM = 2.125; // figures/stage.py's, at 16 px a rem

// Panels in a row; stacked on a phone and in the unrolled view, where each is a strip.
export function arrangementOf(layout, count, unrolled) {
  return unrolled || layout.width < NARROW ? "column" : "row";
}

// How far the unrolled view carries x from t = 0 to t = 1, in data units, so that a strip is full.
export function shiftOf(layout, count, half, unrolled) {
  if (!unrolled) return 0;
  const { w, h } = layout._size;
  const high = (h - (count - 1) * TITLE) / count;
  return Math.max(2 * half, (w / high) * 2 * half - 2 * half);
}

// What `Plotly.relayout` is to be told: domains, ranges, titles and their ink.
export function layoutOf(chart, { titles, half, kind, shift, ink, foot, rem }) {
  const changes = {}, count = titles.length, { h } = chart._fullLayout._size;
  const gap = TITLE / h, high = (1 - gap * (count - 1)) / count, wide = (1 - GUTTER * (count - 1)) / count;
  for (let k = 0; k < count; k++) {
    const [x, y] = ["xaxis", "yaxis"].map((name) => name + (k ? k + 1 : ""));
    const left = k * (wide + GUTTER), bottom = 1 - (k + 1) * high - k * gap;
    changes[`${x}.domain`] = kind === "row" ? [left, left + wide] : [0, 1];
    changes[`${y}.domain`] = kind === "row" ? [0, 1] : [Math.max(0, bottom), bottom + high];
    changes[`annotations[${k}].text`] = titles[k];
    changes[`annotations[${k}].font.color`] = ink;
    changes[`annotations[${k}].font.size`] = Math.round(TITLE_REM * rem);
  }
  changes["margin.t"] = Math.round(HEAD_REM * rem);
  if (foot !== chart._fullLayout.margin.b) changes["margin.b"] = foot;
  changes["xaxis.range"] = [-half, half + shift];
  changes["yaxis.range"] = [-half, half];
  return changes;
}
