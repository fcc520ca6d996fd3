// bad-new.mjs - what a client can get wrong with searches, versions, ttls, pruning,
// batches, crons, the store, other doors: one row each, with the status and the words
// that tell what was wrong, where, and what would be right.  After every row the
// server still answers.
import { call, check, finish, scenario, startMock, startServer } from "./lib.mjs";

const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "0"]);
const server = await startServer({ mock });
const uuid = "33333333-3333-4333-8333-333333333333", other = "44444444-4444-4444-8444-444444444444";
const thread = (await call(server, "POST", "/threads", {})).json.thread_id;
const hi = { messages: [{ role: "user", content: "hi" }] };
const run = { assistant_id: "agent", input: hi };
const bot = (await call(server, "POST", "/assistants", { graph_id: "agent", name: "bot" })).json.assistant_id;
await call(server, "POST", `/threads/${thread}/runs/wait`, run);
const done = (await call(server, "GET", `/threads/${thread}/runs`)).json[0].run_id;
const cron = (await call(server, "POST", "/runs/crons", { ...run, schedule: "0 0 1 1 *" })).json.cron_id;
const big = "x".repeat(70000), long = "x".repeat(9000);

// Rows of one route that differ in a field: [field, value, words...].
const each = (method, target, good, status, rows) => rows.map(([field, value, ...words]) => [method, target, { ...good, [field]: value }, status, ...(words.length > 0 ? words : [field])]);
// What searches have in common.
const pages = (method, target, good = {}) => each(method, target, good, 422, [
  ["limit", 0], ["limit", -1], ["limit", 1001], ["limit", "10"], ["limit", 1.5], ["limit", true], ["limit", []],
  ["offset", -1], ["offset", "0"], ["offset", 0.5], ["offset", {}]]);
const sorts = (target) => each("POST", target, {}, 422, [
  ["sort_by", "size", "sort_by", "created_at"], ["sort_by", 5], ["sort_by", ""], ["sort_by", ["created_at"]],
  ["sort_order", "up", "sort_order", "asc"], ["sort_order", 1],
  ["select", "all"], ["select", [5], "select[0]"], ["select", ["size"], "select: expected some of", "size"], ["select", { a: 1 }],
  ["metadata", [], "metadata: expected an object"], ["metadata", "a", "metadata: expected an object"], ["metadata", { a: long }, "metadata", "8192"]]);

const requests = [
  // assistants
  ...pages("POST", "/assistants/search"), ...sorts("/assistants/search"),
  ...each("POST", "/assistants/search", {}, 422, [["graph_id", 5], ["name", 5], ["name", {}]]),
  ...each("POST", "/assistants/count", {}, 422, [["metadata", []], ["graph_id", []], ["name", 1]]),
  ["POST", "/assistants/search", "[]", 422, "expected an object"],
  ["POST", "/assistants/search", "{", 400, "line 1"],
  ...each("POST", `/assistants/${bot}/versions`, {}, 422, [["limit", 0], ["limit", "x"], ["offset", -1], ["metadata", []], ["metadata", 5]]),
  ["POST", `/assistants/${uuid}/versions`, {}, 404, "Assistant not found"],
  ["POST", "/assistants/nope/versions", {}, 404, "Assistant not found"],
  ["POST", `/assistants/${bot}/latest`, {}, 422, "version"],
  ...each("POST", `/assistants/${bot}/latest`, {}, 422, [["version", "1"], ["version", 0], ["version", -1], ["version", 1.5], ["version", null], ["version", []]]),
  ["POST", `/assistants/${bot}/latest`, { version: 99 }, 404, "Assistant version not found"],
  ["POST", `/assistants/${uuid}/latest`, { version: 1 }, 404, "Assistant"],
  ["PATCH", `/assistants/${bot}`, "[]", 422, "expected an object"],
  ...each("PATCH", `/assistants/${bot}`, {}, 422, [["name", 5], ["name", "x".repeat(600)], ["description", {}], ["config", []], ["context", 5], ["metadata", "x"], ["metadata", { a: big }]]),
  ["GET", `/assistants/${bot}/graph?xray=perhaps`, undefined, 422, "xray"],
  ["GET", `/assistants/${bot}/subgraphs?recurse=perhaps`, undefined, 422, "recurse"],
  ["GET", `/assistants/${uuid}/schemas`, undefined, 404, "Assistant not found"],
  ["GET", `/assistants/${uuid}/graph`, undefined, 404, "Assistant not found"],
  ["GET", `/assistants/${uuid}/subgraphs`, undefined, 404, "Assistant not found"],
  // threads
  ...pages("POST", "/threads/search"), ...sorts("/threads/search"),
  ...each("POST", "/threads/search", {}, 422, [["status", "asleep", "status", "idle"], ["status", 5], ["ids", "x"], ["ids", ["x"], "ids[0]", "UUID"], ["ids", [5], "ids[0]"],
    ["ids", Array(1001).fill(uuid)], ["values", []], ["values", "x"], ["extract", []], ["extract", { a: 5 }, "extract"], ["extract", { a: "" }, "extract"], ["extract", { a: "secrets.x" }, "extract"],
    ["extract", { a: "values.messages[" }, "extract"], ["extract", Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`a${i}`, "values.a"])), "extract", "10"]]),
  ...each("POST", "/threads/count", {}, 422, [["status", "asleep"], ["metadata", 5], ["values", []], ["ids", ["x"]]]),
  ...each("POST", "/threads", {}, 422, [["ttl", "60"], ["ttl", 0], ["ttl", -5], ["ttl", 1e12], ["ttl", []], ["ttl", true], ["ttl", {}], ["ttl", { ttl: "x" }], ["ttl", { ttl: 5, strategy: "burn" }, "strategy", "keep_latest"], ["ttl", { ttl: 5, strategy: 5 }, "strategy"],
    ["supersteps", {}], ["supersteps", [5]], ["supersteps", [{}]], ["supersteps", [{ updates: 5 }]]]),
  ...each("PATCH", `/threads/${thread}`, {}, 422, [["ttl", "60"], ["ttl", -1], ["ttl", { strategy: "delete" }], ["metadata", []], ["metadata", { a: big }]]),
  ["PATCH", `/threads/${uuid}`, { metadata: {} }, 404, "not found"],
  ["PATCH", "/threads/abc", { metadata: {} }, 422, "thread_id"],
  ["GET", `/threads/${thread}?include=secrets`, undefined, 422, "include", "ttl"],
  ["POST", "/threads/prune", {}, 422, "thread_ids"],
  ...each("POST", "/threads/prune", { thread_ids: [uuid] }, 422, [["thread_ids", "x"], ["thread_ids", [5], "thread_ids[0]"], ["thread_ids", ["x"], "thread_ids[0]", "UUID"], ["thread_ids", {}], ["strategy", "burn", "strategy", "keep_latest"], ["strategy", 5]]),
  ["POST", "/threads/prune", "{", 400, "line 1"],
  ["POST", `/threads/${uuid}/copy`, undefined, 409, "Thread not found"],
  ["POST", "/threads/abc/copy", undefined, 422, "thread_id"],
  ["POST", `/threads/${thread}/copy`, { checkpoint_id: "x" }, 422, "checkpoint_id"],
  ["POST", `/threads/${thread}/copy`, { checkpoint_id: uuid }, 404, "checkpoint_id: the thread has no such checkpoint"],
  ["GET", `/threads/${uuid}/storage`, undefined, 404, "not found"],
  ["GET", "/threads/abc/storage", undefined, 422, "thread_id"],
  ["PATCH", `/threads/${thread}/state`, {}, 422, "metadata"],
  ["PATCH", `/threads/${thread}/state`, { metadata: 5 }, 422, "metadata: expected an object"],
  ["PATCH", `/threads/${uuid}/state`, { metadata: {} }, 404, "not found"],
  ["GET", `/threads/${thread}/stream?stream_mode=values`, undefined, 422, "stream_mode", "run_modes", "lifecycle", "state_update"],
  ["GET", `/threads/${thread}/stream?stream_modes=run_modes&stream_modes=x`, undefined, 422, "stream_modes"],
  ["GET", `/threads/${uuid}/stream`, undefined, 404, "not found"],
  ["GET", "/threads/abc/stream", undefined, 422, "thread_id"],
  // runs
  ["POST", "/runs/batch", {}, 422, "expected an array"],
  ["POST", "/runs/batch", "\"x\"", 422, "expected an array"],
  ["POST", "/runs/batch", [5], 422, "0: expected an object"],
  ["POST", "/runs/batch", [run, {}], 422, "1.assistant_id"],
  ["POST", "/runs/batch", [{ ...run, assistantId: "other" }], 422, "assistantId", "assistant_id"],
  ["POST", "/runs/batch", [{ assistant_id: "nope", input: hi }], 404, "No assistant found"],
  ["POST", "/runs/batch", [run, { ...run, multitaskStrategy: "maybe" }], 422, "1.multitask_strategy"],
  ["POST", "/runs/batch", [{ ...run, afterSeconds: -1 }], 422, "after"],
  ["POST", "/runs/batch", [{ ...run, webhook: "ftp://x" }], 422, "webhook"],
  ["POST", "/runs/batch", [{ ...run, input: "x" }], 422, "input"],
  ["POST", "/runs/batch", Array(201).fill(run), 422, "body: expected at most 200, got 201"],
  ["POST", "/runs/cancel", {}, 422, "run_ids", "status"],
  ...each("POST", "/runs/cancel", {}, 422, [["status", "done", "status", "pending"], ["status", 5], ["run_ids", [uuid], "thread_id"], ["thread_id", uuid, "run_ids"]]),
  ...each("POST", "/runs/cancel", { thread_id: thread, run_ids: [done] }, 422, [["run_ids", "x"], ["run_ids", ["x"], "run_ids[0]", "UUID"], ["run_ids", [5], "run_ids[0]"], ["run_ids", []], ["thread_id", "x"], ["status", "pending"]]),
  ["POST", "/runs/cancel?action=explode", { status: "all" }, 422, "action", "rollback"],
  ["POST", "/runs/cancel", { thread_id: thread, run_ids: [uuid] }, 404, "not found"],
  ["POST", "/runs/cancel", { thread_id: other, run_ids: [uuid] }, 404, "not found"],
  ["POST", "/runs/cancel", { status: "pending" }, 404],
  ["GET", `/threads/${thread}/runs?select=size`, undefined, 422, "select", "run_id"],
  ["GET", `/threads/${thread}/runs?limit=0`, undefined, 422, "limit"],
  ["DELETE", `/threads/${thread}/runs/${uuid}`, undefined, 404, "Run not found"],
  ["DELETE", `/threads/${thread}/runs/abc`, undefined, 422, "run_id"],
  ...["wait", "stream"].flatMap((kind) => each("POST", `/threads/${thread}/runs/${kind}`, run, 422, [["feedback_keys", ["a"]], ["webhook", 5], ["webhook", "/relative"], ["webhook", "http://169.254.169.254/"], ["webhook", "javascript:1"], ["after_seconds", []], ["strict_resume", 1],
    ["checkpoint_during", "x"], ["langsmith_tracer", 5], ["langsmith_tracer", { project_name: 5 }], ["interrupt_before", {}], ["interrupt_before", 5]])),
  ["POST", `/threads/${thread}/runs`, { ...run, command: { goto: "nowhere" }, input: undefined }, 422, "nowhere"],
  ["POST", `/threads/${thread}/runs`, { ...run, command: {}, input: undefined }, 422, "resume, update"],
  ["POST", `/threads/${thread}/runs`, { ...run, command: { resumes: 1 }, input: undefined }, 422, "resumes"],
  ["POST", `/threads/${thread}/runs`, { ...run, command: 5, input: undefined }, 422, "command"],
  // crons
  ...pages("POST", "/runs/crons/search"), ...sorts("/runs/crons/search"),
  ...each("POST", "/runs/crons/search", {}, 422, [["assistant_id", 5], ["thread_id", "x"], ["enabled", "x"]]),
  ...each("POST", "/runs/crons/count", {}, 422, [["assistant_id", 5], ["thread_id", 5], ["metadata", []], ["enabled", 1]]),
  ["POST", "/runs/crons", run, 422, "schedule"],
  ["POST", "/runs/crons", { schedule: "* * * * *" }, 422, "assistant_id"],
  ...each("POST", "/runs/crons", { ...run, schedule: "* * * * *" }, 422, [["schedule", ""], ["schedule", 5], ["schedule", "* * * *"], ["schedule", "60 * * * *"], ["schedule", "* 24 * * *"], ["schedule", "* * 32 * *"], ["schedule", "* * * 13 *"], ["schedule", "* * * * 8"], ["schedule", "*/0 * * * *"], ["schedule", "5-1 * * * *"], ["schedule", "a * * * *"],
    ["schedule", "0 0 30 2 *"], ["timezone", "Mars/Olympus"], ["timezone", 5], ["timezone", "../etc/passwd"], ["end_time", "tomorrow"], ["end_time", 5], ["enabled", "yes"], ["on_run_completed", "burn"], ["multitask_strategy", "x"], ["durability", "x"], ["stream_mode", "x"], ["interrupt_before", 5], ["metadata", []], ["webhook", "http://127.0.0.1/"], ["after_seconds", 5], ["config", 5], ["context", 5]]),
  ["POST", "/runs/crons", { assistant_id: "nope", input: hi, schedule: "* * * * *" }, 404, "nope"],
  ["POST", `/threads/${uuid}/runs/crons`, { ...run, schedule: "* * * * *" }, 404, "not found"],
  ["POST", "/threads/abc/runs/crons", { ...run, schedule: "* * * * *" }, 422, "thread_id"],
  ["GET", "/runs/crons/abc", undefined, 422, "cron_id"],
  ["GET", `/runs/crons/${uuid}`, undefined, 404, "not found"],
  ["DELETE", `/runs/crons/${uuid}`, undefined, 404, "not found"],
  ["PATCH", `/runs/crons/${uuid}`, { enabled: false }, 404, "not found"],
  ...each("PATCH", `/runs/crons/${cron}`, {}, 422, [["schedule", "x"], ["end_time", "x"], ["enabled", 5], ["metadata", 5], ["timezone", "x"], ["on_run_completed", "x"], ["stream_mode", "x"]]),
  // the store
  ...pages("POST", "/store/items/search", { namespace_prefix: ["a"] }),
  ...each("POST", "/store/items/search", { namespace_prefix: ["a"] }, 422, [["namespace_prefix", [""], "cannot be empty"], ["namespace_prefix", ["a.b"], "contain periods"], ["namespace_prefix", [5], "namespace_prefix[0]"], ["filter", "x"], ["filter", { a: { $regex: "x" } }, "$regex"], ["filter", { a: { $eq: 1, b: 2 } }, "filter"], ["query", []], ["refresh_ttl", 5]]),
  ...["limit", "offset", "max_depth"].map((k) => ["POST", "/store/namespaces", { [k]: "x" }, 422, k]),
  ["PUT", "/store/items", { namespace: ["a"], key: "", value: {} }, 422, "key"],
  ["PUT", "/store/items", { namespace: ["a"], key: "x".repeat(600), value: {} }, 422, "key"],
  ["PUT", "/store/items", { namespace: ["x".repeat(600)], key: "k", value: {} }, 422, "namespace"],
  ["DELETE", "/store/items?namespace=a", undefined, 422, "key"],
  ["DELETE", "/store/items", { namespace: "a", key: "k" }, 422, "namespace"],
  // the OpenAI door
  ["GET", "/v1/models/nope", undefined, 404, "nope"],
  ["GET", `/v1/responses/resp_${uuid}`, undefined, 404],
  ["POST", `/v1/responses/resp_${uuid}/cancel`, undefined, 404],
  ["POST", "/v1/chat/completions", "{", 400, "line 1"],
  ["POST", "/v1/responses", {}, 422, "model: expected"], ["POST", "/v1/responses", { model: "agent" }, 422, "input: expected"],
  ["POST", "/v1/responses", { input: "hi" }, 422, "model"],
  // what is known by name and not here
  ["GET", `/threads/${thread}/stream/events`, undefined, 426, "Upgrade: websocket"],
  ["GET", "/ui/agent", undefined, 404, "ui is not supported yet"],
  ["POST", "/v1/embeddings", {}, 404, "embeddings is not supported yet"],
];

for (const [method, target, body, status, ...words] of requests) {
  const what = `${method} ${target.slice(0, 70)} ${(typeof body === "string" ? body : JSON.stringify(body) ?? "").slice(0, 120)}`;
  await scenario(what, async () => {
    const r = await call(server, method, target, body);
    check(r.status === status, what, `got ${r.status} ${r.text.slice(0, 300)}\n     not ${status}`);
    check(typeof (r.json?.detail ?? r.json?.error?.message) === "string", `${what}: says why`, r.text.slice(0, 300));
    for (const w of words) check(r.text.includes(w), `${what}: says ${w}`, r.text.slice(0, 300));
    const ok = await call(server, "GET", "/ok");
    check(ok.status === 200 && server.exit === null, `${what}: the server still answers`, server.log.slice(-2000));
  });
}

await server.stop();
check(server.exit.code === 0, "clean exit", server.exit);
check(!/ERROR: (Address|Leak)Sanitizer|runtime error:/.test(server.log), "no sanitizer report", server.log.slice(-3000));
console.log(`${requests.length} cases`);
finish();
