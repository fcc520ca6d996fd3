// sdk.mjs - the official LangGraph SDK, unmodified, against a real server with
// a real (mock) model behind it: `node sdk.mjs [SHARDS]`.
import { Client as Client19 } from "sdk-1.9";
import { Client as Client115 } from "sdk-1.15";
import { Client as Client20 } from "sdk-2.0";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { check, equal, finish, scenario, scratch, startMock, startServer, until } from "./lib.mjs";

const shards = process.argv[2] ?? "2";
const script = path.join(scratch(), "script.json");
writeFileSync(script, JSON.stringify({ rules: [
  { match: "remember", tool_calls: [{ name: "store_put", args: { namespace: ["asked"], key: "k", value: { n: 1 } } }] },
  { match: { role: "tool" }, reply: "Remembered." },
] }));
const mock = await startMock(["--delay-ms", "1", "--stream-delay-ms", "1", "--script", script]);
const server = await startServer({ mock, args: ["--shards", shards] });
const hi = { messages: [{ role: "user", content: "hi" }] };
const sentence = (await (await fetch(`${mock.url}/v1/chat/completions`, {
  method: "POST", headers: { "content-type": "application/json" },
  body: JSON.stringify({ model: "m", messages: [{ role: "user", content: "x" }] }),
})).json()).choices[0].message.content;

// The event `end` is taken off and kept: .end is its data.
async function collect(stream) {
  const out = [];
  for await (const c of stream) out.push(c);
  if (out.at(-1)?.event === "end") out.end = out.pop().data;
  return out;
}

async function drive(name, Client) {
  const client = new Client({ apiUrl: server.url, callerOptions: { maxRetries: 0 } });
  const at = (s) => `sdk ${name}, ${shards} shards: ${s}`;
  let assistant, thread;

  await scenario(at("assistants"), async () => {
    assistant = await client.assistants.create({ graphId: "agent", name: "Bot", metadata: { team: "a" } });
    equal([assistant.graph_id, assistant.name, assistant.version, assistant.metadata], ["agent", "Bot", 1, { team: "a" }], at("assistant is created"));
    equal((await client.assistants.get(assistant.assistant_id)).assistant_id, assistant.assistant_id, at("and read"));
    const updated = await client.assistants.update(assistant.assistant_id, { name: "Bot 2", metadata: { x: 1 } });
    equal([updated.version, updated.name, updated.metadata], [2, "Bot 2", { team: "a", x: 1 }], at("update makes version 2, metadata merges"));
    equal((await client.assistants.get("agent")).assistant_id, "fe096781-5601-53d2-b2f6-0d3403f7e9ca", at("the graph id is an assistant"));
    await client.assistants.get("22222222-2222-4222-8222-222222222222").then(
      () => check(false, at("unknown assistant")),
      (e) => check(e.status === 404 && /Assistant not found/.test(e.message), at("unknown assistant is 404"), e.message));
  });

  await scenario(at("threads"), async () => {
    thread = await client.threads.create({ metadata: { a: 1 } });
    const got = await client.threads.get(thread.thread_id);
    equal([got.status, got.metadata], ["idle", { a: 1 }], at("thread is created"));
    equal((await client.threads.getState(thread.thread_id)).next, [], at("state of a new thread"));
    equal(await client.threads.getHistory(thread.thread_id), [], at("history of a new thread"));
  });

  await scenario(at("runs.wait"), async () => {
    const values = await client.runs.wait(thread.thread_id, assistant.assistant_id, { input: hi });
    equal(values.messages.map((m) => [m.type, m.content]), [["human", "hi"], ["ai", sentence]], at("wait gives the last values"));
    const state = await client.threads.getState(thread.thread_id);
    equal([state.next, state.values.messages.length, state.metadata.step], [[], 2, 1], at("state after the run"));
    const history = await client.threads.getHistory(thread.thread_id);
    equal(history.map((h) => [h.metadata.step, h.next, h.values.messages?.length ?? 0]),
      [[1, [], 2], [0, ["agent"], 1], [-1, ["__start__"], 0]], at("history has input, loop, loop"));
    check(history[0].parent_checkpoint.checkpoint_id === history[1].checkpoint.checkpoint_id, at("parents chain"));
    const stateless = await client.runs.wait(null, "agent", { input: hi });
    equal(stateless.messages.at(-1).content, sentence, at("stateless wait"));
  });

  for (const mode of ["values", "updates", "messages-tuple", "messages"]) {
    await scenario(at(`stream ${mode}`), async () => {
      const t = await client.threads.create();
      let created;
      const chunks = await collect(client.runs.stream(t.thread_id, "agent", {
        input: hi, streamMode: mode, onRunCreated: (r) => { created = r; } }));
      equal([chunks[0].event, chunks[0].data.attempt], ["metadata", 1], at(`${mode}: metadata first`));
      equal([created?.run_id, created?.thread_id], [chunks[0].data.run_id, t.thread_id], at(`${mode}: onRunCreated`));
      equal(chunks.end, { run_id: created?.run_id, status: "success" }, at(`${mode}: end last, with the status`));
      const rest = chunks.slice(1);
      if (mode === "values") equal(rest.map((c) => [c.event, c.data.messages.length]), [["values", 1], ["values", 2]], at("values"));
      if (mode === "updates") equal(rest.map((c) => [c.event, Object.keys(c.data)]), [["updates", ["agent"]]], at("updates"));
      if (mode === "messages-tuple") {
        check(rest.every((c) => c.event === "messages"), at("tuple events are named messages"));
        equal(rest.map((c) => c.data[0].content).join(""), sentence, at("deltas add up to the answer"));
        check(new Set(rest.map((c) => c.data[0].id)).size === 1, at("one id for all deltas"));
        equal(rest[0].data[1].langgraph_node, "agent", at("metadata names the node"));
        const state = await client.threads.getState(t.thread_id);
        equal(state.values.messages[1].id, rest[0].data[0].id, at("and the message in the state has it"));
      }
      if (mode === "messages") {
        equal(rest[0].event, "messages/complete", at("the input first"));
        equal(rest.at(-1).event, "messages/complete", at("the whole message last"));
        equal(rest.at(-1).data[0].content, sentence, at("whole"));
      }
    });
  }

  await scenario(at("several modes and stateless"), async () => {
    const chunks = await collect(client.runs.stream(null, "agent", { input: hi, streamMode: ["values", "updates", "messages-tuple"] }));
    const names = new Set(chunks.map((c) => c.event));
    equal([...names].sort(), ["messages", "metadata", "updates", "values"], at("three modes in one stateless stream"));
  });

  await scenario(at("create, list, get, join"), async () => {
    const t = await client.threads.create();
    const run = await client.runs.create(t.thread_id, "agent", { input: hi, metadata: { m: 1 } });
    check(["pending", "running"].includes(run.status), at("a background run starts pending"), run);
    const joined = await client.runs.join(t.thread_id, run.run_id);
    equal(joined.messages.at(-1).content, sentence, at("join waits for the values"));
    const got = await client.runs.get(t.thread_id, run.run_id);
    equal([got.status, got.metadata.m], ["success", 1], at("run get"));
    equal((await client.runs.list(t.thread_id)).map((r) => r.run_id), [run.run_id], at("run list"));
  });

  await scenario(at("joinStream after a cut connection"), async () => {
    const t = await client.threads.create();
    const abort = new AbortController();
    const seen = [];
    let runId;
    try {
      for await (const c of client.runs.stream(t.thread_id, "agent", {
        input: hi, streamMode: "messages-tuple", streamResumable: true, onDisconnect: "continue", signal: abort.signal,
        onRunCreated: (r) => { runId = r.run_id; } })) {
        seen.push(c);
        if (seen.length === 5) abort.abort();
      }
    } catch (e) { if (!abort.signal.aborted) throw e; }
    const rest = await collect(client.runs.joinStream(t.thread_id, runId, { lastEventId: seen[4].id, streamMode: ["messages-tuple"] }));
    const ids = [...seen.slice(0, 5), ...rest].map((c) => Number(c.id));
    equal(ids, [...ids.keys()], at("ids go on without a gap or a repeat"));
    equal([...seen.slice(1, 5), ...rest].filter((c) => c.event === "messages").map((c) => c.data[0].content).join(""), sentence, at("nothing is lost"));
    const again = await collect(client.runs.joinStream(t.thread_id, runId, { lastEventId: "-1" }));
    equal([again.length, again.end?.status], [ids.length, "success"], at("a finished resumable run replays whole from -1"));
    const failed = await collect(client.runs.joinStream(t.thread_id, "33333333-3333-4333-8333-333333333333"));
    check(failed.length === 1 && failed[0].event === "error" && /404/.test(failed[0].data.message), at("joining a run that is not there is one error event"), failed);
  });

  await scenario(at("cancel"), async () => {
    const t = await client.threads.create();
    const run = await client.runs.create(t.thread_id, "agent", { input: { messages: [{ role: "user", content: "mock:stall" }] } });
    await until(async () => (await client.runs.get(t.thread_id, run.run_id)).status === "running", "the run to run");
    await client.runs.cancel(t.thread_id, run.run_id, true);
    equal((await client.runs.get(t.thread_id, run.run_id)).status, "interrupted", at("a cancelled run is interrupted"));
    equal((await client.threads.get(t.thread_id)).status, "idle", at("and its thread idle"));
    const values = await client.runs.wait(t.thread_id, "agent", { input: hi });
    equal(values.messages.at(-1).content, sentence, at("and usable"));
  });

  await scenario(at("queue: enqueue and reject"), async () => {
    const t = await client.threads.create();
    const first = await client.runs.create(t.thread_id, "agent", { input: { messages: [{ role: "user", content: "mock:stall" }] } });
    const second = await client.runs.create(t.thread_id, "agent", { input: hi, multitaskStrategy: "enqueue" });
    equal(second.status, "pending", at("the second waits"));
    await client.runs.create(t.thread_id, "agent", { input: hi, multitaskStrategy: "reject" }).then(
      () => check(false, at("reject")),
      (e) => check(e.status === 409 && /already running a task/.test(e.message), at("reject is 409"), e.message));
    await until(async () => (await client.runs.get(t.thread_id, first.run_id)).status === "running", "the first to run");
    await client.runs.cancel(t.thread_id, first.run_id, true);
    await client.runs.join(t.thread_id, second.run_id);
    equal((await client.runs.get(t.thread_id, second.run_id)).status, "success", at("the second ran after the first"));
  });

  await scenario(at("a failing model"), async () => {
    const t = await client.threads.create();
    const chunks = await collect(client.runs.stream(t.thread_id, "agent", { input: { messages: [{ role: "user", content: "mock:400" }] }, streamMode: "values" }));
    equal([chunks.at(-1).event, chunks.end], ["error", undefined], at("the error event is last, without an end"));
    equal((await client.threads.get(t.thread_id)).status, "error", at("the thread is in error"));
    await client.runs.wait(t.thread_id, "agent", { input: { messages: [{ role: "user", content: "mock:400" }] } }).then(
      () => check(false, at("wait throws")),
      (e) => check(/BadRequest/.test(e.message), at("wait throws what the model said"), e.message));
  });

  await scenario(at("store"), async () => {
    const ns = ["users", `u-${name}-${shards}`.replaceAll(".", "_")];
    await client.store.putItem(ns, "prefs", { theme: "dark", n: 1 });
    const item = await client.store.getItem(ns, "prefs");
    equal([item.namespace, item.key, item.value], [ns, "prefs", { theme: "dark", n: 1 }], at("put and get"));
    equal(await client.store.getItem(ns, "nope"), null, at("a missing item is null"));
    equal((await client.store.searchItems(ns, { filter: { n: { $gte: 1 } } })).items.length, 1, at("search with a filter"));
    equal((await client.store.searchItems(ns, { filter: { theme: "light" } })).items.length, 0, at("that finds nothing"));
    await client.store.deleteItem(ns, "prefs");
    equal(await client.store.getItem(ns, "prefs"), null, at("deleted"));
  });

  await scenario(at("breakpoints"), async () => {
    const t = await client.threads.create();
    const before = await client.runs.wait(t.thread_id, "agent", { input: hi, interruptBefore: ["agent"] });
    equal(before.messages.map((m) => m.type), ["human"], at("a run stops before its node"));
    let state = await client.threads.getState(t.thread_id);
    equal([state.next, state.tasks.map((k) => [k.name, k.interrupts])], [["agent"], [["agent", []]]], at("which is next"));
    equal((await client.threads.get(t.thread_id)).status, "interrupted", at("the thread waits"));
    const after = await client.runs.wait(t.thread_id, "agent", { input: null });
    equal(after.messages.at(-1).content, sentence, at("without input it goes on"));
    const chunks = await collect(client.runs.stream(t.thread_id, "agent", { input: hi, interruptAfter: ["agent"], streamMode: "updates" }));
    equal([chunks.map((c) => c.event).slice(1), chunks[1] && Object.keys(chunks[1].data)], [["updates", "updates"], ["agent"]], at("a run stops after its node"));
    equal(chunks.at(-1).data, { __interrupt__: [] }, at("and says so"));
  });

  await scenario(at("a person is asked"), async () => {
    const t = await client.threads.create(), config = { configurable: { interrupt_on: { store_put: true } } };
    const ask = await client.runs.wait(t.thread_id, "agent", { input: { messages: [{ role: "user", content: "remember" }] }, config });
    equal([ask.__interrupt__.length, ask.__interrupt__[0].value.action_requests[0].name], [1, "store_put"], at("wait gives the request"));
    const [task] = (await client.threads.getState(t.thread_id)).tasks;
    equal([task.name, task.interrupts[0].id], ["tools", ask.__interrupt__[0].id], at("and the state"));
    equal(Object.values((await client.threads.get(t.thread_id)).interrupts).flat()[0].id, task.interrupts[0].id, at("and the thread"));
    equal(await client.store.getItem(["asked"], "k"), null, at("nothing is done before the answer"));
    const done = await client.runs.wait(t.thread_id, "agent", { command: { resume: { decisions: [{ type: "approve" }] } }, config });
    equal(done.messages.at(-1).content, "Remembered.", at("the answer lets it go on"));
    equal((await client.store.getItem(["asked"], "k")).value, { n: 1 }, at("to do what was allowed"));
    equal((await client.threads.get(t.thread_id)).status, "idle", at("and nobody is asked any more"));
    await client.store.deleteItem(["asked"], "k");
  });

  // covers: client.threads.updateState client.threads.getState
  await scenario(at("states: update, at a checkpoint, copy"), async () => {
    const t = (await client.threads.create()).thread_id;
    await client.runs.wait(t, "agent", { input: hi });
    const [last, asked] = await client.threads.getHistory(t);
    const told = await client.threads.updateState(t, { values: { messages: [{ type: "ai", content: "edited", id: last.values.messages[1].id }] }, asNode: "agent" });
    equal([told.checkpoint.thread_id, told.checkpoint.checkpoint_ns], [t, ""], at("updateState gives the new checkpoint"));
    let state = await client.threads.getState(t);
    equal([state.checkpoint.checkpoint_id, state.values.messages.map((m) => m.content), state.metadata.source, state.next],
      [told.checkpoint.checkpoint_id, ["hi", "edited"], "update", []], at("which is the state"));
    equal((await client.threads.getHistory(t, { metadata: { source: "update" } })).map((h) => h.checkpoint.checkpoint_id), [told.checkpoint.checkpoint_id], at("found by its metadata"));
    equal((await client.threads.getState(t, last.checkpoint.checkpoint_id)).values.messages[1].content, sentence, at("the state before, by id"));
    equal((await client.threads.getState(t, last.checkpoint)).values.messages[1].content, sentence, at("and by checkpoint"));
    const copy = await client.threads.copy(t);
    check(copy.thread_id !== t, at("a copy is a thread of its own"));
    equal((await client.threads.getState(copy.thread_id)).values, state.values, at("with the same state"));
    equal((await client.threads.getHistory(copy.thread_id)).length, 4, at("and history"));
    // The model is asked again: from the state before its answer.
    const again = await client.runs.wait(t, "agent", { input: null, checkpointId: asked.checkpoint.checkpoint_id });
    equal(again.messages.map((m) => m.content), ["hi", sentence], at("a run from an old state"));
    state = await client.threads.getState(t);
    equal(state.values.messages.map((m) => m.content), ["hi", sentence], at("is the thread's newest"));
    equal((await client.threads.getState(copy.thread_id)).values.messages[1].content, "edited", at("and not the copy's"));
    await client.threads.updateState(t, { values: {}, asNode: "nobody" }).then(() => check(false, at("as_node nobody")),
      (e) => check([400, 422].includes(e.status) && /nobody/.test(e.message), at("an unknown node is refused by name"), e.message));
  });

  await scenario(at("a thread that is made with a history"), async () => {
    const t = await client.threads.create({ graphId: "agent", supersteps: [
      { updates: [{ values: { messages: [{ type: "human", content: "old" }] }, asNode: "__start__" }] },
      { updates: [{ values: { messages: [{ type: "ai", content: "answer" }] }, asNode: "agent" }] }] });
    equal((await client.threads.getState(t.thread_id)).values.messages.map((m) => m.content), ["old", "answer"], at("has it"));
    const more = await client.runs.wait(t.thread_id, "agent", { input: hi });
    equal(more.messages.map((m) => m.content), ["old", "answer", "hi", sentence], at("and goes on"));
  });

  await scenario(at("multitask interrupt and rollback, cancel rollback"), async () => {
    const stall = { messages: [{ role: "user", content: "mock:stall" }] };
    for (const multitaskStrategy of ["interrupt", "rollback"]) {
      const t = (await client.threads.create()).thread_id;
      const first = await client.runs.create(t, "agent", { input: stall });
      await until(async () => (await client.runs.get(t, first.run_id)).status === "running", "the first to run");
      const values = await client.runs.wait(t, "agent", { input: hi, multitaskStrategy });
      equal(values.messages.map((m) => m.content), multitaskStrategy === "interrupt" ? ["mock:stall", "hi", sentence] : ["hi", sentence], at(`${multitaskStrategy}: the second runs at once`));
      const status = await client.runs.get(t, first.run_id).then((r) => r.status, (e) => e.status);
      equal(status, multitaskStrategy === "interrupt" ? "interrupted" : 404, at(`${multitaskStrategy}: what became of the first`));
    }
    const t = (await client.threads.create()).thread_id;
    const run = await client.runs.create(t, "agent", { input: stall });
    await until(async () => (await client.runs.get(t, run.run_id)).status === "running", "the run to run");
    await client.runs.cancel(t, run.run_id, true, "rollback");
    equal([(await client.threads.getState(t)).values, await client.threads.getHistory(t)], [{}, []], at("a cancel with rollback leaves nothing"));
  });

  await scenario(at("what an assistant is"), async () => {
    const g = await client.assistants.getGraph("agent");
    equal(g.nodes.map((n) => n.id).sort(), ["__end__", "__start__", "agent", "tools"], at("its nodes"));
    check(g.edges.some((e) => e.source === "agent" && e.target === "tools" && e.conditional), at("and edges"), g.edges);
    const schemas = await client.assistants.getSchemas("agent");
    equal([schemas.graph_id, schemas.input_schema.properties.messages !== undefined, schemas.state_schema.properties.messages !== undefined], ["agent", true, true], at("its schemas"));
    equal(await client.assistants.getSubgraphs("agent"), {}, at("it has no sub-agents"));
  });

  // With the SDK's own retries: what is refused is asked once.
  await scenario(at("search, count, update, delete of a run"), async () => {
    const tag = `${name}-${shards}`, made = [];
    for (let i = 0; i < 3; i++) made.push((await client.threads.create({ metadata: { tag, n: { i }, list: ["x", i] } })).thread_id);
    const ids = async (q) => (await client.threads.search(q)).map((t) => t.thread_id);
    equal(await ids({ metadata: { tag } }), [...made].reverse(), at("threads by metadata, newest first"));
    equal(await ids({ metadata: { tag, n: { i: 1 } } }), [made[1]], at("containment goes down"));
    equal(await ids({ metadata: { tag, list: [2] } }), [made[2]], at("and into arrays"));
    equal(await ids({ metadata: { tag }, limit: 1, offset: 1 }), [made[1]], at("limit and offset"));
    equal(await ids({ metadata: { tag }, sortBy: "created_at", sortOrder: "asc" }), made, at("sortBy and sortOrder"));
    equal(await ids({ metadata: { tag: "nobody's" } }), [], at("nothing"));
    equal(await client.threads.count({ metadata: { tag } }), 3, at("threads are counted"));
    const wait = await client.runs.wait(made[1], "agent", { input: hi });
    equal(wait.messages.length, 2, at("a run"));
    const idle = await client.threads.search({ metadata: { tag }, status: "idle", sortBy: "updated_at" });
    equal([idle.length, idle[0].thread_id, idle[0].values?.messages.length, idle[1].values], [3, made[1], 2, undefined], at("by status, changed last first, with values"));
    equal((await client.threads.search({ metadata: { tag }, status: "busy" })).length, 0, at("none is busy"));
    const few = await client.threads.search({ ids: made.slice(0, 2), select: ["thread_id", "status"] });
    equal(few.map((t) => Object.keys(t).sort()), [["status", "thread_id"], ["status", "thread_id"]], at("ids and select"));
    const changed = await client.threads.update(made[0], { metadata: { n: "new", more: 1 } });
    equal([changed.metadata, changed.status], [{ tag, n: "new", list: ["x", 0], more: 1 }, "idle"], at("update merges metadata"));
    equal(await ids({ metadata: { tag, more: 1 } }), [made[0]], at("and it is found by it"));
    equal(await ids({ metadata: { tag, n: { i: 0 } } }), [], at("not by what it was"));
    await client.threads.update("22222222-2222-4222-8222-222222222222", { metadata: {} }).then(
      () => check(false, at("update of no thread")), (e) => equal(e.status, 404, at("update of no thread is 404")));
    const run = (await client.runs.list(made[1]))[0];
    await client.runs.delete(made[1], run.run_id);
    equal((await client.runs.list(made[1])).length, 0, at("the run is gone"));
    await client.runs.get(made[1], run.run_id).then(() => check(false, at("a deleted run")), (e) => equal(e.status, 404, at("a deleted run is 404")));
    equal((await client.threads.getState(made[1])).values, {}, at("with what it left"));
    const bots = await client.assistants.search({ graphId: "agent", metadata: { team: "a", x: 1 }, limit: 100 });
    check(bots.some((b) => b.assistant_id === assistant.assistant_id) && bots.every((b) => b.metadata.x === 1), at("assistants by graph and metadata"), bots);
    check((await client.assistants.search({ limit: 1000 })).some((b) => b.metadata.created_by === "system"), at("the system's is among them"));
    check(await client.assistants.count({ graphId: "agent" }) >= 2, at("assistants are counted"));
    const page = await client.assistants.search({ limit: 1, includePagination: true, sortBy: "name", name: "bot" });
    equal([page.assistants.length, page.next === null || page.next === "1"], [1, true], at("a page of assistants and where the next begins"));
  });

  // covers: client.threads.stream
  if (client.threads.stream !== undefined) await scenario(at("the thread protocol"), async () => {
    const stream = client.threads.stream({ assistantId: "agent" });
    const { run_id } = await stream.run.start({ input: hi });
    equal((await client.runs.get(stream.threadId, run_id)).run_id, run_id, at("run.start over threads.stream"));
    await client.runs.join(stream.threadId, run_id);
    await stream.close();
  });

  await scenario(at("what is not here"), async () => {
    const retrying = new Client({ apiUrl: server.url }), began = performance.now();
    await retrying["~ui"].getComponent("agent", "x").then(() => check(false, at("ui is refused")),
      (e) => check(e.status === 404 && e.message.includes("ui is not supported yet"), at("ui is refused by name"), e.message));
    check(performance.now() - began < 10000, at("it is not tried again, which takes 19 s"), performance.now() - began);
  });

  await scenario(at("delete"), async () => {
    await client.threads.delete(thread.thread_id);
    await client.threads.get(thread.thread_id).then(
      () => check(false, at("thread is gone")),
      (e) => equal(e.status, 404, at("thread is gone")));
    await client.assistants.delete(assistant.assistant_id);
    await client.assistants.get(assistant.assistant_id).then(
      () => check(false, at("assistant is gone")),
      (e) => equal(e.status, 404, at("assistant is gone")));
  });
}

await drive("1.9.31", Client19);
await drive("1.15.0", Client115);
await drive("2.0.0", Client20);

// Durability as a client sees it: everything is there after kill -9.
await scenario("after kill -9", async () => {
  const client = new Client20({ apiUrl: server.url, callerOptions: { maxRetries: 0 } });
  const t = await client.threads.create({ metadata: { kept: true } });
  await client.runs.wait(t.thread_id, "agent", { input: hi });
  await client.store.putItem(["kept"], "k", { v: 1 });
  const before = await client.threads.getHistory(t.thread_id);
  await server.stop("SIGKILL");
  const again = await startServer({ mock, dir: server.dir, port: server.port, args: ["--shards", shards] });
  equal(await client.threads.getHistory(t.thread_id), before, "the history is the same");
  equal((await client.store.getItem(["kept"], "k")).value, { v: 1 }, "the store item is there");
  const more = await client.runs.wait(t.thread_id, "agent", { input: hi });
  equal(more.messages.length, 4, "and the thread goes on");
  await again.stop();
});

finish();
