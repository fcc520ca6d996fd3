// a2a.mjs - assistants as A2A agents: the official client, in 1.0 and in 0.3, and what
// no client sends.
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { ClientFactory, ClientFactoryOptions, DefaultAgentCardResolver, JsonRpcTransportFactory } from "@a2a-js/sdk/client";
import { Role, TaskState } from "@a2a-js/sdk";
import { call, check, equal, finish, parseEvents, scenario, scratch, startMock, startServer, until } from "./lib.mjs";
import { agentFolder, matches } from "./core-lib.mjs";

const dir = scratch(), keys = path.join(dir, "keys");
const hash = (k) => createHash("sha256").update(k).digest("hex");
writeFileSync(keys, `${hash("ck_ann")} ann\n${hash("ck_bob")} bob\n`);
const mock = await startMock(["--delay-ms", "0", "--stream-delay-ms", "0"]);
const slow = await startMock(["--delay-ms", "60000", "--ttft-ms", "0", "--stream-delay-ms", "40", "--tokens", "2000"]);
const server = await startServer({ mock, dir, args: ["--agents", agentFolder(["", "e2e", "openai"]), "--api-keys", keys, "--shards", "2"] });
const lazy = await startServer({ mock: slow, args: ["--agents", agentFolder(["openai"])] });
const auth = (k = "ck_ann") => ({ authorization: `Bearer ${k}` });

// A client of an assistant, of one of the interfaces of its card.
async function connect(assistant, { old = false, key = "ck_ann", to = server } = {}) {
  const fetchImpl = (url, init = {}) => fetch(url, { ...init, headers: { ...init.headers, ...auth(key) } });
  const compat = { legacyCompat: { enabled: old } };
  const factory = new ClientFactory(ClientFactoryOptions.createFrom(ClientFactoryOptions.default, {
    transports: [new JsonRpcTransportFactory({ fetchImpl, ...compat })], cardResolver: new DefaultAgentCardResolver({ fetchImpl, ...compat }), ...compat }));
  const card = await new DefaultAgentCardResolver({ fetchImpl, ...compat }).resolve(to.url, `/a2a/${assistant}/.well-known/agent-card.json`);
  if (old) card.supportedInterfaces = card.supportedInterfaces.filter((i) => i.protocolVersion === "0.3");
  return factory.createFromAgentCard(card);
}
let ids = 0;
const say = (content, more = {}) => ({ tenant: "", metadata: undefined, configuration: more.configuration, message: {
  messageId: `m${ids++}`, contextId: more.contextId ?? "", taskId: more.taskId ?? "", role: Role.ROLE_USER, metadata: undefined, extensions: [], referenceTaskIds: [],
  parts: typeof content === "string" ? [{ content: { $case: "text", value: content }, metadata: undefined, filename: "", mediaType: "" }] : content } });
const dataPart = (value) => [{ content: { $case: "data", value }, metadata: undefined, filename: "", mediaType: "" }];
const ask = (id) => ({ tenant: "", id });
const text = (task) => task.artifacts.flatMap((a) => a.parts).map((p) => p.content?.value).join("");
async function collect(stream) { const out = []; for await (const e of stream) out.push(e.payload); return out; }
async function fails(promise, words, what) {
  const e = await promise.then(() => undefined, (x) => x);
  check(e !== undefined && words.test(`${e.name} ${e.message} ${e.code}`), what, `${e?.name} ${e?.message}`);
}
const post = (body, { headers = {}, assistant = "chat", to = server } = {}) => call(to, "POST", `/a2a/${assistant}`, body, { ...auth(), ...headers });
const v1 = { "a2a-version": "1.0" };
const rpc = (method, params, more) => post({ jsonrpc: "2.0", id: 1, method, params }, more);
const message = (parts, more = {}) => ({ message: { messageId: `r${ids++}`, role: "ROLE_USER", parts, ...more } });

for (const old of [false, true]) {
  const v = old ? "0.3" : "1.0";
  await scenario(`the official client, ${v}`, async () => {
    const chat = await connect("chat", { old });
    const t = await chat.sendMessage(say("hi"));
    check(/^[0-9a-f-]{36}:[0-9a-f-]{36}$/.test(t.id) && t.id.startsWith(`${t.contextId}:`), `${v}: a task, of its thread and run`, t.id);
    equal([t.status.state, text(t)], [TaskState.TASK_STATE_COMPLETED, "echo hi (1)"], `${v}: it answers`);
    equal(t.history.map((m) => [m.role, m.parts[0].content.value]), [[Role.ROLE_USER, "hi"], [Role.ROLE_AGENT, "echo hi (1)"]], `${v}: the history`);
    equal(t.history[0].messageId, `m${ids - 1}`, `${v}: with the client's ids`);
    const again = await chat.sendMessage(say("more", { contextId: t.contextId }));
    equal([again.contextId, text(again), again.history.length], [t.contextId, "echo more (3)", 4], `${v}: on the same context`);
    check(again.id !== t.id, `${v}: another task`);
    const got = await chat.getTask(ask(t.id));
    equal([got.id, got.status.state, text(got)], [t.id, TaskState.TASK_STATE_COMPLETED, "echo hi (1)"], `${v}: the first, again`);
    equal((await chat.getTask({ ...ask(t.id), historyLength: 1 })).history.length, 1, `${v}: some of its history`);
    equal((await chat.sendMessage(say("x", { configuration: { acceptedOutputModes: [], historyLength: 0, returnImmediately: false } }))).history.length, 0, `${v}: none of it`);
    await fails(chat.getTask(ask("nothing")), /not ?found/i, `${v}: no such task`);
    await fails(chat.cancelTask(ask(t.id)), /cancel/i, `${v}: one that has ended cannot be canceled`);
    await fails(collect(chat.resubscribeTask(ask(t.id))), /unsupported|under way/i, `${v}: nor followed`);
    await fails(chat.sendMessage(say("x", { taskId: t.id })), /unsupported|ended/i, `${v}: nor gone on with`);
    if (!old) {
      const list = await chat.listTasks({ tenant: "", contextId: t.contextId, status: 0, pageSize: 1, pageToken: "" });
      equal([list.tasks.map((x) => x.id), list.totalSize], [[again.id], 2], "a list, the newest first");
      equal((await chat.listTasks({ tenant: "", contextId: t.contextId, status: 0, pageToken: list.nextPageToken })).tasks.map((x) => x.id), [t.id], "and the next page");
      equal((await chat.listTasks({ tenant: "", contextId: t.contextId, status: TaskState.TASK_STATE_FAILED, pageToken: "" })).totalSize, 0, "of a state");
    }
  });

  await scenario(`streams, ${v}`, async () => {
    const events = await collect((await connect("chat", { old })).sendMessageStream(say("hello there")));
    equal([events[0].$case, events.at(-1).$case, events.at(-1).value.status.state], ["task", "statusUpdate", TaskState.TASK_STATE_COMPLETED], `${v}: a task first, its end last`);
    const chunks = events.filter((e) => e.$case === "artifactUpdate").map((e) => e.value);
    equal(chunks.map((c) => c.artifact.parts.map((p) => p.content.value).join("")).join(""), "echo hello there (1)", `${v}: pieces make the whole`);
    check(chunks.every((c, i) => c.append === i > 0 && c.lastChunk === (i === chunks.length - 1)), `${v}: the first begins, the last says so`);
    const boss = await collect((await connect("boss", { old })).sendMessageStream(say("x")));
    check(/That was all\./.test(boss.filter((e) => e.$case === "artifactUpdate").map((e) => e.value.artifact.parts[0].content.value).join("")), `${v}: of all that speak`);
    const broken = await collect((await connect("broken", { old })).sendMessageStream(say("x")));
    equal(broken.at(-1).value.status.state, TaskState.TASK_STATE_FAILED, `${v}: a run that fails`);
    check(/not today/.test(broken.at(-1).value.status.message.parts[0].content.value), `${v}: says why`, broken.at(-1).value);
  });

  // a2a-rust#66 (an answer makes another task), a2a-rs#248 (an unknown task is made, a
  // context of another is taken), A2A#1249 (no context beside the task), adk-python#6680
  // (the last piece takes the place of the others: above).
  await scenario(`questions, ${v}`, async () => {
    const confirm = await connect("confirm", { old });
    const t = await confirm.sendMessage(say("pay"));
    equal(t.status.state, TaskState.TASK_STATE_INPUT_REQUIRED, `${v}: it asks`);
    const [words, data] = t.status.message.parts.map((p) => p.content.value);
    check(/Pay 12\? \(yes \/ no\)/.test(words) && data.interrupts[0].id, `${v}: in words and by id`, [words, data]);
    matches((await confirm.getTask(ask(t.id))).status.message.parts[1].content.value, { interrupts: [{ id: data.interrupts[0].id }] }, `${v}: and later`);
    await fails(confirm.cancelTask(ask(t.id)), /cancel/i, `${v}: nothing is under way to cancel`);
    await fails(confirm.sendMessage(say("yes", { taskId: t.id, contextId: "00000000-0000-4000-8000-000000000000" })), /context/i, `${v}: not of another context`);
    const done = await confirm.sendMessage(say("yes", { taskId: t.id }));
    equal([done.id, done.contextId, done.status.state], [t.id, t.contextId, TaskState.TASK_STATE_COMPLETED], `${v}: a text answers, the task is the same`);
    check(/You said yes/.test(text(done)), `${v}: and what it was told`, text(done));
    const got = await confirm.getTask(ask(t.id));
    equal([got.status.state, /You said yes/.test(text(got))], [TaskState.TASK_STATE_COMPLETED, true], `${v}: as it is kept`);
    if (!old) {
      const list = await confirm.listTasks({ tenant: "", contextId: t.contextId, status: 0, pageToken: "" });
      equal([list.totalSize, list.tasks.map((x) => [x.id, x.status.state])], [1, [[t.id, TaskState.TASK_STATE_COMPLETED]]], "both runs are one task of a list, as its newest is");
    }
    const other = await confirm.sendMessage(say("pay"));
    const events = await collect(confirm.sendMessageStream(say(dataPart({ resume: [{ id: other.status.message.parts[1].content.value.interrupts[0].id, value: "no" }] }), { taskId: other.id, contextId: other.contextId })));
    equal([events[0].value.id, events.at(-1).value.status.state], [other.id, TaskState.TASK_STATE_COMPLETED], `${v}: by id, as a stream`);
    const two = await connect("two_asks", { old });
    const q = await two.sendMessage(say(dataPart({ left: null })));
    equal(q.status.state, TaskState.TASK_STATE_INPUT_REQUIRED, `${v}: two questions`);
    await fails(two.sendMessage(say("both", { taskId: q.id })), /2 questions/, `${v}: are answered by id`);
    const all = q.status.message.parts[1].content.value.interrupts.map((i) => ({ id: i.id, value: i.value.q }));
    const end = await two.sendMessage(say(dataPart({ resume: all }), { taskId: q.id }));
    equal(end.status.state, TaskState.TASK_STATE_COMPLETED, `${v}: all at once`);
    matches(end.artifacts[0].parts[0].content.value, { left: "left?", right: "right?" }, `${v}: values are the answer of one that says nothing`);
  });

  await scenario(`a long task, ${v}`, async () => {
    const agent = await connect("agent", { old, to: lazy });
    const atOnce = await agent.sendMessage(say("long", { configuration: { acceptedOutputModes: [], returnImmediately: true } }));
    check([TaskState.TASK_STATE_SUBMITTED, TaskState.TASK_STATE_WORKING].includes(atOnce.status.state), `${v}: at once`, atOnce.status);
    equal((await agent.cancelTask(ask(atOnce.id))).status.state, TaskState.TASK_STATE_CANCELED, `${v}: and canceled`);
    const first = new AbortController(), seen = [];
    let t;
    for await (const e of agent.sendMessageStream(say("long"), { signal: first.signal })) { t = e.payload.value; break; }
    first.abort();
    const following = (async () => { for await (const e of agent.resubscribeTask(ask(t.id))) seen.push(e.payload); })();
    await until(() => seen.filter((e) => e.$case === "artifactUpdate").length > 3, `${v}: followed`);
    const gone = new AbortController(), mine = [];
    const stream = (async () => { for await (const e of agent.sendMessageStream(say("mine"), { signal: gone.signal })) mine.push(e.payload); })().catch(() => {});
    await until(() => mine.length > 3, `${v}: a stream`);
    gone.abort(); await stream;
    equal((await agent.getTask(ask(mine[0].value.id))).status.state, TaskState.TASK_STATE_WORKING, `${v}: goes on when the client leaves`);
    equal((await agent.cancelTask(ask(mine[0].value.id))).status.state, TaskState.TASK_STATE_CANCELED, `${v}: until it is canceled`);
    equal((await agent.cancelTask(ask(t.id))).status.state, TaskState.TASK_STATE_CANCELED, `${v}: canceled while it is followed`);
    await following;
    equal([seen[0].$case, seen.at(-1).value.status.state], ["task", TaskState.TASK_STATE_CANCELED], `${v}: which ends the stream`);
  });
}

await scenario("push notifications", async () => {
  const got = [];
  const receiver = http.createServer((q, a) => { let body = ""; q.on("data", (d) => { body += d; }); q.on("end", () => { got.push({ path: q.url, headers: q.headers, json: JSON.parse(body) }); a.end(); }); });
  await new Promise((f) => receiver.listen(0, "127.0.0.1", f));
  const at = (p) => `http://127.0.0.1:${receiver.address().port}/${p}`, hook = (p, n = 1) => until(() => { const all = got.filter((g) => g.path === `/${p}`); return all.length >= n && all; }, `push ${p}`);
  const kept = scratch(), start = () => startServer({ mock, dir: kept, args: ["--agents", agentFolder(["e2e", "openai"]), "--webhooks-disable-loopback=false"] });
  let to = await start();
  const long = await startServer({ mock: slow, args: ["--agents", agentFolder(["openai"]), "--webhooks-disable-loopback=false"] });
  const config = (p, more = {}) => ({ tenant: "", id: "", taskId: "", url: at(p), token: "", authentication: undefined, ...more });
  const send = (p, more) => ({ acceptedOutputModes: [], taskPushNotificationConfig: config(p, more), returnImmediately: false });
  for (const old of [false, true]) {
    const v = old ? "0.3" : "1.0", chat = await connect("chat", { old, to }), confirm = await connect("confirm", { old, to });
    const t = await chat.sendMessage(say("hi", { configuration: send(`done-${v}`, { token: "t0k", authentication: { scheme: "Bearer", credentials: "s3cret" } }) }));
    const [g] = await hook(`done-${v}`);
    equal([g.headers["x-a2a-notification-token"], g.headers.authorization], ["t0k", "Bearer s3cret"], `${v}: it shows the client's token`);
    if (old) matches(g.json, { kind: "task", id: t.id, contextId: t.contextId, status: { state: "completed" } }, "0.3: a task");
    else matches(g.json, { statusUpdate: { taskId: t.id, contextId: t.contextId, status: { state: "TASK_STATE_COMPLETED" } } }, "1.0: a status");
    const q = await confirm.sendMessage(say("pay", { configuration: send(`asks-${v}`) }));
    await hook(`asks-${v}`);
    const shown = await confirm.getTaskPushNotificationConfig({ tenant: "", taskId: q.id, id: "push" });
    equal([shown.url, shown.taskId], [at(`asks-${v}`), q.id], `${v}: its configuration`);
    await confirm.sendMessage(say("yes", { taskId: q.id }));
    const [first, second] = (await hook(`asks-${v}`, 2)).map((x) => x.json.statusUpdate ?? x.json);
    equal([first.status.state, second.status.state, second.taskId ?? second.id], old ? ["input-required", "completed", q.id] : ["TASK_STATE_INPUT_REQUIRED", "TASK_STATE_COMPLETED", q.id], `${v}: of the question and of the end`);
    const agent = await connect("agent", { old, to: long }), one = new AbortController();
    let run;
    for await (const e of agent.sendMessageStream(say("long"), { signal: one.signal })) { run = e.payload.value; break; }
    equal((await agent.listTaskPushNotificationConfig({ tenant: "", taskId: run.id, pageSize: 0, pageToken: "" })).configs.length, 0, `${v}: none at first`);
    const made = await agent.createTaskPushNotificationConfig(config(`dropped-${v}`, { taskId: run.id, id: "mine", token: "t" }));
    equal([made.id, made.taskId, made.url, made.token], ["mine", run.id, at(`dropped-${v}`), "t"], `${v}: one is made`);
    equal((await agent.listTaskPushNotificationConfig({ tenant: "", taskId: run.id, pageSize: 0, pageToken: "" })).configs.map((x) => x.id), ["mine"], `${v}: and listed`);
    await fails(agent.getTaskPushNotificationConfig({ tenant: "", taskId: run.id, id: "other" }), /no such|not ?found/i, `${v}: no other`);
    await agent.deleteTaskPushNotificationConfig({ tenant: "", taskId: run.id, id: "mine" });
    await fails(agent.getTaskPushNotificationConfig({ tenant: "", taskId: run.id, id: "mine" }), /no such|not ?found/i, `${v}: deleted`);
    await agent.createTaskPushNotificationConfig(config(`late-${v}`, { taskId: run.id, id: "mine" }));
    await agent.cancelTask(ask(run.id));
    const [late] = await hook(`late-${v}`);
    equal((late.json.statusUpdate ?? late.json).status.state, old ? "canceled" : "TASK_STATE_CANCELED", `${v}: one that came later hears of the end`);
    await fails(agent.createTaskPushNotificationConfig(config("x", { taskId: run.id })), /ended/, `${v}: too late`);
  }
  equal(got.filter((g) => g.path.startsWith("/dropped")).length, 0, "a deleted one hears nothing");
  const put = (params, more) => rpc("CreateTaskPushNotificationConfig", params, more);
  const open = (await rpc("SendMessage", message([{ text: "x" }]), { assistant: "confirm" })).json.result.task.id;
  equal((await put({ taskId: open, url: at("x") }, { assistant: "confirm", headers: auth("ck_bob") })).json.error.code, -32001, "bob's is not ann's");
  for (const [params, words] of [[{ url: at("x") }, /loopback/], [{ url: "http://169.254.169.254/" }, /./], [{ url: "file:///x" }, /http/], [{ url: "/x" }, /./], [{}, /./], [{ url: 5 }, /url/], [{ url: "https://h.example/", token: "a\r\nx: y" }, /token/], [{ url: "https://h.example/", authentication: 5 }, /authentication/], [{ url: "https://h.example/", authentication: { scheme: "a b", credentials: "c" } }, /scheme/], [{ url: "https://h.example/", authentication: { scheme: "Bearer", credentials: "c\n" } }, /credentials/], [{ url: "https://h.example/", headers: {} }, /headers/]]) {
    const x = await put({ taskId: open, ...params }, { assistant: "confirm" });
    check(x.json.error?.code === -32602 && words.test(x.json.error.message), `refused: ${JSON.stringify(params)}`, x.text);
    const y = await rpc("SendMessage", { ...message([{ text: "x" }]), configuration: { taskPushNotificationConfig: params } });
    check(y.json.error?.code === -32602, "and with a message", y.text);
  }
  const port = receiver.address().port;
  await new Promise((f) => { receiver.close(f); receiver.closeAllConnections(); });
  const before = got.length, gone = { tenant: "", id: "", taskId: "", url: `http://127.0.0.1:${port}/kept`, token: "", authentication: undefined };
  const late = await (await connect("chat", { to })).sendMessage(say("hi", { configuration: { acceptedOutputModes: [], returnImmediately: false, taskPushNotificationConfig: gone } }));
  await to.stop();
  await new Promise((f) => receiver.listen(port, "127.0.0.1", f));
  to = await start();
  check(await until(() => got.slice(before).find((g) => g.path === "/kept" && g.json.statusUpdate.taskId === late.id), "after a restart"), "and after a restart");
  await to.stop(); await long.stop();
  receiver.close(); receiver.closeAllConnections();
});

await scenario("files", async () => {
  const chat = await connect("chat"), png = Buffer.from("png");
  const t = await chat.sendMessage(say([{ content: { $case: "text", value: "look" }, filename: "", mediaType: "" }, { content: { $case: "raw", value: png }, filename: "a.png", mediaType: "image/png" }, { content: { $case: "url", value: "https://h.example/b.pdf" }, filename: "b.pdf", mediaType: "application/pdf" }]));
  equal(t.status.state, TaskState.TASK_STATE_COMPLETED, "are taken");
  equal(t.history[0].parts.map((p) => [p.content.$case, p.filename, p.mediaType]), [["text", "", ""], ["raw", "a.png", "image/png"], ["url", "b.pdf", "application/pdf"]], "and shown again");
  equal(Buffer.from(t.history[0].parts[1].content.value).toString(), "png", "as they were");
  const state = (await call(server, "GET", `/threads/${t.contextId}/state`, undefined, auth())).json.values.messages[0].content;
  matches(state, [{ type: "text", text: "look" }, { type: "image", source_type: "base64", mime_type: "image/png" }, { type: "file", source_type: "url", url: "https://h.example/b.pdf" }], "as blocks of content");
});

await scenario("cards", async () => {
  const own = (await call(server, "POST", "/assistants", { graph_id: "chat", name: "Ann's own", description: "hers" }, auth())).json.assistant_id;
  for (const target of [`/a2a/${own}/.well-known/agent-card.json`, `/.well-known/agent-card.json?assistant_id=${own}`]) {
    const card = (await call(server, "GET", target, undefined, auth())).json;
    matches(card, { name: "Ann's own", description: "hers", url: `${server.url}/a2a/${own}`, protocolVersion: "0.3.0", capabilities: { streaming: true }, securitySchemes: { bearer: {} } }, target);
    equal(card.supportedInterfaces.map((i) => [i.url, i.protocolBinding, i.protocolVersion]), [[`${server.url}/a2a/${own}`, "JSONRPC", "1.0"], [`${server.url}/a2a/${own}`, "JSONRPC", "0.3"]], "with both versions");
    equal((await call(server, "GET", target, undefined, auth("ck_bob"))).status, 404, "not for bob");
    equal((await call(server, "GET", target)).status, 401, "nor for nobody");
  }
  equal((await call(server, "GET", "/.well-known/agent-card.json", undefined, auth())).status, 422, "of one assistant");
  equal((await (await connect(own)).getAgentCard()).name, "Ann's own", "the client's");
  equal((await rpc("GetExtendedAgentCard", {}, { headers: v1, assistant: own })).json.result.name, "Ann's own", "extended");
});

await scenario("two owners", async () => {
  const own = (await call(server, "POST", "/assistants", { graph_id: "confirm" }, auth())).json.assistant_id;
  const ann = await connect("confirm"), bob = await connect("confirm", { key: "ck_bob" });
  const t = await ann.sendMessage(say("ann's"));
  await fails(bob.getTask(ask(t.id)), /not ?found/i, "bob: get");
  await fails(bob.cancelTask(ask(t.id)), /not ?found/i, "bob: cancel");
  await fails(collect(bob.resubscribeTask(ask(t.id))), /not ?found/i, "bob: follow");
  await fails(bob.sendMessage(say("yes", { taskId: t.id })), /not ?found/i, "bob: answer");
  await fails(bob.sendMessage(say("yes", { taskId: t.id, contextId: t.contextId })), /not ?found/i, "bob: with its context");
  await fails(bob.sendMessage(say("hi", { contextId: t.contextId })), /./, "bob: another on her context");
  equal((await bob.listTasks({ tenant: "", contextId: t.contextId, status: 0, pageToken: "" })).totalSize, 0, "bob: a list");
  equal((await call(server, "POST", `/a2a/${own}`, { jsonrpc: "2.0", id: 1, method: "SendMessage", params: message([{ text: "x" }]) }, auth("ck_bob"))).status, 404, "bob: her assistant");
  await fails((await connect("chat")).getTask(ask(t.id)), /not ?found/i, "a task is of its agent");
  equal((await ann.getTask(ask(t.id))).status.state, TaskState.TASK_STATE_INPUT_REQUIRED, "and ann's is as it was");
  equal((await call(server, "GET", `/threads/${t.contextId}/runs`, undefined, auth())).json.length, 1, "no run came");
});

await scenario("what is refused", async () => {
  const bad = [["{", 400, -32700], ["", 400, -32700], ["[]", 400, -32600], ["5", 400, -32600], ["null", 400, -32600], ["\"x\"", 400, -32600], [{ id: 1, method: "GetTask" }, 400, -32600], [{ jsonrpc: "1.0", id: 1, method: "GetTask" }, 400, -32600], [{ jsonrpc: 2, id: 1, method: "GetTask" }, 400, -32600],
    [{ jsonrpc: "2.0", id: null, method: "GetTask" }, 400, -32600], [{ jsonrpc: "2.0", id: {}, method: "GetTask" }, 400, -32600], [{ jsonrpc: "2.0", id: [1], method: "GetTask" }, 400, -32600], [{ jsonrpc: "2.0", id: true, method: "GetTask" }, 400, -32600], [{ jsonrpc: "2.0", id: 1.5, method: "GetTask" }, 400, -32600], [{ jsonrpc: "2.0", id: "x".repeat(2000), method: "GetTask" }, 400, -32600],
    [{ jsonrpc: "2.0", id: 1 }, 400, -32600], [{ jsonrpc: "2.0", id: 1, method: 5 }, 400, -32600], [{ jsonrpc: "2.0", id: 1, method: "" }, 200, -32601], [{ jsonrpc: "2.0", id: 1, method: "sendMessage" }, 200, -32601], [{ jsonrpc: "2.0", id: 1, method: "message/send " }, 200, -32601], [{ jsonrpc: "2.0", id: 1, method: "GetTask", params: [] }, 200, -32602], [{ jsonrpc: "2.0", id: 1, method: "GetTask", params: "x" }, 200, -32602]];
  for (const [body, status, code] of bad) {
    const x = await post(body);
    equal([x.status, x.json.error?.code], [status, code], JSON.stringify(body).slice(0, 80));
  }
  const params = [[undefined, /message/], [{}, /message/], [{ message: "x" }, /message/], [{ message: {} }, /role/], [{ message: { role: "ROLE_USER" } }, /messageId/], [message([]), /parts/], [message("x"), /parts/], [message(["x"]), /parts\[0\]/], [message([{}]), /parts\[0\]/], [message([{ text: "a", data: {} }]), /parts\[0\]/], [message([{ text: 5 }]), /parts\[0\]/], [message([{ data: [] }]), /data/], [message([{ data: "x" }]), /data/],
    [message([{ raw: "%%" }]), /base64/], [message([{ raw: "" }]), /base64/], [message([{ url: "file:///etc/passwd" }]), /http/], [message([{ url: "x" }]), /http/], [message([{ kind: "text", text: "x" }], { role: "user" }), /role/], [message([{ text: "x" }], { role: "ROLE_AGENT" }), /role/], [message([{ text: "x" }], { messageId: "" }), /messageId/], [message([{ text: "x" }], { messageId: 5 }), /messageId/], [message([{ text: "x" }], { messageId: "x".repeat(5000) }), /messageId/],
    [message([{ text: "x" }], { contextId: "x" }), /contextId/], [message([{ text: "x" }], { config: {} }), /config/], [{ ...message([{ text: "x" }]), config: { configurable: { mcp_config: {} } } }, /config/], [{ ...message([{ text: "x" }]), command: { goto: "x" } }, /command/], [{ ...message([{ text: "x" }]), mcp_config: {} }, /mcp_config/], [{ ...message([{ text: "x" }]), configuration: 5 }, /configuration/], [{ ...message([{ text: "x" }]), configuration: { configurable: {} } }, /configurable/], [{ ...message([{ text: "x" }]), configuration: { historyLength: -1 } }, /historyLength/],
    [{ ...message([{ text: "x" }]), configuration: { returnImmediately: "yes" } }, /returnImmediately/], [{ ...message([{ text: "x" }]), configuration: { webhook: "http://127.0.0.1" } }, /webhook/], [{ ...message([{ text: "x" }]), tenant: "t" }, /tenant/], [message([{ data: { resume: [] } }]), /resume/], [message([{ data: { resume: [{ id: 1 }] } }]), /resume/], [message([{ data: { resume: [{ id: "x", value: 1 }] } }]), /taskId/], [message([{ text: "x" }, { data: { messages: [] } }]), /messages/], [message([{ data: { messages: 5 } }]), /messages/]];
  for (const [p, words] of params) {
    const x = await rpc("SendMessage", p, { headers: v1 });
    check(x.status === 200 && x.json.error?.code === -32602 && words.test(x.json.error.message), `SendMessage ${JSON.stringify(p)?.slice(0, 110)}`, x.text.slice(0, 300));
  }
  equal((await rpc("SendMessage", { ...message([{ text: "x" }]), configuration: { acceptedOutputModes: ["image/png"] } })).json.error.code, -32005, "answers that it does not give");
  equal((await rpc("SendMessage", message([{ text: "x" }], { taskId: "nothing" }))).json.error.code, -32001, "no such task");
  check(/no conversation/.test((await rpc("SendMessage", message([{ text: "x" }]), { assistant: "asker" })).json.error.message), "an agent without a conversation takes data alone");
  for (const id of [undefined, 5, "", ":", "a:b", "00000000-0000-4000-8000-000000000000:00000000-0000-4000-8000-000000000000"]) for (const method of ["GetTask", "CancelTask", "SubscribeToTask"]) equal((await rpc(method, { id })).json.error.code, -32001, `${method} ${id}`);
  for (const p of [{}, { contextId: "x" }, { contextId: "00000000-0000-4000-8000-000000000000", status: "x" }, { contextId: "00000000-0000-4000-8000-000000000000", pageSize: 0 }, { contextId: "00000000-0000-4000-8000-000000000000", pageToken: "x" }, { statusTimestampAfter: "2020-01-01T00:00:00Z" }, { includeArtifacts: true }]) equal((await rpc("ListTasks", p)).json.error.code, -32602, `ListTasks ${JSON.stringify(p)}`);
  for (const version of ["2.0", "0.2", "x", "10", "0.30"]) equal((await rpc("GetTask", {}, { headers: { "a2a-version": version } })).json.error.code, -32009, `version ${version}`);
  for (const version of ["1", "1.0", "1.0.1"]) equal((await rpc("GetTask", {}, { headers: { "a2a-version": version } })).json.error.code, -32001, `version ${version} is spoken`);
  equal((await rpc("message/send", {}, { headers: v1 })).json.error.code, -32601, "a method of another version");
  equal((await rpc("GetTask", {}, { headers: { "a2a-version": "0.3" } })).json.error.code, -32601, "and the other way");
  equal((await post({}, { headers: { accept: "text/html" } })).status, 400, "Accept");
  equal((await post({}, { assistant: "nothing" })).status, 400, "a request comes first");
  equal((await rpc("GetTask", {}, { assistant: "nothing" })).status, 404, "no such assistant");
  equal((await post({ jsonrpc: "2.0", method: "GetTask" })).status, 202, "a notification");
  equal((await call(server, "GET", "/a2a/chat", undefined, auth())).status, 405, "GET");
  equal((await call(server, "POST", "/a2a/chat", {})).status, 401, "nobody");
  equal((await post({}, { headers: { origin: "https://evil.example" } })).status, 403, "a page of somebody's");
  const stream = await rpc("SendStreamingMessage", message([{ data: { messages: 5 } }]));
  check(stream.json?.error?.code === -32602, "what is wrong is told before a stream begins", stream.text);
});

await server.stop(); await lazy.stop();
finish();
