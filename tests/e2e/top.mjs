// top.mjs - `cohort top`: what it says of runs under way, as lines and as JSON, and what it
// says when it cannot.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { binary, call, check, equal, finish, freePort, metric, oneNode, processes, scenario, scratch, startMock, startServer, until } from "./lib.mjs";

const dir = scratch(), keys = path.join(dir, "keys");
writeFileSync(keys, `${createHash("sha256").update("ck_ann").digest("hex")} ann\n`);
const mock = await startMock(["--delay-ms", "60000", "--ttft-ms", "60000"]);
const s = await startServer({ mock, dir });
const top = (args) => new Promise((resolve) => {
  execFile(binary, ["top", ...args], { timeout: 30000 }, (e, stdout, stderr) => resolve({ status: e === null ? 0 : e.code, stdout, stderr }));
});
const url = oneNode(s).url, sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
const input = { messages: [{ role: "user", content: "hi" }] };

await scenario("runs under way", async () => {
  const runs = [];
  for (let i = 0; i < 3; i++) {
    const t = (await call(s, "POST", "/threads", {})).json.thread_id;
    runs.push((await call(s, "POST", `/threads/${t}/runs`, { assistant_id: "agent", input })).json.run_id);
  }
  await until(async () => await metric(s, "cohort_runs_live") === 3, "three runs");
  const json = await top(["--once", "--json", "--interval", "200ms", "--runs", "2", "--url", url]);
  equal(json.status, 0, "it answers");
  const got = JSON.parse(json.stdout);
  equal([got.nodes.length, got.nodes.every((n) => n.up), sum(got.nodes.map((n) => n.cohort_runs_live))], [processes(s), true, 3], "the figures of each node");
  check(got.nodes[0].process_resident_memory_bytes > 1e6 && got.nodes[0]["COMMITS/s"] >= 0, "and its rates", got.nodes[0]);
  equal(got.runs.map((r) => r.run_id), runs.slice(0, 2), "the longest runs, the oldest first");
  const text = await top(["--once", "--interval", "200ms", "--url", url]);
  check(/^NODE +LIVE +PENDING/m.test(text.stdout) && sum([...text.stdout.matchAll(/^\S+ +(\d) +0 /gm)].map((m) => Number(m[1]))) === 3, "lines for people", text.stdout);
  check(runs.every((r) => text.stdout.includes(r)) && text.stdout.includes("running"), "with the runs", text.stdout);
  check(!text.stdout.includes("\u001b"), "without a terminal no escapes", text.stdout);
});

await scenario("what it may not see, and who is not there", async () => {
  const other = await startServer({ args: ["--api-keys", keys] });
  const blind = await top(["--once", "--interval", "100ms", "--json", "--url", other.url]);
  equal([blind.status, JSON.parse(blind.stdout).runs], [0, []], "without a key the figures alone");
  const port = await freePort(), gone = await top(["--once", "--url", `http://127.0.0.1:${port}`]);
  check(gone.status === 1 && gone.stderr.includes(`127.0.0.1:${port}`), "nobody is there", gone.stderr);
  const bad = await top(["--once", "--interval", "1ms", "--url", url]);
  check(bad.status === 2 && bad.stderr.includes("--interval: expected a time from 100ms to 1h"), "a bad interval", bad.stderr);
  await other.stop();
});

await s.stop("SIGKILL");
await mock.stop("SIGKILL");
finish();
