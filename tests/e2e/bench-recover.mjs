// bench-recover.mjs - the workload that kills a server with durable messages: its books, its
// thresholds, and what it says when they do not hold.
import { runBench } from "./bench-lib.mjs";
import { check, equal, finish, scenario, scratch } from "./lib.mjs";
import { matches } from "./core-lib.mjs";

const dir = scratch();
const recover = (...args) => runBench(["recover", "--scratch", dir, ...args], { cwd: dir });

await scenario("a killed server has its messages again", async () => {
  const r = await recover("--messages", "2500", "--agents", "3");
  equal(r.code, 0, `passes (${r.stderr})`);
  matches(r.result, { workload: "recover", passed: true, messages: 2500, agents: 3, lost: 0, twice: 0, out_of_order: 0 }, "none is lost, twice or out of order");
  check(r.result.ok_s > 0 && r.result.recovery_s >= r.result.ok_s, "it answers, then has all of them", r.result);
});

await scenario("a threshold that does not hold", async () => {
  const r = await recover("--messages", "10", "--agents", "20", "--thresholds", "recovery_s<0.000001");
  equal([r.code, r.result?.passed, r.result?.messages, r.result?.lost], [1, false, 10, 0], "is a failure; agents without a message are none");
  const bad = await recover("--thresholds", "lost!1");
  equal([bad.code, /lost!1/.test(bad.stderr)], [1, true], `one that cannot be read is told (${bad.stderr.trim()})`);
});

finish();
