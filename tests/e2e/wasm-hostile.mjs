// wasm-hostile.mjs - the hostile modules of tests/wasm/hostile against a server: each is deployed
// and an agent of it gets a message.  What becomes of it is what outcomes.tsv says; an agent of
// another module answers after each, and it is the same server to the end.
//
//   wasm-hostile.mjs [all | NAME,...]     else the first of each kind and outcome
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { call, check, equal, finish, repo, scenario, scratch, startServer, until } from "./lib.mjs";
import { ack, poll, register, sendAs } from "./mail-lib.mjs";
import { generated } from "../wasm/hostile/generated.mjs";
import { first, rows } from "../wasm/hostile/rows.mjs";

const folder = path.join(repo, "tests/wasm/hostile"), dir = scratch();
const most = { fuel: 2000000000, depth: 10000 };
const which = process.argv[2], only = which !== "all" ? which?.split(",") : undefined;

// Those that are one module and one message; what many messages are for, and what takes long to
// compile, run-wasm-hostile looks at.
const usable = (r) => (r.attempt === "-" || r.attempt === "start" || r.outcome.startsWith("refused")) && !r.limits.allow && !r.limits.calls && !/truncated|mb$/.test(r.name);
const chosen = rows.filter((r) => usable(r) && (only ? only.includes(r.name) : which === "all" || first.has(r)));

function assemble(name, wat) {
  const to = path.join(dir, `${name}.wasm`);
  const made = spawnSync("wat2wasm", [...(name.startsWith("feature-") ? ["--enable-all"] : []), wat, "-o", to], { encoding: "utf8" });
  if (made.status !== 0) throw new Error(made.stderr);
  return readFileSync(to);
}
function bytesOf(name) {
  const wat = path.join(folder, `${name}.wat`);
  if (existsSync(wat)) return assemble(name, wat);
  const one = generated[name]()[0];
  if (typeof one !== "string") return one;
  writeFileSync(path.join(dir, `${name}.wat`), one);
  return assemble(name, path.join(dir, `${name}.wat`));
}

async function put(server, name, bytes, query) {
  const r = await fetch(`${server.url}/wasm/modules/${name}?${query}`, { method: "PUT", headers: { "content-type": "application/wasm" }, body: bytes });
  return { status: r.status, text: await r.text() };
}
const words = { allow: "log,now_ms,send,reply,store_get,store_put,tool_call" };
function query(row) {
  const l = row.limits, fuel = Math.min(Number(l.fuel ?? 10000000), most.fuel);
  return `allow=${words.allow}&strategy=immediate&fuel=${fuel}&cpu=${l.cpu ?? 1000000}us&depth=${l.depth ?? 1000}&memory=${Number(l.pages ?? 16) * 64}KB`;
}

// How many calls and starts were stopped, by reason, at all nodes.
async function traps(server) {
  const sum = {};
  for (const node of server.nodes ?? [server])
    for (const m of (await call(node, "GET", "/metrics")).text.matchAll(/^cohort_wasm_traps_total\{reason="([^"]*)"\} (\d+)$/gm)) sum[m[1]] = (sum[m[1]] ?? 0) + Number(m[2]);
  return sum;
}

const server = await startServer();
await register(server, "ann");
const pid = server.child.pid;
const neighbour = '(module (import "cohort" "reply" (func $reply (param i32 i32) (result i32))) (memory (export "memory") 1) (data (i32.const 16) "{\\22content\\22:42}") (func (export "alloc") (param i32) (result i32) (i32.const 1024)) (func (export "handle_message") (param i32 i32) (result i32) (drop (call $reply (i32.const 16) (i32.const 14))) (i32.const 0)))';
writeFileSync(path.join(dir, "good.wat"), neighbour);
{
  const good = await put(server, "good", assemble("good", path.join(dir, "good.wat")), "allow=reply&cpu=1s");
  if (good.status !== 200) throw new Error(`the neighbour: ${good.status} ${good.text}`);
  const a = await call(server, "POST", "/agents", { kind: "wasm", graph_id: "good", name: "good", durable: false });
  if (a.status !== 200) throw new Error(a.text);
}

async function answers(what) {
  await sendAs(server, "ann", "good", "?", { performative: "request", delivery: { max_retries: 20 } });
  const list = await until(async () => { const got = await poll(server, "ann", { wait: 5000, max: 10 }); return got.some((m) => m.content === 42) && got; }, `the neighbour after ${what}`);
  await ack(server, "ann", list.map((m) => m.message_id));
}

async function one(row, i) {
  const name = `bad-${i}`, r = await put(server, name, bytesOf(row.name), query(row)), [kind, ...rest] = row.outcome.split(" ");
  if (kind === "refused") { check([413, 422].includes(r.status) && r.text.includes(rest.join(" ")), `${row.name}: ${row.outcome}`, `${r.status} ${r.text}`); return; }
  if (kind === "start") { check(r.status === 422, `${row.name}: it cannot be started`, `${r.status} ${r.text}`); return; }
  if (!check(r.status === 200, `${row.name} is deployed`, `${r.status} ${r.text}`)) return;
  const a = await call(server, "POST", "/agents", { kind: "wasm", graph_id: name, name, durable: false });
  if (!check(a.status === 200, `${row.name}: an agent`, a.text)) return;
  const before = await traps(server);
  await sendAs(server, "ann", name, "x", { performative: "request", delivery: { max_retries: 1 } });
  const done = await until(async () => { const x = (await call(server, "GET", `/agents/${name}`)).json; return x.books.pending === 0 && x; }, `${row.name} to be over`);
  const after = await traps(server), grown = Object.keys(after).filter((k) => after[k] > (before[k] ?? 0));
  equal([done.books.delivered, done.books.dead], row.outcome === "returns 0" ? [1, 0] : [0, 1], `${row.name}: what becomes of its letter`);
  if (kind === "trap") check(grown.length === 1 && grown[0] === rest[0].toLowerCase(), `${row.name}: ${row.outcome}`, grown);
  else equal(grown, [], `${row.name}: nothing is stopped`);
  await call(server, "DELETE", `/agents/${name}`);
  await until(async () => (await call(server, "DELETE", `/wasm/modules/${name}`)).status === 204, `${row.name} to be deleted`);
}

for (const [i, row] of chosen.entries())
  await scenario(row.name, async () => {
    await one(row, i);
    await answers(row.name);
    equal([server.child.exitCode, server.child.pid], [null, pid], `${row.name}: the server lives`);
  });
check(chosen.length > (only ? 0 : which === "all" ? 90 : 50), "modules were tried", chosen.length);
await server.stop();
finish();
