// Hands the newest bytes from the server to player.js, which may come later.
export default function ({ data }) {
  if (!data || !data.length) return;
  if (!window.resviz) window.resvizFeed = data; // for a player that comes later
  window.dispatchEvent(new CustomEvent("resviz:feed", { detail: data }));
}
