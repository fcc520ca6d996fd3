// agui.mjs - the official client of AG-UI, @ag-ui/client, against POST /agui: each event
// by the schemas of @ag-ui/core, their order by the client, what it holds in the end by the
// thread's own state.
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { buildResumeArray, HttpAgent } from "@ag-ui/client";
import { EventSchemas, MessageSchema } from "@ag-ui/core/schemas";
import { call, check, equal, finish, raw, scenario, scratch, startMock, startServer, until } from "./lib.mjs";
import { agentFolder, matches } from "./core-lib.mjs";

const dir = scratch(), keys = path.join(dir, "keys"), script = path.join(dir, "script.json");
const hash = (k) => createHash("sha256").update(k).digest("hex");
writeFileSync(keys, `${hash("ck_ann")} ann\n${hash("ck_bob")} bob\n`);
writeFileSync(script, JSON.stringify({ rules: [
  { match: "time please", tool_calls: [{ name: "current_time", args: {} }] },
  { match: "save both", tool_calls: [{ name: "store_put", args: { namespace: ["o"], key: "a", value: { n: 1 } } }, { name: "store_put", args: { namespace: ["o"], key: "b", value: { n: 2 } } }] },
  { match: "save it", tool_calls: [{ name: "store_put", args: { namespace: ["o"], key: "k", value: { n: 1 } } }] },
  { match: "color please", tool_calls: [{ name: "pick_color", args: { why: "a car" } }] },
  { match: "expert", tool_calls: [{ name: "ask_expert", args: { input: "why" } }] },
  { match: { role: "tool" }, reply: "It is done." },
  { match: "unicode", reply: "\"Grüße\" 🎈\n\\ and \u2028" },
], default: { reply: "Hello there, friend." } }));
const agents = agentFolder(["e2e", "openai"]);
const yaml = (name, text) => writeFileSync(path.join(agents, `${name}.yaml`), text);
yaml("plan", `id: plan
state:
  messages: {reducer: messages}
  steps: {reducer: append, default: []}
  count: {reducer: sum, default: 0}
  profile: {default: "{name: 'a name that is long enough to be worth a delta', 'odd/key~': 1}"}
  shown: {}
  hidden: {}
private: [hidden]
input: [messages, steps, count, profile]
nodes:
  one: {set: {steps: "['one']", count: 1, hidden: "'secret'"}}
  two: {set: {steps: "['two']", count: 1, profile: "{name: profile.name, nested: {deep: [1, 2, {x: count}]}}", shown: "true"}}
  three: {set: {steps: "['three']", profile: "{name: profile.name, nested: {deep: [1, 2]}}"}}
  say: {llm: {reply: "\`\${count} steps\`"}}
edges: [[START, one], [one, two], [two, three], [three, say], [say, END]]
`);
yaml("stops", `id: stops
state: {messages: {reducer: messages}, log: {reducer: append, default: []}}
interrupt_before: [two]
nodes:
  one: {set: {log: "['one']"}}
  two: {set: {log: "['two']"}}
edges: [[START, one], [one, two], [two, END]]
`);
yaml("form", `id: form
state: {messages: {reducer: messages}, answer: {}}
nodes:
  ask: {ask: {prompt: "How many?", schema: {type: object, properties: {n: {type: integer}}, required: [n]}}, writes: {answer: result.value}}
edges: [[START, ask], [ask, END]]
`);
yaml("sure", `id: sure
state: {messages: {reducer: messages}, answer: {}, color: {}}
nodes:
  ask: {ask: {prompt: "Sure?", type: confirm}, writes: {answer: result.value}}
  pick: {ask: {prompt: "Which?", type: multi_select, options: [red, blue]}, writes: {color: result.value}}
edges: [[START, ask], [ask, pick], [pick, END]]
`);
yaml("panel", `id: panel
state: {messages: {reducer: messages}}
tools:
  ask_expert: {agent: expert, description: asks an expert}
nodes:
  model: {llm: {tools: [ask_expert]}}
  tools: {tools: {}}
edges:
  - [START, model]
  - {from: model, to: tools, when: "len(last(messages).tool_calls ?? []) > 0"}
  - {from: model, to: END, when: "len(last(messages).tool_calls ?? []) == 0"}
  - [tools, model]
`);
yaml("painter", `id: painter
state: {messages: {reducer: messages}}
tools:
  pick_color:
    description: Lets the user pick a color.
    schema: {type: object, properties: {why: {type: string}}}
    reply: "''"
    approval: {allowed_decisions: [respond]}
nodes:
  model: {llm: {tools: [pick_color]}}
  tools: {tools: {}}
edges:
  - [START, model]
  - {from: model, to: tools, when: "len(last(messages).tool_calls ?? []) > 0"}
  - {from: model, to: END, when: "len(last(messages).tool_calls ?? []) == 0"}
  - [tools, model]
`);
yaml("expert", `id: expert
state: {question: {}, messages: {reducer: messages}}
nodes:
  think: {llm: {reply: "'because'"}}
edges: [[START, think], [think, END]]
`);
const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "0", "--script", script]);
const slow = await startMock(["--delay-ms", "60000", "--ttft-ms", "0", "--stream-delay-ms", "40", "--tokens", "2000"]);
const server = await startServer({ mock, dir, args: ["--agents", agents, "--api-keys", keys, "--shards", "2"] });
const auth = (k = "ck_ann") => ({ authorization: `Bearer ${k}` });
const user = (content) => ({ id: crypto.randomUUID(), role: "user", content });

// A client whose every event is held to the schemas; what it was told is in .events.
function open(assistant, { threadId, key = "ck_ann", to = server, messages = [], state } = {}) {
  const a = new HttpAgent({ url: `${to.url}/agui/${assistant}`, threadId, headers: auth(key), initialMessages: messages, initialState: state });
  a.events = [];
  a.subscribe({ onEvent({ event }) {
    const r = EventSchemas.safeParse(event);
    if (!r.success) check(false, `${event.type}: its schema`, r.error.message);
    a.events.push(structuredClone(event));
  } });
  a.say = async (content, more) => { a.events.length = 0; if (content !== undefined) a.addMessage(user(content)); return a.runAgent(more); };
  return a;
}
const types = (a, but = /^(STEP|STATE|MESSAGES|RUN_STARTED)/) => a.events.map((e) => e.type).filter((t) => !but.test(t)).filter((t, i, l) => t !== l[i - 1] || !/CONTENT|ARGS/.test(t));
const last = (a, type) => a.events.findLast((e) => e.type === type);
const outcome = (a) => last(a, "RUN_FINISHED")?.outcome;
const cohort = (a) => last(a, "RUN_STARTED").metadata.cohort;
const values = async (a, key = "ck_ann") => (await call(server, "GET", `/threads/${cohort(a).thread_id}/state`, undefined, auth(key))).json.values;
async function same(a, what) {
  const { messages = [], ...state } = await values(a);
  equal(a.state, state, `${what}: the client's state is the thread's`);
  const kept = a.messages.filter((m) => m.role !== "reasoning");
  equal(kept.map((m) => m.id), messages.filter((m) => m.id !== "agui-context").map((m) => m.id), `${what}: and its messages, by their ids`);
  for (const m of a.messages) check(MessageSchema.safeParse(m).success, `${what}: a message's schema`, m);
}
const post = (body, { assistant = "agent", key = "ck_ann" } = {}) => call(server, "POST", `/agui/${assistant}`, body, auth(key));
async function fails(promise, words, what) {
  const was = console.error;
  console.error = () => {};                      // the client tells it there, too
  const e = await promise.then(() => undefined, (x) => x);
  console.error = was;
  check(e !== undefined && words.test(e.message), what, e?.message ?? "it went well");
}

await scenario("text", async () => {
  const a = open("agent", { threadId: "chat 1" });
  const { newMessages } = await a.say("hi");
  equal(types(a), ["TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END", "RUN_FINISHED"], "its events");
  equal(newMessages.map((m) => [m.role, m.content]), [["assistant", "Hello there, friend."]], "the answer");
  check(a.events.filter((e) => e.type === "TEXT_MESSAGE_CONTENT").length > 1, "in pieces");
  const started = a.events[0], finished = a.events.at(-1);
  matches(started, { type: "RUN_STARTED", threadId: "chat 1", runId: String, protocolVersion: "1.0", metadata: { cohort: { thread_id: /^[0-9a-f-]{36}$/, run_id: /^[0-9a-f-]{36}$/ } } }, "RUN_STARTED");
  matches(finished, { type: "RUN_FINISHED", threadId: "chat 1", runId: started.runId, outcome: { type: "success" }, usage: [{ inputTokens: Number, outputTokens: Number, totalTokens: Number }] }, "RUN_FINISHED");
  await same(a, "one turn");
  const run = (await call(server, "GET", `/threads/${cohort(a).thread_id}/runs/${cohort(a).run_id}`, undefined, auth())).json;
  equal([run.status, run.metadata.agui_thread_id, run.metadata.agui_run_id], ["success", "chat 1", started.runId], "the run knows the client's names");
  await a.say("unicode");
  equal(a.messages.at(-1).content, "\"Grüße\" 🎈\n\\ and \u2028", "text comes through as it is");
  await a.say("hi");
  equal(a.messages.length, 6, "three turns");
  await same(a, "three turns");
  const again = open("agent", { threadId: "chat 1" });
  await again.say("hi");
  equal([again.messages.length, cohort(again).thread_id], [8, cohort(a).thread_id], "a client without the history gets it");
  const byId = open("agent", { threadId: cohort(a).thread_id });
  await byId.say("hi");
  equal(byId.messages.length, 10, "a thread by its own id");
});

await scenario("tools", async () => {
  const a = open("agent");
  await a.say("time please");
  equal(types(a), ["TOOL_CALL_START", "TOOL_CALL_ARGS", "TOOL_CALL_END", "TOOL_CALL_RESULT", "TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END", "RUN_FINISHED"], "its events");
  const start = last(a, "TOOL_CALL_START"), result = last(a, "TOOL_CALL_RESULT");
  equal([start.toolCallName, result.toolCallId, result.role], ["current_time", start.toolCallId, "tool"], "of one call");
  equal(a.messages.map((m) => m.role), ["user", "assistant", "tool", "assistant"], "the conversation");
  equal([a.messages[1].id, a.messages[1].toolCalls[0].function.name, JSON.parse(a.messages[1].toolCalls[0].function.arguments)], [start.parentMessageId, "current_time", {}], "the call is its message's");
  equal(a.events.filter((e) => /STEP/.test(e.type)).map((e) => `${e.type.slice(5)} ${e.stepName}`), ["STARTED agent", "FINISHED agent", "STARTED tools", "FINISHED tools", "STARTED agent", "FINISHED agent"].map((x) => x.replace("agent", a.events.find((e) => e.type === "STEP_STARTED").stepName)), "its steps");
  await same(a, "a tool");
});

await scenario("state", async () => {
  const a = open("plan");
  await a.say("go");
  const told = a.events.filter((e) => /^STATE/.test(e.type));
  check(told[0].type === "STATE_SNAPSHOT" && told.filter((e) => e.type === "STATE_DELTA").length >= 2, "a snapshot, then deltas", told.map((e) => e.type));
  check(told.some((e) => e.delta?.some((o) => o.op === "remove")) && told.some((e) => e.delta?.some((o) => o.op === "add")), "that add and remove", told);
  check(!JSON.stringify(a.events).includes("secret"), "what is private is not told");
  check(!("messages" in a.state), "the conversation is not in the state");
  await same(a, "a run");
  equal(a.state.steps, ["one", "two", "three"], "the state");
  a.state = { ...a.state, steps: ["mine"], profile: { name: "b" } };
  await a.say("again");
  equal([a.state.steps, a.state.count, a.state.profile.name], [["mine", "one", "two", "three"], 4, "b"], "what the client changed is written over, what not is left alone");
  await same(a, "a changed state");
  a.state = { count: 0 };
  await a.say("more");
  equal([a.state.count, a.state.steps.length], [2, 7], "a member that is left out stays");
  await same(a, "part of a state");
});

await scenario("questions", async () => {
  const a = open("confirm");
  await a.say("pay");
  equal(types(a).slice(-1), ["RUN_FINISHED"], "it ends");
  matches(outcome(a), { type: "interrupt", interrupts: [{ id: /^[0-9a-f]{32}$/, reason: "cohort:question", message: "Pay 12? (yes / no)", metadata: { cohort: { value: { prompt: "Pay 12?" } } } }] }, "with the question");
  check(a.events.findIndex((e) => e.type === "MESSAGES_SNAPSHOT") === a.events.length - 2, "the conversation is told before", types(a, /^$/));
  equal(a.pendingInterrupts.length, 1, "the client waits");
  await same(a, "a question");
  await fails(a.say("hello?"), /not addressed by resume/, "it lets nothing else through");
  const early = await post({ threadId: a.threadId, runId: "r", messages: [user("hello?")] }, { assistant: "confirm" });
  equal(early.status, 409, "nor does the server");
  check(early.json.detail.includes(a.pendingInterrupts[0].id) && /resume/.test(early.json.detail), "which names it", early.json.detail);
  a.messages.pop();
  await a.say(undefined, { resume: buildResumeArray(a.pendingInterrupts, { [a.pendingInterrupts[0].id]: { status: "resolved", payload: "yes" } }) });
  equal([outcome(a).type, a.messages.at(-1).content, a.pendingInterrupts.length], ["success", "You said yes.", 0], "an answer goes on");
  await same(a, "an answer");
  const late = await post({ threadId: a.threadId, runId: "r", messages: [], resume: [{ interruptId: "0".repeat(32), status: "resolved", payload: 1 }] }, { assistant: "confirm" });
  equal([late.status, late.json.detail], [422, "resume: no question waits on the thread"], "a second one is told so");
  const tabs = open("confirm");
  await tabs.say("pay");
  const resume = [{ interruptId: tabs.pendingInterrupts[0].id, status: "resolved", payload: "yes" }];
  const raced = await Promise.all(Array.from({ length: 4 }, (_, i) => post({ threadId: tabs.threadId, runId: `tab ${i}`, messages: [], resume }, { assistant: "confirm" })));
  const won = raced.filter((x) => x.status === 200 && /"outcome":\{"type":"success"\}/.test(x.text));
  equal(won.length, 1, "four tabs answer at once: one goes on");
  check(raced.every((x) => won.includes(x) || x.status === 409 || x.status === 422), "the others are told", raced.map((x) => [x.status, x.text.slice(-200)]));
  const b = open("confirm");
  await b.say("pay");
  await b.say(undefined, { resume: [{ interruptId: b.pendingInterrupts[0].id, status: "cancelled" }] });
  equal(b.messages.at(-1).content, 'You said {"status":"cancelled"}.', "cancelled");
});

await scenario("several questions", async () => {
  const a = open("two_asks");
  await a.runAgent();
  const [l, r] = a.pendingInterrupts;
  equal([l.message, r.message], ['{"q":"left?"}', '{"q":"right?"}'], "both");
  for (const [resume, words] of [[[{ interruptId: l.id, status: "resolved", payload: 1 }], /each of the 2 questions/], [[{ interruptId: l.id, status: "resolved", payload: 1 }, { interruptId: "x", status: "resolved", payload: 1 }], /no question with the id "x"/],
    [[{ interruptId: l.id, status: "resolved", payload: 1 }, { interruptId: l.id, status: "resolved", payload: 1 }], /resume\.1\.interruptId: the question is answered twice/],
    [[{ interruptId: l.id, status: "resolved" }, { interruptId: r.id, status: "cancelled" }], /resume\.0\.payload: expected the answer/]]) {
    const x = await post({ threadId: a.threadId, runId: "r", messages: [], resume }, { assistant: "two_asks" });
    check(x.status === 422 && words.test(x.json.detail), `${words}`, x.text);
  }
  await a.say(undefined, { resume: [{ interruptId: r.id, status: "resolved", payload: "R" }, { interruptId: l.id, status: "resolved", payload: "L" }] });
  equal(a.state.log, ["plain", "L/R"], "answered by id");
  await same(a, "two answers");
});

await scenario("a question with a schema", async () => {
  const a = open("form", { messages: [user("go")] });
  await a.say();
  matches(outcome(a).interrupts[0], { reason: "input_required", message: "How many?", responseSchema: { type: "object", required: ["n"] } }, "as a form");
  const id = a.pendingInterrupts[0].id;
  await a.say(undefined, { resume: [{ interruptId: id, status: "resolved", payload: { n: 3 } }] });
  equal([outcome(a)?.type, a.state.answer], ["success", { n: 3 }], "an answer");
  const b = open("sure", { messages: [user("go")] });
  await b.say();
  matches(outcome(b).interrupts[0], { reason: "confirmation", message: "Sure?", responseSchema: { type: "boolean" } }, "of a type");
  const bad = await post({ threadId: b.threadId, runId: "r", messages: [], resume: [{ interruptId: b.pendingInterrupts[0].id, status: "resolved", payload: "maybe" }] }, { assistant: "sure" });
  check(bad.status === 422 && /expected true or false/.test(bad.json.detail), "another answer is refused", bad.text);
  await b.say(undefined, { resume: [{ interruptId: b.pendingInterrupts[0].id, status: "resolved", payload: false }] });
  matches(outcome(b).interrupts[0], { reason: "input_required", responseSchema: { type: "array", items: { enum: ["red", "blue"] } } }, "options");
  await b.say(undefined, { resume: [{ interruptId: b.pendingInterrupts[0].id, status: "resolved", payload: ["blue"] }] });
  equal(b.state, { answer: false, color: ["blue"] }, "false is an answer");
});

const reviewed = { forwardedProps: { config: { configurable: { interrupt_on: { store_put: { allowed_decisions: ["approve", "edit", "reject"] } } } } } };
const stored = async (key) => (await call(server, "GET", `/store/items?namespace=o&key=${key}`, undefined, auth())).json?.value;

await scenario("approvals", async () => {
  for (const [payload, says, item] of [[{ approved: true }, "It is done.", { n: 1 }], [{ approved: true, editedArgs: { namespace: ["o"], key: "k", value: { n: 5 } } }, "It is done.", { n: 5 }],
    [{ approved: false, message: "not now" }, "It is done.", undefined], [{ decisions: [{ type: "approve" }] }, "It is done.", { n: 1 }], ["cancelled", "It is done.", undefined]]) {
    await call(server, "DELETE", "/store/items", { namespace: ["o"], key: "k" }, auth());
    const a = open("agent"), what = JSON.stringify(payload);
    await a.say("save it", reviewed);
    const start = last(a, "TOOL_CALL_START"), i = outcome(a).interrupts[0];
    matches(i, { reason: "tool_call", toolCallId: start.toolCallId, message: String, responseSchema: { properties: { approved: { type: "boolean" }, editedArgs: { type: "object" } }, required: ["approved"] } }, `${what}: bound to its call`);
    equal(await stored("k"), undefined, `${what}: it waits`);
    const resume = [payload === "cancelled" ? { interruptId: i.id, status: "cancelled" } : { interruptId: i.id, status: "resolved", payload }];
    await a.say(undefined, { ...reviewed, resume });
    equal(a.events.filter((e) => /TOOL_CALL_(START|ARGS|END)/.test(e.type)).length, 0, `${what}: the call is not told again`);
    equal([last(a, "TOOL_CALL_RESULT")?.toolCallId, a.messages.at(-1).content], [start.toolCallId, says], `${what}: its result is`);
    equal(await stored("k"), item, `${what}: and what came of it`);
    await same(a, what);
  }
  const a = open("agent");
  await a.say("save it", reviewed);
  const i = a.pendingInterrupts[0].id;
  for (const [payload, words] of [[{ approved: true, sure: 1 }, /resume\.0\.payload: unknown key "sure"/], [{ approved: false, editedArgs: {} }, /editedArgs are for a call that is approved/]]) {
    const x = await post({ threadId: a.threadId, runId: "r", messages: [], resume: [{ interruptId: i, status: "resolved", payload }] });
    check(x.status === 422 && words.test(x.json.detail), `${JSON.stringify(payload)}`, x.text);
  }
  const f = open("painter");
  for (const [result, text] of [[{ color: "red" }, '{"color":"red"}'], ["blue", "blue"], [false, "false"]]) {
    await f.say("color please");
    const start = last(f, "TOOL_CALL_START"), i = outcome(f).interrupts[0];
    equal([start.toolCallName, f.events.filter((e) => e.type === "TOOL_CALL_ARGS").map((e) => e.delta).join("")], ["pick_color", '{"why":"a car"}'], "a tool of the frontend");
    equal([i.toolCallId, i.responseSchema.required, Object.keys(i.responseSchema.properties)], [start.toolCallId, ["result"], ["result"]], "asks for its result");
    const x = await post({ threadId: f.threadId, runId: "r", messages: [], resume: [{ interruptId: i.id, status: "resolved", payload: { result: 1, approved: true } }] }, { assistant: "painter" });
    check(x.status === 422 && /a result stands alone/.test(x.json.detail), "alone", x.text);
    equal((await post({ threadId: f.threadId, runId: "r", messages: [], resume: [{ interruptId: i.id, status: "resolved", payload: { approved: true } }] }, { assistant: "painter" })).status, 422, "it cannot be approved");
    await f.say(undefined, { resume: [{ interruptId: i.id, status: "resolved", payload: { result } }] });
    equal([last(f, "TOOL_CALL_RESULT")?.content, f.messages.at(-1).content], [text, "It is done."], "and goes on with it");
  }
  await same(f, "a tool of the frontend");
  const b = open("agent");
  await b.say("save both", reviewed);
  matches(outcome(b).interrupts, [{ reason: "cohort:review", responseSchema: { properties: { decisions: { minItems: 2, maxItems: 2 } } } }], "two calls are one review");
  check(outcome(b).interrupts[0].toolCallId === undefined, "of no one call");
  await b.say(undefined, { ...reviewed, resume: [{ interruptId: b.pendingInterrupts[0].id, status: "resolved", payload: { decisions: [{ type: "approve" }, { type: "reject" }] } }] });
  equal([await stored("a"), await stored("b")], [{ n: 1 }, undefined], "decided one by one");
});

await scenario("a breakpoint", async () => {
  const a = open("stops");
  await a.say("go");
  matches(outcome(a), { type: "interrupt", interrupts: [{ id: "breakpoint", reason: "cohort:breakpoint", message: String }] }, "stops");
  equal((await post({ threadId: a.threadId, runId: "r", messages: [], resume: [{ interruptId: "breakpoint", status: "cancelled" }] }, { assistant: "stops" })).status, 422, "cannot be cancelled");
  await a.say(undefined, { resume: [{ interruptId: "breakpoint", status: "resolved" }] });
  equal([outcome(a)?.type, a.state.log], ["success", ["one", "two"]], "and goes on");
  await same(a, "a breakpoint");
});

await scenario("subagents", async () => {
  const a = open("boss");
  await a.say("hi");
  const started = last(a, "SUBAGENT_STARTED"), id = started.subagentRunId;
  equal([started.name, last(a, "SUBAGENT_FINISHED").subagentRunId], ["help", id], "an agent that is a node");
  equal(a.events.filter((e) => e.type === "TEXT_MESSAGE_START").map((e) => e.subagentRunId), [id, undefined], "who says what");
  equal(a.messages.map((m) => m.content), ["hi", "Hello there, friend.", "That was all."], "the conversation");
  await same(a, "a subagent");
  await a.say("more");
  equal(a.messages.length, 6, "and goes on");
  const b = open("sub_ask", { state: { n: 1 } });
  await b.runAgent();
  const waits = last(b, "SUBAGENT_FINISHED");
  equal([waits.outcome, outcome(b).type], [{ type: "suspended" }, "interrupt"], "one that asks is suspended");
  await b.say(undefined, { resume: [{ interruptId: b.pendingInterrupts[0].id, status: "resolved", payload: "yes" }] });
  equal([last(b, "SUBAGENT_STARTED").subagentRunId, last(b, "SUBAGENT_FINISHED").outcome, b.state.log], [waits.subagentRunId, undefined, ["first", "after yes"]], "and goes on under its id");
  const c = open("panel");
  await c.say("expert please");
  const call1 = last(c, "TOOL_CALL_START"), sub = last(c, "SUBAGENT_STARTED");
  equal([call1.toolCallName, sub?.name], ["ask_expert", "ask_expert"], "an agent that is a tool");
  check(!c.events.some((e) => e.type === "TEXT_MESSAGE_CONTENT" && e.delta.includes("because")), "what it says is the call's result");
  equal([c.messages.at(-1).content, last(c, "TOOL_CALL_RESULT").toolCallId], ["It is done.", call1.toolCallId], "and the agent goes on");
  await same(c, "an agent as a tool");
  const old = await post({ threadId: "old", runId: "r", messages: [user("hi")] }, { assistant: "boss" });
  check(old.status === 200 && !/SUBAGENT|subagentRunId/.test(old.text) && /RUN_FINISHED/.test(old.text) && /Hello/.test(old.text), "a client before 1.0, which says no version, hears nothing of them", old.text);
  const d = open("router");
  await d.say("hi");
  equal(d.events.filter((e) => e.type === "TEXT_MESSAGE_START").length, 1, "what is said for another channel is not told");
  const e = open("pair_talk");
  await e.say("hi");
  equal(e.messages.slice(1).map((m) => m.content).sort(), ["left says", "right says"], "two that speak at once");
  await same(e, "two voices");
});

await scenario("errors", async () => {
  const a = open("broken");
  const e = await a.say("hi").then(() => undefined, (x) => x);
  equal([a.events.at(-1).type, a.events.at(-1).code, a.events.at(-1).message], ["RUN_ERROR", "Refused", "not today"], "RUN_ERROR");
  check(e === undefined || /not today/.test(e.message), "which the client tells", e?.message);
  equal(a.messages.map((m) => m.content), ["hi", "So far"], "what was said stays");
  const bad = open("fails", { state: { why: "\"quotes\" and\nlines" } });
  await bad.runAgent().catch(() => {});
  equal(bad.events.at(-1).message, "\"quotes\" and\nlines", "any words");
});

await scenario("a client that stops", async () => {
  const lazy = await startServer({ mock: slow, args: ["--agents", agents] });
  const a = open("agent", { to: lazy });
  const done = a.say("a long story").catch((e) => e);
  await until(() => a.events.filter((e) => e.type === "TEXT_MESSAGE_CONTENT").length > 3, "words");
  a.abortRun();
  await done;
  const { thread_id, run_id } = cohort(a);
  await until(async () => (await call(lazy, "GET", `/threads/${thread_id}/runs/${run_id}`)).json.status === "interrupted", "the run to be cancelled");
  const b = open("agent", { to: lazy });
  const end = b.say("a long story");
  await until(() => b.events.some((e) => e.type === "TEXT_MESSAGE_CONTENT"), "words");
  equal((await call(lazy, "POST", `/threads/${cohort(b).thread_id}/runs/${cohort(b).run_id}/cancel?wait=true`)).status, 204, "another cancels");
  await end;
  equal([outcome(b), types(b).slice(-2)], [{ type: "cancelled" }, ["TEXT_MESSAGE_END", "RUN_FINISHED"]], "it is told, and what was open is ended");
  await lazy.stop();
});

await scenario("two runs at once", async () => {
  const a = open("agent", { threadId: "busy" }), b = open("agent", { threadId: "busy" });
  await Promise.all([a.say("time please"), b.say("hi")]);
  equal([outcome(a)?.type, outcome(b)?.type], ["success", "success"], "of one thread: both end");
  equal((await values(a)).messages.filter((m) => m.type === "human").length, 2, "one after the other");
  const many = Array.from({ length: 12 }, (_, i) => open(i % 2 ? "boss" : "agent"));
  await Promise.all(many.map((x, i) => x.say(i % 3 ? "time please" : "hi")));
  check(many.every((x) => outcome(x)?.type === "success"), "of many threads");
  for (const x of many) await same(x, "one of many");
});

await scenario("reasoning", async () => {
  const chunk = (delta, more = {}) => `data: ${JSON.stringify({ id: "r1", object: "chat.completion.chunk", created: 1, model: "m", choices: [{ index: 0, delta, finish_reason: null, ...more }] })}\n\n`;
  const model = http.createServer((req, res) => {
    req.resume();
    req.on("end", () => {
      res.writeHead(200, { "content-type": "text/event-stream" });
      res.end(chunk({ role: "assistant", content: "" }) + chunk({ reasoning_content: "let me " }) + chunk({ reasoning_content: "think" }) + chunk({ content: "4" }) + chunk({ content: "2" }) + chunk({}, { finish_reason: "stop" }) + "data: [DONE]\n\n");
    });
  });
  await new Promise((r) => model.listen(0, "127.0.0.1", r));
  const s = await startServer({ mock: { url: `http://127.0.0.1:${model.address().port}` }, args: ["--agents", agents] });
  const a = open("agent", { to: s });
  await a.say("six times seven");
  equal(types(a), ["REASONING_START", "REASONING_MESSAGE_START", "REASONING_MESSAGE_CONTENT", "REASONING_MESSAGE_END", "REASONING_END", "TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END", "RUN_FINISHED"], "its events");
  equal(a.messages.map((m) => [m.role, m.content]), [["user", "six times seven"], ["reasoning", "let me think"], ["assistant", "42"]], "the conversation, once");
  await a.say("and now");
  equal([a.messages.length, a.messages.at(-1).content], [6, "42"], "reasoning that comes back is passed over");
  await s.stop();
  model.closeAllConnections();
  model.close();
});

await scenario("context and parts", async () => {
  const a = open("chat");
  await a.say("hi", { context: [{ description: "page", value: "orders" }] });
  equal(a.messages.at(-1).content, "echo hi (2)", "the model is told");
  equal((await values(a)).messages[0], { ...(await values(a)).messages[0], type: "system", content: "What the application tells:\n- page: orders\n", id: "agui-context" }, "as a system message");
  check(!a.messages.some((m) => m.role === "system"), "which the client does not see");
  await a.say("hi", { context: [{ description: "page", value: "bills" }] });
  equal((await values(a)).messages.filter((m) => m.type === "system").map((m) => m.content), ["What the application tells:\n- page: bills\n"], "there is one");
  await a.say("hi");
  equal((await values(a)).messages.filter((m) => m.type === "system").length, 0, "and none any more");
  await same(a, "context");
  const b = open("chat"), data = Buffer.from("x").toString("base64");
  const parts = [{ type: "text", text: "look" }, { type: "image", source: { type: "url", value: "https://x.example/y.png" } }, { type: "image", source: { type: "data", value: data, mimeType: "image/png" } },
    { type: "audio", source: { type: "data", value: data, mimeType: "audio/wav" } }, { type: "document", source: { type: "data", value: data, mimeType: "application/pdf" } }];
  await b.say(parts);
  equal(b.messages[0].content, parts, "parts come back as they went");
  equal((await values(b)).messages[0].content.map((p) => p.type), ["text", "image_url", "image_url", "input_audio", "file"], "as models take them");
  const c = open("chat", { messages: [{ id: "s", role: "system", content: "be kind" }, { id: "g", role: "assistant", content: "What can I do?" }] });
  await c.say("hi");
  equal(c.messages.map((m) => m.role), ["system", "assistant", "user", "assistant"], "a greeting of the client's own");
  await same(c, "a greeting");
});

await scenario("owners", async () => {
  const a = open("agent", { threadId: "shared name" }), b = open("agent", { threadId: "shared name", key: "ck_bob" });
  await a.say("time please");
  await b.say("hi");
  check(cohort(a).thread_id !== cohort(b).thread_id, "one name, two threads");
  equal(b.messages.length, 2, "bob sees nothing of ann's");
  const foreign = await post({ threadId: cohort(a).thread_id, runId: "r", messages: [user("hi")] }, { key: "ck_bob" });
  const unknown = await post({ threadId: crypto.randomUUID(), runId: "r", messages: [user("hi")] }, { key: "ck_bob" });
  equal([foreign.status >= 400 && foreign.status < 500, unknown.status], [true, 200], `ann's thread by its id: ${foreign.status} ${foreign.text.slice(0, 100)}`);
  check(!/time|late|done/.test(foreign.text), "says nothing of it", foreign.text);
  equal((await call(server, "POST", "/agui/agent", { threadId: "t", runId: "r", messages: [user("hi")] })).status, 401, "nobody");
  const made = (await call(server, "POST", "/assistants", { graph_id: "agent", name: "Ann's helper" }, auth())).json.assistant_id;
  for (const name of [made, "Ann's helper"]) {
    const mine = open(encodeURIComponent(name));
    await mine.say("hi");
    equal(outcome(mine)?.type, "success", `by ${name}`);
    equal((await call(server, "POST", `/agui/${encodeURIComponent(name)}`, { threadId: "t", runId: "r", messages: [user("hi")] }, auth("ck_bob"))).status, 404, `not bob, by ${name}`);
  }
});

await scenario("bad input", async () => {
  const good = { threadId: "bad", runId: "r", messages: [user("hi")] };
  const m = (more) => ({ ...good, messages: [{ id: "m", role: "user", content: "x", ...more }] });
  const part = (p) => m({ content: [p] });
  const rows = [
    [[], /body: expected an object/], [{}, /threadId: expected a text, got nothing/], [{ ...good, threadId: "" }, /threadId: expected a text, got an empty one/], [{ ...good, threadId: 5 }, /threadId: expected a string/],
    [{ ...good, threadId: "x".repeat(3000) }, /threadId/], [{ ...good, runId: undefined }, /runId: expected a text, got nothing/], [{ ...good, runId: {} }, /runId: expected a string/],
    [{ ...good, messages: undefined }, /messages: expected an array, got nothing/], [{ ...good, messages: "hi" }, /messages: expected an array/], [{ ...good, messages: [] }, /messages: nothing is new/],
    [{ ...good, messages: [5] }, /messages\[0\]\.role/], [{ ...good, messages: [null] }, /messages\[0\]\.role/], [m({ role: "robot" }), /messages\[0\]\.role: expected one of user, system, developer, assistant, tool, reasoning or activity/],
    [m({ id: undefined }), /messages\[0\]: id: expected a text/], [m({ id: 5 }), /messages\[0\]: id/], [m({ id: 'a"b' }), /messages\[0\].*id/], [m({ content: undefined }), /messages\[0\]: content: expected a text or parts, got nothing/],
    [m({ content: 5 }), /messages\[0\]: content/], [m({ role: "system", content: [] }), /messages\[0\]: content: expected a text, got an array/], [m({ role: "developer", content: null }), /messages\[0\]: content/],
    [m({ metadata: { a: 1 } }), /messages\[0\]: metadata: not kept/], [m({ encryptedValue: "x" }), /messages\[0\]: encryptedValue: not kept/], [m({ toolCalls: [] }), /messages\[0\]: toolCalls: not kept/], [m({ mood: 1 }), /messages\[0\]: mood: not kept/],
    [m({ role: "assistant", content: "", toolCalls: 5 }), /tool_calls/], [m({ role: "assistant", toolCalls: [{ id: "c", type: "function", function: { name: "f", arguments: "{" } }] }), /arguments/],
    [m({ role: "tool" }), /tool_call_id/], [m({ role: "tool", toolCallId: 5 }), /tool_call_id/], [m({ name: 5 }), /name/],
    [part({ type: "video", source: { type: "url", value: "x" } }), /content\[0\]\.type: expected one of text, image, audio or document/], [part({ type: "binary" }), /content\[0\]\.type/], [part("x"), /content\[0\]\.type/],
    [part({ type: "text" }), /content\[0\]: text: expected a string/], [part({ type: "image" }), /content\[0\]: expected a source/], [part({ type: "image", source: { type: "file", value: "f-1" } }), /a provider's file is not reachable/],
    [part({ type: "image", source: { type: "data", value: "QQ==" } }), /expected a source/], [part({ type: "audio", source: { type: "url", value: "https://x" } }), /expected data of a type audio/], [part({ type: "audio", source: { type: "data", value: "QQ==", mimeType: "text/plain" } }), /expected data of a type audio/],
    [part({ type: "document", source: { type: "url", value: "https://x" } }), /expected the document's data/],
    [{ ...good, tools: [{ name: "confirm", description: "d", parameters: {} }] }, /tools: tools belong to the agent; send \[\]/], [{ ...good, tools: {} }, /tools/], [{ ...good, parentRunId: "r0" }, /parentRunId: a run begins at the thread's newest state/],
    [{ ...good, protocolVersion: "one" }, /protocolVersion: expected MAJOR\.MINOR/], [{ ...good, protocolVersion: "1.0.0" }, /protocolVersion/], [{ ...good, protocolVersion: 1 }, /protocolVersion: expected a string/],
    [{ ...good, state: [] }, /state: expected an object, got an array/], [{ ...good, state: "x" }, /state: expected an object/], [{ ...good, state: { messages: [] } }, /state\.messages: the conversation is `messages`/], [{ ...good, state: { nothing: 1 } }, /state\.nothing: the agent "agent" has no such channel/],
    [{ ...good, context: {} }, /context: expected an array/], [{ ...good, context: [5] }, /context\.0: expected an object/], [{ ...good, context: [{ description: 5, value: "x" }] }, /context\.0\.description: expected a string/], [{ ...good, context: [{ description: "x", value: "y", color: 1 }] }, /context\.0.*color/],
    [{ ...good, forwardedProps: { model: "x" } }, /forwardedProps.*model/], [{ ...good, forwardedProps: [] }, /forwardedProps: expected an object/], [{ ...good, forwardedProps: { config: [] } }, /forwardedProps\.config: expected an object/],
    [{ ...good, resume: {} }, /resume: expected an array/], [{ ...good, resume: [] }, /resume: no question waits/], [{ ...good, resume: [{ interruptId: "x", status: "resolved" }] }, /resume: no question waits/], [{ ...good, thread_id: "x" }, /thread_id/],
    ["{", /Malformed JSON/], ["", /body: expected an object, got nothing/],
  ];
  for (const [body, words] of rows) {
    const x = await post(body);
    check((x.status === 422 || x.status === 400) && words.test(x.json?.detail ?? ""), `${JSON.stringify(body).slice(0, 150)}: ${words}`, `${x.status} ${x.text}`);
  }
  check(rows.length >= 60, "they are many", rows.length);
  equal((await call(server, "GET", "/threads/search", undefined, auth())).status, 405, "the server is alive");
  equal((await post(good, { assistant: "nothing" })).status, 404, "an assistant that is not there");
  equal((await post({ ...good, messages: [user("x")] }, { assistant: "fails" })).status, 422, "an agent without a conversation takes no messages");
  equal((await post({ threadId: "bad", runId: "r", messages: [] }, { assistant: "fails" })).status, 200, "but runs without");
  equal((await call(server, "GET", "/agui/agent", undefined, auth())).status, 405, "GET");
  const asked = open("confirm");
  await asked.say("pay");
  const id = asked.pendingInterrupts[0].id, again = (resume) => post({ threadId: asked.threadId, runId: "r", messages: [], resume }, { assistant: "confirm" });
  for (const [resume, words] of [[[{ interruptId: id }], /resume\.0\.status: expected resolved or cancelled/], [[{ interruptId: id, status: "maybe" }], /resume\.0\.status/], [[{ interruptId: id, status: "resolved", payload: null }], /resume\.0\.payload/],
    [[{ interruptId: id, status: "resolved", payload: 1, metadata: {} }], /resume\.0\.metadata: not kept/], [[{ status: "resolved", payload: 1 }], /no question with the id ""/], [[{ interruptId: id, status: "resolved", payload: 1 }, { interruptId: id, status: "resolved", payload: 2 }], /answered twice/], [[5], /resume\.0: expected an object/], [[], /each of the 1 questions/]]) {
    const x = await again(resume);
    check(x.status === 422 && words.test(x.json.detail), `resume ${JSON.stringify(resume)}`, `${x.status} ${x.text}`);
  }
  equal(outcome(asked).interrupts[0].id, id, "and it still waits");
});

await scenario("a slow reader and a cut", async () => {
  const text = JSON.stringify({ threadId: "cut", runId: "r", messages: [user("hi")] });
  const got = await raw(server, `POST /agui/agent HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ck_ann\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`, { done: (g) => g.includes("RUN_FINISHED") });
  check(/content-type: text\/event-stream/i.test(got) && /content-location: \/threads\//i.test(got), "the head names the run", got.slice(0, 600));
});

await server.stop();
equal(server.exit.code, 0, "clean exit");
await mock.stop();
await slow.stop();
finish();
