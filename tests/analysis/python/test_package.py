"""The package as it is installed, the notebook as it is executed, MLflow as it is filled."""

import importlib.util
import os
import shutil
import subprocess
import sys
import unittest

from support import PACKAGE, TemporaryFolderTest, program, wkvq_results, write_run


def there(*names):
    return all(importlib.util.find_spec(name) for name in names)


class PackageTest(TemporaryFolderTest):
    @unittest.skipUnless(there("pip", "setuptools", "wheel"), "no pip, setuptools or wheel")
    def test_pip_installs_it_typed(self):
        copy = self.folder / "python"
        shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
        target = self.folder / "site"
        done = subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation",
                               "--no-index", "--disable-pip-version-check", "--target", target, copy],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertTrue((target / "wkvq_results/py.typed").exists())
        code = "import wkvq_results, sys; print(wkvq_results.__file__); print('pandas' in sys.modules)"
        said = subprocess.run([sys.executable, "-c", code], cwd=self.folder, capture_output=True, text=True,
                              env={**os.environ, "PYTHONPATH": str(target)})
        # Importing it imports nothing that is optional.
        self.assertEqual(said.stdout.split(), [str(target / "wkvq_results/__init__.py"), "False"], said.stderr)

    @unittest.skipUnless(there("nbclient", "ipykernel", "xarray"), "no nbclient, ipykernel or xarray")
    def test_the_notebook_runs(self):
        import nbclient
        import nbformat

        (self.folder / "small.yaml").write_text(
            "name: small\nmodel: {path: mini, dtype: float32}\n"
            "method: {name: rtn, weight: {bits: 16, group_size: 64}, kv: {bits: 16}}\n"
            "evaluate: [{task: perplexity, dataset: {name: self, samples: 2}, kl: true}]\n"
            "sweep: {method.weight.bits: [16, 4], method.kv.bits: [16, 2]}\n")
        program("run", self.folder / "small.yaml", "--results", self.folder / "results")
        notebook = nbformat.read(PACKAGE / "results.ipynb", as_version=4)
        self.assertTrue(all(not cell.get("outputs") for cell in notebook.cells), "committed without outputs")
        environment = {"WKVQ_RESULTS": str(self.folder / "results"), "PYTHONPATH": str(PACKAGE),
                       "IPYTHONDIR": str(self.folder), "MPLBACKEND": "agg"}
        before = {name: os.environ.get(name) for name in environment}
        os.environ.update(environment)
        try:
            nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})
        outputs = [str(output) for cell in notebook.cells for output in cell.get("outputs", [])]
        self.assertEqual(len(outputs), 5)
        self.assertIn("kl.self.past", outputs[2])
        self.assertIn("image/png", outputs[4])

    @unittest.skipUnless(there("mlflow"), "no mlflow")
    def test_mlflow_gets_every_finished_run_once(self):
        results = self.folder / "results"
        results.mkdir()
        write_run(results / "a.h5", 4, [1, 2, 3, 4])
        write_run(results / "b.h5", 2, [1, 2, 3, 4])
        write_run(results / "c.h5", 3, [1, 2, 3, 4], status="failed")
        # The store that mlflow-skinny has, which holds no database; nobody is told of it.
        environment = {"MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}
        for variable in environment.keys() - os.environ.keys():
            self.addCleanup(os.environ.pop, variable)
        os.environ.update(environment)
        store = (self.folder / "mlflow").as_uri()
        from mlflow.tracking import MlflowClient

        self.assertEqual(wkvq_results.log_to_mlflow(results, tracking_uri=store), 2)
        self.assertEqual(wkvq_results.log_to_mlflow(results, tracking_uri=store), 0)
        client = MlflowClient(tracking_uri=store)
        logged = client.search_runs([client.get_experiment_by_name("demo").experiment_id])
        self.assertEqual(sorted(run.data.tags["wkvq.run_id"] for run in logged), ["a", "b"])
        run = next(run for run in logged if run.data.tags["wkvq.run_id"] == "b")
        self.assertEqual(run.data.params["method.kv.bits"], "2")
        self.assertEqual(run.data.metrics["perplexity.self.past"], 2.5)
        self.assertEqual(run.data.metrics["perplexity.self.past.stderr"], 0.5)
        self.assertEqual(run.data.tags["wkvq.convention.perplexity.self.past"], "past: windows of 2 tokens")
        self.assertEqual(run.info.status, "FINISHED")


if __name__ == "__main__":
    unittest.main()
