// kill.mjs [ROUNDS] [FSYNC_DELAY_MS] - kill -9 at random moments under load.
//
// Each round a server is started on the same file, `bench flow` runs against
// it, and workers of our own note everything that was acknowledged.  After
// the kill: a restart in under a second, every acknowledged thing is there,
// no run stays `running`, and the threads go on.
import { spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { binary, call, check, equal, finish, freePort, scenario, scratch, startMock, startServer, until } from "../e2e/lib.mjs";

const rounds = Number(process.argv[2] ?? 100);
const delay = process.argv[3] ?? "0";
const dir = scratch(), port = await freePort();
const mock = await startMock(["--delay-ms", "5", "--stream-delay-ms", "1"]);
const args = ["--test-hooks", "--test-fsync-delay-ms", delay];
const hi = { assistant_id: "agent", input: { messages: [{ role: "user", content: "hi" }] } };
let restarts = [], acknowledged = 0;

async function json(server, method, target, body) {
  const r = await call(server, method, target, body);
  if (r.status >= 300) throw new Error(`${method} ${target}: ${r.status} ${r.text}`);
  return r.json;
}

// One worker: a life of threads, runs and items until the server dies.
async function work(server, n, log) {
  for (let i = 0; ; i++) {
    const t = { runs: [], items: [] };
    t.id = (await json(server, "POST", "/threads", { metadata: { n, i } })).thread_id;
    log.push(t);
    const values = await json(server, "POST", `/threads/${t.id}/runs/wait`, hi);
    t.messages = values.messages.map((m) => m.id);
    const key = `${t.id}`;
    const put = await call(server, "PUT", "/store/items", { namespace: ["kill", String(n)], key, value: { i } });
    if (put.status === 204) t.items.push([n, key, i]);
    const run = await json(server, "POST", `/threads/${t.id}/runs`, hi);
    t.runs.push(run.run_id);
    const streamed = await call(server, "POST", `/threads/${t.id}/runs/stream`, { ...hi, stream_mode: "messages-tuple" });
    if (streamed.text.includes("event: messages")) t.streamed = (streamed.headers.get("content-location") ?? "").split("/").pop();
  }
}

async function verify(server, log) {
  for (const t of log) {
    acknowledged++;
    const got = await call(server, "GET", `/threads/${t.id}`);
    if (!check(got.status === 200, `thread ${t.id} is there`, got.text)) continue;
    await until(async () => (await json(server, "GET", `/threads/${t.id}/runs`)).every((r) => !["running", "pending"].includes(r.status)), `runs of ${t.id} to end`);
    const runs = await json(server, "GET", `/threads/${t.id}/runs`);
    for (const id of t.runs) check(runs.some((r) => r.run_id === id), `run ${id} is there`);
    check(runs.every((r) => r.status === "success"), `runs of ${t.id} ended well`, runs.map((r) => r.status));
    if (t.messages) {
      const ids = (await json(server, "GET", `/threads/${t.id}/state`)).values.messages.map((m) => m.id);
      check(t.messages.every((id, i) => ids[i] === id), `messages of ${t.id} are there, in order`, { ids, was: t.messages });
      check(new Set(ids).size === ids.length, `no message twice in ${t.id}`, ids);
    }
    for (const [n, key, i] of t.items) equal((await json(server, "GET", `/store/items?namespace=kill.${n}&key=${key}`))?.value, { i }, `item ${key}`);
  }
  if (log.length > 0) {
    const values = await json(server, "POST", `/threads/${log[0].id}/runs/wait`, hi);
    check(values.messages?.at(-1).type === "ai", "a thread goes on after the kill", values);
  }
}

let log = [];
for (let round = 0; round < rounds; round++) {
  await scenario(`round ${round}`, async () => {
    const server = await startServer({ mock, dir, port, args });
    if (round > 0) restarts.push(server.startMs);
    check(server.startMs < 1000, `round ${round}: started in under 1 s`, server.startMs);
    await verify(server, log);
    log = [];
    const flow = spawn(binary, ["bench", "flow", "--url", server.url, "--vus", "5", "--duration", "10s", "--warmup", "0s"], { stdio: "ignore" });
    flow.on("exit", (code) => { if (server.exit === null) check(false, `round ${round}: bench flow ran`, code); });
    const workers = [0, 1, 2].map((n) => work(server, n, log).catch(() => {}));
    const at = Date.now() + randomInt(20, 600);
    await until(() => Date.now() >= at, "the moment");
    await server.stop("SIGKILL");
    await Promise.all(workers);
    flow.kill("SIGKILL");
  });
  if (round % 10 === 9) console.log(`round ${round + 1} of ${rounds}`);
}
await scenario("the last one", async () => {
  const server = await startServer({ mock, dir, port, args });
  await verify(server, log);
  await server.stop();
});
restarts.sort((a, b) => a - b);
console.log(`${rounds} kills, ${acknowledged} threads verified, restart ms: median ${Math.round(restarts[restarts.length >> 1])} max ${Math.round(restarts.at(-1))}`);
finish();
