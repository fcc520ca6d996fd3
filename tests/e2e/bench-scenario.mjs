// bench-scenario.mjs - load that files describe: the shipped ones against the server;
// against servers of our own what is timed from when, what is counted, what fails a
// run; two servers in turns.
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { runBench } from "./bench-lib.mjs";
import { binary, check, equal, finish, repo, scenario, scratch, startMock, startServer } from "./lib.mjs";

const dir = scratch();
const bench = (...args) => runBench(args, { cwd: dir });
const file = (name, text) => { const at = path.join(dir, name); writeFileSync(at, text); return at; };
const answering = async (answer) => {
  const seen = [], server = http.createServer((req, res) => {
    let body = "";
    req.on("data", (d) => { body += d; }).on("end", () => { seen.push({ req, body, at: Date.now(), socket: req.socket }); answer(req, res, body, seen.length); });
  });
  await new Promise((r) => server.listen(0, "127.0.0.1", r));
  return { url: `http://127.0.0.1:${server.address().port}`, seen, close: () => { server.closeAllConnections(); server.close(); } };
};
const one = (phases, step, more = "") => `name: t\n${more}phases: ${phases}\nsequences: [{name: s, steps: [${step}]}]\n`;
const get = "{name: get, request: {path: /x}}";

const mock = await startMock(["--delay-ms", "5", "--stream-delay-ms", "1"]);
const server = await startServer({ dir, mock });

const doc = /```yaml\n(name: talk\n[^]*?)```/.exec(readFileSync(path.join(repo, "docs/benchmarking.md"), "utf8"))[1];
for (const name of ["agent-life", "chat", "messages", "talk"])
  await scenario(name === "talk" ? "the file in docs/benchmarking.md" : `bench/scenarios/${name}.yaml as it is shipped`, async () => {
    const shipped = name === "talk" ? doc : readFileSync(path.join(repo, `bench/scenarios/${name}.yaml`), "utf8");
    const short = file(`${name}.yaml`, shipped.replace(/for: \d+s/g, "for: 1s"));
    const r = await bench("scenario", short, "--url", server.url, "--pid", String(server.child.pid), "--json", `${name}.json`);
    equal(r.failed, [], `no target missed (${r.stderr.slice(-300)})`);
    equal([r.result?.workload, r.result?.http_errors, r.result?.sequences_failed], [`scenario_${name}`, 0, 0], "no error");
    check(r.result.sequences > 5 && r.result.server_cpu_ms > 0, "it has run", r.result);
    const told = JSON.parse(readFileSync(path.join(dir, `${name}.json`), "utf8"));
    equal(told.loop, name === "chat" ? "closed" : "open", "the report says how the loop was");
  });

await scenario("a server that stands still: what was due meanwhile is late, and counted", async () => {
  // 100 a second for two seconds; the 50th answer and all behind it wait for 600 ms.
  let stall = 0;
  const s = await answering((req, res, body, n) => {
    if (n === 50) stall = Date.now() + 600;
    setTimeout(() => res.end("{}"), Math.max(0, stall - Date.now()));
  });
  const r = await bench("scenario", file("stall.yaml", one("[{rate: 100/s, for: 2s}]", get)), "--url", s.url.replace(/$/, ""), "--json", "stall.json");
  s.close();
  equal([r.result.http_reqs, r.result.arrivals_missed], [200, 0], "all that was due was sent");
  const m = JSON.parse(readFileSync(path.join(dir, "stall.json"), "utf8")).metrics[0];
  // 60 of 200 were due while it stood still: the slowest tenth waited for more than half of it.
  check(m.p90 > 250 && m.p50 < 100 && m.max >= 550, "a third waited, half did not", m);
});

await scenario("users wait for their answers: the same pause is one slow request", async () => {
  const s = await answering((req, res, body, n) => setTimeout(() => res.end("{}"), n === 5 ? 500 : 5));
  const r = await bench("scenario", file("closed.yaml", one("[{users: 1, for: 1s}]", get)), "--url", s.url, "--json", "closed.json");
  s.close();
  const m = JSON.parse(readFileSync(path.join(dir, "closed.json"), "utf8")).metrics[0];
  check(m.p90 < 250 && m.max >= 490, "one", m);
  equal(JSON.parse(readFileSync(path.join(dir, "closed.json"), "utf8")).loop, "closed", "and it is said");
  equal(r.failed, [], "passed");
});

await scenario("a server of another kind, without /info", async () => {
  for (const status of [404, 200]) {
    const s = await answering((req, res) => (req.url === "/info" ? res.writeHead(status).end("<html>") : res.end("hello")));
    const r = await bench("scenario", file("plain.yaml", one("[{users: 1, for: 100ms}]", `${get.slice(0, -1)}, contains: hell}`)), "--url", s.url, "--json", "plain.json");
    s.close();
    equal([r.code, r.result?.http_errors, JSON.parse(readFileSync(path.join(dir, "plain.json"), "utf8")).server_info], [0, 0, null], "is measured");
  }
});

await scenario("arrivals that find all users busy fail the run", async () => {
  const s = await answering((req, res) => setTimeout(() => res.end("{}"), 400));
  const r = await bench("scenario", file("few.yaml", one("[{rate: 50/s, for: 500ms}]", get, "max_users: 4\n")), "--url", s.url);
  s.close();
  equal(r.code, 1, "exit code");
  check(r.result.arrivals_missed >= 15 && r.failed.some((l) => /every arrival found a free user/.test(l)), "how many", r.result);
});

await scenario("a generator that was stopped for a while says so, and fails", async () => {
  let pid = 0;
  const s = await answering((req, res, body, n) => {
    if (n === 50) { process.kill(pid, "SIGSTOP"); setTimeout(() => process.kill(pid, "SIGCONT"), 400); }
    res.end("{}");
  });
  const r = await new Promise((resolve) => {
    const child = execFile(binary, ["bench", "scenario", file("late.yaml", one("[{rate: 100/s, for: 2s}]", get)), "--url", s.url], (error, stdout) => resolve({ code: error?.code, stdout }));
    pid = child.pid;
  });
  s.close();
  check(r.code === 1 && /FAIL +the generator sent on time \(lag p99 [1-9][0-9]/.test(r.stdout) && /"http_reqs":200,/.test(r.stdout), "late, but all of it", r.stdout.slice(-900));
});

await scenario("what is sent, taken from answers and checked", async () => {
  const s = await answering((req, res, body) => {
    res.setHeader("content-type", "application/json");
    if (req.url === "/make") return res.end('{"items":[{"id":"a/b"},{"id":"c d","n":7}]}');
    if (req.url.startsWith("/see")) return res.writeHead(404).end('{"detail":"gone"}');
    res.end(body);
  });
  const f = file("steps.yaml", `name: steps
variables: {word: 'say "hi"', list: [1, {a: 2}]}
phases: [{users: 1, for: 300ms}]
sequences:
  - name: s
    steps:
      - {name: make, request: {path: /make}, capture: {id: items.-1.id, n: items.1.n}}
      - {name: put, request: {method: PUT, path: "/put/\${id}", headers: {X-Word: "\${word}"}, body: {word: "\${word}", n: "\${n}", text: "n=\${n}", list: "\${list}"}}, contains: "n=7"}
      - {name: see, request: {path: "/see?\${iteration}"}, expect: 404}
      - {name: none, request: {path: /make}, capture: {nothing: items.5.id}}
      - {name: after, request: {path: "/after/\${nothing}"}}
      - {name: message, message: {to: "x", content: "\${word}"}}
`);
  const r = await bench("scenario", f, "--url", s.url);
  const put = s.seen.find((x) => x.req.method === "PUT");
  equal([put.req.url, put.req.headers["x-word"], put.body], ["/put/c%20d", 'say "hi"', '{"list":[1,{"a":2}],"n":7,"text":"n=7","word":"say \\"hi\\""}'], "a request");
  equal(r.result.make_p50_ms > 0 && s.seen.some((x) => x.req.url.startsWith("/after")), false, "a step whose value was not there is not sent");
  check(s.seen.some((x) => x.req.url === "/messages" && x.req.method === "POST" && x.body === '{"content":"say \\"hi\\"","to":"x"}'), "a message, and what follows a failed step");
  check(r.code === 1 && r.result.sequences_failed > 0 && /none: no value at 'items.5.id'/.test(r.stdout), "the first error is told", r.stdout.slice(-600));
  equal(new Set(s.seen.map((x) => x.socket)).size <= 2, true, "one connection is kept (another asks for /info)");
  s.close();
});

await scenario("a request that is too long to be sent is an error, and the run ends", async () => {
  const s = await answering((req, res) => res.end("{}"));
  const r = await bench("scenario", file("long.yaml", one("[{users: 1, for: 300ms}]", "{name: long, request: {path: '/${x}'}}", `variables: {x: ${"a".repeat(9000)}}\n`)), "--url", s.url);
  s.close();
  check(r.code === 1 && r.result.sequences_failed >= 1 && /long: the request is too long/.test(r.stdout), "each time", r.stdout.slice(-500));
});

await scenario("streams: first event, events a second, an end that is missing", async () => {
  const s = await answering((req, res, body, n) => {
    if (req.url === "/info") return res.end("{}");
    res.writeHead(200, { "content-type": "text/event-stream" });
    setTimeout(() => res.write("event: a\ndata: 1\n\n"), 50);
    setTimeout(() => res.write("event: a\r\ndata: 2\r\n\r\n"), 100);
    setTimeout(() => (req.url === "/cut" ? req.socket.destroy() : req.url === "/error" ? res.end('event: error\ndata: {"error":"no"}\n\n') : res.end("event: end\ndata: {\"id\":5}\n\n")), 150);
  });
  const stream = (p) => `{name: ${p}, stream: {path: /${p}}}`;
  const r = await bench("scenario", file("streams.yaml", one("[{users: 1, for: 700ms}]", `${stream("good")}, ${stream("cut")}, ${stream("error")}`)), "--url", s.url, "--json", "streams.json");
  s.close();
  const told = JSON.parse(readFileSync(path.join(dir, "streams.json"), "utf8")), of = (name) => told.metrics.find((m) => m.operation === name);
  check(of("good_first_event").p50 >= 45 && of("good_first_event").p50 < of("good").p50, "time to the first event", told.metrics);
  check(r.result.good_events_per_s > 10 && r.result.good_events_per_s < 40, "events a second", r.result.good_events_per_s);
  equal([of("good").errors, of("cut").errors > 0, of("error").errors > 0], [0, true, true], "what is cut off, or ends with an error, is an error");
});

await scenario("a stream that does not end is left after so many events", async () => {
  let left = 0;
  const s = await answering((req, res) => {
    if (req.url.startsWith("/info")) return res.end("{}");
    res.writeHead(200, { "content-type": "text/event-stream" });
    let n = 0;
    const beat = setInterval(() => res.write(`data: {"n":${++n}}\n\n`), 10);
    res.on("close", () => { left++; clearInterval(beat); });
  });
  const r = await bench("scenario", file("endless.yaml", one("[{users: 2, for: 400ms}]", "{name: box, stream: {path: /box, headers: {Accept: text/event-stream}}, events: 3, capture: {n: n}}, {name: after, request: {path: '/info?${n}'}}")), "--url", s.url);
  s.close();
  equal([r.failed, r.result.http_errors], [[], 0], "without an error");
  check(r.result.box_p50_ms >= 28 && left >= r.result.http_reqs / 2, "three events, then the connection is closed", [r.result.box_p50_ms, left]);
  check(s.seen.some((x) => x.req.url === "/info?3"), "the third is the last that was read", s.seen.slice(0, 6).map((x) => x.req.url));
});

await scenario("errors by status; fresh connections; a line a second", async () => {
  const s = await answering((req, res, body, n) => res.writeHead(req.url === "/info" || n % 2 ? 200 : 429, { "retry-after": "1" }).end("{}"));
  const r = await bench("scenario", file("codes.yaml", one("[{rate: 1, for: 100ms}]", get, "connections: fresh\n")), "--url", s.url, "--rate", "40", "--duration", "2s", "--ramp-up", "1s", "--records", "records.jsonl");
  const records = readFileSync(path.join(dir, "records.jsonl"), "utf8").trim().split("\n").map((l) => JSON.parse(l));
  equal(r.result.http_reqs, 100, "half of the ramp and the rest");
  equal([r.result.errors_429, r.code], [r.result.http_errors, 1], "429 is an error, and counted by its number");
  equal([records.reduce((n, x) => n + x.requests_sent, 0), records.reduce((n, x) => n + x.responses_received, 0), records.reduce((n, x) => n + x.errors, 0)], [100, 100, r.result.http_errors], "the lines add up");
  check(records.length >= 3 && records[0].requests_sent < records[1].requests_sent && records[1].latencies.p50_ms > 0, "a line a second, from nothing to the rate", records);
  check(new Set(s.seen.map((x) => x.socket)).size >= 100, "a connection for each request");
  s.close();
});

await scenario("a server and a model started for the run, and runs at a rate", async () => {
  const r = await bench("load", "--own-server", "--rate", "40", "--duration", "1s", "--ramp-up", "500ms", "--records", "own.jsonl");
  equal(r.failed, [], `passed (${r.stderr.slice(-300)})`);
  equal([r.result.workload, r.result.http_reqs, r.result.http_errors], ["load", 50, 0], "half of the ramp, and the rest");
  check(r.result.server_cpu_ms > 0 && r.result.run_p50_ms >= 10, "its own server, with the mock's 10 ms", r.result);
  equal(readFileSync(path.join(dir, "own.jsonl"), "utf8").trim().split("\n").reduce((n, l) => n + JSON.parse(l).responses_received, 0), 50, "second by second");
  const smoke = await bench("flow", "--own-server", "--smoke");
  check(smoke.code === 0 && /ok +the mock saw 3 requests, 3 runs were asked for/.test(smoke.stdout), "the flow as well", smoke.stdout.slice(-900));
  check((await bench("flow", "--own-server", "--url", "http://127.0.0.1:1")).stderr.includes("do not go with it"), "not beside --url");
});

await scenario("two servers in turns, and their ratios", async () => {
  const delayed = (ms) => answering((req, res) => setTimeout(() => res.end("{}"), ms));
  const ours = await delayed(4), peer = await delayed(12);
  const r = await bench("scenario", file("peer.yaml", one("[{users: 2, for: 400ms}]", get)), "--url", ours.url, "--name", "ours", "--peer", peer.url, "--peer-name", "theirs", "--rounds", "4");
  equal(r.failed, [], "passed");
  check(r.result.ratio_get_p50_ms > 0.1 && r.result.ratio_get_p50_ms < 1, "a third of the time, and what a busy machine adds to both", r.result.ratio_get_p50_ms);
  check(r.result.ratio_get_p50_ms_low <= r.result.ratio_get_p50_ms && r.result.ratio_get_p50_ms <= r.result.ratio_get_p50_ms_high && r.result.peer_get_p50_ms > 11, "with its interval", r.result);
  check(/ours +theirs +ratio/.test(r.stdout), "both columns", r.stdout.slice(0, 400));
  // In turns: first ours, then theirs, theirs, ours, ...
  const turns = [...ours.seen.map((x) => [x.at, "o"]), ...peer.seen.map((x) => [x.at, "p"])].sort((a, b) => a[0] - b[0]).map((x) => x[1]).filter((x, i, all) => x !== all[i - 1]).join("");
  check(/opopop?/.test(turns) && turns.length <= 9, "the passes take turns", turns);
  peer.close();
  const broken = await answering((req, res) => res.writeHead(req.url === "/info" ? 200 : 500).end("{}"));
  const bad = await bench("scenario", "peer.yaml", "--url", ours.url, "--peer", broken.url, "--peer-name", "broken", "--rounds", "2");
  check(bad.code === 1 && bad.failed.some((l) => /broken: \d+ of \d+ requests failed: get: answered 500/.test(l)), "a peer that fails is not faster", bad.failed);
  ours.close(); broken.close();
});

await scenario("what is wrong is told with its place, before anything is sent", async () => {
  for (const [text, words] of [["name: a\nphasess: 1\n", ":2:1: unknown key 'phasess'; did you mean 'phases'?"],
    [one("[{rate: 5, for: 1s}]", "{flow: run_wait}"), "needs create_assistant before it"]]) {
    const r = await bench("scenario", file("wrong.yaml", text), "--url", "http://127.0.0.1:9");
    check(r.code === 1 && r.stderr.includes(words), words, r.stderr);
  }
  equal((await bench("scenario")).code, 2, "a file is needed");
  check((await bench("scenario", "none.yaml")).stderr.includes("none.yaml"), "one that is not there");
  check((await bench("scenario", file("good.yaml", one("[{rate: 5, for: 1s}]", get)), "--url", "http://127.0.0.1:9")).stderr.includes("127.0.0.1:9"), "a server that is not there");
  const s = await answering((req, res) => res.end("{}"));
  await bench("scenario", "good.yaml", "--rate", "20", "--duration", "200ms", "--url", s.url, "--token", "secret1", "--peer", s.url, "--peer-token=secret2", "--rounds", "1", "--json", "one.json", "--markdown", "one.md");
  await bench("scenario", "good.yaml", "--rate", "20", "--duration", "200ms", "--url", s.url, "--token=secret1", "--repeat", "2", "--json", "two.json");
  s.close();
  const told = ["one.json", "one.md", "two.json"].map((f) => readFileSync(path.join(dir, f), "utf8")).join();
  check(!told.includes("secret") && told.includes("--token ***") && told.includes("--peer-token=***"), "tokens are in no report", told.match(/.{40}secret.{20}/g));
  for (const [flag, words] of [[["--ramp-up", "1s"], "--ramp-up goes with --rate"], [["--duration", "1s"], "--duration goes with --rate"],
    [["--peer-pid", "1"], "--peer-pid goes with --peer"], [["--rounds", "2"], "--rounds goes with --peer"], [["--response", "x"], "--response is of the flow's steps"]])
    check((await bench("scenario", "good.yaml", ...flag)).stderr.includes(words), `${flag[0]} has no effect here`);
  check((await bench("flow", "--stages", "1s:1", "--vus", "2")).stderr.includes("--vus and --duration do not go with it"), "nor has --vus beside --stages");
});

finish();
