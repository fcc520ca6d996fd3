// bench-peer.mjs - the official JavaScript server and ours under the same load, in turns:
// the same flow, the same mock model, every answer verified on both.
//   cp tests/e2e/reference/* SOMEWHERE, npm install there
//   REFERENCE_DIR=SOMEWHERE node tests/e2e/bench-peer.mjs
// Without that package it says that it was skipped.
import { spawn } from "node:child_process";
import { copyFileSync, existsSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { runBench } from "./bench-lib.mjs";
import { check, equal, finish, freePort, repo, scenario, scratch, startMock, startServer, until } from "./lib.mjs";

const from = process.env.REFERENCE_DIR ?? path.join(repo, "tests/e2e/reference");
const modules = path.join(from, "node_modules");
if (!existsSync(path.join(modules, "@langchain/langgraph-api"))) {
  console.log(`skipped: no @langchain/langgraph-api in ${modules}`);
  console.log("0 passed, 0 failed");
  process.exit(0);
}

const dir = scratch(), mock = await startMock(["--delay-ms", "5", "--stream-delay-ms", "1"]);
const ours = await startServer({ mock }), port = await freePort();
symlinkSync(modules, path.join(dir, "node_modules"));
copyFileSync(path.join(repo, "tests/e2e/reference/mock-graph.mjs"), path.join(dir, "graph.mjs"));
writeFileSync(path.join(dir, "server.mjs"), `import { startServer } from "@langchain/langgraph-api/server";
await startServer({ port: ${port}, nWorkers: 10, host: "127.0.0.1", cwd: process.cwd(), graphs: { agent: "./graph.mjs:agent" } });`);
const peer = spawn(process.execPath, ["server.mjs"], { cwd: dir, env: { ...process.env, MOCK_URL: mock.url }, stdio: "ignore" });
process.on("exit", () => peer.kill());
const url = `http://127.0.0.1:${port}`;
await until(async () => { try { return (await fetch(`${url}/ok`)).ok; } catch { return peer.exitCode !== null; } }, "the official server");

const bench = (...args) => runBench([...args, "--url", ours.url, "--name", "cohort", "--pid", String(ours.child.pid),
  "--peer", url, "--peer-name", "official", "--peer-pid", String(peer.pid)], { timeout: 300000 });

await scenario("the flow on both, in turns", async () => {
  const r = await bench("flow", "--iterations", "2", "--vus", "1", "--warmup", "0", "--rounds", "6", "--mock-url", mock.url);
  equal(r.stdout.split("\n").filter((l) => l.startsWith("FAIL") && !/the generator/.test(l)), [], "every answer of both is right, and the mock was asked three times a flow");
  equal([r.result?.flows, r.result?.http_errors, r.result?.peer_http_req_failed], [12, 0, 0], "all flows");
  check(r.result.ratio_sequences_per_s_low <= r.result.ratio_sequences_per_s && r.result.ratio_sequences_per_s <= r.result.ratio_sequences_per_s_high, "a ratio with its interval");
  console.log(r.stdout.split("\n").slice(0, 16).join("\n"));
});

await scenario("a scenario on both, at a rate", async () => {
  const file = path.join(dir, "rate.yaml");
  writeFileSync(file, "name: rate\nphases: [{rate: 4/s, for: 1500ms}]\nsequences: [{name: s, steps: [{flow: create_thread}, {name: read, request: {path: '/assistants/search', body: {limit: 5}}}, {flow: delete_thread}]}]\n");
  const r = await bench("scenario", file, "--rounds", "2");
  equal([r.result?.sequences, r.result?.http_errors, r.result?.peer_http_req_failed], [12, 0, 0], "as many as the rate says, on both");
  check(r.result.peer_read_p50_ms > 0 && r.result.ratio_read_p50_ms > 0, "both columns", r.result);
});

finish();
