// docs-listings.mjs - the listings of README.md and of docs for who writes agents: every ```yaml block is a
// file (an agent, what its first line `# NAME` says, or a part of cohort.yaml), every ```xml block an agent in SCXML, every
// ```markdown block one of another program, and every ```console block a session:
// commands behind `$ ` and what they print.  What README pastes for its own agent runs too.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { binary, check, equal, finish, freePort, repo, scratch } from "./e2e/lib.mjs";

const dir = scratch(), bin = path.join(dir, "bin"), docs = ["README.md", "docs/agents.md", "docs/agents-charts.md", "docs/agents-messages.md", "docs/agents-terminal.md", "docs/tools.md", "docs/models.md", "docs/sessions.md", "docs/sandbox.md"];
mkdirSync(bin);
symlinkSync(binary, path.join(bin, "cohort"));
const shell = (command) => spawnSync("sh", ["-c", `{ ${command}\n} 2>&1 </dev/null`], { cwd: dir, encoding: "utf8", timeout: 20000,
  env: { PATH: `${bin}:${process.env.PATH}` } });

const files = [], sessions = [], settings = [], commands = [];
for (const doc of docs) {
  const blocks = [...readFileSync(path.join(repo, doc), "utf8").matchAll(/^```(\w*)\n([^]*?)^```$/gm)];
  for (const [, kind, text] of blocks) {
    const name = /^# (\S+\.yaml)\n/.exec(text)?.[1] ?? `${/^id: (\S+)$/m.exec(text)?.[1]}.yaml`;
    if (kind === "yaml" && /^(providers|models):/.test(text)) settings.push([doc, text]);
    else if (kind === "yaml" && /^ +- /.test(text)) {     // an item of `do`
      files.push(`${files.length}.yaml`);
      writeFileSync(path.join(dir, files.at(-1)), `id: item${files.length}\nstate: {messages: {reducer: messages}}\nnodes:\n  n:\n    do:\n${text.replace(/^/gm, "    ").trimEnd()}\nedges: [[START, n]]\n`);
    } else if (kind === "yaml") { check(!files.includes(name), `${doc}: one listing is ${name}`); files.push(name); writeFileSync(path.join(dir, name), text); }
    else if (kind === "xml") { const file = `${/ name="(\w+)"/.exec(text)[1]}.scxml`; files.push(file); writeFileSync(path.join(dir, file), text); }
    else if (kind === "markdown") writeFileSync(path.join(dir, `${/^name: (\S+)$/m.exec(text)[1]}.md`), text);
    else if (kind === "console") sessions.push(text);
    else if (kind === "sh") commands.push(...text.split("\n").filter((l) => l.startsWith("cohort ")).map((l) => [doc, l.replace(/ *#.*/, "")]));
    else check(kind !== "" || !/^id:/m.test(text), `${doc}: a listing without its kind`, text);
  }
}
check(files.length >= 5 && sessions.length >= 2, "there are listings", files);
const agents = files.filter((f) => !f.includes(".tests."));
const checked = shell(`cohort agent check ${agents.join(" ")}`);
equal([checked.status, checked.stdout.trim().split("\n").length], [0, agents.length], `the agents of the documents are right: ${checked.stdout}`);
const tested = shell(`cohort agent test ${agents.join(" ")}`);
check(tested.status === 0, "and pass their tests", tested.stdout);

// What needs a server and its threads is not run; its command and flags are there.
for (const [doc, line] of commands) {
  const words = line.match(/(?<=^cohort )[a-z ]+(?= |$)/)[0].trim(), help = shell(`cohort ${words} --help`);
  check(help.status === 0, `${doc}: ${line}`, help.stdout);
  for (const [flag] of line.replace(/"[^"]*"/g, "").matchAll(/--[a-z-]+/g)) check(help.stdout.includes(flag), `${doc}: ${line}: ${flag}`, help.stdout);
}

// Each of cohort.yaml is read by itself, with the entries that it names taken from the others.
const entries = (section) => settings.map(([, text]) => new RegExp(`^${section}:\\n([^]*?)(?=^\\S|(?![^]))`, "m").exec(text)?.[1] ?? "");
check(settings.length >= 2, "models.md has parts of cohort.yaml", settings);
for (const [doc, text] of settings) {
  const more = /^providers:/m.test(text) ? "" : `providers:\n${entries("providers")[0].replaceAll(/(api_key: )[^\s,}]+/g, "$1x")}`;
  const whole = `${text.replaceAll(/(api_key: )(env|file):[^\s,}]+/g, "$1x")}\n${more}`;
  const home = path.join(dir, `settings${whole.length}`);
  mkdirSync(home);
  writeFileSync(path.join(home, "cohort.yaml"), whole, { mode: 0o600 });
  const listed = shell(`cd ${home} && cohort models list`);
  check(listed.status === 0, `${doc}: a part of cohort.yaml is taken`, `${whole}\n${listed.stdout}`);
}
for (const session of sessions)
  for (const part of session.split(/^\$ /m).slice(1)) {
    const [command, ...lines] = part.split("\n");
    equal(shell(command).stdout, lines.join("\n"), `$ ${command}`);
  }

// README, "Your own agent": the commands as they stand, at another port.
const readme = readFileSync(path.join(repo, "README.md"), "utf8");
const own = /^## Your own agent[^]*?(^    cohort agent run[^]*?)^\S/m.exec(readme)?.[1] ?? "";
const port = await freePort(), pasted = mkdirSync(path.join(dir, "pasted/agents"), { recursive: true }) && path.join(dir, "pasted");
writeFileSync(path.join(pasted, "agents/writer.yaml"), readFileSync(path.join(dir, "writer.yaml")));
check(/cohort serve --agents agents &/.test(own) && /curl /.test(own), "README says how to run an agent", own);
const pastedCommands = own.replaceAll("localhost:2024", `localhost:${port}`).replace("serve --agents", `serve --port ${port} --agents`);
const answer = shell(`cd ${pasted}\n${pastedCommands}\nkill %1 2>/dev/null || kill $!; wait`).stdout;
equal(answer.match(/"__interrupt__":\[\{"id":"\w+","value":(.*?\})\}\]/)?.[1], '{"prompt":"Publish?","options":["yes","again"]}', `README's agent asks: ${answer}`);
finish();
