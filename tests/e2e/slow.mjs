// slow.mjs - log.slow-*: what took long is one line with what it waited for, and without the
// settings there is none.
import { call, check, equal, finish, scenario, startMock, startServer, until } from "./lib.mjs";

const mock = await startMock(["--delay-ms", "300"]);
const input = { messages: [{ role: "user", content: "hi" }] };
const field = (line, name) => Number(line.match(new RegExp(` ${name}=([0-9.]+)`))?.[1] ?? NaN);
const lines = (s, words) => s.log.split("\n").filter((l) => l.includes(words));

async function one(args) {
  const s = await startServer({ mock, args: ["--test-hooks", "--test-fsync-delay-ms", "60", ...args] });
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
  check(commit !== undefined && field(commit, "commit_ms") >= 50 && field(commit, "commands") >= 1, "the commit waited for the disk", commit);
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
