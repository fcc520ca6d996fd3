// mail-bad.mjs - what a client can get wrong with agents, messages, mailboxes, dead letters and
// the Unix socket: one row each with the status and words that tell what, where, and what would
// be right.  No row changes an agent, and afterwards the server still answers.
import path from "node:path";
import { call, check, equal, finish, oneNode, scenario, scratch, startServer } from "./lib.mjs";
import { writeFileSync, mkdirSync } from "node:fs";
import { connect, frame, pack, register } from "./mail-lib.mjs";

const dir = scratch(), socket = path.join(dir, "s"), agents = path.join(dir, "agents");
mkdirSync(agents);
writeFileSync(path.join(agents, "echo.yaml"), "id: echo\ncontext: {n: 0}\ninitial: ready\nstates:\n  ready: {on: {message.request: {actions: {reply: {performative: inform, content: n}}}}}\n");
const s = await startServer({ dir, args: ["--agents", agents, "--mail-socket", socket, "--shards", "1"] });
await register(s, "ann", { capabilities: ["sum:v1"] });
await register(s, "bob", { mailbox_max: 1 });
// The socket is the first node's, and so is this agent.
const chart = await call(oneNode(s), "POST", "/agents", { graph_id: "echo", name: "echo", durable: false });
equal(chart.status, 200, "a chart that hears messages");
const before = (await call(s, "POST", "/agents/search", {})).json;

const id = "01890000-0000-7000-8000-000000000001";
const spawn = (more) => ["POST", "/agents", { kind: "external", durable: false, ...more }];
const graph = (more) => ["POST", "/agents", { graph_id: "echo", durable: false, ...more }];
const search = (body) => ["POST", "/agents/search", body];
const msg = (more) => ["POST", "/messages", { performative: "inform", receiver: "nobody", ...more }];
const to = (more) => ["POST", "/messages", { performative: "inform", receiver: "ann", ...more }];
const acks = (body) => ["POST", "/agents/ann/mailbox/ack", body];
const box = (query, headers) => ["GET", `/agents/ann/mailbox${query}`, undefined, headers];
const text = (body) => ["POST", "/messages", body, { "content-type": "text/x-fipa-acl" }];
const frames = (...bytes) => ["POST", "/messages", Buffer.concat(bytes), { "content-type": "application/x-cohort-acl" }];
const long = (n) => "x".repeat(n);

// [method, target, body, headers?, status, words...]
const rows = [
  // agents
  [...spawn({ kind: "robot" }), 422, "kind", "external", "robot"],
  [...spawn({ kind: 5 }), 422, "kind", "expected"],
  [...spawn({ kind: undefined }), 422, "graph_id", "kind external"],
  [...spawn({ graph_id: "echo" }), 422, "graph_id", "external agent is a client"],
  ["POST", "/agents", { kind: "chart" }, 422, "graph_id", "missing"],
  ["POST", "/agents", { graph_id: "nope", durable: false }, 422, "no agent is defined as 'nope'"],
  ["POST", "/agents", { graph_id: 7 }, 422, "graph_id", "expected a string"],
  ["POST", "/agents", { graph_id: "echo", kind: "chart", durable: true }, 422, "durable"],
  [...spawn({ name: "ann" }), 409, "ann"],
  [...spawn({ name: "ams" }), 409, "ams"],
  [...spawn({ name: "a b" }), 422, "name", "expected a name", "a b"],
  [...spawn({ name: "a\"b" }), 422, "name", "quotes"],
  [...spawn({ name: "(x)" }), 422, "name", "parentheses"],
  [...spawn({ name: "cap:x" }), 422, "name", "cap:"],
  [...spawn({ name: id }), 422, "name", "UUID"],
  [...spawn({ name: "" }), 422, "name"],
  [...spawn({ name: 5 }), 422, "name", "expected a string"],
  [...spawn({ name: long(600) }), 422, "name"],
  [...spawn({ agent_id: "x" }), 422, "agent_id", "expected a UUID", "\"x\""],
  [...spawn({ agent_id: before[0].agent_id }), 409],
  [...spawn({ capabilities: "sum" }), 422, "capabilities", "expected an array"],
  [...spawn({ capabilities: [1] }), 422, "capabilities[0]", "a number"],
  [...spawn({ capabilities: ["ok", "a b"] }), 422, "capabilities[1]", "NAME:VERSION"],
  [...spawn({ capabilities: Array(65).fill("a") }), 422, "capabilities", "64"],
  [...spawn({ mailbox_max: 0 }), 422, "mailbox_max", "1"],
  [...spawn({ mailbox_max: 1000001 }), 422, "mailbox_max", "1000000"],
  [...spawn({ mailbox_max: "many" }), 422, "mailbox_max", "expected an integer"],
  [...spawn({ durable: "yes" }), 422, "durable", "expected"],
  [...spawn({ metadata: [] }), 422, "metadata", "expected an object"],
  [...spawn({ metadata: { a: long(70000) } }), 422, "metadata", "65536"],
  [...spawn({ input: {} }), 422, "input", "takes none"],
  [...spawn({ config: {} }), 422, "config", "takes none"],
  [...spawn({ colour: 1 }), 422, "colour", "unknown key"],
  [...spawn({ nam: "x" }), 422, "nam", "did you mean \"name\""],
  [...spawn({ supervision: 5 }), 422, "supervision", "expected an object"],
  [...graph({ supervision: { restart: "sometimes" } }), 422, "supervision.restart", "on_failure"],
  [...graph({ supervision: { restart: "always", max_restarts: -1 } }), 422, "supervision.max_restarts"],
  [...graph({ supervision: { restart: "always", window: 0 } }), 422, "supervision.window"],
  [...graph({ supervision: { max_restarts: 3 } }), 422, "supervision.restart", "beside the others"],
  [...graph({ supervision: { restart: "always", times: 3 } }), 422, "times", "unknown key"],
  ["POST", "/agents", "[]", {}, 422, "expected an object"],
  ["POST", "/agents", "{", {}, 400, "Malformed JSON"],
  ["POST", "/agents", "", {}, 422, "body"],
  ["GET", "/agents/nobody", undefined, 404, "nobody"],
  ["GET", `/agents/${id}`, undefined, 404, id],
  ["DELETE", "/agents/nobody", undefined, 404, "nobody"],
  ["DELETE", "/agents/ann?drain=perhaps", undefined, 422, "drain", "true or false"],
  ["DELETE", "/agents/ann?drain=true&deadline=soon", undefined, 422, "deadline", "soon"],
  ["DELETE", "/agents/ann?deadline=5", undefined, 422, "deadline", "drain=true"],
  ["PUT", "/agents/ann", {}, 405, "allow"],
  ["GET", "/agents", undefined, 405],
  [...search({ limit: 0 }), 422, "limit"],
  [...search({ limit: 1001 }), 422, "limit", "1000"],
  [...search({ offset: -1 }), 422, "offset"],
  [...search({ state: "asleep" }), 422, "state", "running"],
  [...search({ kind: "robot" }), 422, "kind", "external"],
  [...search({ name: 5 }), 422, "name", "expected a string"],
  [...search({ sort: "name" }), 422, "sort", "unknown key"],
  // messages
  ["POST", "/messages", {}, 422, "performative", "missing"],
  [...msg({ performative: "tell" }), 422, "performative", "22 communicative acts"],
  [...msg({ performative: 5 }), 422, "performative", "expected a string"],
  [...msg({ receiver: undefined }), 422, "receiver", "missing"],
  [...msg({ receiver: [] }), 422, "receiver"],
  [...msg({ receiver: ["ann", 5] }), 422, "receiver.1", "expected an address"],
  [...msg({ receiver: ["ann", "a b"] }), 422, "receiver.1"],
  [...msg({ receiver: "cap:" }), 422, "receiver"],
  [...msg({ receiver: Array(65).fill("ann") }), 429, "receiver", "64"],
  [...msg({}), 404, "nobody"],
  [...msg({ receiver: "an" }), 404, "did you mean \"ann\""],
  [...msg({ receiver: "cap:sun" }), 404, "sum"],
  [...msg({ receiver: ["ann", "nobody"] }), 404, "nobody"],
  [...to({ sender: "bob" }), 422, "sender", "the server sets it"],
  [...to({ created_at: "2026-01-01T00:00:00Z" }), 422, "created_at"],
  [...to({ message_id: "x" }), 422, "message_id", "expected a UUID"],
  [...to({ reply_to: "a b" }), 422, "reply_to"],
  [...to({ reply_by: "soon" }), 422, "reply_by", "RFC 3339"],
  [...to({ trace: "00-x" }), 422, "trace", "traceparent"],
  [...to({ delivery: 1 }), 422, "delivery", "expected an object"],
  [...to({ delivery: { priority: 4 } }), 422, "delivery.priority", "0 to 3"],
  [...to({ delivery: { ttl: -1 } }), 422, "ttl"],
  [...to({ delivery: { ttl: "soon" } }), 422, "ttl"],
  [...to({ delivery: { max_retries: 101 } }), 422, "delivery.max_retries"],
  [...to({ delivery: { durable: "yes" } }), 422, "delivery.durable"],
  [...to({ delivery: { fast: true } }), 422, "fast"],
  [...to({ contents: 1 }), 422, "contents", "did you mean \"content\""],
  [...to({ "x-": 1 }), 422, "x-"],
  [...to(Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`x-${i}`, i]))), 429, "16"],
  [...to({ conversation_id: long(1025) }), 422, "conversation_id", "1024"],
  [...to({ content: long(1048577) }), 413, "content"],
  ["POST", "/messages", { messages: {} }, 422, "messages", "expected an array"],
  ["POST", "/messages", { messages: [] }, 422, "messages", "1 to 1000"],
  ["POST", "/messages", { messages: Array(1001).fill({}) }, 422, "messages", "1001"],
  ["POST", "/messages", { messages: [{}], performative: "inform" }, 422, "performative", "unknown key"],
  ["POST", "/messages", "nope", {}, 400, "Malformed JSON"],
  ["POST", "/agents/nobody/messages", { performative: "inform", receiver: "ann" }, 404, "nobody"],
  ["POST", "/agents/ann/messages", { performative: "inform", receiver: "ann" }, 422, "itself"],
  [...text("(inform"), 400, "not-understood"],
  [...text(""), 400, "not-understood"],
  [...text("(inform :receiver (set (agent-identifier :name nobody)))"), 404, "nobody"],
  [...text("(inform :colour red :receiver (set (agent-identifier :name ann)))"), 422, "not-understood", "colour"],
  [...text("(inform :reply-by soon :receiver (set (agent-identifier :name ann)))"), 422, "reply-by"],
  [...frames(), 422, "1 to 1000 frames"],
  [...frames(Buffer.from([0, 0, 0, 9, 1])), 422, "frame 1 ends early"],
  [...frames(frame(pack({ performative: "inform", receiver: "ann" })), Buffer.from([0])), 422, "frame 2 ends early"],
  // mailboxes
  [...box("?wait=-1"), 422, "wait", "0 to 60000"],
  [...box("?wait=60001"), 422, "wait", "60001"],
  [...box("?max=0"), 422, "max", "1 to 1000"],
  [...box("?max=two"), 422, "max", "two"],
  [...box("?wait=5", { accept: "text/event-stream" }), 422, "wait", "a stream takes none"],
  [...box("?max=5", { accept: "text/event-stream" }), 422, "max", "a stream takes none"],
  [...box("", { accept: "text/event-stream", "last-event-id": "7" }), 422, "Last-Event-ID", "message_id"],
  [...box("", { "last-event-id": id }), 422, "Last-Event-ID", "a poll takes none"],
  ["GET", "/agents/nobody/mailbox", undefined, 404, "nobody"],
  ["GET", "/agents/nobody/mailbox", undefined, { accept: "text/event-stream" }, 404, "nobody"],
  ["GET", "/agents/nobody/mailbox", undefined, { accept: "text/event-stream", "last-event-id": id }, 404, "nobody"],
  ["GET", "/agents/echo/mailbox", undefined, [409, 422], "chart"],
  [...acks({}), 422, "message_ids"],
  [...acks({ message_ids: [] }), 422, "message_ids", "none"],
  [...acks({ message_ids: "x" }), 422, "message_ids", "expected an array"],
  [...acks({ message_ids: [id, "x"] }), 422, "message_ids[1]", "UUID"],
  [...acks({ message_ids: Array(1001).fill(id) }), 422, "message_ids", "1000"],
  [...acks({ message_ids: [id], all: true }), 422, "all", "unknown key"],
  ["POST", "/agents/nobody/mailbox/ack", { message_ids: [id] }, 404, "nobody"],
  // dead letters, conversations
  ["GET", "/messages/dead?limit=0", undefined, 422, "limit"],
  ["GET", "/messages/dead?offset=x", undefined, 422, "offset"],
  ["POST", "/messages/dead/x/retry", undefined, 422, "message_id", "UUID"],
  ["POST", `/messages/dead/${id}/retry`, undefined, 404],
  ["DELETE", "/messages/dead/x", undefined, 422, "message_id"],
  ["DELETE", `/messages/dead/${id}`, undefined, 404],
  ["GET", "/conversations/none", undefined, 404, "none"],
  ["GET", "/conversations/none?limit=1001", undefined, 422, "limit"],
  ["PUT", "/messages", {}, 405],
];

async function bytes(method, target, body, headers) {
  const r = await fetch(s.url + target, { method, body, headers });
  return { status: r.status, text: await r.text() };
}

await scenario("over HTTP", async () => {
  for (const row of rows) {
    const at = row.findIndex((x, i) => i > 2 && (typeof x === "number" || Array.isArray(x) && typeof x[0] === "number"));
    const [method, target, body, headers = {}] = row.slice(0, at), [status, ...words] = row.slice(at);
    const r = await (Buffer.isBuffer(body) ? bytes(method, target, body, headers) : call(s, method, target, body, headers));
    const what = `${method} ${target} ${JSON.stringify(body)?.slice(0, 90) ?? ""}`;
    check([status].flat().includes(r.status) && words.every((w) => r.text.includes(w) || r.json?.detail?.includes(w)), what, `${r.status} ${r.text.slice(0, 300)}\n     wanted ${status} ${words.join(", ")}`);
  }
});

// [what is asked or said, code, words...]
const asks = [
  [{}, "INVALID", "op"], [{ op: "fly" }, "INVALID", "register"], [{ op: 5 }, "INVALID", "op"], ["text", "INVALID", "expected an object"], [undefined, "INVALID", "content"],
  [{ op: "attach" }, "INVALID", "agent"], [{ op: "attach", agent: "nobody" }, "NOTFOUND", "nobody"], [{ op: "attach", agent: "ann", mode: 1 }, "INVALID", "mode"],
  [{ op: "attach", agent: "echo" }, "", "chart"], [{ op: "register", name: "a b" }, "INVALID", "name"], [{ op: "register", name: "bob" }, "CONFLICT", "bob"],
  [{ op: "register", kind: "chart" }, "INVALID", "kind"], [{ op: "register", read: 1 }, "INVALID", "read"], [{ op: "register", token: 5 }, "INVALID", "token"],
  [{ op: "stop" }, "CONFLICT", "register or attach"], [{ op: "ack", up_to: id }, "CONFLICT", "register or attach"],
];
const later = [
  [{ op: "ack" }, "INVALID", "message_ids"], [{ op: "ack", up_to: "x" }, "INVALID", "up_to"], [{ op: "ack", message_ids: [] }, "INVALID", "message_ids"],
  [{ op: "ack", message_ids: ["x"] }, "INVALID", "UUID"], [{ op: "ack", message_ids: [id], up_to: id }, "INVALID", "message_ids"], [{ op: "stop", now: true }, "INVALID", "now"],
  [{ op: "attach", agent: "ann" }, "CONFLICT", "already"],
];

for (const form of ["json", "binary"])
  await scenario(`over the socket, ${form}`, async () => {
    const c = await connect(socket, form);
    const refused = async ([content, code, ...words]) => {
      const r = await c.ask(content);
      check(r?.performative === "failure" && r.content.code.includes(code) && words.every((w) => r.content.detail.includes(w)), `${form} ${JSON.stringify(content)}`, r);
    };
    for (const row of asks) await refused(row);
    equal((await c.ask({ op: "register", name: `c-${form}`, durable: false })).performative, "inform", "then it is an agent all the same");
    for (const row of later) await refused(row);
    equal((await c.ask({ op: "stop" })).performative, "inform", "and stops");
    c.close();
  });

await scenario("a path that is no path", async () => {
  for (const [args, words] of [[["--mail-socket", "/no/such/folder/s"], "No such file"], [["--mail-socket", `/tmp/${long(120)}`], "at most 107 bytes"], [["--mail-socket", agents], "not a socket"], [["--mail-socket", socket], "another server listens there"]]) {
    const e = await startServer({ args }).then((t) => t.stop().then(() => "it started"), (x) => String(x));
    check(e.includes(words), args[1].slice(0, 40), e);
  }
});

await scenario("afterwards", async () => {
  const now = (await call(s, "POST", "/agents/search", {})).json;
  equal(now.map((a) => [a.name, a.books.pending]), before.map((a) => [a.name, 0]), "no row made an agent, or sent anything");
  equal((await call(s, "GET", "/ok")).status, 200, "the server answers");
  await s.stop();
});
finish();
