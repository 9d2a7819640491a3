// The charts' words, as large as the page's: Plotly has them in pixels, and the figures say how many
// where a rem is 16 of them (`layout.meta.sizes`, each by its path).

const AT_REM = 16;
const WHOLE = /ticklabelstandoff$/; // pixels of which Plotly takes no parts

// What `Plotly.relayout` is to be told to have all of them `by` times as large; empty if they are.
export function resized(layout, by) {
  const changes = {};
  for (const [path, px] of Object.entries(layout.meta?.sizes ?? {})) {
    const wanted = WHOLE.test(path) ? Math.round(px * by) : px * by;
    const now = path.split(/[.[\]]+/).reduce((part, name) => part?.[name], layout) ?? 0;
    if (Math.abs(now - wanted) > 0.01 * Math.abs(wanted)) changes[path] = wanted;
  }
  return changes;
}

// Keeps every chart under `selector` as the page has it: to be called in each frame, since a new
// figure comes as a new chart.
export function resizeCharts(selector, rem) {
  if (!window.Plotly) return;
  const by = Math.max(1, rem / AT_REM);
  for (const chart of document.querySelectorAll(selector)) {
    if (!chart._fullLayout?.xaxis) continue;
    const changes = resized(chart.layout, by);
    if (Object.keys(changes).length) window.Plotly.relayout(chart, changes);
  }
}
