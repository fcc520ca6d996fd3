// cluster-statements.mjs [RUNS] - what three nodes ask of PostgreSQL: at rest, with runs under
// way, and when one is killed and the others take its runs.  Statements, rows and time in
// PostgreSQL by pg_stat_statements; `cohort bench cluster` is checked against these.  Not a
// test: figures.
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { scratch, startMock, call, until } from "../e2e/lib.mjs";
import { startCluster, startNats, startPostgres } from "../cluster/lib.mjs";

const runs = Number(process.argv[2] ?? 300), seconds = Number(process.env.BENCH_SECONDS ?? 10), lease = Number(process.env.LEASE ?? 10000);
const wanted = Number(process.env.NODES ?? 3);
const pause = (ms) => new Promise((r) => setTimeout(r, ms));
const pg = startPostgres({ args: "-c fsync=on -c shared_preload_libraries=pg_stat_statements -c track_activity_query_size=4096", limit: 300 });
const nats = process.env.NATS === "0" ? undefined : startNats();
const sql = (text) => execFileSync("psql", ["-h", pg.dir, "-U", "cohort", "-d", "cohort", "-AtF", "\t", "-c", text], { encoding: "utf8" }).trim();
sql("CREATE EXTENSION pg_stat_statements");

// CPU of PostgreSQL in ms: of its processes, and of those that have ended.
const postmaster = readFileSync(`${pg.dir}/data/postmaster.pid`, "utf8").split("\n")[0];
function cpu() {
  let ticks = 0;
  for (const p of readdirSync("/proc").filter((x) => /^\d+$/.test(x))) try {
    const f = readFileSync(`/proc/${p}/stat`, "utf8").split(") ")[1].split(" ").map(Number);
    if (p === postmaster) ticks += f[11] + f[12] + f[13] + f[14];
    else if (f[1] === Number(postmaster)) ticks += f[11] + f[12];
  } catch { /* it has ended */ }
  return ticks * 10;
}
let before = 0;
const reset = () => { sql("SELECT pg_stat_statements_reset()"); before = cpu(); };
function show(title, s, top = 25) {
  const used = cpu() - before;
  const rows = sql("SELECT sum(calls), sum(rows), round(sum(total_exec_time)::numeric, 1), round((1000 * sum(total_exec_time) / sum(calls))::numeric, 1), text FROM (SELECT *, left(regexp_replace(regexp_replace(query, '\\s+', ' ', 'g'), '\\mc[0-9]+\\M', 'CURSOR'), 120) AS text FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat_statements%' AND query NOT LIKE '%cohort.run%') x GROUP BY text ORDER BY 1 DESC")
    .split("\n").filter(Boolean).map((l) => l.split("\t"));
  const sum = (i) => rows.reduce((a, r) => a + Number(r[i]), 0);
  console.log(`\n${title}: ${s.toFixed(1)} s, ${(sum(0) / s).toFixed(1)} statements/s, ${(sum(1) / s).toFixed(1)} rows/s, ${(sum(2) / s).toFixed(1)} ms/s in statements, ${(used / s).toFixed(1)} ms/s of CPU in PostgreSQL`);
  console.log("calls\trows\tms\tus each\tstatement");
  for (const r of rows.slice(0, top)) console.log(r.join("\t"));
}

const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "1"]);
const cluster = await startCluster({ nodes: wanted, dir: scratch(), mock, lease, store: pg.url, nats: nats?.url, args: ["--shards", "2"] });
const [a] = cluster.nodes;
await pause(2000);

reset(); await pause(seconds * 1000); show(`${wanted} nodes at rest, lease ${lease} ms`, seconds);

const bytes = () => Number(sql("SELECT pg_database_size('cohort')")), wal = () => Number(sql("SELECT pg_current_wal_insert_lsn() - '0/0'"));
const disk = bytes(), log = wal();
const say = (content) => ({ assistant_id: "agent", input: { messages: [{ role: "user", content }] } });
reset();
let began = performance.now();
await Promise.all([...Array(runs)].map(async (_, i) => {
  const t = (await call(a, "POST", "/threads", {})).json.thread_id;
  await call(a, "POST", `/threads/${t}/runs`, say(`run ${i} mock:stallx1`));
}));
await until(() => Number(sql("SELECT count(*) FROM cohort.run WHERE status = 1")) === runs, "all runs to be under way", 60000);
show(`${runs} runs begin at one node`, (performance.now() - began) / 1000, 12);

console.log(`a thread with a run that has begun: ${((bytes() - disk) / runs / 1024).toFixed(1)} KB of tables, ${((wal() - log) / runs / 1024).toFixed(1)} KB of log`);
// Memory of a connection: what is its own of its process.
const own = readdirSync("/proc").filter((p) => /^\d+$/.test(p)).flatMap((p) => {
  try {
    if (readFileSync(`/proc/${p}/stat`, "utf8").split(") ")[1].split(" ")[1] !== postmaster || !/cohort cohort/.test(readFileSync(`/proc/${p}/cmdline`, "utf8"))) return [];
    return [[...readFileSync(`/proc/${p}/smaps_rollup`, "utf8").matchAll(/Private_\w+: +(\d+)/g)].reduce((a, m) => a + Number(m[1]), 0) / 1024];
  } catch { return []; }
});
console.log(`${own.length} connections of ${wanted} nodes, ${(own.reduce((a, b) => a + b, 0) / own.length).toFixed(1)} MB of their own each, ${Math.max(...own).toFixed(1)} the largest`);
reset(); await pause(seconds * 1000); show(`${runs} runs under way at one node`, seconds);

reset(); began = performance.now();
a.child.kill("SIGKILL");
await until(() => Number(sql("SELECT count(*) FROM cohort.thread t JOIN cohort.run r ON r.thread = t.seq WHERE r.status = 1 OR (r.status = 0)")) === 0, "all to be taken and done", 60000);
show(`a node with ${runs} runs is killed, the others take them`, (performance.now() - began) / 1000, 60);
console.log(cluster.nodes.slice(1).map((n) => n.text().match(/.*(node_lost|took_over).*/g)?.join("\n")).join("\n--\n"));

// As many nodes as a machine cannot hold: rows that nobody renews and that last.
sql("INSERT INTO cohort.node(seq, name, address, info, started, expires, state) SELECT 1000000 + i, convert_to('ghost' || i, 'UTF8'), '10.0.0.1:2024', (SELECT info FROM cohort.node ORDER BY seq DESC LIMIT 1), 0, 9000000000000, 0 FROM generate_series(1, 997) i");
await pause(2000);
reset(); await pause(seconds * 1000); show(`${wanted - 1} nodes at rest among 1,000 rows`, seconds, 20);
await cluster.stop("SIGKILL");
process.exit(0);
