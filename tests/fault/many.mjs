// many.mjs [N] - N of what waits without a client or without an end: idempotency keys,
// runs held for an hour, webhooks whose receiver is dead, and streams of threads; and the
// deletion of an assistant with N runs under way.  Default: 20000.
//
// Of each: time, memory, and how long other clients wait meanwhile.  A limit answers 429,
// and what it refuses leaves nothing behind.
import { readFileSync, statSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { call, check, equal, finish, freePort, scenario, scratch, startServer, until } from "../e2e/lib.mjs";

const n = Number(process.argv[2] ?? 20000), dir = scratch();
const instrumented = ["ASAN_OPTIONS", "TSAN_OPTIONS"].some((k) => process.env[k]);
const keep = new http.Agent({ keepAlive: true, maxSockets: 64 });
const dead = `http://127.0.0.1:${await freePort()}/`;
const server = await startServer({ dir, args: ["--shards", "2", "--webhooks-disable-loopback=false"] });
const rss = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.child.pid}/status`, "utf8"))[1]) / 1024;
const file = () => ["", "-wal"].reduce((sum, x) => sum + (statSync(path.join(dir, `cohort.db${x}`), { throwIfNoEntry: false })?.size ?? 0), 0) / 1048576;
const metric = async (name) => Number(new RegExp(`^${name} (\\d+)`, "m").exec((await call(server, "GET", "/metrics")).text)[1]);
const cpu = () => { const s = readFileSync(`/proc/${server.child.pid}/stat`, "utf8"), f = s.slice(s.lastIndexOf(")") + 2).split(" "); return (Number(f[11]) + Number(f[12])) / 100; };

function send(method, target, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const q = http.request(server.url + target, { method, agent: keep, headers: { "content-type": "application/json", ...headers } }, (r) => {
      let text = "";
      r.on("data", (d) => { text += d; });
      r.on("end", () => resolve({ status: r.statusCode, headers: r.headers, text }));
    });
    q.on("error", reject);
    q.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

async function times(fn) {
  let next = 0;
  const seen = new Map();
  await Promise.all(Array.from({ length: 64 }, async () => {
    while (next < n) {
      const r = await fn(next++);
      seen.set(r.status, (seen.get(r.status) ?? 0) + 1);
    }
  }));
  return seen;
}

// Runs fn; meanwhile another client makes threads and notes how long each took.
async function measured(what, fn) {
  const memory = rss(), used = cpu(), began = Date.now(), waits = [];
  let over = false;
  const other = (async () => {
    while (!over) {
      const t = performance.now(), r = await call(server, "POST", "/threads", {});
      waits.push(performance.now() - t);
      if (r.status !== 200) check(false, `${what}: another client is served`, r.text);
      await new Promise((f) => setTimeout(f, 5));
    }
  })();
  await fn();
  over = true;
  await other;
  waits.sort((a, b) => a - b);
  const worst = waits.at(-1);
  console.log(`${what}: ${((Date.now() - began) / 1000).toFixed(1)} s, ${(cpu() - used).toFixed(1)} s of CPU, ${memory.toFixed(0)} -> ${rss().toFixed(0)} MB, file ${file().toFixed(0)} MB; others waited ${waits[waits.length >> 1].toFixed(0)} ms, at most ${worst.toFixed(0)} ms`);
  if (!instrumented) check(worst < 2000, `${what}: others are served meanwhile`, worst);
  return rss() - memory;
}

await scenario("keys", async () => {
  const ids = [];
  const make = async (i) => { const r = await send("POST", "/threads", { metadata: { i } }, { "idempotency-key": `k${i}` }); ids[i] ??= r.text.slice(0, 60); if (ids[i] !== r.text.slice(0, 60)) check(false, "a key stands for one thread", [ids[i], r.text]); return r; };
  const grown = await measured(`${n} keys`, async () => equal([...await times(make)], [[200, n]], "made"));
  await measured(`${n} keys again`, async () => equal([...await times(make)], [[200, n]], "told again"));
  if (!instrumented) check(grown < 40, "keys are in no memory", grown);
});

const assistant = JSON.parse((await send("POST", "/assistants", { graph_id: "agent" })).text).assistant_id;
await scenario("held runs", async () => {
  const body = { assistant_id: assistant, input: { messages: [{ role: "user", content: "hi" }] }, after_seconds: 3600, webhook: dead };
  const grown = await measured(`${n} held runs`, async () => equal([...await times(() => send("POST", "/runs", body))], [[200, n]], "held"));
  console.log(`  ${(grown * 1024 / n).toFixed(2)} KB each`);
});

await scenario("an assistant with runs goes", async () => {
  await measured(`deletion with ${n} runs`, async () => equal((await send("DELETE", `/assistants/${assistant}`)).status, 200, "deleted"));
  equal((await send("POST", "/runs/cancel", { status: "all" })).status, 404, "no run is under way");
});

await scenario("a dead receiver", async () => {
  await measured("webhooks, 10 s", () => new Promise((f) => setTimeout(f, 10000)));
  check(await metric("cohort_webhooks_failed_total") > 0, "it was tried");
  equal(await metric("cohort_webhooks_delivered_total"), 0, "and is dead");
});

await scenario("streams of threads", async () => {
  const threads = [], open = [];
  let served = 0;
  for (let i = 0; i < n / 80; i++) threads.push(JSON.parse((await send("POST", "/threads", {})).text).thread_id);
  const listen = (i) => new Promise((resolve) => {
    const q = http.get(`${server.url}/threads/${threads[i % threads.length]}/stream`, { agent: false }, (r) => { if (r.statusCode === 200) served++; r.on("error", () => {}); r.resume(); resolve({ status: r.statusCode }); });
    q.on("error", () => resolve({ status: 0 }));
    open.push(q);
  });
  let seen;
  const grown = await measured(`${n} streams`, async () => { seen = await times(listen); });
  console.log(`  ${JSON.stringify([...seen])}; ${(grown * 1024 / served).toFixed(1)} KB each that was served`);
  check(served > 0 && [...seen.keys()].every((s) => [200, 429, 503, 0].includes(s)), "a stream, or a limit", [...seen]);
  const before = rss();
  for (const q of open.splice(0)) q.destroy();
  await until(async () => (await call(server, "GET", "/ok")).status === 200, "room for others");
  await times(listen);
  console.log(`  ${before.toFixed(0)} -> ${rss().toFixed(0)} MB with as many once more`);
  if (!instrumented) check(rss() < before * 1.15, "places are used again", [before, rss()]);
  for (const q of open) q.destroy();
  const again = await call(server, "GET", `/threads/${threads[0]}`);
  equal(again.status, 200, "the threads are there");
});

equal((await server.stop()).code, 0, "it ends well");
finish();
