// work-many.mjs - many agents at one daemon: what they are told is what is
// stored, whole, once, and each item has one owner.  (How fast they are served
// says `cohort bench work`.)
import { check, equal, finish, scenario } from "./lib.mjs";
import { connect, workspace } from "./work-lib.mjs";

const range = (n) => Array.from({ length: n }, (_, i) => i);

// A daemon in a workspace of its own; fn(ws, call) where call(agent, ...) asks
// on a connection of that agent's.
async function many(name, agents, fn) {
  await scenario(name, async () => {
    const ws = workspace({ mode: "daemon" });
    ws.run(["daemon"]);
    const lines = await Promise.all(range(agents).map(() => connect(ws)));
    await fn(ws, (agent, operation, args = {}, more = {}) => lines[agent].call(operation, args, { actor: `agent-${agent}`, ...more }));
    for (const c of lines) c.close();
    ws.stop();
  });
}

// As many items are stored as were told of, none of them twice, and counting
// everything again finds what is kept.
async function books(call, ids) {
  equal(new Set(ids).size, ids.length, "no id was told twice");
  const stored = (await call(0, "list")).data.map((i) => i.id);
  equal(stored.sort(), [...ids].sort(), "what was acknowledged is stored, and nothing else");
  equal((await call(0, "stats")).data.total_issues, ids.length, "and counted");
  equal((await call(0, "recount")).data.ok, true, "a recount finds the same");
}

for (const [agents, each, depth] of [[8, 100, 1], [8, 200, 64], [10, 100, 1]])
  await many(`${agents} agents create ${each} items each, ${depth} at a time`, agents, async (ws, call) => {
    const ids = [], failed = [];
    await Promise.all(range(agents).map(async (a) => {
      for (let at = 0; at < each; at += depth)
        for (const r of await Promise.all(range(Math.min(depth, each - at)).map((i) => call(a, "create", { title: `item ${at + i} of agent ${a}`, priority: i % 5 }))))
          r.success ? ids.push(r.data.id) : failed.push(r);
    }));
    equal(failed, [], "no errors");
    equal(ids.length, agents * each, "each has its answer");
    await books(call, ids);
  });

await many("a batch is there whole or not at all", 4, async (ws, call) => {
  const ids = [], wrong = [];
  const fails = (i) => i % 5 === 4;
  await Promise.all(range(4).map(async (a) => {
    for (const i of range(50)) {
      const title = `${fails(i) ? "absent" : "whole"} ${i} ${a}`, make = { operation: "create", args: { title } };
      const last = fails(i) ? { operation: "close", args: { id: "p-nowhere" } } : { operation: "dep_add", args: { from_id: { $ref: 1 }, to_id: { $ref: 0 } } };
      const r = await call(a, "batch", { operations: [make, make, last] });
      if (r.success === fails(i)) wrong.push(r);
      if (r.success) ids.push(...r.data.results.slice(0, 2).map((x) => x.data.id));
    }
  }));
  equal(wrong, [], "those with a part that cannot be fail, and no others");
  equal(ids.length, 4 * 40 * 2, "the items of whole batches");
  equal((await call(0, "list", { title: "absent" })).data, [], "none of those that failed");
  equal((await call(0, "blocked", { limit: 1000 })).data.length, ids.length / 2, "with their dependencies");
  await books(call, ids);
});

await many("agents that create, update, look and list see what they did", 6, async (ws, call) => {
  const ids = [], failed = [];
  let unseen = 0;
  const ok = async (...args) => { const r = await call(...args); if (!r.success) failed.push(r); return r.data; };
  await Promise.all(range(6).map(async (a) => {
    for (const i of range(50)) {
      const { id } = await ok(a, "create", { title: `item ${i}`, labels: [`agent-${a}`] });
      ids.push(id);
      await ok(a, "update", { id, priority: i % 5 });
      const shown = [await ok(a, "show", { id })].flat()[0];
      const mine = await ok(a, "list", { labels: [`agent-${a}`], limit: 50 });
      const ready = await ok(a, "ready");
      unseen += shown.priority !== i % 5 || mine.length !== i + 1 || !mine.some((x) => x.id === id) || ready.length === 0;
    }
  }));
  equal(failed, [], "no errors");
  equal(unseen, 0, "each sees its own changes at once");
  await books(call, ids);
});

await many("a request that is late leaves nothing", 1, async (ws, call) => {
  const made = await Promise.all(range(100).map((i) => call(0, "create", { title: `timely ${i}` }, { deadline_ms: 5000 })));
  equal(made.filter((r) => !r.success), [], "within 5 s");
  const late = await call(0, "batch", { operations: range(2000).map((i) => ({ operation: "create", args: { title: `late ${i}` } })) }, { deadline_ms: 1 });
  equal([late.success, late.code], [false, "TIMEOUT"], "a batch of 2,000 within 1 ms");
  equal(ws.run(["create", "late", "--timeout", "1ns"]).code, 124, "a command within 1 ns");
  const timely = ws.ok(["create", "timely", "--timeout", "5s", "--json"]);
  equal((await call(0, "ping")).success, true, "the daemon answers on");
  equal((await call(0, "list", { title: "late" })).data, [], "nothing of what was late");
  await books(call, [...made.map((r) => r.data.id), timely.id]);
});

await many("64 agents claim 1,000 items: one owner each", 64, async (ws, call) => {
  const made = await call(0, "batch", { operations: range(1000).map((i) => ({ operation: "create", args: { title: `work ${i}`, priority: i % 5 } })) });
  const owner = new Map(), twice = [], failed = [];
  await Promise.all(range(64).map(async (a) => {
    while (twice.length === 0) {
      const r = await call(a, "claim", { ready: true });
      if (!r.success) failed.push(r);
      if (!r.success || r.data === null) break;
      if (owner.has(r.data.id)) twice.push(r.data.id);
      owner.set(r.data.id, `agent-${a}`);
    }
  }));
  equal(failed, [], "no errors");
  equal(twice, [], "nothing was given to two");
  equal(owner.size, 1000, "all of it was given");
  const held = (await call(0, "list", { status: "in_progress" })).data;
  equal(held.filter((i) => owner.get(i.id) !== i.assignee || owner.get(i.id) !== i.lease.holder).map((i) => i.id), [], "who was told so has it");
  check(new Set(owner.values()).size > 1, "several agents got some", new Set(owner.values()).size);
  await books(call, made.data.results.map((r) => r.data.id));
});

await many("below 50 epics, each in the next, all waits for the topmost", 1, async (ws, call) => {
  const epics = range(50).map((i) => ({ operation: "create", args: { id: `p-epic-${i}`, title: `epic ${i}`, issue_type: "epic", ...(i > 0 ? { dependencies: [`parent-child:p-epic-${i - 1}`] } : {}) } }));
  const leaves = range(50).map((i) => ({ operation: "create", args: { id: `p-leaf-${i}`, title: `leaf ${i}`, dependencies: ["parent-child:p-epic-49"] } }));
  equal((await call(0, "batch", { operations: [...epics, ...leaves, { operation: "create", args: { id: "p-blocker", title: "what holds all" } }] })).success, true, "they are made");
  const ready = async () => (await call(0, "ready", { limit: 1000 })).data.map((i) => i.id);
  equal((await ready()).length, 101, "all are ready");
  equal((await call(0, "dep_add", { from_id: "p-epic-0", to_id: "p-blocker" })).success, true, "the topmost waits");
  equal(await ready(), ["p-blocker"], "and all below it");
  equal((await call(0, "dep_remove", { from_id: "p-epic-0", to_id: "p-blocker" })).success, true, "it waits no more");
  equal((await ready()).length, 101, "nor does anything");
});
finish();
