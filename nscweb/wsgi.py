"""Plain WSGI: `nscweb.wsgi:application` runs under granian, gunicorn or any other server."""

from __future__ import annotations

import os
from importlib import import_module

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nscweb.settings")

application = get_wsgi_application()
import_module(settings.ROOT_URLCONF)  # now, not in the first request
