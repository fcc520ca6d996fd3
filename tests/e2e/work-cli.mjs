// work-cli.mjs - what scripts and agents made for bd rely on: through a link of
// that name, each command's JSON keys in bd's order, its exit codes, the words
// that are searched for, texts of any kind, and what a terminal or a pipe gets.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { binary, check, equal, finish, scenario, scratch, until } from "./lib.mjs";
import { workspace } from "./work-lib.mjs";

const bin = scratch();
const bd = path.join(bin, "bd");
symlinkSync(path.resolve(binary), bd);
const as_bd = { program: [bd] };

// An item's keys as bd writes them; the rest of the list is ours.
const order = ["id", "title", "description", "design", "acceptance_criteria", "notes", "status", "priority", "issue_type", "assignee",
  "estimated_minutes", "created_at", "updated_at", "closed_at", "external_ref", "compaction_level", "original_size", "labels", "dependencies", "dependency_records", "dependents", "comments"];
const always = ["id", "title", "description", "status", "priority", "issue_type", "created_at", "updated_at"];
function item(x, what, also = []) {
  const keys = Object.keys(x), known = order.filter((k) => keys.includes(k));
  check(always.every((k) => keys.includes(k)), `${what}: the keys that are never absent`, keys);
  equal(keys.filter((k) => order.includes(k)), known, `${what}: bd's keys in bd's order`);
  for (const d of [...x.dependencies ?? [], ...x.dependents ?? []]) check(d.title !== undefined && d.status !== undefined && d.depends_on_id === undefined, `${what}: what it depends on are items`, d);
  if (!x.dependency_type) equal((x.dependencies ?? []).map((d) => d.id), (x.dependency_records ?? []).map((d) => d.depends_on_id), `${what}: and the edges are beside them`);
  equal(keys.filter((k) => !order.includes(k)).sort(), [...also].sort(), `${what}: no others`);
}

for (const mode of ["direct", "daemon"]) await scenario(`keys and words, ${mode}`, async () => {
  const ws = workspace({ mode, prefix: "p" });
  if (mode === "daemon") await until(() => /is running/.test(ws.run(["daemon", "--status"]).out), "the daemon that init started");
  const run = (...args) => ws.run(args, as_bd);
  const json = (...args) => { const r = run(...args, "--json"); equal(r.code, 0, `bd ${args.join(" ")}: ${r.err}`); return JSON.parse(r.out); };
  const says = (args, text, code = 0) => { const r = run(...args); equal([r.code, r.out], [code, text], `bd ${args.join(" ")}`); };
  const fails = (args, code, words) => { const r = run(...args); check(r.code === code && r.out === "" && r.err.startsWith("Error: ") && words.test(r.err), `bd ${args.join(" ")}: exit ${code}, ${words}`, r); };

  item(json("create", "Fix", "-p", "1", "-t", "bug", "--id", "p-1"), "create");
  item(json("create", "All", "--id", "p-2", "-d", "d", "--design", "e", "--acceptance", "a", "-a", "ann", "-l", "x,y", "--external-ref", "gh-9", "--deps", "p-1"), "create, with all");
  says(["create", "Third", "--id", "p-3"], "✓ Created issue: p-3\n  Title: Third\n  Priority: P2\n  Status: open\n");
  for (const [args, also] of [[["list"], []], [["list", "--status", "open", "--priority", "2"], []], [["ready", "--limit", "5"], []], [["blocked"], ["blocked_by_count", "blocked_by"]], [["dep", "tree", "p-2"], ["depth", "truncated", "parent", "type"]]]) {
    const list = json(...args);
    check(Array.isArray(list) && list.length > 0, `${args[0]}: an array`, list);
    for (const x of list) item(x, args.join(" "), also);
  }
  const [shown, ...rest] = json("show", "p-2");
  equal(rest.length, 0, "show: an array of one");
  equal(json("show", "p-2", "p-1").map((i) => i.id), ["p-2", "p-1"], "show of two: both");
  item(shown, "show");
  item(shown.dependencies[0], "show: what it depends on", ["dependency_type"]);
  item(json("show", "p-1")[0].dependents[0], "show: what depends on it", ["dependency_type"]);
  for (const empty of [["list", "-p", "4"], ["ready", "-p", "4"], ["label", "list", "p-3"], ["comments", "p-3"], ["dep", "cycles"]]) equal(json(...empty), [], `${empty.join(" ")}: nothing is []`);
  equal(Object.keys(json("stats")), ["total_issues", "open_issues", "in_progress_issues", "deferred_issues", "closed_issues", "blocked_issues", "ready_issues", "average_lead_time_hours"], "stats");
  equal(json("dep", "add", "p-3", "p-1"), { depends_on_id: "p-1", issue_id: "p-3", status: "added", type: "blocks" }, "dep add");
  equal(json("dep", "remove", "p-3", "p-1"), { depends_on_id: "p-1", issue_id: "p-3", status: "removed" }, "dep remove");
  equal(json("label", "add", "p-3", "x"), { issue_id: "p-3", label: "x", status: "added" }, "label add");
  equal(json("label", "list-all"), [{ label: "x", count: 2 }, { label: "y", count: 1 }], "label list-all");
  equal(json("label", "remove", "p-3", "x"), { issue_id: "p-3", label: "x", status: "removed" }, "label remove");
  equal(Object.keys(json("comments", "add", "p-3", "hi")), ["id", "issue_id", "author", "text", "created_at"], "comments add");
  equal(Object.keys(json("version")), ["build", "version"], "version");
  item(json("update", "p-3", "-p", "0"), "update");
  const closed = json("close", "p-3");
  check(Array.isArray(closed) && closed[0].closed_at !== undefined, "close: an array, with closed_at", closed);
  item(closed[0], "close");
  item(json("reopen", "p-3")[0], "reopen");
  says(["update", "p-3", "-s", "in_progress"], "✓ Updated issue: p-3\n");
  says(["update", "p-3"], "No updates specified\n");
  says(["close", "p-3", "-r", "done"], "✓ Closed p-3: done\n");
  says(["close", "p-3"], "✓ Closed p-3: Closed\n");
  says(["reopen", "p-3", "-r", "why"], "↻ Reopened p-3: why\n");
  says(["dep", "add", "p-3", "p-1"], "✓ Added dependency: p-3 depends on p-1 (blocks)\n");
  says(["dep", "remove", "p-3", "p-1"], "✓ Removed dependency: p-3 no longer depends on p-1\n");
  says(["label", "add", "p-3", "ui"], "✓ Added label 'ui' to p-3\n");
  says(["comments", "add", "p-3", "x"], "Comment added to p-3\n");
  check(run("ready", "-p", "4").out.includes("No ready work found"), "the words for nothing ready");
  check(/^✓ Daemon is running \(PID \d+\)|^✗ Daemon is not running/.test(run("daemon", "--status").out), "daemon --status");
  for (const args of [["version"], ["--version"], ["-V"], ["list", "--version"]]) {
    const [, major, minor, patch] = run(...args).out.match(/^bd version (\d+)\.(\d+)\.(\d+) \(cohort \d+\.\d+\.\d+\)\n$/) ?? [];
    check(major * 10000 + minor * 100 + +patch >= 908, `${args}: bd's version first, at least 0.9.8, and ours beside it`, run(...args).out);
  }

  fails(["show", "p-99"], 1, /issue p-99 not found/);
  fails(["show", "p-99", "--json"], 1, /not found/);
  fails(["create", ""], 1, /title/);
  fails(["create", "x", "-p", "9"], 1, /0 to 4/);
  fails(["create", "x", "-t", "story"], 1, /"bug", "feature", "task", "epic" or "chore"/);
  fails(["dep", "add", "p-1", "p-2"], 1, /cycle/);
  fails(["create"], 1, /title required/);
  fails(["show"], 1, /needs ID/);
  fails(["list", "--prio", "1"], 1, /did you mean --priority/);
  fails(["clsoe", "p-1"], 1, /did you mean "close"/);
  fails(["done", "p-1"], 1, /did you mean "close"/);
  fails(["heartbeat", "p-1"], 1, /did you mean "claim"/);
  fails(["help", "done"], 1, /did you mean "close"/);
  const partly = run("close", "p-1", "p-77");
  check(partly.code === 1 && partly.out === "✓ Closed p-1: Closed\n" && /p-77 not found/.test(partly.err), "one of two: done, told, exit 1", partly);

  check(run("delete", "p-3", "--force", "--dry-run").out.includes("DELETE PREVIEW"), "a dry run beats --force");
  equal(json("delete", "p-3").deleted, false, "without --force a preview");
  equal(json("show", "p-3")[0].id, "p-3", "and it is still there");
  const gone = json("delete", "p-3", "--force");
  equal([gone.deleted, gone.deleted_count, gone.dependencies_removed, gone.references_updated], ["p-3", 1, 0, 0], "deleted: its id");
  for (const id of ["p-4", "p-5"]) run("create", id, "--id", id);
  equal(json("delete", "p-4", "p-5", "--force").deleted, ["p-4", "p-5"], "of several: an array");
  const renamed = json("rename-prefix", "q");
  equal([renamed.issues_count, renamed.old_prefix, renamed.new_prefix], [2, "p", "q"], "rename-prefix");
  ws.stop();
});

await scenario("who comes from bd", async () => {
  const ws = workspace({ mode: "auto", init: false, env: { BD_ACTOR: "joe" } });
  const run = (args, more = {}) => ws.run(args, { ...as_bd, env: more });
  const beads = path.join(ws.dir, ".beads"), t = "2025-10-16T13:24:05.123456-07:00";
  check(/make one with 'bd init'/.test(run(["list"]).err), "no workspace: how to get one");
  mkdirSync(beads);
  writeFileSync(path.join(beads, "shop.db"), "");
  const sqlite = spawnSync("sqlite3", [path.join(beads, "shop.db"), "create table issues(id)"]);
  check(/bd init --from-beads/.test(run(["list"]).err), "with a .beads/: the other way");
  const none = run(["init", "--from-beads"]);
  check(none.code === 1 && /no \.jsonl file, and its database is not read/.test(none.err) && !existsSync(path.join(ws.dir, ".cohort")), "only a database: said, and nothing made", none);
  const line = (id, more) => JSON.stringify({ id, title: `t <${id}>`, description: "", status: "open", priority: 1, issue_type: "bug", created_at: t, updated_at: t, ...more });
  writeFileSync(path.join(beads, "issues.jsonl"), [line("shop-1", { labels: ["ui"], compaction_level: 1, content_hash: "abc" }),
    line("shop-10", { dependencies: [{ issue_id: "shop-10", depends_on_id: "shop-2", type: "blocks", created_at: t, created_by: "x" }] }),
    line("shop-2", { status: "closed", closed_at: t, estimated_minutes: 0, comments: [{ id: 1, issue_id: "shop-2", author: "z", text: "hello", created_at: t }] })].join("\n") + "\n");
  const plain = run(["init", "--prefix", "other"]);
  check(plain.code === 0 && /init --from-beads/.test(plain.err), "init beside a .beads/ tells of it", plain);
  const taken = run(["init", "--from-beads"]);
  check(taken.code === 0 && /Import complete: 3 created/.test(taken.err), "taken over", taken);
  const [one] = JSON.parse(run(["show", "shop-1", "--json"]).out);
  equal([one.created_at, one.content_hash, one.labels], [t, "abc", ["ui"]], "as they were, with the keys we do not know");
  equal(JSON.parse(run(["comments", "shop-2", "--json"]).out)[0].text, "hello", "and their comments");
  const fresh = workspace({ init: false });
  mkdirSync(path.join(fresh.dir, ".beads"));
  writeFileSync(path.join(fresh.dir, ".beads", "issues.jsonl"), readFileSync(path.join(beads, "issues.jsonl")));
  equal(fresh.ok(["init", "--from-beads", "--json"]).prefix, "shop", "new ids have the prefix of the old");
  equal(JSON.parse(run(["create", "mine", "--json"]).out).id.startsWith("other-"), true, "or the one that was said");
  check(/ joe /.test(run(["history", "-n", "9"]).out), "$BD_ACTOR did it");
  if (sqlite.status === 0) {
    const before = readdirSync(beads).length, r = run(["list"], { BEADS_DB: path.join(beads, "shop.db") });
    check(r.code === 1 && /another program\n.*init --from-beads/.test(r.err), "$BEADS_DB of bd's own: refused with the way out", r);
    equal(readdirSync(beads).length, before, "and no daemon's files beside it");
  }
  equal(run(["list", "--json"], { BEADS_DB: ws.db, BEADS_AUTO_START_DAEMON: "false" }).code, 0, "$BEADS_DB of ours");
  ws.stop();
  await until(() => !existsSync(ws.socket), "the daemon's end");
  run(["list"], { BEADS_AUTO_START_DAEMON: "false" });
  check(/not running/.test(run(["daemon", "--status"]).out), "BEADS_AUTO_START_DAEMON=false starts none");
});

await scenario("texts of any kind", () => {
  const ws = workspace();
  const text = "line 1\nline \"2\" 'x' \\ $HOME `x`\n-dash\n漢字 🚀 é\ttab";
  const made = (args, input) => ws.ok(["create", "t", ...args, "--json"], { input }).description;
  equal(made(["-d", text]), text, "as an argument");
  equal(made(["-d", "-"], `${text}\n`), text, "-d -: from stdin, without the last line end");
  equal(made(["-d", "-"], ""), "", "nothing on stdin");
  const file = path.join(ws.dir, "body"), big = "x".repeat(1048576);
  writeFileSync(file, `${big}\n`);
  equal(made(["--body-file", file]), big, "64 KB from a file");
  writeFileSync(file, `${big}y`);
  check(/at most 1048576 bytes, got 1048577/.test(ws.run(["create", "t", "--body-file", file]).err), "a byte more is told");
  check(/nofile: No such file/.test(ws.run(["create", "t", "--body-file", "nofile"]).err), "no such file");
  check(/only one text/.test(ws.run(["create", "t", "-d", "-", "--notes", "-"], { input: "x" }).err), "stdin is one text");
  equal(ws.run(["create", "t", "-d", "-"], { input: Buffer.from([0xff]) }).code, 1, "not UTF-8");
  const id = ws.ok(["create", "--title=-x", "--json"]).id;
  equal(ws.ok(["update", id, "--notes", "-", "--json"], { input: "n\n" }).notes, "n", "update --notes -");
  equal(ws.ok(["comment", id, "-f", "-", "--json"], { input: "from\nstdin" }).text, "from\nstdin", "comment -f -");
  equal(ws.ok(["comment", "--json", "--", id, "-f", "--json"]).text, "-f --json", "after -- all are operands");
  equal(ws.ok(["create", "--json", "--", "-p"]).title, "-p", "a title with a dash");
  for (const args of [["--", "--x"], ["--title", "--x"], ["--title=--x"]]) equal(ws.ok(["create", "--json", ...args]).title, "--x", `${args}: a title with two`);
  for (const title of ["--json says nothing", "--no-such flag=x is told", "-v prints nothing", "- a line of a list", "--"]) equal(ws.ok(["create", "--json", ...(title === "--" ? ["--"] : []), title]).title, title, "a title that no flag can be");
  check(/unknown flag: --x; what begins with a dash and is no flag goes after --/.test(ws.run(["create", "--x"]).err), "else it is said where it goes");
  equal(ws.run(["close", "p-none", "--json"]).out, "", "nothing done: nothing printed");
  equal(ws.run(["create", "t", "-p"]).code, 1, "a flag without its value");
});

// Commands that bd has had since, and what programs read of them.
for (const mode of ["direct", "daemon"]) await scenario(`commands as bd has them, ${mode}`, () => {
  const ws = workspace({ mode });
  const json = (...args) => ws.ok([...args, "--json"]), says = (...args) => ws.ok(args);
  json("create", "Epic", "--id", "p-e", "-t", "epic"); json("create", "Done", "--id", "p-d", "-t", "epic"); json("create", "Empty", "--id", "p-0", "-t", "epic");
  for (const parent of ["p-e", "p-e", "p-d"]) json("create", "part", "--parent", parent);
  says("close", "p-e.1", "p-d.1");
  equal(json("status"), { summary: json("stats") }, "status");
  equal(json("epic", "status").map((s) => [s.epic.id, s.total_children, s.closed_children, s.eligible_for_close]).sort(), [["p-0", 0, 0, false], ["p-d", 1, 1, true], ["p-e", 2, 1, false]], "epic status");
  equal(json("epic", "status", "--eligible-only").map((s) => s.epic.id), ["p-d"], "only those that can be closed");
  check(/✓ p-d Done\n   Progress: 1\/1 children closed \(100%\)\n   Eligible for closure\n/.test(says("epic", "status")) && /○ p-e Epic\n   Progress: 1\/2 children closed \(50%\)\n\n/.test(says("epic", "status")), "in words", says("epic", "status"));
  says("close", "p-d"); equal(json("epic", "status", "--eligible-only"), [], "a closed epic is none of them");
  equal(json("dep", "relate", "p-e", "p-0"), { id1: "p-e", id2: "p-0", related: true }, "dep relate");
  equal(json("dep", "list", "p-e").map((i) => [i.id, i.dependency_type]), [["p-0", "relates-to"]], "dep list");
  equal(json("dep", "list", "p-e", "--direction", "up").map((i) => i.id), ["p-e.1", "p-e.2"], "dep list, what depends on it");
  equal(json("dep", "list", "p-e", "--direction", "up", "-t", "blocks"), [], "dep list, of one type");
  equal(json("dep", "unrelate", "p-0", "p-e").unrelated, true, "dep unrelate, from its other end");
  equal([json("dep", "list", "p-e"), ws.run(["dep", "unrelate", "p-e", "p-0"]).code], [[], 1], "and it is gone");
  equal([json("config", "set", "a.b", "c d"), json("config", "get", "a.b"), says("config", "get", "a.b"), says("config", "get", "none")], [{ key: "a.b", value: "c d" }, { key: "a.b", value: "c d" }, "c d\n", "none (not set)\n"], "config set, get");
  equal([json("config", "list"), json("config", "unset", "a.b"), json("config", "list")], [{ issue_prefix: "p", "a.b": "c d" }, { key: "a.b" }, { issue_prefix: "p" }], "config list, unset");
  equal(json("where"), { path: `${ws.dir}/.cohort`, prefix: "p", database_path: ws.db }, "where");
  equal(says("where", "-q"), `${ws.dir}/.cohort\n`, "where, for a script");
  const { config, database_path, issue_count } = json("info");
  equal([config, database_path, issue_count], [{ issue_prefix: "p" }, ws.db, 6], "info");
  const ids = (...args) => json(...args).map((i) => i.id);
  json("create", "One", "--id", "p-1", "-a", "ann", "--label", "x,y", "-t", "bug"); json("create", "Two", "--id", "p-2", "--deps", "p-1", "-p", "0"); json("create", "Three", "--id", "p-3", "--deps", "relates-to:p-1", "-l", "x");
  equal([ids("list", "--parent", "p-e"), ids("children", "p-e")], [["p-e.2", "p-e.1"], ["p-e.2", "p-e.1"]], "list --parent, children");
  equal([ids("list", "--sort", "id", "-s", "open,blocked").slice(0, 3), ids("list", "--sort", "id", "--reverse", "-n", "1")], [["p-0", "p-1", "p-2"], ["p-e.2"]], "list --sort, --status a,b");
  equal([ids("list", "--no-assignee", "-l", "x"), ids("list", "--updated-after", "1h", "-t", "bug"), ids("list", "--updated-before", "1h")], [["p-3"], ["p-1"], []], "list --no-assignee, --updated-after, --updated-before");
  equal([ids("ready", "--label", "x"), ids("ready", "--type", "bug"), ids("ready", "--parent", "p-e"), ids("ready", "--unassigned", "-l", "x"), ids("ready", "--sort", "oldest", "-n", "1")], [["p-1", "p-3"], ["p-1"], ["p-e.2"], ["p-3"], ["p-e"]], "ready --label, --type, --parent, --unassigned, --sort");
  equal([ids("ready", "--claim", "--label", "x"), ids("ready", "--claim", "--label", "x"), json("show", "p-3")[0].status], [["p-3"], [], "in_progress"], "ready --claim, which leaves alone what others have");
  const { labels, notes } = json("update", "p-3", "--add-label", "z", "--remove-label", "x", "--append-notes", "more")[0] ?? json("show", "p-3")[0];
  equal([labels, notes, json("show", "p-3")[0].dependency_records[0].type], [["z"], "more", "relates-to"], "update --add-label, --remove-label, --append-notes; relates-to");
  says("update", "p-3", "--set-labels", "a,b", "--parent", "p-e");
  equal([json("show", "p-3")[0].labels, ids("children", "p-e").includes("p-3")], [["a", "b"], true], "update --set-labels, --parent");
  equal([says("create", "Four", "--id", "p-4", "--silent"), says("comment", "p-4", "word", "--author", "ann"), json("comments", "p-4")[0].author], ["p-4\n", "Comment added to p-4\n", "ann"], "create --silent, comment --author");
  equal([json("close", "p-1", "--force", "--suggest-next")[0].unblocked.map((i) => i.id), says("reopen", "p-1") && says("close", "p-1", "--suggest-next")], [["p-2"], "✓ Closed p-1: Closed\n\nNow ready:\n  p-2: Two\n"], "close --force, --suggest-next");
  equal([json("count"), json("count", "--by-type", "-s", "all").groups.map((g) => `${g.group} ${g.count}`), says("count", "-t", "bug")], [{ count: 10 }, ["bug 1", "epic 3", "task 6"], "1\n"], "count");
  equal([json("stale"), json("stale", "--days", "1", "-s", "open", "-n", "5")], [[], []], "stale");
  equal(ws.run(["dolt", "push", "--force"]).code, 0, "nothing is to be done for Dolt");
  equal(ws.run(["where", "--server", "http://127.0.0.1:1"]).code, 1, "a server has no workspace");
  for (const c of ["remember", "memories", "forget", "setup"]) check(ws.run([c, "x"]).err.startsWith(`Error: there is no ${c}: `), `${c} is refused by its name`);
  ws.stop();
});

// Reports of bd's users, by their number there, tried here.
for (const mode of ["direct", "daemon"]) await scenario(`what users of bd reported, ${mode}`, async () => {
  const ws = workspace({ mode });
  const json = (...args) => ws.ok([...args, "--json"]), says = (...args) => ws.ok(args);
  for (const [id, ...more] of [["p-epic", "-t", "epic"], ["p-rel"], ["p-found"], ["p-gate"], ["p-oqf"], ["p-wisp-goqfo"]]) json("create", id, "--id", id, ...more);
  json("create", "kid", "--parent", "p-epic");
  for (const [a, b, type] of [["p-epic.1", "p-gate", "blocks"], ["p-rel", "p-epic.1", "related"], ["p-found", "p-epic.1", "discovered-from"]]) says("dep", "add", a, b, "-t", type);
  const kid = says("show", "p-epic.1");
  check(/Parent \(1\):\n  ↑ p-epic: .*\n\nDepends on \(1\):\n  → p-gate: .*\n\nRelated \(1\):\n  ↔ p-rel: .*\n\nDiscovered \(1\):\n  ◊ p-found: /.test(kid) && !/Blocks/.test(kid), "1155: a parent is not what an item waits for", kid);
  check(/Children \(1\):\n  ↳ p-epic\.1/.test(says("show", "p-epic")) && /Blocks \(1\):\n  ← p-epic\.1/.test(says("show", "p-gate")), "440: a child is not what an epic blocks");
  check(/p-epic: p-epic \[P2\] \(open, parent-child\)\n  → p-gate: p-gate \[P2\] \(open\)/.test(says("dep", "tree", "p-epic.1")), "3565: the tree tells them apart");
  equal(json("show", "p-epic.1")[0].dependencies.map((d) => [d.id, d.dependency_type]), [["p-epic", "parent-child"], ["p-gate", "blocks"]], "202: and so does JSON");
  equal(json("ready", "-n", "0").some((i) => i.id === "p-epic.1"), false, "544: what waits is not ready");
  says("delete", "p-oqf", "-f");
  equal(ws.run(["close", "p-oqf"]).code, 1, "4376: no other id that ends or begins so is closed");
  equal(ws.run(["create", "x", "--deps", "related:p-gate,blocks:p-gate"]).code, 1, "4626: two types for one item: refused, not one of them dropped");
  const text = "l1\nl2\t\u0001\u001f\u007f\u2028 \\ \"q\"";
  equal(json("create", "t", "-d", text).description, text, "599: control characters are escaped");
  says("delete", "p-gate", "-f");
  equal([json("show", "p-epic.1")[0].dependencies.map((d) => d.id), JSON.parse(says("export").split("\n").find((l) => l.includes('"id":"p-epic.1"'))).dependencies.length], [["p-epic"], 1], "1470: nothing depends on what is deleted");
  equal(json("list", "-l", "none"), [], "2451: an empty list is JSON");
  for (let i = 0; i < 12; i++) json("create", `more ${i}`);
  check(/the first 10 issues with no blockers; -n 0 shows all/.test(says("ready")) && !/the first/.test(says("ready", "-n", "0")), "3212: a part is said to be one");
  check(/^Created: \d{4}-\d\d-\d\d \d\d:\d\d UTC$/m.test(ws.ok(["show", "p-rel"], { env: { TZ: "America/New_York" } })), "4298: a time is in the zone it says");
  equal(json("update", "p-rel", "-p", "0").priority, 0, "183: update has --json");
  ws.stop();
});

// A program that starts another may leave it a pipe that never ends.
for (const mode of ["direct", "daemon"]) await scenario(`stdin that does not end, ${mode}`, async () => {
  const ws = workspace({ mode });
  const open = (args) => new Promise((resolve) => {
    const child = spawn(path.resolve(binary), ["work", ...args], { cwd: ws.dir, env: ws.env, stdio: ["pipe", "pipe", "pipe"] }), r = { out: "", err: "" };
    child.stdout.on("data", (d) => { r.out += d; });
    child.stderr.on("data", (d) => { r.err += d; });
    child.on("close", (code) => { child.stdin.destroy(); resolve({ code, ...r }); });
    child.stdin.on("error", () => {});
    child.stdin.write("half a text");
  });
  for (const args of [["create", "t", "--id", "p-t"], ["list"], ["show", "p-t"], ["comment", "p-t", "-"], ["create", "-"], ["close", "p-t"]]) equal((await open(args)).code, 0, `${args.join(" ")}: does not ask for it`);
  for (const args of [["create", "t", "-d", "-"], ["update", "p-t", "--notes", "-"], ["create", "-f", "-"], ["comment", "p-t", "-f", "-"], ["import"], ["import", "-"], ["batch"]]) {
    const r = await open([...args, "--timeout", "200ms"]);
    check(r.code === 124 && r.out === "" && /stdin gave nothing for 0\.2 s and did not end/.test(r.err), `${args.join(" ")}: asks, and is told`, r);
  }
  equal(ws.ok(["list", "--json"]).map((i) => i.title).sort(), ["-", "t"], "nothing half done");
  const tty = (args) => spawnSync("script", ["-qec", `"${path.resolve(binary)}" work ${args}`, "/dev/null"], { cwd: ws.dir, env: ws.env, encoding: "utf8", input: "", timeout: 20000 });
  if (tty("version").status !== 0) return console.log("skipped: no terminals here");
  for (const c of ["import", "batch"]) { const r = tty(c); check(r.status === 1 && /no text on stdin: name a file/.test(r.stdout), `${c} at a terminal: what is missing`, r); }
});

await scenario("an agent that only reads prime", () => {
  const ws = workspace();
  const page = ws.ok(["prime"]), json = ws.run(["prime", "--json"]).out;
  for (const word of ["ready", "claim --ready", "show", "search", "create", "dep add", "update", "comment", "close", "release", "batch", "sync", "--json", "--lease", "-d -", "Exit code"])
    check(page.includes(word), `prime tells of ${word}`);
  check(page.split("\n").every((l) => l.length <= 88), "no line is too wide", page);
  check(json.startsWith("{\n  \"text\": "), "--json is indented here too", json.slice(0, 40));
  const plan = page.match(/\{"operation".*?\}\}/)[0];
  const batch = ws.ok(["batch", "--json"], { input: `${plan}\n{"operation":"create","args":{"title":"B","dependencies":[{"$ref":0}]}}\n` });
  const [a, b] = batch.results.map((r) => r.data.id);
  const got = ws.ok(["claim", "--ready", "--actor", "one", "--json"]);
  equal([got.id, got.lease.holder], [a, "one"], "claimed");
  equal(ws.ok(["claim", "--ready", "--actor", "two", "--json"]), null, "nothing left: null, exit 0");
  check(/claimed by one until/.test(ws.run(["claim", a, "--actor", "two"]).err), "who has it");
  const beat = ws.ok(["claim", a, "--lease", "2h", "--actor", "one", "--json"]);
  check(beat.lease.until > got.lease.until, "claimed again: longer");
  equal(ws.ok(["close", a, "--claim-next", "--actor", "one", "--json"])[0].claimed.id, b, "and the next");
  equal(ws.ok(["release", b, "--actor", "one", "--json"]).status, "open", "given back");
});

await scenario("what today's tools call", () => {
  const ws = workspace();
  const ids = (...words) => ws.ok([...words, "--json"]).map((i) => i.id);
  ws.ok(["create", "Epic", "--id", "p-e", "-t", "epic", "-p", "3"]);
  equal(ws.ok(["create", "Kid", "--id", "p-a", "--parent", "p-e", "--label", "ui", "--label", "core", "--silent"]), "p-a\n", "--silent: the id");
  ws.ok(["create", "Bug", "--id", "p-b", "-t", "bug", "-a", "bob", "--stdin", "--deps", "p-a,relates-to:p-e"], { input: "as told\n" });
  equal(ws.ok(["show", "p-b", "--json"])[0].description, "as told", "--stdin");
  equal([ids("list", "--parent", "p-e"), ids("list", "--no-assignee"), ids("list", "-s", "open,closed", "--sort", "title"), ids("list", "--sort", "title", "-r", "-n", "2"), ids("list", "--updated-after", "1d", "-t", "bug"), ids("list", "--updated-before", "1d")],
    [["p-a"], ["p-a", "p-e"], ["p-b", "p-e", "p-a"], ["p-a", "p-e"], ["p-b"], []], "list");
  equal([ids("ready", "--label", "ui"), ids("ready", "--type", "epic"), ids("ready", "--parent", "p-e"), ids("ready", "--unassigned", "--sort", "oldest")], [["p-a"], ["p-e"], ["p-a"], ["p-e", "p-a"]], "ready");
  const got = ws.ok(["update", "p-a", "--add-label", "new", "--remove-label", "ui", "--append-notes", "one", "--json"]);
  equal([got.labels, got.notes], [["core", "new"], "one"], "update --add-label --remove-label --append-notes");
  equal(ws.ok(["update", "p-a", "--set-labels", "z", "--append-notes", "two", "--parent", "", "--json"]).notes, "one\ntwo", "--append-notes: below");
  equal([ids("list", "--parent", "p-e"), ids("list", "-l", "z")], [[], ["p-a"]], "--parent '', --set-labels");
  equal(ws.ok(["comment", "p-a", "hers", "--author", "ann", "--json"]).author, "ann", "comment --author");
  equal(ws.ok(["ready", "--claim", "--label", "z", "--json"]).map((i) => [i.id, i.status]), [["p-a", "in_progress"]], "ready --claim: an array");
  equal(ws.ok(["ready", "--claim", "--label", "z", "--json"]), [], "and an empty one");
  check(ws.ok(["close", "p-a", "--force", "--suggest-next"]).endsWith("Now ready:\n  p-b: Bug\n"), "close --suggest-next");
  check(/nothing else|limit/.test(ws.run(["ready", "--claim", "-n", "2"]).err), "what does not go with --claim is told");
});

await scenario("terminals and pipes", () => {
  const ws = workspace();
  const lines = Array.from({ length: 10000 }, (_, i) => JSON.stringify({ id: `p-${i}`, title: `item ${i}`, description: "", status: "open", priority: i % 5, issue_type: "task", created_at: "2026-01-01T00:00:00Z", updated_at: "2026-01-01T00:00:00Z" }));
  ws.ok(["import"], { input: lines.join("\n") });
  const sh = (script) => spawnSync("bash", ["-c", script], { cwd: ws.dir, env: { ...ws.env, COHORT: path.resolve(binary) }, encoding: "utf8" });
  for (const command of ["list", "list --json", "export", "history"]) {
    const r = sh(`"$COHORT" work ${command} | head -1`);
    check(r.stderr === "" && r.stdout.split("\n").length === 2, `${command} | head: no words about the pipe`, r);
  }
  check(!ws.ok(["list", "-n", "5"]).includes("\x1b"), "no colours in a pipe");
  const tty = (env) => sh(`${env} script -qec '"$COHORT" work list -n 5' /dev/null`).stdout;
  if (sh("script -qec true /dev/null").status === 0) {   // where there are terminals to be had
    check(tty("").includes("\x1b["), "colours on a terminal");
    check(!tty("NO_COLOR=1").includes("\x1b["), "but not with NO_COLOR");
  }
  const first = ws.ok(["create", "w", "-l", "漢字,abcdef", "--json"]).id;
  equal(ws.ok(["label", "list-all"]), "abcdef  (1 issue)\n漢字    (1 issue)\n", "wide letters take two columns");
  ws.ok(["show", first]);
  for (const c of ["", "create", "claim", "import", "daemon", "dep add", "list"])
    check(ws.ok(["help", ...c.split(" ").filter(Boolean)]).split("\n").every((l) => l.length <= 80), `help ${c}: fits 80 columns`);
  const bash = ws.ok(["help", "--completion", "bash"]);
  const complete = (...words) => sh(`${bash}\nCOMP_WORDS=(${words.map((w) => `"${w}"`).join(" ")}); COMP_CWORD=${words.length - 1}; _cohort_work; echo "\${COMPREPLY[*]}"`).stdout.trim();
  equal([complete("bd", "cr"), complete("cohort", "work", "dep", ""), complete("bd", "dep", "add", "--ty")], ["create", "add remove list relate unrelate tree cycles", "--type"], "bash completes");
  equal(ws.run(["help", "--completion", "fish"]).code, 1, "and no other shell");
});
finish();
