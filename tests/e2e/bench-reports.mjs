// bench-reports.mjs - what users of other load tools have reported, tried on ours
// (docs/reports.md lists them).
import { execFile } from "node:child_process";
import { lookup } from "node:dns/promises";
import { readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import path from "node:path";
import { runBench } from "./bench-lib.mjs";
import { binary, check, equal, finish, scenario, scratch } from "./lib.mjs";

const dir = scratch();
const bench = async (text, ...args) => {
  const file = path.join(dir, "s.yaml"), json = path.join(dir, "s.json");
  writeFileSync(file, text);
  const r = await runBench(["scenario", file, "--json", json, ...args]);
  return { ...r, told: r.result && JSON.parse(readFileSync(json, "utf8")) };
};
const one = (phases, step = "{name: get, request: {path: /x}}", more = "") => `name: t\n${more}phases: ${phases}\nsequences: [{name: s, steps: [${step}]}]\n`;
// raw: answers the bytes of one request; it is told the path and the number of the request.
const raw = async (answer, host = "127.0.0.1") => {
  let n = 0;
  const server = net.createServer((socket) => {
    let text = "";
    socket.on("error", () => {});
    socket.on("data", (d) => {
      for (text += d; text.includes("\r\n\r\n"); text = text.slice(text.indexOf("\r\n\r\n") + 4))
        if (text.startsWith("GET /info ")) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
        else answer(socket, text.split(" ")[1], ++n);
    });
  });
  await new Promise((r) => server.listen(0, host, r));
  return { port: server.address().port, url: `http://127.0.0.1:${server.address().port}`, count: () => n, close: () => server.close() };
};
const good = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

await scenario("k6 1109, oha 784, nighthawk 613: localhost is two addresses, the server has one", async () => {
  const known = (await lookup("localhost", { all: true })).map((a) => a.address);
  for (const host of ["127.0.0.1", "::1"]) {
    if (!known.includes(host)) { console.log(`skipped: localhost is not ${host} here`); continue; }
    const s = await raw((socket) => socket.write(good), host);
    const r = await bench(one("[{users: 1, for: 100ms}]"), "--url", `http://localhost:${s.port}`);
    s.close();
    check(r.code === 0 && r.result.http_errors === 0, `one on ${host} is found`, r.stderr);
  }
});

await scenario("wrk 118, wrk2 5: an answer that ends with its connection", async () => {
  const s = await raw((socket) => socket.end("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"a\":1}"));
  const r = await bench(one("[{users: 1, for: 300ms}]", "{name: get, request: {path: /x}, contains: '\"a\":1'}", "connections: fresh\n"), "--url", s.url);
  s.close();
  check(r.code === 0 && r.result.http_reqs > 0 && r.result.get_p50_ms > 0, "is whole", r.stdout.slice(-500));
});

await scenario("wrk 167: a connection that ends before its answer does", async () => {
  const s = await raw((socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"a\":1}"));
  const r = await bench(one("[{users: 1, for: 300ms}]"), "--url", s.url);
  s.close();
  check(r.code === 1 && r.result.http_reqs > 1 && r.result.http_errors === r.result.http_reqs && r.result.errors_no_answer === r.result.http_errors, "is an error, each time", r.result);
});

await scenario("locust 1263, urllib3 1911: a server that closes kept connections", async () => {
  // It says nothing of it and closes after the answer: at times just as the next request goes out.
  const s = await raw((socket) => { socket.write(good); setImmediate(() => socket.end()); });
  const r = await bench(one("[{users: 4, for: 500ms}]"), "--url", s.url);
  s.close();
  equal([r.code, r.result.http_errors], [0, 0], "makes no errors");
  check((r.result.http_reqs_sent_twice ?? 0) <= r.result.http_reqs, "and what was sent twice is told", r.result);
});

await scenario("wrk2 138, 117: a rate beyond all measure, a very short run", async () => {
  const s = await raw((socket) => socket.write(good));
  const r = await bench(one("[{rate: 900000/s, for: 300ms}]", undefined, "max_users: 50\n"), "--url", s.url);
  equal(r.code, 1, "fails");
  check(r.result.wall_s < 5 && Math.abs(r.result.http_reqs_per_s - r.result.http_reqs / r.result.wall_s) < 0.05 * r.result.http_reqs_per_s, "its requests a second are those of its time", r.result);
  equal(r.result.http_reqs + r.result.arrivals_missed, 270000, "each arrival was sent, or counted as missed");
  const short = await bench(one("[{rate: 20/s, for: 100ms}]"), "--url", s.url);
  check(short.result.http_reqs === 2 && !/nan|inf/i.test(JSON.stringify(short.result)), "figures are numbers", short.result);
  s.close();
});

await scenario("oha 784: nothing succeeds", async () => {
  const s = await raw((socket) => socket.destroy());
  const r = await bench(one("[{users: 1, for: 200ms}]"), "--url", s.url);
  s.close();
  check(r.code === 1 && !/nan|inf|null/i.test(JSON.stringify(r.result)) && r.result.http_req_failed === 1, "no NaN, no infinity", r.result);
});

await scenario("vegeta 120, 244: a server that does not answer does not make the run longer", async () => {
  const s = await raw(() => {});
  const began = Date.now(), r = await bench(one("[{rate: 20/s, for: 500ms}]", undefined, "timeout: 300ms\n"), "--url", s.url);
  s.close();
  check(Date.now() - began < 30000 && r.result.http_reqs === 10 && r.result.errors_no_answer === 10, "ten timeouts", r.result);
  check(/get: timed out|get: .*time/i.test(r.stdout), "and it says so", r.stdout.slice(-700));
});

await scenario("vegeta 583, 219: no more connections than users, and files are looked at first", async () => {
  const open = new Set();
  let most = 0;
  const s = http.createServer((req, res) => setTimeout(() => res.end("{}"), 200)).on("connection", (c) => { open.add(c); most = Math.max(most, open.size); c.on("close", () => open.delete(c)); });
  await new Promise((r) => s.listen(0, "127.0.0.1", r));
  const url = `http://127.0.0.1:${s.address().port}`, r = await bench(one("[{rate: 200/s, for: 500ms}]", undefined, "max_users: 10\n"), "--url", url);
  check(most <= 11 && r.result.arrivals_missed > 50, "ten", most);
  s.closeAllConnections();
  s.close();
  const few = await new Promise((resolve) => execFile("bash", ["-c", `ulimit -n 100; exec ${binary} bench scenario ${path.join(dir, "many.yaml")} --url ${url}`], (e, stdout, stderr) => resolve({ code: e?.code, stderr })));
  check(few.code === 1, "a wrong start", few);
  writeFileSync(path.join(dir, "many.yaml"), one("[{rate: 1/s, for: 1s}]", undefined, "max_users: 5000\n"));
  const limit = await new Promise((resolve) => execFile("bash", ["-c", `ulimit -n 100; exec ${binary} bench scenario ${path.join(dir, "many.yaml")} --url ${url}`], (e, stdout, stderr) => resolve({ code: e?.code, stderr })));
  check(limit.code === 1 && /open files; the limit is 100/.test(limit.stderr), "5,000 users with 100 files", limit);
});

await scenario("artillery 151: a ramp that begins with nothing", async () => {
  const s = await raw((socket) => socket.write(good));
  const r = await bench(one("[{rate: 0, to: 100/s, for: 1s}]"), "--url", s.url);
  s.close();
  equal(r.result.http_reqs, 50, "is a ramp");
});

await scenario("k6 652, 3718: what is under way at the end is waited for, counted, and cleans up", async () => {
  const seen = [], s = http.createServer((req, res) => { if (req.url !== "/info") seen.push(req.url); setTimeout(() => res.end('{"id":7}'), 150); });
  await new Promise((r) => s.listen(0, "127.0.0.1", r));
  const r = await bench(one("[{users: 3, for: 200ms}]", "{name: make, request: {method: POST, path: /make}, capture: {id: id}}, {name: drop, request: {method: DELETE, path: '/drop/${id}'}}"), "--url", `http://127.0.0.1:${s.address().port}`);
  s.closeAllConnections();
  s.close();
  equal([r.result.http_reqs, seen.filter((u) => u === "/make").length], [seen.length, seen.filter((u) => u === "/drop/7").length], "as many as the server saw; what was made is deleted");
});

await scenario("gatling 4634, 2591: a server that ends a stream, and one that says nothing in it", async () => {
  const s = http.createServer((req, res) => {
    if (req.url === "/info") return res.end("{}");
    res.writeHead(200, { "content-type": "text/event-stream" });
    if (req.url === "/silent") res.flushHeaders(); else res.end("data: 1\n\n");
  });
  await new Promise((r) => s.listen(0, "127.0.0.1", r));
  const url = `http://127.0.0.1:${s.address().port}`;
  const ended = await bench(one("[{users: 1, for: 200ms}]", "{name: get, stream: {path: /ended}}"), "--url", url);
  equal([ended.code, ended.result.http_errors], [0, 0], "its end is no error");
  const silent = await bench(one("[{users: 1, for: 200ms}]", "{name: get, stream: {path: /silent}}", "timeout: 300ms\n"), "--url", url);
  check(silent.code === 1 && silent.result.errors_no_answer >= 1, "silence is one, after the timeout", silent.result);
  s.closeAllConnections();
  s.close();
});

await scenario("wrk 326, 485, wrk2 81: latencies are measured, not corrected afterwards", async () => {
  // Every tenth answer takes 100 ms; with enough users no other is late because of it.
  const s = http.createServer((req, res) => setTimeout(() => res.end("{}"), req.url === "/info" ? 0 : ++count % 10 === 0 ? 100 : 0));
  let count = 0;
  await new Promise((r) => s.listen(0, "127.0.0.1", r));
  const r = await bench(one("[{rate: 100/s, for: 2s}]"), "--url", `http://127.0.0.1:${s.address().port}`);
  s.closeAllConnections();
  s.close();
  const m = r.told.metrics[0];
  check(m.count === 200 && m.p50 < 50 && m.p99 >= 95, "a tenth is slow, and only that", m);
});

finish();
