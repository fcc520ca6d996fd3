// saver.spec.mjs - LangGraph's validation suite over RemoteSaver; run by
// tests/e2e/worker-saver.mjs through vitest, against the server of COHORT_URL.
import { validate } from "@langchain/langgraph-checkpoint-validation";

process.env.COHORT_PROJECT = import.meta.dirname;
const { Wire } = await import("../../clients/js/src/wire.js");
const { RemoteSaver } = await import("../../clients/js/src/saver.js");
const wire = new Wire();

// What a case wrote is gone after it, as the suite asks for: others list all threads.
class Cleaned extends RemoteSaver {
  threads = new Set();
  put(config, ...rest) {
    const thread = config?.configurable?.thread_id;
    if (thread !== undefined) this.threads.add(thread);
    return super.put(config, ...rest);
  }
}

validate({
  checkpointerName: "RemoteSaver",
  createCheckpointer: () => new Cleaned({ call: (body) => wire.request("POST", "/tasks/test/saver", body, { token: "test" }) }),
  destroyCheckpointer: async (saver) => { for (const thread of saver.threads) await saver.deleteThread(thread); },
});
