// The charts' words, as large as the page's: Plotly has them in pixels, and the figures say how many
// where a rem is 16 of them.
//
// How much larger a layout is made stands in its `meta.enlarged`: whoever hands it to Plotly anew,
// whole or in part, hands on that as well.

const AT_REM = 16;
const HOVER_PX = 13; // Plotly's own

// What `Plotly.relayout` is to be told to have all that has a size of its own `by` times as large.
export function enlargedLayout(layout, by) {
  const { meta = {}, font, hoverlabel, margin, annotations = [] } = layout, changes = {};
  const times = (path, size) => { if (size) changes[path] = size * by; };
  times("font.size", font?.size);
  times("hoverlabel.font.size", hoverlabel?.font?.size ?? HOVER_PX);
  for (const side of ["l", "r", "t", "b"]) times(`margin.${side}`, margin?.[side]);
  for (const axis of Object.keys(layout).filter((name) => /^[xy]axis\d*$/.test(name))) {
    // Whole, as Plotly wants it, and rounded to what it was when the page shrinks again.
    changes[`${axis}.ticklabelstandoff`] = Math.round((layout[axis].ticklabelstandoff ?? 0) * by);
  }
  annotations.forEach((note, k) => {
    times(`annotations[${k}].font.size`, note.font?.size);
    times(`annotations[${k}].xshift`, note.xshift);
    times(`annotations[${k}].yshift`, note.yshift);
  });
  changes.meta = { ...meta, enlarged: (meta.enlarged ?? 1) * by };
  return changes;
}

// Keeps every chart under `selector` as the page has it: to be called in each frame, since a new
// figure comes as a new chart.
export function enlargeCharts(selector, rem) {
  if (!window.Plotly) return;
  const wanted = Math.max(1, rem / AT_REM);
  for (const chart of document.querySelectorAll(selector)) {
    if (!chart._fullLayout?.xaxis) continue;
    const by = wanted / (chart.layout.meta?.enlarged ?? 1);
    if (Math.abs(by - 1) > 0.01) window.Plotly.relayout(chart, enlargedLayout(chart.layout, by));
  }
}
