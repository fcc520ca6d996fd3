// bench-flow.mjs - the flow with a model of the registry: what the model takes and costs
// is told apart from the server; a model that breaks fails it; a soak finds a leak.
import { execFile, spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { runBench } from "./bench-lib.mjs";
import { binary, check, equal, finish, onPostgres, scenario, scratch, startMock, startServer } from "./lib.mjs";

const bench = (...args) => runBench(["flow", ...args]);
const tiered = async (mock) => {
  const dir = scratch();
  writeFileSync(path.join(dir, "cohort.yaml"), "models:\n  tier:\n    targets: [openai:mock-gpt-4o]\n    price: {input: 1.0, output: 10.0}\n");
  return startServer({ dir, mock });
};

const mock = await startMock(["--ttft-ms", "100", "--stream-delay-ms", "2", "--delay-ms", "60"]);
const server = await tiered(mock);

await scenario("a model of the registry", async () => {
  const r = await bench("--url", server.url, "--llm", "tier", "--iterations", "4", "--vus", "2", "--warmup", "0");
  equal([r.result?.flows, r.result?.http_errors, r.result?.runs_with_model_time, r.result?.flows_without_model_time], [4, 0, 8, 0], `all of it (${r.stdout.slice(-600)})`);
  check(r.result.run_stream_first_words_p50_ms >= 100, "time to the first token", r.result.run_stream_first_words_p50_ms);
  // A run that is waited for takes 60 ms of the mock's time, a streamed one 100 and 42 tokens.
  check(r.result.model_time_p50_ms >= 110 && r.result.model_time_p50_ms < 5000, "the model's time", r.result.model_time_p50_ms);
  check(r.result.server_time_p50_ms > 0 && r.result.server_time_p50_ms < r.result.model_time_p50_ms, "and the server's", r.result.server_time_p50_ms);
  check(r.result.model_tokens_per_s > 0 && r.result.model_tokens_per_s < 520, "tokens a second", r.result.model_tokens_per_s);
  equal(r.result.model_tokens_out, 4 * 2 * 42, "tokens of the runs on threads");
  equal([r.result.store, r.result.auth_tier], [onPostgres ? "postgres" : "sqlite", "none"], "what the server is");
  const usd = (r.result.model_tokens_in * 1 + r.result.model_tokens_out * 10) / 1e6;
  check(Math.abs(r.result.model_cost_usd - usd) < 2e-6, "what they cost", [r.result.model_cost_usd, usd]);
});

await scenario("a server that checks tokens", async () => {
  const env = { COHORT_JWT_SECRET: "a secret of the test, 32 bytes and more" };
  const s = await startServer({ mock, env });
  const token = (await new Promise((f) => execFile(binary, ["token"], { env: { PATH: process.env.PATH, ...env } }, (e, out) => f(out)))).trim();
  const r = await bench("--url", s.url, "--token", token, "--iterations", "1", "--warmup", "0");
  equal([r.code, r.result?.auth_tier], [0, "local"], `in its own process (${r.stdout.slice(-600)})`);
  check(/^auth_tier +local$/m.test(r.stdout), "the table has it too", r.stdout.slice(-900));
  await s.stop();
});

await scenario("the result as a page", async () => {
  const dir = scratch(), page = path.join(dir, "flow.html");
  const r = await bench("--url", server.url, "--iterations", "1", "--warmup", "0", "--html", page);
  const text = readFileSync(page, "utf8");
  equal(r.code, 0, "it is written");
  check(/<h1>cohort bench flow<\/h1>/.test(text) && text.includes("agent_flow_duration_p50_ms") && !/<script|src=/.test(text), "with its figures, and by itself", text.slice(0, 900));
  const none = await bench("--url", server.url, "--iterations", "1", "--warmup", "0", "--html", path.join(page, "such.html"));
  check(none.code !== 0 && /such\.html/.test(none.stderr), "a file in the place of a folder is told", none.stderr.slice(-300));
});

await scenario("a model that breaks off", async () => {
  const broken = await startMock(["--faults", "malformed=1", "--delay-ms", "1", "--stream-delay-ms", "0"]);
  const s = await tiered(broken);
  const r = await bench("--url", s.url, "--llm", "tier", "--iterations", "1", "--warmup", "0");
  equal([r.code, r.result?.agent_flow_success_rate, r.result?.model_tokens_per_s], [1, 0, 0], "the flow fails, and nothing is made up");
  check(/first error: run_(wait|stream): /.test(r.stdout), "and says where", r.stdout.slice(-800));
  await s.stop();
  await broken.stop();
});

await scenario("a server without transcripts and counts", async () => {
  const r = await bench("--url", server.url, "--llm", "tier", "--iterations", "1", "--warmup", "0");
  equal(r.code, 0, "passes");
  const off = await startServer({ mock, args: ["--transcript", "off"] });
  const none = await bench("--url", off.url, "--llm", "openai:mock-gpt-4o", "--iterations", "1", "--warmup", "0");
  equal([none.code, none.result?.runs_with_model_time, none.result?.flows_without_model_time], [0, 0, 1], "says that it does not know the model's time");
  await off.stop();
});

await scenario("a soak: memory's slope and the last fifth against the first", async () => {
  const quick = await startMock(["--delay-ms", "0", "--stream-delay-ms", "0"]), s = await startServer({ mock: quick });
  const r = await bench("--url", s.url, "--profile", "soak", "--duration", "5s", "--vus", "2", "--pid", String(s.child.pid));
  check(typeof r.result?.rss_slope_kb_per_min === "number" && r.result.rss_slope_low_kb_per_min <= r.result.rss_slope_kb_per_min, "a slope with its interval", r.stdout.slice(-900));
  check(/extrapolated from a shorter run/.test(r.stdout) && r.result.first_fifth_p50_ms > 0 && r.result.last_over_first_p50 > 0, "extrapolated, and it says so");
  // Memory of a process that grows by 10 MB a second.
  const leak = spawn(process.execPath, ["-e", "const kept = []; setInterval(() => kept.push(Buffer.alloc(1 << 20, 1)), 100)"]);
  const found = await bench("--url", s.url, "--profile", "soak", "--duration", "5s", "--vus", "1", "--pid", String(leak.pid));
  leak.kill();
  check(found.code === 1 && /FAIL +memory grows by [1-9][0-9]{4,}/.test(found.stdout), "a leak is found", found.stdout.slice(-900));
  check((await bench("--url", s.url, "--profile", "soak")).stderr.includes("--profile soak needs --pid"), "without --pid there is no memory to tell of");
  await s.stop();
  await quick.stop();
});

finish();
