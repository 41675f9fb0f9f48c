"""Plain WSGI: `nscweb.wsgi:application` runs under granian, gunicorn or any other server."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nscweb.settings")

application = get_wsgi_application()
