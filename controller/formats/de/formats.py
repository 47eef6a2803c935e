"""The same as in English."""

from controller.formats.en.formats import *  # noqa: F403
