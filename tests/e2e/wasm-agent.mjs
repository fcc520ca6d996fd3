// wasm-agent.mjs - agents that are guests in a sandbox, through the messages of HTTP: letters,
// stores, tools, failures, supervisors, lost host processes, reloads under load, durable ones
// over kill -9, and a graph's node.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { call, check, equal, finish, freePort, scenario, scratch, startServer, until } from "./lib.mjs";
import { ack, contents, poll, register, sendAs } from "./mail-lib.mjs";
import { hand } from "../wasm/guests.mjs";

const every = "allow=log,reply,send,store_get,store_put,tool_call&tools=calculate";
const one = hand("VERSION=1"), two = hand("VERSION=2"), three = hand("VERSION=3"), bad = hand("VERSION=9", "BAD");

async function put(server, name, bytes, query = every) {
  const r = await fetch(`${server.url}/wasm/modules/${name}?${query}`, { method: "PUT", headers: { "content-type": "application/wasm" }, body: bytes });
  return { status: r.status, json: await r.json() };
}
async function must(server, name, bytes, query) {
  const r = await put(server, name, bytes, query);
  if (r.status !== 200) throw new Error(`PUT ${name}: ${r.status} ${JSON.stringify(r.json)}`);
  return r.json;
}
async function spawn(server, name, more = {}) {
  const r = await call(server, "POST", "/agents", { kind: "wasm", graph_id: "hand", name, durable: false, ...more });
  if (r.status !== 200) throw new Error(`spawn ${name}: ${r.status} ${r.text}`);
  return r.json;
}
const agent = async (server, name) => (await call(server, "GET", `/agents/${name}`)).json;
const idle = (server, name) => until(async () => { const a = await agent(server, name); return a.books.pending === 0 && a; }, `${name} to have handled its letters`);
// From ann, and what the reply has.
async function ask(server, name, content, more = {}) {
  const r = await sendAs(server, "ann", name, content, { performative: "request", ...more });
  if (r.status !== 200) throw new Error(`ask ${name}: ${r.status} ${r.text}`);
  const list = await poll(server, "ann", { wait: 10000, max: 1 });
  await ack(server, "ann", list.map((m) => m.message_id));
  return contents(list)[0];
}
const once = { delivery: { max_retries: 1 } };
// The host processes of servers.
function hosts(servers) {
  const pids = servers.map((x) => String(x.child.pid));
  return readdirSync("/proc").filter((p) => /^\d+$/.test(p)).filter((p) => {
    try { return pids.includes(readFileSync(`/proc/${p}/stat`, "utf8").match(/\) \S (\d+)/)[1]) && readFileSync(`/proc/${p}/cmdline`, "utf8").includes("cohort-wasm-host"); } catch { return false; }
  }).map(Number);
}

const server = await startServer();
// Of several nodes the one where a new version is asked for judges it.
const nodes = server.nodes ?? [server], home = nodes[0];
await register(server, "ann");

await scenario("letters", async () => {
  await must(server, "hand", one);
  const a = await spawn(server, "h");
  equal([a.kind, a.graph_id, a.state], ["wasm", "hand", "ready"], "an agent of kind wasm");
  equal(await ask(server, "h", { do: "add" }), { count: 1, version: 1 }, "it counts");
  equal(await ask(server, "h", { do: "add" }), { count: 2, version: 1 }, "it has a memory");
  await sendAs(server, "ann", "h", { do: "tell", to: "ann" });
  equal(contents(await poll(server, "ann", { wait: 10000 })), [{ count: 2 }], "it writes to others");
  await sendAs(server, "ann", "h", { do: "tell-and-fail", to: "ann" }, once);
  const b = await idle(server, "h");
  equal([b.books.delivered, b.books.dead, b.waiting], [3, 1, 0], "what fails is tried again, then dead");
  equal((await poll(server, "ann")).filter((m) => m.content?.count !== undefined), [], "what a failed call sent is dropped");
  equal((await ask(server, "h", { do: "grow" })).pages > 0, true, "memory grows");
  equal((await ask(server, "h", { do: "add" })).count, 3, "and is as it was");
});

await scenario("store and tools", async () => {
  await spawn(server, "s.t");
  equal(await ask(server, "s.t", { do: "get" }), { rc: -1 }, "nothing is in its store");
  equal(await ask(server, "s.t", { do: "put", value: { a: [1, "x"] } }), { rc: 0 }, "written");
  equal(await ask(server, "s.t", { do: "get" }), { value: { a: [1, "x"] } }, "and read");
  equal(await ask(server, "h", { do: "get" }), { rc: -1 }, "another agent's store is another one");
  const items = await call(server, "POST", "/store/items/search", { namespace_prefix: ["wasm"] });
  equal(items.json.items.map((i) => [i.namespace, i.key, i.value]), [[["wasm", "s%2Et"], "value", { value: { a: [1, "x"] } }]], "the owner sees it");
  equal(await ask(server, "h", { do: "tool", name: "calculate", args: { expression: "6*7" } }), { rc: 0, text: "42" }, "a tool");
  equal(await ask(server, "h", { do: "tool", name: "current_time", args: {} }), { rc: -2, text: "" }, "one that it may not call");
  equal((await ask(server, "h", { do: "tool", name: "calculate", args: { no: 1 } })).rc, -6, "wrong arguments");
  const less = await put(server, "less", one, "allow=reply");
  equal(less.status, 422, "a module that imports what it is not allowed is refused");
});

await scenario("what cannot be", async () => {
  for (const [body, words] of [
    [{ graph_id: "nothing" }, "nothing"], [{ graph_id: "hand", input: {} }, "input"], [{ graph_id: "hand", config: { a: 1 } }, "config"], [{}, "graph_id"],
  ]) {
    const r = await call(server, "POST", "/agents", { kind: "wasm", durable: false, ...body });
    check(r.status === 422 && r.text.includes(words), `refused: ${JSON.stringify(body)}`, r.text);
  }
});

await scenario("traps", async () => {
  await spawn(server, "t");
  for (const what of ["trap", "spin"]) {
    await ask(server, "t", { do: "add" });
    await sendAs(server, "ann", "t", { do: what }, once);
    await idle(server, "t");
    equal(await ask(server, "t", { do: "add" }), { count: 1, version: 1 }, `after ${what} the next letter finds a new instance`);
  }
  equal((await agent(server, "t")).books.dead, 2, "the letters are dead");
  equal((await ask(server, "h", { do: "add" })).count, 4, "a neighbour in the same process feels nothing");
  await spawn(server, "u", { supervision: { restart: "on_failure", max_restarts: 2, window: 60000, backoff: 10 } });
  await sendAs(server, "ann", "u", { do: "trap" }, { delivery: { max_retries: 1 } });
  await until(async () => { const u = await agent(server, "u"); return u.supervision.restarts === 2 && u.state !== "loaded" && u; }, "two restarts");
  equal((await ask(server, "u", { do: "add" })).count, 1, "its supervisor has started it again");
  await sendAs(server, "ann", "u", { do: "trap" }, once);
  const u = await until(async () => { const x = await agent(server, "u"); return x.state === "failed" && x; }, "the supervisor to give up");
  check(/unreachable/.test(JSON.stringify(u.error)), "its error says why", u.error);
});

await scenario("a lost host process", async () => {
  await Promise.all(Array.from({ length: 20 }, (_, i) => spawn(server, `l${i}`)));
  const before = hosts(nodes);
  check(before.length > 0, "host processes", before);
  for (let i = 0; i < 20; i++) await sendAs(server, "ann", `l${i}`, { do: "add" }, { performative: "request" });
  for (const pid of before) try { process.kill(pid, "SIGKILL"); } catch (e) { equal(e.code, "ESRCH", "it ended by itself"); }
  for (let i = 0; i < 20; i++) await sendAs(server, "ann", `l${i}`, { do: "add" }, { performative: "request" });
  for (let i = 0; i < 20; i++) {
    const l = await idle(server, `l${i}`);
    equal([l.books.delivered, l.books.dead, l.state], [2, 0, "running"], `l${i} has lost no letter`);
  }
  await until(async () => (await poll(server, "ann")).length === 0, "the replies");
  equal(server.exit, null, "the server lives");
});

// Messages to agents while a new version of their module comes: at least COUNT, and until the
// change is over, however long it takes; each is replied to, once.  Gives the versions that replied,
// in order of the messages, and the module as it is then.
const settled = (at, what) => until(async () => { const m = (await call(at, "GET", "/wasm/modules/hand")).json; return m.reload === null && m; }, `${what} to be over`);
async function load(names, count, change) {
  const name = names[0];
  const got = new Map();
  let sent = 0, over = false, end = Infinity;
  const changes = (async () => {
    await until(() => sent > count / 4, "some messages");
    await change();
    return settled(home, `${name}: the reload`);
  })().finally(() => { over = true; });
  changes.catch(() => {});                 // it is awaited below, after the messages
  const receiver = (async () => {
    while (Date.now() < end && (end === Infinity || got.size < sent))
      for (const m of await poll(home, "ann", { wait: 200, max: 100 })) got.set(m.in_reply_to, (got.get(m.in_reply_to) ?? []).concat(m.content.version));
  })();
  receiver.catch(() => {});
  for (; sent < count || !over; sent++) {
    const r = await sendAs(home, "ann", names[sent % names.length], { do: "add" }, { performative: "request", reply_with: `${name}-${sent}`, delivery: { max_retries: 10 } });
    if (r.status === 429) { sent--; await new Promise((ok) => setTimeout(ok, 20)); }
    else if (r.status !== 200) throw new Error(`${name}: ${r.status} ${r.text}`);
  }
  end = Date.now() + 60000;
  const module = await changes;
  await receiver;
  equal([got.size, [...got.values()].filter((v) => v.length !== 1).length], [sent, 0], `${name}: each message has one reply`);
  for (const n of names) equal((await idle(home, n)).books.dead, 0, `${n}: nothing is dead`);
  return { module, versions: Array.from({ length: sent }, (_, i) => got.get(`${name}-${i}`)?.[0]) };
}

for (const [strategy, more] of [["graceful", ""], ["immediate", ""], ["parallel", ""], ["split", "&percent=30&calls=60"]])
  await scenario(`reload: ${strategy}`, async () => {
    await must(home, "hand", two);
    await spawn(home, `r-${strategy}`);
    await poll(home, "ann");
    const { versions } = await load([`r-${strategy}`], 400, async () => { await must(home, "hand", three, `${every}&strategy=${strategy}${more}`); });
    equal(versions[0], 2, `${strategy}: begins with the old one`);
    equal((await ask(home, `r-${strategy}`, { do: "add" })).version, 3, `${strategy}: ends with the new one`);
    if (strategy === "graceful" || strategy === "parallel") check(versions.every((v, i) => i === 0 || v >= versions[i - 1]), `${strategy}: no letter goes back to the old one`);
    if (strategy === "split") check(versions.includes(2) && versions.includes(3), "split: both answer for a while");
  });

await scenario("a failing version rolls back by itself", async () => {
  await must(home, "hand", three);
  const names = Array.from({ length: 25 }, (_, i) => `bad-${i}`);
  await Promise.all(names.map((n) => spawn(home, n)));
  const { module: m } = await load(names, 400, async () => { await must(home, "hand", bad, `${every}&strategy=split&percent=20&calls=40&error_percent=5`); });
  check(/^rolled_back/.test(m.outcome ?? ""), "it was rolled back", m.outcome);
  equal((await ask(home, "bad-1", { do: "add" })).version, 3, "the old one answers");
});

await scenario("metrics", async () => {
  const text = (await Promise.all(nodes.map(async (x) => (await fetch(`${x.url}/metrics`)).text()))).join("");
  for (const name of ["cohort_wasm_hosts", "cohort_wasm_instances", "cohort_wasm_calls_total", "cohort_wasm_traps_total{reason=\"unreachable\"}", "cohort_wasm_agents", "cohort_wasm_handled_total", "cohort_wasm_reloaded_total", "cohort_wasm_hosts_lost_total"])
    check(text.split("\n").some((l) => l.startsWith(`${name} `) && (Number(l.split(" ").at(-1)) > 0)), `/metrics has ${name}`, text.split("\n").filter((l) => l.includes("wasm")).join("\n"));
});
await server.stop();

await scenario("durable agents over kill -9", async () => {
  const dir = scratch(), port = await freePort();
  let s = await startServer({ dir, port });
  await register(s, "ann");
  await must(s, "hand", one);
  await spawn(s, "f", { durable: true });
  equal(await ask(s, "f", { do: "add" }), { count: 1, version: 1 }, "a durable one counts");
  equal(await ask(s, "f", { do: "fail-first" }), { count: 2, version: 1 }, "a letter that has failed once is counted once");
  await s.stop("SIGKILL");
  s = await startServer({ dir, port });
  await register(s, "ann");
  equal(await ask(s, "f", { do: "add" }), { count: 3, version: 1 }, "also after a kill");
  const at = s.nodes?.[0] ?? s;            // it reloads its agents before the others do
  await spawn(at, "d", { durable: true });
  await spawn(at, "e", { durable: true });
  for (let i = 0; i < 30; i++) await sendAs(s, "ann", i % 2 ? "d" : "e", { do: "add" }, { delivery: { durable: true } });
  await idle(s, "d");
  await idle(s, "e");
  await must(at, "hand", two);             // both are reloaded, and begin anew
  for (let i = 0; i < 20; i++) await sendAs(s, "ann", "d", { do: "add" }, { delivery: { durable: true } });
  await idle(s, "d");
  await s.stop("SIGKILL");
  s = await startServer({ dir, port });
  await register(s, "ann");
  equal(await ask(s, "d", { do: "add" }), { count: 21, version: 2 }, "it goes on where it was");
  equal(await ask(s, "e", { do: "add" }), { count: 1, version: 2 }, "what another release had is not given to this one");
  check(s.log.includes("host-start"), "the module came from the cache and the store");
  equal((await call(s, "DELETE", "/agents/d")).status, 204, "stopped");
  await s.stop();
});

await scenario("a node of a graph", async () => {
  const agents = scratch();
  writeFileSync(path.join(agents, "sum.yaml"), "id: sum\nstate: {count: {}, version: {}, got: {}}\nnodes:\n  a: {wasm: hand, input: {do: \"'add'\"}}\n  b: {wasm: hand, input: {do: \"'tool'\", name: \"'calculate'\", args: {expression: \"'1+2'\"}}, writes: {got: result.text}}\nedges: [[START, a], [a, b], [b, END]]\n");
  writeFileSync(path.join(agents, "trap.yaml"), "id: trap\nstate: {got: {}}\nnodes: {a: {wasm: hand, input: {do: \"'trap'\"}}}\nedges: [[START, a], [a, END]]\n");
  writeFileSync(path.join(agents, "none.yaml"), "id: none\nstate: {got: {}}\nnodes: {a: {wasm: nothing, input: 1}}\nedges: [[START, a], [a, END]]\n");
  const s = await startServer({ args: ["--agents", agents] });
  await must(s, "hand", one);
  const run = async (id) => (await call(s, "POST", "/runs/wait", { assistant_id: id, input: {} })).json;
  equal(await run("sum"), { count: 1, version: 1, got: "3" }, "its reply is the result");
  const trap = JSON.stringify(await run("trap"));
  check(trap.includes("WasmError") && trap.includes("unreachable"), "a trap fails the run", trap);
  check(JSON.stringify(await run("none")).includes("nothing"), "there is no such module");
  await s.stop();
});

finish();
