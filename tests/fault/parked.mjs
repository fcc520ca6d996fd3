// parked.mjs [N] [timer|ask|both] - N runs that left memory: what they cost, how
// fast a server starts with them, and what it is like while all of them fall due
// within one minute.  Default: 10000 of each.
import { randomUUID } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { agentFolder } from "../e2e/core-lib.mjs";
import { call, check, equal, finish, scenario, scratch, startServer, until } from "../e2e/lib.mjs";

const n = Number(process.argv[2] ?? 10000), what = process.argv[3] ?? "both";
const day = 86400000, minute = 60000, agents = agentFolder(["sleep"]);
const keep = new http.Agent({ keepAlive: true, maxSockets: 64 });

const open = (dir, clock = 0) => startServer({ dir, args: ["--agents", agents, "--test-hooks", "--test-clock-ms", String(clock)] });
const metric = async (s, name) => Number(new RegExp(`^${name} (\\d+)`, "m").exec((await call(s, "GET", "/metrics")).text)[1]);

function memory(s) {
  const text = readFileSync(`/proc/${s.child.pid}/smaps_rollup`, "utf8");
  const kb = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)[1]);
  return { rss: kb("Rss") / 1024, dirty: kb("Private_Dirty") / 1024 };
}

function post(s, target, body) {
  return new Promise((resolve, reject) => {
    const q = http.request(`${s.url}${target}`, { method: "POST", agent: keep, headers: { "content-type": "application/json" } }, (r) => {
      r.resume();
      r.on("end", () => resolve(r.statusCode));
    });
    q.on("error", reject);
    q.end(JSON.stringify(body));
  });
}

// Creates all, 64 at a time; each(i) gives a body.
async function create(s, count, each) {
  const ids = [];
  let at = 0, bad = 0;
  await Promise.all(Array.from({ length: 64 }, async () => {
    while (at < count) {
      const i = at++, t = ids[i] = randomUUID();
      if (await post(s, `/threads/${t}/runs`, { if_not_exists: "create", ...each(i) }) !== 200) bad++;
    }
  }));
  equal(bad, 0, `${count} runs begin`);
  await until(async () => await metric(s, "cohort_runs_live") + await metric(s, "cohort_runs_pending") === 0, "nothing in memory", 120000);
  return ids;
}

const round = (x) => Math.round(x * 10) / 10;

async function measure(kind, each) {
  const dir = scratch();
  let s = await open(dir);
  await create(s, 200, each);                            // caches are warm
  const before = memory(s), began = Date.now();
  const ids = await create(s, n, each);
  const after = memory(s), took = (Date.now() - began) / 1000;
  await s.stop("SIGKILL");
  s = await open(dir);
  const size = statSync(path.join(dir, "cohort.db")).size / n;
  console.log(`${kind}: ${n} parked in ${round(took)} s; RSS ${round(before.rss)} -> ${round(after.rss)} MB, private dirty ${round(before.dirty)} -> ${round(after.dirty)} MB; restart after kill -9 ${Math.round(s.startMs)} ms, then RSS ${round(memory(s).rss)} MB; ${Math.round(size)} bytes of the file a run`);
  check(after.rss - before.rss < 20 * Math.max(1, n / 100000), `${kind}: RSS grows by less than 20 MB for 100,000`, [before, after]);
  check(s.startMs < 2000, `${kind}: restart in 2 s`, s.startMs);
  return { s, dir, ids };
}

if (what !== "ask") await scenario("timers", async () => {
  const t0 = Date.now();
  let i = 0;
  // all due within one minute, a day later
  const { s, dir, ids } = await measure("timer", () => ({ assistant_id: "nap", input: { ms: day + (i++ % n) * minute / n - (Date.now() - t0) } }));
  await s.stop();
  const up = await open(dir, t0 + day - Date.now() - 2000), began = Date.now(), times = [];
  let most = 0;
  for (let k = 0; ; k++) {
    const at = performance.now();
    equal((await call(up, "GET", `/threads/${ids[(k * 7919) % ids.length]}`)).status, 200, "a thread is read");
    times.push(performance.now() - at);
    if (k % 50 === 0) {
      most = Math.max(most, memory(up).rss);
      if ((await call(up, "POST", "/threads/count", { status: "busy" })).json === 0) break;
      if (Date.now() - began > 10 * minute) { check(false, "all end"); break; }
    }
    await new Promise((r) => setTimeout(r, 20));
  }
  times.sort((a, b) => a - b);
  console.log(`timer: all ended ${round((Date.now() - began) / 1000)} s after the start, due within ${minute / 1000} s; a GET meanwhile: p50 ${round(times[times.length >> 1])} ms, p99 ${round(times[Math.floor(times.length * 0.99)])} ms; RSS at most ${round(most)} MB`);
  const v = (await call(up, "GET", `/threads/${ids[0]}/state`)).json.values;
  equal(v.log, ["before", "slept", "after"], "each once");
  await up.stop();
});

if (what !== "timer") await scenario("questions", async () => {
  const { s } = await measure("ask", () => ({ assistant_id: "form", input: { type: "select" } }));
  equal((await call(s, "GET", "/interrupts?limit=10")).json.length, 10, "they wait");
  await s.stop();
});
finish();
