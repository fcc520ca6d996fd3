// plain-worker.mjs - an agent of one function, without any framework.
import { run, serve } from "../../clients/js/src/index.js";

run("plainagent", async (state, ctx) => {
  const words = `You said ${state.messages.at(-1).content}`.split(/(?<= )/);
  await ctx.emit("custom", { words: words.length });
  for (const word of words) await ctx.emit("messages", word);
  return words.join("");
}, { description: "Says it again." });
await serve();
