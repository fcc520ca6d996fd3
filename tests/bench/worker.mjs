// worker.mjs [WHAT...] - what a graph in a worker costs beyond the graph itself.
//   first   the time to the first word: the graph in its own process, and through Cohort
//   flood   200 tasks that say 50 words a second each, read by 200 clients: CPU of Cohort
//           an event; one event a request, and five.  It says how many requests were late,
//           how busy its own threads were, and whether it kept up with the rate
//   saver   get and writes alone and with 50 at once: CPU of Cohort, and what one takes
// All without a WHAT.  Measure with a release build on a quiet machine:
//   COHORT=build-release/cohort node tests/bench/worker.mjs
import { execFileSync, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { Worker, isMainThread, parentPort, workerData } from "node:worker_threads";
import { call, freePort, repo, startServer, until } from "../e2e/lib.mjs";

const TICK_US = 10000, TASKS = 200, RATE = 50, SECONDS = 10;
const pause = (ms) => new Promise((r) => setTimeout(r, ms));
const cpu = (pid) => {
  const f = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(f[11]) + Number(f[12])) * TICK_US;
};
const at = (list, p) => list.sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * p))];
const say = (name, figure, gate, ok) => console.log(`${ok === undefined ? "      " : ok ? "ok    " : "MISSED"} ${name}: ${figure}${gate ? ` (gate ${gate})` : ""}`);

// ---- a connection that says one request after the other ------------------------------------

class Connection {
  #rest = Buffer.alloc(0); #waits;
  constructor(port) {
    this.socket = net.connect(port, "127.0.0.1");
    this.socket.setNoDelay(true);
    this.socket.on("data", (d) => {
      this.#rest = this.#rest.length ? Buffer.concat([this.#rest, d]) : d;
      const head = this.#rest.indexOf("\r\n\r\n");
      if (head < 0) return;
      const text = this.#rest.toString("latin1", 0, head), size = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
      if (this.#rest.length < head + 4 + size) return;
      const body = this.#rest.toString("utf8", head + 4, head + 4 + size), waits = this.#waits;
      this.#rest = this.#rest.subarray(head + 4 + size);
      waits({ status: Number(text.slice(9, 12)), text: body });
    });
    this.socket.on("error", () => {});
  }
  raw(bytes) { return new Promise((r) => { this.#waits = r; this.socket.write(bytes); }); }
  bytes(target, body, token) {
    return `POST ${target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${token ? `X-Task-Token: ${token}\r\n` : ""}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  }
  async post(target, body, token) {
    const r = await this.raw(this.bytes(target, JSON.stringify(body), token));
    if (r.status !== 200) throw new Error(`${target}: ${r.status} ${r.text}`);
    return JSON.parse(r.text);
  }
  end() { this.socket.destroy(); }
}

// ---- a worker without a graph ----------------------------------------------------------------

class Standin {
  tasks = [];
  constructor(server) { this.server = server; this.way = new Connection(server.port); }
  async open(id, runs) {
    this.id = (await this.way.post("/workers", { name: "standin", build: "1", lang: "none", protocol: 1, slots: { run: runs, node: 1 }, runs: [], nodes: [], tools: [],
      graphs: [{ id, schemas: { input: {}, output: {}, state: {}, config: {}, context: {} }, drawing: { nodes: [], edges: [] } }] })).worker_id;
    this.free = runs;
    return this;
  }
  // Until it has so many tasks.
  async take(n) {
    while (this.tasks.length < n) {
      const { tasks } = await this.way.post(`/workers/${this.id}/poll`, { free: { run: this.free, node: 1 } });
      this.tasks.push(...tasks);
      this.free -= tasks.length;
    }
  }
  // Keeps polling, so that it is seen to live.
  idle() { (async () => { while (!this.over) await this.way.post(`/workers/${this.id}/poll`, { free: { run: this.free, node: 1 } }).catch(() => { this.over = true; }); })(); }
}

// ---- first -----------------------------------------------------------------------------------

const project = path.join(repo, "tests", "workers"), program = path.join(project, "bench-worker.mjs");
const env = (more) => ({ PATH: process.env.PATH, HOME: process.env.HOME, COHORT_PROJECT: project, ...more });

function firstWord(server, body) {
  return new Promise((resolve, reject) => {
    const text = JSON.stringify(body), s = net.connect(server.port, "127.0.0.1");
    let began, first, got = "";
    s.setNoDelay(true);
    s.on("connect", () => { began = performance.now(); s.write(`POST /threads/${randomUUID()}/runs/stream HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${text.length}\r\n\r\n${text}`); });
    s.on("data", (d) => { if (first !== undefined) return; got += d; if (/event: messages/.test(got)) first = performance.now() - began; });
    s.on("close", () => (first === undefined ? reject(new Error(`no word came: ${got}`)) : resolve(first)));
    s.on("error", reject);
  });
}

async function served(server, how) {
  const child = spawn(process.execPath, [program], { stdio: ["ignore", "ignore", "inherit"], env: env({ COHORT_URL: server.url }) });
  await until(async () => (await call(server, "GET", "/workers")).text.includes("talk"), "the worker to be registered", 30000);
  try { return await how(child); } finally { child.kill("SIGKILL"); }
}

async function first() {
  const runs = 300, alone = JSON.parse(execFileSync(process.execPath, [program, "alone", String(runs)], { env: env() }).toString());
  const server = await startServer({}), body = (tokens) => ({ assistant_id: "talk", if_not_exists: "create", stream_mode: ["messages-tuple"], input: { messages: [{ role: "user", content: "hi" }], tokens, ms: 0 } });
  await served(server, async (child) => {
    const list = [];
    for (let i = -30; i < runs; i++) { const ms = await firstWord(server, body(5)); if (i >= 0) list.push(ms); }
    const [a, b] = [at(alone.firsts, 0.5), at(list, 0.5)];
    say("first word, graph alone", `p50 ${a.toFixed(2)} ms, p90 ${at(alone.firsts, 0.9).toFixed(2)} ms`);
    say("first word, through Cohort", `p50 ${b.toFixed(2)} ms, p90 ${at(list, 0.9).toFixed(2)} ms; ${(b - a).toFixed(2)} ms more`, "10 ms more", b - a <= 10);
    const words = 20000, before = [cpu(server.child.pid), cpu(child.pid), performance.now()];
    await firstWord(server, body(words));
    const [c, w, t] = [cpu(server.child.pid) - before[0], cpu(child.pid) - before[1], performance.now() - before[2]];
    say("one run, as fast as langgraph speaks", `alone ${alone.wordUs.toFixed(1)} us a word (${alone.cpuUs.toFixed(1)} us CPU); through Cohort ${(t * 1000 / words).toFixed(1)} us, CPU of the worker ${(w / words).toFixed(1)} us, of Cohort ${(c / words).toFixed(2)} us`, "20 us in Cohort", c / words <= 20);
  });
  await server.stop();
}

// ---- flood -----------------------------------------------------------------------------------

// Readers are a thread of their own: their work is not to delay the worker.
async function readers({ port, n }) {
  let frames = 0, ended = 0;
  for (let i = 0; i < n; i++) {
    const body = JSON.stringify({ assistant_id: "flood", if_not_exists: "create", stream_mode: ["messages-tuple"], input: {} });
    const s = net.connect(port, "127.0.0.1", () => s.write(`POST /threads/${randomUUID()}/runs/stream HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`));
    s.on("data", (d) => { for (let k = -1; (k = d.indexOf("event: messages", k + 1)) >= 0;) frames++; if (d.includes("event: error")) console.log(d.toString()); });
    s.on("close", () => { ended++; });
  }
  parentPort.on("message", () => parentPort.postMessage({ frames, ended, loop: performance.eventLoopUtilization() }));
}

async function flood(perPost) {
  const server = await startServer({ args: ["--max-runs", "1000"] }).catch(() => startServer({}));
  const w = await new Standin(server).open("flood", TASKS);
  const thread = new Worker(new URL(import.meta.url), { workerData: { port: server.port, n: TASKS } });
  const seen = () => new Promise((r) => { thread.once("message", r); thread.postMessage("?"); });
  await w.take(TASKS);
  w.idle();
  let said = 0, late = 0, posts = 0, refused = 0;
  const times = [];
  const speak = async (task, i) => {
    const c = new Connection(server.port), id = randomUUID(), node = randomUUID(), target = `/tasks/${task.task_id}/events`;
    const meta = { langgraph_node: "talk", langgraph_step: 1, langgraph_checkpoint_ns: `talk:${node}`, thread_id: task.thread_id };
    let n = 0;
    const event = (mode, data) => ({ n: ++n, ns: [], mode, data });
    await c.post(target, { events: [event("values", {}), event("tasks", { id: node, name: "talk", input: {}, triggers: ["branch:to:talk"], interrupts: [] })] }, task.token);
    const began = performance.now() + (i % 20), every = 1000 * perPost / RATE;
    let text = [{ type: "AIMessageChunk", id, content: "word " }, meta];
    for (let k = 0; k < SECONDS * RATE / perPost; k++) {
      const due = began + k * every, now = performance.now();
      if (now < due) await pause(due - now); else if (now > due + 20) late++;
      const events = [];
      for (let e = 0; e < perPost; e++) { events.push(event("messages", text)); text = [text[0]]; }
      const sent = performance.now(), r = await c.raw(c.bytes(target, JSON.stringify({ events }), task.token));
      times.push(performance.now() - sent);
      posts++;
      if (r.status !== 200) { refused++; break; }
      said += perPost;
    }
    await c.post(target, { events: [event("updates", { talk: {} }), event("tasks", { id: node, name: "talk", error: null, interrupts: [], result: {} })] }, task.token);
    await c.post(`/tasks/${task.task_id}/end`, { status: "success" }, task.token);
    c.end();
  };
  const loops = [performance.eventLoopUtilization(), (await seen()).loop];
  const before = cpu(server.child.pid), began = performance.now();
  await Promise.all(w.tasks.map(speak));
  const busy = [[performance.eventLoopUtilization(), loops[0]], [(await seen()).loop, loops[1]]].map(([a, b]) => performance.eventLoopUtilization(a, b).utilization);
  const seconds = (performance.now() - began) / 1000;
  const got = await until(async () => { const s = await seen(); return s.frames >= said && s; }, "all words to be read", 20000).catch(seen);
  const used = cpu(server.child.pid) - before;
  say(`${TASKS} tasks, ${perPost} event(s) a request`, `${(used / said).toFixed(2)} us CPU an event; ${said} events in ${seconds.toFixed(1)} s, ${got.frames} read, ${late} of ${posts} requests late, ${refused} refused; answered in p50 ${at(times, 0.5).toFixed(2)} ms, p99 ${at(times, 0.99).toFixed(2)} ms`, "20 us", used / said <= 20);
  const behind = Math.max(...busy) > 0.8 || late > posts / 20, tell = busy.map((b) => `${(b * 100).toFixed(0)} %`);
  say("  this program", `its thread that speaks is busy ${tell[0]}, the one that reads ${tell[1]}: ${behind ? "it did not keep up, only the CPU above is the server's own" : "it kept up"}`);
  w.over = true;
  await thread.terminate();
  await server.stop("SIGKILL");
}

// ---- saver -----------------------------------------------------------------------------------

const value = (x) => ({ type: "json", text: JSON.stringify(x) });
const message = (i) => ({ lc: 1, type: "constructor", id: ["langchain_core", "messages", "HumanMessage"], kwargs: { content: `message ${i} with some words in it`, id: `m${i}` } });
const uuid6 = (() => { let n = 0; return () => `1f0c0000-0000-6${(0x100 + (n >> 16) % 0xf00).toString(16)}-8000-${(n++).toString(16).padStart(12, "0")}`; })();

async function saver() {
  const server = await startServer({}), n = 50, w = await new Standin(server).open("flood", n);
  for (let i = 0; i < n; i++) call(server, "POST", `/threads/${randomUUID()}/runs`, { assistant_id: "flood", if_not_exists: "create", input: {} });
  await w.take(n);
  w.idle();
  const channels = [...Array(8).keys()].map((i) => `c${i}`), body = JSON.stringify([...Array(20).keys()].map(message));
  const made = await Promise.all(w.tasks.map(async (task) => {
    const c = new Connection(server.port), id = uuid6(), versions = Object.fromEntries([...channels, "messages"].map((x) => [x, "1"]));
    await c.post(`/tasks/${task.task_id}/saver`, { op: "put", ns: "", id, checkpoint: value({ v: 4, id, ts: new Date().toISOString(), channel_versions: versions, versions_seen: {} }), metadata: value({ source: "input", step: -1, parents: {} }), versions,
      blobs: [...channels.map((channel) => ({ channel, version: "1", ...value({ some: "value", of: channel }) })), { channel: "messages", version: "1", type: "json", text: body }],
      view: { values: { messages: [] }, source: "input", step: -1, created_at: new Date().toISOString() } }, task.token);
    return { task, c, id };
  }));
  const requests = {
    get: (x) => x.c.bytes(`/tasks/${x.task.task_id}/saver`, JSON.stringify({ op: "get", ns: "" }), x.task.token),
    writes: (x) => x.c.bytes(`/tasks/${x.task.task_id}/saver`, JSON.stringify({ op: "writes", groups: [{ ns: "", id: x.id, task_id: randomUUID(), task_path: "~__pregel_pull, talk", writes: [{ idx: 0, channel: "messages", ...value([message(1)]) }, { idx: 1, channel: "c0", ...value("x") }] }] }), x.task.token),
    events: (x) => x.c.bytes(`/tasks/${x.task.task_id}/events`, '{"events":[]}', x.task.token),
  };
  const measure = async (name, wide, each) => {
    const times = [], used = made.slice(0, wide), before = cpu(server.child.pid), began = performance.now();
    await Promise.all(used.map(async (x) => {
      for (let i = 0; i < each; i++) {
        const bytes = requests[name](x), sent = performance.now(), r = await x.c.raw(bytes);
        times.push((performance.now() - sent) * 1000);
        if (r.status !== 200) throw new Error(`${name}: ${r.status} ${r.text}`);
      }
    }));
    return { us: (cpu(server.child.pid) - before) / times.length, p50: at(times, 0.5), p99: at(times, 0.99), rate: times.length / (performance.now() - began) * 1000 };
  };
  const show = (m) => `${m.us.toFixed(1)} us CPU, p50 ${m.p50.toFixed(0)} us, p99 ${m.p99.toFixed(0)} us, ${m.rate.toFixed(0)} a second`;
  // What is read grows with what is written: reads come first.
  for (const name of ["events", "get"]) await measure(name, 1, 300);
  const beat = await measure("events", 1, 5000), get = await measure("get", 1, 5000), gets = await measure("get", n, 200);
  await measure("writes", 1, 300);
  const one = await measure("writes", 1, 3000), many = await measure("writes", n, 100);
  say("a beat, alone", `${show(beat)}: what the request itself takes`);
  say("saver get, 9 channels and 20 messages, alone", show(get), "50 us CPU", get.us <= 50);
  say("saver get, 50 at once", show(gets), "50 us CPU", gets.us <= 50);
  say("saver writes, 2 values, alone", show(one), "p50 200 us", one.p50 <= 200);
  say("saver writes, 50 at once", show(many), "50 us CPU", many.us <= 50);
  w.over = true;
  await server.stop("SIGKILL");
}

if (!isMainThread) await readers(workerData);
else {
  const all = { first, flood: async () => { await flood(1); await flood(5); }, saver };
  for (const what of process.argv.length > 2 ? process.argv.slice(2) : Object.keys(all)) await all[what]();
  process.exit(0);
}
