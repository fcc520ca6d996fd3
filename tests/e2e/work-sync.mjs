// work-sync.mjs [all] - sync when it is not easy: cycles and renamings of two clones, a
// kill at each step, a remote that hangs, repositories in any state.
import { execFileSync } from "node:child_process";
import { appendFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { check, equal, finish, scenario, scratch, until } from "./lib.mjs";
import { clones, env, git, workspace } from "./work-git-lib.mjs";

process.setMaxListeners(0);
const batch = (ws, operations) => ws.ok(["batch", "-f", "-", "--json"], { input: JSON.stringify({ operations }) });
const create = (args) => ({ operation: "create", args });
const all = (ws) => new Map(ws.ok(["list", "--json"]).map((i) => [i.id, i]));
const sync = (ws, ...args) => ws.ok(["sync", "--json", ...args]);
const file = (ws) => path.join(ws.dir, ".cohort", "issues.jsonl");
const lines = (ws) => readFileSync(file(ws), "utf8");
const sound = (ws) => {
  const { checks } = ws.ok(["doctor", "--json"]);
  check(checks.find((c) => c.name === "counts").ok, "counts", checks);
  equal(ws.ok(["dep", "cycles", "--json"]), [], "no cycles");
};
const real = execFileSync("sh", ["-c", "command -v git"], { encoding: "utf8" }).trim();

// A folder with a `git` that runs `script` ($1.. are git's arguments) and then git.
function wrapper(script) {
  const dir = scratch();
  writeFileSync(path.join(dir, "git"), `#!/bin/sh\n${script}\nexec ${real} "$@"\n`, { mode: 0o755 });
  return { PATH: `${dir}:${process.env.PATH}` };
}

await scenario("a cycle that two clones close: the later edge goes, on both", () => {
  for (const first of [0, 1]) {
    const list = clones(2);
    batch(list[0], ["x", "y", "z"].map((n) => create({ id: `p-${n}`, title: n })));
    list.forEach((ws) => sync(ws));
    list[0].ok(["dep", "add", "p-x", "p-y"]);
    list[1].ok(["dep", "add", "p-y", "p-z"]);
    list[1].ok(["dep", "add", "p-z", "p-x"]);
    const [a, b] = first === 0 ? list : list.toReversed();
    sync(a);
    const strict = b.run(["sync", "--strict"]);
    check(strict.code === 1 && /issues\.jsonl: line \d+: .*cycle \(p-/.test(strict.err), "--strict names line and cycle", strict);
    const r = b.run(["sync", "--json"]);
    equal(r.code, 0, `sync: ${r.err}`);
    const { conflicts } = JSON.parse(r.out);
    equal(conflicts.map((c) => [c.id, c.field]), [["p-z", "dependencies"]], "what was dropped");
    check(/Conflict: p-z: dependencies: .*p-z -> p-x -> p-y -> p-z/.test(r.err), "in words", r.err);
    equal(sync(a).conflicts, [], "the other has nothing to settle");
    equal(lines(a), lines(b), "the same bytes");
    equal([sync(a).committed, sync(b).committed], [false, false], "quiet");
    for (const ws of [a, b]) {
      equal(ws.ok(["ready", "--json"]).map((i) => i.id), ["p-z"], "ready");
      sound(ws);
    }
    const alone = workspace({ env });
    const closed = lines(a).replace('"title":"z"', '"title":"z","dependencies":[{"issue_id":"p-z","depends_on_id":"p-x","type":"blocks","created_at":"2026-01-01T00:00:00Z","created_by":"t"}]');
    const cycle = alone.run(["import"], { input: closed });
    check(cycle.code === 1 && /line \d+: .*cycle/.test(cycle.err), "a plain import refuses", cycle);
  }
});

await scenario("rename-prefix travels, with the edits of the others", () => {
  const [a, b, c] = clones(3);
  batch(a, Array.from({ length: 20 }, (_, i) => create({ id: `p-${i}`, title: `t${i}`, ...(i > 0 ? { dependencies: [`p-${i - 1}`], notes: `after p-${i - 1}` } : {}) })));
  [a, b, c].forEach((ws) => sync(ws));
  b.ok(["update", "p-3", "--title", "edited"]);
  b.ok(["comment", "p-4", "a word"]);
  b.ok(["create", "of b", "--id", "p-b", "--deps", "p-5"]);
  c.ok(["close", "p-0"]);
  a.ok(["rename-prefix", "q"]);
  [a, b, c, a, b].forEach((ws) => sync(ws));
  equal([lines(b), lines(c)], [lines(a), lines(a)], "the same bytes");
  for (const ws of [a, b, c]) {
    const items = all(ws);
    equal(items.size, 21, "nothing twice");
    equal([items.get("q-3").title, items.get("q-0").status, items.get("q-7").notes], ["edited", "closed", "after q-6"], "edits and mentions");
    equal(items.get("p-b").dependency_records.map((d) => d.depends_on_id), ["q-5"], "a dependency on what was renamed");
    equal([ws.ok(["show", "q-4", "--json"])].flat()[0].comments.length, 1, "the comment");
    check(ws.ok(["create", "new", "-q"]).startsWith("q-"), "new ids follow");
    sound(ws);
  }
});

await scenario("killed at the start of each git: the next one goes on", async () => {
  for (const user of process.argv[2] === "all" ? [false, true] : [true]) { // has a commit of their own
    const [a, b] = clones(2);
    batch(a, [create({ id: "p-1", title: "one" }), create({ id: "p-2", title: "two" })]);
    [a, b].forEach((ws) => sync(ws));
    let code = -1;
    for (let n = 1; code !== 0; n++) {
      const p = n % 4, text = `t${n}`;
      batch(a, [{ operation: "update", args: { id: "p-1", title: text } }]);
      sync(a);
      batch(b, [{ operation: "update", args: { id: "p-1", priority: p } }, create({ id: `p-b${n}`, title: "mine" })]);
      if (user) {
        appendFileSync(path.join(b.dir, "own.txt"), "own\n");
        git(b.dir, "add", "own.txt");
        git(b.dir, "commit", "-q", "-m", "own");
      }
      const count = path.join(scratch(), "count");
      const more = wrapper(`[ -n "$GIT_WRAPPED" ] && exec ${real} "$@"; export GIT_WRAPPED=1; echo x >> '${count}'; [ "$(wc -l < '${count}')" = ${n} ] && { kill -9 $PPID; exit 1; }`);
      code = b.run(["sync"], { env: more }).code;
      b.ok(["update", "p-2", "--notes", text]);
      const again = b.run(["sync", "--json"]);
      equal(again.code, 0, `after ${n}: ${again.err}`);
      for (const name of ["rebase-merge", "rebase-apply", "index.lock"]) check(!existsSync(path.join(b.dir, ".git", name)), `no ${name} after ${n}`);
      equal(readdirSync(path.join(b.dir, ".cohort")).filter((f) => /tmp|sync\.(state|attributes)/.test(f)), [], `nothing left after ${n}`);
      const items = all(b);
      equal([items.get("p-1").title, items.get("p-1").priority, items.get("p-2").notes, items.size], [text, p, text, 2 + n], `no edit is lost after ${n}`);
      check(code !== 0 || n > 10, "there were steps", n);
    }
    sync(a);
    equal(lines(a), lines(b), "the same in the end");
    equal(git(b.dir, "status", "--porcelain"), "", "clean");
  }
});

const slow = (ws) => { git(ws.dir, "remote", "set-url", "origin", "ssh://git@192.0.2.1/x.git"); };
// Is the process whose number is in the file there?
function alive(pidFile) {
  try { process.kill(Number(readFileSync(pidFile, "utf8")), 0); return true; } catch { return false; }
}

// What the remote's branch has of the exported file; empty: none yet.
function remoteFile(ws) {
  try { return git(path.join(path.dirname(ws.dir), "remote.git"), "show", "main:.cohort/issues.jsonl"); } catch { return ""; }
}

await scenario("the daemon commits and pushes by itself, and does not spin", async () => {
  const [a, other] = clones(2, { mode: "auto" });
  const log = path.join(scratch(), "log");
  const more = wrapper(`[ -n "$GIT_WRAPPED" ] || echo "$*" >> '${log}'; export GIT_WRAPPED=1`);
  a.stop();                              // what init started
  a.ok(["daemon", "--interval", "1s", "--auto-commit", "--auto-push"], { env: more });
  a.ok(["create", "one"]);
  // One read of the remote: what is compared is of one moment.
  await until(() => remoteFile(a).includes('"title":"one"'), "pushed");
  sync(other);
  equal(all(other).size, 1, "it arrived");
  const before = readFileSync(log, "utf8").split("\n").filter((l) => / fetch /.test(l)).length;
  const t = Date.now();
  await until(() => readFileSync(log, "utf8").split("\n").filter((l) => / fetch /.test(l)).length >= before + 2, "two more rounds");
  check(Date.now() - t > 900, "no faster than asked", Date.now() - t);
  a.stop();
  equal(git(a.dir, "status", "--porcelain"), "", "nothing half done");
  equal(readdirSync(path.join(a.dir, ".cohort")).filter((f) => /tmp|state|sock|pid/.test(f)), [], "nothing left");
});

await scenario("a push that hangs: clients go on, and it ends with the daemon", async () => {
  const [a] = clones(1, { mode: "auto" });
  sync(a);
  slow(a);
  const ssh = path.join(scratch(), "hang-ssh");
  const mark = `${ssh}.began`;
  writeFileSync(ssh, `#!/bin/sh\necho $$ > '${mark}.new'\nmv '${mark}.new' '${mark}'\nexec sleep 987654\n`, { mode: 0o755 });
  a.stop();                              // what init started
  a.ok(["daemon", "--interval", "1s", "--auto-commit", "--auto-push"], { env: { GIT_SSH_COMMAND: ssh } });
  await until(() => existsSync(mark), "it hangs");
  const t = Date.now();
  a.ok(["create", "while it hangs"]);
  check(Date.now() - t < 30000, "a client is not kept waiting", Date.now() - t);
  const u = Date.now();
  a.stop();
  check(Date.now() - u < 60000, "it stops", Date.now() - u);
  await until(() => !alive(mark), "and all it started");
  const r = a.run(["sync"], { env: { GIT_SSH_COMMAND: ssh, COHORT_WORK_GIT_TIMEOUT: "1s" } });
  check(r.code === 124 && /git fetch: no end after 1 s/.test(r.err), "by hand it ends in time", r);
  await until(() => !alive(mark), "with all it started");
});

await scenario("repositories in any state: words, and no harm", () => {
  const fails = (ws, pattern, what, options) => {
    const r = ws.run(["sync"], options);
    check(r.code === 1 && pattern.test(r.err), what, r);
  };
  const [a, b] = clones(2);
  a.ok(["create", "x"]);
  git(a.dir, "checkout", "-q", "--detach");
  fails(a, /HEAD is detached[\s\S]*Hint/, "detached");
  git(a.dir, "checkout", "-q", "main");
  git(a.dir, "checkout", "-q", "-b", "alone");
  check(/No upstream branch/.test(a.ok(["sync"])), "no upstream");
  git(a.dir, "checkout", "-q", "main");
  git(a.dir, "remote", "set-url", "origin", "ssh://git@192.0.2.1/x.git");
  fails(a, /does not let you in/, "no way in", { env: { GIT_SSH_COMMAND: "sh -c 'echo \"git@host: Permission denied (publickey).\" >&2; exit 255'" } });
  b.ok(["create", "y"]);
  writeFileSync(path.join(b.dir, ".git", "hooks", "pre-push"), "#!/bin/sh\necho 'not today' >&2\nexit 1\n", { mode: 0o755 });
  fails(b, /git push: not today/, "a hook that fails");
  rmSync(path.join(b.dir, ".git", "hooks", "pre-push"));
  mkdirSync(path.join(b.dir, ".git", "rebase-merge"));
  fails(b, /a rebase is in progress/, "the user's rebase");
  check(existsSync(path.join(b.dir, ".git", "rebase-merge")), "is left alone");
  rmSync(path.join(b.dir, ".git", "rebase-merge"), { recursive: true });
  equal(sync(b).pushed, true, "and then it goes");
  const root = scratch();
  git(root, "clone", "-q", "--depth", "1", `file://${path.join(path.dirname(b.dir), "remote.git")}`, "shallow");
  const shallow = workspace({ dir: path.join(root, "shallow"), env });
  shallow.ok(["create", "z"]);
  equal(sync(shallow).pushed, true, "a shallow clone");
  equal(all(shallow).size, 2, "has the others'");
  git(root, "init", "-q", "--bare", "-b", "main", "empty.git");
  const fresh = ["one", "two"].map((name) => {
    git(root, "clone", "-q", "empty.git", name);
    git(path.join(root, name), "symbolic-ref", "HEAD", "refs/heads/main");
    git(path.join(root, name), "config", "branch.main.remote", "origin");
    git(path.join(root, name), "config", "branch.main.merge", "refs/heads/main");
    return workspace({ dir: path.join(root, name), env });
  });
  fresh[0].ok(["create", "first"]);
  equal(sync(fresh[0]).pushed, true, "no commits yet");
  sync(fresh[1]);
  equal(all(fresh[1]).size, 1, "nor in the one that pulls");
  git(root, "init", "-q", "--bare", "bare.git");
  const bare = workspace({ dir: path.join(root, "bare.git"), env });
  fails(bare, /bare/, "a bare repository");
});

await scenario("a clone that got only .gitattributes", () => {
  const [a, b] = clones(2);
  batch(a, [create({ id: "p-1", title: "one" })]);
  writeFileSync(path.join(a.dir, ".gitattributes"), "**/.cohort/issues.jsonl merge=cohort-work\n");
  git(a.dir, "add", ".gitattributes");
  git(a.dir, "commit", "-q", "-m", "attributes");
  sync(a);
  sync(b);
  const r = b.run(["doctor"]);
  check(r.code === 1 && /merge driver +\.gitattributes names it, but this clone's git does not know it/.test(r.out), "doctor says it", r);
  a.ok(["update", "p-1", "--title", "uno"]);
  b.ok(["update", "p-1", "-p", "0"]);
  sync(a);
  sync(b);
  equal([all(b).get("p-1").title, all(b).get("p-1").priority], ["uno", 0], "sync merges all the same");
  b.ok(["doctor", "--fix"]);
  sync(a);
  a.ok(["update", "p-1", "--title", "eins"]);
  sync(a);
  b.ok(["update", "p-1", "-p", "3"]);
  sync(b, "--no-pull", "--no-push");
  git(b.dir, "pull", "-q", "--no-rebase", "--no-edit");
  const [item] = lines(b).trim().split("\n").map(JSON.parse);
  equal([item.title, item.priority], ["eins", 3], "and a plain git pull, once told");
  sync(b);
  equal(all(b).get("p-1").title, "eins", "the tracker too");
});

await scenario("sync while four write through the daemon", async () => {
  const [a, b] = clones(2, { mode: "auto" });
  batch(a, Array.from({ length: 300 }, (_, i) => create({ id: `p-s${i}`, title: `s${i}`, description: "x".repeat(30000) })));
  let writing = true;
  const writers = [0, 1, 2, 3].map(async (w) => {
    for (let i = 0; i < 25; i++) {
      const made = await a.start(["create", `w${w}-${i}`, "--json"]).done;
      equal(made.code, 0, made.err);
      const { id } = JSON.parse(made.out);
      equal((await a.start(["dep", "add", `p-s${(w * 25 + i) % 300}`, id]).done).code, 0, "dep");
    }
  });
  const syncs = (async () => {
    let n = 0;
    while (writing) {
      const r = await a.start(["sync"]).done;
      equal(r.code, 0, r.err);
      const ids = new Set(), wanted = [];
      for (const l of lines(a).trim().split("\n").map(JSON.parse)) {
        ids.add(l.id);
        for (const d of l.dependencies ?? []) wanted.push(d.depends_on_id);
      }
      check(wanted.every((id) => ids.has(id)), "the file is of one moment");
      n++;
    }
    return n;
  })();
  await Promise.all(writers);
  writing = false;
  check(await syncs > 0, "synced meanwhile");
  sync(a);
  sync(b);
  equal([all(a).size, all(b).size], [400, 400], "nothing lost");
  equal(lines(a), lines(b), "the same bytes");
  sound(b);
});
finish();
