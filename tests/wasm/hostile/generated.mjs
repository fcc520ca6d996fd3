// generated.mjs - the hostile modules that no text can say: binaries that lie, and code that
// is too large to keep.  generated[NAME]() -> the modules of that name, [Buffer, ...], or
// [text, ...] for wat2wasm.
//
// SPDX-License-Identifier: MIT
const leb = (n) => { const out = []; do { const low = n % 128; n = Math.floor(n / 128); out.push(n > 0 ? low | 128 : low); } while (n > 0); return out; };
const text = (s) => [...leb(Buffer.byteLength(s)), ...Buffer.from(s)];
const vec = (items) => [...leb(items.length), ...items.flat()];
const part = (id, bytes) => Buffer.concat([Buffer.from([id, ...leb(bytes.length)]), Buffer.from(bytes)]);
const magic = Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
const end = 0x0b, i32 = 0x7f, constant = 0x41;
const body = (code, locals = [0]) => { const b = Buffer.concat([Buffer.from(locals), Buffer.from(code), Buffer.from([end])]); return Buffer.concat([Buffer.from(leb(b.length)), b]); };

// A guest in parts: types, functions, memory, exports, code.  Each can be another; an extra
// part goes behind the one whose number it gives.
function guest({ types, functions, table, exports, start, elements, code, data, dataCount, extra = [] } = {}) {
  const parts = [
    part(1, types ?? vec([[0x60, ...vec([[i32]]), ...vec([[i32]])], [0x60, ...vec([[i32], [i32]]), ...vec([[i32]])], [0x60, 0, 0]])),
    part(3, functions ?? vec([[0], [1]])),
    ...(table ? [part(4, table)] : []),
    part(5, [1, 0, 1]),
    part(7, exports ?? vec([[...text("memory"), 2, 0], [...text("alloc"), 0, 0], [...text("handle_message"), 0, 1]])),
    ...(start ? [part(8, start)] : []),
    ...(elements ? [part(9, elements)] : []),
    ...(dataCount ? [part(12, dataCount)] : []),
    part(10, code ?? codes()),
    ...(data ? [part(11, data)] : []),
  ];
  for (const [behind, bytes] of extra) {
    const at = parts.findLastIndex((p) => p[0] === behind);
    parts.splice(at + 1, 0, bytes);
  }
  return Buffer.concat([magic, ...parts]);
}
// The two functions of a guest: alloc gives 1024, handle_message runs `handle` and gives 0.
const codes = (handle = [], locals = [0]) => Buffer.concat([Buffer.from([2]), body([constant, 0x80, 8]), body([...handle, constant, 0], locals)]);
const many = (n, bytes) => Buffer.alloc(n * bytes.length, Buffer.from(bytes));
const codeOf = (handle, locals = Buffer.from([0])) => {
  const b = Buffer.concat([locals, handle, Buffer.from([constant, 0, end])]);
  return Buffer.concat([Buffer.from([2]), body([constant, 0x80, 8]), Buffer.from(leb(b.length)), b]);
};
const named = (name, bytes) => part(0, [...text(name), ...bytes]);
const huge = [0xff, 0xff, 0xff, 0xff, 0x0f];

// What a name of every kind would have to be to become C.
const evil = '*/ __attribute__((constructor)) static void f(void) { for (;;) ; } /*\n#include "/etc/passwd"\n??/';
function names() {
  const map = (n) => vec(Array.from({ length: n }, (_, i) => [...leb(i), ...text(evil)]));
  const locals = vec([[0, ...map(1)], [1, ...map(2)]]);
  const sub = (id, bytes) => [id, ...leb(bytes.length), ...bytes];
  return named("name", [...sub(0, text(evil)), ...sub(1, map(2)), ...sub(2, locals), ...sub(4, map(3)), ...sub(6, map(1)), ...sub(9, map(1))]);
}

// Deterministic noise.
function noise(seed) {
  return () => { seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0; return seed >>> 8; };
}

const access = [["i32.load", 4], ["i64.load", 8], ["f32.load", 4], ["f64.load", 8], ["i32.load8_s", 1], ["i32.load8_u", 1], ["i32.load16_s", 2], ["i32.load16_u", 2],
  ["i64.load8_s", 1], ["i64.load8_u", 1], ["i64.load16_s", 2], ["i64.load16_u", 2], ["i64.load32_s", 4], ["i64.load32_u", 4],
  ["i32.store", 4], ["i64.store", 8], ["f32.store", 4], ["f64.store", 8], ["i32.store8", 1], ["i32.store16", 2], ["i64.store8", 1], ["i64.store16", 2], ["i64.store32", 4]];

// handle_message does access number `content / 5` in way `content % 5`; each is out of bounds.
// The result of a load is not used: a compiler may not leave it out for that.
function accesses() {
  const lines = [];
  access.forEach(([name, width], kind) => [[65536 - width + 1, 0], [-1, 0], [1, 4294967295], [-1, 4294967295], [65535, 65535]].forEach(([at, offset], way) => {
    const where = `offset=${offset} (i32.const ${at})`;
    const what = name.includes("store") ? `(${name} ${where} (${name.slice(0, 3)}.const 1))` : `(drop (${name} ${where}))`;
    lines.push(`(if (i32.eq (local.get $k) (i32.const ${kind * 5 + way})) (then ${what}))`);
  }));
  return `(module (memory (export "memory") 1) (func (export "alloc") (param i32) (result i32) (i32.const 1024))
(func (export "handle_message") (param $p i32) (param $n i32) (result i32) (local $k i32)
 (loop $again (if (local.get $n) (then
  (local.set $k (i32.add (i32.mul (local.get $k) (i32.const 10)) (i32.sub (i32.load8_u (local.get $p)) (i32.const 48))))
  (local.set $p (i32.add (local.get $p) (i32.const 1))) (local.set $n (i32.sub (local.get $n) (i32.const 1))) (br $again))))
${lines.join("\n")} (i32.const 0)))`;
}

// A function with so many locals, all of them alive across the call of itself.
function frames(locals) {
  const all = Array.from({ length: locals }, (_, i) => i);
  return `(module (memory (export "memory") 1) (func (export "alloc") (param i32) (result i32) (i32.const 1024))
(func $deep (param i64) (result i64) ${all.map(() => "(local i64)").join("")}
 ${all.map((i) => `(local.set ${i + 1} (i64.mul (local.get ${i}) (i64.load (i32.const ${8 * (i % 1000)}))))`).join("\n")}
 (local.set 0 (call $deep (local.get ${locals})))
 (local.get 0) ${all.map((i) => `(i64.xor (local.get ${i + 1}))`).join("\n")})
(func (export "handle_message") (param i32 i32) (result i32) (i32.wrap_i64 (call $deep (i64.const 1)))))`;
}

const sections = { type: 1, import: 2, function: 3, table: 4, export: 7, elements: 9, code: 10, data: 11 };

export const generated = {
  "oob-accesses": () => [accesses()],
  "recurse-frames": () => [frames(900)],
  // One function whose stack of values is over 1 MB, which calls itself.
  "recurse-values": () => [guest({ code: codeOf(Buffer.concat([many(140000, [0x20, 0]), Buffer.from([0x20, 0, 0x20, 1, 0x10, 1]), many(140000, [0x6a]), Buffer.from([0x1a])])) })],

  "empty": () => [Buffer.alloc(0)],
  "other-files": () => [Buffer.from("<!doctype html><html></html>"), Buffer.from("\x7fELF\x02\x01\x01\0\0\0\0\0", "latin1"), Buffer.from("(module)"), Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0])],
  "component": () => [Buffer.from([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0])],
  "truncated": () => { const g = guest({ table: [1, 0x70, 0, 4], elements: vec([[0, constant, 0, end, 1, 0]]), data: vec([[0, constant, 8, end, 4, 1, 2, 3, 4]]), dataCount: [1] }); return Array.from({ length: g.length }, (_, n) => g.subarray(0, n)); },
  "bits": () => { const g = guest({ table: [1, 0x70, 0, 4], elements: vec([[0, constant, 0, end, 1, 0]]), data: vec([[0, constant, 8, end, 4, 1, 2, 3, 4]]), dataCount: [1] });
    return Array.from({ length: g.length * 8 }, (_, bit) => { const b = Buffer.from(g); b[bit >> 3] ^= 1 << (bit & 7); return b; }); },
  "noise": () => { const next = noise(15); return Array.from({ length: 300 }, () => { const b = Buffer.from(guest({ data: vec([[0, constant, 8, end, 4, 1, 2, 3, 4]]) })); for (let i = 0; i < 6; i++) b[8 + next() % (b.length - 8)] = next(); return b; }); },
  "numbers-long": () => [
    guest({ functions: [0x82, 0x80, 0x80, 0x80, 0x80, 0x00, 0, 1] }), guest({ functions: [0x82, 0x80, 0x80, 0x80, 0x10, 0, 1] }), guest({ functions: [0x82, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1] }),
    guest({ code: codes([constant, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00, 0x1a]) }), guest({ code: codes([constant, 0xff, 0xff, 0xff, 0xff, 0x4f, 0x1a]) }), guest({ code: codes([0x42, ...Array(10).fill(0x80), 0, 0x1a]) }),
  ],
  "counts-huge": () => [
    ...Object.keys(sections).map((name) => name === "import" ? guest({ extra: [[1, part(2, huge)]] }) : guest({ table: [1, 0x70, 0, 4], elements: vec([[0, constant, 0, end, 1, 0]]), data: vec([[0, constant, 8, end, 1, 1]]), [{ type: "types", function: "functions", export: "exports" }[name] ?? name]: huge })),
    guest({ types: [1, 0x60, ...huge] }), guest({ types: [1, 0x60, 0, ...huge] }), guest({ exports: [1, ...huge] }), guest({ elements: [1, 0, constant, 0, end, ...huge] , table: [1, 0x70, 0, 4] }), guest({ data: [1, 0, constant, 8, end, ...huge] }), guest({ dataCount: huge }),
  ],
  "sizes-lie": () => {
    const g = guest(), at = 8 + 1;
    const changed = [0, 1, g[at] - 1, g[at] + 1, 0x7f].map((n) => { const b = Buffer.from(g); b[at] = n; return b; });
    const c = codes();
    const bodies = [0, 1, c[1] - 1, c[1] + 1, 0x7f].map((n) => { const b = Buffer.from(c); b[1] = n; return guest({ code: b }); });
    return [...changed, ...bodies, Buffer.concat([g, Buffer.from([10, ...huge])]), Buffer.concat([g, Buffer.from([0, 5, 10, 65])]), Buffer.concat([g, Buffer.from([0])])];
  },
  "sections-order": () => [guest({ extra: [[1, part(1, [0])]] }), guest({ extra: [[10, part(3, [0])]] }), guest({ extra: [[7, part(5, [1, 0, 1])]] }), guest({ extra: [[10, part(14, [0])]] }), guest({ extra: [[10, part(127, [0])]] })],
  "no-code": () => [Buffer.concat([magic, part(1, vec([[0x60, 0, 0]])), part(3, vec([[0]]))]), guest({ code: [0] }), guest({ code: [1, ...body([constant, 0])] })],
  "indices": () => [guest({ functions: vec([[0], [9]]) }), guest({ exports: vec([[...text("memory"), 2, 0], [...text("alloc"), 0, 0], [...text("handle_message"), 0, 7]]) }), guest({ start: [7] }), guest({ start: [0] }),
    guest({ code: codes([0x10, 9]) }), guest({ code: codes([0x20, 9, 0x1a]) }), guest({ code: codes([0x0c, 5]) }), guest({ code: codes([0x23, 0, 0x1a]) }), guest({ code: codes([constant, 0, 0x25, 0, 0x1a]) }),
    guest({ elements: vec([[0, constant, 0, end, 1, 9]]), table: [1, 0x70, 0, 4] }), guest({ elements: vec([[0, constant, 0, end, 1, 0]]) }), guest({ code: codes([constant, 0, 0x11, 9, 0]), table: [1, 0x70, 0, 4] })],
  "instructions-unknown": () => [0x06, 0x07, 0x08, 0x09, 0x0a, 0x12, 0x13, 0x14, 0x18, 0x19, 0x1f, 0x27, 0xc5, 0xcf, 0xd3, 0xe0, 0xfb, 0xfd, 0xfe, 0xff].map((op) => guest({ code: codes([op, 0, 0]) })),
  "body-unended": () => { const b = [0, 0x02, 0x40, constant, 0, end]; return [guest({ code: [2, ...body([constant, 0x80, 8]), b.length, ...b] }), guest({ code: codes([end, end]) })]; },
  "names-utf8": () => [guest({ exports: vec([[...text("memory"), 2, 0], [...text("alloc"), 0, 0], [...text("handle_message"), 0, 1], [2, 0xc0, 0x80, 0, 1]]) }), guest({ exports: vec([[...text("memory"), 2, 0], [...text("alloc"), 0, 0], [...text("handle_message"), 0, 1], [1, 0, 0, 1]]) })],
  "names-twice": () => [guest({ exports: vec([[...text("memory"), 2, 0], [...text("alloc"), 0, 0], [...text("handle_message"), 0, 1], [...text("alloc"), 0, 1]]) })],
  "names-custom": () => [guest({ extra: [[10, names()], [10, named(evil, Buffer.alloc(100))], [1, named("producers", [1, ...text(evil), 1, ...text(evil), ...text(evil)])], [10, named(".debug_info", Buffer.alloc(1000, 65))]] })],

  "types-wrong": () => [guest({ code: codes([0x6a, 0x1a]) }), guest({ code: codes([0x43, 0, 0, 0, 0]) }), guest({ code: codes([constant, 0, 0x42, 0, 0x6a, 0x1a]) }), guest({ code: codes([0x02, i32, end, 0x1a]) }), guest({ code: codes([0x1a]) }), guest({ code: codes([0x20, 0, 0x10, 0, 0x10, 0]) })],
  "locals-huge": () => [guest({ code: codes([], [1, ...huge, i32]) }), guest({ code: codes([], [2, ...huge, i32, ...huge, i32]) }), guest({ code: codes([], vec(Array.from({ length: 1001 }, () => [1, i32]))) })],
  "types-huge": () => [guest({ types: vec([[0x60, ...vec([[i32]]), ...vec([[i32]])], [0x60, ...vec([[i32], [i32]]), ...vec([[i32]])], [0x60, ...vec(Array(1000).fill([i32])), 0]]) })],
  "functions-many": () => [guest({ functions: [...leb(20001), ...Array(20001).fill(0)], code: Buffer.concat([Buffer.from(leb(20001)), ...Array(20001).fill(Buffer.from([4, 0, 0x20, 0, end]))]) })],
  "body-7mb": () => [guest({ code: codeOf(many(7340032, [0x01])) })],
  "nested-50000": () => [guest({ code: codeOf(Buffer.concat([many(50000, [0x02, 0x40]), many(50000, [end])])) })],
  "br-table-count": () => [guest({ code: codes([constant, 0, 0x0e, ...huge, 0]) }), guest({ code: codes([constant, 0, 0x0e, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0]) })],

  // Allowed, and slow for a compiler.
  "nested-1900": () => [guest({ code: codeOf(Buffer.concat([many(1900, [0x03, 0x40]), many(1900, [end])])) })],
  "br-table-400000": () => [guest({ code: codeOf(Buffer.concat([Buffer.from([0x02, 0x40, 0x20, 1, 0x0e, ...leb(400000)]), many(400000, [0]), Buffer.from([0, end])])) })],
  "body-500kb": () => [guest({ code: codeOf(many(60000, [0x20, 0, 0x20, 1, 0x6c, 0x21, 0])) })],
  "calls-100000": () => [guest({ code: codeOf(many(100000, [0x20, 0, 0x10, 0, 0x1a])) })],
  "functions-20000": () => { const n = 19998; return [guest({ functions: [...leb(n + 2), 0, 1, ...Array(n).fill(0)], code: Buffer.concat([Buffer.from(leb(n + 2)), codes().subarray(1), ...Array(n).fill(Buffer.from([7, 0, 0x20, 0, 0x41, 1, 0x6a, end]))]) })]; },
  "module-15mb": () => [guest({ data: Buffer.concat([Buffer.from([1, 0, constant, 0, end, ...leb(15000000)]), Buffer.alloc(15000000, 7)]) })],
  "module-17mb": () => [guest({ extra: [[10, named("x", Buffer.alloc(17000000))]] })],
};
