// hitl.mjs - interrupt_on of the built-in agent: tool calls that wait for a
// person, in the shape that agent UIs draw (requests, configs, decisions).
import { writeFileSync } from "node:fs";
import path from "node:path";
import { call, check, equal, finish, scenario, scratch, startMock, startServer } from "./lib.mjs";
import { clientOf, collect, hex32, json, last, matches } from "./core-lib.mjs";

const put = (key, value = { n: 1 }) => ({ name: "store_put", args: { namespace: ["hitl"], key, value } });
const script = path.join(scratch(), "script.json");
writeFileSync(script, JSON.stringify({
  rules: [
    { match: "save one", tool_calls: [put("one")] },
    { match: "save two", tool_calls: [put("two-a"), put("two-b")] },
    { match: "mixed", tool_calls: [{ name: "current_time", args: {} }, put("mixed"), { name: "store_search", args: { namespace: ["hitl"] } }] },
    { match: "twice", tool_calls: [put("twice-1")] },
    { match: { role: "tool", last: "twice-1" }, tool_calls: [put("twice-2")] },
    { match: "time", tool_calls: [{ name: "current_time", args: {} }] },
    { match: { role: "tool" }, reply: "All done." },
  ],
  default: { reply: "Hello." },
}));
const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "0", "--script", script]);
const server = await startServer({ mock });
const client = clientOf(server);
const all = ["approve", "edit", "reject", "respond"];
const on = (interrupt_on) => ({ configurable: { interrupt_on } });
const say = (content) => ({ messages: [{ role: "user", content }] });
const item = async (key) => (await client.store.getItem(["hitl"], key))?.value ?? null;
const waiting = async (t) => (await client.threads.getState(t)).tasks.flatMap((k) => k.interrupts);

// A run up to its review: {t, i: the interrupt, config}.
async function review(words, interrupt_on = { store_put: true }) {
  for (const key of ["one", "two-a", "two-b", "mixed", "twice-1", "twice-2", "edited"]) await client.store.deleteItem(["hitl"], key);
  const t = (await client.threads.create()).thread_id, config = on(interrupt_on);
  const values = await client.runs.wait(t, "agent", { input: say(words), config });
  return { t, config, values, i: values.__interrupt__?.[0], count: values.__interrupt__?.length };
}
const decide = (t, config, ...decisions) => client.runs.wait(t, "agent", { command: { resume: { decisions } }, config });
const tools = (v) => v.messages.filter((m) => m.type === "tool");

await scenario("the request", async () => {
  const { t, values, i, count } = await review("save one");
  equal(count, 1, "one interrupt");
  matches(i, { id: hex32, value: { action_requests: [{ name: "store_put", args: put("one").args, description: String }],
    review_configs: [{ action_name: "store_put", allowed_decisions: Array, args_schema: { type: "object", properties: Object } }] } }, "its shape");
  equal([...i.value.review_configs[0].allowed_decisions].sort(), all, "true allows every decision");
  equal([values.messages.length, values.messages[1].tool_calls[0].name], [2, "store_put"], "the call is in the state");
  equal(await item("one"), null, "nothing was done");
  const s = await client.threads.getState(t);
  matches(s.tasks, [{ name: "tools", interrupts: [{ id: i.id, value: i.value }] }], "the state tells it");
  equal((await client.threads.get(t)).status, "interrupted", "the thread waits");
  const l = (await json(server, "GET", "/interrupts?status=waiting")).filter((x) => x.thread_id === t);
  matches(l, [{ id: i.id, value: i.value }], "GET /interrupts lists it");
});

await scenario("approve", async () => {
  const { t, config } = await review("save one");
  const v = await decide(t, config, { type: "approve" });
  equal(await item("one"), { n: 1 }, "done");
  matches(v.messages.slice(2), [{ type: "tool", name: "store_put", status: "success", tool_call_id: v.messages[1].tool_calls[0].id }, { type: "ai", content: "All done." }], "and told to the model");
  equal([(await client.threads.get(t)).status, await waiting(t)], ["idle", []], "nothing waits");
});

await scenario("edit", async () => {
  const { t, config } = await review("save one");
  const v = await decide(t, config, { type: "edit", edited_action: { name: "store_put", args: { namespace: ["hitl"], key: "edited", value: { n: 2 } } } });
  equal([await item("one"), await item("edited")], [null, { n: 2 }], "what was edited is done");
  equal([tools(v).length, tools(v)[0].status, tools(v)[0].tool_call_id], [1, "success", v.messages[1].tool_calls[0].id], "as the answer to the call");
});

await scenario("edit to another tool", async () => {
  const { t, config } = await review("save one");
  const v = await decide(t, config, { type: "edit", edited_action: { name: "current_time", args: {} } });
  equal([await item("one"), tools(v)[0].name, tools(v)[0].status], [null, "current_time", "success"], "another tool");
});

await scenario("reject", async () => {
  let r = await review("save one");
  let v = await decide(r.t, r.config, { type: "reject", message: "Not on my watch." });
  equal(await item("one"), null, "not done");
  matches(tools(v), [{ status: "error", name: "store_put", content: /Not on my watch\./ }], "the model is told why");
  equal(v.messages.at(-1).content, "All done.", "and goes on");
  r = await review("save one");
  v = await decide(r.t, r.config, { type: "reject" });
  matches(tools(v), [{ status: "error", content: /reject/i }], "without words, too");
});

await scenario("respond", async () => {
  const { t, config } = await review("save one");
  const v = await decide(t, config, { type: "respond", message: "It is saved already." });
  equal(await item("one"), null, "not done");
  matches(tools(v), [{ content: "It is saved already.", name: "store_put", status: "success" }], "the person's words are the result");
});

await scenario("several calls", async () => {
  let r = await review("save two");
  equal([r.count, r.i.value.action_requests.map((a) => a.args.key), r.i.value.review_configs.length], [1, ["two-a", "two-b"], 2], "one interrupt lists both, in order");
  let v = await decide(r.t, r.config, { type: "reject", message: "no" }, { type: "approve" });
  equal([await item("two-a"), await item("two-b")], [null, { n: 1 }], "each decision answers its request");
  equal(tools(v).map((m) => m.status), ["error", "success"], "results in the order of the calls");
  equal(tools(v).map((m) => m.tool_call_id), v.messages[1].tool_calls.map((c) => c.id), "with their ids");
  r = await review("mixed");
  equal(r.i.value.action_requests.map((a) => a.name), ["store_put"], "only what is to be reviewed is listed");
  v = await decide(r.t, r.config, { type: "approve" });
  equal(tools(v).map((m) => [m.name, m.status]), [["current_time", "success"], ["store_put", "success"], ["store_search", "success"]], "all calls, in order");
});

await scenario("wrong count", async () => {
  for (const decisions of [[], [{ type: "approve" }], [{ type: "approve" }, { type: "approve" }, { type: "approve" }]]) {
    const { t, config } = await review("save two");
    const r = await call(server, "POST", `/threads/${t}/runs/wait`, { assistant_id: "agent", command: { resume: { decisions } }, config });
    const text = r.status >= 400 ? r.json.detail : JSON.stringify(r.json.__error__ ?? "");
    check(/decision/.test(text) && text.includes("2") && text.includes(String(decisions.length)), `${decisions.length} decisions for 2`, r.text);
    equal([await item("two-a"), await item("two-b")], [null, null], "nothing was done");
    const v = await decide(t, config, { type: "approve" }, { type: "approve" });
    equal([await item("two-a"), await item("two-b")], [{ n: 1 }, { n: 1 }], "the right count goes on");
    check(v.messages?.at(-1).content === "All done.", "to the end", v);
  }
});

await scenario("decisions that are none", async () => {
  const bad = [["yes"], [null], [{}], [{ type: "maybe" }], [{ type: "edit" }], [{ type: "edit", edited_action: {} }], [{ type: "edit", edited_action: { name: "store_put", args: "x" } }],
    [{ type: "respond" }], [{ type: 1 }], "approve", 7, null, [], { approve: true }];
  for (const b of bad) {
    const { t, config } = await review("save one");
    const resume = Array.isArray(b) && b.length > 0 ? { decisions: b } : b;
    const r = await call(server, "POST", `/threads/${t}/runs/wait`, { assistant_id: "agent", command: { resume }, config });
    check(r.status >= 400 && r.status < 500 || r.json?.__error__ !== undefined || r.json?.__interrupt__ !== undefined, `${JSON.stringify(resume)} is refused`, r.text);
    equal(await item("one"), null, `${JSON.stringify(resume)}: nothing was done`);
  }
});

await scenario("allowed decisions", async () => {
  const { t, config, i } = await review("save one", { store_put: { allowed_decisions: ["approve", "reject"] } });
  equal(i.value.review_configs[0].allowed_decisions, ["approve", "reject"], "are told");
  const r = await call(server, "POST", `/threads/${t}/runs/wait`, { assistant_id: "agent", command: { resume: { decisions: [{ type: "respond", message: "x" }] } }, config });
  const text = r.status >= 400 ? r.json.detail : JSON.stringify(r.json.__error__ ?? "");
  check(/respond/.test(text) && /approve/.test(text), "another is refused, with those that are allowed", r.text);
  equal(await item("one"), null, "nothing was done");
});

await scenario("what is not to be reviewed", async () => {
  let r = await review("time", { store_put: true });
  equal([r.i, tools(r.values)[0].status], [undefined, "success"], "another tool");
  r = await review("save one", { store_put: false });
  equal([r.i, await item("one")], [undefined, { n: 1 }], "false");
  r = await review("save one", {});
  equal(r.i, undefined, "an empty list");
});

await scenario("two reviews in one run", async () => {
  const { t, config, i } = await review("twice");
  const v = await decide(t, config, { type: "approve" });
  matches(v.__interrupt__, [{ id: (x) => hex32.test(x) && x !== i.id, value: { action_requests: [{ args: { key: "twice-2" } }] } }], "the next call asks anew");
  equal([await item("twice-1"), await item("twice-2")], [{ n: 1 }, null], "the first is done");
  await decide(t, config, { type: "approve" });
  equal(await item("twice-2"), { n: 1 }, "then the second");
});

await scenario("by id, by an assistant's config, streamed", async () => {
  const a = await client.assistants.create({ graphId: "agent", config: on({ store_put: true }) });
  await client.store.deleteItem(["hitl"], "one");
  const t = (await client.threads.create()).thread_id;
  const chunks = await collect(client.runs.stream(t, a.assistant_id, { input: say("save one"), streamMode: ["updates", "messages-tuple", "values"] }));
  const i = chunks.findLast((c) => c.event === "updates" && "__interrupt__" in c.data)?.data.__interrupt__;
  matches(i, [{ id: hex32, value: { action_requests: [{ name: "store_put" }] } }], "the stream tells the interrupt");
  const order = chunks.map((c) => c.event === "updates" ? Object.keys(c.data)[0] : c.event);
  check(order.indexOf("__interrupt__") > order.indexOf("agent"), "after the model's update", order);
  const on_ = await collect(client.runs.stream(t, a.assistant_id, { command: { resume: { [i[0].id]: { decisions: [{ type: "approve" }] } } }, streamMode: ["updates", "values"] }));
  equal(last(on_, "values").messages.at(-1).content, "All done.", "answered by id");
  equal(await item("one"), { n: 1 }, "and done");
});

await scenario("new input instead of a decision", async () => {
  const { t, config } = await review("save one");
  const v = await client.runs.wait(t, "agent", { input: say("hello"), config });
  check(v.messages.at(-1).type === "ai" && v.__interrupt__ === undefined, "starts over", v);
  equal([await item("one"), await waiting(t)], [null, []], "the call was dropped, nothing waits");
});

finish();
