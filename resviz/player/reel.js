// The bytes of a run's course, asked of the server that the page came from, and checked.

// Resolves to a Uint8Array of so many bytes; rejects with an Error whose message says what came
// instead, and whose `gone` says that asking again is of no use.
export async function fetchReel(url, size) {
  let answer, bytes;
  try {
    answer = await fetch(new URL(url, appRoot()));
    bytes = new Uint8Array(await answer.arrayBuffer());
  } catch {
    throw failure("this run's training could not be fetched: no connection", false);
  }
  if (answer.status === 404) throw failure("this run's training is no longer kept", true);
  const kind = (answer.headers.get("Content-Type") ?? "").split(";")[0];
  if (!answer.ok) throw failure(`this run's training was not sent: error ${answer.status}`, false);
  if (kind !== "application/octet-stream") throw failure("this run's training was not sent, but a page", true);
  if (bytes.length !== size) throw failure(`this run's training came damaged: ${bytes.length} bytes of ${size}`, false);
  return bytes;
}

// Where the app lies, whatever stands behind it in the address: where its own scripts come from.
export function appRoot() {
  const script = document.querySelector('script[src*="static/js/"]')?.src;
  return script ? script.slice(0, script.indexOf("static/js/")) : document.baseURI;
}

function failure(sentence, gone) {
  return Object.assign(new Error(sentence), { gone });
}
