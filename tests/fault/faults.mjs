// faults.mjs [long] [NAME...] - the whole server while what it stands on fails:
// each write of the store in turn, a full disk, each system call, no files
// left, a queue that is full, a model that stalls; and what it keeps for good.
//
// The same rule everywhere: what failed is told (5xx with a JSON body, or an
// error event), what was acknowledged is there, also after kill -9, no run
// stays under way for good, and the server goes on.
import { execFileSync, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { linkSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import path from "node:path";
import { binary, call, check, equal, finish, parseEvents, scenario, scratch, startMock, startServer, until } from "../e2e/lib.mjs";

const long = process.argv.includes("long");
const only = process.argv.slice(2).filter((a) => a !== "long");
const instrumented = ["ASAN_OPTIONS", "TSAN_OPTIONS"].some((k) => process.env[k]);
const DRAIN_MS = 10000, ANSWER_MS = instrumented ? 30000 : 15000;
const base = scratch(), fresh = () => mkdtempSync(path.join(base, "s-"));
const say = (content) => ({ messages: [{ role: "user", content }] });
const script = path.join(fresh(), "script.json");
writeFileSync(script, JSON.stringify({
  rules: [
    { match: { role: "tool", last: "" }, reply: "It is noted ." },
    { match: "remember", tool_calls: [{ name: "store_put", args: { namespace: ["notes"], key: "n", value: { v: 1 } } }] },
  ],
  default: { reply: "Hello from a model that answers ." },
}));
const mock = await startMock(["--delay-ms", "1", "--stream-delay-ms", "0", "--script", script]);

async function section(name, fn) {
  if (only.length > 0 && !only.includes(name)) return;
  const began = Date.now();
  await scenario(name, fn);
  console.log(`${name}: ${((Date.now() - began) / 1000).toFixed(1)} s`);
}

function skip(name, why) { console.log(`SKIP ${name}: ${why}`); }

// An answer, whatever becomes of it: status 0 when there was none in time.
async function ask(server, method, target, body, headers) {
  try {
    return await Promise.race([call(server, method, target, body, headers),
      new Promise((resolve) => setTimeout(resolve, ANSWER_MS, { status: 0, text: "no answer in time", hung: true, headers: new Headers() }).unref())]);
  } catch (e) {
    return { status: 0, text: String(e.cause ?? e), headers: new Headers() };
  }
}

// In parallel, so many at once.
async function each(list, width, fn) {
  const rest = [...list];
  await Promise.all(Array.from({ length: width }, async () => { while (rest.length > 0) await fn(rest.shift()); }));
}

function told(r, what) {
  return check(r.status >= 500 && r.status < 600 && typeof (r.json?.detail ?? r.json?.message ?? r.json?.error) === "string",
    `${what}: a failure is told with 5xx and JSON`, `${r.status} ${r.text}`);
}

/* ---- a life that notes what it was promised ------------------------------ */

// Every request of an agent's life.  `log` is what was acknowledged; `failed`
// counts what was refused.  Nothing may hang, lie, or fail without a word.
class Life {
  constructor(server, name) {
    Object.assign(this, { server, name, failed: [], threads: new Map(), items: new Map(), assistants: new Map(), runs: [] });
  }

  async ask(method, target, body, headers) {
    const r = await ask(this.server, method, target, body, headers);
    if (r.status === 0) await Promise.race([this.server.exited, until(() => false, "", 1000).catch(() => {})]);
    if (this.server.exit) throw new Error(`${this.name}: the server ended: ${JSON.stringify(this.server.exit)}\n${this.server.log.slice(-4000)}`);
    check(r.status !== 0, `${this.name}: ${method} ${target} is answered`, r.text);
    return r;
  }

  // A write: done, or told that it failed.
  async write(what, method, target, body) {
    const r = await this.ask(method, target, body);
    if (r.status >= 200 && r.status < 300) return r;
    this.failed.push(what);
    this.unknown = r.lost === true;
    if (!this.unknown) told(r, `${this.name}: ${what}`);
    return null;
  }

  async assistant() {
    const id = randomUUID(), body = { assistant_id: id, graph_id: "agent", name: "A" };
    if (await this.write("create assistant", "POST", "/assistants", body)) this.assistants.set(id, "A");
    else if (!this.unknown) equal((await this.ask("GET", `/assistants/${id}`)).status, 404, `${this.name}: an assistant that failed is not there`);
    if (!this.assistants.has(id)) return "agent";
    if (await this.write("update assistant", "PATCH", `/assistants/${id}`, { name: "B" })) this.assistants.set(id, "B");
    return id;
  }

  async thread() {
    for (;;) {
      const id = randomUUID();
      if (await this.write("create thread", "POST", "/threads", { thread_id: id, metadata: { of: this.name } })) {
        this.threads.set(id, []);
        return id;
      }
      if (!this.unknown) equal((await this.ask("GET", `/threads/${id}`)).status, 404, `${this.name}: a thread that failed is not there`);
    }
  }

  // What the state must begin with from here on.
  async promise(thread, messages, what) {
    const ids = messages.map((m) => m.id);
    check(messages.at(-1)?.type === "ai", `${this.name}: ${what} ends with an answer`, messages);
    this.threads.set(thread, ids);
    await this.look(thread, what);
  }

  async look(thread, what) {
    const r = await this.ask("GET", `/threads/${thread}/state`);
    const ids = r.json?.values?.messages?.map((m) => m.id) ?? [];
    const was = this.threads.get(thread);
    check(r.status === 200 && was.every((id, i) => ids[i] === id), `${this.name}: ${what}: the messages are in the state, in order`, { was, ids });
  }

  async wait(thread, assistant, what, more = {}) {
    const r = await this.write(what, "POST", `/threads/${thread}/runs/wait`, { assistant_id: assistant, input: say("hi"), ...more });
    if (r?.json?.__error__) this.failed.push(what);
    else if (r) await this.promise(thread, r.json.messages, what);
  }

  async stream(thread, assistant, what, more = {}) {
    const r = await this.write(what, "POST", `/threads/${thread}/runs/stream`, { assistant_id: assistant, input: say("hi"), stream_mode: ["values", "messages-tuple"], ...more });
    if (!r) return null;
    const events = parseEvents(r.text);
    equal(events[0]?.event, "metadata", `${this.name}: ${what} begins with metadata`);
    if (events.some((e) => e.event === "error")) this.failed.push(what);
    else await this.promise(thread, events.filter((e) => e.event === "values").at(-1).json.messages, what);
    return { events, run: (r.headers.get("content-location") ?? "").split("/").pop() };
  }

  // A resumable stream reads the same again when it is over; but a state that could
  // not be written is not shown twice: the run failed for that.
  async replay(thread, assistant, what) {
    const s = await this.stream(thread, assistant, what, { stream_resumable: true });
    if (!s) return;
    const again = await this.ask("GET", `/threads/${thread}/runs/${s.run}/stream`, undefined, { "last-event-id": "-1" });
    const lost = s.events.some((e) => e.event === "error");
    const names = (list) => list.filter((e) => !lost || e.event !== "values").map((e) => `${e.id} ${e.event}`);
    equal(names(parseEvents(again.text)), names(s.events), `${this.name}: ${what}: a replay is what was streamed`);
  }

  async item() {
    const key = randomUUID(), at = `/store/items?namespace=life&key=${key}`, item = { namespace: ["life"], key };
    if (await this.write("put", "PUT", "/store/items", { ...item, value: { v: 1 } })) this.items.set(key, { v: 1 });
    else if (this.unknown) return;
    const get = await this.ask("GET", at);
    equal(get.json?.value, this.items.get(key), `${this.name}: the item is what was acknowledged`);
    const found = await this.ask("POST", "/store/items/search", { namespace_prefix: ["life"], limit: 1000 });
    equal(found.json?.items?.some((i) => i.key === key), this.items.has(key), `${this.name}: search agrees`);
    const gone = randomUUID();
    if (await this.write("put to delete", "PUT", "/store/items", { ...item, key: gone, value: { v: 2 } })) this.items.set(gone, { v: 2 });
    if (await this.write("delete item", "DELETE", "/store/items", { ...item, key: gone })) this.items.set(gone, undefined);
    else if (this.unknown) this.items.delete(gone);
  }

  // A run that would never end, one behind it, and the end of both.
  async cancel() {
    const thread = await this.thread(), base = `/threads/${thread}/runs`;
    const first = await this.write("create run", "POST", base, { assistant_id: "agent", input: say("mock:stall") });
    const second = await this.write("create run behind", "POST", base, { assistant_id: "agent", input: say("mock:stall") });
    for (const r of [second, first]) {
      if (!r) continue;
      this.runs.push([thread, r.json.run_id]);
      let tries = 0;
      while (tries++ < 3 && !await this.write("cancel", "POST", `${base}/${r.json.run_id}/cancel?wait=true`));
      const run = await this.ask("GET", `${base}/${r.json.run_id}`);
      check(["interrupted", "error"].includes(run.json?.status), `${this.name}: a cancelled run has ended`, run.text);
    }
  }

  async remove() {
    const thread = await this.thread();
    await this.wait(thread, "agent", "run to be deleted");
    const changed = await this.write("update thread", "PATCH", `/threads/${thread}`, { metadata: { changed: thread } });
    equal((await this.ask("POST", "/threads/count", { metadata: { changed: thread } })).json, changed ? 1 : 0, `${this.name}: a thread is found by what was acknowledged`);
    const [run] = (await this.ask("GET", `/threads/${thread}/runs`)).json;
    if (run !== undefined) {
      const gone = await this.write("delete run", "DELETE", `/threads/${thread}/runs/${run.run_id}`);
      if (gone) this.threads.set(thread, []);
      equal((await this.ask("GET", `/threads/${thread}/runs/${run.run_id}`)).status, gone ? 404 : 200, `${this.name}: a run is gone or not`);
    }
    if (await this.write("delete thread", "DELETE", `/threads/${thread}`)) {
      this.threads.delete(thread);
      equal((await this.ask("GET", `/threads/${thread}`)).status, 404, `${this.name}: a deleted thread is gone`);
    }
    const id = await this.assistant();
    if (this.assistants.has(id) && await this.write("delete assistant", "DELETE", `/assistants/${id}`)) this.assistants.delete(id);
  }

  async live() {
    const assistant = await this.assistant(), thread = await this.thread();
    await this.wait(thread, assistant, "wait");
    await this.stream(thread, assistant, "stream");
    await this.wait(thread, assistant, "tool turn", { input: say("remember") });
    await this.replay(thread, assistant, "resumable stream");
    await this.wait(thread, assistant, "sync run", { durability: "sync" });
    await this.wait(thread, assistant, "exit run", { durability: "exit" });
    await this.wait(thread, assistant, "run without a new message", { input: { messages: [] } });
    await this.item();
    await this.cancel();
    await this.remove();
  }

  // Everything that was promised is there, and threads go on.
  async verify(server, when, goOn = true) {
    this.server = server;
    this.name = `${this.name.split(",")[0]}, ${when}`;
    for (const [id, name] of this.assistants) equal((await this.ask("GET", `/assistants/${id}`)).json?.name, name, `${this.name}: the assistant is there`);
    for (const [key, value] of this.items)
      equal((await this.ask("GET", `/store/items?namespace=life&key=${key}`)).json?.value, value, `${this.name}: the item is there`);
    for (const thread of this.threads.keys()) {
      await this.look(thread, "verify");
      await until(async () => (await this.ask("GET", `/threads/${thread}/runs?limit=100`)).json?.every((r) => !["pending", "running"].includes(r.status)), `${this.name}: runs to end`);
      const h = (await this.ask("POST", `/threads/${thread}/history`, { limit: 1000 })).json ?? [];
      check(h.every((x, i) => (x.parent_checkpoint?.checkpoint_id ?? null) === (h[i + 1]?.checkpoint.checkpoint_id ?? null)), `${this.name}: the history is one chain`, h.map((x) => [x.checkpoint, x.parent_checkpoint]));
      if (!goOn) continue;
      // The fault may still be to come; then the next try goes well.
      for (let tries = 0, before = -1; tries < 2 && before !== this.failed.length; tries++) {
        before = this.failed.length;
        await this.wait(thread, "agent", "one more run");
      }
      equal((await this.ask("GET", `/threads/${thread}`)).json?.status, "idle", `${this.name}: and idle then`);
    }
    for (const [thread, run] of this.runs)
      equal((await this.ask("GET", `/threads/${thread}/runs/${run}`)).status, 200, `${this.name}: the run is there`);
  }
}

/* ---- the sweep ----------------------------------------------------------- */

const sweepTo = long ? 150 : 60;
await section("sweep", async () => {
  const seen = new Map();
  let past = 0;
  await each(Array.from({ length: sweepTo }, (_, i) => i + 1), 3, (n) => scenario(`sweep ${n}`, async () => {
    const dir = fresh();
    let server;
    try {
      server = await startServer({ mock, dir, args: ["--test-hooks", "--test-fail-store-at", String(n), "--shards", String(1 + n % 2)] });
    } catch (e) {
      check(/ended: {"code":[1-9]\d*,"signal":null}[^]*a fault for testing/.test(e.message), `sweep ${n}: a start that fails says why`, e);
      server = await startServer({ mock, dir });
    }
    const life = new Life(server, `fault at write ${n}`);
    await life.live();
    for (const f of life.failed) seen.set(f, (seen.get(f) ?? 0) + 1);
    if (process.env.VERBOSE) console.log(n, life.failed, server.log.split("\n").filter((l) => /fault for|lost|failed/.test(l)).map((l) => l.slice(0, 150)));
    check(life.failed.length <= 1, `sweep ${n}: one fault is one failure`, life.failed);
    past += !server.log.includes("a fault for testing");
    await life.verify(server, "after");
    check(server.exit === null, `sweep ${n}: the server lives`, server.log);
    await server.stop("SIGKILL");
    server = await startServer({ mock, dir });
    await life.verify(server, "after kill -9");
    equal((await server.stop()).code, 0, `sweep ${n}: and ends well`);
  }));
  console.log(`sweep: ${[...seen].map(([what, times]) => `${what} ${times}`).join(", ")}; nothing to fail ${past}`);
});

/* ---- what comes later ---------------------------------------------------- */

// Runs that are held, batches, crons, webhooks and keys.  Nobody waits for these, so a
// write that fails in the background must not lose them.
class Later extends Life {
  constructor(server, name, hook) {
    super(server, name);
    Object.assign(this, { hook, told: [], crons: new Map() });
  }

  promiseRun(run) { this.told.push(run.run_id); }

  async once() {
    const key = { "idempotency-key": randomUUID() }, body = { metadata: { once: key["idempotency-key"] } };
    let made = null;
    for (let tries = 0; made === null && tries < 3; tries++) {
      const r = await this.ask("POST", "/threads", body, key);
      if (r.status === 200) made = r.json.thread_id;
      else { this.failed.push("with a key"); told(r, `${this.name}: with a key`); }
    }
    equal((await this.ask("POST", "/threads", body, key)).json?.thread_id, made, `${this.name}: a key stands for one thread`);
    equal((await this.ask("POST", "/threads/count", body)).json, 1, `${this.name}: which there is once`);
    this.threads.set(made, []);
  }

  async held() {
    const thread = await this.thread();
    const r = await this.write("held run", "POST", `/threads/${thread}/runs`, { assistant_id: "agent", input: say("hi"), after_seconds: 1, webhook: this.hook.url });
    if (r === null) return equal((await this.ask("GET", `/threads/${thread}/runs`)).json, [], `${this.name}: a run that failed is not there`);
    this.runs.push([thread, r.json.run_id]);
    this.promiseRun(r.json);
  }

  async batch() {
    const one = { assistant_id: "agent", input: say("hi"), webhook: this.hook.url };
    const r = await this.write("batch", "POST", "/runs/batch", [one, { ...one, after_seconds: 1 }]);
    for (const run of r?.json ?? []) this.promiseRun(run);
  }

  async cron() {
    const r = await this.write("cron", "POST", "/runs/crons", { assistant_id: "agent", schedule: "0 0 1 1 *", input: say("hi") });
    if (r === null) return;
    const at = `/runs/crons/${r.json.cron_id}`;
    const off = await this.write("update cron", "PATCH", at, { enabled: false });
    this.crons.set(at, off === null);
    equal((await this.ask("GET", at)).json?.enabled, off === null, `${this.name}: a cron is as was acknowledged`);
    if (await this.write("delete cron", "DELETE", at)) this.crons.set(at, undefined);
  }

  // With a run that runs, one that waits and one that is held.
  async assistantGoes() {
    const id = await this.assistant(), thread = await this.thread(), runs = [];
    if (!this.assistants.has(id)) return;
    for (const more of [{}, {}, { after_seconds: 3600 }]) {
      const r = await this.write("run of it", "POST", `/threads/${thread}/runs`, { assistant_id: id, input: say("mock:stall"), ...more });
      if (r) runs.push(r.json.run_id);
    }
    for (let tries = 0; this.assistants.has(id) && tries < 3; tries++)
      if (await this.write("delete assistant", "DELETE", `/assistants/${id}`)) this.assistants.delete(id);
    equal((await this.ask("GET", `/assistants/${id}`)).status, 404, `${this.name}: the assistant is gone`);
    for (const r of runs) {
      const { json } = await this.ask("GET", `/threads/${thread}/runs/${r}`);
      check(["interrupted", "error"].includes(json.status), `${this.name}: a run of it has ended`, json);
      this.runs.push([thread, r]);
    }
  }

  async live() {
    await this.once();
    await this.held();
    await this.batch();
    await this.cron();
    await this.assistantGoes();
  }

  async verify(server, when) {
    await super.verify(server, when, false);
    for (const [at, enabled] of this.crons) equal((await this.ask("GET", at)).json?.enabled, enabled, `${this.name}: the cron is there or gone`);
    await until(() => this.told.every((id) => this.hook.heard.has(id)), `${this.name}: webhooks`, 30000).catch(() => {});
    equal(this.told.filter((id) => !this.hook.heard.has(id)), [], `${this.name}: each run is told to its webhook`);
  }
}

async function hookReceiver() {
  const heard = new Set();
  const receiver = http.createServer((q, a) => { q.resume(); q.on("end", () => { heard.add(q.headers["x-cohort-delivery"]); a.end(); }); });
  await new Promise((f) => receiver.listen(0, "127.0.0.1", f));
  receiver.unref();
  return { heard, url: `http://127.0.0.1:${receiver.address().port}/` };
}

await section("later", async () => {
  const hook = await hookReceiver(), seen = new Map();
  let past = 0;
  await each(Array.from({ length: long ? 80 : 40 }, (_, i) => i + 1), 3, (n) => scenario(`later ${n}`, async () => {
    const dir = fresh(), args = ["--webhooks-disable-loopback=false", "--shards", String(1 + n % 2)];
    let server;
    try {
      server = await startServer({ mock, dir, args: [...args, "--test-hooks", "--test-fail-store-at", String(n)] });
    } catch (e) {
      check(/ended: {"code":[1-9]\d*,"signal":null}[^]*a fault for testing/.test(e.message), `later ${n}: a start that fails says why`, e);
      server = await startServer({ mock, dir, args });
    }
    const life = new Later(server, `fault at write ${n}`, hook);
    await life.live();
    for (const f of life.failed) seen.set(f, (seen.get(f) ?? 0) + 1);
    check(life.failed.length <= 1, `later ${n}: one fault is one failure`, life.failed);
    if (n % 2 === 1) await life.verify(server, "after");
    past += !server.log.includes("a fault for testing");
    check(server.exit === null, `later ${n}: the server lives`, server.log);
    await server.stop("SIGKILL");
    server = await startServer({ mock, dir, args });
    await life.verify(server, "after kill -9");
    equal((await server.stop()).code, 0, `later ${n}: and ends well`);
  }));
  console.log(`later: ${[...seen].map(([what, times]) => `${what} ${times}`).join(", ")}; nothing to fail ${past}`);
});

/* ---- the medium ---------------------------------------------------------- */

const root = process.getuid() === 0;

// Fills a small file system of its own, then makes room again.
async function onFullDisk(fn) {
  const dir = fresh();
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=3m", "cohort-faults", dir]);
  try {
    const filler = path.join(dir, "filler");
    const room = () => rmSync(filler, { force: true });
    const fill = () => {
      const block = Buffer.alloc(4096);
      try { for (;;) writeFileSync(filler, block, { flag: "a" }); } catch (e) { if (e.code !== "ENOSPC") throw e; }
    };
    await fn(dir, fill, room);
  } finally {
    spawnSync("umount", ["-l", dir]);
  }
}

await section("disk", async () => {
  if (!root || spawnSync("unshare", ["-m", "true"]).status !== 0) return skip("disk", "a small file system needs root");
  await onFullDisk(async (dir, fill, room) => {
    let server = await startServer({ mock, dir });
    const life = new Life(server, "full disk");
    await life.live();
    equal(life.failed, [], "all is well before");
    const stalled = await life.thread(), behind = `/threads/${stalled}/runs`;
    const run = await call(server, "POST", behind, { assistant_id: "agent", input: say("mock:stall") });
    fill();
    // What is written into the log's own free pages may still succeed.
    const writes = [];
    for (let i = 0; i < 400 && writes.filter((r) => r.status >= 500).length < 5; i++) {
      const key = `k${i}`, r = await ask(server, "PUT", "/store/items", { namespace: ["full"], key, value: { text: "x".repeat(3000) } });
      writes.push(r);
      if (r.status < 300) life.items.set(key, undefined);
      const get = await ask(server, "GET", `/store/items?namespace=full&key=${key}`);
      equal([get.status, get.json?.key], r.status < 300 ? [200, key] : [get.status, undefined], `full disk: a write that answered ${r.status} is so`);
    }
    for (const k of life.items.keys()) if (/^k/.test(k)) life.items.delete(k);
    const refused = writes.filter((r) => r.status >= 300);
    check(refused.length >= 5, "writes are refused when the disk is full", writes.map((r) => r.status));
    for (const r of refused) {
      told(r, "full disk");
      equal([r.status, r.headers.get("retry-after") !== null, /disk is full/.test(r.json?.detail)], [503, true, true], "full disk: 503 with Retry-After and the reason");
    }
    const db = await ask(server, "GET", "/ok?check_db=1");
    equal([db.status, /disk is full/.test(db.json?.detail)], [503, true], "check_db tells of a full disk");
    check(/cohort_store_full 1/.test((await ask(server, "GET", "/metrics")).text), "the metrics tell of a full disk");
    check(/full/.test(server.log), "the log says that the disk is full", server.log.slice(-1000));
    // Small ones find room in what the large ones left of the log, for a while.
    for (let i = 0, refused = 0; i < 1000 && refused < 3; i++) {
      const r = await ask(server, "PUT", "/store/items", { namespace: ["full"], key: `s${i}`, value: {} });
      refused = r.status < 300 ? 0 : refused + 1;
    }
    // A run that ends now cannot be recorded; those who wait hear of it.
    const wait = ask(server, "GET", `${behind}/${run.json.run_id}/join`);
    const cancelled = await ask(server, "POST", `${behind}/${run.json.run_id}/cancel?wait=true`);
    told(cancelled, "a cancel that cannot be recorded");
    check((await wait).status !== 0, "a join of it ends", (await wait).text);
    const more = await ask(server, "POST", `/threads/${[...life.threads.keys()][0]}/runs/wait`, { assistant_id: "agent", input: say("hi") });
    check(more.status >= 500 || more.json?.__error__, "a run on a full disk is refused", more.text);
    equal((await call(server, "GET", "/ok")).status, 200, "the server is well");
    for (const t of life.threads.keys()) await life.look(t, "reads go on");
    room();
    await until(async () => (await ask(server, "PUT", "/store/items", { namespace: ["full"], key: "room", value: {} })).status < 300, "writes to work again", 5000);
    await until(async () => !["running", "pending"].includes((await call(server, "GET", `${behind}/${run.json.run_id}`)).json.status), "the cancelled run to end without a restart", 5000);
    await life.verify(server, "after space was freed");
    check(server.exit === null, "and it is the same server");
    await server.stop("SIGKILL");
    server = await startServer({ mock, dir });
    await life.verify(server, "after kill -9");
    fill();
    await server.stop("SIGTERM").then((e) => equal(e, { code: 0, signal: null }, "a full disk does not keep it from stopping"));
    // Started on a full disk it serves or says why not.
    try {
      server = await startServer({ mock, dir });
      for (const t of life.threads.keys()) { life.server = server; await life.look(t, "read from a full disk"); }
      await server.stop();
    } catch (e) {
      check(/ended: {"code":[1-9]\d*,"signal":null}[^]*full/.test(e.message), "a start on a full disk fails with words", e);
    }
    room();
    server = await startServer({ mock, dir });
    await life.verify(server, "after all");
    await server.stop();
  });
});

/* ---- the file --------------------------------------------------------------- */

await section("file", async () => {
  const dir = fresh(), file = path.join(dir, "cohort.db"), put = (s, key) => ask(s, "PUT", "/store/items", { namespace: ["file"], key, value: {} });
  let server = await startServer({ mock, dir });
  equal((await put(server, "a")).status, 204, "a write before");
  symlinkSync("cohort.db", path.join(dir, "soft.db"));
  linkSync(file, path.join(dir, "hard.db"));
  rmSync(`${file}-lock`);
  for (const name of ["soft.db", "hard.db", "cohort.db"]) {
    const s = spawnSync(binary, ["serve", "--port", "0", "--db", path.join(dir, name)], { encoding: "utf8", timeout: 10000 });
    check(s.status > 0 && /in use by another server/.test(s.stderr), `no second server by ${name}`, s);
  }
  rmSync(path.join(dir, "hard.db"));
  // A port that is taken, and a folder that is not there.
  const taken = spawnSync(binary, ["serve", "--port", String(server.port), "--db", path.join(dir, "new.db")], { encoding: "utf8", timeout: 10000 });
  check(taken.status > 0 && /already in use/.test(taken.stderr), "a port that is taken is told", taken);
  equal(readdirSync(dir).filter((f) => f.startsWith("new.db")), [], "and leaves no file behind");
  const nowhere = spawnSync(binary, ["serve", "--port", "0", "--db", path.join(dir, "no", "such", "x.db")], { encoding: "utf8", timeout: 10000 });
  check(nowhere.status > 0 && nowhere.stderr.includes(`folder ${path.join(dir, "no", "such")}`), "a folder that is missing is named", nowhere);
  for (const [word, take] of [["deleted", () => renameSync(file, `${file}.away`)], ["replaced", () => { renameSync(file, `${file}.away`); writeFileSync(file, ""); }]]) {
    const before = server.log.length;
    take();
    const r = await put(server, "b");
    equal([r.status, r.headers.get("retry-after") !== null, r.json?.detail.includes(word)], [503, true, true], `a database that was ${word} takes no write`);
    const ok = await ask(server, "GET", "/ok?check_db=1");
    equal([ok.status, ok.json?.detail.includes(word)], [503, true], `check_db tells that it was ${word}`);
    check(/cohort_store_lost 1/.test((await ask(server, "GET", "/metrics")).text), "and the metrics");
    await put(server, "b");
    equal(server.log.slice(before).match(/file_lost/g)?.length, 1, "and the log, once");
    renameSync(`${file}.away`, file);
    await until(async () => (await put(server, "c")).status === 204, "writes to go on once it is back");
  }
  await server.stop("SIGKILL");
  server = await startServer({ mock, dir });
  equal([(await ask(server, "GET", "/store/items?namespace=file&key=a")).json?.key, (await ask(server, "GET", "/store/items?namespace=file&key=b")).json, (await ask(server, "GET", "/store/items?namespace=file&key=c")).json?.key],
    ["a", null, "c"], "what was acknowledged is there, what was refused is not");
  await server.stop();
});

/* ---- system calls -------------------------------------------------------- */

// [call, errors, which of each thread's calls]
const calls = [
  ["accept4", ["ECONNABORTED", "EMFILE", "ENOMEM"], [1, 3]],
  ["read", ["EIO", "ECONNRESET", "EAGAIN"], [10, 25, 60]],
  ["recvmsg", ["ECONNRESET"], [1, 3]],
  ["recvfrom", ["ECONNRESET", "ENOMEM"], [1, 4]],
  ["write", ["EIO", "ECONNRESET", "EAGAIN"], [3, 8, 20]],
  ["writev", ["ECONNRESET", "EAGAIN"], [1, 4]],
  ["sendmsg", ["ECONNRESET", "EAGAIN"], [1, 3]],
  ["sendto", ["ECONNRESET", "EAGAIN", "ENOMEM"], [1, 3]],
  ["connect", ["EAGAIN", "ENOMEM", "ECONNREFUSED"], [1, 2]],
  ["socket", ["EMFILE", "ENOMEM"], [1, 2, 3, 4]],
  ["openat", ["EMFILE", "EIO"], [5, 20, 30, 40]],
  ["fsync", ["EIO"], [1, 2]],
  ["fdatasync", ["EIO", "ENOSPC"], [1, 3, 6, 9]],
  ["pwrite64", ["EIO", "ENOSPC"], [2, 10, 30, 60]],
  ["pread64", ["EIO"], [8, 20]],
  ["ftruncate", ["EIO"], [1, 2]],
  ["epoll_ctl", ["ENOMEM", "ENOSPC"], [4, 12, 20]],
  ["mmap", ["ENOMEM"], [20, 60, 100]],
  ["getrandom", ["EINTR", "ENOSYS"], [1, 2]],
  ["clone3", ["EAGAIN"], [1, 2, 3, 5]],
  ["fcntl", ["EIO"], [5, 12]],
];

// libuv's own pipes and poll set and a shard's bell fail in tests only, and end
// the process; what was acknowledged must be there all the same.
const inner = new Set(["read", "write", "epoll_ctl"]);

function crashed(server, name, what) {
  const { code, signal } = server.exit;
  return check(signal === null ? code > 0 : signal === "SIGABRT" && inner.has(name) && !/assert|ERROR: /i.test(server.log.replace(/: ring: Assertion/, "")),
    `${what}: no crash`, { code, signal, log: server.log.slice(-800) });
}

async function callFails(name, error, when) {
  const what = `${name} ${error} at ${when}`, dir = fresh();
  const via = ["strace", "-D", "-f", "-qq", "--seccomp-bpf", "-o", "/dev/null", "-e", `trace=${name}`, "-e", `inject=${name}:error=${error}:when=${when}`];
  let server;
  try {
    server = await startServer({ mock, dir, via, args: ["--shards", "1"] });
  } catch (e) {
    check(/ended: {"code":[1-9]\d*,"signal":null}\n./.test(e.message) || (inner.has(name) && /"SIGABRT"}/.test(e.message)),
      `${what}: a start that fails says why`, e);
    return;
  }
  const life = new Life(server, what);
  life.lost = 0;                       // a lost connection may be the answer
  life.ask = async function (method, target, body, headers) {
    for (let tries = 0; ; tries++) {
      const r = await ask(this.server, method, target, body, headers);
      // A dying server has no sockets before it has an exit code.
      if (r.status === 0) await Promise.race([this.server.exited,
        until(async () => this.server.exit || (await ask(this.server, "GET", "/ok")).status === 200, "it to live or to end", 5000).catch(() => {})]);
      if (this.server.exit) throw new Error("the server is dead");
      check(!r.hung, `${this.name}: ${method} ${target} is answered`, r.text);
      if (r.status !== 0 || tries > 5) return { ...r, lost: r.status === 0 };
      this.lost++;
      if (method !== "GET" && !/search|history/.test(target)) return { ...r, status: 599, lost: true };
    }
  };
  try {
    const thread = await life.thread();
    await life.wait(thread, "agent", "wait");
    await life.stream(thread, "agent", "stream");
    await life.item();
    await life.verify(server, "after");
    equal((await call(server, "GET", "/ok")).status, 200, `${what}: the server is well`);
    await server.stop("SIGKILL");
  } catch (e) {
    if (server.exit === null) throw e;
    crashed(server, name, what);
  }
  check(life.lost + life.failed.length <= 6, `${what}: a few failures at most`, [life.lost, life.failed]);
  server = await startServer({ mock, dir });
  await life.verify(server, "after kill -9");
  await server.stop();
  if (process.env.VERBOSE) console.log(what, life.lost, life.failed);
}

await section("calls", async () => {
  if (spawnSync("strace", ["-qq", "-o", "/dev/null", "true"]).status !== 0) return skip("calls", "strace is not there, or may not trace");
  const table = calls.flatMap(([name, errors, whens]) => errors.flatMap((error, i) =>
    (long ? Array.from({ length: whens.at(-1) }, (_, k) => k + 1) : [whens[i % whens.length], whens.at(-1 - i % whens.length)])
      .map((when) => [name, error, when])));
  const seen = new Set();
  await each(table.filter((t) => !seen.has(String(t)) && seen.add(String(t))), 3, (t) => scenario(t.join(" "), () => callFails(...t)));
});

/* ---- what runs out ------------------------------------------------------- */

function ticks(server) {
  const s = readFileSync(`/proc/${server.child.pid}/stat`, "utf8");
  const f = s.slice(s.lastIndexOf(")") + 2).split(" ");
  return Number(f[11]) + Number(f[12]);
}

function rss(server) {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.child.pid}/status`, "utf8"))[1]) / 1024;
}

await section("files", async () => {
  const server = await startServer({ mock, dir: fresh(), via: ["sh", "-c", 'ulimit -n 200; exec "$@"', "sh"] });
  const opened = [];
  let answered = 0;
  for (let i = 0; i < 300; i++) {
    const s = net.connect(server.port, "127.0.0.1");
    s.on("error", () => {}).once("data", () => answered++);
    s.write("GET /ok HTTP/1.1\r\nhost: x\r\n\r\n");
    opened.push(s);
  }
  await until(() => answered >= 64, "the connections it can serve");
  // The plateau: whoever waits costs nothing.
  let before = answered;
  for (let quiet = 0; quiet < 10; before === answered ? quiet++ : (quiet = 0), before = answered) await new Promise((r) => setTimeout(r, 30));
  check(answered < 300, "some have to wait", answered);
  const t0 = ticks(server), began = Date.now();
  await until(() => Date.now() - began > 1000, "a second to pass");
  const used = ticks(server) - t0;
  check(used <= (instrumented ? 30 : 10), "it does not spin while it has no files", `${used} ticks in a second`);
  check(server.exit === null, "it lives", server.log);
  opened.forEach((s) => s.destroy());
  await until(async () => (await ask(server, "GET", "/ok")).status === 200, "it to serve again");
  const life = new Life(server, "after files ran out");
  await life.live();
  equal(life.failed, [], "and everything works again");
  await until(() => readdirSync(`/proc/${server.child.pid}/fd`).length < 100, "files to be closed");
  equal((await server.stop()).code, 0, "it ends well");
});

await section("pressure", async () => {
  const dir = fresh();
  let server = await startServer({ mock, dir, args: ["--test-hooks", "--test-fsync-delay-ms", "50"] });
  const got = new Map(), threads = [], keys = [], late = [];
  await Promise.all(Array.from({ length: 500 }, async (_, n) => {
    for (let i = 0; i < 8; i++) {
      const key = `${n}-${i}`, item = { namespace: ["pressure"], key, value: { n, i } };
      const r = i % 4 > 0 ? await ask(server, "PUT", "/store/items", item) : await ask(server, "POST", "/threads", {});
      got.set(r.status, (got.get(r.status) ?? 0) + 1);
      if (r.status === 503) late.push(r.headers.get("retry-after"));
      else if (check(r.status >= 200 && r.status < 300, "a write under pressure is done, or refused with 503", `${r.status} ${r.text}`))
        r.json ? threads.push(r.json.thread_id) : keys.push(key);
    }
  }));
  check(late.every((v) => Number(v) >= 1), "503 has Retry-After", late.slice(0, 5));
  const there = async (when) => {
    const found = [];
    for (let n = -1; n !== found.length;) {
      n = found.length;
      found.push(...(await call(server, "POST", "/store/items/search", { namespace_prefix: ["pressure"], limit: 1000, offset: n })).json.items.map((i) => i.key));
    }
    equal(found.sort(), [...keys].sort(), `what is there is what was acknowledged, ${when}`);
    await each(threads, 20, async (t) => { if ((await ask(server, "GET", `/threads/${t}`)).status !== 200) check(false, `a thread is there, ${when}`, t); });
  };
  await there("at once");
  await server.stop("SIGKILL");
  server = await startServer({ mock, dir });
  await there("after kill -9");
  await server.stop();
  console.log(`pressure: ${[...got].map(([k, v]) => `${k}: ${v}`).join(", ")}`);
});

await section("drain", async () => {
  const dir = fresh(), n = 300;
  const quiet = await startMock(["--delay-ms", "1", "--stream-delay-ms", "0"]);
  let server = await startServer({ mock: quiet, dir });
  const runs = [], streams = [];
  await each(Array.from({ length: n }, (_, i) => i), 50, async (i) => {
    const t = (await call(server, "POST", "/threads", {})).json.thread_id;
    // Stalls for this server, answers the next one.
    const body = { assistant_id: "agent", input: say(`number ${i} mock:stallx1`) };
    if (i % 10 === 0) streams.push(ask(server, "POST", `/threads/${t}/runs/stream`, body));
    else runs.push([t, (await call(server, "POST", `/threads/${t}/runs`, body)).json.run_id]);
  });
  for (const [t, r] of runs) await until(async () => (await call(server, "GET", `/threads/${t}/runs/${r}`)).json.status === "running", "the runs to run");
  const began = Date.now(), exit = await server.stop("SIGTERM"), took = Date.now() - began;
  equal(exit, { code: 0, signal: null }, "a server with stalled runs ends well");
  check(took <= DRAIN_MS + 2000, "within its time", `${took} ms`);
  for (const s of await Promise.all(streams)) check(!/event: error/.test(s.text), "a stream that is cut is no failed run", s.text);
  server = await startServer({ mock: quiet, dir });
  for (const [t, r] of runs) {
    const run = await until(async () => { const x = (await call(server, "GET", `/threads/${t}/runs/${r}`)).json; return !["pending", "running"].includes(x.status) && x; }, "the runs to go on");
    equal(run.status, "success", "a run goes on after the restart");
  }
  await server.stop();
  await quiet.stop();
  console.log(`drain: ${took} ms`);
});

/* ---- what it keeps ------------------------------------------------------- */

await section("memory", async () => {
  const rounds = long ? 10000 : 2000;
  const fast = await startMock(["--delay-ms", "0", "--stream-delay-ms", "0"]);
  for (const store of ["memory", "sqlite"]) {
    const server = await startServer({ mock: fast, dir: fresh(), args: ["--shards", "1"], memory: store === "memory" });
    const fds = `/proc/${server.child.pid}/fd`;
    // The database and its log, wherever they are.
    const size = () => {
      const files = new Set(readdirSync(fds).map((fd) => readlinkSync(path.join(fds, fd))).filter((f) => /db(-wal)?$/.test(f)));
      check(files.size === 2, `memory, ${store}: a database and its log`, [...files]);
      return [...files].reduce((sum, f) => sum + statSync(f).size, 0) / 1048576;
    };
    const work = async (n) => {
      for (let i = 0; i < n; i++) {
        const t = (await call(server, "POST", "/threads", {})).json.thread_id;
        const r = await call(server, "POST", `/threads/${t}/runs/${i % 2 ? "wait" : "stream"}`, { assistant_id: "agent", input: say("hi") });
        if (r.status !== 200) check(false, `memory, ${store}: a run`, r.text);
        await call(server, "DELETE", `/threads/${t}`);
      }
    };
    await work(rounds / 4);
    const warm = rss(server), file0 = size();
    await work(rounds * 3 / 4);
    const grown = rss(server) - warm;
    if (!instrumented) check(grown < 4, `memory, ${store}: RSS stays`, `${warm.toFixed(1)} MB and ${grown.toFixed(1)} more after ${rounds * 3 / 4} runs`);
    check(size() < Math.max(2 * file0, 20), `memory, ${store}: the file stays`, [file0, size()]);
    console.log(`memory, ${store}: ${warm.toFixed(1)} MB, ${grown >= 0 ? "+" : ""}${grown.toFixed(2)} MB after ${rounds * 3 / 4} more runs; file ${file0.toFixed(1)} -> ${size().toFixed(1)} MB`);
    equal((await server.stop()).code, 0, `memory, ${store}: ends well`);
  }
  await fast.stop();
});

finish();
