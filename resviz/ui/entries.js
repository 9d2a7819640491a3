// The page's entries in the browser's history. Streamlit makes one of every address that it
// writes, so that a setting moved by ten keys would be ten to go back through. Here a new one is
// made where another preset comes up, or one's own settings after a preset's; else the present one
// is written anew. What others have put into the address stays in it.
function withOthers(next, names) {
  const now = new URL(location.href);
  for (const name of names) {
    next.searchParams.delete(name);
    for (const text of now.searchParams.getAll(name)) next.searchParams.append(name, text);
  }
  return next;
}

function guard(names) {
  const push = history.pushState.bind(history), replace = history.replaceState.bind(history);
  history.pushState = (state, title, url) => {
    const now = new URL(location.href), next = withOthers(new URL(url, now), names);
    const another = now.searchParams.get("preset") !== next.searchParams.get("preset");
    (another ? push : replace)(state, title, next);
  };
}

function own(url, names) {
  const query = new URLSearchParams(new URL(url).search);
  for (const name of names) query.delete(name);
  return query.toString();
}

// `opening` is the address of the page as it opened: the entry that is there is written anew, unless
// a first click was quicker than this.
export default function ({ data }) {
  if (window.resvizEntries) return;
  window.resvizEntries = true;
  guard(data.others);
  const [loaded] = performance.getEntriesByType("navigation");
  if (own(loaded.name, data.others) !== own(location.href, data.others)) return;
  const next = new URL(location.href);
  next.search = data.opening;
  history.replaceState(history.state, "", withOthers(next, data.others));
}
