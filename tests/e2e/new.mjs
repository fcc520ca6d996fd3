// new.mjs - `cohort new`: what it makes is whole and works as it stands; what it cannot make it
// says, and leaves nothing.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { binary, call, check, cleanEnv, equal, finish, freePort, scenario, scratch, startProgram } from "./lib.mjs";

const dir = scratch();
const cohort = (args, cwd = dir, env = {}) => spawnSync(binary, args, { cwd, encoding: "utf8", env: cleanEnv(env), timeout: 30000 });
const files = (at) => readdirSync(at, { recursive: true, withFileTypes: true }).filter((f) => f.isFile()).map((f) => path.relative(at, path.join(f.parentPath ?? f.path, f.name))).sort();

await scenario("a project", async () => {
  const made = cohort(["new", "my-shop"]), home = path.join(dir, "my-shop");
  equal([made.status, made.stderr], [0, ""], "it is made");
  equal(files(home), [".gitignore", "README.md", "agents/my-shop.yaml", "cohort.yaml", "compose.yaml", "demo.json", "evals/my-shop.jsonl", "evals/my-shop.yaml"], "its files");
  for (const f of files(home)) {
    check(!readFileSync(path.join(home, f), "utf8").includes("@NAME@"), `${f} has the name`);
    check(made.stdout.includes(f), `${f} is told`, made.stdout);
  }
  const tested = cohort(["agent", "test", "agents/my-shop.yaml"], home);
  check(tested.status === 0 && tested.stdout.includes("3 passed, 0 failed"), "its agent passes its tests", tested.stdout + tested.stderr);
  const measured = cohort(["eval", "run", "evals/my-shop.yaml"], home);
  equal(measured.status, 0, `its eval runs: ${measured.stdout}${measured.stderr}`);

  // What the README and the file of containers start.
  const port = await freePort(), server = await startProgram("serve", ["--port", String(port)], { cwd: home, port, health: "/ok" });
  const { json } = await call(server, "POST", "/runs/wait", { assistant_id: "my-shop", input: { messages: "Where is order 7?" } });
  equal(json.messages.at(-1).content, "It has been delivered.", "its agent answers");
  await server.stop();
  const line = /^ +command: \[(.*)\]$/m.exec(readFileSync(path.join(home, "compose.yaml"), "utf8"))[1].split(", ").slice(1);
  const config = cohort(["config", ...line.map((w) => w.replace("/project", home))], dir, { COHORT_JWT_SECRET: "x".repeat(32) });
  check(config.status === 0 && config.stdout.includes(path.join(home, "agents")), "the container's settings are right", config.stdout + config.stderr);
});

await scenario("names", () => {
  for (const name of ["yes", "X_1"]) {
    equal(cohort(["new", name]).status, 0, name);
    equal(cohort(["agent", "check", `agents/${name}.yaml`], path.join(dir, name)).status, 0, `${name} is an agent`);
  }
  for (const [name, words] of [["a.b", "is not a name"], ["", "is not a name"], [".", "is not a name"], ["../", "is not a name"], ["1st", "is not a name"], ["é", "is not a name"], ["true", "is not a name"], ["null", "is not a name"], ["n".repeat(300), "too long"], ["no/folder", "No such file"], ["my-shop", "is there already"]]) {
    const r = cohort(["new", name]);
    check(r.status === 1 && r.stderr.includes(words), `"${name.slice(0, 10)}" is refused`, r.stderr);
  }
  mkdirSync(path.join(dir, "sub"));
  equal([cohort(["new", "sub/inner/"]).status, existsSync(path.join(dir, "sub/inner/agents/inner.yaml"))], [0, true], "in a folder");
  equal(cohort(["new"]).status, 2, "without a name");
});

await scenario("what fails in the middle leaves nothing", () => {
  const r = spawnSync("sh", ["-c", `ulimit -f 1; trap '' XFSZ; exec "$0" new big`, binary], { cwd: dir, encoding: "utf8", env: cleanEnv({}) });
  check(r.status === 1 && r.stderr.includes("big/") && !existsSync(path.join(dir, "big")), "a full disk", `${r.status} ${r.stderr}`);
});
finish();
