// hostile.mjs - what searches that find nothing cost others: `node tests/bench/hostile.mjs
// [THREADS] [ROUNDS]`.  THREADS with a state each; 16 clients then search them for values
// that none has, as fast as they can, until each search is cut by its deadline.  Beside it
// 1,000 small requests a second (bench/scenarios/crud.yaml), with and without, in turns.
// The gate: the p99 of those moves by 1 ms at most.
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { binary, repo, scratch, startServer } from "../e2e/lib.mjs";

const threads = Number(process.argv[2] ?? 100000), rounds = Number(process.argv[3] ?? 5);
const server = await startServer({ args: ["--log-level", "error"] });
const post = (target, body) => fetch(server.url + target, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
const bench = (file, ...args) => new Promise((resolve) => execFile(binary, ["bench", "scenario", file, "--url", server.url, ...args], { maxBuffer: 64 << 20 }, (error, stdout) => {
  const line = stdout.split("\n").find((l) => l.startsWith("RESULT "));
  if (!line) throw new Error(stdout);
  resolve(JSON.parse(line.slice(7)));
}));

const body = { metadata: { graph_id: "agent" }, supersteps: [{ updates: [{ as_node: "__input__", values: { messages: [{ role: "user", content: "hello" }] } }] }] };
let left = threads;
await Promise.all(Array.from({ length: 64 }, async () => {
  while (left-- > 0) {
    const r = await post("/threads", body);
    if (r.status !== 200) throw new Error(`fill: ${r.status} ${await r.text()}`);
    await r.arrayBuffer();
  }
}));
const began = performance.now(), one = await post("/threads/search", { values: { nobody: "has it" } });
console.log(`${threads} threads; one search: ${one.status} after ${(performance.now() - began).toFixed(0)} ms`);

const seek = path.join(scratch(), "seek.yaml");
writeFileSync(seek, `name: seek
phases: [{users: 16, for: 7s}]
sequences: [{name: seek, steps: [{name: seek, request: {path: /threads/search, body: {values: {nobody: "has it"}}}, expect: [200, 504, 503]}]}]
`);
const crud = path.join(repo, "bench", "scenarios", "crud.yaml");
const p99 = { alone: [], beside: [] }, p50 = { alone: [], beside: [] };
let searches = 0;
for (let i = 0; i < rounds; i++) {
  for (const kind of ["alone", "beside"]) {
    const other = kind === "beside" ? bench(seek) : null;
    const r = await bench(crud);
    if (r.http_errors > 0 || r.arrivals_missed > 0) console.log(`${kind}: ${r.http_errors} errors, ${r.arrivals_missed} missed`);
    p99[kind].push(r.http_req_duration_p99_ms);
    p50[kind].push(r.http_req_duration_p50_ms);
    if (other) searches += (await other).http_reqs;
  }
}
const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];
const [a, b] = [median(p99.alone), median(p99.beside)];
console.log(`1,000 requests a second: p50 ${median(p50.alone).toFixed(2)} ms alone, ${median(p50.beside).toFixed(2)} beside; p99 ${a.toFixed(2)}, ${b.toFixed(2)} (${p99.alone.map((x) => x.toFixed(1))}; ${p99.beside.map((x) => x.toFixed(1))}); ${searches} searches`);
console.log(`${b - a <= 1 ? "ok    " : "MISSED"} p99 moves by ${(b - a).toFixed(2)} ms (gate 1 ms)`);
await server.stop();
