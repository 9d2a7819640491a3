// Tells the server which recorded steps the player shows: a few times a second at most, and the
// last ones always.
const BETWEEN = 300; // ms

function createTeller() {
  const teller = { tell: null, sent: "null", timer: 0, at: -BETWEEN, listen };
  const wanted = () => JSON.stringify(window.resviz?.shown ?? null);

  function send() {
    teller.timer = 0;
    const now = wanted();
    if (now === teller.sent) return;
    teller.sent = now;
    teller.at = performance.now();
    teller.tell(JSON.parse(now));
  }

  function listen() {
    if (teller.timer || wanted() === teller.sent) return;
    teller.timer = setTimeout(send, Math.max(0, teller.at + BETWEEN - performance.now()));
  }

  window.addEventListener("resviz:moment", listen);
  return teller;
}

// Streamlit calls this again whenever it likes: one teller, however often it is called.
export default function ({ setStateValue }) {
  const teller = (window.resvizTeller ??= createTeller());
  teller.tell = (shown) => setStateValue("shown", shown);
  teller.listen();
}
