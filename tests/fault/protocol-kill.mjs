// protocol-kill.mjs [ROUNDS] - kill -9 while threads are read by the thread protocol,
// at any moment, and as soon as a question is heard.
//
// A reader that comes back with `since` hears each event once: no seq and no event_id
// is given twice, a run begins and ends once, what it ends as is what the thread
// says, and a question that was heard waits.  20 rounds, or as many as are asked for.
import { randomInt, randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { call, check, equal, finish, freePort, scenario, scratch, startServer, until } from "../e2e/lib.mjs";

const rounds = Number(process.argv[2] ?? 20);
const dir = scratch(), port = await freePort();
writeFileSync(path.join(dir, "script.json"), JSON.stringify({ rules: [
  { match: { role: "tool" }, reply: "it is done now", token_ms: 2 },
  { match: "approve", tool_calls: [{ name: "store_put", args: { namespace: ["a"], key: "k", value: { ok: true } } }] },
], default: { reply: "some words that take a while to be said", token_ms: 5 } }));
const options = { dir, port, args: ["--llm-script", path.join(dir, "script.json")] };
const config = { configurable: { interrupt_on: { store_put: true } } };
const channels = ["values", "updates", "messages", "tools", "lifecycle", "input", "checkpoints", "tasks", "custom"];
let serial = 0, events = 0, questions = 0, killed = 0;

// ---- one thread: its reader, over all servers --------------------------------------

class Thread {
  id = randomUUID(); last = 0; ids = new Map(); runs = new Map(); asked = new Set(); started = []; cut = new Set(); waits = false;
  constructor(asks) { this.asks = asks; }

  heard(e) {
    events++;
    check(e.seq > this.last, `${this.id}: ${e.seq} comes behind ${this.last}`, e);
    this.last = Math.max(this.last, e.seq);
    check(!this.ids.has(e.event_id), `${this.id}: ${e.event_id} is new`, [e, this.ids.get(e.event_id)]);
    this.ids.set(e.event_id, e);
    if (e.method === "input.requested") { this.asked.add(e.params.data.interrupt_id); questions++; this.onQuestion?.(); }
    const run = e.method === "lifecycle" && /^synth:([^:]+):\d+$/.exec(e.event_id)?.[1];
    if (!run) return;
    equal(e.params.namespace, [], `${this.id}: only the root's lifecycle names its run`);
    const r = this.runs.get(run) ?? { began: 0, ends: [] };
    this.runs.set(run, r);
    if (e.params.data.event === "running") r.began++; else r.ends.push(e.params.data.event);
  }

  // Reads until the server goes.
  async read(server) {
    try {
      const res = await fetch(`${server.url}/threads/${this.id}/stream/events`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ channels, ...(this.last > 0 ? { since: this.last } : {}) }) });
      equal(res.status, 200, `${this.id}: opened`);
      let rest = "";
      for await (const part of res.body.pipeThrough(new TextDecoderStream())) {
        rest += part;
        for (let at; (at = rest.indexOf("\n\n")) >= 0; rest = rest.slice(at + 2)) {
          const data = /^data: (.*)$/m.exec(rest.slice(0, at));
          if (data) this.heard(JSON.parse(data[1]));
        }
      }
    } catch (e) { if (server.exit === null && !server.dying) check(false, `${this.id}: reader`, e); }
  }

  async command(server, method, params) {
    const r = await call(server, "POST", `/threads/${this.id}/commands`, { id: ++serial, method, params });
    if (r.json?.type !== "success") throw new Error(`${method}: ${r.status} ${r.text}`);
    return r.json.result;
  }

  async start(server) {
    const { run_id } = await this.command(server, "run.start", { assistant_id: "agent", input: { messages: [{ type: "human", content: this.asks ? "approve" : "talk" }] }, config });
    this.started.push(run_id);
  }
}

// All runs that were acknowledged have ended, for the store and for the reader.
async function settle(server, t) {
  const runs = async () => (await call(server, "GET", `/threads/${t.id}/runs`)).json ?? [];
  if (t.started.length === 0 && t.runs.size === 0) return;
  await until(async () => (await runs()).every((r) => !["pending", "running"].includes(r.status)), `runs of ${t.id}`, 30000);
  const rows = await runs();
  const words = { success: "completed", error: "failed", interrupted: "interrupted" };
  await until(() => rows.every((r) => t.runs.get(r.run_id)?.ends.length > 0), `ends of ${t.id}: ${JSON.stringify([rows.map((r) => [r.run_id, r.status]), [...t.runs]])}`, 10000);
  for (const r of rows) {
    const heard = t.runs.get(r.run_id);
    equal(heard.ends, [words[r.status]], `${t.id}: ${r.run_id} ended once`);
    // of one that was cut off before its beginning was written it is told again
    check(heard.began === 1 || (heard.began > 1 && t.cut.has(r.run_id)), `${t.id}: ${r.run_id} began once`, heard);
  }
  const state = (await call(server, "GET", `/threads/${t.id}/state`)).json;
  const open = state.tasks.flatMap((x) => x.interrupts).map((i) => i.id);
  for (const i of open) check(t.asked.has(i), `${t.id}: what waits was heard`, [i, [...t.asked]]);
  if (rows[0].status === "interrupted") check(open.length > 0, `${t.id}: what was asked waits`, state);
  return open;
}

async function answer(server, t, open) {
  const before = t.runs.size;
  await t.command(server, "input.respond", { namespace: [], interrupt_id: open[0], response: { decisions: [{ type: "approve" }] }, config });
  await until(() => t.runs.size > before, `${t.id}: the run that goes on`, 10000);
  const left = await settle(server, t);
  equal(left, [], `${t.id}: answered`);
}

let threads = [];
for (let round = 0; round < rounds; round++) await scenario(`round ${round}`, async () => {
  const server = await startServer(options);
  const readers = threads.map((t) => t.read(server));
  for (const t of threads) await scenario(t.id, async () => {
    const open = await settle(server, t);
    if (open?.length > 0 && randomInt(0, 3) > 0) await answer(server, t, open);
  });
  threads = threads.filter(() => randomInt(0, 4) === 0);    // some are read for long
  const fresh = [...Array(6)].map((_, i) => new Thread(i % 2 === 0));
  threads.push(...fresh);
  readers.push(...fresh.map((t) => t.read(server)));
  let question;
  const heard = new Promise((r) => { question = r; });
  if (round % 2 === 0) for (const t of fresh) t.onQuestion = question;
  const workers = fresh.map((t) => t.start(server).catch((e) => { if (server.exit === null && !server.dying) check(false, `run.start of ${t.id}`, e); }));
  const at = Date.now() + randomInt(5, 250);
  await (round % 2 === 0 ? Promise.race([heard, until(() => Date.now() > at + 5000, "a question", 6000)]) : until(() => Date.now() >= at, "the moment"));
  server.dying = true;
  await server.stop("SIGKILL");
  killed++;
  await Promise.all([...workers, ...readers]);
  for (const t of fresh) {
    t.onQuestion = undefined;
    for (const run of [...t.started, ...t.runs.keys()]) if (!t.runs.get(run)?.ends.length) t.cut.add(run);
  }
});
await scenario("the last one", async () => {
  const server = await startServer(options);
  const readers = threads.map((t) => t.read(server));
  for (const t of threads) await scenario(t.id, async () => {
    const open = await settle(server, t);
    if (open?.length > 0) await answer(server, t, open);
    // who comes now hears the same of the last run
    const late = new Thread(false), last = [...t.ids.values()].at(-1);
    if (!last) return;
    late.id = t.id;
    const reading = late.read(server);
    await until(() => late.last >= t.last, "a late reader", 10000);
    for (const [id, e] of late.ids) if (t.ids.has(id)) equal(e, t.ids.get(id), `${id}: the same`);
    void reading;
  });
  server.dying = true;
  await server.stop("SIGKILL");
  await Promise.all(readers);
});
console.log(`${killed} kills, ${events} events heard, ${questions} questions`);
finish();
