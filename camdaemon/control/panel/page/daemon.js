// Talking to camdaemon. Every failure is an Error whose message is a sentence for people.

const GONE = "camdaemon does not answer. If it was stopped, run: camdaemon run, then: camdaemon panel";

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
    answer = await fetch(path, options);
  } catch (error) {
    throw error.name === "AbortError" ? error : new Error(GONE);
  }
  if (!answer.ok) throw new Error(sentence(await answer.text()));
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
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.send(file);
  });
}

/** Call `status` once a second, `trouble` with a sentence, `gone` with whether the daemon does not answer. */
export function listen({ status, trouble, gone }) {
  let source, silence;
  const away = () => {
    gone(true);
    clearTimeout(silence);
    silence = setTimeout(connect, 3000); // not every browser reconnects
  };
  const connect = () => {
    source?.close();
    source = new EventSource("/events");
    source.onmessage = (event) => {
      clearTimeout(silence);
      silence = setTimeout(away, 5000); // a frozen daemon does not close the connection
      gone(false);
      status(JSON.parse(event.data));
    };
    source.onerror = (event) => (event.data ? trouble(sentence(event.data)) : away());
  };
  connect();
}

function sentence(text) {
  try {
    return JSON.parse(text).error ?? text;
  } catch {
    return text.trim();
  }
}
