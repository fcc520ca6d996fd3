// pipeline.mjs - modules built by `cohort wasm build` and run by `cohort-wasm-host --exec`.
//
// SPDX-License-Identifier: MIT
import { spawn } from "node:child_process";

const at_once = 40;

function finished(command, args) {
	return new Promise((resolve, reject) => {
		const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
		const timer = setTimeout(() => child.kill("SIGKILL"), 600000);
		let out = "", err = "";
		child.stdout.setEncoding("utf8").on("data", (text) => { out += text; });
		child.stderr.setEncoding("utf8").on("data", (text) => { err += text; });
		child.on("error", reject);
		child.on("close", () => { clearTimeout(timer); resolve({ out, err }); });
	});
}

async function build_some(command, compiler, cache, files, built) {
	const args = [...command.slice(1), "--any", "--compiler", compiler, "--cache", cache, ...files];
	const { out, err } = await finished(command[0], args);
	for (const line of out.split("\n")) {
		const file = files.find((f) => line.startsWith(`${f}: `));
		if (file)
			built.set(file, { object: line.slice(line.lastIndexOf(": ") + 2) });
	}
	for (const file of files)
		if (!built.has(file))
			built.set(file, { refused: err.split("\n").filter((l) => l.includes(file)).join(" ") || err.slice(-300) || "it is not built" });
}

/**
 * Builds module files, two at a time.  Gives a map of each file to { object } or { refused: words }.
 * command: the program and its arguments up to its flags.
 */
export async function build(command, compiler, cache, files) {
	const built = new Map(), parts = [];
	const size = Math.min(at_once, Math.ceil(files.length / 2));
	for (let i = 0; i < files.length; i += size)
		parts.push(files.slice(i, i + size));
	const worker = async () => {
		for (let part = parts.shift(); part !== undefined; part = parts.shift())
			await build_some(command, compiler, cache, part, built);
	};
	await Promise.all([worker(), worker()]);
	return built;
}

/** What the console answers to `lines`; [0] is that of the first instance. */
export function run(host, object, lines) {
	return new Promise((resolve, reject) => {
		const child = spawn(host, ["--exec", object], { stdio: ["pipe", "pipe", "pipe"] });
		let out = "", err = "";
		const timer = setTimeout(() => child.kill("SIGKILL"), 120000);
		child.stdout.setEncoding("utf8").on("data", (text) => { out += text; });
		child.stderr.setEncoding("utf8").on("data", (text) => { err += text; });
		child.stdin.on("error", () => {});
		child.on("error", reject);
		child.on("close", (code, signal) => {
			clearTimeout(timer);
			const answers = out.split("\n").filter((l) => l.startsWith("=") || l.startsWith("trap ") || l.startsWith("error "));
			if (code !== 0 || answers.length !== lines.length + 1)
				err = `the host ended with ${signal ?? code} after ${answers.length} of ${lines.length + 1} answers: ${err.trim()}`;
			else
				err = "";
			resolve({ answers, err });
		});
		child.stdin.end(lines.map((l) => l + "\n").join(""));
	});
}
