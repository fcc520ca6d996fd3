// cluster-mail.mjs [ROUNDS] [SEED] - messages between agents of several nodes while a node is
// killed or stands still for three leases, and while PostgreSQL or NATS is killed.
//
// Clients write to clients whose agents live on other nodes, each in conversations of its own:
// numbered, and sent again with the same message_ids until they are acknowledged.  A receiver
// notes a message_id once and leaves some unacked.  Then each conversation has been received
// from 0 to its last number, in order, once; nothing is dead; no letter waits in the store, and
// every accepted message was delivered.  The order of choices follows from the seed.
import { execFileSync } from "node:child_process";
import { call, check, equal, finish, scenario, scratch, until } from "../e2e/lib.mjs";
import { freshSchema, startCluster, startNats, startPostgres } from "../cluster/lib.mjs";
import { messageId, pause, random } from "./kill-lib.mjs";

const rounds = Number(process.argv[2] ?? 3), seed = Number(process.argv[3] ?? Date.now() % 1000000), lease = 1000;
console.log(`seed ${seed}`);
const pg = startPostgres({ args: "" }), nats = startNats(), nodes = 2;
const store = freshSchema(pg.url);
const cluster = await startCluster({ nodes, dir: scratch(), lease, store, nats: nats.url });

// What a node answers; undefined: nothing, or not now.
async function ask(i, method, target, body) {
  const at = cluster.nodes[i];
  if (at.child === undefined || at.exit !== null || at.dying) { await pause(20); return undefined; }
  try {
    const r = await call(at, method, target, body);
    if (r.status < 500 && r.status !== 429) return r;
    await pause(10);
  } catch { await pause(10); }
  return undefined;
}
async function must(i, method, target, body) {
  for (const end = Date.now() + 30000; ;) {
    const r = await ask(i, method, target, body);
    if (r !== undefined && r.status < 300) return r.json;
    if (r !== undefined && r.status !== 404 || Date.now() > end) throw new Error(`${method} ${target} at node ${i}: ${r?.status} ${r?.text}`);
    await pause(20);
  }
}
// Its answer at whichever node has the agent, or leads to it.
async function anywhere(from, method, target, body) {
  for (let k = 0; k < nodes; k++) {
    const r = await ask((from + k) % nodes, method, target, body);
    if (r !== undefined && r.status !== 404) return r;
  }
  await pause(20);
  return undefined;
}
const mails = (i) => call(cluster.nodes[i], "GET", "/metrics").then(({ text }) => {
  const value = (name) => Number(new RegExp(`^cohort_mail_${name} (\\d+)`, "m").exec(text)?.[1] ?? 0);
  return { sent: value("sent_total"), come: value("arrived_total"), gone: value("left_total"), delivered: value("delivered_total"), dead: value("dead"), expired: value("expired_total"), pending: value("pending") };
});

await scenario("agents of one node are addresses on the other", async () => {
  await must(0, "POST", "/agents", { kind: "external", name: "zoe", capabilities: ["maps:2"] });
  await must(1, "POST", "/agents", { kind: "external", name: "yan", durable: false });
  equal((await call(cluster.nodes[1], "POST", "/agents", { kind: "external", name: "zoe" })).status, 409, "a name is taken on all nodes");
  await until(async () => (await call(cluster.nodes[0], "POST", "/agents", { kind: "external", name: "yan", durable: false })).status === 409, "an agent in memory has its name on all nodes");
  await until(async () => (await call(cluster.nodes[1], "POST", "/messages", { performative: "inform", receiver: "cap:maps", content: {}, delivery: { ttl: 1 } })).status === 200, "node 1 to know what zoe can do");
  for (let n = 0; n < 20; n++) await must(n % 4 < 3 ? 1 : 0, "POST", "/messages", { performative: "inform", receiver: n % 2 ? "zoe" : "cap:maps", content: { n }, delivery: { durable: n % 3 === 0 } });
  const got = [];
  await until(async () => { for (const m of (await must(0, "GET", "/agents/zoe/mailbox?wait=200")) ?? []) if (m.content.n >= 0 && !got.some((g) => g.message_id === m.message_id)) got.push(m); return got.length >= 20; }, "20 messages from the other node");
  equal(got.map((m) => m.content.n), Array.from({ length: 20 }, (_, n) => n), "in the order in which they were sent");
  await must(0, "POST", "/agents/zoe/mailbox/ack", { message_ids: got.map((m) => m.message_id) });
  const again = await must(0, "GET", "/agents/zoe/mailbox");
  equal(again.length, 0, "each came once; one that is not durable needs no ack");
  await must(0, "POST", "/agents/zoe/messages", { performative: "request", receiver: "yan", content: 1, delivery: { receipt: true } });
  const asked = await must(1, "GET", "/agents/yan/mailbox?wait=5000");
  equal(asked.map((m) => [m.sender, m.content]), [["zoe", 1]], "from an agent to an agent of the other node");
  const receipt = await must(0, "GET", "/agents/zoe/mailbox?wait=5000");
  equal(receipt.map((m) => [m.sender, m.performative, m.content.reason]), [["ams", "inform", "delivered"]], "the receipt comes back");
  const books = await Promise.all([0, 1].map(mails));
  for (const b of books) check(b.sent + b.come === b.delivered + b.dead + b.expired + b.pending + b.gone, "a node's books balance", b);
  equal(books[0].gone + books[1].gone, books[0].come + books[1].come, "what has gone from one has come to another");
  check(books[0].come >= 15 && books[1].gone >= 15, "messages have gone from node 1 to node 0", books);
});

// ---- faults ---------------------------------------------------------------------------------

const receivers = ["ann", "bob", "cyd", "dan"];
const conversations = receivers.flatMap((receiver, k) => [0, 1].map((node) => ({ i: 2 * k + node, id: `c-${2 * k + node}`, receiver, node, sent: 0, got: [] })));
let ending = false, over = false, again = 0;
async function sender(c) {
  const r = random(seed * 1000 + c.i);
  while (!ending) {
    // one at a time: of several the first may be refused, and the next accepted
    const messages = Array.from({ length: 1 }, (_, k) => ({ message_id: messageId(c.i, c.sent + k), performative: "inform", receiver: c.receiver, conversation_id: c.id, content: { n: c.sent + k }, delivery: { durable: true } }));
    for (;;) {
      const a = await ask(c.node, "POST", "/messages", { messages });
      if (a?.status === 200 && !a.json.results.some((x) => x.error)) break;
      again++;
      if (over) return;
      await pause(10);
    }
    c.sent += messages.length;
    await pause(r(4));
  }
}
const seen = new Set();
async function receiver(name, k) {
  const r = random(seed * 1000 + 100 + k);
  while (!over) {
    const a = await anywhere(k % nodes, "GET", `/agents/${name}/mailbox?wait=100&max=${1 + r(60)}`);
    if (a === undefined || a.status !== 200) continue;
    for (const m of a.json) {
      if (seen.has(m.message_id)) { again++; continue; }
      seen.add(m.message_id);
      conversations.find((c) => c.id === m.conversation_id).got.push(m.content.n);
    }
    const ids = a.json.filter(() => r(10) > 0).map((m) => m.message_id);
    if (ids.length > 0) await anywhere(k % nodes, "POST", `/agents/${name}/mailbox/ack`, { message_ids: ids });
  }
}
const faults = {
  async node(r) {
    const i = r(nodes), at = cluster.nodes[i];
    at.dying = true;
    at.child.kill("SIGKILL");
    await at.exited;
    await pause(r(3 * lease));
    await cluster.startNode(i);
  },
  // its lease is lost meanwhile: its agents are others', and what it writes late is refused
  async stopped(r) { const { child } = cluster.nodes[r(nodes)]; child.kill("SIGSTOP"); await pause(3 * lease); child.kill("SIGCONT"); await pause(lease); },
  async postgres(r) { pg.kill(); await pause(r(1000)); pg.start(); },
  async nats(r) { nats.kill(); await pause(r(2000)); nats.start(); },
};
await scenario("messages under kills", async () => {
  for (const [k, name] of receivers.entries()) await must(k % nodes, "POST", "/agents", { kind: "external", name, durable: true, mailbox_max: 100000 });
  const r = random(seed), actors = conversations.map(sender), hearers = receivers.map(receiver);
  const all = Promise.all([...actors, ...hearers]).catch((e) => { ending = over = true; check(false, "an actor", e); });
  const kinds = Object.keys(faults);
  for (let n = 0; n < rounds && !over; n++) {
    await pause(300 + r(700));
    console.log(`kill ${n}: ${kinds[n % kinds.length]}`);
    await faults[kinds[n % kinds.length]](r);
  }
  await pause(500);
  ending = true;
  await until(() => over || conversations.every((c) => c.got.length >= c.sent), "all that was acknowledged", 60000).catch(() => {});
  for (const c of conversations) {
    const wrong = c.got.findIndex((n, i) => n !== i);
    check(c.got.length >= c.sent && wrong < 0, `${c.id} from node ${c.node} to ${c.receiver}: ${c.got.length} of ${c.sent}, in order, once`, wrong < 0 ? undefined : { at: wrong, got: c.got.slice(Math.max(0, wrong - 3), wrong + 4) });
  }
  const count = (what) => Number(execFileSync("psql", ["-Atc", what, store], { encoding: "utf8" }).trim());
  await until(() => count("select count(*) from letter where state = 0") === 0, "no letter to wait", 30000).catch(() => {});
  over = true;
  await all;
  const rows = execFileSync("psql", ["-Atc", "select l.key, l.state, l.node, l.come, (select a.node from mailer a where a.id = l.receiver), (select string_agg(seq || ':' || n.state, ' ') from node n) from letter l where state in (0, 1) limit 5", store], { encoding: "utf8" });
  equal(rows, "", "no letter waits, none is dead");
  const sent = conversations.reduce((sum, c) => sum + c.got.length, 0);
  equal(count("select count(*) from letter l join mail m on m.key = l.mail where l.state = 2 and m.conversation is not null"), sent, "every message that was accepted is delivered, once");
  console.log(`${rounds} kills: ${sent} messages, ${again} times again`);
  for (const b of await Promise.all([0, 1].map(mails))) check(b.sent + b.come === b.delivered + b.dead + b.expired + b.pending + b.gone, "a node's books balance", b);
});
for (const [i, at] of cluster.nodes.entries()) if (at.exit !== null && !at.dying) check(false, `node ${i} runs`, at.text().slice(-3000));
await cluster.stop();
finish();
