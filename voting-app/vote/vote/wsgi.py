"""The application object gunicorn serves."""

import os

from .app import create_app
from .lifecycle import lifecycle
from .settings import Settings

application = create_app(Settings.from_environment(os.environ), lifecycle)
