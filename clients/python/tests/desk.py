"""A server for the tests: the worker's wire over real HTTP, kept in memory."""

from __future__ import annotations

import json
import os
import socketserver
import tempfile
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler


def until(what, condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not (got := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(0.005)
    return got


class Saver:
    """The rules of contract/workers.md: what the store keeps and in which order it is read."""

    def __init__(self):
        self.rows, self.blobs, self.writes = {}, {}, {}

    def found(self, thread, ns, id):
        row = self.rows[thread, ns, id]
        blobs = [{"channel": c, "version": v, **self.blobs[thread, ns, c, v]} for c, v in row["versions"].items()
                 if (thread, ns, c, v) in self.blobs]
        writes = sorted((k[3:], w) for k, w in self.writes.items() if k[:3] == (thread, ns, id))
        ordered = sorted(writes, key=lambda w: (w[1]["path"].encode(), w[0][0].encode(), w[0][1]))
        return {"ns": ns, "id": id, "thread_id": thread, "parent_id": row.get("parent_id"), "checkpoint": row["checkpoint"],
                "metadata": row["metadata"], "blobs": blobs, "writes": [{"task_id": k[0], **{n: v for n, v in w.items() if n != "path"}} for k, w in ordered]}

    def call(self, thread, b):
        thread = b.get("thread_id", thread)
        return getattr(self, "op_" + b["op"])(thread, b)

    def op_get(self, thread, b):
        ids = [i for t, ns, i in self.rows if (t, ns) == (thread, b["ns"])]
        id = b.get("id") or max(ids, default=None)
        return {"found": self.found(thread, b["ns"], id) if id in ids else None}

    def op_list(self, thread, b):
        keys = sorted((k for k in self.rows if (thread is None or k[0] == thread) and ("ns" not in b or k[1] == b["ns"])
                       and ("before" not in b or k[2] < b["before"])), key=lambda k: k[2], reverse=True)
        wanted = b.get("filter", {})
        keys = [k for k in keys if all(json.loads(self.rows[k]["metadata"]["text"]).get(n) == v for n, v in wanted.items())]
        keys = keys[:b.get("limit")]
        page, rest = keys[:100], keys[100:]
        return {"items": [self.found(*k) for k in page], **({"next": page[-1][2]} if rest else {})}

    def op_put(self, thread, b):
        self.rows[thread, b["ns"], b["id"]] = b
        for x in b["blobs"]:
            self.blobs[thread, b["ns"], x["channel"], x["version"]] = {k: x[k] for k in ("type", "text", "b64") if k in x}
        return {}

    def op_writes(self, thread, b):
        for g in b["groups"]:
            for w in g["writes"]:
                key = (thread, g["ns"], g["id"], g["task_id"], w["idx"])
                if w["idx"] < 0 or key not in self.writes:
                    self.writes[key] = {"path": g["task_path"], **{k: v for k, v in w.items() if k != "idx"}}
        return {}

    def op_delete_thread(self, thread, b):
        for table in (self.rows, self.blobs, self.writes):
            for k in [k for k in table if k[0] == thread]:
                del table[k]
        return {}


class Desk:
    """`tasks` given to give() are handed out by the polls; `calls` is what came in."""

    def __init__(self, unix=False, lease_s=20.0, beat_s=5.0, poll_s=25.0):
        self.lock = threading.Condition()
        self.calls, self.queue, self.ended = [], [], {}
        self.saver, self.store = Saver(), {}
        self.workers, self.tokens, self.last_n = {}, {}, {}
        self.events = {}
        self.times = {"lease_s": lease_s, "beat_s": beat_s, "poll_s": poll_s}
        self.fail = []           # [(path part, status, headers)] answered once each
        self.cut = []            # path parts: the connection is cut instead of an answer
        self.answer_more = {}    # members of the next answers to events
        self.quiet, self.cancels = False, []
        self.polls = 0
        self.connections = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 1 << 16  # an answer in one piece

            def setup(self):
                super().setup()
                outer.connections += 1

            def address_string(self):
                return "unix"

            def log_message(self, *a):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                self.respond(*outer.answer(self, json.loads(body or b"{}")))

            do_GET = do_POST

            def respond(self, status, body, headers=()):
                if status == 0:
                    self.close_connection = True
                    self.connection.close()
                    return
                data = json.dumps(body).encode()
                self.send_response(status)
                for k, v in headers:
                    self.send_header(k, v)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
                self.wfile.flush()

            def handle(self):
                try:
                    super().handle()
                except (OSError, ValueError):
                    pass

        if unix:
            self.dir = tempfile.TemporaryDirectory()
            path = os.path.join(self.dir.name, "s")
            kind = type("S", (socketserver.ThreadingUnixStreamServer,), {"daemon_threads": True, "request_queue_size": 64})
            self.server = kind(path, Handler)
            self.url = f"unix://{path}"
        else:
            kind = type("S", (socketserver.ThreadingTCPServer,), {"daemon_threads": True, "allow_reuse_address": True, "request_queue_size": 64})
            self.server = kind(("127.0.0.1", 0), Handler)
            self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    # For the tests.

    def give(self, **task):
        id = task.setdefault("task_id", f"t{uuid.uuid4()}")
        task.setdefault("token", uuid.uuid4().hex)
        task.setdefault("attempt", 1)
        task.setdefault("config", {"configurable": {}})
        with self.lock:
            self.tokens[id] = (task["token"], task.get("thread_id"))
            self.events.setdefault(id, [])
            self.last_n[id] = 0
            self.queue.append(task)
            self.lock.notify_all()
        return id

    def end(self, id):
        return until(f"the end of {id}", lambda: self.ended.get(id))

    def said(self, id, mode):
        return [e["data"] for e in self.events[id] if e["mode"] == mode]

    def revoke(self, id):
        self.tokens[id] = (None, None)

    # The wire.

    def answer(self, request, body):
        path = request.path
        with self.lock:
            self.calls.append((path, body, dict(request.headers)))
            for i, (part, status, headers) in enumerate(self.fail):
                if part in path:
                    del self.fail[i]
                    return status, {"detail": "not now"}, headers
            for i, part in enumerate(self.cut):
                if part in path:
                    del self.cut[i]
                    return 0, None
        parts = path.strip("/").split("/")
        if parts == ["workers"]:
            id = f"w{uuid.uuid4()}"
            self.workers[id] = body
            return 200, {"worker_id": id, "now": 0, **self.times}
        if parts[0] == "workers":
            return self.worker(parts[1], parts[2], body)
        if parts[0] == "tasks":
            return self.task(parts[1], parts[2], body, request.headers.get("x-task-token"))
        return 404, {"detail": "no such route"}

    def worker(self, id, verb, body):
        if id not in self.workers:
            return 404, {"detail": "register again", "reason": "unknown_worker"}
        if verb == "leave":
            self.workers.pop(id)
            return 200, {}
        with self.lock:
            self.polls += 1
            mine = self.polls
            self.lock.notify_all()
            self.lock.wait_for(lambda: mine != self.polls or self.quiet or self.cancels or id not in self.workers
                               or any(self.fits(t, body["free"]) for t in self.queue), self.times["poll_s"])
            out = {"tasks": [], "quiet": self.quiet, "cancel": self.cancels, "now": 0}
            self.cancels = []
            if mine == self.polls:
                free = dict(body["free"])
                for t in [t for t in self.queue if self.fits(t, free)]:
                    kind = "run" if t["kind"] == "run" else "node"
                    if free[kind] > 0:
                        free[kind] -= 1
                        self.queue.remove(t)
                        out["tasks"].append(t)
            if self.quiet:
                time.sleep(0.02)
            return 200, out

    @staticmethod
    def fits(task, free):
        return free.get("run" if task["kind"] == "run" else "node", 0) > 0

    def task(self, id, verb, body, token):
        if id not in self.tokens or self.tokens[id][0] != token:
            return 409, {"detail": "not yours any more", "reason": "lost_lease"}
        with self.lock:
            if verb == "end":
                if id in self.ended and self.ended[id] != body:
                    return 409, {"detail": "it has ended in another way", "reason": "ended"}
                self.ended[id] = body
                self.lock.notify_all()
                return 200, {"now": 0}
            if verb == "events":
                for e in body["events"]:
                    if e["n"] > self.last_n[id]:
                        self.last_n[id] = e["n"]
                        self.events[id].append(e)
                more, self.answer_more = self.answer_more, {}
                return 200, {"now": 0, "lease_until": 0, **more}
            if verb == "saver":
                return 200, self.saver.call(self.tokens[id][1], body)
            return 200, {"results": [self.store_op(op) for op in body["ops"]]}

    def store_op(self, op):
        ns = tuple(op.get("namespace", ()))
        if op["op"] == "put":
            self.store.pop((ns, op["key"]), None)
            if op["value"] is not None:
                at = "2026-01-02T03:04:05.678Z"
                self.store[ns, op["key"]] = {"namespace": list(ns), "key": op["key"], "value": op["value"], "created_at": at, "updated_at": at}
            return None
        if op["op"] == "get":
            return self.store.get((ns, op["key"]))
        if op["op"] == "namespaces":
            return sorted({k[0] for k in self.store})
        return [v for k, v in self.store.items() if k[0][:len(ns)] == ns][op["offset"]:][:op["limit"]]
