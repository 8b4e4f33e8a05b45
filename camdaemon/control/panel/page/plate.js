// The plate: taking it with its countdown, and how the one in use looks.

import { ask, reach } from "./daemon.js";
import { setText } from "./seen.js";

const byId = (id) => document.getElementById(id);
const LOOK = 1000; // ms between two pictures of the plate while it is looked at
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60]];

/** Let the buttons take and cancel. `act` runs an action and shows its outcome. Returns what takes each status. */
export function startPlate(act, say) {
  const take = byId("take"), cancel = byId("cancel"), note = byId("plate-note");
  const anyway = byId("anyway"), parts = byId("plate-parts");
  const words = take.textContent, explained = note.textContent;
  let said = explained; // of the plate in use
  let mine = false; // this page has asked for a plate, and waits for the answer

  async function photograph(more = {}) {
    if (mine) return;
    const countdown = Number(document.querySelector("[name=countdown]:checked").value);
    mine = true;
    anyway.hidden = true;
    say(`Step out of the picture, ${countdown} seconds.`);
    show({ by: "you", left_s: countdown, waits_for: "" });
    await act(async () => {
      try {
        return await ask("/plate", { countdown, ...more });
      } catch (error) {
        anyway.hidden = !error.message.includes("somebody is in the picture");
        throw error;
      }
    });
    mine = false;
    show(null);
  }

  take.addEventListener("click", () => photograph());
  anyway.addEventListener("click", () => photograph({ anyway: true }));
  cancel.addEventListener("click", () => act(() => ask("/plate/cancel")));
  startLook(byId("plate-look"), byId("plate-picture"));

  function show(taking) {
    const busy = mine || taking?.by === "you"; // what camdaemon takes by itself gives way
    take.toggleAttribute("aria-disabled", busy);
    if (busy) take.setAttribute("aria-disabled", "true");
    cancel.hidden = !busy && !taking;
    setText(take, busy ? step(taking) : words);
    setText(note, taking?.waits_for ? `The plate waits: ${taking.waits_for}.` : said);
  }

  function step(taking) {
    return taking?.left_s > 0 ? `Step out: ${Math.ceil(taking.left_s)}` : "Photographing the room…";
  }

  return ({ taking, plate_note, plate_parts }) => {
    setText(parts, describe(plate_parts ?? {}));
    said = plate_note ? plate_note[0].toUpperCase() + plate_note.slice(1) : explained;
    if (taking || !mine) show(taking ?? null);
  };
}

/** Say in words what the daemon counts of the plate in use. */
function describe({ trusted, grown, healed, moved_px: moved, age_s: age }) {
  if (trusted === undefined) return "";
  const said = [`${Math.round(trusted)} % of the room is known`];
  if (grown >= 0.5) said.push(`${Math.round(grown)} % was learned`);
  if (healed >= 0.5) said.push(`${Math.round(healed)} % healed`);
  if (moved >= 2) said.push(`aligned by ${Math.round(moved)} px`);
  if (age !== undefined) said.push(`taken ${ago(age)}`);
  return `${said.join(", ")}. Red is not trusted, green was learned.`;
}

function ago(seconds) {
  for (const [unit, length] of UNITS) {
    const count = Math.floor(seconds / length);
    if (count) return `${count} ${unit}${count > 1 ? "s" : ""} ago`;
  }
  return "just now";
}

/** Draw the plate into `canvas` while `details` is open and the page is seen. */
function startLook(details, canvas) {
  const pen = canvas.getContext("2d");
  async function look() {
    if (!details.open || document.hidden) return;
    try {
      const answer = await reach("/plate/picture");
      if (answer.status !== 204) {
        const picture = await createImageBitmap(await answer.blob());
        [canvas.width, canvas.height] = [picture.width, picture.height];
        pen.drawImage(picture, 0, 0);
        canvas.dataset.drawn = Number(canvas.dataset.drawn ?? 0) + 1;
        picture.close();
      }
    } catch {
      // the page says so elsewhere
    }
    setTimeout(look, LOOK);
  }
  details.addEventListener("toggle", look);
  document.addEventListener("visibilitychange", look);
}
