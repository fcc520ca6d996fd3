// work-parity.mjs - the same commands give the same bytes directly, through the
// daemon and with --server: stdout, stderr and exit code, call by call.
//
// Times are replaced by their order of appearance; ids are given, so nothing
// else may differ.
import { check, equal, finish, scenario, startServer } from "./lib.mjs";
import { connect, workspace } from "./work-lib.mjs";

const calls = [];
const add = (...args) => calls.push({ args });
const input = (text, ...args) => calls.push({ args, input: text });

// ---- an empty tracker
for (const c of ["list", "ready", "blocked", "stats", "label list-all", "dep cycles", "history", "search nothing"]) {
  add(...c.split(" "));
  add(...c.split(" "), "--json");
}
// ---- create, in every way
add("create", "First task", "--id", "p-a1", "-p", "1", "-t", "bug", "-a", "alice", "-l", "ui,core", "-l", "x", "-d", "It is <broken> & \"old\"");
add("create", "Second", "--id", "p-b2", "--design", "boxes", "--acceptance", "works", "--external-ref", "gh-9", "--json");
add("create", "Third", "--id", "p-c3", "--deps", "blocks:p-a1,related:p-b2");
add("create", "Fourth", "--id", "p-d4", "--deps", "discovered-from:p-a1", "--deps", "p-b2", "--json");
add("create", "Epic", "--id", "p-e5", "-t", "epic", "-p", "0");
add("create", "Child", "--parent", "p-e5");
add("create", "Grandchild", "--parent", "p-e5.1", "--json");
add("create", "Ünïcödé ✓ 漢字", "--id", "p-f6");
add("create", "closed things stay out", "--id", "p-g7", "-p4", "-tchore");
for (let i = 0; i < 30; i++) add("create", `Item ${i}`, "--id", `p-n${i}`, "-p", String(i % 5), "-t", ["bug", "feature", "task", "chore"][i % 4], ...(i % 3 ? ["-a", `agent${i % 3}`] : []), ...(i % 2 ? ["-l", `l${i % 7}`] : []), ...(i % 5 === 0 ? ["--json"] : []));
// ---- what cannot be created
add("create");
add("create", "");
add("create", "x".repeat(501));
add("create", "twice", "--id", "p-a1");
add("create", "bad id", "--id", "nonsense");
add("create", "bad priority", "-p", "9");
add("create", "bad priority", "-p", "high");
add("create", "bad type", "-t", "story");
add("create", "bad dep", "--deps", "blocks:p-zz");
add("create", "bad dep type", "--deps", "needs:p-a1");
add("create", "both", "--deps", "p-a1,related:p-a1");
add("create", "unknown flag", "--prioritee", "1");
add("create", "no parent", "--parent", "p-nope");
// ---- look
for (const id of ["p-a1", "p-b2", "p-c3", "p-e5", "p-e5.1", "p-e5.1.1", "p-f6", "a1", "p-zz", "zz", "p-n"]) { add("show", id); add("show", id, "--json"); }
for (const f of [[], ["-s", "open"], ["-s", "closed"], ["-p", "0"], ["-p", "2", "-t", "task"], ["-a", "agent1"], ["-l", "l3"], ["-l", "ui", "-l", "core"], ["--title", "ITEM 1"], ["-n", "5"], ["-t", "epic"], ["-s", "wrong"], ["--format", "dot"], ["--format", "digraph"], ["--format", "{{.IssueID}} {{.DependsOnID}}"]]) { add("list", ...f); if (!f.includes("--format")) add("list", ...f, "--json"); }
for (const f of [[], ["-n", "3"], ["-p", "0"], ["-a", "agent2"], ["-n", "100"]]) { add("ready", ...f); add("ready", ...f, "--json"); }
add("blocked"); add("blocked", "--json"); add("stats"); add("stats", "--json");
add("search", "item 2"); add("search", "boxes", "--json"); add("search", "");
// ---- change
add("update", "p-a1", "-s", "in_progress", "--notes", "on it", "-a", "bob");
add("update", "p-a1", "--title", "First, renamed", "--json");
add("update", "p-b2", "-p", "0", "--design", "circles", "--acceptance-criteria", "all", "--external-ref", "gh-10", "-d", "new words");
add("update", "p-b2", "-a", "");
add("update", "p-b2");
add("update", "p-zz", "-p", "1");
add("update", "p-b2", "-s", "done");
add("update", "p-b2", "-p", "7");
add("update", "p-b2", "--title", "");
add("label", "add", "p-b2", "new"); add("label", "add", "p-b2", "new", "--json"); add("label", "list", "p-b2"); add("label", "list", "p-b2", "--json");
add("label", "remove", "p-b2", "new"); add("label", "remove", "p-b2", "never"); add("label", "list-all"); add("label", "list-all", "--json"); add("label", "list", "p-b2"); add("label", "add", "p-zz", "x");
add("dep", "add", "p-f6", "p-b2"); add("dep", "add", "p-b2", "p-a1", "--json"); add("dep", "add", "p-a1", "p-f6"); add("dep", "add", "p-a1", "p-a1"); add("dep", "add", "p-b2", "p-a1"); add("dep", "add", "p-a1", "p-zz"); add("dep", "add", "p-n1", "p-n2", "-t", "related"); add("dep", "add", "p-n3", "p-n4", "-t", "wrong"); add("dep", "add", "p-n5", "p-e5", "-t", "parent-child");
add("dep", "tree", "p-f6"); add("dep", "tree", "p-f6", "--json"); add("dep", "tree", "p-f6", "-d", "1"); add("dep", "tree", "p-zz"); add("dep", "cycles"); add("dep", "cycles", "--json");
add("dep", "remove", "p-b2", "p-a1"); add("dep", "remove", "p-b2", "p-a1"); add("dep", "remove", "p-n1", "p-n2", "--json");
add("comment", "p-a1", "a word"); add("comment", "p-a1", "another", "--json"); add("comment", "p-zz", "lost"); add("show", "p-a1"); add("show", "p-a1", "--json");
add("claim", "p-n0"); add("claim", "p-n0", "--json"); add("claim", "p-n0", "--actor", "other"); add("claim", "--ready"); add("claim", "--ready", "--json", "--actor", "other"); add("claim", "p-c3"); add("claim"); add("claim", "p-zz");
add("release", "p-n0", "--actor", "other"); add("release", "p-n0"); add("release", "p-n0");
add("update", "p-n6", "--claim"); add("update", "p-n6", "--claim", "--actor", "other");
add("close", "p-a1", "-r", "fixed"); add("close", "p-a1"); add("close", "p-b2", "p-zz", "p-n9"); add("close", "p-n10", "--json"); add("close", "p-n11", "--claim-next", "--json"); add("close");
add("ready", "-n", "0"); add("blocked"); add("reopen", "p-a1", "-r", "not yet"); add("reopen", "p-a1"); add("reopen", "p-zz"); add("reopen", "p-b2", "--json"); add("blocked", "--json"); add("ready", "--json"); add("stats", "--json");
// ---- what today's tools call
for (const f of [["--parent", "p-e5"], ["--parent", "p-zz"], ["--no-assignee"], ["--no-assignee", "-a", "bob"], ["-s", "open,in_progress"], ["-s", "all"], ["-s", "open,wrong"], ["--updated-after", "1d"], ["--updated-after", "2020-01-01", "-n", "3"], ["--updated-before", "2020-01-01T00:00:00Z"], ["--updated-after", "soon"], ["--sort", "title"], ["--sort", "id", "-r", "-n", "4"], ["--sort", "updated", "-s", "closed"], ["--sort", "wrong"], ["--label-any", "l1,l3", "--sort", "assignee"], ["--flat"], ["--tree"]]) { add("list", ...f); add("list", ...f, "--json"); }
for (const f of [["--label", "l3"], ["--type", "bug"], ["--parent", "p-e5"], ["--unassigned", "-n", "3"], ["-u", "-a", "bob"], ["--sort", "oldest", "-n", "3"], ["--sort", "hybrid", "-n", "3"], ["--sort", "priority"], ["-s", "newest"]]) { add("ready", ...f); add("ready", ...f, "--json"); }
add("create", "Labelled", "--id", "p-k1", "--label", "one,two", "--silent"); input("what it is\n", "create", "Told", "--id", "p-k2", "--stdin", "--deps", "p-k1,relates-to:p-e5", "--json"); input("", "create", "Twice", "--stdin", "-d", "-");
add("update", "p-k1", "--add-label", "three", "--remove-label", "one"); add("update", "p-k1", "--set-labels", "a,b", "--append-notes", "first", "--json"); add("update", "p-k1", "--append-notes", "second", "--parent", "p-e5", "--json"); add("update", "p-k1", "--parent", "p-k2"); add("update", "p-k1", "--parent", ""); add("update", "p-k1", "--set-labels", "", "--json"); add("show", "p-k1"); add("show", "p-k2");
add("comment", "p-k1", "hers", "--author", "ann", "--json"); add("comments", "p-k1"); add("comments", "add", "p-k1", "his", "-a", "bob");
add("close", "p-k1", "--force", "--suggest-next"); add("close", "p-k1", "--suggest-next", "--json"); add("reopen", "p-k1"); add("close", "p-k1", "--suggest-next", "--json", "-f");
add("ready", "--claim", "--label", "l3", "--json"); add("ready", "--claim", "--type", "epic"); add("ready", "--claim", "--type", "epic", "--json"); add("ready", "--claim", "-n", "1"); add("claim", "--ready", "--label", "l5", "--json"); add("claim", "p-k2", "--label", "x"); add("dep", "add", "p-k2", "p-n3", "-t", "relates-to"); add("dep", "remove", "p-k2", "p-n3", "--json");
// ---- batch
input('[{"operation":"create","args":{"title":"in a batch","id":"p-q1"}},{"operation":"create","args":{"title":"after it","id":"p-q2","dependencies":["p-q1"]}},{"operation":"dep_add","args":{"from_id":"p-n12","to_id":{"$ref":0}}}]', "batch", "-f", "-");
input('[{"operation":"create","args":{"title":"lost","id":"p-q3"}},{"operation":"close","args":{"id":"p-zz"}}]', "batch", "-f", "-");
input('[{"operation":"create","args":{"title":"kept","id":"p-q4"}},{"operation":"close","args":{"id":"p-zz"}}]', "batch", "-f", "-", "--partial", "--json");
input("[{]", "batch", "-f", "-"); input('{"no":"array"}', "batch", "-f", "-"); add("batch", "-f", "/nonexistent/file"); add("show", "p-q3"); add("show", "p-q2");
// ---- delete, export, import
add("delete", "p-n20"); add("delete", "p-n20", "--json"); add("delete", "p-n20", "-f"); add("delete", "p-n21", "p-n22", "--force", "--json"); add("delete", "p-zz", "-f"); add("show", "p-n20"); add("create", "again", "--id", "p-n20");
add("export"); add("export", "-s", "closed");
input('{"id":"p-imp","title":"imported","status":"open","priority":1,"issue_type":"task","created_at":"2025-10-16T13:24:05.123456-07:00","updated_at":"2025-10-16T13:24:05.123456-07:00"}\n', "import");
input('{"id":"p-imp","title":"imported","status":"open","priority":9}\n', "import"); input("{\n", "import"); input('{"id":"p-imp2","title":"dry","status":"open","priority":1,"issue_type":"task"}\n', "import", "--dry-run"); add("show", "p-imp", "--json"); add("show", "p-imp2");
// ---- ids that are gone or not whole, titles like flags, what waits by its status
add("delete", "p-n20", "-f"); add("delete", "n21", "-f"); add("delete", "p-n2", "-f"); add("delete", "p-n2", "-f"); add("update", "p-n", "-p", "1"); add("update", "q1", "-p", "1"); add("close", "p-q"); add("show", "p-q"); add("show", "p-e5.9"); add("dep", "add", "p-q1", "p-n2"); add("history", "p-n2"); add("list", "--id", "p-n2"); add("list", "--id", "p-n20", "--json");
add("create", "--id", "p-dash1", "--json is not a flag here"); add("create", "--id", "p-dash2", "--", "--x"); add("create", "--x"); add("create", "-x"); add("show", "p-dash1", "p-dash2", "--json"); add("show", "p-zz", "p-zy", "--json"); add("close", "p-zz", "--json");
add("update", "p-dash1", "-s", "blocked", "--json"); add("blocked"); add("blocked", "--json"); add("stats"); add("ready", "-n", "1"); add("--version"); add("-V", "--json");
input("text", "create", "from stdin", "--id", "p-in", "-d", "-"); add("show", "p-in");
// ---- history, names that are not there, help
add("history", "p-a1"); add("history", "p-a1", "--json"); add("history", "-n", "3"); add("frobnicate"); add("lst"); add("list", "--nope"); add("list", "extra", "words"); add("help"); add("help", "create"); add("create", "--help"); add("version"); add("version", "--json"); add("quickstart"); add("compact"); add("restore", "p-a1"); add("renumber");
// ---- as bd has them since
for (const c of ["status", "epic status", "epic status --eligible-only", "dep list p-c3", "dep list p-b2 --direction up", "dep list p-c3 -t related", "dep list p-n30", "config list", "config get issue_prefix", "config set jira.url https://x.example", "config get jira.url", "config list", "config set issue_prefix q", "config unset jira.url", "config get jira.url", "dep relate p-n1 p-n3", "dep relate p-n1 p-n1", "dep unrelate p-n3 p-n1", "dep unrelate p-n3 p-n1", "dolt push", "dolt commit -m x"]) { add(...c.split(" ")); add(...c.split(" "), "--json"); }
for (const c of ["list --parent p-e5", "children p-e5", "list --sort updated -r -n 5", "list --sort wrong", "list --no-assignee -s open,closed -n 3", "list --updated-after 1h -n 3", "list --updated-before 1h", "list --updated-before sometime", "list --flat -n 1", "list --tree", "ready -t bug", "ready -l l3", "ready --unassigned", "ready --sort oldest", "ready --sort wrong", "ready --parent p-e5", "ready --claim -t chore", "ready --claim -l none", "count", "count -s open,closed", "count --by-status", "count --by-priority", "count --by-type", "count --by-assignee", "count --by-label", "count --by-type --by-label", "stale", "stale -d 1 -n 3 -s open", "stale -d 0", "stale -s wrong", "update p-n1 --add-label a,b --remove-label l1 --append-notes more", "update p-n1 --set-labels c", "update p-n1 --parent p-e5", "update p-n1 --parent p-zz", "update p-n1 --parent=", "comment p-n1 word --author ann", "close p-n13 --force --suggest-next", "dep add p-n1 p-n14 -t relates-to", "dep list p-n1 -t relates-to"]) { add(...c.split(" ")); add(...c.split(" "), "--json"); }
add("create", "silent", "--id", "p-silent", "--label", "x,y", "--deps", "relates-to:p-n1", "--silent"); add("show", "p-silent", "--json"); add("create", "--stdin", "t", "--id", "p-st");
for (const c of ["dep list p-zz", "dep list p-c3 --direction sideways", "config set a", "config set", "config", "epic close-eligible", "remember x", "memories", "recall x", "forget x", "setup claude"]) add(...c.split(" "));
// ---- what is empty, wrong or said twice
for (const c of [["list", "--parent", ""], ["children", ""], ["count", "--parent", ""], ["ready", "--parent", ""], ["ready", "--claim", "--parent", ""], ["ready", "--claim", "--parent", "p-zz"], ["dep", "list", "p-c3", "-t", "wrong"], ["config", "get", "issue-prefix"], ["config", "set", "issue-prefix", "z"], ["create", "two texts", "-d", "x", "--body-file", "/dev/null"]]) { add(...c); add(...c, "--json"); }
input("a\0b", "update", "p-n1", "--append-notes", "-"); input("c\0d", "update", "p-n1", "--append-notes", "-", "--json"); add("dep", "relate", "p-n3", "p-n4"); add("show", "p-n3");
input('{"_type":"memory","key":"k","value":"v"}\n', "import"); input('{"_type":"memory","key":"k","value":"v"}\n', "import", "--strict");
add("rename-prefix", "q", "--dry-run"); add("rename-prefix", "q"); add("list", "-n", "4"); add("show", "q-c3"); add("show", "q-e5.1.1", "--json"); add("rename-prefix", "Q Q"); add("stats"); add("prime");

// Times become their order of appearance within one call.
function normal(text) {
  const seen = new Map();
  return text.replace(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?/g, (t) => {
    if (t.startsWith("2025-10-16")) return t;
    if (!seen.has(t)) seen.set(t, `<time>`);
    return seen.get(t);
  }).replace(/"average_lead_time_hours": [\d.e-]+/g, '"average_lead_time_hours": <n>').replace(/Avg Lead Time: .*/g, "Avg Lead Time: <n>");
}

const server = await startServer({});
const homes = {
  direct: { ws: workspace({ mode: "direct" }), more: [] },
  daemon: { ws: workspace({ mode: "daemon" }), more: [] },
  server: { ws: workspace({ mode: "direct", init: false }), more: ["--server", server.url, "--project", "p"] },
};
await scenario("a daemon runs", async () => {
  homes.daemon.ws.run(["daemon"]);       // init may have started it already
  const c = await connect(homes.daemon.ws);
  equal((await c.call("ping")).data.message, "pong", "ping");
  c.close();
});

check(calls.length >= 200, "enough calls", calls.length);
await scenario("the same bytes", async () => {
  for (const [n, call] of calls.entries()) {
    const got = {};
    for (const [name, home] of Object.entries(homes)) {
      const r = home.ws.run([...home.more, ...call.args], { input: call.input });
      got[name] = { code: r.code, out: normal(r.out), err: normal(r.err) };
    }
    const what = `call ${n + 1}: ${call.args.join(" ").slice(0, 100)}`;
    equal(got.daemon, got.direct, `${what}: daemon`);
    equal(got.server, got.direct, `${what}: --server`);
    check(got.direct.code >= 0 && got.direct.code <= 2, `${what}: exit code`, got.direct);
    if (process.env.SHOW) console.log(`$ ${call.args.join(" ")}\n${got.direct.out}${got.direct.err}[${got.direct.code}]`);
  }
});
// Of one workspace the times are the same too.
await scenario("what only reads: the same to the byte on one workspace", () => {
  const reads = calls.filter(({ args: [word, sub] }) => sub !== "--claim" && ["list", "ready", "blocked", "show", "search", "history", "export"].includes(word) || (word === "dep" && ["tree", "cycles"].includes(sub)) || (word === "label" && sub.startsWith("list")));
  reads.push({ args: ["stats"] }, { args: ["stats", "--json"] });
  check(reads.length >= 80, "enough of them", reads.length);
  for (const { args } of reads) equal(homes.daemon.ws.run(args), homes.daemon.ws.run([...args, "--no-daemon"]), args.join(" ").slice(0, 100));
});
await scenario("it was the daemon that answered", async () => {
  const c = await connect(homes.daemon.ws);
  const s = (await c.call("status")).data;
  check(s.requests >= calls.length * 0.7, "requests of the daemon", s);
  c.close();
  homes.daemon.ws.stop();
});
await server.stop();
finish();
