// What viewers see, in the daemon's own words: it makes them of the pictures that it has written last.

const LATE = 1000; // ms without news until the page says that it knows nothing any more

const byId = (id) => document.getElementById(id);
let late;

/** Show the daemon's `status`, which is good for a second. */
export function showSeen({ seen, viewers_see: sentence }) {
  show(seen.state, seen.badge, sentence);
  late = setTimeout(() => show("unknown", "Late", "What viewers see is unknown: camdaemon is late with its news."), LATE);
}

/** Show that nothing is known, and why. */
export function showUnknown(badge, sentence) {
  show("unknown", badge, sentence);
}

function show(state, badge, sentence) {
  clearTimeout(late);
  byId("badge").dataset.state = byId("sentence").dataset.state = state;
  setText(byId("badge"), badge);
  setText(byId("sentence"), sentence);
  document.title = `${badge} – camdaemon`;
}

/** Change the text of `node`: a live region is read out at every change. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
