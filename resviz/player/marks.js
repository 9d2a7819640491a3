// What stands over the panels as text: captions, points outside, the particle under the pointer,
// and the cursor in a chart of the training.

import { nearestTo } from "./paint.js";

export function createMarks(root, toggleZoom) {
  const outsideMarks = [], captions = [], moments = [];
  const tip = document.createElement("div");
  tip.className = "resviz-tip";
  tip.hidden = true;
  const cursors = new Map(["kept", "present"].map((of) => [of, document.createElement("div")]));
  for (const [of, node] of cursors) {
    node.className = "resviz-cursor";
    node.dataset.of = of;
  }
  root.append(tip);

  function grow(list, count, make) {
    while (list.length < count) {
      list.push(make());
      root.append(list.at(-1));
    }
    list.forEach((node, k) => { if (k >= count && !node.hidden) node.hidden = true; });
  }

  function outsideMark() {
    const node = document.createElement("button");
    node.type = "button";
    node.className = "resviz-outside";
    node.addEventListener("click", toggleZoom);
    return node;
  }

  function caption(kind) {
    const node = document.createElement("div");
    node.className = `resviz-caption ${kind}`;
    node.setAttribute("aria-live", "polite");
    return node;
  }

  function put(node, text, left, top) {
    if (node.hidden !== !text) node.hidden = !text;
    if (!text) return;
    if (node.textContent !== text) node.textContent = text;
    const at = `${Math.round(left)}px,${Math.round(top)}px`;
    if (node.dataset.at !== at) {
      [node.style.left, node.style.top] = at.split(",");
      node.dataset.at = at;
    }
  }

  function place(now, outside, picked, zoomed) {
    const { panels, runs, maps, clock } = now;
    grow(outsideMarks, panels.length, outsideMark);
    grow(captions, panels.length, () => caption("resviz-says"));
    grow(moments, panels.length, () => caption("resviz-moment"));
    panels.forEach((panel, k) => {
      const { left, top, width, height } = maps[k], count = outside[k];
      const points = count === 1 ? "1 point" : `${count} points`;
      const told = count ? `${points} outside · zoom out` : zoomed && !k ? "zoom back" : "";
      put(outsideMarks[k], told, left + width - 4, top + height - 4);
      const says = clock.slow && panel.way === "network" ? runs.get(panel.of).says : null;
      const layer = Math.ceil(clock.t * panel.depth - 1e-6);
      const sentence = says && layer ? says[layer - 1] : "";
      put(moments[k], panel.told ?? "", left + 4, top + 4);
      if (sentence) captions[k].style.maxWidth = `${width - 24}px`;
      put(captions[k], sentence, left + 4, top + height - (panel.note || count ? 38 : 4));
    });
    const { pick } = picked;
    put(tip, pick ? pick.text : "", pick?.x ?? 0, pick?.y ?? 0);
  }

  // Over the chart beside the stage, where its x-axis counts training steps: at those of each run.
  function placeCursors(steps) {
    const any = Object.keys(steps).length > 0;
    const chart = any ? document.querySelector(".st-key-chart_figure .js-plotly-plot") : null;
    const axis = chart?.layout?.meta?.course ? chart._fullLayout?.xaxis : null;
    const { present, kept } = steps, apart = kept === present ? undefined : kept; // else one says it
    placeCursor(cursors.get("present"), chart, axis, present);
    placeCursor(cursors.get("kept"), chart, axis, apart);
  }

  function placeCursor(cursor, chart, axis, step) {
    const hidden = !axis || step === undefined;
    if (cursor.hidden !== hidden) cursor.hidden = hidden;
    if (hidden) return;
    const host = chart.querySelector(".svg-container"), size = chart._fullLayout._size;
    if (host && cursor.parentElement !== host) host.append(cursor);
    const wanted = `${axis._offset + axis.d2p(step) - 1.5}px/${size.t}px/${size.h}px`;
    if (cursor.dataset.at === wanted) return;
    cursor.dataset.at = wanted;
    [cursor.style.left, cursor.style.top, cursor.style.height] = wanted.split("/");
  }

  return {
    place, placeCursors,
    tip: () => (tip.hidden ? null : tip.textContent),
    remove: () => cursors.forEach((node) => node.remove()),
  };
}

// The particle under the pointer, and what is known of it: {panel, i, partner, text, x, y}.
export function pickAt({ panels, runs, maps, clock }, points, pointer) {
  if (!pointer) return null;
  for (let k = 0; k < panels.length; k++) {
    const found = nearestTo(points[k], panels[k].n, maps[k], clock.t, pointer.x, pointer.y, maps[k].dot + 8);
    if (found) {
      const { i } = found, run = runs.get(panels[k].of), partner = run.plan ? run.plan[i] : null;
      return { of: panels[k].of, i, partner, text: told(run, i, partner), x: pointer.x + 16, y: pointer.y + 12 };
    }
  }
  return null;
}

function told(run, i, partner) {
  const parts = [`particle ${i}`];
  if (run.bends) parts.push(`bend (LSS) ${Number.isNaN(run.bends[i]) ? "–" : run.bends[i].toFixed(2)}`);
  if (partner !== null) {
    const off = run.astray ? `, ${run.astray[i].toFixed(2)} of W2 away` : "";
    parts.push(partner === i ? "ends where the cheapest way takes it" : `cheapest: where particle ${partner} ends${off}`);
  }
  return parts.join(" · ");
}
