// quotas.mjs - what an owner may have: runs, threads, store items and their bytes, agents,
// crons; by his key's line or the settings, and what he sees of it.
import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import path from "node:path";
import { binary, call, check, equal, finish, oneNode, scenario, scratch, startMock, startServer, until } from "./lib.mjs";

const secret = "0123456789abcdef0123456789abcdef", dir = scratch(), keys = path.join(dir, "keys");
const line = (key, words) => `${createHash("sha256").update(key).digest("hex")} ${words}\n`;
const small = "runs=2 threads=3 store-items=2 store-bytes=40 agents=1 crons=1";
const lines = line("ck_ann", `ann ${small}`) + line("ck_ann2", "ann threads=100") + line("ck_bob", "bob concurrency=50") + line("ck_ops", "ops scopes=admin");
writeFileSync(keys, lines); chmodSync(keys, 0o600);
const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "0", "--slow-ms", "60000"]);
const start = () => startServer({ mock, dir, args: ["--api-keys", keys, "--jwt-secret", secret, "--auth-limits-threads", "2"] });
let server = await start();
const ask = (who, method, target, body) => call(server, method, target, body, who.includes(".") ? { authorization: `Bearer ${who}` } : { "x-api-key": who });
const run = (text) => ({ assistant_id: "agent", input: { messages: [{ role: "user", content: text }] } });
const quota = async (who, query = "") => (await ask(who, "GET", `/quota${query}`)).json;
const refused = (r, status, name, max, n) => check(r.status === status && r.json?.detail?.startsWith(`${name}: these credentials may have ${max}, and there are ${n}`), `${name} is refused`, r);
const token = execFileSync(binary, ["token", "--sub", "dan"], { env: { PATH: process.env.PATH, COHORT_JWT_SECRET: secret } }).toString().trim();
const threads = [];

await scenario("threads", async () => {
  for (let i = 0; i < 3; i++) threads.push((await ask("ck_ann", "POST", "/threads", {})).json.thread_id);
  refused(await ask("ck_ann", "POST", "/threads", {}), 403, "threads", 3, 3);
  refused(await ask("ck_ann", "POST", `/threads/${threads[0]}/copy`), 403, "threads", 3, 3);
  refused(await ask("ck_ann", "POST", "/runs", run("hi")), 403, "threads", 3, 3);
  refused(await ask("ck_ann", "POST", `/threads/${crypto.randomUUID()}/runs/wait`, { ...run("hi"), if_not_exists: "create" }), 403, "threads", 3, 3);
  equal((await ask("ck_ann", "POST", "/threads", { thread_id: threads[0], if_exists: "do_nothing" })).status, 200, "one that is there is no new one");
  equal((await ask("ck_ann", "POST", `/threads/${threads[0]}/runs/wait`, run("hi"))).status, 200, "a run on a thread that is there");
  equal((await ask("ck_ann", "DELETE", `/threads/${threads[2]}`)).status, 204, "one goes");
  // Ten at once, for whom there is one place.
  const many = await Promise.all(Array.from({ length: 10 }, () => ask("ck_ann", "POST", "/threads", {})));
  equal(many.filter((r) => r.status === 200).length, 1, "of ten at once one is made");
  threads[2] = many.find((r) => r.status === 200)?.json.thread_id;
  equal((await ask("ck_ann2", "POST", "/threads", {})).status, 200, "another key of his may have more");
  refused(await ask("ck_ann", "POST", "/threads", {}), 403, "threads", 3, 4);
  equal((await ask("ck_bob", "POST", "/threads", {})).status, 200, "bob has his own");
});

await scenario("the settings are for users, and for keys without limits", async () => {
  for (const who of [token, "ck_ops"]) {
    equal([(await ask(who, "POST", "/threads", {})).status, (await ask(who, "POST", "/threads", {})).status], [200, 200], "two");
    refused(await ask(who, "POST", "/threads", {}), 403, "threads", 2, 2);
  }
  for (let i = 0; i < 3; i++) equal((await ask("ck_bob", "POST", "/threads", {})).status, 200, "a key with another limit has only that");
});

await scenario("runs", async () => {
  const slow = [];
  for (const t of threads.slice(0, 2)) slow.push((await ask("ck_ann", "POST", `/threads/${t}/runs`, run("mock:slow-start"))).json.run_id);
  const r = await ask("ck_ann", "POST", `/threads/${threads[2]}/runs`, run("hi"));
  refused(r, 429, "runs", 2, "2 pending or running");
  equal(r.headers.get("retry-after") !== null, true, "it says when to come again");
  refused(await ask("ck_ann", "POST", `/threads/${threads[0]}/runs`, run("hi")), 429, "runs", 2, "2 pending or running");
  equal((await ask("ck_ann", "POST", `/threads/${threads[2]}/commands`, { id: 1, method: "run.start", params: run("hi") })).json.type, "error", "a command is no way around");
  refused(await ask("ck_ann", "POST", "/runs/batch", [run("a"), run("b")]), 403, "0: threads", 3, 4);
  equal((await ask("ck_bob", "POST", "/runs/wait", run("hi"))).status, 200, "bob's runs are his own");
  equal((await quota("ck_ann")).runs, { limit: 2, used: 2 }, "he sees them");
  equal((await ask("ck_ann", "POST", `/threads/${threads[0]}/runs/${slow[0]}/cancel?wait=1`)).status, 204, "one ends");
  equal((await ask("ck_ann", "POST", `/threads/${threads[2]}/runs/wait`, run("hi"))).status, 200, "there is room");
  equal((await ask("ck_ann", "POST", "/runs/cancel", { status: "all" })).status, 204, "the other ends");
  equal((await quota("ck_ann")).runs.used, 0, "none is left");
});

await scenario("store items and their bytes", async () => {
  const put = (key, v, who = "ck_ann") => ask(who, "PUT", "/store/items", { namespace: ["n"], key, value: { v } });
  equal([(await put("a", "1")).status, (await put("b", "1")).status], [204, 204], "two");
  refused(await put("c", "1"), 403, "store-items", 2, 2);
  equal((await put("b", "22")).status, 204, "another value of one");
  refused(await put("b", "x".repeat(40)), 403, "store-bytes", 40, 57);
  equal((await ask("ck_ann", "DELETE", "/store/items", { namespace: ["n"], key: "a" })).status, 204, "one goes");
  equal((await put("c", "1")).status, 204, "there is room");
  equal((await put("c", "x".repeat(4000), "ck_bob")).status, 204, "bob's are his own");
  equal([(await quota("ck_ann"))["store-items"], (await quota("ck_ann"))["store-bytes"]], [{ limit: 2, used: 2 }, { limit: 40, used: 19 }], "he sees them");
});

await scenario("agents and crons", async () => {
  const agent = await ask("ck_ann", "POST", "/agents", { kind: "external", name: "one" });
  equal(agent.status, 200, "an agent");
  refused(await ask("ck_ann", "POST", "/agents", { kind: "external", name: "two" }), 403, "agents", 1, 1);
  equal((await ask("ck_bob", "POST", "/agents", { kind: "external" })).status, 200, "bob's");
  equal((await ask("ck_ann", "DELETE", `/agents/${agent.json.agent_id}`)).status, 204, "it goes");
  equal((await ask("ck_ann", "POST", "/agents", { kind: "external", name: "two" })).status, 200, "there is room");
  const cron = await ask("ck_ann", "POST", "/runs/crons", { ...run("hi"), schedule: "0 0 1 1 *" });
  equal(cron.status, 200, "a cron");
  refused(await ask("ck_ann", "POST", "/runs/crons", { ...run("hi"), schedule: "0 0 1 1 *" }), 403, "crons", 1, 1);
  equal((await ask("ck_ann", "DELETE", `/runs/crons/${cron.json.cron_id}`)).status, 200, "it goes");
  equal((await ask("ck_ann", "POST", "/runs/crons", { ...run("hi"), schedule: "0 0 1 1 *" })).status, 200, "there is room");
});

await scenario("what one has", async () => {
  const own = await quota("ck_ann");
  equal(Object.keys(own), ["runs", "threads", "store-items", "store-bytes", "agents", "crons"], "all of them");
  equal([own.threads, own.crons], [{ limit: 3, used: 4 }, { limit: 1, used: 1 }], "his limits, and what there is");
  equal((await quota(token)).threads, { limit: 2, used: 2 }, "a user's");
  equal((await quota("ck_bob")).threads.limit, null, "no limit");
  equal((await quota("ck_ops", "?owner=ann")).threads, { limit: null, used: 4 }, "an operator sees another's");
  equal((await ask("ck_bob", "GET", "/quota?owner=ann")).status, 403, "nobody else does");
  equal((await call(server, "GET", "/quota")).status, 401, "nobody in particular sees none");
});

await scenario("a restart forgets nothing, and other limits count at once", async () => {
  const before = await quota("ck_ann");
  await server.stop();
  server = await start();
  const { agents, ...stored } = await quota("ck_ann");
  equal(stored, (({ agents: _, ...x }) => x)(before), "what is stored");
  refused(await ask("ck_ann", "POST", "/threads", {}), 403, "threads", 3, 4);
  writeFileSync(keys, lines.replace("threads=3", "threads=5"));
  for (const x of server.nodes ?? [server]) {
    x.child.kill("SIGHUP");
    await until(() => /reloaded keys=/.test(x.log), "the keys to be read again");
  }
  equal((await ask("ck_ann", "POST", "/threads", {})).status, 200, "with five");
  refused(await ask("ck_ann", "POST", "/threads", {}), 403, "threads", 5, 5);
});
await server.stop();

await scenario("words of the keys file", async () => {
  for (const [words, right] of [["threads=0", false], ["threads=x", false], ["store-byte=1", false], ["runs=1 crons=2", true]]) {
    const made = (() => { try { return execFileSync(binary, ["token", "--api-key", "--sub", "x", "--limits", words], { stdio: "pipe" }).toString(); } catch (e) { return e.stderr.toString(); } })();
    check(right ? /runs=1 crons=2/.test(made) : /expected concurrency=N, .*store-bytes=N, agents=N, crons=N/.test(made), words, made);
  }
});
finish();
