// bad-core.mjs - what a client can get wrong in the fields of commands,
// checkpoints, breakpoints, modes, updates, seeds and histories: one row each
// with the status and words that tell what, where, and what would be right.
// No row changes a thread, and after each the server still answers.
import { call, check, equal, finish, scenario, startMock } from "./lib.mjs";
import { json, startCore } from "./core-lib.mjs";

const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "0"]);
const server = await startCore({ mock });
const uuid = "33333333-3333-4333-8333-333333333333", hex = "0123456789abcdef0123456789abcdef";
const newThread = async (body = {}) => (await json(server, "POST", "/threads", body)).thread_id;

// waits: asks a question; done: is at its end; two: asks two; both: two wrote
// last; fresh, never: without a run that took input
const fresh = await newThread(), never = await newThread(), both = await newThread(), seeded = await newThread({ metadata: { graph_id: "steps" } });
const waits = await newThread(), done = await newThread(), two = await newThread(), other = await newThread(), weather = await newThread();
await json(server, "POST", `/threads/${waits}/runs/wait`, { assistant_id: "steps", input: { topic: "x" } });
await json(server, "POST", `/threads/${other}/runs/wait`, { assistant_id: "steps", input: { topic: "x" } });
await json(server, "POST", `/threads/${done}/runs/wait`, { assistant_id: "pair", input: { log: [] } });
await json(server, "POST", `/threads/${both}/runs/wait`, { assistant_id: "pair", input: { log: [] }, interrupt_after: ["one", "two"] });
await json(server, "POST", `/threads/${two}/runs/wait`, { assistant_id: "two_asks", input: { log: [] } });
await json(server, "POST", `/threads/${weather}/runs/wait`, { assistant_id: "weather", input: { messages: [] } });
const head = (await json(server, "GET", `/threads/${waits}/state`)).checkpoint.checkpoint_id;
const foreign = (await json(server, "GET", `/threads/${other}/state`)).checkpoint.checkpoint_id;
const inner = (await json(server, "GET", `/threads/${weather}/state`)).tasks[0]?.checkpoint?.checkpoint_ns ?? "weather_graph:x";

const run = (more) => ({ assistant_id: "steps", ...more });
const W = `/threads/${waits}/runs/wait`, R = `/threads/${waits}/runs`, S = `/threads/${waits}/runs/stream`;
const command = (c, more) => ["POST", W, run({ command: c, ...more })];
const state = (body, t = waits) => ["POST", `/threads/${t}/state`, body];
const hist = (body, t = waits) => ["POST", `/threads/${t}/history`, body];
const seed = (supersteps, metadata = { graph_id: "steps" }) => ["POST", "/threads", { metadata, supersteps }];
const ERROR = "error"; // the run is made and fails: 200 with __error__

// [request..., status or ERROR, words...]
const rows = [
  // command
  [...command(5), 422, "command", "expected an object"],
  [...command("go"), 422, "command", "expected an object"],
  [...command([]), 422, "command", "expected an object"],
  [...command({}), 422, "command", "resume", "update", "goto"],
  [...command({ resum: 1 }), 422, "command.resum", "resume"],
  [...command({ resume: 1, extra: 1 }), 422, "command.extra"],
  [...command({ goto: 5 }), 422, "command.goto"],
  [...command({ goto: [5] }), 422, "command.goto[0]"],
  [...command({ goto: {} }), 422, "command.goto", "node"],
  [...command({ goto: { node: 5 } }), 422, "command.goto.node", "expected a string"],
  [...command({ goto: { node: "write", inputs: 1 } }), 422, "command.goto.inputs"],
  [...command({ goto: [{ node: "write" }, { nod: "write" }] }), 422, "command.goto[1]"],
  [...command({ goto: "nowhere" }), 422, "command.goto", "nowhere", "write"],
  [...command({ goto: ["write", "nowhere"] }), 422, "command.goto[1]", "nowhere"],
  [...command({ goto: "" }), 422, "command.goto"],
  [...command({ goto: Array(5000).fill("write") }), 422, "command.goto"],
  [...command({ update: 5 }), 422, "command.update"],
  [...command({ update: "x" }), 422, "command.update"],
  [...command({ update: [["topic"]] }), 422, "command.update[0]"],
  [...command({ update: [[5, 1]] }), 422, "command.update[0]"],
  [...command({ update: [["topic", 1, 2]] }), 422, "command.update[0]"],
  [...command({ update: { messages: [{ role: "weird", content: "x" }] } }), 422, "command.update.messages[0]"],
  [...command({ update: { messages: [{ type: "remove", id: "nope" }] } }), [422, ERROR], "nope"],
  ["POST", W, run({ command: { resume: 1 }, input: { topic: "y" } }), 422, "command", "input"],
  ["POST", "/runs/wait", run({ command: { resume: 1 } }), [422, ERROR], "resume"],
  ["POST", `/threads/${fresh}/runs/wait`, run({ command: { resume: 1 } }), [422, ERROR], "resume"],
  ["POST", `/threads/${done}/runs/wait`, { assistant_id: "pair", command: { resume: { [hex]: 1 } }, strict_resume: true }, ERROR, "UnknownInterruptError", hex],
  ["POST", `/threads/${two}/runs/wait`, { assistant_id: "two_asks", command: { resume: "one" } }, ERROR, "When there are multiple pending interrupts, you must specify the interrupt id when resuming"],
  ["POST", `/threads/${two}/runs/wait`, { assistant_id: "two_asks", command: { resume: { [hex]: 1 } }, strict_resume: true }, ERROR, "UnknownInterruptError"],
  ["POST", W, run({ command: { resume: 1 }, strict_resume: "yes" }), 422, "strict_resume", "true or false"],
  ["POST", W, run({ command: { resume: 1 }, strict_resume: 1 }), 422, "strict_resume"],
  // checkpoint
  ["POST", W, run({ input: null, checkpoint: "x" }), 422, "checkpoint: expected an object"],
  ["POST", W, run({ input: null, checkpoint: [] }), 422, "checkpoint: expected an object"],
  ["POST", W, run({ input: null, checkpoint: { checkpoint_id: 5 } }), 422, "checkpoint.checkpoint_id"],
  ["POST", W, run({ input: null, checkpoint: { checkpoint_id: "abc" } }), 422, "checkpoint.checkpoint_id", "UUID"],
  ["POST", W, run({ input: null, checkpoint: { checkpoint_id: uuid } }), [404, 422], uuid],
  ["POST", W, run({ input: null, checkpoint: { checkpoint_id: foreign } }), [404, 422], foreign],
  ["POST", W, run({ input: null, checkpoint: { checkpoint_id: head, checkpoint_ns: 5 } }), 422, "checkpoint.checkpoint_ns"],
  ["POST", W, run({ input: null, checkpoint: { checkpoint_id: head, checkpoint_ns: "nope:1" } }), [404, 422], "nope:1"],
  ["POST", W, run({ input: null, checkpoint: { checkpoint_id: head, checkpoint_map: "x" } }), 422, "checkpoint.checkpoint_map"],
  ["POST", W, run({ input: null, checkpoint: { checkpoint_id: head, thread_id: uuid } }), 422, "checkpoint.thread_id", uuid],
  ["POST", W, run({ input: null, checkpoint_id: "abc" }), 422, "checkpoint_id", "UUID"],
  ["POST", W, run({ input: null, checkpoint_id: 7 }), 422, "checkpoint_id"],
  ["POST", W, run({ input: null, checkpoint_id: uuid }), [404, 422], uuid],
  ["POST", W, run({ input: null, config: { configurable: { checkpoint_id: "abc" } } }), 422, "config.configurable.checkpoint_id"],
  ["POST", W, run({ input: null, config: { configurable: { checkpoint_id: uuid } } }), [404, 422], uuid],
  ["POST", W, run({ input: null, checkpoint_id: head, checkpoint: { checkpoint_id: foreign } }), [404, 422], "checkpoint"],
  ["POST", "/runs/wait", run({ input: null, checkpoint_id: head }), 422, "checkpoint_id"],
  // breakpoints
  ["POST", R, run({ input: null, interrupt_before: 5 }), 422, "interrupt_before"],
  ["POST", R, run({ input: null, interrupt_before: "write" }), 422, "interrupt_before", "*"],
  ["POST", R, run({ input: null, interrupt_before: [5] }), 422, "interrupt_before[0]"],
  ["POST", R, run({ input: null, interrupt_before: {} }), 422, "interrupt_before"],
  ["POST", R, run({ input: null, interrupt_before: Array(5000).fill("x") }), 422, "interrupt_before"],
  ["POST", R, run({ input: null, interrupt_after: 5 }), 422, "interrupt_after"],
  ["POST", R, run({ input: null, interrupt_after: ["write", null] }), 422, "interrupt_after[1]"],
  ["POST", R, run({ input: null, interrupt_after: true }), 422, "interrupt_after"],
  // streams
  ["POST", S, run({ input: null, stream_mode: "bogus" }), 422, "stream_mode", "checkpoints", "lifecycle"],
  ["POST", S, run({ input: null, stream_mode: ["values", "bogus"] }), 422, "stream_mode[1]"],
  ["POST", S, run({ input: null, stream_mode: [5] }), 422, "stream_mode[0]"],
  ["POST", S, run({ input: null, stream_mode: 5 }), 422, "stream_mode"],
  ["POST", S, run({ input: null, stream_mode: {} }), 422, "stream_mode"],
  ["POST", S, run({ input: null, stream_mode: ["value"] }), 422, "stream_mode[0]", "values"],
  ["POST", S, run({ input: null, stream_mode: "" }), 422, "stream_mode"],
  ["POST", S, run({ input: null, stream_mode: Array(1000).fill("values") }), 422, "stream_mode"],
  ["POST", S, run({ input: null, stream_subgraphs: "all" }), 422, "stream_subgraphs"],
  ["POST", S, run({ input: null, stream_subgraphs: 2 }), 422, "stream_subgraphs"],
  ["POST", `${S}?namespace=${"a".repeat(5000)}`, run({ input: null }), 422, "namespace"],
  ["POST", S, run({ input: null, multitask_strategy: "maybe" }), 422, "multitask_strategy", "rollback", "interrupt", "enqueue", "reject"],
  ["POST", S, run({ input: null, multitask_strategy: 5 }), 422, "multitask_strategy"],
  ["POST", S, run({ input: null, multitask_strategy: ["rollback"] }), 422, "multitask_strategy"],
  ["POST", S, run({ input: null, durability: "never" }), 422, "durability", "exit"],
  ["POST", S, run({ input: null, checkpoint_during: "x" }), 422, "checkpoint_during"],
  ["POST", W, run({ input: null, config: { recursion_limit: 0 } }), 422, "config.recursion_limit"],
  ["POST", W, run({ input: 5 }), 422, "input"],
  ["POST", W, run({ input: "x" }), 422, "input"],
  ["POST", W, run({ input: [1] }), 422, "input"],
  ["POST", W, run({ inputs: { topic: "x" } }), 422, "inputs", "did you mean"],
  ["POST", `/threads/${fresh}/runs/wait`, run({ input: null }), [422, ERROR], "input"],
  ["POST", `/threads/${fresh}/runs/wait`, run({}), [422, ERROR], "input"],
  ["POST", W, { assistant_id: "no_such_agent", input: null }, 404, "no_such_agent"],
  ["POST", W, run({ input: null, config: { configurable: { interrupt_on: 5 } } }), [422, 200], ""],
  // interrupt_on of the built-in agent's kind
  ...[5, "x", [], { store_put: 5 }, { store_put: {} }, { store_put: { allowed_decisions: 5 } }, { store_put: { allowed_decisions: [] } },
    { store_put: { allowed_decisions: ["maybe"] } }, { store_put: { allowed_decisions: [5] } }, { store_put: { allowed: ["approve"] } }]
    .map((interrupt_on) => ["BUILTIN", `/threads/${fresh}/runs/wait`, { assistant_id: "agent", input: { messages: [] }, config: { configurable: { interrupt_on } } }, 422, "interrupt_on"]),
  // update of the state
  [...state("\"x\""), 422, "expected an object"],
  [...state({}), 422, "values"],
  [...state({ values: 5 }), 422, "values"],
  [...state({ values: "x" }), 422, "values"],
  [...state({ values: [5] }), 422, "values[0]"],
  [...state({ values: [[]] }), 422, "values[0]"],
  [...state({ values: { topic: "x" }, as_node: 5 }), 422, "as_node: expected a string"],
  [...state({ values: { topic: "x" }, as_node: "nope" }), 422, "as_node", "nope", "write"],
  [...state({ values: { topic: "x" }, as_node: "" }), 422, "as_node"],
  [...state({ values: { topic: "x" }, as_node: "__end__" }), 422, "__end__"],
  [...state({ values: { topic: "x" }, as_node: "__nope__" }), 422, "as_node"],
  [...state({ values: { topic: "x" }, checkpoint_id: "abc" }), 422, "checkpoint_id", "UUID"],
  [...state({ values: { topic: "x" }, checkpoint_id: uuid }), [404, 422], uuid],
  [...state({ values: { topic: "x" }, checkpoint_id: foreign }), [404, 422], foreign],
  [...state({ values: { topic: "x" }, checkpoint: 5 }), 422, "checkpoint: expected an object"],
  [...state({ values: { topic: "x" }, checkpoint: { checkpoint_id: "abc" } }), 422, "checkpoint.checkpoint_id"],
  [...state({ values: { topic: "x" }, checkpoint: { checkpoint_ns: "nope:1" } }), [404, 422], "nope:1"],
  [...state({ values: { topic: "x" }, checkpoint: { checkpoint_id: head, thread_id: other } }), 422, "thread_id"],
  [...state({ value: { topic: "x" } }), 422, "value", "values"],
  [...state({ values: { messages: [{ role: "weird", content: "x" }] } }), 422, "values.messages[0]", "MESSAGE_COERCION_FAILURE"],
  [...state({ values: { messages: 5 } }), 422, "values.messages"],
  [...state({ values: { messages: [{ type: "remove", id: "zzz" }] } }), 422, "zzz"],
  [...state({ values: { topic: "x" } }, uuid), 404, "not found"],
  [...state({ values: { topic: "x" } }, "abc"), 422, "thread_id"],
  [...state({ values: { topic: "x" } }, never), 400, "no graph ID"],
  [...state({ values: { a: 1 } }, both), [400, 409, 422], "Ambiguous update, specify as_node"],
  [...state({ values: { city: "x" }, as_node: "nope", checkpoint: { checkpoint_ns: inner } }, weather), 422, "nope"],
  ["PATCH", `/threads/${waits}/state`, { metadata: 5 }, [404, 405, 422], ""],
  // states at a checkpoint
  ["GET", `/threads/${waits}/state/abc`, undefined, 422, "checkpoint_id"],
  ["GET", `/threads/${waits}/state?subgraphs=perhaps`, undefined, 422, "subgraphs"],
  ["GET", `/threads/${waits}/state?select=bogus`, undefined, 422, "select", "values"],
  ["GET", `/threads/${uuid}/state/${head}`, undefined, 404, "not found"],
  ["POST", `/threads/${waits}/state/checkpoint`, {}, 422, "checkpoint"],
  ["POST", `/threads/${waits}/state/checkpoint`, { checkpoint: 5 }, 422, "checkpoint"],
  ["POST", `/threads/${waits}/state/checkpoint`, { checkpoint: { checkpoint_id: 5 } }, 422, "checkpoint.checkpoint_id"],
  ["POST", `/threads/${waits}/state/checkpoint`, { checkpoint: { checkpoint_ns: 5 } }, 422, "checkpoint.checkpoint_ns"],
  ["POST", `/threads/${waits}/state/checkpoint`, { checkpoint: { checkpoint_ns: "a".repeat(100000) } }, 422, "checkpoint.checkpoint_ns"],
  ["POST", `/threads/${waits}/state/checkpoint`, { checkpoint: { checkpoint_id: head }, subgraphs: "maybe" }, 422, "subgraphs"],
  ["POST", `/threads/${uuid}/state/checkpoint`, { checkpoint: { checkpoint_id: head } }, 404, "not found"],
  // history
  [...hist({ limit: 0 }), 422, "limit"],
  [...hist({ limit: 1001 }), 422, "limit"],
  [...hist({ limit: "x" }), 422, "limit"],
  [...hist({ before: 5 }), 422, "before"],
  [...hist({ before: "abc" }), 422, "before", "UUID"],
  [...hist({ before: {} }), 422, "before"],
  [...hist({ before: { configurable: {} } }), 422, "before.configurable.checkpoint_id"],
  [...hist({ before: { configurable: { checkpoint_id: 5 } } }), 422, "before.configurable.checkpoint_id"],
  [...hist({ before: { checkpoint_id: "abc" } }), 422, "before"],
  [...hist({ metadata: [] }), 422, "metadata: expected an object"],
  [...hist({ metadata: { a: "x".repeat(9000) } }), 422, "metadata"],
  [...hist({ checkpoint: "x" }), 422, "checkpoint: expected an object"],
  [...hist({ checkpoint: { checkpoint_ns: 5 } }), 422, "checkpoint.checkpoint_ns"],
  [...hist({ checkpoint: { thread_id: uuid } }), 422, "checkpoint.thread_id"],
  [...hist({ select: "values" }), [200, 422], ""],
  [...hist({ select: 5 }), 422, "select"],
  [...hist({ select: ["bogus"] }), 422, "select", "bogus"],
  ["GET", `/threads/${waits}/history?limit=x`, undefined, 422, "limit"],
  ["GET", `/threads/${waits}/history?before=abc`, undefined, 422, "before"],
  // seeds, copies, storage, interrupts
  [...seed(5), 422, "supersteps"],
  [...seed([5]), 422, "supersteps[0]"],
  [...seed([{}]), 422, "supersteps[0].updates"],
  [...seed([{ updates: 5 }]), 422, "supersteps[0].updates"],
  [...seed([{ updates: [] }]), 422, "supersteps[0].updates"],
  [...seed([{ updates: [5] }]), 422, "supersteps[0].updates[0]"],
  [...seed([{ updates: [{ values: {} }] }]), 422, "supersteps[0].updates[0].as_node"],
  [...seed([{ updates: [{ values: {}, as_node: 5 }] }]), 422, "supersteps[0].updates[0].as_node"],
  [...seed([{ updates: [{ values: {}, as_node: "nope" }] }]), 422, "supersteps[0].updates[0].as_node", "nope"],
  [...seed([{ updates: [{ values: 5, as_node: "write" }] }]), 422, "supersteps[0].updates[0].values"],
  [...seed([{ updates: [{ values: { topic: "x" }, as_node: "__start__" }] }, { updates: [{ values: {}, as_node: "nope" }] }]), 422, "supersteps[1].updates[0].as_node"],
  [...seed([{ updates: [{ values: { topic: "x" }, as_node: "__input__" }, { values: {}, as_node: "write" }] }]), 422, "__input__"],
  [...seed([{ updates: [{ values: { draft: 1 }, as_node: "write" }, { values: { draft: 2 }, as_node: "write" }] }]), [200, 422], ""],
  [...seed([{ updates: [{ command: 5, as_node: "write" }] }]), 422, "supersteps[0].updates[0].command"],
  [...seed([{ updates: [{ values: { topic: "x" }, as_node: "__start__" }] }], {}), [400, 422], "graph"],
  [...seed([{ updates: [{ values: { topic: "x" }, as_node: "__start__" }] }], { graph_id: "nope" }), [400, 404, 422], "nope"],
  [...seed(Array(5000).fill({ updates: [{ values: { topic: "x" }, as_node: "write" }] })), 422, "supersteps"],
  ["POST", `/threads/${uuid}/copy`, undefined, [404, 409], "not found"],
  ["POST", "/threads/abc/copy", undefined, 422, "thread_id"],
  ["GET", `/threads/${uuid}/storage`, undefined, 404, "not found"],
  ["GET", "/interrupts?status=bogus", undefined, 422, "status", "waiting"],
  ["GET", "/interrupts?limit=x", undefined, 422, "limit"],
  ["GET", "/interrupts?limit=0", undefined, 422, "limit"],
  ["GET", "/interrupts?offset=-1", undefined, 422, "offset"],
  // runs
  ["POST", `/threads/${waits}/runs/${uuid}/cancel?action=rollback`, undefined, 404, "Run not found"],
  ["POST", `/threads/${waits}/runs/${uuid}/cancel?action=rollback&wait=perhaps`, undefined, 422, "wait"],
  ["POST", `/threads/${waits}/runs/${uuid}/cancel?reason=bored`, undefined, [404, 422], ""],
  ["DELETE", `/threads/${waits}/runs/${uuid}`, undefined, 404, "Run not found"],
  ["DELETE", `/threads/${waits}/runs/abc`, undefined, 422, "run_id"],
  ["GET", `/threads/${waits}/runs/${uuid}/stream?stream_mode=bogus`, undefined, 422, "stream_mode"],
  // drawings and schemas
  ["GET", "/assistants/steps/graph?xray=perhaps", undefined, 422, "xray"],
  ["GET", "/assistants/steps/graph?xray=-1", undefined, 422, "xray"],
  ["GET", "/assistants/nope/graph", undefined, 404, "Assistant not found"],
  ["GET", "/assistants/nope/schemas", undefined, 404, "Assistant not found"],
  ["GET", "/assistants/nope/subgraphs", undefined, 404, "Assistant not found"],
  ["GET", "/assistants/nested/subgraphs?recurse=perhaps", undefined, 422, "recurse"],
];

const threads = { fresh, never, both, seeded, waits, done, two, other, weather };
const snapshot = async () => JSON.stringify(await Promise.all(Object.values(threads).map(async (t) => {
  const s = await json(server, "GET", `/threads/${t}/state`);
  return [s.values, s.checkpoint, s.tasks.map((k) => k.interrupts)];
})));
let was = await snapshot();

// The built-in agent has no file beside the tests' agents: a server of its own.
const plain = await startCore({ mock, folders: [] });
await json(plain, "POST", "/threads", { thread_id: fresh });

for (const [method, target, body, expected, ...words] of rows) {
  const what = `${method} ${target.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, "ID").slice(0, 60)} ${(JSON.stringify(body) ?? "").slice(0, 120)}`;
  await scenario(what, async () => {
    const r = await call(method === "BUILTIN" ? plain : server, method === "BUILTIN" ? "POST" : method, target, body);
    const ok = [expected].flat().some((e) => e === ERROR ? r.status === 200 && r.json?.__error__ !== undefined : r.status === e);
    check(ok, what, `got ${r.status} ${r.text.slice(0, 400)}\n     not ${expected}`);
    if (r.status >= 400) check(typeof r.json?.detail === "string", `${what}: a JSON detail`, r.text);
    for (const w of words) check(r.text.includes(w), `${what}: says ${w}`, r.text.slice(0, 400));
    check((await call(server, "GET", "/ok")).status === 200, `${what}: the server still answers`, server.log?.slice(-1500));
    const now = await snapshot();
    check(now === was, `${what}: left every thread as it was`, now === was ? "" : `was ${was.slice(0, 700)}\n     now ${now.slice(0, 700)}`);
    was = now;
  });
}

await scenario("a busy thread", async () => {
  const t = await newThread();
  const r = await json(server, "POST", `/threads/${t}/runs`, { assistant_id: "slow", input: { n: 60000 } });
  for (const [method, target, body, status, word] of [
    ["POST", `/threads/${t}/state`, { values: { n: 1 } }, 409, "busy"],
    ["POST", `/threads/${t}/runs`, { assistant_id: "slow", input: { n: 1 }, multitask_strategy: "reject" }, 409, "already running"],
  ]) {
    const got = await call(server, method, target, body);
    check(got.status === status && got.text.includes(word), `${method} ${target}: ${word}`, got.text);
  }
  await call(server, "POST", `/threads/${t}/runs/${r.run_id}/cancel?wait=1`);
});

equal(rows.length >= 100, true, "at least 100 rows");
await server.stop();
equal(server.exit.code, 0, "clean exit");
check(!/ERROR: (Address|Leak)Sanitizer|runtime error:/.test(server.log), "no sanitizer report", server.log.slice(-3000));
console.log(`${rows.length} cases`);
finish();
