// What stands over the panels as text: captions, points outside, the particle under the pointer,
// and the cursor in a chart of the training.

import { nearestTo, placeOf } from "./paint.js";

const SIDES = ["left", "top", "width", "height"];
const FINGER = 18, POINTER = 8; // CSS pixels around a dot that still count as on it

export function createMarks(root, toggleZoom) {
  const feet = [], moments = [];
  const tip = document.createElement("div");
  tip.className = "resviz-tip";
  tip.hidden = true;
  let tipSize = [0, 0];
  const cursors = new Map(["kept", "present"].map((of) => [of, document.createElement("div")]));
  for (const [of, node] of cursors) {
    node.className = "resviz-cursor";
    node.dataset.of = of;
  }
  root.append(tip);

  function grow(list, count, make) {
    while (list.length < count) {
      list.push(make());
      root.append(list.at(-1).root ?? list.at(-1));
    }
    list.forEach((one, k) => {
      const node = one.root ?? one;
      if (k >= count && !node.hidden) node.hidden = true;
    });
  }

  // At a panel's lower edge, one over the other: a sentence, what lies outside, a note.
  function foot() {
    const node = document.createElement("div"), outside = document.createElement("button");
    node.className = "resviz-foot";
    outside.type = "button";
    outside.className = "resviz-outside";
    outside.addEventListener("click", toggleZoom);
    const says = caption("resviz-says"), note = caption("resviz-note-here");
    node.append(says, outside, note);
    return { root: node, says, outside, note };
  }

  function caption(kind) {
    const node = document.createElement("div");
    node.className = `resviz-caption ${kind}`;
    node.setAttribute("aria-live", "polite");
    return node;
  }

  function write(node, text) {
    if (node.hidden !== !text) node.hidden = !text;
    if (text && node.textContent !== text) node.textContent = text;
  }

  function stand(node, ...lengths) {
    const at = lengths.map(Math.round).join();
    if (node.dataset.at === at) return;
    node.dataset.at = at;
    lengths.forEach((length, k) => { node.style[SIDES[k]] = `${Math.round(length)}px`; });
  }

  function put(node, text, left, top) {
    write(node, text);
    if (text) stand(node, left, top);
  }

  // Where the reading stands: wholly inside the chart, and not under the pointer.
  function beside({ text, x, y }) {
    if (tip.textContent !== text || tip.hidden) {
      write(tip, text);
      tipSize = [tip.offsetWidth, tip.offsetHeight];
    }
    const [width, height] = tipSize, { clientWidth, clientHeight } = root;
    const left = Math.max(4, Math.min(x + 16, clientWidth - width - 4));
    return [left, y + 12 + height <= clientHeight - 4 ? y + 12 : Math.max(4, y - 12 - height)];
  }

  function place(now, outside, picked, zoomed) {
    const { panels, runs, maps, clock } = now;
    grow(feet, panels.length, foot);
    grow(moments, panels.length, () => caption("resviz-moment"));
    panels.forEach((panel, k) => {
      const { left, top, width, height } = maps[k], count = outside[k], { root: node, ...marks } = feet[k];
      const points = count === 1 ? "1 point" : `${count} points`;
      write(marks.outside, count ? `${points} outside · zoom out` : zoomed && !k ? "zoom back" : "");
      const says = clock.slow && panel.way === "network" ? runs.get(panel.of).says : null;
      const layer = Math.ceil(clock.t * panel.depth - 1e-6);
      write(marks.says, says && layer ? says[layer - 1] : "");
      write(marks.note, panel.note);
      if (node.hidden) node.hidden = false;
      stand(node, left + 4, top + 4, width - 8, height - 8);
      put(moments[k], panel.told ?? "", left + 4, top + 4);
    });
    const { pick } = picked;
    put(tip, pick ? pick.text : "", ...(pick ? beside(pick) : [0, 0]));
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

// The particle under the pointer, or the one that a finger holds, and what is known of it:
// {of, k: its panel, i, partner, text, x, y}.
export function pickAt({ panels, runs, maps, clock }, points, pointer) {
  if (!pointer) return null;
  const { held } = pointer;
  if (held) return held.i < (panels[held.k]?.n ?? 0) ? read(held.k, held.i) : null;
  for (let k = 0; k < panels.length; k++) {
    const reach = maps[k].dot + (pointer.tapped ? FINGER : POINTER);
    const found = nearestTo(points[k], panels[k].n, maps[k], clock.t, pointer.x, pointer.y, reach);
    if (found) return pointer.tapped ? read(k, found.i) : { ...read(k, found.i), x: pointer.x, y: pointer.y };
  }
  return null;

  function read(k, i) {
    const run = runs.get(panels[k].of), partner = run.plan ? run.plan[i] : null;
    const [x, y] = placeOf(points[k], i, maps[k], clock.t);
    return { of: panels[k].of, k, i, partner, text: told(run, i, partner), x, y };
  }
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
