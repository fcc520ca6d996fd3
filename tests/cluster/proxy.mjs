// proxy.mjs - a proxy that gives each request to the next node, byte for byte.
//
// A request that is framed in the usual way (Content-Length, chunks, or no body) goes to
// the next node, and its answer comes back as it is; then the connection's next request
// goes to the node after that.  From anything else on (an upgrade, a broken request, an
// answer without a length) the connection is joined to one node until it ends: what is
// wrong with a request is for a node to say.
import net from "node:net";

const head = /^(?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) \S+ HTTP\/1\.1\r\n(?:[!#$%&'*+.^_`|~\w-]+:[^\r\n]*\r\n)*\r\n$/;
const field = (text, name) => [...text.matchAll(new RegExp(`^${name}:[ \\t]*([^\\r\\n]*?)[ \\t]*\\r$`, "gim"))].map((m) => m[1]);

// How a message's body is framed: a number of bytes, "chunked", or undefined: not usual.
function framing(text) {
  const lengths = field(text, "content-length"), codings = field(text, "transfer-encoding");
  if (lengths.length + codings.length > 1) return undefined;
  if (codings.length === 1) return codings[0].toLowerCase() === "chunked" ? "chunked" : undefined;
  if (lengths.length === 0) return 0;
  return /^\d{1,9}$/.test(lengths[0]) ? Number(lengths[0]) : undefined;
}

// Counts off one body: take(bytes) is how many of them belong to it; done when it is over.
function body(kind) {
  const b = { done: kind === 0, bad: false };
  let left = kind === "chunked" ? 0 : kind, line = "", last = false, state = "size";
  b.take = (bytes) => {
    let at = 0;
    if (kind !== "chunked") {
      at = Math.min(left, bytes.length);
      left -= at;
      b.done = left === 0;
      return at;
    }
    while (at < bytes.length && !b.done) {
      if (left > 0) { const n = Math.min(left, bytes.length - at); left -= n; at += n; continue; }
      line += String.fromCharCode(bytes[at++]);
      if (!line.endsWith("\r\n")) continue;
      if (state === "size") {
        const size = /^([0-9a-fA-F]{1,8})(?:;[^\r\n]*)?\r\n$/.exec(line);
        if (!size) { b.bad = true; return at; }
        left = parseInt(size[1], 16);
        last = left === 0;
        state = last ? "trailer" : "end";
      } else if (state === "end") state = "size";
      else if (line === "\r\n") b.done = true;
      line = "";
    }
    return at;
  };
  return b;
}

// addresses(): those that may be asked now, as [{host, port}].
export async function startProxy(port, addresses) {
  let turn = 0;
  const sockets = new Set();
  const keep = (s) => { sockets.add(s); s.on("close", () => sockets.delete(s)); s.on("error", () => {}); s.setNoDelay(true); return s; };

  function serve(client) {
    let waiting = Buffer.alloc(0), node, request, joined = false, over = false, half = false;
    const end = () => { over = true; client.destroy(); node?.destroy(); };

    // Connects to the next node; another one is tried when there is nobody.
    function connect(first, tries, ready) {
      const all = addresses();
      if (all.length === 0 || tries === 0) return end();
      const at = all[turn++ % all.length], s = keep(net.connect(at.port, at.host));
      node = s;
      s.once("connect", () => { s.connected = true; s.write(first); ready(s); });
      s.on("error", () => {
        if (over || node !== s) return;
        if (!s.connected) return connect(first, tries - 1, ready);
        over = true;                     // a reset is a reset
        client.resetAndDestroy();
      });
      s.on("close", () => { if (s.connected && node === s && !over) { over = true; client.end(); client.destroySoon(); } });
    }
    const flow = (from, to, bytes) => { if (!to.write(bytes)) { from.pause(); to.once("drain", () => from.resume()); } };

    // All bytes both ways, until one of them ends.
    function join(first) {
      joined = true;
      const both = (s) => { s.on("data", (d) => flow(s, client, d)); s.on("end", () => client.end()); if (half) s.end(); };
      if (node?.connected) { node.removeAllListeners("data"); node.write(first); both(node); } else connect(first, 3, both);
    }

    function answer(s, method) {
      let text = "", frame, expected;
      s.on("data", function next(d) {
        while (d.length > 0 && node === s) {
          if (frame === undefined) {
            const was = text.length;
            text += d.toString("latin1");
            const n = text.indexOf("\r\n\r\n");
            if (n < 0) { flow(s, client, d); return; }
            const used = n + 4 - was, h = text.slice(0, n + 4), status = Number(h.slice(9, 12));
            client.write(d.subarray(0, used));
            d = d.subarray(used);
            text = "";
            if (status === 101) { s.off("data", next); joined = true; s.on("data", (x) => flow(s, client, x)); s.on("end", () => client.end()); if (d.length > 0) client.write(d); if (waiting.length > 0) { s.write(waiting); waiting = Buffer.alloc(0); } return; }
            if (status < 200) continue;
            const none = method === "HEAD" || status === 204 || status === 304;
            expected = none ? 0 : framing(h);
            const sized = none || field(h, "content-length").length + field(h, "transfer-encoding").length === 1;
            frame = !sized || expected === undefined ? { take: (x) => x.length, done: false } : body(expected);
            frame.close = field(h, "connection").some((v) => /close/i.test(v));
          }
          if (!frame.done) {
            const n = frame.take(d);
            if (n > 0) flow(s, client, d.subarray(0, n));
            d = d.subarray(n);
          }
          if (frame.done) {
            // A body that the node did not wait for goes with its connection.
            const early = request !== undefined && !request.done;
            node = undefined;
            if (frame.close || early || half) { over = true; s.destroy(); client.end(); client.destroySoon(); return; }
            s.destroy();
            request = undefined;
            pump();
          }
        }
      });
    }

    function pump() {
      if (over) return;
      if (joined) { if (waiting.length > 0 && node?.connected) { const d = waiting; waiting = Buffer.alloc(0); flow(client, node, d); } return; }
      if (request !== undefined) {
        if (request.done || waiting.length === 0 || !node?.connected) return;
        const n = request.take(waiting), d = waiting.subarray(0, n);
        waiting = waiting.subarray(n);
        flow(client, node, d);
        if (half && !request.done) node.end();
        return;
      }
      if (waiting.length === 0) { if (half) end(); return; }
      const n = waiting.indexOf("\r\n\r\n");
      if (n < 0 && waiting.length < 16384 && !half && !/\n\n|^[^A-Z]/.test(waiting.toString("latin1"))) {
        // A head that never comes whole is for a node to wait for.
        client.slow ??= setTimeout(() => { if (!joined && request === undefined && !over && waiting.length > 0) { const d = waiting; waiting = Buffer.alloc(0); join(d); } }, 200);
        return;
      }
      clearTimeout(client.slow);
      client.slow = undefined;
      const h = n < 0 ? "" : waiting.subarray(0, n + 4).toString("latin1"), kind = n < 0 ? undefined : framing(h);
      const usual = head.test(h) && kind !== undefined && !/^(?:upgrade|expect):/im.test(h);
      if (!usual) { const d = waiting; waiting = Buffer.alloc(0); return join(d); }
      const first = waiting.subarray(0, n + 4);
      waiting = waiting.subarray(n + 4);
      request = body(kind);
      connect(first, 3, (s) => { answer(s, h.slice(0, h.indexOf(" "))); pump(); if (half && request?.done && node === s) s.end(); });
    }

    client.on("data", (d) => { waiting = waiting.length === 0 ? d : Buffer.concat([waiting, d]); pump(); });
    client.on("end", () => {
      half = true;
      if (joined) { if (node?.connected) node.end(); } else if (request === undefined) pump();
      else if (node?.connected && waiting.length === 0) node.end();
    });
    client.on("close", () => { clearTimeout(client.slow); over = true; node?.destroy(); });
  }

  const server = net.createServer({ allowHalfOpen: true }, (c) => serve(keep(c)));
  await new Promise((r, e) => { server.on("error", e); server.listen(port, "127.0.0.1", r); });
  return { port, url: `http://127.0.0.1:${port}`, close: () => { for (const s of sockets) s.destroy(); return new Promise((r) => server.close(r)); } };
}
