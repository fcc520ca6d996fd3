// cron-many.mjs [N] - N crons that fire at one instant: each fires once, and other
// requests are answered meanwhile.  Default: 20000, which is what an owner may have.
import http from "node:http";
import { agentFolder, json } from "../e2e/core-lib.mjs";
import { call, check, equal, finish, scenario, scratch, startServer, until } from "../e2e/lib.mjs";

const n = Number(process.argv[2] ?? 20000), agents = agentFolder(["crons"]), dir = scratch();
const at = Date.parse("2027-06-01T12:00:00Z"), keep = new http.Agent({ keepAlive: true, maxSockets: 64 });
const open = (now) => startServer({ dir, args: ["--agents", agents, "--test-hooks", "--test-clock-ms", String(Math.round(now - Date.now()))] });
const metric = async (s, name) => Number(new RegExp(`^${name} (\\d+)`, "m").exec((await call(s, "GET", "/metrics")).text)[1]);

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

await scenario(`${n} at one instant`, async () => {
  let s = await open(at - 1800000), made = 0, bad = 0;
  await Promise.all(Array.from({ length: 64 }, async () => {
    while (made++ < n)
      if (await post(s, "/runs/crons", { schedule: "0 * * * *", assistant_id: "note", input: { who: "x" }, on_run_completed: "keep" }) !== 200) bad++;
  }));
  equal(bad, 0, "all are made");
  if (n === 20000) equal(await post(s, "/runs/crons", { schedule: "0 * * * *", assistant_id: "note", input: {} }), 429, "an owner has no more");
  await s.stop();
  s = await open(at - 2000);
  const began = Date.now(), times = [];
  await until(async () => {
    const t = performance.now();
    const r = await call(s, "POST", "/threads", { metadata: { mine: 1 } });
    times.push(performance.now() - t);
    if (r.status !== 200) check(false, "a thread is made meanwhile", r.text);
    return times.length % 20 === 0 && await metric(s, "cohort_runs_finished_total") >= n;
  }, "all runs to end", 300000);
  const took = (Date.now() - began - 2000) / 1000;
  const late = await json(s, "POST", "/runs/crons/search", { sort_by: "next_run_date", sort_order: "asc", limit: 1 });
  equal(late[0]?.next_run_date, "2027-06-01T13:00:00.000Z", "all have gone on");
  const r = await call(s, "POST", "/threads/search", { metadata: { graph_id: "note" }, limit: 1 });
  equal(Number(r.headers.get("x-pagination-total")), n, "each fired once");
  times.sort((a, b) => a - b);
  const p = (q) => Math.round(times[Math.floor(q * (times.length - 1))] * 10) / 10;
  console.log(`${n} crons: ${Math.round(took * 10) / 10} s to the end of their runs; a thread made meanwhile: p50 ${p(0.5)} ms, p99 ${p(0.99)} ms, worst ${p(1)} ms`);
  check(p(0.99) < 1000, "others are not kept waiting", p(0.99));
  await s.stop();
});

finish();
