// agents-folder.mjs - a folder of agents while the server runs: files that appear,
// change, break and go; what waits goes on with the version it began with.
import { execFileSync } from "node:child_process";
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { call, check, equal, finish, scenario, scratch, startServer, until } from "./lib.mjs";

const dir = scratch(), folder = path.join(dir, "agents");
mkdirSync(folder);
const file = (name) => path.join(folder, name);
const put = (name, text) => writeFileSync(file(name), text);

const says = (id, word) => `id: ${id}
state:
  said: {reducer: append, default: []}
nodes:
  speak: {set: {said: "['${word}']"}}
edges:
  - [START, speak]
`;
const asks = (node, word) => `id: asker
state:
  said: {reducer: append, default: []}
nodes:
  ${node}:
    ask: {value: "'${word}?'"}
    writes: {said: "[result.value + ' ${word}']"}
edges:
  - [START, ${node}]
`;
const chart = (state, word) => `id: chart
context: {said: []}
initial: ${state}
states:
  ${state}:
    ask: {value: "'${word}?'"}
    writes: {said: "[result.value + ' ${word}']"}
    on: {done: out}
  out: {type: final}
`;
const caller = `id: caller
state:
  said: {reducer: append, default: []}
nodes:
  call: {agent: worker}
edges:
  - [START, call]
`;

put("hello.yaml", says("hello", "one"));
put("asker.yaml", asks("first", "old"));
put("broken.yaml", "id: broken\nnodes: {a: {sett: {}}}\nedges: []\n");
execFileSync("mkfifo", [file("pipe.yaml")]);     // nobody writes to it: the server starts all the same
let server = await startServer({ dir, args: ["--agents", folder, "--shards", "2"] });

const post = async (target, body) => call(server, "POST", target, body);
const thread = async () => (await post("/threads", {})).json.thread_id;
const wait = async (t, agent, more = { input: {} }) => post(`/threads/${t}/runs/wait`, { assistant_id: agent, ...more });
const said = async (agent) => (await wait(await thread(), agent)).json?.said;
const logged = async (text, from = 0) => until(() => server.log.includes(text, from), `the log line ${text}`);
const saying = (agent, words) => until(async () => JSON.stringify(await said(agent)) === JSON.stringify(words), `${agent} to say ${words}`);

await scenario("start", async () => {
  equal(await said("hello"), ["one"], "a file of the folder is an agent");
  check(server.log.includes("broken.yaml:2:13: nodes.a"), "a broken file is told with its place", server.log);
  equal((await wait(await thread(), "broken")).status, 404, "and is no agent");
});

await scenario("a file changes", async () => {
  put("hello.yaml", says("hello", "two"));
  await saying("hello", ["two"]);
  await logged("reloaded file=" + file("hello.yaml") + " id=hello hash=");
});

await scenario("an editor writes a temporary file and renames it", async () => {
  put(".hello.yaml.swp", says("hello", "three"));
  renameSync(file(".hello.yaml.swp"), file("hello.yaml"));
  await saying("hello", ["three"]);
});

await scenario("a new file is an assistant", async () => {
  put("fresh.yaml", says("fresh", "here"));
  const a = await until(async () => (await call(server, "GET", "/assistants/fresh")).json?.assistant_id && call(server, "GET", "/assistants/fresh"), "the assistant");
  equal([a.json.graph_id, a.json.metadata.created_by], ["fresh", "system"], "of the system");
  equal(await said("fresh"), ["here"], "and runs");
});

await scenario("a broken change leaves the last good version", async () => {
  const from = server.log.length;
  put("hello.yaml", says("hello", "four").replace("set:", "sett:"));
  await logged("hello.yaml:5:11: nodes.speak", from);
  equal(await said("hello"), ["three"], "it goes on as it was");
  put("other.yaml", says("other", "fine"));
  await saying("other", ["fine"]);
  equal(server.log.slice(from).split("hello.yaml:5:11").length, 2, "the error is told once");
  put("hello.yaml", says("hello", "five"));
  await saying("hello", ["five"]);
});

await scenario("an id that is taken", async () => {
  const from = server.log.length;
  put("twin.yaml", says("hello", "twin"));
  await logged("twin.yaml: there is an agent 'hello' already", from);
  equal(await said("hello"), ["five"], "the first one stays");
  rmSync(file("twin.yaml"));
});

await scenario("what others call stays", async () => {
  put("worker.yaml", says("worker", "work"));
  put("caller.yaml", caller);
  await saying("caller", ["work"]);
  const from = server.log.length;
  rmSync(file("worker.yaml"));
  await logged("changes_wait", from);
  check(server.log.slice(from).includes("there is no agent 'worker'"), "the log tells who calls it", server.log.slice(from));
  equal(await said("caller"), ["work"], "its caller still runs");
  put("worker.yaml", says("worker", "again"));
  await saying("caller", ["again"]);
});

await scenario("a file that goes", async () => {
  rmSync(file("fresh.yaml"));
  await until(async () => (await wait(await thread(), "fresh")).status === 404, "fresh to be unknown");
  const left = (await post("/assistants/search", { graph_id: "fresh" })).json[0];
  const refused = await wait(await thread(), left.assistant_id);
  equal(refused.status, 422, "its assistant cannot be run");
  check(/no graph is called .*fresh/.test(refused.text), "and the error says why", refused.text);
});

await scenario("what waits keeps its version", async () => {
  const t = await thread(), again = await thread();
  for (const x of [t, again])
    equal((await wait(x, "asker")).json.__interrupt__?.[0].value, "old?", "it asks");
  put("asker.yaml", asks("second", "new"));
  await until(async () => (await wait(await thread(), "asker")).json.__interrupt__?.[0].value === "new?", "the new version");
  const went = await wait(t, "asker", { command: { resume: "yes" } });
  equal(went.json.said, ["yes old"], "the old graph goes on");
  const t2 = (await wait(t, "asker")).json;
  equal([t2.said, t2.__interrupt__?.[0].value], [["yes old"], "new?"], "the thread's next run is of the new one");
  // The same by another process, which has compiled only the new one.
  await server.stop();
  server = await startServer({ dir, args: ["--agents", folder, "--shards", "2"] });
  const later = await wait(again, "asker", { command: { resume: "late" } });
  equal(later.json.said, ["late old"], "the old graph goes on after a restart");
});

await scenario("a command names what the old version has", async () => {
  const t = await thread();
  await wait(t, "asker");
  put("asker.yaml", asks("third", "newest"));
  await until(async () => (await wait(await thread(), "asker")).json.__interrupt__?.[0].value === "newest?", "the newest version");
  const update = await post(`/threads/${t}/state`, { values: { said: ["by hand"] }, as_node: "second" });
  equal(update.status, 200, "updateState as a node of the version that waits");
  equal((await wait(t, "asker", { input: null })).json?.said, ["by hand"], "and the run goes on from there");
  const u = await thread();
  await wait(u, "asker");
  equal((await wait(u, "asker", { command: { goto: "second" } })).status, 422, "a node that its version has not");
  equal((await wait(u, "asker", { command: { goto: "third", resume: "yes" } })).status, 200, "and one that it has");
});

await scenario("a chart that waits keeps its version", async () => {
  put("chart.yaml", chart("first", "old"));
  const t = await until(async () => { const t = await thread(); return (await wait(t, "chart")).json?.__interrupt__?.[0].value === "old?" && t; }, "the chart to ask");
  put("chart.yaml", chart("second", "new"));
  await until(async () => (await wait(await thread(), "chart")).json.__interrupt__?.[0].value === "new?", "the new chart");
  equal((await wait(t, "chart", { command: { resume: "yes" } })).json.said, ["yes old"], "the old chart goes on");
});

await scenario("what waits inside of a called agent keeps that agent's version", async () => {
  put("inner.yaml", asks("first", "old").replace("id: asker", "id: inner"));
  put("outer.yaml", caller.replace("id: caller", "id: outer").replace("agent: worker", "agent: inner"));
  const t = await until(async () => { const t = await thread(); return (await wait(t, "outer")).json?.__interrupt__?.[0].value === "old?" && t; }, "the inner agent to ask");
  put("inner.yaml", asks("second", "new").replace("id: asker", "id: inner"));
  await until(async () => (await wait(await thread(), "outer")).json.__interrupt__?.[0].value === "new?", "the new inner agent");
  equal((await call(server, "GET", `/threads/${t}/state?subgraphs=true`)).json.tasks[0].state?.next, ["first"], "its state is shown as it waits");
  equal((await wait(t, "outer", { command: { resume: "yes" } })).json.said, ["yes old"], "the old one goes on");
});

await scenario("an earlier checkpoint whose next node is gone", async () => {
  const t = await thread();
  put("steps.yaml", says("steps", "one").replace("edges:", "  then: {set: {said: \"['then']\"}}\nedges:\n  - [speak, then]"));
  await until(async () => (await wait(t, "steps")).json?.said, "steps to run");
  const earlier = (await call(server, "GET", `/threads/${t}/history`)).json.find((s) => s.next[0] === "then");
  put("steps.yaml", says("steps", "two"));
  await saying("steps", ["two"]);
  const r = await wait(t, "steps", { input: null, checkpoint_id: earlier.checkpoint.checkpoint_id });
  equal(r.json.__error__?.message, "the node \"then\", which comes next here, is not in the agent any more", "the error says why");
  equal((await wait(t, "steps")).json.said, ["one", "then", "two"], "new input begins anew");
});

await scenario("new input where an earlier version waits", async () => {
  for (const [name, ask] of [["asker", asks], ["chart", chart]]) {
    const t = await thread();
    put(`${name}.yaml`, ask("fourth", "elder"));
    await until(async () => (await wait(await thread(), name)).json.__interrupt__?.[0].value === "elder?", "the elder version");
    await wait(t, name);
    put(`${name}.yaml`, ask("fifth", "younger"));
    await until(async () => (await wait(await thread(), name)).json.__interrupt__?.[0].value === "younger?", "the younger version");
    const r = await wait(t, name);
    equal(r.json.__interrupt__?.[0].value, "younger?", `${name}: it begins anew, with the new version`) || console.log(r.text);
  }
  put("asker.yaml", asks("third", "newest"));
  await until(async () => (await wait(await thread(), "asker")).json.__interrupt__?.[0].value === "newest?", "the newest version");
});

await scenario("an answer that waits in the queue", async () => {
  const slow = asks("slow", "queued").replace("id: asker", "id: queued").replace("  slow:", "  pause: {wait: {ms: 2500}}\n  slow:").replace("[START, slow]", "[START, pause]\n  - [pause, slow]");
  put("queued.yaml", slow);
  const t = await thread();
  await until(async () => (await post(`/threads/${t}/runs`, { assistant_id: "queued", input: {} })).status === 200, "queued to be known");
  await until(async () => (await call(server, "GET", `/threads/${t}/state`)).json.next?.[0] === "pause", "it to pause");
  const answer = wait(t, "queued", { command: { resume: "yes" }, multitask_strategy: "enqueue" });
  await until(async () => (await call(server, "GET", `/threads/${t}/runs`)).json.length === 2, "the answer to be queued");
  put("queued.yaml", says("queued", "other"));
  await saying("queued", ["other"]);
  equal((await answer).json.said, ["yes queued"], "it answers the version that asked");
});

await scenario("SIGHUP, and a folder that is made anew", async () => {
  rmSync(folder, { recursive: true });
  mkdirSync(folder);
  put("hello.yaml", says("hello", "anew"));
  put("asker.yaml", asks("third", "newest"));
  server.child.kill("SIGHUP");
  await saying("hello", ["anew"]);
  put("hello.yaml", says("hello", "watched"));
  await saying("hello", ["watched"]);
});

await scenario("a folder behind a link, as containers mount it", async () => {
  for (const [name, word] of [["..1", "linked"], ["..2", "swapped"]]) {
    mkdirSync(file(name));
    put(`${name}/linked.yaml`, says("linked", word));
  }
  symlinkSync("..1", file("..data"));
  symlinkSync("..data/linked.yaml", file("linked.yaml"));
  await saying("linked", ["linked"]);
  symlinkSync("..2", file("..data_tmp"));
  renameSync(file("..data_tmp"), file("..data"));
  await saying("linked", ["swapped"]);
});

await scenario("what waits outlives its file", async () => {
  const t = await thread();
  await wait(t, "asker");
  rmSync(file("asker.yaml"));
  const a = (await post("/assistants/search", { graph_id: "asker" })).json[0].assistant_id;
  await until(async () => (await wait(await thread(), a)).status === 422, "asker to be gone");
  equal((await wait(t, a, { command: { resume: "still" } })).json.said, ["still newest"], "a person's answer still comes in");
});

await server.stop();
finish();
