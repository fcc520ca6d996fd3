// wire.js - the way to the server: JSON over HTTP/1.1 on kept connections (TCP, TLS or
// a unix socket), tried again while the server, or a proxy before it, is away or busy.
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { stringify } from "./plain.js";

/** The server refused a request: `status`, `reason` and what it said. */
export class WireError extends Error {
  constructor(status, body, what) {
    super(`${what}: ${status} ${body?.detail ?? body?.error?.message ?? "without an explanation"}`);
    this.name = "WireError";
    this.status = status;
    this.reason = body?.reason;
    this.path = body?.path;
  }

  /** It may be taken a little later. */
  get busy() { return BUSY.has(this.status); }
}

/** The task is not this worker's any more: stop at once, write nothing. */
export class LostLease extends Error {
  constructor(message = "the task was given to another worker, or has ended") {
    super(message);
    this.name = "LostLease";
  }
}

const BACKOFF_MS = 100;
const BACKOFF_MAX_MS = 5000;
const AWAY = new Set(["ECONNREFUSED", "ECONNRESET", "EPIPE", "ENOENT", "ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH", "EAI_AGAIN", "UND_ERR_SOCKET", "ERR_WIRE_TIMEOUT"]);
// What the server says when it is busy, and a proxy when the server is away.
const BUSY = new Set([429, 502, 503, 504]);

/** Waits; rejects with the signal's reason when it is aborted. */
export function sleep(ms, signal) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) { reject(signal.reason); return; }
    const stop = () => { clearTimeout(timer); reject(signal.reason); };
    const timer = setTimeout(() => { signal?.removeEventListener("abort", stop); resolve(); }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

// COHORT_CA: certificates that the server's is checked with, in place of Node's; COHORT_CERT and
// COHORT_CERT_KEY: this worker's own (the key may stand in the same file).
function tlsOptions({ COHORT_CA, SSL_CERT_FILE, COHORT_CERT, COHORT_CERT_KEY } = process.env) {
  const ca = COHORT_CA || SSL_CERT_FILE;
  return { ...(ca ? { ca: readFileSync(ca) } : {}), ...(COHORT_CERT ? { cert: readFileSync(COHORT_CERT), key: readFileSync(COHORT_CERT_KEY || COHORT_CERT) } : {}) };
}

function readUrl(text) {
  if (/^unix:/i.test(text)) return { http, base: "", options: { socketPath: text.replace(/^unix:(\/\/)?/i, "") } };
  let url;
  try { url = new URL(text); } catch { throw new TypeError(`COHORT_URL is "${text}": it must be http://HOST:PORT, https://HOST or unix:/PATH`); }
  if (url.protocol !== "http:" && url.protocol !== "https:")
    throw new TypeError(`COHORT_URL is "${text}": only http:, https: and unix: are spoken`);
  const tls = url.protocol === "https:";
  const host = url.hostname.replace(/^\[|\]$/g, "");
  return { http: tls ? https : http, base: url.pathname.replace(/\/+$/, ""), options: { host, port: url.port || (tls ? 443 : 80), ...(tls ? tlsOptions() : {}) } };
}

export class Wire {
  #to; #key; #agent;

  constructor({ url = process.env.COHORT_URL ?? "http://127.0.0.1:2024", key = process.env.COHORT_KEY } = {}) {
    this.url = url;
    this.#to = readUrl(url);
    this.#key = key;
    this.#agent = new this.#to.http.Agent({ keepAlive: true, maxSockets: 256, maxFreeSockets: 64 });
  }

  close() { this.#agent.destroy(); }

  /** One request without a second try: {status, headers, body}. */
  once(method, path, body, { token, signal, timeoutMs = 30000 } = {}) {
    const text = body === undefined || typeof body === "string" ? body : stringify(body);
    const headers = { accept: "application/json" };
    if (text !== undefined) { headers["content-type"] = "application/json"; headers["content-length"] = Buffer.byteLength(text); }
    if (this.#key) headers["x-api-key"] = this.#key;
    if (token) headers["x-task-token"] = token;
    return new Promise((resolve, reject) => {
      const request = this.#to.http.request({ ...this.#to.options, agent: this.#agent, method, path: this.#to.base + path, headers, signal }, (response) => {
        const parts = [];
        response.on("data", (part) => parts.push(part));
        response.on("error", reject);
        response.on("end", () => {
          if (!response.complete) { reject(Object.assign(new Error("the answer was cut off"), { code: "ECONNRESET" })); return; }
          const answer = Buffer.concat(parts).toString("utf8");
          let json;
          try { json = answer === "" ? {} : JSON.parse(answer); } catch { json = { detail: answer.slice(0, 500) }; }
          resolve({ status: response.statusCode, headers: response.headers, body: json });
        });
      });
      request.on("error", (error) => reject(Object.assign(error, { reused: request.reusedSocket })));
      request.setTimeout(timeoutMs, () => request.destroy(Object.assign(new Error(`no answer within ${timeoutMs} ms`), { code: "ERR_WIRE_TIMEOUT" })));
      request.end(text);
    });
  }

  /**
   * A request, tried again for `patienceMs` while the server cannot be reached or is
   * too busy.  Every operation of the wire may be repeated: the server knows what it has.
   */
  async request(method, path, body, options = {}) {
    const until = performance.now() + (options.patienceMs ?? 30000);
    for (let wait = BACKOFF_MS, reused = 0; ; wait = Math.min(wait * 2, BACKOFF_MAX_MS)) {
      let after = wait;
      try {
        const { status, headers, body: answer } = await this.once(method, path, body, options);
        if (status < 300) return answer;
        if ((status === 409 && answer.reason === "lost_lease") || (status === 403 && answer.reason === "wrong_token")) throw new LostLease(answer.detail);
        if (!BUSY.has(status) || performance.now() > until) throw new WireError(status, answer, `${method} ${path}`);
        after = Number(headers["retry-after"]) * 1000 || wait;
      } catch (error) {
        if (!AWAY.has(error.code) || options.signal?.aborted) throw error;
        // A kept connection that the server had closed meanwhile says nothing of the server.
        if (error.reused && error.code !== "ERR_WIRE_TIMEOUT" && reused++ < 3) { wait = BACKOFF_MS / 2; continue; }
        if (performance.now() > until) throw error;
      }
      await sleep(after * (0.75 + Math.random() / 2), options.signal);
    }
  }
}
