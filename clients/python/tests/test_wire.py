import socket
import threading
import time
import unittest

from cohort_worker.wire import LostLease, Refused, TaskWire, Wire, WireError

from .desk import Desk, until


class Wires(unittest.TestCase):
    def desk(self, **how):
        d = Desk(**how)
        self.addCleanup(d.close)
        return d

    def wire(self, desk, key=None):
        w = Wire(desk.url, key)
        self.addCleanup(w.close)
        return w

    def test_key_and_token_are_headers_and_no_path_has_them(self):
        d = self.desk()
        id = d.give(kind="run", name="a")
        TaskWire(self.wire(d, "sk-1"), id, d.tokens[id][0]).call("events", {"events": []})
        path, _, headers = d.calls[-1]
        headers = {k.lower(): v for k, v in headers.items()}
        self.assertEqual((headers["x-api-key"], headers["x-task-token"]), ("sk-1", d.tokens[id][0]))
        self.assertNotIn(d.tokens[id][0], path)

    def test_one_connection_for_many_calls(self):
        for unix in (False, True):
            d = self.desk(unix=unix)
            w = self.wire(d)
            for _ in range(20):
                w.call("POST", "/workers", {"name": "x"})
            self.assertEqual(d.connections, 1, d.url)

    def test_a_cut_connection_is_tried_again(self):
        d = self.desk()
        d.cut = ["/workers", "/workers"]
        self.assertIn("worker_id", self.wire(d).call("POST", "/workers", {}))
        self.assertEqual(len(d.calls), 3)

    def test_a_busy_server_is_asked_again_when_it_said(self):
        d = self.desk()
        d.fail = [("/workers", 503, [("retry-after", "0.2")])]
        began = time.monotonic()
        self.wire(d).call("POST", "/workers", {})
        self.assertGreaterEqual(time.monotonic() - began, 0.2)

    def test_patience_ends(self):
        d = self.desk()
        d.fail = [("/workers", 503, [])] * 100
        with self.assertRaises(Refused) as e:
            self.wire(d).call("POST", "/workers", {}, patience=0.2)
        self.assertEqual((e.exception.status, "not now" in str(e.exception)), (503, True))
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            with self.assertRaisesRegex(WireError, "POST http://127.0.0.1:"):
                Wire(f"http://127.0.0.1:{s.getsockname()[1]}").call("POST", "/workers", {}, patience=0.1)

    def test_a_lost_lease_is_for_ever(self):
        d = self.desk()
        id = d.give(kind="run", name="a")
        t = TaskWire(self.wire(d), id, d.tokens[id][0])
        t.call("events", {"events": []})
        d.revoke(id)
        with self.assertRaises(LostLease):
            t.call("events", {"events": []})
        asked = len(d.calls)
        with self.assertRaises(LostLease):
            t.call("saver", {"op": "get", "ns": ""})
        self.assertEqual(len(d.calls), asked, "and is not asked again")

    def test_a_refusal_keeps_the_lease(self):
        d = self.desk()
        id = d.give(kind="run", name="a")
        t = TaskWire(self.wire(d), id, d.tokens[id][0])
        d.fail = [("/events", 422, [])]
        with self.assertRaises(Refused):
            t.call("events", {"events": []})
        t.call("events", {"events": []})
        for status in (401, 403, 404):
            d.fail = [("/events", status, [])]
            t = TaskWire(t.wire, id, d.tokens[id][0])
            with self.assertRaises(LostLease):
                t.call("events", {"events": []})

    def test_an_idle_connection_that_the_server_closed(self):
        server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(server.close)

        def answer_one_each():
            for _ in range(3):
                c, _ = server.accept()
                c.recv(65536)
                c.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
                c.close()

        threading.Thread(target=answer_one_each, daemon=True).start()
        w = Wire(f"http://127.0.0.1:{server.getsockname()[1]}")
        for _ in range(3):
            self.assertEqual(w.call("POST", "/x", {}, patience=0), {})
            time.sleep(0.01)

    def test_addresses(self):
        for bad in ("127.0.0.1:2024", "ftp://x", "unix://"):
            with self.assertRaises(ValueError, msg=bad):
                Wire(bad)

    def test_a_prefix_of_a_proxy(self):
        d = self.desk()
        w = Wire(d.url + "/api/")
        self.addCleanup(w.close)
        with self.assertRaises(Refused):
            w.call("GET", "/workers")
        self.assertEqual(d.calls[-1][0], "/api/workers")

    def test_close_ends_what_waits(self):
        d = self.desk(poll_s=30)
        w = self.wire(d)
        id = w.call("POST", "/workers", {})["worker_id"]
        failed = []

        def poll():
            try:
                w.call("POST", f"/workers/{id}/poll", {"free": {}})
            except WireError as e:
                failed.append(e)
        t = threading.Thread(target=poll)
        t.start()
        until("the poll", lambda: d.polls)
        w.close()
        t.join(5)
        self.assertEqual((t.is_alive(), len(failed)), (False, 1))

    def test_many_threads(self):
        d = self.desk()
        w = self.wire(d)
        threads = [threading.Thread(target=lambda: [w.call("POST", "/workers", {}) for _ in range(10)]) for _ in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join(10)
        self.assertEqual(len(d.calls), 80)
        until("no more connections than threads", lambda: d.connections <= 8)


if __name__ == "__main__":
    unittest.main()
