// Keeps in the tab what is on the stage, and hands it to a session that knows nothing of it: the
// server was started anew, or forgot the old one, or the page was loaded again. An address that is
// another than the one it was kept at is a link that was opened, and is followed as it is.
//
// Streamlit comes back in silence, and a new session learns of the page at the first click, which
// it loses. So the line is watched: its loss is said, and when it is back the page asks at once.
const KEY = "resviz.stage";
const LOST = "The connection to the server is lost. It is tried again by itself.";
const STATE = "data-test-connection-state";

export default function ({ data, setStateValue }) {
  window.resvizPage ??= String(Math.random()); // until the page is loaded again
  (window.resvizLine ??= watchTheLine()).ask = () => setStateValue("asked", Math.random());
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

function watchTheLine() {
  const app = document.querySelector(`[${STATE}]`), line = { ask() {} };
  const notice = Object.assign(document.createElement("p"), { className: "resviz-lost" });
  notice.setAttribute("role", "status");
  document.body.append(notice);
  let there = true;
  const look = () => {
    const now = app.getAttribute(STATE) === "CONNECTED", back = now && !there;
    there = now;
    notice.textContent = now ? "" : LOST;
    if (back) line.ask();
  };
  if (app) new MutationObserver(look).observe(app, { attributes: true, attributeFilter: [STATE] });
  return line;
}
