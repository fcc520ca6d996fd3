// mail-lib.mjs - what the suites of messages share: agents over HTTP, a mailbox as a stream,
// the Unix socket in both its forms.
import net from "node:net";
import { call, check, until } from "./lib.mjs";

export const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
export const acts = ["accept-proposal", "agree", "cancel", "cfp", "confirm", "disconfirm", "failure", "inform", "inform-if", "inform-ref",
  "not-understood", "propagate", "propose", "proxy", "query-if", "query-ref", "refuse", "reject-proposal", "request", "request-when",
  "request-whenever", "subscribe"];

// An external agent; what: its members.  Gives the agent.
export async function register(server, name, what = {}, headers = {}) {
  const r = await call(server, "POST", "/agents", { kind: "external", durable: false, ...(name ? { name } : {}), ...what }, headers);
  if (r.status !== 200) throw new Error(`register ${name}: ${r.status} ${r.text}`);
  return r.json;
}

export const send = (server, receiver, content, more = {}, headers = {}) =>
  call(server, "POST", "/messages", { performative: "inform", receiver, content, ...more }, headers);
export const sendAs = (server, agent, receiver, content, more = {}, headers = {}) =>
  call(server, "POST", `/agents/${agent}/messages`, { performative: "inform", receiver, content, ...more }, headers);

export async function poll(server, agent, { wait = 0, max = 100, query = "", headers = {} } = {}) {
  const r = await call(server, "GET", `/agents/${agent}/mailbox?wait=${wait}&max=${max}${query}`, undefined, headers);
  if (r.status !== 200) throw new Error(`poll ${agent}: ${r.status} ${r.text}`);
  return r.json;
}
export const contents = (messages) => messages.map((m) => m.content);
export const ack = (server, agent, ids, headers = {}) => call(server, "POST", `/agents/${agent}/mailbox/ack`, { message_ids: ids }, headers);

// A mailbox as a stream: .messages grows, .ids are those of its events; .next(n) waits until
// there are n; .close() leaves.
export async function stream(server, agent, { lastId, query = "", headers = {} } = {}) {
  const stop = new AbortController();
  const res = await fetch(`${server.url}/agents/${agent}/mailbox${query}`, { signal: stop.signal,
    headers: { accept: "text/event-stream", ...(lastId ? { "last-event-id": lastId } : {}), ...headers } });
  const s = { status: res.status, headers: res.headers, messages: [], ids: [], beats: 0, ended: false };
  s.close = () => stop.abort();
  if (res.status !== 200) { s.text = await res.text(); return s; }
  (async () => {
    let text = "";
    try {
      for await (const part of res.body.pipeThrough(new TextDecoderStream())) {
        text += part;
        for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
          const lines = text.slice(0, end).split("\n");
          text = text.slice(end + 2);
          if (lines[0].startsWith(":")) { s.beats++; continue; }
          const field = (name) => lines.find((l) => l.startsWith(`${name}: `))?.slice(name.length + 2);
          if (field("event") !== "message") s.odd = lines;
          s.ids.push(field("id"));
          s.messages.push(JSON.parse(field("data")));
        }
      }
    } catch { /* it was left */ }
    s.ended = true;
  })();
  s.next = (n) => until(() => s.messages.length >= n || s.ended, `${n} messages of ${agent}, got ${s.messages.length}`);
  return s;
}

// Several nodes: each knows of what is announced a moment after it was answered.  Sends to the
// address until every node (the proxy takes one after the other) has that answer in a row; what
// came is taken from the mailboxes of `agents`.
export async function known(server, address, is, agents = []) {
  let row = 0;
  await until(async () => (row = is(await send(server, address, "probe")) ? row + 1 : 0) >= Number(process.env.COHORT_TEST_CLUSTER ?? 1), `${address} known by all nodes`);
  for (const a of agents) await until(async () => (await poll(server, a)).length === 0 && (await call(server, "GET", `/agents/${a}`)).json.waiting === 0, `the probes of ${a}`);
}

// ---- the Unix socket --------------------------------------------------------------

class Line {
  encode(m) { return Buffer.from(JSON.stringify(m) + "\n"); }
  decode(buf) {
    const out = [];
    for (let end = buf.indexOf(10); end >= 0; end = buf.indexOf(10)) { out.push(JSON.parse(buf.subarray(0, end))); buf = buf.subarray(end + 1); }
    return [out, buf];
  }
}

// The packed form, as much of it as the suites need: see src/mail/acl_pack.c.
const tags = [[1, "message_id", "id"], [2, "created_at", "time"], [3, "delivery", "delivery"], [4, "sender"], [5, "receiver", "list"],
  [6, "reply_to"], [7, "protocol"], [8, "conversation_id"], [9, "reply_with"], [10, "in_reply_to"], [17, "content", "json"]];
function leb(n) { const out = []; while (n >= 0x80) { out.push((n & 0x7f) | 0x80); n = Math.floor(n / 128); } out.push(n); return Buffer.from(out); }
const param = (tag, bytes) => Buffer.concat([Buffer.from([tag]), leb(bytes.length), bytes]);
export function pack(m) {
  const parts = [Buffer.from([1, acts.indexOf(m.performative)])];
  for (const [tag, name, kind] of tags) {
    const v = m[name];
    if (v === undefined) continue;
    if (kind === "list") for (const r of [v].flat()) parts.push(param(tag, Buffer.from(r)));
    else if (kind === "json") parts.push(param(tag, Buffer.from(JSON.stringify(v))));
    else if (kind === "delivery") parts.push(param(tag, Buffer.from([(v.durable ? 1 : 0) | (v.receipt ? 2 : 0) | (v.priority ?? 0) << 2, v.max_retries ?? 0])));
    else if (kind === undefined) parts.push(param(tag, Buffer.from(v)));
    else throw new Error(`pack: ${name}`);
  }
  return Buffer.concat(parts);
}
export function unpack(buf) {
  const m = { performative: acts[buf[1]] };
  for (let at = 2; at < buf.length;) {
    const tag = buf[at++];
    let n = 0, shift = 0, b;
    do { b = buf[at++]; n += (b & 0x7f) * 2 ** shift; shift += 7; } while (b & 0x80);
    const v = buf.subarray(at, at + n), [, name, kind] = tags.find((t) => t[0] === tag) ?? [];
    at += n;
    if (name === undefined) continue;
    if (kind === "id") { const h = v.toString("hex"); m[name] = `${h.slice(0, 8)}-${h.slice(8, 12)}-${h.slice(12, 16)}-${h.slice(16, 20)}-${h.slice(20)}`; }
    else if (kind === "time") m[name] = new Date(Number(BigInt("0x" + (v.toString("hex") || "0")))).toISOString();
    else if (kind === "delivery") m[name] = { durable: (v[0] & 1) === 1 };
    else if (kind === "list") m[name] = name in m ? [m[name], v.toString()].flat() : v.toString();
    else m[name] = kind === "json" ? JSON.parse(v) : v.toString();
  }
  return m;
}
export const frame = (packed) => { const head = Buffer.alloc(4); head.writeUInt32BE(packed.length); return Buffer.concat([head, packed]); };

class Frames {
  encode(m) { return frame(pack(m)); }
  decode(buf) {
    const out = [];
    while (buf.length >= 4 && buf.length >= 4 + buf.readUInt32BE()) { const n = buf.readUInt32BE(); out.push(unpack(buf.subarray(4, 4 + n))); buf = buf.subarray(4 + n); }
    return [out, buf];
  }
}

// A connection; form: "json" or "binary".  .say(message), .write(bytes), .ask(content) gives
// the answer of ams, .next(n) waits for n messages that are no such answers.
export async function connect(path, form = "json") {
  const codec = form === "json" ? new Line() : new Frames();
  const socket = net.connect(path);
  await new Promise((ok, no) => { socket.on("connect", ok); socket.on("error", no); });
  const c = { socket, messages: [], answers: [], ended: false };
  let rest = Buffer.alloc(0), asked = 0;
  socket.on("data", (d) => {
    const [list, left] = codec.decode(Buffer.concat([rest, d]));
    rest = left;
    for (const m of list) (m.sender === "ams" && m.in_reply_to?.startsWith("ask-") ? c.answers : c.messages).push(m);
  });
  socket.on("error", () => {});
  socket.on("close", () => { c.ended = true; });
  c.write = (bytes) => socket.write(bytes);
  c.say = (m) => socket.write(codec.encode(m));
  c.ask = async (content) => {
    const id = `ask-${++asked}`;
    c.say({ performative: "request", receiver: ["ams"], reply_with: id, content });
    await until(() => c.ended || c.answers.some((a) => a.in_reply_to === id), `an answer to ${JSON.stringify(content)}`);
    return c.answers.find((a) => a.in_reply_to === id);
  };
  c.next = (n) => until(() => c.messages.length >= n || c.ended, `${n} messages, got ${JSON.stringify(c.messages)}`);
  c.end = () => until(() => c.ended, "the connection to end");
  c.close = () => { socket.destroy(); };
  return c;
}

// ---- books --------------------------------------------------------------------------

export function balanced(agent, what) {
  const b = agent.books;
  return check(b.sent === b.delivered + b.dead + b.expired + b.pending, `${what}: the books balance`, b);
}
