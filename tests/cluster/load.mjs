// load.mjs - clients of a cluster that keep a ledger of what was acknowledged, and the
// check of that ledger.
import { randomUUID } from "node:crypto";
import { check, equal, until } from "../e2e/lib.mjs";
import { pause } from "../fault/kill-lib.mjs";

export class Unknown extends Error {}

// A request: its answer, or Unknown where nobody can say whether it was taken.
export async function ask(url, method, target, body, ms = 4000) {
  let r, text;
  try {
    r = await fetch(url + target, { method, signal: AbortSignal.timeout(ms), headers: body === undefined ? {} : { "content-type": "application/json" }, body: body === undefined ? undefined : JSON.stringify(body) });
    text = await r.text();
  } catch (e) { throw new Unknown(String(e.cause ?? e)); }
  if ([502, 503, 504].includes(r.status)) throw new Unknown(text);
  let json; try { json = JSON.parse(text); } catch { /* not JSON */ }
  return { status: r.status, text, json };
}

// What must be answered in the end.
export async function must(url, method, target, body, ms = 30000) {
  const end = Date.now() + ms;
  for (;;) {
    try {
      const r = await ask(url, method, target, body);
      if (r.status >= 300) throw new Error(`${method} ${target}: ${r.status} ${r.text}`);
      return r.json;
    } catch (e) {
      if (!(e instanceof Unknown) || Date.now() > end) throw e;
      await pause(50);
    }
  }
}

export const busy = (r) => ["running", "pending"].includes(r.status);

// url: the proxy; upTo(n): a number below n; name: of this load: tags of its runs have it.
export function startLoad({ url, base, clients, upTo, name }) {
  const ledger = { name, threads: [], items: [], requests: 0, unknown: 0, refused: [], waits: [] };
  let serial = 0, over = false;

  async function once(what) {
    ledger.requests++;
    try {
      const r = await what();
      if (r.status >= 300) { ledger.refused.push(`${r.status} ${r.text.slice(0, 300)}`); return undefined; }
      return r;
    } catch (e) {
      if (!(e instanceof Unknown)) throw e;
      ledger.unknown++;
      await pause(20);
      return undefined;
    }
  }

  async function life(n) {
    const t = { id: randomUUID(), runs: new Map(), cancelled: new Set(), joined: new Map() };
    if (!await once(() => ask(url, "POST", "/threads", { thread_id: t.id, metadata: { n } }))) return;
    ledger.threads.push(t);
    const kind = upTo(8);
    if (kind === 0) {
      const r = await once(() => ask(url, "POST", `/threads/${t.id}/runs`, { assistant_id: "cluster_long", input: { tag: `l${name}-${++serial}` } }));
      if (!r) { t.unknown = true; return; }    // it may be there, and ends by a cancel alone
      t.runs.set(r.json.run_id, undefined);
      await pause(upTo(300));
      const c = await once(() => ask(url, "POST", `/threads/${t.id}/runs/${r.json.run_id}/cancel?action=interrupt&wait=${upTo(2) === 1}`));
      if (c) t.cancelled.add(r.json.run_id);
      else t.maybe = r.json.run_id;
      return;
    }
    for (let i = 0; i < 1 + upTo(2) && !over; i++) {
      const tag = `r${name}-${++serial}`;
      const r = await once(() => ask(url, "POST", `/threads/${t.id}/runs`, { assistant_id: "cluster_work", input: { tag, base }, multitask_strategy: "enqueue" }));
      if (r) t.runs.set(r.json.run_id, tag);
    }
    if (upTo(3) === 0) {
      const key = t.id, put = await once(() => ask(url, "PUT", "/store/items", { namespace: ["cluster", String(n)], key, value: { key } }));
      if (put) ledger.items.push([n, key]);
    }
    const [last] = [...t.runs.keys()].slice(-1);
    if (last && upTo(2) === 0) {
      const from = performance.now(), r = await once(() => ask(url, "GET", `/threads/${t.id}/runs/${last}/join`, undefined, 10000));
      if (r) { t.joined.set(last, r.json); ledger.waits.push(performance.now() - from); }
    }
  }
  const workers = Array.from({ length: clients }, (_, n) => (async () => {
    while (!over) { await life(n); await pause(upTo(60)); }
  })().catch((e) => check(false, `client ${n}`, e)));

  return { ledger, stop: async () => { over = true; await Promise.all(workers); } };
}

// Each acknowledged thing is there, each run has ended, and its effect is there once.
// failed: runs may have ended with an error that says that nothing could be stored (they
// have some of their steps then); they are counted.
export async function verify(url, ledger, patience, failed = false) {
  let runs = 0;
  verify.failed ??= 0;
  const one = async (t) => {
    await must(url, "GET", `/threads/${t.id}`);
    let l;
    const list = await until(async () => {
      l = await must(url, "GET", `/threads/${t.id}/runs?limit=100`);
      for (const r of l) if (busy(r) && (t.unknown || r.run_id === t.maybe)) await ask(url, "POST", `/threads/${t.id}/runs/${r.run_id}/cancel?action=interrupt&wait=false`).catch(() => {});
      if (!l.some(busy)) return l;
      await pause(50);
      return false;
    }, `runs of ${t.id} to end`, patience).catch((e) => { throw new Error(`${e.message}: ${JSON.stringify({ runs: l.map((r) => [r.run_id, r.status, r.kwargs?.input?.tag]), cancelled: [...t.cancelled], maybe: t.maybe })}`); });
    const of = new Map(list.map((r) => [r.run_id, r]));
    const short = new Set();
    for (const [id, tag] of t.runs) {
      runs++;
      if (failed && of.get(id)?.status === "error") { verify.failed++; short.add(tag); continue; }
      if (!check(of.has(id), `acknowledged run ${id} is there`, list)) continue;
      const wanted = tag === undefined ? ["interrupted"] : ["success"];
      check(wanted.includes(of.get(id).status), `run ${id} (${tag ?? "cancelled"}) ended well`, [of.get(id).status, (await must(url, "GET", `/threads/${t.id}`)).error]);
    }
    const state = await must(url, "GET", `/threads/${t.id}/state`), log = state.values?.log ?? [];
    const tags = [...new Set(log.map((x) => x.split(":")[0]))];
    for (const tag of t.runs.values()) if (tag !== undefined && !short.has(tag)) check(tags.includes(tag), `${tag}: its steps are in the thread`, log);
    const steps = (tag) => (short.has(tag) ? log.filter((x) => x.startsWith(`${tag}:`)).length : 4);
    equal(log, tags.flatMap((tag) => Array.from({ length: steps(tag) }, (_, k) => `${tag}:${k + 1}`)), `${t.id}: each step once, in order`);
    for (const [id, values] of t.joined) if (of.get(id)?.status === "success") {
      const tag = t.runs.get(id), seen = values.log ?? [];
      check(seen.includes(`${tag}:4`), `join of ${tag} told its end`, values);
    }
  };
  const queue = [...ledger.threads];
  await Promise.all(Array.from({ length: 8 }, async () => {
    for (let t; (t = queue.pop()); ) try { await one(t); } catch (e) { check(false, `thread ${t.id}`, e); }
  }));
  for (const [n, key] of ledger.items)
    equal((await must(url, "GET", `/store/items?namespace=cluster.${n}&key=${key}`))?.value, { key }, `item ${key}`);
  return runs;
}
