// Tells the server what the player has written into the address, which Streamlit does not.
export default function ({ data, setStateValue }) {
  const asked = new URLSearchParams(location.search);
  const seen = Object.fromEntries(data.names.map((name) => [name, asked.getAll(name)]));
  if (JSON.stringify(seen) !== JSON.stringify(data.known)) setStateValue("seen", seen);
}
