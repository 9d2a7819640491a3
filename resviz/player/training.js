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
  const paths = new Map(); // run name, moment, way → path

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

  // A panel as it was at `part` of the recorded moments, 0 … 1; itself while that is not known.
  function panelAt(panel, run, part, arrived) {
    if (!run?.reel || !run.network) return panel;
    const moment = momentOf(run.reel, part), key = `${panel.of}/${moment}/${panel.way}`;
    if (!paths.has(key)) {
      const reel = open(run.reel, panel.n, run.parameters.length, arrived);
      if (!reel) return panel;
      const size = run.parameters.length;
      const parameters = reel.parameters.subarray(moment * size, (moment + 1) * size);
      const plan = reel.plans.subarray(moment * panel.n, (moment + 1) * panel.n);
      const start = panel.path.subarray(0, 2 * panel.n);
      const way = trackThrough(run.network, parameters, start);
      paths.set(key, panel.way === "network" ? way : straightWay(start, way, plan));
    }
    const path = paths.get(key);
    const times = evenTimes(path.length / 2 / panel.n);
    const told = panel.way === "network" ? run.reel.told[moment] : "";
    return { ...panel, path, times, regions: null, moment, told };
  }

  // What is known of a run as it was then.
  function runAt(run, part) {
    if (!run.reel) return run;
    const moment = momentOf(run.reel, part), reel = opened.get(run.reel);
    if (!reel) return run;
    const size = run.parameters.length, n = reel.plans.length / run.reel.steps.length;
    return {
      ...run, bends: null, astray: null, says: null,
      parameters: reel.parameters.subarray(moment * size, (moment + 1) * size),
      plan: reel.plans.subarray(moment * n, (moment + 1) * n),
    };
  }

  function clear() {
    opened.clear();
    paths.clear();
  }

  return { panelAt, runAt, clear };
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
