// graph.js - a graph of LangGraph as a worker hosts it: opened for a task with the task's
// own checkpointer and store, run, updated, and described for the server.
import { langgraph, load } from "./langgraph.js";
import { plain, plainError } from "./plain.js";
import { RemoteSaver } from "./saver.js";
import { RemoteStore } from "./store.js";

const { Command, Send } = await langgraph();

const MODES = ["values", "updates", "messages", "custom", "tasks", "tools", "checkpoints"];
const isPregel = (graph) => typeof graph === "object" && graph !== null && graph.lg_is_pregel === true;

// A graph from what a user exports: compiled or not, or the wrapper of createAgent.
function compiled(given, id) {
  const graph = typeof given?.compile === "function" ? given.compile() : given;
  if (isPregel(graph)) return graph;
  if (isPregel(graph?.graph)) return graph.graph;
  throw new TypeError(`the graph "${id}" is ${given === null ? "null" : typeof given}: it must be a StateGraph, a compiled graph, an agent of createAgent, or a function that returns one`);
}

/** Opens a graph, by its factory when it has one. */
export async function open(id, given, config, runtime) {
  const graph = typeof given === "function" ? await given(config, runtime) : await given;
  return compiled(graph, id);
}

// The user's graph may be shared by many tasks: a task's own checkpointer and store are
// laid over it, it is never changed.
function lend(graph, checkpointer, store) {
  const mine = Object.create(graph);
  Object.defineProperties(mine, {
    checkpointer: { value: checkpointer, writable: true, enumerable: true, configurable: true },
    store: { value: store, writable: true, enumerable: true, configurable: true },
  });
  return mine;
}

// Which channels of a namespace ("a:uuid|b:uuid") are state; known only of declared subgraphs.
function channelsOf(graph) {
  const known = new Map();
  return (ns) => {
    const plainNs = ns.split("|").map((part) => part.split(":")[0]).filter((part) => !/^\d+$/.test(part)).join("|");
    if (!known.has(plainNs)) {
      let found = plainNs === "" ? graph : undefined;
      try { if (!found) for (const [, sub] of graph.getSubgraphs(plainNs, true)) { found = sub; break; } } catch { /* not declared */ }
      known.set(plainNs, found && { specs: found.channels, names: new Set(found.streamChannelsList) });
    }
    return known.get(plainNs);
  };
}

function commandOf({ goto, update, resume, graph }) {
  const list = goto === null || goto === undefined ? undefined : Array.isArray(goto) ? goto : [goto];
  return new Command({ update: update ?? undefined, resume: resume ?? undefined, graph: graph ?? undefined,
    goto: list?.map((to) => (typeof to === "string" ? to : new Send(to.node, to.input ?? to.args))) });
}

function given(object) {
  return Object.fromEntries(Object.entries(object).filter(([, v]) => v !== undefined && v !== null));
}

// The run's config under LangGraph's JavaScript names.
function configOf(task, signal) {
  const { configurable = {}, tags, metadata, recursion_limit, max_concurrency, run_name } = task.config ?? {};
  const user = task.auth_user;
  const context = task.context && Object.keys(task.context).length > 0 ? task.context : undefined;
  return given({
    configurable: {
      ...(user && { langgraph_auth_user: user, langgraph_auth_user_id: user.identity, langgraph_auth_permissions: user.permissions ?? [] }),
      ...configurable,
    },
    tags, metadata: { run_attempt: task.attempt, ...metadata }, recursionLimit: recursion_limit, maxConcurrency: max_concurrency,
    runName: run_name, runId: task.run_id, context, signal,
  });
}

// Writes that are not a task's result.
const MARKS = new Set(["__error__", "__error_source_node__", "__interrupt__", "__resume__", "__scheduled__"]);

// A state as the server keeps it, subgraphs' states within their tasks.  LangGraph takes a
// task that was answered once and asks again for finished, and shows the answered
// questions of finished ones: what waits is told by the writes.
async function viewOf(snapshot, saver) {
  const { thread_id, checkpoint_ns = "", checkpoint_id } = snapshot.config?.configurable ?? {};
  const { pendingWrites = [] } = (checkpoint_id && (await saver.getTuple({ configurable: { thread_id, checkpoint_ns, checkpoint_id } }))) || {};
  const done = new Set(pendingWrites.filter(([, channel]) => !MARKS.has(channel)).map(([task]) => task));
  const tasks = [];
  for (const task of snapshot.tasks) {
    const inner = task.state?.values !== undefined && task.state.config?.configurable?.checkpoint_id ? await viewOf(task.state, saver) : undefined;
    tasks.push({
      id: task.id, name: String(task.name), ...(task.path && { path: plain(task.path) }),
      interrupts: done.has(task.id) ? [] : plain(task.interrupts ?? []), ...(inner && { state: inner }),
    });
  }
  return {
    checkpoint: { checkpoint_ns, ...(checkpoint_id && { checkpoint_id }) }, values: plain(snapshot.values),
    next: tasks.filter((t) => !done.has(t.id)).map((t) => t.name), tasks,
  };
}

// Tells the stream's events.  Each step's checkpoint is named, in short, before its values
// (LangGraph tells it after them), so values wait for it; where none comes, as at a stop
// after a node, they go before what comes next.  (With durability `exit` steps have ids
// only in LangGraph's own short form, which stands before the values.)  What langgraph says of a message is sent
// once, and again only when it changes.
function teller(lease) {
  const told = new Map(), held = new Map(), exit = lease.task.durability === "exit";
  const letGo = async (ns) => {
    const key = ns.join("|");
    if (!held.has(key)) return;
    const values = held.get(key);
    held.delete(key);
    await lease.emit("values", values, ns);
  };
  const tell = async (ns, mode, data) => {
    if (mode === "checkpoints" && !exit) {
      const { config, parentConfig, metadata } = data, parent_id = parentConfig?.configurable?.checkpoint_id;
      // No values are told of an input's own checkpoint: what channels begin with is in here.
      const begin = metadata?.source === "input" ? { values: data.values } : {};
      await lease.emit(mode, { id: config?.configurable?.checkpoint_id, ...(parent_id && { parent_id }), step: metadata?.step, source: metadata?.source, ...begin }, ns);
      return letGo(ns);
    }
    await letGo(ns);
    if (mode === "values" && !stops(mode, data) && !exit) { held.set(ns.join("|"), data); return undefined; }
    if (mode !== "messages") return lease.emit(mode, data, ns);
    const [message, metadata] = data, known = message?.id !== undefined && told.get(message.id) === metadata;
    if (message?.id !== undefined) told.set(message.id, metadata);
    return lease.emit(mode, known ? [message] : [message, metadata ?? {}], ns);
  };
  const rest = async () => { for (const key of [...held.keys()]) await letGo(key === "" ? [] : key.split("|")); };
  return { tell, rest };
}

const stops = (mode, data) => (mode === "values" || mode === "updates") && data !== null && typeof data === "object" && "__interrupt__" in data;

function lentGraph(graph, lease) {
  const saver = new RemoteSaver({ call: lease.saver, thread: lease.task.thread_id, channels: channelsOf(graph) });
  return lend(graph, saver, new RemoteStore({ call: lease.store }));
}

/** Runs a run's task to its end; the body of `end`. */
export async function runGraph(entry, lease) {
  const { task } = lease, config = configOf(task, lease.signal);
  // What has progress goes on from its newest checkpoint, wherever it was begun.
  if (task.again) delete config.configurable.checkpoint_id;
  const graph = lentGraph(await open(entry.id, entry.graph, config, { accessContext: "threads.create_run", executionRuntime: { context: task.context } }), lease);
  const input = task.again ? null : task.command ? commandOf(task.command) : task.input ?? null;
  const stream = await graph.stream(input, {
    ...config, ...given({ interruptBefore: task.interrupt_before, interruptAfter: task.interrupt_after, durability: task.durability }),
    subgraphs: true, ...(task.durability === "exit" ? { streamMode: MODES.slice(0, -1), version: "v2" } : { streamMode: MODES }),
  });
  const { tell, rest } = teller(lease);
  let stopped = false;
  for await (const [ns, mode, data] of stream) {
    stopped ||= stops(mode, data);
    await tell(ns, mode, data);
  }
  await rest();
  if (!stopped) return { status: "success" };
  const { checkpoint_id: _chosen, ...configurable } = config.configurable;
  const view = await viewOf(await graph.getState({ configurable }, { subgraphs: true }), graph.checkpointer);
  return view.next.length > 0 ? { status: "interrupted", view } : { status: "success" };
}

/** Changes a thread's state as updateState and bulkUpdateState do; the body of `end`. */
export async function updateGraph(entry, lease) {
  const { task } = lease, config = configOf(task, lease.signal);
  const graph = lentGraph(await open(entry.id, entry.graph, config, { accessContext: "threads.update", executionRuntime: null }), lease);
  const { checkpoint_ns = "", checkpoint_id } = task.checkpoint ?? {};
  const at = { configurable: { ...config.configurable, thread_id: task.thread_id, checkpoint_ns, ...(checkpoint_id && { checkpoint_id }) } };
  const steps = task.updates.map((updates) => ({
    updates: updates.map(({ values, as_node: asNode, task_id: taskId }) => ({ values, ...(asNode && { asNode }), ...(taskId && { taskId }) })),
  }));
  const { configurable } = await graph.bulkUpdateState(at, steps);
  const { thread_id, checkpoint_ns: ns = "", checkpoint_id: id } = configurable;
  const view = await viewOf(await graph.getState({ configurable: { thread_id, checkpoint_ns: ns, checkpoint_id: id } }, { subgraphs: true }), graph.checkpointer);
  return { status: "success", checkpoint: { checkpoint_ns: ns, checkpoint_id: id }, view };
}

const isSchema = (x) => typeof x?.getJsonSchema === "function" && typeof x?.getInputJsonSchema === "function";

// The ways of LangGraph's own server: a StateSchema, zod with LangGraph's registry, zod.
async function schemasOf(graph) {
  const { _schemaRuntimeDefinition: state, _inputRuntimeDefinition: input, _outputRuntimeDefinition: output, _configRuntimeSchema: config } = graph.builder ?? {};
  if ([state, input, output].some(isSchema))
    return { state: isSchema(state) ? state.getJsonSchema() : undefined, output: isSchema(output) ? output.getJsonSchema() : undefined,
      input: isSchema(input) ? input.getInputJsonSchema() : isSchema(state) ? state.getInputJsonSchema() : undefined };
  try {
    const zod = await load("@langchain/langgraph/zod/schema");
    const found = { state: zod.getUpdateTypeSchema(graph), input: zod.getInputTypeSchema(graph), output: zod.getOutputTypeSchema(graph), config: zod.getConfigTypeSchema(graph) };
    if (Object.values(found).some((s) => s !== null && s !== undefined)) return found;
  } catch { /* no zod, or an older langgraph */ }
  try {
    const [{ toJsonSchema }, { isZodSchemaV3, isZodSchemaV4 }] = await Promise.all([load("@langchain/core/utils/json_schema"), load("@langchain/core/utils/types")]);
    const convert = (s) => (s && (isZodSchemaV4(s) || isZodSchemaV3(s)) ? toJsonSchema(s) : undefined);
    return { state: convert(state), input: convert(input), output: convert(output), config: convert(config) };
  } catch { return {}; }
}

// Where types are TypeScript's alone nothing is left of them at run time: the names are.
function byNames(names) {
  const list = (Array.isArray(names) ? names : [names]).filter((n) => typeof n === "string" && !n.startsWith("__"));
  return { type: "object", properties: Object.fromEntries(list.map((n) => [n, {}])) };
}

async function allSchemas(graph) {
  const found = await schemasOf(graph), state = byNames(graph.streamChannelsList);
  return {
    input: found.input ?? (found.state && { ...found.state, required: undefined }) ?? (graph.builder?._inputDefinition ? byNames(Object.keys(graph.builder._inputDefinition)) : state),
    output: found.output ?? found.state ?? (byNames(graph.outputChannels)), state: found.state ?? state,
    config: found.config ?? { type: "object" }, context: found.config ?? { type: "object" },
  };
}

// Nodes without a name are numbers in LangChain's drawing.
function drawn({ nodes, edges }) {
  return {
    nodes: nodes.map((n) => ({ ...n, id: String(n.id) })),
    edges: edges.map((e) => ({ ...e, source: String(e.source), target: String(e.target) })),
  };
}

/** What the server is told of a graph, so that it can show it without this worker. */
export async function describe(id, value, description) {
  const graph = await open(id, value, { configurable: {} }, { accessContext: "assistants.read", executionRuntime: null });
  const draw = async (options) => drawn(plain((await graph.getGraphAsync(options)).toJSON()));
  const subgraphs = {};
  for await (const [ns, sub] of graph.getSubgraphsAsync(undefined, true)) {
    const { input, output, state, config } = await allSchemas(sub);
    subgraphs[ns] = { input_schema: input, output_schema: output, state_schema: state, config_schema: config };
  }
  return plain({
    id, ...given({ description: description ?? graph.description }), schemas: await allSchemas(graph),
    drawing: await draw({}), xray: await draw({ xray: true }), ...(Object.keys(subgraphs).length > 0 && { subgraphs }),
  });
}

export { plainError };
