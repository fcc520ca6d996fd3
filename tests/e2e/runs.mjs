// runs.mjs - the runs API with the three SDKs: later, many at once, cancelled
// together, joined, and a thread followed through all of its runs.
import { Client as Client19 } from "sdk-1.9";
import { Client as Client115 } from "sdk-1.15";
import { Client as Client20 } from "sdk-2.0";
import { call, check, equal, finish, parseEvents, scenario, startMock, startServer, until } from "./lib.mjs";

const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "0"]);
const start = (dir) => startServer({ mock, dir, args: ["--shards", "2", "--test-hooks", "--test-sweep-ms", "50"] });
let server = await start();
const hi = { messages: [{ role: "user", content: "hi" }] };
const stall = { messages: [{ role: "user", content: "mock:stall" }] };
const ask = (method, path, body, headers) => call(server, method, path, body, headers);
const thread = async () => (await ask("POST", "/threads", {})).json.thread_id;
const run = (more) => ({ assistant_id: "agent", input: hi, ...more });
const record = async (r) => (await ask("GET", `/threads/${r.thread_id}/runs/${r.run_id}`)).json;
const ended = (r) => until(async () => !["pending", "running"].includes((await record(r)).status), "the run to end");
const began = (r) => until(async () => (await record(r)).status === "running", "the run to begin");
const status = async (e) => { try { await e; return 200; } catch (x) { return x.status ?? Number(/HTTP (\d+)/.exec(x.message)?.[1]); } };

const sdks = { "1.9.31": Client19, "1.15.0": Client115, "2.0.0": Client20 };
for (const [version, Client] of Object.entries(sdks)) {
  const client = new Client({ apiUrl: server.url, callerOptions: { maxRetries: 0 } });
  const at = (what) => `sdk ${version}: ${what}`;

  // covers: client.runs.create client.runs.get client.runs.list client.runs.join client.runs.delete
  await scenario(at("create, get, list, join, delete"), async () => {
    const t = await thread();
    const r = await client.runs.create(t, "agent", { input: hi, metadata: { k: 1, run_id: "forged" }, context: { c: 1 }, config: { tags: ["x"], configurable: { mine: 1, run_id: "forged" } }, multitaskStrategy: "enqueue", durability: "sync", onCompletion: "keep", onDisconnect: "continue" });
    equal([r.status, r.thread_id, r.multitask_strategy, r.metadata.k, r.metadata.run_id, r.kwargs.context, r.kwargs.config.tags], ["pending", t, "enqueue", 1, undefined, { c: 1 }, ["x"]], at("what was asked"));
    equal([r.kwargs.config.configurable.mine, r.kwargs.config.configurable.run_id, r.kwargs.config.configurable.thread_id, r.cancel_reason, r.langsmith_session_name], [1, r.run_id, t, null, null], at("with the server's own keys"));
    check((await client.runs.join(t, r.run_id)).messages.length === 2, at("join gives the values"));
    equal((await client.runs.get(t, r.run_id)).status, "success", at("get"));
    const second = await client.runs.create(t, "agent", { input: stall });
    equal((await client.runs.list(t)).map((x) => x.run_id), [second.run_id, r.run_id], at("list, newest first"));
    equal((await client.runs.list(t, { limit: 1, offset: 1 })).map((x) => x.run_id), [r.run_id], at("a page of it"));
    equal((await client.runs.list(t, { status: "success", limit: 1000 })).map((x) => x.run_id), [r.run_id], at("by status"));
    equal((await client.runs.list(t, { status: "success", select: ["run_id", "kwargs"] })).map((x) => Object.keys(x).sort()), [["kwargs", "run_id"]], at("members of it"));
    equal(await status(client.runs.delete(t, second.run_id)), 409, at("one that is under way is not deleted"));
    await client.runs.cancel(t, second.run_id, true);
    equal((await record(second)).status, "interrupted", at("cancelled"));
    check(/^api: /.test((await record(second)).cancel_reason), at("and why"), await record(second));
    await client.runs.delete(t, r.run_id);
    equal(await status(client.runs.get(t, r.run_id)), 404, at("delete"));
  });

  // covers: client.runs.wait client.runs.stream client.runs.joinStream
  await scenario(at("wait, stream, joinStream"), async () => {
    const t = await thread();
    check((await client.runs.wait(t, "agent", { input: hi })).messages.length === 2, at("wait"));
    check((await client.runs.wait(null, "agent", { input: hi, ifNotExists: "create" })).messages.length === 2, at("wait without a thread"));
    const got = [];
    let made;
    for await (const e of client.runs.stream(t, "agent", { input: hi, streamMode: ["values", "updates"], streamResumable: true, onRunCreated: (x) => { made = x; } })) got.push(e.event);
    check(got[0] === "metadata" && got.includes("values") && got.includes("updates"), at("stream"), got);
    const again = [];
    for await (const e of client.runs.joinStream(t, made.run_id, { lastEventId: "-1" })) again.push(e.event);
    equal(again, got, at("joinStream tells it again"));
    const other = crypto.randomUUID();
    const late = await client.runs.wait(other, "agent", { input: hi, ifNotExists: "create", afterSeconds: 0.05 });
    check(late.messages.length === 2, at("a thread is made by a run that begins later"), late);
  });

  // covers: client.runs.createBatch
  await scenario(at("createBatch"), async () => {
    const made = await client.runs.createBatch([0, 1, 2].map((i) => ({ assistantId: "agent", input: hi, metadata: { i }, afterSeconds: i === 2 ? 600 : undefined, multitaskStrategy: "enqueue", onCompletion: "keep" })));
    equal(made.map((r) => [r.metadata.i, r.status]), [[0, "pending"], [1, "pending"], [2, "pending"]], at("runs in their order"));
    check(new Set(made.map((r) => r.thread_id)).size === 3, at("each on a thread of its own"));
    await ended(made[0]);
    equal([(await record(made[0])).status, (await record(made[2])).status], ["success", "pending"], at("the names of the SDK's arguments are understood"));
    check(Date.parse(made[2].created_at) - Date.now() > 500000, at("created_at is when it may begin, as the official server has it"), made[2].created_at);
    await client.runs.cancel(made[2].thread_id, made[2].run_id, true);
    const [gone] = await client.runs.createBatch([{ assistantId: "agent", input: hi }]);
    await until(async () => (await ask("GET", `/threads/${gone.thread_id}`)).status === 404, "the thread of a run to go with it");
  });

  // covers: client.runs.cancel client.runs.cancelMany
  if (client.runs.cancelMany) await scenario(at("cancelMany"), async () => {
    const a = await thread(), b = await thread();
    const one = await client.runs.create(a, "agent", { input: stall }), two = await client.runs.create(a, "agent", { input: hi });
    const three = await client.runs.create(b, "agent", { input: hi, afterSeconds: 600 });
    await began(one);
    await client.runs.cancelMany({ threadId: a, runIds: [two.run_id] });
    equal([(await record(one)).status, (await record(two)).status], ["running", "interrupted"], at("by name"));
    await client.runs.cancelMany({ status: "pending" });
    equal([(await record(one)).status, (await record(three)).status], ["running", "interrupted"], at("those that are pending"));
    await client.runs.cancelMany({ status: "all", action: "rollback" });
    equal((await record(one)).detail, "Run not found", at("all, rolled back"));
    equal([await status(client.runs.cancelMany({ status: "running" })), await status(client.runs.cancelMany({ threadId: a, runIds: [one.run_id] }))], [404, 404], at("404 when there is none"));
    equal((await ask("GET", `/threads/${a}`)).json.status, "idle", at("the thread is idle"));
  });

  // covers: client.threads.joinStream
  if (client.threads.joinStream) await scenario(at("threads.joinStream"), async () => {
    const t = await thread(), got = [], stop = new AbortController();
    const all = (async () => { try { for await (const e of client.threads.joinStream(t, { signal: stop.signal })) got.push(e); } catch { /* aborted */ } })();
    // It hears from when it is there on; a run repeats until it does.
    await until(async () => { await client.runs.wait(t, "agent", { input: hi }); return got.length > 0; }, "an event");
    await client.runs.wait(t, "agent", { input: hi });
    await until(() => got.filter((e) => e.event === "end").length >= 2, "two ends");
    const runs = [...new Set(got.filter((e) => e.event === "metadata").map((e) => e.data.run_id))];
    check(runs.length >= 2, at("several runs, one after the other"), got.map((e) => e.event));
    stop.abort();
    await all;
  });
}

// ---- later ------------------------------------------------------------------------

await scenario("order", async () => {
  const t = await thread();
  const running = (await ask("POST", `/threads/${t}/runs`, run({ input: { messages: "mock:delay=1200" } }))).json;
  const later = (await ask("POST", `/threads/${t}/runs`, run({ after_seconds: 0.3, metadata: { n: "later" } }))).json;
  const next = (await ask("POST", `/threads/${t}/runs`, run({ metadata: { n: "next" } }))).json;
  equal((await ask("POST", `/threads/${t}/runs`, run({ multitask_strategy: "reject" }))).status, 409, "one that is held is under way");
  for (const r of [running, later, next]) await ended(r);
  const seen = (await ask("POST", `/threads/${t}/history`, { limit: 100 })).json.filter((s) => s.metadata.source === "input").map((s) => s.metadata.run_id);
  equal(seen, [later, next, running].map((r) => r.run_id), "by the time from which they may begin");
});

await scenario("a held run keeps nobody waiting, and is cancelled, displaced and joined", async () => {
  const t = await thread();
  const held = (await ask("POST", `/threads/${t}/runs`, run({ after_seconds: 600 }))).json;
  equal((await ask("GET", `/threads/${t}`)).json.status, "busy", "its thread is busy");
  check((await ask("POST", `/threads/${t}/runs/wait`, run())).json.messages.length === 2, "another run passes it");
  equal((await ask("GET", `/threads/${t}`)).json.status, "busy", "and is busy afterwards, too");
  const stop = new AbortController();
  const join = fetch(`${server.url}/threads/${t}/runs/${held.run_id}/stream?cancel_on_disconnect=1`, { signal: stop.signal });
  equal((await join).status, 200, "it can be joined");
  stop.abort();
  await until(async () => (await record(held)).status === "interrupted", "the run to be cancelled when its client leaves");
  equal([(await record(held)).cancel_reason.split(":")[0], (await ask("GET", `/threads/${t}`)).json.status], ["on_disconnect", "idle"], "and why");
  const again = (await ask("POST", `/threads/${t}/runs`, run({ after_seconds: 600 }))).json;
  await ask("POST", `/threads/${t}/runs/wait`, run({ multitask_strategy: "interrupt" }));
  check(/^interrupt: superseded by run/.test((await record(again)).cancel_reason), "another takes its place", await record(again));
  const taken = (await ask("POST", `/threads/${t}/runs`, run({ after_seconds: 600 }))).json;
  equal((await ask("POST", `/threads/${t}/runs/${taken.run_id}/cancel?wait=1&action=interrupt&reason=taken`)).status, 204, "cancelled for another reason");
  check(/^taken:/.test((await record(taken)).cancel_reason), "which it tells", await record(taken));
});

await scenario("kill -9 around the due time: each begins once", async () => {
  const made = [];
  for (let i = 0; i < 12; i++) {
    const t = await thread();
    made.push((await ask("POST", `/threads/${t}/runs`, run({ after_seconds: 0.2 + i * 0.05 }))).json);
  }
  const [alone] = (await ask("POST", "/runs/batch", [run({ after_seconds: 1 })])).json;
  for (const i of [0, 6]) {          // a run that is cut off three times is given up
    await until(async () => (await record(made[i])).status !== "pending", "one to begin");
    await server.stop("SIGKILL");
    server = await start(server.dir);
  }
  for (const r of made) await ended(r);
  for (const r of made) {
    const now = await record(r);
    check(now.status === "success", "it ended well", now);
    const said = (await ask("GET", `/threads/${r.thread_id}/state`)).json.values.messages?.map((m) => m.type);
    equal(said, ["human", "ai"], "and began once");
  }
  await until(async () => (await ask("GET", `/threads/${alone.thread_id}`)).status === 404, "one without a thread to end, and its thread with it");
});

// ---- many -------------------------------------------------------------------------

await scenario("a batch is all or nothing", async () => {
  const before = (await ask("POST", "/threads/count", {})).json;
  for (const [body, code, words] of [
    [{}, 422, "body: expected an array, got an object"], [[], 422, "body: expected some runs, got none"], [["x"], 422, "0: expected an object"],
    [Array(201).fill(run()), 422, "body: expected at most 200, got 201"], [[run(), {}], 422, "1.assistant_id: "],
    [[run(), run({ assistant_id: "nobody" })], 404, "1: No assistant found"], [[run({ assistantId: "other" })], 422, "0.assistant_id: assistantId says something else"],
    [[run(), run({ after_seconds: "1" })], 422, "1.after_seconds: expected a number, got a string"], [[run({ thread_id: "x" })], 422, "0.thread_id: runs of a batch have no thread"],
    [[run(), run({ afterSeconds: -1 })], 422, "1.after_seconds: expected a number from 0"], [[run({ multitaskStrategy: "x" })], 422, "0.multitask_strategy: expected"],
    [[run(), run({ input: { messages: [{ role: "nobody", content: "x" }] } })], 422, "1: "], [[run({ webhook: 5 })], 422, "0.webhook"],
  ]) {
    const r = await ask("POST", "/runs/batch", body);
    check(r.status === code && r.json.detail.startsWith(words), `${JSON.stringify(body).slice(0, 80)}: ${words}`, `${r.status} ${r.text}`);
  }
  equal((await ask("POST", "/threads/count", {})).json, before, "nothing of them is left");
});

await scenario("what cancels many", async () => {
  const t = await thread();
  for (const [body, query, code, words] of [
    [{}, "", 422, "body: expected a status, or thread_id and run_ids"], [{ status: "x" }, "", 422, "status: expected"], [{ status: 5 }, "", 422, "status: expected"],
    [{ status: "all", thread_id: t }, "", 422, "status: not together"], [{ thread_id: t }, "", 422, "body: expected a status"], [{ thread_id: t, run_ids: [] }, "", 422, "body: expected a status"],
    [{ thread_id: t, run_ids: "x" }, "", 422, "run_ids: expected an array"], [{ thread_id: t, run_ids: ["x"] }, "", 422, "run_ids[0]: expected a UUID"], [{ thread_id: "x", run_ids: [t] }, "", 422, "thread_id: expected a UUID"],
    [{ thread_id: t, run_ids: Array(1001).fill(t) }, "", 422, "run_ids: more than 1000"], [{ status: "all" }, "?action=x", 422, "action: expected"],
    [{ thread_id: t, run_ids: [t] }, "", 404, "Run not found"], [{ status: "all" }, "", 404, "No runs found to cancel."],
  ]) {
    const r = await ask("POST", `/runs/cancel${query}`, body);
    check(r.status === code && r.json.detail.startsWith(words), `${JSON.stringify(body).slice(0, 80)}: ${words}`, `${r.status} ${r.text}`);
  }
});

// ---- a thread's stream --------------------------------------------------------------

async function listen(t, query = "", headers = {}) {
  const s = { text: "", over: false, stop: new AbortController() };
  const res = await fetch(`${server.url}/threads/${t}/stream${query}`, { headers, signal: s.stop.signal });
  s.status = res.status;
  s.headers = res.headers;
  s.done = (async () => { try { for await (const c of res.body) s.text += Buffer.from(c).toString(); s.over = "end"; } catch (e) { s.over = "cut"; } })();
  s.events = () => parseEvents(s.text);
  return s;
}

await scenario("all listeners of a thread hear the same, and it ends with the thread", async () => {
  const t = await thread();
  const first = (await ask("POST", `/threads/${t}/runs`, run({ stream_resumable: true, stream_mode: ["values", "updates"] }))).json;
  await ended(first);
  const all = [];
  for (let i = 0; i < 5; i++) all.push(await listen(t, "", { "last-event-id": "-" }));
  const life = await listen(t, "?stream_mode=lifecycle"), both = await listen(t, `?stream_modes=${encodeURIComponent('["lifecycle","state_update"]')}`);
  equal([all[0].status, all[0].headers.get("content-type"), both.headers.get("location")], [200, "text/event-stream", `/threads/${t}/stream?stream_modes=${encodeURIComponent('["lifecycle","state_update"]')}`], "a stream, and where to find it again");
  await until(() => all.every((s) => s.events().at(-1)?.event === "end"), "what is kept");
  for (let i = 0; i < 2; i++) await ask("POST", `/threads/${t}/runs/wait`, run({ stream_mode: "values" }));
  await ask("POST", `/threads/${t}/state`, { values: { messages: [{ role: "user", content: "x" }] } });
  await until(() => /state_update/.test(both.text) && all.every((s) => s.events().filter((e) => e.event === "end").length === 3) && life.events().length === 4, "three runs");
  equal(all.map((s) => s.text === all[0].text), all.map(() => true), "everybody hears the same");
  equal(life.events().map((e) => [e.event, e.json.status]), [["metadata", "running"], ["end", "success"], ["metadata", "running"], ["end", "success"]], "lifecycle");
  equal([both.events().at(-1).event, Object.keys(both.events().at(-1).json)], ["state_update", ["checkpoint"]], "an update");
  const ids = all[0].events().map((e) => e.id);
  equal([new Set(ids).size, ids.every((x) => /^[0-9a-f-]{36}:(\d+|end)$/.test(x))], [ids.length, true], "ids are of the thread");
  const again = await listen(t, "", { "last-event-id": ids[1] });
  await until(() => again.events().length >= 3, "the rest of the first run");
  equal(again.events().slice(0, 3).map((e) => e.id), ids.slice(2, 5), "resumed behind an event");
  equal((await ask("DELETE", `/threads/${t}`)).status, 204, "delete");
  for (const s of [...all, life, both, again]) await s.done;
  equal([...all, life, both, again].map((s) => s.over), Array(8).fill("end"), "it ends in order");
  equal([(await listen(t)).status, (await listen(await thread(), "", { "last-event-id": "7" })).status, (await listen(await thread(), "?stream_mode=values")).status], [404, 422, 422], "no thread, no id, no mode");
});

await scenario("a thread's stream ends when the thread is pruned, or its time is over", async () => {
  const t = await thread(), short = (await ask("POST", "/threads", { ttl: { ttl: 1 / 60, strategy: "delete" } })).json.thread_id;
  const pruned = await listen(t), kept = await listen(t), swept = await listen(short);
  equal((await ask("POST", "/threads/prune", { thread_ids: [t], strategy: "keep_latest" })).json, { pruned_count: 1 }, "keep_latest");
  equal((await ask("POST", "/threads/prune", { thread_ids: [t] })).json, { pruned_count: 1 }, "delete");
  for (const s of [pruned, kept, swept]) await s.done;
  equal([pruned.over, kept.over, swept.over], ["end", "end", "end"], "in order");
});

await scenario("pages of a thread's runs", async () => {
  const t = await thread();
  for (let i = 0; i < 5; i++) await ask("POST", `/threads/${t}/runs/wait`, run());
  const page = async (query) => { const r = await ask("GET", `/threads/${t}/runs?${query}`); return [r.json.length, r.headers.get("x-pagination-next")]; };
  equal([await page("limit=2"), await page("limit=2&offset=2"), await page("limit=2&offset=4"), await page("limit=5"), await page("status=error")],
    [[2, "2"], [2, "4"], [1, null], [5, null], [0, null]], "where the next page begins");
});

await scenario("limits and the end of a thread's stream", async () => {
  const t = await thread(), many = [];
  while (many.length < 2000) many.push(...await Promise.all(Array.from({ length: 100 }, () => listen(t))));
  const over = await listen(t);
  await over.done;
  equal(over.over, "cut", "one more than a thread may have is closed");
  for (const s of many.slice(1)) s.stop.abort();
  await until(async () => { const s = await listen(t); const life = await Promise.race([s.done.then(() => false), new Promise((r) => setTimeout(() => r(true), 100))]); s.stop.abort(); return life; }, "room again");
  const r = (await ask("POST", `/threads/${t}/runs`, run({ input: stall }))).json;
  await until(() => many[0].events().some((e) => e.json?.run_id === r.run_id), "the run");
  await ask("POST", `/threads/${t}/runs/${r.run_id}/cancel?wait=1&action=rollback`);
  await until(() => many[0].events().at(-1)?.event === "end", "its end");
  equal(many[0].events().at(-1).json, { run_id: r.run_id, status: "rollback" }, "a run that was rolled back");
  const cut = await listen(t);
  await server.stop();
  await cut.done;
  await many[0].done;
  equal([cut.over, many[0].over], ["cut", "cut"], "a server that stops cuts it, so that it is resumed");
  server = await start(server.dir);
});

// ---- what else a run says --------------------------------------------------------------

await scenario("fields", async () => {
  const t = await thread();
  const r = (await ask("POST", `/threads/${t}/runs`, run({ on_completion: "complete", langsmith_tracer: { project_name: "p", example_id: "e" }, metadata: { a: "x\u0000y", thread_id: "forged", langgraph_version: "9" } }))).json;
  equal([r.langsmith_session_name, r.kwargs.config.configurable.langsmith_project, r.kwargs.config.configurable.langsmith_example_id], ["p", "p", "e"], "langsmith_tracer is kept");
  equal([r.metadata.a, r.metadata.thread_id, r.metadata.langgraph_version], ["x\ufffdy", undefined, undefined], "NUL, and reserved keys of metadata");
  await ended(r);
  for (const [body, words] of [[{ langsmith_tracer: 5 }, "langsmith_tracer: expected an object"], [{ langsmith_tracer: { project_name: 5 } }, "langsmith_tracer.project_name: expected a string"], [{ after_seconds: [] }, "after_seconds: expected a number, got an array"], [{ after_seconds: 31536001 }, "after_seconds: expected a number from 0 to 31536000"], [{ on_disconnect: "x" }, "on_disconnect: expected"], [{ if_not_exists: 5 }, "if_not_exists: expected"]]) {
    const x = await ask("POST", `/threads/${t}/runs`, run(body));
    check(x.status === 422 && x.json.detail.startsWith(words), words, x.text);
  }
  const q = (path) => ask("GET", `/threads/${t}/runs${path}`);
  equal([(await q("?limit=1000")).status, (await q("?limit=1001")).status, (await q("?offset=-1")).status, (await q("?status=done")).status, (await q("?select=nothing")).status], [200, 422, 422, 422, 422], "of a list");
  equal((await q(`?select=${encodeURIComponent('["run_id"]')}`)).json, [{ run_id: r.run_id }], "select as JSON");
  equal((await q("?select=run_id&select=status")).json, [{ run_id: r.run_id, status: "success" }], "select, repeated");
});
finish();
