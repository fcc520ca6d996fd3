// otel-lib.mjs - a collector of traces that takes nothing on trust: each request is decoded
// by the rules of OTLP's JSON form, and what breaks one is a failed check.
import http from "node:http";
import { check } from "./lib.mjs";

const isObject = (v) => typeof v === "object" && v !== null && !Array.isArray(v);
const hex = (s, n) => typeof s === "string" && s.length === n && /^[0-9a-f]+$/.test(s) && !/^0+$/.test(s);

function only(o, names, where) {
  for (const k of Object.keys(o)) if (!names.includes(k)) throw new Error(`${where}.${k} is not a member`);
}

// An AnyValue; 64-bit numbers are strings.
function anyValue(v, where) {
  if (!isObject(v) || Object.keys(v).length !== 1) throw new Error(`${where}: one kind of value`);
  const [kind] = Object.keys(v), x = v[kind];
  if (kind === "stringValue" && typeof x === "string") return x;
  if (kind === "intValue" && typeof x === "string" && /^-?\d+$/.test(x) && BigInt.asIntN(64, BigInt(x)) === BigInt(x)) return Number(x);
  if (kind === "doubleValue" && typeof x === "number") return x;
  if (kind === "boolValue" && typeof x === "boolean") return x;
  if (kind === "arrayValue" && isObject(x)) { only(x, ["values"], where); return (x.values ?? []).map((y) => anyValue(y, where)); }
  throw new Error(`${where}: ${JSON.stringify(v)}`);
}

function attributes(list, where) {
  const out = {};
  for (const a of list ?? []) {
    only(a, ["key", "value"], where);
    if (typeof a.key !== "string" || a.key === "" || a.key in out) throw new Error(`${where}: key ${a.key}`);
    out[a.key] = anyValue(a.value, `${where}.${a.key}`);
  }
  return out;
}

function nano(s, where) {
  if (typeof s !== "string" || !/^[1-9]\d{17,18}$/.test(s)) throw new Error(`${where}: ${s}`);
  return BigInt(s);
}

function span(s, resource) {
  only(s, ["traceId", "spanId", "parentSpanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano", "attributes", "status", "flags"], "span");
  if (!hex(s.traceId, 32)) throw new Error(`traceId ${s.traceId}`);
  if (!hex(s.spanId, 16)) throw new Error(`spanId ${s.spanId}`);
  if ("parentSpanId" in s && !hex(s.parentSpanId, 16)) throw new Error(`parentSpanId ${s.parentSpanId}`);
  if (typeof s.name !== "string" || s.name === "") throw new Error("a span has a name");
  if (![1, 2, 3, 4, 5].includes(s.kind)) throw new Error(`kind ${s.kind}`);
  const start = nano(s.startTimeUnixNano, "start"), end = nano(s.endTimeUnixNano, "end");
  if (end < start) throw new Error(`${s.name} ends before it begins`);
  if (s.status) { only(s.status, ["code", "message"], "status"); if (![0, 1, 2].includes(s.status.code)) throw new Error(`status ${s.status.code}`); }
  return { trace: s.traceId, id: s.spanId, parent: s.parentSpanId, name: s.name, kind: s.kind, start, end, status: s.status ?? {}, at: attributes(s.attributes, s.name), resource };
}

export function decode(body) {
  const out = [];
  only(body, ["resourceSpans"], "body");
  for (const r of body.resourceSpans) {
    only(r, ["resource", "scopeSpans"], "resourceSpans");
    const resource = attributes(r.resource.attributes, "resource");
    for (const name of ["service.name", "service.version", "service.instance.id"]) if (!resource[name]) throw new Error(`resource without ${name}`);
    for (const sc of r.scopeSpans) {
      only(sc, ["scope", "spans"], "scopeSpans");
      if (sc.scope.name !== "cohort") throw new Error("the scope has a name");
      for (const s of sc.spans) out.push(span(s, resource));
    }
  }
  return out;
}

// answer(n): {status, headers, body} of the nth request; default 200 and {}.
export async function startCollector(answer = () => undefined) {
  const c = { spans: [], requests: 0, headers: [], answer };
  const server = http.createServer((req, res) => {
    const parts = [];
    req.on("data", (d) => parts.push(d));
    req.on("end", () => {
      const a = c.answer(c.requests++) ?? {}, status = a.status ?? 200;
      c.headers.push(req.headers);
      try {
        if (req.method !== "POST" || req.url !== "/v1/traces") throw new Error(`${req.method} ${req.url}`);
        if (req.headers["content-type"] !== "application/json") throw new Error(`content-type ${req.headers["content-type"]}`);
        const got = decode(JSON.parse(Buffer.concat(parts).toString()));
        if (got.length === 0) throw new Error("an empty request");
        if (status === 200) c.spans.push(...got);
      } catch (e) { check(false, "the collector decodes each request", e); }
      if (a.hang) return;
      res.writeHead(status, { "content-type": "application/json", ...a.headers });
      res.end(a.body ?? "{}");
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  c.url = `http://127.0.0.1:${server.address().port}`;
  c.close = () => { server.closeAllConnections(); return new Promise((resolve) => server.close(resolve)); };
  return c;
}

// Each parent is a span of the same trace, or one of `outside`; ids are unique.
export function checkTree(spans, what, outside = []) {
  const ids = new Map(spans.map((s) => [s.id, s]));
  check(ids.size === spans.length, `${what}: no span comes twice`, spans.map((s) => s.name).sort());
  for (const s of spans) {
    if (s.parent === undefined || outside.includes(s.parent)) continue;
    check(ids.get(s.parent)?.trace === s.trace, `${what}: the parent of ${s.name} is known`, s);
  }
}
