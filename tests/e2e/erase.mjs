// erase.mjs - an owner goes: nothing of him is found, in answers or in any byte of the server's
// files, and nothing of anybody else is missing.
import { execFileSync, spawn } from "node:child_process";
import { copyFileSync, existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { binary, call, check, equal, finish, freePort, onPostgres, oneNode, scenario, scratch, startMock, startServer, until } from "./lib.mjs";

const secret = "0123456789abcdef0123456789abcdef", dir = scratch(), audit = path.join(dir, "audit", "..", "audit.jsonl");
const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "0", "--slow-ms", "60000"]);
const nowhere = `http://127.0.0.1:${await freePort()}/hook`;
// With a database file its log is shipped elsewhere meanwhile: what is shipped is not scrubbed.
const shipped = scratch();
const options = { mock, dir, args: [...(onPostgres ? [] : ["--backup-to", shipped, "--backup-log"]), "--jwt-secret", secret, "--audit-file", audit, "--webhooks-disable-loopback=false"] };
let server = await startServer(options), work = oneNode(server);
const token = (...args) => execFileSync(binary, ["token", ...args], { env: { PATH: process.env.PATH, COHORT_JWT_SECRET: secret } }).toString().trim();
const [gone, stays] = ["zqann", "zqbob"];
const tokens = { [gone]: token("--sub", gone), [stays]: token("--sub", stays), ops: token("--sub", "ops", "--scope", "admin") };
const ask = (who, method, target, body, to = target.startsWith("/work") ? work : server) => call(to, method, target, body, { authorization: `Bearer ${tokens[who]}` });
const ok = async (what, promise, status = 200) => { const r = await promise; check(r.status === status, what, r); return r.json; };
const cli = (who, args, at = server) => new Promise((resolve) => {
  const child = spawn(binary, [...args, "--url", at.url], { cwd: dir, stdio: ["ignore", "pipe", "pipe"], env: { PATH: process.env.PATH, HOME: dir, COHORT_TOKEN: tokens[who] } });
  const out = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"]) child[name].on("data", (d) => out[name] += d);
  const timer = setTimeout(() => child.kill("SIGKILL"), 60000);
  child.on("close", (status) => { clearTimeout(timer); resolve({ ...out, status }); });
});
// Distinct words, which nothing else makes: WHO-KIND.
const word = (who, kind) => `${who}w${kind}`;
const kinds = ["assistant", "description", "metadata", "context", "threadmeta", "message", "queued", "output", "config", "state", "item", "itemkey", "ns", "cron", "agent", "mail", "dead", "work", "comment", "label", "project", "hook", "cap", "paused"];

async function fill(who) {
  const w = (kind) => word(who, kind);
  const run = (text, more = {}) => ({ assistant_id: "agent", input: { messages: [{ role: "user", content: text }] }, ...more });
  const a = await ok("an assistant", ask(who, "POST", "/assistants", { graph_id: "agent", name: w("assistant"), description: w("description"), metadata: { m: w("metadata") }, context: { c: w("context") } }));
  await ok("another version", ask(who, "PATCH", `/assistants/${a.assistant_id}`, { name: `${w("assistant")} 2` }));
  const t = (await ok("a thread", ask(who, "POST", "/threads", { metadata: { m: w("threadmeta") } }))).thread_id;
  await ok("a run", ask(who, "POST", `/threads/${t}/runs/wait`, run(w("message"), { config: { configurable: { x: w("config") } }, stream_resumable: true })));
  await ok("a state", ask(who, "POST", `/threads/${t}/state`, { values: { messages: [{ role: "user", content: w("state") }] } }));
  await ok("a copy", ask(who, "POST", `/threads/${t}/copy`));
  const slow = (await ok("another thread", ask(who, "POST", "/threads", {}))).thread_id;
  const running = (await ok("a run under way", ask(who, "POST", `/threads/${slow}/runs`, run(`mock:slow-start ${w("output")}`)))).run_id;
  await ok("one behind it", ask(who, "POST", `/threads/${slow}/runs`, run(w("queued"), { webhook: `${nowhere}?${w("hook")}` })));
  await ok("a held one", ask(who, "POST", "/runs", run(w("paused"), { after_seconds: 3600 })));
  const hooked = (await ok("a third thread", ask(who, "POST", "/threads", {}))).thread_id;
  await ok("a run with a webhook", ask(who, "POST", `/threads/${hooked}/runs/wait`, run("hi", { webhook: `${nowhere}?${w("hook")}` })));
  for (let i = 0; i < 20; i++) await ok("an item", ask(who, "PUT", "/store/items", { namespace: [w("ns"), `n${i % 3}`], key: `${w("itemkey")}${i}`, value: { text: `${w("item")} number ${i}` } }), 204);
  await ok("one goes before", ask(who, "DELETE", "/store/items", { namespace: [w("ns"), "n0"], key: `${w("itemkey")}0` }), 204);
  await ok("a cron", ask(who, "POST", "/runs/crons", { ...run(w("cron")), schedule: "0 0 1 1 *" }));
  await ok("an agent", ask(who, "POST", "/agents", { kind: "external", name: w("agent"), capabilities: [w("cap")] }));
  await ok("a message that waits", ask(who, "POST", "/messages", { performative: "inform", receiver: w("agent"), content: w("mail"), conversation_id: `${w("mail")}-talk`, delivery: { durable: true } }));
  const lost = (await ok("an agent that stops", ask(who, "POST", "/agents", { kind: "external", name: "lost" }))).agent_id;
  await ok("a message to it", ask(who, "POST", "/messages", { performative: "inform", receiver: lost, content: w("dead"), delivery: { durable: true } }));
  await ok("it stops", ask(who, "DELETE", `/agents/${lost}`), 204);
  const item = await ok("work", ask(who, "POST", "/work/items", { title: w("work"), labels: [w("label")], actor: who }));
  await ok("a comment", ask(who, "POST", "/work/rpc", { operation: "comment", args: { id: item.id, text: w("comment") }, actor: who }));
  await ok("another project", ask(who, "POST", `/work/items?project=${w("project")}`, { title: "x", actor: who }));
  await until(async () => (await ask(who, "GET", `/threads/${slow}/runs/${running}`)).json?.status === "running", "the slow run to be under way");
  return { a: a.assistant_id, t, slow, running, hooked };
}

// How often the words of `who` stand in the files of the folder, but for the audit log.
function bytes(who, from = dir) {
  const found = {};
  for (const name of readdirSync(from)) {
    const file = path.join(from, name);
    if (!statSync(file).isFile() || name === "audit.jsonl") continue;
    const text = readFileSync(file, "latin1");
    for (const kind of [...kinds.map((k) => word(who, k)), who]) {
      const n = text.split(kind).length - 1;
      if (n > 0) (found[kind] ??= []).push(`${name}:${n}`);
    }
  }
  return found;
}

let made, others;
await scenario("two owners have something of every kind", async () => {
  made = await fill(gone);
  others = await fill(stays);
  if (onPostgres) return;
  const there = bytes(gone);
  equal(kinds.filter((k) => !there[word(gone, k)]), [], "every word is in the files");
});

const exported = (file) => readFileSync(file, "utf8").trim().split("\n").map((x) => JSON.parse(x));
await scenario("an export has all that is his, and nothing else", async () => {
  const to = path.join(scratch(), "ann.jsonl"), own = path.join(scratch(), "own.jsonl");
  const r = await cli("ops", ["owner", "export", gone, "--to", to, "--projects", `default,${word(gone, "project")}`], work);
  equal(r.status, 0, `the command (${r.stderr})`);
  const text = readFileSync(to, "utf8"), lines = exported(to), count = {};
  for (const { kind } of lines) count[kind] = (count[kind] ?? 0) + 1;
  equal(`${lines.length} lines in ${to}\n`, r.stdout, "it says how many lines");
  // A label stands in its item, a capability in its agent, the name of a project is in no row.
  equal(kinds.filter((k) => !text.includes(word(gone, k)) && !["project", "hook", "config"].includes(k)), [], "every word");
  check(!text.includes(stays), "nothing of another owner");
  equal([count.item, count.cron, count.agent, count.message, count.work, count.usage, count.modules], [19, 1, 1, 2, 2, 1, 1], "of each kind as many as there are");
  check(count.thread >= 4 && count.run >= 4 && count.state > 4 && count.transcript > 4 && count.assistant_version >= 2, "threads with all that is in them", count);
  equal(statSync(to).mode & 0o777, 0o600, "for nobody else to read");
  equal((await cli(gone, ["owner", "export", "--to", own, "--projects", `default,${word(gone, "project")}`], work)).status, 0, "he exports it himself");
  equal(exported(own).length, lines.length, "as much");
  const before = readFileSync(to);
  for (const [who, args, words] of [[stays, [gone, "--to", `${to}.2`], /403.*scope admin/], ["ops", ["nobody", "--to", `${to}.2`], /there is no owner "nobody"/], ["ops", [gone], /--to FILE/], ["ops", [gone, "--to", to], /is there already/], ["ops", [gone, "--to", path.join(to, "x")], /Not a directory/]]) {
    const x = await cli(who, ["owner", "export", ...args]);
    check(x.status !== 0 && words.test(x.stderr), `refused: ${args.slice(1)}`, x);
  }
  check(!existsSync(`${to}.2`) && !existsSync(`${to}.2.part`) && readFileSync(to).equals(before), "what is refused leaves no file");
});

await scenario("who may not, does not", async () => {
  for (const who of [gone, stays]) {
    const r = await ask(who, "POST", `/owner/erase?owner=${gone}`);
    check(r.status === 403 && /operators/.test(r.text), `${who}`, r);
  }
  equal((await call(server, "POST", `/owner/erase?owner=${gone}`)).status, 401, "nobody in particular");
  equal((await ask("ops", "POST", "/owner/erase?owner=nobody")).status, 404, "an owner that is not there");
  const none = await ask("ops", "POST", "/owner/erase");
  check(none.status === 422 && /owner/.test(none.text), "no owner", none);
  const r = await cli("ops", ["owner", "erase", gone]);
  check(r.status !== 0 && /Remove "zqann" at .* There is no terminal to ask: say --yes/.test(r.stderr), "the command asks", r);
  equal((await ask(gone, "GET", `/threads/${made.t}`)).status, 200, "he is there still");
});

await scenario("an owner goes", async () => {
  const r = await cli("ops", ["owner", "erase", gone, "--yes"]);
  equal(r.status, 0, `the command (${r.stderr})`);
  const said = JSON.parse(r.stdout);
  equal([said.owner, said.scrubbed, said.threads >= 4], [gone, !onPostgres, true], r.stdout);
  const again = await cli("ops", ["owner", "erase", gone, "--yes"]);
  check(again.status !== 0 && /there is no owner "zqann"/.test(again.stderr), "there is none any more", again);
});

await scenario("he finds nothing", async () => {
  for (const [method, target, body] of [["GET", `/threads/${made.t}`], ["GET", `/threads/${made.slow}/runs/${made.running}`], ["GET", `/assistants/${made.a}`], ["GET", `/agents/${word(gone, "agent")}`]])
    equal((await ask(gone, method, target, body)).status, 404, `${method} ${target}`);
  for (const [method, target, body, read] of [["POST", "/threads/search", {}, (x) => x], ["POST", "/runs/search", { status: ["pending", "running", "success", "interrupted", "error"] }, (x) => x.runs], ["POST", "/store/items/search", { namespace_prefix: [] }, (x) => x.items], ["POST", "/runs/crons/search", {}, (x) => x],
    ["GET", "/agents", undefined, (x) => x.agents ?? x], ["GET", "/messages/dead", undefined, (x) => x], ["GET", "/work/items", undefined, (x) => x.items ?? x]]) {
    const x = await ask(gone, method, target, body);
    if (x.status === 404 || x.status === 405) continue;
    equal(read(x.json)?.length ?? 0, 0, `${method} ${target}: ${x.text.slice(0, 200)}`);
  }
  const own = (await ask(gone, "GET", "/quota")).json;
  equal(Object.values(own).map((x) => x.used), [0, 0, 0, 0, 0, 0], "nothing counts");
  equal((await ask(gone, "GET", "/usage")).json.total.calls, 0, "nor what models took");
});

await scenario("nobody else misses anything", async () => {
  equal((await ask(stays, "GET", `/threads/${others.t}`)).json?.metadata?.m, word(stays, "threadmeta"), "a thread");
  equal((await ask(stays, "GET", `/threads/${others.slow}/runs/${others.running}`)).json?.status, "running", "a run under way goes on");
  equal((await ask(stays, "POST", "/store/items/search", { namespace_prefix: [], limit: 100 })).json.items.length, 19, "items");
  equal((await ask(stays, "POST", "/store/items/search", { namespace_prefix: [word(stays, "ns")], query: word(stays, "item"), limit: 100 })).json.items.length, 19, "found by their words");
  equal((await ask(stays, "GET", `/agents/${word(stays, "agent")}`)).json?.waiting, 1, "an agent with a message");
  equal((await ask(stays, "POST", "/runs/crons/count", {})).json, 1, "a cron");
  check((await ask(stays, "GET", "/work/items")).text.includes(word(stays, "work")), "work");
  equal((await ask(stays, "GET", "/messages/dead")).json.length, 1, "a dead letter");
});

if (!onPostgres) await scenario("no byte of him is in the files, or in a copy of them", async () => {
  // He asked again above: his name is that of an owner who has nothing.
  const { [gone]: name, ...rest } = bytes(gone);
  equal(rest, {}, "not a word");
  equal((await cli("ops", ["owner", "erase", gone, "--yes"])).status, 0, "that one goes too");
  equal(bytes(gone), {}, "nor his name");
  await server.stop();
  equal(bytes(gone), {}, "after the server has stopped");
  const folder = scratch();
  execFileSync(binary, ["backup", "--db", path.join(dir, "cohort.db"), "--to", folder], { stdio: "pipe" });
  equal([bytes(gone, folder), Object.keys(bytes(stays, folder)).length > 15], [{}, true], "nor in what `cohort backup` makes from it");
  const copy = scratch();
  for (const name of readdirSync(dir)) if (statSync(path.join(dir, name)).isFile() && name !== "audit.jsonl") copyFileSync(path.join(dir, name), path.join(copy, name));
  equal(bytes(gone, copy), {}, "nor in a backup");
  check(Object.keys(bytes(stays, copy)).length > 15, "which has the others", bytes(stays, copy));
  server = await startServer(options); work = oneNode(server);
  equal((await ask(stays, "GET", `/threads/${others.t}`)).json?.metadata?.m, word(stays, "threadmeta"), "it starts again, and has them");
});

await scenario("the audit log says that it was done, and by whom", async () => {
  const lines = readFileSync(audit, "utf8").trim().split("\n").map((x) => JSON.parse(x)).filter((x) => x.action === "owners:erase");
  const done = lines.filter((x) => x.user === "ops" && x.object === `/owner/erase?owner=${gone}` && x.phase === "ends" && x.status === 200);
  check(done.length >= 1, "done", lines);
  check(lines.some((x) => x.phase === "denied" && x.user === stays), "refused", lines);
});
await server.stop();
finish();
