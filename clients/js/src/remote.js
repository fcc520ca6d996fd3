// remote.js - `cohort-worker/langgraph`: the checkpointer and the store alone.
export { RemoteSaver } from "./saver.js";
export { RemoteStore } from "./store.js";
