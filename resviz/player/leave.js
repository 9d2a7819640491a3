// The way out of a presentation and of the full screen, for those who have no keys: a button in
// the corner that goes when nothing moves, and comes back with the pointer.

const RESTING = 3000; // ms

export function createLeave(leave) {
  const node = document.createElement("button");
  node.type = "button";
  node.className = "resviz-leave";
  node.textContent = "✕";
  node.hidden = true;
  node.addEventListener("click", leave);
  document.body.append(node);
  let resting = 0;

  function stir() {
    node.classList.remove("resviz-resting");
    clearTimeout(resting);
    resting = setTimeout(() => node.classList.add("resviz-resting"), RESTING);
  }

  // `told` says what there is to leave; nothing if it is empty.
  function offer(told) {
    node.hidden = !told;
    if (!told) return;
    node.title = told;
    node.setAttribute("aria-label", told);
    stir();
  }

  function remove() {
    clearTimeout(resting);
    node.remove();
  }

  const listeners = ["pointermove", "pointerdown", "keydown"].map((name) => [document, name, stir, { passive: true }]);
  return { offer, listeners, remove };
}
