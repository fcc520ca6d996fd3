// evals.mjs - `cohort eval`: the built-in agents with the scripted model over a dataset, scored by
// each scorer; a seeded regression is found, equal pairs are not; a server's assistant.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { binary, check, call, cleanEnv, equal, finish, scenario, scratch, startServer, until } from "./lib.mjs";

const dir = scratch();
const put = (name, text, mode = 0o644) => writeFileSync(path.join(dir, name), typeof text === "string" ? text : JSON.stringify(text), { mode });
function evals(...args) {
  const r = spawnSync(binary, ["eval", ...args], { cwd: dir, encoding: "utf8", timeout: 60000, env: cleanEnv() });
  return { code: r.status, out: r.stdout, err: r.stderr };
}
// The result's path is the last line.
function run(...args) {
  const r = evals("run", ...args), file = r.out.trim().split("\n").at(-1);
  return { ...r, file, result: file.endsWith(".json") ? JSON.parse(readFileSync(path.join(dir, file), "utf8")) : undefined };
}

const capitals = [["France", "Paris"], ["Italy", "Rome"], ["Spain", "Madrid"], ["Peru", "Lima"]];
const question = (i) => `q${String(i).padStart(2, "0")}: the capital of ${capitals[i % 4][0]}?`;
const rules = capitals.map(([match, reply]) => ({ match, reply }));
put("cases.jsonl", Array.from({ length: 40 }, (_, i) => JSON.stringify({ id: `c${i}`, input: question(i), expected: capitals[i % 4][1], tags: [capitals[i % 4][0]] })).join("\n"));
put("good.json", { rules });
put("bad.json", { rules: [...Array.from({ length: 10 }, (_, i) => ({ match: `q${String(4 * i).padStart(2, "0")}`, reply: "no idea" })), ...rules] });
const head = "agent: agent\ndataset: cases.jsonl\nscript: good.json\n";
put("capitals.yaml", `eval: capitals\n${head}threshold: 0.9\nscorers:\n  - {name: right, exact: true}\n  - {name: short, expression: "len(output) < 10"}\n`);

await scenario("a regression is found, equal pairs are not", async () => {
  const a = run("capitals.yaml"), again = run("capitals.yaml", "--jobs", "4"), b = run("capitals.yaml", "--script", "bad.json");
  equal([a.code, a.result.summary.scorers.right.mean, a.result.runs.length, a.result.partial], [0, 1, 40, false], `all right: ${a.err}`);
  equal(again.result.runs.map((r) => r.id), a.result.runs.map((r) => r.id), "with several jobs the order stays");
  equal([b.code, b.result.summary.scorers.right.mean, b.result.summary.scorers.short.mean], [1, 0.75, 1], "below the threshold: exit 1");
  check(/c36 +right +0 +expected "Paris", got "no idea"/.test(b.out), "the cases are listed", b.out);
  const worse = evals("compare", a.file, b.file), same = evals("compare", a.file, again.file), better = evals("compare", b.file, a.file);
  equal([worse.code, /right .* worse$/m.test(worse.out), /short .* same$/m.test(worse.out)], [1, true, true], `worse: ${worse.out}`);
  check(/Passed in A, not in B:[^]*c0 +right +1 to 0/.test(worse.out), "what turned is listed", worse.out);
  equal([same.code, /right .* same$/m.test(same.out)], [0, true], `equal: ${same.out}`);
  equal([better.code, /right .* better$/m.test(better.out)], [0, true], `better: ${better.out}`);
  equal(evals("compare", a.file).code, 1, "without B: the newest beside A");
  const report = evals("report", b.file, "--markdown");
  check(report.code === 0 && report.out.includes("| c0 | right | 0 |"), "the report as Markdown", report.out);
  const page = evals("report", a.file, b.file, again.file, "--html", "-");
  equal([page.code, [...page.out.matchAll(/<h3>([^<]*)/g)].map((m) => m[1]), (page.out.match(/<h2>B: /g) ?? []).length], [0, ["Worse in B (10)", "Same (30)", "Same (40)"], 2], "a page of three, each compared with the first");
  check(/<td class="bad">worse/.test(page.out) && !/<script|https?:/.test(page.out), "verdicts, and nothing from elsewhere");
  equal([evals("report", a.file, b.file).err, evals("report", a.file, "--html", "no/where.html").code, evals("report", ...Array(9).fill(a.file), "--html", "-").code], ["cohort eval report: several results: only with --html\n", 1, 1], "what no page is made of");
  check(/--html: a page shows all/.test(evals("report", a.file, "--all", "--html", "-").err), "a flag without effect");
  spawnSync("mkfifo", [path.join(dir, "pipe")]);
  equal([evals("report", a.file, "--html", "pipe").code, statSync(path.join(dir, "pipe")).isFIFO()], [1, true], "a pipe is not replaced by a file");
});

await scenario("a few cases are no verdict", async () => {
  const a = run("capitals.yaml", "--max-cases", "5", "--quiet"), b = run("capitals.yaml", "--max-cases", "5", "--script", "bad.json", "--quiet");
  const r = evals("compare", a.file, b.file);
  equal([r.code, /right .* unclear$/m.test(r.out)], [0, true], `2 of 5 are unclear: ${r.out}`);
  equal(run("capitals.yaml", "--tag", "Peru").result.runs.length, 10, "--tag");
});

await scenario("each scorer", async () => {
  put("score.mjs", `let s = ""; process.stdin.on("data", (d) => s += d).on("end", () => { const x = JSON.parse(s); console.log(JSON.stringify({ score: x.output === x.expected ? 0.5 : 0, why: x.state.messages.length + " messages" })); });`);
  put("fail.mjs", `console.error("no such thing"); process.exit(3);`);
  put("judge.json", { rules: [{ match: "GRADE", reply: '{"choice": "fair", "why": "so so"}' }, ...rules] });
  put("all.yaml", `eval: all\n${head}repeat: 2\nscorers:
  - {name: shape, schema: {type: string}}
  - {name: object, schema: {type: object}}
  - {name: own, script: [${process.execPath}, score.mjs], pass: 0.5}
  - {name: late, script: [sh, -c, "cat > /dev/null; echo '{\\"score\\": 0.25}'; exec >&-; exec sleep 0.6"]}
  - {name: broken, script: [${process.execPath}, fail.mjs]}
  - {name: kind, judge: {model: "scripted:judge", prompt: "GRADE \${output}", choices: {good: 1, fair: 0.25, bad: 0}}}
`);
  const { result, err } = run("all.yaml", "--script", "judge.json", "--max-cases", "2"), s = result.runs[0].scores;
  equal([result.runs.length, s.shape.score, s.object.score, s.own, s.kind], [4, 1, 0, { score: 0.5, why: "2 messages" }, { score: 0.25, why: "fair: so so" }], `scores: ${err}`);
  equal(s.late.score, 0.25, `a script that exits long after its last word: ${s.late.why}`);
  check(s.broken.score === 0 && /exited with 3: no such thing/.test(s.broken.why), "a script that fails", s.broken);
  check(result.runs[0].judge_usage.input_tokens > 0, "the judge's tokens are counted apart", result.runs[0]);
});

await scenario("replies, answers, and cases that fail", async () => {
  put("ask.yaml", "id: ask\nstate: {ok: {}, messages: {reducer: messages}}\nnodes:\n  ask: {ask: {prompt: Pay?}, writes: {ok: result.value}}\n  say: {llm: {}}\nedges: [[START, ask], [ask, say]]\n");
  put("asked.jsonl", [{ id: "a", input: "x", answers: ["yes"], replies: ["paid"], expected: "paid" }, { id: "b", input: "x", expected: "paid" }].map((c) => JSON.stringify(c)).join("\n"));
  put("asked.yaml", "eval: asked\nagent: ask.yaml\ndataset: asked.jsonl\nscorers: [{name: right, exact: true}]\n");
  const { code, result, out } = run("asked.yaml");
  equal([code, result.runs.map((r) => r.scores.right.score)], [0, [1, 0]], "answered; and one that is not");
  check(/it asks, and the case has no more answers/.test(result.runs[1].error) && out.includes("1 run failed and counts as 0"), "its error is shown", out);
});

await scenario("what is refused", async () => {
  put("wrong.jsonl", '{"id":"a","input":"x","expcted":1}');
  put("wrong.yaml", "eval: w\nagent: agent\ndataset: wrong.jsonl\nscorers: [{name: r, exact: true}]\n");
  put("none.yaml", `eval: w\n${head.replace("agent: agent", "agent: agnt")}scorers: [{name: r, exact: true}]\n`);
  check(/wrong\.jsonl:1: expcted:/.test(evals("run", "wrong.yaml").err), "an unknown member of a case");
  check(/there is no built-in agent 'agnt'/.test(evals("run", "none.yaml").err), "an agent that is not there");
  equal(evals("run", "capitals.yaml", "--jobs", "0").code, 2, "--jobs 0");
  equal(evals("compare", "capitals.yaml", "good.json").code, 1, "what is no result");
});

await scenario("Ctrl-C keeps the finished cases", async () => {
  put("slow.json", { rules: [{ match: "q00", reply: "Paris" }], default: { reply: "x", ttft_ms: 60000 } });
  const child = spawn(binary, ["eval", "run", "capitals.yaml", "--script", "slow.json", "--results", "slow", "--jobs", "2"], { cwd: dir, env: cleanEnv(), stdio: ["ignore", "pipe", "ignore"] });
  let out = "";
  child.stdout.on("data", (d) => { out += d; });
  const ended = new Promise((r) => child.on("close", (code) => r(code)));
  await until(() => readdirSync(`/proc/${child.pid}/task`).length >= 3, "its threads");
  child.kill("SIGINT");
  equal(await ended, 130, "exit 130");
  const result = JSON.parse(readFileSync(path.join(dir, out.trim().split("\n").at(-1)), "utf8"));
  equal([result.partial, result.cases], [true, 40], "the result says that it is partial");
});

await scenario("a server's assistant", async () => {
  const server = await startServer({ args: ["--llm-script", path.join(dir, "good.json")] });
  const { code, result, err } = run("capitals.yaml", "--url", server.url, "--max-cases", "4", "--jobs", "2");
  equal([code, result?.summary.scorers.right.mean, result?.url], [0, 1, server.url], `scored: ${err}`);
  check(result.runs[0].usage.input_tokens > 0, "tokens of the messages", result.runs[0]);
  check(/replies: a server's model answers/.test(evals("run", "asked.yaml", "--url", server.url).err), "replies are refused");
  await server.stop();
});

await scenario("a case from a transcript", async () => {
  put("talk.json", { rules: [{ match: "time", tool_calls: [{ name: "current_time", args: {} }] }, { match: { role: "tool" }, reply: "It is late." }, { match: "go", reply: "Gone." }, { match: "boom", status: 400, reply: "no" }], default: { reply: "As you say." } });
  mkdirSync(path.join(dir, "asking"));
  const ask = "id: ask\nstate: {ok: {}, messages: {reducer: messages}}\nnodes:\n  ask: {ask: {prompt: Pay?}, writes: {ok: result.value}}\n  also: {ask: {prompt: Really?}}\n  say: {llm: {}}\nedges: [[START, ask], [START, also], [ask, say], [also, say]]\n";
  put("asking/ask.yaml", ask);
  put("asking/plain.yaml", "id: plain\nstate: {list: {reducer: append}, key: {}, sum: {}}\nnodes:\n  n: {set: {sum: len(list)}}\nedges: [[START, n]]\n");
  const server = await startServer({ args: ["--agents", path.join(dir, "asking"), "--llm-script", path.join(dir, "talk.json")] });
  const take = (...args) => evals("case", "--url", server.url, ...args);
  const thread = async () => (await call(server, "POST", "/threads", {})).json.thread_id;
  const go = async (id, assistant, body) => (await call(server, "POST", `/threads/${id}/runs/wait`, { assistant_id: assistant, ...body })).json;
  const say = (id, content, assistant = "agent", more = {}) => go(id, assistant, { input: { messages: [{ role: "user", content }] }, ...more });
  const scored = (name, agent, more = []) => {
    put(`${name}.yaml`, `eval: ${name}\nagent: ${agent}\ndataset: ${name}.jsonl\nscorers: [{name: right, exact: true}]\n`);
    const { code, result, out, err } = run(`${name}.yaml`, ...more);
    return [code, result?.summary.scorers.right.mean, result?.runs.length, code === 0 ? "" : out + err];
  };

  const a = await thread();
  await say(a, "what time is it?");
  await say(a, "and go", "agent", { config: { configurable: { api_key: "s3cret", colour: "red" } } });
  const first = take(a, "--replies", "--tag", "x", "--tag", "y"), made = JSON.parse(first.out);
  equal([made.expected, made.replies, made.tags, made.input.messages.map((m) => m.type ?? m.role)], ["Gone.", ["Gone."], ["x", "y"], ["human", "ai", "tool", "ai", "user"]], "the last run, with what was said before it");
  check(/note: the run had config\.configurable\.api_key, and/.test(first.err) && /colour/.test(first.err) && !first.out.includes("s3cret"), "a run's config is told, no secret is shown", first.err);
  const runs = (await call(server, "GET", `/threads/${a}/runs`)).json.map((r) => r.run_id).sort();
  equal(take(a, "--run", runs[0], "--replies", "--into", "taken.jsonl").code, 0, "the first run");
  const one = JSON.parse(readFileSync(path.join(dir, "taken.jsonl"), "utf8"));
  equal([one.id, one.input, one.expected, one.replies.length, one.replies[0].tool_calls[0].name, one.answers], [runs[0], "what time is it?", "It is late.", 2, "current_time", undefined], "a user's words, and replies with calls");
  equal(take(a, "--replies", "--into", "taken.jsonl").code, 0, "the second");
  const twin = take(a, "--replies", "--into", "taken.jsonl");
  check(twin.code === 1 && new RegExp(`taken\\.jsonl:3: id: '${runs[1]}' is the id of line 2`).test(twin.err), "a twin is refused", twin.err);
  equal(readFileSync(path.join(dir, "taken.jsonl"), "utf8").split("\n").length, 3, "and changes nothing");
  equal(scored("taken", "agent"), [0, 1, 2, ""], "they run offline, and score 1");

  const b = await thread();
  const asked = (await say(b, "buy", "ask")).__interrupt__, said = { "Pay?": "yes", "Really?": { sure: true } };
  const waits = take(b);
  check(waits.code === 1 && /waits for an answer: \{"prompt":/.test(waits.err), "a run that waits", waits.err);
  for (const i of asked.toReversed()) await go(b, "ask", { command: { resume: { [i.id]: said[i.value.prompt] } } });
  writeFileSync(path.join(dir, "answered.jsonl"), '{"id":"old","input":"buy","answers":["yes","yes"],"replies":["x"],"expected":"x"}');
  equal(take(b, "--id", "both", "--replies", "--into", "answered.jsonl").code, 0, "answered one by one, the last question first");
  const both = JSON.parse(readFileSync(path.join(dir, "answered.jsonl"), "utf8").split("\n")[1]);
  equal([both.id, both.input, both.answers, both.expected], ["both", "buy", asked.map((i) => said[i.value.prompt]), "As you say."], "answers in the order of the questions; a line without its end is no twin line");
  equal(scored("answered", "asking/ask.yaml"), [0, 1, 2, ""], "and is run");
  equal(scored("answered", "ask", ["--url", server.url, "--tag", "none"])[0], 1, "no case has the tag");

  const c = await thread();
  await go(c, "plain", { input: { list: [1, 2] } });
  await go(c, "plain", { input: { list: [3] } });
  const plain = JSON.parse(take(c).out);
  equal([plain.input.list, plain.input.sum, plain.expected.sum], [[1, 2, 3], 2, 3], "channels: what they held comes first; the output is a map");
  writeFileSync(path.join(dir, "plain.jsonl"), JSON.stringify(plain));
  equal(scored("plain", "asking/plain.yaml"), [0, 1, 1, ""], "and is run");
  await go(c, "plain", { input: { key: "s3cret" } });
  check(/input\.key: it looks like a secret/.test(take(c).err), "a secret in the input", take(c).err);

  const d = await thread();
  await say(d, [{ type: "text", text: "see" }, { type: "image_url", image_url: { url: "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==" } }]);
  check(/input\.messages\[0\]\.content\[1\]: it is a part of type image/.test(take(d).err), "an image", take(d).err);
  const e = await thread();
  check(/the thread has no transcript: it has no runs/.test(take(e).err), "no runs", take(e).err);
  await say(e, "boom");
  check(/run \S+ failed: /.test(take(e).err), "a failed run", take(e).err);
  const copy = (await call(server, "POST", `/threads/${a}/copy`, {})).json.thread_id;
  check(/it is a copy/.test(take(copy).err), "a copy", take(copy).err);
  check(/no transcript of run 019/.test(take(a, "--run", "019").err), "a run that is not there");
  equal([take(a, "--into", "nowhere/x.jsonl").code, take(a, "--into", "capitals.yaml").code, take().code], [1, 1, 2], "a file that cannot be");

  const writers = Array.from({ length: 8 }, (_, i) => new Promise((done) => spawn(binary, ["eval", "case", a, "--url", server.url, "--id", `w${i}`, "--into", "many.jsonl"], { cwd: dir, env: cleanEnv(), stdio: "ignore" }).on("close", done)));
  equal(await Promise.all(writers), Array(8).fill(0), "eight writers at once");
  equal(readFileSync(path.join(dir, "many.jsonl"), "utf8").trim().split("\n").map((l) => JSON.parse(l).id).sort(), Array.from({ length: 8 }, (_, i) => `w${i}`), "lose no line");
  check(!existsSync(path.join(dir, "many.jsonl.part")), "and leave nothing");
  await server.stop();
});
finish();
