// workers.mjs - the wire of workers over plain HTTP: who may register, poll, drain and speak
// for a task; what is wrong with a body and where; a worker that was paused.
import { execFile, execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { binary, call, check, equal, finish, scenario, scratch, startServer, until } from "./lib.mjs";

const dir = scratch(), keysFile = path.join(dir, "keys"), auditFile = path.join(dir, "audit.jsonl");
function makeKey(sub, limits) {
  const out = execFileSync(binary, ["token", "--api-key", "--sub", sub, ...(limits ? ["--limits", limits] : [])], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  const [key, line] = out.trim().split("\n");
  return { key, line, headers: { "x-api-key": key } };
}
const k = { ann: makeKey("ann"), bob: makeKey("bob"), admin: makeKey("ops", "scopes=admin"), any: makeKey("w-any", "scopes=worker"),
  other: makeKey("w-other", "scopes=worker"), some: makeKey("w-some", "scopes=worker graphs=alpha,beta") };
writeFileSync(keysFile, Object.values(k).map((x) => x.line).join("\n") + "\n", { mode: 0o600 });
const lease = 1000;
const server = await startServer({ memory: true, args: ["--api-keys", keysFile, "--workers-lease", String(lease), "--test-hooks", "--audit-file", auditFile] });

const hello = (more = {}) => ({ name: "w", build: "b1", lang: "test", protocol: 1, slots: { run: 2, node: 4 }, ...more });
const post = (target, body, key = k.any, headers = {}) => call(server, "POST", target, body, { ...key?.headers, ...headers });
const get = (target, key) => call(server, "GET", target, undefined, key?.headers);
const register = async (more, key = k.any) => {
  const r = await post("/workers", hello(more), key);
  if (r.status !== 200) throw new Error(`registering: ${r.status} ${r.text}`);
  return { id: r.json.worker_id, key, ...r.json };
};
const plainBody = { events: { events: [] }, saver: { op: "get", ns: "" }, store: { ops: [] }, end: { status: "success" } };
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
    [[], "expected an object"], [{}, "name: expected a text"], [{ name: "" }, "name: expected a text"], [{ name: 7 }, "name: expected a string"], [{ name: "a\n" }, "name: expected a text without control"], [{ name: "x".repeat(201) }, "name: expected at most 200"],
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
    equal((await post(`${task}/${verb}`, plainBody[verb])).status, 401, `${verb} without a token`);
    const lost = await post(`${task}/${verb}`, plainBody[verb], k.any, token);
    equal([lost.status, lost.json.reason], [409, "lost_lease"], `${verb} of a task that is not there`);
    equal((await post(`${task}/${verb}`, { ...plainBody[verb], strange: 1 }, k.any, token)).json.reason, "lost_lease", `${verb}: the lease comes before the body`);
    equal((await post(`/tasks/x/${verb}`, plainBody[verb], k.any, token)).status, 404, `${verb} of no task`);
    equal((await post(`${task}/${verb}`, "[]", k.any, token)).status, 422, `${verb}: an array`);
    equal((await post(`${task}/${verb}`, "{", k.any, token)).status, 400, `${verb}: no JSON`);
    equal((await post(`${task}/${verb}`, "", k.any, token)).status, 422, `${verb}: nothing`);
  }
  equal((await post(`${task}/saver`, `{"a":"${"x".repeat(16 * 1024 * 1024)}"}`, k.any, token)).status, 413, "more than 16 MB");
});

const logOf = async (x) => (await get(`/workers/log?run_id=${x.run}`, k.admin)).json;

// ---- tasks, by a worker that is played here ------------------------------------------------

// What the tasks of a poll are; waits until there is one.
async function nextTask(w) {
  for (const end = Date.now() + 15000; Date.now() < end;) {
    const r = await poll(w);
    if (r.status !== 200) throw new Error(`poll: ${r.status} ${r.text}`);
    if (r.json.tasks.length > 0) return Object.assign(r.json.tasks[0], { text: r.text });
  }
  throw new Error("no task came");
}
const about = (task, verb, body, key = k.any, token = task.token) => post(`/tasks/${task.task_id}/${verb}`, body, key, { "x-task-token": token });
const value = (x) => ({ type: "json", text: JSON.stringify(x) });
let step = 0;
const checkpointId = () => `1f0${(++step).toString(16).padStart(5, "0")}-0000-6000-8000-000000000000`;
function put(values, id = checkpointId(), more = {}) {
  const versions = Object.fromEntries(Object.keys(values).map((x) => [x, step]));
  return { op: "put", ns: "", id, checkpoint: value({ v: 4, id, channel_versions: versions }), metadata: value({ source: "loop", step }), versions,
    blobs: Object.entries(values).map(([channel, v]) => ({ channel, version: step, ...value(v) })),
    view: { values, source: "loop", step, created_at: new Date().toISOString() }, ...more };
}
const beat = (task) => { const t = setInterval(() => about(task, "events", { events: [] }), lease / 4); return () => clearInterval(t); };
const begin = async (who, input = { n: 1 }, graph = "alpha") => {
  const thread = (await post("/threads", {}, who)).json.thread_id;
  const r = await post(`/threads/${thread}/runs`, { assistant_id: graph, input }, who);
  if (r.status !== 200) throw new Error(`run: ${r.status} ${r.text}`);
  return { thread, run: r.json.run_id, who };
};
const runStatus = async (x) => (await get(`/threads/${x.thread}/runs/${x.run}`, x.who)).json?.status;
const ends = (x, status) => until(async () => (await runStatus(x)) === status, `the run to be ${status}`);
const serve = (id = "alpha", build = "b1", key = k.any) => register({ build, graphs: [{ id, schemas: { state: { type: "object", properties: { n: { type: "integer" } } } } }] }, key);

await scenario("a run goes through a worker, which gets identity and no credentials", async () => {
  const w = await serve();
  const x = await begin(k.ann, { n: 41 });
  const task = await nextTask(w);
  equal([task.kind, task.name, task.attempt, task.again, task.thread_id, task.run_id, task.input], ["run", "alpha", 1, false, x.thread, x.run, { n: 41 }], "the task");
  equal([task.auth_user?.identity, task.config?.configurable?.thread_id], ["ann", x.thread], "who and where");
  check(/^[0-9a-f]{32}$/.test(task.token) && task.lease_until > Date.now(), "a token of 128 bits and the end of the lease", task.token);
  check(!Object.values(k).some((y) => task.text.includes(y.key)), "no key is in it");
  const told = await about(task, "events", { events: [{ n: 1, ns: [], mode: "values", data: { n: 41 } }] });
  equal([told.status, told.json.lease_until >= task.lease_until, told.json.cancel], [200, true, undefined], "events");
  equal((await about(task, "saver", put({ n: 42 }))).status, 200, "a checkpoint");
  const found = await about(task, "saver", { op: "get", ns: "" });
  equal(found.json.found.blobs.map((b) => [b.channel, b.text]), [["n", "42"]], "and it is there");
  const end = { status: "success" };
  equal((await about(task, "end", end)).status, 200, "the end");
  equal((await about(task, "end", end)).status, 200, "the same again");
  const other = await about(task, "end", { status: "error", error: { type: "E", message: "no" } });
  equal([other.status, other.json.reason], [409, "lost_lease"], "another end");
  await ends(x, "success");
  equal((await get(`/threads/${x.thread}/state`, k.ann)).json.values, { n: 42 }, "the state");
  const log = await logOf(x);
  equal(log.map((a) => [a.name, a.kind, a.attempt, a.worker_id, a.build, a.how]), [["alpha", "run", 1, w.id, "b1", "success"]], "the log of attempts");
  await leave(w);
});

await scenario("a token opens one thread and its owner's store", async () => {
  const w = await serve();
  const a = await begin(k.ann), taskA = await nextTask(w);
  const b = await begin(k.bob), taskB = await nextTask(w);
  const still = [beat(taskA), beat(taskB)];
  for (const verb of ["events", "saver", "store", "end"]) {
    const r = await about(taskA, verb, plainBody[verb], k.any, taskB.token);
    equal([r.status, r.json.reason], [403, "wrong_token"], `${verb} with another task's token`);
    const o = await about(taskA, verb, plainBody[verb], k.other);
    equal([o.status, o.json.reason], [403, "other_key"], `${verb} with another worker's key`);
    equal((await about(taskA, verb, plainBody[verb], k.ann)).status, 403, `${verb} with a user's key`);
    for (const token of ["x", taskA.token.toUpperCase(), taskA.token.slice(1), `${taskA.token}0`])
      equal((await about(taskA, verb, plainBody[verb], k.any, token)).status, token === taskA.token ? 200 : 403, `${verb} with the token ${token.slice(0, 3)}..`);
  }
  const id = checkpointId();
  equal((await about(taskA, "saver", put({ n: 1 }, id))).status, 200, "a checkpoint of ann's");
  equal((await about(taskB, "saver", { op: "get", ns: "", id })).json.found, null, "is not in bob's thread");
  equal((await about(taskB, "saver", { op: "list" })).json.items, [], "nor in his list");
  for (const body of [{ op: "delete_thread", thread_id: a.thread }, { op: "copy_thread" }, { op: "prune" }, {}])
    equal((await about(taskB, "saver", body)).status, 422, `the saver does not ${body.op}`);
  const named = await about(taskB, "saver", { op: "get", ns: "", thread_id: a.thread });
  check(named.status === 422 || named.json.found === null, "a thread_id opens no other thread", named.text);
  equal((await about(taskA, "store", { ops: [{ op: "put", namespace: ["notes"], key: "x", value: { of: "ann" } }] })).status, 200, "an item of ann's");
  const seen = await about(taskB, "store", { ops: [{ op: "get", namespace: ["notes"], key: "x" }, { op: "search", namespace: [] }, { op: "namespaces" }] });
  equal(seen.json.results, [null, [], []], "bob's task sees nothing of it");
  const own = await about(taskA, "store", { ops: [{ op: "get", namespace: ["notes"], key: "x" }, { op: "search", namespace: ["notes"] }, { op: "namespaces" }] });
  equal([own.json.results[0].value, own.json.results[1].length, own.json.results[2]], [{ of: "ann" }, 1, [["notes"]]], "ann's does");
  equal([(await call(server, "GET", "/store/items?namespace=notes&key=x", undefined, k.ann.headers)).json.value, (await call(server, "GET", "/store/items?namespace=notes&key=x", undefined, k.bob.headers)).json], [{ of: "ann" }, null], "and so do the users");
  still.forEach((stop) => stop());
  for (const t of [taskA, taskB]) equal((await about(t, "end", { status: "success" })).status, 200, "the end");
  await ends(a, "success");
  await ends(b, "success");
  await leave(w);
});

await scenario("bodies about a task that are wrong change nothing", async () => {
  const w = await serve(), x = await begin(k.ann), task = await nextTask(w), stop = beat(task);
  const event = (more) => ({ events: [{ n: 1, ns: [], mode: "values", data: {}, ...more }] }), v = value(1);
  const p = (more) => ({ ...put({ n: 1 }), ...more }), group = (more) => ({ op: "writes", groups: [{ ns: "", id: "a", task_id: "t", task_path: "", writes: [], ...more }] });
  const write = (more) => group({ writes: [{ idx: 0, channel: "c", ...v, ...more }] }), op = (more) => ({ ops: [{ op: "get", namespace: ["a"], key: "b", ...more }] });
  for (const [verb, body, words] of [
    ["events", {}, "events: expected an array"], ["events", { events: 1 }, "events: expected an array"], ["events", { events: [1] }, "events[0]"], ["events", { events: [{}] }, "events[0].n"], ["events", event({ n: "1" }), "events[0].n"],
    ["events", event({ ns: "x" }), "events[0].ns"], ["events", event({ ns: [1] }), "events[0].ns"], ["events", event({ mode: "bad" }), "events[0].mode"], ["events", event({ mode: "messages" }), "events[0].data"],
    ["events", event({ mode: "tasks", data: 1 }), "events[0].data"], ["events", event({ mode: "updates", data: [] }), "events[0].data"], ["events", event({ token: "x" }), "events[0].token"], ["events", { events: [], done: true }, "done"],
    ["events", { events: Array.from({ length: 10001 }, () => ({})) }, "at most 10000"],
    ["saver", {}, "op: expected"], ["saver", { op: 1 }, "op: expected"], ["saver", { op: "drop" }, "op: expected"], ["saver", { op: "delete_thread", thread_id: x.thread }, "thread_id"], ["saver", { op: "delete_thread" }, "op"],
    ["saver", { op: "get" }, "ns: expected"], ["saver", { op: "get", ns: 1 }, "ns: expected"], ["saver", { op: "get", ns: "", id: 1 }, "id: expected"], ["saver", { op: "get", ns: "", thread_id: x.thread }, "thread_id"], ["saver", { op: "get", ns: "", limit: 1 }, "limit"],
    ["saver", { op: "list", limit: -1 }, "limit"], ["saver", { op: "list", filter: [] }, "filter"], ["saver", { op: "list", before: {} }, "before"],
    ["saver", p({ id: "" }), "id"], ["saver", p({ id: "x" }), "id: expected a UUID"], ["saver", p({ ns: undefined }), "ns: expected"], ["saver", p({ parent_id: 1 }), "parent_id"], ["saver", p({ checkpoint: 1 }), "checkpoint"],
    ["saver", p({ checkpoint: { type: "pickle", text: "x" } }), "pickle"], ["saver", p({ metadata: { type: "json" } }), "metadata"], ["saver", p({ checkpoint: { type: "json", b64: "*" } }), "not base64"], ["saver", p({ versions: [] }), "versions"],
    ["saver", p({ blobs: [1] }), "blobs[0]"], ["saver", p({ blobs: [{ channel: "other", ...v }] }), "blobs"], ["saver", p({ view: 1 }), "view"], ["saver", p({ view: { values: 1 } }), "view"], ["saver", p({ values: {} }), "values"],
    ["saver", { op: "writes" }, "groups: expected an array"], ["saver", { op: "writes", groups: {} }, "groups"], ["saver", group({ id: 1 }), "groups[0].id"], ["saver", group({ task_id: 1 }), "groups[0].task_id"], ["saver", group({ thread: "x" }), "groups[0].thread"], ["saver", group({ writes: [1] }), "writes[0]"],
    ["saver", write({ idx: "a" }), "idx"], ["saver", write({ idx: -99 }), "idx"], ["saver", write({ channel: 1 }), "channel"], ["saver", write({ type: "pickle" }), "pickle"],
    ["store", {}, "ops: expected an array"], ["store", { ops: 1 }, "ops: expected an array"], ["store", { ops: [1] }, "ops[0]"], ["store", { ops: [{}] }, "op: expected"], ["store", op({ op: "drop" }), "op: expected"], ["store", op({ namespace: "a" }), "ops[0].namespace"],
    ["store", op({ namespace: ["a.b"] }), "ops[0].namespace"], ["store", op({ namespace: [] }), "ops[0].namespace"], ["store", op({ owner: "bob" }), "ops[0].owner"], ["store", op({ op: "put", value: 1 }), "ops[0].value"], ["store", op({ op: "put" }), "ops[0].value"], ["store", { ops: [{ op: "search", namespace: ["a"], limit: -1 }] }, "ops[0].limit"],
    ["store", { ops: [{ op: "namespaces", max_depth: "x" }] }, "ops[0].max_depth"], ["store", { ops: [], user: "bob" }, "user"],
    ["end", {}, "status: expected"], ["end", { status: "over" }, "status: expected"], ["end", { status: "error" }, "error: expected an object"], ["end", { status: "success", values: {} }, "values"],
  ]) {
    const r = await about(task, verb, body);
    check(r.status === 422 && r.text.includes(words), `${verb} ${JSON.stringify(body).slice(0, 120)}`, `${r.status} ${r.text.slice(0, 300)}, not 422 ${words}`);
  }
  equal((await about(task, "saver", { op: "list" })).json.items, [], "nothing was written");
  stop();
  equal((await about(task, "end", { status: "success" })).status, 200, "and the task goes on to its end");
  await ends(x, "success");
  await leave(w);
});

await scenario("a worker that was paused is told at its first write", async () => {
  const w = await serve();
  const x = await begin(k.ann), old = await nextTask(w);
  equal((await about(old, "saver", put({ n: 1 }))).status, 200, "a step");
  const again = await nextTask(w);              // it said nothing for the time of a lease
  equal([again.run_id, again.attempt > 1 || again.again, again.again, again.task_id !== old.task_id, again.token !== old.token], [x.run, true, true, true, true], "the task comes again, to go on");
  const stop = beat(again);
  for (const [verb, body] of [["saver", put({ n: 666 })], ["saver", { op: "get", ns: "" }], ["events", { events: [] }], ["store", { ops: [{ op: "put", namespace: ["a"], key: "stale", value: {} }] }], ["end", { status: "success" }]]) {
    const r = await about(old, verb, body);
    equal([r.status, r.json.reason], [409, "lost_lease"], `${verb} of the old attempt`);
  }
  equal((await about(again, "saver", { op: "get", ns: "" })).json.found.blobs.map((b) => b.text), ["1"], "nothing of it was written");
  stop();
  equal((await about(again, "end", { status: "success" })).status, 200, "the new attempt ends it");
  await ends(x, "success");
  const log = await logOf(x);
  equal(log.map((a) => a.how), ["success", "silent"], "the log has both");
  await leave(w);
});

await scenario("what a silent worker loses does not go to the poll that it left", async () => {
  const hung = await serve(), x = await begin(k.ann);
  await nextTask(hung);
  const waits = poll(hung, { run: 1, node: 0 }), other = await serve(), again = await nextTask(other);
  equal([again.run_id, again.attempt, (await waits).json.tasks], [x.run, 2, []], "it goes to another one, at its first loss");
  equal((await about(again, "end", { status: "success" })).status, 200, "who ends it");
  await ends(x, "success");
  await leave(hung);
  await leave(other);
});

await scenario("a cancel is told at once, by answers too", async () => {
  const w = await serve();
  const x = await begin(k.ann), task = await nextTask(w);
  const waits = poll(w, { run: 0, node: 0 }), stop = beat(task);
  const cancelled = post(`/threads/${x.thread}/runs/${x.run}/cancel`, {}, k.ann);
  equal((await waits).json.cancel.map((c) => c.task_id), [task.task_id], "the poll that waits");
  const told = await about(task, "events", { events: [] });
  check(told.json.cancel?.action === "interrupt", "an answer", told.text);
  stop();
  equal((await about(task, "end", { status: "interrupted" })).status, 200, "it ends");
  equal((await cancelled).status, 202, "the cancel");
  await ends(x, "interrupted");
  await leave(w);
});

await scenario("a worker that leaves gives its tasks back at once", async () => {
  const w1 = await serve(), x = await begin(k.ann), task = await nextTask(w1);
  const w2 = await serve();
  await leave(w1);
  const again = await nextTask(w2);
  equal([again.run_id, again.again], [x.run, false], "another gets it, from the start");
  equal((await about(task, "end", { status: "success" })).json.reason, "lost_lease", "the first is told");
  equal((await about(again, "end", { status: "success" })).status, 200, "the end");
  await ends(x, "success");
  await leave(w2);
});

await scenario("a run keeps its build, a new one takes the newest; a drain loses nothing", async () => {
  const w1 = await serve("alpha", "old"), x = await begin(k.ann), t1 = await nextTask(w1);
  equal((await about(t1, "saver", put({ n: 1 }))).status, 200, "a step on the old build");
  const w2 = await serve("alpha", "new");
  const w3 = await serve("alpha", "old");
  await leave(w1);
  const y = await begin(k.ann);
  const [t3, t2] = await Promise.all([nextTask(w3), nextTask(w2)]);
  equal([t3.run_id, t2.run_id], [x.run, y.run], "the old run on the old build, the new one on the new");
  const stop = [beat(t2), beat(t3)];
  equal((await post(`/workers/${w3.id}/drain`, {}, k.admin)).status, 200, "drain");
  equal((await poll(w3, { run: 2, node: 0 })).json.quiet, true, "it is told");
  stop.forEach((f) => f());
  for (const t of [t2, t3]) equal((await about(t, "end", { status: "success" })).status, 200, "the end");
  await ends(x, "success");
  await ends(y, "success");
  for (const w of [w2, w3]) await leave(w);
});

await scenario("the command line", async () => {
  // Not execFileSync: the proxy of a cluster is in this process.
  const cli = (...args) => new Promise((resolve) => execFile(binary, ["workers", ...args, "--url", server.url], { encoding: "utf8", timeout: 30000, env: { PATH: process.env.PATH, COHORT_API_KEY: k.admin.key } },
    (e, out, err) => resolve(e ? `${e.code} ${err}` : out)));
  const w = await register({ build: "cli", graphs: [{ id: "alpha" }], tools: [{ name: "cli-tool", description: "d", schema: {} }] });
  check((await cli("list")).split("\n").some((l) => l.startsWith(w.id) && l.includes(" live ") && l.includes("w cli") && l.includes("graphs=alpha") && l.includes("tools=cli-tool")), "list", await cli("list"));
  equal(JSON.parse(await cli("show", w.id, "--json")).build, "cli", "show");
  check((await cli("log", "--name", "alpha")).split("\n").length > 3 && / success +run alpha #1 /.test(await cli("log", "--name", "alpha")), "log", await cli("log"));
  equal(JSON.parse(await cli("log", "--limit", "1", "--json")).name, "alpha", "log as JSON");
  check(/^1 .*serve/s.test(await cli("forget", "alpha")), "a graph that is served is not forgotten", await cli("forget", "alpha"));
  equal(await cli("drain", w.id), "", "drain");
  check((await cli("show", w.id)).includes(" draining "), "and it is shown");
  check(/^1 .*serve/s.test(await cli("forget", "alpha")), "nor one whose worker drains", await cli("forget", "alpha"));
  check(/^1 .*no worker of this id/s.test(await cli("show", "00000000-0000-4000-8000-000000000000")), "one that is not there");
  check(/^2 /.test(await cli("drain")) && /^2 /.test(await cli("log", "--limit", "0")), "wrong lines");
  await leave(w);
  const other = await post("/workers", hello({ graphs: [{ id: "alpha" }] }), k.other);
  equal([other.status, other.json.reason], [409, "graph_taken"], "a graph stays its key's when no worker serves it");
  equal(await cli("forget", "alpha"), "", "until it is forgotten");
  check(/^1 /.test(await cli("forget", "alpha")), "once");
  await leave(await serve("alpha", "b1", k.other));
});

await scenario("the audit log has who registered and who drained", async () => {
  const lines = readFileSync(auditFile, "utf8").trim().split("\n").map((x) => JSON.parse(x));
  const said = (action, user) => lines.some((l) => l.action === action && JSON.stringify(l).includes(`"${user}"`));
  check(said("workers:register", "w-any") && said("workers:update", "ops"), "both", lines.slice(0, 2));
  check(lines.every((l) => l.action !== "workers:serve" || l.status === 403) && !Object.values(k).some((x) => JSON.stringify(lines).includes(x.key)), "no polls, no keys", lines.find((l) => l.action === "workers:serve"));
});

finish();
