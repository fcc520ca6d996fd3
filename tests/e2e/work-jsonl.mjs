// work-jsonl.mjs [all] - files of items: what bd 0.9.8 wrote goes in and comes out
// without a loss, and an export is the same bytes wherever it is made.
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { check, equal, finish, scenario, scratch, until } from "./lib.mjs";
import { connect, workspace } from "./work-lib.mjs";

let seed = 12345;
const draw = (n) => { seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0; return (seed >>> 8) % n; };
const pick = (list) => list[draw(list.length)];
const two = (n) => String(n).padStart(2, "0");
const zones = ["Z", "-07:00", "+05:30", "+00:00", "+13:45"];
const time = (day) => `2025-10-${two(1 + day % 28)}T${two(draw(24))}:${two(draw(60))}:${two(draw(60))}${pick(["", ".5", `.${String(draw(1e9)).padStart(9, "0")}`, ".123456"])}${pick(zones)}`;
const texts = ["plain", "a & b <c> \"d\" \\ / \t\n\r\u2028\u2029", "\u00e9\u4e2d\ud83d\ude00", "[x](y) `z`", " lead and trail ", "\u0001\u001f"];
const text = () => `${pick(texts)} ${draw(1000)}`;

// As bd writes: compact, with <, >, & and the line separators escaped.
const line = (item) => JSON.stringify(item).replace(/[<>&\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
const put = (o, key, value) => { if (value !== undefined) o[key] = value; };
const sometimes = (f) => draw(3) === 0 ? f() : undefined;

// Any item, all fields; numeric ids, children, and bd's later hashes.
function item(i, ids) {
  const id = ids[i], o = { id, title: text().slice(0, 200), description: draw(4) === 0 ? "" : text() };
  for (const key of ["design", "acceptance_criteria", "notes"]) put(o, key, sometimes(text));
  o.status = pick(["open", "in_progress", "blocked", "closed"]);
  o.priority = draw(5);
  o.issue_type = pick(["bug", "feature", "task", "epic", "chore"]);
  put(o, "assignee", sometimes(() => `who ${draw(9)}`));
  put(o, "estimated_minutes", sometimes(() => draw(3) * 30));
  o.created_at = time(i);
  o.updated_at = time(i + 1);
  if (o.status === "closed") o.closed_at = time(i + 2);
  put(o, "external_ref", sometimes(() => `gh-${draw(999)}`));
  if (draw(4) === 0) Object.assign(o, { compaction_level: 1 + draw(2), compacted_at: time(i + 3), original_size: draw(10000) });
  put(o, "labels", sometimes(() => [...new Set(Array.from({ length: 1 + draw(4) }, () => pick(["a", "b c", "<x>", "\u00e9", "z&", "10", "2"])))].sort((x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y)))));
  if (i > 3 && draw(3) === 0) {
    const at = draw(1e9);
    const targets = [...new Set(Array.from({ length: 1 + draw(3) }, () => ids[draw(i)]))];
    o.dependencies = targets.map((t, n) => ({ issue_id: id, depends_on_id: t, type: pick(["blocks", "related", "parent-child", "discovered-from"]), created_at: `2025-10-16T13:24:${two(n)}.${String(at).padStart(9, "0")}-07:00`, created_by: `who ${draw(9)}` }));
  }
  return o;
}

const ids = (n) => Array.from({ length: n }, (_, i) => i % 10 === 9 ? `bd-${i - 8}.1` : i % 7 === 3 ? `bd-${(i * 7919 + 46656).toString(36)}x` : `bd-${i + 1}`);
const exported = (ws) => { const file = path.join(scratch(), "out"); ws.ok(["export", "-o", file]); return readFileSync(file, "utf8"); };
const counts = (ws) => ws.ok(["doctor", "--json"]).checks.find((c) => c.name === "counts");

await scenario("1,000 items of bd 0.9.8: nothing is lost", () => {
  const ws = workspace({ prefix: "bd" }), names = ids(1000);
  const items = names.map((_, i) => item(i, names));
  const input = path.join(scratch(), "in.jsonl");
  writeFileSync(input, items.map(line).join("\n") + "\n");
  equal(ws.ok(["import", "-i", input, "--strict", "--json"]).created, 1000, "all came in");
  const out = exported(ws).trim().split("\n").map(JSON.parse);
  const want = new Map(items.map((i) => [i.id, JSON.parse(line(i))]));
  equal(out.length, 1000, "all come out");
  let wrong = 0;
  for (const got of out) if (JSON.stringify(got) !== JSON.stringify(want.get(got.id)) && wrong++ < 3) equal(got, want.get(got.id), got.id);
  equal(wrong, 0, "each as it was, its members in their order");
  equal(out.map((i) => i.id), [...names].sort((x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y))), "sorted by bytes");
  equal(counts(ws).ok, true, "counted right");
  equal(ws.ok(["import", "-i", input, "--json"]).unchanged, 1000, "a second time nothing changes");
});

await scenario("10,000 items: export, import, export: the same bytes", () => {
  const a = workspace({ prefix: "bd" }), b = workspace({ prefix: "other" }), names = ids(10000);
  const items = names.map((_, i) => {
    const o = item(i, names);
    if (draw(10) === 0) o.comments = Array.from({ length: 1 + draw(3) }, (_, n) => ({ id: 900 - n, issue_id: o.id, author: "ann", text: text(), created_at: time(draw(28)) }));
    if (draw(20) === 0) o.unknown = { z: [1, 2.5, null], a: text() };
    if (o.labels) o.labels.reverse();
    return o;
  });
  const input = path.join(scratch(), "in.jsonl");
  writeFileSync(input, items.reverse().map(line).join("\n") + "\n");
  a.ok(["import", "-i", input]);
  const first = exported(a);
  const file = path.join(scratch(), "first");
  writeFileSync(file, first);
  b.ok(["import", "-i", file]);
  check(exported(b) === first, "the same bytes");
  equal([counts(a).ok, counts(b).ok], [true, true], "counted right");
  equal(a.ok(["ready", "-n", "0", "--json"]).map((i) => i.id).sort(), b.ok(["ready", "-n", "0", "--json"]).map((i) => i.id).sort(), "the same is ready");
});

// ---- more than fits anywhere -------------------------------------------------

// Items of both kinds of lines, each depending on the one after it.
function manyLines(n) {
  const out = [];
  for (let i = 0; i < n; i++) {
    const id = `p-${String(i).padStart(6, "0")}`;
    out.push(JSON.stringify({ id, title: `item ${i}`, description: "", status: "open", priority: i % 5, issue_type: "task",
      created_at: "2026-01-01T00:00:00Z", updated_at: "2026-01-01T00:00:00Z",
      ...(i % 10 === 0 && i + 1 < n ? { dependencies: [{ issue_id: id, depends_on_id: `p-${String(i + 1).padStart(6, "0")}`, type: "blocks", created_at: "2026-01-01T00:00:00Z", created_by: "t" }] } : {}) }));
  }
  return `${out.join("\n")}\n`;
}

// With all: more than one answer can hold, and a kill leaves none of them.
const most = 100000, items = process.argv[2] === "all" ? most + 1000 : 11000;
await scenario(`${items} items go in, come out, and are listed`, async () => {
  const text = manyLines(items), ws = workspace({ mode: "auto" });
  const input = path.join(ws.dir, "in.jsonl"), output = path.join(ws.dir, "out.jsonl");
  writeFileSync(input, text);
  if (items > most) {                  // fewer are written all at the end
    const killed = ws.start(["import", "in.jsonl"]);
    await until(() => existsSync(`${ws.db}-wal`) && statSync(`${ws.db}-wal`).size > 20e6, "it writes");
    killed.child.kill("SIGKILL");
    await killed.done;
    equal(ws.ok(["list", "--json"]), [], "nothing of it is there");
  }
  const { created, warnings } = ws.ok(["import", "in.jsonl", "--json"]);
  equal([created, warnings], [items, []], "all of it, the next time");
  ws.ok(["export", "-o", "out.jsonl"]);
  check(readFileSync(output, "utf8") === text, "export is what was imported");
  check(ws.ok(["export"]) === text, "on stdout too");
  equal(new Set(ws.ok(["list", "--json"]).map((i) => i.id)).size, items, "list --json");
  equal(ws.ok(["list"]).trim().split("\n").length, items, "list");
  equal(ws.ok(["list", "-n", String(items - 500), "--json"]).length, items - 500, "list -n");
  equal(ws.ok(["search", "item", "--json"]).length, items, "search");
  equal(ws.ok(["blocked", "--json"]).length, items / 10, "blocked");
  equal(ws.ok(["list", "--format", "digraph"]).trim().split("\n").length, items / 10, "edges");
  const c = await connect(ws);
  const all = await c.call("list");
  if (items > most) check(all.success === false && all.code === "LIMIT" && /more than 100000 items.*page/.test(all.error), "one answer that cannot hold them says so", all);
  else equal([all.success, all.data?.length], [true, items], "one answer holds them");
  const ready = await c.call("ready", { limit: 0 });
  equal([ready.success, ready.data.length], [true, items * 9 / 10], "ready");
  let n = 0, after;
  do {
    const { data } = await c.call("list", { page: true, ...(after ? { after } : {}) });
    n += data.items.length;
    after = data.next;
  } while (after);
  equal(n, items, "pages on the wire");
  c.close();
  equal(ws.ok(["import", "in.jsonl", "--json"]).unchanged, items, "again: nothing new");
});

await scenario("an answer of several pages is of one moment", async () => {
  const ws = workspace({ mode: "auto" });
  const operations = (from) => JSON.stringify({ operations: Array.from({ length: 300 }, (_, i) => ({ operation: "create", args: { id: `p-s${from + i}`, title: "s", description: "x".repeat(30000) } })) });
  ws.ok(["batch"], { input: operations(0) });
  let writing = true;
  const writer = (async () => {
    for (let i = 0; i < 40 || writing; i++) {
      const { id } = JSON.parse((await ws.start(["create", `w${i}`, "--id", `p-zz${i}`, "--json"]).done).out);
      await ws.start(["dep", "add", `p-s${i % 300}`, id]).done;
      if (i === 39) writing = false;
    }
  })();
  let rounds = 0;
  while (writing) {
    const r = await ws.start(["list", "--json"]).done;
    equal(r.code, 0, r.err);
    const items = JSON.parse(r.out), ids = new Set(items.map((i) => i.id));
    equal(ids.size, items.length, "none twice");
    check(items.every((i) => (i.dependency_records ?? i.dependencies ?? []).every((d) => ids.has(d.depends_on_id ?? d.id))), "all of one moment");
    rounds++;
  }
  await writer;
  check(rounds > 0, "listed meanwhile");
});

// ---- files as the original's later versions write them -------------------------

// 1,000 items with all that its users' files hold: types, statuses and kinds of
// dependency that are not ours, priorities of 0 left out, tombstones, lines twice.
function originals() {
  const lines = [], types = ["task", "bug", "message", "molecule", "merge-request", "gate"], statuses = ["open", "closed", "pinned", "hooked", "in_progress", "mine"];
  for (let i = 0; i < 1000; i++) {
    const id = `bd-${i.toString(36).padStart(3, "0")}${i % 50 === 7 ? ".1" : ""}`;
    const o = { id, title: `Item ${i}`, description: i === 500 ? "d".repeat(1 << 20) : `<b> & ${i}`, status: statuses[i % 6], ...(i % 3 ? { priority: 1 + i % 4 } : {}), issue_type: types[i % 5 + (i % 7 === 0 ? 1 : 0)],
      created_at: `2025-12-${two(1 + i % 28)}T13:26:47.${String(117226 + i)}-08:00`, updated_at: `2025-12-${two(1 + i % 28)}T16:11:17.070763-08:00`, source_repo: ".", ...(i % 9 === 0 ? { is_template: true, metadata: { n: [i, null, 1.5] } } : {}) };
    if (o.status === "closed") Object.assign(o, { closed_at: o.updated_at, close_reason: "done" });
    if (i % 40 === 3) Object.assign(o, { status: "tombstone", deleted_at: o.updated_at, deleted_by: "batch delete", delete_reason: "r", original_type: "bug" });
    else if (i > 10 && i % 4 === 0) o.dependencies = [["blocks", "replies-to", "relates-to", "waits-for", "tracks"][i % 5], ...(i % 8 === 0 ? ["parent-child"] : [])].map((type) => ({ issue_id: id, depends_on_id: "bd-000", type, created_at: o.created_at, created_by: "daemon", metadata: i % 12 === 0 ? "{\"x\":1}" : "{}" }));
    if (i % 20 === 5) o.comments = [{ id: i, issue_id: id, author: "a", text: "c", created_at: o.created_at }];
    lines.push(JSON.stringify(o));
  }
  return lines;
}

await scenario("init --from-beads takes files of later versions without a loss", () => {
  const lines = originals(), dir = path.join(scratch(), "ws");
  mkdirSync(path.join(dir, ".beads"), { recursive: true });
  const ws = workspace({ dir, init: false }), file = path.join(dir, ".beads", "issues.jsonl");
  const put = (list) => writeFileSync(file, `\ufeff${list.join("\n")}\n`);
  put([...lines.slice(0, 10), "{broken", ...lines.slice(10), lines[20].replace("Item 20", "Item twenty").replace(/"updated_at":"2025/, '"updated_at":"2026')]);
  const refused = ws.run(["init", "--from-beads"]);
  check(refused.code === 1 && /line 11: .*\n.*--skip-bad/.test(refused.err), "a bad line is named, and what to do", refused.err);
  const r = ws.run(["init", "--from-beads", "--skip-bad"]);
  equal(r.code, 0, r.err);
  for (const word of [/line 11: /, /line 1002: bd-00k is in line 22 already/, /issue_type: "message" of bd-002 becomes task/, /status: "pinned" of bd-002 becomes open/, /priority: \d+ items have none.*P0/, /1 bad, left out/])
    check(word.test(r.err), `told: ${word}`, r.err);
  const out = new Map(exported(ws).trim().split("\n").map((l) => JSON.parse(l)).map((o) => [o.id, o]));
  equal(out.size, 1000, "all of them");
  const bad = [];
  for (const o of lines.map((l) => JSON.parse(l))) {
    const got = out.get(o.id);
    const type = got.imported_type ?? got.issue_type, status = got.imported_status ?? got.status;
    const deps = got.imported_dependencies ?? got.dependencies;
    const plain = (d) => JSON.stringify(d?.map(({ metadata, ...rest }) => (metadata === "{}" ? rest : { ...rest, metadata })));
    if (o.id === "bd-00k") continue;
    if (o.status === "tombstone" ? got.status !== "tombstone" || got.deleted_by !== o.deleted_by || got.delete_reason !== "r" : type !== o.issue_type || status !== o.status || got.priority !== (o.priority ?? 0) || plain(deps) !== plain(o.dependencies) ||
      ["title", "description", "created_at", "updated_at", "source_repo", "close_reason", "closed_at"].some((k) => got[k] !== o[k] && !(k === "closed_at" && got.status !== "closed")) ||
      JSON.stringify([got.metadata, got.is_template]) !== JSON.stringify([o.metadata, o.is_template]) || (got.comments?.length ?? 0) !== (o.comments?.length ?? 0)) bad.push([o, got]);
  }
  equal(bad.slice(0, 1), [], "each is what it was");
  equal(out.get("bd-00k").title, "Item twenty", "of two lines the later one");
  const second = workspace({ prefix: "bd" });
  second.ok(["import"], { input: exported(ws) });
  equal(exported(second), exported(ws), "and out of another tracker");
  equal(ws.ok(["import", "--skip-bad", "-i", file, "--json"]).created, 0, "again: nothing new");
});
finish();
