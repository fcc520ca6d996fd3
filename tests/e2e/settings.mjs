// settings.mjs - GET /settings: what is in effect and where it stands; never a secret.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { binary, call, check, cleanEnv, equal, finish, scenario, scratch, startServer } from "./lib.mjs";

const marker = "m4rkerm4rkerm4rkerm4rkerm4rkerm4rker", dir = scratch();
const keys = path.join(dir, "keys"), file = path.join(dir, "jwt");
const cohort = (...args) => spawnSync(binary, args, { encoding: "utf8", env: cleanEnv() }).stdout;
const key = (...limits) => cohort("token", "--api-key", "--sub", "ops", ...limits).trim().split("\n");
const [admin, one] = key("--limits", "scopes=admin"), [user, other] = key();
writeFileSync(keys, `${one}\n${other}\n`, { mode: 0o600 });
writeFileSync(file, marker, { mode: 0o600 });
writeFileSync(path.join(dir, "cohort.yaml"), `log.level: warn
otel.endpoint: http://u:${marker}@127.0.0.1:9
`, { mode: 0o600 });
const secrets = { COHORT_OPENAI_API_KEY: marker, COHORT_WEBHOOKS_SECRET: marker, COHORT_WEBHOOKS_HEADERS: JSON.stringify({ authorization: marker }),
  COHORT_OTEL_HEADERS: `a=${marker}` };
const server = await startServer({ dir, env: secrets, args: ["--api-keys", keys, "--jwt-secret", `file:${file}`, "--config", path.join(dir, "cohort.yaml")] });
const settings = (k) => call(server, "GET", "/settings", undefined, k ? { "x-api-key": k } : {});

await scenario("who may ask", async () => {
  equal((await settings()).status, 401, "without credentials");
  const x = await settings(user);
  check(x.status === 403 && /scope admin/.test(x.text), "a user", x.text);
});

await scenario("what is told", async () => {
  const x = await settings(admin), at = (k) => x.json.find((s) => s.key === k);
  check(x.status === 200 && !x.text.includes("m4rker"), "no secret, and no password of an address", x.text.match(/.{80}m4rker.{20}/)?.[0]);
  const printed = cohort("config", "--settings").split("\n").filter((l) => l.startsWith("| `")).map((l) => l.split("`")[1]);
  equal(x.json.map((s) => s.key), printed, "every setting, in the order of the documentation");
  equal([at("log.level").value, at("log.level").origin.replace(/^.*\//, ""), at("log.level").source, at("log.level").default], ["warn", "cohort.yaml:1", "file", "info"], "of the file, with its line");
  equal([at("jwt.secret").value, at("jwt.secret").set, at("jwt.secret").origin, at("jwt.secret").source, at("jwt.secret").reread], [null, true, "--jwt-secret", "flag", true], "a secret in a file is read again");
  equal([at("openai.api-key").value, at("openai.api-key").set, at("openai.api-key").source, at("openai.api-key").reread], [null, true, "environment", false], "one in the environment is not");
  equal([at("encryption.key").value, at("encryption.key").set, at("encryption.key").source], [null, false, "default"], "a secret that is not set");
  equal(at("otel.endpoint").value, "http://***@127.0.0.1:9", "an address without its password");
  equal([at("api-keys").reread, at("port").reread], [true, false], "what SIGHUP reads again");
});

await server.stop();
finish();
