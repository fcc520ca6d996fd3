// worker-kill.mjs [KILLS] [SHARDS] - kill -9 of workers, of the server, and of both, in
// the middle of a graph's steps; workers that are stopped past their lease; two builds
// at once; workers that drain.
//
// A graph in code (tests/workers/kill-worker.mjs) plans, works in eight places at once,
// asks, and ends, with durability sync and async.  A node whose writes the server has
// acknowledged, and the checkpoint that they belong to, is not run by any attempt that
// begins later; no thread is lost; each thread ends with each node's word once, in order.
// An attempt that has lost its lease and does not know it yet may run nodes: nothing of
// it is taken.  20 kills, or as many as are asked for.
import { spawn } from "node:child_process";
import { randomInt, randomUUID } from "node:crypto";
import { openSync, readFileSync, readSync, writeFileSync } from "node:fs";
import path from "node:path";
import { call, check, equal, finish, freePort, repo, scenario, scratch, startServer, until } from "../e2e/lib.mjs";

const [kills, shards] = [20, 2].map((d, i) => Number(process.argv[2 + i] ?? d));
const whole = ["plan", ...[...Array(8).keys()].map((n) => `work ${n}`), "ask yes", "last"];
const pause = (ms) => new Promise((r) => setTimeout(r, ms));

// ---- servers, workers, and what they say --------------------------------------------------

class World {
  dir = scratch(); workers = new Set(); lines = []; #read = 0; #rest = "";

  constructor(port) {
    this.port = port;
    this.file = path.join(this.dir, "said");
    writeFileSync(this.file, "");
    this.fd = openSync(this.file, "r");
  }

  static async open() { const w = new World(await freePort()); await w.serve(); return w; }
  async serve() { this.server = await startServer({ dir: this.dir, port: this.port, args: ["--shards", String(shards), "--workers-lease", "1000"] }); }

  // All lines so far; their places are in the order of what happened.
  said() {
    const b = Buffer.alloc(65536);
    for (let n; (n = readSync(this.fd, b, 0, b.length, this.#read)) > 0; this.#read += n) this.#rest += b.toString("utf8", 0, n);
    for (let at; (at = this.#rest.indexOf("\n")) >= 0; this.#rest = this.#rest.slice(at + 1)) this.lines.push(JSON.parse(this.#rest.slice(0, at)));
    return this.lines;
  }
  ran(node, pid, from = 0) { return this.said().slice(from).some((l) => l.t === "ran" && (!node || l.node.startsWith(node)) && (!pid || l.pid === pid)); }

  async worker(build = "1") {
    const child = spawn(process.execPath, [path.join(repo, "tests", "workers", "kill-worker.mjs")], { cwd: this.dir, stdio: ["ignore", "inherit", "inherit"],
      env: { PATH: process.env.PATH, HOME: process.env.HOME, COHORT_URL: this.server.url, COHORT_PROJECT: path.join(repo, "tests", "workers"), COHORT_BUILD: build, KILL_LOG: this.file } });
    const w = { child, pid: child.pid, build, exited: new Promise((r) => child.on("exit", (code, signal) => { w.over = { code, signal }; r(w.over); })) };
    this.workers.add(w);
    w.exited.then(() => this.workers.delete(w));
    w.ready = until(() => w.over || this.said().some((l) => l.t === "said" && l.pid === w.pid && l.text.startsWith("serving")), "a worker to be registered", 60000);
    return w;
  }
  async ready(build) { const w = await this.worker(build); await w.ready; check(!w.over, "the worker lives", w.over); return w; }

  async ask(method, target, body) {
    const r = await call(this.server, method, target, body);
    if (r.status >= 300) throw new Error(`${method} ${target}: ${r.status} ${r.text}`);
    return r.json;
  }

  async close() {
    const all = [...this.workers];
    for (const w of all) w.child.kill("SIGKILL");
    await Promise.all(all.map((w) => w.exited));
    await this.server.stop("SIGKILL");
  }
}

// ---- one thread ----------------------------------------------------------------------------

class Thread {
  id = randomUUID(); runs = 0; lost = 0; done = false;
  constructor(world, durability, ms) { Object.assign(this, { world, durability, ms }); }

  run(body) { return this.world.ask("POST", `/threads/${this.id}/runs`, { assistant_id: "kill", durability: this.durability, multitask_strategy: "reject", if_not_exists: "create", ...body }); }
  start(gated) { return this.run({ input: { ms: this.ms, ...(gated && { gate: { [gated]: this.file = path.join(this.world.dir, this.id) } }) } }); }
  open() { writeFileSync(this.file, ""); }             // the gate
  resume() { return this.run({ command: { resume: "yes" } }); }
  state() { return this.world.ask("GET", `/threads/${this.id}/state`); }
  async rows() {
    const r = await call(this.world.server, "GET", `/threads/${this.id}/runs?limit=100`);
    if (r.status !== 200 && r.status !== 404) throw new Error(`runs of ${this.id}: ${r.status} ${r.text}`);
    return r.status === 404 ? [] : r.json;
  }
  async status() { return (await this.rows())[0]?.status; }
  reaches(status, ms = 60000) { return until(async () => await this.status() === status, `${this.id} to be ${status}`, ms); }

  // What a patient client does next.
  async step() {
    const rows = await this.rows();
    if (rows.length < this.runs) check(false, `${this.id}: a run that was acknowledged is gone`, [this.runs, rows]);
    this.runs = rows.length;
    const status = rows[0]?.status;
    if (status === undefined) { await this.start(); this.runs++; }
    else if (status === "interrupted") { await this.resume(); this.runs++; }
    else if (status === "success") this.done = true;
    else if (status === "error") {
      const { error } = await this.world.ask("GET", `/threads/${this.id}`);
      if (!/worker lost/.test(JSON.stringify(error))) { this.failed = this.done = check(false, `${this.id} (${this.durability}) failed`, error) === false; return; }
      this.lost++;                                  // three attempts without any progress
      await this.run({ input: null });
      this.runs++;
    }
  }
}

// What a thread's workers did, in order.
const story = (lines, t) => lines.filter((l) => l.thread === t.id).map((l) => `${l.pid}.${l.at} ${l.t} ${l.node ?? ""} ${l.task?.slice(0, 8) ?? ""} ${l.checkpoint ?? ""} ${l.channels ?? ""} ${l.error ?? ""}`).join("\n");

// Each node's word once; what was acknowledged did not run again.
async function judge(world, threads) {
  const lines = world.said();
  let ran = 0, extra = 0, acknowledged = 0, refused = 0;
  for (const t of threads) {
    equal((await t.state()).values.log, whole, `${t.id} (${t.durability}): the log`);
    const again = [], begun = new Map(), puts = new Set(), writes = new Map(), nodes = new Map(), sure = new Map();
    for (const [place, l] of lines.entries()) {
      if (l.thread !== t.id) continue;
      const attempt = `${l.pid}.${l.at}`;
      if (l.t === "get" && !begun.has(attempt)) begun.set(attempt, place);
      if (l.t === "refused") refused++;
      if (l.t === "put") puts.add(l.checkpoint);
      if (l.t === "writes" && !l.channels.includes("__error__")) writes.set(l.task, l.checkpoint);
      if (l.t === "ran") {
        ran++;
        if (nodes.has(l.node) && l.node !== "ask") extra++;
        if (l.node !== "ask" && sure.get(l.node)?.place < begun.get(attempt)) again.push(l);
        nodes.set(l.node, [...nodes.get(l.node) ?? [], l.task]);
      }
      if (l.t === "put" || l.t === "writes")
        for (const [node, tasks] of nodes) if (!sure.has(node) && tasks.some((x) => puts.has(writes.get(x)))) { sure.set(node, { place, ...l }); acknowledged++; }
    }
    check(again.length === 0, `${t.id} (${t.durability}): ${again.map((l) => l.node)} ran again though acknowledged`, again);
    if (again.length > 0 && process.env.KILL_STORY) console.log(story(lines, t));
    for (const node of ["plan", "work 7", "last"]) check(nodes.has(node), `${t.id}: ${node} ran`);
  }
  return { ran, extra, acknowledged, refused };
}

// ---- kills ------------------------------------------------------------------------------------

await scenario("kill -9", async () => {
  const world = await World.open(), all = [];
  await Promise.all([world.ready(), world.ready()]);
  let open = [], stopped = false, dying = false;
  const count = { worker: 0, server: 0, both: 0 };
  const more = () => { while (open.length < 6) { const t = new Thread(world, all.length % 2 ? "async" : "sync", randomInt(2, 25)); all.push(t); open.push(t); } };
  // A client for each thread, which bears with a server that is not there.
  const tend = (async () => {
    for (;;) {
      if (stopped && open.length === 0) return;
      if (dying) { await pause(5); continue; }
      await Promise.all(open.map((t) => t.step().catch((e) => { if (!dying && world.server.exit === null && !/fetch failed|409/.test(String(e))) check(false, `${t.id}`, e); })));
      open = open.filter((t) => !t.done);
      if (!stopped) more();
      await pause(10);
    }
  })();
  for (let i = 0; i < kills; i++) {
    const from = world.said().length;
    await until(() => world.ran(undefined, undefined, from), "a node to run", 60000);
    await pause(randomInt(0, 120));
    const kind = ["worker", "worker", "server", "both"][i % 4];
    count[kind]++;
    const victims = kind === "server" ? [] : [...world.workers].slice(0, kind === "both" ? 2 : 1);
    dying = kind !== "worker";
    for (const w of victims) w.child.kill("SIGKILL");
    if (dying) { await world.server.stop("SIGKILL"); await world.serve(); dying = false; }
    await Promise.all(victims.map((w) => w.exited));
    const fresh = await Promise.all(victims.map(() => world.worker()));
    if (i % 4 === 3) await Promise.all(fresh.map((w) => w.ready));
    if (i % 20 === 19) console.log(`${i + 1} kills, ${all.length} threads`);
  }
  stopped = true;
  await until(() => open.length === 0, `all threads to end: ${open.map((t) => t.id)}`, 120000).catch((e) => check(false, "no thread is lost", e));
  open = [];
  await tend;
  const seen = await judge(world, all.filter((t) => t.done && !t.failed));
  const lost = all.reduce((n, t) => n + t.lost, 0);
  console.log(`${count.worker} kills of a worker, ${count.server} of the server, ${count.both} of both; ${all.length} threads, ${lost} runs given up as lost; ${seen.ran} nodes ran, ${seen.extra} of them again, ${seen.acknowledged} acknowledged, ${seen.refused} writes refused`);
  check(seen.acknowledged > all.length * 2, "nodes were acknowledged", seen);
  check(lost <= kills / 20, "few runs have three attempts without progress", lost);
  await world.close();
});

// ---- a worker that is stopped ------------------------------------------------------------------

for (const durability of ["sync", "async"]) await scenario(`stopped past its lease, ${durability}`, async () => {
  const world = await World.open(), a = await world.ready(), t = new Thread(world, durability, 5);
  await t.start("plan");
  // Nothing of it is on its way any more.
  await until(() => world.ran("plan", a.pid) && world.said().filter((l) => l.t === "put").length === 2 && world.said().some((l) => l.t === "writes"), "the plan");
  a.child.kill("SIGSTOP");
  await world.ready();
  t.open();
  await t.reaches("interrupted");
  const before = await t.state(), lines = world.said().length;
  a.child.kill("SIGCONT");
  await until(() => world.said().slice(lines).some((l) => l.pid === a.pid && (l.t === "refused" || /taken away/.test(l.text ?? ""))), "the stopped worker to be refused");
  const late = world.said().slice(lines).filter((l) => l.pid === a.pid);
  check(!late.some((l) => l.t === "put" || l.t === "writes"), "nothing of it was taken", late);
  equal(await t.state(), before, "the state is as it was");
  const log = await world.ask("GET", "/workers/log?name=kill");
  check(JSON.stringify(log).includes("silent"), "the log of attempts says why", log);
  await t.resume();
  await t.reaches("success");
  await judge(world, [t]);
  await world.close();
});

// ---- builds ------------------------------------------------------------------------------------

await scenario("a run stays with its build", async () => {
  const world = await World.open(), a = await world.ready("1"), t = new Thread(world, "sync", 5);
  await t.start("work");
  const [a2, b] = await Promise.all([world.ready("1"), world.ready("2")]);
  await until(() => world.ran("work", a.pid), "the work");
  a.child.kill("SIGKILL");
  t.open();
  await t.reaches("interrupted");
  check(!world.ran("work", b.pid) && world.ran("ask", a2.pid), "a worker of the same build went on", world.lines.filter((l) => l.t === "ran"));
  await t.resume();
  await t.reaches("success");
  check(world.ran("last", b.pid), "what was interrupted goes on in the newest build", world.lines.filter((l) => l.t === "ran"));
  const fresh = new Thread(world, "sync", 5);
  await fresh.start();
  await fresh.reaches("interrupted");
  check(world.said().filter((l) => l.thread === fresh.id && l.t === "ran").every((l) => l.build === "2"), "a new run takes the newest build");
  await fresh.resume();
  await fresh.reaches("success");
  await judge(world, [t, fresh]);
  await world.close();
});

await scenario("a newer build takes over from a checkpoint", async () => {
  const world = await World.open(), a = await world.ready("1"), t = new Thread(world, "sync", 5);
  await t.start("work");
  await until(() => world.ran("work", a.pid), "the work");
  const b = await world.ready("2");
  a.child.kill("SIGKILL");
  t.open();
  await t.reaches("interrupted");
  check(world.ran("ask", b.pid) && !world.ran("plan", b.pid), "it begins where the other ended", world.lines.filter((l) => l.t === "ran"));
  await t.resume();
  await t.reaches("success");
  await judge(world, [t]);
  await world.close();
});

// ---- drain -------------------------------------------------------------------------------------

for (const how of ["SIGTERM", "POST"]) await scenario(`drained by ${how}`, async () => {
  const world = await World.open(), a = await world.ready(), first = [...Array(6)].map((_, i) => new Thread(world, i % 2 ? "async" : "sync", 5));
  await Promise.all(first.map((t) => t.start("work")));
  await until(() => first.every((t) => world.said().some((l) => l.thread === t.id && l.t === "ran" && l.node === "work 7")), "all to run", 60000);
  const b = await world.ready();
  if (how === "SIGTERM") a.child.kill("SIGTERM");
  else {
    const { worker } = world.said().find((l) => l.pid === a.pid && l.t === "said" && l.text.startsWith("serving"));
    await world.ask("POST", `/workers/${worker}/drain`, {});
  }
  await until(() => world.said().some((l) => l.pid === a.pid && /draining/.test(l.text ?? "")), "the drain to begin");
  // What it offered is taken back: the free places are the other's.
  await until(async () => Number(/^cohort_worker_free_runs (\d+)/m.exec((await call(world.server, "GET", "/metrics")).text)?.[1]) === 8, "its poll to offer nothing");
  const late = [...Array(4)].map(() => new Thread(world, "sync", 5));
  await Promise.all(late.map((t) => t.start()));
  first.forEach((t) => t.open());
  equal(await a.exited, { code: 0, signal: null }, "it ends with 0");
  for (const t of [...first, ...late]) { await t.reaches("interrupted"); await t.resume(); await t.reaches("success"); }
  const seen = await judge(world, [...first, ...late]);
  equal([seen.extra, seen.refused], [0, 0], "no node ran twice, no write was refused");
  check(late.every((t) => !world.lines.some((l) => l.thread === t.id && l.pid === a.pid && l.t === "ran")), "it took nothing new");
  check(world.ran(undefined, b.pid), "the other one did");
  await world.close();
});

finish();
