// cluster-reports.mjs - what others reported of servers on PostgreSQL and NATS, on real ones of our
// own: docs/reports.md.  tests/unit/pg_session.c and cluster_bus.c have what needs no server of ours.
import { spawn } from "node:child_process";
import { startNats, startPostgres } from "../cluster/lib.mjs";
import { call, check, equal, finish, freePort, metric, parseEvents, scenario, scratch, startMock, startProgram, until } from "./lib.mjs";

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

await scenario("two nodes whose servers of NATS do not reach each other", async () => {
  const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "50"]);
  const env = { OPENAI_BASE_URL: `${mock.url}/v1`, OPENAI_API_KEY: "sk-test", MODEL_NAME: "openai:mock-gpt-4o" };
  const [a, b] = await Promise.all([0, 1].map(() => start({ env, args: ["--shards", "1", "--cluster-nats", startNats().url] })));
  await until(async () => (await metric(b, "cohort_cluster_nodes")) === 1 && (await metric(b, "cohort_bus_up")) === 1, "the nodes to know each other");
  const body = (content) => ({ assistant_id: "agent", input: { messages: [{ role: "user", content }] }, stream_mode: "messages", stream_resumable: true });
  const begin = async (words) => { const t = (await call(a, "POST", "/threads", {})).json.thread_id; return [t, (await call(a, "POST", `/threads/${t}/runs`, body(words))).json.run_id]; };
  // The first one finds out.
  const [slow, slowRun] = await begin("mock:stall");
  let status;
  await until(async () => (status = (await call(b, "POST", `/threads/${slow}/runs/${slowRun}/cancel?wait=1`)).status) !== 503, "a request to go through the store");
  equal(status, 204, "a cancellation reaches the run's node");
  const [t, run] = await begin("tell me a few words more than that");
  // Who joins amid a message is given its beginning again: what counts is what is complete.
  const read = async (node) => parseEvents(await (await fetch(`${node.url}/threads/${t}/runs/${run}/stream?stream_mode=messages`, { headers: { "last-event-id": "-1" } })).text()).filter((e) => /complete$|end$/.test(e.event)).map((e) => [e.event, e.data]);
  const [own, other] = await Promise.all([read(a), read(b)]);
  equal(other, own, "a reader there gets all messages");
  equal((await call(b, "POST", `/threads/${t}/runs/wait`, body("and again"))).status, 200, "and a run on the thread is done");
  await Promise.all([a.stop(), b.stop(), mock.stop()]);
});

finish();
