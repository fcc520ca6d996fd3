// work-git-hard.mjs - clones that begin, files that git spoiled, and a user's git
// beside ours.
import { execFileSync } from "node:child_process";
import { appendFileSync, chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import path from "node:path";
import { check, equal, finish, scenario, scratch, until } from "./lib.mjs";
import { clones, env, git, workspace } from "./work-git-lib.mjs";

const batch = (ws, operations) => ws.ok(["batch", "-f", "-", "--json"], { input: JSON.stringify({ operations }) });
const create = (args) => ({ operation: "create", args });
const ids = (ws) => ws.ok(["list", "--json"]).map((i) => i.id).sort();
const sync = (ws, ...args) => ws.ok(["sync", "--json", ...args]);
const file = (ws) => path.join(ws.dir, ".cohort", "issues.jsonl");
const lines = (ws) => readFileSync(file(ws), "utf8");
const real = execFileSync("sh", ["-c", "command -v git"], { encoding: "utf8" }).trim();
const item = (id, more = {}) => JSON.stringify({ id, title: id, description: "", status: "open", priority: 2, issue_type: "task", created_at: "2026-01-01T00:00:00Z", updated_at: "2026-01-01T00:00:00Z", ...more });

// A checkout whose tracker nobody has opened yet.
function fresh(from, name = "fresh") {
  const dir = path.join(path.dirname(from.dir), name);
  git(path.dirname(from.dir), "clone", "-q", "remote.git", name);
  return workspace({ dir, env, init: false });
}

await scenario("the first command in a clone sees what is committed", async () => {
  const [a] = clones(1);
  batch(a, ["x", "y", "z"].map((n) => create({ id: `p-${n}`, title: n })));
  sync(a);
  for (const [i, args] of [["list"], ["ready"], ["show", "p-x"], ["create", "new"], ["stats"], ["search", "x"]].entries()) {
    const ws = fresh(a, `fresh${i}`);
    const r = ws.run([...args, "--json"]);
    equal(r.code, 0, `${args[0]}: ${r.err}`);
    check(/The first use of this clone.*\n.*3 created/.test(r.err), `${args[0]} says it`, r.err);
    equal(ids(ws).filter((id) => /^p-[xyz]$/.test(id)).length, 3, `${args[0]}: all are there`);
    check(ws.run(["list"]).err === "", "and says it once");
    equal(git(ws.dir, "status", "--porcelain"), "", "nothing for git");
    equal(readdirSync(path.join(ws.dir, ".cohort")).filter((f) => /first/.test(f)), [], "nothing left");
  }
  const many = fresh(a, "many");
  const all = await Promise.all(Array.from({ length: 8 }, () => many.start(["list", "--json"]).done));
  equal(all.map((r) => [r.code, JSON.parse(r.out).length]), Array.from({ length: 8 }, () => [0, 3]), "eight at once");
  const none = fresh(a, "none");
  writeFileSync(file(none), "{broken\n");
  const r = none.run(["list", "--json"]);
  check(r.code === 1 && /issues\.jsonl: line 1/.test(r.err), "a file that is no list is an error, not an empty tracker", r);
  const made = fresh(a, "made");
  made.ok(["init"]);
  equal(ids(made).length, 3, "init takes them too");
});

await scenario("a first import that is killed leaves a clone", async () => {
  const [a] = clones(1);
  writeFileSync(file(a), `${Array.from({ length: 20000 }, (_, i) => item(`p-${10000 + i}`)).join("\n")}\n`);
  git(a.dir, "add", "-f", ".cohort/issues.jsonl");
  git(a.dir, "commit", "-q", "-m", "items");
  git(a.dir, "push", "-q");
  const ws = fresh(a), folder = path.join(ws.dir, ".cohort");
  const p = ws.start(["list"]);
  await until(() => existsSync(folder) && readdirSync(folder).some((f) => f.startsWith("first.tmp")), "it began");
  p.child.kill("SIGKILL");
  await p.done;
  check(!existsSync(ws.db), "no database of a part");
  equal(ids(ws).length, 20000, "the next one has all");
  equal(readdirSync(folder).filter((f) => /first/.test(f)), [], "and swept");
});

if (process.getuid() !== 0) {
  await scenario("a clone that may not be written", () => {
    const [a] = clones(1);
    a.ok(["create", "x"]);
    sync(a);
    const ws = fresh(a);
    chmodSync(path.join(ws.dir, ".cohort"), 0o555);
    const r = ws.run(["list"]);
    check(r.code === 1 && /may not be written/.test(r.err), "says so", r);
    chmodSync(path.join(ws.dir, ".cohort"), 0o755);
  });
}

await scenario("a hook that exports: what both have is known all the same", () => {
  const [a, b] = clones(2);
  batch(a, [create({ id: "p-1", title: "one" }), create({ id: "p-2", title: "two" })]);
  sync(a);
  sync(b);
  a.ok(["update", "p-1", "--title", "uno"]);
  a.ok(["export", "-o", file(a)]);
  git(a.dir, "commit", "-q", "-m", "by hand", "--", ".cohort/issues.jsonl");
  git(a.dir, "push", "-q");
  sync(b);
  b.ok(["update", "p-2", "-p", "0"]);
  sync(b);
  sync(a);
  b.ok(["update", "p-1", "--title", "eins"]);
  a.ok(["update", "p-1", "-p", "1"]);
  sync(b);
  equal(sync(a).conflicts, [], "no conflict");
  sync(b);
  for (const ws of [a, b]) {
    const [item] = ws.ok(["show", "p-1", "--json"]);
    equal([item.title, item.priority], ["eins", 1], "both edits");
  }
});

await scenario("export -o over a file that has more", () => {
  const ws = workspace();
  ws.ok(["create", "one"]);
  const out = path.join(ws.dir, "out.jsonl"), text = `${["q-1", "q-2", "q-3"].map((id) => item(id)).join("\n")}\n`;
  writeFileSync(out, text);
  const r = ws.run(["export", "-o", out]);
  check(r.code === 1 && /has 3 items, the tracker 1[\s\S]*--force/.test(r.err), "asks", r);
  equal(readFileSync(out, "utf8"), text, "and leaves it");
  ws.ok(["export", "-o", out, "--force"]);
  equal(readFileSync(out, "utf8").trim().split("\n").length, 1, "with --force");
});

await scenario("a lock that was left: its age, what to do, and an end", () => {
  const [a] = clones(1);
  a.ok(["create", "x"]);
  const lock = path.join(a.dir, ".git", "index.lock"), old = Date.now() / 1000 - 3 * 3600 - 60;
  writeFileSync(lock, "");
  utimesSync(lock, old, old);
  const t = Date.now(), r = a.run(["sync"], { env: { COHORT_WORK_GIT_TIMEOUT: "1s" } });
  check(r.code === 1 && /index\.lock exists, 3 h old[\s\S]*rm '.*index\.lock'/.test(r.err), "told", r);
  check(Date.now() - t < 30000, "ended", Date.now() - t);
  check(existsSync(lock), "and never taken away");
});

await scenario("what killed writers left is swept", () => {
  const [a] = clones(1);
  a.ok(["create", "x"]);
  const dir = path.join(a.dir, ".cohort");
  for (const name of ["issues.jsonl.tmp.999999", "sync.state.tmp.999999"]) writeFileSync(path.join(dir, name), "part");
  writeFileSync(path.join(dir, `issues.jsonl.tmp.${process.pid}`), "of one that lives");
  sync(a);
  equal(readdirSync(dir).filter((f) => /tmp/.test(f)), [`issues.jsonl.tmp.${process.pid}`], "but not of the living");
});

await scenario("nothing to commit is no error", () => {
  for (const config of [[], ["core.autocrlf", "true"], ["core.eol", "crlf"]]) {
    const [a, b] = clones(2);
    if (config.length > 0) for (const ws of [a, b]) git(ws.dir, "config", ...config);
    a.ok(["create", "x"]);
    equal(sync(a).committed, true, "first");
    equal(sync(a).committed, false, "again");
    sync(b);
    equal([ids(b).length, sync(b).committed], [1, false], `the other: ${config}`);
    git(a.dir, "reset", "-q");
    a.ok(["create", "y"]);
    git(a.dir, "add", "-f", ".cohort/issues.jsonl");
    equal(sync(a).committed, true, "staged by the user");
    git(a.dir, "reset", "-q", "--hard", "HEAD");
    equal(sync(a).committed, false, "after a reset");
  }
});

await scenario("a user's commit in the middle of ours: both, unmixed", () => {
  const [a] = clones(1);
  a.ok(["create", "x"]);
  sync(a);
  a.ok(["create", "y"]);
  const dir = scratch(), once = path.join(dir, "once");
  writeFileSync(path.join(dir, "git"), `#!/bin/sh
if [ -z "$GIT_WRAPPED" ] && [ "$1" = commit-tree ] && [ ! -e '${once}' ]; then
  export GIT_WRAPPED=1; touch '${once}'
  (unset GIT_INDEX_FILE; cd '${a.dir}' && echo mine > user.txt && '${real}' add user.txt && '${real}' commit -q -m user) || echo failed > '${once}'
fi
export GIT_WRAPPED=1
exec '${real}' "$@"
`, { mode: 0o755 });
  writeFileSync(path.join(a.dir, "staged.txt"), "later\n");
  const r = a.run(["sync", "--json"], { env: { PATH: `${dir}:${process.env.PATH}` } });
  equal(r.code, 0, r.err);
  equal(readFileSync(once, "utf8"), "", "the user's went through");
  const names = (rev) => git(a.dir, "show", "--format=", "--name-only", rev).split("\n");
  equal([names("HEAD"), names("HEAD~1")], [[".cohort/issues.jsonl"], ["user.txt"]], "each has its own");
  equal(git(a.dir, "status", "--porcelain"), "?? staged.txt", "and the index knows of both");
  git(a.dir, "add", "staged.txt");
  a.ok(["create", "z"]);
  sync(a);
  equal(git(a.dir, "status", "--porcelain"), "A  staged.txt", "what is staged stays staged");
  equal(names("HEAD"), [".cohort/issues.jsonl"], "and out of it");
});

await scenario("a file that was merged by lines, or not at all, is mended", () => {
  const theirs = item("p-1", { title: "theirs", updated_at: "2026-01-03T00:00:00Z", labels: ["b"] });
  const ours = item("p-1", { title: "ours", updated_at: "2026-01-02T00:00:00Z", labels: ["a"] });
  const conflict = `${item("p-0")}\n<<<<<<< HEAD\n${ours}\n${item("p-2")}\n=======\n${theirs}\n${item("p-3")}\n>>>>>>> other\n`;
  const [a] = clones(1);
  a.ok(["create", "x", "--id", "p-x"]);
  sync(a);
  writeFileSync(file(a), conflict);
  const r = a.run(["sync"]);
  check(r.code === 1 && /issues\.jsonl: line 2: an unresolved conflict of git[\s\S]*doctor --fix/.test(r.err), "sync names what mends it", r);
  equal(lines(a), conflict, "and leaves the file");
  check(/issues\.jsonl +1 unresolved conflicts of git/.test(a.run(["doctor"]).out), "doctor tells");
  a.ok(["doctor", "--fix"]);
  sync(a);
  equal(ids(a), ["p-0", "p-1", "p-2", "p-3", "p-x"], "both sides are in");
  const [one] = a.ok(["show", "p-1", "--json"]);
  equal([one.title, one.labels], ["theirs", ["a", "b"]], "field by field");
  appendFileSync(file(a), `${item("p-2", { title: "newer", updated_at: "2026-02-02T00:00:00Z" })}\n`);
  check(/1 lines with the id of another/.test(a.run(["doctor"]).out), "twins are told");
  sync(a);
  equal(a.ok(["show", "p-2", "--json"])[0].title, "newer", "and merged by sync itself");
  equal(lines(a).split("\n").filter((l) => l.includes('"p-2"')).length, 1, "once, then");
  const dir = path.join(scratch(), "ws");
  mkdirSync(path.join(dir, ".cohort"), { recursive: true });
  writeFileSync(path.join(dir, ".cohort", "issues.jsonl"), conflict);
  const ws = workspace({ dir, env, init: false });
  check(/doctor --fix/.test(ws.run(["list"]).err), "also where there is no tracker yet");
  ws.run(["doctor", "--fix"]);
  equal(ids(ws), ["p-0", "p-1", "p-2", "p-3"], "which then has them");
  check(statSync(ws.db).size > 0, "in a database");
});
finish();
