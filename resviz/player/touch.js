// Fingers: a swipe over a picture scrolls the page, and a tap asks for what is there.

const STILL = 10; // CSS pixels that a finger may move in a tap

// What to listen to, as [target, name, listener, options]; `tap` is told of a tap's event.
export function fingers(tap) {
  let down = null;
  // Plotly takes a touch for the beginning of a zoom, and keeps it from scrolling. Kept from it
  // here and not by its `dragmode`: beside a mouse, which zooms, there may be a finger.
  const keep = (event) => {
    if (event.target.closest?.(".js-plotly-plot .draglayer")) event.stopPropagation();
  };
  const press = (event) => {
    down = event.pointerType === "touch" && event.isPrimary
      ? { id: event.pointerId, x: event.clientX, y: event.clientY } : null;
  };
  const lift = (event) => {
    if (down?.id !== event.pointerId) return;
    if (Math.hypot(event.clientX - down.x, event.clientY - down.y) <= STILL) tap(event);
    down = null;
  };
  return [
    [document, "touchstart", keep, { capture: true, passive: true }],
    [document, "pointerdown", press, true], [document, "pointerup", lift, true],
    [document, "pointercancel", () => { down = null; }, true],
  ];
}
