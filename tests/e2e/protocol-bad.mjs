// protocol-bad.mjs - commands and subscriptions of the thread protocol that are wrong:
// each is refused with its code, and words that name the place and say what would be
// right; and the thread is as it was.
import { call, check, equal, finish, scenario, startMock, until } from "./lib.mjs";
import { startCore } from "./core-lib.mjs";

const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "0"]);
const server = await startCore({ mock, folders: ["", "transcripts"], args: ["--shards", "2"] });
const uuid = () => crypto.randomUUID();
const post = (thread, body) => call(server, "POST", `/threads/${thread}/commands`, body);
const command = (thread, method, params) => post(thread, { id: 7, method, params });
const hi = { messages: [{ role: "user", content: "hi" }] };
const ended = (t) => until(async () => !["busy", undefined].includes((await call(server, "GET", `/threads/${t}`)).json.status), "the run to end");

const none = uuid(), fresh = uuid(), done = uuid(), waits = uuid();
let question, checkpoint;
await scenario("threads", async () => {
  await call(server, "POST", "/threads", { thread_id: fresh });
  equal((await command(done, "run.start", { assistant_id: "agent", input: hi })).json.type, "success", "a thread with a run");
  equal((await command(waits, "run.start", { assistant_id: "hitl", input: hi })).json.type, "success", "a thread that waits");
  await ended(done);
  await until(async () => (await call(server, "GET", `/threads/${waits}`)).json.status === "interrupted", "the question");
  question = (await call(server, "GET", `/threads/${waits}/state`)).json.tasks[0].interrupts[0].id;
  checkpoint = (await call(server, "GET", `/threads/${waits}/state`)).json.checkpoint.checkpoint_id;
});
const other = "0".repeat(32), deep = (n) => n === 0 ? 1 : [deep(n - 1)];

// ---- frames that are no commands: 400, no id ---------------------------------------
const frames = [
  ["", "got nothing"], ["{", "a command is JSON: line 1"], ["nope", "a command is JSON: line 1"], ["[1,2", "a command is JSON"],
  ['{"id":1,"method":"state.get",}', "a command is JSON: line 1, column 29"], ["{}", "method: expected a string, got nothing"],
  ["[]", "expected a command, an object, got an array"], ["null", "an object, got null"], ["7", "an object, got a number"], ['"run.start"', "an object, got a string"], ["true", "an object, got a boolean"],
  [{ id: 1 }, "method: expected a string, got nothing"], [{ id: 1, method: 2 }, "method: expected a string, got a number"], [{ id: 1, method: null }, "method: expected a string, got null"],
  [{ method: "run.start" }, "id: expected a whole number from 0 to 9007199254740991, got nothing"], [{ id: null, method: "run.start" }, "id: expected a whole number", "got null"],
  [{ id: "1", method: "run.start" }, "id: expected a whole number", "got a string"], [{ id: -1, method: "run.start" }, "id: expected", "got another number"],
  [{ id: 1.5, method: "run.start" }, "id: expected a whole number"], ['{"id":9007199254740992,"method":"state.get"}', "id: expected", "got another number"],
  ['{"id":1e99,"method":"state.get"}', "id: expected"], [[{ id: 1, method: "state.get" }], "an object, got an array"],
  [`{"id":1,"method":"state.get","params":${"[".repeat(600)}${"]".repeat(600)}}`, "a command is JSON", "nested"],
  ['{"id":1,"method":"state.get"} {"id":2,"method":"state.get"}', "a command is JSON: line 1, column 31"],
];
for (const [body, ...words] of frames)
  await scenario(`frame ${JSON.stringify(body).slice(0, 80)}`, async () => {
    const r = await post(done, body), what = `frame ${JSON.stringify(body).slice(0, 80)}`;
    equal([r.status, r.json?.type, r.json?.id, r.json?.error], [400, "error", null, "invalid_argument"], what);
    for (const w of words) check(r.json?.message.includes(w), `${what}: says ${w}`, r.text);
  });

// ---- commands: 200, their id, a code ------------------------------------------------
const bad = "invalid_argument", start = (more) => ({ assistant_id: "agent", input: hi, ...more });
const commands = [
  [done, "run.strt", {}, "unknown_command", 'method: no command is called "run.strt"', "did you mean run.start"],
  [done, "", {}, "unknown_command", 'no command is called ""'], [done, "RUN.START", {}, "unknown_command", "RUN.START"], [done, "state", {}, "unknown_command"], [done, "x".repeat(5000), {}, "unknown_command"],
  ...["run.start", "input.respond", "input.inject", "state.get", "state.listCheckpoints", "state.fork", "agent.getTree"].flatMap((m) =>
    [[done, m, 3, bad, "params: expected an object, got a number"], [done, m, [], bad, "params: expected an object, got an array"], [done, m, "x", bad, "params: expected an object, got a string"]]),
  // run.start
  [none, "run.start", {}, bad, "assistant_id: expected an assistant's or a graph's id, got nothing"], [none, "run.start", undefined, bad, "assistant_id"],
  [none, "run.start", { assistant_id: "" }, bad, "assistant_id: expected"], [none, "run.start", { assistant_id: 5 }, bad, "assistant_id: expected a string, got a number"],
  [none, "run.start", { assistant_id: null }, bad, "assistant_id"], [none, "run.start", { assistant_id: "x".repeat(1000) }, bad, "assistant_id"],
  [none, "run.start", start({ assistant_id: "nope" }), bad, 'assistant_id: no assistant or graph has the id "nope"'], [none, "run.start", start({ assistant_id: uuid() }), bad, "assistant_id: no assistant"],
  [none, "run.start", start({ input: 3 }), bad, "input: expected an object, got a number"], [none, "run.start", start({ input: "hi" }), bad, "input: expected an object, got a string"], [none, "run.start", start({ input: [] }), bad, "input: expected an object, got an array"],
  [none, "run.start", start({ input: { messages: 3 } }), bad, "input.messages"], [none, "run.start", start({ input: { messages: [{ role: "nobody", content: "x" }] } }), bad, "input.messages[0]: unknown role"],
  [none, "run.start", start({ config: [] }), bad, "config: expected an object, got an array"], [none, "run.start", start({ config: { configurable: 1 } }), bad, "config.configurable: expected an object"],
  [none, "run.start", start({ config: { recursion_limit: "x" } }), bad, "config.recursion_limit"], [none, "run.start", start({ metadata: "x" }), bad, "metadata: expected an object, got a string"],
  [none, "run.start", start({ multitask_strategy: "whenever" }), bad, 'multitask_strategy: expected "enqueue", "reject", "interrupt" or "rollback", got "whenever"'], [none, "run.start", start({ multitaskStrategy: "whenever" }), bad, 'multitaskStrategy: expected "enqueue"'],
  [none, "run.start", start({ multitask_strategy: 1 }), bad, "multitask_strategy"], [none, "run.start", start({ langsmith_tracer: 1 }), bad, "langsmith_tracer: expected an object"],
  [none, "run.start", start({ langsmith_tracer: { project_name: 1 } }), bad, "langsmith_tracer.project_name: expected a string"],
  [done, "run.start", start({ config: { configurable: { checkpoint_id: "x" } } }), bad, "config.configurable.checkpoint_id: expected a checkpoint's id, a UUID"], [done, "run.start", start({ config: { configurable: { checkpoint_id: 5 } } }), bad, "config.configurable.checkpoint_id"],
  [done, "run.start", start({ config: { configurable: { checkpoint_id: uuid() } } }), "no_such_checkpoint", "checkpoint_id: the thread has no checkpoint"],
  [done, "run.start", start({ config: { configurable: { checkpoint_id: checkpoint } } }), "no_such_checkpoint", "has no checkpoint"],
  [done, "run.start", start({ assistant_id: "hitl" }), bad, "assistant_id: the thread is bound to the assistant"], [waits, "run.start", start({}), bad, "assistant_id: the thread is bound to the assistant"], [waits, "run.start", start({ assistant_id: "hitl", multitask_strategy: "whenever" }), bad, "multitask_strategy: expected"],
  ...["command", "checkpoint", "checkpoint_id", "forkFrom", "context", "webhook", "interrupt_before", "interrupt_after", "after_seconds", "durability", "on_disconnect"].map((k) =>
    [none, "run.start", start({ [k]: "x" }), "not_supported", `${k}: run.start does not take it`]),
  // input.respond
  [none, "input.respond", { interrupt_id: other, response: 1 }, "no_such_run", `Thread with ID ${none} not found`], [fresh, "input.respond", { interrupt_id: other, response: 1 }, "no_such_run", "begin with run.start"],
  [done, "input.respond", { interrupt_id: other, response: 1 }, bad, "input.respond can only be used while the thread is interrupted"], [done, "input.respond", { interrupt_id: "x", response: 1 }, bad, "can only be used while"],
  [done, "input.respond", { interrupt_id: other, response: 1, strict_resume: true }, bad, "can only be used while"],
  [waits, "input.respond", {}, bad, "response: expected an answer, got nothing"], [waits, "input.respond", { response: 1 }, bad, "interrupt_id: expected an interrupt's id, got nothing"], [waits, "input.respond", { interrupt_id: question }, bad, "response: expected an answer, got nothing"],
  [waits, "input.respond", { interrupt_id: 5, response: 1 }, bad, "interrupt_id: expected an interrupt's id, got a number"], [waits, "input.respond", { interrupt_id: other, response: 1 }, "no_such_interrupt", "interrupt_id: nothing waits for an answer to", other],
  [waits, "input.respond", { interrupt_id: "x", response: 1 }, "no_such_interrupt", 'nothing waits for an answer to "x"'], [waits, "input.respond", { interrupt_id: "x", response: 1, strict_resume: true }, "no_such_interrupt"],
  [waits, "input.respond", { interrupt_id: question.toUpperCase() + "0", response: 1 }, "no_such_interrupt"], [waits, "input.respond", { interrupt_id: question, response: 1, namespace: "x" }, bad, "namespace: expected an array of strings, got a string"],
  [waits, "input.respond", { interrupt_id: question, response: 1, namespace: [1] }, bad, "namespace[0]: expected a string, got a number"], [waits, "input.respond", { interrupt_id: question, response: 1, strict_resume: "yes" }, bad, "strict_resume: expected"],
  [waits, "input.respond", { interrupt_id: question, response: 1, update: 3 }, bad, "update: expected an object or [channel, value] pairs, got a number"], [waits, "input.respond", { interrupt_id: question, response: 1, update: [3] }, bad, "update[0]: expected [channel, value]"],
  [waits, "input.respond", { interrupt_id: question, response: 1, goto: 3 }, bad, "goto: expected a node's name"], [waits, "input.respond", { interrupt_id: question, response: 1, goto: "nowhere" }, bad, 'goto: no node is called "nowhere"'],
  [waits, "input.respond", { interrupt_id: question, response: 1, goto: { input: 1 } }, bad, "goto: expected"], [waits, "input.respond", { interrupt_id: question, response: 1, goto: ["finish", { node: "x" }] }, bad, "goto[1].node"],
  [waits, "input.respond", { interrupt_id: question, response: 1, config: 3 }, bad, "config: expected an object"], [waits, "input.respond", { interrupt_id: question, response: 1, metadata: [] }, bad, "metadata: expected an object"],
  [waits, "input.respond", { responses: [] }, bad, "responses: expected an array of at least one", "an empty one"], [waits, "input.respond", { responses: {} }, bad, "responses: expected an array", "an object"],
  [waits, "input.respond", { responses: [3] }, bad, "responses[0]: expected an object, got a number"], [waits, "input.respond", { responses: [{ response: 1 }] }, bad, "responses[0].interrupt_id: expected"],
  [waits, "input.respond", { responses: [{ interrupt_id: question }] }, bad, "responses[0].response: expected an answer"], [waits, "input.respond", { responses: [{ interrupt_id: question, response: 1 }, { interrupt_id: other, response: 2 }] }, "no_such_interrupt", "responses[1].interrupt_id", other],
  [waits, "input.respond", { responses: [{ interrupt_id: question, response: 1, namespace: 3 }] }, bad, "responses[0].namespace: expected an array"], [waits, "input.respond", { responses: [{ interrupt_id: question, response: 1 }], interrupt_id: question }, bad, "interrupt_id: not together with responses"],
  [waits, "input.respond", { interrupt_id: question, response: 1, webhook: "http://x" }, "not_supported", "webhook: input.respond does not take it"],
  // input.inject
  [none, "input.inject", { message: { role: "user", content: "x" } }, "no_such_run", "not found"], [fresh, "input.inject", { message: { role: "user", content: "x" } }, "no_such_run", "no run is under way"], [done, "input.inject", { message: { role: "user", content: "x" } }, "no_such_run", "no run is under way on the thread"],
  // state.get, state.listCheckpoints
  [none, "state.get", {}, "no_such_run", "not found"], [done, "state.get", { namespace: ["nowhere"] }, "no_such_namespace", 'namespace: the thread has no state in "nowhere"'], [done, "state.get", { namespace: [1] }, bad, "namespace[0]: expected a string"], [done, "state.get", { namespace: 1 }, bad, "namespace: expected"],
  [done, "state.get", { keys: "messages" }, bad, "keys: expected an array of strings, got a string"], [done, "state.get", { keys: [1] }, bad, "keys[0]: expected a string"], [done, "state.get", { namespace: Array(100).fill("a") }, bad, "namespace: more than 64"],
  [none, "state.listCheckpoints", {}, "no_such_run", "not found"], [done, "state.listCheckpoints", { limit: 0 }, bad, "limit: expected an integer from 1 to 1000, got 0"], [done, "state.listCheckpoints", { limit: 1001 }, bad, "limit"], [done, "state.listCheckpoints", { limit: "x" }, bad, "limit: expected an integer, got a string"],
  [done, "state.listCheckpoints", { before: "x" }, bad, "before: expected a UUID"], [done, "state.listCheckpoints", { before: 5 }, bad, "before: expected a string"], [done, "state.listCheckpoints", { namespace: {} }, bad, "namespace: expected"],
  // state.fork
  [none, "state.fork", { checkpoint_id: uuid() }, "no_such_run", "not found"], [fresh, "state.fork", { checkpoint_id: uuid() }, "no_such_run", "begin with run.start"], [done, "state.fork", {}, bad, "checkpoint_id: expected a checkpoint's id, a UUID, got nothing"],
  [done, "state.fork", { checkpoint_id: "x" }, bad, "checkpoint_id: expected a checkpoint's id, a UUID"], [done, "state.fork", { checkpoint_id: uuid() }, "no_such_checkpoint", "the thread has no checkpoint"], [done, "state.fork", { checkpoint_id: checkpoint }, "no_such_checkpoint"],
  [waits, "state.fork", { checkpoint_id: checkpoint, input: 3 }, bad, "input: expected an object"], [waits, "state.fork", { checkpoint_id: checkpoint, config: 3 }, bad, "config: expected an object"], [waits, "state.fork", { checkpoint_id: checkpoint, config: { configurable: { checkpoint_id: uuid() } } }, bad, "another than the one of checkpoint"],
  [waits, "state.fork", { checkpoint_id: checkpoint, durability: "sync" }, "not_supported", "durability: state.fork does not take it"],
  // agent.getTree
  [none, "agent.getTree", {}, "no_such_run", "not found"], [fresh, "agent.getTree", {}, "no_such_run", "no run was ever on the thread"], [done, "agent.getTree", { run_id: "x" }, bad, "run_id: expected a UUID"], [done, "agent.getTree", { run_id: uuid() }, "no_such_run", "run_id: there is no such run on the thread"], [done, "agent.getTree", { run_id: 3 }, bad, "run_id: expected a string"],
  // subscription.*
  [done, "subscription.subscribe", { channels: ["values"] }, "not_supported", "subscription.subscribe is a command of WebSockets"], [none, "subscription.subscribe", {}, "not_supported"], [done, "subscription.unsubscribe", { subscription_id: "x" }, "not_supported", "subscription.unsubscribe is a command of WebSockets"],
  [done, "subscription.reconnect", { run_id: uuid() }, "not_supported", "subscription.reconnect is not supported", "since"],
];
for (const [thread, method, params, code, ...words] of commands) {
  const what = `${method.slice(0, 40)} ${JSON.stringify(params)?.slice(0, 120)}`;
  await scenario(what, async () => {
    const r = await command(thread, method, params);
    equal([r.status, r.json?.type, r.json?.id, r.json?.error], [200, "error", 7, code], what);
    for (const w of words) check(r.json?.message?.includes(w), `${what}: says ${w}`, r.text);
  });
}

await scenario("nothing has happened", async () => {
  equal((await call(server, "GET", `/threads/${none}`)).status, 404, "no thread was made");
  equal((await call(server, "GET", `/threads/${done}/runs`)).json.length, 1, "no run");
  equal((await call(server, "GET", `/threads/${waits}/runs`)).json.length, 1, "no run of the thread that waits");
  equal((await call(server, "GET", `/threads/${waits}/state`)).json.tasks[0].interrupts[0].id, question, "its question waits");
});

await scenario("unknown parameters are not looked at, and ids are told as they came", async () => {
  for (const id of [0, 1, 4294967296, 9007199254740991])
    equal((await post(done, { id, method: "state.get", params: { namespace: [], bogus: 1 }, more: 1 })).json.id, id, `id ${id}`);
  equal((await post(done, { id: 1, method: "agent.getTree", params: { bogus: {} } })).json.type, "success", "a parameter that nobody knows");
});

// ---- subscriptions: 400, the field ----------------------------------------------------
const streams = [
  ["", "body: expected", "got nothing"], ["{", "body: line 1"], ["[]", "body: expected an object, got an array"], ["7", "body: expected an object, got a number"],
  [{}, "channels: expected an array of at least one channel, got nothing"], [{ channels: [] }, "channels: expected an array of at least one channel, got an empty one"], [{ channels: null }, "channels: expected", "got null"],
  [{ channels: "values" }, "channels: expected an array of strings, got a string"], [{ channels: [1] }, "channels[0]: expected a string, got a number"], [{ channels: {} }, "channels: expected an array"],
  [{ channels: ["valus"] }, 'channels[0]: expected values, updates, messages, tools, lifecycle, input, checkpoints, tasks, custom or custom:NAME, got "valus"', "did you mean values"],
  [{ channels: ["values", "debug"] }, "channels[1]: expected"], [{ channels: ["custom:"] }, "channels[0]: expected"], [{ channels: ["input.requested"] }, "channels[0]: expected"], [{ channels: ["Values"] }, "channels[0]"],
  [{ channels: Array(65).fill("values") }, "channels: more than 64"], [{ channels: ["values"], namespaces: "x" }, "namespaces: expected an array of at most 256 namespaces, got a string"],
  [{ channels: ["values"], namespaces: {} }, "namespaces: expected an array"], [{ channels: ["values"], namespaces: ["a"] }, "namespaces[0]: expected an array of strings, got a string"], [{ channels: ["values"], namespaces: [["a"], [1]] }, "namespaces[1][0]: expected a string"],
  [{ channels: ["values"], namespaces: [null] }, "namespaces[0]: expected an array of strings, got null"], [{ channels: ["values"], namespaces: Array(257).fill([]) }, "namespaces: expected an array of at most 256"], [{ channels: ["values"], namespaces: [Array(65).fill("a")] }, "namespaces[0]: more than 64"],
  [{ channels: ["values"], depth: -1 }, "depth: expected an integer from 0 to"], [{ channels: ["values"], depth: 1.5 }, "depth: expected an integer"], [{ channels: ["values"], depth: "1" }, "depth: expected an integer, got a string"],
  [{ channels: ["values"], since: -1 }, "since: expected an integer of at least 0, got -1"], [{ channels: ["values"], since: "5" }, "since: expected an integer, got a string"], [{ channels: ["values"], since: 1.5 }, "since: expected an integer"],
  [{ channels: ["values"], since: [] }, "since: expected an integer"], [{ channels: deep(600) }, "body:", "nested"],
];
for (const [body, ...words] of streams) {
  const what = `stream ${JSON.stringify(body).slice(0, 100)}`;
  await scenario(what, async () => {
    const r = await call(server, "POST", `/threads/${done}/stream/events`, body);
    equal([r.status, r.json?.type, r.json?.id, r.json?.error], [400, "error", null, "invalid_argument"], what);
    for (const w of words) check(r.json?.message?.includes(w), `${what}: says ${w}`, r.text);
  });
}

await scenario("around them", async () => {
  for (const target of ["commands", "stream/events"]) {
    equal((await call(server, "POST", `/threads/nope/${target}`, {})).status, 422, `${target}: a thread's id is a UUID`);
    equal((await call(server, "PUT", `/threads/${done}/${target}`, {})).status, 405, `${target}: PUT`);
  }
  equal((await call(server, "POST", `/threads/${done}/stream/events`, { channels: ["values"], x: "x".repeat(70000) })).status, 413, "a filter is small");
  equal((await call(server, "POST", `/threads/${done}/commands`, "x".repeat(17 << 20))).status, 413, "a command is as large as a request");
});
console.log(`${frames.length + commands.length + streams.length} cases`);
await server.stop();
finish();
