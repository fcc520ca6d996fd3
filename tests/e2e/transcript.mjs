// transcript.mjs [SHARDS] - transcripts: what is kept of SDK runs, charts, questions
// and crashes; pages and lines of it; secrets that are not; and a run made again.
import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { binary, call, check, equal, finish, scenario, scratch, startMock, startServer, until } from "./lib.mjs";
import { clientOf, json } from "./core-lib.mjs";

const shards = process.argv[2] ?? "1";
const dir = scratch(), agents = path.join(dir, "agents"), script = path.join(dir, "script.json");
mkdirSync(agents);
writeFileSync(script, JSON.stringify({
  rules: [
    { match: "time", tool_calls: [{ name: "current_time", args: {} }] },
    { match: { role: "tool" }, reply: "It is late." },
    { match: "late one", reply: "Slow and late." },
    { match: "early one", reply: "Quick and early." },
  ],
  default: { reply: "Hello." },
}));
writeFileSync(path.join(agents, "gate.yaml"), `
id: gate
context: {answer: null}
initial: ask
states:
  ask:
    ask: {prompt: "Go on?"}
    on:
      done: {target: check, assign: {answer: event.data.value}}
  check:
    entry: [{raise: nobody}, {raise: move}]
    on:
      move: [{guard: answer == 'yes', target: out}, {target: ask}]
  out: {type: final}
`);
writeFileSync(path.join(agents, "mover.yaml"), `
id: mover
context: {}
initial: talk
states:
  talk:
    llm:
      prompt: go
      messages: []
      events: {move: {}, more: {}, again: {}}
      reply: "{content: '', tool_calls: [{id: 'c1', name: 'event__move', args: {}}, {id: 'c2', name: 'event__more', args: {}}, {id: 'c3', name: 'event__again', args: {}}]}"
    on: {move: out, more: out, again: out}
  out: {type: final}
`);
writeFileSync(path.join(agents, "slow.yaml"), `
id: slow
state: {messages: {reducer: messages}, n: {}}
nodes:
  first: {llm: {}}
  pause: {wait: {ms: params.ms ?? 20}}
  last: {set: {n: "7"}}
edges: [[START, first], [first, pause], [pause, last], [last, END]]
`);
// Branches that run at once, of which the first ends last; sends; sub-agents; a map.
writeFileSync(path.join(agents, "wide.yaml"), `
id: wide
state: {topics: {}, notes: {reducer: append, default: []}, sums: {}, text: {}, kept: {}}
nodes:
  start: {set: {topics: "['early one', 'late one']"}}
  left: {do: [{wait: {ms: 100}}, {llm: {prompt: "late one", messages: []}, writes: {notes: "['left: ' + result.text]"}}]}
  right: {llm: {prompt: "early one", messages: []}, writes: {notes: "['right: ' + result.text]"}}
  each: {llm: {prompt: "\${input.topic}", messages: []}, writes: {notes: "[result.text]"}}
  many:
    map: {over: topics, as: topic, agent: inner, input: {topic: topic}}
    writes: {sums: "map(result, r => r.said)"}
  keep:
    do:
      - {store: {put: {namespace: [tr], key: k, value: {n: "len(notes)"}}}}
      - {store: {get: {namespace: [tr], key: k}}, as: item}
    writes: {kept: item.value.n}
  join: {set: {text: "notes.join(' ')"}}
edges:
  - [START, start]
  - [start, left]
  - [start, right]
  - {from: [left, right], to: many}
  - {from: many, send: {over: topics, as: topic, to: each}}
  - [each, keep]
  - [keep, join]
`);
writeFileSync(path.join(agents, "inner.yaml"), `
id: inner
state: {topic: {}, said: {}}
output: [said]
nodes:
  pause: {wait: {ms: 5}}
  ask: {llm: {prompt: "\${topic}", messages: []}, writes: {said: result.text}}
edges: [[START, pause], [pause, ask]]
`);
writeFileSync(path.join(agents, "twin.yaml"), `
id: twin
context: {got: [], late: false, last: null}
initial: both
states:
  both:
    type: parallel
    onDone: end
    states:
      a:
        initial: pause
        states:
          pause:
            wait: {ms: 100}
            on: {done: asks}
          asks:
            llm: {prompt: "late one", messages: []}
            writes: {last: result.text}
            on: {done: {target: ready, assign: {got: "concat(got, [event.data.text])"}}}
          ready: {type: final}
      b:
        initial: asks_too
        states:
          asks_too:
            llm: {prompt: "early one", messages: []}
            writes: {last: result.text}
            on: {done: {target: waits, assign: {got: "concat(got, [event.data.text])"}}}
          waits:
            entry: [{send: {event: now, delay: 30ms}}, {raise: nobody}]
            on: {now: {target: set, assign: {late: true}}}
          set: {type: final}
  end: {type: final}
`);
const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "0", "--script", script]);
const options = { mock, dir, args: ["--shards", shards, "--agents", agents] };
let server = await startServer(options), client = clientOf(server);
const fresh = async () => (await client.threads.create()).thread_id;
const entries = async (t, query = "") => json(server, "GET", `/threads/${t}/transcript?limit=1000${query}`);
const kinds = (list) => list.map((e) => e.kind);
const of = (list, kind) => list.filter((e) => e.kind === kind);
const say = (content) => ({ messages: [{ role: "user", content }] });

await scenario("a run of the SDK with a tool", async () => {
  const t = await fresh();
  await client.runs.wait(t, "agent", { input: say("what time is it?") });
  const list = await entries(t);
  equal(kinds(list).filter((k) => !/entered|exited|checkpoint/.test(k)),
    ["run_start", "input", "request", "answer", "tool_call", "tool_result", "request", "answer", "run_end"], "in this order");
  equal(list.map((e) => e.seq), list.map((_, i) => i + 1), "numbered from 1, each once");
  const [start] = list, [call1] = of(list, "tool_call"), [result] = of(list, "tool_result"), answers = of(list, "answer");
  equal([start.graph_id, start.attempt, start.request.input], ["agent", 1, undefined], "how it began");
  equal(of(list, "input")[0].input, say("what time is it?"), "its input");
  equal([call1.name, call1.args, result.name, result.ok], ["current_time", {}, "current_time", true], "the call");
  equal([answers[0].message.tool_calls[0].id, answers[1].message.content], [call1.call_id, "It is late."], "the answers");
  check(answers[1].message.usage_metadata, "with usage", answers[1]);
  const state = await client.threads.getState(t);
  equal(of(list, "request")[1].messages.map((m) => m.channel ?? m), ["messages"], "messages of the state by reference");
  equal(of(list, "request")[1].messages[0].to, 3, "how many");
  equal(of(list, "checkpoint").at(-1).checkpoint_id, state.checkpoint.checkpoint_id, "checkpoints");
  equal(of(list, "run_end")[0].status, "success", "its end");
});

await scenario("pages and lines", async () => {
  const t = await fresh();
  for (let i = 0; i < 3; i++) await client.runs.wait(t, "agent", { input: say(`hello ${i}`) });
  const all = await entries(t), paged = [];
  for (let after = "";;) {
    const page = await json(server, "GET", `/threads/${t}/transcript?limit=4${after}`);
    if (page.length === 0) break;
    check(page.length <= 4, "no more than asked for");
    paged.push(...page);
    after = `&after=${page.at(-1).run_id}:${page.at(-1).seq}`;
  }
  equal(paged, all, "pages make the whole");
  equal(new Set(all.map((e) => e.run_id)).size, 3, "three runs");
  const lines = await call(server, "GET", `/threads/${t}/transcript`, undefined, { accept: "application/x-ndjson" });
  equal([lines.status, lines.headers.get("content-type")], [200, "application/x-ndjson"], "lines");
  equal(lines.text.trim().split("\n").map((l) => JSON.parse(l)), all, "the same as lines");
  const one = all[all.length >> 1].run_id;
  equal(await entries(t, `&run_id=${one}`), all.filter((e) => e.run_id === one), "one run");
  equal(await entries(t, `&run_id=${one}&after=3`), all.filter((e) => e.run_id === one && e.seq > 3), "behind one of it");
  const half = await call(server, "GET", `/threads/${t}/transcript?format=jsonl&run_id=${one}&after=2`);
  equal(half.text.trim().split("\n").map((l) => JSON.parse(l)), all.filter((e) => e.run_id === one && e.seq > 2), "as lines");
  for (const [query, status] of [["?after=x", 422], ["?after=5", 422], ["?run_id=x", 422], ["?limit=0", 422], ["?format=xml", 422],
    ["?run_id=00000000-0000-4000-8000-000000000000", 404]])
    equal((await call(server, "GET", `/threads/${t}/transcript${query}`)).status, status, `${query} is refused`);
  equal((await call(server, "GET", "/threads/00000000-0000-4000-8000-000000000000/transcript?format=jsonl")).status, 404, "no such thread");
  await client.runs.delete(t, one);
  equal(await entries(t), all.filter((e) => e.run_id !== one), "goes with its run");
});

await scenario("secrets are not kept", async () => {
  const t = await fresh();
  await client.runs.wait(t, "agent", { input: say("hi"), config: { configurable: { openai_api_key: "sk-very", tone: "kind",
    servers: { a: { headers: { Authorization: "Bearer sk-very" }, env: { GH_TOKEN: "sk-very" } } } } } });
  const { text } = await call(server, "GET", `/threads/${t}/transcript?limit=1000`);
  check(!text.includes("sk-very"), "nowhere in it", text);
  check(text.includes("[not kept]") && text.includes("kind"), "but what they are called", text);
});

await scenario("a chart: states, transitions, dropped events, a question and its answer", async () => {
  const t = await fresh();
  await client.runs.wait(t, "gate", { input: {} });
  const first = await entries(t), [asked] = of(first, "interrupt");
  equal([of(first, "entered").map((e) => e.state), of(first, "run_end")[0].status], [["ask"], "interrupted"], "it waits");
  equal([asked.node, asked.value.prompt], ["ask", "Go on?"], "for an answer");
  await client.runs.wait(t, "gate", { command: { resume: "yes" } });
  const list = (await entries(t)).slice(first.length);
  equal(of(list, "resumed")[0].command, { resume: "yes" }, "the answer");
  equal(list.filter((e) => /entered|exited/.test(e.kind)).map((e) => `${e.kind} ${e.state}`),
    ["exited ask", "entered check", "exited check", "entered out", "exited out"], "its path");
  equal(of(list, "event-dropped").map((e) => [e.event, e.why]), [["nobody", "no transition"]], "the event that nobody took");
  equal(of(list, "transition").map((e) => [e.from, e.to[0], e.event]), [["ask", "check", "done.invoke.ask"], ["check", "out", "move"]], "transitions");
  const lines = async (query) => (await call(server, "GET", `/threads/${t}/transcript?format=jsonl&kinds=${query}`)).text.trim().split("\n").map((l) => JSON.parse(l));
  equal((await lines("entered,exited")).map((e) => `${e.kind} ${e.state}`), ["entered ask", "exited ask", "entered check", "exited check", "entered out", "exited out"], "only these kinds, of all runs");
  equal((await lines(`entered&after=${list[0].run_id}:${of(list, "entered")[0].seq}`)).map((e) => e.state), ["out"], "behind an entry");
  for (const query of ["kinds=entered", "format=jsonl&kinds=entered,nothing"])
    equal((await call(server, "GET", `/threads/${t}/transcript?${query}`)).status, 422, query);
});

await scenario("a model's events after the one that left the state", async () => {
  const t = await fresh();
  await client.runs.wait(t, "mover", { input: {} });
  equal(of(await entries(t), "event-dropped").map((e) => [e.event, e.why]),
    [["more", "its work has ended"], ["again", "its work has ended"]], "are told as dropped");
});

await scenario("after a crash", async () => {
  const t = await fresh();
  const run = await client.runs.create(t, "slow", { input: say("hello"), config: { configurable: { ms: 3000 } } });
  await until(async () => of(await entries(t), "entered").some((e) => e.node === "pause"), "the wait");
  const before = await entries(t);
  await server.stop("SIGKILL");
  server = await startServer({ ...options, dir });
  client = clientOf(server);
  await client.runs.join(t, run.run_id);
  const after = await entries(t);
  equal(after.slice(0, before.length), before, "what was committed stays");
  equal(after.map((e) => e.seq), after.map((_, i) => i + 1), "numbers go on");
  equal(of(after, "run_start").map((e) => e.attempt), [1, 2], "the next attempt says so");
  equal(of(after, "answer").length, 1, "what was done is not doubled");
  equal([of(after, "timer").length, of(after, "run_end").map((e) => e.status)], [1, ["success"]], "and it ends");
});

// The command line, against the server.
const cohort = (...args) => new Promise((resolve) => execFile(binary, [...args, "--url", server.url],
  { env: { PATH: process.env.PATH, HOME: process.env.HOME } }, (e, stdout, stderr) => resolve({ code: e ? e.code : 0, stdout, stderr })));
const runsOf = async (t) => (await client.runs.list(t)).map((r) => r.run_id).reverse();
async function replays(t, run, what, ...more) {
  const r = await cohort("replay", run, "--thread", t, ...more);
  return check(r.code === 0 && /^same: [1-9][0-9]* steps\n$/.test(r.stdout), `${what}: replayed, it goes the same way`, r);
}

await scenario("cohort transcript", async () => {
  const t = await fresh();
  await client.runs.wait(t, "agent", { input: say("what time is it?") });
  const people = await cohort("transcript", t), [run] = await runsOf(t);
  equal(people.code, 0, "it ends well");
  check(/-> agent\n.*agent: ask 1 message .*\n.*answer of openai:mock-gpt-4o: .* calls current_time/.test(people.stdout), "a line an entry", people.stdout);
  check(!people.stdout.includes("\x1b"), "without colours when it is no terminal");
  equal(people.stdout.trim().split("\n").length, (await entries(t)).length, "each of them");
  const machines = await cohort("transcript", t, "--run", run, "--jsonl");
  equal(machines.stdout.trim().split("\n").map((l) => JSON.parse(l)), await entries(t), "or JSON");
  equal((await cohort("transcript", "00000000-0000-4000-8000-000000000000")).code, 1, "no such thread");
});

await scenario("replays", async () => {
  let t = await fresh();
  await client.runs.wait(t, "agent", { input: say("what time is it?") });
  await client.runs.wait(t, "agent", { input: say("hello") });
  const [one, two] = await runsOf(t);
  await replays(t, one, "tools");
  await replays(t, two, "on what was said before");
  t = await fresh();
  await client.runs.wait(t, "gate", { input: {} });
  await client.runs.wait(t, "gate", { command: { resume: "no" } });
  await client.runs.wait(t, "gate", { command: { resume: "yes" } });
  for (const run of await runsOf(t)) await replays(t, run, "a question and its answers");
  t = await fresh();
  const wide = await client.runs.wait(t, "wide", { input: {} });
  equal([wide.notes.length, wide.sums, wide.kept], [4, ["Quick and early.", "Slow and late."], 4], "branches, a map, sends, the store");
  await replays(t, (await runsOf(t))[0], "branches");
  t = await fresh();
  const twin = await client.runs.wait(t, "twin", { input: {} });
  equal([twin.got, twin.late], [["Quick and early.", "Slow and late."], true], "regions in parallel");
  await replays(t, (await runsOf(t))[0], "regions and a delayed event");
});

await scenario("a server that stops answering in the middle of a comparison", async () => {
  const t = await fresh();
  await client.runs.wait(t, "agent", { input: say("hello") });
  const [run] = await runsOf(t);
  let states = 0;
  const proxy = http.createServer((req, res) => {
    // The first state is where the replay begins; those after it are compared.
    if (req.url.endsWith("/state/checkpoint") && ++states > 2) return res.writeHead(503).end('{"detail":"busy"}');
    req.pipe(http.request(server.url + req.url, { method: req.method, headers: req.headers }, (up) => { res.writeHead(up.statusCode, up.headers); up.pipe(res); }));
  });
  await new Promise((r) => proxy.listen(0, "127.0.0.1", r));
  const r = await new Promise((resolve) => execFile(binary, ["replay", run, "--thread", t, "--url", `http://127.0.0.1:${proxy.address().port}`],
    (e, stdout, stderr) => resolve({ code: e ? e.code : 0, stdout, stderr })));
  check(r.code === 1 && r.stdout === "" && /answered 503: busy/.test(r.stderr), "is no replay that went the same way", r);
  proxy.close();
});

await scenario("a run that crashed is replayed", async () => {
  const t = await fresh();
  const run = await client.runs.create(t, "slow", { input: say("hello"), config: { configurable: { ms: 2000 } } });
  await until(async () => of(await entries(t), "entered").some((e) => e.node === "pause"), "the wait");
  await server.stop("SIGKILL");
  server = await startServer({ ...options, dir });
  client = clientOf(server);
  await client.runs.join(t, run.run_id);
  await replays(t, run.run_id, "two attempts");
});

await scenario("a changed file", async () => {
  const t = await fresh();
  await client.runs.wait(t, "gate", { input: {} });
  await client.runs.wait(t, "gate", { command: { resume: "yes" } });
  const run = (await runsOf(t))[1], file = path.join(dir, "gate.yaml");
  const text = readFileSync(path.join(agents, "gate.yaml"), "utf8");
  writeFileSync(file, text);
  await replays(t, run, "against the file as it is", "--agent", file);
  writeFileSync(file, text.replace("answer == 'yes'", "answer == 'never'"));
  const r = await cohort("replay", run, "--thread", t, "--agent", file);
  equal(r.code, 1, "another way");
  check(/^different after \d+ steps/.test(r.stdout) && /recorded: check => out on move\n +replayed: check => ask on move/.test(r.stdout), "and where it parts", r);
  writeFileSync(path.join(agents, "gate.yaml"), text.replace("answer == 'yes'", "answer == 'never'"));
  server.child.kill("SIGHUP");
  await replays(t, run, "the definition that it went by");
  writeFileSync(path.join(agents, "gate.yaml"), text);
});

await scenario("fork", async () => {
  const t = await fresh();
  await client.runs.wait(t, "agent", { input: say("hello") });
  await client.runs.wait(t, "agent", { input: say("late one") });
  const list = await entries(t), [one] = await runsOf(t);
  const at = of(list, "checkpoint").filter((e) => e.run_id === one).at(-1).checkpoint_id;
  const bare = await cohort("fork", t, "--at", at), fork = /^thread (\S+)\n$/.exec(bare.stdout)?.[1];
  const state = await client.threads.getState(fork);
  equal([state.values.messages.length, state.checkpoint.checkpoint_id, state.next], [2, at, []], "the history up to there");
  const other = await cohort("fork", t, "--at", at, "--prompt", "early one");
  check(/openai:mock-gpt-4o.* \| openai:mock-gpt-4o.*tokens/.test(other.stdout) &&
    other.stdout.includes("[-Slow-] and [-late.-]") && other.stdout.includes("{+Quick+} and {+early.+}"), "both answers with the words that differ", other);
  const same = await cohort("fork", t, "--at", at, "--system", "Be brief.");
  check(/Slow and late\. +\| Slow and late\.\n/.test(same.stdout), "another prompt", same);
  equal((await client.threads.getState(t)).values.messages.length, 4, "the thread is as it was");
  equal((await cohort("fork", t, "--at", "00000000-0000-4000-8000-000000000000")).code, 1, "no such checkpoint");
});

await scenario("off", async () => {
  const s = await startServer({ mock, args: ["--transcript", "off"] }), c = clientOf(s);
  const t = (await c.threads.create()).thread_id;
  await c.runs.wait(t, "agent", { input: say("hello") });
  equal(await json(s, "GET", `/threads/${t}/transcript`), [], "nothing is kept");
  await s.stop();
});

finish();
