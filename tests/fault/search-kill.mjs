// search-kill.mjs - threads are made, changed, run, deleted, cancelled, by many
// at once; the server is killed in the middle and started again.  Then what
// searches and counts say is what comparing each thread says, and no change
// that was acknowledged is lost: `node search-kill.mjs [KILLS] [SEED]`.
import { call, check, equal, finish, scenario, startMock, startServer, until } from "../e2e/lib.mjs";

const kills = Number(process.argv[2] ?? 6);
let seed = Number(process.argv[3] ?? 11);
const dice = (n) => { seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0; return (seed >>> 8) % n; };
const pick = (list) => list[dice(list.length)];
const mock = await startMock(["--delay-ms", "15", "--stream-delay-ms", "0"]);
let server = await startServer({ mock });

const scalars = [1, 2, 1.5, "a", "b", true, null, "é"];
const value = (depth) => {
  const kind = depth === 0 ? 0 : dice(5), n = dice(3);
  if (kind < 3) return pick(scalars);
  if (kind === 3) return Array.from({ length: n }, () => value(depth - 1));
  return Object.fromEntries(["x", "y"].slice(0, n).map((k) => [k, value(depth - 1)]));
};
// Few keys, so that much is found; now and then more leaves than the index takes.
const metadata = () => Object.assign(
  Object.fromEntries(["p", "q", "r"].filter(() => dice(2)).map((k) => [k, value(2)])),
  dice(12) === 0 ? { many: Array.from({ length: 70 }, (_, i) => i) } : {});

// PostgreSQL's @>, the plain way.
const contains = (have, want) => {
  if (Array.isArray(want)) return Array.isArray(have) && want.every((w) => have.some((h) => contains(h, w)));
  if (want !== null && typeof want === "object")
    return have !== null && typeof have === "object" && !Array.isArray(have) && Object.keys(want).every((k) => k in have && contains(have[k], want[k]));
  return have === want;
};

// What was acknowledged: id -> metadata.  `open`: what may or may not be.
const known = new Map(), open = new Set();
let made = 0;
const newId = () => `99999999-9999-4999-8999-${String(++made).padStart(12, "0")}`;

// One change; its thread is `open` while nothing is known of the answer.
async function change(id, method, target, body, then) {
  open.add(id);
  const r = await call(server, method, target, body);
  open.delete(id);
  await then(r);
}

async function act() {
  const free = [...known.keys()].filter((id) => !open.has(id)), what = dice(10);
  if (free.length < 5 || what < 3) {
    const id = newId(), m = metadata();
    return change(id, "POST", "/threads", { thread_id: id, metadata: m }, (r) => { if (r.status === 200) known.set(id, m); });
  }
  const id = pick(free), m = metadata();
  if (what < 6)
    return change(id, "PATCH", `/threads/${id}`, { metadata: m }, (r) => { if (r.status === 200) known.set(id, { ...known.get(id), ...m }); });
  if (what < 7)
    return change(id, "DELETE", `/threads/${id}`, undefined, (r) => { if (r.status === 204) known.delete(id); });
  return change(id, "POST", `/threads/${id}/runs${what < 9 ? "/wait" : ""}`, { assistant_id: "agent", input: { messages: [{ role: "user", content: "hi" }] } }, async (r) => {
    if (r.status === 200) known.set(id, { ...known.get(id), graph_id: "agent", assistant_id: "fe096781-5601-53d2-b2f6-0d3403f7e9ca" });
    if (r.status === 200 && what === 9 && dice(2) === 0) await call(server, "POST", `/threads/${id}/runs/${r.json.run_id}/cancel`);
  });
}

// Eight at a time, until the server is gone.
async function storm() {
  const one = async () => { for (;;) { try { await act(); } catch { if (server.exit) return; } } };
  const all = Array.from({ length: 8 }, one);
  const goal = made + 12 + dice(60);
  await until(() => made >= goal, "threads");
  await server.stop("SIGKILL");
  await Promise.all(all);
}

async function truth() {
  const threads = [];
  for (let i = 1; i <= made; i++) {
    const id = `99999999-9999-4999-8999-${String(i).padStart(12, "0")}`;
    const r = await until(async () => { const t = await call(server, "GET", `/threads/${id}`); return t.json.status === "busy" ? null : t; }, "runs to end");
    if (known.has(id) && !open.has(id)) check(r.status === 200 && contains(r.json.metadata, known.get(id)), `${id}: what was acknowledged is there`, [r.text, known.get(id)]);
    if (r.status === 200) threads.push(r.json);
    if (r.status === 200) known.set(id, r.json.metadata); else known.delete(id);
  }
  open.clear();
  return threads;
}

const order = (a, b) => a.created_at < b.created_at ? 1 : a.created_at > b.created_at ? -1 : 0;

async function compare(threads) {
  let some = 0;
  for (let i = 0; i < 60; i++) {
    const want = { metadata: pick([metadata, () => ({ graph_id: "agent", ...metadata() }), () => ({ many: [5, 69] })])() };
    if (dice(3) === 0) want.status = pick(["idle", "error", "interrupted", "busy"]);
    if (dice(4) === 0) want.ids = threads.filter(() => dice(3) === 0).map((t) => t.thread_id);
    if (want.ids?.length === 0) delete want.ids;
    const expected = threads.filter((t) => contains(t.metadata, want.metadata) && (!want.status || t.status === want.status) && (!want.ids || want.ids.includes(t.thread_id)));
    const found = [];
    for (let offset = 0; ; offset += 50) {
      const page = await call(server, "POST", "/threads/search", { ...want, limit: 50, offset });
      found.push(...page.json);
      equal(page.headers.get("x-pagination-total"), String(expected.length), `total of ${JSON.stringify(want)}`);
      if (page.headers.get("x-pagination-next") === null) break;
    }
    equal(found.map((t) => t.thread_id).sort(), expected.map((t) => t.thread_id).sort(), `found by ${JSON.stringify(want)}`);
    check(found.every((t, k) => k === 0 || order(found[k - 1], t) <= 0), "newest first");
    equal((await call(server, "POST", "/threads/count", want)).json, expected.length, "count");
    some += expected.length > 0 && expected.length < threads.length;
  }
  check(some > 5, "questions that tell some from others", some);
}

for (let k = 0; k < kills; k++)
  await scenario(`kill ${k}`, async () => {
    const dir = server.dir;
    await storm();
    server = await startServer({ mock, dir });
    const threads = await truth();
    await compare(threads);
  });
await server.stop();
finish();
