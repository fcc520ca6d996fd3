// workers.mjs - the wire of workers over plain HTTP: who may register, poll, drain and speak
// for a task; what is wrong with a body and where; a worker that was paused.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { binary, call, check, equal, finish, scenario, scratch, startServer, until } from "./lib.mjs";

const dir = scratch(), keysFile = path.join(dir, "keys");
function makeKey(sub, limits) {
  const out = execFileSync(binary, ["token", "--api-key", "--sub", sub, ...(limits ? ["--limits", limits] : [])], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  const [key, line] = out.trim().split("\n");
  return { key, line, headers: { "x-api-key": key } };
}
const k = { ann: makeKey("ann"), bob: makeKey("bob"), admin: makeKey("ops", "scopes=admin"), any: makeKey("w-any", "scopes=worker"),
  other: makeKey("w-other", "scopes=worker"), some: makeKey("w-some", "scopes=worker graphs=alpha,beta") };
writeFileSync(keysFile, Object.values(k).map((x) => x.line).join("\n") + "\n", { mode: 0o600 });
const lease = 1000;
const server = await startServer({ memory: true, args: ["--api-keys", keysFile, "--workers-lease", String(lease), "--test-hooks"] });

const hello = (more = {}) => ({ name: "w", build: "b1", lang: "test", protocol: 1, slots: { run: 2, node: 4 }, ...more });
const post = (target, body, key = k.any, headers = {}) => call(server, "POST", target, body, { ...key?.headers, ...headers });
const get = (target, key) => call(server, "GET", target, undefined, key?.headers);
const register = async (more, key = k.any) => {
  const r = await post("/workers", hello(more), key);
  if (r.status !== 200) throw new Error(`registering: ${r.status} ${r.text}`);
  return { id: r.json.worker_id, key, ...r.json };
};
const poll = (w, free = { run: 2, node: 4 }) => post(`/workers/${w.id}/poll`, { free }, w.key);
const leave = (w) => post(`/workers/${w.id}/leave`, {}, w.key);

await scenario("a worker registers, polls and leaves", async () => {
  const r = await post("/workers", hello({ tools: [{ name: "charge", description: "charges", schema: { type: "object" } }], nodes: [{ name: "enrich" }] }));
  equal([r.status, Object.keys(r.json).sort()], [200, ["beat_s", "lease_s", "now", "poll_s", "worker_id"]], "the answer");
  equal([r.json.beat_s, r.json.lease_s], [lease / 4000, lease / 1000], "a beat is a quarter of the lease");
  const w = { id: r.json.worker_id, key: k.any };
  const waits = poll(w);
  const list = await until(async () => { const l = (await get("/workers", k.admin)).json; return l.find((x) => x.worker_id === w.id)?.polling && l; }, "the poll to wait");
  const one = list.find((x) => x.worker_id === w.id);
  equal([one.name, one.build, one.lang, one.status, one.slots, one.tasks, one.nodes, one.tools], ["w", "b1", "test", "live", { run: 2, node: 4 }, 0, ["enrich"], ["charge"]], "the list");
  equal((await get(`/workers/${w.id}`, k.admin)).json.worker_id, w.id, "one of it");
  const second = poll(w);
  const first = await waits;
  equal([first.status, first.json.tasks, first.json.quiet, first.json.cancel], [200, [], false, []], "a second poll ends the first with an empty answer");
  equal((await post(`/workers/${w.id}/drain`, {}, k.admin)).status, 200, "drain");
  equal([(await second).json.quiet, (await second).json.tasks], [true, []], "a poll that waits is told at once");
  equal((await get(`/workers/${w.id}`, k.admin)).json.status, "draining", "and it is shown");
  equal((await leave(w)).status, 200, "it leaves");
  const gone = await poll(w);
  equal([gone.status, gone.json.reason], [404, "unknown_worker"], "a poll after that");
  equal((await get(`/workers/${w.id}`, k.admin)).json.reason, "unknown_worker", "nor is it shown");
});

await scenario("a worker that is silent for three leases is gone", async () => {
  const w = await register({ nodes: [{ name: "quiet-one" }] });
  await until(async () => (await get(`/workers/${w.id}`, k.admin)).status === 404, "it to be gone", 10 * lease);
  equal((await poll(w)).json.reason, "unknown_worker", "it registers again");
});

await scenario("keys: a worker's opens the routes of workers only, another's none of them", async () => {
  const w = await register({ nodes: [{ name: "n" }] });
  const task = "/tasks/00000000-0000-4000-8000-000000000000", token = { "x-task-token": "0".repeat(32) };
  const worker = [["POST", "/workers", hello({ nodes: [{ name: "n2" }] })], ["POST", `/workers/${w.id}/poll`, { free: {} }], ["POST", `/workers/${w.id}/leave`, {}],
    ...["events", "saver", "store", "end"].map((v) => ["POST", `${task}/${v}`, {}])];
  for (const [method, target, body] of worker) {
    for (const who of ["ann", "admin"]) equal((await call(server, method, target, body, { ...k[who].headers, ...token })).status, 403, `${who}: ${method} ${target}`);
    equal((await call(server, method, target, body, token)).status, 401, `nobody: ${method} ${target}`);
    equal((await call(server, method, target, body, { "x-api-key": "ck_wrong", ...token })).status, 401, `a wrong key: ${method} ${target}`);
  }
  const users = [["POST", "/threads", {}], ["POST", "/threads/search", {}], ["POST", "/assistants/search", {}], ["GET", "/assistants/agent"], ["POST", "/runs/wait", { assistant_id: "agent", input: {} }],
    ["PUT", "/store/items", { namespace: ["a"], key: "b", value: {} }], ["POST", "/store/items/search", { namespace_prefix: [] }], ["POST", "/runs/crons/search", {}], ["POST", "/agents/search", {}],
    ["GET", "/work/items"], ["POST", "/session", {}], ["GET", "/session"], ["GET", "/workers"], ["GET", "/workers/log"], ["GET", `/workers/${w.id}`], ["POST", `/workers/${w.id}/drain`, {}],
    ["POST", "/internal/truncate", { threads: true }], ["POST", "/mcp", { jsonrpc: "2.0", id: 1, method: "tools/list" }], ["GET", "/v1/models"], ["POST", "/messages", {}]];
  for (const [method, target, body] of users) equal((await call(server, method, target, body, k.any.headers)).status, 403, `a worker's key: ${method} ${target}`);
  for (const target of ["/workers", "/workers/log", `/workers/${w.id}`]) equal([(await get(target, k.ann)).status, (await get(target, k.admin)).status], [403, 200], `${target} is for operators`);
  equal((await post(`/workers/${w.id}/drain`, {}, k.ann)).status, 403, "so is drain");
  for (const target of ["/ok", "/info", "/metrics"]) equal((await get(target, k.any)).status, 200, `${target} is open`);
  await leave(w);
});

await scenario("a worker's id and its names are of its key", async () => {
  const w = await register({ nodes: [{ name: "mine" }], tools: [{ name: "mine", description: "d", schema: {} }] });
  equal([(await post(`/workers/${w.id}/poll`, { free: {} }, k.other)).status, (await post(`/workers/${w.id}/leave`, {}, k.other)).status], [403, 403], "another key speaks for it");
  const node = await post("/workers", hello({ nodes: [{ name: "mine" }] }), k.other);
  equal([node.status, node.json.reason], [409, "node_taken"], "another key serves its node");
  const tool = await post("/workers", hello({ tools: [{ name: "mine", description: "d", schema: {} }] }), k.other);
  equal([tool.status, tool.json.reason], [409, "tool_taken"], "or its tool");
  const again = await register({ nodes: [{ name: "mine" }] });
  await leave(again);
  await leave(w);
  const free = await register({ nodes: [{ name: "mine" }] }, k.other);
  await leave(free);
  for (const [what, status] of [[{ nodes: [{ name: "alpha" }] }, 200], [{ tools: [{ name: "beta", description: "d", schema: {} }] }, 200], [{ nodes: [{ name: "gamma" }] }, 403],
    [{ graphs: [{ id: "gamma" }] }, 403], [{ runs: [{ id: "gamma" }] }, 403], [{ nodes: [{ name: "alpha" }, { name: "gamma" }] }, 403]]) {
    const r = await post("/workers", hello(what), k.some);
    equal(r.status, status, `graphs=alpha,beta: ${JSON.stringify(what)}`);
    if (r.status === 200) await leave({ id: r.json.worker_id, key: k.some });
    else check(r.json.detail.includes("gamma") && r.json.detail.includes("graphs="), "and it says which", r.text);
  }
});

// What is wrong: [method, target, body, status, words...].
const bad = [
  ...[
    [[], "expected an object"], [{}, "name: expected a text"], [{ name: "" }, "name: expected a text"], [{ name: 7 }, "name: expected a string"], [{ name: "x".repeat(201) }, "name: expected at most 200"],
    [{ name: "w" }, "build: expected a text"], [{ name: "w", build: {} }, "build: expected a string"], [{ name: "w", build: "b" }, "lang: expected a text"],
    [{ name: "w", build: "b", lang: "js" }, "slots: expected"], [hello({ slots: 3 }), "slots: expected an object"], [hello({ slots: { run: -1 } }), "slots.run"], [hello({ slots: { run: 1.5 } }), "slots.run"],
    [hello({ slots: { run: "2" } }), "slots.run: expected an integer"], [hello({ slots: { node: 10001 } }), "slots.node"], [hello({ slots: { runs: 1 }, nodes: [{ name: "n" }] }), "slots.runs"],
    [hello({ protocol: 2 }), "protocol"], [hello({ protocol: "1" }), "protocol"], [hello(), "1 to 1000"], [hello({ graphs: [] }), "1 to 1000"], [hello({ graphs: {} }), "1 to 1000"],
    [hello({ graphs: "agent" }), "1 to 1000"], [hello({ graphs: ["agent"] }), "graphs.0: expected an object"], [hello({ graphs: [{}] }), "graphs.0.id"], [hello({ graphs: [{ id: 1 }] }), "graphs.0.id: expected a string"],
    [hello({ graphs: [{ id: "" }] }), "graphs.0.id: expected letters"], [hello({ graphs: [{ id: "a b" }] }), "graphs.0.id: expected letters"], [hello({ graphs: [{ id: "../x" }] }), "graphs.0.id"],
    [hello({ graphs: [{ id: "é" }] }), "graphs.0.id"], [hello({ graphs: [{ id: "0b9b4c5e-9f6a-4c1e-8a57-4f1f8a3d2b10" }] }), "no UUID"], [hello({ graphs: [{ id: "x".repeat(201) }] }), "graphs.0.id: expected at most 200"],
    [hello({ graphs: [{ id: "g" }, { id: "g" }] }), "graphs.1.id: \"g\" is named twice"], [hello({ graphs: [{ id: "g" }], runs: [{ id: "g" }] }), "runs.0.id: \"g\" is named twice"],
    [hello({ graphs: [{ id: "g", path: "x" }] }), "graphs.0.path"], [hello({ graphs: [{ id: "g", description: 1 }] }), "graphs.0.description"], [hello({ graphs: [{ id: "g", schemas: 1 }] }), "graphs.0.schemas: expected an object"],
    [hello({ graphs: [{ id: "g", schemas: { input: "string" } }] }), "graphs.0.schemas.input"], [hello({ graphs: [{ id: "g", schemas: { in: {} } }] }), "graphs.0.schemas.in"],
    [hello({ graphs: [{ id: "g", drawing: [] }] }), "graphs.0.drawing: expected an object"], [hello({ graphs: [{ id: "g", drawing: { nodes: [] } }] }), "graphs.0.drawing.edges"],
    [hello({ graphs: [{ id: "g", drawing: { nodes: {}, edges: [] } }] }), "graphs.0.drawing.nodes: expected an array"], [hello({ graphs: [{ id: "g", drawing: { nodes: ["a"], edges: [] } }] }), "graphs.0.drawing.nodes.0"],
    [hello({ graphs: [{ id: "g", drawing: { nodes: [], edges: [], look: 1 } }] }), "graphs.0.drawing.look"], [hello({ graphs: [{ id: "g", xray: { nodes: [1], edges: [] } }] }), "graphs.0.xray.nodes.0"],
    [hello({ graphs: [{ id: "g", subgraphs: [] }] }), "graphs.0.subgraphs: expected an object"], [hello({ graphs: [{ id: "g", subgraphs: { a: 1 } }] }), "graphs.0.subgraphs"],
    [hello({ runs: [{ id: "r", drawing: { nodes: [], edges: [] } }] }), "runs.0.drawing"], [hello({ runs: [{ name: "r" }] }), "runs.0.name"], [hello({ nodes: [{ id: "n" }] }), "nodes.0.id"],
    [hello({ nodes: [{ name: "n", input_schema: [] }] }), "nodes.0.input_schema"], [hello({ nodes: [{ name: "n", idempotent: "yes" }] }), "nodes.0.idempotent"], [hello({ nodes: [{ name: "n", timeout_s: 0 }] }), "nodes.0.timeout_s"],
    [hello({ nodes: [{ name: "n", timeout_s: 86401 }] }), "nodes.0.timeout_s"], [hello({ nodes: [{ name: "a/b" }] }), "nodes.0.name"], [hello({ nodes: [{ name: "n" }, { name: "n" }] }), "nodes.1.name"],
    [hello({ tools: [{ name: "t" }] }), "tools.0.schema"], [hello({ tools: [{ name: "t", schema: {} }] }), "tools.0.description"], [hello({ tools: [{ name: "t", description: "d" }] }), "tools.0.schema"],
    [hello({ tools: [{ name: "t.x", description: "d", schema: {} }] }), "tools.0.name: expected 1 to 64"], [hello({ tools: [{ name: "a__b", description: "d", schema: {} }] }), "tools.0.name"],
    [hello({ tools: [{ name: "x".repeat(65), description: "d", schema: {} }] }), "tools.0.name"], [hello({ tools: [{ name: "t", description: "d", schema: "object" }] }), "tools.0.schema"],
    [hello({ tools: [{ name: "t", description: "d", schema: {}, args: {} }] }), "tools.0.args"], [hello({ nodes: [{ name: "n" }], key: "ck_x" }), "key"], [hello({ nodes: [{ name: "n" }], Name: "x" }), "Name"],
    [hello({ nodes: Array.from({ length: 1001 }, (_, i) => ({ name: `n${i}` })) }), "1 to 1000"], [hello({ nodes: [null] }), "nodes.0: expected an object"], [hello({ nodes: [[]] }), "nodes.0: expected an object"],
  ].map(([body, ...words]) => ["/workers", body, 422, ...words]),
  ["/workers", "{", 400, "Malformed JSON"], ["/workers", "", 422, "expected an object, got nothing"], ["/workers", "{\"name\":\"\xff\"}", 422, "build"],
];

await scenario("bodies that are wrong", async () => {
  for (const [target, body, status, ...words] of bad) {
    const r = await post(target, body);
    check(r.status === status && words.every((x) => r.text.includes(JSON.stringify(x).slice(1, -1))), `${target} ${(JSON.stringify(body) ?? "").slice(0, 120)}`, `${r.status} ${r.text.slice(0, 300)}, not ${status} ${words}`);
  }
  equal((await get("/workers", k.admin)).json.filter((w) => w.nodes.includes("n")).length, 0, "none was registered");
  const large = await post("/workers", JSON.stringify(hello({ graphs: [{ id: "g", description: "x".repeat(4 * 1024 * 1024) }] })));
  equal(large.status, 413, "a registration of more than 4 MB");

  const w = await register({ nodes: [{ name: "n" }] });
  for (const [target, body, status, ...words] of [
    [`/workers/${w.id}/poll`, {}, 422, "free: expected"], [`/workers/${w.id}/poll`, { free: 1 }, 422, "free: expected an object"], [`/workers/${w.id}/poll`, { free: { run: -1 } }, 422, "free.run"],
    [`/workers/${w.id}/poll`, { free: { run: "1" } }, 422, "free.run"], [`/workers/${w.id}/poll`, { free: { tool: 1 } }, 422, "free.tool"], [`/workers/${w.id}/poll`, { free: {}, wait: 1 }, 422, "wait"],
    [`/workers/${w.id}/poll`, [], 422, "expected an object"], ["/workers/nobody/poll", { free: {} }, 404, "unknown_worker"], ["/workers/00000000-0000-4000-8000-000000000000/poll", { free: {} }, 404, "unknown_worker"],
    [`/workers/${w.id}/leave`, { why: 1 }, 422, "why"], ["/workers/nobody/leave", {}, 404, "unknown_worker"],
  ]) {
    const r = await post(target, body);
    check(r.status === status && words.every((x) => r.text.includes(x)), `${target} ${JSON.stringify(body)}`, `${r.status} ${r.text}`);
  }
  for (const [target, status] of [["/workers/log?limit=0", 422], ["/workers/log?limit=x", 422], ["/workers/log?run_id=x", 422], ["/workers/nobody", 404]]) equal((await get(target, k.admin)).status, status, target);
  equal((await post(`/workers/${w.id}/drain`, { now: true }, k.admin)).status, 422, "drain takes nothing");
  await leave(w);
});

await scenario("requests about tasks", async () => {
  const task = "/tasks/00000000-0000-4000-8000-000000000000", token = { "x-task-token": "0".repeat(32) };
  for (const verb of ["events", "saver", "store", "end"]) {
    equal((await post(`${task}/${verb}`, {})).status, 401, `${verb} without a token`);
    const lost = await post(`${task}/${verb}`, {}, k.any, token);
    equal([lost.status, lost.json.reason], [409, "lost_lease"], `${verb} of a task that is not there`);
    equal((await post(`/tasks/x/${verb}`, {}, k.any, token)).status, 404, `${verb} of no task`);
    equal((await post(`${task}/${verb}`, "[]", k.any, token)).status, 422, `${verb}: an array`);
    equal((await post(`${task}/${verb}`, "{", k.any, token)).status, 400, `${verb}: no JSON`);
    equal((await post(`${task}/${verb}`, "", k.any, token)).status, 422, `${verb}: nothing`);
  }
  equal((await post(`${task}/saver`, `{"a":"${"x".repeat(16 * 1024 * 1024)}"}`, k.any, token)).status, 413, "more than 16 MB");
});

finish();
