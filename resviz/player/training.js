// Training as time: the whole flow at any recorded step of a run.
//
// A run's reel is {steps: [step…], told: [sentence…]} and, in `data` or at `url`, the bytes of
// what the network was at each: R · P float32 parameters, then R · n int16 plans. From those the
// browser moves the particles itself.

import { decode, evenTimes } from "./data.js";
import { trackThrough } from "./network.js";
import { fetchReel } from "./reel.js";

const AGAIN = 3000; // ms after which what failed to come is asked for again

export function createReels() {
  const opened = new Map(); // reel → {parameters, plans}, null while it is on its way
  const moments = new Map(); // run name, moment → what is known of it

  // The reel's arrays; null while they are on their way, and what went wrong in `reel.failure`.
  function open(reel, n, size, arrived) {
    if (opened.has(reel)) return opened.get(reel);
    const moments = reel.steps.length;
    const unpack = (bytes) => {
      delete reel.failure;
      opened.set(reel, {
        parameters: new Float32Array(bytes.buffer, 0, moments * size),
        plans: new Int16Array(bytes.buffer, 4 * moments * size, moments * n),
      });
      arrived();
    };
    opened.set(reel, null);
    if (reel.data) {
      unpack(decode(reel.data));
    } else {
      fetchReel(reel.url, moments * (4 * size + 2 * n)).then(unpack).catch((reason) => {
        reel.failure = reason.message;
        if (!reason.gone) setTimeout(() => { if (opened.get(reel) === null) opened.delete(reel); }, AGAIN);
        arrived();
      });
    }
    return opened.get(reel);
  }

  // Whether the reels of all of `runs` are there; those that are not are sent for.
  function ready(runs, arrived) {
    return runs.map(({ reel, plan, parameters }) => {
      if (!opened.has(reel)) delete reel.failure; // asked for again
      return open(reel, plan.length, parameters.length, arrived);
    }).every(Boolean);
  }

  // A run as it was at `part` of its recorded moments, 0 … 1, once its reel is there; `start` holds
  // its particles' first places.
  function momentAt(name, run, part, start) {
    const moment = momentOf(run.reel, part), key = `${name}/${moment}`;
    if (!moments.has(key)) {
      const reel = opened.get(run.reel), size = run.parameters.length, n = run.plan.length;
      const parameters = reel.parameters.subarray(moment * size, (moment + 1) * size);
      const plan = reel.plans.subarray(moment * n, (moment + 1) * n);
      const way = trackThrough(run.network, parameters, start), straight = straightWay(start, way, plan);
      const bends = lineShapes(way, n), astray = straying(way, straight, n);
      const colourings = recoloured(run.colourings, { bend: bends, pairing: astray });
      moments.set(key, {
        step: run.reel.steps[moment], told: run.reel.told[moment], paths: { network: way, geodesic: straight },
        run: { ...run, says: null, parameters, plan, bends, astray, colourings },
      });
    }
    return moments.get(key);
  }

  function clear() {
    opened.clear();
    moments.clear();
  }

  return { ready, momentAt, clear };
}

// A panel as it was then.
export function panelAt(panel, { told, paths }) {
  const path = paths[panel.way], times = evenTimes(path.length / 2 / panel.n);
  return { ...panel, path, times, regions: null, told: panel.way === "network" ? told : "" };
}

export function momentOf(reel, part) {
  return Math.round(part * (reel.steps.length - 1));
}

// The cheapest way's two ends: it is straight between them.
function straightWay(start, way, plan) {
  const size = start.length, end = way.subarray(way.length - size);
  const path = new Float32Array(2 * size);
  path.set(start);
  plan.forEach((j, i) => path.set(end.subarray(2 * j, 2 * j + 2), size + 2 * i));
  return path;
}

// LSS of each particle, as resviz/scores.py has it: counted steps over the length of the sum of
// their directions.
export function lineShapes(way, n) {
  const layers = way.length / 2 / n - 1, steps = new Float64Array(layers);
  return Float32Array.from({ length: n }, (_, i) => {
    const ahead = (k, axis) => way[2 * ((k + 1) * n + i) + axis] - way[2 * (k * n + i) + axis];
    for (let k = 0; k < layers; k++) steps[k] = Math.hypot(ahead(k, 0), ahead(k, 1));
    const least = 1e-6 * steps.reduce((sum, one) => sum + one, 0);
    let counted = 0, x = 0, y = 0;
    steps.forEach((length, k) => {
      if (!(length > least)) return;
      counted++;
      x += ahead(k, 0) / length;
      y += ahead(k, 1) / length;
    });
    const resultant = Math.hypot(x, y);
    if (!counted) return NaN;
    return resultant > 1e-12 * counted ? Math.max(1, counted / resultant) : Infinity;
  });
}

// How far each particle ends from its cheapest end, over W2; 0 where the cloud did not move.
export function straying(way, straight, n) {
  const end = way.subarray(way.length - 2 * n), cheapest = straight.subarray(2 * n);
  const apart = (a, b, i) => Math.hypot(a[2 * i] - b[2 * i], a[2 * i + 1] - b[2 * i + 1]);
  let squared = 0;
  for (let i = 0; i < n; i++) squared += apart(straight, cheapest, i) ** 2 / n;
  return Float32Array.from({ length: n }, (_, i) => (squared > 0 ? apart(end, cheapest, i) / Math.sqrt(squared) : 0));
}

// Colours of what is measured anew: each the first whose bound is not below the value.
function recoloured(colourings, measured) {
  const renewed = Object.entries(measured).filter(([name]) => colourings[name]).map(([name, values]) => {
    const { bounds } = colourings[name];
    const index = Uint8Array.from(values, (value) => bounds.filter((bound) => bound < value).length);
    return [name, { ...colourings[name], index }];
  });
  return { ...colourings, ...Object.fromEntries(renewed) };
}
