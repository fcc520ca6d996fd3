// Graphs of workers as the rest of the server knows them: registered, described, kept over a
// restart, refused, forgotten; states changed through a worker.  The worker is written here.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { call, check, equal, finish, processes, scenario, scratch, startServer, until } from "./lib.mjs";
import { checkpointId, putOf, standWorker, StandWorker } from "./stand-worker.mjs";

const nest = {
  id: "nest", description: "a graph with a graph in it",
  schemas: { input: { type: "object", properties: { q: { type: "string" }, a: {} } }, output: { type: "object" },
    state: { type: "object", properties: { q: { type: "string" }, log: { type: "array" } } },
    context: { type: "object", properties: { model: { type: "string" } } } },
  drawing: { nodes: [{ id: "__start__", type: "schema", data: { $schema: "x" } },
    { id: "plan", type: "runnable", data: { id: ["langgraph", "RunnableCallable"], name: "plan" } },
    { id: "sub", type: "runnable", data: { id: ["langgraph", "Pregel"], name: "sub" } }, { id: "__end__", type: "schema", data: {} }],
  edges: [{ source: "__start__", target: "plan", conditional: false }, { source: "plan", target: "sub", conditional: true, data: "yes" },
    { source: "sub", target: "__end__", conditional: false }] },
  xray: { nodes: [{ id: "__start__" }, { id: "sub:one" }], edges: [{ source: "__start__", target: "sub:one", conditional: false }] },
  subgraphs: { sub: { state: { title: "S" }, input: { title: "I" }, output: { title: "O" }, config: { title: "C" } },
    "sub|deep": { state_schema: { title: "D" } } },
};

const get = (s, target) => call(s, "GET", target);
// How many workers serve each graph.  A node counts its own, and 1 of what others serve.
const served = async (s, counts, what) => {
  const got = (await get(s, "/info")).json.workers.graphs;
  equal(s.nodes ? Object.keys(got) : got, s.nodes ? Object.keys(counts) : counts, what);
};
const ids = async (s) => (await call(s, "POST", "/assistants/search", { limit: 100 })).json.map((a) => a.graph_id).sort();

let server = await startServer();
let worker = await standWorker(server, { graphs: [nest, { id: "bare" }] });

await scenario("assistants of a graph are described without asking its worker", async () => {
  const a = await get(server, "/assistants/nest");
  equal([a.status, a.json.name, a.json.description, a.json.metadata], [200, "nest", nest.description, { created_by: "system" }], "assistant");
  const schemas = (await get(server, "/assistants/nest/schemas")).json;
  equal(schemas, { graph_id: "nest", input_schema: nest.schemas.input, output_schema: nest.schemas.output,
    state_schema: nest.schemas.state, config_schema: null, context_schema: nest.schemas.context }, "schemas, keys in their order");
  equal((await get(server, "/assistants/nest/graph")).json, nest.drawing, "graph");
  equal((await get(server, "/assistants/nest/graph?xray=true")).json, nest.xray, "graph with xray");
  equal((await get(server, "/assistants/nest/graph?xray=1")).json, nest.xray, "graph with levels");
  equal((await get(server, "/assistants/nest/subgraphs")).json, { sub: { state: { title: "S" }, input: { title: "I" }, output: { title: "O" }, config: { title: "C" } } }, "subgraphs");
  equal(Object.keys((await get(server, "/assistants/nest/subgraphs?recurse=true")).json), ["sub", "sub|deep"], "subgraphs recurse");
  equal((await get(server, "/assistants/nest/subgraphs/sub%7Cdeep")).json, { "sub|deep": { state: { title: "D" }, input: null, output: null, config: null } }, "one of them");
  equal((await get(server, "/assistants/bare/graph?xray=true")).json, { nodes: [], edges: [] }, "a graph that has told nothing");
  equal((await get(server, "/assistants/bare/subgraphs")).json, {}, "its subgraphs");
  await served(server, { bare: 1, nest: 1 }, "info");
  const own = await call(server, "POST", "/assistants", { graph_id: "nest", name: "mine", config: { configurable: { model_name: 7, anything: [1] } } });
  equal([own.status, own.json.config.configurable], [200, { model_name: 7, anything: [1] }], "an assistant with the graph's own settings");
});

await scenario("what a worker says wrongly is told with its place", async () => {
  for (const [graph, words] of [
    [{ id: "a/b" }, "id: expected"], [{ id: "x", schemas: { input: 7 } }, "schemas.input: expected an object"],
    [{ id: "x", drawing: { nodes: [{ id: 1 }], edges: [] } }, "drawing.nodes[0].id: expected a string"],
    [{ id: "x", drawing: { nodes: [] } }, "drawing.edges: expected"], [{ id: "x", subgraphs: { a: { stat: {} } } }, "stat"]]) {
    const got = await new StandWorker(server, { graphs: [graph] }, {}).register();
    check(got.status === 422 && got.text.includes(words), `${JSON.stringify(graph)}: 422 with ${words}`, got.text);
  }
  await served(server, { bare: 1, nest: 1 }, "nothing of it is there");
});

await scenario("the same again, by many at once, costs no new agents; a changed one replaces", async () => {
  const more = await Promise.all(Array.from({ length: 8 }, () => standWorker(server, { graphs: [nest, { id: "fresh" }] })));
  await served(server, { bare: 1, fresh: 8, nest: 9 }, "info counts them");
  const made = server.log.split("graph=fresh").length - 1;
  check(made >= 1 && made <= processes(server), "one of them made the agent, at each node", made);
  const other = await standWorker(server, { build: "b2", graphs: [{ ...nest, schemas: {} }] });
  equal((await get(server, "/assistants/nest/schemas")).json.input_schema, null, "the newest registration counts");
  await Promise.all([...more, other].map((w) => w.leave()));
  const again = await standWorker(server, { graphs: [nest] });
  equal((await get(server, "/assistants/nest/schemas")).json.input_schema, nest.schemas.input, "and back");
  await again.leave();
});

await scenario("a worker's graph stands for the built-in agent of its name", async () => {
  const w = await standWorker(server, { graphs: [{ id: "agent", schemas: { input: { title: "own" } } }] });
  equal((await get(server, "/assistants/agent/schemas")).json.input_schema, { title: "own" }, "its schema");
  await w.leave();
  equal((await call(server, "DELETE", "/workers/graphs/agent")).status, 200, "forgotten");
  check((await get(server, "/assistants/agent/schemas")).json.input_schema.properties.messages !== undefined, "the built-in one is back");
});

await scenario("graphs are there after a restart, before any worker is", async () => {
  await worker.leave();
  await server.stop();
  server = await startServer({ dir: server.dir });
  equal((await get(server, "/info")).json.workers, { graphs: { bare: 0, fresh: 0, nest: 0 } }, "info");
  equal((await get(server, "/assistants/nest/graph")).json, nest.drawing, "graph");
  equal(await ids(server), ["agent", "bare", "fresh", "nest", "nest", "research_agent"], "assistants");
});

await scenario("fail_fast: a run that would wait is refused", async () => {
  const t = (await call(server, "POST", "/threads", {})).json.thread_id;
  for (const path of [`/threads/${t}/runs`, `/threads/${t}/runs/wait`, `/threads/${t}/runs/stream`, "/runs/wait"]) {
    const got = await call(server, "POST", `${path}?fail_fast=true`, { assistant_id: "nest", input: {} });
    check(got.status === 503 && got.headers.get("retry-after") !== null && got.text.includes("no worker serves the graph"), `${path}: 503`, got.text);
  }
  const own = await call(server, "POST", `/threads/${t}/runs/wait?fail_fast=true`, { assistant_id: "agent", input: { messages: "hi" } });
  equal(own.status, 200, "the server's own agents wait for nobody");
});

await scenario("an operator removes a graph that nobody serves", async () => {
  const w = await standWorker(server, { graphs: [{ id: "fresh" }] });
  const busy = await call(server, "DELETE", "/workers/graphs/fresh");
  check(busy.status === 409 && busy.text.includes("serves"), "not while it is served", busy.text);
  await w.leave();
  // With three nodes the one that is asked may learn some ms later that the worker has left.
  let gone;
  await until(async () => (gone = await call(server, "DELETE", "/workers/graphs/fresh")).status !== 409 || !server.nodes, "the graph to be free");
  equal(gone.json, { ok: true }, "removed");
  equal((await call(server, "DELETE", "/workers/graphs/fresh")).status, 404, "it is gone");
  equal((await call(server, "DELETE", "/workers/graphs/agent")).status, 404, "the server's own cannot be");
  equal((await get(server, "/info")).json.workers, { graphs: { bare: 0, nest: 0 } }, "info");
  await server.stop();
  server = await startServer({ dir: server.dir });
  equal((await get(server, "/info")).json.workers, { graphs: { bare: 0, nest: 0 } }, "also after a restart");
});

// ---- states ---------------------------------------------------------------------------

const uuid = (n) => `${String(n).padStart(8, "0")}-0000-5000-8000-000000000000`;

// A run of two nodes: `plan` writes q and log, `sub` asks a question in its sub-graph.
async function twoNodes(t) {
  const ids = [checkpointId(), checkpointId(), checkpointId()], inner = checkpointId(), ns = `sub:${uuid(7)}`;
  const put = async (...a) => { const got = await t.saver(putOf(...a)); check(got.status === 200, "put", got.text); };
  await put("", ids[0], null, { q: t.input.q }, { step: -1, source: "input" });
  await put("", ids[1], ids[0], { log: [{ from: "plan", id: "m1" }] }, { step: 0, all: { q: 1, log: 1 } });
  await t.events([{ n: 1, ns: [], mode: "checkpoints", data: { id: ids[1], parent_id: ids[0], step: 0, source: "loop" } },
    { n: 2, ns: [], mode: "values", data: { q: t.input.q, log: [{ from: "plan", id: "m1" }] } },
    { n: 3, ns: [], mode: "tasks", data: { id: uuid(7), name: "sub", input: {}, triggers: ["branch:to:sub"], interrupts: [] } }]);
  await put(ns, inner, null, { deep: [1, { a: 2 }] }, { step: 0 });
  await t.events([{ n: 4, ns: [ns], mode: "checkpoints", data: { id: inner, step: 0, source: "loop" } },
    { n: 5, ns: [ns], mode: "tasks", data: { id: uuid(8), name: "one", input: {}, triggers: [], interrupts: [] } }]);
  const ask = { id: "0123456789abcdef0123456789abcdef", value: { question: "really?" } };
  const w = await t.saver({ op: "writes", groups: [{ ns, id: inner, task_id: uuid(8), task_path: "", writes: [
    { idx: -3, channel: "__interrupt__", type: "json", text: JSON.stringify([ask]) }], interrupts: [ask] }] });
  check(w.status === 200, "writes", w.text);
  await t.events([{ n: 6, ns: [ns], mode: "tasks", data: { id: uuid(8), name: "one", result: [], error: null, interrupts: [ask] } },
    { n: 7, ns: [], mode: "tasks", data: { id: uuid(7), name: "sub", result: [], error: null, interrupts: [ask] } },
    { n: 8, ns: [], mode: "updates", data: { __interrupt__: [ask] } }, { n: 9, ns: [], mode: "values", data: { __interrupt__: [ask] } }]);
  const end = await t.end({ status: "interrupted", view: { checkpoint: { checkpoint_ns: "", checkpoint_id: ids[1] },
    values: { q: t.input.q, log: [{ from: "plan", id: "m1" }] }, next: ["sub"],
    tasks: [{ id: uuid(7), name: "sub", interrupts: [ask], state: { checkpoint: { checkpoint_ns: ns, checkpoint_id: inner }, values: { deep: [1, { a: 2 }] }, next: ["one"], tasks: [{ id: uuid(8), name: "one", interrupts: [ask] }] } }] } });
  check(end.status === 200, "end", end.text);
}

// As langgraph's updateState: read, write what the node wrote, put the next checkpoint.
async function update(t) {
  const config = t.config.configurable;
  let at = config.checkpoint_id, step = 0;
  for (const [k, updates] of t.updates.entries()) {
    const found = (await t.saver({ op: "get", ns: config.checkpoint_ns, ...(at ? { id: at } : {}) })).json.found;
    if (k === 0 && updates[0].as_node === "nobody") {
      await t.end({ status: "error", error: { type: "InvalidUpdateError", message: 'Node "nobody" does not exist' } });
      return;
    }
    if (found) step = JSON.parse(found.metadata.text).step + 1;
    const id = checkpointId(), values = Object.assign({}, ...updates.map((u) => u.values));
    if (found) await t.saver({ op: "writes", groups: [{ ns: config.checkpoint_ns, id: found.id, task_id: uuid(9), task_path: "", writes: [{ idx: 0, channel: "q", type: "json", text: JSON.stringify(values.q) }] }] });
    const old = found ? Object.fromEntries(found.blobs.map((b) => [b.channel, 1])) : {};
    const put = await t.saver(putOf(config.checkpoint_ns, id, found?.id, values, { step, source: "update", all: { ...old, ...values } }));
    if (put.status !== 200) { await t.end({ status: "error", error: { type: "Error", message: put.text } }); return; }
    at = id;
  }
  const end = await t.end({ status: "success", checkpoint: { checkpoint_ns: config.checkpoint_ns, checkpoint_id: at },
    view: { checkpoint: { checkpoint_ns: config.checkpoint_ns, checkpoint_id: at }, values: {}, next: [], tasks: t.updates[0][0].as_node === "sub" ? [] : [{ id: uuid(11), name: "sub", path: ["__pregel_pull", "sub"], interrupts: [] }] } });
  check(end.status === 200, "end of an update", end.text);
}

worker = await standWorker(server, { graphs: [nest] }, { run: twoNodes, state_update: update });
const thread = (await call(server, "POST", "/threads", {})).json.thread_id;
const state = async (query = "") => (await get(server, `/threads/${thread}/state${query}`)).json;
const history = async () => (await call(server, "POST", `/threads/${thread}/history`, { limit: 100 })).json;

await scenario("threads of hosted graphs are shown as others are", async () => {
  const run = await call(server, "POST", `/threads/${thread}/runs/wait`, { assistant_id: "nest", input: { q: "why" }, config: { configurable: { temperature: "any", interrupt_on: 7 } } });
  equal([run.status, run.json.__interrupt__?.[0]?.value], [200, { question: "really?" }], `wait: ${run.text}`);
  equal(worker.tasks[0].input, { q: "why" }, "the input as it was sent");
  const c = worker.tasks[0].config.configurable;
  equal([c.temperature, c.interrupt_on, c.thread_id, c.checkpoint_ns, c.graph_id, "checkpoint_id" in c], ["any", 7, thread, "", "nest", false], "configurable is the graph's own");
  const s = await state();
  equal([s.values, s.next, s.tasks.length, s.tasks[0].name], [{ q: "why", log: [{ from: "plan", id: "m1" }] }, ["sub"], 1, "sub"], "state");
  equal([s.tasks[0].checkpoint, s.tasks[0].interrupts.map((i) => i.value)], [{ thread_id: thread, checkpoint_ns: `sub:${uuid(7)}` }, [{ question: "really?" }]], "its task");
  const deep = await state("?subgraphs=true");
  equal([deep.tasks[0].state?.values, deep.tasks[0].state?.next], [{ deep: [1, { a: 2 }] }, ["one"]], "the sub-graph's state");
  const sub = (await call(server, "POST", `/threads/${thread}/state/checkpoint`, { checkpoint: { checkpoint_ns: `sub:${uuid(7)}` } })).json;
  equal(sub.values, { deep: [1, { a: 2 }] }, "by its namespace");
  const all = await history();
  equal(all.map((x) => [x.metadata.step, x.metadata.source, x.values]), [[0, "loop", s.values], [-1, "input", { q: "why" }]], "history");
  const t = (await get(server, `/threads/${thread}`)).json;
  equal([t.status, t.values, Object.values(t.interrupts).flat().length], ["interrupted", s.values, 1], "thread");
  const found = (await call(server, "POST", "/threads/search", { values: { q: "why" } })).json;
  equal(found.map((x) => x.thread_id), [thread], "search by values");
  const extracted = (await call(server, "POST", "/threads/search", { ids: [thread], extract: { a: "values.log[0].from" } })).json;
  equal(extracted[0].extracted, { a: "plan" }, "extract");
});

await scenario("a step that is half done: its values count at the head", async () => {
  const t = (await call(server, "POST", "/threads", {})).json.thread_id;
  const one = async (x) => {
    const id = checkpointId(), ask = { id: "fedcba9876543210fedcba9876543210", value: "b?" };
    await x.saver(putOf("", id, null, { log: ["in"] }, { step: 0 }));
    await x.events([{ n: 1, ns: [], mode: "checkpoints", data: { id, step: 0, source: "loop" } },
      { n: 2, ns: [], mode: "values", data: { log: ["in"] } },
      ...["a", "b"].map((name, i) => ({ n: 3 + i, ns: [], mode: "tasks", data: { id: uuid(20 + i), name, input: {}, triggers: [], interrupts: [] } }))]);
    await x.saver({ op: "writes", groups: [{ ns: "", id, task_id: uuid(20), task_path: "", writes: [{ idx: 0, channel: "log", type: "json", text: '["a"]' }] },
      { ns: "", id, task_id: uuid(21), task_path: "", writes: [{ idx: -3, channel: "__interrupt__", type: "json", text: JSON.stringify([ask]) }], interrupts: [ask] }] });
    await x.events([{ n: 5, ns: [], mode: "updates", data: { a: { log: ["a"] } } },
      { n: 6, ns: [], mode: "tasks", data: { id: uuid(20), name: "a", result: [["log", ["a"]]], error: null, interrupts: [] } },
      { n: 7, ns: [], mode: "tasks", data: { id: uuid(21), name: "b", result: [], error: null, interrupts: [ask] } },
      { n: 8, ns: [], mode: "values", data: { __interrupt__: [ask] } }]);
    await x.end({ status: "interrupted", view: { checkpoint: { checkpoint_ns: "", checkpoint_id: id }, values: { log: ["in", "a"] }, next: ["b"],
      tasks: [{ id: uuid(20), name: "a", interrupts: [] }, { id: uuid(21), name: "b", interrupts: [ask] }] } });
  };
  const before = worker.handlers.run;
  worker.handlers.run = one;
  await call(server, "POST", `/threads/${t}/runs/wait`, { assistant_id: "nest", input: ["any", "JSON"] });
  worker.handlers.run = before;
  equal(worker.tasks.at(-1).input, ["any", "JSON"], "an input that is a list");
  const s = (await get(server, `/threads/${t}/state`)).json;
  equal([s.values, s.next], [{ log: ["in", "a"] }, ["b"]], "state");
  equal((await get(server, `/threads/${t}`)).json.values, { log: ["in", "a"] }, "thread");
  const found = (await call(server, "POST", "/threads/search", { ids: [t], extract: { last: "values.log[-1]", log: "values.log" } })).json[0];
  equal(found.extracted, { last: "a", log: ["in", "a"] }, "extract");
  equal((await call(server, "POST", `/threads/${t}/history`, {})).json[0].values, { log: ["in"] }, "history");
});

let made;
await scenario("updateState: the worker's code decides, the server keeps it", async () => {
  const before = await history();
  const got = await call(server, "POST", `/threads/${thread}/state`, { values: { q: "changed" }, as_node: "plan" });
  equal([got.status, got.json?.checkpoint?.thread_id, got.json?.checkpoint?.checkpoint_ns], [200, thread, ""], "answer");
  made = got.json.checkpoint.checkpoint_id;
  const s = await state();
  equal([s.values.q, s.values.log, s.next, s.checkpoint.checkpoint_id], ["changed", [{ from: "plan", id: "m1" }], ["sub"], made], "state");
  equal([s.metadata.source, s.metadata.graph_id, s.parent_checkpoint.checkpoint_id], ["update", "nest", before[0].checkpoint.checkpoint_id], "of it");
  equal((await get(server, `/threads/${thread}`)).json.values.q, "changed", "thread");
  equal((await history()).length, before.length + 1, "history grew by one");
  const fork = await call(server, "POST", `/threads/${thread}/state`, { values: { q: "forked" }, checkpoint_id: before[1].checkpoint.checkpoint_id });
  equal([fork.status, worker.tasks.at(-1).checkpoint.checkpoint_id], [200, before[1].checkpoint.checkpoint_id], "from an older checkpoint");
  const f = await state();
  equal([f.values, f.parent_checkpoint.checkpoint_id], [{ q: "forked" }, before[1].checkpoint.checkpoint_id], "a fork");
  equal((await get(server, `/threads/${thread}`)).json.status, "interrupted", "its status");
  const bad = await call(server, "POST", `/threads/${thread}/state`, { values: {}, as_node: "nobody" });
  equal([bad.status, bad.json.detail], [422, 'Node "nobody" does not exist'], "the graph's own words");
});

await scenario("supersteps of a new thread", async () => {
  const body = { metadata: { graph_id: "nest" }, supersteps: [{ updates: [{ values: { q: "one" }, as_node: "__input__" }] },
    { updates: [{ values: { q: "two" }, as_node: "plan" }, { values: { more: [] }, as_node: "sub" }] }] };
  const got = await call(server, "POST", "/threads", body);
  equal([got.status, got.json.values], [200, { q: "two", more: [] }], "thread");
  const all = (await call(server, "POST", `/threads/${got.json.thread_id}/history`, { limit: 100 })).json;
  equal(all.map((s) => s.values), [{ q: "two", more: [] }, { q: "one" }], "its history");
  const copy = (await call(server, "POST", `/threads/${got.json.thread_id}/copy`)).json;
  equal((await get(server, `/threads/${copy.thread_id}/state`)).json.values, { q: "two", more: [] }, "a copy");
  const id = "5f1d0000-0000-4000-8000-000000000001";
  const bad = await call(server, "POST", "/threads", { ...body, thread_id: id, supersteps: [{ updates: [{ values: {}, as_node: "nobody" }] }] });
  equal([bad.status, (await get(server, `/threads/${id}`)).status], [422, 404], "a thread whose history is refused is not made");
});

await scenario("a worker is given what was asked, as it was asked", async () => {
  const before = worker.handlers.run, at = (await history()).at(-1).checkpoint.checkpoint_id;
  worker.handlers.run = async (t) => { await t.end({ status: "success" }); };
  const asked = { command: { resume: { deep: [1, null] }, goto: ["anywhere", { node: "sub", input: { x: 1 } }] }, interrupt_before: ["plan"], interrupt_after: "*",
    durability: "sync", context: { model: "m" }, config: { tags: ["t"], recursion_limit: 9, configurable: { mine: "é\u2028" } }, checkpoint: { checkpoint_id: at }, metadata: { team: "a" } };
  const run = await call(server, "POST", `/threads/${thread}/runs/wait`, { assistant_id: "nest", ...asked }, { "x-request-tag": "h", "x-api-key": "secret" });
  const t = worker.tasks.at(-1), { configurable: c, metadata: m, ...config } = t.config;
  equal([run.status, t.kind, t.name, t.again, t.attempt, t.thread_id], [200, "run", "nest", false, 1, thread], `the task: ${run.text}`);
  equal([t.input, t.command, t.interrupt_before, t.interrupt_after, t.durability, t.context], [null, asked.command, ["plan"], "*", "sync", { model: "m" }], "as it was asked");
  equal([config, c.mine, c["x-request-tag"], c.checkpoint_id, c.checkpoint_ns], [{ tags: ["t"], recursion_limit: 9 }, "é\u2028", "h", at, ""], "config");
  check(!JSON.stringify(t).includes("secret"), "no credentials", t);
  equal([m.team, m.graph_id, m.run_id, m.thread_id, m.run_attempt], ["a", "nest", t.run_id, thread, 1], "metadata");
  const odd = await call(server, "POST", `/threads/${thread}/runs/wait`, { assistant_id: "nest", input: "a text" });
  equal([odd.status, worker.tasks.at(-1).input, "command" in worker.tasks.at(-1)], [200, "a text", false], "an input that is a text");
  for (const bad of [{ config: { recursion_limit: 0 } }, { interrupt_before: 7 }, { command: [] }, { config: { configurable: 7 } }])
    equal((await call(server, "POST", `/threads/${thread}/runs/wait`, { assistant_id: "nest", input: {}, ...bad })).status, 422, JSON.stringify(bad));
  worker.handlers.run = before;
});

await scenario("an agent without a graph of its own is one of one node", async () => {
  const w = await standWorker(server, { runs: [{ id: "echo", description: "says it again", schemas: { state: { type: "object", properties: { count: { type: "number" } } } } }] },
    { node: async (t) => { await t.end({ status: "success", output: { messages: [{ role: "ai", content: `you said ${t.state.messages.at(-1).content}` }], count: 3 } }); } });
  equal((await get(server, "/assistants/echo")).json.description, "says it again", "assistant");
  equal(Object.keys((await get(server, "/assistants/echo/schemas")).json.state_schema.properties), ["messages", "count"], "its state");
  const got = await call(server, "POST", "/runs/wait", { assistant_id: "echo", input: { messages: [{ role: "user", content: "hello" }] } });
  equal([got.json.messages?.map((m) => m.content), got.json.count], [["hello", "you said hello"], 3], `a run: ${got.text}`);
  equal((await get(server, "/info")).json.workers.graphs.echo, 1, "info");
  equal(w.errors, [], "no errors");
  await w.leave();
  equal((await call(server, "POST", "/runs/wait?fail_fast=true", { assistant_id: "echo", input: {} })).status, 503, "fail_fast");
  equal((await call(server, "DELETE", "/workers/graphs/echo")).status, 200, "forgotten");
});

await scenario("a busy thread is not changed; without a worker nothing waits long", async () => {
  let go;
  const held = new Promise((r) => { go = r; });
  worker.handlers.run = async (t) => { await held; await t.end({ status: "success" }); };
  const run = (await call(server, "POST", `/threads/${thread}/runs`, { assistant_id: "nest", input: null })).json;
  equal((await call(server, "POST", `/threads/${thread}/state`, { values: { q: 1 } })).status, 409, "busy");
  go();
  await until(async () => !["pending", "running"].includes((await get(server, `/threads/${thread}/runs/${run.run_id}`)).json.status), "the run's end");
  await worker.leave();
  equal(worker.errors, [], "the worker's own errors");
  const got = await call(server, "POST", `/threads/${thread}/state`, { values: { q: 1 } });
  check(got.status === 503 && got.headers.get("retry-after") && (got.text.includes("no worker serves") || (server.nodes && got.text.includes("no worker took"))), "503", got.text);
  const id = "5f1d0000-0000-4000-8000-000000000002";
  const seed = await call(server, "POST", "/threads", { thread_id: id, metadata: { graph_id: "nest" }, supersteps: [{ updates: [{ values: {}, as_node: "plan" }] }] });
  equal([seed.status, (await get(server, `/threads/${id}`)).status], [503, 404], "supersteps: 503, no thread");
  equal((await state()).values.q, "forked", "the state is there without a worker");
});

await scenario("a worker that goes in the middle of an update", async () => {
  let took = 0;
  const first = await standWorker(server, { graphs: [nest] }, { state_update: async () => { took++; await first.post(`/workers/${first.id}/leave`, {}); first.stopped = true; } });
  const asked = call(server, "POST", `/threads/${thread}/state`, { values: { q: "second" }, as_node: "plan" });
  await until(() => took > 0, "the first worker to take it");
  const second = await standWorker(server, { graphs: [nest] }, { state_update: update });
  equal((await asked).status, 200, "another one makes it");
  equal((await state()).values.q, "second", "once");
  const done = await call(server, "POST", `/threads/${thread}/state`, { values: { q: "done" }, as_node: "sub" });
  equal([done.status, (await state()).next, (await get(server, `/threads/${thread}`)).json.status], [200, [], "idle"], "nothing comes next");
  await second.leave();
});

await server.stop();

await scenario("a server that stops answers an update that its worker holds", async () => {
  const s = await startServer({ memory: true });
  let took = 0;
  const w = await standWorker(s, { graphs: [nest] }, { state_update: async () => { took++; } });
  const t = (await call(s, "POST", "/threads", { metadata: { graph_id: "nest" } })).json.thread_id;
  const asked = call(s, "POST", `/threads/${t}/state`, { values: { q: 1 } });
  await until(() => took > 0, "the worker to take it");
  const began = performance.now(), stopped = s.stop();
  equal((await asked).status, 503, "503");
  w.stopped = true;
  equal([(await stopped).code, performance.now() - began < 30000], [0, true], "stopped in time");
});

await scenario("files of the folder and graphs of workers live side by side", async () => {
  const dir = scratch(), file = (name) => path.join(dir, "agents", name);
  const text = (id) => `id: ${id}\nstate: {x: {}}\nnodes: {n: {set: {x: "'${id}'"}}}\nedges: [[START, n]]\n`;
  mkdirSync(path.join(dir, "agents"));
  writeFileSync(file("mine.yaml"), text("mine"));
  const s = await startServer({ dir, args: ["--agents", path.join(dir, "agents")] });
  const taken = await new StandWorker(s, { graphs: [{ id: "mine" }] }, {}).register();
  equal([taken.status, taken.json.reason], [409, "graph_taken"], "a file's id is not a worker's");
  const w = await standWorker(s, { graphs: [{ id: "other", schemas: { input: { title: "worker" } } }] });
  const title = async (id) => { const got = (await get(s, `/assistants/${id}/schemas`)).json; return got.input_schema === null ? null : got.input_schema?.title ?? "file"; };
  equal([await title("other"), await title("mine")], ["worker", "file"], "both are there");
  writeFileSync(file("more.yaml"), text("more"));
  await until(async () => (await get(s, "/assistants/more")).status === 200, "the folder's new agent");
  equal(await title("other"), "worker", "the worker's graph stays when the folder changes");
  writeFileSync(file("other.yaml"), text("other"));
  await until(async () => (await title("other")) === "file", "the file to go first");
  check(s.log.includes("graph_hidden graph=other"), "which is logged");
  rmSync(file("other.yaml"));
  await until(async () => (await title("other")) === "worker", "the worker's graph to be back");
  const run = await call(s, "POST", "/runs/wait", { assistant_id: "more", input: {} });
  equal(run.json, { x: "more" }, "files run beside");
  await w.leave();
  await s.stop();
});
finish();
