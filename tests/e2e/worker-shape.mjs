// Graphs of workers as the rest of the server knows them: registered, described, kept over a
// restart, refused, forgotten; states changed through a worker.  The worker is written here.
import { call, check, equal, finish, scenario, startServer, until } from "./lib.mjs";
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
  equal((await get(server, "/info")).json.workers, { graphs: { bare: 1, nest: 1 } }, "info");
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
  equal((await get(server, "/info")).json.workers, { graphs: { bare: 1, nest: 1 } }, "nothing of it is there");
});

await scenario("the same again, by many at once, costs no new agents; a changed one replaces", async () => {
  const more = await Promise.all(Array.from({ length: 8 }, () => standWorker(server, { graphs: [nest, { id: "fresh" }] })));
  equal((await get(server, "/info")).json.workers.graphs, { bare: 1, fresh: 8, nest: 9 }, "info counts them");
  equal(server.log.split("graph=fresh").length - 1, 1, "one of them made the agent");
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
  equal((await call(server, "DELETE", "/workers/graphs/fresh")).json, { ok: true }, "removed");
  equal((await call(server, "DELETE", "/workers/graphs/fresh")).status, 404, "it is gone");
  equal((await call(server, "DELETE", "/workers/graphs/agent")).status, 404, "the server's own cannot be");
  equal((await get(server, "/info")).json.workers, { graphs: { bare: 0, nest: 0 } }, "info");
  await server.stop();
  server = await startServer({ dir: server.dir });
  equal((await get(server, "/info")).json.workers, { graphs: { bare: 0, nest: 0 } }, "also after a restart");
});

await server.stop();
finish();
