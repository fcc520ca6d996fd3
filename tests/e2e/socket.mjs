// socket.mjs - the thread protocol over WebSockets: both dialects by hand and with the
// SDKs, the official server's session (transcript 19), what closes a socket and with
// which code, whose a socket is, slow clients, and servers that stop or are killed.
import { createHash, createHmac } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { Client as Client19 } from "sdk-1.9";
import { Client as Client115 } from "sdk-1.15";
import { call, check, equal, finish, raw, scenario, scratch, startMock, startServer, until } from "./lib.mjs";
import { agentFolder, hex32, matches, uuid4 } from "./core-lib.mjs";
import { dial, frame, rawSocket, WebSocket } from "./socket-lib.mjs";

const script = path.join(scratch(), "script.json");
writeFileSync(script, JSON.stringify({ default: { reply: "Hello you." } }));
const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "0", "--script", script]);
const agents = agentFolder(["", "transcripts"]);
writeFileSync(path.join(agents, "flood.yaml"), `id: flood
state: {text: {}, ms: {}}
nodes:
  pour: {do: [${Array.from({ length: 500 }, (_, i) => `{emit: {data: {i: ${i}, text: text}}}`).join(", ")}]}
  rest: {do: [{wait: {ms: ms}}]}
edges: [[START, pour], [pour, rest], [rest, END]]
`);
const start = (more = {}) => startServer({ mock, ...more, args: ["--agents", agents, "--shards", "2", ...(more.args ?? [])] });
const server = await start();
const uuid = () => crypto.randomUUID();
const say = (content, id = uuid()) => ({ messages: [{ type: "human", content, id }] });
const all = ["values", "updates", "messages", "tools", "lifecycle", "input", "checkpoints", "tasks", "custom"];
const kind = (e) => `${e.method}${e.params.data?.event ? `/${e.params.data.event}` : ""}`;
const ids = (events) => events.map((e) => e.event_id);
const words = (events) => events.filter((e) => e.params.data?.delta?.type === "text-delta").map((e) => e.params.data.delta.text).join("");

// ---- the handshake -----------------------------------------------------------------------

await scenario("what is no handshake", async () => {
  const target = `/threads/${uuid()}/stream/events`;
  const plain = await call(server, "GET", target);
  equal([plain.status, plain.headers.get("upgrade"), plain.headers.get("sec-websocket-version")], [426, "websocket", "13"], "a plain GET is 426");
  check(/Upgrade: websocket/.test(plain.json.detail), "and says what is missing", plain.text);
  const good = { Upgrade: "websocket", Connection: "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==" };
  const rows = [
    [{ Upgrade: "h2c" }, 426, /Upgrade/], [{ Connection: "keep-alive" }, 400, /Connection/],
    [{ "Sec-WebSocket-Version": "8" }, 426, /Sec-WebSocket-Version/], [{ "Sec-WebSocket-Version": undefined }, 426, /Sec-WebSocket-Version/],
    [{ "Sec-WebSocket-Key": "short" }, 400, /Sec-WebSocket-Key/], [{ "Sec-WebSocket-Key": undefined }, 400, /Sec-WebSocket-Key/],
  ];
  for (const [change, status, names] of rows) {
    const head = Object.entries({ ...good, ...change }).filter(([, v]) => v !== undefined).map(([k, v]) => `${k}: ${v}\r\n`).join("");
    const got = await raw(server, `GET ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\n${head}\r\n`, { done: (x) => /"}$/.test(x) });
    check(got.startsWith(`HTTP/1.1 ${status} `) && names.test(got), `${JSON.stringify(change)} is ${status}`, got);
  }
  const s = await dial(server, uuid(), { protocols: ["one", "two"] });
  equal([s.w.protocol, s.w.extensions], ["one", ""], "a subprotocol is taken, no extension is");
  await s.close();
  equal((await (await dial(server, "nonsense")).end).code, 4422, "a thread that is no UUID: 4422");
  const r = await rawSocket(server, uuid());
  check(/^HTTP\/1.1 101 /.test(r.got) && /Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/.test(r.got), "101", String(r.got));
  r.socket.destroy();
});

// ---- dialects ------------------------------------------------------------------------------

await scenario("all in one socket, as the JavaScript SDK does", async () => {
  const thread = uuid(), s = await dial(server, thread);
  const asked = s.command("subscription.subscribe", { channels: all });
  const run = (await s.ok("run.start", { assistant_id: "agent", input: say("hi") })).run_id;
  const a = await asked;
  matches(a, { type: "success", id: 1, result: { subscription_id: uuid4, replayed_events: 0 }, meta: { thread_id: thread, applied_through_seq: 0 } }, "the subscription's answer");
  equal(s.frames[0], a, "is the first of all");
  await s.until("completed", run);
  equal([kind(s.events[0]), kind(s.events.at(-1))], ["lifecycle/running", "lifecycle/completed"], "a whole run");
  equal(words(s.events), "Hello you.", "its words");
  equal(new Set(ids(s.events)).size, s.events.length, "each event once");
  const state = await s.ok("state.get", { namespace: [] });
  equal(state.values.messages.length, 2, "other commands too");
  const seen = s.events.length, u = await s.ok("subscription.unsubscribe", { subscription_id: a.result.subscription_id });
  equal([Object.keys(u), (await s.command("subscription.unsubscribe", { subscription_id: a.result.subscription_id })).error], [["applied"], "no_such_subscription"], "unsubscribed, once");
  await s.ok("run.start", { assistant_id: "agent", input: say("again") });
  await until(async () => (await s.ok("state.get", { namespace: [] })).values.messages?.length === 4, "the second run");
  equal(s.events.length, seen, "and nothing comes any more");
  equal((await s.close()).code, 1005, "closed without a code");
});

await scenario("one socket for events, commands over HTTP, as the Python SDK does", async () => {
  const thread = uuid(), s = await dial(server, thread);
  s.send({ id: 1, method: "subscription.subscribe", params: { channels: ["values", "lifecycle", "messages"] } });
  await until(() => s.answers.get(1), "the answer");
  const r = await call(server, "POST", `/threads/${thread}/commands`, { id: 7, method: "run.start", params: { assistant_id: "agent", input: say("hi") } });
  equal([r.status, r.json.type, r.json.id], [200, "success", 7], "run.start over HTTP");
  await s.until("completed", r.json.result.run_id);
  const since = s.events.at(-3).seq, again = await dial(server, thread);
  again.send({ id: 1, method: "subscription.subscribe", params: { channels: ["values", "lifecycle", "messages"], since } });
  await until(() => again.events.length === 2, "what is behind since");
  equal([again.answers.get(1).result.replayed_events, again.events], [2, s.events.slice(-2)], "the same events");
  equal(again.frames[0].id, 1, "behind the answer");
  await s.close();
  await again.close();
});

await scenario("transcript 19", async () => {
  const thread = uuid(), s = await dial(server, thread);
  const lines = readFileSync(path.join(import.meta.dirname, "transcripts", "19-protocol-v2-websocket.txt"), "utf8").split("\n");
  const sent = lines.filter((l) => l.startsWith("> ")).map((l) => l.slice(2));
  const wanted = lines.filter((l) => l.startsWith("< ")).map((l) => JSON.parse(l.slice(2)));
  for (const line of [sent[0], sent[1], "{", sent[2]]) s.send(line);
  await s.until("interrupted");
  const runs = [], here = (m) => m.type === "event" ? kind(m) : m.type === "error" ? "error" : `answer ${m.id}`;
  // The official server tells `started` and `completed` of nodes that only emit; tests
  // of those are protocol.mjs's.
  const official = wanted.filter((m) => !(m.method === "lifecycle" && m.params.namespace.length > 0));
  const ours = s.frames.filter((m) => !(m.method === "lifecycle" && m.params.namespace.length > 0));
  equal(ours.map(here).sort(), official.map(here).sort(), "the same messages");
  for (const m of official) {
    const o = ours.find((x) => here(x) === here(m) && !runs.includes(x));
    runs.push(o);
    const fields = (x) => Object.keys(x ?? {}).sort();
    const missing = (a, b) => fields(a).filter((k) => !(k in (b ?? {})));
    equal([missing(m, o), missing(m.params, o?.params), missing(m.params?.data, o?.params?.data), missing(m.result, o?.result)], [[], [], [], []], `${here(m)}: every field of it`);
    if (m.type === "error") equal([o.error, o.id], [m.error, m.id], "the error");
  }
  equal(ours.filter((m) => m.type === "event").map(kind), official.filter((m) => m.type === "event").map(kind), "events in the same order");
  matches(s.events.find((e) => e.method === "input.requested").params.data, { interrupt_id: hex32, payload: { question: "approve?", options: ["yes", "no"] } }, "the question");
  await s.close();
});

await scenario("several subscriptions", async () => {
  const thread = uuid(), s = await dial(server, thread);
  await s.ok("subscription.subscribe", { channels: ["lifecycle", "input"] });
  const b = await s.ok("subscription.subscribe", { channels: ["values", "lifecycle"] });
  const run = (await s.ok("run.start", { assistant_id: "agent", input: say("hi") })).run_id;
  await s.until("completed", run);
  await until(() => s.events.filter((e) => e.method === "values").length >= 2, "values");
  equal(s.events.map((e) => e.event_id).length, new Set(ids(s.events)).size, "an event that two want comes once");
  const before = s.events.length, c = await s.ok("subscription.subscribe", { channels: ["lifecycle"] });
  equal(c.replayed_events, 2, "a later one gets what was before, again");
  await until(() => s.events.length === before + 2, "both events");
  equal(s.events.slice(before).map(kind), ["lifecycle/running", "lifecycle/completed"], "in order");
  await s.ok("subscription.unsubscribe", { subscription_id: b.subscription_id });
  const next = s.events.length, second = (await s.ok("run.start", { assistant_id: "agent", input: say("more") })).run_id;
  await s.until("completed", second);
  equal(s.events.slice(next).map(kind), ["lifecycle/running", "lifecycle/completed"], "the two that are left");
  for (let n = 2; n < 64; n++) await s.ok("subscription.subscribe", { channels: ["custom:none"] });
  const more = await s.command("subscription.subscribe", { channels: ["values"] });
  check(more.type === "error" && /64/.test(more.message), "the 65th is refused", more);
  equal((await s.command("agent.getTree", {})).type, "success", "and the socket goes on");
  await s.close();
});

// ---- what is wrong -----------------------------------------------------------------------------

await scenario("a hundred bad frames", async () => {
  const thread = uuid(), s = await dial(server, thread);
  const values = ["", " ", "{", "[]", "null", "1", "\"x\"", "true", "{}", "{\"id\":1}", "{\"method\":\"run.start\"}", "{\"id\":1,}", "nonsense", "{\"id\":1}{\"id\":2}", "\u0000"];
  const badIds = [null, -1, 1.5, "1", true, [], {}, 1e300, 9007199254740992].map((id) => JSON.stringify({ id, method: "run.start" }));
  const badMethods = [null, 1, true, [], {}, ["run.start"]].map((method) => JSON.stringify({ id: 1, method }));
  const nested = ["[".repeat(3000), `{"id":1,"method":"run.start","params":${"[".repeat(2000)}${"]".repeat(2000)}}`];
  const bad = [...values, ...badIds, ...badMethods, ...nested];
  while (bad.length < 70) bad.push(`{"id":${bad.length},"method":`);
  for (const text of bad) s.send(text);
  await until(() => s.errors.length === bad.length || s.closed, "an answer to each");
  equal([s.errors.length, s.closed], [bad.length, null], "each is answered, none closes");
  check(s.errors.every((e) => e.type === "error" && e.id === null && e.error === "invalid_argument" && e.message.length > 10), "with id null", s.errors.find((e) => e.error !== "invalid_argument"));
  const named = [
    ["nothing.such", {}, "unknown_command"], ["run.Start", {}, "unknown_command"], ["", {}, "unknown_command"],
    ["run.start", {}, "invalid_argument"], ["run.start", [], "invalid_argument"], ["run.start", 7, "invalid_argument"], ["run.start", { assistant_id: 1 }, "invalid_argument"],
    ["run.start", { assistant_id: "no such" }, "invalid_argument no_such_run"], ["input.respond", {}, "invalid_argument no_such_run"], ["input.respond", { namespace: [], interrupt_id: "x", response: 1 }, "no_such_run"],
    ["subscription.subscribe", {}, "invalid_argument"], ["subscription.subscribe", { channels: [] }, "invalid_argument"], ["subscription.subscribe", { channels: ["nope"] }, "invalid_argument"],
    ["subscription.subscribe", { channels: "values" }, "invalid_argument"], ["subscription.subscribe", { channels: ["values"], namespaces: 1 }, "invalid_argument"], ["subscription.subscribe", { channels: ["values"], depth: -1 }, "invalid_argument"],
    ["subscription.subscribe", { channels: ["values"], since: "x" }, "invalid_argument"], ["subscription.subscribe", { channels: [1] }, "invalid_argument"], ["subscription.subscribe", { channels: ["custom:"] }, "invalid_argument"],
    ["subscription.unsubscribe", {}, "invalid_argument"], ["subscription.unsubscribe", { subscription_id: 1 }, "invalid_argument"], ["subscription.unsubscribe", { subscription_id: uuid() }, "no_such_subscription"],
    ["subscription.reconnect", { run_id: uuid() }, "not_supported"], ["state.get", { namespace: 1 }, "invalid_argument"], ["state.fork", {}, "invalid_argument no_such_run"], ["state.fork", { checkpoint_id: "x" }, "invalid_argument no_such_checkpoint no_such_run"],
    ["input.inject", {}, "invalid_argument no_such_run"], ["state.listCheckpoints", { limit: "x" }, "invalid_argument"], ["agent.getTree", { run_id: 1 }, "invalid_argument"], ["agent.getTree", { run_id: uuid() }, "no_such_run"],
  ];
  for (const [method, params, code] of named) {
    const a = await s.command(method, params);
    check(a.type === "error" && code.split(" ").includes(a.error), `${method} ${JSON.stringify(params)} is ${code}`, a);
  }
  check(bad.length + named.length >= 100, "a hundred");
  equal((await s.ok("run.start", { assistant_id: "agent", input: say("hi") })).run_id.length, 36, "and the socket is as good as new");
  await s.close();
});

await scenario("what closes a socket", async () => {
  const rows = [
    [frame(0x82, "binary"), 1003, "binary"], [frame(0x81, [0xff, 0xfe]), 1007, "text that is not UTF-8"], [frame(0x81, "{}", { masked: false }), 1002, "no mask"],
    [frame(0x91, "{}"), 1002, "a reserved bit"], [frame(0x83, ""), 1002, "a reserved opcode"], [frame(0x80, "x"), 1002, "a continuation of nothing"],
    [frame(0x09, "x"), 1002, "a ping in pieces"], [Buffer.from([0x81, 0xff, 0, 0, 0, 0, 1, 0, 0, 1, 1, 2, 3, 4, 0x41]), 1009, "16 MB and one byte"],
    [Buffer.concat(Array.from({ length: 120 }, () => frame(0x8a, ""))), 1008, "120 pongs in one second"],
    [frame(0x88, [0x03, 0xe8]), 1000, "a close"], [frame(0x88, [0x0f, 0xa1]), 4001, "a close with a code of its own"], [frame(0x88, [0x03, 0xed]), 1002, "a close with 1005"],
  ];
  for (const [bytes, code, what] of rows) {
    const r = await rawSocket(server, uuid());
    r.socket.write(bytes);
    equal(await r.code(), code, what);
  }
  const gone = await dial(server, uuid());
  gone.w.ping("hello");
  await new Promise((resolve) => gone.w.once("pong", (d) => { equal(String(d), "hello", "a ping is answered"); resolve(); }));
  await gone.close();
});

await scenario("a thread that is deleted", async () => {
  const thread = uuid(), s = await dial(server, thread);
  await s.ok("subscription.subscribe", { channels: all });
  const run = (await s.ok("run.start", { assistant_id: "agent", input: say("hi") })).run_id;
  await s.until("completed", run);
  equal((await call(server, "DELETE", `/threads/${thread}`)).status, 204, "deleted");
  equal((await s.end).code, 4404, "is 4404");
});

await scenario("a large input", async () => {
  const thread = uuid(), s = await dial(server, thread), text = "z".repeat(6 << 20);
  const run = await s.ok("run.start", { assistant_id: "flood", input: { text: 1, ms: 0, more: text } }).catch((e) => e);
  equal(run.run_id?.length, 36, "6 MB, as over HTTP");
  await s.close();
});

await scenario("many commands at once", async () => {
  const thread = uuid(), s = await dial(server, thread);
  await s.ok("run.start", { assistant_id: "agent", input: say("hi") });
  await until(async () => (await s.ok("state.get", { namespace: [] })).values.messages?.length === 2, "the run");
  const got = await Promise.all(Array.from({ length: 500 }, () => s.ok("state.get", { namespace: [] })));
  equal([got.length, got.every((x) => x.values.messages.length === 2)], [500, true], "each is answered");
  await s.close();
});

// ---- the SDKs ---------------------------------------------------------------------------------

for (const [name, Client] of [["1.15", Client115], ["1.9", Client19]])
  await scenario(`SDK ${name} over a WebSocket`, async () => {
    const open = [], webSocketFactory = (url) => { const w = new WebSocket(url); open.push(w); return w; };
    const client = new Client({ apiUrl: server.url, callerOptions: { maxRetries: 0 } });
    const stream = client.threads.stream(uuid(), { assistantId: "hitl", transport: "websocket", webSocketFactory });
    const seen = [], errors = [];
    stream.onEvent?.((e) => seen.push(e));
    await stream.run.start({ input: say("go") });
    await until(() => stream.interrupts.length > 0, "the question");
    equal(stream.interrupts[0].payload.question, "approve?", "an interrupt");
    // The connection is lost and comes back by itself.
    const had = open.length;
    open.at(-1).terminate();
    await until(() => open.length > had && open.at(-1).readyState === WebSocket.OPEN, "a new socket");
    const { interruptId, namespace } = stream.interrupts[0];
    await until(async () => { try { await stream.input.respond({ interrupt_id: interruptId, namespace, response: "yes" }); return true; } catch (e) { errors.push(e); return false; } }, "the answer is taken");
    const end = await until(async () => (await client.threads.getState(stream.threadId)).values.messages?.length === 3 && client.threads.getState(stream.threadId), "the end");
    equal(end.values.messages.at(-1).content, "done: \"yes\"", "the answer went in");
    if (stream.onEvent) {
      await until(() => seen.some((e) => e.method === "lifecycle" && e.params.namespace.length === 0 && e.params.data.event === "completed"), "completed is heard");
      equal(new Set(ids(seen)).size, seen.length, "no event twice");
    }
    await stream.close();
    await until(() => open.every((w) => w.readyState >= WebSocket.CLOSING), "closed");
    const chat = client.threads.stream(uuid(), { assistantId: "agent", transport: "websocket", webSocketFactory });
    const first = (async () => { for await (const m of chat.messages) return m.text; })();
    await chat.run.start({ input: say("hi") });
    equal(await first, "Hello you.", "messages by projection");
    await chat.close();
  });

// ---- who --------------------------------------------------------------------------------------

const secret = "0123456789abcdef0123456789abcdef";
const part = (x) => Buffer.from(JSON.stringify(x)).toString("base64url");
function token(sub, more = {}) {
  const text = `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub, ...more })}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}
const bearer = (sub, more) => ({ authorization: `Bearer ${token(sub, more)}` });
const keys = path.join(scratch(), "keys");
writeFileSync(keys, `${createHash("sha256").update("ck_carol").digest("hex")} carol\n`, { mode: 0o600 });
const guarded = await start({ args: ["--jwt-secret", secret, "--api-keys", keys] });

await scenario("credentials", async () => {
  const thread = uuid(), host = `127.0.0.1:${guarded.port}`;
  const code = async (options) => { const s = await dial(guarded, thread, options); return s.w.readyState === WebSocket.OPEN ? (await s.close(), "open") : (await s.end).code ?? s.closed.status; };
  equal(await code({}), 4401, "none: 4401");
  equal(await code({ headers: { authorization: "Bearer nonsense" } }), 4401, "a bad token: 4401");
  equal(await code({ headers: bearer("ann") }), "open", "a token");
  equal(await code({ headers: { "x-api-key": "ck_carol" } }), "open", "a key");
  equal(await code({ headers: { ...bearer("ann"), origin: "https://elsewhere.example" } }), "open", "a token of another page");
  const plain = await call(guarded, "GET", `/threads/${thread}/stream/events`);
  equal(plain.status, 401, "without a handshake 401 is a status");
  const session = await call(guarded, "POST", "/session", undefined, bearer("ann"));
  const cookie = session.headers.get("set-cookie").split(";")[0];
  equal(await code({ headers: { cookie, origin: `http://${host}` } }), "open", "a cookie, from our page");
  equal(await code({ headers: { cookie, "sec-fetch-site": "same-origin" } }), "open", "as Sec-Fetch-Site says");
  equal(await code({ headers: { cookie, origin: "https://elsewhere.example" } }), 4403, "from another: 4403");
  equal(await code({ headers: { cookie, origin: `http://${host}`, "sec-fetch-site": "cross-site" } }), 4403, "as Sec-Fetch-Site says");
  equal(await code({ headers: { cookie } }), 4403, "from nobody knows where");
  const ticket = async (id = thread) => (await call(guarded, "POST", "/session/ticket", { thread_id: id }, bearer("ann"))).json.ticket;
  const one = await ticket();
  const s = await dial(guarded, thread, { protocols: [`cohort.ticket.${one}`] });
  equal([s.w.readyState, s.w.protocol], [WebSocket.OPEN, `cohort.ticket.${one}`], "a ticket as a subprotocol, which is answered");
  await s.close();
  equal(await code({ protocols: [`cohort.ticket.${one}`] }), 4401, "once");
  const p = await dial(guarded, thread, { protocols: ["cohort.v2", `cohort.ticket.${await ticket()}`] });
  equal([p.w.readyState, p.w.protocol], [WebSocket.OPEN, "cohort.v2"], "beside another one");
  await p.close();
  equal(await code({ path: `/${await ticket()}` }), "open", "a ticket in the path");
  equal(await code({ path: `/${await ticket(uuid())}` }), 4401, "of another thread");
  equal(await code({ path: `/${"A".repeat(43)}` }), 4401, "of nobody");
});

await scenario("credentials that end", async () => {
  const soon = await dial(guarded, uuid(), { headers: bearer("ann", { exp: Math.floor(Date.now() / 1000) - 28 }) });
  await soon.ok("subscription.subscribe", { channels: all });
  equal((await soon.end).code, 4401, "a token that expires: 4401");
  const session = await call(guarded, "POST", "/session", undefined, bearer("ann"));
  const cookie = session.headers.get("set-cookie").split(";")[0];
  const s = await dial(guarded, uuid(), { headers: { cookie, "sec-fetch-site": "same-origin" } });
  await s.ok("subscription.subscribe", { channels: all });
  equal((await call(guarded, "DELETE", "/session", undefined, { cookie, "sec-fetch-site": "same-origin" })).status, 204, "signed out");
  equal((await s.end).code, 4401, "ends the session's sockets");
});

await scenario("two owners", async () => {
  const thread = uuid(), late = uuid(), unknown = uuid(), ann = await dial(guarded, thread, { headers: bearer("ann") });
  await ann.ok("subscription.subscribe", { channels: all });
  const run = (await ann.ok("run.start", { assistant_id: "hitl", input: say("ann's secret") })).run_id;
  await ann.until("interrupted", run);
  const interrupt = ann.events.find((e) => e.method === "input.requested").params.data.interrupt_id;
  const checkpoint = (await ann.ok("state.get", { namespace: [] })).checkpoint.id;
  const ask = async (id) => {
    const s = await dial(guarded, id, { headers: bearer("bob") });
    const commands = [
      ["subscription.subscribe", { channels: all }], ["state.get", { namespace: [] }], ["state.listCheckpoints", {}], ["agent.getTree", {}], ["agent.getTree", { run_id: run }],
      ["input.respond", { namespace: [], interrupt_id: interrupt, response: "yes" }], ["state.fork", { checkpoint_id: checkpoint }], ["input.inject", { namespace: [], message: { role: "user", content: "x" } }],
    ];
    const got = [];
    for (const [method, params] of commands) got.push(await s.command(method, params));
    const text = JSON.stringify(got).replaceAll(id, "ID").replace(/"subscription_id":"[^"]*"/, "");
    return { s, text };
  };
  const theirs = await ask(thread), nobodys = await ask(unknown);
  equal(theirs.text, nobodys.text, "a thread of another is one that does not exist");
  check(!/secret|approve/.test(theirs.text), "and tells nothing", theirs.text);
  const early = await dial(guarded, late, { headers: bearer("bob") });
  await early.ok("subscription.subscribe", { channels: all });
  const other = await dial(guarded, late, { headers: bearer("ann") });
  await other.ok("subscription.subscribe", { channels: all });
  const second = (await other.ok("run.start", { assistant_id: "agent", input: say("more secrets") })).run_id;
  await other.until("completed", second);
  await ann.ok("input.respond", { namespace: [], interrupt_id: interrupt, response: "no" });
  await ann.until("completed");
  for (const x of [early, theirs.s, nobodys.s]) await x.command("state.get", { namespace: [] });
  equal([early.events, theirs.s.events, nobodys.s.events], [[], [], []], "who waited first hears nothing of it");
  for (const s of [ann, early, other, theirs.s, nobodys.s]) await s.close();
});

// ---- slow clients --------------------------------------------------------------------------------

await scenario("a slow client beside fast ones", async () => {
  const thread = uuid(), fast = [], driver = await dial(server, thread);
  for (let i = 0; i < 5; i++) fast.push(await dial(server, thread));
  const slow = await dial(server, thread), has = (s, n) => s.events.filter((e) => e.method === "custom").length >= n;
  for (const s of [...fast, slow]) await s.ok("subscription.subscribe", { channels: all });
  slow.w.pause();
  const run = (await driver.ok("run.start", { assistant_id: "flood", input: { text: "y".repeat(8000), ms: 600000 } })).run_id;
  for (const s of fast) await until(() => has(s, 500), "a fast one has all");
  check(!has(slow, 300), "the slow one has not read them", slow.events.length);
  slow.w.resume();
  await until(() => has(slow, 500), "the slow one has them too");
  equal((await call(server, "POST", `/threads/${thread}/runs/${run}/cancel?wait=1`)).status, 204, "the run is stopped");
  for (const s of [...fast, slow]) await s.until("interrupted", run);
  const seqs = (s) => s.events.map((e) => e.seq);
  for (const s of [...fast.slice(1), slow]) {
    check(seqs(s).every((x, i) => i === 0 || x > seqs(s)[i - 1]), "in order");
    check(JSON.stringify(ids(s.events)) === JSON.stringify(ids(fast[0].events)), "and nothing is missing", [s.events.length, fast[0].events.length]);
  }
  for (const s of [...fast, slow, driver]) await s.close();
});

// ---- the server ------------------------------------------------------------------------------------

await scenario("a server that stops, and one that is killed", async () => {
  const dir = scratch(), thread = uuid();
  let own = await start({ dir });
  const port = own.port, s = await dial(own, thread), idle = await dial(own, uuid());
  await s.ok("subscription.subscribe", { channels: all });
  const run = (await s.ok("run.start", { assistant_id: "hitl", input: say("go") })).run_id;
  await s.until("interrupted", run);
  equal((await own.stop()).code, 0, "stops in good order");
  equal([(await s.end).code, (await idle.end).code], [1012, 1012], "a server that stops says so");
  own = await start({ dir, port });
  const since = s.events.at(-1).seq, again = await dial(own, thread), whole = await dial(own, thread);
  await whole.ok("subscription.subscribe", { channels: all });
  await until(() => whole.root("interrupted", run), "the replay");
  equal(whole.events, s.events, "the same events after a restart");
  equal((await again.ok("subscription.subscribe", { channels: all, since })).replayed_events, 0, "nothing behind the last");
  const interrupt = s.events.find((e) => e.method === "input.requested").params.data.interrupt_id;
  await own.stop("SIGKILL");
  check([1006].includes((await again.end).code), "a server that is killed says nothing");
  own = await start({ dir, port });
  const third = await dial(own, thread);
  await third.ok("subscription.subscribe", { channels: all, since });
  await third.ok("input.respond", { namespace: [], interrupt_id: interrupt, response: "yes" });
  await third.until("completed");
  check(third.events.every((e) => e.seq > since), "numbers go on");
  equal(new Set([...ids(s.events), ...ids(third.events)]).size, s.events.length + third.events.length, "and no event_id comes again");
  await third.close();
  for (const x of [own, server, guarded]) {
    const left = await dial(x, uuid(), { headers: bearer("ann") });
    await left.ok("subscription.subscribe", { channels: all });
    left.send({ id: 2, method: "run.start", params: { assistant_id: "agent", input: say("hi") } });
    equal([(await x.stop()).code, (await left.end).code], [0, 1012], "stops in good order with a socket open and a command under way");
  }
});

finish();
