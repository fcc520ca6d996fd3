// cluster.mjs [ROUNDS] [SEED] [LEASE_MS] [KINDS] - three nodes, PostgreSQL and NATS, each
// with network links of its own, and one fault a round, of each kind in turn:
//
//   node        kill -9 of a node           postgres   kill -9 of PostgreSQL
//   nats        kill -9 of NATS             cut-db     a node's link to PostgreSQL is cut
//   cut-bus     a node's link to NATS       stop       SIGSTOP of a node for three leases
//   skew        a node's clock is hours off, and another node is killed
//   disk-data, disk-wal                     no room for PostgreSQL's tables, its log
//   drain       SIGTERM of a node, and a start
//
// ROUNDS is of each kind; KINDS a list with commas.  Clients work through the proxy all the
// time.  After each round: what was acknowledged is there, each run ended well and each of
// its steps took effect once, no two nodes were at work on one run, and what a dead node
// had was taken over in time (the lease and two seconds).  Root only.
import { execFileSync } from "node:child_process";
import { closeSync, fsyncSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync, writeSync } from "node:fs";
import path from "node:path";
import { agentFolder } from "../e2e/core-lib.mjs";
import { check, finish, scenario, scratch, until } from "../e2e/lib.mjs";
import { startCluster, startNats, startPostgres, theSpaces } from "../cluster/lib.mjs";
import { ask, startLoad, verify } from "../cluster/load.mjs";
import { startWorld } from "../cluster/world.mjs";
import { pause, random } from "./kill-lib.mjs";

const every = ["node", "postgres", "nats", "cut-db", "cut-bus", "stop", "skew", "disk-data", "disk-wal", "drain"];
const rounds = Number(process.argv[2] ?? 5), seed = Number(process.argv[3] ?? Date.now() % 100000);
const lease = Number(process.argv[4] ?? 1000), kinds = process.argv[5] ? process.argv[5].split(",") : every;
const upTo = random(seed), N = 3, gate = lease + 2000, patience = 20000 + 4 * lease;
console.log(`seed ${seed}, lease ${lease} ms, ${rounds} of each: ${kinds.join(", ")}`);

const spaces = theSpaces(N);
if (!spaces) { console.log("0 passed, 0 failed"); process.exit(0); }

// ---- PostgreSQL on file systems of its own --------------------------------------------

const disks = {};
function disk(name, megabytes) {
  const dir = mkdtempSync(`/tmp/cohort-${name}-`);
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m,mode=755`, "tmpfs", dir]);
  process.on("exit", () => { try { execFileSync("umount", ["-l", dir]); rmSync(dir, { recursive: true }); } catch { /* gone */ } });
  const own = path.join(dir, "pg");
  mkdirSync(own, { mode: 0o700 });
  execFileSync("chown", ["nobody:nogroup", own]);
  const filler = path.join(dir, "filler");
  disks[name] = {
    own,
    fill() {
      const fd = openSync(filler, "w");
      try { for (const size of [1 << 20, 4096]) try { for (;;) if (writeSync(fd, Buffer.alloc(size, 1)) < size) break; } catch { /* full */ } fsyncSync(fd); } finally { closeSync(fd); }
    },
    free() { rmSync(filler, { force: true }); },
  };
  return disks[name];
}
const pg = startPostgres({ host: spaces.here.db, data: disk("data", 400).own, args: "-c fsync=on -c max_wal_size=64MB -c min_wal_size=32MB -c checkpoint_timeout=30s" });
pg.stop();
execFileSync("sh", ["-c", `cp -a "$1"/pg_wal/. "$2"/ && rm -rf "$1"/pg_wal && ln -s "$2" "$1"/pg_wal && chown -h nobody:nogroup "$1"/pg_wal`, "sh", disks.data.own, disk("wal", 200).own]);
pg.start();
const nats = startNats();

// ---- the cluster and what happens to its nodes ------------------------------------------

const troubles = Array.from({ length: N }, () => []), stopped = new Set(), cutOff = new Set(), leaving = new Set(), skewed = new Set();
let all = false;                            // something that everybody feels goes on
const note = (i) => troubles[i].push(performance.now());
const violations = [];
// A node that a busy machine kept from its heartbeats says so, and has stopped its runs.
let lostLeases = 0;
function lostLease(i, since) {
  const from = performance.timeOrigin + since - 50;
  const lost = [...cluster.nodes[i].text().matchAll(/^(\S+) error cluster lease_lost/gm)].some((m) => Date.parse(m[1]) >= from);
  if (lost) lostLeases++;
  return lost;
}
const world = await startWorld({
  nodeOf: (a) => Number(a.replace("::ffff:", "").split(".")[3]) - 1,
  trouble: (i, since) => all || stopped.has(i) || cutOff.has(i) || leaving.has(i) || troubles[i].some((t) => t >= since - 50) || lostLease(i, since),
  stopped: (i) => stopped.has(i), delay: () => 30 + upTo(250),
  violation: (what) => { violations.push(what); check(false, what); },
});
const faketime = (() => { try { return execFileSync("sh", ["-c", "ls /usr/lib/*/faketime/libfaketimeMT.so.1"], { encoding: "utf8" }).split("\n")[0]; } catch { return undefined; } })();

const dir = scratch(), cluster = await startCluster({
  nodes: N, lease, dir, store: pg.url, nats: nats.url, spaces,
  args: ["--agents", agentFolder(["cluster"]), "--http-hosts", world.host, "--shards", "2"],
  nodeEnv: (i) => (skewed.has(i) ? { LD_PRELOAD: faketime, FAKETIME: upTo(2) ? "+3h" : "-3h", FAKETIME_DONT_FAKE_MONOTONIC: "1", DONT_FAKE_MONOTONIC: "1" } : {}),
});
const threads = () => Math.max(...cluster.nodes.filter((x) => x.exit === null).map((x) => readdirSync(`/proc/${x.child.pid}/task`).length));
let mostThreads = 0;

async function healthy() {
  for (let i = 0; i < N; i++) {
    if (cluster.nodes[i].exit !== null) { check(false, `node ${i} ended by itself`, cluster.nodes[i].log.slice(-1500)); await cluster.startNode(i); }
    await until(async () => { try { return (await ask(cluster.nodes[i].url, "POST", "/threads/search", { limit: 1 })).status === 200; } catch { return false; } }, `node ${i} to serve`, 30000);
  }
}

// How long it took until somebody else went on with each run that node i had.
const takeovers = [];
async function takenOver(i, from, tags) {
  const open = new Set(tags), handed = () => world.handed.filter((h) => h.from === i && h.at >= from && open.has(h.tag));
  await until(() => { for (const h of handed()) { open.delete(h.tag); takeovers.push(h.at - from); check(h.at - from <= gate, `take-over within ${gate} ms`, `${h.tag}: ${Math.round(h.at - from)} ms`); } return open.size === 0 || performance.now() - from > gate + 1500; }, "take-over", gate + 10000);
  for (const tag of open) {
    const r = world.runs.get(tag);
    if (!r.seen.includes(4)) check(false, `run ${tag} of node ${i} was taken over within ${gate + 1500} ms`, r.seen);
  }
}
const hold = (least, most) => pause(least + upTo(most - least));

async function killNode(i) {
  const node = cluster.nodes[i];
  leaving.add(i);
  await node.stop("SIGKILL");
  const from = performance.now();
  await takenOver(i, from, world.under(i, from - 400));
  await cluster.startNode(i);
  note(i);
  leaving.delete(i);
}

// Others have its runs before it has ended.
async function leave(i) {
  leaving.add(i);
  const end = await cluster.nodes[i].stop();
  note(i);
  leaving.delete(i);
  return end;
}

async function everybody(begin, end) {
  all = true;
  try { await begin(); await hold(100, 1500); } finally { await end(); }
  await healthy();
  await pause(lease);                      // what nodes lost meanwhile has found its place
  for (let i = 0; i < N; i++) note(i);
  all = false;
}

// A log that has segments to write over does not feel it: they are used up.
const psql = (q) => { try { execFileSync("psql", [pg.local, "-qAtc", q], { stdio: "ignore", timeout: 5000 }); return true; } catch { return false; } };
async function full(name) {
  disks[name].fill();
  if (name === "wal") for (let n = 0; n < 20 && psql("select pg_logical_emit_message(false, 'test', repeat('x', 100000)), pg_switch_wal()"); n++);
  await hold(300, 1500);
  disks[name].free();
  if (!psql("select 1")) { pg.kill(); pg.start(); }
}

const faults = {
  node: (i) => killNode(i),
  postgres: () => everybody(() => pg.kill(), () => pg.start()),
  nats: async () => { nats.kill(); await hold(100, 2000); nats.start(); },
  async "cut-db"(i) {
    const had = world.under(i, performance.now() - 400), from = performance.now();
    note(i);
    cutOff.add(i);
    spaces.cut(i, "db");
    await takenOver(i, from, had);
    await hold(0, lease);
    spaces.mend(i, "db");
    await healthy();
    note(i);
    cutOff.delete(i);
  },
  async "cut-bus"(i) { spaces.cut(i, "bus"); await hold(100, 2 * lease); spaces.mend(i, "bus"); },
  async stop(i) {
    const node = cluster.nodes[i], had = world.under(i, performance.now() - 400), from = performance.now();
    note(i);
    stopped.add(i);
    node.child.kill("SIGSTOP");
    try { await Promise.all([takenOver(i, from, had), pause(3 * lease)]); } finally { stopped.delete(i); node.child.kill("SIGCONT"); }
    note(i);
  },
  async skew(i) {
    const other = (i + 1) % N;
    await leave(i);
    skewed.add(i);
    await cluster.startNode(i);
    await hold(200, lease);
    await killNode(other);
    skewed.delete(i);
    await leave(i);
    await cluster.startNode(i);
  },
  "disk-data": () => everybody(() => full("data"), () => {}),
  "disk-wal": () => everybody(() => full("wal"), () => {}),
  async drain(i) {
    const end = await leave(i);
    check(end.code === 0, "a drained node ends in order", end);
    await cluster.startNode(i);
  },
};

// ---- rounds --------------------------------------------------------------------------------

let acknowledged = 0, requests = 0, unknown = 0, threadsSeen = 0;
const tally = {};
for (let round = 0; round < rounds * kinds.length; round++) {
  const kind = kinds[round % kinds.length], i = upTo(N), before = violations.length;
  if (process.env.TELL) console.log(`${new Date().toISOString()} round ${round}: ${kind}, node ${i}`);
  await scenario(`round ${round}: ${kind}, node ${i}`, async () => {
    const load = startLoad({ url: cluster.url, base: world.url, clients: 10, upTo, name: round });
    await hold(300, 900);
    mostThreads = Math.max(mostThreads, threads());
    const began = performance.now();
    let wrong;
    try { await faults[kind](i); } catch (e) { wrong = e; }
    await pause(200);
    await load.stop();
    if (wrong) throw wrong;
    await healthy();
    for (const r of load.ledger.refused) check(false, `${kind}: a request was refused`, r);
    world.settle();
    acknowledged += await verify(cluster.url, load.ledger, patience, kind.startsWith("disk"));
    requests += load.ledger.requests;
    unknown += load.ledger.unknown;
    threadsSeen += load.ledger.threads.length;
    const t = (tally[kind] ??= { n: 0, ms: 0, violations: 0 });
    t.n++;
    t.ms += performance.now() - began;
    t.violations += violations.length - before;
  });
  // Whatever went wrong, the next round begins with a whole cluster.
  stopped.clear(); cutOff.clear(); leaving.clear(); all = false;
  for (let n = 0; n < N; n++) for (const link of ["db", "bus"]) spaces.mend(n, link);
}
takeovers.sort((a, b) => a - b);
const at = (q) => Math.round(takeovers[Math.min(takeovers.length - 1, Math.floor(q * takeovers.length))] ?? 0);
for (const [kind, t] of Object.entries(tally)) console.log(`  ${kind.padEnd(10)} ${t.n} rounds, ${(t.ms / t.n / 1000).toFixed(1)} s each, ${t.violations} violations`);
console.log(`${threadsSeen} threads, ${acknowledged} acknowledged runs (${verify.failed} could not be stored on a full disk), ${requests} requests (${unknown} unanswered), ${world.calls()} calls, ${world.handed.length} runs handed over`);
console.log(`take-over ms: median ${at(0.5)}, p99 ${at(0.99)}, most ${at(1)} of ${takeovers.length}; threads of a process: ${mostThreads} at most; ${lostLeases} runs moved because a live node lost its lease`);
if (process.env.TELL) for (const [n, x] of cluster.nodes.entries()) console.log(`--- node ${n}\n${x.text().slice(-1000000)}`);
await cluster.stop();
world.close();
finish();
