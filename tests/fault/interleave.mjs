// interleave.mjs [THREADS] [SEED] - runs with every multitask strategy, cancels,
// deletes, forks, updates of the state and answers, in random order and partly
// at once, on many threads: no deadlock, no answer that blames the server, no
// run lost or doubled, and a history that hangs together.
import { call, check, equal, finish, scenario, startMock, until } from "../e2e/lib.mjs";
import { startCore } from "../e2e/core-lib.mjs";

const threads = Number(process.argv[2] ?? 50), seed = Number(process.argv[3] ?? Date.now() % 1000000);
const mock = await startMock();
const server = await startCore({ mock, args: ["--shards", "2"] });
console.log(`seed ${seed}`);

function random(state) {
  return () => { state = (state * 1664525 + 1013904223) >>> 0; return state / 2 ** 32; };
}
const seen = { statuses: {}, ops: 0 };

async function ask(method, target, body, allowed) {
  const r = await call(server, method, target, body);
  seen.ops++;
  seen.statuses[r.status] = (seen.statuses[r.status] ?? 0) + 1;
  if (!allowed.includes(r.status)) throw new Error(`${method} ${target} ${JSON.stringify(body)}: ${r.status} ${r.text}`);
  return r;
}

async function life(n) {
  const rnd = random(seed * 1000 + n), pick = (l) => l[Math.floor(rnd() * l.length)];
  const t = (await ask("POST", "/threads", {}, [200])).json.thread_id, at = `/threads/${t}`;
  const made = [], gone = new Set(); // runs; those that may be gone
  let serial = 0;
  const agent = pick(["slow", "steps"]);
  const run = async (more) => {
    const mark = `m${++serial}`;
    const r = await ask("POST", `${at}/runs`, { assistant_id: agent, input: { n: Math.floor(rnd() * 6), topic: mark, log: [mark] }, ...more }, [200, 409]);
    if (r.status === 200) made.push({ id: r.json.run_id, mark });
  };
  const history = async () => (await ask("POST", `${at}/history`, { limit: 1000 }, [200])).json;
  const ops = {
    enqueue: () => run({ multitask_strategy: "enqueue" }),
    reject: () => run({ multitask_strategy: "reject" }),
    interrupt: () => run({ multitask_strategy: "interrupt" }),
    async rollback() { // those that are made beside it may be taken back, too
      const before = new Set(made.map((m) => m.id)), own = `m${serial + 1}`;
      await run({ multitask_strategy: "rollback" });
      made.filter((m) => before.has(m.id) || m.mark !== own).forEach((m) => gone.add(m.id));
    },
    breakpoint: () => run({ interrupt_before: "*" }),
    async resume() { await ask("POST", `${at}/runs`, { assistant_id: agent, command: { resume: "ok" } }, [200, 409, 422]).then((r) => r.status === 200 && made.push({ id: r.json.run_id })); },
    async on() { await ask("POST", `${at}/runs`, { assistant_id: agent, input: null }, [200, 409, 422]).then((r) => r.status === 200 && made.push({ id: r.json.run_id })); },
    async cancel() {
      const m = pick(made);
      if (m) await ask("POST", `${at}/runs/${m.id}/cancel?wait=${pick([0, 1])}&action=interrupt`, undefined, [202, 204, 404, 409]);
    },
    async undo() {
      const m = pick(made);
      if (!m) return;
      gone.add(m.id);
      await ask("POST", `${at}/runs/${m.id}/cancel?wait=${pick([0, 1])}&action=rollback`, undefined, [202, 204, 404, 409]);
    },
    async remove() {
      const m = pick(made);
      if (!m) return;
      const r = await ask("DELETE", `${at}/runs/${m.id}`, undefined, [204, 404, 409]);
      if (r.status !== 409) gone.add(m.id);
    },
    async fork() {
      const h = pick(await history());
      if (!h) return;
      const r = await ask("POST", `${at}/runs`, { assistant_id: agent, input: pick([null, { log: ["fork"] }]), checkpoint: h.checkpoint }, [200, 404, 409, 422]);
      if (r.status === 200) made.push({ id: r.json.run_id });
    },
    async update() {
      const h = pick(await history());
      const r = await ask("POST", `${at}/state`, { values: { log: ["u"] }, as_node: "__start__", ...(h && rnd() < 0.5 ? { checkpoint: h.checkpoint } : {}) }, [200, 400, 404, 409, 422]);
      return r;
    },
  };
  const names = Object.keys(ops);
  await ops.enqueue();
  for (let i = 0; i < 12; i++) {
    const together = [pick(names), ...(rnd() < 0.4 ? [pick(names)] : [])];
    const before = made.length;
    await Promise.all(together.map((o) => ops[o]()));
    // the answer of one that a rollback has taken back may come after the rollback's
    if (together.length > 1 && together.includes("rollback")) made.slice(before).forEach((m) => gone.add(m.id));
    if (rnd() < 0.2) await until(async () => (await ask("GET", at, undefined, [200])).json.status !== "busy", "idle", 20000);
  }
  await until(async () => (await ask("GET", `${at}/runs?limit=100`, undefined, [200])).json.every((r) => !["pending", "running"].includes(r.status)), `runs of ${t}`, 30000);
  const thread = (await ask("GET", at, undefined, [200])).json, runs = (await ask("GET", `${at}/runs?limit=100`, undefined, [200])).json, h = await history();
  const what = `thread ${n} (seed ${seed})`;
  check(["idle", "interrupted", "error"].includes(thread.status), `${what}: ended`, thread.status);
  equal(new Set(runs.map((r) => r.run_id)).size, runs.length, `${what}: each run once`);
  for (const m of made) check(gone.has(m.id) || runs.some((r) => r.run_id === m.id), `${what}: run ${m.id} is there`);
  check(runs.every((r) => ["success", "interrupted", "error"].includes(r.status)), `${what}: ends of runs`, runs.map((r) => r.status));
  check(runs.every((r) => made.some((m) => m.id === r.run_id)), `${what}: no run that nobody made`);
  const ids = new Set(h.map((s) => s.checkpoint.checkpoint_id));
  equal(ids.size, h.length, `${what}: each state once`);
  check(h.every((s, i) => i === 0 || s.checkpoint.checkpoint_id < h[i - 1].checkpoint.checkpoint_id), `${what}: newest first`);
  const by = new Map(h.map((s) => [s.checkpoint.checkpoint_id, s]));
  for (const s of h) {
    const p = s.parent_checkpoint && by.get(s.parent_checkpoint.checkpoint_id);
    check(s.parent_checkpoint === null || p !== undefined, `${what}: parents are there`, s.checkpoint);
    if (p) check(s.metadata.step === p.metadata.step + 1, `${what}: a step follows its parent's`, [s.metadata, p.metadata]);
    for (const m of made.filter((x) => x.mark)) {
      const k = (s.values.log ?? []).filter((x) => x === m.mark).length;
      check(k <= 1, `${what}: ${m.mark} is at most once in a state`, s.values.log);
    }
  }
  // a run that succeeded and was not taken back has left a state
  for (const m of made) {
    const r = runs.find((x) => x.run_id === m.id);
    if (m.mark && r?.status === "success" && !gone.has(m.id)) check(h.some((s) => s.values.log?.includes(m.mark)), `${what}: ${m.mark} left a state`, h.map((s) => s.values.log));
  }
  const s = (await ask("GET", `${at}/state`, undefined, [200])).json;
  equal(s.checkpoint?.checkpoint_id ?? null, h[0]?.checkpoint.checkpoint_id ?? null, `${what}: the head is the newest`);
  const asks = s.tasks.flatMap((k) => k.interrupts);
  if (asks.length > 0) equal(thread.status, "interrupted", `${what}: what asks is interrupted`);
  const r = await ask("POST", `${at}/runs/wait`, { assistant_id: agent, input: { n: 0, topic: "last", log: ["last"] } }, [200]);
  check(r.json.log?.includes("last"), `${what}: goes on`, r.text.slice(0, 300));
}

let next = 0;
await Promise.all(Array.from({ length: 8 }, async () => {
  while (next < threads) { const n = next++; await scenario(`thread ${n}, seed ${seed}`, () => life(n)); }
}));
await server.stop();
equal(server.exit.code, 0, "clean exit");
console.log(`${threads} threads, ${seen.ops} requests, ${JSON.stringify(seen.statuses)}`);
finish();
