// graphs.mjs - the agents of tests/agents again, in code: what a worker hosts in
// tests/e2e/worker-js.mjs, so that the suites of the YAML agents are asked of them.
// The official JavaScript server takes them too, when the suites are to be asked of it:
//   cp tests/e2e/reference/* tests/workers/graphs.mjs SOMEWHERE, npm install there,
//   node serve.mjs 8124
//   REFERENCE=http://localhost:8124 node tests/e2e/agents.mjs
import { randomUUID } from "node:crypto";
import { AIMessage, AIMessageChunk, HumanMessage, ToolMessage } from "@langchain/core/messages";
import { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { ChatGenerationChunk } from "@langchain/core/outputs";
import { Annotation, END, MessagesAnnotation, START, Send, StateGraph, interrupt } from "@langchain/langgraph";

const last = () => Annotation();
const append = () => Annotation({ reducer: (a, b) => a.concat(b), default: () => [] });
const messages = MessagesAnnotation.spec.messages;
const wait = (ms) => new Promise((r) => setTimeout(r, ms));

// Says its replies in turn, one piece a chunk, one id a message.
class Scripted extends BaseChatModel {
  constructor(replies, cut = "", id = undefined) { super({}); Object.assign(this, { replies, cut, turn: 0, fixed: id }); }
  _llmType() { return "scripted"; }
  async _generate(m, o, manager) {
    let sum;
    for await (const c of this._streamResponseChunks(m, o, manager)) sum = sum ? sum.concat(c) : c;
    return { generations: [sum] };
  }
  async *_streamResponseChunks(_m, _o, manager) {
    const text = this.replies[this.turn++ % this.replies.length], id = this.fixed ?? randomUUID();
    for (const piece of text.split(this.cut)) {
      const chunk = new ChatGenerationChunk({ text: piece, message: new AIMessageChunk({ content: piece, id }) });
      yield chunk;
      await manager?.handleLLMNewToken(piece, undefined, undefined, undefined, undefined, { chunk });
    }
  }
}
const models = {};
const perThread = (name, replies) => (config) => (models[`${name} ${config.configurable?.thread_id}`] ??= new Scripted(replies));
const agentModel = perThread("agent", ["begin", "end"]), simpleModel = perThread("simple", ["begin", "end\u2028"]);

const AgentState = Annotation.Root({ messages, sharedState: last(), sharedStateFromStoreConfig: last(), interrupt: last(), keyOne: last(), keyTwo: last(), sleep: last() });
export const agent = new StateGraph(AgentState)
  .addNode("agent", async (s, config) => {
    if (s.interrupt) interrupt("i want to interrupt");
    if (s.sleep != null && s.messages.at(-1)?.getType() === "human") {
      if (typeof s.sleep === "number") await wait(s.sleep * 1000);
      else for (let step = 0; step < s.sleep.steps; step++) { config.writer?.({ type: "sleep", step }); await wait(s.sleep.ms); }
    }
    const answer = await agentModel(config).invoke(s.messages);
    await config.store?.put(["sharedState", "data"], "user_id", { id: config.configurable?.user_id });
    return { messages: [answer], interrupt: false };
  })
  .addNode("tool", async (s, config) => ({
    sharedStateFromStoreConfig: (await config.store?.get(["sharedState", "data"], "user_id"))?.value ?? null,
    messages: [new ToolMessage({ content: `tool_call__${s.messages.at(-1).content}`, tool_call_id: "tool_call_id" })],
  }))
  .addNode("checkSharedState", async (_, config) => {
    if (!(await config.store?.get(["inputtedState", "data"], "my_key"))?.value.isTrue) throw new Error("Value is not true");
    return {};
  })
  .addEdge(START, "agent")
  .addConditionalEdges("agent", (s) => {
    if (s.messages[0].content === "should_end") return END;
    if (s.messages[0].content === "___check_state_value") return "checkSharedState";
    return s.messages.at(-1).content === "end" ? END : "tool";
  })
  .addEdge("tool", "agent").addEdge("checkSharedState", END).compile();

export const agent_simple = new StateGraph(Annotation.Root({ messages, key_one: last(), key_two: last(), sleep: last() }))
  .addNode("agent", async (s, config) => {
    const header = config.configurable?.["x-configurable-header"];
    if (header) return { messages: `end: ${header}` };
    const ns = [config.configurable?.langgraph_auth_user_id ?? "ALL"];
    if (!(await config.store?.get(ns, "key_one"))) await config.store?.put(ns, "key_one", { text: s.messages.at(-1).content });
    return { messages: [await simpleModel(config).invoke(s.messages)] };
  })
  .addNode("tool", (m) => ({ messages: [new ToolMessage({ content: `tool_call__${m.content}`, tool_call_id: "tool_call_id" })] }))
  .addEdge(START, "agent")
  .addConditionalEdges("agent", (s) => s.messages.at(-1).content.startsWith("end") ? END : new Send("tool", s.messages.at(-1)), ["tool", END])
  .addEdge("tool", "agent").compile();

class CustomError extends Error { constructor(m) { super(m); this.name = "CustomError"; } }
export const error = new StateGraph(MessagesAnnotation)
  .addNode("agent", async () => { await wait(1000); throw new CustomError("Boo!"); })
  .addEdge(START, "agent").addEdge("agent", END).compile();
export const delay = new StateGraph(Annotation.Root({ messages, delay: last() }))
  .addNode("agent", async (s) => { await wait(s.delay); return { messages: `finished after ${s.delay}ms` }; })
  .addEdge(START, "agent").addEdge("agent", END).compile();
export const simple_runtime = new StateGraph(Annotation.Root({ message: last(), model: last() }), Annotation.Root({ model: last() }))
  .addNode("agent", (_, config) => ({ model: config.context?.model ?? "unknown" }))
  .addEdge(START, "agent").addEdge("agent", END).compile();

const weatherGraph = new StateGraph(Annotation.Root({ messages, city: last() }))
  .addNode("model_node", () => ({ city: "San Francisco" }))
  .addNode("weather_node", (s) => ({ messages: [new AIMessage(`It's sunny in ${s.city}!`)] }))
  .addEdge(START, "model_node").addEdge("model_node", "weather_node").addEdge("weather_node", END)
  .compile({ interruptBefore: ["weather_node"] });
export const weather = new StateGraph(Annotation.Root({ messages, route: last() }))
  .addNode("router_node", () => ({ route: "weather" }))
  .addNode("normal_llm_node", () => ({ messages: [new AIMessage("Hello")] }))
  .addNode("weather_graph", weatherGraph)
  .addEdge(START, "router_node")
  .addConditionalEdges("router_node", (s) => s.route === "weather" ? "weather_graph" : "normal_llm_node", ["weather_graph", "normal_llm_node"])
  .addEdge("weather_graph", END).addEdge("normal_llm_node", END).compile();

const texts = () => Annotation({ reducer: (a, b) => a.concat(b) });
const enter = (n) => () => ({ messages: [`Entered ${n} node`] });
const chain = (state, one, two, inner) => new StateGraph(Annotation.Root(state))
  .addNode(one, enter(one)).addNode(two, inner ?? enter(two)).addEdge(START, one).addEdge(one, two).addEdge(two, END).compile();
const child = chain({ messages: texts(), child: last() }, "c_one", "c_two");
const parent = chain({ messages: texts(), parent: last() }, "p_one", "p_two", child);
export const nested = chain({ messages: texts() }, "gp_one", "gp_two", parent);
export const dynamic = async (config) => {
  const name = config.configurable?.nodeName ?? "default";
  return new StateGraph(Annotation.Root({ messages: texts() }))
    .addNode(name, () => ({ messages: [name] })).addEdge(START, name).addEdge(name, END).compile();
};

// ---- those of tests/agents/e2e ---------------------------------------------

const ask = (q) => interrupt({ q });
export const two_asks = new StateGraph(Annotation.Root({ left: last(), right: last(), log: append() }))
  .addNode("a_left", () => ({ left: ask("left?") })).addNode("b_right", () => ({ right: ask("right?") }))
  .addNode("plain", () => ({ log: ["plain"] }))
  .addNode("done", (s) => ({ log: [`${s.left}/${s.right}`] }))
  .addEdge(START, "a_left").addEdge(START, "b_right").addEdge(START, "plain")
  .addEdge(["a_left", "b_right", "plain"], "done").addEdge("done", END).compile();
export const do_asks = new StateGraph(Annotation.Root({ out: last(), log: append() }))
  .addNode("form", () => { const name = ask("name?"), age = ask("age?"); return { out: `${name} is ${age}`, log: ["asked"] }; })
  .addNode("done", () => ({ log: ["done"] }))
  .addEdge(START, "form").addEdge("form", "done").addEdge("done", END).compile();
export const sends = new StateGraph(Annotation.Root({ items: last(), log: append() }))
  .addNode("plan", () => ({ log: ["plan"] }))
  .addNode("note", (s) => ({ log: [`note ${s.n}`] }))
  .addNode("sum", (s) => ({ log: [`sum ${s.log.length}`] }))
  .addEdge(START, "plan")
  .addConditionalEdges("plan", (s) => s.items.map((n) => new Send("note", { n })), ["note"])
  .addEdge("note", "sum").addEdge("sum", END).compile();
const asker = new StateGraph(Annotation.Root({ n: last(), answer: last() }))
  .addNode("put", (s) => ({ answer: interrupt({ n: s.n }) })).addEdge(START, "put").addEdge("put", END).compile();
export const sub_ask = new StateGraph(Annotation.Root({ n: last(), answer: last(), log: append() }))
  .addNode("first", () => ({ log: ["first"] })).addNode("inner", asker)
  .addNode("after", (s) => ({ log: [`after ${s.answer}`] }))
  .addEdge(START, "first").addEdge("first", "inner").addEdge("inner", "after").addEdge("after", END).compile();

// steps: what time travel is tried on: three nodes, a question in the second.
export const steps = new StateGraph(Annotation.Root({ messages, topic: last(), draft: last(), log: append() }))
  .addNode("write", (s) => ({ draft: `draft of ${s.topic}`, log: ["write"] }))
  .addNode("review", () => { const v = ask("good?"); return { log: [`review ${v}`] }; })
  .addNode("publish", (s) => ({ log: ["publish"], messages: [new AIMessage({ content: `published ${s.draft}`, id: `p-${s.log.length}` })] }))
  .addEdge(START, "write").addEdge("write", "review").addEdge("review", "publish").addEdge("publish", END).compile();
export const pair = new StateGraph(Annotation.Root({ a: last(), b: last(), log: append() }))
  .addNode("one", () => ({ a: 1, log: ["one"] })).addNode("two", () => ({ b: 2, log: ["two"] })).addNode("end", () => ({ log: ["end"] }))
  .addEdge(START, "one").addEdge(START, "two").addEdge(["one", "two"], "end").addEdge("end", END).compile();
export const chat = new StateGraph(MessagesAnnotation)
  .addNode("model", (s) => ({ messages: [new AIMessage(`echo ${s.messages.at(-1).content} (${s.messages.length})`)] }))
  .addEdge(START, "model").addEdge("model", END).compile();
export const slow = new StateGraph(Annotation.Root({ n: last(), log: append() }))
  .addNode("one", async (s) => { await wait(s.n); return { log: ["one"] }; })
  .addNode("two", async (s) => { await wait(s.n); return { log: ["two"] }; })
  .addEdge(START, "one").addEdge("one", "two").addEdge("two", END).compile();
