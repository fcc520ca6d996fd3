import json
import os
import socket
import tempfile
import threading
import time
import unittest
from pathlib import Path

from cohort_worker import work


class Tracker(unittest.TestCase):
    """A daemon's side of the socket; the real one is in tests/e2e/worker-python.mjs."""

    def setUp(self):
        d = tempfile.TemporaryDirectory()
        self.addCleanup(d.cleanup)
        self.dir = Path(d.name).resolve()
        (self.dir / ".cohort").mkdir()
        self.asked, self.answers = [], []
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(self.dir / ".cohort" / "work.sock"))
        self.server.listen()
        self.addCleanup(self.server.close)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                c, _ = self.server.accept()
            except OSError:
                return
            for line in c.makefile("rb"):
                r = json.loads(line)
                self.asked.append(r)
                for a in self.answers.pop(0) if self.answers else [{"success": True, "data": {"id": "p-1"}}]:
                    c.sendall(json.dumps({"request_id": r["request_id"], **a}).encode() + b"\n")

    def test_call(self):
        (self.dir / "deep" / "er").mkdir(parents=True)
        with work.connect(self.dir / "deep" / "er", actor="ann") as w:
            self.assertEqual(w.call("create", title="x", once="k"), {"id": "p-1"})
            w.call("create", {"title": "y"}, priority=1)
        first, second = self.asked
        self.assertEqual((first["operation"], first["args"], first["actor"], first["once"], first["deadline_ms"]),
                         ("create", {"title": "x"}, "ann", "k", 30000))
        self.assertEqual((second["args"], second["request_id"]), ({"title": "y", "priority": 1}, 2))

    def test_batch(self):
        self.answers = [[{"progress": {"done": 1, "total": 2}}, {"success": True, "data": {"results": [{"success": True, "data": 1}]}}]]
        with work.connect(self.dir) as w:
            self.assertEqual(w.batch([("create", {"title": "a"}), {"operation": "ready"}], partial=True), [{"success": True, "data": 1}])
        self.assertEqual(self.asked[0]["args"], {"operations": [{"operation": "create", "args": {"title": "a"}}, {"operation": "ready"}], "partial": True})

    def test_no(self):
        self.answers = [[{"success": False, "error": "issue x not found", "code": "NOTFOUND"}]]
        with work.connect(self.dir) as w:
            with self.assertRaises(work.WorkError) as e:
                w.call("show", id="x")
            self.assertEqual((str(e.exception), e.exception.code), ("issue x not found", "NOTFOUND"))
            self.assertEqual(w.call("show", id="y"), {"id": "p-1"}, "the connection lives on")

    def test_timeout(self):
        self.answers = [[]]
        with work.connect(self.dir / ".cohort" / "work.sock", timeout=30) as w:
            w.set_timeout(0.05)
            began = time.monotonic()
            with self.assertRaises(TimeoutError):
                w.call("ready")
            self.assertLess(time.monotonic() - began, 2)
        self.assertEqual(self.asked[0]["deadline_ms"], 50)
        with work.connect(self.dir) as w, self.assertRaises(ValueError):
            w.set_timeout(0)

    def test_no_tracker(self):
        with tempfile.TemporaryDirectory() as d, self.assertRaisesRegex(work.WorkError, "cohort work init"):
            work.connect(d)

    def test_no_daemon_and_no_program(self):
        self.server.close()
        os.unlink(self.dir / ".cohort" / "work.sock")
        (self.dir / ".cohort" / "work.db").touch()
        old = dict(os.environ)
        os.environ["PATH"] = "/nonexistent"
        os.environ.pop("COHORT", None)
        try:
            with self.assertRaises(work.WorkError) as e:
                work.connect(self.dir)
        finally:
            os.environ.clear()
            os.environ.update(old)
        self.assertEqual(e.exception.code, "NODAEMON")


if __name__ == "__main__":
    unittest.main()
