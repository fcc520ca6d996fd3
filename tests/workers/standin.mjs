// standin.mjs - the server's side of the worker wire in memory, as small as can be: what
// the clients are tried against where a test must cut connections, answer late or refuse,
// which the real server does not do when asked.  Never a measure of the server itself.
import http from "node:http";

const byOrder = (a, b) => (a.task_path !== b.task_path ? Buffer.compare(Buffer.from(a.task_path), Buffer.from(b.task_path))
  : a.task_id !== b.task_id ? Buffer.compare(Buffer.from(a.task_id), Buffer.from(b.task_id)) : a.idx - b.idx);

// Checkpoints of many threads, opaque.
export class Rows {
  threads = new Map();

  #of(thread) {
    if (!this.threads.has(thread)) this.threads.set(thread, { points: new Map(), blobs: new Map(), writes: new Map() });
    return this.threads.get(thread);
  }

  #found(thread, point) {
    const rows = this.#of(thread);
    const blobs = Object.entries(point.versions).flatMap(([c, v]) => rows.blobs.get(JSON.stringify([point.ns, c, v])) ?? []);
    const writes = [...(rows.writes.get(JSON.stringify([point.ns, point.id])) ?? new Map()).values()].sort(byOrder);
    const { ns, id, parent_id, checkpoint, metadata } = point;
    return { thread_id: thread, ns, id, ...(parent_id && { parent_id }), checkpoint, metadata, blobs, writes };
  }

  #list(threads, { ns, before, limit = 100, filter }) {
    const items = threads.flatMap((t) => [...this.#of(t).points.values()].map((p) => [t, p]))
      .filter(([, p]) => (ns === undefined || p.ns === ns) && (before === undefined || p.id < before))
      .filter(([, p]) => Object.entries(filter ?? {}).every(([k, v]) => JSON.stringify(JSON.parse(p.metadata.text)[k]) === JSON.stringify(v)))
      .sort((a, b) => (a[1].id < b[1].id ? 1 : -1));
    const part = items.slice(0, limit).map(([t, p]) => this.#found(t, p));
    return { items: part, ...(items.length > limit && { next: part.at(-1).id }) };
  }

  op(thread, body) {
    const t = body.thread_id ?? thread;
    switch (body.op) {
    case "get": {
      const all = t === undefined || !this.threads.has(t) ? [] : [...this.#of(t).points.values()].filter((p) => p.ns === body.ns && (!body.id || p.id === body.id));
      return { found: all.length > 0 ? this.#found(t, all.reduce((a, b) => (a.id > b.id ? a : b))) : null };
    }
    case "list": return this.#list(t === undefined ? [...this.threads.keys()] : this.threads.has(t) ? [t] : [], body);
    case "put": {
      const rows = this.#of(t);
      rows.points.set(JSON.stringify([body.ns, body.id]), body);
      for (const b of body.blobs) rows.blobs.set(JSON.stringify([body.ns, b.channel, b.version]), b);
      return {};
    }
    case "writes":
      for (const g of body.groups) {
        const rows = this.#of(t), key = JSON.stringify([g.ns, g.id]);
        if (!rows.writes.has(key)) rows.writes.set(key, new Map());
        for (const w of g.writes) {
          const at = JSON.stringify([g.task_id, w.idx]);
          if (w.idx < 0 || !rows.writes.get(key).has(at)) rows.writes.get(key).set(at, { task_id: g.task_id, task_path: g.task_path, ...w });
        }
      }
      return {};
    case "delete_thread": this.threads.delete(t); return {};
    default: throw new Error(`saver op ${body.op}`);
    }
  }
}

/**
 * A server of tasks.  `answer(verb, task, body)` may return an answer of its own, e.g.
 * {status: 409, body}, or "cut" to drop the connection.  All that came is in `log`.
 */
export async function standin({ answer = () => undefined, rows = new Rows(), pollS = 5, beatS = 1, leaseS = 4, listen = 0 } = {}) {
  const tasks = new Map(), waiting = [], log = [], items = new Map();
  const s = { rows, log, workers: [], quiet: false, cancels: [], polls: 0, parting: [] };
  let asking;
  const flush = () => {
    if (!asking || (waiting.length === 0 && !s.quiet && s.cancels.length === 0)) return;
    const { reply, free } = asking;
    const left = { ...free }, out = waiting.filter((t) => left[t.kind === "run" ? "run" : "node"]-- > 0);
    for (const t of out) waiting.splice(waiting.indexOf(t), 1);
    if (out.length === 0 && !s.quiet && s.cancels.length === 0) return;
    asking = undefined;
    reply(200, { tasks: out, quiet: s.quiet, cancel: s.cancels.splice(0) });
  };
  // parting: it is on its way to the poll that waits when the next one comes.
  s.give = (task, { parting = false } = {}) => {
    const full = { task_id: `t${tasks.size + 1}`, token: `tok${tasks.size + 1}`, attempt: 1, again: false, config: { configurable: { thread_id: task.thread_id, checkpoint_ns: "" } }, context: {}, durability: "async", ...task };
    const t = { ...full, events: [], calls: [] };
    t.ended = new Promise((r) => { t.end = r; });
    tasks.set(full.task_id, t);
    (parting ? s.parting : waiting).push(full);
    flush();
    return t;
  };
  s.cancel = (task) => { s.cancels.push({ task_id: task.task_id, reason: "asked" }); flush(); };
  s.drain = () => { s.quiet = true; flush(); };
  const storeOp = (o) => {
    const key = JSON.stringify([o.namespace, o.key]), now = new Date().toISOString();
    if (o.op === "get") return items.get(key) ?? null;
    if (o.op === "put") { if (o.value === null) items.delete(key); else items.set(key, { namespace: o.namespace, key: o.key, value: o.value, created_at: now, updated_at: now }); return null; }
    if (o.op === "search") return [...items.values()].filter((i) => o.namespace.every((p, n) => i.namespace[n] === p)).slice(o.offset ?? 0, (o.offset ?? 0) + (o.limit ?? 10));
    return [...new Set([...items.values()].map((i) => JSON.stringify(i.namespace)))].map((n) => JSON.parse(n));
  };
  const onTask = (id, verb, token, body, reply) => {
    const task = tasks.get(id);
    if (id !== "test" && (!task || task.token !== token || task.over)) return reply(409, { detail: "not yours", reason: "lost_lease" });
    const own = answer(verb, task, body);
    if (own === "cut") return reply(0);
    if (own) return reply(own.status, own.body, own.headers);
    task?.calls.push(verb);
    if (verb === "events") { for (const e of body.events) if (e.n > (task.last ?? 0)) { task.last = e.n; task.events.push(e); } return reply(200, {}); }
    if (verb === "saver") return reply(200, rows.op(task?.thread_id, body));
    if (verb === "store") return reply(200, { results: body.ops.map(storeOp) });
    task.end(body);
    return reply(200, {});
  };
  const server = http.createServer((req, res) => {
    const parts = [];
    req.on("data", (d) => parts.push(d));
    req.on("end", () => {
      const body = JSON.parse(Buffer.concat(parts).toString() || "{}"), [, room, id, verb] = req.url.split("/");
      const reply = (status, out, headers = {}) => {
        if (status === 0) { res.destroy(); return; }
        res.writeHead(status, { "content-type": "application/json", ...headers });
        res.end(JSON.stringify({ now: Date.now(), ...out }));
      };
      log.push({ url: req.url, body, key: req.headers["x-api-key"] });
      if (room === "workers" && id === undefined) {
        const own = answer("register", undefined, body);
        if (own) return reply(own.status, own.body);
        s.workers.push(body);
        return reply(200, { worker_id: `w${s.workers.length}`, beat_s: beatS, lease_s: leaseS, poll_s: pollS });
      }
      if (room === "workers" && verb === "poll") {
        s.polls++;
        if (id !== `w${s.workers.length}`) return reply(404, { detail: "who?", reason: "unknown_worker" });
        const own = answer("poll", undefined, body);
        if (own === "cut") return reply(0);
        if (own) return reply(own.status, own.body);
        asking?.reply(200, { tasks: s.parting.splice(0), quiet: s.quiet, cancel: [] });
        asking = { reply, free: body.free };
        const mine = asking;
        setTimeout(() => { if (asking === mine) { asking = undefined; reply(200, { tasks: [], quiet: s.quiet, cancel: [] }); } }, pollS * 1000).unref();
        return flush();
      }
      if (room === "workers") { s.left = true; return reply(200, {}); }
      return onTask(id, verb, req.headers["x-task-token"], body, reply);
    });
  });
  await new Promise((r) => server.listen(listen, typeof listen === "number" ? "127.0.0.1" : undefined, r));
  s.url = typeof listen === "number" ? `http://127.0.0.1:${server.address().port}` : `unix:${listen}`;
  s.close = () => { server.closeAllConnections(); return new Promise((r) => server.close(r)); };
  return s;
}
