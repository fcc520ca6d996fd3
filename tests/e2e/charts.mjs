// charts.mjs - agents that are charts (tests/agents/charts), through the SDK:
// their work, questions, parallel regions, errors, and a kill while they wait.
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "sdk-1.15";
import { check, equal, finish, freePort, scenario, scratch, startServer, until } from "./lib.mjs";

const agents = path.join(path.dirname(fileURLToPath(import.meta.url)), "../agents/charts");
const dir = scratch(), port = await freePort(), args = ["--agents", agents, "--shards", "2"];
let server = await startServer({ args, dir, port });
const client = new Client({ apiUrl: server.url, callerOptions: { maxRetries: 0 } });
const thread = async () => (await client.threads.create()).thread_id;
const wait = (t, agent, payload) => client.runs.wait(t, agent, payload);
const questions = (values) => (values.__interrupt__ ?? []).map((i) => i.value);
const texts = (values) => values.messages.map((m) => m.content);

await scenario("a question decides what comes next", async () => {
  const t = await thread(), events = [];
  for await (const e of client.runs.stream(t, "publisher", { input: { messages: "go" }, streamMode: ["values", "updates", "tasks"] })) events.push(e);
  equal(events.filter((e) => e.event === "updates").map((e) => Object.keys(e.data)), [["draft"], ["__interrupt__"]], "updates of states");
  equal(events.filter((e) => e.event === "tasks" && !("result" in e.data)).map((e) => e.data.name), ["draft", "review"], "tasks");
  const s = await client.threads.getState(t);
  equal([s.next, s.tasks[0].interrupts[0].value], [["review"], { prompt: "Publish?", options: ["yes", "again"] }], "it waits in a state");
  equal((await client.threads.get(t)).status, "interrupted", "and so does the thread");
  equal(texts(await wait(t, "publisher", { command: { resume: "again" } })), ["go", "draft 0", "draft 1"], "again");
  await server.stop("SIGKILL");
  server = await startServer({ args, dir, port });
  const end = await wait(t, "publisher", { command: { resume: "yes" } });
  equal([texts(end), end.tries, "__interrupt__" in end], [["go", "draft 0", "draft 1"], 1, false], "after a kill it goes on from there");
  const h = await client.threads.getHistory(t);
  equal(h.map((x) => x.next), [[], ["review"], ["draft"], ["review"], ["draft"], ["__start__"]], "a state for every macrostep");
  equal(h.map((x) => x.metadata.step), [4, 3, 2, 1, 0, -1], "in order");
});

await scenario("two regions ask at once", async () => {
  const t = await thread();
  equal(questions(await wait(t, "both", { input: {} })), ["first?", "second?"], "both wait");
  const ids = (await client.threads.getState(t)).tasks.map((x) => x.interrupts[0].id);
  const one = await wait(t, "both", { command: { resume: { [ids[1]]: 1 } } });
  equal([one.log, questions(one)], [["b"], ["first?"]], "the second is answered first");
  equal((await wait(t, "both", { command: { resume: 2 } })).log, ["b", "a"], "then the first");
  equal((await client.threads.getState(t)).next, [], "and it is over");
});

await scenario("the same chart in SCXML", async () => {
  const t = await thread(), asked = await wait(t, "publisher_scxml", { input: { messages: "go" } });
  equal(questions(asked), [{ prompt: "Publish?", options: ["yes", "again"] }], "it asks");
  equal((await client.threads.getState(t)).next, ["review"], "in its state");
  await server.stop("SIGKILL");
  server = await startServer({ args, dir, port });
  equal(texts(await wait(t, "publisher_scxml", { command: { resume: "again" } })), ["go", "draft 0", "draft 1"], "after a kill it goes on");
  const end = await wait(t, "publisher_scxml", { command: { resume: "yes" } });
  equal([texts(end), end.tries, "__interrupt__" in end], [["go", "draft 0", "draft 1"], 1, false], "to its end");
  equal((await client.threads.getHistory(t)).map((x) => x.next), [[], ["review"], ["draft"], ["review"], ["draft"], ["__start__"]], "a state for every macrostep");
});

await scenario("errors are events", async () => {
  const t = await thread();
  const failed = await wait(t, "breaks", { input: {}, raiseError: false });
  equal(failed.__error__, { error: "Oops", message: "again" }, "one that no transition takes ends the run");
  const s = await client.threads.getState(t);
  equal([s.values.note, s.next], ["broken!", ["c"]], "one that was caught led on");
  check(/again/.test(s.tasks[0].error), "the task tells why", s.tasks[0]);
});

await scenario("what a chart cannot do is refused", async () => {
  const t = await thread();
  await wait(t, "both", { input: {} });
  const refused = await client.threads.updateState(t, { values: { log: [] } }).catch((e) => e.message);
  check(/chart/.test(refused), "updateState", refused);
  const jump = await wait(t, "both", { command: { goto: "ask" } }).catch((e) => e.message);
  check(/422.*chart/.test(jump), "goto", jump);
});

await scenario("a wait outlasts more kills than a run has attempts", async () => {
  const t = await thread(), began = Date.now();
  const r = await client.runs.create(t, "waits", { input: {} });
  await until(async () => (await client.threads.getState(t)).next[0] === "wait", "it waits");
  for (let i = 0; i < 4; i++) {
    await server.stop("SIGKILL");
    server = await startServer({ args, dir, port });
    check(/pending|running/.test((await client.runs.get(t, r.run_id)).status), `not given up after kill ${i + 1}`);
  }
  equal((await client.runs.join(t, r.run_id)).done, "yes", "and ends");
  check(Date.now() - began >= 4000, "when it is due", Date.now() - began);
});

await scenario("delayed events come when they are due, also after a kill", async () => {
  const t = await thread(), began = Date.now();
  const r = await client.runs.create(t, "later", { input: {} });
  await until(async () => (await client.threads.getHistory(t)).length === 2, "it waits");
  await server.stop("SIGKILL");
  server = await startServer({ args, dir, port });
  equal((await client.runs.join(t, r.run_id)).log, ["tick", "tock"], "both came");
  check(Date.now() - began >= 1700, "not before their time", Date.now() - began);
});

await server.stop();
finish();
