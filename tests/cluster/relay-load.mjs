// relay-load.mjs [SUBSCRIBERS] - what it costs to read a run of another node: how much later
// each token comes than at the owner, and memory and CPU of subscribers that are idle but for
// heartbeats.  Prints figures; fails only when something does not arrive.
import { readFileSync } from "node:fs";
import net from "node:net";
import { performance } from "node:perf_hooks";
import { call, check, finish, scenario, scratch, startMock, until } from "../e2e/lib.mjs";
import { freshSchema, sharedNats, sharedPostgres, startCluster } from "./lib.mjs";

const subscribers = Number(process.argv[2] ?? 10000);
const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "5"]);
const cluster = await startCluster({ nodes: 2, dir: scratch(), mock, store: freshSchema(sharedPostgres()), nats: sharedNats(), args: ["--shards", "1"] });
const [a, b] = cluster.nodes;
const begin = async (content) => {
  const t = (await call(a, "POST", "/threads", {})).json.thread_id;
  const r = (await call(a, "POST", `/threads/${t}/runs`, { assistant_id: "agent", stream_mode: ["messages-tuple"], stream_resumable: true, input: { messages: [{ role: "user", content }] } })).json.run_id;
  return `/threads/${t}/runs/${r}`;
};

// A reader by hand: told(text) for what comes.
function reader(node, target, told) {
  const s = net.connect(node.port, node.host);
  s.setNoDelay(true);
  s.on("error", () => {});
  s.on("data", told);
  s.write(`GET ${target}/stream HTTP/1.1\r\nHost: ${node.host}:${node.port}\r\nLast-Event-ID: -1\r\n\r\n`);
  return s;
}
const usage = (node) => {
  const pid = node.child.pid, stat = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return { cpu: (Number(stat[11]) + Number(stat[12])) * 10, rss: Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) };
};
const middle = (list, q) => list.sort((x, y) => x - y)[Math.floor(list.length * q)];

await scenario("tokens", async () => {
  const target = await begin(`tokens ${"word ".repeat(100)}`);
  const seen = [new Map(), new Map()], ends = [false, false];
  const sockets = [a, b].map((node, i) => reader(node, target, (d) => {
    const now = performance.now(), text = String(d);
    for (const [, id] of text.matchAll(/^id: (\d+)$/gm)) if (!seen[i].has(id)) seen[i].set(id, now);
    if (/event: end/.test(text)) ends[i] = true;
  }));
  await until(() => ends[0] && ends[1], "both to end", 60000);
  for (const s of sockets) s.destroy();
  const late = [...seen[1]].filter(([id]) => seen[0].has(id)).map(([id, at]) => at - seen[0].get(id)).slice(20);
  check(late.length > 20, "tokens came", late.length);
  console.log(`a token of another node's run comes later by: median ${middle(late, 0.5).toFixed(3)} ms, p95 ${middle(late, 0.95).toFixed(3)} ms (${late.length} tokens)`);
});

await scenario("idle subscribers", async () => {
  const target = await begin("idle mock:stall");
  await until(async () => (await call(a, "GET", target)).json.status === "running", "the run");
  const before = [usage(a), usage(b)];
  let open = 0;
  const sockets = [];
  for (let i = 0; i < subscribers; i++) {
    let first = true;
    sockets.push(reader(b, target, (d) => { if (first && String(d).startsWith("HTTP/1.1 200")) { first = false; open++; } }));
    if (i % 200 === 199) await until(() => open > i - 200, "subscribers", 60000);
  }
  await until(() => open === subscribers, "all subscribers", 120000);
  const full = [usage(a), usage(b)], at = performance.now();
  await new Promise((done) => setTimeout(done, 10000));
  const later = [usage(a), usage(b)], seconds = (performance.now() - at) / 1000;
  ["owner", "client's node"].forEach((who, i) => console.log(`${who}: ${((full[i].rss - before[i].rss) / subscribers).toFixed(2)} KB a subscriber, ${((later[i].cpu - full[i].cpu) / seconds / 10).toFixed(1)} % CPU for heartbeats (${(subscribers / 5).toFixed(0)}/s)`));
  for (const s of sockets) s.destroy();
});

await cluster.stop("SIGKILL");
finish();
