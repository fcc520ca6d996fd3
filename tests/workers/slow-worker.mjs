// slow-worker.mjs - a worker of one node that takes its time, to be ended meanwhile.
import { node, serve } from "../../clients/js/src/index.js";

node("slow", async ({ ms }, ctx) => {
  ctx.log("began");
  await new Promise((r) => setTimeout(r, ms));
  return { ok: true };
});
await serve();
