// charts.mjs - xstate at what tests/bench/chart_mail_bench.c measures of our charts: bytes of an actor, and the
// time of an event whose guard is false, to N actors in turn; of CPU, the median of 11 rounds.
//   npm install xstate, in the folder above or here; node --expose-gc charts.mjs
import { createActor, setup } from "xstate";

const machine = setup({ guards: { fresh: ({ context }) => context.n === 1 } }).createMachine({
  id: "data", context: { n: 0 }, initial: "open",
  states: {
    open: { on: { "message.inform": { guard: "fresh" }, "message.request": "busy" } },
    busy: { on: { "message.cancel": "open" } },
  },
});
const cpu = (work) => { const since = process.cpuUsage(); work(); const u = process.cpuUsage(since); return (u.user + u.system) * 1000; };
const heap = () => { globalThis.gc(); return process.memoryUsage().heapUsed; };
const EVENTS = 200000;

for (const n of [1, 1000, 100000]) {
  const before = heap();
  let actors;
  const spawn = cpu(() => { actors = Array.from({ length: n }, () => createActor(machine).start()); }) / n;
  const bytes = (heap() - before) / n, rounds = [];
  for (let r = 0; r < 11; r++)
    rounds.push(cpu(() => { for (let i = 0; i < EVENTS; i++) actors[i % n].send({ type: "message.inform", content: 7 }); }) / EVENTS);
  console.log(`${n} actors: spawn ${spawn.toFixed(0)} ns, ${bytes.toFixed(0)} bytes each; an event ${rounds.sort((a, b) => a - b)[5].toFixed(0)} ns`);
}
