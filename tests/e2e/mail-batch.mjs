// mail-batch.mjs - letters are handed to a reader when there are batch_size of them, or when the
// oldest is batch_timeout old, whichever comes first.
import path from "node:path";
import { call, check, equal, finish, scenario, scratch, startServer, until } from "./lib.mjs";
import { ack, balanced, connect, contents, poll, register, send, stream } from "./mail-lib.mjs";

const s = await startServer({ dir: scratch() });
const get = (target) => call(s, "GET", target);
const since = (t) => performance.now() - t;

// Nothing has come to the stream although a letter sent later was taken by another reader.
await register(s, "probe");
async function nothing(st, n, words) {
  await send(s, "probe", "x");
  equal([contents(await poll(s, "probe", { wait: 10000 })), st.messages.length], [["x"], n], words);
}

await scenario("a batch is handed over when it is full", async () => {
  await register(s, "size");
  const st = await stream(s, "size", { query: "?batch_size=3&batch_timeout=60000" });
  await send(s, "size", 1);
  await send(s, "size", 2);
  await nothing(st, 0, "two of three wait");
  equal((await get("/agents/size")).json.books.pending, 2, "they are pending");
  balanced((await get("/agents/size")).json, "letters in a batch");
  await send(s, "size", 3);
  await st.next(3);
  await send(s, "size", 4);
  await nothing(st, 3, "the next one waits again");
  equal((await get("/agents/size")).json.books.delivered, 3, "a batch is delivered");
  await call(s, "POST", "/messages", { messages: [5, 6, 7, 8].map((content) => ({ performative: "inform", receiver: "size", content })) });
  await st.next(6);
  await nothing(st, 6, "batches have their size, whatever comes at once");
  equal(contents(st.messages), [1, 2, 3, 4, 5, 6], "in order");
  st.close();
  await until(async () => (await get("/agents/size")).json.waiting === 2, "what was not handed over to go back");
  equal(contents(await poll(s, "size")), [7, 8], "the next reader has it, in order");
});

await scenario("a batch is handed over when its oldest letter is old enough", async () => {
  await register(s, "old");
  const st = await stream(s, "old", { query: "?batch_size=100&batch_timeout=400" });
  const began = performance.now();
  await send(s, "old", 1);
  await send(s, "old", 2);
  await nothing(st, 0, "two wait for others");
  await st.next(1);
  const took = since(began);
  equal([contents(st.messages), took >= 390], [[1, 2], true], "both come when the first is old enough");
  st.close();
});

await scenario("what does not wait", async () => {
  await register(s, "now");
  const usual = await stream(s, "now"), began = performance.now();
  await send(s, "now", 1);
  await usual.next(1);
  check(since(began) < 5000, "without settings a letter comes at once");
  usual.close();
  await until(async () => (await get("/metrics")).text.includes("cohort_mail_connections_open 0"), "the stream to be left");
  await send(s, "now", 2);
  const st = await stream(s, "now", { query: "?batch_size=10&batch_timeout=60000" });
  await send(s, "now", 3, { delivery: { ttl: 30000 } });
  await st.next(2);
  equal(contents(st.messages), [2, 3], "a letter whose ttl would end takes those before it along");
  const large = "x".repeat(70000);
  await send(s, "now", large);
  await st.next(3);
  equal(st.messages[2].content.length, large.length, "nor one that fills the reader's room");
  st.close();
});

await scenario("a poll", async () => {
  await register(s, "polled");
  const waits = poll(s, "polled", { wait: 60000, query: "&batch_size=2&batch_timeout=60000" });
  await send(s, "polled", 1);
  await send(s, "polled", 2);
  equal(contents(await waits), [1, 2], "is answered with a batch");
  const most = poll(s, "polled", { wait: 60000, max: 1, query: "&batch_size=2&batch_timeout=60000" });
  await send(s, "polled", 3);
  equal(contents(await most), [3], "or with as many as it wants");
  const began = performance.now(), short = poll(s, "polled", { wait: 300, query: "&batch_size=2&batch_timeout=60000" });
  await send(s, "polled", 4);
  equal([contents(await short), since(began) >= 290], [[4], true], "or, when its time is over, with what there is");
});

await scenario("durable letters wait and are acked in batches", async () => {
  await register(s, "sure", { durable: true });
  const durable = { delivery: { durable: true } };
  const st = await stream(s, "sure", { query: "?batch_size=2&batch_timeout=60000" });
  await send(s, "sure", 1, durable);
  await nothing(st, 0, "one waits");
  st.close();
  const again = await stream(s, "sure", { query: "?batch_size=2&batch_timeout=60000" });
  await send(s, "sure", 2, durable);
  await again.next(2);
  equal(contents(again.messages), [1, 2], "after a stream that was left, in order");
  equal((await ack(s, "sure", again.ids)).json, { acked: 2 }, "acked");
  balanced((await get("/agents/sure")).json, "durable letters");
  equal((await get("/agents/sure")).json.books.delivered, 2, "and delivered");
  again.close();
});

await scenario("an agent stops while letters wait in a batch", async () => {
  await register(s, "stops");
  const st = await stream(s, "stops", { query: "?batch_size=9&batch_timeout=60000" });
  await send(s, "stops", 1);
  await nothing(st, 0, "one waits");
  equal((await call(s, "DELETE", "/agents/stops")).status, 204, "its agent stops");
  await until(() => st.ended, "the stream to end");
  equal(st.messages, [], "what was not handed over is not delivered");
});

await scenario("wrong values are refused by name", async () => {
  for (const [query, name] of [["batch_size=0", "batch_size"], ["batch_size=1001", "batch_size"], ["batch_size=x", "batch_size"],
    ["batch_timeout=-1", "batch_timeout"], ["batch_timeout=60001", "batch_timeout"], ["batch_timeout=1s", "batch_timeout"]]) {
    const r = await get(`/agents/probe/mailbox?${query}`);
    equal([r.status, r.json.detail.startsWith(`${name}: expected a whole number from `)], [422, true], query);
  }
});
await s.stop();

await scenario("settings are every reader's, the socket's too", async () => {
  const dir = scratch(), socket = path.join(dir, "mail.sock");
  const t = await startServer({ dir, args: ["--mail-socket", socket, "--mail-batch-size", "2", "--mail-batch-timeout", "60000"] });
  await register(t, "other");
  const st = await stream(t, "other"), c = await connect(socket);
  equal((await c.ask({ op: "register", name: "sock" })).performative, "inform", "registered");
  for (const name of ["sock", "other"]) await send(t, name, 1);
  equal([c.messages.length, st.messages.length], [0, 0], "one waits");
  for (const name of ["sock", "other"]) await send(t, name, 2);
  await c.next(2);
  await st.next(2);
  equal([contents(c.messages), contents(st.messages)], [[1, 2], [1, 2]], "two are a batch");
  const own = await stream(t, "other", { query: "?batch_timeout=0" });
  await send(t, "other", 3);
  await own.next(1);
  equal(contents(own.messages), [3], "a reader's own go before them");
  own.close();
  c.close();
  await t.stop();
});

finish();
