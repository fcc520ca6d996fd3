// wake.mjs [SHARDS...] - what a run that was parked tells when it is woken, and
// messages for a conversation that is parked; default: with 1 and 4 shards.
import { writeFileSync } from "node:fs";
import path from "node:path";
import { agentFolder } from "./core-lib.mjs";
import { call, check, equal, finish, metric, scenario, scratch, startMock, startServer, until } from "./lib.mjs";

const shardsList = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [1, 4];
const day = 86400000, hour = 3600000, agents = agentFolder(["sleep"]);
const script = path.join(scratch(), "script.json");
writeFileSync(script, JSON.stringify({
  rules: [{ match: "be quick", reply: "Quick." }, { match: "be brief", reply: "Brief." }, { match: "or slow", reply: "Slow." }],
  default: { status: 400 },
}));
const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "0", "--script", script]);

const open = (dir, shards, clock = 0) => startServer({ mock, dir,
  args: ["--agents", agents, "--shards", String(shards), "--test-hooks", "--test-clock-ms", String(clock)] });
const live = (s) => metric(s, "cohort_runs_live");
const parked = (s) => until(async () => await live(s) === 0, "all runs to be parked");
const run = async (s, x) => (await call(s, "GET", `/threads/${x.t}/runs/${x.r}`)).json;
const ended = (s, x) => until(async () => !["running", "pending"].includes((await run(s, x)).status), "the end");
const values = async (s, x) => (await call(s, "GET", `/threads/${x.t}/state`)).json.values;
const transcript = async (s, x) => (await call(s, "GET", `/threads/${x.t}/transcript?limit=1000`)).json;
const inject = (s, x, content) => call(s, "POST", `/threads/${x.t}/runs/${x.r}/inject`, { message: { role: "user", content } });

async function begin(s, agent, input, more = {}) {
  const t = (await call(s, "POST", "/threads", {})).json.thread_id;
  return { t, r: (await call(s, "POST", `/threads/${t}/runs`, { assistant_id: agent, input, ...more })).json.run_id };
}

for (const shards of shardsList) {
  await scenario(`${shards}: a woken run tells nothing twice`, async () => {
    const dir = scratch();
    let s = await open(dir, shards);
    const modes = ["tasks", "values", "updates", "debug"];
    const x = await begin(s, "nap", { ms: day }, { stream_resumable: true, stream_mode: modes });
    const c = await begin(s, "tick", { ms: day }, { stream_resumable: true, stream_mode: modes });
    await parked(s);
    const before = await transcript(s, x);
    for (let i = 0; i < 2; i++) {          // a reader wakes it, and leaves
      const leave = new AbortController();
      const reader = fetch(`${s.url}/threads/${x.t}/runs/${x.r}/stream`, { signal: leave.signal }).then((r) => r.text()).catch(() => {});
      await until(async () => await live(s) === 1, "the run to be awake");
      leave.abort();
      await reader;
      await parked(s);
    }
    equal(await transcript(s, x), before, "waking is no entry");
    await s.stop("SIGKILL");
    s = await open(dir, shards, day + 1000);
    await ended(s, x);
    equal((await run(s, x)).status, "success", "it ends");
    const list = await transcript(s, x);
    equal(list.filter((e) => e.kind === "run_start").length, 1, "it has begun once");
    equal(list.filter((e) => e.kind === "entered").map((e) => e.node), ["before", "nap", "after"], "each node was entered once");
    equal(list.map((e) => e.seq), list.map((_, i) => i + 1), "numbers go on");
    const res = await fetch(`${s.url}/threads/${x.t}/runs/${x.r}/stream`, { headers: { "last-event-id": "-1" } });
    const events = [...(await res.text()).matchAll(/^event: (\w+)\r?\ndata: (.*)$/gm)].map((m) => ({ event: m[1], data: JSON.parse(m[2]) }));
    const begun = events.filter((e) => e.event === "tasks" && e.data.triggers).map((e) => e.data.name);
    equal(begun, ["before", "nap", "after"], "each task begins once in its stream");
    equal(events.filter((e) => e.event === "values").map((e) => e.data.log?.length ?? 0), [0, 1, 2, 3], "each state once");
    await s.stop();
    check(c.r, "a chart beside it");
  });

  await scenario(`${shards}: a server that stops while it takes up what is due`, async () => {
    const dir = scratch();
    let s = await open(dir, shards);
    const list = [];
    for (let i = 0; i < 8; i++) list.push(...await Promise.all(Array.from({ length: 50 }, () => begin(s, "nap", { ms: day }))));
    await parked(s);
    await s.stop();
    let working = 0;                       // those that a stop finds at work have lost an attempt, and it says so
    for (let i = 0; i < 3; i++) {
      s = await open(dir, shards, day + 60000);
      await s.stop();
      for (const [, n] of s.log.matchAll(/cut_off runs=(\d+)/g)) working += Number(n);
    }
    s = await open(dir, shards, day + 120000);
    await until(async () => (await call(s, "POST", "/threads/count", { status: "busy" })).json === 0, "all to end");
    const attempts = await Promise.all(list.map(async (x) => (await call(s, "GET", `/threads/${x.t}/state`)).json.metadata.run_attempt));
    const lost = attempts.reduce((sum, n) => sum + n - 1, 0);
    check(lost <= working, "no attempt was lost by those that were being taken up", { lost, working });
    await s.stop();
  });

  await scenario(`${shards}: a message for a conversation that is parked`, async () => {
    const dir = scratch();
    let s = await open(dir, shards);
    const list = await Promise.all(Array.from({ length: 8 }, () => begin(s, "talk", { messages: "hello" })));
    const nap = await begin(s, "nap", { ms: day });
    await parked(s);
    for (const x of list) equal((await inject(s, x, "be quick")).status, 200, "it is taken");
    const two = await Promise.all([inject(s, list[0], "or slow"), inject(s, list[0], "be brief")]);
    equal(two.map((a) => a.status), [200, 200], "several at once");
    equal((await inject(s, nap, "be quick")).status, 409, "nobody talks there");
    await parked(s);
    equal((await run(s, nap)).status, "running", "which goes on waiting");
    await s.stop("SIGKILL");
    s = await open(dir, shards, hour + 60000);
    for (const x of list) {
      await ended(s, x);
      equal((await run(s, x)).status, "success", "it is answered");
      const { messages } = await values(s, x);
      if (!equal([messages[0].content, messages[1]?.content], ["hello", "be quick"], "what was stored is heard after a kill"))
        console.log((await transcript(s, x)).map((e) => JSON.stringify(e).slice(0, 200)).join("\n"));
      if (x !== list[0]) equal(messages[2]?.content, "Quick.", "by the model");
      else equal(messages.length, 5, "all three are there");
    }
    await s.stop();
  });

  await scenario(`${shards}: large messages for a conversation that is parked, at once`, async () => {
    const s = await open(scratch(), shards), large = "be quick" + " and quick".repeat(2000);
    const list = await Promise.all(Array.from({ length: 12 }, () => begin(s, "talk", { messages: "hello" })));
    await parked(s);
    // Of several nodes one has the run, and the others give it what they got.
    const all = await Promise.all(list.map((x) => Promise.all([1, 2, 3].map(() => inject(s, x, large)))));
    equal(all.flat().filter((a) => a.status !== 200).map((a) => [a.status, a.text]), [], "all are taken");
    await s.stop();
  });
}
await mock.stop();
finish();
