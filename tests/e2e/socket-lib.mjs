// socket-lib.mjs - a WebSocket client of the thread protocol: commands with their
// answers, events as they come, and raw frames for what no library would send.
import net from "node:net";
import WebSocket from "ws";
import { check, until } from "./lib.mjs";

export { WebSocket };

export const target = (server, thread) => `ws://127.0.0.1:${server.port}/threads/${thread}/stream/events`;

// Opens; rejects with {code, reason} when it is closed before, or {status} of HTTP.
export function dial(server, thread, { headers = {}, protocols = [], path = "" } = {}) {
  const w = new WebSocket(target(server, thread) + path, protocols, { headers });
  const s = { w, frames: [], events: [], answers: new Map(), errors: [], closed: null, next: 0, pings: 0 };
  w.on("message", (data, binary) => {
    const m = JSON.parse(String(data));
    if (binary) check(false, "a binary frame");
    s.frames.push(m);
    if (m.type === "event") s.events.push(m);
    else if (m.id === null) s.errors.push(m);
    else s.answers.set(m.id, m);
  });
  w.on("ping", () => { s.pings++; });
  s.over = new Promise((resolve) => {
    w.on("close", (code, reason) => resolve(s.closed ??= { code, reason: String(reason) }));
    w.on("unexpected-response", (q, r) => { r.resume(); q.destroy(); resolve(s.closed ??= { status: r.statusCode, headers: r.headers }); });
    w.on("error", () => {});
  });
  s.send = (text) => w.send(typeof text === "string" || Buffer.isBuffer(text) ? text : JSON.stringify(text));
  // How it was closed, which must happen.
  Object.defineProperty(s, "end", { get: () => until(() => s.closed, "the socket's end") });
  s.command = async (method, params) => {
    const id = ++s.next;
    s.send({ id, method, params });
    return until(() => s.answers.get(id) ?? (s.closed && { type: "closed", ...s.closed }), `answer to ${method}`);
  };
  s.ok = async (method, params) => {
    const a = await s.command(method, params);
    check(a.type === "success", `${method} succeeds`, a);
    return { ...a.result, applied: a.meta?.applied_through_seq };
  };
  s.root = (event, run) => s.events.find((e) => e.method === "lifecycle" && e.params.namespace.length === 0 && e.params.data.event === event && (!run || e.event_id.startsWith(`synth:${run}:`)));
  s.until = (event, run) => until(() => s.root(event, run), `${event} of ${run}`);
  s.close = async () => { w.close(); return s.end; };
  s.opened = new Promise((resolve) => { w.on("open", () => resolve(s)); s.over.then(() => resolve(s)); });
  return s.opened;
}

// The handshake by hand, then bytes; collects what comes.
export function rawSocket(server, thread, { headers = "" } = {}) {
  const socket = net.connect(server.port, "127.0.0.1"), s = { socket, got: Buffer.alloc(0), ended: false };
  socket.on("data", (d) => { s.got = Buffer.concat([s.got, d]); });
  socket.on("close", () => { s.ended = true; });
  socket.on("error", () => { s.ended = true; });
  socket.write(`GET /threads/${thread}/stream/events HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${headers}\r\n`);
  // The code of the close frame that ends it.
  s.code = async () => {
    await until(() => s.ended, "the end");
    const at = s.got.lastIndexOf(0x88);
    return at >= 0 && s.got.length >= at + 4 ? s.got.readUInt16BE(at + 2) : null;
  };
  return new Promise((resolve) => socket.once("data", () => resolve(s)));
}

// A client's frame: opcode with FIN, masked.
export function frame(first, payload, { masked = true } = {}) {
  const data = Buffer.from(payload), mask = [1, 2, 3, 4], bit = masked ? 0x80 : 0;
  const head = data.length < 126 ? [first, bit | data.length] : [first, bit | 126, data.length >> 8, data.length & 255];
  if (masked) for (let i = 0; i < data.length; i++) data[i] ^= mask[i % 4];
  return Buffer.concat([Buffer.from([...head, ...(masked ? mask : [])]), data]);
}
