// readers.mjs - what readers of the thread protocol cost the server: many of one run,
// many that are idle, one that is slow beside others that are not, and none.
//
//   ulimit -n 30000; COHORT=$PWD/build-o2/cohort node tests/bench/readers.mjs [WHAT...]
//   WHAT: many idle slow none; all without one
import { readFileSync } from "node:fs";
import { randomUUID } from "node:crypto";
import net from "node:net";
import { startMock, startServer, until } from "../e2e/lib.mjs";

const what = process.argv.length > 2 ? process.argv.slice(2) : ["many", "idle", "slow", "none"];
const channels = ["values", "checkpoints", "lifecycle", "input", "messages", "tools"];

// User and system time so far, in microseconds; resident memory, in KB.
function cpu(server) {
  const f = readFileSync(`/proc/${server.child.pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(f[11]) + Number(f[12])) * 10000;
}
const rss = (server) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.child.pid}/status`, "utf8"))[1]);

// A reader counts bytes, and the last of them show whether the run has ended.
function reader(server, thread, seen = {}) {
  const body = JSON.stringify({ channels });
  const s = net.connect(server.port, "127.0.0.1", () => s.write(`POST /threads/${thread}/stream/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`));
  Object.assign(seen, { bytes: 0, tail: "", frames: 0, socket: s });
  s.on("data", (d) => {
    seen.bytes += d.length;
    if (seen.keep) seen.text = (seen.text ?? "") + d.toString();
    seen.tail = (seen.tail + d.subarray(-300).toString()).slice(-300);
  });
  s.on("error", () => { seen.cut = true; });
  s.on("close", () => { seen.cut = true; });
  return seen;
}
const opened = (list) => until(() => list.every((x) => x.bytes > 0), "streams to open", 60000);
const ended = (list) => until(() => list.every((x) => x.tail.includes('"event":"completed"') || x.cut), "the run to end", 120000);

async function start(server, thread, content = "hi") {
  const r = await fetch(`${server.url}/threads/${thread}/commands`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ id: 1, method: "run.start", params: { assistant_id: "agent", input: { messages: [{ type: "human", content }] } } }) });
  const a = await r.json();
  if (a.type !== "success") throw new Error(JSON.stringify(a));
}

async function many() {
  const n = 1000, tokens = 300;
  const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "10", "--tokens", String(tokens)]);
  const server = await startServer({ mock, memory: true });
  const thread = randomUUID(), list = [...Array(n)].map(() => reader(server, thread));
  await opened(list);
  const first = Object.assign(reader(server, thread), { keep: true });
  await opened([first]);
  const before = cpu(server);
  await start(server, thread);
  await ended([...list, first]);
  const spent = cpu(server) - before, events = first.text.split("\nid: ").length - 1;
  console.log(`many: ${n} readers of one run, ${events} events: ${(spent / events / n).toFixed(2)} us of processor an event and reader; ${list.filter((x) => x.cut).length} cut`);
  for (const x of [...list, first]) x.socket.destroy();
  await server.stop();
  await mock.stop();
}

async function idle() {
  const n = 10000, seconds = 20;
  const server = await startServer({ memory: true });
  const before = rss(server), list = [];
  for (let i = 0; i < n; i += 200) {
    for (let k = 0; k < 200; k++) list.push(reader(server, randomUUID()));
    await until(() => list.every((x) => x.socket.readyState === "open"), "connections", 30000);
  }
  await opened(list);
  const from = cpu(server), at = Date.now();
  await until(() => Date.now() - at >= seconds * 1000, "heartbeats", seconds * 2000);
  const share = (cpu(server) - from) / ((Date.now() - at) * 1000) * 100;
  console.log(`idle: ${n} streams: ${((rss(server) - before) / n).toFixed(2)} KB each, ${share.toFixed(2)} % of a core with heartbeats; ${list.filter((x) => x.cut).length} cut`);
  for (const x of list) x.socket.destroy();
  await server.stop();
}

async function slow() {
  const n = 100, tokens = 4000;
  const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "1", "--tokens", String(tokens)]);
  const server = await startServer({ mock, memory: true });
  const thread = randomUUID(), fast = [...Array(n)].map(() => reader(server, thread)), late = Object.assign(reader(server, thread), { keep: true });
  fast[0].keep = true;
  await opened([...fast, late]);
  late.socket.pause();
  const before = cpu(server), at = Date.now();
  await start(server, thread);
  await ended(fast);
  const took = Date.now() - at;
  late.socket.resume();
  await ended([late]);
  const count = (x, what) => x.text.split(what).length - 1, text = (x) => [...x.text.matchAll(/"text-delta","text":"([^"]*)"/g)].map((m) => m[1]).join("");
  console.log(`slow: 1 slow and ${n} fast readers of ${tokens} tokens: fast ones ended after ${took} ms, none cut: ${!fast.some((x) => x.cut)}; the slow one was cut: ${!!late.cut}, heard ${count(late, "\nid: ")} of ${count(fast[0], "\nid: ")} events, the same text: ${text(late) === text(fast[0])}; ${((cpu(server) - before) / 1000).toFixed(0)} ms of processor`);
  for (const x of [...fast, late]) x.socket.destroy();
  await server.stop();
  await mock.stop();
}

// Flows that nobody reads by the protocol: to be compared with another program's.
async function none() {
  const n = 400, users = 8;
  const server = await startServer({ memory: true, args: ["--shards", "1"] });
  const one = async () => {
    for (let i = 0; i < n / users; i++) {
      const r = await fetch(`${server.url}/threads/${randomUUID()}/runs/wait`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ assistant_id: "agent", if_not_exists: "create", input: { messages: [{ role: "user", content: "hi" }] } }) });
      await r.text();
    }
  };
  const rounds = [];
  for (let round = 0; round < 9; round++) {
    const before = cpu(server);
    await Promise.all([...Array(users)].map(one));
    if (round > 0) rounds.push((cpu(server) - before) / n);
  }
  rounds.sort((a, b) => a - b);
  console.log(`none: ${n} flows of ${users} users that nobody reads: ${rounds[4].toFixed(0)} us of processor a flow (median; ${rounds[0].toFixed(0)} to ${rounds.at(-1).toFixed(0)})`);
  await server.stop();
}

const all = { many, idle, slow, none };
for (const name of what) await all[name]();
