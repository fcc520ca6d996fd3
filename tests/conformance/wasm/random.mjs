// random.mjs - a module of random valid functions, the same for the same seed.
//
// Everything ends: loops count down, and functions of a level call those of lower levels only.
// Nothing depends on the bits of a NaN, which the specification leaves open: they are made
// those of `nan` where they could be seen.
//
// SPDX-License-Identifier: MIT
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

const types = ["i32", "i64", "f32", "f64"];
const ints = { arithmetic: "add sub mul and or xor shl shr_s shr_u rotl rotr".split(" "), division: "div_s div_u rem_s rem_u".split(" "),
	unary: "clz ctz popcnt".split(" "), compare: "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u".split(" ") };
const floats = { arithmetic: "add sub mul div min max".split(" "), unary: "abs neg ceil floor trunc nearest sqrt".split(" "),
	compare: "eq ne lt gt le ge".split(" ") };
const loads = {
	i32: "load load8_s load8_u load16_s load16_u".split(" "), f32: ["load"], f64: ["load"],
	i64: "load load8_s load8_u load16_s load16_u load32_s load32_u".split(" "),
};
const stores = { i32: "store store8 store16".split(" "), i64: "store store8 store16 store32".split(" "), f32: ["store"], f64: ["store"] };
const edges = [0n, 1n, 2n, 7n, 31n, 32n, 63n, 64n, 255n, 0x7fffffffn, 0x80000000n, 0xffffffffn, 0x7fffffffffffffffn,
	0x8000000000000000n, 0xffffffffffffffffn, 0x3f800000n, 0x7f800000n, 0x7fc00000n, 0xff800000n, 0x4f000000n,
	0x3ff0000000000000n, 0x7ff0000000000000n, 0x7ff8000000000000n, 0x43e0000000000000n, 0x1n << 52n];

/* mulberry32 */
function numbers(seed) {
	let a = seed >>> 0;
	return (n) => {
		a = (a + 0x6d2b79f5) >>> 0;
		let t = Math.imul(a ^ (a >>> 15), a | 1);
		t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
		return ((t ^ (t >>> 14)) >>> 0) % n;
	};
}

class Generator {
	constructor(seed) {
		this.below = numbers(seed);
		this.functions = [];
	}
	pick(list) { return list[this.below(list.length)]; }
	chance(percent) { return this.below(100) < percent; }
	number(bits) {
		let v = this.chance(60) ? this.pick(edges) : (BigInt(this.below(2 ** 32)) << 32n) | BigInt(this.below(2 ** 32));
		if (this.chance(30))
			v = BigInt(this.below(200)) - 100n;
		return BigInt.asIntN(bits, v);
	}
	constant(type) {
		if (type === "i32" || type === "i64")
			return `(${type}.const ${this.number(type === "i32" ? 32 : 64)})`;
		if (this.chance(40))
			return `(${type}.const ${this.below(2000) / 8 - 100})`;
		return type === "f32" ? `(f32.reinterpret_i32 (i32.const ${this.number(32)}))` : `(f64.reinterpret_i64 (i64.const ${this.number(64)}))`;
	}
	seen(type, e) { return type === "f32" ? `(call $seen32 ${e})` : type === "f64" ? `(call $seen64 ${e})` : e; }
	address(depth) {
		const e = this.expression("i32", depth - 1);
		return this.chance(1) ? e : `(i32.and ${e} (i32.const 0xff${this.chance(50) ? "ff" : "f8"}))`;
	}
	local(type) {
		const some = this.locals.map((t, i) => [t, i]).filter(([t]) => t === type);
		return some.length ? this.pick(some)[1] : undefined;
	}
	call(type, depth) {
		const some = this.functions.filter((f) => f.level < this.level && f.result === type);
		if (!some.length || this.loops > 1)
			return undefined;
		const f = this.pick(some);
		return `(call $${f.name} ${f.params.map((p) => this.expression(p, depth - 1)).join(" ")})`;
	}
	integer(type, depth) {
		const e = (t = type) => this.expression(t, depth - 1), from = this.pick(["f32", "f64"]);
		switch (this.below(8)) {
		case 0: case 1: return `(${type}.${this.pick(ints.arithmetic)} ${e()} ${e()})`;
		case 2: {
			const by = e();
			return `(${type}.${this.pick(ints.division)} ${e()} ${this.chance(97) ? `(${type}.or ${by} (${type}.const 1))` : by})`;
		}
		case 3: return `(${type}.${this.pick(ints.unary)} ${e()})`;
		case 4: return `(${type}.${this.pick(type === "i32" ? ["extend8_s", "extend16_s"] : ["extend8_s", "extend16_s", "extend32_s"])} ${e()})`;
		case 5: return `(${type}.${this.chance(96) ? "trunc_sat" : "trunc"}_${from}_${this.pick(["s", "u"])} ${e(from)})`;
		case 6: return type === "i32" ? `(i32.wrap_i64 ${e("i64")})` : `(i64.extend_i32_${this.pick(["s", "u"])} ${e("i32")})`;
		default: return type === "i32" ? this.condition(depth) : `(i64.reinterpret_f64 ${this.seen("f64", e("f64"))})`;
		}
	}
	condition(depth) {
		const t = this.pick(types), e = () => this.expression(t, depth - 1);
		switch (this.below(6)) {
		case 0: return `(${this.pick(["i32.eqz", "i64.eqz"]).replace(/^.../, t[0] === "i" ? t : "i32")} ${t[0] === "i" ? e() : this.expression("i32", depth - 1)})`;
		case 1: return `(i32.reinterpret_f32 ${this.seen("f32", this.expression("f32", depth - 1))})`;
		case 2: return "(memory.size)";
		case 3: return `(ref.is_null (table.get $t (i32.and ${this.expression("i32", depth - 1)} (i32.const 7))))`;
		default: return `(${t}.${this.pick((t[0] === "i" ? ints : floats).compare)} ${e()} ${e()})`;
		}
	}
	float(type, depth) {
		const e = (t = type) => this.expression(t, depth - 1), from = this.pick(["i32", "i64"]);
		switch (this.below(6)) {
		case 0: case 1: return `(${type}.${this.pick(floats.arithmetic)} ${e()} ${e()})`;
		case 2: return `(${type}.${this.pick(floats.unary)} ${e()})`;
		case 3: return `(${type}.copysign ${e()} ${this.seen(type, e())})`;
		case 4: return `(${type}.convert_${from}_${this.pick(["s", "u"])} ${e(from)})`;
		default: return type === "f32" ? `(f32.demote_f64 ${e("f64")})` : `(f64.promote_f32 ${e("f32")})`;
		}
	}
	expression(type, depth) {
		const local = this.local(type);
		if (depth <= 0)
			return local !== undefined && this.chance(65) ? `(local.get ${local})` : this.chance(30) ? `(global.get $${type})` : this.constant(type);
		switch (this.below(12)) {
		case 0: return `(${type}.${this.pick(loads[type])} offset=${this.below(16)} ${this.address(depth)})`;
		case 1: return `(select ${this.expression(type, depth - 1)} ${this.expression(type, depth - 1)} ${this.expression("i32", depth - 1)})`;
		case 2: return `(if (result ${type}) ${this.expression("i32", depth - 1)} (then ${this.expression(type, depth - 1)}) (else ${this.expression(type, depth - 1)}))`;
		case 3: return local !== undefined ? `(local.tee ${local} ${this.expression(type, depth - 1)})` : this.constant(type);
		case 4: return this.call(type, depth) ?? this.expression(type, depth - 1);
		case 5: return `(block (result ${type}) (br_if 0 ${this.expression(type, depth - 1)} ${this.expression("i32", depth - 1)}) drop ${this.expression(type, depth - 1)})`;
		case 6: return type === "i32" && this.level > 0 && this.loops < 2
			? `(call_indirect $t (param i32) (result i32) ${this.expression("i32", depth - 1)} (i32.and ${this.expression("i32", depth - 1)} (i32.const ${this.chance(98) ? 3 : 15})))`
			: this.expression(type, depth - 1);
		default: return type[0] === "i" ? this.integer(type, depth) : this.float(type, depth);
		}
	}
	loop(depth) {
		const counter = this.counters[this.loops++];
		const body = `(local.set ${counter} (i32.const ${1 + this.below(6)})) (loop ${this.statements(depth - 1)}
			(br_if 0 (local.tee ${counter} (i32.sub (local.get ${counter}) (i32.const 1)))))`;
		this.loops--;
		return body;
	}
	statement(depth) {
		const type = this.pick(types), local = this.local(type);
		switch (this.below(14)) {
		case 0: case 1: case 2: return local !== undefined ? `(local.set ${local} ${this.expression(type, 3)})` : "(nop)";
		case 3: return `(global.set $${type} ${this.expression(type, 3)})`;
		case 4: case 5: case 6: return `(${type}.${this.pick(stores[type])} offset=${this.below(16)} ${this.address(2)} ${this.seen(type, this.expression(type, 3))})`;
		case 7: return depth > 0 ? `(if ${this.expression("i32", 2)} (then ${this.statements(depth - 1)}) (else ${this.statements(depth - 1)}))` : "(nop)";
		case 8: return depth > 0 && this.loops < 2 ? this.loop(depth) : "(nop)";
		case 9: return depth > 0 ? `(block (block (block (br_table 0 1 2 ${this.expression("i32", 2)})) ${this.statements(depth - 1)}) ${this.statements(depth - 1)})` : "(nop)";
		case 10: return `(memory.fill ${this.address(2)} ${this.expression("i32", 2)} (i32.and ${this.expression("i32", 1)} (i32.const 0x1ff)))`;
		case 11: return `(memory.copy ${this.address(2)} ${this.address(2)} (i32.and ${this.expression("i32", 1)} (i32.const 0x3ff)))`;
		case 12: return this.chance(20) ? "(drop (memory.grow (i32.const 1)))" : `(call $pair) (local.set ${this.pairs[0]}) (local.set ${this.pairs[1]})`;
		default: return `(table.set $t (i32.and ${this.expression("i32", 2)} (i32.const 7)) ${this.chance(5) ? "(ref.null func)" : `(ref.func $${this.pick(["leaf0", "leaf1", "leaf0", "leaf1", "leaf0", "leaf1", "pair"])})`})`;
		}
	}
	statements(depth) {
		return Array.from({ length: 1 + this.below(4) }, () => this.statement(depth)).join("\n\t\t");
	}
	define(name, level, params, result) {
		const added = ["i32", "i64", "f32", "f64"];
		this.level = level;
		this.loops = 0;
		this.locals = [...params, ...added];
		this.counters = [this.locals.length, this.locals.length + 1];
		this.pairs = [params.length + 1, params.length];
		const text = `(func $${name} (param ${params.join(" ")}) (result ${result}) (local ${added.join(" ")} i32 i32)
		${this.statements(2)}
		(${result}.${result[0] === "i" ? "xor" : "sub"} ${this.expression(result, 4)} (local.get ${params.length + types.indexOf(result)})))`;
		this.functions.push({ name, level, params, result });
		return text;
	}
	module(inputs) {
		const out = [];
		out.push(this.define("leaf0", 0, ["i32"], "i32"), this.define("leaf1", 0, ["i32"], "i32"));
		for (let level = 0; level < 3; level++)
			for (let i = 0; i < 6; i++)
				out.push(this.define(`f${level}_${i}`, level, Array.from({ length: this.below(4) }, () => this.pick(types)), this.pick(types)));
		for (let i = 0; i < inputs; i++) {
			const f = this.pick(this.functions), call = `(call $${f.name} ${f.params.map((p) => this.constant(p)).join(" ")})`;
			const seen = this.seen(f.result, call), bits = { f32: `(i32.reinterpret_f32 ${seen})`, f64: `(i64.reinterpret_f64 ${seen})` };
			out.push(`(func (export "r${i}") (result ${f.result.replace("f", "i")}) ${bits[f.result] ?? seen})`);
			if (i % 10 === 9)
				out.push(`(func (export "s${i}") (result i64) (call $sum))`);
		}
		return out.join("\n\t");
	}
}

const frame = (seed, inner, data) => `;; seed ${seed}
(module
	(memory 1 3)
	(table $t 8 funcref)
	(elem (i32.const 0) $leaf0 $leaf1 $leaf0 $leaf1 $pair)
	(elem declare func $leaf0 $leaf1 $pair)
	(data (i32.const 0) "${data}")
	(global $i32 (mut i32) (i32.const 77)) (global $i64 (mut i64) (i64.const -3))
	(global $f32 (mut f32) (f32.const 0.5)) (global $f64 (mut f64) (f64.const -1e9))
	(func $seen32 (param f32) (result f32) (select (f32.const nan) (local.get 0) (f32.ne (local.get 0) (local.get 0))))
	(func $seen64 (param f64) (result f64) (select (f64.const nan) (local.get 0) (f64.ne (local.get 0) (local.get 0))))
	(func $pair (result i32 i64) (global.get $i32) (global.get $i64))
	(func $sum (result i64) (local i32 i64)
		(loop (local.set 1 (i64.add (i64.mul (local.get 1) (i64.const 0x100000001b3)) (i64.load (local.get 0))))
			(br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 8))) (i32.mul (memory.size) (i32.const 65536)))))
		(i64.xor (local.get 1) (i64.xor (global.get $i64) (i64.reinterpret_f64 (call $seen64 (global.get $f64))))))
	${inner})
`;

/** Writes the module of a seed, with functions that call it with `inputs` inputs; its file. */
export function random_module(seed, inputs, folder) {
	const g = new Generator(seed), inner = g.module(inputs);
	const data = Array.from({ length: 256 }, () => "\\" + g.below(256).toString(16).padStart(2, "0")).join("");
	const wat = join(folder, `random-${seed}.wat`), wasm = join(folder, `random-${seed}.wasm`);
	writeFileSync(wat, frame(seed, inner, data));
	execFileSync("wat2wasm", [wat, "-o", wasm], { timeout: 60000 });
	return wasm;
}
