// bench-sessions.mjs - the benchmark of many sessions: every arm ends without an
// error and says what it must; the ramp names causes.  Nothing is timed here.
import fs from "node:fs";
import path from "node:path";
import { runBench } from "./bench-lib.mjs";
import { binary, check, equal, finish, scenario, scratch } from "./lib.mjs";

const keys = ["arm", "C", "ok", "errors", "err_sample", "wall_ms", "turns_total", "nominal_turn_ms",
  "p50_session_ms", "p99_session_ms", "latency_infl", "latency_infl_p99", "cpu_sec", "cpu_ms_per_turn",
  "peak_rss_mb", "rss_kb_per_session", "marginal_rss_kb", "peak_threads", "deltas", "fsyncs",
  "bytes_written", "executor", "state_kb"];
const quick = ["--turns", "3", "--ttft", "10", "--tokens", "5", "--token-ms", "1"];

const bench = (args, env = {}) => runBench(args, { env: { ...process.env, ...env } });

const arms = [["hand"], ["hand+transcript"], ["hand+ckpt"], ["chart-mem"], ["chart-ckpt"], ["http"],
  ["hand", "--executor", "threads"], ["hand+ckpt", "--executor", "threads"], ["chart-mem", "--executor", "threads"],
  ["chart-ckpt", "--durability", "sync"], ["chart-mem", "--jitter", "50", "--arrival", "500"]];
for (const [arm, ...more] of arms)
  await scenario(`${arm} ${more.join(" ")}`, async () => {
    const dir = scratch();
    const folder = ["hand", "chart-mem"].includes(arm) ? [] : ["--scratch", dir];
    const r = await bench(["sessions", "--arm", arm, "-c", "50", ...folder, ...quick, ...more]);
    equal(Object.keys(r.result ?? {}), keys, `the fields of RESULT (${r.stderr})`);
    equal([r.code, r.result.arm, r.result.C, r.result.ok, r.result.errors, r.result.err_sample],
      [0, arm, 50, 50, 0, ""], "all sessions");
    equal([r.result.turns_total, r.result.deltas, r.result.nominal_turn_ms], [150, 750, 15], "turns and deltas");
    equal(r.result.executor, more.includes("threads") ? "threads" : "loop", "the executor");
    check((r.result.fsyncs > 0) === ["chart-ckpt", "hand+ckpt"].includes(arm), `fsyncs ${r.result.fsyncs}`);
    equal(fs.readdirSync(dir), [], "nothing is left");
    check(/neither the client \(\d+ % of a core\) nor the mock model \(\d+ %\)/.test(r.stdout) === (arm === "http"), "arm http tells what its client and its model took");
  });

await scenario("names and settings of other suites", async () => {
  const r = await bench(["sessions", "--arm", "sc-mem", "-c", "5", ...quick], { SCALE_VT: "0", SCALE_STATE_KB: "3" });
  equal([r.code, r.result.arm, r.result.executor, r.result.state_kb], [0, "chart-mem", "threads", 3], "read");
  const one = await bench(["sessions", "--arm", "hand", "-c", "5", ...quick], { SCALE_VT: "1" });
  equal([one.code, one.result.executor], [0, "loop"], "SCALE_VT=1");
});

await scenario("what is wrong is told", async () => {
  for (const [args, words] of [[["--arm", "x"], "there are chart-ckpt"], [["--arm", "http", "--executor", "threads"], "loops only"],
    [["--thresholds", "x"], "threshold"], [["--arm", "hand", "--durability", "sync"], "--durability has no effect with --arm hand"],
    [["--arm", "http", "--jitter", "5"], "--jitter has no effect with --arm http"], [["--arm", "chart-mem", "--keep"], "--keep has no effect"],
    [["--arm", "hand", "--executor", "threads", "--shards", "4"], "--shards has no effect with --arm hand --executor threads"]]) {
    const r = await bench(["sessions", "-c", "5", ...quick, ...args]);
    check(r.code !== 0 && r.stderr.includes(words), `${args.join(" ")}: ${r.stderr}`);
  }
  const late = await bench(["sessions", "--arm", "chart-mem", "-c", "5", "--ttft", "60s", "--timeout", "50ms"]);
  equal([late.code, late.result.errors], [1, 5], "a timeout");
  check(late.result.err_sample.startsWith("timeout: "), late.result.err_sample);
});

await scenario("a ramp ends at its first collapse, and writes a page that loads nothing", async () => {
  const dir = scratch(), page = path.join(dir, "ramp.html");
  const r = await bench(["ramp", "--arm", "hand", "--steps", "5,10,20", "--html", page, "--scratch", dir, ...quick]);
  equal([r.code, r.all.length, r.result.workload, r.result.last_c], [0, 4, "ramp", 20], r.stderr);
  const text = fs.readFileSync(page, "utf8");
  check(text.includes("<svg") && !/(src|href)=/.test(text), "curves, and nothing from elsewhere");
  const late = await bench(["ramp", "--arm", "hand", "--steps", "5,10", "--ttft", "60s", "--timeout", "50ms", "--scratch", dir]);
  equal([late.code, late.result.last_c], [1, 0], "it collapsed at once");
  check(late.stderr.includes("collapsed: timeout") && !late.stderr.includes("C=10"), late.stderr);
  equal(fs.readdirSync(dir), ["ramp.html"], "nothing is left");
});

await scenario("two executables are compared pair by pair", async () => {
  const r = await bench(["ramp", "--arm", "hand", "--steps", "5,10", "--before", binary, "--after", binary, "--threshold", "1000", ...quick]);
  check(r.code === 0 && r.stdout.includes("6 pairs): no difference"), r.stdout + r.stderr);
  check(r.result.ratio_cpu_ms_per_turn > 0, "a ratio");
});

finish();
