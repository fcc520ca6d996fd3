// mail-kill.mjs [KILLS] [SEED] [QUEUED] - kill -9 under durable messages: clients that write
// to clients, and to agents that answer, each in conversations of its own.
//
// A sender numbers its messages and sends again, with the same message_ids, what was not
// acknowledged when the server died.  A receiver notes a message_id once, and leaves some
// unacked, so that they come again.  Then each conversation has been received from 0 to its
// last number, in order, once; an agent has noted each request once; nothing is dead.  At
// last QUEUED messages wait in one mailbox when the server dies: they are there again at once.  The order of choices follows from the seed.  20 kills, and 100000 messages.
import { readFileSync } from "node:fs";
import { check, equal, finish, freePort, scenario, scratch, until } from "../e2e/lib.mjs";
import { agentFolder } from "../e2e/core-lib.mjs";
import { killable, messageId, pause, random } from "./kill-lib.mjs";

const kills = Number(process.argv[2] ?? 20), seed = Number(process.argv[3] ?? Date.now() % 1000000), queued = Number(process.argv[4] ?? 100000);
console.log(`seed ${seed}`);

const at = killable({ dir: scratch(), port: await freePort(), args: ["--agents", agentFolder(["kill"])] }), { ask, must } = at;

// ---- conversations ------------------------------------------------------------------------

const receivers = ["ann", "bob", "cyd"], echoes = ["echo-0", "echo-1"];
const conversations = [];
for (let i = 0; i < 6; i++) conversations.push({ id: `c-${i}`, i, receiver: receivers[i % 3], performative: "inform", sent: 0, got: [] });
for (let i = 6; i < 10; i++) conversations.push({ id: `e-${i}`, i, receiver: echoes[i % 2], performative: "request", reply_to: receivers[i % 3], sent: 0, got: [] });

const message = (c, n) => ({ message_id: messageId(c.i, n), performative: c.performative, receiver: c.receiver, conversation_id: c.id,
  ...(c.reply_to ? { reply_to: c.reply_to, reply_with: `${c.id}-${n}` } : {}), content: { n }, delivery: { durable: true } });

let ending = false, again = 0, acks = 0;
async function sender(c) {
  const r = random(seed * 1000 + c.i);  // each actor has its own
  while (!ending) {
    const messages = Array.from({ length: 1 + r(4) }, (_, k) => message(c, c.sent + k));
    for (;;) {
      const a = await ask("POST", "/messages", { messages });
      if (a === undefined) { again++; continue; }
      if (a.status !== 200 || a.json.results.some((x) => x.error)) throw new Error(`${c.id}: ${a.status} ${a.text}`);
      break;
    }
    c.sent += messages.length;
    // not more than the agent can answer meanwhile
    if (c.reply_to) await until(() => c.got.length + 20 > c.sent || ending, `answers of ${c.receiver} in ${c.id}: ${c.got.length} of ${c.sent}`, 60000);
    else await pause(r(5));
  }
}

const seen = new Set();
let over = false;
async function receiver(name, k) {
  const r = random(seed * 1000 + 100 + k);
  while (!over) {
    const a = await ask("GET", `/agents/${name}/mailbox?wait=100&max=${1 + r(60)}`);
    if (a === undefined) continue;
    if (a.status !== 200) throw new Error(`${name}: ${a.status} ${a.text}`);
    for (const m of a.json) {
      if (seen.has(m.message_id)) { again++; continue; }
      seen.add(m.message_id);
      conversations.find((c) => c.id === m.conversation_id).got.push(m.content.n);
    }
    const ids = a.json.filter(() => r(10) > 0).map((m) => m.message_id);
    if (ids.length > 0 && await ask("POST", `/agents/${name}/mailbox/ack`, { message_ids: ids })) acks++;
  }
}

await scenario("messages under kills", async () => {
  await at.start();
  for (const name of receivers) await must("POST", "/agents", { kind: "external", name, durable: true, mailbox_max: 100000 });
  // a run that is cut off LIMIT_RUN_ATTEMPTS times before it got anywhere fails, and is made again
  const supervision = { restart: "on_failure", max_restarts: 100, window: 3600000, backoff: 1 };
  for (const name of echoes) await must("POST", "/agents", { graph_id: "kill_echo", name, supervision });
  const ids = Object.fromEntries(await Promise.all(echoes.map(async (n) => [n, (await must("GET", `/agents/${n}`)).agent_id])));
  const r = random(seed * 1000 + 999), actors = [...conversations.map(sender)], hearers = receivers.map(receiver);
  const all = Promise.all([...actors, ...hearers]).catch((e) => { ending = over = true; check(false, "an actor", e); });
  for (let k = 0; k < kills && !over; k++) {
    await pause(20 + r(400));
    await at.kill();
  }
  ending = true;
  await Promise.all(actors);
  await until(() => over || conversations.every((c) => c.got.length >= c.sent), "all that was acknowledged", 60000).catch(() => {});
  for (const c of conversations) {
    const wrong = c.got.findIndex((n, i) => n !== i);
    check(c.got.length === c.sent && wrong < 0, `${c.id} to ${c.receiver}: ${c.got.length} of ${c.sent}, in order, once`, wrong < 0 ? undefined : { at: wrong, got: c.got.slice(Math.max(0, wrong - 3), wrong + 4) });
  }
  for (const name of echoes) {
    const of = conversations.filter((c) => c.receiver === name);
    equal((await must("GET", `/threads/${ids[name]}/state`)).values.noted, of.reduce((sum, c) => sum + c.sent, 0), `${name} has noted each request once`);
  }
  await until(async () => (await at.books()).pending === 0, "nothing to wait", 30000).catch(() => {});
  over = true;
  await all;
  const b = await at.books();
  check(b.sent === b.delivered + b.dead + b.expired + b.pending && b.pending === 0 && b.dead === 0, "the books balance, nothing waits, nothing is dead", b);
  equal((await must("GET", "/messages/dead")).length, 0, "no dead letter");
  const starts = at.starts.sort((x, y) => x - y);
  console.log(`${kills} kills: ${conversations.reduce((sum, c) => sum + c.sent, 0)} messages, ${seen.size} received, ${again} times again, ${acks} acks; up again after ${Math.round(starts[starts.length >> 1])} ms (most ${Math.round(starts.at(-1))})`);
});

await scenario(`${queued} that wait`, async () => {
  await must("POST", "/agents", { kind: "external", name: "box", durable: true, mailbox_max: 1000000 });
  for (let n = 0; n < queued; n += 500) {
    const messages = Array.from({ length: Math.min(500, queued - n) }, (_, i) => ({ performative: "inform", receiver: "box", content: { n: n + i }, delivery: { durable: true } }));
    const a = await must("POST", "/messages", { messages });
    if (a.results.some((x) => x.error)) throw new Error(JSON.stringify(a.results.find((x) => x.error)));
  }
  equal((await must("GET", "/agents/box")).waiting, queued, "all wait");
  await at.server.stop("SIGKILL");
  const began = performance.now();
  await at.start();
  const ok = performance.now() - began;
  await until(async () => (await must("GET", "/agents/box")).waiting === queued, `${queued} to wait again`);
  const took = performance.now() - began;
  // time of the processor: what other processes take does not count
  const stat = readFileSync(`/proc/${at.server.child.pid}/stat`, "utf8").split(") ")[1].split(" "), cpu = 10 * (Number(stat[11]) + Number(stat[12]));
  console.log(`${queued} recovered: /ok after ${Math.round(ok)} ms, all of them after ${Math.round(took)} ms, ${cpu} ms of the processor`);
  check(cpu < 1000, `${queued} are there within a second of the processor`, cpu);
  equal((await must("GET", "/agents/box/mailbox?max=3")).map((m) => m.content.n), [0, 1, 2], "in order");
  await at.server.stop();
});
finish();
