// bench-worker.mjs - what tests/bench/worker.mjs measures: a graph of one node whose model
// says input.tokens words, one every input.ms.
//   node bench-worker.mjs            serves it as "talk"
//   node bench-worker.mjs alone N    the same graph in this process: prints, as JSON, the
//                                    time to the first word (of N runs) and the time a word
import { performance } from "node:perf_hooks";
import { AIMessageChunk } from "@langchain/core/messages";
import { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { ChatGenerationChunk } from "@langchain/core/outputs";
import { Annotation, END, MemorySaver, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";

class Talker extends BaseChatModel {
  constructor(tokens, ms) { super({}); Object.assign(this, { tokens, ms }); }
  _llmType() { return "talker"; }
  async _generate(m, o, manager) {
    let sum;
    for await (const c of this._streamResponseChunks(m, o, manager)) sum = sum ? sum.concat(c) : c;
    return { generations: [sum] };
  }
  async *_streamResponseChunks(_m, _o, manager) {
    const id = crypto.randomUUID();
    for (let i = 0; i < this.tokens; i++) {
      if (this.ms > 0) await new Promise((r) => setTimeout(r, this.ms));
      const chunk = new ChatGenerationChunk({ text: "word ", message: new AIMessageChunk({ content: "word ", id }) });
      yield chunk;
      await manager?.handleLLMNewToken("word ", undefined, undefined, undefined, undefined, { chunk });
    }
  }
}

const build = () => new StateGraph(Annotation.Root({ messages: MessagesAnnotation.spec.messages, tokens: Annotation(), ms: Annotation() }))
  .addNode("talk", async (s) => ({ messages: [await new Talker(s.tokens, s.ms).invoke(s.messages)] }))
  .addEdge(START, "talk").addEdge("talk", END);

const input = (tokens) => ({ messages: [{ role: "user", content: "hi" }], tokens, ms: 0 });

async function alone(runs) {
  const graph = build().compile({ checkpointer: new MemorySaver() }), firsts = [];
  for (let i = -20; i < runs; i++) {
    const began = performance.now();
    let first;
    for await (const [mode] of await graph.stream(input(5), { configurable: { thread_id: crypto.randomUUID() }, streamMode: ["values", "updates", "messages", "custom", "tasks"] }))
      if (mode === "messages") first ??= performance.now() - began;
    if (i >= 0) firsts.push(first);
  }
  const n = 20000, began = performance.now(), cpu = process.cpuUsage();
  let words = 0;
  for await (const [mode] of await graph.stream(input(n), { configurable: { thread_id: "long" }, streamMode: ["values", "updates", "messages", "custom", "tasks"] })) words += mode === "messages";
  const used = process.cpuUsage(cpu);
  console.log(JSON.stringify({ firsts, wordUs: (performance.now() - began) * 1000 / words, cpuUs: (used.user + used.system) / words }));
}

if (process.argv[2] === "alone") await alone(Number(process.argv[3]));
else {
  const { serve } = await import("../../clients/js/src/index.js");
  await serve({ talk: build().compile() });
}
