// lib.mjs - what every browser set uses: Debian's Chromium by playwright-core,
// pages bundled by esbuild and served on a port of their own, screenshots, waits
// for what the page shows (never for time).
//
// A set begins with `const browser = await chromium()`: without a Chromium, or
// without the packages of tests/browser, it says `skipped: ` and why, and ends.
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { check, equal, freePort, repo } from "../e2e/lib.mjs";

export const here = path.dirname(fileURLToPath(import.meta.url));
export const artifacts = path.join(repo, "results", "browser");    // git ignores it
const places = process.env.CHROMIUM ? [process.env.CHROMIUM] : ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

function skip(why) {
  console.log(`skipped: browser tests: ${why}`);
  console.log("0 passed, 0 failed");
  process.exit(0);
}

export async function chromium(options = {}) {
  const program = places.find((p) => existsSync(p));
  if (!program) skip(`there is no ${places.join(", ")}; tools/deps --test-all installs Debian's chromium, CHROMIUM names another`);
  const playwright = await import("playwright-core").catch(() => skip("playwright-core is missing; `tools/deps --test-all` installs it"));
  const browser = await playwright.chromium.launch({ executablePath: program, args: ["--no-sandbox", "--disable-gpu"], ...options });
  process.on("exit", () => browser.close().catch(() => {}));
  return browser;
}

// A tab with a memory of its faults: .faults are errors that the page threw,
// .refusals the answers >= 400 it got, "404 GET http://...".
export async function openTab(context, url) {
  const tab = await context.newPage();
  tab.faults = [];
  tab.refusals = [];
  tab.on("pageerror", (e) => tab.faults.push(String(e.stack ?? e)));
  tab.on("response", (r) => { if (r.status() >= 400) tab.refusals.push(`${r.status()} ${r.request().method()} ${r.url()}`); });
  if (url) await tab.goto(url);
  return tab;
}

export async function screenshot(tab, set, name) {
  const dir = path.join(artifacts, set);
  mkdirSync(dir, { recursive: true });
  await tab.screenshot({ path: path.join(dir, `${name}.png`), fullPage: true });
}

// Waits until `probe`, run in the page with `arg`, is truthy; what it gave.
// On time-out the error tells what the page shows.
export async function shows(tab, probe, arg, what = String(probe), ms = 60000) {
  try {
    return await (await tab.waitForFunction(probe, arg, { timeout: ms, polling: 20 })).jsonValue();
  } catch (e) {
    const text = await tab.evaluate(() => document.body.innerText).catch(() => "(no page)");
    throw new Error(`page does not show: ${what}\n     ${e.message.split("\n")[0]}\n     it shows: ${text.slice(0, 1500)}\n     faults: ${tab.faults}\n     refusals: ${tab.refusals}`);
  }
}

// The text of the element `selector` is, or matches, `text`.
export const showsText = (tab, selector, text, ms) =>
  shows(tab, ([s, t, pattern]) => {
    const now = document.querySelector(s)?.textContent;
    return now !== undefined && (pattern ? new RegExp(t).test(now) : now === t);
  }, [selector, text instanceof RegExp ? text.source : text, text instanceof RegExp], `${selector} with ${text}`, ms);

export const noFaults = (tab, what) => check(tab.faults.length === 0, `${what}: no error thrown in the page`, tab.faults.join("\n"));

// Serious and critical faults, and a page that sticks out to the side.
export async function faultless(tab, what) {
  await tab.evaluate(readFileSync(path.join(here, "node_modules", "axe-core", "axe.min.js"), "utf8"));
  const { violations } = await tab.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const grave = violations.filter((v) => ["serious", "critical"].includes(v.impact)).map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(" | ")}`);
  equal(grave, [], `${what}: axe-core`);
  equal(await tab.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), 0, `${what}: nothing sticks out to the side`);
}

// One script of `entry` and all it imports; alias: {name: folder or file}.
export async function bundle(entry, { alias = {}, define = {} } = {}) {
  const { build } = await import("esbuild");
  const made = await build({
    entryPoints: [entry], bundle: true, write: false, format: "esm", platform: "browser", target: "es2022", jsx: "automatic",
    absWorkingDir: here, alias, define: { "process.env.NODE_ENV": '"development"', ...define }, logLevel: "error",
  });
  return made.outputFiles[0].text;
}

// Serves files = {"/path": {type, body}} until the process ends; its URL.
export async function serveFiles(files) {
  const port = await freePort();
  const server = http.createServer((req, res) => {
    const file = files[new URL(req.url, "http://page").pathname];
    res.writeHead(file ? 200 : 404, { "content-type": file?.type ?? "text/plain", "cache-control": "no-store" });
    res.end(file?.body ?? "no such page");
  });
  await new Promise((r) => server.listen(port, "127.0.0.1", r));
  server.unref();
  return `http://127.0.0.1:${port}`;
}
