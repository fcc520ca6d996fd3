// worker-js.mjs - graphs in JavaScript, hosted by clients/js, through the official SDK:
// first the whole suites of the YAML agents (agents.mjs, time-travel.mjs) asked of the
// same agents in code, then agents as LangGraph's and LangChain's makers write them.
import { Client } from "sdk-2.0";
import { spawn } from "node:child_process";
import path from "node:path";
import { call, check, equal, finish, repo, scenario, startServer, until } from "./lib.mjs";
import { agentFolder, collect, ended, last, matches } from "./core-lib.mjs";
import { assistantOf, command, startHosted, startWorker, workersDir } from "./worker-lib.mjs";

const suite = (name) => new Promise((resolve) => {
  const child = spawn(process.execPath, [path.join(repo, "tests", "e2e", `${name}.mjs`)], { env: { ...process.env, CORE_WORKER: "js" }, stdio: ["ignore", "pipe", "pipe"] });
  let out = "";
  for (const s of [child.stdout, child.stderr]) s.on("data", (d) => { out += d; });
  const timer = setTimeout(() => child.kill("SIGKILL"), 240000);
  child.on("close", () => { clearTimeout(timer); resolve(out); });
});

for (const name of (process.env.WORKER_SUITES ?? "agents,time-travel").split(",").filter(Boolean))
  await scenario(name, async () => {
    const out = await suite(name), [, passed, failed] = /^(\d+) passed, (\d+) failed$/m.exec(out) ?? [];
    check(Number(passed) > 100 && failed === "0", `${name}.mjs, of agents in a worker`, out.slice(-6000));
  });

// Ids are other ones in each run, everything else of the stream must be the same.
await scenario("the streams of agents in YAML and in code", async () => {
  const folders = ["", "e2e"];
  const both = [await startServer({ args: ["--agents", agentFolder(folders)] }), await startHosted({ folder: agentFolder(folders), folders })];
  const masked = (x) => JSON.stringify(x).replace(/[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/g, "*").replace(/"[0-9a-f]{32}"/g, '"#"');
  const streamMode = ["values", "updates", "tasks", "messages-tuple", "custom"];
  for (const [id, input] of [["sends", { items: [1, 2] }], ["pair", { log: ["in"] }], ["do_asks", { log: ["in"] }], ["steps", { topic: "x" }], ["sub_ask", { n: 1 }], ["slow", { n: 1 }]]) {
    const [yaml, code] = await Promise.all(both.map(async ({ url }) => {
      const c = new Client({ apiUrl: url, callerOptions: { maxRetries: 0 } });
      const t = (await c.threads.create()).thread_id;
      return (await collect(c.runs.stream(t, id, { input, streamMode, streamSubgraphs: true }))).map((e) => masked([e.event, e.data]));
    }));
    equal(code, yaml, `${id}: event by event`);
  }
  for (const s of both) await s.stop();
});

const server = await startServer({ args: ["--agents", agentFolder([])] });
const project = path.join(workersDir, "agents.json");
const agents = { program: [command, project] };
let worker = await startWorker(server, agents);
const client = new Client({ apiUrl: server.url, callerOptions: { maxRetries: 0 } });
const newThread = async () => (await client.threads.create()).thread_id;
const stream = async (t, agent, payload) => collect(client.runs.stream(t, agent, payload));
const say = (content) => ({ messages: [{ role: "user", content }] });
const namesOf = (chunks) => [...new Set(chunks.map((c) => c.event.replace(/:[0-9a-f-]{36}/g, ":*")))].sort();

await scenario("assistants are there, with schemas and drawing, without the worker too", async () => {
  for (const id of ["react", "deep", "sdk_agent"]) await assistantOf(server, id);
  const { assistant_id: id } = await assistantOf(server, "react");
  const read = async () => [await client.assistants.getSchemas(id), await client.assistants.getGraph(id), await client.assistants.getGraph(id, { xray: true })];
  const before = await read();
  equal(Object.keys(before[0].input_schema.properties).includes("messages"), true, "the input's schema");
  equal(before[1].nodes.map((n) => n.id).sort(), ["__end__", "__start__", "agent", "tools"], "the drawing");
  await worker.stop();
  equal(await read(), before, "the same when no worker lives");
  worker = await startWorker(server, agents);
});

await scenario("createReactAgent: tokens, a tool, its events", async () => {
  const t = await newThread();
  const chunks = await stream(t, "react", { input: say("the weather?"), streamMode: ["messages-tuple", "values", "updates", "tasks"] });
  equal(namesOf(chunks), ["messages", "metadata", "tasks", "updates", "values"], "the modes that were asked for");
  const tokens = chunks.filter((c) => c.event === "messages").map((c) => c.data);
  equal(tokens.filter(([m]) => m.type !== "tool" && m.content).map(([m]) => m.content), ["It ", "is: ", "sunny ", "in ", "Oslo"], "word by word");
  check(tokens.every(([, meta]) => ["agent", "tools"].includes(meta.langgraph_node)), "each with its node");
  equal(last(chunks, "values").messages.map((m) => m.type), ["human", "ai", "tool", "ai"], "the messages");
  const s = await client.threads.getState(t);
  equal([s.next, s.values.messages.at(-1).content], [[], "It is: sunny in Oslo"], "the state");
  equal((await client.threads.getHistory(t)).map((h) => h.metadata.step), [3, 2, 1, 0, -1], "the history");
});

await scenario("createReactAgent: a tool that asks", async () => {
  const t = await newThread();
  const chunks = await stream(t, "react", { input: say("send it"), streamMode: ["values", "updates"] });
  const [asked] = chunks.flatMap((c) => c.data?.__interrupt__ ?? []);
  equal(asked.value, { question: "send to Ada?" }, "the question is streamed");
  equal((await client.threads.get(t)).status, "interrupted", "the thread waits");
  const s = await client.threads.getState(t);
  equal([s.next, s.tasks[0].interrupts], [["tools"], [{ id: asked.id, value: asked.value }]], "the state has it");
  const v = await client.runs.wait(t, "react", { command: { resume: "yes" } });
  equal([v.messages.at(-1).content, (await client.threads.get(t)).status], ["It is: sent to Ada", "idle"], "answered");
});

await scenario("deepagents: a file, a sub-agent, its stream", async () => {
  const t = await newThread();
  const chunks = await stream(t, "deep", { input: say("do it"), streamMode: ["messages-tuple", "updates", "values"], streamSubgraphs: true });
  const names = namesOf(chunks);
  check(["updates|tools:*", "values|tools:*"].every((n) => names.includes(n)), "the sub-agent streams in its own namespace", names);
  const inner = chunks.filter((c) => /^messages\|tools:/.test(c.event)).map((c) => c.data[0]).filter((m) => m.type !== "tool").map((m) => m.content).join("");
  equal(inner, "The sub-agent found it.", "token by token");
  const v = last(chunks, "values");
  equal([v.files["/plan.md"].content, v.messages.at(-1).content], ["the plan", "All of it is done."], "the file and the answer");
});

await scenario("deepagents: a person decides", async () => {
  const t = await newThread();
  await client.runs.wait(t, "deep_careful", { input: say("danger") });
  const s = await client.threads.getState(t), value = s.tasks[0].interrupts[0].value;
  matches(value.actionRequests ?? value.action_requests, [{ name: "weather", args: { city: "Pompeii" } }], "the call that waits");
  const v = await client.runs.wait(t, "deep_careful", { command: { resume: { decisions: [{ type: "approve" }] } } });
  equal(v.messages.slice(-2).map((m) => m.content), ["sunny in Pompeii", "Done with care."], "approved, done");
});

await scenario("the agent of the SDK's integration tests", async () => {
  const t = await newThread();
  const chunks = await stream(t, "sdk_agent", { input: say("hi"), streamMode: ["custom", "values", "messages-tuple"] });
  equal(chunks.filter((c) => c.event === "custom").map((c) => `${c.data.step} ${c.data.phase}`),
    ["stream_message start", "stream_message end", "call_tool start", "call_tool end", "ask_human start"], "what nodes say, as they say it");
  equal(chunks.filter((c) => c.event === "messages" && c.data[0].id === "ai-msg-1").map((c) => c.data[0].content), ["Hello, ", "world!"], "the streamed message");
  const v = await client.runs.wait(t, "sdk_agent", { command: { resume: "yes" } });
  equal([v.value, v.items, v.messages.at(-1).content], ["x", ["streamed", "tool", "asked", "sub"], "Human said: yes"], "the rest after the answer");
});

await scenario("time travel: another branch from an older checkpoint", async () => {
  const t = await newThread();
  await client.runs.wait(t, "react", { input: say("the weather?") });
  const at = (await client.threads.getHistory(t)).find((h) => h.next[0] === "tools");
  const call0 = at.values.messages.at(-1);
  const forked = await client.threads.updateState(t, { checkpoint: at.checkpoint, values: { messages: [{ ...call0, tool_calls: [{ ...call0.tool_calls[0], args: { city: "Paris" } }] }] } });
  const v = await client.runs.wait(t, "react", { input: null, checkpoint: forked.checkpoint ?? forked.configurable });
  equal(v.messages.at(-1).content, "It is: sunny in Paris", "the edited call is made");
  check((await client.threads.getHistory(t, { limit: 50 })).length > 6, "the first branch is there still");
});

await scenario("the functional API", async () => {
  const t = await newThread(), chunks = await stream(t, "workflow", { input: { list: [1, 2] }, streamMode: ["updates", "values"] });
  equal(chunks.filter((c) => c.event === "updates" && c.data.add_one).map((c) => c.data.add_one).sort(), [2, 3], "tasks are told");
  matches((await client.threads.getState(t)).tasks, [{ name: "workflow", interrupts: [{ value: "ok?" }] }], "it asks");
  equal(await client.runs.wait(t, "workflow", { command: { resume: "yes" } }), { sums: [2, 3], ok: "yes" }, "and gives its value");
});

await scenario("a channel that is saved as its changes", async () => {
  const t = await newThread();
  await client.runs.wait(t, "delta", { input: { log: ["a"] } });
  equal(await client.runs.wait(t, "delta", { input: { log: ["b"] } }), { log: ["a", "n", "b", "n"] }, "is whole in the next run");
  equal((await client.threads.getHistory(t)).map((h) => h.values.log ?? []), [["a", "n", "b", "n"], ["a", "n", "b"], ["a", "n"], ["a", "n"], ["a"], []], "and at each checkpoint");
  const { thread_id: copy } = await client.threads.copy(t);
  equal(await client.runs.wait(copy, "delta", { input: { log: ["c"] } }), { log: ["a", "n", "b", "n", "c", "n"] }, "and in a copy of the thread");
});

await scenario("no worker: the run waits, and goes on when one comes", async () => {
  await worker.stop();
  const t = await newThread(), r = await client.runs.create(t, "react", { input: say("the weather?") });
  const shown = await client.runs.get(t, r.run_id);
  equal(shown.status, "pending", "the run waits");
  const listed = async (status) => (await client.runs.list(t, { status })).map((x) => [x.run_id, x.status]);
  equal([await listed("pending"), await listed("running")], [[[r.run_id, "pending"]], []], "and is listed so");
  worker = await startWorker(server, agents);
  equal(await ended(server, t, r.run_id), "success", "and is done");
});

await scenario("many at once", async () => {
  const all = await Promise.all(Array.from({ length: 24 }, async () => client.runs.wait(await newThread(), "react", { input: say("the weather?") })));
  check(all.every((v) => v.messages?.at(-1).content === "It is: sunny in Oslo"), "24 runs, 8 places", all.map((v) => v.messages?.length));
});

await scenario("a killed worker: another one goes on", async () => {
  const s2 = await startServer({ args: ["--agents", agentFolder([]), "--workers-lease", "1000"] });
  const c2 = new Client({ apiUrl: s2.url, callerOptions: { maxRetries: 0 } });
  let w = await startWorker(s2);
  const t = (await c2.threads.create()).thread_id, r = await c2.runs.create(t, "slow", { input: { n: 400 } });
  await until(async () => (await c2.threads.getState(t)).values.log?.length === 1, "the first step to be saved");
  await w.stop("SIGKILL");
  w = await startWorker(s2);
  equal([await ended(s2, t, r.run_id), (await c2.threads.getState(t)).values.log], ["success", ["one", "two"]], "each step once");
  await w.stop();
  await s2.stop();
});

await scenario("SIGTERM: the run under way is finished by its worker", async () => {
  const w = await startWorker(server), t = await newThread(), r = await client.runs.create(t, "slow", { input: { n: 500 } });
  await until(async () => (await client.runs.get(t, r.run_id)).status === "running", "the run to be taken");
  const { code } = await w.stop();
  const status = await ended(server, t, r.run_id).catch((e) => e.message);
  equal([code, status, (await client.threads.getState(t)).values.log], [0, "success", ["one", "two"]], "exit code, status, state");
  if (status !== "success") console.log(`     ${w.log}\n     ${(await call(server, "GET", `/workers/log?run_id=${r.run_id}`)).text}`);
});

await scenario("an agent of one function", async () => {
  const w = await startWorker(server, { program: [path.join(workersDir, "plain-worker.mjs")] });
  await assistantOf(server, "plainagent");
  const t = await newThread(), chunks = await stream(t, "plainagent", { input: say("hello there"), streamMode: ["messages-tuple", "custom", "values"] });
  equal(chunks.filter((c) => c.event === "messages" && c.data[0].content).map((c) => c.data[0].content), ["You ", "said ", "hello ", "there"], "word by word");
  equal(chunks.filter((c) => c.event === "custom").map((c) => c.data), [{ words: 4 }], "and what it says beside");
  equal(last(chunks, "values").messages.map((m) => [m.type, m.content]), [["human", "hello there"], ["ai", "You said hello there"]], "the thread");
  const v = await client.runs.wait(t, "plainagent", { input: say("again") });
  equal(v.messages.length, 4, "and its next turn");
  await w.stop();
});

await worker.stop();
equal((await call(server, "GET", "/ok")).status, 200, "the server is well");
await server.stop();
finish();
