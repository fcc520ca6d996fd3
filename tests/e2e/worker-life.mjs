// worker-life.mjs - threads of a graph in a worker are copied, pruned, taken back and
// deleted: what the graph goes on from follows what clients see.
import { Client } from "sdk-2.0";
import path from "node:path";
import { call, check, equal, finish, scenario, scratch, startServer, until } from "./lib.mjs";
import { agentFolder } from "./core-lib.mjs";
import { assistantOf, command, startWorker, workersDir } from "./worker-lib.mjs";

const dir = scratch();
let server = await startServer({ dir, args: ["--agents", agentFolder([])] });
let client = new Client({ apiUrl: server.url, callerOptions: { maxRetries: 0 } });
let worker = await startWorker(server, { program: [command, path.join(workersDir, "life.json")] });
await assistantOf(server, "life");

const newThread = async () => (await client.threads.create()).thread_id;
const run = (t, payload) => client.runs.wait(t, "life", payload);
const begin = (t, say, more = {}) => run(t, { input: { say, ...more } });
const answer = (t, resume) => run(t, { command: { resume } });
const turn = async (t, say) => { await begin(t, say); return answer(t, "yes"); };
const state = async (t) => (await client.threads.getState(t)).values;
const storage = async (t) => (await call(server, "GET", `/threads/${t}/storage`)).json;
const prune = (ids) => call(server, "POST", "/threads/prune", { thread_ids: ids, strategy: "keep_latest" });

await scenario("a copy while a question waits: both go on, apart", async () => {
  const t = await newThread();
  await turn(t, "one");
  await begin(t, "two");
  const copy = (await client.threads.copy(t)).thread_id;
  equal((await answer(copy, "no")).log, ["one yes", "end", "two no", "end"], "the copy's answer");
  equal((await answer(t, "yes")).log, ["one yes", "end", "two yes", "end"], "the source's own");
  equal([(await turn(t, "three")).calls, (await turn(copy, "four")).calls], [["one", "two", "three"], ["one", "two", "four"]], "the sub-graph's state is copied too");
  await client.threads.delete(t);
  equal((await turn(copy, "five")).calls, ["one", "two", "four", "five"], "the copy needs nothing of the source");
});

await scenario("pruned to its newest state, a thread goes on", async () => {
  const t = await newThread();
  for (const say of ["one", "two", "three"]) await turn(t, say);
  await begin(t, "four");
  const before = await storage(t), was = await state(t);
  equal((await prune([t])).json, { pruned_count: 1 }, "it is pruned");
  const after = await storage(t);
  check(after.checkpoints.count < before.checkpoints.count / 3 && after.channel_values.bytes < before.channel_values.bytes / 2, "little of it is left", { before, after });
  equal([(await client.threads.getHistory(t)).length, await state(t)], [1, was], "its state is as it was");
  const v = await answer(t, "yes");
  equal([v.log.at(-2), v.calls], ["four yes", ["one", "two", "three", "four"]], "the question is answered");
  equal((await turn(t, "five")).calls, ["one", "two", "three", "four", "five"], "the sub-graph goes on from its state");
});

await scenario("a run that is taken back never was", async () => {
  const t = await newThread();
  await turn(t, "one");
  const was = await client.threads.getState(t), held = await storage(t);
  const r = await client.runs.create(t, "life", { input: { say: "two", big: "x".repeat(50000) } });
  await until(async () => (await client.threads.getState(t)).next.includes("ask"), "the question");
  await client.runs.join(t, r.run_id);
  const s = await client.runs.create(t, "life", { command: { resume: "slow" } });
  await until(async () => (await state(t)).log.at(-1) === "two slow", "the slow end");
  await client.runs.cancel(t, s.run_id, true, "rollback");
  equal((await client.threads.getState(t)).next, ["ask"], "the answer is taken back");
  const { status } = await call(server, "DELETE", `/threads/${t}/runs/${r.run_id}`);
  equal(status, 204, "the run before it is deleted");
  equal(await client.threads.getState(t), was, "the state is the one before");
  const left = await storage(t);
  equal([left.checkpoints, left.channel_values, left.pending_writes], [held.checkpoints, held.channel_values, held.pending_writes], "no row is left of them");
  const v = await turn(t, "three");
  equal([v.log, v.calls], [["one yes", "end", "three yes", "end"], ["one", "three"]], "and the graph does not remember it");
});

await scenario("rollback of one that is in the way", async () => {
  const t = await newThread();
  await turn(t, "one");
  await begin(t, "two");
  const slow = await client.runs.create(t, "life", { command: { resume: "slow" } });
  await until(async () => (await state(t)).log.at(-1) === "two slow", "the slow end");
  const v = await run(t, { command: { resume: "again" }, multitaskStrategy: "rollback" });
  equal(v.log, ["one yes", "end", "two again", "end"], "the other answer counts");
  equal((await call(server, "GET", `/threads/${t}/runs/${slow.run_id}`)).status, 404, "the one before is gone");
});

await scenario("a copy up to a checkpoint, made anew from there", async () => {
  const t = await newThread();
  await turn(t, "one");
  const at = (await client.threads.getHistory(t)).find((h) => h.next[0] === "ask");
  const copied = await call(server, "POST", `/threads/${t}/copy`, { checkpoint_id: at.checkpoint.checkpoint_id });
  const c = copied.json.thread_id;
  equal((await client.threads.getState(c)).checkpoint.checkpoint_id, at.checkpoint.checkpoint_id, "its newest state is that one");
  await run(c, { input: null });
  equal((await answer(c, "anew")).log, ["one anew", "end"], "another answer");
  equal((await state(t)).log, ["one yes", "end"], "the source is as it was");
});

await scenario("a restart of both: what was kept is there", async () => {
  const t = await newThread();
  await begin(t, "one");
  await prune([t]);
  await worker.stop("SIGKILL");
  await server.stop("SIGKILL");
  server = await startServer({ dir, args: ["--agents", agentFolder([])] });
  client = new Client({ apiUrl: server.url, callerOptions: { maxRetries: 0 } });
  worker = await startWorker(server, { program: [command, path.join(workersDir, "life.json")] });
  equal((await answer(t, "yes")).log, ["one yes", "end"], "the answer");
});

await worker.stop();
await server.stop();
finish();
