// worker-many.mjs [RUNS] [WORKERS] - RUNS runs of a graph that no worker serves, then
// WORKERS workers that ask for them.  Default: 20000 and 2000.
//
// Runs that wait take little memory, other agents go on, a restart keeps them; then each
// is taken once and ended, and workers that wait for work cost nothing.
import http from "node:http";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { agentFolder } from "../e2e/core-lib.mjs";
import { call, check, equal, finish, scenario, scratch, startServer, until } from "../e2e/lib.mjs";

const [runs, workers] = [20000, 2000].map((d, i) => Number(process.argv[2 + i] ?? d));
const agents = agentFolder(["crons"]), dir = scratch();
const open = () => startServer({ dir, args: ["--agents", agents] });
const keep = new http.Agent({ keepAlive: true, maxSockets: 64 }), wide = new http.Agent({ keepAlive: true, maxSockets: workers + 64 });
const rss = (s) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${s.child.pid}/status`, "utf8"))[1]) / 1024;
const ticks = (s) => { const f = readFileSync(`/proc/${s.child.pid}/stat`, "utf8").split(") ")[1].split(" "); return Number(f[11]) + Number(f[12]); };
const metric = async (s, name) => Number(new RegExp(`^${name} (\\d+)`, "m").exec((await call(s, "GET", "/metrics")).text)?.[1]);
const worst = (list, p) => list.sort((a, b) => a - b)[Math.floor((list.length - 1) * p)];

function post(s, target, body, { agent = keep, token } = {}) {
  return new Promise((resolve, reject) => {
    const q = http.request(`${s.url}${target}`, { method: "POST", agent, headers: { "content-type": "application/json", ...(token && { "x-task-token": token }) } }, (r) => {
      let text = "";
      r.setEncoding("utf8");
      r.on("data", (d) => { text += d; });
      r.on("end", () => { let json; try { json = JSON.parse(text); } catch { /* not JSON */ } resolve({ status: r.statusCode, json, text }); });
    });
    // A kept connection that the server had closed meanwhile.
    q.on("error", (e) => (q.reusedSocket && e.code === "ECONNRESET" ? resolve(post(s, target, body, { agent, token })) : reject(e)));
    q.end(JSON.stringify(body));
  });
}
const each = (n, width, fn) => { let i = 0; return Promise.all(Array.from({ length: Math.min(n, width) }, async () => { while (i < n) await fn(i++); })); };

const register = (s, agent) => post(s, "/workers", { name: "standin", build: "1", lang: "none", protocol: 1, slots: { run: 10, node: 1 }, runs: [], nodes: [], tools: [],
  graphs: [{ id: "far", schemas: { input: {}, output: {}, state: {}, config: {}, context: {} }, drawing: { nodes: [], edges: [] } }] }, { agent });

async function others(s, when, most = 1000) {
  const times = [];
  for (let i = 0; i < 100; i++) {
    const t = performance.now(), r = await call(s, "POST", "/runs/wait", { assistant_id: "note", input: { who: "x" } });
    times.push(performance.now() - t);
    if (r.status !== 200) check(false, `${when}: another agent runs`, r.text);
  }
  console.log(`${when}: a run of another agent: p50 ${worst(times, 0.5).toFixed(1)} ms, p99 ${worst(times, 0.99).toFixed(1)} ms`);
  check(worst(times, 0.99) < most, `${when}: other agents are not kept waiting`, worst(times, 0.99));
}

let s = await open();

await scenario(`${runs} runs without a worker`, async () => {
  const r = await register(s);
  equal(r.status, 200, "the graph is known");
  await post(s, `/workers/${r.json.worker_id}/leave`, {});
  await others(s, "before");
  const before = rss(s), threads = Array.from({ length: runs }, randomUUID), began = performance.now();
  let bad = 0;
  await each(runs, 64, async (i) => { const a = await post(s, `/threads/${threads[i]}/runs`, { assistant_id: "far", if_not_exists: "create", input: { n: i } }); if (a.status !== 200 && bad++ < 3) check(false, "a run waits", a.text); });
  equal(bad, 0, "all are made");
  const more = rss(s) - before;
  console.log(`${runs} runs that wait: made in ${((performance.now() - began) / 1000).toFixed(1)} s, ${more.toFixed(0)} MB more (${(more * 1024 / runs).toFixed(1)} KB each)`);
  check(more * 1024 / runs < 16, "a run that waits takes little", more);
  const [row] = (await call(s, "GET", `/threads/${threads[runs - 1]}/runs`)).json, one = (await call(s, "GET", `/threads/${row.thread_id}/runs/${row.run_id}`)).json;
  equal([row.status, one.status], ["pending", "pending"], "it is pending");
  await others(s, "beside them");
  const t = ticks(s), at = performance.now();
  await new Promise((go) => setTimeout(go, 3000));
  const share = (ticks(s) - t) * 10 / (performance.now() - at);
  check(share < 0.05, "waiting costs nothing", share);
  await s.stop("SIGKILL");
  const again = performance.now();
  s = await open();
  console.log(`listening again after ${(performance.now() - again).toFixed(0)} ms, ${rss(s).toFixed(0)} MB`);
  await others(s, "after a kill", 5000);            // beside runs that are taken up again
});

await scenario(`${workers} workers`, async () => {
  const before = rss(s), began = performance.now(), taken = new Set();
  let ended = 0, twice = 0, stop = false, polls = 0;
  const ids = [];
  await each(workers, 64, async () => { const r = await register(s); if (r.status !== 200) check(false, "a worker is registered", r.text); ids.push(r.json.worker_id); });
  const registered = performance.now();
  const lives = ids.map(async (id) => {
    while (!stop) {
      const r = await post(s, `/workers/${id}/poll`, { free: { run: 10, node: 1 } }, { agent: wide });
      polls++;
      if (r.status !== 200) { check(false, "a poll", r.text); return; }
      for (const task of r.json.tasks) {
        if (taken.has(task.run_id)) twice++;
        taken.add(task.run_id);
        post(s, `/tasks/${task.task_id}/end`, { status: "success" }, { token: task.token })
          .then((e) => { if (e.status === 200) ended++; else check(false, "an end", e.text); }, (e) => check(false, "an end", e));
      }
    }
  });
  await until(() => ended >= runs, "all runs to end", 300000);
  console.log(`${workers} workers registered in ${((registered - began) / 1000).toFixed(1)} s; ${runs} runs taken and ended in ${((performance.now() - registered) / 1000).toFixed(1)} s`);
  equal([taken.size, twice], [runs, 0], "each was taken once");
  await others(s, "beside workers");
  const t = ticks(s), at = performance.now(), asked = polls;
  await new Promise((go) => setTimeout(go, 5000));
  const share = (ticks(s) - t) * 10 / (performance.now() - at);
  console.log(`${workers} workers that wait: ${(rss(s) - before).toFixed(0)} MB more than before them, ${(share * 100).toFixed(1)} % of a core, ${polls - asked} polls in 5 s`);
  check(share < 0.2, "workers that wait cost little", share);
  stop = true;
  await s.stop();
  await Promise.allSettled(lives);
});

finish();
