// core-hard.mjs - what the core must stand: jumps where there is nothing to jump
// from, steps of thousands of tasks, questions by the thousand, long lists.
import { clientOf, json, startCore } from "./core-lib.mjs";
import { check, equal, finish, scenario } from "./lib.mjs";

const server = await startCore();
const client = clientOf(server);
const range = (n) => Array.from({ length: n }, (_, i) => i);
const thread = async () => (await client.threads.create()).thread_id;
const wait = (t, id, more) => json(server, "POST", `/threads/${t}/runs/wait`, { assistant_id: id, ...more });

await scenario("commands that are a thread's first", async () => {
  equal(await wait(await thread(), "pair", { command: { goto: "end" } }), { log: ["end"] }, "a jump on a new thread");
  equal(await wait(await thread(), "pair", { command: { goto: ["__start__", "one"] } }), { a: 1, log: ["one"] }, "START is no node to jump to");
  equal(await wait(await thread(), "pair", { command: { goto: [{ node: "__start__", input: { a: 1 } }] } }), { log: [] }, "nor to send to");
});

await scenario("START beside what waits", async () => {
  const t = await thread();
  await wait(t, "two_asks", { input: {} });
  const v = await wait(t, "two_asks", { command: { goto: "__start__" } });
  equal(v.__interrupt__?.map((i) => i.value.q), ["left?", "right?"], "both wait still");
});

await scenario("a step of 3,000 tasks of which two wait goes on", async () => {
  const t = await thread(), items = range(3000);
  const v = await wait(t, "fan_asks", { input: { items: items.map((n) => ({ n, ask: n % 1500 === 0 })) } });
  equal(v.__interrupt__.length, 2, "two wait");
  const s = await client.threads.getState(t);
  equal([s.tasks.length, s.next.length, s.values.log.length], [3000, 2, 2999], "the others are done");
  const w = await wait(t, "fan_asks", { command: { resume: Object.fromEntries(v.__interrupt__.map((i) => [i.id, { value: 1 }])) } });
  equal([w.log.length, w.log.at(-1), w.__error__], [3002, "sum 3001", undefined], "all are counted once");
});

await scenario("1,000 questions on one thread, and one too many", async () => {
  const t = await thread(), ask = (n) => ({ input: { items: range(n).map((n) => ({ n, ask: true })) } });
  const v = await wait(t, "fan_asks", ask(1000));
  equal((await client.threads.getState(t)).tasks.flatMap((x) => x.interrupts).length, 1000, "all are shown");
  const w = await wait(t, "fan_asks", { command: { resume: Object.fromEntries(v.__interrupt__.map((i) => [i.id, { value: 1 }])) } });
  equal(w.log.length, 1002, "all are answered at once");
  const x = await wait(await thread(), "fan_asks", ask(1001));
  check(x.__error__?.message === "more than 1000 questions wait on the thread", "the limit is told", x.__error__);
});

for (const durability of ["async", "sync", "exit"])
  await scenario(`a sub-agent that keeps its state, ${durability}`, async () => {
    const t = await thread();
    equal((await wait(t, "keeper", { input: {}, durability })).seen, [1, 2, 3], `goes on within a run, ${durability}`);
    equal((await wait(t, "keeper", { input: {}, durability })).seen, [1, 2, 3, 4, 5, 6], `and in the next, ${durability}`);
  });

await scenario("lists and maps at their limits", async () => {
  const x = await wait(await thread(), "sends", { input: { items: range(10000) } });
  check(x.__error__?.message === "log: more than 10000 entries", "a list's limit is told", x.__error__);
  const began = performance.now();
  const v = await wait(await thread(), "map_do", { input: { items: range(9000) } });
  equal([v.results, v.log.length], [9000, 9000], "a map of 9,000 that writes a list");
  check(performance.now() - began < 60000, "without copying it for each", performance.now() - began);
});

await scenario("a failure of a megabyte", async () => {
  const why = "é".repeat(500000), x = await wait(await thread(), "fails", { input: { why } });
  check(x.__error__?.message === why, "is told whole");
  check(server.log.includes("error=Refused") && server.log.length < 20000, "and logged in a line", server.log.length);
});

finish();
