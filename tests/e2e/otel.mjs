// otel.mjs - traces: what a collector gets of runs, what callers and callees are told of
// them, and what becomes of spans that it does not take.
import http from "node:http";
import { checkTree, startCollector } from "./otel-lib.mjs";
import { call, check, equal, finish, metric, scenario, scratch, startServer, until } from "./lib.mjs";
import { standWorker } from "./stand-worker.mjs";

// A model that calls a tool once, and is slow when it is asked to be; and a server of MCP.
const told = [];
let held = [];
const model = http.createServer((req, res) => {
  let text = "";
  req.on("data", (d) => { text += d; });
  req.on("end", () => {
    const body = JSON.parse(text || "{}");
    told.push({ path: req.url, headers: req.headers, body });
    if (req.url === "/hook") { res.end("{}"); return; }
    if (req.url === "/mcp") {
      const results = { initialize: { protocolVersion: "2025-06-18", capabilities: { tools: {} }, serverInfo: { name: "t", version: "1" } },
        "tools/list": { tools: [{ name: "look", description: "looks", inputSchema: { type: "object" } }] },
        "tools/call": { content: [{ type: "text", text: "seen" }] } };
      res.writeHead(body.id === undefined ? 202 : 200, { "content-type": "application/json" });
      res.end(body.id === undefined ? "" : JSON.stringify({ jsonrpc: "2.0", id: body.id, result: results[body.method] }));
      return;
    }
    const last = body.messages.at(-1), asked = JSON.stringify(body.messages);
    const calls = last.role !== "tool" && asked.includes("use ") ? [{ index: 0, id: "call_1", type: "function",
      function: { name: asked.includes("use mcp") ? "mcp__look" : "current_time", arguments: "{}" } }] : undefined;
    const answer = () => {
      if (asked.includes("break")) { res.writeHead(400, { "content-type": "application/json" }); res.end("{\"error\":{\"message\":\"no such thing\"}}"); return; }
      res.writeHead(200, { "content-type": "text/event-stream" });
      const say = (x) => res.write(`data: ${JSON.stringify({ id: "c1", model: "m-1", ...x })}\n\n`);
      say({ choices: [{ delta: calls ? { tool_calls: calls } : { content: "said a secret" } }] });
      say({ choices: [{ delta: {}, finish_reason: calls ? "tool_calls" : "stop" }] });
      say({ choices: [], usage: { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 } });
      res.end("data: [DONE]\n\n");
    };
    if (asked.includes("slow") && held) held.push(answer); else answer();
  });
});
await new Promise((resolve) => model.listen(0, "127.0.0.1", resolve));
const at = `http://127.0.0.1:${model.address().port}`;
const args = (collector, ...more) => ["--shards", "2", "--otel-endpoint", collector.url, "--mcp-hosts", `127.0.0.1:${model.address().port}`,
  "--webhooks-disable-loopback=false", "--webhooks-allow-private", ...more];
const open = (collector, { more = [], ...rest } = {}) => startServer({ args: args(collector, ...more),
  env: { OPENAI_BASE_URL: `${at}/v1`, OPENAI_API_KEY: "sk-t", MODEL_NAME: "openai:mock", ...rest.env }, ...rest });
const input = (text) => ({ messages: [{ role: "user", content: text }] });
const wait = (s, body, headers) => call(s, "POST", "/runs/wait", { assistant_id: "agent", ...body }, headers);
const run = async (s, body, headers) => { const t = (await call(s, "POST", "/threads", {})).json.thread_id;
  return { t, r: await call(s, "POST", `/threads/${t}/runs/wait`, { assistant_id: "agent", ...body }, headers) }; };
const whole = (c, trace, n) => until(() => c.spans.filter((s) => s.trace === trace).length >= n && c.spans.filter((s) => s.trace === trace), `${n} spans of ${trace}`);
const one = (spans, name) => spans.filter((s) => s.name === name);
const trace = "0af7651916cd43dd8448eb211c80319c", caller = "b7ad6b7169203331";

await scenario("a run below its caller, down to its calls", async () => {
  const c = await startCollector(), s = await open(c, { more: ["--otel-headers", "authorization=Basic%20x,a=b"] });
  told.length = 0;
  const { t, r } = await run(s, { input: input("use it"), webhook: `${at}/hook` }, { traceparent: `00-${trace}-${caller}-01` });
  equal(r.status, 200, "it runs");
  // request, run, 3 steps (agent, tools, agent) and the one of the input, 3 tasks, 2 models, 1 tool
  const spans = await until(() => { const l = c.spans.filter((x) => x.trace === trace); return one(l, "POST /threads/{thread_id}/runs/wait").length && one(l, "invoke_agent agent").length && l; }, "the run's spans");
  checkTree(spans, "run", [caller]);
  const [http1] = one(spans, "POST /threads/{thread_id}/runs/wait"), [agent] = one(spans, "invoke_agent agent"), [tool] = one(spans, "execute_tool current_time");
  equal([http1.kind, http1.parent, http1.at["http.response.status_code"], http1.at["http.route"], http1.at["client.address"]], [2, caller, 200, "/threads/{thread_id}/runs/wait", "127.0.0.1"], "the request");
  equal([agent.parent, agent.at["gen_ai.operation.name"], agent.at["gen_ai.conversation.id"], agent.at["session.id"], agent.at["cohort.run.status"]], [http1.id, "invoke_agent", t, t, "success"], "the run");
  check(!Object.keys(agent.at).some((k) => k.startsWith("gen_ai.usage")), "tokens are counted once: not in the run's span", agent.at);
  const models = one(spans, "chat mock").sort((a, b) => Number(a.start - b.start));
  equal(models.map((m) => [m.kind, m.at["gen_ai.operation.name"], m.at["gen_ai.provider.name"], m.at["gen_ai.system"], m.at["gen_ai.request.model"],
    m.at["gen_ai.usage.input_tokens"], m.at["gen_ai.usage.output_tokens"], m.at["gen_ai.response.finish_reasons"]]),
  [[3, "chat", "openai", "openai", "mock", 11, 7, ["tool_calls"]], [3, "chat", "openai", "openai", "mock", 11, 7, ["stop"]]], "the models");
  equal([tool.at["gen_ai.operation.name"], tool.at["gen_ai.tool.name"], tool.at["gen_ai.tool.call.id"]], ["execute_tool", "current_time", "call_1"], "the tool");
  const by = new Map(spans.map((x) => [x.id, x])), up = (x) => by.get(x.parent);
  for (const x of [...models, tool]) {
    check(up(x).name.startsWith("task "), "a call is below a task", up(x));
    check(up(up(x)).name.startsWith("step "), "a task is below a step", up(up(x)));
    equal(up(up(up(x))).id, agent.id, "a step is below the run");
    check(x.start >= up(x).start && x.end <= up(x).end, "a call is within its task", [x, up(x)]);
  }
  const asked = told.filter((x) => x.path === "/v1/chat/completions").map((x) => x.headers.traceparent);
  equal(asked, models.map((m) => `00-${trace}-${m.id}-01`), "the model is told its span");
  const hook = await until(() => told.find((x) => x.path === "/hook"), "the webhook");
  equal(hook.headers.traceparent, `00-${trace}-${agent.id}-01`, "a webhook is told the run's span");
  check(!JSON.stringify(c.spans.map((x) => x.at)).includes("secret"), "no content unless it is asked for");
  check(c.headers.every((h) => h.authorization === "Basic x" && h.a === "b"), "the headers are sent, decoded", c.headers[0]);
  equal(agent.resource["service.name"], "cohort", "service.name");
  await s.stop(); await c.close();
});

await scenario("MCP, workers and content", async () => {
  const c = await startCollector(), s = await open(c, { more: ["--otel-content", "--otel-service-name", "mine"] });
  told.length = 0;
  await run(s, { input: input("use mcp"), config: { configurable: { mcp_config: { url: at, tools: ["look"], auth_required: false } } } }, { traceparent: `00-${trace}-${caller}-01` });
  const spans = await until(() => one(c.spans, "invoke_agent agent").length && one(c.spans, "execute_tool mcp__look").length && c.spans, "its spans");
  checkTree(spans, "mcp", [caller]);
  const asked = told.find((x) => x.body.method === "tools/call"), [tool] = one(spans, "execute_tool mcp__look");
  equal(asked.body.params._meta.traceparent, `00-${trace}-${tool.id}-01`, "a server of MCP is told the tool's span");
  const m = one(spans, "chat mock").sort((a, b) => Number(a.start - b.start));
  equal(JSON.parse(m[0].at["gen_ai.input.messages"]).at(-1), { role: "user", parts: [{ type: "text", content: "use mcp" }] }, "what the model is told");
  equal(JSON.parse(m[1].at["gen_ai.output.messages"]), [{ role: "assistant", parts: [{ type: "text", content: "said a secret" }], finish_reason: "stop" }], "what it says");
  equal(JSON.parse(m[0].at["gen_ai.output.messages"])[0].parts, [{ type: "tool_call", id: "call_1", name: "mcp__look", arguments: {} }], "its call");
  equal([tool.at["gen_ai.tool.call.arguments"] !== undefined, tool.at["gen_ai.tool.call.result"].includes("seen")], [true, true], "what the tool is given and gives");
  equal(m[0].resource["service.name"], "mine", "service.name is a setting");
  const w = await standWorker(s, { graphs: [{ id: "g" }] }, { run: async (task) => { await task.end({ status: "success", output: {} }); } });
  await run(s, { assistant_id: "g", input: { a: 1 } }, { traceparent: `00-${trace.replace("0af", "1af")}-${caller}-01` });
  const hosted = await until(() => one(c.spans, "invoke_agent g")[0], "the worker's run");
  equal(w.tasks[0].traceparent, `00-${hosted.trace}-${hosted.id}-01`, "a worker is told the run's span");
  await w.leave(); await s.stop(); await c.close();
});

await scenario("who is traced", async () => {
  const c = await startCollector(), s = await open(c, { more: ["--otel-sample", "0"] });
  told.length = 0;
  await run(s, { input: input("hello") });
  await run(s, { input: input("hello") }, { traceparent: `00-${trace}-${caller}-00` });
  check(told.every((x) => /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/.test(x.headers.traceparent)), "what is not recorded says so", told.map((x) => x.headers.traceparent));
  check(told[1].headers.traceparent.startsWith(`00-${trace}-`), "and stays in its trace");
  await wait(s, { input: input("hello") }, { traceparent: `00-${trace}-${caller}-01` });
  await wait(s, { input: input("hello") }, { traceparent: "00-00000000000000000000000000000000-b7ad6b7169203331-01" });
  await s.stop();                      // flushes
  equal([...new Set(c.spans.map((x) => x.trace))], [trace], "only what its caller records");
  equal(one(c.spans, "invoke_agent agent").length, 1, "a run without a thread has its span too");
  await c.close();
  const off = await startServer({ env: { OPENAI_BASE_URL: `${at}/v1`, OPENAI_API_KEY: "sk-t", MODEL_NAME: "openai:mock" } });
  told.length = 0;
  const { t } = await run(off, { input: input("hello") }, { traceparent: `00-${trace}-${caller}-01` });
  equal([told[0].headers.traceparent, (await call(off, "GET", `/threads/${t}/runs`)).json[0].kwargs.traceparent], [undefined, undefined], "without a collector nothing is told or kept");
  await off.stop();
});

await scenario("failures are failures", async () => {
  const c = await startCollector(), s = await open(c);
  await wait(s, { input: input("break") });
  await s.stop();
  checkTree(c.spans, "failed");
  const [agent] = one(c.spans, "invoke_agent agent"), [m] = one(c.spans, "chat mock"), task = c.spans.find((x) => x.name.startsWith("task "));
  equal([agent.status.code, m.status.code, task.status.code], [2, 2, 2], "run, task and model failed");
  check(m.at["error.type"].startsWith("error.llm.") && m.status.message.includes("no such thing"), "the model's says why", m);
  equal(agent.trace, agent.at["cohort.run.id"].replaceAll("-", ""), "a trace that begins here is called as its run");
  await c.close();
});

await scenario("a collector that refuses, and one that is gone", async () => {
  const c = await startCollector((n) => n === 0 ? { status: 429, headers: { "retry-after": "0" } } : n === 1 ? { status: 503, headers: { "retry-after": "1" } } : undefined);
  const s = await open(c, { more: ["--shards", "1"] });
  await wait(s, { input: input("hello") });
  await until(async () => await metric(s, "cohort_trace_spans_exported_total") === c.spans.length && c.spans.length > 0, "spans after two refusals");
  checkTree(c.spans, "after refusals");
  equal([c.requests, await metric(s, "cohort_trace_spans_failed_total")], [3, 0], "the same spans are sent again");
  const before = c.spans.length;
  c.answer = () => ({ body: JSON.stringify({ partialSuccess: { rejectedSpans: "1", errorMessage: "too old" } }) });
  await wait(s, { input: input("hello") });
  await until(async () => await metric(s, "cohort_trace_spans_rejected_total") >= 1, "a refused span");
  const rejected = await metric(s, "cohort_trace_spans_rejected_total");
  check(s.log.includes("trace rejected spans=1"), "and the log says why", s.log);
  equal(await metric(s, "cohort_trace_spans_exported_total"), c.spans.length - rejected, "it is not counted as taken");
  check(c.spans.length > before, "the others are");
  c.answer = () => ({ status: 400, body: "no" });
  await wait(s, { input: input("hello") });
  await until(async () => await metric(s, "cohort_trace_spans_failed_total") > 0, "spans that are given up at once");
  c.answer = () => ({ hang: true });
  await wait(s, { input: input("hello") });
  const end = await s.stop();
  equal(end.code, 0, "a silent collector does not keep the server from stopping");
  check(s.log.includes("trace not_flushed"), "the log says what was lost", s.log.slice(-500));
  await c.close();
});

await scenario("kill -9 in a run", async () => {
  const c = await startCollector(), dir = scratch(), s = await open(c, { dir });
  const t = (await call(s, "POST", "/threads", {})).json.thread_id;
  held = [];
  // the first model call is whole before the kill; the second is cut
  const r = await call(s, "POST", `/threads/${t}/runs`, { assistant_id: "agent", input: input("use it slow") }, { traceparent: `00-${trace}-${caller}-01` });
  (await until(() => held[0], "the first call"))();
  await until(() => held[1], "the second call");
  await until(() => one(c.spans, "execute_tool current_time").length > 0 && one(c.spans, "step 1").length + one(c.spans, "step 0").length > 0, "the first half's spans");
  await s.stop("SIGKILL");
  held = undefined;
  const s2 = await open(c, { dir });
  await until(async () => (await call(s2, "GET", `/threads/${t}/runs/${r.json.run_id}`)).json.status === "success", "the run's end");
  await s2.stop();
  const spans = c.spans;
  checkTree(spans, "killed", [caller]);
  equal([...new Set(spans.map((x) => x.trace))], [trace], "one trace");
  const agents = one(spans, "invoke_agent agent");
  equal([agents.length, agents[0].at["cohort.run.attempt"]], [1, 2], "the run has one span, of its last attempt");
  equal(one(spans, "execute_tool current_time").length, 1, "the tool was called once");
  await c.close();
});

await scenario("settings", async () => {
  const bad = async (more, env, words) => {
    let e; try { await startServer({ args: more, env }); } catch (x) { e = x; }
    check(e?.message.includes(words), `${more} ${JSON.stringify(env)} is refused`, e?.message);
  };
  await bad(["--otel-endpoint", "ftp://x"], {}, "--otel-endpoint: expected http://HOST:PORT");
  await bad(["--otel-sample", "2"], {}, "--otel-sample: expected a number from 0 to 1");
  await bad([], { OTEL_EXPORTER_OTLP_HEADERS: "secretword" }, "OTEL_EXPORTER_OTLP_HEADERS: expected name=value");
  const c = await startCollector();
  const s = await startServer({ env: { OTEL_EXPORTER_OTLP_ENDPOINT: `${c.url}/`, OTEL_SERVICE_NAME: "env", OTEL_TRACES_SAMPLER_ARG: "1.0" } });
  await wait(s, { input: input("hello"), config: { configurable: { model: "scripted:" } } });
  await s.stop();
  check(c.spans.length > 0 && c.spans.every((x) => x.resource["service.name"] === "env"), "OTEL_* variables are settings", c.spans.length);
  await c.close();
});

model.closeAllConnections();
model.close();
finish();
