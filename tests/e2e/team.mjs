// team.mjs - agents that are runs write to each other and to a client, through the newest
// LangGraph SDK: a manager has workers and an external client bid for a job (contract net),
// and it is awarded once, whatever happens to the server: `node team.mjs [SHARDS]`.
import { Client } from "sdk-2.0";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { binary, call, check, equal, finish, metric, oneNode, repo, scenario, scratch, startServer, until } from "./lib.mjs";
import { ack, poll } from "./mail-lib.mjs";

const shards = process.argv[2] ?? "2", dir = scratch(), folder = path.join(dir, "agents");
const example = (name) => readFileSync(path.join(repo, "agents/examples", `${name}.yaml`), "utf8");
mkdirSync(folder);
writeFileSync(path.join(folder, "team-worker.yaml"), example("team-worker"));
// As the example, but patient: it waits for all that it asked.
writeFileSync(path.join(folder, "team-manager.yaml"), example("team-manager").replace("deadline: 2s", "deadline: 5m").replace(/\ntests:[^]*/, "\n"));
writeFileSync(path.join(folder, "flaky.yaml"), `id: flaky
context: {n: 0}
initial: up
states:
  up:
    on:
      message.inform: {actions: [{assign: {n: n + 1}}]}
      message.request: broken
      message.cancel: end
  broken: {fail: as it was told to}
  end: {type: final}
`);
writeFileSync(path.join(folder, "boss.yaml"), `id: boss
context: {who: null, wrong: null, taken: null, reply: null}
initial: hire
states:
  hire:
    spawn: {agent: team-worker, name: hal, capabilities: [paint], input: {hours: 6}}
    on: {done: {target: missing, assign: {who: event.data}}}
  missing:
    spawn: {agent: nobody}
    on: {error.communication: {target: taken, assign: {wrong: event.data.name}}}
  taken:
    spawn: {agent: team-worker, name: hal}
    on: {error.communication: {target: tell, assign: {taken: event.data.name}}}
  tell:
    message: {to: "\${who.name}", performative: accept-proposal, conversation_id: c1, wait: true}
    on: {done: {target: work, assign: {reply: event.data.content}}}
  work: {on: {message.cancel: fire}}
  fire:
    stop: {agent: hal}
    on: {done: end}
  end: {type: final}
`);
// Its work is one task, in whose middle the server dies.
writeFileSync(path.join(folder, "hirer.yaml"), `id: hirer
context: {who: null}
initial: work
states:
  work:
    do:
      - {spawn: {agent: team-worker, name: ida}, writes: {who: result}}
      - {spawn: {agent: team-worker, name: kay, memory: true}}
      - {stop: {agent: jon, drain: true}}
      - {wait: 2000}
    on: {done: end}
  end: {type: final}
`);
const args = ["--agents", folder, "--shards", shards];
let server = await startServer({ dir, args });
const sdk = () => new Client({ apiUrl: server.url, callerOptions: { maxRetries: 0 } });
const get = async (target) => (await call(server, "GET", target)).json;
const post = async (target, body) => {
  const r = await call(server, "POST", target, body);
  check(r.status < 300, `POST ${target}`, r.text);
  return r.json;
};
const values = async (thread) => (await get(`/threads/${thread}/state`)).values ?? {};
const live = () => metric(server, "cohort_runs_live");
const workers = {};

async function spawn(name, hours) {
  workers[name] = (await post("/agents", { graph_id: "team-worker", name, capabilities: ["estimate"], input: { hours } })).agent_id;
  await until(async () => (await values(workers[name])).hours === hours, `${name} to begin`);
}

// Letters of the client's mailbox, acknowledged as they are read.
const letters = (wanted) => until(async () => {
  const list = await poll(server, "cleo", { wait: 1000 });
  if (list.length > 0) await ack(server, "cleo", list.map((m) => m.message_id));
  const found = list.filter((m) => m.performative === wanted);
  return found.length > 0 ? found : undefined;
}, `a ${wanted}`);
const answer = (m, performative, content) => post("/agents/cleo/messages", { performative, receiver: m.sender, content,
  conversation_id: m.conversation_id, protocol: m.protocol, in_reply_to: m.reply_with, delivery: { durable: true } });

// A run of the manager that is streamed: its messages, and its last values.
async function manage(during) {
  const client = sdk(), thread = await client.threads.create(), seen = [];
  let last, failed;
  const streaming = (async () => {
    for await (const c of client.runs.stream(thread.thread_id, "team-manager", { input: {}, streamMode: ["custom", "values"], streamResumable: true })) {
      if (c.event === "custom" && c.data.type === "message") seen.push(c.data);
      if (c.event === "values") last = c.data;
      if (c.event === "error") failed = c.data;
    }
  })().catch((e) => { failed = e; });
  await during(thread.thread_id, seen);
  await streaming;
  return { thread: thread.thread_id, seen, last, failed };
}
const told = (seen, direction) => seen.filter((m) => m.direction === direction).map((m) => m.message.performative);

await scenario("workers are runs that wait for messages, in no memory", async () => {
  await spawn("ann", 5);
  await spawn("bob", 3);
  await spawn("cid", 4);
  equal((await get("/agents/bob")).kind, "run", "a definition is a run");
  equal((await get(`/threads/${workers.bob}`)).status, "busy", "whose thread has the agent's id");
  await until(async () => await live() === 0, "all of them to be parked");
});

await scenario("the manager is streamed, and the fewest hours win", async () => {
  const r = await manage(async () => {});
  equal([r.failed, r.last?.winner, r.last?.report], [undefined, "bob", "done in 3 hours"], "bob has done it");
  equal(told(r.seen, "sent"), ["cfp", "reject-proposal", "reject-proposal", "accept-proposal"], "what was sent is in the stream");
  equal(told(r.seen, "received"), ["propose", "propose", "propose", "inform"], "and what came");
  equal((await values(workers.bob)).done.length, 1, "awarded once");
  const rows = await get(`/threads/${r.thread}/transcript`);
  equal(told(rows.filter((x) => x.kind === "message"), "received"), ["propose", "propose", "propose", "inform"], "messages are in the transcript");
  const again = spawnSync(binary, ["replay", rows[0].run_id, "--thread", r.thread, "--url", oneNode(server).url], { encoding: "utf8" });
  check(/^same: \d+ steps\n$/.test(again.stdout), "and a replay gives them again", again.stdout + again.stderr);
});

await scenario("an external client takes part, and kill -9 in the middle", async () => {
  await post("/agents", { kind: "external", name: "cleo", capabilities: ["estimate"], durable: true });
  const client = sdk(), thread = (await client.threads.create()).thread_id;
  const run = await client.runs.create(thread, "team-manager", { input: {}, streamMode: ["custom", "values"], streamResumable: true });
  const [cfp] = await letters("cfp");
  equal(cfp.content, { job: "Paint the fence" }, "the client is asked too");
  await server.stop("SIGKILL");
  server = await startServer({ dir, args });
  equal((await get("/agents/ann")).state !== "failed", true, "the workers are there again");
  await answer(cfp, "propose", { hours: 1 });
  const [accept] = await letters("accept-proposal");
  await server.stop("SIGKILL");
  server = await startServer({ dir, args });
  await answer(accept, "inform", "done by hand");
  let last;
  for await (const c of sdk().runs.joinStream(thread, run.run_id, { streamMode: ["custom"], lastEventId: "-1" }))
    if (c.event === "custom") last = c.data;
  equal([last?.direction, last?.message.content], ["received", "done by hand"], "its stream can be joined");
  const v = await values(thread);
  equal([v.winner, v.report], ["cleo", "done by hand"], "it goes on to its end");
  equal((await Promise.all(Object.values(workers).map(values))).map((x) => x.done.length), [0, 1, 0], "no worker was awarded it");
  // The transcript is written with the state; a stream's last moment may be lost with the server.
  const rows = (await get(`/threads/${thread}/transcript`)).filter((x) => x.kind === "message");
  equal(told(rows, "sent").sort(), ["accept-proposal", "cfp", "reject-proposal", "reject-proposal", "reject-proposal"], "one call, one award");
  equal(told(rows, "received").sort(), ["inform", "propose", "propose", "propose", "propose"], "each answer is heard once");
});

await scenario("any client writes to a run that it started itself", async () => {
  const client = sdk(), thread = (await client.threads.create()).thread_id;
  await client.runs.create(thread, "team-worker", { input: { hours: 7 } });
  await until(async () => (await values(thread)).hours === 7, "it to begin");
  await post("/messages", { performative: "accept-proposal", receiver: thread, conversation_id: "c7" });
  await until(async () => (await values(thread)).done?.length === 1, "it to hear");
  const runs = await client.runs.list(thread);
  await client.runs.cancel(thread, runs[0].run_id, true);
  await until(async () => (await call(server, "GET", `/agents/${thread}`)).status === 404, "its mailbox to be closed");
});

await scenario("its supervisor starts one that fails again, with what it knew", async () => {
  await post("/agents", { graph_id: "flaky", name: "flo", supervision: { restart: "on_failure", backoff: 10 } });
  const flo = (await get("/agents/flo")).agent_id;
  const send = (performative) => post("/messages", { performative, receiver: "flo" });
  await until(async () => (await values(flo)).n === 0, "flo to begin");
  await send("inform");
  await until(async () => (await values(flo)).n === 1, "one");
  await send("request");
  await until(async () => (await get("/agents/flo")).supervision.restarts === 1, "the restart");
  await send("inform");
  await until(async () => (await values(flo)).n === 2, "it to go on counting");
  await send("cancel");
  await until(async () => (await call(server, "GET", "/agents/flo")).status === 404, "its end, which is for good");
});

await scenario("a manager spawns its worker, writes to it and stops it, across kill -9", async () => {
  const client = sdk(), thread = (await client.threads.create()).thread_id;
  const run = await client.runs.create(thread, "boss", { input: {} });
  await until(async () => (await values(thread)).reply === "done in 6 hours", "the worker's answer");
  const { who } = await values(thread), hired = await get("/agents/hal");
  equal([hired.agent_id, hired.graph_id, hired.kind, hired.capabilities], [who.agent_id, "team-worker", "run", ["paint"]], "it is an agent as any other");
  equal((await values(who.agent_id)).done, ["c1"], "and has worked");
  await server.stop("SIGKILL");
  server = await startServer({ dir, args });
  await post("/messages", { performative: "cancel", receiver: thread });
  await client.runs.join(thread, run.run_id).catch(() => {});
  await until(async () => (await get(`/threads/${thread}`)).status === "idle", "the manager's end");
  equal([(await values(thread)).wrong, (await values(thread)).taken], ["AgentError", "AgentError"], "an unknown definition, a name that is taken");
  equal((await call(server, "GET", "/agents/hal")).status, 404, "the worker is gone");
  const rows = await get(`/threads/${thread}/transcript`);
  equal(rows.filter((x) => x.kind === "result").map((x) => [x.of, x.what, x.ok]),
    [["spawn", "team-worker", true], ["spawn", "nobody", false], ["spawn", "team-worker", false], ["stop", "hal", true]], "the transcript tells");
  const again = spawnSync(binary, ["replay", rows[0].run_id, "--thread", thread, "--url", oneNode(server).url], { encoding: "utf8" });
  check(/^same: \d+ steps\n$/.test(again.stdout), "and a replay gives it again", again.stdout + again.stderr);
});

await scenario("work that is made again after kill -9 spawns and stops nobody twice", async () => {
  const client = sdk(), thread = (await client.threads.create()).thread_id;
  await spawn("jon", 1);
  const run = await client.runs.create(thread, "hirer", { input: {} });
  await until(async () => (await call(server, "GET", "/agents/jon")).status === 404, "the end of one");
  const ida = (await get("/agents/ida")).agent_id;
  equal((await get("/agents/kay")).kind, "chart", "one in memory");
  await call(server, "DELETE", "/agents/ida");
  await until(async () => (await get(`/threads/${ida}`)).status === "idle", "the end of the other's run");
  await server.stop("SIGKILL");
  server = await startServer({ dir, args });
  await client.runs.join(thread, run.run_id).catch(() => {});
  await until(async () => (await get(`/threads/${thread}`)).status === "idle", "the run to be made again");
  equal((await values(thread)).who, { agent_id: ida, name: "ida" }, "it is the agent of the first attempt");
  equal((await get(`/threads/${ida}/runs`)).length, 1, "which has begun once");
  equal((await call(server, "GET", "/agents/kay")).status, 404, "what was in memory is gone");
});

await scenario("deleting an agent ends its run", async () => {
  const r = await call(server, "DELETE", "/agents/cid");
  check(r.status < 300, "deleted", r.text);
  await until(async () => (await get(`/threads/${workers.cid}`)).status === "idle", "the run to end");
  equal((await call(server, "POST", "/messages", { performative: "inform", receiver: "cid" })).status, 404, "nobody is there");
});

await server.stop();
finish();
