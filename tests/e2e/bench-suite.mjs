// bench-suite.mjs - the suite as a product: selection, repetition, baselines, compare
// with a slowdown of known size, history, every format of reports, flame graphs, the
// commands of the CI recipe, and the monitor.  Of times nothing is asserted but that a
// large slowdown is found.
import { execFile, spawn } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { binary, check, equal, finish, freePort, repo, scenario, scratch, startServer, until } from "./lib.mjs";

const dir = scratch();
const results = path.join(dir, "bench-results");
const file = (name) => path.join(dir, name);
const read = (name) => fs.readFileSync(file(name), "utf8");
const json = (name) => JSON.parse(read(name));

function run(program, args, options = {}) {
  return new Promise((resolve) => {
    execFile(program, args, { cwd: dir, timeout: 300000, maxBuffer: 1 << 26, ...options }, (error, stdout, stderr) => {
      const m = /^RESULT (.*)$/m.exec(stdout);
      resolve({ code: error ? error.code : 0, stdout, stderr, result: m ? JSON.parse(m[1]) : undefined });
    });
  });
}
const bench = (...args) => run(binary, ["bench", ...args]);
const cheap = ["--only", "sessions-hand,sessions-chart-mem,B25"];
const tiny = ["sessions", "--arm", "hand", "-c", "20", "--turns", "2", "--ttft", "1", "--tokens", "4", "--token-ms", "1"];

await scenario("all --quick, in every format", async () => {
  const r = await bench("all", "--quick", ...cheap, "--save-baseline", "main", "--json", "a.json", "--markdown", "a.md",
    "--html", "a.html", "--junit", "a.xml", "--prometheus", "a.prom");
  equal([r.code, r.result?.measured, r.result?.not_measured, r.result?.failed], [0, 3, 0, 0], `all (${r.stderr})`);
  const a = json("a.json");
  equal([a.schema, a.suite, a.passed], [2, "all --quick", true], "the document");
  check(["command", "version", "commit", "date", "machine", "seconds"].every((k) => a[k] !== undefined), "says what it was run on");
  equal(a.results.map((x) => [x.id, x.state]), [["B25", "measured"], ["sessions-chart-mem", "measured"], ["sessions-hand", "measured"]], "the elements");
  const hand = a.results[2];
  check(hand.targets.some((t) => t.key === "latency_infl" && t.value === hand.result.latency_infl), "targets are of the RESULT line");
  check(hand.metrics[0].buckets.length > 0 && hand.measures && hand.does_not_measure, "histogram and words");
  check(read("a.md").includes("| sessions-hand |") && read("a.md").includes("| B25 |"), "Markdown");
  const page = read("a.html");
  check(page.includes("<svg") && !/\b(src|href)=|url\(|@import/.test(page), "a page that loads nothing");
  check(/<testsuite [^>]*tests="3" failures="0" errors="0" skipped="0"/.test(read("a.xml")), "JUnit");
  check(/^cohort_bench_value\{workload="sessions-hand",[^}]*metric="latency_infl"\} [0-9.]+$/m.test(read("a.prom")), "Prometheus");
  equal(fs.readdirSync(results).filter((f) => f.endsWith(".json")).length, 1, "it is saved");
  equal(fs.readdirSync(path.join(results, "baselines", "main")).sort(), ["baseline.json", "cohort", "cohortd"], "the baseline has the executables");
});

await scenario("help lists the workloads", async () => {
  const h = await run(binary, ["help", "bench", "all"]);
  check(h.stdout.includes("sessions-hand") && h.stdout.includes("--save-baseline"), h.stdout);
  const wrong = await bench("all", "--only", "nothing-like-it");
  check(wrong.code === 1 && wrong.stderr.includes("cohort help bench all"), wrong.stderr);
});

await scenario("groups run their own rows", async () => {
  const r = await bench("latency", "--quick", "--only", "sessions-hand");
  check(r.code === 1 && r.stderr.includes("no workload of `bench latency --quick`"), r.stderr);
  const s = await bench("scalability", "--quick", "--only", "sessions-hand", "--json", "g.json");
  equal([s.code, json("g.json").results.map((x) => x.group)], [0, ["scalability"]], "scalability");
});

await scenario("caxton grades and never says that all is met while something is missing", async () => {
  const r = await bench("caxton", "--quick", "--only", "B24,B25", "--markdown", "c.md");
  equal(r.code, 0, `nothing failed (${r.stderr})`);
  for (const words of ["# Performance Benchmark Report\nDate: ", "\nCommit: ", "\nEnvironment: ", "## Summary", "### Throughput", "| Messages/sec |", "| Tasks/sec |",
    "### Latency", "### Resource Usage", "| Memory/agent |", "| CPU/agent |", "| Metric | Baseline | Current | Change |", "| B10 | ", "| B27 | ", "not measured"])
    check(read("c.md").includes(words), `the report has ${words}`);
  check(!r.stdout.includes("All performance targets met"), "not all met");
});

await scenario("the rules hold for a single workload", async () => {
  const r = await bench(...tiny, "--repeat", "3", "--json", "s.json", "--html", "s.html");
  equal([r.code, r.result?.arm, r.result?.ok], [0, "hand", 20], r.stderr);
  const s = json("s.json");
  equal([s.workload, s.repeat, s.spread.latency_infl.runs.length], ["sessions", 3, 3], "three runs");
  const sorted = [...s.spread.latency_infl.runs].sort((a, b) => a - b);
  check(Math.abs(s.result.latency_infl - sorted[1]) < 1e-6 && s.spread.latency_infl.low === sorted[0], "the median, the spread");
  equal(s.command, "cohort bench sessions --arm=hand --concurrency=20 --turns=2 --ttft=1 --tokens=4 --token-ms=1", "its own command line");
  check(read("s.html").includes("of each run"), "the runs are drawn");
  const missed = await bench(...tiny, "--repeat", "2", "--thresholds", "latency_infl<0.1");
  check(missed.code === 1 && missed.stdout.includes("missed: latency_infl < 0.1"), missed.stdout);
});

await scenario("a flame graph, or what is missing", async () => {
  const r = await bench(...tiny, "--flamegraph", "f.svg");
  if (fs.existsSync(file("f.svg")))
    check(r.code === 0 && /<title>all \(\d+ samples/.test(read("f.svg")), "frames");
  else
    check(r.code === 1 && r.stderr.includes("--flamegraph") && r.stderr.includes("perf"), r.stderr);
  const none = await run(binary, ["bench", ...tiny, "--flamegraph", "n.svg"], { env: { PATH: "/nonexistent" } });
  check(none.code === 1 && none.stderr.includes("linux-perf"), none.stderr);
});

await scenario("messages: all cases, and the books balance", async () => {
  const r = await bench("messages", "--duration", "100ms", "--json", "m.json");
  equal(r.code, 0, r.stdout + r.stderr);
  const checks = json("m.json").checks;
  check(checks.length === 10 && checks.every((c) => c.passed && / 0 pending$/.test(c.check)), "each case's books");
  check(r.result.messages_per_s > 0 && r.result.any_to_any_100k_per_s > 0 && r.result.messages_first_per_s > 0, "rates");
  const near = await bench("messages", "--only", "message");
  check(near.code === 1 && near.stderr.includes('did you mean "messages"'), near.stderr);
});

await scenario("the floor of the machine, and the detector", async () => {
  const r = await bench("floor", "--duration", "20ms", "--repeat", "2", "--json", "fl.json");
  equal(r.code, 0, r.stderr);
  check(["queue_per_s", "memcpy_gb_s", "wakeup_us", "commit_us"].every((k) => r.result[k] > 0), "four floors");
  const bad = await bench("floor", "--only", "disk");
  check(bad.code === 1 && bad.stderr.includes("none of queue"), bad.stderr);
  const d = await bench("detector", "--trials", "1", "--slow", "100", "--workload", "messages --only messages --duration 50ms", "--threshold", "0.3");
  equal([d.code, d.result.found, d.result.false_alarms], [0, 1, 0], `detector: ${d.stderr}`);
  const none = await bench("detector", "--trials", "1", "--metric", "nothing");
  check(none.code === 1 && none.stderr.includes('has no figure "nothing"'), none.stderr);
});

// Slower by so many turns of an empty loop a delta.
const slow = file("slow");
fs.writeFileSync(slow, `#!/bin/sh\nexec ${binary} "$@" --burn 10000\n`, { mode: 0o755 });
const work = ["--only", "sessions-hand"];

await scenario("compare finds a slowdown, and none between equal builds", async () => {
  const same = await bench("compare", "main", binary, ...work, "--threshold", "1.5", "--repeat", "6", "--json", "same.json", "--markdown", "same.md");
  equal(same.code, 0, `equal builds: ${same.stdout}${same.stderr}`);
  const changes = json("same.json");
  check(Array.isArray(changes) && changes.length >= 3 && changes.every((c) => ["metric", "baseline", "current", "change_percent"].every((k) => c[k] !== undefined)), "the list");
  check(read("same.md").includes("## Changes"), "Markdown");
  const found = await bench("compare", "main", slow, ...work, "--threshold", "0.5", "--repeat", "6", "--json", "slow.json");
  const cpu = json("slow.json").find((c) => c.metric === "sessions-hand.cpu_ms_per_turn");
  equal([found.code, cpu.verdict], [1, "worse"], `a slow build: ${found.stdout}${found.stderr}`);
  check(cpu.change_percent > 50 && cpu.pairs >= 6, `by ${cpu.change_percent} %`);
  const executables = await bench("compare", binary, ...work, "--repeat", "1", "--threshold", "5");
  equal([executables.code, executables.result?.measured], [0, 1], `two executables: ${executables.stderr}`);
});

await scenario("a baseline is run again, with its own command line", async () => {
  const saved = await bench(...tiny, "--save-baseline", "one");
  equal(saved.code, 0, saved.stderr);
  const again = await bench("sessions", "--baseline", "one", "--repeat", "2", "--threshold", "9", "--json", "b.json");
  equal([again.code, again.result?.C], [0, 20], `the baseline's flags: ${again.stderr}`);
  check(json("b.json").changes.some((c) => c.metric === "sessions.latency_infl" && c.pairs >= 2), "changes");
  const other = await bench("sessions", "--arm", "hand", "-c", "30", "--baseline", "one");
  check(other.code === 1 && other.stderr.includes("another command line: cohort bench sessions --arm=hand"), other.stderr);
  const none = await bench("sessions", "--baseline", "two");
  check(none.code === 1 && none.stderr.includes('no baseline "two"') && none.stderr.includes("main, one") || none.stderr.includes("one, main"), none.stderr);
});

await scenario("history, and reports of files", async () => {
  const h = await bench("history", "sessions-hand.latency_infl", "--svg", "h.svg");
  check(h.code === 0 && /^2\d\d\d-.* #+$/m.test(h.stdout) && read("h.svg").startsWith("<svg"), h.stdout + h.stderr);
  const near = await bench("history", "latency_inf");
  check(near.code === 1 && near.stderr.includes('did you mean "latency_infl"'), near.stderr);
  await bench("ramp", "--arm", "hand", "--steps", "5,10", "--turns", "2", "--ttft", "1", "--tokens", "4", "--token-ms", "1", "--json", "ramp.json");
  equal(json("ramp.json").series.map((x) => [x.name, x.points.length]), [["latency inflation", 2], ["CPU of a turn", 2], ["peak memory", 2]], "a ramp's curves");
  const r = await bench("report", "a.json", "s.json", "ramp.json", "--json", "r.json", "--markdown", "r.md", "--html", "r.html", "--junit", "r.xml", "--prometheus", "-");
  equal([r.code, json("r.json").results.length], [0, 5], r.stderr);
  check(read("r.html").includes("ramp: latency inflation"), "drawn");
  check(r.stdout.includes("cohort_bench_passed{") && read("r.xml").includes("</testsuites>"), "formats");
  fs.writeFileSync(file("bad.json"), '{"schema":2}');
  const bad = await bench("report", "bad.json");
  check(bad.code === 1 && bad.stderr.includes("bad.json: not a result"), bad.stderr);
  const absent = await bench("report", "absent.json");
  check(absent.code === 1 && absent.stderr.includes("absent.json"), absent.stderr);
});

await scenario("what is mistyped is told, with exit code 2", async () => {
  for (const [args, words] of [[["all", "--ful"], "did you mean --full?"], [["sessions", "--repaet", "3"], "did you mean --repeat?"],
    [["compare"], "BASE"], [["report"], "FILE"], [["all", "--repeat", "0"], "1 to 100"], [["watch", "--slo-p98", "1s"], "--slo-p99"]]) {
    const r = await bench(...args);
    check(r.code === 2 && r.stderr.includes(words), `${args.join(" ")}: ${r.code} ${r.stderr}`);
  }
  for (const [args, words] of [[["all", "--only", "sessions-hend"], 'did you mean "sessions-hand"'], [["compare", "nope"], "neither a baseline"],
    [["all", "--quick", "--full"], "one of them"], [["compare", "main", "--threshold", "x"], "--threshold"], [["compare", "main", "--full"], "own command lines"],
    [["all", ...cheap, "--save-baseline", "a/b"], "letters"], [["all", ...cheap, "--results", "/proc/no"], "--results: /proc/no"], [["watch", "--slo-errors", "7"], "--slo-errors"]]) {
    const r = await bench(...args);
    check(r.code === 1 && r.stderr.includes(words), `${args.join(" ")}: ${r.code} ${r.stderr}`);
  }
});

await scenario("the commands of the CI recipe", async () => {
  const text = fs.readFileSync(path.join(repo, "bench", "ci.yml"), "utf8");
  const commands = [...text.matchAll(/# bench: (\w+)\n\s*(.*)$/gm)].map((m) => [m[1], m[2].trim().split(/\s+/)]);
  equal(commands.map((c) => c[0]), ["baseline", "compare", "measure"], "three commands");
  fs.rmSync(results, { recursive: true });
  for (const [name, [program, ...args]] of commands) {
    check(program.endsWith("build/cohort"), program);
    // Only cheap rows, and no verdict on this machine's noise: the recipe's own threshold is for a quiet one.
    const only = name === "compare" ? ["--threshold", "5", "--repeat", "1"] : ["--only", "sessions-hand"];
    const r = await run(binary, [...args, ...only]);
    equal(r.code, 0, `${name}: ${r.stdout}${r.stderr}`);
  }
  for (const f of ["changes.json", "report.md", "report.html", "result.json", "junit.xml"])
    check(fs.existsSync(path.join(results, f)), `bench-results/${f}`);
});

await scenario("watch sees a stopped server and its recovery", async () => {
  const port = await freePort(), got = [], said = { out: "", err: "" };
  const hook = http.createServer((q, s) => {
    let body = "";
    q.on("data", (d) => { body += d; });
    q.on("end", () => { got.push(JSON.parse(body)); s.end(); });
  });
  await new Promise((r) => hook.listen(0, "127.0.0.1", r));
  let server = await startServer({ port });
  const w = spawn(binary, ["bench", "watch", "--url", server.url, "--interval", "100ms", "--probe-interval", "20ms", "--slo-p99", "60s",
    "--webhook", `http://127.0.0.1:${hook.address().port}/`, "--command", `echo "$COHORT_ALERT" >> ${file("alerts")}; echo "$COHORT_ALERT_JSON" >> ${file("alerts")}`]);
  w.stdout.on("data", (d) => { said.out += d; });
  w.stderr.on("data", (d) => { said.err += d; });
  const ended = new Promise((r) => w.on("exit", (code) => r(code)));
  await until(() => / 0 of [1-9]\d* probes failed/.test(said.out), "an interval with probes");
  equal(got, [], "no alert while it is well");
  await server.stop();
  await until(() => got.length === 1 && fs.existsSync(file("alerts")), "the alert");
  equal([got[0].alert, got[0].url, got[0].failed_probes > 0], ["high_error_rate", server.url, true], "a stopped server");
  server = await startServer({ port });
  await until(() => got.length === 2 && read("alerts").split("\n").length === 5, "the recovery");
  equal([got[1].alert, got[1].of], ["recovered", "high_error_rate"], "recovered");
  equal(read("alerts").split("\n").filter((l) => !l.startsWith("{")), ["high_error_rate", "recovered", ""], "the command");
  w.kill("SIGTERM");
  equal(await ended, 0, "a clean exit");
  check(/^RESULT \{"workload":"watch","passed":false,.*"alerts":1\}$/m.test(said.out), said.out);
  // A bound that nothing keeps.
  const late = await bench("watch", "--url", server.url, "--interval", "200ms", "--probe-interval", "20ms", "--slo-p99", "0", "--slo-errors", "100%", "--for", "2", "--duration", "3s");
  check(late.code === 1 && late.stderr.includes("ALERT high_latency") && late.result.alerts === 1, late.stdout + late.stderr);
  await server.stop();
  hook.close();
  const rules = await bench("watch", "--rules", "--slo-p99", "250ms", "--slo-errors", "2%");
  check(rules.code === 0 && rules.stdout.includes("alert: high_latency") && rules.stdout.includes("> 0.25\n") && rules.stdout.includes("> 0.02\n"), rules.stdout);
});

finish();
