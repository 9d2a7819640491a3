// Time: t from 0, the input, to 1, the output, that every panel shares.

const SECONDS_A_LOOP = 4;
const REST_AT_END = 1.2; // seconds, at any speed 1
const REST_AT_START = 0.5;
const REST_AT_LAYER = 2.4; // in slow mode: long enough to read a sentence
export const SPEEDS = [0.25, 0.5, 1, 2, 4];

export function createClock(playing) {
  return { t: 0, playing, speed: 1, bounce: false, slow: false, direction: 1, resting: 0 };
}

export function seekTo(clock, t) {
  clock.t = Math.min(1, Math.max(0, t));
}

export function setClockPlaying(clock, playing) {
  if (playing && clock.t >= 1) clock.t = 0;
  if (playing) clock.direction = 1;
  clock.playing = playing;
  clock.resting = 0;
}

// One layer on (+1) or back (−1), to where a layer ends.
export function stepClock(clock, direction, depth) {
  setClockPlaying(clock, false);
  const place = clock.t * depth;
  const next = direction > 0 ? Math.floor(place + 1e-6) + 1 : Math.ceil(place - 1e-6) - 1;
  seekTo(clock, next / depth);
}

// `elapsed` seconds later. Whether t has moved.
export function advanceClock(clock, elapsed, depth) {
  if (!clock.playing) return false;
  const passed = elapsed * clock.speed, before = clock.t;
  if (clock.resting > 0) {
    clock.resting -= clock.slow ? elapsed : passed;
    if (clock.resting > 0 || clock.t < 1 || clock.direction < 0) return false;
    if (clock.bounce) {
      clock.direction = -1;
    } else {
      clock.t = 0;
      clock.resting = REST_AT_START;
    }
    return clock.t !== before;
  }
  let next = clock.t + clock.direction * passed / SECONDS_A_LOOP;
  if (clock.slow) {
    const place = clock.t * depth;
    const layer = clock.direction > 0 ? Math.floor(place + 1e-6) + 1 : Math.ceil(place - 1e-6) - 1;
    if (clock.direction * (next - layer / depth) >= 0) {
      next = layer / depth;
      clock.resting = REST_AT_LAYER;
    }
  }
  seekTo(clock, next);
  if (clock.t >= 1) clock.resting = Math.max(clock.resting, REST_AT_END);
  if (clock.t <= 0 && clock.direction < 0) {
    clock.direction = 1;
    clock.resting = REST_AT_START;
  }
  return true;
}
