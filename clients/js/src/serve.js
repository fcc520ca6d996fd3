// serve.js - the worker's life: tell the server what is served, ask for tasks, do them
// beside one another, finish them before leaving.
import { hostname } from "node:os";
import { buildName } from "./build.js";
import { defined, describeDefined, runDefined } from "./define.js";
import { Cancelled, Lease } from "./lease.js";
import { plainError, stringify } from "./plain.js";
import { LostLease, Wire, WireError, sleep } from "./wire.js";

const DRAIN_MS = 30000;
const AGAIN_MAX_MS = 5000;
const OPTIONS = ["url", "key", "name", "build", "slots", "descriptions", "signals", "drainMs", "log", "signal"];

function logTo(stream) {
  return (level, text, fields) => stream.write(`cohort-worker: ${level === "info" ? "" : `${level}: `}${text}${fields && Object.keys(fields).length > 0 ? ` ${stringify(fields)}` : ""}\n`);
}

/** What the server is told of a worker that serves these graphs and what was defined. */
export async function prepare(graphs, options) {
  const told = { graphs: [], ...(await describeDefined()) }, all = Object.entries(graphs);
  const { describe } = all.length > 0 ? await import("./graph.js") : {};
  for (const [id, graph] of all) told.graphs.push(await describe(id, graph, options.descriptions?.[id]));
  if (Object.values(told).every((list) => list.length === 0))
    throw new Error("there is nothing to serve: pass graphs to serve(), or define a node, a tool or a run first");
  return {
    name: options.name ?? process.env.COHORT_WORKER ?? `${hostname()}-${process.pid}`, build: options.build ?? buildName(), lang: "js", protocol: 1,
    slots: { run: options.slots?.run ?? 8, node: options.slots?.node ?? 32 }, ...told,
  };
}

class Worker {
  #wire; #log; #graphs; #options; #body; #place; #tasks = new Map(); #free; #polls = 0; #asks = new Set(); #quiet = false; #registering; #kick; #stop = new AbortController(); #left; #drained;

  constructor(graphs, options) {
    this.#wire = new Wire({ url: options.url, key: options.key });
    this.#log = options.log === false ? () => {} : typeof options.log === "function" ? options.log : logTo(process.stderr);
    this.#graphs = new Map(Object.entries(graphs).map(([id, graph]) => [id, { id, graph }]));
    this.#options = options;
    this.done = new Promise((resolve) => { this.#left = resolve; });
  }

  get log() { return this.#log; }
  get id() { return this.#place?.worker_id; }
  get busy() { return this.#tasks.size; }

  async start() {
    this.#body = await prepare(Object.fromEntries([...this.#graphs.values()].map((g) => [g.id, g.graph])), this.#options);
    if (this.#graphs.size > 0) this.graphs = await import("./graph.js");
    this.#free = { ...this.#body.slots };
    await this.#register();
    this.#poll();
    return this;
  }

  // Refusals are the caller's; a server that is away is waited for.
  async #register() {
    for (let wait = 100; ; wait = Math.min(wait * 2, AGAIN_MAX_MS)) {
      try {
        this.#place = await this.#wire.request("POST", "/workers", this.#body, { patienceMs: 0, signal: this.#stop.signal });
        const names = [...this.#body.graphs, ...this.#body.runs].map((g) => g.id).concat(this.#body.nodes.map((n) => `node ${n.name}`), this.#body.tools.map((t) => `tool ${t.name}`));
        this.#log("info", `serving ${names.join(", ")} to ${this.#wire.url}`, { worker: this.id, build: this.#body.build });
        return;
      } catch (error) {
        if (this.#stop.signal.aborted || (error instanceof WireError && !error.busy)) throw error;
        if (wait > 400) this.#log("warning", `${this.#wire.url} does not answer (${error.message}); trying again`);
        await sleep(wait, this.#stop.signal);
      }
    }
  }

  async #ask(id) {
    const free = this.#quiet ? { run: 0, node: 0 } : { ...this.#free };
    this.#kick = free.run === 0 || free.node === 0;
    const answer = await this.#wire.request("POST", `/workers/${encodeURIComponent(id)}/poll`, { free },
      { patienceMs: 0, timeoutMs: (this.#place.poll_s + 10) * 1000, signal: this.#stop.signal });
    for (const { task_id, reason } of answer.cancel ?? []) this.#tasks.get(task_id)?.cancel("interrupt", reason);
    for (const task of answer.tasks ?? []) this.#take(task);
    if (answer.quiet) this.drain("the server asked for it");
  }

  // One question waits at the server; a later one (when a place has become free) ends it.
  async #poll() {
    const mine = ++this.#polls;
    for (let wait = 100; !this.#stop.signal.aborted && mine === this.#polls;) {
      const id = this.id, ask = this.#ask(id);
      this.#asks.add(ask);
      try {
        await ask;
        wait = 100;
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        try { wait = await this.#trouble(error, wait, id); } catch (refused) { this.#fail(refused); return; }
      } finally {
        this.#asks.delete(ask);
      }
    }
  }

  async #trouble(error, wait, id) {
    if (error instanceof WireError && error.status === 404) {
      // Two polls may be told at once that the server does not know the worker.
      if (id === this.id) await (this.#registering ??= this.#register().finally(() => { this.#registering = undefined; }));
      return 100;
    }
    if (error instanceof WireError && !error.busy && error.status < 500) throw error;
    if (wait === 100) this.#log("warning", `${this.#wire.url} does not answer (${error.message}); trying again`);
    await sleep(wait * (0.75 + Math.random() / 2), this.#stop.signal);
    return Math.min(wait * 2, AGAIN_MAX_MS);
  }

  #fail(error) {
    this.#log("error", error.message);
    this.error = error;
    this.#finish();
  }

  #take(task) {
    if (this.#tasks.has(task.task_id)) return;
    const slot = task.kind === "run" ? "run" : "node";
    const lease = new Lease(this.#wire, task, { beatMs: this.#place.beat_s * 1000, patienceMs: Math.max(this.#place.lease_s * 1000, 5000) });
    this.#tasks.set(task.task_id, lease);
    this.#free[slot]--;
    this.#do(lease).catch((error) => this.#log("error", `task ${task.task_id}: ${error.message}`)).finally(() => {
      lease.close();
      this.#tasks.delete(task.task_id);
      this.#free[slot]++;
      if (this.#drained && this.#tasks.size === 0) this.#drained();
      else if (this.#kick && !this.#quiet && !this.#stop.signal.aborted) this.#poll();
    });
  }

  async #work(lease) {
    const { kind, name } = lease.task;
    if (kind === "run" || kind === "state_update") {
      const entry = this.#graphs.get(name);
      if (!entry) throw new Error(`this worker has no graph "${name}"`);
      return kind === "run" ? this.graphs.runGraph(entry, lease) : this.graphs.updateGraph(entry, lease);
    }
    if (kind === "tool" && defined.tool.has(name)) return runDefined("tool", defined.tool.get(name), lease, this.#log);
    if (kind === "node" && defined.node.has(name)) return runDefined("node", defined.node.get(name), lease, this.#log);
    if (kind === "node" && defined.run.has(name)) return runDefined("run", defined.run.get(name), lease, this.#log);
    throw new Error(`this worker has no ${kind} "${name}"`);
  }

  async #do(lease) {
    let end;
    try {
      end = await this.#work(lease);
    } catch (error) {
      if (!lease.lost && !lease.cancelled && !(error instanceof LostLease))
        this.#log("error", `${lease.task.kind} ${lease.task.name}: ${error?.stack ?? error}`, { task: lease.task.task_id });
      end = { status: "error", error: plainError(error) };
    }
    if (lease.lost) { this.#log("warning", `task ${lease.task.task_id} of ${lease.task.name} was taken away: ${lease.signal.reason.message}`); return; }
    if (lease.cancelled && end.status !== "success") end = { status: "interrupted" };
    await lease.end(end);
  }

  /** Takes nothing new, finishes what is under way, leaves. */
  drain(why = "stopping") {
    if (this.#quiet) return this.done;
    this.#quiet = true;
    const asked = [...this.#asks];      // answers may be on their way, with tasks in them
    if (this.#place) this.#poll();      // ends what waits, which offers free places
    this.#log("info", `draining (${why}): ${this.#tasks.size} under way`);
    const finished = Promise.allSettled(asked).then(() => new Promise((resolve) => {
      this.#drained = resolve;
      if (this.#tasks.size === 0) resolve();
    }));
    const late = new Promise((resolve) => { setTimeout(resolve, this.#options.drainMs ?? DRAIN_MS).unref(); });
    Promise.race([finished, late]).then(() => this.stop());
    return this.done;
  }

  /** Leaves at once: what is under way goes to another worker. */
  async stop() {
    if (this.#stop.signal.aborted) return this.done;
    for (const lease of this.#tasks.values()) lease.fail(new LostLease("this worker is leaving"));
    this.#stop.abort(new Error("the worker has stopped"));
    try { if (this.id) await this.#wire.request("POST", `/workers/${encodeURIComponent(this.id)}/leave`, {}, { patienceMs: 2000, timeoutMs: 5000 }); } catch { /* the leases end by themselves */ }
    this.#finish();
    return this.done;
  }

  #finish() {
    if (!this.#stop.signal.aborted) this.#stop.abort(new Error("the worker has stopped"));
    for (const lease of this.#tasks.values()) lease.close();
    this.#wire.close();
    this.#left(this.error);
  }
}

// Once asks for an orderly end, twice for one at once.  A promise that one task's code left
// to fail alone is no reason to end the others.
function watchProcess(worker, log) {
  process.on("unhandledRejection", (error) => { if (!(error instanceof LostLease || error instanceof Cancelled)) log("error", `a promise failed that nobody waited for: ${error?.stack ?? error}`); });
  let asked = 0;
  const onSignal = (name) => { if (asked++ === 0) worker.drain(name); else worker.stop(); };
  for (const name of ["SIGTERM", "SIGINT"]) process.on(name, onSignal);
  // Under `cohort dev` the end of the input is the end of the server.
  if (process.env.COHORT_DEV) process.stdin.on("end", () => onSignal("the server has ended")).resume();
  worker.done.then((error) => process.exit(error ? 1 : 0));
}

/**
 * Serves graphs, and all that was defined by node(), tool() and run(), until the process
 * is asked to end.  Resolves when the server has accepted the registration.
 */
export async function serve(graphs = {}, options = {}) {
  for (const key of Object.keys(options)) if (!OPTIONS.includes(key)) throw new TypeError(`serve(): unknown option "${key}"; known: ${OPTIONS.join(", ")}`);
  const worker = new Worker(graphs, options);
  if (options.signals !== false) watchProcess(worker, worker.log);
  options.signal?.addEventListener("abort", () => worker.drain("asked by the program"), { once: true });
  return worker.start();
}

export { Cancelled };
