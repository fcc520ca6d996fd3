// relay.mjs - two nodes: requests that reach the node which does not have the thread are
// served by the one that has it, so that streams, joins, cancels, commands and WebSockets
// are as on one node; and what happens when that node, or the bus, is lost.
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { Client } from "sdk-2.0";
import { call, check, equal, finish, raw, scenario, scratch, startMock, until } from "./lib.mjs";
import { dial } from "./socket-lib.mjs";
import { freshSchema, startCluster, startNats, sharedPostgres } from "../cluster/lib.mjs";

const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "2"]);
const nats = startNats();
const dir = scratch(), folder = path.join(dir, "agents");
mkdirSync(folder);
writeFileSync(path.join(folder, "listener.yaml"), "id: listener\ninitial: up\nstates:\n  up: {on: {message.cancel: end}}\n  end: {type: final}\n");
writeFileSync(path.join(folder, "stopper.yaml"), "id: stopper\ncontext: {who: null, drain: false, wrong: null}\ninitial: up\nstates:\n  up:\n    stop: {agent: \"${who}\"}\n    on: {done: drains, error.communication: {target: end, assign: {wrong: event.data.message}}}\n  drains:\n    stop: {agent: \"${who}2\", drain: true}\n    on: {done: end, error.communication: {target: end, assign: {wrong: event.data.message}}}\n  end: {type: final}\n");
const cluster = await startCluster({ nodes: 2, dir, mock, lease: 2000, store: freshSchema(sharedPostgres()), nats: nats.url, args: ["--shards", "2", "--agents", folder] });
const [a, b] = cluster.nodes;
const uuid = () => crypto.randomUUID();
const say = (content, more = {}) => ({ assistant_id: "agent", input: { messages: [{ role: "user", content }] }, ...more });
const thread = async (s) => (await call(s, "POST", "/threads", {})).json.thread_id;
const begin = async (s, t, content, more) => (await call(s, "POST", `/threads/${t}/runs`, say(content, { stream_mode: ["messages-tuple", "updates"], ...more }))).json.run_id;
const status = async (s, t, r) => (await call(s, "GET", `/threads/${t}/runs/${r}`)).json.status;
const under = (s, t, r) => until(async () => await status(s, t, r) === "running", "the run to begin");
const metric = async (s, name) => Number(new RegExp(`^cohort_${name} (.*)$`, "m").exec((await call(s, "GET", "/metrics")).text)[1]);

// Reads a stream; `text` grows, `end` is "ended" or "cut".
async function read(url, options = {}) {
  const gone = new AbortController(), s = { text: "" };
  const res = await fetch(url, { signal: gone.signal, ...options });
  s.status = res.status;
  s.done = (async () => {
    try { for await (const part of res.body) s.text += Buffer.from(part).toString(); s.end = "ended"; } catch { s.end = "cut"; }
  })();
  s.close = async () => { gone.abort(); await s.done; };
  return s;
}
// Frames without what differs from reader to reader: heartbeats.
const frames = (s) => s.text.split("\n\n").filter((f) => f !== "" && !f.startsWith(": "));

await scenario("a run is joined, streamed and cancelled at the other node", async () => {
  const t = await thread(a), r = await begin(a, t, "one mock:stall", { stream_resumable: true });
  await under(a, t, r);
  const sent = await metric(b, "relay_sent_total"), served = await metric(a, "relay_served_total");
  const here = await read(`${a.url}/threads/${t}/runs/${r}/stream`, { headers: { "last-event-id": "-1" } });
  const there = await read(`${b.url}/threads/${t}/runs/${r}/stream`, { headers: { "last-event-id": "-1" } });
  const join = call(b, "GET", `/threads/${t}/runs/${r}/join`);
  await until(() => here.text.includes("event: messages") && there.text.includes("event: messages"), "events at both");
  equal((await call(b, "POST", `/threads/${t}/runs/${r}/cancel?wait=true`)).status, 204, "cancelled at b");
  await Promise.all([here.done, there.done]);
  equal(frames(there), frames(here), "the same events, with the same ids, at both");
  equal((await join).status, 200, "the join at b ends");
  equal([await status(a, t, r), await status(b, t, r)], ["interrupted", "interrupted"], "both nodes know");
  check(await metric(b, "relay_sent_total") > sent && await metric(a, "relay_served_total") > served, "they went over the relay");
});

await scenario("events come as they are told, also of a run that keeps none", async () => {
  const t = await thread(a), r = await begin(a, t, "two mock:stall");
  await under(a, t, r);
  const s = await read(`${b.url}/threads/${t}/runs/${r}/stream`);
  equal((await call(b, "POST", `/threads/${t}/runs/${r}/cancel`)).status, 202, "cancelled");
  await s.done;
  check(/event: end/.test(s.text), "the stream ends with the run", s.text);
  const gone = await begin(a, await thread(a), "no", { after_seconds: 60 });
  check(gone, "a delayed run is no node's");
});

await scenario("a client that leaves at the other node cancels its run", async () => {
  const t = await thread(a), first = await begin(a, t, "keeps it mock:stall");
  await under(a, t, first);
  await call(a, "POST", `/threads/${t}/runs/${first}/cancel?wait=true`);
  const r = await begin(a, t, "three mock:stall");
  await under(a, t, r);
  const s = await read(`${b.url}/threads/${t}/runs/${r}/stream?cancel_on_disconnect=true`);
  await s.close();
  await until(async () => await status(a, t, r) === "interrupted", "the run to be cancelled");
});

// Its agent is at a; which of them ends it, and whether the other has made it an agent of its own
// by then, is a matter of microseconds: so several, at once.
await scenario("an agent goes when its parked run is cancelled at the other node", async () => {
  const names = [...Array(12)].map((_, i) => `sleeper${i}`), ids = [];
  for (const name of names) ids.push((await call(a, "POST", "/agents", { graph_id: "listener", name })).json.agent_id);
  await until(async () => await metric(a, "runs_live") === 0, "their runs to be parked");
  await until(async () => (await Promise.all(names.map((n) => call(b, "GET", `/agents/${n}`)))).every((r) => r.status === 200), "b to know them");
  await Promise.all(ids.map(async (id, i) => {
    const [r] = (await call(b, "GET", `/threads/${id}/runs`)).json;
    const c = await call(b, "POST", `/threads/${id}/runs/${r.run_id}/cancel?wait=${i % 2 === 0}`);
    check(c.status < 300, "cancelled at b", c.text);
  }));
  for (const s of [a, b]) for (const who of [...names, ...ids]) await until(async () => (await call(s, "GET", `/agents/${who}`)).status === 404, `${who} to be gone`);
  check((await call(b, "POST", "/agents", { graph_id: "listener", name: names[0] })).status < 300, "its name is free");
  await call(b, "DELETE", `/agents/${names[0]}`);
});

await scenario("a graph at b stops agents of a", async () => {
  for (const name of ["eve", "eve2"]) await call(a, "POST", "/agents", { graph_id: "listener", name });
  await until(async () => (await call(b, "GET", "/agents/eve2")).status === 200, "b to know them");
  const stop = async () => (await call(b, "POST", `/threads/${await thread(b)}/runs/wait`, { assistant_id: "stopper", input: { who: "eve" } })).json;
  equal((await stop()).wrong, null, "both have stopped, one of them drained");
  equal((await Promise.all([a, b].flatMap((s) => ["eve", "eve2"].map((n) => call(s, "GET", `/agents/${n}`))))).map((r) => r.status), [404, 404, 404, 404], "they are nowhere");
  check(/no agent/.test((await stop()).wrong), "again: there is none");
});

await scenario("a run that waits behind another node's, and one that displaces it", async () => {
  const t = await thread(a), r = await begin(a, t, "four mock:stall");
  await under(a, t, r);
  equal((await call(b, "POST", `/threads/${t}/runs`, say("no", { multitask_strategy: "reject" }))).status, 409, "reject");
  const client = new Client({ apiUrl: b.url, callerOptions: { maxRetries: 0 } }), seen = [];
  for await (const c of client.runs.stream(t, "agent", { input: { messages: [{ role: "user", content: "instead" }] }, streamMode: "values", multitaskStrategy: "interrupt" }))
    seen.push(c);
  equal(seen.findLast((c) => c.event === "values").data.messages.at(-1).type, "ai", "the SDK at b streams the run that runs at a");
  equal(await status(b, t, r), "interrupted", "it was displaced");
});

await scenario("large bodies, a refused request, a request behind another", async () => {
  const t = await thread(a), r = await begin(a, t, "five mock:stall");
  await under(a, t, r);
  const big = "x".repeat(3 << 20);
  equal((await call(b, "POST", `/threads/${t}/runs`, say(big, { metadata: { a: 1 } }))).status, 200, "3 MB of input");
  equal((await call(b, "POST", `/threads/${t}/runs`, { assistant_id: "none" })).status, 404, "what the owner refuses");
  equal((await call(b, "PATCH", `/threads/${t}`, { metadata: { "ä": "ö%20/" } })).json.metadata["ä"], "ö%20/", "bytes as they are");
  const two = `GET /threads/${t} HTTP/1.1\r\nHost: ${b.host}:${b.port}\r\n\r\nGET /threads/${t}/runs?limit=1 HTTP/1.1\r\nHost: ${b.host}:${b.port}\r\nConnection: close\r\n\r\n`;
  const text = String(await raw(b, [two], {}));
  equal((text.match(/HTTP\/1\.1 200 OK/g) ?? []).length, 2, "two answers on one connection", text);
  for (const x of (await call(b, "GET", `/threads/${t}/runs`)).json) await call(b, "POST", `/threads/${t}/runs/${x.run_id}/cancel?wait=true`);
  await until(async () => (await call(a, "GET", `/threads/${t}`)).json.status !== "busy", "the thread to be idle");
  equal((await call(b, "GET", `/threads/${t}/state`)).status, 200, "its state at b");
});

await scenario("a run without a thread is found by asking", async () => {
  const s = await read(`${a.url}/runs/stream`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(say("six mock:stall", { stream_mode: "messages-tuple", on_disconnect: "cancel" })) });
  await until(() => /"run_id":"/.test(s.text), "its id");
  const r = /"run_id":"([^"]+)"/.exec(s.text)[1];
  const other = await read(`${b.url}/runs/${r}/stream`);
  equal(other.status, 200, "joined at b");
  const none = await call(b, "GET", `/runs/${uuid()}/join`);
  equal(none.status, 404, "one that nobody has");
  await s.close();
  await other.done;
});

// ---- the thread protocol -----------------------------------------------------------------

await scenario("events are read at one node before there is a thread, the run is started at the other", async () => {
  for (const [reads, starts] of [[a, b], [b, a]]) {
    const t = uuid();
    const s = await read(`${reads.url}/threads/${t}/stream/events`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ channels: ["messages", "values", "lifecycle"] }) });
    equal(s.status, 200, "a stream opens");
    const started = await call(starts, "POST", `/threads/${t}/commands`, { id: 1, method: "run.start", params: { assistant_id: "agent", input: { messages: [{ type: "human", content: "hello" }] } } });
    equal(started.json.type, "success", "run.start", started.json);
    await until(() => /"event":"completed"/.test(s.text), "the run's events");
    check(/event: messages/.test(s.text), "messages too");
    await s.close();
  }
});

// Each tells the other, one of its reader and one of its run, and what they tell passes each other.
await scenario("a stream opens at one node while a command begins a run at the other", async () => {
  const lost = [];
  for (let i = 0; i < 60 && lost.length === 0; i++) {
    const [reads, starts] = i % 2 ? [a, b] : [b, a], t = uuid(), ahead = (Math.floor(i / 2) % 15) - 3;
    const begin = (id) => call(starts, "POST", `/threads/${t}/commands`, { id, method: "run.start", params: { assistant_id: "agent", input: { messages: [{ type: "human", content: "hello" }] } } });
    await call(starts, "GET", `/threads/${t}/runs/${(await begin(1)).json.result.run_id}/join`);
    const pause = (ms) => new Promise((r) => setTimeout(r, ms));
    const open = pause(Math.max(0, ahead)).then(() => read(`${reads.url}/threads/${t}/stream/events`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ channels: ["messages", "lifecycle"] }) }));
    await pause(Math.max(0, -ahead));
    const { run_id } = (await begin(2)).json.result, s = await open;
    const ended = () => s.text.split("\n\n").some((f) => f.includes('"event":"completed"') && f.includes(run_id));
    await until(ended, "its end", 20000).catch(() => lost.push(`${ahead} ms`));
    await s.close();
  }
  equal(lost, [], "each stream has the run to its end");
});

// A node learns of another's graphs some ms after they are stored.
await scenario("a graph that a worker registers at one node is at the other when that is answered", async () => {
  const found = [], gone = [];
  for (let i = 0; i < 20; i++) {
    const id = `g${i}`, made = await call(a, "POST", "/workers", { name: "w", build: "1", lang: "js", slots: { run: 1 }, graphs: [{ id }] });
    found.push((await call(b, "GET", `/assistants/${id}/schemas`)).status);
    await call(a, "POST", `/workers/${made.json.worker_id}/leave`, {});
    equal((await call(a, "DELETE", `/workers/graphs/${id}`)).json, { ok: true }, "removed");
    gone.push((await call(b, "GET", `/assistants/${id}/schemas`)).status);
  }
  equal([found, gone], [found.map(() => 200), gone.map(() => 404)], "as it was answered");
});

await scenario("a WebSocket to the node that does not have the thread", async () => {
  const t = await thread(a), r = await begin(a, t, "seven mock:stall");
  await under(a, t, r);
  const s = await dial(b, t);
  check(s.closed === null, "it opens", s.closed);
  await s.ok("subscription.subscribe", { channels: ["lifecycle", "messages"] });
  equal((await call(a, "POST", `/threads/${t}/runs/${r}/cancel?wait=true`)).status, 204, "cancelled at a");
  const next = await s.ok("run.start", { assistant_id: "agent", input: { messages: [{ type: "human", content: "again" }] } });
  await s.until("completed", next.run_id);
  check(s.events.some((e) => e.method === "messages"), "messages came");
  await s.close();
});

// ---- losses --------------------------------------------------------------------------------

await scenario("the bus is lost: streams are cut, requests are answered from the store; it comes back", async () => {
  const t = await thread(a), r = await begin(a, t, "eight mock:stall", { stream_resumable: true });
  await under(a, t, r);
  const s = await read(`${b.url}/threads/${t}/runs/${r}/stream`);
  await until(() => s.text.includes("event: messages"), "events at b");
  const sleeper = (await call(a, "POST", "/agents", { graph_id: "listener", name: "unheard" })).json.agent_id;
  await until(async () => await metric(a, "runs_live") === 1, "its run to be parked");
  const w = (await call(a, "POST", "/workers", { name: "w", build: "1", lang: "js", slots: {}, tools: [{ name: "probe", description: "-", schema: {} }] })).json.worker_id;
  nats.kill();
  const at = Date.now();
  await s.done;
  equal(s.end, "cut", "not as if it had ended");
  check(Date.now() - at < 5000, "soon", Date.now() - at);
  equal(await status(b, t, r), "running", "b answers from the store");
  const beat = await call(b, "POST", `/workers/${w}/leave`, {});
  check(beat.status === 503 && beat.headers.get("retry-after") !== null, "a worker of a comes again", beat.text);
  const [parked] = (await call(b, "GET", `/threads/${sleeper}/runs`)).json;
  equal((await call(b, "POST", `/threads/${sleeper}/runs/${parked.run_id}/cancel?wait=true`)).status, 204, "a run that a has parked is cancelled at b");
  nats.start();
  await until(async () => {
    const before = await metric(b, "relay_sent_total");
    await status(b, t, r);
    return await metric(b, "relay_sent_total") > before;
  }, "requests to go to a again", 20000);
  const again = await read(`${b.url}/threads/${t}/runs/${r}/stream`, { headers: { "last-event-id": "-1" } });
  equal((await call(b, "POST", `/threads/${t}/runs/${r}/cancel?wait=true`)).status, 204, "cancelled at b");
  await again.done;
  check(/event: end/.test(again.text), "the stream goes on to its end", again.text);
  for (const n of [a, b]) await until(async () => (await call(n, "GET", "/agents/unheard")).status === 404, "the agent of the cancelled run to be gone");
});

await scenario("the owner is lost: its streams are cut, and go on at the node that takes over", async () => {
  const t = await thread(a);
  const client = new Client({ apiUrl: b.url, callerOptions: { maxRetries: 5 } }), seen = [];
  const r = await begin(a, t, "nine mock:stallx1", { stream_resumable: true });
  await under(a, t, r);
  const reading = (async () => { for await (const c of client.runs.joinStream(t, r, { lastEventId: "-1" })) seen.push(c); })();
  await until(() => seen.some((c) => c.event === "messages"), "events at b");
  a.child.kill("SIGKILL");
  await reading;
  equal(seen.at(-1).event, "end", "one reader sees it to the end");
  equal(await status(b, t, r), "success", "b has done it");
});

await b.stop?.("SIGTERM");
await cluster.stop("SIGKILL");
finish();
