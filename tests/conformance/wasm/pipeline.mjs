// pipeline.mjs - modules built by `cohort wasm build` and run by `cohort-wasm-host --exec`.
//
// SPDX-License-Identifier: MIT
import { spawn, spawnSync } from "node:child_process";

const at_once = 40;

/**
 * Builds module files.  Gives a map of each file to { object } or { refused: words }.
 * command: the program and its arguments up to the compiler's name.
 */
export function build(command, compiler, cache, files) {
	const built = new Map();
	for (let i = 0; i < files.length; i += at_once) {
		const some = files.slice(i, i + at_once);
		const args = [...command.slice(1), "--any", "--compiler", compiler, "--cache", cache, ...some];
		const r = spawnSync(command[0], args, { encoding: "utf8", timeout: 600000, maxBuffer: 1 << 26 });
		if (r.error)
			throw r.error;
		for (const line of r.stdout.split("\n")) {
			const file = some.find((f) => line.startsWith(`${f}: `));
			if (file)
				built.set(file, { object: line.slice(line.lastIndexOf(": ") + 2) });
		}
		for (const file of some)
			if (!built.has(file))
				built.set(file, { refused: r.stderr.split("\n").filter((l) => l.includes(file)).join(" ") || r.stderr.slice(-300) });
	}
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
