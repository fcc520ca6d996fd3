// examples-server.mjs - the examples that need a server: work items, pages, breakpoints,
// a question that nobody answers in time, what goes on in the next run of a thread.
//
// SPDX-License-Identifier: MIT
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { call, check, equal, freePort, repo, scenario, scratch, startServer, until } from "../e2e/lib.mjs";
import { startWorker } from "../e2e/worker-lib.mjs";

const hour = 3600000, day = 24 * hour;

export async function onServer(folder) {
  const ran = new Set(), seen = new Map(), dir = scratch();
  const page = await freePort(), nobody = await freePort();
  const web = http.createServer((req, res) => { res.setHeader("content-type", "application/json"); res.end('{"mood": "good"}'); });
  await new Promise((r) => web.listen(page, "127.0.0.1", r));
  const open = (clock) => startServer({ dir, args: ["--agents", folder, "--http-hosts", `127.0.0.1:${page},127.0.0.1:${nobody}`, "--test-hooks", "--test-clock-ms", String(clock)] });
  let s = await open(0);
  const thread = async () => (await call(s, "POST", "/threads", {})).json.thread_id;
  const run = async (t, agent, body) => {
    const r = await call(s, "POST", `/threads/${t}/runs/wait`, { assistant_id: agent, ...body });
    check(r.status === 200, `${agent} runs`, r.text);
    ran.add(`${agent}.yaml`);
    for (const v of Object.values(r.json ?? {})) if (/^error\./.test(v)) seen.set(`${agent}.yaml`, [...seen.get(`${agent}.yaml`) ?? [], v]);
    return r.json;
  };
  const state = async (t) => (await call(s, "GET", `/threads/${t}/state`)).json;

  await scenario("pages", async () => {
    const good = await run(await thread(), "pages", { input: { page: `http://127.0.0.1:${page}/` } });
    equal([good.status, good.mood, good.seen], [200, "good", null], "a page that answers");
    equal((await run(await thread(), "pages", { input: { page: `http://127.0.0.1:${nobody}/` } })).seen, "error.communication", "one that does not");
    equal((await run(await thread(), "pages", { input: { page: "http://elsewhere.example/" } })).seen, "error.execution", "one that may not be asked");
  });

  await scenario("guests in a sandbox", async () => {
    const answer = (v) => v.messages?.at(-1)?.content;
    equal(JSON.parse(answer(await run(await thread(), "words", { input: { messages: "to be or not to be" } }))).words, 6, "a module is an assistant");
    equal(JSON.parse(answer(await run(await thread(), "counter", { input: { messages: "hi" } }))), { count: 1, echo: "hi" }, "one that may do all");
    for (const sum of [42, 84]) equal(JSON.parse(answer(await run(await thread(), "ledger", { input: { messages: "6 * 7" } }))), { sum }, "one with a store and a tool");
    equal((await run(await thread(), "sandbox", { input: {} })).words, [["be", 2], ["to", 2]], "and a chart's work");
    equal((await run(await thread(), "sandbox", { input: { text: 7 } })).seen, "error.wasm.failure", "a refusal is caught");
    const trap = (await run(await thread(), "sandbox", { input: { text: "word ".repeat(190000) } })).why;
    check(/: out of (fuel|time)$/.test(trap), "and so is a trap, of whichever limit it meets first", trap);
    const t = await thread();
    await run(t, "team", { input: { text: "a b a" } });
    equal((await run(t, "team", { command: { resume: "yes" } })).report, "3 words, the most frequent is a", "and a worker of a team");
  });

  await scenario("work items", async () => {
    const v = await run(await thread(), "work_items", { input: {} });
    equal([v.ready, v.taken?.id, v.left, v.shown?.status, v.shown?.title], [["Collect", "Collected"], v.first?.id, ["Write"], "closed", "Collected"], `the tracker: ${JSON.stringify(v)}`);
  });

  await scenario("breakpoints", async () => {
    const t = await thread();
    await run(t, "breakpoints", { input: {} });
    equal((await state(t)).next, ["publish"], "stopped after the first node");
    await call(s, "POST", `/threads/${t}/state`, { values: { text: "Bees dance." }, as_node: "draft" });
    for (let i = 0; i < 2 && (await state(t)).next.length > 0; i++) await run(t, "breakpoints", { input: null });
    equal((await state(t)).values.log, ["drafted", "published: Bees dance."], "the state was changed in between");
  });

  await scenario("a question that nobody answers, and two weeks", async () => {
    const t = await thread(), answers = ["Bees", "large", ["mon"], 3, "2026-11-21", { name: "Ann" }];
    await run(t, "questions", { input: {} });
    const bad = await call(s, "POST", `/threads/${t}/runs/wait`, { assistant_id: "questions", command: { resume: 7 } });
    check(bad.status === 422, "a number is no title", bad.text);
    for (const resume of answers) await run(t, "questions", { command: { resume } });
    equal((await state(t)).tasks[0]?.interrupts[0]?.value.type, "confirm", "the last question waits");
    const w = await thread();
    await call(s, "POST", `/threads/${w}/runs`, { assistant_id: "days", input: {} });
    await until(async () => (await state(w)).values.sent?.length === 1, "the invoice");
    await s.stop();
    s = await open(7 * day + hour);
    await until(async () => (await state(t)).values.seen === "error.timeout", "the question's end");
    seen.set("questions.yaml", ["error.timeout"]);
    await until(async () => (await state(w)).values.sent?.length === 2, "the reminder");
    await s.stop();
    s = await open(14 * day + 2 * hour);
    await until(async () => (await state(w)).values.sent?.length === 3, "the end");
    ran.add("days.yaml");
  });

  await scenario("what goes on from run to run, and models", async () => {
    const t = await thread();
    equal([(await run(t, "agents", { input: {} })).turns, (await run(t, "agents", { input: {} })).turns], [1, 2], "persist: true");
    const u = await thread(), log = [];
    for (let i = 0; i < 2; i++) log.push((await run(u, "channels", { input: { weights: [1] }, context: { scale: 10 } })).line);
    const v = await run(await thread(), "fallbacks", { input: { messages: "Hello" } });
    equal(v.messages?.map((m) => m.type), ["human", "ai"], "what it needs is there");
    equal(log, ["10 to 10 kg, 10 in all, no hint", "10 to 10 kg, 20 in all, no hint"], "the context of a run; sums go on");
  });
  await scenario("a server that dies in the middle of a call", async () => {
    const t = await thread(), ledger = path.join(dir, "ledger");
    await call(s, "POST", `/threads/${t}/runs`, { assistant_id: "outcome", input: { ledger, seconds: 15 } });
    await until(() => existsSync(ledger), "the payment");
    await s.stop("SIGKILL");
    s = await open(14 * day + 2 * hour);
    await until(async () => (await state(t)).tasks[0]?.interrupts.length === 1, "the question");
    seen.set("outcome.yaml", [(await state(t)).values.seen]);
    equal(readFileSync(ledger, "utf8"), "paid\n", "paid once");
    await run(t, "outcome", { command: { resume: true } });
    equal((await state(t)).values.sent, true, "somebody has looked");
  });
  await scenario("code in a worker", async () => {
    const program = path.join(dir, "worker.mjs");
    writeFileSync(program, `import { node, serve, tool } from "${repo}/clients/js/src/index.js";
      node("enrich", async ({ who }) => { if (who === "nobody") throw new Error("unknown"); return { customer: who.toUpperCase() }; }, { idempotent: true });
      tool("charge", async ({ cents }) => "took " + cents, { description: "Charges.", schema: { type: "object", properties: { cents: { type: "integer" } } } });
      await serve();`);
    const worker = await startWorker(s, { program: [program] });
    const v = await run(await thread(), "workers", { input: {} });
    equal([v.customer, v.paid, v.seen], ["BEES", "took 500", null], "a node and a tool");
    equal((await run(await thread(), "workers", { input: { who: "nobody" } })).seen, "error.worker.enrich", "a node that fails");
    await worker.stop();
  });
  await s.stop();
  web.close();
  return { ran, seen };
}
