"""The project's settings, grouped by app.

Every deployable value comes through env.py; docs/configuration.md lists them.
"""

from datetime import timedelta

from config import embedded_servers
from config.beat_schedule import SCHEDULE
from config.database.url import database_settings
from config.env import (
    BadSetting,
    env_bool,
    env_choice,
    env_float,
    env_int,
    env_keys,
    env_list,
    env_networks,
    env_pair,
    env_secret_key,
    env_text,
    env_url,
)
from config.logging_settings import LOGGING as LOGGING

VERSION = "0.1.0"
BASE_DIR = embedded_servers.BASE_DIR
DATA_DIR = embedded_servers.data_dir()
DEBUG = env_bool("DEBUG", default=False)
EMBEDDED_MODE = not env_text("DATABASE_URL")  # one machine, no server of the operator's own

SECRET_KEY = env_secret_key(DATA_DIR if EMBEDDED_MODE else None)
ALLOWED_HOSTS = env_list("ALLOWED_HOSTS", ("*",))
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
APPEND_SLASH = False  # every route answers with and without its slash, itself (config/urls.py)
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "channels",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_prometheus",
    "accounts",
    "governance",
    "orchestration",
    "memory",
    "observability",
    "agents",
    "teams",
    "config.plugins",  # last: plug-ins add to what the others register
]
MIDDLEWARE = [
    "config.http.middleware.MetricsMiddleware",
    "config.http.middleware.TraceIdMiddleware",
    "config.http.middleware.RateLimitMiddleware",
    "config.http.middleware.TransactionMiddleware",
    "governance.audit.middleware.AuditMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.http.middleware.PageSessions",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "config.http.middleware.PageUsers",
    "config.http.middleware.PageMessages",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True  # the packages' own files are served from where they lie: no collectstatic step
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

# ---- stores
DATABASE_URL = env_text("DATABASE_URL", embedded_servers.database_url(DATA_DIR))
ENGINE_DATABASE_URL = env_text("ENGINE_DATABASE_URL", DATABASE_URL)
if EMBEDDED_MODE and ENGINE_DATABASE_URL != DATABASE_URL:
    raise BadSetting(
        "ENGINE_DATABASE_URL", "needs DATABASE_URL beside it: the address of the same database for requests"
    )
# All processes but the web's need sessions of their own; the web's connections may be pooled (config/database/address).
DATABASES = {
    "default": database_settings(
        "ENGINE_DATABASE_URL" if env_text("ENGINE_DATABASE_URL") else "DATABASE_URL", ENGINE_DATABASE_URL
    )
}
WEB_DATABASE = database_settings("DATABASE_URL", DATABASE_URL)
DATABASE_ROLE = ""  # the role that this process works as (config/database/roles.py); "" = the URL's own
REDIS_URL = env_url("REDIS_URL", ("redis", "rediss", "unix")) or embedded_servers.redis_url(DATA_DIR)
# Celery spells a Unix socket differently from everybody else.
BROKER_URL = "redis+socket://" + REDIS_URL.removeprefix("unix://") if REDIS_URL.startswith("unix://") else REDIS_URL

# ---- REST
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.login.authentication.Authenticator"],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.permissions.Authenticated", "accounts.permissions.OwnTenant"],
    "DEFAULT_PARSER_CLASSES": ["config.http.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["config.http.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "config.http.renderers.AlwaysJSON",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_METADATA_CLASS": "config.http.openapi.options.Metadata",
    "DEFAULT_SCHEMA_CLASS": "config.http.openapi.schema.OperationSchema",
    "EXCEPTION_HANDLER": "config.http.error_handler.handle",
    "URL_FORMAT_OVERRIDE": None,  # ?format= belongs to the contract (RULINGS §2)
    "UNAUTHENTICATED_USER": None,
    "DATETIME_FORMAT": "%Y-%m-%dT%H:%M:%S.%fZ",
}
# Requests a minute (config/rate_limits/limiter.py says by whom); 0 = without limit.
RATE_LIMIT_IP = env_int("RATE_LIMIT_IP", 100)
RATE_LIMIT_USER = env_int("RATE_LIMIT_USER", 1_000)
RATE_LIMIT_API_KEY = env_int("RATE_LIMIT_API_KEY", 5_000)
RATE_LIMIT_TENANT = env_int("RATE_LIMIT_TENANT", 10_000)
RATE_LIMIT_TASKS = env_int("RATE_LIMIT_TASKS", 600)  # to /tasks, by user, or by address without credentials
RATE_LIMIT_LOGIN = env_int("RATE_LIMIT_LOGIN", 10)  # attempts by account and address
RATE_LIMIT_LLM = env_int("RATE_LIMIT_LLM", 1_000)  # model calls by user
API_BODY_LIMIT = env_int("API_BODY_LIMIT", 1024 * 1024, least=1024)
FILE_BODY_LIMIT = env_int("FILE_BODY_LIMIT", 15 * 1024 * 1024, least=1024)
DATA_UPLOAD_MAX_MEMORY_SIZE = FILE_BODY_LIMIT
WEB_THREADS = env_int("WEB_THREADS", 8, least=1, most=256)
SPECTACULAR_SETTINGS = {
    "TITLE": "Regente",
    "GET_MOCK_REQUEST": "config.http.openapi.document.mock_request",
    "PREPROCESSING_HOOKS": ["config.http.openapi.document.contract_paths"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "config.http.openapi.document.finish",
    ],
    "COMPONENT_SPLIT_REQUEST": True,
    "DESCRIPTION": (
        "Durable agent runs behind five API contracts. Query parameters that an operation does not list are ignored, "
        "as unknown fields of a body are; one that it lists and that has a value it cannot have is refused by name "
        "(400, under /tasks 422). A page, limit or offset out of range is clamped, except under /tasks. Totals are "
        "exact up to 10,000; beyond that they are 10,000 and marked as inexact (totalIsExact, X-Total-Is-Exact)."
    ),
    "VERSION": VERSION,
    "OAS_VERSION": "3.1.1",
    "ENUM_NAME_OVERRIDES": {
        "ModeEnum": "orchestration.models.Mode",
        "TableModeEnum": "memory.datastore.tables.MODES",
        "TypeEnum": "orchestration.models.WorkflowType",
        "ChannelTypeEnum": "observability.alerts.channels.TYPES",
        "JobStatusEnum": "agents.jobs.statuses.STATUSES",
        "TaskStateEnum": "agents.code_tasks.states.STATES",
    },
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

# ---- accounts
AUTH_USER_MODEL = "accounts.User"
LOGIN_REDIRECT_URL = "/admin/"
LOGIN_URL = "/admin/login/"
AUTHENTICATION_BACKENDS = ["accounts.login.backends.CountedBackend"]
PASSWORD_HASHERS = [
    "accounts.login.hashers.Argon2",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "MinimumLengthValidator",
        "UserAttributeSimilarityValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
OPEN_REGISTRATION = env_bool("OPEN_REGISTRATION", default=True)  # off: by invitation, or by admins and operators
FIRST_USER_ADMIN = env_bool("FIRST_USER_ADMIN", default=True)
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(hours=1),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=7),
    "SIGNING_KEY": SECRET_KEY,
    "ALGORITHM": "HS256",
    "USER_ID_CLAIM": "sub",
}
COOKIE_SECURE = env_bool("COOKIE_SECURE", default=False)
CSRF_TRUSTED_ORIGINS = env_list("CSRF_TRUSTED_ORIGINS")  # front-ends elsewhere that may write with the cookie
if any(not one.startswith(("https://", "http://")) for one in CSRF_TRUSTED_ORIGINS):
    raise BadSetting(
        "CSRF_TRUSTED_ORIGINS", "each must start with https:// or http://, such as https://app.example.com"
    )
# Single sign-on (accounts/login/sso.py), with the packages of requirements-sso.txt.
OIDC_ISSUER = env_url("OIDC_ISSUER")  # the provider's URL; /.well-known/openid-configuration is below it
OIDC_PROVIDER = "oidc"
OIDC_TENANT = env_text("OIDC_TENANT")  # whom newcomers join; empty = each a tenant of their own
OIDC_ROLE = env_choice("OIDC_ROLE", "user", ("user", "developer", "admin"))
OIDC_RETURN_URL = env_url("OIDC_RETURN_URL")  # the front-end that gets the code
if OIDC_ISSUER:
    client = {"client_id": env_text("OIDC_CLIENT_ID"), "secret": env_text("OIDC_CLIENT_SECRET")}
    if not client["client_id"]:
        raise BadSetting("OIDC_CLIENT_ID", "must be set when OIDC_ISSUER is")
    INSTALLED_APPS += ["allauth", "allauth.account", "allauth.socialaccount"]
    INSTALLED_APPS += ["allauth.socialaccount.providers.openid_connect"]
    MIDDLEWARE += ["allauth.account.middleware.AccountMiddleware"]
    SOCIALACCOUNT_ADAPTER = "accounts.login.sso.Adapter"
    SOCIALACCOUNT_LOGIN_ON_GET = True
    SOCIALACCOUNT_STORE_TOKENS = False
    ACCOUNT_USER_MODEL_USERNAME_FIELD, ACCOUNT_USER_MODEL_EMAIL_FIELD = None, "email"
    ACCOUNT_LOGIN_METHODS, ACCOUNT_SIGNUP_FIELDS = {"email"}, ["email*"]
    SOCIALACCOUNT_PROVIDERS = {
        "openid_connect": {
            "OAUTH_PKCE_ENABLED": True,
            "APPS": [{"provider_id": OIDC_PROVIDER, "name": "OIDC", **client, "settings": {"server_url": OIDC_ISSUER}}],
        }
    }
# ---- mail, for alerts
EMAIL_HOST, EMAIL_PORT = env_text("EMAIL_HOST"), env_int("EMAIL_PORT", 587, least=1, most=65535)
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = env_pair("EMAIL_HOST_USER", "EMAIL_HOST_PASSWORD")
EMAIL_USE_SSL = EMAIL_PORT == 465
EMAIL_USE_TLS = not EMAIL_USE_SSL and env_bool("EMAIL_USE_TLS", default=EMAIL_PORT == 587)
DEFAULT_FROM_EMAIL = env_text("EMAIL_FROM") or EMAIL_HOST_USER or "regente@localhost"
EMAIL_TIMEOUT = 10

BEHIND_TLS_PROXY = env_bool("BEHIND_TLS_PROXY", default=False)
if BEHIND_TLS_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# ---- orchestration: the engine (orchestration/engine/engine.py says what each one does)
ENGINE_SLOTS = env_int("ENGINE_SLOTS", 500, least=1, most=20_000)
ENGINE_CLAIM_BATCH = env_int("ENGINE_CLAIM_BATCH", 200, least=1)
ENGINE_POLL_S = env_float("ENGINE_POLL_S", 0.5, least=0.05)
ENGINE_LEASE_S = env_float("ENGINE_LEASE_S", 5.0, least=1.0)
ENGINE_DRAIN_S = env_float("ENGINE_DRAIN_S", 10.0)
ENGINE_MAX_DEATHS = env_int("ENGINE_MAX_DEATHS", 3, least=1)
MAX_TEAM_AGENTS = env_int("MAX_TEAM_AGENTS", 50, least=1, most=1_000)
ENGINE_TENANT_CAP = env_int("ENGINE_TENANT_CAP", 0)  # running runs per tenant over all engines; 0 = no cap
ENGINE_KIND_CAPS: dict[str, int] = {}  # {"conversation": 50}: running runs per tenant and kind
MONITOR_SEND_S = env_float(
    "MONITOR_SEND_S", 20.0, least=0.1
)  # a monitor whose client reads nothing for so long is closed
OUTBOUND_ALLOW = env_networks("OUTBOUND_ALLOW")

# ---- Celery: it wakes and hosts engines, and keeps no state (docs/decisions/001-postgres-is-the-queue.md)
CELERY_BROKER_URL = BROKER_URL
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = ENGINE_DRAIN_S
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 12 * 3600,
    "socket_timeout": 5,
    "socket_connect_timeout": 1,
    "socket_keepalive": True,
    "health_check_interval": 10,
}
CELERY_IMPORTS = env_list(
    "WORKER_IMPORTS"
)  # modules of your own that register programs, nodes and tools in the workers
CELERY_DB_REUSE_MAX = 1000
CELERY_BEAT_SCHEDULER = "config.scheduler:Scheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 2  # seconds; each look at the clock is a sign of life
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "run" / "celerybeat-schedule")
CELERY_BEAT_SCHEDULE = SCHEDULE

# ---- governance
APPROVAL_EXPIRES_S = env_float("APPROVAL_EXPIRES_S", 7 * 24 * 3600.0, least=1.0)  # of approvals that policies require
SECRETS_KEYS = env_keys("SECRETS_KEYS")  # Fernet keys, the newest first; empty = one made of SECRET_KEY

# ---- memory: files and vectors
FILES_BUCKET = env_text("FILES_BUCKET")  # an S3 bucket; without one the files lie in DATA_DIR
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    "files": {"BACKEND": "memory.files.storage.FolderStorage", "OPTIONS": {"location": str(DATA_DIR / "files")}},
}
if FILES_BUCKET:
    files_access_key, files_secret_key = env_pair("FILES_ACCESS_KEY", "FILES_SECRET_KEY")
    STORAGES["files"] = {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": FILES_BUCKET,
            "endpoint_url": env_url("FILES_ENDPOINT") or None,
            "region_name": env_text("FILES_REGION") or None,
            "access_key": files_access_key or None,
            "secret_key": files_secret_key or None,
            "location": env_text("FILES_PREFIX", "regente"),
            "default_acl": None,
            "querystring_auth": True,
            "file_overwrite": False,
        },
    }
EMBEDDING_MODEL = env_text("EMBEDDING_MODEL")  # empty = the static embeddings in the package
EMBEDDING_SAME_SUBJECT = env_float("EMBEDDING_SAME_SUBJECT", 0.0, least=0.0)  # raw cosine that stands for 0.7

# ---- agents: models, jobs, code tasks
JOB_TIMEOUT_S = env_float("JOB_TIMEOUT_S", 1_800.0, least=1.0)
TASKS_ANONYMOUS = env_bool(
    "TASKS_ANONYMOUS", default=EMBEDDED_MODE
)  # /tasks without credentials, from this machine alone
TASKS_PER_USER = env_int("TASKS_PER_USER", 5, least=1)  # that run at a time; the rest wait
MAX_TASK_TURNS = env_int("MAX_TASK_TURNS", 50, least=1)  # model calls of one task
TASK_MEMORY_BYTES = env_int("TASK_MEMORY_MB", 512, least=64) * 1024 * 1024  # of a command and all that it starts
TASK_DISK_BYTES = env_int("TASK_DISK_MB", 1_024, least=16) * 1024 * 1024  # of a task's workspace
TASK_KEEP_DAYS = env_int("TASK_KEEP_DAYS", 30, least=1)  # a finished task's workspace; its record and files stay
TASK_GIT_ALLOW = env_list("TASK_GIT_ALLOW")  # folders of this machine whose repositories tasks may begin with
LLM_BASE_URL = env_url("LLM_BASE_URL")
LLM_API_KEY = env_text("LLM_API_KEY")
LLM_MODEL = env_text("LLM_MODEL")
PROVIDER_KEYS = {  # environment keys, the last in the lookup order of RULINGS §4
    provider: env_text(variable)
    for provider, variable in {
        "openai": "OPENAI_API_KEY",
        "anthropic": "ANTHROPIC_API_KEY",
        "gemini": "GEMINI_API_KEY",
        "mistral": "MISTRAL_API_KEY",
        "groq": "GROQ_API_KEY",
        "deepseek": "DEEPSEEK_API_KEY",
        "openrouter": "OPENROUTER_API_KEY",
    }.items()
}
OFFLINE_WORDS_PER_S = env_float("OFFLINE_WORDS_PER_S", 25.0)  # the built-in model's speed; 0 = at once
OFFLINE_MODEL_ALLOWED = EMBEDDED_MODE  # with no gateway and no key the embedded mode answers with the built-in model
