// mail-idle.mjs - what agents take that nobody writes to: 10,000 of them, half charts, half
// clients, use less than 0.1 % of a core over a minute (SECONDS), and afterwards all of them
// hear a message.  CPU is that of the process, from /proc.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { call, check, equal, finish, scenario, scratch, startServer, until } from "../e2e/lib.mjs";

const N = Number(process.env.AGENTS ?? 10000), seconds = Number(process.env.SECONDS ?? 60);
const dir = scratch(), agents = path.join(dir, "agents");
mkdirSync(agents);
writeFileSync(path.join(agents, "echo.yaml"), "id: echo\ncontext: {n: 0}\ninitial: ready\nstates:\n  ready: {on: {message.inform: {actions: {assign: {n: n + 1}}}}}\n");
const s = await startServer({ dir, args: ["--agents", agents] });
const ticks = () => { const f = readFileSync(`/proc/${s.child.pid}/stat`, "utf8").split(") ")[1].split(" "); return Number(f[11]) + Number(f[12]); };
const rss = () => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${s.child.pid}/status`, "utf8"))[1]);
const metric = async (name) => Number(new RegExp(`^${name} (.*)$`, "m").exec((await call(s, "GET", "/metrics")).text)[1]);

await scenario("idle agents", async () => {
  const before = rss();
  const spawn = async (from) => {
    for (let i = from; i < N; i += 32) {
      const r = await call(s, "POST", "/agents", { ...(i % 2 ? { graph_id: "echo" } : { kind: "external" }), durable: false, capabilities: ["idle"] });
      if (r.status !== 200) throw new Error(`${r.status} ${r.text}`);
    }
  };
  await Promise.all(Array.from({ length: 32 }, (_, i) => spawn(i)));
  equal(await metric("cohort_agents_live"), N, `${N} agents live`);
  const kb = (rss() - before) / N;
  // Until the server has come to rest: what it does for a request is over.
  let last = ticks();
  await until(async () => { const now = ticks(), still = now === last; last = now; await new Promise((r) => setTimeout(r, 500)); return still; }, "the server to rest", 20000);
  const began = performance.now(), first = ticks();
  await until(() => performance.now() - began >= seconds * 1000, "a minute", seconds * 1000 + 60000);
  const share = (ticks() - first) / 100 / ((performance.now() - began) / 1000) * 100;
  check(share < 0.1, "less than 0.1 % of a core", `${share.toFixed(3)} %`);
  console.log(`${N} idle agents: ${share.toFixed(3)} % of a core over ${seconds} s, ${kb.toFixed(2)} KB each`);
  const r = await call(s, "POST", "/messages", { performative: "inform", receiver: "all:idle" });
  equal([r.status, r.json.receivers], [200, N], "and all of them hear a message");
  await until(async () => await metric("cohort_mail_delivered_total") + await metric("cohort_mail_pending") === N && await metric("cohort_mail_delivered_total") >= N / 2, "the charts to take it");
});
await s.stop();
finish();
