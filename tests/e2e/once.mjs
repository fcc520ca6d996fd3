// once.mjs - requests that a client repeats: Idempotency-Key.
import { call, check, equal, finish, parseEvents, scenario, scratch, startMock, startServer } from "./lib.mjs";

const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "0"]);
const dir = scratch();
let server = await startServer({ mock, dir });
const post = (target, body, key, more = {}) => call(server, "POST", target, body, { "idempotency-key": key, ...more });
const replayed = (r) => r.headers.get("idempotency-replayed");
const hi = { assistant_id: "agent", input: { messages: [{ role: "user", content: "hi" }] } };
let thread, run;

await scenario("an object is made once", async () => {
  const made = await post("/threads", { metadata: { a: 1 } }, "k1");
  const again = await post("/threads", { metadata: { a: 1 } }, "k1");
  equal([made.status, replayed(made), again.status, replayed(again)], [200, null, 200, "true"], "thread twice");
  equal(again.json.thread_id, made.json.thread_id, "one thread");
  thread = made.json.thread_id;
  equal((await call(server, "POST", "/threads/count", { metadata: { a: 1 } })).json, 1, "there is one");
  await call(server, "PATCH", `/threads/${thread}`, { metadata: { later: 1 } });
  equal((await post("/threads", { metadata: { a: 1 } }, "k1")).json.metadata, { a: 1, later: 1 }, "it is shown as it is by then");
  check((await post("/threads", { metadata: { a: 1 } }, "k2")).json.thread_id !== thread, "another key, another thread");
  const bot = { graph_id: "agent", name: "once" };
  equal((await post("/assistants", bot, "k1")).json.assistant_id, (await post("/assistants", bot, "k1")).json.assistant_id, "a key is of one path");
  const copy = await post(`/threads/${thread}/copy`, undefined, "c");
  equal([copy.status, (await post(`/threads/${thread}/copy`, undefined, "c")).json.thread_id], [200, copy.json.thread_id], "one copy");
});

await scenario("a cron is made once", async () => {
  const cron = { assistant_id: "agent", schedule: "0 0 1 1 *", input: {} };
  for (const target of ["/runs/crons", `/threads/${thread}/runs/crons`]) {
    const made = await post(target, cron, "cron"), again = await post(target, cron, "cron");
    equal([made.status, replayed(made), again.status, replayed(again), again.json.cron_id], [200, null, 200, "true", made.json.cron_id], target);
    await call(server, "PATCH", `/runs/crons/${made.json.cron_id}`, { enabled: false });
    equal((await post(target, cron, "cron")).json.enabled, false, "it is shown as it is by then");
    await call(server, "DELETE", `/runs/crons/${made.json.cron_id}`);
    equal((await post(target, cron, "cron")).status, 404, "and not made again when it is gone");
  }
  equal((await call(server, "POST", "/runs/crons/count", {})).json, 0, "there are no others");
});

await scenario("a run is made once, and joined by who asks again", async () => {
  const first = await post(`/threads/${thread}/runs/wait`, hi, "r1");
  const second = await post(`/threads/${thread}/runs/wait`, hi, "r1");
  equal([first.status, second.status, second.json], [200, 200, first.json], "wait");
  const runs = (await call(server, "GET", `/threads/${thread}/runs`)).json;
  equal(runs.length, 1, "one run");
  run = runs[0].run_id;
  const made = await post(`/threads/${thread}/runs`, hi, "r2");
  const again = await post(`/threads/${thread}/runs`, hi, "r2");
  equal([again.json.run_id, replayed(again)], [made.json.run_id, "true"], "in the background");
  const body = { ...hi, stream_mode: ["values", "updates"], stream_resumable: true };
  const one = parseEvents((await post(`/threads/${thread}/runs/stream`, body, "r3")).text);
  const two = parseEvents((await post(`/threads/${thread}/runs/stream`, body, "r3")).text);
  check(one.length > 3, "a stream", one);
  equal(two.map((e) => [e.event, e.id]), one.map((e) => [e.event, e.id]), "and the same events again");
});

await scenario("while it is under way", async () => {
  const body = { ...hi, input: { messages: [{ role: "user", content: "mock:stall" }] } };
  const t = (await call(server, "POST", "/threads", {})).json.thread_id;
  const made = (await post(`/threads/${t}/runs`, body, "s")).json;
  const joined = post(`/threads/${t}/runs`, body, "s");
  equal((await joined).json.run_id, made.run_id, "the run is told");
  await call(server, "POST", `/threads/${t}/runs/${made.run_id}/cancel?wait=1`);
  const both = await Promise.all(Array.from({ length: 8 }, () => post("/threads", { metadata: { race: 1 } }, "race")));
  check(both.every((r) => r.status === 200 || (r.status === 409 && /under way/.test(r.json.detail))), "a race", both.map((r) => r.status));
  equal((await call(server, "POST", "/threads/count", { metadata: { race: 1 } })).json, 1, "makes one");
});

await scenario("what a key refuses", async () => {
  const other = await post("/threads", { metadata: { a: 2 } }, "k1");
  equal([other.status, /another body/.test(other.json.detail)], [422, true], "another body");
  for (const [key, words] of [["x".repeat(256), /255/], ["a b", /printable/]]) {
    const r = await post("/threads", {}, key);
    check(r.status === 422 && words.test(r.json.detail), `key ${key.slice(0, 8)}`, r);
  }
  for (const target of ["/runs", "/runs/wait", "/runs/stream"]) {
    const r = await post(target, hi, "n");
    check(r.status === 422 && /without a thread/.test(r.json.detail), target, r);
  }
  equal((await post("/runs/batch", [hi], "n")).status, 422, "a batch");
  const failed = await post("/threads", { thread_id: "x" }, "f");
  equal([failed.status, (await post("/threads", {}, "f")).status], [422, 200], "a request that failed leaves no key");
  await call(server, "POST", "/threads", { thread_id: "11111111-1111-4111-8111-111111111111" });
  const conflict = await post("/threads", { thread_id: "11111111-1111-4111-8111-111111111111" }, "g");
  equal([conflict.status, (await post("/threads", {}, "g")).status], [409, 200], "nor does a conflict");
});

await scenario("after kill -9, and a day later", async () => {
  await server.stop("SIGKILL");
  server = await startServer({ mock, dir });
  equal((await post("/threads", { metadata: { a: 1 } }, "k1")).json.thread_id, thread, "it is remembered");
  equal((await post(`/threads/${thread}/runs/wait`, hi, "none")).status, 200, "and others are not");
  equal((await call(server, "DELETE", `/threads/${thread}`)).status, 204, "it goes");
  equal((await post("/threads", { metadata: { a: 1 } }, "k1")).status, 404, "the object is gone: it is not made again");
});

finish();
