// shape.mjs - the normal form in which two event streams are compared.
import { shape } from "./lib.mjs";

// Values whose keys belong to the tool, the model or the library, not to the
// protocol.
const opaque = new Set(["args", "versions", "prompt_tokens_details", "completion_tokens_details"]);

// What ours has and the recorded server leaves out: why a model's answer ended,
// and which model it was.
const ours = new Set(["finish_reason", "model_name"]);

function normal(v) {
  if (Array.isArray(v)) return v.map(normal);
  if (v === null || typeof v !== "object") return v;
  return Object.fromEntries(Object.entries(v).filter(([k]) => !ours.has(k)).map(([k, x]) => [k, opaque.has(k) ? "opaque" : normal(x)]));
}

// A map from message id to metadata (messages/metadata) has ids for keys.
function data(e) {
  return e.event === "messages/metadata" ? Object.values(e.json) : e.json;
}

// Equal neighbours become one: how many pieces an answer is cut into is the
// model's affair.
export function reduce(events) {
  const out = [];
  for (const e of events) {
    const one = { event: e.event, id: e.id !== undefined, data: shape(normal(data(e))) };
    if (JSON.stringify(one) !== JSON.stringify(out.at(-1))) out.push(one);
  }
  return out;
}
