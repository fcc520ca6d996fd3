// crons.mjs [SHARDS...] - crons over HTTP and through the SDKs: their objects, what is
// refused, and when they fire, on servers whose clock stands just before a firing
// (--test-clock-ms); default: with 1 and 2 shards.
import { execFileSync } from "node:child_process";
import http from "node:http";
import { Client as Client15 } from "sdk-1.15";
import { Client as Client19 } from "sdk-1.9";
import { Client as Client20 } from "sdk-2.0";
import { agentFolder, json, matches, refused, uuid4 } from "./core-lib.mjs";
import { binary, call, check, equal, finish, scenario, scratch, startServer, until } from "./lib.mjs";

const shardsList = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [1, 2];
const agents = agentFolder(["crons", "sleep", "e2e"]);
const minute = 60000, hour = 60 * minute, day = 24 * hour;
const iso = (t) => new Date(t).toISOString();
const input = { who: "ann" };

// `at`: what its clock shows when it starts.
const open = (dir, { at = Date.now(), shards = 1, args = [] } = {}) =>
  startServer({ dir, args: ["--agents", agents, "--shards", String(shards), "--test-hooks", "--test-clock-ms", String(Math.max(0, Math.round(at - Date.now()))), ...args] });
const cron = (s, id) => json(s, "GET", `/runs/crons/${id}`);
const fired = async (s, id) => (await json(s, "POST", "/threads/search", { metadata: { cron_id: id }, limit: 1000 })).length;
const runsOf = (s, thread) => json(s, "GET", `/threads/${thread}/runs?limit=1000`);
const moved = (s, id, from) => until(async () => { const c = await cron(s, id); return c.next_run_date !== from && c; }, `cron ${id} to go on from ${from}`);
// A cron made `at` (its clock), its first firing, and the firing after that.
// Early enough for a server to start and crons to be made.
const several = Number(process.env.COHORT_TEST_CLUSTER ?? 0) > 1;      // which start one after the other
const lead = several ? 10000 : ["ASAN_OPTIONS", "TSAN_OPTIONS"].some((k) => process.env[k]) ? 5000 : 1500;
const before = (date) => Date.parse(date) - lead;

// ---- objects ----------------------------------------------------------------

for (const [version, Client] of [["1.9.31", Client19], ["1.15.0", Client15], ["2.0.0", Client20]]) {
  const at = (what) => `${version}: ${what}`, newer = version !== "2.0.0";      // which sends fewer fields
  const server = await open(scratch());
  const client = new Client({ apiUrl: server.url, callerOptions: { maxRetries: 0 } });
  let made, onThread, thread;

  // covers: client.crons.create
  await scenario(at("create"), async () => {
    const end = iso(Date.now() + 400 * day);
    made = await client.crons.create("note", { schedule: "0 9 * * mon-fri", timezone: "Europe/Berlin", input, metadata: { team: "a", n: 1 },
      config: { configurable: { k: 1 }, tags: ["t"], recursion_limit: 7 }, context: { c: true }, interruptBefore: ["note"], interruptAfter: "*",
      multitaskStrategy: "enqueue", onRunCompleted: "keep", endTime: end, streamMode: ["values", "updates"], streamSubgraphs: true,
      streamResumable: true, durability: "sync" });
    matches(made, { cron_id: uuid4, assistant_id: uuid4, thread_id: null, schedule: "0 9 * * mon-fri", timezone: newer ? "Europe/Berlin" : null, end_time: newer ? end : null, enabled: true,
      on_run_completed: "keep", created_at: String, updated_at: String, next_run_date: (t) => Date.parse(t) > Date.now(), user_id: null,
      payload: { input, config: { configurable: { k: 1 } }, context: { c: true }, interrupt_before: ["note"], interrupt_after: "*", multitask_strategy: "enqueue",
        ...(newer ? { stream_mode: ["values", "updates"], stream_subgraphs: true, stream_resumable: true } : {}), durability: "sync" },
      metadata: { team: "a", n: 1 }, last_error: null }, at("the cron has what it was made with"));
    equal((await cron(server, made.cron_id)).cron_id, made.cron_id, at("GET gives the same"));
    const plain = await client.crons.create("note", { schedule: "@daily", input });
    matches(plain, { timezone: null, end_time: null, enabled: true, on_run_completed: "delete", metadata: {}, next_run_date: /T00:00:00\.000Z$/ }, at("defaults"));
    const off = await client.crons.create("note", { schedule: "* * * * *", input, enabled: false });
    matches(off, { enabled: false, next_run_date: null }, at("one that is not enabled has no next date"));
  });

  // covers: client.crons.createForThread
  await scenario(at("create for a thread"), async () => {
    thread = (await client.threads.create()).thread_id;
    onThread = await client.crons.createForThread(thread, made.assistant_id, { schedule: "30 2 * * *", input, metadata: { team: "b" } });
    matches(onThread, { thread_id: thread, on_run_completed: null, metadata: { team: "b" }, assistant_id: made.assistant_id }, at("on the thread"));
    await refused(client.crons.createForThread("00000000-0000-4000-8000-000000000000", "note", { schedule: "* * * * *", input }), 404, [], at("no such thread"));
  });

  // covers: client.crons.update
  await scenario(at("update"), async () => {
    const u = await client.crons.update(made.cron_id, { schedule: "*/5 * * * *", metadata: { n: 2, x: null }, endTime: null, input: { who: "bob" }, streamMode: "values" });
    matches(u, { schedule: "*/5 * * * *", timezone: newer ? "Europe/Berlin" : null, end_time: null, metadata: { team: "a", n: 2 }, payload: { input: { who: "bob" }, ...(newer ? { stream_mode: "values" } : {}),
      context: { c: true } }, on_run_completed: "keep", next_run_date: (t) => Date.parse(t) - Date.now() <= 5 * minute }, at("what is given changes, the rest stays"));
    const off = await client.crons.update(made.cron_id, { enabled: false });
    matches(off, { enabled: false, next_run_date: null, schedule: "*/5 * * * *" }, at("disabled"));
    const on = await client.crons.update(made.cron_id, { enabled: true, timezone: "UTC", onRunCompleted: "delete", config: { tags: [] }, context: { d: 1 },
      interruptBefore: ["a"], interruptAfter: ["b"], streamSubgraphs: false, streamResumable: false, durability: "exit" });
    matches(on, { enabled: true, next_run_date: String, on_run_completed: "delete", payload: { interrupt_before: ["a"], durability: newer ? "exit" : "sync", context: { d: 1 } } }, at("enabled again"));
    await refused(client.crons.update("00000000-0000-4000-8000-000000000000", { enabled: true }), 404, [], at("no such cron"));
  });

  // covers: client.crons.search
  await scenario(at("search"), async () => {
    const ids = async (q) => (await client.crons.search(q)).map((c) => c.cron_id);
    equal((await ids({})).length, 4, at("all"));
    equal(await ids({ threadId: thread }), [onThread.cron_id], at("of a thread"));
    if (newer) equal(await ids({ metadata: { team: "a" } }), [made.cron_id], at("by metadata"));
    equal((await ids({ assistantId: "note", limit: 2 })).length, 2, at("of a graph, limited"));
    equal((await ids({ assistantId: "00000000-0000-4000-8000-000000000000" })).length, 0, at("of no assistant"));
    equal((await ids({ enabled: false })).length, 1, at("not enabled"));
    const asc = await ids({ sortBy: "created_at", sortOrder: "asc" });
    equal(asc, (await ids({ sortBy: "created_at", sortOrder: "desc" })).reverse(), at("in both orders"));
    equal((await ids({ sortBy: "created_at", sortOrder: "asc", offset: 1, limit: 1 })), [asc[1]], at("a page"));
    for (const by of ["cron_id", "assistant_id", "thread_id", "next_run_date", "end_time", "updated_at"])
      equal((await ids({ sortBy: by })).length, 4, at(`sorted by ${by}`));
    const dates = (await client.crons.search({ sortBy: "next_run_date", sortOrder: "asc", enabled: true })).map((c) => c.next_run_date);
    equal(dates, [...dates].sort(), at("the next one first"));
    equal(Object.keys((await client.crons.search({ select: ["cron_id", "schedule"], limit: 1 }))[0]), ["cron_id", "schedule"], at("selected members"));
    equal((await call(server, "POST", "/runs/crons/search", { limit: 1 })).headers.get("x-pagination-total"), "4", at("the total"));
  });

  // covers: client.crons.count
  await scenario(at("count"), async () => {
    equal(await client.crons.count(), 4, at("all"));
    equal(await client.crons.count({ threadId: thread }), 1, at("of a thread"));
    if (newer) equal(await client.crons.count({ metadata: { team: "a" } }), 1, at("by metadata"));
    equal(await client.crons.count({ assistantId: made.assistant_id }), 4, at("of an assistant"));
  });

  // covers: client.crons.delete
  await scenario(at("delete"), async () => {
    await client.crons.delete(made.cron_id);
    equal((await call(server, "GET", `/runs/crons/${made.cron_id}`)).status, 404, at("it is gone"));
    await refused(client.crons.delete(made.cron_id), 404, [], at("twice"));
    await client.threads.delete(thread);
    equal((await call(server, "GET", `/runs/crons/${onThread.cron_id}`)).status, 404, at("it goes with its thread"));
    const a = await client.assistants.create({ graphId: "note" });
    const c = await client.crons.create(a.assistant_id, { schedule: "* * * * *", input });
    await client.assistants.delete(a.assistant_id);
    equal((await call(server, "GET", `/runs/crons/${c.cron_id}`)).status, 404, at("and with its assistant"));
    equal(await client.crons.count(), 2, at("the others stay"));
  });
  await server.stop();
}

// ---- what is refused ----------------------------------------------------------

await scenario("bad inputs", async () => {
  const s = await open(scratch());
  const ok = { schedule: "* * * * *", assistant_id: "note", input };
  const t = (await json(s, "POST", "/threads", {})).thread_id;
  const c = (await json(s, "POST", "/runs/crons", ok)).cron_id;
  const cases = [
    [{ ...ok, schedule: undefined }, 422, "schedule", "got nothing"], [{ ...ok, schedule: "" }, 422, "schedule"], [{ ...ok, schedule: 5 }, 422, "schedule", "string"],
    [{ ...ok, schedule: "0 * * * * *" }, 422, "schedule", "no seconds"], [{ ...ok, schedule: "61 * * * *" }, 422, "schedule", "0 to 59"],
    [{ ...ok, schedule: "0 0 30 2 *" }, 422, "schedule", "never fires"], [{ ...ok, schedule: "0 0 L * *" }, 422, "schedule", "day of month"],
    [{ ...ok, schedule: "* ".repeat(200) }, 422, "schedule", "256"], [{ ...ok, schedule: "@reboot" }, 422, "schedule", "@daily"],
    [{ ...ok, timezone: "Mars/Olympus" }, 422, "timezone", "no time zone"], [{ ...ok, timezone: "../../etc/passwd" }, 422, "timezone"], [{ ...ok, timezone: 1 }, 422, "timezone"],
    [{ ...ok, end_time: "tomorrow" }, 422, "end_time", "expected a time"], [{ ...ok, end_time: "2020-01-01T00:00:00Z" }, 422, "end_time", "does not fire before it"],
    [{ ...ok, enabled: "yes" }, 422, "enabled"], [{ ...ok, on_run_completed: "drop" }, 422, "on_run_completed", "delete"],
    [{ ...ok, assistant_id: "nobody" }, 404, "No assistant found"], [{ ...ok, assistant_id: undefined }, 422, "assistant_id"],
    [{ ...ok, input: undefined }, 422, "input"], [{ ...ok, input: "hi" }, 422, "input"], [{ ...ok, metadata: [] }, 422, "metadata"],
    [{ ...ok, config: { configurable: 1 } }, 422, "configurable"], [{ ...ok, stream_mode: "nope" }, 422, "stream_mode"], [{ ...ok, durability: "never" }, 422, "durability"],
    [{ ...ok, multitask_strategy: "queue" }, 422, "multitask_strategy"], [{ ...ok, interrupt_before: 5 }, 422, "interrupt_before"],
    [{ ...ok, shedule: "* * * * *" }, 422, "shedule", "did you mean schedule"], [{ ...ok, command: { resume: 1 } }, 422, "command"],
    [{ ...ok, checkpoint_id: t }, 422, "checkpoint_id"], [{ ...ok, if_not_exists: "create" }, 422, "if_not_exists"], [{ ...ok, thread_id: t }, 422, "thread_id"],
    [{ ...ok, webhook: "http://127.0.0.1:1/" }, 422, "webhook"], [{ ...ok, webhook: 1 }, 422, "webhook"],
    [{ ...ok, input: { who: "x".repeat(300000) } }, 413, ""], [[], 422, ""], ["{", 400, ""],
  ];
  for (const [body, status, ...words] of cases) {
    const r = await call(s, "POST", "/runs/crons", body);
    check([].concat(status).includes(r.status) && words.every((w) => r.text.includes(w)), `${JSON.stringify(body).slice(0, 120)} is refused`, `${r.status} ${r.text.slice(0, 300)}`);
  }
  const more = [
    ["POST", `/threads/${t}/runs/crons`, { ...ok, on_run_completed: "delete" }, 422, "on_run_completed"], ["POST", "/threads/x/runs/crons", ok, 422, "thread_id"],
    ["GET", "/runs/crons/x", undefined, 422, "cron_id"], ["DELETE", "/runs/crons/x", undefined, 422, "cron_id"], ["PATCH", "/runs/crons/x", {}, 422, "cron_id"],
    ["PATCH", `/runs/crons/${c}`, { schedule: "x" }, 422, "schedule"], ["PATCH", `/runs/crons/${c}`, { schedule: null }, 422, "schedule"],
    ["PATCH", `/runs/crons/${c}`, { input: null }, 422, "input"], ["PATCH", `/runs/crons/${c}`, { assistant_id: "nobody" }, 404, "nobody"],
    ["PATCH", `/runs/crons/${c}`, { timezone: "x y" }, 422, "timezone"], ["PATCH", `/runs/crons/${c}`, { next_run_date: "x" }, 422, "next_run_date"],
    ["PATCH", `/runs/crons/${c}`, { end_time: "2020-01-01T00:00:00Z", enabled: true }, 422, "end_time"], ["PUT", `/runs/crons/${c}`, {}, 405, ""],
    ["POST", "/runs/crons/search", { sort_by: "name" }, 422, "sort_by"], ["POST", "/runs/crons/search", { limit: 0 }, 422, "limit"],
    ["POST", "/runs/crons/search", { thread_id: "x" }, 422, "thread_id"], ["POST", "/runs/crons/search", { assistant_id: "nobody" }, 422, "assistant_id"],
    ["POST", "/runs/crons/search", { select: ["nope"] }, 422, "select"], ["POST", "/runs/crons/count", { enabled: 1 }, 422, "enabled"],
  ];
  for (const [method, target, body, status, word] of more) {
    const r = await call(s, method, target, body);
    check(r.status === status && r.text.includes(word), `${method} ${target} ${JSON.stringify(body)} is refused`, `${r.status} ${r.text}`);
  }
  matches(await cron(s, c), { schedule: "* * * * *", metadata: {}, payload: { input } }, "what was refused changed nothing");
  // what Python's SDK sends: None is left out, datetimes may lack a zone
  const p = await json(s, "POST", "/runs/crons", { schedule: "27 15 * * *", input: { who: "py" }, assistant_id: "note", end_time: "2099-08-01T23:00:00.123456", stream_resumable: false, checkpoint_during: false });
  matches(p, { end_time: "2099-08-01T23:00:00.123Z", payload: { durability: "exit" } }, "a naive end_time is UTC");
  matches(await json(s, "PATCH", `/runs/crons/${p.cron_id}`, { end_time: "2020-01-01T00:00:00+00:00" }), { enabled: false, next_run_date: null }, "an end in the past stops it");
  equal((await call(s, "GET", "/info")).json.flags.crons, true, "the server says that it has crons");
  await s.stop();
});

await scenario("owners do not see each other's crons", async () => {
  const secret = "0123456789abcdef0123456789abcdef", dir = scratch();
  const s = await startServer({ dir, args: ["--agents", agents, "--jwt-secret", secret, "--test-hooks", "--test-clock-ms", String(Math.round(before("2027-06-01T12:00:00Z") - 1500 - Date.now()))] });
  const as = (name) => ({ authorization: `Bearer ${execFileSync(binary, ["token", "--sub", name, "--ttl", "32000000"], { env: { PATH: process.env.PATH, COHORT_JWT_SECRET: secret } }).toString().trim()}` });
  const ann = as("ann"), bob = as("bob"), body = { schedule: "0 * * * *", assistant_id: "note", input, on_run_completed: "keep" };
  const c = await json(s, "POST", "/runs/crons", body, ann), t = (await json(s, "POST", "/threads", {}, ann)).thread_id;
  equal(c.user_id, "ann", "a cron tells whose it is");
  for (const [method, target, b] of [["GET", `/runs/crons/${c.cron_id}`], ["DELETE", `/runs/crons/${c.cron_id}`], ["PATCH", `/runs/crons/${c.cron_id}`, { enabled: false }], ["POST", `/threads/${t}/runs/crons`, body]])
    equal((await call(s, method, target, b, bob)).status, 404, `${method} by another`);
  equal(await json(s, "POST", "/runs/crons/search", {}, bob), [], "search by another");
  equal(await json(s, "POST", "/runs/crons/count", {}, bob), 0, "count by another");
  equal((await call(s, "POST", "/runs/crons", body)).status, 401, "without credentials");
  const [thread] = await until(async () => { const l = await json(s, "POST", "/threads/search", { metadata: { cron_id: c.cron_id } }, ann); return l.length === 1 && l; }, "the firing");
  const [r] = await json(s, "GET", `/threads/${thread.thread_id}/runs`, undefined, ann);
  equal(r.kwargs.config.configurable.langgraph_auth_user_id, "ann", "the run is its owner's");
  equal((await call(s, "GET", `/threads/${thread.thread_id}`, undefined, bob)).status, 404, "and its thread");
  await s.stop();
});

await scenario("a webhook is checked when it comes, and told of each run", async () => {
  const got = [], hook = http.createServer((q, a) => { q.resume(); q.on("end", () => { got.push(q.url); a.end("ok"); }); });
  await new Promise((f) => hook.listen(0, "127.0.0.1", f));
  const url = `http://127.0.0.1:${hook.address().port}`, body = { schedule: "0 * * * *", assistant_id: "note", input };
  const s = await open(scratch(), { at: before("2027-06-01T12:00:00Z") - 1500, args: ["--webhooks-disable-loopback=false"] });
  equal((await call(s, "POST", "/runs/crons", { ...body, webhook: "file:///etc/passwd" })).status, 422, "no such address");
  const a = await json(s, "POST", "/runs/crons", { ...body, webhook: `${url}/gone` }), b = await json(s, "POST", "/runs/crons", { ...body, webhook: `${url}/kept`, on_run_completed: "keep" });
  equal(a.payload.webhook, `${url}/gone`, "it is shown");
  for (const c of [a, b]) await moved(s, c.cron_id, c.next_run_date);
  await until(() => got.length >= 2, "both to be told");
  equal([...got].sort(), ["/gone", "/kept"], "once each");
  await until(async () => await fired(s, a.cron_id) === 0, "the thread to go");
  await s.stop();
  hook.close();
});

// ---- firing -----------------------------------------------------------------------

for (const shards of shardsList) {
  const n = (what) => `${shards} shards: ${what}`;
  const fire = async (name, date, zone, schedules, then) => scenario(n(name), async () => {
    const dir = scratch(), s = await open(dir, { at: before(date), shards });
    const made = [];
    for (const schedule of schedules)
      made.push(await json(s, "POST", "/runs/crons", { schedule, timezone: zone, assistant_id: "note", input, on_run_completed: "keep", metadata: { job: schedule } }));
    await then(s, made, dir);
    await s.stop();
  });

  await fire("a run, its thread and its metadata", "2027-06-01T12:00:00Z", "UTC", ["0 * * * *"], async (s, [c]) => {
    equal(c.next_run_date, "2027-06-01T12:00:00.000Z", n("it fires next"));
    equal((await moved(s, c.cron_id, c.next_run_date)).next_run_date, "2027-06-01T13:00:00.000Z", n("then an hour later"));
    const [t] = await json(s, "POST", "/threads/search", { metadata: { cron_id: c.cron_id } });
    const [r] = await runsOf(s, t.thread_id);
    matches(r, { assistant_id: c.assistant_id, metadata: { cron_id: c.cron_id, job: "0 * * * *" }, kwargs: { input, config: { configurable: { cron_id: c.cron_id }, metadata: { cron_id: c.cron_id } } } }, n("the run tells its cron"));
    await until(async () => (await json(s, "GET", `/threads/${t.thread_id}`)).status === "idle", "the run's end");
    equal((await json(s, "GET", `/threads/${t.thread_id}/state`)).values.log, ["ann"], n("it ran with the input"));
  });

  await fire("two schedules at one instant", "2027-06-01T12:00:00Z", "UTC", ["0 12 * * *", "*/30 * * * *"], async (s, made) => {
    for (const c of made) await moved(s, c.cron_id, "2027-06-01T12:00:00.000Z");
    for (const c of made) equal(await fired(s, c.cron_id), 1, n(`${c.schedule} fired once`));
  });

  // Berlin, 28 March 2027: 02:00 is 03:00 (01:00 UTC)
  await fire("a time that does not exist", "2027-03-28T01:00:00Z", "Europe/Berlin", ["30 2 * * *", "0,15,30 2,3 * * *", "30 * * * *"], async (s, [a, b, c]) => {
    equal([a.next_run_date, b.next_run_date, c.next_run_date], ["2027-03-28T01:00:00.000Z", "2027-03-28T01:00:00.000Z", "2027-03-28T01:30:00.000Z"], n("fires after the gap"));
    equal((await moved(s, a.cron_id, a.next_run_date)).next_run_date, "2027-03-29T00:30:00.000Z", n("once; the next day at its time"));
    equal((await moved(s, b.cron_id, b.next_run_date)).next_run_date, "2027-03-28T01:15:00.000Z", n("once for all of the gap"));
    equal([await fired(s, a.cron_id), await fired(s, b.cron_id), await fired(s, c.cron_id)], [1, 1, 0], n("a run each"));
  });

  // Berlin, 31 October 2027: 02:00 to 03:00 is there twice, from 00:00 and 01:00 UTC
  await scenario(n("a time that exists twice"), async () => {
    const dir = scratch();
    let s = await open(dir, { at: before("2027-10-31T00:30:00Z"), shards });
    const body = { timezone: "Europe/Berlin", assistant_id: "note", input, on_run_completed: "keep" };
    const a = await json(s, "POST", "/runs/crons", { ...body, schedule: "30 2 * * *" }), b = await json(s, "POST", "/runs/crons", { ...body, schedule: "30 * * * *" });
    equal((await moved(s, a.cron_id, a.next_run_date)).next_run_date, "2027-11-01T01:30:00.000Z", n("not again in the second hour"));
    equal((await moved(s, b.cron_id, b.next_run_date)).next_run_date, "2027-10-31T01:30:00.000Z", n("every hour: an hour later"));
    await s.stop();
    s = await open(dir, { at: before("2027-10-31T01:30:00Z"), shards });
    await moved(s, b.cron_id, "2027-10-31T01:30:00.000Z");
    equal([await fired(s, a.cron_id), await fired(s, b.cron_id)], [1, 2], n("once, and in both hours"));
    await s.stop();
  });

  await fire("leap day", "2028-02-29T00:00:00Z", "UTC", ["0 0 29 2 *"], async (s, [c]) => {
    equal((await moved(s, c.cron_id, "2028-02-29T00:00:00.000Z")).next_run_date, "2032-02-29T00:00:00.000Z", n("four years later"));
    equal(await fired(s, c.cron_id), 1, n("one run"));
  });

  await scenario(n("missed firings, a clock set back and forward"), async () => {
    const dir = scratch(), start = Date.parse("2027-06-01T12:00:30Z");
    let s = await open(dir, { at: start, shards });
    const c = await json(s, "POST", "/runs/crons", { schedule: "0 * * * *", assistant_id: "note", input, on_run_completed: "keep" });
    await s.stop("SIGKILL");
    // two days later: one run for all that was missed
    s = await open(dir, { at: start + 2 * day, shards });
    equal((await moved(s, c.cron_id, c.next_run_date)).next_run_date, "2027-06-03T13:00:00.000Z", n("then as ever"));
    equal(await fired(s, c.cron_id), 1, n("one run for two days"));
    await s.stop();
    // back by two hours: what has fired does not fire again
    s = await open(dir, { at: before("2027-06-03T11:00:00Z"), shards });
    const other = await json(s, "POST", "/runs/crons", { schedule: "0 11 * * *", assistant_id: "note", input, on_run_completed: "keep" });
    await moved(s, other.cron_id, other.next_run_date);
    equal([(await cron(s, c.cron_id)).next_run_date, await fired(s, c.cron_id)], ["2027-06-03T13:00:00.000Z", 1], n("nothing twice"));
    await s.stop();
    // forward by five hours: once
    s = await open(dir, { at: Date.parse("2027-06-03T16:30:00Z"), shards });
    equal((await moved(s, c.cron_id, "2027-06-03T13:00:00.000Z")).next_run_date, "2027-06-03T17:00:00.000Z", n("after the jump"));
    equal(await fired(s, c.cron_id), 2, n("one more run"));
    await s.stop();
  });

  await scenario(n("a thread's cron, its end, and what becomes of threads"), async () => {
    const dir = scratch();
    const s = await open(dir, { at: before("2027-06-01T12:00:00Z"), shards });
    const thread = (await json(s, "POST", "/threads", {})).thread_id, busy = (await json(s, "POST", "/threads", {})).thread_id;
    const body = { schedule: "0 * * * *", assistant_id: "note", input };
    const c = await json(s, "POST", `/threads/${thread}/runs/crons`, body);
    const gone = await json(s, "POST", "/runs/crons", { ...body, input: { who: "gone" } });
    const asks = await json(s, "POST", "/runs/crons", { ...body, assistant_id: "asker", on_run_completed: "keep" });
    const last = await json(s, "POST", "/runs/crons", { ...body, end_time: "2027-06-01T12:30:00Z", on_run_completed: "keep" });
    await json(s, "POST", `/threads/${busy}/runs`, { assistant_id: "nap", input: { ms: 600000 } });
    const rejected = await json(s, "POST", `/threads/${busy}/runs/crons`, { ...body, multitask_strategy: "reject" });
    for (const x of [c, gone, asks, last, rejected]) await moved(s, x.cron_id, "2027-06-01T12:00:00.000Z");
    await until(async () => (await json(s, "GET", `/threads/${thread}`)).status === "idle", "the thread's run");
    equal((await json(s, "GET", `/threads/${thread}/state`)).values.log, ["ann"], n("on its thread"));
    matches(await cron(s, last.cron_id), { enabled: false, next_run_date: null }, n("past its end it is disabled"));
    equal(await fired(s, last.cron_id), 1, n("after the last firing"));
    matches(await cron(s, rejected.cron_id), { enabled: true, next_run_date: "2027-06-01T13:00:00.000Z", last_error: { at: "2027-06-01T12:00:00.000Z", error: "CONFLICT", message: /already running/ } }, n("a firing without a run says why"));
    check(/cron_missed.*CONFLICT/.test(s.log), n("and so does the log"), s.log.slice(-500));
    equal((await runsOf(s, busy)).length, 1, n("it left the thread alone"));
    await until(async () => await fired(s, gone.cron_id) === 0, "the thread to go");
    await until(async () => (await json(s, "POST", "/threads/search", { metadata: { cron_id: asks.cron_id }, status: "interrupted" })).length === 1, "a question");
    await s.stop();
  });
}

finish();
