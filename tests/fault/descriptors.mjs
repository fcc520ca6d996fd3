// descriptors.mjs - the server, and the tracker's daemon, when there are fewer
// descriptors than clients want: nobody hangs, nothing spins, the log stays
// short, and afterwards everything is as before.
//
// Each server gets so many open files and shards: streams leave connections to
// the model, a crowd comes and says nothing, others send half a request, new
// clients come on top.
import { spawn } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import { binary, call, check, equal, finish, scenario, scratch, startMock, startServer, until } from "../e2e/lib.mjs";
import { connect, workspace } from "../e2e/work-lib.mjs";

const instrumented = ["ASAN_OPTIONS", "TSAN_OPTIONS"].some((k) => process.env[k]);
const LOG_MAX = 200000, END_MS = instrumented ? 15000 : 5000;
const mock = await startMock(["--delay-ms", "300", "--stream-delay-ms", "0"]);
const within = (n) => ["sh", "-c", `ulimit -n ${n}; exec "$@"`, "sh"];
const fds = (child) => readdirSync(`/proc/${child.pid}/fd`).length;

function ticks(child) {
  const s = readFileSync(`/proc/${child.pid}/stat`, "utf8");
  const f = s.slice(s.lastIndexOf(")") + 2).split(" ");
  return Number(f[11]) + Number(f[12]);
}

// CPU of a second in which nothing is asked for, in ticks of 10 ms.
async function restless(child) {
  const before = ticks(child), began = Date.now();
  await until(() => Date.now() - began > 1000, "a second to pass");
  return ticks(child) - before;
}

// Connections that say `text` and no more.
async function crowd(port, n, text) {
  const all = Array.from({ length: n }, () => {
    const s = net.connect(port, "127.0.0.1");
    s.on("error", () => {}).on("data", () => {});
    s.on("close", () => { s.gone = true; });
    s.made = new Promise((resolve) => s.once("connect", resolve).once("close", resolve));
    if (text) s.write(text);
    return s;
  });
  await Promise.race([Promise.all(all.map((s) => s.made)), until(() => false, "", 1000).catch(() => {})]);
  return all;
}

// One GET on a connection of its own; the status, 0 when it was cut off.
function get(port, target, ms = 20000) {
  return new Promise((resolve) => {
    const r = http.get({ port, host: "127.0.0.1", path: target, agent: false, timeout: ms }, (res) => {
      res.resume().on("end", () => resolve(res.statusCode)).on("error", () => resolve(0));
    });
    r.on("error", () => resolve(0)).on("timeout", () => r.destroy());
  });
}

// A stateless run on a connection of its own: "success", or what came instead.
function run(server, more) {
  return new Promise((resolve) => {
    const body = JSON.stringify({ assistant_id: "agent", input: { messages: [{ role: "user", content: "hi" }] }, stream_mode: ["values"], ...more });
    const r = http.request({ method: "POST", port: server.port, host: "127.0.0.1", path: "/runs/stream", agent: false,
      headers: { "content-type": "application/json" }, timeout: 30000 }, (res) => {
      let text = "";
      res.on("data", (d) => { text += d; }).on("error", (e) => resolve(String(e)))
        .on("end", () => resolve(res.statusCode === 200 && /"type":"ai"/.test(text) && !/event: error/.test(text) ? "success" : `${res.statusCode} ${text.slice(-300)}`));
    });
    r.on("error", (e) => resolve(String(e))).on("timeout", () => r.destroy());
    r.end(body);
  });
}

async function attack(files, shards) {
  const what = `${files} files, ${shards} shards`;
  const server = await startServer({ mock, dir: scratch(), args: ["--shards", String(shards)], via: within(files) });
  await until(() => /connections .*\n/.test(server.log), "the banner");
  const allowed = Number(/up to (\d+) \(/.exec(server.log)[1]), used = fds(server.child);
  check(allowed >= 8, `${what}: it serves at least 8 clients`, server.log);
  check(used + allowed < files, `${what}: what it has and may accept is below the limit`, [used, allowed]);

  // Finished streams leave connections to the model: as many at once as clients.
  const streams = Math.min(allowed, 450);
  const ends = await Promise.all(Array.from({ length: streams }, () => run(server)));
  equal(ends.filter((e) => e !== "success"), [], `${what}: ${streams} streams at once`);
  const kept = fds(server.child) - used;
  check(kept >= Math.min(streams, allowed) / 2, `${what}: they leave connections to the model`, kept);

  // All that it may have at once, and more, who say nothing or half of it.
  const idle = await crowd(server.port, files, "");
  const half = await crowd(server.port, 4, "POST /threads HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{");
  const rest = await restless(server.child);
  check(rest <= (instrumented ? 60 : 20), `${what}: it does not spin`, `${rest} ticks in a second`);
  check(fds(server.child) <= files, `${what}: it is within its limit`, fds(server.child));

  // New clients take the place of those that were idle for a while.
  const news = await Promise.all(Array.from({ length: 20 }, () => get(server.port, "/ok")));
  equal(news, Array(20).fill(200), `${what}: new clients are served beside the crowd`);
  equal(await run(server), "success", `${what}: a run has its connection to the model`);
  check(server.exit === null, `${what}: it lives`, server.log.slice(-2000));
  [...idle, ...half].forEach((s) => s.destroy());
  equal(await get(server.port, "/ok"), 200, `${what}: /ok afterwards`);
  await until(() => fds(server.child) <= used + streams + 4, `${what}: descriptors to come back`);
  check(server.log.length < LOG_MAX, `${what}: the log stays short`, server.log.length);

  // SIGTERM in the middle of the next crowd, some of whom have sent half of it.
  const last = await crowd(server.port, 3, "POST /threads HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{");
  last.push(...await crowd(server.port, 2, "GET /ok HTTP/1.1\r\n"), ...await crowd(server.port, files, ""));
  const began = Date.now();
  const end = await Promise.race([server.stop(), until(() => false, "", 20000).catch(() => "it hangs")]);
  last.forEach((s) => s.destroy());
  equal(end, { code: 0, signal: null }, `${what}: SIGTERM ends it`);
  check(Date.now() - began < END_MS, `${what}: soon`, `${Date.now() - began} ms`);
}

for (const files of [64, 200, 1024])
  for (const shards of [1, 2, 4])
    await scenario(`${files} files, ${shards} shards`, () => attack(files, shards));

// Open answers keep their descriptors, whoever comes.
await scenario("open answers are kept", async () => {
  const slow = await startMock(["--delay-ms", "6000", "--stream-delay-ms", "0"]);
  const server = await startServer({ mock: slow, dir: scratch(), args: ["--shards", "1"], via: within(64) });
  const open = Array.from({ length: 4 }, () => run(server));
  await until(async () => (await call(slow, "GET", "/stats")).json?.requests >= 4, "the model to be asked");
  const idle = await crowd(server.port, 100, "");
  equal(await Promise.all(open), Array(4).fill("success"), "streams beside a crowd end well");
  idle.forEach((s) => s.destroy());
  equal((await server.stop()).code, 0, "it ends well");
  await slow.stop();
});

await scenario("too few files", async () => {
  let said = "";
  await startServer({ mock, dir: scratch(), via: within(32) }).catch((e) => { said = String(e); });
  const needed = Number(/32 open files are allowed, and at least (\d+) are needed/.exec(said)?.[1]);
  check(needed > 32 && needed < 64, "it refuses to start, and says how many are needed", said);
  const server = await startServer({ mock, dir: scratch(), via: within(needed) });
  equal((await call(server, "GET", "/ok")).status, 200, "and so many suffice");
  equal(await run(server), "success", "for a run as well");
  await server.stop();
});

// The mock model stands on the same HTTP server.
await scenario("the mock model", async () => {
  const small = await startMock(["--shards", "1"], {}, undefined, within(64));
  const idle = await crowd(small.port, 100, "");
  check(await restless(small.child) <= (instrumented ? 60 : 20), "the mock does not spin");
  equal(await get(small.port, "/health"), 200, "and serves new clients");
  idle.forEach((s) => s.destroy());
  equal((await Promise.race([small.stop(), until(() => false, "", END_MS).catch(() => "hangs")])).code, 0, "and ends");
});

await scenario("the tracker's daemon", async () => {
  const ws = workspace();              // "direct": nobody starts another one
  const asks = { env: { COHORT_NO_DAEMON: "" } };
  const child = spawn("sh", ["-c", 'ulimit -n 64; exec "$@"', "sh", binary, "work", "daemon", "--foreground"], { cwd: ws.dir, env: ws.env, stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  child.stderr.on("data", (d) => { log += d; });
  const ended = new Promise((resolve) => child.on("exit", resolve));
  await until(() => ws.run(["daemon", "--status"], asks).out.includes(`PID ${child.pid}`), "the daemon");
  const busy = [], all = [];
  for (let i = 0; i < 100; i++) {
    const s = net.connect(ws.socket);
    s.on("error", () => {}).on("data", (d) => { if (/BUSY/.test(d)) busy.push(s); });
    all.push(s);
  }
  await until(() => busy.length >= 80, "those it has no room for to be told");
  check(await restless(child) <= (instrumented ? 60 : 20), "the daemon does not spin");
  check(log.length < LOG_MAX, "its log stays short", log.length);
  all.forEach((s) => s.destroy());
  await until(() => fds(child) < 30, "its files to be closed");
  const c = await connect(ws);
  c.socket.destroy();
  equal(ws.run(["create", "after the crowd"], asks).code, 0, "commands work again");
  ws.run(["daemon", "--stop"], asks);
  equal(await Promise.race([ended, until(() => false, "", END_MS).catch(() => "hangs")]), 0, "it ends");
});

await mock.stop();
finish();
