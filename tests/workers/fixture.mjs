// fixture.mjs - small graphs that worker-client.mjs serves, one for each thing it looks at.
import { AIMessageChunk } from "@langchain/core/messages";
import { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { ChatGenerationChunk } from "@langchain/core/outputs";
import { tool } from "@langchain/core/tools";
import { Annotation, DeltaChannel, END, MemorySaver, START, Send, StateGraph, StateSchema, interrupt } from "@langchain/langgraph";
import { z } from "zod";

const last = () => Annotation();
const append = () => Annotation({ reducer: (a, b) => a.concat(b), default: () => [] });
const Log = Annotation.Root({ log: append() });

// A door that nodes wait at.
export const gate = {
  close() { gate.closed = new Promise((r) => { gate.open = r; }); },
  open() {},
};
export const seen = {};

const inner = new StateGraph(Annotation.Root({ value: last() }))
  .addNode("ask", () => ({ value: interrupt("sure?") })).addEdge(START, "ask").addEdge("ask", END).compile();
export const ask = new StateGraph(Annotation.Root({ value: last(), log: append() }))
  .addNode("first", () => ({ log: ["first"] })).addNode("inner", inner).addNode("last", () => ({ log: ["last"] }))
  .addEdge(START, "first").addEdge("first", "inner").addEdge("inner", "last").addEdge("last", END).compile();

// Three steps; the second waits at the gate when the input says so.
export const chain = new StateGraph(Log)
  .addNode("one", () => ({ log: ["one"] }))
  .addNode("two", async (s, config) => {
    if (s.log[0] === "gate") {
      config.signal.addEventListener("abort", () => { seen.aborted = config.signal.reason.name; });
      await gate.closed;
    }
    return { log: ["two"] };
  })
  .addNode("three", () => ({ log: ["three"] }))
  .addEdge(START, "one").addEdge("one", "two").addEdge("two", "three").addEdge("three", END).compile();

export const fan = new StateGraph(Annotation.Root({ items: last(), log: append() }))
  .addNode("plan", () => ({})).addNode("note", (s) => ({ log: [s.n] }))
  .addEdge(START, "plan").addConditionalEdges("plan", (s) => s.items.map((n) => new Send("note", { n })), ["note"]).addEdge("note", END).compile();

export const delta = new StateGraph(Annotation.Root({ log: () => new DeltaChannel((a, writes) => a.concat(...writes)) }))
  .addNode("n", () => ({ log: ["n"] })).addEdge(START, "n").addEdge("n", END).compile();

const saver = new MemorySaver();
export const own = { saver, graph: new StateGraph(Log).addNode("n", () => ({ log: ["n"] })).addEdge(START, "n").addEdge("n", END).compile({ checkpointer: saver }) };
export const otherThread = new StateGraph(Log)
  .addNode("n", async (s, config) => chain.invoke(s, { ...config, configurable: { ...config.configurable, thread_id: "elsewhere" } }))
  .addEdge(START, "n").addEdge("n", END).compile();

class CustomError extends Error { name = "CustomError"; }
export const fails = new StateGraph(Log)
  .addNode("n", (s) => { if (s.log[0] === "odd") throw { odd: true }; throw new CustomError("Boo!"); })
  .addEdge(START, "n").addEdge("n", END).compile();

export const store = new StateGraph(Log)
  .addNode("n", async (_, { store: s, writer }) => {
    await s.put(["a", "b"], "k", { n: 1 });
    const got = await s.get(["a", "b"], "k"), found = await s.search(["a"]), spaces = await s.listNamespaces?.({ prefix: ["a"] }).catch(() => undefined);
    await s.delete(["a", "b"], "k");
    writer({ got: got.value, date: got.createdAt instanceof Date, found: found.map((i) => [i.key, i.value]), spaces: spaces ?? [["a", "b"]], gone: await s.get(["a", "b"], "k") });
    return {};
  }).addEdge(START, "n").addEdge("n", END).compile();

class Talker extends BaseChatModel {
  constructor(pieces) { super({}); this.pieces = pieces; }
  _llmType() { return "talker"; }
  async _generate(m, o, manager) {
    let sum;
    for await (const c of this._streamResponseChunks(m, o, manager)) sum = sum ? sum.concat(c) : c;
    return { generations: [sum] };
  }
  async *_streamResponseChunks(_m, _o, manager) {
    for (let i = 0; i < this.pieces; i++) {
      const chunk = new ChatGenerationChunk({ text: "x", message: new AIMessageChunk({ content: "x", id: "m1" }) });
      yield chunk;
      await manager?.handleLLMNewToken("x", undefined, undefined, undefined, undefined, { chunk });
    }
  }
}
export const talk = new StateGraph(Log)
  .addNode("n", async (s) => ({ log: [(await new Talker(Number(s.log[0])).invoke("hi")).content] })).addEdge(START, "n").addEdge("n", END).compile();

export const zod = new StateGraph(z.object({ topic: z.string() }), z.object({ tone: z.string() }))
  .addNode("n", () => ({})).addEdge(START, "n").addEdge("n", END).compile();
export const stateSchema = new StateGraph(new StateSchema({ count: z.number() }))
  .addNode("n", () => ({})).addEdge(START, "n").addEdge("n", END);

export const search = tool(({ query }) => `found ${query}`, { name: "search", description: "searches", schema: z.object({ query: z.string() }) });
