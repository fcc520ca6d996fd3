// agents-sync.mjs - a server's folder of agents from a git repository: a commit is taken as a
// whole or not at all, whatever is in it and whenever the sync is killed.
import { appendFileSync, existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, readlinkSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import path from "node:path";
import { binary, call, check, cleanEnv, equal, finish, scenario, scratch, startServer, until } from "./lib.mjs";
import { env, git } from "./work-git-lib.mjs";

const dir = scratch(), repo = path.join(dir, "repo"), folder = path.join(dir, "srv", "agents"), state = path.join(dir, "srv", ".agents.sync");
mkdirSync(path.join(repo, "prod"), { recursive: true });
mkdirSync(path.dirname(folder));
git(repo, "init", "-q", "-b", "main", ".");
const says = (id, word) => `id: ${id}\nstate: {said: {reducer: append, default: []}}\nnodes: {speak: {set: {said: "['${word}']"}}}\nedges: [[START, speak]]\n`;
const asks = (word) => `id: asker\nstate: {said: {reducer: append, default: []}}\nnodes:\n  ask:\n    ask: {value: "'${word}?'"}\n    writes: {said: "[result.value + ' ${word}']"}\nedges: [[START, ask]]\n`;
const put = (name, text) => writeFileSync(path.join(repo, name), text);
const commit = (files = {}) => {
  for (const [name, text] of Object.entries(files)) text === null ? rmSync(path.join(repo, name)) : put(name, text);
  git(repo, "add", "-A");
  git(repo, "commit", "-q", "--allow-empty", "-m", "change");
  return git(repo, "rev-parse", "HEAD");
};
const run = (args, more = {}) => spawnSync(binary, ["agent", ...args], { env: cleanEnv({ ...env, ...more }), cwd: dir, encoding: "utf8" });
const sync = (...args) => run(["sync", repo, folder, "--path", "prod", ...args]);
const hash = (of = folder) => { const r = run(["hash", of]); return r.status === 0 ? r.stdout.slice(7, 71) : r.stderr; };
const good = (r, what) => equal(r.status, 0, what) || console.log(r.stdout + r.stderr);

const first = commit({ "prod/hello.yaml": says("hello", "one"), "prod/asker.yaml": asks("old"), "prod/gone.yaml": says("gone", "here"), "prod/-x": "", "README.md": "not ours" });

await scenario("the first", async () => {
  mkdirSync(path.join(dir, "bin"));
  symlinkSync(binary, path.join(dir, "bin", "cohort"));
  const without = run(["sync", repo, folder], { PATH: path.join(dir, "bin") });
  equal(without.status, 1, "without git");
  check(/git is not in \$PATH/.test(without.stderr), "the error says so", without.stderr);
  const r = sync();
  good(r, "a sync");
  check(r.stdout.includes(`nothing -> ${first.slice(0, 12)} of ${repo}, prod\n  added    -x\n  added    asker.yaml\n  added    gone.yaml\n  added    hello.yaml\n  sha256:${hash()}\n`), "it tells what there is", r.stdout);
  equal(readdirSync(folder).sort(), ["-x", "asker.yaml", "gone.yaml", "hello.yaml"], "the folder of the repository, and nothing else");
  const again = sync();
  good(again, "again");
  check(/nothing has changed/.test(again.stdout), "nothing has changed", again.stdout);
});

let server = await startServer({ dir, args: ["--agents", folder, "--shards", "2"] });
const post = (target, body) => call(server, "POST", target, body);
const thread = async () => (await post("/threads", {})).json.thread_id;
const wait = async (agent, more = { input: {} }, t = undefined) => post(`/threads/${t ?? await thread()}/runs/wait`, { assistant_id: agent, ...more });
const said = async (agent) => (await wait(agent)).json?.said?.[0];
const saying = (agent, word) => until(async () => (await said(agent)) === word, `${agent} to say ${word}`);

await scenario("a commit", async () => {
  const t = await thread();
  equal((await wait("asker", { input: {} }, t)).json.__interrupt__?.[0].value, "old?", "a run waits");
  const before = readlinkSync(folder), id = commit({ "prod/hello.yaml": says("hello", "two"), "prod/asker.yaml": asks("new"), "prod/fresh.yaml": says("fresh", "fresh"), "prod/gone.yaml": null });
  const r = sync();
  good(r, "a sync");
  check(r.stdout.includes(`${first.slice(0, 12)} -> ${id.slice(0, 12)} of ${repo}, prod\n  changed  asker.yaml\n  added    fresh.yaml\n  removed  gone.yaml\n  changed  hello.yaml\n`), "it tells what has changed", r.stdout);
  check(readlinkSync(folder) !== before && readlinkSync(folder).includes(id), "the link leads to it");
  await saying("hello", "two");
  await saying("fresh", "fresh");
  equal((await wait("asker")).json.__interrupt__?.[0].value, "new?", "the new version");
  equal((await wait("asker", { command: { resume: "yes" } }, t)).json.said, ["yes old"], "the run that waits goes on with the old one");
  equal((await wait("gone")).status, 404, "what has gone is gone");
});

const stays = async (files, words, what) => {
  const before = readlinkSync(folder), head = git(repo, "rev-parse", "HEAD");
  if (typeof files === "function") files(); else commit(files);
  const r = sync();
  equal([r.status, r.stdout], [1, ""], `${what}: refused`);
  check(words.test(r.stderr), `${what}: the error says why`, r.stderr);
  check(!r.stderr.includes(".agents.sync/next"), `${what}: in the words of the repository`, r.stderr);
  equal(readlinkSync(folder), before, `${what}: the folder is as it was`);
  equal(readdirSync(state).filter((n) => n === "next" || n === "link"), [], `${what}: nothing is left`);
  git(repo, "update-ref", "HEAD", head);       // a reset would look at what it leaves
  git(repo, "read-tree", head);
  git(repo, "clean", "-fdq");
  git(repo, "checkout-index", "-af");
};

await scenario("a commit that does not load", async () => {
  await stays({ "prod/hello.yaml": says("hello", "bad").replace("set:", "sett:"), "prod/twin.yaml": says("fresh", "x") }, /: hello\.yaml:3:17: nodes\.speak.*\n.*is not taken/, "a broken file");
  await stays({ "prod/twin.yaml": says("fresh", "x") }, /twin\.yaml: there is an agent 'fresh' already/, "an id that is taken");
  await stays({ "prod/caller.yaml": "id: caller\nnodes: {call: {agent: nobody}}\nedges: [[START, call]]\n" }, /there is no agent 'nobody'/, "a call of what is not there");
  await stays({ "prod/agents.lock": `sha256:${"0".repeat(64)}  pack\n` }, /pack: No such file/, "a pin of what is not there");
  await stays(() => { mkdirSync(path.join(repo, "prod/pack")); return commit({ "prod/pack/a.yaml": says("a", "a"), "prod/agents.lock": `sha256:${"0".repeat(64)}  pack\n` }); }, /package 'pack': the folder has the hash sha256:[1-9a-f][0-9a-f]{63}, and .*wants sha256:0{64}/, "a package that differs");
  await stays(() => { git(repo, "rm", "-rq", "prod"); return commit({ "README.md": "nothing else" }); }, /--path: the commit .* has no folder 'prod'/, "the folder has gone");
  await stays(() => { git(repo, "rm", "-q", "prod/*.yaml"); mkdirSync(path.join(repo, "prod"), { recursive: true }); return commit({ "prod/readme": "no agent" }); }, /no agent's file/, "no agent");
  equal(await said("hello"), "two", "the server goes on");
});

const tree = (content) => execFileSync("git", ["hash-object", "-t", "tree", "-w", "--literally", "--stdin"], { cwd: repo, input: content, env: { PATH: process.env.PATH, ...env }, encoding: "utf8" }).trim();
const entry = (mode, name, id) => Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.from(id, "hex")]);

await scenario("hostile repositories", async () => {
  const blob = git(repo, "hash-object", "-w", "prod/hello.yaml");
  await stays(() => { symlinkSync("/etc/passwd", path.join(repo, "prod/passwd.yaml")); return commit(); }, /passwd\.yaml: in the commit it is a link/, "a link");
  await stays(() => { git(repo, "update-index", "--add", "--cacheinfo", `160000,${first},prod/sub`); git(repo, "commit", "-q", "-m", "sub"); return ""; }, /sub: in the commit it is a submodule/, "a submodule");
  for (const name of ["..", ".git", "a/../../b"]) {
    const id = tree(entry("40000", "prod", tree(entry("100644", name, blob))));
    await stays(() => git(repo, "update-ref", "HEAD", git(repo, "commit-tree", "-m", "raw", "-p", "HEAD", id)), /git fetch|expected a path below/, `a file called ${name}`);
  }
  await stays({ "prod/a\nb.yaml": says("ab", "x") }, /a name has a control character/, "a line end in a name");
  await stays({ "prod/zeros.bin": Buffer.alloc(65 << 20) }, /zeros\.bin: with it the commit's files have more than 67108864 bytes/, "65 MB that git packs to nothing");

  const touched = path.join(dir, "touched"), touch = `touch ${touched}`, template = path.join(dir, "template");
  mkdirSync(path.join(template, "hooks"), { recursive: true });
  for (const hook of ["post-checkout", "reference-transaction", "post-index-change", "pre-auto-gc"])
    writeFileSync(path.join(template, "hooks", hook), `#!/bin/sh\n${touch}\n`, { mode: 0o755 });
  writeFileSync(path.join(env.HOME, ".gitconfig"), `[init]\n\ttemplateDir = ${template}\n[core]\n\thooksPath = ${path.join(template, "hooks")}\n[filter "bad"]\n\tsmudge = ${touch}\n\tclean = cat\n`);
  put(".gitattributes", "* filter=bad\n");
  commit({ "prod/.gitattributes": "* filter=bad\n", "prod/hello.yaml": says("hello", "three") });
  rmSync(touched, { force: true });
  good(sync(), "attributes, filters and hooks");
  check(!existsSync(touched), "none of them is run");
  check(!readdirSync(folder).includes(".gitattributes"), "hidden files are left out");
  rmSync(path.join(env.HOME, ".gitconfig"));
  await saying("hello", "three");

  for (const [source, more] of [[`ext::sh -c ${touch}`, []], [`--upload-pack=${touch}`, []], ["-x", []], [repo, ["--ref", `--upload-pack=${touch}`]], [repo, ["--ref", "main:refs/heads/x"]], [repo, ["--ref", "a..b"]], [repo, ["--path", "../prod"]], [repo, ["--path", "/etc"]], [repo, ["--watch", "1ms"]]]) {
    const r = run(["sync", ...more.flatMap((x, i) => (i % 2 ? [] : [`${x}=${more[i + 1]}`])), "--", source, folder]);
    equal(r.status, 2, `${source} ${more.join(" ")} is a wrong command line`) || console.log(r.stderr);
  }
  const ssh = run(["sync", `ssh://-oProxyCommand=${touch.replace(" ", "$IFS")}/x`, folder]);
  check(ssh.status === 1 && /strange hostname/.test(ssh.stderr), "a host that is an option", ssh.stderr);
  check(!existsSync(touched), "nothing of it is run");
  const secret = run(["sync", "https://user:geheim@127.0.0.1:1/x", folder]);
  check(secret.status === 1 && !secret.stderr.includes("geheim"), "a password is not printed", secret.stderr);
});

await scenario("folders that are not a sync's", async () => {
  const own = path.join(dir, "own");
  mkdirSync(own);
  writeFileSync(path.join(own, "mine.yaml"), "mine");
  const r = run(["sync", repo, own]);
  check(r.status === 1 && /was not made by `cohort agent sync`/.test(r.stderr), "a folder is not replaced", r.stderr);
  equal(readFileSync(path.join(own, "mine.yaml"), "utf8"), "mine", "and its files stay");
  symlinkSync("own", path.join(dir, "link"));
  check(/did not make/.test(run(["sync", repo, path.join(dir, "link")]).stderr), "nor is another's link");
  check(/no `cohort agent sync` has made it/.test(run(["rollback", path.join(dir, "nowhere")]).stderr), "nothing to roll back");
});

await scenario("rollback", async () => {
  const bad = hash();
  good(run(["rollback", folder]), "a rollback");
  await saying("hello", "two");
  const held = sync();
  good(held, "a sync then");
  check(/was taken back/.test(held.stdout), "leaves it, as its hash was taken back", held.stdout);
  commit({ "README.md": "something else" });
  check(/was taken back/.test(sync().stdout), "also in a commit that changes nothing of it");
  good(sync("--force"), "--force");
  equal(hash(), bad, "takes it");
  await saying("hello", "three");
  good(run(["rollback", folder]), "back again");
  commit({ "prod/hello.yaml": says("hello", "four") });
  good(sync(), "a change");
  await saying("hello", "four");
  appendFileSync(path.join(folder, "hello.yaml"), "# by hand\n");
  good(sync(), "a file that was changed by hand");
  check(!readFileSync(path.join(folder, "hello.yaml"), "utf8").includes("by hand"), "is put right");
  for (let i = 0; i < 7; i++) {
    commit({ "prod/hello.yaml": says("hello", `v${i}`) });
    good(sync(), "one of many");
  }
  equal(readdirSync(state).filter((n) => /^\d/.test(n)).length, 5, "five versions are kept");
});

await scenario("a package in the repository", async () => {
  mkdirSync(path.join(repo, "prod/pack/data"), { recursive: true });
  put("prod/pack/packed.yaml", says("packed", "one"));
  put("prod/pack/data/schema.json", "{}");
  const pin = run(["hash", path.join(repo, "prod/pack")]).stdout;
  commit({ "prod/agents.lock": pin });
  good(sync(), "a sync");
  await saying("packed", "one");
  await stays({ "prod/pack/data/schema.json": "[]" }, /package 'pack': the folder has the hash/, "a file that is not as its pin says");
  equal(await said("packed"), "one", "the server goes on");
});

await scenario("killed anywhere", async () => {
  const shim = path.join(dir, "shim.so");
  writeFileSync(path.join(dir, "shim.c"), `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>
static int calls;
static void count(void) { const char *at = getenv("KILL_AT"); if (at && !strncmp(program_invocation_short_name, "cohort", 6) && ++calls == atoi(at)) kill(getpid(), SIGKILL); }
#define WRAP(type, name, args, pass) type name args { static type (*next) args; if (!next) next = (type (*) args)dlsym(RTLD_NEXT, #name); count(); return next pass; }
WRAP(int, rename, (const char *a, const char *b), (a, b))
WRAP(int, symlink, (const char *a, const char *b), (a, b))
WRAP(int, mkdir, (const char *a, mode_t m), (a, m))
WRAP(int, unlink, (const char *a), (a))
WRAP(int, remove, (const char *a), (a))
WRAP(int, syncfs, (int a), (a))
WRAP(pid_t, fork, (void), ())
`);
  execFileSync(process.env.CC?.split(" ").at(-1) ?? "cc", ["-shared", "-fPIC", "-o", shim, path.join(dir, "shim.c"), "-ldl"]);
  const preload = (n) => ({ LD_PRELOAD: shim, KILL_AT: String(n), ASAN_OPTIONS: `${process.env.ASAN_OPTIONS ?? ""}:verify_asan_link_order=0` });
  const wants = [];
  for (const i of [0, 1]) {
    commit({ "prod/hello.yaml": says("hello", `k${i}`), [`prod/${["even", "odd"][i]}.yaml`]: says("x", "x"), ...(i ? { "prod/even.yaml": null } : {}) });
    git(repo, "branch", "-f", `k${i}`);
    wants.push(hash(path.join(repo, "prod")));
  }
  good(sync("--ref", "k1"), "a sync");
  let old = wants[1], n = 0, killed = 0, ended = false, halves = 0;
  while (!ended && ++n < 200) {
    const to = wants.find((w) => w !== old), r = run(["sync", repo, folder, "--path", "prod", "--ref", `k${wants.indexOf(to)}`], preload(n)), now = hash();
    if (now !== old && now !== to) halves++;
    if (r.signal === "SIGKILL" || r.status === 137) killed++; else ended = true;
    if (ended) equal([r.status, now], [0, to], `the one that is not killed, at step ${n}`) || console.log(r.stderr);
    old = now;
  }
  check(killed > 12, "killed at each step", { killed, n });
  equal(halves, 0, "the folder was the old or the new one");
  await saying("hello", `k${wants.indexOf(old)}`);
  // The same of a way back.
  for (let at = 1, done = false; !done && at < 100; at++) {
    const before = hash(), r = run(["rollback", folder], preload(at)), now = hash();
    done = r.status === 0;
    check(done || r.signal === "SIGKILL" || r.status === 137, `a rollback at step ${at}`, r.stderr);
    check(/^[0-9a-f]{64}$/.test(now), "leaves a whole folder", { before, now });
    if (now !== before) good(sync("--force"), "forward again");
  }
});

await scenario("twenty at once", async () => {
  const hashes = {};
  for (let i = 0; i < 20; i++) {
    commit({ "prod/hello.yaml": says("hello", `b${i}`), [`prod/n${i}.yaml`]: says(`n${i}`, "x") });
    git(repo, "branch", "-f", `b${i}`);
    hashes[`b${i}`] = [3, 7].includes(i) ? hash(path.join(repo, "prod")) : "";
  }
  const all = await Promise.all(Object.keys(hashes).map((ref) => new Promise((resolve) => {
    const child = spawn(binary, ["agent", "sync", repo, folder, "--path", "prod", "--ref", ref], { env: cleanEnv(env), stdio: ["ignore", "pipe", "pipe"] });
    let text = "";
    child.stdout.on("data", (d) => { text += d; });
    child.stderr.on("data", (d) => { text += d; });
    child.on("close", (code) => resolve({ code, text }));
  })));
  check(all.every((r) => r.code === 0), "all of them end well", all.filter((r) => r.code !== 0));
  const word = /'(b\d+)'/.exec(readFileSync(path.join(folder, "hello.yaml"), "utf8"))[1];
  equal([readdirSync(folder).includes(`n${word.slice(1)}.yaml`), readlinkSync(folder).slice(-40)], [true, git(repo, "rev-parse", word)], "the folder is one of them");
  good(sync("--ref", "b7"), "a branch");
  equal(hash(), hashes.b7, "is taken");
  good(sync("--ref", git(repo, "rev-parse", "b3")), "a commit by its id");
  equal(hash(), hashes.b3, "too");
  await saying("hello", "b3");
});

await scenario("watching", async () => {
  const child = spawn(binary, ["agent", "sync", repo, folder, "--path", "prod", "--watch", "1s"], { env: cleanEnv(env), stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  child.stdout.on("data", (d) => { text += d; });
  child.stderr.on("data", (d) => { text += d; });
  await saying("hello", "b19");
  commit({ "prod/hello.yaml": "id: [" });
  await until(() => /is not taken/.test(text), "a broken commit to be told");
  equal(await said("hello"), "b19", "which changes nothing");
  commit({ "prod/hello.yaml": says("hello", "last") });
  await saying("hello", "last");
  equal(text.split("is not taken").length, 2, "the same is told once");
  child.kill("SIGTERM");
  equal(await new Promise((r) => child.on("exit", (code, signal) => r([code, signal]))), [0, null], "SIGTERM ends it");
});

await scenario("a link that another program replaces", async () => {
  for (const word of ["v1", "v2"]) {
    mkdirSync(path.join(dir, "srv", word));
    writeFileSync(path.join(dir, "srv", word, "hello.yaml"), says("hello", word));
    symlinkSync(word, path.join(dir, "srv", "tmp"));
    renameSync(path.join(dir, "srv", "tmp"), folder);
    await saying("hello", word);
  }
  writeFileSync(path.join(folder, "hello.yaml"), says("hello", "edited"));
  await saying("hello", "edited");
  check(lstatSync(folder).isSymbolicLink(), "it is a link");
});

await server.stop();
finish();
