// model-behaviour.mjs - models that behave badly, over a wire: each mistake ends in the
// error that the manual names, or is put right; and what clients put into a
// conversation under way, whatever happens between.
import http from "node:http";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "sdk-1.15";
import { check, equal, finish, freePort, scenario, scratch, startServer, until } from "./lib.mjs";

// ---- a model of our own: it answers what the test says, when the test says ---------
const asked = [];                        // requests that came: {messages, answer}
let script = [];                         // answers; none: the request waits in `asked`
const model = http.createServer((q, s) => {
  let body = "";
  q.on("data", (d) => { body += d; });
  q.on("end", () => {
    const request = JSON.parse(body);
    const one = { request, messages: request.messages, answer: (m) => {
      if (m.status) { s.writeHead(m.status, { "content-type": "application/json" }); s.end(JSON.stringify({ error: m.error ?? { message: "no" } })); return; }
      const message = { role: "assistant", content: m.content ?? "", tool_calls: m.calls?.map((c, i) => ({ id: c.id ?? `call_${asked.length}_${i}`, type: "function", function: { name: c.name, arguments: typeof c.args === "string" ? c.args : JSON.stringify(c.args ?? {}) } })) };
      if (m.finish === null) { s.writeHead(200, { "content-type": "application/json" }); s.end("{}"); return; }
      const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
      if (!request.stream) {
        s.writeHead(200, { "content-type": "application/json" });
        s.end(JSON.stringify({ id: `c${asked.length}`, object: "chat.completion", model: "m", choices: [{ index: 0, message, finish_reason: m.calls ? "tool_calls" : "stop" }], usage }));
        return;
      }
      s.writeHead(200, { "content-type": "text/event-stream" });
      const send = (delta, finish_reason = null) => s.write(`data: ${JSON.stringify({ id: `c${asked.length}`, object: "chat.completion.chunk", model: "m", choices: [{ index: 0, delta, finish_reason }] })}\n\n`);
      send({ role: "assistant", content: message.content });
      message.tool_calls?.forEach((c, index) => send({ tool_calls: [{ index, ...c }] }));
      send({}, m.calls ? "tool_calls" : "stop");
      s.end(`data: ${JSON.stringify({ id: "u", object: "chat.completion.chunk", model: "m", choices: [], usage })}\n\ndata: [DONE]\n\n`);
    } };
    asked.push(one);
    if (script.length > 0) one.answer(script.shift());
  });
});
const modelPort = await freePort();
await new Promise((r) => model.listen(modelPort, "127.0.0.1", r));

const agents = path.join(path.dirname(fileURLToPath(import.meta.url)), "../agents/models");
const dir = scratch(), port = await freePort(), args = ["--agents", agents, "--shards", "2"];
const env = { OPENAI_BASE_URL: `http://127.0.0.1:${modelPort}/v1`, OPENAI_API_KEY: "sk-test", MODEL_NAME: "openai:m" };
let server = await startServer({ args, dir, port, env });
const client = new Client({ apiUrl: server.url, callerOptions: { maxRetries: 0 } });
const thread = async () => (await client.threads.create()).thread_id;
const call = (name, args, id) => ({ name, args, id });

// A run with these answers: its values, and what the model was asked.
async function run(agent, answers) {
  const t = await thread(), before = asked.length;
  script = [...answers];
  const values = await client.runs.wait(t, agent, { input: { messages: "hi" }, raiseError: false });
  const left = script.length;
  script = [];
  return { t, values, left, turns: asked.slice(before), texts: (values.messages ?? []).map((m) => `${m.type}:${m.content}`) };
}

// Every call has its answer before the next word, and no answer is without a call.
function isValid(messages) {
  let open = [];
  for (const m of messages) {
    if (m.role === "tool") { if (!open.includes(m.tool_call_id)) return false; open = open.filter((x) => x !== m.tool_call_id); continue; }
    if (open.length > 0) return false;
    open = (m.tool_calls ?? []).map((c) => c.id);
  }
  return open.length === 0;
}

// ---- events -----------------------------------------------------------------------
const rows = [
  ["an event, and words", [{ calls: [call("event__note", { text: "a" })] }, { content: "ok" }], { notes: ["a"], why: undefined, turns: 2 }],
  ["several events in one answer", [{ calls: [call("event__note", { text: "a" }), call("event__note", { text: "b" }), call("event__close", {}), call("event__note", { text: "late" })] }], { notes: ["a", "b"], turns: 1 }],
  ["events after the tools of the same answer", [{ calls: [call("event__note", { text: "a" }), call("look", { at: "x" })] }, { content: "ok" }], { notes: ["a"], turns: 2 }],
  ["arguments that are no JSON", [{ calls: [call("event__note", "{\"text\": ")] }, { content: "sorry" }], { notes: [], turns: 2 }],
  ["arguments of another form", [{ calls: [call("event__note", "[1]")] }, { calls: [call("event__note", { text: 1 })] }, { calls: [call("event__note", { txt: "a" })] }], { notes: [], why: "error.llm.tool_validation", turns: 3 }],
  ["events that are not declared", [{ calls: [call("event__nothing", {})] }, { calls: [call("event__closed", {})] }, { calls: [call("event__CLOSE", {})] }], { notes: [], why: "error.llm.tool_validation", turns: 3 }],
  ["names of the chart's own events", [{ calls: [call("event__done.invoke.talk", {})] }, { calls: [call("event__error.execution", {})] }, { calls: [call("event__", {})] }], { notes: [], why: "error.llm.tool_validation", turns: 3 }],
  ["the bare name of an event is a tool that there is not", [{ calls: [call("close", {})] }, { content: "sorry" }], { notes: [], turns: 2 }],
  ["an event that nobody takes", [{ calls: [call("event__no_one-takes", {})] }, { content: "ok" }], { notes: [], turns: 2 }],
  ["the same event for ever", Array(4).fill({ calls: [call("event__note", { text: "a" })] }), { notes: ["a", "a", "a", "a"], why: "error.llm.max_turns", turns: 4 }],
  ["tools for ever", Array(4).fill({ calls: [call("look", { at: "x" })] }), { notes: [], why: "error.llm.max_turns", turns: 4 }],
  ["a tool without a name", [{ calls: [call("", {})] }, { content: "ok" }], { notes: [], turns: 2 }],
  ["calls with one id", [{ calls: [call("event__note", { text: "a" }, "same"), call("event__note", { text: "b" }, "same")] }, { content: "ok" }], { notes: ["a", "b"], turns: 2 }],
  ["an empty answer", [{ content: "" }], { notes: [], turns: 1 }],
  ["no answer at all", Array(4).fill({ finish: null }), { notes: [], why: "error.llm.backend", turns: undefined }],
  ["100 calls at once", [{ calls: Array.from({ length: 100 }, (_, i) => call("event__note", { text: `${i}` })) }], { notes: [], why: "error.llm.backend", turns: 1 }],
];
for (const [name, answers, expect] of rows)
  await scenario(name, async () => {
    const r = await run("clerk", answers);
    equal([r.values.notes, r.values.why ?? undefined], [expect.notes, expect.why], `${name}: what came of it`);
    if (expect.turns !== undefined) equal(r.turns.length, expect.turns, `${name}: turns`);
    check(r.turns.every((x) => isValid(x.messages)), `${name}: conversations that a provider takes`, r.turns.map((x) => x.messages));
    const again = await run.call(null, "clerk", [{ content: "fine" }]);
    check(again.values.why == null, `${name}: the server goes on`);
  });

await scenario("the next run on the thread has a valid conversation", async () => {
  const r = await run("clerk", [{ calls: [call("event__note", { text: "a" }), call("event__close", {}), call("event__note", { text: "b" })] }]);
  script = [{ content: "well" }];
  await client.runs.wait(r.t, "clerk", { input: { messages: "and now" } });
  check(isValid(asked.at(-1).messages), "calls that were dropped have answers too", asked.at(-1).messages);
  equal(asked.at(-1).request.tools.map((x) => x.function.name), ["look", "event__note", "event__close", "event__no_one-takes"], "what it is offered");
});

await scenario("an answer of a form", async () => {
  const good = await run("form", [{ content: "three" }, { content: "{\"n\": \"3\"}" }, { content: "```json\n{\"n\": 3}\n```" }]);
  equal([good.values.out, good.turns.length], [{ n: 3 }, 3], "the third is right");
  check(JSON.stringify(good.turns[2].messages.at(-1)).includes("expected an integer"), "it was told what was wrong", good.turns[2].messages);
  equal(good.texts, ["human:hi"], "the state has none of it");
  const bad = await run("form", Array(3).fill({ content: "no" }));
  equal([bad.values.__error__?.error, bad.turns.length], ["ToolValidationError", 3], "one that never is");
  equal((await run("form", [{ content: "" }, { content: "null" }, { content: "{}" }])).values.__error__?.error, "ToolValidationError", "empty answers");
});

// ---- a crash between an event and what follows ---------------------------------------
await scenario("an event is posted once though the server is killed after it", async () => {
  const t = await thread(), first = asked.length;
  script = [{ calls: [call("event__note", { text: "once" })] }];
  const r = await client.runs.create(t, "clerk", { input: { messages: "hi" } });
  await until(() => asked.length === first + 2, "the second turn");
  await until(async () => (await client.threads.getState(t)).values.notes?.length === 1, "the event's checkpoint");
  await server.stop("SIGKILL");
  server = await startServer({ args, dir, port, env });
  await until(() => asked.length === first + 3, "the second turn again");
  equal(asked.at(-1).messages, asked[first + 1].messages, "with the same conversation");
  asked.at(-1).answer({ content: "done" });
  await client.runs.join(t, r.run_id);
  const { values } = await client.threads.getState(t);
  equal([values.notes, values.messages.map((m) => m.type)], [["once"], ["human", "ai", "tool", "ai"]], "and nothing is there twice");
});

// ---- what clients put in ---------------------------------------------------------------
const inject = async (t, r, message, more = {}) => {
  const a = await fetch(`${server.url}/threads/${t}/runs/${r}/inject`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ message, ...more }) });
  return { status: a.status, body: await a.json() };
};

for (const agent of ["clerk", "agent"])
  await scenario(`a message for a conversation under way: ${agent}`, async () => {
    const t = await thread(), first = asked.length;
    const r = await client.runs.create(t, agent, { input: { messages: "hi" } });
    await until(() => asked.length === first + 1, "the first turn");
    equal((await inject(t, r.run_id, { role: "user", content: "be quick" })).status, 200, "it is taken");
    asked[first].answer({ calls: [call(agent === "clerk" ? "look" : "current_time", agent === "clerk" ? { at: "x" } : {}, "c1")] });
    await until(() => asked.length === first + 2, "the second turn");
    equal(asked[first + 1].messages.slice(-2).map((m) => m.role), ["tool", "user"], "after the tools");
    // The answer would be the last: a message that comes before it is answered too.
    equal((await inject(t, r.run_id, { role: "system", content: "speak french" })).status, 200, "another");
    asked[first + 1].answer({ content: "one" });
    await until(() => asked.length === first + 3, "the third turn");
    check(isValid(asked[first + 2].messages), "a conversation that a provider takes");
    asked[first + 2].answer({ content: "deux" });
    await client.runs.join(t, r.run_id);
    const { values } = await client.threads.getState(t);
    equal(values.messages.map((m) => `${m.type}:${m.type === "tool" ? "" : m.content}`), ["human:hi", "ai:", "tool:", "human:be quick", "ai:one", "system:speak french", "ai:deux"], "all of it is in the state");
    equal((await inject(t, r.run_id, { role: "user", content: "late" })).status, 409, "after the end it is too late");
  });

await scenario("a message is not lost when the server is killed", async () => {
  for (const agent of ["clerk", "agent"]) {
    const t = await thread(), first = asked.length;
    const r = await client.runs.create(t, agent, { input: { messages: "hi" } });
    await until(() => asked.length === first + 1, "the first turn");
    equal((await inject(t, r.run_id, { role: "user", content: "be quick" })).status, 200, "it is taken");
    await server.stop("SIGKILL");
    server = await startServer({ args, dir, port, env });
    await until(() => asked.length === first + 2, "the turn again");
    equal(asked[first + 1].messages.filter((m) => m.role === "user").map((m) => m.content), ["hi", "be quick"], `${agent}: it is heard after the restart`);
    asked[first + 1].answer({ content: "yes" });
    await client.runs.join(t, r.run_id);
    equal((await client.threads.getState(t)).values.messages.map((m) => m.content), ["hi", "be quick", "yes"], "once");
  }
});

await scenario("a message that comes as the state is left, or as the model fails, is heard by the next", async () => {
  for (const how of ["close", "fail"]) {
    const t = await thread(), first = asked.length;
    const r = await client.runs.create(t, "relay", { input: { messages: "hi" } });
    await until(() => asked.length === first + 1, "the first turn");
    equal((await inject(t, r.run_id, { role: "user", content: "be quick" })).status, 200, "it is taken");
    asked[first].answer(how === "close" ? { calls: [call("event__close", {})] } : { status: 400 });
    await until(() => asked.length === first + 2, "the turn of the next");
    equal(asked[first + 1].messages.filter((m) => m.role === "user").map((m) => m.content), ["hi", "be quick"], `${how}: it is heard`);
    asked[first + 1].answer({ content: "yes" });
    await client.runs.join(t, r.run_id);
    equal((await client.threads.getState(t)).values.messages.map((m) => m.content).filter((x) => x === "be quick").length, 1, `${how}: once`);
  }
});

await scenario("what is no message, or comes at the wrong time", async () => {
  const t = await thread(), first = asked.length;
  const r = await client.runs.create(t, "clerk", { input: { messages: "hi" } });
  await until(() => asked.length === first + 1, "the first turn");
  for (const [message, more] of [[undefined], [null], [1], [{}], [{ role: "assistant", content: "x" }], [{ role: "tool", content: "x", tool_call_id: "c" }], [{ role: "user" }], [{ role: "user", content: "x" }, { namespace: 1 }]])
    equal((await inject(t, r.run_id, message, more)).status, 422, `refused: ${JSON.stringify([message, more])}`);
  equal((await inject(t, r.run_id, { role: "user", content: "x" }, { namespace: ["nowhere:1"] })).status, 409, "another namespace");
  equal((await inject(t, t, { role: "user", content: "x" })).status, 404, "no such run");
  for (let i = 0; i < 64; i++) await inject(t, r.run_id, { role: "user", content: `${i}` });
  equal((await inject(t, r.run_id, { role: "user", content: "64" })).status, 429, "too many");
  asked[first].answer({ content: "one" });
  await until(() => asked.length === first + 2, "the second turn");
  equal(asked[first + 1].messages.length, 66, "the others are heard");
  await client.runs.cancel(t, r.run_id, true);
});

// ---- long conversations ------------------------------------------------------------------
const bytes = (list) => list.reduce((n, m) => n + JSON.stringify(m).length, 0);
let seed = 7;
const random = (n) => { seed = (seed * 1103515245 + 12345) % 2147483648; return seed % n; };

// People, answers, calls with their results, in any order that a provider takes.
function talk(n) {
  const list = [{ role: "user", content: "first words" }];
  for (let i = 0; list.length < n; i++) {
    const kind = random(3), text = `${i} ${"w ".repeat(random(60))}`;
    if (kind === 0) list.push({ role: "user", content: text });
    else if (kind === 1) list.push({ role: "assistant", content: text });
    else {
      const calls = Array.from({ length: 1 + random(3) }, (_, k) => ({ id: `t${i}_${k}`, name: "look", args: {} }));
      list.push({ type: "ai", content: "", tool_calls: calls });
      for (const c of calls) list.push({ type: "tool", content: text, tool_call_id: c.id });
    }
  }
  return list;
}

await scenario("a long conversation is cut where it may be", async () => {
  for (let i = 0; i < 20; i++) {
    const t = await thread(), list = talk(5 + random(120)), before = asked.length;
    script = [{ content: "ok" }];
    const values = await client.runs.wait(t, "long", { input: { messages: list } });
    const sent = asked[before].messages;
    check(isValid(sent), "no answer without its call", sent);
    equal(sent[0].content, "first words", "the first message stays");
    equal(values.messages.length, list.length + 1, "the state has everything");
    if (bytes(values.messages) > 2400) check(sent.length < list.length, "it is cut", [sent.length, list.length]);
    check(bytes(sent) < 4000, "to about what was asked for", bytes(sent));
  }
});

await scenario("a model that finds it too long gets half of it, once", async () => {
  const t = await thread(), list = talk(60), before = asked.length, no = { status: 400, error: { message: "maximum context length", code: "context_length_exceeded", type: "invalid_request_error" } };
  script = [no, { content: "ok" }];
  await client.runs.wait(t, "long", { input: { messages: list } });
  equal(asked.length - before, 2, "two requests");
  check(bytes(asked[before + 1].messages) < bytes(asked[before].messages), "the second is shorter");
  check(isValid(asked[before + 1].messages), "and valid");
  script = [no, no];
  const values = await client.runs.wait(t, "long", { input: { messages: "more" }, raiseError: false });
  equal(values.__error__?.error, "ContextLengthError", "then it is the run's error");
  const short = await run("recall", [no]);
  equal([short.values.__error__?.error, short.turns.length], ["ContextLengthError", 1], "without truncate it is at once");
});

await scenario("what is cut off is summarised once", async () => {
  const t = await thread(), list = talk(60), before = asked.length;
  script = [{ content: "they talked of many things" }, { content: "one" }];
  await client.runs.wait(t, "long_summary", { input: { messages: list } });
  const [summary, first] = asked.slice(before);
  equal([summary.request.model, summary.messages.at(-1).content], ["small", "Sum it up."], "by its own model");
  check(isValid(summary.messages), "asked with a valid conversation", summary.messages);
  check(first.messages[0].content.endsWith("they talked of many things"), "the summary comes first", first.messages[0]);
  check(isValid(first.messages), "and the rest is valid");
  script = [{ content: "two" }];
  await client.runs.wait(t, "long_summary", { input: { messages: "short" } });
  equal(asked.length - before, 3, "the next run makes none");
  check(asked.at(-1).messages[0].content.endsWith("they talked of many things"), "it has the old one");
  const state = await client.threads.getState(t);
  equal(Object.keys(state.values), ["messages"], "which is not in the state that clients see");
  script = [{ status: 500 }, { status: 500 }, { status: 500 }, { status: 500 }, { content: "three" }];
  const values = await client.runs.wait(t, "long_summary", { input: { messages: talk(40) } });
  equal(values.messages.at(-1).content, "three", "a summary that fails does not fail the run");
});

await scenario("a conversation that is kept goes on, and is not shown", async () => {
  const t = await thread(), before = asked.length;
  for (const word of ["one", "two", "three"]) {
    script = [{ content: `re ${word}` }];
    await client.runs.wait(t, "recall", { input: { messages: word } });
    if (word === "one") { await server.stop("SIGKILL"); server = await startServer({ args, dir, port, env }); }
  }
  equal(asked.slice(before).map((x) => x.messages.map((m) => m.content)), [["one"], ["one", "re one", "two"], ["one", "re one", "two", "re two", "three"]], "over runs and a restart");
  const state = await client.threads.getState(t), history = await client.threads.getHistory(t);
  equal([Object.keys(state.values), state.values.messages.length, state.values.word], [["messages", "word"], 3, "re three"], "what clients see");
  const schemas = await client.assistants.getSchemas((await client.assistants.search({ graphId: "recall" }))[0].assistant_id);
  check(!JSON.stringify([schemas, history]).includes("llm_keep"), "nor is its channel");
  const copy = await client.threads.copy(t);
  script = [{ content: "re four" }];
  await client.runs.wait(copy.thread_id, "recall", { input: { messages: "four" } });
  equal(asked.at(-1).messages.length, 7, "a copy has it too");
  const early = history.find((x) => x.values.word === "re one");
  script = [{ content: "re fork" }];
  await client.runs.wait(t, "recall", { input: { messages: "fork" }, checkpointId: early.checkpoint.checkpoint_id });
  equal(asked.at(-1).messages.map((m) => m.content), ["one", "re one", "fork"], "and a fork has that of its time");
});

model.closeAllConnections();
model.close();
finish();
