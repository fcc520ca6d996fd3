import io
import json
import os
import subprocess
import sys
import tempfile
import unittest
from contextlib import redirect_stdout
from pathlib import Path
from unittest import mock

from cohort_worker import __main__, load

from .desk import Desk, until

HERE = Path(__file__).resolve().parent


class Projects(unittest.TestCase):
    def setUp(self):
        d = tempfile.TemporaryDirectory()
        self.addCleanup(d.cleanup)
        self.dir = Path(d.name).resolve()
        path, modules, environment = list(sys.path), set(sys.modules), dict(os.environ)

        def restore():
            sys.path[:] = path
            for m in set(sys.modules) - modules:
                del sys.modules[m]
            os.environ.clear()
            os.environ.update(environment)
        self.addCleanup(restore)

    def file(self, name, text=""):
        p = self.dir / name
        p.parent.mkdir(parents=True, exist_ok=True)
        p.write_text(text)
        return p

    def project(self, config=None, **files):
        for name, text in files.items():
            self.file(name.replace("__", "/") + ".py", text)
        return load.load(self.file("langgraph.json", json.dumps(config or {"graphs": {"agent": "./agent.py:graph"}})))

    def refused(self, words, config=None, **files):
        with self.assertRaisesRegex(load.ProjectError, words):
            self.project(config, **files)

    def test_a_file(self):
        p = self.project(agent="from helper import x\ngraph = x", helper="x = 5")
        self.assertEqual((p.graphs, p.descriptions, len(p.build)), ({"agent": 5}, {}, 12))

    def test_a_package_with_relative_imports(self):
        for n in ("src/my_app/__init__.py", "src/my_app/parts/__init__.py"):
            self.file(n)
        self.file("src/my_app/state.py", "S = []")
        self.file("src/my_app/parts/graph.py", "from ..state import S\nimport my_app.state\nassert my_app.state.S is S\ngraph = S")
        p = self.project({"dependencies": ["."], "graphs": {"a": {"path": "./src/my_app/parts/graph.py:graph", "description": "d"},
                                                            "b": "my_app.state:S"}})
        self.assertEqual(p.descriptions, {"a": "d"})
        self.assertIs(p.graphs["a"], p.graphs["b"], "one module, however it is named")

    def test_two_files_of_one_name(self):
        self.file("a/graph.py", "graph = 'a'")
        self.file("b/graph.py", "graph = 'b'")
        p = self.project({"graphs": {"a": "./a/graph.py:graph", "b": "./b/graph.py:graph"}})
        self.assertEqual(p.graphs, {"a": "a", "b": "b"})

    def test_what_is_of_others(self):
        p = self.project({"graphs": {"py": "./agent.py:graph", "js": "./agent.ts:graph", "yaml": "./agents/a.yaml", "scxml": {"path": "x.scxml"}}},
                         agent="graph = 1")
        self.assertEqual(p.graphs, {"py": 1})

    def test_words_of_errors(self):
        self.refused(r"graphs\.agent: ./agent\.py is not there")
        self.refused(r"graphs\.agent: ./agent\.py has no graph; it has workflow",
                     agent="class G:\n  astream = 1\nworkflow = G()")
        self.refused(r"failed when it was imported: ZeroDivisionError", {"graphs": {"a": "./bad.py:graph"}}, bad="1/0")
        self.refused(r"graphs: is missing", {"graph": {}})
        self.refused(r'graphs\.a: "./x\.py" is not "./file\.py:name"', {"graphs": {"a": "./x.py"}})
        self.refused(r"graphs\.a: is not", {"graphs": {"a": 5}})
        with self.assertRaisesRegex(load.ProjectError, "No such file"):
            load.load(self.dir / "none.json")
        with self.assertRaisesRegex(load.ProjectError, "is not JSON"):
            load.load(self.file("x.json", "{"))

    def test_a_dependency_that_is_not_installed(self):
        self.file("pyproject.toml")
        self.refused(r"needs langchain_nowhere, which is not installed in .*python.*`pip install -e \.`",
                     {"dependencies": [".", "langchain_nowhere"], "graphs": {"a": "./needs.py:graph"}}, needs="import langchain_nowhere.x")

    def test_variables(self):
        self.file(".env", "# c\nexport A=1\nB='x # y'\nC=\"a\\nb\" # c\nD=plain # c\nE=\nTHERE=no\nnonsense\n")
        os.environ["THERE"] = "yes"
        self.project({"env": ".env", "graphs": {"a": "./agent.py:graph"}},
                     agent="import os\ngraph = os.environ['A']")
        self.assertEqual([os.environ.get(k) for k in ("A", "B", "C", "D", "E", "THERE")], ["1", "x # y", "a\nb", "plain", "", "yes"])
        self.project({"env": {"F": "f"}, "graphs": {"a": "./agent.py:graph"}})
        self.assertEqual(os.environ["F"], "f")
        self.refused("env: NOPE must be set", {"env": ["NOPE"], "graphs": {}})
        self.refused("env: .*none.env", {"env": "none.env", "graphs": {}})

    def test_the_build_is_the_code(self):
        a = self.project(agent="graph = 1").build
        self.file("notes.txt", "x")
        self.file(".venv/pyvenv.cfg")
        self.file(".venv/x.py", "x")
        self.assertEqual(load.build_of_folder(self.dir), a)
        self.file("agent.py", "graph = 2")
        self.assertNotEqual(load.build_of_folder(self.dir), a)

    def test_check(self):
        self.project(agent="from cohort_worker import node, tool, agent\n@node\ndef n(s): pass\n@tool\ndef t(x: int): pass\n"
                           "@agent\ndef a(s): pass\ngraph = 1")
        out = io.StringIO()
        with redirect_stdout(out), mock.patch("sys.argv", ["x"]):
            __main__.main([str(self.dir / "langgraph.json"), "--check"])
        told = json.loads(out.getvalue())
        self.assertEqual((told["graphs"], told["nodes"], told["tools"], told["runs"]), (["agent"], ["n"], ["t"], ["a"]))

    def test_command_line(self):
        def run(*args):
            return subprocess.run([sys.executable, "-m", "cohort_worker", *args], cwd=self.dir, capture_output=True, text=True, timeout=30,
                                  env={"PATH": os.environ["PATH"], "PYTHONPATH": str(HERE.parent)})
        r = run("nothing.json")
        self.assertEqual((r.returncode, r.stderr), (1, "cohort_worker: nothing.json: No such file or directory\n"))
        self.file("agent.py", "graph = 1")
        self.file("langgraph.json", '{"graphs": {"agent": "./agent.py:graph"}}')
        r = run()
        self.assertEqual((r.returncode, "graphs need langgraph, which is not installed in" in r.stderr, "Traceback" in r.stderr), (1, True, False), r.stderr)
        self.file("w.py", "")
        r = run("w.py")
        self.assertIn("nothing to serve", r.stderr)

    def test_the_end_of_cohort_dev(self):
        # The server that started it is gone: no old code serves on.
        d = Desk()
        self.addCleanup(d.close)
        self.file("w.py", "from cohort_worker import node\n@node\ndef n(s): pass\n")
        for dev in (True, False):
            p = subprocess.Popen([sys.executable, "-m", "cohort_worker", "w.py"], cwd=self.dir, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                 env={"PATH": os.environ["PATH"], "PYTHONPATH": str(HERE.parent), "COHORT_URL": d.url, **({"COHORT_DEV": "1"} if dev else {})})
            self.addCleanup(p.wait)
            self.addCleanup(p.kill)
            until("it to register", lambda: d.workers)
            p.stdin.close()
            if dev:
                self.assertEqual(p.wait(10), 0)
                self.assertEqual(d.workers, {})
        with self.assertRaises(subprocess.TimeoutExpired):
            p.wait(0.3)


if __name__ == "__main__":
    unittest.main()
