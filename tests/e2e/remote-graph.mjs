// remote-graph.mjs - RemoteGraph of @langchain/langgraph: an agent of ours used
// as a graph in somebody else's program.
import { Command, Send } from "@langchain/langgraph";
import { RemoteGraph } from "@langchain/langgraph/remote";
import { check, equal, finish, scenario } from "./lib.mjs";
import { clientOf, matches, reference, startCore, startMock } from "./core-lib.mjs";

const mock = reference ? undefined : await startMock(["--delay-ms", "0", "--stream-delay-ms", "0"]);
const server = await startCore({ mock });
const client = clientOf(server);
const graphOf = (graphId, config) => new RemoteGraph({ graphId, client, ...(config ? { config } : {}) });
const user = { configurable: { user_id: "123" } };
const foo = () => ({ messages: [{ type: "human", content: "foo", id: "initial-message" }] });
const gather = async (stream) => { const out = []; for await (const c of await stream) out.push(c); return out; };
const fresh = async (more = {}) => ({ configurable: { ...more, thread_id: (await client.threads.create()).thread_id } });

await scenario("invoke", async () => {
  const v = await graphOf("agent").invoke(foo(), user);
  equal(v.messages.map((m) => m.content), ["foo", "begin", "tool_call__begin", "end"], "invoke gives the last values");
  const c = await fresh(user.configurable);
  await graphOf("agent").invoke(foo(), c);
  const again = await graphOf("agent").invoke({ messages: [{ type: "human", content: "bar" }] }, c);
  equal(again.messages.length, 8, "a thread keeps what was said");
  await graphOf("error").invoke({ messages: [] }).then(() => check(false, "a failing agent throws"), (e) => check(/Boo!|CustomError/.test(`${e.name} ${e.message}`), "a failing agent throws", e));
});

await scenario("stream", async () => {
  const g = graphOf("agent", user);
  equal((await gather(g.stream(foo(), { ...user, streamMode: "values" }))).map((v) => v.messages.map((m) => m.content)),
    [["foo"], ["foo", "begin"], ["foo", "begin", "tool_call__begin"], ["foo", "begin", "tool_call__begin", "end"]], "values");
  equal((await gather(g.stream(foo(), { ...user, streamMode: "updates" }))).map((u) => Object.keys(u)[0]), ["agent", "tool", "agent"], "updates");
  const both = await gather(g.stream(foo(), { ...user, streamMode: ["values", "updates"] }));
  equal(both.map((p) => p[0]), ["values", "updates", "values", "updates", "values", "updates", "values"], "two modes, named");
  const m = await gather(g.stream(foo(), { ...user, streamMode: "messages" }));
  check(m.length >= 4, "messages", m.length);
  const custom = await gather(g.stream({ ...foo(), sleep: { steps: 2, ms: 1 } }, { ...user, streamMode: "custom" }));
  equal(custom, [{ type: "sleep", step: 0 }, { type: "sleep", step: 1 }], "custom");
  const debug = await gather(g.stream(foo(), { ...(await fresh(user.configurable)), streamMode: "debug" }));
  check(debug.some((d) => d.type === "checkpoint") && debug.some((d) => d.type === "task") && debug.some((d) => d.type === "task_result"), "debug", debug.map((d) => d.type));
});

await scenario("sub-agents", async () => {
  const chunks = await gather(graphOf("nested").stream({ messages: ["in"] }, { streamMode: "updates", subgraphs: true }));
  equal(chunks.map(([ns, u]) => [ns.map((s) => s.split(":")[0]).join("|"), Object.keys(u)[0]]),
    [["", "gp_one"], ["gp_two", "p_one"], ["gp_two|p_two", "c_one"], ["gp_two|p_two", "c_two"], ["gp_two", "p_two"], ["", "gp_two"]], "namespaces");
  const modes = await gather(graphOf("nested").stream({ messages: ["in"] }, { streamMode: ["values", "updates"], subgraphs: true }));
  check(modes.every((c) => Array.isArray(c[0]) && ["values", "updates"].includes(c[1])), "namespace, mode, data", modes[0]);
});

await scenario("state, history, update", async () => {
  const g = graphOf("steps"), c = await fresh();
  const waits = await gather(g.stream({ topic: "x" }, { ...c, streamMode: "values" })).catch((e) => e);
  check(Array.isArray(waits) || /interrupt/i.test(`${waits.name} ${waits.message}`), "runs to the question", waits);
  const s = await g.getState(c);
  equal([s.next, s.values.draft, s.metadata.step], [["review"], "draft of x", 1], "getState");
  matches(s.tasks, [{ name: "review", interrupts: [{ value: { q: "good?" } }] }], "its tasks");
  matches(s.config.configurable, { thread_id: c.configurable.thread_id, checkpoint_ns: "", checkpoint_id: String }, "its config");
  const h = await gather(g.getStateHistory(c));
  equal(h.map((x) => x.metadata.step), [1, 0, -1], "getStateHistory");
  equal((await gather(g.getStateHistory(c, { limit: 1 }))).length, 1, "limit");
  equal((await gather(g.getStateHistory(c, { filter: { source: "input" } }))).length, 1, "filter");
  equal((await g.getState(h[1].config)).next, ["write"], "getState at a checkpoint");
  const config = await g.updateState(c, { draft: "mine" }, "write");
  matches(config.configurable, { thread_id: c.configurable.thread_id, checkpoint_ns: "", checkpoint_id: String }, "updateState gives a config");
  equal([(await g.getState(c)).values.draft, (await g.getState(c)).next], ["mine", ["review"]], "updateState");
  await g.updateState(h[1].config, { draft: "forked" }, "write");
  const forked = await g.getState(c);
  equal([forked.values.draft, forked.parentConfig.configurable.checkpoint_id], ["forked", h[1].config.configurable.checkpoint_id], "update at a checkpoint");
});

await scenario("resume", async () => {
  const g = graphOf("steps"), c = await fresh();
  await gather(g.stream({ topic: "x" }, { ...c, streamMode: "values" })).catch(() => {});
  const v = await g.invoke(new Command({ resume: "ok" }), c);
  equal(v.log, ["write", "review ok", "publish"], "Command resume");
  const d = await fresh();
  await gather(g.stream({ topic: "y" }, { ...d, streamMode: "values", interruptBefore: ["write"] })).catch(() => {});
  equal((await g.getState(d)).next, ["write"], "interruptBefore");
  await gather(g.stream(null, { ...d, streamMode: "values" })).catch(() => {});
  equal((await g.getState(d)).next, ["review"], "goes on with null");
  const w = await g.invoke(new Command({ resume: "ok", update: { topic: "z" } }), d).catch((e) => e);
  equal([w.topic, w.log], ["z", ["write", "review ok", "publish"]], "resume with update");
});

await scenario("goto", async () => {
  const g = graphOf("sends"), c = await fresh();
  await g.invoke({ items: [1] }, c);
  const v = await g.invoke(new Command({ update: { items: [9] }, goto: [new Send("note", { n: "sent" })] }), c);
  equal([v.items, v.log.slice(-2)], [[9], ["note sent", "sum 4"]], "Command goto with a Send");
});

if (!reference) await scenario("state of sub-agents", async () => {
  const g = graphOf("weather"), c = await fresh();
  await gather(g.stream({ messages: [{ role: "user", content: "SF" }] }, { ...c, streamMode: "values" })).catch(() => {});
  const s = await g.getState(c, { subgraphs: true });
  matches(s.tasks, [{ name: "weather_graph", state: { next: ["weather_node"], values: { city: "San Francisco" } } }], "subgraphs");
});

await scenario("graph", async () => {
  const drawn = await graphOf("agent").getGraphAsync();
  equal(Object.keys(drawn.nodes).sort(), ["__end__", "__start__", "agent", "checkSharedState", "tool"], "nodes");
  check(drawn.edges.some((e) => e.source === "tool" && e.target === "agent"), "edges", drawn.edges);
  const deep = await graphOf("nested").getGraphAsync({ xray: true });
  check(Object.keys(deep.nodes).some((n) => n.includes("c_two")), "xray", Object.keys(deep.nodes));
});

if (!reference) await scenario("inside another graph", async () => {
  const { Annotation, END, START, StateGraph } = await import("@langchain/langgraph");
  const outer = new StateGraph(Annotation.Root({ items: Annotation(), log: Annotation({ reducer: (a, b) => a.concat(b), default: () => [] }) }))
    .addNode("remote", graphOf("sends")).addEdge(START, "remote").addEdge("remote", END).compile();
  const v = await outer.invoke({ items: [1, 2] });
  check(v.log.includes("note 1") && v.log.includes("sum 3"), "a node of it", v.log);
});

finish();
