// slow.mjs - log.slow-*: what took long is one line with what it waited for, and without the
// settings there is none.
import { execFile } from "node:child_process";
import { once } from "node:events";
import { call, check, equal, finish, onPostgres, scenario, startMock, startServer, until } from "./lib.mjs";

const mock = await startMock(["--delay-ms", "300"]);
const input = { messages: [{ role: "user", content: "hi" }] };
const field = (line, name) => Number(line.match(new RegExp(` ${name}=([0-9.]+)`))?.[1] ?? NaN);
const lines = (s, words) => s.log.split("\n").filter((l) => l.includes(words));

// What a store waits for: its disk, or another client of PostgreSQL that holds its tables.
async function heldTables(s) {
  const { schemaOf } = await import("../cluster/lib.mjs");
  const psql = execFile("psql", [schemaOf(s.dir), "-Atqc", "BEGIN; LOCK TABLE thread; SELECT 'held'", "-c", "SELECT pg_sleep(0.3); COMMIT"]);
  const [held] = await Promise.race([once(psql.stdout, "data"), once(psql, "exit")]);
  equal(String(held).trim(), "held", "the tables are held");
}

async function one(args) {
  const s = await startServer({ mock, args: onPostgres ? args : ["--test-hooks", "--test-fsync-delay-ms", "60", ...args] });
  if (onPostgres) await heldTables(s);
  const t = (await call(s, "POST", "/threads", {})).json.thread_id;
  const r = await call(s, "POST", `/threads/${t}/runs/wait`, { assistant_id: "agent", input });
  equal(r.status, 200, "it runs");
  return { s, t };
}

await scenario("slow", async () => {
  const { s, t } = await one(["--log-slow-request", "50", "--log-slow-run", "250", "--log-slow-commit", "50"]);
  const [request] = await until(() => lines(s, "api slow_request").length && lines(s, "api slow_request"), "the request's line");
  check(request.includes("path=/threads ") && field(request, "ms") >= 50 && field(request, "store_ms") >= 50, "it waited for the store", request);
  check(field(request, "store_ms") <= field(request, "ms") && field(request, "read_ms") < field(request, "ms"), "the parts are of the whole", request);
  check(!lines(s, "api slow_request").some((l) => l.includes("/runs/wait")), "a wait for a run is the run's", s.log);
  const [run, ...more] = await until(() => lines(s, "run slow ").length && lines(s, "run slow "), "the run's line");
  equal(more.length, 0, "one line a run");
  check(run.includes(`thread=${t}`) && run.includes("status=success"), "which run", run);
  check(field(run, "models_ms") >= 250 && field(run, "models_ms") <= field(run, "ms") && field(run, "tools_ms") === 0, "it waited for its model", run);
  const commit = lines(s, "store slow_commit")[0];
  check(commit !== undefined && field(commit, onPostgres ? "commands_ms" : "commit_ms") >= 50 && field(commit, "commands") >= 1, "what the commit waited for", commit);
  await s.stop();
});

await scenario("fast enough, and off", async () => {
  for (const args of [[], ["--log-slow-request", "60000", "--log-slow-run", "60000", "--log-slow-commit", "60000"]]) {
    const { s } = await one(args);
    await s.stop();
    equal(s.log.split("\n").filter((l) => /slow/.test(l)), [], `nothing is slow with ${args.join(" ")}`);
  }
});

await mock.stop();
finish();
