// sleep.mjs [SHARDS...] - runs that leave memory while they wait for a time, and
// whatever touches them; default: with 1, 2 and 4 shards.  Waits of days pass by
// servers whose clock is ahead (--test-clock-ms).
import { Client } from "sdk-1.15";
import { agentFolder, clientOf, collect } from "./core-lib.mjs";
import { call, check, equal, finish, metric, onPostgres, scenario, scratch, startServer, until } from "./lib.mjs";

const shardsList = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [1, 2, 4];
const day = 86400000, agents = agentFolder(["sleep"]);

const open = (dir, shards, { clock = 0, args = [] } = {}) =>
  startServer({ dir, args: ["--agents", agents, "--shards", String(shards), "--test-hooks", "--test-clock-ms", String(clock), ...args] });
const parked = (s, what = "all runs to be parked") => until(async () => await metric(s, "cohort_runs_live") === 0, what);
const status = async (s, t, r) => (await call(s, "GET", `/threads/${t}/runs/${r}`)).json?.status;
const ended = (s, t, r) => until(async () => !["running", "pending"].includes(await status(s, t, r)), `the end of ${r}`);
const values = async (s, t) => (await call(s, "GET", `/threads/${t}/state`)).json.values;
const whole = ["before", "slept", "after"];

async function begin(s, agent, input, more = {}) {
  const t = (await call(s, "POST", "/threads", {})).json.thread_id;
  const r = await call(s, "POST", `/threads/${t}/runs`, { assistant_id: agent, input, ...more });
  check(r.status === 200, `${agent} begins`, r.text);
  return { t, r: r.json.run_id };
}

async function endsOnce(s, x, log, what) {
  await ended(s, x.t, x.r);
  equal(await status(s, x.t, x.r), "success", `${what}: success`);
  equal((await values(s, x.t)).log, log, `${what}: each step once`);
  const state = (await call(s, "GET", `/threads/${x.t}/state`)).json;
  equal(state.metadata.run_attempt, 1, `${what}: no new attempt`);
  equal((await call(s, "GET", `/threads/${x.t}`)).json.status, "idle", `${what}: the thread is idle`);
}

for (const shards of shardsList) {
  const dir = scratch();

  await scenario(`${shards}: parked, and woken when it is due`, async () => {
    const s = await open(dir, shards);
    const a = await begin(s, "nap", { ms: 5600 }), b = await begin(s, "nap", { ms: day });
    const c = await begin(s, "tick", { ms: 5600 }), d = await begin(s, "naps", { ms: day });
    const e = await begin(s, "nap", { ms: 5600 }, { stream_resumable: true, stream_mode: ["updates", "custom"] });
    await parked(s);
    for (const x of [a, b, c]) equal(await status(s, x.t, x.r), "running", "a parked run is running");
    equal((await call(s, "GET", `/threads/${b.t}`)).json.status, "busy", "its thread is busy");
    const state = (await call(s, "GET", `/threads/${b.t}/state`)).json;
    equal([state.next, state.tasks.map((t) => t.name)], [["nap"], ["nap"]], "its task is shown");
    equal(await metric(s, "cohort_runs_live"), 0, "looking wakes nobody");
    await endsOnce(s, a, whole, "nap");
    await endsOnce(s, e, whole, "resumable nap");
    const r = await fetch(`${s.url}/threads/${e.t}/runs/${e.r}/stream`, { headers: { "last-event-id": "-1" } }), text = await r.text();
    equal([...text.matchAll(/^event: (\w+)/gm)].map((m) => m[1]), ["metadata", "updates", "custom", "updates", "updates", "end"], "its stream has each event once");
    equal([...text.matchAll(/^id: (\d+)/gm)].map((m) => Number(m[1])), [0, 1, 2, 3, 4], "and dense ids");
    await s.stop("SIGKILL");
    // what fell due while it was down fires at once; the rest stays where it is
    const s2 = await open(dir, shards, { clock: day / 2 });
    await ended(s2, c.t, c.r).catch(() => {});
    await parked(s2);
    equal(await status(s2, b.t, b.r), "running", "not due yet");
    await s2.stop();
    const s3 = await open(dir, shards, { clock: day + 1000 });
    await endsOnce(s3, b, whole, "a nap of a day");
    await until(async () => (await call(s3, "GET", `/threads/${d.t}`)).json.status === "interrupted", "the question beside the naps");
    equal((await call(s3, "GET", `/threads/${d.t}/state`)).json.next, ["ask"], "the step waits for the answer");
    await call(s3, "POST", `/threads/${d.t}/runs/wait`, { assistant_id: "naps", command: { resume: "yes" } });
    const v = await values(s3, d.t);
    equal([v.answer, [...v.log].sort()], ["yes", [1, 2, 3, ...whole].sort()], "a map of naps, a sub-agent and a question");
    await s3.stop();
  });

  await scenario(`${shards}: a chart's delayed events, over kills`, async () => {
    let s = await open(dir, shards), clock = 0;
    const c = await begin(s, "tick", { ms: day });
    for (let i = 1; i <= 3; i++) {
      await parked(s);
      await s.stop("SIGKILL");
      s = await open(dir, shards, { clock: clock += day + 1 });
      await until(async () => (await values(s, c.t)).ticks === i, `tick ${i}`);
    }
    await ended(s, c.t, c.r);
    equal([await status(s, c.t, c.r), (await values(s, c.t)).ticks], ["success", 3], "three ticks");
    await s.stop();
  });

  await scenario(`${shards}: what touches a parked run`, async () => {
    const s = await open(dir, shards), client = clientOf(s);
    const x = await begin(s, "nap", { ms: day });
    await parked(s);
    // joined, and left again
    const leave = new AbortController();
    const joined = fetch(`${s.url}/threads/${x.t}/runs/${x.r}/stream`, { signal: leave.signal }).then((r) => r.text()).catch(() => "left");
    await until(async () => await metric(s, "cohort_runs_live") === 1, "the run to be in memory for its reader");
    leave.abort();
    equal(await joined, "left", "the reader left");
    await parked(s, "the run to be parked again");
    // a busy thread, as any other
    equal((await call(s, "POST", `/threads/${x.t}/state`, { values: { ms: 1 } })).status, 409, "no update beside it");
    equal((await call(s, "POST", `/threads/${x.t}/runs`, { assistant_id: "nap", input: { ms: 0 }, multitask_strategy: "reject" })).status, 409, "reject");
    equal((await call(s, "DELETE", `/threads/${x.t}`)).status, 409, "no deletion");
    equal(await metric(s, "cohort_runs_live"), 0, "none of these wake it");
    const queued = await client.runs.create(x.t, "nap", { input: { ms: 0 }, multitaskStrategy: "enqueue" });
    equal(await status(s, x.t, queued.run_id), "pending", "enqueued behind it");
    const over = await client.runs.create(x.t, "nap", { input: { ms: 0 }, multitaskStrategy: "interrupt" });
    await ended(s, x.t, over.run_id);
    equal([await status(s, x.t, x.r), await status(s, x.t, over.run_id)], ["interrupted", "success"], "interrupt takes its place");
    const y = await begin(s, "nap", { ms: day });
    await parked(s);
    const back = await client.runs.create(y.t, "nap", { input: { ms: 0 }, multitaskStrategy: "rollback" });
    await ended(s, y.t, back.run_id);
    equal([(await call(s, "GET", `/threads/${y.t}/runs/${y.r}`)).status, (await values(s, y.t)).log], [404, whole], "rollback takes it back");
    // cancelled
    const list = await Promise.all([1, 2, 3].map(() => begin(s, "nap", { ms: day })));
    await parked(s);
    await client.runs.cancel(list[0].t, list[0].r, true);
    equal(await status(s, list[0].t, list[0].r), "interrupted", "cancelled, and waited for");
    await Promise.all(list.slice(1).map((one) => client.runs.cancel(one.t, one.r)));
    for (const one of list.slice(1)) await until(async () => await status(s, one.t, one.r) === "interrupted", "the end of a cancelled run");
    equal((await call(s, "GET", `/threads/${list[1].t}`)).json.status, "idle", "the thread is free");
    // a join that waits for the end
    const z = await begin(s, "nap", { ms: 6000 });
    await parked(s);
    equal((await client.runs.join(z.t, z.r)).log, whole, "join");
    // an enqueued run gets its turn after the parked one
    const q = await begin(s, "nap", { ms: 5500 });
    await parked(s);
    const next = await client.runs.create(q.t, "nap", { input: { ms: 0 }, multitaskStrategy: "enqueue" });
    await ended(s, q.t, next.run_id);
    equal((await values(s, q.t)).log, [...whole, ...whole], "one after the other");
    await s.stop();
  });

  await scenario(`${shards}: a server that stops parks what sleeps`, async () => {
    let s = await open(dir, shards);
    const watched = await begin(s, "nap", { ms: day });
    await parked(s);
    const reader = fetch(`${s.url}/threads/${watched.t}/runs/${watched.r}/stream`).then((r) => r.text()).catch(() => "");
    await until(async () => await metric(s, "cohort_runs_live") === 1, "the reader");
    await s.stop();
    await reader;
    s = await open(dir, shards, { clock: -day });        // and a clock that was set back
    await parked(s);
    equal(await status(s, watched.t, watched.r), "running", "earlier than it began: it waits");
    await s.stop();
    s = await open(dir, shards, { clock: day + 60000 });
    await endsOnce(s, watched, whole, "watched when the server stopped");
    await s.stop();
  });

  await scenario(`${shards}: a cancellation that is answered is kept`, async () => {
    const slow = onPostgres ? [] : ["--test-fsync-delay-ms", "50"];
    for (const wait of [true, false]) for (const where of ["live", "parked"]) {
      let s = await open(dir, shards, { args: slow });
      const x = await begin(s, "nap", { ms: day });
      if (where === "parked") await parked(s);
      else await until(async () => (await call(s, "GET", `/threads/${x.t}/state`)).json.next?.[0] === "nap", "the nap");
      equal((await call(s, "POST", `/threads/${x.t}/runs/${x.r}/cancel?wait=${wait}`)).status, wait ? 204 : 202, "cancelled");
      await s.stop("SIGKILL");
      s = await open(dir, shards);
      equal(await status(s, x.t, x.r), "interrupted", `${where}, ${wait ? "waited for" : "not waited for"}: it stays cancelled`);
      await s.stop();
    }
  });

  await scenario(`${shards}: many at once`, async () => {
    let s = await open(dir, shards);
    const list = [];
    for (let i = 0; i < 20; i++) list.push(...await Promise.all(Array.from({ length: 50 }, () => begin(s, "nap", { ms: day }))));
    await parked(s);
    await s.stop("SIGKILL");
    s = await open(dir, shards, { clock: day + 60000 });
    await until(async () => (await call(s, "POST", "/threads/count", { status: "busy" })).json === 0, "all to end");
    for (const x of list.filter((_, i) => i % 100 === 0)) await endsOnce(s, x, whole, "one of a thousand");
    await s.stop();
  });
}

await scenario("each write around parking fails in turn", async () => {
  for (let at = 1; at <= 9; at++) {
    const dir = scratch();
    await (await open(dir, 1)).stop();
    let s = await open(dir, 1, { args: ["--test-fail-store-at", String(at)] }).catch(() => undefined);
    if (s === undefined) continue;       // it failed at start
    const t = (await call(s, "POST", "/threads", {})).json?.thread_id;
    const r = t && (await call(s, "POST", `/threads/${t}/runs`, { assistant_id: "nap", input: { ms: day } })).json?.run_id;
    if (!r) { await s.stop(); continue; }
    await until(async () => await metric(s, "cohort_runs_live") === 0, `write ${at}: parked, or ended`);
    const then = await status(s, t, r);
    await s.stop("SIGKILL");
    s = await open(dir, 1, { clock: day + 60000 });
    await ended(s, t, r);
    const now = await status(s, t, r);
    if (then === "running") equal([now, (await values(s, t)).log], ["success", whole], `write ${at}: parked and ended`);
    else check(now === "error", `write ${at}: told as an error`, [then, now]);
    await s.stop();
  }
});
finish();
