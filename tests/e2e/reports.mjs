// reports.mjs - public bug reports of servers and clients in this field, tried
// here with inputs of our own and the newest official SDK.  docs/reports.md has
// a row for each.
import { Client } from "sdk-1.15";
import { call, check, equal, finish, parseEvents, scenario, startMock, startServer, until } from "./lib.mjs";

const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "0"]);
const server = await startServer({ mock });
const client = new Client({ apiUrl: server.url, callerOptions: { maxRetries: 0 } });
const post = (target, body, headers) => call(server, "POST", target, body, headers);
const say = (content) => ({ messages: [{ role: "user", content }] });
const ids = (list) => list.map((x) => x.thread_id);
const refused = (promise, what) => promise.then(() => check(false, `${what}: not refused`), (e) => e);

await scenario("aegra 472: a finished run is joined with Last-Event-ID after a restart", async () => {
  const first = await startServer({ mock });
  const t = (await call(first, "POST", "/threads", {})).json.thread_id;
  const run = (await call(first, "POST", `/threads/${t}/runs`, { assistant_id: "agent", input: say("hi") })).json.run_id;
  await call(first, "GET", `/threads/${t}/runs/${run}/join`);
  await first.stop();
  const again = await startServer({ mock, dir: first.dir });
  for (const id of [undefined, "-1", "0"]) {
    const r = await call(again, "GET", `/threads/${t}/runs/${run}/stream`, undefined, id === undefined ? {} : { "last-event-id": id });
    const last = parseEvents(r.text).at(-1);
    equal([r.status, last?.event, last?.json.status], [200, "end", "success"], `Last-Event-ID ${id}`);
  }
  await again.stop();
});

await scenario("aegra 254, langgraphjs 2792: the graph of a thread is kept", async () => {
  const t = await client.threads.create({ graphId: "agent", metadata: { owner: "me" } });
  equal(t.metadata, { owner: "me", graph_id: "agent" }, "as said");
  equal(ids(await client.threads.search({ metadata: { graph_id: "agent", owner: "me" } })), [t.thread_id], "and found by it");
});

await scenario("aegra 189, 523: what is found shows its values", async () => {
  const t = await client.threads.create({ metadata: { shows: 1 } });
  await client.runs.wait(t.thread_id, "agent", { input: say("a title") });
  const [found] = await client.threads.search({ metadata: { shows: 1 } });
  equal(found.values.messages[0].content, "a title", "the first message");
  const got = await client.threads.get(t.thread_id);
  equal(Object.keys(got), Object.keys(found), "get has the members of search");
  equal([got.values, got.interrupts, got.config], [found.values, {}, found.config], "and their values");
});

await scenario("aegra 302: filters find", async () => {
  const t = [];
  for (const tag of ["x", "y"]) t.push((await client.threads.create({ metadata: { user: { id: 7, tags: [tag, "z"] } } })).thread_id);
  equal(ids(await client.threads.search({ metadata: { user: { id: 7 } }, sortBy: "created_at", sortOrder: "asc" })), t, "nested");
  equal(ids(await client.threads.search({ metadata: { user: { tags: ["y"] } } })), [t[1]], "a part of an array");
  equal(ids(await client.threads.search({ metadata: { user: { id: 7 } }, status: "idle", ids: [t[0], t[0]] })), [t[0]], "with status and ids, once");
  equal(await client.threads.count({ metadata: { user: { id: 7 } } }), 2, "count");
  equal(await client.threads.search({ metadata: { user: { id: "7" } } }), [], "a text is no number");
});

await scenario("aegra 90, 44; ag-ui 1220: assistants are found, the system's too, beyond the first page", async () => {
  for (let i = 0; i < 12; i++) await client.assistants.create({ graphId: "agent", name: `filler ${i}` });
  const system = await client.assistants.get("agent");
  const found = await client.assistants.search({ graphId: "agent", metadata: { created_by: "system" } });
  equal(found, [system], "by graph");
  equal((await client.assistants.search({ limit: 5, offset: 10 })).length, 4, "second page");
  equal(await client.assistants.count({ graphId: "agent" }), 13, "count");
});

await scenario("langgraph 1878: U+0000 in messages and metadata", async () => {
  const t = await client.threads.create({ metadata: { s: "a\u0000b" } });
  const r = await client.runs.wait(t.thread_id, "agent", { input: say("what's \u0000 the weather") });
  equal(r.messages[0].content, "what's \ufffd the weather", "the message");
  equal(ids(await client.threads.search({ metadata: { s: "a\u0000b" } })), [t.thread_id], "found by it");
  equal(await client.threads.search({ metadata: { s: "a" } }), [], "the text does not end there");
});

await scenario("deer-flow 2040: a client selects what a thread has not", async () => {
  const [t] = await client.threads.search({ limit: 1, select: ["thread_id", "updated_at", "values", "context"] });
  check(t.thread_id !== undefined && !("context" in t), "no 422, no context", t);
});

await scenario("aegra 115, deer-flow 4535: browsers read the run's address", async () => {
  const t = await client.threads.create();
  const r = await post(`/threads/${t.thread_id}/runs/stream`, { assistant_id: "agent", input: say("hi") }, { origin: "http://localhost:3000" });
  const exposed = r.headers.get("access-control-expose-headers") ?? "";
  check(/content-location/i.test(exposed) && /\blocation/i.test(exposed) && /x-pagination-total/i.test(exposed), "exposed", exposed);
  check(/\/runs\/[0-9a-f-]{36}/.test(r.headers.get("content-location") ?? ""), "and there", r.headers.get("content-location"));
});

await scenario("langgraph 8300, langgraphjs 2512, 2721: a namespace is not its neighbour", async () => {
  const spaces = [["users", "john_doe"], ["users", "john-doe"], ["users", "john"], ["users", "50%"], ["users", "50x"]];
  for (const ns of spaces) await client.store.putItem(ns, "k", { of: ns[1] });
  for (const ns of spaces)
    equal((await client.store.searchItems(ns)).items.map((i) => i.value.of), [ns[1]], ns.join("."));
  equal((await client.store.searchItems(["users", "%"])).items, [], "% is a character");
  equal((await client.store.searchItems(["user"])).items, [], "a part of a label is none");
});

await scenario("langgraph 5946: words beyond ASCII", async () => {
  await client.store.putItem(["words"], "zh", { text: "这是中文" });
  await call(server, "PUT", "/store/items", '{"namespace":["words"],"key":"esc","value":{"text":"\\u8fd9\\u662f caf\\u00e9"}}');
  equal((await client.store.searchItems(["words"], { query: "中文" })).items.map((i) => i.key), ["zh"], "as written");
  equal((await client.store.searchItems(["words"], { query: "café" })).items.map((i) => i.key), ["esc"], "however it was sent");
  equal((await client.store.searchItems(["words"], { filter: { text: "这是 café" } })).items.map((i) => i.key), ["esc"], "filter");
});

const stall = async () => {
  const t = await client.threads.create();
  const run = await client.runs.create(t.thread_id, "agent", { input: say("mock:stall"), streamResumable: true });
  await until(async () => (await client.threads.get(t.thread_id)).status === "busy", "busy");
  return [t.thread_id, run.run_id];
};

await scenario("aegra 475: a run whose server was killed is cancelled, its thread is free", async () => {
  const first = await startServer({ mock });
  const t = (await call(first, "POST", "/threads", {})).json.thread_id;
  const start = async () => (await call(first, "POST", `/threads/${t}/runs`, { assistant_id: "agent", input: say("mock:stall") })).json.run_id;
  const run = await start(), queued = await start();
  await until(async () => (await call(first, "GET", `/threads/${t}/runs/${run}`)).json.status === "running", "running");
  await first.stop("SIGKILL");
  const again = await startServer({ mock, dir: first.dir });
  equal((await call(again, "POST", `/threads/${t}/runs/${queued}/cancel?wait=1`)).status, 204, "cancel the one that waits");
  equal((await call(again, "GET", `/threads/${t}/runs/${queued}`)).json.status, "interrupted", "it will not run");
  equal((await call(again, "POST", `/threads/${t}/runs/${run}/cancel?wait=1`)).status, 204, "cancel");
  equal((await call(again, "GET", `/threads/${t}`)).json.status, "idle", "idle");
  equal((await call(again, "POST", "/threads/count", { status: "busy" })).json, 0, "none is busy");
  equal((await call(again, "POST", `/threads/${t}/runs/wait`, { assistant_id: "agent", input: say("go on") })).status, 200, "and runs");
  await again.stop();
});

await scenario("aegra 528: cancel?wait=1 comes back when the run has ended", async () => {
  const [t, run] = await stall();
  await client.runs.cancel(t, run, true, "interrupt");
  equal([(await client.runs.get(t, run)).status, (await client.threads.get(t)).status], ["interrupted", "idle"], "at once");
});

await scenario("aegra 462, decocms/studio 6190, EvoScientist 358: what runs is not deleted beneath its reader", async () => {
  const [t, run] = await stall();
  equal((await refused(client.runs.delete(t, run), "run")).status, 409, "run delete");
  equal((await refused(client.threads.delete(t), "thread")).status, 409, "thread delete");
  const reader = client.runs.joinStream(t, run);
  await client.runs.cancel(t, run, true);
  for await (const c of reader) check(c.event !== undefined, "the reader ends");
  await client.threads.delete(t);
  equal([(await call(server, "GET", `/threads/${t}/runs/${run}`)).status, await client.threads.count({ status: "busy" })], [404, 0], "nothing is left");
});

await scenario("langgraphjs 2751: what is said after a cancel is heard", async () => {
  const [t, run] = await stall();
  await client.runs.cancel(t, run, true);
  const r = await client.runs.wait(t, "agent", { input: say("second words") });
  equal(r.messages.filter((m) => m.type === "human").map((m) => m.content).at(-1), "second words", "in the state");
  equal(r.messages.at(-1).type, "ai", "and answered");
});

await scenario("langgraph 7778, langgraphjs 2330, 1969: joining with modes loses nothing of them", async () => {
  const t = await client.threads.create();
  const whole = [];
  for await (const c of client.runs.stream(t.thread_id, "agent", { input: say("hi"), streamMode: ["values", "updates", "messages-tuple"], streamSubgraphs: true, streamResumable: true })) whole.push(c);
  const run = whole[0].data.run_id;
  const of = (list, event) => list.filter((c) => c.event === event).map((c) => c.data);
  for (const mode of ["values", "updates", "messages"]) {
    const part = [];
    for await (const c of client.runs.joinStream(t.thread_id, run, { streamMode: mode === "messages" ? "messages-tuple" : mode, lastEventId: "-1" })) part.push(c);
    equal(of(part, mode), of(whole, mode), mode);
  }
  equal((await call(server, "GET", `/threads/${t.thread_id}/runs/${run}/stream?stream_subgraphs=true`)).status, 200, "stream_subgraphs in the query");
  equal(of(whole, "values").at(-1), (await client.threads.getState(t.thread_id)).values, "the last values are the state");
});

await scenario("open-swe 2164, 244: what runs is found by status, and by graph", async () => {
  const [t, run] = await stall();
  equal(ids(await client.threads.search({ status: "busy", metadata: { graph_id: "agent" } })), [t], "busy");
  await client.runs.cancel(t, run, true);
  equal(await client.threads.search({ status: "busy" }), [], "no longer");
});

const record = async (r) => (await call(server, "GET", `/threads/${r.thread_id}/runs/${r.run_id}`)).json;
const ended = (r) => until(async () => !["pending", "running"].includes((await record(r)).status), "the run to end");

await scenario("aegra 537: runs are cancelled together", async () => {
  const t = (await post("/threads", {})).json.thread_id;
  const r = (await post(`/threads/${t}/runs`, { assistant_id: "agent", input: say("mock:stall") })).json;
  equal((await post("/runs/cancel?action=interrupt", { status: "all" })).status, 204, "all of them");
  equal((await record(r)).status, "interrupted", "and stored by then");
});

await scenario("aegra 573, langgraph 5196: a batch with a bad entry makes nothing; what is kept has its values", async () => {
  const before = (await post("/threads/count", {})).json, one = { assistant_id: "agent", input: say("hi"), stream_mode: ["values"], on_completion: "keep" };
  equal((await post("/runs/batch", [one, { ...one, assistant_id: "" }, one])).status, 422, "refused");
  equal((await post("/threads/count", {})).json, before, "nothing was made");
  const made = (await post("/runs/batch", [one, one, one])).json;
  for (const r of made) {
    await ended(r);
    equal((await client.threads.getState(r.thread_id)).values.messages.length, 2, "values of a thread that is kept");
  }
});

await scenario("aegra 574, 580: cancelled while it is delayed, again and again; joined meanwhile", async () => {
  const t = (await post("/threads", {})).json.thread_id;
  for (let i = 0; i < 3; i++) {
    const r = (await post(`/threads/${t}/runs`, { assistant_id: "agent", input: say("hi"), after_seconds: 600 })).json;
    const join = call(server, "GET", `/threads/${t}/runs/${r.run_id}/join`);
    equal([(await record(r)).status, (await post(`/threads/${t}/runs/${r.run_id}/cancel?wait=1`)).status, (await join).status, (await record(r)).status], ["pending", 204, 200, "interrupted"], "delayed, then cancelled");
  }
  equal((await client.threads.get(t)).status, "idle", "its thread is idle");
});

await scenario("aegra 462: a queued run is cancelled as its predecessor is", async () => {
  const t = (await post("/threads", {})).json.thread_id, run = (text) => post(`/threads/${t}/runs`, { assistant_id: "agent", input: say(text) }).then((r) => r.json);
  const a = await run("mock:stall"), b = await run("mock:stall b"), c = await run("c");
  await Promise.all([a, b].map((r) => post(`/threads/${t}/runs/${r.run_id}/cancel?wait=1`)));
  await ended(c);
  equal([(await record(a)).status, (await record(b)).status, (await record(c)).status], ["interrupted", "interrupted", "success"], "the next one runs");
});

await scenario("langgraphjs 864: waits that roll each other back", async () => {
  const t = (await post("/threads", {})).json.thread_id;
  const wait = (text) => post(`/threads/${t}/runs/wait`, { assistant_id: "agent", input: say(text), multitask_strategy: "rollback" });
  const first = wait("mock:stall first");
  await until(async () => (await client.runs.list(t)).length === 1, "the first");
  const second = wait("mock:stall second");
  await until(async () => (await client.runs.list(t))[0]?.kwargs.input.messages[0].content === "mock:stall second", "the second");
  const third = await wait("third");
  await Promise.all([first, second]);
  equal(third.json.messages.filter((m) => m.type === "human").map((m) => m.content), ["third"], "as if the others had not been");
  equal((await client.runs.list(t)).length, 1, "one run is left");
});

await scenario("docs 1823: every field at its example value", async () => {
  const t = (await post("/threads", {})).json.thread_id;
  const r = await post(`/threads/${t}/runs/wait`, { assistant_id: "agent", checkpoint: { thread_id: t, checkpoint_ns: "", checkpoint_id: "", checkpoint_map: {} }, input: say("hi"), metadata: {}, config: { tags: [""], recursion_limit: 5, configurable: {} }, context: {}, interrupt_before: [], interrupt_after: [], stream_mode: ["values"], stream_subgraphs: false, stream_resumable: false, on_disconnect: "cancel", multitask_strategy: "enqueue", if_not_exists: "reject", after_seconds: 0.01, checkpoint_during: false, durability: "async" });
  equal([r.status, r.json.messages?.length], [200, 2], "runs");
  const bad = await post(`/threads/${t}/runs/wait`, { assistant_id: "agent", input: say("hi"), command: { update: null, resume: null, goto: { node: "", input: null } } });
  check(bad.status === 422 && /^command/.test(bad.json.detail), "a command beside an input is refused by name", bad.text);
});

await scenario("aegra 486: many make the same thread at once", async () => {
  const thread_id = "77777777-7777-4777-8777-777777777777";
  const made = await Promise.all(Array.from({ length: 20 }, () => post("/threads", { thread_id, if_exists: "do_nothing" })));
  equal([...new Set(made.map((r) => `${r.status} ${r.json.created_at}`))].length, 1, "one thread, twenty answers");
  equal((await post("/threads/count", { ids: [thread_id, thread_id] })).json, 1, "counted once");
});

await scenario("aegra 113: a change of metadata keeps the rest", async () => {
  const t = await client.threads.create({ graphId: "agent", metadata: { title: "old" } });
  const u = await client.threads.update(t.thread_id, { metadata: { title: "new" } });
  equal(u.metadata, { title: "new", graph_id: "agent" }, "graph_id stays");
  check(u.updated_at >= t.updated_at && /Z$|\+00:00$/.test(u.updated_at), "updated_at has its zone", u.updated_at);
  equal((await call(server, "PATCH", `/threads/${t.thread_id}`, { metadata: null })).json.metadata, u.metadata, "null changes nothing");
});

finish();
