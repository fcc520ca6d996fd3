// define.js - work that needs no framework: nodes and tools of charts, and whole agents
// of one function.
import { load } from "./langgraph.js";
import { plain, stringify } from "./plain.js";

const NAME = /^[A-Za-z0-9_.-]{1,128}$/;

// One list a process: a project's copy of this package and the command's may be two.
export const defined = globalThis[Symbol.for("cohort-worker.defined")] ??= { node: new Map(), tool: new Map(), run: new Map() };

function keep(kind, name, entry) {
  if (typeof name !== "string" || !NAME.test(name)) throw new TypeError(`a ${kind}'s name is ${JSON.stringify(name)}: it must be 1 to 128 letters, digits, "_", "-" or "."`);
  if (typeof entry.fn !== "function") throw new TypeError(`the ${kind} "${name}" has no function`);
  if (defined[kind].has(name)) throw new Error(`the ${kind} "${name}" is defined twice`);
  defined[kind].set(name, entry);
  return entry.fn;
}

// "30s", "500ms", "2m" or seconds.
function seconds(value, what) {
  if (value === undefined) return undefined;
  const [, number, unit = "s"] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(String(value)) ?? [];
  if (number === undefined) throw new TypeError(`${what}: the timeout ${JSON.stringify(value)} must be seconds, or a text such as "30s", "500ms", "2m"`);
  return Number(number) * { ms: 0.001, s: 1, m: 60, h: 3600 }[unit];
}

function check(options, known, what) {
  for (const key of Object.keys(options)) if (!known.includes(key)) throw new TypeError(`${what}: unknown option "${key}"; known: ${known.join(", ")}`);
}

const isJsonSchema = (s) => s !== null && typeof s === "object" && !("_def" in s) && !("_zod" in s) && !("~standard" in s);

/** A schema as JSON Schema; zod's by zod itself, or by LangChain's converter. */
async function jsonSchema(schema, what) {
  if (schema === undefined) return undefined;
  if (isJsonSchema(schema)) return plain(schema);
  if (typeof schema.toJSONSchema === "function") return plain(schema.toJSONSchema());
  try {
    return plain((await load("@langchain/core/utils/json_schema")).toJsonSchema(schema));
  } catch (error) {
    throw new TypeError(`${what}: its schema is no JSON Schema and could not be made one; pass JSON Schema, or install @langchain/core`, { cause: error });
  }
}

/** A node of charts and graphs (`worker: NAME`): fn(state, ctx) returns the update. */
export function node(name, fn, options = {}) {
  check(options, ["description", "schema", "timeout", "idempotent"], `node "${name}"`);
  return keep("node", name, { fn, ...options, timeout: seconds(options.timeout, `node "${name}"`) });
}

/** A tool for agents: tool(name, fn, options) or tool(a tool of LangChain, options). */
export function tool(name, fn, options = {}) {
  if (name !== null && typeof name === "object" && typeof name.invoke === "function") {
    const lc = name, given = fn ?? {};
    return tool(given.name ?? lc.name, (args, ctx) => lc.invoke({ type: "tool_call", id: ctx.callId, name: lc.name, args }, { signal: ctx.signal }),
      { description: lc.description, schema: lc.schema, ...Object.fromEntries(Object.entries(given).filter(([k]) => k !== "name")) });
  }
  if (fn !== null && typeof fn === "object" && typeof fn.invoke === "function") return tool(fn, { ...options, name });
  check(options, ["description", "schema", "timeout", "idempotent"], `tool "${name}"`);
  return keep("tool", name, { fn, ...options, timeout: seconds(options.timeout, `tool "${name}"`) });
}

/** An agent of one function, in any framework: fn(state, ctx) returns the update, or a text. */
export function run(name, fn, options = {}) {
  check(options, ["description", "schemas"], `run "${name}"`);
  return keep("run", name, { fn, ...options });
}

const given = (object) => Object.fromEntries(Object.entries(object).filter(([, v]) => v !== undefined));

/** What the server is told of them. */
export async function describeDefined() {
  const list = (kind, row) => Promise.all([...defined[kind]].map(async ([name, e]) => given(await row(name, e))));
  return {
    nodes: await list("node", async (name, e) => ({ name, description: e.description, input_schema: await jsonSchema(e.schema, `node "${name}"`), idempotent: e.idempotent, timeout_s: e.timeout })),
    tools: await list("tool", async (name, e) => ({ name, description: e.description ?? "", schema: (await jsonSchema(e.schema, `tool "${name}"`)) ?? { type: "object" }, idempotent: e.idempotent, timeout_s: e.timeout })),
    runs: await list("run", async (id, e) => ({ id, description: e.description, schemas: e.schemas && Object.fromEntries(await Promise.all(Object.entries(e.schemas).map(async ([k, s]) => [k, await jsonSchema(s, `run "${id}"`)]))) })),
  };
}

// The store by plain calls, for code without LangGraph.
function storeOf(lease) {
  const one = async (op) => (await lease.store({ ops: [given(op)] })).results[0];
  return {
    get: (namespace, key) => one({ op: "get", namespace, key }),
    put: async (namespace, key, value, { index, ttl } = {}) => { await one({ op: "put", namespace, key, value, index, ttl }); },
    delete: async (namespace, key) => { await one({ op: "put", namespace, key, value: null }); },
    search: (namespace, { filter, query, limit, offset } = {}) => one({ op: "search", namespace, filter, query, limit, offset }),
    namespaces: ({ prefix, suffix, maxDepth, limit, offset } = {}) => one({ op: "namespaces", prefix, suffix, max_depth: maxDepth, limit, offset }),
  };
}

function contextOf(lease, log) {
  const { task } = lease, messageId = `run-${task.task_id}`;
  const piece = (data) => (typeof data === "string" ? { type: "AIMessageChunk", id: messageId, content: data } : data);
  return {
    task, input: task.input, state: task.state, config: task.config ?? {}, context: task.context ?? {}, user: task.auth_user,
    threadId: task.thread_id, runId: task.run_id, callId: task.call_id, messageId,
    key: task.key, attempt: task.attempt, signal: lease.signal, store: storeOf(lease),
    emit: (mode, data) => (mode === "messages" ? lease.emit(mode, [piece(data)]) : lease.emit(mode, data)),
    log: (text, fields) => log("info", text, { task: task.task_id, ...fields }),
  };
}

function updateOf(value, ctx, isRun) {
  if (isRun && typeof value === "string") return { messages: [{ type: "ai", id: ctx.messageId, content: value }] };
  return value === undefined || value === null ? {} : plain(value);
}

// What a model is shown of a tool's result: text or blocks of content, anything else as
// its JSON.
function contentOf(value) {
  const content = typeof value?.toDict === "function" ? value.content : value;
  if (content === undefined || content === null) return "";
  if (typeof content === "string") return content;
  const blocks = Array.isArray(content) && content.length > 0 && content.every((b) => typeof b?.type === "string");
  return blocks ? plain(content) : stringify(content);
}

/** Does a node's or a tool's task; the body of `end`. */
export async function runDefined(kind, entry, lease, log) {
  const ctx = contextOf(lease, log), { task } = lease;
  if (kind === "tool") return { status: "success", output: contentOf(await entry.fn(task.args ?? {}, ctx)) };
  const state = kind === "node" && task.input !== undefined && task.input !== null ? task.input : task.state ?? {};
  return { status: "success", output: updateOf(await entry.fn(state, ctx), ctx, kind === "run") };
}
