// agents.mjs - the agents of tests/agents through the official SDK: what the
// official suites of the agent server assert of theirs, and what is ours.
import { check, equal, finish, scenario, until } from "./lib.mjs";
import { clientOf, collect, ended, events, hex32, json, langgraph, last, matches, reference, refused, startCore, startMock, texts, uuid4 } from "./core-lib.mjs";

const mock = reference ? undefined : await startMock(["--delay-ms", "0", "--stream-delay-ms", "0"]);
const server = await startCore({ mock });
const client = clientOf(server);
const config = { configurable: { user_id: "123" } };
const human = (content, more = {}) => ({ messages: [{ type: "human", content, id: "initial-message" }], ...more });
const newThread = async (more) => (await client.threads.create(more)).thread_id;
const statusOf = async (t) => (await client.threads.get(t)).status;
const run = async (t, agent, payload) => collect(client.runs.stream(t, agent, payload));
const noError = (chunks, what) => check(!chunks.some((c) => c.event === "error"), `${what}: no error`, chunks.at(-1));

// ---- the agent: begin, tool, end -------------------------------------------

await scenario("history", async () => {
  const t = await newThread();
  equal(await client.threads.getHistory(t), [], "no history before the first run");
  await client.runs.wait(t, "agent", { input: human("foo"), config });
  const h = await client.threads.getHistory(t);
  equal(h.length, 5, "a run of three steps has five states");
  equal([h[0].values.messages.length, h[0].next, h[4].next], [4, [], ["__start__"]], "newest first, from the start");
  equal(h.map((s) => s.metadata.step), [3, 2, 1, 0, -1], "steps of the history");
  equal(h.map((s) => s.next), [[], ["agent"], ["tool"], ["agent"], ["__start__"]], "what comes next in each");
  equal(h.map((s) => s.metadata.source), ["loop", "loop", "loop", "loop", "input"], "sources");
  check(h.every((s, i) => i === 4 ? s.parent_checkpoint === null : s.parent_checkpoint.checkpoint_id === h[i + 1].checkpoint.checkpoint_id), "parents chain", h.map((s) => s.parent_checkpoint));
  check(h.every((s, i) => i === 0 || s.checkpoint.checkpoint_id < h[i - 1].checkpoint.checkpoint_id), "ids of checkpoints rise");
  await client.runs.wait(t, "agent", { input: human("bar", { messages: [{ type: "human", content: "bar" }] }), config, metadata: { run_metadata: "run_metadata" } });
  const full = await client.threads.getHistory(t), filtered = await client.threads.getHistory(t, { metadata: { run_metadata: "run_metadata" } });
  equal([full.length, full.at(-1).values.messages?.length ?? 0], [10, 0], "two runs have ten states");
  equal([filtered.length, filtered.at(-1).values.messages.length], [5, 4], "by a run's metadata five");
});

await scenario("copy", async () => {
  const t = await newThread();
  await client.runs.wait(t, "agent", { input: human("foo"), config });
  const was = await client.threads.getState(t), wasHistory = await client.threads.getHistory(t);
  const copy = (await client.threads.copy(t)).thread_id;
  const moved = (s) => ({ ...s, metadata: { ...s.metadata, thread_id: copy }, checkpoint: { ...s.checkpoint, thread_id: copy },
    parent_checkpoint: s.parent_checkpoint && { ...s.parent_checkpoint, thread_id: copy } });
  equal(await client.threads.getState(copy), moved(was), "state of the copy is the state");
  equal(await client.threads.getHistory(copy), wasHistory.map(moved), "history of the copy is the history");
  await client.runs.wait(copy, "agent", { input: { messages: [{ type: "human", content: "bar" }] }, config });
  equal(texts(await client.threads.getState(copy)), ["foo", "begin", "tool_call__begin", "end", "bar", "begin", "tool_call__begin", "end"], "the copy goes on");
  equal(await client.threads.getState(t), was, "and the original does not");
  await client.threads.updateState(copy, { values: { messages: [{ type: "human", content: "changed", id: "initial-message" }] } });
  equal((await client.threads.getState(copy)).values.messages[0].content, "changed", "update of the copy");
  equal(await client.threads.getState(t), was, "leaves the original");
});

await scenario("stream values", async () => {
  const t = await newThread();
  const chunks = await run(t, "agent", { input: human("foo"), streamMode: "values", config });
  equal([...new Set(events(chunks))], ["metadata", "values"], "values only");
  const ids = chunks.slice(1).map((c) => c.data.messages.map((m) => m.id));
  check(ids.every((l, i) => i === 0 || JSON.stringify(l.slice(0, -1)) === JSON.stringify(ids[i - 1])), "each adds one message, the rest keep their ids", ids);
  equal(ids.map((l) => l.length), [1, 2, 3, 4], "one event a step");
  equal((await client.runs.get(t, chunks[0].data.run_id)).status, "success", "the run succeeded");
});

await scenario("stream updates", async () => {
  const t = await newThread();
  const chunks = await run(t, "agent", { input: human("foo"), streamMode: "updates", config });
  equal(chunks.slice(1).map((c) => [c.event, ...Object.keys(c.data)]), [["updates", "agent"], ["updates", "tool"], ["updates", "agent"]], "one event a node");
  equal(chunks[1].data.agent.interrupt, false, "with all it wrote");
  matches(chunks[2].data.tool, { sharedStateFromStoreConfig: { id: "123" }, messages: [{ type: "tool", content: "tool_call__begin", tool_call_id: "tool_call_id" }] }, "the tool's");
});

await scenario("stream events", async () => {
  const t = await newThread();
  const chunks = await run(t, "agent", { input: human("foo"), streamMode: "events", config });
  equal([...new Set(events(chunks))], ["metadata", "events"], "events only");
  equal([...new Set(chunks.slice(1).map((c) => c.data.event))].sort(), ["on_chain_end", "on_chain_start", "on_chat_model_end", "on_chat_model_start", "on_chat_model_stream"], "kinds of events");
});

await scenario("stream messages", async () => {
  const t = await newThread();
  const chunks = await run(t, "agent", { input: human("foo"), streamMode: "messages", config });
  equal([...new Set(events(chunks))].sort(), ["messages/complete", "messages/metadata", "messages/partial", "metadata"], "kinds of events");
  const partial = {};
  for (const c of chunks) {
    if (c.event === "messages/partial") partial[c.data[0].id] = c.data[0].content;
    if (c.event === "messages/complete" && c.data[0].type === "ai") equal(partial[c.data[0].id], c.data[0].content, "the last partial is the complete one");
  }
  equal([chunks.at(-1).event, chunks.at(-1).data[0].content], ["messages/complete", "end"], "the last is complete");
  equal(chunks.filter((c) => c.event === "messages/complete").map((c) => c.data[0].content), ["foo", "begin", "tool_call__begin", "end"], "each message completes once");
});

await scenario("stream messages-tuple", async () => {
  const t = await newThread();
  const chunks = await run(t, "agent", { input: human("foo"), streamMode: "messages-tuple", config });
  const m = chunks.filter((c) => c.event === "messages");
  equal(m.map((c) => c.data[0].content), [..."begin", "tool_call__begin", ..."end"], "one chunk a letter, the tool's message whole");
  equal(m.map((c) => c.data[1].langgraph_node), [...Array(5).fill("agent"), "tool", ...Array(3).fill("agent")], "metadata names the node");
  check(new Set(m.slice(0, 5).map((c) => c.data[0].id)).size === 1 && m[0].data[0].id !== m[6].data[0].id, "one stable id a message");
  const ids = (await client.threads.getState(t)).values.messages.map((x) => x.id);
  equal([ids[1], ids[3]], [m[0].data[0].id, m[6].data[0].id], "the same ids in the state");
});

await scenario("stream mixed modes", async () => {
  const t = await newThread();
  const chunks = await run(t, "agent", { input: human("foo"), streamMode: ["messages", "values"], config });
  noError(chunks, "mixed modes");
  equal([...new Set(events(chunks))].sort(), ["messages/complete", "messages/metadata", "messages/partial", "metadata", "values"], "both modes");
  equal([last(chunks, "values").messages.length, last(chunks, "values").messages.at(-1).content], [4, "end"], "last values");
});

await scenario("wait error", async () => {
  const t = await newThread();
  await refused(client.runs.wait(t, "agent", { input: human("foo"), config: { ...config, recursion_limit: 1 } }), undefined, "GraphRecursionError", "recursion limit 1 fails");
  equal(await statusOf(t), "error", "thread is in error");
});

await scenario("breakpoint, no modification", async () => {
  const t = await newThread();
  let chunks = await run(t, "agent", { input: human("foo"), interruptBefore: ["tool"], config });
  noError(chunks, "run to the breakpoint");
  equal(chunks.findLast((c) => c.event === "values" && "messages" in c.data).data.messages.at(-1).content, "begin", "begin came");
  equal(await statusOf(t), "interrupted", "thread waits");
  const s = await client.threads.getState(t);
  equal(s.next, ["tool"], "before the tool");
  chunks = await run(t, "agent", { input: null, config });
  noError(chunks, "go on");
  equal(last(chunks, "values").messages.map((m) => m.content), ["foo", "begin", "tool_call__begin", "end"], "to the end");
  equal(await statusOf(t), "idle", "thread is idle");
});

await scenario("breakpoint, modification", async () => {
  const t = await newThread();
  let chunks = await run(t, "agent", { input: human("foo"), interruptBefore: ["tool"], config });
  const edited = chunks.findLast((c) => c.event === "values" && "messages" in c.data).data.messages.at(-1);
  await client.threads.updateState(t, { values: { messages: [{ ...edited, content: "modified" }] } });
  await client.threads.update(t, { metadata: { modified: true } });
  matches(await client.threads.get(t), { status: "interrupted", metadata: { modified: true } }, "still interrupted");
  const s = await client.threads.getState(t);
  equal([s.values.messages.at(-1).content, s.next], ["modified", ["tool"]], "state after the edit");
  matches(s.tasks, [{ id: uuid4, name: "tool", error: null, interrupts: [] }], "its task");
  chunks = await run(t, "agent", { input: null, config });
  noError(chunks, "go on");
  equal(last(chunks, "values").messages.map((m) => m.content), ["foo", "modified", "tool_call__modified", "end"], "with the edit");
  equal(await statusOf(t), "idle", "thread is idle");
  const h = await client.threads.getHistory(t);
  equal([h.length, h[0].next, h[0].values.messages.length, h.at(-1).next], [6, [], 4, ["__start__"]], "six states");
});

await scenario("breakpoint before the first node, and after one", async () => {
  const t = await newThread();
  await client.runs.wait(t, "agent", { input: human("foo"), interruptBefore: ["agent"], config });
  equal([await statusOf(t), (await client.threads.getState(t)).next], ["interrupted", ["agent"]], "before the first");
  await client.runs.wait(t, "agent", { input: null, interruptAfter: ["agent"], config });
  equal([await statusOf(t), (await client.threads.getState(t)).next], ["interrupted", ["tool"]], "after it");
  await client.runs.wait(t, "agent", { input: null, interruptBefore: "*", config });
  equal([await statusOf(t), (await client.threads.getState(t)).next], ["interrupted", ["agent"]], "before every one");
  const v = await client.runs.wait(t, "agent", { input: null, config });
  equal([await statusOf(t), v.messages.length], ["idle", 4], "to the end");
});

await scenario("interrupt inside a node, resumed twice", async () => {
  const t = await newThread();
  const waited = await client.runs.wait(t, "agent", { input: human("SF", { interrupt: true }), config });
  const s = await client.threads.getState(t);
  equal(s.next, ["agent"], "waits in the node");
  matches(s.tasks, [{ id: uuid4, name: "agent", path: ["__pregel_pull", "agent"], error: null, interrupts: [{ id: hex32, value: "i want to interrupt" }], checkpoint: null, state: null, result: null }], "its task");
  matches(waited.__interrupt__, [{ id: s.tasks[0].interrupts[0].id, value: "i want to interrupt" }], "wait tells the interrupt");
  if (!reference) {
    equal(waited.messages.map((m) => m.content), ["SF"], "beside the values");
    equal((await client.runs.list(t))[0].status, "interrupted", "the run's status");
  }
  matches(await client.threads.get(t), { status: "interrupted", interrupts: { [s.tasks[0].id]: [{ id: s.tasks[0].interrupts[0].id, value: "i want to interrupt" }] } }, "the thread tells it, by task");
  const chunks = await run(t, "agent", { command: { resume: "i want to resume" } });
  equal([chunks.at(-1).event, chunks.at(-1).data.messages.length, chunks.at(-1).data.interrupt], ["values", 4, false], "resumed to the end");
  matches(await client.threads.get(t), { status: "idle", interrupts: {} }, "nothing waits");
  // a second time on the same thread: another id
  await client.runs.wait(t, "agent", { input: { messages: [{ role: "human", content: "again" }], interrupt: true }, config });
  const again = await client.threads.getState(t);
  check(again.tasks[0].interrupts[0].id !== s.tasks[0].interrupts[0].id, "the next interrupt has its own id");
  const v = await client.runs.wait(t, "agent", { command: { resume: { [again.tasks[0].interrupts[0].id]: "by id" } }, config });
  equal([v.messages.length, await statusOf(t)], [8, "idle"], "resumed by id");
});

await scenario("values that are false answer, too", async () => {
  for (const value of [false, 0, "", [], {}, { "not an id": 1 }]) {
    const t = await newThread();
    await client.runs.wait(t, "do_asks", { input: { log: [] } });
    await client.runs.wait(t, "do_asks", { command: { resume: value } });
    matches((await client.threads.getState(t)).tasks[0]?.interrupts, [{ value: { q: "age?" } }], `${JSON.stringify(value)} is an answer`);
  }
});

// ---- commands --------------------------------------------------------------

await scenario("command update", async () => {
  const t = await newThread();
  await client.runs.wait(t, "agent", { input: human("foo"), config });
  noError(await run(t, "agent", { command: { update: { keyOne: "value3", keyTwo: "value4" } }, config }), "update by an object");
  matches((await client.threads.getState(t)).values, { keyOne: "value3", keyTwo: "value4" }, "is in the state");
  noError(await run(t, "agent", { command: { update: [["keyOne", "value1"], ["keyTwo", "value2"]] }, config }), "update by pairs");
  matches((await client.threads.getState(t)).values, { keyOne: "value1", keyTwo: "value2" }, "is in the state, too");
  equal((await client.threads.getState(t)).values.messages.length, 4, "nothing ran");
});

await scenario("command goto", async () => {
  const t = await newThread();
  await client.runs.wait(t, "agent", { input: human("should_end"), config });
  equal(texts(await client.threads.getState(t)), ["should_end", "begin"], "ends at once");
  await client.runs.wait(t, "agent", { command: { goto: "tool" }, config });
  const s = await client.threads.getState(t);
  equal(texts(s), ["should_end", "begin", "tool_call__begin", "end"], "goto runs the node and goes on by its edges");
  equal(s.next, [], "to the end");
  await client.runs.wait(t, "agent", { command: { update: { keyOne: "beside" }, goto: ["tool"] }, config });
  matches((await client.threads.getState(t)).values, { keyOne: "beside" }, "update and goto together");
});

await scenario("command goto with an input of its own", async () => {
  const t = await newThread();
  await client.runs.wait(t, "sends", { input: { items: [1] } });
  const was = (await client.threads.getState(t)).values.log;
  equal(was, ["plan", "note 1", "sum 2"], "one send");
  await client.runs.wait(t, "sends", { command: { goto: { node: "note", input: { n: "mine" } } } });
  equal((await client.threads.getState(t)).values.log, [...was, "note mine", "sum 4"], "goto with input");
  await client.runs.wait(t, "sends", { command: { goto: [{ node: "note", input: { n: "a" } }, { node: "note", input: { n: "b" } }] } });
  equal((await client.threads.getState(t)).values.log.slice(-3), ["note a", "note b", "sum 7"], "and twice the same node");
});

// ---- sub-agents ------------------------------------------------------------

const sf = { content: "SF", additional_kwargs: {}, response_metadata: {}, type: "human", id: "initial-message" };
const sunny = (city) => ({ content: `It's sunny in ${city}!`, type: "ai", id: String, tool_calls: [], invalid_tool_calls: [] });
const pending = { id: uuid4, name: "weather_graph", path: ["__pregel_pull", "weather_graph"], error: null, interrupts: [], result: null };

await scenario("static breakpoint inside a sub-agent", async () => {
  const t = await newThread();
  let chunks = await run(t, "weather", { input: human("SF"), interruptBefore: ["tool"] });
  noError(chunks, "run to the breakpoint");
  const values = chunks.slice(1).filter((c) => c.event === "values" && !("__interrupt__" in c.data));
  matches(values.map((c) => c.data), [{ messages: [sf] }, { messages: [sf], route: "weather" }], "values up to it");
  equal(chunks[1].id, "1", "ids count from the metadata event");
  const s = await client.threads.getState(t);
  equal(s.next, ["weather_graph"], "waits in the sub-agent");
  matches(s.tasks, [{ ...pending, checkpoint: { thread_id: t, checkpoint_ns: /^weather_graph:[0-9a-f-]{36}$/ }, state: null }], "its task has a checkpoint");
  equal(s.tasks[0].checkpoint.checkpoint_ns, `weather_graph:${s.tasks[0].id}`, "namespace is node and task");
  const deep = await client.threads.getState(t, undefined, { subgraphs: true });
  matches(deep.tasks, [{ ...pending, checkpoint: null, state: {
    values: { city: "San Francisco", messages: [sf] }, next: ["weather_node"], metadata: Object, created_at: String, checkpoint: Object, parent_checkpoint: Object,
    tasks: [{ id: uuid4, name: "weather_node", path: ["__pregel_pull", "weather_node"], error: null, interrupts: [], checkpoint: null, state: null, result: null }] } }], "with subgraphs it has a state");
  equal(await statusOf(t), "interrupted", "thread waits");

  chunks = await run(t, "weather", { input: null, streamMode: ["values", "updates"], streamSubgraphs: true });
  noError(chunks, "go on");
  chunks = chunks.filter((c) => !/^checkpoints/.test(c.event));
  matches(chunks.slice(1), [
    { event: "values", data: { messages: [sf], route: "weather" } },
    { event: /^values\|weather_graph:/, data: { messages: [sf], city: "San Francisco" } },
    { event: /^updates\|weather_graph:/, data: { weather_node: { messages: [sunny("San Francisco")] } } },
    { event: /^values\|weather_graph:/, data: { messages: [sf, sunny("San Francisco")], city: "San Francisco" } },
    { event: "updates", data: { weather_graph: { messages: [sf, sunny("San Francisco")] } } },
    { event: "values", data: { messages: [sf, sunny("San Francisco")], route: "weather" } }], "streamed namespaces");
  equal(await statusOf(t), "idle", "thread is idle");
});

await scenario("edit inside a sub-agent", async () => {
  const t = await newThread();
  noError(await run(t, "weather", { input: human("SF") }), "run to the breakpoint");
  const s = await client.threads.getState(t), at = s.tasks[0].checkpoint;
  await client.threads.updateState(t, { values: { city: "LA" }, checkpoint: at });
  const inner = await client.threads.getState(t, at);
  equal([inner.values.city, inner.next], ["LA", ["weather_node"]], "inner state after the update");
  matches(inner.tasks, [{ id: uuid4, name: "weather_node", path: ["__pregel_pull", "weather_node"], error: null, interrupts: [], checkpoint: null, state: null, result: null }], "inner task");
  const chunks = await run(t, "weather", { input: null });
  noError(chunks, "go on");
  matches(chunks.at(-1), { event: "values", data: { messages: [sf, sunny("LA")] } }, "the edit counts");
  const h = await client.threads.getHistory(t);
  equal([h.length, h[0].next, h[0].values.messages.length, h.at(-1).next], [4, [], 2, ["__start__"]], "history of the root");
  const ih = await client.threads.getHistory(t, { checkpoint: at });
  equal([ih.length, ih[0].next, ih[0].values.messages.length, ih.at(-1).next], [5, [], 2, ["__start__"]], "history of the sub-agent");
  check(ih.every((x) => x.checkpoint.checkpoint_ns === at.checkpoint_ns), "all of its namespace");
  check("" in ih[0].metadata.parents, "with its parents", ih[0].metadata);
});

await scenario("three levels", async () => {
  const t = await newThread();
  const chunks = (await run(t, "nested", { input: { messages: ["in"] }, streamMode: ["values", "updates"], streamSubgraphs: true })).filter((c) => !/^checkpoints/.test(c.event));
  noError(chunks, "three levels");
  const names = chunks.filter((c) => c.event.startsWith("updates")).map((c) => [c.event.replace(/:[0-9a-f-]{36}/g, "").replace(/^updates\|?/, ""), ...Object.keys(c.data)]);
  equal(names, [["", "gp_one"], ["gp_two", "p_one"], ["gp_two|p_two", "c_one"], ["gp_two|p_two", "c_two"], ["gp_two", "p_two"], ["", "gp_two"]], "updates by namespace, innermost first");
  check(chunks.some((c) => /^values\|gp_two:[0-9a-f-]{36}\|p_two:[0-9a-f-]{36}$/.test(c.event)), "values of the third level", events(chunks));
  const end = last(chunks, "values").messages;
  for (const n of ["gp_one", "p_one", "c_one", "c_two"]) check(end.includes(`Entered ${n} node`), `${n} was entered`, end);
  equal(end[0], "in", "what came in is first");
  if (!langgraph) equal(end.filter((x) => x === "in").length, 1, "a child gives what it added");
  const plain = await run(await newThread(), "nested", { input: { messages: ["in"] }, streamMode: "updates" });
  equal(plain.slice(1).map((c) => [c.event, ...Object.keys(c.data)]), [["updates", "gp_one"], ["updates", "gp_two"]], "without stream_subgraphs the root's alone");
});

await scenario("sub-agents of an assistant", async () => {
  const list = langgraph ? Object : { type: "array" }; // an Annotation has no types at run time
  if (!reference) { // which reads schemas from TypeScript
    equal(Object.keys(await client.assistants.getSubgraphs("nested")), ["gp_two"], "one level");
    const all = await client.assistants.getSubgraphs("nested", { recurse: true });
    equal(Object.keys(all), ["gp_two", "gp_two|p_two"], "all levels");
    matches(all, { gp_two: { state: { type: "object", properties: { messages: list, parent: Object } } },
      "gp_two|p_two": { state: { type: "object", properties: { child: Object, messages: list } } } }, "with their schemas");
    equal(Object.keys(await client.assistants.getSubgraphs("nested", { namespace: "gp_two" })), ["gp_two"], "by namespace");
  }
  const graph = await client.assistants.getGraph("agent");
  matches(graph.nodes.map((n) => [n.id, n.type]).sort(), [["__end__", "schema"], ["__start__", "schema"], ["agent", "runnable"], ["checkSharedState", "runnable"], ["tool", "runnable"]], "nodes of the graph");
  for (const [source, target, conditional] of [["__start__", "agent", false], ["tool", "agent", false], ["agent", "tool", true], ["agent", "__end__", true]])
    check(graph.edges.some((e) => e.source === source && e.target === target && Boolean(e.conditional) === conditional), `edge ${source} to ${target}`, graph.edges);
  const xray = await client.assistants.getGraph("nested", { xray: true });
  equal(xray.nodes.map((n) => n.id).sort(), ["__end__", "__start__", "gp_one", "gp_two:p_one", "gp_two:p_two:c_one", "gp_two:p_two:c_two"], "xray shows all levels");
  if (!reference) {
    const one = await client.assistants.getGraph("nested", { xray: 1 });
    if (!langgraph) equal(one.nodes.map((n) => n.id).sort(), ["__end__", "__start__", "gp_one", "gp_two:p_one", "gp_two:p_two"], "xray 1 shows one");
    matches(await client.assistants.getSchemas("agent"), { graph_id: "agent", input_schema: Object, output_schema: Object, state_schema: { type: "object", properties: { messages: list } }, config_schema: Object }, "schemas");
  }
});

await scenario("an interrupt in a sub-agent", async () => {
  const t = await newThread();
  await client.runs.wait(t, "sub_ask", { input: { n: 7 } });
  const s = await client.threads.getState(t, undefined, { subgraphs: true });
  matches(s.tasks, [{ name: "inner", interrupts: [{ id: hex32, value: { n: 7 } }], state: { next: ["put"], tasks: [{ name: "put", interrupts: [{ id: hex32, value: { n: 7 } }] }] } }], "shown on every level");
  equal(s.tasks[0].interrupts[0].id, s.tasks[0].state.tasks[0].interrupts[0].id, "with one id");
  const v = await client.runs.wait(t, "sub_ask", { command: { resume: "yes" } });
  equal([v.answer, v.log], ["yes", ["first", "after yes"]], "answered, it goes on");
  if (!reference) equal(await json(server, "GET", "/interrupts?status=waiting").then((l) => l.filter((i) => i.thread_id === t).length), 0, "and waits no more");
});

// ---- errors, time, the store, configuration -------------------------------

await scenario("errors", async () => {
  let t = await newThread();
  const chunks = await run(t, "error", { input: { messages: [] }, streamMode: ["debug", "events"] });
  matches(chunks.at(-1), { event: "error", data: { error: "CustomError", message: "Boo!" } }, "stream ends with the error");
  const s = await client.threads.getState(t);
  equal([await statusOf(t), s.next.length, s.tasks.length], ["error", 1, 1], "thread is in error");
  check(/Boo!/.test(s.tasks[0].error ?? ""), "its task has the error", s.tasks[0]);
  t = await newThread();
  let r = await client.runs.create(t, "error", { input: { messages: [] } });
  await client.runs.join(t, r.run_id);
  equal((await client.runs.get(t, r.run_id)).status, "error", "create and join");
  t = await newThread();
  r = await client.runs.create(t, "error", { input: { messages: [] } });
  const joined = await collect(client.runs.joinStream(t, r.run_id));
  matches(joined.at(-1), { event: "error", data: { error: "CustomError", message: "Boo!" } }, "create and join its stream");
  equal((await client.runs.get(t, r.run_id)).status, "error", "its status");
});

await scenario("delay", async () => {
  await Promise.all([50, 1000].map(async (delay) => {
    const t = await newThread();
    const r = await client.runs.create(t, "delay", { input: { messages: [], delay } });
    await client.runs.join(t, r.run_id);
    equal((await client.runs.get(t, r.run_id)).status, "success", `delay ${delay}`);
    matches((await client.threads.getState(t)).values, { messages: [{ type: "human", content: `finished after ${delay}ms` }], delay }, `its message`);
  }));
});

await scenario("the store", async () => {
  const user = { configurable: { user_id: "start_user_id" } };
  const v = await client.runs.wait(await newThread(), "agent", { input: human("foo"), config: user });
  equal(v.sharedStateFromStoreConfig, { id: "start_user_id" }, "what one node puts the next gets");
  equal((await client.store.getItem(["sharedState", "data"], "user_id")).value, { id: "start_user_id" }, "and a client");
  const check_ = { input: human("___check_state_value"), config: user };
  await client.store.deleteItem(["inputtedState", "data"], "my_key");
  await refused(client.runs.wait(await newThread(), "agent", check_), undefined, "Value is not true", "what is not there fails the node");
  await client.store.putItem(["inputtedState", "data"], "my_key", { isTrue: true });
  const w = await client.runs.wait(await newThread(), "agent", check_);
  equal(w.messages.map((m) => m.content), ["___check_state_value", "begin"], "what a client put is read");
  await client.store.deleteItem(["inputtedState", "data"], "my_key");
  equal(await client.store.getItem(["inputtedState", "data"], "my_key"), null, "deleted is null");
});

await scenario("agent_simple", async () => {
  await client.store.deleteItem(["ALL"], "key_one");
  const v = await client.runs.wait(await newThread(), "agent_simple", { input: human("foo") });
  equal(v.messages.map((m) => [m.type, m.content]), [["human", "foo"], ["ai", "begin"], ["tool", "tool_call__begin"], ["ai", "end\u2028"]], "a send to the tool");
  if (!reference) equal((await client.store.getItem(["ALL"], "key_one")).value, { text: "foo" }, "the store's item");
  const header = clientOf(server, { defaultHeaders: { "x-configurable-header": "extra-client" } });
  const w = await header.runs.wait(await newThread(), "agent_simple", { input: human("foo") });
  equal(w.messages.map((m) => [m.type, m.content]), [["human", "foo"], ["human", "end: extra-client"]], "a header of the request");
});

await scenario("an update while a run is under way", async () => {
  const t = await newThread();
  const r = await client.runs.create(t, "agent", { input: human("foo", { sleep: 60 }), config });
  const update = { values: { messages: [{ type: "ai", content: "One must imagine Sisyphus happy." }] }, asNode: "agent" };
  await refused(client.threads.updateState(t, update), 409, "", "update of a busy thread");
  await client.runs.cancel(t, r.run_id);
  check(!JSON.stringify(await client.threads.getState(t)).includes("Sisyphus"), "left nothing");
  await client.runs.join(t, r.run_id);
  equal([(await client.runs.get(t, r.run_id)).status, await statusOf(t)], ["interrupted", "idle"], "cancelled");
  await client.threads.updateState(t, update);
  check(JSON.stringify(await client.threads.getState(t)).includes("Sisyphus"), "update when it is idle");
});

await scenario("sleep that tells", async () => {
  const t = await newThread();
  const chunks = await run(t, "agent", { input: human("foo", { sleep: { steps: 3, ms: 5 } }), streamMode: "custom", config });
  equal(chunks.slice(1).map((c) => [c.event, c.data]), [0, 1, 2].map((step) => ["custom", { type: "sleep", step }]), "custom events");
});

await scenario("simple_runtime", async () => {
  const model = async (agent, more) => (await client.runs.wait(null, agent, { input: { message: "x" }, ...more })).model;
  equal(await model("simple_runtime", { context: { model: "openai" } }), "openai", "context of the run");
  const a = await client.assistants.create({ graphId: "simple_runtime", context: { model: "anthropic" } });
  equal(await model(a.assistant_id), "anthropic", "of the assistant");
  equal(await model(a.assistant_id, { context: { model: "openai" } }), "openai", "the run's wins");
});

await scenario("dynamic", async () => {
  const nodes = async (t, agent, more) => (await run(t, agent, { input: { messages: ["input"] }, streamMode: ["updates"], ...more })).filter((c) => c.event === "updates").flatMap((c) => Object.keys(c.data));
  equal(await nodes(null, "dynamic"), ["default"], "the default name");
  equal(await nodes(null, "dynamic", { config: { configurable: { nodeName: "runtime" } } }), ["runtime"], "from the run");
  const a = await client.assistants.create({ graphId: "dynamic", config: { configurable: { nodeName: "assistant" } } });
  const t = await newThread({ graphId: "dynamic" });
  equal(await nodes(t, a.assistant_id), ["assistant"], "from the assistant");
  await client.threads.updateState(t, { values: { messages: "update" }, asNode: "assistant" });
  equal((await client.threads.getState(t)).values.messages, ["input", "assistant", "update"], "and in an update of the state");
});

// ---- debug -----------------------------------------------------------------

const points = (chunks) => chunks.filter((c) => c.event === "debug" && c.data.type === "checkpoint").map((c) => c.data.payload);
const point = (s) => ({ step: s.metadata?.step, checkpoint: s.checkpoint, parent_checkpoint: s.parent_checkpoint });

await scenario("debug checkpoints are the history's", async () => {
  let t = await newThread();
  let stream = points(await run(t, "weather", { input: human("x"), streamMode: "debug" }));
  let h = (await client.threads.getHistory(t, { limit: stream.length })).reverse();
  equal(stream.map(point), h.map(point), "debug and history agree");
  check(stream.length >= 3, "there are some", stream.length);
  t = await newThread();
  stream = points(await run(t, "weather", { input: human("x"), streamMode: "debug", interruptBefore: ["router_node"] }));
  h = (await client.threads.getHistory(t)).reverse();
  const on = points(await run(t, "weather", { streamMode: "debug", checkpoint: h.at(-1).checkpoint }));
  h = (await client.threads.getHistory(t)).reverse();
  equal([...stream, ...on.slice(1)].map(point), h.map(point), "going on from the head makes no fork");
});

// ---- several at once -------------------------------------------------------

// Questions of tasks that are not done; one that is keeps its question, too.
const asking = (s) => s.tasks.filter((k) => k.result === null).flatMap((k) => k.interrupts);

async function twoWaiting() {
  const t = await newThread();
  await client.runs.wait(t, "two_asks", { input: { log: [] } });
  const s = await client.threads.getState(t);
  return { t, s, id: Object.fromEntries(s.tasks.flatMap((k) => k.interrupts.map((i) => [i.value.q, i.id]))) };
}

await scenario("two questions at once", async () => {
  const { t, s, id } = await twoWaiting();
  matches(s.tasks.map((k) => [k.name, k.interrupts.map((i) => i.value)]).sort().filter((x) => x[1].length), [["a_left", [{ q: "left?" }]], ["b_right", [{ q: "right?" }]]], "both wait");
  equal(s.next, ["a_left", "b_right"], "the sibling that is done is not next");
  equal(s.values.log, ["plain"], "and what it wrote is in the state at the head");
  check(hex32.test(id["left?"]) && id["left?"] !== id["right?"], "each has an id", id);
  // one value for two: refused, nothing is consumed (the official one answers both)
  if (!langgraph) await refused(client.runs.wait(t, "two_asks", { command: { resume: "which?" } }), undefined, "When there are multiple pending interrupts, you must specify the interrupt id when resuming", "one value while two wait");
  if (!langgraph) equal((await client.threads.getState(t)).tasks.flatMap((k) => k.interrupts).length, 2, "still two wait");
});

// The step does not end with the first answer: what came beside it is kept.
await scenario("an update beside the first of two answers", async () => {
  const { t, id } = await twoWaiting();
  await client.runs.wait(t, "two_asks", { command: { resume: { [id["left?"]]: "L" }, update: { log: ["beside"] } } });
  await client.runs.wait(t, "two_asks", { command: { resume: { [id["right?"]]: "R" } } });
  const log = (await client.threads.getState(t)).values.log;
  equal(log.filter((x) => x === "beside").length, 1, "is in the state once, after the second");
});

for (const order of [["left?", "right?"], ["right?", "left?"]]) {
  await scenario(`answered ${order}`, async () => {
    const { t, id } = await twoWaiting(), answer = { "left?": "L", "right?": "R" };
    await client.runs.wait(t, "two_asks", { command: { resume: { [id[order[0]]]: answer[order[0]] } } });
    const s = await client.threads.getState(t);
    equal(asking(s).map((i) => i.id), [id[order[1]]], "the other one waits on, with its id");
    const v = await client.runs.wait(t, "two_asks", { command: { resume: { [id[order[1]]]: answer[order[1]] } } });
    equal([v.left, v.right, v.log], ["L", "R", ["plain", "L/R"]], "both answered; the plain node ran once");
    equal(await statusOf(t), "idle", "thread is idle");
  });
}

await scenario("both answered by one map", async () => {
  const { t, id } = await twoWaiting();
  const v = await client.runs.wait(t, "two_asks", { command: { resume: { [id["left?"]]: 1, [id["right?"]]: null } } });
  equal([v.left, v.right ?? null, v.log], [1, null, ["plain", langgraph ? v.log[1] : "1/"]], "a map of two");
});

await scenario("one value for the last that waits", async () => {
  const { t, id } = await twoWaiting();
  await client.runs.wait(t, "two_asks", { command: { resume: { [id["left?"]]: "L" } } });
  const v = await client.runs.wait(t, "two_asks", { command: { resume: "R" } });
  equal(v.log, ["plain", "L/R"], "one value while one waits");
});

if (!reference) {
  await scenario("two clients answer the same question", async () => {
    const { t, id } = await twoWaiting();
    const answers = await Promise.all(["x", "y", "x"].map((v) => client.runs.wait(t, "two_asks", { command: { resume: { [id["left?"]]: v } } }).catch((e) => e)));
    check(answers.length === 3, "all came back");
    const s = await client.threads.getState(t);
    equal(asking(s).map((i) => i.id), [id["right?"]], "the other waits");
    const v = await client.runs.wait(t, "two_asks", { command: { resume: { [id["right?"]]: "R" } } });
    check(["x/R", "y/R"].includes(v.log[1]) && v.log.length === 2, "one answer counts, once", v.log);
  });

  await scenario("an id that does not wait", async () => {
    const { t, id } = await twoWaiting(), unknown = "0123456789abcdef0123456789abcdef";
    const r = await json(server, "POST", `/threads/${t}/runs/wait`, { assistant_id: "two_asks", command: { resume: { [unknown]: 1 } }, strict_resume: true });
    matches(r.__error__, { error: "UnknownInterruptError", message: String }, "with strict_resume it fails");
    equal((await client.threads.getState(t)).tasks.flatMap((k) => k.interrupts).length, 2, "nothing consumed");
    await json(server, "POST", `/threads/${t}/runs/wait`, { assistant_id: "two_asks", command: { resume: { [unknown]: 1, [id["left?"]]: "L" } } });
    equal(asking(await client.threads.getState(t)).map((i) => i.id), [id["right?"]], "without it the known one is answered");
  });

  await scenario("what waits for a person", async () => {
    const { t, id } = await twoWaiting();
    const mine = async () => (await json(server, "GET", "/interrupts?status=waiting")).filter((i) => i.thread_id === t);
    equal((await mine()).map((i) => i.id).sort(), Object.values(id).sort(), "both are listed");
    await client.runs.wait(t, "two_asks", { command: { resume: { [id["left?"]]: "L" } } });
    equal((await mine()).map((i) => i.id), [id["right?"]], "the answered one is not");
    await client.runs.wait(t, "two_asks", { input: { log: ["new"] } });
    const s = await client.threads.getState(t);
    equal([s.next, (await mine()).length], [["a_left", "b_right"], 2], "new input starts over: two new ones");
    check(!(await mine()).some((i) => Object.values(id).includes(i.id)), "the old ones are void");
    await client.threads.delete(t);
    equal(await mine(), [], "none of a deleted thread");
  });
}

await scenario("two questions in one node", async () => {
  const t = await newThread();
  const waiting = async () => (await client.threads.getState(t)).tasks.flatMap((k) => k.interrupts);
  await client.runs.wait(t, "do_asks", { input: { log: [] } });
  const first = await waiting();
  matches(first, [{ id: hex32, value: { q: "name?" } }], "the first waits");
  await client.runs.wait(t, "do_asks", { command: { resume: "Ann" } });
  const second = await waiting();
  matches(second, [{ id: hex32, value: { q: "age?" } }], "then the second");
  if (!reference) check(first[0].id !== second[0].id, "with another id");
  const v = await client.runs.wait(t, "do_asks", { command: { resume: 7 } });
  equal([v.out, v.log], ["Ann is 7", ["asked", "done"]], "both answers count; nothing ran twice");
  equal((await client.threads.getHistory(t)).map((h) => h.metadata.step), [2, 1, 0, -1], "one task, one step");
});

await scenario("sends", async () => {
  const t = await newThread();
  const chunks = await run(t, "sends", { input: { items: [3, 1, 2] }, streamMode: ["updates", "values"] });
  equal(last(chunks, "values").log, ["plan", "note 3", "note 1", "note 2", "sum 4"], "in the order of the elements");
  equal(chunks.filter((c) => c.event === "updates").map((c) => Object.keys(c.data)[0]), ["plan", "note", "note", "note", "sum"], "one task each");
  const h = await client.threads.getHistory(t);
  equal(h.map((s) => s.next), [[], ["sum"], ["note", "note", "note"], ["plan"], ["__start__"]], "in one step");
  check(new Set(h[2].tasks.map((k) => k.id)).size === 3, "each with an id of its own");
  matches(h[2].tasks.map((k) => k.path.slice(0, 2)), [["__pregel_push", 0], ["__pregel_push", 1], ["__pregel_push", 2]], "paths of sends");
  equal((await client.runs.wait(await newThread(), "sends", { input: { items: [] } })).log, ["plan"], "none for no elements");
});

if (!reference) {
  await scenario("map over agents", async () => {
    const t = await newThread();
    const chunks = await run(t, "map_agents", { input: { items: [1, 2, 3, 4, 5, 6, 7] }, streamMode: ["updates", "values"], streamSubgraphs: true });
    noError(chunks, "map");
    equal(last(chunks, "values").results.map((r) => r.out), [1, 4, 9, 16, 25, 36, 49], "results in the order of the elements");
    const spaces = new Set(chunks.filter((c) => /^updates\|/.test(c.event)).map((c) => c.event));
    equal(spaces.size, 7, "each element is a namespace of its own");
    equal((await client.runs.wait(null, "map_agents", { input: { items: [] } })).results, [], "an empty list");
  });

  await scenario("map over a sequence", async () => {
    const began = performance.now();
    const v = await client.runs.wait(null, "map_do", { input: { items: Array.from({ length: 1000 }, (_, i) => i) } });
    equal([v.results, v.log], [1000, Array.from({ length: 1000 }, (_, i) => i)], "writes in the order of the elements");
    check(performance.now() - began < 15000, "elements overlap: one after the other they wait for 20 s", performance.now() - began);
  });

  await scenario("questions of a map", async () => {
    const t = await newThread();
    await client.runs.wait(t, "map_asks", { input: { items: ["a", "b", "c"] } });
    const waiting = (await client.threads.getState(t)).tasks.flatMap((k) => k.interrupts);
    equal(waiting.map((i) => i.value.n).sort(), ["a", "b", "c"], "each element asks");
    const by = Object.fromEntries(waiting.map((i) => [i.value.n, i.id]));
    await client.runs.wait(t, "map_asks", { command: { resume: { [by.b]: "B" } } });
    if (!reference) equal((await json(server, "GET", "/interrupts?status=waiting")).filter((i) => i.thread_id === t).map((i) => i.value.n).sort(), ["a", "c"], "two wait on");
    const v = await client.runs.wait(t, "map_asks", { command: { resume: { [by.c]: "C", [by.a]: "A" } } });
    equal(v.answers, ["A", "B", "C"], "answers in the order of the elements");
  });

  await scenario("the tracker", async () => {
    const v = await client.runs.wait(null, "tracker", { input: { made: null } });
    equal([v.made.title, v.made.status, v.closed.id, v.closed.status], ["From a graph", "open", v.made.id, "closed"], "created and closed");
    check(v.list.some((i) => i.id === v.made.id), "it was ready", v.list);
  });

  await scenario("SDK integration", async () => {
    // the graphs of the SDK's own suite: one of them is an `agent`, too
    const own = await startCore({ mock, folders: ["sdk"] }), sdk = clientOf(own);
    const t = (await sdk.threads.create()).thread_id;
    const modes = { streamMode: ["custom", "updates", "values", "messages-tuple"], streamSubgraphs: true };
    let chunks = await collect(sdk.runs.stream(t, "agent", { input: { messages: [{ role: "user", content: "go" }] }, ...modes }));
    const progress = (cs) => cs.filter((c) => /^custom/.test(c.event)).map((c) => [c.data.name, c.data.step, c.data.phase].join(" "));
    equal(progress(chunks), ["stream_message start", "stream_message end", "call_tool start", "call_tool end", "ask_human start"].map((p) => `progress ${p}`), "progress is told");
    equal(chunks.filter((c) => /^messages/.test(c.event) && c.data[0].id === "ai-msg-1").map((c) => c.data[0].content).join(""), "Hello, world!", "streamed by words");
    let s = await sdk.threads.getState(t);
    matches(s.tasks, [{ name: "ask_human", interrupts: [{ value: "Are we good?" }] }], "asks");
    equal([s.values.items, s.values.value], [["streamed", "tool"], "x"], "items so far");
    equal(s.values.messages.map((m) => [m.type, m.content]), [["human", "go"], ["ai", "Hello, world!"], ["ai", ""], ["tool", "found v3"]], "messages so far");
    matches(s.values.messages[2].tool_calls, [{ id: "tc-1", name: "search", args: { query: "v3" } }], "with the call");
    chunks = await collect(sdk.runs.stream(t, "agent", { command: { resume: "yes" }, ...modes }));
    // what was told before the question may be told again by the resumed node, as LangGraph does
    equal(progress(chunks).filter((p) => p !== "progress ask_human start"), ["ask_human end", "run_subgraph start", "run_subgraph end"].map((p) => `progress ${p}`), "the rest of the progress");
    s = await sdk.threads.getState(t);
    equal([s.values.items, s.next], [["streamed", "tool", "asked", "sub"], []], "goes through the sub-agent");
    equal(s.values.messages.at(-1).content, "Human said: yes", "with the answer");
    const v = await sdk.runs.wait(null, "tools_agent", { input: { messages: [{ role: "user", content: "go" }] } });
    equal(v.messages.map((m) => m.type), ["human", "ai", "tool", "ai"], "tools_agent calls its tool");
    matches(v.messages[1].tool_calls, [{ name: "search", args: { query: "v3" } }], "with its arguments");
    equal([v.messages[2].content, v.messages.at(-1).content], ["results for v3", "done."], "and is done");
    await own.stop();
  });
}

// ---- several runs ----------------------------------------------------------

await scenario("multitasking", async () => {
  const foo = (sleep, id) => ({ messages: [{ role: "human", content: "foo", id: `${id}-1` }], sleep });
  const bar = (id) => ({ messages: [{ role: "human", content: "bar", id: `${id}-2` }], sleep: 0 });
  const cases = {
    async reject(t) {
      const r = await client.runs.create(t, "agent", { input: foo(0.5, t), config });
      await refused(client.runs.create(t, "agent", { input: bar(t), multitaskStrategy: "reject", config }), reference ? 422 : 409, "", "reject");
      equal(await ended(server, t, r.run_id), "success", "reject: the first ends well");
    },
    async interrupt(t) {
      const r1 = await client.runs.create(t, "agent", { input: foo(5, t), config });
      const r2 = await client.runs.create(t, "agent", { input: bar(t), multitaskStrategy: "interrupt", config });
      equal([await ended(server, t, r1.run_id), await ended(server, t, r2.run_id)], ["interrupted", "success"], "interrupt");
      const m = texts(await client.threads.getState(t));
      check(m.length === 4 ? m[0] === "bar" : m.length >= 5 && m.length <= 8 && m[0] === "foo", "what is there", m);
    },
    async rollback(t) {
      const r1 = await client.runs.create(t, "agent", { input: foo(5, t), config });
      const r2 = await client.runs.create(t, "agent", { input: bar(t), multitaskStrategy: "rollback", config });
      if (!reference) equal(await ended(server, t, r1.run_id), "gone", "rollback: the first is gone");
      equal(await ended(server, t, r2.run_id), "success", "rollback: the second ends well");
      const m = texts(await client.threads.getState(t));
      if (!reference) equal([m.length, m[0]], [4, "bar"], "as if the first had not been");
    },
    async enqueue(t) {
      const r1 = await client.runs.create(t, "agent", { input: foo(0.5, t), config });
      const r2 = await client.runs.create(t, "agent", { input: bar(t), multitaskStrategy: "enqueue", config });
      equal([await ended(server, t, r1.run_id), await ended(server, t, r2.run_id)], ["success", "success"], "enqueue");
      const m = texts(await client.threads.getState(t));
      equal([m.length, m[0], m.at(-4)], [8, "foo", "bar"], "one after the other");
    },
  };
  await Promise.all(Object.values(cases).map(async (c) => c(await newThread())));
});

finish();
