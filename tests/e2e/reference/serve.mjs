import { startServer } from "@langchain/langgraph-api/server";
const names = ["agent", "agent_simple", "error", "delay", "simple_runtime", "weather", "nested", "dynamic",
  "two_asks", "do_asks", "sends", "sub_ask", "steps", "pair", "chat", "slow"];
await startServer({ port: +process.argv[2], nWorkers: 10, host: "127.0.0.1", cwd: process.cwd(),
  graphs: Object.fromEntries(names.map((n) => [n, `./graphs.mjs:${n}`])) });
console.log("up");
