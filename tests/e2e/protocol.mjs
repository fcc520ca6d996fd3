// protocol.mjs - the thread protocol: commands and streams with the SDKs' ThreadStream
// and with plain requests; runs one after the other, tools, sub-agents, questions and
// answers, forks, what is replayed, and a server that is killed in between.
import { writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { Client as Client19 } from "sdk-1.9";
import { Client as Client115 } from "sdk-1.15";
import { call, check, equal, finish, oneNode, scenario, scratch, startMock, startServer, until } from "./lib.mjs";
import { agentFolder, hex32, matches } from "./core-lib.mjs";

const script = path.join(scratch(), "script.json");
writeFileSync(script, JSON.stringify({
  rules: [
    { match: { role: "tool" }, reply: "It is sunny." },
    { match: "weather", tool_calls: [{ name: "get_weather", args: { city: "Paris" } }] },
    { match: "long", reply: "word ".repeat(400).trim() },
    { match: "endless", reply: `${"w".repeat(220)} `.repeat(4000).trim() },
  ],
  default: { reply: "Hello you." },
}));
const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "0", "--script", script]);
const slowMock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "20", "--script", script]);
const agents = agentFolder(["", "transcripts"]);
const start = (more) => startServer({ mock, args: ["--agents", agents, "--shards", "2"], ...more });
let server = await start();
const uuid = () => crypto.randomUUID();
const say = (content, id = uuid()) => ({ messages: [{ type: "human", content, id }] });
const all = ["values", "updates", "messages", "tools", "lifecycle", "input", "checkpoints", "tasks", "custom"];
const rest = (method, target, body) => call(server, method, target, body);

// ---- plain requests -------------------------------------------------------------------

let commands = 0;
async function command(thread, method, params) {
  const id = ++commands, r = await rest("POST", `/threads/${thread}/commands`, { id, method, params });
  equal([r.status, r.json?.id], [200, id], `${method}: answered under its id`);
  return r.json;
}
async function ok(thread, method, params) {
  const r = await command(thread, method, params);
  check(r.type === "success" && r.meta.thread_id === thread && Number.isInteger(r.meta.applied_through_seq), `${method} succeeds`, r);
  return { ...r.result, applied: r.meta.applied_through_seq };
}

// A subscription: events as they come.
async function subscribe(thread, filter = {}, headers = {}) {
  const gone = new AbortController(), s = { events: [], text: "" };
  const res = await fetch(`${server.url}/threads/${thread}/stream/events`, { method: "POST", headers: { "content-type": "application/json", ...headers }, body: JSON.stringify({ channels: all, ...filter }), signal: gone.signal });
  equal([res.status, res.headers.get("content-type")], [200, "text/event-stream"], "a stream opens");
  s.done = (async () => {
    let rest = "";
    try {
      for await (const part of res.body) {
        s.text += Buffer.from(part).toString();
        rest += Buffer.from(part).toString();
        for (let end; (end = rest.indexOf("\n\n")) >= 0; rest = rest.slice(end + 2)) {
          const m = /^event: (.*)\ndata: (.*)\nid: (.*)$/.exec(rest.slice(0, end));
          if (m) { const e = JSON.parse(m[2]); check(e.method === m[1] && e.event_id === m[3], "a frame has its event's method and id", rest.slice(0, end)); s.events.push(e); }
          else check(/^: /.test(rest.slice(0, end)), "what is no event is a comment", rest.slice(0, end));
        }
      }
      s.end = "ended";
    } catch { s.end = "cut"; }
  })();
  s.close = async () => { gone.abort(); await s.done; };
  s.root = (event, run) => s.events.find((e) => e.method === "lifecycle" && e.params.namespace.length === 0 && e.params.data.event === event && (!run || e.event_id.startsWith(`synth:${run}:`)));
  s.until = (event, run) => until(() => s.root(event, run), `${event} of ${run}`);
  return s;
}
const of = (events, method) => events.filter((e) => e.method === method);
const kinds = (events) => events.map((e) => `${e.method}${e.params.data?.event ? `/${e.params.data.event}` : ""}`);
const runOf = (e) => /^synth:([0-9a-f-]{36}):(\d+)$/.exec(e.event_id)?.[1];
const isTerminal = (e) => e.method === "lifecycle" && e.params.namespace.length === 0 && ["completed", "failed", "interrupted"].includes(e.params.data.event);

// What is so of every stream.
function lawful(events, what) {
  let seq = -1, last = 0, created = 0, running;
  const ids = new Set();
  for (const [i, e] of events.entries()) {
    const at = `${what}: event ${i} ${e.method}`;
    if (e.seq <= seq) check(false, `${at}: seq rises`, [seq, e]);
    if (ids.has(e.event_id)) check(false, `${at}: an id comes once`, e);
    if (!e.event_id.endsWith(`-${e.seq}`) && !e.event_id.endsWith(`:${e.seq}`)) check(false, `${at}: its id ends with its seq`, e);
    if (!Array.isArray(e.params.namespace) || !Number.isInteger(e.params.timestamp)) check(false, `${at}: namespace and timestamp`, e);
    if (e.params.timestamp < last - 1000) check(false, `${at}: time does not go back`, [last, e]);
    if (e.method === "messages" && typeof e.params.data.message_id !== "string" && e.params.data.event !== "message-start") check(false, `${at}: names its message`, e);
    if (e.method === "lifecycle" && e.params.namespace.length === 0) {
      if (!runOf(e)) check(false, `${at}: names its run`, e);
      if (e.params.data.event === "running") { if (running) check(false, `${at}: the run before has ended`, e); running = runOf(e); }
      else { if (runOf(e) !== running) check(false, `${at}: ends the run that began`, [running, e]); running = undefined; }
    } else if (!running) check(false, `${at}: is of a run under way`, e);
    if (e.method === "values" && e.params.namespace.length === 0 && !(events[i - 1]?.method === "checkpoints" && events[i - 1].params.namespace.length === 0)) check(false, `${at}: its checkpoint comes right before`, events[i - 1]);
    seq = e.seq; last = e.params.timestamp; ids.add(e.event_id);
  }
  check(true, `${what}: lawful`);
}

// Message by message: start, blocks one after the other, finish.
function spoken(events, what) {
  const open = new Map(), out = [];
  for (const e of of(events, "messages")) {
    const d = e.params.data, key = JSON.stringify([e.params.namespace, e.params.node]);
    const m = open.get(key);
    if (d.event === "message-start") { if (m) check(false, `${what}: one message at a time`, e); open.set(key, { id: d.id, role: d.role, blocks: [], ns: e.params.namespace, node: e.params.node }); continue; }
    if (!m) { check(false, `${what}: ${d.event} of a message that has begun`, e); continue; }
    if (d.event === "content-block-start") m.blocks[d.index] = { ...d.content, open: true };
    else if (d.event === "content-block-delta") {
      const b = m.blocks[d.index];
      if (!b?.open) check(false, `${what}: a delta of a block that is open`, e);
      else if (d.delta.type === "text-delta") b.text += d.delta.text;
      else if (d.delta.type === "block-delta") Object.assign(b, d.delta.fields);
    } else if (d.event === "content-block-finish") { const b = m.blocks[d.index]; if (b?.text !== undefined && b.text !== d.content.text) check(false, `${what}: the pieces make the block`, [b, d]); m.blocks[d.index] = d.content; }
    else if (d.event === "message-finish") { open.delete(key); out.push({ ...m, finish: d }); }
  }
  equal(open.size, 0, `${what}: every message is finished`);
  return out;
}

await scenario("two turns on one stream", async () => {
  const t = uuid(), s = await subscribe(t);
  const one = await ok(t, "run.start", { assistant_id: "agent", input: say("hi", "h1") });
  equal(one.applied, 0, "before the first run there is nothing");
  await s.until("completed", one.run_id);
  const before = s.events.length, two = await ok(t, "run.start", { assistant_id: "agent", input: say("and again", "h2"), config: { configurable: { thread_id: t } } });
  await s.until("completed", two.run_id);
  lawful(s.events, "two turns");
  equal([runOf(s.events[0]), runOf(s.events[before])], [one.run_id, two.run_id], "running names its run");
  equal([kinds(s.events)[0], kinds(s.events)[before - 1], kinds(s.events)[before], kinds(s.events).at(-1)], ["lifecycle/running", "lifecycle/completed", "lifecycle/running", "lifecycle/completed"], "running first, its terminal last");
  check(two.applied >= s.events[before - 1].seq && two.applied < s.events[before].seq, "the second's position is between the two runs", [s.events[before - 1].seq, two.applied, s.events[before].seq]);
  const values = of(s.events, "values").at(-1).params.data.messages;
  equal(values.map((m) => m.type), ["human", "ai", "human", "ai"], "the whole state");
  equal([values[0].id, values[2].id], ["h1", "h2"], "the client's ids of messages stay");
  matches(values[1], { content: [{ type: "text", text: "Hello you." }], response_metadata: { output_version: "v1" } }, "a model's message is a list of blocks");
  const said = spoken(s.events, "two turns");
  equal(said.filter((m) => m.role === "ai").map((m) => [m.id, m.ns, m.node, m.blocks.map((b) => b.text).join("")]), [values[1], values[3]].map((m) => [m.id, [], "agent", "Hello you."]), "what was said is what is in the state");
  equal(of(s.events, "updates").map((e) => [e.params.node, e.params.data.messages.length]), [["agent", 1], ["agent", 1]], "updates of the node");
  const steps = of(s.events, "checkpoints").map((e) => e.params.data);
  check(steps.every((c, i) => i === 0 || steps[i - 1].step + 1 !== c.step || c.parent_id === steps[i - 1].id), "checkpoints name their parents", steps);
  const state = await ok(t, "state.get", { namespace: [] });
  equal([state.values.messages.map((m) => m.id), state.checkpoint.id, state.applied >= s.events.at(-1).seq], [values.map((m) => m.id), steps.at(-1).id, true], "state.get tells the same");
  equal(state.values, of(s.events, "values").at(-1).params.data, "in the form of the events");
  equal(Object.keys((await ok(t, "state.get", { keys: ["nothing"] })).values), [], "state.get of some keys");
  const list = (await ok(t, "state.listCheckpoints", { limit: 2 })).checkpoints;
  equal([list.length, list[0].id, list[0].step], [2, steps.at(-1).id, steps.at(-1).step], "state.listCheckpoints, newest first");
  matches(list[0], { timestamp: /^\d{4}-\d\d-\d\dT.*Z$/, metadata: { source: "loop", run_id: two.run_id } }, "with time and metadata");
  equal((await ok(t, "state.listCheckpoints", { limit: 1, before: list[0].id })).checkpoints.map((c) => c.id), [list[1].id], "and those before one");
  equal((await ok(t, "agent.getTree", {})).tree, { namespace: [], status: "completed", graph_name: "agent" }, "agent.getTree");
  equal((await ok(t, "agent.getTree", { run_id: one.run_id })).tree.status, "completed", "of a run before");
  // every reader hears the same
  const late = await subscribe(t);
  await late.until("completed", two.run_id);
  equal(late.events, s.events, "a late reader hears the same, number by number");
  await s.close(); await late.close();
});

await scenario("tools", async () => {
  const t = uuid(), s = await subscribe(t), r = await ok(t, "run.start", { assistant_id: "agent", input: say("the weather?") });
  await s.until("completed", r.run_id);
  lawful(s.events, "tools");
  const tools = of(s.events, "tools").map((e) => e.params.data);
  equal(tools.map((d) => [d.event, d.tool_name]), [["tool-started", "get_weather"], ["tool-finished", undefined]], "a tool starts and finishes");
  equal(new Set(tools.map((d) => d.tool_call_id)).size, 1, "under the id of its call");
  matches(tools[1].output, { type: "tool", content: "Sunny in Paris", status: "success" }, "its output is the message");
  equal(of(s.events, "tools").map((e) => [e.params.namespace, e.params.node]), [[[], "tools"], [[], "tools"]], "of the root's node");
  const [first] = spoken(s.events, "tools").filter((m) => m.role === "ai");
  matches(first.blocks, [{ type: "tool_call", id: tools[0].tool_call_id, name: "get_weather", args: { city: "Paris" } }], "the call is a block with its arguments");
  await s.close();
});

await scenario("sub-agents, and the filter", async () => {
  const t = uuid(), s = await subscribe(t), r = await ok(t, "run.start", { assistant_id: "nested_llm", input: say("hi") });
  await s.until("completed", r.run_id);
  lawful(s.events, "sub-agents");
  const ns = s.events.find((e) => e.params.namespace.length > 0)?.params.namespace;
  check(/^sub:[0-9a-f-]{36}$/.test(ns?.[0]), "a sub-agent has a namespace", ns);
  equal(s.events.filter((e) => e.method === "lifecycle" && e.params.namespace[0] === ns[0] && e.params.namespace.length === 1).map((e) => e.params.data.event), ["started", "completed"], "it starts and completes");
  equal(spoken(s.events, "sub-agents").filter((m) => m.role === "ai" && m.ns.length > 0).map((m) => m.ns[0]), [ns[0]], "its messages are its own");
  const tree = (await ok(t, "agent.getTree", {})).tree;
  matches(tree, { namespace: [], status: "completed", graph_name: "nested_llm", children: [{ namespace: [ns[0]], status: "completed" }] }, "agent.getTree");
  equal((await ok(t, "state.get", { namespace: ns.slice(0, 1) })).values.messages?.length > 0, true, "state.get of it");
  // each filter gives what the rules say, of the same tape
  const filters = [{ channels: ["lifecycle"] }, { channels: ["values", "custom:x"] }, { namespaces: [[]], depth: 0 }, { namespaces: [[]], depth: 1 }, { namespaces: [["sub"]] }, { namespaces: [[ns[0]]] }, { namespaces: [["sub:nope"], ["prep"]] },
    { namespaces: [["su"]] }, { namespaces: [["sub"]], depth: 0, channels: ["messages", "values"] }, { namespaces: [] }, { channels: ["input"] }, { depth: 0 }];
  const channelOf = (e) => e.method.startsWith("input.") ? "input" : e.method;
  const fits = (prefix, at) => prefix.every((p, i) => at[i] === p || (!p.includes(":") && at[i]?.split(":")[0] === p));
  for (const f of filters) {
    const want = s.events.filter((e) => (f.channels ?? all).includes(channelOf(e)) && (f.namespaces?.length ? f.namespaces : [[]]).some((p) => e.params.namespace.length >= p.length && fits(p, e.params.namespace) && (f.depth === undefined || e.params.namespace.length - p.length <= f.depth)));
    const got = await subscribe(t, f);
    await until(() => got.events.length >= want.length, `${JSON.stringify(f)}: ${want.length} events`);
    equal(got.events.map((e) => e.seq), want.map((e) => e.seq), `filter ${JSON.stringify(f)}`);
    await got.close();
  }
  await s.close();
});

const asked = async (t, more) => {
  const r = await ok(t, "run.start", { assistant_id: "hitl", input: say("go"), ...more });
  await until(async () => (await rest("GET", `/threads/${t}`)).json?.status === "interrupted", "the question");
  return { ...r, id: (await rest("GET", `/threads/${t}/state`)).json.tasks[0].interrupts[0].id };
};

await scenario("a question and its answer", async () => {
  const t = uuid(), s = await subscribe(t), r = await ok(t, "run.start", { assistant_id: "hitl", input: say("go") });
  await s.until("interrupted", r.run_id);
  const [req] = of(s.events, "input.requested"), want = { question: "approve?", options: ["yes", "no"] };
  matches(req.params, { namespace: [], data: { interrupt_id: hex32, payload: want, value: want } }, "input.requested, for both kinds of clients");
  check(s.events.indexOf(req) < s.events.indexOf(s.root("interrupted")), "before interrupted");
  const id = req.params.data.interrupt_id;
  equal((await ok(t, "agent.getTree", {})).tree.status, "interrupted", "agent.getTree");
  const answered = await ok(t, "input.respond", { namespace: [], interrupt_id: id, response: { answer: "yes" }, config: { configurable: { k: 1 } }, metadata: { from: "ui" } });
  equal(Object.keys(answered), ["applied"], "input.respond says nothing more");
  await s.until("completed");
  lawful(s.events, "a question");
  const run = runOf(s.root("completed"));
  check(run !== r.run_id, "another run answers");
  check(answered.applied >= req.seq && answered.applied < s.root("running", run).seq, "its position is behind the question, before the new run", [req.seq, answered.applied]);
  equal(of(s.events, "input.answered").map((e) => [e.params.namespace, e.params.data]), [[[], { interrupt_ids: [id] }]], "input.answered tells the others");
  equal(of(s.events, "values").at(-1).params.data.approved, { answer: "yes" }, "the answer counts");
  const row = (await rest("GET", `/threads/${t}/runs/${run}`)).json;
  equal([row.metadata.from, row.kwargs.config.configurable.k], ["ui", 1], "its config and metadata are the run's");
  matches(await command(t, "input.respond", { interrupt_id: id, response: 1 }), { type: "error", error: "invalid_argument" }, "there is nothing more to answer");
  await s.close();
});

await scenario("update and goto go with the answer", async () => {
  const t = uuid(), { id } = await asked(t), s = await subscribe(t, { since: 0 });
  await ok(t, "input.respond", { namespace: [], interrupt_id: id, response: "no", update: { note: "by the client" } });
  await s.until("completed");
  equal([of(s.events, "values").at(-1).params.data.note, of(s.events, "values").at(-1).params.data.approved], ["by the client", "no"], "update");
  await s.close();
});

await scenario("several answers at once, and run.start with an answer", async () => {
  const t = uuid(), { id } = await asked(t);
  await ok(t, "input.respond", { responses: [{ namespace: [], interrupt_id: id, response: "many" }] });
  await until(async () => (await rest("GET", `/threads/${t}`)).json.values?.approved === "many", "responses");
  const u = uuid();
  await asked(u);
  await ok(u, "run.start", { assistant_id: "hitl", input: { answer: "by run.start" } });
  await until(async () => (await rest("GET", `/threads/${u}`)).json.values?.approved !== undefined, "the end");
  equal((await rest("GET", `/threads/${u}`)).json.values.approved, { answer: "by run.start" }, "run.start's input answers the question that waits");
});

await scenario("two clients answer", async () => {
  for (let i = 0; i < 10; i++) {
    const t = uuid(), { id } = await asked(t);
    const got = await Promise.all(["a", "b", "c"].map((response) => command(t, "input.respond", { namespace: [], interrupt_id: id, response })));
    equal(got.map((r) => r.type).sort(), ["error", "error", "success"], `round ${i}: one is first`);
    for (const r of got.filter((x) => x.type === "error")) check(["no_such_interrupt", "invalid_argument"].includes(r.error), `round ${i}: the others hear that it is answered`, r);
    await until(async () => (await rest("GET", `/threads/${t}`)).json.status === "idle", "the end");
    equal((await rest("GET", `/threads/${t}/runs`)).json.length, 2, `round ${i}: one run was made`);
  }
});

await scenario("two clients say something while a question waits", async () => {
  for (let i = 0; i < 10; i++) {
    const t = uuid(), s = await subscribe(t, { channels: ["lifecycle"] });
    await asked(t);
    const got = await Promise.all(["a", "b"].map((w) => command(t, "run.start", { assistant_id: "hitl", input: say(w, w) })));
    equal(got.map((r) => r.type), ["success", "success"], `round ${i}: both are taken`);
    await until(() => s.events.filter(isTerminal).length === 3, "the runs");
    const values = (await rest("GET", `/threads/${t}`)).json.values, ids = values.messages.map((m) => m.id);
    check(["a", "b"].includes(values.approved?.messages?.[0].id) && ids.includes(values.approved.messages[0].id === "a" ? "b" : "a"), `round ${i}: one is the answer, the other is input`, values);
    await s.close();
  }
});

await scenario("strict resume", async () => {
  const t = uuid(), { id } = await asked(t), s = await subscribe(t, { channels: ["lifecycle", "input"] }), other = "0".repeat(32);
  await s.until("interrupted");
  await ok(t, "input.respond", { namespace: [], interrupt_id: other, response: 1, strict_resume: true });
  await s.until("failed");
  matches(s.root("failed").params.data, { error: String, reason: String, interrupt_ids: [other], pending_ids: [id] }, "failed says which wait");
  matches(await command(t, "input.respond", { namespace: [], interrupt_id: other, response: 1 }), { error: /^(no_such_interrupt|invalid_argument)$/ }, "without it the command is refused");
  await s.close();
});

await scenario("fork", async () => {
  const t = uuid(), one = await ok(t, "run.start", { assistant_id: "agent", input: say("hi", "h1") });
  await until(async () => (await rest("GET", `/threads/${t}`)).json.status === "idle", "the end");
  const at = (await ok(t, "state.listCheckpoints", {})).checkpoints.find((c) => c.step === 0).id;
  const s = await subscribe(t, { since: one.applied });
  const fork = await ok(t, "state.fork", { checkpoint_id: at });
  equal(fork.thread_id, t, "state.fork names the thread");
  await s.until("completed", fork.run_id);
  equal((await rest("GET", `/threads/${t}`)).json.values.messages.map((m) => m.type), ["human", "ai"], "it began at the checkpoint");
  const again = await ok(t, "run.start", { assistant_id: "agent", input: say("another", "h2"), config: { configurable: { checkpoint_id: at } } });
  await s.until("completed", again.run_id);
  equal((await rest("GET", `/threads/${t}`)).json.values.messages.map((m) => m.id).slice(0, 2), ["h1", "h2"], "run.start with config.configurable.checkpoint_id");
  lawful(s.events, "fork");
  await s.close();
});

await scenario("enqueue, interrupt, cancel, inject", async () => {
  const slow = await startServer({ mock: slowMock, args: ["--agents", agents, "--shards", "2"] }), was = server;
  server = slow;
  try {
    const t = uuid(), s = await subscribe(t);
    const runs = [];
    for (const w of ["long", "two", "three"]) runs.push((await ok(t, "run.start", { assistant_id: "agent", input: say(w), multitask_strategy: "enqueue", multitaskStrategy: "enqueue" })).run_id);
    await until(() => of(s.events, "messages").length > 20, "the first to speak");
    await ok(t, "input.inject", { namespace: [], message: { role: "user", content: "and more" } });
    for (const [params, words] of [[{}, "message"], [{ message: { role: "assistant", content: "x" } }, "message.role"], [{ message: "x", namespace: 5 }, "namespace"]]) {
      const r = await command(t, "input.inject", params);
      check(r.error === "invalid_argument" && r.message.includes(words), `input.inject ${JSON.stringify(params)}`, r);
    }
    matches(await command(t, "run.start", { assistant_id: "agent", input: say("no"), multitask_strategy: "reject" }), { type: "error", error: "invalid_argument" }, "reject");
    equal((await rest("POST", `/threads/${t}/runs/${runs[0]}/cancel?wait=1`)).status, 204, "the first is cancelled");
    for (const r of runs.slice(1)) await s.until("completed", r);
    equal(s.events.filter(isTerminal).map((e) => [runOf(e), e.params.data.event]), [[runs[0], "interrupted"], [runs[1], "completed"], [runs[2], "completed"]], "each ends, in order");
    lawful(s.events, "enqueue");
    spoken(s.events.filter((e) => e.seq > s.root("interrupted", runs[0]).seq), "those that ended");
    // a cancelled run leaves the thread interrupted, and no question
    const u = uuid(), v = await subscribe(u), long = await ok(u, "run.start", { assistant_id: "agent", input: say("long") });
    await until(() => of(v.events, "messages").length > 5, "it speaks");
    await rest("POST", `/threads/${u}/runs/${long.run_id}/cancel?wait=1`);
    const next = await ok(u, "run.start", { assistant_id: "agent", input: say("hi", "h9") });
    await v.until("completed", next.run_id);
    check(of(v.events, "values").at(-1).params.data.messages.some((m) => m.id === "h9"), "input after a cancelled run is input");
    // another takes its place
    const w = uuid(), x = await subscribe(w), old = await ok(w, "run.start", { assistant_id: "agent", input: say("long") });
    await until(() => of(x.events, "messages").length > 5, "it speaks");
    const fresh = await ok(w, "run.start", { assistant_id: "agent", input: say("hi"), multitask_strategy: "interrupt" });
    await x.until("completed", fresh.run_id);
    equal(x.events.filter(isTerminal).map(runOf), [old.run_id, fresh.run_id], "interrupt");
    lawful(x.events, "interrupt");
    for (const y of [s, v, x]) await y.close();
  } finally { server = was; await slow.stop(); }
});

await scenario("since and Last-Event-ID", async () => {
  const t = uuid();
  for (const w of ["one", "two"]) { await ok(t, "run.start", { assistant_id: "agent", input: say(w) }); await until(async () => (await rest("GET", `/threads/${t}`)).json.status === "idle", "the end"); }
  const whole = await subscribe(t);
  await until(() => whole.events.filter(isTerminal).length === 2, "all of it");
  const all = whole.events.map((e) => e.seq), beyond = all.at(-1) + 1e12;
  for (const i of [0, 5, all.length - 2]) {
    const e = whole.events[i];
    for (const [filter, headers, what] of [[{ since: e.seq }, {}, "since"], [{}, { "last-event-id": e.event_id }, "Last-Event-ID"], [{ since: e.seq }, { "last-event-id": whole.events[1].event_id }, "since wins"]]) {
      const s = await subscribe(t, filter, headers);
      await until(() => s.events.length >= all.length - i - 1, `${what} ${i}`);
      equal(s.events.map((x) => x.seq), all.slice(i + 1), `${what}: what is behind event ${i}`);
      await s.close();
    }
  }
  for (const [filter, headers, what] of [[{ since: beyond }, {}, "a since beyond the end"], [{}, { "last-event-id": "nonsense" }, "an id of another server"], [{ since: 0 }, {}, "since 0"]]) {
    const s = await subscribe(t, filter, headers);
    await until(() => s.events.length >= all.length, what);
    equal(s.events.map((x) => x.seq), all, `${what}: all of it`);
    await s.close();
  }
  await whole.close();
});

await scenario("runs of other interfaces are heard, too", async () => {
  const t = uuid(), s = await subscribe(t);
  const wait = await rest("POST", `/threads/${t}/runs/wait`, { assistant_id: "agent", input: say("hi"), if_not_exists: "create" });
  equal(wait.status, 200, "a run by REST");
  await s.until("completed");
  lawful(s.events, "a run by REST");
  check(spoken(s.events, "a run by REST").some((m) => m.role === "ai"), "with its messages");
  // one that nobody listened to has its short form
  const u = uuid();
  await rest("POST", `/threads/${u}/runs/wait`, { assistant_id: "agent", input: say("hi"), if_not_exists: "create" });
  const late = await subscribe(u);
  await late.until("completed");
  equal(kinds(late.events), ["lifecycle/running", "checkpoints", "values", "lifecycle/completed"], "a run without a log: its short form");
  lawful(late.events, "a short form");
  const again = await subscribe(u);
  await again.until("completed");
  equal(again.events.map((e) => [e.seq, e.event_id]), late.events.map((e) => [e.seq, e.event_id]), "the same again");
  for (const x of [s, late, again]) await x.close();
});

await scenario("as many streams as a thread may have", async () => {
  const t = uuid(), most = 2000, body = JSON.stringify({ channels: ["lifecycle"] }), sockets = [];
  const open = () => new Promise((resolve, reject) => {
    const socket = net.connect(server.port, "127.0.0.1");
    let text = "";
    sockets.push(socket);
    socket.on("data", (d) => { text += d; if (/\r\n\r\n/.test(text)) resolve(text); });
    socket.on("error", reject);
    socket.write(`POST /threads/${t}/stream/events HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  });
  for (let i = 0; i < most; i += 200) {
    const got = await Promise.all(Array.from({ length: 200 }, open));
    if (!got.every((x) => x.startsWith("HTTP/1.1 200 "))) check(false, `streams from ${i} on open`, got.find((x) => !x.startsWith("HTTP/1.1 200 ")));
  }
  const over = await open();
  check(over.startsWith("HTTP/1.1 429 ") && /retry-after: 1/i.test(over), "one more is 429", over);
  const tree = await rest("POST", `/threads/${t}/commands`, { id: 1, method: "agent.getTree", params: {} });
  equal([tree.status, tree.json.error, tree.headers.get("retry-after")], [429, "unknown_error", "1"], "so is a command that reads the thread's events");
  for (const x of sockets) x.destroy();
  await until(async () => { const s = await fetch(`${server.url}/threads/${t}/stream/events`, { method: "POST", body, signal: AbortSignal.timeout(2000) }); await s.body?.cancel(); return s.status === 200; }, "there is room again");
});

await scenario("a thread that is deleted", async () => {
  const t = uuid(), s = await subscribe(t);
  await ok(t, "run.start", { assistant_id: "agent", input: say("hi") });
  await s.until("completed");
  equal((await rest("DELETE", `/threads/${t}`)).status, 204, "it is deleted");
  await s.done;
  equal(s.end, "ended", "the stream ends");
});

const paced = await startServer({ mock: await startMock(["--delay-ms", "0", "--stream-delay-ms", "1", "--script", script]), args: ["--agents", agents, "--shards", "2"] });
// A client that reads nothing for a while: what it missed comes joined, and nothing else is missing.
await scenario("a slow reader", async () => {
  const was = server, t = uuid();
  server = paced;
  const fast = await subscribe(t, { channels: ["messages", "lifecycle", "values", "checkpoints"] });
  const body = JSON.stringify({ channels: ["messages", "lifecycle", "values", "checkpoints"] });
  const to = oneNode(server);                  // a proxy would read ahead
  const socket = net.connect(to.port, to.host ?? "127.0.0.1");
  let text = "";
  socket.on("data", (d) => { text += d.toString("latin1"); });
  socket.write(`POST /threads/${t}/stream/events HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  await until(() => text.includes("text/event-stream"), "its stream");
  socket.pause();
  const r = await ok(t, "run.start", { assistant_id: "agent", input: say("endless") });
  await fast.until("completed", r.run_id);
  socket.resume();
  await until(() => text.includes(`"event":"completed"`), "its end");
  socket.destroy();
  lawful(fast.events, "the fast one");
  const frames = text.replace(/\r\n[0-9a-f]+\r\n/g, "").split("\n\n").map((f) => /\ndata: (.*)\n/.exec(f)?.[1]).filter((f) => f).map((f) => { try { return JSON.parse(f); } catch { return undefined; } }).filter((f) => f);
  const said = (list) => list.filter((e) => e.params.data.event === "content-block-delta").map((e) => e.params.data.delta.text).join("");
  equal(said(of(frames, "messages")).length, 221 * 4000 - 1, "all that was said");
  check(said(of(frames, "messages")) === said(of(fast.events, "messages")), "as the fast one heard it");
  check(of(frames, "messages").length < of(fast.events, "messages").length / 2, "in fewer pieces", [of(frames, "messages").length, of(fast.events, "messages").length]);
  const whole = (list) => list.filter((e) => ["lifecycle", "values", "checkpoints"].includes(e.method)).map((e) => [e.seq, e.method]);
  equal(whole(frames), whole(fast.events), "and all else, number by number");
  await fast.close();
  server = was;
  await paced.stop();
});

await scenario("killed and started again", async () => {
  const dir = scratch(), was = server;
  server = await start({ dir });
  try {
    const t = uuid(), { id, run_id } = await asked(t), s = await subscribe(t);
    await s.until("interrupted", run_id);
    server.child.kill("SIGKILL");
    await server.exited;
    await s.done;
    equal(s.end, "cut", "its streams are cut");
    server = await start({ dir });
    const after = await subscribe(t);
    await after.until("interrupted", run_id);
    equal(after.events.map((e) => [e.seq, e.event_id]), s.events.map((e) => [e.seq, e.event_id]), "the same events, under the same numbers");
    const last = s.events.at(-1).seq;
    const resumed = await ok(t, "input.respond", { namespace: [], interrupt_id: id, response: "after" });
    check(resumed.applied >= last, "the position is not behind what was there", [last, resumed.applied]);
    await after.until("completed");
    check(after.events.slice(s.events.length).every((e) => e.seq > last), "numbers go on");
    lawful(after.events, "killed");
    await after.close();
    // an orderly stop cuts, too: clients come back
    const stopping = await subscribe(t);
    await server.stop();
    await stopping.done;
    equal(stopping.end, "cut", "a server that stops cuts its streams");
  } finally { await server.stop(); server = was; }
});

// ---- the SDKs ---------------------------------------------------------------------------

for (const [version, Client] of [["1.9.31", Client19], ["1.15.0", Client115]]) {
  const client = new Client({ apiUrl: server.url, callerOptions: { maxRetries: 0 } }), at = (what) => `sdk ${version}: ${what}`;
  const stream = (assistantId, id) => id ? client.threads.stream(id, { assistantId }) : client.threads.stream({ assistantId });

  await scenario(at("messages and values"), async () => {
    const s = stream("agent"), words = [];
    const reading = (async () => { for await (const m of s.messages) words.push(await m.text); })();
    await s.run.start({ input: say("hi", "h1") });
    const out = await s.output;
    await reading;
    equal(out.messages.map((m) => m.getType?.() ?? m.type), ["human", "ai"], at("output"));
    equal(words.filter((w) => w === "Hello you.").length, 1, at("messages"));
    const tree = await s.agent.getTree();
    equal(tree.tree.graph_name, "agent", at("agent.getTree"));
    const state = await s.state.get({ namespace: [] });
    equal(state.values.messages.length, 2, at("state.get"));
    const { checkpoints } = await s.state.listCheckpoints({});
    check(checkpoints.length >= 2, at("state.listCheckpoints"), checkpoints);
    const forked = await s.state.fork({ checkpoint_id: checkpoints.find((c) => c.step === 0).id });
    await client.runs.join(s.threadId, forked.run_id);
    await s.close();
  });

  await scenario(at("tools and sub-agents"), async () => {
    const s = stream("agent"), calls = [];
    const reading = (async () => { for await (const c of s.toolCalls) calls.push([c.name, await c.output]); })();
    await s.run.start({ input: say("the weather?") });
    await s.output;
    await reading;
    // the SDK gives a call when it starts and when it has finished
    equal([...new Set(calls.map((c) => JSON.stringify(c)))], [JSON.stringify(["get_weather", "Sunny in Paris"])], at("toolCalls"));
    await s.close();
    const n = stream("nested_llm"), names = [];
    const finding = (async () => { for await (const g of n.subgraphs) names.push(g.name ?? g.namespace?.[0]); })();
    await n.run.start({ input: say("hi") });
    await n.output;
    await finding;
    check(names.some((x) => /^sub/.test(x)), at("subgraphs"), names);
    await n.close();
  });

  await scenario(at("a question"), async () => {
    const s = stream("hitl");
    await s.run.start({ input: say("go") });
    await s.output;
    equal([s.interrupted, s.interrupts.length], [true, 1], at("interrupted"));
    equal(s.interrupts[0].payload, { question: "approve?", options: ["yes", "no"] }, at("the question"));
    // another client of the same thread answers
    const other = stream("hitl", s.threadId);
    await other.input.respond({ namespace: s.interrupts[0].namespace, interrupt_id: s.interrupts[0].interruptId, response: "sdk" });
    await until(async () => (await client.threads.get(s.threadId)).status === "idle", "the end");
    equal((await client.threads.getState(s.threadId)).values.approved, "sdk", at("input.respond"));
    await other.input.respond({ namespace: [], interrupt_id: "0".repeat(32), response: 1 }).then(() => check(false, at("there is nothing to answer")),
      (e) => equal([e.name, e.code], ["ProtocolError", "invalid_argument"], at("there is nothing to answer")));
    await s.close(); await other.close();
  });

  await scenario(at("raw subscriptions, two turns"), async () => {
    const s = stream("agent"), sub = await s.subscribe(["lifecycle", "messages"]), got = [];
    for (const w of ["one", "two"]) {
      await s.run.start({ input: say(w) });
      for await (const e of sub) got.push(e);
    }
    equal(got.filter(isTerminal).map((e) => e.params.data.event), ["completed", "completed"], at("both turns on one subscription"));
    await s.close();
  });
}
await server.stop();
finish();
