// The last two minutes, one point per second.

const SECONDS = 120;
const byId = (id) => document.getElementById(id);

/** Returns a function that takes each status. */
export function startGraphs() {
  const history = []; // [fps, p50, p99, drops per second], the newest last; null if unknown
  let dropped = null, second = null;

  function redraw() {
    const column = (i) => history.map((point) => point[i]);
    graph(byId("g-fps"), [column(0)], 10);
    graph(byId("g-latency"), [column(1), column(2)], 50);
    graph(byId("g-drops"), [column(3)], 4);
  }

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  addEventListener("resize", redraw);
  return (status) => {
    const now = Math.floor(status.uptime_s);
    if (now === second) return;
    second = now;
    const { p50 = null, p99 = null } = status.latency_ms ?? {};
    const total = status.counts?.dropped ?? 0;
    const drops = dropped === null ? null : Math.max(0, total - dropped);
    dropped = total;
    history.push([status.fps_out ?? null, p50, p99, drops]);
    if (history.length > SECONDS) history.shift();
    tell("fps", "g-fps", "Frame rate", `${(status.fps_out ?? 0).toFixed(1)} fps`);
    tell("latency", "g-latency", "Latency", p50 === null ? "–" : `${p50.toFixed(0)}, ${p99.toFixed(0)} ms`);
    tell("drops", "g-drops", "Drops per second", drops === null ? "–" : String(drops));
    if (!document.hidden) redraw();
  };
}

function tell(output, canvas, name, value) {
  byId(output).textContent = value;
  byId(canvas).setAttribute("aria-label", `${name} over two minutes, now ${value}`);
}

/** Draw lines over a common scale from 0 to a round number of at least `least`; the first one is filled. */
function graph(canvas, lines, least) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const scale = devicePixelRatio || 1, style = getComputedStyle(canvas);
  canvas.width = width * scale;
  canvas.height = height * scale;
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  const top = ceiling(Math.max(least, ...lines.flat()));
  const x = (i, count) => width - ((count - 1 - i) * width) / (SECONDS - 1);
  const y = (value) => height - 1 - (value / top) * (height - 16);
  grid(pen, style, width, y, top);
  lines.forEach((values, number) => {
    const points = values.map((value, i) => (value === null ? null : [x(i, values.length), y(value)])).filter(Boolean);
    if (!points.length) return;
    pen.strokeStyle = pen.fillStyle = style.getPropertyValue(number ? "--second" : "--accent");
    pen.beginPath();
    points.forEach((point) => pen.lineTo(...point));
    pen.lineWidth = 1.75;
    pen.lineJoin = "round";
    pen.stroke();
    if (number) return;
    pen.lineTo(points.at(-1)[0], height);
    pen.lineTo(points[0][0], height);
    pen.globalAlpha = 0.14;
    pen.fill();
    pen.globalAlpha = 1;
  });
}

function grid(pen, style, width, y, top) {
  pen.strokeStyle = style.getPropertyValue("--line");
  pen.fillStyle = style.getPropertyValue("--soft");
  pen.font = "11px system-ui, sans-serif";
  for (const value of [0, top / 2, top]) {
    pen.beginPath();
    pen.moveTo(0, Math.round(y(value)) + 0.5);
    pen.lineTo(width, Math.round(y(value)) + 0.5);
    pen.stroke();
  }
  pen.fillText(String(top), 0, y(top) - 4);
}

/** The next of 1, 2, 4, 5, 10, 20, 40, 50, … */
function ceiling(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 5, 10].find((step) => step * power >= value) * power;
}
