// worker-client.mjs - the JavaScript client against a stand-in of the server: what it does
// when connections are cut, answers are late or refuse, a lease is lost, a run is
// cancelled; what it tells of graphs, and how it reads projects.
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { check, equal, finish, repo, scenario, scratch, until } from "./lib.mjs";
import { command, startWorker, workersDir } from "./worker-lib.mjs";
import { standin } from "../workers/standin.mjs";

process.env.COHORT_PROJECT = workersDir;
const client = path.join(repo, "clients", "js", "src");
const { serve, node, tool, run } = await import(pathToFileURL(path.join(client, "index.js")).href);
const { stringify, plain } = await import(pathToFileURL(path.join(client, "plain.js")).href);
const fixture = await import(pathToFileURL(path.join(workersDir, "fixture.mjs")).href);

const quiet = { signals: false, log: false };
const tick = (ms) => new Promise((r) => setTimeout(r, ms));
const runTask = (more = {}) => ({ kind: "run", name: "g", run_id: "r", thread_id: "th", input: {}, ...more });
const events = (t, mode) => t.events.filter((e) => e.mode === mode).map((e) => e.data);

// A stand-in and a worker of the graphs; both are gone after `fn`.
async function hosted(graphs, fn, { server = {}, worker = {} } = {}) {
  const s = await standin({ beatS: 0.2, leaseS: 2, pollS: 2, ...server });
  const w = await serve(graphs, { url: s.url, ...quiet, ...worker });
  try { await fn(s, w); } finally { await w.stop(); await s.close(); }
}

// ---- what is told -----------------------------------------------------------

await scenario("registration", () => hosted({ g: fixture.ask, zod: fixture.zod, schema: fixture.stateSchema }, async (s) => {
  const { name, build, lang, protocol, slots, graphs } = s.workers[0];
  equal([lang, protocol, slots], ["js", 1, { run: 8, node: 32 }], "language, protocol, places");
  check(name.length > 0 && /^[0-9a-f]{12}$/.test(build), "a name and a build", [name, build]);
  const [g, zod, schema] = graphs;
  equal(Object.keys(g.schemas.state.properties), ["value", "log"], "an Annotation's schema has its channels' names");
  equal(g.drawing.nodes.map((n) => n.id), ["__start__", "first", "inner", "last", "__end__"], "the drawing");
  check(g.xray.nodes.some((n) => n.id === "inner:ask") || g.xray.nodes.length >= g.drawing.nodes.length, "drawn through subgraphs", g.xray.nodes.map((n) => n.id));
  equal(Object.keys(g.subgraphs), ["inner"], "the subgraph");
  equal(zod.schemas.input.properties.topic.type, "string", "zod's schema of the input");
  equal(zod.schemas.config.properties.tone.type, "string", "and of the context");
  equal(schema.schemas.state.properties.count.type, "number", "a StateSchema's");
}));

await scenario("plain values", async () => {
  const { AIMessage, AIMessageChunk } = await import(pathToFileURL(createRequire(path.join(workersDir, "x.js")).resolve("@langchain/core/messages")).href).then((m) => m.default ?? m);
  const cycle = { a: 1 };
  cycle.self = cycle;
  equal(plain(new AIMessage({ content: "x", id: "i" })).type, "ai", "a message has its type among its fields");
  equal([plain(new AIMessageChunk({ content: "x", id: "i" })).type, "lc" in plain(new AIMessage("x"))], ["ai", false], "no envelope");
  equal(plain({ m: new Map([[1, 2]]), s: new Set([1]), d: new Date(0), e: new Error("x"), u: undefined, b: 5n, big: 2n ** 70n }),
    { m: {}, s: {}, d: "1970-01-01T00:00:00.000Z", e: {}, b: 5, big: "1180591620717411303424" }, "Map, Set, Date, Error, undefined, BigInt");
  equal(JSON.parse(stringify({ cycle })), { cycle: { a: 1, self: "[Circular]" } }, "what holds itself is cut");
  const shared = { z: 1 };
  equal(JSON.parse(stringify({ a: shared, b: shared, cycle })).b, { z: 1 }, "what stands twice is not");
});

// ---- a run ------------------------------------------------------------------

await scenario("a run, its question, its answer", () => hosted({ g: fixture.ask }, async (s) => {
  const t = s.give(runTask({ input: { value: "a" } })), end = await t.ended;
  equal([end.status, end.view.next, end.view.tasks[0].interrupts[0].value], ["interrupted", ["inner"], "sure?"], "stops at the question");
  const inner = end.view.tasks[0].state;
  equal([inner?.checkpoint.checkpoint_ns.startsWith("inner:"), inner?.next], [true, ["ask"]], "the subgraph's state within its task");
  equal(t.events.map((e) => e.n), t.events.map((_, i) => i + 1), "events are numbered from 1");
  check(t.events.every((e, i) => e.mode !== "values" || "__interrupt__" in e.data || t.events[i - 1].mode === "checkpoints"), "a checkpoint is told before each values", t.events.map((e) => e.mode));
  check(t.events.some((e) => e.ns.length === 1 && e.ns[0].startsWith("inner:")), "the subgraph's events too");
  equal(t.calls.at(-1), "end", "the end is the last");
  const puts = s.log.filter((l) => l.body.op === "put").map((l) => l.body);
  equal(puts[0].view.values, { log: [] }, "a channel's default is shown from the start");
  check(puts.every((p) => Object.keys(p.view.values).every((c) => ["value", "log"].includes(c))), "only state is shown", puts.map((p) => p.view.values));
  const a = s.give(runTask({ command: { resume: "yes" }, input: null }));
  equal(await a.ended, { status: "success" }, "answered");
  equal(events(a, "values").at(-1), { value: "yes", log: ["first", "last"] }, "goes on to the end");
  check(!events(a, "tasks").some((d) => d.name === "first"), "what was done is not done again");
}));

await scenario("again: from the head, never the input twice", () => hosted({ g: fixture.ask }, async (s) => {
  await s.give(runTask({ input: { value: "a" } })).ended;
  const head = [...s.rows.threads.get("th").points.values()].filter((p) => p.ns === "").map((p) => p.id).sort()[0];
  const t = s.give(runTask({ input: { value: "b" }, again: true, config: { configurable: { thread_id: "th", checkpoint_ns: "", checkpoint_id: head } } }));
  equal([(await t.ended).status, events(t, "values").at(0)?.value ?? events(t, "updates").at(0)], ["interrupted", "a"], "the input is not applied, the old checkpoint not taken");
}));

await scenario("durability", async () => {
  const puts = async (durability) => {
    let count;
    await hosted({ g: fixture.chain }, async (s) => { await s.give(runTask({ input: { log: ["in"] }, durability })).ended; count = s.log.filter((l) => l.body.op === "put").length; });
    return count;
  };
  equal([await puts("sync"), await puts("async"), await puts("exit")], [5, 5, 1], "checkpoints of a run of three steps");
});

await scenario("writes of tasks that end together go together", () => hosted({ g: fixture.fan }, async (s) => {
  await s.give(runTask({ input: { items: [1, 2, 3, 4] }, durability: "sync" })).ended;
  const groups = s.log.filter((l) => l.body.op === "writes").map((l) => l.body.groups.length);
  check(groups.includes(4), "four tasks, one call", groups);
}));

await scenario("delta channels are shown whole, and rebuilt", () => hosted({ g: fixture.delta }, async (s) => {
  await s.give(runTask({ input: { log: ["a"] } })).ended;
  const t = s.give(runTask({ input: { log: ["b"] } }));
  equal(await t.ended, { status: "success" }, "the second run");
  equal(events(t, "values").at(-1).log, ["a", "n", "b", "n"], "has the first's value");
  const puts = s.log.filter((l) => l.body.op === "put").map((l) => l.body);
  check(puts.every((p) => p.blobs.every((b) => b.channel !== "log")), "its value is in no checkpoint");
  equal(puts.filter((p) => p.view.values.log).at(-1).view.values.log, ["a", "n", "b", "n"], "and in the view");
}));

await scenario("the user's graph stays as it was, and its thread is the task's", () => hosted({ g: fixture.own.graph, other: fixture.otherThread }, async (s) => {
  equal((await s.give(runTask({ input: { log: ["x"] } })).ended).status, "success", "a graph with a checkpointer of its own");
  equal([fixture.own.graph.checkpointer === fixture.own.saver, Object.keys(fixture.own.saver.storage).length, s.rows.threads.size], [true, 0, 1], "which is neither used nor replaced");
  const end = await s.give(runTask({ name: "other", input: { log: ["x"] } })).ended;
  check(end.status === "error" && /may use the thread th only, not elsewhere/.test(end.error.message), "another thread is refused with words", end);
}));

await scenario("errors", () => hosted({ g: fixture.fails }, async (s) => {
  equal((await s.give(runTask({ input: { log: [] } })).ended).error, { type: "CustomError", message: "Boo!", retryable: false }, "name and message");
  const odd = (await s.give(runTask({ input: { log: ["odd"] } })).ended).error;
  check(odd.type === "Error" && JSON.parse(odd.message).odd === true, "what is no Error", odd);
  equal((await s.give(runTask({ name: "nope" })).ended).error.message, 'this worker has no graph "nope"', "a graph that is not there");
}));

await scenario("state updates", () => hosted({ g: fixture.ask }, async (s) => {
  await s.give(runTask({ input: { value: "a" } })).ended;
  const t = s.give({ kind: "state_update", name: "g", thread_id: "th", updates: [[{ values: { log: ["by hand"] }, as_node: "last" }]] }), end = await t.ended;
  equal([end.status, end.view.values.log, end.view.next], ["success", ["first", "by hand"], []], "as if the node had");
  equal(end.checkpoint, end.view.checkpoint, "the new checkpoint");
  const many = await s.give({ kind: "state_update", name: "g", thread_id: "new", updates: [[{ values: { value: "v" }, as_node: "first" }], [{ values: { log: ["one"] }, as_node: "first" }]] }).ended;
  equal([many.view.values, many.view.next], [{ value: "v", log: ["one"] }, ["inner"]], "supersteps make a thread");
  equal((await s.give({ kind: "state_update", name: "g", thread_id: "th", updates: [[{ values: {}, as_node: "nope" }]] }).ended).error.type, "InvalidUpdateError", "a node that is not there");
}));

await scenario("the store", () => hosted({ g: fixture.store }, async (s) => {
  const t = s.give(runTask({ input: { log: ["x"] } }));
  equal((await t.ended).status, "success", "put, get, search, namespaces, delete");
  equal(events(t, "custom"), [{ got: { n: 1 }, date: true, found: [["k", { n: 1 }]], spaces: [["a", "b"]], gone: null }], "what the node saw");
}));

// ---- events on their way -------------------------------------------------------

await scenario("the first event at once, the next ones together", async () => {
  const sent = [];
  await hosted({ g: fixture.talk }, async (s) => {
    const t = s.give(runTask({ input: { log: ["200"] } }));
    await t.ended;
    equal(events(t, "messages").length, 200, "all pieces came");
    equal(events(t, "messages").filter((d) => d.length === 2).length, 1, "what is said of a message is said once");
    equal([events(t, "messages")[0][0].type, events(t, "messages")[0][0].tool_call_chunks], ["ai", []], "a piece has what a whole message has not");
  }, { server: { answer: (verb, _t, body) => { if (verb === "events" && body.events.length > 0) sent.push([performance.now(), body.events.length]); } } });
  check(sent[0][1] <= 3 && sent.length < 40, "few calls, the first a small one", sent.map(([, n]) => n));
});

await scenario("a cut connection loses nothing and doubles nothing", async () => {
  let cuts = 0;
  await hosted({ g: fixture.talk }, async (s) => {
    const t = s.give(runTask({ input: { log: ["60"] } }));
    equal((await t.ended).status, "success", "the run succeeds");
    equal(t.events.map((e) => e.n), t.events.map((_, i) => i + 1), "each event once, in order");
    check(cuts >= 6, "although connections were cut", cuts);
  }, { server: { answer: (verb) => (["events", "saver", "end"].includes(verb) && cuts++ % 2 === 0 && cuts < 16 ? "cut" : undefined) } });
});

await scenario("a busy server, and a proxy whose server is away, are waited for", async () => {
  const said = [503, 502, 504, 429], at = { register: 0, poll: 0, saver: 0 };
  await hosted({ g: fixture.chain }, async (s) => equal((await s.give(runTask({ input: { log: ["x"] } })).ended).status, "success", "and the run succeeds"),
    { server: { answer: (verb) => (at[verb] < said.length ? { status: said[at[verb]++], body: { detail: "busy" } } : undefined) } });
  equal(at, { register: 4, poll: 4, saver: 4 }, "each was said");
});

await scenario("wait_ms holds the stream back", async () => {
  let held = 0, at;
  await hosted({ g: fixture.talk }, async (s) => {
    await s.give(runTask({ input: { log: ["20"] } })).ended;
    check(performance.now() - at >= 190, "the run took the time", performance.now() - at);
  }, { server: { answer: (verb, _t, body) => { if (verb !== "events" || body.events.length === 0 || held++ > 0) return undefined; at = performance.now(); return { status: 200, body: { wait_ms: 200 } }; } } });
  check(held >= 2, "and told the rest then", held);
});

await scenario("a silent task gives signs of life", () => hosted({ g: fixture.chain }, async (s) => {
  fixture.gate.close();
  const t = s.give(runTask({ input: { log: ["gate"] } }));
  await until(() => t.calls.filter((c) => c === "events").length > 0 && s.log.filter((l) => l.body.events?.length === 0).length >= 3, "three beats");
  fixture.gate.open();
  equal((await t.ended).status, "success", "and ends");
}));

await scenario("what the server does not take ends the task with its words", async () => {
  const tooMuch = { status: 413, body: { detail: "more than 16 MiB" } };
  await hosted({ g: fixture.chain }, async (s) => {
    const end = await s.give(runTask({ input: { log: ["x"] } })).ended;
    check(end.status === "error" && /413 more than 16 MiB/.test(end.error.message), "an event", end);
  }, { server: { answer: (verb) => (verb === "events" ? tooMuch : undefined) } });
  await hosted({ g: fixture.ask }, async (s) => {
    const end = await s.give(runTask({ input: { value: "a" } })).ended;
    check(end.status === "error" && /413 more than 16 MiB/.test(end.error.message), "an end", end);
  }, { server: { answer: (verb, _t, body) => (verb === "end" && body.view ? tooMuch : undefined) } });
  await hosted({ g: fixture.chain }, async (s) => {
    const end = await s.give(runTask({ input: { log: ["x"] } })).ended;
    check(end.status === "error" && /413 more than 16 MiB/.test(end.error.message), "a checkpoint", end);
  }, { server: { answer: (verb) => (verb === "saver" ? tooMuch : undefined) } });
});

// ---- leases -----------------------------------------------------------------------

await scenario("a lost lease stops the task at once", async () => {
  let lost = false, after = 0;
  fixture.gate.close();
  await hosted({ g: fixture.chain }, async (s, w) => {
    s.give(runTask({ input: { log: ["gate"] } }));
    await until(() => s.log.some((l) => l.body.op === "put"), "the run to begin");
    lost = true;
    await until(() => w.busy === 0, "the task to be dropped");
    fixture.gate.open();
    await tick(100);
    equal([s.log.filter((l) => l.url.endsWith("/end")).length, after <= 3], [0, true], "no end, no more calls");
  }, { server: { answer: (verb) => (lost && verb !== "poll" && verb !== "register" ? (after++, { status: 409, body: { detail: "gone", reason: "lost_lease" } }) : undefined) } });
});

await scenario("cancelled, by a poll and by an answer", async () => {
  let told = false;
  await hosted({ g: fixture.chain }, async (s) => {
    for (const how of ["poll", "answer"]) {
      fixture.gate.close();
      const t = s.give(runTask({ thread_id: how, input: { log: ["gate"] } }));
      await until(() => events(t, "tasks").length > 0, "the node to begin");
      if (how === "poll") s.cancel(t); else told = true;
      equal(await t.ended, { status: "interrupted" }, `by the ${how}: interrupted`);
      equal(fixture.seen.aborted, "AbortError", `by the ${how}: the node's signal`);
      fixture.gate.open();
    }
  }, { server: { answer: (verb) => (told && verb === "events" ? { status: 200, body: { cancel: { action: "rollback", reason: "x" } } } : undefined) } });
});

await scenario("places", () => hosted({ g: fixture.chain }, async (s) => {
  fixture.gate.close();
  const [a, b] = [1, 2].map((n) => s.give(runTask({ thread_id: `p${n}`, input: { log: ["gate"] } })));
  await until(() => a.calls.length > 0, "the first to be taken");
  await until(() => s.log.some((l) => l.url.endsWith("/poll") && l.body.free.run === 0), "a poll without a place");
  equal(b.calls.length, 0, "the second waits");
  fixture.gate.open();
  equal([(await a.ended).status, (await b.ended).status], ["success", "success"], "and is taken when the first is done");
}, { worker: { slots: { run: 1 } } }));

await scenario("a server that does not know the worker any more", async () => {
  let busy = 0;
  await hosted({ g: fixture.chain }, async (s) => {
    fixture.gate.close();
    const t = s.give(runTask({ input: { log: ["gate"] } }));
    await until(() => s.log.some((l) => l.url.endsWith("/poll") && l.body.free.run === 0), "a poll without a place");
    busy = 4;
    s.workers.push("another life");
    s.give({ kind: "node", name: "nope", state: {} });     // ends the poll that waits
    await until(() => busy < 4, "it to register again");
    fixture.gate.open();                                   // a place is free: another poll, of the old id
    await t.ended;
    for (const n of [1, 2]) equal((await s.give(runTask({ thread_id: `a${n}`, input: { log: ["x"] } })).ended).status, "success", `task ${n} after it`);
    equal(s.workers.length, 3, "it has registered again once");
  }, { worker: { slots: { run: 1 } }, server: { answer: (verb) => (verb === "register" && busy > 0 && busy-- > 0 ? { status: 503, body: { detail: "starting" } } : undefined) } });
});

await scenario("refused registrations end the program with words", async () => {
  const s = await standin({ answer: (verb) => (verb === "register" ? { status: 409, body: { detail: "the graph \"g\" is served by another key", reason: "graph_taken" } } : undefined) });
  const e = await serve({ g: fixture.chain }, { url: s.url, ...quiet }).then(() => undefined, (error) => error);
  equal([e?.status, e?.reason, /served by another key/.test(e?.message)], [409, "graph_taken", true], "the server's own");
  await s.close();
});

await scenario("SIGTERM: what is under way is finished, then it leaves", async () => {
  const s = await standin({ pollS: 2 });
  const w = await startWorker(s, { program: [path.join(workersDir, "slow-worker.mjs")] });
  equal((await s.give({ kind: "node", name: "stray", state: {} }).ended).output, { ok: true }, "a stray promise of a node that fails ends nothing");
  const t = s.give({ kind: "node", name: "slow", state: { ms: 300 } });
  await until(() => w.log.includes("began"), "the node to begin");
  check(/a promise failed that nobody waited for: Error: stray/.test(w.log), "and is said", w.log);
  w.child.kill("SIGTERM");
  equal([(await t.ended).output, (await w.exited).code, s.left], [{ ok: true }, 0, true], "output, exit code, leave");
  await s.close();
});

await scenario("a draining worker takes nothing new", () => hosted({ g: fixture.chain }, async (s, w) => {
  fixture.gate.close();
  const t = s.give(runTask({ input: { log: ["gate"] } }));
  await until(() => t.calls.length > 0, "the run to be taken");
  const done = w.drain();
  await until(() => s.log.some((l) => l.url.endsWith("/poll") && l.body.free.run === 0 && l.body.free.node === 0), "a draining worker asks for nothing");
  const late = s.give(runTask({ thread_id: "late" }));
  fixture.gate.open();
  await done;
  equal([(await t.ended).status, late.calls], ["success", []], "what it had is finished, the next is left");
}));

await scenario("a task that is on its way as the drain begins is done", () => hosted({ g: fixture.chain }, async (s, w) => {
  await until(() => s.polls > 0, "the first poll");
  const t = s.give(runTask({ input: { log: [] } }), { parting: true });
  await w.drain();
  equal([t.calls.at(-1), s.left], ["end", true], "before it leaves");
}));

await scenario("a unix socket", async () => {
  const s = await standin({ listen: path.join(scratch(), "s.sock") });
  const w = await serve({ g: fixture.chain }, { url: s.url, ...quiet });
  equal((await s.give(runTask({ input: { log: ["x"] } })).ended).status, "success", "a run over it");
  await w.stop();
  await s.close();
});

// ---- without a framework --------------------------------------------------------------

await scenario("nodes, tools, runs", async () => {
  node("enrich", async (state, ctx) => { await ctx.emit("custom", { pct: 50 }); return { customer: state.id, key: ctx.key, attempt: ctx.attempt }; }, { description: "looks up", timeout: "30s", idempotent: true });
  tool("charge", ({ cents }) => ({ charged: cents }), { description: "charges", schema: { type: "object", properties: { cents: { type: "integer" } } }, timeout: "500ms" });
  tool(fixture.search);
  run("plainagent", async (state, ctx) => { for (const piece of ["a", "b"]) await ctx.emit("messages", piece); return `${state.messages.length}`; }, { description: "any framework" });
  await hosted({}, async (s) => {
    const { nodes, tools, runs } = s.workers[0];
    equal(nodes, [{ name: "enrich", description: "looks up", idempotent: true, timeout_s: 30 }], "the node");
    equal([tools[0].timeout_s, tools[1].name, tools[1].schema.properties.query.type], [0.5, "search", "string"], "the tools, zod's schema as JSON Schema");
    equal(runs, [{ id: "plainagent", description: "any framework" }], "the agent");
    const n = s.give({ kind: "node", name: "enrich", state: { id: 7 }, key: "k1", attempt: 2 });
    equal([(await n.ended).output, events(n, "custom")], [{ customer: 7, key: "k1", attempt: 2 }, [{ pct: 50 }]], "a node's update and its word");
    equal((await s.give({ kind: "node", name: "enrich", input: { id: 8 }, state: { id: 7 }, key: "k" }).ended).output.customer, 8, "its input before the state");
    equal((await s.give({ kind: "tool", name: "charge", args: { cents: 5 }, key: "k", call_id: "c" }).ended).output, '{"charged":5}', "a tool's result as text");
    equal((await s.give({ kind: "tool", name: "search", args: { query: "q" }, key: "k", call_id: "c" }).ended).output, "found q", "a tool of LangChain");
    const r = s.give({ kind: "node", name: "plainagent", state: { messages: [1, 2] } });
    equal((await r.ended).output.messages.map((m) => [m.type, m.content]), [["ai", "2"]], "an answer of text is a message");
    equal(events(r, "messages").map(([m]) => [m.content, m.id === r.events[0].data[0].id]), [["a", true], ["b", true]], "its pieces have one id");
  });
});

// ---- projects --------------------------------------------------------------------------

function project(files) {
  const dir = scratch();
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(dir, name)), { recursive: true });
    writeFileSync(path.join(dir, name), typeof text === "string" ? text : JSON.stringify(text));
  }
  symlinkSync(path.join(workersDir, "node_modules"), path.join(dir, "node_modules"));
  return dir;
}
const checkOf = (dir, args = [], env = {}) => spawnSync(process.execPath, [command, "--check", ...args], { cwd: dir, env: { PATH: process.env.PATH, ...env }, encoding: "utf8", timeout: 60000 });
const graphText = (type = "") => `import { Annotation, END, START, StateGraph } from "@langchain/langgraph";
const name${type} = process.env.NODE_NAME ?? "plain";
export const graph = new StateGraph(Annotation.Root({ x: Annotation${type && "<string>"}() })).addNode(name, () => ({ x: "y" })).addEdge(START, name).addEdge(name, END);
export default graph;
`;

await scenario("a project of JavaScript, and one of TypeScript by its tsx", () => {
  const js = checkOf(project({ "langgraph.json": { graphs: { agent: "./src/g.js:graph", other: { path: "./src/g.js" }, here: "g.js:graph" }, env: ".env" }, ".env": "NODE_NAME='from env'\n", "src/g.js": graphText(), "g.js": graphText(), "package.json": { type: "module" } }));
  equal([js.status, JSON.parse(js.stdout || "{}").graphs], [0, ["agent", "other", "here"]], `JavaScript ${js.stderr}`);
  const ts = checkOf(project({ "langgraph.json": { graphs: { agent: "./src/g.ts:graph" } }, "src/g.ts": graphText(": string"), "package.json": { type: "module" } }));
  equal([ts.status, JSON.parse(ts.stdout || "{}").graphs], [0, ["agent"]], `TypeScript ${ts.stderr}`);
});

await scenario("a program whose cohort-worker is a link, as npm install of a folder makes it", async () => {
  const dir = project({ "package.json": { type: "module" }, "worker.js": `import { serve } from "cohort-worker";
import { Annotation, END, START, StateGraph } from "@langchain/langgraph";
await serve({ g: new StateGraph(Annotation.Root({ x: Annotation() })).addNode("n", () => ({ x: "y" })).addEdge(START, "n").addEdge("n", END) });
` });
  rmSync(path.join(dir, "node_modules"));
  mkdirSync(path.join(dir, "node_modules"));
  symlinkSync(path.join(workersDir, "node_modules", "@langchain"), path.join(dir, "node_modules", "@langchain"));
  symlinkSync(path.join(client, ".."), path.join(dir, "node_modules", "cohort-worker"));
  const s = await standin({ pollS: 2 }), w = await startWorker(s, { program: [path.join(dir, "worker.js")], cwd: dir, env: { COHORT_PROJECT: "" } });
  const t = s.give(runTask());
  equal([(await t.ended).status, events(t, "updates")], ["success", [{ n: { x: "y" } }]], "serves, with the LangGraph beside it");
  await w.stop();
  await s.close();
});

await scenario("projects that are refused, with words", () => {
  const bare = project({ "langgraph.json": { graphs: { agent: "./g.ts:graph" } }, "g.ts": graphText(": string"), "package.json": { type: "module" } });
  rmSync(path.join(bare, "node_modules"));
  const cases = [
    [bare, /graphs\.agent: .*g\.ts is TypeScript; install tsx in the project \(npm install --save-dev tsx\)/, "TypeScript without tsx"],
    [project({ "langgraph.json": "{" }), /langgraph\.json: it must be JSON/, "no JSON"],
    [project({ "x.json": {} }), /there is no such file/, "no file"],
    [project({ "langgraph.json": {} }), /graphs: it must be an object of at least one graph/, "no graphs"],
    [project({ "langgraph.json": { graphs: { a: "./agent.py:graph" } } }), /is Python; serve it with: python -m cohort_worker/, "Python"],
    [project({ "langgraph.json": { graphs: { a: "./agent.yaml" } } }), /is an agent's file, which the server runs itself/, "an agent's file alone"],
    [project({ "langgraph.json": { graphs: { a: "./no.js:graph" } } }), /graphs\.a: there is no file/, "a file that is not there"],
    [project({ "langgraph.json": { graphs: { a: 5 } } }), /graphs\.a: it must be "\.\/FILE:NAME"/, "a number"],
    [project({ "langgraph.json": { graphs: { a: "./g.js:nope" } }, "g.js": graphText(), "package.json": { type: "module" } }), /exports no "nope"; it exports default, graph/, "a name that is not exported"],
    [project({ "langgraph.json": { graphs: { a: "./g.js:graph" } }, "g.js": "throw new Error('at load')", "package.json": { type: "module" } }), /g\.js cannot be loaded: at load/, "a module that throws"],
    [project({ "langgraph.json": { graphs: { a: "./g.js:graph" } }, "g.js": "export const graph = 5;", "package.json": { type: "module" } }), /the graph "a" is number: it must be a StateGraph/, "a graph that is none"],
    [project({ "langgraph.json": { graphs: { a: "./g.js:graph" }, env: "no.env" }, "g.js": graphText(), "package.json": { type: "module" } }), /env: there is no file/, "an environment that is not there"],
  ];
  for (const [dir, words, what] of cases) {
    const r = checkOf(dir);
    check(r.status === 1 && words.test(r.stderr), what, `${r.status} ${r.stderr}`);
  }
  const mixed = { "langgraph.json": { graphs: { a: "./g.js:graph", b: "./b.py:graph", c: "./c.yaml" } }, "g.js": graphText(), "package.json": { type: "module" } };
  const some = checkOf(project(mixed)), dev = checkOf(project(mixed), [], { COHORT_DEV: "1" });
  equal([some.status, JSON.parse(some.stdout || "{}").graphs, /graphs\.b is left out: .* is Python/.test(some.stderr), /graphs\.c is left out/.test(some.stderr)], [0, ["a"], true, true], "of a mixed project its own part");
  equal([dev.status, dev.stderr], [0, ""], "without a word where the others are served, too");
  const warned = checkOf(project({ "langgraph.json": { graphs: { a: "./g.js:graph" }, auth: { path: "./a.ts:auth" }, http: {}, node_version: "99", dependencies: ["."], nonsense: 1 }, "g.js": graphText(), "package.json": { type: "module" } }));
  check(warned.status === 0 && [/auth has no effect: .*docs\/auth\.md/, /http has no effect/, /node_version is 99, this is Node/, /nonsense is not known/].every((w) => w.test(warned.stderr)) && !/dependencies/.test(warned.stderr), "what has no effect is said", warned.stderr);
});

finish();
