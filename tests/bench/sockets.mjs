// sockets.mjs - what WebSockets cost the server: idle ones with the pings they get, with
// and without a subscription, and many that hear one run.
//
//   ulimit -n 30000; COHORT=$PWD/build-o2/cohort node tests/bench/sockets.mjs [N]
import { readFileSync } from "node:fs";
import { randomUUID } from "node:crypto";
import net from "node:net";
import { startMock, startServer, until } from "../e2e/lib.mjs";
import { frame } from "../e2e/socket-lib.mjs";

const N = Number(process.argv[2] ?? 10000), minute = 60000;
const subscribe = frame(0x81, JSON.stringify({ id: 1, method: "subscription.subscribe", params: { channels: ["values", "lifecycle", "messages"] } }));
const pong = frame(0x8a, "");

const rss = (server) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.child.pid}/status`, "utf8"))[1]);
function cpu(server) {               // seconds, user and system
  const f = readFileSync(`/proc/${server.child.pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(f[11]) + Number(f[12])) / 100;
}

// Answers pings, and keeps the end of what it hears.
function dial(server, thread, first) {
  const s = net.connect(server.port, "127.0.0.1"), seen = { socket: s, open: false, tail: "", pings: 0, bytes: 0 };
  s.write(`GET /threads/${thread}/stream/events HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`);
  s.on("data", (d) => {
    if (!seen.open && first) s.write(first);
    seen.bytes += d.length;
    if (seen.open && d.length === 2 && d[0] === 0x89) { seen.pings++; s.write(pong); }
    seen.open = true;
    seen.tail = (seen.tail + d.subarray(-200).toString("latin1")).slice(-200);
  });
  s.on("error", () => { seen.cut = true; });
  s.on("close", () => { seen.cut = true; });
  return seen;
}

async function many(server, n, thread, first) {
  const list = [];
  while (list.length < n) {
    const some = Array.from({ length: Math.min(100, n - list.length) }, () => dial(server, thread ?? randomUUID(), first));
    await until(() => some.every((x) => x.open && (!first || x.tail.includes("subscription_id"))), "sockets to open", minute);
    list.push(...some);
  }
  return list;
}

const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "0"]);
for (const [what, first] of [["idle", undefined], ["idle, with a subscription", subscribe]]) {
  const server = await startServer({ mock });
  await many(server, 10, undefined, first);
  const before = rss(server), list = await many(server, N, undefined, first), after = rss(server), used = cpu(server);
  await new Promise((r) => setTimeout(r, minute));
  const pings = list.reduce((n, x) => n + x.pings, 0);
  console.log(`${N} ${what}: ${((after - before) * 1024 / N).toFixed(0)} bytes each, ${((cpu(server) - used) / 60 * 100).toFixed(2)} % of one core, ${pings} pings in 60 s, ${list.filter((x) => x.cut).length} cut`);
  await server.stop();
}
const server = await startServer({ mock }), thread = randomUUID(), list = await many(server, N / 10, thread, subscribe), used = cpu(server);
for (let i = 0; i < 5; i++) {
  const r = await fetch(`${server.url}/threads/${thread}/commands`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ id: 1, method: "run.start", params: { assistant_id: "agent", input: { messages: [{ type: "human", content: "hi" }] } } }) });
  const { run_id } = (await r.json()).result;
  await until(() => list.every((x) => x.cut || (x.tail.includes("completed") && x.tail.includes(run_id))), "the run's end", minute);
}
console.log(`${N / 10} sockets of one thread, 5 runs: ${((cpu(server) - used) * 1e6 / 5 / (N / 10)).toFixed(0)} us of CPU a run and socket, ${(list[0].bytes / 1024 / 5).toFixed(1)} KB each, ${list.filter((x) => x.cut).length} cut`);
await server.stop();
process.exit(0);
