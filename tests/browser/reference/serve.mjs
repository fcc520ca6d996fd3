import { startServer } from "@langchain/langgraph-api/server";
await startServer({ port: +process.argv[2], nWorkers: 10, host: "127.0.0.1", cwd: process.cwd(),
  graphs: { desk: "./graphs.mjs:desk", team: "./graphs.mjs:team", inbox: "./graphs.mjs:inbox", crowd: "./graphs.mjs:crowd" } });
console.log("up");
