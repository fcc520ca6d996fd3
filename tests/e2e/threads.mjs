// threads.mjs - threads: found, ended by a ttl, pruned: with the official SDKs, as the
// Python SDK asks, and with bad inputs.
import { Client as Client19 } from "sdk-1.9";
import { Client as Client115 } from "sdk-1.15";
import { Client as Client20 } from "sdk-2.0";
import { call, check, equal, finish, scenario, scratch, startMock, startServer, until } from "./lib.mjs";

const mock = await startMock(["--delay-ms", "1", "--stream-delay-ms", "0"]);
const server = await startServer({ mock, args: ["--test-hooks", "--test-sweep-ms", "50"] });
const post = (target, body, s = server) => call(s, "POST", target, body);
const get = (target, s = server) => call(s, "GET", target);
const say = (content) => ({ assistant_id: "agent", input: { messages: [{ role: "user", content }] } });
const wait = async (t, body, s = server) => (await post(`/threads/${t}/runs/wait`, body, s)).json;
const thread = async (body = {}, s = server) => (await post("/threads", body, s)).json.thread_id;
const gone = (t, s = server) => until(async () => (await get(`/threads/${t}`, s)).status === 404, "the thread to go");
const history = async (t, s = server) => (await post(`/threads/${t}/history`, { limit: 100 }, s)).json;

for (const [version, Client] of [["1.9.31", Client19], ["1.15.0", Client115], ["2.0.0", Client20]]) {
  const client = new Client({ apiUrl: server.url, apiKey: null });
  const threads = client.threads, name = (what) => `sdk ${version}: ${what}`;

  // covers: client.threads.create client.threads.get client.threads.update client.threads.delete
  await scenario(name("a ttl"), async () => {
    const t = (await threads.create({ metadata: { v: version }, ttl: 60 })).thread_id;
    const raw = (await get(`/threads/${t}?include=ttl`)).json;
    equal([raw.ttl.strategy, raw.ttl.ttl_minutes, Date.parse(raw.ttl.expires_at) - Date.parse(raw.created_at)], ["delete", 60, 3600000], name("a number of minutes"));
    equal("ttl" in (await threads.get(t)), false, name("only when it is asked for"));
    if (version !== "2.0.0" && version !== "1.9.31") equal((await threads.get(t, { include: ["ttl"] })).ttl.ttl_minutes, 60, name("include"));
    const full = await threads.update(t, { metadata: { b: 1 }, ttl: { ttl: 1.5, strategy: "keep_latest" } });
    equal([full.metadata, full.thread_id], [{ v: version, b: 1 }, t], name("update"));
    const ttl = (await get(`/threads/${t}?include=ttl`)).json.ttl;
    equal([ttl.strategy, ttl.ttl_minutes], ["keep_latest", 1.5], name("an object"));
    const minimal = await threads.update(t, { metadata: { c: 1 }, returnMinimal: true });
    equal([version === "1.15.0" ? minimal ?? null : null, (await threads.get(t)).metadata.c], [null, 1], name("return=minimal"));
    await threads.delete(t);
    equal((await get(`/threads/${t}`)).status, 404, name("deleted"));
  });

  // covers: client.threads.search client.threads.count
  await scenario(name("search and count"), async () => {
    const mark = { mark: `m${version}` }, ids = [];
    for (let i = 0; i < 3; i++) {
      ids.push((await threads.create({ metadata: { ...mark, i } })).thread_id);
      await client.runs.wait(ids[i], "agent", { input: { messages: [{ role: "user", content: `word ${i} of ${version}` }] } });
    }
    await threads.update(ids[0], { metadata: { late: true } });
    const found = async (q) => (await threads.search({ metadata: mark, ...q })).map((x) => ids.indexOf(x.thread_id));
    equal(await found({}), [2, 1, 0], name("the newest first"));
    equal(await found({ sortBy: "updated_at" }), [0, 2, 1], name("changed last"));
    equal(await found({ sortBy: "updated_at", sortOrder: "asc" }), [1, 2, 0], name("changed first"));
    equal((await post("/threads/search", { metadata: mark, sort_by: "state_updated_at" })).json.map((x) => ids.indexOf(x.thread_id)), [2, 1, 0], name("a change of metadata is none of the state"));
    equal(await found({ status: "idle", limit: 1, offset: 1 }), [1], name("a page"));
    equal(await found({ status: "busy" }), [], name("another status"));
    const q = { metadata: mark, values: { messages: [{ type: "human", content: `word 1 of ${version}` }] } };
    equal((await post("/threads/search", q)).json.map((x) => ids.indexOf(x.thread_id)), [1], name("values of the state"));
    equal([(await post("/threads/count", q)).json, await threads.count({ metadata: mark, status: "idle" })], [1, 3], name("counted"));
    equal((await post("/threads/search", { ...q, values: { nothing: 1 } })).json, [], name("a channel that is not there"));
    const x = { metadata: mark, ids: [ids[2]], select: ["thread_id", "ttl"], extract: { last: "values.messages[-1].type", first: "values.messages[0].content",
      i: "metadata.i", graph: "metadata.graph_id", none: "values.a.b[0]", all: "interrupts", far: "values.messages[99].id" } };
    const extracted = { last: "ai", first: `word 2 of ${version}`, i: 2, graph: "agent", none: null, all: {}, far: null };
    equal((await post("/threads/search", x)).json, [{ thread_id: ids[2], extracted, ttl: null }], name("extract"));
    if (version === "1.15.0")
      equal([await found({ values: q.values, sortBy: "state_updated_at" }), (await threads.search(x))[0].extracted], [[1], extracted], name("the same by the client"));
  });

  // covers: client.threads.prune client.threads.patchState client.threads.copy client.threads.getHistory client.threads.getState
  await scenario(name("prune"), async () => {
    const t = await thread(), other = await thread();
    for (let i = 0; i < 2; i++) await wait(t, say(`turn ${i}`));
    const before = await threads.getState(t), copy = (await threads.copy(t)).thread_id;
    const prune = (thread_ids, strategy) => threads.prune !== undefined ? threads.prune(thread_ids, { strategy }) : post("/threads/prune", { thread_ids, strategy }).then((r) => r.json);
    check((await threads.getHistory(t)).length > 4, name("a history"));
    equal(await prune([t, t, crypto.randomUUID()], "keep_latest"), { pruned_count: 1 }, name("each once, and those that are there"));
    const after = await threads.getState(t);
    equal([after.values, after.checkpoint, after.parent_checkpoint, (await history(t)).length], [before.values, before.checkpoint, null, 1], name("the newest state alone"));
    check((await history(copy)).length > 4, name("a copy has its own"));
    equal((await wait(t, say("again"))).messages.length, before.values.messages.length + 2, name("a run goes on from it"));
    await threads.patchState(t, { patched: version });
    equal((await threads.get(t)).metadata.patched, version, name("patchState changes metadata"));
    equal(await prune([t, other]), { pruned_count: 2 }, name("delete is the usual"));
    equal([(await get(`/threads/${t}`)).status, (await history(copy)).length > 4], [404, true], name("gone, and the copy stays"));
  });
}

// An interrupted thread, found waiting before its node.
await scenario("what waits can be gone on with after prune", async () => {
  const t = await thread();
  await wait(t, { ...say("first") });
  await wait(t, { ...say("second"), interrupt_before: "*" });
  equal((await get(`/threads/${t}`)).json.status, "interrupted", "it waits");
  equal((await post("/threads/prune", { thread_ids: [t], strategy: "keep_latest" })).json, { pruned_count: 1 }, "pruned");
  equal([(await history(t)).length, (await get(`/threads/${t}/state`)).json.next.length], [1, 1], "one state, with its next");
  equal((await wait(t, { assistant_id: "agent", input: null })).messages.map((m) => m.type), ["human", "ai", "human", "ai"], "and goes on");
});

await scenario("a ttl that is over", async () => {
  const t = await thread({ ttl: { ttl: 0.001, strategy: "delete" } }), stays = await thread({});
  await gone(t);
  equal((await get(`/threads/${stays}`)).status, 200, "one without stays");
  const k = await thread({});
  for (let i = 0; i < 2; i++) await wait(k, say(`k${i}`));
  const before = (await get(`/threads/${k}/state`)).json;
  await call(server, "PATCH", `/threads/${k}`, { ttl: { ttl: 0.001, strategy: "keep_latest" } });
  await until(async () => (await history(k)).length === 1, "what came before to go");
  equal((await get(`/threads/${k}/state`)).json.values, before.values, "keep_latest keeps the state");
  equal((await get(`/threads/${k}?include=ttl`)).json.ttl, { strategy: "keep_latest", ttl_minutes: 0.001, expires_at: null }, "it is not due");
  await wait(k, say("k2"));
  await until(async () => (await history(k)).length === 1, "the next run to be pruned, too");
  equal((await get(`/threads/${k}/state`)).json.values.messages.length, before.values.messages.length + 2, "with its values");
});

await scenario("a run under way holds its thread", async () => {
  const t = await thread({ ttl: { ttl: 0.0005 } });
  const run = await post(`/threads/${t}/runs`, say("mock:stall"));
  if (run.status === 404) return;            // it was over before
  await until(async () => (await get(`/threads/${t}/runs/${run.json.run_id}`)).json.status === "running", "the run");
  for (let i = 0; i < 10; i++) equal((await get(`/threads/${t}`)).status, 200, "it is there");
  equal((await post("/threads/prune", { thread_ids: [t] })).json, { pruned_count: 0 }, "prune leaves it alone");
  await post(`/threads/${t}/runs/${run.json.run_id}/cancel?wait=1`);
  await gone(t);
});

await scenario("the default ttl, for threads that runs make too; over while the server was down", async () => {
  const dir = scratch(), args = ["--threads-ttl-default-ttl", "1", "--threads-ttl-strategy", "delete"];
  let s = await startServer({ mock, dir, args });
  const a = await thread({}, s), b = crypto.randomUUID(), c = await thread({ ttl: 600 }, s);
  await wait(b, { ...say("hi"), if_not_exists: "create" }, s);
  for (const t of [a, b]) equal((await get(`/threads/${t}?include=ttl`, s)).json.ttl.ttl_minutes, 1, "it has one");
  await s.stop();
  s = await startServer({ mock, dir, args: [...args, "--test-hooks", "--test-clock-ms", "61000", "--test-sweep-ms", "20"] });
  await Promise.all([gone(a, s), gone(b, s)]);
  equal((await get(`/threads/${c}`, s)).status, 200, "its own counts");
  await s.stop();
});

await scenario("kill -9 in mid-sweep", async () => {
  const dir = scratch();
  let s = await startServer({ mock, dir });
  const copies = await thread({}, s);
  for (let i = 0; i < 3; i++) await wait(copies, say(`c${i}`), s);
  for (let i = 0; i < 60; i++) {
    const t = (await post(`/threads/${copies}/copy`, undefined, s)).json.thread_id;
    await call(s, "PATCH", `/threads/${t}`, { ttl: { ttl: 0.0002, strategy: i % 2 ? "delete" : "keep_latest" } });
  }
  await s.stop();
  for (let i = 0; i < 4; i++) {
    s = await startServer({ mock, dir, args: ["--test-hooks", "--test-sweep-ms", "5", "--threads-ttl-sweep-limit", "3"] });
    await new Promise((r) => setTimeout(r, 15 * i));
    await s.stop("SIGKILL");
  }
  s = await startServer({ mock, dir, args: ["--test-hooks", "--test-sweep-ms", "5"] });
  await until(async () => (await post("/threads/count", {}, s)).json === 31, "the rest to go");
  const left = (await post("/threads/search", { limit: 100, select: ["thread_id"] }, s)).json.map((x) => x.thread_id);
  await until(async () => (await Promise.all(left.map((t) => history(t, s)))).filter((h) => h.length > 1).length === 1, "all but the source to be pruned");
  for (const t of left.slice(0, 5)) equal((await wait(t, say("on"), s)).messages.length, 8, "and they go on");
  await s.stop();
});

await scenario("what a thread holds", async () => {
  const t = await thread();
  await wait(t, say("hi"));
  const x = (await get(`/threads/${t}/storage`)).json;
  check(["checkpoints", "channel_values", "pending_writes"].every((k) => Number.isInteger(x[k].count) && Number.isInteger(x[k].bytes)), "count and bytes", x);
  check(x.channel_values.by_channel.messages.versions > 0 && x.channel_values.by_channel.messages.bytes > 0, "by channel", x);
  equal(x.total_bytes, x.checkpoints.bytes + x.channel_values.bytes + x.pending_writes.bytes, "the total is the sum");
});

// Public reports, as small inputs.
await scenario("langgraph #6686: a thread that the sweeper took is found no more", async () => {
  const made = [];
  for (let i = 0; i < 5; i++) made.push(await thread({ metadata: { r: 6686 }, ttl: { ttl: 0.001 } }));
  await until(async () => {
    const found = (await post("/threads/search", { metadata: { r: 6686 } })).json;
    for (const x of found) check([200, 404].includes((await post(`/threads/${x.thread_id}/history`, {})).status), "history answers");
    return found.length === 0;
  }, "the search to be empty");
  equal((await post("/threads/count", { metadata: { r: 6686 } })).json, 0, "and the count");
});
await scenario("aegra #302: filters together find what fits all", async () => {
  const t = await thread({ metadata: { r: 302, user: "ann", deep: { a: [1, { b: 2 }] } } });
  await thread({ metadata: { r: 302, user: "bob" } });
  await wait(t, say("needle"));
  for (const q of [{ metadata: { r: 302, user: "ann" }, status: "idle" }, { metadata: { deep: { a: [{ b: 2 }] } } }, { ids: [t], metadata: { user: "ann" }, values: { messages: [{ content: "needle" }] } }])
    equal((await post("/threads/search", q)).json.map((x) => x.thread_id), [t], JSON.stringify(q));
});
await scenario("aegra #288: nothing of a deleted thread is left to see", async () => {
  const t = await thread({ metadata: { r: 288 } });
  await wait(t, say("hi"));
  await call(server, "DELETE", `/threads/${t}`);
  for (const target of ["", "/state", "/history", "/runs", "/storage", "/transcript"]) equal((await get(`/threads/${t}${target}`)).status, 404, target);
  equal((await post("/threads", { thread_id: t })).json.metadata, {}, "its id is free, and new");
  equal(await history(t), [], "without a history");
});
await scenario("deer-flow #2057: select may name context", async () =>
  equal((await post("/threads/search", { limit: 1, select: ["status", "context"] })).json.every((x) => Object.keys(x).join() === "status"), true, "without effect"));
await scenario("langchain-mongodb #151: a run on a thread that lost its past", async () => {
  const t = await thread();
  for (let i = 0; i < 3; i++) await wait(t, say(`m${i}`));
  await post("/threads/prune", { thread_ids: [t], strategy: "keep_latest" });
  equal((await wait(t, say("m3"))).messages.filter((m) => m.type === "human").map((m) => m.content), ["m0", "m1", "m2", "m3"], "knows all of it");
});

await scenario("as the Python SDK asks", async () => {
  const t = (await post("/threads", { metadata: {}, ttl: { ttl: 5, strategy: "delete" } })).json.thread_id;
  for (const query of ["include=ttl", "include=ttl&include=ttl", `include=${encodeURIComponent('["ttl"]')}`, "include=ttl%2Cttl", "include="])
    equal("ttl" in (await get(`/threads/${t}?${query}`)).json, query !== "include=", query);
  const r = await call(server, "PATCH", `/threads/${t}`, { metadata: { a: 1 }, ttl: { ttl: 7, strategy: "delete" } }, { prefer: "return=minimal" });
  equal([r.status, r.text], [204, ""], "minimal");
  equal((await post("/threads/prune", { thread_ids: [t], strategy: "delete" })).json, { pruned_count: 1 }, "prune");
});

const id = "22222222-2222-4222-8222-222222222222";
const eleven = Object.fromEntries(Array.from({ length: 11 }, (_, i) => [`k${i}`, "values.a"]));
await scenario("what is wrong is named", async () => {
  for (const [method, target, body, words] of [
    ...[0, -1, 5256001, 1e300, "5", true, [], [5]].map((ttl) => ["POST", "/threads", { ttl }, "ttl: expected minutes"]),
    ...[{}, { ttl: 0 }, { ttl: "1" }, { ttl: null }].map((ttl) => ["POST", "/threads", { ttl }, "ttl"]),
    ["POST", "/threads", { ttl: { ttl: 1, strategy: "keep" } }, "strategy: expected"],
    ["POST", "/threads", { ttl: { ttl: 1, strategy: 1 } }, "strategy: expected"],
    ["POST", "/threads", { ttl: { ttl: 1, minutes: 2 } }, "minutes"],
    ["PATCH", `/threads/${id}`, { ttl: false }, "ttl: expected minutes"],
    ["GET", `/threads/${id}?include=values`, undefined, "include: expected ttl"],
    ["GET", `/threads/${id}?include=ttl,x`, undefined, "include: expected ttl"],
    ...[{}, { thread_ids: null }, { thread_ids: "x" }, { thread_ids: {} }, { thread_ids: [1] }, { thread_ids: ["x"] }, { thread_ids: [id, ""] }].map((b) => ["POST", "/threads/prune", b, "thread_ids"]),
    ["POST", "/threads/prune", { thread_ids: [id], strategy: "all" }, "strategy: expected"],
    ["POST", "/threads/prune", { thread_ids: [id], strategy: ["delete"] }, "strategy: expected"],
    ["POST", "/threads/prune", { thread_ids: Array(1001).fill(id) }, "thread_ids: more than 1000"],
    ...[{}, { metadata: null }, { metadata: [] }, { metadata: "x" }].map((b) => ["PATCH", `/threads/${id}/state`, b, "metadata: expected an object"]),
    ...["x", [], 5].map((values) => ["POST", "/threads/search", { values }, "values: expected an object"]),
    ["POST", "/threads/count", { values: 1 }, "values: expected an object"],
    ["POST", "/threads/search", { values: { a: "x".repeat(9000) } }, "8192"],
    ...["", "x", "x.y", "state.a", "values.", "values..a", "values[", "values[]", "values[x]", "values[1.5]", "values.a[1", "values.a]b[", "values[0]a", "valuesx.a", ".values", 5, null, [], "values" + ".a".repeat(33)]
      .map((p) => ["POST", "/threads/search", { extract: { p } }, "extract.p"]),
    ...["x", [], 5].map((extract) => ["POST", "/threads/search", { extract }, "extract: expected an object"]),
    ["POST", "/threads/search", { extract: eleven }, "extract: expected at most 10"],
    ["POST", "/threads/search", { sort_by: "values" }, "sort_by: expected"],
    ["POST", "/threads/search", { sort_by: ["updated_at"] }, "sort_by"],
  ]) {
    const r = await call(server, method, target, body);
    equal([r.status, r.json.detail?.includes(words)], [422, true], `${method} ${target} ${JSON.stringify(body)?.slice(0, 70)}: ${r.text}`);
  }
  const none = await call(server, "PATCH", `/threads/${id}/state`, { metadata: {} });
  equal([none.status, none.json.detail], [404, "Thread not found"], "no such thread");
});

finish();
