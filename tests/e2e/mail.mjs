// mail.mjs - messages over HTTP and the Unix socket: every route, streams and polls, batches,
// full mailboxes, durable letters and acks, dead letters, drain.
import { existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { call, check, equal, finish, scenario, scratch, startServer, until } from "./lib.mjs";
import { matches } from "./core-lib.mjs";
import { ack, balanced, connect, contents, frame, known, pack, poll, register, send, sendAs, stream, uuid } from "./mail-lib.mjs";

const dir = scratch(), socket = path.join(dir, "mail.sock"), agents = path.join(dir, "agents");
mkdirSync(agents);
// Answers requests; a cancel makes it fail, an inform ends it.
writeFileSync(path.join(agents, "echo.yaml"), `id: echo
context: {n: 0}
initial: ready
states:
  ready:
    on:
      message.request: {actions: [{assign: {n: n + 1}}, {reply: {performative: inform, content: {n: n, got: event.data.content}}}]}
      message.cancel: around
      message.inform: end
  around: {always: again}
  again: {always: around}
  end: {type: final}
`);
const args = ["--mail-socket", socket, "--agents", agents];
const s = await startServer({ dir, args });
const get = (target) => call(s, "GET", target);

await scenario("an agent is registered, seen, found and stopped", async () => {
  const a = await register(s, "ann", { capabilities: ["sum", "sort:v2"], metadata: { team: 1 }, mailbox_max: 7 });
  matches(a, { agent_id: uuid, name: "ann", kind: "external", graph_id: null, state: "ready", capabilities: ["sum", "sort:v2"], durable: false, mailbox_max: 7,
    waiting: 0, books: { sent: 0, delivered: 0, dead: 0, expired: 0, pending: 0, retried: 0, refused: 0 }, metadata: { team: 1 }, config: {}, input: null, error: null,
    supervision: { restart: "never", restarts: 0 }, created_at: /Z$/, updated_at: /Z$/ }, "an agent as it is shown");
  equal((await get("/agents/ann")).json, a, "by name");
  equal((await get(`/agents/${a.agent_id}`)).json, a, "by id");
  equal((await get(`/agents/${a.agent_id.toUpperCase()}`)).json.name, "ann", "an id in capitals");
  const taken = await call(s, "POST", "/agents", { kind: "external", name: "ann" });
  equal([taken.status, /ann/.test(taken.json.detail)], [409, true], "a name is taken once");
  const same = await call(s, "POST", "/agents", { kind: "external", agent_id: a.agent_id });
  equal(same.status, 409, "an id, too");
  for (let i = 0; i < 3; i++) await register(s, `many-${i}`, { capabilities: [`c:v${i}`] });
  const search = (body) => call(s, "POST", "/agents/search", body);
  equal((await search({ name: "MANY" })).json.map((x) => x.name), ["many-2", "many-1", "many-0"], "found by a part of the name, newest first");
  const page = await search({ name: "many", limit: 1, offset: 1 });
  equal([page.json.map((x) => x.name), page.headers.get("x-pagination-total"), page.headers.get("x-pagination-next")], [["many-1"], "3", "2"], "a page");
  equal((await search({ capability: "c" })).json.length, 3, "by a capability, of any version");
  equal((await search({ capability: "c:v1" })).json.map((x) => x.name), ["many-1"], "of one version");
  equal((await search({ capability: "sor" })).json.length, 0, "a part of one is none");
  equal((await search({ state: "ready", kind: "external", name: "many" })).json.length, 3, "by state and kind");
  equal((await search({ state: "failed" })).json, [], "and none");
  equal((await call(s, "DELETE", "/agents/many-0")).status, 204, "stopped");
  equal([(await get("/agents/many-0")).status, (await search({ name: "many" })).json.length], [404, 2], "and gone");
  equal((await call(s, "DELETE", "/agents/many-0")).status, 404, "once");
  await register(s, "many-0");
  check(true, "its name is free again");
});

await scenario("messages wait in a mailbox and are polled", async () => {
  const p = await register(s, "paul");
  const sent = await send(s, "paul", { n: 1 }, { language: "json", protocol: "x", reply_with: "r", "x-mine": [1] });
  matches(sent.json, { message_id: uuid, receivers: 1 }, "an answer to a message");
  await send(s, ["paul"], "two", { delivery: { priority: 3 } });
  await sendAs(s, "ann", p.agent_id, [3]);
  matches((await get("/agents/paul")).json, { waiting: 3, books: { sent: 3, pending: 3 } }, "they wait");
  const got = await poll(s, "paul");
  equal(contents(got), ["two", { n: 1 }, [3]], "the most urgent first, then in order");
  matches(got[1], { performative: "inform", message_id: sent.json.message_id, receiver: "paul", language: "json", protocol: "x", reply_with: "r", "x-mine": [1], created_at: /Z$/ }, "with all its parameters");
  equal([got[1].sender, got[2].sender !== undefined], [undefined, true], "the server says who sent it");
  equal(await poll(s, "paul"), [], "taken once");
  balanced((await get("/agents/paul")).json, "paul");
  const began = performance.now(), waits = poll(s, "paul", { wait: 30000 });
  await send(s, "paul", "late");
  equal([contents(await waits), performance.now() - began < 20000], [["late"], true], "a poll is answered when something comes");
  const short = performance.now();
  equal([await poll(s, "paul", { wait: 300 }), performance.now() - short > 250], [[], true], "and when its time is over");
  for (let i = 0; i < 5; i++) await send(s, "paul", i);
  equal([contents(await poll(s, "paul", { max: 2 })), contents(await poll(s, "paul", { max: 2 })), contents(await poll(s, "paul"))], [[0, 1], [2, 3], [4]], "at most so many");
  const first = poll(s, "paul", { wait: 30000 });
  await until(async () => (await get("/metrics")).text.includes("cohort_"), "metrics");
  const both = Promise.allSettled([first, poll(s, "paul", { wait: 30000 })]);
  await send(s, "paul", "x");
  const two = await both;
  check(two.some((r) => r.status === "fulfilled" && r.value?.length === 1), "two polls: one of them has it", two);
});

await scenario("a mailbox as a stream", async () => {
  await register(s, "sue");
  await send(s, "sue", "before");
  const st = await stream(s, "sue");
  equal([st.status, st.headers.get("content-type"), st.headers.get("cache-control")], [200, "text/event-stream", "no-cache"], "a stream of events");
  await st.next(1);
  await send(s, "sue", "after");
  await st.next(2);
  equal([contents(st.messages), st.odd], [["before", "after"], undefined], "what waited, then what comes");
  equal(st.ids, st.messages.map((m) => m.message_id), "an event's id is its message's");
  const other = await stream(s, "sue");
  await until(() => st.ended, "the stream before to end");
  await send(s, "sue", "to the second");
  await other.next(1);
  equal(contents(other.messages), ["to the second"], "a new reader takes the place of the one before");
  equal((await call(s, "DELETE", "/agents/sue")).status, 204, "its agent stops");
  await until(() => other.ended, "the stream to end with its agent");
  check(true, "and the stream ends");
  equal((await stream(s, "sue")).status, 404, "there is no mailbox any more");
  await register(s, "beat");
  const idle = await stream(s, "beat");
  await until(() => idle.beats > 0, "a heartbeat");
  check(true, "an idle stream has heartbeats");
  idle.close();
  await until(async () => { await send(s, "beat", 1); return (await poll(s, "beat")).length > 0; }, "a poll after a stream that was left");
});

await scenario("many messages in one request", async () => {
  await register(s, "bea", { mailbox_max: 3, capabilities: ["bea"] });
  await known(s, "cap:bea", (r) => r.status === 200, ["bea"]);
  const one = (content, receiver = "bea") => ({ performative: "inform", receiver, content });
  const r = await call(s, "POST", "/messages", { messages: [one(0), { ...one(1), performative: "infrm" }, one(2), one(3, "nobody"), one(4), one(5), 7] });
  equal(r.status, 200, "answered as one");
  matches(r.json.results, [{ message_id: uuid, receivers: 1 }, { error: { code: "INVALID", detail: /performative: "infrm".*"inform"/ } }, { message_id: uuid },
    { error: { code: "NOTFOUND", detail: /nobody/ } }, { message_id: uuid }, { error: { code: "AGAIN", retry_after: Number } }, { error: { code: "INVALID" } }],
  "each has its own result, in order; none stops those behind it");
  equal(contents(await poll(s, "bea")), [0, 2, 4], "what was accepted came, in order");
  const full = await call(s, "POST", "/messages", { messages: Array.from({ length: 1000 }, (_, i) => one(i, "ann")) });
  equal([full.status, full.json.results.filter((x) => x.message_id).length, full.json.results.at(-1).error?.code], [200, 7, "AGAIN"], "a thousand at once, as many as there is room for");
  await poll(s, "ann");
});

await scenario("a full mailbox", async () => {
  await register(s, "full", { mailbox_max: 2 });
  await send(s, "full", 1);
  await send(s, "full", 2);
  const r = await send(s, "full", 3);
  equal([r.status, Number(r.headers.get("retry-after")) >= 1, /mailbox.*full/.test(r.json.detail)], [429, true, true], "is 429 with Retry-After");
  matches((await get("/agents/full")).json, { waiting: 2, books: { sent: 2, refused: 1 } }, "nothing was taken in");
  equal(contents(await poll(s, "full", { max: 1 })), [1], "one is taken");
  await until(async () => (await get("/agents/full")).json.waiting === 1, "the letter to be settled");
  equal((await send(s, "full", 4)).status, 200, "then there is room");
  equal(contents(await poll(s, "full")), [2, 4], "and nothing is lost");
});

await scenario("the other content types", async () => {
  await register(s, "tex");
  const post = (type, body) => call(s, "POST", "/agents/ann/messages", body, { "content-type": type });
  const r = await post("text/x-fipa-acl; charset=utf-8", '(request :receiver (set (agent-identifier :name tex)) :content "sum" :reply-with r1 :conversation-id c1)');
  matches(r.json, { message_id: uuid, receivers: 1 }, "the string encoding is accepted");
  matches((await poll(s, "tex"))[0], { performative: "request", content: "sum", reply_with: "r1", conversation_id: "c1" }, "and understood");
  const bad = await post("text/x-fipa-acl", '(infrm :receiver (set (agent-identifier :name tex)))');
  equal([bad.status, bad.headers.get("content-type"), bad.text.startsWith("(not-understood"), /:name ams/.test(bad.text)], [422, "text/x-fipa-acl; charset=utf-8", true, true], "what is not, by not-understood");
  const never = await post("text/x-fipa-acl", "(not-understood :receiver");
  equal([never.status >= 400, never.json !== undefined], [true, true], "which is never answered by another");
  const forged = await post("text/x-fipa-acl", "(inform :sender (agent-identifier :name bea) :receiver (set (agent-identifier :name tex)))");
  equal([forged.status, /sender/.test(forged.text)], [422, true], "nobody sends as another");
  const body = Buffer.concat([{ performative: "inform", receiver: "tex", content: 1 }, { performative: "inform", receiver: "nobody" }, { performative: "inform", receiver: "tex", content: 2 }].map((m) => frame(pack(m))));
  const frames = await fetch(`${s.url}/messages`, { method: "POST", body, headers: { "content-type": "application/x-cohort-acl" } });
  matches((await frames.json()).results, [{ message_id: uuid }, { error: { code: "NOTFOUND" } }, { message_id: uuid }], "frames, each with its result");
  equal(contents(await poll(s, "tex")), [1, 2], "and those came");
});

await scenario("addresses: one of a capability, all of it", async () => {
  for (const n of ["w1", "w2", "w3"]) await register(s, n, { capabilities: ["work:v1"] });
  await known(s, "all:work", (r) => r.json.receivers === 3, ["w1", "w2", "w3"]);
  equal((await send(s, "all:work", "everyone")).json.receivers, 3, "everyone");
  for (const n of ["w1", "w2", "w3"]) equal(contents(await poll(s, n)), ["everyone"], `${n} has it`);
  for (let i = 0; i < 6; i++) await send(s, "cap:work", i);
  const each = [];
  for (const n of ["w1", "w2", "w3"]) each.push((await poll(s, n)).length);
  if (process.env.COHORT_TEST_CLUSTER > 1) equal(each[0] + each[1] + each[2], 6, "one of them");
  else equal(each, [2, 2, 2], "one of them, in turn");
  equal((await send(s, "cap:work:v9", "next best")).status, 200, "a version that nobody has: the next best");
  const near = await send(s, "cap:wrok", 1);
  equal([near.status, near.json.detail.includes("work")], [404, true], "no provider: near matches");
  const self = await sendAs(s, "w1", "w1", 1);
  equal([self.status, /itself/.test(self.json.detail)], [422, true], "nobody writes to itself");
});

await scenario("kinds", async () => {
  const kinds = [[{ durable: false }, "chart"], [{ kind: "chart" }, "chart"], [{}, "run"]];
  for (const [i, [more, kind]] of kinds.entries()) {
    const r = await call(s, "POST", "/agents", { graph_id: "echo", name: `echo-${i}`, ...more });
    matches(r.json, { kind, graph_id: "echo", durable: kind === "run", state: /ready|running/ }, `a graph as a ${kind}`);
    await sendAs(s, "ann", `echo-${i}`, { i }, { performative: "request", reply_with: `r${i}` });
    const got = await poll(s, "ann", { wait: 10000 });
    matches(got, [{ performative: "inform", in_reply_to: `r${i}`, content: { n: 1, got: { i } } }], "which answers");
    equal((await ack(s, "ann", got.map((m) => m.message_id))).json, { acked: kind === "run" ? 1 : 0 }, "a run's answer is durable");
    equal((await call(s, "GET", `/agents/echo-${i}/mailbox`)).status >= 400, true, "and reads its mailbox itself");
  }
  equal((await get(`/threads/${(await get("/agents/echo-2")).json.agent_id}`)).status, 200, "a run's thread has its id");
  await send(s, "echo-0", "end");
  await until(async () => (await get("/agents/echo-0")).status === 404, "a chart at its final state to be gone");
  equal((await call(s, "DELETE", "/agents/echo-1?drain=true")).status, 204, "a chart drains");
  equal((await call(s, "DELETE", "/agents/echo-2?drain=true")).status, 204, "a run drains");
});

await scenario("supervision", async () => {
  await call(s, "POST", "/agents", { graph_id: "echo", name: "frail", durable: false, supervision: { restart: "on_failure", max_restarts: 2, backoff: 5 } });
  for (let i = 1; i <= 2; i++) {
    await send(s, "frail", undefined, { performative: "cancel" });
    await until(async () => { const a = (await get("/agents/frail")).json; return a.supervision.restarts === i && a.state !== "loaded"; }, `restart ${i}`);
    await sendAs(s, "ann", "frail", i, { performative: "request" });
    matches(await poll(s, "ann", { wait: 10000 }), [{ content: { n: 1, got: i } }], "it begins anew");
  }
  await send(s, "frail", undefined, { performative: "cancel" });
  await until(async () => (await get("/agents/frail")).json.state === "failed", "it to fail");
  matches((await get("/agents/frail")).json, { error: /microsteps/, supervision: { restart: "on_failure", max_restarts: 2, window: 60000, backoff: 5, restarts: 2 } }, "then it has failed, and says why");
  await known(s, "frail", (r) => r.status === 404);
  equal((await send(s, "frail", 1)).status, 404, "nobody is there any more");
  equal((await call(s, "POST", "/agents/search", { state: "failed" })).json.map((a) => a.name), ["frail"], "but it is found");
  equal([(await call(s, "DELETE", "/agents/frail")).status, (await get("/agents/frail")).status], [204, 404], "until it is stopped");
});

await scenario("a receipt", async () => {
  await register(s, "from");
  await register(s, "to");
  await sendAs(s, "from", "to", 1, { reply_with: "r", delivery: { receipt: true } });
  equal(contents(await poll(s, "to")), [1], "is taken");
  matches((await poll(s, "from", { wait: 5000 }))[0], { performative: "inform", sender: "ams", in_reply_to: "r", content: { reason: "delivered" } }, "and the sender hears of it");
});

await scenario("ttl", async () => {
  await register(s, "old");
  await send(s, "old", 1, { delivery: { ttl: 50 } });
  await until(async () => (await get("/agents/old")).json.books.expired === 1, "the message to expire");
  equal(await poll(s, "old"), [], "what expired is not delivered");
  balanced((await get("/agents/old")).json, "old");
});

await scenario("drain", async () => {
  await register(s, "dry");
  await send(s, "dry", 1);
  await send(s, "dry", 2);
  const drained = call(s, "DELETE", "/agents/dry?drain=true&deadline=20000");
  await until(async () => (await get("/agents/dry")).json.state === "draining", "the agent to drain");
  await known(s, "dry", (r) => r.status === 404);
  equal((await send(s, "dry", 3)).status, 404, "no more comes in");
  equal(contents(await poll(s, "dry")), [1, 2], "what waits is taken");
  equal((await drained).status, 204, "then it ends");
  await register(s, "late");
  await send(s, "late", 1);
  equal((await call(s, "DELETE", "/agents/late?drain=true&deadline=50")).status, 204, "or at the deadline");
  equal((await get("/agents/late")).status, 404, "and it is gone");
});

for (const form of ["json", "binary"]) {
  await scenario(`the socket, ${form}`, async () => {
    equal(statSync(socket).mode & 0o777, 0o600, "is its owner's alone");
    const a = await connect(socket, form), b = await connect(socket, form);
    const early = await a.ask({ op: "ack", up_to: "01a22ea9-d4da-7892-8690-ddfdce0ab4da" });
    matches(early, { performative: "failure", content: { code: "CONFLICT" } }, "who is nobody has nothing to ack");
    a.say({ performative: "inform", receiver: ["paul"] });
    await a.next(1);
    matches(a.messages.pop(), { performative: "failure", sender: "ams", content: { code: "UNAUTH", detail: /register or attach/ } }, "and sends nothing");
    const me = await a.ask({ op: "register", name: `a-${form}`, durable: false, capabilities: ["echo"] });
    matches(me, { performative: "inform", sender: "ams", content: { agent_id: uuid } }, "a client becomes an agent");
    matches((await get(`/agents/a-${form}`)).json, { kind: "external", capabilities: ["echo"], agent_id: me.content.agent_id }, "which all see");
    matches(await a.ask({ op: "register", name: "again" }), { performative: "failure", content: { code: "CONFLICT" } }, "once");
    matches(await b.ask({ op: "register", name: `a-${form}`, durable: false }), { performative: "failure", content: { code: "CONFLICT" } }, "a name is taken once");
    matches(await b.ask({ op: "register", name: `b-${form}`, durable: false, colour: 1 }), { performative: "failure", content: { code: "INVALID", detail: /colour/ } }, "a field that means nothing is refused");
    await b.ask({ op: "register", name: `b-${form}`, durable: false });
    a.say({ performative: "request", receiver: [`b-${form}`], content: { n: 1 }, reply_with: "q1" });
    await b.next(1);
    matches(b.messages[0], { performative: "request", content: { n: 1 }, reply_with: "q1", message_id: uuid, sender: String }, "a request");
    b.say({ performative: "inform", receiver: [b.messages[0].sender], content: { n: 2 }, in_reply_to: "q1" });
    await a.next(1);
    matches(a.messages[0], { performative: "inform", content: { n: 2 }, in_reply_to: "q1" }, "and its reply");
    a.say({ performative: "inform", receiver: ["nobody"], reply_with: "q2" });
    await a.next(2);
    matches(a.messages[1], { performative: "failure", sender: "ams", in_reply_to: "q2", content: { code: "NOTFOUND", detail: /nobody/ } }, "what cannot be sent is told");
    a.say({ performative: "inform", receiver: [`b-${form}`], content: "x".repeat(300000) });
    await b.next(2);
    equal(b.messages[1].content.length, 300000, "a large one");
    for (let i = 0; i < 500; i++) a.say({ performative: "inform", receiver: [`b-${form}`], content: i });
    await b.next(502);
    equal(contents(b.messages.slice(2)), Array.from({ length: 500 }, (_, i) => i), "five hundred, in order");
    await send(s, `b-${form}`, "from HTTP");
    await b.next(503);
    equal(b.messages[502].content, "from HTTP", "from everywhere");
    const second = await connect(socket, form);
    matches(await second.ask({ op: "attach", agent: `b-${form}` }), { performative: "inform", content: { agent_id: uuid } }, "another connection attaches");
    await b.end();
    matches(b.messages.at(-1), { performative: "failure", content: { code: "CONFLICT" } }, "and the first hears why it ends");
    const mute = await connect(socket, form);
    await mute.ask({ op: "attach", agent: `b-${form}`, read: false });
    mute.say({ performative: "inform", receiver: [`a-${form}`], content: "only writes" });
    await a.next(3);
    equal([a.messages[2].content, second.ended], ["only writes", false], "one that only writes takes no reader's place");
    matches(await second.ask({ op: "stop" }), { performative: "inform", content: {} }, "an agent stops itself");
    await second.end();
    equal((await get(`/agents/b-${form}`)).status, 404, "and is gone");
    for (const c of [a, mute]) c.close();
    await until(async () => /^cohort_mail_connections_open 0$/m.test((await get("/metrics")).text), "nobody to read");
    await send(s, `a-${form}`, "while nobody reads");
    const back = await connect(socket, form);
    await back.ask({ op: "attach", agent: `a-${form}` });
    await back.next(1);
    equal(contents(back.messages), ["while nobody reads"], "what came meanwhile waited");
    back.close();
  });
}

await scenario("a socket's bad bytes", async () => {
  const c = await connect(socket, "json");
  c.write('{"performative":"infrm"}\n');
  await c.next(1);
  matches(c.messages[0], { performative: "not-understood", content: { code: "INVALID", detail: /infrm/ } }, "an unknown act");
  c.write("{oops\n\n\r\n");
  await c.next(2);
  matches(c.messages[1], { performative: "not-understood", content: { code: "SYNTAX" } }, "no JSON");
  c.write('{"performative":"not-understood","nope":1}\n');
  c.write('{"performative":"inform","receiver":"x","sender":"y"}\n');
  await c.next(3);
  matches(c.messages[2], { performative: "not-understood", content: { detail: /sender/ } }, "a sender; and not-understood is not answered");
  const b = await connect(socket, "binary");
  b.write(Buffer.from([0, 0, 0, 0]));
  await b.next(1);
  matches(b.messages[0], { performative: "not-understood", content: { detail: /0 bytes/ } }, "an empty frame");
  b.write(frame(Buffer.from([1, 99])));
  await b.next(2);
  equal(b.messages[1].performative, "not-understood", "an act that is none");
  b.write(Buffer.from([0x7f, 0xff, 0xff, 0xff, 0]));
  await b.end();
  matches(b.messages[2], { performative: "not-understood", content: { code: "TOOBIG" } }, "a frame of 2 GB ends the connection");
  c.close();
});

const durable = { delivery: { durable: true } };

await scenario("durable messages wait for an ack", async () => {
  await register(s, "dora", { durable: true });
  const sent = [];
  for (let i = 0; i < 5; i++) sent.push((await send(s, "dora", i, { ...durable, conversation_id: "talk" })).json.message_id);
  const got = await poll(s, "dora");
  equal([contents(got), got.map((m) => m.message_id), got[0].delivery], [[0, 1, 2, 3, 4], sent, { durable: true }], "in order");
  equal(contents(await poll(s, "dora")), [0, 1, 2, 3, 4], "and once more, as long as they are not acked");
  equal((await ack(s, "dora", [sent[0], sent[1]])).json, { acked: 2 }, "acked");
  equal((await ack(s, "dora", [sent[0], sent[1]])).json, { acked: 0 }, "once");
  equal(contents(await poll(s, "dora")), [2, 3, 4], "those are gone");
  const a = await stream(s, "dora");
  await a.next(3);
  a.close();
  const b = await stream(s, "dora", { lastId: a.ids[1] });
  await b.next(1);
  equal(contents(b.messages), [4], "Last-Event-ID acks all up to it");
  await send(s, "dora", "not durable");
  await b.next(2);
  b.close();
  await until(async () => (await get("/agents/dora")).json.waiting === 1, "one to wait");
  balanced((await get("/agents/dora")).json, "dora");
  const again = { performative: "inform", receiver: "dora", content: "once", message_id: "01890000-0000-7000-8000-000000000001", ...durable };
  const first = await call(s, "POST", "/messages", again), second = await call(s, "POST", "/messages", again);
  equal([first.status, second.status, second.json.message_id], [200, 200, again.message_id], "a message that is sent again is accepted");
  equal(contents(await poll(s, "dora")), [4, "once"], "and delivered once");
});

await scenario("a conversation", async () => {
  const r = await get("/conversations/talk?limit=2");
  equal([r.json.map((x) => x.message.content), r.headers.get("x-pagination-next")], [[0, 1], "2"], "its durable messages, oldest first");
  matches(r.json[0], { message_id: uuid, receiver: uuid, sender: null, state: "delivered", letters: 1, waiting: 0, dead: 0, created_at: /Z$/ }, "with what became of them");
  const last = await get("/conversations/talk?limit=2&offset=4");
  equal([last.json.map((x) => [x.message.content, x.state]), last.headers.get("x-pagination-next")], [[[4, "waiting"]], null], "page after page");
  equal((await get("/conversations/none")).status, 404, "one that is not there");
});

await scenario("dead letters", async () => {
  const d = await register(s, "dead", { durable: true });
  const ids = [];
  for (let i = 0; i < 3; i++) ids.push((await send(s, "dead", i, durable)).json.message_id);
  await call(s, "DELETE", "/agents/dead");
  const list = await until(async () => { const r = await get("/messages/dead"); return r.json.length === 3 && r; }, "dead letters");
  matches(list.json[0], { message_id: ids[2], receiver: d.agent_id, reason: "stopped", tries: Number, age: (n) => n >= 0, created_at: /Z$/, dead_at: /Z$/, message: { content: 2 } }, "with reason and age, newest first");
  const page = await get("/messages/dead?limit=1&offset=1");
  equal([page.json[0].message_id, page.headers.get("x-pagination-next")], [ids[1], "2"], "a page of them");
  await register(s, "dead", { durable: true, agent_id: d.agent_id });
  matches((await call(s, "POST", `/messages/dead/${ids[0]}/retry`)).json, { letters: 1 }, "one is tried again");
  equal(contents(await poll(s, "dead", { wait: 5000 })), [0], "and comes");
  equal((await call(s, "DELETE", `/messages/dead/${ids[1]}`)).status, 204, "one is dropped");
  equal([(await call(s, "DELETE", `/messages/dead/${ids[1]}`)).status, (await call(s, "POST", `/messages/dead/${ids[1]}/retry`)).status], [404, 404], "and is no more");
  equal((await get("/messages/dead")).json.map((x) => x.message_id), [ids[2]], "one is left");
});

await scenario("after a restart", async () => {
  const before = (await get("/agents/dora")).json;
  await s.stop("SIGKILL");
  const t = await startServer({ dir, port: s.port, args });
  Object.assign(s, t);
  matches((await get("/agents/dora")).json, { agent_id: before.agent_id, name: "dora", durable: true, kind: "external", created_at: before.created_at, waiting: 2 }, "durable agents are there again");
  equal((await get("/agents/ann")).status, 404, "others are not");
  const got = await poll(s, "dora");
  equal(contents(got), [4, "once"], "and what was not acked");
  equal((await ack(s, "dora", got.map((m) => m.message_id))).json, { acked: 2 }, "is acked");
  equal(await poll(s, "dora"), [], "and gone");
  equal((await get("/messages/dead")).json.length, 1, "dead letters are kept");
  for (const n of ["ann", "paul"]) await register(s, n);
  await send(s, "ann", 1);
});

await scenario("metrics", async () => {
  const text = (await get("/metrics")).text;
  const value = (name) => Number(new RegExp(`^${name} (.*)$`, "m").exec(text)?.[1]);
  const m = Object.fromEntries(["sent_total", "arrived_total", "left_total", "delivered_total", "dead", "expired_total", "pending"].map((n) => [n, value(`cohort_mail_${n}`)]));
  check(m.sent_total + m.arrived_total === m.delivered_total + m.dead + m.expired_total + m.pending + m.left_total, "the books balance", m);
  check(process.env.COHORT_TEST_CLUSTER > 1 || m.sent_total + m.arrived_total >= 4, "and have what was sent", m);
  const c = await connect(socket);
  await c.ask({ op: "register", name: "counted", durable: false });
  await send(s, "counted", 1);
  await c.next(1);
  const counted = await until(async () => { const r = await get("/metrics"); return /^cohort_mail_connections_open 1$/m.test(r.text) && r.text; }, "a connection to be counted");
  check(/^cohort_mail_connections_idle 1$/m.test(counted), "as idle");
  c.close();
});

await s.stop();
check(!existsSync(socket), "the socket goes with the server");
finish();
