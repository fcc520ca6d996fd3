// research.mjs - the built-in research_agent through the SDK: a plan that a person
// changes, eight workers side by side with their streams, a kill among them.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { Client } from "sdk-1.15";
import { check, equal, finish, freePort, repo, scenario, scratch, startServer, until } from "./lib.mjs";

const dir = scratch(), port = await freePort(), script = path.join(dir, "script.json");
const questions = Array.from({ length: 8 }, (_, i) => `Question ${i}?`);
writeFileSync(script, JSON.stringify({ rules: [
  { match: "Asked:", reply: '{"questions": []}' },
  { match: "Write the report", reply: "The report." },
  { match: "That is enough", reply: "It goes on for ever." },
  { match: { role: "tool", last: "T" }, tool_calls: [{ name: "current_time", args: {} }] },
  { match: "What time", tool_calls: [{ name: "current_time", args: {} }] },
  { match: "Question", reply: "An answer with some words.", ttft_ms: 400, token_ms: 20 },
  { match: "bees", reply: JSON.stringify({ questions }) },
] }));
mkdirSync(path.join(dir, "agents"));
writeFileSync(path.join(dir, "agents/thrifty.yaml"), readFileSync(path.join(repo, "agents/builtin/research_agent.yaml"), "utf8")
  .replace(/^id: .*$/m, "id: thrifty\nbudget: {turns: 6}").replace(/^tests:\n[^]*/m, ""));
const args = ["--agents", path.join(dir, "agents"), "--llm-script", script, "--shards", "2", "--model", "scripted:research"];
let server = await startServer({ args, dir, port });
const client = new Client({ apiUrl: server.url, callerOptions: { maxRetries: 0 } });
const thread = async () => (await client.threads.create()).thread_id;
const configurable = { max_workers: 8 };

await scenario("a plan is looked at, eight workers stream side by side", async () => {
  const t = await thread();
  const asked = await client.runs.wait(t, "research_agent", { input: { messages: "What do bees do?" }, config: { configurable } });
  equal(asked.__interrupt__?.[0].value.questions, questions, "the person sees the questions");
  const events = [];
  for await (const e of client.runs.stream(t, "research_agent", { command: { resume: "ok" }, config: { configurable }, streamMode: ["updates", "messages-tuple"], streamSubgraphs: true }))
    events.push(e);
  const spaces = new Set(events.map((e) => /^updates\|(work:[0-9a-f-]{36})$/.exec(e.event)?.[1]).filter(Boolean));
  equal(spaces.size, 8, "a namespace for each worker");
  const order = events.filter((e) => e.event.startsWith("messages|work:")).map((e) => e.event);
  check(new Set(order.slice(0, 24)).size > 4, "their words come side by side", order.slice(0, 24));
  const state = await client.threads.getState(t);
  equal([state.next, state.values.report, state.values.rounds], [[], "The report.", 1], "a report");
  equal(state.values.notes, questions.map((question) => ({ question, answer: "An answer with some words." })), "notes in the order of the questions");
  equal(state.values.messages.map((m) => m.content), ["What do bees do?", "The report."], "the conversation");
  // The thread is asked again: what was found before is not mixed in.
  const again = await client.runs.wait(t, "research_agent", { input: { messages: "And now, bees?" }, config: { configurable: { ...configurable, auto_approve: true } } });
  equal([again.notes.length, again.messages.length], [8, 4], "a second time begins anew");
});

await scenario("a worker that calls tools for ever ends by its own limit", async () => {
  const t = await thread();
  await client.runs.wait(t, "research_agent", { input: { messages: "What do bees do?" } });
  const end = await client.runs.wait(t, "research_agent", { command: { resume: ["What time?"] }, config: { configurable: { max_iterations: 3 } } });
  equal(end.notes, [{ question: "What time?", answer: "It goes on for ever." }], "it says what it has");
});

await scenario("killed among the workers, it goes on", async () => {
  const t = await thread();
  const run = await client.runs.create(t, "research_agent", { input: { messages: "What do bees do?" }, config: { configurable: { ...configurable, auto_approve: true } }, streamSubgraphs: true });
  await until(async () => (await client.threads.getState(t)).next.includes("work"), "the workers");
  await server.stop("SIGKILL");
  server = await startServer({ args, dir, port });
  const end = await client.runs.join(t, run.run_id);
  equal([end.report, end.notes?.length], ["The report.", 8], "to its report");
});

await scenario("a budget that ends it in the middle ends it cleanly", async () => {
  const t = await thread();
  const end = await client.runs.wait(t, "thrifty", { input: { messages: "What do bees do?" }, config: { configurable: { ...configurable, auto_approve: true } }, raiseError: false });
  check(/budget/i.test(`${end.__error__?.error} ${end.__error__?.message}`), "the run says why", end.__error__);
  const runs = await client.runs.list(t), state = await client.threads.getState(t);
  equal([runs[0].status, (await client.threads.get(t)).status], ["error", "error"], "it has ended");
  const notes = state.values.notes ?? [];
  equal([notes.length, notes.filter((n) => n.answer === "An answer with some words.").length], [8, 5], "what was paid for is kept: a plan, five answers");
  const usage = await (await fetch(`${server.url}/usage?thread_id=${t}`)).json();
  equal(usage.total.calls, 6, "and no call was made beyond it");
});

await scenario("a first try, without a model or a script", async () => {
  const bare = await startServer({ dir: scratch(), port: await freePort() });
  const c = new Client({ apiUrl: bare.url, callerOptions: { maxRetries: 0 } });
  const end = await c.runs.wait((await c.threads.create()).thread_id, "research_agent", { input: { messages: "What do bees do?" }, config: { configurable: { auto_approve: true } } });
  equal([end.__error__, end.notes?.map((n) => n.question), typeof end.report], [undefined, ["What do bees do?"], "string"], "a plan of what was asked, and a report");
  await bare.stop();
});

finish();
