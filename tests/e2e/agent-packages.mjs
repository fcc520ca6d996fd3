// agent-packages.mjs - folders of agents with a hash pin: what the hash is of, and what a server
// does when a package is not as its pin says.
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { execFileSync, spawnSync } from "node:child_process";
import path from "node:path";
import { binary, call, check, cleanEnv, equal, finish, freePort, scenario, scratch, startServer, until } from "./lib.mjs";

const dir = scratch(), folder = path.join(dir, "agents"), support = path.join(folder, "support");
mkdirSync(path.join(support, "data"), { recursive: true });
const put = (name, text) => writeFileSync(path.join(support, name), text);
const says = (id, word) => `id: ${id}\nstate: {said: {reducer: append, default: []}}\nnodes: {speak: {set: {said: "['${word}']"}}}\nedges: [[START, speak]]\n`;
const cohort = (...args) => spawnSync(binary, args, { env: cleanEnv(), cwd: folder, encoding: "utf8" });
const line = (name = "support") => {
  const r = cohort("agent", "hash", name);
  if (r.status !== 0) throw new Error(r.stderr);
  return r.stdout;
};
const pin = (text = line()) => {
  writeFileSync(path.join(folder, ".lock"), text);
  renameSync(path.join(folder, ".lock"), path.join(folder, "agents.lock"));
};
const hashOf = (text) => /sha256:([0-9a-f]{64})/.exec(text)[1];

put("support.yaml", says("support", "one"));
put("-x", "dashes");
put("data/schema.json", "{}");

await scenario("the hash", async () => {
  const first = line();
  check(/^sha256:[0-9a-f]{64}  support\n$/.test(first), "a line of agents.lock", first);
  const lines = execFileSync("sh", ["-c", "find . -type f -printf '%P\\n' | LC_ALL=C sort | xargs -d '\\n' sha256sum -- | sha256sum"], { cwd: support, encoding: "utf8" });
  equal(hashOf(first), lines.slice(0, 64), "is what sha256sum makes of the files");
  const same = (what) => equal(line(), first, `${what} does not change it`);
  const differs = (what) => check(line() !== first, `${what} changes it`);
  chmodSync(path.join(support, "-x"), 0o755);
  utimesSync(path.join(support, "-x"), 1, 1);
  same("an executable bit, or a time,");
  mkdirSync(path.join(support, ".git"));
  for (const name of [".git/config", ".support.yaml.swp", "support.yaml~", "#support.yaml#"]) put(name, "droppings");
  mkdirSync(path.join(support, "empty"));
  same("what editors and git leave, or a folder without files,");
  for (const [what, change, back] of [
    ["a content", () => put("-x", "dasheS"), () => put("-x", "dashes")],
    ["a content that is longer", () => put("-x", "dashes\n"), () => put("-x", "dashes")],
    ["a name", () => renameSync(path.join(support, "-x"), path.join(support, "-y")), () => renameSync(path.join(support, "-y"), path.join(support, "-x"))],
    ["the case of a name", () => renameSync(path.join(support, "-x"), path.join(support, "-X")), () => renameSync(path.join(support, "-X"), path.join(support, "-x"))],
    ["another folder of a file", () => renameSync(path.join(support, "-x"), path.join(support, "data/-x")), () => renameSync(path.join(support, "data/-x"), path.join(support, "-x"))],
    ["a file more", () => put("data/more", ""), () => rmSync(path.join(support, "data/more"))],
    ["a file less", () => rmSync(path.join(support, "data/schema.json")), () => put("data/schema.json", "{}")],
  ]) {
    change();
    differs(what);
    back();
  }
  same("all of it back");
});

await scenario("no package", async () => {
  for (const [what, make, words] of [
    ["a link", () => symlinkSync("/etc/passwd", path.join(support, "data/bad")), /support\/data\/bad: expected a file or a folder; links and special files are refused/],
    ["a pipe", () => execFileSync("mkfifo", [path.join(support, "data/bad")]), /support\/data\/bad: expected a file or a folder/],
    ["a line end in a name", () => put("data/bad\nname", ""), /a name has a control character or a backslash in it: 'data\/bad'/],
    ["a folder without a file", () => mkdirSync(path.join(folder, "none")), /none: a package has files/, "none"],
    ["none", () => {}, /nowhere: No such file or directory/, "nowhere"],
  ]) {
    make();
    const r = cohort("agent", "hash", what === "none" ? "nowhere" : what.includes("folder") ? "none" : "support");
    equal([r.status, r.stdout], [1, ""], `${what} is refused`);
    check(words.test(r.stderr), `and ${what} is told`, r.stderr);
    for (const bad of ["bad", "bad\nname"]) rmSync(path.join(support, "data", bad), { force: true });
  }
});

const serve = async () => {
  const port = await freePort();
  return spawnSync(binary, ["serve", "--port", String(port), "--db", path.join(dir, "other.db"), "--agents", folder], { env: cleanEnv(), cwd: dir, encoding: "utf8", timeout: 30000 });
};

await scenario("a start with a package that differs", async () => {
  const good = hashOf(line());
  pin();
  put("support.yaml", says("support", "evil"));
  const r = await serve(), now = hashOf(line());
  equal(r.status, 1, "is refused") || console.log(r.stderr);
  check(r.stderr.includes(`package 'support': the folder has the hash sha256:${now}, and `) && r.stderr.includes(`agents.lock:1 wants sha256:${good}`), "with its name and both hashes", r.stderr);
  put("support.yaml", says("support", "one"));
  for (const [text, words] of [["sha256:12  support\n", "agents.lock:1: expected 'sha256:' and 64 digits"], [`# ours\nsha256:${good}  ../support\n`, "agents.lock:2: expected the name of a folder beside this file"], [line() + line(), "agents.lock:2: 'support' stands in line 1 already"], [line().replace("support", "nowhere"), "agents/nowhere: No such file"]]) {
    pin(text);
    const bad = await serve();
    check(bad.status === 1 && bad.stderr.includes(words), `an agents.lock is refused: ${words}`, bad.stderr);
  }
});

const guest = (n) => `(module
  (import "cohort" "reply" (func $reply (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "{\\"performative\\":\\"inform\\",\\"content\\":{\\"n\\":${n}}}")
  (func (export "alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "handle_message") (param i32 i32) (result i32) (call $reply (i32.const 0) (i32.const 43))))`;
put("data/count.wat", guest(1));
put("count.yaml", "wasm: {module: data/count.wat, allow: [reply]}\n");
put("other.yaml", says("other", "one"));
pin();
const server = await startServer({ dir, args: ["--agents", folder] });
const wait = (agent, input = {}) => call(server, "POST", "/runs/wait", { assistant_id: agent, input });
const said = async (agent) => (await wait(agent)).json?.said;
const saying = (agent, word) => until(async () => JSON.stringify(await said(agent)) === JSON.stringify([word]), `${agent} to say ${word}`);
const count = async () => (await wait("count", { messages: [{ role: "user", content: "?" }] })).json?.messages?.at(-1)?.content;
const counting = (n) => until(async () => (await count()) === JSON.stringify({ n }), `count to say ${n}`);

await scenario("a package's agents", async () => {
  equal(await said("support"), ["one"], "are the server's");
  await counting(1);
  put("support.yaml", says("support", "two"));
  put("data/count.wat", guest(2));
  pin();
  await saying("support", "two");
  await counting(2);
});

await scenario("a package that differs while the server runs", async () => {
  const from = server.log.length, text = readFileSync(path.join(folder, "agents.lock"), "utf8");
  put("support.yaml", says("support", "evil"));
  put("data/count.wat", guest(3));
  put("evil.yaml", says("evil", "evil"));
  writeFileSync(path.join(folder, "flat.yaml"), says("flat", "here"));
  await saying("flat", "here");
  check(server.log.slice(from).includes(`package 'support': the folder has the hash ${line().slice(0, 71)}, and `) && server.log.slice(from).includes(hashOf(text)), "is told with both hashes", server.log.slice(from));
  equal([await said("support"), (await wait("evil")).status], [["two"], 404], "the last good one stays");
  equal(await count(), JSON.stringify({ n: 2 }), "its module, too");
  check(/wasm\.module: package 'support': .*count\.wat is not as the hash in agents\.lock says/.test(server.log.slice(from)), "which is told as well", server.log.slice(from));
  rmSync(path.join(support, "evil.yaml"));
  put("support.yaml", says("support", "three"));
  pin();
  await saying("support", "three");
  await counting(3);
});

await scenario("one agent of a package that does not load", async () => {
  const from = server.log.length;
  put("support.yaml", says("support", "four"));
  put("other.yaml", says("other", "two").replace("set:", "sett:"));
  pin();
  await until(() => /support\/other\.yaml:3/.test(server.log.slice(from)), "its place is told");
  writeFileSync(path.join(folder, "flat.yaml"), says("flat", "after"));
  await saying("flat", "after");               // the set is a later one
  equal([await said("support"), await said("other")], [["three"], ["one"]], "the package stays as a whole");
  put("other.yaml", says("other", "two"));
  pin();
  await saying("other", "two");
  equal(await said("support"), ["four"], "and changes as a whole");
});

await scenario("a package that is not named any more", async () => {
  pin("# none\n");
  await until(async () => (await wait("other")).status === 404 || (await wait("other")).status === 422, "its agents to be gone");
  pin();
  await saying("other", "two");
});

await server.stop();
finish();
