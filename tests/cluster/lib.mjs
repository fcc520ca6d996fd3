// lib.mjs - clusters for tests: PostgreSQL, NATS and several nodes, in network namespaces
// where they can be made (net.mjs), else on loopback, with a round-robin proxy before them.
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { freePort, lane, repo, startProgram, until } from "../e2e/lib.mjs";
import { namespaces, noNamespaces } from "./net.mjs";
import { startProxy } from "./proxy.mjs";

const script = (which, verb, dir, env = {}) => execFileSync(path.join(repo, "tests", which, "server"), [verb, dir],
  { encoding: "utf8", timeout: 120000, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "inherit"] }).trim();

// A folder that PostgreSQL's ordinary user reaches.
const folders = [];
function folder(name) {
  const dir = mkdtempSync(`/tmp/cohort-${name}-`);
  chmodSync(dir, 0o755);
  folders.push(dir);
  return dir;
}
const ends = [];
process.on("exit", () => {
  for (const end of ends) try { end(); } catch { /* it does not run */ }
  for (const dir of folders) rmSync(dir, { recursive: true, force: true });
});

// A run that is ended from outside leaves nothing either.
for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => process.exit(1));

// host: where it listens beside its socket.  data, log: folders for them (full disks).
export function startPostgres({ host, args = "-c fsync=off", data, limit = 200 } = {}) {
  const dir = folder("pg"), mine = path.join(dir, "s"), hba = path.join(dir, "hba.conf");
  if (data) { execFileSync("mkdir", ["-p", mine]); execFileSync("ln", ["-sfn", data, path.join(mine, "data")]); }
  writeFileSync(hba, "local all all trust\nhost all all 0.0.0.0/0 trust\n");
  const PG_ARGS = [args, `-c max_connections=${limit}`, `-c hba_file=${hba}`, ...(host ? [`-c listen_addresses=${host}`] : [])].join(" ");
  const up = () => script("pg", "start", mine, { PG_ARGS });
  const local = up();
  const pg = { dir: mine, url: host ? `postgresql://cohort@${host}/cohort` : local, local, start: up, kill: () => script("pg", "kill", mine), stop: () => script("pg", "stop", mine) };
  ends.push(pg.kill);
  return pg;
}

export function startNats() {
  const dir = folder("nats");
  const nats = { dir, start: () => { nats.url = script("nats", "start", dir); }, kill: () => script("nats", "kill", dir), stop: () => script("nats", "stop", dir) };
  nats.start();
  ends.push(nats.kill);
  return nats;
}

// The servers that a run has started (tests/run), or our own.
let pgs, natss;
export const sharedPostgres = () => (pgs ??= process.env.COHORT_TEST_PG ? { url: process.env.COHORT_TEST_PG } : startPostgres({ limit: 500 })).url;
export const sharedNats = () => (natss ??= process.env.COHORT_TEST_NATS ? { url: process.env.COHORT_TEST_NATS } : startNats()).url;

// A schema of its own in a server; it is made by the first node that opens it.
let schemas = 0;
export function freshSchema(url = sharedPostgres()) {
  return `${url}${url.includes("?") ? "&" : "?"}options=-csearch_path%3Dt${lane}_${process.pid}_${++schemas}`;
}
// The schema that belongs to a folder, so that a server started there again finds its state.
const ofFolder = new Map();
export function schemaOf(dir) {
  if (!ofFolder.has(dir)) ofFolder.set(dir, freshSchema());
  return ofFolder.get(dir);
}

let spaces;
export function theSpaces(n) {
  const why = noNamespaces();
  if (why !== undefined) { console.log(`skipped: network namespaces (${why}): nodes are on loopback`); return undefined; }
  return spaces ??= namespaces(Number(process.env.E2E_LANE ?? 0), n);
}

// options: nodes, args, env, dir, port (of the proxy), mock, health, lease (ms), store and
// nats (URLs), spaces (namespaces or none), wrap(i): words before node i's command,
// nodeEnv(i), nodeArgs(i), together: it is started when each node knows the others.
export async function startCluster(options) {
  const { nodes: n = 3, args = [], env = {}, dir, mock, lease = 10000, store, nats, spaces: ns, health = "/ok" } = options;
  const port = options.port ?? await freePort(), prefix = options.prefix ?? `t${process.pid}p${port}`;
  const models = mock ? { OPENAI_BASE_URL: `${mock.url}/v1`, OPENAI_API_KEY: "sk-test", MODEL_NAME: "openai:mock-gpt-4o" } : {};
  const cluster = { nodes: [], port, dir, url: `http://127.0.0.1:${port}`, exit: null, left: new Set() };

  // A socket's path is of one node.
  const ofNode = (i) => { const at = args.indexOf("--mail-socket"); return i > 0 && at >= 0 ? args.toSpliced(at, 2) : args; };
  cluster.startNode = async (i, more = {}) => {
    const host = ns ? ns.home(i) : "127.0.0.1", own = path.join(dir, `node${i}`);
    mkdirSync(own, { recursive: true });
    const words = ["--host", host, "--store", store, "--cluster-nats", nats, "--cluster-prefix", prefix, "--cluster-name", `n${i}`,
      "--cluster-lease", String(lease), "--work-path", path.join(own, "work.db"), ...ofNode(i), ...(options.nodeArgs?.(i) ?? [])];
    const old = cluster.nodes[i];
    const node = await startProgram("serve", ["--port", String(old?.port ?? (cluster.nodes[i] = { port: await freePort() }).port), ...words],
      { env: { ...models, ...env, ...(options.nodeEnv?.(i) ?? {}) }, cwd: dir, health, port: cluster.nodes[i].port, host, via: [...(ns ? ns.via(i) : []), ...(options.wrap?.(i) ?? []), ...(more.wrap ?? [])] });
    node.host = host;
    node.before = old?.text ? old.text() : "";
    node.text = () => node.before + node.log;
    cluster.nodes[i] = node;
    cluster.left.delete(i);
    return node;
  };
  // The first one makes the schema; the others wait for it anyway.
  await cluster.startNode(0);
  await Promise.all(Array.from({ length: n - 1 }, (_, i) => cluster.startNode(i + 1)));

  // Until then a request about a thread of another one is answered from the store.
  const knows = async (node) => {
    const r = await fetch(node.url + health.replace(/\w+$/, "metrics")), text = await r.text();
    if (r.status === 404) return true;       // its settings turn it off
    return Number(/^cohort_cluster_nodes (\d+)$/m.exec(text)?.[1]) >= n - 1 && /^cohort_bus_up 1$/m.test(text);
  };
  if (options.together) await until(async () => (await Promise.all(cluster.nodes.map(knows))).every(Boolean), "the nodes to know each other");

  const asked = () => cluster.nodes.filter((x, i) => x.exit === null && !cluster.left.has(i));
  cluster.proxy = await startProxy(port, asked);
  cluster.startMs = Math.max(...cluster.nodes.map((x) => x.startMs));
  Object.defineProperty(cluster, "log", { get: () => cluster.nodes.map((x) => x.text()).join("") });
  // For tests that look at the process, or signal it.
  const all = (signal) => cluster.nodes.map((x) => x.child.kill(signal)).every(Boolean);
  cluster.child = { get pid() { return cluster.nodes[0].child.pid; }, get exitCode() { return cluster.nodes.map((x) => x.child.exitCode).find((c) => c !== null) ?? null; }, kill: all, on: (...a) => cluster.nodes[0].child.on(...a), once: (...a) => cluster.nodes[0].child.once(...a) };
  cluster.exited = Promise.all(cluster.nodes.map((x) => x.exited)).then((list) => list.find((e) => e.code !== 0) ?? list[0]);
  cluster.stop = async (signal = "SIGTERM") => {
    const list = cluster.nodes.map((x) => { if (x.exit === null) x.child.kill(signal); return x.exited; });
    const worst = (await Promise.all(list)).reduce((a, b) => (b.code === 0 ? a : b));
    await cluster.proxy.close();
    cluster.exit = worst;
    return worst;
  };
  return cluster;
}
