// bulk.mjs - runs of all threads: found, and cancelled many at a time, by clients and by
// `cohort runs`; for oneself and, by an operator, for another owner.
import { execFileSync, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { binary, call, check, equal, finish, scenario, scratch, startMock, startServer, until } from "./lib.mjs";

const secret = "0123456789abcdef0123456789abcdef", dir = scratch(), audit = path.join(dir, "audit.jsonl");
const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "0", "--slow-ms", "60000"]);
const server = await startServer({ mock, dir, args: ["--jwt-secret", secret, "--audit-file", audit] });
const token = (...args) => execFileSync(binary, ["token", ...args], { env: { PATH: process.env.PATH, COHORT_JWT_SECRET: secret } }).toString().trim();
const tokens = { ann: token("--sub", "ann"), bob: token("--sub", "bob"), ops: token("--sub", "ops", "--scope", "admin"), eve: token("--sub", "eve", "--scope", "administrator") };
const ask = (who, method, target, body) => call(server, method, target, body, { authorization: `Bearer ${tokens[who]}` });
const command = (who, ...args) => new Promise((resolve) => {
  const child = spawn(binary, [...args, "--url", server.url], { cwd: dir, stdio: ["ignore", "pipe", "pipe"], env: { PATH: process.env.PATH, HOME: dir, COHORT_TOKEN: tokens[who] } });
  const out = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"]) child[name].on("data", (d) => out[name] += d);
  const timer = setTimeout(() => child.kill("SIGKILL"), 60000);
  child.on("close", (status) => { clearTimeout(timer); resolve({ ...out, status }); });
});
const cli = (who, ...args) => command(who, "runs", ...args);
const slow = { assistant_id: "agent", input: { messages: [{ role: "user", content: "mock:slow-start" }] } };
const quick = { assistant_id: "agent", input: { messages: [{ role: "user", content: "hi" }] } };
const thread = async (who) => (await ask(who, "POST", "/threads", {})).json.thread_id;
const begin = async (who, t, body = slow) => (await ask(who, "POST", `/threads/${t}/runs`, body)).json.run_id;
const status = async (who, t, r) => (await ask(who, "GET", `/threads/${t}/runs/${r}`)).json?.status;
const found = async (who, body, query = "") => (await ask(who, "POST", `/runs/search${query}`, body)).json?.runs?.map((x) => x.run_id);

// ann: two runs on one thread, one on another, one that has ended; bob: one
const t1 = await thread("ann"), t2 = await thread("ann"), t3 = await thread("ann"), b1 = await thread("bob");
const runs = { done: await begin("ann", t3, quick) };
await until(async () => await status("ann", t3, runs.done) === "success", "the quick run to end");
runs.first = await begin("ann", t1); runs.behind = await begin("ann", t1); runs.other = await begin("ann", t2);
const bobs = await begin("bob", b1);
await until(async () => (await Promise.all([status("ann", t1, runs.first), status("ann", t2, runs.other), status("bob", b1, bobs)])).every((x) => x === "running"), "three runs under way");

await scenario("runs are found", async () => {
  const all = (await ask("ann", "POST", "/runs/search")).json;
  equal([all.runs.map((x) => x.run_id), all.next], [[runs.other, runs.behind, runs.first], null], "without a word those under way, newest first");
  equal(Object.keys(all.runs[0]), ["run_id", "thread_id", "assistant_id", "graph_id", "status", "created_at", "updated_at"], "what is told");
  equal([all.runs[0].thread_id, all.runs[0].graph_id, all.runs[1].status], [t2, "agent", "pending"], "of each");
  equal(await found("ann", { status: ["success"] }), [runs.done], "by a status that is over");
  equal(await found("ann", { status: ["pending"] }), [runs.behind], "pending");
  equal(await found("ann", { status: ["success", "running"], thread_id: t3 }), [runs.done], "of a thread");
  equal((await found("ann", { assistant_id: "agent" })).length, 3, "of an agent's assistant, by the agent's name");
  equal([await found("ann", { older_than_s: 3600 }), (await found("ann", { older_than_s: 0 })).length], [[], 3], "by age");
  const pages = [];
  for (let after; ;) {
    const page = (await ask("ann", "POST", "/runs/search", { limit: 2, status: ["pending", "running", "success"], ...(after && { after }) })).json;
    pages.push(page.runs.map((x) => x.run_id));
    if ((after = page.next) === null) break;
  }
  equal(pages, [[runs.other, runs.behind], [runs.first, runs.done]], "in pages");
  equal(await found("bob", { status: ["pending", "running", "success"] }), [bobs], "each his own");
});

await scenario("what is asked wrongly is told", async () => {
  for (const [body, code, words] of [[{ status: "running" }, 422, "status"], [{ status: ["done"] }, 422, "status: expected one of"], [{ status: [5] }, 422, "status[0]"], [{ limit: 0 }, 422, "limit"], [{ limit: 1001 }, 422, "limit"], [{ after: -1 }, 422, "after"],
    [{ older_than_s: -1 }, 422, "older_than_s"], [{ older_than_s: "1h" }, 422, "older_than_s"], [{ thread_id: "x" }, 422, "thread_id"], [{ thread_id: crypto.randomUUID() }, 404, "Thread not found"], [{ thread_id: b1 }, 404, "Thread not found"], [{ assistant_id: "nobody" }, 404, "Assistant not found"]]) {
    const r = await ask("ann", "POST", "/runs/search", body);
    check(r.status === code && r.text.includes(words), `search ${JSON.stringify(body)}`, r);
  }
  const one = { thread_id: t1, run_id: runs.first };
  for (const [body, code, words] of [[{ runs: [] }, 422, "runs"], [{ runs: "x" }, 422, "runs"], [{ runs: [{}] }, 422, "thread_id"], [{ runs: [{ thread_id: t1, run_id: "x" }] }, 422, "runs.0.run_id"], [{ runs: [one], status: "all" }, 422, "not together"], [{ runs: [one], thread_id: t1, run_ids: [runs.first] }, 422, "not together"],
    [{ runs: Array.from({ length: 1001 }, () => one) }, 429, "at most 1000"], [{ runs: [{ thread_id: t1, run_id: crypto.randomUUID() }] }, 404, "Run not found"], [{ runs: [{ thread_id: b1, run_id: bobs }] }, 404, "Run not found"]]) {
    const r = await ask("ann", "POST", "/runs/cancel", body);
    check(r.status === code && r.text.includes(words), `cancel ${JSON.stringify(body).slice(0, 80)}`, r);
  }
  equal([await status("bob", b1, bobs), await status("ann", t1, runs.first)], ["running", "running"], "nothing was cancelled");
});

await scenario("operators look at what others have, and nobody else does", async () => {
  for (const who of ["ann", "bob", "eve"]) for (const [method, target, body] of [["POST", "/runs/search?owner=bob", {}], ["POST", "/runs/cancel?owner=bob", { status: "all" }], ["GET", `/threads/${b1}/runs/${bobs}?owner=bob`]]) {
    const r = await ask(who, method, target, body);
    check(r.status === 403 && /scope admin/.test(r.text) && !r.text.includes(bobs), `${who}: ${method} ${target.slice(0, 16)}`, r);
  }
  equal(await found("ops", {}, "?owner=bob"), [bobs], "bob's runs");
  equal(await found("ops", {}), [], "his own without a name");
  equal((await ask("ops", "POST", "/runs/search?owner=nobody", {})).status, 404, "an owner that is not there");
  equal((await ask("ops", "POST", "/runs/search?owner=nobody", {})).status, 404, "nor is he by that");
});

await scenario("`cohort runs`", async () => {
  const list = await cli("ann", "list");
  equal(list.stdout.split("\n").filter((x) => x).map((x) => /run=(\S+)/.exec(x)?.[1]), [runs.other, runs.behind, runs.first], "list");
  equal((await cli("ann", "list", "--status", "success", "--json")).stdout.trim().split("\n").map((x) => JSON.parse(x).run_id), [runs.done], "as JSON");
  equal((await cli("ann", "list", "--limit", "1")).stdout.trim().split("\n").length, 1, "one of them");
  equal([(await cli("ann", "list", "--older", "1h")).stdout, (await cli("ann", "list", "--older", "0s")).stdout.split("\n").length], ["", 4], "by age");
  equal(JSON.parse((await cli("ann", "show", t1, runs.first)).stdout).run_id, runs.first, "show");
  equal(JSON.parse((await cli("ops", "show", b1, bobs, "--owner", "bob")).stdout).run_id, bobs, "show, for an operator");
  for (const [who, args, words] of [["ann", ["list", "--older", "soon"], /--older: expected an age as in 90s, 30m, 1h or 2d, got "soon"/], ["ann", ["list", "--status", "done"], /422: status: expected one of/], ["ann", ["list", "--owner", "bob"], /403.*scope admin/], ["ann", ["show", t1, bobs], /404/], ["ann", ["cancel"], /Cancel 3 runs\? There is no terminal to ask: say --yes/], ["ops", ["cancel", "--owner", "nobody", "--yes"], /there is no owner "nobody"/]]) {
    const r = await cli(who, ...args);
    check(r.status !== 0 && words.test(r.stderr), `${who}: ${args.join(" ").slice(0, 40)}`, r);
  }
  equal((await cli("ann", "cancel", "--older", "1h", "--yes")).stdout, "there are none\n", "nothing to cancel");
  equal((await cli("ann", "cancel", "--thread", t2, "--yes")).stdout, "1 of 1 cancelled\n", "a thread's");
  equal([await status("ann", t2, runs.other), await status("ann", t1, runs.first)], ["interrupted", "running"], "and no others");
  equal((await cli("ann", "cancel", "--rollback", "--yes")).stdout, "2 of 2 cancelled\n", "the rest, with what they did");
  equal([await status("ann", t1, runs.first), await status("ann", t1, runs.behind), await status("ann", t3, runs.done), await status("bob", b1, bobs)], [undefined, undefined, "success", "running"], "those are gone; what had ended, and bob's, are as they were");
  equal((await cli("ops", "cancel", "--owner", "bob", "--yes")).stdout, "1 of 1 cancelled\n", "bob's, by an operator");
  equal(await status("bob", b1, bobs), "interrupted", "it is");
});

await scenario("what operators did is in the audit log", async () => {
  const lines = readFileSync(audit, "utf8").trim().split("\n").map((x) => JSON.parse(x)).filter((x) => /owner=/.test(x.object));
  equal(lines.filter((x) => x.phase === "denied" && x.user !== "ops").length > 0 && lines.every((x) => x.user === "ops" || x.phase === "denied"), true, "who was let in, and who was not");
  for (const [action, object] of [["threads:search", "/runs/search?owner=bob"], ["threads:update", "/runs/cancel?owner=bob"], ["threads:read", `/threads/${b1}/runs/${bobs}?owner=bob`]])
    equal(lines.filter((x) => x.user === "ops" && x.action === action && x.object === object).slice(-2).map((x) => x.phase), ["begins", "ends"], `${action}, and whose it was`);
});

await scenario("`cohort threads`", async () => {
  const threads = (who, ...args) => command(who, "threads", ...args), id = (line) => /thread=(\S+)/.exec(line)?.[1];
  const there = async (who, t) => (await ask(who, "GET", `/threads/${t}`)).status === 200;
  const list = await threads("ann", "list");
  equal(list.stdout.trim().split("\n").map(id).sort(), [t1, t2, t3].sort(), "list");
  equal(Object.keys(JSON.parse((await threads("ann", "list", "--json", "--limit", "1")).stdout)), ["thread_id", "created_at", "updated_at", "status"], "as JSON, one");
  equal([(await threads("ann", "list", "--older", "1h")).stdout, (await threads("ann", "list", "--older", "0s")).stdout.split("\n").length], ["", 4], "by age");
  equal(id((await threads("ops", "list", "--owner", "bob")).stdout), b1, "an operator's look");
  const busy = await thread("ann"), run = await begin("ann", busy);
  equal(id((await threads("ann", "list", "--status", "busy")).stdout), busy, "by status");
  const states = async () => (await ask("ann", "POST", `/threads/${t3}/history`, { limit: 100 })).json.length;
  check(await states() > 1, "a thread has a past");
  for (const [who, args, words] of [["ann", ["prune", "--yes"], /expected --older or --status/], ["ann", ["prune", "--older", "x", "--yes"], /--older: expected an age/], ["ann", ["prune", "--older", "0s"], /Delete 4 threads\? There is no terminal/], ["ann", ["delete", "x", "--yes"], /a UUID, got "x"/], ["ann", ["list", "--status", "odd"], /422.*status/], ["ann", ["list", "--owner", "bob"], /403.*scope admin/], ["bob", ["prune", "--older", "0s", "--owner", "ann", "--yes"], /403.*scope admin/]]) {
    const r = await threads(who, ...args);
    check(r.status !== 0 && words.test(r.stderr), `${who}: ${args.join(" ")}`, r);
  }
  equal((await threads("ann", "prune", "--older", "1h", "--yes")).stdout, "there are none\n", "none is so old");
  const past = await threads("ann", "prune", "--older", "0s", "--keep-latest", "--yes");
  equal([past.stdout, past.stderr, await states()], ["3 of 4 pruned\n", "the others have a run under way, or are gone\n", 1], "only the newest state stays");
  equal([(await threads("ann", "delete", t1, t2, b1, "--yes")).stdout, await there("ann", t1), await there("ann", t3), await there("bob", b1)], ["2 of 3 deleted\n", false, true, true], "these, and nobody else's");
  equal([(await threads("ops", "prune", "--owner", "ann", "--older", "0s", "--yes")).stdout, await there("ann", t3), await there("ann", busy)], ["1 of 2 deleted\n", false, true], "an operator prunes ann's");
  equal(await status("ann", busy, run), "running", "what runs goes on");
  equal((await threads("bob", "prune", "--status", "idle", "--yes")).stdout, "1 of 1 deleted\n", "by status");
});

await scenario("many at a time", async () => {
  const n = 1050;
  for (let i = 0; i < n; i += 50) {
    const r = await ask("bob", "POST", "/runs/batch", Array.from({ length: 50 }, () => ({ ...slow, after_seconds: 3600 })));
    equal(r.status, 200, "fifty more");
  }
  const all = (await cli("bob", "list", "--limit", "5000")).stdout.trim().split("\n");
  equal([all.length, new Set(all).size], [n, n], "all pages, each once");
  equal((await cli("bob", "cancel", "--status", "pending", "--yes")).stdout, `1000 of ${n} cancelled\n${n} of ${n} cancelled\n`, "in two requests");
  equal(await found("bob", {}), [], "none is under way");
});

await server.stop();
finish();
