// wasm-folder.mjs - agents of the folder that are WebAssembly modules: each is an assistant; a
// changed module takes over by itself, a broken one leaves the old, and a client's module of the
// name is his alone.
import fs from "node:fs";
import path from "node:path";
import { execFileSync } from "node:child_process";
import { call, check, equal, finish, scenario, scratch, startServer, until } from "./lib.mjs";

const dir = scratch(), agents = path.join(dir, "agents");
fs.mkdirSync(agents);
const reply = (n) => `{"performative":"inform","content":{"n":${n}}}`;
const guest = (n) => `(module
  (import "cohort" "reply" (func $reply (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "${reply(n).replaceAll('"', '\\"')}")
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "handle_message") (param i32 i32) (result i32)
    (call $reply (i32.const 0) (i32.const ${reply(n).length}))))`;
const write = (name, text) => {
  fs.writeFileSync(path.join(dir, "next"), text);
  fs.renameSync(path.join(dir, "next"), path.join(agents, name));
};
write("count.wat", guest(1));
write("count.yaml", "description: counts\nwasm: {module: count.wat, allow: [reply], limits: {memory: 1MB}}\n");

const server = await startServer({ dir, args: ["--agents", agents] });
const said = async () => {
  const answer = await call(server, "POST", "/runs/wait", { assistant_id: "count", input: { messages: [{ role: "user", content: "how many?" }] } });
  const message = answer.json?.messages?.at(-1);
  return message?.type === "ai" ? message.content : answer.text;
};
const module = async () => (await call(server, "GET", "/wasm/modules/count")).json;
const is = async (n) => await until(async () => JSON.stringify(await said()) === JSON.stringify(JSON.stringify({ n })), `the module says ${n}`);

await scenario("an assistant", async () => {
  await is(1);
  // Each node takes its folder by itself, from then on one after the other.
  const m = await until(async () => { const x = await module(); return x?.current === 1 && x; }, "a node that is asked to have it");
  equal([m.folder, m.current, m.versions[0].limits.memory], [true, 1, 1048576], "it is the folder's, with the limits of its file");
});

await scenario("a changed module", async () => {
  write("count.wat", guest(2));
  await is(2);
  check((await module()).outcome.startsWith("promoted: version 2 after 1"), "the outcome says so", await module());
});

await scenario("a broken module", async () => {
  write("count.wat", "(module");
  await until(() => /count\.yaml:2:16: wasm\.module: .*wat2wasm/.test(server.log), "the mistake is logged with its place");
  equal(await said(), JSON.stringify({ n: 2 }), "the one before goes on");
  write("count.wat", guest(3).replace('(func (export "alloc")', '(func $s unreachable) (start $s) (func (export "alloc")'));
  await until(async () => (await module()).outcome.startsWith("rolled_back: module 'count' cannot be started"), "one that does not start is told");
  equal(await said(), JSON.stringify({ n: 2 }), "and does not take over");
});

await scenario("a client's own", async () => {
  write("own.wat", guest(7));
  execFileSync("wat2wasm", [path.join(agents, "own.wat"), "-o", path.join(dir, "own.wasm")]);
  const put = await fetch(`${server.url}/wasm/modules/count?allow=reply`, { method: "PUT", headers: { "content-type": "application/wasm" }, body: fs.readFileSync(path.join(dir, "own.wasm")) });
  equal([put.status, (await put.json()).number], [200, 1], "it is put");
  await is(7);
  equal((await call(server, "DELETE", "/wasm/modules/count")).status, 204, "it goes");
  await is(2);
  equal((await call(server, "DELETE", "/wasm/modules/count")).status, 409, "the folder's does not");
});

await scenario("mistakes in the file", async () => {
  const bad = (text, words) => {
    fs.writeFileSync(path.join(dir, "bad.yaml"), text);
    let out = "";
    try { execFileSync(process.env.COHORT ?? "build/cohort", ["agent", "check", path.join(dir, "bad.yaml")], { stdio: "pipe" }); } catch (e) { out = String(e.stderr); }
    check(out.includes(words), words, out);
  };
  fs.writeFileSync(path.join(dir, "ok.wat"), guest(1));
  bad("wasm: {module: none.wasm}\n", "bad.yaml:1:16: wasm.module: ");
  bad("wasm: {module: ok.wat, allow: [log]}\n", "bad.yaml:1:16: wasm.module: the module imports cohort.reply");
  bad("wasm: {module: ok.wat, allow: [replay]}\n", "bad.yaml:1:32: wasm.allow[0]: expected log");
  bad("wasm: {module: ok.wat, allow: [reply], limits: {cpu: 5h}}\n", "wasm.limits.cpu: expected 1us to 1s");
  bad("wasm: {module: ok.wat, allow: [reply, tool_call], tools: [nobody]}\n", "nobody");
});

await server.stop();
finish();
