// budget.mjs - budgets and GET /usage against a model that counts what it was asked:
// a budget that ends a run, one that is caught, kill -9 in the middle, sums by day,
// model, thread and run.
import http from "node:http";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { call, check, equal, finish, freePort, metric, scenario, scratch, startServer, until } from "./lib.mjs";

// ---- a model: 100 tokens in, 20 out; it holds requests whose text says so ----------

const model = { asked: 0, answered: 0, held: [], hold: false };
const usage = { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 };
function answer(res, body) {
  const head = { id: `c${model.asked}`, created: 1, model: body.model };
  const text = "Well.";
  model.answered++;
  if (!body.stream) {
    res.writeHead(200, { "content-type": "application/json" });
    res.end(JSON.stringify({ ...head, object: "chat.completion", usage, choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content: text } }] }));
    return;
  }
  const chunk = (x) => res.write(`data: ${JSON.stringify({ ...head, object: "chat.completion.chunk", ...x })}\n\n`);
  res.writeHead(200, { "content-type": "text/event-stream" });
  chunk({ choices: [{ index: 0, delta: { role: "assistant", content: text }, finish_reason: null }] });
  chunk({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] });
  chunk({ choices: [], usage });
  res.end("data: [DONE]\n\n");
}
const port = await freePort();
const web = http.createServer((req, res) => {
  let text = "";
  req.on("data", (d) => { text += d; });
  req.on("end", () => {
    const body = JSON.parse(text);
    model.asked++;
    if (model.hold || text.includes("please hold")) model.held.push(() => answer(res, body));
    else answer(res, body);
  });
});
await new Promise((r) => web.listen(port, "127.0.0.1", r));

// ---- agents ---------------------------------------------------------------------------

const dir = scratch(), agents = path.join(dir, "agents");
mkdirSync(agents);
const file = (name, text) => writeFileSync(path.join(agents, `${name}.yaml`), text);
file("ask", `
state: {messages: {reducer: messages}}
nodes: {ask: {llm: {}}}
edges: [[START, ask]]
`);
file("spender", `
state: {messages: {reducer: messages}}
budget: {tokens: 242}
nodes: {ask: {llm: {tools: []}}}
edges: [[START, ask], {from: ask, to: ask, when: "len(messages) < 50"}]
`);
const chart = (budget, then) => `
state: {messages: {reducer: messages}, caught: {}}
initial: work
states:
  work:
    budget: ${budget}
    do: [{llm: {}}, {llm: {}}, {llm: {}}, {llm: {}}, {llm: {}}]
    on:
      done: out
      error.budget.*: {target: ${then}, assign: {caught: event.name}}
  out: {type: final}
`;
file("caught", chart("{turns: 3}", "out"));
file("wall", chart("{wall: 300ms}", "out"));
file("boss", `
state: {messages: {reducer: messages}, caught: {}}
initial: work
budget: {turns: 4}
states:
  work:
    agent: worker
    on:
      done: again
      error.budget.*: {target: out, assign: {caught: event.name}}
  again:
    agent: worker
    on:
      done: out
      error.budget.*: {target: out, assign: {caught: event.name}}
  out: {type: final}
`);
file("worker", `
state: {messages: {reducer: messages}}
nodes: {ask: {do: [{llm: {}}, {llm: {}}, {llm: {}}]}}
edges: [[START, ask]]
`);
file("late", `
state: {messages: {reducer: messages}}
budget: {wall: 300ms}
nodes: {ask: {llm: {}}}
edges: [[START, ask]]
`);

const options = { dir, args: ["--agents", agents], env: { OPENAI_BASE_URL: `http://127.0.0.1:${port}/v1`, OPENAI_API_KEY: "sk-test", MODEL_NAME: "openai:mini" } };
let server = await startServer(options);
const human = (content) => ({ input: { messages: [{ role: "user", content }] } });
const newThread = async () => (await call(server, "POST", "/threads", {})).json.thread_id;
const start = async (t, agent, content) => (await call(server, "POST", `/threads/${t}/runs`, { assistant_id: agent, ...human(content) })).json.run_id;
const ended = (t, r) => until(async () => {
  const run = (await call(server, "GET", `/threads/${t}/runs/${r}`)).json;
  return ["success", "error", "interrupted"].includes(run.status) && run;
}, "the run's end");
const ask = async (t, agent, content) => { const r = await start(t, agent, content); return ended(t, r); };
const usageOf = async (query = "") => (await call(server, "GET", `/usage${query}`)).json;
const values = async (t) => (await call(server, "GET", `/threads/${t}/state`)).json.values;

// ---- usage ----------------------------------------------------------------------------

const sums = (calls) => ({ calls, input_tokens: calls * 100, cached_tokens: 0, output_tokens: calls * 20, reasoning_tokens: 0, cost: 0 });
const threads = [];

await scenario("usage is what the model counted", async () => {
  equal(await usageOf(), { total: sums(0) }, "nothing at first");
  for (let i = 0; i < 3; i++) {
    const t = await newThread();
    threads.push(t);
    equal((await ask(t, "ask", "one")).status, "success", "a run");
    await ask(t, "ask", "two");
  }
  await call(server, "POST", "/runs/wait", { assistant_id: "ask", ...human("nobody's") });
  const all = await until(async () => { const u = await usageOf(); return u.total.calls === 7 && u; }, "seven calls");
  equal([all.total, model.answered], [sums(7), 7], "all of it");
  const day = new Date().toISOString().slice(0, 10);
  equal((await usageOf("?group_by=day")).groups, [{ day, ...sums(7) }], "by day");
  equal((await usageOf("?group_by=model")).groups, [{ model: "openai:mini", ...sums(7) }], "by model");
  const byThread = (await usageOf("?group_by=thread")).groups;
  equal(byThread.map((g) => [g.thread_id, g.calls]), [...threads].reverse().map((t) => [t, 2]).concat([[null, 1]]), "by thread, newest first");
  equal((await usageOf("?group_by=thread&limit=1&offset=1")).groups.map((g) => g.thread_id), [threads[1]], "a page of them");
  const byRun = await usageOf(`?group_by=run&thread_id=${threads[0]}`);
  equal([byRun.total, byRun.groups.map((g) => g.calls)], [sums(2), [1, 1]], "by run, of a thread");
  equal((await usageOf(`?run_id=${byRun.groups[0].run_id}`)).total, sums(1), "of a run");
  equal((await usageOf("?from=2020-01-01&to=2020-12-31")).total, sums(0), "of a year before");
  equal((await usageOf(`?from=${day}&to=${day}`)).total, sums(7), "of today");
});

await scenario("what is asked wrongly", async () => {
  for (const [query, status] of [["?from=yesterday", 422], ["?group_by=moon", 422], ["?thread_id=x", 422], ["?limit=0", 422],
    ["?thread_id=00000000-0000-4000-8000-000000000000", 404], [`?thread_id=${threads[0]}&run_id=00000000-0000-4000-8000-000000000000`, 404]])
    equal((await call(server, "GET", `/usage${query}`)).status, status, query);
});

await scenario("a thread goes, its sums stay", async () => {
  await call(server, "DELETE", `/threads/${threads[2]}`);
  const u = await usageOf("?group_by=thread");
  equal([u.total.calls, u.groups.map((g) => [g.thread_id, g.calls])], [7, [[threads[1], 2], [threads[0], 2], [null, 3]]], "they are nobody's");
});

await scenario("a run goes, its sums stay", async () => {
  const [first] = (await usageOf(`?thread_id=${threads[0]}&group_by=run`)).groups;
  equal((await call(server, "DELETE", `/threads/${threads[0]}/runs/${first.run_id}`)).status, 204, "deleted");
  const u = await usageOf(`?thread_id=${threads[0]}&group_by=run`);
  equal([u.total.calls, u.groups.map((g) => [g.thread_id, g.run_id === null, g.calls])], [2, [[threads[0], false, 1], [threads[0], true, 1]]], "they are the thread's");
});

await scenario("metrics", async () => {
  equal([await metric(server, "cohort_model_calls_total"), await metric(server, "cohort_model_input_tokens_total")], [7, 700], "calls and tokens");
});

// ---- budgets ---------------------------------------------------------------------------

await scenario("a budget of tokens ends a run", async () => {
  const t = await newThread(), before = model.asked, run = await ask(t, "spender", "go");
  const state = (await call(server, "GET", `/threads/${t}/state`)).json;
  equal([run.status, model.asked - before], ["error", 2], "after two answers: 240 of 242, and the third does not fit");
  const error = (await call(server, "GET", `/threads/${t}`)).json.error;
  check(JSON.stringify(error ?? run).includes("the budget of tokens is used up"), "says so", [error, run]);
  equal(state.values.messages.length, 3, "what was said stays");
  equal((await usageOf(`?thread_id=${t}`)).total.calls, 2, "and is billed");
});

await scenario("a child's turns are its parent's", async () => {
  const t = await newThread(), before = model.asked, run = await ask(t, "boss", "go");
  equal([run.status, (await values(t)).caught, model.asked - before], ["success", "error.budget.turns", 4], "three of the first, one of the second");
});

await scenario("wall", async () => {
  model.hold = true;
  const t = await newThread(), run = await ask(t, "wall", "go");
  equal([run.status, (await values(t)).caught], ["success", "error.budget.wall"], "of a state, caught");
  const u = await newThread(), late = await ask(u, "late", "go");
  equal(late.status, "error", "of the agent, ends the run");
  model.hold = false;
  model.held.splice(0);
});

await scenario("kill -9 in the middle", async () => {
  const t = await newThread(), asked = model.asked, answered = model.answered;
  const sumBefore = (await usageOf()).total.calls;
  const r = await start(t, "caught", "go");
  await until(() => model.answered - answered >= 2, "two answers");
  model.hold = true;
  await server.stop("SIGKILL");
  model.hold = false;
  model.held.splice(0);
  server = await startServer(options);
  const run = await ended(t, r);
  const u = (await usageOf(`?thread_id=${t}`)).total.calls;
  equal([run.status, (await values(t)).caught], ["success", "error.budget.turns"], "caught after three");
  check(u >= 3 && u <= model.answered - answered, "billed: what is known, at most what was answered", [u, model.answered - answered]);
  check(model.asked - asked >= 3 && model.asked - asked <= 6, "recorded calls are not made again", model.asked - asked);
  check((await usageOf()).total.calls === sumBefore + u, "nothing else changed", [sumBefore, u]);
});

await scenario("kill -9 while a call is under way", async () => {
  const t = await newThread();
  let asked = model.asked;
  const r = await start(t, "boss", "please hold");
  for (let n = 1; n <= 3; n++) {           // two answers are recorded, the third call waits
    await until(() => model.asked === asked + n, `call ${n}`);
    if (n < 3) model.held.splice(0).forEach((f) => f());
  }
  await until(async () => (await usageOf(`?thread_id=${t}`)).total.calls === 2, "two are written down");
  await server.stop("SIGKILL");
  model.held.splice(0);
  asked = model.asked;
  server = await startServer(options);
  await until(() => { model.held.splice(0).forEach((f) => f()); return model.asked >= asked + 1; }, "the third again");
  const run = await until(async () => {
    model.held.splice(0).forEach((f) => f());
    const x = (await call(server, "GET", `/threads/${t}/runs/${r}`)).json;
    return x.status === "success" && x;
  }, "its end");
  equal([run.status, (await values(t)).caught], ["success", "error.budget.turns"], "the fifth is not made");
  equal([(await usageOf(`?thread_id=${t}`)).total.calls, model.asked - asked], [4, 2], "four are billed, two were made since");
});

await server.stop();
web.close();
finish();
