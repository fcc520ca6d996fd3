// remote.js - `cohort-worker/langgraph`: the checkpointer and the store by themselves.
export { RemoteSaver } from "./saver.js";
export { RemoteStore } from "./store.js";
