"""A Spark cluster of two workers on this machine, for the tests that need one."""

from __future__ import annotations

import atexit
import importlib.util
import os
import shutil
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_ROOT = Path(__file__).resolve().parents[1]
# Two cores start three of these: no more threads than they need, and no code made to run long.
_JAVA = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:CICompilerCount=1"
#: What makes Spark small enough for tests.
SETTINGS = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.extraJavaOptions": _JAVA,
    "spark.driver.host": "127.0.0.1",
    "spark.executor.extraJavaOptions": _JAVA,
    "spark.executor.memory": "512m",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "2",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


def _missing() -> str | None:
    if importlib.util.find_spec("pyspark") is None:
        return "pyspark is not installed (extra: spark)"
    java = os.environ.get("JAVA_HOME")
    if shutil.which("java") is None and not (java and Path(java, "bin", "java").exists()):
        return "no Java was found, which Spark runs on"
    return None


#: Skips a test, and says why, where no cluster can be had.
needs_cluster = pytest.mark.skipif(_missing() is not None, reason=_missing() or "")


@cache
def cluster() -> SparkSession:
    """The cluster: one for all tests, since it takes long to start."""
    import pyspark
    from pyspark.sql import SparkSession

    # Its workers are processes of their own, which find Spark by this.
    home = Path(pyspark.__file__).parent
    os.environ["SPARK_HOME"] = str(home)
    # Else a session that Python starts takes whatever python3 the path leads to.
    os.environ["PYSPARK_PYTHON"] = sys.executable
    path = os.pathsep.join([str(_ROOT / "src"), str(_ROOT)])
    builder = SparkSession.builder.master("local-cluster[2,1,1024]").config(
        "spark.executorEnv.PYTHONPATH", path
    )
    for name, value in SETTINGS.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    # They leave what they worked with, and cannot be told to leave it elsewhere.
    work = home / "work" / session.sparkContext.applicationId
    atexit.register(shutil.rmtree, work, ignore_errors=True)
    atexit.register(session.stop)
    return session
