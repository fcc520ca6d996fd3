// readers.mjs - readers of the thread protocol over runs that leave memory, graphs in
// graphs, answers that are refused, and threads that go.
import { mkdirSync, writeFileSync } from "node:fs";
import { randomUUID } from "node:crypto";
import path from "node:path";
import { call, check, equal, finish, metric, scenario, scratch, startServer, until } from "./lib.mjs";

const dir = scratch();
mkdirSync(path.join(dir, "agents"));
const agent = (id, text) => writeFileSync(path.join(dir, "agents", `${id}.yaml`), `id: ${id}\n${text}`);
agent("nap", `state: {a: {default: "'x'"}}
nodes:
  one: {set: {a: "'before'"}}
  nap: {wait: {ms: 6000}}
  two: {set: {a: "'after'"}}
edges: [[START, one], [one, nap], [nap, two], [two, END]]
`);
agent("inner", `state: {answer: {}}
nodes:
  ask: {ask: {prompt: "Well?", options: [yes, no]}, writes: {answer: result.value}}
edges: [[START, ask], [ask, END]]
`);
agent("outer", `state: {answer: {}}
nodes:
  work: {agent: inner, writes: {answer: result.answer}}
edges: [[START, work], [work, END]]
`);
const server = await startServer({ dir, args: ["--agents", path.join(dir, "agents")] });
const all = ["values", "updates", "messages", "tools", "lifecycle", "input", "checkpoints", "tasks", "custom"];

// Its events are in order of seq, none twice.
function read(thread, filter = {}) {
  const r = { events: [], ids: new Set(), last: 0, over: undefined };
  r.done = (async () => {
    const res = await fetch(`${server.url}/threads/${thread}/stream/events`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ channels: all, ...filter }) });
    r.status = res.status;
    let rest = "";
    for await (const part of res.body.pipeThrough(new TextDecoderStream())) {
      rest += part;
      for (let at; (at = rest.indexOf("\n\n")) >= 0; rest = rest.slice(at + 2)) {
        const data = /^data: (.*)$/m.exec(rest.slice(0, at));
        if (!data) continue;
        const e = JSON.parse(data[1]);
        check(e.seq > r.last && !r.ids.has(e.event_id), "each event once, in order", e);
        r.last = e.seq;
        r.ids.add(e.event_id);
        r.events.push(e);
      }
    }
  })().catch((e) => { r.over = e; }).finally(() => { r.over ??= true; });
  return r;
}
let serial = 0;
async function command(thread, method, params) {
  const r = await call(server, "POST", `/threads/${thread}/commands`, { id: ++serial, method, params });
  check(r.json?.type === "success", `${method} is taken`, r.text);
  return r.json?.result;
}
const life = (r, event) => r.events.filter((e) => e.method === "lifecycle" && e.params.namespace.length === 0 && e.params.data.event === event);
const came = (r, event, n = 1) => until(() => life(r, event).length >= n, `${n} x ${event}: ${JSON.stringify(r.events.map((e) => [e.method, e.params.data.event]))}`);
async function same(thread, r) {
  const late = read(thread);
  await until(() => late.last >= r.last, "a late reader");
  equal(late.events, r.events, "who comes later hears the same");
}

const asleep = scenario("a run that is asleep is read, and leaves memory all the same", async () => {
  const t = randomUUID(), r = read(t);
  await until(() => r.status === 200, "a reader of a thread that is not there");
  await command(t, "run.start", { assistant_id: "nap", input: {} });
  await came(r, "running");
  await until(async () => await metric(server, "cohort_runs_live") === 0, "it left memory");
  await same(t, r);
  await came(r, "completed");
  equal(life(r, "running").length, 1, "it began once");
  equal(r.events.filter((e) => e.method === "values").map((e) => e.params.data.a), ["x", "before", "after"], "its states");
  await same(t, r);
});
await asleep;

await scenario("a question of a graph in a graph; answers that are refused", async () => {
  const t = randomUUID(), r = read(t), top = read(t, { channels: ["lifecycle", "input"], namespaces: [[]], depth: 0 });
  await until(() => r.status === 200 && top.status === 200, "readers");
  await command(t, "run.start", { assistant_id: "outer", input: {} });
  await came(r, "interrupted");
  const asked = r.events.filter((e) => e.method === "input.requested");
  equal(asked.length, 1, "asked once");
  const ns = asked[0].params.namespace, id = asked[0].params.data.interrupt_id;
  check(ns.length === 1 && ns[0].startsWith("work:"), "where it asks", ns);
  equal(asked[0].params.data.payload, asked[0].params.data.value, "payload and value");
  check(asked[0].seq < life(r, "interrupted")[0].seq, "asked before the end");
  equal(r.events.filter((e) => e.method === "lifecycle" && e.params.namespace[0] === ns[0]).map((e) => [e.params.data.event, e.params.data.graph_name]), [["started", "inner"], ["interrupted", "inner"]], "the inner graph's life");
  const none = "0".repeat(32);
  const refused = await call(server, "POST", `/threads/${t}/runs/wait`, { assistant_id: "outer", command: { resume: { [none]: "yes" } }, strict_resume: true });
  equal(refused.json?.__error__?.error, "UnknownInterruptError", "it is refused");
  await came(r, "failed");
  const failed = life(r, "failed")[0].params.data;
  equal([failed.interrupt_ids, failed.pending_ids, failed.reason], [[none], [id], failed.error], "which did not wait, and which do");
  await command(t, "input.respond", { namespace: ns, interrupt_id: id, response: "yes" });    // it waits on
  await came(r, "completed");
  const answered = r.events.filter((e) => e.method === "input.answered").map((e) => [e.params.namespace, e.params.data.interrupt_ids]);
  equal(answered, [[[], [none]], [[], [id]]], "answers are told before they are looked at");
  equal(r.events.filter((e) => e.method === "values").at(-1).params.data, { answer: "yes" }, "the answer");
  await same(t, r);
  await until(() => top.last >= r.last, "the reader of the root");
  check(top.events.length > 0 && top.events.every((e) => e.params.namespace.length === 0), "the root's only", top.events);
});

await scenario("the stream of a thread that is deleted ends", async () => {
  const t = randomUUID(), r = read(t);
  await until(() => r.status === 200, "a reader");
  await command(t, "run.start", { assistant_id: "outer", input: {} });
  await came(r, "interrupted");
  equal((await call(server, "DELETE", `/threads/${t}`)).status, 204, "deleted");
  await until(() => r.over, "its end");
});
await server.stop();
finish();
