// The page: what the controls do, and how they follow the status.

import { ask, listen } from "./daemon.js";
import { startGallery } from "./gallery.js";
import { startGraphs } from "./graphs.js";
import { startPlate } from "./plate.js";
import { setText, showSeen, showUnknown } from "./seen.js";
import { startView } from "./view.js";

const byId = (id) => document.getElementById(id);
const all = (selector) => [...document.querySelectorAll(selector)];
const press = (button, on) => button.setAttribute("aria-pressed", Boolean(on));

const CONFIRM = 428; // the HTTP status of what has to be asked for twice

let silence;

function say(message) {
  clearTimeout(silence);
  byId("said").textContent = message;
  silence = setTimeout(() => (byId("said").textContent = ""), 5000);
}

/** Show an error; with `again`, what to do if the user wants it all the same. */
function trouble(message, again = null) {
  byId("alert").firstElementChild.textContent = message;
  byId("dismiss").hidden = message === "";
  byId("confirm").hidden = again === null;
  byId("confirm").onclick = again;
}

/**
 * Run an action and show its message; an error stays until the next one succeeds. Resolves to whether it succeeded.
 * What shows the room is done at a second press only: then `action` gets {yes: true}, to send along.
 */
async function act(action) {
  try {
    const { message } = await action();
    trouble("");
    say(message);
    return true;
  } catch (error) {
    say("");
    trouble(error.message, error.status === CONFIRM ? () => act(() => action({ yes: true })) : null);
    return false;
  }
}

function startSwitches() {
  for (const name of ["pause", "mirror"]) {
    const button = byId(name);
    button.addEventListener("click", async () => {
      const on = button.getAttribute("aria-pressed") !== "true"; // not "toggle": a double press would undo itself
      if (await act(() => ask(`/${name}`, { turn: on ? "on" : "off" }))) press(button, on);
    });
  }
  for (const button of all("[data-mode]")) {
    button.addEventListener("click", () => act(() => ask("/mode", { mode: button.dataset.mode })));
  }
}

/** A slider whose value is sent as fast as the daemon answers. Returns a function that shows the daemon's value. */
function startSlider(name, text) {
  const slider = byId(name), output = byId(`${name}-value`);
  let sending = false, again = false, touched = -Infinity;
  const show = () => (output.textContent = text(slider.valueAsNumber));

  async function send() {
    again = sending;
    if (sending) return;
    sending = true;
    try {
      await ask("/adjust", { [name]: slider.valueAsNumber });
      trouble("");
    } catch (error) {
      const value = slider.valueAsNumber;
      const again = () => act(() => ask("/adjust", { [name]: value, yes: true }));
      trouble(error.message, error.status === CONFIRM ? again : null);
    }
    sending = false;
    if (again) send();
  }

  slider.addEventListener("input", () => {
    touched = performance.now();
    show();
    send();
  });
  return (value) => {
    if (typeof value !== "number" || performance.now() - touched < 2000) return;
    slider.value = value;
    show();
  };
}

function showScenes(names, current) {
  const list = byId("scene-list");
  byId("scenes").hidden = names.length === 0;
  if (list.dataset.names !== JSON.stringify(names)) {
    list.dataset.names = JSON.stringify(names);
    list.replaceChildren(...names.map(sceneButton));
  }
  [...list.children].forEach((button) => press(button, button.textContent === current));
}

function sceneButton(name) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "chip";
  button.textContent = name;
  button.addEventListener("click", () => act(() => ask("/scene", { name })));
  return button;
}

const OTHERS = {
  none: "",
  open: "Another page of this panel is open.",
  camera: "Another page of this panel looks at your camera now. If you did not open it, run: camdaemon stop",
};

function showStatus(status) {
  showSeen(status);
  setText(
    byId("facts"),
    [status.size, status.source, status.sink, status.device, status.matting].filter(Boolean).join(" · "),
  );
  all("[data-mode]").forEach((button) => press(button, button.dataset.mode === status.mode));
  press(byId("pause"), status.paused);
  press(byId("mirror"), status.mirror);
  byId("crop").hidden = !status.crop;
  showScenes(status.scenes ?? [], status.scene);
}

function start() {
  const { refresh, mark } = startGallery(byId("tiles"), act, { say, trouble });
  const record = startGraphs();
  const edge = startSlider("edge", (value) => value.toFixed(2).replace("-", "−"));
  const blur = startSlider("blur", (value) => (value ? `${value.toFixed(0)} px` : "off"));
  startView(byId("picture"), all("[data-view]"), byId("mine"), { say, trouble });
  startSwitches();
  const plate = startPlate(act, say);
  byId("next").addEventListener("click", () => act(() => ask("/backdrop/next")));
  byId("previous").addEventListener("click", () => act(() => ask("/backdrop/previous")));
  byId("reset").addEventListener("click", () => act(() => ask("/reset")));
  byId("uncrop").addEventListener("click", () => act(() => ask("/crop/off")));
  byId("reload").addEventListener("click", async () => (await act(() => ask("/reload"))) && refresh());
  byId("dismiss").addEventListener("click", () => trouble(""));
  listen({
    trouble,
    others(what) {
      byId("others").hidden = what === "none";
      byId("others").dataset.do = what;
      setText(byId("others"), OTHERS[what]);
    },
    ended(sentence) {
      trouble(sentence);
      showUnknown("Not let in", "This page shows nothing any more.");
    },
    gone(away) {
      byId("gone").hidden = !away;
      if (away) showUnknown("No answer", "What viewers see is unknown.");
    },
    status(status) {
      showStatus(status);
      plate(status);
      mark(status.backdrop ?? null);
      record(status);
      edge(status.edge);
      blur(status.blur);
    },
  });
}

start();
