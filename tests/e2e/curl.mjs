// curl.mjs - runs http.sh against a server of its own.
import { spawnSync } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { startMock, startServer } from "./lib.mjs";

const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "0"]);
const server = await startServer({ mock });
const script = path.join(path.dirname(fileURLToPath(import.meta.url)), "http.sh");
// A child of ours: the servers stay up because they are processes too.
const r = spawnSync("sh", [script, server.url], { stdio: "inherit" });
await server.stop();
await mock.stop();
process.exit(r.status ?? 1);
