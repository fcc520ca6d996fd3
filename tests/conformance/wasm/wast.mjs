// wast.mjs - the WebAssembly core tests (.wast): made into modules and commands by wast2json
// of wabt, in the spelling of today.
//
// SPDX-License-Identifier: MIT
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync, existsSync } from "node:fs";
import { basename, join } from "node:path";

// Names of instructions before 2019, when `get_local` became `local.get` and
// `f32.convert_s/i32` became `f32.convert_i32_s`.
const names = {
	get_local: "local.get", set_local: "local.set", tee_local: "local.tee",
	get_global: "global.get", set_global: "global.set",
	grow_memory: "memory.grow", current_memory: "memory.size", anyfunc: "funcref",
};
const signed = /\b([if](?:32|64))\.(trunc|convert|extend)_([su])\/([if](?:32|64))\b/g;
const plain = /\b([if](?:32|64))\.(wrap|demote|promote|reinterpret)\/([if](?:32|64))\b/g;

function respell(text) {
	let out = text.replace(/(?<![\w."$-])(get_local|set_local|tee_local|get_global|set_global|grow_memory|current_memory|anyfunc)(?![\w."-])/g,
		(name) => names[name]);
	out = out.replace(signed, "$1.$2_$4_$3").replace(plain, "$1.$2_$3");
	// (assert_return_canonical_nan (invoke "f" ...)): the class of the result stands in the
	// result today, so its type must be known: that of the last function with this name.
	const types = new Map();
	for (const m of out.matchAll(/\(func[^(]*\(export "([^"]+)"\)[^\n]*?\(result (f32|f64)\)|\(assert_return_(canonical|arithmetic)_nan \(invoke (?:\$\w+ )?"([^"]+)"/g)) {
		if (m[1])
			types.set(m[1], m[2]);
		else
			types.set(m.index, types.get(m[4]));
	}
	return out.replace(/\(assert_return_(canonical|arithmetic)_nan (\(invoke (?:\([^()]*\)|[^()])*\))\)/g,
		(whole, kind, action, at) => types.get(at)
			? `(assert_return ${action} (${types.get(at)}.const nan:${kind}))`
			: `(assert_return_unknown ${action})`);
}

/** The commands of one file; modules are files in `folder`. */
export function wast_commands(path, folder) {
	const name = basename(path, ".wast");
	const json = join(folder, `${name}.json`), source = join(folder, `${name}.wast`);
	writeFileSync(source, respell(readFileSync(path, "latin1")), "latin1");
	execFileSync("wast2json", ["--disable-simd", source, "-o", json], { timeout: 60000, stdio: ["ignore", "ignore", "pipe"] });
	return JSON.parse(readFileSync(json)).commands.map((c) => {
		const file = c.filename && join(folder, c.filename);
		return { ...c, file: file && existsSync(file) ? file : undefined };
	});
}

/** What a command's number is for the console: the digits of its bits. */
export function bits(value) {
	const digits = value.type.endsWith("64") ? 16 : 8;
	return BigInt.asUintN(digits * 4, BigInt(value.value)).toString(16).padStart(digits, "0");
}

const nan = {
	f32: { quiet: 0x400000n, exponent: 0x7f800000n, fraction: 0x7fffffn },
	f64: { quiet: 0x8000000000000n, exponent: 0x7ff0000000000000n, fraction: 0xfffffffffffffn },
};

/** Whether `actual` (f32:7fc00000) is what was expected. */
export function same(actual, expected) {
	const [type, hex] = actual.split(":");
	if (type !== expected.type)
		return false;
	if (!String(expected.value).startsWith("nan:"))
		return hex === bits(expected);
	const n = nan[type], v = BigInt("0x" + hex);
	if ((v & n.exponent) !== n.exponent || (v & n.quiet) === 0n)
		return false;
	return expected.value === "nan:arithmetic" || (v & n.fraction) === n.quiet;
}

// The words of the tests for each of our traps.
const traps = {
	"integer divide by zero": ["DIV_BY_ZERO"], "integer overflow": ["INT_OVERFLOW"],
	"invalid conversion to integer": ["CONVERSION"], unreachable: ["UNREACHABLE"],
	"unreachable executed": ["UNREACHABLE"], "out of bounds memory access": ["MEMORY"],
	"indirect call": ["CALL_INDIRECT"], "indirect call type mismatch": ["CALL_INDIRECT"],
	"indirect call signature mismatch": ["CALL_INDIRECT"],
	"undefined element": ["CALL_INDIRECT", "MEMORY"], undefined: ["CALL_INDIRECT", "MEMORY"],
	"undefined table index": ["CALL_INDIRECT", "MEMORY"],
	"uninitialized element": ["CALL_INDIRECT"], uninitialized: ["CALL_INDIRECT"],
	"uninitialized table element": ["CALL_INDIRECT"],
	"out of bounds table access": ["MEMORY", "CALL_INDIRECT"], "call stack exhausted": ["DEPTH"],
};

/** Whether an answer of the console is the trap that the words mean. */
export function is_trap(answer, words) {
	const why = /^trap (\w+)/.exec(answer)?.[1];
	const known = Object.keys(traps).filter((t) => words.startsWith(t)).sort((a, b) => b.length - a.length)[0];
	return why !== undefined && known !== undefined && traps[known].includes(why);
}
