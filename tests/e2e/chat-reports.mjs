// chat-reports.mjs - public bug reports of useStream and its stream class, each with
// a small input on SDK 1.15 (docs/reports.md, "Chats").
//   node chat-reports.mjs [-v WORD]
import { chatServer, textOf } from "./chat-lib.mjs";
import { Tab, sdkOf } from "./chat-tab.mjs";
import { call, check, equal, finish, parseEvents, scenario, until } from "./lib.mjs";

const v = process.argv.indexOf("-v"), only = v < 0 ? "" : process.argv[v + 1];
const reference = process.env.REFERENCE, server = reference ? { url: reference } : await chatServer({}), sdk = await sdkOf("1.15");
const open = async (assistant, thread, options) => { const tab = new Tab(sdk, server, assistant, thread, options); await tab.when((view) => view.status !== "loading"); return tab; };
const idle = (tab, last) => tab.when((view, t) => view.status === "idle" && view.messages.at(-1)?.[1] === t, last);
const asked = (tab, ...what) => tab.when((view, w) => view.status === "idle" && view.interrupts.map((i) => JSON.parse(i)).sort().join() === w.join(), what.sort());
const runs = async (thread) => (await call(server, "GET", `/threads/${thread}/runs`)).json;
const settled = (thread) => until(async () => (await runs(thread)).every((r) => !["pending", "running"].includes(r.status)), "runs to end");
const idOf = (tab, value) => tab.controller.rootStore.getSnapshot().interrupts.find((i) => i.value === value)?.id;
const counting = (tab) => tab.when((view) => view.messages.at(-1)?.[1].startsWith("one two"));

// Every frame of a stream of events until `done(events)`; then it is let go.
async function events(thread, body, done, headers = {}) {
  const abort = new AbortController(), got = await fetch(`${server.url}/threads/${thread}/stream/events`, { method: "POST", signal: abort.signal, headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body) });
  let text = "", list = [];
  for await (const chunk of got.body) {
    text += new TextDecoder().decode(chunk);
    list = parseEvents(text.slice(0, text.lastIndexOf("\n\n") + 2));
    if (done(list)) break;
  }
  abort.abort();
  return list;
}
const root = (e, word) => e.json.method === "lifecycle" && e.json.params.namespace.length === 0 && e.json.params.data.event === word;

const reports = {
  async "langgraphjs 2813: a tab that joins in mid-run is asked, too"() {
    const one = await open("inbox");
    await one.send("count slowly");
    const { thread } = await counting(one), two = await open("inbox", thread);
    await two.when((view) => view.status === "running");
    await two.when((view) => view.status === "idle" && view.interrupts.length === 1);
    equal((await one.when((view) => view.interrupts.length === 1)).interrupts, two.see().interrupts, "2813: both tabs show the question");
  },
  async "langgraphjs 2722, 2379: an answered question does not come back"() {
    const tab = await open("desk");
    await tab.send("pay");
    await tab.when((view) => view.interrupts.length === 1);
    await tab.decide("approve");
    await idle(tab, "The money is on its way.");
    await tab.reload();
    await idle(tab, "The money is on its way.");
    let most = 0;
    tab.controller.rootStore.subscribe(() => { most = Math.max(most, tab.see().interrupts.length); });
    await tab.send("hello");
    await idle(tab, "Hello, what can I do for you?");
    equal([most, tab.see().interrupts], [0, []], "2722: not shown after a reload and one more message");
  },
  async "langgraphjs 2780, langgraph 4028, 5952: two questions, one answer after the other"() {
    const tab = await open("crowd");
    await tab.send("go");
    const { thread } = await asked(tab, "left?", "right?");
    // The page takes a question away when its answer is sent; the run that has it goes on.
    const next = async (question, n) => {
      await until(async () => (await runs(thread)).length === n, "a run of its own");
      await settled(thread);
      await asked(tab, question);
    };
    tab.respond(idOf(tab, "left?"), "L");
    await next("right?", 2);
    tab.respond(idOf(tab, "right?"), "R");
    await next("inside?", 3);
    equal((await runs(thread)).map((r) => r.status), ["interrupted", "interrupted", "interrupted"], "2780: three runs");
    tab.respond(idOf(tab, "inside?"), "I");
    equal((await idle(tab, "L, R, I")).interrupts, [], "2780: all answered");
  },
  async "langgraphjs 2672, agent-protocol 86: all answers in one command, and a question inside an agent"() {
    const tab = await open("crowd");
    await tab.send("go");
    await asked(tab, "left?", "right?");
    await tab.controller.respondAll({ [idOf(tab, "left?")]: 1, [idOf(tab, "right?")]: 2 });
    const { thread } = await asked(tab, "inside?");
    check(tab.controller.rootStore.getSnapshot().interrupts[0].namespace.join().startsWith("within:"), "2672: with its namespace, while live");
    tab.respond(idOf(tab, "inside?"), 3);
    await idle(tab, "1, 2, 3");
    equal((await runs(thread)).length, 3, "86: one run for both answers");
  },
  async "langgraphjs 2703: a reload while the answered run goes on"() {
    const tab = await open("desk");
    await tab.send("pay much");
    await tab.when((view) => view.interrupts.length === 1);
    await tab.decide("approve");
    await counting(tab);
    await tab.reload();
    const view = await tab.when((x) => x.status === "running" && x.messages.at(-1)?.[0] === "ai" && x.messages.at(-1)[1].startsWith("one"));
    equal(view.interrupts, [], "2703: it runs, nothing waits");
    await tab.when((x) => x.status === "idle" && x.messages.at(-1)[1].endsWith("thirty"));
  },
  async "langgraphjs 2295, 2304: one message edited twice"() {
    const tab = await open("desk");
    await tab.send("hello");
    await idle(tab, "Hello, what can I do for you?");
    await tab.send("bees");
    const { thread } = await idle(tab, "Bees waggle.");
    const parents = [];
    for (const [text, answer] of [["ants", "Ants march."], ["bees again", "Bees waggle."]]) {
      await tab.fork(2, text);
      await idle(tab, answer);
      equal(tab.see().messages.length, 4, `2295: ${text}: beside what was there`);
    }
    const states = (await call(server, "POST", `/threads/${thread}/history`, { limit: 50 })).json;
    for (const text of ["bees", "ants", "bees again"]) {
      let s = states.findLast((x) => x.values.messages?.[2] && textOf(x.values.messages[2].content) === text);
      while (s.values.messages.length > 2 || s.metadata.source === "input" || s.metadata.source === "fork") s = states.find((x) => x.checkpoint.checkpoint_id === s.parent_checkpoint.checkpoint_id);
      parents.push(s.checkpoint.checkpoint_id);
    }
    equal(new Set(parents).size, 1, "2295: all three begin at one checkpoint", parents);
  },
  async "assistant-ui 4512: the first message is edited"() {
    const tab = await open("desk");
    await tab.send("bees");
    await idle(tab, "Bees waggle.");
    await tab.fork(0, "ants");
    equal((await idle(tab, "Ants march.")).messages, [["human", "ants"], ["ai", "Ants march."]], "4512: nothing of the first turn is left");
  },
  async "langgraphjs 2701: a stream of events spans runs"() {
    const tab = await open("desk");
    await tab.send("hello");
    const { thread } = await idle(tab, "Hello, what can I do for you?");
    const both = events(thread, { channels: ["lifecycle"], namespaces: [[]], depth: 0 }, (list) => list.filter((e) => root(e, "completed")).length === 2);
    await tab.send("bees");
    await idle(tab, "Bees waggle.");
    equal((await both).filter((e) => root(e, "running") || root(e, "completed")).map((e) => e.json.params.data.event), ["running", "completed", "running", "completed"], "2701: the end of a run is not the end of the stream");
  },
  async "langgraphjs 2805, 2689: after Last-Event-ID nothing comes twice, nothing is missed"() {
    const tab = await open("desk");
    await tab.send("hello");
    const { thread } = await idle(tab, "Hello, what can I do for you?"), filter = { channels: ["values", "messages", "lifecycle"] };
    const whole = await events(thread, filter, (list) => list.some((e) => root(e, "completed")));
    for (const at of [0, Math.floor(whole.length / 2), whole.length - 2]) {
      const rest = await events(thread, filter, (list) => list.some((e) => root(e, "completed")), { "last-event-id": whole[at].id });
      equal(rest.map((e) => e.id), whole.slice(at + 1).map((e) => e.id), `2805: after event ${at} of ${whole.length}`);
    }
  },
  async "ag-ui 2759, CopilotKit 2711: a stop in the first moment"() {
    const tab = await open("desk");
    await tab.send("count for long");
    const thread = await until(() => tab.see().thread, "a thread");
    const [run] = await until(async () => { const r = await runs(thread); return Array.isArray(r) && r.length && r; }, "its run");
    equal((await call(server, "POST", `/threads/${thread}/runs/${run.run_id}/cancel`)).status < 300, true, "2759: the cancel is taken");
    await tab.when((view) => view.status === "idle");
    await settled(thread);
    const state = (await call(server, "GET", `/threads/${thread}/state`)).json;
    equal([(await runs(thread))[0].status, /thirty/.test(JSON.stringify(state.values))], ["interrupted", false], "2759: and it did not go on");
  },
  async "langgraph 8029, 8057: a stop reaches the agent inside"() {
    const tab = await open("team");
    await tab.send("count for long");
    await tab.when((view) => view.scopes.some((x) => /ai: .*(four|five|six|seven)/.test(x)));
    await tab.stop();
    const { thread } = tab.see();
    await settled(thread);
    const state = (await call(server, "GET", `/threads/${thread}/state`)).json;
    equal([(await runs(thread))[0].status, state.values.messages.map((m) => m.type)], ["interrupted", ["human"]], "8057: the run is over, nothing of it was added");
  },
  async "langgraphjs 2820: another thread is opened in mid-run"() {
    const other = await open("desk");
    await other.send("hello");
    const { thread } = await idle(other, "Hello, what can I do for you?");
    const tab = await open("desk");
    await tab.send("count slowly");
    const first = (await counting(tab)).thread;
    await tab.controller.hydrate(thread);
    equal((await idle(tab, "Hello, what can I do for you?")).messages.length, 2, "2820: it shows the other thread alone");
    await settled(first);
    equal([tab.see().messages.length, tab.see().thread], [2, thread], "2820: and still does when the first one's run has ended");
    await tab.controller.hydrate(first);
    check((await tab.when((view) => view.status === "idle" && view.messages.length === 2 && view.messages[0][1] === "count slowly")).messages[1][1].endsWith("thirty"), "2820: the run went on meanwhile");
  },
  async "a queue that the server keeps (queue: \"server\"), a reload, a cancel"() {
    const tab = await open("desk", null, { queue: "server" });
    await tab.send("count for long");
    const { thread } = await counting(tab), [{ run_id }] = await runs(thread);
    // One after the other: requests that are under way together come in any order.
    for (const [i, text] of ["bees", "hello", "ants"].entries()) {
      await tab.queue(text);
      await until(async () => (await runs(thread)).filter((r) => r.status === "pending").length === i + 1, `${text} to wait`);
    }
    await tab.when((view) => view.queued === "3");
    await tab.reload();
    await tab.when((view) => view.queued === "3" && view.status === "running");
    const { id } = tab.controller.queueStore.getSnapshot().find((e) => JSON.stringify(e.values).includes("hello"));
    equal([await tab.controller.cancelQueued(id), tab.see().queued], [true, "2"], "queue: one is taken back");
    equal((await call(server, "POST", `/threads/${thread}/runs/${run_id}/cancel`)).status < 300, true, "queue: the first is cancelled");
    await settled(thread);
    const state = (await call(server, "GET", `/threads/${thread}/state`)).json;
    equal(state.values.messages.filter((m) => m.type === "human").map((m) => textOf(m.content)), ["count for long", "bees", "ants"], "queue: the others ran in order");
    equal((await tab.when((view) => view.queued === "0" && view.status === "idle" && view.messages.at(-1)?.[1] === "Ants march.")).error, "", "queue: and are shown");
  },
  async "deer-flow 2995, 3002: a message is never shown twice"() {
    const tab = await open("desk");
    let most = 0;
    tab.controller.rootStore.subscribe(() => { most = Math.max(most, tab.see().messages.filter(([t]) => t === "human").length); });
    await tab.send("hello");
    await idle(tab, "Hello, what can I do for you?");
    equal(most, 1, "3002: not for a moment");
  },
};
for (const [name, fn] of Object.entries(reports)) if (name.includes(only)) await scenario(name, fn);
finish();
