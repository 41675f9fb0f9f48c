"""Settings of the tests: the product's own, in a fresh directory, with cheap passwords and plain static files."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path


def _directory_of_this_run() -> Path:
    """The directory that the environment names, or a new one that goes with the process that made it."""
    if given := os.environ.get("NSCWEB_DATA_DIR"):
        return Path(given)
    made, maker = tempfile.mkdtemp(prefix="nscweb-tests-"), os.getpid()

    def remove() -> None:
        if os.getpid() == maker:
            shutil.rmtree(made, ignore_errors=True)

    atexit.register(remove)
    return Path(made)


_directory = _directory_of_this_run()
os.environ["NSCWEB_DATA_DIR"] = str(_directory)
os.environ.setdefault("NSCWEB_SECRET_KEY", "only-for-tests-" + "x" * 50)
os.environ.setdefault("NSCWEB_MASTER_KEY", "tests:" + "dGVzdHMtb25seS10ZXN0cy1vbmx5LXRlc3RzLW9ubHk=")
os.environ.setdefault("NSCWEB_LOG_LEVEL", "WARNING")

from nscweb.settings import *  # noqa: E402, F403
from nscweb.settings import DATABASES, STORAGES  # noqa: E402

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
WHITENOISE_AUTOREFRESH = True
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # A file, as in production: threads share it, and a test reads its raw bytes.
    DATABASES["default"]["TEST"] = {"NAME": str(_directory / "test.sqlite3")}
