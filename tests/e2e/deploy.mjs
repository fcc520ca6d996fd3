// deploy.mjs - the files of deploy/ are what they claim: Kubernetes' schemas accept the manifests, every
// setting in them is one of the server's, names that files use of each other exist.  Nothing is started
// but a server that must know the paths of the probes; neither Docker nor a cluster is here.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import YAML from "yaml";
import { binary, check, equal, finish, repo, scenario, scratch, startServer } from "./lib.mjs";

const require = createRequire(import.meta.url);
const deploy = path.join(repo, "deploy");
const text = (name) => readFileSync(path.join(deploy, name), "utf8");
const run = (args, env = {}) => execFileSync(binary, args, { env: { PATH: process.env.PATH, HOME: "/", ...env }, cwd: scratch(), encoding: "utf8", timeout: 20000, stdio: ["ignore", "pipe", "pipe"] });

const version = run(["--version"]).trim().split(" ")[1];
const variables = new Set([...run(["config", "--settings"]).matchAll(/`([A-Z][A-Z0-9_]+)`/g)].map((m) => m[1]));

function known(env, where) {
  for (const name of Object.keys(env)) check(variables.has(name), `${where}: ${name} is a setting`);
}

// The values together are a configuration that the server would start with.
function loads(env, where) {
  try {
    const said = run(["config"], env);
    for (const secret of ["PASSWORD", "a-secret"]) check(!said.includes(secret), `${where}: ${secret} is not shown`, said);
  } catch (e) { check(false, `${where}: cohort config`, e.stderr); }
}

// ---- compose -------------------------------------------------------------------------

const SERVICE_KEYS = ["image", "build", "restart", "stop_grace_period", "depends_on", "healthcheck", "environment", "volumes", "shm_size", "command", "ports"];

await scenario("compose.yaml", () => {
  const filled = text("compose.yaml").replace(/\$\{([A-Z_]+):[?-][^}]*\}/g, (_, name) => name.endsWith("KEY") || name === "MODEL_NAME" ? "" : "a-secret-of-32-bytes-or-some-more");
  const c = YAML.parse(filled, { merge: true, uniqueKeys: true });
  check(!/[^$]\$[{A-Za-z]/.test(filled), "compose: every variable is required or has a default");
  equal(Object.keys(c).filter((k) => !k.startsWith("x-")), ["name", "services", "volumes"], "compose: keys");
  const used = new Set();
  for (const [name, s] of Object.entries(c.services)) {
    for (const k of Object.keys(s)) check(SERVICE_KEYS.includes(k), `compose: ${name}.${k} is a key of a service`);
    for (const [other, how] of Object.entries(s.depends_on ?? {})) {
      check(c.services[other], `compose: ${name} depends on ${other}, which is there`);
      check(how.condition === "service_started" || (how.condition === "service_healthy" && c.services[other].healthcheck), `compose: ${other} says when it is healthy`);
    }
    for (const v of s.volumes ?? []) {
      const [from] = v.split(":");
      if (from.startsWith(".")) check(existsSync(path.join(deploy, from)), `compose: ${from} is a file`);
      else used.add(from);
    }
  }
  equal([...used].sort(), Object.keys(c.volumes).sort(), "compose: volumes that are used are declared");
  const nodes = Object.keys(c.services).filter((n) => n.startsWith("cohort-"));
  equal(nodes.length, 3, "compose: three nodes");
  for (const n of nodes) {
    const s = c.services[n];
    equal(s.image, `cohort:${version}`, `compose: ${n} has this version's image`);
    known(s.environment, `compose: ${n}`);
    loads(s.environment, `compose: ${n}`);
    equal(s.environment.COHORT_CLUSTER_NAME, n, `compose: the name of ${n}`);
    check(existsSync(path.join(deploy, s.build.context, s.build.dockerfile)), `compose: ${n} is built from a file that is there`);
  }
  const servers = [...text("nginx.conf").matchAll(/server (\S+):(\d+)/g)].map((m) => [m[1], m[2]]);
  equal(servers, nodes.map((n) => [n, "2024"]), "nginx.conf has every node");
  equal(c.services.proxy.ports, [`127.0.0.1:2024:${text("nginx.conf").match(/listen (\d+)/)[1]}`], "compose: the proxy's port");
});

// ---- Kubernetes ----------------------------------------------------------------------

const documents = (name) => YAML.parseAllDocuments(text(name)).map((d) => { check(d.errors.length === 0, `${name}: YAML`, d.errors); return d.toJS(); });

function validate(doc) {
  const Kind = require(`kubernetes-models/${doc.apiVersion}`)[doc.kind];
  new Kind(doc).validate();
}

await scenario("kubernetes", async () => {
  const all = [...documents("kubernetes/cohort.yaml"), ...documents("kubernetes/secret.yaml")];
  const of = (kind) => all.filter((d) => d.kind === kind);
  for (const d of all) {
    try { validate(d); check(true, ""); } catch (e) { check(false, `${d.kind} ${d.metadata.name}`, e.message); }
  }
  const [set] = of("StatefulSet"), pod = set.spec.template, [c] = pod.spec.containers;
  // The schemas refuse what is wrong.
  for (const [what, bad] of [["a number as text", { ...set, spec: { ...set.spec, replicas: "three" } }],
    ["no selector", { ...set, spec: { ...set.spec, selector: undefined } }]]) {
    let refused = false;
    try { validate(bad); } catch { refused = true; }
    check(refused, `the schema refuses ${what}`);
  }
  for (const d of [...of("Service").map((s) => s.spec.selector), set.spec.selector.matchLabels, of("PodDisruptionBudget")[0].spec.selector.matchLabels])
    for (const [k, v] of Object.entries(d)) equal(pod.metadata.labels[k], v, "a selector finds the pods");
  check(of("Service").some((s) => s.metadata.name === set.spec.serviceName && s.spec.clusterIP === "None"), "the set's service is headless");
  equal(c.image, `cohort:${version}`, "this version's image");
  for (const from of c.envFrom) {
    const [kind, ref] = from.configMapRef ? ["ConfigMap", from.configMapRef] : ["Secret", from.secretRef];
    check(of(kind).some((d) => d.metadata.name === ref.name), `${kind} ${ref.name} is there`);
  }
  const env = { ...of("ConfigMap")[0].data, ...of("Secret")[0].stringData };
  known(env, "kubernetes");
  known(Object.fromEntries(c.env.map((e) => [e.name, ""])), "kubernetes");
  loads(env, "kubernetes");
  check(Object.entries(env).every(([k]) => !/(SECRET|STORE|NATS)$/.test(k) || !of("ConfigMap")[0].data[k]), "secrets are in the Secret");
  for (const m of c.volumeMounts) check(m.name === "tmp" ? pod.spec.volumes.some((v) => v.name === m.name) : set.spec.volumeClaimTemplates.some((v) => v.metadata.name === m.name), `volume ${m.name} is there`);
  const grace = pod.spec.terminationGracePeriodSeconds;
  check(grace > Number(c.lifecycle.preStop.exec.command[1]) + 10, "the time to end is longer than the wait before it and the server's own");
  const server = await startServer({ args: ["--store", "memory"] });
  for (const probe of ["startupProbe", "livenessProbe", "readinessProbe"]) {
    const { path: at, port } = c[probe].httpGet;
    equal((await fetch(server.url + at)).status, 200, `${probe} ${at}`);
    check(c.ports.some((p) => p.name === port), `${probe}: port ${port}`);
  }
  await server.stop();
});

// ---- systemd ----------------------------------------------------------------------------

await scenario("cohort@.service", () => {
  const unit = text("systemd/cohort@.service");
  const set = unit.match(/^Environment=(.*)$/m)[1].split(" ").map((s) => s.split("="));
  known(Object.fromEntries(set), "cohort@.service");
  known(Object.fromEntries([...unit.matchAll(/^#\s+(COHORT_[A-Z_]+)=/gm)].map((m) => [m[1], ""])), "cohort@.service");
  if (spawnSync("systemd-analyze", ["--version"]).error) { console.log("skipped: systemd-analyze is not here: cohort@.service is not verified"); return; }
  // The words about our unit are what counts: those about others are this machine's.
  const verify = (text) => {
    const file = path.join(scratch(), "cohort@2024.service");
    writeFileSync(file, text.replace("/usr/local/bin/cohort", binary));
    const { stdout, stderr } = spawnSync("systemd-analyze", ["verify", "--man=no", file], { encoding: "utf8", timeout: 30000 });
    return (stdout + stderr).split("\n").filter((l) => l.includes("cohort@"));
  };
  equal(verify(unit), [], "systemd-analyze verify");
  check(verify(unit.replace("ProtectClock", "ProtectClok")).length === 1, "it finds a slip");
});

finish();
