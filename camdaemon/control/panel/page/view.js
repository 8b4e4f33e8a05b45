// The live picture: JPEGs, each requested once the previous one is drawn, none while the page is hidden.

import { ask, reach } from "./daemon.js";

const PERIOD = 70; // ms between two pictures, at least
const RETRY = 1000; // ms after a failure
const CAMERA_S = 30; // the same as CAMERA_S of the daemon

const LABELS = {
  composite: "What viewers see now",
  alpha: "The alpha: white is you, black is the room",
  camera: "Your camera, which only you see now",
};

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** Show pictures in `canvas` and let `buttons` (data-view) choose which. `say`, `trouble`: take a sentence. */
export function startView(canvas, buttons, mine, { say, trouble }) {
  const pen = canvas.getContext("2d");
  let view = "composite", after = -1, fetching = new AbortController(), running = false, left = 0, ticking;

  async function one() {
    const { signal } = (fetching = new AbortController());
    const asked = view;
    const answer = await reach(`/view/${asked}?after=${after}`, { signal });
    if (answer.status === 204) return;
    const picture = await createImageBitmap(await answer.blob());
    if (asked === view) {
      after = Number(answer.headers.get("X-Picture"));
      draw(picture);
    }
    picture.close();
  }

  function draw(picture) {
    if (canvas.width !== picture.width) canvas.width = picture.width;
    if (canvas.height !== picture.height) canvas.height = picture.height;
    pen.drawImage(picture, 0, 0);
    canvas.dataset.number = after;
    canvas.dataset.view = view;
  }

  async function run() {
    if (running) return;
    running = true;
    while (!document.hidden) {
      const began = performance.now();
      try {
        await one();
        await pause(PERIOD - (performance.now() - began));
      } catch (error) {
        if (error.name === "AbortError") continue; // another view was chosen, or the page is hidden
        if (view === "camera") {
          trouble(error.message);
          show("composite");
        } else if (error.status === 403) {
          break; // the session has ended
        }
        await pause(RETRY);
      }
    }
    running = false;
  }

  function show(wanted) {
    clearInterval(ticking);
    if (view === "camera" && wanted !== "camera") ask("/camera", { show: false }).catch(() => {});
    [view, after] = [wanted, -1];
    fetching.abort();
    canvas.setAttribute("aria-label", LABELS[view]);
    mine.hidden = view === "composite";
    for (const button of buttons) {
      button.setAttribute("aria-pressed", button.dataset.view === view);
      if (button.dataset.view === "camera") button.textContent = "Camera";
    }
  }

  async function showCamera(button) {
    try {
      say((await ask("/camera", { show: true })).message);
    } catch (error) {
      return trouble(error.message);
    }
    show("camera");
    left = CAMERA_S;
    const tick = () => {
      button.textContent = `Camera · ${left} s`;
      if (left-- <= 0) show("composite");
    };
    tick();
    ticking = setInterval(tick, 1000);
  }

  for (const button of buttons) {
    const { view: its } = button.dataset;
    button.addEventListener("click", () => (its === "camera" ? showCamera(button) : show(its)));
  }
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      if (view === "camera") show("composite");
      fetching.abort();
    } else {
      run();
    }
  });
  run();
}
