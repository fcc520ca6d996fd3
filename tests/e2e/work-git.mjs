// work-git.mjs - the tracker and git: clones that exchange their items, sync by
// many at once, the user's own changes left alone, and the merge driver.
import { spawnSync } from "node:child_process";
import { appendFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { binary, check, equal, finish, scenario, scratch, until } from "./lib.mjs";
import { clones, env, git, workspace } from "./work-git-lib.mjs";

process.setMaxListeners(0);
const batch = (ws, operations) => ws.ok(["batch", "-f", "-", "--json"], { input: JSON.stringify({ operations }) });
const create = (args) => ({ operation: "create", args });
const update = (args) => ({ operation: "update", args });
const all = (ws) => new Map(ws.ok(["list", "--json"]).map((i) => [i.id, i]));
const sync = (ws, ...args) => ws.ok(["sync", "--json", ...args]);
const lines = (ws) => readFileSync(path.join(ws.dir, ".cohort", "issues.jsonl"), "utf8");
const sound = (ws) => equal(ws.ok(["doctor", "--json"]) !== undefined, true, "doctor has nothing to say");

await scenario("two clones: 100 creates and 20 edits each", () => {
  const [a, b] = clones(2);
  const shared = Array.from({ length: 30 }, (_, i) => create({ id: `p-s${i}`, title: `s${i}`, description: "d" }));
  batch(a, shared);
  sync(a);
  sync(b);
  equal(all(b).size, 30, "the other has them");
  for (const [ws, name] of [[a, "a"], [b, "b"]])
    batch(ws, Array.from({ length: 100 }, (_, i) => create({ title: `${name}${i}` })));
  // 0..9: the same items, different fields; 10..19: one field, only one side
  // each; 20..24: one field on both sides.
  batch(a, Array.from({ length: 10 }, (_, i) => update({ id: `p-s${i}`, title: `A${i}` })));
  batch(a, Array.from({ length: 5 }, (_, i) => update({ id: `p-s${10 + i}`, notes: "A" })));
  batch(a, Array.from({ length: 5 }, (_, i) => update({ id: `p-s${20 + i}`, design: "A" })));
  batch(b, Array.from({ length: 10 }, (_, i) => update({ id: `p-s${i}`, description: `B${i}` })));
  batch(b, Array.from({ length: 5 }, (_, i) => update({ id: `p-s${15 + i}`, notes: "B" })));
  batch(b, Array.from({ length: 5 }, (_, i) => update({ id: `p-s${20 + i}`, design: "B" })));
  sync(a);
  const merged = b.run(["sync"]);
  equal(merged.code, 0, "merged");
  const reported = new Set([...(merged.err + merged.out).matchAll(/(p-s2\d): design: changed on both sides; kept "B"/g)].map((m) => m[1]));
  equal([...reported].sort(), ["p-s20", "p-s21", "p-s22", "p-s23", "p-s24"], "true conflicts are told, no others");
  equal((merged.err.match(/changed on both sides/g) ?? []).length, 5, "and only they");
  sync(a);
  const x = all(a), y = all(b);
  equal([x.size, y.size], [230, 230], "nothing twice, nothing lost");
  for (const items of [x, y]) {
    for (let i = 0; i < 10; i++) equal([items.get(`p-s${i}`).title, items.get(`p-s${i}`).description], [`A${i}`, `B${i}`], "both edits");
    for (let i = 10; i < 20; i++) equal(items.get(`p-s${i}`).notes, i < 15 ? "A" : "B", "an edit of one side");
    for (let i = 20; i < 25; i++) equal(items.get(`p-s${i}`).design, "B", "the later of two");
  }
  equal(lines(a), lines(b), "the same file");
  equal([sync(a).committed, sync(b).committed], [false, false], "and then all is quiet");
  equal([git(a.dir, "status", "--porcelain"), git(b.dir, "status", "--porcelain")], ["", ""], "nothing else in the checkout");
  [a, b].forEach(sound);
});

await scenario("deletions and comments travel", () => {
  const [a, b] = clones(2);
  batch(a, [create({ id: "p-1", title: "one" }), create({ id: "p-2", title: "two", dependencies: ["p-1"] })]);
  sync(a);
  sync(b);
  a.ok(["comment", "p-2", "from a"]);
  b.ok(["comment", "p-2", "from b"]);
  b.ok(["delete", "p-1", "--force"]);
  sync(b);
  sync(a);
  sync(b);
  for (const ws of [a, b]) {
    equal([...all(ws).keys()], ["p-2"], "deleted in both");
    const two = [ws.ok(["show", "p-2", "--json"])].flat()[0];
    equal(two.comments.map((c) => c.text).sort(), ["from a", "from b"], "both comments, once");
    equal(two.dependencies ?? [], [], "what depended on it does not");
    sound(ws);
  }
  equal(lines(a), lines(b), "the same file");
});

await scenario("eight at once in one checkout", async () => {
  const [ws, other] = clones(2);
  const runs = await Promise.all(Array.from({ length: 8 }, async (_, i) => {
    const made = await ws.start(["create", `by ${i}`, "--json"]).done;
    equal(made.code, 0, `create ${i}`);
    return ws.start(["sync", "-m", `sync ${i}`]).done;
  }));
  for (const r of runs) {
    equal(r.code, 0, `sync: ${r.err}`);
    check(!/index\.lock|Another git process/.test(r.err + r.out), "no lock is met", r);
  }
  sync(other);
  equal(all(other).size, 8, "all of it arrived");
  equal(git(ws.dir, "rev-list", "--count", "@{u}..HEAD"), "0", "nothing waits to be pushed");
});

await scenario("eight clones push at once", async () => {
  const list = clones(8);
  list.forEach((ws, i) => ws.ok(["create", `by ${i}`]));
  const runs = await Promise.all(list.map((ws) => ws.start(["sync"]).done));
  // Who lost every race says so and has everything still to give.
  for (const [i, r] of runs.entries()) if (r.code !== 0) equal(list[i].run(["sync"]).code, 0, `again: ${r.err}`);
  list.forEach((ws) => sync(ws));
  list.forEach((ws) => equal(all(ws).size, 8, "everybody has everything"));
});

await scenario("another git's lock is waited for", async () => {
  const [ws] = clones(1);
  ws.ok(["create", "x"]);
  const lock = path.join(ws.dir, ".git", "index.lock");
  writeFileSync(lock, "");
  const p = ws.start(["sync", "--no-pull", "--no-push"]);
  await until(() => /Waiting for another git \(.*index\.lock/.test(p.err), "it waits, and says for what");
  rmSync(lock);
  const r = await p.done;
  equal(r.code, 0, `then goes on: ${r.err}`);
  check(/issues\.jsonl/.test(git(ws.dir, "show", "--stat", "HEAD")), "committed");
});

await scenario("what the user has staged and changed stays as it is", () => {
  const [a, b] = clones(2);
  b.ok(["create", "theirs"]);
  sync(b);
  appendFileSync(path.join(a.dir, "code.txt"), "changed\n");
  writeFileSync(path.join(a.dir, "staged.txt"), "staged\n");
  git(a.dir, "add", "staged.txt");
  a.ok(["create", "mine"]);
  const before = git(a.dir, "status", "--porcelain");
  equal(sync(a).pushed, true, "synced");
  equal(git(a.dir, "status", "--porcelain"), before, "the index and the files are as they were");
  equal(git(a.dir, "show", "--name-only", "--format=", "HEAD"), ".cohort/issues.jsonl", "one file was committed");
  equal(all(a).size, 2, "and theirs came in");
  equal(git(a.dir, "rev-list", "--merges", "--count", "HEAD"), "0", "without a merge commit");
});

await scenario("from a linked worktree", () => {
  const [a, b] = clones(2);
  const linked = path.join(scratch(), "linked");
  git(a.dir, "worktree", "add", "-q", "-b", "side", linked);
  a.ok(["create", "seen from both"], { cwd: linked });
  equal(a.ok(["sync", "--json"], { cwd: linked }).pushed, true, "synced");
  equal(git(linked, "status", "--porcelain"), "", "the worktree has no noise");
  sync(b);
  equal(all(b).size, 1, "it arrived");
});

await scenario("a conflict in other files is taken back", () => {
  const [a, b] = clones(2);
  for (const [ws, text] of [[a, "A\n"], [b, "B\n"]]) {
    writeFileSync(path.join(ws.dir, "code.txt"), text);
    git(ws.dir, "commit", "-q", "-am", text.trim());
  }
  sync(a);
  b.ok(["create", "mine"]);
  const r = b.run(["sync"]);
  check(r.code !== 0 && /code\.txt/.test(r.err) && /Hint/.test(r.err), "it says which file", r);
  equal(git(b.dir, "status", "--porcelain"), "", "no rebase is left");
  check(!existsSync(path.join(b.dir, ".git", "rebase-merge")), "nor its folder");
  equal(readFileSync(path.join(b.dir, "code.txt"), "utf8"), "B\n", "the file is as it was");
  equal(git(b.dir, "symbolic-ref", "--short", "HEAD"), "main", "on its branch");
});

await scenario("a file pulled by hand is imported, not written over", () => {
  const [a, b] = clones(2);
  a.ok(["create", "one"]);
  sync(a);
  git(b.dir, "pull", "-q", "--rebase");
  b.ok(["create", "two"]);
  sync(b);
  equal(all(b).size, 2, "both are there");
  equal(lines(b).trim().split("\n").length, 2, "also in the file");
});

await scenario("dry run, no repository, flush only, a hook that syncs", () => {
  const [a] = clones(1);
  a.ok(["create", "one"]);
  const dry = a.run(["sync", "--dry-run"]);
  check(dry.code === 0 && /Dry run complete/.test(dry.out), "dry", dry);
  equal([existsSync(path.join(a.dir, ".cohort", "issues.jsonl")), git(a.dir, "log", "--format=%s")], [false, "first"], "nothing was done");
  writeFileSync(path.join(a.dir, ".git", "hooks", "pre-push"), `#!/bin/sh\n'${binary}' work sync\n`, { mode: 0o755 });
  equal(sync(a).pushed, true, "its own hook does not wait for it");
  const alone = workspace({ env });
  alone.ok(["create", "x"]);
  const r = alone.run(["sync"]);
  check(r.code !== 0 && /not in a git repository/.test(r.err) && /git init/.test(r.err), "no repository", r);
  alone.ok(["sync", "--flush-only"]);
  equal(lines(alone).trim().split("\n").length, 1, "the file is written all the same");
});

await scenario("the merge driver, installed", () => {
  const [a, b] = clones(2);
  batch(a, [create({ id: "p-1", title: "one", description: "d" })]);
  for (const ws of [a, b]) ws.ok(["init", "--merge-driver"]);
  check(readFileSync(path.join(a.dir, ".git", "info", "attributes"), "utf8").includes("issues.jsonl merge=cohort-work"), "the attribute");
  check(!existsSync(path.join(a.dir, ".gitattributes")), "nothing to commit");
  a.ok(["sync"]);
  sync(b);
  a.ok(["update", "p-1", "--title", "uno"]);
  b.ok(["update", "p-1", "-p", "0"]);
  for (const ws of [a, b]) sync(ws, "--no-pull", "--no-push");
  git(a.dir, "push", "-q");
  git(b.dir, "pull", "-q", "--rebase");
  const [item] = lines(b).trim().split("\n").map(JSON.parse);
  equal([item.title, item.priority], ["uno", 0], "git merged the fields");
  const dir = scratch();
  for (const [name, text] of [["o", ""], ["a", "<<<<<<< x\n"], ["b", ""]]) writeFileSync(path.join(dir, name), text);
  const r = spawnSync(binary, ["work", "merge", "o", "a", "b"], { cwd: dir, encoding: "utf8" });
  check(r.status === 1 && /line 1: a conflict marker/.test(r.stderr), "a marker is refused", r);
  equal(readFileSync(path.join(dir, "a"), "utf8"), "<<<<<<< x\n", "and the file left alone");
  equal(readdirSync(dir).length, 3, "nothing is left beside it");
});

await scenario("10,000 items merge in well under a second", () => {
  const dir = scratch();
  const line = (i, title, p) => JSON.stringify({ id: `t-${String(i).padStart(5, "0")}`, title, description: "x".repeat(300), status: "open", priority: p, issue_type: "task", created_at: "2026-01-01T00:00:00Z", updated_at: "2026-01-01T00:00:00Z" });
  const file = (name, f) => writeFileSync(path.join(dir, name), Array.from({ length: 10000 }, (_, i) => f(i)).join("\n") + "\n");
  file("o", (i) => line(i, "t", 2));
  file("a", (i) => line(i, i % 3 === 0 ? "A" : "t", 2));
  file("b", (i) => line(i, "t", i % 2));
  const begin = process.hrtime.bigint();
  const r = spawnSync(binary, ["work", "merge", "o", "a", "b"], { cwd: dir, encoding: "utf8" });
  const ms = Number(process.hrtime.bigint() - begin) / 1e6;
  equal(r.status, 0, r.stderr);
  const merged = readFileSync(path.join(dir, "a"), "utf8").trim().split("\n").map(JSON.parse);
  check(merged.length === 10000 && merged.every((x, i) => x.title === (i % 3 === 0 ? "A" : "t") && x.priority === i % 2), "all merged");
  if (process.argv.includes("-v")) console.log(`  ${ms.toFixed(0)} ms`);
});

await scenario("the first page for an agent; the items of beads", () => {
  const ws = workspace({ env });
  mkdirSync(path.join(ws.dir, ".beads"));
  writeFileSync(path.join(ws.dir, ".beads", "issues.jsonl"), `${JSON.stringify({ id: "bd-1", title: "old", description: "", status: "open", priority: 1, issue_type: "bug", created_at: "2025-10-16T13:24:05.123456-07:00", updated_at: "2025-10-16T13:24:05.123456-07:00" })}\n`);
  ws.ok(["init", "--from-beads"]);
  const page = ws.ok(["prime", "--actor", "eve"]);
  check(page.includes("bd-1 [P1] old") && page.split("\n").length < 40, "it has what is ready, on one page", page);
  ws.ok(["claim", "--ready", "--actor", "eve"]);
  const facts = ws.ok(["prime", "--json", "--actor", "eve"]);
  equal([facts.actor, facts.in_progress.map((i) => i.id), facts.ready.length], ["eve", ["bd-1"], 0], "and as JSON");
});
finish();
