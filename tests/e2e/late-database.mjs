// late-database.mjs - a node that starts before its database: it waits, says so, and serves when the
// database is there; what waiting does not mend ends it at once.
import { execFileSync, spawn } from "node:child_process";
import { connect } from "node:net";
import path from "node:path";
import { startPostgres } from "../cluster/lib.mjs";
import { binary, call, check, equal, finish, freePort, scenario, scratch, until } from "./lib.mjs";

const pg = startPostgres(), children = [];
process.on("exit", () => children.forEach((c) => c.kill("SIGKILL")));

async function start(store, args = []) {
  const port = await freePort(), dir = scratch();
  const child = spawn(binary, ["serve", "--port", String(port), "--work-path", path.join(dir, "work.db"), ...args], { cwd: dir, stdio: ["ignore", "pipe", "pipe"], env: { PATH: process.env.PATH, HOME: "/", COHORT_STORE: store } });
  const node = { child, port, url: `http://127.0.0.1:${port}`, log: "" };
  for (const from of [child.stdout, child.stderr]) from.on("data", (d) => { node.log += d; });
  node.exited = new Promise((resolve) => child.on("close", (code, signal) => { node.exit = { code, signal }; resolve(node.exit); }));
  children.push(child);
  node.waits = () => until(() => { if (node.exit) throw new Error(`it ended: ${node.log}`); return /waits_for_database/.test(node.log); }, "the node to say that it waits");
  node.serves = () => until(async () => { if (node.exit) throw new Error(`it ended: ${node.log}`); return (await call(node, "GET", "/ok?check_db=true").catch(() => ({}))).status === 200; }, "the node to serve", 30000);
  node.ends = (signal) => { if (signal) child.kill(signal); return until(() => node.exit, "the node to end", 30000); };
  return node;
}
const refused = (port) => new Promise((resolve) => { const s = connect(port, "127.0.0.1", () => { s.destroy(); resolve(false); }).on("error", (e) => resolve(e.code === "ECONNREFUSED")); });

await scenario("what waiting does not mend", async () => {
  for (const [change, words] of [[(u) => u.replace("/cohort?", "/nothing?"), /database "nothing" does not exist/], [(u) => u.replace("cohort@", "nobody@"), /role "nobody" does not exist/]]) {
    const node = await start(change(pg.url));
    equal((await node.ends()).code, 1, "it ends");
    check(words.test(node.log) && !/waits_for_database/.test(node.log), "at once, and says why", node.log);
  }
});

await scenario("the database comes later", async () => {
  pg.stop();
  const node = await start(pg.url, ["--cluster-nats", `nats://127.0.0.1:${await freePort()}`]);
  await node.waits();
  check(await refused(node.port), "its port is closed meanwhile");
  const line = node.log.match(/waits_for_database.*/)[0];
  check(/database=\S*cohort/.test(line) && /at_most_ms=60000 reason=.*PostgreSQL cannot be reached: /.test(line), "it says what it waits for, and why", line);
  pg.start();
  await node.serves();                       // NATS is not there either: that is not waited for
  equal(node.log.match(/waits_for_database/g).length, 1, "one line");
  check(/database_is_there/.test(node.log), "and one when it is there", node.log);
  equal(await node.ends("SIGTERM"), { code: 0, signal: null }, "it ends in order");
});

await scenario("too many connections", async () => {
  const sql = (text) => execFileSync("psql", [pg.url, "-qc", text]), limit = (n) => sql(`alter role few connection limit ${n}`);
  sql("create role few login connection limit 6; create schema few authorization few");
  const node = await start(`${pg.url.replace("cohort@", "few@")}&options=-csearch_path%3Dfew`, ["--cluster-lease", "2000", "--shards", "2"]);
  await until(() => { if (node.exit) throw new Error(`it ended: ${node.log}`); return /waits_for_connection .*at_most_ms=60000 reason=.*53300: too many connections for role/.test(node.log); }, "the node to say what it waits for");
  check(/cluster joined/.test(node.log), "it has joined before", node.log);
  limit(20);
  await node.serves();
  limit(0);
  sql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'few'");
  await until(() => /lease_lost/.test(node.log) && /pg_not_connected .*53300: too many connections for role/.test(node.log), "the lease to be lost, and the reason");
  const r = await call(node, "POST", "/threads", {});
  equal([r.status, r.headers.get("retry-after") !== null, node.exit], [503, true, undefined], "503 while it lasts, and the node runs");
  limit(20);
  await until(async () => (await call(node, "POST", "/threads", {})).status === 200, "it serves again");
  check(/pg_not_connected over=true/.test(node.log), "and says that it is over", node.log);
  equal(await node.ends("SIGTERM"), { code: 0, signal: null }, "it ends in order");
});

await scenario("the tables go where a node that runs cannot follow", async () => {
  const node = await start(pg.url, ["--cluster-lease", "1000"]);
  await node.serves();
  // What a newer version does in a step that this one cannot live with, while this one is away.
  execFileSync("psql", [pg.url, "-qc", "alter table cohort.node add constraint node_format check (false) not valid; update cohort.cohort_format set version = 99"]);
  equal((await node.ends()).code, 1, "it ends by itself");
  check(/lease_lost/.test(node.log) && /outdated.*has the tables of a newer Cohort/.test(node.log), "and says why", node.log);
  const again = await start(pg.url);
  equal((await again.ends()).code, 1, "nor does it start again");
  check(/newer Cohort \(format 99; this one knows up to \d+\)/.test(again.log), "and says why", again.log);
});

await scenario("a start that waits is ended", async () => {
  pg.stop();
  for (const signal of ["SIGTERM", "SIGINT"]) {
    const node = await start(pg.url);
    await node.waits();
    equal(await node.ends(signal), { code: 0, signal: null }, signal);
    check(/stopped/.test(node.log), "it says so", node.log);
  }
});

await scenario("a limit", async () => {
  const short = await start(pg.url, ["--cluster-wait", "1"]), none = await start(pg.url, ["--cluster-wait", "0"]);
  for (const node of [short, none]) {
    equal((await node.ends()).code, 1, "it ends");
    check(/cohort serve: .*PostgreSQL cannot be reached/.test(node.log), "and says why", node.log);
  }
  check(!/waits_for_database/.test(none.log), "0 waits for nothing", none.log);
});

finish();
