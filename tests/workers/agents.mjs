// agents.mjs - agents as their makers write them, unchanged: LangGraph's createReactAgent,
// deepagents, the agents of the SDK's integration tests; with a chat model that says what
// the conversation asks for.
import { AIMessage, AIMessageChunk, ToolMessage } from "@langchain/core/messages";
import { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { ChatGenerationChunk } from "@langchain/core/outputs";
import { tool } from "@langchain/core/tools";
import { Annotation, DeltaChannel, END, MessagesAnnotation, START, StateGraph, entrypoint, interrupt, task } from "@langchain/langgraph";
import { ToolNode, createReactAgent } from "@langchain/langgraph/prebuilt";
import { createDeepAgent } from "deepagents";
import { z } from "zod";

// answer(messages): a text, or {content, tool_calls}; streamed word by word.
class Scripted extends BaseChatModel {
  constructor(answer) { super({}); this.answer = answer; this.calls = 0; }
  _llmType() { return "scripted"; }
  bindTools() { return this; }
  async _generate(messages, options, manager) {
    let sum;
    for await (const c of this._streamResponseChunks(messages, options, manager)) sum = sum ? sum.concat(c) : c;
    return { generations: [sum] };
  }
  async *_streamResponseChunks(messages, _options, manager) {
    const said = this.answer(messages), { content = said, tool_calls = [] } = typeof said === "string" ? {} : said;
    const id = `ai-${messages.length}-${globalThis.crypto.randomUUID().slice(0, 8)}`;
    const pieces = (content || "").split(/(?<= )/).map((text) => ({ content: text }));
    if (tool_calls.length > 0) pieces.push({ content: "", tool_call_chunks: tool_calls.map((c, index) => ({ name: c.name, args: JSON.stringify(c.args), id: c.id, index, type: "tool_call_chunk" })) });
    for (const piece of pieces) {
      const chunk = new ChatGenerationChunk({ text: piece.content, message: new AIMessageChunk({ ...piece, id }) });
      yield chunk;
      await manager?.handleLLMNewToken(piece.content, undefined, undefined, undefined, undefined, { chunk });
    }
  }
}
const textOf = (m) => (typeof m?.content === "string" ? m.content : (m?.content ?? []).map((b) => b.text ?? "").join(""));
const isTool = (m) => m?.getType() === "tool";
const call = (name, args, id = `call-${name}`) => ({ content: "", tool_calls: [{ name, args, id }] });

// ---- createReactAgent -------------------------------------------------------

const weather = tool(({ city }) => `sunny in ${city}`, { name: "weather", description: "The weather of a city.", schema: z.object({ city: z.string() }) });
const send = tool(({ to }) => { const ok = interrupt({ question: `send to ${to}?` }); return ok === "yes" ? `sent to ${to}` : "not sent"; },
  { name: "send", description: "Sends a letter.", schema: z.object({ to: z.string() }) });

export const react = createReactAgent({
  llm: new Scripted((messages) => {
    const last = messages.at(-1);
    if (isTool(last)) return `It is: ${textOf(last)}`;
    return textOf(last).startsWith("send") ? call("send", { to: "Ada" }) : call("weather", { city: "Oslo" });
  }),
  tools: [weather, send],
});

// ---- deepagents -------------------------------------------------------------

// The main agent writes a file, gives work to a sub-agent, and sums up; "danger" asks first.
const deepModel = new Scripted((messages) => {
  const asked = messages.filter((m) => m.getType() === "human").map(textOf).at(-1) ?? "";
  const tools = messages.filter(isTool).map((m) => m.name);
  if (asked.startsWith("look up")) return isTool(messages.at(-1)) ? "The sub-agent found it." : call("weather", { city: "Rome" }, "call-sub");
  if (asked.includes("danger")) return tools.includes("weather") ? "Done with care." : call("weather", { city: "Pompeii" }, "call-danger");
  if (!tools.includes("write_file")) return call("write_file", { file_path: "/plan.md", content: "the plan" });
  if (!tools.includes("task")) return call("task", { description: "look up the weather", subagent_type: "helper" });
  return "All of it is done.";
});
export const deep = createDeepAgent({
  model: deepModel, tools: [weather], systemPrompt: "You plan.",
  subagents: [{ name: "helper", description: "looks things up", systemPrompt: "You help.", tools: [weather], model: deepModel }],
});
export const deep_careful = createDeepAgent({ model: deepModel, tools: [weather], systemPrompt: "You ask.", interruptOn: { weather: true } });

// ---- the SDK's integration tests -----------------------------------------------

const append = () => Annotation({ reducer: (a, b) => a.concat(b), default: () => [] });
const Items = Annotation.Root({ items: append() });
const hello = new (class extends Scripted {
  async *_streamResponseChunks(m, o, manager) {
    for (const word of ["Hello, ", "world!"]) {
      const chunk = new ChatGenerationChunk({ text: word, message: new AIMessageChunk({ content: word, id: "ai-msg-1" }) });
      yield chunk;
      await manager?.handleLLMNewToken(word, undefined, undefined, undefined, undefined, { chunk });
    }
  }
})(() => "");
const step = (name, fn) => async (state, config) => {
  config.writer({ name: "progress", step: name, phase: "start" });
  const out = await fn(state, config);
  config.writer({ name: "progress", step: name, phase: "end" });
  return out;
};
const sub = new StateGraph(Items).addNode("sub_node", () => ({ items: ["sub"] })).addEdge(START, "sub_node").addEdge("sub_node", END).compile();
export const sdk_agent = new StateGraph(Annotation.Root({ ...MessagesAnnotation.spec, value: Annotation(), items: append() }))
  .addNode("stream_message", step("stream_message", async (s) => ({ messages: [await hello.invoke(s.messages)], value: "x", items: ["streamed"] })))
  .addNode("call_tool", step("call_tool", () => ({ items: ["tool"], messages: [
    new AIMessage({ id: "ai-msg-2", content: "", tool_calls: [{ id: "tc-1", name: "search", args: { query: "v3" } }] }),
    new ToolMessage({ id: "tool-msg-1", name: "search", content: "found v3", tool_call_id: "tc-1" })] })))
  .addNode("ask_human", step("ask_human", () => { const said = interrupt("Are we good?"); return { messages: [new AIMessage(`Human said: ${said}`)], items: ["asked"] }; }))
  .addNode("run_subgraph", step("run_subgraph", async () => ({ items: (await sub.invoke({ items: [] })).items })))
  .addEdge(START, "stream_message").addEdge("stream_message", "call_tool").addEdge("call_tool", "ask_human").addEdge("ask_human", "run_subgraph").addEdge("run_subgraph", END)
  .compile();

const search = tool(({ query }) => `results for ${query}`, { name: "search", description: "Search the documentation.", schema: z.object({ query: z.string() }) });
const caller = new Scripted((m) => (isTool(m.at(-1)) ? "done." : { content: "", tool_calls: [{ id: "call-1", name: "search", args: { query: "v3" } }] }));
export const tools_agent = new StateGraph(MessagesAnnotation)
  .addNode("agent", async (s) => ({ messages: [await caller.invoke(s.messages)] })).addNode("tools", new ToolNode([search]))
  .addEdge(START, "agent").addConditionalEdges("agent", (s) => (s.messages.at(-1).tool_calls?.length > 0 ? "tools" : END)).addEdge("tools", "agent").compile();

// ---- the functional API, and a channel that is saved as its changes -----------------

const addOne = task("add_one", async (n) => n + 1);
export const workflow = entrypoint({ name: "workflow" }, async ({ list }) => {
  const sums = await Promise.all(list.map((n) => addOne(n)));
  return { sums, ok: interrupt("ok?") };
});
export const delta = new StateGraph(Annotation.Root({ log: () => new DeltaChannel((a, writes) => a.concat(...writes)) }))
  .addNode("n", () => ({ log: ["n"] })).addEdge(START, "n").addEdge("n", END).compile();
