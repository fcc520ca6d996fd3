// work-bad.mjs - bad input to the tracker: each case gets a clear error that
// names what was wrong and where, and nothing is half written.
import { check, equal, finish, scenario } from "./lib.mjs";
import { connect, workspace } from "./work-lib.mjs";
import { writeFileSync, mkdirSync } from "node:fs";
import path from "node:path";

const ws = workspace({ mode: "daemon" });
ws.run(["daemon"]);
ws.ok(["create", "alpha", "--id", "p-alpha"]);
ws.ok(["create", "alpine", "--id", "p-alpine", "--deps", "p-alpha"]);
ws.ok(["create", "beta", "--id", "p-beta", "--deps", "p-alpine"]);
const rpc = await connect(ws);
const file = (name, text) => { const f = path.join(ws.dir, name); writeFileSync(f, text); return f; };

// What the tracker holds, to be the same after every case.
async function contents() {
  const items = (await rpc.call("export", { tombstones: true })).data;
  const events = (await rpc.call("history", { limit: 100000 })).data.length;
  const sound = (await rpc.call("recount")).data.ok;
  return JSON.stringify({ items, events, sound });
}
const before = await contents();
check(JSON.parse(before).sound, "the tracker is sound", before);

async function unchanged(what) {
  const now = await contents();
  check(now === before, `${what}: nothing changed`, now === before ? undefined : `${before}\n     ${now}`);
}

// ---- requests on the socket: [what, line, error, code]
const line = (operation, args, more = {}) => JSON.stringify({ operation, args, actor: "t", request_id: 1, ...more });
const deep = (n) => "[".repeat(n) + "]".repeat(n);
const requests = [
  ["not JSON", "hello", /line 1|column|JSON|expected/i, "SYNTAX"],
  ["half an object", '{"operation":"ping"', /./, "SYNTAX"],
  ["two values", '{"operation":"ping"} {}', /./, "SYNTAX"],
  ["a trailing comma", '{"operation":"ping",}', /./, "SYNTAX"],
  ["a comment", '{"operation":"ping"/*x*/}', /./, "SYNTAX"],
  ["an array", "[]", /object/, "INVALID"],
  ["a number", "1", /object/, "INVALID"],
  ["a string", '"ping"', /object/, "INVALID"],
  ["null", "null", /object/, "INVALID"],
  ["bad UTF-8", Buffer.from('{"operation":"p\xffing"}', "latin1"), /./, "SYNTAX"],
  ["too deep", `{"operation":"create","args":{"title":${deep(200)}}}`, /./],
  ["no operation", "{}", /operation/, "INVALID"],
  ["operation is a number", '{"operation":1}', /operation.*string/, "INVALID"],
  ["operation is null", '{"operation":null}', /operation/, "INVALID"],
  ["unknown operation", line("frob"), /unknown operation "frob"/, "METHOD"],
  ["a near operation", line("crate"), /did you mean "create"/, "METHOD"],
  ["operation in capitals", line("CREATE"), /unknown operation/, "METHOD"],
  ["an unknown key", '{"operation":"ping","arguments":{}}', /arguments/, "INVALID"],
  ["args is an array", line("ping", []), /args.*object/, "INVALID"],
  ["args is a string", line("ping", "x"), /args.*object/, "INVALID"],
  ["actor is a number", line("ping", {}, { actor: 5 }), /actor/, "INVALID"],
  ["actor too long", line("ping", {}, { actor: "a".repeat(5000) }), /actor/],
  ["deadline is a string", line("ping", {}, { deadline_ms: "soon" }), /deadline_ms/, "INVALID"],
  ["deadline is negative", line("ping", {}, { deadline_ms: -1 }), /deadline_ms/, "INVALID"],
  ["request_id is an object", line("ping", {}, { request_id: {} }), /request_id/, "INVALID"],
  ["unknown argument", line("create", { titel: "x" }), /titel.*did you mean "title"/, "INVALID"],
  ["argument of another operation", line("show", { id: "p-alpha", title: "x" }), /title/, "INVALID"],
  ["no title", line("create", {}), /title.*missing/, "INVALID"],
  ["title null", line("create", { title: null }), /title.*missing/, "INVALID"],
  ["title empty", line("create", { title: "" }), /title/, "INVALID"],
  ["title blank", line("create", { title: " \t " }), /title/, "INVALID"],
  ["title a number", line("create", { title: 7 }), /title: expected a string, got a/, "INVALID"],
  ["title too long", line("create", { title: "x".repeat(501) }), /title.*500/],
  ["description too long", line("create", { title: "x", description: "d".repeat(1100000) }), /description.*1048576/],
  ["priority too high", line("create", { title: "x", priority: 5 }), /priority.*0.*4/, "INVALID"],
  ["priority negative", line("create", { title: "x", priority: -1 }), /priority.*0.*4/, "INVALID"],
  ["priority a fraction", line("create", { title: "x", priority: 1.5 }), /priority/, "INVALID"],
  ["priority a string", line("create", { title: "x", priority: "1" }), /priority.*integer|priority.*number/, "INVALID"],
  ["priority huge", '{"operation":"create","args":{"title":"x","priority":99999999999999999999}}', /priority/, "INVALID"],
  ["unknown type", line("create", { title: "x", issue_type: "story" }), /issue_type.*bug.*feature.*task.*epic.*chore/, "INVALID"],
  ["unknown status", line("create", { title: "x", status: "done" }), /status.*open.*in_progress.*blocked.*deferred.*closed/, "INVALID"],
  ["status tombstone", line("create", { title: "x", status: "tombstone" }), /status/, "INVALID"],
  ["labels a string", line("create", { title: "x", labels: "a" }), /labels.*array/, "INVALID"],
  ["a label that is a number", line("create", { title: "x", labels: ["a", 3] }), /labels\[1\].*string/, "INVALID"],
  ["an empty label", line("create", { title: "x", labels: [""] }), /labels\[0\]/, "INVALID"],
  ["a label too long", line("create", { title: "x", labels: ["l".repeat(200)] }), /labels\[0\]/],
  ["too many labels", line("create", { title: "x", labels: Array.from({ length: 200 }, (_, i) => `l${i}`) }), /labels.*128/],
  ["a dependency on nothing", line("create", { title: "x", dependencies: ["p-nope"] }), /p-nope not found/, "NOTFOUND"],
  ["a dependency of no type", line("create", { title: "x", dependencies: ["needs:p-alpha"] }), /dependencies: expected blocks, related.*got "needs"/, "INVALID"],
  ["the same dependency twice", line("create", { title: "x", dependencies: ["p-alpha", "related:alpha"] }), /twice/, "INVALID"],
  ["dependencies of objects", line("create", { title: "x", dependencies: [{}] }), /dependencies\[0\]/, "INVALID"],
  ["a parent that is not there", line("create", { title: "x", parent: "p-nope" }), /p-nope not found/, "NOTFOUND"],
  ["an id without a prefix", line("create", { title: "x", id: "nodash" }), /id.*PREFIX/, "INVALID"],
  ["an id with blanks", line("create", { title: "x", id: "p-a b" }), /id/, "INVALID"],
  ["an id with a slash", line("create", { title: "x", id: "p-../x" }), /id/, "INVALID"],
  ["an id too long", line("create", { title: "x", id: `p-${"a".repeat(100)}` }), /id/],
  ["an id that is taken", line("create", { title: "x", id: "p-alpha" }), /p-alpha already/, "CONFLICT"],
  ["an estimate below zero", line("create", { title: "x", estimated_minutes: -5 }), /estimated_minutes/, "INVALID"],
  ["show nothing", line("show", {}), /id.*missing/, "INVALID"],
  ["show an unknown id", line("show", { id: "p-alphq" }), /p-alphq not found; did you mean p-alpha/, "NOTFOUND"],
  ["show an ambiguous id", line("show", { id: "alp" }), /ambiguous: p-alpha, p-alpine/, "CONFLICT"],
  ["show an empty id", line("show", { id: "" }), /not found|empty|missing/],
  ["update an unknown id", line("update", { id: "zzz", title: "x" }), /zzz not found/, "NOTFOUND"],
  ["update to an empty title", line("update", { id: "p-alpha", title: "" }), /title/, "INVALID"],
  ["update to an unknown status", line("update", { id: "p-alpha", status: "finished" }), /status/, "INVALID"],
  ["close an unknown id", line("close", { id: "zzz" }), /zzz not found/, "NOTFOUND"],
  ["reopen an unknown id", line("reopen", { id: "zzz" }), /zzz not found/, "NOTFOUND"],
  ["list an unknown status", line("list", { status: "x" }), /status.*open/, "INVALID"],
  ["list below zero", line("list", { limit: -1 }), /limit/, "INVALID"],
  ["list too many", line("list", { limit: 1e9 }), /limit/, "INVALID"],
  ["ready of priority 9", line("ready", { priority: 9 }), /priority/, "INVALID"],
  ["search for nothing", line("search", {}), /query.*missing/, "INVALID"],
  ["claim nothing", line("claim", {}), /id.*ready/, "INVALID"],
  ["claim both", line("claim", { id: "p-alpha", ready: true }), /id.*ready/, "INVALID"],
  ["claim what is blocked", line("claim", { id: "p-beta" }), /p-beta is blocked/, "CONFLICT"],
  ["claim for a moment", line("claim", { id: "p-alpha", lease_ms: 1 }), /lease_ms/, "INVALID"],
  ["claim for ever", line("claim", { id: "p-alpha", lease_ms: 1e12 }), /lease_ms/, "INVALID"],
  ["release what nobody has", line("release", { id: "p-alpha" }), /not claimed/, "CONFLICT"],
  ["a dependency on itself", line("dep_add", { from_id: "p-alpha", to_id: "p-alpha" }), /itself|p-alpha -> p-alpha/, "CONFLICT"],
  ["a cycle of two", line("dep_add", { from_id: "p-alpha", to_id: "p-alpine" }), /p-alpha -> p-alpine -> p-alpha/, "CONFLICT"],
  ["a cycle of three", line("dep_add", { from_id: "p-alpha", to_id: "p-beta" }), /p-alpha -> p-beta -> p-alpine -> p-alpha/, "CONFLICT"],
  ["a cycle through a parent", line("dep_add", { from_id: "p-alpha", to_id: "p-beta", dep_type: "parent-child" }), /p-alpha -> p-beta/, "CONFLICT"],
  ["the same edge again", line("dep_add", { from_id: "p-beta", to_id: "p-alpine" }), /already/, "CONFLICT"],
  ["an edge of no type", line("dep_add", { from_id: "p-alpha", to_id: "p-beta", dep_type: "needs" }), /dep_type.*blocks/, "INVALID"],
  ["an edge without an end", line("dep_add", { from_id: "p-alpha" }), /to_id.*missing/, "INVALID"],
  ["an edge to nothing", line("dep_add", { from_id: "p-alpha", to_id: "p-zz" }), /p-zz not found/, "NOTFOUND"],
  ["removing an edge that is not there", line("dep_remove", { from_id: "p-alpha", to_id: "p-beta" }), /./, "NOTFOUND"],
  ["a tree without depth", line("dep_tree", { id: "p-alpha", max_depth: 0 }), /max_depth/, "INVALID"],
  ["an empty comment", line("comment", { id: "p-alpha", text: "" }), /text/, "INVALID"],
  ["a comment without text", line("comment", { id: "p-alpha" }), /text.*missing/, "INVALID"],
  ["a label of nothing", line("label_add", { id: "p-alpha" }), /label/, "INVALID"],
  ["delete nothing", line("delete", { ids: [] }), /ids/, "INVALID"],
  ["delete an unknown id", line("delete", { ids: ["p-alpha", "zzz"], force: true }), /zzz not found/, "NOTFOUND"],
  ["rename to a bad prefix", line("rename_prefix", { prefix: "9 x" }), /prefix/, "INVALID"],
  ["rename to the same", line("rename_prefix", { prefix: "p" }), /./],
  ["a batch of nothing", line("batch", {}), /operations.*missing/, "INVALID"],
  ["a batch of strings", line("batch", { operations: ["x"] }), /operation 0|operations\[0\]/, "INVALID"],
  ["a batch with an unknown operation", line("batch", { operations: [{ operation: "create", args: { title: "lost" } }, { operation: "frob" }] }), /operation 1.*frob/],
  ["a batch in a batch", line("batch", { operations: [{ operation: "batch", args: { operations: [] } }] }), /operation 0|batch/, "INVALID"],
  ["a reference forward", line("batch", { operations: [{ operation: "show", args: { id: { $ref: 1 } } }, { operation: "create", args: { title: "lost" } }] }), /\$ref/, "INVALID"],
  ["a reference to itself", line("batch", { operations: [{ operation: "show", args: { id: { $ref: 0 } } }] }), /\$ref/, "INVALID"],
  ["a reference that is a string", line("batch", { operations: [{ operation: "create", args: { title: "lost" } }, { operation: "show", args: { id: { $ref: "0" } } }] }), /\$ref/, "INVALID"],
  ["a reference to a list", line("batch", { operations: [{ operation: "list" }, { operation: "show", args: { id: { $ref: 0 } } }] }), /\$ref/, "INVALID"],
  ["a batch that fails at its end", line("batch", { operations: [...Array.from({ length: 50 }, (_, i) => ({ operation: "create", args: { title: `lost ${i}` } })), { operation: "close", args: { id: "zzz" } }] }), /operation 50.*zzz not found/, "NOTFOUND"],
  ["an import of numbers", line("import", { items: [1] }), /line 1/, "INVALID"],
];
for (const [what, text, error, code] of requests) {
  await scenario(what, async () => {
    rpc.socket.write(text); rpc.socket.write("\n");
    const r = await rpc.next();
    check(r !== null, `${what}: the connection lives`);
    equal(r?.success, false, `${what}: refused`);
    check(error.test(r?.error ?? ""), `${what}: says why`, r?.error);
    if (code) equal(r?.code, code, `${what}: code`);
    await unchanged(what);
  });
}

// ---- JSONL: [what, text, error]
const good = (id, more = {}) => JSON.stringify({ id, title: id, status: "open", priority: 2, issue_type: "task", created_at: "2025-10-16T10:00:00Z", updated_at: "2025-10-16T10:00:00Z", ...more });
const lines = [
  ["a line that is not JSON", `${good("p-x1")}\n{oops\n`, /line 2/],
  ["a line cut off", `${good("p-x1")}\n${good("p-x2").slice(0, -4)}`, /line 2/],
  ["an array in line 3", `${good("p-x1")}\n${good("p-x2")}\n[]\n`, /line 3.*object/],
  ["no id", `{"title":"x","status":"open","priority":1,"issue_type":"task"}\n`, /line 1.*id/],
  ["no title", `${good("p-x1")}\n{"id":"p-x2","status":"open"}\n`, /line 2.*title/],
  ["a bad id", `${good("nodash")}\n`, /line 1.*id/],
  ["a bad priority", `${good("p-x1")}\n${good("p-x2", { priority: 9 })}\n`, /line 2: priority/],
  ["a bad status", `${good("p-x1", { status: "done" })}\n`, /line 1: status.*open/],
  ["a bad type", `${good("p-x1", { issue_type: "story" })}\n`, /line 1: issue_type.*bug/],
  ["a bad time", `${good("p-x1", { created_at: "yesterday" })}\n`, /line 1: created_at/],
  ["a time that is no day", `${good("p-x1", { created_at: "2025-02-30T10:00:00Z" })}\n`, /line 1: created_at/],
  ["labels that are no list", `${good("p-x1", { labels: "a" })}\n`, /line 1: labels/],
  ["a dependency without an end", `${good("p-x1", { dependencies: [{ type: "blocks" }] })}\n`, /line 1: dependencies/],
  ["a dependency of no type", `${good("p-x1", { dependencies: [{ depends_on_id: "p-alpha", type: "needs" }] })}\n`, /line 1: dependencies.*blocks/],
  ["a title too long", `${good("p-x1", { title: "x".repeat(501) })}\n`, /line 1: title/],
  ["a cycle", `${good("p-x1", { dependencies: [{ issue_id: "p-x1", depends_on_id: "p-x2", type: "blocks" }] })}\n${good("p-x2", { dependencies: [{ issue_id: "p-x2", depends_on_id: "p-x1", type: "blocks" }] })}\n`, /line 2.*p-x2 -> p-x1 -> p-x2/],
  ["marks of a conflict", `<<<<<<< HEAD\n${good("p-x1")}\n=======\n${good("p-x1")}\n>>>>>>> other\n`, /line 1.*conflict/i],
];
for (const [what, text, error] of lines) {
  await scenario(`import: ${what}`, async () => {
    const strict = /bad status|bad type|no type|twice/.test(what) ? ["--strict"] : [];
    const r = ws.run(["import", ...strict, "-i", file("bad.jsonl", text)]);
    equal(r.code, 1, `import: ${what}: exit code`);
    check(error.test(r.err), `import: ${what}: says where`, r.err);
    await unchanged(`import: ${what}`);
  });
}
await scenario("import: a dependency on nothing, strictly", async () => {
  const r = ws.run(["import", "--strict", "-i", file("bad.jsonl", `${good("p-x1", { dependencies: [{ issue_id: "p-x1", depends_on_id: "p-nope", type: "blocks" }] })}\n`)]);
  equal(r.code, 1, "strict: exit code");
  check(/line 1.*p-nope/.test(r.err), "strict: says what is missing", r.err);
  await unchanged("strict");
});

// ---- the command line: [what, args, code, error, stdin]
mkdirSync(path.join(ws.dir, "folder"), { recursive: true });
const commands = [
  ["an unknown command", ["frobnicate"], /unknown command.*frobnicate/],
  ["a near command", ["crate"], /did you mean.*create/],
  ["an unknown flag", ["list", "--statsu", "open"], /--statsu.*did you mean.*--status/],
  ["an unknown short flag", ["list", "-Z"], /-Z/],
  ["a flag without its value", ["list", "--status"], /argument: --status/],
  ["a switch with a value", ["claim", "--ready=perhaps"], /--ready/],
  ["a priority that is a word", ["create", "x", "-p", "high"], /priority.*high|-p/],
  ["a priority of 1e3", ["create", "x", "-p", "1e3"], /priority/],
  ["a bad duration", ["list", "--timeout", "soon"], /timeout.*soon/],
  ["no operand", ["show"], /id/i],
  ["too many operands", ["dep", "add", "a", "b", "c"], /argument|operand|expected/],
  ["dep without a word", ["dep"], /add|remove|tree|cycles/],
  ["dep with a wrong word", ["dep", "ad", "a", "b"], /did you mean.*add/],
  ["a missing input file", ["import", "-i", "nowhere.jsonl"], /nowhere\.jsonl/],
  ["a folder as input", ["import", "-i", "folder"], /folder/],
  ["a missing batch file", ["batch", "-f", "nowhere.json"], /nowhere\.json/],
  ["a batch that is not JSON", ["batch", "-f", "-"], /line 1/, "[{]"],
  ["a markdown file that is none", ["create", "-f", "nowhere.md"], /nowhere\.md/],
  ["a markdown file that is a folder", ["create", "-f", "folder"], /folder/],
  ["a title and a file", ["create", "title", "-f", "x.md"], /title|file/],
  ["a database that is none", ["list", "--db", file("not-a.db", "hello, I am not a database, really not one\n".repeat(50))], /not-a\.db/],
  ["a database that is not there", ["list", "--db", "/nonexistent/dir/work.db"], /nonexistent/],
  ["a bad template", ["list", "--format", "{{.Nope}}"], /Nope/],
  ["refused: compact", ["compact"], /compact/],
];
file("x.md", "## a\n");
for (const [what, args, error, stdin] of commands) {
  await scenario(`command: ${what}`, async () => {
    const r = ws.run(args, { input: stdin ?? "" });
    check(r.code === 1 || r.code === 2, `command: ${what}: exit code`, r);
    check(error.test(r.err), `command: ${what}: says why`, r.err);
    check(r.out === "", `command: ${what}: nothing on stdout`, r.out);
    await unchanged(`command: ${what}`);
  });
}
await scenario("markdown that is wrong", async () => {
  for (const [what, text, error] of [
    ["no item in it", "# only a title\n\nwords\n", /no issues|## /],
    ["a bad priority", "## one\n### Priority\n9\n", /line 3|priority/i],
    ["a bad type", "## one\n### Type\nstory\n", /line 3|type/i],
    ["a dependency on nothing", "## one\n### Dependencies\np-nope\n", /p-nope/],
    ["a title too long", `## ${"x".repeat(600)}\n`, /title|line 1/]]) {
    const r = ws.run(["create", "-f", file("bad.md", text)]);
    equal(r.code, 1, `markdown, ${what}: exit code`);
    check(error.test(r.err), `markdown, ${what}: says why`, r.err);
    await unchanged(`markdown, ${what}`);
  }
});
await scenario("a request that is too large", async () => {
  const c = await connect(ws);
  const chunk = "x".repeat(1 << 20);
  c.socket.write('{"operation":"create","args":{"title":"');
  for (let i = 0; i < 200 && !c.closed; i++) if (!c.socket.write(chunk)) await new Promise((r) => { const on = () => { c.socket.off("drain", on); c.socket.off("close", on); r(); }; c.socket.on("drain", on); c.socket.on("close", on); });
  const r = await c.next();
  check(r === null || (r.success === false && r.code === "TOOBIG"), "it is refused", r);
  c.close();
  await unchanged("too large");
});
check(requests.length + lines.length + commands.length + 7 >= 100, "enough cases", requests.length + lines.length + commands.length);
await scenario("the tracker still works", async () => {
  equal((await rpc.call("create", { title: "fine" })).success, true, "create after all that");
});
rpc.close();
ws.stop();
finish();
