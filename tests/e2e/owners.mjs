// owners.mjs - two owners on one server: whatever route one of them uses, the
// other's things do not exist.  The matrix comes from /openapi.json, so a new
// route without a row here fails.
import { call, check, equal, finish, oneNode, parseEvents, raw, scenario, startMock, startServer, until } from "./lib.mjs";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { binary, scratch } from "./lib.mjs";

const secret = "0123456789abcdef0123456789abcdef";
const dir = scratch();
const keys = path.join(dir, "keys");
writeFileSync(keys, `# carol has a key\n${createHash("sha256").update("ck_carol").digest("hex")} carol\n`);
const script = path.join(dir, "script.json");
writeFileSync(script, JSON.stringify({ rules: [{ match: "alice's order", tool_calls: [{ name: "store_put", args: { namespace: ["alice"], key: "k", value: { v: "alice's value" } } }] }] }));
const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "0", "--script", script]);
const server = await startServer({ mock, dir, args: ["--jwt-secret", secret, "--api-keys", keys] }), work = oneNode(server);
const token = (...args) => execFileSync(binary, ["token", ...args], { env: { PATH: process.env.PATH, COHORT_JWT_SECRET: secret } }).toString().trim();
const as = (name) => ({ authorization: `Bearer ${token("--sub", name)}` });
const alice = as("alice"), bob = as("bob");
const run = { assistant_id: "agent", input: { messages: [{ role: "user", content: "alice's words" }] } };

const made = {};
await scenario("alice's things", async () => {
  made.assistant = (await call(server, "POST", "/assistants", { graph_id: "agent", name: "alice's assistant" }, alice)).json.assistant_id;
  made.thread = (await call(server, "POST", "/threads", { metadata: { secret: "alice's metadata" } }, alice)).json.thread_id;
  const w = await call(server, "POST", `/threads/${made.thread}/runs/wait`, { ...run, stream_resumable: true }, alice);
  equal(w.status, 200, "alice's run");
  made.run = (await call(server, "GET", `/threads/${made.thread}/runs`, undefined, alice)).json[0].run_id;
  made.checkpoint = (await call(server, "GET", `/threads/${made.thread}/state`, undefined, alice)).json.checkpoint.checkpoint_id;
  equal((await call(server, "PUT", "/store/items", { namespace: ["alice"], key: "k", value: { v: "alice's value" } }, alice)).status, 204, "alice's item");
  // and a thread that waits for her
  made.asked = (await call(server, "POST", "/threads", {}, alice)).json.thread_id;
  made.ask = { assistant_id: "agent", input: { messages: [{ role: "user", content: "alice's order" }] }, config: { configurable: { interrupt_on: { store_put: true } } } };
  const asked = await call(server, "POST", `/threads/${made.asked}/runs/wait`, made.ask, alice);
  equal(asked.json.__interrupt__?.length, 1, "alice is asked");
  const item = await call(work, "POST", "/work/items", { title: "alice's work", actor: "alice" }, alice);
  equal(item.status, 200, "alice's work item");
  made.item = item.json.id;
  const cron = await call(server, "POST", "/runs/crons", { ...run, assistant_id: made.assistant, schedule: "0 0 1 1 *", metadata: { secret: "alice's cron" } }, alice);
  equal(cron.status, 200, `alice's cron ${cron.text}`);
  made.cron = cron.json.cron_id;
  // an agent, a conversation and a dead letter
  made.agent = (await call(server, "POST", "/agents", { kind: "external", name: "alices" }, alice)).json.agent_id;
  const lost = (await call(server, "POST", "/agents", { kind: "external", name: "lost" }, alice)).json.agent_id;
  made.message = (await call(server, "POST", "/messages", { performative: "inform", receiver: lost, content: "alice's words", conversation_id: "alices-talk", delivery: { durable: true } }, alice)).json.message_id;
  equal((await call(server, "DELETE", `/agents/${lost}`, undefined, alice)).status, 204, "alice's agent that stopped");
  equal((await call(server, "GET", "/conversations/alices-talk", undefined, alice)).json?.length, 1, "alice's conversation");
  await until(async () => (await call(server, "GET", "/messages/dead", undefined, alice)).json.length === 1, "alice's dead letter");
});

// What bob gets where alice gets her own: a status, or a check of the answer.
const t = made.thread, r = made.run, a = made.assistant, w = made.item, checkpoint = made.checkpoint;
const noRun = (x) => x.text === 'event: error\ndata: {"error":"HTTPError","message":"HTTP 404: Run not found"}\n\n';
const rows = {
  "POST /session": [{}, 200, (x) => x.json.user === "bob"],
  "GET /session": [, 200, (x) => x.json.owner === "bob"],
  "DELETE /session": [, 204],
  "POST /session/ticket": [{ thread_id: t }, 200],     // as for a thread that is not there
  "POST /assistants": [{ graph_id: "agent", assistant_id: a }, 409],
  "POST /assistants/search": [{ limit: 1000 }, 200, (x) => x.json.length > 0 && x.json.every((y) => y.metadata.created_by === "system")],
  "POST /assistants/count": [{ name: "alice" }, 200, (x) => x.json === 0],
  "GET /assistants/{assistant_id}": [, 404],
  "PATCH /assistants/{assistant_id}": [{ name: "bob's" }, 404],
  "DELETE /assistants/{assistant_id}": [, 404],
  "GET /assistants/{assistant_id}/graph": [, 404],
  "GET /assistants/{assistant_id}/drawing": [, 404],
  "GET /assistants/{assistant_id}/schemas": [, 404],
  "GET /assistants/{assistant_id}/subgraphs": [, 404],
  "GET /assistants/{assistant_id}/subgraphs/{namespace}": [, 404],
  "POST /assistants/{assistant_id}/versions": [{}, 404],
  "POST /assistants/{assistant_id}/latest": [{ version: 1 }, 404],
  "POST /threads": [{ thread_id: t }, 409],
  "POST /threads/search": [{ metadata: { secret: "alice" + "'s metadata" } }, 200, (x) => x.json.length === 0 && x.headers.get("x-pagination-total") === "0"],
  "POST /threads/count": [{ ids: [t] }, 200, (x) => x.json === 0],
  "GET /threads/{thread_id}": [, 404],
  "PATCH /threads/{thread_id}": [{ metadata: { bob: 1 } }, 404],
  "DELETE /threads/{thread_id}": [, 404],
  "POST /threads/prune": [{ thread_ids: [t] }, 200, (x) => x.json.pruned_count === 0],
  "PATCH /threads/{thread_id}/state": [{ metadata: { bob: 1 } }, 404],
  "POST /threads/{thread_id}/copy": [, 409, (x) => x.json.detail === "Thread not found"],
  "GET /threads/{thread_id}/storage": [, 404],
  "GET /threads/{thread_id}/state": [, 404],
  "POST /threads/{thread_id}/state": [{ values: { messages: "bob's words" } }, 404],
  "GET /threads/{thread_id}/state/{checkpoint_id}": [, 404],
  "POST /threads/{thread_id}/state/checkpoint": [{ checkpoint: { checkpoint_id: checkpoint } }, 404],
  "GET /threads/{thread_id}/history": [, 404],
  "POST /threads/{thread_id}/history": [{}, 404],
  // as of a thread that is not there, word for word: see below
  "POST /threads/{thread_id}/commands": [{ id: 1, method: "state.get", params: {} }, 200, (x) => x.json.error === "no_such_run"],
  "POST /threads/{thread_id}/stream/events": [{ channels: [] }, 400],
  "GET /threads/{thread_id}/stream/events": [, 426],   // the handshake; its commands are the same
  "POST /threads/{thread_id}/runs": [run, 404],
  "POST /internal/truncate": [{ threads: true, assistants: true, store: true }, 404],
  "POST /threads/{thread_id}/runs/wait": [run, 404],
  "POST /threads/{thread_id}/runs/stream": [run, 404],
  "GET /threads/{thread_id}/runs": [, 404],
  "GET /threads/{thread_id}/runs/{run_id}": [, 404],
  "DELETE /threads/{thread_id}/runs/{run_id}": [, 404],
  "GET /threads/{thread_id}/runs/{run_id}/join": [, 404],
  "GET /threads/{thread_id}/runs/{run_id}/stream": [, 200, noRun],
  "POST /threads/{thread_id}/runs/{run_id}/cancel": [, 404],
  "POST /runs": [{ ...run, assistant_id: a }, 404],
  "POST /runs/wait": [{ ...run, assistant_id: a }, 404],
  "POST /runs/batch": [[{ ...run, assistant_id: a }], 404],
  "POST /runs/cancel": [{ thread_id: t, run_ids: [r] }, 404],
  "POST /runs/search": [{ status: ["pending", "running", "success", "error", "interrupted"] }, 200, (x) => x.json.runs.length === 0],
  "GET /threads/{thread_id}/stream": [, 404],
  "POST /runs/stream": [{ ...run, assistant_id: a }, 404],
  "GET /runs/{run_id}/stream": [, 200, noRun],
  "GET /runs/{run_id}/join": [, 404],
  "POST /runs/crons": [{ assistant_id: a, schedule: "0 0 1 1 *" }, 404],
  "POST /threads/{thread_id}/runs/crons": [{ assistant_id: "agent", schedule: "0 0 1 1 *" }, 404],
  "POST /runs/crons/search": [{}, 200, (x) => x.json.length === 0],
  "POST /runs/crons/count": [{}, 200, (x) => x.json === 0],
  "GET /runs/crons/{cron_id}": [, 404],
  "PATCH /runs/crons/{cron_id}": [{ enabled: false }, 404],
  "DELETE /runs/crons/{cron_id}": [, 404],
  "GET /threads/{thread_id}/transcript": [, 404],
  "GET /threads/{thread_id}/runs/{run_id}/agent": [, 404],
  "POST /threads/{thread_id}/runs/{run_id}/inject": [{ message: { role: "user", content: "bob's" } }, 404],
  "POST /owner/erase": [{}, 403],
  "GET /messages": [, 200, (x) => x.json.length === 0],
  "GET /quota": [, 200, (x) => x.json.threads.used === 0 && x.json["store-items"].used === 0],
  "GET /usage": [, 200, (x) => !x.text.includes(t), "?group_by=thread"],
  "GET /interrupts": [, 200, (x) => x.json.length === 0],
  "PUT /store/items": [{ namespace: ["alice"], key: "k", value: { v: "bob's value" } }, 204],
  "GET /store/items": [, 200, (x) => !x.text.includes("alice's"), "?namespace=alice&key=k"],
  "DELETE /store/items": [{ namespace: ["alice"], key: "k" }, 204],
  "POST /store/items/search": [{ namespace_prefix: [] }, 200, (x) => !x.text.includes("alice's")],
  "POST /store/namespaces": [{}, 200, (x) => !x.text.includes("alice")],
  "POST /agents": [{ kind: "external", agent_id: made.agent }, 409],
  "POST /agents/search": [{}, 200, (x) => x.json.length === 0],
  "GET /agents/{agent}": [, 404],
  "DELETE /agents/{agent}": [, 404],
  "POST /agents/{agent}/messages": [{ performative: "inform", receiver: "nobody" }, 404],
  "GET /agents/{agent}/mailbox": [, 404],
  "POST /agents/{agent}/mailbox/ack": [{ message_ids: [made.message] }, 404],
  "POST /messages": [{ performative: "inform", receiver: made.agent }, 404],
  "GET /messages/dead": [, 200, (x) => x.json.length === 0],
  "POST /messages/dead/{message_id}/retry": [, 404],
  "DELETE /messages/dead/{message_id}": [, 404],
  "GET /conversations/{conversation_id}": [, 404],
  "GET /work/items": [, 200, (x) => x.json.length === 0],
  "POST /work/items": [{ title: "bob's work", dependencies: [w] }, 404],
  "GET /work/items/{id}": [, 404],
  "PATCH /work/items/{id}": [{ title: "bob's" }, 404],
  "DELETE /work/items/{id}": [, 404],
  "POST /work/items/{id}/close": [{}, 404],
  "GET /work/ready": [, 200, (x) => x.json.length === 0],
  "POST /work/claim": [{ id: w }, 404],
  "POST /work/batch": [{ operations: [{ operation: "close", args: { id: w } }] }, 404],
  "POST /mcp": [{ jsonrpc: "2.0", id: 1, method: "tools/list" }, 200, (x) => x.json.result.tools.length > 0 && !x.text.includes(a), "", { accept: "application/json, text/event-stream" }],
  "POST /agui/{assistant_id}": [{ threadId: t, runId: "r", messages: [{ id: "m", role: "user", content: "bob's" }] }, 404],
  "POST /a2a/{assistant_id}": [{ jsonrpc: "2.0", id: 1, method: "SendMessage", params: { message: { messageId: "m", role: "ROLE_USER", parts: [{ text: "bob's" }] } } }, 404],
  "GET /a2a/{assistant_id}/.well-known/agent-card.json": [, 404],
  "GET /.well-known/agent-card.json": [, 404, , `?assistant_id=${a}`],
  "POST /work/mcp": [{ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "work_show", arguments: { id: w } } }, 200, (x) => x.json.result.isError],
  "POST /work/rpc": [{ operation: "show", args: { id: w } }, 404],
  "POST /v1/chat/completions": [{ model: a, messages: run.input.messages }, 404],
  "POST /v1/responses": [{ model: "agent", input: "bob's", previous_response_id: `resp_${r}` }, 404],
  "GET /v1/responses/{response_id}": [, 404],
  "DELETE /v1/responses/{response_id}": [, 404],
  "POST /v1/responses/{response_id}/cancel": [, 404],
  "GET /v1/models": [, 200, (x) => !x.text.includes(a)],
  "GET /v1/models/{model}": [, 404],
  "GET /work/events": ["stream"],        // in a scenario of its own
  // Workers have keys of their own; operators have the scope admin (workers.mjs).
  "POST /workers": [{ name: "w", build: "1", lang: "x", slots: { run: 1 }, graphs: [{ id: a }] }, 403],
  "GET /workers": [, 403],
  "POST /workers/{worker_id}/poll": [{ free: { run: 1 } }, 403],
  "POST /workers/{worker_id}/leave": [{}, 403],
  "POST /workers/{worker_id}/drain": [{}, 403],
  "GET /workers/log": [, 403],
  "GET /cluster": [, 403],
  "GET /settings": [, 403],
  "GET /workers/{worker_id}": [, 403],
  "DELETE /workers/graphs/{graph_id}": [, 403],
  "PUT /wasm/modules/{name}": [{}, 415],               // in full in wasm.mjs
  "GET /wasm/modules": [, 200, (x) => x.json.length === 0],
  "GET /wasm/modules/{name}": [, 404],
  "POST /wasm/modules/{name}/rollback": [{}, 404],
  "DELETE /wasm/modules/{name}": [, 404],
  "POST /tasks/{task_id}/events": [{ events: [] }, 403],
  "POST /tasks/{task_id}/saver": [{ op: "get", ns: "" }, 403],
  "POST /tasks/{task_id}/store": [{ ops: [] }, 403],
  "POST /tasks/{task_id}/end": [{ status: "success" }, 403],
};
const open = ["GET /", "GET /ok", "GET /info", "GET /health", "GET /metrics", "GET /openapi.json", "GET /docs", "GET /ui", "GET /ui/{file}"];

await scenario("the matrix", async () => {
  const spec = (await call(server, "GET", "/openapi.json")).json;
  for (const [path, methods] of Object.entries(spec.paths)) {
    for (const method of Object.keys(methods)) {
      const route = `${method.toUpperCase()} ${path}`;
      if (open.includes(route)) {
        const x = await call(server, method.toUpperCase(), path.replace("{file}", "app.js"));
        check(x.status === 200 && !/alice/.test(x.text), `${route}: open, and says nothing of anyone`, x.text.slice(0, 300));
        continue;
      }
      const row = rows[route];
      if (!check(row !== undefined, `${route}: has a row in the matrix`)) continue;
      if (row[0] === "stream") {
        equal((await call(server, method.toUpperCase(), path)).status, 401, `${route}: nobody is 401`);
        continue;
      }
      const target = path.replace("{thread_id}", t).replace("{run_id}", r).replace("{assistant_id}", a).replace("{agent}", made.agent).replace("{message_id}", made.message).replace("{cron_id}", made.cron).replace("{conversation_id}", "alices-talk").replace("{response_id}", `resp_${r}`).replace("{model}", a).replace("{id}", w).replace("{checkpoint_id}", checkpoint) + (row[3] ?? "");
      const to = path.startsWith("/work/") ? work : server;
      const nobody = await call(to, method.toUpperCase(), target, row[0], row[4]);
      equal([nobody.status, nobody.headers.get("www-authenticate")], [401, "Bearer"], `${route}: nobody is 401`);
      const x = await call(to, method.toUpperCase(), target, row[0], { ...row[4], ...bob });
      equal(x.status, row[1], `${route}: bob`);
      if (row[2]) check(row[2](x), `${route}: bob sees nothing of alice`, x.text);
      check(!/alice's/.test(x.text), `${route}: not a word of alice's`, x.text);
    }
  }
});

// Each command on alice's thread, and on one that nobody has: bob cannot tell them apart.
await scenario("commands of the thread protocol", async () => {
  const nobodys = crypto.randomUUID(), question = (await call(server, "GET", `/threads/${made.asked}/state`, undefined, alice)).json.tasks[0].interrupts[0].id;
  const commands = { "input.respond": { interrupt_id: question, response: { decisions: [{ type: "approve" }] } }, "input.inject": { message: { role: "user", content: "bob's" } },
    "state.get": {}, "state.listCheckpoints": {}, "state.fork": { checkpoint_id: checkpoint }, "agent.getTree": { run_id: r } };
  for (const [method, params] of Object.entries(commands)) {
    const [theirs, none] = await Promise.all([made.asked, nobodys].map((id) => call(server, "POST", `/threads/${id}/commands`, { id: 1, method, params }, bob)));
    equal([theirs.status, theirs.json.error], [200, "no_such_run"], `${method}: bob`);
    equal(theirs.text.replace(made.asked, nobodys), none.text, `${method}: as if there were no thread`);
  }
  const began = await call(server, "POST", `/threads/${t}/commands`, { id: 1, method: "run.start", params: run }, bob);
  equal([began.json.error, began.json.message], ["no_such_run", `Thread with ID ${t} not found`], "run.start: bob");
  equal((await call(server, "POST", `/threads/${crypto.randomUUID()}/commands`, { id: 1, method: "run.start", params: { ...run, assistant_id: a } }, bob)).json.error, "invalid_argument", "run.start of alice's assistant: bob");
  equal((await call(server, "GET", `/threads/${t}/runs`, undefined, alice)).json.length, 1, "alice's thread has no other run");
});

// What a reader of the thread hears until it ends itself.
function readThread(id, headers, body = { channels: ["values", "lifecycle", "messages", "input"] }) {
  const gone = new AbortController(), reader = { text: "" };
  reader.open = fetch(`${server.url}/threads/${id}/stream/events`, { method: "POST", headers, body: JSON.stringify(body), signal: gone.signal }).then((res) => {
    reader.read = (async () => { try { for await (const part of res.body) reader.text += Buffer.from(part).toString(); } catch { /* it was cut */ } })();
    return res.status;
  });
  reader.close = async () => { gone.abort(); await reader.read; };
  return reader;
}

await scenario("streams of the thread protocol", async () => {
  const fresh = crypto.randomUUID();
  const readers = [readThread(t, bob), readThread(made.asked, bob), readThread(fresh, bob)], hers = readThread(fresh, alice);
  equal(await Promise.all([...readers, hers].map((x) => x.open)), [200, 200, 200, 200], "each opens, as on a thread that is not there");
  // alice makes the third thread while bob listens, and uses the first
  for (const id of [fresh, t])
    equal((await call(server, "POST", `/threads/${id}/commands`, { id: 1, method: "run.start", params: { ...run, assistant_id: "agent" } }, alice)).json.type, "success", "alice's run");
  await until(() => hers.text.includes('"event":"completed"'), "alice to hear her run");
  check(hers.text.includes("alice's words"), "alice hears it", hers.text.slice(0, 500));
  await until(async () => (await call(server, "GET", `/threads/${t}`, undefined, alice)).json.status === "idle", "the other run to end");
  const late = readThread(fresh, bob);
  equal(await late.open, 200, "bob comes later");
  // Whatever was on its way to bob was so before this beat.
  for (const x of [...readers, late]) await until(() => x.text.includes(": heartbeat"), "a heartbeat");
  for (const x of [...readers, late]) check(!x.text.includes("event:"), "bob hears nothing", x.text.slice(0, 300));
  for (const x of [...readers, late, hers]) await x.close();
});

await scenario("events are one's own", async () => {
  const gone = new AbortController();
  const res = await fetch(`${work.url}/work/events?after=0`, { headers: bob, signal: gone.signal });
  equal((await call(work, "POST", "/work/items", { title: "bob's work" }, bob)).status, 200, "bob's work item");
  let text = "";
  for await (const part of res.body) { text += Buffer.from(part).toString(); if (text.includes("bob's work")) break; }
  gone.abort();
  check(text.includes("work.created") && !text.includes("alice's"), "bob hears of his own work only", text);
});

await scenario("nobody else answers, and nobody else's checkpoint is a start", async () => {
  const answer = { assistant_id: "agent", command: { resume: { decisions: [{ type: "reject", message: "bob's no" }] } } };
  equal((await call(server, "POST", `/threads/${made.asked}/runs/wait`, answer, bob)).status, 404, "bob cannot answer");
  const own = (await call(server, "POST", "/threads", { metadata: { graph_id: "agent" } }, bob)).json.thread_id;
  for (const more of [{ checkpoint_id: checkpoint }, { checkpoint: { checkpoint_id: checkpoint } }, { checkpoint: { thread_id: t, checkpoint_id: checkpoint } }, { config: { configurable: { checkpoint_id: checkpoint } } }]) {
    const x = await call(server, "POST", `/threads/${own}/runs/wait`, { ...run, ...more }, bob);
    check([404, 422].includes(x.status) && !x.text.includes("alice's words"), `on a thread of his own: ${JSON.stringify(more)}`, x.text);
    const y = await call(server, "POST", `/threads/${own}/state`, { values: { messages: "bob's" }, as_node: "agent", ...more }, bob);
    if (!more.config) check([404, 422].includes(y.status), `an update of it: ${JSON.stringify(more)}`, y.text);
  }
  const at = await call(server, "GET", `/threads/${own}/state/${checkpoint}`, undefined, bob);
  check(!at.text.includes("alice's"), "its state", at.text);
});

await scenario("alice's things are as they were", async () => {
  equal((await call(server, "GET", `/assistants/${a}`, undefined, alice)).json.name, "alice's assistant", "assistant");
  equal((await call(server, "GET", "/store/items?namespace=alice&key=k", undefined, alice)).json.value, { v: "alice's value" }, "item");
  equal((await call(work, "GET", `/work/items/${w}`, undefined, alice)).json.status, "open", "work item");
  equal((await call(server, "GET", `/threads/${t}/state`, undefined, alice)).json.values.messages.length, 4, "state");
  equal((await call(server, "GET", `/threads/${t}/runs`, undefined, alice)).json.length, 2, "runs");
  for (const route of [`GET /assistants/${a}/graph`, `GET /assistants/${a}/drawing`, `GET /assistants/${a}/schemas`, `GET /assistants/${a}/subgraphs`, `GET /threads/${t}/storage`, `GET /threads/${t}/state/${checkpoint}`])
    equal((await call(server, ...route.split(" "), undefined, alice)).status, 200, `${route.replace(/[0-9a-f-]{36}/g, "ID")}: alice`);
  equal((await call(server, "POST", `/threads/${t}/copy`, undefined, alice)).status, 200, "a copy is hers to make");
  equal((await call(server, "GET", "/interrupts", undefined, alice)).json.map((x) => x.thread_id), [made.asked], "what she is asked");
  const x = await call(server, "POST", `/threads/${made.asked}/runs/wait`, { ...made.ask, input: undefined, command: { resume: { decisions: [{ type: "approve" }] } } }, alice);
  check(x.json.messages?.at(-2)?.status === "success", "and her answer counts", x.text);
});

await scenario("the model's store tool acts for its owner", async () => {
  const x = await call(server, "POST", "/runs/wait", { assistant_id: "agent", input: { messages: [{ role: "user", content: "mock:400" }] } }, bob);
  check(x.status === 200 && x.json.__error__, "a failing run tells its owner", x.text);
});

await scenario("credentials", async () => {
  equal((await call(server, "GET", `/threads/${t}`, undefined, { "x-api-key": "ck_carol" })).status, 404, "carol's key works, and alice's thread is not hers");
  equal((await call(server, "POST", "/threads", {}, { "x-api-key": "ck_carol" })).status, 200, "carol has her own");
  for (const h of [{ "x-api-key": "ck_wrong" }, { "x-api-key": "" }, { authorization: "Bearer x" }, { authorization: "Bearer " }, { authorization: "Basic eDp5" },
    { authorization: `Bearer ${token("--sub", "alice").slice(0, -2)}` }, { authorization: `Bearer ${token("--sub", "alice", "--ttl", "-120")}` }])
    equal((await call(server, "POST", "/threads", {}, h)).status, 401, `refused: ${JSON.stringify(h).slice(0, 60)}`);
  // Refused by their heads: not a byte of the body was sent.
  const early = (method, target, more = "") => raw(server, `${method} ${target} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 16000000\r\n${more}\r\n`);
  for (const [method, target, status, words] of [["POST", "/runs/wait", 401, "www-authenticate: Bearer"], ["PUT", "/store/items", 401, "{\"detail\":"],
    ["POST", "/nowhere", 404, "{\"detail\":\"404 Not Found\"}"], ["PUT", "/threads", 405, "allow: POST, OPTIONS"]]) {
    const answer = await early(method, target);
    check(answer.startsWith(`HTTP/1.1 ${status} `) && answer.includes(words), `${status} ${method} ${target}: before the body`, answer);
  }
  check((await early("POST", "/threads/x/runs/wait", `X-Api-Key: ck_carol\r\n`)).startsWith("HTTP/1.1 422 "), "a malformed id: before the body");
  check(!server.log.includes(secret) && !server.log.includes("ck_carol"), "no secret in the log");
});
await server.stop();
finish();
