// Which action a key asks for, on any keyboard.
//
// A key is what it writes, capital or small. Where it writes no Latin letter, as on a Cyrillic or
// a Greek keyboard, it is what it would write there on an American one: its place.

const ACTIONS = {
  " ": "play", ArrowLeft: "back", ArrowRight: "on", Home: "input", End: "output",
  "+": "faster", "=": "faster", "-": "slower", "\u2212": "slower",
  "[": "earlier", ",": "earlier", "]": "later", ".": "later",
  l: "bounce", s: "slow", t: "roll", c: "colour", z: "zoom", f: "full", p: "present", d: "dark",
  Escape: "leave", "?": "help",
  ...Object.fromEntries(Array.from("12345678", (digit) => [digit, `view ${digit}`])),
};
const PLACES = { BracketLeft: "[", BracketRight: "]", Comma: ",", Period: "." };
// Held down, they go on; any other one would flicker.
const REPEATED = new Set(["back", "on", "faster", "slower", "earlier", "later"]);

// The sign, in small letters, or a key's name such as "Home"; null for what composes a letter, or
// is a shortcut of the browser's.
export function signOf(event) {
  const { key, code, isComposing, altKey, ctrlKey, metaKey, shiftKey } = event;
  if (isComposing || metaKey || !key || ["Process", "Dead", "Unidentified"].includes(key)) return null;
  // The third level of a keyboard, by AltGr or a Mac's Option: there some have their brackets.
  if (event.getModifierState("AltGraph") || (altKey && !ctrlKey)) return ["[", "]", "?"].includes(key) ? key : null;
  if (ctrlKey || code === "NumpadDecimal") return null;
  if ([...key].length > 1) return key;
  // The upper row of a French keyboard writes digits with Shift only, and has the hyphen.
  const digit = /^Digit([0-9])$/.exec(code)?.[1];
  if (digit && !shiftKey && !"-+=[],.?".includes(key)) return digit;
  if (/[\p{ASCII}\p{Script=Latin}]/u.test(key)) return key.toLowerCase();
  return PLACES[code] ?? /^Key([A-Z])$/.exec(code)?.[1].toLowerCase() ?? key;
}

export function actionOf(event) {
  return ACTIONS[signOf(event)] ?? null;
}

export const goesOn = (action) => REPEATED.has(action);
