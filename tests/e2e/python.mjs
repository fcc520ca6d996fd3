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

await scenario("store", async () => {
  ok(await ask("PUT", "/store/items", { json: { namespace: ["py", "u"], key: "k", value: { n: 1 } } }), "put_item", 204);
  equal((await ask("GET", "/store/items", { params: { key: "k", namespace: "py.u" } })).json.value, { n: 1 }, "get_item");
  equal((await ask("GET", "/store/items", { params: { key: "k", namespace: "py.u", refresh_ttl: true } })).json.value, { n: 1 }, "with refresh_ttl");
  equal((await ask("POST", "/store/items/search", { json: { namespace_prefix: ["py"], limit: 10, offset: 0 } })).json.items.length, 1, "search_items");
  equal((await ask("POST", "/store/namespaces", { json: { limit: 100, offset: 0 } })).json, { namespaces: [["py", "u"]] }, "list_namespaces");
  ok(await ask("DELETE", "/store/items", { json: { key: "k", namespace: ["py", "u"] } }), "delete_item", 204);
});

await scenario("assistants and crons", async () => {
  const a = await ask("POST", "/assistants", { json: { graph_id: "agent", if_exists: "raise", name: "py" } });
  ok(a, "create");
  ok(await ask("PATCH", `/assistants/${a.json.assistant_id}`, { json: { metadata: { x: 1 } } }), "update");
  ok(await ask("DELETE", `/assistants/${a.json.assistant_id}`, { params: { delete_threads: false } }), "delete");
  ok(await ask("DELETE", "/assistants/agent", {}), "delete of the graph's own", 403);
  ok(await ask("GET", "/assistants/agent"), "which stays");
  ok(await ask("GET", "/assistants/agent/graph", { params: { xray: false } }), "get_graph");
  const c = await ask("POST", "/runs/crons", { json: { schedule: "27 15 * * *", assistant_id: "agent", input: { messages: [] }, on_run_completed: "keep", end_time: "2099-08-01T23:00:00" } });
  ok(c, "crons.create");
  ok(await ask("PATCH", `/runs/crons/${c.json.cron_id}`, { json: { enabled: false } }), "crons.update");
  equal((await ask("POST", "/runs/crons/search", { json: { limit: 10, offset: 0, enabled: false, sort_by: "next_run_date" } })).json.length, 1, "crons.search");
  equal((await ask("POST", "/runs/crons/count", { json: { metadata: {} } })).json, 1, "crons.count");
  ok(await ask("DELETE", `/runs/crons/${c.json.cron_id}`, {}), "crons.delete");
});

await server.stop();
await mock.stop();
finish();
