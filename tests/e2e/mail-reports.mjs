// mail-reports.mjs - public bug reports of message brokers, event streams and inboxes, each as a
// small input of our own (docs/reports.md lists them with what came out).
import { readFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { call, check, equal, finish, raw, scenario, scratch, startServer, until } from "./lib.mjs";
import { matches } from "./core-lib.mjs";
import { ack, connect, contents, frame, pack, poll, register, send, stream, uuid } from "./mail-lib.mjs";

const dir = scratch(), socket = path.join(dir, "s");
const s = await startServer({ dir, args: ["--mail-socket", socket] });
const durable = { delivery: { durable: true } };
const rss = () => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${s.child.pid}/status`, "utf8"))[1]) / 1024;
const open = async () => Number(/^cohort_mail_connections_open (.*)$/m.exec((await call(s, "GET", "/metrics")).text)[1]);

// A client that asks for a mailbox and goes away while it waits.
async function leave(agent, how) {
  const c = net.connect(s.port, "127.0.0.1");
  c.on("error", () => {});
  c.write(`GET /agents/${agent}/mailbox?wait=60000 HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  await until(async () => await open() === 1, "the poll to wait");
  how(c);
  await until(async () => await open() === 0, "the poll to be over");
}

await scenario("Atmosphere/atmosphere 1820: the first message after a long poll that broke is lost", async () => {
  await register(s, "a");
  await leave("a", (c) => c.resetAndDestroy());
  for (let i = 0; i < 3; i++) await send(s, "a", i);
  equal(contents(await poll(s, "a")), [0, 1, 2], "none is");
});

await scenario("twilson63/node-cloudq 23: a message that came while a client was gone is in its hands for ever", async () => {
  await register(s, "b", { durable: true });
  await leave("b", (c) => c.destroy());
  await send(s, "b", "x", durable);
  equal(contents(await poll(s, "b", { wait: 1000 })), ["x"], "the next poll has it");
});

await scenario("kunchenguid/lavish-axi 267: a client that leaves at the moment of delivery takes messages with it", async () => {
  await register(s, "c", { durable: true });
  for (let i = 0; i < 40; i++) {
    const gone = new AbortController(), p = fetch(`${s.url}/agents/c/mailbox?wait=5000`, { signal: gone.signal }).catch(() => {});
    const sent = send(s, "c", i, durable);
    setTimeout(() => gone.abort(), i % 8);
    await Promise.all([p, sent]);
  }
  equal(contents(await poll(s, "c", { max: 100 })), Array.from({ length: 40 }, (_, i) => i), "durable ones are all there, in order");
});

await scenario("a client that leaves before its poll has begun takes nothing with it, nor the server", async () => {
  for (let k = 0; k < 8; k++) {
    await register(s, `e${k}`, { durable: true });
    for (let i = 0; i < 40; i++) {
      const gone = new AbortController(), p = fetch(`${s.url}/agents/e${k}/mailbox?wait=5000`, { signal: gone.signal }).catch(() => {});
      const sent = send(s, `e${k}`, i, durable);
      setTimeout(() => gone.abort(), i % 4);
      await Promise.all([p, sent]);
    }
    equal(contents(await poll(s, `e${k}`, { max: 100 })), Array.from({ length: 40 }, (_, i) => i), "all are there, in order");
  }
  equal(s.child.exitCode, null, "the server lives");
});

await scenario("dCache/dcache 5316, growthbook/growthbook-golang 51: what came between two streams is gone unless the client knows where it was", async () => {
  await register(s, "d", { durable: true });
  const one = await stream(s, "d");
  await send(s, "d", 0, durable);
  await one.next(1);
  await ack(s, "d", one.ids);
  one.close();
  await until(async () => await open() === 0, "the stream to be over");
  for (let i = 1; i < 4; i++) await send(s, "d", i, durable);
  const two = await stream(s, "d");
  await two.next(3);
  equal(contents(two.messages), [1, 2, 3], "the mailbox knows");
  await ack(s, "d", two.ids);
  two.close();
});

await scenario("r3labs/sse 61: a client that starts again gets everything from the beginning", async () => {
  await until(async () => await open() === 0, "the stream to be over");
  const st = await stream(s, "d");
  await send(s, "d", "new", durable);
  await st.next(1);
  equal(contents(st.messages), ["new"], "what was acked does not come again");
  st.close();
});

await scenario("OpenCTI-Platform/opencti 13908, elysiajs/elysia 1801: a slow reader of a stream fills the memory", async () => {
  await register(s, "slow", { mailbox_max: 1000 });
  const c = net.connect(s.port, "127.0.0.1");
  c.on("error", () => {});
  c.pause();
  c.write("GET /agents/slow/mailbox HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n");
  await until(async () => await open() >= 1, "the stream");
  const before = rss(), content = "x".repeat(100000);
  let refused = 0, sent = 0;
  for (let i = 0; refused < 3 && i < 1200; i++) {
    const r = await send(s, "slow", content);
    if (r.status === 429) refused++; else sent++;
  }
  equal(refused, 3, "the sender hears that the mailbox is full");
  check(sent >= 1000 && sent < 1100, "what waits is in the mailbox, and little of it on the way", sent);
  check(rss() - before < sent * 0.1 * 2.5, "and in memory once", `${(rss() - before).toFixed(0)} MB for ${sent} messages of 100 KB`);
  let got = 0;
  c.on("data", (d) => { got += d.toString("latin1").split("event: message").length - 1; });
  c.resume();
  await until(() => got >= sent - 1, "the rest to come when it reads again");
  check(true, "nothing is lost");
  c.destroy();
  await call(s, "DELETE", "/agents/slow");
});

await scenario("rabbitmq/rabbitmq-java-client 653, nats-io/nats-server 6114: what is given again comes in another order", async () => {
  await register(s, "e", { durable: true });
  for (let i = 0; i < 10; i++) await send(s, "e", i, durable);
  for (const max of [3, 5, 1, 10]) equal(contents(await poll(s, "e", { max })), Array.from({ length: max }, (_, i) => i), `a batch of ${max}, not acked`);
});

await scenario("nats-io/nats-streaming-server 732: acks out of order, then another reader", async () => {
  const got = await poll(s, "e", { max: 5 });
  equal((await ack(s, "e", [got[1], got[4], got[2]].map((m) => m.message_id))).json, { acked: 3 }, "2, 5 and 3");
  equal(contents(await poll(s, "e", { max: 3 })), [0, 3, 5], "1 and 4 come first, then 6");
});

await scenario("googleapis/google-cloud-go 8179: one bad message fails the whole batch, and nobody knows which", async () => {
  await register(s, "f");
  const m = (content) => ({ performative: "inform", receiver: "f", content });
  const r = await call(s, "POST", "/messages", { messages: [m(1), { ...m(2), reply_by: "never" }, m(3)] });
  matches([r.status, r.json.results], [200, [{ message_id: uuid }, { error: { code: "INVALID", detail: /reply_by/ } }, { message_id: uuid }]], "the bad one is named, the others are sent");
  equal(contents(await poll(s, "f")), [1, 3], "in order");
});

await scenario("dingodb/DingoCache 78, cmu-sei/Polar 244, ZerosAndOnesLLC/AiFw 315: memory is taken for the length that a frame claims", async () => {
  const before = rss(), list = [];
  for (let i = 0; i < 100; i++) { const c = await connect(socket, "binary"); c.write(Buffer.from([0, 0x1f, 0, 0, 1])); list.push(c); }
  await call(s, "GET", "/ok");
  check(rss() - before < 20, "100 frames of 2 MB that do not come take what has come", `${(rss() - before).toFixed(1)} MB`);
  const huge = await connect(socket, "binary");
  huge.write(Buffer.from([0xff, 0xff, 0xff, 0xff]));
  await huge.end();
  check(huge.messages[0]?.performative === "not-understood", "4 GB are refused at once", huge.messages);
  for (const c of list) c.close();
});

await scenario("anomalyco/opencode 24058: a client that ends its side of the connection stays for ever", async () => {
  await register(s, "g");
  await raw(s, "GET /agents/g/mailbox HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n", { half: true });
  await until(async () => await open() === 0, "the stream to be over");
  const c = await connect(socket);
  await c.ask({ op: "attach", agent: "g" });
  c.socket.end();
  await c.end();
  check(true, "both are over");
});

await scenario("element-hq/matrix-authentication-service 2424, neovim/neovim 37378, thin-edge/thin-edge.io 4264: a socket that is left over stops the next start", async () => {
  await s.stop("SIGKILL");
  const t = await startServer({ dir, port: s.port, args: ["--mail-socket", socket] });
  const c = await connect(socket);
  equal((await c.ask({ op: "register", name: "h", durable: false })).performative, "inform", "it is replaced");
  const other = await startServer({ args: ["--mail-socket", socket] }).then((x) => x.stop(), (e) => String(e));
  check(/another server listens there/.test(other), "but not that of a server that lives", other);
  equal((await c.ask({ op: "ack", up_to: "01890000-0000-7000-8000-000000000001" })).content, { acked: 0 }, "which goes on");
  c.close();
  await t.stop();
});
finish();
