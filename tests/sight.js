// What a page looks like to a person, measured: how large its panels are, and which words cannot be
// read. Boxes are [left, top, right, bottom] in CSS pixels.

// The panels, their bar, and what is wrong.
function look() {
  const box = (r) => [r.left, r.top, r.right, r.bottom];
  const chart = [...document.querySelectorAll(".js-plotly-plot.resviz-taken")].find(
    (node) => getComputedStyle(node).visibility === "visible");
  const layout = chart._fullLayout, [left, top] = box(chart.getBoundingClientRect());
  const panels = layout.meta.panels.map((_, k) => {
    const [x, y] = ["xaxis", "yaxis"].map((name) => layout[name + (k ? k + 1 : "")]);
    return [left + x._offset, top + y._offset, left + x._offset + x._length, top + y._offset + y._length];
  });
  const inside = (a, b, by) => a[0] < b[2] - by && b[0] < a[2] - by && a[1] < b[3] - by && b[1] < a[3] - by;
  const words = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const text = node.textContent.trim(), owner = node.parentElement;
    if (!text || owner.closest("style, script, option, title, [data-testid=stIconMaterial]")) continue;
    if (text === "Skip to main content") continue; // shown to the keyboard alone
    const range = document.createRange();
    range.selectNodeContents(node);
    const boxes = [...range.getClientRects()].filter(({ width, height }) => width > 2 && height > 2).map(box);
    const style = getComputedStyle(owner);
    if (!boxes.length || style.visibility !== "visible" || !owner.checkVisibility({ opacityProperty: true })) continue;
    words.push({ text, owner, boxes, size: parseFloat(style.fontSize) });
  }
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const faults = [], name = ({ text }) => text.slice(0, 40);
  const main = document.querySelector(".stMain") ?? document.scrollingElement;
  if (main.scrollWidth > main.clientWidth) faults.push(`${main.scrollWidth - main.clientWidth} px to the right of the page`);
  for (const word of words) {
    if (word.size < 12) faults.push(`${name(word)}: ${word.size} px`);
    const inChart = word.owner.closest(".st-key-chart_figure");
    if (inChart && Math.abs(word.size / rem - 1) > 0.25) faults.push(`${name(word)}: ${word.size} px beside ${rem}`);
    for (const one of word.boxes) {
      if (word.owner.closest(".stSidebar") && one[2] < 1) break; // put away
      if (one[0] < -1 || one[2] > innerWidth + 1) faults.push(`${name(word)}: leaves the window`);
      for (let above = word.owner; above && above !== document.body; above = above.parentElement) {
        const { overflowX, overflowY, clip } = getComputedStyle(above);
        if (clip !== "auto" && clip.includes("0px")) break; // for screen readers alone
        if ([overflowX, overflowY].some((flow) => ["auto", "scroll"].includes(flow))) break; // scrolls
        if (above.matches("svg *")) continue;
        const edge = box(above.getBoundingClientRect()), hides = (flow) => ["hidden", "clip"].includes(flow);
        const cut = hides(overflowX) && (one[0] < edge[0] - 2 || one[2] > edge[2] + 2)
          || hides(overflowY) && (one[1] < edge[1] - 4 || one[3] > edge[3] + 4);
        if (cut) { faults.push(`${name(word)}: cut by ${above.className?.baseVal ?? above.className}`); break; }
      }
      const marks = ".resviz-foot, .resviz-moment, .resviz-tip, .resviz-begin, .stSidebar, .stAppHeader";
      if (!word.owner.closest(marks) && panels.some((panel) => inside(one, panel, 2))) {
        faults.push(`${name(word)}: on a panel`);
      }
    }
  }
  const apart = words.filter(({ owner }) => !owner.closest(".stAppHeader"));
  apart.forEach((a, k) => apart.slice(k + 1).forEach((b) => {
    const same = Boolean(a.owner.closest(".stSidebar")) === Boolean(b.owner.closest(".stSidebar"));
    const over = same && a.boxes.some((one) => b.boxes.some((other) => inside(one, other, 3)));
    if (over) faults.push(`${name(a)} over ${name(b)}`);
  }));
  for (const button of document.querySelectorAll(".stMain :is(button, select, input)")) {
    if (!button.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    const edge = box(button.getBoundingClientRect());
    for (const word of apart) {
      const other = !button.contains(word.owner) && !word.owner.closest(".stSidebar, label");
      if (other && word.boxes.some((one) => inside(one, edge, 2))) {
        faults.push(`${name(word)} over the button ${button.textContent.trim().slice(0, 20)}`);
      }
    }
  }
  const bar = box(document.querySelector(".resviz-bar").getBoundingClientRect());
  return { panels, bar, faults, rem, title: layout.margin.t, foot: layout.margin.b,
    window: [innerWidth, innerHeight], stage: box(chart.getBoundingClientRect()) };
}

// The room in the app: the page's width, the window's height, and what the other rows need of it.
function room() {
  const block = document.querySelector('.stMainBlockContainer > [data-testid="stVerticalBlock"]');
  const main = document.querySelector(".stMain"), outer = getComputedStyle(block.parentElement);
  const stage = [...block.children].find((row) => row.querySelector(".st-key-stage"));
  const rows = [...block.children].filter(
    (row) => row !== stage && row.getClientRects().length && getComputedStyle(row).position !== "absolute");
  const gap = parseFloat(getComputedStyle(block).rowGap);
  const rest = rows.reduce((sum, row) => sum + row.getBoundingClientRect().height + gap, 0);
  const charts = document.querySelector(".st-key-charts");
  return { width: main.clientWidth - parseFloat(outer.paddingLeft) - parseFloat(outer.paddingRight),
    height: main.clientHeight,
    rest: rest + parseFloat(outer.paddingTop) + parseFloat(outer.paddingBottom),
    charts: Boolean(charts?.checkVisibility()) };
}

// Until all that is laid out has kept its place and size for so many frames.
async function rests(frames) {
  const laidOut = ".stMain [class*=st-key-], .stSidebar, .js-plotly-plot, .resviz-bar, .st-key-chart_figure text";
  const places = () => JSON.stringify([...document.querySelectorAll(laidOut)].map((node) => {
    const { left, top, width, height } = node.getBoundingClientRect();
    return [left, top, width, height].map(Math.round);
  }));
  for (let before = places(), same = 0; same < frames; ) {
    await new Promise(requestAnimationFrame);
    const now = places();
    same = now === before ? same + 1 : 0;
    before = now;
  }
}
