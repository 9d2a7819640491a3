// The picture at one moment: what is painted on which canvas, and when it must be painted anew.
//
// Four canvases, from below: decisions, what rests, the past of the tracks (to which each frame
// only adds), and what moves.

import { between, layerAt } from "./data.js";
import { createDensity, densityContours } from "./density.js";
import { pickAt } from "./marks.js";
import { carriedGrid, displacementField, flippedCells } from "./network.js";
import {
  inPanel, paintArrows, paintContours, paintFuture, paintGrid, paintLayers, paintPairs, paintParticles,
  paintPast, paintPicked, paintRegions, paintTarget,
} from "./paint.js";

const GRID_LINES = 17, GRID_SAMPLES = 65, ARROWS = 15;
const SHARES = [0.9, 0.75, 0.5, 0.25]; // of the particles, inside the contours
const STALE_PAST = 0.02; // of t: how far the past may be ahead of particles that walk back
const PAST_EVERY = 3; // frames in motion: painting it costs a canvas's way to the screen

export function createScene(root, sprites) {
  const canvases = ["decisions", "ground", "past", "top"].map(() => document.createElement("canvas"));
  root.append(...canvases);
  const [decisions, ground, past, top] = canvases;
  const density = createDensity(64);
  const grids = new WeakMap(), fields = new WeakMap(); // of a run's parameters
  const buffers = [];
  let size = { width: 0, height: 0, scale: 1 }, signature = "";
  let behind = "", resting = "", dotsOf = "", dots = [];
  const been = { of: "", t: 0, frames: 0 };

  function fit(canvas) {
    const { width, height, scale } = size;
    const w = Math.round(width * scale), h = Math.round(height * scale);
    if (canvas.width !== w || canvas.height !== h) {
      canvas.width = w;
      canvas.height = h;
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
    }
    const context = canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    return context;
  }

  function cleared(canvas) {
    const context = fit(canvas);
    context.clearRect(0, 0, size.width, size.height);
    return context;
  }

  // Whether the panels lie elsewhere than at the last look.
  function measure({ width, height }, maps) {
    const scale = devicePixelRatio || 1;
    const now = [width, height, scale, ...maps.flatMap(Object.values)].join();
    if (now === signature) return false;
    signature = now;
    size = { width, height, scale };
    sprites.clear();
    return true;
  }

  function paint(now) {
    const { panels, runs, maps, clock, colour, views, dark, bold } = now;
    const colourings = panels.map((panel) => colouringOf(runs.get(panel.of), colour));
    const whole = [signature, identity(now), colour, dark, bold, ...views].join("|");
    const every = (context, act) => panels.forEach((panel, k) => inPanel(context, maps[k], () => act(panel, k)));

    const layers = panels.map((panel) => (panel.regions ? layerAt(clock.t, panel.depth) : ""));
    if (behind !== [whole, ...layers].join("|")) {
      behind = [whole, ...layers].join("|");
      // A canvas without anything on it costs its way to the screen all the same.
      decisions.hidden = panels.every((panel) => !panel.regions);
      every(cleared(decisions), (panel, k) => paintRegions(decisions.getContext("2d"), panel, maps[k], clock.t));
    }

    if (resting !== whole) {
      resting = whole;
      const context = cleared(ground);
      every(context, (panel, k) => {
        if (views.has("target")) paintTarget(context, panel, maps[k], dark);
        paintLayers(context, panel, maps[k]);
        if (views.has("tracks")) paintFuture(context, panel, maps[k], colourings[k], dark || bold ? 0.2 : 0.14);
        if (views.has("pairs")) paintPairs(context, panel, maps[k], colourings[k], dark);
      });
    }
    paintTracks(now, whole, colourings);

    const context = cleared(top), outside = [];
    const points = panels.map((panel, k) => {
      if ((buffers[k]?.length ?? 0) !== 2 * panel.n) buffers[k] = new Float32Array(2 * panel.n);
      return between(panel.path, 2 * panel.n, panel.times, clock.t, buffers[k]);
    });
    if (dotsOf !== whole) {
      dotsOf = whole;
      dots = panels.map((panel, k) => {
        const { palette, index } = colourings[k];
        const kinds = palette.map((css) => sprites.of(css, maps[k].dot, size.scale, dark));
        return Array.from(index, (c) => kinds[c]);
      });
    }
    const pick = pickAt(now, points, now.pointer);
    every(context, (panel, k) => {
      const run = runs.get(panel.of), network = panel.way === "network" && run.network;
      if (network && views.has("grid")) gridOf(context, run, panel, maps[k], now);
      if (network && views.has("arrows")) arrowsOf(context, run, panel, maps[k], now);
      if (views.has("density")) {
        const levels = densityContours(density, points[k], now.half, SHARES);
        paintContours(context, levels, maps[k], clock.t, now.ink);
      }
      outside.push(views.has("points") ? paintParticles(context, points[k], panel.n, maps[k], clock.t, dots[k]) : 0);
      if (pick && pick.of === panel.of) {
        if (pick.partner !== null && pick.partner !== pick.i && panel.way === "network") {
          paintPicked(context, panel, maps[k], pick.partner, clock.t, points[k], now.ink, true);
        }
        paintPicked(context, panel, maps[k], pick.i, clock.t, points[k], now.ink, false);
      }
    });
    return { outside, picked: { pick } };
  }

  // A frame adds what has been walked since the last one; anything else begins anew.
  function paintTracks(now, whole, colourings) {
    const { panels, maps, clock, views, dark, bold } = now;
    const anew = been.of !== whole || clock.t < been.t;
    if (anew && been.of === whole && clock.playing && been.t - clock.t < STALE_PAST) return;
    const resting = !clock.playing || clock.resting > 0;
    if (!anew && !resting && ++been.frames % PAST_EVERY) return;
    const context = anew ? cleared(past) : fit(past);
    const from = anew ? 0 : been.t;
    past.hidden = !views.has("tracks");
    if (views.has("tracks")) {
      panels.forEach((panel, k) => inPanel(context, maps[k], () => {
        paintPast(context, panel, maps[k], colourings[k], from, clock.t, dark || bold ? 0.7 : 0.5);
      }));
    }
    been.of = whole;
    been.t = clock.t;
  }

  function gridOf(context, run, panel, map, now) {
    if (!grids.has(run.parameters)) {
      grids.set(run.parameters, carriedGrid(run.network, run.parameters, 0.9 * now.half, GRID_LINES, GRID_SAMPLES));
    }
    const grid = grids.get(run.parameters), count = grid.paths.length / (panel.depth + 1);
    const times = Array.from({ length: panel.depth + 1 }, (_, k) => k / panel.depth);
    const points = between(grid.paths, count, times, now.clock.t, new Float32Array(count));
    paintGrid(context, grid, points, flippedCells(grid, points), map, now.clock.t, now.ink);
  }

  function arrowsOf(context, run, panel, map, now) {
    const layer = Math.min(panel.depth - 1, layerAt(now.clock.t, panel.depth));
    if (!fields.has(run.parameters)) fields.set(run.parameters, new Map());
    const known = fields.get(run.parameters);
    if (!known.has(layer)) {
      known.set(layer, displacementField(run.network, run.parameters, layer, now.half, ARROWS));
    }
    const flat = { ...map, x0: map.x0 + map.dx * map.shift * now.clock.t, shift: 0 };
    paintArrows(context, known.get(layer), flat, (1.6 * now.half) / ARROWS, now.ink);
  }

  return { measure, paint };
}

export function colouringOf(run, colour) {
  return run.colourings[colour] ?? run.colourings.start;
}

// What tells one picture's panels and runs from another's.
const identities = new WeakMap();
let counted = 0;
function identity({ panels, runs }) {
  return panels.map((panel) => {
    const parts = [panel.path, runs.get(panel.of).colourings];
    return parts.map((part) => {
      if (!identities.has(part)) identities.set(part, ++counted);
      return identities.get(part);
    }).join(":");
  }).join();
}

// What the colours are of, and each that occurs with its name: [[text, css or ""]…], empty where
// they speak for themselves.
export function legendOf({ panels, runs }, colour) {
  const named = new Map();
  let kind = "";
  for (const of of new Set(panels.map((panel) => panel.of))) {
    const { of: told, names, palette, index } = colouringOf(runs.get(of), colour);
    if (!names.length) continue;
    kind ||= told;
    for (const c of index) if (!named.has(names[c])) named.set(names[c], [c, palette[c]]);
  }
  const found = [...named].sort(([, [a]], [, [b]]) => a - b);
  return found.length ? [[kind, ""], ...found.map(([name, [, css]]) => [name, css])] : [];
}
