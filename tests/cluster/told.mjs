// told.mjs - what nodes keep in memory follows other nodes: sessions, limits of callers,
// graphs of workers and offers for them; and what holds while NATS is away.
import { createHash, createHmac } from "node:crypto";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { call, check, equal, finish, repo, scenario, scratch, until } from "../e2e/lib.mjs";
import { standWorker } from "../e2e/stand-worker.mjs";
import { freshSchema, startCluster } from "./lib.mjs";

const secret = "0123456789abcdef0123456789abcdef";
const part = (x) => Buffer.from(JSON.stringify(x)).toString("base64url");
function bearer(sub) {
  const text = `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub })}`;
  return { authorization: `Bearer ${text}.${createHmac("sha256", secret).update(text).digest("base64url")}` };
}
const keyLine = (key, owner, more) => `${createHash("sha256").update(key).digest("hex")} ${owner} ${more}\n`;

const dir = scratch(), keys = path.join(dir, "keys"), natsDir = path.join(dir, "nats");
writeFileSync(keys, keyLine("ck_fast", "carol", "requests-per-second=10") +
  keyLine("ck_work", "eve", "scopes=worker"), { mode: 0o600 });
const nats = (what) => execFileSync(path.join(repo, "tests/nats/server"), [what, natsDir], { encoding: "utf8" }).trim();
const url = nats("start");
process.on("exit", () => nats("kill"));
const c = await startCluster({ nodes: 2, dir, store: freshSchema(), nats: url, args: ["--jwt-secret", secret, "--api-keys", keys] });
const [a, b] = c.nodes, own = { "sec-fetch-site": "same-origin" };
const isUp = (node, n) => until(() => node.text().split("nats_up").length > n, "NATS");
await isUp(a, 1);
await isUp(b, 1);

async function signIn(node) {
  const r = await fetch(`${node.url}/session`, { method: "POST", headers: { ...own, ...bearer("ann"), "content-type": "application/json" }, body: "{}" });
  equal(r.status, 200, "sign in");
  return { ...own, cookie: r.headers.get("set-cookie").split(";")[0] };
}
const who = async (node, session) => { const r = await call(node, "GET", "/session", undefined, session); return r.status === 200 ? r.json.owner : r.status; };

await scenario("a session is good at every node, and ends at all", async () => {
  const session = await signIn(a);
  equal(await who(b, session), "ann", "at the other node");
  equal(await who(b, { ...own, cookie: "cohort-session=" + "x".repeat(43) }), 401, "one that nobody made");
  equal((await call(b, "DELETE", "/session", undefined, session)).status, 204, "it ends there");
  await until(async () => (await who(a, session)) === 401, "its end");
});

await scenario("a rate is for all nodes together", async () => {
  let ok = 0, refused = 0;
  const began = Date.now();
  while (Date.now() - began < 2000)
    for (const node of [a, b]) {
      const { status } = await call(node, "POST", "/threads/search", {}, { "x-api-key": "ck_fast" });
      if (status === 200) ok++; else if (status === 429) refused++;
    }
  check(refused > 0 && ok <= 40, "10 at once and 10 a second", { ok, refused });
});

// A worker at b; runs that are made at a.
await scenario("a worker at one node gets the runs of another", async () => {
  const w = await standWorker(b, { graphs: [{ id: "far" }] }, {
    run: async (t) => { const r = await t.end({ status: "success" }); if (r.status !== 200) throw new Error(r.text); },
  }, "ck_work");
  const thread = (await call(a, "POST", "/threads", {}, bearer("ann"))).json.thread_id;
  const run = await until(async () => {
    const r = await call(a, "POST", `/threads/${thread}/runs/wait`, { assistant_id: "far", input: { x: 0 } }, bearer("ann"));
    return r.status !== 404 && r;
  }, "the graph at the other node");
  equal(run.status, 200, run.text);
  check(w.tasks.length === 1 && w.errors.length === 0, "one task", { tasks: w.tasks, errors: w.errors.map(String) });
  await w.leave();
});

await scenario("without NATS a node knows its own sessions, and looks at rows", async () => {
  const mine = await signIn(a), copied = await signIn(a);
  equal(await who(b, copied), "ann", "a copy");
  nats("kill");
  await until(() => [a, b].every((x) => x.text().includes("nats_down")), "the outage");
  equal(await who(a, mine), "ann", "its own");
  equal(await who(b, copied), "ann", "a copy stays good");
  equal(await who(b, mine), 401, "one of the other is unknown");
  const w = await standWorker(b, { graphs: [{ id: "later" }] }, {}, "ck_work");
  await until(async () => [200, 202].includes((await call(a, "POST", "/runs", { assistant_id: "later", input: {} }, bearer("ann"))).status), "its row is seen");
  await w.leave();
  nats("start");
  await isUp(a, 2);
  await isUp(b, 2);
  equal(await who(b, mine), "ann", "it is back");
});

await c.stop();
finish();
