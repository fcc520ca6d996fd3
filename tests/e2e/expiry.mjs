// expiry.mjs - a stream ends when its reader's token does, by a reset: whoever
// has a new token goes on, anybody else hears 401; the run itself goes on.
import { createHmac } from "node:crypto";
import { Client } from "sdk-1.15";
import { call, check, equal, finish, scenario, startMock, startServer, until } from "./lib.mjs";

const secret = "0123456789abcdef0123456789abcdef", skew = 30;
const part = (x) => Buffer.from(JSON.stringify(x)).toString("base64url");

function token(seconds) {
  const text = `${part({ alg: "HS256" })}.${part({ sub: "ann", exp: Math.floor(Date.now() / 1000) + seconds })}`;
  return { authorization: `Bearer ${text}.${createHmac("sha256", secret).update(text).digest("base64url")}` };
}

const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "0"]);
const server = await startServer({ mock, args: ["--jwt-secret", secret] });
const lasting = token(3600);

// Reads until the connection ends; how it did.
async function read(path, init, open = () => {}) {
  const r = await fetch(server.url + path, init);
  open();
  let text = "", how = "closed";
  try { for await (const d of r.body) text += Buffer.from(d).toString(); } catch { how = "reset"; }
  return { status: r.status, text, how, location: r.headers.get("location") };
}

const opened = (path, init) => new Promise((open) => { const whole = read(path, init, () => open({ whole })); });

await scenario("a run's stream", async () => {
  const thread = (await call(server, "POST", "/threads", {}, lasting)).json.thread_id;
  const body = JSON.stringify({ assistant_id: "agent", input: { messages: "mock:stall" }, stream_mode: "messages-tuple", stream_resumable: true, on_disconnect: "cancel" });
  const began = Date.now(), short = token(2 - skew);
  const r = await read(`/threads/${thread}/runs/stream`, { method: "POST", body, headers: short });
  equal([r.status, r.how], [200, "reset"], "the stream is reset");
  check(r.text.includes("event: messages") && !r.text.includes("event: end"), "in the middle of its run", r.text.slice(-200));
  check(Date.now() - began < 30000, "when the token ends", Date.now() - began);
  equal((await call(server, "GET", r.location, undefined, short)).status, 401, "the old token opens nothing");
  equal((await call(server, "GET", `/threads/${thread}`, undefined, lasting)).json.status, "busy", "the run goes on");
  const id = r.text.match(/\nid: (\d+)/g).at(-1).slice(5);
  const rest = new Client({ apiUrl: server.url, defaultHeaders: lasting }).runs.joinStream(thread, r.location.split("/")[4], { lastEventId: id });
  const next = rest.next();
  equal((await call(server, "POST", `${r.location.replace("/stream", "")}/cancel?wait=1`, {}, lasting)).status, 204, "it can be cancelled");
  const seen = [(await next).value];
  for await (const c of rest) seen.push(c);
  equal(seen.filter((c) => c.event === "end").map((c) => c.data.status), ["interrupted"], "and a new token hears the rest");
});

await scenario("a thread's stream", async () => {
  const thread = (await call(server, "POST", "/threads", {}, lasting)).json.thread_id;
  const run = () => call(server, "POST", `/threads/${thread}/runs/wait`, { assistant_id: "agent", input: { messages: "hi" } }, lasting);
  const short = token(3 - skew), first = await opened(`/threads/${thread}/stream?stream_mode=lifecycle`, { headers: short });
  await run();
  const r = await first.whole;
  equal([r.status, r.how, r.location], [200, "reset", `/threads/${thread}/stream?stream_mode=lifecycle`], "the stream is reset");
  check(r.text.includes("event: end"), "what came before was heard", r.text);
  equal((await call(server, "GET", r.location, undefined, short)).status, 401, "the old token opens nothing");
  const rest = await opened(r.location, { headers: { ...token(4 - skew), "last-event-id": r.text.match(/\nid: (\S+)/g).at(-1).slice(5) } });
  const made = await run();
  equal([made.status, ((await rest.whole).text.match(/event: end/g) ?? []).length], [200, 1], "a new one hears what is new, and that alone");
});

await scenario("the tracker's events", async () => {
  const r = await read("/work/events", { headers: token(2 - skew) });
  equal([r.status, r.how], [200, "reset"], "the stream is reset");
});

await scenario("a token that lasts", async () => {
  const thread = (await call(server, "POST", "/threads", {}, lasting)).json.thread_id;
  const body = JSON.stringify({ assistant_id: "agent", input: { messages: "hi" }, stream_mode: "values" });
  const r = await read(`/threads/${thread}/runs/stream`, { method: "POST", body, headers: lasting });
  equal([r.status, r.how, r.text.includes("event: end")], [200, "closed", true], "ends with its run");
});

await server.stop();
await mock.stop();
finish();
