// chat.mjs - a chat without a browser: the sequences of chat-lib.mjs over the
// stream classes of the SDKs, which the hooks of @langchain/react wrap, and what
// agent-chat-ui sends, recorded.
//   node chat.mjs [-v WORD] [SDK...]      sequences with the word; 1.15, 1.11, 1.9, ui
import { chat, chatServer, textOf } from "./chat-lib.mjs";
import { Tab, sdkOf } from "./chat-tab.mjs";
import { call, check, equal, finish, freePort, parseEvents, scenario, scratch, until } from "./lib.mjs";

const reference = process.env.REFERENCE;
const args = process.argv.slice(2), v = args.indexOf("-v"), only = v < 0 ? "" : args.splice(v, 2)[1];
const wanted = (name) => !args.length || args.includes(name);
const begin = (dir, port) => () => reference ? { url: reference } : chatServer({ dir, port });

async function sdk(version) {
  const name = `SDK ${version}`, dir = scratch(), port = await freePort();
  const classes = await sdkOf(version);
  let tabs = [];
  await chat({
    name, kind: version === "1.15" ? "new" : "old", only, reference: !!reference, begin: begin(dir, port),
    open: async (...what) => {
      tabs.push(new Tab(classes, ...what));
      await tabs.at(-1).when((view) => view.status !== "loading");
      return tabs.at(-1);
    },
    close: async () => { await Promise.all(tabs.map((t) => t.close())); tabs = []; },
  });
}

// ---- agent-chat-ui ----------------------------------------------------------
//
// Its requests as they leave a browser (main of 2026, on the classic hook), with
// ids put in: info, search, runs, history, edit, regenerate, agent-inbox answers.

async function ui() {
  const server = await begin(scratch(), await freePort())(), origin = "http://localhost:3000";
  const ask = async (method, target, body) => {
    const r = await call(server, method, target, body, { origin });
    check(reference || ["*", origin].includes(r.headers.get("access-control-allow-origin")), `ui: ${method} ${target.replace(/[0-9a-f-]{36}/, "ID")}: a page on localhost may read it`);
    if (r.status !== 200) throw new Error(`${method} ${target}: ${r.status} ${r.text}`);
    return r;
  };
  const modes = { stream_mode: ["values", "messages-tuple", "custom"], stream_subgraphs: true, stream_resumable: true, on_disconnect: "continue" };
  const answer = { stream_mode: ["messages-tuple", "values", "custom"], stream_resumable: false, on_disconnect: "cancel" };
  const human = (text) => ({ id: crypto.randomUUID(), type: "human", content: [{ type: "text", text }] });
  const run = async (thread, assistant_id, more, how = modes) => {
    const events = parseEvents((await ask("POST", `/threads/${thread}/runs/stream`, { assistant_id, ...how, ...more })).text);
    check(!events.some((e) => e.event === "error"), "ui: no error event", events.find((e) => e.event === "error")?.data);
    return events;
  };
  const history = async (thread) => (await ask("POST", `/threads/${thread}/history`, { limit: 10 })).json;
  const found = async (graph_id) => (await ask("POST", "/threads/search", { metadata: { graph_id }, limit: 100, offset: 0 })).json;
  const create = async () => (await ask("POST", "/threads", { metadata: {} })).json.thread_id;
  const texts = (state) => state.values.messages.map((m) => textOf(m.content));
  // The checkpoint to go on from beside the message: before the first state that has it.
  const before = (states, id) => {
    const { checkpoint_id, checkpoint_ns } = states.findLast((s) => s.values.messages?.some((m) => m.id === id)).parent_checkpoint;
    return { checkpoint_id, checkpoint_ns, checkpoint_map: null };
  };
  const waiting = (states) => states[0].tasks.flatMap((t) => t.interrupts);

  let thread, states;
  await scenario("ui: a page opens, two turns", async () => {
    await ask("GET", "/info");
    check(reference || (await found("desk")).length === 0, "ui: no thread yet");
    thread = await create();
    const first = human("hello"), events = await run(thread, "desk", { input: { messages: [first] } });
    equal([events[0].event, events.some((e) => /^messages/.test(e.event)), events.findLast((e) => e.event === "values").json.messages[0].id], ["metadata", true, first.id], "ui: metadata, messages, values; its id is kept");
    await run(thread, "desk", { input: { messages: [human("bees")] } });
    states = await history(thread);
    equal(texts(states[0]), ["hello", "Hello, what can I do for you?", "bees", "Bees waggle."], "ui: the newest state first");
    equal(states[0].values.messages[0].content, first.content, "ui: content blocks are kept");
    equal((await found("desk")).filter((t) => t.thread_id === thread).map((t) => t.values?.messages.length), [4], "ui: the list of threads has it, with its first message");
  });
  await scenario("ui: edit, then regenerate", async () => {
    await run(thread, "desk", { input: { messages: [human("ants")] }, checkpoint: before(states, states[0].values.messages[2].id) });
    states = await history(thread);
    equal(texts(states[0]), ["hello", "Hello, what can I do for you?", "ants", "Ants march."], "ui: edited");
    const old = states[0].values.messages[3].id;
    await run(thread, "desk", { checkpoint: before(states, old) });
    states = await history(thread);
    equal(texts(states[0]), ["hello", "Hello, what can I do for you?", "ants", "Ants march."], "ui: regenerated");
    check(states[0].values.messages[3].id !== old, "ui: as another message");
    const parents = states.map((s) => s.parent_checkpoint?.checkpoint_id);
    equal(new Set(parents).size, parents.length - 2, "ui: two points where one can choose");
  });
  await scenario("ui: stop lets go of the stream", async () => {
    const abort = new AbortController();
    const r = await fetch(`${server.url}/threads/${thread}/runs/stream`, { method: "POST", headers: { "content-type": "application/json", origin }, signal: abort.signal, body: JSON.stringify({ assistant_id: "desk", ...modes, input: { messages: [human("count slowly")] } }) });
    let text = "";
    for await (const chunk of r.body) { text += new TextDecoder().decode(chunk); if (text.includes("event: messages")) break; }
    abort.abort();
    equal((await until(async () => (await call(server, "GET", `/threads/${thread}/runs`)).json.every((x) => !["pending", "running"].includes(x.status)), "the run to end")), true, "ui: the run goes on to its end");
    check(texts((await history(thread))[0]).at(-1).endsWith("thirty"), "ui: with the whole answer");
  });
  await scenario("ui: a call without its result", async () => {
    const t = await create(), pay = human("pay");
    await run(t, "desk", { input: { messages: [pay] } });
    const [state] = await history(t), [{ id, name }] = state.values.messages[1].tool_calls;
    const filled = { type: "tool", tool_call_id: id, id: `do-not-render-${crypto.randomUUID()}`, name, content: "Successfully handled tool call." };
    await run(t, "desk", { input: { messages: [filled, human("bees")] } });
    states = await history(t);
    equal([texts(states[0]), waiting(states).length], [["pay", "", filled.content, "bees", "Bees waggle."], 0], "ui: it is filled in, nothing waits any more");
  });
  await scenario("ui: agent-inbox", async () => {
    const t = await create();
    const events = await run(t, "inbox", { input: { messages: [human("hello")] } });
    equal(events.findLast((e) => e.event === "values").json.__interrupt__?.[0].value[0].action_request, { action: "send_mail", args: { to: "Ann" } }, "ui: asked in the stream");
    equal(waiting(await history(t)).length, 1, "ui: and in the state");
    await run(t, "inbox", { input: {}, command: { resume: [{ type: "accept", args: null }] } }, answer);
    states = await history(t);
    equal([texts(states[0]).at(-1), waiting(states).length], ['answered [{"type":"accept","args":null}]', 0], "ui: {} beside a command is no input");
    await run(t, "inbox", { input: { messages: [human("bees")] } });
    await run(t, "inbox", { input: {}, command: { goto: "__end__" } }, answer);
    equal(waiting(await history(t)).length, 1, "ui: \"mark as resolved\" leaves the question, as on the official server");
  });
}

await Promise.all([...["1.15", "1.11", "1.9"].filter(wanted).map(sdk), ...(wanted("ui") ? [ui()] : [])]);
finish();
