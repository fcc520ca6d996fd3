// cluster.mjs [PART...] - what PostgreSQL and more nodes than one cost; parts: store, nodes,
// join, idle (default: these), search.  Not a test: a figure beside its gate.
//
//   store  one node over PostgreSQL beside one over a file: CPU of a flow, of a POST /threads
//          and of a point read (GET /threads/ID), how long each takes, with 1 and 50 clients,
//          and how many commands share a commit
//   nodes  CPU of a flow with three nodes and with one (nodes, PostgreSQL and NATS together), and
//          when the first words of an answer come
//   join   how much later a token comes to a reader of another node than to one of its own
//   search thread search among 100,000 (BENCH_THREADS) over PostgreSQL and over a file
//   idle   10,000 readers on other nodes of runs that say nothing: CPU, memory, threads
//
// Measure with a release build: COHORT=build-release/cohort node tests/bench/cluster.mjs
import { spawn } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import path from "node:path";
import { agentFolder } from "../e2e/core-lib.mjs";
import { binary, call, freePort, scratch, startMock, startProgram } from "../e2e/lib.mjs";
import { freshSchema, startCluster, startNats, startPostgres } from "../cluster/lib.mjs";

const parts = process.argv.length > 2 ? process.argv.slice(2) : ["store", "nodes", "join", "idle"];
const seconds = Number(process.env.BENCH_SECONDS ?? 10);
const pause = (ms) => new Promise((r) => setTimeout(r, ms));
let missed = 0;
const note = (name, figure, gate, ok) => { if (!ok) missed++; console.log(`${ok ? "ok    " : "MISSED"} ${name}: ${figure}${gate ? ` (gate ${gate})` : ""}`); };
const tell = (name, figure) => console.log(`       ${name}: ${figure}`);

// ---- processes ---------------------------------------------------------------

// ms of CPU of a process, of its children and of those that have ended.
const stat = (pid) => readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
function cpu(pid) {
  let ticks = 0;
  for (const p of readdirSync("/proc").filter((x) => /^\d+$/.test(x))) try {
    const f = stat(p);
    if (Number(p) === pid) ticks += Number(f[11]) + Number(f[12]) + Number(f[13]) + Number(f[14]);
    else if (Number(f[1]) === pid) ticks += Number(f[11]) + Number(f[12]);
  } catch { /* it has ended */ }
  return ticks * 10;
}
const cpuOf = (pids) => Object.fromEntries(Object.entries(pids).map(([k, list]) => [k, list.reduce((s, p) => s + cpu(p), 0)]));
const rss = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) / 1024;
const pgPid = (pg) => Number(readFileSync(path.join(pg.dir, "data", "postmaster.pid"), "utf8").split("\n")[0]);
const natsPid = (nats) => Number(readFileSync(path.join(nats.dir, "pid"), "utf8"));
// What `work` cost each of them, in ms of CPU.
async function cost(pids, work) {
  const before = cpuOf(pids), result = await work(), after = cpuOf(pids);
  return { result, ms: Object.fromEntries(Object.keys(pids).map((k) => [k, after[k] - before[k]])) };
}
const sum = (ms) => Object.values(ms).reduce((a, b) => a + b, 0);
const perItem = (ms, n) => `${(sum(ms) / n).toFixed(3)} ms (${Object.entries(ms).map(([k, v]) => `${k} ${(v / n).toFixed(3)}`).join(", ")})`;

function flow(url, vus) {
  return new Promise((resolve, reject) => {
    const child = spawn(binary, ["bench", "flow", "--url", url, "--vus", String(vus), "--duration", `${seconds}s`, "--warmup", "1s"], { stdio: ["ignore", "pipe", "pipe"] });
    let out = "";
    for (const s of [child.stdout, child.stderr]) s.on("data", (d) => { out += d; });
    child.on("exit", () => { const m = /^RESULT (.*)$/m.exec(out); if (m) resolve(JSON.parse(m[1])); else reject(new Error(out)); });
  });
}

// A request, again and again, by `clients` connections; milliseconds of each.
async function repeat(url, clients, method, where, body = "") {
  const agent = new http.Agent({ keepAlive: true, maxSockets: clients }), times = [], end = performance.now() + seconds * 500;
  const one = () => new Promise((resolve, reject) => {
    const began = performance.now(), req = http.request(url + where, { method, agent, headers: { "content-type": "application/json", "content-length": body.length } }, (res) => {
      res.on("data", () => {});
      res.on("end", () => { times.push(performance.now() - began); if (res.statusCode === 200) resolve(); else reject(new Error(`status ${res.statusCode}`)); });
    });
    req.on("error", reject);
    req.end(body);
  });
  await Promise.all(Array.from({ length: clients }, async () => { while (performance.now() < end) await one(); }));
  agent.destroy();
  return times.sort((a, b) => a - b);
}

const at = (list, q) => list[Math.min(list.length - 1, Math.floor(q * list.length))] ?? NaN;
const spread = (list) => `p50 ${at(list, 0.5).toFixed(2)}, p99 ${at(list, 0.99).toFixed(2)} ms`;
const pg = startPostgres({ args: "-c fsync=on", limit: 300 }), nats = startNats();
const mock = await startMock(["--delay-ms", "5", "--stream-delay-ms", "1"]);
const model = { OPENAI_BASE_URL: `${mock.url}/v1`, OPENAI_API_KEY: "sk-test", MODEL_NAME: "openai:mock-gpt-4o" };
async function one(store) {
  const port = await freePort(), dir = scratch();
  return startProgram("serve", ["--port", String(port), ...(store ? ["--store", store, "--work-path", path.join(dir, "w.db")] : ["--db", path.join(dir, "c.db")])], { env: model, cwd: dir, port, health: "/ok" });
}
// What the store's writer has done.
async function written(url) {
  const text = await (await fetch(`${url}/metrics`)).text(), of = (name) => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)[1]);
  return { commits: of("cohort_store_commits_total"), commands: of("cohort_store_commands_total") };
}
const cluster = (n, more = {}) => startCluster({ nodes: n, dir: scratch(), mock, store: freshSchema(pg.url), nats: nats.url, ...more });

// ---- parts --------------------------------------------------------------------

async function partStore() {
  for (const [name, store] of [["SQLite", undefined], ["PostgreSQL", freshSchema(pg.url)]]) {
    const s = await one(store), pids = store ? { node: [s.child.pid], postgres: [pgPid(pg)] } : { node: [s.child.pid] };
    for (const clients of [1, 50]) {
      const was = await written(s.url), c = await cost(pids, () => repeat(s.url, clients, "POST", "/threads", "{}")), n = c.result.length, now = await written(s.url);
      tell(`${name}, POST /threads, ${clients} clients`, `${Math.round(n / (seconds / 2))}/s, ${spread(c.result)}, CPU ${perItem(c.ms, n)}, ${((now.commands - was.commands) / (now.commits - was.commits)).toFixed(1)} commands a commit`);
    }
    const { thread_id: t } = (await call(s, "POST", "/threads", {})).json;
    for (const clients of [1, 50]) {
      const c = await cost(pids, () => repeat(s.url, clients, "GET", `/threads/${t}`)), n = c.result.length;
      tell(`${name}, GET /threads/ID, ${clients} clients`, `${Math.round(n / (seconds / 2))}/s, ${spread(c.result)}, CPU ${perItem(c.ms, n)}`);
    }
    const f = await cost(pids, () => flow(s.url, 10)), flows = f.result.flows + f.result.flows_in_warmup;
    tell(`${name}, flow, 10 users`, `${f.result.flows_per_s.toFixed(1)}/s, success ${f.result.agent_flow_success_rate}, CPU ${perItem(f.ms, flows)}`);
    await s.stop();
  }
}

async function partNodes() {
  const each = {};
  for (const n of [1, 3]) {
    const c = await cluster(n), pids = { nodes: c.nodes.map((x) => x.child.pid), postgres: [pgPid(pg)], nats: [natsPid(nats)] };
    const f = await cost(pids, () => flow(c.url, 10)), flows = f.result.flows + f.result.flows_in_warmup;
    each[n] = sum(f.ms) / flows;
    tell(`${n} node${n > 1 ? "s" : ""} behind the proxy, flow, 10 users`, `${f.result.flows_per_s.toFixed(1)}/s, success ${f.result.agent_flow_success_rate}, first words p50 ${f.result.run_stream_first_words_p50_ms.toFixed(1)}, p99 ${f.result.run_stream_first_words_p99_ms.toFixed(1)} ms, CPU ${perItem(f.ms, flows)}`);
    await c.stop();
  }
  note("a flow on three nodes against one", `${(each[3] / each[1]).toFixed(2)} times the CPU`, undefined, true);
}

const begin = async (url, graph, input = { messages: [{ role: "user", content: "hi" }] }) => {
  const t = (await call({ url }, "POST", "/threads", {})).json.thread_id;
  return { t, run: (await call({ url }, "POST", `/threads/${t}/runs`, { assistant_id: graph, input, stream_mode: ["messages-tuple"], stream_resumable: true })).json.run_id };
};

// When each event comes to a reader, by its id.
function listen(url, { t, run }, seen) {
  return new Promise((resolve, reject) => {
    http.get(`${url}/threads/${t}/runs/${run}/stream?stream_mode=messages-tuple`, { headers: { "last-event-id": "0" }, agent: false }, (res) => {
      let rest = "";
      res.setEncoding("utf8");
      res.on("data", (d) => {
        const now = performance.now(), frames = (rest + d).split("\n\n");
        rest = frames.pop();
        for (const f of frames) { const id = /^id: ?(.*)$/m.exec(f)?.[1]; if (id !== undefined && !seen.has(id)) seen.set(id, now); }
      });
      res.on("end", resolve);
      res.on("error", reject);
    }).on("error", reject);
  });
}

async function partJoin() {
  const slow = await startMock(["--delay-ms", "300", "--stream-delay-ms", "5"]), c = await cluster(2, { mock: slow });
  const [own, other] = c.nodes, late = [], same = [];
  for (let i = 0; i < 30; i++) {
    const r = await begin(own.url, "agent"), seen = [new Map(), new Map(), new Map()];
    // two readers of its own node show what the reading client itself adds
    await Promise.all([listen(own.url, r, seen[0]), listen(other.url, r, seen[1]), listen(own.url, r, seen[2])]);
    for (const [id, when] of seen[0]) {
      if (seen[1].has(id)) late.push(seen[1].get(id) - when);
      if (seen[2].has(id)) same.push(seen[2].get(id) - when);
    }
  }
  late.sort((a, b) => a - b);
  same.sort((a, b) => a - b);
  tell("a second reader on the run's own node, later than the first", `${spread(same)} (${same.length} events)`);
  note("a reader on another node, later than one on the run's own", `${spread(late)} (${late.length} events)`, "p50 1 ms", at(late, 0.5) <= 1);
  await c.stop();
  await slow.stop();
}

async function partIdle() {
  const readers = Number(process.env.BENCH_READERS ?? 10000), runs = 100;
  const hang = http.createServer(() => {}).listen(0, "127.0.0.1");
  await new Promise((r) => hang.on("listening", r));
  const host = `127.0.0.1:${hang.address().port}`, c = await cluster(2, { args: ["--agents", agentFolder(["cluster"]), "--http-hosts", host] }), [own, other] = c.nodes, list = [];
  for (let i = 0; i < runs; i++) list.push(await begin(own.url, "cluster_slow", { tag: `i${i}`, base: `http://${host}` }));
  const pids = { owner: [own.child.pid], other: [other.child.pid], nats: [natsPid(nats)], postgres: [pgPid(pg)] };
  await pause(1500);
  const quiet = await cost(pids, () => pause(5000)), before = [rss(own.child.pid), rss(other.child.pid)];
  const sockets = [];
  for (let i = 0; i < readers; i += 100)
    await Promise.all(list.map(({ t, run }) => new Promise((resolve, reject) => {
      const s = net.connect(other.port, "127.0.0.1", () => s.write(`GET /threads/${t}/runs/${run}/stream HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n`));
      sockets.push(s);
      s.once("data", (d) => (d.includes(" 200 ") ? resolve() : reject(new Error(String(d)))));
      s.on("error", reject);
    })));
  await pause(6000);                       // the owner has said of each that it is idle
  const held = await cost(pids, () => pause(10000)), after = [rss(own.child.pid), rss(other.child.pid)];
  const show = (ms, s) => Object.entries(ms).map(([k, v]) => `${k} ${(v / s / 10).toFixed(1)} %`).join(", ");
  tell("without readers", `CPU ${show(quiet.ms, 5)}`);
  note(`${sockets.length} idle readers on another node`, `CPU ${show(held.ms, 10)}; memory of each reader: owner ${((after[0] - before[0]) * 1024 / sockets.length).toFixed(1)} KB, other ${((after[1] - before[1]) * 1024 / sockets.length).toFixed(1)} KB; threads ${readdirSync(`/proc/${other.child.pid}/task`).length}`,
    "2 % of a core more", sum(held.ms) / 10 - sum(quiet.ms) / 5 <= 20);
  for (const s of sockets) s.destroy();
  await c.stop("SIGKILL");
  hang.closeAllConnections();
  hang.close();
}

// The nth of many threads: one has n, 1 of 1,000 the user, 1 of 20 the team, half of them `half`.
const nth = (n) => JSON.stringify({ metadata: { n, half: n % 2, user: `u${n % 1000}`, tags: [`t${n % 10}`], deep: { team: `team${n % 20}` } } });
const searches = {
  "one of all": { metadata: { n: 777 } },
  "none": { metadata: { n: -5 } },
  "0.1 %": { metadata: { user: "u7" } },
  "half": { metadata: { half: 1 } },
  "half, 10 behind 20 %": { metadata: { half: 1 }, offset: 0.2 },
  "half, and a team": { metadata: { half: 1, deep: { team: "team3" } } },
  "two that never meet": { metadata: { half: 1, tags: ["t2"] } },
  "0.1 %, by updated_at": { metadata: { user: "u7" }, sort_by: "updated_at" },
  "10 %, by thread_id": { metadata: { tags: ["t3"] }, sort_by: "thread_id" },
  "all, by state_updated_at": { sort_by: "state_updated_at" },
};

async function partSearch() {
  const n = Number(process.env.BENCH_THREADS ?? 100000);
  for (const [name, store] of [["SQLite", undefined], ["PostgreSQL", freshSchema(pg.url)]]) {
    const s = await one(store);
    let next = 0;
    await Promise.all(Array.from({ length: 50 }, async () => { while (next < n) await call(s, "POST", "/threads", JSON.parse(nth(next++))); }));
    for (const [what, q] of Object.entries(searches)) {
      const body = { limit: 10, ...q, ...(q.offset ? { offset: Math.floor(q.offset * n) } : {}) }, times = [];
      let found = 0;
      for (let i = 0; i < 25; i++) { const began = performance.now(); found = (await call(s, "POST", "/threads/search", body)).json.length; times.push(performance.now() - began); }
      tell(`${name}, ${n} threads, ${what}`, `${found} found, ${spread(times.sort((a, b) => a - b))}`);
    }
    await s.stop();
  }
}

const all = { search: partSearch, store: partStore, nodes: partNodes, join: partJoin, idle: partIdle };
for (const p of parts) try { await all[p](); } catch (e) { note(p, e.message, "a figure", false); }
await mock.stop();
process.exit(missed ? 1 : 0);
