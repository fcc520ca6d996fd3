// index.js - `cohort-worker`: what a program imports to be a worker of a Cohort server.
export { serve } from "./serve.js";
export { node, run, tool } from "./define.js";
export { LostLease, WireError } from "./wire.js";
export { Cancelled } from "./lease.js";
