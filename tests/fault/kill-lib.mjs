// kill-lib.mjs - a server that is killed under load, and choices that follow from a seed.
import { call, startServer } from "../e2e/lib.mjs";

// mulberry32: numbers of 32 bits
export function numbers(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  };
}
export function random(seed) {
  const next = numbers(seed);
  return (n) => next() % n;
}
export const pause = (ms) => new Promise((r) => setTimeout(r, ms));
const hex = (n, digits) => n.toString(16).padStart(digits, "0");
// Message n of a sender (0 to 4095).
export const messageId = (sender, n) => `01890000-0000-7000-8${hex(sender, 3)}-${hex(n, 12)}`;

// options: of startServer, with a port.  start() and kill() end when it serves.
export function killable(options) {
  let up;
  const k = { server: undefined, starts: [] };
  k.start = async () => {
    k.server = await startServer(options);
    k.starts.push(k.server.startMs);
  };
  k.kill = () => {
    k.server.dying = true;
    up = k.server.stop("SIGKILL").then(k.start);
    return up;
  };
  // What the server answers; undefined when it dies meanwhile, after it is up again.
  k.ask = async (method, target, body) => {
    const to = k.server;
    try {
      const r = await call(to, method, target, body);
      if (r.status !== 503) return r;
    } catch (e) {
      if (to === k.server && to.exit === null && !to.dying) throw e;
    }
    await up;
    return undefined;
  };
  // Its JSON, asked for until there is an answer.
  k.must = async (method, target, body) => {
    for (;;) {
      const r = await k.ask(method, target, body);
      if (r === undefined) continue;
      if (r.status >= 300) throw new Error(`${method} ${target}: ${r.status} ${r.text}`);
      return r.json;
    }
  };
  // Of its messages, by what became of them.
  k.books = async () => {
    const { text } = await call(k.server, "GET", "/metrics");
    const value = (name) => Number(new RegExp(`^cohort_mail_${name} (\\d+)`, "m").exec(text)[1]);
    return { sent: value("sent_total"), delivered: value("delivered_total"), dead: value("dead"), expired: value("expired_total"), pending: value("pending") };
  };
  return k;
}
