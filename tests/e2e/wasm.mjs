// wasm.mjs - sandboxed agents for clients: modules are deployed, listed, rolled back and
// deleted over HTTP and by `cohort wasm`, what is wrong is refused by name, one owner's are
// not another's; and a team with a guest among its workers, through the newest LangGraph SDK,
// with kill -9 in between.
import { Client } from "sdk-2.0";
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { binary, call, check, equal, finish, oneNode, repo, scenario, scratch, startServer, until } from "./lib.mjs";
import { guest } from "../wasm/guests.mjs";

const counter = readFileSync(guest("counter")), words = readFileSync(guest("words")), ledger = readFileSync(guest("ledger"));
const cache = path.join(repo, "build", "guests", "cache");       // what is compiled once
mkdirSync(cache, { recursive: true, mode: 0o700 });

async function put(server, name, body, query = "", headers = {}) {
  const res = await fetch(`${server.url}/wasm/modules/${name}${query}`, { method: "PUT", body, headers: { "content-type": "application/wasm", ...headers } });
  const text = await res.text();
  let json; try { json = JSON.parse(text); } catch { /* not JSON */ }
  return { status: res.status, text, json };
}
const get = (server, target, headers) => call(server, "GET", target, undefined, headers);
function wat(text) {
  const dir = scratch(), from = path.join(dir, "m.wat"), to = path.join(dir, "m.wasm");
  writeFileSync(from, text);
  execFileSync("wat2wasm", ["--enable-all", "--no-check", from, "-o", to]);
  return readFileSync(to);
}
// A guest of which one part is another.
const part = { memory: '(memory (export "memory") 1)', alloc: '(func (export "alloc") (param i32) (result i32) i32.const 1024)',
  handle: '(func (export "handle_message") (param i32 i32) (result i32) i32.const 0)', first: "", last: "" };
const guestOf = (other = {}) => { const p = { ...part, ...other }; return wat(`(module ${p.first} ${p.memory} ${p.alloc} ${p.handle} ${p.last})`); };
const cli = (server, args, env = {}) => spawnSync(binary, ["wasm", ...args, ...(server ? ["--url", oneNode(server).url] : [])],
  { encoding: "utf8", timeout: 110000, env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env } });

// ---- deployed, shown, gone back, deleted -------------------------------------------------

await scenario("modules over HTTP", async () => {
  const dir = scratch(), server = await startServer({ dir });
  equal((await get(server, "/wasm/modules")).json, [], "none at first");
  const info = (await get(server, "/info")).json.wasm;
  equal(info, { enabled: true, hosts: 0, instances: 0 }, "/info: no process before the first guest");
  const made = await put(server, "counter", counter, "?memory=4MB&fuel=50000000&cpu=20ms&depth=500&message=64KB&rate=10");
  equal(made.status, 200, `deployed ${made.text}`);
  equal([made.json.name, made.json.number, made.json.current, made.json.state, made.json.folder], ["counter", 1, 1, "ready", false], "as its first version");
  equal(made.json.hash, createHash("sha256").update(counter).digest("hex"), "the hash of what was sent");
  equal([made.json.bytes, made.json.imports, made.json.exports.toSorted()], [counter.length, ["reply"], ["alloc", "handle_message"]], "what it is");
  equal(made.json.limits, { memory: 4194304, fuel: 50000000, cpu_us: 20000, depth: 500, message: 65536, rate: 10 }, "what it may use");
  equal(made.json.allow, ["log", "now_ms", "reply"], "what it may call, where nothing is said");
  for (let i = 2; i <= 5; i++) equal((await put(server, "counter", counter, `?depth=${500 + i}`)).json?.number, i, `version ${i}`);
  // What a node does not know yet of the others' it knows a moment later.
  const everywhere = (current) => until(async () => (await Promise.all((server.nodes ?? [server]).map((n) => get(n, "/wasm/modules/counter")))).every((r) => r.json?.current === current), `version ${current} at all nodes`);
  await everywhere(5);
  const shown = (await get(oneNode(server), "/wasm/modules/counter")).json;
  equal([shown.current, shown.versions.map((v) => v.number).toSorted()], [5, [3, 4, 5]], "the last three are kept");
  equal((await get(oneNode(server), "/wasm/modules")).json, [shown], "listed");
  let back = await call(server, "POST", "/wasm/modules/counter/rollback");
  equal([back.status, back.json?.current], [200, 4], `rolled back ${back.text}`);
  back = await call(server, "POST", "/wasm/modules/counter/rollback", { number: 3 });
  equal([back.status, back.json?.current, back.json?.limits.depth], [200, 3, 503], `to a number ${back.text}`);
  equal((await call(server, "POST", "/wasm/modules/counter/rollback", { number: 1 })).status, 404, "a version that is gone");
  equal((await call(server, "POST", "/wasm/modules/nobody/rollback")).status, 404, "of no module");
  // an agent of it answers, so what was deployed runs
  // It is at the node that is asked, which counts those that use a module.
  const agent = (await call(oneNode(server), "POST", "/agents", { kind: "wasm", graph_id: "counter", name: "c" }));
  equal(agent.status, 200, `an agent of it ${agent.text}`);
  equal((await call(oneNode(server), "DELETE", "/wasm/modules/counter")).status, 409, "not deleted while an agent uses it");
  check((await get(oneNode(server), "/info")).json.wasm.hosts >= 1, "/info: a host process");
  equal((await call(server, "DELETE", `/agents/${agent.json.agent_id}`)).status, 204, "the agent stops");
  equal((await call(server, "POST", "/threads", {})).status, 200, "a later write, which is on disk: so is that the agent is gone");
  await server.stop("SIGKILL");
  // what is in the store and the cache is there again
  const again = await startServer({ dir });
  equal((await get(again, "/wasm/modules/counter")).json.current, 3, "after kill -9 it is the same version");
  const gone = await until(async () => { const r = await call(again, "DELETE", "/wasm/modules/counter"); return r.status !== 409 && r; }, "nobody to use it");
  equal(gone.status, 204, `deleted ${gone.text}`);
  equal([(await get(again, "/wasm/modules/counter")).status, (await call(again, "DELETE", "/wasm/modules/counter")).status], [404, 404], "gone");
  await again.stop();
});

await scenario("modules by the command", async () => {
  const server = await startServer({ args: ["--wasm-cache", cache] });
  let r = cli(server, ["deploy", "words", guest("words"), "--allow", "log,reply", "--memory", "8MB", "--cpu", "50ms"]);
  check(r.status === 0 && /^words {2}current 1/m.test(r.stdout), "deploy", r.stdout + r.stderr);
  r = cli(server, ["deploy", "words", guest("words"), "--strategy", "immediate", "--json"]);
  equal(r.status === 0 && JSON.parse(r.stdout).number, 2, `deploy --json ${r.stderr}`);
  r = cli(server, ["list"]);
  check(/^words {2}current 2/.test(r.stdout), "list", r.stdout + r.stderr);
  r = cli(server, ["show", "words"]);
  check(/allow=log,reply/.test(r.stdout) && /memory=8192KB/.test(r.stdout), "show", r.stdout + r.stderr);
  r = cli(server, ["rollback", "words"]);
  check(/current 1/.test(r.stdout), "rollback", r.stdout + r.stderr);
  r = cli(server, ["deploy", "words", guest("ledger")]);
  check(r.status === 1 && /not allowed|allow/.test(r.stderr), "a refusal is told", r.stderr);
  r = cli(server, ["deploy", "words", guest("words"), "--strategy", "slow"]);
  check(r.status === 2 && /graceful, immediate, parallel/.test(r.stderr), "a wrong strategy", r.stderr);
  r = cli(server, ["delete", "words"]);
  equal([r.status, cli(server, ["list"]).stdout], [0, ""], `delete ${r.stderr}`);
  r = cli(server, ["show", "words"]);
  check(r.status === 1 && /404/.test(r.stderr), "it is gone", r.stderr);
  await server.stop();
});

await scenario("without a server", async () => {
  let r = cli(null, ["check", guest("counter"), guest("words"), guest("ledger")]);
  check(r.status === 0 && /counter\.wasm: a guest/.test(r.stdout) && /imports {2}reply$/m.test(r.stdout), "check", r.stdout + r.stderr);
  check(/wasm2c 1\.\S+, tcc \S+, gcc \S+/.test(r.stdout), "check tells the compilers", r.stdout);
  r = cli(null, ["check", "--json", guest("words")]);
  const facts = JSON.parse(r.stdout);
  equal([facts.bytes, facts.imports, facts.exports.some((x) => x.name === "handle_message" && x.params.join() === "i32,i32")], [words.length, ["log", "reply"], true], "check --json");
  const bad = path.join(scratch(), "bad.wasm");
  writeFileSync(bad, counter.subarray(0, 200));
  r = cli(null, ["check", bad]);
  check(r.status === 1 && /refused: .*\d/.test(r.stdout), "check refuses, and says where", r.stdout + r.stderr);
  const own = path.join(scratch(), "cache");
  r = cli(null, ["build", guest("counter"), "--cache", own]);
  check(r.status === 0 && /counter\.wasm: tcc, \d\.\d\d s: \S+\.tcc\.so\n.*gcc, \d/.test(r.stdout), "build", r.stdout + r.stderr);
  r = cli(null, ["build", guest("counter"), "--cache", own, "--compiler", "gcc"]);
  check(/was in the cache/.test(r.stdout), "built once", r.stdout + r.stderr);
  r = cli(null, ["run", guest("counter"), "--message", '"a"', "--message", '{"performative":"inform","content":[1]}', "--message", "no json", "--cache", cache]);
  equal(r.stdout, 'reply {"content":{"count":1,"echo":"a"}}\nreply {"content":{"count":2,"echo":[1]}}\nreply {"content":{"count":3,"echo":"no json"}}\n', `run ${r.stderr}`);
  check(/cost fuel \d+, cpu \d/.test(r.stderr), "run shows costs", r.stderr);
  r = cli(null, ["run", guest("ledger"), "--allow", "all", "--message", '{"add":5}', "--message", '{"add":"6 * 7"}', "--message", '{"tell":"ann"}', "--tool", "calculate=42", "--cache", cache]);
  equal(r.stdout, 'reply {"content":{"sum":5}}\nreply {"content":{"sum":47}}\nsend {"to":"ann","performative":"inform","content":{"sum":47}}\nreply {"content":{"sum":47}}\n', `a store, a tool and a letter ${r.stderr}`);
  check(/log info: the sum is 47 at \d+/.test(r.stderr), "and a log", r.stderr);
  r = cli(null, ["run", guest("ledger"), "--message", '{"add":5}', "--cache", cache]);
  check(r.status === 1 && /--allow/.test(r.stderr), "what is not allowed is told", r.stderr);
  r = cli(null, ["run", guest("counter"), "--repeat", "1000", "--message", '"x"', "--cache", cache]);
  check(r.status === 0 && /1000 calls, 0 failed/.test(r.stderr), "run --repeat", r.stderr);
  const loop = path.join(scratch(), "loop.wasm");
  writeFileSync(loop, guestOf({ handle: '(func (export "handle_message") (param i32 i32) (result i32) (loop $l (br $l)) i32.const 0)' }));
  r = cli(null, ["run", loop, "--cache", cache, "--cpu", "1s", "--fuel", "1000000"]);
  check(r.status === 1 && /trap: out of fuel/.test(r.stderr), "an endless loop ends", r.stderr);
});

// ---- what is wrong is refused by name -------------------------------------------------------

await scenario("wrong requests", async () => {
  const server = await startServer({ args: ["--wasm-cache", cache] });
  const q = (query, expected) => [`?${query}`, { query: `?${query}` }, 422, expected];
  const b = (what, body, expected) => [what, { body }, 422, expected];
  const bytes = (...n) => Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...n]);
  const rows = [
    q("memmory=4MB", "memory"), q("colour=red", "colour"), q("memory=1MB&memory=2MB", "memory"), q("memory=1001MB", "memory"), q("memory=1", "memory"),
    q("memory=lots", "memory"), q("fuel=0", "fuel"), q("fuel=-1", "fuel"), q("fuel=2000000001", "fuel"), q("cpu=2s", "cpu"), q("cpu=0", "cpu"),
    q("depth=10001", "depth"), q("depth=0", "depth"), q("message=2MB", "message"), q("rate=0", "rate"), q("rate=1e9", "rate"),
    q("allow=open", "allow"), q("allow=log;send", "allow"), q("tools=calculate", "tool_call"), q("strategy=slow", "strategy"), q("percent=50", "percent"),
    q("strategy=split&percent=100", "percent"), q("strategy=split&percent=0", "percent"), q("strategy=split&drain=5s", "drain"), q("drain=2h", "drain"),
    q("drain=soon", "drain"), q("strategy=split&calls=0", "calls"), q("strategy=split&wait=2h", "wait"), q("strategy=split&error_percent=101", "error_percent"),
    q("strategy=split&p99_factor=0.5", "p99_factor"), q("strategy=immediate&error_percent=5", "error_percent"),
    b("nothing", Buffer.alloc(0), "body"), b("text", "hello", ""), b("the text format", "(module)", ""), b("JSON", '{"a":1}', ""), b("a header alone", bytes(), ""),
    b("half a header", Buffer.from([0, 0x61, 0x73]), ""), b("version 2", Buffer.from([0, 0x61, 0x73, 0x6d, 2, 0, 0, 0]), "version"),
    b("a component", Buffer.from([0, 0x61, 0x73, 0x6d, 13, 0, 1, 0]), "version"), b("cut off", counter.subarray(0, counter.length - 7), ""),
    b("bytes behind it", Buffer.concat([counter, Buffer.from([99])]), ""), b("a section that ends too late", bytes(1, 200, 1), ""), b("a length without an end", bytes(1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80), ""),
    b("sections out of order", bytes(3, 1, 0, 1, 1, 0), ""), b("an unknown section", bytes(77, 1, 0), ""), b("a shared object", readFileSync("/bin/true"), ""),
    b("no memory", guestOf({ memory: "" }), "memory"), b("no alloc", guestOf({ alloc: "" }), "alloc"), b("no handle_message", guestOf({ handle: "" }), "handle_message"),
    b("handle_message of another type", guestOf({ handle: '(func (export "handle_message") (param i32) (result i32) i32.const 0)' }), "handle_message"),
    b("alloc of another type", guestOf({ alloc: '(func (export "alloc") (param i64) (result i32) i32.const 0)' }), "alloc"),
    b("an import of WASI", guestOf({ first: '(import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))' }), "wasi_snapshot_preview1"),
    b("an unknown import", guestOf({ first: '(import "cohort" "open" (func (param i32 i32) (result i32)))' }), "open"),
    b("an import of another type", guestOf({ first: '(import "cohort" "reply" (func (param i64) (result i32)))' }), "reply"),
    b("an imported memory", guestOf({ first: '(import "cohort" "memory" (memory 1))', memory: "" }), ""),
    b("a shared memory", guestOf({ memory: '(memory (export "memory") 1 2 shared)' }), ""), b("memory of 64 bits", guestOf({ memory: '(memory (export "memory") i64 1)' }), ""),
    b("two memories", guestOf({ last: "(memory 1)" }), ""), b("SIMD", guestOf({ last: "(func (drop (v128.const i32x4 1 2 3 4)))" }), ""),
    b("exceptions", guestOf({ last: "(tag (param i32))" }), ""), b("tail calls", guestOf({ last: "(func $f (return_call $f))" }), ""), b("atomics", guestOf({ last: "(func (drop (i32.atomic.load (i32.const 0))))" }), ""),
    b("a name that is code", guestOf({ last: '(func (export "*/ int x; /*"))' }), ""), b("types that do not fit", guestOf({ last: "(func (result i32) i64.const 1)" }), ""),
    b("a start function that traps", guestOf({ last: "(func $s unreachable) (start $s)" }), "unreachable"), b("a start function without end", guestOf({ last: "(func $s (loop $l (br $l))) (start $s)" }), ""),
    ["an import that is not allowed", { body: ledger }, 422, "allow"], ["more memory than it may have", { body: guestOf({ memory: '(memory (export "memory") 100)' }), query: "?memory=1MB" }, 422, "memory"],
    ["JSON's content type", { type: "application/json" }, 415, "application/wasm"], ["no content type", { type: "text/plain" }, 415, "application/wasm"],
    ["a name of 65 bytes", { name: "n".repeat(65) }, 422, ""], ["a name with a blank", { name: "a%20b" }, 422, ""], ["a name that is a path", { name: "..%5C.." }, 422, ""], ["a name with a NUL", { name: "a%00b" }, 400, ""],
    ["too large", { body: Buffer.alloc(17 * 1024 * 1024) }, 413, ""],
  ];
  for (const [word, bad] of [["memory", "1"], ["cpu", "1h"], ["allow", "everything"]]) {
    const { json } = await put(server, "bad", counter, `?${word}=${bad}`);
    check(json.detail?.startsWith(`${word}: `), `a bad ${word} is told as that`, json.detail);
  }
  check(rows.length >= 40, "there are many", rows.length);
  for (const [what, { name = "bad", query = "", body = counter, type = "application/wasm" }, status, expected] of rows) {
    let r;
    try { r = await put(server, name, body, query, { "content-type": type }); } catch (e) { r = { status: e.cause?.code === "EPIPE" || e.cause?.code === "ECONNRESET" ? status : 0, text: String(e.cause ?? e), json: { detail: expected } }; }
    check(r.status === status && typeof r.json?.detail === "string" && r.json.detail.includes(expected) && r.json.detail.length > 5, `${what}: ${status} with "${expected}"`, `${r.status} ${r.text}`);
  }
  for (const [method, target, body, status] of [["POST", "/wasm/modules/x/rollback", { number: 0 }, 422], ["POST", "/wasm/modules/x/rollback", { number: "one" }, 422], ["POST", "/wasm/modules/x/rollback", { to: 1 }, 422],
    ["POST", "/wasm/modules/x/rollback", [1], 422], ["POST", "/wasm/modules/x/rollback?to=1", {}, 422], ["GET", "/wasm/modules?limit=1", undefined, 422], ["GET", "/wasm/modules/x?versions=1", undefined, 422],
    ["DELETE", "/wasm/modules/x?force=1", undefined, 422], ["GET", "/wasm/modules/nobody", undefined, 404], ["POST", "/wasm/modules", {}, 405], ["GET", "/wasm", undefined, 404]]) {
    const r = await call(server, method, target, body);
    check(r.status === status, `${method} ${target} ${JSON.stringify(body) ?? ""}: ${status}`, `${r.status} ${r.text}`);
  }
  equal((await get(server, "/wasm/modules")).json, [], "nothing of it is there");
  equal((await get(server, "/ok")).status, 200, "and the server is well");
  equal((await put(server, "good", counter)).status, 200, "what is right is taken after all that");
  await server.stop();
});

await scenario("without a compiler", async () => {
  cli(null, ["build", guest("counter"), "--cache", cache]);
  const server = await startServer({ args: ["--wasm-cache", cache], env: { PATH: "/nowhere" } });
  const made = await put(server, "counter", counter), other = await put(server, "words", guestOf({ last: "(func (export \"unique\") (result i32) i32.const 4711)" }));
  equal([made.status, made.json?.state, made.json?.compiler], [200, "ready", "gcc"], `what the cache has is used ${made.text}`);
  check(other.status === 503 && /wasm2c/.test(other.json.detail) && /apt/.test(other.json.detail), "for anything else it says what is missing, and how to get it", other.text);
  await server.stop();
});

await scenario("turned off", async () => {
  const server = await startServer({ args: ["--wasm-enabled=false"] });
  const r = await put(server, "counter", counter);
  check(r.status === 404 && r.json.detail.includes("wasm.enabled"), "the routes say so", r.text);
  equal((await get(server, "/info")).json.wasm.enabled, false, "/info says so");
  await server.stop();
});

// ---- whose they are ---------------------------------------------------------------------------

await scenario("owners, keys and policies", async () => {
  const dir = scratch(), secret = "0123456789abcdef0123456789abcdef", policy = path.join(dir, "policy.yaml");
  const token = (name, ...more) => ({ authorization: `Bearer ${execFileSync(binary, ["token", "--sub", name, ...more], { env: { PATH: process.env.PATH, COHORT_JWT_SECRET: secret } }).toString().trim()}` });
  const alice = token("alice"), bob = token("bob"), carol = token("carol");
  writeFileSync(policy, `default: allow
rules:
  - {subject: carol, deny: wasm}
  - {subject: carol, allow: [wasm:read, wasm:search]}
`, { mode: 0o600 });
  let server = await startServer({ dir, args: ["--jwt-secret", secret, "--wasm-cache", cache] });
  equal((await put(server, "mine", counter, "", alice)).status, 200, "alice deploys");
  equal((await put(server, "mine", counter)).status, 401, "nobody does not");
  for (const [method, target, body] of [["GET", "/wasm/modules/mine"], ["DELETE", "/wasm/modules/mine"], ["POST", "/wasm/modules/mine/rollback", {}], ["POST", "/agents", { kind: "wasm", graph_id: "mine" }]]) {
    const his = await call(server, method, target, body, bob), none = await call(server, method, target.replace("mine", "none"), body && { ...body, ...(body.graph_id && { graph_id: "none" }) }, bob);
    check(his.status >= 400 && his.status === none.status && his.text.replaceAll("mine", "none") === none.text, `bob: ${method} ${target}: as of a module that is not there`, `${his.text}\n${none.text}`);
  }
  equal((await get(server, "/wasm/modules", bob)).json, [], "bob sees none");
  const his = await put(server, "mine", words, "", bob);
  equal([his.status, his.json?.number, his.json?.hash === createHash("sha256").update(words).digest("hex")], [200, 1, true], "bob has one of that name, which is another");
  equal((await get(server, "/wasm/modules/mine", alice)).json.versions[0].hash, createHash("sha256").update(counter).digest("hex"), "alice's is as it was");
  equal((await call(server, "DELETE", "/wasm/modules/mine", undefined, bob)).status, 204, "bob deletes his");
  equal((await get(server, "/wasm/modules/mine", alice)).status, 200, "not hers");
  await server.stop();
  // a policy may leave only looking
  server = await startServer({ dir: scratch(), args: ["--jwt-secret", secret, "--wasm-cache", cache, "--auth-policy", policy] });
  equal([(await put(server, "mine", counter, "", alice)).status, (await put(server, "mine", counter, "", carol)).status], [200, 403], "carol may not deploy");
  equal([(await get(server, "/wasm/modules", carol)).status, (await get(server, "/wasm/modules/mine", carol)).status], [200, 404], "she may look");
  equal([(await call(server, "DELETE", "/wasm/modules/mine", undefined, carol)).status, (await call(server, "POST", "/wasm/modules/mine/rollback", {}, carol)).status], [403, 403], "and change nothing");
  await server.stop();
});

// ---- a team -------------------------------------------------------------------------------------

await scenario("a team with a guest, through the SDK", async () => {
  const dir = scratch(), agents = path.join(dir, "agents");
  mkdirSync(agents);
  copyFileSync(path.join(repo, "agents/examples/wasm/team.yaml"), path.join(agents, "team.yaml"));
  const args = ["--agents", agents, "--wasm-cache", cache, "--shards", "2"];
  let server = await startServer({ dir, args });
  const sdk = () => new Client({ apiUrl: server.url, callerOptions: { maxRetries: 0 } });
  let client = sdk();
  equal((await put(server, "words", words, "?allow=log,reply&cpu=50ms")).status, 200, "the guest is deployed");

  // stream until somebody is asked
  const thread = await client.threads.create();
  const chunks = [];
  for await (const c of client.runs.stream(thread.thread_id, "team", { input: { text: "Bees hum. Bees dance. Drones hum." }, streamMode: ["updates", "values"] })) chunks.push(c);
  const updates = chunks.filter((c) => c.event === "updates").map((c) => c.data);
  check(updates.some((u) => u.count?.counted?.words === 6), "the guest's part is in the stream", updates);
  check(updates.some((u) => u.__interrupt__), "and the question", updates);
  const asked = await client.threads.getState(thread.thread_id);
  equal(asked.next, ["review"], "it waits for a person");
  equal(asked.values.counted.top[0], ["bees", 2], "what the guest said is in its state");

  await server.stop("SIGKILL");
  server = await startServer({ dir, args });
  client = sdk();
  equal((await client.threads.getState(thread.thread_id)).values.counted, asked.values.counted, "after kill -9 it is there");
  const resumed = [];
  for await (const c of client.runs.stream(thread.thread_id, "team", { command: { resume: "again" }, streamMode: "updates" })) resumed.push(c);
  check(resumed.some((c) => c.event === "updates" && c.data.count?.counted?.words === 6), "the guest counts again, in a new server", resumed.map((c) => c.data));
  const end = await client.runs.wait(thread.thread_id, "team", { command: { resume: "yes" } });
  equal(end.report, "6 words, the most frequent is bees", "and the team is done");
  equal((await client.threads.get(thread.thread_id)).status, "idle", "its thread is idle");

  // a guest that refuses is an error of the run, in its words
  const refused = (await call(server, "POST", "/runs/wait", { assistant_id: "team", input: { text: 7 } })).json;
  check(/expected a text, or text and top/.test(refused.__error__?.message), "a refusal is the run's error", refused);
  await server.stop();
});
finish();
