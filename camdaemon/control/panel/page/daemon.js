// Talking to camdaemon. Every failure is an Error whose message is a sentence for people.

const GONE = "camdaemon does not answer. If it was stopped, run: camdaemon run, then: camdaemon panel";

// A header, not a cookie: a browser would send a cookie of 127.0.0.1 to every port there.
const HEADERS = {
  Authorization: `Bearer ${sessionStorage.getItem("session") ?? ""}`,
  "Panel-Page": crypto.randomUUID(), // to tell this page from others in what they are told
};
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** POST `body` to a command; resolves to its answer, {message}. */
export async function ask(path, body = {}) {
  const answer = await reach(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  return answer.json();
}

/** fetch, but throws for an answer that is an error. */
export async function reach(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { ...options, headers: { ...HEADERS, ...options.headers } });
  } catch (error) {
    throw error.name === "AbortError" ? error : new Error(GONE);
  }
  if (!answer.ok) throw Object.assign(new Error(sentence(await answer.text())), { status: answer.status });
  return answer;
}

/** Send a file; `progress` is called with 0..1. Resolves to {message, name}. */
export function upload(file, progress) {
  const request = new XMLHttpRequest(); // fetch has no progress of what was sent
  return new Promise((resolve, reject) => {
    request.upload.onprogress = (event) => progress(event.loaded / (event.total || 1));
    request.onerror = () => reject(new Error(`${file.name} could not be sent; ${GONE}`));
    request.onload = () =>
      request.status === 200
        ? resolve(JSON.parse(request.responseText))
        : reject(new Error(sentence(request.responseText)));
    request.open("POST", `/backdrops?name=${encodeURIComponent(file.name)}`);
    for (const [name, value] of Object.entries(HEADERS)) request.setRequestHeader(name, value);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.send(file);
  });
}

/**
 * Call `status` twice a second, `others` with what other pages do, `trouble` with a sentence, `gone` with whether the
 * daemon does not answer, and `ended`, as the last one, with the sentence of a session that has ended.
 */
export async function listen({ status, others, trouble, gone, ended }) {
  const handle = { message: status, others, error: ({ error }) => trouble(error) };
  for (;;) {
    const stop = new AbortController();
    let silence;
    const wait = () => {
      clearTimeout(silence);
      silence = setTimeout(() => stop.abort(), 5000); // a frozen daemon does not close the connection
    };
    wait();
    try {
      for await (const { kind, data } of events(stop.signal)) {
        wait();
        gone(false);
        handle[kind]?.(data);
      }
    } catch (error) {
      if (error.status === 403) return ended(error.message);
    } finally {
      clearTimeout(silence);
      stop.abort();
    }
    gone(true);
    await pause(3000);
  }
}

/** The server-sent events of /events, as {kind, data}. EventSource cannot send a header. */
async function* events(signal) {
  const { body } = await reach("/events", { signal });
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const whole = (text + value).split("\n\n");
    text = whole.pop();
    for (const event of whole) {
      const fields = Object.fromEntries(event.split("\n").map((line) => line.split(/: (.*)/s, 2)));
      yield { kind: fields.event ?? "message", data: JSON.parse(fields.data) };
    }
  }
}

function sentence(text) {
  try {
    return JSON.parse(text).error ?? text;
  } catch {
    return text.trim();
  }
}
