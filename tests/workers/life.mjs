// life.mjs - a graph whose checkpoints are copied, pruned and taken back: a sub-graph that
// keeps its state over runs, a question, an end that is slow if it is told so.
import { Annotation, END, START, StateGraph, interrupt } from "@langchain/langgraph";

const append = () => Annotation({ reducer: (a, b) => a.concat(b), default: () => [] });
const wait = (ms) => new Promise((r) => setTimeout(r, ms));

const counter = new StateGraph(Annotation.Root({ seen: append() }))
  .addNode("count", () => ({})).addEdge(START, "count").addEdge("count", END).compile({ checkpointer: true });

export const life = new StateGraph(Annotation.Root({ say: Annotation(), big: Annotation(), log: append(), calls: Annotation() }))
  .addNode("counter", async (s) => ({ calls: (await counter.invoke({ seen: [s.say] })).seen }))
  .addNode("ask", (s) => ({ log: [`${s.say} ${interrupt(s.say)}`] }))
  .addNode("end", async (s) => { if (s.log.at(-1).endsWith(" slow")) await wait(60000); return { log: ["end"] }; })
  .addEdge(START, "counter").addEdge("counter", "ask").addEdge("ask", "end").addEdge("end", END).compile();
