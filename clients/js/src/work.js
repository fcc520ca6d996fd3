// work.js - `cohort-worker/work`: the work tracker over its daemon's socket, one JSON
// object a line, many requests on one connection.
import { existsSync } from "node:fs";
import net from "node:net";
import { userInfo } from "node:os";
import path from "node:path";

const TIMEOUT_MS = 30000;

/** An operation that the tracker refused, or a connection that failed; `code` says which. */
export class WorkError extends Error {
  constructor(message, code) {
    super(message);
    this.name = "WorkError";
    this.code = code;
  }
}

// The socket stands beside the database of the nearest workspace upwards.
function findSocket(from) {
  const db = process.env.COHORT_WORK_DB ?? process.env.BEADS_DB;
  if (db) return path.resolve(db).replace(/\.db$/, "") + ".sock";
  for (let at = path.resolve(from); ; at = path.dirname(at)) {
    if (existsSync(path.join(at, ".cohort", "work.db"))) return path.join(at, ".cohort", "work.sock");
    if (at === path.dirname(at)) throw new WorkError(`no workspace at ${from} or above it: make one with "cohort work init"`, "NOTFOUND");
  }
}

function whoAmI() {
  try { return process.env.BD_ACTOR ?? process.env.USER ?? userInfo().username; } catch { return "unknown"; }
}

class Tracker {
  #socket; #waiting = new Map(); #next = 1; #timeout; #actor; #closed;

  constructor(socket, { timeoutMs, actor }) {
    this.#socket = socket;
    this.#timeout = timeoutMs;
    this.#actor = actor;
    let parts = [];
    socket.on("data", (data) => {
      for (let from = 0, at; ; from = at + 1) {
        at = data.indexOf(10, from);
        parts.push(data.subarray(from, at < 0 ? undefined : at));
        if (at < 0) return;
        const line = Buffer.concat(parts).toString("utf8");
        parts = [];
        try { this.#line(JSON.parse(line)); } catch { this.#end(new WorkError("the daemon sent a line that is not JSON", "CLOSED")); socket.destroy(); return; }
      }
    });
    socket.on("error", (error) => this.#end(new WorkError(`the tracker's connection failed: ${error.message}`, error.code)));
    socket.on("close", () => this.#end(new WorkError("the tracker's daemon closed the connection", "CLOSED")));
  }

  #line(answer) {
    const asked = this.#waiting.get(answer.request_id);
    if (!asked) return;
    if (answer.progress) { asked.progress?.(answer.progress); return; }
    this.#waiting.delete(answer.request_id);
    clearTimeout(asked.timer);
    if (answer.success) asked.resolve(answer.data);
    else asked.reject(Object.assign(new WorkError(answer.error ?? "the tracker refused", answer.code), { data: answer.data }));
  }

  #end(error) {
    this.#closed ??= error;
    for (const { reject, timer } of this.#waiting.values()) { clearTimeout(timer); reject(error); }
    this.#waiting.clear();
  }

  /** How long each later call may take; 0: for ever. */
  set_timeout(ms) {
    if (!(ms >= 0)) throw new TypeError("set_timeout(ms): it must be milliseconds, 0 for none");
    this.#timeout = ms;
  }

  /** One operation: its data, or a WorkError. */
  call(operation, args = {}, { once, progress, actor = this.#actor } = {}) {
    return new Promise((resolve, reject) => {
      if (this.#closed) { reject(this.#closed); return; }
      const id = this.#next++, ms = this.#timeout;
      const request = { operation, args, actor, request_id: id, ...(ms > 0 && { deadline_ms: ms }), ...(once && { once }), ...(progress && { progress: true }) };
      // The daemon ends a request that is late with nothing half done; this is for one that says nothing.
      const timer = ms > 0 ? setTimeout(() => { this.#waiting.delete(id); reject(new WorkError(`${operation}: no answer within ${ms} ms`, "TIMEOUT")); }, ms + 1000) : undefined;
      this.#waiting.set(id, { resolve, reject, timer, progress });
      this.#socket.write(`${JSON.stringify(request)}\n`);
    });
  }

  /** Many operations as one transaction: all or nothing, unless `partial`. */
  batch(operations, { partial, ...options } = {}) {
    const list = operations.map((o) => (Array.isArray(o) ? { operation: o[0], args: o[1] ?? {} } : o));
    return this.call("batch", { operations: list, ...(partial && { partial: true }) }, options);
  }

  close() { this.#socket.end(); }
  [Symbol.dispose ?? Symbol.for("dispose")]() { this.close(); }
}

/** Connects to the daemon of the workspace at `dir` (here), or to `socket`. */
export async function connect({ dir = process.cwd(), socket, actor = whoAmI(), timeout = TIMEOUT_MS } = {}) {
  const where = socket ?? findSocket(dir);
  return new Promise((resolve, reject) => {
    const to = net.connect(where);
    const timer = setTimeout(() => to.destroy(new WorkError(`${where}: no answer within ${timeout} ms`, "TIMEOUT")), timeout || 2 ** 31 - 1);
    const failed = (error) => {
      clearTimeout(timer);
      const away = error.code === "ENOENT" || error.code === "ECONNREFUSED";
      reject(away ? new WorkError(`no daemon listens at ${where}: start one with "cohort work daemon"`, error.code) : error);
    };
    to.once("error", failed);
    to.once("connect", () => { clearTimeout(timer); to.off("error", failed); resolve(new Tracker(to, { timeoutMs: timeout, actor })); });
  });
}
