// policy.mjs - who may do what by a policy file: readers, writers and admins of one
// organisation, stamps and filters, the store's namespaces, the audit log.
import { Client } from "sdk-1.15";
import { createHmac } from "node:crypto";
import { execFileSync } from "node:child_process";
import { readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { binary, call, check, equal, finish, metric, oneNode, scenario, scratch, startMock, startServer, until } from "./lib.mjs";

const secret = "0123456789abcdef0123456789abcdef";
const b64 = (x) => Buffer.from(JSON.stringify(x)).toString("base64url");
const sign = (claims) => {
  const text = `${b64({ alg: "HS256", typ: "JWT" })}.${b64({ org_id: "acme", ...claims })}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
};
const as = (claims) => ({ authorization: `Bearer ${sign(claims)}` });
const dir = scratch(), file = path.join(dir, "policy.yaml"), audit = path.join(dir, "audit.jsonl");
const text = `default: deny
rules:
  - scope: admin
    allow: "*"
  - scope: [writer, reader]
    allow: ["*:read", "*:search", "*:get"]
  - scope: [writer, reader]
    allow: [assistants:read, assistants:search]
    filter: { $or: [ { created_by: system }, { team: { $contains: "\${claims.team}" } } ] }
  - scope: writer
    allow: threads
    filter: { owner: "\${subject}" }
    stamp: { owner: "\${subject}" }
  - scope: writer
    allow: store
    namespace: [users, "\${subject}"]
  - scope: own
    allow: store
    prepend: ["\${subject}"]
  - scope: runs
    allow: threads:create_run
  - scope: editor
    allow: threads:update
`;
writeFileSync(file, text);
const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "0"]);
const args = ["--jwt-secret", secret, "--auth-policy", file, "--auth-scope", "org", "--audit-file", audit];
const server = await startServer({ mock, dir, args });
const ada = as({ sub: "ada", scope: "admin" }), wes = as({ sub: "wes", scope: "writer", team: "blue" }), wim = as({ sub: "wim", scope: "writer", team: "red" });
const rita = as({ sub: "rita", scope: "reader", team: "blue" }), none = as({ sub: "nora" });
const sdk = (headers) => new Client({ apiUrl: server.url, defaultHeaders: headers, callerOptions: { maxRetries: 0 } });
const run = { assistant_id: "agent", input: { messages: [{ role: "user", content: "hi" }] } };
const status = async (promise) => { try { await promise; return 200; } catch (e) { return e.status ?? Number(/HTTP (\d+)/.exec(e.message)?.[1]); } };
const lines = () => readFileSync(audit, "utf8").trim().split("\n").filter((x) => x).map((x) => JSON.parse(x));

let thread, foreign;
await scenario("roles, by the official SDK", async () => {
  thread = (await sdk(wes).threads.create({ metadata: { a: 1, owner: "ada" } })).thread_id;
  equal((await sdk(wes).threads.get(thread)).metadata, { a: 1, owner: "wes" }, "what is created is stamped, whatever the client says");
  foreign = (await sdk(wim).threads.create()).thread_id;
  equal((await sdk(rita).threads.get(thread)).thread_id, thread, "a reader reads");
  equal(await status(sdk(rita).threads.create()), 403, "and makes nothing");
  equal(await status(sdk(rita).threads.delete(thread)), 403, "and deletes nothing");
  equal(await status(sdk(rita).runs.wait(thread, "agent", { input: run.input })), 403, "and runs nothing");
  equal((await sdk(rita).threads.search()).length, 2, "a reader finds all");
  equal((await sdk(wes).threads.search()).map((x) => x.thread_id), [thread], "a writer finds his own");
  equal((await sdk(wes).threads.search({ metadata: { owner: "wim" } })).length, 0, "and no other's by asking for them");
  equal((await sdk(wes).threads.search({ metadata: { a: 1 } })).length, 1, "a filter beside the policy's");
  equal(await sdk(wes).threads.count({}), 1, "the count is of what he sees");
  const { messages } = await sdk(wes).runs.wait(thread, "agent", { input: run.input });
  equal(messages.length, 2, "his run");
  equal((await sdk(ada).threads.search()).length, 2, "an admin finds all");
});

await scenario("the thread protocol", async () => {
  const command = async (who, id, method, params) => (await call(server, "POST", `/threads/${id}/commands`, { id: 1, method, params }, who)).json;
  const fresh = crypto.randomUUID(), none_ = crypto.randomUUID(), runs = as({ sub: "rob", scope: "runs" });
  // a stream that is older than the thread: wim and rita listen before wes makes it
  const listen = (who) => {
    const gone = new AbortController(), x = { text: "", close: () => gone.abort() };
    x.open = fetch(`${server.url}/threads/${fresh}/stream/events`, { method: "POST", headers: who, body: JSON.stringify({ channels: ["lifecycle", "values"] }), signal: gone.signal })
      .then((res) => { (async () => { try { for await (const part of res.body) x.text += Buffer.from(part); } catch { /* closed */ } })(); return res.status; });
    return x;
  };
  const heard = [listen(wes), listen(wim), listen(rita)];
  equal(await Promise.all(heard.map((x) => x.open)), [200, 200, 200], "each opens");
  equal((await command(wes, fresh, "run.start", run)).type, "success", "a writer runs");
  for (const x of [heard[0], heard[2]]) await until(() => x.text.includes('"completed"'), "the run's end");
  await until(() => heard[1].text.includes(": heartbeat"), "a heartbeat");
  check(!heard[1].text.includes("event:"), "whose filter does not fit hears nothing", heard[1].text.slice(0, 200));
  for (const x of heard) x.close();
  equal((await sdk(wes).threads.get(fresh)).metadata.owner, "wes", "a thread that run.start makes is stamped");
  for (const [method, params] of [["state.get", {}], ["state.listCheckpoints", {}], ["agent.getTree", {}], ["input.inject", { message: { role: "user", content: "x" } }], ["run.start", run]])
    equal((await command(wim, fresh, method, params)).error, "no_such_run", `a thread that is hidden: ${method}`);
  equal((await sdk(wes).runs.list(fresh)).length, 1, "and nothing was run");
  for (const [method, params] of [["run.start", run], ["input.inject", { message: { role: "user", content: "x" } }], ["input.respond", { interrupt_id: "x", response: 1 }], ["state.fork", { checkpoint_id: "x" }]])
    equal((await command(rita, fresh, method, params)).error, "permission_denied", `a reader: ${method}`);
  equal((await command(rita, fresh, "state.get", {})).type, "success", "a reader reads");
  for (const method of ["state.get", "agent.getTree", "run.start", "subscription.reconnect"]) equal((await command(none, fresh, method, method === "run.start" ? run : {})).error, "permission_denied", `nobody in particular: ${method}`);
  equal((await command(runs, none_, "run.start", run)).error, "permission_denied", "who may run and not create makes no thread");
  check(lines().some((x) => x.action === "threads:create_run" && x.phase === "denied" && x.object === `/threads/${fresh}/commands`), "what was denied is in the audit log");
});

await scenario("what is hidden is not there", async () => {
  const rid = (await call(server, "GET", `/threads/${thread}/runs`, undefined, wes)).json[0].run_id;
  for (const [method, target, body, expected] of [["GET", `/threads/${thread}`, , 404], ["PATCH", `/threads/${thread}`, { metadata: { x: 1 } }, 404], ["DELETE", `/threads/${thread}`, , 404],
    ["POST", `/threads/${thread}/copy`, , 409], ["GET", `/threads/${thread}/state`, , 404], ["POST", `/threads/${thread}/state`, { values: {} }, 404], ["POST", `/threads/${thread}/history`, {}, 404],
    ["POST", `/threads/${thread}/runs`, run, 404], ["POST", `/threads/${thread}/runs/wait`, run, 404], ["POST", `/threads/${thread}/runs/stream`, run, 404], ["POST", `/threads/${thread}/runs/wait`, { ...run, if_not_exists: "create" }, 404],
    ["GET", `/threads/${thread}/runs`, , 404], ["GET", `/threads/${thread}/runs/${rid}`, , 404], ["GET", `/threads/${thread}/runs/${rid}/join`, , 404], ["POST", `/threads/${thread}/runs/${rid}/cancel`, , 404],
    ["DELETE", `/threads/${thread}/runs/${rid}`, , 404], ["GET", `/runs/${rid}/join`, , 404], ["GET", `/threads/${thread}/transcript`, , 404], ["GET", `/threads/${thread}/storage`, , 404],
    ["POST", "/threads/" + thread + "/runs/crons", { assistant_id: "agent", schedule: "0 0 1 1 *" }, 403], ["POST", "/runs/cancel", { thread_id: thread, run_ids: [rid] }, 404],
    ["POST", "/threads", { thread_id: thread }, 409], ["POST", "/threads", { thread_id: thread, if_exists: "do_nothing" }, 409]])
    equal((await call(server, method, target, body, wim)).status, expected, `${method} ${target.replace(/[0-9a-f-]{36}/g, "ID")} ${JSON.stringify(body)}: another writer`);
  const joined = await call(server, "GET", `/threads/${thread}/runs/${rid}/stream`, undefined, wim);
  check(joined.status === 200 && joined.text.includes("404"), "a stream tells it as the official server does", joined.text);
  equal((await call(server, "POST", "/threads/prune", { thread_ids: [thread] }, wim)).json, { pruned_count: 0 }, "prune passes it by");
  equal((await sdk(wes).threads.get(thread)).metadata.a, 1, "and it is as it was");
});

// GHSA-747p-whpj-mv7h's kind: if_not_exists=create makes a thread without threads:create.
await scenario("a run that makes its thread needs threads:create", async () => {
  const id = crypto.randomUUID(), only = as({ sub: "ron", scope: "runs reader", team: "x" });
  equal((await call(server, "POST", `/threads/${id}/runs/wait`, { ...run, if_not_exists: "create" }, only)).status, 403, "create_run alone");
  equal((await call(server, "GET", `/threads/${id}`, undefined, ada)).status, 404, "and no thread was made");
  equal((await call(server, "POST", `/threads/${id}/runs/wait`, { ...run, if_not_exists: "create", metadata: { owner: "ada" } }, wes)).status, 200, "with both");
  equal((await call(server, "GET", `/threads/${id}`, undefined, wes)).json?.metadata?.owner, "wes", "the thread that it made is stamped");
});

await scenario("a run executes an assistant that the caller may read", async () => {
  const red = (await call(server, "POST", "/assistants", { graph_id: "agent", name: "red", metadata: { team: ["red"] } }, ada)).json.assistant_id;
  equal((await call(server, "GET", `/assistants/${red}`, undefined, wim)).status, 200, "the red team's, for a red writer");
  equal((await call(server, "GET", `/assistants/${red}`, undefined, wes)).status, 404, "not for a blue one");
  equal((await call(server, "POST", `/threads/${thread}/runs/wait`, { ...run, assistant_id: red }, wes)).status, 404, "nor to run");
  equal((await call(server, "POST", "/runs/wait", { ...run, assistant_id: red }, wes)).status, 404, "nor without a thread");
  equal((await call(server, "POST", "/runs/wait", { ...run, assistant_id: red }, wim)).status, 200, "the red one runs it");
  equal((await call(server, "POST", "/assistants/search", {}, wes)).json.some((x) => x.name === "red"), false, "searches hide it");
  equal((await call(server, "POST", "/assistants/search", {}, wim)).json.some((x) => x.name === "red"), true, "or find it");
  equal((await call(server, "POST", "/assistants", { graph_id: "agent" }, wes)).status, 403, "a writer makes none");
});

// aegra#485 (filters forgotten where an id is given), aegra#401 (and by an assistant's
// schemas, graph and sub-graphs), aegra#336 (runs on another's thread), aegra#275 (the
// store), aegra#435 (another's run by one's own thread), langchain-ai/docs#2420 (stamps).
await scenario("what was reported of others", async () => {
  const blue = (await call(server, "POST", "/assistants", { graph_id: "agent", name: "blue", metadata: { team: ["blue"] } }, ada)).json.assistant_id;
  for (const more of ["", "/graph", "/drawing", "/schemas", "/subgraphs", "/subgraphs/x"]) {
    equal((await call(server, "GET", `/assistants/${blue}${more}`, undefined, wim)).status, 404, `a hidden assistant's ${more || "row"}`);
    equal((await call(server, "GET", `/assistants/${blue}${more}`, undefined, wes)).status, 200, `a seen assistant's ${more || "row"}`);
  }
  const rid = (await call(server, "GET", `/threads/${thread}/runs`, undefined, wes)).json[0].run_id;
  for (const more of ["", "/join"]) equal((await call(server, "GET", `/threads/${foreign}/runs/${rid}${more}`, undefined, wim)).status, 404, `another's run by one's own thread: ${more}`);
  check((await call(server, "GET", `/threads/${foreign}/runs/${rid}/stream`, undefined, wim)).text.includes("404"), "nor its stream");
  check((await call(server, "GET", `/runs/${rid}/stream`, undefined, wim)).text.includes("404"), "nor without a thread");
  equal((await call(server, "POST", `/threads/${foreign}/runs/wait`, { ...run, checkpoint: { thread_id: thread } }, wim)).status, 422, "another's checkpoint is no start");
  equal((await sdk(wes).threads.search({ metadata: { owner: "wes" } })).length > 0, true, "a stamp is found");
  equal((await call(server, "GET", "/interrupts", undefined, wim)).json, [], "nobody's questions");
});

await scenario("OpenAI's door", async () => {
  const ask = { model: "agent", messages: [{ role: "user", content: "hi" }] };
  for (const [who, expected] of [[wes, 200], [rita, 403], [none, 403]])
    equal((await call(server, "POST", "/v1/chat/completions", ask, who)).status, expected, "chat");
  equal((await call(server, "POST", "/v1/chat/completions", { ...ask, model: "red" }, wes)).status, 404, "a hidden assistant is no model");
  check(!(await call(server, "GET", "/v1/models", undefined, wes)).text.includes("red"), "nor in the list");
  const made = await call(server, "POST", "/v1/responses", { model: "agent", input: "hi" }, wes);
  equal(made.status, 200, "a response");
  equal((await call(server, "GET", `/v1/responses/${made.json.id}`, undefined, wes)).status, 200, "is its maker's");
  for (const [method, more] of [["GET", ""], ["DELETE", ""], ["POST", "/cancel"]])
    equal((await call(server, method, `/v1/responses/${made.json.id}${more}`, undefined, wim)).status, 404, `another's: ${method}${more}`);
  equal((await call(server, "POST", "/v1/responses", { model: "agent", input: "hi", previous_response_id: made.json.id }, wim)).status, 404, "and nothing to go on from");
  const other = await call(server, "POST", "/v1/responses", { model: "agent", input: "hi", conversation: thread }, wim);
  equal([other.status, other.json.error.param], [404, "conversation"], "nor another's conversation");
});

await scenario("the doors of MCP and A2A", async () => {
  const mcp = (method, params, who) => call(server, "POST", "/mcp", { jsonrpc: "2.0", id: 1, method, params }, { ...who, accept: "application/json, text/event-stream" });
  const a2a = (method, params, who, assistant = "agent") => call(server, "POST", `/a2a/${assistant}`, { jsonrpc: "2.0", id: 1, method, params }, who);
  const message = (more) => ({ message: { messageId: "m", role: "ROLE_USER", parts: [{ text: "hi" }], ...more } });
  for (const [who, expected] of [[wes, 200], [rita, 403], [none, 403]]) {
    equal((await mcp("tools/call", { name: "agent", arguments: { messages: "hi" } }, who)).status, expected, "a tool");
    equal((await a2a("SendMessage", message(), who)).status, expected, "a message");
  }
  for (const [who, expected] of [[wes, false], [wim, true]]) {
    equal((await mcp("tools/list", {}, who)).text.includes("red"), expected, "a hidden assistant is no tool");
    equal((await mcp("tools/call", { name: "red", arguments: { messages: "hi" } }, who)).json.result !== undefined, expected, "and is not called");
    equal((await a2a("SendMessage", message(), who, "red")).status, expected ? 200 : 404, "nor an agent");
  }
  const { id, contextId } = (await a2a("SendMessage", message(), wes)).json.result.task;
  equal((await a2a("GetTask", { id }, wes)).json.result?.id, id, "a task is its maker's");
  equal((await a2a("CancelTask", { id }, wes)).json.error.code, -32002, "who may cancel it");
  for (const [method, params] of [["GetTask", { id }], ["CancelTask", { id }], ["SubscribeToTask", { id }], ["SendMessage", message({ taskId: id })]]) equal((await a2a(method, params, wim)).json.error?.code, -32001, `another's: ${method}`);
  equal((await a2a("ListTasks", { contextId }, wim)).json.result?.tasks, [], "another's context");
  check((await a2a("SendMessage", message({ contextId }), wim)).json.error, "which is not gone on with");
  equal((await a2a("CancelTask", { id }, rita)).status, 403, "a reader cancels nothing");
});

await scenario("stamps stay", async () => {
  const { owner, b } = (await sdk(wes).threads.update(thread, { metadata: { owner: "wim", b: 2 } })).metadata;
  equal({ owner, b }, { owner: "wes", b: 2 }, "an update leaves them");
  const edited = (await sdk(as({ sub: "ed", scope: "editor" })).threads.update(thread, { metadata: { owner: "ed", c: 3 } })).metadata;
  equal([edited.owner, edited.c], ["wes", 3], "of one who creates no threads, too");
  equal((await sdk(ada).threads.update(thread, { metadata: { owner: "wim" } })).metadata.owner, "wim", "who stamps nothing may change them");
  equal(await status(sdk(wes).threads.get(thread)), 404, "and the thread is another's now");
  equal((await sdk(ada).threads.update(thread, { metadata: { owner: "wes" } })).metadata.owner, "wes", "and his again");
  const copy = (await call(server, "POST", `/threads/${thread}/copy`, undefined, wes)).json;
  equal(copy.metadata?.owner, "wes", "a copy is stamped");
});

await scenario("no scopes, and none that is known", async () => {
  for (const who of [none, as({ sub: "x", scope: "adm" }), as({ sub: "x", scope: "admin2 Admin" }), as({ sub: "x", scope: "" })])
    for (const [method, target, body] of [["POST", "/threads", {}], ["POST", "/threads/search", {}], ["POST", "/assistants", { graph_id: "agent" }], ["GET", "/usage"], ["GET", "/work/items"], ["POST", "/work/rpc", { operation: "list" }], ["GET", "/agents/x"]]) {
      const x = await call(server, method, target, body, who);
      equal([x.status, x.json], [403, { detail: "Not authorized" }], `${method} ${target}`);
    }
  equal((await call(server, "POST", "/work/rpc", { operation: "list" }, rita)).status, 200, "work:read reads by rpc");
  equal((await call(server, "POST", "/work/rpc", { operation: "create", args: { title: "x" } }, rita)).status, 403, "and does not write by it");
  equal((await call(server, "POST", "/threads", {}, as({ sub: "t", scope: "writer" }))).status, 200, "a writer without a team");
  equal((await call(server, "GET", "/assistants/agent", undefined, as({ sub: "t", scope: "writer" }))).status, 403, "has no claim that a filter needs");
});

await scenario("any origin, and never with credentials", async () => {
  for (const [method, target] of [["GET", "/ok"], ["OPTIONS", "/threads"], ["POST", "/threads/search"]]) {
    const x = await call(server, method, target, method === "POST" ? {} : undefined, { ...wes, origin: "http://localhost:3000" });
    equal([x.headers.get("access-control-allow-origin"), x.headers.get("access-control-allow-credentials")], ["*", null], `${method} ${target}`);
  }
});

await scenario("namespaces", async () => {
  const put = (who, ...namespace) => call(server, "PUT", "/store/items", { namespace, key: "k", value: { v: namespace.join() } }, who);
  equal((await put(wes, "users", "wes", "notes")).status, 204, "one's own");
  for (const ns of [["users", "wim"], ["users", "wes2"], ["users"], ["wes"], ["users", "we_"], ["users", "%"]])
    equal((await put(wes, ...ns)).status, 403, `foreign: ${ns}`);
  equal((await put(wim, "users", "wim")).status, 204, "the other's own");
  equal((await call(server, "GET", "/store/items?namespace=users.wim&key=k", undefined, wes)).status, 403, "read");
  equal((await call(server, "DELETE", "/store/items", { namespace: ["users", "wim"], key: "k" }, wes)).status, 403, "delete");
  const found = async (who, prefix) => { const x = await call(server, "POST", "/store/items/search", { namespace_prefix: prefix }, who); return x.status === 200 ? x.json.items.map((i) => i.namespace.join(".")) : x.status; };
  equal(await found(wes, []), ["users.wes.notes"], "a search over all is of one's own");
  equal(await found(wes, ["users"]), ["users.wes.notes"], "of a part above it, too");
  equal(await found(wes, ["users", "wim"]), 403, "of another's not");
  equal((await found(ada, [])).length, 2, "an admin's finds both");
  const names = async (who, body) => { const x = await call(server, "POST", "/store/namespaces", body, who); return x.status === 200 ? x.json.namespaces.map((i) => i.join(".")) : x.status; };
  equal(await names(wes, {}), ["users.wes.notes"], "one's own are listed");
  equal(await names(wes, { prefix: ["users", "*"] }), ["users.wes.notes"], "whatever stands for any");
  equal(await names(wes, { prefix: ["users", "wim"] }), 403, "another's are not");
  equal(await names(as({ sub: "*", scope: "writer" }), {}), 403, "a subject that stands for any is none");
  const own = as({ sub: "olga", scope: "own" }), dotted = as({ sub: "ol.ga", scope: "own" });
  equal((await put(own, "a")).status, 204, "prepended");
  equal(await found(own, []), ["olga.a"], "and found there");
  equal([await names(own, {}), await names(own, { prefix: ["a"] }), await names(own, { prefix: ["users"] })], [["olga.a"], ["olga.a"], []], "and listed");
  equal((await put(dotted, "a")).status, 422, "a subject with a dot is no label");
});

await scenario("the audit log", async () => {
  const before = lines().length;
  const made = (await call(server, "POST", "/assistants", { graph_id: "agent" }, ada)).json.assistant_id;
  equal((await call(server, "DELETE", `/assistants/${made}`, undefined, ada)).status, 200, "an admin deletes");
  equal((await call(server, "DELETE", `/assistants/${made}`, undefined, rita)).status, 403, "a reader does not");
  const told = await until(() => { const x = lines().slice(before); return x.length >= 5 && x; }, "the lines");
  equal(told.map((x) => [x.phase, x.action, x.user, x.status]), [["begins", "assistants:create", "ada", undefined], ["ends", "assistants:create", "ada", 200],
    ["begins", "assistants:delete", "ada", undefined], ["ends", "assistants:delete", "ada", 200], ["denied", "assistants:delete", "rita", 403]], "who did what, and with what result");
  const w = (await call(oneNode(server), "POST", "/work/items", { title: "x" }, ada)).json.id;
  equal((await call(oneNode(server), "POST", "/work/rpc", { operation: "delete", args: { ids: [w] } }, ada)).status, 200, "a work item is deleted");
  equal((await until(() => { const x = lines().slice(before + 5); return x.length >= 2 && x; }, "its lines")).map((x) => [x.phase, x.action]), [["begins", "work:delete"], ["ends", "work:delete"]], "by rpc, too");
  check(told[0].id === told[1].id && told[1].id !== told[2].id && told[2].object === `/assistants/${made}` && (server.nodes ? /:\d+$/ : /^127\.0\.0\.1:/).test(told[0].remote) && Date.parse(told[0].time) > 0, "an id, what, from where, when", told);
  check(!readFileSync(audit, "utf8").includes("eyJ"), "no token in it");
  equal(statSync(audit).mode & 0o777, 0o600, "for its owner alone");
});

// The answers are larger than what the kernel takes for a client that does not read.
await scenario("the audit log: clients that are slow, and that leave", async () => {
  const node = oneNode(server), before = lines().length, made = 60, text = "x".repeat(60_000);
  const of = (phase) => lines().slice(before).filter((x) => x.phase === phase);
  const body = JSON.stringify({ graph_id: "agent", metadata: { text }, context: { text }, config: { configurable: { text } } });
  const post = `POST /assistants HTTP/1.1\r\nhost: a\r\nauthorization: ${ada.authorization}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  const slow = net.connect(node.port, new URL(node.url).hostname).pause();
  for (let i = 0; i < made; i++) slow.write(post);
  await until(async () => await metric(node, "cohort_http_output_bytes") > 0, "an answer that waits for its client");
  equal(of("ends").length, of("begins").length, "the line of an answer does not wait for its reader");
  let got = "";
  slow.setEncoding("latin1").on("data", (d) => { got += d; }).resume();
  await until(() => got.split("HTTP/1.1 200 ").length - 1 === made, "the answers");
  equal(of("ends").map((x) => [x.id, x.status]), of("begins").map((x) => [x.id, 200]), "and each is there");
  slow.destroy();
  const leaves = net.connect(node.port, new URL(node.url).hostname).on("error", () => {}), n = of("begins").length;
  leaves.write(post, () => leaves.destroy());
  await until(() => of("begins").length > n && of("ends").length === of("begins").length, "the lines of a client that left");
  equal(of("ends").at(-1).status, 200, "have what was done");
});

await scenario("a file is read again, or kept", async () => {
  renameSync(audit, `${audit}.1`);
  writeFileSync(file, "default: deny\nrules:\n  - allow: thread\n");
  server.child.kill("SIGHUP");
  await until(() => server.log.includes("policy.yaml:3:12: rules[0].allow: no action is called"), "the mistake");
  equal((await call(server, "GET", `/threads/${thread}`, undefined, wes)).status, 200, "the old rules stay");
  writeFileSync(file, "default: deny\nrules:\n  - allow: threads:search\n");
  server.child.kill("SIGHUP");
  await until(async () => (await call(server, "GET", `/threads/${thread}`, undefined, wes)).status === 403, "the new ones");
  equal((await call(server, "POST", "/threads/search", {}, none)).status, 200, "count at once");
  check(server.log.includes("policy_uncovered") && server.log.includes("threads:create_run"), "what no rule is about is told");
  const again = lines();
  check(again.some((x) => x.phase === "reloaded" && x.action === "policy" && !x.error) && again.some((x) => x.action === "policy" && /no action/.test(x.error)), "the log is a new file, and has both", again);
});

// Each route asks for the action that it names, and for no other: a new route is tried
// without a line here.
await scenario("every route by its action", async () => {
  const spec = (await call(server, "GET", "/openapi.json")).json.paths;
  const routes = Object.entries(spec).flatMap(([path, methods]) => Object.entries(methods).map(([method, x]) => ({ method: method.toUpperCase(), path, x })));
  const actions = [...new Set(routes.map(({ x }) => x["x-access"]).filter((x) => x))];
  check(routes.length > 80 && actions.length > 20, "the routes of /openapi.json", [routes.length, actions]);
  const all = path.join(scratch(), "all.yaml");
  writeFileSync(all, `default: allow\nrules:\n${actions.map((x) => `  - scope: "no-${x}"\n    deny: ${x}\n`).join("")}`);
  const every = await startServer({ mock, args: ["--jwt-secret", secret, "--auth-policy", all] });
  const without = (action) => as({ sub: "eve", scope: actions.filter((x) => x === action).map((x) => `no-${x}`).join(" ") });
  const others = (action) => as({ sub: "eve", scope: actions.filter((x) => x.split(":")[0] !== action.split(":")[0]).map((x) => `no-${x}`).join(" ") });
  for (const { method, path: route, x } of routes) {
    const target = route.replace(/\{[a-z_]+\}/g, crypto.randomUUID()), body = method === "GET" || method === "DELETE" ? undefined : {};
    if (x.security) { check(x["x-access"] === undefined, `${method} ${route}: open`); continue; }
    equal((await call(every, method, target, body)).status, 401, `${method} ${route}: nobody`);
    if (x["x-access"] === undefined) continue;   // each of its commands has one: see "the thread protocol"
    equal((await call(every, method, target, body, without(x["x-access"]))).status, 403, `${method} ${route}: without ${x["x-access"]}`);
    if (x.responses["200"]?.content?.["text/event-stream"]) continue;
    const y = await call(every, method, target, body, others(x["x-access"]));
    // Workers have keys of their own, operators the scope admin, whatever the policy says.
    if (/^(workers|cluster|settings|owners):/.test(x["x-access"])) check(y.status === 403 && /this route is for (workers|operators)/.test(y.text), `${method} ${route}: by its key`, y.text);
    else check(y.status !== 401 && (y.status !== 403 || route.includes("/runs/crons")), `${method} ${route}: with it alone`, y.text);
  }
  await every.stop();
});
await server.stop();

await scenario("the audit log: a server that stops", async () => {
  const own = path.join(scratch(), "audit.jsonl"), stops = await startServer({ mock, args: ["--jwt-secret", secret, "--audit-file", own] });
  const of = (phase) => readFileSync(own, "utf8").trim().split("\n").filter((x) => x).map((x) => JSON.parse(x)).filter((x) => x.phase === phase).map((x) => x.id).sort();
  const all = Array.from({ length: 40 }, () => call(stops, "POST", "/assistants", { graph_id: "agent" }, ada).catch(() => {}));
  await until(() => of("begins").length > 0, "the first");
  await stops.stop();
  await Promise.all(all);
  equal(of("ends"), of("begins"), "what was begun has its end");
});

await scenario("what cannot be written down is not done", async () => {
  writeFileSync(file, text);
  const full = await startServer({ mock, args: ["--jwt-secret", secret, "--auth-policy", file, "--auth-scope", "org", "--audit-file", "/dev/full"] });
  const x = await call(full, "POST", "/assistants", { graph_id: "agent", name: "lost" }, ada);
  equal(x.status, 503, "a change is refused");
  equal((await call(full, "POST", "/assistants/search", { name: "lost" }, ada)).json, [], "and was not made");
  equal((await call(full, "POST", "/threads", {}, ada)).status, 200, "what is not written down goes on");
  check(full.log.includes("audit_failed"), "the log says why", full.log);
  await full.stop();
});

await scenario("a wrong start", async () => {
  const starts = (...more) => { try { execFileSync(binary, ["serve", "--port", "0", "--store", "memory", ...more], { stdio: "pipe", timeout: 10000, cwd: scratch() }); return ""; } catch (e) { return String(e.stderr); } };
  check(starts("--auth-policy", file).includes("nobody has credentials"), "a policy needs credentials");
  const open = path.join(dir, "open.yaml");
  writeFileSync(open, text, { mode: 0o666 });
  execFileSync("chmod", ["666", open]);
  check(starts("--jwt-secret", secret, "--auth-policy", open).includes("writable by others"), "a policy that others can write is refused");
  check(starts("--jwt-secret", secret, "--auth-policy", "/nowhere/p").includes("/nowhere/p"), "none at all, too");
  check(starts("--jwt-secret", secret, "--audit-file", "/nowhere/a").includes("/nowhere/a"), "an audit log that cannot be");
});
finish();
