// kill-worker.mjs - what tests/fault/worker-kill.mjs kills: a graph that plans, works in
// eight places at once, asks, and ends.  KILL_LOG: a file for one line of JSON each
//   get      an attempt has read where it goes on; `at` is its number, here and below
//   ran      a node begins: thread, node, the number of the task
//   put, writes   the server has acknowledged a checkpoint, or the writes of a task
//   refused  it has not, and why
// The file is shared by all workers of a test: lines are in the order of what happened.
import { appendFileSync, existsSync } from "node:fs";
import { Annotation, END, START, Send, StateGraph, interrupt } from "@langchain/langgraph";
import { serve } from "../../clients/js/src/index.js";
import { RemoteSaver } from "../../clients/js/src/remote.js";

const build = process.env.COHORT_BUILD, file = process.env.KILL_LOG;
const log = (line) => appendFileSync(file, `${JSON.stringify({ ...line, build, pid: process.pid })}\n`);
const wait = (ms) => new Promise((r) => setTimeout(r, ms));

const attempts = new Map();
const at = (saver) => { if (!attempts.has(saver)) attempts.set(saver, attempts.size); return attempts.get(saver); };

for (const [method, line] of [
  ["getTuple", () => ({ t: "get" })],
  ["put", (config, checkpoint) => ({ t: "put", checkpoint: checkpoint.id })],
  ["putWrites", (config, writes, task) => ({ t: "writes", checkpoint: config.configurable.checkpoint_id, task, channels: writes.map((w) => w[0]) })],
]) {
  const original = RemoteSaver.prototype[method];
  RemoteSaver.prototype[method] = async function acknowledged(config, ...more) {
    const said = { ...line(config, ...more), thread: config.configurable.thread_id, at: at(this) };
    try {
      const result = await original.call(this, config, ...more);
      log(said);
      return result;
    } catch (error) {
      log({ ...said, t: "refused", method, error: `${error.name}: ${error.message}` });
      throw error;
    }
  };
}

// Until a test makes the file that the input names for this node.
const gate = async (s, node) => { while (s.gate?.[node] && !existsSync(s.gate[node])) await wait(5); };
const ran = (node, config) => log({ t: "ran", thread: config.configurable.thread_id, run: config.configurable.run_id, task: config.configurable.__pregel_task_id, node, at: at(config.configurable.__pregel_checkpointer) });

const State = Annotation.Root({
  ms: Annotation(),
  gate: Annotation(),
  log: Annotation({ reducer: (a, b) => a.concat(b), default: () => [] }),
});

const graph = new StateGraph(State)
  .addNode("plan", async (s, config) => { ran("plan", config); await gate(s, "plan"); await wait(s.ms); return { log: ["plan"] }; })
  .addNode("work", async (s, config) => { ran(`work ${s.n}`, config); await gate(s, "work"); await wait(s.ms * (1 + s.n % 4)); return { log: [`work ${s.n}`] }; })
  .addNode("ask", (s, config) => { ran("ask", config); return { log: [`ask ${interrupt("go on?")}`] }; })
  .addNode("last", async (s, config) => { ran("last", config); await wait(s.ms); return { log: ["last"] }; })
  .addEdge(START, "plan")
  .addConditionalEdges("plan", (s) => [...Array(8).keys()].map((n) => new Send("work", { n, ms: s.ms, gate: s.gate })), ["work"])
  .addEdge("work", "ask").addEdge("ask", "last").addEdge("last", END)
  .compile();

await serve({ kill: graph }, { log: (level, text, fields) => log({ t: "said", level, text, ...fields }) });
