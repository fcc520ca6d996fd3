// cluster-reports.mjs - what others reported of servers on PostgreSQL and NATS, on real ones of our
// own: docs/reports.md.  tests/unit/pg_session.c and cluster_bus.c have what needs no server of ours.
import { spawn } from "node:child_process";
import { startPostgres } from "../cluster/lib.mjs";
import { call, check, equal, finish, freePort, scenario, scratch, startProgram, until } from "./lib.mjs";

const pg = startPostgres(), host = decodeURIComponent(pg.url.split("host=")[1]);

async function start({ store = pg.url, args = [], env = {} } = {}) {
  const port = await freePort();
  return startProgram("serve", ["--port", String(port), ...args], { env: { COHORT_STORE: store, ...env }, cwd: scratch(), health: "/ok", port });
}

// A session of psql that is open until it is ended.
function session(database = "cohort") {
  const child = spawn("psql", ["-h", host, "-U", "cohort", "-d", database, "-qAt"], { stdio: ["pipe", "pipe", "inherit"] });
  let out = "", n = 0;
  child.stdout.on("data", (d) => { out += d; });
  process.on("exit", () => child.kill("SIGKILL"));
  return {
    run: async (sql) => { const mark = `mark${++n}`; child.stdin.write(`${sql};\n\\echo ${mark}\n`); await until(() => out.includes(mark), sql); },
    end: () => { child.stdin.end(); return new Promise((r) => child.once("close", r)); },
  };
}

await scenario("a start whose look at the nodes of before is late", async () => {
  await (await start()).stop();
  const s = session();
  await s.run("BEGIN; LOCK TABLE cohort.node");
  const port = await freePort(), child = startProgram("serve", ["--port", String(port), "--test-hooks", "--test-scan-ms", "1"], { env: { COHORT_STORE: pg.url }, cwd: scratch(), health: "/ok", port });
  await s.run("DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'INSERT INTO node(%' AND wait_event_type = 'Lock') LOOP PERFORM pg_sleep(0.01), pg_stat_clear_snapshot(); END LOOP; END $$");
  await s.run("COMMIT");
  const node = await child;
  check(/dead_not_looked_for/.test(node.log), "it says so and joins", node.log);
  await node.stop();
  await s.end();
});

await scenario("a database that speaks", async () => {
  const s = session();
  await s.run("ALTER DATABASE cohort SET client_min_messages = debug1");
  const node = await start();
  equal((await call(node, "POST", "/threads", {})).status, 200, "a thread");
  await node.stop();
  check(!/^DEBUG/m.test(node.log), "its words are not among the log's lines", node.log.slice(0, 300));
  await s.run("ALTER DATABASE cohort RESET client_min_messages");
  await s.end();
});

finish();
