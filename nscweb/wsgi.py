"""Plain WSGI: `nscweb.wsgi:application` runs under granian, gunicorn or any other server."""

from __future__ import annotations

import os
from importlib import import_module

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nscweb.settings")

_django = get_wsgi_application()
import_module(settings.ROOT_URLCONF)  # now, not in the first request
application = import_module("nscweb.lean").AccountServer(
    _django
)  # needs the apps that Django has just loaded
