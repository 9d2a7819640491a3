// How large the panels can be: the one rule of the stage's room, for the page and for a file of
// its own.
//
// A stage of so many CSS pixels holds `count` square panels in a grid, each under its title, and
// a foot under all of them: the legend and the transport bar. Nothing here looks at a page.

const GUTTER = 0.02; // of the plot's width, between two panels: as in figures/stage.py
const MARGINS = 8; // the margins left and right
const ENOUGH = 0.97; // of the largest side: what looks better may cost so much
// Of the side that the whole window allows: less is not worth having all else in view. On a phone,
// where a thumb scrolls, nearly nothing is.
const IN_VIEW = 0.6, IN_VIEW_ON_PHONE = 0.9;

export const FULL_BAR_REM = 52, PHONE_BAR_REM = 36; // the least width of all controls; of most
export const LEAST_BAR_REM = 30; // what a stage beside other things must have
const PHONE_REM = 30; // a window that is narrower or lower is a phone's

export function isPhone(width, viewport, rem) {
  return Math.min(width, viewport) < PHONE_REM * rem;
}

// The heights that go with the size of letters. On a projector, at 16 px a rem, they are those of
// the figure itself, which need not be laid out anew.
export function heightsOf(rem, { rows, legend }) {
  return {
    title: Math.round(2.125 * rem),
    legend: legend ? Math.round(1.5 * rem) : 0,
    foot: Math.round(2.2 * rows * rem) + 4 * rows + 12 + (legend ? Math.round(1.5 * rem) : 0),
  };
}

// Both rows of the bar, or the one that they make where a presentation has the width for it.
export function barRows(width, rem, presenting) {
  return presenting && width >= FULL_BAR_REM * rem ? 1 : 2;
}

function sideOf({ width, height, count, title, foot }, columns) {
  const rows = Math.ceil(count / columns);
  const wide = ((width - MARGINS) * (1 - GUTTER * (columns - 1))) / columns;
  return Math.max(1, Math.min(wide, (height - foot - rows * title) / rows));
}

// The grid in which the panels are the largest, the flattest of those: {columns, rows, side}.
export function gridOf(stage) {
  const grids = Array.from({ length: stage.count }, (_, k) => stage.count - k).map(
    (columns) => ({ columns, rows: Math.ceil(stage.count / columns), side: sideOf(stage, columns) }),
  );
  const most = Math.max(...grids.map(({ side }) => side));
  return grids.find(({ side }) => side >= ENOUGH * most);
}

// Where a panel of the grid lies, in parts of the plot's width and height from its upper left
// corner; a last row that is not full stands in the middle.
export function cellOf(k, count, { columns, rows }, gap) {
  const wide = (1 - GUTTER * (columns - 1)) / columns, high = (1 - gap * (rows - 1)) / rows;
  const row = Math.floor(k / columns), within = Math.min(columns, count - row * columns);
  const used = within * wide + (within - 1) * GUTTER;
  return { left: Math.max(0, (1 - used) / 2) + (k % columns) * (wide + GUTTER), top: row * (high + gap), wide, high };
}

// The stage in a page `width` wide, in a window `viewport` high of which other rows take `rest`.
//
// The charts, at least `charts.least` wide, stand beside the stage, which is no narrower than
// `least` and than `bar`, for all controls, if there is room; or, where that would cost the panels
// more, below it, with `charts.peek` of them in view.
// Where all other rows in view would cost the panels too much they scroll away, and the stage has
// the window's whole height.
export function roomFor({ width, viewport, rest, charts, phone, ...stage }) {
  const places = [{ beside: false, width, peek: charts?.peek ?? 0 }];
  const left = charts ? width - charts.least : 0;
  if (left >= stage.least) places.unshift({ beside: true, width: left, peek: 0 });
  const within = (height, peeks) => places.map(
    ({ peek, ...place }) => ({ ...place, ...gridOf({ ...stage, width: place.width, height: height - peeks * peek }) }),
  );
  const largest = (rooms) => Math.max(...rooms.map(({ side }) => side));
  const inView = within(viewport - rest, 1), alone = within(viewport, 0);
  const scrolls = largest(inView) < (phone ? IN_VIEW_ON_PHONE : IN_VIEW) * largest(alone);
  const rooms = scrolls ? alone : inView;
  const { beside, columns, rows, side, width: most } = rooms.find(
    (room) => room.side >= ENOUGH * largest(rooms),
  );
  const needed = MARGINS + (columns * side) / (1 - GUTTER * (columns - 1));
  return {
    beside, columns, rows, side, scrolls,
    width: beside ? Math.min(most, Math.max(needed, stage.bar)) : width,
    height: rows * (side + stage.title) + stage.foot,
  };
}
