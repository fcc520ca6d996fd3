// work-http.mjs - the tracker over HTTP: items, claims, batches, the stream of
// events, projects and owners apart, keys that make a request count once.
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { call, check, equal, finish, parseEvents, scenario, scratch, startServer, until } from "./lib.mjs";

const dir = scratch(), keys = path.join(dir, "keys");
const hash = (key) => createHash("sha256").update(key).digest("hex");
writeFileSync(keys, `${hash("ck_ann")} ann\n${hash("ck_bob")} bob\n`);
const server = await startServer({ dir, args: ["--api-keys", keys] });
const ann = { "x-api-key": "ck_ann" }, bob = { "x-api-key": "ck_bob" };

async function ok(method, target, body, headers = ann) {
  const r = await call(server, method, target, body, headers);
  if (r.status !== 200) throw new Error(`${method} ${target}: ${r.status} ${r.text}`);
  return r.json;
}
const create = (fields, query = "", headers = ann) => ok("POST", `/work/items${query}`, fields, headers);

// A reader of /work/events that collects what comes.
async function follow(query = "", headers = ann) {
  const stop = new AbortController();
  const res = await fetch(`${server.url}/work/events${query}`, { headers, signal: stop.signal });
  const f = { status: res.status, type: res.headers.get("content-type"), text: "", ended: false, events: () => parseEvents(f.text.slice(0, f.text.lastIndexOf("\n\n") + 2)) };
  const done = (async () => { try { for await (const part of res.body) f.text += Buffer.from(part).toString(); } catch { /* stopped */ } f.ended = true; })();
  f.stop = async () => { stop.abort(); await done; };
  return f;
}

await scenario("items", async () => {
  const q = "?project=items";
  const a = await create({ title: "first", priority: 1, labels: ["x", "a"], description: "d", estimated_minutes: 30 }, q);
  check(/^items-[0-9a-z]{4,}$/.test(a.id), "the project's name is the ids' prefix", a.id);
  equal([a.title, a.priority, a.labels, a.status, a.estimated_minutes], ["first", 1, ["a", "x"], "open", 30], "what was given is there");
  const b = await create({ title: "second", issue_type: "bug", dependencies: [a.id] }, q);
  equal(b.dependency_records.map((d) => [d.depends_on_id, d.type, d.created_by]), [[a.id, "blocks", "ann"]], "the dependency, by who is authenticated");
  equal(b.dependencies.map((d) => [d.id, d.title, d.dependency_type]), [[a.id, "first", "blocks"]], "and as an item");
  equal((await ok("GET", `/work/ready${q}`)).map((i) => i.id), [a.id], "only the first is ready");
  equal((await ok("GET", `/work/items${q}`)).map((i) => i.id), [a.id, b.id], "list, most urgent first");
  equal((await ok("GET", `/work/items${q}&issue_type=bug`)).map((i) => i.id), [b.id], "by type");
  equal((await ok("GET", `/work/items${q}&label=x&label=a`)).map((i) => i.id), [a.id], "by labels");
  equal((await ok("GET", `/work/items${q}&label=x&label=nope`)).length, 0, "all of the labels");
  equal((await ok("GET", `/work/items${q}&priority=1&title=FIR`)).map((i) => i.id), [a.id], "by priority and title");
  equal((await ok("GET", `/work/items${q}&limit=1`)).length, 1, "limit");
  const short = a.id.slice("items-".length);
  equal((await ok("GET", `/work/items/${short}${q}`)).id, a.id, "without the prefix");
  const changed = await ok("PATCH", `/work/items/${a.id}${q}`, { title: "First", notes: "n", actor: "carl" });
  equal([changed.title, changed.notes, changed.description], ["First", "n", "d"], "patched, the rest as it was");
  const closed = await ok("POST", `/work/items/${a.id}/close${q}`, { reason: "done" });
  check(closed.status === "closed" && closed.closed_at, "closed", closed);
  equal((await ok("GET", `/work/ready${q}`)).map((i) => i.id), [b.id], "now the second is ready");
  const next = await create({ title: "third" }, q);
  const both = await ok("POST", `/work/items/${b.id}/close${q}`, { claim_next: true });
  equal([both.id, both.claimed?.id], [b.id, next.id], "closed, and the next one claimed");
  equal((await ok("POST", `/work/items/${next.id}/close${q}`)).status, "closed", "close needs no body");
  const gone = await ok("DELETE", `/work/items/${b.id}${q}`);
  equal(gone.deleted, true, "deleted");
  equal((await call(server, "GET", `/work/items/${b.id}${q}`, undefined, ann)).status, 404, "and gone");
  for (const id of ["items-1", "items-11"]) await create({ title: id, id }, q);
  equal((await ok("DELETE", `/work/items/items-1${q}`)).issues.map((i) => i.id), ["items-1"], "one of a number");
  equal((await call(server, "DELETE", `/work/items/items-1${q}`, undefined, ann)).status, 404, "deleted twice: not the one that begins so");
  equal((await call(server, "PATCH", `/work/items/items-1${q}`, { priority: 0 }, ann)).status, 404, "nor changed");
  equal((await ok("GET", `/work/items/items-11${q}`)).priority, 2, "which is as it was");
});

await scenario("who acts", async () => {
  const q = "?project=actors", history = async (id) => (await ok("POST", `/work/rpc${q}`, { operation: "history", args: { id } })).data.map((e) => e.actor);
  equal(await history((await create({ title: "a" }, q)).id), ["ann"], "who is authenticated");
  equal(await history((await create({ title: "a" }, q, { ...ann, "x-actor": "dora" })).id), ["dora"], "X-Actor");
  equal(await history((await create({ title: "a", actor: "eve" }, q, { ...ann, "x-actor": "dora" })).id), ["eve"], "the body's actor");
});

await scenario("claims", async () => {
  const q = "?project=claims";
  equal(await ok("POST", `/work/claim${q}`), null, "nothing is ready: null");
  const low = await create({ title: "low", priority: 3 }, q), high = await create({ title: "high", priority: 0 }, q);
  const first = await ok("POST", `/work/claim${q}`, { actor: "one" });
  equal([first.id, first.assignee, first.status, first.lease?.holder], [high.id, "one", "in_progress", "one"], "the most urgent first");
  const again = await ok("POST", `/work/claim${q}`, { id: high.id, actor: "one", lease_ms: 3600000 });
  check(again.lease.until > first.lease.until, "a heartbeat extends", again.lease);
  const other = await call(server, "POST", `/work/claim${q}`, { id: high.id, actor: "two" }, ann);
  check(other.status === 409 && other.json.detail.includes("one"), "another's claim: 409, and whose", other.text);
  equal((await ok("POST", `/work/claim${q}`, { actor: "two" })).id, low.id, "the next one for another");
  const items = await Promise.all(Array.from({ length: 20 }, (_, i) => create({ title: `item ${i}` }, q)));
  const got = await Promise.all(Array.from({ length: 30 }, (_, i) => ok("POST", `/work/claim${q}`, { actor: `agent ${i}` })));
  const ids = got.filter((x) => x !== null).map((x) => x.id);
  equal([ids.length, new Set(ids).size], [items.length, items.length], "30 at once take 20 items, none twice");
});

await scenario("batches", async () => {
  const q = "?project=batch";
  const done = await ok("POST", `/work/batch${q}`, { operations: [
    { operation: "create", args: { title: "epic", issue_type: "epic" } },
    { operation: "create", args: { title: "part", dependencies: [{ $ref: 0 }] } },
    { operation: "close", args: { id: { $ref: 0 } } }] });
  equal(done.results.map((r) => r.success), [true, true, true], "all of it");
  equal((await ok("GET", `/work/ready${q}`)).map((i) => i.title), ["part"], "with references to each other");
  const before = (await ok("GET", `/work/items${q}`)).length;
  const bad = await call(server, "POST", `/work/batch${q}`, { operations: [
    { operation: "create", args: { title: "lost" } }, { operation: "close", args: { id: "batch-nope" } }] }, ann);
  check(bad.status === 404 && bad.json.data.results.length === 2, "a failing one: its status, and what came before", bad.text);
  equal(bad.json.data.results[0].rolled_back, true, "which was rolled back");
  equal((await ok("GET", `/work/items${q}`)).length, before, "nothing of it is there");
});

await scenario("keys that count once", async () => {
  const q = "?project=once", key = { ...ann, "idempotency-key": "k-1" };
  const first = await create({ title: "once" }, q, key), second = await create({ title: "once" }, q, key);
  equal(second, first, "the same answer");
  equal((await ok("GET", `/work/items${q}`)).length, 1, "and one item");
  check((await create({ title: "once" }, "?project=twice", key)).id.startsWith("twice-"), "a key belongs to its project");
  const many = await Promise.all(Array.from({ length: 10 }, () => create({ title: "race" }, q, { ...ann, "idempotency-key": "k-2" })));
  equal(new Set(many.map((i) => i.id)).size, 1, "ten at once are one");
});

await scenario("rpc", async () => {
  const q = "?project=rpc";
  const made = await call(server, "POST", `/work/rpc${q}`, { operation: "create", args: { title: "t" }, actor: "cli", request_id: "7" }, ann);
  equal([made.status, made.json.request_id, made.json.success, made.json.data.title], [200, "7", true, "t"], "a daemon's answer");
  const none = await call(server, "POST", `/work/rpc${q}`, { operation: "show", args: { id: "rpc-nope" }, request_id: 9 }, ann);
  equal([none.status, none.json.request_id, none.json.success, none.json.code], [404, 9, false, "NOTFOUND"], "an error has its status and its code");
  const unknown = await call(server, "POST", `/work/rpc${q}`, { operation: "lst" }, ann);
  check(unknown.status === 422 && unknown.json.code === "METHOD" && unknown.json.error.includes("list"), "no such operation", unknown.text);
  equal((await call(server, "POST", `/work/rpc${q}`, { operation: "stats", deadline_ms: 60000 }, ann)).json.data.total_issues, 1, "a deadline that is met");
});

await scenario("events", async () => {
  const q = "?project=feed";
  const old = await create({ title: "before" }, q);
  const live = await follow(q), all = await follow(`${q}&after=0`), elsewhere = await follow("?project=elsewhere");
  equal([live.status, live.type], [200, "text/event-stream"], "a stream");
  const item = await create({ title: "after" }, q);
  const waiting = await create({ title: "waits", dependencies: [item.id] }, q);
  await ok("POST", `/work/items/${item.id}/close${q}`, {});
  const of = (f, id) => f.events().filter((e) => e.json.issue_id === id).map((e) => e.event);
  await until(() => of(live, waiting.id).includes("work.ready"), "the item to become ready");
  check(of(live, item.id)[0] === "work.created" && of(live, item.id).includes("work.closed"), "what happened, in order", of(live, item.id));
  check(!of(live, waiting.id).slice(0, 1).includes("work.ready"), "ready only when the other is closed", of(live, waiting.id));
  equal(of(live, old.id), [], "only what is new");
  await until(() => of(all, waiting.id).includes("work.ready"), "the other reader");
  check(of(all, old.id).includes("work.created"), "or all there is");
  equal(elsewhere.text.includes("event:"), false, "another project hears nothing");
  const ids = live.events().filter((e) => e.id).map((e) => Number(e.id));
  check(ids.every((id, i) => i === 0 || id > ids[i - 1]), "ids rise", ids);
  await live.stop();
  const missed = await create({ title: "missed" }, q);
  const resumed = await follow(q, { ...ann, "last-event-id": String(ids.at(-1)) });
  await until(() => of(resumed, missed.id).length > 0, "what was missed");
  equal(resumed.events()[0].json.issue_id, missed.id, "goes on exactly where it stopped");
  for (const f of [all, elsewhere, resumed]) await f.stop();
});

await scenario("many events to many readers", async () => {
  const q = "?project=many", readers = await Promise.all(Array.from({ length: 8 }, () => follow(q)));
  // Fewer bytes than a reader may be behind: one that is busy creating is not cut.
  await Promise.all(Array.from({ length: 200 }, (_, i) => create({ title: `item ${i} ${"x".repeat(300)}` }, q)));
  const late = await follow(`${q}&after=0`);
  const created = (f) => f.events().filter((e) => e.event === "work.created").map((e) => e.json.seq);
  for (const f of [...readers, late]) {
    await until(() => created(f).length >= 200, "all events");
    equal(new Set(created(f)).size, 200, "each once");
    await f.stop();
  }
});

await scenario("owners apart", async () => {
  const q = "?project=shared";
  const mine = await create({ title: "ann's" }, q, ann);
  equal((await call(server, "GET", `/work/items/${mine.id}${q}`, undefined, bob)).status, 404, "bob does not see it");
  equal(await ok("GET", `/work/items${q}`, undefined, bob), [], "nor lists it");
  equal(await ok("POST", `/work/claim${q}`, {}, bob), null, "nor can claim it");
  const feed = await follow(`${q}&after=0`, bob);
  const his = await create({ title: "bob's" }, q, bob);
  await until(() => feed.text.includes(his.id), "bob's own event");
  check(!feed.text.includes(mine.id), "nor hears of it", feed.text);
  await feed.stop();
  equal((await ok("GET", `/work/items${q}`)).map((i) => i.id), [mine.id], "ann has her own only");
});

await scenario("projects apart", async () => {
  const a = await create({ title: "a" }, "?project=My%20App%202"), b = await create({ title: "b" }, "", { ...ann, "x-project": "other" });
  check(a.id.startsWith("My-App-2-"), "a prefix from the name", a.id);
  check(b.id.startsWith("other-"), "the header names a project too", b.id);
  check((await create({ title: "c" })).id.startsWith("default-"), "without one: default");
  check((await create({ title: "d" }, "?project=42")).id.startsWith("work-"), "a name without letters");
  equal((await call(server, "GET", `/work/items/${a.id}?project=other`, undefined, ann)).status, 404, "an id is of its project");
  equal(await ok("GET", "/work/items?project=never-used"), [], "one that was never used is empty");
});

await scenario("every filter is a parameter", async () => {
  const at = (words) => `/work/${words}${words.includes("?") ? "&" : "?"}project=filters`;
  const ids = async (words) => (await ok("GET", at(words))).map((i) => i.id);
  await ok("POST", at("items"), { id: "f-e", title: "Epic", issue_type: "epic" });
  await ok("POST", at("items"), { id: "f-a", title: "Zeta", parent: "f-e", labels: ["x", "y"], assignee: "eve" });
  await ok("POST", at("items"), { id: "f-b", title: "Alpha", labels: ["x"], status: "closed" });
  equal(await ids("items?parent=f-e"), ["f-a"], "parent");
  equal(await ids("items?status=open,closed&sort=title"), ["f-b", "f-e", "f-a"], "several statuses, an order");
  equal(await ids("items?sort=title&reverse=1&limit=1"), ["f-a"], "reverse");
  equal(await ids("items?no_assignee=true&status=open"), ["f-e"], "no_assignee");
  equal(await ids("items?label=x&label=y"), ["f-a"], "label, repeated");
  equal(await ids("items?labels_any=y&labels_any=x&sort=id"), ["f-a", "f-b"], "labels_any");
  equal(await ids("items?updated_before=1d"), [], "updated_before");
  equal(await ids("ready?parent=f-e&assignee=eve"), ["f-a"], "ready takes them too");
  for (const bad of ["items?limit=100001", "items?priority=5", "items?no_assignee=maybe", "items?status=open,x", "items?sort=x", "items?updated_after=x"])
    equal((await call(server, "GET", at(bad), undefined, ann)).status, 422, bad);
  const { json } = await call(server, "GET", "/openapi.json", undefined, ann);
  check(/status, priority, assignee, no_assignee.*limit.*project/.test(json.paths["/work/items"].get.description), "and is in the API's description", json.paths["/work/items"].get);
});

await scenario("bad input", async () => {
  const rows = [
    ["POST", "/work/items", {}, 422, /title/],
    ["POST", "/work/items", { title: "" }, 422, /title/],
    ["POST", "/work/items", { title: 7 }, 422, /title: expected a string/],
    ["POST", "/work/items", { titel: "x" }, 422, /titel.*title/],
    ["POST", "/work/items", { title: "x".repeat(501) }, 422, /title/],
    ["POST", "/work/items", { title: "x", priority: 5 }, 422, /priority/],
    ["POST", "/work/items", { title: "x", status: "opn" }, 422, /status/],
    ["POST", "/work/items", { title: "x", dependencies: ["nope-1"] }, 404, /nope-1/],
    ["POST", "/work/items", { title: "x", actor: "a\nb" }, 422, /actor/],
    ["POST", "/work/items", { title: "x", actor: "x".repeat(300) }, 422, /actor/],
    ["POST", "/work/items", "{", 400, /Malformed/],
    ["POST", "/work/items", "[]", 422, /object/],
    ["POST", `/work/items?project=${"p".repeat(129)}`, { title: "x" }, 422, /project/],
    ["POST", "/work/items?project=a%0Ab", { title: "x" }, 422, /project/],
    ["GET", "/work/items?priority=x", undefined, 422, /priority/],
    ["GET", "/work/items?status=opn", undefined, 422, /status/],
    ["GET", "/work/items?limit=-1", undefined, 422, /limit/],
    ["GET", "/work/items/nope", undefined, 404, /nope/],
    ["PATCH", "/work/items/nope", { title: "x" }, 404, /nope/],
    ["PATCH", "/work/items/nope", { id: "other", title: "x" }, 422, /id/],
    ["DELETE", "/work/items/nope", undefined, 404, /nope/],
    ["POST", "/work/claim", { id: "nope" }, 404, /nope/],
    ["POST", "/work/claim", { lease_ms: 1 }, 422, /lease_ms/],
    ["POST", "/work/batch", {}, 422, /operations/],
    ["POST", "/work/batch", { operations: "x" }, 422, /operations/],
    ["POST", "/work/rpc", {}, 422, /operation/],
    ["POST", "/work/rpc", { operation: "list", arg: {} }, 422, /arg/],
    ["POST", "/work/rpc", { operation: "list", args: [] }, 422, /args/],
    ["POST", "/work/rpc", { operation: "list", deadline_ms: 0 }, 422, /deadline_ms/],
    ["GET", "/work/events?after=x", undefined, 422, /after/],
    ["GET", "/work/events?after=-1", undefined, 422, /after/],
    ["PUT", "/work/items", {}, 405, /PUT/],
  ];
  for (const [method, target, body, status, words] of rows) {
    const r = await call(server, method, target, body, ann);
    check(r.status === status && words.test(r.text), `${method} ${target.slice(0, 60)} ${JSON.stringify(body)?.slice(0, 60) ?? ""}: ${status} ${words}`, `${r.status} ${r.text}`);
  }
  equal((await call(server, "GET", "/work/events", undefined, { ...ann, "last-event-id": "x" })).status, 400, "a strange Last-Event-ID");
  equal((await call(server, "POST", "/work/items", { title: "x" }, { ...ann, "idempotency-key": "k".repeat(300) })).status, 422, "a key too long");
});

await scenario("a stop does not wait for streams", async () => {
  const open = await follow("?project=feed");
  const began = Date.now();
  await server.stop();
  check(Date.now() - began < 30000, "stopped at once", Date.now() - began);
  check(server.exit.code === 0, "cleanly", server.exit);
  await until(() => open.ended, "the stream to end");
});

await scenario("it is all there after a restart", async () => {
  const again = await startServer({ dir, args: ["--api-keys", keys] });
  equal((await call(again, "GET", "/work/items?project=many&limit=1000", undefined, ann)).json.length, 200, "items");
  await again.stop();
});
finish();
