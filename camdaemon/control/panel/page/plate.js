// Taking the plate: the countdown, what it waits for, and its end.

import { ask } from "./daemon.js";
import { setText } from "./seen.js";

const byId = (id) => document.getElementById(id);

/** Let the buttons take and cancel. `act` runs an action and shows its outcome. Returns what takes each status. */
export function startPlate(act, say) {
  const take = byId("take"), cancel = byId("cancel"), note = byId("plate-note");
  const words = take.textContent, explained = note.textContent;
  let said = explained; // of the plate in use
  let mine = false; // this page has asked for a plate, and waits for the answer

  take.addEventListener("click", async () => {
    if (mine) return;
    const countdown = Number(document.querySelector("[name=countdown]:checked").value);
    mine = true;
    say(`Step out of the picture, ${countdown} seconds.`);
    show({ by: "you", left_s: countdown, waits_for: "" });
    await act(() => ask("/plate", { countdown }));
    mine = false;
    show(null);
  });
  cancel.addEventListener("click", () => act(() => ask("/plate/cancel")));

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

  return ({ taking, plate_note }) => {
    said = plate_note ? plate_note[0].toUpperCase() + plate_note.slice(1) : explained;
    if (taking || !mine) show(taking ?? null);
  };
}
