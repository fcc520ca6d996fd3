// webhooks.mjs - webhooks of runs: told of every way to end, signed, tried again, safe.
import http from "node:http";
import { createHmac } from "node:crypto";
import { lookup } from "node:dns/promises";
import { hostname } from "node:os";
import { call, check, equal, finish, metric as ofAll, processes, scenario, scratch, startMock, startServer, until } from "./lib.mjs";
import { clientOf, ended, json, matches } from "./core-lib.mjs";

// A receiver: `say` answers a request; what came is in `got`.
async function receiver(say = (q, a) => a.end("ok")) {
  const r = { got: [], say };
  const server = http.createServer((q, a) => {
    let body = "";
    q.on("data", (d) => { body += d; });
    q.on("end", () => {
      r.got.push({ path: q.url, headers: q.headers, body, json: body ? JSON.parse(body) : null });
      r.say(q, a, r.got.length);
    });
  });
  await new Promise((f) => server.listen(0, "127.0.0.1", f));
  r.port = server.address().port;
  r.url = `http://127.0.0.1:${r.port}`;
  r.of = (run) => r.got.filter((g) => g.headers["x-cohort-delivery"] === run);
  return r;
}

process.setMaxListeners(50);
const secret = "whsec of the test";
const mock = await startMock();
const start = (args = [], more = {}) => startServer({ mock, ...more, args: ["--webhooks-disable-loopback=false", ...args],
  env: { COHORT_WEBHOOKS_SECRET: secret, ...more.env } });
const say = (content) => ({ messages: [{ role: "user", content }] });
const r = await receiver();
let server = await start(), client = clientOf(server);
const hook = (what, at = r) => until(() => at.got.find((g) => g.path === what), `webhook ${what}`);
const metric = (name) => ofAll(server, name);

await scenario("what it says", async () => {
  const { thread_id } = await client.threads.create();
  const run = await client.runs.create(thread_id, "agent", { input: say("hi"), metadata: { a: 1 }, webhook: `${r.url}/one` });
  const g = await hook("/one");
  equal([g.headers["content-type"], g.headers["x-cohort-delivery"]], ["application/json", run.run_id], "type and id");
  const stamp = g.headers["x-cohort-timestamp"];
  check(Math.abs(Date.now() / 1000 - Number(stamp)) < 60, "a timestamp in seconds", stamp);
  equal(g.headers["x-cohort-signature"], `sha256=${createHmac("sha256", secret).update(`${stamp}.${g.body}`).digest("hex")}`, "signed over timestamp.body");
  const row = await client.runs.get(thread_id, run.run_id);
  const { run_started_at, run_ended_at, webhook_sent_at, values, ...rest } = g.json;
  equal(rest, row, "the run as GET shows it");
  matches(values, (await client.threads.getState(thread_id)).values, "with the values it left");
  check(run_started_at <= run_ended_at && run_ended_at <= webhook_sent_at, "and its times", g.json);
  equal(row.kwargs.webhook, `${r.url}/one`, "the run names its webhook");
  equal(await metric("cohort_webhooks_delivered_total"), 1, "counted");
});

await scenario("each way to start", async () => {
  const { thread_id } = await client.threads.create();
  const body = (p) => ({ assistant_id: "agent", input: say(p), webhook: `${r.url}/${p}` });
  for (const [p, path] of [["t-wait", `/threads/${thread_id}/runs/wait`], ["t-stream", `/threads/${thread_id}/runs/stream`], ["s-wait", "/runs/wait"], ["s-stream", "/runs/stream"], ["s-create", "/runs"]]) {
    equal((await call(server, "POST", path, body(p))).status, 200, path);
    const g = await hook(`/${p}`);
    equal([g.json.status, g.json.values.messages.findLast((m) => m.type === "human").content], ["success", p], `${path}: delivered`);
    if (path.startsWith("/runs"))
      await until(async () => (await call(server, "GET", `/threads/${g.json.thread_id}`)).status === 404, `${path}: its thread to go`);
  }
  equal((await call(server, "POST", "/runs/wait", { ...body("kept"), on_completion: "keep" })).status, 200, "kept");
  equal((await hook("/kept")).json.status, "success", "kept: delivered");
});

await scenario("each way to end", async () => {
  const begin = async (thread, content, path, more = {}) => (await client.runs.create(thread, "agent", { input: say(content), webhook: `${r.url}/${path}`, ...more })).run_id;
  const thread = async () => (await client.threads.create()).thread_id;
  const running = (t, id) => until(async () => (await client.runs.get(t, id)).status === "running", "it to run");
  const tell = async (p) => { const g = (await hook(`/${p}`)).json; return [g.status, g.error?.error ?? null, g.cancel_reason]; };
  let t = await thread(), id;

  id = await begin(t, "mock:malformed", "error");
  const [status, error] = await tell("error");
  check(status === "error" && typeof error === "string" && (await hook("/error")).json.error.message.length > 0, "an error, with its name and words", [status, error]);

  t = await thread();
  id = await begin(t, "mock:stall", "cancelled");
  await running(t, id);
  const next = await begin(t, "hi", "pending-cancelled", { multitaskStrategy: "enqueue" });
  await client.runs.cancel(t, next, true);
  equal((await tell("pending-cancelled"))[0], "interrupted", "cancelled before it began");
  equal((await hook("/pending-cancelled")).json.run_started_at, null, "it never did");
  await client.runs.cancel(t, id, true);
  equal((await tell("cancelled"))[0], "interrupted", "cancelled");

  t = await thread();
  id = await begin(t, "mock:stall", "rolled");
  await running(t, id);
  await client.runs.cancel(t, id, true, "rollback");
  equal([(await tell("rolled"))[0], (await hook("/rolled")).json.run_id], ["rollback", id], "rolled back: the run is gone, and told");
  equal((await call(server, "GET", `/threads/${t}/runs/${id}`)).status, 404, "it is gone");

  t = await thread();
  id = await begin(t, "mock:stall", "displaced");
  await running(t, id);
  const waits = await begin(t, "hi", "displaced-pending", { multitaskStrategy: "enqueue" });
  const by = await begin(t, "hi", "displacer", { multitaskStrategy: "interrupt" });
  for (const p of ["displaced", "displaced-pending"]) {
    const [s, , why] = await tell(p);
    equal([s, why], ["interrupted", `interrupt: superseded by run ${by}`], p);
  }
  equal((await tell("displacer"))[0], "success", "the one that took its place");
  check(r.of(waits).length === 1, "each once");
});

await scenario("what is refused", async () => {
  const { thread_id } = await client.threads.create();
  const strict = await startServer({ mock });
  const bad = [["http://127.0.0.1/", "loopback"], ["http://[::1]/", "loopback"], ["http://localhost/", "loopback"], ["http://0.0.0.0/", "reserved"], ["http://169.254.169.254/", "link-local"],
    ["http://10.0.0.1/", "private"], ["http://192.168.0.1/", "private"], ["http://100.64.0.1/", "private"], ["http://[fd00::1]/", "private"], ["http://[::ffff:127.0.0.1]/", "loopback"],
    ["http://2130706433/", "no host name"], ["http://0x7f.1/", "no host name"], ["http://0177.0.0.1/", "no host name"], ["http://127.1/", "no host name"], ["http://a@b.example/", "user name"],
    ["/threads", "a path"], ["ftp://a.example/", "http"], ["a.example", "http"], [`http://a.example/${"x".repeat(2100)}`, "at most 2048"], [7, "expected a string"]];
  for (const [url, words] of bad)
    for (const p of [`/threads/${thread_id}/runs`, "/runs/wait", "/runs/stream"]) {
      if (p.startsWith("/threads")) await call(strict, "POST", "/threads", { thread_id, if_exists: "do_nothing" });
      const a = await call(strict, "POST", p, { assistant_id: "agent", input: say("hi"), webhook: url });
      check(a.status === 422 && a.text.includes("webhook") && a.text.includes(words), `${p} ${String(url).slice(0, 40)}`, `${a.status} ${a.text.slice(0, 200)}`);
    }
  for (const [p, empty] of [[null, null], ["", ""]])
    equal((await call(strict, "POST", "/runs/wait", { assistant_id: "agent", input: say("hi"), webhook: p })).status, 200, `none: ${JSON.stringify(empty)}`);
  await strict.stop();
});

await scenario("settings that are wrong", async () => {
  for (const [args, words] of [[["--webhooks-allowed-ports=x"], "--webhooks-allowed-ports: expected"], [["--webhooks-payload-fields=nothing"], "--webhooks-payload-fields: expected"],
    [["--webhooks-headers={\"A\":\"${{ env.PATH }}\"}"], "LG_WEBHOOK_"], [["--webhooks-headers={\"A\":\"${{ env.LG_WEBHOOK_NONE }}\"}"], "$LG_WEBHOOK_NONE is not set"]]) {
    let said = "";
    try { await (await startServer({ mock, args })).stop(); } catch (e) { said = e.message; }
    check(said.includes(words), `refused at start: ${args}`, said);
  }
});

await scenario("a redirect is not followed", async () => {
  r.say = (q, a) => { if (q.url === "/away") { a.writeHead(307, { location: `${r.url}/inside` }); a.end(); } else a.end("ok"); };
  const before = await metric("cohort_webhooks_failed_total");
  await client.runs.wait(null, "agent", { input: say("hi"), webhook: `${r.url}/away` });
  await until(async () => (await metric("cohort_webhooks_failed_total")) > before, "the try to fail");
  equal(r.got.filter((g) => g.path === "/inside").length, 0, "nobody was asked there");
  r.say = (q, a) => a.end("ok");
});

await scenario("an answer without an end", async () => {
  const before = await metric("cohort_webhooks_delivered_total");
  let cut = false;
  r.say = (q, a) => {
    a.on("close", () => { cut = true; });
    a.writeHead(200);
    const more = () => { while (!cut && a.write("x".repeat(16384))); };
    a.on("drain", more);
    more();
  };
  await client.runs.wait(null, "agent", { input: say("hi"), webhook: `${r.url}/endless` });
  await until(() => cut, "the connection to be cut");
  await until(async () => (await metric("cohort_webhooks_delivered_total")) === before + 1, "it to count as delivered");
  r.say = (q, a) => a.end("ok");
});

await scenario("a slow receiver holds up only its own", async () => {
  const slow = await receiver(() => {});
  const most = 8 * processes(server);
  for (let i = 0; i < 24; i++) await client.runs.wait(null, "agent", { input: say("hi"), webhook: `${slow.url}/${i}` });
  await until(() => slow.got.length >= 8, "as many as one may have");
  await client.runs.wait(null, "agent", { input: say("hi"), webhook: `${r.url}/quick` });
  await hook("/quick");
  check(slow.got.length <= most, "no more than that of each node", slow.got.length);
});

await scenario("tries", async () => {
  // The clock is ahead of the last start each time: the pauses are over then.
  const dir = scratch(), pauses = [10, 60, 600, 2700];
  const sick = await receiver((q, a) => { a.writeHead(503); a.end(); });
  const opened = (ahead, args = []) => start([`--test-clock-ms=${ahead * 1000}`, "--test-hooks", ...args], { dir });
  let s = await opened(0), ahead = 0;
  const { thread_id } = await json(s, "POST", "/threads", {});
  const { run_id } = await json(s, "POST", `/threads/${thread_id}/runs`, { assistant_id: "agent", input: say("hi"), webhook: `${sick.url}/x?token=secret` });
  for (let n = 1; n <= 5; n++) {
    await until(() => sick.got.length === n, `try ${n}`);
    await until(() => s.log.includes(n < 5 ? `try=${n} status=503` : "given_up"), "its log line");
    await s.stop();
    if (n === 5) break;
    if (n === 1) {
      s = await opened(ahead + pauses[0] - 5);
      await ended(s, thread_id, run_id);
      equal(sick.got.length, 1, "not before its time");
      await s.stop();
    }
    ahead += pauses[n - 1] + 5;
    s = await opened(ahead);
  }
  check(ahead < 3600 && s.log.includes(`tries=5 status=503`), "five tries within an hour, and a log line", s.log.slice(-300));
  check(!s.log.includes("secret"), "without the query of the URL");
  equal(new Set(sick.got.map((g) => g.headers["x-cohort-delivery"])).size, 1, "all with one id");
  equal([sick.got[0].json.run_id, sick.got[4].json.values], [run_id, sick.got[0].json.values], "and one content");
  s = await opened(ahead + 7200);
  equal((await call(s, "GET", "/ok")).status, 200, "a start later");
  equal(sick.got.length, 5, "it is over");
  const gone = await receiver((q, a) => { a.writeHead(410); a.end(); });
  await json(s, "POST", "/runs/wait", { assistant_id: "agent", input: say("hi"), webhook: gone.url });
  await until(() => s.log.includes("tries=1 status=410"), "410 to end it at once");
  await s.stop();
});

await scenario("kill -9 between the end and the delivery", async () => {
  const dir = scratch(), deaf = await receiver(() => {});
  let s = await start([], { dir });
  const { thread_id } = await json(s, "POST", "/threads", {});
  const { run_id } = await json(s, "POST", `/threads/${thread_id}/runs`, { assistant_id: "agent", input: say("first"), webhook: deaf.url });
  await until(() => deaf.got.length === 1, "the first try");
  await json(s, "POST", `/threads/${thread_id}/runs/wait`, { assistant_id: "agent", input: say("second") });
  await s.stop("SIGKILL");
  deaf.say = (q, a) => a.end("ok");
  s = await start([], { dir });
  // Among nodes it may still be on its way for three times as long as a try takes (run/hook.c).
  await until(() => deaf.got.length === 2, "the second");
  equal(deaf.got.map((g) => g.headers["x-cohort-delivery"]), [run_id, run_id], "with the same id");
  check(!deaf.got[1].body.includes("second"), "with the values of the run's end, not of now");
  await until(async () => (await call(s, "GET", "/metrics")).text.includes("cohort_webhooks_delivered_total 1"), "it to be delivered");
  await s.stop();
  s = await start([], { dir });
  equal((await call(s, "GET", "/ok")).status, 200, "another start");
  equal(deaf.got.length, 2, "is not told again");
  // Its rules are stricter now.
  deaf.say = (q, a) => { a.writeHead(500); a.end(); };
  await json(s, "POST", "/runs/wait", { assistant_id: "agent", input: say("hi"), webhook: deaf.url });
  await until(() => s.log.includes("try=1 status=500"), "a try to fail");
  await s.stop();
  s = await startServer({ mock, dir, args: ["--test-hooks", "--test-clock-ms=20000"] });
  await until(() => s.log.includes("given_up") && s.log.includes("is a loopback address"), "what the rules forbid now to be given up");
  equal(deaf.got.length, 3, "it was not asked");
  await s.stop();
});

await scenario("a run that three crashes cut off", async () => {
  const dir = scratch();
  let s = await start([], { dir });
  const { thread_id } = await json(s, "POST", "/threads", {});
  const asked = async () => (await call(mock, "GET", "/stats")).json.requests;
  let before = await asked();
  const { run_id } = await json(s, "POST", `/threads/${thread_id}/runs`, { assistant_id: "agent", input: say("mock:stall"), webhook: `${r.url}/crash` });
  for (let n = 0; n < 3; n++) {
    await until(async () => await asked() > before, "the model to be asked");
    before = await asked();
    await s.stop("SIGKILL");
    s = await start([], { dir });
  }
  const g = await hook("/crash");
  equal([g.json.status, g.json.error.error], ["error", "RunInterrupted"], "told by the server that gave it up");
  await s.stop();
});

await scenario("a thread that goes takes its webhooks along", async () => {
  const dir = scratch(), deaf = await receiver((q, a) => { a.writeHead(500); a.end(); });
  let s = await start([], { dir });
  const { thread_id } = await json(s, "POST", "/threads", {});
  await json(s, "POST", `/threads/${thread_id}/runs/wait`, { assistant_id: "agent", input: say("hi"), webhook: deaf.url });
  await until(() => s.log.includes("try=1 status=500"), "a try to fail");
  equal((await call(s, "DELETE", `/threads/${thread_id}`)).status, 204, "deleted");
  await s.stop();
  s = await start(["--test-hooks", "--test-clock-ms=20000"], { dir });
  await json(s, "POST", "/runs/wait", { assistant_id: "agent", input: say("hi"), webhook: `${r.url}/later` });
  await hook("/later");
  equal(deaf.got.length, 1, "not tried again");
  await s.stop();
});

await scenario("headers and members", async () => {
  const s = await start(["--webhooks-headers={\"Authorization\":\"Bearer ${{ env.LG_WEBHOOK_T }}\",\"X-B\":\"c\"}", "--webhooks-payload-fields=run_id,status"], { env: { LG_WEBHOOK_T: "tok" } });
  await json(s, "POST", "/runs/wait", { assistant_id: "agent", input: say("hi"), webhook: `${r.url}/head` });
  const g = await hook("/head");
  equal([g.headers.authorization, g.headers["x-b"]], ["Bearer tok", "c"], "the operator's headers");
  equal(Object.keys(g.json).sort(), ["run_id", "status"], "only the members that are listed");
  const shown = await s.stop();
  equal(shown.code, 0, "it stops");
});

// The name passes, for a name may have any address; what it has when it is asked counts.
await scenario("a name that leads inside", async () => {
  const address = (await lookup(hostname()).catch(() => null))?.address;
  if (!address || !/^(10|127|172\.(1[6-9]|2\d|3[01])|192\.168)\./.test(address)) return console.log("skipped: this machine's name has no private address");
  const s = await startServer({ mock });
  const before = r.got.length;
  await json(s, "POST", "/runs/wait", { assistant_id: "agent", input: say("hi"), webhook: `http://${hostname()}:${r.port}/rebound` });
  await until(() => /hook failed .*has the (private|loopback) address/.test(s.log), "the try to be denied");
  equal(r.got.length, before, "nobody was asked");
  await s.stop();
});

await server.stop();
await mock.stop();
finish();
