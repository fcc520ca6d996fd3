// time-travel.mjs - forks, edits, updates of the state, histories, what a
// cancel or a rollback leaves: what LangGraph's clients rely on.
import { execFileSync } from "node:child_process";
import path from "node:path";
import { call, check, equal, finish, onPostgres, scenario, scratch, until } from "./lib.mjs";
import { clientOf, collect, ended, hex32, json, matches, reference, refused, startCore, startMock, texts, uuid4 } from "./core-lib.mjs";

const mock = reference ? undefined : await startMock(["--delay-ms", "0", "--stream-delay-ms", "0"]);
const server = await startCore({ mock });
const client = clientOf(server);
const newThread = async (more) => (await client.threads.create(more)).thread_id;
const state = (t, at, o) => client.threads.getState(t, at, o);
const history = (t, o) => client.threads.getHistory(t, { limit: 100, ...o });
const line = (s) => `${s.metadata.step} ${s.metadata.source} [${s.next.join()}]`;
const lines = async (t) => (await history(t)).map(line);
const waiting = (s) => s.tasks.flatMap((k) => k.interrupts);
const wait = (t, agent, payload) => client.runs.wait(t, agent, payload);
const update = (t, payload) => client.threads.updateState(t, payload);

async function atReview(topic = "x") {
  const t = await newThread();
  await wait(t, "steps", { input: { topic } });
  const h = await history(t);
  return { t, h, review: h[0].checkpoint, write: h[1].checkpoint, start: h[2].checkpoint };
}

// ---- going on, and forks ---------------------------------------------------

await scenario("the head without input goes on", async () => {
  const { t } = await atReview();
  const id = waiting(await state(t))[0].id;
  await wait(t, "steps", { input: null });
  equal(await lines(t), ["1 loop [review]", "0 loop [write]", "-1 input [__start__]"], "no new state");
  equal(waiting(await state(t)).map((i) => i.id), [id], "the same question, the same id");
});

await scenario("an old checkpoint without input is forked", async () => {
  const { t, write, review } = await atReview();
  const old = waiting(await state(t))[0].id;
  await wait(t, "steps", { input: null, checkpoint: write });
  const h = await history(t);
  equal(h.map(line), ["2 loop [review]", "1 fork [write]", "1 loop [review]", "0 loop [write]", "-1 input [__start__]"], "a fork, then its steps");
  equal([h[1].parent_checkpoint.checkpoint_id, h[0].parent_checkpoint.checkpoint_id], [write.checkpoint_id, h[1].checkpoint.checkpoint_id], "below the chosen one");
  equal(h[0].values.log, ["write"], "from its values");
  const now = waiting(await state(t));
  check(now.length === 1 && now[0].id !== old, "the question of the branch has its own id", now);
  const was = await state(t, review);
  equal([was.next, was.values.log], [["review"], ["write"]], "the old branch can be read");
  if (reference) return; // there the thread keeps the run's checkpoint for later runs
  const v = await wait(t, "steps", { command: { resume: "new" } });
  equal(v.log, ["write", "review new", "publish"], "the branch goes on");
});

await scenario("by checkpoint_id, and by config", async () => {
  const { t, write } = await atReview();
  await json(server, "POST", `/threads/${t}/runs/wait`, { assistant_id: "steps", input: null, checkpoint_id: write.checkpoint_id });
  equal((await lines(t)).slice(0, 2), ["2 loop [review]", "1 fork [write]"], "checkpoint_id of the run");
  await json(server, "POST", `/threads/${t}/runs/wait`, { assistant_id: "steps", input: null, config: { configurable: { checkpoint_id: write.checkpoint_id } } });
  const h = await history(t);
  equal([h.length, h[1].parent_checkpoint.checkpoint_id], [7, write.checkpoint_id], "configurable.checkpoint_id");
});

await scenario("an old question answered again", async () => {
  const { t, review } = await atReview();
  const first = await wait(t, "steps", { command: { resume: "first" } });
  equal(first.log, ["write", "review first", "publish"], "answered");
  const v = await wait(t, "steps", { command: { resume: "second" }, checkpoint: review });
  // LangGraph keeps the answer that the checkpoint has; a new one may win, too
  check(["review first", "review second"].includes(v.log[1]) && v.log.length === 3, "runs again from its checkpoint", v.log);
  const h = await history(t);
  check(!h.some((s) => s.metadata.source === "fork"), "without a fork state", h.map(line));
  equal(h[1].parent_checkpoint.checkpoint_id, review.checkpoint_id, "below the question's checkpoint");
  equal((await state(t)).values.log, v.log, "the head is the new branch");
});

await scenario("asked again from its checkpoint", async () => {
  const { t, review } = await atReview();
  const id = waiting(await state(t))[0].id;
  await wait(t, "steps", { command: { resume: "first" } });
  const v = await wait(t, "steps", { input: null, checkpoint: review });
  matches(v.__interrupt__, [{ id: (x) => hex32.test(x) && x !== id, value: { q: "good?" } }], "stored answers of the branch are dropped");
  equal((await lines(t)).slice(0, 1), ["2 fork [review]"], "a fork waits");
});

await scenario("new input at an old checkpoint", async () => {
  const { t, write } = await atReview();
  await wait(t, "steps", { input: { topic: "y" }, checkpoint: write });
  const h = await history(t);
  equal(h.map(line).slice(0, 3), ["3 loop [review]", "2 loop [write]", "1 input [__start__]"], "an input state, no fork");
  equal([h[2].parent_checkpoint.checkpoint_id, h[0].values.draft, h[0].values.log], [write.checkpoint_id, "draft of y", ["write"]], "below the chosen one");
});

await scenario("the start again", async () => {
  const { t, start } = await atReview();
  await wait(t, "steps", { input: null, checkpoint: start });
  const h = await history(t);
  equal(h[0].values.topic, "x", "a start state keeps its input");
  equal([h[0].next, h.length], [["review"], 6], "fork, start, write");
});

await scenario("runs after a fork follow the newest branch", async () => {
  const { t, write } = await atReview();
  await wait(t, "steps", { input: { topic: "y" }, checkpoint: write });
  await wait(t, "steps", { command: { resume: "ok" } });
  if (!reference) equal((await state(t)).values.draft, "draft of y", "a later run does not fork again"); // there the thread keeps the checkpoint
});

// ---- regenerate and edit, as agent-chat-ui does ----------------------------

await scenario("regenerate and edit", async () => {
  const t = await newThread();
  const say = (content) => wait(t, "chat", { input: { messages: [{ type: "human", content, id: `${t}-${content}` }] } });
  await say("one"); await say("two");
  // metadata of a message: the oldest state that has it
  const firstSeen = async (id) => (await history(t)).findLast((s) => s.values.messages?.some((m) => m.id === id));
  const was = (await state(t)).values.messages;
  equal(was.map((m) => m.content), ["one", "echo one (1)", "two", "echo two (3)"], "a talk");
  // regenerate the last answer: the parent of the state where it came, no input
  const at = (await firstSeen(was[3].id)).parent_checkpoint;
  let chunks = await collect(client.runs.stream(t, "chat", { checkpoint: at, streamMode: ["values"], streamSubgraphs: true, streamResumable: true }));
  check(!chunks.some((c) => c.event === "error"), "no error", chunks.at(-1));
  let now = (await state(t)).values.messages;
  equal(now.map((m) => m.content), was.map((m) => m.content), "as many messages");
  equal([now[2].id, now[3].id === was[3].id], [was[2].id, false], "the question is kept, the answer is new");
  // edit the second question
  const before = (await firstSeen(was[2].id)).parent_checkpoint;
  chunks = await collect(client.runs.stream(t, "chat", { input: { messages: [{ type: "human", content: "TWO", id: `${t}-edited` }] }, checkpoint: before, streamMode: ["values"], streamSubgraphs: true, streamResumable: true }));
  check(!chunks.some((c) => c.event === "error"), "no error", chunks.at(-1));
  now = (await state(t)).values.messages;
  equal(now.map((m) => m.content), ["one", "echo one (1)", "TWO", "echo TWO (3)"], "the edited question takes its place");
  // regenerate the first answer: later turns are not on the new branch
  const first = (await firstSeen(was[1].id)).parent_checkpoint;
  await collect(client.runs.stream(t, "chat", { input: null, checkpoint: { checkpoint_id: first.checkpoint_id, checkpoint_ns: "", checkpoint_map: null }, streamMode: ["values"] }));
  equal(texts(await state(t)), ["one", "echo one (1)"], "the branch ends there");
  const h = await history(t);
  check(h.some((s) => JSON.stringify(texts(s)) === JSON.stringify(was.map((m) => m.content)) && s.values.messages[3].id === was[3].id), "the first branch is still in the history");
  equal(new Set(h.map((s) => s.checkpoint.checkpoint_id)).size, h.length, "each state once");
});

// ---- update of the state ---------------------------------------------------

await scenario("update at an old checkpoint", async () => {
  const { t, write } = await atReview();
  const r = await update(t, { values: { draft: "mine" }, checkpoint: write, asNode: "write" });
  const s = await state(t);
  equal([line(s), s.values.draft, s.values.log], ["1 update [review]", "mine", []], "through the node's edges");
  equal([s.checkpoint.checkpoint_id, s.parent_checkpoint.checkpoint_id], [r.checkpoint.checkpoint_id, write.checkpoint_id], "below the chosen one");
  matches(r.checkpoint, { thread_id: t, checkpoint_ns: "", checkpoint_id: uuid4 }, "the answer names it");
  const v = await wait(t, "steps", { input: null });
  equal((await lines(t))[0], "1 update [review]", "an update needs no fork");
  matches(v.__interrupt__, [{ value: { q: "good?" } }], "and asks");
  equal((await wait(t, "steps", { command: { resume: "ok" } })).log, ["review ok", "publish"], "goes on");
  const { t: t2, write: w2 } = await atReview();
  await client.threads.updateState(t2, { values: { draft: "mine" }, checkpointId: w2.checkpoint_id, asNode: "write" });
  equal((await state(t2)).values.draft, "mine", "by checkpoint_id");
});

await scenario("update of a thread that never ran", async () => {
  const t = await newThread({ graphId: "steps" });
  await update(t, { values: { topic: "a" } });
  equal([await lines(t), (await state(t)).values.topic], [["0 update [write]"], "a"], "counts as __start__");
  await update(t, { values: { topic: "b" }, asNode: "__start__" });
  equal((await lines(t))[0], "1 update [write]", "as __start__ by name");
  await wait(t, "steps", { input: null });
  equal((await state(t)).values.draft, "draft of b", "and runs");
  const u = await newThread();
  await refused(update(u, { values: { topic: "a" } }), 400, "no graph ID", "a thread of no agent");
});

await scenario("as __input__", async () => {
  const t = await newThread({ graphId: "steps" });
  await update(t, { values: { topic: "in" }, asNode: "__input__" });
  const s = await state(t);
  equal([s.metadata.source, s.next, s.values.topic ?? null], ["input", ["__start__"], null], "an input state, not applied yet");
  await wait(t, "steps", { input: null });
  equal((await state(t)).values.draft, "draft of in", "applied by the run");
});

await scenario("as __copy__", async () => {
  const { t, write } = await atReview();
  await update(t, { values: null, asNode: "__copy__" });
  equal((await lines(t))[0], "2 fork [review]", "a fork of the head");
  equal((await state(t)).values.log, ["write"], "with its values");
  await update(t, { values: null, asNode: "__copy__", checkpoint: write });
  const s = await state(t);
  equal([line(s), s.values.log], ["1 fork [write]", []], "and of an old one");
  equal((await wait(t, "steps", { input: null })).__interrupt__?.length, 1, "which runs");
});

await scenario("null values", async () => {
  const { t } = await atReview();
  await update(t, { values: null });
  equal([(await lines(t))[0], (await state(t)).values.log], ["2 update [review]", ["write"]], "a state as the one before");
  await update(t, { values: null, asNode: "__end__" });
  equal([(await lines(t))[0], (await state(t)).values.log], ["3 update []", ["write"]], "as __end__ what comes next is dropped");
  if (!reference) equal((await client.threads.get(t)).status, "idle", "nothing waits");
  await refused(update(t, { values: { topic: "q" }, asNode: "__end__" }), reference ? 500 : [400, 422], [], "__end__ takes no values");
});

await scenario("update beside siblings", async () => {
  const t = await newThread();
  await wait(t, "pair", { input: { log: [] }, interruptAfter: ["one", "two"] });
  equal((await lines(t))[0], "1 loop [end]", "after both");
  await refused(update(t, { values: { a: 5 } }), reference ? 500 : [400, 409, 422], reference ? [] : "Ambiguous update, specify", "two last writers");
  await update(t, { values: { a: 5 }, asNode: "one" });
  equal([(await lines(t))[0], (await state(t)).values.a], ["2 update [end]", 5], "as one of them");
  equal((await wait(t, "pair", { input: null })).log, ["one", "two", "end"], "the join still holds");
});

await scenario("update while siblings wait", async () => {
  const t = await newThread();
  await wait(t, "two_asks", { input: { log: [] } });
  await update(t, { values: { left: "U" }, asNode: "a_left" });
  const s = await state(t);
  equal([line(s), s.values, waiting(s)], ["1 update []", { left: "U", log: ["plain"] }, []], "the done sibling's writes apply, the waiting ones are dropped");
  if (!reference) equal((await client.threads.get(t)).status, "idle", "nothing waits");
});

await scenario("state at the head, and at a checkpoint", async () => {
  const t = await newThread();
  await wait(t, "two_asks", { input: { log: [] } });
  const head = await state(t), at = await state(t, head.checkpoint), by = await json(server, "GET", `/threads/${t}/state/${head.checkpoint.checkpoint_id}`);
  equal([head.values, head.next], [{ log: ["plain"] }, ["a_left", "b_right"]], "at the head the done sibling counts");
  equal([at.values, at.next], [{ log: [] }, ["a_left", "b_right", "plain"]], "at a checkpoint it does not");
  equal([by.values, by.next], [at.values, at.next], "by GET the same");
  const done = head.tasks.find((k) => k.name === "plain");
  equal(done?.result, { log: ["plain"] }, "its result is shown");
});

await scenario("what a client may write", async () => {
  const t = await newThread({ graphId: "steps" });
  await update(t, { values: { topic: "a", unknown: 1 }, asNode: "__start__" });
  const v = (await state(t)).values;
  equal([v.topic, "unknown" in v], ["a", false], "an undeclared channel is dropped");
  await refused(update(t, { values: { topic: "a" }, asNode: "nope" }), reference ? 500 : [400, 404, 422], reference ? [] : "nope", "a node that is not there");
  await update(t, { values: { messages: [{ role: "user", content: "hi", id: "m1" }] }, asNode: "__start__" });
  await update(t, { values: { messages: { type: "human", content: "again", id: "m1" } }, asNode: "__start__" });
  equal((await state(t)).values.messages.map((m) => [m.id, m.content]), [["m1", "again"]], "messages go through their reducer");
  if (!reference) {
    await update(t, { values: [{ topic: "l1" }, { draft: "l2", log: ["l"] }], asNode: "write" });
    const s = await state(t);
    equal([s.values.topic, s.values.draft, s.values.log, s.next], ["l1", "l2", ["l"], ["review"]], "a list of values");
    await update(t, { values: { log: { __overwrite__: ["only"] } }, asNode: "write" });
    equal((await state(t)).values.log, ["only"], "__overwrite__ bypasses the reducer");
    await refused(update(t, { values: { messages: [{ type: "remove", id: "zzz" }] }, asNode: "write" }), [400, 422], "zzz", "removing what is not there");
  }
});

await scenario("update in a sub-agent", async () => {
  const t = await newThread();
  await wait(t, "weather", { input: { messages: [{ role: "user", content: "SF" }] } });
  const root = await state(t), at = root.tasks[0].checkpoint;
  await update(t, { values: { city: "LA" }, checkpoint: at });
  equal((await state(t, at)).values.city, "LA", "writes there");
  equal((await state(t)).checkpoint.checkpoint_id, root.checkpoint.checkpoint_id, "and only there");
  const deep = await state(t, undefined, { subgraphs: true });
  equal(deep.tasks[0].state?.values.city, "LA", "seen from above");
});

// ---- new input and commands while something waits --------------------------

await scenario("new input starts over", async () => {
  const t = await newThread();
  await wait(t, "two_asks", { input: { log: [] } });
  const old = waiting(await state(t)).map((i) => i.id);
  await wait(t, "two_asks", { input: { log: ["n"] } });
  equal(await lines(t), ["2 loop [a_left,b_right,plain]", "1 input [__start__]", "0 loop [a_left,b_right,plain]", "-1 input [__start__]"], "input, then the first step");
  const s = await state(t);
  equal(s.values.log, ["n", "plain"], "what siblings had written is dropped, and written anew");
  check(waiting(s).length === 2 && !waiting(s).some((i) => old.includes(i.id)), "two new questions");
});

await scenario("update and goto beside what waits", async () => {
  const t = await newThread();
  await wait(t, "two_asks", { input: { log: [] } });
  await wait(t, "two_asks", { command: { update: { log: ["u"] } } });
  let h = await history(t);
  equal(h.map(line), ["1 input [a_left,b_right,plain]", "0 loop [a_left,b_right,plain]", "-1 input [__start__]"], "update saves an input state");
  equal((await state(t)).values.log, ["u", "plain"], "the step goes on from it");
  await wait(t, "two_asks", { command: { goto: "done" } });
  h = await history(t);
  equal([h[0].metadata.source, [...h[0].next].sort()], ["input", ["a_left", "b_right", "done", "plain"]], "goto schedules beside the waiting tasks");
  equal(waiting(await state(t)).length, 2, "which wait on");
});

// ---- the history -----------------------------------------------------------

await scenario("history filters", async () => {
  const { t } = await atReview();
  await wait(t, "steps", { command: { resume: "ok" }, metadata: { tag: "second" } });
  const h = await history(t);
  equal(h.map(line), ["3 loop []", "2 loop [publish]", "1 loop [review]", "0 loop [write]", "-1 input [__start__]"], "all");
  const ids = (l) => l.map((s) => s.checkpoint.checkpoint_id);
  const post = (body) => json(server, "POST", `/threads/${t}/history`, body);
  equal(ids(await post({ limit: 2 })), ids(h.slice(0, 2)), "limit");
  equal(ids(await post({ limit: 10, before: h[1].checkpoint.checkpoint_id })), ids(h.slice(2)), "before, a text");
  if (!reference) equal(ids(await post({ limit: 10, before: { configurable: { checkpoint_id: h[2].checkpoint.checkpoint_id } } })), ids(h.slice(3)), "before, a config");
  equal(ids(await post({ limit: 10, metadata: { source: "input" } })), ids(h.slice(4)), "metadata.source");
  equal(ids(await post({ limit: 10, metadata: { step: 1 } })), ids(h.slice(2, 3)), "metadata.step");
  equal(ids(await post({ limit: 10, metadata: { tag: "second" } })), ids(h.slice(0, 2)), "a run's metadata");
  equal(ids(await post({ limit: 1, before: h[0].checkpoint.checkpoint_id, metadata: { source: "loop" } })), ids(h.slice(1, 2)), "together");
  equal(ids(await post({ limit: 10, metadata: { tag: "none" } })), [], "nothing");
  if (!reference) {
    equal(ids(await post({ limit: 10, checkpoint: { thread_id: t } })), ids(h), "checkpoint without a namespace is the root");
    equal(ids(await post({ limit: 10, checkpoint: { checkpoint_ns: "" } })), ids(h), "and with an empty one");
    equal(ids(await post({ limit: 10, checkpoint: { checkpoint_ns: "nope:1" } })), [], "a namespace that is not there");
    equal(ids(await json(server, "GET", `/threads/${t}/history?limit=2&before=${h[1].checkpoint.checkpoint_id}`)), ids(h.slice(2, 4)), "by GET");
    const some = await post({ limit: 1, select: ["next", "checkpoint", "values.log"] });
    equal(Object.keys(some[0]).sort(), ["checkpoint", "next", "values"], "select");
    equal(some[0].values, { log: ["write", "review ok", "publish"] }, "select of one value");
  }
  const answered = h[2].tasks[0];
  equal([answered.name, answered.interrupts.length], ["review", 1], "a past state shows its question");
});

// ---- copies and seeds ------------------------------------------------------

await scenario("copy of a thread that waits", async () => {
  const { t } = await atReview();
  const copy = (await client.threads.copy(t)).thread_id;
  if (!reference) equal((await client.threads.get(copy)).status, "interrupted", "the copy waits, too");
  equal((await wait(copy, "steps", { command: { resume: "copy" } })).log, ["write", "review copy", "publish"], "its question is answered");
  equal(waiting(await state(t)).length, 1, "the original waits on");
  equal((await wait(t, "steps", { command: { resume: "original" } })).log, ["write", "review original", "publish"], "and is answered for itself");
});

await scenario("supersteps", async () => {
  const messages = [{ role: "user", content: "seed", id: "s1" }];
  const t = await newThread({ graphId: "steps", supersteps: [
    { updates: [{ asNode: "__input__", values: { topic: "seed", messages } }] },
    { updates: [{ asNode: "__start__", values: { topic: "seed", messages } }] },
    { updates: [{ asNode: "write", values: { draft: "given", log: ["w"] } }] }] });
  const h = await history(t);
  equal(h.map((s) => s.next), [["review"], ["write"], ["__start__"]], "three states");
  matches(h[0].values, { topic: "seed", draft: "given", log: ["w"], messages: [{ id: "s1", content: "seed", type: "human" }] }, "with their values");
  equal(h[2].metadata.source, "input", "the first is an input");
  await wait(t, "steps", { input: null });
  equal((await wait(t, "steps", { command: { resume: "ok" } })).log, ["w", "review ok", "publish"], "the run goes on from there");
  // two updates of one step
  const p = await newThread({ graphId: "pair", supersteps: [
    { updates: [{ asNode: "__start__", values: { log: [] } }] },
    { updates: [{ asNode: "one", values: { a: 10, log: ["x"] } }, { asNode: "two", values: { b: 20, log: ["y"] } }] }] });
  const s = await state(p);
  equal([s.values, s.next], [{ a: 10, b: 20, log: ["x", "y"] }, ["end"]], "the join has both");
  if (!reference) await refused(newThread({ supersteps: [{ updates: [{ asNode: "write", values: {} }] }] }), [400, 422], "graph", "supersteps need a graph");
});

// ---- what is cancelled, rolled back, deleted -------------------------------

const started = (t, step = 0) => until(async () => (await history(t)).some((s) => s.metadata.step === step), "the first step");

await scenario("cancel with interrupt", async () => {
  const t = await newThread();
  const r = await client.runs.create(t, "slow", { input: { n: 30000, log: [] } });
  await started(t);
  await client.runs.cancel(t, r.run_id, true);
  equal([(await client.runs.get(t, r.run_id)).status, (await client.threads.get(t)).status], ["interrupted", "idle"], "run and thread");
  const s = await state(t);
  equal([s.next, s.values.n], [["one"], 30000], "its states stay");
});

await scenario("cancel with rollback", async () => {
  const t = await newThread();
  await wait(t, "slow", { input: { n: 1, log: [] } });
  const was = await history(t), head = await state(t);
  const r = await client.runs.create(t, "slow", { input: { n: 30000 } });
  await until(async () => (await history(t)).length > was.length + 1, "the first step");
  await client.runs.cancel(t, r.run_id, true, "rollback");
  if (reference) return; // there it is left with an error
  equal(await ended(server, t, r.run_id), "gone", "the run is gone");
  equal(await history(t), was, "the history is as it was");
  equal(await state(t), head, "and the state");
  equal((await client.threads.get(t)).status, "idle", "idle");
  equal((await wait(t, "slow", { input: { n: 1 } })).log, ["one", "two", "one", "two"], "the thread goes on");
});

await scenario("rollback of a first run", async () => {
  if (reference) return;
  const t = await newThread();
  const r = await client.runs.create(t, "slow", { input: { n: 30000 } });
  await started(t);
  await client.runs.cancel(t, r.run_id, true, "rollback");
  equal([await history(t), (await state(t)).values], [[], {}], "as if it never ran");
  equal((await client.runs.list(t)).length, 0, "no runs");
});

await scenario("rollback of a resume", async () => {
  if (reference) return;
  const t = await newThread();
  await wait(t, "two_asks", { input: { log: [] } });
  const was = await state(t), id = Object.fromEntries(waiting(was).map((i) => [i.value.q, i.id]));
  await wait(t, "two_asks", { command: { resume: { [id["left?"]]: "L" } } });
  equal(waiting(await state(t)).length, 1, "one is answered");
  equal((await client.threads.get(t)).status, "interrupted", "the other waits");
});

await scenario("multitask interrupt", async () => {
  const t = await newThread();
  const a = await client.runs.create(t, "slow", { input: { n: 30000, log: ["a"] } });
  await started(t);
  const b = await client.runs.create(t, "slow", { input: { n: 1, log: ["b"] }, multitaskStrategy: "interrupt" });
  equal([await ended(server, t, a.run_id), await ended(server, t, b.run_id)], ["interrupted", "success"], "the first is interrupted, the second runs");
  equal((await state(t)).values.log, ["a", "b", "one", "two"], "on what the first left");
  const first = await client.runs.get(t, a.run_id);
  if ("cancel_reason" in first) check(first.cancel_reason?.includes(b.run_id), "the first tells why", first.cancel_reason);
});

await scenario("multitask rollback", async () => {
  if (reference) return;
  const t = await newThread();
  await wait(t, "slow", { input: { n: 1, log: ["0"] } });
  const a = await client.runs.create(t, "slow", { input: { n: 30000, log: ["a"] } });
  await until(async () => (await history(t)).length > 5, "the first step");
  const q = await client.runs.create(t, "slow", { input: { n: 1, log: ["q"] }, multitaskStrategy: "enqueue" });
  const b = await client.runs.create(t, "slow", { input: { n: 1, log: ["b"] }, multitaskStrategy: "rollback" });
  equal([await ended(server, t, a.run_id), await ended(server, t, b.run_id)], ["gone", "success"], "the first is gone, the last runs");
  check(["gone", "interrupted", "success"].includes(await ended(server, t, q.run_id)), "the queued one is over");
  const log = (await state(t)).values.log;
  check(!log.includes("a") && log.includes("b"), "nothing of the first", log);
});

await scenario("run delete", async () => {
  if (reference) return;
  const t = await newThread();
  await wait(t, "slow", { input: { n: 1, log: [] } });
  const r = (await client.runs.list(t))[0].run_id;
  equal((await call(server, "DELETE", `/threads/${t}/runs/${r}`)).status, 204, "204");
  equal([(await client.runs.list(t)).length, (await call(server, "GET", `/threads/${t}/runs/${r}`)).status], [0, 404], "it is gone");
  equal((await call(server, "DELETE", `/threads/${t}/runs/${r}`)).status, 404, "twice is 404");
  equal((await wait(t, "slow", { input: { n: 1 } })).log?.slice(-2), ["one", "two"], "the thread goes on");
  const live = await client.runs.create(t, "slow", { input: { n: 30000 } });
  const d = await call(server, "DELETE", `/threads/${t}/runs/${live.run_id}`);
  check([204, 409].includes(d.status), "a run under way is stopped, or the delete refused", d.text);
  if (d.status === 409) await client.runs.cancel(t, live.run_id, true);
  equal((await client.threads.get(t)).status, "idle", "idle");
});

await scenario("input null where there is nothing to do", async () => {
  const t = await newThread();
  const r = await json(server, "POST", `/threads/${t}/runs/wait`, { assistant_id: "steps", input: null });
  check("__error__" in r && /EmptyInput/.test(JSON.stringify(r)), "EmptyInputError on a thread that never ran", r);
  await wait(t, "slow", { input: { n: 1, log: [] } });
  const before = (await history(t)).length;
  const v = await wait(t, "slow", { input: null });
  equal([v.log, (await history(t)).length], [["one", "two"], before], "a finished thread has nothing to do");
});

await scenario("durability exit", async () => {
  if (reference) return;
  const t = await newThread();
  await wait(t, "sends", { input: { items: [1] }, durability: "exit" });
  equal(await lines(t), ["3 loop []"], "one state");
  await wait(t, "sends", { input: { items: [2] }, durability: "exit" });
  const h = await history(t);
  equal([h.length, h[0].parent_checkpoint?.checkpoint_id], [2, h[1].checkpoint.checkpoint_id], "one more, below it");
  const u = await newThread();
  await wait(u, "steps", { input: { topic: "x" }, durability: "exit" });
  equal([(await state(u)).next, waiting(await state(u)).length], [["review"], 1], "a question is kept");
  equal((await wait(u, "steps", { command: { resume: "ok" }, durability: "exit" })).log, ["write", "review ok", "publish"], "and answered");
});

await scenario("thread storage", async () => {
  if (reference) return;
  const { t } = await atReview();
  const s = await json(server, "GET", `/threads/${t}/storage`);
  matches(s, { thread_id: t, total_bytes: Number, checkpoints: Object, channel_values: Object, pending_writes: Object }, "its sections");
  check(s.total_bytes > 0, "and bytes", s);
});

// Of a sub-agent, as versions before saved it on SQLite: longer than what is saved now.
await scenario("a namespace of 4,096 bytes is read, and not saved again", async () => {
  if (reference || onPostgres || process.env.CORE_WORKER) return;
  const dir = scratch(), old = await startCore({ mock, dir }), t = (await json(old, "POST", "/threads", {})).thread_id;
  await json(old, "POST", `/threads/${t}/runs/wait`, { assistant_id: "weather", input: { messages: [{ role: "user", content: "SF" }] } });
  const inner = (await json(old, "GET", `/threads/${t}/state`)).tasks[0].checkpoint.checkpoint_ns, ns = inner.padEnd(4096, "0");
  await old.stop();
  const sqlite = (sql) => execFileSync("sqlite3", [path.join(dir, "cohort.db"), sql], { encoding: "utf8" }).split("\n").filter((x) => x);
  const tables = sqlite("SELECT m.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' AND c.name = 'ns'");
  check(tables.includes("checkpoint"), "the tables that name one", tables);
  sqlite(tables.map((x) => `UPDATE ${x} SET ns = '${ns}' WHERE ns = '${inner}';`).join(""));
  const s = await startCore({ mock, dir }), at = { checkpoint_ns: ns };
  const now = await json(s, "POST", `/threads/${t}/state/checkpoint`, { checkpoint: at });
  equal([now.values.city, now.checkpoint.checkpoint_ns === ns], ["San Francisco", true], "its state");
  equal((await json(s, "POST", `/threads/${t}/history`, { checkpoint: at })).length, 3, "its history");
  const r = await call(s, "POST", `/threads/${t}/state`, { values: { city: "LA" }, checkpoint: at });
  equal([r.status, r.text.includes("namespace: it has 4096 bytes; longer than 2400")], [422, true], "a change is refused, with the reason");
  const over = await call(s, "POST", `/threads/${t}/state/checkpoint`, { checkpoint: { checkpoint_ns: `${ns}x` } });
  equal([over.status, over.text.includes("checkpoint_ns")], [422, true], "one that nobody saved");
  await s.stop();
});

finish();
