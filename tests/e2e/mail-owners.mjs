// mail-owners.mjs - the agents of two owners on one server never meet: by id, name, capability,
// broadcast, reply_to, conversation, dead letter or near match, over HTTP and over the socket.
import { execFileSync } from "node:child_process";
import path from "node:path";
import { binary, call, check, equal, finish, scenario, scratch, startServer, until } from "./lib.mjs";
import { matches } from "./core-lib.mjs";
import { ack, connect, contents, poll, register, send, sendAs, stream } from "./mail-lib.mjs";

const secret = "0123456789abcdef0123456789abcdef", dir = scratch(), socket = path.join(dir, "s");
const s = await startServer({ dir, args: ["--jwt-secret", secret, "--mail-socket", socket] });
const token = (name, ...more) => execFileSync(binary, ["token", "--sub", name, ...more], { env: { PATH: process.env.PATH, COHORT_JWT_SECRET: secret } }).toString().trim();
const tokens = { alice: token("alice"), bob: token("bob") };
const as = (name) => ({ authorization: `Bearer ${tokens[name]}` });
const alice = as("alice"), bob = as("bob");
const durable = { delivery: { durable: true } };

const mine = {}, theirs = {};
await scenario("both have the same names", async () => {
  for (const [box, who] of [[mine, alice], [theirs, bob]])
    for (const n of ["painter", "clerk"]) box[n] = (await register(s, n, { durable: true, capabilities: ["paint:v1", "paint:v2"] }, who)).agent_id;
  mine.only = (await register(s, "secretgarden", { durable: true, capabilities: ["gardening"] }, alice)).agent_id;
  equal(new Set([...Object.values(mine), ...Object.values(theirs)]).size, 5, "five agents");
  equal((await call(s, "GET", "/agents/painter", undefined, bob)).json.agent_id, theirs.painter, "a name is one's own");
});

await scenario("no address leads to another owner's agent", async () => {
  for (const to of [mine.painter, mine.only, "secretgarden", "cap:gardening", "all:gardening", "cap:gardening:v1", [theirs.painter, mine.painter]]) {
    const r = await send(s, to, 1, {}, bob);
    equal(r.status, 404, `bob to ${to}`);
    check(!/secretgarden/.test(r.text.replaceAll(JSON.stringify(to).slice(1, -1), "")), `no near match of alice's: ${to}`, r.text);
  }
  for (const near of ["secretgardens", "secretgarde", "cap:gardenin", "painterr"]) {
    const r = await send(s, near, 1, {}, bob);
    check(r.status === 404 && !/secretgarden"|gardening/.test(r.json.detail.replace(`"${near}"`, "")), `near ${near}`, r.text);
  }
  check(/painter/.test((await send(s, "painterr", 1, {}, bob)).json.detail.replace("painterr", "")), "but one's own");
  equal((await send(s, "all:paint", "to all", {}, bob)).json.receivers, 2, "everyone is everyone of one's own");
  for (let i = 0; i < 4; i++) await send(s, "cap:paint", i, {}, bob);
  const each = [(await poll(s, "painter", { headers: bob })).length, (await poll(s, "clerk", { headers: bob })).length];
  check(each[0] + each[1] === 6 && (s.nodes ? Math.min(...each) >= 1 : each[0] === 3), "and so is one of a capability; each node takes turns of its own", each);
  for (const n of ["painter", "clerk", "secretgarden"]) equal(await poll(s, n, { headers: alice }), [], `nothing came to alice's ${n}`);
});

await scenario("nobody acts as another owner's agent, or sees it", async () => {
  const id = mine.painter, none = [
    call(s, "GET", `/agents/${id}`, undefined, bob), call(s, "DELETE", `/agents/${id}`, undefined, bob), call(s, "DELETE", `/agents/${id}?drain=true`, undefined, bob),
    sendAs(s, id, "painter", 1, {}, bob), call(s, "GET", `/agents/${id}/mailbox`, undefined, bob), ack(s, id, [id], bob),
    call(s, "GET", "/agents/secretgarden", undefined, bob), sendAs(s, "secretgarden", "painter", 1, {}, bob),
  ];
  for (const [i, r] of (await Promise.all(none)).entries()) equal(r.status, 404, `request ${i}`);
  equal((await stream(s, id, { headers: bob })).status, 404, "nor reads its stream");
  equal((await stream(s, id, { headers: bob, lastId: id })).status, 404, "nor acks by Last-Event-ID");
  equal((await call(s, "POST", "/agents/search", {}, bob)).json.map((a) => a.agent_id).sort(), Object.values(theirs).sort(), "a search finds one's own");
  equal((await call(s, "POST", "/agents/search", { capability: "gardening" }, bob)).json, [], "by capability, too");
  equal((await call(s, "GET", `/agents/${id}`, undefined, alice)).status, 200, "alice's is there");
});

await scenario("a reply_to leads nowhere else", async () => {
  await sendAs(s, "clerk", "painter", "hello", { reply_to: mine.only, reply_with: "r" }, bob);
  const [m] = await poll(s, "painter", { headers: bob });
  equal(m.reply_to, mine.only, "it is what was written");
  const r = await sendAs(s, "painter", m.reply_to, "reply", { in_reply_to: "r" }, bob);
  equal([r.status, await poll(s, "secretgarden", { headers: alice })], [404, []], "a reply to it reaches nobody");
});

await scenario("conversations and dead letters", async () => {
  for (const [who, words] of [[alice, "alice's"], [bob, "bob's"]]) await send(s, "clerk", words, { ...durable, conversation_id: "house" }, who);
  for (const [who, words] of [[alice, "alice's"], [bob, "bob's"]])
    equal((await call(s, "GET", "/conversations/house", undefined, who)).json.map((x) => x.message.content), [words], `${words} half of a conversation of one name`);
  const dead = (await send(s, "secretgarden", "dies", { ...durable, conversation_id: "garden" }, alice)).json.message_id;
  await call(s, "DELETE", "/agents/secretgarden", undefined, alice);
  await until(async () => (await call(s, "GET", "/messages/dead", undefined, alice)).json.length === 1, "a dead letter");
  equal((await call(s, "GET", "/messages/dead", undefined, bob)).json, [], "bob sees no dead letter");
  equal((await call(s, "POST", `/messages/dead/${dead}/retry`, undefined, bob)).status, 404, "nor retries it");
  equal((await call(s, "DELETE", `/messages/dead/${dead}`, undefined, bob)).status, 404, "nor drops it");
  equal((await call(s, "GET", "/conversations/garden", undefined, bob)).status, 404, "nor reads its conversation");
  equal((await call(s, "GET", "/messages/dead", undefined, alice)).json.length, 1, "it is still there");
  const id = (await poll(s, "clerk", { headers: alice }))[0].message_id;
  equal((await ack(s, "clerk", [id], bob)).json, { acked: 0 }, "an id of alice's acks nothing in bob's mailbox");
  equal((await poll(s, "clerk", { headers: alice })).length, 1, "and alice's waits on");
  const same = { performative: "inform", receiver: "clerk", content: "same id", message_id: id, ...durable };
  equal((await call(s, "POST", "/messages", same, bob)).status, 200, "bob's message with the id of alice's");
  equal(contents(await poll(s, "clerk", { headers: bob })), ["bob's", "same id"], "is a message of his own");
});

for (const form of ["json", "binary"])
  await scenario(`over the socket, ${form}`, async () => {
    const a = await connect(socket, form), b = await connect(socket, form);
    matches(await a.ask({ op: "register", name: "x" }), { performative: "failure", content: { code: "UNAUTH" } }, "without a token");
    matches(await a.ask({ op: "register", name: "x", token: tokens.alice + "x" }), { performative: "failure", content: { code: "UNAUTH" } }, "with a wrong one");
    matches(await a.ask({ op: "register", name: `a-${form}`, durable: false, token: tokens.alice }), { performative: "inform" }, "with one's own");
    matches(await b.ask({ op: "attach", agent: `a-${form}`, token: tokens.bob }), { performative: "failure", content: { code: "NOTFOUND" } }, "nobody attaches to another owner's agent");
    matches(await b.ask({ op: "attach", agent: mine.painter, read: false, token: tokens.bob }), { performative: "failure", content: { code: "NOTFOUND" } }, "not even to write");
    await b.ask({ op: "register", name: `b-${form}`, durable: false, token: tokens.bob });
    b.say({ performative: "inform", receiver: [`a-${form}`], reply_with: "1" });
    b.say({ performative: "inform", receiver: [mine.painter], reply_with: "2" });
    b.say({ performative: "inform", receiver: ["all:paint"], content: form });
    await b.next(2);
    equal(b.messages.map((m) => [m.performative, m.content.code]), [["failure", "NOTFOUND"], ["failure", "NOTFOUND"]], "nor writes to it");
    await until(async () => contents(await poll(s, "painter", { headers: bob })).includes(form), "bob's own painter has it");
    equal(a.messages, [], "and alice's nothing");
    a.close(); b.close();
  });

await scenario("a token that ends", async () => {
  const c = await connect(socket);
  await c.ask({ op: "register", name: "brief", durable: false, token: token("alice", "--ttl", "-28") });
  await c.end();
  matches(c.messages.at(-1), { performative: "failure", content: { code: "UNAUTH", detail: /expired/ } }, "ends its connection, with a word");
});
await s.stop();
finish();
