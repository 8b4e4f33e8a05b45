// The backdrops: those of the folder, those that are always there, and uploads.

import { ask, reach, upload } from "./daemon.js";

const MOST = 64 * 2 ** 20; // bytes; the daemon refuses more

/** Fill `tiles` and keep them up to date. `act` runs an action and shows its outcome. Returns {refresh, mark}. */
export function startGallery(tiles, act, { say, trouble }) {
  const color = document.getElementById("color"), shade = document.getElementById("shade");
  let shown = null, known = "";

  const choose = (spec) => act((sure) => ask("/backdrop", { spec, ...sure }));
  const choices = () => tiles.querySelectorAll(".tile");

  function tile(file) {
    const button = document.createElement("button");
    const picture = document.createElement("img");
    const name = document.createElement("b");
    button.type = "button";
    button.className = "tile";
    button.title = file.name;
    button.dataset.spec = file.spec;
    button.dataset.kind = file.kind;
    picture.alt = "";
    picture.dataset.address = file.thumbnail;
    comingIntoView.observe(picture);
    name.textContent = file.name.replace(/\.[^.]+$/, "");
    button.append(picture, name);
    return button;
  }

  async function refresh() {
    let files;
    try {
      files = await (await reach("/backdrops")).json();
    } catch (error) {
      return trouble(error.message);
    }
    if (known === JSON.stringify(files)) return;
    known = JSON.stringify(files);
    tiles.querySelectorAll("[data-kind]").forEach((old) => old.remove());
    tiles.prepend(...files.map(tile));
    mark(shown);
  }

  /** Mark the tile of the current backdrop as pressed. */
  function mark(spec) {
    if (spec === null) return;
    shown = spec;
    const chosen = /^color:(#[0-9a-f]{6})$/i.exec(spec)?.[1];
    if (chosen && document.activeElement !== shade) shade.value = chosen.toLowerCase();
    color.style.setProperty("--shade", shade.value);
    for (const each of choices()) {
      const its = each === color ? Boolean(chosen) : each.dataset.spec === spec.replace(/^blur:.*/, "blur");
      each.setAttribute("aria-pressed", its);
    }
  }

  async function send(file) {
    const progress = document.getElementById("progress");
    if (file.size > MOST) {
      const size = Math.ceil(file.size / 2 ** 20);
      return trouble(`${file.name} has ${size} MB, more than the 64 that this page sends; copy it to the backdrop folder`);
    }
    progress.value = 0;
    progress.hidden = false;
    try {
      say((await upload(file, (share) => (progress.value = share))).message);
      await refresh();
    } catch (error) {
      trouble(error.message);
    } finally {
      progress.hidden = true;
    }
  }

  async function sendAll(files) {
    for (const file of files) await send(file);
  }

  tiles.addEventListener("click", (event) => {
    const spec = event.target.closest(".tile")?.dataset.spec;
    if (spec) choose(spec);
  });
  color.addEventListener("click", () => choose(`color:${shade.value}`));
  shade.addEventListener("change", () => choose(`color:${shade.value}`));
  takeFiles(sendAll);
  document.addEventListener("visibilitychange", () => document.hidden || refresh());
  refresh();
  return { refresh, mark };
}

// Fetched, because an <img> sends no header, and only once they can be seen: a folder may hold hundreds.
const comingIntoView = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      comingIntoView.unobserve(target);
      showThumbnail(target);
    }
  },
  { rootMargin: "300px" },
);

async function showThumbnail(picture) {
  try {
    picture.src = URL.createObjectURL(await (await reach(picture.dataset.address)).blob());
    picture.onload = () => URL.revokeObjectURL(picture.src);
  } catch {
    // the tile keeps its name
  }
}

/** Files from the button, or dropped anywhere on the page. */
function takeFiles(sendAll) {
  const file = document.getElementById("file");
  const dropping = (on) => document.body.classList.toggle("dropping", on);
  document.getElementById("upload").addEventListener("click", () => file.click());
  file.addEventListener("change", async () => {
    await sendAll([...file.files]);
    file.value = "";
  });
  document.addEventListener("dragover", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault(); // or the browser would leave the page and open the file
    dropping(true);
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget || dropping(false));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    dropping(false);
    sendAll([...event.dataTransfer.files]);
  });
}
