// rejoin.mjs - a stream whose server dies, or is stopped, in the middle of a
// resumable run does not end like a whole one: the SDKs come back with
// Last-Event-ID, and one and the same `for await` goes on to the end.
import { connect } from "node:net";
import { Client as Client19 } from "sdk-1.9";
import { Client as Client115 } from "sdk-1.15";
import { Client as Client20 } from "sdk-2.0";
import { call, check, equal, finish, scenario, startMock, startServer, until } from "./lib.mjs";

const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "1"]);
const args = ["--shards", "2"];
const sdks = { "1.9.31": Client19, "1.15.0": Client115, "2.0.0": Client20 };

// The SDKs come back after a second or two, and give up if nobody listens by then.
const patient = (...request) => until(() => fetch(...request).catch((e) => { if (!/fetch failed/.test(e.message)) throw e; }), "the server to be back");

// Reads a run to its end; `half` is told when the model has stalled half-way.
async function follow(name, Client, server, half) {
  const client = new Client({ apiUrl: server.url, callerOptions: { maxRetries: 0, fetch: patient } });
  const t = await client.threads.create(), seen = [];
  for await (const c of client.runs.stream(t.thread_id, "agent", {
    // Stalls half-way for the first who asks; answers the next.
    input: { messages: [{ role: "user", content: `${name} mock:stallx1` }] },
    // It is the server that leaves, not the client: nothing is cancelled.
    streamMode: ["messages-tuple", "updates"], streamResumable: true, onDisconnect: "cancel" })) {
    seen.push(c);
    if (seen.filter((x) => x.event === "messages").length === 5) half();
  }
  return { thread: t.thread_id, seen };
}

async function look(what, server, { thread, seen }, moves) {
  // A frame without an id keeps the one before, as SSE has it: comments and `end`.
  const ids = seen.filter((c) => /^(metadata|messages|updates)$/.test(c.event)).map((c) => Number(c.id));
  check(ids.length > 10 && ids.every((id, i) => i === 0 || id > ids[i - 1]), `${what}: ids rise, none comes twice`, ids);
  equal([seen.at(-1).event, seen.at(-1).data.status], ["end", "success"], `${what}: the end is the run's`);
  // Nodes that stop one after the other give a run on to those that are still there, where
  // it may begin again without anybody seeing it.
  const attempts = seen.filter((c) => c.event === "metadata").map((c) => c.data.attempt);
  if (moves) check(attempts[0] === 1 && attempts.length > 1 && attempts.every((n, i) => i === 0 || n > attempts[i - 1]), `${what}: attempts rise`, attempts);
  else equal(attempts, [1, 2], `${what}: two attempts were seen`);
  const updates = seen.filter((c) => c.event === "updates");
  equal(updates.length, 1, `${what}: the node's update comes once`);
  const state = (await call(server, "GET", `/threads/${thread}/state`)).json.values.messages.at(-1);
  const whole = seen.slice(seen.findLastIndex((c) => c.event === "metadata")).filter((c) => c.event === "messages");
  equal([updates[0].data.agent.messages[0].content, whole.map((c) => c.data[0].content).join("")],
    [state.content, state.content], `${what}: nothing of the answer is lost`);
  // As accumulators of chunks do it: by id, and a message of type remove goes.
  const held = new Map();
  for (const [m] of seen.filter((c) => c.event === "messages").map((c) => c.data))
    if (m.type === "remove") held.delete(m.id);
    else held.set(m.id, (held.get(m.id) ?? "") + m.content);
  equal([...held.values()], [state.content], `${what}: the answer is shown once`);
}

async function cut(what, stop, moves = false) {
  const server = await startServer({ mock, args });
  let waiting = Object.keys(sdks).length;
  const halves = new Promise((resolve) => {
    const half = () => { if (--waiting === 0) resolve(); };
    server.readers = Object.entries(sdks).map(([name, Client]) => follow(`${what} ${name}`, Client, server, half).then((r) => [name, r]));
  });
  await halves;
  const later = await stop(server);
  const again = await startServer({ mock, args, dir: server.dir, port: server.port });
  for (const [name, r] of await Promise.all(server.readers)) await scenario(name, () => look(`${what}, sdk ${name}`, again, r, moves));
  await later?.(again);
  await again.stop();
}

await scenario("killed", () => cut("kill -9", async (server) => { await server.stop("SIGKILL"); }));

await scenario("stopped", () => cut("SIGTERM", async (server) => {
  // A client of HTTP/1.0 hears from the connection alone that this was not all.
  const t = (await call(server, "POST", "/threads", {})).json.thread_id;
  const body = JSON.stringify({ assistant_id: "agent", input: { messages: "old mock:stall" }, stream_mode: "messages-tuple" });
  const socket = connect(server.port, "127.0.0.1");
  let text = "", error;
  socket.on("data", (d) => { text += d; }).on("error", (e) => { error = e.code; });
  const closed = new Promise((r) => socket.on("close", r));
  socket.write(`POST /threads/${t}/runs/stream HTTP/1.0\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  await until(() => text.includes("event: messages"), "the old client's stream");
  // And who waits for the values: the body is cut, Location has them later.
  const w = (await call(server, "POST", "/threads", {})).json.thread_id;
  const wait = await fetch(`${server.url}/threads/${w}/runs/wait`, { method: "POST",
    body: JSON.stringify({ assistant_id: "agent", input: { messages: "wait mock:stallx1" }, on_disconnect: "cancel" }) });
  const whole = wait.text().then(() => true, () => false);
  await until(async () => (await call(server, "GET", `/threads/${w}`)).json.status === "busy", "the waiting run");
  await server.stop("SIGTERM");
  await closed;
  equal(await whole, false, "SIGTERM: a wait is cut off");
  equal([error, text.includes("event: end")], ["ECONNRESET", false], "SIGTERM: the connection is reset");
  return async (again) => {
    const values = await call(again, "GET", wait.headers.get("location"));
    equal(values.json.messages?.map((m) => m.type), ["human", "ai"], "SIGTERM: its Location has the values");
  };
}, Number(process.env.COHORT_TEST_CLUSTER ?? 0) > 1));

await mock.stop();
finish();
