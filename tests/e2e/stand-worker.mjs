// stand-worker.mjs - a worker that is written here: no langgraph, only the wire, over raw
// fetch.  Each kind of task is a function of the test.
//
//   const w = await standWorker(server, { graphs: [...] }, { run: async (t) => {...} });
//   t.saver({op, ...}), t.events([...]), t.end({...}), t.store([...]): one call each
import { call } from "./lib.mjs";

export class StandWorker {
  constructor(server, body, handlers, key) {
    Object.assign(this, { server, body, handlers, key, stopped: false, tasks: [], errors: [] });
  }
  headers(token) {
    return { ...(this.key ? { "x-api-key": this.key } : {}), ...(token ? { "x-task-token": token } : {}) };
  }
  post(target, body, token) { return call(this.server, "POST", target, body, this.headers(token)); }
  async register() {
    const got = await this.post("/workers", { name: "stand", build: "b1", lang: "test", protocol: 1,
      slots: { run: 4, node: 4 }, ...this.body });
    if (got.status === 200) this.id = got.json.worker_id;
    return got;
  }
  async task(t) {
    const one = (verb) => (body) => this.post(`/tasks/${t.task_id}/${verb}`, body, t.token);
    Object.assign(t, { saver: one("saver"), end: one("end"), store: (ops) => one("store")({ ops }),
      events: (events) => one("events")({ events }) });
    this.tasks.push(t);
    try { await this.handlers[t.kind](t); } catch (e) { this.errors.push(e); }
  }
  async poll() {
    while (!this.stopped) {
      let got;
      try { got = await this.post(`/workers/${this.id}/poll`, { free: { run: 4, node: 4 } }); } catch { return; }
      if (got.status !== 200) return;
      for (const t of got.json.tasks ?? []) void this.task(t);
    }
  }
  async leave() {
    this.stopped = true;
    const got = await this.post(`/workers/${this.id}/leave`, {});
    await this.polling;
    return got;
  }
}

export async function standWorker(server, body, handlers = {}, key = undefined) {
  const w = new StandWorker(server, body, handlers, key);
  const got = await w.register();
  if (got.status !== 200) throw new Error(`register: ${got.status} ${got.text}`);
  w.polling = w.poll();
  return w;
}

const b64 = (x) => ({ type: "json", text: JSON.stringify(x) });

// A put as langgraph's saver makes it, of plain values.
export function putOf(ns, id, parent, values, { step = 0, source = "loop", gone = [], all = values } = {}) {
  const versions = Object.fromEntries(Object.keys(all).map((k) => [k, String(step + 2)]));
  return { op: "put", ns, id, ...(parent ? { parent_id: parent } : {}), checkpoint: b64({ id, v: 4 }),
    metadata: b64({ source, step, parents: {} }), versions,
    blobs: Object.entries(values).map(([channel, v]) => ({ channel, version: versions[channel], ...b64(v) })),
    view: { values, gone, source, step, created_at: new Date().toISOString() } };
}

// Checkpoint ids that grow as text, uuid v6 in form.
let tick = Date.now();
export function checkpointId() {
  const hex = (++tick).toString(16).padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}-6000-8000-${Math.floor(Math.random() * 2 ** 48).toString(16).padStart(12, "0")}`;
}
