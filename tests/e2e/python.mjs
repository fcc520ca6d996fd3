// python.mjs - what the Python SDK sends (sdk-py, shapes from the contract and
// its source): httpx repeats keys for lists, sends an empty value for None and
// true/false for booleans; a None of a run's body is left out, also `input`;
// streams bring Accept and Cache-Control; a body that is cut is asked for again
// at Location.
import { call, check, equal, finish, parseEvents, scenario, startMock, startServer, until } from "./lib.mjs";

const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "0"]);
const server = await startServer({ mock, args: ["--shards", "2"] });
const hi = { messages: [{ role: "user", content: "hi" }] };
const agent = { "user-agent": "langgraph-sdk-py/0.4.14", accept: "*/*" };
const sse = { ...agent, accept: "text/event-stream", "cache-control": "no-store" };

// httpx's encoding of params: lists repeat, None is empty, bools are words.
function query(params) {
  const out = [];
  for (const [k, v] of Object.entries(params))
    for (const one of [].concat(v ?? [""])) out.push(`${k}=${encodeURIComponent(typeof one === "boolean" ? String(one) : one)}`);
  return out.length ? `?${out.join("&")}` : "";
}
const ask = (method, path, { json, params = {}, headers = agent } = {}) => call(server, method, path + query(params), json, headers);
const ok = (r, what, status = 200) => check(r.status === status, `${what}: ${status}`, `${r.status} ${r.text}`);

const thread = async () => (await ask("POST", "/threads", { json: {} })).json.thread_id;
// runs.create/stream/wait always name these.
const run = (more) => ({ input: hi, stream_mode: "values", stream_subgraphs: false, stream_resumable: false, assistant_id: "agent", ...more });

// covers: python.threads.create python.threads.get python.threads.get_state python.threads.get_history python.threads.copy python.threads.delete
await scenario("threads", async () => {
  const r = await ask("POST", "/threads", { json: { metadata: { a: 1, graph_id: "agent" } } });
  ok(r, "create with a graph's id");
  const t = r.json.thread_id;
  equal((await ask("GET", `/threads/${t}`, { params: { include: "ttl" } })).json.thread_id, t, "get with include");
  ok(await ask("GET", `/threads/${t}/state`, { params: { subgraphs: false } }), "get_state");
  ok(await ask("GET", `/threads/${t}/state`, { params: { subgraphs: "True", select: null } }), "a boolean of Python's, and a None");
  for (const more of [{}, { checkpoint: { thread_id: t } }, { checkpoint: { checkpoint_ns: "" } }, { checkpoint: {} }, { checkpoint: null, before: null, metadata: null },
    { checkpoint: { thread_id: t, checkpoint_ns: "", checkpoint_id: null, checkpoint_map: null } }])
    equal((await ask("POST", `/threads/${t}/history`, { json: { limit: 10, ...more } })).json, [], `get_history ${JSON.stringify(more)}`);
  ok(await ask("POST", `/threads/${t}/copy`), "copy, without a body");
  ok(await ask("DELETE", `/threads/${t}`), "delete", 204);
});

// covers: python.runs.wait python.runs.list
await scenario("runs.wait and what follows", async () => {
  const t = await thread();
  const w = await ask("POST", `/threads/${t}/runs/wait`, { json: run({ metadata: { m: 1 }, if_not_exists: "create", on_disconnect: "continue", durability: "async" }) });
  check(w.json?.messages?.length === 2, "wait", w.text);
  check(/\/join$/.test(w.headers.get("location")), "and where to ask for it again", w.headers.get("location"));
  equal((await call(server, "GET", w.headers.get("location"), undefined, agent)).json, w.json, "which gives the same");
  const list = await ask("GET", `/threads/${t}/runs`, { params: { limit: 10, offset: 0, status: null, select: ["run_id", "status"] } });
  equal(list.json.map((x) => [Object.keys(x).sort(), x.status]), [[["run_id", "status"], "success"]], "runs.list with select");
  const h = await ask("POST", `/threads/${t}/history`, { json: { limit: 1 } });
  const before = h.json[0].checkpoint;
  equal((await ask("POST", `/threads/${t}/history`, { json: { limit: 10, before } })).json.length, 2, "before is a checkpoint");
  equal((await ask("POST", `/threads/${t}/history`, { json: { limit: 10, before: { configurable: before } } })).json.length, 2, "or a config");
});

await scenario("a None input", async () => {
  const { input, ...none } = run({});
  const t = await thread();
  ok(await ask("POST", `/threads/${t}/runs/wait`, { json: none }), "on a thread that never ran", 422);
  const e = await ask("POST", `/threads/${t}/runs/wait`, { json: { ...none, input: null } });
  equal(e.json.__error__, { error: "EmptyInputError", message: 'Received no input writes for "__start__"' }, "said aloud, too");
  ok(await ask("POST", "/runs/wait", { json: none }), "without a thread", 422);
  // A run that failed goes on from where it stopped.
  const f = await thread();
  const failed = await ask("POST", `/threads/${f}/runs/wait`, { json: run({ input: { messages: "mock:400x1" } }) });
  check(failed.json.__error__?.error === "BadRequestError", "a run that fails", failed.text);
  const again = await ask("POST", `/threads/${f}/runs/wait`, { json: none });
  check(again.json?.messages?.at(-1)?.type === "ai", "goes on without input", again.text);
  ok(await ask("POST", `/threads/${f}/runs/wait`, { json: none }), "but not past its end", 422);
  equal((await ask("POST", `/threads/${f}/runs/wait`, { json: { ...none, input: null } })).json, again.json, "where null gives the values as they are");
});

// covers: python.runs.stream python.runs.join_stream
await scenario("runs.stream and join_stream", async () => {
  const t = await thread();
  const s = await ask("POST", `/threads/${t}/runs/stream`, { json: run({ stream_mode: ["values", "messages-tuple"], stream_resumable: true, feedback_keys: [] }), headers: sse });
  check(/^text\/event-stream/.test(s.headers.get("content-type")), "is a stream", s.text);
  const events = parseEvents(s.text), r = events[0].json.run_id;
  equal([events[0].event, events.at(-1).event, events.at(-1).json], ["metadata", "end", { run_id: r, status: "success" }], "from metadata to end");
  const join = (params, headers = {}) => ask("GET", `/threads/${t}/runs/${r}/stream`, { params, headers: { ...sse, ...headers } });
  for (const cancel of [false, true, "False", 0])
    equal(parseEvents((await join({ cancel_on_disconnect: cancel, stream_mode: null }, { "last-event-id": "-1" })).text).length, events.length, `join_stream, cancel_on_disconnect ${cancel}, every mode`);
  const names = async (params, headers) => [...new Set(parseEvents((await join(params, headers)).text).map((x) => x.event))];
  equal(await names({ stream_mode: ["values", "updates"] }, { "last-event-id": "-1" }), ["metadata", "values", "end"], "modes by repetition");
  equal(await names({ stream_mode: "values" }, { "last-event-id": String(events.length - 2) }), ["end"], "after the last event");
  equal(await names({ stream_mode: null }), ["end"], "without a cursor");
  ok(await join({ stream_mode: null }, { "last-event-id": "1718000000000-0" }), "a cursor of another server's", 400);
  const stateless = parseEvents((await ask("POST", "/runs/stream", { json: run({ on_completion: "delete" }), headers: sse })).text);
  equal(stateless.at(-1).json.status, "success", "without a thread");
});

// covers: python.runs.create python.runs.get python.runs.join python.runs.cancel
await scenario("runs.create, join, cancel", async () => {
  const t = await thread();
  const r = (await ask("POST", `/threads/${t}/runs`, { json: run({ input: { messages: "mock:stall" }, multitask_strategy: "enqueue", webhook: null, after_seconds: null }) })).json.run_id;
  await until(async () => (await ask("GET", `/threads/${t}/runs/${r}`)).json.status === "running", "the run to run");
  ok(await ask("POST", `/threads/${t}/runs/${r}/cancel`, { params: { wait: 1, action: "interrupt", reason: "taken" } }), "cancel", 204);
  ok(await ask("GET", `/threads/${t}/runs/${r}/join`, { params: {} }), "join");
  const events = parseEvents((await ask("GET", `/threads/${t}/runs/${r}/stream`, { params: { cancel_on_disconnect: false, stream_mode: null }, headers: sse })).text);
  equal(events.map((e) => [e.event, e.json.status]), [["end", "interrupted"]], "its stream says how it ended");
  const f = (await ask("POST", `/threads/${t}/runs`, { json: run({ input: { messages: "mock:400" } }) })).json.run_id;
  await ask("GET", `/threads/${t}/runs/${f}/join`);
  const late = parseEvents((await ask("GET", `/threads/${t}/runs/${f}/stream`, { headers: sse })).text);
  equal(late.map((e) => [e.event, e.json.status]), [["end", "error"]], "one that failed, too");
});

// covers: python.runs.create_batch python.runs.cancel_many python.runs.delete
await scenario("many runs", async () => {
  const one = { assistant_id: "agent", input: hi, stream_mode: "values", stream_subgraphs: false, stream_resumable: false };
  const batch = await ask("POST", "/runs/batch", { json: [one, { ...one, metadata: { n: 2 }, webhook: undefined }] });
  equal([batch.status, batch.json.length, batch.json[1].metadata.n], [200, 2, 2], "create_batch");
  const t = await thread(), stall = run({ input: { messages: "mock:stall" } });
  const a = (await ask("POST", `/threads/${t}/runs`, { json: stall })).json.run_id, b = (await ask("POST", `/threads/${t}/runs`, { json: stall })).json.run_id;
  ok(await ask("POST", "/runs/cancel", { json: { thread_id: t, run_ids: [a, b] }, params: { action: "interrupt" } }), "cancel_many by ids", 204);
  const runs = (await ask("GET", `/threads/${t}/runs`, { params: { limit: 10, offset: 0 } })).json;
  equal(runs.map((r) => r.status), ["interrupted", "interrupted"], "both have ended");
  ok(await ask("DELETE", `/threads/${t}/runs/${a}`), "delete", 204);
  const c = (await ask("POST", `/threads/${t}/runs`, { json: stall })).json.run_id;
  ok(await ask("POST", "/runs/cancel", { json: { status: "all" }, params: { action: "rollback" } }), "cancel_many by status", 204);
  ok(await ask("GET", `/threads/${t}/runs/${c}`), "rolled back, it is gone", 404);
});

// covers: python.threads.update python.threads.search python.threads.count python.threads.prune
await scenario("threads: ttl, values, prune", async () => {
  const tag = "py-many", made = [];
  for (const text of ["a", "b"]) {
    made.push((await ask("POST", "/threads", { json: { metadata: { tag }, if_exists: "raise", ttl: { ttl: 60, strategy: "delete" } } })).json.thread_id);
    ok(await ask("POST", `/threads/${made.at(-1)}/runs/wait`, { json: run({ input: { messages: [{ type: "human", content: text, id: `m-${text}` }] } }) }), `a run of ${text}`);
  }
  equal((await ask("GET", `/threads/${made[0]}`, { params: { include: "ttl" } })).json.ttl.ttl_minutes, 60, "create with a ttl");
  ok(await ask("PATCH", `/threads/${made[0]}`, { json: { metadata: { n: 1 }, ttl: { ttl: 90, strategy: "delete" } } }), "update with a ttl");
  equal((await ask("GET", `/threads/${made[0]}`, { params: { include: "ttl" } })).json.ttl.ttl_minutes, 90, "which has the new one");
  const minimal = await ask("PATCH", `/threads/${made[0]}`, { json: { metadata: { n: 2 } }, headers: { ...agent, Prefer: "return=minimal" } });
  equal([minimal.status, minimal.text], [204, ""], "update, return_minimal");
  const search = (more) => ask("POST", "/threads/search", { json: { limit: 10, offset: 0, metadata: { tag }, ...more } });
  equal((await search({})).json.length, 2, "search by metadata");
  const values = (await ask("GET", `/threads/${made[1]}/state`, { params: { subgraphs: false } })).json.values;
  equal((await search({ values: { messages: [values.messages[0]] } })).json.map((t) => t.thread_id), [made[1]], "search by values");
  equal((await search({ ids: made, status: "idle", sort_by: "state_updated_at", sort_order: "asc", select: ["thread_id", "metadata"] })).json.map((t) => [t.thread_id, Object.keys(t).length]), made.map((t) => [t, 2]), "search with every field");
  equal((await search({ extract: { last: "values.messages[-1].type" }, ids: [made[0]] })).json[0].extracted, { last: "ai" }, "search with extract");
  equal((await ask("POST", "/threads/count", { json: { metadata: { tag }, status: "idle" } })).json, 2, "count");
  equal((await ask("POST", "/threads/count", { json: { metadata: { tag }, values: { messages: [values.messages[0]] } } })).json, 1, "count by values");
  equal((await ask("POST", "/threads/prune", { json: { thread_ids: [made[0]], strategy: "keep_latest" } })).json, { pruned_count: 1 }, "prune, keep_latest");
  equal((await ask("POST", `/threads/${made[0]}/history`, { json: { limit: 10 } })).json.length, 1, "which leaves the newest state");
  equal((await ask("POST", "/threads/prune", { json: { thread_ids: made } })).json, { pruned_count: 2 }, "prune");
  ok(await ask("GET", `/threads/${made[0]}`), "they are gone", 404);
});

// covers: python.threads.update_state python.threads.get_state python.threads.join_stream
await scenario("states, and a thread's stream", async () => {
  const t = await thread();
  await ask("POST", `/threads/${t}/runs/wait`, { json: run({}) });
  const told = await ask("POST", `/threads/${t}/state`, { json: { values: { messages: [{ type: "human", content: "told" }] }, as_node: "agent" } });
  ok(told, "update_state");
  const { checkpoint } = told.json;
  const got = await ask("POST", `/threads/${t}/state/checkpoint`, { json: { checkpoint, subgraphs: false } });
  equal(got.json.values.messages.at(-1).content, "told", "get_state by a checkpoint");
  equal((await ask("GET", `/threads/${t}/state/${checkpoint.checkpoint_id}`, { params: { subgraphs: true } })).json.values, got.json.values, "get_state by an id");
  ok(await ask("POST", `/threads/${t}/state`, { json: { values: null, checkpoint, as_node: "agent" } }), "update_state at a checkpoint, without values");
  const r = await ask("POST", `/threads/${t}/runs/wait`, { json: run({ stream_resumable: true }) });
  check(r.json?.messages?.length > 0, "a resumable run", r.text);
  const stop = new AbortController();
  const stream = await fetch(`${server.url}/threads/${t}/stream${query({ stream_mode: ["lifecycle", "state_update"] })}`, { headers: { ...sse, "last-event-id": "-" }, signal: stop.signal });
  let text = "";
  for await (const chunk of stream.body.pipeThrough(new TextDecoderStream())) { text += chunk; if (/event: end\n/.test(text)) break; }
  stop.abort();
  check(/event: metadata\n[^]*event: end\n[^]*"success"/.test(text), "join_stream of the thread", text);
});

// covers: python.store.put_item python.store.get_item python.store.search_items python.store.list_namespaces python.store.delete_item
await scenario("store", async () => {
  ok(await ask("PUT", "/store/items", { json: { namespace: ["py", "u"], key: "k", value: { n: 1 } } }), "put_item", 204);
  equal((await ask("GET", "/store/items", { params: { key: "k", namespace: "py.u" } })).json.value, { n: 1 }, "get_item");
  equal((await ask("GET", "/store/items", { params: { key: "k", namespace: "py.u", refresh_ttl: true } })).json.value, { n: 1 }, "with refresh_ttl");
  equal((await ask("POST", "/store/items/search", { json: { namespace_prefix: ["py"], limit: 10, offset: 0 } })).json.items.length, 1, "search_items");
  equal((await ask("POST", "/store/namespaces", { json: { limit: 100, offset: 0 } })).json, { namespaces: [["py", "u"]] }, "list_namespaces");
  ok(await ask("PUT", "/store/items", { json: { namespace: ["py", "v"], key: "t", value: { text: "a tree" }, index: ["text"], ttl: 10 } }), "put_item with index and ttl", 204);
  ok(await ask("PUT", "/store/items", { json: { namespace: ["py", "v"], key: "f", value: { text: "a tree" }, index: false } }), "put_item without an index", 204);
  equal((await ask("POST", "/store/items/search", { json: { namespace_prefix: ["py", "v"], filter: { text: { $eq: "a tree" } }, limit: 10, offset: 0, query: "tree", refresh_ttl: true } })).json.items.map((i) => i.key), ["t"], "search_items with every field");
  equal((await ask("POST", "/store/namespaces", { json: { prefix: ["py"], suffix: ["v"], max_depth: 2, limit: 100, offset: 0 } })).json, { namespaces: [["py", "v"]] }, "list_namespaces with every field");
  equal((await ask("GET", "/store/items", { params: { key: "nope", namespace: "py.u" } })).json, null, "a missing item is None");
  ok(await ask("DELETE", "/store/items", { json: { key: "k", namespace: ["py", "u"] } }), "delete_item", 204);
});

// covers: python.assistants.create python.assistants.get python.assistants.update python.assistants.delete python.assistants.get_graph python.assistants.get_schemas python.assistants.get_subgraphs
// covers: python.assistants.search python.assistants.count python.assistants.get_versions python.assistants.set_latest
await scenario("assistants", async () => {
  const a = await ask("POST", "/assistants", { json: { graph_id: "agent", if_exists: "raise", name: "py", config: {}, context: {}, metadata: {} } }), id = a.json.assistant_id;
  ok(a, "create");
  ok(await ask("PATCH", `/assistants/${id}`, { json: { metadata: { x: 1 }, config: { tags: ["t"] } } }), "update");
  const versions = await ask("POST", `/assistants/${id}/versions`, { json: { limit: 10, offset: 0 } });
  equal(versions.json.map((v) => v.version), [2, 1], "get_versions");
  equal((await ask("POST", `/assistants/${id}/versions`, { json: { limit: 10, offset: 0, metadata: { x: 1 } } })).json.map((v) => v.version), [2], "get_versions by metadata");
  equal((await ask("POST", `/assistants/${id}/latest`, { json: { version: 1 } })).json.version, 1, "set_latest");
  const found = await ask("POST", "/assistants/search", { json: { limit: 1, offset: 0, graph_id: "agent", name: "PY", sort_by: "updated_at", sort_order: "desc", select: ["assistant_id", "name"] } });
  equal([found.json, found.headers.get("x-pagination-next")], [[{ assistant_id: id, name: "py" }], null], "search with every field");
  equal((await ask("POST", "/assistants/search", { json: { limit: 1, offset: 0 } })).headers.get("x-pagination-next"), "1", "where the next page begins");
  equal((await ask("POST", "/assistants/count", { json: { graph_id: "agent", name: "py" } })).json, 1, "count");
  ok(await ask("DELETE", `/assistants/${id}`, { params: { delete_threads: false } }), "delete");
  ok(await ask("DELETE", "/assistants/agent", {}), "delete of the graph's own", 403);
  ok(await ask("GET", "/assistants/agent"), "which stays");
  ok(await ask("GET", "/assistants/agent/graph", { params: { xray: false } }), "get_graph");
  ok(await ask("GET", "/assistants/agent/graph", { params: { xray: 1 } }), "get_graph, a level deep");
  equal((await ask("GET", "/assistants/agent/schemas")).json.graph_id, "agent", "get_schemas");
  equal((await ask("GET", "/assistants/agent/subgraphs", { params: { recurse: true } })).json, {}, "get_subgraphs");
});

// covers: python.crons.create python.crons.create_for_thread python.crons.update python.crons.search python.crons.count python.crons.delete
await scenario("crons", async () => {
  const c = await ask("POST", "/runs/crons", { json: { schedule: "27 15 * * *", assistant_id: "agent", input: { messages: [] }, on_run_completed: "keep", end_time: "2099-08-01T23:00:00" } });
  ok(c, "create");
  const id = c.json.cron_id;
  ok(await ask("PATCH", `/runs/crons/${id}`, { json: { enabled: false, schedule: "0 10 * * *", durability: "async", stream_mode: ["values", "updates"], stream_subgraphs: true, stream_resumable: true } }), "update");
  const t = await thread();
  const of = await ask("POST", `/threads/${t}/runs/crons`, { json: { schedule: "0 0 1 1 *", assistant_id: "agent", input: hi, config: {}, metadata: { k: 1 }, context: {}, interrupt_before: ["agent"], interrupt_after: [], enabled: true, multitask_strategy: "interrupt", checkpoint_during: true } });
  equal([of.status, of.json.thread_id], [200, t], `create_for_thread ${of.text}`);
  equal((await ask("POST", "/runs/crons/search", { json: { limit: 10, offset: 0, enabled: false, sort_by: "next_run_date" } })).json.map((x) => x.cron_id), [id], "search");
  equal((await ask("POST", "/runs/crons/search", { json: { assistant_id: "agent", thread_id: t, limit: 10, offset: 0, metadata: { k: 1 }, sort_by: "created_at", sort_order: "asc", select: ["cron_id", "schedule"] } })).json, [{ cron_id: of.json.cron_id, schedule: "0 0 1 1 *" }], "search with every field");
  equal((await ask("POST", "/runs/crons/count", { json: { metadata: {} } })).json, 2, "count");
  equal((await ask("POST", "/runs/crons/count", { json: { assistant_id: "agent", thread_id: t } })).json, 1, "count of a thread's");
  ok(await ask("DELETE", `/runs/crons/${id}`, {}), "delete");
});

await server.stop();
await mock.stop();
finish();
