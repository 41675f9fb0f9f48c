"""Django settings. Every environment name is declared, with its default, in `nscweb/configuration.py`."""

from __future__ import annotations

import os
import sys
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from nscweb import configuration, keyfile, private, sqlite

sqlite.use_safe_library()  # before anything imports Django's SQLite backend

import environ  # noqa: E402
from django.core.exceptions import ImproperlyConfigured  # noqa: E402

from nscweb import logging as nscweb_logging  # noqa: E402

# --- where things are
BASE_DIR = configuration.BASE_DIR
DATA_DIR = configuration.data_dir()
DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)

NSCWEB_DATA_DIR = DATA_DIR
NSCWEB_MASTER_KEY = os.environ.get("NSCWEB_MASTER_KEY", "").strip()
NSCWEB_BACKUP_KEY = configuration.read("NSCWEB_BACKUP_KEY")
NSCWEB_MASTER_KEY_FILE = os.environ.get("NSCWEB_MASTER_KEY_FILE", "").strip()

NSCWEB_URL = configuration.url()
SETTINGS_IN_FORCE = configuration.rows  # called by the installation page
_url = urlsplit(NSCWEB_URL)
_host = _url.hostname or ""
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
HTTPS = _url.scheme == "https"
if _url.scheme not in {"http", "https"} or not _host or _url.path or _url.query:
    raise ImproperlyConfigured(
        f"NSCWEB_URL: {NSCWEB_URL!r} is not an address such as https://nscweb.example.com"
    )
if not HTTPS and _host not in {"localhost", "127.0.0.1", "::1"}:
    raise ImproperlyConfigured(
        f"NSCWEB_URL: plain http is accepted for a loopback name only, not for {_host!r}. "
        "Put a TLS proxy in front and give its https address."
    )

_loopback = "NSCWEB_ALLOW_LOOPBACK_SERVERS"
NSCWEB_ALLOW_LOOPBACK_SERVERS = (
    not HTTPS if configuration.read(_loopback) in {"", "auto"} else configuration.flag(_loopback)
)

# --- Django
NSCWEB_COMPARE_MINUTES = configuration.integer("NSCWEB_COMPARE_MINUTES", minimum=0)
NSCWEB_EVENTS_KEPT = configuration.integer("NSCWEB_EVENTS_KEPT", minimum=100)
NSCWEB_EVENT_DAYS = configuration.integer("NSCWEB_EVENT_DAYS", minimum=1)

DEBUG = configuration.flag("NSCWEB_DEBUG")
SECRET_KEY = configuration.read("NSCWEB_SECRET_KEY") or keyfile.read_or_create(DATA_DIR / "secret.key")
ALLOWED_HOSTS = [_host if ":" not in _host else f"[{_host}]", *_LOOPBACK]
ALLOWED_HOSTS += [
    name.strip() for name in configuration.read("NSCWEB_ALLOWED_HOSTS").split(",") if name.strip()
]
ROOT_URLCONF = "nscweb.urls"
WSGI_APPLICATION = "nscweb.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"  # pages print UTC and say so, as nsc does
LANGUAGE_CODE = "en"
USE_I18N = False
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 20_000

INSTALLED_APPS = [
    "nscweb",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "identities",
]

MIDDLEWARE = [
    "nscweb.middleware.RequestContext",
    "nscweb.middleware.Metrics",
    "nscweb.middleware.SecurityHeaders",
    "nscweb.middleware.AnyHost",
    "nscweb.middleware.NoSeeds",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "nscweb.middleware.Sealed",
    "nscweb.middleware.Sessions",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "nscweb.middleware.RequireLogin",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

# --- database
_database_url = configuration.read("DATABASE_URL")
_database: dict[str, Any] = (
    dict(environ.Env.db_url_config(_database_url))  # type: ignore[no-untyped-call]
    if _database_url
    else {"ENGINE": "django.db.backends.sqlite3", "NAME": str(DATA_DIR / "nscweb.sqlite3")}
)
_database.setdefault("OPTIONS", {})
WAL_REFUSAL: str | None = None
if _database["ENGINE"] == "django.db.backends.sqlite3":
    WAL_REFUSAL = sqlite.wal_refusal(
        configuration.read("NSCWEB_SQLITE_WAL") or "auto", sqlite.library_version()
    )
    _journal: Literal["WAL", "TRUNCATE"] = "TRUNCATE" if WAL_REFUSAL else "WAL"
    _database["OPTIONS"].update(sqlite.options(_journal))
    _database["CONN_MAX_AGE"] = None
elif _database["ENGINE"] == "django.db.backends.postgresql":
    _database["HOST"] = unquote(str(_database["HOST"]))  # a socket directory is written %2Frun%2Fpostgresql
    _database["CONN_MAX_AGE"] = 600
    _database["CONN_HEALTH_CHECKS"] = True
else:
    raise ImproperlyConfigured(
        "DATABASE_URL: nscweb works with SQLite (sqlite:///path) and PostgreSQL (postgres://…)."
    )
_database["ATOMIC_REQUESTS"] = False
DATABASES = {"default": _database}
_secret = [DATA_DIR / "secret.key", DATA_DIR / "master.key"]
if _database["ENGINE"] == "django.db.backends.sqlite3":
    _secret += private.database(str(_database["NAME"]))
_open = private.close(*_secret)

# Shared by all processes and hosts: sign-in rate limits count in it.
CACHES = {"default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "nscweb_cache"}}

# --- people
AUTH_USER_MODEL = "identities.Person"
AUTHENTICATION_BACKENDS = ["nscweb.backends.PersonBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "account_login"

ACCOUNT_ADAPTER = "nscweb.adapters.AccountAdapter"
ACCOUNT_FORMS = {"login": "nscweb.forms.LoginForm", "change_password": "nscweb.forms.ChangePasswordForm"}
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False  # every other session ends, this one is kept
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_CHANGE_PASSWORD_REDIRECT_URL = "/"
ACCOUNT_SESSION_REMEMBER = True  # the session ends by NSCWEB_SESSION_HOURS, not with the browser
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_RATE_LIMITS = {
    # a whole office may come from one address: it is the name that is guarded closely, here and by our durable count
    "login": "60/m/ip",
    "login_failed": "60/m/ip,5/5m/key",
    "change_password": "5/m/user",
    "reauthenticate": "10/m/user",
    "reset_password": "20/m/ip",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]  # made and checked by services of our own
TRUSTED_PROXIES = configuration.integer("NSCWEB_TRUSTED_PROXIES")
ALLAUTH_TRUSTED_PROXY_COUNT = 0  # our own middleware has put the client's address in place already

# --- mail
_mail = configuration.read("NSCWEB_EMAIL_URL")
EMAIL_CONFIGURED = bool(_mail)
if _mail:
    if urlsplit(_mail).scheme not in {"smtp", "smtp+tls", "smtp+ssl"}:
        raise ImproperlyConfigured(
            "NSCWEB_EMAIL_URL: not an address such as smtp+tls://user:password@mail.example.com:587"
        )
    vars().update(environ.Env.email_url_config(_mail))  # type: ignore[no-untyped-call]
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = configuration.read("NSCWEB_EMAIL_FROM") or f"nscweb@{_host}"
PASSWORD_RESET_TIMEOUT = 4 * 3600

# --- sessions, cookies, transport: NSCWEB_URL decides
_prefix = "__Host-" if HTTPS else ""
SESSION_ENGINE = "nscweb.session_store"
SESSION_COOKIE_NAME = f"{_prefix}nscweb_session"
SESSION_COOKIE_AGE = configuration.integer("NSCWEB_SESSION_HOURS", minimum=1) * 3600
SESSION_IDLE_SECONDS = configuration.integer("NSCWEB_SESSION_IDLE_MINUTES", minimum=2) * 60
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_NAME = f"{_prefix}nscweb_csrf"
CSRF_COOKIE_HTTPONLY = True  # pages carry the token in the form and in hx-headers
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SECURE = HTTPS
CSRF_TRUSTED_ORIGINS = [NSCWEB_URL]
CSRF_FAILURE_VIEW = "nscweb.errors.csrf_failure"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

SECURE_SSL_REDIRECT = HTTPS
# nats-servers and probes ask over plain http and by any name (nats-server's URL resolver follows no redirect to TLS)
SECURE_REDIRECT_EXEMPT = [r"^(o/[^/]+/)?jwt/v1(/|$)", r"^(livez|readyz|metrics)$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = False
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
METRICS_TOKEN = configuration.read("NSCWEB_METRICS_TOKEN")
SILENCED_SYSTEM_CHECKS = [
    "security.W005",  # HSTS for subdomains is the decision of whoever owns the parent domain
    "security.W021",  # and so is preloading
    "auth.W004",  # usernames are unique by a constraint that ignores case
]

# --- static files
STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
WHITENOISE_ALLOW_ALL_ORIGINS = False

# --- logs
LOGGING_CONFIG = None
nscweb_logging.configure(
    log_format=configuration.read("NSCWEB_LOG_FORMAT") or "console",
    level=configuration.read("NSCWEB_LOG_LEVEL") or "INFO",
)
if WAL_REFUSAL and "runserver" not in sys.argv:
    nscweb_logging.announce(WAL_REFUSAL)
for _path in _open:
    nscweb_logging.announce(f"{_path} is open to others and not ours to close: chmod 600 it.")
for _name in configuration.unknown_names():
    nscweb_logging.announce(configuration.unknown_name_message(_name))
