// slow-worker.mjs - a node that takes its time, to be ended meanwhile, and one that leaves
// a promise behind.
import { node, serve } from "../../clients/js/src/index.js";

node("slow", async ({ ms }, ctx) => {
  ctx.log("began");
  await new Promise((r) => setTimeout(r, ms));
  return { ok: true };
});
node("stray", () => { Promise.reject(new Error("stray")); return { ok: true }; });
await serve();
