// work-agents.mjs [ROUNDS] - three runs of the built-in agent share a tracker
// under kill -9: they claim, work on and close items with dependencies until
// none is left.  However often the server dies, the audit says that each item
// was claimed once, by one of them, and closed once, by the same one, after all
// that it depended on.
//
// A run survives two kills (the third makes it an error), so each round has two,
// a project, items and threads of its own.
import { randomInt } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { call, check, equal, finish, freePort, scenario, scratch, startServer, until } from "../e2e/lib.mjs";

const rounds = Number(process.argv[2] ?? 5), kills = 2, agents = 3;
const dir = scratch(), port = await freePort(), script = path.join(dir, "script.json");

// What the model says: claim, close what was claimed, claim again; when nothing
// is ready, look whether anything is left.
const say = (name, args = {}, ms = 10) => ({ tool_calls: [{ name, args }], ttft_ms: ms });
const heard = (last) => ({ role: "tool", last });
writeFileSync(script, JSON.stringify({
  rules: [
    { match: "work", ...say("work_claim") },
    { match: heard('"status":"in_progress"'), ...say("work_close", { id: "{{result.id}}", reason: "done" }) },
    { match: heard('"status":"closed"'), ...say("work_claim") },
    { match: heard('"open_issues":0,"in_progress_issues":0'), reply: "Nothing is left." },
    { match: heard('"total_issues"'), ...say("work_claim") },
    { match: heard("null"), ...say("work_stats", {}, 30) },
  ],
  default: { reply: "I do not know what to say to that." },
}));
const args = ["--llm-script", script, "--test-hooks", "--test-fsync-delay-ms", "4"];

async function ok(server, method, target, body) {
  const r = await call(server, method, target, body);
  if (r.status !== 200) throw new Error(`${method} ${target}: ${r.status} ${r.text}`);
  return r.json;
}

// Layers of items, each item after all of the layer before: diamonds.
async function plan(server, q) {
  const items = [];
  let before = [];
  for (const width of [1, 4, 2, 5, 1, 4, 2, 5, 1]) {
    const layer = [];
    for (let i = 0; i < width; i++)
      layer.push(await ok(server, "POST", `/work/items${q}`, { title: `item ${items.length + i}`, dependencies: before, priority: i % 5, actor: "planner" }));
    items.push(...layer);
    before = layer.map((x) => x.id);
  }
  return items;
}

const begin = async (server, project) => {
  const thread = await ok(server, "POST", "/threads", {});
  const run = await ok(server, "POST", `/threads/${thread.thread_id}/runs`, {
    assistant_id: "agent", input: { messages: [{ role: "user", content: "work" }] },
    config: { recursion_limit: 10000, configurable: { tools: ["work"], work_project: project } } });
  return { thread: thread.thread_id, run: run.run_id };
};

const closed = async (server, q) => (await ok(server, "GET", `/work/items${q}&status=closed`)).length;

async function verify(server, q, items, runs) {
  const stats = (await ok(server, "POST", `/work/rpc${q}`, { operation: "stats" })).data;
  equal([stats.closed_issues, stats.open_issues, stats.in_progress_issues], [items.length, 0, 0], "every item is closed");
  const audit = new Map(), by = new Map();
  for (const item of items) {
    const rows = (await ok(server, "POST", `/work/rpc${q}`, { operation: "history", args: { id: item.id } })).data;
    const of = (kind) => rows.filter((e) => e.kind === kind);
    equal([of("created").length, of("claimed").length, of("closed").length, of("released").length], [1, 1, 1, 0], `${item.id}: claimed once, closed once`);
    const claim = of("claimed")[0], close = of("closed")[0];
    if (!claim || !close) continue;
    equal(close.actor, claim.actor, `${item.id}: closed by who claimed it`);
    check(claim.seq < close.seq, `${item.id}: claimed before it was closed`);
    audit.set(item.id, { claim, close });
    by.set(claim.actor, (by.get(claim.actor) ?? 0) + 1);
  }
  for (const item of items)
    for (const d of item.dependency_records ?? [])
      check(audit.get(d.depends_on_id)?.close.seq < audit.get(item.id)?.claim.seq, `${item.id}: after ${d.depends_on_id}`);
  equal([...by.keys()].sort(), runs.map((r) => `agent/agent/${r.thread}`).sort(), "all of them worked, each under its own name");
  for (const r of runs) {
    const run = await ok(server, "GET", `/threads/${r.thread}/runs/${r.run}`);
    equal(run.status, "success", "the run ended well");
    const { messages } = (await ok(server, "GET", `/threads/${r.thread}/state`)).values;
    equal(messages.at(-1).content, "Nothing is left.", "and says so");
    const calls = messages.filter((m) => m.type === "ai").flatMap((m) => m.tool_calls ?? []).map((c) => c.id);
    const answers = messages.filter((m) => m.type === "tool");
    equal(answers.map((m) => m.tool_call_id), calls, "each call has its answer");
    check(answers.every((m) => m.status !== "error"), "none of them an error", answers.find((m) => m.status === "error"));
  }
}

let killed = 0;
let server = await startServer({ dir, port, args });
for (let round = 0; round < rounds; round++) {
  await scenario(`round ${round}`, async () => {
    const project = `round${round}`, q = `?project=${project}`;
    const items = await plan(server, q);
    const runs = await Promise.all(Array.from({ length: agents }, () => begin(server, project)));
    for (let k = 0; k < kills; k++) {
      // Somewhere in the first or the second half of the work.
      const at = randomInt(1, Math.floor(items.length / kills)) + k * Math.floor(items.length / kills);
      await until(async () => (await closed(server, q)) >= at, `${at} items to be closed`, 30000);
      const moment = performance.now() + Math.random() * 60;
      await until(() => performance.now() >= moment, "the moment");
      await server.stop("SIGKILL");
      killed++;
      server = await startServer({ dir, port, args });
    }
    await until(async () => {
      const all = await Promise.all(runs.map((r) => ok(server, "GET", `/threads/${r.thread}/runs/${r.run}`)));
      return all.every((r) => !["pending", "running"].includes(r.status));
    }, "the runs to end", 60000);
    await verify(server, q, items, runs);
  });
}
await server.stop();
console.log(`${rounds} rounds, ${killed} kills`);
finish();
