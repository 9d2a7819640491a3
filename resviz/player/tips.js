// What a term means, for [data-tip]: under the pointer, with the focus, or after a tap; wholly
// inside the window.

const AWAY = 6; // CSS pixels between a term and its tip
const EDGE = 8; // … and between a tip and the window's edge

// Where a box of `size` stands at an anchor: above if there is room, else below.
export function placeBeside(anchor, size, view) {
  const left = Math.max(EDGE, Math.min(anchor.left, view.width - size.width - EDGE));
  const above = anchor.top - AWAY - size.height, below = anchor.bottom + AWAY;
  const top = above >= EDGE ? above : Math.max(EDGE, Math.min(below, view.height - size.height - EDGE));
  return { left, top };
}

export function createTips() {
  const tip = document.createElement("div");
  tip.className = "resviz-term-tip";
  tip.setAttribute("role", "tooltip");
  tip.hidden = true;
  document.body.append(tip);
  let term = null;

  const termOf = (event) => event.target.closest?.("[data-tip]") ?? null;

  function show(wanted) {
    if (wanted === term) return;
    term = wanted;
    tip.hidden = !term;
    if (!term) return;
    tip.textContent = term.dataset.tip;
    stand();
  }

  // Also where a page scrolls under it: a term that gets the focus is brought into view.
  function stand() {
    if (!term?.isConnected) return;
    const view = { width: document.documentElement.clientWidth, height: innerHeight };
    const { left, top } = placeBeside(term.getClientRects()[0], { width: tip.offsetWidth, height: tip.offsetHeight }, view);
    tip.style.left = `${Math.round(left)}px`;
    tip.style.top = `${Math.round(top)}px`;
  }

  // While a network trains its scores are written anew: the same term is another node.
  function keepUp() {
    if (!term || term.isConnected) return;
    const { textContent: name, dataset } = term;
    const same = [...document.querySelectorAll("[data-tip]")].find(
      (node) => node.textContent === name && node.dataset.tip.slice(0, 20) === dataset.tip.slice(0, 20),
    );
    show(same ?? null);
  }

  const listeners = [
    [document, "pointerover", (event) => { if (event.pointerType !== "touch") show(termOf(event)); }],
    [document, "focusin", (event) => show(termOf(event))],
    [document, "focusout", () => show(null)],
    [document, "keydown", (event) => { if (event.key === "Escape") show(null); }],
    [document, "scroll", stand, { capture: true, passive: true }],
  ];
  return { listeners, keepUp, tap: (event) => show(termOf(event)), remove: () => tip.remove() };
}
