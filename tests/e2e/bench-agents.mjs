// bench-agents.mjs - every part of `bench agents` ends with what it must say, its books
// balance, and flags without effect are refused.  Nothing is timed here.
import { runBench } from "./bench-lib.mjs";
import { check, equal, finish, scenario } from "./lib.mjs";

const agents = (args) => runBench(["agents", ...args]);

// What each part must have; its figures are above 0 unless said otherwise.
const parts = {
  pool: [["tasks_per_s"], ["--duration", "200ms"]],
  request: [["request_p50_us", "request_p99_us", "request_p99_9_us"], ["--duration", "200ms"]],
  response: [["response_p50_ns"], ["--duration", "200ms"]],
  batches: [["cpu_us_1_1ms", "cpu_us_1000_100ms", "delay_p50_ms_100_10ms"], ["--duration", "600ms", "--rate", "5000"]],
  rate: [["messages_per_s", "message_p99_ms"], ["--duration", "1s", "--rate", "2000", "--agents", "10", "--bytes", "512"]],
  burst: [["message_p99_ms"], ["--duration", "600ms", "--rate", "500", "--burst", "5000"]],
  scale: [["spawn_us", "messages_per_s", "messages_per_s_1000"], ["--agents", "1000"]],
  memory: [["created_kb"], ["--agents", "10000"]],
  checkpoint: [["checkpoint_bytes", "save_us"], []],
  cpu: [["cpu_ms_10000_messages"], ["--duration", "200ms"]],
  copies: [["letter_bytes"], []],
  lookup: [["lookup_ns_10", "lookup_ns_10000"], []],
  codec: [["json_bytes", "binary_bytes", "json_read_ns", "binary_read_ns"], ["--bytes", "1024"]],
  books: [["sent", "delivered", "dead", "expired", "retried", "mailbox_full"], []],
  "contract-net": [["net_us_30"], ["--agents", "30", "--duration", "200ms"]],
};
for (const [part, [keys, args]] of Object.entries(parts))
  await scenario(part, async () => {
    const r = await agents(["--part", part, ...args]);
    for (const key of keys)
      check(r.result[key] > 0, `${key} is ${r.result[key]}: ${r.stderr}`);
    const open = ["rate", "burst"].includes(part);       // a busy machine may be late; that is told
    check(open || r.code === 0, r.stdout);
    check(!r.stdout.includes("FAIL  the books"), r.stdout);
  });

await scenario("what is wrong is told", async () => {
  for (const [args, words] of [[["--part", "x"], 'there is no "x"'],
    [["--part", "books", "--rate", "5"], "--rate has no effect with --part books"],
    [["--part", "lookup", "--agents", "5"], "--agents has no effect with --part lookup"], [["--bytes", "1"], "bytes"]]) {
    const r = await agents(args);
    check(r.code !== 0 && r.stderr.includes(words), `${args.join(" ")}: ${r.stderr}`);
  }
});
finish();
