// worker-saver.mjs - LangGraph's own validation of checkpointers
// (@langchain/langgraph-checkpoint-validation) over RemoteSaver of clients/js and the
// server's saver, under the token that exists with --test-hooks alone.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { call, check, equal, finish, scenario, scratch, startServer } from "./lib.mjs";
import { workersDir } from "./worker-lib.mjs";

const CASES = 718;

async function validate(url) {
  const report = path.join(scratch(), "report.json");
  const r = await new Promise((done) => execFile(process.execPath, ["node_modules/vitest/vitest.mjs", "run", "--globals", "--reporter=json", `--outputFile=${report}`, "saver.spec.mjs"],
    { cwd: workersDir, env: { PATH: process.env.PATH, HOME: process.env.HOME, COHORT_URL: url, NO_COLOR: "1" }, encoding: "utf8", timeout: 120000 }, (error, stdout, stderr) => done({ error, stdout, stderr })));
  let json;
  try { json = JSON.parse(readFileSync(report, "utf8")); } catch { throw new Error(`the suite did not run: ${r.stderr || r.error}${r.stdout}`); }
  return json;
}

const server = await startServer({ args: ["--test-hooks"] });

await scenario("the validation suite", async () => {
  const got = await validate(server.url);
  const bad = got.testResults.flatMap((f) => f.assertionResults).filter((t) => t.status !== "passed");
  check(bad.length === 0, "every case passes", bad.slice(0, 5).map((t) => `${t.fullName}: ${t.status} ${t.failureMessages.join("\n").slice(0, 800)}`).join("\n"));
  equal(got.numPassedTests, CASES, "and none is left out");
});

await scenario("the test's token without --test-hooks", async () => {
  const plain = await startServer();
  const r = await call(plain, "POST", "/tasks/test/saver", { op: "get", ns: "", thread_id: "t" }, { "x-task-token": "test" });
  check(r.status === 409 || r.status === 404 || r.status === 403, "is nobody's", `${r.status} ${r.text}`);
  await plain.stop();
});

await server.stop();
finish();
