// Gives the stage its room in the app's page: measures what else stands there, and tells style.css.
//
// What the page says of itself: --resviz-panels, how many panels are to come. What it is told:
// --resviz-stage-width and -height, and where the charts stand: "beside" the stage, "below" it, or
// below it "apart" from their names, which are then beside the buttons.

import { isPhone, roomFor } from "./room.js";

const CHARTS_REM = 14; // the least width in which the charts' titles are whole
const PEEK_REM = 2.9; // the charts' names, in view at the window's foot, unless there is …
const NAMES_REM = 66; // … so much width, where they stand beside the buttons
const SCORES_REM = 2.06; // a line of scores, before there are any
const GAP_REM = 1; // between the stage and the charts
const ROWS = '.stMainBlockContainer > [data-testid="stVerticalBlock"]';

const remOf = () => parseFloat(getComputedStyle(document.documentElement).fontSize);

// `told` says what the stage is of: {presenting, heights(width, rem), least(rem), bar(rem)}. Measured
// are the rows of the page; nothing of it depends on the stage's own size.
export function createFit(told) {
  const { documentElement: html } = document;
  const watched = new Set();
  let applied = "", awaited = 0;

  function rowsOf() {
    const block = document.querySelector(ROWS), main = document.querySelector(".stMain");
    const stage = block && [...block.children].find((row) => row.querySelector(".st-key-stage_box"));
    return stage && main ? { block, main, stage } : null;
  }

  function restOf({ block, stage }, rem) {
    const { rowGap } = getComputedStyle(block), outer = getComputedStyle(block.parentElement);
    const others = [...block.children].filter((row) => row !== stage && takesRoom(row));
    const scores = block.querySelector(".resviz-scores") ? 0 : SCORES_REM * rem;
    const paddings = parseFloat(outer.paddingTop) + parseFloat(outer.paddingBottom);
    const heights = others.reduce((sum, row) => sum + row.getBoundingClientRect().height, 0);
    return heights + scores + others.length * (parseFloat(rowGap) || 0) + paddings;
  }

  // As wide as with a scrollbar: what the charts' place decides must not decide it.
  function widthOf({ block, main }) {
    const outer = getComputedStyle(block.parentElement);
    return main.offsetWidth - scrollbar() - parseFloat(outer.paddingLeft) - parseFloat(outer.paddingRight);
  }

  function fit() {
    const page = rowsOf(), count = Number(getComputedStyle(html).getPropertyValue("--resviz-panels"));
    if (!page || !count) return;
    const rem = remOf(), presenting = told.presenting(), width = widthOf(page);
    const apart = width >= NAMES_REM * rem, viewport = page.main.clientHeight;
    const charts = presenting ? null : { least: (CHARTS_REM + GAP_REM) * rem, peek: apart ? 0 : PEEK_REM * rem };
    const room = roomFor({
      width, viewport, rest: restOf(page, rem), charts, count, phone: isPhone(width, viewport, rem),
      ...told.heights(width, rem), least: told.least(rem), bar: told.bar(rem),
    });
    const place = room.beside ? "beside" : apart ? "apart" : "below";
    // Rounded up in width, which others have enough of; not in height, or the page would scroll.
    const stageWidth = `${Math.ceil(room.width)}px`, stageHeight = `${Math.floor(100 * room.height) / 100}px`;
    const wanted = [place, stageWidth, stageHeight].join("/");
    if (wanted === applied) return;
    applied = wanted;
    html.dataset.charts = place;
    html.style.setProperty("--resviz-stage-width", stageWidth);
    html.style.setProperty("--resviz-stage-height", stageHeight);
  }

  // A row that changes is looked at in the next frame, the window at once.
  function later() {
    awaited ||= requestAnimationFrame(() => { awaited = 0; fit(); });
  }

  const windows = new ResizeObserver(fit), rows = new ResizeObserver(later);
  // How many panels are to come stands in a style sheet, which is there before their figure.
  const sheets = new MutationObserver((records) => {
    const styled = records.some(({ addedNodes }) => [...addedNodes].some(
      (node) => node.nodeName === "STYLE" || node.querySelector?.("style"),
    ));
    if (styled) fit();
  });
  sheets.observe(document.body, { childList: true, subtree: true });

  // Rows come and go with what the page says.
  function watch() {
    const page = rowsOf();
    if (!page) return;
    if (!watched.has(page.main)) { watched.add(page.main); windows.observe(page.main, { box: "border-box" }); }
    const now = new Set([page.main, ...page.block.children]);
    for (const row of now) if (!watched.has(row)) { watched.add(row); rows.observe(row); later(); }
    for (const row of watched) if (!now.has(row)) { watched.delete(row); rows.unobserve(row); later(); }
  }

  // Where their names stand apart from them, whoever chooses one is taken there.
  function showCharts(still) {
    if (html.dataset.charts !== "apart") return;
    const charts = document.querySelector(".st-key-chart_box");
    charts?.scrollIntoView({ block: "nearest", behavior: still ? "auto" : "smooth" });
  }

  function remove() {
    cancelAnimationFrame(awaited);
    for (const observer of [windows, rows, sheets]) observer.disconnect();
    for (const side of ["width", "height"]) html.style.removeProperty(`--resviz-stage-${side}`);
    delete html.dataset.charts;
  }

  return { fit, watch, showCharts, remove };
}

function takesRoom(row) {
  return row.getClientRects().length > 0 && getComputedStyle(row).position !== "absolute";
}

let scrollbarWidth = null;
function scrollbar() {
  if (scrollbarWidth === null) {
    const probe = document.createElement("div");
    probe.style.cssText = "position: absolute; visibility: hidden; overflow: scroll; width: 50px; height: 50px";
    document.body.append(probe);
    scrollbarWidth = probe.offsetWidth - probe.clientWidth;
    probe.remove();
  }
  return scrollbarWidth;
}
