// worker-chart.mjs - nodes and tools of charts and graphs that are done by workers: what a
// worker gets and says, and what becomes of a call whose worker, or server, is lost.
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { binary, call, check, equal, finish, freePort, parseEvents, scenario, scratch, startServer, until } from "./lib.mjs";
import { agentFiles, chat } from "./worker-lib.mjs";

const agents = {
  enriched: `
id: enriched
state: {messages: {reducer: messages}, id: {}, customer: {}}
nodes: {look: {worker: {name: enrich, input: {who: id}}}}
edges: [[START, look], [look, END]]
`,
  careful: `
id: careful
context: {customer: null, why: null}
initial: look
states:
  look:
    worker: {name: enrich, idempotent: false}
    on:
      done: {target: out, assign: {customer: event.data.customer}}
      error.*: {target: out, assign: {why: event.name}}
  out: {type: final}
`,
  again: `
id: again
state: {customer: {}}
nodes: {look: {worker: {name: enrich, idempotent: true}}}
edges: [[START, look], [look, END]]
`,
  late: `
id: late
state: {customer: {}}
nodes: {look: {worker: nobody, timeout: 1s}}
edges: [[START, look], [look, END]]
`,
  shop: `
id: shop
context: {cents: 5, paid: null, why: null}
tools: {charge: {worker: true}}
initial: pay
states:
  pay:
    tool: {name: charge, args: {cents: data.cents}}
    on:
      done: {target: out, assign: {paid: event.data.content}}
      error.*: {target: out, assign: {why: event.name}}
  out: {type: final}
`,
  chat,
};
const dir = scratch(), folder = agentFiles(agents), port = await freePort();
const start = () => startServer({ dir, port, args: ["--agents", folder, "--workers-lease", "2500", "--shards", "2"] });
let server = await start();

const post = (target, body, headers) => call(server, "POST", target, body, headers);
const offer = { tools: [{ name: "charge", description: "Charges.", schema: { type: "object", properties: { cents: { type: "integer" } }, required: ["cents"] } }], nodes: [{ name: "enrich" }] };
const idempotent = { tools: [{ ...offer.tools[0], idempotent: true }], nodes: [{ name: "enrich", idempotent: true }] };

let before;
async function register(what = offer) {
  await before?.leave();                // of a scenario that has failed
  const r = await post("/workers", { name: "stand-in", build: "1", lang: "test", protocol: 1, slots: { run: 0, node: 8 }, ...what });
  if (r.status !== 200) throw new Error(`registering: ${r.status} ${r.text}`);
  const id = r.json.worker_id;
  return before = {
    id, leave: () => post(`/workers/${id}/leave`, {}),
    take: (name) => until(async () => {
      const p = await post(`/workers/${id}/poll`, { free: { node: 8 } });
      if (p.status !== 200) throw new Error(`polling: ${p.status} ${p.text}`);
      return p.json.tasks.find((t) => t.name === name);
    }, `a task of ${name}`),
  };
}
const say = (task, events) => post(`/tasks/${task.task_id}/events`, { events }, { "x-task-token": task.token });
const end = (task, body) => post(`/tasks/${task.task_id}/end`, body, { "x-task-token": task.token });
const done = (task, output) => end(task, { status: "success", output });
const thread = async () => (await post("/threads", {})).json.thread_id;
const run = async (t, id, input = {}) => (await post(`/threads/${t}/runs`, { assistant_id: id, input })).json.run_id;
const ended = (t, r) => until(async () => {
  const { json } = await call(server, "GET", `/threads/${t}/runs/${r}`);
  return ["success", "error", "interrupted", "timeout"].includes(json.status) && json.status;
}, "the run to end");
// What became of it is in its transcript, and goes the same way again without any worker.
const replays = async (t, r, what) => {
  const x = await new Promise((resolve) => execFile(binary, ["replay", r, "--thread", t, "--url", server.url], (e, stdout, stderr) => resolve({ code: e ? e.code : 0, stdout, stderr })));
  check(x.code === 0 && /^same: [1-9][0-9]* steps\n$/.test(x.stdout), `${what}: replayed, it goes the same way`, x);
};
const values = async (t) => (await call(server, "GET", `/threads/${t}/state`)).json.values;

await scenario("a node gets the state and its input, says what it does, and writes", async () => {
  const w = await register(), t = await thread();
  const stream = post(`/threads/${t}/runs/stream`, { assistant_id: "enriched", input: { id: 7, messages: "hi" }, stream_mode: ["custom", "messages-tuple", "updates"], config: { configurable: { tone: "dry" } } });
  const task = await w.take("enrich");
  equal([task.kind, task.attempt, task.input, task.state.id, task.state.messages.map((m) => [m.type, m.content])], ["node", 1, { who: 7 }, 7, [["human", "hi"]]], "the task");
  equal([task.config.configurable.tone, task.thread_id, typeof task.key, task.run_id.length], ["dry", t, "string", 36], "its config and ids");
  const said = await say(task, [{ n: 1, mode: "custom", data: { pct: 50 } }, { n: 2, mode: "messages", data: [{ type: "AIMessageChunk", id: "m1", content: "Hel" }] }, { n: 3, mode: "messages", data: [{ type: "AIMessageChunk", id: "m1", content: "lo" }] }]);
  equal([said.status, said.json.lease_until > said.json.now], [200, true], "events are taken");
  equal((await say(task, [{ n: 3, mode: "messages", data: [{ type: "AIMessageChunk", id: "m1", content: "lo" }] }])).status, 200, "twice is once");
  equal((await say(task, [{ n: 4, mode: "values", data: {} }])).status, 422, "a node has no values");
  const ok = { status: "success", output: { customer: { name: "Ann" }, other: 1, messages: [{ type: "ai", id: "m1", content: "Hello" }] } };
  equal([(await end(task, ok)).status, (await end(task, ok)).status], [200, 200], "its end, told twice");
  const events = parseEvents((await stream).text);
  equal(events.filter((e) => e.event === "custom").map((e) => e.json), [{ pct: 50 }], "custom events");
  equal(events.filter((e) => e.event === "messages").map((e) => e.json[0].content).filter((c) => c !== "").join("|"), "Hel|lo", "tokens");
  equal(events.filter((e) => e.event === "updates").map((e) => [e.json.look.customer, e.json.look.messages.length, "other" in e.json.look]), [[{ name: "Ann" }, 1, false]], "the update");
  equal([(await values(t)).customer, (await values(t)).messages.map((m) => m.content)], [{ name: "Ann" }, ["hi", "Hello"]], "the state");
  await w.leave();
});

await scenario("a node that fails", async () => {
  const w = await register(), t = await thread(), r = await run(t, "careful");
  await end(await w.take("enrich"), { status: "error", error: { type: "KeyError", message: "no such customer", retryable: false } });
  equal([await ended(t, r), (await values(t)).why], ["success", "error.worker.enrich"], "an error that the chart catches");
  await replays(t, r, "a failure");
  const u = await thread(), q = await run(u, "enriched", { id: 1 });
  await end(await w.take("enrich"), { status: "error", error: { type: "KeyError", message: "no such customer" } });
  equal(await ended(u, q), "error", "else the run's");
  equal((await call(server, "GET", `/threads/${u}`)).json.error, { error: "KeyError", message: "no such customer" }, "by its own name");
  await w.leave();
});

await scenario("a worker is lost between a node's begin and its end", async () => {
  const w = await register(), t = await thread(), r = await run(t, "careful");
  const task = await w.take("enrich");
  equal([await ended(t, r), (await values(t)).why], ["success", "error.tool.unknown_outcome"], "once: nobody knows");
  const late = await done(task, { customer: "late" });
  equal([late.status, late.json.reason], [409, "lost_lease"], "it comes too late");
  await replays(t, r, "an unknown outcome");
  const u = await thread(), q = await run(u, "again"), first = await w.take("enrich"), second = await w.take("enrich");
  equal([second.attempt, second.key === first.key, second.token === first.token], [2, true, false], "twice: it is offered again, under the same key");
  await done(second, { customer: "kept" });
  equal([await ended(u, q), (await values(u)).customer], ["success", "kept"], "and goes on");
  await replays(u, q, "a second attempt");
  await w.leave();
});

await scenario("a tool is lost between its call and its answer", async () => {
  const w = await register(), t = await thread(), r = await run(t, "shop");
  const task = await w.take("charge");
  equal([task.kind, task.args, typeof task.call_id, typeof task.key], ["tool", { cents: 5 }, "string", "string"], "the task");
  equal([await ended(t, r), (await values(t)).why], ["success", "error.tool.unknown_outcome"], "nobody knows whether it has charged");
  await w.leave();
  const again = await register(idempotent), u = await thread(), q = await run(u, "shop");
  const first = await again.take("charge"), second = await again.take("charge");
  equal([second.key === first.key, second.call_id === first.call_id, second.attempt], [true, true, 2], "one that may be made twice is offered again");
  await done(second, "paid");
  equal([await ended(u, q), (await values(u)).paid], ["success", "paid"], "and answered");
  await again.leave();
});

await scenario("the server is killed while a worker has the call", async () => {
  for (const [what, paid, why] of [[offer, null, "error.tool.unknown_outcome"], [idempotent, "paid", null]]) {
    const w = await register(what), t = await thread(), r = await run(t, "shop"), before = await w.take("charge");
    await server.stop("SIGKILL");
    server = await start();
    const there = await register(what);
    if (paid) {
      const task = await there.take("charge");
      equal(task.key, before.key, "the same key after a kill");
      await done(task, paid);
    } else {
      there.take("charge").catch(() => {});
    }
    equal([await ended(t, r), (await values(t)).paid, (await values(t)).why], ["success", paid, why], `after a kill: ${why ?? "again"}`);
    await there.leave();
  }
});

await scenario("the server is killed while nobody has the call", async () => {
  const t = await thread(), r = await run(t, "shop");
  await until(async () => (await call(server, "GET", `/threads/${t}/runs/${r}`)).json.status === "running", "the run to begin");
  await server.stop("SIGKILL");
  server = await start();
  const w = await register();
  await done(await w.take("charge"), "paid");
  equal([await ended(t, r), (await values(t)).paid], ["success", "paid"], "it was not begun, and is done after it");
  await w.leave();
});

await scenario("nobody serves it", async () => {
  const t = await thread(), r = await run(t, "late");
  equal(await ended(t, r), "error", "a time limit ends it");
  equal((await call(server, "GET", `/threads/${t}`)).json.error.error, "TimeoutError", "and says so");
  const u = await thread(), q = await run(u, "again");
  const w = await register();
  await done(await w.take("enrich"), { customer: "here" });
  equal([await ended(u, q), (await values(u)).customer], ["success", "here"], "without one it waits for a worker");
  await w.leave();
});

await scenario("a model calls a worker's tool", async () => {
  const w = await register(), t = await thread(), r = await run(t, "chat", { messages: "buy" });
  const task = await w.take("charge");
  equal([task.args, task.call_id], [{ cents: 7 }, "c1"], "the call");
  const item = await post(`/tasks/${task.task_id}/store`, { ops: [{ op: "put", namespace: ["bills"], key: "c1", value: { cents: 7 } }, { op: "get", namespace: ["bills"], key: "c1" }] }, { "x-task-token": task.token });
  equal([item.status, item.json.results?.[1]?.value], [200, { cents: 7 }], "it has the run's store");
  equal((await post(`/tasks/${task.task_id}/saver`, { op: "get", ns: "" }, { "x-task-token": task.token })).status, 422, "and no checkpoints");
  await done(task, [{ type: "text", text: "paid" }]);
  equal(await ended(t, r), "success", "the run");
  const m = (await values(t)).messages;
  equal(m.map((x) => x.type), ["human", "ai", "tool", "ai"], "its messages");
  check(JSON.stringify(m[2].content).includes("paid"), "the answer", m[2]);
  await replays(t, r, "a tool");
  await w.leave();
});

await scenario("an agent of another framework is a node alone", async () => {
  const w = await register({ runs: [{ id: "helper", description: "Helps.", schemas: { state: { type: "object", properties: { mood: { type: "string" } } } } }] });
  const t = await thread(), stream = post(`/threads/${t}/runs/stream`, { assistant_id: "helper", input: { messages: "hi", mood: "dry" }, stream_mode: ["messages-tuple", "values"] });
  const first = await w.take("helper");
  equal([first.kind, first.input, first.state.mood, first.state.messages.map((m) => m.content)], ["node", null, "dry", ["hi"]], "its task");
  const task = await w.take("helper");
  equal([task.attempt, task.key === first.key], [2, true], "lost, it is offered again under the same key");
  await say(task, [{ n: 1, mode: "messages", data: [{ type: "AIMessageChunk", id: "m1", content: "He" }] }, { n: 2, mode: "messages", data: [{ type: "AIMessageChunk", id: "m1", content: "y" }] }]);
  await done(task, { messages: [{ type: "ai", id: "m1", content: "Hey" }], mood: "good" });
  const events = parseEvents((await stream).text);
  equal(events.filter((e) => e.event === "messages").map((e) => e.json[0].content).filter(Boolean).join("|"), "He|y", "its tokens");
  equal([(await values(t)).mood, (await values(t)).messages.map((m) => m.content)], ["good", ["hi", "Hey"]], "its state");
  equal((await call(server, "GET", `/threads/${t}/history`)).json.map((s) => s.next), [[], ["helper"], ["__start__"]], "its history");
  await w.leave();
});

await scenario("a cancelled run takes its task back", async () => {
  const w = await register(), t = await thread(), r = await run(t, "again"), task = await w.take("enrich");
  await post(`/threads/${t}/runs/${r}/cancel?wait=1`, {});
  const late = await done(task, { customer: "late" });
  equal([late.status, late.json?.reason], [409, "lost_lease"], "the token is void");
  await w.leave();
});

await scenario("a file that does not declare the tool is told how", async () => {
  const bad = path.join(folder, "bad.yaml");
  writeFileSync(bad, "id: bad\nstate: {a: {}}\nnodes: {n: {tool: {name: zzz}}}\nedges: [[START, n], [n, END]]\n");
  await until(() => server.log.includes("there is no tool 'zzz'; of a worker's tool the file says tools: {NAME: {worker: true}}"), "the server to say why");
});

await server.stop();
finish();
