// nodes.mjs - two servers on one PostgreSQL, without a bus: each takes over what the other
// loses, a run is done at one of them only, and requests for the other's runs are answered
// from the store.
import { execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { binary, call, check, equal, finish, freePort, parseEvents, repo, scenario, scratch, startMock, until } from "./lib.mjs";

const lease = 1000;
const folder = mkdtempSync("/tmp/cohort-nodes-");
chmodSync(folder, 0o755);
const pg = (verb) => execFileSync(path.join(repo, "tests", "pg", "server"), [verb, path.join(folder, "s")],
  { encoding: "utf8", timeout: 60000, env: { ...process.env, PG_ARGS: "-c fsync=off" }, stdio: ["ignore", "pipe", "inherit"] }).trim();
const url = process.env.COHORT_TEST_PG ?? pg("start");
process.on("exit", () => { if (!process.env.COHORT_TEST_PG) pg("kill"); rmSync(folder, { recursive: true, force: true }); });

let spaces = 0;
const schema = () => `${url}${url.includes("?") ? "&" : "?"}options=-csearch_path%3Dnodes${process.pid}_${++spaces}`;
const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "1"]);

const children = new Set();
process.on("exit", () => { for (const c of children) c.kill("SIGKILL"); });

async function node(store, name, args, model = mock) {
  const port = await freePort(), dir = scratch();
  const child = spawn(binary, ["serve", "--port", String(port), "--store", store, "--work-path", path.join(dir, "work.db"), "--shards", "2", "--cluster-name", name, ...args],
    { cwd: dir, stdio: ["ignore", "pipe", "pipe"], env: { PATH: process.env.PATH, OPENAI_BASE_URL: `${model.url}/v1`, OPENAI_API_KEY: "sk-test", MODEL_NAME: "openai:mock-gpt-4o" } });
  const s = { child, url: `http://127.0.0.1:${port}`, log: "", exit: null };
  for (const out of [child.stdout, child.stderr]) out.on("data", (d) => { s.log += d; });
  children.add(child);
  s.exited = new Promise((done) => child.on("exit", (code, signal) => { children.delete(child); done(s.exit = { code, signal }); }));
  s.stop = (signal) => { child.kill(signal); return s.exited; };
  await until(async () => {
    if (s.exit) throw new Error(`it ended: ${JSON.stringify(s.exit)}\n${s.log}`);
    try { return (await fetch(`${s.url}/ok`)).ok; } catch { return false; }
  }, `${name} to listen`);
  return s;
}

async function two({ args = ["--cluster-lease", String(lease)] } = {}) {
  const store = schema(), up = (name) => node(store, name, args);
  const a = await up("a");
  return { a, b: await up("b"), up };
}
const end = (...servers) => Promise.all(servers.map((s) => s.stop("SIGKILL")));
const thread = async (s) => (await call(s, "POST", "/threads", {})).json.thread_id;
const say = (content) => ({ assistant_id: "agent", input: { messages: [{ role: "user", content }] } });
const begin = async (s, t, content, more = {}) => (await call(s, "POST", `/threads/${t}/runs`, { ...say(content), ...more })).json;
const get = async (s, t, r) => (await call(s, "GET", `/threads/${t}/runs/${r}`)).json;
const shown = (s, t, r, status, what, ms) => until(async () => { const x = await get(s, t, r); return x?.status === status && x; }, what, ms);
const answers = async (s, t) => (await call(s, "GET", `/threads/${t}/state`)).json.values.messages.filter((m) => m.type === "ai").length;
// Runs under way for as long as it takes: the model has half an answer and stalls.  It does so
// for the first who asks only (x1), so nobody may go before it was asked.
const asked = async () => (await call(mock, "GET", "/stats")).json.requests;
async function stalled(watched, wanted) {
  const before = await asked();
  const runs = await Promise.all(wanted.map((w) => begin(...w)));
  for (const [i, r] of runs.entries())
    await until(async () => (await get(watched, wanted[i][1], r.run_id))?.status === "running", `run ${i} to begin`);
  await until(async () => await asked() >= before + runs.length, "the model to be asked");
  return runs;
}

await scenario("kill -9: the other server takes over", async () => {
  const { a, b } = await two();
  const threads = await Promise.all([...Array(20)].map(() => thread(a)));
  const runs = await stalled(b, threads.map((t, i) => [a, t, `kill ${i} mock:stallx1`]));
  const queued = await begin(a, threads[0], "behind it");
  await a.stop("SIGKILL");
  for (let i = 0; i < runs.length; i++) await shown(b, threads[i], runs[i].run_id, "success", "the run at the other server");
  await shown(b, threads[0], queued.run_id, "success", "the run behind it");
  equal(await Promise.all(threads.map((t) => answers(b, t))), threads.map((_, i) => i === 0 ? 2 : 1), "each has been answered once");
  check(/node_lost/.test(b.log) && /took_over/.test(b.log), "it says so", b.log);
  await end(b);
});

await scenario("who reads at the server that takes over gets each event once", async () => {
  const { a, b } = await two();
  const t = await thread(a);
  const [r] = await stalled(b, [[a, t, "read on mock:stall", { stream_resumable: true, stream_mode: ["messages-tuple", "updates"] }]]);
  const texts = Array.from({ length: 8 }, () => "");    // on both of its shards
  const readers = texts.map(async (_, i) => {
    const stream = await fetch(`${b.url}/threads/${t}/runs/${r.run_id}/stream`, { headers: { "last-event-id": "-1" } });
    for await (const chunk of stream.body) texts[i] += Buffer.from(chunk).toString();
  });
  await until(() => texts.every((x) => x.includes("event: messages")), "events of a's run at b");
  await a.stop("SIGKILL");
  await until(() => texts.every((x) => (x.match(/event: metadata/g) ?? []).length >= 2), "events of the second attempt");
  await call(b, "POST", `/threads/${t}/runs/${r.run_id}/cancel?wait=true`);
  await Promise.all(readers);
  for (const text of texts) {
    const ids = parseEvents(text).filter((e) => /^(metadata|messages|updates)$/.test(e.event)).map((e) => Number(e.id));
    check(ids.length > 10 && ids.every((id, i) => i === 0 || id > ids[i - 1]), "ids rise, none comes twice", ids);
    check(/event: end/.test(text), "and the end", text.slice(-300));
  }
  await end(b);
});

await scenario("a server that was killed and is started again does not wait for its old lease", async () => {
  const store = schema(), args = ["--cluster-lease", "30000"];
  const a = await node(store, "a", args);
  const t = await thread(a);
  const [r] = await stalled(a, [[a, t, "again mock:stallx1"]]);
  await a.stop("SIGKILL");
  const b = await node(store, "a", args);
  await shown(b, t, r.run_id, "success", "the run, after the start", 10000);
  await end(b);
});

await scenario("a server that stops leaves its runs at once", async () => {
  const { a, b } = await two({ args: ["--cluster-lease", "20000"] });
  const t = await thread(a);
  const [r] = await stalled(b, [[a, t, "leave mock:stallx1"]]);
  await a.stop("SIGTERM");
  await shown(b, t, r.run_id, "success", "the run at the other server");
  check(!/node_lost/.test(b.log), "without waiting for the end of its lease", b.log);
  await end(b);
});

await scenario("a server that is frozen for three leases writes nothing of its runs, and serves on", async () => {
  const { a, b } = await two();
  const t = await thread(a);
  const [r] = await stalled(b, [[a, t, "frozen mock:stallx1"]]);
  a.child.kill("SIGSTOP");
  await shown(b, t, r.run_id, "success", "the run at the other server");
  await new Promise((done) => setTimeout(done, 2 * lease));
  a.child.kill("SIGCONT");
  await until(() => (a.log.match(/cluster joined/g) ?? []).length === 2, "it to join again");
  check(/lease_lost/.test(a.log), "it lost its lease", a.log);
  equal((await get(a, t, r.run_id)).status, "success", "it reads what the other has done");
  const again = await begin(a, t, "and again");
  await shown(b, t, again.run_id, "success", "its next run");
  equal(await answers(a, t), 2, "each was answered once");
  await end(a, b);
});

if (!process.env.COHORT_TEST_PG) await scenario("PostgreSQL is killed, and is back after three leases", async () => {
  const { a, b } = await two();
  const threads = await Promise.all([...Array(8)].map((_, i) => thread(i % 2 ? a : b)));
  const runs = await stalled(b, threads.map((t, i) => [i % 2 ? a : b, t, `outage ${i} mock:stallx1`]));
  pg("kill");
  await until(() => /lease_lost/.test(a.log) && /lease_lost/.test(b.log), "both to stop their runs");
  check((await call(a, "POST", "/threads", {})).status === 503, "writes are refused with 503");
  await new Promise((done) => setTimeout(done, 2 * lease));
  pg("start");
  for (let i = 0; i < runs.length; i++) await shown(a, threads[i], runs[i].run_id, "success", `run ${i}`, 30000);
  equal(await Promise.all(threads.map((t) => answers(b, t))), threads.map(() => 1), "each has been answered once");
  await end(a, b);
});

// The lease would have lasted: what a run cannot write is taken up from what is stored.
if (!process.env.COHORT_TEST_PG) await scenario("PostgreSQL is away for less than a lease", async () => {
  const slow = await startMock(["--delay-ms", "3000"]);
  const a = await node(schema(), "a", ["--cluster-lease", "60000"], slow);
  const threads = await Promise.all([...Array(8)].map(() => thread(a)));
  const runs = await Promise.all(threads.map((t, i) => begin(a, t, `pause ${i}`)));
  await until(async () => (await call(slow, "GET", "/stats")).json.requests >= runs.length, "the model to be asked");
  pg("kill");
  await until(() => /lease_lost/.test(a.log), "it to give up its lease");
  pg("start");
  for (let i = 0; i < runs.length; i++) await shown(a, threads[i], runs[i].run_id, "success", `run ${i}`, 30000);
  equal(await Promise.all(threads.map((t) => answers(a, t))), threads.map(() => 1), "each has been answered once");
  equal(/StorageError/.test(a.log), false, "none has failed meanwhile");
  await end(a);
  await slow.stop();
});

await scenario("runs of the other server: queued, read, cancelled", async () => {
  const { a, b } = await two();
  const t = await thread(a);
  const [first] = await stalled(b, [[a, t, "foreign mock:stall", { stream_resumable: true, stream_mode: ["messages-tuple", "updates"] }]]);
  const second = await begin(b, t, "second");
  equal((await get(b, t, second.run_id)).status, "pending", "one that came to b waits for a's");
  equal((await call(b, "POST", `/threads/${t}/runs`, { ...say("no"), multitask_strategy: "reject" })).status, 409, "reject");
  const got = [], stream = await fetch(`${b.url}/threads/${t}/runs/${first.run_id}/stream`, { headers: { "last-event-id": "-1" } });
  const reading = (async () => { for await (const chunk of stream.body) got.push(Buffer.from(chunk).toString()); })();
  await until(() => got.join("").includes("event: messages"), "events of a's run at b");
  const cancelled = await call(b, "POST", `/threads/${t}/runs/${first.run_id}/cancel?wait=true`);
  check(cancelled.status < 300, "cancelled at b", cancelled);
  equal((await get(b, t, first.run_id)).status, "interrupted", "it is interrupted");
  await reading;
  await shown(b, t, second.run_id, "success", "the second, in its turn");
  equal((await call(b, "GET", `/threads/${t}/runs/${second.run_id}/join`)).status, 200, "joined at b");
  // One that displaces what runs at the other server.
  const [third] = await stalled(b, [[a, t, "third mock:stall"]]);
  const fourth = await begin(b, t, "fourth", { multitask_strategy: "interrupt" });
  await shown(b, t, fourth.run_id, "success", "it took the other's place");
  equal((await get(a, t, third.run_id)).status, "interrupted", "which is interrupted");
  const wait = await call(b, "POST", `/threads/${t}/runs/wait`, say("at rest"));
  check(wait.status === 200 && wait.json.messages.at(-1).type === "ai", "a thread at rest is anybody's", wait.text);
  await end(a, b);
});

// All that the servers ask PostgreSQL.
const queries = (store) => Number(execFileSync("psql", [store, "-Atc", "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"], { encoding: "utf8" }));

await scenario("many readers of the other server's run: it is asked about once for all", async () => {
  const readers = 200, store = schema(), args = ["--cluster-lease", String(lease)];
  const a = await node(store, "a", args), b = await node(store, "b", args);
  const t = await thread(a);
  const [r] = await stalled(b, [[a, t, "many mock:stall", { stream_resumable: true, stream_mode: ["messages-tuple", "updates"] }]]);
  const texts = [];
  const read = async (i) => {
    const s = await fetch(`${b.url}/threads/${t}/runs/${r.run_id}/stream?stream_mode=${i % 2 ? "updates" : "messages-tuple"}`, { headers: { "last-event-id": "-1" } });
    for await (const chunk of s.body) texts[i] = (texts[i] ?? "") + Buffer.from(chunk).toString();
  };
  const all = [...Array(readers)].map((_, i) => read(i));
  await until(() => texts.filter((x) => x?.includes("event: metadata")).length === readers, "all to read");
  const behind = await begin(a, t, "behind it");
  // PostgreSQL counts what a connection did up to ten seconds later, so the last window is of now.
  let asked;
  for (let i = 0; i < 3; i++) {
    const before = queries(store), since = Date.now(), beats = () => texts.map((x) => x.split(": heartbeat").length), first = beats();
    await until(() => beats().every((n, j) => n > first[j]), "a heartbeat for each", 30000);
    asked = (queries(store) - before) / ((Date.now() - since) / 1000);
  }
  await call(b, "POST", `/threads/${t}/runs/${r.run_id}/cancel?wait=true`);
  await Promise.all(all);
  // Each for itself asks every 1.6 s at least.
  check(asked < readers / 2, `asked ${asked.toFixed()} times a second for ${readers} readers`);
  check(texts.every((x, i) => i < 2 || x.split("\nid: ").length === texts[i % 2].split("\nid: ").length), "all of a mode have read the same");
  await shown(b, t, behind.run_id, "success", "the run behind it");
  await end(a, b);
});

await scenario("a thread that the other server deletes: its readers end", async () => {
  const { a, b } = await two();
  const t = await thread(a), stays = await thread(a);
  const ends = [];
  const sub = (id) => fetch(`${b.url}/threads/${id}/stream/events`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ channels: ["lifecycle"] }) });
  const open = (id, s) => {
    equal(s.status, 200, "a stream");
    return (async () => { for await (const _ of s.body) continue; ends.push(id); })().catch(() => {});
  };
  const streams = [];
  for (const id of [t, stays]) {
    streams.push(open(id, await fetch(`${b.url}/threads/${id}/stream`)));
    streams.push(open(id, await sub(id)));
  }
  check((await call(a, "DELETE", `/threads/${t}`)).status < 300, "deleted at a");
  await until(() => ends.length === 2, "both readers at b to end");
  equal(ends, [t, t], "those of the other thread stay");
  await end(a, b);
  await Promise.all(streams);
});

await scenario("a server of an older version than the tables is refused; those that run go on", async () => {
  const store = schema(), args = ["--cluster-lease", String(lease)];
  const format = (n) => execFileSync("psql", [store, "-Atqc", `UPDATE cohort_format SET version = ${n}`], { encoding: "utf8" });
  const a = await node(store, "a", args), t = await thread(a);
  const known = execFileSync("psql", [store, "-Atc", "SELECT version FROM cohort_format"], { encoding: "utf8" }).trim();
  format(99);                          // a newer one has joined, and has made its tables
  const refused = await node(store, "b", args).then(() => "it serves", (e) => e.message);
  check(refused.includes("it ended") && refused.includes(`newer Cohort (format 99; this one knows up to ${known})`), "it ends, and says both versions", refused);
  check(!/"code":0/.test(refused), "with a status that is no success", refused);
  const r = await begin(a, t, "goes on");
  await shown(a, t, r.run_id, "success", "a run of the one that was there");
  equal((await call(a, "GET", "/cluster")).json?.nodes?.length, 1, "the other has not joined");
  format(known);
  const b = await node(store, "b", args);
  equal((await get(b, t, r.run_id)).status, "success", "the right version joins");
  await end(a, b);
});

await scenario("crons, sleepers and webhooks: one of two does each", async () => {
  const calls = [];
  const port = await freePort();
  const receiver = http.createServer((req, res) => { let text = ""; req.on("data", (d) => { text += d; }); req.on("end", () => { calls.push(JSON.parse(text)); res.end("{}"); }); });
  await new Promise((done) => receiver.listen(port, "127.0.0.1", done));
  const { a, b } = await two({ args: ["--cluster-lease", String(lease), "--webhooks-disable-loopback=false"] });
  const t = await thread(a);
  const cron = await call(a, "POST", "/runs/crons", { ...say("tick"), schedule: "* * * * *" });
  check(cron.status === 200, "a cron", cron.text);
  const later = await Promise.all([...Array(10)].map(async (_, i) => {
    const s = i % 2 ? a : b, own = await thread(s);
    return [own, await begin(s, own, `later ${i}`, { after_seconds: 2, webhook: `http://127.0.0.1:${port}/` })];
  }));
  for (const [own, r] of later) await shown(b, own, r.run_id, "success", "a run that was held");
  await until(() => calls.length >= 10, "the webhooks");
  await call(a, "DELETE", `/runs/crons/${cron.json.cron_id}`);
  equal(new Set(calls.map((x) => x.run_id)).size, calls.length, "no webhook came twice");
  for (const [own, r] of later) equal(await answers(a, own), 1, `${r.run_id}: answered once`);
  check(!/cron_missed/.test(a.log + b.log), "nothing was missed", a.log + b.log);
  await end(a, b);
  receiver.close();
});

finish();
