// follow.js - the events of one thread, for as long as it is shown.
//
// One connection carries all runs.  When it breaks it is opened again, after a pause
// that doubles up to a limit, from the last event that came.
import { frames, pause, request } from "./wire.js";

const PAUSE = 500, PAUSE_MAX = 8000;         // ms between two attempts
const SILENCE = 45000;                       // the server says something at least every 15 s

// on: { event(e), connected(yes, again) }.  Returns a function that ends it.
export function follow(id, on) {
  const end = new AbortController();
  loop(id, on, end.signal);
  return () => end.abort();
}

async function loop(id, on, signal) {
  const position = { last: "-", parts: new Map() };
  for (let wait = PAUSE, again = false; !signal.aborted; again = true) {
    const one = new AbortController(), stop = () => one.abort();
    signal.addEventListener("abort", stop);
    let timer;
    const alive = () => { clearTimeout(timer); timer = setTimeout(stop, SILENCE); };
    try {
      const response = await request("GET", `/threads/${encodeURIComponent(id)}/stream?stream_modes=run_modes`,
        { signal: one.signal, headers: { "last-event-id": position.last } });
      wait = PAUSE;
      on.connected(true, again);
      alive();
      for await (const frame of frames(response, alive)) {
        if (frame.id) position.last = frame.id;
        for (const e of translate(frame, position.parts)) on.event(e);
      }
    } catch (e) {
      if (signal.aborted) return;
      if (e.status >= 400 && e.status < 500 && ![408, 429].includes(e.status)) { on.refused(e); return; }
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
    }
    if (signal.aborted) return;
    on.connected(false, again);
    await pause(wait * (0.75 + Math.random() / 2), signal);
    wait = Math.min(wait * 2, PAUSE_MAX);
  }
}

// Events of runs as those of the thread protocol.
function* translate({ event = "", data, id = "" }, parts) {
  const [name, ...namespace] = event.split("|"), body = JSON.parse(data);
  const make = (method, d) => ({ method, params: { namespace, data: d } });
  if (name === "metadata") yield make("lifecycle", { event: "running", run_id: body.run_id });
  else if (name === "end") yield make("lifecycle", { event: body.status === "error" ? "failed" : body.status === "interrupted" ? "interrupted" : "completed" });
  else if (name === "error") yield make("lifecycle", { event: "failed", error: body.message ?? String(body.error) });
  else if (name === "values") {
    const { __interrupt__, ...values } = body;
    yield make("values", values);
    for (const i of namespace.length ? [] : __interrupt__ ?? []) yield make("input.requested", { interrupt_id: i.id, payload: i.value, response_schema: i.response_schema });
  } else if (name === "messages") {
    const [m, meta] = body;
    if (m.type !== "ai" && m.type !== "AIMessageChunk") return;
    const inner = namespace.slice(0, -1), say = (d) => ({ method: "messages", params: { namespace: inner, node: meta.langgraph_node, data: { message_id: m.id, ...d } } });
    if (!parts.has(m.id)) { parts.clear(); parts.set(m.id, true); yield say({ event: "message-start", id: m.id, role: "ai" }); }
    if (m.content) yield say({ event: "content-block-delta", index: 0, delta: { type: "text-delta", text: m.content } });
    for (const c of m.tool_call_chunks ?? []) {
      if (c.id) yield say({ event: "content-block-start", index: 1 + c.index, content: { type: "tool_call_chunk", id: c.id, name: c.name, args: "" } });
      yield say({ event: "content-block-delta", index: 1 + c.index, delta: { type: "tool-call-delta", args: c.args } });
    }
  }
}

// ---- commands --------------------------------------------------------------

const modes = ["values", "messages-tuple", "updates", "custom"];

// what: { input } or { resume }; at: a checkpoint's id.  Returns the run's id.
export async function start(id, assistant, { input, resume, at, config }) {
  const response = await request("POST", `/threads/${encodeURIComponent(id)}/runs`, { body: {
    assistant_id: assistant, if_not_exists: "create", stream_mode: modes, stream_subgraphs: true, stream_resumable: true,
    multitask_strategy: "enqueue", ...(resume !== undefined ? { command: { resume } } : { input: input ?? null }),
    ...(at ? { checkpoint_id: at } : {}), ...(config ? { config } : {}),
  } });
  return (await response.json()).run_id;
}
