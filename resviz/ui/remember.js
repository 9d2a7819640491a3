// Keeps in the tab what is on the stage, and hands it to a session that knows nothing of it: the
// server was started anew, or forgot the old one, or the page was loaded again. An address that is
// another than the one it was kept at is a link that was opened, and is followed as it is.
const KEY = "resviz.stage";

export default function ({ data, setStateValue }) {
  window.resvizPage ??= String(Math.random()); // until the page is loaded again
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY));
    if (data.fresh && kept && kept.session !== data.session && kept.address === data.arrived) {
      const reloaded = kept.page !== window.resvizPage;
      setStateValue("before", { session: data.session, reloaded, note: kept.note });
      return; // and kept until the server has heard of it
    }
    const { session, address, note } = data;
    sessionStorage.setItem(KEY, JSON.stringify({ session, address, note, page: window.resvizPage }));
  } catch {
    // A browser that keeps nothing for this site.
  }
}
