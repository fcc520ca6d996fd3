// wasm-kill.mjs [KILLS] [SEED] - kill -9 of the server, and of its host processes, under load
// on agents that are guests.
//
// Durable counters are sent durable messages, which are sent again with the same message_id
// when the server died before it had answered.  Each counter replies with its count to a
// durable client.  In the end: the books balance and nothing is dead; each counter's count
// equals the messages that were sent to it; its replies say 1, 2, 3, ... each once; so its
// state, the letters that it has taken and those that it has sent were always committed
// together.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { call, check, equal, finish, freePort, scenario, scratch, until } from "../e2e/lib.mjs";
import { hand } from "../wasm/guests.mjs";
import { killable, messageId, pause, random as choices } from "./kill-lib.mjs";

const kills = Number(process.argv[2] ?? 12), seed = Number(process.argv[3] ?? Date.now() % 1000000);
const port = await freePort(), random = choices(seed);
console.log(`seed ${seed}`);

function hosts(k) {
  return readdirSync("/proc").filter((p) => /^\d+$/.test(p)).filter((p) => {
    try { return readFileSync(`/proc/${p}/stat`, "utf8").match(/\) \S (\d+)/)[1] === String(k.server.child.pid) && readFileSync(`/proc/${p}/cmdline`, "utf8").includes("cohort-wasm-host"); } catch { return false; }
  }).map(Number);
}
// How many there were.
function killHosts(k) {
  const list = hosts(k);
  for (const pid of list) try { process.kill(pid, "SIGKILL"); } catch { /* it has ended */ }
  return list.length;
}
// A server with the module of guests.
async function begin(args, tools) {
  const k = killable({ dir: scratch(), port, args: [...args, "--shards", "2"] });
  await k.start();
  const put = await fetch(`${k.server.url}/wasm/modules/hand?allow=log,reply,send,store_get,store_put,tool_call${tools ? `&tools=${tools}` : ""}`, { method: "PUT", headers: { "content-type": "application/wasm" }, body: hand() });
  equal(put.status, 200, "the module");
  return k;
}

// ---- load ------------------------------------------------------------------------------

const counters = Array.from({ length: 6 }, (_, i) => ({ name: `count-${i}`, i, sent: 0, got: [] }));
let ending = false, allSent = false, again = 0, serverKills = 0, hostKills = 0;

async function sender(c, { ask }) {
  while (!ending) {
    const n = 1 + random(4);
    const messages = Array.from({ length: n }, (_, k) => ({ message_id: messageId(c.i, c.sent + k), performative: "request", receiver: c.name,
      reply_to: "ann", reply_with: `${c.i}-${c.sent + k}`, content: { do: "add" }, delivery: { durable: true } }));
    for (;;) {
      const r = await ask("POST", "/messages", { messages });
      if (r === undefined) { again++; continue; }
      if (r.status !== 200 || r.json.results.some((x) => x.error)) throw new Error(`${c.name}: ${r.status} ${r.text}`);
      break;
    }
    c.sent += n;
    await until(() => c.got.length + 40 > c.sent || ending, `replies of ${c.name}: ${c.got.length} of ${c.sent}`, 60000);
  }
}

// A reply is noted once, then acked; what was not acked comes again.
async function receiver({ ask }) {
  const seen = new Set();
  while (!allSent || counters.some((c) => c.got.length < c.sent)) {
    const r = await ask("GET", "/agents/ann/mailbox?wait=500&max=100");
    if (r === undefined || r.status !== 200) { await pause(10); continue; }
    for (const m of r.json) {
      if (seen.has(m.message_id)) continue;
      seen.add(m.message_id);
      const c = counters.find((x) => x.name === m.sender);
      if (c) c.got.push(m.content.count);
      else check(false, "a message of somebody else", m);
    }
    if (r.json.length > 0) await ask("POST", "/agents/ann/mailbox/ack", { message_ids: r.json.map((m) => m.message_id) });
    if (ending && receiver.end < Date.now()) throw new Error(`replies are missing: ${counters.map((c) => `${c.name} ${c.got.length}/${c.sent}`).join(" ")}`);
  }
}

async function killer(k) {
  for (let n = 0; n < kills; n++) {
    await pause(200 + random(500));
    if (random(2) === 0) {
      serverKills++;
      await k.kill();
    } else {
      hostKills += killHosts(k);
    }
  }
}

await scenario("kill -9 under load", async () => {
  const k = await begin([]), { must } = k;
  await must("POST", "/agents", { kind: "external", name: "ann", durable: true, mailbox_max: 10000 });
  for (const c of counters) await must("POST", "/agents", { kind: "wasm", graph_id: "hand", name: c.name, durable: true, supervision: { restart: c.i % 2 ? "never" : "on_failure", ...(c.i % 2 ? {} : { max_restarts: 100, window: 600000, backoff: 20 }) } });
  const senders = counters.map((c) => sender(c, k)), load = [...senders, receiver(k)];
  receiver.end = Infinity;
  await Promise.race([killer(k), Promise.all(load)]);
  ending = true;
  receiver.end = Date.now() + 60000;
  await Promise.all(senders);
  allSent = true;
  await Promise.all(load);
  for (const c of counters) {
    const a = await until(async () => { const x = await must("GET", `/agents/${c.name}`); return x.books.pending === 0 && x; }, `${c.name} to be done`);
    equal(a.books.dead, 0, `${c.name}: nothing is dead`);
    c.got.sort((x, y) => x - y);
    equal(c.got.find((n, i) => n !== i + 1), undefined, `${c.name}: the replies say 1, 2, 3, ... each once`);
    equal(c.got.length, c.sent, `${c.name}: a reply for each message`);
    await must("POST", "/messages", { performative: "request", receiver: c.name, reply_to: "ann", reply_with: `last-${c.i}`, content: { do: "add" } });
    // What was not acked when the server died comes again before it.
    const last = await until(async () => {
      const list = await must("GET", "/agents/ann/mailbox?wait=2000&max=1000");
      await must("POST", "/agents/ann/mailbox/ack", { message_ids: list.map((m) => m.message_id) });
      return list.find((m) => m.in_reply_to === `last-${c.i}`);
    }, `the last reply of ${c.name}`, 30000);
    equal(last.content.count, c.sent + 1, `${c.name}: its count is the number of its messages`);
  }
  const total = counters.reduce((n, c) => n + c.sent, 0);
  console.log(`${total} messages, ${serverKills} kills of the server, ${hostKills} of host processes, ${again} batches sent again`);
  check(total > 50 && serverKills + hostKills > 0, "there was something to kill", { total, serverKills, hostKills });
  const b = await k.books();
  equal(b.sent, b.delivered + b.dead + b.expired + b.pending, "the books balance");
  await k.server.stop();
});

// A node that is made again runs its guest from the start, but what the guest has read and
// written is not done again: so a number in its store grows by one for each node, no more.
await scenario("nodes of a graph, kill -9", async () => {
  const agents = scratch(), steps = 40;
  writeFileSync(path.join(agents, "up.yaml"), `id: up\nstate: {value: {}}\nnodes:\n  a:\n    repeat: {times: ${steps}, do: [{wasm: hand, input: {do: "'up'"}}, {wait: {ms: 20}}]}\nedges: [[START, a], [a, END]]\n`);
  const k = await begin(["--agents", agents]), { must } = k;
  // A run is given up when the server has stopped three times under it.
  const rounds = Math.max(2, Math.ceil(kills / 4));
  for (let round = 1; round <= rounds; round++) {
    const thread = await must("POST", "/threads", {});
    const run = await must("POST", `/threads/${thread.thread_id}/runs`, { assistant_id: "up", input: {} });
    for (let n = 0; n < 4; n++) {
      await pause(50 + random(250));
      if (n % 2 === 0) killHosts(k);
      else await k.kill();
    }
    const end = await until(async () => { const r = await must("GET", `/threads/${thread.thread_id}/runs/${run.run_id}`); return !["pending", "running"].includes(r.status) && r; }, "the run to end", 60000);
    if (!equal(end.status, "success", `run ${round} succeeds`)) console.log((await call(k.server, "GET", `/threads/${thread.thread_id}`)).text);
    const item = (await must("POST", "/store/items/search", { namespace_prefix: ["wasm"] })).items[0];
    if (!equal(item?.value, { value: round * steps }, `after run ${round} the number is that of the nodes`)) break;
  }
  await k.server.stop();
});

// A letter that is handled again calls its tools again, with the keys of the first time; so an
// agent of which each message makes one work item makes as many as there are messages.
await scenario("tools of an agent, kill -9", async () => {
  const rounds = Math.max(4, kills), batch = 20, titles = [];
  const k = await begin([], "work_create"), { must } = k;
  await must("POST", "/agents", { kind: "wasm", graph_id: "hand", name: "maker", durable: true });
  let waiting = 0;
  for (let round = 0; round < rounds; round++) {
    const messages = Array.from({ length: batch }, (_, k) => ({ message_id: messageId(0, titles.length + k), performative: "request", receiver: "maker",
      content: { do: "tool", name: "work_create", args: { title: `item ${titles.length + k}` } }, delivery: { durable: true } }));
    await must("POST", "/messages", { messages });
    titles.push(...messages.map((m) => m.content.args.title));
    await until(async () => (await must("GET", "/agents/maker")).books.pending < batch, "a letter to be handled");
    waiting += (await must("GET", "/agents/maker")).books.pending > 0;
    if (random(3) === 0) killHosts(k);
    else await k.kill();
    const a = await until(async () => { const x = await must("GET", "/agents/maker"); return x.books.pending === 0 && x; }, "all letters to be handled", 60000);
    equal(a.books.dead, 0, "nothing is dead");
  }
  const items = await must("GET", `/work/items?limit=${titles.length * 2}`);
  console.log(`${titles.length} messages, ${rounds} kills, ${waiting} of them with letters waiting`);
  equal(items.map((x) => x.title).sort(), [...titles].sort(), "a work item for each message");
  await k.server.stop();
});

finish();
